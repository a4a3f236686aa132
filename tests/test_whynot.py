"""Why a project is not chosen: against the plan made again with the project forced in."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from datasets import dataset, scenario
from hypothesis import given, settings
from hypothesis import strategies as st
from test_midyear import built, drawn

import kc_model as kc
from kc_model.allocate import allocate
from kc_model.allocate.glance import Glance
from kc_model.allocate.whynot import seen_whys
from kc_model.explain import why_left
from kc_model.problem import build_problem
from kc_model.scenario import Goal, Rule

SAMPLE = Path(__file__).parent.parent / "data" / "sample-projects"


def forcing(wanted, *, into=(), out=()):
    """Return a scenario that forces some projects in and others out."""
    rules = [
        Rule(
            f"{one}-forced",
            where={"id": (one,)},
            count="projects",
            min=Decimal(1) if one in into else None,
            max=Decimal(0) if one in out else None,
        )
        for one in (*into, *out)
    ]
    return replace(wanted, rules=(*wanted.rules, *rules))


def parted(change):
    return change.rpartition("=")


def reserved(plan, other):
    """Return what budgets leave more or less in another plan, VND."""
    now, then = ({one["budget"]: one["amount"] for one in p.reserve} for p in (plan, other))
    return {key: then.get(key, 0) - vnd for key, vnd in now.items() if then.get(key, 0) != vnd}


def differences(plan, other):
    """Return what projects, and cells without any, have more or less in another plan."""
    names = ["place", "area", "source"]
    found = {}
    for sign, one in ((-1, plan), (1, other)):
        for name, vnd in one.projects[["id", "amount"]].itertuples(index=False):
            found[name] = found.get(name, 0) + sign * int(vnd)
        for *cell, vnd in one.cells[[*names, "amount"]].itertuples(index=False):
            if not (plan.data.projects[names[1:]] == cell[1:]).all(axis=1).any():
                found["|".join(cell)] = found.get("|".join(cell), 0) + sign * int(vnd)
    return {name: vnd for name, vnd in found.items() if vnd}


@given(st.integers(0, 10**6))
@settings(max_examples=40, deadline=None)
def test_what_is_said_is_what_forcing_it_in_gives(seed):
    projects, budgets, goals = drawn(seed)
    for p in projects:
        p |= {"stage": "registered", "disbursed": None}
    data, wanted, _ = built(projects, budgets, goals, given=True)
    plan = allocate(data, wanted)
    if plan.status != "optimal":
        return
    chosen = set(plan.projects.loc[plan.projects["chosen"], "id"])
    given = plan.projects.set_index("id")["amount"]
    for row in plan.whys.to_dict("records"):
        again = allocate(data, forcing(wanted, into=[row["id"]]), detail=False)
        if again.status == "infeasible":
            assert row["kind"] == "law"
            continue
        losses = [
            (goal["name"], abs(goal["best"] - now["best"]))
            for goal, now in zip(plan.goals, again.goals, strict=True)
            if abs(goal["best"] - now["best"]) > 1e-4
        ]
        if not losses:
            assert row["kind"] == "tie"
        else:
            assert row["kind"] == "loss"
            assert (row["stage"], row["loss"]) == (losses[0][0], pytest.approx(losses[0][1]))
        if losses and "moves" not in goals:  # it is the one that would be chosen
            goes = chosen - set(again.projects.loc[again.projects["chosen"], "id"])
            assert set(row["out"].split(";")) - {""} == goes
        # The swap that is named gives what forcing the project in gives.
        now = (chosen - set(row["out"].split(";"))) | {row["id"], *row["joins"].split(";")} - {""}
        rest = set(plan.projects["id"]) - now
        swapped = allocate(data, forcing(wanted, into=sorted(now), out=sorted(rest)), detail=False)
        assert swapped.status == "optimal"
        until = [name for name, _ in losses[:1]] or [goals[-1]]
        for goal, best in zip(swapped.goals, again.goals, strict=True):
            assert goal["best"] == pytest.approx(best["best"], rel=1e-6, abs=1e-5)
            if goal["name"] in until:
                break
        # What each gets more or less there, and all of it adds up.
        told = {one: int(vnd) for one, _, vnd in map(parted, row["changes"].split(";"))}
        left = {one: told.pop(one) for one in [*told] if one.startswith("budget:")}
        free = swapped.cells["amount"].sum() - plan.cells["amount"].sum()
        if "moves" not in goals:  # of equal plans the one with the least money moved is not sought
            assert told == differences(plan, swapped)
            assert sum(told.values()) == free == -sum(left.values())
            assert left == reserved(plan, swapped)
        gone = {one for one in told if chosen >= {one} and -told[one] == given[one]}
        assert gone == set(row["out"].split(";")) - {""}
        assert told[row["id"]] > 0


def test_the_sample_says_of_every_project_why_it_is_left_out():
    data = kc.read_dataset(SAMPLE)
    plan = kc.allocate(data, kc.read_scenario(SAMPLE / "base.yaml"))
    table = plan.project_table("vi").set_index("id")
    left = plan.projects[~plan.projects["chosen"]]
    assert len(left) > 3
    assert (table.loc[left["id"], "reason"].str.len() > 20).all()
    assert "DA02 phải nhường chỗ" in table.loc["DA05", "reason"]  # they exclude each other
    assert "Loại trừ DA02 đã được chọn." in table.loc["DA05", "reason"]
    assert plan.whys.set_index("id").loc["DA05", "links"] == "DA05!DA02"
    assert "còn thiếu" in table.loc["DA41", "reason"]
    pd.testing.assert_frame_equal(kc.why_not(plan), plan.whys)
    plain = kc.allocate(data, plan.scenario, plan.outlook, detail=False)
    told = kc.why_not(plain, ["DA05"])
    pd.testing.assert_frame_equal(told, plan.whys[plan.whys["id"] == "DA05"].reset_index(drop=True))
    with pytest.raises(ValueError, match="DA05"):
        kc.why_not(plan, [str(plan.projects.loc[plan.projects["chosen"], "id"].iloc[0])])


@given(st.integers(0, 10**6))
@settings(max_examples=20, deadline=None)
def test_of_a_project_that_was_ticked_out_it_is_told_what_would_be_without_the_tick(seed):
    projects, budgets, goals = drawn(seed)
    for p in projects:
        p |= {"stage": "registered", "disbursed": None}
    data, wanted, _ = built(projects, budgets, goals, given=True)
    with_all = allocate(data, wanted, detail=False)
    if with_all.status != "optimal" or not with_all.projects["chosen"].any():
        return
    one = str(with_all.projects.loc[with_all.projects["chosen"], "id"].iloc[0])
    plan = allocate(data, forcing(wanted, out=[one]))
    if plan.status != "optimal":
        return
    row = plan.whys.set_index("id").loc[one]
    assert (row["barred"], row["rules"], row["full"]) == (f"{one}-forced", "", "")
    gains = [
        (goal["name"], abs(now["best"] - goal["best"]))
        for goal, now in zip(plan.goals, with_all.goals, strict=True)
        if abs(now["best"] - goal["best"]) > 1e-4
    ]
    assert row["kind"] == ("gain" if gains else "tie")
    if gains:
        assert (row["stage"], row["loss"]) == (gains[0][0], pytest.approx(gains[0][1]))
        told = {name: int(vnd) for name, _, vnd in map(parted, row["changes"].split(";"))}
        told = {name: vnd for name, vnd in told.items() if not name.startswith("budget:")}
        if "moves" not in goals:
            again = allocate(data, forcing(wanted, into=[one]), detail=False)
            assert told == differences(plan, again)


# ---------------------------------------------------------------------------- by hand

PROJECTS = (
    "id name place area source support min_support score kind requires excludes stage disbursed"
)
M, INFO = 10**6, "01|INFO|KCQG"
TAKES = "place area source upto rate\n01 TECH KCQG 1000 1\n01 PROD KCQG 1000 0.5"


def of_100(projects: str, text: str = "goals: [{maximise: disbursed}]", **more):
    data = dataset(
        vintage="34",
        projects=f"{PROJECTS}\n{projects.strip()}",
        absorption=TAKES,
        **more.pop("tables", {}),
    )
    return allocate(data, scenario(f"budget: [{{source: KCQG, amount: 100}}]\n{text}\n"), **more)


def test_once_there_is_the_money_others_go_only_if_the_best_plan_has_them_go():
    rows = """
