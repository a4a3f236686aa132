"""Budgets and the bounds of cells as rows: plain money, the law."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from kc_model import money
from kc_model.cells import MILLION, Cells
from kc_model.errors import Fault, errors_in
from kc_model.rules.row import NIL, NONE, SIDES, Row
from kc_model.scenario import Budget, Scenario

__all__ = ["bound_rows", "budget_rows", "purses", "with_budget"]

_SHOWN = 5


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
        before = errors_in(faults)
        masks.append(cells.select(row.where, row.at, faults))
        if errors_in(faults) > before:
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
        rows.append(with_budget(blank, row, unit, faults))
    covered = np.any(masks, axis=0) if masks else np.zeros(len(cells), dtype=bool)
    return tuple(rows), covered


def with_budget(row: Row, budget: Budget, unit: str, faults: list[Fault]) -> Row:
    """Return a budget's row with its amount and words; a part of a đồng is a fault."""
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
    bounds = {side: cells.frame[side].fillna(-1).tolist() for side in SIDES}
    return tuple(
        _fixed(f"bound:{name}:{side}", side, np.array([i]), Fraction(bounds[side][i]), unit)
        for i, name in enumerate(names)
        for side in SIDES
        if bounds[side][i] >= (0 if side == "max" else 1)
    )


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
        NONE,
        NIL,
        float(vnd / MILLION),
        1.0,
        MILLION / money.UNITS[unit],
        vnd,
    )
