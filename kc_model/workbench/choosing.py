"""The projects (đề án) of a plan as a list: what each asks, may be given and gets, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import ipywidgets
import pandas as pd

from kc_model import reference
from kc_model.explain import tell_ended
from kc_model.export.tree import numeral
from kc_model.money import SHOWN, format_number, to_unit, unit_name
from kc_model.projects import offers_at
from kc_model.results import Allocation
from kc_model.scenario import Scenario
from kc_model.tables import Dataset, as_rows
from kc_model.wording import Language, say
from kc_model.words import Words
from kc_model.workbench import screen
from kc_model.workbench.deciding import HELD, IN, OUT, decided
from kc_model.workbench.picking import Group, Picked, Picks

__all__ = ["Choosing"]

_HEADS = {
    "name": "text",
    "place": "fixed",
    "source": "fixed",
    "asked": "number",
    "allowed": "number",
    "amount": "number",
    "reason": "text",
}
_VIEWS = {"": "all", "on": "chosen", "off": "left", "ticked": "ticked"}


class Choosing(ipywidgets.VBox):  # type: ignore[misc]
    """Lists every project by area, and lets a planner force it in or out.

    Parameters
    ----------
    take : callable (id, choice) -> None
        Told ``in``, ``out`` or "" for a project.
    by_list : callable (bool) -> None
        Told whether projects are chosen at all, or money goes to cells.

    Attributes
    ----------
    by_list : Checkbox
    listed : Picks
    told : Text
        How many are chosen, for how much, and how many of them a planner decided; the desk puts it
        elsewhere.
    """

    def __init__(self, take: Callable[[str, str], None], by_list: Callable[[bool], None]) -> None:
        self._rows: list[dict[str, Any]] = []
        self._about: tuple[Dataset, int | None] | None = None
        self.told, self.listed = screen.Text(), Picks(take)
        self.by_list = ipywidgets.Checkbox(indent=False, layout=ipywidgets.Layout(width="auto"))
        self.by_list.observe(lambda change: by_list(change["new"]), "value")
        super().__init__([self.listed])

    def stand_at(self, scenario: Scenario, language: Language) -> None:
        """Stand at what a scenario says of projects; the desk does not listen meanwhile."""
        self.by_list.value = scenario.projects != "ignore"
        self.by_list.description = _say("by_list", language)
        for part in (self, self.told):
            part.layout.display = None if self.by_list.value else "none"

    def name_of(self, project: str) -> str:
        """Return what a project is called."""
        return next((str(row["name"]) for row in self._rows if row["id"] == project), "")

    def show(self, plan: Allocation, scenario: Scenario, language: Language) -> None:
        """Show what a plan makes of the projects.

        Parameters
        ----------
        plan : Allocation
            Without a plan the amounts are blank.
        scenario : Scenario
            What a planner has decided, as it is on screen now.
        """
        if self._about != (plan.data, plan.as_of):
            offers = offers_at(plan.data, plan.year, plan.as_of)
            self._rows, self._about = as_rows(offers.frame), (plan.data, plan.as_of)
        unit = unit_name(SHOWN[plan.unit], language)
        self.listed.name("projects", unit, _HEADS, (IN, OUT), _VIEWS, language)
        teller = _Teller(plan, decided(scenario), language)
        rows = sorted(self._rows, key=teller.order)
        told = _say("shown", language, count=teller.count(len(rows)))
        self.listed.show(list(teller.groups(rows)), [teller.line(row) for row in rows], told)
        said = [teller.total()] if len(plan.projects) else []
        if plan.status != "optimal":
            said.append(_say("clash" if plan.status == "infeasible" else "none", language))
        self.told.value = screen.message(said, "" if plan.status == "optimal" else "stop")


def _say(key: str, language: Language, **values: object) -> str:
    return say(f"screen.projects.{key}", language, **values)


class _Teller:
    """Says what a plan makes of each project."""

    def __init__(self, plan: Allocation, forced: Any, language: Language) -> None:
        self.plan, self.forced, self.language = plan, forced, language
        self.words = Words.of(plan, language)
        table = plan.project_table(language) if len(plan.projects) else pd.DataFrame()
        self.found = {str(row["id"]): row for row in as_rows(table)}
        whys = plan.whys
        self.barred = set(whys.loc[whys["barred"] != "", "id"]) if len(whys) else set[str]()
        self.areas = list(reference.area_order())

    def order(self, row: dict[str, Any]) -> tuple[int, bool, int]:
        """By area as in the ministry's list, those chosen first, then by the law's order."""
        area = row["area"]
        at = self.areas.index(area) if area in self.areas else len(self.areas)
        return at, not self.is_chosen(row), int(row["rank"])

    def is_chosen(self, row: dict[str, Any]) -> bool:
        return bool(self.found.get(str(row["id"]), {}).get("chosen", False))

    def amount(self, row: dict[str, Any]) -> int:
        amount = self.found.get(str(row["id"]), {}).get("amount")
        return 0 if amount is None or pd.isna(amount) else int(amount)

    def groups(self, rows: list[dict[str, Any]]) -> Iterator[Group]:
        """Yield every area with its Roman numeral, its projects and its money."""
        counts = Counter(row["area"] for row in rows)
        for number, area in enumerate(counts):
            inside = [row for row in rows if row["area"] == area]
            yield Group(
                area,
                _say(
                    "group" if len(self.found) else "open_group",
                    self.language,
                    roman=numeral("roman", number),
                    area=reference.area_name(area, self.language),
                    **self.numbers(inside),
                    amount=self.words.vnd(sum(map(self.amount, inside))),
                ),
            )

    def line(self, row: dict[str, Any]) -> Picked:
        one = str(row["id"])
        is_chosen, language = self.is_chosen(row), self.language
        places = [reference.place_name(p, self.plan.vintage, language) for p in row["places"]]
        least, most = (self.number(int(row[key])) for key in ("least", "most"))
        cells = (
            f"{one}. {row['name']}",
            "; ".join(places),
            say(f"export.sources.{row['source']}", language),
            self.number(int(row["support"])),
            (least if least == most else f"{least}–{most}") if row["eligible"] else "–",
            self.number(self.amount(row)) if is_chosen else "–",
            self.reason(one, is_chosen=is_chosen),
        )
        is_paid = bool(row["disbursed"])
        boxes = ((IN,) if is_paid else (IN, OUT)) if row["eligible"] else ()
        ticked = self.forced.get(one, "")
        ticked = "" if ticked == HELD else ticked
        open_ = tuple(dict.fromkeys((*boxes, ticked))) if ticked else boxes
        return Picked(one, row["area"], cells, "on" if is_chosen else "off", ticked, open_)

    def reason(self, one: str, *, is_chosen: bool) -> str:
        forced, found = self.forced.get(one, ""), self.found.get(one)
        if forced == OUT and one in self.barred:  # the plan says so, and what would be without
            return str(found["reason"]) if found else ""
        if forced == (IN if is_chosen else OUT) or (forced == HELD and self.found):
            return _say(f"decided.{forced}", self.language)
        return str(found["reason"]) if found else ""

    def total(self) -> str:
        rows = list(self.found.values())
        money = self.words.vnd(sum(map(self.amount, rows)))
        held = Counter(self.forced.values())
        told = _say("total", self.language, **self.numbers(rows), amount=money)
        asked = {"inside": self.count(held[IN]), "out": self.count(held[OUT])}
        told += f" {_say('asked', self.language, **asked)}" if held[IN] + held[OUT] else ""
        kept = self.count(held[HELD])
        return f"{told} {_say('held', self.language, count=kept)}" if held[HELD] else told

    def numbers(self, rows: list[dict[str, Any]]) -> dict[str, str]:
        """Return how many of some projects are chosen, and how many keep only what was paid."""
        paid = self.plan.ended
        ended = [paid[one] for one in (str(row["id"]) for row in rows) if one in paid]
        chosen = sum(map(self.is_chosen, rows)) - len(ended)
        return {
            "chosen": self.count(chosen),
            "count": self.count(len(rows)),
            "ended": tell_ended(ended, self.words),
        }

    def count(self, number: int) -> str:
        return format_number(number, 0, self.language)

    def number(self, amount: int) -> str:
        return self.words.amount(to_unit(amount, self.words.given))
