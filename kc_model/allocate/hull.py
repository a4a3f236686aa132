"""What none can beat where whole projects pay into cells, and the choice that comes of it.

A chord (`kc_model.allocate.reach`) knows what the projects of one cell can make of its money, not
what they are to other cells. Here a cell stands in a mix of points of its states
(`kc_model.allocate.states`), and a purse that few cells share in a mix of its plans
(`kc_model.allocate.purses`); a project that several cells share is in every mix to the same part
(Dantzig and Wolfe 1960), and in a mix of plans in which it is in all of them or in none
(`kc_model.allocate.bundles`): of a cell's points so much has a profile as those plans give it.
Points and plans come in as the duals ask for them; the duals of any round say what none can beat.
Then every purse is in one of the plans that came in, every other cell in one of the states that
cost least.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import copy

import numpy as np
from numpy.typing import NDArray

from kc_model.allocate.blocks import Block, Cell, Plan, Together
from kc_model.allocate.bundles import bundles_of
from kc_model.allocate.points import CellStates, Part
from kc_model.allocate.purses import purses_of
from kc_model.arrays import Cut
from kc_model.solver import GAP, GAP_WHOLE, Outcome, Solver, Status

__all__ = ["Mix"]

_ROUNDS = 40
_EVERY = 3
_SLICE = 6  # rounds after which a choice is made among what is known
_CLOSED = 1e-5
_EACH = 12  # states of a cell that a choice is made among
_FIRM = 2  # the same where the mix is in one
_TOLD = 40  # the same of a cell that shares projects with others
_FIRST = 6  # of these, by the first choice
_WEIGHT = 1e-3  # of a state in the mix: less is none
_NODES = 50
_PART = 0.05  # of the gap that is left, to which the first choice is made
_HAIR = 1e-6  # million VND
_NEAR = 1e-6  # a choice is made plan by what asks it: presolve tolerates no hair's breadth
_KNOWN = ("row_", "requires_", "excludes_")  # rows that states do not know by themselves

Array = NDArray[np.float64]
Indices = NDArray[np.int64]


_New = list[tuple[Block, list[Plan]]]


class Mix:
    """Mixes of points and plans in a program without whole numbers.

    Parameters
    ----------
    relaxed : Solver
        Of that program; gets columns and rows, and loses what cells know by themselves.
    states : list of CellStates

    Attributes
    ----------
    floor : float
        What no choice of whole projects can beat.
    outcome : Outcome or None
        The last mix.
    """

    def __init__(self, relaxed: Solver, states: list[CellStates]) -> None:
        self._relaxed, self._states = relaxed.apart(_free(relaxed, states)), states
        self.floor, self._duals = -np.inf, np.zeros(0)
        self._rated = -np.inf  # the floor that these duals say
        self._width = len(relaxed.col_low)
        self.outcome: Outcome | None = None
        self._is_joined = self._is_closed = False
        row, scale = len(self._relaxed.row_low), relaxed.scale
        self._relaxed.add([cut for one in states for cut in one.rows(scale)])
        cells = list[Cell]()
        for one in states:
            cell = Cell(one, row, one.sizes(scale))
            low = self._relaxed.row_low[cell.equal]
            self._relaxed.set_rows(cell.equal, low, low)
            cells.append(cell)
            row += len(cell.sizes)
        self._blocks = [Block([cell]) for cell in cells]
        self._bundled = list[Together]()
        self._asked = list[Plan]()  # by the duals of the last round, a plan of each bundle

    def close(self, plan: Array, best: float, goes_on: Callable[[], bool]) -> None:
        """Take in points of cells, a plan's first, until the floor is as high as it gets.

        Parameters
        ----------
        plan : array (n_columns,)
            Of whole projects that stands.
        best : float
            What it costs.
        goes_on : callable () -> bool
            Whether there is time.
        """
        self._take([(block, [block.standing(plan)]) for block in self._blocks])
        self._settle(best, goes_on)

    def join(self, plan: Array, best: float, goes_on: Callable[[], bool]) -> bool:
        """Put cells of a purse, and of a bundle, together and do the same, some rounds at a time.

        Cells alone come first: their duals tell which plans of purses are worth a look.

        Parameters
        ----------
        plan, best, goes_on
            As for `close`.

        Returns
        -------
        bool
            Whether anything came of it; False where the floor is as high as it gets.
        """
        if self.outcome is None or self._is_proven(best) or not goes_on():
            return False
        if not self._is_joined and not self._joined(plan):
            return False
        if self._is_closed:
            return False
        self._stand(plan)
        self._is_closed = self._settle(best, goes_on, _SLICE)
        return True

    def _joined(self, plan: Array) -> bool:
        """Put cells together; tell whether there are any."""
        if self.outcome is None:
            return False
        purses = purses_of(self._relaxed, self._states)
        taken = {k for purse in purses for k in purse.cells}
        bundles = bundles_of(self._relaxed, self._states, taken)
        if not purses and not bundles:
            return False
        cells = self._blocks
        self._bundled = [Together(one, [cells[k] for k in one.cells]) for one in bundles]
        whole = [Block([cells[k].cells[0] for k in one.cells], one) for one in purses]
        self._blocks = [*whole, *(block for k, block in enumerate(cells) if k not in taken)]
        new = self._priced(self.outcome)
        self._is_joined = True
        shut = [at for k in sorted(taken) for at in cells[k].columns.values()]
        none = np.zeros(len(shut))
        self._relaxed.set_columns(np.array(shut, dtype=np.int64), none, none)
        self._tell_profiles()
        self._stand(plan)
        self._take(new)
        return True

    def _tell_profiles(self) -> None:
        """Give every profile that points have its row, with these points in it."""
        cuts, row, scale = list[Cut](), len(self._relaxed.row_low), self._relaxed.scale
        for block in (block for few in self._bundled for block in few.blocks):
            cell, inside = block.cells[0], dict[int, list[int]]()
            for (part,), at in block.columns.items():
                inside.setdefault(cell.profile_of(part.state), []).append(at)
            for profile, columns in inside.items():
                cell.rows[profile] = row + len(cuts)
                cuts.append(Cut(np.array(columns), np.full(len(columns), scale), 0.0))
        self._add(cuts)
        self._rated = -np.inf  # duals that do not know profiles say nothing of states

    def _add(self, cuts: Sequence[Cut]) -> None:
        """Add rows that hold from both sides."""
        rows = len(self._relaxed.row_low) + np.arange(len(cuts))
        self._relaxed.add(cuts)
        self._relaxed.set_rows(rows, np.zeros(len(rows)), np.zeros(len(rows)))

    def _bundle(self, plans: Iterable[tuple[Part, ...]]) -> bool:
        """Take a plan of every bundle into the program; tell whether any was not in it."""
        none, empty, row = np.zeros(0), list[Cut](), len(self._relaxed.row_low)
        pairs = [(few, plan) for few, plan in zip(self._bundled, plans, strict=True) if plan]
        for few, plan in pairs:
            for cell, profile in zip(few.cells, few.profiles_of(plan), strict=True):
                if profile not in cell.rows:
                    cell.rows[profile] = row + len(empty)
                    empty.append(Cut(none.astype(np.int64), none, 0.0))
        if empty:
            self._add(empty)
        points = (zip(few.blocks, plan, strict=True) for few, plan in pairs)
        self._take([(block, [(part,)]) for own in points for block, part in own])
        entries, width = list[tuple[Indices, Array]](), len(self._relaxed.col_low)
        for few, plan in pairs:
            profiles = few.profiles_of(plan)
            if profiles not in few.columns:
                few.columns[profiles] = width + len(entries)
                told = zip(few.cells, profiles, strict=True)
                rows = np.array([cell.rows[profile] for cell, profile in told])
                entries.append((rows, np.full(len(rows), -self._relaxed.scale)))
        if entries:
            self._relaxed.widen(entries)
        return bool(entries)

    def _stand(self, plan: Array) -> None:
        """Take what a plan is into the program."""
        told = [tuple(one.standing(plan)[0] for one in few.blocks) for few in self._bundled]
        self._bundle(told)
        self._take([(block, [block.standing(plan)]) for block in self._blocks])

    def _is_proven(self, best: float) -> bool:
        return best - self.floor <= GAP_WHOLE * max(self._relaxed.scale, abs(best))

    def _settle(self, best: float, goes_on: Callable[[], bool], most: int = _ROUNDS) -> bool:
        """Solve and take in what is asked for, in turn, so many times; tell whether that was all.

        Purses and bundles are not asked always.
        """
        few = [block for block in self._blocks if block.purse is None]
        every = _EVERY if self._is_joined else 1
        for turn in range(every * most):
            outcome = self._solved()
            if outcome.status is not Status.OPTIMAL:
                return True
            self.outcome = outcome
            if turn % every:
                new = [(block, block.offered(outcome.row_duals)[1]) for block in few]
                if any(plans for _, plans in new) and goes_on():
                    self._take(new)
                    continue
            new = self._priced(outcome)
            size = max(self._relaxed.scale, abs(self.floor))
            is_closed = outcome.objective - self.floor <= _CLOSED * size or self._is_proven(best)
            if is_closed or not goes_on():
                return True
            is_told = self._bundle(self._asked)
            if not is_told and not any(plans for _, plans in new):
                return True
            self._take(new)
        return False

    def _solved(self) -> Outcome:
        """Solve; a hair looser if the plan that stands misses its rows: the floor is no higher."""
        relaxed, outcome = self._relaxed, self._relaxed.run()
        if outcome.status is not Status.INFEASIBLE:
            return outcome
        rows, columns = np.arange(len(relaxed.row_low)), np.arange(len(relaxed.col_low))
        relaxed.set_rows(rows, relaxed.row_low - _HAIR, relaxed.row_high + _HAIR)
        relaxed.set_columns(columns, relaxed.col_low, relaxed.col_high + _HAIR)
        return relaxed.run()

    def _priced(self, outcome: Outcome) -> _New:
        """Raise the floor to what the duals say; return the plans that they ask for."""
        floor, new = outcome.objective, _New()
        for block in self._blocks:
            gain, plans = block.offered(outcome.row_duals)
            floor += gain
            new.append((block, plans))
        self._asked = []
        for few in self._bundled:
            gain, plan = few.bundle.least([cell.priced(outcome.row_duals) for cell in few.cells])
            floor += gain
            self._asked.append(plan)
        if floor > self._rated:
            self._rated, self._duals = floor, outcome.row_duals
        self.floor = max(self.floor, floor)
        return new

    def _take(self, new: _New) -> None:
        """Take plans into the program that are not in it."""
        entries, width = list[tuple[Indices, Array]](), len(self._relaxed.col_low)
        for block, plans in new:
            for plan in plans:
                if plan not in block.columns:
                    block.columns[plan] = width + len(entries)
                    entries.append(block.entries(plan))
        self._relaxed.widen(entries)

    @property
    def loose(self) -> frozenset[int]:
        """Projects whose rows no state knows."""
        return frozenset[int]().union(*(one.loose for one in self._states))

    def amiss(self, meant: Array, plan: Array, most: int) -> frozenset[int]:
        """Return the projects of cells whose money came out otherwise, and those that are loose.

        Parameters
        ----------
        meant, plan : array (n_columns,)
            What a choice was to be, and what came of it.
        most : int
            Projects that there may be: cells that are most otherwise come first.
        """
        found = self.loose
        cells = [one.money for one in self._states]
        other = np.abs(plan[cells] - meant[cells])
        for k in np.argsort(-other, kind="stable").tolist():
            more = found.union(self._states[k].projects)
            if other[k] <= GAP * self._relaxed.scale or len(more) > most:
                break
            found = more
        return found if len(found) <= most else frozenset()

    def choices(self, best: float, plan: Array) -> Iterator[tuple[dict[int, bool], Array]]:
        """Yield which projects a plan better than one that is known may have.

        Among few states first, and plans of bundles that came in; then, where there are bundles,
        among many states that only have to agree.

        Parameters
        ----------
        best : float
            The cost of the plan that is known.
        plan : array (n_columns,)
            It itself.

        Yields
        ------
        dict
            Whether each project is chosen.
        array (n_columns,)
            The plan it is meant to be.
        """
        yield from self._twin()._choices(best, plan)

    def _twin(self) -> Mix:
        """Return another that is what this one is now."""
        other = copy(self)
        other._relaxed = self._relaxed.apart()
        blocks = {id(block): block.twin() for block in self._blocks}
        other._blocks = list(blocks.values())
        other._bundled = [
            Together(few.bundle, [blocks[id(one)] for one in few.blocks], dict(few.columns))
            for few in self._bundled
        ]
        return other

    def _choices(self, best: float, plan: Array) -> Iterator[tuple[dict[int, bool], Array]]:
        """Do the same; what chooses is in the program then."""
        relaxed = self._relaxed
        self._stand(plan)
        alone = [block for block in self._blocks if block.purse is None]
        kept = [self._nearest(block, best - self.floor, plan) for block in alone]
        chosen = self._among(alone, kept)
        whole = [at for block in self._blocks if block.purse for at in block.columns.values()]
        told = [at for few in self._bundled for at in few.columns.values()]
        far = np.concatenate([np.zeros(0, np.int64), *(own[1 + _FIRST :] for own in chosen)])
        relaxed.set_columns(far, np.zeros(len(far)), np.zeros(len(far)))
        every = np.concatenate([np.array([*whole, *told], dtype=np.int64), *chosen])
        relaxed.decide(every, in_pairs=True)
        size = max(relaxed.scale, abs(self.floor))
        enough = self.floor + GAP_WHOLE * size / 2
        # Far from the floor a choice need not be the best: the next one knows more.
        relaxed.ask(max(GAP_WHOLE, _PART * (best - self.floor) / size), 1, enough, _NEAR)
        relaxed.hint(self._start(plan, alone, kept, chosen))
        outcome = relaxed.run(is_trial=True)
        if not len(outcome.values):
            return
        yield self._made(outcome.values, alone, kept, chosen)
        if not told:
            return
        rows = [row for few in self._bundled for one in few.cells for row in one.rows.values()]
        none = np.full(len(rows), np.inf)
        relaxed.set_rows(np.array(rows, dtype=np.int64), -none, none)
        relaxed.set_columns(far, np.zeros(len(far)), np.full(len(far), np.inf))
        relaxed.decide(np.zeros(0, dtype=np.int64))
        cheap = relaxed.run().column_duals
        if not len(cheap):
            return
        few = [
            own[block.order(some, cheap, cheap[own], outcome.values[own])]
            for block, some, own in zip(alone, kept, chosen, strict=True)
        ]
        far = np.concatenate([np.zeros(0, np.int64), *(own[1 + _EACH :] for own in few)])
        relaxed.set_columns(far, np.zeros(len(far)), np.zeros(len(far)))
        every = np.concatenate([np.array(whole, dtype=np.int64), *chosen])
        relaxed.decide(every, in_pairs=True)
        relaxed.ask(GAP_WHOLE / 10, _NODES, enough, _NEAR)
        relaxed.hint(outcome.values)
        outcome = relaxed.run(is_trial=True)
        if len(outcome.values):
            yield self._made(outcome.values, alone, kept, chosen)

    def _made(
        self,
        values: Array,
        alone: Sequence[Block],
        kept: Sequence[Indices],
        chosen: Sequence[Indices],
    ) -> tuple[dict[int, bool], Array]:
        """Return which projects a choice has, and the plan it is meant to be."""
        found: dict[int, bool] = {}
        for block in (block for block in self._blocks if block.purse is not None):
            columns = np.array(list(block.columns.values()))
            made = list(block.columns)[int(np.argmax(values[columns]))]
            for cell, part in zip(block.cells, made, strict=True):
                found |= cell.states.made_of(part.state, part.money, values)
        for block, some, columns in zip(alone, kept, chosen, strict=True):
            states = block.cells[0].states
            state = int(some[np.argmax(values[columns])])
            found |= states.made_of(state, float(values[states.money]), values)
        return found, values[: self._width]

    def _start(
        self,
        plan: Array,
        alone: Sequence[Block],
        kept: Sequence[Indices],
        chosen: Sequence[Indices],
    ) -> Array:
        """Return what a plan is in the program in which a choice is made."""
        start = np.zeros(len(self._relaxed.col_low))
        start[: len(plan)] = plan
        for block in self._blocks:
            start[block.columns[block.standing(plan)]] = 1.0
        for few in self._bundled:
            told = few.profiles_of(block.standing(plan)[0] for block in few.blocks)
            start[few.columns[told]] = 1.0
        for block, some, columns in zip(alone, kept, chosen, strict=True):
            start[columns[some == block.cells[0].states.standing(plan).state]] = 1.0
        return start

    def _nearest(self, block: Block, room: float, plan: Array) -> Indices:
        """Return that in which a plan is, those of the mix, then the states that cost least.

        Where many cost nothing they are those that are to other cells what the mix is to them.
        """
        cell, states, values = block.cells[0], block.cells[0].states, self._values
        points, reduced = cell.offered(self._duals)
        least = np.full(len(states.low), np.inf)
        np.minimum.at(least, points.state, reduced - min(0.0, float(reduced.min())))
        weight = np.zeros(len(least))
        for (part,), at in block.columns.items():
            weight[part.state] += values[at] if at < len(values) else 0.0
        ties = np.array([tie.coefficients @ values[tie.columns] for tie in states.ties])
        other = np.abs(states.profiles - ties).sum(axis=1).round(2)[states.group]
        size = (least / self._relaxed.scale).round(9)
        away = states.away(float(values[states.money]))
        order = np.lexsort((away, other, size, weight < _WEIGHT))
        most = _FIRM if weight.max() > 1 - _WEIGHT else _EACH
        most = most if cell.profile is None else _TOLD
        order = order[: max(1, min(most, int(np.sum(least <= room))))]
        order = order[np.isfinite(least[order])]
        standing = states.standing(plan).state
        return np.append(standing, order[order != standing])

    @property
    def _values(self) -> Array:
        """Those of the last mix."""
        if self.outcome is None:
            raise ValueError("there is no mix")
        return self.outcome.values

    def _points(self, block: Block, states: Indices) -> list[Plan]:
        """Return the plans that are a point of some states of a cell."""
        points, _ = block.cells[0].priced(self._duals)
        inside = np.flatnonzero(np.isin(points.state, states)).tolist()
        return [(block.cells[0].states.part(points, n),) for n in inside]

    def _among(self, alone: Sequence[Block], kept: Sequence[Indices]) -> list[Indices]:
        """Let every cell be in one of some states, every purse in one plan; return their columns.

        The columns are those of the states.
        """
        relaxed = self._relaxed
        self._take(
            [(block, self._points(block, some)) for block, some in zip(alone, kept, strict=True)]
        )
        cuts, chosen, out = list[Cut](), list[Indices](), list[int]()
        width = len(relaxed.col_low)
        for block, some in zip(alone, kept, strict=True):
            weights: dict[int, list[int]] = {state: [] for state in some.tolist()}
            for plan, at in block.columns.items():
                weights.get(plan[0].state, out).append(at)
            for columns in weights.values():
                cuts.append(Cut(np.array(columns), np.full(len(columns), relaxed.scale), 0.0))
            chosen.append(width + np.arange(len(some)))
            width += len(some)
        rows = len(relaxed.row_low) + np.arange(len(cuts))
        relaxed.add(cuts)
        relaxed.set_rows(rows, np.zeros(len(rows)), np.zeros(len(rows)))
        relaxed.widen([(np.array([row]), np.array([-relaxed.scale])) for row in rows.tolist()])
        relaxed.set_columns(np.array(out, dtype=np.int64), np.zeros(len(out)), np.zeros(len(out)))
        return chosen


def _free(relaxed: Solver, states: Iterable[CellStates]) -> Indices:
    """Let go of bounds that concern one cell alone; return the rows that do not.

    What they cost is then in the duals of its points.
    """
    known = [one for one in states if not one.loose]
    owner = np.full(len(relaxed.col_low), -1)
    for k, one in enumerate(known):
        owner[one.inner] = k
    matrix, rows = relaxed.matrix, list[int]()
    is_free = np.isinf(relaxed.row_low) & np.isinf(relaxed.row_high)
    for r, name in enumerate(relaxed.model.rows):
        owners = owner[matrix.indices[matrix.indptr[r] : matrix.indptr[r + 1]]]
        is_inner = len(owners) and owners[0] >= 0 and np.all(owners == owners[0])
        if not is_free[r] and not (is_inner and not name.startswith(_KNOWN)):
            rows.append(r)
    for one in known:
        none = np.full(len(one.held), np.inf)
        relaxed.set_columns(one.held, -none, none)
    return np.array(rows, dtype=np.int64)
