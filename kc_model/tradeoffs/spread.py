"""Plans nearly as good as the best one and as unlike it as can be."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from kc_model.allocate import Planner
from kc_model.errors import Fault, InputError
from kc_model.money import to_unit
from kc_model.results import Allocation
from kc_model.scenario import Goal, Scenario
from kc_model.tradeoffs.comparison import compare
from kc_model.tradeoffs.walk import Progress, Walk, held
from kc_model.wording import Language
from kc_model.words import Words

__all__ = ["Alternatives", "alternatives"]

Amounts = NDArray[np.int64]
_STEPS = 4  # plans that driving one alternative usually takes
_SCOUTS = 8
_OTHER = 0.2  # of the first one's distance: a plan that is nearer to one found is no other plan


@dataclass(frozen=True)
class Alternatives:
    """Plans that no goal tells from the best one by more than a share; see `alternatives`.

    Parameters
    ----------
    base : Allocation
        What the scenario itself gives.
    plans : tuple of Allocation
        The most distant first.
    asked : int
        How many were asked for.
    refused : float
        In the user's unit: by how much the next plan would have differed, too little to be called
        another one; 0 where all were found or there is none.
    complete : bool
        False where it was interrupted.
    """

    base: Allocation
    plans: tuple[Allocation, ...] = field(repr=False)
    within: float
    asked: int
    refused: float = 0.0
    complete: bool = True

    def table(self) -> pd.DataFrame:
        """Return the plans, the base first.

        Returns
        -------
        DataFrame
            plan (0: the base), apart (the larger of all gains and all losses of cells against the
            base), nearest (the same against the most similar of the plans above it), total (change
            of all money), worst (share by which the goal that is worst off is worse than in the
            base, both rounded; rounding may take a hair more than `within`), expected_disbursed,
            goal_1, goal_2, ... (achieved); money in the user's unit.
        """
        amounts = [_amounts(plan) for plan in (self.base, *self.plans) if plan.cells.size]
        rows = []
        for n, plan in enumerate((self.base, *self.plans)[: len(amounts)]):
            near = min((_apart(amounts[n], one) for one in amounts[:n]), default=0.0)
            rows.append(
                {
                    "plan": n,
                    "apart": to_unit(_apart(amounts[n], amounts[0]), plan.unit),
                    "nearest": to_unit(near, plan.unit),
                    "total": to_unit(int(amounts[n].sum() - amounts[0].sum()), plan.unit),
                    "worst": max(
                        map(_loss, self._goals(self.base), self._goals(plan)), default=0.0
                    ),
                    "expected_disbursed": to_unit(
                        float(plan.cells["expected_disbursed"].sum(skipna=False)), plan.unit
                    ),
                    **{f"goal_{k}": g["achieved"] for k, g in enumerate(self._goals(plan), 1)},
                }
            )
        return pd.DataFrame(rows)

    def changes(self, by: str = "area") -> pd.DataFrame:
        """Return what each plan gives to every value of a key beside what the base gives.

        Parameters
        ----------
        by : {"area", "place", "source", "region", "activity", "year"}

        Returns
        -------
        DataFrame
            plan, then the columns of `Comparison.by`; the losers first.
        """
        parts = [compare(self.base, plan).by(by) for plan in self.plans]
        parts = [part.assign(plan=n) for n, part in enumerate(parts, 1)]
        if not parts:
            return pd.DataFrame()
        table = pd.concat(parts, ignore_index=True)
        return table[["plan", *table.columns.drop("plan")]]

    def sentences(self, language: Language = "vi") -> list[str]:
        """Return how the plans differ, in sentences."""
        return list(_on_alternatives(self, Words.of(self.base, language)))

    def _goals(self, plan: Allocation) -> tuple[Mapping[str, Any], ...]:
        return plan.goals[: len(self.base.goals)]


def alternatives(
    planner: Planner,
    scenario: Scenario,
    within: float = 0.01,
    count: int = 3,
    *,
    progress: Progress | None = None,
    time_limit: float = 60.0,
) -> Alternatives:
    """Return plans that miss no goal by more than a share and differ most from each other.

    Every plan keeps the laws and tiers, and in every goal it is at most `within` of what the
    scenario's own plan achieves worse than that one. From scouts that push money toward or from
    one fund or region each (area, place where these are few), the one least like the plans so far
    is taken, then driven further while its distance to the nearest of them grows: maximise
    Σ s_i x_i with s the mean of sign(x − x_p) over those plans p. For the first alternative that
    ends in a local maximum of Σ |x_i − base_i|; the largest of all is not promised (it is not a
    linear program).

    Parameters
    ----------
    planner : Planner
    scenario : Scenario
    within : float
        Share, 0 to below 1; 0: plans that the goals cannot tell from the base.
    count : int
    progress : callable (name of the step, share done) or None
    time_limit : float, seconds
        For each plan.

    Returns
    -------
    Alternatives
        Fewer than `count` where every further plan is within a fifth of the first one's distance
        of those found, or no further than the rounding to the grid can make.

    Raises
    ------
    InputError
        If `within` is not a share.
    """
    if not 0 <= within < 1:
        raise InputError([Fault("outside-0-1", scenario.at, {"key": "within", "found": within})])
    found: list[Allocation] = []
    refused = 0.0
    base = planner.plan(scenario, detail=False, time_limit=time_limit)
    if base.status != "optimal":
        return Alternatives(base, (), within, count)
    starts = _starts(base.cells)
    expected = len(starts) + _STEPS * count
    with Walk(planner, "alternatives", expected, progress, time_limit) as walk:
        search = _Search(walk, scenario, base, within)
        scouts = [plan for toward in starts for plan in search.along(toward)]
        while scouts and len(found) < count:
            known = [_amounts(plan) for plan in (base, *found)]
            best = max(scouts, key=lambda plan: _nearest(plan, known))
            best = search.drive(best, known)
            near = _nearest(best, known)
            if near <= max(search.noise, _OTHER * _apart(_amounts((found or [best])[0]), known[0])):
                refused = to_unit(near, base.unit) if near > search.noise else 0.0
                break
            found.append(best)
    return Alternatives(base, tuple(found), within, count, refused, walk.complete)


class _Search:
    def __init__(self, walk: Walk, scenario: Scenario, base: Allocation, within: float) -> None:
        self.walk = walk
        self.scenario = scenario
        self.goals = tuple(
            held(goal, _let_down(goal, float(got["achieved"]), within))
            for goal, got in zip(scenario.goals, base.goals, strict=True)
        )
        grid = float(scenario.round_to or 0) / to_unit(1.0, base.unit)
        self.noise = max(1.0, grid) * len(base.cells)

    def along(self, toward: NDArray[np.float64]) -> Iterator[Allocation]:
        """Yield the plan that goes furthest in a direction, if there is one."""
        goal = Goal("maximise", "direction", toward=tuple(toward.tolist()))
        plan = self.walk.plan(replace(self.scenario, goals=(*self.goals, goal)))
        if plan.status == "optimal":
            yield plan

    def drive(self, plan: Allocation, known: list[Amounts]) -> Allocation:
        """Return the plan driven away from the known ones, as far as each step helps."""
        while True:
            toward = np.mean([np.sign(_amounts(plan) - one) for one in known], axis=0)
            further = next(self.along(toward), plan) if toward.any() else plan
            if _nearest(further, known) <= _nearest(plan, known) + self.noise:
                return plan
            plan = further


def _let_down(goal: Goal, value: float, within: float) -> float:
    worse = -1.0 if goal.sense == "maximise" else 1.0
    return value + worse * within * abs(value)


def _starts(cells: pd.DataFrame) -> list[NDArray[np.float64]]:
    """Return directions toward and from every fund and region; where these are few, areas, places.

    A few scouts that are driven on find plans further apart than a hundred that are not.
    """
    starts: list[NDArray[np.float64]] = []
    for key in ("source", "region", "area", "place"):
        codes = cells[key].drop_duplicates()
        for code in codes if len(codes) > 1 and len(starts) < _SCOUTS else []:
            inside = (cells[key] == code).to_numpy(dtype=float)
            starts += [inside, -inside]
    return starts


def _amounts(plan: Allocation) -> Amounts:
    return plan.cells["amount"].to_numpy(dtype=np.int64)


def _apart(one: Amounts, other: Amounts) -> float:
    """Money that is elsewhere, or there in one plan only, VND."""
    change = other - one
    return float(max(change[change > 0].sum(), -change[change < 0].sum()))


def _loss(base: Mapping[str, Any], goal: Mapping[str, Any]) -> float:
    """Return by what share a goal is worse than in the base; below 0 where it is better."""
    worse = base["achieved"] - goal["achieved"]
    worse = worse if base["name"].startswith("maximise") else -worse
    size = abs(base["achieved"])
    return float(worse / size) if size else float(worse > 0)


def _nearest(plan: Allocation, known: list[Amounts]) -> float:
    return min(_apart(_amounts(plan), one) for one in known)


def _on_alternatives(found: Alternatives, words: Words) -> Iterator[str]:
    if found.base.status != "optimal":
        yield words.say(
            "tradeoffs.alternatives.no_base",
            status=words.say(f"tradeoffs.status.{found.base.status}"),
        )
        return
    if not found.plans:
        key = "none" if found.complete else "cut"
        yield words.say(f"tradeoffs.alternatives.{key}", within=words.percent(found.within, 3))
        return
    for row, plan in zip(found.table().to_dict("records")[1:], found.plans, strict=True):
        yield words.say(
            "tradeoffs.alternatives.plan",
            number=row["plan"],
            apart=words.money(row["apart"]),
            near=_from_nearest(row, words),
            worst=_at_worst(row["worst"], found.within, words),
        )
        yield from compare(found.base, plan).on_changes(words)
    if not found.complete:
        yield words.say("tradeoffs.cut", count=len(found.plans))
    elif len(found.plans) < found.asked:
        key = "fewer" if found.refused else "no_more"
        values = {"count": len(found.plans), "refused": words.money(found.refused)}
        yield words.say(f"tradeoffs.alternatives.{key}", **values)


def _from_nearest(row: Mapping[Hashable, Any], words: Words) -> str:
    if row["plan"] < 2:
        return ""
    amount = words.money(row["nearest"])
    return words.say("tradeoffs.alternatives.nearest", amount=amount)


def _at_worst(worst: float, within: float, words: Words) -> str:
    """Say how much worse the goal is that is worst off, as rounded plans have it."""
    if worst <= 0:
        return words.say("tradeoffs.alternatives.as_good")
    values = {"worst": words.percent(worst, 3), "within": words.percent(within, 3)}
    return words.say("tradeoffs.alternatives.worst", **values)
