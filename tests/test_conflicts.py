"""Why there is no plan: smallest sets of laws that clash, and what would mend them."""

from __future__ import annotations

import copy
import importlib
import itertools
import re

import numpy as np
import pytest
import yaml
from datasets import dataset, floored, scenario
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

import kc_model as kc
from kc_model import reference
from kc_model.allocate import allocate, apply_repair, repair_cells
from kc_model.allocate.conflicts import find_conflicts
from kc_model.explain import is_bound, troubles
from kc_model.problem import build_problem
from kc_model.solver import Outcome, Status
from kc_model.workbench.mending import mended

ROOM = importlib.import_module("kc_model.allocate.elastic")
NEVER = float("inf")

CELLS = """
place area source baseline unit_cost
01    TECH KCQG   10       2
01    PROD KCQG   10       4
02    TECH KCQG   10       5
02    PROD KCQG   10       5
"""
BUDGET = "budget: [{source: KCQG, amount: 100}]\n"


def problem_of(text, cells=CELLS):
    return build_problem(dataset(cells=cells), scenario(text))


def is_possible(problem, rules=None):
    """Return whether laws hold together, by scipy: some of them (None: all)."""
    left, right = [], []
    for row in problem.rows:
        if not row.is_law or (rules is not None and row.id not in rules):
            continue
        dense = np.zeros(len(problem.cells))
        cells, net = row.coefficients()
        dense[cells] = net
        for side, sign in (("min", -1.0), ("max", 1.0)):
            if row.side in (side, "equal"):
                left.append(sign * dense)
                right.append(sign * row.right + 1e-7 * max(1, abs(row.right)))
    if not left:
        return True
    found = linprog(np.zeros(len(problem.cells)), A_ub=left, b_ub=right, bounds=(0, None))
    return found.status == 0


def written(problem, steps, part=1.0):
    """Return the problem with a repair, or a part of the way to it, written into its files."""
    if part < 1:
        steps = [{**s, "to": round(s["now"] + part * (s["to"] - s["now"]), 6)} for s in steps]
    is_own = any(not step["rule"].startswith("bound:") for step in steps)
    changed = apply_repair(problem.scenario, steps) if is_own else problem.scenario
    return build_problem(repair_cells(problem.data, steps), changed)


def options(conflict):
    """Return the steps of every option, in order."""
    by_number = itertools.groupby(conflict["repairs"], key=lambda step: step["option"])
    return [list(steps) for _, steps in by_number]


def kind_of(rules):
    named = frozenset(rule for rule in rules if not is_bound(rule))
    return frozenset(rule for rule in named if not rule.startswith("budget:")) or named


def without_other_kinds(problem, found, rules):
    """Return all laws but those of other kinds of conflicts; for one without amounts its own."""
    own = kind_of(rules)
    if own == set(rules):
        return rules
    kinds = {kind_of(conflict["rules"]) for conflict in found}
    least = [kind for kind in kinds if not any(other < kind for other in kinds)]
    others = frozenset().union(*(kind for kind in least if not kind <= own)).difference(rules)
    return {row.id for row in problem.rows if row.is_law} - others


def judged(problem):
    """Return the conflicts after holding each against what it promises."""
    found = find_conflicts(problem, NEVER)
    for conflict in found:
        rules = conflict["rules"]
        assert conflict["smallest"]
        assert not is_possible(problem, rules), "does not contradict itself"
        for rule in rules:
            assert is_possible(problem, set(rules) - {rule}), f"{rule} is not needed"
        assert conflict["texts"] == [
            next(row.text for row in problem.rows if row.id == rule) for rule in rules
        ]
        if conflict["sums"]:
            assert conflict["sums"]["needed"] > conflict["sums"]["total"]
            assert 0 < len(conflict["sums"]["needs"]) <= len(rules)
        for steps in options(conflict):
            (rule,) = {step["rule"] for step in steps}
            assert rule in rules
            assert all(step["proven"] and step["by"] > 0 for step in steps)
            assert len({(step["to"], step["cost"]) for step in steps}) == 1
            judges = None if steps[0]["mends_all"] else rules
            if judges and steps[0]["mends_alike"]:
                judges = without_other_kinds(problem, found, rules)
            assert is_possible(written(problem, steps), judges), f"{steps} does not mend it"
            # Else a step of the grid, or of a share, may be too wide.
            far = abs(steps[0]["to"] - steps[0]["now"]) > 2e-3 and problem.grid == 1
            if far:
                assert not is_possible(written(problem, steps, 0.9), judges), "less would do"
        costs = [
            (not s[0]["mends_all"], not s[0]["mends_alike"], s[0]["cost"])
            for s in options(conflict)
        ]
        assert costs == sorted(costs)
    together = found[0]["combination"] if found else []
    if together:
        assert not any(step["mends_all"] for c in found for step in c["repairs"])
        assert is_possible(written(problem, together))
    return found


# --- Known contradictions ------------------------------------------------------------------------


def test_floors_above_the_budget():
    text = BUDGET + "rules: [{id: floor, each: place, min: 60, text: Mỗi tỉnh ít nhất 60}]\n"
    (conflict,) = judged(problem_of(text))
    assert conflict["rules"] == ["budget:1", "floor"]
    assert conflict["texts"] == ["", "Mỗi tỉnh ít nhất 60"]
    assert conflict["complete"] is True
    (budget,), floors = options(conflict)
    assert (budget["rule"], budget["side"], budget["measure"]) == ("budget:1", "max", "money")
    assert (budget["by"], budget["to"]) == (20, 120)
    # One number for all groups, and what each of them gives up.
    assert [(step["group"], step["by"], step["to"]) for step in floors] == [
        ("01", 10, 50),
        ("02", 10, 50),
    ]
    sums = conflict["sums"]
    assert (sums["year"], sums["needed"], sums["total"]) == (2024, 120, 100)
    assert sums["needs"] == ["floor"]


