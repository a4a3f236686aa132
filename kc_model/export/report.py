"""The progress report as an office prints it: every sum and ratio a formula over one sheet."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd
from xlsxwriter.utility import xl_range, xl_range_abs, xl_rowcol_to_cell
from xlsxwriter.worksheet import Worksheet

from kc_model.export.book import Book, display_of
from kc_model.export.frame import finish, write_foot, write_head, write_title
from kc_model.export.ground import write_ground
from kc_model.export.stamp import Stamp, cut_off, form_notes
from kc_model.export.tree import Node, Tree, add_up
from kc_model.money import UNITS, unit_name
from kc_model.tables import as_rows
from kc_model.wording import Language, say

__all__ = ["RATIOS", "report_workbook"]

RATIOS = {
    "completion_first": ("disbursed", "plan_first"),
    "completion": ("disbursed", "plan"),
    "of_last_year": ("disbursed", "last_year"),
    "plan_of_last_year": ("plan", "plan_last_year"),
    "completion_expected": ("expected", "plan"),
    "outputs_completion": ("outputs", "outputs_plan"),
    "outputs_of_last_year": ("outputs", "outputs_last_year"),
}
"""What each ratio of a report divides by what, over the lines that have both."""

_DONE = ("disbursed_estimate", "disbursed_reported", "disbursed_settled")
_VOLUMES = ("outputs_plan", "outputs", "outputs_last_year")
_RANGES = ("lower_80", "upper_80", "unspent_lower_80", "unspent_upper_80")  # no sums of their parts
_CHANCES = ("probability_80", "probability_90", "probability_100")
_YEAR_END = ("expected", "lower_80", "upper_80", "completion_expected")

_AREAS = (
    *("outputs_plan", "plan_first", "plan", "outputs", *_DONE, "disbursed", "outputs_completion"),
    *("completion_first", "completion", "outputs_of_last_year", "of_last_year", *_YEAR_END),
)
_PLACES = (
    *("plan_first", "plan", "carried", *_DONE, "disbursed", "advanced"),
    *("completion_first", "completion", "of_last_year", *_YEAR_END),
)
_RISKS = (
    *("plan", "disbursed", "completion", "expected", "unspent", "unspent_lower_80"),
    *("unspent_upper_80", *_CHANCES, "pace", "pace_needed"),
)
_LINES = (
    *("plan_first", "plan", "carried", *_DONE, "disbursed", "advanced", "last_year", *_VOLUMES),
    *("expected", "lower_80", "upper_80"),
)
_UNPRINTED = ("unspent", "pace", "pace_needed", "plan_last_year", "registered", "released")
_ALWAYS = {"plan", "disbursed", "completion", "of_last_year", *_YEAR_END}
_GROUPS = {  # what columns side by side have in common
    **dict.fromkeys(("outputs_plan", "plan_first", "plan", "carried"), "plan"),
    **dict.fromkeys(("outputs", *_DONE, "disbursed", "advanced"), "done"),
    **dict.fromkeys(("outputs_completion", "completion_first", "completion"), "of_plan"),
    **dict.fromkeys(("outputs_of_last_year", "of_last_year"), "of_same"),
    **dict.fromkeys(_YEAR_END, "year_end"),
    **dict.fromkeys(("unspent", "unspent_lower_80", "unspent_upper_80"), "unspent"),
    **dict.fromkeys(_CHANCES, "chance"),
    **dict.fromkeys(("pace", "pace_needed"), "pace"),
}
_CODES = ("source", "region", "place", "area", "activity")
_BESIDE = (3.0, 7.0, 5.0, 5.0, 7.0, 5.0)  # widths right of a table: a gap and the codes
_CONTENT = {"areas": 40.0, "places": 30.0, "risk": 50.0}  # width of what each row of a form is
_NAMES = (5.0, 24.0, 36.0, 8.0)  # of the sheet of all lines: number, place, area, fund
_REMARK = (10.0, 32.0)  # narrowest and widest column of remarks
_HEAD = 3  # rows before its heading
_SHOWN = 25  # lines at risk that are printed: they and the signatures fill a page
_NARROWEST = 12.5  # characters of a money column

Row = Mapping[str, Any]


def report_workbook(
    stamp: Stamp, rows: pd.DataFrame, language: Language = "vi", unit: str | None = None
) -> bytes:
    """Return a progress report as an Excel workbook, ready to print on A4.

    Its sheets: by fund and area; by place, where there are several; what is at risk; findings and
    what they rest on; every line. The last holds the numbers; the others add them up by formulas
    that carry their values.

    Parameters
    ----------
    stamp : Stamp
        `summary` holds the findings.
    rows : DataFrame
        As `kc_model.progress.Progress.rows`.
    unit : str or None
        What money is printed in; None: what screens show.

    Returns
    -------
    bytes
        The same for the same input. No text of the user's is a formula, a link or a number.
    """
    cells = rows[rows["level"] == "cell"]
    money = [int(vnd) for key in ("plan", "disbursed", "last_year") for vnd in cells[key].dropna()]
    book = Book(language, stamp.vintage, display_of(money, stamp.unit, _NARROWEST, unit))
    report = _Report(book, stamp, rows)
    report.write_form("areas", report.by_area(), _AREAS)
    if len(report.levels["place"]) > 1:
        report.write_form("places", report.by_place(), _PLACES)
    report.write_form("risk", report.by_risk(), _RISKS)
    write_ground(book, stamp, "findings")
    report.write_lines()
    return finish(book, stamp)


_Lines = tuple[Row, tuple[str, ...]]  # a row's numbers, and the codes that pick its lines


class _Report:
    """One report being written."""

    def __init__(self, book: Book, stamp: Stamp, rows: pd.DataFrame) -> None:
        self.book = book
        self.stamp = stamp
        self.levels = {str(level): as_rows(part) for level, part in rows.groupby("level")}
        self.cells = self.levels["cell"]
        self.all = self.levels["all"][0]
        names = sorted({cell["activity"] for cell in self.cells})
        self.activities = {name: number for number, name in enumerate(names)}
        self.kinds = [key for key in _DONE if self.all[key] is not None]
        volumes = [row[key] for row in self.cells for key in _VOLUMES if row[key] is not None]
        self.is_whole = all(float(value).is_integer() for value in volumes)
        self.columns = self.shown(_LINES)
        self.unprinted = [key for key in self.shown(_UNPRINTED) if key in _UNPRINTED]

    # ------------------------------------------------------------------ rows of the forms

    def by_area(self) -> tuple[Node[_Lines], ...]:
        """Return funds, areas and activities, as far as there are several."""
        funds = []
        for row in self.levels["source"]:
            of = [r for r in self.levels["source_area"] if r["source"] == row["source"]]
            areas = tuple(self.area(area) for area in of)
            if len(self.levels["source"]) > 1 and {area["area"] for area in of} == {"ALL"}:
                areas = areas[0].children  # a fund that is not split by area
            label = self.book.name("source", row["source"])
            funds.append(Node("letter", label, (row, ("source",)), areas))
        return funds[0].children if len(funds) == 1 else tuple(funds)

    def area(self, row: Row) -> Node[_Lines]:
        """Return an area of a fund, with its activities where there are several."""
        keys = ("source", "area")
        parts = [
            part
            for part in self.levels["source_activity"]
            if all(part[key] == row[key] for key in keys)
        ]
        label = self.book.name("area", row["area"])
        children: tuple[Node[_Lines], ...] = tuple(
            Node(
                "dash",
                part["activity"] or self.book.say("report.undivided"),
                (part, (*keys, "activity")),
            )
            for part in parts
            if len(parts) > 1
        )
        return Node("roman", label, (row, keys), children)

    def by_place(self) -> tuple[Node[_Lines], ...]:
        """Return regions, places and funds, as far as there are several."""
        regions = []
        for row in self.levels["region"]:
            of = [r for r in self.levels["place"] if r["region"] == row["region"]]
            places = tuple(self.place(place) for place in of)
            label = self.book.name("region", row["region"])
            regions.append(Node("roman", label, (row, ("region",)), places))
        return regions[0].children if len(regions) == 1 else tuple(regions)

    def place(self, row: Row) -> Node[_Lines]:
        """Return a place, with its funds where there are several."""
        parts = [r for r in self.levels["source_place"] if r["place"] == row["place"]]
        children: tuple[Node[_Lines], ...] = tuple(
            Node("dash", self.book.name("source", part["source"]), (part, ("place", "source")))
            for part in parts
            if len(parts) > 1
        )
        label = self.book.name("place", row["place"])
        return Node("arabic", label, (row, ("place",)), children)

    def by_risk(self) -> tuple[Node[_Lines], ...]:
        """Return the lines with most money at risk."""
        cells = sorted(self.cells, key=lambda cell: -(cell["unspent"] or 0))
        keys = ("source", "place", "area", "activity")
        return tuple(
            Node("arabic", self.line_name(cell), (cell, keys))
            for cell in cells[:_SHOWN]
            if cell["unspent"]
        )

    def line_name(self, cell: Row) -> str:
        """Return a line's place, area and activity, and its fund."""
        place = self.book.name("place", cell["place"])
        fund = self.book.name("source", cell["source"])
        return f"{place} – {self.content(cell)} ({fund})"

    def content(self, cell: Row) -> str:
        """Return a line's area and activity."""
        area = self.book.name("area", cell["area"])
        return f"{area} – {cell['activity']}" if cell["activity"] else area

    # ------------------------------------------------------------------ columns

    def shown(self, keys: Sequence[str]) -> list[str]:
        """Return those columns that have something to say."""
        every = [row for rows in self.levels.values() for row in rows]
        known = {key for key in keys if any(row[key] is not None for row in every)}
        if all(row["plan_first"] in (None, row["plan"]) for row in every):
            known -= {"plan_first", "completion_first"}
        if len(self.kinds) < 2:
            known -= set(_DONE)
        return [key for key in keys if key in known | _ALWAYS]

    def at(self) -> dict[str, int]:
        """Return the column of each number and code on the sheet of all lines."""
        n_printed = len(_NAMES) + len(self.columns)
        at = {key: len(_NAMES) + i for i, key in enumerate(self.columns)}
        at |= {key: n_printed + 2 + i for i, key in enumerate(_CODES)}
        return at | {key: n_printed + 2 + len(_CODES) + i for i, key in enumerate(self.unprinted)}

    def look(self, key: str) -> tuple[str, float]:
        """Return the style and the width of a column's numbers."""
        if key in RATIOS:
            return "share", 9.0
        if key in _CHANCES:
            return "percent", 7.5
        if key in _VOLUMES:
            return ("whole" if self.is_whole else "decimal"), 9.0
        return "money", self.book.money.width

    def value(self, row: Row, key: str) -> float | None:
        """Return a number as it is shown, money in the unit."""
        if row[key] is None:
            return None
        is_money = self.look(key)[0] == "money"
        return row[key] / UNITS[self.book.money.unit] if is_money else float(row[key])

    def headings(self, keys: Sequence[str]) -> list[tuple[str, str]]:
        """Return for every column what it shares with others, and its own heading.

        Where all money done is of one standing, its one column says which.
        """
        single = "plan" if not self.kinds else self.kinds[0] if len(self.kinds) == 1 else ""
        said = []
        for key in keys:
            own = single if key == "disbursed" and single else key
            shared = self.book.say(f"report.groups.{_GROUPS[key]}") if key in _GROUPS else ""
            said.append((shared, self.book.say(f"report.columns.{own}")))
        return said

    # ------------------------------------------------------------------ the forms

    def write_form(self, name: str, nodes: Sequence[Node[_Lines]], of: Sequence[str]) -> None:
        """Write a form: head, table with its total, what is to be known of it, signatures."""
        book, keys = self.book, self.shown(of)
        remarks = (self.remark(of[0]) for of in (*_every(nodes), (self.all, ())))
        needed = book.needed(
            remarks, "bold", "small"
        )  # a row is high if its remark takes two lines
        remark_width = min(max(needed + 1.0, _REMARK[0]), _REMARK[1])
        widths = (5.0, _CONTENT[name], *(self.look(key)[1] for key in keys), remark_width)
        sheet, right = book.sheet(name, widths, _BESIDE), len(widths) - 1
        title = book.say(f"report.title.{name}", year=self.stamp.year)
        heading = write_head(book, sheet, right, self.stamp, title, self.subtitles())
        own = [("", book.say(f"report.{key}")) for key in ("columns.number", f"content.{name}")]
        remark = ("", book.say("report.columns.remark"))
        book.heading(sheet, heading, [*own, *self.headings(keys), remark])
        for offset, key in enumerate(_CODES, right + 2):
            book.text(sheet, heading + 1, offset, book.say(f"report.codes.{key}"), "code")
        first = heading + 2
        sheet.freeze_panes(first, 2)
        table = _Table(self, sheet, keys, right)
        row, tops = table.write(nodes, first)
        parts = tops if name != "risk" else []
        table.write_total(row, book.say("total"), (self.all, ()), parts)
        last = write_foot(book, sheet, right, row + 1, self.notes(name, keys))
        book.print_rows(sheet, last, (heading, first - 1))

    def subtitles(self) -> list[str]:
        """Return the lines under the title: the data, and what holds for every row."""
        fixed = []
        for key in ("place", "area", "source"):
            codes = {row[key] for row in self.cells}
            if len(codes) == 1 and codes != {"ALL"}:
                fixed.append(self.book.say(f"head.{key}", name=self.book.name(key, codes.pop())))
        second = "; ".join(part for part in (*fixed, cut_off(self.book, self.stamp)) if part)
        return [self.book.say("head.data", title=self.stamp.title), second]

    def notes(self, name: str, keys: Sequence[str]) -> list[str]:
        """Return what has to be known to read a form."""
        book = self.book
        has = {key: self.all["n_cells"] > self.all[f"n_{key}"] for key in ("reported", "forecast")}
        lines = [book.say("report.notes.ratios")] if any(has.values()) else []
        lines += [book.say("report.notes.same")] if "of_last_year" in keys else []
        lines += [book.say("report.notes.volumes")] if "outputs" in keys else []
        lines += [book.say("report.notes.ranges")]
        if name == "risk":
            lines += [book.say("report.notes.carry")]
            hidden = sum(1 for cell in self.cells if cell["unspent"]) - _SHOWN
            lines += [book.say("report.notes.hidden", count=hidden)] if hidden > 0 else []
        if name != "areas":
            return lines
        return [*lines, *form_notes(book, self.stamp, ("plan",))]

    def remark(self, row: Row) -> str:
        count, as_of = row["n_cells"], self.stamp.as_of or 0
        reported, planned, compared = row["n_reported"], row["n_planned"], row["n_compared"]
        many = {
            "volume_only": not count and any(row[key] is not None for key in _VOLUMES),
            "unreported": count and as_of and not reported,
            "some_reported": reported and reported < count,
            "unplanned": count and not planned,
            "some_planned": planned and planned < count,
            "late": row["n_late"],
            "some_compared": compared and compared < reported,
        }
        values = {"count": count, "reported": reported, "planned": planned, "compared": compared}
        values["late"] = row["n_late"]
        return "; ".join(
            self.book.say(f"report.remarks.{key}", **values) for key, is_so in many.items() if is_so
        )

    # ------------------------------------------------------------------ every line

    def write_lines(self) -> None:
        """Write every line of the report: what the forms add up."""
        book, right = self.book, len(_NAMES) + len(self.columns)
        money = [self.look(key)[1] for key in self.columns]
        beside = (*_BESIDE, *(self.look(key)[1] for key in self.unprinted), 45.0)
        sheet = book.sheet("lines", (*_NAMES, *money, 8.0), beside)
        title = book.say("report.title.lines", year=self.stamp.year)
        unit = book.say("unit", unit=unit_name(book.money.unit, book.language))
        write_title(book, sheet, right, self.stamp, title, unit)
        names = ("number", "place", "area", "source")
        own = [("", book.say(f"report.columns.{key}")) for key in names]
        own += [*self.headings(self.columns), ("", book.say("report.columns.month"))]
        book.heading(sheet, _HEAD, own)
        at = self.at()
        for key in _CODES:
            book.text(sheet, _HEAD + 1, at[key], book.say(f"report.codes.{key}"), "code")
        for key, said in zip(self.unprinted, self.headings(self.unprinted), strict=True):
            text = " – ".join(part for part in said if part).replace("\n", " ")
            book.text(sheet, _HEAD + 1, at[key], text, "code")
        basis = max(at.values()) + 1
        book.text(sheet, _HEAD + 1, basis, book.say("report.columns.basis"), "code")
        sheet.freeze_panes(_HEAD + 2, len(_NAMES))
        for number, cell in enumerate(self.cells):
            self.write_line(sheet, number, cell, at)
        last = _HEAD + 1 + len(self.cells)
        sheet.autofilter(_HEAD + 1, 0, last, right)
        book.print_rows(sheet, last, (_HEAD, _HEAD + 1))

    def write_line(self, sheet: Worksheet, number: int, cell: Row, at: Mapping[str, int]) -> None:
        """Write one line, its codes and what its forecast rests on."""
        book, row = self.book, _HEAD + 2 + number
        fund = book.name("source", cell["source"])
        names = (str(number + 1), book.name("place", cell["place"]), self.content(cell), fund)
        for column, text in enumerate(names):
            book.text(sheet, row, column, text, "cell", *(("wrap",) if column in (1, 2) else ()))
        parts = [at[key] for key in _DONE if key in at]
        for key in (*self.columns, *self.unprinted):
            value, style = self.value(cell, key), self.look(key)[0]
            styles = ("cell", style) if key in self.columns else (style, "code")
            if key == "disbursed" and parts and value is not None:
                total = f"=SUM({xl_range(row, parts[0], row, parts[-1])})"
                book.formula(sheet, row, at[key], total, value, *styles)
            else:
                book.number(sheet, row, at[key], value, *styles)
        month = None if cell["month"] is None else float(cell["month"])
        book.number(sheet, row, len(_NAMES) + len(self.columns), month, "cell", "whole")
        self.write_codes(sheet, row, at[_CODES[0]], cell)
        basis = say(f"forecast.{cell['basis']}", book.language) if cell["basis"] else ""
        book.text(sheet, row, max(at.values()) + 1, basis, "code")

    def write_codes(
        self, sheet: Worksheet, row: int, column: int, of: Row, keys: Sequence[str] = _CODES
    ) -> None:
        """Write the codes that tell which lines a row adds up, beside what is printed."""
        for offset, key in enumerate(_CODES, column):
            if key == "activity" and key in keys:
                self.book.number(sheet, row, offset, self.activities[of[key]], "code")
            elif key in keys:
                self.book.text(sheet, row, offset, of[key] or "-", "code")

    def range(self, key: str) -> str:
        """Return where the sheet of all lines has a number, or a code."""
        column, last = self.at()[key], _HEAD + 1 + len(self.cells)
        return f"'{self.book.say('sheets.lines')}'!{xl_range_abs(_HEAD + 2, column, last, column)}"


