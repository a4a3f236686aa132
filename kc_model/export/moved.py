"""The moves of a plan as a sheet: from where to where, how much, what it gains, who decides."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from kc_model.export.book import Book
from kc_model.export.listing import Field, Form, Group, write_form
from kc_model.export.stamp import Stamp, about
from kc_model.tables import as_rows
from kc_model.wording import say

__all__ = ["who", "write_moves"]


def write_moves(book: Book, stamp: Stamp, moves: pd.DataFrame) -> None:
    """Write the moves as a form of their own.

    Parameters
    ----------
    book : Book
    stamp : Stamp
    moves : DataFrame
        As `kc_model.moves.find_moves` gives them: amount and gain in VND.
    """
    fields = (
        *(Field("from", 30.0), Field("to", 30.0), Field("source", 8.0)),
        *(Field(key, book.money.width, is_money=True) for key in ("amount", "gain")),
        *(Field("reason", 40.0), Field("decided_by", 27.0)),
    )
    rows = tuple(
        {
            **{end: _end(book, row, end) for end in ("from", "to")},
            "source": book.name("source", row["source"]),
            "amount": row["amount"],
            "gain": None if row["gain"] is None else round(row["gain"]),
            "reason": row["reason"],
            "decided_by": who(book, row["who_decides"]),
        }
        for row in as_rows(moves)
    )
    title = book.say("listing.titles.moves", year=stamp.year)
    notes = (book.say("listing.gain"), book.say("listing.who"))
    lines = (about(book, stamp),)
    write_form(book, stamp, Form("moves", title, lines, fields, (Group("", rows),), notes))


def who(book: Book, code: str) -> str:
    """Return what an authority is called, "" for none."""
    return say(f"moves.who.{code}", book.language) if code else ""


def _end(book: Book, row: Mapping[str, Any], end: str) -> str:
    """Return where money comes from or goes: a project, or a place and an area."""
    if not row[f"{end}_place"]:
        return book.say(f"listing.nowhere.{end}")
    names = [book.name(key, row[f"{end}_{key}"]) for key in ("place", "area")]
    own = [row.get(f"{end}_project", ""), *names, row.get(f"{end}_activity", "")]
    return " – ".join(name for name in own if name)
