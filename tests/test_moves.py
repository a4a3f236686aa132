"""Moves: conserved in every purse, as few as there can be, decided by whom the law says."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import pandas as pd
import pytest
from datasets import absorbing, dataset, scenario
from hypothesis import given, settings
from hypothesis import strategies as st

from kc_model.allocate import allocate
from kc_model.moves import find_moves, moves, refuse, who_decides
from kc_model.moves.pairs import fewest_pairs

CELLS = """
place area source baseline
01 TECH KCQG 100
01 PROD KCQG 60
19 TECH KCQG 40
01 TECH KCDP 80
01 PROD KCDP 20
19 TECH KCDP 50
19 PROD KCDP 50
"""
GOALS = "goals:\n  - {minimise: change}\n"
BUDGET = """
budget:
  - {source: KCQG, amount: 200}
  - {source: KCDP, place: "01", amount: 100}
  - {source: KCDP, place: "19", amount: 100}
"""


def plan_of(rules: str, budget: str = BUDGET, goals: str = GOALS, **more):
    data = dataset(cells=CELLS, absorption=more.pop("absorption", absorbing(CELLS)))
    return allocate(data, replace(scenario(budget + rules + goals), as_of=6), **more)


def ends(frame):
    columns = ["from_place", "from_area", "to_place", "to_area", "source", "amount"]
    return [tuple(row) for row in frame[columns].itertuples(index=False)]


# ---------------------------------------------------------------------------- pairs


@given(st.lists(st.integers(-6, 6).filter(bool), min_size=1, max_size=6))
@settings(deadline=None)
def test_transfers_settle_everything_and_none_could_be_spared(amounts):
    amounts = [*amounts, *([-sum(amounts)] if sum(amounts) else [])]
    left = list(amounts)
    found = fewest_pairs(amounts)
    for giver, taker, amount in found:
        assert amount > 0
        left[giver] += amount
        left[taker] -= amount
    assert not any(left)
    assert len(found) == len(amounts) - most_groups(tuple(amounts))


def most_groups(amounts: tuple[int, ...]) -> int:
    """Return into how many parts that add up to zero a list falls at most: by trying all."""
    if not amounts:
        return 0
    first, rest = 0, range(1, len(amounts))
    best = -len(amounts)
    for size in range(len(amounts)):
        for others in combinations(rest, size):
            part = {first, *others}
            if sum(amounts[i] for i in part) == 0:
                without = tuple(a for i, a in enumerate(amounts) if i not in part)
                best = max(best, 1 + most_groups(without))
    return best


@given(st.lists(st.integers(-(10**12), 10**12).filter(bool), min_size=20, max_size=60))
def test_many_amounts_take_less_than_one_transfer_each(amounts):
    amounts = [*amounts, *([-sum(amounts)] if sum(amounts) else [])]
    found = fewest_pairs(amounts)
    assert len(found) < len(amounts)
    net = dict.fromkeys(range(len(amounts)), 0)
    for giver, taker, amount in found:
        net[giver] -= amount
        net[taker] += amount
    assert list(net.values()) == amounts


def test_pairs_apart_are_not_made_while_others_can_settle_the_amounts():
    amounts = [-50, -250, 100, 150, 50]
    assert (0, 4, 50) in fewest_pairs(amounts)
    found = fewest_pairs(amounts, {(0, 4)})
    net = [0] * len(amounts)
    for giver, taker, amount in found:
        assert (giver, taker) != (0, 4)
        net[giver] -= amount
        net[taker] += amount
    assert net == amounts
    assert fewest_pairs([-50, 50], {(0, 1)}) == [(0, 1, 50)]  # nobody else can
    kin = ["D1", "D2", "D2", "D1", ""]
    found = fewest_pairs([-5, -5, 5, 5, 0], kin=kin)  # a project's own parts among themselves
    assert sorted(found) == [(0, 3, 5), (1, 2, 5)]
    assert sorted(fewest_pairs([-5, -5, 5, 5, 0])) == [(0, 2, 5), (1, 3, 5)]


# ---------------------------------------------------------------------------- moves


def test_money_moves_within_its_purse_only_and_the_law_says_who_decides():
    plan = plan_of(
        """
