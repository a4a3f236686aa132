"""The array core: published triangles, laws, zeros kept apart from gaps, the late clock."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from kc_model import runoff

PUBLISHED = json.loads(
    (Path(__file__).parent / "published" / "reference_triangles.json").read_text(encoding="utf-8")
)["triangles"]


def triangle_of(name: str) -> runoff.Floats:
    return np.array(PUBLISHED[name]["cumulative"], dtype=np.float64)


# --- published ----------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", ["mack", "log-linear"])
@pytest.mark.parametrize("name", ["raa", "mortgage"])
def test_reference_triangles_to_one_millionth(name: str, rule: runoff.SigmaRule) -> None:
    expected = PUBLISHED[name]["expected"][rule]
    result = runoff.mack(triangle_of(name), rule)
    for found, key in (
        (result.factors, "f"),
        (result.sigma, "sigma"),
        (result.ultimate, "ultimate"),
        (result.standard_error, "mack_se"),
        (result.total_reserve, "total_reserve"),
        (result.total_standard_error, "total_mack_se"),
    ):
        np.testing.assert_allclose(found, expected[key], rtol=1e-6, atol=1e-6, err_msg=key)
    np.testing.assert_allclose(
        runoff.chain_ladder(triangle_of(name)), expected["ultimate"], rtol=1e-12
    )


def test_mack_1993_tables_2_and_3() -> None:
    """Taylor and Ashe's triangle; the tolerance is the rounding of the print."""
    printed = PUBLISHED["taylor_ashe"]["printed"]
    result = runoff.mack(triangle_of("taylor_ashe"))
    reserve, error = result.reserve[1:], result.standard_error[1:]
    np.testing.assert_allclose(reserve / 1000, printed["reserve_thousands"], atol=0.5)
    np.testing.assert_allclose(100 * error / reserve, printed["error_percent"], atol=0.5)
    assert result.total_reserve / 1000 == pytest.approx(printed["total_reserve_thousands"], abs=0.5)
    total = 100 * result.total_standard_error / result.total_reserve
    assert total == pytest.approx(printed["total_error_percent"], abs=0.5)


def test_mack_1999_page_365_factors_of_mortgage() -> None:
    result = runoff.mack(triangle_of("mortgage"))
    printed = [11.10, 4.092, 1.708, 1.276, 1.139, 1.069, 1.026, 1.023]
    np.testing.assert_allclose(result.factors, printed, atol=0.005)
    printed = [1337, 988.5, 440.1, 207, 164.2, 74.60, 35.49, 16.89]
    np.testing.assert_allclose(result.sigma, printed, rtol=5e-4)


def test_many_units_at_once_equal_each_alone() -> None:
    whole = triangle_of("raa")
    stacked = np.stack([whole, 2 * whole, whole[::-1]])
    together = runoff.mack(stacked)
    for unit in range(3):
        alone = runoff.mack(stacked[unit])
        np.testing.assert_array_equal(together.ultimate[unit], alone.ultimate)
        np.testing.assert_array_equal(together.standard_error[unit], alone.standard_error)
    np.testing.assert_allclose(together.standard_error[1], 2 * together.standard_error[0])


def test_rules_differ_only_where_one_year_tells() -> None:
    first, second = (runoff.mack(triangle_of("raa"), rule) for rule in ("mack", "log-linear"))
    np.testing.assert_array_equal(first.sigma[:-1], second.sigma[:-1])
    assert first.sigma[-1] != second.sigma[-1]


def test_an_unknown_rule_or_a_flat_triangle_is_refused() -> None:
    with pytest.raises(ValueError, match="sigma_rule"):
        runoff.mack(triangle_of("raa"), "guess")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="two periods"):
        runoff.mack(np.ones((3, 1)))


# --- zero is not missing ------------------------------------------------------------------------


def test_a_month_without_spending_is_a_zero_and_a_gap_is_not() -> None:
    paths = np.array([[0.0, 10.0, 20.0], [0.0, 30.0, 40.0], [5.0, 10.0, np.nan]])
    zero = runoff.link_factors(paths)
    np.testing.assert_allclose(zero, [50 / 5, 60 / 40])
    gap = paths.copy()
    gap[0, 0] = np.nan
    np.testing.assert_allclose(runoff.link_factors(gap), [40 / 5, 60 / 40])


def test_nothing_spent_by_anybody_leaves_the_factor_unknown() -> None:
    paths = np.array([[0.0, 10.0], [0.0, 12.0], [0.0, np.nan]])
    assert np.isnan(runoff.link_factors(paths)).all()
    assert np.isnan(runoff.chain_ladder(paths)[2])


def test_latest_skips_gaps_and_knows_nothing_of_an_empty_path() -> None:
    value, period = runoff.latest(
        np.array([[1.0, np.nan, 3.0], [0.0, np.nan, np.nan], 3 * [np.nan]])
    )
    np.testing.assert_array_equal(value, [3.0, 0.0, np.nan])
    np.testing.assert_array_equal(period, [2, 0, -1])


def test_quarterly_columns_alone_give_the_chain_ladder_of_the_quarters() -> None:
    quarters = triangle_of("raa")[:5, :4]
    monthly = np.full((5, 12), np.nan)
    monthly[:, [2, 5, 8, 11]] = quarters
    np.testing.assert_array_equal(runoff.chain_ladder(monthly), runoff.chain_ladder(quarters))


# --- methods ------------------------------------------------------------------------------------

shares = st.floats(0.01, 1.0)
money = st.floats(0.0, 1e6)


