"""The grouped table of a plan: one row per group and part, subtotals as formulas.

A plan is a tree: years, areas, places, activities, those levels left out that have one value only.
Its last level holds the numbers; every row above it adds up the rows under it. Sums are exact
integer đồng, so that the value stored with a formula is the one the formula has.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import pandas as pd
from xlsxwriter.utility import xl_range, xl_range_abs, xl_rowcol_to_cell
from xlsxwriter.worksheet import Worksheet

from kc_model import reference
from kc_model.export.book import Book
from kc_model.export.tree import Node, Numbering, Tree, add_up
from kc_model.money import UNITS

__all__ = ["KEYS", "Amount", "Table", "amounts_of", "grow", "levels_of"]

KEYS = ("year", "place", "area", "activity")
_NUMERALS: Mapping[str, Numbering] = {
    "year": "letter",
    "area": "roman",
    "region": "roman",
    "place": "arabic",
}


class Amount(NamedTuple):
    """One cell of a plan: its keys, money in VND, None where unknown."""

    year: int
    place: str
    area: str
    activity: str
    source: str
    region: str
    amount: int
    baseline: int | None
    expected: float | None


Amounts = Sequence[Amount]
Figures = dict[str, float | None]


def amounts_of(cells: pd.DataFrame) -> list[Amount]:
    """Return the cells of an allocation (see `allocation_workbook`) as records."""
    money = [[None if pd.isna(v) else int(v) for v in cells[c]] for c in ("amount", "baseline")]
    expected = [None if pd.isna(value) else float(value) for value in cells["expected_disbursed"]]
    keys = (cells[key].astype(str) for key in ("place", "area", "activity", "source", "region"))
    years = (int(year) for year in cells["year"])
    rows = zip(years, *keys, money[0], money[1], expected, strict=True)
    return [Amount(*row) for row in rows]


def levels_of(amounts: Amounts, candidates: Sequence[str]) -> list[str]:
    """Return the levels with more than one value, the place if there is none."""
    several = [key for key in candidates if len({getattr(a, key) for a in amounts}) > 1]
    return several or ["place"]


def grow(book: Book, amounts: Amounts, levels: Sequence[str]) -> tuple[Node[Amounts], ...]:
    """Return the tree of a plan, each level in its official order."""
    if not levels:
        return ()
    level = levels[0]
    parts: dict[object, list[Amount]] = {}
    for amount in amounts:
        parts.setdefault(getattr(amount, level), []).append(amount)
    if list(parts) == [""]:  # an area that is not split
        return grow(book, amounts, levels[1:])
    places = reference.place_order(book.vintage)
    orders = {"place": places, "region": places, "area": reference.area_order()}
    rank = {code: i for i, code in enumerate(orders.get(level, ()))}
    style = _NUMERALS.get(level, "dash")
    return tuple(
        Node(style, book.name(level, value), part, grow(book, part, levels[1:]))
        for value, part in sorted(parts.items(), key=lambda item: rank.get(str(item[0]), 0))
    )


class Table(Tree[Amounts]):
    """A grouped table on a sheet.

    Parameters
    ----------
    columns : tuple of str
        Keys of the money columns from the third on: the funds, then total, baseline, change,
        share, expected, as `columns_of` finds them.
    linked : Table or None
        Table on another sheet whose numbers this one adds up, by formulas.
    """

    def __init__(
        self, book: Book, sheet: Worksheet, columns: tuple[str, ...], linked: Table | None = None
    ) -> None:
        super().__init__(book, sheet)
        self.columns = columns
        self.linked = linked
        self.first = self.last = 0

    @property
    def width(self) -> int:
        """Number of its columns."""
        return 2 + len(self.columns)

    @property
    def right(self) -> int:
        """Its last column."""
        return self.width - 1

    @property
    def main(self) -> int:
        """The column of the money over all funds."""
        return 2 + (self.columns.index("total") if "total" in self.columns else 0)

    @staticmethod
    def columns_of(amounts: Amounts) -> tuple[str, ...]:
        """Return the columns that a plan has something to show in."""
        present = {amount.source for amount in amounts}
        columns = [source for source in reference.source_order() if source in present]
        columns += ["total"] if len(columns) > 1 else []
        if any(amount.baseline for amount in amounts):
            columns += ["baseline", "change", "share"]
        if any(amount.expected is not None for amount in amounts):
            columns += ["expected"]
        return tuple(columns)

    def figures(self, amounts: Amounts) -> Figures:
        """Return what a row shows, in the unit; None is blank."""
        sources: Figures = {}
        for amount in amounts:
            sources[amount.source] = (sources.get(amount.source) or 0) + amount.amount
        total = sum(amount.amount for amount in amounts)
        known = [amount.baseline for amount in amounts if amount.baseline is not None]
        baseline = sum(known) if len(known) == len(amounts) else None
        spent = [amount.expected for amount in amounts if amount.expected is not None]
        money: Figures = {
            **sources,
            "total": total,
            "baseline": baseline,
            "change": None if baseline is None else total - baseline,
            "expected": math.fsum(spent) if len(spent) == len(amounts) else None,
        }
        shown = {key: value and value / UNITS[self.book.money.unit] for key, value in money.items()}
        return {**shown, "share": total / baseline if baseline else None}

    def write_plan(self, nodes: Sequence[Node[Amounts]], row: int) -> tuple[int, list[int]]:
        """Write the rows and the grand total; return the row after it, and the topmost nodes'."""
        self.first = row
        end, tops = self.write(nodes, row)
        self.last = end - 1
        amounts = [amount for node in nodes for amount in node.of]
        self.write_total(end, self.book.say("total"), amounts, tops)
        return end + 1, tops

    def write_extra(self, row: int, label: str, vnd: int) -> None:
        """Write a row that is no part of the total."""
        self.book.text(self.sheet, row, 0, "", "cell")
        self.book.text(self.sheet, row, 1, label, "cell", "italic", "wrap")
        for column in range(2, self.width):
            value = vnd / UNITS[self.book.money.unit] if column == self.main else None
            self.book.number(self.sheet, row, column, value, "cell", "italic", "money")

    def write_row(
        self, row: int, of: Amounts, parts: Sequence[int], styles: tuple[str, ...]
    ) -> None:
        """Write sums; of a row of the last level codes and numbers, or links to another sheet."""
        add: Callable[[int], str] | None = None
        if parts:
            add = partial(add_up, parts)
        else:
            self._write_codes(row, of[0])
            add = self._link(row) if self.linked else None
        self._write_figures(row, self.figures(of), add, styles)

    def _write_codes(self, row: int, cell: Amount) -> None:
        for column, key in enumerate(self._codes, self.width + 1):
            if key == "year":
                self.book.number(self.sheet, row, column, cell.year, "code")
            else:
                self.book.text(self.sheet, row, column, getattr(cell, key), "code")

    @property
    def _codes(self) -> tuple[str, ...]:
        """Keys whose codes stand beside the rows: a linked table is by year and place."""
        return KEYS[:2] if self.linked else KEYS

    def _link(self, row: int) -> Callable[[int], str]:
        """Return the formula that adds up a place's (and year's) rows of the linked table."""
        other = self.linked or self
        name = f"'{other.sheet.name}'!"
        key = other.width + 1
        criteria = ",".join(
            f"{name}{xl_range_abs(other.first, key + i, other.last, key + i)},"
            f"{xl_rowcol_to_cell(row, self.width + 1 + i)}"
            for i in (0, 1)
        )
        return lambda column: (
            f"=SUMIFS({name}{xl_range_abs(other.first, column, other.last, column)},{criteria})"
        )

    def _write_figures(
        self, row: int, figures: Figures, add: Callable[[int], str] | None, styles: tuple[str, ...]
    ) -> None:
        """Write the money columns of a row; `add` gives the formula of those that are summed."""
        for column, key in enumerate(self.columns, 2):
            value = figures.get(key)
            look = (*styles, key if key in ("change", "share") else "money")
            across = self._across(row, key)
            if value is None:
                self.book.text(self.sheet, row, column, self._missing(key), *look, "right")
            elif across:
                self.book.formula(self.sheet, row, column, across, value, *look)
            elif add is not None:
                self.book.formula(self.sheet, row, column, add(column), value, *look)
            else:
                self.book.number(self.sheet, row, column, value, *look)

    def _missing(self, key: str) -> str:
        """Say that there is no money of a fund, or that a figure is not known."""
        is_none = key in (*reference.source_order(), "share")
        return self.book.say("none.amount" if is_none else "none.figure")

    def _across(self, row: int, key: str) -> str:
        """Return the formula of a column that follows from others of its row, "" if it does not."""
        at = {name: xl_rowcol_to_cell(row, column) for column, name in enumerate(self.columns, 2)}
        main = at.get("total", at[self.columns[0]])
        if key == "total":
            return f"=SUM({xl_range(row, 2, row, 1 + self.columns.index('total'))})"
        if key == "change":
            return f"={main}-{at['baseline']}"
        return f"={main}/{at['baseline']}" if key == "share" else ""

    # ------------------------------------------------------------------ heading

    def write_heading(self, row: int, baseline: str) -> int:
        """Write the two heading rows and the row of column numbers; return the next row."""
        book, sheet = self.book, self.sheet
        n_funds = self.columns.index("total") + 1 if "total" in self.columns else 1
        shared = dict.fromkeys(self.columns[:n_funds], "funds") if n_funds > 1 else {}
        if "change" in self.columns:
            start = self.columns.index("change")
            shared |= dict.fromkeys(self.columns[start : start + 2], "compared")
        headings = [("", book.say(f"columns.{key}")) for key in ("number", "content")]
        for key in self.columns:
            text = baseline if key == "baseline" else self._heading(key)
            headings.append((book.say(f"columns.{shared[key]}") if key in shared else "", text))
        book.heading(sheet, row, headings)
        for column, key in enumerate(self._codes, self.width + 1):
            book.text(sheet, row + 1, column, book.say(f"codes.{key}"), "code")
        self._write_index(row + 2)
        return row + 3

    def _heading(self, key: str) -> str:
        if key in ("KCQG", "KCDP", "ALL"):
            return self.book.name("source", key)
        return self.book.say(f"columns.{key}")

    def _write_index(self, row: int) -> None:
        """Write the row that numbers the columns and says how some follow from others."""
        number = {key: i for i, key in enumerate(self.columns, 1)}
        main = number.get("total", 1)
        follows = {
            "total": "+".join(str(i) for i in range(1, main)),
            "change": f"{main}-{number.get('baseline')}",
            "share": f"{main}/{number.get('baseline')}",
        }
        shown = ["A", "B"]
        for key, i in number.items():
            shown.append(f"{i}={follows[key]}" if key in follows else str(i))
        for column, text in enumerate(shown):
            self.book.text(self.sheet, row, column, text, "cell", "index")
