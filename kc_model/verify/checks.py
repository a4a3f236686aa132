"""Everything that must hold of a saved plan, checked one by one and told in both languages."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from kc_model.arrays import compile_program
from kc_model.cells import MILLION
from kc_model.money import UNITS, format_money, format_number, to_unit
from kc_model.nearest import nearer_step
from kc_model.offered import Offered
from kc_model.program import Stage, build_program
from kc_model.standing import goal_unit, rule_table, settling_weight, stage_value, wrong_projects
from kc_model.stays import stays_within
from kc_model.tables import CELL_KEYS
from kc_model.verify.bounds import Bounds, with_faces
from kc_model.verify.files import (
    Exported,
    Table,
    read_amounts,
    read_exported,
    read_number,
    read_parts,
)
from kc_model.verify.proof import Proof
from kc_model.wording import Language, both, say

__all__ = ["Check", "Verification", "verify"]

_CLOSE = 1e-6  # of the value: what counts as proven, as in the certificate
_EQUAL = 1e-9  # of the value: what counts as the same number, computed twice
_FURTHEST = 21  # steps that rounding may move a cell by
_HALF = 0.501  # đồng: these are whole, and floats of a coarser unit in the file
_SHOWN = 3
_CHOICES = ("choice", "choice_lines")
_WHOLE = 1e-3  # gap to which a choice of whole projects counts as the best

Array = NDArray[np.float64]
Shown = Callable[[Language], object]


@dataclass(frozen=True)
class Check:
    """One thing that must hold, and whether it does.

    Parameters
    ----------
    name : str
        plan, belongs, cells, laws, rules, totals, goals, settled, rounding, projects, kept, best
        (once for every tier and goal; best_sizes where projects were chosen, best_lines where
        lines that move were), choice, choice_lines, settlement.
    texts : mapping
        Language -> the sentence.
    """

    name: str
    passed: bool
    texts: Mapping[Language, str]


@dataclass(frozen=True)
class Verification:
    """What verifying a saved plan gave.

    Parameters
    ----------
    checks : tuple of Check
    """

    checks: tuple[Check, ...]

    @property
    def proven(self) -> bool:
        """Whether everything holds."""
        return all(check.passed for check in self.checks)

    def sentences(self, language: Language = "vi") -> list[str]:
        """Return every check as a sentence, then what was proven and what nobody looked at."""
        told = [f"{'✓' if check.passed else '✗'} {check.texts[language]}" for check in self.checks]
        open_ = sum(not check.passed for check in self.checks)
        names = {check.name for check in self.checks}
        key = next((f"all_but_{one}" for one in _CHOICES if one in names), "all")
        held = say(f"verify.{key}", language)
        last = say("verify.open", language, count=open_) if open_ else held
        return [*told, last, say("verify.beyond", language)]


def verify(folder: str | Path) -> Verification:
    """Prove a saved plan from its files alone, without any solver.

    Rows, sums and curves are built again from ``proof.json``; every amount, rule and goal is
    recomputed; that no plan is better follows from the stored multipliers by weak duality, whatever
    they are (see `kc_model.verify.bounds`). What the plan was made from is taken from the proof:
    that it is the dataset's is shown by its hash only.

    Parameters
    ----------
    folder : path
        What `kc_model.results.Allocation.save` wrote.

    Raises
    ------
    InputError
        With every file that is missing or unreadable.
    """
    found = read_exported(Path(folder))
    if found.proof is None or found.cells is None or found.rules is None:
        return Verification((_check("plan", passed=False, status=found.result["status"]),))
    return Verification(tuple(_Judge(found, found.proof, found.cells, found.rules).checks()))


def _check(name: str, /, *, passed: bool, **values: object) -> Check:
    """Return a check with its sentences; values that depend on the language are callables."""
    return Check(name, passed, both(f"verify.{name}.{'passed' if passed else 'failed'}", **values))


class _Judge:
    """Checks one plan."""

    def __init__(self, found: Exported, proof: Proof, cells: Table, rules: Table) -> None:
        self.result, self.proof = found.result, proof
        self.cells, self.rules, self.projects = cells, rules, found.projects
        self.problem = proof.problem
        self.scale = UNITS[self.problem.unit]
        program, self.stages = build_program(self.problem)
        self.bounds = Bounds(with_faces(compile_program(program), proof))
        self.amounts = read_amounts(cells, self.scale, len(self.problem.cells))

    def checks(self) -> Iterator[Check]:
        """Yield every check; where the amounts cannot be read none that needs them."""
        yield self._belongs()
        yield self._cells()
        if len(self.amounts) == len(self.problem.cells):
            yield self._laws()
            yield self._rules()
            yield self._totals()
            yield self._goals()
            yield self._rounding()
            if self.problem.offered is not None:
                yield self._projects(self.problem.offered)
            if self.problem.kept is not None:
                yield self._kept(self.problem.kept)
        yield self._settled()
        yield from self._best()
        if self.problem.offered is not None:
            yield self._choice("choice")
        if self.problem.kept is not None:
            yield self._choice("choice_lines")
        yield self._settlement()

    # ------------------------------------------------------------------ the files

    def _belongs(self) -> Check:
        """Whether the proof is of this plan: its scenario, dataset and everything it names."""
        scenario, said = self.problem.scenario, self.result
        pairs = {
            "scenario": (scenario.hash, said["provenance"].get("scenario")),
            "name": (scenario.name, said["scenario"]),
            "year": (scenario.year, said["year"]),
            "dataset": (self.proof.provenance.get("dataset"), said["provenance"].get("dataset")),
            "provenance": (self.proof.provenance, said["provenance"]),
            "unit": (self.problem.unit, said["unit"]),
            "vintage": (self.problem.cells.vintage, said["vintage"]),
            "as_of": (self.proof.as_of, said.get("as_of")),
        }
        differ = [key for key, (one, other) in pairs.items() if one != other]
        return _check(
            "belongs",
            passed=not differ,
            name=scenario.name,
            hash=scenario.hash[:12],
            dataset=str(said["provenance"].get("dataset"))[:12],
            fields=", ".join(differ),
        )

    def _cells(self) -> Check:
        """Whether ``allocation.csv`` is of the proof's cells, on the grid or exact."""
        names, frame = self.problem.cells.names(), self.problem.cells.frame
        wrong = [] if len(self.amounts) == len(names) else ["amount"]
        if not wrong:
            known = self.problem.curves.expected(self.amounts / MILLION) * MILLION
            lowest, highest = self._money("lowest"), self._money("highest")
            beside = self.amounts - self.problem.off_grid
            off = (beside % self.problem.grid != 0) | (self.amounts < 0)
            off |= np.array([not self._same_keys(i) for i in range(len(names))])
            off |= ~_same(self._money("baseline"), frame["baseline"].to_numpy(np.float64))
            expected = self._money("expected_disbursed")
            off |= ~_same(expected, known) & ~(np.abs(expected - known) <= _HALF)
            off |= (lowest - self.amounts > _HALF) | (self.amounts - highest > _HALF)
            wrong = [names[i] for i in np.flatnonzero(off)]
        return _check(
            "cells",
            passed=not wrong,
            count=len(wrong) or len(names),
            grid=self._vnd(self.problem.grid),
            cells=_shown(wrong),
        )

    def _same_keys(self, i: int) -> bool:
        said, cell = self.cells.rows[i], self.problem.cells.frame.iloc[i]
        missing = {"year": str(self.problem.scenario.year), "activity": ""}
        return all(said.get(key, missing.get(key)) == str(cell[key]) for key in CELL_KEYS)

    def _money(self, column: str) -> Array:
        """Return a column of ``allocation.csv`` in VND; NaN where it is blank or no number."""
        return np.array([read_number(row.get(column)) * self.scale for row in self.cells.rows])

    def _rules(self) -> Check:
        """Whether ``rules.csv`` says, row by row, what the plan gives."""
        wanted = rule_table(self.problem, self.amounts, self.proof.settled)
        wrong = [str(name) for name, good in _compared(self.rules, wanted) if not good]
        passed = not wrong and len(wanted) == len(self.rules.rows)
        return _check("rules", passed=passed, count=len(wanted), rules=_shown(wrong))

    # ------------------------------------------------------------------ the rounded plan

    def _laws(self) -> Check:
        """Whether budgets, bounds and laws hold: money to the đồng, the rest within one step."""
        problem = self.problem
        sums, law = problem.sums, problem.sums.law
        over = sums.missed(self.amounts)
        size = np.maximum(1.0, np.abs(sums.bound(self.amounts / MILLION)))
        room = sums.tolerances(problem.grid)
        exact = np.isin(np.arange(len(law)), sums.exact)
        room = np.where(exact, room, room + _EQUAL * size)
        broken = [problem.rows[r].id for r in np.flatnonzero(law & (over > room))]
        return _check(
            "laws",
            passed=not broken,
            count=int(law.sum()),
            exact=int((law & exact).sum()),
            rules=_shown(broken),
        )

    def _totals(self) -> Check:
        """Whether total and reserve are what the result says."""
        total = int(self.amounts.sum())
        said = self.result["certificate"].get("total_vnd")
        unused = {
            row.id: int(row.exact or 0) - int(self.amounts[row.cells].sum())
            for row in self.problem.rows
            if row.id.startswith("budget:") and row.side == "max"
        }
        unit = self.problem.unit
        reserve = [{"budget": row, "amount": to_unit(vnd, unit)} for row, vnd in unused.items()]
        return _check(
            "totals",
            passed=total == said and reserve == self.result["reserve"],
            total=self._vnd(total),
            said=self._vnd(said) if isinstance(said, int) else str(said),
        )

    def _projects(self, offered: Offered) -> Check:
        """Whether ``projects.csv`` is of the proof: links, bounds, and what its cells add up to."""
        table = self.projects
        given = np.zeros(0, dtype=np.int64)
        if table is not None:
            given = read_amounts(table, self.scale, len(offered))
        wrong = [] if len(given) == len(offered) else ["projects.csv"]
        if table is not None and not wrong:
            places = self.problem.cells.frame["place"].to_numpy()[offered.cell].tolist()
            named = list(zip(offered.project.tolist(), places, strict=True))
            parts = read_parts(table, self.scale, given, named)
            wrong = list(wrong_projects(self.problem, self.amounts, given, parts))
            for one, row in zip(offered.ids, table.rows, strict=True):
                if row.get("id") != one:
                    wrong.append(one)
        return _check(
            "projects",
            passed=not wrong,
            count=int((given > 0).sum()),
            total=len(offered),
            money=self._vnd(int(given.sum())),
            projects=_shown(wrong),
        )

    def _kept(self, kept: NDArray[np.bool_]) -> Check:
        """Whether the lines that are said to stay do: less than a step from what they had."""
        before = self.problem.cells.frame["baseline"].to_numpy(np.int64)
        low, high = stays_within(before, self.problem.grid)
        wrong = np.flatnonzero(kept & ((self.amounts < low) | (self.amounts > high)))
        cells = _shown([self.problem.cells.names()[i] for i in wrong])
        count = int(kept.sum())
        return _check("kept", passed=not len(wrong), count=count, total=len(kept), cells=cells)

    def _goals(self) -> Check:
        """Whether tiers and goals achieve what the result says."""
        x, wrong = self.amounts / MILLION, []
        for stage, said in self._said():
            key = "achieved" if stage.goal is not None else "shortfall"
            value = stage_value(self.problem, stage, x) * self._unit(stage)
            if said.get("name") != stage.name or not _same(read_number(said.get(key)), value):
                wrong.append(stage)
        all_said = len(self.result["tiers"]) + len(self.result["goals"]) == len(self.stages)
        passed = not wrong and all_said
        return _check("goals", passed=passed, count=len(self.stages), goals=self._labels(wrong))

    def _rounding(self) -> Check:
        """How far the rounded plan is from the proven one, and whether a step brings it nearer."""
        problem, settled = self.problem, self.proof.settled
        steps = np.abs(self.amounts - settled * MILLION) / problem.grid
        most = float(np.max(steps, initial=0.0))
        wrong = set(np.flatnonzero(steps > _FURTHEST + _CLOSE).tolist())
        free = np.ones(len(settled), dtype=bool) if problem.kept is None else ~problem.kept
        if problem.offered is not None:
            free[problem.offered.named] = False
        nearer = nearer_step(problem.rows, problem.sums, problem.grid, settled, self.amounts, free)
        wrong |= set(nearer or ()) - {-1}
        return _check(
            "rounding",
            passed=not wrong,
            steps=lambda language: format_number(Decimal(f"{most:.2f}"), None, language),
            grid=self._vnd(problem.grid),
            cells=_shown([problem.cells.names()[i] for i in sorted(wrong)]),
        )

    # ------------------------------------------------------------------ the proof

    def _settled(self) -> Check:
        """Whether the plan before rounding keeps the laws and is as good as every best."""
        problem, plan = self.problem, self.proof.settled
        law = np.array([row.is_law for row in problem.rows], dtype=bool)
        size = np.maximum(problem.size, np.abs(problem.sums.bound(plan)))
        broken = law & (problem.sums.shortfall(plan) > _CLOSE * size)
        wrong = [problem.rows[r].id for r in np.flatnonzero(broken)]
        below = np.min(plan, initial=0.0) < -_CLOSE * problem.size
        missed = [
            stage
            for stage, best in zip(self.stages, self._bests, strict=True)
            if not self._attains(stage, best)
        ]
        return _check(
            "settled",
            passed=not (wrong or missed or below),
            rules=_shown(wrong),
            goals=self._labels(missed),
        )

    def _attains(self, stage: Stage, best: float) -> bool:
        value = self._settled_at(stage)
        step = self.problem.grid / MILLION
        return value - stage.worst(best) <= _CLOSE * max(abs(best), step) + _CLOSE

    def _settled_at(self, stage: Stage) -> float:
        """Return what the plan before rounding achieves, in the minimised form of its column."""
        return stage.sign * stage_value(self.problem, stage, self.proof.settled) / stage.scale

    def _best(self) -> Iterator[Check]:
        """Whether no plan that is as good in the stages before can be better than each best."""
        for s, (stage, best) in enumerate(zip(self.stages, self._bests, strict=True)):
            cost = np.zeros(len(self.bounds.model.columns))
            cost[self.bounds.place[stage.column]] = 1.0
            multipliers = self.proof.stages[s] if s < len(self.proof.stages) else {}
            least = self.bounds.prove(cost, multipliers)
            gap = (best - least) / max(self.problem.size, abs(best))
            settled = self._settled_at(stage)  # the result says its best to fewer digits
            highest = max(stage.worst(best), settled) if stage.is_open else settled
            self.bounds.keep(stage.column, highest, least)
            yield _check(
                self._of_choice("best"),
                passed=gap <= self._near(s),
                goal=lambda language, stage=stage: self._label(stage, language),
                best=self._value(stage, best),
                least=self._value(stage, least),
                gap=f"{gap:.1e}",
            )

    def _near(self, s: int) -> float:
        """Return how near a stage has to be to its best.

        Of one that may not give way, a choice made to a gap keeps what it made of it: the stages
        after it were chosen with it there, though other amounts alone may do better, up to what
        the result says that no plan beats.
        """
        stage, best = self.stages[s], self._bests[s]
        if self.problem.offered is None or stage.is_open or s == len(self.stages) - 1:
            return _CLOSE
        told = [read_number(self.result.get("gap")), _WHOLE]
        bounds = self.result.get("bounds")
        if stage.goal is not None and isinstance(bounds, list) and stage.goal < len(bounds):
            known = self._column(stage, bounds[stage.goal])
            told.append((best - known) / max(self.problem.size, abs(best)))
        least = min(told)
        return _CLOSE + max(0.0, least) if math.isfinite(least) else _CLOSE

    def _of_choice(self, name: str) -> str:
        if self.problem.offered is not None:
            return f"{name}_sizes"
        return name if self.problem.kept is None else f"{name}_lines"

    def _choice(self, name: str) -> Check:
        """Whether the result tells to what gap the choice is the best: no file proves that."""
        gap = read_number(self.result.get("gap"))
        return _check(
            name,
            passed=gap <= _WHOLE,
            gap=lambda language: (
                format_number(Decimal(f"{100 * gap:.3f}"), None, language)
                if math.isfinite(gap)
                else "?"
            ),
        )

    def _settlement(self) -> Check:
        """Whether no plan that is as good as this one in every stage is nearer to the baseline.

        A convex function of the plan is least where its slope there is, by a linear program.
        """
        problem, plan = self.problem, self.proof.settled
        weight, away = settling_weight(problem), plan - problem.baseline
        x = np.array([self.bounds.place[f"x_{i}"] for i in range(len(plan))])
        cost = np.zeros(len(self.bounds.model.columns))
        cost[x] = 2 * away / weight
        value = float(cost[x] @ plan)
        worth = float(np.sum(away**2 / weight)) + float(weight.mean())
        gap = (value - self.bounds.prove(cost, self.proof.settlement)) / worth
        return _check("settlement", passed=gap <= _CLOSE, gap=f"{gap:.1e}")

    # ------------------------------------------------------------------ what the result says

    def _said(self) -> Iterator[tuple[Stage, Mapping[str, Any]]]:
        """Yield every stage with what the result says of it; nothing where it says nothing."""
        tiers = [stage for stage in self.stages if stage.goal is None]
        goals = [stage for stage in self.stages if stage.goal is not None]
        for key, stages in (("tiers", tiers), ("goals", goals)):
            said = self.result[key]
            for k, stage in enumerate(stages):
                yield stage, said[k] if k < len(said) and isinstance(said[k], dict) else {}

    @cached_property
    def _bests(self) -> list[float]:
        """Best of every stage in the minimised form of its column, as the result says it."""
        return [self._column(stage, said.get("best")) for stage, said in self._said()]

    def _column(self, stage: Stage, told: object) -> float:
        """Return a value that the result tells of a stage in the minimised form of its column."""
        return stage.sign * read_number(told) / self._unit(stage) / stage.scale

    def _unit(self, stage: Stage) -> float:
        return 1.0 if stage.goal is None else goal_unit(self.problem, stage)

    # ------------------------------------------------------------------ words

    def _vnd(self, amount: int) -> Shown:
        return lambda language: format_money(amount, self.problem.unit, language)

    def _value(self, stage: Stage, column: float) -> Shown:
        """Show a value of a stage in the user's unit, to as many digits as are proven."""
        one = stage.sign * stage.scale * self._unit(stage)
        if not math.isfinite(column * one):
            return lambda _: "?"
        size = max(self.problem.size, abs(column)) * abs(one)
        value = round(column * one, 6 - math.floor(math.log10(size))) + 0.0  # never −0
        return lambda language: format_number(value, None, language)

    def _label(self, stage: Stage, language: Language) -> str:
        if stage.goal is None:
            return say(f"explain.tiers.{stage.name}", language)
        what, _, column = self.problem.goals[stage.goal].what.partition(":")
        return say(f"explain.goals.{what}", language, column=column)

    def _labels(self, stages: Sequence[Stage]) -> Shown:
        return lambda language: "; ".join(self._label(stage, language) for stage in stages) or "–"


def _same(found: Any, wanted: Any) -> Any:
    """Whether numbers are the same but for rounding; NaN is NaN."""
    close = np.abs(found - wanted) <= _EQUAL * np.maximum(1.0, np.abs(wanted))
    return close | (np.isnan(found) & np.isnan(wanted))


def _compared(table: Table, wanted: pd.DataFrame) -> Iterator[tuple[str, bool]]:
    """Yield the name of every row of a table and whether it says what is wanted."""
    for row, right in zip(table.rows, wanted.to_dict("records"), strict=False):
        good = all(
            row.get(str(key)) == value
            if isinstance(value, str)
            else bool(_same(read_number(row.get(str(key))), value))
            for key, value in right.items()
        )
        yield "|".join(filter(None, (right["id"], right["group"]))), good


def _shown(names: Sequence[str]) -> str:
    """Return the first few names; a dash for none."""
    return ", ".join(names[:_SHOWN]) + (" …" if len(names) > _SHOWN else "") or "–"
