"""Why no plan exists on the grid: the laws that it cannot keep together, and what mends that."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kc_model.allocate.conflicts import Counting, find_conflicts
from kc_model.allocate.elastic import Elastic
from kc_model.allocate.levers import loosest_bounds
from kc_model.allocate.live import Progress
from kc_model.allocate.plain import PlainLaws
from kc_model.allocate.repairs import Mender
from kc_model.allocate.rounding import impossible_grid, round_plan
from kc_model.cells import MILLION
from kc_model.money import finer_steps
from kc_model.problem import Problem
from kc_model.solver import Status

__all__ = ["find_choice_conflicts", "find_grid_conflicts", "is_off_grid"]

_MOST = 10  # laws that are left out one by one


def find_grid_conflicts(
    problem: Problem,
    plan: NDArray[np.float64],
    deadline: float,
    as_of: int | None = None,
    progress: Progress | None = None,
) -> list[dict[str, Any]]:
    """Return the conflict that names the grid and the laws that it cannot keep together.

    Unless sums show that the laws contradict each other without it, by less than the solver sees.

    Parameters
    ----------
    problem : Problem
    plan : array (n_cells,), million VND
        A plan that keeps the laws off the grid.
    deadline, as_of, progress
        As for `find_conflicts`.

    Returns
    -------
    list of dict
        As of `find_conflicts`, and grid: the step of amounts in the user's unit. Repairs are a
        finer grid, or the other amounts of the laws named that are nearest on it.
    """
    laws = [row for row in problem.rows if row.is_law]
    if PlainLaws(laws).find({row.id for row in laws}) is not None:
        return find_conflicts(problem, deadline, as_of, progress)
    tell = Counting(progress)
    tell()
    rules, texts = impossible_grid(problem, plan, deadline)
    found = []
    for grid in finer_steps(problem.grid):
        tell()
        if not isinstance(round_plan(problem.rows, plan, grid, deadline), Status):
            found.append(_finer(problem, grid))
            break
    mender = Mender(problem, Elastic(problem, deadline, loosest_bounds(problem, as_of)), tell)
    tell()
    found += mender.on_grid(rules)
    steps = [{"option": n, **step} for n, steps in enumerate(found, 1) for step in steps]
    return [_of_grid(problem, rules, texts, steps)]


def _of_grid(
    problem: Problem, rules: Sequence[str], texts: Mapping[str, str], steps: list[dict[str, Any]]
) -> dict[str, Any]:
    return {
        "rules": ["round_to", *rules],
        "texts": ["", *(texts[rule] for rule in rules)],
        "projects": [],
        "grid": problem.grid / MILLION * problem.million,
        "sums": None,
        "spends": None,
        "repairs": steps,
        "combination": [],
        "bounds": [],
        "smallest": False,
        "complete": False,
        "all_kinds": False,
    }


def is_off_grid(problem: Problem, deadline: float) -> bool:
    """Whether it is proven that no choice of projects keeps the laws on the grid."""
    if problem.grid == 1:
        return False
    steps = Elastic(problem, deadline, {}, on_grid=True)
    return steps.judge(steps.ids) is False or steps.is_impossible()


def find_choice_conflicts(
    at_step: Callable[[int | None], Problem],
    has_plan: Callable[[Problem], bool],
    deadline: float,
    as_of: int | None = None,
    progress: Progress | None = None,
) -> list[dict[str, Any]]:
    """Return why no choice of projects keeps the laws: these among themselves, or with the grid.

    Parameters
    ----------
    at_step : callable (grid in VND) to Problem
        The problem on another grid; None: on its own.
    has_plan : callable (Problem) to bool
        Whether a choice of projects is found whose amounts keep the laws on its grid.
    deadline, as_of, progress
        As for `find_conflicts`, whose results these are; see `find_grid_conflicts`.
    """
    problem = at_step(None)
    exact = problem if problem.grid == 1 else at_step(1)
    tell = Counting(progress)
    tell()
    free = Elastic(exact, deadline, {})
    if problem.grid == 1 or not free.judge(free.ids):
        return find_conflicts(exact, deadline, as_of, progress)
    steps = Elastic(problem, deadline, {}, on_grid=True)
    rules, is_sure = tuple[str, ...](), True
    if not steps.is_impossible():  # or what was paid in each place meets no step
        holds = steps.judge(steps.ids)
        if holds is None:
            return []
        if holds:  # with parts of projects that are no share of theirs: every choice was tried
            rules, is_sure = _in_the_way(problem, steps.ids, has_plan, tell), False
        else:
            rules, is_sure = steps.smallest(steps.ids, tell)
    texts = {row.id: row.text for row in steps.laws}
    finer: list[dict[str, Any]] = []
    for grid in finer_steps(problem.grid):
        tell()
        other = at_step(grid)
        if grid == 1 or (not is_off_grid(other, deadline) and has_plan(other)):
            finer = [{"option": 1, **step} for step in _finer(problem, grid)]
            break
    found = _of_grid(problem, rules, texts, finer)
    return [found | {"smallest": is_sure, "projects": _off_grid(problem)}]


def _in_the_way(
    problem: Problem,
    rules: Sequence[str],
    has_plan: Callable[[Problem], bool],
    tell: Callable[[], None],
) -> tuple[str, ...]:
    """Return the laws any of which alone, left out, lets a plan stand on the grid; of few."""
    found = []
    for rule in rules if len(rules) <= _MOST else ():
        tell()
        if has_plan(problem.without([r for r, row in enumerate(problem.rows) if row.id == rule])):
            found.append(rule)
    return tuple(found)


def _off_grid(problem: Problem) -> list[dict[str, Any]]:
    """Return the projects that no step fits, or not in each of several places; see `_facts`."""
    offered, grid = problem.offered, problem.grid
    if offered is None:
        return []
    places = np.bincount(offered.project, minlength=len(offered))
    off = np.bincount(offered.project, offered.whole_parts % grid, len(offered)) > 0
    frame, found = offered.frame, []
    for p, (codes, support) in enumerate(zip(frame["why"], frame["most"], strict=True)):
        kind = (
            "size" if "project-off-grid" in codes else "parts" if off[p] & (places[p] > 1) else ""
        )
        amount = int(support) / MILLION * problem.million
        about = {"kind": kind, "project": offered.ids[p], "other": "", "amount": amount}
        found += [{**about, "stage": str(frame["stage"][p])}] if kind else []
    return found


def _finer(problem: Problem, grid: int) -> list[dict[str, Any]]:
    now, to = (vnd / MILLION * problem.million for vnd in (problem.grid, grid))
    step = {"rule": "round_to", "group": "", "side": "max", "by": now - to, "measure": "money"}
    sure = {"kind": "money", "now": now, "to": to, "cost": 0.0, "mends_all": True}
    return [{**step, **sure, "mends_alike": True, "proven": True}]
