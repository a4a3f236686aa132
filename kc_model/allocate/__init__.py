"""From a scenario to a plan: stages, settlement, rounding, proof, ranges and prices."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from kc_model.allocate.conflicts import find_conflicts
from kc_model.allocate.draft import Draft
from kc_model.allocate.prices import find_prices
from kc_model.allocate.proof import certify, stage_value
from kc_model.allocate.rounding import impossible_grid, round_plan
from kc_model.allocate.stages import Ladder
from kc_model.cells import MILLION
from kc_model.program import Problem, build_problem, build_program
from kc_model.results import Allocation, Forecast
from kc_model.scenario import Scenario
from kc_model.solver import Solver, Status, compile_program, settle
from kc_model.tables import Dataset

__all__ = ["RANGES_UP_TO", "allocate"]

RANGES_UP_TO = 200
"""Cells up to which lowest and highest are computed without being asked for."""

_OPEN = 1e-6
_SETTLED = 1e-6

Progress = Callable[[str, float], None]
Money = NDArray[np.float64]


def allocate(
    data: Dataset,
    scenario: Scenario,
    outlook: Forecast | None = None,
    *,
    as_of: int | None = None,
    ranges: bool | None = None,
    detail: bool = True,
    time_limit: float = 60.0,
    progress: Progress | None = None,
) -> Allocation:
    """Return the plan that the scenario's tiers and goals make best, and its proof.

    Parameters
    ----------
    data : Dataset
    scenario : Scenario
    outlook : Forecast or None
        Where the absorption of cells without ``absorption.csv`` comes from; None: a forecast for
        the scenario's year is made if one is needed.
    as_of : int or None
        Last month known; None: a plan for the whole year.
    ranges : bool or None
        Whether to find each cell's lowest and highest; None: up to 200 cells.
    detail : bool
        False leaves out prices, ranges and the list of undecided cells: what a moving slider
        cannot wait for.
    time_limit : float, seconds
        After it no plan counts as proven.
    progress : callable (name of the step, share done) or None

    Returns
    -------
    Allocation
        With status "infeasible" and its conflicts where the laws contradict each other, "limit"
        where nothing was proven; both without numbers.

    Raises
    ------
    InputError
        With every fault of the scenario against the data.
    """
    started = time.monotonic()
    deadline = started + time_limit
    tell = progress or (lambda _step, _share: None)
    tell("build", 0.0)
    problem = build_problem(data, scenario, outlook, as_of)
    draft = Draft(data, problem, as_of)
    program, stages = build_program(problem)
    solver = Solver(compile_program(program), deadline, problem.size)
    ladder = Ladder(solver, stages)
    tell("solve", 0.1)
    climb = ladder.climb()
    if climb.status is Status.INFEASIBLE:
        conflicts = find_conflicts(problem, deadline)
        # A contradiction that nobody can name is not believed.
        return draft.without_plan("infeasible" if conflicts else "limit", conflicts)
    x = _columns_of_cells(solver)
    settled = _settled(problem, solver, x) if climb.status is Status.OPTIMAL else None
    if settled is None:
        return draft.without_plan("limit")
    tell("round", 0.3)
    amounts = round_plan(problem.rows, settled, problem.grid, deadline)
    if amounts is Status.INFEASIBLE:
        conflict = impossible_grid(problem, settled, deadline)
        return draft.without_plan("infeasible", [conflict])
    if isinstance(amounts, Status):
        return draft.without_plan("limit")
    certificate = certify(problem, stages, climb, settled, amounts)
    if certificate["failed"]:
        return draft.without_plan("limit", certificate=certificate)
    draft.fill(amounts, settled, stages, climb, certificate)
    if detail:
        tell("ranges", 0.3)
        draft.fill_undecided(*_ranges(solver, x, settled, whole=False))
        if len(problem.cells) <= RANGES_UP_TO if ranges is None else ranges:
            achieved = [stage_value(problem, stage, amounts / MILLION) for stage in stages]
            ladder.keep(climb.best, achieved)
            draft.fill_ranges(*_ranges(solver, x, settled, whole=True, tell=tell))
        tell("price", 0.8)
        draft.fill_prices(find_prices(problem, ladder, draft.tight()))
    tell("done", 1.0)
    return replace(draft.result, seconds=time.monotonic() - started)


def _columns_of_cells(solver: Solver) -> NDArray[np.int64]:
    """Column of every cell's money, in the order of the cells."""
    place = {name: j for j, name in enumerate(solver.model.columns)}
    n = sum(name.startswith("x_") for name in place)
    return np.array([place[f"x_{i}"] for i in range(n)], dtype=np.int64)


def _settled(problem: Problem, solver: Solver, x: NDArray[np.int64]) -> Money | None:
    """Plan of least Σ (x − b)² / max(b, m) among the best ones, million VND."""
    baseline = problem.baseline
    least = float(baseline.mean()) / 1000 or 1.0
    weight = np.maximum(baseline, least)
    values = settle(solver, x, baseline, weight)
    if values is None:
        return None
    settled = np.maximum(values[x], 0.0)
    # The plan is settled if it is best along its own slope (first-order condition of a convex
    # program): one linear program proves what Clarabel says.
    slope = np.zeros(len(solver.cost))
    slope[x] = 2 * (settled - baseline) / weight
    solver.set_cost(slope)
    proof = solver.run()
    gap = float(slope[x] @ settled) - proof.objective
    worth = float(np.sum((settled - baseline) ** 2 / weight)) + float(weight.mean())
    return settled if proof.status is Status.OPTIMAL and gap <= _SETTLED * worth else None


def _ranges(
    solver: Solver,
    x: NDArray[np.int64],
    settled: Money,
    *,
    whole: bool,
    tell: Progress | None = None,
) -> tuple[Money, Money]:
    """Lowest and highest of every cell among the plans that still stand, million VND.

    Unless `whole`, a cell that has been seen at two amounts is not pursued to its ends.
    """
    low, high = settled.copy(), settled.copy()
    cost = np.zeros(len(solver.cost))
    for i, j in enumerate(x):
        for sign in (1.0, -1.0):
            if not whole and high[i] - low[i] > _OPEN * max(1.0, high[i]):
                continue
            cost[j] = sign
            solver.set_cost(cost)
            outcome = solver.run()
            if outcome.status is Status.OPTIMAL:
                low = np.minimum(low, outcome.values[x])
                high = np.maximum(high, outcome.values[x])
        cost[j] = 0.0
        if tell is not None and i % 20 == 0:
            tell("ranges", 0.3 + 0.5 * i / len(x))
    return np.maximum(low, 0.0), high
