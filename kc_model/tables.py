"""The canonical tables: which columns each has, of what kind, and what identifies a row.

Everything downstream works on these long tables, whatever file they came from:

- keys are text (``place``, ``area``, ``activity``, ``source``) or integers (``year``, ``month``);
  a key that a table leaves out is "" (``activity``) or missing (``year``);
- money is nullable ``Int64`` in VND; missing is ``<NA>`` and never zero;
- other numbers are ``float64`` with NaN for missing; other texts are ``str`` with "" for missing;
- optional columns a file leaves out are present and missing; a table that is not there is empty.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from kc_model import reference
from kc_model.errors import Address, Fault

__all__ = [
    "CELL_KEYS",
    "FORMS",
    "KEYS",
    "SCHEMAS",
    "Column",
    "Dataset",
    "Kind",
    "Note",
    "Origin",
    "Schema",
    "as_rows",
    "column_dtype",
    "empty_table",
    "grouped",
    "history_of",
    "in_order",
    "positions",
]

Origin = tuple[str, int] | tuple[str, int, str]
"""Table, row and perhaps column of a value."""

CELL_KEYS = ("year", "place", "area", "activity", "source")
"""The keys of a cell in the order that holds everywhere."""

KEYS = ["place", "area", "activity", "source"]
"""The same within a year."""


class Kind(StrEnum):
    """What a column holds."""

    YEAR = "year"
    MONTH = "month"
    PLACE = "place"
    PLACES = "places"  # one or more place codes joined by ";" (a group project)
    AREA = "area"
    SOURCE = "source"
    VINTAGE = "vintage"
    MONEY = "money"
    NUMBER = "number"
    WHOLE = "whole"
    RATE = "rate"  # a number from 0 to 1
    TEXT = "text"
    CHOICE = "choice"
    NORM = "norm"  # id of a spending norm
    SHARES = "shares"  # shares of the places of a group project, joined by ";"
    DATE = "date"
    ATTRIBUTE = "attribute"  # number if every value of the column is one, text otherwise


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Parameters
    ----------
    name : str
        The contract's ASCII name; its headings are ``headings.<table>.<name>``, or
        ``headings.any.<name>``.
    required : bool
        Whether the column must be there and filled in every row.
    choices : tuple of str
        Allowed values of a CHOICE column.
    signed : bool
        Whether numbers below zero are allowed.
    """

    name: str
    kind: Kind
    required: bool = False
    choices: tuple[str, ...] = ()
    signed: bool = False


@dataclass(frozen=True)
class Schema:
    """One table.

    Parameters
    ----------
    name : str
        File name without ``.csv``; its sheet names are ``headings.sheets.<name>``.
    columns : tuple of Column
        In the contract's order.
    key : tuple of str
        Columns that identify a row; no two rows share them.
    extra : bool
        Whether further columns are allowed; they are kept as attributes.
    """

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    extra: bool = False

    @cached_property
    def by_name(self) -> Mapping[str, Column]:
        """Columns by name."""
        return {column.name: column for column in self.columns}


def _columns(kind: Kind, *names: str, required: bool = False) -> tuple[Column, ...]:
    return tuple(Column(name, kind, required) for name in names)


def _choice(name: str, *choices: str) -> Column:
    return Column(name, Kind.CHOICE, choices=choices)


_YEAR = Column("year", Kind.YEAR)
_CELL = (
    Column("place", Kind.PLACE, required=True),
    Column("area", Kind.AREA, required=True),
    Column("activity", Kind.TEXT),
    Column("source", Kind.SOURCE, required=True),
)

