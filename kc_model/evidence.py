"""How published numbers hang together: what is printed against what its parts give.

A dataset may carry ``evidence.csv``: one row per published number, with the phrase it was read
from. Where a printed number should follow from others, its `relation` and `terms` say how. This
room recomputes it and reports a difference; it never repairs a printed number.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pandas as pd

from kc_model.errors import Address, Fault
from kc_model.money import UNITS, find_unit, format_number
from kc_model.wording import LANGUAGES, Language

__all__ = ["RELATIONS", "check_evidence"]

_PRINTED = ("real", "estimate", "settled")


@dataclass(frozen=True)
class _Relation:
    """One way in which a number follows from others; the lambdas take the terms in order."""

    counts: range
    value: Callable[[Sequence[float]], float]
    money: Callable[[Sequence[int]], int | None]  # 1: the result is money, 0: not, None: nonsense
    formula: Callable[[Sequence[str]], str]


def _alike(powers: Sequence[int]) -> int | None:
    return powers[0] if len(set(powers)) == 1 else None


_ANY = range(2, 1000)

RELATIONS: Mapping[str, _Relation] = {
    "equal": _Relation(range(1, 2), lambda x: x[0], _alike, "".join),
    "sum": _Relation(_ANY, math.fsum, _alike, " + ".join),
    "difference": _Relation(_ANY, lambda x: x[0] - math.fsum(x[1:]), _alike, " − ".join),
    "product": _Relation(_ANY, math.prod, sum, " × ".join),
    "quotient": _Relation(range(2, 3), lambda x: x[0] / x[1], lambda p: p[0] - p[1], " ÷ ".join),
    "ratio_pct": _Relation(
        range(2, 3),
        lambda x: 100 * x[0] / x[1],
        lambda p: p[0] - p[1],
        lambda t: f"100 × {t[0]} ÷ {t[1]}",
    ),
    "change_pct": _Relation(
        range(2, 3),
        lambda x: 100 * (x[0] / x[1] - 1),
        lambda p: None if _alike(p) is None else 0,
        lambda t: f"100 × ({t[0]} ÷ {t[1]} − 1)",
    ),
}
"""Relation by name: how a row's `value` follows from its `terms` (ids joined by ``;``)."""


@dataclass(frozen=True)
class _Number:
    """A number as printed: its value, its unit and the decimals it was printed with."""

    id: str
    value: float
    unit: str
    standing: str

    @property
    def digits(self) -> int:
        exponent = Decimal(repr(self.value)).normalize().as_tuple().exponent
        return max(0, -int(exponent))

    @property
    def money(self) -> int:
        """1 for an amount of money, 0 for any other number."""
        return int(find_unit(self.unit) is not None)

    @property
    def scale(self) -> int:
        """Đồng in one unit of an amount; 1 for any other number."""
        return UNITS.get(find_unit(self.unit) or "", 1)

    @property
    def half_step(self) -> float:
        """Half a unit of the last printed decimal; 0 for counts and what we derived ourselves."""
        rounded = self.standing in _PRINTED and (self.money or self.unit == "%")
        return 0.5 * 10.0**-self.digits if rounded else 0.0

    def span(self) -> tuple[float, float]:
        """Return the smallest and largest value that would be printed like this, in đồng."""
        return (
            (self.value - self.half_step) * self.scale,
            (self.value + self.half_step) * self.scale,
        )

    def show(self, language: Language) -> str:
        """Return the number with its unit."""
        return f"{format_number(self.value, self.digits, language)} {self.unit}".strip()


def check_evidence(
    frame: pd.DataFrame, origins: Mapping[tuple[str, int], Address] | None = None
) -> list[Fault]:
    """Compare every published number with what its terms give.

    A number agrees if its terms, taken as printed, give it within half a unit of its last printed
    decimal. (A trailing zero in print, ``174,0``, counts as no decimal.)

    Parameters
    ----------
    frame : DataFrame
        Table ``evidence`` with its canonical columns; `value` in the row's own printed `unit`.
        Money of different units is brought to đồng first.
    origins : mapping of (table, row) to Address, optional
        Where each row was read; by default the cell of ``evidence.csv``.

    Returns
    -------
    list of Fault
        Warnings ``evidence-inconsistent``, or ``evidence-rounding`` where rounding of the printed
        terms explains the difference. Errors ``evidence-miscalculated`` (a number marked as
        derived is not what its terms give) and ``evidence-relation`` (unknown relation or term,
        wrong count of terms, units that do not fit, or no finite result).
    """
    numbers = {
        row["id"]: _Number(row["id"], float(row["value"]), row["unit"], row["standing"])
        for row in frame.to_dict("records")
        if pd.notna(row["value"])
    }
    faults = []
    for position, row in enumerate(frame.to_dict("records")):
        if row["relation"]:
            at = (origins or {}).get(("evidence", position))
            fault = _check(row, numbers, at or _address(frame, position))
            faults += [fault] if fault else []
    return faults


def _address(frame: pd.DataFrame, position: int) -> Address:
    letter = chr(ord("A") + frame.columns.to_list().index("value"))
    return Address("evidence.csv", "", f"{letter}{position + 2}", "value")


def _check(
    row: Mapping[Hashable, Any], numbers: Mapping[str, _Number], at: Address
) -> Fault | None:
    """Return what is wrong with one row that has a relation, if anything is."""
    ids = [term.strip() for term in row["terms"].split(";")]
    told = {"id": row["id"], "relation": row["relation"], "terms": "; ".join(ids)}
    number, relation = numbers.get(row["id"]), RELATIONS.get(row["relation"])
    terms = [numbers[term] for term in ids if term in numbers]
    if relation is None or number is None or len(terms) < len(ids):
        return Fault("evidence-relation", at, told)
    if (
        len(terms) not in relation.counts
        or relation.money([term.money for term in terms]) != number.money
    ):
        return Fault("evidence-relation", at, told)
    try:
        computed = relation.value([term.value * term.scale for term in terms]) / number.scale
        lowest, highest = (x / number.scale for x in _reach(relation, terms))
    except ZeroDivisionError:
        return Fault("evidence-relation", at, told)
    room = 0.5 * 10.0**-number.digits * (1 + 1e-9)
    if abs(computed - number.value) <= room:
        return None
    values = told | {
        "quote": f" («{row['quote']}»)" if row["quote"] else "",
        "note": f" {row['note']}" if row["note"] else "",
    }
    for language in LANGUAGES:
        shown = format_number(computed, number.digits + 1, language)
        values |= {
            f"printed_{language}": number.show(language),
            f"computed_{language}": f"{shown} {number.unit}".strip(),
            f"parts_{language}": relation.formula([term.show(language) for term in terms]),
        }
    if number.standing not in _PRINTED:
        return Fault("evidence-miscalculated", at, values)
    explained = lowest - room <= number.value <= highest + room
    code = "evidence-rounding" if explained else "evidence-inconsistent"
    return Fault(code, at, values, "warning")


def _reach(relation: _Relation, terms: Sequence[_Number]) -> tuple[float, float]:
    """Return the least and the most that terms printed like this can give, in đồng.

    Every relation rises or falls with each term, so each is moved to the end that serves.
    """
    ends = [term.span() for term in terms]
    middle = [term.value * term.scale for term in terms]
    low, high = list(middle), list(middle)
    for i, (down, up) in enumerate(ends):
        rises = relation.value([*middle[:i], up, *middle[i + 1 :]]) >= relation.value(
            [*middle[:i], down, *middle[i + 1 :]]
        )
        low[i], high[i] = (down, up) if rises else (up, down)
    return relation.value(low), relation.value(high)
