"""The plan mid-year: the switch, and the list of moves with who decides; each can be refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import ipywidgets
import pandas as pd

from kc_model import reference
from kc_model.money import format_number, unit_name
from kc_model.moves import moves, refuse
from kc_model.results import Allocation
from kc_model.scenario import Rule, Scenario
from kc_model.tables import Dataset
from kc_model.wording import Language, say
from kc_model.workbench import screen
from kc_model.workbench.deciding import is_refusal
from kc_model.workbench.marking import month_label
from kc_model.workbench.picking import Picked, Picks

__all__ = ["Adjusting", "months_known"]

_HEADS = {
    "from": "text",
    "to": "text",
    "source": "fixed",
    "amount": "number",
    "gain": "number",
    "reason": "text",
}
_WHO = ("minister", "agency", "department", "province")
_WHOLE = -1  # the whole year; a value None would mean that nothing is chosen
_REFUSE, _REFUSED = "refuse", "refused"


def months_known(data: Dataset, year: int) -> list[int]:
    """Return the months of a year that have figures: those a plan can be adjusted after.

    Parameters
    ----------
    data : Dataset
    year : int
    """
    months = data.history.loc[data.history["year"] == year, "month"]
    return sorted({int(month) for month in months if 1 <= int(month) <= 12})


class Adjusting(ipywidgets.VBox):  # type: ignore[misc]
    """Switches between the whole year and a month of it, and lists what would then move.

    Parameters
    ----------
    switch : callable (month or None) -> None
        Told the last month known; None: the plan is for the whole year.
    take : callable (tuple of Rule) -> None
        Told the rules of the scenario once a move was refused, or accepted again.
    undo : callable () -> None

    Attributes
    ----------
    month : Dropdown
        The desk puts it elsewhere.
    listed : Picks
    told : Text
    """

    def __init__(
        self,
        switch: Callable[[int | None], None],
        take: Callable[[tuple[Rule, ...]], None],
        undo: Callable[[], None],
    ) -> None:
        self._take, self._is_quiet = take, False
        self._plan: Allocation | None = None
        self._rules: tuple[Rule, ...] = ()
        self.month = ipywidgets.Dropdown(
            options=[("", _WHOLE)],
            style={"description_width": "initial"},
            layout={"width": "500px"},
        )
        self.month.observe(
            lambda change: None if self._is_quiet else switch(_month(change["new"])), "value"
        )
        self.told, self.listed = screen.Text(), Picks(self._ticked, undo)
        super().__init__([self.told, self.listed])

    def stand_at(self, data: Dataset, scenario: Scenario, lang: Language) -> None:
        """Offer the months that have figures; show at which of them the screen stands."""
        as_of = scenario.as_of
        known = {*months_known(data, scenario.year), *([] if as_of is None else [as_of])}
        options = [
            (month_label(replace(scenario, as_of=_month(one)), lang), one)
            for one in (_WHOLE, *sorted(known))
        ]
        self._is_quiet = True
        if self.month.options != tuple(options):
            self.month.options = options
        self.month.value = _WHOLE if as_of is None else as_of
        self._is_quiet = False
        self.month.description = _say("switch", lang)
        self.month.layout.display = "" if known else "none"
        self.layout.display = "" if as_of is not None else "none"

    def show(self, plan: Allocation, scenario: Scenario, language: Language) -> None:
        """Show what a plan moves.

        Parameters
        ----------
        plan : Allocation
            Of a month of the year, status "optimal".
        scenario : Scenario
            With the moves refused so far.
        language : {"vi", "en"}
        """
        self._plan, self._rules = plan, scenario.rules
        heads = [(_say(f"heads.{key}", language), kind) for key, kind in _HEADS.items()]
        ticks, views = {_REFUSE: _say("refuse", language)}, ("", _REFUSED)
        unit = unit_name(plan.unit, language)
        self.listed.name(
            _say("title", language, unit=unit),
            _say("sought", language),
            heads,
            ticks,
            {"ticked" if key else "": _say(f"views.{key or 'all'}", language) for key in views},
        )
        found = moves(plan, language)
        teller = _Teller(plan, language)
        refused = [rule for rule in scenario.rules if is_refusal(rule)]
        rows = [teller.line(number, row) for number, row in found.iterrows()]
        rows += [teller.refused(rule) for rule in refused]
        groups = dict(teller.groups(found, len(refused)))
        self.listed.show(groups, rows, _say("shown", language, count=len(found)))
        money = teller.number(float(found["amount"].sum()))
        key = "total" if len(found) else "none"
        told = _say(key, language, count=len(found), amount=f"{money} {unit}", month=plan.as_of)
        self.told.value = screen.message([told])

    def _ticked(self, key: str, code: str) -> None:
        """Refuse a move, or let one that was refused be made again."""
        if code and self._plan is not None:
            # Only the rules: name and notes of the plan's scenario say what the screen has changed.
            self._take(refuse(self._plan, [int(key)]).rules)
        else:
            self._take(tuple(rule for rule in self._rules if rule.id != key))


def _month(chosen: int) -> int | None:
    return None if chosen == _WHOLE else chosen


def _say(key: str, language: Language, **values: object) -> str:
    return say(f"screen.moves.{key}", language, **values)


class _Teller:
    def __init__(self, plan: Allocation, language: Language) -> None:
        self.plan, self.language = plan, language
        projects = plan.data.projects
        self.names = dict(zip(projects["id"], projects["name"], strict=True))

    def groups(self, found: pd.DataFrame, refused: int) -> Iterator[tuple[str, str]]:
        """Yield who decides, with how many moves of how much."""
        for who in _WHO:
            own = found[found["who_decides"] == who]
            if len(own):
                name = say(f"moves.who.{who}", self.language)
                amount = self.number(float(own["amount"].sum()))
                unit = unit_name(self.plan.unit, self.language)
                values = {"who": name, "count": len(own), "amount": f"{amount} {unit}"}
                grounds = "; ".join(dict.fromkeys(own["basis"]))
                yield who, _say("group", self.language, **values, basis=grounds)
        if refused:
            yield _REFUSED, _say("views.refused", self.language)

    def line(self, number: Any, row: pd.Series[Any]) -> Picked:
        ends = [self.end(row, side) for side in ("from", "to")]
        gain = "–" if pd.isna(row["gain"]) else self.number(float(row["gain"]))
        amount = self.number(float(row["amount"]))
        source = say(f"export.sources.{row['source']}", self.language)
        cells = (*ends, source, amount, gain, str(row["reason"]))
        return Picked(str(number), str(row["who_decides"]), cells, "on", "", (_REFUSE,))

    def refused(self, rule: Rule) -> Picked:
        cells = (rule.text, "", "", "", "", rule.basis)
        return Picked(rule.id, _REFUSED, cells, "off", _REFUSE, (_REFUSE,))

    def end(self, row: pd.Series[Any], side: str) -> str:
        """Return where money comes from or goes: a project, or a place and an area."""
        if not row[f"{side}_place"]:
            return _say(f"nowhere.{side}", self.language)
        place = reference.place_name(row[f"{side}_place"], self.plan.vintage, self.language)
        area = reference.area_name(row[f"{side}_area"], self.language)
        own = [self.project(row.get(f"{side}_project")), place, area, row.get(f"{side}_activity")]
        return " – ".join(str(part) for part in own if part)

    def project(self, one: str | None) -> str:
        return f"{one}. {self.names[one]}" if one else ""

    def number(self, amount: float) -> str:
        return format_number(round(amount, 1), None, self.language).replace("-", "−")
