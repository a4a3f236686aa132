"""The forms of projects that a plan makes: the assigned plan, and the table of an adjustment.

They follow the house's own layout, no printed form of theirs having been read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
from kc_model.export.frame import finish
from kc_model.export.listing import Field, Form, Group, write_form
from kc_model.export.moved import fund_field, funds_of, who, write_moves
from kc_model.export.stamp import Stamp, about, form_notes, note_lines
from kc_model.money import UNITS, format_number
from kc_model.tables import as_rows
from kc_model.wording import Language

__all__ = ["adjustment_workbook", "assigned_workbook", "write_assigned"]


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
    book = book_of(
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
    book = book_of(stamp, language, (*money, *kept.values()))
    write_form(book, stamp, _adjustment(book, stamp, rows, kept))
    if moves is not None:
        write_moves(book, stamp, moves)
    return finish(book, stamp)


# ---------------------------------------------------------------------------- rows


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


# ---------------------------------------------------------------------------- assigned plan


def _assigned(book: Book, stamp: Stamp, rows: Sequence[Row]) -> Form:
    present = {row["source"] for row in rows}
    funds = [source for source in reference.source_order() if source in present]
    place = only_place(book, rows)
    fields = [
        *(Field("name", 34.0), Field("unit", 20.0)),
        *(() if place else (Field("place", 16.0),)),
        *(Field("time", 12.0), money_field(book, "cost_given"), money_field(book, "asked")),
        *(money_field(book, source, "assigned" if len(funds) > 1 else "") for source in funds),
    ]
    if len(funds) > 1:
        fields.append(money_field(book, "assigned_total", "assigned", tuple(funds)))
    shown = [
        {
            **_asked(book, row),
            "time": time_of(row),
            "remark": joined(kind_of(book, row), _split(book, row), row["reason"]),
        }
        for row in rows
    ]
    title = book.say("listing.titles.assigned", year=stamp.year)
    fields.append(Field("remark", 22.0))
    notes = tuple(form_notes(book, stamp, ()))
    lines = (about(book, stamp), *place)
    return Form("assigned", title, lines, tuple(fields), by_area(book, shown), notes)


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
    about = {"name": _called(row), "place": places_of(book, row)}
    return {**row, **about, "cost_given": row["cost"], "asked": row["support"]}


def _called(row: Row) -> str:
    """Name a project as reasons and moves do; "" for a cell."""
    return f"{row['id']}. {row['name']}" if row["name"] else ""


def _cell(book: Book, row: Row, *, placed: bool) -> str:
    """Name a cell by its place and activity; where a column tells its place, by what it is of."""
    if placed:
        return " – ".join(text for text in (places_of(book, row), row["activity"]) if text)
    return row["activity"] or book.name("area", row["area"])


def _left_out(book: Book, stamp: Stamp, rows: Sequence[Row]) -> Form:
    """Return the projects that got nothing, and why."""
    place = only_place(book, rows)
    fields = (
        *(Field("name", 36.0), Field("unit", 20.0)),
        *(() if place else (Field("place", 16.0),)),
        *(Field("source", 8.0), money_field(book, "cost_given"), money_field(book, "asked")),
        Field("reason", 40.0),
    )
    shown = [{**_asked(book, row), "source": book.name("source", row["source"])} for row in rows]
    title = book.say("listing.titles.left_out", year=stamp.year)
    return Form("left_out", title, (about(book, stamp), *place), fields, by_area(book, shown))


# ---------------------------------------------------------------------------- adjustment


def _adjustment(book: Book, stamp: Stamp, rows: Sequence[Row], unmoved: Mapping[str, int]) -> Form:
    kept = {code: unmoved[code] for code in reference.source_order() if unmoved.get(code)}
    funds = funds_of(book, (*(row["source"] for row in rows), *kept))
    place = only_place(book, rows)
    has_column = not place and any(map(_called, rows))  # else cells are called by their place
    fields = (
        *(Field("moved", 32.0), *((Field("place", 16.0),) if has_column else ())),
        *(fund_field(funds), money_field(book, "before")),
        *(money_field(book, "up", "moves"), money_field(book, "down", "moves")),
        money_field(book, "after", adds=("before", "up", "-down")),
        *(Field("reason", 64.0), Field("decided_by", 24.0)),
    )
    shown = [
        {
            "area": row["area"],
            "moved": _called(row) or _cell(book, row, placed=not has_column),
            "place": places_of(book, row),
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
        (*by_area(book, shown), *([Group(book.say("listing.stays"), rest)] if rest else [])),
        notes,
        funds,
    )
