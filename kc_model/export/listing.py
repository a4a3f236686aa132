"""A form that lists things by group: Roman groups with subtotals, Arabic rows, a grand total."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from xlsxwriter.utility import xl_range_abs, xl_rowcol_to_cell
from xlsxwriter.worksheet import Worksheet

from kc_model.export.book import Book
from kc_model.export.frame import write_foot, write_head
from kc_model.export.stamp import Stamp
from kc_model.export.tree import Node, Tree, add_up
from kc_model.money import UNITS

__all__ = ["Field", "Form", "Group", "write_form", "write_table"]

Values = Mapping[str, str | int | None]


@dataclass(frozen=True)
class Field:
    """A column of a form after the number of the row.

    Parameters
    ----------
    key : str
        Its value in a row; its heading is ``export.listing.columns.<key>``, unless `label` is.
    width : float
        Characters.
    is_money : bool
        VND, shown in the unit and added up; otherwise text.
    shared : str
        Key of the heading it shares with its neighbours; "" for none.
    adds : tuple of str
        Money columns of the same row that it adds up, or takes off where "-" stands before them.
    label : str
        Its heading in the book's language; "" for that of its key.
    """

    key: str
    width: float
    is_money: bool = False
    shared: str = ""
    adds: tuple[str, ...] = ()
    label: str = ""


@dataclass(frozen=True)
class Group:
    """Rows under a heading with their subtotal; a form of one group without a label has none."""

    label: str
    rows: tuple[Values, ...]


@dataclass(frozen=True)
class Form:
    """What stands on a sheet.

    Parameters
    ----------
    sheet : str
        Key of the sheet's name.
    lines : tuple of str
        Under the title.
    fields : tuple of Field
        The first is what each row is.
    notes : tuple of str
        Under the table.
    funds : tuple of str
        What stands in the column ``source``, in the order in which each is summed up under the
        total where there are several.
    """

    sheet: str
    title: str
    lines: tuple[str, ...]
    fields: tuple[Field, ...]
    groups: tuple[Group, ...]
    notes: tuple[str, ...] = ()
    funds: tuple[str, ...] = ()

    @property
    def widths(self) -> tuple[float, ...]:
        """Width of every column, that of the numbers first."""
        return (5.0, *(field.width for field in self.fields))


def write_form(book: Book, stamp: Stamp, form: Form) -> None:
    """Write a form on a sheet of its own: head, table, notes, signatures, print set-up."""
    sheet, right = book.sheet(form.sheet, form.widths), len(form.fields)
    heading = write_head(book, sheet, right, stamp, form.title, form.lines)
    first, end = write_table(book, sheet, form, heading, book.say("total"))
    sheet.freeze_panes(first, 2)
    last = write_foot(book, sheet, right, end, form.notes)
    book.print_rows(sheet, last, (heading, first - 1))


def write_table(book: Book, sheet: Worksheet, form: Form, row: int, total: str) -> tuple[int, int]:
    """Write a form's table; return its first row under the headings, and the row after it.

    Parameters
    ----------
    row : int
        Its first row.
    total : str
        What the last row is called.
    """
    headings = [("", book.say("columns.number"))]
    for field in form.fields:
        shared = book.say(f"listing.shared.{field.shared}") if field.shared else ""
        headings.append((shared, field.label or book.say(f"listing.columns.{field.key}")))
    book.heading(sheet, row, headings)
    for column in range(len(headings)):
        text = "AB"[column] if column < 2 else str(column - 1)
        book.text(sheet, row + 2, column, text, "cell", "index")
    table = _Table(book, sheet, form.fields)
    nodes: list[Node[Sequence[Values]]] = []
    for group in form.groups:
        rows = tuple(map(table.node_of, group.rows))
        nodes += [Node("roman", group.label, group.rows, rows)] if group.label else rows
    end, tops = table.write(nodes, row + 3)
    every = [values for node in nodes for values in node.of]
    table.write_total(end, total, every, tops)
    funds = form.funds if len(form.funds) > 1 else ()
    for at, fund in enumerate(funds, end + 1):
        own = [values for values in every if values.get("source") == fund]
        table.write_fund(at, fund, own, (row + 3, end - 1))
    book.tie(sheet, end - 1, end + len(funds))  # the totals are not alone
    return row + 3, end + 1 + len(funds)


class _Table(Tree[Sequence[Values]]):
    """The rows of a form."""

    def __init__(self, book: Book, sheet: Worksheet, fields: Sequence[Field]) -> None:
        texts = next((at for at, field in enumerate(fields) if field.is_money), 1)
        super().__init__(book, sheet, indents=False, name_end=texts)
        self.name, self.fields = fields[0].key, fields[1:]
        self.at = {field.key: column for column, field in enumerate(fields, 1)}

    def node_of(self, values: Values) -> Node[Sequence[Values]]:
        """Return a row of the last level."""
        return Node("arabic", str(values.get(self.name) or ""), (values,))

    def write_row(
        self, row: int, of: Sequence[Values], parts: Sequence[int], styles: tuple[str, ...]
    ) -> None:
        """Write texts, money, and what adds it up down and across."""
        self._write_row(row, of, styles, partial(add_up, parts) if parts else None)

    def write_fund(
        self, row: int, fund: str, of: Sequence[Values], between: tuple[int, int]
    ) -> None:
        """Write what the rows of a fund come to, of those between two rows."""
        styles, at = ("cell", "italic"), self.at["source"]
        funds = xl_range_abs(between[0], at, between[1], at)

        def sum_of(column: int) -> str:
            money = xl_range_abs(between[0], column, between[1], column)
            return f"=SUMIF({funds},{xl_rowcol_to_cell(row, at)},{money})"

        self.book.text(self.sheet, row, 0, "", *styles)
        self._write_row(row, of, styles, sum_of)
        before = (row, 1, row, at - 1)
        self.book.merge(self.sheet, before, self.book.say("listing.of_which"), *styles)
        self.book.text(self.sheet, row, at, fund, *styles, "indent1")

    def _write_row(
        self,
        row: int,
        of: Sequence[Values],
        styles: tuple[str, ...],
        sum_of: Callable[[int], str] | None,
    ) -> None:
        for column, field in enumerate(self.fields, 2):
            known = [v for values in of if (v := _value(field, values)) is not None]
            vnd = sum(known) if known else None
            if not field.is_money and sum_of:
                if column > self.name_end:  # the name goes so far
                    self.book.text(self.sheet, row, column, "", *styles)
            elif not field.is_money:
                text = str(of[0].get(field.key) or "")
                self.book.text(self.sheet, row, column, text, *styles, "wrap", "indent1")
            elif field.adds:
                self._write_sum(row, column, self._across(row, field), vnd, *styles)
            elif sum_of:
                self._write_sum(row, column, sum_of(column), vnd, *styles)
            else:
                look = "tiny" if vnd and 0 < vnd < self.book.money.least else "money"
                self.book.number(self.sheet, row, column, self._shown(vnd), *styles, look)

    def _write_sum(
        self, row: int, column: int, formula: str, vnd: int | None, *styles: str
    ) -> None:
        """Write a formula; nothing is shown while nothing is known."""
        look = (*styles, "quiet" if vnd is None else "money")
        self.book.formula(self.sheet, row, column, formula, self._shown(vnd or 0) or 0.0, *look)

    def _across(self, row: int, field: Field) -> str:
        """Return the formula of a column that follows from others of its row."""
        terms = [(key.startswith("-"), key.removeprefix("-")) for key in field.adds]
        cells = [
            f"{'-' if off else '+'}{xl_rowcol_to_cell(row, self.at[key])}" for off, key in terms
        ]
        return f"={''.join(cells).removeprefix('+')}"

    def _shown(self, vnd: int | None) -> float | None:
        return None if vnd is None else vnd / UNITS[self.book.money.unit]


def _value(field: Field, values: Values) -> int | None:
    """Return the money of a row in a column, or what that adds up; None where it is unknown."""
    if not field.is_money:
        return None
    known = [
        -int(value) if key.startswith("-") else int(value)
        for key in field.adds or (field.key,)
        if (value := values.get(key.removeprefix("-"))) is not None
    ]
    return sum(known) if known else None
