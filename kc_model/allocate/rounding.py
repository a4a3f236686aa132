"""From the settled plan to amounts on the grid, with every rule proven again.

Each cell goes to the step below or above it so that budgets and bounds on money hold exactly and
shares and counts within one step, at the least total distance. Only where no such plan exists may
cells move further; where none exists at all the grid itself is impossible.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from kc_model.arrays import Model
from kc_model.cells import MILLION
from kc_model.nearest import has_reserve, nearer_step
from kc_model.problem import Problem
from kc_model.rules import Row, Sums
from kc_model.solver import Clock, Outcome, Solver, Status

__all__ = ["impossible_grid", "round_plan"]

_SNAP = 1e-5
_WHOLE = 1e-6  # how near to a whole number is one: the tolerance of HiGHS itself
_FURTHER = 20
_SMALL = 200  # columns up to which HiGHS does not presolve: in 1.15.1 the search may not end then
_NAMED = 200  # laws up to which the search for those that clash with the grid is tried
_PRICE = {"directive": 1e4, "preference": 1e2}  # of one step missed, against one step moved

Floats = NDArray[np.float64]


def round_plan(
    rows: Sequence[Row],
    plan: Floats,
    grid: int,
    deadline: float | Clock,
    sums: Sums | None = None,
) -> NDArray[np.int64] | Status:
    """Return the amounts in VND, multiples of `grid`, or how the search ended without any.

    A law binds the grid; a directive or preference yields to it, and so does the use of a budget
    that may keep a reserve, at a price that comes before the distance from the plan. INFEASIBLE:
    no plan on the grid keeps the laws.

    Parameters
    ----------
    rows : sequence of Row
        Budgets, bounds and rules.
    plan : array (n_cells,), million VND
    grid : int, VND
    deadline : float or Clock
        As in `Solver`.
    sums : Sums or None
        Those of the rows, where they are known.
    """
    steps = plan * MILLION / grid
    below = np.floor(steps + _SNAP)
    ties = np.linspace(0.0, 1e-6, len(steps))  # equal remainders: the official order decides
    rise = 1 - 2 * np.clip(steps - below, 0.0, 1.0) + ties
    reserves = [_used(row, steps, grid) for row in rows if has_reserve(row)]
    if sums is None or reserves:
        rows = [*rows, *reserves]
        sums = Sums.of(rows, len(plan))
    board = _Board(_prices(rows, sums), _as_amounts(sums), plan, below, grid)
    status = Status.FAILED
    # First without the step that shares and counts may be off, and to the next step only.
    for further, loose in ((0, False), (0, True), (_FURTHER, False), (_FURTHER, True)):
        model, price = board.model(further, loose=loose)
        moved = [rise] if not further else [rise, np.full(2 * len(steps), 2.0)]
        outcome = _least(model, np.concatenate([*moved, price]), deadline)
        status = outcome.status
        if status is Status.OPTIMAL:
            moves = np.rint(outcome.values[: len(rise) * (3 if further else 1)])
            parts = moves.astype(np.int64).reshape(-1, len(steps))
            up = parts[0] + (parts[1] - parts[2] if further else 0)
            amounts = (below.astype(np.int64) + up) * grid
            is_exact = len(outcome.row_duals) > 0  # multipliers prove it; else there is a gap
            return amounts if is_exact else _drawn_in(rows, sums, plan, grid, amounts)
    return status


def _drawn_in(
    rows: Sequence[Row], sums: Sums, plan: Floats, grid: int, amounts: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Bring amounts nearer to the plan, step by step."""
    while (moved := nearer_step(rows, sums, grid, plan, amounts)) is not None:
        for cell, step in zip(moved, (grid, -grid), strict=True):
            if cell >= 0:
                amounts[cell] += step
    return amounts


def _least(model: Model, cost: Floats, deadline: float | Clock) -> Outcome:
    """Solve without asking for whole steps; with, unless the best plan has them anyway."""
    solver = Solver(replace(model, whole=np.zeros_like(model.whole)), deadline)
    solver.set_cost(cost)
    outcome = solver.run()
    if outcome.status in (Status.INFEASIBLE, Status.LIMIT):
        return outcome
    if outcome.status is Status.OPTIMAL:
        values = outcome.values[model.whole]
        if np.max(np.abs(values - np.rint(values)), initial=0.0) <= _WHOLE:
            return outcome
    solver = Solver(model, deadline, presolves=len(cost) > _SMALL)
    solver.set_cost(cost)
    return solver.run()


