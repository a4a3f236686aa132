r"""What no plan can be better than, by multipliers alone.

For any multipliers y of the rows :math:`l \le A z \le u`, every plan z has

.. math::

    c z = y A z + (c - A^T y) z
        \ge \sum_r \min(y_r l_r, y_r u_r) + \sum_j \min(d_j z^-_j, d_j z^+_j), \quad d = c - A^T y

(weak duality). It holds whatever y is; a good y makes it sharp. Bounds that a row or column does
not have are put there: money is bounded by its budgets, and what follows from money by that. Where
earlier stages are kept at their values, their own multipliers may be added any number of times
(each proves that its stage cannot fall below its best, at which it is kept), and are, as often as
sharpens the bound most: that is complementary slackness with its error counted.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from kc_model.arrays import Cut, Model
from kc_model.verify.proof import Multipliers, Proof, face_name

__all__ = ["Bounds", "with_faces"]

_EPS = float(np.finfo(np.longdouble).eps)
_ROUNDS = 4
_NOISE = 1e-9

Array = NDArray[np.float64]
Numbers = NDArray[np.floating[Any]]


class Bounds:
    """Lower bounds of one program after another, each keeping what was proven before."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.matrix = model.matrix.copy()
        self.matrix.eliminate_zeros()
        self.turned = sparse.csr_array(self.matrix.T)
        self._place = np.repeat(np.arange(len(model.columns)), np.diff(self.turned.indptr))
        self.place = {name: j for j, name in enumerate(model.columns)}
        self._row = {name: r for r, name in enumerate(model.rows)}
        self.low, self.high = _boxes(model, self.matrix)
        least, most = _ranges(self.matrix, self.low, self.high)
        self.row_low = np.where(np.isfinite(model.row_low), model.row_low, least)
        self.row_high = np.where(np.isfinite(model.row_high), model.row_high, most)
        self._earlier: list[tuple[Array, float]] = []
        self._costs: list[float] = []

    def vector(self, multipliers: Multipliers) -> Array:
        """Return multipliers as an array, without names of no row and numbers that are none."""
        found = np.zeros(len(self.model.rows))
        for name, value in multipliers.items():
            if name in self._row and math.isfinite(value):
                found[self._row[name]] = value
        return found

    def prove(self, cost: Array, multipliers: Multipliers) -> float:
        """Return what no plan that stands can cost less than; −inf where nothing is proven.

        Parameters
        ----------
        cost : array (n_columns,)
        multipliers : Multipliers
            Any: bad ones prove less.
        """
        with np.errstate(all="ignore"):
            rows = self._sharpened(cost, self.vector(multipliers))
            bound = self._bound(cost, rows)
            if math.isfinite(bound):
                step = np.concatenate([rows, -(self.turned @ rows)])
                self._earlier.append((step, self._unsure(cost, rows)))
                self._costs.append(0.0)
            return bound

    def keep(self, column: str, high: float, least: float) -> None:
        """Let only those plans stand from now on whose column is at most `high`.

        Parameters
        ----------
        least : float
            What `prove` said of it.
        """
        j = self.place[column]
        self.high[j] = min(self.high[j], high)
        if math.isfinite(least):
            self._costs[-1] = (high - least) / max(1.0, abs(high))

    def _sharpened(self, cost: Array, rows: Array) -> Array:
        """Add the multipliers of earlier stages as often as raises the bound most.

        The bound is concave in how often each is added; one after another is raised to its best,
        first those that cost nothing: of stages that are kept at their very best.
        """
        start = np.concatenate([rows, cost - self.turned @ rows])
        times = np.zeros(len(self._earlier))
        for _ in range(_ROUNDS):
            before = times.copy()
            for t in sorted(range(len(times)), key=lambda t: self._costs[t]):
                step, unsure = self._earlier[t]
                start -= times[t] * step
                times[t] = self._best_times(start, step, unsure)
                start += times[t] * step
            if np.array_equal(times, before):
                break
        return start[: len(rows)]

    def _best_times(self, start: Array, step: Array, unsure: float) -> float:
        """Return λ ≥ 0 that makes the bound by ``start + λ step``, concave in λ, highest.

        Every time costs what rounding makes unsure of a step.
        """
        moves = np.abs(step) > _NOISE
        start, step = start[moves], step[moves]
        low = np.concatenate([self.row_low, self.low])[moves]
        high = np.concatenate([self.row_high, self.high])[moves]
        turning = -start / step
        kinks = np.unique(turning[turning > 0])

        def rises_after(k: int) -> bool:
            """Whether the bound still rises behind kink k; −1: from 0 on."""
            left = kinks[k] if k >= 0 else 0.0
            right = kinks[k + 1] if k + 1 < len(kinks) else 2 * left + 1
            at = start + (left + right) / 2 * step
            return float(step @ np.where(at > 0, low, high)) > unsure

        first, last = -1, len(kinks) - 1  # the kink behind which it no longer rises
        while first < last:
            middle = (first + last) // 2
            if rises_after(middle):
                first = middle + 1
            else:
                last = middle
        return float(kinks[first]) if first >= 0 else 0.0

    def _bound(self, cost: Array, rows: Array) -> float:
        """Return the bound by these multipliers, less whatever rounding could have added.

        In the longest numbers there are: large multipliers cancel each other.
        """
        reduced = cost.astype(np.longdouble)
        np.subtract.at(reduced, self._place, self.turned.data * self._long(rows))
        parts = np.concatenate(
            [
                _least(rows.astype(np.longdouble), self.row_low, self.row_high),
                _least(reduced, self.low, self.high),
            ]
        )
        unsure = self._unsure(cost, rows) + len(parts) * _EPS * float(np.abs(parts).sum())
        bound = float(parts.sum()) - unsure
        return bound if math.isfinite(bound) else -math.inf

    def _long(self, rows: Array) -> NDArray[np.longdouble]:
        return rows.astype(np.longdouble)[self.turned.indices]

    def _unsure(self, cost: Array, rows: Array) -> float:
        """Return what rounding in the reduced costs can make of a bound."""
        mass = np.abs(cost) + abs(self.turned) @ np.abs(rows)
        error = _EPS * (np.diff(self.turned.indptr) + 2) * mass
        return float(error @ np.maximum(np.abs(self.low), np.abs(self.high)))


