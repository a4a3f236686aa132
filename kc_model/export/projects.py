"""The forms of projects: estimate (Mẫu số 1), registration (Mẫu số 2), assigned plan, adjustment.

Columns of the two registration forms are those of Phụ lục 1 TT 36/2013/TT-BCT as far as it was
read: Mẫu số 1 whole (the wording of its two commitments excepted), with the yearly columns that a
project over several years adds; Mẫu số 2 up to the national money. Its columns after that (the
beneficiary's money, other money) are taken from Mẫu số 1, and the text of its footnote (1) was not
seen: ours says what stands in that column. Assigned plan and adjustment follow the house's own
layout, no printed form of theirs having been read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from kc_model import reference
from kc_model.export.book import Book, display_of
from kc_model.export.frame import finish, write_foot, write_head
from kc_model.export.listing import Field, Form, Group, write_form, write_table
from kc_model.export.moved import fund_field, funds_of, who, write_moves
from kc_model.export.stamp import Stamp, about, form_notes, note_lines
from kc_model.money import UNITS, Amount, format_number
from kc_model.tables import as_rows
from kc_model.wording import Language, say

__all__ = ["adjustment_workbook", "assigned_workbook", "registration_workbook", "write_assigned"]

_NARROWEST = 13.5  # characters of a money column
_SPARE = 3  # rows of an estimate left for its items
_MONEY = ("support", "counterpart", "other")

Row = Mapping[str, Any]


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
    book = _book(stamp, language, (row[key] for row in rows for key in (*_MONEY, "cost")))
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


def assigned_workbook(
    stamp: Stamp, projects: pd.DataFrame, chosen: pd.DataFrame, language: Language = "vi"
) -> bytes:
    """Return the assigned plan: money by area and project, and the projects that got none.

    Parameters
    ----------
    projects : DataFrame
        As ``projects`` of a dataset.
    chosen : DataFrame
        id, amount (VND; 0 or <NA>: not chosen), reason (text); optionally split (pairs of place
        and VND, of a project over several). Projects it does not name are not chosen.

    Returns
    -------
    bytes
        An .xlsx, the same for the same input.

    Raises
    ------
    ValueError
        If nothing is chosen, or `chosen` names an unknown project, or one twice.
    """
    rows = _with_amounts(projects, chosen)
    book = _book(
        stamp, language, (row[key] for row in rows for key in ("cost", "support", "amount"))
    )
    write_assigned(book, stamp, projects, chosen)
    return finish(book, stamp)


def write_assigned(book: Book, stamp: Stamp, projects: pd.DataFrame, chosen: pd.DataFrame) -> None:
    """Write the assigned plan, and the projects that got nothing, each as a form of its own.

    Parameters
    ----------
    projects, chosen : DataFrame
        As for `assigned_workbook`.

    Raises
    ------
    ValueError
        As there.
    """
    rows = _with_amounts(projects, chosen)
    given = [row for row in rows if row["amount"]]
    write_form(book, stamp, _assigned(book, stamp, given))
    if len(given) < len(rows):
        write_form(book, stamp, _left_out(book, stamp, [row for row in rows if not row["amount"]]))


def adjustment_workbook(
    stamp: Stamp,
    changes: pd.DataFrame,
    projects: pd.DataFrame | None = None,
    language: Language = "vi",
    moves: pd.DataFrame | None = None,
    unmoved: Mapping[str, int] | None = None,
) -> bytes:
    """Return the table of an adjustment: before, up, down, after, why, who decides.

    Parameters
    ----------
    changes : DataFrame, one row per project or cell that changes
        id (a project; "" for a cell), or place, area, activity, source; before, move, after (VND),
        reason (text, several on a line each), decided_by (minister, agency, department or
        province; "" where nobody has to).
    projects : DataFrame, optional
        As ``projects`` of a dataset: names, areas and funds of the ids.
    moves : DataFrame, optional
        As `kc_model.export.moved.write_moves` takes them: a second sheet, from where to where.
    unmoved : mapping of fund to VND, optional
        What stays as planned: the last group, so that the totals are those of the whole plan.

    Returns
    -------
    bytes
        An .xlsx, the same for the same input.

    Raises
    ------
    ValueError
        If nothing changes, before + move is not after, or an id is not among the projects.
    """
    rows = _with_projects(changes, projects)
    if not rows or any(row["before"] + row["move"] != row["after"] for row in rows):
        raise ValueError("an adjustment needs moves in which before + move is after")
    kept = unmoved or {}
    money = [row[key] for row in rows for key in ("before", "after")]
    book = _book(stamp, language, (*money, *kept.values()))
    write_form(book, stamp, _adjustment(book, stamp, rows, kept))
    if moves is not None:
        write_moves(book, stamp, moves)
    return finish(book, stamp)


# ---------------------------------------------------------------------------- the workbook


def _book(stamp: Stamp, language: Language, money: Iterable[Any]) -> Book:
    known = [int(vnd) for vnd in money if vnd is not None]
    return Book(language, stamp.vintage, display_of(known, stamp.unit, _NARROWEST))


def _money(book: Book, key: str, shared: str = "", adds: tuple[str, ...] = ()) -> Field:
    return Field(key, book.money.width, is_money=True, shared=shared, adds=adds)


def _by_area(book: Book, rows: Sequence[Row]) -> tuple[Group, ...]:
    """Return the rows by area, in the decree's order."""
    return tuple(
        Group(book.name("area", area), part)
        for area in reference.area_order()
        if (part := tuple(row for row in rows if row["area"] == area))
    )


