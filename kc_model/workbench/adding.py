"""New budgets, rules and goals: the few fields that a planner knows, and the row they make."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

import ipywidgets
import pandas as pd

from kc_model import reference
from kc_model.errors import InputError
from kc_model.money import SHOWN, UNITS, unit_name
from kc_model.scenario import GOALS, TIERS, Budget, Goal, Rule, Scenario, Where
from kc_model.tables import Dataset
from kc_model.wording import Language, say
from kc_model.words import Words
from kc_model.workbench import screen
from kc_model.workbench.desk import choices
from kc_model.workbench.editing import number_columns, read_number, read_twice

__all__ = ["NEW", "Adding", "Asked", "in_the_plan", "new_budget", "new_goal", "new_rule"]

_EACH = "each"
_KEYS = ("place", "area", "source")
_KINDS = ("least", "most", "least_share", "most_share", "fall", "rise", "projects")
_MONEY, _SHARES = _KINDS[:2], _KINDS[2:6]
_FAR = 3.0  # times the plan: an amount typed in another unit is a thousand times it
_BASELINE = "baseline"
_COLUMN = "column"
_GOALS = [f"{sense} {what}" for sense, kinds in GOALS.items() for what in kinds]
_GOALS.insert(len(GOALS["maximise"]), f"maximise {_COLUMN}")
_WITH_COLUMN = ("maximise evenness", f"maximise {_COLUMN}")


@dataclass(frozen=True)
class Asked:
    """What a planner filled in.

    Parameters
    ----------
    where : mapping of key to text
        place, area and source; "" for all of them, ``each`` (of place) for every one by itself.
    kind : str
        ``least`` and ``most`` (money), ``least_share`` and ``most_share`` (of what contains it),
        ``fall`` and ``rise`` (at most, against the baseline), ``projects`` (at least so many);
        of a goal its name, such as ``maximise evenness``.
    number : str
        As typed; shares in percent.
    tier : {"law", "directive", "preference"}
    column : str
        That a goal counts or divides by, where it does.
    """

    where: dict[str, str]
    kind: str
    number: str
    tier: str = "law"
    basis: str = ""
    column: str = ""


def new_rule(scenario: Scenario, asked: Asked, data: Dataset, language: Language) -> Scenario:
    """Return the scenario with one rule more, which is called by what it says.

    Parameters
    ----------
    data : Dataset
        Its unit and its places' names.
    language : {"vi", "en"}
        Whose decimal mark counts.

    Raises
    ------
    InputError
        See `read_number`; no-bound where no number was typed.
    """
    where = _selection(asked.where)
    each = ("place",) if asked.where.get("place") == _EACH else ()
    side = "max" if asked.kind in ("most", "most_share", "rise") else "min"
    plain = Rule(_free_id(scenario), where=where, each=each, tier=asked.tier)
    if asked.kind.endswith("share"):
        plain = replace(plain, of=_whole(where, each))
    elif asked.kind in ("fall", "rise"):
        plain = replace(plain, per=_BASELINE)
    elif asked.kind == "projects":
        plain = replace(plain, count="projects")
    blank = _bounded(plain, side, Decimal(0))  # says what is counted
    typed = read_number(asked.number.strip() or "–", side, blank, data.unit, language) or Decimal(0)
    bound = {"fall": 1 - typed, "rise": 1 + typed}.get(asked.kind, typed)
    plain = replace(plain, basis=" ".join(asked.basis.split()))
    rule = _bounded(plain, side, max(bound, Decimal(0)))
    return replace(scenario, rules=(*scenario.rules, rule))


def new_budget(scenario: Scenario, asked: Asked, data: Dataset, language: Language) -> Scenario:
    """Return the scenario with one budget more; parameters and errors as for `new_rule`."""
    where = _selection(asked.where)
    row = Budget(Decimal(0), where, basis=" ".join(asked.basis.split()))
    amount = read_number(asked.number.strip() or "–", "amount", row, data.unit, language)
    made = replace(row, amount=amount or Decimal(0))
    return replace(scenario, budget=(*scenario.budget, made))


def new_goal(scenario: Scenario, asked: Asked, _data: Dataset, _language: Language) -> Scenario:
    """Return the scenario with one goal more, the least important.

    Parameters are those of `new_rule`; only kind and column are read.
    """
    sense, _, what = asked.kind.partition(" ")
    per = asked.column if what == "evenness" else ""
    what = f"{_COLUMN}:{asked.column}" if what == _COLUMN else what
    return replace(scenario, goals=(*scenario.goals, Goal(sense, what, per=per)))


NEW = {"rules": new_rule, "budget": new_budget, "goals": new_goal}
"""What adds a row to each table."""


def _bounded(rule: Rule, side: str, bound: Decimal) -> Rule:
    return replace(rule, min=bound) if side == "min" else replace(rule, max=bound)


def _selection(asked: dict[str, str]) -> Where:
    return {key: (code,) for key, code in asked.items() if code not in ("", _EACH)}


def _whole(where: Where, each: Sequence[str]) -> Where:
    """Return what a share is of: the same place's or fund's money, whatever its area.

    Of a selection without an area: all money of its fund; of a fund alone: all money.
    """
    same: Where = {"place": ("same",)} if each else {}
    if "area" in where:
        return {**same, **{key: codes for key, codes in where.items() if key != "area"}}
    fund = {key: codes for key, codes in where.items() if key == "source"}
    return fund if "place" in where or each else {}


def _free_id(scenario: Scenario) -> str:
    taken, number = {rule.id for rule in scenario.rules}, 1
    while f"them-{number}" in taken:
        number += 1
    return f"them-{number}"


def _name(key: str, code: str, vintage: str, language: Language = "vi") -> str:
    if not code:
        return say(f"screen.adding.all.{key}", language)
    if key == "place":
        return reference.place_name(code, vintage, language)
    if key == "area":
        return reference.area_name(code, language)
    known = code in reference.source_order()
    return reference.source_name(code, language) if known else say("screen.adding.all.source")


class Adding(ipywidgets.VBox):  # type: ignore[misc]
    """The fields of a new row, and the buttons that add it as a rule or as a budget.

    Parameters
    ----------
    add : callable (table, Asked) -> None
        Told ``rules``, ``budget`` or ``goals``, and what was filled in.

    Attributes
    ----------
    fields : dict of str to Dropdown
        place, area and source.
    kind, tier, goal, column : Dropdown
    number, basis : Field
    add : dict of str to Button
        By table.
    echo : Text
        What the number is, in the plan's terms.
    said : Text
        Why it could not be added.
    """

    def __init__(self, add: Callable[[str, Asked], None]) -> None:
        wide = {"description_width": "initial"}
        self.fields = {
            key: ipywidgets.Dropdown(options=[("", "")], style=wide, layout={"width": "290px"})
            for key in _KEYS
        }
        self.kind = ipywidgets.Dropdown(options=[("", _KINDS[0])], style=wide)
        self.tier = ipywidgets.Dropdown(options=[("", TIERS[0])], style=wide)
        self.number = screen.Field(layout={"width": "300px"})
        self.goal = ipywidgets.Dropdown(options=[("", _GOALS[0])], style=wide)
        self.column = ipywidgets.Dropdown(options=[("", "")], style=wide)
        self.goal.observe(lambda _change: self._need_column(), "value")
        self.basis = screen.Field(layout={"width": "330px"})
        self.add = {
            table: ipywidgets.Button(icon="plus", layout={"width": "auto"}) for table in NEW
        }
        for table, button in self.add.items():
            button.on_click(lambda _button, table=table: add(table, self.asked(table)))
        self.said, self.title, self._goals = screen.Text(), screen.Text(), screen.Text()
        self.echo = screen.Text()
        self._offered: tuple[pd.DataFrame, Dataset, Language] | None = None
        self.number.observe(lambda _change: self._say_number(), "text")
        for field in (*self.fields.values(), self.kind):
            field.observe(lambda _change: self._say_number(), "value")
        super().__init__(
            [
                self.title,
                screen.row(*self.fields.values()),
                screen.row(self.kind, self.number, self.tier, self.basis),
                self.echo,
                screen.row(self.add["rules"], self.add["budget"]),
                self._goals,
                screen.row(self.goal, self.column, self.add["goals"]),
                self.said,
            ]
        )

    def asked(self, table: str) -> Asked:
        """Return what is filled in for a new row of a table."""
        if table == "goals":
            return Asked({}, str(self.goal.value), "", column=str(self.column.value))
        where = {key: str(field.value) for key, field in self.fields.items()}
        kind, tier = str(self.kind.value), str(self.tier.value)
        return Asked(where, kind, self.number.value, tier, self.basis.value)

    def offer(self, cells: pd.DataFrame, data: Dataset, language: Language) -> None:
        """Offer the places, areas and funds of a plan's cells, in this language."""
        orders: dict[str, Iterable[str]] = {
            "place": reference.place_order(data.vintage),
            "area": reference.area_order(),
            "source": reference.source_order(),
        }
        for key, field in self.fields.items():
            there = set(cells[key]) if len(cells) else set()
            found = [code for code in orders[key] if code in there]
            every = [(say("screen.adding.every", language), _EACH)] if key == "place" else []
            names = [(_name(key, code, data.vintage, language), code) for code in found]
            _set(field, [(_name(key, "", data.vintage, language), ""), *every, *names])
            field.description = say(f"screen.adding.fields.{key}", language)
        kinds = _KINDS if len(data.projects) else _KINDS[:-1]
        _set(self.kind, choices("screen.adding.kinds", kinds, language))
        _set(self.tier, choices("explain.tiers", TIERS, language))
        columns, words = number_columns(data), Words(data.unit, data.vintage, language)
        goals = [name for name in _GOALS if columns or name not in _WITH_COLUMN]
        _set(self.goal, [(_goal_kind(name, words), name) for name in goals])
        _set(self.column, [(words.column(name), name) for name in columns] or [("", "")])
        self._need_column()
        for name in ("kind", "tier", "basis", "goal", "column"):
            getattr(self, name).description = say(f"screen.adding.fields.{name}", language)
        self.title.value = screen.bullets(
            say("screen.adding.title", language), [say("screen.adding.hint", language)]
        )
        self._goals.value = screen.bullets(
            say("screen.adding.goals", language), [say("screen.adding.order", language)]
        )
        for table, button in self.add.items():
            button.description = say(f"screen.adding.add.{table}", language)
        self._offered = cells, data, language
        self._say_number()

    def _say_number(self) -> None:
        """Say in which unit the number is typed, and what it is once it is."""
        if self._offered is None:
            return
        cells, data, language = self._offered
        kind = str(self.kind.value)
        which = "share" if kind in _SHARES else "money" if kind in _MONEY else "projects"
        unit = unit_name(SHOWN[data.unit], language)
        label, example = (
            say(f"screen.adding.{key}.{which}", language, unit=unit)
            for key in ("number", "example")
        )
        self.number.description, self.number.placeholder = label, example
        told = in_the_plan(self.asked("rules"), cells, data, language)
        self.echo.value = screen.message([told], "warn" if "?" in told else "") if told else ""

    def _need_column(self) -> None:
        self.column.layout.display = "" if self.goal.value in _WITH_COLUMN else "none"


