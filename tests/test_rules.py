"""Rules, budgets and bounds as rows: L and B of every group by hand, in every unit."""

from __future__ import annotations

import ast
from decimal import Decimal
from fractions import Fraction
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from datasets import absorbing, dataset, scenario
from hypothesis import given, settings
from hypothesis import strategies as st

import kc_model as kc
from kc_model.cells import build_cells
from kc_model.errors import InputError
from kc_model.problem import build_problem
from kc_model.rules import Sums, bound_rows, budget_rows, rule_rows

CELLS = """
place area source baseline unit_cost jobs
01    TECH KCQG   100      5         2
01    PROD KCQG   60       -         1
01    TECH KCDP   40       4         3
02    TECH KCQG   20       10        0
02    CONS KCDP   -        -         1
"""
PLACES = "place population difficult\n01 8 no\n02 2 yes"
# In official order: 0 01|TECH|KCQG, 1 01|TECH|KCDP, 2 01|PROD|KCQG, 3 02|TECH|KCQG, 4 02|CONS|KCDP.
BUDGET = "budget: [{amount: 100, pooled: true}]\n"


def cells_of(unit="million_vnd", cells=CELLS, places=PLACES):
    return build_cells(dataset(cells=cells, places=places, unit=unit), 2024, None, [])


@cache
def rows_of(rule, unit="million_vnd", **tables):
    """Return the rows of one rule over the cells above."""
    (typed,) = scenario(f"{BUDGET}rules: [{rule}]").rules
    faults = []
    rows = rule_rows(cells_of(unit, **tables), typed, unit, faults)
    assert [fault for fault in faults if fault.level == "error"] == []
    return rows


def said(row):
    """Return a row as group, side, {cell: coefficient of L − m · B}, fixed part of m · B."""
    cells, net = row.coefficients()
    terms = {int(i): round(float(c), 9) for i, c in zip(cells, net, strict=True)}
    return row.group, row.side, terms, round(row.factor * row.const, 9)


