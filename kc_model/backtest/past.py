"""What was known at a date in the past, what came of it, and how far draws fell from that."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from kc_model import reference
from kc_model.tables import SCHEMAS, Dataset, Kind, empty_table

__all__ = [
    "KEYS",
    "MILLION",
    "SCORES",
    "Floats",
    "crps",
    "in_one_vintage",
    "known",
    "score",
    "year_ends",
]

KEYS = ["place", "area", "activity", "source"]
"""Keys of a cell within a year."""

MILLION = 1e6
"""VND in the unit of the scores."""


def known(data: Dataset, year: int, month: int) -> Dataset:
    """Return the dataset as it stood at the end of a month: nothing later is left in it.

    Later months and years go, and, before the end of January, last year's settlement (month 13),
    which ends then. Tables that carry no date (cells, absorption, draws, projects, evidence) go
    too, since nobody can say when they were written. What the history says of a month is taken for
    what was said then: an estimate that was overwritten since cannot be brought back.

    Parameters
    ----------
    data : Dataset
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


# --- scores ---------------------------------------------------------------------------------------


Floats = NDArray[np.float64]

_LEVELS = {80: (0.1, 0.9), 95: (0.025, 0.975)}
_DONG = 1e-6
"""One đồng in million VND: a range reaches what lies no further outside."""

SCORES = [f"{what}_{level}" for what in ("inside", "width") for level in _LEVELS]
"""Columns that only a method with ranges has."""


def crps(draws: Floats, actual: Floats) -> Floats:
    r"""Return the continuous ranked probability score of draws, exactly, in their unit.

    .. math:: \frac1n \sum_i |x_i - y| - \frac{1}{2 n^2} \sum_{i,j} |x_i - x_j|

    Of a single value it is the absolute error.

    Parameters
    ----------
    draws : array (n_draws, ...)
    actual : array (...)

    References
    ----------
    Gneiting and Raftery, "Strictly proper scoring rules", JASA 102 (2007), eq. 21.
    """
    n_draws = len(draws)
    ranks = (2.0 * np.arange(1, n_draws + 1) - n_draws - 1) / n_draws**2
    spread = np.tensordot(ranks, np.sort(draws, axis=0), axes=1)
    return np.asarray(np.abs(draws - actual).mean(axis=0) - spread, dtype=np.float64)


def score(draws: Floats, actual: Floats, plan: Floats) -> pd.DataFrame:
    """Return how far draws of the year-end fell from what came, in shares of the plan.

    Parameters
    ----------
    draws : array (n_draws, n_units), million VND
    actual, plan : array (n_units,), million VND

    Returns
    -------
    DataFrame
        One row per unit: expected (million VND), error (expected less actual), crps, and for 80 and
        95 % whether the range held the outcome (``inside_80``: 1 or 0) and its ``width_80``;
        errors, scores and widths as shares of `plan`.
    """
    expected = draws.mean(axis=0)
    frame = {"expected": expected, "error": (expected - actual) / plan}
    frame["crps"] = crps(draws, actual) / plan
    for level, shares in _LEVELS.items():
        lower, upper = np.quantile(draws, shares, axis=0)
        slack = np.maximum(_DONG, 1e-9 * np.abs(actual))
        inside = (actual >= lower - slack) & (actual <= upper + slack)
        frame[f"inside_{level}"] = inside.astype(np.float64)
        frame[f"width_{level}"] = (upper - lower) / plan
    return pd.DataFrame(frame)
