"""The cells of a plan: dataset and scenario brought together on one frame.

A cell is one (year, place, area, activity, source). This room says which cells there are, what is
known of each, which of them a selection means, and how much of its money a cell can absorb.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from kc_model import reference
from kc_model.errors import Address, Fault
from kc_model.projects import in_force
from kc_model.scenario import Where
from kc_model.tables import CELL_KEYS, SCHEMAS, Dataset

__all__ = [
    "MILLION",
    "Cells",
    "Curves",
    "build_cells",
    "build_curves",
    "newest_plan_year",
    "plan_in_force",
    "pools",
]

MILLION = 1_000_000
"""VND in the unit that the program works in."""

_EDGE = 1e-6  # of an amount: so near to a slice's end it ends there
_SHOWN = 5
_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")
_MONEY = tuple(c.name for c in SCHEMAS["cells"].columns if c.kind == "money")


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

    def select(
        self,
        where: Where,
        at: Address,
        faults: list[Fault],
        same: Mapping[str, object] | None = None,
    ) -> NDArray[np.bool_]:
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
        same : mapping, optional
            The group's own values, for ``same``.
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
                if value == "same" and same is not None:
                    hit |= (column == same[key]).to_numpy(dtype=bool, na_value=False)
                else:
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
            except (KeyError, ValueError) as error:
                near = ", ".join(getattr(error, "suggestions", ()))
                faults.append(
                    Fault("unknown-name", at, {"key": key, "found": value, "near": near or "-"})
                )
                return np.zeros(len(self), dtype=bool)
        if pd.api.types.is_numeric_dtype(column):
            if not _NUMBER.fullmatch(value):
                faults.append(Fault("scenario-number", at, {"key": key, "found": value}))
                return np.zeros(len(self), dtype=bool)
            return (column == float(value)).to_numpy(dtype=bool, na_value=False)
        return (column == value).to_numpy(dtype=bool, na_value=False)


# ---------------------------------------------------------------------------- which cells


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


# ---------------------------------------------------------------------------- absorption


@dataclass(frozen=True)
class Curves:
    """Slices of money and the chance that each is disbursed by year-end.

    Parameters
    ----------
    members : tuple of arrays of int
        Cells that share each curve: one, or the activities of one area.
    widths, rates : tuple of arrays, float64
        Width of each slice in million VND; its rate, not increasing.
    """

    members: tuple[NDArray[np.int64], ...]
    widths: tuple[NDArray[np.float64], ...]
    rates: tuple[NDArray[np.float64], ...]

    @cached_property
    def _flat(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Every cell that has a curve, and the number of its curve."""
        counts = [len(cells) for cells in self.members]
        cells = np.concatenate([np.zeros(0, dtype=np.int64), *self.members])
        return cells, np.repeat(np.arange(len(counts)), counts)

    @cached_property
    def _slices(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Start, end and rate of every slice, a row for each curve; short curves end in zeros."""
        most = max(map(len, self.widths), default=0)
        ends, rates = np.zeros((2, len(self.widths), most))
        for c, (width, rate) in enumerate(zip(self.widths, self.rates, strict=True)):
            ends[c, : len(width)] = np.cumsum(width)
            ends[c, len(width) :] = ends[c, len(width) - 1]
            rates[c, : len(rate)] = rate
        return np.concatenate([np.zeros_like(ends[:, :1]), ends[:, :-1]], axis=1), ends, rates

    @cached_property
    def curve_of(self) -> dict[int, int]:
        """The curve of every cell that has one."""
        return {int(i): c for c, cells in enumerate(self.members) for i in cells}

    def without_first(self, money: NDArray[np.float64]) -> Curves:
        """Return the curves from so much money on: million VND of each curve."""
        widths = []
        for width, first in zip(self.widths, money, strict=True):
            starts = np.cumsum(width) - width
            widths.append(width - np.clip(first - starts, 0.0, width) if first else width)
        return replace(self, widths=tuple(widths))

    def after_sure(self, money: NDArray[np.float64]) -> Curves:
        """Return the curves with so much money in front that is disbursed for sure."""
        widths = [np.append(a, w) if a else w for a, w in zip(money, self.widths, strict=True)]
        rates = [np.append(1.0, r) if a else r for a, r in zip(money, self.rates, strict=True)]
        return replace(self, widths=tuple(widths), rates=tuple(rates))

    def expected(self, money: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the expected disbursement of every cell, million VND.

        A shared curve is filled by the sum of its cells and given back in proportion.

        Parameters
        ----------
        money : array (n_cells,), million VND

        Returns
        -------
        array (n_cells,)
            NaN for cells without a curve.
        """
        cells, curve = self._flat
        total = np.bincount(curve, money[cells], len(self.members)).astype(np.float64)
        filled = self._filled(np.arange(len(total)), np.zeros(len(total)), total)
        share = np.divide(filled, total, out=np.zeros(len(total)), where=total > 0)
        expected = np.full(len(money), np.nan)
        expected[cells] = money[cells] * share[curve]
        return expected

    def chances(self, money: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
        """Return the chance of disbursement of each cell's last money, and of a little more.

        The rates of the slices just below and just above where the money ends.

        Parameters
        ----------
        money : array (n_cells,), million VND

        Returns
        -------
        tuple of two arrays (n_cells,)
            Last: NaN where there is no money. Next: 0 beyond the last slice. Both NaN for cells
            without a curve; cells that share one have the same.
        """
        last, more = np.full((2, len(money)), np.nan)
        if not self.members:
            return last, more
        cells, curve = self._flat
        starts, ends, rates = self._slices
        total = np.bincount(curve, money[cells], len(self.members)).astype(np.float64)
        edge = _EDGE * np.maximum(1.0, total)
        has_width = ends > starts
        below = has_width & (starts < (total - edge)[:, None])
        above = has_width & (ends > (total + edge)[:, None])
        place = np.arange(len(total))
        beyond = total - edge > ends[:, -1]
        of_last = rates[place, below.shape[1] - 1 - below[:, ::-1].argmax(axis=1)]
        of_last = np.where(below.any(axis=1), np.where(beyond, 0.0, of_last), np.nan)
        of_next = np.where(above.any(axis=1), rates[place, above.argmax(axis=1)], 0.0)
        last[cells], more[cells] = of_last[curve], of_next[curve]
        return last, more

    def best(self, money: NDArray[np.float64], weight: NDArray[np.float64]) -> float:
        """Return the most that a plan is worth: Σ weight_i Σ_j rate_ij y_ij over the slices.

        Cells that share a curve fill its best slices in the order of their weights.

        Parameters
        ----------
        money, weight : arrays (n_cells,)
            Million VND; cells with weight NaN are not counted.
        """
        cells, curve = self._flat
        counted = ~np.isnan(weight[cells])
        cells, curve = cells[counted], curve[counted]
        order = np.lexsort((-weight[cells], curve))
        cells, curve = cells[order], curve[order]
        above = np.cumsum(money[cells])
        below = above - money[cells]
        first = np.searchsorted(curve, curve)  # where the curve's cells begin
        below, above = below - below[first], above - below[first]
        return float(weight[cells] @ self._filled(curve, below, above))

    def _filled(
        self, curve: NDArray[np.int64], below: NDArray[np.float64], above: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Σ rate · money of the piece of each curve between two amounts."""
        starts, ends, rates = (part[curve] for part in self._slices)
        inside = np.minimum(ends, above[:, None]) - np.maximum(starts, below[:, None])
        return np.asarray((rates * np.clip(inside, 0.0, None)).sum(axis=1))


def build_curves(cells: Cells, tables: Iterable[pd.DataFrame]) -> tuple[Curves, NDArray[np.bool_]]:
    """Return the curves of the cells and a mask of the cells that have one.

    Parameters
    ----------
    cells : Cells
    tables : iterable of DataFrame
        Absorption tables (cell keys, upto in VND, rate); the first that knows a cell counts.
        A table without a year, or a missing year, speaks of every year on its own; a row without
        an activity is shared by the activities of its area that have no rows of their own.
    """
    has = np.zeros(len(cells), dtype=bool)
    found: list[tuple[list[int], NDArray[np.float64], NDArray[np.float64]]] = []
    for table in tables:
        curves = _by_key(table)
        for (_, key), inside in pools(cells, curves, has).items():
            has[inside] = True
            found.append((inside, *curves[key]))
    members, widths, rates = zip(*found, strict=True) if found else ((), (), ())
    return Curves(tuple(np.array(cells) for cells in members), widths, rates), has


def pools(
    cells: Cells, known: Container[tuple[object, ...]], aside: NDArray[np.bool_]
) -> dict[tuple[int, tuple[object, ...]], list[int]]:
    """Return which cells share each entry of a table.

    Parameters
    ----------
    cells : Cells
    known : container
        Cell keys of the table: year 0 is any, on its own; activity "" is any of the area together.
    aside : array of bool (n_cells,)
        Cells that are not asked for.

    Returns
    -------
    dict
        (year, key in `known`) -> numbers of the cells; cells without an entry are in none.
    """
    found: dict[tuple[int, tuple[object, ...]], list[int]] = {}
    keys = cells.frame[list(CELL_KEYS)].itertuples(index=False, name=None)
    for i, (year, place, area, activity, source) in enumerate(keys):
        for when, what in ((year, activity), (0, activity), (year, ""), (0, "")):
            key = (when, place, area, what, source)
            if not aside[i] and key in known:
                found.setdefault((year, key), []).append(i)
                break
    return found


def _by_key(
    table: pd.DataFrame,
) -> dict[tuple[object, ...], tuple[NDArray[np.float64], NDArray[np.float64]]]:
    if table.empty:
        return {}
    table = table.assign(
        year=table["year"].fillna(0).astype("int64") if "year" in table else 0,
        activity=table.get("activity", ""),
    ).sort_values([*CELL_KEYS, "upto"])
    keys = list(table[list(CELL_KEYS)].itertuples(index=False, name=None))
    starts = [i for i, key in enumerate(keys) if i == 0 or key != keys[i - 1]]
    upto = table["upto"].to_numpy(dtype=float) / MILLION
    rate = table["rate"].to_numpy(dtype=float)
    ends = [*starts[1:], len(keys)]
    return {
        keys[a]: (np.diff(upto[a:b], prepend=0.0), rate[a:b])
        for a, b in zip(starts, ends, strict=True)
    }
