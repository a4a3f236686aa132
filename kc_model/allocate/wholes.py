"""Stages over whole numbers: a program without them says what none can beat, a core finds a plan.

Without whole numbers almost every project comes out chosen or not chosen. Those that come out in
between, and those nearest to it by their reduced costs, are the core (Balas and Zemel 1980): a
small program decides them, the others stay. Then neighbours decide anew among themselves, a few at
a time, the others staying. The plan is as good as proven once the gap to the program without whole
numbers is closed; where that never happens everything is decided at once, starting from there.

What moves (`kc_model.stays`) is decided from the stage on that counts it: the stages before know
nothing of it, and are linear where there are no projects. A program without whole numbers says
little of a count: from there on everything is decided at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from kc_model.allocate.guess import Guess
from kc_model.allocate.hull import Mix
from kc_model.allocate.stages import Ladder
from kc_model.program import Stage
from kc_model.solver import GAP, GAP_WHOLE, Outcome, Solver, Status

__all__ = ["WholeLadder"]

_FEW = 60  # whole numbers that are decided at once, to the gap of a program without any
_CORE = 300
_NEAR = 120
_NODES = 60
_FINE = GAP_WHOLE / 100
_FAR = 0.1  # gap of a plan that a choice of cells alone would not close
_ENOUGH = 0.99
_EDGE = 1e-6
_TIMES = 1e3

Array = NDArray[np.float64]
Indices = NDArray[np.int64]


class WholeLadder(Ladder):
    """Solves stages in order; each is kept at the value found, for whole numbers have no prices.

    Attributes
    ----------
    guess : Guess or None
        Finds a first choice.
    gap : float
        Of the best plan found in the stage that is solved now.
    is_partial : bool
        Whether only some whole numbers are decided now, the others staying.
    neighbours : array of int
        The whole numbers, those that share money near each other.
    """

    guess: Guess | None = None
    neighbours: Indices = np.zeros(0, dtype=np.int64)
    gap: float = np.inf
    is_partial: bool = False
    _found: Array = np.zeros(0)  # by the last search; nothing: it found none
    _standing: Array | None = None  # the last plan found, from where the next search starts
    _resting: tuple[Indices, Array, Array] | None = None  # columns that wake, and their bounds
    _rows: tuple[Indices, Array, Array] | None = None  # the rows that tie them to money
    _is_awake = False
    _floor: float = -np.inf  # what no plan can beat, in the stage that is solved now

    def rest(self, rows: Indices, columns: Indices) -> None:
        """Let some rows hold nothing, and some whole numbers be 0, up to the stage of moves."""
        if not len(columns):
            return
        solver = self.solver
        self._rows = rows, solver.row_low[rows], solver.row_high[rows]
        self._resting = columns, solver.col_low[columns], solver.col_high[columns]
        free, none = np.full(len(rows), np.inf), np.zeros(len(columns))
        solver.set_rows(rows, -free, free)
        solver.set_columns(columns, none, none)
        self.stand()

    def _wake(self) -> None:
        if self._rows is not None and self._resting is not None and not self._is_awake:
            self.solver.set_rows(*self._rows)
            self.solver.set_columns(*self._resting)
            self._is_awake, self._standing = True, None

    def solve(self, stage: int | None) -> Outcome:
        """Solve one stage with what stands now; None: find any plan."""
        cost = np.zeros(len(self.solver.cost))
        if stage is not None:
            cost[self.columns[stage]] = 1.0
            if self.stages[stage].is_moves:
                self._wake()
        found = self.least(cost)
        is_after = self._is_awake and stage is not None and not self.stages[stage].is_moves
        return self._nearer(found) if is_after and found.status is Status.OPTIMAL else found

    def _nearer(self, found: Outcome) -> Outcome:
        """Decide the nearest lines anew: what few of them make of a goal is within its gap."""
        solver = self.solver
        bound, still = self._apart(self._free, _CORE)
        if found.gap <= _FINE or bound.status is not Status.OPTIMAL:
            return found
        low, high, at = solver.col_low[still], solver.col_high[still], np.rint(found.values[still])
        solver.set_columns(still, at, at)
        solver.ask(_FINE, _NODES)
        nearer = solver.run(is_trial=True)
        solver.set_columns(still, low, high)
        if not nearer.objective < found.objective:  # none, or no better
            return found
        return self._kept(replace(nearer, status=found.status, gap=found.gap))

    def least(self, cost: Array, *, is_last: bool = False) -> Outcome:
        """Return the least of a cost among the plans that stand, proven to the gap of its status.

        Parameters
        ----------
        cost : array (n_columns,)
        is_last : bool
            Whether a plan will do that is the best of the core, proven or not.
        """
        solver = self.solver
        solver.set_cost(cost)
        free = self._free
        if len(free) <= _FEW or self._is_awake:
            return self._at_once(free, is_last=is_last)
        bound, relaxed = self._without()
        if bound.status is not Status.OPTIMAL:
            return bound if bound.status is Status.INFEASIBLE else self._kept(solver.run())
        best = self._sought(bound, relaxed, free, is_last=is_last)
        if len(best.values) and (is_last or best.gap <= GAP_WHOLE):
            return best
        solver.ask(_ENOUGH * GAP_WHOLE)
        found = self._kept(solver.run())
        if len(best.values) and not (found.objective <= best.objective):
            # What none can beat is the same for both, and this one is nearer to it.
            found = replace(best, status=found.status, gap=min(best.gap, found.gap))
        return found

    def _at_once(self, free: Indices, *, is_last: bool) -> Outcome:
        """Decide everything together; what comes last, where it is much, beside the last plan."""
        solver = self.solver
        if not len(free) and solver.complete is None:
            return self._kept(self._without()[0])
        if len(free) <= _FEW:
            solver.ask(0.0 if is_last else GAP)
            return self._kept(solver.run())
        if is_last:
            return self._beside_last(free)
        solver.ask(_ENOUGH * GAP_WHOLE)
        return self._kept(solver.run())

    def _beside_last(self, free: Indices) -> Outcome:
        """Decide what the last plan moves, and what is nearest to it, anew; the others stay."""
        bound, still = self._apart(free, _FEW)
        if self._standing is None or bound.status is not Status.OPTIMAL:
            return bound
        last = np.rint(self._standing)
        found = self._with(still, last[still], GAP_WHOLE)
        return self._kept(found) if len(found.values) else self._with(free, last[free], GAP_WHOLE)

    def _apart(self, free: Indices, most: int) -> tuple[Outcome, Indices]:
        """Solve without whole numbers: what comes out, and all but those next to the last plan."""
        bound, _ = self._without()
        if self._standing is None or bound.status is not Status.OPTIMAL:
            return bound, free
        far = (np.rint(self._standing[free]) == 0) & (bound.values[free] <= _EDGE)
        order = np.lexsort((np.arange(len(free)), np.abs(bound.column_duals[free]), far))
        return bound, free[order[most:]]

    @property
    def _free(self) -> Indices:
        """The whole numbers that nothing has decided."""
        solver, whole = self.solver, np.flatnonzero(self.solver.model.whole)
        return np.asarray(whole[solver.col_low[whole] < solver.col_high[whole]])

    def _sought(self, bound: Outcome, relaxed: Solver, free: Indices, *, is_last: bool) -> Outcome:
        """Return the best plan that searches find before one closes the gap; no values: none."""
        solver, self.gap, self._floor = self.solver, np.inf, bound.objective
        # What comes of the hull is better than a plan that is beaten without it.
        first = GAP_WHOLE / 2 if self._standing is None else 2 * GAP_WHOLE
        best = replace(bound, status=Status.LIMIT, values=bound.values[:0], gap=np.inf)
        for still, at in self._searches(free, bound, relaxed, is_last=is_last):
            gap = GAP_WHOLE / 10 if self._floor > bound.objective else first
            found = self._with(still, at, gap)
            self._found = found.values
            if len(found.values) and (not len(best.values) or found.objective < best.objective):
                best = self._kept(replace(found, status=Status.OPTIMAL))
            if len(best.values):  # what none can beat may be known better by now
                size = max(solver.scale, abs(best.objective))
                self.gap = max(0.0, (best.objective - self._floor) / size)
            if not solver.goes_on(self.gap) or self.gap <= GAP_WHOLE:
                break
        return replace(best, gap=self.gap)

    def _searches(
        self, free: Indices, bound: Outcome, relaxed: Solver, *, is_last: bool
    ) -> Iterator[tuple[Indices, Array]]:
        """Yield whole numbers that stay, and at what.

        All of the last plan; those of a guess; all but the core where there is no plan yet, or what
        it makes better will do; what comes of the hull; all but each neighbourhood.
        """
        if self._standing is not None:
            yield free, np.rint(self._standing[free])
        is_first = self._standing is None
        guess = None
        if not is_last and self.guess is not None:
            guess = self.guess.of(relaxed, bound.values, is_thorough=is_first)
        if guess is not None:
            yield guess
        if is_last or self.guess is None or (is_first and self._standing is None):
            yield self._beside_core(free, bound.values, bound.column_duals)
        if not is_last and self.guess is not None and self._standing is not None:
            yield from self._further(self.guess, free)

    def _further(self, guess: Guess, free: Indices) -> Iterator[tuple[Indices, Array]]:
        """Yield what comes of a mix, the longer the better it is known, and of neighbourhoods."""
        is_heard = True
        while is_heard:
            is_heard = False
            bound, relaxed = self._without()
            if bound.status is not Status.OPTIMAL:
                return
            mix = guess.mix(relaxed, bound.values, self._plan, self._best, self._has_time)
            if mix is None:
                break
            for still, at in self._joined(mix, guess, free, bound.objective):
                yield still, at
                is_heard = not len(self._found) and guess.hears(self.solver, still, at)
                if is_heard:
                    break
        nearby = self.neighbours[np.isin(self.neighbours, free)]
        for start in (*range(0, len(nearby), _NEAR), *range(-_NEAR // 2, len(nearby), _NEAR)):
            still = np.setdiff1d(free, nearby[max(0, start) : start + _NEAR])
            yield still, np.rint(self._plan[still])

    def _joined(
        self, mix: Mix, guess: Guess, free: Indices, chords: float
    ) -> Iterator[tuple[Indices, Array]]:
        """Yield what comes of a mix each time it is better known.

        A choice waits for purses where cells say much more than their chords, for so may purses,
        or where the plan is far from what none can beat.
        """
        yield from self._guessed(mix, guess, free)
        is_told = mix.floor - chords > GAP_WHOLE * max(self.solver.scale, abs(chords))
        if not (is_told or self.gap > _FAR):
            yield from self._chosen(mix, guess, free)
        while mix.join(self._plan, self._best, self._has_time):
            yield from self._guessed(mix, guess, free)
            yield from self._chosen(mix, guess, free)

    def _has_time(self) -> bool:
        return self.solver.goes_on(self.gap)

    def _guessed(self, mix: Mix, guess: Guess, free: Indices) -> Iterator[tuple[Indices, Array]]:
        """Yield the last plan, which may be proven by what a mix says, and a guess by it."""
        if mix.floor <= self._best + GAP * max(self.solver.scale, abs(self._best)):
            self._floor = max(self._floor, mix.floor)  # else it says what cannot be
        yield free, np.rint(self._plan[free])
        found = (
            None
            if mix.outcome is None
            else guess.of(self._without()[1], mix.outcome.values, is_thorough=False)
        )
        if found is not None:
            yield found

    def _chosen(self, mix: Mix, guess: Guess, free: Indices) -> Iterator[tuple[Indices, Array]]:
        """Yield choices by a mix, each then without what its states do not know, or got wrong.

        Last a core. The better a plan, the fewer states can be part of a better one: another
        choice then.
        """
        if mix.outcome is None:
            return
        values, reduced = mix.outcome.values, mix.outcome.column_duals
        before = np.inf
        while self.gap < before / 2:
            before = self.gap
            for made, meant in mix.choices(self._best, self._plan):
                yield _but(guess, made, frozenset())
                if not len(self._found) and mix.loose:
                    yield _but(guess, made, mix.loose)
                open_ = self._amiss(mix, meant)
                if open_:
                    yield _but(guess, made, open_)
        if len(free) > _CORE:
            yield self._beside_core(free, values, reduced)

    def _amiss(self, mix: Mix, meant: Array) -> frozenset[int]:
        """Return projects of the cells in which a choice did not come out as meant, if it costs."""
        if not len(self._found):
            return frozenset()
        more = float(self.solver.cost @ (self._found - meant))
        if more <= GAP_WHOLE / 4 * max(self.solver.scale, abs(self._best)):
            return frozenset()
        return mix.amiss(meant, self._found, _CORE)

    @property
    def _plan(self) -> Array:
        """The last plan found."""
        if self._standing is None:
            raise ValueError("no plan was found")
        return self._standing

    @property
    def _best(self) -> float:
        """What the last plan found costs."""
        return np.inf if self._standing is None else float(self.solver.cost @ self._standing)

    def _beside_core(self, free: Indices, values: Array, reduced: Array) -> tuple[Indices, Array]:
        near = np.abs(values[free] - np.rint(values[free])) > _EDGE
        order = np.lexsort((np.arange(len(free)), np.abs(reduced[free]), ~near))
        still = free[order[_CORE:]]
        return still, np.rint(values[still])

    def back(self) -> None:
        """Open everything that the stages have shut."""
        super().back()
        self._standing = None
        self._is_awake = False

    def _kept(self, outcome: Outcome) -> Outcome:
        if len(outcome.values):
            self._standing = outcome.values
            self.solver.hint(outcome.values)
        return outcome

    def _without(self) -> tuple[Outcome, Solver]:
        """Solve without whole numbers: the outcome, and what has solved it."""
        relaxed = self.solver.apart()
        relaxed.decide(np.zeros(0, dtype=np.int64))
        return relaxed.run(), relaxed

    def _with(self, still: Indices, at: Array, gap: float) -> Outcome:
        """Decide the other whole numbers only."""
        solver = self.solver
        low, high = solver.col_low[still], solver.col_high[still]
        solver.set_columns(still, at, at)
        near = _ENOUGH * GAP_WHOLE * max(solver.scale, abs(self._floor))
        solver.ask(gap, _NODES, self._floor + near)
        self.is_partial = True
        found = solver.run(is_trial=True)
        self.is_partial = False
        solver.set_columns(still, low, high)
        return found

    def _shut(self, stage: Stage, column: int, outcome: Outcome) -> None:
        if len(outcome.row_duals):
            super()._shut(stage, column, outcome)
        else:
            # What the stages before may be missed by makes this one as much better than it is.
            times = min(_TIMES, 10.0 ** self.columns.index(column))
            self.cap_at(column, stage.worst(outcome.objective), times)


def _but(guess: Guess, made: dict[int, bool], open_: frozenset[int]) -> tuple[Indices, Array]:
    """Return the columns of a choice of projects but some, and where they stay."""
    at = {p: float(is_in) for p, is_in in made.items() if p not in open_}
    return guess.columns_of(at), np.array(list(at.values()))
