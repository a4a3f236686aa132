"""A problem: the cells of a plan, their rows and goals, and what comes of a changed number."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from kc_model import money
from kc_model.cells import MILLION, Cells, Curves, build_curves
from kc_model.errors import Fault, raise_faults
from kc_model.offered import Offered
from kc_model.results import Forecast
from kc_model.risk import Risk
from kc_model.rules import Row, Sums, purses, renumber_rows
from kc_model.scenario import Goal, Scenario
from kc_model.tables import KEYS, Dataset, Note

__all__ = ["Problem", "directions_of", "grid_of", "sure_on"]


@dataclass(frozen=True)
class Problem:
    """Everything an allocation must respect and wants, resolved over the cells.

    Parameters
    ----------
    outlook : Forecast or None
        The forecast the absorption rests on, if any.
    cells : Cells
        The plan's cells only.
    rows : tuple of Row
        Budgets, bounds and rules, in this order.
    sums : Sums
        L and B of the rows.
    curves : Curves
        Absorption; cells without a curve are in none.
    columns : mapping of int to array
        For goal number k that counts a column: its value for every cell.
    selected : mapping of int to array of bool
        For goal number k: the cells it counts.
    risks : mapping of int to Risk
        For goal number k that is a risk.
    grid : int
        Step of every amount, VND.
    findings : tuple of Fault
        Warnings that come of bringing the three together.
    baseline_year : int or None
        Year whose plan is the baseline; None where ``cells.csv`` gives it.
    offered : Offered or None
        The projects; None without ``projects.csv``.
    kept : array of bool (n_cells,) or None
        Cells that stay as they were, by a goal of fewest moves; None: not decided, or no such goal.
    """

    data: Dataset
    scenario: Scenario
    outlook: Forecast | None
    cells: Cells
    rows: tuple[Row, ...]
    sums: Sums
    curves: Curves
    columns: dict[int, NDArray[np.float64]]
    selected: dict[int, NDArray[np.bool_]]
    risks: dict[int, Risk]
    grid: int
    findings: tuple[Fault, ...]
    baseline_year: int | None
    offered: Offered | None = None
    kept: NDArray[np.bool_] | None = None

    def renumbered(self, scenario: Scenario) -> Problem | None:
        """Return the problem of a scenario that differs in numbers and words; None if in more.

        Raises
        ------
        InputError
            With every number that cannot be.
        """
        if scenario.shape != self.scenario.shape or self.offered is not None or self.counting:
            return None
        faults: list[Fault] = []
        unit = self.data.unit
        rows = renumber_rows(self.rows, self.scenario, scenario, unit, faults)
        grid = grid_of(scenario, unit, faults)
        raise_faults(faults)
        sums = self.sums.renumbered(rows)
        columns = {**self.columns, **directions_of(scenario.goals)}
        return self._with(scenario=scenario, rows=rows, sums=sums, columns=columns, grid=grid)

    def without(self, rows: Iterable[int]) -> Problem:
        """Return the problem in which some rows hold nobody: wishes of no weight."""
        wishes = {r: replace(self.rows[r], tier="preference", weight=0.0) for r in rows}
        kept = tuple(wishes.get(r, row) for r, row in enumerate(self.rows))
        return self._with(rows=kept, sums=self.sums.renumbered(kept))

    def bare(self) -> Problem:
        """Return the problem without rules and goals: what cells and projects are by themselves."""
        scenario = replace(self.scenario, rules=(), goals=())
        return replace(self, scenario=scenario, rows=(), sums=Sums.of((), len(self.cells)))

    def decided(self, chosen: NDArray[np.bool_]) -> Problem:
        """Return the problem in which exactly some projects are chosen: it asks for sizes only."""
        if self.offered is None:
            return self
        rows = tuple(row.decided(chosen) for row in self.rows)
        curves = self.curves
        if len(self.offered.sure):
            curves = curves.after_sure(sure_on(curves, self.offered, chosen))
        offered = replace(self.offered, chosen=chosen, sure=np.zeros(0))
        sums = Sums.of(rows, len(self.cells))
        return self._with(rows=rows, sums=sums, offered=offered, curves=curves)

    def _with(self, **changes: Any) -> Problem:
        """Return a copy that keeps what was worked out of cells and goals."""
        now = replace(self, **changes)
        kept = ["baseline", "weight", "groups", "purses", "blank_cells"]
        if len(now.rows) == len(self.rows) and all(
            row is old or row.words == old.words
            for row, old in zip(now.rows, self.rows, strict=True)
        ):
            kept.append("blank_rules")
        if now.curves is self.curves and "basis" in self.__dict__:
            kept.append("basis")
        now.__dict__.update((name, getattr(self, name)) for name in kept)
        return now

    @property
    def goals(self) -> tuple[Goal, ...]:
        """The scenario's goals, in order."""
        return self.scenario.goals

    @property
    def counting(self) -> tuple[int, ...]:
        """Numbers of the goals that count moves."""
        return tuple(k for k, goal in enumerate(self.goals) if goal.what == "moves")

    @property
    def is_open(self) -> bool:
        """Whether there are projects to be chosen, or lines that are to stay as they were."""
        has_projects = self.offered is not None and self.offered.chosen is None
        return has_projects or bool(self.counting and self.kept is None)

    @property
    def unit(self) -> str:
        """The dataset's unit."""
        return self.data.unit

    @property
    def warnings(self) -> tuple[Fault, ...]:
        """Everything worth knowing, the data's own first."""
        return (*self.data.warnings, *self.scenario.warnings, *self.findings)

    @property
    def notes(self) -> tuple[Note, ...]:
        """What the plan rests on."""
        outlook = self.outlook.notes if self.outlook is not None else ()
        return (*self.data.notes, *self.scenario.notes, *outlook)

    @cached_property
    def off_grid(self) -> NDArray[np.int64]:
        """What of every cell is off the grid because a project holds to the đồng, VND."""
        if self.offered is None:
            return np.zeros(len(self.cells), dtype=np.int64)
        return self.offered.off_grid(self.grid, len(self.cells))

    @cached_property
    def baseline(self) -> NDArray[np.float64]:
        """Baseline of every cell, million VND."""
        return self.cells.frame["baseline"].to_numpy(dtype=float) / MILLION

    @cached_property
    def weight(self) -> NDArray[np.float64]:
        """Weight of every cell's disbursement."""
        return self.cells.frame["weight"].to_numpy(dtype=float)

    @cached_property
    def groups(self) -> dict[int, tuple[NDArray[np.int64], NDArray[np.float64]]]:
        """For goal number k of evenness: every cell's (year, place), −1 for none; their sums."""
        even = [k for k, goal in enumerate(self.goals) if goal.what == "evenness"]
        return {k: _even_groups(self, k) for k in even}

    @cached_property
    def purses(self) -> NDArray[np.object_]:
        """For every cell the purse within which its money may move.

        The national money of a year or a province's own, unless a budget row joins several that no
        rows hold apart.
        """
        years = self.cells.frame["year"].astype(str)
        purse: NDArray[np.object_] = (purses(self.cells) + " " + years).to_numpy(dtype=object)
        own = purse.copy()
        held = np.zeros(len(purse), dtype=bool)
        rows = [row for row in self.rows if row.id.startswith("budget:")]
        for row in rows:
            held[row.cells] |= len(set(own[row.cells])) == 1
        for row in rows:
            joined = set(purse[row.cells[~held[row.cells]]])
            purse[np.isin(purse, list(joined))] = min(joined, default="")
        return purse

    @cached_property
    def blank_cells(self) -> pd.DataFrame:
        """The cells of an `Allocation` that nothing is known of yet."""
        keys = ["year", "place", "area", "activity", "source", "region"]
        blank = pd.array([pd.NA] * len(self.cells), dtype="Int64")
        return self.cells.frame[keys].assign(
            amount=blank,
            baseline=self.cells.frame["baseline"],
            expected_disbursed=np.nan,
            lowest=blank,
            highest=blank,
            budget="",
            basis="",
            chance_last=np.nan,
            chance_next=np.nan,
            is_open=False,
            expected_baseline=np.nan,
            purse=self.purses,
        )

    @cached_property
    def blank_rules(self) -> pd.DataFrame:
        """What the rows are, for ``rules.csv``; the columns of what a plan gives them are empty."""
        words = ("id", "group", "side", "tier", "measure", "text", "basis")
        found = dict(zip(words, zip(*(row.words for row in self.rows), strict=True), strict=False))
        told = {name: list(found.get(name, ())) for name in words}
        return pd.DataFrame(
            {
                **{name: told[name] for name in words[:4]},
                "lhs": np.nan,
                "bound": np.nan,
                "slack": np.nan,
                "status": "",
                "shortfall": np.nan,
                "measure": told["measure"],
                "factor": np.nan,
                "text": told["text"],
                "basis": told["basis"],
            },
            index=range(len(self.rows)),
        )

    @cached_property
    def basis(self) -> list[str]:
        """What the absorption of every cell rests on.

        ``given`` (``absorption.csv``), a basis of the forecast's (``forecast.basis`` in the
        wording; ``forecast`` where it is not told), "" where nothing is known.
        """
        told = {}
        if self.outlook is not None:
            known_by = self.outlook.cells.set_index(KEYS)["basis"].str.removeprefix("basis.")
            told = known_by.to_dict()
        _, given = build_curves(self.cells, [self.data.absorption])
        known = np.zeros(len(self.cells), dtype=bool)
        known[np.concatenate([np.zeros(0, dtype=np.int64), *self.curves.members])] = True
        cells = self.cells.frame[KEYS].itertuples(index=False, name=None)
        return [
            "given" if has else told.get(cell, "forecast") if any_at_all else ""
            for cell, has, any_at_all in zip(cells, given, known, strict=True)
        ]

    @cached_property
    def size(self) -> float:
        """Power of ten near a hundredth of a mean cell's money, million VND: what solvers see."""
        total = sum(abs(row.const) for row in self.rows if row.id.startswith("budget:"))
        mean = total / max(1, len(self.cells))
        return float(10.0 ** round(np.log10(mean / 100))) if mean > 0 else 1.0

    @property
    def million(self) -> float:
        """One million VND in the dataset's unit."""
        return MILLION / money.UNITS[self.unit]


