"""From dataset and scenario to a plan: defaults, mid-year, laws of symmetry, prices, ranges."""

from __future__ import annotations

import importlib
import itertools
from dataclasses import replace
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from datasets import absorbing, dataset, scenario
from hypothesis import given, settings
from hypothesis import strategies as st

from kc_model.allocate import Planner, allocate
from kc_model.errors import InputError
from kc_model.problem import build_problem
from kc_model.solver import Outcome, Status
from kc_model.tables import Note

ROOM = importlib.import_module("kc_model.allocate.planner")
LIVE = importlib.import_module("kc_model.allocate.live")
NEVER = float("inf")
MILLION = 1_000_000

CELLS = """
place area source baseline max unit_cost
01    TECH KCQG   100      -   5
01    PROD KCQG   60       80  4
02    TECH KCQG   20       -   5
02    CONS KCQG   20       -   10
02    TECH KCDP   30       -   5
"""
SLICES = """
place area source upto rate
01    TECH KCQG   90   0.9
01    TECH KCQG   400  0.5
01    PROD KCQG   400  0.8
02    TECH KCQG   50   0.95
02    TECH KCQG   400  0.4
02    CONS KCQG   400  0.7
02    TECH KCDP   400  0.6
"""
BUDGET = 'budget: [{source: KCQG, amount: 200}, {source: KCDP, place: "02", amount: 25}]\n'
FULL = (
    BUDGET
    + """\
rules:
  - {id: tech, where: {area: TECH}, of: all, min: 0.5}
  - {id: floor, each: place, where: {source: KCQG}, min: 45}
  - {id: steady, each: [place, area], where: {source: KCQG}, per: baseline, max: 2.5,
     tier: directive}
  - {id: models, count: outputs, min: 60, tier: preference}
goals:
  - {maximise: disbursed}
  - {minimise: change}
"""
)


def data_of(cells=CELLS, absorption=SLICES, **tables):
    return dataset(cells=cells, absorption=absorption, **tables)


def solved(data, text, **options):
    plan = allocate(data, scenario(text), **options)
    assert plan.status == "optimal"
    return plan


def amounts(plan):
    keys = ["year", "place", "area", "activity", "source"]
    return {tuple(row[:-1]): row[-1] for row in plan.cells[[*keys, "amount"]].values.tolist()}


# --- A plan by hand ------------------------------------------------------------------------------


def test_a_small_plan_by_hand():
    # 100 for three cells that absorb 90, 80 and 50 %; no more than 40 in one; at least 10 in each.
    cells = (
        "place area source baseline min max\n"
        "01 TECH KCQG 50 10 40\n02 TECH KCQG 30 10 40\n04 TECH KCQG 20 10 -"
    )
    absorption = (
        "place area source upto rate\n"
        "01 TECH KCQG 500 0.9\n02 TECH KCQG 500 0.8\n04 TECH KCQG 500 0.5"
    )
    text = "budget: [{source: KCQG, amount: 100}]\ngoals: [{maximise: disbursed}]\n"
    plan = solved(data_of(cells, absorption), text)
    assert plan.table().to_dict("list") == {
        "place": ["01", "02", "04"],
        "area": ["TECH"] * 3,
        "source": ["KCQG"] * 3,
        "amount": [40, 40, 20],
        "baseline": [50, 30, 20],
        "expected_disbursed": [36, 32, 10],
        "lowest": [40, 40, 20],
        "highest": [40, 40, 20],
    }
    assert plan.goals == ({"name": "maximise disbursed", "best": 78, "achieved": 78},)
    assert plan.undecided == ()
    rules = plan.rules().set_index(["id", "side"])
    assert rules["status"].to_dict() == {
        ("budget:1", "max"): "binding",
        ("bound:01|TECH|KCQG:min", "min"): "met",
        ("bound:01|TECH|KCQG:max", "max"): "binding",
        ("bound:02|TECH|KCQG:min", "min"): "met",
        ("bound:02|TECH|KCQG:max", "max"): "binding",
        ("bound:04|TECH|KCQG:min", "min"): "met",
    }
    # One more of money goes to 04; one more of room in 01 moves a million from 0.5 to 0.9.
    assert rules["price"].tolist() == pytest.approx([0.5, 0, 0.4, 0, 0.3, 0])
    assert rules["slack"].tolist() == [0, 30, 0, 30, 0, 10]
    # So until 04 is at its least or 500; until 01 has all of 04's money above 10, or is down to 10.
    assert rules["price_from"].tolist() == pytest.approx(
        [90, np.nan, 10, np.nan, 10, np.nan], nan_ok=True
    )
    assert rules["price_to"].tolist() == pytest.approx(
        [580, np.nan, 50, np.nan, 50, np.nan], nan_ok=True
    )


