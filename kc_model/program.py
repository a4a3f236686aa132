r"""Cells, rows and goals as one PuLP definition.

.. math::

    \text{min}\ & s_1, s_2\ \text{(shortfall of directives, of preferences)},\ g_1, g_2, \dots \\
    \text{where}\ & L_r - m_r B_r \ (\ge, \le, =)\ 0 && \text{law rows } r \\
    & L_r - m_r B_r + v_r \ge 0,\ L_r - m_r B_r - v_r \le 0,\ v_r \ge 0 && \text{other rows} \\
    & \textstyle\sum_j y_{ij} \le x_i,\ 0 \le y_{ij} \le width_{ij} && \text{absorption} \\
    & \textstyle s_t = \sum_{r \in t} weight_r\, v_r \\
    & \textstyle x_i = \sum_p share_{pi}\, a_p,\ least_p z_p \le a_p \le most_p z_p,\ z_p \in
      \{0, 1\} && \text{cells that projects name}

x is money in million VND. Everything is minimised: a goal that maximises stands with its sign
turned. The stages are solved one after the other in `kc_model.allocate`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import pulp
from numpy.typing import NDArray

from kc_model import money
from kc_model.cells import (
    MILLION,
    Cells,
    Curves,
    build_cells,
    build_curves,
    newest_plan_year,
)
from kc_model.errors import Address, Fault, InputError, raise_faults
from kc_model.forecast import forecast
from kc_model.offered import Offered, offered_of
from kc_model.projects import build_offers
from kc_model.results import Forecast
from kc_model.risk import Capacities, Risk, capacities_of, drawn, risk_of
from kc_model.rules import (
    Row,
    Sums,
    bound_rows,
    budget_rows,
    column_of,
    renumber_rows,
    rule_rows,
)
from kc_model.scenario import Goal, Scenario
from kc_model.tables import Dataset, Note

__all__ = [
    "FROZEN",
    "PARTIAL",
    "Problem",
    "Stage",
    "build_problem",
    "build_program",
    "goal_value",
    "problem_of",
    "row_terms",
    "shared_wholes",
]

_SOFT = ("directive", "preference")

FROZEN = 1e-9
"""How far, relatively, a stage may be from its value and still be kept at it (contract, §3)."""

PARTIAL = 1e-9
"""How far, relatively, a plan may be above what the rows of a partial stage tell of it."""


@dataclass(frozen=True)
class Problem:
    """Everything an allocation must respect and wants, resolved over the cells.

    Parameters
    ----------
    data : Dataset
    scenario : Scenario
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

    def renumbered(self, scenario: Scenario) -> Problem | None:
        """Return the problem of a scenario that differs in numbers and words; None if in more.

        Raises
        ------
        InputError
            With every number that cannot be.
        """
        if scenario.shape != self.scenario.shape or self.offered is not None:
            return None
        faults: list[Fault] = []
        unit = self.data.unit
        rows = renumber_rows(self.rows, self.scenario, scenario, unit, faults)
        grid = _grid(scenario, unit, faults)
        raise_faults(faults)
        sums = self.sums.renumbered(rows)
        columns = {**self.columns, **_directions(scenario.goals)}
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
            curves = curves.after_sure(_sure(curves, self.offered, chosen))
        offered = replace(self.offered, chosen=chosen, sure=np.zeros(0))
        sums = Sums.of(rows, len(self.cells))
        return self._with(rows=rows, sums=sums, offered=offered, curves=curves)

    def _with(self, **changes: Any) -> Problem:
        """Return a copy that keeps what was worked out of cells and goals."""
        now = replace(self, **changes)
        kept = ["baseline", "weight", "groups", "blank_cells"]
        if len(now.rows) == len(self.rows) and all(
            row is old or row.words == old.words
            for row, old in zip(now.rows, self.rows, strict=True)
        ):
            kept.append("blank_rules")
        now.__dict__.update((name, getattr(self, name)) for name in kept)
        return now

    @property
    def goals(self) -> tuple[Goal, ...]:
        """The scenario's goals, in order."""
        return self.scenario.goals

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
        keys = ["place", "area", "activity", "source"]
        told = {}
        if self.outlook is not None:
            known_by = self.outlook.cells.set_index(keys)["basis"].str.removeprefix("basis.")
            told = known_by.to_dict()
        _, given = build_curves(self.cells, [self.data.absorption])
        known = np.zeros(len(self.cells), dtype=bool)
        known[np.concatenate([np.zeros(0, dtype=np.int64), *self.curves.members])] = True
        cells = self.cells.frame[keys].itertuples(index=False, name=None)
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


