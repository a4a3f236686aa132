"""A first choice of projects, from a program without whole numbers.

Projects that several cells share, and those that need or exclude others, are decided first, the
surest of them, then the next in the light of these. What is left concerns one cell each: its money
in the program is, almost everywhere, a sum that whole projects can make, and those make it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from kc_model.allocate.hull import Mix
from kc_model.allocate.reach import chords
from kc_model.allocate.states import states_of
from kc_model.problem import Problem
from kc_model.solver import GAP, Solver, Status

__all__ = ["Guess"]

_ROUNDS = 10
_RUNS = 40  # rounds, where not all can be decided that should be
_SURE = 0.05
_ROOM, _SHARE = 2.0, 0.2  # projects, and part of what a row adds up: as room it is enough

Array = NDArray[np.float64]
Indices = NDArray[np.int64]
Mask = NDArray[np.bool_]


class Guess:
    """Guesses choices of one problem.

    Parameters
    ----------
    problem : Problem
        Projects not decided.
    column : mapping of str to int
        Columns of its program by name.
    """

    def __init__(self, problem: Problem, column: Mapping[str, int]) -> None:
        offered = problem.offered
        if offered is None:
            raise ValueError("the problem has no projects")
        self._problem, self._column = problem, dict(column)
        self._z = np.array([column.get(f"z_{p}", -1) for p in range(len(offered))], dtype=np.int64)
        self._x = np.array([column[f"x_{i}"] for i in range(len(problem.cells))], dtype=np.int64)
        parts = np.bincount(offered.project, minlength=len(offered))
        self._tied = parts > 1
        self._tied[np.append(offered.requires.ravel(), offered.excludes.ravel())] = True
        self._tied &= self._z >= 0
        self._silent = np.zeros(0, dtype=np.int64)  # rows that the last mix's states do not know
        self._loud = set[int]()  # those that a choice has missed

    def of(
        self, relaxed: Solver, values: Array, *, is_thorough: bool
    ) -> tuple[Indices, Array] | None:
        """Return columns of projects that are decided, and how; None: nothing came of it.

        Parameters
        ----------
        relaxed : Solver
            Of the program without whole numbers, solved; is changed.
        values : array (n_columns,)
            Its solution.
        is_thorough : bool
            Whether what cannot be together is decided in parts; else nothing comes of it.
        """
        found = self._decide_tied(relaxed, values, is_thorough=is_thorough)
        if found is None:
            return None
        z, offered = self._z, self._problem.offered
        known = z >= 0
        low, high = np.zeros(len(z)), np.zeros(len(z))
        low[known], high[known] = relaxed.col_low[z[known]], relaxed.col_high[z[known]]
        cuts, reach = chords(self._problem, self._column, known & (high > 0.5), low > 0.5)
        relaxed.add(cuts)
        again = relaxed.run()
        if again.status is not Status.OPTIMAL or offered is None:
            return None
        at = np.where(low == high, low, np.nan)
        for i, one in reach.items():
            money = float(again.values[self._x[i]])
            made = one.made_of(money, money)
            own = offered.project[offered.cell == i]
            own = own[~self._tied[own]]
            if made is not None:
                at[own] = [p in made for p in own.tolist()]
        decided = np.flatnonzero(known & np.isfinite(at))
        return z[decided], at[decided]

    def mix(
        self,
        relaxed: Solver,
        values: Array,
        plan: Array,
        best: float,
        goes_on: Callable[[], bool],
    ) -> Mix | None:
        """Return mixes that no choice beats, cell by cell; None where there are none.

        Parameters
        ----------
        relaxed : Solver
            Of the program without whole numbers, solved.
        values : array (n_columns,)
            Its solution.
        plan, best, goes_on
            As for `Mix.close`.
        """
        silent = self._quiet(relaxed, values)
        self._silent = np.flatnonzero(silent)
        states = states_of(self._problem, self._column, relaxed, silent)
        if not states:
            return None
        mix = Mix(relaxed, states)
        mix.close(plan, best, goes_on)
        return None if mix.outcome is None else mix

    def hears(self, solver: Solver, columns: Indices, at: Array) -> bool:
        """Note which of the rows that states did not know a choice misses; tell whether any.

        Parameters
        ----------
        solver : Solver
            Of the program.
        columns : array of int
            Of the projects that are decided.
        at : array
            And how.
        """
        low, high = solver.col_low.copy(), solver.col_high.copy()
        low[columns] = high[columns] = at
        rows = self._silent
        held = solver.matrix[rows]
        up, down = held.maximum(0.0), held.minimum(0.0)
        most, least = up @ high + down @ low, up @ low + down @ high
        missed = (most < solver.row_low[rows] - GAP) | (least > solver.row_high[rows] + GAP)
        self._loud.update(rows[missed].tolist())
        return bool(missed.any())

    def _quiet(self, relaxed: Solver, values: Array) -> Mask:
        """Return the rows of projects alone that have so much room that states need not know them.

        Every project of a place that is counted would be told apart from all others.
        """
        z = np.zeros(len(relaxed.col_low))
        z[self._z[self._z >= 0]] = 1.0
        one = (abs(relaxed.matrix) @ sparse.diags_array(z)).max(axis=1).toarray().ravel()
        made = relaxed.matrix @ values
        room = np.minimum(made - relaxed.row_low, relaxed.row_high - made)
        found = (one > 0) & (room > np.maximum(_ROOM * one, _SHARE * np.abs(made)))
        found &= [name.startswith("row_") for name in relaxed.model.rows]
        found[[*self._loud]] = False
        return np.asarray(found)

    def columns_of(self, projects: Iterable[int]) -> Indices:
        """Return the columns that say whether projects are chosen."""
        return self._z[np.fromiter(projects, dtype=np.int64)]

    def _decide_tied(self, relaxed: Solver, values: Array, *, is_thorough: bool) -> Array | None:
        """Decide what concerns several cells; return the program's solution then."""
        left = self._z[self._tied]
        left = left[relaxed.col_low[left] < relaxed.col_high[left]]
        turn = _ROUNDS
        for _ in range(_RUNS):
            if not len(left):
                return values
            at = (values[left] > 0.5).astype(np.float64)
            order = np.argsort(np.abs(values[left] - at), kind="stable")
            sure = int(np.sum(np.abs(values[left] - at) <= _SURE))
            now = order[: max(sure, -(-len(left) // turn))]
            found = self._decided(relaxed, left[now], at[now], is_thorough=is_thorough)
            if found is None:
                return None
            values, count = found
            left, turn = np.delete(left, now[:count]), max(1, turn - 1)
        return None

    def _decided(
        self, relaxed: Solver, columns: Indices, at: Array, *, is_thorough: bool
    ) -> tuple[Array, int] | None:
        """Decide as many of the first columns as can be together; the first, or its opposite.

        Returns
        -------
        tuple of (array, int) or None
            The program's solution then and how many are decided.
        """
        low, high = relaxed.col_low[columns], relaxed.col_high[columns]
        count = len(columns)
        while count:
            relaxed.set_columns(columns[:count], at[:count], at[:count])
            outcome = relaxed.run()
            if outcome.status is Status.OPTIMAL:
                return outcome.values, count
            relaxed.set_columns(columns[:count], low[:count], high[:count])
            if not is_thorough:
                return None
            count //= 2
        relaxed.set_columns(columns[:1], 1 - at[:1], 1 - at[:1])
        outcome = relaxed.run()
        return (outcome.values, 1) if outcome.status is Status.OPTIMAL else None
