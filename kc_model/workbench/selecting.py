"""A selection of cells as a planner writes it: names, several of a kind by |, kinds by ;."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping

from kc_model import reference
from kc_model.cells import build_cells
from kc_model.errors import Address, Fault, InputError, raise_faults
from kc_model.scenario import Scenario, Where
from kc_model.tables import Dataset
from kc_model.words import Words

__all__ = ["read_selection", "selection_text"]

_NAMED = ("source", "area", "region", "place")  # a name without its key is sought in this order


def selection_text(where: Where, words: Words) -> str:
    """Return a selection as a planner writes it, such as ``Hà Nội | Hà Giang; difficult=1``."""
    parts = []
    for key, values in where.items():
        shown = " | ".join(words.name(value, key) for value in values)
        parts.append(shown if key in _NAMED else f"{key}={shown}")
    return "; ".join(parts)


def read_selection(text: str, scenario: Scenario, data: Dataset) -> Where:
    """Return the selection that a planner wrote.

    Parameters
    ----------
    text : str
        Names or codes of funds, areas, regions and places; any other attribute with its column's
        name and an equals sign. "": every cell.
    scenario : Scenario
        Its year and month say which cells there are.

    Raises
    ------
    InputError
        repeated-key, unknown-selection, unknown-name, unknown-attribute, scenario-number;
        empty-selection where it means no cell.
    """
    at, where = Address(column="where"), {}
    for part in filter(None, (one.strip() for one in text.split(";"))):
        key, equals, listed = part.rpartition("=")
        values = [value.strip() for value in listed.split("|")]
        found = (key.strip(), values) if equals else _named(values, data.vintage)
        if found[0] in where:
            raise InputError([Fault("repeated-key", at, {"key": found[0]})])
        where[found[0]] = tuple(found[1])
    faults: list[Fault] = []
    cells = build_cells(data, scenario.year, scenario.as_of, faults)
    mask = cells.select(where, at, faults)
    raise_faults(faults)
    if not mask.any():
        raise InputError([Fault("empty-selection", at, {"found": text})])
    return dict(sorted(where.items()))


def _named(values: list[str], vintage: str) -> tuple[str, list[str]]:
    """Return the key that all of some names are values of, and their codes."""
    finders: Mapping[str, Callable[[str], str]] = {
        "source": reference.find_source,
        "area": reference.find_area,
        "region": reference.find_region,
        "place": lambda text: reference.find_place(text, vintage),
    }
    known: list[str] = []
    for key in _NAMED:
        try:
            return key, [finders[key](value) for value in values]
        except reference.UnknownNameError as error:
            known += error.suggestions
    found = " | ".join(values)
    near = ", ".join(difflib.get_close_matches(found, known, 3, 0)) or "–"
    told = {"found": found, "near": near}
    raise InputError([Fault("unknown-selection", Address(column="where"), told)])
