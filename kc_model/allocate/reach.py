"""What whole projects can make of a sum of money, and what none can beat in between.

A project gives its cells nothing, or from one amount to another. Together the projects of a sum
reach some intervals and jump over the gaps between them. A convex cost of the sum that bends inside
a gap is never below its chord there (Dantzig and Wolfe's bound with a block for each sum): a
program without whole numbers that knows the chords is so near to the truth that thousands of
projects close their gap.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from kc_model.arrays import Cut
from kc_model.cells import MILLION
from kc_model.offered import Offered
from kc_model.problem import Problem
from kc_model.rules import Row

__all__ = ["NEAR", "Reach", "chords", "is_plain"]

NEAR = 1e-6
"""Million VND: amounts less than this apart are together."""
_MOST = 500  # intervals of a sum; the narrowest gaps are forgotten beyond
_HAIR = 1e-9

Array = NDArray[np.float64]
Indices = NDArray[np.int64]
Mask = NDArray[np.bool_]
Gap = tuple[float, float]


class Reach:
    """The amounts that projects can make together, million VND.

    Parameters
    ----------
    projects : array of int
    least, most : arrays
        What each gives if it is chosen.
    must : array of bool
        Whether it has to be chosen.

    Notes
    -----
    No amount that can be made is missing; beyond some hundred intervals there may be more than
    can be made.
    """

    def __init__(self, projects: Indices, least: Array, most: Array, must: Mask) -> None:
        self.projects: list[int] = projects.tolist()
        self._members = list(
            zip(projects.tolist(), least.tolist(), most.tolist(), must.tolist(), strict=True)
        )
        nothing = np.zeros(1)
        self._steps = [(nothing, nothing)]
        for _, low, high, has_to in self._members:
            starts, ends = self._steps[-1]
            now = (starts + low, ends + high)
            if not has_to:
                now = (np.append(starts, now[0]), np.append(ends, now[1]))
            self._steps.append(_joined(*now))

    def gap(self, amount: float) -> Gap | None:
        """Return the amounts next to one that cannot be made; None where it can, or none is next.

        Parameters
        ----------
        amount : float, million VND
        """
        starts, ends = self._steps[-1]
        k = int(np.searchsorted(starts, amount + NEAR, side="right")) - 1
        if k < 0 or k + 1 == len(starts) or amount <= ends[k] + NEAR:
            return None
        return float(ends[k]), float(starts[k + 1])

    def stretches(self, most: int) -> tuple[Array, Array]:
        """Return where the intervals start and end, so many at most: there may be more amounts."""
        return _joined(*self._steps[-1], most)

    def made_of(self, low: float, high: float) -> set[int] | None:
        """Return projects that make an amount between two, later members first; None: none do.

        Parameters
        ----------
        low, high : float, million VND
        """
        chosen = set()
        for n in range(len(self._members) - 1, -1, -1):
            project, least, most, has_to = self._members[n]
            if has_to or _meets(self._steps[n], low - most, high - least):
                chosen.add(project)
                low, high = low - most, high - least
        return chosen if low <= NEAR and high >= -NEAR else None


def _joined(starts: Array, ends: Array, most: int = _MOST) -> tuple[Array, Array]:
    """Return intervals in order, those that touch as one, and no more than so many."""
    order = np.argsort(starts, kind="stable")
    starts, ends = starts[order], np.maximum.accumulate(ends[order])
    gaps = starts[1:] - ends[:-1]
    apart = gaps > NEAR
    if apart.sum() >= most:
        apart = gaps > max(NEAR, float(np.partition(gaps, -most)[-most]))
    return starts[np.append(True, apart)], ends[np.append(apart, True)]


def _meets(intervals: tuple[Array, Array], low: float, high: float) -> bool:
    starts, ends = intervals
    k = int(np.searchsorted(starts, high + NEAR, side="right")) - 1
    return k >= 0 and bool(ends[k] >= low - NEAR)


def _reach_of(offered: Offered, shares: Array, weight: Array, may: Mask, must: Mask) -> Reach:
    """Return what projects can make of a weighted sum of cells.

    `shares` (n_parts,) are of the parts, `weight` (n_cells,) is not negative, `may` and `must`
    are (n_projects,).
    """
    total = np.bincount(offered.project, shares * weight[offered.cell], len(offered))
    own = np.flatnonzero((total > 0) & may)
    own = own[np.argsort(-offered.rank[own])]  # the first by rank is asked first
    least, most = (total[own] * money[own] / MILLION for money in (offered.least, offered.most))
    return Reach(own, least, most, must[own])


def chords(
    problem: Problem, column: Mapping[str, int], may: Mask, must: Mask
) -> tuple[list[Cut], dict[int, Reach]]:
    """Return what no choice of whole projects can beat, and what they can make of every cell.

    Parameters
    ----------
    problem : Problem
        Projects not decided.
    column : mapping of str to int
        Columns of its program by name.
    may, must : arrays of bool (n_projects,)
        Which projects can and have to be chosen, as is known now.

    Returns
    -------
    tuple
        Rows of the program's columns; reach by number of the cell.
    """
    offered = problem.offered
    if offered is None:
        return [], {}
    shares, unit = np.array(list(map(float, offered.share))), np.eye(len(problem.cells))
    reach = {i: _reach_of(offered, shares, unit[i], may, must) for i in offered.named.tolist()}
    found = [*_of_changes(problem, column, reach), *_of_curves(problem, column, reach)]
    named = np.zeros(len(problem.cells), dtype=bool)
    named[offered.named] = True
    for r, row in enumerate(problem.rows):
        if is_plain(row) and named[row.cells].all():
            weight = np.zeros(len(problem.cells))
            weight[row.cells] = row.coef
            gap = _reach_of(offered, shares, weight, may, must).gap(row.right)
            found += [_of_row(row, r, gap, column)] if gap is not None else []
    return found, reach


def is_plain(row: Row) -> bool:
    """Return whether a row holds money against an amount, from one side."""
    counts = len(row.projects) + len(row.base_projects) + len(row.base)
    return not counts and row.side != "equal" and bool(np.all(row.coef > 0))


def _of_row(row: Row, r: int, gap: Gap, column: Mapping[str, int]) -> Cut:
    """Hold a row where it can be met; or its shortfall above the chord."""
    cells = np.array([column[f"x_{i}"] for i in row.cells.tolist()])
    sign = 1.0 if row.side == "min" else -1.0
    meets, misses = (gap[1], gap[0]) if row.side == "min" else gap
    if row.is_law:
        return Cut(cells, sign * row.coef, sign * meets - _HAIR * meets)
    slope = abs(row.right - misses) / (gap[1] - gap[0])
    columns = np.append(cells, column[f"v_{r}"])
    return Cut(columns, np.append(sign * slope * row.coef, 1.0), sign * slope * meets)


def _of_changes(
    problem: Problem, column: Mapping[str, int], reach: Mapping[int, Reach]
) -> Iterator[Cut]:
    for k, goal in enumerate(problem.goals):
        for i in np.flatnonzero(problem.selected[k]).tolist() if goal.what == "change" else ():
            base = float(problem.baseline[i])
            if i in reach:
                yield from _below(
                    {column[f"u{k}_{i}"]: 1.0}, column[f"x_{i}"], reach[i], [base], _distance(base)
                )


def _distance(base: float) -> Callable[[float], float]:
    """Return the distance from an amount."""
    return lambda amount: abs(amount - base)


def _of_curves(
    problem: Problem, column: Mapping[str, int], reach: Mapping[int, Reach]
) -> Iterator[Cut]:
    curves = problem.curves
    for k, goal in enumerate(problem.goals):
        if goal.what != "disbursed":
            continue
        for cells, widths, rates in zip(curves.members, curves.widths, curves.rates, strict=True):
            i = int(cells[0])
            name, ends = f"w{k}_{i}", np.cumsum(widths)
            if name in column and i in reach:
                worth = _spent(ends, widths, rates)
                money = column[f"x_{i}"]
                yield from _below({column[name]: -1.0}, money, reach[i], ends.tolist(), worth)


def _spent(ends: Array, widths: Array, rates: Array) -> Callable[[float], float]:
    return lambda amount: -float(rates @ np.clip(amount - (ends - widths), 0.0, widths))


def _below(
    cost: Mapping[int, float],
    money: int,
    reach: Reach,
    bends: Iterable[float],
    worth: Callable[[float], float],
) -> Iterator[Cut]:
    """Yield that a convex cost is above its chord over every gap in which it bends."""
    for start, end in dict.fromkeys(filter(None, map(reach.gap, bends))):
        slope = (worth(end) - worth(start)) / (end - start)
        columns = np.array([*cost, money], dtype=np.int64)
        low = worth(start) - slope * start
        yield Cut(columns, np.array([*cost.values(), -slope]), low - _HAIR * abs(low))
