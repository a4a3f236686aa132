"""Tiers and goals one after the other, in place on one live model.

After each stage everything that would worsen it is shut: a column or row with a price leans on its
bound in *every* best plan (complementary slackness), so it is fixed there. That keeps exactly the
best plans, where a row "objective ≤ best" would keep a sliver whose width is the solver's own
tolerance. A goal with ``give`` opens such a row on purpose.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kc_model.program import FROZEN, Stage
from kc_model.solver import GAP, Outcome, Solver, Status

__all__ = ["Climb", "Ladder"]

_PRICED = 1e-8


@dataclass(frozen=True)
class Climb:
    """What going through the stages gave.

    Parameters
    ----------
    status : Status
    best : tuple of float
        Best value of each stage that was solved, in its column's minimised form.
    outcomes : tuple of Outcome
        One for each stage solved; one for feasibility alone where there is no stage.
    floors : tuple of float
        What no plan beats in each stage of `best`.
    chosen_to : float
        The gap to which projects were chosen before.
    """

    status: Status
    best: tuple[float, ...]
    outcomes: tuple[Outcome, ...]
    floors: tuple[float, ...] = ()
    chosen_to: float = 0.0

    @property
    def gap(self) -> float:
        """The widest gap of any stage; nine digits of it are more than noise."""
        return round(max([self.chosen_to, *(outcome.gap for outcome in self.outcomes)]), 9)


class Ladder:
    """Solves stages in order and can be taken back to the bottom.

    Parameters
    ----------
    solver : Solver
        Live model of the program.
    stages : sequence of Stage
    """

    def __init__(self, solver: Solver, stages: Sequence[Stage]) -> None:
        self.solver = solver
        self.stages = tuple(stages)
        place = {name: i for i, name in enumerate(solver.model.columns)}
        self.columns = [place[stage.column] for stage in self.stages]
        self.stand()

    def stand(self) -> None:
        """Take the bounds as they are now for the bottom that `back` returns to."""
        solver = self.solver
        bounds = (solver.row_low, solver.row_high, solver.col_low, solver.col_high)
        self._ground = tuple(part.copy() for part in bounds)

    def back(self) -> None:
        """Open everything that the stages have shut."""
        solver, model = self.solver, self.solver.model
        now = (model.row_low, model.row_high, model.col_low, model.col_high)
        row_low, row_high, col_low, col_high = (
            np.append(ground, added[len(ground) :])  # what was added since has its own bounds
            for ground, added in zip(self._ground, now, strict=True)
        )
        rows = np.flatnonzero((solver.row_low != row_low) | (solver.row_high != row_high))
        columns = np.flatnonzero((solver.col_low != col_low) | (solver.col_high != col_high))
        solver.set_rows(rows, row_low[rows], row_high[rows])
        solver.set_columns(columns, col_low[columns], col_high[columns])

    def climb(self, upto: int | None = None, without: int | None = None) -> Climb:
        """Solve the first `upto` stages (None: all) and leave their best plans standing.

        A stage that is left out (`without`) has no best: infinity stands there.
        """
        best: list[float] = []
        floors: list[float] = []
        outcomes: list[Outcome] = []
        for s, stage in enumerate(self.stages[:upto]):
            if s == without:
                best.append(np.inf)
                floors.append(np.inf)
                continue
            outcome = self.solve(s)
            if outcome.status is not Status.OPTIMAL:
                last = (outcome,) if len(outcome.values) else ()
                return Climb(outcome.status, tuple(best), (*outcomes, *last), tuple(floors))
            size = max(self.solver.scale, abs(outcome.objective))
            best.append(outcome.objective)
            open_ = outcome.gap * size if outcome.gap > GAP else 0.0  # less is closed
            floors.append(outcome.objective - open_)
            outcomes.append(outcome)
            self._shut(stage, self.columns[s], outcome)
        if not outcomes:
            outcomes.append(self.solve(None))
            return Climb(outcomes[0].status, tuple(best), tuple(outcomes))
        return Climb(Status.OPTIMAL, tuple(best), tuple(outcomes), tuple(floors))

    def keep(self, best: Sequence[float], achieved: Sequence[float]) -> None:
        """Open everything, then let no plan be worse in any stage than what was achieved.

        Parameters
        ----------
        best : sequence of float
            Best value of each stage in its column's minimised form.
        achieved : sequence of float
            What the plan achieves, in each stage's own terms; where rounding made it better than
            the best, the best counts.
        """
        self.back()
        for s, stage in enumerate(self.stages):
            worst = max(best[s], stage.sign * achieved[s] / stage.scale)
            if stage.is_partial:
                self.cap_at(self.columns[s], worst)
                continue
            column = np.array([self.columns[s]])
            self.solver.set_columns(column, self.solver.col_low[column], np.array([worst]))

    def enough(self, best: Sequence[float], achieved: Sequence[float]) -> dict[int, float]:
        """Return how good each stage that may be worsened could be, all others as they are.

        In its column's minimised form; parameters as for `keep`. None where one is not known whole.
        """
        found: dict[int, float] = {}
        if any(stage.is_partial for stage in self.stages):
            return found
        for s, stage in enumerate(self.stages):
            if stage.is_open:
                self.keep(best, achieved)
                outcome = self.solve(s)
                if outcome.status is Status.OPTIMAL:
                    found[s] = outcome.objective
        self.back()
        return found

    def cap(self, best: Sequence[float]) -> None:
        """Keep the first stages at their best values, without shutting anything else."""
        columns = np.array(self.columns[: len(best)], dtype=np.int64)
        if len(columns):
            self.solver.set_columns(columns, self.solver.col_low[columns], np.array(best))

    def solve(self, stage: int | None) -> Outcome:
        """Solve one stage with what stands now; None: find any plan."""
        cost = np.zeros(len(self.solver.cost))
        if stage is not None:
            cost[self.columns[stage]] = 1.0
        self.solver.set_cost(cost)
        self.solver.turn(("stage", stage))
        return self.solver.run()

    def cap_at(self, column: int, worst: float, times: float = 1.0) -> None:
        """Let a column be no more than this, or what counts as this, from now on.

        Parameters
        ----------
        column : int
        worst : float
        times : float
            How often what counts as the same may be missed.
        """
        slack = times * FROZEN * max(1.0, abs(worst))
        columns, high = np.array([column]), np.array([worst + slack])
        self.solver.set_columns(columns, self.solver.col_low[columns], high)

    def _shut(self, stage: Stage, column: int, outcome: Outcome) -> None:
        solver = self.solver
        if stage.is_open or stage.is_partial:
            self.cap_at(column, stage.worst(outcome.objective))
        if stage.is_open:
            return
        for duals, low, high, shut in (
            (outcome.row_duals, solver.row_low, solver.row_high, solver.set_rows),
            (outcome.column_duals, solver.col_low, solver.col_high, solver.set_columns),
        ):
            bound = np.where(duals > 0, low, high)
            is_partial = low < high
            priced = np.flatnonzero((np.abs(duals) > _PRICED) & np.isfinite(bound) & is_partial)
            shut(priced, bound[priced], bound[priced])
