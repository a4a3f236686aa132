"""What was known at a date in the past, and what came of it."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from kc_model import reference
from kc_model.money import MILLION
from kc_model.tables import KEYS, SCHEMAS, Dataset, Kind, empty_table

__all__ = ["in_one_vintage", "known", "year_ends"]


def known(data: Dataset, year: int, month: int) -> Dataset:
    """Return the dataset as it stood at the end of a month: nothing later is left in it.

    Later months and years go, and, before the end of January, last year's settlement (month 13),
    which ends then. Tables that carry no date (cells, absorption, draws, projects, evidence) go
    too, since nobody can say when they were written. What the history says of a month is taken for
    what was said then: an estimate that was overwritten since cannot be brought back.

    Parameters
    ----------
    year, month : int
        0: the end of the year before.
    """
    rows = data.history
    settled = rows["year"].eq(year - 1) & rows["month"].eq(13) & (month == 0)
    before = rows["year"].lt(year) & ~settled
    past = rows[before | (rows["year"].eq(year) & rows["month"].le(month))]
    tables = {name: empty_table(name) for name in SCHEMAS} | {"places": data.places}
    return replace(data, tables=tables | {"history": past.reset_index(drop=True)}, origins={})


def in_one_vintage(data: Dataset) -> Dataset:
    """Return the dataset with the places of its history in its own vintage."""
    rows = data.history
    if rows["vintage"].isin(["", data.vintage]).all():
        return data
    schema = SCHEMAS["history"]
    sums = [c.name for c in schema.columns if c.kind in (Kind.MONEY, Kind.NUMBER)]
    rows = reference.to_vintage(rows, data.vintage, data.vintage, keys=schema.key, sums=sums)
    return replace(data, tables={**data.tables, "history": rows}, origins={})


def year_ends(history: pd.DataFrame) -> pd.DataFrame:
    """Return what every cell and year came to by months 12 and 13, and its last plan, in million.

    Estimates are no year-end.
    """
    rows = history[history["disbursed"].notna() & history["status"].ne("estimate")]
    ends = rows[rows["month"].isin([12, 13])]
    wide = ends.pivot_table(index=["year", *KEYS], columns="month", values="disbursed")
    planned = history[history["plan"].notna()].sort_values("month", kind="stable")
    plan = planned.groupby(["year", *KEYS])["plan"].last()
    both = wide.reindex(columns=[12, 13]).join(plan)
    return both.astype("float64") / MILLION
