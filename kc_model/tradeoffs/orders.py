"""Ready orders of goals: the law's own, the most disbursed, the least changed."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from kc_model import reference
from kc_model.allocate import Planner
from kc_model.cells import build_cells
from kc_model.errors import Address, Fault, InputError, raise_faults
from kc_model.money import to_unit
from kc_model.results import Allocation
from kc_model.scenario import Goal, Scenario
from kc_model.tables import CELL_KEYS, Dataset
from kc_model.tradeoffs.walk import Progress, Walk
from kc_model.wording import Language, say
from kc_model.words import Words

__all__ = ["Preset", "PresetComparison", "compare_presets", "presets"]

_COLUMNS = {"place": "priority_place", "industry": "priority_industry"}
_POPULATION = "population"
_MEASURES = {"disbursed": 1.0, "evenness": 1.0, "change": -1.0, "priority": 1.0}
"""What presets are held against each other by; −1 where less is better."""


@dataclass(frozen=True)
class Preset:
    """A ready order of goals.

    Parameters
    ----------
    id : {"law", "disbursed", "steady"}
    goals : tuple of Goal
        Empty where the data do not carry it.
    faults : tuple of Fault
        What the data lack for it, and what to fill in.
    """

    id: str
    goals: tuple[Goal, ...]
    faults: tuple[Fault, ...] = ()

    def label(self, language: Language = "vi") -> str:
        """Return its name."""
        return say(f"tradeoffs.presets.{self.id}.label", language)

    def ground(self, language: Language = "vi") -> str:
        """Return its legal ground, and what is assumed in it."""
        if self.id != "law":
            return say(f"tradeoffs.presets.{self.id}.ground", language)
        rows = reference.law("priority")
        amended = "; ".join(dict.fromkeys("; ".join(rows["amended_by"]).split("; ")))
        return say("tradeoffs.presets.law.ground", language, amended=amended)

    def apply(self, scenario: Scenario) -> Scenario:
        """Return the scenario with these goals in place of its own.

        Raises
        ------
        InputError
            Where the data lack what the preset needs.
        """
        raise_faults(self.faults)
        return replace(scenario, goals=self.goals)


def presets(data: Dataset) -> tuple[Preset, ...]:
    """Return the ready orders of goals for a dataset.

    - ``law``: Circular 46/2012/TT-BCT article 6.3: places of class a, b, c, d in this order, then
      industries of Decree 45/2012 article 6.2 b, then a, as in `reference.law` ("priority"). Each
      is "the most disbursed there": money goes first where the law says, but no further than it
      can be spent. Then all disbursement, then least change. It needs the attribute
      ``priority_place`` (a, b, c, d or blank; in places.csv, or cells.csv where a province is not
      of one class) and takes ``priority_industry`` (b, a or blank; cells.csv) where there is one.
      The law ranks districts and communes; which class a province or cell counts as is for the
      planner to say. Cleaner production has no rank in the law and none here.
    - ``disbursed``: most disbursed, then most even per head (with a ``population`` in places.csv),
      then least change.
    - ``steady``: least change, then most disbursed.

    Parameters
    ----------
    data : Dataset
    """
    most, still = Goal("maximise", "disbursed"), Goal("minimise", "change")
    even = [Goal("maximise", "evenness", per=_POPULATION)] if _people(data) is not None else []
    faults: list[Fault] = []
    ranked = _ranked(data, faults)
    return (
        Preset("law", () if faults else (*ranked, most, still), tuple(faults)),
        Preset("disbursed", (most, *even, still)),
        Preset("steady", (still, most)),
    )


def _people(data: Dataset) -> pd.Series | None:
    """Return the population of every place that tells one."""
    if _POPULATION not in data.places.columns:
        return None
    people = data.places.set_index("place")[_POPULATION]
    if not pd.api.types.is_numeric_dtype(people) or not (people > 0).any():
        return None
    return people[people > 0]


def _ranked(data: Dataset, faults: list[Fault]) -> list[Goal]:
    """Return one goal for each class that the data have, in the law's order."""
    law = reference.law("priority")
    law = law[law["order"].notna()].sort_values("order")
    goals = []
    for kind, classes in law.groupby("kind", sort=False)["class"]:
        name, known = _COLUMNS[str(kind)], list(classes)
        found = _classes(data, name)
        if found is None and kind == "place":
            values = {"column": name, "choices": ", ".join(known)}
            faults.append(Fault("no-priority-classes", Address(), values))
        unclear = sorted((found or set()) - set(known))
        if unclear:
            at = Address(_file(data, name), column=name)
            values = {"found": ", ".join(unclear), "choices": ", ".join(known)}
            faults.append(Fault("unclear-priority", at, values))
        where = [{name: (code,)} for code in known if code in (found or ())]
        goals += [Goal("maximise", "disbursed", where=one) for one in where]
    return goals


def _file(data: Dataset, name: str) -> str:
    return "places.csv" if name in data.places.columns else "cells.csv"


def _classes(data: Dataset, name: str) -> set[str] | None:
    """Return the classes that stand in the data; None: no such column, or nothing in it."""
    frame = data.places if name in data.places.columns else data.cells
    if name not in frame.columns:
        return None
    filled = frame[name].dropna().astype(str)
    return set(filled[filled != ""]) or None


# ---------------------------------------------------------------------------- against each other