def with_faces(model: Model, proof: Proof) -> Model:
    """Return the program with the rows under its risks that the multipliers are of."""
    place = {name: j for j, name in enumerate(model.columns)}
    rows: dict[str, Cut] = {}
    for k, faces in proof.faces.items():
        risk = proof.problem.risks[k]
        cells = [place[f"x_{i}"] for i in risk.cells.tolist()]
        columns = np.array([*cells, place[f"g_{k}"]], dtype=np.int64)
        for n, face in enumerate(faces):
            slope, constant = risk.floor(face)
            rows[face_name(k, n)] = Cut(columns, np.append(-slope[risk.pool], 1.0), -constant)
    return model.grown(list(rows), list(rows.values()))


def _least(factor: Numbers, low: Array, high: Array) -> Numbers:
    """Return the least of factor · value for values between two bounds; 0 for a factor of 0."""
    return np.where(factor == 0, 0.0, factor * np.where(factor > 0, low, high))


def _ranges(matrix: sparse.csr_array, low: Array, high: Array) -> tuple[Array, Array]:
    """Return the least and the most that each row can be within bounds of the columns."""
    up, down = matrix.maximum(0), matrix.minimum(0)
    with np.errstate(invalid="ignore"):
        least, most = up @ low + down @ high, up @ high + down @ low
    least, most = np.asarray(least), np.asarray(most)
    return np.where(np.isnan(least), -np.inf, least), np.where(np.isnan(most), np.inf, most)


def _boxes(model: Model, matrix: sparse.csr_array) -> tuple[Array, Array]:
    """Return finite bounds of the columns that cut off no plan, or none that matters.

    Money: a row of coefficients ≥ 0 under a limit (a budget) bounds each of its columns. After
    that a column that stands alone without bounds in some row is what the row makes of it: exactly
    in an equation; where the row only pushes (a shortfall, a distance, the smallest of several),
    the column may as well be where the furthest of them pushes it, or at its own bound. Whoever
    makes it larger or smaller than that only makes a tier or goal worse.
    """
    low, high = model.col_low.copy(), model.col_high.copy()
    place = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    column, factor = matrix.indices, matrix.data
    fits = np.ones(matrix.shape[0], dtype=bool)
    fits[place[(factor < 0) | (low[column] < 0)]] = False
    fits &= np.isfinite(model.row_high)
    inside = fits[place]
    limit = model.row_high[place[inside]] / factor[inside]
    np.minimum.at(high, column[inside], limit)
    equal = model.row_low == model.row_high
    right = np.where(np.isfinite(model.row_low), model.row_low, model.row_high)
    while True:
        is_open = ~(np.isfinite(low) & np.isfinite(high))
        alone = np.bincount(place, is_open[column], matrix.shape[0]) == 1
        for rows in (alone & equal, alone & ~equal):
            entries = np.flatnonzero(rows[place] & is_open[column])
            if len(entries):
                break
        else:
            return low, high
        rest = _ranges(matrix, np.where(is_open, 0.0, low), np.where(is_open, 0.0, high))
        _close(low, high, column[entries], place[entries], factor[entries], right, rest)


def _close(
    low: Array,
    high: Array,
    columns: NDArray[np.int32],
    rows: NDArray[np.int64],
    factor: Array,
    right: Array,
    rest: tuple[Array, Array],
) -> None:
    """Bound open columns by what their rows leave them."""
    least, most = rest
    ends = np.stack([(right[rows] - most[rows]) / factor, (right[rows] - least[rows]) / factor])
    bottom, top = np.full(len(low), np.inf), np.full(len(high), -np.inf)
    np.minimum.at(bottom, columns, ends.min(axis=0))
    np.maximum.at(top, columns, ends.max(axis=0))
    met = np.unique(columns)
    own_low, own_high = low[met], high[met]
    low[met] = np.where(np.isfinite(own_low), own_low, np.minimum(bottom[met], own_high))
    high[met] = np.where(np.isfinite(own_high), own_high, np.maximum(top[met], own_low))