SCHEMAS: Mapping[str, Schema] = {
    schema.name: schema
    for schema in (
        Schema(
            "history",
            (
                Column("year", Kind.YEAR, required=True),
                Column("month", Kind.MONTH, required=True),
                *_CELL,
                Column("plan", Kind.MONEY),
                Column("disbursed", Kind.MONEY, signed=True),
                Column("vintage", Kind.VINTAGE),
                *_columns(Kind.MONEY, "registered", "released", "advanced", "carried"),
                *_columns(Kind.NUMBER, "outputs_plan", "outputs"),
                _choice("status", "estimate", "reported", "settled"),
            ),
            key=("year", "month", *KEYS),
        ),
        Schema(
            "cells",
            (
                *(_YEAR, *_CELL, Column("baseline", Kind.MONEY), Column("weight", Kind.NUMBER)),
                *_columns(Kind.MONEY, "unit_cost", "min", "max", "counterpart"),
            ),
            key=CELL_KEYS,
            extra=True,
        ),
        Schema(
            "absorption",
            (
                *(_YEAR, *_CELL, Column("upto", Kind.MONEY, required=True)),
                Column("rate", Kind.RATE, required=True),
            ),
            key=(*CELL_KEYS, "upto"),
        ),
        Schema(
            "draws",
            (
                *(Column("draw", Kind.WHOLE, required=True), _YEAR, *_CELL),
                Column("capacity", Kind.MONEY, required=True),
            ),
            key=("draw", *CELL_KEYS),
        ),
        Schema("places", _CELL[:1], key=("place",), extra=True),
        Schema(
            "projects",
            (
                *_columns(Kind.TEXT, "id", "name", required=True),
                *(Column("place", Kind.PLACES, required=True), *_CELL[1:]),
                Column("cost", Kind.MONEY),
                Column("support", Kind.MONEY, required=True),
                Column("min_support", Kind.MONEY),
                Column("score", Kind.NUMBER, signed=True),
                _choice("kind", "normal", "flagship", "group"),
                *_columns(Kind.TEXT, "requires", "excludes"),
                *_columns(Kind.TEXT, "unit", "beneficiary", "objective", "result"),
                *_columns(Kind.DATE, "start", "end"),
                *_columns(Kind.MONEY, "counterpart", "other"),
                _choice("stage", "registered", "assigned", "contracted", "accepted", "stopped"),
                Column("disbursed", Kind.MONEY),
                Column("split", Kind.SHARES),
                Column("norm", Kind.NORM),
                Column("quantity", Kind.WHOLE),
                _choice("place_class", "a", "b", "c", "d"),
                _choice("industry_class", "b", "a"),
                Column("management", Kind.RATE),
            ),
            key=("id",),
        ),
        Schema(
            "evidence",
            (
                Column("id", Kind.TEXT, required=True),
                *_columns(Kind.TEXT, "document", "table"),
                *(_YEAR, Column("month", Kind.WHOLE)),
                *_columns(Kind.TEXT, "place", "area", "activity", "source", "column"),
                Column("value", Kind.NUMBER, signed=True),
                Column("unit", Kind.TEXT),
                _choice(
                    *("standing", "real", "estimate", "settled", "derived", "synthetic", "assumed")
                ),
                *_columns(Kind.TEXT, "quote", "note", "relation", "terms"),
            ),
            key=("id",),
        ),
    )
}
"""Every table of a dataset by name; `evidence` is ours: it says where each published number stands
in print and how the printed numbers hang together."""

FORMS: Mapping[str, tuple[str, ...]] = {
    "dataset": ("key", "value", "meaning"),
    "notes": ("standing", "vi", "en", "table", "column"),
    "scenario": ("key", "value", "meaning"),
    "budget": (
        *("year", "source", "place", "area", "activity", "region", "amount", "pooled", "where"),
        *("text", "basis"),
    ),
    "rules": (
        *("id", "text", "where", "each", "of", "per", "count", "min", "max"),
        *("tier", "weight", "basis", "drop"),
    ),
    "goals": ("sense", "what", "per", "where", "level", "give"),
}
"""Columns of the other sheets of a workbook: what ``dataset.yaml`` and a scenario say in YAML."""

_DTYPES = {
    Kind.YEAR: "Int64",
    Kind.MONTH: "Int64",
    Kind.WHOLE: "Int64",
    Kind.MONEY: "Int64",
    Kind.NUMBER: "float64",
    Kind.RATE: "float64",
    Kind.DATE: "datetime64[s]",
}


def column_dtype(kind: Kind) -> str:
    """Return the canonical dtype of a kind of column."""
    return _DTYPES.get(kind, "str")


def as_rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a table by column; what is missing is None."""
    objects = frame.astype(object)
    rows = objects.where(objects.notna(), None).to_dict("records")
    return [{str(key): value for key, value in row.items()} for row in rows]


def in_order(frame: pd.DataFrame, by: Sequence[str], vintage: str) -> pd.DataFrame:
    """Return rows in official order of their codes, of equal ones as they stood; index kept.

    Parameters
    ----------
    by : sequence of str
        Columns: place and region, area, source in the reference's order, "" last; others by value.
    vintage : {"63", "34"}
        Of the places.
    """
    places = [*reference.place_order(vintage), ""]
    areas, sources = reference.area_order(), reference.source_order()
    orders = {"place": places, "region": places, "area": areas, "source": sources}

    def rank(codes: pd.Series) -> pd.Series:
        order = orders.get(str(codes.name))
        return codes if order is None else codes.map({code: i for i, code in enumerate(order)})

    return frame.sort_values(list(by), kind="stable", key=rank)


def grouped(
    frame: pd.DataFrame, by: Sequence[str], vintage: str
) -> tuple[pd.DataFrame, NDArray[np.intp]]:
    """Return the distinct values of some columns in official order, and every row's number of them.

    Parameters
    ----------
    frame, by, vintage
        As for `in_order`; without columns all rows are one group.
    """
    if not by:
        return pd.DataFrame(index=[0]), np.zeros(len(frame), dtype=np.intp)
    labels = in_order(frame[list(by)].drop_duplicates(), by, vintage).reset_index(drop=True)
    return labels, positions(frame, labels, by)


def positions(rows: pd.DataFrame, among: pd.DataFrame, by: Sequence[str]) -> NDArray[np.intp]:
    """Return at which row of a table each row's keys stand; -1 where they stand at none."""
    table, wanted = (pd.MultiIndex.from_frame(frame[list(by)]) for frame in (among, rows))
    return table.get_indexer(wanted).astype(np.intp)


