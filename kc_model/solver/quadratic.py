"""The settlement: a separable convex quadratic program, by Clarabel and exactly after it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import clarabel
import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import linalg

from kc_model.solver.linear import Solver

__all__ = ["Settled", "resettle", "settle"]

_TOLERANCE = 1e-9
_PATIENCE = 3
_REFINED = 1e-14
_NO_PLAN = (
    clarabel.SolverStatus.PrimalInfeasible,
    clarabel.SolverStatus.AlmostPrimalInfeasible,
    clarabel.SolverStatus.DualInfeasible,
    clarabel.SolverStatus.AlmostDualInfeasible,
)

Array = NDArray[np.float64]
Indices = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Settled:
    """The plan that a settlement gave.

    Parameters
    ----------
    values : array (n_columns,)
        Columns outside the sum are feasible, not unique.
    row_duals : array (n_rows,)
        Multipliers of the rows that hold it there: `Solver.least` proves the plan by them.
    column_duals : array (n_columns,)
        What is left of the slope, column by column.
    """

    values: Array
    row_duals: Array
    column_duals: Array


def settle(
    solver: Solver,
    columns: Indices,
    target: Array,
    weight: Array,
    start: Array | None = None,
    enough: Callable[[Settled], bool] | None = None,
) -> Settled | None:
    r"""Return the plan of least :math:`\sum_i (z_i - t_i)^2 / w_i` among what still stands.

    Parameters
    ----------
    solver : Solver
        Its present bounds say what is still allowed.
    columns : array of int
        Columns the sum runs over.
    target, weight : arrays, like `columns`
        t and w; w > 0.
    start : array (n_columns,) or None
        Any plan that still stands.
    enough : callable (Settled) -> bool or None
        Whether a plan is near enough, where it is known that it will not be made exact or it was
        not; None: it never is.

    Returns
    -------
    Settled or None
        None if Clarabel does not solve it.
    """
    system = _System(solver, columns, target, weight)
    found = _clarabel(system, enough)
    if found is None and start is not None:  # where hardly any room is left it may see none
        point = system.free_part(start)
        found = _correct(system, point, system.over(point) > -_TOLERANCE)
    return None if found is None else system.settled(*found)


def resettle(
    solver: Solver,
    columns: Indices,
    target: Array,
    weight: Array,
    start: Array,
    before: Settled,
) -> Settled | None:
    """Return the same plan, found from the settlement before some numbers were changed.

    The rows that held that one are tried first. Columns outside the sum that nothing determines (a
    goal's slices, say) are not followed and may come out wrong: whether the plan stands is to be
    asked of the data, whether it is the best of its multipliers.

    Parameters
    ----------
    solver, columns, target, weight
        As for `settle`.
    start : array (n_columns,)
        Any plan that still stands.
    before : Settled

    Returns
    -------
    Settled or None
        None where that way leads nowhere.
    """
    system = _System(solver, columns, target, weight)
    active = system.active_by(before)
    if np.count_nonzero(active) > len(system.curve):
        return None  # they depend on one another: no way leads on from there
    loose = system.undetermined() & ~active
    found = _correct(system, system.free_part(start), active, loose=loose)
    return None if found is None else system.settled(*found)


class _System:
    """The program over the columns that are still free, every bound as a row G z ≤ h.

    The first rows are equations; then rows of the model from above and from below; then bounds
    of columns. Everything is in the solver's own scale.
    """

    def __init__(self, solver: Solver, columns: Indices, target: Array, weight: Array) -> None:
        self.solver = solver
        size = solver.scale
        curve, pull = np.zeros(len(solver.cost)), np.zeros(len(solver.cost))
        curve[columns], pull[columns] = 2 * size / weight, -2 * target / weight
        low, high = solver.col_low / size, solver.col_high / size
        is_free = high - low > _TOLERANCE
        self.free = np.flatnonzero(is_free)
        self.held = np.where(is_free, 0.0, low)
        self.slope = (curve, pull)
        self.curve, self.pull = curve[self.free], pull[self.free]
        self.low, self.high = low[self.free], high[self.free]
        fixed = solver.matrix @ self.held
        rows = solver.matrix.tocsc()[:, self.free].tocsr()
        self._set_rows(rows, solver.row_low / size - fixed, solver.row_high / size - fixed)

    def _set_rows(self, rows: sparse.csr_array, low: Array, high: Array) -> None:
        largest = np.zeros(rows.shape[0])
        place = np.repeat(np.arange(len(largest)), np.diff(rows.indptr))
        np.maximum.at(largest, place, abs(rows.data))
        used = largest > 0
        even = 1 / np.where(used, largest, 1.0)  # a row of outputs weighs like a row of money
        rows = sparse.csr_array(sparse.diags_array(even) @ rows)
        low, high = low * even, high * even
        is_equal = used & (high - low <= _TOLERANCE)
        above = np.flatnonzero(used & ~is_equal & np.isfinite(high))
        below = np.flatnonzero(used & ~is_equal & np.isfinite(low))
        equal = np.flatnonzero(is_equal)
        self.n_equal, self.n_rows = len(equal), len(equal) + len(above) + len(below)
        self.row = np.concatenate([equal, above, below])
        self.row_sign = np.repeat([1.0, 1.0, -1.0], [len(equal), len(above), len(below)])
        self.even = even[self.row] * self.row_sign
        self.rows = sparse.csr_array(sparse.diags_array(self.row_sign) @ rows[self.row])
        top, bottom = np.flatnonzero(np.isfinite(self.high)), np.flatnonzero(np.isfinite(self.low))
        self.column = np.concatenate([top, bottom])
        self.column_sign = np.repeat([1.0, -1.0], [len(top), len(bottom)])
        middle = (low[equal] + high[equal]) / 2
        ends = [middle, high[above], -low[below], self.high[top], -self.low[bottom]]
        self.right = np.concatenate(ends)

    def free_part(self, values: Array) -> Array:
        """Return a plan's columns that are free, scaled."""
        part = values[self.free] / self.solver.scale
        return np.clip(part, self.low, self.high)

    def over(self, point: Array) -> Array:
        """Return by how much a point is beyond each row; below 0 where there is room."""
        inside = np.concatenate([self.rows @ point, self.column_sign * point[self.column]])
        return np.asarray(inside - self.right)

    def worst(self, point: Array) -> float:
        """Return the largest miss of any row."""
        over = self.over(point)
        over[: self.n_equal] = np.abs(over[: self.n_equal])
        return float(np.max(over, initial=0.0))

    def middle(self) -> Array:
        """Return the point of least cost of all, whatever the rows say; 0 where nothing pulls."""
        return np.divide(-self.pull, self.curve, np.zeros_like(self.curve), where=self.curve > 0)

    def cost(self, point: Array) -> float:
        """Return what is minimised, at a point."""
        return float(self.curve @ (point**2) / 2 + self.pull @ point)

    def active_by(self, before: Settled) -> Mask:
        """Return the rows that held an earlier plan: those with a multiplier."""
        rows = before.row_duals[self.row] * self.row_sign
        columns = before.column_duals[self.free][self.column] * self.column_sign
        active = np.concatenate([rows, columns]) < -_TOLERANCE
        active[: self.n_equal] = True
        return active

    def undetermined(self) -> Mask:
        """Return the rows and bounds of columns that neither the sum nor an equation determines."""
        loose = self.curve == 0
        pattern = sparse.csr_array(
            (np.ones_like(self.rows.data), self.rows.indices, self.rows.indptr), self.rows.shape
        )
        alone = np.flatnonzero((pattern @ loose)[: self.n_equal] == 1)
        loose = loose & ~((pattern[alone].sum(axis=0)) > 0)
        rows = np.asarray(pattern @ loose) > 0
        rows[: self.n_equal] = False
        return np.concatenate([rows, loose[self.column]])

    def stationary(self, start: Array, active: Mask) -> tuple[Array, Array] | None:
        """Return point and multipliers if the active rows are equations; None if singular.

        Slightly regularised and refined, as OSQP's polishing step is (Stellato et al. 2020,
        section 4). Columns at a bound are taken out first.
        """
        held = np.flatnonzero(active[self.n_rows :])
        at = self.column[held]
        point = start.copy()
        point[at] = self.column_sign[held] * self.right[self.n_rows + held]
        rest = np.ones(len(point), dtype=bool)
        rest[at] = False
        rows = self.rows[np.flatnonzero(active[: self.n_rows])]
        left = sparse.csr_array(rows.tocsc()[:, np.flatnonzero(rest)])
        wanted = self.right[: self.n_rows][active[: self.n_rows]] - rows @ np.where(rest, 0, point)
        found = _stationary(self.curve[rest], self.pull[rest], left, wanted, point[rest])
        if found is None:
            return None
        point[rest] = found[0]
        multipliers = np.zeros(len(self.right))
        multipliers[np.flatnonzero(active[: self.n_rows])] = found[1]
        slope = self.curve * point + self.pull + self.rows.T @ multipliers[: self.n_rows]
        multipliers[self.n_rows + held] = -self.column_sign[held] * slope[at]
        return point, multipliers

    def settled(self, point: Array, multipliers: Array) -> Settled:
        """Return a point and its multipliers in the solver's own columns and rows."""
        values = self.held.copy()
        values[self.free] = np.clip(point, self.low, self.high)
        duals = np.zeros(len(self.solver.row_low))
        np.add.at(duals, self.row, -self.even * multipliers[: self.n_rows])
        curve, pull = self.slope
        left = curve * values + pull - self.solver.matrix.T @ duals
        return Settled(values * self.solver.scale, duals, left)


def _stationary(
    curve: Array, pull: Array, rows: sparse.csr_array, right: Array, start: Array
) -> tuple[Array, Array] | None:
    """Return point and multipliers where rows are equations; None if singular.

    A column that nothing pulls at and that stands in one row alone leaves that row without a
    multiplier. Such rows are put by, one layer after the other, and filled up at the end by those
    columns, as little as possible of each: what is to be factored is a tenth as large.
    """
    layers, stays = _layers(rows, (curve == 0) & (pull == 0))
    point, multipliers = start.copy(), np.zeros(rows.shape[0])
    kept = rows[np.flatnonzero(stays)]
    used = np.bincount(kept.indices, minlength=len(start)) > 0
    used |= (curve != 0) | (pull != 0)
    columns = np.flatnonzero(used)
    solved = _solve_kkt(
        curve[used], pull[used], kept.tocsc()[:, columns].tocsr(), right[stays], start[used]
    )
    if solved is None:
        return None
    point[used], multipliers[stays] = solved
    for row, column, value in reversed(layers):
        missing = right - rows @ point
        weight = np.bincount(row, value**2, rows.shape[0])
        point[column] += value * missing[row] / weight[row]
    return point, multipliers


def _layers(
    rows: sparse.csr_array, idle: Mask
) -> tuple[list[tuple[Indices, Indices, Array]], Mask]:
    """Return rows that an idle column has for itself, with those columns, layer by layer.

    Columns that nothing pulls at are `idle`. A layer is rows, columns and values: the entries of
    such columns in such rows, which do not stand in rows of later layers; then the other rows that
    say something.
    """
    place = np.repeat(np.arange(rows.shape[0]), np.diff(rows.indptr)).astype(np.int64)
    alive = rows.data != 0
    layers: list[tuple[Indices, Indices, Array]] = []
    while True:
        count = np.bincount(rows.indices[alive], minlength=rows.shape[1])
        alone = np.flatnonzero(alive & (idle & (count == 1))[rows.indices])
        if not len(alone):
            break
        at = rows.indices[alone].astype(np.int64)
        layers.append((place[alone], at, rows.data[alone]))
        gone = np.zeros(rows.shape[0], dtype=bool)
        gone[place[alone]] = True
        alive &= ~gone[place]
    stays = np.bincount(place[alive], minlength=rows.shape[0]) > 0
    return layers, stays


def _solve_kkt(
    curve: Array, pull: Array, rows: sparse.csr_array, right: Array, start: Array
) -> tuple[Array, Array] | None:
    n, m = len(start), rows.shape[0]
    if not n:
        return np.zeros(0), np.zeros(m)
    scale = 1e-9 * max(1e-6, float(np.median(curve[curve > 0])) if np.any(curve > 0) else 1.0)
    shift = np.repeat([scale, -scale], [n, m])
    part, every = rows.tocoo(), np.arange(n + m)
    row, column = part.row + n, part.col
    values = [shift + np.append(curve, np.zeros(m)), part.data, part.data]
    at = np.concatenate([every, row, column]), np.concatenate([every, column, row])
    kkt = sparse.csc_array((np.concatenate(values), at), shape=(n + m, n + m))
    wanted = np.concatenate([-pull, right])
    try:
        factor = linalg.splu(kkt, permc_spec="MMD_AT_PLUS_A")  # symmetric
    except RuntimeError:
        return None
    point = np.concatenate([start, np.zeros(m)])
    for _ in range(20):
        off = wanted - (kkt @ point - shift * point)
        if np.max(np.abs(off)) <= _REFINED * max(1.0, float(np.max(np.abs(wanted)))):
            break
        point = point + factor.solve(off)
    return (point[:n], point[n:]) if np.all(np.isfinite(point)) else None


def _clarabel(
    system: _System, enough: Callable[[Settled], bool] | None
) -> tuple[Array, Array] | None:
    """Return point and multipliers by an interior point method, made exact.

    Where `enough` may be met, the method begins in the middle: the cost is less there, and it ends
    much nearer by its tolerances, which are relative. What is enough is not made exact if more rows
    hold it than it has columns. Otherwise it begins anew; where rows that depend on one another
    leave no exact point, it goes on around its own.
    """
    if not len(system.curve):
        return np.zeros(0), np.zeros(len(system.right))
    near = None if enough is None else _interior(system, system.middle())
    if near is not None and enough is not None:
        point, active, dual = near
        if enough(system.settled(point, dual)):
            if np.count_nonzero(active) > len(point):
                return point, dual
            return _correct(system, point, active, multipliers=dual) or (point, dual)
    near = _interior(system, np.zeros(len(system.curve)))
    if near is None:
        return None
    point, active, dual = near
    found = _correct(system, point, active, multipliers=dual)
    if found is None or found[0] is not point:
        return found
    nearer, room = _interior(system, point), max(system.worst(point), _TOLERANCE)
    if nearer is None or system.worst(nearer[0]) > room:  # it may go astray
        return found
    return nearer[0], nearer[2]


def _interior(system: _System, around: Array) -> tuple[Array, Mask, Array] | None:
    """Return point, active rows and multipliers by an interior point method, begun at a point."""
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    settings.max_threads = 1
    settings.tol_gap_abs = settings.tol_gap_rel = settings.tol_feas = 1e-11
    settings.max_iter = 500
    n, bounds = len(system.curve), len(system.column)
    eye = sparse.csr_array(
        (system.column_sign, system.column, np.arange(bounds + 1)), shape=(bounds, n)
    )
    n_equal = system.n_equal
    cones = [clarabel.ZeroConeT(n_equal), clarabel.NonnegativeConeT(len(system.right) - n_equal)]
    found: Any = clarabel.DefaultSolver(
        sparse.diags_array(system.curve, format="csc"),
        system.pull + system.curve * around,
        sparse.csc_matrix(sparse.vstack([system.rows, eye])),
        -system.over(around),
        cones,
        settings,
    ).solve()
    # A start is enough: the active set is corrected below, `kc_model.allocate` proves the plan.
    if found.status in _NO_PLAN or not np.all(np.isfinite(found.x)):
        return None
    away, slack, dual = (np.array(part) for part in (found.x, found.s, found.z))
    active = np.arange(len(dual)) < n_equal
    active |= slack < dual * np.maximum(1.0, np.abs(system.right))
    return around + away, active, dual


def _correct(
    system: _System,
    values: Array,
    active: Mask,
    multipliers: Array | None = None,
    *,
    loose: Mask | None = None,
) -> tuple[Array, Array] | None:
    """Solve the optimality conditions on the active rows exactly, and correct which are active.

    An interior point is good to about 1e-8; whole đồng need 1e-12. A row whose multiplier pulls
    the wrong way is let go, a row that is broken is taken in (primal-dual active set), until
    nothing changes or it goes astray: where rows depend on one another it may. The best feasible
    point met is kept. With `loose` rows, which need not hold, only the end counts.
    """
    best = values
    held = np.zeros(len(system.right)) if multipliers is None else multipliers
    room = max(system.worst(values), _TOLERANCE)
    least = system.cost(values)
    fewest, stalled = len(active), 0
    while stalled < _PATIENCE:
        solved = system.stationary(best, active)
        if solved is None:
            break
        found, forces = solved
        value = system.cost(found)
        if system.worst(found) <= room and value <= least + 1e-12 * abs(least):
            best, held, least = found, forces, value
        now = system.over(found) > _TOLERANCE
        if loose is not None:
            now &= ~loose
        now[active] = forces[active] > 0
        now[: system.n_equal] = True
        if np.array_equal(now, active):
            if loose is not None:
                return solved
            break
        moved = int(np.count_nonzero(now != active))
        stalled = 0 if moved < fewest else stalled + 1
        fewest, active = min(fewest, moved), now
    if loose is not None:
        return None
    return (best, held) if system.worst(best) <= 1e-4 else None
