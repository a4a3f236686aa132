"""What none can beat where projects pay into several cells and need or exclude each other.

A chord (`kc_model.allocate.reach`) knows what the projects of one cell can make of its money, not
which of them. Here a cell has a point for each set of its projects and each amount at which its
costs bend, and stands in a mix of these points; a project that several cells share, or that another
needs, is in every mix to the same part (Dantzig and Wolfe 1960). Points come in as the duals ask
for them; the duals of any round say what none can beat.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kc_model.arrays import Cut
from kc_model.cells import MILLION
from kc_model.problem import Problem
from kc_model.solver import Outcome, Solver, Status

__all__ = ["Hull"]

_MOST = 12  # projects of a cell whose sets are all listed
_ROUNDS = 40
_NEW = 3  # points that a cell gets in one round
_CLOSED = 1e-5
_DEAR = 1e-7

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


@dataclass
class _Cell:
    """The points of a cell.

    Parameters
    ----------
    money : int
        Column of its money.
    costs : list of _Cost
    projects : array of int
        Columns of its projects.
    least, most : arrays
        Money of each, if it is chosen.
    points : array (n_points, n_columns)
        Money, costs (with their signs) and projects at each point.
    first : int
        Its first row in the program; behind those of its columns stands the sum of the weights.
    used : set of int
        Points that are in the program.
    """

    money: int
    costs: list[_Cost]
    projects: Indices
    least: Array
    most: Array
    points: Array = field(init=False)
    first: int = -1
    used: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        count = len(self.projects)
        sets = ((np.arange(2**count)[:, None] >> np.arange(count)) & 1).astype(np.float64)
        low, high = sets @ self.least, sets @ self.most
        bends = np.unique(np.concatenate([np.zeros(0), *(cost.ends for cost in self.costs)]))
        parts = [(sets, low), (sets, high)]
        for bend in bends[np.isfinite(bends)].tolist():
            inside = (low < bend) & (bend < high)
            parts.append((sets[inside], np.full(int(inside.sum()), bend)))
        self.points = np.concatenate([self._at(*part) for part in parts])

    def _at(self, sets: Array, money: Array) -> Array:
        return np.column_stack([money, *(cost.at(money) for cost in self.costs), sets])

    @property
    def columns(self) -> Indices:
        return np.array([self.money, *(cost.column for cost in self.costs), *self.projects])

    def rows(self, scale: float) -> list[Cut]:
        signs = [1.0, *(cost.sign for cost in self.costs), *np.full(len(self.projects), scale)]
        none = np.zeros(0)
        cuts = [
            Cut(np.array([column]), np.array([sign]), 0.0)
            for column, sign in zip(self.columns.tolist(), signs, strict=True)
        ]
        return [*cuts, Cut(none.astype(np.int64), none, scale)]

    def first_points(self, values: Array, plan: Array) -> set[int]:
        """Return points that mix to the parts a program without whole numbers has, and a plan's."""
        part, has = values[self.projects], np.rint(plan[self.projects])
        order = np.argsort(-part)
        codes = 2.0 ** np.arange(len(part))
        wanted = [codes[order[:n]].sum() for n in range(len(part) + 1)]
        self.points = np.vstack([self.points, self._at(has[None, :], plan[[self.money]])])
        known = self.points[:, -len(part) :] @ codes
        return {*np.flatnonzero(np.isin(known, wanted)).tolist(), len(self.points) - 1}

    def entries(self, points: list[int], scale: float) -> Iterator[tuple[Indices, Array]]:
        """Yield the rows that each point enters, and how; it is in the program from now on."""
        self.used.update(points)
        size = np.append(self._size(scale), -scale)
        for point in points:
            column = -size * np.append(self.points[point], 1.0)
            at = np.flatnonzero(column)
            yield self.first + at, column[at]

    def reduced(self, duals: Array, scale: float) -> Array:
        """Return the reduced cost of every point."""
        own = duals[self.first : self.first + self.points.shape[1] + 1]
        return np.asarray(self.points @ (own[:-1] * self._size(scale)) - scale * own[-1])

    def _size(self, scale: float) -> Array:
        count = len(self.projects)
        return np.append(np.ones(self.points.shape[1] - count), np.full(count, scale))


