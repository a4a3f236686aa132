r"""Money beyond capacity in the worst years that may come: the goal ``minimise: risk``.

With joint draws of what every cell can disburse, the excess of a plan in draw d is

.. math:: S_d(x) = \sum_p \max(0, \textstyle\sum_{i \in p} x_i - capacity_{dp})

over the pools p (a cell, or the activities that share one capacity), and the risk at level a is the
mean of S over the worst (1 − a) share of the draws: Rockafellar and Uryasev's conditional value at
risk (2000, section 2). Near a plan few draws are among the worst, and in each of them most pools
are clearly beyond their capacity or clearly within it: only the others need be written down.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from kc_model.cells import MILLION, Cells, pools
from kc_model.tables import CELL_KEYS

__all__ = ["Capacities", "Face", "Risk", "capacities_of", "drawn", "risk_of"]

Array = NDArray[np.float64]
Key = tuple[object, ...]

_EPS = float(np.finfo(np.float64).eps)
_LONG = float(np.finfo(np.longdouble).eps)


@dataclass(frozen=True)
class Capacities:
    """Joint draws of what can be disbursed.

    Parameters
    ----------
    columns : mapping
        Cell keys (year or 0 for any, place, area, activity or "" for any, source) to a column.
    draws : array (n_draws, n_columns), million VND
        NaN where the file has no such draw.
    """

    columns: Mapping[Key, int]
    draws: Array


def drawn(table: pd.DataFrame) -> Capacities:
    """Return the capacities of ``draws.csv``; a missing year or activity means any."""
    keys = table[list(CELL_KEYS)].assign(
        year=table["year"].fillna(0).astype("int64"), activity=table["activity"].fillna("")
    )
    names = pd.MultiIndex.from_frame(keys)
    column, known = pd.factorize(names, sort=True)
    row, _ = pd.factorize(table["draw"], sort=True)
    draws = np.full((row.max() + 1, len(known)), np.nan)
    draws[row, column] = table["capacity"].to_numpy(dtype=float) / MILLION
    return Capacities({tuple(key): n for n, key in enumerate(known)}, draws)


def capacities_of(cells: pd.DataFrame, draws: Array) -> Capacities:
    """Return a forecast's capacities, which are of any year.

    Parameters
    ----------
    cells : DataFrame
        place, area, activity, source, in the order of the draws' columns.
    draws : array (n_draws, n_cells), million VND
    """
    keys = cells[list(CELL_KEYS[1:])].itertuples(index=False, name=None)
    return Capacities(
        {(0, *key): n for n, key in enumerate(keys)}, np.rint(draws * MILLION) / MILLION
    )


@dataclass(frozen=True)
class Face:
    """What proves that a risk can be no less: see `Risk.floor`.

    Parameters
    ----------
    weights : array (n_draws,)
    slopes : array (n_pools,)
    """

    weights: Array
    slopes: Array


@dataclass(frozen=True)
class Risk:
    """The risk of a plan.

    Parameters
    ----------
    cells, pool : arrays of int
        Every counted cell and the pool that it draws on.
    capacity : array (n_draws, n_pools), million VND
    share : float
        1 − level: the share of the draws that counts.
    """

    cells: NDArray[np.int64]
    pool: NDArray[np.int64]
    capacity: Array
    share: float

    def value(self, plan: Array) -> float:
        """Return the risk of a plan in million VND, both in million VND."""
        totals = self.totals(self.spent(plan))
        return float(self.weights(totals) @ totals)

    def spent(self, plan: Array) -> Array:
        """Return what a plan gives each pool, million VND."""
        return np.bincount(self.pool, plan[self.cells], self.capacity.shape[1]).astype(float)

    def totals(self, spent: Array) -> Array:
        """Return what is beyond capacity in each draw, million VND.

        Parameters
        ----------
        spent : array (n_pools,), million VND
        """
        return np.asarray(np.maximum(0.0, spent - self.capacity).sum(axis=1))

    @property
    def counted(self) -> float:
        """How many draws count, the last one in part; at least one."""
        return max(1.0, self.share * len(self.capacity))

    def weights(self, totals: Array) -> Array:
        """Return the weight of every draw in a risk: the worst first, up to the share.

        Parameters
        ----------
        totals : array (n_draws,), million VND

        Returns
        -------
        array (n_draws,)
            Sums to 1. With any such weights w: risk(x) ≥ Σ_d w_d S_d(x); for a plan's own it is
            equal.
        """
        ranks = np.empty(len(totals))
        ranks[np.argsort(-totals, kind="stable")] = np.arange(len(totals))
        return np.clip(self.counted - ranks, 0.0, 1.0) / self.counted

    def floor(self, face: Face) -> tuple[Array, float]:
        """Return what no plan's risk is below: risk(x) ≥ Σ_p slope_p · Σ x − constant, x ≥ 0.

        Whatever the face says: its weights are brought among those that a risk can have, and of
        each pool p its slope is made up of the draws of least capacity, which proves most (the
        convex conjugate of f_p(x) = Σ_d w_d max(0, x − capacity_dp)). Rounding errs to the safe
        side.

        Returns
        -------
        slope : array (n_pools,)
        constant : float, million VND
        """
        noise = (sum(self.capacity.shape) + 4) * _LONG
        weights = np.clip(face.weights, 0.0, 1.0 / self.counted).astype(np.longdouble)
        weights *= (1.0 - noise) / max(1.0, float(weights.sum()))
        order = np.argsort(self.capacity, axis=0)
        capacity, room = np.take_along_axis(self.capacity, order, axis=0), weights[order]
        taken = np.clip(face.slopes - (np.cumsum(room, axis=0) - room), 0.0, room)
        constant = (taken * capacity).sum() + noise * (taken * np.abs(capacity)).sum()
        slopes = (taken.sum(axis=0) * (1.0 - noise)).astype(np.float64)
        return slopes * (1.0 - 2 * _EPS), float(constant + abs(constant) * _EPS)


def risk_of(
    cells: Cells, selected: NDArray[np.bool_], capacities: Capacities, level: float
) -> tuple[Risk, list[str]]:
    """Return the risk of the selected cells, and the names of those whose capacity is not known.

    Parameters
    ----------
    selected : array of bool (n_cells,)
    level : float, 0 to below 1
    """
    complete = {
        key: column
        for key, column in capacities.columns.items()
        if not np.isnan(capacities.draws[:, column]).any()
    }
    found = pools(cells, complete, ~selected)
    members = [np.array(inside, dtype=np.int64) for inside in found.values()]
    columns = [complete[key] for _, key in found]
    known = np.zeros(len(cells), dtype=bool)
    for inside in members:
        known[inside] = True
    names = cells.names()
    return (
        Risk(
            np.concatenate([np.zeros(0, dtype=np.int64), *members]),
            np.repeat(np.arange(len(members)), [len(inside) for inside in members]),
            capacities.draws[:, columns],
            1.0 - level,
        ),
        [names[i] for i in np.flatnonzero(selected & ~known)],
    )