rules:
  - {id: more, where: {place: "19", area: TECH}, min: 130, text: Ít nhất 130}
  - {id: held, where: {place: "19", area: TECH, source: KCQG}, max: 60}
  - {id: kept, where: {place: "01", area: PROD}, min: 80}
  - {id: least, where: {place: "01", area: TECH, source: KCDP}, min: 80}
"""
    )
    found = moves(plan)
    assert set(ends(found)) == {
        ("01", "TECH", "19", "TECH", "KCQG", 20.0),
        ("19", "PROD", "19", "TECH", "KCDP", 20.0),
    }
    who = found.set_index("source")["who_decides"].to_dict()
    assert who == {"KCQG": "agency", "KCDP": "province"}  # place within the year: Điều 11.2.b
    assert "11.2.b" in found.set_index("source")["basis"]["KCQG"]
    assert found.set_index("source")["reason"]["KCQG"] == "Do quy định: Ít nhất 130."
    hurried = replace(plan, effects=pd.DataFrame())  # there was no time to look for them
    untold = "Chưa tìm được lý do trong thời gian tính."
    assert find_moves(hurried)["reason"].str.startswith(untold).all()


def test_a_rule_is_the_reason_of_a_move_only_if_it_is_about_one_of_its_ends():
    """What a rule frees others may take: they exchange it for reasons of their own."""
    where = '{place: "01", area: TECH, source: KCQG}'
    plan = plan_of(f"rules:\n  - {{id: more, where: {where}, min: 130, text: Ít nhất 130}}\n")
    assert {"Do quy định: Ít nhất 130."} == set(find_moves(plan)["reason"])
    (rule,) = plan.scenario.rules
    other = replace(rule, where={"place": ("19",), "area": ("PROD",)})  # the effects stay
    elsewhere = replace(plan, scenario=replace(plan.scenario, rules=(other,)))
    assert not find_moves(elsewhere)["reason"].str.contains("130").any()


def test_another_area_takes_the_minister():
    plan = plan_of("rules:\n  - {id: more, where: {area: PROD, source: KCQG}, min: 90}\n")
    found = moves(plan)
    assert ends(found)[0][1::2][:2] == ("TECH", "PROD") or len(found) > 1
    assert set(found["who_decides"]) == {"minister"}
    assert found["basis"].str.contains("11.2.a").all()
    assert found["amount"].sum() == 30.0


@given(st.data())
@settings(max_examples=20, deadline=None)
def test_a_group_project_gives_its_places_fixed_shares_so_none_of_its_moves_is_local(draw):
    """Điều 11.4 leaves its place to the department; its money is for those above it."""
    before, other, most = (10 * draw.draw(st.integers(1, 20)) for _ in range(3))
    rows = f"A x 01;19 TECH KCQG {before} {max(10, before // 20 * 10)} group assigned 60;40\n"
    rows += f"B x 19 TECH KCQG {other} 10 normal registered -"
    history = "year month place area source plan disbursed\n"
    history += "".join(f"2026 6 {place} TECH KCQG {before} 0\n" for place in ("01", "19"))
    data = dataset(
        vintage="34",
        history=history,
        absorption=absorbing("place area source\n01 TECH KCQG\n19 TECH KCQG", most, 0.5),
        projects=f"id name place area source support min_support kind stage split\n{rows}",
    )
    text = f"budget: [{{source: KCQG, amount: {most}}}]\nspend: at_most\nround_to: 5\n"
    wanted = replace(scenario(text + "goals: [{maximise: disbursed}]\n"), year=2026, as_of=6)
    found = find_moves(allocate(data, wanted, detail=False))
    assert len(found)
    if "from_project" in found:
        same = (found["from_project"] == found["to_project"]) & (found["from_project"] != "")
        assert not same.any()
    assert "department" not in set(found["who_decides"])
    assert who_decides("KCQG", ["place"], "group").who == "department"
    assert who_decides("KCQG", ["place"]).who == "agency"


@pytest.mark.parametrize(
    ("amount", "spend", "end", "who"),
    [
        (230, "all", "from", "minister"),
        (170, "all", "to", "agency"),
        (170, "at_most", "to", "agency"),
    ],
)
def test_what_a_purse_gets_more_or_keeps_has_no_place(amount, spend, end, who):
    plan = plan_of(f"spend: {spend}\nrules: []\n", budget=BUDGET.replace("200", str(amount), 1))
    found = moves(plan)
    assert set(found[f"{end}_place"]) == {""}
    assert found["amount"].sum() == 30.0
    assert set(found["who_decides"]) == {who}


def test_a_pooled_row_lets_money_cross_provinces():
    pooled = "\nbudget:\n  - {source: KCQG, amount: 200}\n"
    pooled += "  - {source: KCDP, amount: 200, pooled: true}\n"
    plan = plan_of('rules:\n  - {id: up, where: {place: "19", source: KCDP}, min: 130}\n', pooled)
    found = moves(plan)
    assert set(found["from_place"]) == {"01"}
    assert set(found["to_place"]) == {"19"}
    assert found["amount"].sum() == 30.0


def test_gains_add_up_to_what_the_whole_plan_gains():
    slices = "\n".join(
        ["place area source upto rate"]
        + [
            f"{place} {area} {source} {upto} {rate}"
            for place, area, source in (line.split()[:3] for line in CELLS.strip().split("\n")[1:])
            for upto, rate in ((30, 0.9 if area == "TECH" else 0.8), (200, 0.5))
        ]
    )
    goals = "goals:\n  - {maximise: disbursed}\n  - {minimise: change}\n"
    plan = plan_of("rules: []\n", goals=goals, absorption=slices)
    found = find_moves(plan)
    cells = plan.cells
    whole = (cells["expected_disbursed"] - cells["expected_baseline"]).sum()
    assert found["gain"].sum() == pytest.approx(whole, rel=1e-9)
    assert whole > 0
    assert found["gain"].is_monotonic_decreasing


@given(st.data())
@settings(max_examples=25, deadline=None)
def test_no_dong_is_lost_in_any_purse(draw):
    low = {
        name: draw.draw(st.integers(0, 60))
        for name in ("01|TECH|KCQG", "19|TECH|KCQG", "01|PROD|KCDP", "19|PROD|KCDP")
    }
    rules = "rules:\n" + "".join(
        f"  - {{id: r{k}, where: {{place: '{p}', area: {a}, source: {s}}}, min: {vnd}}}\n"
        for k, (name, vnd) in enumerate(low.items())
        for p, a, s in [name.split("|")]
    )
    plan = plan_of(rules, detail=False)
    found = find_moves(plan)
    change = (plan.cells["amount"] - plan.cells["baseline"]).tolist()
    for move in found.itertuples():
        for cell, vnd in ((move.from_cell, move.amount), (move.to_cell, -move.amount)):
            if cell >= 0:
                change[cell] += vnd
        one, other = plan.cells.loc[move.from_cell], plan.cells.loc[move.to_cell]
        assert one["source"] == other["source"]
        assert one["source"] == "KCQG" or one["place"] == other["place"]
    assert not any(change)


# ---------------------------------------------------------------------------- refusing


def test_a_refused_move_is_not_made_and_the_rest_is_solved_again():
    rules = "rules:\n  - {id: up, where: {area: PROD, source: KCQG}, min: 90, tier: directive}\n"
    plan = plan_of(rules)
    found = find_moves(plan)
    first = found.loc[0]
    data = plan.data
    after = allocate(data, refuse(plan, [0]))
    assert after.status == "optimal"
    gave, took = first["from_cell"], first["to_cell"]
    assert after.cells["amount"][gave] >= plan.cells["amount"][gave] + first["amount"]
    assert after.cells["amount"][took] <= plan.cells["amount"][took] - first["amount"]
    grounds = {rule.basis for rule in after.scenario.rules[1:]}
    assert grounds == {"Từ chối trên bàn làm việc; chưa ghi căn cứ"}
    with pytest.raises(KeyError, match="99"):
        refuse(plan, [99])


def test_a_refused_move_does_not_come_back_the_other_way_round_off_the_grid():
    cells = "place area source baseline\n01 TECH KCQG 23\n01 PROD KCQG 7\n"
    asked = """
