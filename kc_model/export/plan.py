"""The form that is signed: head, the plan by area and place, notes, signatures."""

from __future__ import annotations

from collections.abc import Sequence

from kc_model.explain import rule_label
from kc_model.export.book import Book
from kc_model.export.frame import write_head, write_notes, write_signatures
from kc_model.export.stamp import Stamp, baseline_heading, cut_off, note_lines, years_of
from kc_model.export.table import Amount, Table, grow, levels_of

__all__ = ["write_plan"]

_CODES = (3.0, 5.0, 5.0, 7.0, 12.0)  # widths right of the table: a gap and the codes
_SIGNED = 3  # rows of the table, the total among them, that stay on the page with the signatures


def write_plan(book: Book, stamp: Stamp, amounts: Sequence[Amount]) -> Table:
    """Write the form: head, table, notes, signatures; return the table."""
    columns = Table.columns_of(amounts)
    sheet = book.sheet("plan", (5.5, 44.0, *([book.money.width] * len(columns))), _CODES)
    table = Table(book, sheet, columns)
    levels = levels_of(amounts, ("year", "area", "place", "activity"))
    title = book.say("head.title", years=years_of(amounts))
    lines = _subtitles(book, stamp, amounts[0], levels)
    heading = write_head(book, sheet, table.right, stamp, title, lines)
    row = table.write_heading(heading, baseline_heading(book, stamp))
    sheet.freeze_panes(row, 2)
    sheet.repeat_rows(heading, row - 1)
    end, tops = table.write(grow(amounts, levels, stamp.vintage), row)
    row = _write_reserve(table, stamp, end)
    row = write_notes(book, sheet, table.right, row, note_lines(book, stamp, table.columns))
    row = write_signatures(book, sheet, table.right, row)
    sheet.print_area(0, 0, row - 1, table.right)
    years = tops[1:] if levels[0] == "year" else []  # each begins a page
    signed = (max(end - _SIGNED, tops[0] + 1), row - 1)
    book.break_pages(sheet, years, (heading, tops[0] - 1), signed)
    return table


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