ROWS = {
    "an amount": ("{id: a, where: {area: TECH}, min: 9}", [("", "min", {0: 1, 1: 1, 3: 1}, 9)]),
    "both sides": (
        "{id: a, where: {place: '02'}, min: 1, max: 9}",
        [("", "min", {3: 1, 4: 1}, 1), ("", "max", {3: 1, 4: 1}, 9)],
    ),
    "any of several": (
        "{id: a, where: {area: [PROD, CONS]}, max: 9}",
        [("", "max", {2: 1, 4: 1}, 9)],
    ),
    "by an attribute of places": (
        "{id: a, where: {difficult: yes}, min: 9}",
        [("", "min", {3: 1, 4: 1}, 9)],
    ),
    "each place": (
        "{id: a, each: place, max: 5}",
        [("01", "max", {0: 1, 1: 1, 2: 1}, 5), ("02", "max", {3: 1, 4: 1}, 5)],
    ),
    "each of two keys": (
        "{id: a, each: [place, source], max: 5}",
        [
            ("01|KCQG", "max", {0: 1, 2: 1}, 5),
            ("01|KCDP", "max", {1: 1}, 5),
            ("02|KCQG", "max", {3: 1}, 5),
            ("02|KCDP", "max", {4: 1}, 5),
        ],
    ),
    "each value of an attribute": (
        "{id: a, each: difficult, where: {source: KCDP}, max: 5}",
        [("no", "max", {1: 1}, 5), ("yes", "max", {4: 1}, 5)],
    ),
    "a group that selects nothing makes no row": (
        "{id: a, each: place, where: {area: PROD}, max: 5}",
        [("01", "max", {2: 1}, 5)],
    ),
    "share of all": (
        "{id: a, where: {area: TECH}, of: all, min: 0.6}",
        [("", "min", {0: 0.4, 1: 0.4, 2: -0.6, 3: 0.4, 4: -0.6}, 0)],
    ),
    "share of a selection": (
        "{id: a, each: place, where: {source: KCQG}, of: {source: KCQG}, max: 0.1}",
        [
            ("01", "max", {0: 0.9, 2: 0.9, 3: -0.1}, 0),
            ("02", "max", {0: -0.1, 2: -0.1, 3: 0.9}, 0),
        ],
    ),
    "share of cells it does not hold": (
        "{id: a, where: {area: TECH}, of: {area: PROD}, max: 2}",
        [("", "max", {0: 1, 1: 1, 2: -2, 3: 1}, 0)],
    ),
    "share within the same place": (
        "{id: a, each: place, where: {area: TECH}, of: {place: same}, min: 0.3}",
        [
            ("01", "min", {0: 0.7, 1: 0.7, 2: -0.3}, 0),
            ("02", "min", {3: 0.7, 4: -0.3}, 0),
        ],
    ),
    "share within the same place and one fund": (
        "{id: a, each: [place, area], of: {place: same, source: KCQG}, max: 0.5}",
        [
            ("01|TECH", "max", {0: 0.5, 1: 1, 2: -0.5}, 0),
            ("01|PROD", "max", {0: -0.5, 2: 0.5}, 0),
            ("02|TECH", "max", {3: 0.5}, 0),
            ("02|CONS", "max", {3: -0.5, 4: 1}, 0),
        ],
    ),
    "share within the same of two keys": (
        "{id: a, each: [place, source], where: {area: TECH}, of: {place: same, source: same},"
        " min: 0.5}",
        [
            ("01|KCQG", "min", {0: 0.5, 2: -0.5}, 0),
            ("01|KCDP", "min", {1: 0.5}, 0),
            ("02|KCQG", "min", {3: 0.5}, 0),
        ],
    ),
    "per a column of cells": (
        "{id: a, each: place, per: baseline, min: 0.7, max: 1.3}",
        [
            ("01", "min", {0: 1, 1: 1, 2: 1}, 140),
            ("01", "max", {0: 1, 1: 1, 2: 1}, 260),
            ("02", "min", {3: 1, 4: 1}, 14),
            ("02", "max", {3: 1, 4: 1}, 26),
        ],
    ),
    "per a column of places, each place once": (
        "{id: a, each: source, per: population, min: 0.5}",
        [("KCQG", "min", {0: 1, 2: 1, 3: 1}, 5), ("KCDP", "min", {1: 1, 4: 1}, 5)],
    ),
    "per another column": (
        "{id: a, where: {source: KCQG}, per: jobs, max: 2}",
        [("", "max", {0: 1, 2: 1, 3: 1}, 6)],
    ),
    "outputs": (
        "{id: a, count: outputs, min: 13}",
        [("", "min", {0: 0.2, 1: 0.25, 2: 0, 3: 0.1, 4: 0}, 13)],
    ),
    "share of outputs": (
        "{id: a, where: {place: '02'}, count: outputs, of: all, min: 0.5}",
        [("", "min", {0: -0.1, 1: -0.125, 2: 0, 3: 0.05, 4: 0}, 0)],
    ),
    "outputs per head": (
        "{id: a, each: place, count: outputs, per: population, min: 0.5}",
        [("01", "min", {0: 0.2, 1: 0.25, 2: 0}, 4), ("02", "min", {3: 0.1, 4: 0}, 1)],
    ),
    "a column": (
        "{id: a, count: {column: jobs}, min: 7}",
        [("", "min", {0: 2, 1: 3, 2: 1, 3: 0, 4: 1}, 7)],
    ),
    "share of a column": (
        "{id: a, where: {place: '01'}, count: {column: jobs}, of: all, max: 0.5}",
        [("", "max", {0: 1, 1: 1.5, 2: 0.5, 3: 0, 4: -0.5}, 0)],
    ),
}


@pytest.mark.parametrize("case", ROWS)
def test_rows_by_hand(case):
    rule, expected = ROWS[case]
    assert [said(row) for row in rows_of(rule)] == expected


YEARS = """
year place area source baseline
2024 01    TECH KCQG   100
2024 02    TECH KCQG   30
2025 01    TECH KCQG   7
2025 02    TECH KCQG   7
2026 03    TECH KCQG   9
""".replace("03", "04")


