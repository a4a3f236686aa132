"""What projects (đề án) may pay into the cells of a plan: amounts, parts, links, who is chosen."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from kc_model.cells import MILLION, Cells
from kc_model.errors import Fault
from kc_model.money import UNITS, Amount
from kc_model.projects import FAULTY, Offers, planned_parts
from kc_model.scenario import Rule, Scenario, Where
from kc_model.tables import CELL_KEYS, Dataset

__all__ = ["LITTLE", "Offered", "offered_of"]

LITTLE = 1_000
"""Đồng: what is chosen gets more than nothing, and solvers see no less."""

Mask = NDArray[np.bool_]
Indices = NDArray[np.int64]
Dong = NDArray[np.int64]
Money = NDArray[np.float64]


@dataclass(frozen=True)
class Offered:
    """The projects of a plan, over its cells.

    Parameters
    ----------
    frame : DataFrame
        One row per project, index 0 to m-1: id, why (tuple of codes: what keeps it out), and
        whatever selections may ask for.
    may, must : arrays of bool (m,)
        Whether it can be chosen; whether it has to be, being paid or accepted already.
    exact : array of bool (m,)
        Whether it stays at just the amount that was paid, or that no multiple of the grid meets:
        it and its parts hold to the đồng, on the grid or off it.
    ends : array of bool (m,)
        Whether one that stays is not carried out: it keeps what it was paid, no more.
    least, most : arrays of int (m,), VND
        What a chosen project gets: multiples of the grid, but of what is exact.
    before : array of int (m,), VND
        What the plan in force gives it.
    rank : array of int (m,)
        Order of the law, then score, then id: 1 is the first.
    named : array of int
        The cells whose money comes from projects, also where none of these can be chosen.
    project, cell : arrays of int (n_parts,)
        Which project that can be chosen pays into which cell, by project.
    share : tuple of Fraction (n_parts,)
        The cell's part of the project's money.
    requires, excludes : arrays of int (n, 2)
        Project and the one it needs; pairs that exclude each other.
    chosen : array of bool (m,) or None
        None: not decided yet.
    sure : array (n_parts,), million VND
        What of each part counts as disbursed if the project is chosen, whatever the forecast of
        its cell says; empty where nothing does.
    """

    frame: pd.DataFrame
    may: Mask
    must: Mask
    exact: Mask
    ends: Mask
    least: Dong
    most: Dong
    before: Dong
    rank: Indices
    named: Indices
    project: Indices
    cell: Indices
    share: tuple[Fraction, ...]
    requires: Indices
    excludes: Indices
    chosen: Mask | None = None
    sure: Money = field(default_factory=lambda: np.zeros(0))

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def ids(self) -> list[str]:
        """Every project's id."""
        return [str(one) for one in self.frame["id"]]

    @property
    def is_whole(self) -> Mask:
        """Whether a project gets one amount or nothing."""
        return np.asarray(self.least == self.most)

    @property
    def whole_parts(self) -> Dong:
        """What every part gets of its project's most, VND; the parts add up to it."""
        parts = [int(share * int(self.most[p])) for p, share in self._shares()]
        left = self.most.copy()
        np.subtract.at(left, self.project, np.array(parts, dtype=np.int64))
        for k, (p, _) in enumerate(self._shares()):  # less than a đồng for each part
            more = min(1, int(left[p]))
            parts[k] += more
            left[p] -= more
        return np.array(parts, dtype=np.int64)

    def paid(self, project: int) -> int:
        """Return what a project was paid already, VND."""
        paid = self.frame["disbursed"][project]
        return 0 if pd.isna(paid) else int(paid)

    def _shares(self) -> Iterator[tuple[int, Fraction]]:
        return zip(self.project.tolist(), self.share, strict=True)

    def off_grid(self, grid: int, count: int) -> Dong:
        """Return what of every cell is off the grid because a project holds to the đồng, VND.

        Parameters
        ----------
        grid : int, VND
        count : int
            Of cells.
        """
        held = np.zeros(count, dtype=np.int64)
        exact = self.exact[self.project]
        np.add.at(held, self.cell[exact], self.whole_parts[exact])
        return held % grid

    def cells_of(self, some: Mask, cells: Cells) -> Mask:
        """Return which cells any of some projects names, also where it cannot be chosen."""
        own = self.frame.loc[some, list(CELL_KEYS[1:])].astype(str)
        rows = own.itertuples(index=False, name=None)
        keys = {(one, *row[1:]) for row in rows for one in row[0].split(";")}
        known = cells.frame.loc[self.named, list(CELL_KEYS[1:])].itertuples(index=False, name=None)
        found = np.zeros(len(cells), dtype=bool)
        found[self.named] = [key in keys for key in known]
        return found

    def paying(self, cells: Indices) -> Mask:
        """Return which projects that can be chosen pay into any of some cells."""
        found = np.zeros(len(self), dtype=bool)
        found[self.project[np.isin(self.cell, cells)]] = True
        return found & self.may

    def asked(self, where: Where, cells: Cells) -> dict[str, tuple[str, ...]]:
        """Return the part of a selection that speaks of projects: keys that no cell has."""
        return {
            key: tuple(values)
            for key, values in where.items()
            if cells.attribute(key) is None and key in self.frame
        }

    def matching(self, where: Mapping[str, tuple[str, ...]]) -> Mask:
        """Return which projects have any of the values asked for, in every column asked for."""
        found = np.ones(len(self), dtype=bool)
        for key, values in where.items():
            found &= self.frame[key].astype(str).isin(values).to_numpy(dtype=bool)
        return found

    def keeps_links(self, chosen: Mask) -> bool:
        """Whether a choice has every project that another needs and no two that exclude."""
        needs, needed = self.requires.T
        one, other = self.excludes.T
        return not (np.any(chosen[needs] & ~chosen[needed]) or np.any(chosen[one] & chosen[other]))