def test_without_goals_the_plan_follows_the_baseline():
    plan = solved(data_of(), BUDGET)
    # 200 over 100, 60, 20, 20: in proportion 100, 60, 20, 20; 25 to the only cell of KCDP.
    assert plan.table()["amount"].tolist() == [100, 60, 20, 25, 20]
    assert plan.goals == ()
    assert len(plan.undecided) == 4
    assert plan.rules()["price"].isna().all()


def test_a_cell_that_had_nothing_weighs_a_thousandth_of_the_mean():
    # Σ (x − b)² / max(b, m), m = 30 / 1000: 60 + 60 λ and 0.03 λ make 120.
    cells = "place area source baseline\n01 TECH KCQG 60\n02 TECH KCQG 0"
    plan = solved(dataset(cells=cells), "budget: [{source: KCQG, amount: 120}]\n")
    rise = 60 / 60.03
    assert plan.table()["amount"].tolist() == pytest.approx([60 + 60 * rise, 0.03 * rise], abs=1e-6)


def test_the_weight_of_a_cell_counts_in_the_goal_not_in_the_forecast():
    cells = "place area source weight\n01 TECH KCQG 1\n02 TECH KCQG 3"
    text = "budget: [{source: KCQG, amount: 100}]\ngoals: [{maximise: disbursed}]\n"
    absorption = "place area source upto rate\n01 TECH KCQG 500 0.9\n02 TECH KCQG 500 0.5"
    plan = solved(data_of(cells, absorption), text)
    assert plan.table()["amount"].tolist() == [0, 100]
    assert plan.goals[0]["achieved"] == pytest.approx(150)
    assert plan.table()["expected_disbursed"].tolist() == [0, 50]


def test_money_beyond_the_last_slice_is_not_expected():
    cells = "place area source\n01 TECH KCQG"
    text = "budget: [{source: KCQG, amount: 100}]\ngoals: [{maximise: disbursed}]\n"
    plan = solved(data_of(cells, "place area source upto rate\n01 TECH KCQG 60 0.5"), text)
    assert plan.table()["expected_disbursed"].tolist() == [30]


def test_activities_of_an_area_share_what_it_absorbs():
    cells = "place area activity source\n01 TECH demo KCQG\n01 TECH machine KCQG\n02 TECH - KCQG"
    absorption = "place area source upto rate\n01 TECH KCQG 60 1\n02 TECH KCQG 500 0.5"
    text = "budget: [{source: KCQG, amount: 100}]\ngoals: [{maximise: disbursed}]\n"
    plan = solved(data_of(cells, absorption), text)
    assert plan.goals[0]["achieved"] == pytest.approx(60 + 20)
    assert plan.table()["amount"].tolist() == [30, 30, 40]
    assert plan.table()["activity"].tolist() == ["demo", "machine", ""]


def test_tiers_come_before_goals_and_in_order():
    cells = "place area source\n01 TECH KCQG\n02 TECH KCQG"
    absorption = "place area source upto rate\n01 TECH KCQG 500 1\n02 TECH KCQG 500 0"
    text = """
budget: [{source: KCQG, amount: 100}]
rules:
  - {id: wish, where: {place: "01"}, min: 70, tier: preference}
  - {id: order, where: {place: "02"}, min: 60, tier: directive}
goals: [{maximise: disbursed}]
"""
    plan = solved(data_of(cells, absorption), text)
    assert plan.table()["amount"].tolist() == [40, 60]
    rules = plan.rules().set_index("id")
    assert rules.loc["wish", ["status", "shortfall"]].tolist() == ["missed", 30]
    assert rules.loc["order", ["status", "shortfall"]].tolist() == ["binding", 0]
    assert [dict(tier) for tier in plan.tiers] == [
        {"name": "directive", "best": 0, "shortfall": 0},
        {"name": "preference", "best": 30, "shortfall": 30},
    ]


def test_weights_decide_between_directives():
    cells = "place area source\n01 TECH KCQG\n02 TECH KCQG"
    text = """
budget: [{source: KCQG, amount: 100}]
rules:
  - {id: light, where: {place: "01"}, min: 80, tier: directive}
  - {id: heavy, where: {place: "02"}, min: 70, tier: directive, weight: 2}
"""
    plan = solved(dataset(cells=cells), text)
    assert plan.table()["amount"].tolist() == [30, 70]
    assert plan.tiers[0]["shortfall"] == pytest.approx(50)


def test_money_that_need_not_be_spent_is_a_reserve():
    cells = "place area source max\n01 TECH KCQG 60\n01 TECH KCDP 60"
    text = """
spend: at_most
budget: [{source: KCQG, amount: 100}, {source: KCDP, place: "01", amount: 40}]
goals: [{maximise: money}]
"""
    plan = solved(dataset(cells=cells), text)
    assert plan.table()["amount"].tolist() == [60, 40]
    assert [dict(row) for row in plan.reserve] == [
        {"budget": "budget:1", "amount": 40 * MILLION},
        {"budget": "budget:2", "amount": 0},
    ]
    assert solved(dataset(cells=cells.replace("60", "-")), text).reserve[0]["amount"] == 0