def build_problem(
    data: Dataset,
    scenario: Scenario,
    outlook: Forecast | None = None,
    as_of: int | None = None,
) -> Problem:
    """Bring dataset, scenario and forecast together.

    Parameters
    ----------
    data : Dataset
    scenario : Scenario
    outlook : Forecast or None
        Source of the absorption of cells that no ``absorption.csv`` knows; None: a forecast for
        the scenario's year is made when one is needed.
    as_of : int or None
        Last month known of a mid-year plan; None: a plan for the whole year.

    Raises
    ------
    InputError
        With every fault of the scenario against the data at once.
    """
    faults: list[Fault] = []
    if as_of is not None and not 0 <= as_of <= 12:
        faults.append(Fault("bad-as-of", Address(), {"found": as_of}))
    everything = build_cells(data, scenario.year, as_of, faults)
    spend = "at_most" if len(data.projects) else "all"
    budgets, covered = budget_rows(everything, scenario, data.unit, faults, spend)
    outside = [name for name, inside in zip(everything.names(), covered, strict=True) if not inside]
    if outside and covered.any():
        faults.append(_outside(outside, data))
    if not covered.any():  # what rules and goals say is judged all the same
        offered = _offered(data, scenario, everything, as_of, faults)
        _stated(data, scenario, everything, budgets, (Curves((), (), ()), {}, offered), faults)
    cells = everything.keep(covered)
    place = np.cumsum(covered) - 1
    budgets = tuple(replace(row, cells=place[row.cells]) for row in budgets)
    curves, outlook = _absorption(data, scenario, cells, outlook, as_of, faults)
    risks, outlook = _risks(data, scenario, cells, outlook, as_of, faults)
    offered = _offered(data, scenario, cells, as_of, faults)
    if offered is not None and as_of is not None:
        curves, offered = _with_stages(data, cells, curves, offered)
    problem = _stated(data, scenario, cells, budgets, (curves, risks, offered), faults)
    year = newest_plan_year(data, scenario.year, as_of) if data.cells.empty else None
    return replace(problem, outlook=outlook, baseline_year=year)


def problem_of(
    data: Dataset,
    scenario: Scenario,
    cells: Cells,
    curves: Curves,
    risks: dict[int, Risk],
    offered: Offered | None = None,
) -> Problem:
    """Return the problem of cells and curves that are known already.

    Parameters
    ----------
    data : Dataset
        Its tables are not read.
    scenario : Scenario
    cells : Cells
        Every one of them inside the plan.
    curves : Curves
    risks : mapping of int to Risk
        For goal number k that is a risk.
    offered : Offered or None
        Projects, decided.

    Raises
    ------
    InputError
        With every fault of the scenario against the cells.
    """
    faults: list[Fault] = []
    spend = "all" if offered is None else "at_most"
    budgets, _ = budget_rows(cells, scenario, data.unit, faults, spend)
    return _stated(data, scenario, cells, budgets, (curves, risks, offered), faults)


def _offered(
    data: Dataset, scenario: Scenario, cells: Cells, as_of: int | None, faults: list[Fault]
) -> Offered | None:
    if not len(data.projects):
        return None
    day = date(scenario.year, min((as_of or 0) + 1, 12), 1)
    try:
        offers = build_offers(data, day, is_mid_year=as_of is not None)
    except InputError as error:
        faults.extend(error.faults)
        return None
    grid = _grid(scenario, data.unit, [])
    offered, warnings = offered_of(data, offers, cells, scenario.year, grid)
    faults.extend([*offers.findings, *warnings])
    return offered


