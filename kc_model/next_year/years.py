"""The years before as one row per source, region and year."""

from __future__ import annotations

import pandas as pd

from kc_model import reference
from kc_model.tables import KEYS, Dataset, history_of, in_order

__all__ = ["SERIES", "known_rows", "yearly"]

SERIES = ["source", "region"]
"""What identifies a series."""

_REPORTED = 0.9  # share of the plan whose year-end must be known for a year to count


def known_rows(data: Dataset, year: int, as_of: int | None) -> pd.DataFrame:
    """Return what was known then, in the dataset's places, months in order."""
    rows = data.history
    last = rows["year"].eq(year - 1) & rows["month"].le(13 if as_of is None else as_of)
    return history_of(data, rows["year"].lt(year - 1) | last, ["plan", "disbursed"])


def yearly(rows: pd.DataFrame, vintage: str, year_end: int, newest: int) -> pd.DataFrame:
    """Return one row per source, region and year; see `NextYear.history`.

    Completion compares the cells that report the year-end with their own plan, and counts where
    they hold at least nine tenths of the plan. A year whose cells tell their plan only once tells
    nothing of adjustments; neither does an unfinished one.
    """
    cell = ["year", *KEYS]
    told = rows[rows["plan"].notna()].groupby(cell, sort=False)["plan"]
    cells = told.agg(plan_first="first", plan="last", n_told="count").reset_index()
    ended = rows.loc[rows["month"].eq(year_end) & rows["disbursed"].notna(), [*cell, "disbursed"]]
    cells = cells.merge(ended.rename(columns={"disbursed": "outturn"}), how="left", on=cell)
    outturn = cells["outturn"].mask(cells["outturn"].isna() & cells["plan"].eq(0), 0)
    cells = cells.assign(
        region=_regions(cells["place"], vintage),
        outturn=outturn,
        matched=cells["plan"].where(outturn.notna(), 0),
        n_cells=1,
        n_reported=outturn.notna().astype("int64"),
    )
    sums = ["plan_first", "plan", "outturn", "matched", "n_cells", "n_reported"]
    groups = cells.groupby([*SERIES, "year"])
    years = groups[sums].sum().reset_index()
    amounts = years[["plan_first", "plan", "outturn", "matched"]].astype("float64")
    counts = (amounts["plan"] > 0) & (amounts["matched"] >= _REPORTED * amounts["plan"])
    is_open = years["year"].eq(newest) & ~counts
    is_told = (groups["n_told"].max() > 1).to_numpy() & ~is_open & (amounts["plan_first"] > 0)
    years["completion"] = amounts["outturn"] / amounts["matched"].where(counts)
    years["adjustment"] = amounts["plan"] / amounts["plan_first"].where(is_told)
    years["outturn"] = years["outturn"].where(years["n_reported"] == years["n_cells"])
    years = years.drop(columns="matched")
    return in_order(years, [*SERIES, "year"], vintage).reset_index(drop=True)


def _regions(places: pd.Series, vintage: str) -> pd.Series:
    """Return the region of every place; central units and the whole country stand by themselves."""
    region = {code: reference.region_of(code, vintage) or code for code in places.unique()}
    return places.map(region).astype("str")
