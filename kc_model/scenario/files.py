"""The files of a scenario: YAML, or the sheets of a workbook, as raw items with addresses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from kc_model.errors import Address, Fault, InputError, raise_faults
from kc_model.money import NumberError, parse_number
from kc_model.sheets import Cell, open_sheets, pairs, records, value_text

__all__ = ["Item", "read_layers"]

_MOST_NODES = 200_000
_SUFFIXES = {".xlsx", ".xlsm"}
_TOP = ("name", "year", "extends", "spend", "round_to")
_NUMBERS = {"amount", "min", "max", "weight", "level", "give", "year", "round_to"}
_SELECTED = ("source", "place", "area", "activity", "region", "year")


def read_layers(path: Path) -> list[Mapping[str, Item]]:
    """Return the raw layers of a scenario, the base of ``extends`` first.

    Parameters
    ----------
    path : Path
        A YAML file, or a workbook whose sheets hold the scenario. ``extends`` names a file of the
        same folder.

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
        layer = _read_sheets(path) if sheets else _read_yaml(path)
        layers.insert(0, layer)
        base = layer.get("extends")
        if base is None or base.value == "":
            return layers
        if not isinstance(base.value, str) or Path(base.value).name != base.value:
            raise InputError([Fault("extends-outside", base.at, {"path": base.value})])
        path = path.parent / base.value


@dataclass(frozen=True)
class Item:
    """A raw value of a scenario file and where it stands.

    Parameters
    ----------
    value : str, list of Item or dict of str to Item
        Numbers of a sheet are passed as their exact decimal text.
    at : Address
    """

    value: Any
    at: Address


def _read_yaml(path: Path) -> dict[str, Item]:
    """Every scalar as text; tags and repeated keys are refused."""
    at = Address(path.name)
    try:
        text = path.read_text(encoding="utf-8-sig")
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except FileNotFoundError:
        raise InputError([Fault("scenario-missing", at, {"path": path.name})]) from None
    except UnicodeDecodeError:
        raise InputError([Fault("scenario-not-utf8", at)]) from None
    except (IsADirectoryError, PermissionError):
        raise InputError([Fault("scenario-missing", at, {"path": path.name})]) from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f"line {mark.line + 1}" if mark else ""
        raise InputError([Fault("broken-yaml", Address(path.name, cell=line))]) from None
    faults: list[Fault] = []
    item = _Reader(path.name, faults).item(root, "") if root is not None else Item({}, at)
    if not isinstance(item.value, dict):
        faults.append(Fault("not-a-mapping", at, {"key": path.name}))
    raise_faults(faults)
    return dict(item.value)


class _Reader:
    """Turns YAML nodes into items; keeps line numbers, refuses tags, anchors and repeats."""

    def __init__(self, file: str, faults: list[Fault]) -> None:
        self.file = file
        self.faults = faults
        self.seen = 0

    def item(self, node: yaml.Node, path: str) -> Item:
        at = Address(self.file, cell=f"line {node.start_mark.line + 1}", column=path)
        self.seen += 1
        if self.seen > _MOST_NODES:
            raise InputError([Fault("scenario-too-large", at, {"limit": _MOST_NODES})])
        if not node.tag.startswith("tag:yaml.org,2002:") or ":python" in node.tag:
            self.faults.append(Fault("yaml-tag", at, {"tag": node.tag}))
            return Item("", at)
        if isinstance(node, yaml.MappingNode):
            return Item(self._mapping(node, path), at)
        if isinstance(node, yaml.SequenceNode):
            return Item(
                [self.item(part, f"{path}[{i}]") for i, part in enumerate(node.value, 1)], at
            )
        return Item(str(node.value).strip(), at)

    def _mapping(self, node: yaml.MappingNode, path: str) -> dict[str, Item]:
        found: dict[str, Item] = {}
        for key_node, value_node in node.value:
            key = str(key_node.value).strip()
            item = self.item(value_node, f"{path}.{key}" if path else key)
            if key in found:
                self.faults.append(Fault("repeated-key", item.at, {"key": key}))
            found[key] = item
        return found