def _with_stages(
    data: Dataset, cells: Cells, curves: Curves, offered: Offered
) -> tuple[Curves, Offered]:
    """Return the curves of the forecast without what stages of projects make sure, and that.

    The sure money of the plan in force lies first on the curve of its cell and leaves it: what a
    choice keeps of it comes back in front, see `Problem.decided`. Slices of ``absorption.csv``
    stay as they were given.
    """
    _, given = build_curves(cells, [data.absorption])
    known = np.array([i in curves.curve_of and not given[i] for i in offered.cell.tolist()], bool)
    offered = replace(offered, sure=np.where(known, offered.sure, 0.0))
    return curves.without_first(_sure(curves, offered, offered.may)), offered


def _sure(curves: Curves, offered: Offered, chosen: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return what some projects make sure on every curve, million VND."""
    counted = np.flatnonzero((offered.sure > 0) & chosen[offered.project])
    at = [curves.curve_of[i] for i in offered.cell[counted].tolist()]
    return np.bincount(
        np.array(at, dtype=np.int64), offered.sure[counted], len(curves.members)
    ).astype(np.float64)


def _stated(
    data: Dataset,
    scenario: Scenario,
    cells: Cells,
    budgets: Sequence[Row],
    known: tuple[Curves, dict[int, Risk], Offered | None],
    faults: list[Fault],
) -> Problem:
    curves, risks, offered = known
    rows = [*budgets, *bound_rows(cells, data.unit)]
    for rule in scenario.rules:
        rows.extend(rule_rows(cells, rule, data.unit, faults, offered))
    goals = scenario.goals
    selected = {k: cells.select(goal.where, goal.at, faults) for k, goal in enumerate(goals)}
    columns = _goal_columns(cells, goals, selected, data.unit, faults)
    grid = _grid(scenario, data.unit, faults)
    warnings = raise_faults(faults)
    if offered is not None and offered.chosen is not None:
        rows = [row.decided(offered.chosen) for row in rows]
    sums = Sums.of(rows, len(cells))
    return Problem(
        *(data, scenario, None, cells, tuple(rows), sums, curves, columns, selected, risks, grid),
        findings=warnings,
        baseline_year=None,
        offered=offered,
    )


def _outside(names: list[str], data: Dataset) -> Fault:
    shown = ", ".join(names[:5]) + ("…" if len(names) > 5 else "")
    at = Address("cells.csv" if len(data.cells) else "history.csv")
    return Fault("outside-plan", at, {"count": len(names), "cells": shown}, level="warning")


def _grid(scenario: Scenario, unit: str, faults: list[Fault]) -> int:
    if scenario.round_to is None:
        return 1
    vnd = scenario.round_to * money.UNITS[unit]
    if vnd != int(vnd):
        at = replace(scenario.at, column="round_to")
        faults.append(Fault("part-of-dong", at, {"found": scenario.round_to}))
    return max(1, int(vnd))


def _goal_columns(
    cells: Cells,
    goals: Iterable[Goal],
    selected: dict[int, NDArray[np.bool_]],
    unit: str,
    faults: list[Fault],
) -> dict[int, NDArray[np.float64]]:
    columns = _directions(goals)
    for k, goal in enumerate(goals):
        if not selected[k].any():
            faults.append(Fault("empty-goal", goal.at, {"goal": goal.name}))
        if goal.what == "outputs":
            cost = cells.frame["unit_cost"].astype("float64").to_numpy(na_value=np.nan)
            columns[k] = np.nan_to_num(np.where(cost > 0, MILLION / cost, 0.0))
        elif goal.what.startswith("column:"):
            name = goal.what.removeprefix("column:")
            columns[k] = np.nan_to_num(column_of(cells, name, selected[k], unit, goal.at, faults))
        elif goal.what == "evenness":
            none = np.zeros(len(cells), dtype=bool)
            columns[k] = np.nan_to_num(column_of(cells, goal.per, none, unit, goal.at, faults))
            faults.extend(_left_out(cells, goal, selected[k], columns[k]))
    return columns


def _directions(goals: Iterable[Goal]) -> dict[int, NDArray[np.float64]]:
    return {k: np.array(goal.toward) for k, goal in enumerate(goals) if goal.what == "direction"}


def _left_out(
    cells: Cells, goal: Goal, selected: NDArray[np.bool_], column: NDArray[np.float64]
) -> list[Fault]:
    by_place = pd.Series(column[selected]).groupby(cells.frame["place"][selected].to_numpy()).sum()
    names = sorted(by_place.index[by_place <= 0])
    if not names:
        return []
    values = {"per": goal.per, "places": ", ".join(names)}
    return [Fault("left-out-of-evenness", goal.at, values, level="warning")]


def _absorption(
    data: Dataset,
    scenario: Scenario,
    cells: Cells,
    outlook: Forecast | None,
    as_of: int | None,
    faults: list[Fault],
) -> tuple[Curves, Forecast | None]:
    """Curves of the cells: from ``absorption.csv``, for the rest from the forecast.

    A forecast that was given may not know every cell (a new one, say): one is made for the others.
    """
    tables = [data.absorption]
    curves, has = build_curves(cells, tables)
    wanted = any(goal.what == "disbursed" for goal in scenario.goals)
    if has.all():
        return curves, None
    if outlook is not None:
        tables.append(outlook.slices)
        curves, has = build_curves(cells, tables)
    if not has.all() and not data.history.empty:
        rest = cells.frame.loc[~has & (cells.frame["year"] == scenario.year).to_numpy()]
        rest = rest if len(rest) else cells.frame.loc[~has]
        own = _own_forecast(data, scenario, rest, as_of, faults if wanted else [])
        if own is None:
            return curves, outlook
        outlook = outlook or own
        curves, has = build_curves(cells, [*tables, own.slices])
    if not has.all() and wanted:
        missing = [name for name, known in zip(cells.names(), has, strict=True) if not known]
        values = {"count": len(missing), "cells": ", ".join(missing[:5])}
        faults.append(Fault("no-absorption", Address("absorption.csv"), values))
    return curves, outlook


def _own_forecast(
    data: Dataset, scenario: Scenario, cells: pd.DataFrame, as_of: int | None, faults: list[Fault]
) -> Forecast | None:
    exposures = cells[["place", "area", "activity", "source", "baseline"]].drop_duplicates()
    try:
        return forecast(data, year=scenario.year, as_of=as_of or 0, cells=exposures)
    except InputError as error:
        faults.extend(error.faults)
        return None


def _risks(
    data: Dataset,
    scenario: Scenario,
    cells: Cells,
    outlook: Forecast | None,
    as_of: int | None,
    faults: list[Fault],
) -> tuple[dict[int, Risk], Forecast | None]:
    """Risks of the goals that ask for one: from ``draws.csv``, or else all from one forecast.

    Draws of two forecasts are not joint: where the one given does not know every cell, one is made
    that does.
    """
    wanted = [k for k, goal in enumerate(scenario.goals) if goal.what == "risk"]
    missing = cells.names()
    for capacities, source in _capacities(data, scenario, cells, outlook, as_of) if wanted else ():
        found = {}
        for k in wanted:
            goal = scenario.goals[k]
            selected = cells.select(goal.where, goal.at, [])
            found[k] = risk_of(cells, selected, capacities, float(goal.level))
        missing = [name for _, names in found.values() for name in names]
        if not missing:
            return {k: risk for k, (risk, _) in found.items()}, source
    if wanted:
        values = {"count": len(missing), "cells": ", ".join(missing[:5])}
        faults.append(Fault("no-draws", Address("draws.csv"), values))
    return {}, outlook


def _capacities(
    data: Dataset, scenario: Scenario, cells: Cells, outlook: Forecast | None, as_of: int | None
) -> Iterator[tuple[Capacities, Forecast | None]]:
    """Yield where capacities may come from, the first that knows every cell counts."""
    if len(data.draws):
        yield drawn(data.draws), outlook
        return
    if outlook is not None:
        yield capacities_of(outlook.cells, outlook.capacity), outlook
    if not data.history.empty:
        whole = cells.frame[cells.frame["year"] == scenario.year]
        own = _own_forecast(data, scenario, whole if len(whole) else cells.frame, as_of, [])
        if own is not None:
            yield capacities_of(own.cells, own.capacity), own


# ---------------------------------------------------------------------------- the definition


@dataclass(frozen=True)
class Stage:
    """One objective in the order of importance.

    Parameters
    ----------
    name : str
        A tier, or the name of a goal.
    column : str
        Name of the variable that is minimised.
    sign : float
        −1 where the goal maximises.
    scale : float
        The stage's value is sign · scale · column, in million VND (or the goal's own unit):
        columns are kept near 1 per million VND, so that one tolerance fits them all.
    give : float
        Share of its best that later goals may cost.
    goal : int or None
        Number of the goal; None for a tier.
    limit : float or None
        Value that later goals may worsen the stage to, in place of `give`.
    is_partial : bool
        Whether rows are added to it while it is solved, as a plan that is found asks for them:
        a risk has too many draws to be written down whole.
    """

    name: str
    column: str
    sign: float = 1.0
    scale: float = 1.0
    give: float = 0.0
    goal: int | None = None
    limit: float | None = None
    is_partial: bool = False

    def worst(self, best: float) -> float:
        """Return the worst value of the column that later goals may leave, given its best one."""
        if self.limit is not None:
            return max(best, self.sign * self.limit / self.scale)
        return best + self.give * abs(best)

    def highest(self, best: float) -> float:
        """Return the largest value of the column that still counts as kept.

        A stage that nothing may worsen is kept exactly, by what its multipliers shut; one that is
        kept by a bound on its column has the contract's 1e-9 more.
        """
        worst = self.worst(best)
        return worst + FROZEN * max(1.0, abs(worst)) if self.is_open else best

    @property
    def is_open(self) -> bool:
        """Whether later goals may cost anything of this one."""
        return self.give > 0 or self.limit is not None

    def renumbered(self, problem: Problem) -> Stage:
        """Return the stage with the numbers that the scenario of a problem has now."""
        if self.goal is None:
            most = problem.scenario.missed_up_to.get(self.name)
            return replace(self, limit=None if most is None else float(most))
        goal = problem.goals[self.goal]
        unit = 1.0 if goal.what == "outputs" else problem.million
        limit = None if goal.down_to is None else float(goal.down_to) / unit
        return replace(self, give=float(goal.give), limit=limit)


def build_program(problem: Problem) -> tuple[pulp.LpProblem, tuple[Stage, ...]]:
    """Return the program and its stages in order.

    Columns: ``x_i`` money of cell i; ``b_r`` the whole B of row r and of the rows that share it;
    ``y_c_i_j`` money of cell i in slice j of curve c; ``v_r`` shortfall of row r; ``u_k_i``
    distance from the baseline; ``risk_k`` a risk; ``s_t`` tiers; ``g_k`` goals; ``z_p`` whether
    project p is chosen (none once that is decided), ``a_p`` its money where it may vary.
    """
    program = pulp.LpProblem("kc_model", pulp.LpMinimize)
    x = [program.add_variable(f"x_{i}", lowBound=0) for i in range(len(problem.cells))]
    z = {} if problem.offered is None else _add_projects(program, problem, problem.offered, x)
    stages = _add_rows(program, problem, x, z)
    for k, goal in enumerate(problem.goals):
        terms = _GOALS[goal.what.split(":")[0]](program, problem, k, x)
        sign = -1.0 if goal.sense == "maximise" else 1.0
        scale = max((abs(c) for _, c in terms), default=1.0) or 1.0
        value = program.add_variable(f"g_{k}")
        parts = [*((v, sign * c / scale) for v, c in terms), (value, -1.0)]
        program.addConstraint(pulp.LpAffineExpression(parts) == 0, f"goal_{k}")
        stage = Stage(goal.name, value.name, sign, scale, goal=k, is_partial=k in problem.risks)
        stages.append(stage.renumbered(problem))
    return program, tuple(stages)


_Terms = list[tuple[pulp.LpVariable, float]]


def row_terms(row: Row, r: int, whole: int | None) -> dict[str, float]:
    """Return the coefficients of row number r by column: what `build_program` writes of it.

    Parameters
    ----------
    row : Row
    r : int
    whole : int or None
        Number of the row whose ``b_r`` is this row's B; None: B stands in the row itself.
    """
    cells, coef = row.coefficients() if whole is None else (row.cells, row.coef)
    terms = {f"x_{i}": c for i, c in zip(cells.tolist(), coef.tolist(), strict=True)}
    for p in row.projects.tolist():
        terms[f"z_{p}"] = 1.0
    for p in row.base_projects.tolist():
        terms[f"z_{p}"] = terms.get(f"z_{p}", 0.0) - row.factor
    if whole is not None:
        terms[f"b_{whole}"] = -row.factor
    if not row.is_law:
        terms[f"v_{r}"] = 1.0 if row.side == "min" else -1.0
    return terms


def shared_wholes(rows: Sequence[Row]) -> list[int | None]:
    """For every row the first one with the same B; None where B is at most one cell's money."""
    first: dict[tuple[bytes, bytes], int] = {}
    return [
        first.setdefault((row.base.tobytes(), row.base_coef.tobytes()), r)
        if len(row.base) > 1
        else None
        for r, row in enumerate(rows)
    ]