@dataclass(frozen=True)
class PresetComparison:
    """The presets and the scenario's own goals held against each other; see `compare_presets`.

    Parameters
    ----------
    plans : mapping of str to Allocation
        ``scenario`` (its own goals) and every preset that has a plan, or the reason why none.
    refused : mapping of str to tuple of Fault
        Presets that the data do not carry.
    measures : DataFrame
        What `table` returns.
    complete : bool
        False where it was interrupted.
    """

    presets: tuple[Preset, ...]
    plans: Mapping[str, Allocation] = field(repr=False)
    refused: Mapping[str, tuple[Fault, ...]]
    measures: pd.DataFrame = field(repr=False)
    complete: bool = True

    def table(self) -> pd.DataFrame:
        """Return what every order of goals gives.

        Returns
        -------
        DataFrame
            preset, status, then disbursed (expected), evenness (least money per head of a place),
            change (Σ |amount − baseline|), priority (money to places or cells of any class of the
            law), each in the user's unit and followed by ``..._cost``: how much worse than the
            best of them (0: the best). NaN where it cannot be told.
        """
        return self.measures

    def sentences(self, language: Language = "vi") -> list[str]:
        """Return what each preset costs against the others, and what it rests on."""
        return list(_on_presets(self, language))


def compare_presets(
    planner: Planner,
    scenario: Scenario,
    *,
    progress: Progress | None = None,
    time_limit: float = 60.0,
) -> PresetComparison:
    """Return the plans of the scenario's own goals and of every preset, held against each other.

    Parameters
    ----------
    planner : Planner
    scenario : Scenario
    progress : callable (name of the step, share done) or None
    time_limit : float, seconds
        For each plan.

    Raises
    ------
    InputError
        If the scenario itself has faults.
    """
    ready = presets(planner.data)
    plans: dict[str, Allocation] = {}
    refused: dict[str, tuple[Fault, ...]] = {}
    with Walk(planner, "presets", len(ready) + 1, progress, time_limit) as walk:
        if scenario.goals:
            plans["scenario"] = walk.plan(scenario)
        for preset in ready:
            try:
                plans[preset.id] = walk.plan(preset.apply(scenario))
            except InputError as error:
                refused[preset.id] = error.faults
    frame = build_cells(planner.data, scenario.year, scenario.month(planner.as_of), []).frame
    rows = [
        {"preset": name, "status": plan.status, **_measured(plan, frame)}
        for name, plan in plans.items()
    ]
    return PresetComparison(ready, plans, refused, _with_costs(rows), walk.complete)


def _with_costs(rows: list[dict[str, object]]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["preset", "status", *_MEASURES])
    for name, sign in _MEASURES.items():
        numbers = sign * table[name].astype("float64")
        table[f"{name}_cost"] = numbers.max() - numbers
    pairs = [(name, f"{name}_cost") for name in _MEASURES]
    return table[["preset", "status", *(name for pair in pairs for name in pair)]]


def _measured(plan: Allocation, frame: pd.DataFrame) -> dict[str, float]:
    if plan.status != "optimal":
        return dict.fromkeys(_MEASURES, float("nan"))
    cells, keys = plan.cells, list(CELL_KEYS)
    change = (cells["amount"] - cells["baseline"]).abs().sum()
    measures = {
        "disbursed": float(cells["expected_disbursed"].sum(skipna=False)),
        "evenness": _least(cells, _people(plan.data)),
        "change": float(change),
        "priority": float("nan"),
    }
    if _COLUMNS["place"] in frame.columns:
        ranked = frame.loc[frame[_COLUMNS["place"]].fillna("").astype(str) != "", keys]
        inside = pd.MultiIndex.from_frame(cells[keys]).isin(pd.MultiIndex.from_frame(ranked))
        measures["priority"] = float(cells.loc[inside, "amount"].sum())
    return {name: to_unit(value, plan.unit) for name, value in measures.items()}


def _least(cells: pd.DataFrame, people: pd.Series | None) -> float:
    if people is None:
        return float("nan")
    money = cells.groupby(["year", "place"], sort=False)["amount"].sum()
    each = (
        money.astype("float64") / people.reindex(money.index.get_level_values("place")).to_numpy()
    )
    return float(np.nanmin(each)) if each.notna().any() else float("nan")


def _on_presets(found: PresetComparison, language: Language) -> Iterator[str]:
    own = say("tradeoffs.presets.scenario", language)
    labels = {"scenario": own, **{one.id: one.label(language) for one in found.presets}}
    table = found.table()
    for row in table.to_dict("records"):
        words = Words.of(found.plans[row["preset"]], language)
        name = labels[row["preset"]]
        if row["status"] != "optimal":
            yield words.say(
                "tradeoffs.presets.none",
                name=name,
                status=words.say(f"tradeoffs.status.{row['status']}"),
            )
            continue
        yield words.say("tradeoffs.presets.gives", name=name, parts="; ".join(_parts(row, words)))
    for preset in found.presets:
        yield f"{labels[preset.id]}: {preset.ground(language)}"
        for fault in found.refused.get(preset.id, ()):
            yield f"{labels[preset.id]}: {fault.text(language)}"
    if not found.complete:
        yield say("tradeoffs.cut", language, count=len(table))


def _parts(row: Mapping[Hashable, Any], words: Words) -> Iterator[str]:
    """Yield what a preset gives by each measure, and how much that is worse than the best."""
    for name in _MEASURES:
        if np.isnan(row[name]):
            continue
        show = words.each if name == "evenness" else words.money
        given = words.say(f"tradeoffs.presets.measures.{name}", value=show(row[name]))
        cost = row[f"{name}_cost"]
        if cost > 1e-6 * max(1.0, abs(row[name])) or (name == "evenness" and cost > 0):
            given += words.say("tradeoffs.presets.cost", cost=show(cost))
        yield given
