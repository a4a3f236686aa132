"""Linear and whole-number programs, by HiGHS.

A program's arrays are handed to live HiGHS models, which are then re-solved in place: only what a
change moves is moved. An answer is optimal when HiGHS itself says so *and* the gap between primal
and dual objective, recomputed here from the original data, is closed; every other ending gives no
numbers.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from kc_model.arrays import Cut, Model
from kc_model.solver.clock import Clock
from kc_model.solver.engine import TOLERANCE, Basis, Engine, Numbers, Reach, Status

__all__ = ["GAP", "GAP_WHOLE", "Outcome", "Solver"]

GAP = 1e-6
"""Largest relative gap of a linear program that counts as closed."""
GAP_WHOLE = 1e-3
"""The same where whole projects are chosen."""

_WIDER = 1e-7
_NODES = 2**31 - 1
_INF = float("inf")
_NOWHERE = np.zeros(0, dtype=np.int64)

Array = NDArray[np.float64]
Indices = NDArray[np.int64]


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


@dataclass(frozen=True)
class _End:
    """How a question was answered last: by which run of which HiGHS, and where that ended."""

    engine: Engine
    runs: int
    basis: tuple[Any, tuple[int, int]]
    outcome: Outcome


_NOTHING = np.array([], dtype=np.float64)


class Solver:
    """One live program that is changed and solved again in place.

    Parameters
    ----------
    model : Model
    deadline : float or Clock
        Moment of `time.monotonic` after which nothing is proven any more; the clock of another
        solver, if what stops that one is to stop this one too.
    scale : float
        Size that HiGHS and Clarabel see as 1. Their tolerances are absolute: what is a rounding
        error of a ministry's money is all the money of a commune. Bounds and values are given and
        returned unscaled. Columns of whole numbers are not scaled.
    presolves : bool
        Whether HiGHS may presolve whole numbers.
    """

    def __init__(
        self,
        model: Model,
        deadline: float | Clock = _INF,
        scale: float = 1.0,
        *,
        presolves: bool = True,
    ) -> None:
        self.model = model
        self.matrix = model.matrix.copy()
        self._by_column = self.matrix.T  # another view of the same numbers
        self.clock = deadline if isinstance(deadline, Clock) else Clock(deadline)
        self.scale = scale
        self._size = np.where(model.whole, 1.0, scale)
        self.row_low, self.row_high = model.row_low.copy(), model.row_high.copy()
        self.col_low, self.col_high = model.col_low.copy(), model.col_high.copy()
        self.cost = np.zeros(len(model.columns))
        self.complete: Callable[[Array], bool] | None = None
        """Adds what a plan breaks of rows not written down, True if any; None: all are there."""
        self.goes_on: Callable[[float], bool] = lambda _gap: self.clock.is_running
        """Tells the gap so far to who listens; whether there is time for more."""
        self._scaled = self._scale_matrix()
        self._engine = self._begun(presolves=presolves)
        self._engines: dict[Hashable, Engine] = {}
        self._ends: dict[Hashable, _End] = {}
        self._question: Hashable = None

    @property
    def deadline(self) -> float:
        """That of the clock."""
        return self.clock.deadline

    @deadline.setter
    def deadline(self, moment: float) -> None:
        self.clock.deadline = moment

    def _begun(self, *, presolves: bool = True) -> Engine:
        """Return a new engine; a search for whole numbers in it can be stopped."""
        engine = Engine(GAP_WHOLE / 10, presolves=presolves)

        def goes_on(gap: float) -> bool:
            return self.goes_on(gap)  # of whoever listens by then

        if self.model.whole.any():
            engine.listen(goes_on)
        return engine

    def _scale_matrix(self) -> sparse.csr_array:
        matrix, size = self.matrix, self._size
        data = matrix.data * size[matrix.indices] / self.scale
        return sparse.csr_array((data, matrix.indices, matrix.indptr), shape=matrix.shape)

    def _numbers(self) -> Numbers:
        scale, size = self.scale, self._size
        return Numbers(
            self._scaled,
            self.cost * size / scale,
            self.row_low / scale,
            self.row_high / scale,
            self.col_low / size,
            self.col_high / size,
            self.model.whole,
        )

    def _tell(self) -> bool:
        """Hand HiGHS what has changed since it was asked last; True if anything has."""
        return self._engine.tell(self._numbers())

    def turn(self, question: Hashable) -> None:
        """Ask a question again where it was answered last, by a HiGHS of its own.

        The first time it is asked where the last question ended. The numbers may have changed
        since: few steps are left then, and no other question has moved away from there.

        Parameters
        ----------
        question : hashable
            What the objective is called; whole numbers are not looked for this way.
        """
        self._question = question
        end = self._ends.get(question)
        if end is None:
            return
        engine = self._engines.get(question)
        if engine is None:
            engine = self._engines[question] = Engine(GAP_WHOLE / 10)
        self._engine = engine
        if (engine, engine.runs) != (end.engine, end.runs):
            self._tell()
            engine.start(end.basis)

    def ends(self) -> Mapping[Hashable, object]:
        """Return where every question was answered last, for `back_to`."""
        return dict(self._ends)

    def back_to(self, ends: Mapping[Hashable, object]) -> None:
        """Forget where questions were answered since."""
        self._ends = {key: end for key, end in ends.items() if isinstance(end, _End)}

    def set_cost(self, cost: Array) -> None:
        """Replace the objective, which is minimised."""
        self.cost = np.asarray(cost, dtype=np.float64).copy()

    def listen(self, told: Callable[[float], None]) -> None:
        """Tell the gap while whole numbers are looked for; what is raised there ends the search.

        A KeyboardInterrupt ends it as the deadline would: the best plan found till then stays.
        """

        def goes_on(gap: float) -> bool:
            try:
                told(gap)
            except KeyboardInterrupt:
                self.clock.stop()
            return self.clock.is_running

        self.goes_on = goes_on

    def ask(
        self, gap: float, nodes: int = _NODES, enough: float = -_INF, near: float = TOLERANCE
    ) -> None:
        """Say how near to the best whole numbers a search may end, relatively, or after how many.

        Parameters
        ----------
        gap : float
        nodes : int
            Branchings after which the best found so far has to do: unlike time they are the same
            on every machine.
        enough : float
            What a plan may cost with which the search ends at once.
        near : float
            By how much rows and bounds may be missed.
        """
        self._engine.set(
            objective_target=enough / self.scale,
            mip_max_nodes=nodes,
            mip_rel_gap=gap,
            mip_abs_gap=min(gap, GAP),
            mip_feasibility_tolerance=near,
            primal_feasibility_tolerance=min(near, _WIDER),
        )

    def hint(self, values: Array) -> None:
        """Let the next search for whole numbers begin from a plan that stands."""
        self._tell()
        self._engine.hint(values / self._size)

    def apart(self, rows: Indices | None = None) -> Solver:
        """Return a program of its own that is what this one is now.

        Parameters
        ----------
        rows : array of int or None
            Those that it has; None: all.
        """
        at = slice(None) if rows is None else rows
        names = self.model.rows
        now = replace(
            self.model,
            rows=names if rows is None else tuple(names[r] for r in rows.tolist()),
            matrix=sparse.csr_array(self.matrix[at]),
            row_low=self.row_low[at],
            row_high=self.row_high[at],
            col_low=self.col_low,
            col_high=self.col_high,
        )
        other = Solver(now, self.clock, self.scale)
        other._size = self._size.copy()
        other._scaled = other._scale_matrix()
        other.set_cost(self.cost)
        return other

    def set_coefficients(self, row: int, coefficients: Mapping[int, float]) -> None:
        """Replace coefficients of a row, by column; the row must have had these columns."""
        start, end = self.matrix.indptr[row : row + 2]
        columns = self.matrix.indices[start:end].tolist()
        before = self.matrix.data[start:end]
        now = [coefficients.get(j, old) for j, old in zip(columns, before.tolist(), strict=True)]
        if np.any(before != now):
            self.matrix.data[start:end] = now
            self._scaled = self._scale_matrix()

    def set_rows(self, rows: Indices, low: Array, high: Array) -> None:
        """Replace the bounds of some rows."""
        self.row_low[rows], self.row_high[rows] = low, high

    def set_columns(self, columns: Indices, low: Array, high: Array) -> None:
        """Replace the bounds of some columns."""
        self.col_low[columns], self.col_high[columns] = low, high

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
        now, height = replace(self.model, matrix=self.matrix), len(self.row_low)
        self.model = now.grown(rows, cuts, parts, (into, factor))
        self.row_low = np.append(self.row_low, self.model.row_low[height:])
        self.row_high = np.append(self.row_high, self.model.row_high[height:])
        self._take(self.model.matrix, self.scale)

    def widen(self, entries: Sequence[tuple[Indices, Array]]) -> None:
        """Add columns from 0 up behind those that are there; their values are not scaled.

        Parameters
        ----------
        entries : sequence of (rows, coefficients)
            What each new column has.
        """
        if not entries:
            return
        height, width = self.matrix.shape
        starts = np.cumsum([0, *(len(rows) for rows, _ in entries)])
        rows, data = (np.concatenate([parts[n] for parts in entries]) for n in (0, 1))
        new = sparse.csc_array((data, rows, starts), shape=(height, len(entries)))
        names = [f"part_{width + n}" for n in range(len(entries))]
        self.model = replace(
            self.model,
            columns=(*self.model.columns, *names),
            whole=np.append(self.model.whole, np.zeros(len(entries), dtype=bool)),
        )
        self._take(sparse.csr_array(sparse.hstack([self.matrix, new])), 1.0)

    def _take(self, matrix: sparse.csr_array, size: float) -> None:
        """Take a matrix with new columns from 0 up, of a size each, behind those that are there."""
        none = np.zeros(matrix.shape[1] - len(self.cost))
        self.matrix, self._by_column = matrix, matrix.T
        self._size = np.append(self._size, np.full(len(none), size))
        self.col_low = np.append(self.col_low, none)
        self.col_high = np.append(self.col_high, np.full(len(none), _INF))
        self.cost = np.append(self.cost, none)
        self._scaled = self._scale_matrix()

    def decide(self, columns: Indices, *, in_pairs: bool = False) -> None:
        """Let columns take whole numbers only, and no others; their values are not scaled.

        Parameters
        ----------
        columns : array of int
        in_pairs : bool
            Whether many rows are equations of two columns (`Engine.without_pairs`).
        """
        whole = np.zeros(len(self.col_low), dtype=bool)
        whole[columns] = True
        self.model = replace(self.model, whole=whole)
        self._engine = self._begun()
        if in_pairs:
            self._engine.without_pairs()

    def run(self, *, is_trial: bool = False) -> Outcome:
        """Solve what stands now.

        Parameters
        ----------
        is_trial : bool
            Whether the answer is one of many that are tried, and need not be asked for twice.

        Returns
        -------
        Outcome
            Optimal only if HiGHS says so and the recomputed gap is closed.
        """
        engine = self._engine
        moved, end = self._tell(), self._ends.get(self._question)
        if end is not None and end.engine is engine and end.runs == engine.runs and not moved:
            # The very same program: what has changed came after it.
            return end.outcome if self.clock.is_running else _ended(Status.LIMIT)
        status = self._run()
        for tolerance in (TOLERANCE, _WIDER):
            if status in (Status.OPTIMAL, Status.LIMIT) or not engine.sound or is_trial:
                break
            # A hot start may call a plan impossible that a fresh one finds.
            engine.forget()
            engine.set(primal_feasibility_tolerance=tolerance)
            status = self._run()
        engine.set(primal_feasibility_tolerance=TOLERANCE)
        is_whole = bool(self.model.whole.any())
        if status is Status.INFEASIBLE and engine.presolve != "off" and not is_trial:
            # Presolving whole numbers may call impossible what a hair's breadth allows.
            engine.set(presolve="off")
            status = self._run()
            engine.set(presolve=engine.presolve)
        if status is not Status.OPTIMAL:
            return self._best_found(status) if is_whole else _ended(status)
        values = engine.values() * self._size
        duals = (_NOTHING, _NOTHING)
        if not is_whole:
            row_duals = engine.row_duals()
            duals = (self.cost - self._by_column @ row_duals, row_duals)
        gap = engine.whole_gap() if is_whole else self._gap(values, *duals)
        limit = GAP_WHOLE if is_whole else GAP
        if is_whole and gap > limit:  # as near as was asked, and no nearer
            return self._best_found(Status.LIMIT)
        if not (gap <= limit and self._residual(values) <= GAP):
            return _ended(Status.FAILED)
        outcome = Outcome(status, values, *duals, float(self.cost @ values), gap)
        if self._question is not None:
            self._ends[self._question] = _End(engine, engine.runs, engine.basis(), outcome)
        return outcome

    def _best_found(self, status: Status) -> Outcome:
        """Return how a search for whole numbers was cut off, with the best plan found till then."""
        if status is not Status.LIMIT or not self._engine.has_plan():
            return _ended(status)
        values = self._engine.values() * self._size
        if self._residual(values) > GAP:
            return _ended(status)
        found = float(self.cost @ values)
        return Outcome(status, values, _NOTHING, _NOTHING, found, self._engine.whole_gap())

    def _run(self) -> Status:
        while True:
            self._tell()
            status = self._engine.run(self.deadline - time.monotonic())
            if status is not Status.OPTIMAL or self.complete is None:
                return status
            if not self.complete(self._engine.values() * self._size):
                return status

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
        primal = float(self.cost @ values)
        return abs(primal - self._least(column_duals, row_duals)) / max(self.scale, abs(primal))

    def peek(self) -> tuple[Status, float, Array]:
        """Solve what stands now for its value alone: status, objective and duals of the rows.

        Nothing is recomputed and nothing tried twice: for questions beside a proven optimum.
        """
        status = self._run()
        if status is not Status.OPTIMAL:
            return status, float("nan"), _NOTHING
        return status, self._engine.objective() * self.scale, self._engine.row_duals()

    def reach(self, rows: Indices) -> list[Reach]:
        """Return how far each row's tight side can go with the optimum's basis kept.

        Only right after a solve.
        """
        basis = Basis(self._engine, self._numbers())
        return [
            Reach(found.down * self.scale, found.up * self.scale, *found[2:])
            for found in map(basis.reach, rows.tolist())
        ]

    def proof(self, values: Array) -> Array | None:
        """Return multipliers of the rows by which a plan is best by the cost of now; None if not.

        Those of the basis in which the last run ended: they prove its plan where what stands at a
        bound there has been fixed since, or costs more than it saves.
        """
        row_duals = self._engine.priced(self.cost * self._size / self.scale)
        for duals, at, low, high in (
            (row_duals, self.matrix @ values, self.row_low, self.row_high),
            (self.cost - self._by_column @ row_duals, values, self.col_low, self.col_high),
        ):
            away = np.where(duals > 0, at - low, high - at)
            near = TOLERANCE * np.maximum(self.scale, np.abs(at))
            if not np.all((np.abs(duals) <= TOLERANCE) | (away <= near)):
                return None
        return row_duals

    def least(self, row_duals: Array) -> float:
        """Return what no plan can cost less than, by multipliers of the rows (weak duality)."""
        return self._least(self.cost - self._by_column @ row_duals, row_duals)

    def _least(self, column_duals: Array, row_duals: Array) -> float:
        return _supported(row_duals, self.row_low, self.row_high) + _supported(
            column_duals, self.col_low, self.col_high
        )


def _supported(duals: Array, low: Array, high: Array) -> float:
    """Σ dual · the bound it leans on; a dual below noise that leans on nothing is dropped."""
    bound = np.where(duals > 0, low, high)
    used = np.isfinite(bound)
    if np.any(np.abs(duals[~used]) > 1e-6):
        return -_INF
    return float(duals[used] @ bound[used])


def _ended(status: Status) -> Outcome:
    return Outcome(status, _NOTHING, _NOTHING, _NOTHING, float("nan"), float("nan"))
