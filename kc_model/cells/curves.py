"""How much of its money a cell can absorb."""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from kc_model.cells.frame import Cells
from kc_model.money import MILLION
from kc_model.tables import CELL_KEYS

__all__ = ["Curves", "build_curves", "pools"]

_EDGE = 1e-6  # of an amount: so near to a slice's end it ends there


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

    def no_better(self, beyond: NDArray[np.float64], rate: NDArray[np.float64]) -> Curves:
        """Return the curves with no chance above a rate beyond so much money.

        Parameters
        ----------
        beyond : array (n_curves,), million VND
            Infinite for a curve that stays.
        rate : array (n_curves,)
        """
        widths, rates = [], []
        for width, chance, at, most in zip(self.widths, self.rates, beyond, rate, strict=True):
            first = np.clip(at - (np.cumsum(width) - width), 0.0, width)
            parts = np.round(np.c_[first, width - first].ravel(), 6)  # whole đồng
            capped = np.c_[chance, np.minimum(chance, most)].ravel()
            widths.append(parts[parts > 0] if np.isfinite(at) else width)
            rates.append(capped[parts > 0] if np.isfinite(at) else chance)
        return replace(self, widths=tuple(widths), rates=tuple(rates))

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
        filled = self.filled(np.arange(len(total)), np.zeros(len(total)), total)
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
        return float(weight[cells] @ self.filled(curve, below, above))

    def filled(
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
