"""What a printed plan or report says about itself, and what stands around the table of a form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from xlsxwriter.worksheet import Worksheet

from kc_model.errors import Fault
from kc_model.export.book import Book
from kc_model.export.table import Amount
from kc_model.money import unit_name
from kc_model.tables import Note

__all__ = [
    "Stamp",
    "about",
    "baseline_heading",
    "cut_off",
    "finish",
    "form_notes",
    "note_lines",
    "stamp_line",
    "write_foot",
    "write_head",
    "write_title",
    "years_of",
]

_SHORT = 12  # characters of a hash in a footer
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
    warnings : tuple of Fault
    sources : tuple of str
        Documents the data come from.
    defaults : tuple of str
        Defaults in force, in the language of the workbook: listed among the rules.
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


def cut_off(book: Book, stamp: Stamp) -> str:
    """Return up to when figures are known, "" outside a mid-year plan."""
    if stamp.as_of is None:
        return ""
    key = "before" if stamp.as_of == 0 else "settled" if stamp.as_of > 12 else "month"
    return book.say(f"as_of.{key}", month=stamp.as_of, year=stamp.year)


def about(book: Book, stamp: Stamp) -> str:
    """Return which scenario, data and month a sheet shows, as a line under its title."""
    key = "scenario" if stamp.scenario else "data"
    data = book.say(f"head.{key}", name=stamp.scenario, title=stamp.title)
    return "; ".join(part for part in (data, cut_off(book, stamp)) if part)


def stamp_line(book: Book, stamp: Stamp) -> str:
    """Return the line under every page: year, standing, which data and scenario made it."""
    present = {note.standing for note in stamp.notes} | (
        {"synthetic"} if stamp.synthetic else set()
    )
    kinds = [book.say(f"standing.{kind}") for kind in _STANDINGS if kind in present]
    parts = [
        cut_off(book, stamp) or book.say("year", year=stamp.year),
        ", ".join(kinds).capitalize(),
        book.say("stamp.dataset", hash=stamp.dataset_hash[:_SHORT]),
        stamp.scenario_hash and book.say("stamp.scenario", hash=stamp.scenario_hash[:_SHORT]),
        f"kc_model {stamp.versions.get('kc_model', '')}".strip(),
    ]
    return " · ".join(part for part in parts if part)


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


# --- around a table -------------------------------------------------------------------------------


_SIGNATURE = 4  # rows left free for it
_SIGNED = 3  # rows of the table, the total among them, that stay on the page with the signatures
_COUNTRY = 52.0  # characters that the name of the country takes


def write_head(
    book: Book,
    sheet: Worksheet,
    right: int,
    stamp: Stamp,
    title: str,
    lines: Sequence[str],
    top: int = 0,
) -> int:
    """Write the office, the national heading, title, lines under it and unit; return the next row.

    Parameters
    ----------
    right : int
        Last column of the form.
    top : int
        Its first row.
    """
    half = _half(book, sheet, right)
    office = stamp.unit_name.upper() or book.say("head.office")
    if book.width(sheet, half, right) < _COUNTRY:  # a narrow form: one under the other
        book.merge(sheet, (top + 2, 0, top + 2, right), office, "bold")
        first, row = 0, top + 3
    else:
        book.merge(sheet, (top, 0, top + 1, 1), office, "bold", "center", "wrap")
        first, row = half, top + 2
    book.merge(sheet, (top, first, top, right), book.say("head.country"), "bold", "center")
    motto = (top + 1, first, top + 1, right)
    book.merge(sheet, motto, book.say("head.motto"), "bold", "underline", "center")
    row = book.gap(sheet, row)
    row = book.paragraph(sheet, row, (0, right), title, "title")
    for line in lines:
        row = book.paragraph(sheet, row, (0, right), line, "italic", "center")
    if stamp.synthetic:
        row = book.paragraph(sheet, row, (0, right), book.say("synthetic"), "warn", "center")
    unit = book.say("unit", unit=unit_name(stamp.unit, book.language))
    book.merge(sheet, (row, half, row, right), unit, "italic", "right")
    return row + 1


def write_title(
    book: Book, sheet: Worksheet, right: int, stamp: Stamp, title: str, unit: str
) -> None:
    """Write title, up to when and unit of a sheet that nobody signs, in its first two rows."""
    book.merge(sheet, (0, 0, 0, right), title, "title", "wrap")
    line = ". ".join(part for part in (cut_off(book, stamp), unit) if part)
    book.merge(sheet, (1, 0, 1, right), line, "italic", "right")


def write_foot(book: Book, sheet: Worksheet, right: int, end: int, notes: Sequence[str]) -> int:
    """Write notes, place, date and signatures under a table, on a page with its last rows.

    Parameters
    ----------
    right : int
        Last column of the form.
    end : int
        The row after the table.

    Returns
    -------
    int
        The last row.
    """
    row = book.gap(sheet, end)
    if notes:
        row = book.paragraph(sheet, row, (0, right), book.say("notes.title"), "bold", "small")
        for note in notes:
            row = book.paragraph(sheet, row, (0, right), f"- {note}", "small")
        row = book.gap(sheet, row)
    half = _half(book, sheet, right)
    book.merge(sheet, (row, half, row, right), book.say("sign.date"), "italic", "center")
    for line, key, style in ((row + 1, "title", "bold"), (row + 2, "hint", "italic")):
        book.merge(sheet, (line, 0, line, 1), book.say(f"sign.maker_{key}"), style, "center")
        text = book.say(f"sign.head_{key}")
        book.merge(sheet, (line, half, line, right), text, style, "center")
    last = row + 2 + _SIGNATURE
    book.tie(sheet, end - _SIGNED, last)
    return last


def finish(book: Book, stamp: Stamp, title: str = "") -> bytes:
    """Print on every page what a workbook rests on, and return its bytes.

    Parameters
    ----------
    title : str
        Of the file; "": the dataset's.
    """
    line = stamp_line(book, stamp)
    for sheet in book.workbook.worksheets():
        book.footer(sheet, line, book.say("synthetic") if stamp.synthetic else "")
    return book.close(title=(title or stamp.title)[:255], comments=line)


def _half(book: Book, sheet: Worksheet, right: int) -> int:
    """Return the first column of what stands on the right of the page."""
    half = right
    while half > 2 and book.width(sheet, half, right) < _COUNTRY:
        half -= 1
    return half