def offered_of(
    data: Dataset, offers: Offers, cells: Cells, scenario: Scenario, grid: int
) -> tuple[Offered, list[Fault]]:
    """Return the projects over the cells of a plan, and why some cannot be chosen in it.

    Parameters
    ----------
    data : Dataset
        Knows where each project stands.
    offers : Offers
    cells : Cells
        The plan's cells only.
    scenario : Scenario
        Projects are paid in its year, later ones have none; its rules on the money of single
        projects bound what these get.
    grid : int, VND
        A project gets multiples of it or nothing.

    Returns
    -------
    tuple
        Projects; warnings project-outside (a cell of it has no budget), project-off-grid (no
        multiple of the grid lies within its bounds), project-exact (it stays and holds off the
        grid), required-out (it needs one that is out), links-void (what it says of others cannot
        hold, but it stays).

    Notes
    -----
    What is chosen gets more than nothing: a step of the grid and 1,000 đồng at the least.
    """
    frame, parts = offers.frame.copy(deep=False), offers.parts
    keys = parts.assign(year=scenario.year)[list(CELL_KEYS)]
    places = pd.MultiIndex.from_frame(cells.frame[list(CELL_KEYS)])
    at = places.get_indexer(pd.MultiIndex.from_frame(keys))
    stays = frame["stays"].to_numpy(dtype=bool)
    eligible = frame["eligible"].to_numpy(dtype=bool)
    least, most, exact = _on_grid(frame, stays, grid)
    row = parts["row"].to_numpy(dtype=np.int64)
    outside = np.isin(np.arange(len(frame)), row[at < 0])
    off_grid = (least > most) | (most <= 0)
    may = (eligible | stays) & ~outside & ~off_grid
    warn = _Warnings(data, frame, grid)
    for code, why in (("project-outside", outside), ("project-off-grid", off_grid & ~outside)):
        for number in np.flatnonzero(why & eligible).tolist():
            warn(code, number)
    least, most = _held(offers.frame["id"], least, most, exact, scenario.rules, data.unit, grid)
    may &= least <= most
    must = stays & may
    _lose_needing(may, must, offers, warn)
    out = {str(one): dict.fromkeys(why) for one, why in zip(frame["id"], frame["why"], strict=True)}
    for fault in warn.faults:
        out[str(fault.values["id"])][fault.code] = None
    frame["why"] = pd.Series([tuple(codes) for codes in out.values()], frame.index, dtype=object)
    requires, excludes = _links(offers, may, must, eligible, warn)
    shares = [share for every in frame["shares"] for share in every]
    inside = may[row]
    sure = np.minimum(frame["sure"].to_numpy(dtype=np.float64), least)
    sure = parts["share"].to_numpy() * sure[row]
    sure = np.rint(sure) / MILLION  # slices are of whole đồng, in a proof too
    offered = Offered(
        *(frame, may, must, exact & must, must & ~eligible),
        *(least, most, _before(frame, cells, scenario.year)),
        frame["rank"].to_numpy(dtype=np.int64),
        np.unique(at[at >= 0]).astype(np.int64),
        *(row[inside], at[inside].astype(np.int64)),
        tuple(share for share, known in zip(shares, inside, strict=True) if known),
        *(requires, excludes),
        sure=sure[inside],
    )
    off = offered.exact[offered.project] & (offered.whole_parts % grid != 0)
    for number in np.unique(offered.project[off]).tolist():
        warn("project-exact", number, amount=Amount(int(most[number]), data.unit))
    return offered, warn.faults


def _before(frame: pd.DataFrame, cells: Cells, year: int) -> Dong:
    """Return what the plan in force gives each project, of one that is stopped too."""
    planned = planned_parts(frame, cells.frame[cells.frame["year"] == year])
    sums = planned.groupby("project")["before"].sum().reindex(frame["id"], fill_value=0)
    return sums.to_numpy(dtype=np.int64)


@dataclass(frozen=True)
class _Warnings:
    data: Dataset
    frame: pd.DataFrame
    grid: int
    faults: list[Fault] = field(default_factory=list)

    def __call__(self, code: str, number: int, **values: object) -> None:
        at = self.data.at("projects", number, FAULTY[code])
        values = {
            "id": self.frame["id"][number],
            "grid": Amount(self.grid, self.data.unit),
            **values,
        }
        self.faults.append(Fault(code, at, values, level="warning"))

    def names(self, numbers: Iterable[int]) -> str:
        return "; ".join(str(self.frame["id"][number]) for number in sorted(set(numbers)))


