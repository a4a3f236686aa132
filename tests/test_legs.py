"""The single forecasts beside run-off, how they are weighed, and what stands in for a plan."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_forecast import dataset, plans_of, simulated

from kc_model.errors import InputError
from kc_model.forecast import forecast
from kc_model.forecast.expectation import LEGS, hindcasts
from kc_model.forecast.known import build_evidence, build_exposure
from kc_model.forecast.legs import (
    LEAST_DONORS,
    LEAST_MONTHS,
    Starts,
    combined,
    filled_in,
    from_donors,
    learned_weights,
    trend_and_season,
)
from kc_model.forecast.panel import build_panel

Array = np.ndarray[Any, Any]

NAMES = {
    "benktander": "each line's own progress",
    "cape-cod": "progress of all lines",
    "trend": "trend and season",
    "donors": "began most alike",
}

# --- trend and season ---------------------------------------------------------------------------


def months(n_years: int, n_periods: int, seed: int = 0) -> Array:
    """Increments with a trend and a season and nothing else, (2, n_years, n_periods)."""
    random = np.random.default_rng(seed)
    season = random.uniform(1.0, 9.0, n_periods)
    t = np.arange(n_years * n_periods).reshape(n_years, n_periods)
    return np.stack([50.0 + 0.5 * t + season, 2000.0 + 3.0 * t + 100 * season])


@pytest.mark.parametrize("n_periods", [12, 13])
@pytest.mark.parametrize("so_far", [0, 4])
def test_a_trend_and_a_season_without_noise_are_found(n_periods: int, so_far: int) -> None:
    truth = months(6, n_periods)
    seen = truth.copy()
    seen[:, -1, so_far:] = np.nan
    foretold = trend_and_season(seen, 5)
    np.testing.assert_allclose(foretold[:, so_far:], truth[:, -1, so_far:], rtol=0.03)


def test_months_are_foretold_alike_in_any_unit() -> None:
    seen = months(4, 12)
    seen[:, -1, 3:] = np.nan
    np.testing.assert_allclose(
        trend_and_season(seen * 1e6, 3), trend_and_season(seen, 3) * 1e6, rtol=1e-9
    )


def test_too_few_months_say_nothing_and_a_gap_is_no_zero() -> None:
    short = months(2, 12)
    short[:, -1] = np.nan
    assert short[0, 0].size < LEAST_MONTHS
    assert np.isnan(trend_and_season(short, 1)).all()
    gap = months(5, 12)
    gap[:, -1] = np.nan
    whole = trend_and_season(gap, 4)
    gap[:, 1, 5] = np.nan
    np.testing.assert_allclose(trend_and_season(gap, 4), whole, rtol=0.02)
    gap[:, 1, 5] = 0.0
    assert not np.allclose(trend_and_season(gap, 4), whole, rtol=0.02)


# --- donors -------------------------------------------------------------------------------------


def starts(path: Array, size: float = 100.0) -> Starts:
    return Starts(path, np.full(len(path), size), np.zeros((len(path), 3), dtype=np.intp))


def test_a_beginning_goes_on_as_the_beginnings_like_it() -> None:
    random = np.random.default_rng(1)
    kind = np.repeat([0, 1], 150)
    path = np.where(kind[:, None] == 0, [0.05, 0.1], [0.4, 0.6]) + random.normal(0, 0.01, (300, 2))
    came = np.where(kind == 0, 0.2, 0.9)
    share = from_donors(starts(np.array([[0.05, 0.1], [0.4, 0.6]])), starts(path), came)
    np.testing.assert_allclose(share, [0.2, 0.9])


def test_few_donors_say_nothing() -> None:
    few = LEAST_DONORS - 1
    share = from_donors(starts(np.zeros((2, 1))), starts(np.zeros((few, 1))), np.ones(few))
    assert np.isnan(share).all()


# --- weights ------------------------------------------------------------------------------------

errors_of = st.integers(1, 40).flatmap(
    lambda n: st.lists(
        st.lists(st.floats(-1, 1), min_size=n, max_size=n), min_size=3, max_size=3
    ).map(np.array)
)


@given(st.lists(errors_of, max_size=4), st.sampled_from([(1, 1, 1), (1, 1, 6), (1, 0, 1)]))
def test_weights_are_shares_and_shut_legs_stay_shut(
    errors: list[Array], start: tuple[int, ...]
) -> None:
    begin = np.array(start) / sum(start)
    weights = learned_weights(errors, begin)
    assert (weights >= 0).all()
    assert weights.sum() == pytest.approx(1.0)
    assert (weights[begin == 0] == 0).all()


def test_without_errors_the_start_stands_and_with_many_the_better_leg_leads() -> None:
    random = np.random.default_rng(3)
    start = np.full(3, 1 / 3)
    np.testing.assert_array_equal(learned_weights([], start), start)
    noise = random.normal(size=(3, 4000))
    good = [2, 0]  # whichever it is: the ranking is not known beforehand
    for best in good:
        size = np.full(3, 0.2)
        size[best] = 0.02
        years = np.split(noise * size[:, None], 8, axis=1)
        weights = learned_weights(years, start)
        assert weights.argmax() == best
        assert weights[best] > 0.8
        few = learned_weights([years[0][:, :5]], start)
        assert abs(few - start).max() < abs(weights - start).max()


def test_a_leg_that_is_missing_is_replaced_by_those_there_are() -> None:
    legs = np.array([[1.0, 2.0, np.nan], [3.0, np.nan, np.nan]])
    start = np.array([0.5, 0.5])
    np.testing.assert_array_equal(filled_in(legs, start)[:, 1], [2.0, 2.0])
    made = combined(legs, np.array([0.25, 0.75]), start)
    np.testing.assert_allclose(made, [2.5, 2.0, np.nan])


# --- exposure -----------------------------------------------------------------------------------


def test_without_a_plan_earlier_outturns_and_their_growth_stand_in() -> None:
    final = 100.0 * 1.1 ** np.arange(5)[None, :].repeat(2, 0)
    final[1] *= 3
    final = np.c_[final, [np.nan, np.nan]]
    exposure, planned, ceiling = build_exposure(
        np.full((2, 6), np.nan), final, np.zeros(2, dtype=np.intp)
    )
    assert not planned.any()
    assert np.isnan(exposure[:, 0]).all()
    np.testing.assert_allclose(exposure[:, 2:], 100 * 1.1 ** np.arange(2, 6) * [[1], [3]])
    np.testing.assert_allclose(ceiling, 1.0)


@pytest.mark.parametrize(("share", "ceiling"), [(0.0, 1.0), (0.05, 1.0), (0.3, 1.2)])
def test_a_plan_is_the_ceiling_where_the_past_kept_to_it(share: float, ceiling: float) -> None:
    plan = np.full((50, 3), 100.0)
    final = np.full((50, 3), 90.0)
    final[: int(50 * share), :2] = 120.0
    _, planned, found = build_exposure(plan, final, np.zeros(50, dtype=np.intp))
    assert planned.all()
    np.testing.assert_allclose(found, ceiling)


# --- a whole forecast ---------------------------------------------------------------------------


def without_plan(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(plan=pd.array([None] * len(frame), dtype="Int64"))


def test_a_dataset_without_plans_is_forecast_from_its_past_and_says_so() -> None:
    frame = without_plan(simulated(3, n_places=4))
    outlook = forecast(dataset(frame), 2024, 6, draws=200)
    table = outlook.table()
    assert table["plan"].isna().all()
    assert table[["completion_expected", "probability_full"]].isna().all(axis=None)
    spent = outlook.cells["disbursed"].to_numpy(float) / 1e6
    assert (outlook.draws >= spent - 1e-9).all()
    assert (outlook.draws.mean(0) > spent).mean() > 0.9
    assert any("no plan at all" in note.en for note in outlook.notes)


def test_without_a_plan_and_without_a_past_there_is_nothing_to_go_by() -> None:
    frame = without_plan(simulated(3, n_places=2, first=2024, last=2024))
    with pytest.raises(InputError, match="nothing-to-forecast"):
        forecast(dataset(frame), 2024, 6)


def test_the_legs_are_shown_with_what_they_count() -> None:
    outlook = forecast(dataset(simulated(5, n_places=8)), 2024, 6, draws=100)
    assert tuple(outlook.legs["leg"].unique()) == LEGS
    assert len(outlook.legs) == len(LEGS) * len(outlook.cells)
    weights = outlook.legs.groupby("leg")["weight"].agg(["min", "max"])
    assert (weights["min"] == weights["max"]).all()
    assert weights["min"].sum() == pytest.approx(1.0)
    counted = [note.en for note in outlook.notes if "combines several" in note.en]
    assert len(counted) == 1
    for leg in LEGS:
        assert (NAMES[leg] in counted[0]) == (weights.loc[leg, "min"] > 0), leg


def test_where_there_is_a_plan_a_leg_that_no_year_tried_does_not_count() -> None:
    frame = simulated(5, n_places=4, first=2022)  # two finished years: trend is untried
    outlook = forecast(dataset(frame), 2024, 6, draws=50)
    assert outlook.details["weights"]["trend"] == 0
    assert outlook.legs.query("leg == 'trend'")["expected"].notna().any()


def test_years_from_the_third_on_are_forecast_as_they_were_then() -> None:
    frame = simulated(6, n_places=3)

    def guesses(history: pd.DataFrame) -> dict[int, Array]:
        panel = build_panel(dataset(history), 2024, 6, arrival={}, cells=None)
        evidence = build_evidence(panel)
        return {int(panel.years[t]): guess.legs for t, guess in hindcasts(evidence)}

    other = frame.copy()
    later = other["year"].eq(2023)
    other.loc[later, "disbursed"] = (other.loc[later, "disbursed"] // 3).astype("Int64")
    before, after = guesses(frame), guesses(other)
    for year in (2020, 2021, 2022):
        np.testing.assert_array_equal(before[year], after[year])
    assert not np.array_equal(before[2018], after[2018], equal_nan=True)


def test_money_in_tranches_and_a_raised_plan_start_their_own_clocks() -> None:
    frame = simulated(8, n_places=3)
    now = frame["year"].eq(2024)
    base = build_panel(dataset(frame), 2024, 6, arrival={}, cells=None)
    raised = frame.copy()
    early = now & raised["month"].le(3)
    raised.loc[early, "plan"] = (raised.loc[early, "plan"] // 2).astype("Int64")
    panel = build_panel(dataset(raised), 2024, 6, arrival={}, cells=None)
    wanted = panel.wanted
    np.testing.assert_allclose(panel.tranches[wanted].sum(2), 1.0)
    np.testing.assert_allclose(panel.tranches[wanted, -1, 3], 0.5, atol=0.01)
    assert (build_evidence(panel).time[wanted] < build_evidence(base).time[wanted]).all()
    tranche = frame.assign(released=pd.array([None] * len(frame), dtype="Int64"))
    tranche.loc[now & tranche["month"].ge(2), "released"] = tranche["plan"] // 2
    tranche.loc[now & tranche["month"].ge(5), "released"] = tranche["plan"]
    tranche.loc[now & tranche["month"].lt(2), "disbursed"] = 0  # who spends has money
    panel = build_panel(dataset(tranche), 2024, 6, arrival={}, cells=None)
    came = panel.released[wanted, -1]
    np.testing.assert_allclose(came[:, [1, 4]], 0.5, atol=0.01)
    np.testing.assert_array_equal(came, panel.tranches[wanted, -1])
    assert (build_evidence(panel).unusual[wanted] > 0.9).all()


def test_what_happens_every_year_is_no_lateness() -> None:
    frame = simulated(8, n_places=3)
    base = forecast(dataset(frame), 2024, 9, draws=300)
    raised = frame.copy()
    early = raised["month"].le(4)
    raised.loc[early, "plan"] = (raised.loc[early, "plan"] // 2).astype("Int64")
    quarters = frame.assign(released=frame["plan"] * ((frame["month"] + 2) // 3).clip(upper=4) // 4)
    for usual in (raised, quarters):
        moved = forecast(dataset(usual), 2024, 9, draws=300)
        assert moved.draws.sum(1).mean() == pytest.approx(base.draws.sum(1).mean(), rel=0.02)
    once = raised.where(raised["year"].eq(2024), frame)
    late = forecast(dataset(once), 2024, 9, draws=300)
    assert late.draws.sum(1).mean() > 1.01 * base.draws.sum(1).mean()


def test_money_spent_is_money_that_came() -> None:
    frame = simulated(9, n_places=4)
    stale = frame.assign(released=pd.array([None] * len(frame), dtype="Int64"))
    stale.loc[stale["year"].eq(2024) & stale["month"].eq(1), "released"] = 0
    told = forecast(dataset(stale), 2024, 9, draws=300).draws.sum(1).mean()
    silent = forecast(dataset(frame), 2024, 9, draws=300).draws.sum(1).mean()
    assert told == pytest.approx(silent, rel=0.02)


def test_a_reported_year_end_is_the_year_end() -> None:
    frame = simulated(9, n_places=3)
    frame = frame[frame["month"].le(12)]
    outlook = forecast(dataset(frame), 2024, 12, draws=50)
    np.testing.assert_array_equal(
        outlook.draws, np.tile(outlook.cells["disbursed"].to_numpy(float) / 1e6, (50, 1))
    )
    alone = frame.iloc[[0]].assign(year=2020, month=13)
    again = forecast(dataset(pd.concat([frame, alone])), 2024, 12, draws=50)
    assert again.year_end == 12


def test_a_plan_that_stands_in_widens_the_range_and_a_zero_plan_is_none() -> None:
    frame = simulated(10, n_places=6)
    before = frame[frame["year"].lt(2024)]
    stands_in = forecast(dataset(before), 2024, 0, draws=400)
    firm = forecast(dataset(before), 2024, 0, cells=plans_of(frame, 2024), draws=400)

    def width(outlook: Any) -> float:
        low, high = np.quantile(outlook.draws, [0.1, 0.9], axis=0)
        return float((high - low).sum() / outlook.draws.mean(0).sum())

    assert width(stands_in) > 1.1 * width(firm)
    none = frame.copy()
    none.loc[none["place"].eq(none["place"].iloc[0]), "plan"] = 0
    outlook = forecast(dataset(none), 2024, 6, draws=200)
    mine = outlook.cells["place"].eq(none["place"].iloc[0]).to_numpy()
    assert (np.ptp(outlook.draws[:, mine], axis=0) > 0).all()


def test_carried_money_is_there_from_the_start() -> None:
    frame = simulated(8, n_places=3)
    now = frame["year"].eq(2024)
    late = frame.assign(
        released=pd.array([None] * len(frame), dtype="Int64"),
        carried=pd.array([None] * len(frame), dtype="Int64"),
    )
    late.loc[now & late["month"].ge(5), "released"] = late["plan"]
    late.loc[now & late["month"].lt(5), "disbursed"] = 0  # who spends has money
    alone = build_panel(dataset(late), 2024, 6, arrival={}, cells=None)
    late.loc[now, "carried"] = late["plan"] // 4
    panel = build_panel(dataset(late), 2024, 6, arrival={}, cells=None)
    np.testing.assert_allclose(alone.released[alone.wanted, -1, 0], 0.0)
    np.testing.assert_allclose(panel.released[panel.wanted, -1, 0], 0.25, atol=0.01)
