"""The basis an optimum ended in: how far a row's side may move with it, and what then happens."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kc_model.solver.engine import TOLERANCE, Engine, Numbers

__all__ = ["Basis", "Reach"]

Array = NDArray[np.float64]


class Reach(NamedTuple):
    """How far a row's tight side may go with the basis kept.

    Parameters
    ----------
    down, up : float
        Infinite where nothing stands in the way.
    bend_down, bend_up : float
        By how much the row's dual changes there at the least: infinite where no plan is left, 0
        where the basis alone does not say.
    """

    down: float
    up: float
    bend_down: float = 0.0
    bend_up: float = 0.0


class Basis:
    """The basis of the optimum that an engine has just found.

    Parameters
    ----------
    engine : Engine
    numbers : Numbers
        What it was told.
    """

    def __init__(self, engine: Engine, numbers: Numbers) -> None:
        self._engine = engine
        self._by_column = numbers.matrix.T
        n_columns = numbers.matrix.shape[1]
        basic = engine.basic()
        at = np.where(basic < 0, n_columns - 1 - basic, basic)
        values = np.concatenate([engine.values(), engine.row_values()])
        row_duals = engine.row_duals()
        self._dual = np.concatenate([numbers.cost - self._by_column @ row_duals, row_duals])
        low = np.concatenate([numbers.col_low, numbers.row_low])
        high = np.concatenate([numbers.col_high, numbers.row_high])
        above, below = np.maximum(high - values, 0.0), np.maximum(values - low, 0.0)
        is_column = np.arange(len(values)) < n_columns
        self._above = np.where(is_column, above, below)  # HiGHS turns the sign of what a row holds
        self._below = np.where(is_column, below, above)
        self._basic = at
        self._stands = np.ones(len(values), dtype=bool)
        self._stands[at] = False
        self._room = (below[n_columns:], above[n_columns:])
        self._has_slack = set((-1 - basic[basic < 0]).tolist())

    def reach(self, row: int) -> Reach:
        """Return how far a row's side may go.

        Its dual is what a unit costs so far: moving the side by δ moves what is basic by δ B⁻¹ e.
        """
        if row in self._has_slack:  # it holds nothing
            return Reach(float(self._room[1][row]), float(self._room[0][row]))
        step = self._engine.inverse(row)
        (down, bend_down), (up, bend_up) = self._end(-step), self._end(step)
        return Reach(down, up, bend_down, bend_up)

    def _end(self, step: Array) -> tuple[float, float]:
        """Return how many steps lead to the first bound, and the bend there.

        The dual simplex would take one step there: the column that enters is the one whose reduced
        cost, against its entry in the row that leaves, is least.
        """
        rises, falls = step > TOLERANCE, step < -TOLERANCE
        ends = np.full(len(step), np.inf)
        ends[rises] = self._above[self._basic[rises]] / step[rises]
        ends[falls] = self._below[self._basic[falls]] / -step[falls]
        first = int(np.argmin(ends)) if len(ends) else 0
        if not len(ends) or not np.isfinite(ends[first]):
            return np.inf, 0.0
        leaving = self._engine.inverse_row(first)
        entry = np.concatenate([self._by_column @ leaving, leaving])
        push = entry if rises[first] else -entry  # so much less too far, for one more of each
        can = self._stands & np.where(push > 0, self._above > TOLERANCE, self._below > TOLERANCE)
        can &= np.abs(push) > TOLERANCE
        least = np.min(np.abs(self._dual[can] / push[can]), initial=np.inf)
        return float(ends[first]), float(least * abs(step[first]))
