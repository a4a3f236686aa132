"""What stands around the table of a form: head, notes, signatures, what every page says."""

from __future__ import annotations

from collections.abc import Sequence

from xlsxwriter.worksheet import Worksheet

from kc_model.export.book import Book
from kc_model.export.stamp import Stamp, cut_off, stamp_line
from kc_model.money import unit_name

__all__ = ["finish", "write_foot", "write_head", "write_title"]

_SIGNATURE = 4  # rows left free for it
_SIGNED = 3  # rows of the table, the total among them, that stay on the page with the signatures
_COUNTRY = 52.0  # characters that the name of the country takes


def write_head(
    book: Book,
    sheet: Worksheet,
    right: int,
    stamp: Stamp,
    title: str,
    lines: Sequence[str],
    top: int = 0,
) -> int:
    """Write the office, the national heading, title, lines under it and unit; return the next row.

    Parameters
    ----------
    right : int
        Last column of the form.
    top : int
        Its first row.
    """
    half = _half(book, sheet, right)
    office = stamp.unit_name.upper() or book.say("head.office")
    if book.width(sheet, half, right) < _COUNTRY:  # a narrow form: one under the other
        book.merge(sheet, (top + 2, 0, top + 2, right), office, "bold")
        first, row = 0, top + 3
    else:
        book.merge(sheet, (top, 0, top + 1, 1), office, "bold", "center", "wrap")
        first, row = half, top + 2
    book.merge(sheet, (top, first, top, right), book.say("head.country"), "bold", "center")
    motto = (top + 1, first, top + 1, right)
    book.merge(sheet, motto, book.say("head.motto"), "bold", "underline", "center")
    row = book.gap(sheet, row)
    row = book.paragraph(sheet, row, (0, right), title, "title")
    for line in lines:
        row = book.paragraph(sheet, row, (0, right), line, "italic", "center")
    if stamp.synthetic:
        row = book.warn(sheet, row, right, book.say("synthetic"))
    unit = book.say("unit", unit=unit_name(book.money.unit, book.language))
    book.merge(sheet, (row, half, row, right), unit, "italic", "right")
    return row + 1


def write_title(
    book: Book, sheet: Worksheet, right: int, stamp: Stamp, title: str, unit: str
) -> None:
    """Write title, up to when and unit of a sheet that nobody signs, in its first two rows."""
    book.merge(sheet, (0, 0, 0, right), title, "title", "wrap")
    line = ". ".join(part for part in (cut_off(book, stamp), unit) if part)
    book.merge(sheet, (1, 0, 1, right), line, "italic", "right")


def write_foot(book: Book, sheet: Worksheet, right: int, end: int, notes: Sequence[str]) -> int:
    """Write notes, place, date and signatures under a table, on a page with its last rows.

    Parameters
    ----------
    right : int
        Last column of the form.
    end : int
        The row after the table.

    Returns
    -------
    int
        The last row.
    """
    row = book.gap(sheet, end)
    if notes:
        row = book.paragraph(sheet, row, (0, right), book.say("notes.title"), "bold", "small")
        for note in notes:
            row = book.paragraph(sheet, row, (0, right), f"- {note}", "small")
        row = book.gap(sheet, row)
    half = _half(book, sheet, right)
    book.merge(sheet, (row, half, row, right), book.say("sign.date"), "italic", "center")
    for line, key, style in ((row + 1, "title", "bold"), (row + 2, "hint", "italic")):
        book.merge(sheet, (line, 0, line, 1), book.say(f"sign.maker_{key}"), style, "center")
        text = book.say(f"sign.head_{key}")
        book.merge(sheet, (line, half, line, right), text, style, "center")
    last = row + 2 + _SIGNATURE
    book.tie(sheet, end - _SIGNED, last)
    return last


def finish(book: Book, stamp: Stamp, title: str = "") -> bytes:
    """Print on every page what a workbook rests on, and return its bytes.

    A warning stands over the pages of sheets that do not carry it themselves.

    Parameters
    ----------
    title : str
        Of the file; "": the dataset's.
    """
    line = stamp_line(book, stamp)
    for sheet in book.workbook.worksheets():
        book.footer(sheet, line, book.say("synthetic") if stamp.synthetic else "")
    return book.close(title=(title or stamp.title)[:255], comments=line)


def _half(book: Book, sheet: Worksheet, right: int) -> int:
    """Return the first column of what stands on the right of the page."""
    half = right
    while half > 2 and book.width(sheet, half, right) < _COUNTRY:
        half -= 1
    return half
