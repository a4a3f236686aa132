"""Exact money: what is read, what is refused, what is written, how it is split."""

from __future__ import annotations

from contextlib import suppress
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kc_model.money import (
    UNITS,
    NumberError,
    find_unit,
    format_money,
    format_number,
    largest_remainder,
    parse_money,
    parse_number,
    read_mark,
    stated_unit,
    to_unit,
    told,
    unit_name,
)
from kc_model.wording import LANGUAGES

INT64 = 2**63 - 1
units = st.sampled_from(sorted(UNITS))
amounts = st.integers(-INT64, INT64)
MARK = {"vi": "comma", "en": "point"}


@pytest.mark.parametrize(
    ("text", "unit", "vnd"),
    [
        ("34,7 tỷ", "vnd", 34_700_000_000),
        ("34.7 tỷ đồng", "million_vnd", 34_700_000_000),
        ("1.234.567 đồng", "million_vnd", 1_234_567),
        ("1,234,567", "vnd", 1_234_567),
        ("2.500,5 triệu", "vnd", 2_500_500_000),
        ("2,500.5", "million_vnd", 2_500_500_000),
        ("34.700 đồng", "million_vnd", 34_700),
        ("0.574", "million_vnd", 574_000),
        ("1234.567", "million_vnd", 1_234_567_000),
        (".5", "million_vnd", 500_000),
        ("(2.000,0)", "thousand_vnd", -2_000_000),
        ("(1,5 tỷ)", "vnd", -1_500_000_000),
        ("(1,5) tỷ", "vnd", -1_500_000_000),
        ("−5", "vnd", -5),
        ("- 5", "vnd", -5),
        ("+7", "vnd", 7),
        ("1\u00a0234\u00a0567", "vnd", 1_234_567),
        ("1 234 567,5", "thousand_vnd", 1_234_567_500),
        ("\u00a012\u202f", "vnd", 12),
        ("'0012", "vnd", 12),
        ("12 tr.đ", "vnd", 12_000_000),
        ("3 TỈ", "vnd", 3_000_000_000),
        ("5 million VND", "vnd", 5_000_000),
        (5, "million_vnd", 5_000_000),
        (34.7, "billion_vnd", 34_700_000_000),
        (0.1 + 0.2, "billion_vnd", 300_000_000),
        ("0.30000000000000004", "billion_vnd", 300_000_000),
        (1e-9, "billion_vnd", 1),
        (Decimal("0.000001"), "million_vnd", 1),
        (str(INT64), "vnd", INT64),
        ("9223372036,854775807", "billion_vnd", INT64),
    ],
)
def test_amount_is_read_exactly(text, unit, vnd):
    assert parse_money(text, unit) == vnd


@pytest.mark.parametrize(
    ("value", "code"),
    [
        *[
            (text, "bad-number")
            for text in ("1e5", "1_000", "nan", "inf", "１２", "", "-", "x", "12a")
        ],
        *[
            (text, "bad-number")
            for text in ("1.2.3", "1,23,456", "01.234.567", "5.", "-(5)", "(5", "5)")
        ],
        *[(text, "bad-number") for text in ("5 %", "5 tạ", "5 tỷ triệu", "1 2", "0x10", "5" * 200)],
        *[(value, "bad-number") for value in (float("nan"), float("inf"), True, np.bool_(True))],
        *[
            (text, "ambiguous-number")
            for text in ("34.700", "34,700", "1.234", "(2.000)", "34.700 tỷ")
        ],
        *[(value, "fraction-of-dong") for value in ("34,7", 0.5, "0,0000001 triệu", 1e-7)],
        *[
            (value, "amount-too-large")
            for value in (str(INT64 + 1), 9.3e18, "1.234.567.890.123 tỷ")
        ],
    ],
)
def test_amount_is_refused(value, code):
    with pytest.raises(NumberError) as caught:
        parse_money(value, "vnd")
    assert (caught.value.code, caught.value.found) == (code, value)


@pytest.mark.parametrize(
    ("text", "mark", "number"),
    [
        ("34.700", "point", "34.7"),
        ("34.700", "comma", "34700"),
        ("34,700", "comma", "34.7"),
        ("34,700", "point", "34700"),
        ("1.234.567", "comma", "1234567"),
        ("57,4 %", "comma", "0.574"),
        ("57.4%", None, "0.574"),
    ],
)
def test_a_known_mark_settles_an_unclear_number(text, mark, number):
    assert parse_number(text, mark) == Decimal(number)


@pytest.mark.parametrize(
    ("text", "mark"),
    [("34,7", "point"), ("12.5", "comma"), ("1.234.567", "point"), ("0.574", "comma")],
)
def test_a_number_against_the_known_mark_is_refused(text, mark):
    with pytest.raises(NumberError, match="mixed-decimal"):
        parse_number(text, mark)


