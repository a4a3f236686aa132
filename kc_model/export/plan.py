"""The form that is signed: head, the plan by area and place, notes, signatures."""

from __future__ import annotations

from collections.abc import Sequence

from kc_model.explain import rule_label
from kc_model.export.book import Book
from kc_model.export.stamp import Stamp, baseline_heading, cut_off, note_lines, years_of
from kc_model.export.table import Amount, Table, grow, levels_of
from kc_model.money import unit_name

__all__ = ["write_plan"]

_CODES = (3.0, 5.0, 5.0, 7.0, 12.0)  # widths right of the table: a gap and the codes
_SIGNATURE = 4  # rows left free for it
_SIGNED = 3  # rows of the table, the total among them, that stay on the page with the signatures


def write_plan(book: Book, stamp: Stamp, amounts: Sequence[Amount]) -> Table:
    """Write the form: head, table, notes, signatures; return the table."""
    columns = Table.columns_of(amounts)
    sheet = book.sheet("plan", (5.5, 44.0, *([book.money.width] * len(columns))), _CODES)
    table = Table(book, sheet, columns)
    levels = levels_of(amounts, ("year", "area", "place", "activity"))
    heading = _write_head(table, stamp, amounts, levels)
    row = table.write_heading(heading, baseline_heading(book, stamp))
    sheet.freeze_panes(row, 2)
    sheet.repeat_rows(heading, row - 1)
    end, tops = table.write(grow(amounts, levels, stamp.vintage), row)
    row = _write_notes(table, stamp, _write_reserve(table, stamp, end))
    row = _write_signatures(table, row)
    sheet.print_area(0, 0, row - 1, table.right)
    years = tops[1:] if levels[0] == "year" else []  # each begins a page
    signed = (max(end - _SIGNED, tops[0] + 1), row - 1)
    book.break_pages(sheet, years, (heading, tops[0] - 1), signed)
    return table


def _half(table: Table) -> int:
    """Return the first column of what stands on the right of the page."""
    return max(2, table.right - 3)


def _write_head(
    table: Table, stamp: Stamp, amounts: Sequence[Amount], levels: Sequence[str]
) -> int:
    book, sheet, right, half = table.book, table.sheet, table.right, _half(table)
    office = stamp.unit_name.upper() or book.say("head.office")
    book.merge(sheet, (0, 0, 0, 1), office, "bold", "center")
    book.merge(sheet, (0, half, 0, right), book.say("head.country"), "bold", "center")
    book.merge(sheet, (1, half, 1, right), book.say("head.motto"), "bold", "underline", "center")
    row = book.gap(sheet, 2)
    title = book.say("head.title", years=years_of(amounts))
    book.merge(sheet, (row, 0, row, right), title, "title")
    row += 1
    for line in _subtitles(book, stamp, amounts[0], levels):
        row = book.paragraph(sheet, row, (0, right), line, "italic", "center")
    if stamp.synthetic:
        row = book.paragraph(sheet, row, (0, right), book.say("synthetic"), "warn", "center")
    unit = book.say("unit", unit=unit_name(stamp.unit, book.language))
    book.merge(sheet, (row, half, row, right), unit, "italic", "right")
    return row + 1


def _subtitles(book: Book, stamp: Stamp, cell: Amount, levels: Sequence[str]) -> list[str]:
    """Return the lines under the title: scenario, dataset, and what holds for every row."""
    fixed = [
        book.say(f"head.{key}", name=book.name(key, getattr(cell, key)))
        for key in ("place", "area", "activity")
        if key not in levels and getattr(cell, key) not in ("", "ALL")
    ]
    lines = [
        book.say("head.scenario", name=stamp.scenario, title=stamp.title),
        "; ".join(part for part in (*fixed, cut_off(book, stamp)) if part),
    ]
    return [line for line in lines if line]


def _write_reserve(table: Table, stamp: Stamp, row: int) -> int:
    """Write the money that no cell was given, by budget, under the total."""
    for budget, vnd in stamp.reserve:
        if vnd:
            name = rule_label(budget, "", table.book.language)
            table.write_extra(row, table.book.say("reserve", budget=name), vnd)
            row += 1
    return row


def _write_notes(table: Table, stamp: Stamp, row: int) -> int:
    book, sheet, columns = table.book, table.sheet, (0, table.right)
    lines = note_lines(book, stamp, table.columns)
    if lines:
        row = book.gap(sheet, row)
        row = book.paragraph(sheet, row, columns, book.say("notes.title"), "bold")
    for line in lines:
        row = book.paragraph(sheet, row, columns, f"- {line}")
    return row


def _write_signatures(table: Table, row: int) -> int:
    book, sheet, right, half = table.book, table.sheet, table.right, _half(table)
    row = book.gap(sheet, row)
    book.merge(sheet, (row, half, row, right), book.say("sign.date"), "italic", "center")
    for line, key, style in ((row + 1, "title", "bold"), (row + 2, "hint", "italic")):
        book.merge(sheet, (line, 0, line, 1), book.say(f"sign.maker_{key}"), style, "center")
        text = book.say(f"sign.head_{key}")
        book.merge(sheet, (line, half, line, right), text, style, "center")
    return row + 3 + _SIGNATURE
