"""Exact money: reading what a planner wrote, writing what a planner reads, splitting to the đồng.

Money in tables is integer VND. A text is read digit by digit as a decimal number, never as a binary
one, so that nothing is lost; what can be read in two ways is refused unless the file settles which
mark is the decimal one.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from decimal import ROUND_HALF_EVEN, Context, Decimal
from functools import cache
from typing import Any, Literal, NamedTuple, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from kc_model.wording import LANGUAGES, Language, say

__all__ = [
    "DIGITS",
    "MARKS",
    "MILLION",
    "SHOWN",
    "UNITS",
    "Amount",
    "DecimalMark",
    "NumberError",
    "find_unit",
    "finer_steps",
    "format_money",
    "format_number",
    "is_readable",
    "is_unclear",
    "largest_remainder",
    "parse_money",
    "parse_number",
    "read_mark",
    "read_with_point",
    "stated_unit",
    "to_unit",
    "told",
    "unit_name",
]

UNITS = {"vnd": 1, "thousand_vnd": 10**3, "million_vnd": 10**6, "billion_vnd": 10**9}
"""VND in one of each unit."""

SHOWN = {**dict.fromkeys(UNITS, "million_vnd"), "billion_vnd": "billion_vnd"}
"""By the unit of a file, the one that people are told amounts in and type them in: official tables
say triệu đồng, and nobody reads an axis of đồng. Tables of output files keep the file's own."""

DecimalMark = Literal["point", "comma"]
MARKS: dict[str, DecimalMark] = {".": "point", ",": "comma"}
"""The two decimal marks and their names in ``dataset.yaml``."""

MILLION = UNITS["million_vnd"]
"""VND in the unit that forecasts and programs work in."""

DIGITS = 10
"""Significant digits of what a solver found: its tolerances are 1e-9."""

_INT64 = 2**63 - 1
_LONGEST = 60
_EXACT = Context(prec=200, rounding=ROUND_HALF_EVEN)
_CHARACTERS = dict.fromkeys(map(ord, "\u00a0\u2007\u2009\u202f\t\n"), " ") | {0x2212: "-"}
_SWAPPED = str.maketrans(".,", ",.")
_WORD = r"[^\d\s.,()+-][^\d()]*"
_WRITTEN = re.compile(
    rf"(?P<open>\( ?)?(?P<sign>[+-] ?)?(?P<body>[0-9.,]([0-9., ]*[0-9.,])?)"
    rf"( ?(?P<inner>{_WORD}))?(?P<close> ?\))?( ?(?P<outer>{_WORD}))?"
)
_GROUPS = {mark: re.compile(rf"[1-9][0-9]{{0,2}}(\{mark}[0-9]{{3}})+") for mark in MARKS}
_SPACED = re.compile(r"[1-9][0-9]{0,2}( [0-9]{3})+")

_Amount = TypeVar("_Amount", float, "pd.Series[Any]")


class NumberError(ValueError):
    """A value that cannot be read as a number without guessing.

    Parameters
    ----------
    code : str
        Code of the fault: bad-number, ambiguous-number, mixed-decimal, fraction-of-dong,
        amount-too-large.
    found : object
        What stood there.
    """

    def __init__(self, code: str, found: object) -> None:
        self.code = code
        self.found = found
        super().__init__(f"{code}: {found!r}")


# ---------------------------------------------------------------------------- reading