def test_rules_that_have_nothing_to_do_with_it_are_left_out():
    text = BUDGET + (
        "rules:\n"
        "  - {id: harmless, each: place, max: 90}\n"
        "  - {id: tech, where: {area: TECH}, of: all, min: 0.7}\n"
        "  - {id: also-harmless, count: outputs, min: 5}\n"
        "  - {id: prod, where: {area: PROD}, min: 40}\n"
        "  - {id: wish, where: {area: PROD}, min: 99, tier: directive}\n"
    )
    (conflict,) = judged(problem_of(text))
    assert conflict["rules"] == ["budget:1", "tech", "prod"]
    by = {step["rule"]: step["by"] for step in conflict["repairs"]}
    # 100 more would be needed with 40 in PROD: 40 / 0.3 = 133.3; or 10 of money on either rule.
    assert {step["rule"]: step["to"] for step in conflict["repairs"]} == {
        "budget:1": 133.4,
        "tech": 0.6,
        "prod": 30,
    }
    assert by == {
        "budget:1": pytest.approx(100 / 3, abs=1e-6),
        "tech": pytest.approx(10),
        "prod": pytest.approx(10),
    }


def test_bounds_of_cells_are_named():
    cells = "place area source min max\n01 TECH KCQG 70 -\n02 TECH KCQG 50 -\n04 TECH KCQG - 5"
    (conflict,) = judged(problem_of(BUDGET, cells))
    assert conflict["rules"] == ["budget:1", "bound:01|TECH|KCQG:min", "bound:02|TECH|KCQG:min"]
    assert [step["by"] for step in conflict["repairs"]] == pytest.approx([20, 20, 20])


def test_ceilings_that_leave_money_over():
    cells = "place area source max\n01 TECH KCQG 30\n02 TECH KCQG 50"
    (conflict,) = judged(problem_of(BUDGET, cells))
    assert conflict["repairs"][0]["side"] == "min"  # the budget itself would have to be smaller
    assert conflict["repairs"][0]["by"] == pytest.approx(20)
    problem = problem_of("spend: at_most\n" + BUDGET, cells)
    assert find_conflicts(problem, NEVER) == []


def test_a_cell_against_itself():
    cells = "place area source min max\n01 TECH KCQG 30 20\n02 TECH KCQG - -"
    (conflict,) = judged(problem_of(BUDGET, cells))
    assert conflict["rules"] == ["bound:01|TECH|KCQG:min", "bound:01|TECH|KCQG:max"]


def test_outputs_are_loosened_in_outputs():
    text = BUDGET + "rules: [{id: models, count: outputs, min: 60}]\n"
    (conflict,) = judged(problem_of(text))  # 100 / 2 = 50 at the most
    by = {step["rule"]: (step["by"], step["measure"]) for step in conflict["repairs"]}
    assert by == {
        "budget:1": (pytest.approx(20), "money"),
        "models": (pytest.approx(10), "outputs"),
    }


@pytest.mark.parametrize("unit", ["vnd", "thousand_vnd", "million_vnd", "billion_vnd"])
def test_repairs_are_in_the_datasets_unit(unit):
    data = dataset(cells=CELLS, unit=unit)
    text = BUDGET + "rules: [{id: floor, each: place, min: 60}]\n"
    conflict = find_conflicts(build_problem(data, scenario(text)), NEVER)[0]
    assert conflict["repairs"][0]["by"] == pytest.approx(20)


def test_contradictions_that_overlap_are_all_told():
    text = BUDGET + (
        "rules:\n"
        "  - {id: a, where: {place: '01'}, min: 20}\n"
        "  - {id: b, where: {place: '01'}, max: 10}\n"
        "  - {id: c, where: {place: '02'}, min: 30}\n"
        "  - {id: d, where: {place: '02'}, max: 25}\n"
    )
    found = judged(problem_of(text))
    assert {frozenset(conflict["rules"]) for conflict in found} == {
        frozenset({"budget:1", "b", "d"}),
        frozenset({"a", "b"}),
        frozenset({"c", "d"}),
    }
    # No one rule mends all three: each way out is of its own contradiction, and says so.
    assert not any(step["mends_all"] for conflict in found for step in conflict["repairs"])
    assert {step["rule"] for step in found[0]["combination"]} <= {"a", "b", "c", "d", "budget:1"}
    assert all(conflict["complete"] and conflict["repairs"] for conflict in found)


def test_a_repair_larger_than_what_is_lacking_names_what_adds_the_rest():
    text = BUDGET + (
        "rules:\n  - {id: floor, each: place, min: 60}\n"
        "  - {id: tech, where: {area: TECH}, of: all, min: 0.7}\n"
        "  - {id: prod, where: {area: PROD}, min: 40, text: Sản phẩm}\n"
    )
    by_rules = {tuple(c["rules"]): c for c in judged(problem_of(text))}
    short = by_rules["budget:1", "floor"]
    assert short["sums"]["needed"] - short["sums"]["total"] == pytest.approx(20)
    (budget,) = options(short)[0]
    assert (budget["mends_all"], budget["to"]) == (True, 133.4)
    assert budget["also"] == ["tech", "prod"]
    alone = options(by_rules["budget:1", "tech", "prod"])[0]
    assert (alone[0]["rule"], alone[0]["also"]) == ("budget:1", [])
    plan = allocate(dataset(cells=CELLS), scenario(text), detail=False)
    assert any(
        "chiếm ít nhất 70 % của: Kinh phí mọi nguồn”; “Sản phẩm”" in line
        for line in plan.explain("vi")
    )


SHARED = (
    "rules:\n  - {id: a, where: {place: '01', area: TECH}, min: 30}\n"
    "  - {id: b, where: {place: '01', area: PROD}, min: 30}\n"
    "  - {id: d, where: {place: '02', area: PROD}, min: 25}\n"
    "  - {id: x, each: area, where: {place: '01'}, max: 20}\n"
    "  - {id: y, where: {place: '02', area: PROD}, max: 20}\n"
)
OTHER = (
    "rules:\n  - {id: a, each: place, min: 52}\n  - {id: t, where: {area: TECH}, max: 30}\n"
    "  - {id: p, where: {area: PROD}, max: 60}\n  - {id: q, where: {place: '01'}, max: 40}\n"
)


