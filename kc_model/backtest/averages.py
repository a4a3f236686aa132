"""Averages of a backtest's rows."""

from __future__ import annotations

import numpy as np
import pandas as pd

from kc_model import reference
from kc_model.backtest.past import KEYS
from kc_model.backtest.rivals import LEG, RIVALS
from kc_model.backtest.scores import SCORES

__all__ = ["OURS", "SIZES", "averages"]

OURS = "forecast"
"""The forecast's own name among the methods."""

SIZES = ("small", "medium", "large")


def averages(rows: pd.DataFrame) -> pd.DataFrame:
    """Return averages over cells and over sums; see `kc_model.backtest.Backtest.summary`.

    Parameters
    ----------
    rows : DataFrame
        As `Backtest.rows`. By month everything counts; elsewhere only origins at which the year
        had a plan, if there are any: before, it is mostly the plan that is not known.
    """
    planned = rows[rows["planned"]] if rows["planned"].any() else rows
    parts = [
        _averages(planned, "cell", "all"),
        _averages(rows, "cell", "month", "month"),
        _averages(planned, "cell", "size", "size"),
        _averages(planned, "cell", "source", "source"),
        _averages(planned, "all", "total"),
        _averages(rows, "all", "total-month", "month"),
        _averages(planned, "source", "total-source", "source"),
    ]
    return pd.concat(parts, ignore_index=True)


def _averages(rows: pd.DataFrame, level: str, name: str, by: str | None = None) -> pd.DataFrame:
    rows = rows[rows["level"] == level]
    groups = {"": rows} if by is None else {str(key): one for key, one in rows.groupby(by)}
    order = {"size": SIZES, "source": reference.source_order()}.get(by or "", list(groups))
    found = [{"by": name, "group": key, **_average(groups[key])} for key in order if key in groups]
    return pd.DataFrame(found)


def _average(rows: pd.DataFrame) -> dict[str, object]:
    ours = rows[rows["method"] == OURS]
    found: dict[str, object] = {"n": len(ours), "mae": ours["error"].abs().mean()}
    found |= {name: ours[name].mean() for name in ("crps", *SCORES)}
    against = _ratios(rows)
    found |= {f"ratio_{rival}": against.get(rival, np.nan) for rival in RIVALS}
    legs = against[against.index.str.startswith(LEG)].dropna()
    best = legs.idxmax() if len(legs) else ""
    return {
        **found,
        "ratio_best": legs.max() if len(legs) else np.nan,
        "best": str(best).removeprefix(LEG),
    }


def _ratios(rows: pd.DataFrame) -> pd.Series:
    """Return our mean absolute error over each method's, on the rows it has (0/0 is 1)."""
    wide = rows.assign(error=rows["error"].abs()).pivot_table(
        index=["year", "month", *KEYS], columns="method", values="error"
    )
    there = wide.notna()
    ours = there.mul(wide[OURS], axis=0).sum()
    theirs = wide.sum()
    ratio = ours / theirs.where(theirs > 0)
    return ratio.mask((theirs == 0) & (ours == 0), 1.0)
