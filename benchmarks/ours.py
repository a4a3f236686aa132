"""Our forecasts of the public sets, through the public interface only."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

import kc_model as kc
from benchmarks.public import (
    MONTHS,
    Actions,
    Panel,
    actions_dataset,
    as_dataset,
    minas_gerais,
    minas_gerais_actions,
    paraiba,
    vietnam,
)
from kc_model.backtest import score

__all__ = ["cold", "of_panel", "ours", "vietnamese"]

_KEYS = ["place", "area", "activity", "source"]
_MILLION = 1e6


def ours(folder: Path, *, draws: int = 1000) -> pd.DataFrame:
    """Return every forecast we make of the Brazilian sets, scored.

    Returns
    -------
    DataFrame
        set (MG, PB, PB late, cold), year, month, unit, method ("kc_model"), actual (million BRL)
        and the columns of `kc_model.backtest.score`, with ``median`` (million BRL).
    """
    panels = (minas_gerais(folder), paraiba(folder), paraiba(folder, late=True))
    parts = [of_panel(panel, draws=draws) for panel in panels]
    return pd.concat([*parts, cold(minas_gerais_actions(folder), draws=draws)], ignore_index=True)


def of_panel(panel: Panel, *, draws: int = 1000) -> pd.DataFrame:
    """Return our forecasts of one panel at each month of its tested years."""
    parts = []
    for year in panel.tested:
        at = panel.years.index(year)
        for month in MONTHS:
            data = as_dataset(panel, year, month)
            cells = data.history[_KEYS].drop_duplicates()
            outlook = kc.forecast(data, year, month, cells=cells, draws=draws)
            order = outlook.cells[_KEYS].merge(cells.reset_index(drop=True).reset_index())["index"]
            actual, plan = (
                money[order, at] / _MILLION for money in (panel.paths[:, :, -1], panel.denominator)
            )
            parts.append(
                _scored(outlook, actual, plan).assign(
                    set=panel.name, year=year, month=month, unit=np.asarray(panel.units)[order]
                )
            )
    return pd.concat(parts, ignore_index=True)


def _scored(outlook: kc.Forecast, actual: np.ndarray, plan: np.ndarray) -> pd.DataFrame:
    frame = score(outlook.draws, actual, plan)
    median = np.median(outlook.draws, axis=0)
    return frame.assign(method="kc_model", actual=actual, plan=plan, median=median)


def cold(actions: Actions, *, draws: int = 1000) -> pd.DataFrame:
    """Return our forecasts of actions without any history, each fold from the other folds."""
    parts = []
    for month in MONTHS:
        for fold in np.unique(actions.fold):
            data = actions_dataset(actions, int(fold), month)
            outlook = kc.forecast(data, 2023, month, draws=draws)
            order = outlook.cells["activity"].astype(int).to_numpy()
            actual, plan = (
                money[order] / _MILLION for money in (actions.paths[:, -1], actions.plan)
            )
            frame = _scored(outlook, actual, plan)
            parts.append(frame.assign(set="cold", year=2023, month=month, unit=order.astype(str)))
    return pd.concat(parts, ignore_index=True)


def vietnamese(folder: Path, *, draws: int = 1000) -> pd.DataFrame:
    """Return our forecasts of Viet Nam's public investment, at the months published.

    Returns
    -------
    DataFrame
        year, month, spent, expected, lower_80, upper_80, actual (NaN: not known yet), linear: in
        per cent of the plan.
    """
    data = vietnam(folder)
    rows = []
    for year, month, spent in data.history[["year", "month", "disbursed"]].itertuples(index=False):
        if year < 2022 or month > 12:
            continue
        known = data.history[
            (data.history["year"] < year)
            | ((data.history["year"] == year) & (data.history["month"] <= month))
        ]
        final = data.history.query("year == @year and month == 13")["disbursed"]
        past = kc.Dataset(
            data.title, data.vintage, data.unit, False, (), {**data.tables, "history": known}
        )
        outlook = kc.forecast(past, year, month, draws=draws)
        lower, upper = np.quantile(outlook.draws[:, 0], (0.1, 0.9)) / 1000
        rows.append(
            {
                "year": year,
                "month": month,
                "spent": spent / 1e9,
                "linear": min(spent / 1e9 * 12 / month, 100.0),
                "expected": outlook.draws.mean() / 1000,
                "lower_80": lower,
                "upper_80": upper,
                "actual": final.iloc[0] / 1e9 if len(final) else np.nan,
            }
        )
    return pd.DataFrame(rows)