A x 01 PROD KCQG 100 - 1 flagship - - - -
B x 01 TECH KCQG 100 - 1 - - - - -
C x 01 TECH KCQG 130 - 1 - - - - -
"""
    plan = of_100(rows)
    told = why_left(plan)["C"]
    assert "còn thiếu 130 triệu đồng" in told
    # Less than what 230 can disburse would do to be no worse: A, first by law, in place of B.
    assert told.endswith("Khi đã đủ số tiền ấy: chọn được mà không mục tiêu nào kém đi.")
    row = plan.whys.set_index("id").loc["C"]
    assert (row["kind"], row["loss"], row["out"], row["joins"]) == ("law", 0.0, "", "")


def test_a_project_that_was_ticked_out_is_told_so():
    rows = "A x 01 TECH KCQG 60 - 1 - - - - -\nB x 01 PROD KCQG 60 - 1 - - - - -"
    rule = 'rules: [{id: out-A, where: {id: A}, count: projects, max: 0, text: "Không chọn A"}]\n'
    goals = "goals: [{maximise: disbursed}]\n"
    assert why_left(of_100(rows, goals + rule))["A"] == (
        "Người lập kế hoạch yêu cầu không chọn đề án này. Nếu không có yêu cầu ấy: "
        "“Khuyến công quốc gia” còn thiếu 20 triệu đồng nếu thêm đề án này. "
        "Chọn đề án này thì mục tiêu “giải ngân cao nhất” tốt hơn 30 triệu đồng, "
        "B phải nhường chỗ. Khi đó A nhận 60 triệu đồng; tiền lấy từ: B thôi nhận 60 triệu đồng."
    )
    others = why_left(of_100(rows, goals + rule.replace("{id: A}", "{area: TECH}")))
    assert others["A"].startswith("Quy định không cho chọn đề án này: “Không chọn A”. Nếu không")
    worse = why_left(of_100(rows, goals + rule.replace("{id: A}", "{id: B}")))["B"]
    assert "Không có yêu cầu ấy thì đề án cũng không được chọn: " in worse
    assert "kém đi 30 triệu đồng, A phải nhường chỗ" in worse


def test_whom_a_project_needs_and_excludes_is_named_all_at_once():
    rows = """