def test_per_the_year_before():
    rows = rows_of("{id: a, each: [year, place], per: previous_year, max: 1.1}", cells=YEARS)
    assert [said(row) for row in rows] == [
        ("2024|01", "max", {0: 1}, 110),
        ("2024|02", "max", {1: 1}, 33),
        ("2025|01", "max", {0: -1.1, 2: 1}, 0),
        ("2025|02", "max", {1: -1.1, 3: 1}, 0),
        ("2026|04", "max", {4: 1}, 9.9),
    ]
    assert [row.exact for row in rows] == [110_000_000, 33_000_000, None, None, 9_900_000]


def test_per_the_year_before_over_a_group():
    (row, *_) = rows_of("{id: a, where: {year: 2025}, per: previous_year, min: 0.5}", cells=YEARS)
    assert said(row) == ("", "min", {0: -0.5, 1: -0.5, 2: 1, 3: 1}, 0)


@pytest.mark.parametrize("unit", ["vnd", "thousand_vnd", "million_vnd", "billion_vnd"])
@pytest.mark.parametrize(
    ("rule", "in_unit", "right"),
    [
        ("{{id: a, where: {{area: TECH}}, min: {}}}", True, 7.0),
        ("{{id: a, where: {{area: TECH}}, per: baseline, min: {}}}", False, 7 * 0.16),
        ("{{id: a, where: {{area: TECH}}, per: population, min: {}}}", True, 70.0),
        ("{{id: a, count: outputs, min: {}}}", False, 7.0),
        ("{{id: a, count: {{column: jobs}}, min: {}}}", True, 7.0),
    ],
)
def test_the_program_is_in_million_vnd_whatever_the_unit(unit, rule, in_unit, right):
    size = {"vnd": 10**6, "thousand_vnd": 10**3, "million_vnd": 1, "billion_vnd": Decimal("0.001")}
    one = size[unit]
    cells = CELLS.replace("100 ", f"{Decimal('0.1') * one:f} ").replace("60 ", f"{6 * one:f} ")
    cells = cells.replace("40 ", f"{Decimal('0.04') * one:f} ").replace(
        "20 ", f"{Decimal('0.02') * one:f} "
    )
    for cost in ("5  ", "4  ", "10 "):
        cells = cells.replace(f" {cost}", f" {int(cost) * one:f} ", 1)
    bound = 7 * one if in_unit else 7
    (row,) = rows_of(rule.format(f"{bound:f}" if in_unit else bound), unit, cells=cells)
    assert row.factor * row.const == pytest.approx(right, rel=1e-12)
    plan = np.array([3.0, 4.0, 5.0, 6.0, 7.0])
    (lhs,) = Sums.of([row], 5).lhs(plan)
    # lhs · scale is what a planner reads: in the unit of the dataset, or in outputs.
    if "outputs" in rule:
        assert lhs * row.scale == pytest.approx(3 / 5 + 4 / 4 + 6 / 10)
    else:
        assert lhs * row.scale == pytest.approx(float(row.coef @ plan[row.cells]) * float(one))


def test_amounts_hold_to_the_dong_and_shares_do_not():
    assert rows_of("{id: a, min: 0.574}")[0].exact == 574_000
    assert rows_of("{id: a, min: 0.3333333}")[0].exact == Fraction(3333333, 10)
    assert rows_of("{id: a, per: population, min: 0.1}")[0].exact == 1_000_000
    assert rows_of("{id: a, per: baseline, min: 0.7}")[0].exact == 154_000_000
    for rule in ("of: all", "count: outputs", "count: {column: jobs}"):
        assert rows_of(f"{{id: a, {rule}, min: 0.1}}")[0].exact is None


plans = st.lists(st.floats(0, 1000), min_size=5, max_size=5)


@pytest.mark.parametrize("case", ROWS)
@settings(max_examples=10)
@given(plan=plans)
def test_a_row_says_of_a_plan_what_its_coefficients_say(case, plan):
    money = np.array(plan)
    rows = rows_of(ROWS[case][0])
    sums = Sums.of(rows, 5)
    for r, row in enumerate(rows):
        cells, net = row.coefficients()
        over = float(net @ money[cells]) - row.right
        assert (sums.lhs(money) - sums.bound(money))[r] == pytest.approx(over, abs=1e-6)
        missed = {"min": max(0, -over), "max": max(0, over)}[row.side]
        assert sums.shortfall(money)[r] == pytest.approx(missed, abs=1e-6)
        np.testing.assert_allclose(sums.net().toarray()[r, cells], net, atol=1e-12)


