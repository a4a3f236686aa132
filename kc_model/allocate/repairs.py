"""What would mend a contradiction: other numbers of the scenario, each proven to be enough."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from fractions import Fraction
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from kc_model.allocate.elastic import Elastic
from kc_model.allocate.levers import (
    Lever,
    is_amount,
    loosest_bounds,
    on_grid,
    readable_step,
    step_of,
)
from kc_model.allocate.rounding import round_plan
from kc_model.cells import MILLION
from kc_model.explain import is_bound, is_purse, renumbered
from kc_model.money import UNITS
from kc_model.problem import Problem
from kc_model.rules import Row, renumber_rows
from kc_model.scenario import Scenario
from kc_model.solver import Status
from kc_model.tables import CELL_KEYS, Dataset

__all__ = ["Mender", "apply_repair", "repair_cells"]

_TRIES = 3  # numbers tried, each one step looser than the one before
_LISTED = 10
_LAST = 40  # of a repair the last part whose reason is looked for; more than `readable_step` rounds
_TRIED = 24  # numbers of one conflict that are looked at; a conflict of bounds may name hundreds

Money = NDArray[np.float64]
Step = dict[str, Any]
Repair = Mapping[str, Any] | Sequence[Mapping[str, Any]]


# ---------------------------------------------------------------------------- applying


def apply_repair(scenario: Scenario, repair: Repair, unit: str = "") -> Scenario:
    """Return the scenario with the new numbers of a repair.

    A rule that only asks for a least amount is gone where that amount is to be nothing.

    Parameters
    ----------
    scenario : Scenario
    repair : mapping or sequence of mappings
        One step of a conflict's ``repairs``, or all steps of one option or of its
        ``combination``; steps that share a number may all be given. Bounds of cells stand in the
        data: `repair_cells` changes those.
    unit : str
        The dataset's, told behind an amount in a rule's words; "": the amount alone.

    Raises
    ------
    ValueError
        If no step is the scenario's: each is a bound of a cell.
    KeyError
        If the scenario has no such rule or budget.
    """
    gone = _idle(repair)
    mended = _renumbered(scenario, repair, unit)
    rules = (rule for rule in mended.rules if rule.id not in gone or rule.max is not None)
    return replace(mended, rules=tuple(rules))


def _renumbered(scenario: Scenario, repair: Repair, unit: str = "") -> Scenario:
    """Return the scenario with the new numbers, every rule in its place; see `apply_repair`."""
    numbers = {(step["rule"], step["side"]): step["to"] for step in _steps(repair)}
    own = {key: Decimal(repr(to)) for key, to in numbers.items() if not is_bound(key[0])}
    if not own:
        raise ValueError(", ".join(rule for rule, _ in numbers))
    budget = list(scenario.budget)
    for (rule, side), to in own.items():
        kind, _, number = rule.partition(":")
        if kind == "budget" and number:
            if not 1 <= int(number) <= len(budget):
                raise KeyError(rule)
            row = budget[int(number) - 1]
            budget[int(number) - 1] = replace(row, amount=to)
        elif rule == "round_to":
            scenario = replace(scenario, round_to=to)
        else:
            scenario = _with_rule(scenario, rule, side, to, unit)
    return replace(scenario, budget=tuple(budget))


def _idle(steps: Repair) -> set[str]:
    """Return the rules of which a repair leaves nothing, if they have no other side."""
    return {
        step["rule"]
        for step in _steps(steps)
        if step["side"] == "min" and not step["to"] and not is_bound(step["rule"])
    }


def _with_rule(scenario: Scenario, rule_id: str, side: str, to: Decimal, unit: str) -> Scenario:
    texts = {
        rule.id: renumbered(rule.text, getattr(rule, side), to, rule.kind, unit)
        for rule in scenario.rules
    }
    return scenario.with_rule(rule_id, **{side: to, "text": texts.get(rule_id, "")})


def repair_cells(data: Dataset, repair: Repair) -> Dataset:
    """Return the dataset with the new bounds of cells of a repair; the same one if it has none.

    Parameters
    ----------
    data : Dataset
    repair : mapping or sequence of mappings
        As for `apply_repair`; steps of the scenario are left to it.
    """
    steps = [step for step in _steps(repair) if is_bound(step["rule"])]
    if not steps:
        return data
    cells = data.cells.copy()
    for step in steps:
        to = int(Decimal(repr(step["to"])) * UNITS[data.unit])
        cells.loc[_stands_for(cells, step["cell"]), step["side"]] = to
    return replace(data, tables={**data.tables, "cells": cells})


def _stands_for(cells: pd.DataFrame, cell: Mapping[str, Any]) -> NDArray[np.bool_]:
    """Mask of the rows of ``cells.csv`` that speak of a cell."""
    mask = np.ones(len(cells), dtype=bool)
    for key in CELL_KEYS:
        same = (cells[key] == cell[key]).to_numpy(dtype=bool, na_value=key == "year")
        mask &= same
    return mask


def _steps(repair: Repair) -> Sequence[Mapping[str, Any]]:
    return [repair] if isinstance(repair, Mapping) else repair


# ---------------------------------------------------------------------------- finding


class Mender:
    """Finds and proves repairs.

    Parameters
    ----------
    problem : Problem
    elastic : Elastic
        Of the same problem, see `Mender.of`.
    tell : callable
        Called before each try; what it raises ends the search.
    """

    def __init__(self, problem: Problem, elastic: Elastic, tell: Callable[[], None]) -> None:
        self.problem, self.elastic, self.tell = problem, elastic, tell
        self._rules = {rule.id: rule for rule in problem.scenario.rules}
        self._laws = [row for row in problem.rows if row.is_law]
        self._whole: dict[Lever, list[Step]] = {}
        self._known: dict[tuple[Lever, frozenset[str]], list[Step]] = {}

    @classmethod
    def of(
        cls, problem: Problem, elastic: Elastic, as_of: int | None, tell: Callable[[], None]
    ) -> Self:
        """Return what mends a problem, of which `elastic` is, so that amounts fit the grid."""
        rows = on_grid(problem, problem.rows)
        if all(row is own for row, own in zip(rows, problem.rows, strict=True)):
            return cls(problem, elastic, tell)
        fit = replace(problem, rows=tuple(rows))
        most = loosest_bounds(fit, as_of)
        return cls(problem, Elastic(fit, elastic.solver.deadline, most), tell)

    def options(
        self, rules: Sequence[str], others: Sequence[Sequence[str]], rest: Sequence[str]
    ) -> list[Step]:
        """Return the steps of every option of a conflict, the least money first.

        Parameters
        ----------
        rules : sequence of str
            The conflict.
        others : sequence of sequences of str
            The other conflicts. Numbers of rules that are in all of them and mend them all come
            first, then numbers that mend this conflict, whatever becomes of the others.
        rest : sequence of str
            What is to hold then, if any number lets it: this conflict's rules and others.
        """
        everywhere = set(rules).intersection(*others)
        found = []
        for lever in self._levers(rules):
            steps = self._all(lever) if lever.rule in everywhere else []
            if others and not steps:
                steps = self._alone(lever, rest)
                if not steps and len(rest) > len(rules):
                    alone = self._alone(lever, rules)
                    steps = [{**step, "mends_alike": False} for step in alone]
            if steps:
                found.append((lever, steps))
        sure = ("mends_all", "mends_alike")
        found.sort(key=lambda way: (*(not way[1][0][key] for key in sure), way[1][0]["cost"]))
        return [
            {"option": number, **step, "also": also}
            for number, (lever, steps) in enumerate(found[:_LISTED], 1)
            for also in [self._also(lever, steps, rules)]
            for step in steps
        ]

    def _all(self, lever: Lever) -> list[Step]:
        """Return the steps that mend everything with one other number; empty: no number does."""
        if lever not in self._whole:
            self.tell()
            plan = self.elastic.mended(lever, self.elastic.ids)
            self._whole[lever] = self._proven([lever], plan, self.elastic.ids, mends_all=True)
        return self._whole[lever]

    def _alone(self, lever: Lever, rules: Sequence[str]) -> list[Step]:
        """Return the steps after which these rules hold together, whatever the others do."""
        key = lever, frozenset(rules)
        if key not in self._known:
            self.tell()
            plan = self.elastic.mended(lever, rules)
            self._known[key] = self._proven([lever], plan, rules, mends_all=False)
        return self._known[key]

    def _also(self, lever: Lever, steps: Sequence[Step], rules: Sequence[str]) -> list[str]:
        """Return the rules beside a conflict that ask for as much as the last part of a repair.

        With a number a little short of it the rules of the conflict hold together, but do not with
        these.
        """
        to, now = (Decimal(repr(steps[0][key])) for key in ("to", "now"))
        short = self._rounded(lever, to + (now - to) / _LAST, -1)
        if not steps[0]["mends_all"] or (short - now) * (to - now) <= 0:
            return []
        self.tell()
        rows, _ = self._changed([{**step, "to": float(short)} for step in steps])
        elastic = self.elastic
        elastic.stand([row for row in rows if row.is_law])
        found: Sequence[str] = ()
        if elastic.judge(rules):
            suspects = elastic.suspects(elastic.ids)
            found = elastic.smallest(suspects, self.tell)[0] if suspects else ()
        elastic.stand(elastic.laws)
        return [rule for rule in found if rule not in rules] if lever.rule in found else []

    def _levers(self, rules: Sequence[str], most: int | None = _TRIED) -> list[Lever]:
        levers = [
            self.elastic.levers[rule, side]
            for rule in rules
            for side in ("min", "max")
            if (rule, side) in self.elastic.levers
        ]
        size = {lever: self.elastic.laws[lever.rows[0]].const for lever in levers}
        levers.sort(key=lambda lever: (is_bound(lever.rule), is_bound(lever.rule) * -size[lever]))
        # Rules are few and always tried; of amounts there may be hundreds.
        rank = {lever: is_amount(self.elastic.laws[lever.rows[0]]) for lever in levers}
        tried = set(sorted(levers, key=rank.__getitem__)[:most])
        return [lever for lever in levers if lever in tried]

    def combination(self, conflicts: Sequence[Collection[str]]) -> list[Step]:
        """Return the steps that together mend everything for the least money; empty: none found."""
        self.tell()
        plan = self.elastic.cheapest(conflicts)
        if plan is None:
            return []
        levers = [
            lever for lever in self.elastic.levers.values() if any(self.elastic.missed(lever, plan))
        ]
        return self._proven(levers, plan, self.elastic.ids, mends_all=True)

    def purses(self, rest: Sequence[str], known: Sequence[Step]) -> list[Step]:
        """Return the steps that raise several budgets so that laws hold, for the least money.

        Parameters
        ----------
        rest : sequence of str
            As for `options`.
        known : sequence of Step
            What those are; none is looked for where a budget alone does.
        """
        if any(is_purse(step["rule"]) and step["mends_alike"] for step in known):
            return []
        self.tell()
        levers = [
            lever
            for (rule, side), lever in self.elastic.levers.items()
            if is_purse(rule) and side == "max" and rule in rest
        ]
        plan = self.elastic.cheapest_of(levers, rest)
        if plan is None:
            return []
        levers = [lever for lever in levers if any(self.elastic.missed(lever, plan))]
        is_all = len(rest) == len(self.elastic.ids)
        steps = self._proven(levers, plan, rest, mends_all=is_all)
        return [{"option": 0, **step} for step in steps]

    def on_grid(self, rules: Sequence[str]) -> list[list[Step]]:
        """Return options that bring amounts of these laws onto the grid, each proven.

        Budgets go together, each to the nearest step, all down or all up; other laws one at a time.
        """
        levers = [lever for lever in self._levers(rules, None) if self._kind(lever) == "money"]
        is_budget = all(is_purse(lever.rule) for lever in levers)
        ways = [[lever] for lever in levers[:_TRIED]]
        if is_budget:
            ways = [[one for one in levers if one.side == side] for side in ("min", "max")]
            nearest = self._nearest(levers)
            ways += [nearest] if nearest not in ways else []
        found = []
        for way in filter(None, ways):
            amounts = [self._now(lever) for lever in way]
            steps = self._enough(way, amounts, self._shifts, self.elastic.ids, on_grid=True)
            found.append(_in_full(self._told(steps, mends_all=True)))
        return sorted(filter(None, found), key=lambda steps: steps[0]["cost"])

    def _nearest(self, levers: Sequence[Lever]) -> list[Lever]:
        """Return of every budget the side to its nearest step; halves, and to nothing: up."""

        def far(lever: Lever) -> tuple[bool, Decimal, bool]:
            now, to = self._now(lever), self._rounded(lever, self._now(lever), 0)
            return not to, abs(to - now), lever.side == "min"

        sides: dict[str, list[Lever]] = {}
        for lever in levers:
            sides.setdefault(lever.rule, []).append(lever)
        return [min(both, key=far) for both in sides.values()]

    def _proven(
        self,
        levers: Sequence[Lever],
        plan: Money | None,
        rules: Collection[str],
        *,
        mends_all: bool,
    ) -> list[Step]:
        """Return the steps to the numbers of a plan that let some laws hold together."""
        if plan is None:
            return []
        numbers: list[Decimal] = []
        for lever in levers:
            number = self._number(lever, plan)
            if number is None:
                return []
            numbers.append(number)

        def shortfalls(lever: Lever) -> Iterable[tuple[int, float]]:
            return self.elastic.missed(lever, plan)

        steps = self._enough(levers, numbers, shortfalls, rules, on_grid=mends_all)
        return self._told(steps, mends_all=mends_all)

    def _enough(
        self,
        levers: Sequence[Lever],
        numbers: Sequence[Decimal],
        missed: Callable[[Lever], Iterable[tuple[int, float]]],
        rules: Collection[str],
        *,
        on_grid: bool,
    ) -> list[Step]:
        """Return the steps to these numbers, rounded so that what is typed is enough; or none."""
        tries: list[int | None] = [None, *range(_TRIES)]
        if on_grid and all(is_purse(lever.rule) for lever in levers):  # each may be rounded up
            tries.append(sum(row.id in rules and row.side == "min" for row in self._laws))
        for more in tries:
            steps: list[Step] = []
            for lever, number in zip(levers, numbers, strict=True):
                to = self._rounded(lever, number, more)
                steps += self._to(lever, missed(lever), to)
            # A budget of nothing is no way out.
            is_idle = any(is_purse(s["rule"]) and not s["to"] for s in steps)
            if steps and not is_idle and self.is_enough(steps, rules, on_grid=on_grid):
                return steps
        return []

    def _told(self, steps: list[Step], *, mends_all: bool) -> list[Step]:
        cost = sum(step.pop("cost") for step in steps) * self.problem.million
        sure = {"cost": round(cost, 9), "mends_all": mends_all, "mends_alike": True, "proven": True}
        return [{**step, **sure} for step in steps]

    def _shifts(self, lever: Lever) -> Iterator[tuple[int, float]]:
        """Yield by how much an amount is off the grid in its direction, for each of its rows."""
        now = self._now(lever)
        by = abs(float(now - self._rounded(lever, now, 0))) / self.elastic.laws[lever.rows[0]].scale
        yield from ((r, by) for r in lever.rows if by)

    def _to(self, lever: Lever, missed: Iterable[tuple[int, float]], to: Decimal) -> Iterator[Step]:
        """Yield a step for every group that needs the new number."""
        now = self._now(lever)
        for r, by in missed:
            row = self.elastic.laws[r]
            step = {
                "rule": row.id,
                "group": row.group,
                "side": lever.side,
                "by": round(by * row.scale, 9),
                "measure": row.measure,
                "kind": self._kind(lever),
                "now": float(now),
                "to": float(to),
                "cost": by / float(self.elastic.unit[r]),
            }
            if is_bound(row.id):
                cell = self.problem.cells.frame[list(CELL_KEYS)].iloc[int(row.cells[0])].to_dict()
                step["cell"] = {**cell, "year": int(cell["year"])}
            yield step

    def _kind(self, lever: Lever) -> str:
        rule = self._rules.get(lever.rule)
        return "money" if rule is None else rule.kind

    def _now(self, lever: Lever) -> Decimal:
        rule = self._rules.get(lever.rule)
        if rule is not None:
            return Decimal(getattr(rule, lever.side))
        vnd = self._laws[lever.rows[0]].exact or Fraction(0)
        return Decimal(int(vnd)) / UNITS[self.problem.unit]

    def _number(self, lever: Lever, plan: Money) -> Decimal | None:
        """Return the number of a plan in the terms of the scenario."""
        number = self.elastic.number(lever, plan)
        if number is None:
            return None
        value = Decimal(repr(number))
        return value if lever.rule in self._rules else value * MILLION / UNITS[self.problem.unit]

    def _rounded(self, lever: Lever, number: Decimal, more: int | None) -> Decimal:
        """Round a number to what can be typed, `more` steps on in the loosening direction.

        Amounts in steps of `round_to`, others of `step_of`; None: in steps that can be read.
        """
        if more is None:
            to, grid = self._rounded(lever, number, 0), Decimal(self.problem.grid)
            is_money = self._kind(lever) == "money"
            step = readable_step(to, self._now(lever), grid / UNITS[self.problem.unit])
            side = ROUND_FLOOR if lever.side == "min" else ROUND_CEILING
            return (to / step).to_integral_value(side) * step if is_money and step else to
        if self._kind(lever) == "money":
            step = Decimal(self.problem.grid) / UNITS[self.problem.unit]
            noise = min(Decimal("0.1"), Decimal("0.1") / self.problem.grid + Decimal("1e-9"))
        else:
            step = Decimal(repr(step_of(self._now(lever))))
            noise = Decimal("1e-5")
        steps = number / step
        if lever.side == "min":
            whole = (steps + noise).to_integral_value(ROUND_FLOOR) - more
        else:
            whole = (steps - noise).to_integral_value(ROUND_CEILING) + more
        return max(Decimal(0), whole * step)

    # ------------------------------------------------------------------ proof

    def is_enough(self, steps: Sequence[Step], rules: Collection[str], *, on_grid: bool) -> bool:
        """Whether these laws hold together once the numbers are written down."""
        rows, grid = self._changed(steps)
        laws = [row for row in rows if row.is_law]
        self.elastic.stand(laws)
        plan = self.elastic.plan(rules)
        self.elastic.stand(self.elastic.laws)
        if plan is None or not on_grid or self.problem.offered is not None:
            return plan is not None  # what projects get is on the grid already
        deadline = self.elastic.solver.deadline
        return not isinstance(round_plan(laws, plan, grid, deadline), Status)

    def _changed(self, steps: Sequence[Step]) -> tuple[list[Row], int]:
        """Return the rows, and the grid, of the changed scenario and cells."""
        problem, unit = self.problem, UNITS[self.problem.unit]
        own = [step for step in steps if not is_bound(step["rule"])]
        scenario = _renumbered(problem.scenario, own) if own else problem.scenario
        rows = renumber_rows(problem.rows, problem.scenario, scenario, problem.unit, [])
        bounds = {
            step["rule"]: Fraction(Decimal(repr(step["to"])) * unit)
            for step in steps
            if is_bound(step["rule"])
        }
        changed = [
            replace(row, const=float(bounds[row.id] / MILLION), exact=bounds[row.id])
            if row.id in bounds
            else row
            for row in rows
        ]
        grid = next((step["to"] for step in steps if step["rule"] == "round_to"), None)
        step = problem.grid if grid is None else int(Decimal(repr(grid)) * unit)
        return on_grid(problem, changed) if grid is None else changed, step


def _in_full(steps: list[Step]) -> list[Step]:
    """Return steps of money that lack all by which their numbers move, not what sums lack."""
    by = [abs(step["to"] - step["now"]) for step in steps]
    return [{**step, "by": one, "cost": sum(by)} for step, one in zip(steps, by, strict=True)]
