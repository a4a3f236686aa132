"""Places, areas, sources, norms and law: dated tables that keep where they come from.

The tables are the CSV files of this folder (``README.md`` there tells what each holds, how certain
it is and what was left out). Everything is read as text, so that "01" and "NA" survive; only the
columns of `NUMBERS` become numbers. The key of a place is (vintage, code): seven codes passed to
another province in 2025.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from functools import cache, lru_cache
from importlib import resources
from io import StringIO
from typing import Literal

import numpy as np
import pandas as pd

from kc_model.errors import Address, Fault, InputError, raise_faults
from kc_model.reference.names import Names, UnknownNameError, plain
from kc_model.wording import Language, say

__all__ = [
    "LAWS",
    "NUMBERS",
    "VINTAGES",
    "UnknownNameError",
    "area_name",
    "area_order",
    "areas",
    "find_area",
    "find_norm",
    "find_place",
    "find_region",
    "find_source",
    "label",
    "law",
    "members",
    "norm_name",
    "norms",
    "place_name",
    "place_order",
    "places",
    "plain",
    "published_completion",
    "region_of",
    "source_name",
    "source_order",
    "sources",
    "successor",
    "tiles",
    "to_vintage",
]

VINTAGES = ("63", "34")
"""Places to 2025-06-30, and since."""

LAWS = ("priority", "advance", "adjustment", "calendar")
"""Tables of the law: in what order money goes out, when it leaves, who decides a change, when."""

NUMBERS: Mapping[str, Literal["Int64", "float64"]] = {
    "cap_share": "float64",  # share of what `share_of` names
    "cap_vnd": "Int64",
    "column": "Int64",
    "completion": "float64",  # disbursed over plan
    "day": "Int64",
    "first_advance_share": "float64",  # share of the support
    "month": "Int64",
    "order": "Int64",
    "population_2025": "Int64",
    "row": "Int64",
    "year": "Int64",
    "year_offset": "Int64",
}
"""Columns that are numbers, in whatever table they stand; every other column is text."""


@cache
def _read(name: str) -> pd.DataFrame:
    text = resources.files(__name__).joinpath(f"{name}.csv").read_text(encoding="utf-8")
    frame = pd.read_csv(StringIO(text), dtype="str", keep_default_na=False)
    for column, kind in NUMBERS.items():
        if column in frame:
            frame[column] = pd.to_numeric(frame[column]).astype(kind)
    return frame


def _valid(frame: pd.DataFrame, on: date | None) -> pd.DataFrame:
    """Return the rows in force on a day; a row whose first day is not known is in force on none."""
    if on is not None:
        day, start, end = on.isoformat(), frame["valid_from"], frame["valid_to"]
        frame = frame[(start != "") & (start <= day) & ((end == "") | (end >= day))]
    return frame.reset_index(drop=True)


# ---------------------------------------------------------------------------- tables


def places(vintage: str) -> pd.DataFrame:
    """Return the places of a vintage in official order, aggregates first.

    Parameters
    ----------
    vintage : {"63", "34"}

    Returns
    -------
    DataFrame
        vintage, code, kind (country, region, central, province), name_vi, name_en, full_name_vi,
        region, unit_type and its later change, population_2025 (Int64, vintage 34), aliases
        (joined by "|"), valid_from, valid_to (ISO days), source, certainty, region_source,
        region_certainty, note.

    Raises
    ------
    ValueError
        If there is no such vintage.
    """
    if vintage not in VINTAGES:
        raise ValueError(f"vintage {vintage!r}: must be one of {VINTAGES}")
    frame = _read("places")
    return frame[frame["vintage"] == vintage].reset_index(drop=True)


def areas() -> pd.DataFrame:
    """Return the nine content areas of Decree 45/2012, article 4, in its order, and ALL."""
    return _read("areas").copy()


def sources() -> pd.DataFrame:
    """Return the two funds with their legal ground, and ALL."""
    return _read("sources").copy()


def norms(
    on: date | None = None, level: Literal["KCQG", "KCDP", "OTHER"] | None = None
) -> pd.DataFrame:
    """Return the spending norms: caps of support per activity.

    Parameters
    ----------
    on : date or None
        Only norms known to be in force that day; None: all of them.
    level : {"KCQG", "KCDP", "OTHER"} or None
        National, local (of the place given), or of another programme; None: all.

    Returns
    -------
    DataFrame
        id, level, vintage and place (local norms), area, activity_vi, activity_en, cap_vnd (Int64
        VND per `per_unit`, <NA> without a cap), cap_share (share of `share_of`, NaN without), only
        (``difficult``: in difficult areas only), condition_vi, condition_en, advance (id of the
        row of ``law("advance")`` that says when its money leaves, "" where the law names none),
        legal_basis, source, valid_from, valid_to, amended_by, certainty, note.
    """
    frame = _read("norms")
    return _valid(frame if level is None else frame[frame["level"] == level], on)


def law(name: str, on: date | None = None) -> pd.DataFrame:
    """Return one table of the law.

    Parameters
    ----------
    name : {"priority", "advance", "adjustment", "calendar"}
    on : date or None
        Only what is in force that day; None: everything.

    Raises
    ------
    ValueError
        If there is no such table.
    """
    if name not in LAWS:
        raise ValueError(f"law {name!r}: must be one of {LAWS}")
    return _valid(_read(f"law_{name}"), on)


def published_completion() -> pd.DataFrame:
    """Return every published completion that can serve as prior knowledge.

    Returns
    -------
    DataFrame
        scope (place code) and its vintage, year, month (13: year-end), source, area, completion
        (share of the plan that `plan_definition` names), standing, document, quote, note. Two rows
        may contradict each other where two reports do.
    """
    return _read("published_completion").copy()


def tiles(vintage: str) -> pd.DataFrame:
    """Return where every province stands in a scheme of the country, one tile each.

    A scheme drawn by hand, not a map: no distance, area or border can be read from it. The two
    archipelagos have tiles of their own with the code of the province they belong to.

    Returns
    -------
    DataFrame
        vintage, code, name_vi, name_en (of an archipelago; "" for the place itself), column, row
        (Int64, from the north-west), source.
    """
    frame = _read("tiles")
    return frame[frame["vintage"] == vintage].reset_index(drop=True)


# ---------------------------------------------------------------------------- names


def _names(kind: str, frame: pd.DataFrame, *spellings: str) -> Names:
    rows = frame[["code", *spellings, "aliases"]].to_numpy().tolist()
    return Names(kind, [(row[0], row[1], (*row[2:-1], *row[-1].split("|"))) for row in rows])


@cache
def _place_names(vintage: str) -> Names:
    return _names("place", places(vintage), "name_vi", "name_en", "full_name_vi")


@cache
def _region_names() -> Names:
    regions = places("34").query("kind == 'region'")
    letters = regions.assign(letter=regions["code"].str[-1])
    return _names("region", letters, "name_vi", "name_en", "letter")


@cache
def _table_names(kind: Literal["area", "source"]) -> Names:
    return _names(kind, _read(f"{kind}s"), "short_vi", "name_vi", "short_en", "name_en")


@lru_cache(maxsize=4096)
def find_place(text: str, vintage: str) -> str:
    """Return the code of the place a text names.

    Parameters
    ----------
    text : str
        A code ("01"; "1" as a spreadsheet leaves it) or any spelling of a name.
    vintage : {"63", "34"}

    Raises
    ------
    UnknownNameError
        If it names no place of this vintage, or several; `successor` tells the place that a
        province of 63, named in words, was merged into. An old code is never explained away:
        codes were reused.
    """
    names = _place_names(vintage)
    code = text.strip().zfill(2)
    if code in names.shown:
        return code
    if vintage == "34" and not (code.isdecimal() or names.codes(text)):
        old = _place_names("63").codes(text)
        if len(old) == 1:
            new = successor(next(iter(old)))
            raise UnknownNameError("place", text, (names.shown[new],), successor=new)
    return names.find(text)


@lru_cache(maxsize=4096)
def find_area(text: str) -> str:
    """Return the code of the area a text names; raises `UnknownNameError`."""
    return _table_names("area").find(text)


@lru_cache(maxsize=4096)
def find_source(text: str) -> str:
    """Return the code of the source a text names; raises `UnknownNameError`."""
    return _table_names("source").find(text)


@cache
def _norm_names() -> Names:
    frame = _read("norms")
    return Names(
        "norm",
        [
            (code, norm_name(code), (norm_name(code, "en"), vi, en))
            for code, vi, en in frame[["id", "activity_vi", "activity_en"]].to_numpy().tolist()
        ],
    )


@lru_cache(maxsize=4096)
def find_norm(text: str) -> str:
    """Return the id of the norm a text names by id, activity or both; raises `UnknownNameError`.

    An activity that several texts of different years or provinces cap names none of them.
    """
    return _norm_names().find(text)


def find_region(text: str) -> str:
    """Return the code of the region ("R-N") a text names; raises `UnknownNameError`.

    "N" and every name of the region will do.
    """
    return _region_names().find(text)


@cache
def _column(name: str, column: str, vintage: str = "", key: str = "code") -> dict[str, str]:
    frame = places(vintage) if name == "places" else _read(name)
    return dict(zip(frame[key], frame[column], strict=True))


def place_name(code: str, vintage: str, language: Language = "vi") -> str:
    """Return the name of a place; raises KeyError for a code that the vintage does not have."""
    return _column("places", f"name_{language}", vintage)[code]


def area_name(code: str, language: Language = "vi") -> str:
    """Return the short name of an area; raises KeyError for an unknown code."""
    return _column("areas", f"short_{language}")[code]


def norm_name(code: str, language: Language = "vi") -> str:
    """Return a norm's id and activity, such as "N04 – ..."; raises KeyError for an unknown id."""
    return f"{code} – {_column('norms', f'activity_{language}', key='id')[code]}"


