"""From the settled plan to the grid: money to the đồng, shares within a step, or a reason."""

from __future__ import annotations

import importlib
import tempfile
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from datasets import dataset, scenario
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from kc_model.allocate import allocate
from kc_model.allocate.rounding import round_plan
from kc_model.money import largest_remainder
from kc_model.problem import build_problem
from kc_model.rules import Sums
from kc_model.solver import Outcome, Status
from kc_model.verify import verify

MILLION = 1_000_000
NEVER = float("inf")
ROOM = importlib.import_module("kc_model.allocate.rounding")

THREE = "place area source baseline\n01 TECH KCQG 10\n02 TECH KCQG 10\n04 TECH KCQG 10"


def plan_of(cells, text):
    return allocate(dataset(cells=cells), scenario(text), detail=False)


def amounts(plan):
    return plan.table()["amount"].tolist()


# --- By hand -------------------------------------------------------------------------------------


def test_equal_remainders_go_by_the_official_order():
    plan = plan_of(THREE, "budget: [{source: KCQG, amount: 100}]\nround_to: 1\n")
    assert amounts(plan) == [34, 33, 33]


def test_the_larger_remainder_goes_up():
    cells = THREE.replace("01 TECH KCQG 10", "01 TECH KCQG 9").replace(
        "04 TECH KCQG 10", "04 TECH KCQG 11"
    )
    plan = plan_of(cells, "budget: [{source: KCQG, amount: 100}]\nround_to: 1\n")
    assert amounts(plan) == [30, 33, 37]  # of 30, 33.33, 36.67


def test_without_a_grid_amounts_are_whole_dong():
    plan = plan_of(THREE, "budget: [{source: KCQG, amount: 100}]\n")
    assert plan.cells["amount"].tolist() == [33_333_334, 33_333_333, 33_333_333]


@pytest.mark.parametrize("unit", ["vnd", "thousand_vnd", "million_vnd", "billion_vnd"])
def test_the_grid_is_in_the_datasets_unit(unit):
    data = dataset(cells=THREE, unit=unit)
    plan = allocate(data, scenario("budget: [{source: KCQG, amount: 100}]\nround_to: 5\n"))
    assert sorted(amounts(plan)) == [30, 35, 35]


def test_every_budget_that_a_cell_is_in_holds():
    # Rows and columns of a table foot both: two funds, two places, a row of each.
    cells = (
        "place area source baseline\n01 TECH KCQG 1\n01 PROD KCQG 1\n02 TECH KCQG 1\n02 PROD KCQG 1"
    )
    text = """
budget:
  - {source: KCQG, place: "01", amount: 5}
  - {source: KCQG, place: "02", amount: 6}
  - {source: KCQG, area: TECH, amount: 5}
round_to: 1
"""
    plan = plan_of(cells, text)
    table = plan.table().set_index(["place", "area"])["amount"]
    assert table.groupby("place").sum().tolist() == [5, 6]
    assert table.groupby("area").sum()["TECH"] == 5


# --- Laws of rounding ----------------------------------------------------------------------------


