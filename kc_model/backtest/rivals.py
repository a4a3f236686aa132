"""What the forecast is compared with: plain rules of thumb, and its own single methods."""

from __future__ import annotations

import numpy as np
import pandas as pd

from kc_model.backtest.past import KEYS, MILLION
from kc_model.backtest.scores import Floats
from kc_model.results import Forecast

__all__ = ["LEG", "RIVALS", "legs", "rivals"]

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
