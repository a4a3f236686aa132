"""Scenarios to begin with where nobody has written one: the plan in force, the next year."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pandas as pd

from kc_model import reference
from kc_model.cells import build_cells
from kc_model.errors import Fault
from kc_model.money import MILLION, UNITS
from kc_model.problem import PARTIAL
from kc_model.projects import management_rules
from kc_model.scenario import Budget, Goal, Rule, Scenario
from kc_model.tables import Dataset, Note
from kc_model.wording import LANGUAGES, say

__all__ = ["STARTERS", "starters"]

STARTERS = ("", "+1")
"""Keys of the scenarios: no file is called so."""

# Less would move money for next to nothing, more would keep it where it stays unspent.
_GOALS = (Goal("maximise", "disbursed", give=Decimal("0.001")), Goal("minimise", "change"))
_KEPT = {  # what a plan may not take from the weak unless somebody says so
    "san-dia-ban": (("place",), Decimal("0.9"), None, "directive"),
    "gioi-han": (("place", "area"), Decimal("0.7"), Decimal("1.3"), "preference"),
}
_GRIDS = (MILLION, 100_000, 10_000, 1_000, 1)  # VND


def starters(data: Dataset) -> dict[str, Scenario]:
    """Return the plan in force as a scenario, and the same money for the year after it.

    National money is one pot, local money every place's own; the goals are most disbursement, then
    least change, with the law's share of management, a floor for every place and limits of change.
    Amounts are rounded to a million VND where those of the plan in force are, else as finely.
    What they rest on stands in their notes.

    Returns
    -------
    dict of str to Scenario
        By `STARTERS`; empty where there is no plan.
    """
    frames = [data.tables[name] for name in ("cells", "history") if len(data.tables[name])]
    years = [int(year) for frame in frames for year in frame["year"].dropna()]
    budgets = _budgets(data, max(years)) if years else ()
    if not any(row.amount for row in budgets):
        return {}
    laws = tuple(_law(data, max(years)))
    cut = {area for law in laws if law.tier != "law" for area in law.where["area"]}
    rules = (*laws, *_rules(_others(data, max(years), cut)))
    projects = "ignore" if _is_partial(data, max(years)) else ""
    grid = _grid(data, max(years), is_list=not projects)
    now = Scenario("", max(years), budgets, rules=rules, goals=_GOALS, round_to=grid)
    return {
        key: replace(
            now,
            name=_say(f"{which}_name", year=now.year + ahead),
            year=now.year + ahead,
            notes=(_note(which, now.year),),
            projects=projects,
        )
        for ahead, (key, which) in enumerate(zip(STARTERS, ("starter", "next"), strict=True))
    }


def _budgets(data: Dataset, year: int) -> tuple[Budget, ...]:
    faults: list[Fault] = []
    cells = build_cells(data, year, None, faults).frame
    apart = cells["place"].where(cells["source"] == "KCDP", "")
    sums = cells["baseline"].groupby([cells["source"], apart], sort=False).sum()
    sums = sums.sort_index(level=0, key=_rank, sort_remaining=False, kind="stable")
    return tuple(
        Budget(
            Decimal(amount) / UNITS[data.unit],
            {**({"place": (place,)} if place else {}), "source": (source,)},
        )
        for (source, place), amount in zip(sums.index.tolist(), sums.tolist(), strict=True)
    )


def _grid(data: Dataset, year: int, *, is_list: bool) -> Decimal:
    """Return the coarsest step that the plan in force, and the projects listed, stand on."""
    cells = build_cells(data, year, None, []).frame
    parts = [cells[name] for name in ("baseline", "min", "max")]
    parts += [data.projects[name] for name in ("support", "min_support")] if is_list else []
    vnd = pd.concat(parts).dropna().astype("int64")
    step = next(step for step in _GRIDS if not (vnd % step).any())
    return Decimal(step) / UNITS[data.unit]


def _is_partial(data: Dataset, year: int) -> bool:
    """Whether the projects listed can take less than the plan has in their cells."""
    keys = ["place", "area", "source"]
    faults: list[Fault] = []
    plan = build_cells(data, year, None, faults).frame.groupby(keys)["baseline"].sum()
    named = data.projects.assign(place=data.projects["place"].str.split(";"))
    named["support"] = named["support"] / named["place"].str.len()
    asked = named.explode("place").groupby(keys)["support"].sum()
    plan = plan.reindex(asked.index, fill_value=0)
    return bool((plan - asked).clip(lower=0).sum() > PARTIAL * plan.sum())


def _rank(sources: pd.Index[str]) -> pd.Index[int]:
    return sources.map({source: n for n, source in enumerate(reference.source_order())})


def _law(data: Dataset, year: int) -> Iterator[Rule]:
    """Yield the law's share of management, as a directive where the plan in force breaks it."""
    cells = build_cells(data, year, None, []).frame
    for rule in management_rules(date(year, 1, 1)):
        own = cells[cells["source"].isin(rule.where["source"])]
        is_it = own["area"].isin(rule.where["area"])
        if rule.max is not None and is_it.any():
            purse = own["place"] if rule.each else own["source"]
            spent = own["baseline"].where(is_it, 0).groupby(purse).sum()
            is_kept = (spent <= float(rule.max) * own["baseline"].groupby(purse).sum()).all()
            basis = f"{rule.basis}; {_say('law_passed')}"
            yield rule if is_kept else replace(rule, tier="directive", basis=basis)


def _others(data: Dataset, year: int, cut: Collection[str]) -> tuple[str, ...]:
    """Return the areas that no law cuts at once; none of them where it cuts nothing."""
    found = set(build_cells(data, year, None, []).frame["area"]) if cut else set()
    return tuple(one for one in reference.area_order() if one in found and one not in cut)


def _rules(areas: Sequence[str]) -> tuple[Rule, ...]:
    """Return what is kept, by area in these alone; none: in all."""
    return tuple(
        Rule(
            rule,
            where={"area": tuple(areas)} if "area" in each and areas else {},
            each=each,
            per="baseline",
            min=low,
            max=high,
            tier=tier,
            text=_say(f"{rule}-luat" if "area" in each and areas else rule),
            basis=_say("basis"),
        )
        for rule, (each, low, high, tier) in _KEPT.items()
    )


def _note(which: str, year: int) -> Note:
    texts = {one: say(f"screen.page.{which}_note", one, year=year) for one in LANGUAGES}
    return Note("assumed", texts["vi"], texts["en"], table="scenario")


def _say(key: str, **values: object) -> str:
    # A scenario is data, and data are Vietnamese.
    return say(f"screen.page.{key}", "vi", **values)
