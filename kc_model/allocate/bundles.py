"""The best states of cells that share projects: each project is in all of its cells, or in none.

A program that knows such cells one by one leaves a project to be half in some and whole in others.
Here every cell takes one profile of the projects it shares, and the profiles agree: so few whole
numbers, in a program whose rows are sums of them, that HiGHS decides them almost without branching.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from kc_model.allocate.points import CellStates, Part, Points
from kc_model.arrays import Model
from kc_model.solver import Solver, Status

__all__ = ["Bundle", "bundles_of"]

_EXACT = 1e-7

Array = NDArray[np.float64]
Indices = NDArray[np.int64]


class Bundle:
    """Cells that share projects with each other.

    Parameters
    ----------
    cells : list of int
        Numbers of their states.
    states : sequence of CellStates
    shared : set of int
        Columns of the projects that several cells share.
    relaxed : Solver
        Whose scale and deadline hold here.

    Attributes
    ----------
    profiles : list of array of int (n_groups,)
        What each group of a cell's states is to the other cells.
    """

    def __init__(
        self, cells: list[int], states: Sequence[CellStates], shared: set[int], relaxed: Solver
    ) -> None:
        self.cells, self._states, self._scale = cells, states, relaxed.scale
        self.profiles = list[Indices]()
        rows, width = list[tuple[Indices, int]](), 0  # columns of a row, and its project or −1
        for one in states:
            ties = [n for n, project in _shared(one) if project in shared]
            kinds, of = np.unique(one.profiles[:, ties] > 0.5, axis=0, return_inverse=True)
            self.profiles.append(of.reshape(-1))
            rows.append((width + np.arange(len(kinds)), -1))
            for n, tie in enumerate(ties):
                rows.append((width + np.flatnonzero(kinds[:, n]), int(one.ties[tie].columns[0])))
            width += len(kinds)
        self._solver = Solver(_model(rows, width), relaxed.clock)
        self._solver.ask(_EXACT)

    def least(self, priced: Sequence[tuple[Points, Array]]) -> tuple[float, tuple[Part, ...]]:
        """Return what no plan costs less than, and the plan that costs least.

        Parameters
        ----------
        priced : sequence of (Points, array (n_points,))
            Of each cell, with what each point costs.

        Returns
        -------
        tuple of float and Parts
            Minus infinity and none where time runs out.
        """
        cost, profile = list[Array](), list[Indices]()
        for of, one, (points, costs) in zip(self.profiles, self._states, priced, strict=True):
            profile.append(of[one.group[points.state]])
            cost.append(np.full(int(of.max()) + 1, np.inf))
            np.minimum.at(cost[-1], profile[-1], costs)
        every = np.concatenate(cost)
        told = np.isfinite(every)
        self._solver.col_high[: len(every)] = told  # bounds may leave a profile without points
        every = np.where(told, every, 0.0) / self._scale
        self._solver.set_cost(np.append(every, np.zeros(len(self._solver.cost) - len(every))))
        outcome = self._solver.run(is_trial=True)
        if outcome.status is not Status.OPTIMAL:
            return -np.inf, ()
        plan, first = list[Part](), 0
        for k, (points, costs) in enumerate(priced):
            taken = int(np.argmax(outcome.values[first : first + len(cost[k])]))
            inside = np.flatnonzero(profile[k] == taken)
            plan.append(self._states[k].part(points, int(inside[np.argmin(costs[inside])])))
            first += len(cost[k])
        least = outcome.objective - outcome.gap * max(1.0, abs(outcome.objective))
        return self._scale * least, tuple(plan)


def _model(rows: Sequence[tuple[Indices, int]], width: int) -> Model:
    """Return the program: one profile for each cell, alike in every project that cells share."""
    column = {p: width + n for n, p in enumerate(sorted({p for _, p in rows if p >= 0}))}
    full = [np.append(columns, [column[p]] if p >= 0 else []).astype(int) for columns, p in rows]
    data = [np.append(np.ones(len(columns)), [-1.0] if p >= 0 else []) for columns, p in rows]
    starts = np.cumsum([0, *map(len, full)])
    total = width + len(column)
    right = np.array([float(project < 0) for _, project in rows])
    return Model(
        columns=tuple(f"profile_{n}" for n in range(total)),
        rows=tuple(f"profiles_{n}" for n in range(len(rows))),
        matrix=sparse.csr_array(
            (np.concatenate(data), np.concatenate(full), starts), shape=(len(rows), total)
        ),
        row_low=right,
        row_high=right.copy(),
        col_low=np.zeros(total),
        col_high=np.ones(total),
        whole=np.arange(total) >= width,
    )


def _shared(one: CellStates) -> list[tuple[int, int]]:
    """Return the ties of a cell that are one project's, and its column."""
    return [(n, int(tie.columns[0])) for n, tie in enumerate(one.ties) if len(tie.columns) == 1]


def bundles_of(relaxed: Solver, states: Sequence[CellStates], taken: set[int]) -> list[Bundle]:
    """Return the cells that share projects, those that do with each other together.

    Parameters
    ----------
    relaxed : Solver
        Of the program without whole numbers.
    states : sequence of CellStates
    taken : set of int
        Cells that stand elsewhere.
    """
    owners: dict[int, list[int]] = {}
    for k, one in enumerate(states):
        for project in {p for _, p in _shared(one)} if k not in taken else ():
            owners.setdefault(project, []).append(k)
    owners = {project: cells for project, cells in owners.items() if len(cells) > 1}
    pairs = [(cells[0], other) for cells in owners.values() for other in cells[1:]]
    if not pairs:
        return []
    left, right = np.array(pairs).T
    graph = sparse.coo_array((np.ones(len(left)), (left, right)), shape=(len(states),) * 2)
    group = sparse.csgraph.connected_components(graph, directed=False)[1]
    together = (np.flatnonzero(group == g).tolist() for g in np.unique(group[left]).tolist())
    return [Bundle(own, [states[k] for k in own], {*owners}, relaxed) for own in together]
