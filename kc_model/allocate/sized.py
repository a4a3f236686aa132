"""The amounts of a plan whose projects, if any, are chosen: stages, settlement, rounding."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kc_model.allocate.choice import Choice
from kc_model.allocate.live import Live, Progress
from kc_model.allocate.sizes import Rounded, round_projects
from kc_model.allocate.stages import Climb
from kc_model.solver import Status

__all__ = ["Sized", "size_plan"]


@dataclass(frozen=True)
class Sized:
    """How looking for a plan ended, and as much of it as was found."""

    status: Status
    live: Live
    climb: Climb | None = None
    settled: NDArray[np.float64] | None = None
    rounded: Rounded | None = None
    choice: Choice | None = None


def size_plan(live: Live, tell: Progress | None = None) -> Sized:
    """Solve the stages, settle and round.

    Parameters
    ----------
    live : Live
        Of a problem whose projects, if any, are chosen.
    tell : callable (name of the step, share done) or None
    """
    problem = live.problem
    climb = live.climb()
    if climb.status is not Status.OPTIMAL:
        return Sized(climb.status, live)
    settled = live.settle(climb)
    if settled is None:
        return Sized(Status.FAILED, live)
    sizes = np.zeros(0)
    if problem.offered is not None:
        worth = 1.0 + problem.offered.rank.max(initial=0) - problem.offered.rank
        found = live.sizes(settled, worth)
        if found is None:
            return Sized(Status.FAILED, live)
        sizes = found
    if tell is not None:
        tell("round", 0.3)
    rounded = round_projects(problem, settled, sizes, live.solver.clock)
    if isinstance(rounded, Status):
        return Sized(rounded, live, climb, settled)
    return Sized(Status.OPTIMAL, live, climb, settled, rounded)
