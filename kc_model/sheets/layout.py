"""Which column is which: headings in Vietnamese or ASCII, found wherever the header row stands."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property, lru_cache

from kc_model.errors import Address, Fault
from kc_model.money import find_unit
from kc_model.reference.names import plain
from kc_model.sheets.raw import BROKEN, Cell, Sheet, Value
from kc_model.tables import FORMS, SCHEMAS
from kc_model.wording import LANGUAGES, say, texts

__all__ = [
    "Grid",
    "choice_code",
    "choices",
    "clean_text",
    "heading",
    "known_attributes",
    "lay_out",
    "named_choices",
    "pairs",
    "records",
    "sheet_name",
    "shown_name",
    "shown_sheet",
    "spellings",
]

_SEARCHED = 30  # rows in which the header is looked for
_BRACKETS = re.compile(r"\(([^()]*)\)\s*\*?\s*$")
_STATED = re.compile(r"(?:đvt|đơn vị tính|đơn vị)\s*:\s*(.+)", re.IGNORECASE)
_EXAMPLE = re.compile(r"\s*(ví dụ|example)\s*:", re.IGNORECASE)


# ---------------------------------------------------------------------------- names


@lru_cache(maxsize=65_536)
def clean_text(text: str) -> str:
    """Return a text composed (NFC), without spaces around it and with plain line ends."""
    return unicodedata.normalize("NFC", text).replace("\r\n", "\n").replace("\r", "\n").strip()


@cache
def _key(text: str) -> str:
    """Return what two spellings of a heading have in common: letters and digits without marks."""
    return " ".join(re.sub(r"[\W_]+", " ", plain(text).casefold()).split())


def heading(table: str, column: str) -> str:
    """Return the key of the text that heads a column, "" if it has none."""
    keys = (f"headings.{table}.{column}", f"headings.any.{column}")
    return next((key for key in keys if key in texts()), "")


def shown_name(table: str, column: str) -> str:
    """Return a column as messages name it: ``plan (Kế hoạch)``."""
    key = heading(table, column)
    return f"{column} ({say(key)})" if key else column


def known_attributes(table: str) -> tuple[str, ...]:
    """Return the usual attributes of a table (population...) that have a heading of their own."""
    start = f"headings.{table}."
    names = [key.removeprefix(start) for key in texts() if key.startswith(start)]
    return tuple(name for name in names if name not in SCHEMAS[table].by_name)


@cache
def spellings(table: str, columns: tuple[str, ...]) -> Mapping[str, str]:
    """Return the column that each folded spelling of a heading means."""
    found = {}
    for column in columns:
        first = heading(table, column)
        section, _, _ = first.rpartition(".")
        words = [column]
        for key in (first, f"{section}_also.{column}"):
            words += [
                w for lang in LANGUAGES for w in texts().get(key, {}).get(lang, "").split("|")
            ]
        found.update({_key(word): column for word in words if word})
    return found


@cache
def _sheet_names() -> Mapping[str, str]:
    found = {}
    for key in texts():
        section, _, name = key.rpartition(".")
        if section in ("headings.sheets", "headings.sheets_also"):
            words = [w for lang in LANGUAGES for w in say(key, lang).split("|")]
            found.update({_key(word): name for word in (name, *words)})
    return found


def sheet_name(title: str) -> str:
    """Return the canonical name of a sheet or file ("history"), "" for none of ours."""
    return _sheet_names().get(_key(title), "")


def shown_sheet(name: str) -> str:
    """Return a sheet as messages name it: ``history (Tình hình thực hiện)``."""
    key = f"headings.sheets.{name}"
    return f"{name} ({say(key)})" if key in texts() else name


@cache
def choices(column: str) -> Mapping[str, Mapping[str, str]]:
    """Return code -> its text in every language, for a column whose values are a choice."""
    start = f"headings.choices.{column}."
    return {key.removeprefix(start): text for key, text in texts().items() if key.startswith(start)}


def named_choices(column: str, codes: Iterable[str] = ()) -> str:
    """Return what may be chosen, as a workbook and as a file has it: Đã quyết toán (settled).

    Parameters
    ----------
    codes : iterable of str
        Those allowed; none: all there are.
    """
    words = choices(column)
    return "; ".join(f"{words[c]['vi']} ({c})" if c in words else c for c in codes or words)


def choice_code(column: str, text: str) -> str:
    """Return the code that a text chooses ("ước thực hiện" -> estimate), "" for none."""
    for code, words in choices(column).items():
        if _key(text) in {_key(word) for word in (code, *words.values())}:
            return code
    return ""


# ---------------------------------------------------------------------------- the grid


@dataclass(frozen=True)
class Grid:
    """A sheet whose columns are known.

    Parameters
    ----------
    columns : mapping
        Column name -> position from 0, in the file's order.
    headings : mapping
        Column name -> heading as written.
    rows : tuple of int
        Positions in ``sheet.rows`` of the rows below the header, examples left out.
    units : mapping
        Column name -> unit of money that its heading states, with the address; "" for a unit
        stated above the header.
    header : int
        Position in ``sheet.rows`` of the header row, the lower one where there are two.
    """

    sheet: Sheet
    columns: Mapping[str, int]
    headings: Mapping[str, str]
    rows: tuple[int, ...]
    units: Mapping[str, tuple[str, Address]]
    header: int = 0
    _cache: dict[str, list[Value]] = field(default_factory=dict, init=False, compare=False)

    def column(self, name: str) -> list[Value]:
        """Return the values of a column in `rows`; treat as read-only."""
        if name not in self._cache:
            position = self.columns[name]
            self._cache[name] = [
                row[position] if position < len(row) else None for row in self._chosen
            ]
        return self._cache[name]

    @cached_property
    def _chosen(self) -> list[Sequence[Value]]:
        return [self.sheet.rows[row] for row in self.rows]

    def heading_at(self, name: str) -> Address:
        """Return the address of a column's heading."""
        return self.at(self.header, name)

    def at(self, row: int, name: str) -> Address:
        """Return the address of a value; of the row's first cell where there is no such column."""
        return self.sheet.cell_at(row, self.columns.get(name, 0), self.headings.get(name, ""))

    def value(self, row: int, name: str) -> Value:
        """Return a value; None where there is no such column."""
        return self.sheet.value(row, self.columns[name]) if name in self.columns else None

    def merged_from(self, row: int, name: str) -> Address | None:
        """Return the first cell of the merged range that a value was copied down from, if any."""
        if name not in self.columns:
            return None
        first = self.sheet.copies.get((self.sheet.numbers[row], self.columns[name] + 1))
        return first and self.sheet.cell_at(self.sheet.numbers.index(first[0]), first[1] - 1)