budget: [{source: KCQG, amount: 30}]
rules: [{id: up, where: {area: PROD}, min: 20, tier: directive}]
goals: [{minimise: change}]
round_to: 10
"""
    data = dataset(cells=cells, absorption=absorbing(cells))
    plan = allocate(data, replace(scenario(asked), as_of=6))
    assert find_moves(plan)["amount"].tolist() == [13_000_000]
    again = allocate(data, refuse(plan, [0]))
    assert again.cells["amount"].tolist() == [20_000_000, 10_000_000]  # not 30 and 0
    (rest,) = find_moves(again).to_dict("records")
    assert (rest["amount"], rest["refusable"]) == (3_000_000, False)
    assert "làm tròn" in rest["reason"]


def test_a_lower_total_is_a_cut_and_a_reserve_is_what_the_budget_leaves():
    less = BUDGET.replace("amount: 200", "amount: 180")
    found = moves(plan_of("", less))
    out = found[found["to_place"] == ""]
    assert out["amount"].sum() == pytest.approx(20)
    assert out["is_cut"].all()
    assert out["reason"].str.contains("tổng kinh phí").all()
    assert not out["reason"].str.contains("dự phòng").any()

    capped = "rules: [{id: less, where: {source: KCQG}, max: 170}]\n"
    found = moves(plan_of(capped, less + "spend: at_most\n"))
    out = found[found["to_place"] == ""].groupby("is_cut")["amount"].sum()
    assert out.to_dict() == pytest.approx({False: 10.0, True: 20.0})


def test_what_a_rule_sends_to_the_reserve_names_it():
    cells = "{area: PROD, source: KCQG}"
    rules = f"""
