"""What was known at a date, from long tables to arrays of cells x years x months."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from kc_model import reference
from kc_model.forecast.credibility import Integers
from kc_model.money import MILLION
from kc_model.runoff import Floats, latest, ratio
from kc_model.tables import KEYS, Dataset, history_of, in_order, positions

__all__ = ["Panel", "build_panel"]


@dataclass(frozen=True)
class Panel:
    """Everything a forecast may look at, and nothing later.

    Parameters
    ----------
    cells : DataFrame
        place, area, activity, source, region of every cell, with or without a plan this year, in
        official order.
    wanted : integer array (n_wanted,)
        Rows of `cells` to forecast, rising.
    years : integer array (n_years,)
        Rising; the last is the year to forecast.
    paths : array (n_cells, n_years, n_periods), million VND
        Money disbursed so far by month; NaN = not known. n_periods is the year-end, 12 or 13.
    plan : array (n_cells, n_years), million VND
        The plan in force in the month of this year's newest figures, of each year (the first one
        known of a year that had none by then); NaN = none known.
    last_plan : array (n_cells, n_years), million VND
        The newest plan known of each year.
    by_month : array (n_cells, n_periods), million VND
        The plan in force at the end of each month of this year, as far as known.
    arrival : array (n_cells, n_years)
        Month in which the money of the year first arrived: 1 for in time or not told.
    tranches : array (n_cells, n_years, n_periods + 1)
        Share of each year's plan, as known in this month of it, whose clock started in month 1, 2,
        ... of the year (the last: not within it): when money was released or, where that is not
        told, when the plan was raised.
    released : array (n_cells, n_years, n_periods + 1)
        The same of releases alone; all in the month of arrival where nothing is told.
    told : bool array (n_cells,)
        Whether this year's arrival is known or assumed (else the clock is left alone).
    awaited : bool array (n_cells,)
        Whether the money is reported not to have arrived.
    estimated : bool array (n_cells,)
        Whether this year's newest figure is an estimate.
    unplanned : int
        Cells that report money disbursed this year but no plan.
    unnamed : bool array (n_cells,)
        Cells asked for that this year's reports do not name, though they tell plans and figures of
        others: nothing was assigned there, so nothing is done by then.
        A cell with a row but no figure has not reported.
    baseline : bool
        Whether the plan is an earlier year's, none of this year being known.
    """

    cells: pd.DataFrame
    wanted: Integers
    years: NDArray[np.int64]
    as_of: int
    paths: Floats
    plan: Floats
    last_plan: Floats
    by_month: Floats
    arrival: Floats
    tranches: Floats
    released: Floats
    told: NDArray[np.bool_]
    awaited: NDArray[np.bool_]
    estimated: NDArray[np.bool_]
    unplanned: int
    unnamed: NDArray[np.bool_]
    baseline: bool

    @property
    def n_periods(self) -> int:
        """Return the year-end: 12, or 13 with a settlement period."""
        return int(self.paths.shape[2])

    def codes(self, keys: list[str]) -> tuple[Integers, int]:
        """Return a group number for every cell by the keys given (none: one), and how many."""
        if not keys:
            return np.zeros(len(self.cells), dtype=np.intp), 1
        number, groups = pd.factorize(pd.MultiIndex.from_frame(self.cells[keys]))
        return number.astype(np.intp), len(groups)


def build_panel(
    data: Dataset, year: int, as_of: int, *, arrival: dict[str, int], cells: pd.DataFrame | None
) -> Panel:
    """Return what a dataset knew at the end of month `as_of` of `year`.

    Parameters
    ----------
    arrival : dict
        Month of arrival by source, against whatever the tables say.
    cells : DataFrame or None
        Keys and ``plan`` or ``baseline`` (Int64 VND) of the cells wanted. None: the cells with a
        plan in force, of this year or else of the newest year before; where no plan was ever
        reported, those that spent in the newest earlier year or this one.
    """
    rows = _known(data, year, as_of)
    plans = _plans(rows)
    wanted, baseline = _wanted(rows, plans, year, cells)
    frame = _in_order(pd.concat([wanted[KEYS], rows[KEYS]]), data.vintage)
    years = np.unique(np.r_[rows["year"].to_numpy(dtype=np.int64), year])
    year_end = 13 if _settles(rows, year) else 12
    at = _positions(frame, rows, years)
    shape = (len(frame), len(years), year_end)
    paths = _grid(rows, "disbursed", at, shape)
    released = _grid(rows, "released", at, shape)
    by_month = _in_force(_grid(rows, "plan", at, shape))
    plan = by_month[..., _month_of(paths[:, -1], as_of) - 1].copy()
    rank = frame.reset_index().merge(wanted, on=KEYS)
    unnamed = _unnamed(rank["index"].to_numpy(dtype=np.intp), at, paths, by_month)
    paths[:, -1][np.ix_(unnamed, np.isfinite(paths[:, -1]).any(0))] = 0.0
    plan[rank["index"], -1] = rank["plan"].to_numpy(dtype=np.float64, na_value=np.nan) / MILLION
    clock = _clock(frame, paths, released, arrival, as_of)
    carried = np.nan_to_num(_in_force(_grid(rows, "carried", at, shape))[..., -1])
    came = np.zeros((*shape[:2], year_end + 1))
    tranches = came.copy()
    for t in range(len(years)):
        seen = released[:, t].copy()
        seen[:, as_of:] = np.nan  # of past years too, only what was known by then
        came[:, t] = _released(seen, plan[:, t], carried[:, t], clock[0][:, t], as_of)
        told = clock[1] if t == len(years) - 1 else np.asarray(np.isfinite(seen).any(axis=1))
        tranches[:, t] = _tranches(by_month[:, t], came[:, t], told, as_of)
    has_money = rows[rows["year"].eq(year) & rows["disbursed"].gt(0)][KEYS].drop_duplicates()
    return Panel(
        cells=frame,
        wanted=rank["index"].sort_values().to_numpy(dtype=np.intp),
        years=years,
        as_of=as_of,
        paths=paths,
        plan=plan,
        last_plan=by_month[..., -1],
        by_month=by_month[:, -1],
        arrival=clock[0],
        told=clock[1],
        awaited=clock[2],
        tranches=tranches,
        released=came,
        estimated=_estimated(frame, rows, year),
        unplanned=len(has_money.merge(wanted, how="left", on=KEYS).query("plan.isna()")),
        unnamed=unnamed,
        baseline=baseline,
    )


def _known(data: Dataset, year: int, as_of: int) -> pd.DataFrame:
    """Return the rows of the past, in the dataset's vintage of places."""
    rows = data.history
    past = (rows["year"] < year) | ((rows["year"] == year) & (rows["month"] <= as_of))
    return history_of(data, past, ["plan", "disbursed", "released", "carried"])


