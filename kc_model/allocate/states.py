"""What the projects of a cell can make of its money, and what they then are to other cells.

A state of a cell is a stretch of money that its projects can make, with what they are in rows that
other cells share: a project that pays into several cells, that another needs or excludes, that is
counted. Sets of projects that no such row tells apart are one state where their money meets; what
goals make of a cell depends on its state and its money alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kc_model.allocate.reach import NEAR, Reach, is_plain
from kc_model.arrays import Cut
from kc_model.cells import MILLION
from kc_model.problem import Problem
from kc_model.solver import Solver

__all__ = ["CellStates", "states_of"]

_MOST = 12  # projects of a cell whose sets are all listed; rows of the others are let go
_PAIRS = 20_000  # of a set and a stretch
_OWN = ("paid_", "most_", "least_", "twins_")  # rows of one project, or of one cell's money

Array = NDArray[np.float64]
Indices = NDArray[np.int64]


class _Cost(NamedTuple):
    """What depends on a cell's money: a convex function of it, or the opposite of one.

    Parameters
    ----------
    column : int
    sign : float
        −1: the column is at most the opposite of the function.
    start : float
        The function's value at no money.
    ends, slopes : arrays (n_pieces,)
        Where each of its pieces ends, and how it rises there.
    """

    column: int
    sign: float
    start: float
    ends: Array
    slopes: Array

    def at(self, money: Array) -> Array:
        """Return the function's value."""
        starts = np.append(0.0, self.ends[:-1])
        inside = np.minimum(np.maximum(money[:, None] - starts, 0.0), self.ends - starts)
        return np.asarray(self.start + inside @ self.slopes)


class _Sets(NamedTuple):
    """Sets of the projects that rows tell apart.

    Parameters
    ----------
    projects : array of int (n_projects,)
    chosen : array of bool (n_sets, n_projects)
    low, high : arrays (n_sets,)
        Money that each makes.
    group : array of int (n_sets,)
        The same where no row tells them apart.
    """

    projects: Indices
    chosen: NDArray[np.bool_]
    low: Array
    high: Array
    group: Indices


@dataclass
class CellStates:
    """The states of a cell, and their points: the ends of their stretches and where costs bend.

    Parameters
    ----------
    money : int
        Column of its money.
    costs : list of _Cost
    ties : list of Cut
        What its projects are in rows that others share; bounds mean nothing.
    low, high : arrays (n_states,)
    group : array of int (n_states,)
    profiles : array (n_groups, n_ties)
        The value of each tie.
    points : array (n_points, 1 + n_costs + n_ties)
        Money, costs and ties at each point.
    state : array of int (n_points,)
    """

    money: int
    costs: list[_Cost]
    ties: list[Cut]
    low: Array
    high: Array
    group: Indices
    profiles: Array
    sets: _Sets
    others: Reach
    points: Array = field(init=False)
    state: Indices = field(init=False)

    def __post_init__(self) -> None:
        every = np.arange(len(self.low))
        wide = self.high > self.low
        parts = [(every, self.low), (every[wide], self.high[wide])]
        bends = np.unique(np.concatenate([np.zeros(0), *(cost.ends for cost in self.costs)]))
        for bend in bends[np.isfinite(bends)].tolist():
            inside = every[(self.low < bend) & (bend < self.high)]
            parts.append((inside, np.full(len(inside), bend)))
        self.state, money = (np.concatenate([part[n] for part in parts]) for n in (0, 1))
        worth = (cost.at(money) for cost in self.costs)
        self.points = np.column_stack([money, *worth, self.profiles[self.group[self.state]]])

    def rows(self, scale: float) -> list[Cut]:
        """Return the rows that hold its columns to a mix of points, then that of their weights."""
        none = np.zeros(0)
        return [
            Cut(np.array([self.money]), np.ones(1), 0.0),
            *(Cut(np.array([cost.column]), np.array([cost.sign]), 0.0) for cost in self.costs),
            *(Cut(tie.columns, scale * tie.coefficients, 0.0) for tie in self.ties),
            Cut(none.astype(np.int64), none, scale),
        ]

    def sizes(self, scale: float) -> Array:
        """Return by what each of these rows is multiplied."""
        held = np.ones(1 + len(self.costs))
        return np.concatenate([held, np.full(len(self.ties) + 1, scale)])

    def standing(self, plan: Array) -> int:
        """Return the state in which a plan is, or the nearest one."""
        ties = np.array([tie.coefficients @ plan[tie.columns] for tie in self.ties])
        money = plan[self.money]
        away = np.maximum(np.maximum(self.low - money, money - self.high), 0.0)
        told = np.abs(self.profiles - ties).max(axis=1, initial=0.0)
        return int(np.lexsort((away, told[self.group].round(6)))[0])

    def made_of(self, state: int, money: float) -> dict[int, bool] | None:
        """Return which of its projects make money in a state; None if none do."""
        sets, amount = self.sets, float(np.clip(money, self.low[state], self.high[state]))
        for n in np.flatnonzero(sets.group == self.group[state]).tolist():
            made = self.others.made_of(amount - sets.high[n], amount - sets.low[n])
            if made is not None:
                own = zip(sets.projects.tolist(), sets.chosen[n].tolist(), strict=True)
                return {**dict(own), **{p: p in made for p in self.others.projects}}
        return None