def parse_money(value: str | float | Decimal, unit: str, decimal: DecimalMark | None = None) -> int:
    """Return an amount in VND, exactly.

    Parameters
    ----------
    value : str, int, float or Decimal
        A text may be in Vietnamese or machine format and may name its own unit: "34,7 tỷ",
        "1.234.567 đồng", "2.500,5", "(2.000)". A float is what its shortest decimal form says.
    unit : str
        Unit of a value that names none; a key of `UNITS`.
    decimal : {"point", "comma"} or None
        The decimal mark of the file; None: not known, so "34.700" is refused.

    Returns
    -------
    int
        VND. Only the noise of binary arithmetic is rounded away: a number of 15 or more digits
        that lies within 1e-6 đồng (or 1e-14 of itself) of a whole đồng.

    Raises
    ------
    NumberError
        bad-number, ambiguous-number, mixed-decimal, fraction-of-dong or amount-too-large.
    """
    if isinstance(value, str):
        written = _read(value)
        if written.word and find_unit(written.word) is None:
            raise NumberError("bad-number", value)
        unit = find_unit(written.word) or unit
        amount = written.settle(value, decimal)
    else:
        amount = _machine_number(value)
    exact = _EXACT.multiply(amount, Decimal(UNITS[unit]))
    nearest = exact.to_integral_value(context=_EXACT)
    noise = max(Decimal("1e-6"), abs(nearest) * Decimal("1e-14"))
    is_noise = len(amount.as_tuple().digits) >= 15 and abs(exact - nearest) <= noise
    if exact != nearest and not is_noise:
        raise NumberError("fraction-of-dong", value)
    if abs(nearest) > _INT64:
        raise NumberError("amount-too-large", value)
    return int(nearest)


def parse_number(value: str | float | Decimal, decimal: DecimalMark | None = None) -> Decimal:
    """Return a plain number exactly; "57,4 %" is 0.574.

    Parameters
    ----------
    value : str, int, float or Decimal
    decimal : {"point", "comma"} or None
        As for `parse_money`.

    Raises
    ------
    NumberError
        bad-number, ambiguous-number or mixed-decimal.
    """
    if not isinstance(value, str):
        return _machine_number(value)
    written = _read(value)
    if written.word not in ("", "%"):
        raise NumberError("bad-number", value)
    amount = written.settle(value, decimal)
    return amount.scaleb(-2, _EXACT) if written.word else amount


def read_with_point(text: str) -> dict[Language, str] | None:
    """Return how a text that shows a decimal point is read, by language; None if it shows none.

    Parameters
    ----------
    text : str
        A number or an amount, 1,234.5 triệu; its unit is left out.
    """
    if read_mark(text) != "point":
        return None
    number = _read(text).settle(text, "point")
    return {one: format_number(number, None, one) for one in LANGUAGES}


def read_mark(text: str) -> DecimalMark | None:
    """Return which mark a text shows to be the decimal one; None if it shows neither.

    Parameters
    ----------
    text : str
        A number, an amount with its unit, or anything else (which shows nothing).
    """
    try:
        return _read(text).shows
    except NumberError:
        return None


def is_readable(text: str) -> bool:
    """Return whether a text is a number, a share or an amount in a known unit; 12,5x is none."""
    try:
        word = _read(text).word
    except NumberError:
        return False
    return word in ("", "%") or find_unit(word) is not None


def is_unclear(text: str) -> bool:
    """Return whether a text is a number that can be read in two ways, such as 34.700."""
    try:
        return _read(text).unclear is not None
    except NumberError:
        return False


def stated_unit(text: str) -> str | None:
    """Return the unit that an amount states itself ("34,7 tỷ"); None if it states none."""
    try:
        return find_unit(_read(text).word)
    except NumberError:
        return None


def find_unit(text: str) -> str | None:
    """Return the unit that a word means ("tỷ", "triệu đồng", "VND"); None for any other word."""
    return _units().get(_plain(text))


def _machine_number(value: float | Decimal) -> Decimal:
    if isinstance(value, (bool, np.bool_)):
        raise NumberError("bad-number", value)
    number = Decimal(repr(float(value))) if isinstance(value, (float, np.floating)) else None
    number = Decimal(value) if number is None else number
    if not number.is_finite() or number.adjusted() > _LONGEST:
        raise NumberError("bad-number", value)
    return number


