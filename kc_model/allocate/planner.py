"""From a scenario to a plan: stages, settlement, rounding, proof, ranges and prices."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from decimal import Decimal
from functools import partial
from operator import mul
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from kc_model.allocate.choice import Choice, choose, forbid
from kc_model.allocate.conflicts import find_conflicts
from kc_model.allocate.draft import Draft
from kc_model.allocate.gains import find_gains
from kc_model.allocate.glance import Glance
from kc_model.allocate.grids import find_choice_conflicts, find_grid_conflicts, is_off_grid
from kc_model.allocate.held import find_held
from kc_model.allocate.live import Live, Progress
from kc_model.allocate.prices import find_prices
from kc_model.allocate.proof import certify
from kc_model.allocate.rounding import round_plan
from kc_model.allocate.sized import Sized, size_plan
from kc_model.allocate.stages import Climb
from kc_model.allocate.whynot import find_whys, seen_whys
from kc_model.cells import MILLION
from kc_model.explain import RANGES_UP_TO
from kc_model.money import UNITS
from kc_model.problem import Problem, build_problem
from kc_model.program import Stage
from kc_model.results import Allocation, Forecast
from kc_model.scenario import Scenario
from kc_model.solver import GAP, Status
from kc_model.standing import goal_unit, stage_value
from kc_model.tables import Dataset
from kc_model.verify import proof_of

__all__ = ["REASONS_UP_TO", "WHYS_UP_TO", "Planner", "why_not"]

REASONS_UP_TO = 2000
"""Cells up to which the plan is made again without each rule and goal, to say who did what."""

WHYS_UP_TO = 60
"""Projects up to which the choice is made again with each that is left out, to say why it is.

