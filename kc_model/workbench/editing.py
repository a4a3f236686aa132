"""Budgets, rules and goals as tables: what stands in a cell, and what typing there means.

Numbers are read digit by digit as decimals with the marks of the language on screen (2.500,5 in
Vietnamese); what cannot be read that way is refused at its cell and changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pandas as pd

from kc_model import reference
from kc_model.errors import Address, Fault, InputError
from kc_model.explain import renumbered, rule_texts
from kc_model.money import (
    SHOWN,
    UNITS,
    DecimalMark,
    NumberError,
    format_number,
    parse_money,
    parse_number,
)
from kc_model.scenario import TIERS, Budget, Goal, Rule, Scenario
from kc_model.tables import CELL_KEYS, Dataset
from kc_model.wording import LANGUAGES, Language, say
from kc_model.words import Words
from kc_model.workbench.deciding import is_decision
from kc_model.workbench.levers import Lever, RuleLever
from kc_model.workbench.screen import GridCell, GridColumn
from kc_model.workbench.selecting import read_selection, selection_text

__all__ = [
    "ACTIONS",
    "TABLES",
    "columns_of",
    "edited",
    "number_columns",
    "read_number",
    "read_twice",
    "rows_of",
]

TABLES: Mapping[str, tuple[str, ...]] = {
    "budget": ("what", "amount", "text", "basis", "drop"),
    "rules": ("what", "min", "max", "tier", "text", "basis", "drop"),
    "goals": ("what", "where", "column", "level", "give", "up", "down", "drop"),
}
"""The columns of each table, named like the scenario's own lists; the first names its rows."""

ACTIONS: Mapping[str, int] = {"up": -1, "down": 1, "drop": 0}
"""Columns that act on their row, and by how many lines the row goes on."""

Entry = Budget | Rule | Goal

_KINDS = {
    "what": "fixed",
    "tier": "choice",
    "column": "choice",
    **dict.fromkeys(("amount", "min", "max", "level", "give"), "number"),
    **dict.fromkeys(ACTIONS, "action"),
}
_MARKS: Mapping[Language, DecimalMark] = {"vi": "comma", "en": "point"}
_BLANK = GridCell("", "–")  # what a goal has no use for


def columns_of(table: str, data: Dataset, language: Language) -> list[GridColumn]:
    """Return the columns of a table.

    Parameters
    ----------
    table : {"budget", "rules", "goals"}
    """
    words = Words(data.unit, data.vintage, language)
    columns = number_columns(data) if table == "goals" else ()
    options = {
        "tier": tuple(say(f"explain.tiers.{tier}", language) for tier in TIERS),
        "column": tuple(words.column(name) for name in columns),
    }
    return [
        GridColumn(
            say(f"screen.edit.{table}.{key}", language),
            _KINDS.get(key, "text"),
            options.get(key, ()),
        )
        for key in TABLES[table]
    ]


def number_columns(data: Dataset) -> tuple[str, ...]:
    """Return the columns that a goal can count or divide by: numbers told of places and cells."""
    frames = (data.places, data.cells)
    found = [
        str(name)
        for frame in frames
        for name in frame.columns
        if name not in CELL_KEYS
        and pd.api.types.is_numeric_dtype(frame[name])
        and frame[name].notna().any()
    ]
    return tuple(dict.fromkeys(found))


def rows_of(
    scenario: Scenario, table: str, data: Dataset, language: Language
) -> list[list[GridCell]]:
    """Return what stands in a table; parameters as for `columns_of`."""
    words = Words(data.unit, data.vintage, language)
    entries = getattr(scenario, table)
    return [
        [_cell(entries, number, key, words) for key in TABLES[table]]
        for number in range(len(entries))
    ]