@st.composite
def instances(draw):
    """Return cells, scenario and grid: a whole plan is hidden in it, so some grid plan exists."""
    grid = draw(st.sampled_from([1, 5, 10]))
    steps = draw(st.lists(st.integers(0, 12), min_size=3, max_size=6))
    plan = np.array(steps) * grid
    assume(plan.sum() > 0)
    n = len(plan)
    half = n // 2
    names = [(place, "TECH") for place in ("01", "02", "04", "06", "08", "10")][:n]
    lines = ["place area source baseline min max"]
    for (place, area), amount in zip(names, plan, strict=True):
        baseline = draw(st.integers(0, 60))
        low = draw(st.one_of(st.none(), st.integers(0, int(amount))))
        high = draw(st.one_of(st.none(), st.integers(int(amount), int(amount) + 40)))
        words = [
            place,
            area,
            "KCQG",
            str(baseline),
            *("-" if v is None else str(v) for v in (low, high)),
        ]
        lines.append(" ".join(words))
    total, part = int(plan.sum()), int(plan[:half].sum())
    budget = [f"{{source: KCQG, amount: {total}}}"]
    if draw(st.booleans()) and half:
        places = ", ".join(f"'{name}'" for name, _ in names[:half])
        budget.append(f"{{source: KCQG, place: [{places}], amount: {part}}}")
    share = Decimal(int(plan[0])) / total
    near = draw(st.sampled_from([Decimal(0), Decimal("0.013")]))
    tier = draw(st.sampled_from(["law", "directive"]))
    rules = [f"{{id: share, where: {{place: '01'}}, of: all, max: {share + near:f}, tier: {tier}}}"]
    if draw(st.booleans()):
        rules.append("{id: much, where: {place: '02'}, min: 70, tier: preference}")
    text = f"budget: [{', '.join(budget)}]\nrules: [{', '.join(rules)}]\nround_to: {grid}\n"
    return "\n".join(lines), text, grid * MILLION


@settings(max_examples=15)
@given(instances())
def test_budgets_and_bounds_hold_exactly_and_shares_within_a_step(instance):
    cells, text, grid = instance
    plan = plan_of(cells, text)
    assert plan.status == "optimal"
    problem = build_problem(dataset(cells=cells), scenario(text))
    vnd = plan.cells["amount"].to_numpy(dtype=np.int64)
    assert np.all(vnd % grid == 0)
    assert np.all(vnd >= 0)
    shortfall = problem.sums.shortfall(vnd / MILLION)
    for row, missed in zip(problem.rows, shortfall, strict=True):
        if row.exact is not None and row.is_law:
            spent = int(vnd[row.cells].sum())
            assert {
                "equal": spent == row.exact,
                "min": spent >= row.exact,
                "max": spent <= row.exact,
            }[row.side]
        elif row.is_law:
            assert missed <= grid / MILLION + 1e-9


@settings(max_examples=15)
@given(instances(), st.lists(st.floats(0, 1), min_size=6, max_size=6))
def test_no_cell_moves_by_a_step_where_none_needs_to(instance, parts):
    # Between two neighbouring grid plans only: where one exists there, nothing goes further.
    cells, text, grid = instance
    problem = build_problem(dataset(cells=cells), scenario(text))
    soft_free = tuple(row for row in problem.rows if row.id.startswith("budget:"))[:1]
    total = soft_free[0].exact
    weights = np.array(parts[: len(problem.cells)]) + 0.01
    plan = weights / weights.sum() * float(total) / MILLION
    rounded = round_plan(soft_free, plan, grid, NEVER)
    assert rounded is not None
    assert int(rounded.sum()) == total
    assert np.max(np.abs(rounded / MILLION - plan)) < grid / MILLION + 1e-9


def test_a_plan_on_the_grid_stays_as_it_is():
    problem = build_problem(dataset(cells=THREE), scenario("budget: [{source: KCQG, amount: 100}]"))
    for plan in ([30, 30, 40], [100, 0, 0], [33, 33, 34]):
        rounded = round_plan(problem.rows, np.array(plan, float), MILLION, NEVER)
        assert rounded.tolist() == [amount * MILLION for amount in plan]


def test_noise_of_the_solver_is_not_a_step():
    problem = build_problem(dataset(cells=THREE), scenario("budget: [{source: KCQG, amount: 100}]"))
    plan = np.array([30 - 1e-9, 30 + 1e-9, 40 - 2e-12])
    assert round_plan(problem.rows, plan, MILLION, NEVER).tolist() == [
        30 * MILLION,
        30 * MILLION,
        40 * MILLION,
    ]


def test_sums_of_national_size_are_exact():
    cells = "\n".join(
        [
            "place area source baseline",
            *(f"{p} TECH KCQG 7{i}" for i, p in enumerate(("01", "02", "04"))),
        ]
    )
    plan = plan_of(cells, "budget: [{source: KCQG, amount: 98765432.123457}]\n")
    assert plan.status == "optimal"
    assert int(plan.cells["amount"].sum()) == 98_765_432_123_457


