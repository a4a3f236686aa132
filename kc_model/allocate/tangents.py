"""A risk in a live program: written down only near the plans that are met.

The stage's column is at least Σ_p part_wp for each set w of draws' weights met so far, and every
part at least the tangents of its pool's function at the plans met so far: see `kc_model.risk`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kc_model.arrays import Cut
from kc_model.program import PARTIAL
from kc_model.risk import Face, Risk
from kc_model.solver import Solver

__all__ = ["Tangents"]

_SHARES = 10  # a pool that lacks a tenth of the mean lack can wait

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
        self._mixes: dict[bytes, _Mix] = {}
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
        cuts: list[Cut] = []
        weights = self.risk.weights(plan)
        new = 0 if weights.tobytes() in self._mixes else len(self._members)
        if new:
            parts = len(solver.col_low) + np.arange(new)
            cuts.append(Cut(np.append(parts, column), np.append(-np.ones(new), 1.0), 0.0))
            self._mixes[weights.tobytes()] = _Mix(weights, parts, len(solver.row_low), [])
        known = np.full(len(solver.col_low) + new, -np.inf)  # another risk may have added some
        known[: len(values)] = values
        for mix in self._mixes.values():
            first = len(solver.row_low) + len(cuts)
            found = self._tangents(plan, mix, known[mix.parts], told)
            mix.tangents.extend((first + n, p, slope) for n, (p, slope, _) in enumerate(found))
            cuts.extend(cut for *_, cut in found)
        if cuts:
            solver.add(new, cuts)
        return bool(cuts)

    def _tangents(
        self, plan: Array, mix: _Mix, known: Array, told: float
    ) -> list[tuple[int, float, Cut]]:
        """Return the tangents that a plan lacks of a mix: pool, slope and row.

        None of a mix that does not contradict what was told, and none that tells hardly more.
        """
        slope, constant = self.risk.tangents(plan, mix.weights)
        spent = np.bincount(self.risk.pool, plan[self.risk.cells], len(slope))
        true = slope * spent - constant
        over = float(true.sum()) - told
        if over <= 0:
            return []
        low = true - known > over / (_SHARES * len(slope))
        found = []
        for p in np.flatnonzero(low & (slope > 0)).tolist():
            columns = np.append(self._members[p], mix.parts[p])
            against = np.full(len(self._members[p]), -slope[p])
            found.append((p, float(slope[p]), Cut(columns, np.append(against, 1.0), -constant[p])))
        return found

    def face(self, duals: Array) -> tuple[float, Face]:
        """Return what an optimum makes of all these rows: one, and its multiplier.

        A risk is convex in the weights of the draws and each pool's part in the slope: mixes and
        slopes that are weighed by multipliers prove no more than their means do.

        Parameters
        ----------
        duals : array
            Of the rows there were.
        """
        n_draws, n_pools = self.risk.capacity.shape
        times, weights, slopes = 0.0, np.zeros(n_draws), np.zeros(n_pools)
        for mix in self._mixes.values():
            if mix.row < len(duals):
                times += max(0.0, duals[mix.row])
                weights += max(0.0, duals[mix.row]) * mix.weights
            for row, p, slope in mix.tangents:
                if row < len(duals):
                    slopes[p] += max(0.0, duals[row]) * slope
        return times, Face(weights / (times or 1.0), slopes / (times or 1.0))


@dataclass(frozen=True)
class _Mix:
    """Weights of the draws that some plan has met.

    Parameters
    ----------
    weights : array (n_draws,)
    parts : array of int (n_pools,)
        Columns of the pools' parts.
    row : int
        The row that adds the parts up.
    tangents : list of (row, pool, slope)
    """

    weights: Array
    parts: Indices
    row: int
    tangents: list[tuple[int, int, float]]