def _add_projects(
    program: pulp.LpProblem, problem: Problem, offered: Offered, x: list[pulp.LpVariable]
) -> dict[str, pulp.LpVariable]:
    """Money of the cells that projects name, and the links between projects."""
    least, most = offered.least / MILLION, offered.most / MILLION
    z: dict[int, pulp.LpVariable] = {}
    amount: dict[int, tuple[pulp.LpVariable | None, float]] = {}  # column and factor, or constant
    for p in np.flatnonzero(offered.may if offered.chosen is None else offered.chosen).tolist():
        is_whole = bool(offered.is_whole[p])
        if offered.chosen is None:
            must = int(offered.must[p])
            z[p] = program.add_variable(f"z_{p}", lowBound=must, upBound=1, cat=pulp.LpInteger)
        if is_whole:
            amount[p] = (z.get(p), float(most[p]))
            continue
        low = float(least[p]) if offered.chosen is not None else 0.0
        a = program.add_variable(f"a_{p}", lowBound=low, upBound=float(most[p]))
        amount[p] = (a, 1.0)
        if offered.chosen is None:
            program.addConstraint(a - float(most[p]) * z[p] <= 0, f"most_{p}")
            program.addConstraint(a - float(least[p]) * z[p] >= 0, f"least_{p}")
    _add_parts(program, offered, amount, x)
    for n, (one, other) in enumerate(offered.requires.tolist() if z else ()):
        program.addConstraint(z[one] - z[other] <= 0, f"requires_{n}")
    for n, (one, other) in enumerate(offered.excludes.tolist() if z else ()):
        program.addConstraint(z[one] + z[other] <= 1, f"excludes_{n}")
    for before, after in _twins(problem, offered) if z else ():
        program.addConstraint(z[before] - z[after] >= 0, f"twins_{before}_{after}")
    return {variable.name: variable for variable in z.values()}


