"""Excel workbooks: the archive is examined first, then read whole with what Excel hides."""

from __future__ import annotations

import re
import warnings
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from datetime import date, time, timedelta
from functools import lru_cache
from io import BytesIO
from lzma import LZMAError
from pathlib import Path
from xml.etree.ElementTree import ParseError

from openpyxl import Workbook, load_workbook
from openpyxl.cell.cell import Cell as ExcelCell
from openpyxl.cell.cell import MergedCell
from openpyxl.utils import get_column_letter, range_boundaries
from openpyxl.utils.exceptions import InvalidFileException
from openpyxl.worksheet.worksheet import Worksheet

from kc_model.errors import Address, Fault, InputError
from kc_model.sheets.raw import BROKEN, Sheet, Value, screen_text

__all__ = ["read_workbook"]

_MEGABYTE = 2**20
_LARGEST = 100 * _MEGABYTE
_INFLATED = 256 * _MEGABYTE
_RATIO = 200  # how many times a part of more than a megabyte may grow
_PARTS = 2_000
_CELLS = 3_000_000
_MERGED = 200_000
_ROWS, _COLUMNS = 1_000_000, 2_000

_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
_FORMULA = re.compile(rb"<(?:\w+:)?f[ />]")
_FRESH = re.compile(rb'fullCalcOnLoad="(1|true)"')
_MERGE = re.compile(rb'<(?:\w+:)?mergeCell\s[^>]*ref="([A-Z]{1,3}[0-9]{1,7}:[A-Z]{1,3}[0-9]{1,7})"')
_FORBIDDEN = tuple(
    word.encode(code)
    for word in ("<!DOCTYPE", "<!ENTITY")
    for code in ("utf-8", "utf-16-le", "utf-16-be")
)
_UNREADABLE = (
    *(ValueError, KeyError, TypeError, IndexError, AttributeError, OSError, EOFError),
    *(zipfile.BadZipFile, zlib.error, LZMAError, NotImplementedError, RuntimeError),
    *(ParseError, InvalidFileException),
)


def read_workbook(path: Path) -> list[Sheet]:
    """Return every sheet of a workbook, hidden ones too, under its own title.

    Nothing is left out silently: hidden rows, columns, sheets and filters in force are warned of;
    errors, formulas without a stored value and text in fonts of before Unicode are faults of the
    sheet. Values merged over rows are copied down inside their range.

    Raises
    ------
    InputError
        file-locked, lock-file, legacy-xls, encrypted-workbook, macro-workbook, not-a-workbook,
        damaged-workbook, workbook-too-large or xml-entities.
    """
    at = Address(path.name)
    how = _examine(path, at)
    try:
        content = path.read_bytes()
    except OSError:  # taken away just now
        raise InputError([Fault("file-locked", at)]) from None
    return list(_sheets_of(content, at, *how))


@lru_cache(maxsize=1)  # data and scenario of one workbook are read one after the other
def _sheets_of(
    content: bytes, at: Address, has_formulas: bool, is_fresh: bool
) -> tuple[Sheet, ...]:
    values = _load(content, at, data_only=True)
    formulas = _load(content, at, data_only=False) if has_formulas else None
    sheets = []
    for sheet in values.worksheets:
        cells = formulas[sheet.title]._cells if formulas else {}  # the only sparse access there is
        missing = {
            key
            for key, cell in cells.items()
            if cell.data_type == "f" and _is_uncached(sheet._cells.get(key), is_fresh)
        }
        sheets.append(_read_sheet(sheet, at.file, missing))
    return tuple(sheets)


# ---------------------------------------------------------------------------- the archive


def _examine(path: Path, at: Address) -> tuple[bool, bool]:
    """Refuse what is no workbook or could do harm.

    Returns
    -------
    bool, bool
        Whether it holds formulas; whether the program that wrote it left them to be computed.
    """
    if path.name.startswith("~$"):
        raise InputError([Fault("lock-file", at)])
    try:
        code = _true_kind(path)
        if code:
            raise InputError([Fault(code, at)])
        with zipfile.ZipFile(path) as archive:
            _examine_list(archive.infolist(), path.stat().st_size, at)
            formulas = [_examine_part(archive, info, at) for info in archive.infolist()]
            is_fresh = _FRESH.search(archive.read("xl/workbook.xml")) is not None
            return any(formulas), is_fresh
    except PermissionError:
        raise InputError([Fault("file-locked", at)]) from None
    except _UNREADABLE as error:
        if isinstance(error, InputError):
            raise
        raise InputError([Fault("damaged-workbook", at)]) from None


