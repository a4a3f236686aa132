"""From one plan to another, change by change: which rule, budget, goal or figure moved what."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from kc_model.allocate import Planner
from kc_model.errors import InputError
from kc_model.money import to_unit
from kc_model.results import Allocation
from kc_model.scenario import Scenario
from kc_model.tradeoffs.changes import Change, changes_between
from kc_model.tradeoffs.walk import Progress, Walk
from kc_model.wording import Language
from kc_model.words import Words

__all__ = ["Bridge", "Spots", "build_bridge", "spots_of"]

_MOST = 6
"""Changes up to which every order is weighed: 64 plans."""
_KEYS = ["year", "place", "area", "activity", "source", "region"]

Spots = pd.DataFrame
"""A plan by cell: amount (Int64 VND) and expected_disbursed (float64 VND) by year to region."""


@dataclass(frozen=True)
class Bridge:
    """What every change did; see `build_bridge`.

    Parameters
    ----------
    changes : tuple of tuple of Change
        Each step's changes: one, or several that have no plan apart.
    steps : DataFrame
        For each step total, disbursed, moved (Int64 VND; <NA> where not known).
    weighed : bool
        Whether every order was weighed; otherwise the changes were made in the order they stand.
    """

    before: Allocation
    after: Allocation
    changes: tuple[tuple[Change, ...], ...]
    steps: pd.DataFrame = field(repr=False)
    weighed: bool

    def table(self, language: Language = "vi") -> pd.DataFrame:
        """Return the steps, in the user's unit.

        Returns
        -------
        DataFrame
            step (ids, joined by ``+``), label, total (change of all money), disbursed (change of
            what is expected to be disbursed), moved (part in the money that has left one cell for
            another at the end; below zero where the change took back what others moved), running
            (what is expected to be disbursed after the step, or all money where that is not
            known). First a row ``start``. Each column adds up to the difference of the plans to
            the đồng.
        """
        words = Words.of(self.after, language)
        labels = ["; ".join(change.label(words) for change in step) for step in self.changes]
        names = ["+".join(change.id for change in step) for step in self.changes]
        known = self.steps["disbursed"].notna().all()
        column = "expected_disbursed" if known else "amount"
        start = round(float(self.before.cells[column].sum()))
        running = start + self.steps["disbursed" if known else "total"].cumsum()
        money = self.steps.assign(running=running)
        head = pd.DataFrame({"total": [0], "disbursed": [0 if known else pd.NA], "moved": [0]})
        rows = pd.concat([head.assign(running=start).astype("Int64"), money], ignore_index=True)
        shown = {name: to_unit(rows[name], self.after.unit) for name in rows.columns}
        name = words.retold(self.before.scenario_name)
        first = words.say("tradeoffs.bridge.start", name=name)
        texts = {"step": ["start", *names], "label": [first, *labels]}
        return pd.DataFrame({**texts, **shown})

    def sentences(self, language: Language = "vi") -> list[str]:
        """Return what every change did, in sentences, and how it was found out."""
        words = Words.of(self.after, language)
        table = self.table(language)
        before = to_unit(int(self.before.cells["amount"].sum()), self.after.unit)
        is_known = bool(table["disbursed"].notna().all())
        columns = (
            table["label"].iloc[1:],
            map(words.signed, words.steps((before + table["total"].cumsum()).tolist())),
            map(words.signed, words.steps(table["running"].tolist())),
            (_moved(words, amount) for amount in table["moved"].iloc[1:]),
        )
        key = f"tradeoffs.bridge.{'step' if is_known else 'step_unknown'}"
        told = [
            words.say(key, label=label, total=total, disbursed=disbursed, moved=moved)
            for label, total, disbursed, moved in zip(*columns, strict=True)
        ]
        how = "alone" if len(self.changes) < 2 else "weighed" if self.weighed else "in_order"
        return (
            [*told, words.say(f"tradeoffs.bridge.{how}")]
            if told
            else [words.say("tradeoffs.bridge.nothing")]
        )


def _moved(words: Words, amount: float) -> str:
    """Say by how much a change adds to the money that goes from cell to cell; "" for nothing."""
    sign = words.sign(amount)
    key = f"tradeoffs.bridge.moved.{'less' if sign == '−' else 'more'}"
    return words.say(key, moved=words.money(abs(amount))) if sign else ""


def spots_of(plan: Allocation, year: int | None = None) -> Spots:
    """Return a plan by cell, its first year taken for `year`."""
    frame = plan.cells[[*_KEYS, "amount", "expected_disbursed"]]
    shift = 0 if year is None else year - plan.year
    return frame.assign(year=frame["year"] + shift).set_index(_KEYS)


def build_bridge(
    before: Allocation,
    after: Allocation,
    solved: dict[frozenset[int], Spots | None],
    progress: Progress | None,
    time_limit: float,
) -> Bridge:
    """Return what every difference of the two scenarios, then of data and forecast, did.

    Up to six changes of the scenario, each one's part is the mean over every order in which they
    can be made (Shapley, "A value for n-person games", 1953, formula 12), so that no order is
    preferred; the parts add up. Where there are more (budgets then count as one) or some of the
    steps between have no plan, they are made in one order: budgets, rules, goals, the rest; a
    change that has no plan yet is joined to the next one. Data and forecast come last. `moved` of
    a change is what it took from the cells that lose in the end, where the total rises; what it
    gave to those that gain, where the total falls; the mean of both where it stays the same. The
    parts add up to the lesser of all gains and all losses.

    Parameters
    ----------
    solved : dict
        Plans found so far by the numbers of the changes made; it is filled.
    progress : callable or None
    time_limit : float, seconds

    Raises
    ------
    KeyboardInterrupt
        When interrupted; `solved` keeps what was found.
    """
    changes = changes_between(before, after, _MOST)
    own = [n for n, change in enumerate(changes) if change.id != "data"]
    solved[frozenset()] = spots_of(before, after.year)
    solved[frozenset(range(len(changes)))] = spots_of(after)
    planner = Planner(before.data, before.outlook, as_of=before.as_of)
    walk = Walk(planner, "bridge", 2 ** len(own), progress, time_limit)

    def has_plan(made: frozenset[int]) -> bool:
        if made not in solved:
            solved[made] = _plan(walk, _mixed(before.scenario, changes, made), after.year)
        return solved[made] is not None

    subsets = [frozenset(part) for k in range(len(own) + 1) for part in combinations(own, k)]
    if len(own) <= _MOST:  # one after the other, so that most differ in numbers only
        subsets.sort(key=lambda made: str(_mixed(before.scenario, changes, made).shape))
    weighed = len(own) <= _MOST and all(map(has_plan, subsets))
    alone: list[tuple[int, ...]] = [(n,) for n in range(len(changes))]
    steps = alone if weighed else _in_order(len(changes), has_plan)
    frame = _shares(steps, own if weighed else [], solved)
    return Bridge(before, after, tuple(tuple(changes[n] for n in s) for s in steps), frame, weighed)


def _plan(walk: Walk, scenario: Scenario, year: int) -> Spots | None:
    try:
        plan = walk.plan(scenario)
    except InputError:  # a change that only makes sense with another one
        return None
    return spots_of(plan, year) if plan.status == "optimal" else None


def _mixed(scenario: Scenario, changes: Sequence[Change], made: frozenset[int]) -> Scenario:
    for n in sorted(made):
        scenario = changes[n].make(scenario)
    return scenario


def _in_order(count: int, has_plan: Callable[[frozenset[int]], bool]) -> list[tuple[int, ...]]:
    """Join every change to the next one until there is a plan."""
    steps: list[tuple[int, ...]] = []
    waiting: tuple[int, ...] = ()
    for n in range(count):
        waiting = (*waiting, n)
        if has_plan(frozenset(range(n + 1))):
            steps.append(waiting)
            waiting = ()
    return steps


def _shares(
    steps: Sequence[tuple[int, ...]], weighed: Sequence[int], solved: dict[frozenset[int], Any]
) -> pd.DataFrame:
    """Return what every step did, in whole đồng that add up."""
    vectors = _vectors({made: spots for made, spots in solved.items() if spots is not None})
    parts = []
    made: frozenset[int] = frozenset()
    for step in steps:
        if step[0] in weighed:
            parts.append(_mean_step(step[0], weighed, vectors))
        else:
            parts.append(vectors[made | set(step)] - vectors[made])
        made |= set(step)
    whole = vectors[made] - vectors[frozenset()]
    total = whole[:-1].sum()
    gave, took = (whole[:-1] > 0).astype(float), -(whole[:-1] < 0).astype(float)
    moves = took if total > 0 else gave if total < 0 else (gave + took) / 2
    columns = {
        "total": ([part[:-1].sum() for part in parts], total),
        "disbursed": ([part[-1] for part in parts], whole[-1]),
        "moved": ([moves @ part[:-1] for part in parts], moves @ whole[:-1]),
    }
    return pd.DataFrame({name: _whole(*column) for name, column in columns.items()})


def _vectors(solved: dict[frozenset[int], Spots]) -> dict[frozenset[int], NDArray[np.float64]]:
    """Return every plan's amounts over one list of cells, and behind them what it disburses."""
    cells = pd.MultiIndex.from_tuples(
        dict.fromkeys(cell for spots in solved.values() for cell in spots.index)
    )
    found = {}
    for made, spots in solved.items():
        amounts = spots["amount"].astype("float64").reindex(cells, fill_value=0.0).to_numpy()
        found[made] = np.append(amounts, spots["expected_disbursed"].sum(skipna=False))
    return found


def _mean_step(
    n: int, among: Sequence[int], vectors: dict[frozenset[int], NDArray[np.float64]]
) -> NDArray[np.float64]:
    """Return what change n does, over all orders in the mean: Σ k!(m−k−1)!/m! (v(S∪n) − v(S))."""
    others = [other for other in among if other != n]
    m = len(among)
    mean = np.zeros_like(vectors[frozenset()])
    for k in range(m):
        weight = math.factorial(k) * math.factorial(m - k - 1) / math.factorial(m)
        for part in map(frozenset, combinations(others, k)):
            mean += weight * (vectors[part | {n}] - vectors[part])
    return mean


def _whole(parts: Sequence[float], total: float) -> pd.Series:
    """Round to whole đồng so that the parts keep their sum; the largest fractions go up."""
    if np.isnan(total):
        return pd.Series([pd.NA] * len(parts), dtype="Int64")
    numbers = np.asarray(parts, dtype=np.float64)
    down = np.floor(numbers)
    left = round(total) - int(down.sum())
    first = np.argsort(down - numbers, kind="stable")
    share, rest = divmod(left, max(1, len(parts)))
    down[first[:rest]] += 1
    return pd.Series(down.astype(np.int64) + share, dtype="Int64")
