"""Projects and cells as the rows of forms: where and when they are, their money, by area."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from kc_model import reference
from kc_model.export.book import Book, display_of
from kc_model.export.listing import Field, Group
from kc_model.export.stamp import Stamp
from kc_model.wording import Language, say

__all__ = [
    "Row",
    "book_of",
    "by_area",
    "joined",
    "kind_of",
    "money_field",
    "only_place",
    "places_of",
    "time_of",
]

_NARROWEST = 13.5  # characters of a money column

Row = Mapping[str, Any]
"""A project or cell: column -> value."""


def book_of(stamp: Stamp, language: Language, money: Iterable[Any]) -> Book:
    """Return the book of some forms, in the unit that their money (VND, None unknown) asks for."""
    known = [int(vnd) for vnd in money if vnd is not None]
    return Book(language, stamp.vintage, display_of(known, stamp.unit, _NARROWEST))


def money_field(book: Book, key: str, shared: str = "", adds: tuple[str, ...] = ()) -> Field:
    """Return a column of money; see `Field`."""
    return Field(key, book.money.width, is_money=True, shared=shared, adds=adds)


def by_area(book: Book, rows: Sequence[Row]) -> tuple[Group, ...]:
    """Return the rows by area, in the decree's order."""
    return tuple(
        Group(book.name("area", area), part)
        for area in reference.area_order()
        if (part := tuple(row for row in rows if row["area"] == area))
    )


def places_of(book: Book, row: Row) -> str:
    """Return the names of the places that a row is of."""
    return ", ".join(book.name("place", place) for place in row["place"].split(";"))


def only_place(book: Book, rows: Sequence[Row]) -> tuple[str, ...]:
    """Return the line that tells where every project is, if all are at the same place."""
    places = {places_of(book, row) for row in rows}
    return (book.say("head.place", name=places.pop()),) if len(places) == 1 else ()


def time_of(row: Row) -> str:
    """Return when a project runs, by its months."""
    days = [f"{row[key]:%m/%Y}" for key in ("start", "end") if row[key] is not None]
    return " – ".join(dict.fromkeys(days))


def kind_of(book: Book, row: Row) -> str:
    """Return the name of a project's kind; "" for a normal one."""
    is_named = row["kind"] in ("flagship", "group")
    return say(f"headings.choices.kind.{row['kind']}", book.language) if is_named else ""


def joined(*texts: str) -> str:
    """Return remarks as one, without those that say nothing."""
    return "; ".join(text for text in texts if text)