A x 01 TECH KCQG 60 - 1 - - - - -
B x 01 PROD KCQG 30 - 1 - C A - -
C x 01 PROD KCQG 30 - 1 - - D - -
D x 01 TECH KCQG 40 - 1 - - - - -
"""
    plan = of_100(rows)
    assert plan.whys.set_index("id")["links"].to_dict() == {"B": "B>C;B!A;C!D", "C": "C!D"}
    told = why_left(plan)["B"]
    assert (
        "Loại trừ A đã được chọn. Phải có C đi cùng, chưa được chọn. Đề án C và D loại trừ nhau."
    ) in told


def test_what_forcing_one_in_would_make_other_goals_give_way_from_is_told():
    rows = "A x 01 TECH KCQG 100 - 1 - - - - -\nB x 01 TECH KCQG 95 - 1 - - - - -"
    plan = of_100(rows, "goals: [{maximise: disbursed, give: 0.1}, {maximise: money}]")
    (row,) = plan.whys.to_dict("records")
    assert (row["stage"], row["loss"], row["based"]) == ("maximise money", 5.0, "1=95.0")
    again = allocate(plan.data, forcing(plan.scenario, into=["B"]), detail=False)
    assert again.goals[0]["best"] == 95.0
    told = "mục tiêu “giải ngân cao nhất” tốt nhất chỉ còn 95 triệu đồng (nay 100 triệu đồng)"
    assert told in why_left(plan)["B"]


def test_a_loss_counts_from_the_best_also_where_later_goals_may_cost_something():
    rows = "A x 01 TECH KCQG 100 - 1 - - - - -\nB x 01 TECH KCQG 80 - 1 - - - - -"
    plan = of_100(rows, "goals: [{maximise: disbursed, give: 0.1}]")
    (row,) = plan.whys.to_dict("records")
    assert (row["kind"], row["loss"], row["out"]) == ("loss", pytest.approx(20.0), "A")


@pytest.mark.parametrize(
    ("rows", "links", "text"),
    [
        (
            "B x 01 TECH KCQG 20 - 1 - - A - -\nC x 01 TECH KCQG 10 - 1 - - A - -",
            "A!B",
            "Không chọn được cùng A, là đề án đã giải ngân",
        ),
        (
            "B x 01 TECH KCQG 20 - 1 - C - - -\nC x 01 TECH KCQG 10 - 1 - - A - -",
            "A;A!C;B>C",
            "Không chọn được vì đề án A đã được chi hoặc nghiệm thu nên phải giữ; đề án A và C "
            "loại trừ nhau; đề án B phải có C đi cùng.",
        ),
        # What A needs keeps B out as well.
        (
            "B x 01 TECH KCQG 20 - 1 - - - - -\nC x 01 TECH KCQG 10 - 1 - - B - -",
            "A;A>C;C!B",
            "đề án A phải có C đi cùng; đề án C và B loại trừ nhau.",
        ),
    ],
)
def test_a_project_that_has_to_stay_is_named(rows, links, text):
    needs = "C" if links.startswith("A;A>C") else "-"
    rows = f"A x 01 TECH KCQG 40 - 1 - {needs} - contracted 20\n{rows}"
    history = "year month place area source plan disbursed\n2024 6 01 TECH KCQG 40 20"
    plan = of_100(rows, as_of=6, tables={"history": history})
    row = plan.whys.set_index("id").loc["B"]
    assert (row["kind"], row["out"], row["rules"], row["links"]) == ("law", "A", "", links)
    reason = plan.project_table("vi").set_index("id").loc["B", "reason"]
    assert text in reason


def test_what_a_project_gets_at_the_least_is_nobodys_loss():
    # A and C may have nothing; chosen, each has 1,000 đồng, which the wish and the goal would miss.
    rows = """