def source_name(code: str, language: Language = "vi") -> str:
    """Return the name of a source; raises KeyError for an unknown code."""
    return _column("sources", f"name_{language}")[code]


def region_of(code: str, vintage: str) -> str:
    """Return the region of a place (a region's is itself), "" for TW and VN; raises KeyError."""
    return _column("places", "region", vintage)[code]


def place_order(vintage: str) -> list[str]:
    """Return the place codes in official order: VN, the regions, TW, the provinces."""
    return list(_column("places", "kind", vintage))


def area_order() -> list[str]:
    """Return the area codes in the decree's order, ALL last."""
    return list(_column("areas", "short_vi"))


def source_order() -> list[str]:
    """Return KCQG, KCDP, ALL."""
    return list(_column("sources", "short_vi"))


def label(
    column: Literal["certainty", "per_unit", "share_of"], word: str, language: Language = "vi"
) -> str:
    """Return what a word of a norm or law means to a planner; raises KeyError for another word."""
    return say(f"reference.{column}.{word}", language)


# ---------------------------------------------------------------------------- crosswalk


@cache
def _successors() -> dict[str, str]:
    frame = _read("crosswalk")
    return {**dict(zip(frame["code63"], frame["code34"], strict=True)), "TW": "TW", "VN": "VN"}


