"""The certificate of a plan: everything recomputed from the data, on the rounded plan."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kc_model.allocate.sizes import Rounded
from kc_model.allocate.stages import Climb
from kc_model.cells import MILLION
from kc_model.problem import Problem
from kc_model.program import Stage
from kc_model.standing import stage_value, wrong_projects
from kc_model.stays import stays_within

__all__ = ["certify"]

_CLOSE = 1e-6
_EXACT = 1e-9
_FINEST = 9  # digits of what is noise behind them

Money = NDArray[np.float64]


def certify(
    problem: Problem,
    stages: Sequence[Stage],
    climb: Climb,
    settled: Money,
    rounded: Rounded,
) -> dict[str, Any]:
    """Recompute from the data everything that must hold.

    The laws on the rounded plan, and what projects may get; on the settled plan that tiers and
    goals are what the solver said they are. ``failed`` names what does not hold: then there is no
    plan.
    """
    amounts = rounded.cells
    x = amounts / MILLION
    step = problem.grid / MILLION
    sums = problem.sums
    excess = sums.missed(amounts) - sums.tolerances(problem.grid)
    broken = sums.law & (excess > _EXACT * np.maximum(1.0, np.abs(sums.bound(x))))
    failed = [problem.rows[r].id for r in np.flatnonzero(broken)]
    for s, stage in enumerate(stages):
        best = stage.sign * stage.scale * climb.best[s]
        value = stage_value(problem, stage, settled)
        room = stage.scale * (stage.worst(climb.best[s]) - climb.best[s])
        noise = _CLOSE * (max(abs(best), stage.scale * step) + stage.scale)
        if stage.sign * (value - best) > room + noise:
            failed.append(stage.name)
    if problem.kept is not None:
        low, high = stays_within(problem.cells.frame["baseline"].to_numpy(np.int64), problem.grid)
        off = problem.kept & ((amounts < low) | (amounts > high))
        failed.extend(problem.cells.names()[i] for i in np.flatnonzero(off))
    if np.any(amounts < 0) or np.any((amounts - problem.off_grid) % problem.grid):
        failed.append("round_to")
    failed.extend(wrong_projects(problem, amounts, rounded.projects, rounded.parts))
    return {
        "solver": f"HiGHS {_version('highspy')}",
        "settlement": f"Clarabel {_version('clarabel')}",
        "solver_status": "optimal",
        "gap": climb.gap,
        "rows_checked": len(problem.rows),
        "worst_excess": round(float(np.max(excess[sums.law], initial=0.0)), _FINEST),
        "total_vnd": int(amounts.sum()),
        "failed": failed,
    }


@cache
def _version(package: str) -> str:
    return version(package)
