"""``allocation.xlsx``: a plan as an office prints, signs and files it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import pandas as pd
from xlsxwriter.utility import xl_range
from xlsxwriter.worksheet import Worksheet

from kc_model.export.book import Book, display_of
from kc_model.export.frame import finish, write_foot, write_head, write_title
from kc_model.export.ground import write_ground, write_rules
from kc_model.export.moved import write_moves
from kc_model.export.projects import write_assigned
from kc_model.export.stamp import Stamp, baseline_heading, cut_off, form_notes, years_of
from kc_model.export.table import Amount, Table, amounts_of, grow, levels_of
from kc_model.money import UNITS, format_number, unit_name
from kc_model.tables import as_rows
from kc_model.wording import Language
from kc_model.words import noticed

__all__ = ["allocation_workbook", "write_changes", "write_places", "write_plan"]

_NARROWEST = 13.5  # characters of a money column


def allocation_workbook(
    stamp: Stamp,
    cells: pd.DataFrame,
    rules: pd.DataFrame,
    language: Language = "vi",
    moves: pd.DataFrame | None = None,
    projects: tuple[pd.DataFrame, pd.DataFrame] | None = None,
    unit: str | None = None,
) -> bytes:
    """Return a plan as an Excel workbook, ready to print on A4.

    Its sheets: the plan by area and place, with subtotals and totals as formulas that carry their
    values; the same by place, linked to it, where there are several; the same by project, and the
    projects that got nothing, where projects are chosen; who loses and who gains, where
    there is a baseline; mid-year the moves; the rules with what they cost; what it all rests on.

    Parameters
    ----------
    cells : DataFrame, one row per cell in official order
        year (int), place, area, activity, source, region (text), amount, baseline (Int64, VND),
        expected_disbursed (float64, VND; NaN where unknown). Other columns are not printed.
    rules : DataFrame, one row per rule, group and side
        id, group, side, tier, status, text, basis (text), lhs, bound, slack, shortfall, price
        (float64, NaN blank; money in the stamp's unit), told (what loosening it would give, in
        the workbook's language; see `kc_model.explain.loosening`).
    moves : DataFrame, optional
        Of a mid-year plan, as `kc_model.export.moved.write_moves` takes them.
    projects : tuple of DataFrame, optional
        Of a plan that chose projects: all of them, and what was chosen, as
        `kc_model.export.assigned_workbook` takes them.
    unit : str or None
        What its money is in; None: what screens show it in, as all that is printed.

    Returns
    -------
    bytes
        The same for the same input. No text of the user's is a formula, a link or a number.

    Raises
    ------
    ValueError
        If there is no cell.
    """
    amounts = amounts_of(cells)
    if not amounts:
        raise ValueError("a plan without cells cannot be printed")
    money = [vnd for cell in amounts for vnd in (cell.amount, cell.baseline) if vnd is not None]
    book = Book(language, stamp.vintage, display_of(money, stamp.unit, _NARROWEST, unit))
    table = write_plan(book, stamp, amounts)
    if len({cell.place for cell in amounts}) > 1:
        write_places(book, stamp, amounts, table)
    if projects is not None:
        write_assigned(book, stamp, *projects)
    if "change" in table.columns:
        write_changes(book, stamp, amounts)
    if moves is not None and len(moves):
        write_moves(book, stamp, moves)
    write_rules(book, stamp, rules, amounts)
    write_ground(book, stamp)
    return finish(book, stamp)


# --- the form that is signed ----------------------------------------------------------------------


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
    end, tops = table.write_plan(grow(book, amounts, levels), row)
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


# --- by place, and who gets less ------------------------------------------------------------------


_NAMED = 3  # losses named in one line
_BESIDE = (3.0, 5.0, 5.0)  # widths right of the table: a gap and the codes
_CHANGES = {  # key of the heading: width
    "number": 5.5,
    "name": 34.0,
    "baseline": 0.0,  # as wide as money is
    "plan": 0.0,
    "change": 0.0,
    "share": 11.0,
    "where": 56.0,
}


def write_places(book: Book, stamp: Stamp, amounts: Sequence[Amount], plan: Table) -> None:
    """Write the sums by place; every number is a formula over the plan's table."""
    sheet = book.sheet("places", (5.5, 36.0, *([book.money.width] * len(plan.columns))), _BESIDE)
    table = Table(book, sheet, plan.columns, linked=plan)
    unit = book.say("unit", unit=unit_name(book.money.unit, book.language))
    title = book.say("places.title", years=years_of(amounts))
    write_title(book, sheet, table.right, stamp, title, unit)
    first = table.write_heading(2, baseline_heading(book, stamp))
    sheet.freeze_panes(first, 2)
    above = levels_of(amounts, ("year", "region", "place"))
    above = [key for key in above if key != "place"]
    row, tops = table.write_plan(grow(book, amounts, [*above, "place"]), first)
    book.tie(sheet, row - 2, row - 1)  # the total is not alone
    book.print_rows(sheet, row - 1, (2, first - 1), tops[1:] if above[:1] == ["year"] else [])


@dataclass(frozen=True)
class _Change:
    """What a part of the plan had and has, VND, over its cells whose baseline is known."""

    value: str
    cells: tuple[Amount, ...]
    before: int
    after: int


def write_changes(book: Book, stamp: Stamp, amounts: Sequence[Amount]) -> None:
    """Write who gets less or more than the baseline, the largest loss first, and their sum."""
    keys = ("place", "area", "activity", "source")
    several = [key for key in keys if len({getattr(cell, key) for cell in amounts}) > 1]
    level, detail = (*several, "", "")[:2] if several else ("place", "")
    widths = {key: width or book.money.width for key, width in _CHANGES.items()}
    if not detail:
        del widths["where"]
    sheet, last = book.sheet("changes", tuple(widths.values())), len(widths) - 1
    baseline = baseline_heading(book, stamp)
    title = book.say("changes.title", baseline=baseline.upper(), years=years_of(amounts))
    unit = book.say("unit", unit=unit_name(book.money.unit, book.language))
    write_title(book, sheet, last, stamp, title, unit)
    headings = {"name": book.say(f"changes.{level}"), "baseline": baseline}
    for column, key in enumerate(widths):
        text = headings.get(key) or book.say(f"changes.{key}")
        book.text(sheet, 2, column, text, "cell", "head")
    sheet.freeze_panes(3, 2)
    changes, others = _changes(book, amounts, level, stamp.step)
    named = [(book.name(level, change.value), change) for change in changes]
    if others:
        named.append((book.say("changes.others", count=len(others)), _together(others)))
    for row, (name, change) in enumerate(named, 3):
        _write_change(book, sheet, row, change, name)
        if detail:
            where = _named_losses(book, change, detail, stamp.step)
            book.text(sheet, row, last, where, "cell", "wrap")
    end = 3 + len(named)
    _write_change(book, sheet, end, _together([*changes, *others]), book.say("total"), "bold")
    if detail:
        book.text(sheet, end, last, "", "cell", "bold")
    book.print_rows(sheet, end, (2, 2))


def _together(changes: Sequence[_Change]) -> _Change:
    """Return what several parts had and have together."""
    before, after = (sum(getattr(one, key) for one in changes) for key in ("before", "after"))
    return _Change("", (), before, after)


def _changes(
    book: Book, amounts: Sequence[Amount], level: str, step: int
) -> tuple[list[_Change], list[_Change]]:
    """Return the parts of a plan that change, the largest loss first, and those that do not.

    What rounding alone does is no change, as on screen.
    """
    parts: dict[str, list[Amount]] = {}
    for cell in amounts:
        if cell.baseline is not None:
            parts.setdefault(getattr(cell, level), []).append(cell)
    if not parts:
        return [], []
    every = pd.DataFrame(list(chain.from_iterable(parts.values())))
    sums = noticed(every, level, book.money.unit, step).sort_values("change", kind="stable")
    found = [
        [
            _Change(one[level], tuple(parts[one[level]]), int(one["baseline"]), int(one["amount"]))
            for one in as_rows(some.reset_index())
        ]
        for some in (sums[sums["told"]], sums[~sums["told"]])
    ]
    return found[0], found[1]


def _write_change(
    book: Book, sheet: Worksheet, row: int, change: _Change, name: str, *styles: str
) -> None:
    """Write a part; with styles what the parts above it add up to."""
    scale, cell, at = UNITS[book.money.unit], ("cell", *styles), row + 1
    book.text(sheet, row, 0, "" if styles else str(row - 2), *cell, "center")
    book.text(sheet, row, 1, name, *cell, "wrap")
    for column, vnd in enumerate((change.before, change.after), 2):
        if styles:
            rows = xl_range(3, column, row - 1, column)
            book.formula(sheet, row, column, f"=SUM({rows})", vnd / scale, *cell, "money")
        else:
            book.number(sheet, row, column, vnd / scale, *cell, "money")
    moved = (change.after - change.before) / scale
    book.formula(sheet, row, 4, f"=D{at}-C{at}", moved, *cell, "change")
    if change.before:
        rise = change.after / change.before - 1
        book.formula(sheet, row, 5, f"=D{at}/C{at}-1", rise, *cell, "rise")
    else:
        book.text(sheet, row, 5, book.say("changes.new") if change.after else "", *cell, "center")


def _named_losses(book: Book, change: _Change, detail: str, step: int) -> str:
    """Return in words where a part loses most."""
    parts = _changes(book, change.cells, detail, step)[0]
    losses = [part for part in parts if part.after < part.before]
    shown = [
        f"{book.name(detail, part.value)}: −"
        + format_number(
            (part.before - part.after) / UNITS[book.money.unit], book.money.digits, book.language
        )
        for part in losses[:_NAMED]
    ]
    if len(losses) > _NAMED:
        shown.append(book.say("changes.more", count=len(losses) - _NAMED))
    return "; ".join(shown)
