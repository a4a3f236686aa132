"""What the projects of a cell can make of its money, and what they then are to other cells.

A state of a cell is a stretch of money that its projects can make, with what they are in rows that
other cells share: a project that pays into several cells, that another needs or excludes, that is
counted. Sets of projects that no such row tells apart are one state where their money meets; what
goals make of a cell depends on its state and its money alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kc_model.allocate.reach import NEAR, Reach, is_plain
from kc_model.arrays import Cut
from kc_model.cells import MILLION
from kc_model.offered import Offered
from kc_model.problem import Problem
from kc_model.solver import Solver

__all__ = ["CellStates", "Extra", "Part", "Points", "states_of"]

_MOST = 12  # projects of a cell whose sets are all listed; rows of the others are let go
_PAIRS = 4_096  # of a set and a stretch
_WIDE = 500  # states of a cell for which amounts that other cells decide too are told apart
_OWN = ("paid_", "most_", "least_", "twins_")  # rows of one project, or of one cell's money

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


class _Some(NamedTuple):
    """Projects of a cell: what each gives if it is chosen, and whether it has to be.

    Parameters
    ----------
    projects : array of int
    least, most : arrays
    wide : array
        How much of the difference other cells decide too.
    must : array of bool
    """

    projects: Indices
    least: Array
    most: Array
    wide: Array
    must: NDArray[np.bool_]


class _Sets(NamedTuple):
    """Sets of the projects that rows tell apart.

    Parameters
    ----------
    projects : array of int (n_projects,)
    chosen : array of bool (n_sets, n_projects)
    low, high, wide : arrays (n_sets,)
        Money that each makes, and how much of the difference other cells decide too.
    group : array of int (n_sets,)
        The same where no row tells them apart.
    """

    projects: Indices
    chosen: NDArray[np.bool_]
    low: Array
    high: Array
    wide: Array
    group: Indices


class Part(NamedTuple):
    """What a cell is in a plan.

    Parameters
    ----------
    state : int
    values : tuple of float
        Money, costs, ties and extras.
    """

    state: int
    values: tuple[float, ...]

    @property
    def money(self) -> float:
        """Its money."""
        return self.values[0]


class Points(NamedTuple):
    """Points of a cell's states, of which one is the cheapest by some prices.

    Parameters
    ----------
    state : array of int (n_points,)
    money : array (n_points,)
    extras : array (n_points, n_extras)
    costs : array (n_points, n_costs)
    """

    state: Indices
    money: Array
    extras: Array
    costs: Array


class Extra(NamedTuple):
    """What a project that several cells share gives beyond its least amount.

    Parameters
    ----------
    amount, chosen : int
        Columns of its money and of whether it is chosen.
    least, wide : float
        Its least amount, and by how much it may be more.
    share : float
        Of it that this cell gets.
    tie : int
        Number of the tie that tells whether it is chosen.
    """

    amount: int
    chosen: int
    least: float
    wide: float
    share: float
    tie: int


@dataclass
class CellStates:
    """The states of a cell.

    A plan that costs least is where a stretch ends, where costs bend, or where one extra is used up
    and the next begins: which of them comes first depends on the prices.

    Parameters
    ----------
    money : int
        Column of its money.
    costs : list of _Cost
    ties : list of Cut
        What its projects are in rows that others share; bounds mean nothing.
    amounts : list of Extra
        Money of the ties' projects beyond what they give at least.
    extras : list of Extra
        Those of them that points tell: all or none.
    low, high : arrays (n_states,)
        Money without extras.
    group : array of int (n_states,)
    profiles : array (n_groups, n_ties)
        The value of each tie.
    sets : _Sets
        Of the projects that ties tell apart.
    others : Reach
        The other projects.
    bounds : pair of float
        Of its money.
    loose : frozenset of int
        Those of them that rows tell apart: no state knows these rows.
    inner : array of int
        Columns of this cell alone.
    """

    money: int
    costs: list[_Cost]
    ties: list[Cut]
    amounts: list[Extra]
    extras: list[Extra]
    low: Array
    high: Array
    group: Indices
    profiles: Array
    sets: _Sets
    others: Reach
    bounds: tuple[float, float]
    loose: frozenset[int]
    inner: Indices

    @cached_property
    def _bends(self) -> Array:
        bends = np.unique(np.concatenate([np.zeros(0), *(cost.ends for cost in self.costs)]))
        return np.asarray(bends[np.isfinite(bends)])

    @cached_property
    def _widths(self) -> Array:
        """By how much extras may raise the money of each state."""
        is_in = self.profiles[:, [extra.tie for extra in self.extras]][self.group] > 0.5
        return np.asarray(is_in * [extra.share * extra.wide for extra in self.extras])

    @cached_property
    def top(self) -> Array:
        """The most money of each state."""
        return np.asarray(self.high + self._widths.sum(axis=1))

    @cached_property
    def plain(self) -> Points:
        """Its points where extras cost nothing beside their money."""
        return self._points(np.zeros(len(self.extras)))

    def _points(self, slopes: Array) -> Points:
        """Return the points among which one is the cheapest.

        Parameters
        ----------
        slopes : array (n_extras,)
            What one more unit of money from each extra costs beside the money itself.
        """
        before, after = np.flatnonzero(slopes < 0), np.flatnonzero(slopes >= 0)
        before, after = (part[np.argsort(slopes[part])] for part in (before, after))
        early = np.cumsum(self._widths[:, before], axis=1)
        late = np.cumsum(self._widths[:, after], axis=1)
        rise = early[:, -1:] if len(before) else np.zeros((len(self.low), 1))
        ends = [self.low[:, None], self.low[:, None] + early, self.high[:, None] + rise]
        bends = np.broadcast_to(self._bends, (len(self.low), len(self._bends)))
        at = np.hstack([*ends, self.high[:, None] + rise + late, bends])
        low, high = np.maximum(self.low, self.bounds[0]), np.minimum(self.top, self.bounds[1])
        # Where bounds cut a stretch, its points stand there.
        at = np.sort(np.clip(at, low[:, None], np.maximum(low, high)[:, None]), axis=1)
        is_new = np.hstack([np.ones((len(at), 1), dtype=bool), np.diff(at, axis=1) > 0])
        state, _ = np.nonzero(is_new)
        money = at[is_new]
        extras = np.zeros((len(money), len(self.extras)))
        start = self.low[state]
        for n in before.tolist():
            width = self._widths[state, n]
            extras[:, n] = np.clip(money - start, 0.0, width)
            start = start + width
        start = start + self.high[state] - self.low[state]
        for n in after.tolist():
            width = self._widths[state, n]
            extras[:, n] = np.clip(money - start, 0.0, width)
            start = start + width
        extras /= np.array([extra.share for extra in self.extras])
        worth = [cost.at(money) for cost in self.costs]
        return Points(state, money, extras, np.reshape(worth, (len(worth), len(money))).T)

    def priced(self, prices: Array) -> tuple[Points, Array]:
        """Return points, the cheapest among them, and what each costs.

        Parameters
        ----------
        prices : array (n_values + 1,)
            Of money, costs, ties and extras, and of the cell's being in one state.
        """
        ends = np.cumsum([1, len(self.costs), len(self.ties)])
        (price,), costs, ties, extras = np.split(prices[:-1], ends)
        points = self.plain
        if self.extras:
            points = self._points(extras / np.array([extra.share for extra in self.extras]))
        told = (self.profiles @ ties)[self.group[points.state]]
        found = price * points.money + points.costs @ costs + told + points.extras @ extras
        return points, np.asarray(found - prices[-1])

    def part(self, points: Points, n: int) -> Part:
        """Return one of its points."""
        return self._part(int(points.state[n]), float(points.money[n]), points.extras[n])

    def between(self, state: int, money: float) -> Part:
        """Return what a state without extras makes of money."""
        return self._part(state, money, np.zeros(0))

    def _part(self, state: int, money: float, extras: Array) -> Part:
        costs = [float(cost.at(np.array([money]))[0]) for cost in self.costs]
        told = self.profiles[self.group[state]].tolist()
        return Part(state, (money, *costs, *told, *extras.tolist()))

    def rows(self, scale: float) -> list[Cut]:
        """Return the rows that hold its columns to a mix of points, then that of their weights."""
        none = np.zeros(0)
        return [
            Cut(np.array([self.money]), np.ones(1), 0.0),
            *(Cut(np.array([cost.column]), np.array([cost.sign]), 0.0) for cost in self.costs),
            *(Cut(tie.columns, scale * tie.coefficients, 0.0) for tie in self.ties),
            *(
                Cut(np.array([one.amount, one.chosen]), np.array([1.0, -one.least]), 0.0)
                for one in self.extras
            ),
            Cut(none.astype(np.int64), none, scale),
        ]

    def sizes(self, scale: float) -> Array:
        """Return by what each of these rows is multiplied."""
        held, told = np.ones(1 + len(self.costs)), np.full(len(self.ties), scale)
        return np.concatenate([held, told, np.ones(len(self.extras)), [scale]])

    def away(self, money: float) -> Array:
        """Return how far every state is from money."""
        return np.asarray(np.maximum(np.maximum(self.low - money, money - self.top), 0.0))

    def standing(self, plan: Array) -> Part:
        """Return the part that a plan has, or the nearest one."""
        ties = np.array([tie.coefficients @ plan[tie.columns] for tie in self.ties])
        told = np.abs(self.profiles - ties).max(axis=1, initial=0.0)[self.group].round(6)
        extras = np.array([plan[one.amount] - one.least * plan[one.chosen] for one in self.extras])
        shares = np.array([one.share for one in self.extras])
        own = float(plan[self.money] - extras @ shares)
        away = np.maximum(np.maximum(self.low - own, own - self.high), 0.0)
        state = int(np.lexsort((away, told))[0])
        extras = np.clip(extras * shares, 0.0, self._widths[state]) / shares
        own = float(np.clip(own, self.low[state], self.high[state]))
        return self._part(state, own + float(extras @ shares), extras)

    @property
    def held(self) -> Indices:
        """Its columns and those of its ties: its points bound them."""
        costs = [cost.column for cost in self.costs]
        return np.concatenate([[self.money, *costs], *(tie.columns for tie in self.ties)])

    @property
    def projects(self) -> set[int]:
        """Those that pay into it, if they may be chosen."""
        return {*self.sets.projects.tolist(), *self.others.projects}

    def made_of(self, state: int, money: float, values: Array) -> dict[int, bool]:
        """Return which of its projects make money in a state; empty if none do.

        Parameters
        ----------
        state : int
        money : float
        values : array (n_columns,)
            What projects get that other cells decide too, first; then what they may get.
        """
        sets, amount = self.sets, float(np.clip(money, self.low[state], self.top[state]))
        alike = np.flatnonzero(sets.group == self.group[state])
        more = np.zeros(len(sets.low))
        for one in self.amounts:
            got = float(np.clip(values[one.amount] - one.least, 0.0, one.wide))
            more += one.share * got * sets.chosen[:, one.tie]
        told = sets.low + more, sets.low + more + self._own
        for low, high in (told, (sets.low, sets.high)):
            for n in alike.tolist():
                made = self.others.made_of(amount - high[n], amount - low[n])
                if made is not None:
                    own = zip(sets.projects.tolist(), sets.chosen[n].tolist(), strict=True)
                    return {**dict(own), **{p: p in made for p in self.others.projects}}
        return {}

    @cached_property
    def _own(self) -> Array:
        """How much more the sets can give that no other cell decides."""
        wide = np.array([one.share * one.wide for one in self.amounts])
        ties = [one.tie for one in self.amounts]
        more = self.sets.chosen[:, ties] @ wide if ties else np.zeros(len(self.sets.low))
        return np.asarray(self.sets.high - self.sets.low - more)


def states_of(problem: Problem, column: Mapping[str, int], relaxed: Solver) -> list[CellStates]:
    """Return the states of every cell that projects pay into.

    Parameters
    ----------
    problem : Problem
        Projects not decided.
    column : mapping of str to int
        Columns of its program by name.
    relaxed : Solver
        Of the program without whole numbers; its bounds say what is decided.
    """
    offered = problem.offered
    if offered is None:
        return []
    reading = _Reading(problem, offered, column, relaxed)
    return [one for one in map(reading.cell, offered.named.tolist()) if len(one.low)]


class _Reading:
    """What the cells of a problem have in common."""

    def __init__(
        self, problem: Problem, offered: Offered, column: Mapping[str, int], relaxed: Solver
    ) -> None:
        self._offered, self._column, self._relaxed = offered, column, relaxed
        self._z, self._a = (
            np.array([column.get(f"{name}_{p}", -1) for p in range(len(offered))], dtype=np.int64)
            for name in "za"
        )
        self._share = np.array(list(map(float, offered.share)))
        self._several = np.bincount(offered.project, minlength=len(offered)) > 1
        self._linked = np.zeros(len(offered), dtype=bool)
        self._linked[np.append(offered.requires.ravel(), offered.excludes.ravel())] = True
        self._shared, self._costs = _shared(relaxed, self._z), _costs(problem, column)
        names = (name.split("_") for name in relaxed.model.rows if name.startswith("twins_"))
        self._twins = [(int(before), int(after)) for _, before, after in names]

    def cell(self, i: int) -> CellStates:
        """Return the states of a cell."""
        offered, z = self._offered, self._z
        parts = np.flatnonzero(offered.cell == i)
        own, share = offered.project[parts], self._share[parts]
        least, most = (share * money[own] / MILLION for money in (offered.least, offered.most))
        must = self._relaxed.col_low[z[own]] > 0.5
        named, rest = self._split(own)
        ties = _ties(own[named], z, self._several, self._shared)
        extras = told = self._extras(own[named], share[named])
        wide = np.where(self._several[own[named]], most[named] - least[named], 0.0)
        some = _Some(own[named], least[named], most[named], wide, must[named])
        sets, profiles = _sets(some, ties, z, self._twins)
        rest = rest[np.argsort(-offered.rank[own[rest]])]
        others = Reach(own[rest], least[rest], most[rest], must[rest])
        low, high, group = _stretches(sets, others)
        if extras and len(low) > _WIDE:  # points of so many are found too slowly: less is known
            told, sets = [], sets._replace(wide=np.zeros(len(sets.wide)))
            low, high, group = _stretches(sets, others)
        x, costs = self._column[f"x_{i}"], self._costs.get(i, [])
        bounds = float(self._relaxed.col_low[x]), float(self._relaxed.col_high[x])
        more = sum((one.share * one.wide * (profiles[group, one.tie] > 0.5) for one in told), 0.0)
        inside = np.maximum(low, bounds[0]) <= np.minimum(high + more, bounds[1]) + NEAR
        apart = own[~self._several[own]]
        inner = np.array([x, *(cost.column for cost in costs), *z[apart], *self._a[apart]])
        return CellStates(
            money=x,
            costs=costs,
            ties=ties,
            amounts=extras,
            extras=told,
            low=low[inside],
            high=high[inside],
            group=group[inside],
            profiles=profiles,
            sets=sets,
            others=others,
            bounds=bounds,
            loose=frozenset(p for p in own[rest].tolist() if self._is_told(p)),
            inner=inner[inner >= 0],
        )

    def _extras(self, own: Indices, share: Array) -> list[Extra]:
        """Return what those of some projects that several cells share give beyond the least."""
        offered, several = self._offered, self._several[own]
        return [
            Extra(
                amount=int(self._a[p]),
                chosen=int(self._z[p]),
                least=float(offered.least[p]) / MILLION,
                wide=float(offered.most[p] - offered.least[p]) / MILLION,
                share=part,
                tie=tie,
            )
            for tie, (p, part) in enumerate(
                zip(own[several].tolist(), share[several].tolist(), strict=True)
            )
            if offered.most[p] > offered.least[p]
        ]

    def _is_told(self, project: int) -> bool:
        return bool(self._several[project]) or project in self._shared

    def _split(self, own: Indices) -> tuple[Indices, Indices]:
        """Return which projects of a cell rows tell apart, and the others that may be chosen."""
        z = self._z[own]
        may = (z >= 0) & (self._relaxed.col_high[z] > 0.5)
        told = np.array([self._is_told(p) for p in own.tolist()], dtype=bool)
        order = np.lexsort(
            (-self._offered.rank[own], ~self._linked[own], ~self._several[own], ~told, ~may)
        )
        count = min(_MOST, int(np.sum(may & told)))
        return order[:count], order[count : int(may.sum())]


def _shared(relaxed: Solver, z: Indices) -> dict[int, dict[int, float]]:
    """Return by project its coefficients in rows that are not its own or its cell's."""
    rows = relaxed.model.rows
    holds = np.isfinite(relaxed.row_low) | np.isfinite(relaxed.row_high)
    kept = np.array([not name.startswith(_OWN) for name in rows], dtype=bool) & holds
    at = relaxed.matrix.tocsc()
    found: dict[int, dict[int, float]] = {}
    for p in np.flatnonzero(z >= 0).tolist():
        start, end = at.indptr[z[p] : z[p] + 2]
        mine = kept[at.indices[start:end]] & (at.data[start:end] != 0)
        if mine.any():
            found[p] = dict(
                zip(at.indices[start:end][mine].tolist(), at.data[start:end][mine], strict=True)
            )
    return found


