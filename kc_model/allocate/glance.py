"""What can be seen of projects that are left out without solving anything again.

Every number is a fact of the plan: whom a project excludes or needs, what its purse lacks beside
the least of those chosen, which ceiling is full, what more money there would be disbursed. Whether
another choice would do as well is not asked.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from kc_model.cells import MILLION
from kc_model.offered import LITTLE
from kc_model.problem import Problem
from kc_model.rules import Row

__all__ = ["Glance"]

_NOISE = 1e-6  # million VND, or of a count
_FULL = 3  # ceilings that are named

Mask = NDArray[np.bool_]
Money = NDArray[np.float64]
Indices = NDArray[np.int64]


class Glance:
    """A plan, as seen from the projects that are not in it.

    Parameters
    ----------
    problem : Problem
        Projects not decided.
    chosen : array of bool (n_projects,)
    amounts : array of int (n_cells,), VND
        What every cell gets.
    sizes : array of int (n_projects,), VND
        What every project gets.
    """

    def __init__(
        self,
        problem: Problem,
        chosen: Mask,
        amounts: NDArray[np.int64],
        sizes: NDArray[np.int64],
    ) -> None:
        if problem.offered is None:
            raise ValueError("the problem has no projects")
        self.problem, self.offered, self.chosen = problem, problem.offered, chosen
        self._given = amounts, sizes
        self._money, self._sizes = amounts / MILLION, sizes / MILLION
        self.is_little: Mask = self.offered.may & (self.offered.least <= LITTLE)
        self._least = np.where(self.is_little, 0, self.offered.least) / MILLION
        order = np.argsort(self.offered.project, kind="stable")
        counts = np.bincount(self.offered.project, minlength=len(self.offered))
        self._parts = np.split(order, np.cumsum(counts)[:-1])
        self._share = np.array([float(share) for share in self.offered.share])

    def row(self, p: int) -> dict[str, Any]:
        """Return what speaks against a project, in the columns of `find_whys`.

        Parameters
        ----------
        p : int
            Of a project that may be chosen and is not.

        Returns
        -------
        dict
            short, budget, tight (where nothing is short: what the budget lacks beside all that is
            given; others have so much more than their least), out (who is chosen and excludes it),
            joins (whom it needs that is not chosen), links (of those it needs, through others too,
            and of itself: ``P>R`` needs what is not chosen, ``P!X`` excludes what is), barred
            (rules that allow it in no plan whatever), full (other ceilings that leave no room),
            here (of a đồng more there what is disbursed, NaN where that is no goal or not known),
            last and there (the chosen project of its purse of which the least is disbursed, and
            how much).
        """
        ids = self.offered.ids
        needed = self._needed(p)
        apart = self.offered.excludes
        clash = np.concatenate([apart[apart[:, 0] == p, 1], apart[apart[:, 1] == p, 0]])
        barred = [row.id for row in self.barring(p)]
        return {
            **self.missing(needed),
            "links": ";".join(self._links(needed)),
            "barred": ";".join(dict.fromkeys(barred)),
            "out": ";".join(ids[q] for q in sorted(clash[self.chosen[clash]].tolist())),
            "joins": ";".join(ids[q] for q in needed if q != p),
            "full": ";".join(one for one in self._full(needed) if one not in barred),
            **self._worth(p),
        }

    def changes(self, cells: NDArray[np.int64], sizes: NDArray[np.int64]) -> list[tuple[str, int]]:
        """Return what another plan changes: projects, cells without any, what budgets leave; VND.

        Parameters
        ----------
        cells, sizes : array of int, VND
            What every cell and every project gets there.
        """
        alone = np.ones(len(cells), dtype=bool)
        alone[self.offered.named] = False
        before_cells, before = self._given
        more = np.concatenate([sizes - before, np.where(alone, cells - before_cells, 0)])
        names = [*self.offered.ids, *self.problem.cells.names()]
        left = self._left_over(cells - before_cells)
        return [*((names[k], int(more[k])) for k in np.flatnonzero(more).tolist()), *left]

    def _left_over(self, more: NDArray[np.int64]) -> list[tuple[str, int]]:
        """Return by how much more of each budget is left over; none where budgets overlap."""
        budgets = [row for row in self.problem.rows if row.id.startswith("budget:")]
        if np.any(np.bincount(np.concatenate([row.cells for row in budgets])) > 1):
            return []
        left = [(row.id, -int(more[row.cells].sum())) for row in budgets]
        return [one for one in left if one[1]]

    def missing(self, some: Iterable[int]) -> dict[str, Any]:
        """Return short, tight and budget, as `row` has them, of some projects together.

        Parameters
        ----------
        some : iterable of int
        """
        budget, short = self._lack(some, self._room)
        tight = 0
        if not short:
            budget, tight = self._lack(some, self._left)
        return {"short": short, "tight": tight, "budget": budget}

    def _lack(self, some: Iterable[int], room: Money) -> tuple[str, int]:
        over = self._over(some, room) * self._is_budget
        most = int(np.argmax(over)) if len(over) else 0
        if not len(over) or over[most] <= _NOISE:
            return "", 0
        return self._ceilings[most].id, round(float(over[most]) * MILLION)

    def _full(self, some: Iterable[int]) -> list[str]:
        over = (self._over(some, self._room) > _NOISE) & ~self._is_budget
        found = dict.fromkeys(self._ceilings[r].id for r in np.flatnonzero(over).tolist())
        return list(found)[:_FULL]

    def _needed(self, p: int) -> list[int]:
        """Return a project and those it needs, through others too, that are not chosen."""
        found = [p]
        for one in found:  # those that are added are looked into in their turn
            pairs = self.offered.requires
            for other in pairs[pairs[:, 0] == one, 1].tolist():
                if other not in found and not self.chosen[other]:
                    found.append(other)
        return found

    def _links(self, some: Collection[int]) -> Iterator[str]:
        """Yield what some projects need that is not chosen, and exclude that is."""
        ids, offered = self.offered.ids, self.offered
        for one, other in offered.requires.tolist():
            if one in some and not self.chosen[other]:
                yield f"{ids[one]}>{ids[other]}"
        for pair in offered.excludes.tolist():
            for one, other in (pair, pair[::-1]):
                if one in some and self.chosen[other]:
                    yield f"{ids[one]}!{ids[other]}"

    # ------------------------------------------------------------------ ceilings

    def barring(self, p: int) -> list[Row]:
        """Return the laws by which a project, or any of those it is one of, is in no plan."""
        return [row for row in self._none if p in row.projects]

    @cached_property
    def _none(self) -> list[Row]:
        return [row for row in self._ceilings if len(row.projects) and row.right < 1]

    @cached_property
    def _ceilings(self) -> list[Row]:
        """The laws that more money, or one more project, can only break."""
        return [
            row
            for row in self.problem.rows
            if row.is_law and row.side != "min" and not len(row.base) + len(row.base_projects)
            if not np.any(row.coef < 0)
        ]

    @cached_property
    def _is_budget(self) -> Mask:
        return np.array([row.id.startswith("budget:") for row in self._ceilings], dtype=bool)

    @cached_property
    def _matrix(self) -> sparse.csc_array:
        start, width = len(self.problem.cells), len(self.problem.cells) + len(self.offered)
        rows = [row.over_projects(start) for row in self._ceilings]
        at = np.repeat(np.arange(len(rows)), [len(row.cells) for row in rows])
        cells = np.concatenate([np.zeros(0, dtype=np.int64), *(row.cells for row in rows)])
        values = np.concatenate([np.zeros(0), *(row.coef for row in rows)])
        return sparse.csc_array((values, (at, cells)), shape=(len(rows), width))

    @cached_property
    def _room(self) -> Money:
        """What every ceiling leaves beside the least of those chosen and of other cells."""
        least = self.problem.cells.frame["min"].fillna(0).to_numpy(dtype=np.float64) / MILLION
        least[self.offered.named] = 0.0
        own = self.chosen[self.offered.project]
        part = self._share * self._least[self.offered.project]
        np.add.at(least, self.offered.cell[own], part[own])
        return self._beside(least)

    @cached_property
    def _left(self) -> Money:
        """What every ceiling leaves beside all that is given."""
        return self._beside(self._money)

    def _beside(self, money: Money) -> Money:
        used: Money = self._matrix @ np.concatenate([money, self.chosen.astype(np.float64)])
        return np.array([row.right for row in self._ceilings]) - used

    def _over(self, some: Iterable[int], room: Money) -> Money:
        """Return by how much every ceiling that some projects count in is too low for them."""
        columns, values = [], []
        for p in some:
            columns += [*self.offered.cell[self._parts[p]], len(self.problem.cells) + p]
            values += [*self._share[self._parts[p]] * self._least[p], 1.0]
        more = self._matrix[:, columns] @ np.array(values)
        over: Money = np.where(more > 0, more - room, 0.0)
        return over

    # ------------------------------------------------------------------ worth

    def _worth(self, p: int) -> dict[str, Any]:
        here = float(self._rates[p])
        none = {"here": here, "last": "", "there": np.nan}
        purse = self._purse[self.offered.cell[self._parts[p]]]
        beside = np.isin(self._purse[self.offered.cell], purse)
        others = np.unique(self.offered.project[beside])
        others = others[self.chosen[others] & ~self.offered.must[others]]
        others = others[~np.isnan(self._rates[others])]
        if np.isnan(here) or not len(others):
            return none
        last = int(others[np.argmin(self._rates[others])])
        return {"here": here, "last": self.offered.ids[last], "there": float(self._rates[last])}

    @cached_property
    def _purse(self) -> Indices:
        return np.unique(self.problem.purses, return_inverse=True)[1].astype(np.int64)

    @cached_property
    def _rates(self) -> Money:
        """Of what every project gets, or would at the least, the part that is disbursed.

        Of one that is chosen, as the last money of its cells; NaN where no goal counts it.
        """
        problem, offered, curves = self.problem, self.offered, self.problem.curves
        rates = np.full(len(offered), np.nan)
        goals = [k for k, goal in enumerate(problem.goals) if goal.what == "disbursed"]
        if not goals or not len(offered.project):
            return rates
        curve = np.array([curves.curve_of.get(i, -1) for i in range(len(problem.cells))])
        counted = problem.selected[goals[0]] & (curve >= 0)
        known = counted[offered.cell]
        size = np.where(self.chosen, self._sizes, np.where(self.is_little, 0, self._least))
        size = np.where(size > 0, size, offered.most / MILLION)
        part = self._share * size[offered.project]
        sure = np.minimum(offered.sure if len(offered.sure) else 0.0 * part, part)
        own, of = self.chosen[offered.project] & known, curve[offered.cell]
        total = np.bincount(curve[curve >= 0], self._money[curve >= 0], len(curves.members))
        total = total - np.bincount(of[own], sure[own], len(curves.members))
        low, high = total[of] - np.where(own, part - sure, 0.0), total[of]
        high = np.where(own, high, high + part - sure)
        gained = np.where(known, sure, np.nan)
        gained[known] += curves.filled(of[known], np.maximum(low[known], 0.0), high[known])
        sums = np.bincount(offered.project, gained, len(offered))
        paying = np.bincount(offered.project, part, len(offered)) > 0
        rates[paying] = sums[paying] / size[paying]
        return rates
