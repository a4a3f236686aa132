"""One side of one group of a rule, a budget or a bound."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from kc_model.errors import Address

__all__ = ["NIL", "NONE", "SIDES", "Row"]

NONE = np.array([], dtype=np.int64)
"""No cells."""

NIL = np.array([], dtype=np.float64)
"""Their coefficients."""

SIDES = ("min", "max")
"""Sides that a rule and a bound may have."""

_NOWHERE = Address()


@dataclass(frozen=True)
class Row:
    """One side of one group of a rule, a budget or a bound.

    Parameters
    ----------
    id, group : str
        Rule id (``budget:N``, ``bound:CELL:side``) and the group's values joined by ``|``.
    side : {"min", "max", "equal"}
    cells, coef : arrays
        L; in million VND, in outputs, or in the column's unit times million VND.
    base, base_coef, const : arrays and float
        B, in the same unit as L where m is a share.
    factor : float
        m; the bound in the user's unit where B is 1.
    scale : float
        One unit of the row in the user's unit.
    exact : Fraction or None
        The bound in VND where L is money and B is fixed: such a bound holds to the đồng.
    measure : str
        What L counts: ``money``, ``share`` (money against a share of money), ``outputs``,
        ``projects`` or ``column:NAME``.
    whole : Fraction or None
        B in VND, where `exact` is m times it.
    projects, base_projects : arrays of int
        Projects not decided yet that L and B count.
    given : float
        The part of L that is decided: projects that are chosen.
    """

    id: str
    group: str
    side: str
    tier: str
    weight: float
    cells: NDArray[np.int64]
    coef: NDArray[np.float64]
    base: NDArray[np.int64]
    base_coef: NDArray[np.float64]
    const: float
    factor: float
    scale: float
    exact: Fraction | None
    measure: str = "money"
    text: str = ""
    basis: str = ""
    at: Address = _NOWHERE
    whole: Fraction | None = None
    projects: NDArray[np.int64] = field(default_factory=lambda: NONE)
    base_projects: NDArray[np.int64] = field(default_factory=lambda: NONE)
    given: float = 0.0

    @property
    def is_law(self) -> bool:
        """Whether it is never broken."""
        return self.tier == "law"

    @property
    def right(self) -> float:
        """The part of m · B that no plan changes, less that of L."""
        return self.factor * self.const - self.given

    @property
    def words(self) -> tuple[str, ...]:
        """Id, group, side (an equation counts as ``max``), tier, measure, text and basis."""
        side = "min" if self.side == "min" else "max"
        return (self.id, self.group, side, self.tier, self.measure, self.text, self.basis)

    def over_projects(self, start: int) -> Row:
        """Return the row with its projects as cells: number p stands at ``start + p``."""
        if not len(self.projects) + len(self.base_projects):
            return self
        return replace(
            self,
            cells=np.append(self.cells, start + self.projects),
            coef=np.append(self.coef, np.ones(len(self.projects))),
            base=np.append(self.base, start + self.base_projects),
            base_coef=np.append(self.base_coef, np.ones(len(self.base_projects))),
            projects=NONE,
            base_projects=NONE,
        )

    def decided(self, chosen: NDArray[np.bool_]) -> Row:
        """Return the row once it is known which projects are chosen."""
        if not len(self.projects) + len(self.base_projects):
            return self
        counted, base = (int(chosen[some].sum()) for some in (self.projects, self.base_projects))
        const, given = self.const + base, self.given + counted
        return replace(self, projects=NONE, base_projects=NONE, const=const, given=given)

    def coefficients(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return cells and coefficients of L − m · Σ base, each cell once."""
        return self._net

    @cached_property
    def _net(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        cells, place = np.unique(np.concatenate([self.cells, self.base]), return_inverse=True)
        values = np.zeros(len(cells))
        np.add.at(values, place, np.concatenate([self.coef, -self.factor * self.base_coef]))
        return cells, values
