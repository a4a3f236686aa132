"""CSV files: UTF-8 or UTF-16, separated by comma, semicolon or tab; nothing guessed."""

from __future__ import annotations

import codecs
import csv
import io
from itertools import chain
from pathlib import Path

from kc_model.errors import Address, Fault, InputError
from kc_model.sheets.raw import BROKEN, Sheet, screen_text

__all__ = ["read_delimited"]

_LARGEST = 512 * 2**20
_SEPARATORS = (",", ";", "\t")
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def read_delimited(path: Path, name: str) -> Sheet:
    """Return the rows of a CSV file.

    Parameters
    ----------
    name : str
        Canonical name of the table.

    Raises
    ------
    InputError
        file-locked, file-too-large, is-a-workbook, not-utf8, broken-csv or ambiguous-separator.
    """
    at = Address(path.name)
    text = _decode(_bytes(path, at), at)
    rows = enumerate(_split(text, at), start=1)
    filled = [(number, row) for number, row in rows if "".join(row).strip()]
    sheet = Sheet(name, path.name, "", [number for number, _ in filled], [])
    known = {text: _screened(text) for text in set(chain.from_iterable(row for _, row in filled))}
    faults = [
        Fault(code, sheet.cell_at(i, column), {"found": repr(text)[1:-1]})
        for i, (_, row) in enumerate(filled)
        if any(map(known.__getitem__, row))
        for column, text in enumerate(row)
        if (code := known[text])
    ]
    values = {
        text: BROKEN if code else text if text.strip() else None for text, code in known.items()
    }
    shown = [[values[text] for text in row] for _, row in filled]
    return Sheet(name, path.name, "", sheet.numbers, shown, faults=tuple(faults))


def _bytes(path: Path, at: Address) -> bytes:
    try:
        if path.stat().st_size > _LARGEST:
            raise InputError([Fault("file-too-large", at, {"limit": _LARGEST // 2**20})])
        return path.read_bytes()
    except PermissionError:
        raise InputError([Fault("file-locked", at)]) from None


def _decode(data: bytes, at: Address) -> str:
    if data.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        raise InputError([Fault("is-a-workbook", at)])
    encoding = "utf-16" if data.startswith(_UTF16) else "utf-8-sig"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        raise InputError([Fault("not-utf8", at)]) from None
    if "\x00" in text:
        raise InputError([Fault("not-utf8", at)])
    return text


def _split(text: str, at: Address) -> list[list[str]]:
    separator = _separator(text, at)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        return list(reader)
    except csv.Error:
        cell = f"A{reader.line_num}"
        raise InputError([Fault("broken-csv", Address(at.file, cell=cell))]) from None


def _separator(text: str, at: Address) -> str:
    """Return the separator that the first filled line which has any shows."""
    lines = (line for line in text.splitlines() if line.strip(" ,;\t"))
    line = next((line for line in lines if any(mark in line for mark in _SEPARATORS)), "")
    fields = {
        mark: len(next(csv.reader([line], delimiter=mark))) for mark in _SEPARATORS if mark in line
    }
    best = [mark for mark, count in fields.items() if count == max(fields.values()) > 1]
    if len(best) > 1:
        raise InputError([Fault("ambiguous-separator", at)])
    return best[0] if best else ","


def _screened(text: str) -> str:
    """Return the code of the fault that a text shows, "" for none."""
    if text.isascii() and "#" not in text and text.isprintable():
        return ""
    return screen_text(text.strip())