def _ties(
    own: Indices, z: Indices, several: NDArray[np.bool_], shared: Mapping[int, Mapping[int, float]]
) -> list[Cut]:
    """Return what projects are to others: those of several cells each, the others by row."""
    ties = [Cut(z[[p]], np.ones(1), 0.0) for p in own[several[own]].tolist()]
    alone = own[~several[own]].tolist()
    for row in sorted({row for p in alone for row in shared[p]}):
        members = [p for p in alone if row in shared[p]]
        coefficients = np.array([shared[p][row] for p in members])
        ties.append(Cut(z[members], coefficients / np.abs(coefficients).max(), 0.0))
    return ties


def _sets(
    some: _Some, ties: Sequence[Cut], z: Indices, twins: Sequence[tuple[int, int]]
) -> tuple[_Sets, Array]:
    """Return every set of some projects, and the value of each tie by group."""
    count = len(some.projects)
    chosen = ((np.arange(2**count)[:, None] >> np.arange(count)) & 1).astype(bool)
    chosen = chosen[chosen[:, some.must].all(axis=1)]
    number = {p: n for n, p in enumerate(some.projects.tolist())}
    for before, after in twins:
        if before in number and after in number:
            chosen = chosen[chosen[:, number[before]] >= chosen[:, number[after]]]
    at = {column: n for n, column in enumerate(z[some.projects].tolist())}
    values = [chosen[:, [at[c] for c in tie.columns.tolist()]] @ tie.coefficients for tie in ties]
    told = np.column_stack([np.zeros(len(chosen)), *values])
    profiles, group = np.unique(told.round(9), axis=0, return_inverse=True)
    low, high, wide = (chosen @ money for money in (some.least, some.most, some.wide))
    return _Sets(some.projects, chosen, low, high, wide, group.reshape(-1)), profiles[:, 1:]


