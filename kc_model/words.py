"""Amounts, numbers and names as a sentence shows them, in one unit and one language."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from functools import cache
from itertools import pairwise
from typing import Protocol, Self

import pandas as pd

from kc_model import reference
from kc_model.money import SHOWN, UNITS, format_money, format_number
from kc_model.wording import LANGUAGES, Language, retold, say, texts

__all__ = ["DIGITS", "LEAST_RISE", "NOTICED", "Words", "closed", "grounds", "noticed"]

DIGITS: Mapping[str, int] = {"vnd": 0, "thousand_vnd": 0, "million_vnd": 1, "billion_vnd": 3}
"""Most digits after the decimal mark with which money of a unit is shown."""

NOTICED = 5e-4
"""Of a goal: a smaller loss is rounding, and nobody is told of it."""

LEAST_RISE = 5e-4
_DECIMALS = 3  # of shares below each other, at most
"""Of a share by which something changed: less is told to its first figure."""

_NO_SHARE = 1e-6  # a share that is less comes of arithmetic
_EXACT = {"vnd": 0, "thousand_vnd": 3, "million_vnd": 6, "billion_vnd": 9}  # to the đồng
_KINDS = ("places", "cells", "history", "absorption", "projects", "any", "sheets")
_MONEY = (" money", " disbursed", " change", " risk")
_NAMED = {"place": "place", "region": "place", "area": "area", "source": "source"}
_SHOWN = 5


def closed(values: Sequence[float], digits: int) -> list[float]:
    """Round numbers so that they add up to their rounded sum.

    Parameters
    ----------
    values : sequence of float
    digits : int
        After the decimal mark.

    Notes
    -----
    What is missing or too much goes to those that rounding took furthest from it.

    Examples
    --------
    >>> closed([-2379.46, -1178.99], 1), closed([0.34, 0.34, 0.34], 1)
    ([-2379.5, -1179.0], [0.4, 0.3, 0.3])
    """
    shown = [_rounded(value, digits) for value in values]
    step, off = Decimal(1).scaleb(-digits), _rounded(math.fsum(values), digits) - sum(shown)
    far = sorted(range(len(shown)), key=lambda i: float(shown[i]) - values[i], reverse=off < 0)
    for i in far[: int(abs(off) / step)]:
        shown[i] += step if off > 0 else -step
    return [float(one) for one in shown]


def noticed(cells: pd.DataFrame, by: str, unit: str, step: int = 0) -> pd.DataFrame:
    """Return what groups of cells had, have and gain or lose, and whether that is told.

    Parameters
    ----------
    cells : DataFrame
        With ``baseline`` and ``amount`` (VND), and what they are grouped by.
    by : str
    unit : str
        In which changes are shown.
    step : int
        VND that amounts were rounded to; 0: they were not.

    Returns
    -------
    DataFrame
        By group: baseline, amount, change and told: not where neither a cell nor the group changes
        by a step, nor where the change is shown as none in the unit.
    """
    step, change = max(step, 1), cells["amount"] - cells["baseline"]
    moved = (change.abs() >= step).groupby(cells[by], sort=False).any()
    sums = cells.groupby(by, sort=False)[["baseline", "amount"]].sum()
    change = (sums["amount"] - sums["baseline"]).astype("int64")
    least = max(1.0, UNITS[unit] / 10 ** DIGITS[unit] / 2)
    told = (moved | (change.abs() >= step)) & (change.abs() >= least)
    return sums.assign(change=change, told=told)


def grounds(found: Iterable[str]) -> str:
    """Return legal grounds in one line, each once.

    Parameters
    ----------
    found : iterable of str
        Each one ground, or several with ``; `` between them.

    Examples
    --------
    >>> grounds(["Điều 8; Điều 9", "Điều 8"])
    'Điều 8; Điều 9'
    """
    return "; ".join(dict.fromkeys(one for text in found for one in text.split("; ") if one))


class _Shown(Protocol):
    # Properties, because the fields of a frozen dataclass may only be read.
    @property
    def unit(self) -> str: ...
    @property
    def vintage(self) -> str: ...


class Words:
    """Shows amounts, numbers and names.

    Parameters
    ----------
    given : str
        The dataset's unit: what amounts come in.
    vintage : {"63", "34"}
        Of the places' codes.

    Attributes
    ----------
    unit : str
        What amounts are shown in, see `kc_model.money.SHOWN`.
    one : float
        1 of that, as amounts come in.
    """

    def __init__(self, given: str, vintage: str, language: Language) -> None:
        self.given, self.vintage, self.language = given, vintage, language
        self.unit = SHOWN[given]
        self.one = UNITS[self.unit] / UNITS[given]

    @classmethod
    def of(cls, plan: _Shown, language: Language) -> Self:
        """Return what shows a plan's amounts and places."""
        return cls(plan.unit, plan.vintage, language)

    def say(self, key: str, **values: object) -> str:
        """Return a text in the language, see `kc_model.wording.say`."""
        return say(key, self.language, **values)

    # ------------------------------------------------------------------ money

    def amount(self, value: float) -> str:
        """Show an amount given in the unit, without the unit's name; "–" where there is none."""
        if pd.isna(value):
            return "–"
        digits = DIGITS[self.unit]
        return format_number(_rounded(self._in_shown(value), digits), None, self.language)

    def money(self, value: float, digits: int | None = None) -> str:
        """Show an amount given in the unit; to the unit's usual digits, or to so many."""
        return self._money(value, DIGITS[self.unit] if digits is None else digits)

    def vnd(self, amount: float) -> str:
        """Show an amount given in VND."""
        return self.money(amount / UNITS[self.given])

    def signed(self, value: float) -> str:
        """Show a change of money, given in the unit, with its sign; none is told in words."""
        shown = self.money(abs(value))
        if shown == self.money(0.0):
            return self.say("explain.unchanged")
        return ("−" if value < 0 else "+") + shown

    def sign(self, value: float) -> str:
        """Return the sign that is shown with a change of money: none where it is shown as 0."""
        shown = _rounded(self._in_shown(value), DIGITS[self.unit])
        return "+" if shown > 0 else "−" if shown < 0 else ""

    def steps(self, totals: Sequence[float]) -> list[float]:
        """Return how far each total is from the one before, as they are shown.

        Read beside the totals the steps add up, to the last digit. Money, given in the unit.
        """
        shown = [_rounded(self._in_shown(total), DIGITS[self.unit]) for total in totals]
        return [float(after - before) * self.one for before, after in pairwise(shown)]

    def sides(self, sums: pd.DataFrame) -> dict[str, tuple[int, float]]:
        """Return how many lose, how many gain, and how much; together what the total changes by.

        Parameters
        ----------
        sums : DataFrame
            As `noticed` gives them.

        Returns
        -------
        dict of str to (int, float)
            ``lost``, ``won`` and, where rounding alone makes a change that is shown, ``rest``.
        """
        change, told = sums["change"] / UNITS[self.unit], sums["told"]
        parts = [
            change[told & (change < 0)],
            change[told & (change > 0)],
            change[~told & (change != 0)],
        ]
        shown = closed([float(part.sum()) for part in parts], DIGITS[self.unit])
        money = [one * self.one for one in shown]
        found = zip(map(len, parts), money, strict=True)
        sides = dict(zip(("lost", "won", "rest"), found, strict=True))
        return sides if money[-1] else {key: sides[key] for key in ("lost", "won")}

    def exact(self, value: float) -> str:
        """Show an amount given in the unit, to the đồng."""
        return self._money(value, _EXACT[self.unit])

    def gain(self, value: float) -> str:
        """Show an amount given in the unit to its usual digits; a small one to three figures."""
        digits = max(_significant(self._in_shown(value), 3), DIGITS[self.unit])
        return self._money(value, min(digits, _EXACT[self.unit]))

    def each(self, value: float) -> str:
        """Show money for each head or other unit, given in the unit: in đồng, or in million."""
        vnd = value * UNITS[self.given]
        unit = "million_vnd" if abs(vnd) >= UNITS["million_vnd"] else "vnd"
        shown = vnd / UNITS[unit]
        digits = _significant(shown, 3)
        return format_money(_rounded(shown, digits) * UNITS[unit], unit, self.language)

    def _money(self, value: float, digits: int) -> str:
        vnd = _rounded(self._in_shown(value), digits) * UNITS[self.unit]
        return format_money(vnd, self.unit, self.language)

    def _in_shown(self, value: float) -> float:
        return value / self.one

    # ------------------------------------------------------------------ numbers

    def number(self, value: float, digits: int | None = None) -> str:
        """Show a number to so many digits, or to four figures, without zeros at its end."""
        digits = _significant(value, 4) if digits is None else digits
        return format_number(_rounded(value, digits), None, self.language)

    def percent(self, share: float, digits: int = 1) -> str:
        """Show a share: 57,4 %; in English 57.4%. What would be nothing, to its first figure."""
        return say("screen.share", self.language, number=self.shared(share, digits))

    def shared(self, share: float, digits: int = 0) -> str:
        """Show a share as `percent` does, without its sign; by itself in whole per cent."""
        value = 100 * share
        if abs(share) >= _NO_SHARE and not _rounded(value, digits):
            digits = _significant(value, 1)
        return self.number(value, digits)

    def rise(self, share: float) -> str:
        """Show by what share something changed, to a decimal; what is less, to its first figure."""
        return say("screen.share", self.language, number=self._points(share))

    def risen(self, share: float) -> str:
        """Show by how many per cent something changed, as `rise` does, with its sign."""
        return ("−" if share < 0 else "+" if share else "") + self._points(abs(share))

    def all_risen(self, shares: Iterable[float | None]) -> list[str]:
        """Show the same below each other, all to as many decimals as the least of them needs.

        None: there was nothing before.
        """
        every = list(shares)
        small = [100 * share for share in every if share and abs(share) < LEAST_RISE]
        digits = min(_DECIMALS, max((_significant(share, 1) for share in small), default=1))
        return [
            "–"
            if share is None
            else ("−" if share < 0 else "+" if share else "")
            + format_number(_rounded(100 * abs(share), digits), digits, self.language)
            for share in every
        ]

    def _points(self, share: float) -> str:
        digits = 1 if abs(share) >= LEAST_RISE or not share else _significant(100 * share, 1)
        return format_number(_rounded(100 * share, digits), digits, self.language)

    def outputs(self, value: float, digits: int | None = None) -> str:
        """Show a number of outputs, projects or units of a column."""
        return self.say("explain.outputs", amount=self.number(value, digits))

    def rule_number(self, kind: str, value: float) -> str:
        """Show a rule's own number.

        Parameters
        ----------
        kind : str
            See `kc_model.scenario.Rule.kind`.
        """
        if kind == "money":
            return self.exact(value)
        return self.percent(value, 8) if kind == "share" else self.number(value, 8)

    # ------------------------------------------------------------------ names

    def name(self, code: str, key: str = "") -> str:
        """Show a code as a name; anything else as it is.

        Parameters
        ----------
        key : str
            What it is a code of: place, region, area or source, or a column that takes one of a
            few words; "": any of the first four.
        """
        if key:
            if key not in _NAMED:
                word = f"headings.choices.{key}.{code}"
                return self.say(word) if word in texts() else str(code)
            return _known(self.vintage, self.language)[_NAMED[key]].get(code, code)
        if code == "ALL":
            return self.say("explain.all")
        names = _names(self.vintage, self.language).values()
        return next((known[code] for known in names if code in known), code)

    def retold(self, text: str) -> str:
        """Show what the program wrote into a scenario in this language; anything else as it is."""

        def tell(part: str) -> str:
            known = (
                names[part]
                for names in _known(self.vintage, self.language).values()
                if part in names and not part.isdecimal()  # 70 is a share, not a province's code
            )
            return next(known, part)

        return retold(text, self.language, lambda parts: " – ".join(map(tell, parts.split(" – "))))

    def group(self, values: str) -> str:
        """Show a rule's group (values joined by ``|``) as names."""
        return " – ".join(self.name(value) for value in values.split("|"))

    def column(self, name: str) -> str:
        """Return what a column or table is called in words; one of the user's own as it is."""
        known = (f"headings.{kind}.{name}" for kind in _KINDS)
        word = next((self.say(key) for key in known if key in texts()), None)
        if word is None:
            return self.say("explain.column", name=name)
        return f"“{word}”"

    def listed(self, names: Sequence[str], kind: str = "place") -> str:
        """Show the first few of a list and how many more there are."""
        return ", ".join(names[:_SHOWN]) + self.more(len(names), kind)

    def more(self, count: int, kind: str, shown: int = _SHOWN) -> str:
        """Say how many there are beyond those shown; "" for none."""
        if count <= shown:
            return ""
        return self.say(f"explain.and_more.{kind}", count=count - shown)

    def selection(self, where: Mapping[str, Sequence[str]], between: str = " – ") -> str:
        """Show which cells are selected, the fund first; a selection of all as such."""
        parts = [
            ", ".join(self.name(value, key) for value in where[key])
            if key in _NAMED
            else f"{self.column(key)}: {', '.join(where[key])}"
            for key in sorted(where, key=lambda key: key != "source")
        ]
        return between.join(parts) or self.say("explain.everything")

    # ------------------------------------------------------------------ goals

    def goal(self, name: str, where: Mapping[str, Sequence[str]] | None = None) -> str:
        """Show what a goal is called.

        Parameters
        ----------
        name : str
            Such as ``maximise disbursed``.
        where : mapping or None
            Cells it is limited to, where that is to be told.
        """
        what, _, column = name.split(" ", 1)[1].partition(":")
        key = "least_money" if name == "minimise money" else what
        told = self.say(f"explain.goals.{key}", column=self.column(column))
        if not where:
            return told
        told_where = self.selection(where, "; ")
        return self.say("explain.goals.within", goal=told, where=told_where)

    def achieved(self, name: str, value: float, per: str) -> str:
        """Show what is achieved of a goal.

        Parameters
        ----------
        value : float
            In the user's units.
        per : str
            Column of a goal of evenness.
        """
        if name.endswith(" evenness"):
            key = "population" if per == "population" else "other"
            values = {"amount": self.each(value), "per": self.column(per)}
            return self.say(f"explain.even.{key}", **values)
        if name.endswith(" moves"):
            return self.say("explain.moves.lines", count=self.number(value))
        return self.money(value) if name.endswith(_MONEY) else self.number(value)

    def gained(self, name: str, value: float) -> str:
        """Show by how much a goal is better or worse; money as `gain` does, else three figures."""
        if name.endswith(_MONEY):
            return self.gain(value)
        if name.endswith(" evenness"):
            return self.each(value)
        return self.number(value, _significant(value, 3))


