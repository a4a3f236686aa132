"""Which projects are chosen: tiers and goals in order over whole numbers, ties by the law's order.

Every stage is solved to a gap that is told, and kept at the value found: whole numbers have no
prices that would say more. What the goals leave open goes by rank: the first project is chosen if
any of the plans that are left has it, then the second, and so on. That is one weight for each
project in a stage of its own, twice the next one's; so many at a time that the weights stay exact.

Lines that are to move are chosen the same way. Of sets that are as good the one goes first by which
the least money moves, and then the one whose first line in official order moves, then its second.
Where many lines may move only those that do, and those nearest to it, are tried against each other.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kc_model.allocate.live import Live, Progress
from kc_model.allocate.stages import Climb
from kc_model.allocate.wholes import WholeLadder
from kc_model.arrays import Cut
from kc_model.problem import Problem
from kc_model.program import Stage
from kc_model.solver import GAP, GAP_WHOLE, Outcome, Status
from kc_model.stays import decided, stays_of

__all__ = ["Choice", "by_purse", "by_rank", "choose", "forbid", "gap_of", "gap_told", "staying"]

_BLOCK = 20  # weights up to 2^19 keep six digits apart
_BLOCKS = 3
_SPREAD = 2.0**19
_START, _END = 0.1, 0.25
_WAYS = ("rises", "falls")

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
    stages : tuple of Stage
        As the sizes have to keep them.
    gap : float
        See `gap_of`.
    floors : tuple of float
        What no plan beats in each of those stages, minimised.
    kept, same : array of bool (n_cells,), (n_projects,) or None
        Cells, and projects that are chosen, which stay as they were, where moves are counted.
    """

    status: Status
    chosen: Mask | None
    best: tuple[float, ...]
    stages: tuple[Stage, ...]
    gap: float
    floors: tuple[float, ...] = ()
    kept: Mask | None = None
    same: Mask | None = None

    @property
    def is_found(self) -> bool:
        """Whether there is any choice."""
        return self.chosen is not None or self.kept is not None

    def made(self, problem: Problem) -> Problem:
        """Return the problem in which it is made.

        Parameters
        ----------
        problem : Problem
            Nothing decided yet.
        """
        none = np.zeros(0, dtype=bool)
        chosen = none if self.chosen is None else self.chosen
        same = np.zeros(len(chosen), dtype=bool) if self.same is None else self.same
        return decided(problem, chosen, self.kept, same)


def choose(live: Live, tell: Progress) -> Choice:
    """Choose projects, and the lines that move where these are counted.

    Parameters
    ----------
    live : Live
        Of a problem that is not decided yet; stands with every stage shut afterwards.
    tell : callable (name of the step, share done)
        Is told ``choose`` and how much of the gap is closed.
    """
    offered, solver = live.problem.offered, live.solver
    ladder = live.ladder

    def told(gap: float) -> None:
        # While a few decide anew the gap that is told is theirs; that of the best plan is wider.
        gap = ladder.gap if isinstance(ladder, WholeLadder) and ladder.is_partial else gap
        tell("choose", _START + (_END - _START) * _closed(gap))

    solver.listen(told)
    columns = live.columns("z", range(0 if offered is None else len(offered)))
    if offered is not None and isinstance(ladder, WholeLadder):
        order = columns[by_purse(live.problem)]
        ladder.neighbours = order[order >= 0]
    ladder.back()
    climb = live.climb()
    end = len(live.stages) - 1
    stages = tuple(
        stage.after_choice(one.objective, is_near=one.gap > GAP and s < end)
        for s, (stage, one) in enumerate(zip(live.stages, climb.outcomes, strict=False))
    )
    # A stage that was cut off before it found any plan has that of the stage before; which lines
    # move none of these knows.
    known = climb.outcomes[-1:] if live.problem.counting else climb.outcomes
    last = next((one for one in reversed(known) if len(one.values)), None)
    if last is None:
        return Choice(climb.status, None, climb.best, stages, float("inf"))
    if climb.status is Status.OPTIMAL:
        if offered is not None:
            last = by_rank(live, columns, np.argsort(offered.rank), last)
        last = _by_money(live, last)
    chosen = None if offered is None else _chosen(last, columns)
    found = (climb.status, chosen, climb.best, stages, gap_of(climb), climb.floors)
    return Choice(*found, *staying(live, last))