def _add_parts(
    program: pulp.LpProblem,
    offered: Offered,
    amount: dict[int, tuple[pulp.LpVariable | None, float]],
    x: list[pulp.LpVariable],
) -> None:
    """Money of a cell = Σ share · amount of the projects that pay into it."""
    terms: dict[int, _Terms] = {i: [] for i in offered.named.tolist()}
    fixed = dict.fromkeys(terms, 0.0)
    for p, i, share in zip(
        offered.project.tolist(), offered.cell.tolist(), offered.share, strict=True
    ):
        column, factor = amount.get(p, (None, 0.0))
        if column is None:
            fixed[i] += float(share) * factor
        else:
            terms[i].append((column, -float(share) * factor))
    for i, parts in terms.items():
        left = pulp.LpAffineExpression([(x[i], 1.0), *parts])
        program.addConstraint(left == fixed[i], f"paid_{i}")


def _twins(problem: Problem, offered: Offered) -> Iterator[tuple[int, int]]:
    """Yield pairs of projects that no row or goal tells apart, the one that goes first first.

    The order between them decides, and the solver need not try both.
    """
    told: dict[int, list[int]] = {}
    for r, row in enumerate(problem.rows):
        for p in (*row.projects.tolist(), *(-1 - row.base_projects).tolist()):
            told.setdefault(p if p >= 0 else -1 - p, []).append(r if p >= 0 else -1 - r)
    linked = {*offered.requires.ravel().tolist(), *offered.excludes.ravel().tolist()}
    parts: dict[int, list[tuple[int, object]]] = {}
    sure = offered.sure if len(offered.sure) else np.zeros(len(offered.cell))
    for p, i, share, own in zip(
        *(offered.project.tolist(), offered.cell.tolist(), offered.share, sure), strict=True
    ):
        parts.setdefault(p, []).append((i, (share, float(own))))
    alike: dict[object, int] = {}
    for p in np.argsort(offered.rank, kind="stable").tolist():
        if not offered.may[p] or offered.must[p] or p in linked:
            continue
        key = (tuple(parts[p]), offered.least[p], offered.most[p], tuple(told.get(p, ())))
        if key in alike:
            yield alike[key], p
        alike[key] = p