And up to which each cell's lowest and highest amount is found unasked.
"""

_Pending = Literal["prices", "reasons"]
_Partly = Callable[[Allocation, _Pending], None]

_FEW = 12  # groups of a rule up to which each has its price where the screen waits
_TRIES = 20
_HAIR = 1e-5


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
        As for `kc_model.allocate.allocate`.
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
        partly: _Partly | None = None,
    ) -> Allocation:
        """Return the plan that the scenario's tiers and goals make best, and its proof.

        Parameters, result and errors are those of `kc_model.allocate.allocate`; `partly` is told
        of the plan and of what follows: ``prices`` once a search for lines has found it,
        ``reasons`` with its ranges and prices, before it is found out who did what.
        """
        started = time.monotonic()
        telling = _Telling(progress, partly)
        with self._turn:
            try:
                live = self._prepare(scenario, started + time_limit, telling)
                finish = self._solve(live, ranges, telling, detail=detail)
            except BaseException:
                if not telling.stopped:  # cut off anywhere: what stands in the model is not known
                    self._live = None
                raise
        # Looking for a contradiction may take long and needs no live model.
        made, stopped = finish(), live.solver.clock.stopped  # maybe while it was found out why
        return replace(made, seconds=time.monotonic() - started, stopped=made.stopped or stopped)

    @property
    def is_busy(self) -> bool:
        """Whether a plan is being made."""
        return self._turn.locked()

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
        self, live: Live, ranges: bool | None, tell: _Telling, *, detail: bool
    ) -> Callable[[], Allocation]:
        """Return what gives the result."""
        deadline = live.solver.deadline
        draft = Draft(live.problem.data, live.problem, live.problem.scenario.month(self.as_of))
        tell("solve", 0.1)
        found = _chosen(live, tell) if live.problem.is_open else size_plan(live, tell)
        if found.status is Status.INFEASIBLE:
            if found.settled is not None:
                return partial(_off_grid, draft, found.settled, deadline, tell)
            if live.problem.offered is not None:
                return partial(self._no_choice, draft, deadline, tell)
            return partial(_contradiction, draft, deadline, tell)
        choice, climb, settled, rounded = found.choice, found.climb, found.settled, found.rounded
        if climb is None or settled is None or rounded is None:
            stopped = live.solver.clock.stopped
            unproven = partial(draft.without_plan, "limit", choice=choice, stopped=stopped)
            return partial(unproven, stages=live.stages)
        choosing, live, amounts = live, found.live, rounded.cells
        problem, stages = live.problem, live.stages
        draft.problem = problem
        certificate = certify(problem, stages, climb, settled, rounded)
        if certificate["failed"]:
            return partial(draft.without_plan, "limit", certificate=certificate)
        multipliers = live.multipliers(climb)
        faces = live.faces(multipliers)
        proof = partial(proof_of, problem, settled, live.rows, multipliers, faces)
        draft.fill(amounts, settled, stages, climb, certificate, proof)
        if choice is not None:
            draft.fill_projects(rounded.projects)
            draft.fill_parts(rounded.parts)
            if detail:
                _find_whys(draft, choosing, choice, tell)
                _range_choices(draft, choosing, choice, ranges, tell)
                draft.fill_grounds(settled, stages)
                draft.fill_held(find_held(choosing.problem, draft.result))
                if problem.offered is None:
                    tell.partly(draft.result, "prices")
                    draft.fill_undecided(*live.opened(settled, climb))
                    _price_before_moves(draft, choosing, ranges, tell)
                    tell.partly(draft.result, "reasons")
                    told = partial(_share, tell, "reasons", (0.9, 1.0))
                    _find_effects(draft, live, settled, told)  # of the lines that may move
        elif detail:
            self._detail(draft, live, climb, settled, ranges, tell)
        tell("done", 1.0)
        return lambda: draft.result

    def _no_choice(self, draft: Draft, deadline: float, tell: Progress) -> Allocation:
        problem = draft.problem

        def at_step(grid: int | None) -> Problem:
            if grid is None:
                return problem
            step = Decimal(grid) / UNITS[problem.unit]
            scenario = replace(problem.scenario, round_to=step)
            return build_problem(self.data, scenario, problem.outlook, self.as_of)

        def has_plan(at: Problem) -> bool:
            bare = replace(at, scenario=replace(at.scenario, goals=()))
            found = _first_that_holds(Live(bare, deadline), lambda _step, _share: None)
            return found.rounded is not None

        as_of = draft.result.as_of
        conflicts = find_choice_conflicts(at_step, has_plan, deadline, as_of, tell)
        return draft.without_plan("infeasible" if conflicts else "limit", conflicts)

    @staticmethod
    def _detail(
        draft: Draft,
        live: Live,
        climb: Climb,
        settled: NDArray[np.float64],
        ranges: bool | None,
        tell: _Telling,
    ) -> None:
        """Find out what the plan rests on, what is open, what rules cost, who did what."""
        problem, stages = live.problem, live.stages
        amounts = draft.result.cells["amount"].to_numpy(dtype=np.int64)
        draft.fill_grounds(settled, stages)
        tell("ranges", 0.3)
        draft.fill_undecided(*live.opened(settled, climb))
        achieved = [stage_value(problem, stage, amounts / MILLION) for stage in stages]
        if _wants_ranges(problem, ranges):
            live.ladder.keep(climb.best, achieved)
            draft.fill_ranges(*live.ranges(settled, tell))
        _find_prices(draft, live, ranges, tell)
        draft.fill_enough(stages, live.ladder.enough(climb.best, achieved))
        tell.partly(draft.result, "reasons")
        _find_effects(draft, live, settled, partial(_share, tell, "reasons", (0.9, 1.0)))


def _chosen(live: Live, tell: Progress) -> Sized:
    """Choose projects and settle their sizes; Ctrl-C keeps the best choice found till then."""
    with live.solver.clock.stoppable():
        return _first_that_holds(live, tell)


def _first_that_holds(live: Live, tell: Progress) -> Sized:
    """Choose projects, then settle their sizes; one whose sizes keep no laws is put by."""
    choice = choose(live, tell)
    for tried in range(_TRIES):
        if choice.status is not Status.OPTIMAL or not choice.is_found:
            return Sized(choice.status, live, choice=choice)
        problem, deadline = choice.made(live.problem), live.solver.deadline
        sized = Live(problem, live.solver.clock, choice.stages)
        found = size_plan(sized, tell)
        if _is_off_grid(live.problem, found, deadline):
            return found
        if found.status is not Status.INFEASIBLE:
            climb = found.climb
            if climb is not None:
                both = zip(live.stages, sized.stages, strict=True)
                scales = [one.scale / other.scale for one, other in both]
                best, floors = (tuple(map(mul, of, scales)) for of in (choice.best, choice.floors))
                climb = _as_chosen(climb, best, floors, choice.gap, sized.stages)
            return replace(found, climb=climb, choice=choice)
        if not tried and live.problem.offered is not None and is_off_grid(live.problem, deadline):
            return Sized(Status.INFEASIBLE, live, choice=choice)
        forbid(live, choice)
        choice = choose(live, tell)
    return Sized(Status.FAILED, live, choice=replace(choice, status=Status.FAILED))


def _is_off_grid(problem: Problem, found: Sized, deadline: float) -> bool:
    """Whether no choice at all could be rounded: the laws themselves have no plan on the grid."""
    if (
        found.status is not Status.INFEASIBLE
        or found.settled is None
        or problem.offered is not None
    ):
        return False
    plan, grid = found.settled, problem.grid
    return round_plan(problem.rows, plan, grid, deadline) is Status.INFEASIBLE


def _as_chosen(
    climb: Climb,
    best: tuple[float, ...],
    floors: tuple[float, ...],
    gap: float,
    stages: Sequence[Stage],
) -> Climb:
    """Return the stages of the sizes with the best that the choice told, and how near it is.

    While projects were chosen a stage that was kept had a hair to give. What the next one made of
    it, sizes that keep it to the last digit do not reach: that is part of the gap. What is kept
    at what the choice made of it is told as that, though sizes alone may do better.
    """
    lost = [now - then for now, then in zip(climb.best, best, strict=True)]
    size = [max(1.0, abs(then)) for then in best]
    part = [miss / whole for miss, whole in zip(lost, size, strict=True)]
    told = tuple(
        then if stage.is_kept else now if miss <= _HAIR else min(now, then)
        for now, then, miss, stage in zip(climb.best, best, part, stages, strict=True)
    )
    more = max((miss for miss in part if miss <= _HAIR), default=0.0)
    return replace(
        climb, best=told, floors=tuple(map(min, told, floors)), chosen_to=gap + max(0.0, more)
    )


def why_not(
    plan: Allocation,
    ids: Collection[str] | None = None,
    *,
    time_limit: float = 60.0,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Return why projects are not chosen; see `kc_model.allocate.whynot.find_whys`.

    Parameters
    ----------
    plan : Allocation
        With projects, status "optimal".
    ids : collection of str or None
        Projects that may be chosen and are not; None: all of them.
    time_limit : float, seconds
    progress : callable (name of the step, share done) or None

    Returns
    -------
    DataFrame
        As found for the plan itself where it is small enough, and otherwise proven now, each by
        making the choice again with the project in.

    Raises
    ------
    ValueError
        If the plan has no projects, or one of `ids` is chosen or may not be.
    """
    known = plan.projects
    left: list[str] = []
    if len(known):
        left = known.loc[~known["chosen"] & (known["reason"] == "left"), "id"].tolist()
    ids = left if ids is None else list(ids)
    if plan.status != "optimal" or not set(ids) <= set(left):
        out = f"{', '.join(left) or '-'}; why others cannot be chosen: Allocation.project_table"
        raise ValueError(f"why_not tells of projects that are left out: {out}")
    if len(plan.whys) and set(ids) <= set(plan.whys.loc[plan.whys["proven"], "id"]):
        return plan.whys[plan.whys["id"].isin(ids)].reset_index(drop=True)
    problem = build_problem(plan.data, plan.scenario, plan.outlook, plan.as_of)
    live = Live(problem, time.monotonic() + time_limit)
    order = [str(one) for one in known["id"]]
    numbers = [order.index(one) for one in ids]
    chosen = known["chosen"].to_numpy(dtype=bool)
    choice = Choice(Status.OPTIMAL, chosen, _best_of(plan, live), (), plan.gap or 0.0)
    return find_whys(live, choice, _glance(plan, problem), numbers, _Telling(progress))