class Hull:
    """The points of every cell that has few enough projects.

    Parameters
    ----------
    problem : Problem
        Projects not decided.
    column : mapping of str to int
        Columns of its program by name.
    """

    def __init__(self, problem: Problem, column: Mapping[str, int]) -> None:
        self._problem, self._column = problem, dict(column)

    def bound(
        self, relaxed: Solver, values: Array, plan: Array, goes_on: Callable[[], bool]
    ) -> Outcome | None:
        """Return a solution that none beats: what whole projects cost at the least.

        Parameters
        ----------
        relaxed : Solver
            Of the program without whole numbers, solved; gets columns and rows.
        values, plan : arrays (n_columns,)
            Its solution, and a plan of whole projects that stands.
        goes_on : callable () -> bool
            Whether there is time.

        Returns
        -------
        Outcome or None
            Its objective is the bound; None where none was found.
        """
        cells, scale = list(_cells(self._problem, self._column)), relaxed.scale
        if not cells:
            return None
        row = len(relaxed.row_low)
        relaxed.add([cut for cell in cells for cut in cell.rows(scale)])
        new: list[tuple[_Cell, list[int]]] = []
        for cell in cells:
            cell.first, row = row, row + len(cell.columns) + 1
            equal = np.array([0, *range(1 + len(cell.costs), len(cell.columns) + 1)]) + cell.first
            relaxed.set_rows(equal, relaxed.row_low[equal], relaxed.row_low[equal])
            new.append((cell, sorted(cell.first_points(values, plan))))
        best: Outcome | None = None
        for _ in range(_ROUNDS):
            entries = [one for cell, points in new for one in cell.entries(points, scale)]
            relaxed.widen(entries)
            outcome = relaxed.run()
            if outcome.status is not Status.OPTIMAL:
                break
            low, new = outcome.objective, []
            for cell in cells:
                reduced = cell.reduced(outcome.row_duals, scale)
                low += min(0.0, float(reduced.min()))
                order = np.argpartition(reduced, min(_NEW, len(reduced) - 1))[:_NEW].tolist()
                new.append((cell, [n for n in order if reduced[n] < -_DEAR and n not in cell.used]))
            low = low if best is None else max(low, best.objective)
            best = replace(outcome, objective=low)
            is_closed = outcome.objective - low <= _CLOSED * max(scale, abs(low))
            if is_closed or not any(points for _, points in new) or not goes_on():
                break
        return best


def _cells(problem: Problem, column: Mapping[str, int]) -> Iterator[_Cell]:
    """Yield the cells of few projects on whose money a goal depends."""
    offered = problem.offered
    if offered is None:
        return
    share = np.array(list(map(float, offered.share)))
    costs = _costs(problem, column)
    for i in offered.named.tolist():
        parts = np.flatnonzero(offered.cell == i)
        own = offered.project[parts]
        z = np.array([column.get(f"z_{p}", -1) for p in own.tolist()], dtype=np.int64)
        if 0 < len(z) <= _MOST and np.all(z >= 0) and i in costs:
            least, most = (
                share[parts] * money[own] / MILLION for money in (offered.least, offered.most)
            )
            yield _Cell(column[f"x_{i}"], costs[i], z, least, most)


def _costs(problem: Problem, column: Mapping[str, int]) -> dict[int, list[_Cost]]:
    """Return by number of the cell what goals make of its money alone."""
    found: dict[int, list[_Cost]] = {}
    curves, baseline = problem.curves, problem.baseline
    for k, goal in enumerate(problem.goals):
        for i in np.flatnonzero(problem.selected[k]).tolist() if goal.what == "change" else ():
            base = float(baseline[i])
            ends, slopes = np.array([base, np.inf]), np.array([-1.0, 1.0])
            found.setdefault(i, []).append(_Cost(column[f"u{k}_{i}"], 1.0, base, ends, slopes))
        whole = zip(curves.members, curves.widths, curves.rates, strict=True)
        for cells, widths, rates in whole if goal.what == "disbursed" else ():
            name, i = f"w{k}_{int(cells[0])}", int(cells[0])
            if name in column and len(cells) == 1:
                ends = np.append(np.cumsum(widths), np.inf)
                slopes = np.append(-rates, 0.0)
                found.setdefault(i, []).append(_Cost(column[name], -1.0, 0.0, ends, slopes))
    return found