def _true_kind(path: Path) -> str:
    """Return the fault that a file's first bytes show; "" for a zip archive."""
    with path.open("rb") as file:
        head = file.read(8)
        if head.startswith(b"PK\x03\x04"):
            return "workbook-too-large" if path.stat().st_size > _LARGEST else ""
        if not head.startswith(_OLE):
            return "not-a-workbook" if head else "empty-file"
        return "encrypted-workbook" if _ENCRYPTED in file.read(_LARGEST) else "legacy-xls"


def _examine_list(parts: list[zipfile.ZipInfo], size: int, at: Address) -> None:
    names = {info.filename.lower() for info in parts}
    large = (
        len(parts) > _PARTS
        or sum(info.file_size for info in parts) > _INFLATED
        or sum(info.compress_size for info in parts) > size  # parts that overlap
        or any(
            info.file_size > max(_MEGABYTE, _RATIO * max(1, info.compress_size)) for info in parts
        )
    )
    if large:
        raise InputError([Fault("workbook-too-large", at)])
    if any(name.endswith("vbaproject.bin") for name in names):
        raise InputError([Fault("macro-workbook", at)])
    if "xl/workbook.bin" in names:
        raise InputError([Fault("legacy-xls", at)])
    if not {"[content_types].xml", "xl/workbook.xml"} <= names:
        raise InputError([Fault("not-a-workbook", at)])


def _examine_part(archive: zipfile.ZipFile, info: zipfile.ZipInfo, at: Address) -> bool:
    """Inflate one part, which proves its size and checksum; tell whether it holds formulas."""
    data = archive.read(info)
    if not info.filename.endswith((".xml", ".rels", ".vml")):
        return False
    if any(word in data for word in _FORBIDDEN):
        raise InputError([Fault("xml-entities", at)])
    if not info.filename.startswith("xl/worksheets/"):
        return False
    merged = sum(_area(found.decode()) for found in _MERGE.findall(data))
    if data.count(b"<c ") > _CELLS or merged > _MERGED:
        raise InputError([Fault("workbook-too-large", at)])
    return _FORMULA.search(data) is not None


def _area(reference: str) -> int:
    left, top, right, bottom = (int(edge or 0) for edge in range_boundaries(reference))
    return (right - left + 1) * (bottom - top + 1)


def _load(content: bytes, at: Address, *, data_only: bool) -> Workbook:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # features of Excel that hold no data
            return load_workbook(BytesIO(content), data_only=data_only, keep_links=False)
    except _UNREADABLE:
        raise InputError([Fault("damaged-workbook", at)]) from None


# ---------------------------------------------------------------------------- one sheet

_Cells = Mapping[tuple[int, int], ExcelCell | MergedCell]


def _is_uncached(cell: ExcelCell | MergedCell | None, is_fresh: bool) -> bool:
    """Tell whether a formula has no stored value.

    A program that leaves calculating to Excel (`is_fresh`) may have stored 0 in its stead. A stored
    empty text is a value.
    """
    if cell is None or cell.value is None:
        return cell is None or cell.data_type != "str"
    return is_fresh and cell.value == 0