def test_evenness_lifts_the_poorest():
    cells = (
        "place area source baseline\n"
        "01 TECH KCQG 90\n02 TECH KCQG 10\n02 PROD KCQG 0\n04 TECH KCQG 5"
    )
    text = "budget: [{source: KCQG, amount: 110}]\ngoals: [{maximise: evenness, per: population}]\n"
    plan = solved(dataset(cells=cells, places="place population\n01 8\n02 3"), text)
    table = plan.table().groupby("place")["amount"].sum()
    # 04 has no population: left out and named; what it gets, the settlement decides (nothing).
    assert table["01"] == pytest.approx(80)
    assert table["02"] == pytest.approx(30)
    assert plan.goals[0]["achieved"] == pytest.approx(10)
    assert [w.values["places"] for w in plan.warnings if w.code == "left-out-of-evenness"] == ["04"]


# --- Defaults ------------------------------------------------------------------------------------

HISTORY = """
year month place area source plan disbursed
2021 12    01    TECH KCQG   300  290
2022 12    01    TECH KCQG   100  90
2022 12    01    PROD KCQG   60   50
2022 12    02    TECH KCQG   40   38
2023 6     01    TECH KCQG   110  40
2023 6     01    PROD KCQG   70   20
2023 6     02    TECH KCQG   20   15
2023 12    01    TECH KCQG   120  110
2023 12    01    PROD KCQG   70   60
2023 12    02    TECH KCQG   10   9
"""


def test_cells_and_baseline_come_from_last_years_plan():
    plan = solved(dataset(history=HISTORY), "budget: [{source: KCQG, amount: 400}]\n")
    assert plan.table()["baseline"].tolist() == [120, 70, 10]
    assert plan.table()["amount"].tolist() == [240, 140, 20]
    assert plan.baseline_year == 2023
    assert (solved(data_of(), BUDGET)).baseline_year is None


def test_absorption_comes_from_the_forecast_where_no_table_gives_it():
    text = "budget: [{source: KCQG, amount: 220}]\ngoals: [{maximise: disbursed}]\n"
    data = dataset(history=HISTORY)
    plan = solved(data, text)
    assert plan.cells["expected_disbursed"].notna().all()
    assert 0 < plan.cells["expected_disbursed"].sum() < 220 * MILLION
    assert plan.provenance.seed > 0
    # What a table says goes before: its cell follows it exactly.
    given = dataset(
        history=HISTORY, absorption="place area source upto rate\n02 TECH KCQG 900 0.25"
    )
    row = solved(given, text).table().set_index(["place", "area"]).loc[("02", "TECH")]
    assert row["expected_disbursed"] == pytest.approx(row["amount"] * 0.25, abs=1e-6)


def test_the_forecast_may_be_brought_along():
    from kc_model.forecast import forecast

    data = dataset(history=HISTORY)
    text = "budget: [{source: KCQG, amount: 220}]\ngoals: [{maximise: disbursed}]\n"
    cells = build_problem(data, scenario("budget: [{source: KCQG, amount: 220}]")).cells.frame
    outlook = forecast(
        data, 2024, 0, cells=cells[["place", "area", "activity", "source", "baseline"]]
    )
    plan = allocate(data, scenario(text), outlook)
    alone = allocate(data, scenario(text))
    assert plan.table()["amount"].tolist() == alone.table()["amount"].tolist()
    halved = replace(outlook, slices=outlook.slices.assign(rate=outlook.slices["rate"] / 2))
    half = allocate(data, scenario(text), halved)
    assert half.goals[0]["best"] == pytest.approx(plan.goals[0]["best"] / 2)


def test_a_forecast_of_another_month_is_refused_or_said():
    from kc_model.forecast import forecast

    data = dataset(history=HISTORY + "2024 6 01 TECH KCQG 100 30\n")
    text = "budget: [{source: KCQG, amount: 220}]\ngoals: [{maximise: disbursed}]\n"
    outlook = forecast(data, 2024, 6)
    with pytest.raises(InputError) as caught:
        allocate(data, scenario(text), outlook, as_of=3, detail=False)
    (fault,) = caught.value.faults
    assert (fault.code, dict(fault.values)) == ("other-as-of", {"found": 6, "as_of": 3})
    whole = allocate(data, scenario(text), outlook, detail=False)
    assert [fault.code for fault in whole.warnings].count("whole-year") == 1
    mid = allocate(data, scenario(text), outlook, as_of=6, detail=False)
    assert "whole-year" not in [fault.code for fault in mid.warnings]


