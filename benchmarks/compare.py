"""Ours and the peers on one footing: ranges from earlier errors, tables, ratios, bootstrap."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from kc_model.backtest import crps

__all__ = ["PUBLISHED", "across", "averages", "calibrated", "cells", "points_scored"]

_POINTS = 100
_OURS = "kc_model"
_FROM = {"MG": 2012, "PB": 2014}
"""First year whose ranges are compared: four (MG) and one (PB) earlier years give the errors."""

PUBLISHED = {
    ("MG", 3): 4.17,
    ("MG", 6): 3.63,
    ("MG", 9): 2.90,
    ("PB", 3): 9.97,
    ("PB", 6): 7.64,
    ("PB", 9): 5.60,
}
"""Error of the best single peer of each cell as published for this protocol, points."""


def points_scored(points: pd.DataFrame, truth: pd.DataFrame) -> pd.DataFrame:
    """Return the peers' points with what came and their error.

    Parameters
    ----------
    points : DataFrame
        set, year, month, unit, method, point: of `benchmarks.peers`.
    truth : DataFrame
        set, year, month, unit, actual, plan (the denominator), before (last year's outturn), spent.
    """
    both = points.merge(truth, on=["set", "year", "month", "unit"], validate="many_to_one")
    return both.assign(error=(both["point"] - both["actual"]) / both["plan"])


def calibrated(peers: pd.DataFrame, *, both_ways: bool = False) -> pd.DataFrame:
    """Return every peer's scores with ranges made from its own earlier errors.

    An error counts in shares of the outturn of the year before it, pooled over units, month by
    month; the range at a level is the point and the earlier errors' quantiles by the (n + 1) rule,
    the CRPS that of the point and all earlier errors; nothing falls below what is spent.

    Parameters
    ----------
    peers : DataFrame
        As `points_scored` returns it.
    both_ways : bool
        Whether every error also counts with its sign turned (a range without a lean). Default: as
        it was.
    """
    parts = []
    for (name, _, _), one in peers.groupby(["set", "method", "month"]):
        for year in sorted(one.loc[one["year"] >= _FROM[name], "year"].unique()):
            past, now = one[one["year"] < year], one[one["year"] == year]
            errors = ((past["actual"] - past["point"]) / past["before"]).to_numpy()
            errors = errors[np.isfinite(errors)]
            errors = np.r_[errors, -errors] if both_ways else errors
            parts.append(_ranged(now, errors))
    return pd.concat(parts, ignore_index=True)


def _ranged(now: pd.DataFrame, errors: np.ndarray) -> pd.DataFrame:
    point, scale, spent, actual, plan = (
        now[name].to_numpy() for name in ("point", "before", "spent", "actual", "plan")
    )
    draws = np.maximum(point + np.sort(errors)[:, None] * scale, spent)
    frame = {"crps": crps(draws, actual) / plan}
    n_errors = len(errors)
    for level, tail in ((80, 0.1), (95, 0.025)):
        low = max(int(np.floor((n_errors + 1) * tail)), 1) - 1
        lower, upper = draws[low], draws[n_errors - 1 - low]
        frame[f"inside_{level}"] = (actual >= lower - 1e-6) & (actual <= upper + 1e-6)
        frame[f"width_{level}"] = (upper - lower) / plan
    return now.assign(**frame)


def averages(scored: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """Return means by method, set and month ("all": over the months), in points or per cent.

    Parameters
    ----------
    scored : DataFrame
        set, method, month, error and `columns` but for ``mae``, as shares.
    columns : sequence of str
    """
    names = ["method", "set", "month"]
    frame = scored.assign(mae=scored["error"].abs(), month=scored["month"].astype(str))
    both = pd.concat([frame, frame.assign(month="all")])[[*names, *columns]]
    table = both.groupby(names, sort=False)[list(columns)].mean() * _POINTS
    return table.round(2).reset_index()


def across(table: pd.DataFrame, column: str) -> pd.DataFrame:
    """Return one column of `averages`: methods down, set and month across."""
    return table.pivot_table(index="method", columns=["set", "month"], values=column)


def cells(scored: pd.DataFrame, *, n_boot: int = 2000, seed: int = 0) -> pd.DataFrame:
    """Return our error beside the best single peer's in every set and month.

    Parameters
    ----------
    scored : DataFrame
        set, year, month, unit, method, error: ours ("kc_model") and the peers', on the same rows.

    Returns
    -------
    DataFrame
        set, month, ours, best (points), peer, ratio, with its 90 % interval: years are drawn again
        with replacement, the peer kept; a set tested in fewer than five years draws units instead.
        published: the ratio to the best peer as published.
    """
    random = np.random.default_rng(seed)
    rows = []
    for (name, month), one in scored.groupby(["set", "month"]):
        wide = one.assign(error=one["error"].abs()).pivot_table(
            index=["year", "unit"], columns="method", values="error"
        )
        wide = wide.dropna()
        average = wide.mean() * _POINTS
        best = average.drop(index=_OURS).idxmin()
        by = "year" if one["year"].nunique() >= 5 else "unit"
        sums = wide[[_OURS, best]].groupby(level=by).sum().to_numpy()
        drawn = random.integers(0, len(sums), (n_boot, len(sums)))
        again = sums[drawn].sum(axis=1)
        low, high = np.quantile(again[:, 0] / again[:, 1], (0.05, 0.95))
        rows.append(
            {
                "set": name,
                "month": month,
                "n": len(wide),
                "ours": average[_OURS],
                "best": average[best],
                "peer": best,
                "ratio": average[_OURS] / average[best],
                "low_90": low,
                "high_90": high,
                "drawn": by,
                "published": average[_OURS] / PUBLISHED[name, month],
            }
        )
    return pd.DataFrame(rows)