def _stretches(sets: _Sets, others: Reach) -> tuple[Array, Array, Indices]:
    """Return stretches of money without extras and their group: those that touch as one."""
    starts, ends = others.stretches(max(1, _PAIRS // len(sets.low)))
    group = np.repeat(sets.group, len(starts))
    low = (sets.low[:, None] + starts).reshape(-1)
    high = ((sets.high - sets.wide)[:, None] + ends).reshape(-1)
    order = np.lexsort((low, group))
    group, low, high = group[order], low[order], high[order]
    apart = (1.0 + high.max()) * group  # so that no group reaches into the next
    high = np.maximum.accumulate(high + apart) - apart
    new = (group[1:] != group[:-1]) | (low[1:] - high[:-1] > NEAR)
    first, last = np.append(True, new), np.append(new, True)
    return low[first], np.maximum(high[last], low[first]), group[first]


def _costs(problem: Problem, column: Mapping[str, int]) -> dict[int, list[_Cost]]:
    """Return by number of the cell what goals, and rows that may be missed, make of its money."""
    found: dict[int, list[_Cost]] = {}
    for i, cost in (*_of_goals(problem, column), *_of_rows(problem, column)):
        found.setdefault(i, []).append(cost)
    return found


def _of_goals(problem: Problem, column: Mapping[str, int]) -> Iterator[tuple[int, _Cost]]:
    curves, baseline = problem.curves, problem.baseline
    for k, goal in enumerate(problem.goals):
        for i in np.flatnonzero(problem.selected[k]).tolist() if goal.what == "change" else ():
            base = float(baseline[i])
            ends, slopes = np.array([base, np.inf]), np.array([-1.0, 1.0])
            yield i, _Cost(column[f"u{k}_{i}"], 1.0, base, ends, slopes)
        whole = zip(curves.members, curves.widths, curves.rates, strict=True)
        for cells, widths, rates in whole if goal.what == "disbursed" else ():
            name, i = f"w{k}_{int(cells[0])}", int(cells[0])
            if name in column and len(cells) == 1:
                ends = np.append(np.cumsum(widths), np.inf)
                yield i, _Cost(column[name], -1.0, 0.0, ends, np.append(-rates, 0.0))


def _of_rows(problem: Problem, column: Mapping[str, int]) -> Iterator[tuple[int, _Cost]]:
    for r, row in enumerate(problem.rows):
        if row.is_law or len(row.cells) != 1 or not is_plain(row) or row.right <= 0:
            continue
        slope = float(row.coef[0])
        start, slopes = (row.right, [-slope, 0.0]) if row.side == "min" else (0.0, [0.0, slope])
        ends = np.array([row.right / slope, np.inf])
        yield int(row.cells[0]), _Cost(column[f"v_{r}"], 1.0, start, ends, np.array(slopes))