def test_without_history_and_table_there_is_nothing_to_go_by():
    data = dataset(cells=CELLS, absorption="place area source upto rate\n01 TECH KCQG 90 1")
    text = BUDGET + "goals: [{maximise: disbursed}]\n"
    with pytest.raises(InputError) as caught:
        allocate(data, scenario(text))
    (fault,) = caught.value.faults
    assert (fault.code, fault.values["count"]) == ("no-absorption", 4)
    # A plan that asks for no disbursement needs none: what is not known stays blank.
    plan = solved(data, BUDGET)
    assert plan.cells["expected_disbursed"].isna().tolist() == [False, True, True, True, True]


def test_notes_and_warnings_travel_with_the_plan():
    note = Note("assumed", "giả định", "assumed")
    text = BUDGET.replace(', {source: KCDP, place: "02", amount: 25}', "")
    text += "notes: [{standing: estimate, vi: ước, en: estimated}]\n"
    plan = solved(data_of(notes=[note]), text)
    assert [(n.standing, n.en) for n in plan.notes] == [
        ("assumed", "assumed"),
        ("estimate", "estimated"),
    ]
    assert [w.code for w in plan.warnings] == ["outside-plan"]


def test_cells_that_no_budget_covers_get_no_row():
    plan = solved(data_of(), "budget: [{source: KCDP, place: '02', amount: 25}]\n")
    assert plan.table()[["place", "source", "amount"]].values.tolist() == [["02", "KCDP", 25]]


# --- Mid-year ------------------------------------------------------------------------------------

SPENT = """
year month place area source plan disbursed
2023 12    01    TECH KCQG   500  400
2024 3     01    TECH KCQG   100  10
2024 6     01    TECH KCQG   120  80
2024 6     02    TECH KCQG   80   5
2024 9     01    TECH KCQG   150  90
"""


def test_mid_year_nobody_gets_less_than_is_spent():
    text = """
budget: [{source: KCQG, amount: 100}]
rules: [{id: push, where: {place: "02"}, min: 60, tier: directive}]
"""
    plan = solved(dataset(history=SPENT), text, as_of=6)
    assert plan.table()["baseline"].tolist() == [120, 80]
    assert plan.table()["amount"].tolist() == [80, 20]
    assert plan.as_of == 6
    bound = plan.rules().set_index("id").loc["bound:01|TECH|KCQG:min"]
    assert bound[["lhs", "bound", "status"]].tolist() == [80, 80, "binding"]
    # Totals are annual: the whole 100 is planned, what is spent is part of it.
    assert int(plan.cells["amount"].sum()) == 100 * MILLION


def test_mid_year_a_budget_below_what_is_spent_cannot_be():
    plan = allocate(
        dataset(history=SPENT), scenario("budget: [{source: KCQG, amount: 70}]"), as_of=6
    )
    assert plan.status == "infeasible"
    assert "bound:01|TECH|KCQG:min" in plan.conflicts[0]["rules"]


def test_the_future_is_not_looked_at():
    text = "budget: [{source: KCQG, amount: 200}]\ngoals: [{maximise: disbursed}]\n"
    known = "\n".join(SPENT.strip().splitlines()[:-1])
    one = solved(dataset(history=SPENT), text, as_of=6)
    two = solved(dataset(history=known), text, as_of=6)
    pd.testing.assert_frame_equal(one.table(), two.table())


# --- Symmetry: names, order, units, detail -------------------------------------------------------


@settings(max_examples=6)
@given(st.permutations(range(5)), st.permutations(range(7)), st.permutations(range(4)))
def test_the_order_of_rows_and_rules_changes_nothing(cells_order, slices_order, rules_order):
    def shuffled(text, order):
        heading, *rows = text.strip().splitlines()
        return "\n".join([heading, *(rows[i] for i in order)])

    text = scenario(FULL)
    moved = replace(text, rules=tuple(text.rules[i] for i in rules_order))
    plan = allocate(data_of(), text, detail=False)
    again = allocate(
        data_of(shuffled(CELLS, cells_order), shuffled(SLICES, slices_order)), moved, detail=False
    )
    assert plan.status == again.status == "optimal"
    difference = plan.cells["amount"] - again.cells["amount"]
    assert abs(difference).max() <= 1  # to one đồng: equal remainders go by order


@pytest.mark.parametrize("names", [{"01": "96", "02": "04"}, {"01": "31", "02": "01"}])
def test_other_codes_get_the_same_money(names):
    def renamed(text):
        return "\n".join(
            " ".join(
                names.get(word, word) if k == 0 else word for k, word in enumerate(line.split())
            )
            for line in text.strip().splitlines()
        )

    plan = solved(data_of(), FULL)
    text = FULL.replace('"02"', f'"{names["02"]}"')
    again = solved(data_of(renamed(CELLS), renamed(SLICES)), text)
    found = {(names.get(k[1], k[1]), *k[2:]): v for k, v in amounts(plan).items()}
    other = {k[1:]: v for k, v in amounts(again).items()}
    assert other == pytest.approx(found, abs=1)


