"""Tables and values as CSV and JSON: the same input gives the same bytes on every machine."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from datetime import date
from numbers import Integral, Real
from typing import Any

import numpy as np
import pandas as pd

__all__ = ["csv_bytes", "escape_formula", "json_bytes", "unescape_formula"]

_TRIGGER = r"=+\-@＝＋－＠"  # some spreadsheets take the full-width signs as well
_SPACE = r"[ \u00a0]*"
_START = (
    rf"(?:^(?='*{_SPACE}[{_TRIGGER}\t\r\n])"  # the field
    rf"|(?<=[;\t\r\n])(?='*{_SPACE}[{_TRIGGER}]))"  # what a list separator of ";" makes a field
)
_ESCAPE = re.compile(_START)
_UNESCAPE = re.compile(_START + "'")
_MARKS = re.compile('[",\r\n]')
_EMPTY = '""'  # a row of one blank field, which readers would take for no row


def escape_formula(text: str) -> str:
    """Put an apostrophe before whatever in a text a spreadsheet would take for a formula.

    That is a text, or a part of it after ``;``, tab or line end (list separators and row ends of
    an Excel set to Vietnamese), that starts with ``= + - @`` (also full-width, also after blanks or
    apostrophes), and a text that starts with a tab or line end. Every other text stays as it is:
    codes (``01``, ``R-N``), rule names, groups (``01|TECH``), ``01;04``.

    Examples
    --------
    >>> escape_formula("=1+1"), escape_formula("R-N"), escape_formula("'=1+1")
    ("'=1+1", 'R-N', "''=1+1")
    """
    return _ESCAPE.sub("'", text)


def unescape_formula(text: str) -> str:
    """Return the text that `escape_formula` was given."""
    return _UNESCAPE.sub("", text)


def csv_bytes(frame: pd.DataFrame) -> bytes:
    r"""Write a table as CSV.

    Parameters
    ----------
    frame : DataFrame
        Columns in the order they are written; the index is left out.

    Returns
    -------
    bytes
        UTF-8 without BOM, comma, ``\n``, quotes only where needed. Whole numbers without ``.0``;
        other numbers as the shortest decimal text that reads back exactly, ``.`` as the mark and
        no exponent; missing is blank; dates are ``2024-05-03``; a tuple of pairs (name, number) is
        ``01: 60; 04: 40``. Numbers stay numbers, negative
        ones too; texts and headings go through `escape_formula`, and `unescape_formula` gives
        them back.

    Raises
    ------
    ValueError
        If a number is infinite: no file of ours has a word for it.
    """
    heading = [_quoted(escape_formula(str(name))) for name in frame.columns]
    columns = [[_field(value) for value in frame.iloc[:, i]] for i in range(frame.shape[1])]
    rows = [heading, *zip(*columns, strict=True)]
    return "".join(f"{','.join(row) or _EMPTY}\n" for row in rows).encode("utf-8")


def _quoted(text: str) -> str:
    """Quote a text where CSV needs it; Python's own writer leaves a lone CR bare before 3.13."""
    return '"' + text.replace('"', '""') + '"' if _MARKS.search(text) else text


def _field(value: Any) -> str:
    if isinstance(value, tuple):
        value = "; ".join(f"{name}: {_decimal(float(number))}" for name, number in value)
    if isinstance(value, str):
        return _quoted(escape_formula(value))
    if value is None or pd.isna(value):
        return ""
    if isinstance(value, bool | np.bool_):
        return "true" if value else "false"
    if isinstance(value, Integral):
        return str(int(value))
    if isinstance(value, Real):
        return _decimal(float(value))
    if isinstance(value, date):
        return value.isoformat().removesuffix("T00:00:00")
    raise TypeError(f"no CSV field for {type(value).__name__}")


def _decimal(value: float) -> str:
    if math.isinf(value):
        raise ValueError("an infinite number cannot be written")
    text = repr(value + 0.0)  # -0.0 is zero
    if "e" in text:
        text = np.format_float_positional(value, unique=True, trim="-")
    return text.removesuffix(".0")


def json_bytes(value: Any, indent: int | None = 2) -> bytes:
    r"""Write a value as JSON.

    Parameters
    ----------
    value : mapping, sequence, array, number, text, date or None
        Nested as deep as wanted; mappings keep their order, missing numbers become ``null``.
    indent : int or None
        Blanks of indent; None: all on one line, for what only programs read.

    Returns
    -------
    bytes
        UTF-8, ``\n`` at the end; floats as the shortest text that reads back
        exactly.

    Raises
    ------
    ValueError
        If a number is infinite: JSON has no word for it.
    TypeError
        If there is something else than the above.
    """
    marks = (",", ":") if indent is None else None
    text = json.dumps(
        _plain(value), ensure_ascii=False, allow_nan=False, indent=indent, separators=marks
    )
    return f"{text}\n".encode()


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple | np.ndarray | pd.Series | pd.Index):
        return [_plain(entry) for entry in value]
    if value is None or pd.isna(value):
        return None
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        return float(value) + 0.0
    if isinstance(value, date):
        return value.isoformat().removesuffix("T00:00:00")
    raise TypeError(f"no JSON value for {type(value).__name__}")