def successor(code63: str) -> str:
    """Return the code of 34 that a code of 63 became part of.

    Raises
    ------
    KeyError
        For an unknown code and for a region: the regions of 2025 are other sets of provinces, so
        the figures of an old one belong to none of the new.
    """
    return _successors()[code63]


def members(code34: str) -> tuple[str, ...]:
    """Return the codes of 63 that a code of 34 was made from, in official order.

    Raises
    ------
    KeyError
        For an unknown code and for a region.
    """
    found = tuple(old for old, new in _successors().items() if new == code34)
    if not found:
        raise KeyError(code34)
    return found


_STATUSES = ("estimate", "", "reported", "settled")  # from the least certain to the most


def to_vintage(
    frame: pd.DataFrame,
    vintage: str,
    given: str,
    *,
    keys: Sequence[str],
    sums: Sequence[str],
    at: Address | None = None,
) -> pd.DataFrame:
    """Return a long table with its places in one vintage: 63 becomes 34 by summing.

    Parameters
    ----------
    frame : DataFrame
        `keys`, `sums`, and maybe ``status`` and ``vintage`` (text, "" means `given`).
    vintage, given : {"63", "34"}
        The vintage wanted; the vintage of rows that do not say theirs.
    keys : sequence of str
        What identifies a row, ``place`` among it. With ``month`` among it, a part that reports in
        some months of a year is missing in the other months its fellows report, never zero.
    sums : sequence of str
        Columns to add up: money (Int64), outputs (float64). A sum with a missing part is missing.
    at : Address, optional
        Where the table stands, for faults.

    Returns
    -------
    DataFrame
        `keys`, `sums`, then ``status`` (of the least certain part) and ``vintage`` where the frame
        has them.

    Raises
    ------
    InputError
        ``vintage-split``: 34 → 63 needs assumptions. ``vintage-region``: an old region is no sum
        of new places. ``vintage-both``: an old and a new place in one row would count twice.
        ``vintage-total``: the grand total of a money column changed (too large for its type).
    ValueError
        If a column is left over: rates, weights and unit costs cannot be summed.
    """
    left = set(frame.columns) - {*keys, *sums, "status", "vintage"}
    if left:
        raise ValueError(f"neither keys nor sums: {sorted(left)}")
    at = at or Address()
    origin = pd.Series(given, index=frame.index, dtype="str")
    if "vintage" in frame:
        origin = origin.mask(frame["vintage"] != "", frame["vintage"])
    old = origin != vintage
    if not old.any():
        return frame.assign(**({"vintage": vintage} if "vintage" in frame else {}))
    if vintage == "63":
        raise InputError([Fault("vintage-split", at)])
    regions = sorted(set(frame.loc[old, "place"]) - set(_successors()))
    raise_faults(Fault("vintage-region", at, {"place": code}) for code in regions)
    new = frame["place"].mask(old, frame["place"].map(_successors()))
    parts = _without_gaps(frame.assign(place=new, part=frame["place"], origin=origin), keys)
    _refuse_both(parts, list(keys), at)
    groups = parts.groupby(list(keys), sort=False, dropna=False)
    result = groups[list(sums)].sum()
    _check_totals(frame, result, sums, at)
    result = result.mask(groups[list(sums)].count().lt(groups.size(), axis=0))
    if "status" in frame:
        parts["rank"] = parts["status"].fillna("").map(_STATUSES.index)
        result["status"] = groups["rank"].min().map(dict(enumerate(_STATUSES)))
    if "vintage" in frame:
        result["vintage"] = vintage
    return result.reset_index()


