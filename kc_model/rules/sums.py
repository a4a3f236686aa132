"""Many rows at once: what a plan gives each of them, and by how much it misses it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from kc_model.cells import MILLION
from kc_model.rules.row import NIL, NONE, Row

__all__ = ["Sums"]

_NO = np.array([], dtype=bool)
_ANY = np.array([], dtype=object)


@dataclass(frozen=True)
class Sums:
    """L and B of many rows at once: what a plan, in million VND, gives each of them.

    Parameters
    ----------
    left, base : sparse (n_rows, n_cells)
        Coefficients of L and of B.
    factor, const, given : arrays (n_rows,)
        m, and the parts of B and of L that no plan changes.
    law : array of bool (n_rows,)
    sides : array of str (n_rows,)
    largest : array (n_rows,)
        The largest coefficient of L: what one million VND can move it by.
    is_money : array of bool (n_rows,)
        Whether L is money.
    exact : array of int
        Numbers of the rows that are plain money, whose bounds hold to the đồng.
    inside : sparse (n_exact, n_cells) of int
        Their coefficients of L.
    bound_vnd : tuple of two arrays (n_exact,) of int of any size
        Their bounds in VND, as numerator and denominator.
    """

    left: sparse.csr_array
    base: sparse.csr_array
    factor: NDArray[np.float64]
    const: NDArray[np.float64]
    given: NDArray[np.float64]
    law: NDArray[np.bool_]
    sides: NDArray[np.str_]
    largest: NDArray[np.float64]
    is_money: NDArray[np.bool_]
    exact: NDArray[np.int64]
    inside: sparse.csr_array
    bound_vnd: tuple[NDArray[np.object_], NDArray[np.object_]]

    @classmethod
    def of(cls, rows: Sequence[Row], n_cells: int) -> Sums:
        """Return the sums of some rows over so many cells."""
        left = _stack([(row.cells, row.coef) for row in rows], n_cells)
        base = _stack([(row.base, row.base_coef) for row in rows], n_cells)
        sides = np.array([row.side for row in rows], dtype=str)
        largest = np.zeros(len(rows))
        place = np.repeat(np.arange(len(rows)), np.diff(left.indptr))
        np.maximum.at(largest, place, abs(left.data))
        is_money = np.array([row.measure in {"money", "share"} for row in rows], dtype=bool)
        exact = np.array([r for r, row in enumerate(rows) if row.exact is not None], dtype=np.int64)
        inside = left[exact].astype(np.int64)
        blank = (NIL, NIL, NIL, _NO, sides, largest, is_money, exact, inside, (_ANY, _ANY))
        return cls(left, base, *blank).renumbered(rows)

    def renumbered(self, rows: Sequence[Row]) -> Sums:
        """Return the same sums against the numbers and tiers of rows that are otherwise alike."""
        bounds = [rows[r].exact or Fraction(0) for r in self.exact.tolist()]
        return replace(
            self,
            factor=np.array([row.factor for row in rows], dtype=np.float64),
            const=np.array([row.const for row in rows], dtype=np.float64),
            given=np.array([row.given for row in rows], dtype=np.float64),
            law=np.array([row.is_law for row in rows], dtype=bool),
            bound_vnd=(
                np.array([bound.numerator for bound in bounds], dtype=object),
                np.array([bound.denominator for bound in bounds], dtype=object),
            ),
        )

    def net(self) -> sparse.csr_array:
        """Return the coefficients of L − m · Σ base."""
        return sparse.csr_array(self.left - sparse.diags_array(self.factor) @ self.base)

    @property
    def right(self) -> NDArray[np.float64]:
        """The part of m · B that no plan changes, less that of L."""
        return self.factor * self.const - self.given

    def lhs(self, plan: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return L of every row."""
        return np.asarray(self.left @ plan + self.given)

    def bound(self, plan: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return m · B of every row."""
        return np.asarray(self.factor * (self.const + self.base @ plan))

    def slack(self, plan: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return how much room is left, in each row's unit; below 0 where it is missed."""
        over = self.lhs(plan) - self.bound(plan)
        return np.where(self.sides == "min", over, -over)

    def shortfall(self, plan: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return by how much each row is missed, in its unit; 0 where it holds."""
        slack = self.slack(plan)
        return np.where(self.sides == "equal", np.abs(slack), np.maximum(0.0, -slack))

    def missed(self, amounts: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return every row's shortfall by amounts in VND; exactly where the row is plain money."""
        missed = self.shortfall(amounts / MILLION)
        bound, part = self.bound_vnd
        over = (self.inside @ amounts).astype(object) * part - bound
        sides = self.sides[self.exact]
        over = np.where(sides == "min", -over, np.where(sides == "equal", abs(over), over))
        missed[self.exact] = np.maximum(over, 0) / (part * MILLION)
        return missed

    def tolerances(self, grid: int) -> NDArray[np.float64]:
        """Return how far a plan rounded to `grid`, VND, may be from each row, in the row's unit.

        Nothing for an amount of money; one step of money for a share, what one step of money
        counts for a count.
        """
        step = grid / MILLION
        room = np.where(self.is_money, step, step * self.largest)
        room[self.exact] = np.where(self.law[self.exact], 0.0, room[self.exact])
        return room


def _stack(
    parts: Sequence[tuple[NDArray[np.int64], NDArray[np.float64]]], n_cells: int
) -> sparse.csr_array:
    starts = np.cumsum([0, *(len(cells) for cells, _ in parts)])
    cells = np.concatenate([NONE, *(cells for cells, _ in parts)])
    coef = np.concatenate([NIL, *(coef for _, coef in parts)])
    return sparse.csr_array((coef, cells, starts), shape=(len(parts), n_cells))
