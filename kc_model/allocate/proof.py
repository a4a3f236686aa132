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

__all__ = ["certify", "missed_by", "stage_value"]

_CLOSE = 1e-6
_EXACT = 1e-9

Money = NDArray[np.float64]


def certify(
    problem: Problem,
    stages: Sequence[Stage],
    climb: Climb,
    settled: Money,
    amounts: NDArray[np.int64],
) -> dict[str, Any]:
    """Recompute from the data everything that must hold.

    The laws on the rounded plan; on the settled plan that tiers and goals are what the solver said
    they are. ``failed`` names what does not hold: then there is no plan.
    """
    x = amounts / MILLION
    step = problem.grid / MILLION
    failed = []
    worst = 0.0
    for row in problem.rows:
        if row.is_law:
            excess = missed_by(row, x, amounts) - tolerance(row, problem.grid)
            if excess > _EXACT * max(1.0, abs(row.bound(x))):
                failed.append(row.id)
            worst = max(worst, excess)
    for s, stage in enumerate(stages):
        best = stage.sign * stage.scale * climb.best[s]
        value = stage_value(problem, stage, settled)
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


def stage_value(problem: Problem, stage: Stage, x: Money) -> float:
    """Return what a plan achieves of a tier or goal, recomputed from the data alone."""
    if stage.goal is not None:
        return goal_value(problem, stage.goal, x)
    return sum(row.weight * row.shortfall(x) for row in problem.rows if row.tier == stage.name)
