"""Rows that are no data: totals, which are checked and left out, and remarks below a table."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

import pandas as pd

from kc_model.errors import Address, Fault
from kc_model.reading.columns import Typed
from kc_model.reading.values import WrongError, is_missing, is_number, parse_value
from kc_model.sheets import Grid, Value, clean_text
from kc_model.tables import SCHEMAS, Column, Kind

__all__ = ["reconcile", "set_aside"]

_TOTAL = re.compile(r"(tổng|cộng)([\s:].*)?|tong( cong| so)?|cong", re.IGNORECASE | re.DOTALL)
_OF_WHICH = re.compile(r"trong (đó|do)\b.*", re.IGNORECASE | re.DOTALL)
_LABELLED = {Kind.YEAR, Kind.MONTH, Kind.PLACE, Kind.PLACES, Kind.AREA, Kind.SOURCE}
_NOT_SUMMED = {"unit_cost", "upto", "min_support"}


def set_aside(grid: Grid, table: str, faults: list[Fault]) -> tuple[Grid, tuple[int, ...]]:
    """Return the grid without rows of totals and remarks, and the rows of totals.

    A row is a total where a key, or its first filled cell before any key, says "Cộng" or "Tổng".
    Rows below the last complete one that hold nothing but words are remarks and signatures. Both
    are reported as warnings; a row "Trong đó" is refused, since what it breaks down is not said.

    Parameters
    ----------
    table : str
        Name of its schema.
    faults : list of Fault
        total-rows and ignored-rows (warnings) and of-which-row are added to it.
    """
    required = [c.name for c in SCHEMAS[table].columns if c.required]
    labels = _labels(grid, table)
    totals = tuple(row for row, label in labels.items() if label == "total")
    for row, label in labels.items():
        if label == "of which":
            faults.append(Fault("of-which-row", _first_cell(grid, row)))
    left = [row for row in grid.rows if row not in labels]
    full = (row for row in reversed(left) if not _empty(grid, row, required))
    last = next(full, -1)
    remarks = [row for row in left if row > last and _is_remark(grid, row, required)]
    for code, rows in (("total-rows", totals), ("ignored-rows", remarks)):
        if rows:
            shown = ", ".join(str(grid.sheet.numbers[row]) for row in rows)
            faults.append(Fault(code, _first_cell(grid, rows[0]), {"rows": shown}, "warning"))
    kept = tuple(row for row in left if row not in set(remarks))
    return replace(grid, rows=kept), totals


def _labels(grid: Grid, table: str) -> dict[int, str]:
    """Return the rows that their keys call total or of which."""
    schema = SCHEMAS[table]
    keys = [
        grid.column(name)
        for name in schema.key
        if name in grid.columns and (schema.by_name[name].kind in _LABELLED or name == "id")
    ]
    words = {value for column in keys for value in set(column) if _what(value)}
    found = {}
    for row, values in zip(grid.rows, zip(*keys, strict=True), strict=False):
        if words and not words.isdisjoint(values):
            found[row] = next(_what(value) for value in values if value in words)
        elif not any(values):
            first = next((value for value in grid.sheet.rows[row] if value is not None), None)
            found[row] = _what(first)
    return {row: label for row, label in found.items() if label}


@lru_cache(maxsize=65_536)
def _what(value: Value) -> str:
    text = clean_text(value) if isinstance(value, str) else ""
    if _OF_WHICH.fullmatch(text):
        return "of which"
    return "total" if _TOTAL.fullmatch(text) else ""


def _empty(grid: Grid, row: int, required: Sequence[str]) -> list[str]:
    return [name for name in required if is_missing(grid.value(row, name), Kind.PLACE)]


def _is_remark(grid: Grid, row: int, required: Sequence[str]) -> bool:
    """Tell whether a row holds only words, with two required columns or more left empty."""
    filled = [value for value in grid.sheet.rows[row] if value is not None]
    words = all(
        isinstance(value, str) and not is_number(value) and any(map(str.isalpha, value))
        for value in filled
    )
    return words and len(_empty(grid, row, required)) > 1


def _first_cell(grid: Grid, row: int) -> Address:
    values = grid.sheet.rows[row]
    column = next(i for i, value in enumerate(values) if value is not None)
    return grid.sheet.cell_at(row, column)


def reconcile(typed: Typed, totals: Sequence[int], faults: list[Fault]) -> None:
    """Compare every total with the rows above it.

    A total is right if it is the sum since the total before, or of all rows above; where these are
    of several months, which are cumulative, also if it is that of the newest month alone. Else it
    is the fault total-differs, or total-differs-month of several months, with both figures. What
    cannot be read may be any amount, or of any month, and so may an amount below zero; rows that
    are told as doubled may be in it or not: what stays possible is no fault.

    Parameters
    ----------
    totals : sequence of int
        Rows of totals, as `set_aside` gave them.
    """
    before, doubled = -1, _doubled(typed) if totals else set()
    amount = typed.terms.amount
    for row in totals:
        above = typed.frame[typed.frame.index < row]
        blocks = [above[above.index > before], above]
        parts = [*(_newest(typed, block) for block in blocks), *((b, b.head(0)) for b in blocks)]
        for column in SCHEMAS[typed.name].columns:
            if column.kind is Kind.MONEY and column.name not in _NOT_SUMMED:
                stated = _stated(typed, row, column, faults)
                sums = [_sum(typed, *_apart(*part, doubled), column.name) for part in parts]
                if stated is None or any(low <= stated <= high for low, high in sums):
                    continue
                code, newest = "total-differs", parts[0][0]
                first = 0 if len(newest) else len(blocks)  # no month can be read: of all rows
                both = {"stated": stated, "computed": sums[first][0]}
                values: dict[str, object] = {key: amount(vnd) for key, vnd in both.items()}
                if 0 < len(newest) < len(blocks[0]):
                    code = "total-differs-month"
                    values |= {key: newest[key].iloc[0] for key in ("year", "month")}
                faults.append(Fault(code, typed.grid.at(row, column.name), values))
        before = row


def _newest(typed: Typed, block: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the rows of the newest month, and those that may be of it; without months all."""
    if "month" not in SCHEMAS[typed.name].key:
        return block, block.head(0)
    period = block["year"] * 100 + block["month"]
    return block[(period == period.max()).fillna(False)], block[period.isna()]


