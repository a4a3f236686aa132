"""A table as it stands beside a chart, as a workbook of one sheet."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from xlsxwriter.worksheet import Worksheet

from kc_model.export.book import Book, Display
from kc_model.export.frame import finish
from kc_model.export.stamp import Stamp, about, note_lines
from kc_model.money import NumberError, parse_number
from kc_model.wording import Language, say

__all__ = ["shown_workbook"]

_FIRST, _OTHERS = 34.0, 15.0  # widths in characters


def shown_workbook(
    stamp: Stamp, title: str, unit: str, lines: Sequence[Sequence[str]], language: Language = "vi"
) -> bytes:
    """Return a table of texts as an Excel workbook: its figures are numbers, the rest is text.

    Parameters
    ----------
    stamp : Stamp
        Under every page; its notes follow the table.
    title, unit : str
        What stands over the table.
    lines : sequence of sequence of str
        Headings first; figures as the language writes them, rounded as shown. A range of two
        numbers takes two columns.

    Returns
    -------
    bytes
        No formula; the same for the same input.
    """
    lines = _apart(lines, language)
    book = Book(language, stamp.vintage, Display(stamp.unit, 0, rounds=True, width=_OTHERS))
    last = len(lines[0]) - 1
    sheet = book.sheet("shown", (_FIRST, *([_OTHERS] * last)))
    row = book.paragraph(sheet, 0, (0, last), title, "title")
    row = book.paragraph(sheet, row, (0, last), about(book, stamp), "italic", "center")
    book.merge(sheet, (row, 0, row, last), unit, "italic", "right")
    head = row + 1
    for column, text in enumerate(lines[0]):
        book.text(sheet, head, column, text, "cell", "head")
    for row, line in enumerate(lines[1:], head + 1):
        book.text(sheet, row, 0, line[0], "cell", "wrap")
    for column in range(1, last + 1):
        _write(book, sheet, (head + 1, column), [line[column] for line in lines[1:]])
    row = head + len(lines)
    for note in note_lines(book, stamp):
        row = book.paragraph(sheet, row, (0, last), f"- {note}", "small")
    sheet.freeze_panes(head + 1, 1)
    book.print_rows(sheet, row - 1, (head, head))
    return finish(book, stamp, title)


_NONE = "–"


def _apart(lines: Sequence[Sequence[str]], language: Language) -> list[list[str]]:
    """Return a table in which each column of ranges is one of where they begin and one of ends."""
    columns: list[list[str]] = []
    for name, *cells in zip(*lines, strict=True):
        ends = [_ends(cell, language) for cell in cells]
        if set(cells) <= {_NONE} or None in ends:
            columns.append([name, *cells])
        else:
            heads = (say(f"export.shown.{end}", language, name=name) for end in ("from", "to"))
            columns += map(list, zip(heads, *filter(None, ends), strict=True))
    return [list(line) for line in zip(*columns, strict=True)]


def _ends(cell: str, language: Language) -> tuple[str, ...] | None:
    """Return the two ends of a range, of none too; None for any other text."""
    ends = (cell, cell) if cell == _NONE else tuple(cell.split(_NONE))
    are_known = cell == _NONE or all(_figure(end, language) is not None for end in ends)
    return ends if len(ends) == 2 and are_known else None


def _write(book: Book, sheet: Worksheet, at: tuple[int, int], texts: Sequence[str]) -> None:
    """Write a column from a row on, its figures all with a decimal mark or all without."""
    figures = [_figure(text, book.language) for text in texts]
    whole = all(figure is None or figure == figure.to_integral_value() for figure in figures)
    for row, (text, figure) in enumerate(zip(texts, figures, strict=True), at[0]):
        if figure is None:
            book.text(sheet, row, at[1], text, "cell", "right")
        else:
            look = "whole" if whole else "decimal"
            book.number(sheet, row, at[1], float(figure), "cell", look)


def _figure(text: str, language: Language) -> Decimal | None:
    """Return the number a text is, None if it is something else, such as a range."""
    try:
        return parse_number(text, "comma" if language == "vi" else "point") if text else None
    except NumberError:
        return None
