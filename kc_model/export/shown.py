"""A table as it stands beside a chart, as a workbook of one sheet."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from kc_model.export.book import Book, Display
from kc_model.export.frame import finish
from kc_model.export.stamp import Stamp, note_lines
from kc_model.money import NumberError, parse_number
from kc_model.wording import Language

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
        Headings first; figures as the language writes them, rounded as shown.
    language : {"vi", "en"}

    Returns
    -------
    bytes
        No formula; the same for the same input.
    """
    book = Book(language, stamp.vintage, Display(stamp.unit, 0, rounds=True, width=_OTHERS))
    last = len(lines[0]) - 1
    sheet = book.sheet("shown", (_FIRST, *([_OTHERS] * last)))
    row = book.paragraph(sheet, 0, (0, last), title, "title")
    book.merge(sheet, (row, 0, row, last), unit, "italic", "right")
    head = row + 1
    for column, text in enumerate(lines[0]):
        book.text(sheet, head, column, text, "cell", "head")
    for row, line in enumerate(lines[1:], head + 1):
        book.text(sheet, row, 0, line[0], "cell", "wrap")
        for column, text in enumerate(line[1:], 1):
            _write(book, (row, column), text)
    row = head + len(lines)
    for note in note_lines(book, stamp):
        row = book.paragraph(sheet, row, (0, last), f"- {note}", "small")
    sheet.freeze_panes(head + 1, 1)
    book.print_rows(sheet, row - 1, (head, head))
    return finish(book, stamp, title)


def _write(book: Book, at: tuple[int, int], text: str) -> None:
    (sheet,) = book.workbook.worksheets()
    figure = _figure(text, book.language)
    if figure is None:
        book.text(sheet, *at, text, "cell", "right")
    else:
        whole = figure == figure.to_integral_value()
        book.number(sheet, *at, float(figure), "cell", "whole" if whole else "decimal")


def _figure(text: str, language: Language) -> Decimal | None:
    """Return the number a text is, None if it is something else, such as a range."""
    try:
        return parse_number(text, "comma" if language == "vi" else "point") if text else None
    except NumberError:
        return None
