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
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from kc_model.cells import MILLION
from kc_model.program import Problem
from kc_model.rules import Row
from kc_model.solver import Model, Solver, Status

__all__ = ["impossible_grid", "round_plan", "tolerance"]

_SNAP = 1e-5
_FURTHER = 20
_NAMED = 200  # laws up to which the search for those that clash with the grid is tried
_PRICE = {"directive": 1e4, "preference": 1e2}  # of one step missed, against one step moved

Floats = NDArray[np.float64]


def tolerance(row: Row, grid: int) -> float:
    """Return how far a rounded plan may be from a row, in the row's unit.

    Nothing for an amount of money; one step of money for a share, what one step of money counts
    for a count.
    """
    if row.exact is not None and row.is_law:
        return 0.0
    step = grid / MILLION
    is_money = row.measure in {"money", "share"}
    return step if is_money else step * float(np.max(np.abs(row.coef), initial=0.0))


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
    rows = [*rows, *(_used(row, steps, grid) for row in rows if _has_reserve(row))]
    status = Status.FAILED
    # First without the step that shares and counts may be off, and to the next step only.
    for further, loose in ((0, False), (0, True), (_FURTHER, False), (_FURTHER, True)):
        limits = [_limits(row, below, grid, loose=loose) for row in rows]
        model, price = _model(rows, plan, below, grid, limits, further)
        solver = Solver(model, deadline)
        moved = [rise] if not further else [rise, np.full(2 * len(steps), 2.0)]
        solver.set_cost(np.concatenate([*moved, price]))
        outcome = solver.run()
        status = outcome.status
        if status is Status.OPTIMAL:
            moves = np.rint(outcome.values[: len(rise) * (3 if further else 1)])
            parts = moves.astype(np.int64).reshape(-1, len(steps))
            up = parts[0] + (parts[1] - parts[2] if further else 0)
            return np.asarray((below.astype(np.int64) + up) * grid)
    return status


def _has_reserve(row: Row) -> bool:
    return row.id.startswith("budget:") and row.side == "max"


def _used(row: Row, steps: Floats, grid: int) -> Row:
    """Return the wish that rounding leaves no more of a budget unused than the plan itself."""
    used = math.floor(float(steps[row.cells].sum()) + _SNAP) * grid
    return replace(row, side="min", tier="preference", exact=Fraction(used))


def _model(
    rows: Sequence[Row],
    plan: Floats,
    below: Floats,
    grid: int,
    limits: Sequence[tuple[float, float]],
    further: int,
) -> tuple[Model, Floats]:
    """Whole steps up (0 or 1) and, where needed, further up and down, against every row.

    Behind them stands what each soft row misses more than the plan itself; its price is returned.
    """
    n, step = len(plan), grid / MILLION
    parts = [row.coefficients() for row in rows]
    index = [np.zeros(0, dtype=np.int64), *(cells for cells, _ in parts)]
    starts = np.cumsum([len(cells) for cells in index])
    one = sparse.csr_array(
        (np.concatenate([plan[:0], *(net for _, net in parts)]), np.concatenate(index), starts),
        shape=(len(rows), n),
    )
    soft = [r for r, row in enumerate(rows) if not row.is_law]
    sign = [1.0 if rows[r].side == "min" else -1.0 for r in soft]
    missed = sparse.csr_array((sign, (soft, range(len(soft)))), shape=(len(rows), len(soft)))
    wide = 3 if further else 1
    top = np.concatenate([np.ones(n), np.full((wide - 1) * n, float(further))])
    if further:
        top[2 * n :] = np.minimum(top[2 * n :], below)
    already = np.array([rows[r].shortfall(plan) for r in soft]) / step
    model = Model(
        tuple(f"n_{i}" for i in range(wide * n)) + tuple(f"v_{r}" for r in soft),
        tuple(f"row_{r}" for r in range(len(rows))),
        sparse.csr_array(sparse.hstack([one, one, -one, missed] if further else [one, missed])),
        np.array([low for low, _ in limits]) - _shift(missed, already),
        np.array([high for _, high in limits]) - _shift(missed, already),
        np.concatenate([np.zeros(wide * n), -already]),
        np.concatenate([top, np.full(len(soft), np.inf)]),
        np.concatenate([np.ones(wide * n, dtype=bool), np.zeros(len(soft), dtype=bool)]),
    )
    heaviest = max((rows[r].weight for r in soft), default=1.0)
    price = [_PRICE[rows[r].tier] * rows[r].weight / heaviest for r in soft]
    return model, np.array(price)


def _shift(missed: sparse.csr_array, already: Floats) -> Floats:
    return np.asarray(missed @ already, dtype=np.float64)


def _limits(row: Row, below: Floats, grid: int, *, loose: bool) -> tuple[float, float]:
    """Bounds of a row on the steps still open; whole numbers where a law is plain money."""
    if row.exact is not None:
        done = sum(int(below[i]) for i in row.cells)
        steps = row.exact / grid - done
        low, high = float(steps), float(steps)
        if row.is_law:
            low, high = float(math.ceil(steps)), float(math.floor(steps))
    else:
        cells, net = row.coefficients()
        step = grid / MILLION
        right = row.factor * row.const / step - float(net @ below[cells])
        room = tolerance(row, grid) / step if row.is_law and loose else 0.0
        low, high = right - room, right + room
    return (
        -np.inf if row.side == "max" else low,
        np.inf if row.side == "min" else high,
    )


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
