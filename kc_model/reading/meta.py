"""What a dataset says of itself: ``dataset.yaml``, or the sheets that stand for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

from kc_model.errors import Address, Fault
from kc_model.money import DecimalMark
from kc_model.sheets import (
    Item,
    Sheet,
    choice_code,
    list_of,
    named_choices,
    pairs,
    records,
    shown_name,
    tell_unknown,
    text_of,
    value_text,
)
from kc_model.tables import Note

__all__ = ["Meta", "build_meta", "sheet_items"]

_REQUIRED = ("title", "vintage", "unit", "synthetic", "sources")
_KEYS = (*_REQUIRED, "decimal", "notes")
_MARKS: Mapping[str, DecimalMark] = {"point": "point", "comma": "comma"}


@dataclass(frozen=True)
class Meta:
    """A dataset's own description; what is at fault is "" or None."""

    title: str
    vintage: str
    unit: str
    synthetic: bool
    sources: tuple[str, ...]
    notes: tuple[Note, ...]
    decimal: DecimalMark | None


def sheet_items(sheets: Mapping[str, Sheet], faults: list[Fault]) -> dict[str, Item]:
    """Return what the sheets ``dataset`` and ``notes`` say, in the shape that YAML has."""
    items: dict[str, Item] = {}
    sources: list[Item] = []
    for key, cell in pairs(sheets["dataset"], _KEYS, faults, blanks=True):
        item = Item(value_text(cell.value), cell.at)
        if key == "sources":
            sources += [item] if item.value else []
            items[key] = Item(sources, cell.at)
        elif item.value and key in items:
            faults.append(Fault("repeated-key", cell.at, {"key": key}))
        elif item.value:
            items[key] = item
    if "notes" in sheets:
        rows = [
            Item({name: Item(value_text(cell.value), cell.at) for name, cell in row.items()}, at)
            for row in records(sheets["notes"], faults)
            for at in [next(iter(row.values())).at]
        ]
        items["notes"] = Item(rows, sheets["notes"].at)
    return items


def build_meta(items: Mapping[str, Item] | None, at: Address, faults: list[Fault]) -> Meta:
    """Return the description that raw items make; collect every fault.

    Parameters
    ----------
    items : mapping or None
        What `read_yaml` or `sheet_items` gave; None where a fault says already that there is none.
    at : Address
        The file or sheet, for keys that are missing.
    faults : list of Fault
        unknown-key, missing-key, not-one-of, not-a-text, not-a-list and not-a-mapping are added.
    """
    if items is None:
        return Meta("", "", "", False, (), (), None)
    meant: set[str] = set()
    for key, item in items.items():
        if key not in _KEYS:
            meant.update(tell_unknown(key, item, _KEYS, faults))
    for key in _REQUIRED:
        if key not in meant and (key not in items or items[key].value == ""):
            faults.append(Fault("missing-key", at, {"key": shown_name("dataset", key)}))
    decimal = _choice("decimal", items, faults)
    return Meta(
        text_of(items.get("title"), faults),
        _choice("vintage", items, faults),
        _choice("unit", items, faults),
        _choice("synthetic", items, faults) == "true",
        _texts(items.get("sources"), faults),
        _notes(items.get("notes"), faults),
        _MARKS.get(decimal),
    )


def _texts(item: Item | None, faults: list[Fault]) -> tuple[str, ...]:
    """Return a list of texts; a single text is a list of one."""
    parts = item.value if item and isinstance(item.value, list) else [item]
    return tuple(text for part in parts if (text := text_of(part, faults)))


def _choice(key: str, items: Mapping[str, Item], faults: list[Fault]) -> str:
    text = text_of(items.get(key), faults)
    code = choice_code(key, text) if text else ""
    if text and not code:
        values = {"found": text, "choices": named_choices(key)}
        faults.append(Fault("not-one-of", items[key].at, values))
    return code


def _notes(item: Item | None, faults: list[Fault]) -> tuple[Note, ...]:
    known = tuple(part.name for part in fields(Note))
    notes = []
    for row in list_of(item, faults):
        if not isinstance(row.value, dict):
            faults.append(Fault("not-a-mapping", row.at, {"key": row.at.column}))
            continue
        for key, part in row.value.items():
            if key not in known:
                near = {"key": key, "near": ", ".join(known)}
                faults.append(Fault("unknown-key", part.at, near))
        standing = _choice("standing", row.value, faults)
        texts = {
            key: text_of(row.value.get(key), faults) for key in ("vi", "en", "table", "column")
        }
        for key, value in (("standing", row.value.get("standing")), ("vi", texts["vi"])):
            if not value:
                faults.append(Fault("missing-key", row.at, {"key": key}))
        notes.append(Note(standing, **{**texts, "en": texts["en"] or texts["vi"]}))
    return tuple(notes)