def _as_amounts(sums: Sums) -> Sums:
    """Return the sums, a share of budgets that are used up as a share of their amounts.

    In whole steps such a row can be said more sharply: then the best plan is found at once.
    """
    n_rows, n_cells = sums.left.shape
    owner = np.full(n_cells, -1)
    for r in np.flatnonzero(sums.sides == "equal").tolist():  # budgets only are equations
        cells = sums.left.indices[sums.left.indptr[r] : sums.left.indptr[r + 1]]
        if np.all(owner[cells] < 0):
            owner[cells] = r
    owned = np.flatnonzero(owner >= 0)
    size = np.bincount(owner[owned], minlength=n_rows)
    is_in = (np.ones(len(owned)), (owned, owner[owned]))
    plain = (np.where(sums.base.data == 1, 1.0, 0.0), sums.base.indices, sums.base.indptr)
    shares = sparse.csr_array(plain, shape=(n_rows, n_cells))
    counts = sparse.csr_array(shares @ sparse.csr_array(is_in, shape=(n_cells, n_rows)))
    row = np.repeat(np.arange(n_rows), np.diff(counts.indptr))
    inside = np.bincount(row, counts.data, n_rows)
    whole = np.bincount(row, size[counts.indices], n_rows)
    cells_of = np.diff(sums.base.indptr)
    is_fixed = (cells_of > 0) & (inside == cells_of) & (whole == cells_of)
    const = sums.const + is_fixed * np.bincount(row, sums.const[counts.indices], n_rows)
    base = sparse.csr_array(sparse.diags_array(np.where(is_fixed, 0.0, 1.0)) @ sums.base)
    base.eliminate_zeros()
    return replace(sums, const=const, base=base)


def _prices(rows: Sequence[Row], sums: Sums) -> Floats:
    """Return the price of one step that each row misses; 0 of laws."""
    soft = [(r, rows[r]) for r in np.flatnonzero(~sums.law).tolist()]
    heaviest = max((row.weight for _, row in soft), default=1.0)
    prices = np.zeros(len(rows))
    for r, row in soft:
        prices[r] = _PRICE[row.tier] * row.weight / heaviest
    return prices


def _used(row: Row, steps: Floats, grid: int) -> Row:
    """Return the wish that rounding leaves no more of a budget unused than the plan itself."""
    used = math.floor(float(steps[row.cells].sum()) + _SNAP) * grid
    return replace(row, side="min", tier="preference", exact=Fraction(used))


