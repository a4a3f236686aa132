"""The goal ``minimise: risk``: against the whole linear program, and laws of its own."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from datasets import dataset, scenario
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import optimize

from kc_model.allocate import Planner, allocate
from kc_model.errors import InputError
from kc_model.problem import build_problem
from kc_model.risk import Face, Risk

PLACES = ("01", "02", "04", "06")


def draws_of(capacity):
    """Return ``draws.csv`` of draws × places."""
    rows = [
        f"{d} {PLACES[i]} TECH KCQG {capacity[d][i]}"
        for d, i in product(range(len(capacity)), range(len(capacity[0])))
    ]
    return "draw place area source capacity\n" + "\n".join(rows)


def data_of(capacity, baseline=None, bounds=None, **tables):
    n = len(capacity[0])
    baseline = baseline or [10] * n
    bounds = bounds or [("-", "-")] * n
    rows = [
        f"{PLACES[i]} TECH KCQG {baseline[i]} {bounds[i][0]} {bounds[i][1]} {i + 1}"
        for i in range(n)
    ]
    head = "place area source baseline min max score\n"
    return dataset(cells=head + "\n".join(rows), draws=draws_of(capacity), **tables)


def worst_mean(totals, share):
    """Mean of the worst share of some totals, by hand."""
    counted = max(1.0, share * len(totals))
    mean, left = 0.0, counted
    for total in sorted(totals, reverse=True):
        mean, left = mean + min(1.0, left) * total, left - min(1.0, left)
        if left <= 0:
            break
    return mean / counted


def least_risk(capacity, budget, share, bounds, score=None, least_score=None):
    """Return the least risk by the linear program over every draw and cell."""
    n_draws, n = capacity.shape
    counted = max(1.0, share * n_draws)
    # x, t, e_d, w_dn
    width = n + 1 + n_draws + n_draws * n
    cost = np.zeros(width)
    cost[n], cost[n + 1 : n + 1 + n_draws] = 1.0, 1 / counted
    rows, right = [], []
    for d in range(n_draws):
        row = np.zeros(width)
        row[n], row[n + 1 + d] = -1.0, -1.0
        row[n + 1 + n_draws + d * n : n + 1 + n_draws + (d + 1) * n] = 1.0
        rows.append(row)
        right.append(0.0)
        for i in range(n):
            row = np.zeros(width)
            row[i], row[n + 1 + n_draws + d * n + i] = 1.0, -1.0
            rows.append(row)
            right.append(capacity[d, i])
    if score is not None:
        row = np.zeros(width)
        row[:n] = -score
        rows.append(row)
        right.append(-least_score)
    whole = np.zeros((1, width))
    whole[0, :n] = 1.0
    limits = [*bounds, (None, None), *[(0, None)] * (width - n - 1)]
    found = optimize.linprog(cost, np.array(rows), right, whole, [budget], limits, method="highs")
    assert found.status == 0
    return found.fun


@st.composite
def cases(draw):
    n, n_draws = draw(st.integers(2, 4)), draw(st.integers(1, 12))
    capacity = draw(
        st.lists(
            st.lists(st.integers(0, 40), min_size=n, max_size=n),
            min_size=n_draws,
            max_size=n_draws,
        )
    )
    level = draw(st.sampled_from(["0", "0.5", "0.75", "0.9", "0.97"]))
    return capacity, level, draw(st.integers(1, 120))


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(cases())
def test_the_least_risk_is_that_of_the_whole_program(case):
    capacity, level, budget = case
    n = len(capacity[0])
    text = scenario(
        f"budget: [{{source: KCQG, amount: {budget}}}]\n"
        f"goals: [{{minimise: risk, level: {level}}}]\nround_to: 0.0001\n"
    )
    plan = allocate(data_of(capacity), text, detail=False)
    share = 1 - float(level)
    least = least_risk(np.array(capacity, dtype=float), budget, share, [(0, None)] * n)
    assert plan.status == "optimal"
    assert plan.goals[0]["best"] == pytest.approx(least, abs=1e-6)
    spent = plan.table()["amount"].to_numpy(dtype=float)
    totals = np.maximum(0, spent - np.array(capacity)).sum(axis=1)
    assert plan.goals[0]["achieved"] == pytest.approx(worst_mean(totals, share), 1e-9, 1e-9)
    assert plan.goals[0]["achieved"] == pytest.approx(least, abs=1e-2)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(cases())
def test_a_risk_after_a_goal_that_gives_is_that_of_the_whole_program(case):
    capacity, level, budget = case
    n = len(capacity[0])
    bounds = [(0, 60)] * n
    if budget > 60 * n:
        budget = 60 * n
    score = np.arange(1.0, n + 1)
    text = scenario(
        f"budget: [{{source: KCQG, amount: {budget}}}]\ngoals:\n"
        "  - {maximise: {column: score}, give: 0.1}\n"
        f"  - {{minimise: risk, level: {level}}}\n"
    )
    plan = allocate(data_of(capacity, bounds=[("-", "60")] * n), text, detail=False)
    assert plan.status == "optimal"
    least = least_risk(
        np.array(capacity, dtype=float),
        budget,
        1 - float(level),
        bounds,
        score,
        0.9 * plan.goals[0]["best"],
    )
    assert plan.goals[1]["best"] == pytest.approx(least, abs=1e-5)


ANY = st.one_of(st.floats(-2, 2), st.sampled_from([0.0, 1e-9, 1e300, -1e300]))


@given(
    st.lists(st.lists(st.integers(0, 50), min_size=3, max_size=3), min_size=1, max_size=9),
    st.lists(st.floats(0, 80), min_size=3, max_size=3),
    st.sampled_from([1.0, 0.5, 0.1]),
    st.data(),
)
def test_no_face_proves_more_than_is_true(capacity, plan, share, data):
    cells = np.arange(3)
    risk = Risk(cells, cells, np.array(capacity, dtype=float), share)
    weights = data.draw(st.lists(ANY, min_size=len(capacity), max_size=len(capacity)))
    slopes = data.draw(st.lists(ANY, min_size=3, max_size=3))
    slope, constant = risk.floor(Face(np.array(weights), np.array(slopes)))
    assert float(slope @ plan) - constant <= risk.value(np.array(plan))


@given(
    st.lists(st.lists(st.integers(0, 50), min_size=3, max_size=3), min_size=1, max_size=9),
    st.lists(st.floats(0, 80), min_size=3, max_size=3),
    st.sampled_from([1.0, 0.5, 0.1]),
)
def test_the_face_of_a_plan_proves_its_whole_risk(capacity, plan, share):
    cells = np.arange(3)
    risk = Risk(cells, cells, np.array(capacity, dtype=float), share)
    here = np.array(plan)
    weights = risk.weights(risk.totals(risk.spent(here)))
    assert weights.sum() == pytest.approx(1)
    slope, constant = risk.floor(Face(weights, weights @ (here > risk.capacity)))
    assert float(slope @ here) - constant == pytest.approx(risk.value(here), abs=1e-9)


def test_two_risks_are_met_in_one_plan():
    text = scenario(
        "budget: [{source: KCQG, amount: 55}]\ngoals:\n"
        "  - {minimise: risk, level: 0.5, give: 0.05}\n"
        "  - {minimise: risk, level: 0.9, where: {place: ['01', '02']}}\n"
        "  - {maximise: {column: score}}\n"
    )
    plan = allocate(data_of([[20, 10, 7], [5, 40, 9], [13, 13, 13], [2, 2, 50]]), text)
    assert plan.status == "optimal"
    assert plan.goals[0]["achieved"] <= 1.05 * plan.goals[0]["best"] + 1e-5
    assert plan.goals[1]["best"] == pytest.approx(plan.goals[1]["achieved"], abs=1e-5)


def test_a_plan_by_hand():
    # 30 for two cells whose capacities are 20 and 10, or 5 and 40; the worse of the draws counts:
    # max(x - 20, 0) + max(y - 10, 0) or max(x - 5, 0). With x = 12.5 both are 7.5.
    text = scenario(
        "budget: [{source: KCQG, amount: 30}]\ngoals: [{minimise: risk, level: 0.9}]\n"
        "round_to: 0.1\n"
    )
    plan = allocate(data_of([[20, 10], [5, 40]]), text)
    assert plan.table()["amount"].tolist() == [12.5, 17.5]
    assert plan.goals[0]["best"] == pytest.approx(7.5)
    rules = plan.rules().set_index("id")
    assert rules.loc["budget:1", "price"] == pytest.approx(-0.5)  # one more is one more at risk
    assert plan.undecided == ()
    said = " ".join(plan.explain("en"))
    assert "in the worst 10% of what may happen, 7.5 million VND on average" in said


def test_activities_of_an_area_share_one_capacity():
    cells = (
        "place area activity source baseline\n01 TECH a KCQG 10\n01 TECH b KCQG 10\n"
        "02 TECH a KCQG 10"
    )
    draws = "draw place area source capacity\n1 01 TECH KCQG 12\n1 02 TECH KCQG 30"
    text = scenario("budget: [{source: KCQG, amount: 40}]\ngoals: [{minimise: risk}]\n")
    plan = allocate(dataset(cells=cells, draws=draws), text)
    amounts = plan.table()["amount"].tolist()
    assert amounts[0] + amounts[1] <= 12 + 1e-9
    assert plan.goals[0]["best"] == pytest.approx(0)


@pytest.mark.parametrize(
    "draws",
    [
        "draw place area source capacity\n1 01 TECH KCQG 12",  # a cell is missing
        "draw place area source capacity\n1 01 TECH KCQG 12\n1 02 TECH KCQG 3\n2 01 TECH KCQG 4",
    ],
)
def test_draws_that_lack_a_cell_are_refused_with_its_name(draws):
    cells = "place area source baseline\n01 TECH KCQG 10\n02 TECH KCQG 10"
    text = scenario("budget: [{source: KCQG, amount: 40}]\ngoals: [{minimise: risk}]\n")
    with pytest.raises(InputError) as refused:
        build_problem(dataset(cells=cells, draws=draws), text)
    assert [fault.code for fault in refused.value.faults] == ["no-draws"]
    assert "02|TECH|KCQG" in refused.value.faults[0].text("vi")


def test_a_changed_number_keeps_what_is_known_of_the_risk():
    data = data_of([[20, 10, 7], [5, 40, 9], [13, 13, 13]])
    text = "budget: [{{source: KCQG, amount: {}}}]\ngoals: [{{minimise: risk, level: 0.5}}]\n"
    planner = Planner(data)
    for amount in (30, 45, 12, 60):
        asked = scenario(text.format(amount))
        hot, cold = planner.plan(asked, detail=False), allocate(data, asked, detail=False)
        assert hot.table()["amount"].tolist() == pytest.approx(cold.table()["amount"].tolist())
        assert hot.goals[0]["best"] == pytest.approx(cold.goals[0]["best"], abs=1e-6)


def test_the_order_of_the_draws_changes_nothing():
    capacity = [[20, 10, 7], [5, 40, 9], [13, 13, 13], [2, 2, 50]]
    text = scenario(
        "budget: [{source: KCQG, amount: 55}]\n"
        "goals: [{minimise: risk, level: 0.5, give: 0.05}, {minimise: change}]\n"
    )
    plans = [
        allocate(data_of([capacity[d] for d in order]), text).table()["amount"].tolist()
        for order in ([0, 1, 2, 3], [3, 1, 0, 2], [2, 3, 1, 0])
    ]
    for plan in plans[1:]:
        assert plan == pytest.approx(plans[0], abs=1e-5)


def test_prices_of_a_risk_agree_with_planning_again():
    """What one more or less of a budget does to the risk, inside the range and just outside."""
    rng = np.random.default_rng(5)
    data = data_of(rng.integers(0, 40, (40, 4)).tolist())
    text = "budget: [{{source: KCQG, amount: {}}}]\ngoals: [{{minimise: risk, level: 0.75}}]\n"

    def risk(amount):
        return allocate(data, scenario(text.format(amount)), detail=False).goals[0]["best"]

    row = allocate(data, scenario(text.format(80)), ranges=True).rules().set_index("id").iloc[0]
    here = risk(80)
    assert risk(80.001) - here == pytest.approx(-0.001 * row["price"], abs=1e-6)
    assert row["price"] < 0
    assert row["price_from"] <= 80 <= row["price_to"]
    for end in (row["price_from"], row["price_to"]):
        assert risk(end) - here == pytest.approx(-row["price"] * (end - 80), abs=1e-5)
    beyond = row["price_to"] + 1
    assert risk(beyond) - here > -row["price"] * (beyond - 80) + 1e-4