# --- Budgets and bounds --------------------------------------------------------------------------


def budgets_of(text, cells=CELLS, unit="million_vnd"):
    faults = []
    rows, covered = budget_rows(cells_of(unit, cells=cells), scenario(text), unit, faults)
    return rows, covered.tolist(), [(fault.code, fault.values.get("number")) for fault in faults]


def test_budgets_are_equalities_unless_they_may_be_left():
    text = "budget: [{source: KCQG, amount: 300}, {source: KCDP, place: '01', amount: 7}]\n"
    rows, covered, faults = budgets_of(text)
    assert faults == []
    assert [(row.id, said(row), row.exact) for row in rows] == [
        ("budget:1", ("", "equal", {0: 1, 2: 1, 3: 1}, 300), 300_000_000),
        ("budget:2", ("", "equal", {1: 1}, 7), 7_000_000),
    ]
    assert covered == [True, True, True, True, False]
    rows, _, _ = budgets_of(text + "spend: at_most\n")
    assert [row.side for row in rows] == ["max", "max"]


@pytest.mark.parametrize(
    ("rows", "faults"),
    [
        ("[{source: KCDP, amount: 9}]", [("not-pooled", 1)]),
        ("[{source: KCDP, amount: 9, pooled: true}]", []),
        ("[{place: '01', amount: 9}]", [("not-pooled", 1)]),
        ("[{place: '01', amount: 9, pooled: yes}]", []),
        ("[{source: KCQG, amount: 9}]", []),
        ("[{source: KCQG, place: ['01', '02'], amount: 9}]", []),
        ("[{source: KCDP, place: '01', amount: 9}, {amount: 20}]", [("not-pooled", 2)]),
        ("[{source: KCDP, region: R-S, amount: 9}]", [("empty-budget", 1)]),
        ("[{source: KCDP, place: '01', amount: 0.0000001}]", [("part-of-dong", None)]),
    ],
)
def test_money_that_may_not_be_mixed(rows, faults):
    found = budgets_of(f"budget: {rows}\n")[2]
    assert found == faults


def test_bounds_of_cells():
    cells = cells_of(
        cells="place area source min max\n01 TECH KCQG 5 9\n02 TECH KCQG - 0\n04 TECH KCQG 0 -",
        places="place population\n01 1",
    )
    assert [(row.id, said(row), row.exact) for row in bound_rows(cells, "million_vnd")] == [
        ("bound:01|TECH|KCQG:min", ("", "min", {0: 1}, 5), 5_000_000),
        ("bound:01|TECH|KCQG:max", ("", "max", {0: 1}, 9), 9_000_000),
        ("bound:02|TECH|KCQG:max", ("", "max", {1: 1}, 0), 0),
    ]


# --- What a scenario may say against its data ----------------------------------------------------

