"""From a scenario to a plan: stages, settlement, rounding, proof, ranges and prices."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from kc_model.allocate.conflicts import find_conflicts, find_grid_conflicts
from kc_model.allocate.draft import Draft
from kc_model.allocate.live import Live, Progress
from kc_model.allocate.prices import find_prices
from kc_model.allocate.proof import certify
from kc_model.allocate.rounding import round_plan
from kc_model.cells import MILLION
from kc_model.program import Problem, build_problem
from kc_model.results import Allocation, Forecast
from kc_model.scenario import Scenario
from kc_model.solver import Status
from kc_model.standing import stage_value
from kc_model.tables import Dataset
from kc_model.verify import proof_of

__all__ = ["RANGES_UP_TO", "REASONS_UP_TO", "Planner"]

RANGES_UP_TO = 200
"""Cells up to which lowest and highest are computed without being asked for."""

REASONS_UP_TO = 2000
"""Cells up to which the plan is made again without each rule and goal, to say who did what."""


class Planner:
    """Makes plans of one dataset; where only a scenario's numbers change, in place.

    The first plan of a planner is `kc_model.allocate.allocate`'s own, to the byte. The ones after
    it start where the plan before them ended, agree with a fresh one to one ``round_to`` and carry
    the same certificate: they are for the screen, what is saved is solved afresh. Threads take
    turns.

    Parameters
    ----------
    data : Dataset
    outlook : Forecast or None
        Where the absorption of cells without ``absorption.csv`` comes from; None: a forecast for
        the scenario's year is made if one is needed.
    as_of : int or None
        Last month known; None: a plan for the whole year.
    """

    def __init__(
        self, data: Dataset, outlook: Forecast | None = None, *, as_of: int | None = None
    ) -> None:
        self.data, self.outlook, self.as_of = data, outlook, as_of
        self._turn = threading.Lock()
        self._live: Live | None = None

    def plan(
        self,
        scenario: Scenario,
        *,
        ranges: bool | None = None,
        detail: bool = True,
        time_limit: float = 60.0,
        progress: Progress | None = None,
    ) -> Allocation:
        """Return the plan that the scenario's tiers and goals make best, and its proof.

        Parameters, result and errors are those of `kc_model.allocate.allocate`.
        """
        started = time.monotonic()
        telling = _Telling(progress)
        with self._turn:
            try:
                live = self._prepare(scenario, started + time_limit, telling)
                finish = self._solve(live, ranges, telling, detail=detail)
            except BaseException:
                if not telling.stopped:  # cut off anywhere: what stands in the model is not known
                    self._live = None
                raise
        # Looking for a contradiction may take long and needs no live model.
        return replace(finish(), seconds=time.monotonic() - started)

    def _prepare(self, scenario: Scenario, deadline: float, tell: Progress) -> Live:
        """Return the live model with the scenario's numbers; built anew where more differs."""
        tell("build", 0.0)
        live = self._live
        problem = live.problem.renumbered(scenario) if live is not None else None
        if live is None or problem is None or not live.move(problem, deadline):
            self._live = None
            problem = problem or self._build(scenario)
            live = self._live = Live(problem, deadline)
        return live

    def _build(self, scenario: Scenario) -> Problem:
        return build_problem(self.data, scenario, self.outlook, self.as_of)

    def _solve(
        self, live: Live, ranges: bool | None, tell: Progress, *, detail: bool
    ) -> Callable[[], Allocation]:
        """Return what gives the result."""
        problem, stages, deadline = live.problem, live.stages, live.solver.deadline
        draft = Draft(self.data, problem, self.as_of)
        tell("solve", 0.1)
        climb = live.climb()
        if climb.status is Status.INFEASIBLE:
            return partial(_contradiction, draft, deadline, tell)
        settled = live.settle(climb) if climb.status is Status.OPTIMAL else None
        if settled is None:
            return partial(draft.without_plan, "limit")
        tell("round", 0.3)
        amounts = round_plan(problem.rows, settled, problem.grid, deadline)
        if amounts is Status.INFEASIBLE:
            return partial(_off_grid, draft, settled, deadline, tell)
        if isinstance(amounts, Status):
            return partial(draft.without_plan, "limit")
        certificate = certify(problem, stages, climb, settled, amounts)
        if certificate["failed"]:
            return partial(draft.without_plan, "limit", certificate=certificate)
        multipliers = live.multipliers(climb)
        faces = live.faces(multipliers)
        proof = partial(proof_of, problem, settled, live.rows, multipliers, faces)
        draft.fill(amounts, settled, stages, climb, certificate, proof)
        if detail:
            draft.fill_grounds(settled, stages)
            tell("ranges", 0.3)
            draft.fill_undecided(*live.ranges(settled, whole=False))
            if len(problem.cells) <= RANGES_UP_TO if ranges is None else ranges:
                achieved = [stage_value(problem, stage, amounts / MILLION) for stage in stages]
                live.ladder.keep(climb.best, achieved)
                draft.fill_ranges(*live.ranges(settled, whole=True, tell=tell))
            tell("price", 0.8)
            told = partial(_share, tell, "price", (0.8, 0.9))
            wanted = ranges is not False
            draft.fill_prices(
                find_prices(problem, live.ladder, draft.tight(), ranges=wanted, told=told)
            )
            if len(problem.cells) <= REASONS_UP_TO:
                tell("reasons", 0.9)
                _find_effects(draft, live, settled)
        tell("done", 1.0)
        return lambda: draft.result


def _find_effects(draft: Draft, live: Live, settled: NDArray[np.float64]) -> None:
    """Find out what each rule and goal does: the plan again without it, all else as it is."""
    plans = {name: live.without(rows) for name, rows in draft.drivers(settled).items()}
    for s, stage in enumerate(live.stages):
        if stage.goal is not None:
            plans[f"goal|{stage.goal + 1}"] = live.without([], s)
    proven = {name: plan for name, plan in plans.items() if plan is not None}
    if len(proven) == len(plans):
        draft.fill_effects(settled, proven)


def _contradiction(draft: Draft, deadline: float, tell: Progress) -> Allocation:
    conflicts = find_conflicts(draft.problem, deadline, draft.result.as_of, tell)
    # A contradiction that nobody can name is not believed.
    return draft.without_plan("infeasible" if conflicts else "limit", conflicts)


def _off_grid(
    draft: Draft, settled: NDArray[np.float64], deadline: float, tell: Progress
) -> Allocation:
    problem, as_of = draft.problem, draft.result.as_of
    conflicts = find_grid_conflicts(problem, settled, deadline, as_of, tell)
    return draft.without_plan("infeasible", conflicts)


def _share(tell: Progress, step: str, part: tuple[float, float], share: float) -> None:
    start, end = part
    tell(step, start + (end - start) * share)


class _Telling:
    """Tells how far the work is; remembers whether the listener broke it off there."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress
        self.stopped = False

    def __call__(self, step: str, share: float) -> None:
        if self._progress is not None:
            self.stopped = True
            self._progress(step, share)
            self.stopped = False
