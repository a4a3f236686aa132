"""Stages over whole numbers: a program without them says what none can beat, a core finds a plan.

Without whole numbers almost every project comes out chosen or not chosen. Those that come out in
between, and those nearest to it by their reduced costs, are the core (Balas and Zemel 1980): a
small program decides them, the others stay. Its plan is as good as proven where the gap to the
program without whole numbers is closed; where it is not the core grows, in the end to everything.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from kc_model.allocate.stages import Ladder
from kc_model.program import Stage
from kc_model.solver import GAP, GAP_WHOLE, Outcome, Solver, Status

__all__ = ["WholeLadder"]

_FEW = 60  # whole numbers that are decided at once, to the gap of a program without any
_CORES = (150, 600)
_NODES = 500
_EDGE = 1e-6

Array = NDArray[np.float64]
Indices = NDArray[np.int64]


class WholeLadder(Ladder):
    """Solves stages in order; each is kept at the value found, for whole numbers have no prices."""

    def solve(self, stage: int | None) -> Outcome:
        """Solve one stage with what stands now; None: find any plan."""
        cost = np.zeros(len(self.solver.cost))
        if stage is not None:
            cost[self.columns[stage]] = 1.0
        return self.least(cost)

    def least(self, cost: Array, *, is_last: bool = False) -> Outcome:
        """Return the least of a cost among the plans that stand, proven to the gap of its status.

        Parameters
        ----------
        cost : array (n_columns,)
        is_last : bool
            Whether a plan will do that is the best of the first core, proven or not.
        """
        solver = self.solver
        solver.set_cost(cost)
        whole = np.flatnonzero(solver.model.whole)
        free = whole[solver.col_low[whole] < solver.col_high[whole]]
        if len(free) <= _FEW:
            solver.ask(0.0 if is_last else GAP)
            return self._kept(solver.run())
        bound, values, reduced = self._without()
        if bound.status is not Status.OPTIMAL:
            return bound if bound.status is Status.INFEASIBLE else self._kept(solver.run())
        best = None
        for size in _CORES[:1] if is_last else _CORES:
            found = self._core(free, values, reduced, size)
            if len(found.values):
                gap = (found.objective - bound.objective) / max(solver.scale, abs(found.objective))
                best = replace(found, gap=max(gap, 0.0))
                if is_last or gap <= GAP_WHOLE:
                    return self._kept(replace(best, status=Status.OPTIMAL))
                solver.hint(best.values)
        solver.ask(GAP_WHOLE / 2)
        found = solver.run()
        if best is not None and (found.status is not Status.OPTIMAL or not len(found.values)):
            if not len(found.values) or found.objective > best.objective:
                found = replace(best, status=found.status)
        return self._kept(found)

    def _kept(self, outcome: Outcome) -> Outcome:
        if len(outcome.values):
            self.solver.hint(outcome.values)
        return outcome

    def _without(self) -> tuple[Outcome, Array, Array]:
        """Solve without whole numbers: outcome, values and reduced costs of the columns."""
        solver = self.solver
        now = replace(
            solver.model,
            matrix=solver.matrix,
            row_low=solver.row_low,
            row_high=solver.row_high,
            col_low=solver.col_low,
            col_high=solver.col_high,
            whole=np.zeros_like(solver.model.whole),
        )
        relaxed = Solver(now, solver.deadline, solver.scale)
        relaxed.complete = None
        relaxed.set_cost(solver.cost)
        outcome = relaxed.run()
        return outcome, outcome.values, outcome.column_duals

    def _core(self, free: Indices, values: Array, reduced: Array, size: int) -> Outcome:
        """Decide the core only; the other whole numbers stay where they came out."""
        solver = self.solver
        near = np.abs(values[free] - np.rint(values[free]))
        order = np.lexsort((np.arange(len(free)), np.abs(reduced[free]), near <= _EDGE))
        still = free[order[size:]]
        low, high = solver.col_low[still], solver.col_high[still]
        at = np.rint(values[still])
        solver.set_columns(still, at, at)
        solver.ask(GAP_WHOLE / 5, _NODES)
        found = solver.run()
        solver.set_columns(still, low, high)
        return found

    def _shut(self, stage: Stage, column: int, outcome: Outcome) -> None:
        self.cap(stage, column, outcome.objective)