def by_purse(problem: Problem) -> NDArray[np.int64]:
    """Return the projects, those of one purse together, in the order of the cells they pay into."""
    offered = problem.offered
    if offered is None:
        return np.zeros(0, dtype=np.int64)
    first = np.full(len(offered), len(problem.cells))
    np.minimum.at(first, offered.project, offered.cell)
    purse = np.append(np.unique(problem.purses, return_inverse=True)[1], -1)
    return np.lexsort((first, purse[first]))


def gap_of(climb: Climb) -> float:
    """Return the widest gap of any stage; of one that did not come to its end, the last, its own.

    Infinity where nothing is known of that one.
    """
    if climb.status is Status.OPTIMAL:
        return max(outcome.gap for outcome in climb.outcomes)
    is_known = len(climb.outcomes) > len(climb.best)
    gap = climb.outcomes[-1].gap if is_known else float("inf")
    return float("inf") if np.isnan(gap) else gap


def gap_told(share: float) -> float | None:
    """Return the gap that `choose` tells with a share done; None: no bound is known yet.

    Parameters
    ----------
    share : float
    """
    closed = (share - _START) / (_END - _START)
    return float(GAP_WHOLE**closed) if 0 < closed <= 1 else None


def forbid(live: Live, choice: Choice) -> None:
    """Let one choice not be made again: its sizes keep the laws only between đồng."""
    chosen = np.zeros(0, dtype=bool) if choice.chosen is None else choice.chosen
    kept = np.zeros(0, dtype=bool) if choice.kept is None else choice.kept
    ways = [live.columns(name, range(len(kept))) for name in _WAYS]  # a line goes one way only
    moved = ~kept & (np.maximum(*ways) >= 0)
    columns = np.concatenate([live.columns("z", range(len(chosen))), *ways])
    known = columns >= 0
    sign = np.where(np.concatenate([chosen, moved, moved])[known], -1.0, 1.0)
    live.ladder.back()
    live.solver.add([Cut(columns[known], sign, 1.0 - float(chosen.sum() + moved.sum()))])
    live.ladder.stand()


def _closed(gap: float) -> float:
    """Return how much of the way from no bound at all to a closed gap is done."""
    if gap >= 1:
        return 0.0
    return min(1.0, float(np.log10(max(gap, GAP_WHOLE)) / np.log10(GAP_WHOLE)))


def _chosen(outcome: Outcome, columns: NDArray[np.int64]) -> Mask:
    return np.asarray((columns >= 0) & (outcome.values[columns] > 0.5))


def by_rank(
    live: Live, columns: NDArray[np.int64], order: NDArray[np.int64], found: Outcome
) -> Outcome:
    """Return the plan of the stages that is first by rank.

    Parameters
    ----------
    live : Live
        Stands with every stage shut.
    columns : array of int
        Of the projects, or lines; -1 for what is decided.
    order : array of int
        Their numbers, the first by rank first.
    found : Outcome
        What stands if nothing is found.
    """
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


def _by_money(live: Live, found: Outcome) -> Outcome:
    """Return, of the plans of the stages, the one that moves the least money, then by its lines."""
    solver, ladder = live.solver, live.ladder
    (moved,) = live.named(["moved"])
    if moved < 0 or not isinstance(ladder, WholeLadder):
        return found
    cost = np.zeros(len(solver.cost))
    cost[moved] = 1.0
    outcome = ladder.least(cost, is_last=True)
    if not len(outcome.values):
        return found
    ladder.cap_at(moved, outcome.objective)
    lines = np.stack([live.columns(name, range(len(live.problem.cells))) for name in _WAYS], axis=1)
    lines = lines.ravel()
    is_open = (lines >= 0) & (solver.col_low[lines] < solver.col_high[lines])
    if is_open.sum() > _BLOCK * _BLOCKS:
        return outcome
    return by_rank(live, lines, np.flatnonzero(is_open), outcome)


def staying(live: Live, found: Outcome) -> tuple[Mask | None, Mask | None]:
    """Return the cells and the projects that stay as they were; None where that is not asked.

    Parameters
    ----------
    live : Live
    found : Outcome
        A plan.
    """
    problem = live.problem
    if not problem.counting:
        return None, None
    moved = np.zeros(len(problem.cells), dtype=bool)
    for name in _WAYS:
        moved |= _chosen(found, live.columns(name, range(len(moved))))
    kept = stays_of(problem).counted & ~moved
    if problem.offered is None:
        return kept, None
    shifts = live.columns("shifts", range(len(problem.offered)))
    return kept, (shifts >= 0) & ~_chosen(found, shifts)
