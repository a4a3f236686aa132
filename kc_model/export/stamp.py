"""What a printed plan says about itself, and the lines it says it in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from textwrap import shorten

from kc_model.errors import Fault
from kc_model.export.book import Book
from kc_model.export.table import Amount
from kc_model.tables import Note

__all__ = [
    "Stamp",
    "about",
    "baseline_heading",
    "cut_off",
    "form_notes",
    "newest",
    "note_lines",
    "stamp_line",
    "years_of",
]

_LINE, _YEAR = 150, 12  # characters that a footer holds; months
_BETWEEN = " · "
_STANDINGS = ("synthetic", "assumed", "derived", "estimate", "real", "settled")  # the weakest first


@dataclass(frozen=True)
class Stamp:
    """What a printed plan or report says about itself.

    Parameters
    ----------
    title : str
        The dataset's.
    scenario : str
        The scenario's name; "" for a report.
    year : int
        Budget year; of several, the first.
    as_of : int or None
        Last month whose figures are known (0: none of the year); None outside a mid-year plan.
    unit, vintage : str
        Unit of the figures; vintage of the place codes.
    synthetic : bool
        Whether the figures are made up: printed on every page.
    dataset_hash, scenario_hash : str
        SHA-256, hexadecimal.
    versions : mapping of str to str
        Package name to version.
    seed : int
        Seed of the draws.
    unit_name : str
        The office that gives the plan; "" leaves a dotted line.
    baseline_year : int or None
        Year whose plan is the baseline; None where it is something else, which a note then tells.
    summary : tuple of str
        The plan in sentences, in the language of the workbook.
    reserve : tuple of (str, int)
        Money left unallocated: what the budget row is called, VND.
    notes : tuple of Note
        What is assumed, estimated, made up.
    sources : tuple of str
        Documents the data come from.
    defaults : tuple of str
        Defaults in force, in the language of the workbook: listed among the rules.
    step : int
        VND that amounts were rounded to; 0: they were not.
    latest : tuple of int (2,) or None
        Year and month of the newest figures of the data.
    """

    title: str
    scenario: str
    year: int
    as_of: int | None
    unit: str
    vintage: str
    synthetic: bool
    dataset_hash: str
    scenario_hash: str
    versions: Mapping[str, str]
    seed: int = 0
    unit_name: str = ""
    baseline_year: int | None = None
    summary: tuple[str, ...] = ()
    reserve: tuple[tuple[str, int], ...] = ()
    notes: tuple[Note, ...] = ()
    warnings: tuple[Fault, ...] = ()
    sources: tuple[str, ...] = ()
    defaults: tuple[str, ...] = ()
    step: int = 0
    latest: tuple[int, int] | None = None


def cut_off(book: Book, stamp: Stamp) -> str:
    """Return up to when a mid-year plan counts; "" for a whole year, which the title names."""
    return "" if stamp.as_of is None else _known(book, stamp.year, stamp.as_of)


def newest(book: Book, stamp: Stamp) -> str:
    """Return up to when figures are known, counted or not; "" where the data have none."""
    if stamp.as_of is None and stamp.latest is not None:
        return _known(book, *stamp.latest)
    return cut_off(book, stamp)


def _known(book: Book, year: int, month: int) -> str:
    key = "before" if month == 0 else "settled" if month > _YEAR else "month"
    return book.say(f"as_of.{key}", month=month, year=year)


def about(book: Book, stamp: Stamp) -> str:
    """Return which scenario, data and month a sheet shows, as a line under its title."""
    key = "scenario" if stamp.scenario else "data"
    data = book.say(f"head.{key}", name=stamp.scenario, title=stamp.title)
    return "; ".join(part for part in (data, cut_off(book, stamp)) if part)


def stamp_line(book: Book, stamp: Stamp) -> str:
    """Return the line under every page: year, cut-off, standing, data and version."""
    present = {note.standing for note in stamp.notes} | (
        {"synthetic"} if stamp.synthetic else set()
    )
    kinds = [book.say(f"standing.{kind}") for kind in _STANDINGS if kind in present]
    parts = [
        book.say("year", year=stamp.year) if stamp.as_of is None else "",
        cut_off(book, stamp),
        ", ".join(kinds).capitalize(),
        stamp.title,
        f"kc_model {stamp.versions.get('kc_model', '')}".strip(),
    ]
    others = sum(len(part) + len(_BETWEEN) for part in parts if part) - len(stamp.title)
    parts[-2] = shorten(stamp.title, max(_LINE - others, 1), placeholder="…")
    return _BETWEEN.join(part for part in parts if part)


def baseline_heading(book: Book, stamp: Stamp) -> str:
    """Return what the plan is held against, as a heading."""
    if stamp.as_of is not None:
        return book.say("baseline.in_force")
    if stamp.baseline_year is not None:
        return book.say("baseline.year", year=stamp.baseline_year)
    return book.say("baseline.given")


def years_of(amounts: Sequence[Amount]) -> str:
    """Return the plan's year, or its first and last."""
    years = sorted({cell.year for cell in amounts})
    return "-".join(str(year) for year in dict.fromkeys((years[0], years[-1])))


def note_lines(book: Book, stamp: Stamp, columns: Sequence[str] = ()) -> list[str]:
    """Return what figures rest on, the standing first, and how the named columns are to be read."""
    lines = [
        book.say("notes.line", standing=book.say(f"standing.{note.standing}"), text=text)
        for note in stamp.notes
        for text in (note.vi if book.language == "vi" else note.en,)
    ]
    if "baseline" in columns and stamp.as_of is None and stamp.baseline_year is None:
        lines.append(book.say("notes.baseline"))
    if "expected" in columns:
        lines.append(book.say("notes.expected"))
    if columns and book.money.rounds:
        lines.append(book.say("notes.rounded"))
    return lines


def form_notes(book: Book, stamp: Stamp, columns: Sequence[str]) -> list[str]:
    """Return the lines that stand on a form that is signed; how a forecast is made is no part."""
    notes = tuple(note for note in stamp.notes if not _is_method(note))
    return note_lines(book, replace(stamp, notes=notes), columns)


def _is_method(note: Note) -> bool:
    """Whether a note is on how the forecast is made, which the sheet of grounds tells."""
    how = note.standing == "estimate" and note.column in {"", "expected"}
    return note.table == "forecast" and (how or note.column == "capacity")
