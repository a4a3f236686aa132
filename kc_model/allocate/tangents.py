"""A risk in a live program: written down only near the plans that are met.

The stage's column is at least Σ_p part_wp for each set w of draws' weights met so far, and every
part at least the tangents of its pool's function at the plans met so far: see `kc_model.risk`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kc_model.program import PARTIAL
from kc_model.risk import Risk
from kc_model.solver import Cut, Solver

__all__ = ["Tangents"]

Array = NDArray[np.float64]
Indices = NDArray[np.int64]


class Tangents:
    """The rows of one risk.

    Parameters
    ----------
    solver : Solver
    risk : Risk
    column : int
        The stage's column.
    cells : array of int (n_cells,)
        Columns of the cells' money.
    """

    def __init__(self, solver: Solver, risk: Risk, column: int, cells: Indices) -> None:
        self.solver, self.risk, self.column, self.cells = solver, risk, column, cells
        self._weights: dict[bytes, tuple[Array, Indices]] = {}
        members = [risk.cells[risk.pool == p] for p in range(risk.capacity.shape[1])]
        self._members = [cells[inside] for inside in members]

    def add(self, values: Array) -> bool:
        """Add what a plan shows to be missing; True if anything was.

        Parameters
        ----------
        values : array (n_columns,)
            Nothing is missing where the stage is neither solved nor kept, or where its column is
            at least the plan's true risk.
        """
        solver, column = self.solver, self.column
        told = values[column] if solver.cost[column] else solver.col_high[column]
        if not np.isfinite(told):
            return False
        plan = np.maximum(values[self.cells], 0.0)
        true = self.risk.value(plan)
        if true <= told + PARTIAL * max(solver.scale, abs(true)):
            return False
        weights = self.risk.weights(plan)
        cuts: list[Cut] = []
        new = 0
        if weights.tobytes() not in self._weights:
            new = len(self._members)
            parts = len(solver.col_low) + np.arange(new)
            self._weights[weights.tobytes()] = (weights, parts)
            whole = np.append(parts, column)
            cuts.append(Cut(whole, np.append(-np.ones(new), 1.0), 0.0))
        known = np.append(values, np.full(new, -np.inf))
        for mix, parts in self._weights.values():
            cuts.extend(self._tangents(plan, mix, parts, known[parts]))
        if not cuts:
            return False
        solver.add(new, cuts)
        return True

    def _tangents(self, plan: Array, weights: Array, parts: Indices, known: Array) -> list[Cut]:
        slope, constant = self.risk.tangents(plan, weights)
        spent = np.bincount(self.risk.pool, plan[self.risk.cells], len(parts))
        low = known < slope * spent - constant - PARTIAL / len(parts) * self.solver.scale
        return [
            Cut(
                np.append(self._members[p], parts[p]),
                np.append(np.full(len(self._members[p]), -slope[p]), 1.0),
                -constant[p],
            )
            for p in np.flatnonzero(low & (slope > 0))
        ]