def _plans(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the newest known plan of every cell and year."""
    planned = rows[rows["plan"].notna()]
    return planned.groupby(["year", *KEYS], sort=True)["plan"].last().reset_index()


def _wanted(
    rows: pd.DataFrame, plans: pd.DataFrame, year: int, cells: pd.DataFrame | None
) -> tuple[pd.DataFrame, bool]:
    """Return keys and plan of the cells to forecast, and whether the plan is an earlier one."""
    now = plans.loc[plans["year"] == year, [*KEYS, "plan"]]
    newest = plans.loc[plans["year"] == plans["year"].max(), [*KEYS, "plan"]]
    if cells is None and plans.empty:  # no plan was ever reported: whoever spends goes on
        spending = rows[rows["disbursed"].gt(0)]
        before = spending.loc[spending["year"] < year, "year"].max()
        last = spending[spending["year"] >= before]  # none, if nobody spent before
        return last[KEYS].drop_duplicates(KEYS).assign(plan=pd.NA), False
    if cells is None:
        return (now, False) if len(now) else (newest, True)
    chosen = cells.drop_duplicates(KEYS)
    given = pd.Series(pd.NA, index=chosen.index, dtype="Int64")
    for column in ("plan", "baseline"):
        if column in chosen:
            given = given.fillna(chosen[column].astype("Int64"))
    chosen = chosen[KEYS].assign(given=given)
    chosen = chosen.merge(now, how="left", on=KEYS)
    chosen["plan"] = chosen["plan"].fillna(chosen["given"])
    if chosen["plan"].isna().any():
        before = newest.rename(columns={"plan": "before"})
        chosen = chosen.merge(before, how="left", on=KEYS)
        chosen["plan"] = chosen["plan"].fillna(chosen["before"])
        if len(plans):
            chosen["plan"] = chosen["plan"].fillna(0)
    is_planned = "plan" in cells and bool(cells["plan"].notna().any())  # by the caller
    return chosen[[*KEYS, "plan"]], now.empty and len(plans) > 0 and not is_planned


def _in_order(keys: pd.DataFrame, vintage: str) -> pd.DataFrame:
    """Return each cell once, in official order, with its region."""
    frame = in_order(keys.drop_duplicates(), KEYS, vintage).reset_index(drop=True)
    region = {code: reference.region_of(code, vintage) for code in frame["place"].unique()}
    return frame.assign(region=frame["place"].map(region).astype("str"))


def _positions(
    frame: pd.DataFrame, rows: pd.DataFrame, years: NDArray[np.int64]
) -> tuple[Integers, Integers]:
    cell = positions(rows, frame, KEYS)
    return cell, np.searchsorted(years, rows["year"].to_numpy(dtype=np.int64))


def _grid(
    rows: pd.DataFrame, column: str, at: tuple[Integers, Integers], shape: tuple[int, int, int]
) -> Floats:
    grid = np.full(shape, np.nan)
    month = rows["month"].to_numpy(dtype=np.intp)
    inside = month <= shape[2]
    money = rows[column].to_numpy(dtype=np.float64, na_value=np.nan) / MILLION
    grid[at[0][inside], at[1][inside], month[inside] - 1] = money[inside]
    return grid


def _settles(rows: pd.DataFrame, year: int) -> bool:
    """Whether finished years mostly go on to month 13, the settlement period."""
    known = rows[rows["disbursed"].notna()]
    past = known[known["year"] < year]
    past = past if len(past) else known
    ended = past.groupby(["year", *KEYS], sort=False)["month"].max()
    return bool((ended == 13).sum() > 0 and (ended == 13).sum() >= (ended == 12).sum())


def _unnamed(
    wanted: Integers, at: tuple[Integers, Integers], paths: Floats, by_month: Floats
) -> NDArray[np.bool_]:
    """Return the cells wanted that this year has no row of, though it tells plans and figures."""
    found = np.zeros(len(paths), dtype=bool)
    found[wanted] = np.isfinite(paths[:, -1]).any() and np.isfinite(by_month[:, -1]).any()
    found[at[0][at[1] == paths.shape[1] - 1]] = False
    return found


def _month_of(path: Floats, as_of: int) -> int:
    """Return the month this year's newest figures are of; `as_of` without any, at least 1."""
    reported = np.flatnonzero(np.isfinite(path).any(0))
    return max(1, int(reported[-1]) + 1 if reported.size else as_of)


def _in_force(plan: Floats) -> Floats:
    """Return the plan in force at the end of every month: the newest, else the first to come."""
    filled = plan.copy()
    for month in range(1, plan.shape[-1]):
        none = np.isnan(filled[..., month])
        filled[..., month][none] = filled[..., month - 1][none]
    for month in range(plan.shape[-1] - 2, -1, -1):
        none = np.isnan(filled[..., month])
        filled[..., month][none] = filled[..., month + 1][none]
    return filled


def _estimated(frame: pd.DataFrame, rows: pd.DataFrame, year: int) -> NDArray[np.bool_]:
    now = rows[rows["year"].eq(year) & rows["disbursed"].notna()]
    newest = now.groupby(KEYS, sort=False)["status"].last().eq("estimate")
    index = pd.MultiIndex.from_frame(frame[KEYS])
    return newest.reindex(index, fill_value=False).to_numpy(dtype=bool)


# --- when the money came ------------------------------------------------------------------------


def _clock(
    frame: pd.DataFrame, paths: Floats, released: Floats, given: dict[str, int], as_of: int
) -> tuple[Floats, NDArray[np.bool_], NDArray[np.bool_]]:
    """Return arrival of every cell and year, whether this year's is told, whether it is awaited.

    A cell's own releases tell, else its source's; in earlier years, where neither does, the source
    cannot have had money while all its cells report nothing spent.
    """
    arrival, _ = _first_money(released)
    told = np.zeros(len(frame), dtype=bool)
    for source in frame["source"].unique():
        mine = frame["source"].eq(source).to_numpy()
        of_source, _ = _first_money(_together(released[mine]))
        _, not_before = _first_money(_together(paths[mine]))
        own = np.where(np.isnan(arrival[mine]), of_source, arrival[mine])
        own[:, -1] = _not_after_spending(own[:, -1], paths[mine, -1], released[mine, -1])
        told[mine] = source in given or np.isfinite(own[:, -1]) | np.isinf(own[:, -1])
        earlier = np.where(np.isfinite(own[:, :-1]), own[:, :-1], not_before[:-1])
        arrival[mine] = np.c_[np.where(told[mine][:, None], earlier, 1.0), own[:, -1]]
        if source in given:
            arrival[mine, -1] = given[source]
    awaited = np.isinf(arrival[:, -1])
    arrival[awaited, -1] = as_of + 1.0
    return np.where(np.isfinite(arrival), arrival, 1.0), told, awaited


def _not_after_spending(arrival: Floats, path: Floats, released: Floats) -> Floats:
    """Return this year's arrival of a source's cells, no later than the first money spent.

    A cell that spends has its money. Where a source spends, a report of no release counts no longer
    once there are newer figures of the cell without one.
    """
    first, _ = _first_money(path)
    of_source, _ = _first_money(_together(path))
    _, last_spent = latest(path)
    _, last_release = latest(released)
    outdated = np.isinf(arrival) & (last_release < last_spent) & np.isfinite(of_source)
    arrival = np.where(outdated, of_source, arrival)
    spends = np.isfinite(first) & ~np.isnan(arrival)
    return np.where(spends, np.fmin(arrival, first), arrival)


def _released(
    released: Floats, plan: Floats, carried: Floats, arrival: Floats, as_of: int
) -> Floats:
    """Return the share of a year's plan whose money came in each month.

    What is not released yet is taken to come next month; carried money of the year before is there
    from the start. Where nothing is reported the whole plan comes at the arrival of the source.
    `released` (n_cells, n_periods), `plan` and `carried` in million VND; `arrival` is the month in
    which the first of it came.
    """
    n_cells, n_periods = released.shape
    arrival = np.clip(arrival, 1, n_periods + 1).astype(np.intp)
    known = np.isfinite(released)
    so_far = np.maximum.accumulate(np.where(known, released, 0.0), 1)
    share = np.clip(np.nan_to_num(ratio(so_far, np.nan_to_num(plan)[:, None])), 0.0, 1.0)
    given = known.any(1) & (share[:, -1] > 0) & (_first_money(released)[0] == arrival)
    came = np.zeros((n_cells, n_periods + 1))
    came[given, :-1] = np.diff(share[given], prepend=0.0)
    came[given, min(as_of, n_periods)] += 1.0 - share[given, -1]
    came[~given, arrival[~given] - 1] = 1.0
    kept = np.clip(np.nan_to_num(ratio(carried, np.nan_to_num(plan))), 0.0, 1.0)[:, None]
    came *= 1.0 - kept
    came[:, 0] += kept[:, 0]
    return came


def _tranches(plan: Floats, came: Floats, told: NDArray[np.bool_], as_of: int) -> Floats:
    """Return the share of a year's plan whose clock started in each month.

    Where no release is told, what a plan was raised by starts with the raise; a cut takes away as
    if it had never been there.
    `plan` (n_cells, n_periods) is in force at the end of each month, million VND; `came` as
    `_released` returns it; `told` marks cells whose release is told.
    """
    known = plan[:, : max(as_of, 1)]
    lasting = np.minimum.accumulate(known[:, ::-1], 1)[:, ::-1]
    raised = np.diff(lasting, prepend=0.0, axis=1)
    share = np.nan_to_num(ratio(raised, np.nan_to_num(lasting[:, -1:])))
    started = np.zeros_like(came)
    started[:, : known.shape[1]] = share
    unplanned = started.sum(1) <= 0
    return np.where((told | unplanned)[:, None], came, started)


def _together(money: Floats) -> Floats:
    """Return 1 in months when any cell has money, 0 when all that report have none, NaN else."""
    known = np.isfinite(money)
    return np.where(known.any(0), (np.where(known, money, 0.0) > 0).any(0), np.nan)


def _first_money(money: Floats) -> tuple[Floats, Floats]:
    """Return the month the first money came, and the first in which it can have come.

    Between a report of none and the next of some, the middle month is taken. NaN: nothing reported;
    infinity: only zeros reported.
    """
    n_periods = money.shape[-1]
    some = money > 0
    first = np.where(some.any(-1), some.argmax(-1) + 1.0, np.inf)
    month = np.arange(1, n_periods + 1)
    none = np.where((money == 0) & (month < first[..., None]), money, np.nan)
    _, last_zero = latest(none)
    earliest = np.where(last_zero >= 0, last_zero + 2.0, 1.0)
    middle = np.where(last_zero >= 0, np.floor((earliest + first) / 2), first)
    reported = np.isfinite(money).any(-1)
    return np.where(reported, middle, np.nan), np.where(np.isfinite(first), earliest, 1.0)
