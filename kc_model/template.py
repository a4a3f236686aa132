"""The workbook a planner fills in, empty or with a dataset in it.

Sheets and headings are Vietnamese (or English); each heading's remark tells the ASCII name and what
the column means. A row whose first filled cell begins with "Ví dụ:" is an example and is not read.
Texts are written as texts, never as formulas.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pandas as pd
import xlsxwriter
from xlsxwriter.worksheet import Worksheet

from kc_model import reference
from kc_model.errors import Address, Fault, SaveError
from kc_model.export.book import Book, display_of
from kc_model.export.saving import save_file
from kc_model.money import UNITS
from kc_model.sheets import choices, heading, known_attributes
from kc_model.tables import FORMS, SCHEMAS, Column, Dataset, Kind
from kc_model.wording import Language, say, texts

__all__ = ["write_template", "write_workbook"]

_SHEETS = (
    *("dataset", "notes", "history", "cells", "absorption", "draws", "places", "projects"),
    *("scenario", "budget", "rules", "goals", "evidence"),
)
_KEYS = {
    "dataset": ("title", "vintage", "unit", "synthetic", "sources", "decimal"),
    "scenario": ("name", "year", "spend", "round_to", "as_of", "projects"),
}
_REQUIRED_KEYS = {"title", "vintage", "unit", "synthetic", "sources", "name", "year"}
_OF_NO_PROJECT = {"project estimate", "cap"}  # norms that hold for all: no project names them
_BLANK_SOURCES = 3
_READY_ROWS = 2_000  # rows that have drop-downs in an empty table
_LAST_ROW = 1_048_576
_ACROSS = 170  # characters of a table that a page holds in a readable size
_LONGEST_TEXT = 32_767
_WIDTHS = {
    Kind.YEAR: 8,
    Kind.MONTH: 8,
    Kind.MONEY: 16,
    Kind.PLACE: 22,
    Kind.AREA: 34,
    Kind.SOURCE: 22,
}

_FIELD = ("cell", "wrap", "top", "field")
_REQUIRED = (*_FIELD, "required")

Row = Mapping[str, object]

_CELL: Row = {"place": "19", "area": "TECH", "source": "KCDP"}
_PLANNED: Row = {"year": 2026, **_CELL}
_EXAMPLES: Mapping[str, Row] = {
    "notes": {"standing": "assumed", "vi": "Kế hoạch chia đều theo quý", "en": "Plan split evenly"},
    "history": {
        "year": 2025,
        "month": 6,
        **_CELL,
        "plan": 2_500_000_000,
        "disbursed": 850_000_000,
        "status": "reported",
    },
    "cells": {**_PLANNED, "baseline": 2_500_000_000, "min": 1_000_000_000, "max": 4_000_000_000},
    "absorption": {**_PLANNED, "upto": 2_000_000_000, "rate": 0.95},
    "draws": {"draw": 1, **_PLANNED, "capacity": 2_300_000_000},
    "places": {"place": "19", "population": 1_799_489.0, "difficult": 0.0},
    "projects": {
        "id": "DA01",
        "name": "Hỗ trợ máy sấy chè",
        **_CELL,
        "source": "KCQG",
        "cost": 700_000_000,
        "support": 300_000_000,
        "score": 85.0,
        "kind": "normal",
        "stage": "registered",
        "norm": "N04",
        "quantity": 1,
    },
    "budget": {"source": "KCDP", "place": "19", "amount": 3_200},
    "rules": {
        "id": "management-KCQG",
        "text": "Chi quản lý chương trình không quá 1,5 % kinh phí khuyến công quốc gia",
        "where": "area=ADMN; source=KCQG",
        "of": "source=KCQG",
        "max": 0.015,
        "tier": "law",
        "basis": "TTLT 26/2014/TTLT-BTC-BCT Điều 6.2.s (theo văn bản 2014, đã có sửa đổi)",
    },
    "goals": {"sense": "maximise", "what": "disbursed", "give": 0.01},
}


def write_template(path: str | Path, language: Language = "vi") -> None:
    """Write the empty workbook: every sheet, drop-downs, one example row in each table.

    Parameters
    ----------
    path : str or Path
        Must not exist yet.
    language : {"vi", "en"}
        Of sheet names, headings and remarks; both are understood when it is read.

    Raises
    ------
    SaveError
        If the file exists or cannot be saved.
    """
    book = _Template(language, "million_vnd", "34")
    book.write_guide()
    for name in _SHEETS:
        if name in _KEYS:
            book.write_keys(name, {})
        else:
            book.write_table(name, _columns(name), (), _EXAMPLES.get(name))
    book.write_lists()
    _save(Path(path), book.close())


def write_workbook(
    data: Dataset,
    path: str | Path,
    scenario: Mapping[str, Sequence[Row]] | None = None,
    language: Language = "vi",
) -> None:
    """Write a dataset into the workbook, so that reading it gives the same tables exactly.

    Parameters
    ----------
    data : Dataset
    path : str or Path
        Must not exist yet.
    scenario : mapping, optional
        Rows of the sheets ``scenario`` (key, value), ``budget``, ``rules`` and ``goals``, by
        column of `FORMS`; money in the dataset's unit.
    language : {"vi", "en"}

    Raises
    ------
    SaveError
        If the file exists, cannot be saved, or a text or table does not fit into Excel.
    """
    book = _Template(language, data.unit, data.vintage)
    book.write_guide()
    scenario = scenario or {}
    for name in _SHEETS:
        if name == "dataset":
            book.write_keys(name, _own_keys(data))
        elif name == "scenario":
            rows = scenario.get(name, ())
            book.write_keys(name, {str(row["key"]): [row["value"]] for row in rows})
        elif name == "notes":
            book.write_table(name, _columns(name), [vars(note) for note in data.notes])
        elif name in FORMS:
            book.write_table(name, _columns(name), scenario.get(name, ()))
        else:
            frame = data.tables[name]
            blank = {"vintage": ""} if "vintage" in frame else {}
            records = frame.assign(**blank).to_dict("records")
            rows = [{str(key): value for key, value in row.items()} for row in records]
            book.write_table(name, _columns(name, frame), rows)
    book.write_lists()
    _save(Path(path), book.close())


def _own_keys(data: Dataset) -> dict[str, Sequence[object]]:
    return {
        "title": [data.title],
        "vintage": [data.vintage],
        "unit": [data.unit],
        "synthetic": [str(data.synthetic).lower()],
        "sources": list(data.sources) or [""],
    }


def _columns(name: str, frame: pd.DataFrame | None = None) -> list[Column]:
    """Return the columns of a sheet; with the attributes of a frame, or those that are usual."""
    if name in FORMS:
        numbers = {"amount", "min", "max", "weight", "level", "give", "year"}
        return [Column(n, Kind.NUMBER if n in numbers else Kind.TEXT) for n in FORMS[name]]
    columns = list(SCHEMAS[name].columns)
    if frame is None:
        return [*columns, *(Column(n, Kind.ATTRIBUTE) for n in known_attributes(name))]
    more = [n for n in frame.columns if n not in SCHEMAS[name].by_name]
    return [*columns, *(Column(n, Kind.ATTRIBUTE) for n in more)]


def _save(path: Path, data: bytes) -> None:
    if path.exists():
        fault = Fault("workbook-exists", Address(path.name), {"path": path.name})
        raise SaveError([fault])
    save_file(path, data, expected={path.name: ""})


# ---------------------------------------------------------------------------- the workbook


class _Template(Book):
    """A workbook to be filled in: its lists and how a value is shown."""

    def __init__(self, language: Language, unit: str, vintage: str) -> None:
        super().__init__(language, vintage, display_of((), unit, 0.0, unit))
        self._lists = _lists(language)

    def _sheet(self, name: str) -> Worksheet:
        sheet = self.workbook.add_worksheet(self._say(f"headings.sheets.{name}"))
        sheet.set_landscape()
        sheet.set_paper(9)  # A4
        self.footer(sheet, sheet.get_name())
        return sheet

    def _say(self, key: str, **values: object) -> str:
        return say(key, self.language, **values)

    def _widen(self, sheet: Worksheet, widths: Sequence[float]) -> None:
        """Set the columns' widths; print as many pages across as leave them readable."""
        self.lay(sheet, widths)
        sheet.fit_to_pages(max(1, round(sum(widths) / _ACROSS)), 0)
        sheet.repeat_rows(0)

    def write_guide(self) -> None:
        sheet = self._sheet("guide")
        self._widen(sheet, [120])
        sheet.write_string(0, 0, self._say("template.guide.title"), self.style("bold", "large"))
        lines = sorted(key for key in texts() if key.startswith("template.guide.lines."))
        for row, key in enumerate(lines, start=2):
            self.text(sheet, row, 0, self._say(key), "wrap", "top")

    def write_lists(self) -> None:
        """Write the sheet that the drop-downs take their words from."""
        sheet = self._sheet("lists")
        tables = ("dataset", *SCHEMAS, "scenario", "budget", "rules", "goals")
        lists = []
        for name, words in self._lists.items():
            key = next(key for table in tables if (key := heading(table, name)))
            lists.append([self._say(key), *words])
        self._widen(sheet, [min(40, max(map(len, words)) + 4) for words in lists])
        for column, words in enumerate(lists):
            for row, text in enumerate(words):
                self.text(sheet, row, column, text, *(("wrap", "top") if row else _FIELD))
        sheet.freeze_panes(1, 0)

    def write_keys(self, name: str, given: Mapping[str, Sequence[object]]) -> None:
        """Write a sheet of keys and values; a key with several values has a row for each."""
        sheet = self._sheet(name)
        self._widen(sheet, (28, 40, 80))
        for column, head in enumerate(("key", "value", "meaning")):
            text = self._say(f"headings.any.{head}")
            sheet.write_string(0, column, text, self.style(*_FIELD))
        blank = {key: [""] * (_BLANK_SOURCES if key == "sources" else 1) for key in _KEYS[name]}
        entries = {**blank, **given}
        rows = [(key, value) for key, values in entries.items() for value in values]
        for row, (key, value) in enumerate(rows, start=1):
            label, style = heading(name, key), _REQUIRED if key in _REQUIRED_KEYS else _FIELD
            sheet.write_string(row, 0, self._say(label) if label else key, self.style(*style))
            self._write(sheet, (row, 1), value, Column(key, Kind.TEXT))
            meaning = self._meaning(name, key)
            sheet.write_string(row, 2, meaning, self.style("top", "example"))
            self._drop_down(sheet, key, (row, row), 1)
        sheet.freeze_panes(1, 0)

    def write_table(
        self, name: str, columns: Sequence[Column], rows: Iterable[Row], example: Row | None = None
    ) -> None:
        """Write a table with headings, remarks and drop-downs, and an example if there is one."""
        sheet = self._sheet(name)
        widths = [
            self._write_heading(sheet, name, position, column)
            for position, column in enumerate(columns)
        ]
        self._widen(sheet, [max(widths[0], 14), *widths[1:]])
        last = 0
        for last, row in enumerate(rows, start=1):
            if last >= _LAST_ROW:
                values = {"table": name, "limit": _LAST_ROW}
                raise SaveError([Fault("too-many-rows", Address(sheet=name), values)])
            for position, column in enumerate(columns):
                self._write(sheet, (last, position), row.get(column.name), column)
        if example is not None:
            self._write_example(sheet, columns, example)
        for position, column in enumerate(columns):
            self._drop_down(sheet, column.name, (1, max(last, _READY_ROWS)), position)
        sheet.freeze_panes(1, 0)

    def _write_heading(self, sheet: Worksheet, table: str, position: int, column: Column) -> int:
        """Write a heading and its remark; return the characters that its column needs."""
        own = column.kind is not Kind.ATTRIBUTE or column.name in known_attributes(table)
        key = heading(table, column.name) if own else ""
        text = self._say(key) if key else column.name
        style = _REQUIRED if column.required else _FIELD
        sheet.write_string(0, position, text, self.style(*style))
        meaning = self._meaning(table, column.name) if own else ""
        if meaning:
            sheet.write_comment(0, position, f"{column.name}\n{meaning}")
        return max(_WIDTHS.get(column.kind, 12), len(text) + 2)

    def _meaning(self, table: str, column: str) -> str:
        keys = (f"template.meaning.{table}.{column}", f"template.meaning.any.{column}")
        return next((self._say(key) for key in keys if key in texts()), "")

    def _drop_down(self, sheet: Worksheet, name: str, rows: tuple[int, int], column: int) -> None:
        if name not in self._lists:
            return
        position, words = list(self._lists).index(name), self._lists[name]
        letter = xlsxwriter.utility.xl_col_to_name(position, col_abs=True)
        title = self._say("headings.sheets.lists")
        source = f"='{title}'!{letter}$2:{letter}${len(words) + 1}"
        rule = {"validate": "list", "source": source, "error_type": "warning"}
        rule["error_message"] = self._say("template.pick")
        sheet.data_validation(rows[0], column, rows[1], column, rule)

    def _write_example(self, sheet: Worksheet, columns: Sequence[Column], example: Row) -> None:
        """Write the example row; its first cell says that it is one."""
        is_first = True
        for position, column in enumerate(columns):
            value = self._shown(example.get(column.name), column)
            if value is None:
                continue
            if is_first:
                whole = isinstance(value, float) and value.is_integer()
                shown = format(value, ".0f") if whole else value
                value, is_first = self._say("template.example", value=shown), False
            if isinstance(value, str):
                sheet.write_string(1, position, value, self.style("top", "example"))
            else:
                sheet.write_number(1, position, value, self.style("top", "example"))

    def _write(
        self, sheet: Worksheet, cell: tuple[int, int], value: object, column: Column
    ) -> None:
        shown = self._shown(value, column)
        if isinstance(shown, datetime):
            sheet.write_datetime(*cell, shown, self.style("top", "day"))
        elif isinstance(shown, str):
            if len(shown) > _LONGEST_TEXT:
                place = xlsxwriter.utility.xl_rowcol_to_cell(*cell)
                at = Address(sheet=sheet.get_name(), cell=place)
                raise SaveError([Fault("text-too-long", at, {"limit": _LONGEST_TEXT})])
            sheet.write_string(*cell, shown, self.style("top"))
        elif shown is not None:
            plain = column.kind in (Kind.YEAR, Kind.MONTH, Kind.WHOLE)
            style = "year" if plain else "whole" if shown == int(shown) else "exact"
            sheet.write_number(*cell, shown, self.style("top", style))

    def _shown(self, value: object, column: Column) -> str | float | datetime | None:
        """Return a canonical value as the cell shows it; None for a missing one."""
        if value is None or value is pd.NA or value is pd.NaT or value == "" or value != value:
            return None
        if column.kind is Kind.MONEY:
            return _money(int(str(value)), self.money.unit)
        if isinstance(value, pd.Timestamp):
            return value.to_pydatetime()
        if isinstance(value, (int, float, Decimal)) and not isinstance(value, bool):
            return _number(value)
        return self._words(str(value), column)

    def _words(self, code: str, column: Column) -> str:
        """Return the name of a code, or the text itself."""
        if column.kind in (Kind.PLACE, Kind.PLACES):
            names = [reference.place_name(c, self.vintage, self.language) for c in code.split(";")]
            return "; ".join(names)
        if column.kind is Kind.AREA:
            return reference.area_name(code, self.language)
        if column.kind is Kind.SOURCE:
            return reference.source_name(code, self.language)
        if column.kind is Kind.NORM:
            return reference.norm_name(code, self.language)
        return choices(column.name).get(code, {}).get(self.language, code)