def grid_of(scenario: Scenario, unit: str, faults: list[Fault]) -> int:
    """Return the step of every amount, VND."""
    if scenario.round_to is None:
        return 1
    vnd = scenario.round_to * money.UNITS[unit]
    if vnd != int(vnd):
        at = replace(scenario.at, column="round_to")
        faults.append(Fault("part-of-dong", at, {"found": scenario.round_to}))
    return max(1, int(vnd))


def directions_of(goals: Iterable[Goal]) -> dict[int, NDArray[np.float64]]:
    """Return the direction of every goal that has one, by number of the goal."""
    return {k: np.array(goal.toward) for k, goal in enumerate(goals) if goal.what == "direction"}


def sure_on(curves: Curves, offered: Offered, chosen: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return what some projects make sure on every curve, million VND."""
    counted = np.flatnonzero((offered.sure > 0) & chosen[offered.project])
    at = [curves.curve_of[i] for i in offered.cell[counted].tolist()]
    return np.bincount(
        np.array(at, dtype=np.int64), offered.sure[counted], len(curves.members)
    ).astype(np.float64)


def _even_groups(problem: Problem, k: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Group of every cell of an evenness goal by (year, place), −1 for none; the column's sums."""
    goal, column = problem.goals[k], problem.columns[k]
    frame = problem.cells.frame[problem.selected[k]]
    group = np.full(len(column), -1)
    totals: list[float] = []
    for _, cells in frame.groupby(["year", "place"], sort=False):
        members = cells.index.to_numpy(dtype=np.int64)
        share = column[members]
        total = float(share[0] if goal.per in problem.cells.place_columns else share.sum())
        if total > 0:
            group[members] = len(totals)
            totals.append(total)
    return group, np.array(totals)
