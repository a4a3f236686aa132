"""States of a cell and points of them, of which one is the cheapest by some prices."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kc_model.allocate.reach import Reach
from kc_model.arrays import Cut

__all__ = ["CellStates", "Cost", "Extra", "Part", "Points", "Sets"]

Array = NDArray[np.float64]
Indices = NDArray[np.int64]


class Cost(NamedTuple):
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


class Sets(NamedTuple):
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
    costs : list of Cost
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
    sets : Sets
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
    costs: list[Cost]
    ties: list[Cut]
    amounts: list[Extra]
    extras: list[Extra]
    low: Array
    high: Array
    group: Indices
    profiles: Array
    sets: Sets
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