def _cell(entries: Sequence[Entry], number: int, key: str, words: Words) -> GridCell:
    entry, language = entries[number], words.language
    if key in ACTIONS:
        is_idle = key != "drop" and not 0 <= number + ACTIONS[key] < len(entries)
        return GridCell("", "" if is_idle else say(f"screen.edit.any.{key}", language))
    if key == "what":
        name = _label(entry, number, words)
        return GridCell(name, name)
    if key == "tier":
        tier = say(f"explain.tiers.{getattr(entry, key)}", language)
        return GridCell(tier, tier)
    if isinstance(entry, Goal) and not _has(entry, key):
        return _BLANK
    if key == "column" and isinstance(entry, Goal):
        name = words.column(_column(entry))
        return GridCell(name, name)
    if _KINDS.get(key) == "number":
        value: Decimal | None = getattr(entry, key)
        if value is None:
            return GridCell("", "")
        lever = _lever(entry, words.given)
        amounts = [one.amount for one in entries if isinstance(one, Budget)]
        digits = max(map(lever.digits, amounts), default=0)  # that show every budget in full
        return GridCell(lever.number(value, language), lever.shown(value, language, digits))
    if key == "where" and isinstance(entry, Goal):
        text = selection_text(entry.where, words)
        return GridCell(text, text or say("screen.edit.any.everywhere", language))
    text = words.retold(str(getattr(entry, key)))
    return GridCell(text, text)


def _label(entry: Entry, number: int, words: Words) -> str:
    if isinstance(entry, Goal):
        return f"{number + 1}. {words.goal(entry.name)}"
    if isinstance(entry, Rule):
        bare = entry if is_decision(entry) else replace(entry, text="")
        told = rule_texts([bare], words)[entry.id]
        return told or entry.text or entry.id
    return words.selection(entry.where)


def _has(goal: Goal, key: str) -> bool:
    """Whether a goal has any use for a column of its table."""
    return bool({"column": _column(goal), "level": goal.what == "risk"}.get(key, True))


def _column(goal: Goal) -> str:
    """Return the data's column that a goal counts or divides by; "" for none."""
    kind, _, name = goal.what.partition(":")
    return name if kind == "column" else goal.per


def _lever(entry: Entry, unit: str) -> Lever:
    """Return what reads and writes a number of a row: money, a share in percent, or a number."""
    if isinstance(entry, Budget):
        return Lever(entry.amount, "money", unit)
    if isinstance(entry, Goal):
        return Lever(entry.give, "share", unit)
    side = "min" if entry.min is not None else "max"
    lever = RuleLever.of(entry, side, unit)
    return lever if lever is not None else Lever(Decimal(0), "money", unit)


def edited(
    scenario: Scenario,
    table: str,
    where: tuple[int, int],
    text: str,
    data: Dataset,
    language: Language,
) -> Scenario:
    """Return the scenario with one cell filled in anew; or with a row moved or removed.

    Parameters
    ----------
    table : {"budget", "rules", "goals"}
    where : (row, column)
        From 0; in a column of `ACTIONS` it acts on the row.
    text : str
        As typed.
    data : Dataset
        An amount that names no unit is in that in which its own are shown.
    language : {"vi", "en"}
        Whose decimal mark counts.

    Raises
    ------
    InputError
        As `read_number` or `read_selection`; not-one-of, no-bound, rule-min-above-max, last-budget,
        not-of-this-goal; the scenario is as it was.
    """
    row, key = where[0], TABLES[table][where[1]]
    if key in ACTIONS:
        return _with(scenario, table, _acted(getattr(scenario, table), row, key))
    entries = list(getattr(scenario, table))
    entry = entries[row]
    if isinstance(entry, Goal) and not _has(entry, key):
        if text.strip() in {"", _BLANK.shown}:
            return scenario
        values = {"goal": Words(data.unit, data.vintage, language).goal(entry.name)}
        raise InputError([Fault("not-of-this-goal", Address(column=key), values)])
    read = _read(entry, key, text, (scenario, data), language)
    entries[row] = replace(entry, **read)
    if isinstance(entry, Rule):
        old, new = (getattr(one, key, None) for one in (entry, entries[row]))
        if key in ("min", "max") and old is not None and new is not None:
            told = renumbered(entry.text, old, new, entry.kind, data.unit)
            entries[row] = replace(entries[row], text=told)
        _check(entries[row], data.unit, language)
    return _with(scenario, table, entries)


def _with(scenario: Scenario, table: str, entries: Sequence[Entry]) -> Scenario:
    changes: dict[str, Any] = {table: tuple(entries)}
    return replace(scenario, **changes)


