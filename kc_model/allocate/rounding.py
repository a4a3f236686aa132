"""From the settled plan to amounts on the grid, with every rule proven again.

Each cell goes to the step below or above it so that budgets and bounds on money hold exactly and
shares and counts within one step, at the least total distance. Only where no such plan exists may
cells move further; where none exists at all the grid itself is impossible.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
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
_NONE = np.array([], dtype=np.int64)


def tolerance(row: Row, grid: int) -> float:
    """Return how far a rounded plan may be from a row, in the row's unit.

    Nothing for an amount of money; one step of money for a share, a count or a soft row.
    """
    if row.exact is not None and row.is_law:
        return 0.0
    net = row.coefficients()[1]
    return grid / MILLION * float(np.max(np.abs(net), initial=0.0))


def round_plan(
    rows: Sequence[Row], plan: NDArray[np.float64], grid: int, deadline: float
) -> NDArray[np.int64] | None:
    """Return the amounts in VND, multiples of `grid`, or None if no grid plan keeps the rules.

    Parameters
    ----------
    rows : sequence of Row
        Budgets, bounds and rules; a soft row may miss by what the plan already misses.
    plan : array (n_cells,), million VND
    grid : int, VND
    deadline : float
        As in `Solver`.
    """
    steps = plan * MILLION / grid
    below = np.floor(steps + _SNAP)
    ties = np.linspace(0.0, 1e-6, len(steps))  # equal remainders: the official order decides
    for further in (0, _FURTHER):
        model = _model(rows, plan, below, grid, further)
        solver = Solver(model, deadline)
        rise = 1 - 2 * np.clip(steps - below, 0.0, 1.0) + ties
        solver.set_cost(np.concatenate([rise, np.full(2 * len(steps) * (further > 0), 2.0)]))
        outcome = solver.run()
        if outcome.status is Status.OPTIMAL:
            moves = np.rint(outcome.values).astype(np.int64).reshape(-1, len(steps))
            if further:
                moves = moves[0] + moves[1] - moves[2]
            return np.asarray((below.astype(np.int64) + moves.reshape(len(steps))) * grid)
    return None


def _model(
    rows: Sequence[Row],
    plan: NDArray[np.float64],
    below: NDArray[np.float64],
    grid: int,
    further: int,
) -> Model:
    """Whole steps up (0 or 1) and, where needed, further up and down, against every row."""
    n = len(plan)
    index: list[NDArray[np.int64]] = []
    value: list[NDArray[np.float64]] = []
    low, high = [], []
    for row in rows:
        cells, net = row.coefficients()
        index.append(cells)
        value.append(net if row.exact is None else np.sign(net))
        least, most = _limits(row, plan, below, grid)
        low.append(least)
        high.append(most)
    starts = np.cumsum([0, *(len(part) for part in index)])
    one = sparse.csr_array(
        (np.concatenate([*value, plan[:0]]), np.concatenate([*index, _NONE]), starts),
        shape=(len(rows), n),
    )
    wide = 3 if further else 1
    top = np.concatenate([np.ones(n), np.full((wide - 1) * n, float(further))])
    if further:
        top[2 * n :] = np.minimum(top[2 * n :], below)
    return Model(
        tuple(f"n_{i}" for i in range(wide * n)),
        tuple(f"row_{r}" for r in range(len(rows))),
        sparse.csr_array(sparse.hstack([one, one, -one])) if further else one,
        np.array(low),
        np.array(high),
        np.zeros(wide * n),
        top,
        np.ones(wide * n, dtype=bool),
    )


def _limits(
    row: Row, plan: NDArray[np.float64], below: NDArray[np.float64], grid: int
) -> tuple[float, float]:
    """Bounds of a row on the steps still open; whole numbers where the row is plain money."""
    if row.exact is not None:
        done = sum(int(below[i]) for i in row.cells)
        missed = 0.0 if row.is_law else math.ceil(row.shortfall(plan) * MILLION / grid - _SNAP) + 1
        least, most = math.ceil(row.exact / grid) - done, math.floor(row.exact / grid) - done
        sides = (least - missed, most + missed)
    else:
        cells, net = row.coefficients()
        step = grid / MILLION
        right = row.factor * row.const / step - float(net @ below[cells])
        room = (tolerance(row, grid) + (0.0 if row.is_law else row.shortfall(plan))) / step
        sides = (right - room, right + room)
    return (
        -np.inf if row.side == "max" else float(sides[0]),
        np.inf if row.side == "min" else float(sides[1]),
    )


def impossible_grid(problem: Problem) -> dict[str, Any]:
    """Return a conflict that names the grid, and the budgets that are no multiple of it."""
    off = [
        row
        for row in problem.rows
        if row.side == "equal" and row.exact and row.exact % problem.grid
    ]
    return {
        "rules": ["round_to", *(row.id for row in off)],
        "texts": ["", *(row.text for row in off)],
        "grid": problem.grid / MILLION * problem.million,
        "repairs": [],
        "complete": False,
    }