rules:
  - {{id: cap, where: {cells}, max: 60}}
  - {{id: share, where: {cells}, of: {{source: KCQG}}, min: 0.4, text: Tỷ trọng}}
"""
    found = find_moves(plan_of(rules, BUDGET + "spend: at_most\n"))
    assert found["amount"].sum() == 50_000_000  # 60 is 40 % of 150
    assert (found["to_place"] == "").all()
    told = "Đưa về dự phòng do quy định: Tỷ trọng. Số tiền này, nếu để lại, giải ngân được khoảng"
    assert found["reason"].str.startswith(told).all()


def test_a_share_that_is_nearly_nothing_is_told_to_its_first_figure():
    rates = absorbing(CELLS, rate=0.0042)
    where = '{place: "01", area: TECH, source: KCQG}'
    plan = plan_of(f"rules:\n  - {{id: more, where: {where}, min: 130}}\n", absorption=rates)
    told = find_moves(plan)["reason"]
    assert told.str.contains("chỉ giải ngân được khoảng 0,4 %", regex=False).all()


def test_a_refused_cut_is_not_made_again_where_somebody_else_can_give():
    less = BUDGET.replace("amount: 200", "amount: 180")
    rules = "rules: [{id: up, where: {area: PROD, source: KCQG}, min: 70}]\n"
    data = dataset(cells=CELLS, absorption=absorbing(CELLS))
    plan = allocate(data, replace(scenario(less + rules + GOALS), as_of=6))
    found = find_moves(plan)
    number = int(found.index[found["is_cut"]][0])
    giver = int(found.loc[number, "from_cell"])
    again = find_moves(allocate(data, refuse(plan, [number])))
    assert not ((again["from_cell"] == giver) & again["is_cut"]).any()
    assert again.loc[again["is_cut"], "amount"].sum() == 20_000_000
