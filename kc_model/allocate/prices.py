"""What one more unit on a rule's right-hand side, in the loosening direction, would add."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kc_model.allocate.stages import Ladder
from kc_model.program import Problem, Stage
from kc_model.rules import Row
from kc_model.solver import Status

__all__ = ["find_prices"]

_STEP = 1e-2
_AGREE = 1e-4
_NOISE = 1e-6


def find_prices(problem: Problem, ladder: Ladder, tight: Sequence[int]) -> dict[int, float]:
    """Return the price of every tight row, in the first goal's unit per unit of the row.

    The row is loosened by a little and the tiers and the first goal are solved again: that is
    right where a dual value is not (at a corner many duals are true at once, and a directive that
    is missed moves when a law does). The dual is used for its digits where it agrees.

    Parameters
    ----------
    problem : Problem
    ladder : Ladder
        It is taken back to the bottom.
    tight : sequence of int
        Numbers of the rows that bind or are missed.

    Returns
    -------
    dict
        Row number -> price, positive where loosening helps; a row whose loosening leaves no plan,
        or any row where there is no goal, is left out.
    """
    first = next((s for s, stage in enumerate(ladder.stages) if stage.goal is not None), None)
    if first is None:
        return {}
    stage = ladder.stages[first]
    ladder.back()
    now = ladder.climb(first + 1)
    if now.status is not Status.OPTIMAL:
        return {}
    duals = now.outcomes[first].row_duals
    place = {name: i for i, name in enumerate(ladder.solver.model.rows)}
    prices = {}
    for r in tight:
        row, at = problem.rows[r], place[f"row_{r}"]
        gain = _loosened(ladder, row, at, first, now.best[first])
        if gain is None:
            continue
        dual = float(duals[at]) if row.side == "min" else -float(duals[at])
        exact = dual if abs(gain - dual) <= _AGREE * max(1.0, abs(dual)) else gain
        exact = exact if abs(exact) > _NOISE else 0.0
        prices[r] = exact * stage.scale * _goal_unit(stage, problem) / row.scale
    ladder.back()
    return prices


def _loosened(ladder: Ladder, row: Row, at: int, first: int, best: float) -> float | None:
    """Gain of the stage per unit of the row when the row is loosened by a little."""
    ladder.back()
    solver = ladder.solver
    one = np.array([at])
    down = _STEP if row.side == "min" else 0.0
    up = _STEP if row.side != "min" else 0.0
    low = solver.row_low[one] - down + (up if row.side == "equal" else 0.0)
    solver.set_rows(one, low, solver.row_high[one] + up)
    again = ladder.climb(first + 1)
    if again.status is not Status.OPTIMAL:
        return None
    return (best - again.best[first]) / _STEP


def _goal_unit(stage: Stage, problem: Problem) -> float:
    """User's units in one unit of the goal: money is shown in the dataset's unit."""
    goal = problem.goals[stage.goal or 0]
    return 1.0 if goal.what == "outputs" else problem.million
