"""A table as it stands in a file: every value with its address, nothing typed yet."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from typing import Final, NamedTuple, TypeAlias

from openpyxl.utils import get_column_letter

from kc_model.errors import Address, Fault

__all__ = ["BROKEN", "Cell", "Sheet", "Value", "screen_text", "value_text"]


class _Broken(Enum):
    """A value that a fault has been found in already."""

    BROKEN = "broken"


BROKEN: Final = _Broken.BROKEN
"""Stands for a value that a fault speaks of, so that no second one is raised for it."""

Value: TypeAlias = str | int | float | bool | date | time | timedelta | _Broken | None

_ERRORS = re.compile(
    r"#(REF!|N/A|DIV/0!|VALUE!|NAME\?|NULL!|NUM!|SPILL!|CALC!|FIELD!|GETTING_DATA|BLOCKED!)"
)
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffd\ufffe\uffff]")


class Cell(NamedTuple):
    """One value and where it stands."""

    value: Value
    at: Address


@dataclass(frozen=True)
class Sheet:
    """The filled rows of one sheet or CSV file.

    Parameters
    ----------
    name : str
        Canonical name of the table ("history"), or the title where it is none of ours.
    file, title : str
        File name; title of the sheet, "" for a CSV file.
    numbers : sequence of int
        Row number, from 1, of each row; blank rows are left out.
    rows : sequence of sequences
        Values by column, from A; rows may be of different length.
    merges : tuple of (first row, first column, last row, last column)
        Merged ranges, numbered from 1.
    copies : mapping of (row number, column number) to the same
        Cells that hold a copy of the first cell of their merged range, which spans rows.
    faults : tuple of Fault
        What is wrong with single cells, and what is worth knowing.
    """

    name: str
    file: str
    title: str
    numbers: Sequence[int]
    rows: Sequence[Sequence[Value]]
    merges: tuple[tuple[int, int, int, int], ...] = ()
    copies: Mapping[tuple[int, int], tuple[int, int]] = field(default_factory=dict)
    faults: tuple[Fault, ...] = ()

    @property
    def at(self) -> Address:
        """The address of the whole sheet."""
        return Address(self.file, self.title)

    def cell_at(self, row: int, column: int, heading: str = "") -> Address:
        """Return the address of a cell by position in `rows` and column from 0."""
        cell = f"{get_column_letter(column + 1)}{self.numbers[row]}"
        return Address(self.file, self.title, cell, heading)

    def value(self, row: int, column: int) -> Value:
        """Return a value by position in `rows` and column from 0; None past the row's end."""
        values = self.rows[row]
        return values[column] if column < len(values) else None


@lru_cache(maxsize=65_536)
def screen_text(text: str) -> str:
    """Return the code of the fault that a text shows, "" for none.

    error-value: an error of Excel such as ``#REF!``; mojibake: UTF-8 read as if it were another
    code; control-character: what no typed text holds.
    """
    if text.startswith("#") and _ERRORS.fullmatch(text):
        return "error-value"
    if _CONTROL.search(text):
        return "control-character"
    return "" if text.isascii() or not _is_mojibake(text) else "mojibake"


def _is_mojibake(text: str) -> bool:
    try:
        again = b"".join(_western_byte(letter) for letter in text).decode("utf-8")
    except UnicodeError:
        return False
    return len(again) < len(text)


def _western_byte(letter: str) -> bytes:
    try:
        return letter.encode("cp1252")
    except UnicodeEncodeError:
        return letter.encode("latin-1")  # the five bytes that cp1252 leaves open


def value_text(value: Value) -> str:
    """Return a value as the text a planner sees: numbers exact and plain, dates ISO, "" for none.

    Parameters
    ----------
    value : Value
        A logical value gives TRUE or FALSE, as Excel writes them into CSV.
    """
    if value is None or value is BROKEN:
        return ""
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, float):
        return format(Decimal(repr(value)).normalize(), "f")
    if isinstance(value, datetime) and value.time() == time():
        return value.date().isoformat()
    return str(value)