A x 01 TECH KCQG 60 0 1 - - - - -
B x 01 PROD KCQG 90 90 9 - - - - -
C x 01 TECH KCQG 60 0 2 - - - - -
"""
    text = (
        "rules: [{id: none, where: {area: TECH}, max: 0, tier: directive}]\n"
        "goals: [{maximise: disbursed}]"
    )
    plan = of_100(rows, text)
    whys = plan.whys.set_index("id")
    assert whys["kind"].to_dict() == {"A": "tie", "C": "tie"}
    assert whys["short"].sum() == 0
    beside = "A x 01 TECH KCQG 95 0 9 - - - - -\nD x 01 PROD KCQG 107 107 1 - - - - -"
    (row,) = of_100(beside).whys.to_dict("records")
    assert (row["id"], row["short"]) == ("D", 7_000_000)


def test_a_purse_lacks_only_what_others_could_not_do_without():
    rows = "A x 01 TECH KCQG 60 40 9 - - - - -\nB x 01 TECH KCQG 80 70 1 - - - - -"
    cells = "place area source min\n01 TECH KCQG -\n01 PROD KCQG 10"
    plan = of_100(rows, tables={"cells": cells})
    (row,) = plan.whys.to_dict("records")
    # B could do with 70 and PROD with 10: 40 more are 20 short of 100.
    assert (row["id"], row["short"]) == ("A", 20_000_000)
    more = replace(plan.scenario.budget[0], amount=Decimal(120))
    wanted = forcing(replace(plan.scenario, budget=(more,)), into=["A", "B"])
    again = allocate(plan.data, wanted, detail=False)
    assert again.status == "optimal"


def test_a_blank_kind_is_normal():
    rows = "A x 01 TECH KCQG 60 - 9 - - - - -\nB x 01 TECH KCQG 30 - 1 flagship - - - -"
    rule = "rules: [{id: none, count: projects, where: {kind: normal}, max: 0}]"
    plan = of_100(rows, f"{rule}\ngoals: [{{maximise: disbursed}}]")
    assert plan.projects.set_index("id")["chosen"].to_dict() == {"A": False, "B": True}


def test_what_a_law_asks_for_beside_a_project_comes_in_with_it():
    # Nothing is best; DA03 may be half of all money only beside DA02.
    rows = """
