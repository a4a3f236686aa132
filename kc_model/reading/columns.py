"""Typing a table: its attributes, its decimal mark and every value of every column."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import pandas as pd

from kc_model import reference
from kc_model.errors import Address, Fault
from kc_model.money import (
    MARKS,
    DecimalMark,
    is_readable,
    is_unclear,
    read_mark,
    read_with_point,
    unit_name,
)
from kc_model.reading.values import (
    Renamed,
    Terms,
    WrongError,
    is_missing,
    is_number,
    missing,
    parse_value,
)
from kc_model.sheets import BROKEN, Grid, Value, clean_text, value_text
from kc_model.tables import SCHEMAS, Column, Kind, column_dtype

__all__ = ["MERGER", "Typed", "cell_order", "type_table"]

MERGER = (2025, 7)
"""First year and month of the 34 provinces."""

_NUMERIC = {Kind.YEAR, Kind.MONTH, Kind.WHOLE, Kind.MONEY, Kind.NUMBER, Kind.RATE}
_PLACES = {Kind.PLACE, Kind.PLACES}
_AMOUNTS = {Kind.MONEY, Kind.NUMBER, Kind.RATE}


@dataclass
class Typed:
    """A table after typing.

    Parameters
    ----------
    name : str
        Name of its schema.
    frame : DataFrame
        Canonical columns and attributes; index: position of the row in the sheet.
    terms : Terms
        What it was read under, the decimal mark of its numbers included.
    bad : set of int
        Rows with a fault; their values may be missing.
    renamed : set of int
        Rows whose place is a former province, mapped to its successor.
    """

    name: str
    grid: Grid
    frame: pd.DataFrame
    terms: Terms
    bad: set[int] = field(default_factory=set)
    renamed: set[int] = field(default_factory=set)

    @property
    def good(self) -> pd.DataFrame:
        """The rows without a fault."""
        return self.frame.drop(index=list(self.bad)) if self.bad else self.frame


def type_table(grid: Grid, table: str, terms: Terms, faults: list[Fault]) -> Typed:
    """Type every column of a table; collect every fault.

    Parameters
    ----------
    table : str
        Name of its schema.
    terms : Terms
        Unit, vintage and declared decimal mark of the dataset.
    faults : list of Fault
        Faults are added to it.
    """
    columns = [*SCHEMAS[table].columns, *_attributes(grid, table, faults)]
    terms = _settle_decimal(grid, columns, terms, faults)
    empty = pd.DataFrame(index=pd.Index(grid.rows, dtype="int64"))
    typed = Typed(table, grid, empty, terms)
    for unit, at in grid.units.values():
        if terms.unit and unit != terms.unit:
            values = {"found": unit_name(unit), "declared": unit_name(terms.unit)}
            faults.append(Fault("heading-unit", at, values))
    data: dict[str, list[object]] = {}
    for column in sorted(columns, key=lambda c: c.kind in _PLACES):  # after vintage and period
        if column.kind in _PLACES:
            data[column.name] = _type_places(typed, column, data, terms, faults)
        else:
            data[column.name] = _type_column(typed, column, range(len(grid.rows)), terms, faults)
    for column in columns:
        dtype = column_dtype(column.kind)
        typed.frame[column.name] = pd.Series(data[column.name], typed.frame.index, dtype)
    _warn_of_marks(grid, columns, faults)
    return typed


def cell_order(cell: str) -> tuple[int, int, str]:
    """Return what sorts addresses such as ``B2``, ``AA2``, ``A10`` as a reader meets them."""
    letters = cell.rstrip("0123456789")
    return int(cell.removeprefix(letters) or 0), len(letters), letters


# ---------------------------------------------------------------------------- before typing


def _attributes(grid: Grid, table: str, faults: list[Fault]) -> list[Column]:
    """Return the table's further columns: numbers if every value is one, texts otherwise."""
    found = []
    for name in (name for name in grid.columns if name not in SCHEMAS[table].by_name):
        given = [
            (row, value)
            for row, value in zip(grid.rows, grid.column(name), strict=True)
            if value is not BROKEN and not is_missing(value, Kind.NUMBER)
        ]
        others = [(row, value) for row, value in given if not is_number(value)]
        if others and len(others) < len(given):
            values = {"name": grid.headings.get(name, name), "found": value_text(others[0][1])}
            faults.append(Fault("mixed-attribute", grid.at(others[0][0], name), values, "warning"))
        is_text = others or (not given and any(grid.column(name)))  # marks alone: "x" says yes
        found.append(Column(name, Kind.TEXT if is_text else Kind.NUMBER, signed=True))
    return found


