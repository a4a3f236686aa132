"""What holds because nobody said otherwise: every default that a plan follows, by name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from kc_model.problem import Problem
from kc_model.wording import both

__all__ = ["defaults_of"]


def defaults_of(problem: Problem, as_of: int | None) -> tuple[dict[str, str], ...]:
    """Return the defaults that are in force, each once.

    Parameters
    ----------
    problem : Problem
    as_of : int or None
        As given to the allocation.

    Returns
    -------
    tuple of dict
        key, and what it says in the languages, vi and en; a default that the scenario or the
        dataset overrides, or that has nothing to act on, is left out.
    """
    return tuple(
        {"key": key, **both(f"explain.defaults.{key}", **values)}
        for key, values in _active(problem, as_of)
    )


def _active(problem: Problem, as_of: int | None) -> Iterator[tuple[str, dict[str, Any]]]:
    scenario, frame, data = problem.scenario, problem.cells.frame, problem.data
    total = len(frame)
    if not scenario.spend:
        yield "spend" if problem.offered is None else "spend_projects", {}
    if scenario.round_to is None:
        yield "round_to", {}
    what = {goal.what for goal in problem.goals}
    if "disbursed" in what and data.cells["weight"].isna().all():
        yield "weight", {}
    if data.cells["min"].isna().all():
        yield "min" if as_of is None else "min_paid", {}
    free = int(frame["max"].isna().sum())
    if free:
        yield "max" if free == total else "some_max", {"count": free, "total": total}
    yield from _baseline(problem)
    forecast = int((np.array(problem.basis) != "given").sum())
    if forecast and problem.outlook is not None:
        yield "absorption", {"count": forecast, "total": total}
    pooled = [row.pooled for row in scenario.budget]
    if (frame["source"] == "KCDP").any() and not any(pooled):
        yield "apart", {}
    if as_of is None and not data.history.empty and (data.history["year"] == scenario.year).any():
        yield "whole_year", {}
    yield "settled" if problem.goals else "no_goal", {}


def _baseline(problem: Problem) -> Iterator[tuple[str, dict[str, Any]]]:
    if problem.baseline_year is not None:
        yield "baseline_year", {"year": problem.baseline_year}
    none = int((problem.baseline == 0).sum())
    given = problem.data.cells["baseline"]
    if none and (given.empty or given.isna().any()):
        yield "no_baseline", {"count": none}