DA02 x 01 TECH KCQG 40 38 1 - - - - -
DA03 x 01 PROD KCQG 40 -  1 - - - - -
"""
    text = """
rules:
  - {id: none, max: 0, tier: preference, each: area}
  - {id: half, where: {area: PROD}, of: all, max: 0.5}
goals: [{maximise: disbursed}]
"""
    plan = of_100(rows, text)
    assert not plan.projects["chosen"].any()
    row = plan.whys.set_index("id").loc["DA03"]
    assert (row["kind"], row["joins"]) == ("loss", "DA02")
    assert row["loss"] == pytest.approx(80.0)


# ---------------------------------------------------------------------------- at a glance


def seen(plan, wanted=None):
    """Return what is seen of the projects that a plan leaves out, by id."""
    problem = build_problem(plan.data, wanted or plan.scenario, plan.outlook, plan.as_of)
    amounts = (frame["amount"].to_numpy(dtype=np.int64) for frame in (plan.cells, plan.projects))
    chosen = plan.projects["chosen"].to_numpy(dtype=bool)
    whys = seen_whys(Glance(problem, chosen, *amounts), plan_left(plan))
    told = why_left(replace(plan, whys=whys))
    return whys.set_index("id"), told


def plan_left(plan):
    out = ~plan.projects["chosen"] & (plan.projects["reason"] == "left")
    return np.flatnonzero(out).tolist()


ROWS = """
A x 01 TECH KCQG 60 40 9 flagship - - - -
B x 01 TECH KCQG 80 70 1 normal   - - - -
C x 01 PROD KCQG 20 -  1 normal   - - - -
D x 01 TECH KCQG 10 -  1 normal   - A - -
E x 01 TECH KCQG 10 -  1 normal   B - - -
"""


def test_what_is_left_in_the_way_once_the_money_is_there_is_told_at_once():
    rows = "A x 01 TECH KCQG 90 - 1 - - - - -\nB x 01 PROD KCQG 120 - 1 - - - - -"
    plan = of_100(rows, "rules: [{id: one, count: projects, max: 1}]\ngoals: [{maximise: money}]")
    (row,) = plan.whys.to_dict("records")
    assert (row["id"], row["kind"], row["rules"], row["full"]) == ("B", "law", "budget:1", "one")
    (told,) = why_left(plan).values()
    assert "Thêm đề án này thì vượt: “Kinh phí mọi nguồn: nhiều nhất 1 đề án”." in told
    assert "Khi đã đủ số tiền ấy: chọn được mà không mục tiêu nào kém đi, A phải" in told

    (budget,) = plan.scenario.budget
    there = replace(budget, amount=budget.amount + row["short"] // 10**6)
    again = allocate(plan.data, forcing(replace(plan.scenario, budget=(there,)), into=["B"]))
    assert again.projects.set_index("id")["chosen"].to_dict() == {"A": False, "B": True}

    tech = Goal("maximise", "money", where={"area": ("TECH",)})
    worse = allocate(plan.data, replace(plan.scenario, goals=(tech,)))
    (row,) = worse.whys.to_dict("records")
    found = row["kind"], row["stage"], row["loss"], row["out"]
    assert found == ("law", "maximise money", 90.0, "A")
    (told,) = why_left(worse).values()
    assert "Khi đã đủ số tiền ấy: nếu vẫn chọn thì mục tiêu" in told


def test_what_is_seen_of_a_project_are_facts_of_the_plan():
    text = """
