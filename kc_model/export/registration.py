"""The registration of projects: Mẫu số 2 of each fund, Mẫu số 1 (the estimate) of each project.

Columns are those of Phụ lục 1 TT 36/2013/TT-BCT as far as it was read: Mẫu số 1 whole (the wording
of its two commitments excepted), with the yearly columns that a project over several years adds;
Mẫu số 2 up to the national money. Its columns after that (the beneficiary's money, other money) are
taken from Mẫu số 1, and the text of its footnote (1) was not seen: ours says what stands in that
column.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from kc_model import reference
from kc_model.export.book import Book
from kc_model.export.entries import (
    Row,
    book_of,
    by_area,
    joined,
    kind_of,
    money_field,
    only_place,
    places_of,
    time_of,
)
from kc_model.export.frame import finish, write_foot, write_head
from kc_model.export.listing import Field, Form, Group, write_form, write_table
from kc_model.export.stamp import Stamp, about, note_lines
from kc_model.money import Amount
from kc_model.tables import as_rows
from kc_model.wording import Language

__all__ = ["registration_workbook"]

_SPARE = 3  # rows of an estimate left for its items
_MONEY = ("support", "counterpart", "other")


def registration_workbook(
    stamp: Stamp,
    projects: pd.DataFrame,
    language: Language = "vi",
    over: pd.DataFrame | None = None,
) -> bytes:
    """Return the registration of projects: Mẫu số 2 for each fund, Mẫu số 1 for each project.

    Parameters
    ----------
    projects : DataFrame
        As ``projects`` of a dataset; money in VND.
    over : DataFrame, optional
        Projects that are not registered again: named under the form of their fund, or where it has
        none under every form.

    Returns
    -------
    bytes
        An .xlsx, the same for the same input. Where the beneficiary's money is missing it is what
        the cost leaves, and the form says so; an estimate has one line, and its years are blank,
        since the data know neither items of expenditure nor the money of each year.

    Raises
    ------
    ValueError
        If there is no project.
    """
    rows = _with_rest(projects)
    book = book_of(stamp, language, (row[key] for row in rows for key in (*_MONEY, "cost")))
    present = {row["source"] for row in rows}
    for source in reference.source_order():
        if source in present:
            of = [row for row in rows if row["source"] == source]
            names = [
                row["name"]
                for row in ([] if over is None else as_rows(over))
                if row["source"] == source or row["source"] not in present
            ]
            write_form(book, stamp, _registration(book, stamp, source, of, names))
    _write_estimates(book, stamp, rows)
    return finish(book, stamp)


def _with_rest(projects: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the projects, the beneficiary's money filled in where the cost tells it."""
    rows = as_rows(projects)
    if not rows:
        raise ValueError("a registration without projects cannot be printed")
    for row in rows:
        row["derived"] = row["counterpart"] is None and row["cost"] is not None
        if row["derived"]:
            row["counterpart"] = max(0, row["cost"] - row["support"] - (row["other"] or 0))
    return rows


def _cost_remark(book: Book, row: Row, derived: str) -> str:
    """Return what is to be known of a project's money: over its cap, derived, not adding up.

    Parameters
    ----------
    derived : str
        Tells that the beneficiary's money follows from the rest.
    """

    def told(vnd: int) -> Amount:
        return Amount(vnd, book.money.unit)

    cap, cost = row.get("cap"), row["cost"]
    is_over = cap is not None and (row["support"] or 0) > cap
    over = book.say("listing.remarks.over_cap", cap=told(int(cap or 0))) if is_over else ""
    if row["derived"]:
        return joined(over, derived)
    if cost is None:
        return joined(over, book.say("listing.remarks.no_cost"))
    adds_up = cost == sum(row[key] or 0 for key in _MONEY)
    return joined(over, "" if adds_up else book.say("listing.remarks.differs", cost=told(cost)))


# ---------------------------------------------------------------------------- Mẫu số 2