def in_the_plan(asked: Asked, cells: pd.DataFrame, data: Dataset, language: Language) -> str:
    """Say what an amount is beside the plan it would bind; of a share what it is read as.

    Parameters
    ----------
    cells : DataFrame
        place, area, source and baseline (VND) of the plan on screen.

    Returns
    -------
    str
        "" of nothing typed, of what cannot be read, and where there is no plan to hold it against.
    """
    text = asked.number.strip()
    if asked.kind in _SHARES:
        return read_twice(text, language)
    if asked.kind not in _MONEY or not len(cells):
        return ""
    try:
        typed = read_number(text, "amount", Budget(Decimal(0), {}), data.unit, language)
    except InputError:
        return ""
    for key, (code,) in _selection(asked.where).items():
        cells = cells[cells[key] == code]
    named = [
        _name(key, code, data.vintage, language) for key, (code,) in _selection(asked.where).items()
    ]
    plan = cells["baseline"].sum()
    if asked.where.get("place") == _EACH and len(cells):
        places = cells.groupby("place")["baseline"].sum()
        plan, most = places.max(), _name("place", str(places.idxmax()), data.vintage, language)
        named.append(say("screen.adding.largest", language, place=most))
    if not plan or typed is None:
        return ""
    words, ratio = (
        Words(data.unit, data.vintage, language),
        float(typed * UNITS[data.unit]) / float(plan),
    )
    values = {
        "share": words.percent(ratio),
        "where": ", ".join(named) or say("screen.adding.whole", language),
        "plan": words.money(plan / UNITS[data.unit]),
        "unit": unit_name(SHOWN[data.unit], language),
    }
    return say(f"screen.adding.{'far' if ratio >= _FAR else 'echo'}", language, **values)


def _goal_kind(name: str, words: Words) -> str:
    """Return what a kind of goal is called before its column is known."""
    is_column = name == f"maximise {_COLUMN}"
    told = say("screen.adding.by_column", words.language) if is_column else words.goal(name)
    return told[:1].upper() + told[1:]


def _set(field: ipywidgets.Dropdown, options: Sequence[tuple[str, str]]) -> None:
    """Offer options, keeping the choice where it is still there."""
    if tuple(options) != tuple(field.options):
        chosen = field.value
        field.options = options
        field.value = chosen if chosen in {code for _, code in options} else options[0][1]