rules:
  - {id: flag, where: {id: A}, count: projects, min: 1}
  - {id: no-prod, text: Không quá 15 triệu cho PROD, where: {area: PROD}, max: 15}
goals: [{maximise: disbursed}]
"""
    plan = of_100(ROWS, text)
    assert set(plan.projects.loc[plan.projects["chosen"], "id"]) == {"A"}
    whys, told = seen(plan)
    assert not whys["proven"].any()
    assert set(whys["kind"]) == {"open"}
    # A could do with 40: B lacks 10 of its 70. A has 60: C's 20 fit, but its area is full.
    assert whys["short"].to_dict() == {"B": 10 * 10**6, "C": 0, "D": 0, "E": 20 * 10**6}
    assert (whys.loc["C", "full"], whys.loc["D", "out"], whys.loc["E", "joins"]) == (
        "no-prod",
        "A",
        "B",
    )
    assert whys["here"].to_dict() == pytest.approx({"B": 1, "C": 0.5, "D": 1, "E": 1})
    assert "Thêm đề án này thì vượt: “Không quá 15 triệu cho PROD”." in told["C"]
    assert "giải ngân được khoảng 50 %, kém A (100 %)" in told["C"]
    assert told["D"].startswith("Loại trừ A đã được chọn.")
    assert "còn thiếu 20 triệu đồng" in told["E"]
    assert "Phải có B đi cùng" in told["E"]


def test_a_purse_that_is_spent_above_the_least_is_told():
    rows = "A x 01 TECH KCQG 100 40 9 - - - - -\nB x 01 PROD KCQG 30 - 1 - - - - -"
    plan = of_100(rows)
    whys, told = seen(plan)
    proven, english = (why_left(plan, language)["B"] for language in ("vi", "en"))
    assert (whys.loc["B", "short"], whys.loc["B", "tight"]) == (0, 30 * 10**6)
    for text in (told["B"], proven):
        assert "phải bớt ít nhất 30 triệu đồng của đề án khác" in text
    assert "Khi đó B nhận 30 triệu đồng; tiền lấy từ: A giảm 30 triệu đồng." in proven
    assert (
        "Then B gets 30 million VND; the money comes from: A with 30 million VND less." in english
    )


def test_money_of_cells_without_projects_and_money_left_over_are_told_too():
    rows = "A x 01 TECH KCQG 60 - 9 - - - - -\nB x 01 PROD KCQG 50 - 1 - - - - -"
    takes = f"{TAKES}\n01 INFO KCQG 50 0.6"
    cells = "place area source min\n01 TECH KCQG -\n01 PROD KCQG -\n01 INFO KCQG -"
    tables = {"projects": f"{PROJECTS}\n{rows}", "absorption": takes, "cells": cells}
    data = dataset(vintage="34", **tables)
    text = "spend: at_most\nbudget: [{source: KCQG, amount: 100}]\ngoals: [{maximise: disbursed}]\n"
    plan = allocate(data, scenario(text))
    (row,) = plan.whys.to_dict("records")
    assert (row["id"], row["out"], row["changes"]) == (
        "B",
        "A",
        f"A=-{60 * M};B={50 * M};{INFO}={10 * M}",
    )
    more = "rules: [{id: a, where: {id: A}, count: projects, min: 1}]\n"
    plan = allocate(data, scenario(text.replace("100", "115") + more))
    (row,) = plan.whys.to_dict("records")
    assert row["changes"] == f"B={50 * M};{INFO}=-{45 * M};budget:1=-{5 * M}"
    told = why_left(plan)["B"]
    assert "Thông tin, tuyên truyền – Khuyến công quốc gia giảm 45 triệu đồng, phần" in told
    assert "phần chưa phân bổ 5 triệu đồng." in told


def test_money_left_over_is_told_of_each_budget():
    rows = "A x 01 TECH KCQG 60 - 9 - - - - -\nB x 01 PROD KCDP 50 - 1 - - - - -"
    takes = "place area source upto rate\n01 TECH KCQG 60 0.9\n01 PROD KCDP 50 0.1"
    data = dataset(vintage="34", projects=f"{PROJECTS}\n{rows}", absorption=takes)
    text = """\
