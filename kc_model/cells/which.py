"""Which cells a plan has, and what is known of each."""

from __future__ import annotations

import pandas as pd

from kc_model import reference
from kc_model.cells.frame import Cells
from kc_model.errors import Address, Fault
from kc_model.projects import in_force
from kc_model.tables import CELL_KEYS, SCHEMAS, Dataset

__all__ = ["build_cells", "newest_plan_year", "plan_in_force"]

_MONEY = tuple(c.name for c in SCHEMAS["cells"].columns if c.kind == "money")


def plan_in_force(data: Dataset, year: int, as_of: int | None = None) -> pd.DataFrame:
    """Return the plan in force and the money disbursed of every cell in a year.

    Parameters
    ----------
    data : Dataset
    year : int
    as_of : int or None
        Last month known; None: the whole year.

    Returns
    -------
    DataFrame
        place, area, activity, source, plan, disbursed (Int64 VND): each the newest reported value
        of that year; rows without any plan are left out.
    """
    rows = data.history[data.history["year"] == year]
    if as_of is not None:
        rows = rows[rows["month"] <= as_of]
    keys = ["place", "area", "activity", "source"]
    newest = rows.sort_values("month").groupby(keys, sort=False)[["plan", "disbursed"]].last()
    return newest[newest["plan"].notna()].reset_index()


def newest_plan_year(data: Dataset, year: int, as_of: int | None) -> int | None:
    """Return the newest history year with a plan, not after `year` (and `as_of`); None: none."""
    planned = data.history[data.history["plan"].notna()]
    known = planned["year"] < year
    known |= (planned["year"] == year) & (planned["month"] <= (13 if as_of is None else as_of))
    years = planned.loc[known, "year"]
    return None if years.empty else int(years.max())


def _newest_plan(data: Dataset, year: int, as_of: int | None) -> pd.DataFrame:
    newest = newest_plan_year(data, year, as_of)
    if newest is None:
        return plan_in_force(data, year, 0).head(0)
    return plan_in_force(data, newest, as_of if newest == year else None)


def build_cells(data: Dataset, year: int, as_of: int | None, faults: list[Fault]) -> Cells:
    """Return every cell of the dataset for a plan that starts in `year`.

    Cells that projects name are among them. Without ``cells.csv`` the others are the cells with a
    plan in the newest history year not after `year` (and `as_of`), and that plan is the baseline.
    Mid-year (`as_of` given) the baseline is the plan in force, of cells whose plan no history tells
    that of their projects, and min is at least what has been disbursed (contract, sections 2, 3).

    Parameters
    ----------
    data : Dataset
    year : int
    as_of : int or None
    faults : list of Fault
    """
    keys = list(CELL_KEYS)
    planned = _newest_plan(data, year, as_of).rename(columns={"plan": "known"})
    if data.cells.empty:
        frame = planned.assign(year=year, baseline=planned["known"])
    else:
        frame = data.cells.copy()
        frame["year"] = frame["year"].fillna(year)
        frame = frame[frame["year"] >= year].merge(planned, how="left", on=keys[1:])
        frame["baseline"] = frame["baseline"].fillna(frame["known"])
    frame = _with_named(frame, data.projects, year)
    frame = frame.reindex(
        columns=list(dict.fromkeys([*keys, *data.cells.columns, *frame.columns]))
    ).drop(columns=["known"])
    for column in _MONEY:
        frame[column] = frame[column].astype("Int64")
    frame["baseline"] = frame["baseline"].fillna(0)
    frame["weight"] = frame["weight"].astype("float64").fillna(1.0)
    frame["min"] = frame["min"].fillna(0)
    if as_of is not None:
        now = plan_in_force(data, year, as_of)
        now = now.merge(in_force(data.projects), how="outer", on=keys[1:])
        frame = _mid_year(frame, now, year)
    frame = frame.drop(columns=["disbursed"], errors="ignore")
    frame, place_columns = _with_places(frame, data)
    if frame.empty:
        faults.append(Fault("no-cells", Address("cells.csv"), {"year": year}))
    return Cells(_ordered(frame, data.vintage), place_columns, data.vintage)


def _with_named(frame: pd.DataFrame, projects: pd.DataFrame, year: int) -> pd.DataFrame:
    """Add the cells that only projects name."""
    named = projects[list(CELL_KEYS[1:])]
    named = named.assign(year=year, place=named["place"].str.split(";")).explode("place")
    named = named[~(named == "ALL").any(axis=1)].drop_duplicates()[list(CELL_KEYS)]
    known = pd.MultiIndex.from_frame(frame[list(CELL_KEYS)])
    new = named[~pd.MultiIndex.from_frame(named).isin(known)]
    return pd.concat([frame, new], ignore_index=True) if len(new) else frame


def _mid_year(frame: pd.DataFrame, now: pd.DataFrame, year: int) -> pd.DataFrame:
    frame = frame.drop(columns=["disbursed"], errors="ignore")
    frame = frame.merge(now, how="left", on=list(CELL_KEYS[1:]))
    first = frame["year"] == year
    plan = frame["plan"].fillna(frame["in_force"]).fillna(frame["baseline"])
    frame.loc[first, "baseline"] = plan[first]
    spent = frame["disbursed"].fillna(0).clip(lower=0)
    frame.loc[first, "min"] = frame["min"].where(frame["min"] >= spent, spent)[first]
    return frame.drop(columns=["plan", "in_force"])


def _with_places(frame: pd.DataFrame, data: Dataset) -> tuple[pd.DataFrame, frozenset[str]]:
    extra = [column for column in data.places.columns if column != "place"]
    frame = frame.merge(data.places, how="left", on="place") if extra else frame
    frame["region"] = [reference.region_of(code, data.vintage) for code in frame["place"]]
    return frame, frozenset(extra)


def _ordered(frame: pd.DataFrame, vintage: str) -> pd.DataFrame:
    ranks = {
        "place": reference.place_order(vintage),
        "area": reference.area_order(),
        "source": reference.source_order(),
    }
    order = {
        key: frame[key].map({code: i for i, code in enumerate(ranks[key])})
        if key in ranks
        else frame[key]
        for key in CELL_KEYS
    }
    by = pd.DataFrame(order).sort_values(list(CELL_KEYS), kind="stable").index
    frame = frame.loc[by].reset_index(drop=True)
    frame["year"] = frame["year"].astype("int64")
    return frame