def _registration(
    book: Book, stamp: Stamp, source: str, rows: Sequence[Row], over: Sequence[str]
) -> Form:
    support = f"support_{source}"
    fields = (
        Field("name", 32.0),
        Field("unit", 18.0),
        Field("objective", 28.0),
        Field("result", 24.0),
        Field("time", 12.0),
        money_field(book, "cost_done", adds=(support, "counterpart", "other")),
        money_field(book, support, "parts"),
        money_field(book, "counterpart", "parts"),
        money_field(book, "other", "parts"),
        Field("remark_1", 18.0),
    )
    place = only_place(book, rows)
    shown = [
        {
            **row,
            "time": time_of(row),
            support: row["support"],
            "remark_1": joined(
                kind_of(book, row),
                "" if place else places_of(book, row),
                _cost_remark(book, row, "(2)"),
            ),
        }
        for row in rows
    ]
    fund = book.say(f"listing.funds.{source}")
    title = book.say("listing.titles.registration", fund=fund, year=stamp.year)
    lines = (book.say("listing.form", number=2), about(book, stamp), *place)
    notes = [book.say("listing.remarks.note_1")]
    if any(row["derived"] for row in rows):
        notes.append(book.say("listing.remarks.note_2"))
    if over:
        names = "; ".join(over)
        notes.append(book.say("listing.not_registered", year=stamp.year, names=names))
    notes += note_lines(book, stamp)
    sheet = f"registration_{source}"
    return Form(sheet, title, lines, fields, by_area(book, shown), tuple(notes))


# ---------------------------------------------------------------------------- Mẫu số 1


def _write_estimates(book: Book, stamp: Stamp, rows: Sequence[Row]) -> None:
    """Write Mẫu số 1 of every project; those over several years have a sheet with their years."""
    long = [row for row in rows if len(_years(row)) > 1]
    within = [row for row in rows if len(_years(row)) < 2]
    if within:
        _write_estimate_sheet(book, stamp, "estimates", within, ())
    if long:
        known = [year for row in long for year in _years(row)]
        years = tuple(range(min(known), max(known) + 1))
        _write_estimate_sheet(book, stamp, "estimates_years", long, years)


def _years(row: Row) -> range:
    """Return the years a project runs in; none where its days are not known."""
    if row["start"] is None or row["end"] is None:
        return range(0)
    return range(row["start"].year, row["end"].year + 1)


def _write_estimate_sheet(
    book: Book, stamp: Stamp, name: str, rows: Sequence[Row], years: Sequence[int]
) -> None:
    """Write Mẫu số 1 of some projects on one sheet, each on a page of its own."""
    forms = [_estimate(book, stamp, row, years) for row in rows]
    sheet, right = book.sheet(name, forms[0].widths), len(forms[0].fields)
    starts, top = [], 0
    for row, form in zip(rows, forms, strict=True):
        starts.append(top)
        own = replace(stamp, unit_name=row["unit"])
        heading = write_head(book, sheet, right, own, form.title, form.lines, top)
        _, end = write_table(book, sheet, form, heading, book.say("listing.sum"))
        top = write_foot(book, sheet, right, end, form.notes) + 1
    book.print_rows(sheet, top - 1, starts=starts[1:])


def _estimate(book: Book, stamp: Stamp, row: Row, years: Sequence[int]) -> Form:
    """Return Mẫu số 1 of a project, with blank columns for what each year takes."""
    support = f"support_{row['source']}"
    fields = (
        Field("item", 46.0),
        money_field(book, "cost", adds=(support, "counterpart", "other")),
        money_field(book, support, "parts"),
        money_field(book, "counterpart", "parts"),
        money_field(book, "other", "parts"),
        *(replace(money_field(book, f"year_{year}", "years"), label=str(year)) for year in years),
        Field("remark", 22.0),
    )
    item = {**row, "item": row["activity"] or row["name"], support: row["support"]}
    item["remark"] = _cost_remark(book, row, book.say("listing.remarks.derived"))
    spare: dict[str, str | int | None] = {}
    fund = book.say(f"listing.funds.{row['source']}")
    lines = (
        book.say("listing.form", number=1),
        book.say("listing.project", id=row["id"], name=row["name"]),
        book.say("listing.year", year=stamp.year),
    )
    said = ("items", *(("years",) if years else ()), "no_double", "rest")
    notes = [book.say(f"listing.estimate.{key}") for key in said]
    title = book.say("listing.titles.estimate", fund=fund)
    groups = (Group("", (item, *([spare] * _SPARE))),)
    return Form("estimates", title, lines, fields, groups, tuple(notes))
