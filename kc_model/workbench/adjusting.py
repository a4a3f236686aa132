"""The plan mid-year: the switch, and the list of moves with who decides; each can be refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from itertools import takewhile
from typing import Any

import ipywidgets
import pandas as pd

from kc_model.errors import InputError
from kc_model.money import SHOWN, unit_name
from kc_model.moves import RANKS, moves, refuse
from kc_model.reference import source_order
from kc_model.results import Allocation
from kc_model.scenario import Budget, Goal, Rule, Scenario
from kc_model.tables import Dataset
from kc_model.wording import Language, say
from kc_model.words import DIGITS, Words, grounds
from kc_model.workbench import screen
from kc_model.workbench.deciding import is_refusal
from kc_model.workbench.editing import read_number
from kc_model.workbench.marking import month_label
from kc_model.workbench.picking import Group, Picked, Picks

__all__ = ["Adjusting", "at_month", "months_known"]

_HEADS = {
    "from": "text",
    "to": "text",
    "source": "fixed",
    "amount": "number",
    "gain": "number",
    "reason": "text",
}
_APART = ("cut", "kept", "added")  # no moves: money leaves the plan, or comes to it
_WHOLE = -1  # the whole year; a value None would mean that nothing is chosen
_FEW, _CHANGE = Goal("minimise", "moves"), "minimise change"
# Of plans that move as few lines the one most disbursed; what no rule asks for and next to nothing
# is gained by stays where it is.
_SPENT = Goal("maximise", "disbursed", give=Decimal("0.00000001"))
_LITTLE = Decimal("0.001")  # of a goal: without any give, the lines that its best needs all move
_REFUSE, _REFUSED, _LEAD = "refuse", "refused", "lead"
_LEADING = 10  # moves that stand before all groups where there are more than twice as many
_SLOW = 0.5  # of what is added: where less is expected to be disbursed, the list says so first
_NAMED = 3  # lines of those that are named
_VIEWS = {"": "all", "ticked": _REFUSED}


def months_known(data: Dataset, year: int) -> list[int]:
    """Return the months of a year that have figures: those a plan can be adjusted after."""
    months = data.history.loc[data.history["year"] == year, "month"]
    return sorted({int(month) for month in months if 1 <= int(month) <= 12})


def at_month(
    scenario: Scenario, data: Dataset, month: int | None, language: Language
) -> tuple[Scenario, list[str]]:
    """Return a scenario at a month of the year, or for all of it, and what that changes beside.

    Moves that were refused were those of the month before. An office cannot ask for hundreds of
    moves: mid-year the plan of money is one of few lines, unless the tick is taken away.
    """
    held = tuple(rule for rule in scenario.rules if not is_refusal(rule))
    found, told = replace(scenario, as_of=month, rules=held), list[str]()
    is_choice = len(data.projects) > 0 and scenario.projects != "ignore"
    if (scenario.as_of is None) != (month is None) and not is_choice:
        found = _with_few(found, is_asked=month is not None)
        if found.goals != scenario.goals:
            told.append(_say("few_on" if month is not None else "few_off", language))
    if dropped := len(scenario.rules) - len(held):
        stood = month_label(scenario, language)
        told.append(_say("dropped", language, count=dropped, month=stood))
    return found, told


def _with_few(scenario: Scenario, *, is_asked: bool) -> Scenario:
    """Return the scenario with the goal of few moves in place of little change, or the other way.

    Where no goal before it may lose anything, that of disbursement may lose a little. Of plans
    with as few moves the one most disbursed is the best, if disbursement is a goal at all, but for
    next to nothing: of money that gains no more than that none is moved.
    """
    old, new = (_CHANGE, _FEW) if is_asked else (_FEW.name, replace(_FEW, what="change"))
    goals = [new if goal.name == old else goal for goal in scenario.goals]
    goals += [new] if is_asked and new not in goals else []
    spent = [goal for goal in goals if goal.name == _SPENT.name]
    if is_asked:
        is_last = any(goal.name == _SPENT.name for goal in goals[goals.index(new) :])
        goals += [_SPENT] if spent and not is_last else []
    elif _SPENT in spent[1:] and goals[-1] == _SPENT:
        goals.pop()
    before = list(takewhile(lambda goal: goal != new, goals))
    if is_asked and not any(goal.give for goal in before):
        goals[: len(before)] = [
            replace(goal, give=_LITTLE) if goal.what == "disbursed" else goal for goal in before
        ]
    return replace(scenario, goals=tuple(goals))


class Adjusting(ipywidgets.VBox):  # type: ignore[misc]
    """Switches between the whole year and a month of it, and lists what would then move.

    Parameters
    ----------
    switch : callable (month or None) -> None
        Told the last month known; None: the plan is for the whole year.
    take : callable (Scenario) -> None
        Told the scenario once a move was refused, or accepted again, or fewer were asked for.

    Attributes
    ----------
    month : Dropdown
        The desk puts it elsewhere.
    few : Checkbox
        Asks for a plan of few moves: one more goal of the scenario.
    least : Text
        Smaller moves are not listed; the plan makes them all the same.
    listed : Picks
        The largest moves, then all by who decides, and by the place that gives (of new money: that
        gets it).
    told : Text
        What the plan moves in all; the desk puts it elsewhere.
    hidden : Text
        What is not listed.
    """

    def __init__(
        self,
        switch: Callable[[int | None], None],
        take: Callable[[Scenario], None],
    ) -> None:
        self._take, self._is_quiet = take, False
        self._scenario: Scenario | None = None
        self._shown: tuple[Allocation, Scenario, pd.DataFrame, Language] | None = None
        wide = {"description_width": "initial"}
        self.month = ipywidgets.Dropdown(
            options=[("", _WHOLE)], style=wide, layout={"width": "500px"}
        )
        self.month.observe(
            lambda change: None if self._is_quiet else switch(_month(change["new"])), "value"
        )
        self.least = ipywidgets.Text(style=wide, layout={"width": "380px"}, continuous_update=False)
        self.least.observe(lambda _change: self._list(), "value")
        self.few = ipywidgets.Checkbox(indent=False, layout={"width": "auto"})
        self.few.observe(lambda change: self._ask_few(is_asked=change["new"]), "value")
        self.told, self.hidden = screen.Text(), screen.Text()
        self.listed = Picks(self._ticked)
        self._limit = screen.row(self.least, self.hidden)
        super().__init__([self.few, self._limit, self.listed])
        self.hide()

    def stand_at(self, data: Dataset, scenario: Scenario, language: Language) -> None:
        """Offer the months that have figures; show at which of them the screen stands."""
        as_of = scenario.as_of
        known = {*months_known(data, scenario.year), *([] if as_of is None else [as_of])}
        stands = [(replace(scenario, as_of=_month(one)), one) for one in (_WHOLE, *sorted(known))]
        names = [(month_label(stand, language), one) for stand, one in stands]
        options = [(name[:1].upper() + name[1:], one) for name, one in names]
        self._is_quiet = True
        if self.month.options != tuple(options):
            self.month.options = options
        self.month.value = _WHOLE if as_of is None else as_of
        self.few.value = _is_few(scenario)
        self._is_quiet = False
        self.month.description = _say("switch", language)
        self.few.description = _say("few", language)
        self._scenario = scenario
        self.month.layout.display = "" if known else "none"
        self.layout.display = "" if as_of is not None else "none"
        if as_of is None:
            self.hide()

    def hide(self) -> None:
        """Show no list: there is no plan that it could be of."""
        self._shown, self.told.value = None, ""
        self._limit.layout.display = self.listed.layout.display = "none"

    def wait_for(self, language: Language) -> None:
        """Say that the list is being made; that of the plan before stands there grey."""
        self.told.value = screen.message([_say("pending", language)])
        self.listed.greyed = True  # a class that Python gives is not taken away from its like
        self.hidden.add_class("kc-grey")

    def show(self, plan: Allocation, scenario: Scenario, language: Language) -> None:
        """Show what a plan moves.

        Parameters
        ----------
        plan : Allocation
            Of a month of the year, status "optimal".
        scenario : Scenario
            With the moves refused so far.
        """
        self._shown = plan, scenario, moves(plan, language), language
        unit = unit_name(SHOWN[plan.unit], language)
        self._limit.layout.display = ""
        self.listed.greyed = False
        self.hidden.remove_class("kc-grey")
        self.least.description = _say("least", language, unit=unit)
        self.listed.name("moves", unit, _HEADS, (_REFUSE,), _VIEWS, language)
        self._list()

    def _list(self) -> None:
        """List the moves that are large enough, and say what the others come to."""
        if self._shown is None:
            return
        plan, scenario, found, language = self._shown
        typed, any_money = self.least.value.strip(), Budget(Decimal(0), {})
        try:
            least = plan.scenario.round_to  # less is rounding, nobody decides that
            if typed:
                least = read_number(typed, "amount", any_money, plan.unit, language)
        except InputError as error:
            self.hidden.value = screen.message([error.faults[0].told(language)], "stop")
            return
        teller = _Teller(plan, found, float(least or 0), language)
        refused = [rule for rule in scenario.rules if is_refusal(rule)]
        rows = [*teller.lines(), *map(teller.refused, refused)]
        told = _say("shown", language, count=len(rows))
        self.listed.show(list(teller.groups(len(refused))), rows, told)
        self.told.value = "".join(
            (
                screen.message([teller.total(), *teller.sums_told()]),
                screen.message(list(teller.slow()), "warn"),
            )
        )
        self.hidden.value = screen.message(teller.hidden())

    def _ticked(self, key: str, code: str) -> None:
        """Refuse a move, or let one that was refused be made again."""
        if self._shown is None:
            return
        plan, scenario, _, _ = self._shown
        if code:
            # Only the rules: name and notes of the plan's scenario say what the screen has changed.
            rules = refuse(plan, [int(key)]).rules
        else:
            rules = tuple(rule for rule in scenario.rules if rule.id != key)
        self._take(replace(scenario, rules=rules))

    def _ask_few(self, *, is_asked: bool) -> None:
        """Put the goal of few moves in place of that of little change, or the other way."""
        if self._is_quiet or self._scenario is None:
            return
        self._take(_with_few(self._scenario, is_asked=is_asked))


def _is_few(scenario: Scenario) -> bool:
    return any(goal.name == _FEW.name for goal in scenario.goals)


def _month(chosen: int) -> int | None:
    return None if chosen == _WHOLE else chosen


def _say(key: str, language: Language, **values: object) -> str:
    return say(f"screen.moves.{key}", language, **values)


class _Teller:
    """Says what a plan moves: who decides on it, from where to where, and why."""

    def __init__(
        self, plan: Allocation, found: pd.DataFrame, least: float, language: Language
    ) -> None:
        self.plan, self.language, self.least = plan, language, least
        self.words = Words.of(plan, language)
        projects = plan.data.projects
        self.names = dict(zip(projects["id"], projects["name"], strict=True))
        giver = found["from_place"].where(found["from_place"] != "", found["to_place"])
        leaves = found["to_place"] == ""
        part = found["who_decides"].mask(leaves, "kept").mask(leaves & found["is_cut"], "cut")
        part = part.mask(found["from_place"] == "", "added")
        self.found = found.assign(at=giver, is_small=found["amount"] < least, part=part)
        self.large = self.found[~self.found["is_small"]].sort_values(
            "amount", ascending=False, kind="stable"
        )
        moved = self.large[~self.large["part"].isin(_APART)]
        self.lead = moved.head(_LEADING if len(moved) > 2 * _LEADING else 0)
        self.rest = self.large.drop(self.lead.index)

    def total(self) -> str:
        """Say what is moved; beside it what leaves the plan or comes to it."""
        moved = self.found[~self.found["part"].isin(_APART)]
        told = [
            _say(
                "total" if len(moved) else "none",
                self.language,
                **self.sums(moved),
                month=self.plan.as_of,
            )
        ]
        for part in _APART:
            own = self.found[self.found["part"] == part]
            if len(own):
                told.append(_say(f"apart.{part}", self.language, **self.sums(own)))
        return " ".join(told)

    def sums_told(self) -> Iterator[str]:
        """Yield what is moved by fund, and by who decides, where there are several."""
        moved = self.found[~self.found["part"].isin(_APART)]
        for key, name in (("source", "export.sources"), ("who_decides", "moves.who")):
            codes = [one for one in (*source_order(), *RANKS) if (moved[key] == one).any()]
            parts = [
                _say(
                    "sum", self.language, name=say(f"{name}.{one}", self.language),
                    **self.sums(moved[moved[key] == one]),
                )
                for one in codes
            ]  # fmt: skip
            if len(parts) > 1:
                yield _say(f"by.{key}", self.language, parts="; ".join(parts))

    def slow(self) -> Iterator[str]:
        """Say what is added where less than half of it is expected to be disbursed."""
        own = self.large[self.large["chance"] < _SLOW]
        if own.empty:
            return
        ends = [(self.end(row, "to"), row["source"]) for _, row in own.iterrows()]
        parts = [part for _, part in own.groupby(pd.Series(ends, own.index), sort=False)]
        parts.sort(key=lambda part: -float(part["amount"].sum()))
        told = [
            _say(
                "slow_line", self.language, name=self.end(part.iloc[0], "to"),
                source=say(f"export.sources.{part['source'].iloc[0]}", self.language),
                share=self.words.percent(float(part["chance"].iloc[0]), 0), **self.sums(part),
            )
            for part in parts[:_NAMED]
        ]  # fmt: skip
        rest = parts[_NAMED:]
        if rest:
            told.append(_say("slow_more", self.language, count=len(rest)))
        values = self.sums(own) | {"count": len(parts), "parts": "; ".join(told)}
        yield _say("slow", self.language, **values)

    def hidden(self) -> list[str]:
        """Say what is not listed, so that it and what is listed add up to the plan's moves."""
        small = self.found[self.found["is_small"]]
        if small.empty:
            return []
        least, listed = self.words.money(self.least), self.sums(self.large)
        told = {"listed": listed["count"], "money": listed["amount"], "least": least}
        return [_say("hidden", self.language, **self.sums(small), **told)]

    def groups(self, refused: int) -> Iterator[Group]:
        """Yield the largest moves; who decides, and under that who gives, the largest sum first."""
        is_shut = None if self.lead.empty else True
        if is_shut:
            told = _say("lead", self.language, **self.sums(self.lead))
            yield Group(_LEAD, told, is_shut=False)
        for who in (*RANKS, *_APART):
            own = self.found[self.found["part"] == who]
            if own.empty:
                continue
            rest, small = self.rest[self.rest["part"] == who], own[own["is_small"]]
            lead = self.lead[self.lead["part"] == who]
            decide = [one for one in RANKS if (own["who_decides"] == one).any()]
            names = ", ".join(say(f"moves.who.{one}", self.language) for one in decide)
            told = _say(
                "group", self.language, who=names, **self.sums(own), basis=grounds(own["basis"])
            )
            if who in _APART:
                head = _say(f"apart.{who}", self.language, **self.sums(own))
                told = f"{head} {told}"
            for key, part in (("part_lead", lead), ("part_hidden", small)):
                told += _say(key, self.language, **self.sums(part)) if len(part) else ""
            yield Group(who, told, is_shut=is_shut)
            sums = rest.groupby("at", sort=False)["amount"].sum()
            for place in sums.sort_values(ascending=False, kind="stable").index:
                inside = self.sums(rest[rest["at"] == place])
                told = _say("sum", self.language, name=self.words.name(place, "place"), **inside)
                yield Group(f"{who}|{place}", told, over=who, is_shut=is_shut)
        if refused:
            yield Group(_REFUSED, _say("views.refused", self.language))

    def sums(self, part: pd.DataFrame) -> dict[str, object]:
        amount = float(part["amount"].sum())
        told = self.words.money(amount)
        if amount and told == self.words.money(0.0):  # to the đồng, not as nothing
            told = self.words.exact(amount)
        return {"count": len(part), "amount": told}

    def lines(self) -> Iterator[Picked]:
        """Yield the moves that are listed, the largest first."""
        for number, row in self.large.iterrows():
            ends = [self.end(row, side) for side in ("from", "to")]
            source = say(f"export.sources.{row['source']}", self.language)
            numbers = [self.words.amount(float(row[key])) for key in ("amount", "gain")]
            if numbers[0] == self.words.amount(0.0):
                least = self.words.amount(self.words.one / 10 ** DIGITS[self.words.unit])
                numbers[0] = _say("tiny", self.language, least=least)
            reason, group = str(row["reason"]), f"{row['part']}|{row['at']}"
            if number in self.lead.index:
                who = say(f"moves.who.{row['who_decides']}", self.language)
                group, reason = _LEAD, _say("decides", self.language, who=who, reason=reason)
            cells = (*ends, source, *numbers, reason)
            boxes = (_REFUSE,) if row["refusable"] else ()
            yield Picked(str(number), group, cells, "on", "", boxes)

    def refused(self, rule: Rule) -> Picked:
        text, basis = self.words.retold(rule.text), self.words.retold(rule.basis)
        cells = (text, "", "", "", "", basis)
        return Picked(rule.id, _REFUSED, cells, "off", _REFUSE, (_REFUSE,))

    def end(self, row: pd.Series[Any], side: str) -> str:
        """Return where money comes from or goes: a project, or a place and an area."""
        if not row[f"{side}_place"]:
            return _say(f"nowhere.{side if side == 'from' else row['part']}", self.language)
        place, area = (self.words.name(row[f"{side}_{key}"], key) for key in ("place", "area"))
        own = [self.project(row.get(f"{side}_project")), place, area, row.get(f"{side}_activity")]
        return " – ".join(str(part) for part in own if part)

    def project(self, one: str | None) -> str:
        return f"{one}. {self.names[one]}" if one else ""