def lay_out(
    sheet: Sheet,
    columns: Sequence[str],
    required: Iterable[str],
    faults: list[Fault],
    *,
    extra: bool = False,
) -> Grid:
    """Find the header row and say which column is which.

    Parameters
    ----------
    columns, required : sequence of str
        Known columns, and those that must be there.
    faults : list of Fault
        no-header, missing-column, unknown-column, duplicate-column, column-without-heading,
        row-too-long and the warning row-too-short are added to it.
    extra : bool
        Whether unknown columns are kept, under the name they have in the file.
    """
    known = spellings(sheet.name, tuple(columns))
    first, headings = _find_header(sheet, known)
    if first is None:
        if sheet.rows or required:
            faults.append(Fault("no-header", sheet.at, {"columns": ", ".join(columns)}))
        return Grid(sheet, {}, {}, (), {})
    grid = _name_columns(sheet, first, headings, known, faults, extra=extra)
    for name in required:
        if name not in grid.columns:
            shown = shown_name(sheet.name, name)
            faults.append(Fault("missing-column", sheet.at, {"name": shown}))
    return _check_widths(grid, headings, faults)


def _texts_of(values: Sequence[Value]) -> list[str]:
    return [clean_text(value) if isinstance(value, str) else "" for value in values]


def _find_header(sheet: Sheet, known: Mapping[str, str]) -> tuple[int | None, list[str]]:
    """Return the position of the (last) header row and its headings; None if there is none."""
    best: tuple[int, int | None, list[str]] = (0, None, [])
    for i in range(min(_SEARCHED, len(sheet.rows))):
        for last, headings in _candidates(sheet, i, known):
            score = len({_match(text, known) for text in headings} - {""})
            if score > best[0]:
                best = (score, last, headings)
    return best[1], best[2]