def _add_rows(
    program: pulp.LpProblem,
    problem: Problem,
    x: list[pulp.LpVariable],
    z: dict[str, pulp.LpVariable],
) -> list[Stage]:
    """Law rows as they are; the others with a shortfall that its tier adds up."""
    missed: dict[str, _Terms] = {}
    columns = {**{variable.name: variable for variable in x}, **z}
    for r, (row, whole) in enumerate(zip(problem.rows, shared_wholes(problem.rows), strict=True)):
        if whole == r:
            b = columns[f"b_{r}"] = program.add_variable(f"b_{r}")
            parts = [(x[i], c) for i, c in zip(row.base, row.base_coef.tolist(), strict=True)]
            program.addConstraint(pulp.LpAffineExpression([*parts, (b, -1.0)]) == 0, f"whole_{r}")
        if not row.is_law:
            v = columns[f"v_{r}"] = program.add_variable(f"v_{r}", lowBound=0)
            missed.setdefault(row.tier, []).append((v, row.weight))
        terms = row_terms(row, r, whole).items()
        left = pulp.LpAffineExpression([(columns[name], c) for name, c in terms])
        right = row.right
        sense = {"min": left >= right, "max": left <= right, "equal": left == right}[row.side]
        program.addConstraint(sense, f"row_{r}")
    stages = []
    for tier in _SOFT:
        if tier in missed:
            total = program.add_variable(f"s_{tier}", lowBound=0)
            program.addConstraint(
                pulp.LpAffineExpression([*missed[tier], (total, -1.0)]) == 0, f"tier_{tier}"
            )
            stages.append(Stage(tier, total.name).renumbered(problem))
    return stages