def states_of(problem: Problem, column: Mapping[str, int], relaxed: Solver) -> list[CellStates]:
    """Return the states of every cell that projects pay into.

    Parameters
    ----------
    problem : Problem
        Projects not decided.
    column : mapping of str to int
        Columns of its program by name.
    relaxed : Solver
        Of the program without whole numbers; its bounds say what is decided.
    """
    offered = problem.offered
    if offered is None:
        return []
    z = np.array([column.get(f"z_{p}", -1) for p in range(len(offered))], dtype=np.int64)
    share = np.array(list(map(float, offered.share)))
    several = np.bincount(offered.project, minlength=len(offered)) > 1
    shared, costs, found = _shared(relaxed, z), _costs(problem, column), []
    for i in offered.named.tolist():
        parts = np.flatnonzero(offered.cell == i)
        own = offered.project[parts]
        least, most = (
            share[parts] * money[own] / MILLION for money in (offered.least, offered.most)
        )
        may = (z[own] >= 0) & (relaxed.col_high[z[own]] > 0.5)
        must = relaxed.col_low[z[own]] > 0.5
        told = np.array([bool(several[p] or shared.get(p)) for p in own.tolist()], dtype=bool)
        order = np.lexsort((-offered.rank[own], ~several[own], ~told, ~may))
        named = order[: min(_MOST, int(np.sum(may & told)))]
        rest = order[len(named) : int(may.sum())]
        ties = _ties(own[named], z, several, shared)
        sets, profiles = _sets(own[named], least[named], most[named], must[named], ties, z)
        rest = rest[np.argsort(-offered.rank[own[rest]])]
        others = Reach(own[rest], least[rest], most[rest], must[rest])
        low, high, group = _stretches(sets, others)
        x = column[f"x_{i}"]
        low, high = np.maximum(low, relaxed.col_low[x]), np.minimum(high, relaxed.col_high[x])
        inside = low <= high + NEAR
        found.append(
            CellStates(
                x,
                costs.get(i, []),
                ties,
                low[inside],
                np.maximum(low, high)[inside],
                group[inside],
                profiles,
                sets,
                others,
            )
        )
    return [one for one in found if len(one.low)]


def _shared(relaxed: Solver, z: Indices) -> dict[int, dict[int, float]]:
    """Return by project its coefficients in rows that are not its own or its cell's."""
    rows = relaxed.model.rows
    holds = np.isfinite(relaxed.row_low) | np.isfinite(relaxed.row_high)
    kept = np.array([not name.startswith(_OWN) for name in rows], dtype=bool) & holds
    at = relaxed.matrix.tocsc()
    found: dict[int, dict[int, float]] = {}
    for p in np.flatnonzero(z >= 0).tolist():
        start, end = at.indptr[z[p] : z[p] + 2]
        mine = kept[at.indices[start:end]] & (at.data[start:end] != 0)
        if mine.any():
            found[p] = dict(
                zip(at.indices[start:end][mine].tolist(), at.data[start:end][mine], strict=True)
            )
    return found