def _doubled(typed: Typed) -> set[int]:
    """Return rows that repeat one above, and all that share a key but say different things."""
    frame = typed.good
    key = [name for name in SCHEMAS[typed.name].key if name in frame]
    same = frame.duplicated(list(typed.grid.columns))
    other = frame[~same].duplicated(key, keep=False)
    return {int(row) for row in (*frame.index[same], *other.index[other])}


def _apart(
    sure: pd.DataFrame, open_: pd.DataFrame, doubled: set[int]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the rows without those that are doubled, and the open ones with them."""
    again = sure.index.isin(list(doubled))
    return sure[~again], pd.concat([sure[again], open_]) if again.any() else open_


def _sum(typed: Typed, sure: pd.DataFrame, open_: pd.DataFrame, name: str) -> tuple[int, float]:
    """Return the least and the most that a column may add up to, open rows in or not."""
    given = pd.concat([sure[name], open_[name]])
    low = sum(int(vnd) for vnd in sure[name].dropna() if vnd >= 0)
    wrong = given.index[(given < 0).fillna(False)]
    if "status" in sure and not typed.frame.loc[wrong, "status"].eq("settled").all():
        return low, float("inf")
    low = sum(map(int, sure[name].dropna()))
    lost = typed.bad & set(given.index[given.isna()])
    if any(not is_missing(typed.grid.value(row, name), Kind.MONEY) for row in lost):
        return low, float("inf")
    return low, low + sum(map(int, open_[name].dropna()))


def _stated(typed: Typed, row: int, column: Column, faults: list[Fault]) -> int | None:
    """Return the amount of a total; None where it states none."""
    try:
        amount = parse_value(typed.grid.value(row, column.name), column, typed.terms)
    except WrongError as error:
        faults.append(Fault(error.code, typed.grid.at(row, column.name), error.values))
        return None
    return amount if isinstance(amount, int) else None