# --- One step, and what it is --------------------------------------------------------------------


def test_a_step_is_of_money_whatever_is_counted():
    text = """
budget: [{source: KCQG, amount: 100}]
rules:
  - {id: amount, min: 1}
  - {id: share, where: {place: "01"}, of: all, max: 0.4}
  - {id: outputs, count: outputs, min: 1}
  - {id: wish, max: 1, tier: directive}
"""
    cells = "place area source baseline unit_cost\n01 TECH KCQG 10 4\n02 TECH KCQG 10 8"
    problem = build_problem(dataset(cells=cells), scenario(text))
    found = problem.sums.tolerances(5 * MILLION)
    room = dict(zip([row.id for row in problem.rows], found, strict=True))
    assert room["amount"] == 0
    assert room["budget:1"] == 0
    assert room["share"] == 5
    assert room["outputs"] == pytest.approx(5 / 4)
    assert room["wish"] == 5


def test_plain_money_is_compared_in_whole_dong():
    problem = build_problem(dataset(cells=THREE), scenario("budget: [{source: KCQG, amount: 100}]"))
    (row,) = problem.rows
    vnd = np.array([33_333_333, 33_333_333, 33_333_333])
    for side, missed in (("equal", 1e-6), ("min", 1e-6), ("max", 0.0)):
        sums = Sums.of([replace(row, side=side)], len(vnd))
        assert sums.missed(vnd).tolist() == [missed]


# --- Grids that cannot be ------------------------------------------------------------------------

IMPOSSIBLE = {
    "a budget off the grid": (
        "",
        "budget: [{source: KCQG, amount: 103}]",
        ["round_to", "budget:1"],
    ),
    "one of two budgets off the grid": (
        "",
        'budget: [{source: KCQG, amount: 100}, {source: KCQG, place: "01", amount: 33}]',
        ["round_to", "budget:2"],
    ),
    "floor and ceiling between two steps": (
        "max min\n01 TECH KCQG 10 19 11\n02 TECH KCQG 10 - -",
        "budget: [{source: KCQG, amount: 100}]",
        ["round_to"],
    ),
    "floors that take more steps than there are": (
        "min\n01 TECH KCQG 10 41\n02 TECH KCQG 10 51",
        "budget: [{source: KCQG, amount: 100}]",
        ["round_to"],
    ),
    "a rule that fixes an amount off the grid": (
        "",
        "budget: [{source: KCQG, amount: 100}]\n"
        "rules: [{id: fixed, where: {place: '01'}, min: 33, max: 33}]",
        ["round_to"],
    ),
}


@pytest.mark.parametrize("case", IMPOSSIBLE)
def test_an_impossible_grid_is_named(case):
    cells, text, named = IMPOSSIBLE[case]
    cells = f"place area source baseline {cells}" if cells else THREE
    assert plan_of(cells, text + "\n").status == "optimal"  # on the đồng it can be
    plan = plan_of(cells, text + "\nround_to: 10\n")
    assert plan.status == "infeasible"
    assert plan.cells.empty
    (conflict,) = plan.conflicts
    assert conflict["rules"][: len(named)] == named
    assert conflict["grid"] == 10
    assert len(conflict["texts"]) == len(conflict["rules"])


@pytest.mark.parametrize("language", ["vi", "en"])
def test_the_sentence_names_the_grid_and_the_budget(language):
    plan = plan_of(
        THREE, "budget: [{source: KCQG, amount: 103, text: Kế hoạch vốn}]\nround_to: 10\n"
    )
    sentence, *ways = plan.explain(language)
    assert ways
    assert "10" in sentence
    assert "Kế hoạch vốn" in sentence