@pytest.mark.parametrize("rules", [SHARED, OTHER])
def test_no_combination_costs_less_or_as_much_with_fewer_rules(rules):
    problem = problem_of(BUDGET + rules)
    found = judged(problem)
    together = found[0]["combination"]
    elastic = ROOM.Elastic(problem, NEVER, {})
    every = elastic._most.copy()
    costs = {}
    for size in range(1, len(elastic.ids) + 1):
        for chosen in itertools.combinations(range(len(elastic.ids)), size):
            is_open = np.isin(elastic._owner[elastic._row], chosen)
            elastic._most = np.where(is_open, every, 0.0)
            plan = elastic.cheapest([])
            if plan is not None:
                costs[chosen] = elastic.cost(plan)
    least = min(costs.values())
    fewest = min(len(chosen) for chosen, cost in costs.items() if cost <= least * 1.0001)
    assert together[0]["cost"] == pytest.approx(least, rel=2e-3)
    assert len({step["rule"] for step in together}) == fewest


BOUNDS = "place area source min max\n01 TECH KCQG 70 -\n02 TECH KCQG 50 -"
FRONT = {
    "budgets that overlap": (
        CELLS,
        "budget: [{source: KCQG, amount: 100}, {source: KCQG, place: '01', amount: 120}]\n",
    ),
    "a budget of nothing": (
        CELLS,
        "budget: [{source: KCQG, amount: 0}]\nrules: [{id: sàn tỉnh, each: place, min: 7}]\n",
    ),
    "money that may be kept": (
        CELLS,
        BUDGET
        + "spend: at_most\nrules: [{id: sàn, each: place, min: 61.5, text: sàn 61.5 triệu}]\n",
    ),
    "a coarse grid": (
        CELLS,
        BUDGET + "round_to: 10\nrules: [{id: sàn, each: place, min: 61}]\n",
    ),
    "shares of a whole above all of it": (
        CELLS,
        BUDGET + "rules:\n  - {id: t, where: {area: TECH}, of: all, min: 0.7}\n"
        "  - {id: p, where: {area: PROD}, of: all, min: 0.35}\n",
    ),
    "shares that leave some over": (
        CELLS,
        BUDGET + "rules: [{id: t, each: area, of: all, max: 0.3331}]\n",
    ),
    "a share of what is not fixed": (
        CELLS,
        BUDGET + "spend: at_most\nrules:\n"
        "  - {id: t, each: place, where: {area: TECH}, of: {place: same}, max: 0.2}\n"
        "  - {id: m, where: {area: TECH}, min: 33}\n",
    ),
    "the year before": (
        "year place area source baseline\n2024 01 TECH KCQG 10\n2025 01 TECH KCQG 10",
        "budget: [{year: 2024, amount: 10}, {year: 2025, amount: 20}]\n"
        "rules: [{id: up, each: year, per: previous_year, max: 1.5}]\n",
    ),
    "bounds of cells": (BOUNDS, BUDGET),
    "counts": (CELLS, BUDGET + "rules: [{id: o, each: place, count: outputs, min: 17.3}]\n"),
}


@pytest.mark.parametrize("case", FRONT)
def test_a_repair_written_into_the_files_gives_a_plan(case):
    cells, text = FRONT[case]
    data, asked = dataset(cells=cells), scenario(text)
    plan = allocate(data, asked, detail=False)
    assert plan.status == "infeasible"
    assert judged(build_problem(data, asked))[0]["repairs"]
    for steps in (*options(plan.conflicts[0]), plan.conflicts[0]["combination"]):
        if steps and steps[0]["mends_all"]:
            is_own = not steps[0]["rule"].startswith("bound:")
            changed = apply_repair(asked, steps) if is_own else asked
            again = allocate(repair_cells(data, steps), changed, detail=False)
            assert again.status == "optimal", steps
    for language in ("vi", "en"):
        told = plan.explain(language)
        assert len(told) >= 1 + len(options(plan.conflicts[0]))


def test_what_by_hand_is_told_in_words():
    text = BUDGET + "rules: [{id: floor, each: place, min: 60.25, text: Mức sàn}]\n"
    plan = allocate(dataset(cells=CELLS), scenario(text), detail=False)
    told = plan.explain("vi")
    assert told[1] == (
        "Năm 2024: “Mức sàn” cần 120,5 triệu đồng, “Khuyến công quốc gia” chỉ cho phép "
        "100 triệu đồng, thiếu 20,5 triệu đồng."
    )
    assert any("từ 60,25 triệu đồng xuống 50 triệu đồng" in line for line in told)


@pytest.mark.parametrize("text", [BUDGET, "budget: [{source: KCQG, amount: 103}]\n"])
def test_an_impossible_grid_has_ways_out(text):
    data = dataset(cells=CELLS)
    rule = "rules: [{id: f, where: {place: '01'}, min: 33, max: 33}]\n" if text == BUDGET else ""
    asked = scenario(text + rule + "round_to: 10\n")
    (conflict,) = allocate(data, asked, detail=False).conflicts
    assert {steps[0]["rule"] for steps in options(conflict)} > {"round_to"}
    for steps in options(conflict):
        again = allocate(data, apply_repair(asked, steps), detail=False)
        assert again.status == "optimal", steps
        assert all(step["by"] == abs(step["to"] - step["now"]) for step in steps)


