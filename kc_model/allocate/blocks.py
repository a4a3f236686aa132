"""What stands in a mix together: a cell, the cells of a purse, those of a bundle."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from kc_model.allocate.bundles import Bundle
from kc_model.allocate.points import CellStates, Part, Points
from kc_model.allocate.purses import Purse

__all__ = ["Block", "Cell", "Plan", "Together"]

_NEW = 3  # points that a cell gets in one round
_DEAR = 1e-7
_MADE = 0.5

Array = NDArray[np.float64]
Indices = NDArray[np.int64]
Plan = tuple[Part, ...]


@dataclass
class Cell:
    """The states of a cell in a program.

    Parameters
    ----------
    states : CellStates
    first : int
        Its first row; behind those of its columns and ties stands the sum of the weights.
    sizes : array
        By what its rows are multiplied.
    profile : array of int (n_groups,) or None
        What it is to the other cells of its bundle; None: it is in none.
    rows : dict of int to int
        The row of each profile: as much of its points as of the bundle's plans.
    """

    states: CellStates
    first: int
    sizes: Array
    profile: Indices | None = None
    rows: dict[int, int] = field(default_factory=dict)

    @property
    def equal(self) -> Indices:
        """Its rows that hold from both sides."""
        last = 1 + len(self.states.costs)
        return self.first + np.array([0, *range(last, len(self.sizes))])

    def entries(self, part: Part) -> tuple[Indices, Array]:
        """Return the rows that a part of a plan enters, and how."""
        column = -self.sizes * np.append(part.values, -1.0)
        at = np.flatnonzero(column)
        if self.profile is None:
            return self.first + at, column[at]
        row = self.rows[self.profile_of(part.state)]
        return np.append(self.first + at, row), np.append(column[at], self.sizes[-1])

    def profile_of(self, state: int) -> int:
        """Return the profile of a state."""
        return 0 if self.profile is None else int(self.profile[self.states.group[state]])

    def priced(self, duals: Array) -> tuple[Points, Array]:
        """Return its cheapest points, and the reduced cost of each."""
        return self.states.priced(duals[self.first : self.first + len(self.sizes)] * self.sizes)

    def offered(self, duals: Array) -> tuple[Points, Array]:
        """Return the same as long as its profiles stay; those without a row cost infinitely."""
        points, cost = self.priced(duals)
        if self.profile is None:
            return points, cost
        worth = np.full(int(self.profile.max()) + 1, -np.inf)
        for profile, row in self.rows.items():
            if row < len(duals):
                worth[profile] = self.sizes[-1] * duals[row]
        return points, cost - worth[self.profile[self.states.group[points.state]]]


@dataclass
class Block:
    """Cells that stand in a mix together: one, or those of a purse.

    Parameters
    ----------
    cells : list of Cell
    purse : Purse or None
    columns : dict of plan to int
        Column of the plans that are in the program.
    """

    cells: list[Cell]
    purse: Purse | None = None
    columns: dict[Plan, int] = field(default_factory=dict)

    def twin(self) -> Block:
        """Return another that is what this one is now."""
        cells = [replace(cell, rows=dict(cell.rows)) for cell in self.cells]
        return Block(cells, self.purse, dict(self.columns))

    def standing(self, plan: Array) -> Plan:
        """Return what a plan is in these cells."""
        return tuple(cell.states.standing(plan) for cell in self.cells)

    def entries(self, plan: Plan) -> tuple[Indices, Array]:
        """Return the rows that a plan enters, and how."""
        rows, data = zip(*map(Cell.entries, self.cells, plan), strict=True)
        return np.concatenate(rows), np.concatenate(data)

    def offered(self, duals: Array) -> tuple[float, list[Plan]]:
        """Return by how much its best plan moves what none can beat, and the plans to take in."""
        if self.purse is not None:
            costs = [cell.priced(duals)[1] for cell in self.cells]
            least, plan = self.purse.least(costs, duals)
            is_new = bool(plan) and plan not in self.columns
            return least, [plan] if is_new and (least < -_DEAR or not self.columns) else []
        points, cost = self.cells[0].offered(duals)
        order = np.argpartition(cost, min(_NEW, len(cost) - 1))[:_NEW]
        part = self.cells[0].states.part
        plans = [(part(points, n),) for n in order[cost[order] < -_DEAR].tolist()]
        gain = min(0.0, float(cost.min())) if self.cells[0].profile is None else 0.0
        return gain, [one for one in plans if one not in self.columns]

    def order(self, states: Indices, cheap: Array, more: Array, made: Array) -> Indices:
        """Return states of a cell by what they cost a mix of them all.

        Parameters
        ----------
        states : array of int (n_states,)
            The one that stands first: it stays so, and what was made comes next.
        cheap : array (n_columns,)
            What every column costs the mix.
        more, made : arrays (n_states,)
            What the choice of each state costs beside its points, and whether it was made.
        """
        least = dict.fromkeys(states.tolist(), np.inf)
        for (part,), at in self.columns.items():
            if part.state in least:
                least[part.state] = min(least[part.state], float(cheap[at]))
        is_made = made > _MADE
        is_made[0] = True
        cost = np.where(is_made, -np.inf, np.array(list(least.values())) + more)
        return np.asarray(np.argsort(cost, kind="stable"))


@dataclass
class Together:
    """Cells whose profiles agree.

    Parameters
    ----------
    bundle : Bundle
    blocks : list of Block
        One for each cell.
    columns : dict of profiles to int
        Column of the plans that are in the program.
    """

    bundle: Bundle
    blocks: list[Block]
    columns: dict[tuple[int, ...], int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for block, profile in zip(self.blocks, self.bundle.profiles, strict=True):
            block.cells[0].profile = profile

    @property
    def cells(self) -> list[Cell]:
        """Its cells."""
        return [block.cells[0] for block in self.blocks]

    def profiles_of(self, parts: Iterable[Part]) -> tuple[int, ...]:
        """Return the profiles of a plan."""
        pairs = zip(self.cells, parts, strict=True)
        return tuple(cell.profile_of(part.state) for cell, part in pairs)