FAULTS = {
    "no such place": ("rules: [{id: a, where: {place: '99'}, min: 1}]", {"unknown-name"}),
    "no such attribute": ("rules: [{id: a, where: {height: 5}, min: 1}]", {"unknown-attribute"}),
    "no such key to group by": ("rules: [{id: a, each: heigth, min: 1}]", {"unknown-attribute"}),
    "no such column to measure by": ("rules: [{id: a, per: poors, min: 1}]", {"unknown-attribute"}),
    "no such column to count": (
        "rules: [{id: a, count: {column: poors}, min: 1}]",
        {"unknown-attribute"},
    ),
    "a column of words": ("rules: [{id: a, per: difficult, min: 1}]", {"not-numeric"}),
    "a key is no column": ("rules: [{id: a, per: year, min: 1}]", {"not-numeric"}),
    "a number for words": ("rules: [{id: a, where: {jobs: many}, min: 1}]", {"scenario-number"}),
    "missing is not zero": ("rules: [{id: a, per: unit_cost, min: 1}]", {"missing-value"}),
    "missing in what is counted": (
        "rules: [{id: a, count: {column: unit_cost}, min: 1}]",
        {"missing-value"},
    ),
    "missing in the whole of a share": (
        "rules: [{id: a, where: {area: TECH}, count: {column: unit_cost}, of: all, min: 0.1}]",
        {"missing-value"},
    ),
    "a rule for nothing": ("rules: [{id: a, where: {area: CLUS}, min: 1}]", {"empty-rule"}),
    "a rule for no group": (
        "rules: [{id: a, each: place, where: {area: CLUS}, min: 1}]",
        {"empty-rule"},
    ),
    "a share of nothing": (
        "rules: [{id: a, where: {area: TECH}, of: {area: CLUS}, min: 0.1}]",
        {"empty-whole"},
    ),
    "projects that are not there": ("rules: [{id: a, count: projects, min: 1}]", {"no-projects"}),
    "a goal for nothing": ("goals: [{maximise: money, where: {area: CLUS}}]", {"empty-goal"}),
    "a goal in a column nobody has": (
        "goals: [{maximise: {column: hieght}}]",
        {"unknown-attribute"},
    ),
    "a goal in a column of words": ("goals: [{maximise: {column: difficult}}]", {"not-numeric"}),
    "a goal in a column with a gap": (
        "goals: [{maximise: {column: unit_cost}}]",
        {"missing-value"},
    ),
    "evenness per nothing known": (
        "goals: [{maximise: evenness, per: poor}]",
        {"unknown-attribute"},
    ),
    "a part of a dong as the grid": ("round_to: 0.0000005", {"part-of-dong"}),
    "absorption of nobody": ("goals: [{maximise: disbursed}]", {"no-absorption"}),
    "risk": ("goals: [{minimise: risk}]", {"no-draws"}),
    "several": (
        "rules: [{id: a, where: {place: '99'}, min: 1}, {id: b, per: difficult, min: 1}]\n"
        "goals: [{maximise: disbursed}]\nround_to: 0.0000005",
        {"unknown-name", "not-numeric", "no-absorption", "part-of-dong"},
    ),
}


def refused(text, **tables):
    data = dataset(**{"cells": CELLS, "places": PLACES, **tables})
    with pytest.raises(InputError) as caught:
        build_problem(data, scenario(text))
    return [fault for fault in caught.value.faults if fault.level == "error"]


@pytest.mark.parametrize("case", FAULTS)
def test_fault_of_a_scenario_against_its_data(case):
    text, expected = FAULTS[case]
    faults = refused(BUDGET + text + "\n")
    assert {fault.code for fault in faults} == expected
    for fault in faults:
        assert str(fault.at), f"{fault.code} says not where it is"
        assert fault.text("vi") != fault.text("en")


OTHER_FAULTS = {
    "no cells at all": ("", {"cells": "place area source"}, "no-cells"),
    "a budget for nothing": ("[{source: KCDP, region: R-S, amount: 5}]", {}, "empty-budget"),
    "a pool that nobody allowed": ("[{source: KCDP, amount: 5}]", {}, "not-pooled"),
    "a part of a dong": ("[{source: KCQG, amount: 0.0000005}]", {}, "part-of-dong"),
    "a project that is not split": (
        "",
        {"projects": "id name place area source support\na b 01 ALL KCQG 5"},
        "project-unsplit",
    ),
}


@pytest.mark.parametrize("case", OTHER_FAULTS)
def test_fault_of_budgets_and_data(case):
    budget, tables, code = OTHER_FAULTS[case]
    text = f"budget: {budget}\n" if budget else BUDGET
    faults = refused(text, **tables)
    assert code in {fault.code for fault in faults}
    assert all(str(fault.at) for fault in faults)


@pytest.mark.parametrize("month", [-1, 13])
def test_a_month_that_no_year_has(month):
    with pytest.raises(InputError) as caught:
        build_problem(dataset(cells=CELLS, places=PLACES), scenario(BUDGET), as_of=month)
    assert [fault.code for fault in caught.value.faults] == ["bad-as-of"]


