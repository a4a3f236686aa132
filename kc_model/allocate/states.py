"""What the projects of a cell can make of its money, and what they then are to other cells.

A state of a cell is a stretch of money that its projects can make, with what they are in rows that
other cells share: a project that pays into several cells, that another needs or excludes, that is
counted. Sets of projects that no such row tells apart are one state where their money meets; what
goals make of a cell depends on its state and its money alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kc_model.allocate.points import CellStates, Cost, Extra, Sets
from kc_model.allocate.reach import NEAR, Reach, is_plain
from kc_model.arrays import Cut
from kc_model.cells import MILLION
from kc_model.offered import Offered
from kc_model.problem import Problem
from kc_model.solver import Solver

__all__ = ["states_of"]

_MOST = 12  # projects of a cell whose sets are all listed; rows of the others are let go
_PAIRS = 4_096  # of a set and a stretch
_WIDE = 500  # states of a cell for which amounts that other cells decide too are told apart
_OWN = ("paid_", "most_", "least_", "twins_")  # rows of one project, or of one cell's money

Array = NDArray[np.float64]
Indices = NDArray[np.int64]


class _Some(NamedTuple):
    """Projects of a cell: what each gives if it is chosen, and whether it has to be.

    Parameters
    ----------
    projects : array of int
    least, most : arrays
    wide : array
        How much of the difference other cells decide too.
    must : array of bool
    """

    projects: Indices
    least: Array
    most: Array
    wide: Array
    must: NDArray[np.bool_]


def states_of(
    problem: Problem, column: Mapping[str, int], relaxed: Solver, silent: NDArray[np.bool_]
) -> list[CellStates]:
    """Return the states of every cell that projects pay into.

    Parameters
    ----------
    problem : Problem
        Projects not decided.
    column : mapping of str to int
        Columns of its program by name.
    relaxed : Solver
        Of the program without whole numbers; its bounds say what is decided.
    silent : array of bool (n_rows,)
        Rows of that program that tell no projects apart.
    """
    offered = problem.offered
    if offered is None:
        return []
    reading = _Reading(problem, offered, column, relaxed, silent)
    return [one for one in map(reading.cell, offered.named.tolist()) if len(one.low)]


class _Reading:
    """What the cells of a problem have in common."""

    def __init__(
        self,
        problem: Problem,
        offered: Offered,
        column: Mapping[str, int],
        relaxed: Solver,
        silent: NDArray[np.bool_],
    ) -> None:
        self._offered, self._column, self._relaxed = offered, column, relaxed
        self._z, self._a = (
            np.array([column.get(f"{name}_{p}", -1) for p in range(len(offered))], dtype=np.int64)
            for name in "za"
        )
        self._share = np.array(list(map(float, offered.share)))
        self._several = np.bincount(offered.project, minlength=len(offered)) > 1
        self._linked = np.zeros(len(offered), dtype=bool)
        self._linked[np.append(offered.requires.ravel(), offered.excludes.ravel())] = True
        self._shared, self._costs = _shared(relaxed, self._z, silent), _costs(problem, column)
        names = (name.split("_") for name in relaxed.model.rows if name.startswith("twins_"))
        self._twins = [(int(before), int(after)) for _, before, after in names]

    def cell(self, i: int) -> CellStates:
        """Return the states of a cell."""
        offered, z = self._offered, self._z
        parts = np.flatnonzero(offered.cell == i)
        own, share = offered.project[parts], self._share[parts]
        least, most = (share * money[own] / MILLION for money in (offered.least, offered.most))
        must = self._relaxed.col_low[z[own]] > 0.5
        named, rest = self._split(own)
        ties = _ties(own[named], z, self._several, self._shared)
        extras = told = self._extras(own[named], share[named])
        wide = np.where(self._several[own[named]], most[named] - least[named], 0.0)
        some = _Some(own[named], least[named], most[named], wide, must[named])
        sets, profiles = _sets(some, ties, z, self._twins)
        rest = rest[np.argsort(-offered.rank[own[rest]])]
        others = Reach(own[rest], least[rest], most[rest], must[rest])
        low, high, group = _stretches(sets, others)
        if extras and len(low) > _WIDE:  # points of so many are found too slowly: less is known
            told, sets = [], sets._replace(wide=np.zeros(len(sets.wide)))
            low, high, group = _stretches(sets, others)
        x, costs = self._column[f"x_{i}"], self._costs.get(i, [])
        bounds = float(self._relaxed.col_low[x]), float(self._relaxed.col_high[x])
        more = sum((one.share * one.wide * (profiles[group, one.tie] > 0.5) for one in told), 0.0)
        inside = np.maximum(low, bounds[0]) <= np.minimum(high + more, bounds[1]) + NEAR
        apart = own[~self._several[own]]
        inner = np.array([x, *(cost.column for cost in costs), *z[apart], *self._a[apart]])
        return CellStates(
            money=x,
            costs=costs,
            ties=ties,
            amounts=extras,
            extras=told,
            low=low[inside],
            high=high[inside],
            group=group[inside],
            profiles=profiles,
            sets=sets,
            others=others,
            bounds=bounds,
            loose=frozenset(p for p in own[rest].tolist() if self._is_told(p)),
            inner=inner[inner >= 0],
        )

    def _extras(self, own: Indices, share: Array) -> list[Extra]:
        """Return what those of some projects that several cells share give beyond the least."""
        offered, several = self._offered, self._several[own]
        return [
            Extra(
                amount=int(self._a[p]),
                chosen=int(self._z[p]),
                least=float(offered.least[p]) / MILLION,
                wide=float(offered.most[p] - offered.least[p]) / MILLION,
                share=part,
                tie=tie,
            )
            for tie, (p, part) in enumerate(
                zip(own[several].tolist(), share[several].tolist(), strict=True)
            )
            if offered.most[p] > offered.least[p]
        ]

    def _is_told(self, project: int) -> bool:
        return bool(self._several[project]) or project in self._shared

    def _split(self, own: Indices) -> tuple[Indices, Indices]:
        """Return which projects of a cell rows tell apart, and the others that may be chosen."""
        z = self._z[own]
        may = (z >= 0) & (self._relaxed.col_high[z] > 0.5)
        told = np.array([self._is_told(p) for p in own.tolist()], dtype=bool)
        order = np.lexsort(
            (-self._offered.rank[own], ~self._linked[own], ~self._several[own], ~told, ~may)
        )
        count = min(_MOST, int(np.sum(may & told)))
        return order[:count], order[count : int(may.sum())]


def _shared(relaxed: Solver, z: Indices, silent: NDArray[np.bool_]) -> dict[int, dict[int, float]]:
    """Return by project its coefficients in rows that are not its own or its cell's."""
    rows = relaxed.model.rows
    holds = np.isfinite(relaxed.row_low) | np.isfinite(relaxed.row_high)
    kept = np.array([not name.startswith(_OWN) for name in rows], dtype=bool) & holds & ~silent
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
    some: _Some, ties: Sequence[Cut], z: Indices, twins: Sequence[tuple[int, int]]
) -> tuple[Sets, Array]:
    """Return every set of some projects, and the value of each tie by group."""
    count = len(some.projects)
    chosen = ((np.arange(2**count)[:, None] >> np.arange(count)) & 1).astype(bool)
    chosen = chosen[chosen[:, some.must].all(axis=1)]
    number = {p: n for n, p in enumerate(some.projects.tolist())}
    for before, after in twins:
        if before in number and after in number:
            chosen = chosen[chosen[:, number[before]] >= chosen[:, number[after]]]
    at = {column: n for n, column in enumerate(z[some.projects].tolist())}
    values = [chosen[:, [at[c] for c in tie.columns.tolist()]] @ tie.coefficients for tie in ties]
    told = np.column_stack([np.zeros(len(chosen)), *values])
    profiles, group = np.unique(told.round(9), axis=0, return_inverse=True)
    low, high, wide = (chosen @ money for money in (some.least, some.most, some.wide))
    return Sets(some.projects, chosen, low, high, wide, group.reshape(-1)), profiles[:, 1:]