def test_equal_places_get_equal_money():
    # 22 equal provinces, money for three: no name decides.
    places = ["01", "02", "04", "06", "08", "10", "11", "12", "14", "15", "17", "19", "20", "22"]
    cells = "\n".join(
        ["place area source baseline max", *(f"{p} TECH KCQG 10 100" for p in places)]
    )
    data = dataset(cells=cells, absorption=absorbing(cells, rate=0.9))
    plan = solved(data, "budget: [{source: KCQG, amount: 280}]\ngoals: [{maximise: disbursed}]\n")
    assert plan.table()["amount"].tolist() == [20] * 14
    assert len(plan.undecided) == 14


@pytest.mark.parametrize("unit", ["vnd", "thousand_vnd", "million_vnd", "billion_vnd"])
def test_the_unit_changes_nothing(unit):
    text = FULL + "round_to: 1\n"
    data = data_of(unit=unit)
    plan, known = solved(data, text), solved(data_of(), text)
    assert plan.table()["amount"].tolist() == known.table()["amount"].tolist()
    assert plan.rules()["status"].tolist() == known.rules()["status"].tolist()
    for column in ("lhs", "bound", "slack", "shortfall", "price"):
        np.testing.assert_allclose(plan.rules()[column], known.rules()[column], atol=1e-5)
    assert plan.goals[0]["achieved"] == pytest.approx(known.goals[0]["achieved"])
    for column in ("lowest", "highest"):
        np.testing.assert_allclose(plan.table()[column], known.table()[column], atol=1e-4)


def test_the_same_plan_with_and_without_its_details():
    full, bare = solved(data_of(), FULL), solved(data_of(), FULL, detail=False)
    assert full.cells["amount"].equals(bare.cells["amount"])
    assert bare.rules()["price"].isna().all()
    assert bare.cells["lowest"].isna().all()
    assert bare.undecided == ()
    assert full.rules()["price"].notna().any()


def test_the_same_plan_twice():
    one, two = solved(data_of(), FULL), solved(data_of(), FULL)
    assert one.summary() == two.summary()
    pd.testing.assert_frame_equal(one.table(), two.table())
    pd.testing.assert_frame_equal(one.rules(), two.rules())


# --- What is undecided ---------------------------------------------------------------------------


def test_ranges_are_how_far_plans_no_worse_can_go():
    cells = (
        "place area source baseline max\n01 TECH KCQG 50 -\n02 TECH KCQG 30 40\n04 TECH KCQG 20 -"
    )
    absorption = (
        "place area source upto rate\n"
        "01 TECH KCQG 500 0.9\n02 TECH KCQG 500 0.9\n04 TECH KCQG 500 0.5"
    )
    text = "budget: [{source: KCQG, amount: 100}]\ngoals: [{maximise: disbursed}]\n"
    plan = solved(data_of(cells, absorption), text)
    assert plan.table()[["lowest", "highest"]].values.tolist() == [[60, 100], [0, 40], [0, 0]]
    assert plan.undecided == ("01|TECH|KCQG", "02|TECH|KCQG")
    assert plan.table()["amount"].tolist() == [62.5, 37.5, 0]


def test_ranges_hold_to_what_is_achieved_not_to_what_may_be_given():
    # The goal gives 20 of its best 200; the settled plan has taken 10 of them, no plan takes more.
    cells = "place area source baseline leverage\n01 TECH KCQG 10 1\n04 TECH KCQG 90 2"
    text = "budget: [{source: KCQG, amount: 100}]\n"
    plan = solved(
        dataset(cells=cells), text + "goals: [{maximise: {column: leverage}, give: 0.1}]\n"
    )
    assert plan.table()["amount"].tolist() == [10, 90]
    assert plan.goals == ({"name": "maximise column:leverage", "best": 200, "achieved": 190},)
    ranges = plan.table()[["lowest", "highest"]].to_numpy()
    np.testing.assert_allclose(ranges, [[0, 10], [90, 100]], atol=1e-5)
    assert len(plan.undecided) == 2


def test_ranges_are_blank_for_many_cells_unless_asked_for(monkeypatch):
    monkeypatch.setattr(ROOM, "RANGES_UP_TO", 4)
    plan = solved(data_of(), BUDGET)
    assert plan.cells[["lowest", "highest"]].isna().all().all()
    assert len(plan.undecided) == 4  # which cells are open is told all the same
    asked = solved(data_of(), BUDGET, ranges=True)
    assert asked.cells["lowest"].notna().all()
    assert asked.undecided == plan.undecided
    monkeypatch.undo()
    assert solved(data_of(), BUDGET, ranges=False).cells["lowest"].isna().all()


