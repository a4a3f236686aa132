"""Linear and whole-number programs, by HiGHS.

A program's arrays are handed to one live HiGHS model, which is then re-solved in place: only what
a change moves is moved. An answer is optimal when HiGHS itself says
so *and* the gap between primal and dual objective, recomputed here from the original data, is
closed; every other ending gives no numbers.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import highspy
import numpy as np
from numpy.typing import NDArray

from kc_model.arrays import Cut, Model, below, beside, rows_of

__all__ = ["GAP", "GAP_WHOLE", "Outcome", "Solver", "Status"]

GAP = 1e-6
"""Largest relative gap of a linear program that counts as closed."""
GAP_WHOLE = 1e-3
"""The same where whole projects are chosen."""

_TOLERANCE = 1e-9
_WIDER = 1e-7
_DEVEX = 1
_NODES = 2**31 - 1
_FEASIBLE = 2  # kSolutionStatusFeasible of HiGHS
_INF = float("inf")
_NOWHERE = np.zeros(0, dtype=np.int64)

Array = NDArray[np.float64]
Indices = NDArray[np.int64]


class Status(StrEnum):
    """How a solve ended. Only OPTIMAL carries numbers that are proven."""

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
class Outcome:
    """What one solve gave.

    Parameters
    ----------
    status : Status
    values, column_duals, row_duals : arrays
        Empty unless the status is optimal; duals are empty for whole-number programs. A dual is
        what the minimised objective gains for one more unit on the row or the active bound. Of a
        whole-number program that was cut off the values are the best found so far, if any.
    objective, gap : float
        NaN unless there are values; the gap is relative and recomputed.
    """

    status: Status
    values: Array
    column_duals: Array
    row_duals: Array
    objective: float
    gap: float


_NOTHING = np.array([], dtype=np.float64)


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
        returned unscaled. Columns of whole numbers are not scaled.
    """

    def __init__(self, model: Model, deadline: float = _INF, scale: float = 1.0) -> None:
        self.model = model
        self.matrix = model.matrix.copy()
        self._by_column = self.matrix.T  # another view of the same numbers
        self.deadline = deadline
        self.scale = scale
        self._size = np.where(model.whole, 1.0, scale)
        self.row_low, self.row_high = model.row_low.copy(), model.row_high.copy()
        self.col_low, self.col_high = model.col_low.copy(), model.col_high.copy()
        self.cost = np.zeros(len(model.columns))
        self.complete: Callable[[Array], bool] | None = None
        """Adds what a plan breaks of rows not written down, True if any; None: all are there."""
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
            self.matrix.nnz,
            int(highspy.MatrixFormat.kRowwise),
            int(highspy.ObjSense.kMinimize),
            0.0,
            self.cost * self._size / self.scale,
            self.col_low / self._size,
            self.col_high / self._size,
            self.row_low / self.scale,
            self.row_high / self.scale,
            self.matrix.indptr.astype(np.int32),
            self.matrix.indices.astype(np.int32),
            self.matrix.data * self._size[self.matrix.indices] / self.scale,
            model.whole.astype(np.int32),  # never empty: highspy reads past an empty array
        )
        self.sound = status != highspy.HighsStatus.kError

    def set_cost(self, cost: Array) -> None:
        """Replace the objective, which is minimised."""
        moved = np.flatnonzero(cost != self.cost).astype(np.int32)
        self.cost = np.asarray(cost, dtype=np.float64).copy()
        cost = self.cost[moved] * self._size[moved] / self.scale
        self._highs.changeColsCost(len(moved), moved, cost)

    def listen(self, told: Callable[[float], None]) -> None:
        """Tell the gap while whole numbers are looked for; what is raised there ends the search."""

        def tell(event: Any) -> None:
            data = event.data_out
            found, bound = float(data.mip_primal_bound), float(data.mip_dual_bound)
            known = np.isfinite(found) and np.isfinite(bound)
            told(abs(found - bound) / max(1.0, abs(found)) if known else _INF)

        self._highs.cbMipInterrupt += tell

    def ask(self, gap: float, nodes: int = _NODES) -> None:
        """Say how near to the best whole numbers a search may end, relatively, or after how many.

        Parameters
        ----------
        gap : float
        nodes : int
            Branchings after which the best found so far has to do: unlike time they are the same
            on every machine.
        """
        for option, value in (
            ("mip_max_nodes", nodes),
            ("mip_rel_gap", gap),
            ("mip_abs_gap", min(gap, GAP)),
            ("mip_feasibility_tolerance", _TOLERANCE),
        ):
            self._highs.setOptionValue(option, value)

    def hint(self, values: Array) -> None:
        """Let the next search for whole numbers begin from a plan that stands."""
        solution = highspy.HighsSolution()
        solution.col_value = (values / self._size).tolist()
        self._highs.setSolution(solution)

    def set_coefficients(self, row: int, coefficients: Mapping[int, float]) -> None:
        """Replace coefficients of a row, by column; the row must have had these columns."""
        start, end = self.matrix.indptr[row : row + 2]
        for at in range(start, end):
            column = int(self.matrix.indices[at])
            value = coefficients.get(column, self.matrix.data[at])
            if value != self.matrix.data[at]:
                self.matrix.data[at] = value
                size = self._size[column] / self.scale
                self._highs.changeCoeff(row, column, value * size)

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
            self.col_low[columns] / self._size[columns],
            self.col_high[columns] / self._size[columns],
        )

    def add(self, cuts: Sequence[Cut], into: Indices = _NOWHERE, factor: float = 0.0) -> None:
        """Add columns from 0 up behind those that are there, then rows that may use them.

        Parameters
        ----------
        cuts : sequence of Cut
            The rows.
        into : array of int
            For each new column a row that it enters.
        factor : float
            With this coefficient.
        """
        width, count = len(self.col_low), len(into)
        parts = [f"part_{width + n}" for n in range(count)]
        rows = [f"cut_{len(self.row_low) + n}" for n in range(len(cuts))]
        self.model = self.model.grown(rows, cuts, parts, (into, factor))
        new = rows_of(cuts, width + count)
        none, ones = np.zeros(count), np.full(count, _INF)
        low, high = np.array([cut.low for cut in cuts]), np.full(len(cuts), _INF)
        self.matrix = below(beside(self.matrix, into, factor), new)
        self._by_column = self.matrix.T
        self._size = np.append(self._size, np.full(count, self.scale))
        self.row_low, self.row_high = np.append(self.row_low, low), np.append(self.row_high, high)
        self.col_low, self.col_high = np.append(self.col_low, none), np.append(self.col_high, ones)
        self.cost = np.append(self.cost, none)
        if count:
            at, links = np.arange(count, dtype=np.int32), into.astype(np.int32)
            data = np.full(count, factor)
            self._highs.addCols(count, none, none, ones, count, at, links, data)
        at, columns = new.indptr[:-1].astype(np.int32), new.indices.astype(np.int32)
        data = new.data * self._size[columns] / self.scale
        self._highs.addRows(len(cuts), low / self.scale, high, new.nnz, at, columns, data)

    def basis(self) -> Any:
        """Return where the last solve ended, for `start`."""
        return self._highs.getBasis()

    def start(self, basis: Any) -> None:
        """Begin the next solve where an earlier one of the same model ended.

        From there few steps are left: the steepest edge's exact weights would not pay (Devex).
        """
        rows = len(self.row_low) - len(basis.row_status)
        columns = len(self.col_low) - len(basis.col_status)
        if rows or columns:  # what was added since holds nothing yet
            status = highspy.HighsBasisStatus
            basis.row_status = [*basis.row_status, *[status.kBasic] * rows]
            basis.col_status = [*basis.col_status, *[status.kLower] * columns]
        self._highs.setBasis(basis)
        self._highs.setOptionValue("simplex_dual_edge_weight_strategy", _DEVEX)

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
        is_whole = bool(self.model.whole.any())
        if status is not Status.OPTIMAL:
            return self._best_found(status) if is_whole else _ended(status)
        solution = self._highs.getSolution()
        values = _array(solution.col_value) * self._size
        if is_whole:
            gap, duals = self._whole_gap(), (_NOTHING, _NOTHING)
        else:
            duals = (_array(solution.col_dual), _array(solution.row_dual))
            gap = self._gap(values, *duals)
        limit = GAP_WHOLE if is_whole else GAP
        if not (gap <= limit and self._residual(values) <= GAP):
            return _ended(Status.FAILED)
        return Outcome(status, values, *duals, float(self.cost @ values), gap)

    def _best_found(self, status: Status) -> Outcome:
        """Return how a search for whole numbers was cut off, with the best plan found till then."""
        if status is not Status.LIMIT or self._highs.getInfo().primal_solution_status != _FEASIBLE:
            return _ended(status)
        values = _array(self._highs.getSolution().col_value) * self._size
        if self._residual(values) > GAP:
            return _ended(status)
        found = float(self.cost @ values)
        return Outcome(status, values, _NOTHING, _NOTHING, found, self._whole_gap())

    def _whole_gap(self) -> float:
        """Relative distance of the best whole numbers found from what none can beat."""
        info = self._highs.getInfo()
        found = float(info.objective_function_value)
        return abs(found - float(info.mip_dual_bound)) / max(1.0, abs(found))

    def _run(self) -> Status:
        left = self.deadline - time.monotonic()
        if left <= 0:
            return Status.LIMIT
        if not self.sound:
            return Status.FAILED
        # HiGHS counts the time of all runs of a model together.
        self._highs.setOptionValue("time_limit", self._highs.getRunTime() + left)
        self._highs.run()
        status = self._status()
        while status is Status.OPTIMAL and self.complete is not None:
            if not self.complete(_array(self._highs.getSolution().col_value) * self._size):
                break
            left = self.deadline - time.monotonic()
            if left <= 0:
                return Status.LIMIT
            self._highs.setOptionValue("time_limit", self._highs.getRunTime() + left)
            self._highs.run()
            status = self._status()
        return status

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
            (self.matrix @ values, self.row_low, self.row_high),
            (values, self.col_low, self.col_high),
        ):
            size = np.maximum(self.scale, np.abs(left))
            missed = np.maximum(low - left, left - high) / size
            worst = max(worst, float(np.max(missed, initial=0.0)))
        return worst

    def _gap(self, values: Array, column_duals: Array, row_duals: Array) -> float:
        """Relative distance of the primal objective from the dual one, from the original data."""
        free = self.cost - self._by_column @ row_duals
        if np.max(np.abs(free - column_duals), initial=0.0) > 1e-6 * (
            1 + np.max(np.abs(self.cost))
        ):
            return _INF
        primal = float(self.cost @ values)
        return abs(primal - self._least(column_duals, row_duals)) / max(self.scale, abs(primal))

    def peek(self) -> tuple[Status, float, Array]:
        """Solve what stands now for its value alone: status, objective and duals of the rows.

        Nothing is recomputed and nothing tried twice: for questions beside a proven optimum.
        """
        status = self._run()
        if status is not Status.OPTIMAL:
            return status, float("nan"), _NOTHING
        value = float(self._highs.getInfo().objective_function_value) * self.scale
        return status, value, _array(self._highs.getSolution().row_dual)

    def reach(self, rows: Indices) -> tuple[Array, Array]:
        """Return how far each row's tight side can go down and up with the optimum's basis kept.

        So far a row's dual is what a unit costs: moving the side by δ moves the basic columns by
        δ B⁻¹ e. Only right after a solve.

        Parameters
        ----------
        rows : array of int

        Returns
        -------
        down, up : arrays, like `rows`
            Infinite where nothing stands in the way.
        """
        solution = self._highs.getSolution()
        basic = np.array(self._highs.getBasicVariables()[1], dtype=np.int64)
        is_row = basic < 0
        n_columns = len(self.col_low)
        at = np.where(is_row, n_columns - 1 - basic, basic)
        value = np.concatenate([_array(solution.col_value), _array(solution.row_value)])[at]
        low = np.concatenate([self.col_low, self.row_low])[at] / self.scale
        high = np.concatenate([self.col_high, self.row_high])[at] / self.scale
        above, below = np.maximum(high - value, 0.0), np.maximum(value - low, 0.0)
        sign = np.where(is_row, -1.0, 1.0)  # HiGHS counts a row's activity with its sign turned
        found = np.empty((2, len(rows)))
        for n, row in enumerate(rows.tolist()):
            step = sign * np.asarray(self._highs.getBasisInverseCol(row)[1])
            found[0, n], found[1, n] = (
                _furthest(-step, above, below),
                _furthest(step, above, below),
            )
        found *= self.scale
        slack = np.isin(rows, -1 - basic[is_row])  # such a row holds nothing
        activity = _array(solution.row_value)[rows[slack]] * self.scale
        found[0, slack] = self.row_high[rows[slack]] - activity
        found[1, slack] = activity - self.row_low[rows[slack]]
        return found[0], found[1]

    def least(self, row_duals: Array) -> float:
        """Return what no plan can cost less than, by multipliers of the rows (weak duality)."""
        return self._least(self.cost - self._by_column @ row_duals, row_duals)

    def _least(self, column_duals: Array, row_duals: Array) -> float:
        return _supported(row_duals, self.row_low, self.row_high) + _supported(
            column_duals, self.col_low, self.col_high
        )


def _furthest(step: Array, above: Array, below: Array) -> float:
    """Return how many steps lead to the first bound."""
    up, down = step > _TOLERANCE, step < -_TOLERANCE
    ends = np.concatenate([above[up] / step[up], below[down] / -step[down]])
    return float(np.min(ends, initial=_INF))


def _array(numbers: list[float]) -> Array:
    return np.fromiter(numbers, np.float64, len(numbers))


def _supported(duals: Array, low: Array, high: Array) -> float:
    """Σ dual · the bound it leans on; a dual below noise that leans on nothing is dropped."""
    bound = np.where(duals > 0, low, high)
    used = np.isfinite(bound)
    if np.any(np.abs(duals[~used]) > 1e-6):
        return -_INF
    return float(duals[used] @ bound[used])


def _ended(status: Status) -> Outcome:
    return Outcome(status, _NOTHING, _NOTHING, _NOTHING, float("nan"), float("nan"))
