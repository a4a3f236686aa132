"""What stands around the table of a form: its head, its notes and the signatures."""

from __future__ import annotations

from collections.abc import Sequence

from xlsxwriter.worksheet import Worksheet

from kc_model.export.book import Book
from kc_model.export.stamp import Stamp
from kc_model.money import unit_name

__all__ = ["write_head", "write_notes", "write_signatures"]

_SIGNATURE = 4  # rows left free for it


def _half(right: int) -> int:
    """Return the first column of what stands on the right of the page."""
    return max(2, right - 3)


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
    half = _half(right)
    office = stamp.unit_name.upper() or book.say("head.office")
    book.merge(sheet, (top, 0, top, 1), office, "bold", "center")
    book.merge(sheet, (top, half, top, right), book.say("head.country"), "bold", "center")
    motto = (top + 1, half, top + 1, right)
    book.merge(sheet, motto, book.say("head.motto"), "bold", "underline", "center")
    row = book.gap(sheet, top + 2)
    book.merge(sheet, (row, 0, row, right), title, "title")
    row += 1
    for line in lines:
        row = book.paragraph(sheet, row, (0, right), line, "italic", "center")
    if stamp.synthetic:
        row = book.paragraph(sheet, row, (0, right), book.say("synthetic"), "warn", "center")
    unit = book.say("unit", unit=unit_name(stamp.unit, book.language))
    book.merge(sheet, (row, half, row, right), unit, "italic", "right")
    return row + 1


def write_notes(book: Book, sheet: Worksheet, right: int, row: int, lines: Sequence[str]) -> int:
    """Write notes under a table; return the next row."""
    if lines:
        row = book.gap(sheet, row)
        row = book.paragraph(sheet, row, (0, right), book.say("notes.title"), "bold")
    for line in lines:
        row = book.paragraph(sheet, row, (0, right), f"- {line}")
    return row


def write_signatures(book: Book, sheet: Worksheet, right: int, row: int) -> int:
    """Write place, date and signatures; return the next row."""
    half = _half(right)
    row = book.gap(sheet, row)
    book.merge(sheet, (row, half, row, right), book.say("sign.date"), "italic", "center")
    for line, key, style in ((row + 1, "title", "bold"), (row + 2, "hint", "italic")):
        book.merge(sheet, (line, 0, line, 1), book.say(f"sign.maker_{key}"), style, "center")
        text = book.say(f"sign.head_{key}")
        book.merge(sheet, (line, half, line, right), text, style, "center")
    return row + 3 + _SIGNATURE