def test_reasons_that_are_not_given_are_missed_aloud(monkeypatch):
    assert not solved(data_of(), FULL).effects.empty
    monkeypatch.setattr(ROOM, "REASONS_UP_TO", 3)
    many = solved(data_of(), FULL)
    assert many.effects.empty
    (fault,) = (one for one in many.warnings if one.code == "too-many-for-reasons")
    assert fault.values == {"count": 5, "most": 3}
    monkeypatch.undo()
    monkeypatch.setattr(LIVE.Live, "without", lambda *_: None)  # as where time has run out
    late = solved(data_of(), FULL)
    assert late.status == "optimal"
    assert late.effects.empty
    assert "reasons-unfinished" in [one.code for one in late.warnings]


@settings(max_examples=3)
@given(st.lists(st.integers(20, 95), min_size=3, max_size=3), st.integers(30, 90))
def test_the_plan_lies_within_its_ranges_and_they_within_the_goals(rates, share):
    cells = "place area source baseline\n01 TECH KCQG 50\n02 PROD KCQG 30\n04 TECH KCQG 20"
    absorption = "place area source upto rate\n" + "\n".join(
        f"{place} {area} KCQG 60 0.{rate}"
        for (place, area), rate in zip(
            [("01", "TECH"), ("02", "PROD"), ("04", "TECH")], rates, strict=True
        )
    )
    text = f"""
budget: [{{source: KCQG, amount: 100}}]
rules: [{{id: tech, where: {{area: TECH}}, of: all, max: 0.{share}, tier: directive}}]
goals: [{{maximise: disbursed}}]
"""
    plan = solved(data_of(cells, absorption), text)
    table = plan.table()
    assert ((table["lowest"] <= table["amount"]) & (table["amount"] <= table["highest"])).all()
    # A cell held at the end of its range leaves the goal where it was; a step beyond does not.
    best = plan.goals[0]["best"]
    for i, row in table.iterrows():
        for column, beyond in (("lowest", -0.5), ("highest", 0.5)):
            for extra, reaches in ((0.0, True), (beyond, False)):
                held = row[column] + extra
                if held < 0:
                    continue
                lines = cells.splitlines()
                bounds = [f"{held:.6f} {held:.6f}" if k == i else "- -" for k in range(3)]
                more = "\n".join(
                    [lines[0] + " min max", *map(" ".join, zip(lines[1:], bounds, strict=True))]
                )
                again = allocate(data_of(more, absorption), scenario(text), detail=False)
                same = (
                    again.status == "optimal"
                    and again.goals[0]["best"] >= best - 1e-5
                    and again.tiers[0]["best"] <= plan.tiers[0]["best"] + 1e-5
                )
                assert same == reaches


# --- Prices --------------------------------------------------------------------------------------


def loosened(text, rule_id, side, step):
    """Return a scenario with one law or budget a step looser."""
    sign = -1 if side == "min" else 1
    if rule_id.startswith("budget:"):
        number = int(rule_id.removeprefix("budget:")) - 1
        rows = list(text.budget)
        rows[number] = replace(rows[number], amount=rows[number].amount + sign * step)
        return replace(text, budget=tuple(rows))
    rule = next(rule for rule in text.rules if rule.id == rule_id)
    return text.with_rule(rule_id, **{side: getattr(rule, side) + sign * step})


PRICED = """
budget: [{source: KCQG, amount: 200}, {source: KCDP, place: "02", amount: 25}]
rules:
  - {id: giant, where: {place: "01"}, max: 130}
  - {id: tech, where: {area: TECH, place: "02"}, min: 80}
  - {id: cons, where: {area: CONS}, min: 5}
  - {id: models, count: outputs, min: 44}
  - {id: wide, where: {area: PROD}, max: 500}
goals: [GOAL]
"""


GOALS = [
    "{maximise: disbursed}",
    "{minimise: change}",
    "{maximise: outputs}",
    "{maximise: {column: unit_cost}}",
    "{maximise: money, where: {place: '02'}}",
    "{maximise: evenness, per: population}",
]


@pytest.mark.parametrize("goal", GOALS)
def test_a_price_is_what_one_more_unit_adds_to_the_first_goal(goal):
    data = data_of(places="place population\n01 8\n02 3")
    text = scenario(PRICED.replace("GOAL", goal))
    plan = solved_of(data, text)
    sign = 1 if goal.startswith("{maximise") else -1
    step = Decimal("0.001")
    priced = plan.rules().dropna(subset="price")
    assert len(priced) >= 5
    for row in priced.itertuples():
        if row.id.startswith("bound:"):
            continue
        again = allocate(data, loosened(text, row.id, row.side, step), detail=False)
        gain = sign * (again.goals[0]["best"] - plan.goals[0]["best"]) / float(step)
        assert row.price == pytest.approx(gain, abs=2e-4), row.id


