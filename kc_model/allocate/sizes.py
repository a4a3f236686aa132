"""From settled cells to whole đồng of every project: the cells in parts that are rounded together.

A cell that projects pay into has one part for all its projects of one amount, which does not move,
and one for each project whose amount varies or is shared by several places. The rows of the plan
over these parts, and what each project may get, are then one rounding like any other. What holds to
the đồng stands beside the grid: rows count it as given.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from kc_model.allocate.rounding import round_plan
from kc_model.cells import MILLION
from kc_model.offered import Offered
from kc_model.problem import Problem
from kc_model.rules import Row
from kc_model.solver import Clock, Status
from kc_model.stays import stays_within

__all__ = ["Rounded", "quota_room", "round_projects"]

_FINEST = 1e-6  # of a step: shares of more digits than that are as good as any

Money = NDArray[np.float64]
Dong = NDArray[np.int64]
Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Rounded:
    """Amounts of cells, projects and their parts (see `Offered`), VND, on the grid or exact."""

    cells: Dong
    projects: Dong
    parts: Dong


def round_projects(
    problem: Problem, settled: Money, sizes: Money, deadline: float | Clock
) -> Rounded | Status:
    """Return whole amounts that keep the laws, every project's parts within a step of its shares.

    Parameters
    ----------
    problem : Problem
        Projects decided.
    settled : array (n_cells,), million VND
    sizes : array (n_projects,), million VND
        Of the projects that vary.
    deadline : float or Clock
        As in `kc_model.solver.Solver`.
    """
    offered = problem.offered
    if offered is None or offered.chosen is None:
        none = np.zeros(0, dtype=np.int64)
        held, sums = list(_kept(problem)), problem.sums
        rows = [*problem.rows, *held]
        amounts = round_plan(rows, settled, problem.grid, deadline, None if held else sums)
        return amounts if isinstance(amounts, Status) else Rounded(amounts, none, none)
    parts = _Parts(offered, settled, sizes, problem.grid)
    rows = [parts.spread(row) for row in (*problem.rows, *_kept(problem))]
    rows += parts.rows(problem)
    amounts = round_plan(rows, parts.plan, problem.grid, deadline)
    if isinstance(amounts, Status):
        return amounts
    cells = np.zeros(len(settled), dtype=np.int64)
    np.add.at(cells, parts.cell, amounts)
    cells += parts.beside
    paid = np.where(parts.kept, offered.whole_parts, 0)
    paid[parts.own] = amounts[len(settled) :]
    given = np.zeros(len(offered), dtype=np.int64)
    np.add.at(given, offered.project, paid)
    return Rounded(cells, given, paid)


class _Parts:
    """The parts of the cells.

    `project` is -1 for a cell's free money, or its projects of one amount and place together;
    `kept` parts of projects do not move, `own` ones are parts of their own; `beside` (n_cells,) is
    what of each cell is off the grid, VND.
    """

    def __init__(self, offered: Offered, settled: Money, sizes: Money, grid: int) -> None:
        self.offered = offered
        chosen = offered.chosen if offered.chosen is not None else offered.may
        places = np.bincount(offered.project, minlength=len(offered))
        moves = chosen & ((places > 1) | ~offered.is_whole) & ~offered.exact
        still = chosen & ~moves
        share = np.array([float(one) for one in offered.share])
        amount = np.where(offered.is_whole, offered.most / MILLION, sizes)
        kept, own = still[offered.project], moves[offered.project]
        self.kept, self.own = kept, own
        fixed = np.zeros(len(settled), dtype=np.int64)
        np.add.at(fixed, offered.cell[kept], offered.whole_parts[kept])
        self.beside = offered.off_grid(grid, len(settled))
        fixed -= self.beside
        self.fixed = {i: int(fixed[i]) for i in offered.named.tolist()}
        base = settled.copy()
        base[offered.named] = fixed[offered.named] / MILLION
        self.cell = np.concatenate([np.arange(len(settled)), offered.cell[own]])
        self.project = np.concatenate([np.full(len(settled), -1), offered.project[own]])
        self.share = [one for one, is_own in zip(offered.share, own, strict=True) if is_own]
        self.plan = np.concatenate([base, share[own] * amount[offered.project[own]]])
        self._members = [np.flatnonzero(self.cell == i) for i in range(len(settled))]

    def spread(self, row: Row) -> Row:
        """Return a row over the cells as one over their parts."""
        cells, coef = self._of(row.cells, row.coef)
        base, base_coef = self._of(row.base, row.base_coef)
        given = row.given + float(row.coef @ self.beside[row.cells]) / MILLION
        const = row.const + float(row.base_coef @ self.beside[row.base]) / MILLION
        exact = None if row.exact is None else row.exact - int(self.beside[row.cells].sum())
        left = replace(row, cells=cells, coef=coef, given=given, exact=exact)
        return replace(left, base=base, base_coef=base_coef, const=const)

    def _of(self, cells: Indices, coef: Money) -> tuple[Indices, Money]:
        members = [self._members[i] for i in cells]
        counts = [len(some) for some in members]
        return np.concatenate([cells[:0], *members]), np.repeat(coef, counts)

    def rows(self, problem: Problem) -> Iterator[Row]:
        """Yield what holds the parts themselves: fixed sums, bounds and shares of projects."""
        for i, vnd in self.fixed.items():
            yield from _between(f"paid:{i}", np.array([i]), vnd, vnd)
        n = len(self.fixed) and len(self._members)
        number = np.arange(len(self.cell))
        for p in np.unique(self.project[n:]).tolist():
            own = number[self.project == p]
            least, most = int(self.offered.least[p]), int(self.offered.most[p])
            yield from _between(f"project:{p}", own, least, most)
            shares = [self.share[k - len(self._members)] for k in own.tolist()]
            if len(own) > 1:
                yield from _quota(p, own, shares, problem.grid)
                yield from self._paid(p, own, shares)

    def _paid(self, p: int, parts: Indices, shares: list[Fraction]) -> Iterator[Row]:
        """Yield that every part of what stays is as much as was paid of it."""
        paid = self.offered.paid(p) if self.offered.must[p] else 0
        for k, share in zip(parts.tolist(), shares, strict=True) if paid else ():
            vnd = share * paid
            one = (np.array([k]), np.ones(1), float(vnd) / MILLION, vnd)
            yield _law(f"paid:{p}", "min", *one)


def _kept(problem: Problem) -> Iterator[Row]:
    """Yield what holds the cells that stay as they were."""
    if problem.kept is None:
        return
    before = problem.cells.frame["baseline"].to_numpy(dtype=np.int64)
    low, high = stays_within(before, problem.grid)
    for i in np.flatnonzero(problem.kept).tolist():
        yield from _between(f"kept:{i}", np.array([i]), int(low[i]), int(high[i]))


def _between(name: str, parts: Indices, least: int, most: int) -> Iterator[Row]:
    for side, vnd in (("min", least), ("max", most)):
        yield _law(name, side, parts, np.ones(len(parts)), vnd / MILLION, Fraction(vnd))


def _quota(p: int, parts: Indices, shares: list[Fraction], grid: int) -> Iterator[Row]:
    """Yield that every part is the project's share in whole steps, up or down."""
    for k, share in enumerate(shares):
        coef = np.full(len(parts), -float(share))
        coef[k] += 1.0
        room = quota_room(share) * grid / MILLION
        yield _law(f"share:{p}", "min", parts, coef, -room, None)
        yield _law(f"share:{p}", "max", parts, coef, room, None)


def quota_room(share: Fraction) -> float:
    """Return how many steps a part may be off its share, if it is one of the next two."""
    return 1 - max(1 / share.denominator, _FINEST)


def _law(
    name: str, side: str, parts: Indices, coef: Money, bound: float, exact: Fraction | None
) -> Row:
    none, nil = parts[:0], coef[:0]
    return Row(name, "", side, "law", 1.0, parts, coef, none, nil, bound, 1.0, 1.0, exact)