def _without_gaps(parts: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """Add an empty row wherever a part lacks a month that another part of its cell has."""
    if "month" not in keys:
        return parts
    cell = [key for key in keys if key != "month"] + ["origin"]
    months = parts[[*cell, "month"]].drop_duplicates()
    full = parts[[*cell, "part"]].drop_duplicates().merge(months, on=cell)
    return full.merge(parts, how="left", on=[*cell, "part", "month"])


def _refuse_both(parts: pd.DataFrame, keys: list[str], at: Address) -> None:
    rows = parts[[*keys, "origin"]].drop_duplicates()
    twice = rows.loc[rows.duplicated(keys), "place"].unique()
    raise_faults(Fault("vintage-both", at, {"place": place_name(p, "34")}) for p in twice)


def _check_totals(
    before: pd.DataFrame, after: pd.DataFrame, sums: Sequence[str], at: Address
) -> None:
    """Refuse a sum that lost or made money; exact, since integers of any size are compared."""
    totals = {name: (_total(before[name]), _total(after[name])) for name in sums}
    raise_faults(
        Fault("vintage-total", at, {"column": name, "before": old, "after": new})
        for name, (old, new) in totals.items()
        if old != new
    )


def _total(column: pd.Series) -> int:
    """Return the exact sum of a money column, whatever its size; 0 for a column of fractions."""
    if not pd.api.types.is_integer_dtype(column):
        return 0
    values = column.dropna().to_numpy(dtype=np.int64)
    return (int((values >> 32).sum()) << 32) + int((values & 0xFFFFFFFF).sum())