def _shown_marks(grid: Grid, columns: Iterable[Column]) -> dict[DecimalMark, Address]:
    """Return the decimal marks that the numbers of some columns show, each with such a cell."""
    shown: dict[DecimalMark, Address] = {}
    for column in columns:
        if column.kind in _NUMERIC and column.name in grid.columns:
            values = grid.column(column.name)
            texts = [text for text in set(values) if isinstance(text, str) and MARKS.keys() & text]
            marks = {text: read_mark(text) for text in texts if is_readable(text)}
            for mark in {m for m in marks.values() if m is not None} - set(shown):
                i = next(
                    i for i, v in enumerate(values) if isinstance(v, str) and marks.get(v) == mark
                )
                shown[mark] = grid.at(grid.rows[i], column.name)
    return shown


def _settle_decimal(
    grid: Grid, columns: Sequence[Column], terms: Terms, faults: list[Fault]
) -> Terms:
    """Take the decimal mark that is declared, or that the table itself shows.

    Numbers of a table that contradict each other are one fault, with both addresses. Where only
    numbers that are no money show the mark, amounts that could be read in two ways are warned of.
    """
    if terms.decimal is not None:
        return terms
    amounts = [column for column in columns if column.kind is Kind.MONEY]
    by_money = _shown_marks(grid, amounts)
    shown = {**_shown_marks(grid, columns), **by_money}
    if len(shown) < len(MARKS):
        decimal, at = next(iter(shown.items()), (None, None))
        unclear = [] if by_money or at is None else _unclear(grid, amounts)
        if unclear and at is not None:
            values = {"count": len(unclear), "found": unclear[0][1], "other": at.cell}
            faults.append(Fault("mark-of-others", unclear[0][0], values, "warning"))
        if decimal == "point" and grid.sheet.title:
            _warn_of_points(grid, columns, faults)
        return replace(terms, decimal=decimal)
    first, second = sorted(shown.values(), key=lambda at: cell_order(at.cell))
    faults.append(Fault("mixed-decimal", second, {"other": first.cell}))
    return replace(terms, mixed=True)


def _warn_of_points(grid: Grid, columns: Iterable[Column], faults: list[Fault]) -> None:
    """Say how numbers typed as text with a decimal point are read: Vietnamese has a comma there."""
    found = [
        (grid.at(row, column.name), value, read)
        for column in columns
        if column.kind in _NUMERIC and column.name in grid.columns
        for row, value in zip(grid.rows, grid.column(column.name), strict=True)
        if isinstance(value, str) and (read := read_with_point(value))
    ]
    at, text, read = found[0]
    values = {"found": text, "count": len(found)} | {f"read_{one}": read[one] for one in read}
    faults.append(Fault("read-with-point", at, values, "warning"))


def _unclear(grid: Grid, columns: Iterable[Column]) -> list[tuple[Address, str]]:
    """Return the cells whose number can be read in two ways, and what stands there."""
    return [
        (grid.at(row, column.name), value)
        for column in columns
        if column.name in grid.columns
        for row, value in zip(grid.rows, grid.column(column.name), strict=True)
        if isinstance(value, str) and is_unclear(value)
    ]


def _warn_of_marks(grid: Grid, columns: Iterable[Column], faults: list[Fault]) -> None:
    """Say how many cells hold a mark such as "-" or "x" that was read as missing."""
    marked = []
    for column in columns:
        if column.name in grid.columns:
            values = grid.column(column.name)
            texts = {v for v in set(values) if isinstance(v, str) and clean_text(v)}
            marks = {text for text in texts if is_missing(text, column.kind)}
            if marks:
                rows = zip(grid.rows, values, strict=True)
                marked += [(row, column.name) for row, value in rows if value in marks]
    if marked:
        at = grid.at(*min(marked, key=lambda place: place[0]))
        faults.append(Fault("read-as-missing", at, {"count": len(marked)}, "warning"))