def _glance(plan: Allocation, problem: Problem) -> Glance:
    amount = (frame["amount"].to_numpy(dtype=np.int64) for frame in (plan.cells, plan.projects))
    return Glance(problem, plan.projects["chosen"].to_numpy(dtype=bool), *amount)


def _best_of(plan: Allocation, live: Live) -> tuple[float, ...]:
    """Return the best value of every tier and goal of a plan, as its column has it."""
    told = [*plan.tiers, *plan.goals]
    units = [goal_unit(live.problem, s) if s.goal is not None else 1.0 for s in live.stages]
    return tuple(
        stage.sign * float(one["best"]) / (stage.scale * unit)
        for stage, one, unit in zip(live.stages, told, units, strict=True)
    )


def _find_whys(draft: Draft, live: Live, choice: Choice, tell: Progress) -> None:
    """Find out why projects that may be chosen are not; of many, what is seen without solving."""
    offered = live.problem.offered
    if offered is None or choice.chosen is None:
        return
    left = np.flatnonzero(offered.may & ~choice.chosen).tolist()
    glance = _glance(draft.result, live.problem)
    if len(offered) > WHYS_UP_TO:
        draft.fill_whys(seen_whys(glance, left))
    else:
        draft.fill_whys(find_whys(live, choice, glance, left, tell))


