"""Plans along a line: between two goals, over more or less money, over a rule's number."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

import numpy as np
import pandas as pd

from kc_model.allocate import Planner
from kc_model.errors import Fault, InputError
from kc_model.explain import rule_label, rule_texts
from kc_model.money import UNITS, to_unit
from kc_model.results import Allocation
from kc_model.scenario import Goal, Scenario
from kc_model.tradeoffs.walk import Progress, Walk, held, same_goal
from kc_model.wording import Language, say
from kc_model.words import Words

__all__ = ["Frontier", "Sweep", "frontier", "sweep"]

_NOTHING = 1e-9
FACTORS = (0.8, 0.85, 0.9, 0.95, 1.0, 1.05, 1.1, 1.15, 1.2)
"""What `sweep` multiplies by where nothing else is asked for."""


@dataclass(frozen=True, kw_only=True)
class _Curve:
    """Plans along a line.

    `points` is what `table` returns, with a plan for each in `plans`; `complete` is False where it
    was interrupted: the points found until then.
    """

    points: pd.DataFrame = field(repr=False)
    plans: tuple[Allocation, ...] = field(repr=False)
    complete: bool = True

    def sentences(self, language: Language = "vi") -> list[str]:
        """Return what the points say, in sentences."""
        if not self.plans:
            return []
        told = list(self._told(Words.of(self.plans[0], language)))
        if not self.complete:
            told.append(say("tradeoffs.cut", language, count=len(self.points)))
        return told

    @abstractmethod
    def _told(self, words: Words) -> Iterator[str]: ...


@dataclass(frozen=True, kw_only=True)
class Frontier(_Curve):
    """Plans between two goals; see `frontier`.

    Parameters
    ----------
    points, plans, complete
        A table of points, a plan for each; as rounded plans they achieve a little less or more
        than the points say. `complete` is False where it was interrupted.
    """

    first: Goal
    second: Goal

    def table(self) -> pd.DataFrame:
        """Return the points.

        Returns
        -------
        DataFrame
            give (share of the first goal's best given up; NaN where that best is 0), first (what
            the first goal may come down to), second (the second one's best then; both in the
            user's units, before rounding to the grid), price (how much of the first goal one more
            unit of the second has cost since the point before: a secant, not a slope; NaN at the
            first point and where nothing was won), status.
        """
        return self.points

    def _told(self, words: Words) -> Iterator[str]:
        points = self.points[self.points["status"] == "optimal"]
        values = {"first": words.goal(self.first.name), "second": words.goal(self.second.name)}
        if points.empty:
            yield words.say(
                "tradeoffs.frontier.none",
                status=words.say(f"tradeoffs.status.{self.plans[0].status}"),
            )
            return
        if len(points) == 1:
            key = "free" if self.complete else "cut"
            yield words.say(f"tradeoffs.frontier.{key}", **values)
            return
        a, b = points.iloc[0], points.iloc[-1]
        yield words.say(
            "tradeoffs.frontier.ends",
            **values,
            second_from=words.achieved(self.second.name, a["second"], self.second.per),
            second_to=words.achieved(self.second.name, b["second"], self.second.per),
            first_from=words.achieved(self.first.name, a["first"], self.first.per),
            first_to=words.achieved(self.first.name, b["first"], self.first.per),
        )
        priced = points[points["price"].notna()]
        for key, row in (("cheap", priced.iloc[:1]), ("dear", priced.iloc[-1:])):
            for at in row.index:
                before, now = self.points.loc[at - 1], self.points.loc[at]
                yield words.say(
                    f"tradeoffs.frontier.{key}",
                    **values,
                    won=words.gained(self.second.name, abs(now["second"] - before["second"])),
                    lost=words.gained(self.first.name, abs(now["first"] - before["first"])),
                )


def frontier(
    planner: Planner,
    scenario: Scenario,
    first: Goal | None = None,
    second: Goal | None = None,
    points: int = 11,
    *,
    progress: Progress | None = None,
    time_limit: float = 60.0,
) -> Frontier:
    """Return plans from the first goal's best to the second one's, tiers kept.

    The first goal is given up step by step, evenly, until the second reaches its own best; the
    scenario's other goals follow. Where the goals do not contend there is one point only.

    Parameters
    ----------
    planner : Planner
    scenario : Scenario
    first, second : Goal or None
        None: the scenario's first and second goal.
    points : int
        How many, at least 2.
    progress : callable (name of the step, share done) or None
    time_limit : float, seconds
        For each plan.

    Returns
    -------
    Frontier
        Where the laws contradict each other: one point of that status.

    Raises
    ------
    InputError
        If the scenario has no two goals and none are given, or for fewer than two points.
    """
    first, second, others = _pair(scenario, first, second, points)
    found: list[tuple[float, float, str]] = []
    plans: list[Allocation] = []
    with Walk(planner, "frontier", points + 2, progress, time_limit) as walk:
        end = walk.plan(replace(scenario, goals=(second, first, *others)))
        start = walk.plan(replace(scenario, goals=(first, second, *others)))
        values = [float("nan")]
        if start.status == end.status == "optimal":
            best, worst = start.goals[0]["best"], end.goals[1]["best"]
            apart = abs(best - worst) > _NOTHING * max(1.0, abs(best))
            values = np.linspace(best, worst, points).tolist() if apart else [best]
        for value in values:
            plan = start
            if found:
                goal = _given(first, found[0][0], value)
                plan = walk.plan(replace(scenario, goals=(goal, second, *others)))
            reached = plan.goals[1]["best"] if plan.status == "optimal" else float("nan")
            found.append((value, reached, plan.status))
            plans.append(plan)
    points_found = _priced(found)
    return Frontier(
        first=first, second=second, points=points_found, plans=tuple(plans), complete=walk.complete
    )


def _pair(
    scenario: Scenario, first: Goal | None, second: Goal | None, points: int
) -> tuple[Goal, Goal, tuple[Goal, ...]]:
    """Return the two goals, nothing given up, and the others."""
    goals = scenario.goals
    if first is None and goals:
        first = goals[0]
    if second is None:
        second = next((g for g in goals if first is not None and not same_goal(g, first)), None)
    if first is None or second is None or same_goal(first, second):
        raise InputError([Fault("no-two-goals", scenario.at)])
    if points < 2:
        raise InputError([Fault("too-few-points", scenario.at, {"found": points})])
    others = [g for g in goals if not same_goal(g, first) and not same_goal(g, second)]
    plain = [replace(goal, give=Decimal(0), down_to=None) for goal in (first, second)]
    return plain[0], plain[1], tuple(others)


def _given(goal: Goal, best: float, value: float) -> Goal:
    """Return the goal with so much given up; as a file would say it, where a share can."""
    if abs(best) <= _NOTHING:
        return held(goal, value)
    return replace(goal, give=Decimal(repr(abs(best - value) / abs(best))))


def _priced(found: Sequence[tuple[float, float, str]]) -> pd.DataFrame:
    points = pd.DataFrame(found, columns=["first", "second", "status"])
    for name in ("first", "second"):  # the noise of arithmetic around 0 is 0
        far = points[name].abs()
        points[name] = points[name].mask(far <= _NOTHING * far.max(), 0.0)
    best = points["first"].to_numpy()[:1]
    lost = points["first"].diff().abs()
    won = points["second"].diff().abs()
    noise = _NOTHING * points["second"].abs().max()
    size = np.where(np.abs(best) > _NOTHING, np.abs(best), np.nan)
    give = (points["first"] - best).abs() / size if len(points) else points["first"]
    return points.assign(give=give, price=lost / won.where(won > noise))[
        ["give", "first", "second", "price", "status"]
    ]


# ---------------------------------------------------------------------------- sweep


@dataclass(frozen=True, kw_only=True)
class Sweep(_Curve):
    """Plans for more and less of one number; see `sweep`.

    Parameters
    ----------
    points, plans, complete
        A table of points, a plan for each; `complete` is False where it was interrupted.
    """

    what: str

    def table(self) -> pd.DataFrame:
        """Return the points.

        Returns
        -------
        DataFrame
            factor, value (the number then), status, money and expected_disbursed (in the user's
            unit), reserve, goal_1, goal_2, ... (what the rounded plan achieves of each goal),
            price (what one more unit of the number has added to the first goal's best since the
            point before: a secant; NaN at the first point), binding and missed (ids of the rules
            that bind and are nowhere missed, and of those that are missed). NaN where there is no
            plan.
        """
        return self.points

    def by(self, key: str) -> pd.DataFrame:
        """Return the money at every point in the user's unit, a column for each value of a key.

        Parameters
        ----------
        key : {"area", "place", "source", "region", "activity", "year"}
        """
        sums = [
            plan.cells.groupby(key, sort=False)["amount"].sum()
            if plan.status == "optimal"
            else pd.Series(dtype="Int64")
            for plan in self.plans
        ]
        codes = list(dict.fromkeys(code for part in sums for code in part.index))
        rows = [to_unit(part.reindex(codes), self.plans[0].unit) for part in sums]
        table = pd.DataFrame([row.to_numpy() for row in rows], columns=codes)
        return pd.concat([self.points[["factor", "value"]], table], axis=1)

    def _told(self, words: Words) -> Iterator[str]:
        points = self.points
        good = points[points["status"] == "optimal"]
        for _, row in points[points["status"] != "optimal"].iterrows():
            yield words.say(
                "tradeoffs.sweep.none",
                factor=words.percent(row["factor"]),
                status=words.say(f"tradeoffs.status.{row['status']}"),
            )
        if len(good) > 1 and self.plans[0].scenario.goals:
            first = self.plans[0].scenario.goals[0]
            name, per = first.name, first.per
            for before, now in zip(good.index[:-1], good.index[1:], strict=True):
                a, b = good.loc[before], good.loc[now]
                change = float(b["goal_1"] - a["goal_1"])
                yield words.say(
                    "tradeoffs.sweep.step",
                    start=words.percent(a["factor"]),
                    end=words.percent(b["factor"]),
                    goal=words.goal(name),
                    a=words.achieved(name, a["goal_1"], per),
                    b=words.achieved(name, b["goal_1"], per),
                    change=("−" if change < 0 else "+") + words.gained(name, abs(change)),
                )
            texts = rule_texts(self.plans[0].scenario.rules, words)
            for column in ("missed", "binding"):
                ids = [set(filter(None, names.split(", "))) for names in good[column]]
                firm = sorted(set.intersection(*ids))
                if firm:
                    names = [rule_label(rule, texts.get(rule, ""), words.language) for rule in firm]
                    yield words.say(f"tradeoffs.sweep.{column}", rules="; ".join(names))


def sweep(
    planner: Planner,
    scenario: Scenario,
    what: str = "total",
    factors: Sequence[float] = FACTORS,
    *,
    progress: Progress | None = None,
    time_limit: float = 60.0,
) -> Sweep:
    """Return the plans of a scenario with one of its numbers multiplied.

    Parameters
    ----------
    planner : Planner
    scenario : Scenario
    what : str
        ``total`` (every budget row, in proportion), ``budget:N`` (the N-th row) or ``RULE:min``,
        ``RULE:max`` (that number of a rule).
    factors : sequence of float
        Positive; worked through from the smallest.
    progress : callable (name of the step, share done) or None
    time_limit : float, seconds
        For each plan.

    Raises
    ------
    InputError
        If the scenario has no such number, or a factor is not positive.
    """
    if not len(factors) or min(factors) <= 0:
        raise InputError([Fault("bad-factor", scenario.at, {"found": list(factors)})])
    grid = scenario.round_to or Decimal(1) / UNITS[planner.data.unit]
    rows: list[dict[str, object]] = []
    plans: list[Allocation] = []
    with Walk(planner, "sweep", len(factors), progress, time_limit) as walk:
        for factor in sorted(factors):
            asked, value = _multiplied(scenario, what, Decimal(repr(float(factor))), grid)
            plan = walk.plan(asked)
            rows.append({"factor": factor, "value": float(value), **_measured(plan)})
            plans.append(plan)
    points = pd.DataFrame(rows, columns=["factor", "value", *_measures(scenario)])
    if scenario.goals:
        points["price"] = points["best"].diff() / points["value"].diff()
    points = points.drop(columns="best")
    return Sweep(what=what, points=points, plans=tuple(plans), complete=walk.complete)


def _multiplied(
    scenario: Scenario, what: str, factor: Decimal, grid: Decimal
) -> tuple[Scenario, Decimal]:
    """Return the scenario with the number multiplied, and the number."""
    name, _, part = what.rpartition(":")
    rule = next((rule for rule in scenario.rules if rule.id == name), None)
    now = getattr(rule, part, None) if part in ("min", "max") else None
    if what == "total":
        asked = scenario if factor == 1 else scenario.scaled(factor, grid)
        return asked, sum((row.amount for row in asked.budget), Decimal(0))
    if name == "budget" and part.isdecimal() and 1 <= int(part) <= len(scenario.budget):
        rows, n = list(scenario.budget), int(part) - 1
        amount = rows[n].amount if factor == 1 else grid * round(rows[n].amount * factor / grid)
        rows[n] = replace(rows[n], amount=amount)
        return replace(scenario, budget=tuple(rows)), amount
    if rule is None or now is None:
        choices = ["total", *(f"budget:{n}" for n in range(1, len(scenario.budget) + 1))]
        sides = [(r, side) for r in scenario.rules for side in ("min", "max")]
        choices += [f"{r.id}:{side}" for r, side in sides if getattr(r, side) is not None]
        values = {"found": what, "choices": ", ".join(choices)}
        raise InputError([Fault("no-such-number", scenario.at, values)])
    return scenario.with_rule(name, **{part: now * factor}), now * factor


def _measures(scenario: Scenario) -> list[str]:
    goals = [f"goal_{n}" for n in range(1, len(scenario.goals) + 1)]
    last = ["best", "price", "binding", "missed"]
    return ["status", "money", "expected_disbursed", "reserve", *goals, *last]


def _measured(plan: Allocation) -> dict[str, object]:
    if plan.status != "optimal":
        return {"status": plan.status}
    rules = plan.rule_rows[~plan.rule_rows["id"].str.startswith(("budget:", "bound:"))]
    missed, tight = (
        dict.fromkeys(rules["id"][rules["status"] == status]) for status in ("missed", "binding")
    )
    return {
        "status": plan.status,
        "money": to_unit(int(plan.cells["amount"].sum()), plan.unit),
        "expected_disbursed": to_unit(
            float(plan.cells["expected_disbursed"].sum(skipna=False)), plan.unit
        ),
        "reserve": to_unit(sum(int(row["amount"]) for row in plan.reserve), plan.unit),
        **{f"goal_{n}": goal["achieved"] for n, goal in enumerate(plan.goals, 1)},
        "best": plan.goals[0]["best"] if plan.goals else float("nan"),
        "binding": ", ".join(rule for rule in tight if rule not in missed),
        "missed": ", ".join(missed),
    }
