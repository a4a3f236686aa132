"""What the forecast is compared with: plain rules and its own single methods; and how it fares."""

from __future__ import annotations

import numpy as np
import pandas as pd

from kc_model import reference
from kc_model.backtest.scores import SCORES, Floats
from kc_model.money import MILLION
from kc_model.results import Forecast
from kc_model.tables import KEYS

__all__ = ["LEG", "OURS", "RIVALS", "SIZES", "averages", "legs", "rivals"]

RIVALS = ("linear", "pace", "completion")
"""Rules of thumb: so much a month as so far; last year's share at the same month; last year's
completion of the plan."""

LEG = "leg:"
"""What stands before the name of a single method."""


def rivals(history: pd.DataFrame, outlook: Forecast) -> dict[str, Floats]:
    """Return what plain rules would have said of every cell, million VND.

    A cell without last year's figures takes its source's; before the year nothing has a pace.
    """
    cells = outlook.cells
    plan, spent = (
        cells[column].to_numpy(dtype=np.float64, na_value=np.nan) / MILLION
        for column in ("plan", "disbursed")
    )
    top = np.fmax(np.where(np.isnan(plan), np.inf, plan), spent)
    share, completion = _last_year(history, cells, outlook.year, outlook.as_of)
    month = outlook.as_of or np.nan
    said = {"linear": spent * 12.0 / month, "completion": plan * completion}
    said["pace"] = spent / np.where(share > 0, share, np.nan) if outlook.as_of else spent * np.nan
    return {name: np.clip(said[name], np.nan_to_num(spent), top) for name in RIVALS}


def _last_year(
    history: pd.DataFrame, cells: pd.DataFrame, year: int, month: int
) -> tuple[Floats, Floats]:
    """Return last year's share at the same month, and its completion, of cells or else sources."""
    rows = history[history["year"].eq(year - 1)].sort_values("month", kind="stable")
    early = rows[rows["month"].le(month)]
    money = pd.DataFrame(
        {
            "early": early.groupby(KEYS)["disbursed"].last(),
            "final": rows.groupby(KEYS)["disbursed"].last(),
            "plan": rows.groupby(KEYS)["plan"].last(),
        }
    ).astype("float64")
    of_source = money.groupby(level="source").sum()
    own = money.reindex(pd.MultiIndex.from_frame(cells[KEYS])).reset_index(drop=True)
    theirs = of_source.reindex(cells["source"]).reset_index(drop=True)
    both = []
    for part, whole in (("early", "final"), ("final", "plan")):
        found = [one[part] / one[whole].where(one[whole] > 0) for one in (own, theirs)]
        usable = found[0].where(found[0] > 0) if part == "early" else found[0]
        both.append(usable.fillna(found[1]).to_numpy(dtype=np.float64))
    return both[0], both[1]


def legs(outlook: Forecast) -> dict[str, Floats]:
    """Return what every single method of the forecast says of every cell, million VND.

    NaN where a method has nothing to say of a cell.
    """
    told = getattr(outlook, "legs", None)
    if told is None or told.empty:
        return {}
    cells = pd.MultiIndex.from_frame(outlook.cells[KEYS])
    wide = told.pivot_table(index=KEYS, columns="leg", values="expected").reindex(cells)
    return {f"{LEG}{name}": wide[name].to_numpy(dtype=np.float64) for name in wide}


# --- averages -------------------------------------------------------------------------------------


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
