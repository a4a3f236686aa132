"""Small datasets and scenarios by hand, for tests of rooms that stand above reading.

Tables are written as planners see them, one row a line, words apart by blanks, "-" for missing and
money in the dataset's unit; they come out canonical, as `kc_model.reading` would give them.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd

from kc_model.money import UNITS
from kc_model.scenario import Scenario, read_scenario
from kc_model.tables import SCHEMAS, Dataset, Kind, Note, column_dtype, empty_table

HEAD = "name: thử\nyear: 2024\n"


def table(name: str, text: str, unit: str = "million_vnd") -> pd.DataFrame:
    """Return a canonical table."""
    heading, *rows = [line.split() for line in text.strip().splitlines()]
    raw = pd.DataFrame(rows, columns=heading, dtype=object).replace("-", None)
    known = SCHEMAS[name].by_name
    frame = empty_table(name).reindex(range(len(raw)))
    for column in known:
        kind = known[column].kind
        values = raw[column] if column in raw else pd.Series([None] * len(raw), dtype=object)
        frame[column] = _typed(values, kind, unit)
    for column in raw.columns.difference(known, sort=False):
        numbers = pd.to_numeric(raw[column], errors="coerce")
        is_number = (numbers.notna() | raw[column].isna()).all()
        frame[column] = numbers.astype("float64") if is_number else raw[column].fillna("")
    return frame


def _typed(values: pd.Series, kind: Kind, unit: str) -> pd.Series:
    if kind is Kind.MONEY:
        vnd = [None if v is None else int(Decimal(v) * UNITS[unit]) for v in values]
        return pd.Series(vnd, dtype="Int64")
    dtype = column_dtype(kind)
    if dtype == "Int64":
        return pd.Series([None if v is None else int(v) for v in values], dtype="Int64")
    if dtype == "float64":
        return pd.Series([np.nan if v is None else float(v) for v in values], dtype="float64")
    if dtype == "str":
        return values.fillna("").astype("str")
    return values.astype(dtype)


def dataset(
    unit: str = "million_vnd",
    vintage: str = "63",
    notes: Sequence[Note] = (),
    title: str = "Bộ số liệu thử",
    **tables: str,
) -> Dataset:
    """Return a dataset of the tables given as text; the others are empty."""
    filled = {
        name: table(name, tables[name], unit) if name in tables else empty_table(name)
        for name in SCHEMAS
    }
    return Dataset(title, vintage, unit, True, ("tài liệu thử",), filled, tuple(notes))


def scenario(text: str, head: str = HEAD) -> Scenario:
    """Return the scenario of a YAML text, name and year put in front."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "scenario.yaml")
        path.write_text(head + text, encoding="utf-8")
        return read_scenario(path)


def absorbing(cells: str, upto: float = 1e6, rate: float = 1.0) -> str:
    """Return an ``absorption`` table that takes every cell's money at one rate."""
    heading, *rows = [line.split() for line in cells.strip().splitlines()]
    keys = [key for key in ("year", "place", "area", "activity", "source") if key in heading]
    lines = [" ".join([*keys, "upto", "rate"])]
    for row in rows:
        named = dict(zip(heading, row, strict=True))
        lines.append(" ".join([*(named[key] for key in keys), f"{upto:g}", f"{rate:g}"]))
    return "\n".join(lines)


_PLACES = [f"{code:02d}" for code in (1, 4, 8, 11, 12, 14, 15, 19, 20, 22, 24, 25)]


def floored(number, *, national):
    """Return data and scenario of places with money of their own, each to keep so much of it."""
    sources = ["KCDP", *(["KCQG"] if national else [])]
    cells = "place area source baseline\n" + "\n".join(
        f"{place} {area} {source} {100 + 7 * k}"
        for k, place in enumerate(_PLACES)
        for area in ("TECH", "PROD")
        for source in sources
    )
    text = "budget:\n" + f"  - {{source: KCQG, amount: {2 * 12 * 100 + 14 * 66}}}\n" * national
    for k, place in enumerate(_PLACES):
        text += f"  - {{source: KCDP, place: '{place}', amount: {2 * (100 + 7 * k)}}}\n"
    rule = f"{{id: floor, each: place, per: baseline, min: {number}, text: Mỗi nơi giữ đủ}}"
    data = dataset(cells=cells, absorption=absorbing(cells), vintage="34")
    return data, f"{text}rules:\n  - {rule}\n"
