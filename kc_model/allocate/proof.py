"""The certificate of a plan: everything recomputed from the data, on the rounded plan."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kc_model.allocate.rounding import tolerance
from kc_model.allocate.stages import Climb
from kc_model.cells import MILLION
from kc_model.program import Problem, Stage, goal_value
from kc_model.rules import Row

__all__ = ["certify", "missed_by"]

_CLOSE = 1e-6

Money = NDArray[np.float64]


def certify(
    problem: Problem,
    stages: Sequence[Stage],
    climb: Climb,
    settled: Money,
    amounts: NDArray[np.int64],
) -> dict[str, Any]:
    """Recompute from the data, on the rounded plan, everything that must hold."""
    x = amounts / MILLION
    step = problem.grid / MILLION
    failed = []
    worst = 0.0
    for row in problem.rows:
        missed = missed_by(row, x, amounts)
        allowed = tolerance(row, problem.grid) + (
            0.0 if row.is_law else row.shortfall(settled) + _CLOSE * max(1.0, abs(row.bound(x)))
        )
        excess = missed - allowed
        if excess > 1e-9 * max(1.0, abs(row.bound(x))):
            failed.append(row.id)
        worst = max(worst, excess)
    for s, stage in enumerate(stages):
        if stage.goal is None:
            continue
        best = stage.sign * stage.scale * climb.best[s]
        value = goal_value(problem, stage.goal, settled)
        room = (stage.give + _CLOSE) * max(abs(best), stage.scale * step)
        if stage.sign * (value - best) > room + _CLOSE * stage.scale:
            failed.append(stage.name)
    if np.any(amounts < 0) or np.any(amounts % problem.grid):
        failed.append("round_to")
    return {
        "solver": f"HiGHS {version('highspy')}",
        "settlement": f"Clarabel {version('clarabel')}",
        "solver_status": "optimal",
        "gap": climb.gap,
        "rows_checked": len(problem.rows),
        "worst_excess": max(0.0, worst),
        "total_vnd": int(amounts.sum()),
        "failed": failed,
    }


def missed_by(row: Row, x: Money, amounts: NDArray[np.int64]) -> float:
    """Shortfall of a row; in whole đồng, exactly, where the row is plain money."""
    if row.exact is None:
        return row.shortfall(x)
    over = int(amounts[row.cells].sum()) - row.exact
    side = {"min": -over, "max": over, "equal": abs(over)}[row.side]
    return max(0.0, float(side) / MILLION)
