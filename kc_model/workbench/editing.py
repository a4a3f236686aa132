"""Budgets and rules as tables to be filled in: what stands in a cell, and what typing there means.

Numbers are read digit by digit as decimals with the marks of the language on screen (2.500,5 in
Vietnamese); what cannot be read that way is refused at its cell and changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

from kc_model import reference
from kc_model.errors import Address, Fault, InputError
from kc_model.money import UNITS, DecimalMark, NumberError, parse_money, parse_number
from kc_model.scenario import TIERS, Budget, Rule, Scenario
from kc_model.wording import LANGUAGES, Language, say
from kc_model.workbench.levers import Lever, RuleLever
from kc_model.workbench.screen import GridCell, GridColumn

__all__ = ["TABLES", "budget_label", "columns_of", "edited", "read_number", "rows_of"]

TABLES: Mapping[str, tuple[str, ...]] = {
    "budget": ("what", "amount", "text", "basis", "drop"),
    "rules": ("what", "min", "max", "tier", "text", "basis", "drop"),
}
"""The columns of each table, the one that names its rows first, the one that removes them last."""

_KINDS = {
    "what": "fixed",
    "amount": "number",
    "min": "number",
    "max": "number",
    "tier": "choice",
    "drop": "action",
}
_MARKS: Mapping[Language, DecimalMark] = {"vi": "comma", "en": "point"}


def columns_of(table: str, language: Language) -> list[GridColumn]:
    """Return the columns of a table.

    Parameters
    ----------
    table : {"budget", "rules"}
    language : {"vi", "en"}
    """
    tiers = tuple(say(f"explain.tiers.{tier}", language) for tier in TIERS)
    return [
        GridColumn(
            say(f"screen.edit.{table}.{key}", language),
            _KINDS.get(key, "text"),
            tiers if key == "tier" else (),
        )
        for key in TABLES[table]
    ]


def rows_of(
    scenario: Scenario, table: str, unit: str, vintage: str, language: Language
) -> list[list[GridCell]]:
    """Return what stands in a table.

    Parameters
    ----------
    scenario : Scenario
    table : {"budget", "rules"}
    unit, vintage : str
        The dataset's.
    language : {"vi", "en"}
    """
    if table == "budget":
        return [
            [_cell(row, key, unit, vintage, language) for key in TABLES[table]]
            for row in scenario.budget
        ]
    return [
        [_cell(rule, key, unit, vintage, language) for key in TABLES[table]]
        for rule in scenario.rules
    ]


def _cell(entry: Budget | Rule, key: str, unit: str, vintage: str, language: Language) -> GridCell:
    if key == "what":
        name = entry.id if isinstance(entry, Rule) else budget_label(entry, vintage, language)
        return GridCell(name, name)
    if key == "tier":
        tier = say(f"explain.tiers.{getattr(entry, key)}", language)
        return GridCell(tier, tier)
    if key == "drop":
        return GridCell("", say("screen.edit.any.drop", language))
    if _KINDS.get(key) == "number":
        value: Decimal | None = getattr(entry, key)
        if value is None:
            return GridCell("", "")
        lever = _lever(entry, unit)
        return GridCell(lever.number(value, language), lever.shown(value, language))
    text = str(getattr(entry, key))
    return GridCell(text, text)


def _lever(entry: Budget | Rule, unit: str) -> Lever:
    """Return what reads and writes a number of a row: money, a share in percent, or a number."""
    if isinstance(entry, Budget):
        return Lever(entry.amount, "money", unit)
    side = "min" if entry.min is not None else "max"
    lever = RuleLever.of(entry, side, unit)
    return lever if lever is not None else Lever(Decimal(0), "money", unit)


def budget_label(row: Budget, vintage: str, language: Language) -> str:
    """Return a budget by what it may be spent on: its fund, place and area.

    Parameters
    ----------
    row : Budget
    vintage : str
        Of the place codes.
    language : {"vi", "en"}
    """
    names = {
        "source": lambda code: reference.source_name(code, language),
        "place": lambda code: reference.place_name(code, vintage, language),
        "area": lambda code: reference.area_name(code, language),
    }
    known = {"source": reference.source_order(), "area": reference.area_order()}
    known["place"] = reference.place_order(vintage)
    parts = []
    for key in sorted(row.where, key=lambda key: (key != "source", key)):
        shown = [
            names[key](code) if code in known.get(key, ()) else code for code in row.where[key]
        ]
        parts.append("; ".join(shown))
    return " – ".join(parts) or say("screen.total", language)


def edited(
    scenario: Scenario, table: str, where: tuple[int, int], text: str, unit: str, language: Language
) -> Scenario:
    """Return the scenario with one cell of a table filled in anew; or with one row fewer.

    Parameters
    ----------
    scenario : Scenario
    table : {"budget", "rules"}
    where : (row, column)
        From 0; in the last column the row is removed.
    text : str
        As typed.
    unit : str
        The dataset's; of an amount that names none.
    language : {"vi", "en"}
        Whose decimal mark counts.

    Raises
    ------
    InputError
        typed-number, fraction-of-dong, amount-too-large, scenario-negative, not-one-of, no-bound,
        rule-min-above-max or last-budget; the scenario is as it was.
    """
    row, key = where[0], TABLES[table][where[1]]
    if key == "drop":
        return _without(scenario, table, row)
    entries: Sequence[Budget | Rule] = scenario.budget if table == "budget" else scenario.rules
    entry = entries[row]
    value: object = " ".join(text.split())
    if key == "tier":
        value = _tier(str(value))
    elif _KINDS.get(key) == "number":
        value = read_number(text.strip(), key, entry, unit, language)
    changed = replace(entry, **{key: value})  # type: ignore[arg-type]
    if isinstance(changed, Rule):
        _check(changed, unit, language)
        rules = tuple(changed if n == row else one for n, one in enumerate(scenario.rules))
        return replace(scenario, rules=rules)
    budget = tuple(changed if n == row else one for n, one in enumerate(scenario.budget))
    return replace(scenario, budget=budget)


def _without(scenario: Scenario, table: str, row: int) -> Scenario:
    """Return the scenario without one row; something has to be spent."""
    if table == "rules":
        return replace(scenario, rules=scenario.rules[:row] + scenario.rules[row + 1 :])
    if len(scenario.budget) == 1:
        raise InputError([Fault("last-budget", Address())])
    return replace(scenario, budget=scenario.budget[:row] + scenario.budget[row + 1 :])


def read_number(
    text: str, key: str, entry: Budget | Rule, unit: str, language: Language
) -> Decimal | None:
    """Read a number as a planner writes it, exactly; a share is typed in percent.

    Parameters
    ----------
    text : str
    key : {"amount", "min", "max"}
    entry : Budget or Rule
        What the number is of; its bound says what it counts.
    unit : str
        The dataset's.
    language : {"vi", "en"}
        Whose decimal mark counts.

    Returns
    -------
    Decimal or None
        None for nothing typed where a rule may be left open.

    Raises
    ------
    InputError
        typed-number, fraction-of-dong, amount-too-large, scenario-negative.
    """
    if not text and isinstance(entry, Rule):
        return None
    kind, mark = _lever(entry, unit).kind, _MARKS[language]
    try:
        if kind == "money":
            value = Decimal(parse_money(text, unit, mark)) / UNITS[unit]
        else:
            value = parse_number(text, mark)
            if kind == "share" and "%" not in text:
                value /= 100
    except NumberError as error:
        known = error.code in {"fraction-of-dong", "amount-too-large"}
        code = error.code if known else f"typed-number-{_MARKS[language]}"
        raise InputError([Fault(code, Address(column=key), {"found": text})]) from None
    if value < 0:
        values = {"key": say(f"screen.edit.any.{key}", language), "found": text}
        raise InputError([Fault("scenario-negative", Address(column=key), values)])
    return value


def _tier(text: str) -> str:
    for tier in TIERS:
        if text.casefold() in {say(f"explain.tiers.{tier}", one).casefold() for one in LANGUAGES}:
            return tier
    choices = ", ".join(say(f"explain.tiers.{tier}") for tier in TIERS)
    values = {"found": text, "choices": choices}
    raise InputError([Fault("not-one-of", Address(column="tier"), values)])


def _check(rule: Rule, unit: str, language: Language) -> None:
    if rule.min is None and rule.max is None:
        raise InputError([Fault("no-bound", Address(), {"id": rule.id})])
    if rule.min is not None and rule.max is not None and rule.min > rule.max:
        lever = _lever(rule, unit)
        shown = {side: lever.shown(getattr(rule, side), language) for side in ("min", "max")}
        raise InputError([Fault("rule-min-above-max", Address(), {"id": rule.id, **shown})])