@pytest.mark.parametrize("goal", GOALS)
def test_a_price_holds_from_one_end_to_the_other_and_not_beyond(goal):
    data = data_of(places="place population\n01 8\n02 3")
    text = scenario(PRICED.replace("GOAL", goal))
    planner = Planner(data)
    plan = planner.plan(text)
    goal_sign = 1 if goal.startswith("{maximise") else -1

    def off(row, by):
        """How far the goal is from the line of the price where the bound is so much looser."""
        amount = Decimal(str(round(by, 3)))
        again = planner.plan(loosened(text, row.id, row.side, amount), detail=False)
        if again.status != "optimal":
            return -np.inf
        gain = goal_sign * (again.goals[0]["best"] - plan.goals[0]["best"])
        return gain - row.price * float(amount)

    rules = plan.rules()
    rows = rules[rules["price"].notna() & (rules["status"] == "binding")]
    checked = 0
    for row in rows[~rows["id"].str.startswith("bound:")].itertuples():
        way = -1 if row.side == "min" else 1
        for end in (row.price_from, row.price_to):
            if np.isnan(end):  # it holds without end on the loosening side
                assert off(row, 50) == pytest.approx(0, abs=1e-6), row.id
                continue
            by = way * (end - row.bound)
            checked += 1
            if by:
                assert off(row, by * 0.5) == pytest.approx(0, abs=1e-6), row.id
                assert off(row, by) == pytest.approx(0, abs=1e-6), row.id
            beyond = off(row, by + (1 if by > 0 else -1 if by < 0 else 1))
            back = off(row, by - 1) if not by else 0.0
            assert min(beyond, back) < -1e-4, row.id
    assert checked >= 2


def solved_of(data, typed, **options):
    plan = allocate(data, typed, **options)
    assert plan.status == "optimal"
    return plan


def test_a_rule_with_room_to_spare_costs_nothing():
    plan = solved(data_of(), PRICED.replace("GOAL", "{maximise: disbursed}"))
    rules = plan.rules().set_index("id")
    assert rules.loc["wide", ["status", "price"]].tolist() == ["met", 0]
    assert rules.loc["giant", "status"] == "binding"
    assert rules.loc["giant", "price"] > 0


def test_a_price_keeps_the_tiers():
    # The directive misses 30 whatever is loosened; loosening the directive itself frees money.
    cells = "place area source min leverage\n01 TECH KCQG - 0\n04 TECH KCQG 50 1"
    text = """
budget: [{source: KCQG, amount: 100}]
rules: [{id: order, where: {place: "01"}, min: 80, tier: directive}]
goals: [{maximise: {column: leverage}}]
"""
    rules = solved(dataset(cells=cells), text).rules().set_index("id")
    assert rules["price"].to_dict() == pytest.approx(
        {"budget:1": 1, "bound:04|TECH|KCQG:min": 0, "order": 1}
    )


def test_a_budget_is_worth_what_its_money_does_even_at_a_corner():
    # x + y ≤ 10, x ≤ 6, y ≤ 4: a dual of 0 on the budget and 1 on each cap is true and misleading.
    cells = "place area source max\n01 TECH KCQG 6\n02 TECH KCQG 4"
    text = "spend: at_most\nbudget: [{source: KCQG, amount: 10}]\ngoals: [{maximise: money}]\n"
    rules = solved(dataset(cells=cells), text).rules().set_index("id")["price"]
    # Loosening any one of the three alone adds nothing: that is what a planner would find.
    assert rules.tolist() == [0, 0, 0]


# --- No plan without a proof ---------------------------------------------------------------------


def no_numbers(plan):
    return plan.cells.empty and plan.rules().empty and plan.goals == () and plan.gap is None


def test_laws_that_contradict_each_other_give_no_numbers():
    text = BUDGET + "rules: [{id: floor, each: place, min: 190}]\n"
    plan = allocate(data_of(), scenario(text))
    assert plan.status == "infeasible"
    assert no_numbers(plan)
    assert set(plan.conflicts[0]["rules"]) >= {"floor"}


@pytest.mark.parametrize("limit", [0.0, 1e-9])
def test_no_time_gives_no_numbers(limit):
    plan = allocate(data_of(), scenario(FULL), time_limit=limit)
    assert plan.status == "limit"
    assert no_numbers(plan)


@pytest.mark.parametrize("status", [Status.FAILED, Status.LIMIT])
def test_an_ending_that_is_no_optimum_gives_no_numbers(monkeypatch, status):
    none = Outcome(status, *[np.zeros(0)] * 3, float("nan"), float("nan"))
    monkeypatch.setattr(LIVE.Solver, "run", lambda _self: none)
    plan = allocate(data_of(), scenario(FULL))
    assert plan.status == "limit"
    assert no_numbers(plan)


LIES = {
    "a cell with another's money": lambda x: x[::-1],
    "half of everything": lambda x: x / 2,
    "a bound overstepped": lambda x: x + np.array([-30.0, 0, 30, 0, 0]),
    "less than nothing": lambda x: x - 200,
}