class _Written(NamedTuple):
    """A number as it stands: digits before and after its last mark, and what the marks show."""

    sign: str
    whole: str
    fraction: str = ""
    shows: DecimalMark | None = None
    unclear: DecimalMark | None = None
    word: str = ""

    def settle(self, found: str, decimal: DecimalMark | None) -> Decimal:
        """Return the number, its decimal mark being known or shown."""
        if decimal is not None and self.shows not in (None, decimal):
            raise NumberError("mixed-decimal", found)
        if self.unclear is not None and decimal is None:
            raise NumberError("ambiguous-number", found)
        between = "" if self.unclear not in (None, decimal) else "."
        return Decimal(f"{self.sign}{self.whole}{between}{self.fraction}")


def _read(text: str) -> _Written:
    """Take a text apart, without deciding what an unclear mark means."""
    shown = re.sub(" +", " ", text.translate(_CHARACTERS)).strip().removeprefix("'").strip()
    found = _WRITTEN.fullmatch(shown) if len(shown) <= 2 * _LONGEST else None
    if found is None:
        raise NumberError("bad-number", text)
    words = [word.strip() for word in (found["inner"], found["outer"]) if word]
    sign = (found["sign"] or "").strip()
    brackets = [found["open"], found["close"]]
    if len(words) > 1 or any(brackets) != all(brackets) or (sign and any(brackets)):
        raise NumberError("bad-number", text)
    digits = _digits(found["body"])
    if digits is None:
        raise NumberError("bad-number", text)
    word = "".join(words)
    if digits.unclear is not None and find_unit(word) == "vnd":  # "34.700 đồng": it can only group
        groups: DecimalMark = "comma" if digits.unclear == "point" else "point"
        digits = _Written("", digits.whole + digits.fraction, shows=groups)
    sign = "-" if any(brackets) or sign == "-" else ""
    return digits._replace(sign=sign, word=word)


def _digits(body: str) -> _Written | None:
    """Read the digits and marks of a number; None if they stand in no known order."""
    last = max(body.rfind("."), body.rfind(","))
    if last < 0:
        whole = body.replace(" ", "")
        return _Written("", whole) if whole == body or _SPACED.fullmatch(body) else None
    mark, whole, fraction = body[last], body[:last], body[last + 1 :]
    own, other = MARKS[mark], "," if mark == "." else "."
    if mark in whole:  # it stands twice, so it groups
        plain = body.replace(mark, "")
        return _Written("", plain, shows=MARKS[other]) if _GROUPS[mark].fullmatch(body) else None
    if not fraction.isdigit():
        return None
    if other in whole or " " in whole:
        grouped = _GROUPS[other].fullmatch(whole) or _SPACED.fullmatch(whole)
        plain = whole.replace(other, "").replace(" ", "")
        return _Written("", plain, fraction, own) if grouped else None
    if len(fraction) == 3 and 1 <= len(whole) <= 3 and whole[0] != "0":
        return _Written("", whole, fraction, unclear=own)
    return _Written("", whole or "0", fraction, own)


def _plain(text: str) -> str:
    return re.sub(r"[\s.]+", "", text).casefold()


@cache
def _units() -> dict[str, str]:
    return {
        _plain(word): unit
        for unit in UNITS
        for language in LANGUAGES
        for word in say(f"units.{unit}.known", language).split("|")
    }


# ---------------------------------------------------------------------------- writing


def to_unit(vnd: _Amount, unit: str) -> _Amount:
    """Return money in a unit, as floating-point numbers for outputs.

    Parameters
    ----------
    vnd : number or Series, VND
        Missing stays missing (NaN).
    unit : str
        A key of `UNITS`.
    """
    if isinstance(vnd, pd.Series):
        return vnd.astype("Float64").astype("float64") / UNITS[unit]
    return vnd / UNITS[unit]


def told(x: float, size: float = 0.0) -> float:
    """Return a number as files tell it: to `DIGITS` digits, those behind are a solver's noise.

    Parameters
    ----------
    x : number
    size : number
        The digits count from the larger of this and `x`: a difference is no finer than its parts.
    """
    size = max(abs(x), abs(size))
    if not (0 < size < math.inf):
        return x + 0.0  # never −0
    return round(x, DIGITS - 1 - math.floor(math.log10(size))) + 0.0


