"""One live HiGHS model: it is told what has changed since it was told last, runs, and is read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

import highspy
import numpy as np
from numpy.typing import NDArray
from scipy import sparse

__all__ = ["TOLERANCE", "Basis", "Engine", "Numbers", "Reach", "Status"]

TOLERANCE = 1e-9
"""Feasibility that HiGHS is asked for, in its own scale."""

_DOUBLETON, _AGGREGATOR = 512, 4096  # rules of HiGHS's presolve, by their bits
_DEVEX = 1
_FEASIBLE = 2  # kSolutionStatusFeasible of HiGHS
_INF = float("inf")

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
    highspy.HighsModelStatus.kObjectiveTarget: Status.LIMIT,
}


@dataclass(frozen=True)
class Numbers:
    """A program in HiGHS's own scale: minimise cost · z, low ≤ A z ≤ high, low ≤ z ≤ high.

    Parameters
    ----------
    matrix : sparse CSR (n_rows, n_columns)
        Later numbers may have rows and columns behind these, and other coefficients.
    cost, row_low, row_high, col_low, col_high : arrays
    whole : array of bool (n_columns,)
    """

    matrix: sparse.csr_array
    cost: Array
    row_low: Array
    row_high: Array
    col_low: Array
    col_high: Array
    whole: NDArray[np.bool_]


class Engine:
    """A HiGHS model that knows the numbers it was told last.

    Attributes
    ----------
    highs : highspy.Highs
    sound : bool
        False where HiGHS did not take the numbers.
    runs : int
        How often it has run.
    presolve : str
        HiGHS's option, as the program it was told needs it: off without whole numbers, or if told.
    """

    def __init__(self, gap: float, *, presolves: bool = True) -> None:
        self.highs: Any = highspy.Highs()  # type: ignore[no-untyped-call]
        self.sound = True
        self.runs = 0
        self._told: Numbers | None = None
        self.presolve, self._presolves = "off", presolves
        self.set(output_flag=False, threads=1, random_seed=0, mip_rel_gap=gap)
        self.set(primal_feasibility_tolerance=TOLERANCE, dual_feasibility_tolerance=TOLERANCE)
        # HiGHS 1.15.1's presolve can undo its own work without end, past any time limit: the
        # aggregator opens what forcing columns close. Whole numbers need the rest of presolve,
        # money does not (`_pass`).
        self.set(presolve_rule_off=_AGGREGATOR)

    def set(self, **options: object) -> None:
        """Set options of HiGHS."""
        for option, value in options.items():
            self.highs.setOptionValue(option, value)

    # ------------------------------------------------------------------ telling

    def tell(self, now: Numbers) -> bool:
        """Pass on what differs from the numbers told last; True if anything does."""
        before, self._told = self._told, now
        if before is None:
            self._pass(now)
            return True
        grown = self._grow(now, *before.matrix.shape)
        return self._move(now, before) or grown

    def _pass(self, now: Numbers) -> None:
        rows, columns = now.matrix.shape
        self.presolve = "choose" if self._presolves and now.whole.any() else "off"
        self.set(presolve=self.presolve)
        status = self.highs.passModel(
            columns,
            rows,
            now.matrix.nnz,
            int(highspy.MatrixFormat.kRowwise),
            int(highspy.ObjSense.kMinimize),
            0.0,
            now.cost,
            now.col_low,
            now.col_high,
            now.row_low,
            now.row_high,
            now.matrix.indptr.astype(np.int32),
            now.matrix.indices.astype(np.int32),
            now.matrix.data,
            now.whole.astype(np.int32),  # never empty: highspy reads past an empty array
        )
        self.sound = status != highspy.HighsStatus.kError

    def _grow(self, now: Numbers, rows: int, columns: int) -> bool:
        """Add the columns, then the rows, that stand behind those known."""
        n_rows, n_columns = now.matrix.shape
        if n_columns > columns:
            new = sparse.csc_array(now.matrix[:rows, columns:])
            cost, low, high = now.cost[columns:], now.col_low[columns:], now.col_high[columns:]
            self.highs.addCols(n_columns - columns, cost, low, high, new.nnz, *_parts(new))
        if n_rows > rows:
            added = now.matrix[rows:]
            low, high = now.row_low[rows:], now.row_high[rows:]
            self.highs.addRows(n_rows - rows, low, high, added.nnz, *_parts(added))
        return bool((n_rows, n_columns) != (rows, columns))

    def _move(self, now: Numbers, before: Numbers) -> bool:
        highs, any_moved = self.highs, False
        for change, pairs in (
            (highs.changeColsCost, [(now.cost, before.cost)]),
            (
                highs.changeColsBounds,
                [(now.col_low, before.col_low), (now.col_high, before.col_high)],
            ),
            (
                highs.changeRowsBounds,
                [(now.row_low, before.row_low), (now.row_high, before.row_high)],
            ),
        ):
            moved = _differ(pairs)
            if len(moved):
                change(len(moved), moved, *(new[moved] for new, _ in pairs))
                any_moved = True
        return self._move_matrix(now.matrix, before.matrix) or any_moved

    def _move_matrix(self, now: sparse.csr_array, before: sparse.csr_array) -> bool:
        if now is before:
            return False
        if now.shape != before.shape:
            now = now[: before.shape[0], : before.shape[1]]
        at = np.flatnonzero(now.data != before.data)
        rows = np.searchsorted(now.indptr, at, side="right") - 1
        told = (rows.tolist(), now.indices[at].tolist(), now.data[at].tolist())
        for row, column, value in zip(*told, strict=True):
            self.highs.changeCoeff(row, column, value)
        return len(at) > 0

    # ------------------------------------------------------------------ running

    def start(self, basis: tuple[Any, tuple[int, int]]) -> None:
        """Begin the next run where an earlier one of the same program ended.

        From there few steps are left: the steepest edge's exact weights would not pay (Devex).

        Parameters
        ----------
        basis : tuple
            As `basis` gave it, from any engine; the numbers have been told.
        """
        begun, (rows, columns) = basis
        if self._told is not None and self._told.matrix.shape != (rows, columns):
            status = highspy.HighsBasisStatus  # what was added since holds nothing yet
            n_rows, n_columns = self._told.matrix.shape
            begun.row_status = [*begun.row_status, *[status.kBasic] * (n_rows - rows)]
            begun.col_status = [*begun.col_status, *[status.kLower] * (n_columns - columns)]
        self.highs.setBasis(begun)
        self.set(simplex_dual_edge_weight_strategy=_DEVEX)

    def basis(self) -> tuple[Any, tuple[int, int]]:
        """Return where the last run ended, for `start`."""
        shape = (0, 0) if self._told is None else self._told.matrix.shape
        return self.highs.getBasis(), (shape[0], shape[1])

    def run(self, seconds: float) -> Status:
        """Solve, in so many seconds at most."""
        self.runs += 1
        if seconds <= 0:
            return Status.LIMIT
        if not self.sound:
            return Status.FAILED
        # HiGHS counts the time of all runs of a model together.
        self.set(time_limit=self.highs.getRunTime() + seconds)
        is_whole = self._told is not None and bool(self._told.whole.any())
        is_begun = is_whole and self.highs.getSolution().value_valid
        self.highs.run()
        if is_begun and not self._searched():
            # HiGHS 1.15.1 takes the plan it begins from for the best where presolve leaves no cost,
            # or calls all others impossible, wrongly at times.
            self.set(presolve="off")
            self.highs.run()
            self.set(presolve=self.presolve)
        status = self.highs.getModelStatus()
        if status == highspy.HighsModelStatus.kUnboundedOrInfeasible:
            self.set(presolve="off")
            self.highs.run()
            self.set(presolve=self.presolve)
            status = self.highs.getModelStatus()
        return _ENDINGS.get(status, Status.FAILED)

    def _searched(self) -> bool:
        """Whether the last run looked for whole numbers, or found no plan to end with."""
        is_over = self.highs.getModelStatus() == highspy.HighsModelStatus.kOptimal
        return not is_over or self.highs.getInfo().mip_node_count > 0

    def without_pairs(self) -> None:
        """Let presolve leave equations of two columns alone.

        HiGHS 1.15.1 walks through a list of rows that such an equation may have emptied meanwhile:
        where there are many, it crashes or calls all plans impossible.
        """
        self.set(presolve_rule_off=_AGGREGATOR | _DOUBLETON)

    def forget(self) -> None:
        """Begin the next run afresh."""
        self.highs.clearSolver()

    def hint(self, values: Array) -> None:
        """Let the next search for whole numbers begin from a plan that stands."""
        solution = highspy.HighsSolution()
        solution.col_value = values.tolist()
        self.highs.setSolution(solution)

    def listen(self, goes_on: Callable[[float], bool]) -> None:
        """Tell the gap while whole numbers are looked for, and ask whether the search goes on."""

        def tell(event: Any) -> None:
            data = event.data_out
            found, bound = float(data.mip_primal_bound), float(data.mip_dual_bound)
            known = np.isfinite(found) and np.isfinite(bound)
            gap = abs(found - bound) / max(1.0, abs(found)) if known else _INF
            event.data_in.user_interrupt = not goes_on(gap)  # HiGHS keeps what an earlier run had

        self.highs.cbMipInterrupt += tell

    # ------------------------------------------------------------------ reading

    def values(self) -> Array:
        """Return the columns' values."""
        return _array(self.highs.getSolution().col_value)

    def row_values(self) -> Array:
        """Return the rows' values."""
        return _array(self.highs.getSolution().row_value)

    def row_duals(self) -> Array:
        """Return the rows' multipliers."""
        return _array(self.highs.getSolution().row_dual)

    def objective(self) -> float:
        """Return the least cost found."""
        return float(self.highs.getInfo().objective_function_value)

    def whole_gap(self) -> float:
        """Relative distance of the best whole numbers found from what none can beat."""
        found = self.objective()
        return abs(found - float(self.highs.getInfo().mip_dual_bound)) / max(1.0, abs(found))

    def has_plan(self) -> bool:
        """Whether a search that was cut off had found whole numbers that stand."""
        return bool(self.highs.getInfo().primal_solution_status == _FEASIBLE)

    def basic(self) -> Indices:
        """Return what is basic, position by position: a column, or -1 - row."""
        return np.array(self.highs.getBasicVariables()[1], dtype=np.int64)

    def inverse(self, row: int) -> Array:
        """Return the row's column of the basis' inverse."""
        return np.asarray(self.highs.getBasisInverseCol(row)[1])

    def inverse_row(self, position: int) -> Array:
        """Return a row of the basis' inverse: that of what is basic in this position."""
        return np.asarray(self.highs.getBasisInverseRow(position)[1])

    def priced(self, cost: Array) -> Array:
        """Return the rows' multipliers by which what is basic costs what it does."""
        basic = self.basic()
        of_basic = np.where(basic < 0, 0.0, cost[np.maximum(basic, 0)])
        return np.asarray(self.highs.getBasisTransposeSolve(of_basic)[1])


def _differ(pairs: Sequence[tuple[Array, Array]]) -> NDArray[np.int32]:
    """Return where any of some arrays differs from what it was; what is behind that is known."""
    return np.flatnonzero(np.any([new[: len(old)] != old for new, old in pairs], axis=0)).astype(
        np.int32
    )


def _parts(
    matrix: sparse.csr_array | sparse.csc_array,
) -> tuple[NDArray[np.int32], NDArray[np.int32], Array]:
    """Return where its rows or columns start, and their entries."""
    return matrix.indptr[:-1].astype(np.int32), matrix.indices.astype(np.int32), matrix.data


def _array(numbers: list[float]) -> Array:
    return np.fromiter(numbers, np.float64, len(numbers))


# --- the basis an optimum ended in ----------------------------------------------------------------


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