@pytest.mark.parametrize("lie", LIES)
def test_a_settlement_that_lies_is_found_out(monkeypatch, lie):
    honest = LIVE.settle
    told = []

    def lying(solver, columns, *arguments):
        found = honest(solver, columns, *arguments)
        found.values[columns] = LIES[lie](found.values[columns])
        told.append(lie)
        return found

    monkeypatch.setattr(LIVE, "settle", lying)
    plan = allocate(data_of(), scenario(BUDGET))  # without goals much is left to settle
    assert told
    assert plan.status == "limit"
    assert no_numbers(plan)


def test_a_rounding_that_lies_is_found_out(monkeypatch):
    sizes = importlib.import_module("kc_model.allocate.sizes")
    honest = sizes.round_plan

    def lying(*arguments):
        found = honest(*arguments)
        found[0] += 1  # one đồng too much
        return found

    monkeypatch.setattr(sizes, "round_plan", lying)
    plan = allocate(data_of(), scenario(FULL))
    assert plan.status == "limit"
    assert no_numbers(plan)
    assert "budget:1" in plan.certificate["failed"]


def test_a_solver_that_leaves_a_better_plan_out_is_found_out(monkeypatch):
    # It says optimal of a plan that is only feasible: the first goal is 10 % short of its best.
    stages = importlib.import_module("kc_model.allocate.stages")
    honest = stages.Ladder.climb

    def lying(self, *arguments):
        climb = honest(self, *arguments)
        return replace(climb, best=tuple(best * 1.1 for best in climb.best))

    monkeypatch.setattr(stages.Ladder, "climb", lying)
    plan = allocate(data_of(), scenario(BUDGET + "goals: [{maximise: disbursed}]\n"))
    assert plan.status == "limit"
    assert no_numbers(plan)
    assert "maximise disbursed" in plan.certificate["failed"]


def test_the_certificate_says_what_was_checked():
    plan = solved(data_of(), FULL)
    proof = plan.certificate
    assert proof["failed"] == []
    assert proof["solver_status"] == "optimal"
    assert proof["rows_checked"] == len(plan.rules())
    assert proof["total_vnd"] == 225 * MILLION == int(plan.cells["amount"].sum())
    assert plan.gap <= 1e-6
    assert plan.provenance.dataset == data_of().hash
    assert plan.provenance.scenario == scenario(FULL).hash
    assert {"highspy", "PuLP", "clarabel"} <= set(plan.provenance.versions)


def test_every_row_holds_on_the_plan_recomputed_from_the_tables():
    # By pandas from the exported table alone, without Row.
    table = solved(data_of(), FULL).table()
    table["cost"] = [5, 4, 5, 5, 10]
    by = table.groupby
    assert table["amount"].sum() == pytest.approx(225)
    assert table[table["source"] == "KCDP"]["amount"].sum() == 25
    assert table[table["area"] == "TECH"]["amount"].sum() >= 0.5 * 225 - 1e-6
    assert (by(["source", "place"])["amount"].sum()["KCQG"] >= 45 - 1e-6).all()
    assert table[table["area"] == "PROD"]["amount"].sum() <= 80


# --- Progress ------------------------------------------------------------------------------------


def test_progress_is_told_from_start_to_end():
    told = []
    solved(data_of(), FULL, progress=lambda step, share: told.append((step, share)))
    steps, shares = zip(*told, strict=True)
    assert [name for name, _ in itertools.groupby(steps)] == [
        "build",
        "solve",
        "round",
        "ranges",
        "price",
        "reasons",
        "done",
    ]
    assert list(shares) == sorted(shares)
    assert shares[-1] == 1


def test_an_interruption_leaves_through_the_front_door():
    def stop(step, _share):
        if step == "ranges":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        allocate(data_of(), scenario(FULL), progress=stop)


# --- Two years -----------------------------------------------------------------------------------


def test_two_years_in_one_plan():
    cells = """
year place area source baseline
2024 01    TECH KCQG   100
2024 02    TECH KCQG   20
2025 01    TECH KCQG   -
2025 02    TECH KCQG   -
"""
    text = """
budget:
  - {source: KCQG, year: 2024, amount: 150}
  - {source: KCQG, year: 2025, amount: 160}
rules: [{id: rise, each: [year, place], per: previous_year, min: 0.9, max: 1.3}]
goals: [{maximise: money, where: {place: "02"}}]
"""
    plan = solved(dataset(cells=cells), text)
    # 02: at most 26, then 33.8; what is left goes to 01.
    assert plan.table()["year"].tolist() == [2024, 2024, 2025, 2025]
    assert plan.table()["amount"].tolist() == pytest.approx([124, 26, 126.2, 33.8])
    assert plan.rules()["group"].tolist()[2:4] == ["2024|01", "2024|01"]
