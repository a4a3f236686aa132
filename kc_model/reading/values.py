"""What one value means, by the kind of its column."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from kc_model import reference
from kc_model.money import (
    Amount,
    DecimalMark,
    NumberError,
    format_number,
    parse_money,
    parse_number,
    stated_unit,
    unit_name,
)
from kc_model.sheets import (
    BROKEN,
    Value,
    choice_code,
    choices,
    clean_text,
    named_choices,
    value_text,
)
from kc_model.tables import Column, Kind, column_dtype
from kc_model.wording import LANGUAGES

__all__ = [
    "Renamed",
    "Terms",
    "WrongError",
    "is_missing",
    "is_number",
    "missing",
    "parse_value",
]

_ALL = 100  # percent
_LIKELY = Decimal(85)  # percent, as an example where the number itself is none

_MARKS = {"", "-", "–", "—", "−", "…", "...", "..", "x"}
_CODE = re.compile(r"0\d+", re.ASCII)
_ISO = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})", re.ASCII)
_DAY_FIRST = re.compile(r"(\d{1,2})([/.-])(\d{1,2})\2(\d{4})", re.ASCII)
_EXCEL_DAY = re.compile(r"\d{5}", re.ASCII)
_EXCEL_DAY_0 = date(1899, 12, 30)
_PART = re.compile(r"(?:(?P<place>[^:=]+)[:=])?\s*(?P<number>[^:=%]+?)\s*(?P<percent>%)?")
_YEARS = range(1990, 2101)


@dataclass(frozen=True)
class Terms:
    """What a value is read under.

    Parameters
    ----------
    unit, vintage : str
        Of ``dataset.yaml``, or the row's own vintage; "" where they are at fault, so that nothing
        is blamed on the value.
    decimal : {"point", "comma"} or None
        Decimal mark, declared or shown by the numbers of the same table; None: not known.
    mixed : bool
        Whether the file has been found to mix its marks: each number then stands for itself.
    heading : str
        Unit that the column's heading states; "" for none.
    in_book : bool
        Whether the file is a workbook, whose choices are words.
    """

    unit: str
    vintage: str
    decimal: DecimalMark | None = None
    mixed: bool = False
    heading: str = ""
    in_book: bool = False

    def amount(self, vnd: int) -> Amount:
        """Return an amount as a fault tells it."""
        return Amount(vnd, self.unit or "million_vnd")


class WrongError(ValueError):
    """A value that its column cannot hold; `code` and `values` are those of the fault."""

    def __init__(self, code: str, **values: object) -> None:
        self.code, self.values = code, values
        super().__init__(code)


class Renamed(str):
    """Code (or codes) of the place that a former province was merged into."""

    __slots__ = ()


_Parser = Callable[[Value, Column, Terms], object]


def missing(kind: Kind) -> object:
    """Return what stands for a missing value of a kind."""
    return "" if column_dtype(kind) == "str" else None


def is_missing(value: Value, kind: Kind) -> bool:
    """Tell whether a cell says nothing: blank, or "-", "…", "x" where no free text is meant."""
    if isinstance(value, str):
        text = clean_text(value)
        return not text or (kind is not Kind.TEXT and text.casefold() in _MARKS)
    return value is None


def is_number(value: Value) -> bool:
    """Tell whether a value is a number, unclear marks included; "01" is a code, not a number."""
    if not isinstance(value, str):
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    try:
        parse_number(value)
    except NumberError as error:
        return error.code == "ambiguous-number"
    return _CODE.fullmatch(clean_text(value)) is None


def parse_value(value: Value, column: Column, terms: Terms) -> object:
    """Return what a value means in its column.

    Returns
    -------
    object
        The canonical value; what stands for a missing one; or BROKEN where a fault has been raised
        already.

    Raises
    ------
    WrongError
        If the column cannot hold it.
    """
    if value is BROKEN:
        return BROKEN
    if is_missing(value, column.kind):
        if column.required:
            raise WrongError("empty-cell")
        return missing(column.kind)
    try:
        return _PARSERS.get(column.kind, _text)(value, column, terms)
    except NumberError as error:
        if error.code == "ambiguous-number" and terms.mixed:
            return BROKEN
        code = "wrong-decimal" if error.code == "mixed-decimal" else error.code
        raise WrongError(code, found=value_text(value)) from None


# ---------------------------------------------------------------------------- numbers


def _numeric(value: Value) -> str | float:
    """Return what may be a number; a logical value, a date or a time is none."""
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return value
    raise WrongError("bad-number", found=value_text(value))


def _number(value: Value, column: Column, terms: Terms) -> float:
    number = parse_number(_numeric(value), terms.decimal)
    if number < 0 and not column.signed:
        raise WrongError("negative-number", found=value_text(value))
    return float(number)


def _rate(value: Value, _column: Column, terms: Terms) -> float:
    number = parse_number(_numeric(value), terms.decimal)
    if not 0 <= number <= 1:
        share = number if 1 < number <= _ALL else _LIKELY
        told = {
            f"{name}_{one}": format_number(amount, None, one)
            for name, amount in (("percent", share), ("rate", share / _ALL))
            for one in LANGUAGES
        }
        raise WrongError("rate-outside", found=value_text(value), **told)
    return float(number)


def _whole(value: Value, _column: Column, terms: Terms) -> int:
    number: Decimal = parse_number(_numeric(value), terms.decimal)
    if number != number.to_integral_value():
        raise WrongError("not-whole", found=value_text(value))
    return int(number)


def _within(numbers: range, code: str) -> _Parser:
    def parse(value: Value, column: Column, terms: Terms) -> int:
        number = _whole(value, column, terms)
        if number not in numbers:
            raise WrongError(code, found=value_text(value))
        return number

    return parse


def _money(value: Value, column: Column, terms: Terms) -> int:
    own = stated_unit(value) if isinstance(value, str) else None
    if own and terms.heading and own != terms.heading:
        heading = unit_name(terms.heading)
        raise WrongError("unit-conflict", found=value_text(value), heading=heading)
    amount = parse_money(_numeric(value), terms.unit or "million_vnd", terms.decimal)
    if amount < 0 and not column.signed:
        raise WrongError("negative-amount", found=value_text(value), vnd=terms.amount(amount))
    return amount


# ---------------------------------------------------------------------------- texts and names


def _text(value: Value, _column: Column, _terms: Terms) -> str:
    return clean_text(value_text(value))


def _choice(value: Value, column: Column, terms: Terms) -> str:
    text = clean_text(value_text(value)).removesuffix(".0")  # 34.0, as programs write numbers
    code = choice_code(column.name, text)
    known = column.choices or tuple(choices(column.name))
    if code not in known:
        raise WrongError(
            "not-a-choice",
            found=text,
            choices=named_choices(column.name, known, coded=not terms.in_book),
        )
    return code


def _find(kind: str, find: Callable[[str], str], text: str) -> str:
    try:
        return find(text)
    except reference.UnknownNameError as error:
        if error.successor:
            return Renamed(error.successor)
        code = "ambiguous-name" if error.ambiguous else f"unknown-{kind}"
        near = "; ".join(error.suggestions)
        raise WrongError(code, found=text, near=near, **error.near) from None


def _named(kind: str, find: Callable[[str], str]) -> _Parser:
    return lambda value, _column, _terms: _find(kind, find, clean_text(value_text(value)))


def _place(value: Value, _column: Column, terms: Terms) -> str:
    text = clean_text(value_text(value))
    if not terms.vintage:  # at fault, so a place of either vintage will do
        codes = {v: reference.place_order(v) for v in reference.VINTAGES}
        if any(text.zfill(2) in known for known in codes.values()):
            return text.zfill(2)
    vintage = terms.vintage or "63"
    old = "63" if vintage == "34" else "34"
    code = text.zfill(2) if text.isdecimal() else ""
    if code in reference.place_order(old) and code not in reference.place_order(vintage):
        raise WrongError("place-of-other-vintage", found=text, vintage=vintage, other=old)
    return _find("place", lambda name: reference.find_place(name, vintage), text)


def _places(value: Value, column: Column, terms: Terms) -> str:
    """Return the codes of a group project, joined by ";"; a place named twice counts once."""
    parts = [part for part in clean_text(value_text(value)).split(";") if part.strip()]
    codes = [_place(part, column, terms) for part in parts]
    joined = ";".join(dict.fromkeys(codes))
    return Renamed(joined) if any(isinstance(code, Renamed) for code in codes) else joined


def _shares(value: Value, _column: Column, terms: Terms) -> str:
    """Return shares that sum to 1, joined by ";", each with its place where the text names it.

    Written as shares that sum to 1 or as percents that sum to 100: ``60;40``, ``0.6;0.4``,
    ``01: 60 %; 04: 40 %``. Without places they are in the order of the project's places.
    """
    text = clean_text(value_text(value))
    parts = [_PART.fullmatch(part.strip()) for part in text.split(";") if part.strip()]
    found = [part for part in parts if part is not None]
    named = {part["place"] is not None for part in found}
    if len(found) < len(parts) or len(named) != 1 or len({p["percent"] for p in found}) != 1:
        raise WrongError("split-unclear", found=text)
    try:
        numbers = [parse_number(part["number"], terms.decimal) for part in found]
    except NumberError:
        raise WrongError("split-unclear", found=text) from None
    whole = 100 if found[0]["percent"] or sum(numbers) == 100 else 1
    if sum(numbers) != whole or min(numbers) <= 0:
        raise WrongError("split-sum", found=text)
    shares = [format((number / whole).normalize(), "f") for number in numbers]
    if named == {False}:
        return ";".join(shares)
    codes = [_place(part["place"], _column, terms) for part in found]
    return ";".join(f"{code}:{share}" for code, share in zip(codes, shares, strict=True))


# ---------------------------------------------------------------------------- dates


def _date(value: Value, _column: Column, _terms: Terms) -> datetime:
    found: date | None
    if isinstance(value, datetime):
        found = value.date() if value.time() == datetime.min.time() else None
    elif isinstance(value, date):
        found = value
    else:
        found = _written_date(clean_text(value_text(value)))
    if found is None or found.year not in _YEARS:
        raise WrongError("bad-date", found=value_text(value))
    return datetime(found.year, found.month, found.day)  # noqa: DTZ001 - a day has no time zone


def _written_date(text: str) -> date | None:
    """Return the day of a text: 05/03/2024 is 5 March; also ISO and Excel's day number."""
    iso, local = _ISO.fullmatch(text), _DAY_FIRST.fullmatch(text)
    try:
        if iso:
            return date(int(iso[1]), int(iso[2]), int(iso[3]))
        if local:
            return date(int(local[4]), int(local[3]), int(local[1]))
    except ValueError:
        return None
    return _EXCEL_DAY_0 + timedelta(days=int(text)) if _EXCEL_DAY.fullmatch(text) else None


_PARSERS: Mapping[Kind, _Parser] = {
    Kind.YEAR: _within(_YEARS, "year-outside"),
    Kind.MONTH: _within(range(1, 14), "month-outside"),
    Kind.WHOLE: _whole,
    Kind.MONEY: _money,
    Kind.NUMBER: _number,
    Kind.RATE: _rate,
    Kind.PLACE: _place,
    Kind.PLACES: _places,
    Kind.AREA: _named("area", reference.find_area),
    Kind.SOURCE: _named("source", reference.find_source),
    Kind.VINTAGE: _choice,
    Kind.CHOICE: _choice,
    Kind.NORM: _named("norm", reference.find_norm),
    Kind.SHARES: _shares,
    Kind.DATE: _date,
}
