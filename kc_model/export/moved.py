"""The moves of a plan as a sheet: from where to where, how much, what it gains, who decides."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from kc_model.export.book import Book
from kc_model.export.listing import Field, Form, Group, write_form
from kc_model.export.stamp import Stamp, about
from kc_model.moves import RANKS
from kc_model.tables import as_rows
from kc_model.wording import say

__all__ = ["Reasons", "fund_width", "who", "write_moves"]

_APART = ("cut", "kept", "added")  # no moves: money leaves the plan, or comes to it
_SHARE = re.compile(r"\d+(?:[.,]\d+)? ?%")
_SMALL = 1_000_000  # VND: a smaller move comes from rounding, or is as good as none


def write_moves(book: Book, stamp: Stamp, moves: pd.DataFrame) -> None:
    """Write the moves as a form of their own: by who decides, the largest first.

    Parameters
    ----------
    moves : DataFrame
        As `kc_model.moves.find_moves` gives them: amount and gain in VND.

    Notes
    -----
    Several moves of less than a million đồng that one authority decides stand in one row, last.
    """
    reasons = Reasons(book, moves["reason"])
    fields = (
        *(
            Field("from", 46.0),
            Field("to", 46.0),
            Field("source", fund_width(book, moves["source"])),
        ),
        *(Field(key, book.money.width, is_money=True) for key in ("amount", "gain")),
        reasons.field,
    )
    rows = as_rows(moves.sort_values("amount", ascending=False, kind="stable"))
    groups = []
    for part in (*RANKS, *_APART):
        own = [row for row in rows if _part(row) == part]
        small = [row for row in own if row["amount"] < _SMALL]
        listed = own[: len(own) - len(small)] if len(small) > 1 else own
        shown = [_told(book, row, reasons) for row in listed]
        shown += [_together(book, small)] if len(small) > 1 else []
        if shown:
            groups.append(Group(_head(book, part, own), tuple(shown)))
    title = book.say("listing.titles.moves", year=stamp.year)
    notes = (book.say("listing.gain"), book.say("listing.who"))
    lines = (about(book, stamp), *reasons.legend)
    write_form(book, stamp, Form("moves", title, lines, fields, tuple(groups), notes))


class Reasons:
    """Reasons that several rows share, but for their shares, are told once and numbered.

    Parameters
    ----------
    reasons : iterable of str
        Of all rows.
    """

    def __init__(self, book: Book, reasons: Iterable[str]) -> None:
        told = [reason for reason in reasons if reason]
        counts = Counter(map(_alike, told))
        shared = [key for key, count in counts.items() if count > 1]
        self._numbers = {key: f"({number})" for number, key in enumerate(shared, 1)}
        self._whole = {
            key: len({reason for reason in told if _alike(reason) == key}) == 1 for key in shared
        }
        self._is_short = len(shared) == len(counts)
        first = {_alike(reason): reason for reason in told}
        self.legend = tuple(
            book.say("listing.reason", number=number, text=first[key] if self._whole[key] else key)
            for key, number in self._numbers.items()
        )

    @property
    def field(self) -> Field:
        """The column of reasons: narrow where all of them are numbered."""
        return Field("reason", 16.0 if self._is_short else 38.0)

    def short(self, reason: str) -> str:
        """Return a shared reason's number with the shares of its own; another as it is."""
        key = _alike(reason)
        if key not in self._numbers:
            return reason
        own = [] if self._whole[key] else [", ".join(_SHARE.findall(reason))]
        return ": ".join([self._numbers[key], *own])


def _alike(reason: str) -> str:
    """Return a reason with its shares left open."""
    return _SHARE.sub("… %", reason)


def fund_width(book: Book, codes: Iterable[str]) -> float:
    """Return the characters that the names of funds take."""
    return max(8.0, *(len(book.name("source", code)) + 2.0 for code in codes))


def _part(row: Mapping[str, Any]) -> str:
    """Return who decides a move; of money that leaves the plan or comes to it, which it is."""
    if not row["from_place"]:
        return "added"
    if row["to_place"]:
        return str(row["who_decides"])
    return "cut" if row["is_cut"] else "kept"


def _head(book: Book, part: str, rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the heading of a group of moves, or of what is none."""
    if part not in _APART:
        return who(book, part)
    decide = [who(book, one) for one in RANKS if any(row["who_decides"] == one for row in rows)]
    return book.say(f"listing.apart.{part}", who=", ".join(decide))


def _told(book: Book, row: Mapping[str, Any], reasons: Reasons) -> dict[str, Any]:
    """Return what a row says of one move."""
    return {
        **{end: _end(book, row, end) for end in ("from", "to")},
        "source": book.name("source", row["source"]),
        "amount": row["amount"],
        "gain": None if row["gain"] is None else round(row["gain"]),
        "reason": reasons.short(row["reason"]),
    }


def _together(book: Book, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return one row for several small moves."""
    gains = [row["gain"] for row in rows if row["gain"] is not None]
    return {
        "from": book.say("listing.small", count=len(rows)),
        "amount": sum(row["amount"] for row in rows),
        "gain": round(sum(gains)) if gains else None,
    }


def who(book: Book, code: str) -> str:
    """Return what an authority is called, "" for none."""
    return say(f"moves.who.{code}", book.language) if code else ""


def _end(book: Book, row: Mapping[str, Any], end: str) -> str:
    """Return where money comes from or goes: a project, or a place and an area."""
    if not row[f"{end}_place"]:
        return book.say(f"listing.nowhere.{end if end == 'from' else _part(row)}")
    names = [book.name(key, row[f"{end}_{key}"]) for key in ("place", "area")]
    own = [row.get(f"{end}_project", ""), *names, row.get(f"{end}_activity", "")]
    return " – ".join(name for name in own if name)