# ---------------------------------------------------------------------------- sheets


def _read_sheets(path: Path) -> dict[str, Item]:
    """Return the scenario sheets of a workbook in the shape that YAML has."""
    sheets = open_sheets(path)
    at = Address(path.name)
    if "scenario" not in sheets or "budget" not in sheets:
        raise InputError([Fault("no-scenario-sheets", at)])
    faults: list[Fault] = []
    found = {
        key: _scalar(key, cell, faults) for key, cell in pairs(sheets["scenario"], _TOP, faults)
    }
    for name, shape in (("budget", _budget_row), ("rules", _rule_row), ("goals", _goal_row)):
        if name in sheets:
            rows = records(sheets[name], faults)
            items = [Item(shape(row, faults), _row_at(row)) for row in rows]
            found[name] = Item(items, sheets[name].at)
    raise_faults(faults)
    return found


def _row_at(row: Mapping[str, Cell]) -> Address:
    first = next(iter(row.values())).at
    return Address(first.file, first.sheet, first.cell)


def _scalar(key: str, cell: Cell, faults: list[Fault]) -> Item:
    """One value as machine text; a number written as text is read as a planner writes it."""
    if key in _NUMBERS and isinstance(cell.value, str):
        try:
            return Item(format(parse_number(cell.value), "f"), cell.at)
        except NumberError:
            values = {"found": cell.value, "key": key}
            faults.append(Fault("scenario-number", cell.at, values))
            return Item("", cell.at)
    return Item(value_text(cell.value), cell.at)


def _budget_row(row: Mapping[str, Cell], faults: list[Fault]) -> dict[str, Item]:
    items = {key: _scalar(key, cell, faults) for key, cell in row.items() if key != "where"}
    for key in _SELECTED:
        if key in items:
            items[key] = _any_of(items[key])
    if "where" in row:
        items["where"] = _selection(row["where"])
    return items


def _rule_row(row: Mapping[str, Cell], faults: list[Fault]) -> dict[str, Item]:
    items = {key: _scalar(key, cell, faults) for key, cell in row.items()}
    if "where" in row:
        items["where"] = _selection(row["where"])
    if "of" in row and items["of"].value != "all":
        items["of"] = _selection(row["of"])
    if "each" in row:
        parts = [part.strip() for part in items["each"].value.split(";")]
        items["each"] = Item([Item(p, row["each"].at) for p in parts if p], row["each"].at)
    return {**items, **_column(items, "count")}


def _goal_row(row: Mapping[str, Cell], faults: list[Fault]) -> dict[str, Item]:
    items = {key: _scalar(key, cell, faults) for key, cell in row.items()}
    if "where" in row:
        items["where"] = _selection(row["where"])
    what, sense = items.pop("what", None), items.pop("sense", None)
    if what is not None and sense is not None:
        items[sense.value] = _column({"what": what}, "what").get("what", what)
    return items


def _column(items: Mapping[str, Item], key: str) -> dict[str, Item]:
    """``column:NAME`` as the mapping that YAML has."""
    item = items.get(key)
    kind, _, name = item.value.partition(":") if item is not None else ("", "", "")
    if item is None or kind.strip() != "column":
        return {}
    return {key: Item({"column": Item(name.strip(), item.at)}, item.at)}


def _selection(cell: Cell) -> Item:
    """``area=TECH; source=KCQG|KCDP`` as a mapping of lists."""
    found = {}
    for part in value_text(cell.value).split(";"):
        key, _, values = part.partition("=")
        if key.strip():
            found[key.strip()] = _any_of(Item(values.strip(), cell.at))
    return Item(found, cell.at)


def _any_of(item: Item) -> Item:
    return Item([Item(v.strip(), item.at) for v in item.value.split("|")], item.at)
