"""The only door to HiGHS and Clarabel.

A PuLP problem is compiled once to arrays and handed to one live HiGHS model, which is then
re-solved in place: only what a change moves is moved. An answer is optimal when HiGHS itself says
so *and* the gap between primal and dual objective, recomputed here from the original data, is
closed; every other ending gives no numbers.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from enum import StrEnum
from operator import attrgetter
from typing import Any

import clarabel
import highspy
import numpy as np
import pulp
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import linalg

__all__ = ["GAP", "GAP_WHOLE", "Model", "Outcome", "Solver", "Status", "compile_program", "settle"]

GAP = 1e-6
"""Largest relative gap of a linear program that counts as closed."""
GAP_WHOLE = 1e-3
"""The same where whole projects are chosen."""

_TOLERANCE = 1e-9
_WIDER = 1e-7
_CORRECTIONS = 25
_NO_PLAN = (
    clarabel.SolverStatus.PrimalInfeasible,
    clarabel.SolverStatus.AlmostPrimalInfeasible,
    clarabel.SolverStatus.DualInfeasible,
    clarabel.SolverStatus.AlmostDualInfeasible,
)
_INF = float("inf")

Array = NDArray[np.float64]
Indices = NDArray[np.int64]


class Status(StrEnum):
    """How a solve ended. Only OPTIMAL carries numbers."""

    OPTIMAL = "optimal"
    INFEASIBLE = "infeasible"
    LIMIT = "limit"
    FAILED = "failed"


_ENDINGS = {
    highspy.HighsModelStatus.kOptimal: Status.OPTIMAL,
    highspy.HighsModelStatus.kInfeasible: Status.INFEASIBLE,
    highspy.HighsModelStatus.kTimeLimit: Status.LIMIT,
    highspy.HighsModelStatus.kIterationLimit: Status.LIMIT,
    highspy.HighsModelStatus.kInterrupt: Status.LIMIT,
    highspy.HighsModelStatus.kSolutionLimit: Status.LIMIT,
}


@dataclass(frozen=True)
class Model:
    """A program as arrays: minimise cost · z, row_low ≤ A z ≤ row_high, col_low ≤ z ≤ col_high.

    Parameters
    ----------
    columns, rows : tuple of str
        Names, in the order of the arrays.
    matrix : sparse CSR (n_rows, n_columns)
    row_low, row_high, col_low, col_high : arrays
        Infinite where open.
    whole : array of bool (n_columns,)
        Columns that take whole numbers only.
    """

    columns: tuple[str, ...]
    rows: tuple[str, ...]
    matrix: sparse.csr_array
    row_low: Array
    row_high: Array
    col_low: Array
    col_high: Array
    whole: NDArray[np.bool_]


@dataclass(frozen=True)
class Outcome:
    """What one solve gave.

    Parameters
    ----------
    status : Status
    values, column_duals, row_duals : arrays
        Empty unless the status is optimal; duals are empty for whole-number programs. A dual is
        what the minimised objective gains for one more unit on the row or the active bound.
    objective, gap : float
        NaN unless optimal; the gap is relative and recomputed.
    """

    status: Status
    values: Array
    column_duals: Array
    row_duals: Array
    objective: float
    gap: float


_NOTHING = np.array([], dtype=np.float64)


def compile_program(problem: pulp.LpProblem) -> Model:
    """Return a PuLP problem as arrays.

    Parameters
    ----------
    problem : pulp.LpProblem
        Its objective is not read: costs are set on the live model.
    """
    variables = problem.variables()
    place = {id(variable): i for i, variable in enumerate(variables)}
    constraints = problem.constraints()
    starts = np.cumsum([0, *(len(row) for row in constraints)])
    indices = np.fromiter((place[id(v)] for row in constraints for v in row), np.int32, starts[-1])
    data = np.fromiter((c for row in constraints for c in row.values()), np.float64, starts[-1])
    right = -np.fromiter(map(attrgetter("constant"), constraints), np.float64, len(constraints))
    sense = np.fromiter(map(attrgetter("sense"), constraints), np.int8, len(constraints))
    low = [-_INF if v.lowBound is None else v.lowBound for v in variables]
    high = [_INF if v.upBound is None else v.upBound for v in variables]
    return Model(
        tuple(variable.name for variable in variables),
        tuple(row.name for row in constraints),
        sparse.csr_array((data, indices, starts), shape=(len(constraints), len(variables))),
        np.where(sense == pulp.LpConstraintLE, -_INF, right),
        np.where(sense == pulp.LpConstraintGE, _INF, right),
        np.array(low, dtype=np.float64),
        np.array(high, dtype=np.float64),
        np.array([variable.cat == pulp.LpInteger for variable in variables], dtype=bool),
    )


class Solver:
    """One live HiGHS model that is changed and solved again in place.

    Parameters
    ----------
    model : Model
    deadline : float
        Moment of `time.monotonic` after which nothing is proven any more.
    scale : float
        Size that HiGHS and Clarabel see as 1. Their tolerances are absolute: what is a rounding
        error of a ministry's money is all the money of a commune. Bounds and values are given and
        returned unscaled.
    """

    def __init__(self, model: Model, deadline: float = _INF, scale: float = 1.0) -> None:
        self.model = model
        self.deadline = deadline
        self.scale = scale
        self.row_low, self.row_high = model.row_low.copy(), model.row_high.copy()
        self.col_low, self.col_high = model.col_low.copy(), model.col_high.copy()
        self.cost = np.zeros(len(model.columns))
        self._highs: Any = highspy.Highs()  # type: ignore[no-untyped-call]
        for option, value in (
            ("output_flag", False),
            ("threads", 1),
            ("random_seed", 0),
            ("primal_feasibility_tolerance", _TOLERANCE),
            ("dual_feasibility_tolerance", _TOLERANCE),
            ("mip_rel_gap", GAP_WHOLE / 10),
        ):
            self._highs.setOptionValue(option, value)
        self._pass()

    def _pass(self) -> None:
        model = self.model
        status = self._highs.passModel(
            len(model.columns),
            len(model.rows),
            model.matrix.nnz,
            int(highspy.MatrixFormat.kRowwise),
            int(highspy.ObjSense.kMinimize),
            0.0,
            self.cost,
            self.col_low / self.scale,
            self.col_high / self.scale,
            self.row_low / self.scale,
            self.row_high / self.scale,
            model.matrix.indptr.astype(np.int32),
            model.matrix.indices.astype(np.int32),
            model.matrix.data,
            model.whole.astype(np.int32),  # never empty: highspy reads past an empty array
        )
        self.sound = status != highspy.HighsStatus.kError

    def set_cost(self, cost: Array) -> None:
        """Replace the objective, which is minimised."""
        self.cost = np.asarray(cost, dtype=np.float64).copy()
        every = np.arange(len(self.cost), dtype=np.int32)
        self._highs.changeColsCost(len(every), every, self.cost)

    def set_rows(self, rows: Indices, low: Array, high: Array) -> None:
        """Replace the bounds of some rows."""
        self.row_low[rows], self.row_high[rows] = low, high
        self._highs.changeRowsBounds(
            len(rows),
            np.asarray(rows, np.int32),
            self.row_low[rows] / self.scale,
            self.row_high[rows] / self.scale,
        )

    def set_columns(self, columns: Indices, low: Array, high: Array) -> None:
        """Replace the bounds of some columns."""
        self.col_low[columns], self.col_high[columns] = low, high
        self._highs.changeColsBounds(
            len(columns),
            np.asarray(columns, np.int32),
            self.col_low[columns] / self.scale,
            self.col_high[columns] / self.scale,
        )

    def run(self) -> Outcome:
        """Solve what stands now.

        Returns
        -------
        Outcome
            Optimal only if HiGHS says so and the recomputed gap is closed.
        """
        status = self._run()
        for tolerance in (_TOLERANCE, _WIDER):
            if status in (Status.OPTIMAL, Status.LIMIT) or not self.sound:
                break
            # A hot start may call a plan impossible that a fresh one finds.
            self._highs.clearSolver()
            self._highs.setOptionValue("primal_feasibility_tolerance", tolerance)
            status = self._run()
        self._highs.setOptionValue("primal_feasibility_tolerance", _TOLERANCE)
        if status is not Status.OPTIMAL:
            return _ended(status)
        solution = self._highs.getSolution()
        values = np.array(solution.col_value) * self.scale
        if self.model.whole.any():
            gap = float(self._highs.getInfo().mip_gap)
            duals = (_NOTHING, _NOTHING)
        else:
            duals = (np.array(solution.col_dual), np.array(solution.row_dual))
            gap = self._gap(values, *duals)
        limit = GAP_WHOLE if self.model.whole.any() else GAP
        if not (gap <= limit and self._residual(values) <= GAP):
            return _ended(Status.FAILED)
        return Outcome(status, values, *duals, float(self.cost @ values), gap)

    def _run(self) -> Status:
        left = self.deadline - time.monotonic()
        if left <= 0:
            return Status.LIMIT
        if not self.sound:
            return Status.FAILED
        # HiGHS counts the time of all runs of a model together.
        self._highs.setOptionValue("time_limit", self._highs.getRunTime() + left)
        self._highs.run()
        return self._status()

    def _status(self) -> Status:
        status = self._highs.getModelStatus()
        if status == highspy.HighsModelStatus.kUnboundedOrInfeasible:
            self._highs.setOptionValue("presolve", "off")
            self._highs.run()
            self._highs.setOptionValue("presolve", "choose")
            status = self._highs.getModelStatus()
        return _ENDINGS.get(status, Status.FAILED)

    def _residual(self, values: Array) -> float:
        """Largest miss of any row or bound, against the size of the bound and the scale."""
        worst = 0.0
        for left, low, high in (
            (self.model.matrix @ values, self.row_low, self.row_high),
            (values, self.col_low, self.col_high),
        ):
            size = np.maximum(self.scale, np.abs(left))
            missed = np.maximum(low - left, left - high) / size
            worst = max(worst, float(np.max(missed, initial=0.0)))
        return worst

    def _gap(self, values: Array, column_duals: Array, row_duals: Array) -> float:
        """Relative distance of the primal objective from the dual one, from the original data."""
        free = self.cost - self.model.matrix.T @ row_duals
        if np.max(np.abs(free - column_duals), initial=0.0) > 1e-6 * (
            1 + np.max(np.abs(self.cost))
        ):
            return _INF
        primal = float(self.cost @ values)
        dual = _supported(row_duals, self.row_low, self.row_high) + _supported(
            column_duals, self.col_low, self.col_high
        )
        return abs(primal - dual) / max(self.scale, abs(primal))


def _supported(duals: Array, low: Array, high: Array) -> float:
    """Σ dual · the bound it leans on; a dual below noise that leans on nothing is dropped."""
    bound = np.where(duals > 0, low, high)
    used = np.isfinite(bound)
    if np.any(np.abs(duals[~used]) > 1e-6):
        return _INF
    return float(duals[used] @ bound[used])


def _ended(status: Status) -> Outcome:
    return Outcome(status, _NOTHING, _NOTHING, _NOTHING, float("nan"), float("nan"))


# ---------------------------------------------------------------------------- settlement


def settle(solver: Solver, columns: Indices, target: Array, weight: Array) -> Array | None:
    r"""Return the plan of least :math:`\sum_i (z_i - t_i)^2 / w_i` among what still stands.

    Parameters
    ----------
    solver : Solver
        Its present bounds say what is still allowed.
    columns : array of int
        Columns the sum runs over.
    target, weight : arrays, like `columns`
        t and w; w > 0.

    Returns
    -------
    array (n_columns,) or None
        None if Clarabel does not solve it. Columns outside `columns` are feasible, not unique.
    """
    size = solver.scale
    low, high = solver.col_low / size, solver.col_high / size
    is_free = high - low > _TOLERANCE
    free = np.flatnonzero(is_free)
    values = np.where(is_free, 0.0, low)
    curve, pull = np.zeros(len(low)), np.zeros(len(low))
    curve[columns], pull[columns] = 2 * size / weight, -2 * target / weight
    fixed = solver.model.matrix @ values
    rows = (solver.row_low / size - fixed, solver.row_high / size - fixed)
    matrix = solver.model.matrix.tocsc()[:, free]
    system = _inequalities(matrix, *rows, low[free], high[free])
    solution = _clarabel(curve[free], pull[free], *system)
    if solution is None:
        return None
    values[free] = np.clip(solution, low[free], high[free])
    return values * size


def _inequalities(
    matrix: sparse.csc_array, row_low: Array, row_high: Array, low: Array, high: Array
) -> tuple[sparse.csc_array, Array, int]:
    """Return (G, h, n_equal): the first n_equal rows are G z = h, the others G z ≤ h."""
    rows = matrix.tocsr()
    used = np.diff(rows.indptr) > 0
    largest = np.zeros(rows.shape[0])
    np.maximum.at(largest, np.repeat(np.arange(len(largest)), np.diff(rows.indptr)), abs(rows.data))
    even = 1 / np.where(largest > 0, largest, 1.0)  # a row of outputs weighs like a row of money
    rows = sparse.csr_array(sparse.diags_array(even) @ rows)
    row_low, row_high = row_low * even, row_high * even
    equal = used & (row_high - row_low <= _TOLERANCE)
    above = used & ~equal & np.isfinite(row_high)
    below = used & ~equal & np.isfinite(row_low)
    eye = sparse.eye_array(matrix.shape[1], format="csr")
    top, bottom = np.isfinite(high), np.isfinite(low)
    stacked = sparse.vstack(
        [rows[equal], rows[above], -rows[below], eye[top], -eye[bottom]], format="csc"
    )
    right = np.concatenate(
        [
            (row_low[equal] + row_high[equal]) / 2,
            row_high[above],
            -row_low[below],
            high[top],
            -low[bottom],
        ]
    )
    return stacked, right, int(equal.sum())


def _clarabel(
    curve: Array, pull: Array, matrix: sparse.csc_array, right: Array, n_equal: int
) -> Array | None:
    if not len(curve):
        return np.zeros(0)
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    settings.max_threads = 1
    settings.tol_gap_abs = settings.tol_gap_rel = settings.tol_feas = 1e-11
    settings.max_iter = 500
    cones = [clarabel.ZeroConeT(n_equal), clarabel.NonnegativeConeT(len(right) - n_equal)]
    found: Any = clarabel.DefaultSolver(
        sparse.diags_array(curve, format="csc"),
        pull,
        sparse.csc_matrix(matrix),
        right,
        cones,
        settings,
    ).solve()
    # A start is enough: the active set is corrected below, `kc_model.allocate` proves the plan.
    if found.status in _NO_PLAN or not np.all(np.isfinite(found.x)):
        return None
    values, slack, dual = (np.array(part) for part in (found.x, found.s, found.z))
    active = np.arange(len(right)) < n_equal
    active |= slack < dual * np.maximum(1.0, np.abs(right))
    return _polish(values, curve, pull, (matrix, right, n_equal), active)


def _polish(
    values: Array,
    curve: Array,
    pull: Array,
    system: tuple[sparse.csc_array, Array, int],
    active: NDArray[np.bool_],
) -> Array | None:
    """Solve the optimality conditions on the active rows exactly, and correct which are active.

    An interior point is good to about 1e-8; whole đồng need 1e-12. A row whose multiplier pulls
    the wrong way is let go, a row that is broken is taken in (primal-dual active set), until
    nothing changes. The best feasible point met is kept.
    """
    matrix, right, n_equal = system
    best = values
    room = max(_worst(values, matrix, right, n_equal), _TOLERANCE)
    least = curve @ (values**2) / 2 + pull @ values
    for _ in range(_CORRECTIONS):
        point = _stationary(best, curve, pull, (matrix, right), active)
        if point is None:
            break
        found, multipliers = point
        value = curve @ (found**2) / 2 + pull @ found
        if _worst(found, matrix, right, n_equal) <= room and value <= least + 1e-12 * abs(least):
            best, least = found, value
        now = matrix @ found - right > _TOLERANCE
        now[active] = multipliers > 0
        now[:n_equal] = True
        if np.array_equal(now, active):
            break
        active = now
    return best if _worst(best, matrix, right, n_equal) <= 1e-4 else None


def _stationary(
    start: Array,
    curve: Array,
    pull: Array,
    system: tuple[sparse.csc_array, Array],
    active: NDArray[np.bool_],
) -> tuple[Array, Array] | None:
    """Point and multipliers of the program whose rows `active` are equations; None if singular.

    Slightly regularised and refined, as OSQP's polishing step is (Stellato et al. 2020, section 4).
    """
    matrix, right = system
    rows = matrix.tocsr()[active]
    n, m = len(start), rows.shape[0]
    scale = 1e-9 * max(1e-6, float(np.median(curve[curve > 0])) if np.any(curve > 0) else 1.0)
    kkt = sparse.block_array([[sparse.diags_array(curve), rows.T], [rows, None]], format="csc")
    shift = sparse.diags_array(np.concatenate([np.full(n, scale), np.full(m, -scale)]))
    wanted = np.concatenate([-pull, right[active]])
    try:
        factor = linalg.splu((kkt + shift).tocsc())
    except RuntimeError:
        return None
    point = np.concatenate([start, np.zeros(m)])
    for _ in range(20):
        point = point + factor.solve(wanted - kkt @ point)
    return (point[:n], point[n:]) if np.all(np.isfinite(point)) else None


def _worst(values: Array, matrix: sparse.csc_array, right: Array, n_equal: int) -> float:
    over = matrix @ values - right
    over[:n_equal] = np.abs(over[:n_equal])
    return float(np.max(over, initial=0.0))
