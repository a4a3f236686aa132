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
_HAIR = 1e-9  # of what plans cost
_WIDER = 10.0
_HALVES = 20
_WIDEST = 1e9

Array = NDArray[np.float64]
Indices = NDArray[np.int64]


class _Amounts(NamedTuple):
    """Amounts of a cell, what each costs and the point it begins at."""

    steps: Indices
    costs: Array
    left: Indices


class _Line(NamedTuple):
    """Every stretch of a cell's states: its points, the left one's steps and the steps it has."""

    left: Indices
    right: Indices
    steps: Indices
    length: Indices

    def within(self, costs: Array, most: float, size: int) -> _Amounts:
        """Return the amounts that cost no more than this."""
        near = np.flatnonzero(np.minimum(costs[self.left], costs[self.right]) <= most)
        left, right, steps, length = (part[near] for part in self)
        own = np.repeat(np.arange(len(near)), length)
        beyond = np.arange(len(own)) - np.repeat(np.cumsum(length) - length, length)
        share, start, end = beyond / length[own], costs[left], costs[right]
        found = np.where(beyond, (1.0 - share) * start[own] + share * end[own], start[own])
        at = steps[own] + beyond
        inside = (at < size) & (found <= most)
        return _Amounts(at[inside], found[inside], left[own[inside]])


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
        self._lines = [_line(one.plain, step) for one in states]
        self._room = 0.0

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
        bound = self._bounds[price < 0]
        if not np.isfinite(bound):
            price = bound = 0.0  # a dual that means nothing: the row is open on its side
        pairs = list(zip(costs, (one.plain.money for one in self._states), strict=True))
        lean = self._lean([(cost + price * money, money) for cost, money in pairs])
        whole = [cost + (price + lean) * money for cost, money in pairs]
        base = sum(float(cost.min()) for cost in whole) - lean * self._held(lean)
        # What costs more than a plan has left beyond the cheapest of all cells is in none better.
        room, hair = self._room, _HAIR * (1.0 + abs(base))
        least, plan = self._among(whole, lean, room)
        while least > base + room and room < np.inf:
            enough = least - base + hair if plan else _WIDEST
            room = min(enough, max(_WIDER * room, min(enough, 1.0) / _WIDER**2))
            room = room if room < _WIDEST else np.inf
            least, plan = self._among(whole, lean, room)
        if not plan:
            return np.inf, ()
        self._room = least - base + hair
        return least - price * bound, plan

    def _held(self, lean: float) -> float:
        """Return the money that all cells have at most or, if money is made cheaper, at least."""
        return self._step * (self._size - 1 if lean > 0 else self._first)

    def _lean(self, pairs: Sequence[tuple[Array, Array]]) -> float:
        """Return by how much dearer money makes the cells' cheapest amounts fit the purse.

        Parameters
        ----------
        pairs : sequence of pairs of arrays (n_points,)
            What each point of a cell costs, and its money.
        """

        def over(lean: float) -> float:
            made = sum(float(money[np.argmin(cost + lean * money)]) for cost, money in pairs)
            most, least = made - self._held(1.0), self._held(-1.0) - made
            return most if most > 0 else -max(0.0, least)

        start = over(0.0)
        if not start:
            return 0.0
        sign = 1.0 if start > 0 else -1.0
        near, far = 0.0, sign
        while sign * over(far) > 0 and abs(far) < _WIDEST:
            near, far = far, _WIDER * far
        for _ in range(_HALVES):
            middle = (near + far) / 2
            near, far = (middle, far) if sign * over(middle) > 0 else (near, middle)
        return far

    def _among(
        self, whole: Sequence[Array], lean: float, room: float
    ) -> tuple[float, tuple[Part, ...]]:
        """Return the cheapest plan of amounts that cost so much more than the cell's cheapest."""
        every, curves = list[_Amounts](), list[Array]()
        for line, cost in zip(self._lines, whole, strict=True):
            every.append(line.within(cost, float(cost.min()) + room, self._size))
            curves.append(np.full(self._size, np.inf))
            np.minimum.at(curves[-1], every[-1].steps, every[-1].costs)
        sums = list(_sums(curves))
        ends = sums[-1] - lean * self._step * np.arange(self._size)
        total = self._first + int(np.argmin(ends[self._first :]))
        least = float(ends[total])
        if not np.isfinite(least):
            return np.inf, ()
        plan = []
        for n in range(len(curves) - 1, -1, -1):
            money = total if n == 0 else _last(curves[n], sums[n - 1], total)
            here = np.flatnonzero(every[n].steps == money)
            point = every[n].left[here[np.argmin(every[n].costs[here])]]
            state = int(self._states[n].plain.state[point])
            plan.append(self._states[n].between(state, money * self._step))
            total -= money
        return least, tuple(plan[::-1])


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


def _line(one: Points, step: float) -> _Line:
    order = np.lexsort((one.money, one.state))
    after = np.append(order[1:], order[-1])
    is_last = one.state[after] != one.state[order]
    is_last[-1] = True
    after[is_last] = order[is_last]
    steps = np.rint(one.money / step).astype(np.int64)
    return _Line(order, after, steps[order], np.maximum(steps[after] - steps[order], 1))


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