# ---------------------------------------------------------------------------- rows


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


def _with_amounts(projects: pd.DataFrame, chosen: pd.DataFrame) -> list[dict[str, Any]]:
    rows = as_rows(projects)
    given = {row["id"]: row for row in as_rows(chosen)}
    if len(given) < len(chosen) or not set(given) <= {row["id"] for row in rows}:
        raise ValueError("chosen names a project twice, or one that is unknown")
    for row in rows:
        own = given.get(row["id"], {})
        row |= {"amount": own.get("amount") or 0, "reason": own.get("reason") or ""}
        row["parts"] = own.get("split") or ()
        row[row["source"]] = row["amount"]
    if not any(row["amount"] for row in rows):
        raise ValueError("a plan without a chosen project cannot be printed")
    return rows


def _with_projects(changes: pd.DataFrame, projects: pd.DataFrame | None) -> list[dict[str, Any]]:
    known = {row["id"]: row for row in as_rows(projects)} if projects is not None else {}
    rows = []
    for change in as_rows(changes):
        one = change.get("id") or ""
        if one and one not in known:
            raise ValueError(f"no project has the id {one!r}")
        rows.append(
            {
                "activity": "",
                "name": "",
                **known.get(one, {}),
                **{k: v for k, v in change.items() if v is not None},
            }
        )
    return rows


def _places(book: Book, row: Row) -> str:
    return ", ".join(book.name("place", place) for place in row["place"].split(";"))


def _only_place(book: Book, rows: Sequence[Row]) -> tuple[str, ...]:
    """Return the line that tells where every project is, if all are at the same place."""
    places = {_places(book, row) for row in rows}
    return (book.say("head.place", name=places.pop()),) if len(places) == 1 else ()


def _time(row: Row) -> str:
    """Return when a project runs, by its months."""
    days = [f"{row[key]:%m/%Y}" for key in ("start", "end") if row[key] is not None]
    return " – ".join(dict.fromkeys(days))


def _kind(book: Book, row: Row) -> str:
    is_named = row["kind"] in ("flagship", "group")
    return say(f"headings.choices.kind.{row['kind']}", book.language) if is_named else ""


