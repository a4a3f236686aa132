"""The files of a scenario: YAML or sheets read as raw items with addresses, and YAML written."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path, PureWindowsPath
from typing import Any

import yaml

from kc_model.errors import Address, Fault, InputError
from kc_model.money import NumberError, parse_number, read_with_point
from kc_model.scenario.model import Budget, Goal, Rule, Scenario, Where
from kc_model.sheets import Cell, Item, open_sheets, pairs, read_yaml, records, value_text

__all__ = ["read_layers", "scenario_yaml"]

_SUFFIXES = {".xlsx", ".xlsm"}
_SENSES = {"maximise", "minimise"}
_TOP = ("name", "year", "extends", "spend", "round_to", "as_of", "projects")
_NEEDED = ("name", "year")
_NUMBERS = {"amount", "min", "max", "weight", "level", "give", "year", "round_to", "as_of"}
_SELECTED = ("source", "place", "area", "activity", "region", "year")


def read_layers(path: Path, faults: list[Fault]) -> list[Mapping[str, Item]]:
    """Return the raw layers of a scenario, the base of ``extends`` first.

    Parameters
    ----------
    path : Path
        A YAML file, or a workbook whose sheets hold the scenario. ``extends`` names a file of the
        same folder.
    faults : list of Fault
        What is wrong inside the files is added to it.

    Raises
    ------
    InputError
        If a file is missing or broken, points outside its folder, or extends itself.
    """
    layers: list[Mapping[str, Item]] = []
    seen: set[Path] = set()
    while True:
        path = path.resolve()
        if path in seen:
            raise InputError([Fault("extends-circle", Address(path.name))])
        seen.add(path)
        sheets = path.suffix.lower() in _SUFFIXES
        layer = _read_sheets(path, faults) if sheets else read_yaml(path, faults)
        layers.insert(0, layer)
        base = layer.get("extends")
        if base is None or base.value == "":
            return layers
        if not isinstance(base.value, str) or not _is_plain(base.value):
            raise InputError([Fault("extends-outside", base.at, {"path": base.value})])
        path = path.parent / base.value


def _is_plain(name: str) -> bool:
    """Whether a name stands for a file of the same folder, on any system."""
    return name not in {".", ".."} and name == Path(name).name == PureWindowsPath(name).name


# ---------------------------------------------------------------------------- sheets


def _read_sheets(path: Path, faults: list[Fault]) -> dict[str, Item]:
    """Return the scenario sheets of a workbook in the shape that YAML has."""
    sheets = open_sheets(path)
    if "scenario" not in sheets or "budget" not in sheets:
        raise InputError([Fault("no-scenario-sheets", Address(path.name))])
    found: dict[str, Item] = {}
    blank = {key: Item("", sheets["scenario"].at) for key in _NEEDED}
    for key, cell in pairs(sheets["scenario"], _TOP, faults, blanks=True):
        if cell.value is None:
            blank[key] = Item("", cell.at)
            continue
        if key in found:
            faults.append(Fault("repeated-key", cell.at, {"key": key}))
        found[key] = _scalar(key, cell, faults)
    named = any(item.value != "" for item in found.values())
    if not faults and not named and not records(sheets["budget"], faults):
        raise InputError([Fault("no-scenario-sheets", Address(path.name))])  # left empty
    for name, shape in (("budget", _budget_row), ("rules", _rule_row), ("goals", _goal_row)):
        if name in sheets:
            rows = records(sheets[name], faults)
            items = [Item(shape(row, faults), _row_at(row)) for row in rows]
            found[name] = Item(items, sheets[name].at)
    return found if "extends" in found else {**{key: blank[key] for key in _NEEDED}, **found}


def _row_at(row: Mapping[str, Cell]) -> Address:
    first = next(iter(row.values())).at
    return Address(first.file, first.sheet, first.cell)


def _scalar(key: str, cell: Cell, faults: list[Fault]) -> Item:
    """One value as machine text; a number written as text is read as a planner writes it."""
    if key in _NUMBERS and isinstance(cell.value, str):
        try:
            number = parse_number(cell.value)
        except NumberError:
            values = {"found": cell.value, "key": key, "example": "17800"}
            faults.append(Fault("scenario-number", cell.at, values))
            return Item(f"{cell.value}?", cell.at)  # given, but no number
        if read := read_with_point(cell.value):
            told = {"found": cell.value, "count": "1"} | {f"read_{one}": read[one] for one in read}
            faults.append(Fault("read-with-point", cell.at, told, "warning"))
        return Item(format(number, "f"), cell.at)
    return Item(value_text(cell.value), cell.at)


def _budget_row(row: Mapping[str, Cell], faults: list[Fault]) -> dict[str, Item]:
    items = {key: _scalar(key, cell, faults) for key, cell in row.items() if key != "where"}
    for key in _SELECTED:
        if key in items:
            items[key] = _any_of(items[key])
    if "where" in row:
        items["where"] = _selection(row["where"], faults)
    return items


def _rule_row(row: Mapping[str, Cell], faults: list[Fault]) -> dict[str, Item]:
    items = {key: _scalar(key, cell, faults) for key, cell in row.items()}
    if "where" in row:
        items["where"] = _selection(row["where"], faults)
    if "of" in row and items["of"].value != "all":
        items["of"] = _selection(row["of"], faults)
    if "each" in row:
        parts = [part.strip() for part in re.split("[;,]", items["each"].value)]
        items["each"] = Item([Item(p, row["each"].at) for p in parts if p], row["each"].at)
    return {**items, **_column(items, "count")}


def _goal_row(row: Mapping[str, Cell], faults: list[Fault]) -> dict[str, Item]:
    items = {key: _scalar(key, cell, faults) for key, cell in row.items()}
    if "where" in row:
        items["where"] = _selection(row["where"], faults)
    what, sense = items.pop("what", None), items.pop("sense", None)
    if what is not None and sense is not None and sense.value in _SENSES:
        items[sense.value] = _column({"what": what}, "what").get("what", what)
    return items


def _column(items: Mapping[str, Item], key: str) -> dict[str, Item]:
    """``column:NAME`` as the mapping that YAML has."""
    item = items.get(key)
    kind, _, name = item.value.partition(":") if item is not None else ("", "", "")
    if item is None or kind.strip() != "column":
        return {}
    return {key: Item({"column": Item(name.strip(), item.at)}, item.at)}


def _selection(cell: Cell, faults: list[Fault]) -> Item:
    """``area=TECH; source=KCQG|KCDP`` as a mapping of lists."""
    found: dict[str, Item] = {}
    for part in value_text(cell.value).split(";"):
        key, equals, values = (piece.strip() for piece in part.partition("="))
        if not key and not equals:
            continue
        if not key or not equals:
            faults.append(Fault("bad-selection", cell.at, {"found": part.strip()}))
        elif key in found:
            faults.append(Fault("repeated-key", cell.at, {"key": key}))
        else:
            found[key] = _any_of(Item(values, cell.at))
    return Item(found, cell.at)


def _any_of(item: Item) -> Item:
    return Item([Item(v.strip(), item.at) for v in item.value.split("|")], item.at)


# --- writing --------------------------------------------------------------------------------------


class _Number(str):
    """Machine text of a number, written without quotes."""

    __slots__ = ()


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, _data: Any) -> bool:
        return True


def _written(dumper: _Dumper, text: _Number) -> yaml.ScalarNode:
    """Write a number under the kind that its digits say, which needs no tag."""
    kind = "float" if "." in text else "int"
    return dumper.represent_scalar(f"tag:yaml.org,2002:{kind}", text)


_Dumper.add_representer(_Number, _written)


def scenario_yaml(scenario: Scenario) -> str:
    """Return a scenario as YAML; `read_scenario` of it gives an equal scenario.

    Parameters
    ----------
    scenario : Scenario
        Complete: what it extended is written out.
    """
    said = {
        "name": scenario.name,
        "year": _Number(scenario.year),
        "budget": [_budget(row) for row in scenario.budget],
        "spend": scenario.spend,
        "rules": [_rule(rule) for rule in scenario.rules],
        "goals": [_goal(goal) for goal in scenario.goals],
        "round_to": _number(scenario.round_to),
        "as_of": None if scenario.as_of is None else _Number(scenario.as_of),
        "projects": scenario.projects,
        "notes": [_filled(vars(note)) for note in scenario.notes],
    }
    text: str = yaml.dump(
        _filled(said), Dumper=_Dumper, allow_unicode=True, sort_keys=False, width=100
    )
    return text


def _filled(said: dict[str, Any]) -> dict[str, Any]:
    """Leave out what says nothing."""
    return {key: value for key, value in said.items() if value not in (None, "", [], {})}


def _number(value: Decimal | None) -> _Number | None:
    return None if value is None else _Number(format(value, "f"))


def _where(where: Where) -> dict[str, list[str]]:
    return {key: list(values) for key, values in where.items()}


def _what(text: str) -> str | dict[str, str]:
    kind, _, column = text.partition(":")
    return {"column": column} if kind == "column" else text


def _budget(row: Budget) -> dict[str, Any]:
    said = {"where": _where(row.where), "amount": _number(row.amount)}
    return _filled(
        {**said, "pooled": "true" if row.pooled else "", "text": row.text, "basis": row.basis}
    )


def _rule(rule: Rule) -> dict[str, Any]:
    of: str | dict[str, list[str]] | None = None
    if rule.of is not None:
        of = _where(rule.of) or "all"
    said = {
        "id": rule.id,
        "text": rule.text,
        "each": list(rule.each),
        "where": _where(rule.where),
        "of": of,
        "per": rule.per,
        "count": _what(rule.count),
        "min": _number(rule.min),
        "max": _number(rule.max),
        "tier": rule.tier,
        "weight": _number(rule.weight),
        "basis": rule.basis,
    }
    return _filled(said)


def _goal(goal: Goal) -> dict[str, Any]:
    said = {
        goal.sense: _what(goal.what),
        "per": goal.per,
        "where": _where(goal.where),
        "level": _number(goal.level),
        "give": _number(goal.give),
    }
    return _filled(said)