def test_every_fault_of_these_rooms_is_tried():
    raised = {
        node.args[0].value
        for room in ("cells", "rules", "problem")
        for file in (Path(kc.__file__).parent / room).glob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "Fault"
    }
    tried = {code for _, codes in FAULTS.values() for code in codes}
    tried |= {code for _, _, code in OTHER_FAULTS.values()}
    warnings = {"empty-groups", "outside-plan", "left-out-of-evenness", "attribute-missing"}
    of_months = {"bad-as-of", "other-as-of", "whole-year"}  # tests/test_allocate.py
    of_lists = {"projects-partial", "paid-beyond", "projects-ignored"}  # tests/test_choice.py
    assert raised - tried - warnings == of_months | of_lists


# --- What is worth knowing -----------------------------------------------------------------------


def warnings_of(text, **tables):
    data = dataset(**{"cells": CELLS, "places": PLACES, **tables})
    return [(w.code, w.level, dict(w.values)) for w in build_problem(data, scenario(text)).warnings]


def test_cells_without_a_budget_stand_outside():
    found = warnings_of("budget: [{source: KCQG, amount: 5}]\n")
    assert found == [
        ("outside-plan", "warning", {"count": 2, "cells": "01|TECH|KCDP, 02|CONS|KCDP"})
    ]


def test_cells_outside_belong_to_no_selection():
    problem = build_problem(
        dataset(cells=CELLS, places=PLACES),
        scenario(
            "budget: [{source: KCQG, amount: 5}]\nrules: [{id: a, of: all, each: area, min: 0}]"
        ),
    )
    assert problem.cells.names() == ["01|TECH|KCQG", "01|PROD|KCQG", "02|TECH|KCQG"]
    rows = [row for row in problem.rows if row.id == "a"]
    assert [row.group for row in rows] == ["TECH", "PROD"]
    assert [row.base.tolist() for row in rows] == [[0, 1, 2]] * 2


def test_a_selection_of_outside_cells_selects_nothing():
    faults = refused(
        "budget: [{source: KCQG, amount: 5}]\nrules: [{id: a, where: {source: KCDP}, min: 0}]"
    )
    assert [fault.code for fault in faults] == ["empty-rule"]


def test_a_group_without_cells_is_told():
    found = warnings_of(BUDGET + "rules: [{id: a, each: place, where: {area: PROD}, max: 5}]\n")
    ((code, level, values),) = found
    assert (code, level, values["groups"]) == ("empty-groups", "warning", "02")
    assert (values["rule_vi"], values["names_vi"]) == ("a", "Hà Giang")


@pytest.mark.parametrize(
    ("rule", "cells"),
    [
        ("{id: a, where: {upland: 1}, max: 50}", "02|TECH|KCQG, 02|PROD|KCQG"),
        ("{id: a, where: {upland: 1, area: TECH}, max: 50}", "02|TECH|KCQG"),
        ("{id: a, each: upland, where: {area: PROD}, max: 50}", "02|PROD|KCQG"),
        ("{id: a, where: {area: TECH}, of: {upland: 1}, max: 0.9}", "02|TECH|KCQG, 02|PROD|KCQG"),
        ("{id: a, where: {area: TECH}, max: 50}", ""),
        ("{id: a, each: region, max: 500}", ""),
    ],
)
def test_cells_lost_for_want_of_an_attribute_are_told(rule, cells):
    data = "place area source\n01 TECH KCQG\n01 PROD KCQG\n02 TECH KCQG\n02 PROD KCQG\nTW TECH KCQG"
    found = warnings_of(
        f"budget: [{{source: KCQG, amount: 5}}]\nrules: [{rule}]\n",
        cells=data,
        places="place upland\n01 1\n02 -\nTW 0",
    )
    lost = [values for code, _, values in found if code == "attribute-missing"]
    wanted = {"name": "upland", "count": len(cells.split(", ")), "cells": cells}
    assert lost == ([wanted] if cells else [])


def test_places_without_the_column_are_left_out_of_evenness_and_named():
    found = warnings_of(
        BUDGET + "goals: [{maximise: evenness, per: population}]\n",
        places="place population\n01 8",
        absorption=absorbing(CELLS),
    )
    assert found == [("left-out-of-evenness", "warning", {"per": "population", "places": "02"})]