@pytest.mark.parametrize(
    ("text", "mark"),
    [
        *[
            (text, "point")
            for text in ("12.5", "0.574", "1234.567", "1,234,567", "1,234.5", "5.5 tỷ")
        ],
        *[(text, "comma") for text in ("34,7", "1.234.567", "1.234,567", "34.700 đồng", "5,5 %")],
        *[(text, None) for text in ("34.700", "34,700", "12", "1 234", "TECH", "05.03.2024", "")],
    ],
)
def test_what_a_text_shows_of_the_decimal_mark(text, mark):
    assert read_mark(text) == mark


def test_a_share_of_a_dong_beyond_noise_is_refused():
    with pytest.raises(NumberError, match="fraction-of-dong"):
        parse_money(100 / 3, "million_vnd")


@given(amounts, units, units, st.sampled_from(LANGUAGES))
def test_what_is_written_reads_back(vnd, unit, other, language):
    assert parse_money(format_money(vnd, unit, language), other, MARK[language]) == vnd


@given(
    st.decimals(
        allow_nan=False, allow_infinity=False, places=6, max_value=10**12, min_value=-(10**12)
    )
)
def test_a_number_written_reads_back(number):
    for language in LANGUAGES:
        assert parse_number(format_number(number, None, language), MARK[language]) == number


@given(amounts, units)
def test_an_integer_is_never_changed(number, unit):
    if abs(number * UNITS[unit]) <= INT64:
        assert parse_money(number, unit) == number * UNITS[unit]
        assert parse_money(str(number), unit) == number * UNITS[unit]


@given(st.text(max_size=12))
def test_any_text_is_read_or_refused_by_name(text):
    for mark in (None, "point", "comma"):
        with suppress(NumberError):
            assert isinstance(parse_money(text, "million_vnd", mark), int)


def test_numbers_are_written_in_both_languages():
    assert format_money(1_234_500_000, "million_vnd") == "1.234,5 triệu đồng"
    assert format_money(1_234_500_000, "million_vnd", "en") == "1,234.5 million VND"
    assert format_money(-1, "billion_vnd") == "−0,000000001 tỷ đồng"
    assert format_money(2_500_000, "million_vnd", "vi", 0) == "2 triệu đồng"
    assert format_number(12.345, 2) == "12,34"
    assert format_number(7, 1) == "7,0"
    assert format_number(0) == "0"


def test_units_are_found_by_every_name():
    assert {unit: find_unit(unit_name(unit)) for unit in UNITS} == {unit: unit for unit in UNITS}
    assert find_unit("1.000 đồng") == "thousand_vnd"
    assert find_unit("tấn") is None
    assert stated_unit("34,7 tỷ") == "billion_vnd"
    assert stated_unit("34,7") is None
    assert stated_unit("không") is None


def test_to_unit_keeps_missing_missing():
    series = pd.Series([1_500_000, None], dtype="Int64")
    assert to_unit(1_500_000, "million_vnd") == 1.5
    pd.testing.assert_series_equal(to_unit(series, "million_vnd"), pd.Series([1.5, np.nan]))


@given(
    st.lists(st.floats(0, 1e12), min_size=1, max_size=30).filter(lambda w: sum(w) > 0),
    st.integers(0, 10**17),
)
def test_a_split_adds_up_and_stays_within_one_dong(weights, total):
    parts = largest_remainder(weights, total)
    whole = sum(map(Fraction, weights))
    assert sum(map(int, parts)) == total
    for part, weight in zip(parts, weights, strict=True):
        assert abs(int(part) - total * Fraction(weight) / whole) < 1
        assert weight > 0 or part == 0


def test_a_tie_goes_to_the_first():
    assert list(largest_remainder([1, 1, 1], 100)) == [34, 33, 33]
    assert list(largest_remainder([0, 1, 1], 1)) == [0, 1, 0]


@pytest.mark.parametrize(("weights", "total"), [([], 1), ([0, 0], 1), ([-1, 2], 1), ([1], -1)])
def test_an_impossible_split_is_refused(weights, total):
    with pytest.raises(ValueError, match="weight"):
        largest_remainder(weights, total)


@pytest.mark.parametrize(
    ("value", "size", "said"),
    [
        (0.069999999999999, 0.0, "0.07"),
        (199.99999999999997, 0.0, "200.0"),
        (0.1 + 0.2 - 0.3, 0.3, "0.0"),
        (-0.0, 0.0, "0.0"),
        (1234567890.1, 0.0, "1234567890.0"),
        (1.25, 1e9, "1.0"),
        (float("nan"), 7.0, "nan"),
    ],
)
def test_what_a_solver_found_is_told_without_its_noise(value, size, said):
    assert repr(told(value, size)) == said