def _ties(
    own: Indices, z: Indices, several: NDArray[np.bool_], shared: Mapping[int, Mapping[int, float]]
) -> list[Cut]:
    """Return what projects are to others: those of several cells each, the others by row."""
    ties = [Cut(z[[p]], np.ones(1), 0.0) for p in own[several[own]].tolist()]
    alone = own[~several[own]].tolist()
    for row in sorted({row for p in alone for row in shared[p]}):
        members = [p for p in alone if row in shared[p]]
        coefficients = np.array([shared[p][row] for p in members])
        ties.append(Cut(z[members], coefficients / np.abs(coefficients).max(), 0.0))
    return ties


def _sets(
    own: Indices, least: Array, most: Array, must: NDArray[np.bool_], ties: list[Cut], z: Indices
) -> tuple[_Sets, Array]:
    """Return every set of some projects, and the value of each tie by group."""
    count = len(own)
    chosen = ((np.arange(2**count)[:, None] >> np.arange(count)) & 1).astype(bool)
    chosen = chosen[chosen[:, must].all(axis=1)]
    at = {column: n for n, column in enumerate(z[own].tolist())}
    values = [chosen[:, [at[c] for c in tie.columns.tolist()]] @ tie.coefficients for tie in ties]
    told = np.column_stack([np.zeros(len(chosen)), *values])
    profiles, group = np.unique(told.round(9), axis=0, return_inverse=True)
    low, high = chosen @ least, chosen @ most
    return _Sets(own, chosen, low, high, group.reshape(-1)), profiles[:, 1:]


def _stretches(sets: _Sets, others: Reach) -> tuple[Array, Array, Indices]:
    """Return stretches of money and their group: those of a group that touch as one."""
    starts, ends = others.stretches(max(1, _PAIRS // len(sets.low)))
    group = np.repeat(sets.group, len(starts))
    low = (sets.low[:, None] + starts).reshape(-1)
    high = (sets.high[:, None] + ends).reshape(-1)
    order = np.lexsort((low, group))
    group, low, high = group[order], low[order], high[order]
    apart = (1.0 + high.max()) * group  # so that no group reaches into the next
    high = np.maximum.accumulate(high + apart) - apart
    new = (group[1:] != group[:-1]) | (low[1:] - high[:-1] > NEAR)
    first, last = np.append(True, new), np.append(new, True)
    return low[first], np.maximum(high[last], low[first]), group[first]


def _costs(problem: Problem, column: Mapping[str, int]) -> dict[int, list[_Cost]]:
    """Return by number of the cell what goals, and rows that may be missed, make of its money."""
    found: dict[int, list[_Cost]] = {}
    for i, cost in (*_of_goals(problem, column), *_of_rows(problem, column)):
        found.setdefault(i, []).append(cost)
    return found


def _of_goals(problem: Problem, column: Mapping[str, int]) -> Iterator[tuple[int, _Cost]]:
    curves, baseline = problem.curves, problem.baseline
    for k, goal in enumerate(problem.goals):
        for i in np.flatnonzero(problem.selected[k]).tolist() if goal.what == "change" else ():
            base = float(baseline[i])
            ends, slopes = np.array([base, np.inf]), np.array([-1.0, 1.0])
            yield i, _Cost(column[f"u{k}_{i}"], 1.0, base, ends, slopes)
        whole = zip(curves.members, curves.widths, curves.rates, strict=True)
        for cells, widths, rates in whole if goal.what == "disbursed" else ():
            name, i = f"w{k}_{int(cells[0])}", int(cells[0])
            if name in column and len(cells) == 1:
                ends = np.append(np.cumsum(widths), np.inf)
                yield i, _Cost(column[name], -1.0, 0.0, ends, np.append(-rates, 0.0))


def _of_rows(problem: Problem, column: Mapping[str, int]) -> Iterator[tuple[int, _Cost]]:
    for r, row in enumerate(problem.rows):
        if row.is_law or len(row.cells) != 1 or not is_plain(row) or row.right <= 0:
            continue
        slope = float(row.coef[0])
        start, slopes = (row.right, [-slope, 0.0]) if row.side == "min" else (0.0, [0.0, slope])
        ends = np.array([row.right / slope, np.inf])
        yield int(row.cells[0]), _Cost(column[f"v_{r}"], 1.0, start, ends, np.array(slopes))
