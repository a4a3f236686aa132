"""A table whose rows add up the rows under them: numbered, named, subtotals as formulas."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from xlsxwriter.utility import xl_range, xl_rowcol_to_cell
from xlsxwriter.worksheet import Worksheet

from kc_model.export.book import Book

__all__ = ["Node", "Tree", "add_up", "numeral"]

_ROMAN = ("I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X")
_TOTAL = ("cell", "bold", "total")

Numbering = Literal["letter", "roman", "arabic", "dash"]
Of = TypeVar("Of")


@dataclass(frozen=True)
class Node(Generic[Of]):
    """A row of a table: how it is numbered and called, what it is of, and the rows under it."""

    style: Numbering
    label: str
    of: Of
    children: tuple[Node[Of], ...] = ()


class Tree(ABC, Generic[Of]):
    """A table on a sheet: number and name of each row, then what `write_row` writes.

    Parameters
    ----------
    indents : bool
        Whether a name is moved in under the one it belongs to.
    name_end : int
        Last column that the name of a row with rows under it takes.
    """

    def __init__(
        self, book: Book, sheet: Worksheet, *, indents: bool = True, name_end: int = 1
    ) -> None:
        self.book, self.sheet, self._indents = book, sheet, indents
        self.name_end = name_end

    @abstractmethod
    def write_row(self, row: int, of: Of, parts: Sequence[int], styles: tuple[str, ...]) -> None:
        """Write what follows number and name; `parts` are the rows that the row adds up."""

    def write(self, nodes: Sequence[Node[Of]], row: int, depth: int = 0) -> tuple[int, list[int]]:
        """Write rows and the rows under them; return the next row, and those of this depth."""
        written = []
        for number, node in enumerate(nodes):
            own, (row, parts) = row, self.write(node.children, row + 1, depth + 1)
            written.append(own)
            bold = ("bold", *(() if depth else ("band",))) if parts else ()
            styles = ("cell", *bold)
            indent = (f"indent{min(depth, 3)}",) if depth and self._indents else ()
            self.book.text(self.sheet, own, 0, numeral(node.style, number), *styles, "center")
            area = (own, 1, own, self.name_end if parts else 1)
            self.book.merge(self.sheet, area, node.label, *styles, "wrap", *indent)
            self.write_row(own, node.of, parts, styles)
            if parts:
                self.book.tie(self.sheet, own, parts[0])
                self.book.group(self.sheet, own, depth)
        return row, written

    def write_total(self, row: int, label: str, of: Of, parts: Sequence[int]) -> None:
        """Write the grand total, of rows of the first depth."""
        self.book.text(self.sheet, row, 0, "", *_TOTAL)
        self.book.merge(self.sheet, (row, 1, row, self.name_end), label, *_TOTAL)
        self.write_row(row, of, parts, _TOTAL)


def numeral(style: Numbering, number: int) -> str:
    """Return how the row of a form is numbered, the first being 0."""
    if style == "letter":
        return chr(ord("A") + number)
    if style == "roman" and number < len(_ROMAN):
        return _ROMAN[number]
    return "-" if style == "dash" else str(number + 1)


def add_up(parts: Sequence[int], column: int) -> str:
    """Return the formula that adds up some rows of a column."""
    if list(parts) == list(range(parts[0], parts[-1] + 1)):
        return f"=SUM({xl_range(parts[0], column, parts[-1], column)})"
    return f"=SUM({','.join(xl_rowcol_to_cell(part, column) for part in parts)})"