def unit_name(unit: str, language: Language = "vi") -> str:
    """Return a unit's name: triệu đồng, million VND."""
    return say(f"units.{unit}.name", language)


def format_number(x: float | Decimal, digits: int | None = None, language: Language = "vi") -> str:
    """Return a number with the marks of a language and a true minus: −1.234,5 or −1,234.5.

    Parameters
    ----------
    x : number
    digits : int or None
        Digits after the decimal mark, rounded half to even; None: all there are.
    """
    exact = _machine_number(x)
    if digits is None:
        digits = max(0, -int(exact.normalize(_EXACT).as_tuple().exponent))
    exact = exact.quantize(Decimal(1).scaleb(-digits), context=_EXACT)
    shown = f"{exact:,f}".replace("-", "−")
    return shown if language == "en" else shown.translate(_SWAPPED)


def format_money(
    vnd: float | Decimal, unit: str, language: Language = "vi", digits: int | None = None
) -> str:
    """Return an amount with its unit: 1.234,5 triệu đồng.

    Parameters
    ----------
    vnd : number, VND
    unit : str
        A key of `UNITS`.
    digits : int or None
        Digits after the decimal mark; None: all there are, so that nothing is lost.
    """
    amount = _EXACT.divide(_machine_number(vnd), Decimal(UNITS[unit]))
    return f"{format_number(amount, digits, language)} {unit_name(unit, language)}"


class Amount(NamedTuple):
    """An amount that a text holds: told to the đồng, in the text's language.

    Parameters
    ----------
    vnd : int
    unit : str
        Of the file; it is told in `SHOWN`, what is less than a tenth of a million in đồng.
    """

    vnd: int
    unit: str

    def __call__(self, language: Language) -> str:
        """Return it as a text."""
        is_small = 0 < abs(self.vnd) < MILLION // 10
        return format_money(self.vnd, "vnd" if is_small else SHOWN[self.unit], language)


# ---------------------------------------------------------------------------- steps


def finer_steps(step: int) -> Iterator[int]:
    """Yield the readable steps (1, 2, 5 and ten times these) that divide one, the largest first.

    Examples
    --------
    >>> list(finer_steps(100)), list(finer_steps(30))
    ([50, 20, 10, 5, 2, 1], [10, 5, 2, 1])
    """
    for power in range(len(str(step)), -1, -1):
        for digit in (5, 2, 1):
            if digit * 10**power < step and step % (digit * 10**power) == 0:
                yield digit * 10**power


# ---------------------------------------------------------------------------- splitting


def largest_remainder(weights: Sequence[float] | NDArray[Any], total: int) -> NDArray[np.int64]:
    """Split a whole amount in proportion to weights, to the last đồng.

    Every part gets the whole đồng of its exact share; those left over go one each to the largest
    fractions, and among equal fractions to the part that comes first.

    Parameters
    ----------
    weights : sequence (n,)
        Not negative, finite, at least one above zero.
    total : int
        Not negative.

    Returns
    -------
    array (n,), int64
        Adds up to `total` exactly; parts of weight zero get nothing.

    Raises
    ------
    ValueError
        If the weights or the total are not as said.

    References
    ----------
    Hamilton's method; M. Balinski and H. P. Young, *Fair Representation*, 1982, p. 17.
    """
    ratios = [float(weight).as_integer_ratio() for weight in weights]
    scale = max((below for _, below in ratios), default=1)  # powers of two: every one divides it
    exact = [above * (scale // below) for above, below in ratios]
    whole = sum(exact)
    if total < 0 or whole <= 0 or min(exact) < 0:
        raise ValueError("weights and total must not be negative, and some weight above zero")
    parts = [divmod(total * weight, whole) for weight in exact]
    left = total - sum(part for part, _ in parts)
    first = sorted(range(len(parts)), key=lambda i: -parts[i][1])[:left]
    split = np.array([part for part, _ in parts], dtype=np.int64)
    split[first] += 1
    return split