def _wants_ranges(problem: Problem, ranges: bool | None) -> bool:
    if ranges is not None:
        return ranges
    is_long = problem.offered is not None and len(problem.offered) > WHYS_UP_TO
    return len(problem.cells) <= RANGES_UP_TO and not is_long


def _range_choices(
    draft: Draft, live: Live, choice: Choice, ranges: bool | None, tell: Progress
) -> None:
    """Find out how low and high each cell could be with any choice of projects."""
    problem = live.problem
    if problem.offered is None or problem.counting or not _wants_ranges(problem, ranges):
        return
    amounts = draft.result.cells["amount"].to_numpy(dtype=np.float64) / MILLION
    achieved = [stage_value(draft.problem, stage, amounts) for stage in live.stages]
    live.ladder.keep(choice.best, achieved)
    live.solver.ask(GAP)
    draft.fill_ranges(*live.ranges(amounts, tell))


def _price_before_moves(draft: Draft, live: Live, ranges: bool | None, tell: Progress) -> None:
    """Find out what rules cost the first goal, which comes before any count of moves."""
    problem = live.problem
    goals = problem.goals[: min(problem.counting)]
    if goals:
        scenario = replace(problem.scenario, goals=goals)
        before = Live(replace(problem, scenario=scenario), live.solver.deadline)
        _find_prices(draft, before, ranges, tell)


def _find_prices(draft: Draft, live: Live, ranges: bool | None, tell: Progress) -> None:
    """Find out what rules cost, and what a readable step of each would give."""
    tell("price", 0.8)
    told = partial(_share, tell, "price", (0.8, 0.85))
    most = _FEW if ranges is False else np.inf
    draft.fill_prices(find_prices(live.problem, live.ladder, draft.tight(), most=most, told=told))
    told = partial(_share, tell, "price", (0.85, 0.9))
    draft.fill_gains(find_gains(live, draft.result.rule_rows, told))


def _find_effects(
    draft: Draft, live: Live, settled: NDArray[np.float64], told: Callable[[float], None]
) -> None:
    """Find out what each rule and goal does: the plan again without it, all else as it is."""
    count = len(draft.problem.cells)
    if count > REASONS_UP_TO:
        draft.warn("too-many-for-reasons", count=count, most=REASONS_UP_TO)
        return
    drivers = draft.drivers(settled)
    goals = [(s, stage.goal + 1) for s, stage in enumerate(live.stages) if stage.goal is not None]
    steps = max(1, len(drivers) + len(goals))
    plans: dict[str, NDArray[np.float64] | None] = {}
    for name, rows in drivers.items():
        told(len(plans) / steps)
        plans[name] = live.without(rows)
    for s, number in goals:
        told(len(plans) / steps)
        plans[f"goal|{number}"] = live.without([], s)
    proven = {name: plan for name, plan in plans.items() if plan is not None}
    if len(proven) == len(plans):
        draft.fill_effects(settled, proven)
    else:
        draft.warn("reasons-unfinished")


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

    def __init__(self, progress: Progress | None, partly: _Partly | None = None) -> None:
        self._progress, self._partly = progress, partly
        self.stopped = False

    def partly(self, plan: Allocation, pending: _Pending) -> None:
        """Tell of a plan of which something is still to be found out."""
        if self._partly is not None:
            self.stopped = True
            self._partly(plan, pending)
            self.stopped = False

    def __call__(self, step: str, share: float) -> None:
        if self._progress is not None:
            self.stopped = True
            self._progress(step, share)
            self.stopped = False