def test_a_reserve_takes_what_the_grid_leaves():
    text = "budget: [{source: KCQG, amount: 103}]\nspend: at_most\nround_to: 10\n"
    plan = plan_of(THREE, text + "goals: [{maximise: money}]\n")
    assert plan.status == "optimal"
    left = 103 - sum(amounts(plan))
    assert left in (3, 13)
    assert [dict(row) for row in plan.reserve] == [{"budget": "budget:1", "amount": left * MILLION}]


@pytest.mark.parametrize("status", [Status.FAILED, Status.LIMIT])
def test_a_solver_that_gives_up_is_not_an_impossible_grid(monkeypatch, status):
    class GivingUp(ROOM.Solver):
        def run(self):
            return Outcome(status, *[np.zeros(0)] * 3, float("nan"), float("nan"))

    monkeypatch.setattr(ROOM, "Solver", GivingUp)
    plan = plan_of(THREE, "budget: [{source: KCQG, amount: 100}]\nround_to: 10\n")
    assert plan.status == "limit"


@st.composite
def shared(draw):
    """Draw projects over places: how they are split, and their amounts."""
    splits = st.lists(st.integers(1, 9), min_size=2, max_size=3)
    amounts = st.integers(5, 400)
    return draw(st.lists(st.tuples(splits, amounts), min_size=1, max_size=6))


@given(shared(), st.sampled_from(["million_vnd", "billion_vnd"]))
@settings(max_examples=25, deadline=None)
def test_cells_are_what_projects_are_said_to_give_them_to_the_dong(projects, unit):
    # Whole sizes, money for all: each project is split by its largest remainders, and its parts,
    # as projects.csv tells them, add up to it and to the cells.
    scale, step = (1, 1) if unit == "million_vnd" else (1000, Decimal("0.001"))
    rows = ["id name place area source support split"]
    for k, (split, amount) in enumerate(projects):
        places = ("01", "04", "19")[: len(split)]
        parts = ";".join(f"{Fraction(one, sum(split))}" for one in split)
        rows.append(f"P{k} x {';'.join(places)} TECH KCQG {Decimal(amount) / scale} {parts}")
    cells = "place area source upto rate\n" + "\n".join(
        f"{place} TECH KCQG 9000 1" for place in ("01", "04", "19")
    )
    data = dataset(unit=unit, vintage="34", projects="\n".join(rows), absorption=cells)
    text = f"budget: [{{source: KCQG, amount: 9000}}]\nround_to: {step}\n"
    plan = allocate(data, scenario(f"{text}goals: [{{maximise: disbursed}}]"))
    assert plan.projects["chosen"].all()
    with tempfile.TemporaryDirectory() as folder:
        plan.save(folder)
        assert verify(folder).proven
        saved = pd.read_csv(Path(folder, "projects.csv"), dtype=str)
        cells = pd.read_csv(Path(folder, "allocation.csv"), dtype=str)
        given = dict.fromkeys(cells["place"], Decimal(0))
        for (split, amount), row in zip(projects, saved.to_dict("records"), strict=True):
            parts = dict(part.split(": ") for part in row["split"].split("; "))
            told = [Decimal(parts.get(place, 0)) for place in ("01", "04", "19")[: len(split)]]
            assert sum(told) == Decimal(row["amount"])
            assert [int(one * scale) for one in told] == largest_remainder(split, amount).tolist()
            for place, part in parts.items():
                given[place] += Decimal(part)
        assert given == dict(zip(cells["place"], map(Decimal, cells["amount"]), strict=True))
        # A part told otherwise is found out.
        if len(parts) > 1:
            (one, other), unit_of = list(parts)[:2], Decimal(step)
            forged = {one: Decimal(parts[one]) + unit_of, other: Decimal(parts[other]) - unit_of}
            text = "; ".join(f"{place}: {forged.get(place, parts[place])}" for place in parts)
            path = Path(folder, "projects.csv")
            path.write_text(path.read_text("utf-8").replace(row["split"], text), "utf-8")
            assert not verify(folder).proven
