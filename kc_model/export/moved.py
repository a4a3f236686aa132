"""The moves of a plan as a sheet: from where to where, how much, what it gains, who decides."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from kc_model.export.book import Book
from kc_model.export.listing import Field, Form, Group, write_form
from kc_model.export.stamp import Stamp, about
from kc_model.moves import RANKS
from kc_model.reference import source_order
from kc_model.tables import as_rows
from kc_model.wording import say

__all__ = ["fund_field", "funds_of", "who", "write_moves"]

_APART = ("cut", "kept", "added")  # no moves: money leaves the plan, or comes to it
Row = Mapping[str, Any]

_SMALL = 1_000_000  # VND: a smaller move comes from rounding, or is as good as none


def write_moves(book: Book, stamp: Stamp, moves: pd.DataFrame) -> None:
    """Write the moves as a form of their own: by who decides, the largest first.

    Parameters
    ----------
    moves : DataFrame
        As `kc_model.moves.find_moves` gives them: amount and gain in VND.

    Notes
    -----
    Several moves of less than a million đồng of a fund that one authority decides stand in one row,
    last.
    """
    funds = funds_of(book, moves["source"])
    fields = (
        *(Field("from", 36.0), Field("to", 36.0), fund_field(funds)),
        *(Field(key, book.money.width, is_money=True) for key in ("amount", "gain")),
        Field("reason", 64.0),
    )
    rows = as_rows(moves.sort_values("amount", ascending=False, kind="stable"))
    groups = []
    for part in (*RANKS, *_APART):
        own = [row for row in rows if _part(row) == part]
        told, joined = list[Row](), list[Row]()
        for fund in dict.fromkeys(row["source"] for row in own):
            small = [row for row in own if row["source"] == fund and row["amount"] < _SMALL]
            joined += small if len(small) > 1 else []
            told += [_together(book, small)] if len(small) > 1 else []
        shown = [_told(book, row) for row in own if row not in joined]
        if own:
            groups.append(Group(_head(book, part, own), (*shown, *told)))
    title = book.say("listing.titles.moves", year=stamp.year)
    notes = (book.say("listing.gain"), book.say("listing.who"))
    write_form(
        book,
        stamp,
        Form("moves", title, (about(book, stamp),), fields, tuple(groups), notes, funds),
    )


def funds_of(book: Book, codes: Iterable[str]) -> tuple[str, ...]:
    """Return what some funds are called, each once, in the official order."""
    found = set(codes)
    return tuple(book.name("source", code) for code in (*source_order(), "ALL") if code in found)


def fund_field(funds: Iterable[str]) -> Field:
    """Return the column of the funds, as wide as their names."""
    return Field("source", max(8.0, *(len(name) + 3.0 for name in funds)))


def _part(row: Row) -> str:
    """Return who decides a move; of money that leaves the plan or comes to it, which it is."""
    if not row["from_place"]:
        return "added"
    if row["to_place"]:
        return str(row["who_decides"])
    return "cut" if row["is_cut"] else "kept"


def _head(book: Book, part: str, rows: Sequence[Row]) -> str:
    """Return the heading of a group of moves, or of what is none."""
    if part not in _APART:
        return who(book, part)
    decide = [who(book, one) for one in RANKS if any(row["who_decides"] == one for row in rows)]
    return book.say(f"listing.apart.{part}", who=", ".join(decide))


def _told(book: Book, row: Row) -> dict[str, Any]:
    """Return what a row says of one move."""
    return {
        **{end: _end(book, row, end) for end in ("from", "to")},
        "source": book.name("source", row["source"]),
        "amount": row["amount"],
        "gain": None if row["gain"] is None else round(row["gain"]),
        "reason": row["reason"],
    }


def _together(book: Book, rows: Sequence[Row]) -> dict[str, Any]:
    """Return one row for several small moves."""
    gains = [row["gain"] for row in rows if row["gain"] is not None]
    return {
        "from": book.say("listing.small", count=len(rows)),
        "source": book.name("source", rows[0]["source"]),
        "amount": sum(row["amount"] for row in rows),
        "gain": round(sum(gains)) if gains else None,
    }


def who(book: Book, code: str) -> str:
    """Return what an authority is called, "" for none."""
    return say(f"moves.who.{code}", book.language) if code else ""


def _end(book: Book, row: Row, end: str) -> str:
    """Return where money comes from or goes: a project, or a place and an area."""
    if not row[f"{end}_place"]:
        return book.say(f"listing.nowhere.{end if end == 'from' else _part(row)}")
    names = [book.name(key, row[f"{end}_{key}"]) for key in ("place", "area")]
    own = [row.get(f"{end}_project", ""), *names, row.get(f"{end}_activity", "")]
    return " – ".join(name for name in own if name)