def test_budgets_that_no_step_meets_are_rounded_together_whatever_their_number():
    codes = [code for code in reference.places("34")["code"] if code.isdigit()][:30]
    cells = "place area source\n" + "\n".join(f"{code} TECH KCDP" for code in codes)
    amounts = [100 + 7 * n for n in range(len(codes))]
    asked = scenario(
        "budget:\n"
        + "\n".join(
            f'  - {{source: KCDP, place: "{code}", amount: {amount}}}'
            for code, amount in zip(codes, amounts, strict=True)
        )
        + "\nround_to: 10\n"
    )
    data = dataset(cells=cells)
    plan = allocate(data, asked, detail=False)
    (conflict,) = plan.conflicts
    found = {tuple(step["to"] for step in steps) for steps in options(conflict) if len(steps) > 1}
    off = [amount for amount in amounts if amount % 10]
    near = [(amount + 5) // 10 * 10 for amount in off]
    down = [amount // 10 * 10 for amount in off]
    assert found == {tuple(near), tuple(down), tuple(one + 10 for one in down)}
    for steps in options(conflict):
        again = allocate(data, apply_repair(asked, steps), detail=False)
        assert again.status == "optimal"
    (trouble,) = troubles(plan)
    assert "và 23 quy định khác" in trouble.told[0]
    by = sum(near) - sum(off)
    (told,) = (text for text, _ in trouble.ways if "gần nhất" in text)
    start = f"làm tròn 27 dòng kinh phí đến 10 triệu đồng gần nhất, cộng lại +{by} triệu đồng: "
    assert told.startswith(start)
    assert "107 triệu đồng → 110 triệu đồng" in told
    (whole,) = (text for text in trouble.more if "gần nhất" in text)
    assert whole.count("→") == 27


PURSES = "place area source\n" + "\n".join(
    f"{place} {area} KCDP" for place in ("01", "02", "04") for area in ("TRAIN", "TECH", "PROD")
)
SHARES = (
    "rules:\n  - {id: t, where: {area: TECH}, of: all, min: 0.6, text: TECH}\n"
    "  - {id: p, where: {area: PROD}, of: all, min: 0.5, text: PROD}\n"
)
ANY = "Chia kinh phí cách nào cũng không giữ được các quy định này cùng lúc"
FEWER = {
    "shares of all": (SHARES, ANY, {"TECH", "PROD"}),
    "shares beside a floor, which only brings money": (
        SHARES + "  - {id: f, each: place, min: 10, text: Sàn}\n",
        ANY,
        {"TECH", "PROD"},
    ),
    "shares in each place": (
        SHARES.replace("of: all", "each: place, of: {place: same}"),
        ANY,
        {"TECH", "PROD"},
    ),
    "a share above what caps leave": (
        "rules:\n  - {id: c, each: place, where: {area: TECH}, of: {place: same}, max: 0.3,"
        " text: Trần}\n  - {id: t, where: {area: TECH}, of: all, min: 0.4, text: TECH}\n",
        ANY,
        {"Trần", "TECH"},
    ),
    "all of it": (SHARES.replace("0.6", "1"), ANY, {"TECH", "PROD"}),
    "all of one budget": (
        "rules: [{id: h, where: {place: '01'}, of: all, min: 0.5, text: Hà Nội một nửa}]\n",
        "chỉ chi được nhiều nhất 200 triệu đồng, mà tổng các khoản kinh phí phải chi hết là "
        "305 triệu đồng: còn 105 triệu đồng không giao được",
        {"Hà Nội một nửa", "Khuyến công địa phương – Hà Nội"},
    ),
}


@pytest.mark.parametrize("case", FEWER)
def test_of_many_budgets_only_those_that_matter_are_named(case):
    rules, said, named = FEWER[case]
    amounts = zip(("01", "02", "04"), (100, 102.5, 102.5), strict=True)
    text = "budget:\n" + "".join(
        f"  - {{source: KCDP, place: '{place}', amount: {amount}}}\n" for place, amount in amounts
    )
    data, asked = dataset(cells=PURSES), scenario(text + rules)
    plan = allocate(data, asked, detail=False)
    judged(build_problem(data, asked))
    (trouble,) = troubles(plan)
    assert set(re.findall("“(.*?)”", trouble.told[0])) == named
    assert said in trouble.told[1]
    typed = [{(s["rule"], s["side"], s["to"]) for s in steps} for _, steps in trouble.ways]
    assert typed
    assert all(typed.count(way) == 1 for way in typed)
    for told, steps in trouble.ways:
        mended = apply_repair(asked, steps)
        assert allocate(data, mended, detail=False).status == "optimal", told
        gone = {rule.id for rule in asked.rules} - {rule.id for rule in mended.rules}
        assert told.startswith("bỏ quy định “") == bool(gone)
        assert " xuống 0" not in told


def test_a_way_out_is_offered_once_and_none_that_leaves_a_conflict_where_one_leaves_none():
    text = "budget: [{source: KCDP, place: '01', amount: 100}, {source: KCQG, amount: 250}]\n"
    data = dataset(cells=PURSES + "\n01 TRAIN KCQG\n01 TECH KCQG\n01 PROD KCQG")
    rules = SHARES.replace("0.5", "0.45")
    asked = scenario(f"{text}{rules}  - {{id: q, where: {{area: TRAIN}}, of: all, min: 0.5}}\n")
    plan = allocate(data, asked, detail=False)
    first, second = troubles(plan)
    assert [len(one.ways) for one in (first, second)] == [1, 0]
    assert second.told[-1] == "Cách tháo gỡ nêu ở mâu thuẫn trên gỡ được cả mâu thuẫn này."
    ((told, steps),) = first.ways
    assert told.startswith("hạ “TECH” từ 60 % xuống 5 %")
    assert allocate(data, apply_repair(asked, steps), detail=False).status == "optimal"


@pytest.mark.parametrize(("unit", "scale"), [("billion_vnd", 1), ("vnd", 10**9)])
def test_amounts_of_ways_out_have_few_digits(unit, scale):
    text = f"round_to: {1e-9 * scale:.9f}\nbudget: [{{source: KCQG, amount: {5 * scale}}}]\n"
    text += f"rules: [{{id: f, each: place, min: {int(3.255206896 * scale * 1e9) / 1e9:.9f}}}]\n"
    data, asked = dataset(cells=CELLS, unit=unit), scenario(text.replace(".000000000", ""))
    (conflict,) = allocate(data, asked, detail=False).conflicts
    ways = {steps[0]["rule"]: steps[0]["to"] / scale for steps in options(conflict)}
    assert ways == {"budget:1": 6.511, "f": 2.5}  # 6.510413792 is what it takes
    for steps in options(conflict):
        assert allocate(data, apply_repair(asked, steps), detail=False).status == "optimal"


def test_shares_of_many_places_are_mended_in_few_solves(monkeypatch):
    """Each place lets the others beat its share by a step only: the steps grow."""
    tried = []
    shifted = ROOM.Elastic._shifted
    monkeypatch.setattr(
        ROOM.Elastic, "_shifted", lambda *args: tried.append(args) or shifted(*args)
    )
    places = [f"{n:02}" for n in (1, 2, 4, 6, 8, 10, 11, 12, 14, 15)]
    cells = "\n".join(
        f"{p} {area} {source}"
        for p in places
        for area in ("TECH", "PROD", "TRAIN")
        for source in ("KCDP", "KCQG")
    )
    text = "budget:\n  - {source: KCQG, amount: 900}\n" + "".join(
        f"  - {{source: KCDP, place: '{p}', amount: {30 + 7 * n}}}\n" for n, p in enumerate(places)
    )
    rules = SHARES.replace("of: all", "each: place, of: {place: same}")
    problem = problem_of(text + rules, f"place area source\n{cells}")
    (conflict,) = find_conflicts(problem, NEVER)
    assert {steps[0]["to"] for steps in options(conflict)} == {0.5, 0.4}
    assert len(tried) < 100


def test_money_that_is_spent_is_not_given_back():
    data = dataset(
        cells="place area source min\n01 TECH KCQG 70\n02 TECH KCQG 50",
        history="year month place area source plan disbursed\n"
        "2024 6 01 TECH KCQG 70 60\n2024 6 02 TECH KCQG 50 10",
    )
    plan = allocate(data, scenario(BUDGET), as_of=6, detail=False)
    (conflict,) = plan.conflicts
    ways = {steps[0]["rule"]: steps[0]["to"] for steps in options(conflict)}
    assert ways == {"budget:1": 120, "bound:02|TECH|KCQG:min": 30}


AREAS = ("TRAIN", "MGMT", "TECH", "PROD", "CONS", "INFO")
SPENT = (516.1, 212.3, 1655.8, 134.9, 87.6, 102.4)


def midyear(text):
    """Return data and scenario of a purse of which much is disbursed, cell by cell."""
    rows = [f"2024 6 01 {a} KCDP 2000 {paid}" for a, paid in zip(AREAS, SPENT, strict=True)]
    rows += ["2024 6 01 TECH KCQG 900 300.7", "2024 6 02 TECH KCQG 900 400.2"]
    data = dataset(history="\n".join(["year month place area source plan disbursed", *rows]))
    funds = "budget: [{source: KCDP, place: '01', amount: 2000}, {source: KCQG, amount: 1200}]\n"
    return data, scenario(f"spend: at_most\nround_to: 1\n{funds}{text}")


def test_cells_of_one_purse_are_one_trouble_whose_one_button_ends_it():
    data, asked = midyear("")
    plan = allocate(data, asked, as_of=6, detail=False)
    assert len(plan.conflicts) > 1  # each another choice of cells
    (trouble,) = troubles(plan)
    assert (
        "chỉ có 2.000 triệu đồng, mà đến hết tháng 6/2024 đã giải ngân 2.709,1" in trouble.told[0]
    )
    assert "ở 6 ô (Mô hình, công nghệ, máy móc 1.655,8 triệu đồng" in trouble.told[0]
    assert "thiếu 709,1 triệu đồng" in trouble.told[0]
    ((way, steps),) = trouble.ways
    assert "từ 2.000 triệu đồng lên 2.712 triệu đồng (gồm phần làm tròn" in way
    assert "có thể vẫn còn" not in way
    assert allocate(data, apply_repair(asked, steps), as_of=6, detail=False).status == "optimal"
    less = [{**step, "to": step["to"] - 1} for step in steps]
    assert allocate(data, apply_repair(asked, less), as_of=6, detail=False).status == "infeasible"
    for conflict in plan.conflicts:
        for step in conflict["repairs"]:
            again = allocate(data, apply_repair(asked, step), as_of=6, detail=False)
            assert again.status == "optimal", "a repair of the file is enough as well"


def test_two_causes_are_two_troubles_and_one_button_for_both():
    floor = "rules: [{id: two, where: {place: '02'}, min: 1100, text: Hà Giang ít nhất}]\n"
    data, asked = midyear(floor)
    plan = allocate(data, asked, as_of=6, detail=False)
    assert plan.conflicts[0]["all_kinds"]
    purse, rule, both = troubles(plan)
    assert "(mâu thuẫn 1/2)" in purse.told[0]
    assert len(purse.ways) == 1
    assert "(mâu thuẫn 2/2)" in rule.told[0]
    assert "“Hà Giang ít nhất" in rule.told[0]
    assert "đã giải ngân 300,7 triệu đồng ở 1 ô" in rule.told[0]
    assert len(rule.ways) == 2
    assert not any("có thể vẫn còn" in way for one in (purse, rule) for way, _ in one.ways)
    for _, steps in rule.ways:
        mended = apply_repair(asked, [*purse.ways[0][1], *steps])
        assert allocate(data, mended, as_of=6, detail=False).status == "optimal"
    ((_, steps),) = both.ways
    assert allocate(data, apply_repair(asked, steps), as_of=6, detail=False).status == "optimal"
    told = plan.explain("en")
    assert any(
        "“Local industrial promotion – Ha Noi” has only 2,000 million VND" in x for x in told
    )


@pytest.mark.parametrize("national", [True, False])
def test_a_rule_of_many_places_is_one_trouble_and_each_way_out_gives_a_plan(national):
    data, text = floored(1.1, national=national)
    asked = scenario(text)
    plan = allocate(data, asked, detail=False)
    assert len(plan.conflicts) > 1  # each names other budgets
    (trouble,) = troubles(plan)
    assert "“Mỗi nơi giữ đủ” không giữ được ở mọi nơi cùng lúc" in trouble.told[0]
    assert "Mức cao nhất giữ được ở mọi nơi là 100 %; so với 110 % thì thiếu" in trouble.told[1]
    assert "ở 12 nơi, nhiều nhất là Phú Thọ" in trouble.told[1]
    assert trouble.told[1].endswith("triệu đồng và 9 nơi khác.")
    assert len(trouble.more[0].split(";")) == 12
    (own, floor), (money, budgets) = trouble.ways
    assert own == "hạ “Mỗi nơi giữ đủ” từ 110 % xuống 100 %"
    said = "“Khuyến công quốc gia” từ" if national else "nâng 12 dòng kinh phí thêm tổng cộng"
    assert said in money
    for steps in (floor, budgets):
        assert allocate(data, apply_repair(asked, steps), detail=False).status == "optimal"
    more = [{**step, "to": step["to"] + 1e-4} for step in floor]
    assert allocate(data, apply_repair(asked, more), detail=False).status == "infeasible"
    assert sum("Mỗi nơi giữ đủ” không giữ được" in line for line in plan.explain("vi")) == 1


def test_a_rule_of_many_places_beside_another_conflict_is_one_trouble_of_two():
    data, text = floored(1.1, national=True)
    text += (
        "  - {id: low, where: {place: '01', area: TECH}, max: 10}\n"
        "  - {id: high, where: {place: '01', area: TECH}, min: 20}\n"
    )
    asked = scenario(text)
    wide, narrow, _both = sorted(
        troubles(allocate(data, asked, detail=False)), key=lambda t: not t.more
    )
    assert wide.ways[0][0].startswith("hạ “Mỗi nơi giữ đủ” từ 110 %")
    for _, steps in wide.ways:
        for _, others in narrow.ways:
            mended = apply_repair(asked, [*steps, *others])
            assert allocate(data, mended, detail=False).status == "optimal"


FEW = "place area source min max\n"
HALF = "rules: [{id: t, where: {place: '01'}, of: all, min: 0.4, text: Hà Nội ít nhất 40 %}]\n"
CEILINGS = {  # cells, rules, what is told, buttons
    "a purse": (
        "01 TECH KCQG - 30\n02 TECH KCQG - 50",
        "",
        "“Khuyến công quốc gia” phải dùng hết 100 triệu đồng, mà mức cao nhất của 2 ô (Hà Giang 50 "
        "triệu đồng, Hà Nội 30 triệu đồng) cộng lại chỉ là 80 triệu đồng: còn 20 triệu đồng không "
        "giao được cho ô nào.",
        3,
    ),
    "a purse of many": (
        "\n".join(f"0{n} {area} KCQG - 10" for n in (1, 2, 4) for area in ("TECH", "PROD")),
        "",
        "mức cao nhất của 6 ô (",
        1 + 3,  # the purse, and three of the cells
    ),
    "a share": (
        "01 TECH KCQG - 30\n02 TECH KCQG 60 -\n02 PROD KCQG - 20",
        HALF,
        "“Hà Nội ít nhất 40 %” cần 40 triệu đồng, mà mức cao nhất của ô Hà Nội – Mô hình, công nghệ"
        ", máy móc – Khuyến công quốc gia chỉ là 30 triệu đồng: thiếu 10 triệu đồng.",
        2,
    ),
    "groups": (
        "01 TECH KCQG - 3\n02 TECH KCQG - 5\n04 TECH KCQG - -",
        "rules: [{id: f, each: place, min: 10, text: Mức sàn}]\n",
        "không giữ được “Mức sàn”, vì mức cao nhất của 2 ô (Hà Giang 5 triệu đồng, Hà Nội 3 triệu "
        "đồng) quá thấp.",
        1,
    ),
    "itself": (
        "01 TECH KCQG 30 20\n02 TECH KCQG - -",
        "",
        "ô Hà Nội – Mô hình, công nghệ, máy móc – Khuyến công quốc gia có mức thấp nhất 30 triệu "
        "đồng, cao hơn mức cao nhất 20 triệu đồng của chính ô đó.",
        2,
    ),
}


@pytest.mark.parametrize("case", CEILINGS)
def test_a_cell_s_highest_amount_is_told_in_a_sentence_with_its_ways_out(case):
    cells, rules, said, ways = CEILINGS[case]
    data, asked = dataset(cells=FEW + cells), scenario(BUDGET + rules)
    plan = allocate(data, asked, detail=False)
    (trouble,) = troubles(plan)
    (told,) = trouble.told
    assert said in told
    assert "mâu thuẫn nhau" not in told
    assert len(trouble.ways) == ways
    for _, steps in trouble.ways:
        changed = mended(asked, data, steps)
        assert allocate(*reversed(changed), detail=False).status == "optimal"


def test_more_disbursed_than_a_cell_may_get_has_one_way_out():
    data = dataset(
        cells="place area source max\n01 TECH KCQG 20\n02 TECH KCQG -",
        history="year month place area source plan disbursed\n2024 6 01 TECH KCQG 70 30",
    )
    plan = allocate(data, scenario(BUDGET), as_of=6, detail=False)
    (trouble,) = troubles(plan)
    assert "đến hết tháng 6/2024 đã giải ngân 30 triệu đồng, quá mức cao nhất" in trouble.told[0]
    ((way, _),) = trouble.ways
    assert "từ 20 triệu đồng lên 30 triệu đồng" in way
    (english,) = troubles(plan, "en")
    assert "30 million VND is disbursed by the end of month 6/2024" in english.told[0]


def test_a_rule_of_each_place_adds_up_no_other_place():
    data = dataset(cells="place area source min\n01 TECH KCQG 30\n02 TECH KCQG 50")
    rule = "rules: [{id: f, each: place, max: 10, text: Mức trần}]\n"
    asked = scenario(f"spend: at_most\n{BUDGET}{rule}")
    (trouble,) = troubles(allocate(data, asked, detail=False))
    assert "không giữ được “Mức trần”, vì mức thấp nhất của 2 ô" in trouble.told[0]
    assert "thiếu" not in trouble.told[0]


def test_where_projects_are_chosen_every_cell_of_a_clash_is_told():
    cells = [f"{place} {area} KCQG" for place in ("01", "02") for area in AREAS]
    paid = [990, *[15] * 11]  # any two of them are too much, the first being one: eleven conflicts
    rows = [f"2024 6 {cell} 1000 {money}" for cell, money in zip(cells, paid, strict=True)]
    projects = [f"P{n} x {cell} 1000" for n, cell in enumerate(cells)]
    data = dataset(
        history="\n".join(["year month place area source plan disbursed", *rows]),
        projects="\n".join(["id name place area source support", *projects]),
    )
    plan = allocate(data, scenario("budget: [{source: KCQG, amount: 1000}]\n"), as_of=6)
    assert len(plan.conflicts) == 10
    assert not plan.conflicts[0]["complete"]
    told = troubles(plan)[0].told[0]
    assert "đã giải ngân 1.155 triệu đồng ở 12 ô" in told
    assert "thiếu 155 triệu đồng" in told


def test_a_repair_says_what_it_cannot_do():
    step = {"rule": "bound:01|TECH|KCQG:min", "side": "min", "to": 5.0}
    with pytest.raises(ValueError, match="bound"):
        apply_repair(scenario(BUDGET), step)
    for rule in ("budget:2", "nobody"):
        with pytest.raises(KeyError):
            apply_repair(scenario(BUDGET), {**step, "rule": rule})
    data = dataset(cells=CELLS)
    assert repair_cells(data, {**step, "rule": "budget:1"}) is data


def test_a_single_dong_is_enough():
    data = dataset(cells="place area source min\n01 TECH KCQG 300000\n02 TECH KCQG 0.000001")
    asked = scenario("budget: [{source: KCQG, amount: 300000}]\n")
    plan = allocate(data, asked, detail=False)
    assert plan.status == "infeasible"
    assert plan.conflicts[0]["sums"]["needed"] > plan.conflicts[0]["sums"]["total"]


def test_who_listens_may_end_the_search():
    def stop(step, share):
        assert step == "conflicts"
        raise KeyboardInterrupt

    text = BUDGET + "rules: [{id: floor, each: place, min: 60}]\n"
    with pytest.raises(KeyboardInterrupt):
        find_conflicts(problem_of(text), NEVER, progress=stop)


def test_where_there_is_a_plan_there_is_no_conflict():
    assert find_conflicts(problem_of(BUDGET), NEVER) == []


# --- Laws of conflicts ---------------------------------------------------------------------------

SIDES = st.sampled_from(["min", "max"])
SELECTIONS = {
    "{{id: p, where: {{place: '01'}}, {}: {}}}": st.integers(5, 95),
    "{{id: e, each: place, {}: {}}}": st.integers(5, 95),
    "{{id: s, where: {{area: TECH}}, of: all, {}: 0.{}}}": st.integers(10, 99),
    "{{id: w, each: place, where: {{area: PROD}}, of: {{place: same}}, {}: 0.{}}}": (
        st.integers(10, 99)
    ),
    "{{id: o, count: outputs, {}: {}}}": st.integers(5, 60),
    "{{id: b, each: area, per: baseline, {}: {}}}": st.integers(1, 9),
}
LAWS = st.one_of([st.builds(text.format, SIDES, bound) for text, bound in SELECTIONS.items()])


@settings(max_examples=12, phases=[Phase.explicit, Phase.generate])
@given(st.lists(LAWS, min_size=2, max_size=5))
def test_every_conflict_is_smallest_and_every_repair_enough(laws):
    rules = [law.replace("id: ", f"id: r{k}") for k, law in enumerate(laws)]
    problem = problem_of(BUDGET + f"rules: [{', '.join(rules)}]\n")
    possible = is_possible(problem)
    found = judged(problem)
    assert bool(found) != possible
    if not found:
        return
    listed = {frozenset(conflict["rules"]) for conflict in found}
    assert found[0]["complete"] == (len(listed) <= 10)
    if found[0]["complete"]:
        assert listed == smallest_contradictions(problem)
    for conflict in found:
        for steps in options(conflict):
            left = smallest_contradictions(written(problem, steps))
            assert not any(known <= frozenset(conflict["rules"]) for known in left)
            assert not (steps[0]["mends_all"] and left)


@settings(max_examples=6, phases=[Phase.explicit, Phase.generate])
@given(laws=st.lists(LAWS, min_size=2, max_size=4))
def test_every_number_is_enough_as_typed_and_a_step_less_is_not(tmp_path_factory, laws):
    file = tmp_path_factory.mktemp("asked") / "asked.yaml"
    rules = [law.replace("id: ", f"id: r{k}") for k, law in enumerate(laws)]
    data, budget = dataset(cells=CELLS), {"source": "KCQG", "amount": "100"}
    asked = {"name": "a", "year": "2024", "budget": [budget], "round_to": "1"}
    asked["rules"] = [yaml.load(rule, yaml.BaseLoader) for rule in rules]

    def again(steps, to):
        typed = copy.deepcopy(asked)
        for step in steps:
            if step["rule"] == "budget:1":
                typed["budget"][0]["amount"] = str(to)
            else:
                (rule,) = (r for r in typed["rules"] if r["id"] == step["rule"])
                rule[step["side"]] = str(to)
        file.write_text(yaml.safe_dump(typed), encoding="utf-8")
        return kc.allocate(data, kc.read_scenario(file), detail=False)

    for conflict in again((), 0).conflicts:
        for steps in options(conflict):
            one = steps[0]
            if one["rule"] == "round_to":
                continue
            plan = again(steps, one["to"])
            if one["mends_all"]:
                assert plan.status == "optimal", one
            assert not any(set(c["rules"]) <= set(conflict["rules"]) for c in plan.conflicts)
            back = 1.0 if one["kind"] == "money" else 1e-4
            less = one["to"] + (back if one["now"] > one["to"] else -back)
            if one["mends_all"] and abs(one["to"] - one["now"]) > back:
                assert again(steps, round(less, 9)).status == "infeasible", one


@settings(max_examples=8, phases=[Phase.explicit, Phase.generate])
@given(
    st.lists(st.integers(5, 60), min_size=4, max_size=4),
    st.lists(LAWS, max_size=2),
)
def test_a_repair_leaves_no_conflict_but_such_as_name_a_rule_of_another_kind(least, laws):
    names = [("01", "TECH"), ("01", "PROD"), ("02", "TECH"), ("02", "PROD")]
    rows = [f"{p} {a} KCQG {n} {2 * n}" for (p, a), n in zip(names, least, strict=True)]
    cells = "\n".join(["place area source min unit_cost", *rows])
    rules = ", ".join(law.replace("id: ", f"id: r{k}") for k, law in enumerate(laws))
    problem = problem_of(f"spend: at_most\n{BUDGET}rules: [{rules}]\n", cells)
    found = judged(problem)
    if found and found[0]["all_kinds"]:
        kinds = {kind_of(conflict["rules"]) for conflict in found}
        for other in smallest_contradictions(problem):
            assert any(kind <= other for kind in kinds), other


def smallest_contradictions(problem):
    """Return every smallest set of laws that contradict each other, by trying all sets."""
    laws = list(dict.fromkeys(row.id for row in problem.rows if row.is_law))
    found = []
    for size in range(1, len(laws) + 1):
        for chosen in map(frozenset, itertools.combinations(laws, size)):
            if not any(known <= chosen for known in found) and not is_possible(problem, chosen):
                found.append(chosen)
    return set(found)


# --- Time, and a solver that is wrong ------------------------------------------------------------


def test_what_can_be_found_by_hand_needs_no_time():
    text = BUDGET + "rules: [{id: floor, each: place, min: 60}]\n"
    (conflict,) = find_conflicts(problem_of(text), 0.0)
    assert conflict["rules"] == ["budget:1", "floor"]
    assert (conflict["repairs"], conflict["complete"]) == ([], False)
    hidden = BUDGET + "rules: [{id: t, where: {area: TECH}, of: {place: '01'}, min: 9}]\n"
    assert find_conflicts(problem_of(hidden + "spend: at_most\n"), 0.0) == []
    assert allocate(dataset(cells=CELLS), scenario(text), time_limit=0).status == "limit"


@pytest.mark.parametrize("runs", [1, 2, 3, 4])
def test_a_search_that_is_cut_off_is_not_complete(monkeypatch, runs):
    left = [runs]

    class Tiring(ROOM.Solver):
        def run(self):
            left[0] -= 1
            if left[0] >= 0:
                return super().run()
            return Outcome(Status.LIMIT, *[np.zeros(0)] * 3, float("nan"), float("nan"))

    monkeypatch.setattr(ROOM, "Solver", Tiring)
    text = BUDGET + (
        "rules:\n  - {id: a, where: {place: '01'}, min: 120}\n"
        "  - {id: c, where: {place: '02'}, min: 30}\n  - {id: d, where: {place: '02'}, max: 25}\n"
    )
    for conflict in find_conflicts(problem_of(text), NEVER):
        assert conflict["complete"] is False


def test_a_contradiction_that_nobody_can_name_is_not_believed(monkeypatch):
    # HiGHS has called feasible models infeasible: exit 3 needs a conflict that can be shown.
    door = importlib.import_module("kc_model.allocate.live")
    stages = importlib.import_module("kc_model.allocate.stages")

    class Wrong(stages.Ladder):
        def climb(self, upto=None):
            return stages.Climb(Status.INFEASIBLE, (), ())

    monkeypatch.setattr(door, "Ladder", Wrong)
    plan = allocate(dataset(cells=CELLS), scenario(BUDGET))
    assert (plan.status, plan.conflicts) == ("limit", ())


# ---------------------------------------------------------------------------- projects

LINKED = """
id   place area  source cost support min_support kind   stage      disbursed requires excludes
DA05 19    TECH  KCDP   214  72      -           normal registered -         -        -
DA14 19    TECH  KCQG   1927 772     540         group  registered -         -        -
DA32 19    TRAIN KCDP   66   61      -           normal registered -         -        -
DA38 19    INFO  KCDP   43   43      -           normal contracted 43        DA32     -
"""
PAID = """
id place area source cost support min_support kind   stage      disbursed requires excludes
A  19    TECH KCQG   90   90      60          normal contracted 60        B        -
B  19    TECH KCQG   40   40      -           normal registered -         C        -
C  19    TECH KCQG   20   20      -           normal registered -         -        D
D  19    TECH KCQG   20   20      -           normal registered -         -        -
E  19    TECH KCQG   20   20      -           normal contracted 20        -        -
"""


def listed(projects):
    cells = sorted({tuple(line.split()[1:4]) for line in projects.strip().splitlines()[1:]})
    lines = [f"{' '.join(cell)} 5000 1" for cell in cells]
    return dataset(
        vintage="34",
        projects=projects,
        absorption="\n".join(["place area source upto rate", *lines]),
    )


@pytest.mark.parametrize(
    ("projects", "text", "rules", "facts"),
    [
        (
            LINKED,
            "rules: [{id: no, count: projects, where: {id: DA32}, max: 0}]\n",
            ["no"],
            [("stays", "DA38", ""), ("requires", "DA38", "DA32")],
        ),
        (
            PAID,
            "rules: [{id: yes, count: projects, where: {id: D}, min: 1}]\n",
            ["yes"],
            [
                ("stays", "A", ""),
                ("requires", "A", "B"),
                ("requires", "B", "C"),
                ("excludes", "C", "D"),
            ],
        ),
        (PAID, "rules: [{id: no, where: {area: TECH}, max: 50}]\n", ["no"], [("stays", "A", "")]),
    ],
)
def test_links_and_paid_projects_that_contradict_a_rule_are_named(projects, text, rules, facts):
    # A run that begins from the last plan may end in it where presolve leaves HiGHS no cost: the
    # search then left out every rule.
    funds = "budget: [{source: KCQG, amount: 1700}, {source: KCDP, place: '19', amount: 3200}]\n"
    asked = scenario((funds if "KCDP" in projects else BUDGET.replace("100", "1700")) + text)
    plan = allocate(listed(projects), asked)
    assert plan.status == "infeasible"
    (conflict,) = plan.conflicts
    assert conflict["rules"] == rules
    assert [(one["kind"], one["project"], one["other"]) for one in conflict["projects"]] == facts
    for one in {name for fact in facts for name in fact[1:] if name}:
        assert one in plan.explain()[0]
    steps = conflict["repairs"]
    assert steps
    assert allocate(listed(projects), apply_repair(asked, steps)).status == "optimal"
