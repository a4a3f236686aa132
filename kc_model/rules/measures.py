"""What a rule counts (L) and what it holds that against (B)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from kc_model import money
from kc_model.cells import MILLION, Cells
from kc_model.errors import Address, Fault
from kc_model.rules.row import NIL, NONE
from kc_model.scenario import Rule
from kc_model.tables import CELL_KEYS, SCHEMAS

__all__ = ["Base", "Measure", "Whole", "column_of", "measure_of", "plain_whole"]

_MONEY = frozenset(
    column.name
    for schema in ("cells", "projects")
    for column in SCHEMAS[schema].columns
    if column.kind == "money"
)
_SHOWN = 5


@dataclass(frozen=True)
class Measure:
    """What a rule counts: its coefficient for every cell and the size of one user's unit."""

    coef: NDArray[np.float64]
    one: float
    is_money: bool


def measure_of(
    cells: Cells, rule: Rule, selected: NDArray[np.bool_], unit: str, faults: list[Fault]
) -> Measure:
    """Return what a rule counts over some selected cells."""
    one = money.UNITS[unit] / MILLION
    if rule.count == "outputs":
        cost = cells.frame["unit_cost"].astype("float64").to_numpy(na_value=np.nan)
        with np.errstate(divide="ignore"):
            return Measure(np.where(cost > 0, MILLION / cost, 0.0), 1.0, is_money=False)
    if rule.count == "projects":
        return Measure(np.zeros(len(cells)), 1.0, is_money=False)
    if rule.count.startswith("column:"):
        name = rule.count.removeprefix("column:")
        values = column_of(cells, name, selected, unit, rule.at, faults)
        return Measure(np.nan_to_num(values), one, is_money=False)
    return Measure(np.ones(len(cells)), one, is_money=True)


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


def plain_whole(cells: Cells, rule: Rule, faults: list[Fault]) -> NDArray[np.bool_]:
    """Mask of the cells that ``of`` means in any group: all of it but ``same``."""
    plain = {key: values for key, values in (rule.of or {}).items() if values != ("same",)}
    return cells.select(plain, rule.at, faults)


@dataclass(frozen=True)
class Base:
    """B of one group."""

    cells: NDArray[np.int64]
    coef: NDArray[np.float64]
    const: float
    exact: Fraction | None  # const in VND where it is a fixed sum of money


class Whole:
    """Finds B for every group of a rule: one, a share of a selection, or a column's sum."""

    def __init__(
        self, cells: Cells, rule: Rule, measure: Measure, unit: str, faults: list[Fault]
    ) -> None:
        self.cells, self.rule, self.measure, self.unit = cells, rule, measure, unit
        if rule.of is not None:
            self._find_shares(faults)
        elif rule.per == "previous_year":
            self._find_previous()
        elif rule.per:
            selected = cells.select(rule.where, rule.at, [])
            self.values = column_of(cells, rule.per, selected, unit, rule.at, faults)
            self.places = pd.factorize(cells.frame["place"])[0]
            if rule.per in _MONEY and cells.attribute(rule.per) is not None:
                self.vnd = cells.frame[rule.per].fillna(0).to_numpy(dtype=np.int64)

    def of(self, group: Mapping[str, object], chosen: NDArray[np.int64]) -> Base:
        """Return B of the group that has these values and cells."""
        rule, one = self.rule, self.measure.one
        if rule.of is not None:
            base = self.shares.get(tuple(group[key] for key in self.same), NONE)
            return Base(base, self.measure.coef[base], 0.0, None)
        if rule.per == "previous_year":
            return self._previous_year(chosen)
        unit_vnd = Fraction(money.UNITS[self.unit])
        if not rule.per:
            return Base(NONE, NIL, one, unit_vnd if self.measure.is_money else None)
        counted = chosen
        if rule.per in self.cells.place_columns:
            counted = chosen[np.sort(np.unique(self.places[chosen], return_index=True)[1])]
        total = float(self.values[counted].sum())
        exact = None
        if self.measure.is_money and rule.per in _MONEY:
            exact = Fraction(int(self.vnd[counted].sum()))
        elif self.measure.is_money:
            exact = sum((Fraction(v) for v in self.values[counted]), Fraction(0)) * unit_vnd
        return Base(NONE, NIL, total * one, exact)

    def _find_shares(self, faults: list[Fault]) -> None:
        of = self.rule.of or {}
        self.same = tuple(key for key, values in of.items() if values == ("same",))
        mask = plain_whole(self.cells, self.rule, [])
        if not mask.any():
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

    def _previous_year(self, chosen: NDArray[np.int64]) -> Base:
        before = [self.place_of.get((self.keys[i][0] - 1, *self.keys[i][1:])) for i in chosen]
        known = np.array([i for i in before if i is not None], dtype=np.int64)
        first = [i for i, past in zip(chosen, before, strict=True) if past is None]
        baseline = int(self.cells.frame["baseline"].iloc[first].sum())
        one = 1.0 if self.measure.is_money else MILLION / money.UNITS[self.unit]
        exact = Fraction(baseline) if self.measure.is_money and not len(known) else None
        return Base(known, np.full(len(known), one), baseline / MILLION * one, exact)
