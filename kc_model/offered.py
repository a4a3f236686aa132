"""What projects (đề án) may pay into the cells of a plan: amounts, parts, links, who is chosen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from kc_model.cells import MILLION, Cells
from kc_model.errors import Address, Fault
from kc_model.projects import Offers
from kc_model.reading import dong
from kc_model.scenario import Where
from kc_model.tables import CELL_KEYS, Dataset

__all__ = ["Offered", "offered_of"]

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
        One row per project, index 0 to m-1: id, and whatever selections may ask for.
    may, must : arrays of bool (m,)
        Whether it can be chosen; whether it has to be, being paid or accepted already.
    least, most : arrays of int (m,), VND
        What a chosen project gets: multiples of the grid.
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
    data: Dataset, offers: Offers, cells: Cells, year: int, grid: int
) -> tuple[Offered, list[Fault]]:
    """Return the projects over the cells of a plan, and why some cannot be chosen in it.

    Parameters
    ----------
    data : Dataset
        Knows where each project stands.
    offers : Offers
    cells : Cells
        The plan's cells only.
    year : int
        Projects are paid in it; later years of a plan have none.
    grid : int, VND
        A project gets multiples of it or nothing.

    Returns
    -------
    tuple
        Projects; warnings project-outside (a cell of it has no budget), project-off-grid (no
        multiple of the grid lies within its bounds), required-out (it needs such a one).
    """
    frame, parts = offers.frame, offers.parts
    keys = parts.assign(year=year)[list(CELL_KEYS)]
    places = pd.MultiIndex.from_frame(cells.frame[list(CELL_KEYS)])
    at = places.get_indexer(pd.MultiIndex.from_frame(keys))
    stays = frame["stays"].to_numpy(dtype=bool)
    least, most = _on_grid(frame, stays, grid)
    row = parts["row"].to_numpy(dtype=np.int64)
    outside = np.isin(np.arange(len(frame)), row[at < 0])
    off_grid = (least > most) | (most <= 0)
    may = (frame["eligible"].to_numpy(dtype=bool) | stays) & ~outside & ~off_grid
    faults = []
    for code, why in (("project-outside", outside), ("project-off-grid", off_grid & ~outside)):
        for number in np.flatnonzero(why & frame["eligible"].to_numpy(dtype=bool)).tolist():
            place = data.origins.get(("projects", number), Address("projects.csv"))
            values = {"id": frame["id"][number], "grid": dong(grid)}
            faults.append(Fault(code, place, values, level="warning"))
    must = stays & may
    _lose_needing(may, must, offers, data, faults)
    shares = [share for every in frame["shares"] for share in every]
    inside = may[row]
    sure = parts["share"].to_numpy() * frame["sure"].to_numpy(dtype=np.float64)[row]
    sure = np.rint(sure) / MILLION  # slices are of whole đồng, in a proof too
    excludes = _among(offers.excludes, may)
    return (
        Offered(
            *(frame, may, must, least, most, frame["before"].to_numpy(dtype=np.int64)),
            frame["rank"].to_numpy(dtype=np.int64),
            np.unique(at[at >= 0]).astype(np.int64),
            *(row[inside], at[inside].astype(np.int64)),
            tuple(share for share, known in zip(shares, inside, strict=True) if known),
            *(_among(offers.requires, may), excludes[~must[excludes].all(axis=1)]),
            sure=sure[inside],
        ),
        faults,
    )


def _on_grid(frame: pd.DataFrame, stays: Mask, grid: int) -> tuple[Dong, Dong]:
    """Return least and most in whole steps; what stays is never below what it was paid."""
    least = -(-frame["least"].to_numpy(dtype=np.int64) // grid) * grid
    most = frame["most"].to_numpy(dtype=np.int64) // grid * grid
    paid = -(-frame["disbursed"].fillna(0).to_numpy(dtype=np.int64) // grid) * grid
    most = np.where(stays, np.maximum(most, paid), most)
    return np.where(stays, np.minimum(least, most), least), most


def _lose_needing(
    may: Mask, must: Mask, offers: Offers, data: Dataset, faults: list[Fault]
) -> None:
    """Take out what needs a project that is out, unless it has to stay."""
    while True:
        pairs = offers.requires.tolist()
        lost = [(a, b) for a, b in pairs if may[a] and not must[a] and not may[b]]
        if not lost:
            return
        for needing, needed in lost:
            may[needing] = False
            values = {"id": offers.frame["id"][needing], "others": offers.frame["id"][needed]}
            at = data.origins.get(("projects", needing), Address("projects.csv"))
            faults.append(Fault("required-out", at, values, level="warning"))


def _among(pairs: Indices, may: Mask) -> Indices:
    return pairs[may[pairs].all(axis=1)]
