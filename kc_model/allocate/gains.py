"""What a planner gains who types a looser number into a rule: asked again, not reckoned.

A price is a slope: over a step that somebody would really take the gain is mostly less, and where a
tier is missed the step goes to the tier first. So every number that holds the plan is moved by one
readable step, in all groups of its rule at once, and the tiers and the first goal are solved again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import pandas as pd

from kc_model.allocate.live import Live
from kc_model.allocate.stages import Climb
from kc_model.problem import Problem
from kc_model.rules import Row
from kc_model.solver import Status
from kc_model.standing import goal_unit

__all__ = ["Gain", "find_gains", "readable_step"]

_MOST = 60  # numbers that are moved; those that promise most come first
_PART = 0.05  # of a number: a step is the power of ten that is at most so much of it
_POINT, _COARSE = 0.01, 0.05  # a share moves by a point; a small one by a tenth of it
_SMALL = 1e-6
_HELD = 1e-7

Side = tuple[str, str]
Told = Callable[[float], None]


class Gain(NamedTuple):
    """What one readable step gives.

    Parameters
    ----------
    step : float
        By how much the number gives way, as the user writes it.
    value : float
        What the first goal's best gains, in the user's units; NaN where there is no such plan.
    """

    step: float
    value: float


@dataclass(frozen=True)
class _Ask:
    """A rule's side with another number: its rows are exchanged for looser ones."""

    side: Side
    step: float
    rows: Mapping[int, Row]


def find_gains(live: Live, rules: pd.DataFrame, told: Told) -> dict[Side, Gain]:
    """Return what the first goal gains by one step of every number that holds the plan.

    Parameters
    ----------
    live : Live
        Of a problem without projects; it stands at the bottom, with the same numbers, afterwards.
    rules : DataFrame
        Of the plan, with its prices (`kc_model.results.Allocation.rule_rows`).
    told : callable (share done)

    Returns
    -------
    dict
        Rule id and side -> gain. Empty without a goal; at most 60, first those that are missed and
        those whose price promises most.
    """
    first = next((s for s, stage in enumerate(live.stages) if stage.goal is not None), None)
    if first is None:
        return {}
    seeker = _Seeker(live, first)
    asks = _asks(live.problem, rules)
    found: dict[Side, Gain] = {}
    try:
        for n, ask in enumerate(asks if seeker.stand() else ()):
            found[ask.side] = Gain(ask.step, seeker.gain(ask))
            told(n / len(asks))
    finally:
        live.move(seeker.problem, live.solver.deadline)
    return found


class _Seeker:
    """Asks the live program for the first goal's best with other numbers."""

    def __init__(self, live: Live, first: int) -> None:
        self.live, self.problem, self.first = live, live.problem, first
        self.stage = live.stages[first]
        self.unit = self.stage.scale * goal_unit(live.problem, self.stage)
        self.tiers = Climb(Status.OPTIMAL, (), ())
        self.best = np.nan

    def stand(self) -> bool:
        """Stand where the tiers are kept at their best and the first goal is solved."""
        ladder = self.live.ladder
        ladder.back()
        if self.first:
            self.tiers = ladder.climb(self.first)
            ladder.back()
        ladder.cap(self.tiers.best)
        found = ladder.solve(self.first)
        self.best = found.objective
        return self.tiers.status is found.status is Status.OPTIMAL

    def gain(self, ask: _Ask) -> float:
        """Return what the first goal gains; NaN where there is no plan with the looser number."""
        if self.stage.is_partial:
            return self._from_the_bottom(ask)
        own = {r: self.problem.rows[r] for r in ask.rows}
        self.live.swap(ask.rows, own)
        status, value = Status.INFEASIBLE, np.nan
        if not self._moves_a_tier(ask.rows):
            status, value, _ = self.live.solver.peek()
        if status is not Status.OPTIMAL:  # a tier is met better, or cannot be met as before
            value = self._tier_by_tier()
        self.live.swap(own, ask.rows)
        return float((self.best - value) * self.unit)

    def _tier_by_tier(self) -> float:
        """Return the first goal's best with the numbers that stand, the tiers asked before it.

        A tier nothing of which is missed is kept so, and asked only where that leaves no plan.
        """
        best = self._climb(is_kept=True) or self._climb(is_kept=False)
        self.live.ladder.cap(self.tiers.best)
        self._turn(self.first)
        return best[self.first] if best else float("nan")

    def _climb(self, *, is_kept: bool) -> list[float]:
        """Return the bests of the tiers and of the first goal; none where there is no plan."""
        best: list[float] = []
        for s in range(self.first + 1):
            if is_kept and s < self.first and self.tiers.best[s] <= _SMALL:
                best.append(self.tiers.best[s])
                continue
            self.live.ladder.cap([*best, *[np.inf] * (self.first - len(best))])
            self._turn(s)
            status, value, _ = self.live.solver.peek()
            if status is not Status.OPTIMAL:
                return []
            best.append(value)
        return best

    def _turn(self, s: int) -> None:
        """Ask a stage where it ended with the plan's own numbers: few steps are left from there."""
        cost = np.zeros(len(self.live.solver.cost))
        cost[self.live.ladder.columns[s]] = 1.0
        self.live.solver.set_cost(cost)
        self.live.solver.turn(("stage", s))

    def _from_the_bottom(self, ask: _Ask) -> float:
        """Ask everything again: a risk's rows are found only as a whole solve needs them."""
        moved = self.live.move(self._with(ask.rows), self.live.solver.deadline)
        climb = self.live.ladder.climb(self.first + 1) if moved else None
        self.live.move(self.problem, self.live.solver.deadline)
        self.stand()
        if climb is None or climb.status is not Status.OPTIMAL:
            return float("nan")
        return (self.best - climb.best[self.first]) * self.unit

    def _moves_a_tier(self, rows: Iterable[int]) -> bool:
        """Whether some tier that is missed leans on a row: it would be met better without it."""
        at = self.live.numbers(rows)
        return any(
            best > _SMALL and bool(np.any(np.abs(outcome.row_duals[at]) > _HELD))
            for best, outcome in zip(self.tiers.best, self.tiers.outcomes, strict=True)
        )

    def _with(self, rows: Mapping[int, Row]) -> Problem:
        now = tuple(rows.get(r, row) for r, row in enumerate(self.problem.rows))
        return replace(self.problem, rows=now, sums=self.problem.sums.renumbered(now))