@given(money, shares, money)
def test_benktander_lies_between_bornhuetter_ferguson_and_chain_ladder(
    value: float, developed: float, expected: float
) -> None:
    at = [np.array([x]) for x in (value, developed, expected)]
    one = runoff.benktander(*at, iterations=1)
    np.testing.assert_array_equal(one, runoff.bornhuetter_ferguson(*at))
    credible = developed * (value / developed) + (1 - developed) * one[0]  # Mack (2000)
    np.testing.assert_allclose(runoff.benktander(*at)[0], credible, rtol=1e-9, atol=1e-6)
    many = runoff.benktander(*at, iterations=5000)[0]
    np.testing.assert_allclose(many, value / developed, rtol=1e-6, atol=1e-6 + expected * 1e-6)


def test_a_unit_that_did_not_report_keeps_its_expectation() -> None:
    result = runoff.bornhuetter_ferguson(np.array([np.nan]), np.array([0.4]), np.array([100.0]))
    np.testing.assert_array_equal(result, [100.0])


def test_cape_cod_without_decay_shares_one_rate() -> None:
    value, developed = np.array([90.0, 60.0, 10.0]), np.array([1.0, 0.8, 0.2])
    exposure = np.array([100.0, 100.0, 100.0])
    rate = 160.0 / 200.0
    np.testing.assert_allclose(
        runoff.cape_cod(value, developed, exposure), value + (1 - developed) * rate * exposure
    )
    alone = runoff.cape_cod(value, developed, exposure, decay=0.0)
    np.testing.assert_allclose(alone, value / developed)


def test_cape_cod_leaves_a_year_out_that_did_not_report() -> None:
    value, developed = np.array([90.0, np.nan]), np.array([1.0, 0.5])
    result = runoff.cape_cod(value, developed, np.array([100.0, 200.0]))
    np.testing.assert_allclose(result, [90.0, 180.0])


# --- patterns and the clock ---------------------------------------------------------------------


@given(
    hnp.arrays(np.int64, (3, 12), elements=st.integers(-200, 1300)).map(lambda x: x / 1000),
    hnp.arrays(np.bool_, 12, elements=st.booleans()),
)
def test_a_pattern_rises_from_nought_to_one(
    found: runoff.Floats, observed: np.ndarray[tuple[int], np.dtype[np.bool_]]
) -> None:
    pattern = runoff.pattern_between(found, observed)
    assert pattern.shape == (3, 13)
    np.testing.assert_array_equal(pattern[:, 0], 0.0)
    np.testing.assert_array_equal(pattern[:, -1], 1.0)
    assert (np.diff(pattern, axis=1) >= -1e-12).all()


def test_a_pattern_keeps_what_was_observed() -> None:
    known = np.array([[0.0, 0.0, 0.1, 0, 0, 0.25, 0, 0, 0.5, 0, 0, 1.0]])
    observed = np.array([m in (3, 6, 9, 12) for m in range(1, 13)])
    pattern = runoff.pattern_between(known, observed)
    np.testing.assert_allclose(pattern[0, [3, 6, 9, 12]], [0.1, 0.25, 0.5, 1.0], atol=1e-15)


def test_gaps_between_quarters_are_filled_and_longer_ones_stay() -> None:
    n = np.nan
    paths = np.array([[n, n, 3.0, n, n, 9.0, n, n], [n, n, n, n, n, 6.0, 7.0, n]])
    filled = runoff.fill_gaps(paths)
    np.testing.assert_allclose(filled[0], [1, 2, 3, 5, 7, 9, n, n])
    np.testing.assert_array_equal(filled[1], paths[1])
    np.testing.assert_array_equal(paths[0, 0], n)  # the input is left alone


def test_money_in_time_leaves_the_clock_alone() -> None:
    months, arrival = np.arange(1.0, 14), np.ones(13)
    np.testing.assert_allclose(runoff.usual_time(months, arrival, 13), months)
    paths = np.cumsum(np.ones((2, 3, 13)), -1)
    np.testing.assert_array_equal(runoff.to_usual_clock(paths, np.ones((2, 3))), paths)
    pattern = np.linspace(0, 1, 14)[None]
    np.testing.assert_array_equal(runoff.catch_up(pattern, np.array([1.0])), 1.0)


@given(st.integers(2, 12), st.integers(0, 13))
def test_a_late_year_squeezed_into_its_rest_looks_usual_again(arrival: int, month: int) -> None:
    """A straight path that starts in month `arrival` is the usual straight path, squeezed."""
    late = np.clip((np.arange(1, 14) - (arrival - 1)) / (13 - (arrival - 1)), 0, None)[None]
    usual = runoff.to_usual_clock(late, np.array([float(arrival)]))
    np.testing.assert_allclose(usual[0], np.arange(1, 14) / 13, atol=1e-12)
    time = runoff.usual_time(np.array([float(month)]), np.array([float(arrival)]), 13)
    at = runoff.at_time(np.linspace(0, 1, 14)[None], time)[0]
    assert at == pytest.approx(late[0, month - 1] if month else 0.0)


def test_the_later_the_money_the_less_is_within_reach() -> None:
    pattern = np.repeat(((np.arange(14) / 13) ** 3)[None], 13, 0)
    reach = runoff.catch_up(pattern, np.arange(1.0, 14.0)).mean(1)
    assert reach[0] == 1.0
    assert (np.diff(reach) < 0).all()
    assert reach[-1] < 0.05


def test_a_share_of_nothing_is_undefined() -> None:
    np.testing.assert_array_equal(
        runoff.ratio(np.array([1.0, 0.0, 1.0]), np.array([0.0, 0.0, 4.0])), [np.nan, np.nan, 0.25]
    )