@cache
def _names(vintage: str, language: Language) -> dict[str, dict[str, str]]:
    return {
        "place": {
            code: reference.place_name(code, vintage, language)
            for code in reference.place_order(vintage)
        },
        "area": {c: reference.area_name(c, language) for c in reference.area_order()},
        "source": {c: reference.source_name(c, language) for c in reference.source_order()},
    }


@cache
def _known(vintage: str, language: Language) -> dict[str, dict[str, str]]:
    """Names by code, and by their name in either language, as a workbook may say it."""
    known: dict[str, dict[str, str]] = {}
    for key, own in _names(vintage, language).items():
        spelled = [_names(vintage, one)[key] for one in LANGUAGES]
        known[key] = {n[code]: own[code] for n in spelled for code in own} | own
    return known


def _rounded(value: float, digits: int) -> Decimal:
    """Round half up after dropping the noise of arithmetic: equal numbers are shown equal."""
    exact = Decimal(repr(round(float(value), max(8, digits)) + 0.0))
    return exact.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP).normalize() + 0  # no −0


def _significant(value: float, figures: int) -> int:
    """Return the digits after the mark that show so many figures of a number."""
    if not value or abs(value) >= 10 ** (figures - 1):
        return 0 if figures < 4 else 1
    return max(0 if figures < 4 else 1, figures - 1 - math.floor(math.log10(abs(value))))