def _joined(*texts: str) -> str:
    return "; ".join(text for text in texts if text)


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
        return _joined(over, derived)
    if cost is None:
        return _joined(over, book.say("listing.remarks.no_cost"))
    adds_up = cost == sum(row[key] or 0 for key in _MONEY)
    return _joined(over, "" if adds_up else book.say("listing.remarks.differs", cost=told(cost)))


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
        _money(book, "cost_done", adds=(support, "counterpart", "other")),
        _money(book, support, "parts"),
        _money(book, "counterpart", "parts"),
        _money(book, "other", "parts"),
        Field("remark_1", 18.0),
    )
    place = _only_place(book, rows)
    shown = [
        {
            **row,
            "time": _time(row),
            support: row["support"],
            "remark_1": _joined(
                _kind(book, row),
                "" if place else _places(book, row),
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
    return Form(sheet, title, lines, fields, _by_area(book, shown), tuple(notes))


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
        _money(book, "cost", adds=(support, "counterpart", "other")),
        _money(book, support, "parts"),
        _money(book, "counterpart", "parts"),
        _money(book, "other", "parts"),
        *(replace(_money(book, f"year_{year}", "years"), label=str(year)) for year in years),
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


# ---------------------------------------------------------------------------- assigned plan


def _assigned(book: Book, stamp: Stamp, rows: Sequence[Row]) -> Form:
    present = {row["source"] for row in rows}
    funds = [source for source in reference.source_order() if source in present]
    place = _only_place(book, rows)
    fields = [
        *(Field("name", 34.0), Field("unit", 20.0)),
        *(() if place else (Field("place", 16.0),)),
        *(Field("time", 12.0), _money(book, "cost_given"), _money(book, "asked")),
        *(_money(book, source, "assigned" if len(funds) > 1 else "") for source in funds),
    ]
    if len(funds) > 1:
        fields.append(_money(book, "assigned_total", "assigned", tuple(funds)))
    shown = [
        {
            **_asked(book, row),
            "time": _time(row),
            "remark": _joined(_kind(book, row), _split(book, row), row["reason"]),
        }
        for row in rows
    ]
    title = book.say("listing.titles.assigned", year=stamp.year)
    fields.append(Field("remark", 22.0))
    notes = tuple(form_notes(book, stamp, ()))
    lines = (about(book, stamp), *place)
    return Form("assigned", title, lines, tuple(fields), _by_area(book, shown), notes)


def _split(book: Book, row: Row) -> str:
    """Return how much of a project's money each of its places gets; "" for one place."""
    scale, digits = UNITS[book.money.unit], book.money.digits
    parts = [
        f"{book.name('place', place)} {format_number(vnd / scale, digits, book.language)}"
        for place, vnd in row["parts"]
    ]
    return book.say("listing.remarks.split", parts="; ".join(parts)) if parts else ""


def _asked(book: Book, row: Row) -> dict[str, Any]:
    """Return a project as both lists show it."""
    about = {"name": _called(row), "place": _places(book, row)}
    return {**row, **about, "cost_given": row["cost"], "asked": row["support"]}


def _called(row: Row) -> str:
    """Name a project as reasons and moves do; "" for a cell."""
    return f"{row['id']}. {row['name']}" if row["name"] else ""


def _cell(book: Book, row: Row, *, placed: bool) -> str:
    """Name a cell by its place and activity; where a column tells its place, by what it is of."""
    if placed:
        return " – ".join(text for text in (_places(book, row), row["activity"]) if text)
    return row["activity"] or book.name("area", row["area"])


def _left_out(book: Book, stamp: Stamp, rows: Sequence[Row]) -> Form:
    """Return the projects that got nothing, and why."""
    place = _only_place(book, rows)
    fields = (
        *(Field("name", 36.0), Field("unit", 20.0)),
        *(() if place else (Field("place", 16.0),)),
        *(Field("source", 8.0), _money(book, "cost_given"), _money(book, "asked")),
        Field("reason", 40.0),
    )
    shown = [{**_asked(book, row), "source": book.name("source", row["source"])} for row in rows]
    title = book.say("listing.titles.left_out", year=stamp.year)
    return Form("left_out", title, (about(book, stamp), *place), fields, _by_area(book, shown))


# ---------------------------------------------------------------------------- adjustment


def _adjustment(book: Book, stamp: Stamp, rows: Sequence[Row], unmoved: Mapping[str, int]) -> Form:
    kept = {code: unmoved[code] for code in reference.source_order() if unmoved.get(code)}
    funds = funds_of(book, (*(row["source"] for row in rows), *kept))
    place = _only_place(book, rows)
    has_column = not place and any(map(_called, rows))  # else cells are called by their place
    fields = (
        *(Field("moved", 32.0), *((Field("place", 16.0),) if has_column else ())),
        *(fund_field(funds), _money(book, "before")),
        *(_money(book, "up", "moves"), _money(book, "down", "moves")),
        _money(book, "after", adds=("before", "up", "-down")),
        *(Field("reason", 64.0), Field("decided_by", 24.0)),
    )
    shown = [
        {
            "area": row["area"],
            "moved": _called(row) or _cell(book, row, placed=not has_column),
            "place": _places(book, row),
            "source": book.name("source", row["source"]),
            "before": row["before"],
            "up": row["move"] if row["move"] > 0 else None,
            "down": -row["move"] if row["move"] < 0 else None,
            "reason": row.get("reason") or "",
            "decided_by": who(book, row.get("decided_by", "")),
        }
        for row in rows
    ]
    title = book.say("listing.titles.adjustment", year=stamp.year)
    notes = (book.say("listing.who"), *note_lines(book, stamp))
    rest: tuple[Row, ...] = tuple(
        {"moved": book.say("listing.unmoved"), "source": book.name("source", source), "before": vnd}
        for source, vnd in kept.items()
    )
    return Form(
        "adjustment",
        title,
        (about(book, stamp), *place),
        fields,
        (*_by_area(book, shown), *([Group(book.say("listing.stays"), rest)] if rest else [])),
        notes,
        funds,
    )
