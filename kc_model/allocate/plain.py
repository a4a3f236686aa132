"""Contradictions that a planner can check by hand: what must be spent against what there is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kc_model.rules import Row

__all__ = ["Contradiction", "PlainLaws"]

_NOISE = 1e-13  # of the sums; a đồng is 3e-9 of the national programme


@dataclass(frozen=True)
class Contradiction:
    """Laws that ask for more than others allow.

    Parameters
    ----------
    rules : tuple of str
        Ids, in the order of the laws.
    needs : tuple of str
        Those among them that ask.
    needed, total : float
        What they ask for, and what there is; in the user's unit.
    row : Row
        The law that both are sums of.
    is_smallest : bool
        Whether the sums alone prove that the others hold together without any one of them.
    """

    rules: tuple[str, ...]
    needs: tuple[str, ...]
    needed: float
    total: float
    row: Row
    is_smallest: bool


@dataclass(frozen=True, eq=False)
class _Fixed:
    """A law against an amount that no plan changes; `of`: the budgets that make it one."""

    r: int
    id: str
    side: str
    cells: NDArray[np.int64]
    coef: NDArray[np.float64]
    bound: float
    of: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class _Part:
    """What one law asks for, or allows, of the reference's sum."""

    law: _Fixed
    amount: float
    cells: frozenset[int]


_Found = tuple[_Fixed, list[_Part], bool]
"""The law that the others are held against, these, and whether it is a floor."""


class PlainLaws:
    """The laws that are plain sums against amounts, compared with each other.

    A share of budgets that are used up counts as an amount.

    Parameters
    ----------
    laws : sequence of Row
    """

    def __init__(self, laws: Sequence[Row]) -> None:
        self.laws = laws
        wholes: dict[bytes, _Whole] = {}
        found = [_fixed(r, row, wholes, laws) for r, row in enumerate(laws)]
        fixed = [law for law in found if law is not None]
        self._floors = [law for law in fixed if law.side != "max" and law.bound > 0]
        self._caps = [law for law in fixed if law.side != "min"]
        self._count = Counter(row.id for row in laws)

    def find(self, rules: Collection[str]) -> Contradiction | None:
        """Return the first contradiction among these laws that sums show; None if none does."""
        found = next(self._all(set(rules)), None)
        return None if found is None else self._told(*found)

    def against(self, rules: Collection[str], bounds: Collection[str]) -> set[str]:
        """Return the bounds that sums show to contradict these rules: all, not only enough.

        Parameters
        ----------
        rules : collection of str
            What has to be part of such a contradiction, and all of it but bounds.
        bounds : collection of str
            Ids, none of them among `rules`.
        """
        every: set[str] = set()
        for reference, parts, _ in self._all({*rules, *bounds}):
            laws = [reference, *(part.law for part in parts)]
            named = {law.id for law in laws}.union(*(law.of for law in laws))
            if named.difference(bounds) == set(rules):
                every |= named.intersection(bounds)
        return every

    def _all(self, chosen: set[str]) -> Iterator[_Found]:
        floors = [law for law in self._floors if chosen.issuperset({law.id, *law.of})]
        caps = [law for law in self._caps if chosen.issuperset({law.id, *law.of})]
        yield from _overfull(floors, caps)
        yield from _leftover(floors, caps)

    def _told(self, reference: _Fixed, parts: list[_Part], is_floor: bool) -> Contradiction:
        """Leave out the rules that the sums do not need, the smallest first."""
        of_rule: dict[str, float] = {}
        for part in parts:
            of_rule[part.law.id] = of_rule.get(part.law.id, 0.0) + part.amount
        if not is_floor:
            amount, kept = 0.0, set()
            for rule in sorted(of_rule, key=lambda rule: -of_rule[rule]):
                if _above(amount, reference.bound):
                    break
                amount += of_rule[rule]
                kept.add(rule)
            parts = [part for part in parts if part.law.id in kept]
        laws = [part.law for part in parts]
        named = {law.id for law in (reference, *laws)}
        needs = {reference.id} if is_floor else {law.id for law in laws}
        named |= {rule for law in (reference, *laws) for rule in law.of}
        used = {law.r for law in (reference, *laws)}
        cells = [i for part in parts for i in part.cells]
        is_smallest = (
            len(used) == sum(self._count[rule] for rule in named)
            and len(cells) == len(set(cells))
            and not any(law.of for law in (reference, *laws))
        )
        amount = sum(part.amount for part in parts)
        needed, total = (reference.bound, amount) if is_floor else (amount, reference.bound)
        order = [rule for rule in self._count if rule in named]
        row = self.laws[reference.r]
        return Contradiction(
            tuple(order),
            tuple(rule for rule in order if rule in needs),
            needed * row.scale,
            total * row.scale,
            row,
            is_smallest,
        )