# ---------------------------------------------------------------------------- which steps


def _asks(problem: Problem, rules: pd.DataFrame) -> list[_Ask]:
    """Return the steps to be taken, those that promise most first.

    A rule with a price and room to spare holds the first goal's best, from which the plan gave way.
    """
    kinds = {rule.id: rule.kind for rule in problem.scenario.rules}
    price, bound = (rules[name].to_numpy(dtype=np.float64) for name in ("price", "bound"))
    missed = (rules["status"] == "missed").to_numpy()
    tight = (rules["status"] != "met").to_numpy() | (price > _SMALL)
    sides: dict[Side, list[int]] = {}
    for r, key in enumerate(zip(rules["id"].tolist(), rules["side"].tolist(), strict=True)):
        tight[r] &= not key[0].startswith("bound:") or price[r] > _SMALL
        sides.setdefault(key, []).append(r)
    purses = [bound[r] for r, row in enumerate(problem.rows) if tight[r] and _is_purse(row.id)]
    common = readable_step("money", float(np.median(purses))) if purses else 0.0
    found: list[tuple[float, _Ask]] = []
    for (name, side), every in sides.items():
        rows = [r for r in every if tight[r]]
        if not rows:
            continue
        factor = problem.rows[rows[0]].factor
        is_fixed = name.startswith(("budget:", "bound:"))
        number = float(bound[rows[0]]) if is_fixed else factor
        step = readable_step(kinds.get(name, "money"), number, side)
        if _is_purse(name):
            step = common  # several purses are told in one sentence
        size = step if is_fixed or not factor else step * np.abs(bound[rows] / factor)
        promise = float(np.nansum(price[rows] * size))
        promise = np.inf if missed[rows].any() else promise
        looser = {r: _looser(problem.rows[r], step, is_fixed=is_fixed) for r in every}
        found.append((promise, _Ask((name, side), step, looser)))
    found.sort(key=lambda one: -one[0])
    return [ask for _, ask in found[:_MOST]]


def _is_purse(name: str) -> bool:
    return name.startswith("budget:")


def _looser(row: Row, step: float, *, is_fixed: bool) -> Row:
    change = -step if row.side == "min" else step
    if is_fixed:
        return replace(row, const=row.const + change / row.scale)
    return replace(row, factor=row.factor + change)


def readable_step(kind: str, number: float, side: str = "max") -> float:
    """Return by how much a planner would move a number.

    Parameters
    ----------
    kind : str
        See `kc_model.scenario.Rule.kind`.
    number : float
    side : {"min", "max"}

    Returns
    -------
    float
        A point of a share, a tenth of one below 5 %; else the power of ten that is at most a
        twentieth of the number, 1 of nothing. A lowest number never falls below zero.
    """
    if kind == "share":
        step = _POINT if abs(number) >= _COARSE else _POINT / 10
        return min(step, number) if side == "min" and number > 0 else step
    if not number:
        return 1.0
    return float(10.0 ** np.floor(np.log10(_PART * abs(number)) + 1e-9))
