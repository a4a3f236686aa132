"""One workbook of ours: its styles, its page, and the only ways a value gets into a cell."""

from __future__ import annotations

import io
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from textwrap import shorten, wrap
from typing import Any

import xlsxwriter
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from kc_model import reference
from kc_model.export.paper import DIGIT, EDGES, LINE, PAGE, SIZE, Layout, length_of, lines_of
from kc_model.money import SHOWN, UNITS
from kc_model.wording import Language, say
from kc_model.words import DIGITS

__all__ = ["Book", "Display", "cut_text", "display_of"]

_LONGEST = 32_000  # a cell holds 32,767 characters
_READABLE = 2_000  # of them fit in the highest row
_FOOTER = 170  # characters of its left part: it holds 255, codes and page numbers among them
_FONT = "Times New Roman"
_HIGHEST = 409.0  # points a row can have
_GAP = 6.0  # points of a row that keeps things apart
_BOLD = 1.07  # times as wide bold text is
_INDENT = 1.5  # characters that a step to the right takes
_WIDEST = 2.4  # times as wide columns may be made to fill the page
_SQUEEZES = (1.08, 1.16, 1.25)  # how much more than a page may be made to fit it
_SMALLEST = 0.55  # of its size text may be printed
_WRAPPED = frozenset({"wrap", "head"})
_FINEST = 3  # digits after the mark that money on paper has at most
_BORN = datetime(2000, 1, 1, tzinfo=UTC)  # fixed, so that the same plan gives the same bytes

_NO_FAULT = ("number_stored_as_text", "formula_differs", "formula_range")  # codes, subtotals

_STYLES: Mapping[str, Mapping[str, Any]] = {
    "cell": {"border": 1, "border_color": "#7F7F7F"},
    "head": {"bold": True, "align": "center", "text_wrap": True, "bg_color": "#DDE6F0"},
    "index": {"italic": True, "align": "center", "font_size": 9},
    "title": {"bold": True, "align": "center", "font_size": 14},
    "bold": {"bold": True},
    "italic": {"italic": True},
    "underline": {"underline": 1},
    "center": {"align": "center"},
    "right": {"align": "right"},
    "wrap": {"text_wrap": True},
    "top": {"valign": "top"},
    "band": {"bg_color": "#EEF3F8"},
    "total": {"bg_color": "#FCE9C8"},
    "warn": {"bold": True, "font_color": "#C00000"},
    "missed": {"bg_color": "#F8D7DA", "bold": True},
    "binding": {"bg_color": "#FFF3CD"},
    "code": {"font_size": 8, "font_color": "#7F7F7F"},
    "small": {"font_size": 9},
    "field": {"bg_color": "#DDEBF7"},
    "required": {"bg_color": "#BDD7EE", "bold": True},
    "example": {"italic": True, "font_color": "#7F7F7F"},
    "large": {"font_size": 14},
    "year": {"num_format": "0"},
    "exact": {"num_format": "#,##0.0##############"},
    "day": {"num_format": "dd/mm/yyyy"},
    "indent1": {"indent": 1},
    "indent2": {"indent": 2},
    "indent3": {"indent": 3},
}

# "@" stands for the digits that money has, "~" for the least change that is shown as one, "^" for
# one of the last digit: a change that is less is shown as none, without a sign.
_NUMBERS: Mapping[str, str] = {
    "money": "#,##0@",
    "tiny": '[>=~]#,##0@;[=0]#,##0@;"< ^"',  # above nothing, and shown as such: as less than
    "change": '[>=~]+#,##0@;[<=-~]-#,##0@;"0@"',
    "quiet": "#,##0@;-#,##0@;",  # nothing for zero
    "whole": "#,##0",
    "decimal": "#,##0.0##",
    "share": "0.0%",
    "percent": "0%",
    "exact_share": "0.0##%",
    "rise": '[>=0.0005]+0.0%;[<=-0.0005]-0.0%;"0.0%"',
}
_MARKS = {"vi": "[$-42A]", "en": ""}  # LibreOffice prints the language's marks; Excel its user's
_APART = "_)"  # a number does not touch the text in the column after it


def _section(shown: str, language: Language) -> str:
    """Return a section of a number format in a language, its condition first; "" stays.

    The minus is that of sentences, and so is what stands before a per cent sign.
    """
    if language == "vi":
        shown = shown.replace("%", " %")
    if shown.startswith('"'):
        return f"{shown.replace('.', ',') if language == 'vi' else shown}{_APART}"
    condition, bracket, digits = shown.rpartition("]")
    digits = digits.replace("-", '"−"')
    return f"{condition}{bracket}{_MARKS[language]}{digits}{_APART}" if shown else ""


