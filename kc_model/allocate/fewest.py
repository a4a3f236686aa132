"""Which rules have to give way where one price can be paid by few of them or by many."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from kc_model.arrays import Cut, Model
from kc_model.solver import Solver, Status

__all__ = ["fewest_owners"]

_HALF = 0.5

Array = NDArray[np.float64]
Indices = NDArray[np.int64]


def fewest_owners(
    model: Model,
    rooms: Indices,
    price: Array,
    owner: Indices,
    most: float,
    conflicts: Sequence[Collection[int]],
    deadline: float,
) -> set[int] | None:
    """Return the fewest owners whose rooms are enough for a plan of a given cost; None: not proven.

    Every owner that gives way is one of each conflict: said to the solver, it need not find out.

    Parameters
    ----------
    model : Model
        With the rooms open.
    rooms : array of int (n,)
        Columns that loosen.
    price : array (n,)
        What a unit of each costs.
    owner : array of int (n,)
    most : float
        What they may cost together.
    conflicts : sequence of sets of owners
    deadline : float
        As in `Solver`.
    """
    owners = np.unique(owner)
    width = len(model.columns)
    column = dict(zip(owners.tolist(), range(width, width + len(owners)), strict=True))
    cuts = [Cut(rooms, -price, -most)]
    for one in owners.tolist():
        own = np.flatnonzero(owner == one)
        coefficients = np.append(-price[own], most)
        cuts.append(Cut(np.append(rooms[own], column[one]), coefficients, 0.0))
    for conflict in conflicts:
        able = np.array([column[one] for one in conflict if one in column], dtype=np.int64)
        cuts.append(Cut(able, np.ones(len(able)), 1.0))
    grown = model.grown(
        [f"fewest_{k}" for k in range(len(cuts))], cuts, [f"gives_{one}" for one in column]
    )
    whole, high = grown.whole.copy(), grown.col_high.copy()
    whole[width:], high[width:] = True, 1.0
    solver = Solver(replace(grown, whole=whole, col_high=high), deadline, most)
    cost = np.zeros(len(grown.columns))
    cost[width:] = 1.0
    solver.set_cost(cost)
    outcome = solver.run()
    if outcome.status is not Status.OPTIMAL:
        return None
    return {one for one, j in column.items() if outcome.values[j] > _HALF}
