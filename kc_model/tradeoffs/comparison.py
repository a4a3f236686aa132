"""Two plans side by side: cell by cell, sum by sum, goal by goal, change by change."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from kc_model.errors import Fault, InputError
from kc_model.explain import tier_missed
from kc_model.money import to_unit
from kc_model.results import Allocation
from kc_model.tables import CELL_KEYS, in_order
from kc_model.tradeoffs.bridge import Bridge, Spots, build_bridge, spots_of
from kc_model.tradeoffs.walk import Progress
from kc_model.wording import Language
from kc_model.words import Words, noticed

__all__ = ["Comparison", "compare", "moved_in"]

_KEYS = ["year", "place", "area", "activity", "source", "region"]
_SAME = 1e-6  # of a goal: less is the same
_MORE = {"area": "area", "place": "place", "source": "purse"}


@dataclass(frozen=True)
class Comparison:
    """Two plans side by side; see `compare`.

    Parameters
    ----------
    cells : DataFrame
        Every cell of either plan in official order: year, place, area, activity, source, region;
        before, after, change (int64 VND; a cell that a plan does not have has 0 there),
        disbursed_before, disbursed_after, disbursed_change (float64 VND, NaN: not known).
    """

    before: Allocation
    after: Allocation
    cells: pd.DataFrame = field(repr=False)
    _solved: dict[frozenset[int], Spots | None] = field(
        default_factory=dict, repr=False, compare=False
    )

    @property
    def moved(self) -> int:
        """Money that left one cell for another, VND: the lesser of all gains and all losses."""
        return moved_in(self.cells["change"])

    @property
    def total(self) -> int:
        """Money that came in (above 0) or went out, VND: the difference of the totals."""
        return int(self.cells["change"].sum())

    def table(self) -> pd.DataFrame:
        """Return the cells that differ, in the user's unit, what loses most first."""
        changed = self.cells[self.cells["change"] != 0]
        return self._shown(changed.sort_values("change", kind="stable"), self._keys())

    def by(self, key: str) -> pd.DataFrame:
        """Return the sums for every value of a key, in the user's unit, losers first.

        Parameters
        ----------
        key : {"area", "place", "source", "region", "activity", "year"}

        Returns
        -------
        DataFrame
            The key, then before, after, change, disbursed_before, disbursed_after,
            disbursed_change.
        """
        numbers = [name for name in self.cells.columns if name not in _KEYS]
        groups = self.cells.groupby(key, sort=False)[numbers]
        sums = groups.sum(skipna=False).reset_index()
        return self._shown(sums.sort_values("change", kind="stable"), [key])

    def goals(self) -> pd.DataFrame:
        """Return what both achieve of the goals that both have.

        Returns
        -------
        DataFrame
            name, before, after, change (in the user's unit).
        """
        rows, rest = [], list(self.after.goals)
        for goal in self.before.goals:
            match = next((other for other in rest if other["name"] == goal["name"]), None)
            if match is not None:
                rest.remove(match)
                a, b = goal["achieved"], match["achieved"]
                rows.append({"name": goal["name"], "before": a, "after": b, "change": b - a})
        return pd.DataFrame(rows, columns=["name", "before", "after", "change"])

    def bridge(self, *, progress: Progress | None = None, time_limit: float = 60.0) -> Bridge:
        """Return which change moved how much money and expected disbursement.

        Takes up to 64 plans; interrupted (KeyboardInterrupt), it goes on where it was when called
        again. See `kc_model.tradeoffs.bridge.build_bridge`.

        Parameters
        ----------
        progress : callable (name of the step, share done) or None
        time_limit : float, seconds
            For each plan.
        """
        return build_bridge(self.before, self.after, self._solved, progress, time_limit)

    def sentences(self, language: Language = "vi") -> list[str]:
        """Return the difference in sentences: in all, by goal, who loses and who gains; not why.

        `bridge` has its own sentences, because it may take some time.
        """
        words = Words.of(self.after, language)
        if not self.cells["change"].any():
            return [words.say("tradeoffs.compare.same")]
        return [*self._on_totals(words), *self._on_goals(words), *self.on_changes(words)]

    def on_changes(self, words: Words) -> Iterator[str]:
        """Yield which areas, places and funds lose and gain, losers first."""
        cells = self.cells.rename(columns={"before": "baseline", "after": "amount"})
        for key in ("area", "place", "source"):
            sums = self.by(key)
            if len(sums) == 1:  # the total has said it
                continue
            told = noticed(cells, key, words.unit, self.after.rounding.get("step", 0))["told"]
            sums = sums[sums[key].map(told)]
            for side, part in (
                ("losers", sums[sums["change"] < 0]),
                ("winners", sums[sums["change"] > 0].iloc[::-1]),
            ):
                names = [
                    f"{words.name(code, key)} {words.signed(change)}"
                    for code, change in zip(part[key], part["change"], strict=True)
                ]
                if names:
                    yield words.say(
                        f"tradeoffs.compare.{side}.{key}", names=words.listed(names, _MORE[key])
                    )

    def _on_totals(self, words: Words) -> Iterator[str]:
        def part(key: str, vnd: int) -> str:
            return words.say(f"tradeoffs.compare.{key}", amount=words.vnd(abs(vnd)))

        total = self.total
        shift = part("shift" if self.moved else "no_shift", self.moved)
        whole = part("more" if total > 0 else "less" if total else "even", total)
        plans = {"before": self.before, "after": self.after}
        names = {which: words.retold(plan.scenario_name) for which, plan in plans.items()}
        yield words.say("tradeoffs.compare.head", **names, parts=f"{shift}; {whole}")
        columns = ("disbursed_before", "disbursed_after")
        ends = [float(self.cells[one].sum(skipna=False)) for one in columns]
        if not np.isnan(ends).any():
            (change,) = words.steps([to_unit(end, self.after.unit) for end in ends])
            yield words.say("tradeoffs.compare.disbursed", change=words.signed(change))

    def _on_goals(self, words: Words) -> Iterator[str]:
        """Yield what happens to every tier and goal that both have."""
        tiers = {tier["name"]: tier["shortfall"] for tier in self.after.tiers}
        for tier in self.before.tiers:
            before, after = tier["shortfall"], tiers.get(tier["name"], np.nan)
            if abs(after - before) > _SAME * max(1.0, before):
                values = {
                    "before": tier_missed(self.before, tier["name"], before, words.language),
                    "after": tier_missed(self.after, tier["name"], after, words.language),
                }
                name = words.say(f"explain.tiers.{tier['name']}")
                yield words.say("tradeoffs.compare.tier", tier=name, **values)
        pers = {goal.name: goal.per for goal in self.before.scenario.goals}
        for row in self.goals().to_dict("records"):
            name, change = str(row["name"]), float(row["change"])
            ends = [words.achieved(name, row[end], pers[name]) for end in ("before", "after")]
            if abs(change) <= _SAME * abs(row["before"]) or ends[0] == ends[1]:
                yield words.say("tradeoffs.compare.kept", goal=words.goal(name), before=ends[0])
                continue
            better = (change > 0) == name.startswith("maximise")
            yield words.say(
                f"tradeoffs.compare.{('better' if better else 'worse')}",
                goal=words.goal(name),
                before=ends[0],
                after=ends[1],
                change=words.gained(name, abs(change)),
            )

    def _keys(self) -> list[str]:
        keys = ["place", "area", "source"]
        if (self.cells["activity"] != "").any():
            keys.insert(2, "activity")
        return ["year", *keys] if (self.cells["year"] != self.after.year).any() else keys

    def _shown(self, frame: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
        numbers = [name for name in frame.columns if name not in _KEYS]
        shown = {name: to_unit(frame[name], self.after.unit) for name in numbers}
        return frame[keys].assign(**shown).reset_index(drop=True)


def moved_in(change: pd.Series[int]) -> int:
    """Return the lesser of all gains and all losses of cells, VND."""
    return int(min(change.clip(lower=0).sum(), -change.clip(upper=0).sum()))


def compare(before: Allocation, after: Allocation) -> Comparison:
    """Return two plans side by side.

    Parameters
    ----------
    before, after : Allocation
        Of status "optimal" and one vintage. Their units may differ: the second one's is shown.

    Raises
    ------
    InputError
        If one of them is no plan, or their places are of different vintages.
    """
    faults = [
        Fault("no-plan-to-compare", plan.scenario.at, {"name": plan.scenario_name})
        for plan in (before, after)
        if plan.status != "optimal"
    ]
    if before.vintage != after.vintage:
        values = {"before": before.vintage, "after": after.vintage}
        faults.append(Fault("other-vintage", after.scenario.at, values))
    if faults:
        raise InputError(faults)
    frames = []
    for side, plan in (("before", before), ("after", after)):
        frame = spots_of(plan, after.year).reset_index()
        names = {"amount": side, "expected_disbursed": f"disbursed_{side}"}
        frames.append(frame.rename(columns=names))
    cells = frames[0].merge(frames[1], how="outer", on=_KEYS, sort=False)
    for side in ("before", "after"):
        is_there = cells[side].notna()
        cells[f"disbursed_{side}"] = cells[f"disbursed_{side}"].where(is_there, 0.0)
        cells[side] = cells[side].fillna(0).astype("int64")
    cells["change"] = cells["after"] - cells["before"]
    cells["disbursed_change"] = cells["disbursed_after"] - cells["disbursed_before"]
    sides = ["before", "after", "change"]
    cells = cells[[*_KEYS, *sides, *(f"disbursed_{side}" for side in sides)]]
    cells = in_order(cells, CELL_KEYS, after.vintage).reset_index(drop=True)
    return Comparison(before, after, cells)
