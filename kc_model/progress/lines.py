"""One row per line of the report: everything known of a cell this year and a year before."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from kc_model import reference
from kc_model.results import Forecast
from kc_model.tables import Dataset

__all__ = ["KEYS", "STATUSES", "find_lines", "history_of", "in_order"]

KEYS = ["place", "area", "activity", "source"]
"""What identifies a cell within a year."""

STATUSES = ("estimate", "reported", "settled")
"""The standings a figure can have, from the least certain to the most."""

_NEWEST = ("registered", "released", "advanced", "carried", "outputs_plan")
_REPORTED = ("plan", *_NEWEST, "disbursed", "outputs")
_MILLION = 1_000_000


def history_of(data: Dataset, years: Sequence[int]) -> pd.DataFrame:
    """Return the history of some years in the dataset's places, months in order."""
    keys = ["year", "month", *KEYS]
    rows = data.history[data.history["year"].isin(years)]
    rows = rows[[*keys, *_REPORTED, "status", "vintage"]]
    rows = reference.to_vintage(
        rows, data.vintage, given=data.vintage, keys=keys, sums=list(_REPORTED)
    )
    return rows.sort_values(keys, kind="stable", ignore_index=True)


def find_lines(data: Dataset, outlook: Forecast) -> pd.DataFrame:
    """Return every cell that has a plan, a forecast or any figure this year, in official order.

    Returns
    -------
    DataFrame
        place, area, activity, source, region, basis, status (text); money (Int64 VND): plan_first,
        plan, plan_last_year, registered, released, advanced, carried, disbursed, last_year, pace,
        pace_needed, expected, unspent; month of the newest disbursement (Int64); outputs_plan,
        outputs, outputs_last_year (float64). Missing is <NA> or NaN.
    """
    history = history_of(data, (outlook.year - 1, outlook.year))
    now = history[(history["year"] == outlook.year) & (history["month"] <= outlook.as_of)]
    before = history[history["year"] == outlook.year - 1]
    now = now[now[list(_REPORTED)].notna().any(axis=1)]
    keys = pd.concat([outlook.cells[KEYS], now[KEYS]]).drop_duplicates()
    frame = in_order(keys, KEYS, data.vintage)
    groups = now.groupby(KEYS, sort=False)
    planned = before.groupby(KEYS, sort=False)["plan"].last()
    done, volume = _newest(now, "disbursed"), _newest(now, "outputs")
    for part in (
        groups["plan"].first().rename("plan_first"),
        groups[["plan", *_NEWEST]].last(),
        planned.rename("plan_last_year"),
        done.set_index(KEYS)[["disbursed", "month", "status"]],
        _same_month(done, before, "disbursed", "last_year"),
        volume.set_index(KEYS)["outputs"],
        _same_month(volume, before, "outputs", "outputs_last_year"),
        _forecast(outlook).set_index(KEYS),
    ):
        frame = frame.merge(part, how="left", left_on=KEYS, right_index=True)
    frame["plan"] = frame["forecast_plan"].fillna(frame["plan"])
    frame = frame.fillna({"status": "", "basis": ""}).drop(columns="forecast_plan")
    region = {code: reference.region_of(code, data.vintage) for code in frame["place"].unique()}
    return _paced(frame.assign(region=frame["place"].map(region).astype("str")), outlook)


def in_order(frame: pd.DataFrame, by: Sequence[str], vintage: str) -> pd.DataFrame:
    """Return rows in official order of their codes; activities by name, "" last of all."""
    places = [*reference.place_order(vintage), ""]
    orders = {
        "place": places,
        "region": places,
        "area": reference.area_order(),
        "source": reference.source_order(),
    }

    def rank(codes: pd.Series) -> pd.Series:
        order = orders.get(str(codes.name))
        return codes if order is None else codes.map(order.index)

    return frame.sort_values(list(by), kind="stable", key=rank, ignore_index=True)


def _newest(rows: pd.DataFrame, column: str) -> pd.DataFrame:
    """Return the newest known figure of every cell with its month and standing."""
    known = rows[rows[column].notna()].drop_duplicates(KEYS, keep="last")
    return known[[*KEYS, column, "month", "status"]].reset_index(drop=True)


def _same_month(newest: pd.DataFrame, before: pd.DataFrame, column: str, name: str) -> pd.Series:
    """Return the figure of the same month a year before; missing where that month has none."""
    keys = [*KEYS, "month"]
    found = newest[keys].merge(before[[*keys, column]], how="left", on=keys)
    return found.set_index(KEYS)[column].rename(name)


def _forecast(outlook: Forecast) -> pd.DataFrame:
    expected = np.rint(outlook.draws.mean(0) * _MILLION).astype(np.int64)
    frame = outlook.cells[[*KEYS, "plan", "basis"]].rename(columns={"plan": "forecast_plan"})
    return frame.assign(expected=pd.array(expected, dtype="Int64"))


def _paced(frame: pd.DataFrame, outlook: Forecast) -> pd.DataFrame:
    """Add the month's mean so far, what each month needs from now on, and what stays unspent."""
    is_before = outlook.as_of == 0  # nothing can have been spent yet
    spent = frame["disbursed"].fillna(0) if is_before else frame["disbursed"]
    left = (frame["plan"] - spent).clip(lower=0)
    months = outlook.year_end - outlook.as_of
    needed = left.astype("Float64") / (months or pd.NA)
    pace = frame["disbursed"].astype("Float64") / frame["month"].astype("Float64")
    return frame.assign(
        pace=pace.round().astype("Int64"),
        pace_needed=needed.round().astype("Int64"),
        unspent=(frame["plan"] - frame["expected"]).clip(lower=0),
    )
