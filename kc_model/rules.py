"""Rules made concrete: one row for every rule, group and side over the cells of a plan.

A row says ``L ≥ m · B`` (side min), ``L ≤ m · B`` (max) or ``L = m · B`` (a budget that is used
up), with L = Σ coef · x and B = const + Σ base_coef · x, x in million VND. Budgets and the bounds
of cells are rows too, so that one table can tell of everything that holds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from kc_model import money
from kc_model.cells import MILLION, Cells
from kc_model.errors import Address, Fault
from kc_model.offered import Offered
from kc_model.scenario import Budget, Rule, Scenario
from kc_model.tables import CELL_KEYS, SCHEMAS

__all__ = [
    "Row",
    "Sums",
    "bound_rows",
    "budget_rows",
    "column_of",
    "purses",
    "renumber_rows",
    "rule_rows",
]

_MONEY = frozenset(
    column.name
    for schema in ("cells", "projects")
    for column in SCHEMAS[schema].columns
    if column.kind == "money"
)
_NOWHERE = Address()
_SHOWN = 5
_FEW = 3  # groups named in a warning that is mostly what was meant
_SIDES = ("min", "max")
_NONE = np.array([], dtype=np.int64)
_NIL = np.array([], dtype=np.float64)
_NO = np.array([], dtype=bool)
_ANY = np.array([], dtype=object)


@dataclass(frozen=True)
class Row:
    """One side of one group of a rule, a budget or a bound.

    Parameters
    ----------
    id, group : str
        Rule id (``budget:N``, ``bound:CELL:side``) and the group's values joined by ``|``.
    side : {"min", "max", "equal"}
    tier : str
    weight : float
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
    text, basis : str
    at : Address
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
    projects: NDArray[np.int64] = field(default_factory=lambda: _NONE)
    base_projects: NDArray[np.int64] = field(default_factory=lambda: _NONE)
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
            projects=_NONE,
            base_projects=_NONE,
        )

    def decided(self, chosen: NDArray[np.bool_]) -> Row:
        """Return the row once it is known which projects are chosen."""
        if not len(self.projects) + len(self.base_projects):
            return self
        counted, base = (int(chosen[some].sum()) for some in (self.projects, self.base_projects))
        const, given = self.const + base, self.given + counted
        return replace(self, projects=_NONE, base_projects=_NONE, const=const, given=given)

    def coefficients(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return cells and coefficients of L − m · Σ base, each cell once."""
        return self._net

    @cached_property
    def _net(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        cells, place = np.unique(np.concatenate([self.cells, self.base]), return_inverse=True)
        values = np.zeros(len(cells))
        np.add.at(values, place, np.concatenate([self.coef, -self.factor * self.base_coef]))
        return cells, values


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
        blank = (_NIL, _NIL, _NIL, _NO, sides, largest, is_money, exact, inside, (_ANY, _ANY))
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
    cells = np.concatenate([_NONE, *(cells for cells, _ in parts)])
    coef = np.concatenate([_NIL, *(coef for _, coef in parts)])
    return sparse.csr_array((coef, cells, starts), shape=(len(parts), n_cells))


def _fixed(row_id: str, side: str, cells: NDArray[np.int64], vnd: Fraction, unit: str) -> Row:
    """Return a row of the law on plain money: Σ x against an amount."""
    return Row(
        row_id,
        "",
        side,
        "law",
        1.0,
        cells,
        np.ones(len(cells)),
        _NONE,
        _NIL,
        float(vnd / MILLION),
        1.0,
        MILLION / money.UNITS[unit],
        vnd,
    )


# ---------------------------------------------------------------------------- budgets, bounds


def budget_rows(
    cells: Cells, scenario: Scenario, unit: str, faults: list[Fault], spend: str = "all"
) -> tuple[tuple[Row, ...], NDArray[np.bool_]]:
    """Return the budgets as rows, and the mask of the cells that some budget covers.

    `spend` holds where the scenario does not say how budgets are spent.


    A row that could move money between provinces' KCDP or between the funds must say
    ``pooled: true``. One that names no fund need not where other rows hold all its cells apart.
    """
    masks, unknown = [], set()
    for number, row in enumerate(scenario.budget, 1):
        before = _errors(faults)
        masks.append(cells.select(row.where, row.at, faults))
        if _errors(faults) > before:
            unknown.add(number)
    spend = scenario.spend or spend
    purse = purses(cells)
    apart = [set(purse[mask]) for mask in masks]
    held = np.zeros(len(cells), dtype=bool)
    for mask, inside in zip(masks, apart, strict=True):
        if len(inside) == 1:
            held |= mask
    rows = []
    for number, (row, mask, inside) in enumerate(
        zip(scenario.budget, masks, apart, strict=True), 1
    ):
        if not mask.any() and number not in unknown:
            faults.append(Fault("empty-budget", row.at, {"number": number}))
        elif len(inside) > 1 and not row.pooled and ("source" in row.where or (mask > held).any()):
            shown = ", ".join(sorted(inside)[:_SHOWN])
            faults.append(Fault("not-pooled", row.at, {"number": number, "purses": shown}))
        side = "equal" if spend == "all" else "max"
        blank = _fixed(f"budget:{number}", side, np.flatnonzero(mask), Fraction(0), unit)
        rows.append(_with_budget(blank, row, unit, faults))
    covered = np.any(masks, axis=0) if masks else np.zeros(len(cells), dtype=bool)
    return tuple(rows), covered


def _with_budget(row: Row, budget: Budget, unit: str, faults: list[Fault]) -> Row:
    vnd = Fraction(budget.amount) * money.UNITS[unit]
    if vnd.denominator != 1:
        faults.append(Fault("part-of-dong", budget.at, {"found": budget.amount}))
    const = float(vnd / MILLION)
    return replace(row, const=const, exact=vnd, text=budget.text, basis=budget.basis)


def purses(cells: Cells) -> NDArray[np.object_]:
    """Name of the purse that every cell draws on: KCQG is one, KCDP one per place."""
    source, place = cells.frame["source"], cells.frame["place"]
    return source.where(source != "KCDP", source + " " + place).to_numpy(dtype=object)


def bound_rows(cells: Cells, unit: str) -> tuple[Row, ...]:
    """Return the cells' own min and max as rows of the law."""
    names = cells.names()
    bounds = {side: cells.frame[side].fillna(-1).tolist() for side in _SIDES}
    return tuple(
        _fixed(f"bound:{name}:{side}", side, np.array([i]), Fraction(bounds[side][i]), unit)
        for i, name in enumerate(names)
        for side in _SIDES
        if bounds[side][i] >= (0 if side == "max" else 1)
    )


# ---------------------------------------------------------------------------- rules


def rule_rows(
    cells: Cells, rule: Rule, unit: str, faults: list[Fault], offered: Offered | None = None
) -> tuple[Row, ...]:
    """Return the rows of one rule: one for every group and side.

    A rule that counts projects selects by cells and, with keys that no cell has (``kind``), by
    projects; a project over several places counts once in every group that one of them is in.

    Parameters
    ----------
    cells : Cells
        The plan's cells; `cells.select` has not removed any since the budgets were read.
    rule : Rule
    unit : str
        The dataset's unit.
    faults : list of Fault
        Unknown names, missing values and selections that are empty are added to it.
    offered : Offered or None
        The projects that a plan may choose.
    """
    before = _errors(faults)
    if rule.count == "projects" and offered is None:
        faults.append(Fault("no-projects", rule.at, {"id": rule.id}))
    counting = _Counting.of(rule, cells, offered)
    rule = counting.rule
    selected = cells.select(rule.where, rule.at, faults)
    for key in rule.each:
        if cells.attribute(key) is None:
            faults.append(cells.unknown(key, rule.at))
        else:
            faults.extend(cells.left_out(key, selected & cells.missing(key), rule.at))
    counted = selected if rule.of is None else selected | _plain_whole(cells, rule, faults)
    measure = _measure(cells, rule, counted, unit, faults)
    whole = _Whole(cells, rule, measure, unit, faults, counting.listed_base)
    if _errors(faults) > before:
        return ()
    rows: list[Row] = []
    empty: list[str] = []
    for group, members in _groups(cells, rule):
        chosen = members[selected[members]]
        name = "|".join(_shown(value) for value in group.values())
        if not counting.listed[chosen].any():
            empty.append(name)
            continue
        base = whole.of(group, chosen)
        found = _sides(rule, name, chosen, measure, base)
        rows.extend(counting.counted(row, base) for row in found)
    if not rows:
        faults.append(Fault("empty-rule", rule.at, {"id": rule.id}))
    elif empty:
        shown = ", ".join(empty[:_FEW]) + ("…" if len(empty) > _FEW else "")
        faults.append(
            Fault(
                "empty-groups",
                rule.at,
                {"id": rule.id, "count": len(empty), "groups": shown},
                level="warning",
            )
        )
    return tuple(rows)


@dataclass(frozen=True)
class _Counting:
    """A rule without the part that speaks of projects; which of them it and its ``of`` mean.

    `listed` and `listed_base` are the cells that these name, all cells where none are counted.
    """

    rule: Rule
    listed: NDArray[np.bool_]
    listed_base: NDArray[np.bool_]
    selected: NDArray[np.bool_] = field(default_factory=lambda: _NO)
    base: NDArray[np.bool_] = field(default_factory=lambda: _NO)
    offered: Offered | None = None

    @classmethod
    def of(cls, rule: Rule, cells: Cells, offered: Offered | None) -> _Counting:
        every = np.ones(len(cells), dtype=bool)
        if rule.count != "projects" or offered is None:
            return cls(rule, every, every)
        asked = offered.asked(rule.where, cells), offered.asked(rule.of or {}, cells)
        where, of = (
            {key: values for key, values in part.items() if key not in keys}
            for part, keys in zip((rule.where, rule.of or {}), asked, strict=True)
        )
        plain = replace(rule, where=where, of=None if rule.of is None else of)
        selected, base = offered.matching(asked[0]), offered.matching(asked[1])
        listed, listed_base = (offered.cells_of(some, cells) for some in (selected, base))
        return cls(plain, listed, listed_base, selected, base, offered)

    def counted(self, row: Row, base: _Base) -> Row:
        """Return a row with the projects that it counts in place of its cells."""
        if self.offered is None:
            return row
        return replace(
            row,
            cells=_NONE,
            coef=_NIL,
            base=_NONE,
            base_coef=_NIL,
            projects=np.flatnonzero(self.offered.paying(row.cells) & self.selected),
            base_projects=np.flatnonzero(self.offered.paying(base.cells) & self.base),
        )


def _errors(faults: Sequence[Fault]) -> int:
    return sum(fault.level == "error" for fault in faults)


def _shown(value: object) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _groups(cells: Cells, rule: Rule) -> Iterator[tuple[dict[str, object], NDArray[np.int64]]]:
    if not rule.each:
        yield {}, np.arange(len(cells))
        return
    grouped = cells.frame.groupby(list(rule.each), sort=False, dropna=True).indices
    for key, members in sorted(grouped.items(), key=lambda item: int(item[1][0])):
        group = dict(zip(rule.each, key if isinstance(key, tuple) else (key,), strict=True))
        if all(value != "" or name == "activity" for name, value in group.items()):
            yield group, np.asarray(members, dtype=np.int64)


@dataclass(frozen=True)
class _Measure:
    """What a rule counts: its coefficient for every cell and the size of one user's unit."""

    coef: NDArray[np.float64]
    one: float
    is_money: bool


def _measure(
    cells: Cells, rule: Rule, selected: NDArray[np.bool_], unit: str, faults: list[Fault]
) -> _Measure:
    one = money.UNITS[unit] / MILLION
    if rule.count == "outputs":
        cost = cells.frame["unit_cost"].astype("float64").to_numpy(na_value=np.nan)
        with np.errstate(divide="ignore"):
            return _Measure(np.where(cost > 0, MILLION / cost, 0.0), 1.0, is_money=False)
    if rule.count == "projects":
        return _Measure(np.zeros(len(cells)), 1.0, is_money=False)
    if rule.count.startswith("column:"):
        name = rule.count.removeprefix("column:")
        values = column_of(cells, name, selected, unit, rule.at, faults)
        return _Measure(np.nan_to_num(values), one, is_money=False)
    return _Measure(np.ones(len(cells)), one, is_money=True)


def column_of(
    cells: Cells,
    name: str,
    selected: NDArray[np.bool_],
    unit: str,
    at: Address,
    faults: list[Fault],
) -> NDArray[np.float64]:
    """Return a numeric column of the cells, money in the dataset's unit.

    Faults: no such column, not a number, or missing in a cell that is counted (missing is never
    taken for zero).
    """
    column = cells.attribute(name)
    if column is None:
        faults.append(cells.unknown(name, at))
        return np.zeros(len(cells))
    if not pd.api.types.is_numeric_dtype(column) or name in CELL_KEYS:
        faults.append(Fault("not-numeric", at, {"name": name}))
        return np.zeros(len(cells))
    values = np.asarray(column.astype("float64").to_numpy(na_value=np.nan), dtype=np.float64)
    missing = np.flatnonzero(np.isnan(values) & selected)
    if len(missing):
        names = cells.names()
        shown = ", ".join(names[i] for i in missing[:_SHOWN])
        faults.append(Fault("missing-value", at, {"name": name, "cells": shown}))
    return values / money.UNITS[unit] if name in _MONEY else values


def _plain_whole(cells: Cells, rule: Rule, faults: list[Fault]) -> NDArray[np.bool_]:
    """Mask of the cells that ``of`` means in any group: all of it but ``same``."""
    plain = {key: values for key, values in (rule.of or {}).items() if values != ("same",)}
    return cells.select(plain, rule.at, faults)


@dataclass(frozen=True)
class _Base:
    """B of one group."""

    cells: NDArray[np.int64]
    coef: NDArray[np.float64]
    const: float
    exact: Fraction | None  # const in VND where it is a fixed sum of money


class _Whole:
    """Finds B for every group of a rule: one, a share of a selection, or a column's sum."""

    def __init__(
        self,
        cells: Cells,
        rule: Rule,
        measure: _Measure,
        unit: str,
        faults: list[Fault],
        listed: NDArray[np.bool_],
    ) -> None:
        self.cells, self.rule, self.measure, self.unit = cells, rule, measure, unit
        if rule.of is not None:
            self._find_shares(faults, listed)
        elif rule.per == "previous_year":
            self._find_previous()
        elif rule.per:
            selected = cells.select(rule.where, rule.at, [])
            self.values = column_of(cells, rule.per, selected, unit, rule.at, faults)
            self.places = pd.factorize(cells.frame["place"])[0]
            if rule.per in _MONEY and cells.attribute(rule.per) is not None:
                self.vnd = cells.frame[rule.per].fillna(0).to_numpy(dtype=np.int64)

    def of(self, group: Mapping[str, object], chosen: NDArray[np.int64]) -> _Base:
        rule, one = self.rule, self.measure.one
        if rule.of is not None:
            base = self.shares.get(tuple(group[key] for key in self.same), _NONE)
            return _Base(base, self.measure.coef[base], 0.0, None)
        if rule.per == "previous_year":
            return self._previous_year(chosen)
        unit_vnd = Fraction(money.UNITS[self.unit])
        if not rule.per:
            return _Base(_NONE, _NIL, one, unit_vnd if self.measure.is_money else None)
        counted = chosen
        if rule.per in self.cells.place_columns:
            counted = chosen[np.sort(np.unique(self.places[chosen], return_index=True)[1])]
        total = float(self.values[counted].sum())
        exact = None
        if self.measure.is_money and rule.per in _MONEY:
            exact = Fraction(int(self.vnd[counted].sum()))
        elif self.measure.is_money:
            exact = sum((Fraction(v) for v in self.values[counted]), Fraction(0)) * unit_vnd
        return _Base(_NONE, _NIL, total * one, exact)

    def _find_shares(self, faults: list[Fault], listed: NDArray[np.bool_]) -> None:
        of = self.rule.of or {}
        self.same = tuple(key for key, values in of.items() if values == ("same",))
        mask = _plain_whole(self.cells, self.rule, [])
        if not (mask & listed).any():
            faults.append(Fault("empty-whole", self.rule.at, {"id": self.rule.id}))
        self.shares: dict[tuple[object, ...], NDArray[np.int64]] = {(): np.flatnonzero(mask)}
        if self.same and all(key in self.cells.frame for key in self.same):
            held = np.flatnonzero(mask)
            for key, members in self.cells.frame[mask].groupby(list(self.same)).indices.items():
                values = key if isinstance(key, tuple) else (key,)
                self.shares[values] = held[members]

    def _find_previous(self) -> None:
        keys = list(self.cells.frame[list(CELL_KEYS)].itertuples(index=False, name=None))
        self.keys, self.place_of = keys, {key: i for i, key in enumerate(keys)}

    def _previous_year(self, chosen: NDArray[np.int64]) -> _Base:
        before = [self.place_of.get((self.keys[i][0] - 1, *self.keys[i][1:])) for i in chosen]
        known = np.array([i for i in before if i is not None], dtype=np.int64)
        first = [i for i, past in zip(chosen, before, strict=True) if past is None]
        baseline = int(self.cells.frame["baseline"].iloc[first].sum())
        one = 1.0 if self.measure.is_money else MILLION / money.UNITS[self.unit]
        exact = Fraction(baseline) if self.measure.is_money and not len(known) else None
        return _Base(known, np.full(len(known), one), baseline / MILLION * one, exact)


def _sides(
    rule: Rule, name: str, chosen: NDArray[np.int64], measure: _Measure, base: _Base
) -> Iterator[Row]:
    for side in _SIDES:
        if getattr(rule, side) is None:
            continue
        blank = Row(
            rule.id,
            name,
            side,
            rule.tier,
            1.0,
            chosen,
            measure.coef[chosen],
            base.cells,
            base.coef,
            base.const,
            0.0,
            1 / measure.one,
            None,
            rule.count or ("money" if rule.of is None else "share"),
            whole=base.exact,
        )
        yield _with_rule(blank, rule)


def _with_rule(row: Row, rule: Rule) -> Row:
    number = getattr(rule, row.side)
    return replace(
        row,
        weight=float(rule.weight),
        factor=float(number),
        exact=None if row.whole is None else Fraction(number) * row.whole,
        text=rule.text,
        basis=rule.basis,
        at=rule.at,
    )


def renumber_rows(
    rows: Sequence[Row], before: Scenario, now: Scenario, unit: str, faults: list[Fault]
) -> tuple[Row, ...]:
    """Return the rows of a scenario that differs from an earlier one in numbers and words only.

    Parameters
    ----------
    rows : sequence of Row
        Those of the earlier scenario; the ones that nothing has changed are given back themselves.
    before, now : Scenario
        Of the same `Scenario.shape`.
    unit : str
        The dataset's unit.
    faults : list of Fault
        Amounts that are no whole đồng are added to it.
    """
    rules = {rule.id: rule for rule in now.rules}
    same = {rule.id for rule, old in zip(now.rules, before.rules, strict=True) if rule == old}
    budgets = [
        row if new == old else _with_budget(row, new, unit, faults)
        for row, new, old in zip(rows, now.budget, before.budget, strict=False)
    ]
    others = [
        row if row.id in same or row.id not in rules else _with_rule(row, rules[row.id])
        for row in rows[len(budgets) :]
    ]
    return (*budgets, *others)