def _money(_: pulp.LpProblem, problem: Problem, k: int, x: list[pulp.LpVariable]) -> _Terms:
    return [(x[i], 1.0) for i in np.flatnonzero(problem.selected[k])]


def _column(_: pulp.LpProblem, problem: Problem, k: int, x: list[pulp.LpVariable]) -> _Terms:
    chosen, column = problem.selected[k], problem.columns[k]
    return [(x[i], float(column[i])) for i in np.flatnonzero(chosen & (column != 0))]


def _direction(_: pulp.LpProblem, problem: Problem, k: int, x: list[pulp.LpVariable]) -> _Terms:
    return list(zip(x, problem.columns[k].tolist(), strict=True))  # zeros too: they may move


def _disbursed(
    program: pulp.LpProblem, problem: Problem, k: int, x: list[pulp.LpVariable]
) -> _Terms:
    """Σ weight_i Σ_j rate_ij y_ij; a curve that several cells share is filled by them together."""
    chosen = problem.selected[k]
    weight = problem.weight
    terms: _Terms = []
    curves = problem.curves
    stages = _stages(program, problem)
    for c, (cells, widths, rates) in enumerate(
        zip(curves.members, curves.widths, curves.rates, strict=True)
    ):
        used = [j for j in range(len(widths)) if widths[j] > 0 and rates[j] > 0]
        counted = [int(i) for i in cells if chosen[i]]
        filled: dict[int, _Terms] = {j: [] for j in used}
        sure: _Terms = []
        for i in counted:
            parts: _Terms = []
            if c in stages:
                y = program.add_variable(f"y{k}_{c}_{i}_sure", lowBound=0)
                parts.append((y, 1.0))
                sure.append((y, 1.0))
                terms.append((y, float(weight[i])))
            for j in used:
                y = program.add_variable(f"y{k}_{c}_{i}_{j}", lowBound=0, upBound=float(widths[j]))
                parts.append((y, 1.0))
                filled[j].append((y, 1.0))
                terms.append((y, float(weight[i] * rates[j])))
            if parts:
                program.addConstraint(
                    pulp.LpAffineExpression([*parts, (x[i], -1.0)]) <= 0, f"spent{k}_{i}"
                )
        if sure:
            left = pulp.LpAffineExpression([*sure, *((z, -own) for z, own in stages[c])])
            program.addConstraint(left <= 0, f"sure{k}_{c}")
        if len(counted) > 1:
            for j in used:
                program.addConstraint(
                    pulp.LpAffineExpression(filled[j]) <= float(widths[j]), f"shared{k}_{c}_{j}"
                )
    return terms


