"""What a readable step of a rule gives: against plans made afresh with the number typed in."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest
from datasets import dataset, scenario
from hypothesis import given
from hypothesis import strategies as st
from oracle import instances

from kc_model import read_dataset, read_scenario
from kc_model.allocate import Planner, allocate
from kc_model.allocate.gains import readable_step


def typed(asked, name, side, step):
    """Return the scenario with one number loosened by a step."""
    step = Decimal(repr(float(step)))
    if name.startswith("budget:"):
        rows = list(asked.budget)
        at = int(name.removeprefix("budget:")) - 1
        rows[at] = replace(rows[at], amount=rows[at].amount + step)
        return replace(asked, budget=tuple(rows))
    rule = next(rule for rule in asked.rules if rule.id == name)
    now = getattr(rule, side)
    return asked.with_rule(name, **{side: now - step if side == "min" else now + step})


def sides(rules):
    """Return rule, side, step and gain of every number that was asked again."""
    asked = rules[rules["step"].notna() & ~rules["id"].str.startswith("bound:")]
    return asked.drop_duplicates(["id", "side"])[["id", "side", "step", "gain"]].to_numpy().tolist()


@pytest.mark.parametrize("seed", [2, 5, 11])
def test_a_gain_is_what_the_number_typed_in_gives(seed, tmp_path):
    instance = instances.draw(seed)
    folder, file = instance.write(tmp_path / "data")
    data, asked = read_dataset(folder), read_scenario(file)
    plan = allocate(data, asked, as_of=instance.as_of)
    sign = 1 if plan.goals[0]["name"].startswith("maximise") else -1
    best = plan.goals[0]["best"]
    told = 0
    for name, side, step, gain in sides(plan.rules()):
        other = typed(asked, name, side, step)
        other = replace(other, goals=other.goals[:1])
        again = allocate(data, other, plan.outlook, as_of=instance.as_of, detail=False)
        told += 1
        if np.isnan(gain):
            assert again.status != "optimal"
            continue
        real = sign * (again.goals[0]["best"] - best)
        assert gain == pytest.approx(real, rel=1e-5, abs=1e-6 * max(1.0, abs(best)))
    assert told > 2


CELLS = """
place area source baseline
01    TECH KCQG   60
02    TECH KCQG   40
04    TECH KCQG   20
"""
RATES = """
place area source upto rate
01    TECH KCQG   200  0.9
02    TECH KCQG   200  0.5
04    TECH KCQG   200  0.3
"""


def gains_of(rules, total=100):
    text = f"budget: [{{source: KCQG, amount: {total}}}]\nrules: [{rules}]\n"
    plan = allocate(
        dataset(cells=CELLS, absorption=RATES),
        scenario(text + "goals: [{maximise: disbursed}]\n"),
    )
    return {(name, side): (step, gain) for name, side, step, gain in sides(plan.rules())}


def test_all_groups_of_a_rule_are_loosened_at_once():
    # 30 each for 02 and 04; a step of 1 less for both lets 2 go to 01.
    found = gains_of("{id: floor, each: place, where: {place: ['02', '04']}, min: 30}")
    assert found["floor", "min"] == (1, pytest.approx((0.9 - 0.5) + (0.9 - 0.3)))
    assert found["budget:1", "max"] == (1, pytest.approx(0.9))


def test_a_gain_ends_where_the_price_ends():
    # A floor of 0.4 for 02: the last of 0.4 down to 0 gives nothing further.
    found = gains_of("{id: floor, where: {place: '02'}, of: all, min: 0.004}")
    assert found["floor", "min"] == (0.001, pytest.approx(0.1 * (0.9 - 0.5)))


def test_money_that_a_missed_wish_takes_first_is_not_promised_to_the_goal():
    # 02 and 04 wish for 60 each and get 60 and 40: 1 more goes to 04, not to 01.
    wish = "{id: wish, each: place, where: {place: ['02', '04']}, min: 60, tier: directive}"
    step, gain = gains_of(wish)["budget:1", "max"]
    assert (step, gain) == (1, pytest.approx(0.3))
    step, gain = gains_of(wish)["wish", "min"]  # 59 each: the least is missed with 59 and 41
    assert (step, gain) == (1, pytest.approx(0.3 - 0.5))


def test_a_planner_stands_as_before_when_it_has_asked():
    text = (
        "budget: [{source: KCQG, amount: 100}]\nrules: [{id: few, where: {place: '01'}, max: 50}]\n"
    )
    asked = scenario(text + "goals: [{maximise: disbursed}]\n")
    planner = Planner(dataset(cells=CELLS, absorption=RATES))
    first, second = planner.plan(asked), planner.plan(asked)
    np.testing.assert_array_equal(first.cells["amount"], second.cells["amount"])
    np.testing.assert_allclose(first.rules()["gain"], second.rules()["gain"])


@given(
    st.sampled_from(["money", "share", "number"]),
    st.floats(1e-6, 1e9),
    st.sampled_from(["min", "max"]),
)
def test_a_step_is_readable(kind, number, side):
    step = readable_step(kind, number, side)
    assert 0 < step <= max(number, 0.01)
    if kind != "share":
        assert 0.004 * number < step <= 0.0501 * number
    if step != number:
        assert f"{step:.0e}".startswith("1")


def test_what_holds_the_first_goals_best_has_its_price_where_the_plan_gave_way():
    text = (
        "budget: [{source: KCQG, amount: 100}]\n"
        "rules: [{id: cap, where: {place: '01'}, max: 60}]\n"
        "goals: [{maximise: disbursed, give: 0.1}, {minimise: change}]\n"
    )
    cells = "place area source baseline\n01 TECH KCQG 50\n02 TECH KCQG 50"
    data = dataset(
        cells=cells,
        absorption="place area source upto rate\n01 TECH KCQG 100 0.9\n02 TECH KCQG 100 0.5",
    )
    plan = allocate(data, scenario(text))
    rule = plan.rules().set_index("id").loc["cap"]
    assert rule["status"] == "met"
    assert rule["price"] == pytest.approx(0.4)  # by hand: 0.9 − 0.5
    best = [
        allocate(data, scenario(text.replace("60", cap)), detail=False).goals[0]["best"]
        for cap in ("60", "61")
    ]
    assert rule["price"] == pytest.approx(best[1] - best[0])
    told = [one for one in plan.explain("vi") if "đang hạn chế mức tốt nhất của" in one]
    assert len(told) == 1


LOW = {
    "the best line itself uses little": (
        "",
        "place area source upto rate\n01 TECH KCQG 55 0.9\n01 TECH KCQG 200 0.4\n"
        "02 TECH KCQG 30 0.8\n02 TECH KCQG 200 0.2\n04 TECH KCQG 200 0.1",
        "chỉ giải ngân được 40 % số thêm vì dòng giải ngân tốt nhất là Hà Nội, mà đồng tiếp theo "
        "ở đó cũng chỉ giải ngân được 40 % (cả kế hoạch của dòng: 79,3 %).",
    ),
    "a rule holds the best line": (
        "{id: cap, where: {place: '01'}, max: 50, text: Trần Hà Nội}",
        RATES,
        "chỉ giải ngân được 50 % số thêm vì dòng giải ngân tốt nhất, Hà Nội (đồng tiếp theo "
        "90 %, cả kế hoạch của dòng 90 %), đang bị giữ bởi “Trần Hà Nội”; phần thêm phải đến "
        "dòng khác.",
    ),
    "a share sends money elsewhere": (
        "{id: share, where: {place: '04'}, of: all, min: 0.5, text: Hà Giang một nửa}",
        RATES,
        "chỉ giải ngân được 60 % số thêm vì các quy định cùng lúc không cho dồn vào dòng giải "
        "ngân tốt nhất, Hà Nội (đồng tiếp theo 90 %, cả kế hoạch của dòng 90 %).",
    ),
    "much of it is used": ("", RATES, ""),
}


@pytest.mark.parametrize("case", LOW)
def test_why_little_of_more_money_is_disbursed_is_told_beside_it(case):
    rules, rates, said = LOW[case]
    text = f"budget: [{{source: KCQG, amount: 100, text: Vốn}}]\nrules: [{rules}]\n"
    text += "goals: [{maximise: disbursed}]\n"
    plan = allocate(dataset(cells=CELLS, absorption=rates), scenario(text))
    told = plan.explain("vi")
    low = [line for line in told if line.startswith("Thêm vào “Khuyến công quốc gia (Vốn)” ")]
    assert low == ([f"Thêm vào “Khuyến công quốc gia (Vốn)” {said}"] if said else [])
    if low:  # the gain that it explains stands right before it
        assert "(Vốn)”" in told[told.index(low[0]) - 1]
        gain = plan.rules().set_index("id").loc["budget:1"]
        rate = f"{100 * gain['gain'] / gain['step']:.4g}".replace(".", ",")
        assert f"chỉ giải ngân được {rate} %" in low[0]
    assert any("Only" in line for line in plan.explain("en")) == bool(said)


def test_a_line_that_the_goals_gave_up_is_not_put_down_to_rules():
    text = "budget: [{source: KCQG, amount: 100, text: Vốn}]\n"
    text += "goals: [{maximise: disbursed, give: 0.1}, {minimise: change}]\n"
    rates = RATES.replace("200  0.9", "70 0.9")
    told = allocate(dataset(cells=CELLS, absorption=rates), scenario(text)).explain("vi")
    (low,) = [line for line in told if line.startswith("Thêm vào “Khuyến công quốc gia (Vốn)” ")]
    assert "đã được dùng ở mức tốt nhất của mục tiêu 1 hoặc bị các quy định" in low
