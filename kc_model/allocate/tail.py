r"""A risk in a live program: its worst draws, each exact near the plans that are met.

The stage's column g is pushed up as Rockafellar and Uryasev's program does it (2000, section 2),
k draws counting, but row by row as plans ask for it:

.. math::

    g \ge \eta + \textstyle\sum_d u_d / k, \qquad
    u_d + \eta \ge \sum_{p \in on_d} (s_p - c_{dp}) + \sum_p z_{dp}

with s_p the money of pool p, :math:`on_d` the pools that were beyond their capacity where the draw
was first met, and z what is wrong with that elsewhere: :math:`z_{dp} \ge c_{dp} - s_p` for a pool
in it, :math:`z_{dp} \ge s_p - c_{dp}` for another. Each row is below the risk everywhere.

New rows are asked for between a centre and the plan that is met, nearer to the centre as long as
that cuts the plan off (Ben-Ameur and Neto 2007, "Acceleration of cutting-plane and column
generation algorithms"): plans swing widely until the rows around the best one are known. The first
centre is where all draws would cost least if each pool's were spread evenly.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kc_model.arrays import Cut
from kc_model.program import PARTIAL
from kc_model.risk import Face, Risk
from kc_model.solver import Solver, settle

__all__ = ["Tail"]

_STEPS = (0.15, 0.3, 0.6, 1.0)
_MORE = 1.2  # times as many draws as count: some of them will
_SLIGHT = 1e-8  # of what the solver sees as 1
_OUTER = 0.05  # of the draws: they do not say how far a pool's spread

Array = NDArray[np.float64]
Indices = NDArray[np.int64]


class Tail:
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
        members = [risk.cells[risk.pool == p] for p in range(risk.capacity.shape[1])]
        self._members = [cells[inside] for inside in members]
        self._slight = _SLIGHT * solver.scale
        self._sum = self._eta = -1  # the row of g, the column of η
        self._row, self._u = np.full((2, len(risk.capacity)), -1)  # of each draw; -1: none
        self._on = np.zeros(risk.capacity.shape, dtype=bool)
        self._z_row, self._z = np.full((2, *risk.capacity.shape), -1)
        self._centre: Array | None = None

    def add(self, values: Array) -> bool:
        """Add what a plan shows to be missing; True if anything was.

        Parameters
        ----------
        values : array (n_columns,)
            Nothing is missing where the stage is neither solved nor kept.
        """
        solver = self.solver
        spent = self.risk.spent(np.maximum(values[self.cells], 0.0))
        told = self._told(values)
        if not self._is_missing(spent, told):
            return False
        before = len(solver.row_low)
        if self._sum < 0:
            self._begin()
        centre = self._start(spent) if self._centre is None else self._centre
        for step in _STEPS:
            self._centre = centre + step * (spent - centre)
            self._refine(self._centre, told)
            if np.any(self._known(spent) > told + self._slight):
                break
        return len(solver.row_low) > before

    def _told(self, values: Array) -> Array:
        """Return how much beyond capacity a solution says each draw is: η + u."""
        told = np.zeros(len(self._u))
        if 0 <= self._eta < len(values):
            told += values[self._eta]
            known = self._u >= 0
            told[known] += values[self._u[known]]
        return told

    @property
    def _is_shut(self) -> bool:
        solver = self.solver
        return self._sum >= 0 and bool(solver.row_high[self._sum] == solver.row_low[self._sum])

    def _is_missing(self, spent: Array, told: Array) -> bool:
        """Whether the plan's risk is more than the column may be; solved or shut, in any draw.

        What is shut is shut by the rows there are: they must be exact at the best plan.
        """
        solver, column = self.solver, self.column
        totals = self.risk.totals(spent)
        weights = self.risk.weights(totals)
        if solver.cost[column] or self._is_shut:
            told = np.where((self._row >= 0) | (weights > 0) | self._is_shut, told, np.inf)
            return bool(np.any(totals > told + self._slight))
        true, most = float(weights @ totals), solver.col_high[column]
        return bool(true > most + PARTIAL * max(solver.scale, true))

    def _begin(self) -> None:
        self._sum, self._eta = len(self.solver.row_low), len(self.solver.col_low)
        self.solver.add([Cut(np.array([self.column]), np.ones(1), 0.0)])
        self.solver.add([], np.array([self._sum]), -1.0)

    def _start(self, spent: Array) -> Array:
        """Return the first centre; where the plan itself is all there is, that."""
        solver, risk = self.solver, self.risk
        if solver.model.whole.any():
            return spent
        low, high = np.quantile(risk.capacity, (_OUTER, 1 - _OUTER), axis=0)
        share = 1 / np.bincount(risk.pool, minlength=len(low))[risk.pool]
        spread = np.maximum(high - low, solver.scale)[risk.pool]
        columns = self.cells[risk.cells]
        found = settle(solver, columns, share * low[risk.pool], share * spread)
        return spent if found is None else risk.spent(np.maximum(found.values[self.cells], 0.0))

    def _refine(self, spent: Array, told: Array) -> None:
        """Make the program exact at a plan: its worst draws, and pools that were on another side.

        What is shut stays so: where every best plan has no slack in a row, none has any z in it.
        """
        capacity, slight = self.risk.capacity, self._slight
        has_row = self._row >= 0
        off = np.where(self._on, capacity - spent, spent - capacity) > slight
        draws, pools = np.nonzero(has_row[:, None] & (self._z < 0) & off)
        totals = self.risk.totals(spent)
        worst = np.argsort(-totals, kind="stable")[: int(np.ceil(_MORE * self.risk.counted))]
        wanted = np.isin(np.arange(len(totals)), worst)
        if self._is_shut:
            wanted |= totals > told + slight
        self._add_draws(np.flatnonzero(wanted & ~has_row), spent)
        self._add_pairs(draws, pools)

    def _add_draws(self, draws: Indices, spent: Array) -> None:
        if not len(draws):
            return
        solver, capacity = self.solver, self.risk.capacity
        self._row[draws] = len(solver.row_low) + np.arange(len(draws))
        self._u[draws] = len(solver.col_low) + np.arange(len(draws))
        self._on[draws] = spent > capacity[draws]
        cuts = []
        for d in draws.tolist():
            on = np.flatnonzero(self._on[d])
            money = np.concatenate([np.zeros(0, np.int64), *(self._members[p] for p in on)])
            columns = np.concatenate([[self._u[d], self._eta], money])
            factors = np.concatenate([np.ones(2), -np.ones(len(money))])
            cuts.append(Cut(columns, factors, -float(capacity[d, on].sum())))
        solver.add(cuts, np.full(len(draws), self._sum), -1.0 / self.risk.counted)
        self._shut(self._u[draws], np.full(len(draws), self._sum))

    def _add_pairs(self, draws: Indices, pools: Indices) -> None:
        if not len(draws):
            return
        solver = self.solver
        z = self._z[draws, pools] = len(solver.col_low) + np.arange(len(draws))
        self._z_row[draws, pools] = len(solver.row_low) + np.arange(len(draws))
        sign = np.where(self._on[draws, pools], 1.0, -1.0)
        low = sign * self.risk.capacity[draws, pools]
        cuts = []
        for p, column, way, right in zip(pools.tolist(), z.tolist(), sign, low, strict=True):
            columns = np.append(self._members[p], column)
            cuts.append(Cut(columns, np.append(np.full(len(columns) - 1, way), 1.0), float(right)))
        solver.add(cuts, self._row[draws], -1.0)
        self._shut(z, self._row[draws])

    def _shut(self, columns: Indices, rows: Indices) -> None:
        """Hold new columns at 0 whose row has been shut."""
        solver = self.solver
        held = columns[solver.row_high[rows] == solver.row_low[rows]]
        if len(held):
            solver.set_columns(held, np.zeros(len(held)), np.zeros(len(held)))

    def _known(self, spent: Array) -> Array:
        """Return what the rows there are say that each draw is beyond capacity at a plan."""
        over = spent - self.risk.capacity
        parts = np.where(self._z >= 0, np.maximum(over, 0.0), np.where(self._on, over, 0.0))
        return np.where(self._row >= 0, parts.sum(axis=1), -np.inf)

    def face(self, duals: Array) -> tuple[float, Face]:
        """Return what an optimum makes of all these rows: one, and its multiplier.

        Parameters
        ----------
        duals : array
            Of the rows there were.
        """
        push = np.append(np.maximum(duals, 0.0), 0.0)  # last: of rows that were not there

        def pushes(rows: Indices) -> Array:
            return push[np.where((rows >= 0) & (rows < len(duals)), rows, -1)]

        times, weights = float(pushes(np.array([self._sum]))[0]), pushes(self._row)
        moved = np.where(self._on, -1.0, 1.0) * pushes(self._z_row)
        slopes = (weights[:, None] * self._on + moved).sum(axis=0)
        return times, Face(weights / (times or 1.0), slopes / (times or 1.0))
