"""From the settled plan to amounts on the grid, with every rule proven again.

Each cell goes to the step below or above it so that budgets and bounds on money hold exactly and
shares and counts within one step, at the least total distance. Only where no such plan exists may
cells move further; where none exists at all the grid itself is impossible.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from kc_model.arrays import Model
from kc_model.cells import MILLION
from kc_model.nearest import has_reserve, nearer_step
from kc_model.program import Problem
from kc_model.rules import Row, Sums
from kc_model.solver import Outcome, Solver, Status
from kc_model.standing import tolerances

__all__ = ["impossible_grid", "round_plan"]

_SNAP = 1e-5
_WHOLE = 1e-6  # how near to a whole number is one: the tolerance of HiGHS itself
_FURTHER = 20
_NAMED = 200  # laws up to which the search for those that clash with the grid is tried
_PRICE = {"directive": 1e4, "preference": 1e2}  # of one step missed, against one step moved

Floats = NDArray[np.float64]


def round_plan(
    rows: Sequence[Row], plan: Floats, grid: int, deadline: float
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
    deadline : float
        As in `Solver`.
    """
    steps = plan * MILLION / grid
    below = np.floor(steps + _SNAP)
    ties = np.linspace(0.0, 1e-6, len(steps))  # equal remainders: the official order decides
    rise = 1 - 2 * np.clip(steps - below, 0.0, 1.0) + ties
    asked = [
        *_as_amounts(rows, len(plan)),
        *(_used(row, steps, grid) for row in rows if has_reserve(row)),
    ]
    board = _Board(asked, plan, below, grid)
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
            return _drawn_in(rows, plan, grid, (below.astype(np.int64) + up) * grid)
    return status


def _drawn_in(
    rows: Sequence[Row], plan: Floats, grid: int, amounts: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Bring amounts nearer to the plan step by step: whole numbers are found to a gap only."""
    sums = Sums.of(rows, len(plan))
    while (moved := nearer_step(rows, sums, grid, plan, amounts)) is not None:
        for cell, step in zip(moved, (grid, -grid), strict=True):
            if cell >= 0:
                amounts[cell] += step
    return amounts


def _least(model: Model, cost: Floats, deadline: float) -> Outcome:
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
    solver = Solver(model, deadline)
    solver.set_cost(cost)
    return solver.run()


def _as_amounts(rows: Sequence[Row], n_cells: int) -> Iterator[Row]:
    """Yield the rows, a share of budgets that are used up as a share of their amounts.

    In whole steps such a row can be said more sharply: then the best plan is found at once.
    """
    owner = np.full(n_cells, -1)
    budgets: list[Row] = []
    for row in rows:
        if row.side == "equal" and np.all(owner[row.cells] < 0):  # budgets only are equations
            owner[row.cells] = len(budgets)
            budgets.append(row)
    sizes = np.array([len(row.cells) for row in budgets])
    for row in rows:
        inside = owner[row.base] if len(row.base) else row.base
        if len(inside) and inside.min() >= 0 and np.all(row.base_coef == 1):
            counts = np.bincount(inside, minlength=len(sizes))
            used = np.flatnonzero(counts)
            if np.array_equal(counts[used], sizes[used]):
                none, const = row.base[:0], sum(budgets[b].const for b in used)
                yield replace(row, base=none, base_coef=row.base_coef[:0], const=const)
                continue
        yield row


def _used(row: Row, steps: Floats, grid: int) -> Row:
    """Return the wish that rounding leaves no more of a budget unused than the plan itself."""
    used = math.floor(float(steps[row.cells].sum()) + _SNAP) * grid
    return replace(row, side="min", tier="preference", exact=Fraction(used))


class _Board:
    """Every row against whole steps up (0 or 1) and, where needed, further up and down.

    Parameters
    ----------
    rows : sequence of Row
    plan : array (n_cells,), million VND
    below : array (n_cells,)
        Whole steps below the plan.
    grid : int, VND
    """

    def __init__(self, rows: Sequence[Row], plan: Floats, below: Floats, grid: int) -> None:
        self.rows, self.below, self.grid = rows, below, grid
        sums = Sums.of(rows, len(plan))
        self.one = sums.net()
        self.done = self.one @ below
        self.room = tolerances(rows, sums, grid) / (grid / MILLION)
        self.law = np.array([row.is_law for row in rows], dtype=bool)
        self.sign = np.where(sums.sides == "min", 1.0, -1.0)
        self.already = np.where(self.law, 0.0, sums.shortfall(plan) / (grid / MILLION))
        self.sides = sums.sides
        off = np.zeros(len(rows))
        place = np.repeat(np.arange(len(rows)), np.diff(self.one.indptr))
        np.maximum.at(off, place, abs(self.one.data - 1))
        self.is_count = off == 0  # whole steps add up to a whole number
        self.least = np.asarray(self.one.minimum(0).sum(axis=1))
        self.most = np.asarray(self.one.maximum(0).sum(axis=1))

    def limits(self, *, loose: bool) -> tuple[Floats, Floats]:
        """Return bounds of the rows on the steps still open; whole numbers where a law allows."""
        step = self.grid / MILLION
        right = np.array([row.right / step for row in self.rows]) - self.done
        room = np.where(self.law & loose, self.room, 0.0)
        low, high = right - room, right + room
        sharp = self.law & self.is_count
        low[sharp], high[sharp] = np.ceil(low[sharp] - _WHOLE), np.floor(high[sharp] + _WHOLE)
        for r, row in enumerate(self.rows):
            if row.exact is not None:
                part = row.exact.denominator * self.grid
                over = row.exact.numerator - int(self.done[r]) * part
                low[r] = -(-over // part) if row.is_law else over / part
                high[r] = over // part if row.is_law else over / part
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
        missed = sparse.diags_array(self.sign, format="csc")[:, soft]
        sharp_missed = sparse.eye_array(len(self.rows), format="csc")[:, soft].tocsr()[sharp]
        rows = [[self.one[near], missed.tocsr()[near]], [sharper, sharp_missed]]
        if further:
            rows = [[up, up, -up, miss] for up, miss in rows]
        shift = (self.sign * self.already)[near]
        model = Model(
            tuple(f"n_{i}" for i in range(wide * n)) + tuple(f"v_{r}" for r in soft),
            tuple(f"row_{r}" for r in near) + tuple(f"sharp_{r}" for r in sharp),
            sparse.csr_array(sparse.block_array(rows, format="csr")),
            np.concatenate([low[near] - shift, least - self.already[sharp]]),
            np.concatenate([high[near] - shift, np.full(len(sharp), np.inf)]),
            np.concatenate([np.zeros(wide * n), -self.already[soft]]),
            np.concatenate([top, np.full(len(soft), np.inf)]),
            np.repeat([True, False], [wide * n, len(soft)]),
        )
        heaviest = max((row.weight for row in self.rows if not row.is_law), default=1.0)
        price = [_PRICE[self.rows[r].tier] * self.rows[r].weight / heaviest for r in soft]
        return model, np.array(price)

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


def impossible_grid(problem: Problem, plan: Floats, deadline: float) -> dict[str, Any]:
    """Return a conflict that names the grid and the laws that it cannot keep together."""
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
    return {
        "rules": ["round_to", *needed],
        "texts": ["", *(texts[rule] for rule in needed)],
        "grid": problem.grid / MILLION * problem.million,
        "repairs": [],
        "complete": False,
    }