def _candidates(sheet: Sheet, i: int, known: Mapping[str, str]) -> Iterable[tuple[int, list[str]]]:
    """Return the headings that row `i` gives alone, and with the row below it as second level."""
    yield i, _texts_of(sheet.rows[i])
    number = sheet.numbers[i]
    wide = [m for m in sheet.merges if m[0] <= number <= m[2] and m[3] > m[1]]
    if not wide or i + 1 >= len(sheet.rows):
        return
    width = max(len(sheet.rows[i]), len(sheet.rows[i + 1]), *(m[3] for m in wide))
    upper, lower = (
        _texts_of([sheet.value(row, column) for column in range(width)]) for row in (i, i + 1)
    )
    for _, left, _, right in wide:
        upper[left - 1 : right] = [upper[left - 1]] * (right - left + 1)
    both = []
    for above, below in zip(upper, lower, strict=True):
        joined = f"{above} {below}".strip()
        both.append(joined if not below or _match(joined, known) else below)
    yield i + 1, both


def _match(text: str, known: Mapping[str, str]) -> str:
    """Return the column that a heading names, with or without a remark in brackets."""
    return known.get(_key(text)) or known.get(_key(_BRACKETS.sub("", text))) or ""


def _name_columns(
    sheet: Sheet,
    first: int,
    headings: Sequence[str],
    known: Mapping[str, str],
    faults: list[Fault],
    *,
    extra: bool,
) -> Grid:
    columns: dict[str, int] = {}
    units = _stated_above(sheet, first)
    for position, text in enumerate(headings):
        if not text:
            continue
        at = sheet.cell_at(first, position, text)
        name = _match(text, known) or (text if extra else "")
        if not name:
            faults.append(
                Fault("unknown-column", at, {"found": text, "near": _near(text, known, sheet.name)})
            )
        elif name in columns:
            other = sheet.cell_at(first, columns[name]).cell
            faults.append(Fault("duplicate-column", at, {"name": text, "other": other}))
        else:
            columns[name] = position
            bracket = _BRACKETS.search(text)
            unit = find_unit(bracket[1]) if bracket else None
            if unit:
                units[name] = (unit, at)
    rows = tuple(i for i in range(first + 1, len(sheet.rows)) if not _is_example(sheet.rows[i]))
    names = {name: headings[position] for name, position in columns.items()}
    return Grid(sheet, columns, names, rows, units, first)


def _stated_above(sheet: Sheet, first: int) -> dict[str, tuple[str, Address]]:
    for i in range(first):
        for column, text in enumerate(_texts_of(sheet.rows[i])):
            stated = _STATED.search(text)
            unit = find_unit(stated[1].strip(" ()")) if stated else None
            if unit:
                return {"": (unit, sheet.cell_at(i, column))}
    return {}


def _is_example(values: Sequence[Value]) -> bool:
    """Tell whether a row is the example of the empty workbook: it begins with "Ví dụ:"."""
    first = next((value for value in values if value is not None), None)
    return isinstance(first, str) and _EXAMPLE.match(clean_text(first)) is not None


def _near(text: str, known: Mapping[str, str], table: str) -> str:
    close = difflib.get_close_matches(_key(text), known, 1, 0.6)
    return shown_name(table, known[close[0]]) if close else "–"


