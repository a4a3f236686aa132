"""Capacity from censored years, joint draws of it, and slices."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kc_model.forecast.capacity import (
    Capacity,
    History,
    beyond_plan,
    draw_capacity,
    fit_capacity,
)
from kc_model.forecast.credibility import Grouping
from kc_model.forecast.draws import absorption

Floats = Any
N_PLACES, N_AREAS = 30, 5


def country(seed: int = 1, n_years: int = 6, **changed: float) -> tuple[History, Floats, Floats]:
    """A history, the truth it hides (log capacity of the next year) and the prior completion."""
    spread = {"place": 0.3, "area": 0.2, "cell": 0.15, "year": 0.1, "own": 0.25} | changed
    random = np.random.default_rng(seed)
    place, area, source = np.indices((N_PLACES, N_AREAS, 2)).reshape(3, -1)
    n_cells = len(place)
    size = random.normal(6.0, 0.8, n_cells)
    level = (
        size
        + random.normal(0, spread["cell"], n_cells)
        + random.normal(0, spread["place"], N_PLACES)[place]
        + random.normal(0, spread["area"], N_AREAS)[area]
    )
    shared = random.normal(0, spread["year"], (2, n_years))[source]
    own = random.normal(0, spread["own"], (n_cells, n_years))
    capacity = np.exp(level[:, None] + shared + own)
    usual = size - spread.get("tight", 0.1) + random.normal(0, 0.15, n_cells)
    plan = np.exp(usual[:, None] + random.normal(0, 0.1, (n_cells, n_years + 1)))
    final = np.c_[np.minimum(capacity, plan[:, :-1]), np.full(n_cells, np.nan)]
    factors = {
        "source": Grouping(source, 2),
        "area": Grouping(area, N_AREAS),
        "place": Grouping(place, N_PLACES),
    }
    years = np.arange(2024 - n_years, 2025)
    full = np.ones_like(plan)
    history = History(final, plan, np.ones(n_cells), full, years, factors, factors["source"])
    return history, level, np.full(n_cells, 0.87)


def without_past(history: History) -> History:
    return replace(history, final=np.full_like(history.final, np.nan))


# --- estimation ---------------------------------------------------------------------------------


@pytest.mark.parametrize("tight", [-0.3, 0.1, 0.4], ids=["rarely", "often", "mostly"])
def test_capacity_behind_the_plan_is_found(tight: float) -> None:
    history, truth, prior = country(tight=tight)
    fit = fit_capacity(history, prior)
    error = fit.level - truth
    error_of_means = np.log(history.final[:, :-1]).mean(1) - truth
    assert abs(error.mean()) < 0.4 * abs(error_of_means.mean())
    assert error.std() < 0.8 * error_of_means.std()
    assert fit.n_reached + fit.n_short + fit.n_failed == 6 * len(truth)
    # what is said of the doubt is true: 80 % of cells lie within 1.28 spreads of their level
    drawn = truth + np.random.default_rng(5).normal(0, np.hypot(0.25, 0.1), len(truth))
    assert 0.7 < (np.abs(drawn - fit.level) < 1.2816 * fit.spread).mean() < 0.9


def test_the_censored_are_thought_able_of_more_than_they_spent() -> None:
    history, _, prior = country()
    fit = fit_capacity(history, prior)
    always = (history.final[:, :-1] >= 0.999 * history.plan[:, :-1]).all(1)
    assert always.sum() > 10
    assert (np.exp(fit.level) > history.plan[:, -1])[always].mean() > 0.9


def test_without_a_past_the_prior_stands_alone() -> None:
    history, _, prior = country()
    prior = np.where(np.arange(len(prior)) % 2, 0.7, 0.95)
    fit = fit_capacity(without_past(history), prior)
    plan = history.plan[:, -1]
    np.testing.assert_allclose(fit.expected(plan) / plan, prior, rtol=1e-6)
    assert (fit.n_reached, fit.n_short, fit.n_failed) == (0, 0, 0)


def test_expected_is_the_mean_of_what_is_disbursed() -> None:
    level, own = np.array([1.0, 2.0, 3.0]), np.array([0.2, 0.5, 1.0])
    one = Capacity(level, own, 0.3, Grouping(np.array([0, 0, 1]), 2), 0, 0, 0)
    draws = draw_capacity(one, np.arange(3), 200_000, np.random.default_rng(3))
    money = np.array([3.0, 9.0, 0.0])
    np.testing.assert_allclose(one.expected(money), np.minimum(draws, money).mean(0), rtol=0.01)
    np.testing.assert_allclose(np.log(draws).std(0), one.spread, rtol=0.02)
    related = np.corrcoef(np.log(draws).T)
    expected = 0.3**2 / (one.spread[0] * one.spread[1])
    assert related[0, 1] == pytest.approx(expected, abs=0.02)
    assert related[0, 2] == pytest.approx(0.3**2 / 2 / (one.spread[0] * one.spread[2]), abs=0.02)


def test_one_year_counts_for_something_but_not_for_everything() -> None:
    history, _, prior = country(n_years=1)
    fit = fit_capacity(history, prior)
    able = fit.level - np.log(history.plan[:, -1])
    came = np.log(history.final[:, 0] / history.plan[:, 0])
    short = (came < -0.05) & (came > np.log(0.4))
    place = history.factors["place"].group[short]
    within = [
        (x[short] - pd.Series(x[short]).groupby(place).transform("mean").to_numpy())
        for x in (able, came)
    ]
    slope = (within[0] @ within[1]) / (within[1] @ within[1])
    assert 0.2 < slope < 0.8


def test_a_new_cell_borrows_from_its_place_and_area() -> None:
    history, truth, prior = country(place=0.5)
    new = np.arange(len(truth)) % 7 == 0
    final = np.where(new[:, None], np.nan, history.final)
    fit = fit_capacity(replace(history, final=final), prior)
    able = (fit.level - np.log(history.plan[:, -1]))[new]
    really = (truth - np.log(history.plan[:, -1]))[new]
    assert np.corrcoef(able, really)[0, 1] > 0.5
    assert fit.own[new].min() > np.median(fit.own[~new])


def test_recent_years_weigh_more() -> None:
    history, _, prior = country(own=0.05)
    final, plan = history.final.copy(), history.plan
    final[0, :3], final[0, 3:6] = 0.9 * plan[0, :3], 0.6 * plan[0, 3:6]
    final[1, :3], final[1, 3:6] = 0.6 * plan[1, :3], 0.9 * plan[1, 3:6]
    fit = fit_capacity(replace(history, final=final), prior)
    able = np.exp(fit.level) / np.exp(np.log(plan[:, :-1]).mean(1))
    assert able[1] > 1.02 * able[0]


def test_late_money_is_not_laid_at_the_cells_door() -> None:
    history, _, prior = country()
    national = history.factors["source"].group == 0
    late = np.ones_like(history.plan)
    late[national, 2] = late[national, 4] = 0.5
    cut = np.minimum(history.final, 0.5 * history.final / np.clip(late, 0.5, 1) * late)
    final = np.where(late < 1, cut, history.final)
    knowing = fit_capacity(replace(history, final=final, reach=late), prior)
    ignorant = fit_capacity(replace(history, final=final), prior)
    before = fit_capacity(history, prior)
    gap = [np.abs(fit.level - before.level)[national].mean() for fit in (knowing, ignorant)]
    assert gap[0] < 0.5 * gap[1]
    late[national, -1] = 0.5
    again = fit_capacity(replace(history, final=final, reach=late), prior)
    less = (again.level - knowing.level)[national]
    np.testing.assert_allclose(less, less[0])
    assert 0.35 < np.exp(less[0]) < 0.7
    np.testing.assert_allclose(again.level[~national], knowing.level[~national])


def test_a_year_that_failed_does_not_say_how_badly() -> None:
    history, _, prior = country()
    final = history.final.copy()
    final[3, 1] = 0.3 * history.plan[3, 1]
    some = fit_capacity(replace(history, final=final), prior)
    final[3, 1] = 0.0
    none = fit_capacity(replace(history, final=final), prior)
    np.testing.assert_array_equal(some.level, none.level)
    assert some.n_failed == none.n_failed > 0


def test_a_plan_that_is_no_limit_hides_nothing() -> None:
    history, _, prior = country()
    history = replace(history, final=history.final * 1.2, ceiling=np.full(len(prior), 1.6))
    fit = fit_capacity(history, prior)
    assert fit.n_reached == 0


def test_units_and_the_order_of_cells_change_nothing() -> None:
    history, _, prior = country()
    fit = fit_capacity(history, prior)
    scaled = replace(history, final=history.final * 1000, plan=history.plan * 1000)
    np.testing.assert_allclose(fit_capacity(scaled, prior).level, fit.level + np.log(1000))
    order = np.random.default_rng(2).permutation(len(prior))
    groups = {name: Grouping(g[order], n) for name, (g, n) in history.factors.items()}
    turned = History(
        history.final[order],
        history.plan[order],
        history.ceiling[order],
        history.reach[order],
        history.years,
        groups,
        groups["source"],
    )
    again = fit_capacity(turned, prior[order])
    np.testing.assert_allclose(again.level, fit.level[order], rtol=1e-9)
    np.testing.assert_allclose(again.own, fit.own[order], rtol=1e-9)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_history_gives_a_finite_capacity(data: st.DataObject) -> None:
    n_cells, n_years = data.draw(st.integers(1, 6)), data.draw(st.integers(1, 4))
    money = st.one_of(st.just(np.nan), st.just(0.0), st.floats(1e-3, 1e6))
    shape = n_cells * n_years
    final, plan = (
        np.reshape(data.draw(st.lists(money, min_size=shape, max_size=shape)), (n_cells, n_years))
        for _ in range(2)
    )
    final[:, -1] = np.nan
    reach = np.reshape(
        data.draw(st.lists(st.floats(0.0, 1.0), min_size=shape, max_size=shape)), final.shape
    )
    group = np.array(data.draw(st.lists(st.integers(0, 2), min_size=n_cells, max_size=n_cells)))
    one = Grouping(group, 3)
    years = np.arange(2020, 2020 + n_years)
    history = History(final, plan, np.ones(n_cells), reach, years, {"source": one}, one)
    completion = np.array(
        data.draw(st.lists(st.floats(0.0, 1.0), min_size=n_cells, max_size=n_cells))
    )
    fit = fit_capacity(history, completion)
    assert np.isfinite(fit.level).all()
    assert ((fit.own > 0) & (fit.own < 20)).all()
    assert 0 < fit.year < 20
    draws = draw_capacity(fit, np.arange(n_cells), 20, np.random.default_rng(1))
    assert (draws >= 0).all()


# --- joint draws --------------------------------------------------------------------------------


def year_ends(seed: int = 4) -> tuple[Capacity, Floats, Floats]:
    history, _, prior = country()
    fit = fit_capacity(history, prior)
    random = np.random.default_rng(seed)
    plan = history.plan[:, -1]
    luck = random.normal(0, 0.15, (800, 1)) + random.normal(0, 0.2, (800, len(plan)))
    return fit, plan, np.minimum(plan * np.exp(0.02 + luck), plan)


def test_draws_agree_with_the_year_end_below_the_plan() -> None:
    fit, plan, year_end = year_ends()
    random = np.random.default_rng(1)
    drawn = beyond_plan(fit, np.arange(len(plan)), year_end, (plan, np.zeros(len(plan))), random)
    np.testing.assert_allclose(np.minimum(drawn, plan), year_end, rtol=1e-12)
    assert (drawn[year_end < plan] == year_end[year_end < plan]).all()
    assert (drawn[year_end >= plan] > plan[np.nonzero(year_end >= plan)[1]]).mean() > 0.99


def test_the_excess_is_that_of_a_capacity_known_to_reach_the_plan() -> None:
    fit, plan, year_end = year_ends()
    rows = np.arange(len(plan))
    drawn = beyond_plan(fit, rows, year_end, (plan, np.zeros(len(plan))), np.random.default_rng(1))
    free = draw_capacity(fit, rows, 20_000, np.random.default_rng(2))
    reached = year_end >= plan
    for cell in np.flatnonzero(reached.mean(0) > 0.4)[:20]:
        known = free[free[:, cell] >= plan[cell], cell]
        if len(known) > 2000:
            got = np.quantile(drawn[reached[:, cell], cell], (0.25, 0.5, 0.75))
            np.testing.assert_allclose(got, np.quantile(known, (0.25, 0.5, 0.75)), rtol=0.05)


def test_less_can_be_added_the_more_of_the_year_is_over() -> None:
    fit, plan, year_end = year_ends()
    rows, n = np.arange(len(plan)), len(plan)
    early, late, over = (
        beyond_plan(fit, rows, year_end, (plan, np.full(n, done)), np.random.default_rng(1)) - plan
        for done in (0.0, 0.6, 1.0)
    )
    reached = year_end >= plan
    np.testing.assert_allclose(late[reached], 0.4 * early[reached], rtol=1e-6)
    np.testing.assert_allclose(over[reached], 0.0, atol=1e-9)


def test_good_years_are_good_for_all_cells_of_a_source() -> None:
    history, _, prior = country(year=0.5)
    fit = fit_capacity(history, prior)
    assert fit.year > 0.25
    plan = history.plan[:, -1]
    rows, n = np.arange(len(plan)), len(plan)
    year_end = np.minimum(draw_capacity(fit, rows, 800, np.random.default_rng(3)), plan)
    drawn = beyond_plan(fit, rows, year_end, (plan, np.zeros(n)), np.random.default_rng(1))
    mine = fit.shared.group == 0
    excess = np.where(year_end >= plan, drawn - plan, np.nan)[:, mine]
    order = np.argsort(year_end[:, mine].sum(1))
    assert np.nanmean(excess[order[-200:]]) > 1.3 * np.nanmean(excess[order[200:400]])


def test_a_cell_without_a_plan_gets_what_its_like_can_do() -> None:
    history, _, prior = country()
    final, plan = history.final.copy(), history.plan.copy()
    final[0], plan[0] = np.nan, np.nan
    fit = fit_capacity(replace(history, final=final, plan=plan), prior)
    none = np.zeros((500, 1))
    random = np.random.default_rng(1)
    drawn = beyond_plan(fit, np.array([0]), none, (np.zeros(1), np.zeros(1)), random)
    alike = history.factors["place"].group == history.factors["place"].group[0]
    usual = np.median(np.exp(fit.level[alike]))
    assert 0.4 * usual < np.median(drawn) < 2.5 * usual


# --- slices -------------------------------------------------------------------------------------


def cells(plan: Floats) -> pd.DataFrame:
    vnd = pd.array(np.rint(plan * 1e6).astype(np.int64), dtype="Int64")
    place = [f"{i:02d}" for i in range(len(plan))]
    return pd.DataFrame(
        {"place": place, "area": "TECH", "activity": "", "source": "KCDP", "plan": vnd}
    )


@pytest.mark.parametrize("spent", [0.0, 0.8], ids=["before the year", "late in the year"])
def test_slices_add_up_to_what_is_disbursed_of_any_plan_in_use(spent: float) -> None:
    plan = np.array([100.0, 2_000.0, 0.0])
    random = np.random.default_rng(1)
    usual = np.where(plan > 0, plan, 50.0)
    capacity = usual * np.maximum(np.exp(random.normal(0.1, 0.4, (1000, 3))), spent)
    slices = absorption(cells(plan), capacity)
    for i, (_, mine) in enumerate(slices.groupby("place")):
        upto, rate = mine["upto"].to_numpy(float) / 1e6, mine["rate"].to_numpy()
        assert (np.diff(rate) <= 0).all()
        assert rate[0] <= 1
        assert rate[-1] > 0
        width = np.diff(upto, prepend=0.0)
        assert (width > 0).all()
        assert len(mine) <= 15
        reached = np.minimum(capacity[:, [i]], upto).mean(0)
        np.testing.assert_allclose(np.cumsum(rate * width), reached, rtol=1e-6)
        assert upto[-1] == pytest.approx(capacity[:, i].max(), abs=1e-6)
        for share in (0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3):  # change limits end at a slice
            at = share * plan[i]
            if capacity[:, i].min() < at < capacity[:, i].max():
                assert np.abs(upto - at).min() < 1e-6