def _held(
    ids: pd.Series,
    least: Dong,
    most: Dong,
    exact: Mask,
    rules: Iterable[Rule],
    unit: str,
    grid: int,
) -> tuple[Dong, Dong]:
    """Return least and most as rules on the money of single projects leave them.

    A most below the least is left to the rule's row: the project may not be chosen then.
    """
    number = {str(one): p for p, one in enumerate(ids)}
    least, most = least.copy(), most.copy()
    for rule in rules:
        p = number.get(rule.project, -1)
        if p >= 0 and exact[p]:  # its amount is not for rules to choose
            continue
        if p >= 0 and rule.min is not None:
            least[p] = max(least[p], -(-int(rule.min * UNITS[unit]) // grid) * grid)
        if p >= 0 and rule.max is not None and int(rule.max * UNITS[unit]) >= least[p]:
            most[p] = min(most[p], int(rule.max * UNITS[unit]) // grid * grid)
    return least, most


def _on_grid(frame: pd.DataFrame, stays: Mask, grid: int) -> tuple[Dong, Dong, Mask]:
    """Return least and most in whole steps, and what stays at an amount of its own.

    A cap is a ceiling, not a size: a project that would get all it may gets the step below it.
    Where no step lies between the bounds of what stays it gets the least.
    """
    low, high = (frame[name].to_numpy(dtype=np.int64) for name in ("least", "most"))
    paid = frame["disbursed"].fillna(0).to_numpy(dtype=np.int64)
    is_cut = frame["min_support"].isna() & (frame["support"] > frame["cap"]).fillna(False)
    is_cut &= (frame["most"] == frame["cap"]).fillna(False)
    below = high // grid * grid
    is_open = is_cut.to_numpy(dtype=bool) & (below >= paid)
    is_open &= ~(stays & (frame["stage"] == "accepted").to_numpy(dtype=bool))
    low = np.where(is_open, np.minimum(low, below), low)
    low = np.where(stays, low, np.maximum(low, np.minimum(high, LITTLE)))
    least, most = -(-low // grid) * grid, high // grid * grid
    exact = stays & ((least > most) | ((low == high) & (high == paid)))
    return np.where(exact, low, least), np.where(exact, low, most), exact


def _lose_needing(may: Mask, must: Mask, offers: Offers, warn: _Warnings) -> None:
    """Take out what needs a project that is out, unless it has to stay."""
    while True:
        pairs = offers.requires.tolist()
        lost = [(a, b) for a, b in pairs if may[a] and not must[a] and not may[b]]
        if not lost:
            return
        for needing, needed in lost:
            may[needing] = False
            warn("required-out", needing, others=warn.names([needed]))


def _links(
    offers: Offers, may: Mask, must: Mask, eligible: Mask, warn: _Warnings
) -> tuple[Indices, Indices]:
    """Return the links that hold: those that what stays would break do not.

    What only keeps the money it was paid needs nothing more, nor does what was accepted, but both
    stay beside nothing they exclude, unless it was stopped. Among what stays the links are void,
    and what it needs where all of that cannot be together.
    """
    idle = must & ~eligible
    stopped = offers.frame["stage"].to_numpy() == "stopped"
    needs, apart = _among(offers.requires, may), _among(offers.excludes, may)
    for one, other in offers.requires[must[offers.requires[:, 0]]].tolist():
        if eligible[one] and (idle[other] or not may[other]):
            warn("links-void", one, others=warn.names([other]))
    is_done = must & (offers.frame["stage"] == "accepted").to_numpy(dtype=bool)
    needs = needs[~(idle[needs].any(axis=1) | is_done[needs[:, 0]])]
    apart = apart[~stopped[apart].any(axis=1)]
    both = must[apart].all(axis=1)
    for one, other in apart[both].tolist():
        warn("links-void", one, others=warn.names([other]))
    apart = apart[~both]
    for one in np.flatnonzero(must & ~idle).tolist():
        # Beside all that stays: one project after the other loses what it cannot have.
        together = _needed(needs, must)
        clash = apart[together[apart].all(axis=1)]
        own = _needed(needs, np.arange(len(must)) == one) & ~must
        wrong = clash[own[clash].any(axis=1)]
        if len(wrong):
            needs = needs[needs[:, 0] != one]
            others = [number for number in np.unique(wrong).tolist() if number != one]
            warn("links-void", one, others=warn.names(others))
    return needs, apart


def _needed(needs: Indices, some: Mask) -> Mask:
    """Return some projects and all that they need, directly or through others."""
    while True:
        more = some.copy()
        more[needs[some[needs[:, 0]], 1]] = True
        if np.array_equal(more, some):
            return some
        some = more


def _among(pairs: Indices, may: Mask) -> Indices:
    return pairs[may[pairs].all(axis=1)]
