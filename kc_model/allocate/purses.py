"""The best way to divide a whole purse between its cells, where each can be in some states.

Where every amount is a multiple of one step, the least that each sum costs is found cell by cell
(Bellman 1957): a program then knows a purse that few cells share as a whole, not only its cells.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kc_model.allocate.points import CellStates, Part, Points
from kc_model.solver import Solver

__all__ = ["Purse", "purses_of"]

_STEPS = (1.0, 0.5, 0.1, 0.05)  # million VND
_MOST = 8_000  # steps of a purse
_CELLS = 40
_EXACT = 1e-7  # steps

Array = NDArray[np.float64]
Indices = NDArray[np.int64]


class _Line(NamedTuple):
    """Every amount of a cell: its steps, the points beside it, how far it is from the first."""

    steps: Indices
    left: Indices
    right: Indices
    share: Array

    def of(self, costs: Array) -> Array:
        between = self.share > 0
        found = costs[self.left]
        left, right, share = (part[between] for part in self[1:])
        found[between] = (1.0 - share) * costs[left] + share * costs[right]
        return found


class Purse:
    """A budget whose cells are in no other purse.

    Parameters
    ----------
    row : int
        Of the program.
    cells : list of int
        Numbers of their states.
    states : sequence of CellStates
    bounds : pair of float, million VND
        Of the row.
    step : float, million VND
        All amounts are multiples of it.
    """

    def __init__(
        self,
        row: int,
        cells: list[int],
        states: Sequence[CellStates],
        bounds: tuple[float, float],
        step: float,
    ) -> None:
        self.row, self.cells, self._bounds = row, cells, bounds
        low, high = _within(bounds, states)
        self._first, self._size = round(low / step), round(high / step) + 1
        self._states, self._step = states, step
        self._lines = [_line(one.plain, step, self._size) for one in states]

    def least(self, costs: Sequence[Array], row_duals: Array) -> tuple[float, tuple[Part, ...]]:
        """Return the plan that costs least, and what it costs.

        Parameters
        ----------
        costs : sequence of arrays (n_points,)
            Of each cell's plain points.
        row_duals : array (n_rows,)
            What the bound of the purse's row is worth is taken off.

        Returns
        -------
        tuple of float and Parts
            Infinity and none where no plan meets the purse.
        """
        if self._first >= self._size:
            return np.inf, ()
        price = float(row_duals[self.row])
        pairs = zip(costs, self._states, strict=True)
        whole = [cost + price * one.plain.money for cost, one in pairs]
        curves = []
        for line, cost in zip(self._lines, whole, strict=True):
            curve = np.full(self._size, np.inf)
            np.minimum.at(curve, line.steps, line.of(cost))
            curves.append(curve)
        sums = list(_sums(curves))
        total = self._first + int(np.argmin(sums[-1][self._first :]))
        least = float(sums[-1][total])
        if not np.isfinite(least):
            return np.inf, ()
        plan = []
        for n in range(len(curves) - 1, -1, -1):
            money = total if n == 0 else _last(curves[n], sums[n - 1], total)
            plan.append(self._part(n, money, whole[n]))
            total -= money
        worth = price * self._bounds[price < 0] if price else 0.0
        return least - worth, tuple(plan[::-1])

    def _part(self, n: int, money: int, cost: Array) -> Part:
        line, one = self._lines[n], self._states[n]
        here = np.flatnonzero(line.steps == money)
        best = here[np.argmin(line.of(cost)[here])]
        return one.between(int(one.plain.state[line.left[best]]), money * self._step)


def _sums(curves: Sequence[Array]) -> Iterator[Array]:
    """Yield the least cost of each sum of the first cells."""
    before = curves[0]
    yield before
    for curve in curves[1:]:
        now = np.full(len(curve), np.inf)
        for money in np.flatnonzero(np.isfinite(curve)).tolist():
            np.minimum(now[money:], before[: len(now) - money] + curve[money], out=now[money:])
        before = now
        yield before


def _last(curve: Array, before: Array, total: int) -> int:
    """Return what the last cell has of a sum."""
    return int(np.argmin(curve[: total + 1] + before[total::-1]))


def _line(one: Points, step: float, size: int) -> _Line:
    order = np.lexsort((one.money, one.state))
    after = np.append(order[1:], order[-1])
    is_last = one.state[after] != one.state[order]
    is_last[-1] = True
    after[is_last] = order[is_last]
    steps = np.rint(one.money / step).astype(np.int64)
    count = np.maximum(steps[after] - steps[order], 1)
    own = np.repeat(np.arange(len(order)), count)
    beyond = np.arange(len(own)) - np.repeat(np.cumsum(count) - count, count)
    at = steps[order][own] + beyond
    inside = at < size
    own, at = own[inside], at[inside]
    return _Line(at, order[own], after[own], beyond[inside] / count[own])


def purses_of(relaxed: Solver, states: Sequence[CellStates]) -> list[Purse]:
    """Return the budgets of few cells, each cell in one at most.

    Parameters
    ----------
    relaxed : Solver
        Of the program without whole numbers.
    states : sequence of CellStates
    """
    matrix, found, taken = relaxed.matrix, list[Purse](), set[int]()
    number = {one.money: k for k, one in enumerate(states)}
    for r, name in enumerate(relaxed.model.rows):
        inside = slice(matrix.indptr[r], matrix.indptr[r + 1])
        cells = [number.get(column, -1) for column in matrix.indices[inside].tolist()]
        is_sum = name.startswith("row_") and bool(np.all(matrix.data[inside] == 1.0))
        if not is_sum or not 2 <= len(cells) <= _CELLS or -1 in cells or taken & {*cells}:
            continue
        own = [states[k] for k in cells]
        bounds = float(relaxed.row_low[r]), float(relaxed.row_high[r])
        within = _within(bounds, own)
        if any(one.extras for one in own):
            continue
        step = _step(within, *(one.plain.money for one in own))
        if step is not None and 0 < within[1] / step <= _MOST:
            taken.update(cells)
            found.append(Purse(r, cells, own, bounds, step))
    return found


def _within(bounds: tuple[float, float], states: Sequence[CellStates]) -> tuple[float, float]:
    """Return the least and the most money that plans of these cells have."""
    return max(0.0, bounds[0]), min(bounds[1], sum(float(one.top.max()) for one in states))


def _step(*amounts: Sequence[float] | Array) -> float | None:
    """Return what all amounts are multiples of."""
    every = np.concatenate(amounts)
    for step in _STEPS:
        if np.all(np.abs(every / step - np.rint(every / step)) < _EXACT):
            return step
    return None
