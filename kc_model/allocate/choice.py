"""Which projects are chosen: tiers and goals in order over whole numbers, ties by the law's order.

Every stage is solved to a gap that is told, and kept at the value found: whole numbers have no
prices that would say more. What the goals leave open goes by rank: the first project is chosen if
any of the plans that are left has it, then the second, and so on. That is one weight for each
project in a stage of its own, twice the next one's; so many at a time that the weights stay exact.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kc_model.allocate.live import Live, Progress
from kc_model.allocate.stages import Climb
from kc_model.allocate.wholes import WholeLadder
from kc_model.arrays import Cut
from kc_model.solver import GAP_WHOLE, Outcome, Status

__all__ = ["Choice", "choose", "forbid", "gap_of", "gap_told"]

_BLOCK = 20  # weights up to 2^19 keep six digits apart
_BLOCKS = 3
_SPREAD = 2.0**19
_START, _END = 0.1, 0.25

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Choice:
    """What looking for a choice gave.

    Parameters
    ----------
    status : Status
    chosen : array of bool (n_projects,) or None
        Proven if the status is optimal; the best one found if time ran out; None: none was found.
    best : tuple of float
        Best value of each stage, in its column's minimised form.
    worst : tuple of float or None
        What the sizes may make of each stage's column at most; None: nothing but its best.
    gap : float
        See `gap_of`.
    """

    status: Status
    chosen: Mask | None
    best: tuple[float, ...]
    worst: tuple[float | None, ...]
    gap: float


def choose(live: Live, tell: Progress) -> Choice:
    """Choose projects.

    Parameters
    ----------
    live : Live
        Of a problem whose projects are not decided yet; stands with every stage shut afterwards.
    tell : callable (name of the step, share done)
        Is told ``choose`` and how much of the gap is closed.
    """
    offered, solver = live.problem.offered, live.solver
    if offered is None:
        raise ValueError("the problem has no projects")
    solver.listen(lambda gap: tell("choose", _START + (_END - _START) * _closed(gap)))
    columns = live.columns("z", range(len(offered)))
    first = np.full(len(offered), len(offered.cell))
    np.minimum.at(first, offered.project, offered.cell)
    if isinstance(live.ladder, WholeLadder):
        order = columns[np.argsort(first, kind="stable")]
        live.ladder.neighbours = order[order >= 0]
    live.ladder.back()
    climb = live.climb()
    worst = tuple(
        stage.worst(best) if stage.is_open else None
        for stage, best in zip(live.stages, climb.best, strict=False)
    )
    last = climb.outcomes[-1] if climb.outcomes else None
    if last is None or not len(last.values):
        return Choice(climb.status, None, climb.best, worst, float("inf"))
    if climb.status is Status.OPTIMAL:
        last = _by_rank(live, columns, np.argsort(offered.rank), last)
    return Choice(climb.status, _chosen(last, columns), climb.best, worst, gap_of(climb))


def gap_of(climb: Climb) -> float:
    """Return the widest gap of any stage; of one that did not come to its end, the last, its own.

    Infinity where nothing is known of that one.
    """
    if climb.status is Status.OPTIMAL:
        return max(outcome.gap for outcome in climb.outcomes)
    is_known = len(climb.outcomes) > len(climb.best)
    return climb.outcomes[-1].gap if is_known else float("inf")


def gap_told(share: float) -> float | None:
    """Return the gap that `choose` tells with a share done; None: no bound is known yet.

    Parameters
    ----------
    share : float
    """
    closed = (share - _START) / (_END - _START)
    return float(GAP_WHOLE**closed) if 0 < closed <= 1 else None


def forbid(live: Live, chosen: Mask) -> None:
    """Let one choice not be made again: its sizes keep the laws only between đồng."""
    columns = live.columns("z", range(len(chosen)))
    known = columns >= 0
    sign = np.where(chosen[known], -1.0, 1.0)
    live.ladder.back()
    live.solver.add([Cut(columns[known], sign, 1.0 - float(chosen.sum()))])
    live.ladder.stand()


def _closed(gap: float) -> float:
    """Return how much of the way from no bound at all to a closed gap is done."""
    if gap >= 1:
        return 0.0
    return min(1.0, float(np.log10(max(gap, GAP_WHOLE)) / np.log10(GAP_WHOLE)))


def _chosen(outcome: Outcome, columns: NDArray[np.int64]) -> Mask:
    return np.asarray((columns >= 0) & (outcome.values[columns] > 0.5))


def _by_rank(
    live: Live, columns: NDArray[np.int64], order: NDArray[np.int64], found: Outcome
) -> Outcome:
    """Return the plan of the stages that is first by rank."""
    solver, ladder = live.solver, live.ladder
    if not isinstance(ladder, WholeLadder):
        return found  # every project is decided by its bounds
    open_ = np.array([columns[p] for p in order.tolist() if columns[p] >= 0], dtype=np.int64)
    ends = [_BLOCK * k for k in range(1, _BLOCKS)] if len(open_) <= _BLOCK * _BLOCKS else []
    for block in np.split(open_, [end for end in ends if end < len(open_)]):
        cost = np.zeros(len(solver.cost))
        falls = max(0.5, _SPREAD ** (-1.0 / max(1, len(block) - 1)))
        cost[block] = -_SPREAD * falls ** np.arange(len(block))
        outcome = ladder.least(cost, is_last=True)
        found = outcome if len(outcome.values) else found
        kept = np.rint(found.values[block])
        solver.set_columns(block, kept, kept)
    return found