def empty_table(name: str) -> pd.DataFrame:
    """Return a table without rows: every column of its schema with its canonical dtype."""
    return pd.DataFrame(
        {
            column.name: pd.Series(dtype=column_dtype(column.kind))
            for column in SCHEMAS[name].columns
        }
    )


@dataclass(frozen=True)
class Note:
    """What a figure rests on, to be printed wherever the figure is.

    Parameters
    ----------
    standing : str
        ``real``, ``estimate``, ``settled``, ``synthetic`` or ``assumed``.
    vi, en : str
        The sentence in both languages.
    table, column : str
        What it speaks of; "" for the whole dataset or table.
    """

    standing: str
    vi: str
    en: str
    table: str = ""
    column: str = ""


@dataclass(frozen=True)
class Dataset:
    """A validated dataset: the canonical tables and what is known about them.

    Parameters
    ----------
    title, vintage, unit : str
        Vintage "63" or "34" of the places in every table (history of 63 provinces has been summed
        where the dataset is in the 34); unit of money in the files and in every output (vnd,
        thousand_vnd, million_vnd, billion_vnd). The tables themselves hold VND.
    synthetic : bool
    sources : tuple of str
        Documents the data come from.
    tables : mapping of str to DataFrame
        Every table of `SCHEMAS`; treat as read-only.
    notes : tuple of Note
    warnings : tuple of Fault
        What reading found that leaves the data right.
    """

    title: str
    vintage: str
    unit: str
    synthetic: bool
    sources: tuple[str, ...]
    tables: Mapping[str, pd.DataFrame]
    notes: tuple[Note, ...] = ()
    warnings: tuple[Fault, ...] = ()
    origins: Mapping[Origin, Address] = field(default_factory=dict, repr=False)

    def at(self, table: str, row: int, column: str) -> Address:
        """Return where a value of a table stands, or of which table it is where that is all known.

        Parameters
        ----------
        table : str
        row : int
            Position in the canonical table.
        column : str
        """
        return self.origins.get((table, row, column), Address(f"{table}.csv"))

    @cached_property
    def by_cells(self) -> Dataset:
        """The dataset without its projects; each time the same one, under the hash of the whole."""
        tables = {**self.tables, "projects": self.tables["projects"].head(0)}
        found = replace(self, tables=tables)
        vars(found)["hash"] = self.hash  # plans name what was read
        return found

    def __getattr__(self, name: str) -> pd.DataFrame:
        if name in SCHEMAS:
            return self.tables[name]
        raise AttributeError(name)

    @cached_property
    def hash(self) -> str:
        """SHA-256 of the content: equal for a folder and a workbook that say the same."""
        digest = hashlib.sha256()
        digest.update("|".join((self.vintage, self.unit, str(self.synthetic))).encode())
        for name, schema in SCHEMAS.items():
            frame = self.tables[name]
            ordered = frame.sort_values(list(schema.key)) if len(frame) else frame
            ordered = ordered.reindex(columns=sorted(ordered.columns))
            digest.update(name.encode())
            digest.update(ordered.to_csv(index=False, lineterminator="\n").encode())
        return digest.hexdigest()


def history_of(data: Dataset, wanted: pd.Series[bool], sums: Sequence[str]) -> pd.DataFrame:
    """Return rows of the history in the dataset's vintage of places, months in order.

    Parameters
    ----------
    wanted : Series of bool, index as ``history``
    sums : sequence of str
        The columns of money and outputs to return, beside the keys, status and vintage.
    """
    keys = ["year", "month", *KEYS]
    rows = data.history.loc[wanted, [*keys, *sums, "status", "vintage"]]
    rows = reference.to_vintage(rows, data.vintage, data.vintage, keys=keys, sums=list(sums))
    return rows.sort_values(keys, kind="stable", ignore_index=True)