def _lists(language: Language) -> dict[str, list[str]]:
    """Return the words of every drop-down, by column: places of both vintages, areas, choices."""
    codes = {vintage: reference.place_order(vintage) for vintage in ("34", "63")}
    places = [reference.place_name(c, v, language) for v, order in codes.items() for c in order]
    lists = {
        "place": list(dict.fromkeys(places)),
        "area": [reference.area_name(code, language) for code in reference.area_order()],
        "source": [reference.source_name(code, language) for code in reference.source_order()],
    }
    every = reference.norms()
    norms = every.loc[~every["share_of"].isin(_OF_NO_PROJECT), "id"]
    lists["norm"] = [reference.norm_name(code, language) for code in norms]
    prefix = "headings.choices."
    names = {key.removeprefix(prefix).split(".")[0] for key in texts() if key.startswith(prefix)}
    for name in sorted(names):
        lists[name] = [words[language] for words in choices(name).values()]
    return lists


def _money(vnd: int, unit: str) -> str | float:
    """Return an amount as a number of its unit, or in words where no Excel number holds it."""
    amount = Decimal(vnd) / UNITS[unit]
    number = _number(amount)
    return f"{vnd} đồng" if isinstance(number, str) else number


def _number(value: float | Decimal) -> float | str:
    """Return a number that Excel keeps exactly, or its digits as text."""
    number = float(value)
    exact = Decimal(value) if isinstance(value, (int, Decimal)) else Decimal(repr(value))
    kept = f"{number:.16G}"  # as xlsxwriter writes it
    if float(kept) == number and Decimal(repr(number)) == exact:
        return number
    return format(exact, "f")