# ---------------------------------------------------------------------------- typing


def _type_column(
    typed: Typed, column: Column, chosen: Sequence[int], terms: Terms, faults: list[Fault]
) -> list[object]:
    """Return the values of one column, of the rows chosen; each distinct value is parsed once.

    `chosen` are positions in ``grid.rows``.
    """
    grid, name = typed.grid, column.name
    if name not in grid.columns:
        return [missing(column.kind)] * len(chosen)
    stated = grid.units.get(name) or grid.units.get("")
    book = bool(grid.sheet.title)
    terms = replace(terms, heading=stated[0] if stated else "", in_book=book)
    values = grid.column(name)
    raw = [(type(value), value) for value in map(values.__getitem__, chosen)]
    known = {key: _attempt(key[1], column, terms) for key in set(raw)}
    results = [known[key] for key in raw]
    is_split = column.kind in _AMOUNTS and bool(grid.sheet.copies)
    if not is_split and not any(_is_bad(result) for result in known.values()):
        return results
    for i, row in enumerate(grid.rows[place] for place in chosen):
        merged = grid.merged_from(row, name) if is_split else None
        result = results[i] if merged is None else WrongError("merged-amount")
        if isinstance(result, WrongError):
            at = merged or grid.at(row, name)
            fault = Fault(result.code, at, {"name": name, **result.values})
            if fault not in faults[-1:]:  # a merged range is said once
                faults.append(fault)
        if _is_bad(result):
            typed.bad.add(row)
            results[i] = missing(column.kind)
    return results


def _is_bad(result: object) -> bool:
    return result is BROKEN or isinstance(result, WrongError)


def _attempt(raw: Value, column: Column, terms: Terms) -> object:
    try:
        return parse_value(raw, column, terms)
    except WrongError as error:
        return error


def _type_places(
    typed: Typed, column: Column, data: dict[str, list[object]], terms: Terms, faults: list[Fault]
) -> list[object]:
    """Return the places, each looked up in the vintage of its own row."""
    rows = typed.grid.rows
    is_dated = "vintage" in SCHEMAS[typed.name].by_name
    said = data["vintage"] if is_dated else [""] * len(rows)
    own = [str(vintage) or terms.vintage for vintage in said]
    places: list[object] = [""] * len(rows)
    for vintage in dict.fromkeys(own):
        chosen = [i for i, its in enumerate(own) if its == vintage]
        found = _type_column(typed, column, chosen, replace(terms, vintage=vintage), faults)
        for i, code in zip(chosen, found, strict=True):
            places[i] = code
            if isinstance(code, Renamed):
                typed.renamed.add(rows[i])
                _judge_renamed(typed, rows[i], _period(data, i), str(code), faults)
    return places


def _judge_renamed(
    typed: Typed, row: int, period: tuple[int, int] | None, codes: str, faults: list[Fault]
) -> None:
    """Warn of a former province; refuse it in a history of when it still was one."""
    old = value_text(typed.grid.value(row, "place"))
    new = "; ".join(reference.place_name(code, "34") for code in codes.split(";"))
    values = {"found": old, "new": new}
    at = typed.grid.at(row, "place")
    is_dated = "vintage" in SCHEMAS[typed.name].by_name
    if is_dated and period is not None and period < MERGER:
        typed.bad.add(row)
        faults.append(Fault("vintage-needed", at, values))
    else:
        faults.append(Fault("former-place", at, values, "warning"))


def _period(data: dict[str, list[object]], i: int) -> tuple[int, int] | None:
    """Return year and month of a row; the year's last month where it has none, None for no year."""
    year, month = (data[name][i] if name in data else None for name in ("year", "month"))
    if not isinstance(year, int):
        return None
    return year, month if isinstance(month, int) else 12
