"""One row per line of the report, this year and a year before, and its sums at every level."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from kc_model import reference
from kc_model.export import RATIOS
from kc_model.money import MILLION
from kc_model.results import Forecast
from kc_model.tables import KEYS, Dataset, grouped, history_of, in_order

__all__ = ["MONEY", "STATUSES", "add_levels", "find_lines"]

STATUSES = ("estimate", "reported", "settled")
"""The standings a figure can have, from the least certain to the most."""

_NEWEST = ("registered", "released", "advanced", "carried", "outputs_plan")
_REPORTED = ("plan", *_NEWEST, "disbursed", "outputs")


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
    recent = data.history["year"].isin((outlook.year - 1, outlook.year))
    history = history_of(data, recent, _REPORTED)
    now = history[(history["year"] == outlook.year) & (history["month"] <= outlook.as_of)]
    before = history[history["year"] == outlook.year - 1]
    now = now[now[list(_REPORTED)].notna().any(axis=1)]
    keys = pd.concat([outlook.cells[KEYS], now[KEYS]]).drop_duplicates()
    frame = in_order(keys, KEYS, data.vintage).reset_index(drop=True)
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
    expected = np.rint(outlook.draws.mean(0) * MILLION).astype(np.int64)
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


# --- levels ---------------------------------------------------------------------------------------


_LEVELS = {
    "cell": KEYS,
    "source_activity": ["source", "area", "activity"],
    "source_area": ["source", "area"],
    "source_place": ["source", "place"],
    "place": ["place"],
    "area": ["area"],
    "source": ["source"],
    "region": ["region"],
    "all": [],
}
_LABELS = ["place", "area", "activity", "source", "region"]
_SUMMED = [
    *("plan_first", "plan", "plan_last_year", "registered", "released", "advanced", "carried"),
    *("disbursed", *(f"disbursed_{status}" for status in STATUSES), "last_year"),
    *("pace", "pace_needed", "expected", "unspent"),
]
_OUTPUTS = ["outputs_plan", "outputs", "outputs_last_year"]
_RANGES = {"lower_80": 0.1, "upper_80": 0.9, "lower_95": 0.025, "upper_95": 0.975}  # quantiles
_UNSPENT = {"unspent_lower_80": 0.1, "unspent_upper_80": 0.9}
_SHARES = (80, 90, 100)
_COUNTS = {"planned": "plan", "reported": "disbursed", "forecast": "expected"}
_COUNTED = ["n_cells", *(f"n_{name}" for name in (*_COUNTS, "compared", "late"))]

Pairs = dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]

MONEY = [*_SUMMED, *_RANGES, *_UNSPENT]
"""The columns of money."""


def add_levels(
    lines: pd.DataFrame, draws: NDArray[np.float64], as_of: int, vintage: str
) -> pd.DataFrame:
    """Return the lines and their sums at every level; see `Progress.rows`.

    Parameters
    ----------
    lines : DataFrame
        As `find_lines` gives them.
    draws : array (n_draws, n_lines), float64, million VND
        Year-end of every line; NaN where there is no forecast.
    as_of : int
        Last month known.
    vintage : {"63", "34"}
        Of the places.
    """
    has_money = lines["plan"].notna() | lines["disbursed"].notna()
    standing = lines["status"].mask(lines["status"] == "", "reported")  # where it is not told
    rank = standing.map(STATUSES.index).astype("Int64").mask(lines["disbursed"].isna())
    lines = lines.assign(
        n_cells=has_money.astype("int64"),
        n_late=lines["month"].lt(as_of).fillna(value=False).astype("int64"),
        n_compared=(lines["disbursed"].notna() & lines["last_year"].notna()).astype("int64"),
        **{f"n_{name}": lines[column].notna().astype("int64") for name, column in _COUNTS.items()},
        **{
            f"disbursed_{status}": lines["disbursed"].where(standing == status)
            for status in STATUSES
        },
        rank=rank,
        kind=pd.factorize(lines["area"] + "|" + lines["activity"])[0],
    )
    pairs = _pairs(lines)
    parts = [_level(lines, draws, pairs, level, vintage) for level in _LEVELS]
    return pd.concat(parts, ignore_index=True)


def _level(
    lines: pd.DataFrame, draws: NDArray[np.float64], pairs: Pairs, level: str, vintage: str
) -> pd.DataFrame:
    """Return one level: a row per group, in official order."""
    by = _LEVELS[level]
    labels, group = grouped(lines, by, vintage)
    groups = lines.groupby(group, sort=True)
    shared = ["month", "rank", "kind"]
    first, last = groups[shared].min(), groups[shared].max()
    is_one = (first == last).fillna(value=False)
    sums = groups[[*_COUNTED, *_SUMMED, *_OUTPUTS]].sum(min_count=1)
    sums[_OUTPUTS] = sums[_OUTPUTS].where(is_one["kind"])
    status = first["rank"].map(dict(enumerate(STATUSES))).where(is_one["rank"], "mixed")
    frame = labels.assign(
        level=level,
        **sums[_COUNTED],
        month=first["month"].where(is_one["month"]),
        status=status.where(first["rank"].notna(), "").astype("str"),
        **sums[[*_SUMMED, *_OUTPUTS]],
        **_ratios(pairs, group, is_one["kind"].to_numpy(dtype=bool)),
        **_spread(lines, draws, group),
        basis=lines["basis"] if level == "cell" else "",
    )
    if level == "region":
        frame["place"] = frame["region"]
    elif "place" in by:
        frame["region"] = groups["region"].first()
    frame = frame.assign(**{name: "" for name in _LABELS if name not in frame})
    return frame[["level", *_LABELS, *frame.columns.difference(["level", *_LABELS], sort=False)]]


def _pairs(lines: pd.DataFrame) -> Pairs:
    """Return what each ratio divides by what, line by line, zero where one of the two is missing.

    Whole đồng up to 2^53 add up exactly in floating point.
    """
    found = {}
    for name, pair in RATIOS.items():
        numbers = lines[[*pair]].astype("Float64").to_numpy(dtype=np.float64, na_value=np.nan)
        both = np.where(np.isfinite(numbers).all(1, keepdims=True), numbers, 0.0)
        found[name] = (both[:, 0], both[:, 1])
    return found


def _ratios(
    pairs: Pairs, group: NDArray[np.intp], is_alike: NDArray[np.bool_]
) -> dict[str, NDArray[np.float64]]:
    found = {}
    for name, pair in pairs.items():
        above, below = (np.bincount(group, part, minlength=len(is_alike)) for part in pair)
        is_known = (below > 0) & (is_alike | (not name.startswith("outputs")))
        found[name] = np.divide(above, below, out=np.full(len(below), np.nan), where=is_known)
    return found


def _spread(
    lines: pd.DataFrame, draws: NDArray[np.float64], group: NDArray[np.intp]
) -> dict[str, pd.Series]:
    """Return ranges and chances of sums of draws, over the lines that have a forecast."""
    known = np.isfinite(draws).all(0) & lines["plan"].notna().to_numpy()
    order = np.flatnonzero(known)[np.argsort(group[known], kind="stable")]
    found, starts = np.unique(group[order], return_index=True)
    plan = lines["plan"].to_numpy(dtype=np.float64, na_value=np.nan)[order] / MILLION
    columns: dict[str, NDArray[np.float64]] = {}
    if len(order):
        total = np.add.reduceat(draws[:, order], starts, axis=1)
        unspent = np.add.reduceat(np.maximum(0.0, plan - draws[:, order]), starts, axis=1)
        for names, values in ((_RANGES, total), (_UNSPENT, unspent)):
            at = np.quantile(values, list(names.values()), axis=0)
            columns |= dict(zip(names, np.rint(at * MILLION), strict=True))
        planned = np.add.reduceat(plan, starts)
        room = 1e-9 * np.maximum(1.0, planned)
        for share in _SHARES:
            chance = (total >= share / 100 * planned - room).mean(0)
            columns[f"probability_{share}"] = np.where(planned > 0, chance, np.nan)
    n_groups = range(int(group.max(initial=-1)) + 1)
    empty = dict.fromkeys([*_RANGES, *_UNSPENT, *(f"probability_{s}" for s in _SHARES)], np.nan)
    series = {
        name: pd.Series(values, index=found).reindex(n_groups)
        for name, values in ({**empty, **columns}).items()
    }
    return {name: s.astype("Int64") if name in MONEY else s for name, s in series.items()}