def _every(nodes: Sequence[Node[_Lines]]) -> Iterator[_Lines]:
    """Yield what rows are of, and the rows under them."""
    for node in nodes:
        yield node.of
        yield from _every(node.children)


class _Table(Tree[_Lines]):
    """The table of a form."""

    def __init__(self, report: _Report, sheet: Worksheet, keys: Sequence[str], right: int) -> None:
        super().__init__(report.book, sheet)
        self.report = report
        self.at = {key: 2 + i for i, key in enumerate(keys)}
        self.right = right

    def write_row(
        self, row: int, of: _Lines, parts: Sequence[int], styles: tuple[str, ...]
    ) -> None:
        """Write the numbers of a row: sums and ratios as formulas, ranges and chances as they are.

        A row without parts adds up its lines, which the codes beside it pick.
        """
        lines, keys = of
        self.report.write_codes(self.sheet, row, self.right + 2, lines, keys)
        where = "".join(self.criteria(row, keys))
        for key, column in self.at.items():
            value = self.report.value(lines, key)
            look = (*styles, self.report.look(key)[0])
            if value is None or key in (*_RANGES, *_CHANCES):
                self.book.number(self.sheet, row, column, value, *look)
                continue
            if key in RATIOS:
                formula = self.ratio(row, lines, key, where)
            elif parts:
                formula = add_up(parts, column)
            else:
                formula = f"={self.sum(key, where)}"
            self.book.formula(self.sheet, row, column, formula, value, *look)
        remark = self.report.remark(lines)
        self.book.text(self.sheet, row, self.right, remark, *styles, "wrap", "small")

    def criteria(self, row: int, keys: Sequence[str]) -> Iterator[str]:
        """Yield what picks the lines of a row, by the codes beside it."""
        for key in keys:
            code = xl_rowcol_to_cell(row, self.right + 2 + _CODES.index(key), col_abs=True)
            yield f",{self.report.range(key)},{code}"

    def sum(self, key: str, where: str, beside: str = "") -> str:
        """Return the sum of a column over some lines; of those that have another one too."""
        column = self.report.range(key)
        where += f',{self.report.range(beside)},"<>"' if beside else ""
        return f"SUMIFS({column}{where})" if where else f"SUM({column})"

    def ratio(self, row: int, of: Row, key: str, where: str) -> str:
        """Return a ratio of two cells of the row, or of the lines that have both where some lack.

        Lines that lack one of the two are in the sums of the row, not in the ratio.
        """
        above, below = RATIOS[key]
        is_shown = above in self.at and below in self.at and of[below]
        if is_shown and math.isclose(of[above] / of[below], of[key], rel_tol=1e-12):
            cells = (xl_rowcol_to_cell(row, self.at[name]) for name in (above, below))
            return f"={'/'.join(cells)}"
        return f"={self.sum(above, where, below)}/{self.sum(below, where, above)}"
