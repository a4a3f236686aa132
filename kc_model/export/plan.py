"""The form that is signed: head, the plan by area and place, notes, signatures."""

from __future__ import annotations

from collections.abc import Sequence

from kc_model.export.book import Book
from kc_model.export.frame import write_foot, write_head
from kc_model.export.stamp import Stamp, baseline_heading, cut_off, form_notes, years_of
from kc_model.export.table import Amount, Table, grow, levels_of

__all__ = ["write_plan"]

_CODES = (3.0, 5.0, 5.0, 7.0, 12.0)  # widths right of the table: a gap and the codes


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
    end, tops = table.write(grow(amounts, levels, stamp.vintage), row)
    end = _write_reserve(table, stamp, end)
    last = write_foot(book, sheet, table.right, end, form_notes(book, stamp, table.columns))
    years = tops[1:] if levels[0] == "year" else []  # each begins a page
    book.print_rows(sheet, last, (heading, row - 1), years)
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
            table.write_extra(row, table.book.say("reserve", budget=budget), vnd)
            row += 1
    return row