def _stretches(sets: Sets, others: Reach) -> tuple[Array, Array, Indices]:
    """Return stretches of money without extras and their group: those that touch as one."""
    starts, ends = others.stretches(max(1, _PAIRS // len(sets.low)))
    group = np.repeat(sets.group, len(starts))
    low = (sets.low[:, None] + starts).reshape(-1)
    high = ((sets.high - sets.wide)[:, None] + ends).reshape(-1)
    order = np.lexsort((low, group))
    group, low, high = group[order], low[order], high[order]
    apart = (1.0 + high.max()) * group  # so that no group reaches into the next
    high = np.maximum.accumulate(high + apart) - apart
    new = (group[1:] != group[:-1]) | (low[1:] - high[:-1] > NEAR)
    first, last = np.append(True, new), np.append(new, True)
    return low[first], np.maximum(high[last], low[first]), group[first]


def _costs(problem: Problem, column: Mapping[str, int]) -> dict[int, list[Cost]]:
    """Return by number of the cell what goals, and rows that may be missed, make of its money."""
    found: dict[int, list[Cost]] = {}
    for i, cost in (*_of_goals(problem, column), *_of_rows(problem, column)):
        found.setdefault(i, []).append(cost)
    return found


def _of_goals(problem: Problem, column: Mapping[str, int]) -> Iterator[tuple[int, Cost]]:
    curves, baseline = problem.curves, problem.baseline
    for k, goal in enumerate(problem.goals):
        for i in np.flatnonzero(problem.selected[k]).tolist() if goal.what == "change" else ():
            base = float(baseline[i])
            ends, slopes = np.array([base, np.inf]), np.array([-1.0, 1.0])
            yield i, Cost(column[f"u{k}_{i}"], 1.0, base, ends, slopes)
        whole = zip(curves.members, curves.widths, curves.rates, strict=True)
        for cells, widths, rates in whole if goal.what == "disbursed" else ():
            name, i = f"w{k}_{int(cells[0])}", int(cells[0])
            if name in column and len(cells) == 1:
                ends = np.append(np.cumsum(widths), np.inf)
                yield i, Cost(column[name], -1.0, 0.0, ends, np.append(-rates, 0.0))


def _of_rows(problem: Problem, column: Mapping[str, int]) -> Iterator[tuple[int, Cost]]:
    for r, row in enumerate(problem.rows):
        if row.is_law or len(row.cells) != 1 or not is_plain(row) or row.right <= 0:
            continue
        slope = float(row.coef[0])
        start, slopes = (row.right, [-slope, 0.0]) if row.side == "min" else (0.0, [0.0, slope])
        ends = np.array([row.right / slope, np.inf])
        yield int(row.cells[0]), Cost(column[f"v_{r}"], 1.0, start, ends, np.array(slopes))