def cut_text(text: str) -> list[str]:
    """Return a text in pieces that a row can show, cut between words; nothing is left out."""
    return wrap(text, _READABLE, replace_whitespace=False, drop_whitespace=False) or [""]


@dataclass(frozen=True)
class Display:
    """How money is shown; the cells hold all of it.

    Parameters
    ----------
    unit : str
        A key of `kc_model.money.UNITS`.
    digits : int
        Digits after the decimal mark.
    rounds : bool
        Whether that leaves something out.
    width : float
        Characters that the largest amount needs.
    """

    unit: str
    digits: int
    rounds: bool
    width: float

    @property
    def least(self) -> float:
        """VND from which an amount is not shown as nothing."""
        return float(UNITS[self.unit] / 10**self.digits / 2)


def display_of(
    money: Collection[int], given: str, narrowest: float, unit: str | None = None
) -> Display:
    """Return how some VND are shown: with the digits that show all of them, or the most there are.

    Parameters
    ----------
    given : str
        The dataset's unit: amounts in whole ones are shown whole where few digits do it.
    narrowest : float
        Characters that headings need.
    unit : str or None
        What money is shown in; None: what screens show it in, see `kc_model.money.SHOWN`.
    """
    unit = SHOWN[given] if unit is None else unit
    finest = min(_FINEST, len(str(UNITS[unit] // UNITS[given])) - 1)
    most = max(DIGITS[unit], finest)
    exact = (
        digits
        for digits in range(most + 1)
        if all(vnd * 10**digits % UNITS[unit] == 0 for vnd in money)
    )
    digits = next(exact, None)
    shown = most if digits is None else digits
    largest = sum(abs(vnd) for vnd in money) / UNITS[unit]  # no total is larger
    width = max(narrowest, len(f"{largest:,.{shown}f}") + 2.0)
    return Display(unit, shown, rounds=digits is None, width=width)


class Book:
    """A workbook being written.

    Parameters
    ----------
    vintage : {"63", "34"}
        Of the places' codes.

    Notes
    -----
    Text goes in by `text` and `merge` alone, which write strings whatever they look like; formulas
    by `formula` alone, always with the value they have, so that viewers which do not compute show
    it too.
    """

    def __init__(self, language: Language, vintage: str, money: Display) -> None:
        self.language = language
        self.vintage = vintage
        self.money = money
        self.stream = io.BytesIO()
        self.workbook = xlsxwriter.Workbook(
            self.stream,
            {
                "in_memory": True,
                "strings_to_formulas": False,
                "strings_to_urls": False,
                "strings_to_numbers": False,
                # Widths are counted in digits of this font, of much the same width everywhere.
                "default_format_properties": {"font_name": "Arial", "font_size": 10},
            },
        )
        point = f".{'0' * money.digits}" if money.digits else ""
        self._styles = dict(_STYLES)
        least = f"{0.5 / 10**money.digits:.{money.digits + 1}f}"
        finest = f"{1 / 10**money.digits:.{money.digits}f}"
        for name, shown in _NUMBERS.items():
            marks = {"@": point, "~": least, "^": finest}
            parts = "".join(marks.get(mark, mark) for mark in shown).split(";")
            parts += [f"-{parts[0]}"] if len(parts) == 1 else []
            whole = ";".join(_section(part, language) for part in parts)
            self._styles[name] = {"num_format": whole}
        self._formats: dict[tuple[str, ...], Format] = {}
        self._layouts: dict[Worksheet, Layout] = {}

    def say(self, key: str, **values: object) -> str:
        """Return a text of the wording file ``export``."""
        return say(f"export.{key}", self.language, **values)

    def name(self, key: str, value: object) -> str:
        """Return what a value of a cell's key, or a region, is called."""
        code = str(value)
        if key == "year":
            return self.say("year", year=code)
        if key == "area":
            return reference.area_name(code, self.language)
        if key == "source":
            return self.say(f"sources.{code}")
        if key in ("place", "region") and code:
            return reference.place_name(code, self.vintage, self.language)
        return code or self.say(f"none.{key}")

    def style(self, *names: str) -> Format:
        """Return the format that the named styles make together; later ones win."""
        if names not in self._formats:
            self._formats[names] = self.workbook.add_format(self._properties(names))
        return self._formats[names]

    def _properties(self, names: Iterable[str]) -> dict[str, Any]:
        properties: dict[str, Any] = {"font_name": _FONT, "font_size": SIZE, "valign": "vcenter"}
        for name in names:
            properties |= self._styles[name]
        return properties

    def sheet(self, name: str, widths: Sequence[float], beside: Sequence[float] = ()) -> Worksheet:
        """Add a sheet by the wording key of its name: A4, landscape.

        Parameters
        ----------
        widths : sequence of float
            Width of each printed column from the first, in characters; all but the first are made
            wider where they leave much of the page.
        beside : sequence of float
            Widths of the columns after them.
        """
        sheet = self.workbook.add_worksheet(self.say(f"sheets.{name}"))
        sheet.set_landscape()
        sheet.set_paper(9)
        sheet.set_margins(left=0.5, right=0.5, top=0.55, bottom=0.55)
        sheet.center_horizontally()
        sheet.hide_gridlines(2)
        sheet.ignore_errors(dict.fromkeys(_NO_FAULT, "A1:XFD1048576"))
        free = PAGE[0] - EDGES * len(widths) - DIGIT * widths[0]
        wider = min(_WIDEST, max(1.0, free / (DIGIT * sum(widths[1:]))))
        self.lay(sheet, [widths[0], *(wider * width for width in widths[1:])], beside)
        return sheet

    def lay(self, sheet: Worksheet, widths: Sequence[float], beside: Sequence[float] = ()) -> None:
        """Set the widths of columns, by which texts make their rows high enough."""
        for column, width in enumerate((*widths, *beside)):
            sheet.set_column(column, column, width)
        self._layouts[sheet] = Layout(list(widths))

    def width(self, sheet: Worksheet, first: int, last: int) -> float:
        """Return the characters that some columns of a sheet hold."""
        return sum(self._layouts[sheet].widths[first : last + 1])

    def needed(self, texts: Iterable[str], *styles: str) -> float:
        """Return the characters of a column that holds each of some texts on one line."""
        size = _size(self._properties(styles))
        return max((size / DIGIT * length_of(text) for text in texts), default=0.0)

    def text(self, sheet: Worksheet, row: int, column: int, text: str, *styles: str) -> None:
        """Write a text as text; what a cell cannot hold is cut, and says so."""
        self._write_text(sheet, (row, column, row, column), text, styles)

    def merge(
        self, sheet: Worksheet, area: tuple[int, int, int, int], text: str, *styles: str
    ) -> None:
        """Write a text over an area (first row, first column, last row, last column)."""
        if area[:2] != area[2:]:
            sheet.merge_range(*area, "", self.style(*styles))
        self._write_text(sheet, area, text, styles)

    def _write_text(
        self, sheet: Worksheet, area: tuple[int, int, int, int], text: str, styles: tuple[str, ...]
    ) -> None:
        row, column, last_row, last_column = area
        shown = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
        if not text:
            sheet.write_blank(row, column, None, self.style(*styles))
            return
        sheet.write_string(row, column, shown, self.style(*styles))
        if row == last_row:
            own = self._properties(styles)
            moved_in = _INDENT * own.get("indent", 0)
            width = DIGIT / _size(own) * (self.width(sheet, column, last_column) - moved_in)
            lines = lines_of(shown, width) if _WRAPPED.intersection(styles) else 1
            self._raise(sheet, row, min(_HIGHEST, LINE * own["font_size"] * lines))

    def _raise(self, sheet: Worksheet, row: int, height: float) -> None:
        """Make a row high enough: no viewer does it for merged cells, some for none."""
        heights = self._layouts[sheet].heights
        if height > heights.get(row, LINE * SIZE):
            heights[row] = height
            sheet.set_row(row, height)

    def gap(self, sheet: Worksheet, row: int) -> int:
        """Leave a narrow row blank; return the next one."""
        self._layouts[sheet].heights[row] = _GAP
        sheet.set_row(row, _GAP)
        return row + 1

    def tie(self, sheet: Worksheet, first: int, last: int) -> None:
        """Keep some rows on one page, as far as one holds them."""
        self._layouts[sheet].tied |= set(range(first, last))

    def group(self, sheet: Worksheet, row: int, depth: int) -> None:
        """Tell that a group begins with a row: pages are rather broken there."""
        self._layouts[sheet].heads[row] = depth

    def fold(self, sheet: Worksheet, first: int, last: int) -> None:
        """Fold rows under the one before them: they open on a click, and are not printed."""
        heights = self._layouts[sheet].heights
        sheet.outline_settings(symbols_below=False)
        sheet.set_row(first - 1, heights.get(first - 1), None, {"collapsed": True})
        for row in range(first, last + 1):
            sheet.set_row(row, heights.get(row), None, {"level": 1, "hidden": True})
            heights[row] = 0.0

    def paragraph(
        self, sheet: Worksheet, row: int, columns: tuple[int, int], text: str, *styles: str
    ) -> int:
        """Write a text over a row's columns, in as many rows as it takes; return the next row."""
        for piece in cut_text(text):
            self.merge(sheet, (row, columns[0], row, columns[1]), piece, "wrap", "top", *styles)
            row += 1
        return row

    def warn(self, sheet: Worksheet, row: int, right: int, text: str) -> int:
        """Write a warning that every page repeats with the headings; return the next row."""
        self._layouts[sheet].warned = row
        return self.paragraph(sheet, row, (0, right), text, "warn", "center")

    def heading(self, sheet: Worksheet, row: int, headings: Sequence[tuple[str, str]]) -> None:
        """Write two heading rows: what columns side by side have in common over what each is.

        Parameters
        ----------
        headings : sequence of (str, str)
            Of each column from the first; a column that shares nothing has "" before its own.
        """
        column = 0
        for shared, run in groupby(headings, key=lambda pair: pair[0]):
            names = [name for _, name in run]
            if shared:
                last = column + len(names) - 1
                self.merge(sheet, (row, column, row, last), shared, "cell", "head")
            for name in names:
                top = row + 1 if shared else row
                self.merge(sheet, (top, column, row + 1, column), name, "cell", "head")
                column += 1

    def number(
        self, sheet: Worksheet, row: int, column: int, value: float | None, *styles: str
    ) -> None:
        """Write a number; None leaves the cell blank."""
        if value is None:
            sheet.write_blank(row, column, None, self.style(*styles))
        else:
            sheet.write_number(row, column, value, self.style(*styles))

    def formula(
        self, sheet: Worksheet, row: int, column: int, formula: str, value: float, *styles: str
    ) -> None:
        """Write a formula of ours with the value it has."""
        sheet.write_formula(row, column, formula, self.style(*styles), value)

    def print_rows(
        self,
        sheet: Worksheet,
        last: int,
        heading: tuple[int, int] | None = None,
        starts: Sequence[int] = (),
    ) -> None:
        """Lay a sheet out on pages: one page wide, rows that are tied together on one of them.

        Parameters
        ----------
        last : int
            Last row that is printed.
        heading : (int, int) or None
            First and last of the rows that every page repeats.
        starts : sequence of int
            Rows that begin a page.

        Notes
        -----
        Every break is set, and the scale, since Excel leaves breaks out of account on a sheet that
        it is told to fit to pages. What is a little too long is made to fit.
        """
        layout = self._layouts[sheet]
        if heading and layout.warned is not None:
            heading = layout.warned, heading[1]
        again = layout.height(range(heading[0], heading[1] + 1)) if heading else 0.0
        scale, room = layout.scale, PAGE[1] / layout.scale
        pages = layout.pages(room, last, again, starts)
        for squeeze in _SQUEEZES:
            fewer = layout.pages(room * squeeze, last, again, starts)
            is_small = squeeze == _SQUEEZES[0] or not fewer
            if len(fewer) < len(pages) and is_small and layout.scale / squeeze >= _SMALLEST:
                scale, pages = layout.scale / squeeze, fewer
                break
        if heading:
            sheet.repeat_rows(*heading)
        sheet.print_area(0, 0, last, len(layout.widths) - 1)
        sheet.set_print_scale(int(100 * scale))
        sheet.set_h_pagebreaks(pages)

    def footer(self, sheet: Worksheet, stamp: str, warning: str = "") -> None:
        """Print a stamp and page numbers under every page, a warning over it."""
        page = self.say("page", page="&P", pages="&N")
        font = f'&"{_FONT},Regular"&8 '
        size = {"scale_with_doc": False}
        shown = shorten(stamp.replace("&", "&&"), _FOOTER, placeholder="…")
        sheet.set_footer(f"&L{font}{shown}&R{font}{page}", size)
        if warning and self._layouts[sheet].warned is None:
            sheet.set_header(f'&C&"{_FONT},Bold"&10&KC00000{warning}', size)

    def close(self, **properties: str) -> bytes:
        """Finish the workbook and return its bytes."""
        self.workbook.set_properties({**properties, "created": _BORN})
        self.workbook.close()
        return self.stream.getvalue()


def _size(properties: Mapping[str, Any]) -> float:
    """Return the size that a text of a format takes: a bold one takes more."""
    size: float = properties["font_size"]
    return size * (_BOLD if properties.get("bold") else 1.0)
