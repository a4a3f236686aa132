"""The cells of a plan on one frame: which there are, what is known, what a selection means."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from kc_model import reference
from kc_model.errors import Address, Fault
from kc_model.projects import in_force
from kc_model.scenario import Where
from kc_model.tables import CELL_KEYS, KEYS, SCHEMAS, Dataset, in_order

__all__ = ["Cells", "build_cells", "newest_plan_year", "plan_in_force"]

_SHOWN = 5
_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")


@dataclass(frozen=True)
class Cells:
    """The cells of a plan in official order.

    Parameters
    ----------
    frame : DataFrame
        Index 0..n-1; the keys, ``region``, baseline, min, max, unit_cost (Int64 VND), weight and
        every attribute of cells and places.
    place_columns : frozenset of str
        Attributes that belong to a place, counted once for each place.
    vintage : str
        Vintage of the place codes.
    """

    frame: pd.DataFrame
    place_columns: frozenset[str]
    vintage: str

    def __len__(self) -> int:
        return len(self.frame)

    def names(self) -> list[str]:
        """Return ``place|area|source`` of every cell, with year and activity where they vary."""
        if self.frame.empty:
            return []
        keys = [
            key
            for key in CELL_KEYS
            if (key != "year" or (self.frame["year"] != self.frame["year"].iloc[0]).any())
            and (key != "activity" or (self.frame["activity"] != "").any())
        ]
        return ["|".join(map(str, row)) for row in self.frame[keys].itertuples(index=False)]

    def keep(self, mask: NDArray[np.bool_]) -> Cells:
        """Return only the cells of a mask."""
        return replace(self, frame=self.frame[mask].reset_index(drop=True))

    def attribute(self, name: str) -> pd.Series | None:
        """Return a key or attribute of every cell, or None if there is none of that name."""
        return self.frame[name] if name in self.frame.columns else None

    def unknown(self, name: str, at: Address) -> Fault:
        """Return the fault that no such key or attribute exists, with the nearest name."""
        names = [str(column) for column in self.frame.columns]
        near = difflib.get_close_matches(name, names, 1, 0.5)
        return Fault(
            "unknown-attribute", at, {"name": name, "near": near[0] if near else ", ".join(names)}
        )

    def select(self, where: Where, at: Address, faults: list[Fault]) -> NDArray[np.bool_]:
        """Return the mask of the cells that a selection means.

        Parameters
        ----------
        where : mapping
            Key or attribute -> any of these values; empty: every cell.
        at : Address
            Where the selection stands, for faults.
        faults : list of Fault
            Unknown attributes and names are added to it; a warning where cells have no value of
            an attribute, so that they cannot be told apart and are left out.
        """
        mask = np.ones(len(self), dtype=bool)
        untold: dict[str, NDArray[np.bool_]] = {}
        for key, values in where.items():
            column = self.attribute(key)
            if column is None:
                faults.append(self.unknown(key, at))
                continue
            hit = np.zeros(len(self), dtype=bool)
            for value in values:
                hit |= self._matches(key, column, value, at, faults)
            untold[key] = self.missing(key)
            mask &= hit | untold[key]
        for key, missing in untold.items():
            faults.extend(self.left_out(key, missing & mask, at))
        for missing in untold.values():
            mask &= ~missing
        return mask

    def missing(self, name: str) -> NDArray[np.bool_]:
        """Return the mask of the cells that have no value of an attribute; keys always have one."""
        if name in (*CELL_KEYS, "region"):
            return np.zeros(len(self), dtype=bool)
        column = self.frame[name]
        return (column.isna() | (column == "").fillna(False)).to_numpy(dtype=bool)

    def left_out(self, name: str, mask: NDArray[np.bool_], at: Address) -> list[Fault]:
        """Return the warning that cells are left out for want of an attribute; [] for none."""
        if not mask.any():
            return []
        named = [cell for cell, out in zip(self.names(), mask, strict=True) if out]
        shown = ", ".join(named[:_SHOWN]) + ("…" if len(named) > _SHOWN else "")
        values = {"name": name, "count": len(named), "cells": shown}
        return [Fault("attribute-missing", at, values, level="warning")]

    def _matches(
        self, key: str, column: pd.Series, value: str, at: Address, faults: list[Fault]
    ) -> NDArray[np.bool_]:
        finders: dict[str, Callable[[str], str]] = {
            "place": lambda text: reference.find_place(text, self.vintage),
            "area": reference.find_area,
            "source": reference.find_source,
            "region": reference.find_region,
        }
        if key in finders:
            try:
                value = finders[key](value)
            except reference.UnknownNameError as error:
                values = {"key": key, "found": value, **error.near}
                faults.append(Fault("unknown-name", at, values))
                return np.zeros(len(self), dtype=bool)
        if pd.api.types.is_numeric_dtype(column):
            if not _NUMBER.fullmatch(value):
                values = {"key": key, "found": value, "example": "17800"}
                faults.append(Fault("scenario-number", at, values))
                return np.zeros(len(self), dtype=bool)
            return (column == float(value)).to_numpy(dtype=bool, na_value=False)
        return (column == value).to_numpy(dtype=bool, na_value=False)


# --- which cells a plan has -----------------------------------------------------------------------


_MONEY = tuple(c.name for c in SCHEMAS["cells"].columns if c.kind == "money")


def plan_in_force(data: Dataset, year: int, as_of: int | None = None) -> pd.DataFrame:
    """Return the plan in force and the money disbursed of every cell in a year.

    Parameters
    ----------
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
    newest = rows.sort_values("month").groupby(KEYS, sort=False)[["plan", "disbursed"]].last()
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
    frame = in_order(frame, CELL_KEYS, data.vintage).reset_index(drop=True)
    return Cells(frame.astype({"year": "int64"}), place_columns, data.vintage)


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
