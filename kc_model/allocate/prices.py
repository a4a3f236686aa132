"""What one more unit on a rule's right-hand side, in the loosening direction, would add."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kc_model.allocate.stages import Ladder
from kc_model.program import Problem, Stage
from kc_model.solver import Status

__all__ = ["find_prices"]

_STEP = 1e-3  # of what the solver sees as 1: kinks lie far apart against it
_AGREE = 1e-4
_NOISE = 1e-6


def find_prices(problem: Problem, ladder: Ladder, tight: Sequence[int]) -> dict[int, float]:
    """Return the price of every tight row, in the first goal's unit per unit of the row.

    The tiers are kept at their values, the row is loosened by a little and the first goal solved
    again: that is right where a dual value is not (at a corner many duals are true at once). The
    dual is used for its digits where it agrees.

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
    stage, solver = ladder.stages[first], ladder.solver
    ladder.back()
    tiers = ladder.climb(first) if first else None
    if tiers is not None and tiers.status is not Status.OPTIMAL:
        return {}
    ladder.back()
    ladder.cap(tiers.best if tiers is not None else ())
    now = ladder.solve(first)
    if now.status is not Status.OPTIMAL:
        return {}
    place = {name: i for i, name in enumerate(solver.model.rows)}
    prices = {}
    for r in tight:
        row, at = problem.rows[r], place[f"row_{r}"]
        low, high = float(solver.row_low[at]), float(solver.row_high[at])
        one = np.array([at])
        step = _STEP * solver.scale * float(np.max(np.abs(row.coef), initial=0.0))
        up, down = (0.0, step) if row.side == "min" else (step, 0.0)
        solver.set_rows(
            one, np.array([low - down + up * (row.side == "equal")]), np.array([high + up])
        )
        again = ladder.solve(first)
        solver.set_rows(one, np.array([low]), np.array([high]))
        if again.status is not Status.OPTIMAL or not step:
            continue
        gain = (now.objective - again.objective) / step
        dual = float(now.row_duals[at]) * (1.0 if row.side == "min" else -1.0)
        exact = dual if abs(gain - dual) <= _AGREE * max(1.0, abs(dual)) else gain
        exact = exact if abs(exact) > _NOISE else 0.0
        prices[r] = exact * stage.scale * _goal_unit(stage, problem) / row.scale
    ladder.back()
    return prices


def _goal_unit(stage: Stage, problem: Problem) -> float:
    """User's units in one unit of the goal: money is shown in the dataset's unit."""
    goal = problem.goals[stage.goal or 0]
    return 1.0 if goal.what == "outputs" else problem.million
