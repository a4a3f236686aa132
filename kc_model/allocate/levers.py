"""The numbers of a scenario, or of ``cells.csv``, that could be others: which rows each loosens."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction

from kc_model.cells import MILLION, plan_in_force
from kc_model.explain import is_bound
from kc_model.problem import Problem
from kc_model.rules import Row
from kc_model.tables import CELL_KEYS

__all__ = [
    "Lever",
    "find_levers",
    "is_amount",
    "is_stuck",
    "loosest_bounds",
    "on_grid",
    "readable_step",
    "sides_of",
    "step_of",
]

_DIGITS = 6  # of an amount that a planner reads at once


@dataclass(frozen=True)
class Lever:
    """One number of a scenario or of ``cells.csv`` that could be another: a side of one rule.

    Parameters
    ----------
    rule, side : str
    rows : tuple of int
        The laws it stands in, by number.
    by : tuple of int
        For each of them the column of its own room.
    column : int
        The column that loosens all of them: by their B, or alike where a plan decides B.
    is_share : bool
        Whether a plan decides the B of some row.
    """

    rule: str
    side: str
    rows: tuple[int, ...]
    by: tuple[int, ...]
    column: int
    is_share: bool


def find_levers(
    laws: Sequence[Row], rooms: Sequence[tuple[int, str]], columns: Sequence[int]
) -> tuple[dict[tuple[str, str], Lever], int]:
    """Return the levers of laws, and how many columns there are with theirs.

    Parameters
    ----------
    laws : sequence of Row
    rooms : sequence of (int, str)
        Every law's number and side.
    columns : sequence of int
        Of these rooms; a lever of several rows has its own behind them.
    """
    found: dict[tuple[str, str], list[int]] = {}
    for k, (r, side) in enumerate(rooms):
        found.setdefault((laws[r].id, side), []).append(k)
    width = columns[-1] + 1 if columns else 0
    levers = {}
    for (rule, side), members in found.items():
        rows = tuple(rooms[k][0] for k in members)
        by = tuple(columns[k] for k in members)
        own = by[0] if len(by) == 1 else width
        width += len(by) > 1
        is_share = any(len(laws[r].base) for r in rows)
        levers[rule, side] = Lever(rule, side, rows, by, own, is_share)
    return levers, width


def step_of(number: float | Decimal) -> float:
    """Return the step in which shares and other ratios are written.

    Four digits behind the mark, or four that count where the number is below a tenth.
    """
    value = Decimal(repr(number)) if isinstance(number, float) else number
    return float(Decimal(1).scaleb(min(-4, value.adjusted() - 3) if value else -4))


def readable_step(to: Decimal, now: Decimal, grid: Decimal) -> Decimal | None:
    """Return the step that leaves a new amount few digits; None where it has few already.

    At most a fiftieth of the change is given away for it, so that it is hardly more than needed.
    """
    change = abs(to - now) / 50
    if len(to.normalize().as_tuple().digits) <= _DIGITS or not change:
        return None
    step = Decimal(1).scaleb(min(change.adjusted(), to.adjusted() - _DIGITS // 2))
    return None if step % grid else step


def sides_of(row: Row) -> tuple[str, ...]:
    """Return the sides on which a row can be loosened."""
    return ("min", "max") if row.side == "equal" else (row.side,)


def is_amount(row: Row) -> bool:
    """Whether a row is a budget's or a bound's: its number is the amount itself."""
    return row.id.startswith(("budget:", "bound:"))


def loosest_bounds(problem: Problem, as_of: int | None) -> dict[tuple[str, str], float]:
    """Return by how much each lowest amount of a cell may be lowered, million VND.

    Money that is already disbursed stays, whatever ``cells.csv`` says; where the lowest amount is
    a step of the grid, the step above it.
    """
    data, frame, grid = problem.data, problem.cells.frame, problem.grid
    spent: dict[tuple[object, ...], int] = {}
    if as_of is not None or data.cells.empty:
        now = plan_in_force(data, problem.scenario.year, as_of)
        keys = now[list(CELL_KEYS[1:])].itertuples(index=False, name=None)
        spent = dict(zip(keys, now["disbursed"].fillna(0).tolist(), strict=True))
    most = {}
    for row in problem.rows:
        if is_bound(row.id) and row.side == "min":
            year, *key = frame.loc[int(row.cells[0]), list(CELL_KEYS)]
            done = spent.get(tuple(key), 0) if year == problem.scenario.year else 0
            done += -done % grid if row.exact is not None and not row.exact % grid else 0
            most[row.id, "min"] = max(0.0, row.const - done / MILLION)
    return most


def on_grid(problem: Problem, rows: Sequence[Row]) -> list[Row]:
    """Return rows whose bounds of cells stand where amounts on the grid can meet them.

    A lowest amount stands at the step above, a highest at the one below; a cell with no step
    between the two keeps both. Money of projects may be off the grid: with them nothing moves.

    Parameters
    ----------
    problem : Problem
    rows : sequence of Row
        Its own, or such with other numbers.
    """
    grid = problem.grid
    if grid == 1 or problem.offered is not None:
        return list(rows)
    steps: dict[int, dict[str, int]] = {}
    for row in rows:
        if is_bound(row.id) and row.exact is not None:
            step = -(-row.exact // grid) if row.side == "min" else row.exact // grid
            steps.setdefault(int(row.cells[0]), {})[row.side] = int(step) * grid
    moved = []
    for row in rows:
        cell = steps.get(int(row.cells[0]), {}) if is_bound(row.id) else {}
        to = cell.get(row.side, row.exact)
        is_met = cell.get("min", 0) <= cell.get("max", math.inf)
        is_moved = is_met and to is not None and to != row.exact
        number = Fraction(to or 0)
        moved.append(replace(row, const=float(number / MILLION), exact=number) if is_moved else row)
    return moved


def is_stuck(row: Row) -> bool:
    """Whether no other number could loosen a row: it stands for a multiple of nothing."""
    return not is_amount(row) and not len(row.base) and row.const <= 0
