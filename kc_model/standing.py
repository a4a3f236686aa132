"""How a plan stands: against every row, tier and goal, recomputed from the data alone."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from kc_model.cells import MILLION
from kc_model.money import UNITS, told
from kc_model.problem import Problem
from kc_model.program import Stage
from kc_model.stays import count_moves

__all__ = [
    "as_told",
    "goal_unit",
    "goal_value",
    "rule_table",
    "settling_weight",
    "stage_value",
    "wrong_projects",
]

_BINDING = 1e-6
_PARTS = 1000  # of a đồng

Money = NDArray[np.float64]


def stage_value(problem: Problem, stage: Stage, x: Money) -> float:
    """Return what a plan, in million VND, achieves of a tier or goal, from the data alone."""
    if stage.goal is not None:
        return goal_value(problem, stage.goal, x)
    weight = [row.weight if row.tier == stage.name else 0.0 for row in problem.rows]
    return float(np.array(weight) @ problem.sums.shortfall(x))


def goal_value(problem: Problem, k: int, x: NDArray[np.float64]) -> float:
    """Return what a plan achieves of goal k, recomputed from the data alone.

    Parameters
    ----------
    k : int
        Number of the goal.
    x : array (n_cells,), million VND

    Returns
    -------
    float
        In million VND, or in the goal's own unit.
    """
    what, chosen = problem.goals[k].what, problem.selected[k]
    if what == "money":
        return float(x[chosen].sum())
    if what == "change":
        return float(np.abs(x - problem.baseline)[chosen].sum())
    if what == "moves":
        return float(count_moves(problem, k, x))
    if what == "disbursed":
        return problem.curves.best(x, np.where(chosen, problem.weight, np.nan))
    if what == "risk":
        return problem.risks[k].value(x)
    if what == "evenness":
        group, totals = problem.groups[k]
        spent = np.bincount(group[group >= 0], x[group >= 0], len(totals))
        return float(np.min(spent / totals)) if len(totals) else 0.0
    return float(problem.columns[k][chosen] @ x[chosen])


def settling_weight(problem: Problem) -> Money:
    """Return max(b, m) of every cell, million VND: what the settlement divides by."""
    least = float(problem.baseline.mean()) / 1000 or 1.0
    return np.maximum(problem.baseline, least)


def goal_unit(problem: Problem, stage: Stage) -> float:
    """Return the user's units in one unit of a goal: money is shown in the dataset's unit."""
    goal = problem.goals[stage.goal or 0]
    return 1.0 if goal.is_count else problem.million


def wrong_projects(
    problem: Problem,
    amounts: NDArray[np.int64],
    given: NDArray[np.int64],
    parts: NDArray[np.int64],
) -> Iterator[str]:
    """Yield projects that may not get what they do, cells that are not what projects add up to.

    Projects and cells are exactly the sums of the parts. A part may be a step off its share, and
    one more where a law held only so. Ids of projects, names of cells; ``projects`` where links are
    broken or the totals differ.

    Parameters
    ----------
    problem : Problem
        Projects decided.
    amounts : array (n_cells,), VND
    given : array (n_projects,), VND
    parts : array (n_parts,), VND
        What projects give the cells, see `Offered`.
    """
    offered, grid = problem.offered, problem.grid
    if offered is None or offered.chosen is None:
        return
    if not offered.keeps_links(offered.chosen) or np.any(offered.must & ~offered.chosen):
        yield "projects"
    off = (given < offered.least) | (given > offered.most)
    off |= (given % grid != 0) & ~offered.exact
    off = np.where(offered.chosen, off | ~offered.may, given != 0)
    yield from (offered.ids[p] for p in np.flatnonzero(off))
    share = np.array([float(one) for one in offered.share])
    far = np.abs(parts - share * given[offered.project]) > 2 * grid + 0.5
    whole, paid = np.zeros_like(given), np.zeros_like(amounts)
    np.add.at(whole, offered.project, parts)
    np.add.at(paid, offered.cell, parts)
    off = whole != np.where(offered.may, given, 0)
    off[offered.project[far]] = True
    yield from (offered.ids[p] for p in np.flatnonzero(off))
    names, wrong = problem.cells.names(), amounts != paid
    yield from (names[i] for i in offered.named[wrong[offered.named]])
    if int(amounts[offered.named].sum()) != int(given.sum()):
        yield "projects"


def rule_table(problem: Problem, amounts: NDArray[np.int64], settled: Money) -> pd.DataFrame:
    """Return ``rules.csv`` without its prices.

    Parameters
    ----------
    amounts : array (n_cells,), VND
    settled : array (n_cells,), million VND
        The plan before rounding: a row that held it binds, whatever the last steps add up to.
    """
    sums, grid = problem.sums, problem.grid
    x, scale = amounts / MILLION, np.array([row.scale for row in problem.rows])
    bound, slack = sums.bound(x), sums.slack(x)
    missed = sums.missed(amounts)
    size = np.maximum(1.0, np.abs(bound))
    noise = np.maximum(sums.tolerances(grid), 1e-9 * size)
    missed = np.where(missed > noise, missed, 0.0)
    close = np.maximum(noise, grid / MILLION * sums.largest)
    binding = (sums.slack(settled) <= _BINDING * size) | (np.abs(slack) <= close)
    lhs, bound = as_told(problem, sums.lhs(x)), as_told(problem, bound)
    over = np.where(sums.sides == "min", lhs - bound, bound - lhs)
    table = problem.blank_rules.copy(deep=False)
    table["lhs"], table["bound"] = lhs, bound
    table["slack"] = as_told(problem, over / scale, np.maximum(np.abs(lhs), np.abs(bound)))
    table["status"] = np.select([missed > 0, binding], ["missed", "binding"], "met")
    table["shortfall"] = as_told(problem, missed)
    table["factor"] = sums.factor
    return table


def as_told(problem: Problem, values: Money, size: Money | None = None) -> Money:
    """Return a number of every row as files tell it, in the user's unit.

    Money to the thousandth of a đồng (a share of whole đồng may end in parts); a count to the
    digits that are more than noise, see `kc_model.money.told`.

    Parameters
    ----------
    values : array (n_rows,)
        In the rows' own unit; may be NaN.
    size : array (n_rows,) or None
        What the digits count from, in the user's unit.
    """
    found = np.rint(values * MILLION * _PARTS) / (_PARTS * UNITS[problem.unit])
    for r in np.flatnonzero(~problem.sums.is_money).tolist():
        value = float(values[r]) * problem.rows[r].scale
        found[r] = told(value, 0.0 if size is None else float(size[r]))
    return found