class _Board:
    """Every row against whole steps up (0 or 1) and, where needed, further up and down.

    `price` is of one step that a row misses, `plan` in million VND, `below` the whole steps below
    it, `grid` in VND.
    """

    def __init__(self, price: Floats, sums: Sums, plan: Floats, below: Floats, grid: int) -> None:
        self.price, self.sums, self.below, self.grid = price, sums, below, grid
        self.one = sums.net()
        self.done = self.one @ below
        self.room = sums.tolerances(grid) / (grid / MILLION)
        self.law, self.sides = sums.law, sums.sides
        self.sign = np.where(sums.sides == "min", 1.0, -1.0)
        self.already = np.where(self.law, 0.0, sums.shortfall(plan) / (grid / MILLION))
        place = np.repeat(np.arange(len(price)), np.diff(self.one.indptr))
        self.is_count = np.ones(len(price), dtype=bool)  # whole steps add up to a whole number
        self.is_count[place[self.one.data != 1]] = False
        self.least = np.bincount(place, np.minimum(self.one.data, 0.0), len(price))
        self.most = np.bincount(place, np.maximum(self.one.data, 0.0), len(price))

    def limits(self, *, loose: bool) -> tuple[Floats, Floats]:
        """Return bounds of the rows on the steps still open; whole numbers where a law allows."""
        sums = self.sums
        right = sums.right / (self.grid / MILLION) - self.done
        room = np.where(self.law & loose, self.room, 0.0)
        low, high = right - room, right + room
        sharp = self.law & self.is_count
        low[sharp], high[sharp] = np.ceil(low[sharp] - _WHOLE), np.floor(high[sharp] + _WHOLE)
        exact, (bound, part) = sums.exact, sums.bound_vnd
        part = part * self.grid
        over = bound - self.done[exact].astype(np.int64).astype(object) * part
        law = self.law[exact]
        low[exact] = np.where(law, -(-over // part), over / part)
        high[exact] = np.where(law, over // part, over / part)
        return (
            np.where(self.sides == "max", -np.inf, low),
            np.where(self.sides == "min", np.inf, high),
        )

    def model(self, further: int, *, loose: bool) -> tuple[Model, Floats]:
        """Return the program, and the prices of what each soft row misses more than the plan.

        These misses stand behind the steps.
        """
        n, wide = len(self.below), 3 if further else 1
        top = np.concatenate([np.ones(n), np.full((wide - 1) * n, float(further))])
        if further:
            top[2 * n :] = np.minimum(top[2 * n :], self.below)
        low, high = self.limits(loose=loose)
        # Rows that a step more or less in every cell cannot break say nothing.
        near = np.flatnonzero((low > self.least) | (high < self.most) | bool(further))
        soft = near[~self.law[near]]
        sharper, sharp, least = self._sharper(soft, np.where(self.sign > 0, low, -high)[soft])
        steps = sparse.vstack([self.one[near], sharper], format="csr")
        steps = sparse.hstack([steps, steps, -steps], format="csr") if further else steps
        rows = np.concatenate([np.flatnonzero(~self.law[near]), len(near) + np.arange(len(sharp))])
        columns = np.concatenate([np.arange(len(soft)), np.searchsorted(soft, sharp)])
        signs = np.concatenate([self.sign[soft], np.ones(len(sharp))])
        missed = sparse.csr_array((signs, (rows, columns)), shape=(steps.shape[0], len(soft)))
        shift = (self.sign * self.already)[near]
        model = Model(
            tuple(f"n_{i}" for i in range(wide * n)) + tuple(f"v_{r}" for r in soft.tolist()),
            tuple(f"row_{r}" for r in near.tolist()) + tuple(f"sharp_{r}" for r in sharp.tolist()),
            sparse.csr_array(sparse.hstack([steps, missed], format="csr")),
            np.concatenate([low[near] - shift, least - self.already[sharp]]),
            np.concatenate([high[near] - shift, np.full(len(sharp), np.inf)]),
            np.concatenate([np.zeros(wide * n), -self.already[soft]]),
            np.concatenate([top, np.full(len(soft), np.inf)]),
            np.repeat([True, False], [wide * n, len(soft)]),
        )
        return model, self.price[soft]

    def _sharper(
        self, soft: NDArray[np.int64], right: Floats
    ) -> tuple[sparse.csr_array, NDArray[np.int64], Floats]:
        """Return what whole steps make of soft rows n + v ≥ d, v ≥ 0: also v + f n ≥ f ⌈d⌉.

        f is the part of d behind the point (mixed-integer rounding, Nemhauser and Wolsey 1988,
        section II.1.7). Returned are the new rows, the rows they come of, their right-hand sides.
        """
        after = right - np.floor(right)
        part = self.is_count[soft] & (after > _WHOLE) & (after < 1 - _WHOLE)
        sharp = soft[part]
        factor = sparse.diags_array(self.sign[sharp] * after[part])
        return sparse.csr_array(factor @ self.one[sharp]), sharp, (after * np.ceil(right))[part]


def impossible_grid(
    problem: Problem, plan: Floats, deadline: float
) -> tuple[list[str], dict[str, str]]:
    """Return the laws that the grid cannot keep together, and the texts of all laws."""
    laws = [row for row in problem.rows if row.is_law]
    texts = {row.id: row.text for row in laws}
    off = {row.id for row in laws if row.side == "equal" and row.exact and row.exact % problem.grid}
    needed = [rule for rule in texts if rule in off]
    if not off and len(texts) <= _NAMED:
        needed = list(texts)
        for rule in texts:
            rest = [row for row in laws if row.id in needed and row.id != rule]
            if round_plan(rest, plan, problem.grid, deadline) is Status.INFEASIBLE:
                needed.remove(rule)
    return needed, texts