spend: at_most
budget: [{source: KCQG, amount: 60}, {source: KCDP, place: "01", amount: 50}]
rules: [{id: one, where: {}, count: projects, max: 1}]
goals: [{maximise: disbursed}]
"""
    plan = allocate(data, scenario(text))
    (row,) = plan.whys.to_dict("records")
    assert row["changes"] == f"A=-{60 * M};B={50 * M};budget:1={60 * M};budget:2=-{50 * M}"
    national, local = "Khuyến công quốc gia", "Khuyến công địa phương"
    told = why_left(plan)["B"]
    assert f"phần chưa phân bổ của “{national}” tăng 60 triệu đồng" in told
    assert "A thôi nhận 60 triệu đồng" in told
    assert f"phần chưa phân bổ của “{local}" in told


@given(st.integers(0, 10**6))
@settings(max_examples=15, deadline=None)
def test_what_is_seen_agrees_with_what_is_proven(seed):
    projects, budgets, goals = drawn(seed)
    for p in projects:
        p |= {"stage": "registered", "disbursed": None}
    data, wanted, _ = built(projects, budgets, goals, given=True)
    plan = allocate(data, wanted)
    if plan.status != "optimal":
        return
    whys, told = seen(plan)
    for row in plan.whys.to_dict("records"):
        now = whys.loc[row["id"]]
        assert told[row["id"]]
        alone = not now["joins"]
        assert now["short"] == row["short"] if alone else now["short"] >= row["short"]
        if row["kind"] in ("loss", "tie") and now["out"]:
            assert set(now["out"].split(";")) <= set(row["out"].split(";"))
        if row["kind"] in ("loss", "tie") and not alone:
            assert set(now["joins"].split(";")) <= set(row["joins"].split(";"))
        # What would be left for it is what the projects lack that would make room.
        if row["kind"] in ("loss", "tie") and now["short"]:
            assert row["out"]


def test_every_project_of_a_long_list_that_is_left_out_has_its_own_words():
    rows = "\n".join(
        f"P{k:02d} x 01 {'TECH' if k % 2 else 'PROD'} KCQG {10 + k} - {k} - - - - -"
        for k in range(70)
    )
    plan = of_100(rows)
    assert len(plan.whys) == len(plan_left(plan)) > 60
    assert not plan.whys["proven"].any()
    reasons = plan.project_table().set_index("id")["reason"]
    assert reasons[plan.whys["id"]].str.contains("giải ngân được khoảng|còn thiếu").all()
    assert any(f"0/{len(plan.whys)} đề án đã chứng minh" in told for told in plan.explain())
    one = kc.why_not(plan, [str(plan.whys["id"][0])])
    assert one["proven"].all()
    assert one["at_most"].all() or (one["kind"] != "loss").all()


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ("where: {area: TECH}, min: 90", "thiếu thêm 50 triệu đồng"),
        ("where: {area: TECH}, count: projects, min: 1", "thiếu thêm 1 đề án"),
        ("where: {area: TECH}, min: 90, weight: 2", "thiếu thêm 100 (cộng theo trọng số"),
    ],
)
def test_what_a_wish_would_miss_carries_its_unit(rule, told):
    rows = ["id name place area source support score kind"]
    rows += ["A x 01 TECH KCQG 50 1 normal", "B x 01 PROD KCQG 60 9 normal"]
    cells = "place area source upto rate\n01 TECH KCQG 900 1\n01 PROD KCQG 900 1"
    data = dataset(projects="\n".join(rows), absorption=cells, vintage="34")
    text = "budget: [{source: KCQG, amount: 70}]\ngoals: [{maximise: disbursed}]\n"
    plan = allocate(data, scenario(f"{text}rules: [{{id: w, tier: directive, {rule}}}]\n"))
    assert told in why_left(plan)["B"]
