"""Whether amounts on a grid could be nearer to a plan by moving one step, or one step across."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from kc_model.cells import MILLION
from kc_model.rules import Row, Sums

__all__ = ["has_reserve", "nearer_step"]

_GAIN = 1e-3  # steps: what is nearer by less is as near
_SURE = 1e-13  # of the size of a sum: what rounding of numbers may hide

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]


def has_reserve(row: Row) -> bool:
    """Whether a row is a budget that need not be used up."""
    return row.id.startswith("budget:") and row.side == "max"


def nearer_step(
    rows: Sequence[Row],
    sums: Sums,
    grid: int,
    plan: Floats,
    amounts: NDArray[np.int64],
    free: NDArray[np.bool_] | None = None,
) -> tuple[int, int] | None:
    """Return the cells, one to raise and one to lower by a step, that bring amounts nearer.

    No row may be missed by more, or for the first time; no budget may be used less. The distance
    is Σ |amount − plan|.

    Parameters
    ----------
    sums : Sums
        Of these rows.
    grid : int, VND
    plan : array (n_cells,), million VND
    amounts : array (n_cells,), VND
        Multiples of the grid.
    free : array of bool (n_cells,) or None
        The cells that may move; None: all.

    Returns
    -------
    (int, int) or None
        -1 stands for no cell. None: the amounts are as near as such steps can bring them.
    """
    at, there = amounts / grid, plan * MILLION / grid
    up = np.abs(at + 1 - there) - np.abs(at - there)
    down = np.where(amounts >= grid, np.abs(at - 1 - there) - np.abs(at - there), np.inf)
    if free is not None:
        up, down = np.where(free, up, np.inf), np.where(free, down, np.inf)
    best_up, best_down = (min(0.0, float(np.min(cost, initial=0.0))) for cost in (up, down))
    ups = np.flatnonzero(up + best_down < -_GAIN)
    downs = np.flatnonzero(down + best_up < -_GAIN)
    if not len(ups) and not len(downs):
        return None
    ups, downs = ups[np.argsort(up[ups], kind="stable")], downs[np.argsort(down[downs])]
    rooms = _Rooms(rows, sums, grid, amounts)
    return next(_nearer(rooms, up, down, ups, downs), None)


def _nearer(
    rooms: _Rooms, up: Floats, down: Floats, ups: Indices, downs: Indices
) -> Iterator[tuple[int, int]]:
    alone_up, alone_down = rooms.broken(ups, 1.0), rooms.broken(downs, -1.0)
    for i, broken in zip(ups.tolist(), alone_up.tolist(), strict=True):
        if up[i] < -_GAIN and not broken:
            yield i, -1
    for j, broken in zip(downs.tolist(), alone_down.tolist(), strict=True):
        if down[j] < -_GAIN and not broken:
            yield -1, j
    for i in ups.tolist():
        worth = (up[i] + down[downs] < -_GAIN) & (downs != i)
        for j in downs[worth][rooms.across(i, downs[worth], alone_down[worth])].tolist():
            yield i, j


class _Rooms:
    """What a step of every cell does to every row, and how much each can take."""

    def __init__(
        self, rows: Sequence[Row], sums: Sums, grid: int, amounts: NDArray[np.int64]
    ) -> None:
        x, step = amounts / MILLION, grid / MILLION
        net = sums.net() * step
        slack = np.where(sums.sides == "equal", -np.abs(sums.slack(x)), sums.slack(x))
        size = np.maximum(np.abs(sums.lhs(x)), np.abs(sums.bound(x)))
        low = np.flatnonzero(sums.sides != "max")
        high = np.flatnonzero(sums.sides != "min")
        used = np.array([r for r, row in enumerate(rows) if has_reserve(row)], dtype=np.int64)
        parts = [net[low], -net[high], net[used]]
        self.effect = sparse.csr_array(sparse.vstack(parts))
        self.turned = sparse.csc_array(self.effect)
        self.room = np.concatenate([slack[low], slack[high], np.zeros(len(used))])
        self.room -= _SURE * np.concatenate([size[low], size[high], size[used]])

    def _breaks(self, change: Floats, room: Floats) -> NDArray[np.bool_]:
        return (change < 0) & (room + change < 0)

    def broken(self, cells: Indices, sign: float) -> Indices:
        """Return how many rows a step of each of these cells alone would break."""
        part = self.turned[:, cells]
        column = np.repeat(np.arange(len(cells)), np.diff(part.indptr))
        breaks = self._breaks(sign * part.data, self.room[part.indices])
        return np.bincount(column, breaks, len(cells)).astype(np.int64)

    def across(self, i: int, downs: Indices, alone: Indices) -> NDArray[np.bool_]:
        """Return which of these cells can give a step to cell i with no row broken.

        `alone`: what `broken` says of them; in the rows of cell i both count together.
        """
        start, end = self.turned.indptr[i], self.turned.indptr[i + 1]
        mine, raised = self.turned.indices[start:end], self.turned.data[start:end]
        lowered = -self.turned[:, downs].tocsr()[mine].toarray()
        room = self.room[mine][:, None]
        elsewhere = alone - self._breaks(lowered, room).sum(axis=0)
        together = self._breaks(lowered + raised[:, None], room).any(axis=0)
        return np.asarray((elsewhere == 0) & ~together)