def _fixed(r: int, row: Row, wholes: dict[bytes, _Whole], laws: Sequence[Row]) -> _Fixed | None:
    """Return a law as one on a fixed amount; None where its whole depends on the plan."""
    counted = row.coef != 0
    cells, coef = row.cells[counted], row.coef[counted]
    if np.any(coef < 0) or not len(cells) or not np.all(row.base_coef == 1):
        return None
    key = row.base.tobytes()
    if key not in wholes:
        wholes[key] = _budgets(row.base, laws)
    whole = wholes[key]
    if whole is None:
        return None
    const, of = whole
    return _Fixed(r, row.id, row.side, cells, coef, row.factor * (row.const + const), of)


_Whole = tuple[float, tuple[str, ...]] | None


def _budgets(base: NDArray[np.int64], laws: Sequence[Row]) -> _Whole:
    """Return the sum and the ids of used-up budgets that make up some cells; None if none do."""
    left, const, of = set(base.tolist()), 0.0, []
    for law in laws if left else ():
        if law.side == "equal" and left.issuperset(law.cells.tolist()):
            left.difference_update(law.cells.tolist())
            const += law.const
            of.append(law.id)
    return None if left else (const, tuple(of))


def _above(one: float, other: float) -> bool:
    return one - other > _NOISE * (one + other)


def _overfull(floors: Sequence[_Fixed], caps: Sequence[_Fixed]) -> Iterator[_Found]:
    """Floors inside a cap that together ask for more than it allows."""
    by_cell: dict[int, list[_Fixed]] = {}
    for law in sorted(floors, key=lambda law: len(law.cells)):
        by_cell.setdefault(int(law.cells[0]), []).append(law)
    for cap in caps:
        weight = dict(zip(cap.cells.tolist(), cap.coef.tolist(), strict=True))
        near = [law for cell in weight for law in by_cell.get(cell, ()) if law.r != cap.r]
        parts: dict[int, _Part] = {}
        owner: dict[int, int] = {}
        for law in sorted(near, key=lambda law: len(law.cells)):
            cells = law.cells.tolist()
            if not weight.keys() >= set(cells):
                continue
            # At the least the floor takes what its best cell would need.
            worth = max(c / weight[i] for i, c in zip(cells, law.coef.tolist(), strict=True))
            part = _Part(law, law.bound / worth, frozenset(cells))
            inside = {owner[i] for i in cells if i in owner}
            if part.amount > sum(parts[r].amount for r in inside):
                for r in inside:
                    for i in parts.pop(r).cells:
                        del owner[i]
                parts[law.r] = part
                owner |= dict.fromkeys(cells, law.r)
        if _above(sum(part.amount for part in parts.values()), cap.bound):
            yield cap, list(parts.values()), False


def _leftover(floors: Sequence[_Fixed], caps: Sequence[_Fixed]) -> Iterator[_Found]:
    """Caps over all cells of a floor, or of a budget to be used up, that leave it unmet."""
    by_cell: dict[int, list[_Fixed]] = {}
    for law in caps:
        for i in law.cells.tolist():
            by_cell.setdefault(i, []).append(law)
    for floor in floors:
        weight = dict(zip(floor.cells.tolist(), floor.coef.tolist(), strict=True))
        if not all(any(law.r != floor.r for law in by_cell.get(i, ())) for i in weight):
            continue
        near = {law.r: law for i in weight for law in by_cell[i] if law.r != floor.r}
        parts = _cover([_allowed(law, weight) for law in near.values()])
        if _above(floor.bound, sum(part.amount for part in parts)):
            yield floor, parts, True


def _allowed(cap: _Fixed, weight: dict[int, float]) -> _Part:
    """Return the most of a weighted sum that a cap allows."""
    inside = [
        (i, c) for i, c in zip(cap.cells.tolist(), cap.coef.tolist(), strict=True) if i in weight
    ]
    worth = max(weight[i] / c for i, c in inside)
    return _Part(cap, cap.bound * worth, frozenset(i for i, _ in inside))


def _cover(parts: Sequence[_Part]) -> list[_Part]:
    """Choose parts that cover all cells, a wider one where it allows less than those inside it."""
    owner: dict[int, _Part] = {}
    held: dict[_Part, set[int]] = {}
    for part in sorted(parts, key=lambda part: len(part.cells)):
        inside = {owner[i] for i in part.cells if i in owner}
        whole = [other for other in inside if held[other] <= part.cells]
        free = {i for i in part.cells if i not in owner}
        if free or sum(other.amount for other in whole) > part.amount:
            mine = free.union(*(held.pop(other) for other in whole))
            if mine:
                held[part] = mine
                owner |= dict.fromkeys(mine, part)
    return [part for part in parts if part in held]
