"""What a forecast gives back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from kc_model import reference
from kc_model.errors import Fault
from kc_model.export import csv_bytes, json_bytes, save_files
from kc_model.money import MILLION, to_unit
from kc_model.results.provenance import Provenance, run_of, told
from kc_model.tables import KEYS, Note, positions

__all__ = ["FORECAST_FILES", "Forecast"]

FORECAST_FILES = ("forecast.csv", "forecast.json")
"""What a forecast is saved as, beside ``run.json``."""

_LEVELS = {
    "cell": KEYS,
    "place": ["place"],
    "area": ["area"],
    "source": ["source"],
    "region": ["region"],
    "all": [],
}
_ORDERS: Mapping[str, Callable[[], list[str]]] = {
    "area": reference.area_order,
    "source": reference.source_order,
    "region": lambda: ["R-N", "R-C", "R-S"],
}
_QUANTILES = (0.1, 0.9, 0.025, 0.975)
_LABELS = ["level", *KEYS]
_MONEY = ["plan", "disbursed", "expected", "lower_80", "upper_80", "lower_95", "upper_95"]


@dataclass(frozen=True)
class Forecast:
    """Year-end disbursement of every cell, as joint draws.

    Parameters
    ----------
    year, as_of : int
        Budget year and the last month known (0: before the year).
    year_end : int
        13 (after the settlement period), or 12 for a history without it.
    unit : str
        The dataset's unit, used by `table`.
    cells : DataFrame
        One row per cell in official order: place, area, activity, source, region (text); plan in
        force and disbursed so far (Int64 VND, <NA> where not reported); basis (text: a key of the
        wording file ``forecast`` telling what the cell's expectation rests on); anew (float64: the
        chance that money which is only begun after `as_of` is disbursed by year-end).
    draws : array (n_draws, n_cells), float64, million VND
        Joint draws of year-end disbursement under the plan in force, each within
        [disbursed, max(plan, disbursed)] where the past kept to its plans.
    capacity : array (n_draws, n_cells), float64, million VND
        Joint draws of what the cell could disburse by year-end if it were given the money.
    slices : DataFrame
        Absorption for the allocation: place, area, activity, source (text), upto (Int64 VND),
        rate (float64, not increasing within a cell).
    legs : DataFrame
        The single forecasts the year-end is made of: place, area, activity, source, leg
        (benktander, cape-cod, trend, donors), expected (float64, million VND; NaN where a leg says
        nothing of a cell), weight (how much the leg counts, the same for all cells of which the
        arrival is set, and for all others).
    notes : tuple of Note
        What it rests on: borrowed history, assumed arrival, estimates used.
    warnings : tuple of Fault
    provenance : Provenance
    """

    year: int
    as_of: int
    year_end: int
    unit: str
    cells: pd.DataFrame
    draws: NDArray[np.float64]
    capacity: NDArray[np.float64]
    slices: pd.DataFrame
    legs: pd.DataFrame
    notes: tuple[Note, ...]
    warnings: tuple[Fault, ...]
    provenance: Provenance
    details: Mapping[str, Any] = field(default_factory=dict)
    seconds: float = field(default=0.0, compare=False)

    def table(self) -> pd.DataFrame:
        """Return the year-end as ``forecast.csv`` has it: amounts in the dataset's unit.

        Returns
        -------
        DataFrame
            level (cell, place, area, source, region, all), place (of a region its code), area,
            activity (only where there are any), source, plan, disbursed, expected, lower_80,
            upper_80, lower_95, upper_95, completion_expected, probability_full. A key that a level
            does not fix is "". `expected` is the mean of the draws to the đồng, of a level the sum
            of its cells; the ranges of a level come from sums of draws. `disbursed` is NaN where a
            cell in it did not report, the last two where the plan is zero.
        """
        expected = np.rint(self.draws.mean(0) * MILLION).astype(np.int64)
        cells = self.cells.assign(expected=pd.array(expected, dtype="Int64"))
        levels = {level: _groups(cells, by) for level, by in _LEVELS.items()}
        parts = [self._level(cells, level, *of) for level, of in levels.items() if len(of[0])]
        frame = pd.concat(parts, ignore_index=True)
        planned = frame["plan"].to_numpy(dtype=float)
        planned = np.where(planned > 0, planned, np.nan)
        completion = frame["expected"].to_numpy(dtype=float) / planned
        full = frame["probability_full"].where(np.isfinite(planned))
        columns = [*_LABELS, *_MONEY]
        if not (cells["activity"] != "").any():
            columns.remove("activity")
        money = {name: to_unit(frame[name], self.unit) for name in _MONEY}
        return frame[columns].assign(**money, completion_expected=completion, probability_full=full)

    def _level(
        self, cells: pd.DataFrame, level: str, labels: pd.DataFrame, group: NDArray[np.intp]
    ) -> pd.DataFrame:
        """Return one level of the table in VND."""
        inside = group >= 0
        sums = cells[inside].groupby(group[inside])[_MONEY[:3]].sum(skipna=False)
        total = np.stack([self.draws[:, group == g].sum(1) for g in range(len(labels))], 1)
        ranges = np.rint(np.quantile(total, _QUANTILES, axis=0) * MILLION).astype(np.int64)
        plan = sums["plan"].to_numpy(dtype=float) / MILLION
        full = (total >= plan - 1e-9 * np.maximum(1.0, plan)).mean(0)
        return labels.assign(
            level=level, **sums, **dict(zip(_MONEY[3:], ranges, strict=True)), probability_full=full
        )

    def summary(self) -> dict[str, Any]:
        """Return what ``forecast.json`` holds: everything but the table."""
        return {
            "year": self.year,
            "as_of": self.as_of,
            "year_end": self.year_end,
            "unit": self.unit,
            "cells": self.cells[[*KEYS, "basis"]].to_dict("records"),
            "details": dict(self.details),
            "warnings": told(self.warnings),
            "notes": [asdict(note) for note in self.notes],
            "provenance": asdict(self.provenance),
        }

    def save(self, folder: str | Path, expected: Mapping[str, str] | None = None) -> None:
        """Write ``forecast.csv``, ``forecast.json`` and ``run.json``, whole or not at all.

        Parameters
        ----------
        folder : path
        expected : mapping or None
            Fingerprints of the files as they were when the command began.

        Raises
        ------
        SaveError
            If it cannot be saved, or somebody else saved in between.
        """
        files = {
            "forecast.csv": csv_bytes(self.table()),
            "forecast.json": json_bytes(self.summary()),
            "run.json": json_bytes(run_of(self.seconds)),
        }
        save_files(folder, files, (), expected)


def _groups(cells: pd.DataFrame, by: list[str]) -> tuple[pd.DataFrame, NDArray[np.intp]]:
    """Return the keys of every group of a level in official order, and each cell's group.

    A region's code stands as its place; a cell of no region is in no group (-1).
    """
    if not by:
        return pd.DataFrame("", index=[0], columns=_LABELS[1:]), np.zeros(len(cells), dtype=np.intp)
    keys = cells[by].drop_duplicates()
    order = _ORDERS[by[0]]() if len(by) == 1 and by[0] in _ORDERS else None
    if order is not None:
        keys = keys[keys[by[0]] != ""].sort_values(by, key=lambda code: code.map(order.index))
    labels = keys.rename(columns={"region": "place"}).reindex(columns=_LABELS[1:], fill_value="")
    return labels.reset_index(drop=True), positions(cells, keys, by)