def _check_widths(grid: Grid, headings: Sequence[str], faults: list[Fault]) -> Grid:
    """Refuse values that no heading stands over."""
    sheet, width = grid.sheet, len(headings)
    headed = {column for column, text in enumerate(headings) if text}
    is_csv = not sheet.title
    kept = []
    for row in grid.rows:
        values = sheet.rows[row]
        if len(values) == width == len(headed):
            kept.append(row)
            continue
        stray = [j for j, value in enumerate(values) if value is not None and j not in headed]
        if is_csv and stray and stray[-1] >= width:
            faults.append(Fault("row-too-long", sheet.cell_at(row, stray[-1]), {"columns": width}))
            continue
        for column in stray:
            faults.append(Fault("column-without-heading", sheet.cell_at(row, column)))
            headed.add(column)  # said once
        if is_csv and len(values) < width:
            at = sheet.cell_at(row, 0)
            faults.append(Fault("row-too-short", at, {"columns": width}, "warning"))
        kept.append(row)
    return replace(grid, rows=tuple(kept))


# ---------------------------------------------------------------------------- sheets of a form


def records(sheet: Sheet, faults: list[Fault]) -> list[dict[str, Cell]]:
    """Return the rows of a sheet of `FORMS` ("budget", "rules"...), blank cells left out.

    Texts are cleaned; a choice in words ("Bắt buộc") is given by its code ("law").

    Parameters
    ----------
    sheet : Sheet
        Its name says which form it is.
    faults : list of Fault
        Those of the sheet itself and of its headings are added to it.
    """
    faults.extend(sheet.faults)
    grid = lay_out(sheet, FORMS[sheet.name], (), faults)
    rows = []
    for row in grid.rows:
        cells = {name: _form_cell(grid, row, name) for name in grid.columns}
        filled = {name: cell for name, cell in cells.items() if cell.value not in (None, "")}
        if filled:
            rows.append(filled)
    return rows


def _form_cell(grid: Grid, row: int, name: str) -> Cell:
    value = grid.value(row, name)
    if isinstance(value, str):
        value = clean_text(value)
        value = choice_code(name, value) or value
    return Cell("?" if value is BROKEN else value, grid.at(row, name))  # given: that it is is said


def pairs(
    sheet: Sheet, keys: Sequence[str], faults: list[Fault], *, blanks: bool = False
) -> list[tuple[str, Cell]]:
    """Return key and value of every row of a sheet that lists them; a key may repeat.

    Parameters
    ----------
    sheet : Sheet
        Key and value in the first two columns, with or without a header row; or the keys in the
        first row and their values below.
    keys : sequence of str
        Known keys; an unknown one is returned as it is written.
    faults : list of Fault
        Those of the sheet itself are added to it.
    blanks : bool
        Whether keys without a value are returned too, with None.
    """
    faults.extend(sheet.faults)
    header = spellings(sheet.name, FORMS[sheet.name])
    known = spellings(sheet.name, tuple(keys))
    found = []
    for key, row, column in _key_cells(sheet, known):
        text, value = clean_text(key) if isinstance(key, str) else "", sheet.value(row, column)
        if not text or (value is None and not blanks) or (row == 0 and _key(text) in header):
            continue
        name = known.get(_key(text), text)
        if isinstance(value, str):
            value = clean_text(value)
            value = choice_code(name, value) or value
        if value is not BROKEN:
            found.append((name, Cell(value, sheet.cell_at(row, column, text))))
    return found


def _key_cells(sheet: Sheet, known: Mapping[str, str]) -> list[tuple[Value, int, int]]:
    """Return each key with the position of its value: beside it, or below where keys are a row."""
    first = sheet.rows[0] if sheet.rows else ()
    if sum(_key(text) in known for text in _texts_of(first)) > 1:
        below = range(1, len(sheet.rows))
        return [(key, row, column) for column, key in enumerate(first) for row in below]
    return [(sheet.value(row, 0), row, 1) for row in range(len(sheet.rows))]