def _read_sheet(sheet: Worksheet, file: str, uncached: set[tuple[int, int]]) -> Sheet:
    at = Address(file, sheet.title)
    bounds = tuple(
        (area.min_row, area.min_col, area.max_row, area.max_col)
        for area in sheet.merged_cells.ranges
    )
    cells: _Cells = sheet._cells
    filled = {key: cell for key, cell in cells.items() if cell.value is not None or key in uncached}
    far = [key for key in filled if key[0] > _ROWS or key[1] > _COLUMNS]
    if far:
        fault = Fault("far-cell", _cell_at(at, far[0]))
        return Sheet(sheet.title, file, sheet.title, (), (), faults=(fault,))
    faults = _hidden(sheet, filled, at)
    fonts: dict[int, str] = {}
    values: dict[tuple[int, int], Value] = {}
    for key, cell in filled.items():
        code, found = ("uncached-formula", "") if key in uncached else _fault_of(cell, fonts)
        if code:
            faults.append(Fault(code, _cell_at(at, key), {"found": found}))
        values[key] = BROKEN if code else _plain_value(cell.value)
    copies = _fill_down(values, bounds)
    numbers = sorted({row for row, _ in values})
    rows: dict[int, list[Value]] = {number: [] for number in numbers}
    for (number, column), value in sorted(values.items(), key=lambda item: item[0]):
        row = rows[number]
        row.extend([None] * (column - 1 - len(row)))
        row.append(value)
    shown = [rows[number] for number in numbers]
    return Sheet(sheet.title, file, sheet.title, numbers, shown, bounds, copies, tuple(faults))


def _cell_at(at: Address, key: tuple[int, int]) -> Address:
    return Address(at.file, at.sheet, f"{get_column_letter(key[1])}{key[0]}")


def _plain_value(value: object) -> Value:
    known = (str, int, float, bool, date, time, timedelta)
    return value if value is None or isinstance(value, known) else str(value)


def _fault_of(cell: ExcelCell | MergedCell, fonts: dict[int, str]) -> tuple[str, str]:
    """Return the fault code of a single cell and what to show; ("", "") for a sound one."""
    text = cell.value
    if cell.data_type == "e":
        return "error-value", str(text)
    if not isinstance(text, str) or (text.isascii() and text.isprintable() and "#" not in text):
        return "", ""
    style = cell.style_id
    if style not in fonts:
        fonts[style] = (cell.font.name if cell.font else None) or ""
    if fonts[style].upper().startswith((".VN", "VNI-")) and _is_western(text):
        return "legacy-font", fonts[style]
    return screen_text(text.strip()), repr(text)[1:-1]


def _is_western(text: str) -> bool:
    """Tell whether a text has marked letters, and none that only Unicode Vietnamese has."""
    return not text.isascii() and all(
        ord(letter) < 0x100 or ord(letter) > 0x2000 for letter in text
    )


def _fill_down(
    values: dict[tuple[int, int], Value], bounds: Iterable[tuple[int, int, int, int]]
) -> dict[tuple[int, int], tuple[int, int]]:
    """Copy values merged over rows down their first column; return where each copy is from."""
    copies = {
        (row, left): (top, left)
        for top, left, bottom, _ in bounds
        if (top, left) in values
        for row in range(top + 1, bottom + 1)
    }
    values.update({key: values[first] for key, first in copies.items()})
    return copies


def _hidden(sheet: Worksheet, filled: _Cells, at: Address) -> list[Fault]:
    """Return the warnings that something hidden was read all the same."""
    rows = {row for row, _ in filled}
    hidden_rows = sorted(n for n, row in sheet.row_dimensions.items() if row.hidden and n in rows)
    used = {column for _, column in filled}
    hidden_columns = sorted(
        column
        for dimension in sheet.column_dimensions.values()
        if dimension.hidden
        for column in range(dimension.min or 1, min(dimension.max or 1, _COLUMNS) + 1)
        if column in used
    )
    filters = [sheet.auto_filter, *(table.autoFilter for table in sheet.tables.values())]
    found = {
        "hidden-sheet": [sheet.title] if sheet.sheet_state != "visible" and filled else [],
        "hidden-rows": _spans(hidden_rows),
        "hidden-columns": [get_column_letter(column) for column in hidden_columns],
        "active-filter": [f.ref for f in filters if f is not None and f.ref and f.filterColumn],
    }
    return [
        Fault(code, at, {"found": ", ".join(what)}, "warning")
        for code, what in found.items()
        if what
    ]


def _spans(numbers: list[int]) -> list[str]:
    """Return row numbers as spans: 3, 5–9."""
    starts = [n for i, n in enumerate(numbers) if i == 0 or numbers[i - 1] != n - 1]
    ends = [n for i, n in enumerate(numbers) if i + 1 == len(numbers) or numbers[i + 1] != n + 1]
    return [
        str(first) if first == last else f"{first}–{last}"
        for first, last in zip(starts, ends, strict=True)
    ]