def _read(
    entry: Entry, key: str, text: str, about: tuple[Scenario, Dataset], language: Language
) -> dict[str, Any]:
    """Return what typing says of a row: field -> value."""
    scenario, data = about
    plain = " ".join(text.split())
    if key == "tier":
        names = {tier: [tier, *_spelled(f"explain.tiers.{tier}")] for tier in TIERS}
        return {"tier": _one_of(plain, names, key, language)}
    if key == "column" and isinstance(entry, Goal):
        both = [Words(data.unit, data.vintage, one) for one in LANGUAGES]
        names = {
            name: [name, *(words.column(name) for words in both)] for name in number_columns(data)
        }
        name = _one_of(plain, names, key, language)
        return {"per": name} if entry.per else {"what": f"column:{name}"}
    if key == "where":
        return {"where": read_selection(plain, scenario, data)}
    if _KINDS.get(key) == "number":
        return {key: read_number(text.strip(), key, entry, data.unit, language)}
    return {key: plain}


def _acted(entries: tuple[Entry, ...], row: int, key: str) -> tuple[Entry, ...]:
    """Return rows with one moved or removed; something has to be spent."""
    rest = entries[:row] + entries[row + 1 :]
    if key == "drop":
        if not rest and isinstance(entries[row], Budget):
            raise InputError([Fault("last-budget", Address())])
        return rest
    to = min(max(row + ACTIONS[key], 0), len(rest))
    return rest[:to] + entries[row : row + 1] + rest[to:]


def read_number(text: str, key: str, entry: Entry, unit: str, language: Language) -> Decimal | None:
    """Read a number as a planner writes it, exactly; a share is typed in percent.

    Parameters
    ----------
    key : {"amount", "min", "max", "level", "give"}
    entry : Budget, Rule or Goal
        What the number is of; its bound says what it counts.
    unit : str
        The dataset's.
    language : {"vi", "en"}
        Whose decimal mark counts.

    Returns
    -------
    Decimal or None
        None for nothing typed where a rule may be left open; for nothing typed of a goal what it
        is when nobody says.

    Raises
    ------
    InputError
        typed-nothing, typed-number, fraction-of-dong, amount-too-large, scenario-negative,
        typed-share.
    """
    if text == _BLANK.shown or (not text and isinstance(entry, Budget)):
        raise InputError([Fault("typed-nothing", Address(column=key))])
    if not text and isinstance(entry, Rule):
        return None
    if not text and isinstance(entry, Goal):
        return Decimal(getattr(Goal(entry.sense, entry.what), key))
    kind, mark = _lever(entry, unit).kind, _MARKS[language]
    try:
        if kind == "money":
            value = Decimal(parse_money(text, SHOWN[unit], mark)) / UNITS[unit]
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
    if isinstance(entry, Goal) and value >= 1:
        raise InputError([Fault("typed-share", Address(column=key), {"found": text})])
    return value


def read_twice(text: str, language: Language) -> str:
    """Say how a share below 1 is read and how it may be meant; "" where only one is likely."""
    try:
        value = Decimal(0) if "%" in text else parse_number(text, _MARKS[language])
    except NumberError:
        return ""
    if not 0 < value < 1:
        return ""
    read, meant = (format_number(one, None, language) for one in (value, 100 * value))
    return say("screen.edit.twice", language, read=read, meant=meant)


def _spelled(key: str) -> list[str]:
    return [say(key, language) for language in LANGUAGES]


def _one_of(text: str, names: Mapping[str, Sequence[str]], key: str, language: Language) -> str:
    """Return the code that a text names, in any language, if need be without its marks."""
    for common in (str.casefold, lambda one: reference.plain(one).casefold()):
        found = [code for code, known in names.items() if common(text) in map(common, known)]
        if len(found) == 1:
            return found[0]
    at = LANGUAGES.index(language) - len(LANGUAGES)  # the last ones are those of the languages
    values = {"found": text, "choices": ", ".join(known[at] for known in names.values())}
    raise InputError([Fault("not-one-of", Address(column=key), values)])


def _check(rule: Rule, unit: str, language: Language) -> None:
    if rule.min is None and rule.max is None:
        raise InputError([Fault("no-bound", Address(), {"id": rule.id})])
    if rule.min is not None and rule.max is not None and rule.min > rule.max:
        lever = _lever(rule, unit)
        shown = {side: lever.shown(getattr(rule, side), language) for side in ("min", "max")}
        raise InputError([Fault("rule-min-above-max", Address(), {"id": rule.id, **shown})])