def _stages(program: pulp.LpProblem, problem: Problem) -> dict[int, _Terms]:
    """Return for every curve the projects, not decided yet, whose stage makes money sure on it."""
    offered, found = problem.offered, dict[int, _Terms]()
    if offered is None or not offered.sure.any():
        return found
    columns = program.variablesDict()
    for p, i, own in zip(
        *(offered.project.tolist(), offered.cell.tolist(), offered.sure.tolist()), strict=True
    ):
        if own:
            found.setdefault(problem.curves.curve_of[i], []).append((columns[f"z_{p}"], own))
    return found


def _change(program: pulp.LpProblem, problem: Problem, k: int, x: list[pulp.LpVariable]) -> _Terms:
    """Σ |x_i − baseline_i|."""
    terms: _Terms = []
    for i in np.flatnonzero(problem.selected[k]):
        base = float(problem.baseline[i])
        u = program.add_variable(f"u{k}_{i}", lowBound=0)
        program.addConstraint(
            pulp.LpAffineExpression([(u, 1.0), (x[i], -1.0)]) >= -base, f"up{k}_{i}"
        )
        program.addConstraint(
            pulp.LpAffineExpression([(u, 1.0), (x[i], 1.0)]) >= base, f"down{k}_{i}"
        )
        terms.append((u, 1.0))
    return terms


def _evenness(
    program: pulp.LpProblem, problem: Problem, k: int, x: list[pulp.LpVariable]
) -> _Terms:
    """Take the smallest Σ x / Σ column over year and place."""
    group, totals = problem.groups[k]
    size = float(totals.mean()) if len(totals) else 1.0
    least = program.add_variable(f"z{k}", lowBound=0)  # money of a place of mean size
    for n, total in enumerate(totals.tolist()):
        terms = [(x[i], 1.0) for i in np.flatnonzero(group == n)]
        program.addConstraint(
            pulp.LpAffineExpression([*terms, (least, -total / size)]) >= 0, f"even{k}_{n}"
        )
    return [(least, 1 / size)]


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


def _risk(program: pulp.LpProblem, _: Problem, k: int, __: list[pulp.LpVariable]) -> _Terms:
    """Take a risk that the rows to come push up: see `kc_model.risk.Risk.row`."""
    return [(program.add_variable(f"risk{k}", lowBound=0), 1.0)]


_GOALS = {
    "money": _money,
    "disbursed": _disbursed,
    "evenness": _evenness,
    "outputs": _column,
    "column": _column,
    "direction": _direction,
    "change": _change,
    "risk": _risk,
}


def goal_value(problem: Problem, k: int, x: NDArray[np.float64]) -> float:
    """Return what a plan achieves of goal k, recomputed from the data alone.

    Parameters
    ----------
    problem : Problem
    k : int
        Number of the goal.
    x : array (n_cells,), million VND

    Returns
    -------
    float
        In million VND, or in the goal's own unit.
    """
    what, chosen = problem.goals[k].what, problem.selected[k]
    if what == "money":
        return float(x[chosen].sum())
    if what == "change":
        return float(np.abs(x - problem.baseline)[chosen].sum())
    if what == "disbursed":
        return problem.curves.best(x, np.where(chosen, problem.weight, np.nan))
    if what == "risk":
        return problem.risks[k].value(x)
    if what == "evenness":
        group, totals = problem.groups[k]
        spent = np.bincount(group[group >= 0], x[group >= 0], len(totals))
        return float(np.min(spent / totals)) if len(totals) else 0.0
    return float(problem.columns[k][chosen] @ x[chosen])
