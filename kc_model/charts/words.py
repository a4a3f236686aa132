"""What stands in a chart: names, amounts and sentences in one language and unit, put together."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt
import pandas as pd

from kc_model import reference
from kc_model.export import Stamp
from kc_model.money import SHOWN, UNITS, format_number, unit_name
from kc_model.wording import Language, say
from kc_model.words import DIGITS, Words

__all__ = ["DIGITS", "ESTIMATED", "Picture", "Tongue", "even", "known"]

ESTIMATED: Mapping[str, int] = {unit: max(0, digits - 1) for unit, digits in DIGITS.items()}
"""Digits after the decimal mark of money that is no more than an estimate: one fewer."""

Record = Mapping[str, Any]
Line = tuple[str, ...]


@dataclass(frozen=True)
class Picture:
    """One chart and its table: what stays, and what a new result exchanges.

    Parameters
    ----------
    structure : mapping
        Vega-Lite without data, equal for equal kinds of results; treat as read-only.
    rows : tuple of dict
        Records of the data set named ``rows``.
    description : str
        For screen readers.
    table : tuple of tuple of str
        The same figures as texts, headings first: for whoever cannot or will not read the chart.
    unit : str
        What stands over the table: in what its money is.
    """

    structure: Mapping[str, Any]
    rows: tuple[Record, ...]
    heading: str
    description: str
    table: tuple[Line, ...]
    unit: str

    def spec(self) -> dict[str, Any]:
        """Return the complete Vega-Lite specification."""
        return {
            **self.structure,
            "description": self.description,
            "params": [{"name": "heading", "value": self.heading}],
            "datasets": {"rows": [dict(row) for row in self.rows]},
        }

    def chart(self) -> alt.LayerChart:
        """Return it as an Altair chart, to be shown, changed or saved."""
        chart: alt.LayerChart = alt.LayerChart.from_dict(self.spec())
        return chart


def known(value: Any) -> float | None:
    """Return a figure for a chart, None where there is none."""
    return None if pd.isna(value) else float(value)


def even(table: Sequence[Line], language: Language, together: Collection[int] = ()) -> list[Line]:
    """Return a table whose columns of numbers have as many digits after the mark all the way down.

    Parameters
    ----------
    table : sequence of tuple of str
        Headings first; a range of two numbers counts as both.
    language : {"vi", "en"}
        Of its decimal mark.
    together : collection of int
        Columns that are read beside each other, such as those of money: all have as many digits.
    """
    mark, between = (",", ".") if language == "vi" else (".", ",")
    number = re.compile(rf"\d[\d{re.escape(between)}]*(?:{re.escape(mark)}(\d+))?")
    whole = re.compile(rf"[+− ]*{number.pattern}(?:–{number.pattern})?")
    columns = list(zip(*table[1:], strict=True))
    most = [
        max(
            (
                len(found)
                for cell in column
                if whole.fullmatch(cell)
                for found in number.findall(cell)
            ),
            default=0,
        )
        for column in columns
    ]
    shared = max((most[k] for k in together), default=0) if columns else 0

    def padded(cell: str, digits: int) -> str:
        if not digits or not whole.fullmatch(cell):
            return cell
        return number.sub(lambda one: _padded(one, digits, mark), cell)

    shown = (
        [padded(cell, shared if k in together else most[k]) for cell in column]
        for k, column in enumerate(columns)
    )
    return [table[0], *zip(*shown, strict=True)]


def _padded(number: re.Match[str], most: int, mark: str) -> str:
    """Return a number with so many digits after its mark."""
    digits = number[1] or ""
    return f"{number[0]}{'' if digits else mark}{'0' * (most - len(digits))}"


_WIDE = 100  # letters on a line under the title


class Tongue(Words):
    """Speaks for one kind of chart, in the unit that charts are drawn in.

    Parameters
    ----------
    kind : str
        Its texts are ``charts.<kind>``.
    unit : str
        The dataset's unit.

    Attributes
    ----------
    scale : float
        What an amount in the dataset's unit is multiplied by.
    """

    def __init__(self, kind: str, unit: str, vintage: str, language: Language) -> None:
        super().__init__(SHOWN[unit], vintage, language)
        self.kind, self.scale = kind, UNITS[unit] / UNITS[self.unit]

    def scaled(self, frame: pd.DataFrame, columns: Iterable[str]) -> pd.DataFrame:
        """Return a table with the money of those columns it has in the unit of charts."""
        return frame.assign(
            **{one: frame[one].astype("float64") * self.scale for one in columns if one in frame}
        )

    def say(self, key: str, **values: object) -> str:
        """Return a text of this kind of chart."""
        return say(f"charts.{self.kind}.{key}", self.language, **values)

    def any(self, key: str, **values: object) -> str:
        """Return a text that all charts share."""
        return say(f"charts.{key}", self.language, **values)

    def head(self, *keys: str) -> Line:
        """Return headings of a table."""
        return tuple(self.any(f"columns.{key}") for key in keys)

    def name(self, code: Any, key: str = "") -> str:
        """Return what a code is called, also where there is none."""
        return super().name(code, key) if code != "" else self.any(f"none.{key}")

    def estimate(self, amount: float) -> str:
        """Return an amount that is no more than an estimate: a digit fewer."""
        if pd.isna(amount):
            return "–"
        return format_number(float(amount), ESTIMATED[self.unit], self.language)

    def points(self, percent: float | None) -> str:
        """Return a share given in percent, without its sign; "–" where there is none."""
        known = percent is not None and pd.notna(percent)
        return format_number(percent, 1, self.language) if known and percent is not None else "–"

    def guessed(self, line: pd.Series[Any], *, is_cell: bool = False) -> tuple[str, str, str]:
        """Return what is expected, the 80 % and the 95 % range; "–" where nothing is.

        In cells of a table as exact as the money beside it.
        """
        figures = ("expected", "lower_80", "upper_80", "lower_95", "upper_95")
        show = self.amount if is_cell else self.estimate
        expected, *ends = (show(line[figure]) for figure in figures)
        ranges = ["–".join(pair) if "–" not in pair else "–" for pair in (ends[:2], ends[2:])]
        return expected, ranges[0], ranges[1]

    def as_of(self, month: int) -> str:
        """Return up to when the figures are."""
        return self.any("as_of.month", month=month) if month else self.any("as_of.before")

    def year(self, year: int, as_of: int | None) -> str:
        """Return a plan's year, mid-year with up to when the figures are."""
        return str(year) if as_of is None else f"{year} ({self.as_of(as_of)})"

    def in_order(self, key: str, codes: Iterable[Any]) -> list[Any]:
        """Return the codes that occur: areas and funds in official order, others as they come."""
        found = list(dict.fromkeys(codes))
        orders = {"area": reference.area_order, "source": reference.source_order}
        return [code for code in orders[key]() if code in found] if key in orders else found

    def picture(
        self,
        structure: Mapping[str, Any],
        rows: Sequence[Record],
        table: Sequence[Line],
        *,
        synthetic: bool,
        **words: object,
    ) -> Picture:
        """Put a chart together; synthetic figures are called so wherever they are shown."""
        subtitle = self.say("subtitle", **words)
        if synthetic:
            subtitle = f"{self.any('synthetic')} · {subtitle}"
        structure = {**structure, "title": {**structure["title"], "subtitle": _lines(subtitle)}}
        heading, description = self.say("title", **words), self.say("description", **words)
        has_shares = all("%" in name for name in table[0][1:])
        shown = "%" if has_shares else unit_name(self.unit, self.language)
        unit = say("export.unit", self.language, unit=shown)
        return Picture(
            structure, tuple(rows), heading, description, tuple(even(table, self.language)), unit
        )

    def stamped(
        self,
        structure: Mapping[str, Any],
        rows: Sequence[Record],
        table: Sequence[Line],
        stamp: Stamp,
        **words: object,
    ) -> Picture:
        """Put a chart of a plain table together; the stamp tells what its figures are of."""
        about = [str(stamp.year), stamp.scenario]
        about += [self.as_of(stamp.as_of)] if stamp.as_of is not None else []
        words["about"] = " · ".join(part for part in about if part)
        return self.picture(structure, rows, table, synthetic=stamp.synthetic, **words)


def _lines(text: str) -> str | list[str]:
    """Put what stands under a title on lines that are no wider than a chart."""
    first, *parts = text.split(" · ")
    lines = [first]
    for part in parts:
        longer = f"{lines[-1]} · {part}"
        lines = [*lines[:-1], longer] if len(longer) <= _WIDE else [*lines, part]
    return lines if len(lines) > 1 else text
