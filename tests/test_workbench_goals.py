"""Goals and selections as a planner writes them, and moves that are left off a list."""

from __future__ import annotations

import html
import importlib
import re
import threading
from dataclasses import replace
from decimal import Decimal

import pandas as pd
import pytest
from datasets import absorbing, dataset, scenario
from hypothesis import given, settings
from hypothesis import strategies as st
from waiting import until

from kc_model import reference
from kc_model.allocate import allocate
from kc_model.errors import InputError
from kc_model.moves import moves, refuse
from kc_model.scenario import GOALS, Goal, read_scenario, scenario_yaml
from kc_model.words import Words
from kc_model.workbench import following, show_plan
from kc_model.workbench.adding import Asked, new_goal
from kc_model.workbench.adjusting import at_month
from kc_model.workbench.editing import TABLES, edited, rows_of
from kc_model.workbench.levers import levers_of, move
from kc_model.workbench.marking import mark
from kc_model.workbench.selecting import read_selection, selection_text

CELLS = """
place area source baseline
01 TECH KCQG 3000
01 TRAIN KCQG 1000
02 TECH KCQG 2000
02 TRAIN KCQG 2000
"""
PLACES = """
place population difficult
01 8000 0
02 900 1
"""
TEXT = """
budget: [{source: KCQG, amount: 8000}]
goals:
  - {maximise: disbursed, give: 0.01, where: {place: ["01"]}}
  - {maximise: evenness, per: population}
  - {maximise: {column: difficult}}
  - {minimise: risk}
round_to: 1
"""
COLUMN = {key: number for number, key in enumerate(TABLES["goals"])}


@pytest.fixture(scope="module")
def data():
    return dataset(cells=CELLS, places=PLACES, absorption=absorbing(CELLS))


def typed(data, row, key, text, language="vi"):
    return edited(scenario(TEXT), "goals", (row, COLUMN[key]), text, data, language).goals


@pytest.mark.parametrize(
    ("row", "key", "text", "field", "value"),
    [
        (0, "give", "1,5", "give", Decimal("0.015")),
        (0, "give", "2 %", "give", Decimal("0.02")),
        (0, "give", "", "give", Decimal(0)),
        (3, "level", "95", "level", Decimal("0.95")),
        (3, "level", "", "level", Decimal("0.9")),
        (1, "column", "DIFFICULT", "per", "difficult"),
        (2, "column", "population", "what", "column:population"),
        (0, "where", "", "where", {}),
        (0, "where", "tỉnh hà giang|Hà Nội", "where", {"place": ("02", "01")}),
        (0, "where", "TECH; KCQG", "where", {"area": ("TECH",), "source": ("KCQG",)}),
        (0, "where", "difficult=1", "where", {"difficult": ("1",)}),
        (0, "where", "area = TRAIN", "where", {"area": ("TRAIN",)}),
        (3, "where", "Khu vực phía Bắc", "where", {"region": ("R-N",)}),
        (0, "level", "–", "level", Decimal("0.9")),
    ],
)
def test_what_is_typed_of_a_goal_is_read(data, row, key, text, field, value):
    goals = typed(data, row, key, text)
    assert getattr(goals[row], field) == value
    others = [goal for n, goal in enumerate(goals) if n != row]
    assert others == [goal for n, goal in enumerate(scenario(TEXT).goals) if n != row]


@pytest.mark.parametrize(
    ("row", "key", "text", "code"),
    [
        (0, "give", "1.5", "typed-number-comma"),
        (0, "give", "-1", "scenario-negative"),
        (0, "give", "100", "typed-share"),
        (3, "level", "100", "typed-share"),
        (0, "level", "90", "not-of-this-goal"),
        (0, "column", "population", "not-of-this-goal"),
        (1, "column", "thu nhập", "not-one-of"),
        (0, "where", "Hà Nộii", "unknown-selection"),
        (0, "where", "Hà Nội; Hà Giang", "repeated-key"),
        (0, "where", "vùng=1", "unknown-attribute"),
        (0, "where", "KCDP", "empty-selection"),
    ],
)
def test_what_a_goal_cannot_be_is_refused_at_its_cell(data, row, key, text, code):
    with pytest.raises(InputError) as caught:
        typed(data, row, key, text)
    (fault,) = caught.value.faults
    assert fault.code == code
    assert "None" not in fault.text("vi") + fault.text("en")


@settings(max_examples=60)
@given(
    st.fixed_dictionaries(
        {},
        optional={
            "source": st.lists(st.sampled_from(["KCQG"]), min_size=1, max_size=1),
            "area": st.lists(st.sampled_from(["TECH", "TRAIN"]), min_size=1, unique=True),
            "place": st.lists(st.sampled_from(["01", "02"]), min_size=1, unique=True),
            "region": st.just(["R-N"]),
            "difficult": st.just(["0", "1"]),
        },
    ),
    st.sampled_from(["vi", "en"]),
)
def test_what_a_selection_shows_can_be_typed_again(where, language):
    about = dataset(cells=CELLS, places=PLACES)
    wanted = {key: tuple(values) for key, values in where.items()}
    text = selection_text(wanted, Words("million_vnd", "63", language))
    assert read_selection(text, scenario(TEXT), about) == wanted


def test_every_place_area_and_fund_is_told_apart_by_its_name():
    words = Words("million_vnd", "34", "vi")
    orders = {"area": reference.area_order(), "place": reference.place_order("34")[5:]}
    cells = "place area source baseline\n" + "\n".join(
        f"{place} {area} KCQG 1" for place in orders["place"] for area in orders["area"][:-1]
    )
    about = dataset(cells=cells, vintage="34")
    for key, codes in orders.items():
        for code in codes[: None if key == "place" else -1]:
            where = {key: (code,)}
            assert read_selection(selection_text(where, words), scenario(TEXT), about) == where


@settings(max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["up", "down"])), max_size=8))
def test_goals_change_places_and_none_is_lost(steps):
    about, wanted = dataset(cells=CELLS, places=PLACES), scenario(TEXT)
    order = list(range(4))
    for row, key in steps:
        to = row - 1 if key == "up" else row + 1
        wanted = edited(wanted, "goals", (row, COLUMN[key]), "", about, "vi")
        if 0 <= to < 4:
            order[row], order[to] = order[to], order[row]
    assert wanted.goals == tuple(scenario(TEXT).goals[n] for n in order)


def test_every_kind_of_goal_can_be_added_and_survives_a_file(data, tmp_path):
    base = replace(scenario(TEXT), goals=())
    kinds = [(sense, what) for sense, kinds in GOALS.items() for what in kinds]
    for sense, what in [*kinds, ("maximise", "column")]:
        asked = Asked({}, f"{sense} {what}", "", column="population")
        base = new_goal(base, asked, data, "vi")
        made = base.goals[-1]
        assert made.sense == sense
        assert made.what == (f"column:{asked.column}" if what == "column" else what)
        assert made.per == ("population" if what == "evenness" else "")
    file = tmp_path / "x.yaml"
    file.write_text(scenario_yaml(base), encoding="utf-8")
    assert read_scenario(file).goals == base.goals
    told = [row[0].shown for row in rows_of(base, "goals", data, "en")]
    assert told[0] == "1. most money used"
    assert len(set(told)) == len(kinds) + 1


def test_what_a_goal_may_lose_has_a_slider_and_is_noted(data):
    base = scenario(TEXT)
    levers = levers_of(base, "million_vnd")
    assert [lever.key for lever in levers] == ["total", "goal:1", "goal:2", "goal:3"]
    moved = move(base, levers, {"goal:1": Decimal("0.03")})
    assert [goal.give for goal in moved.goals] == [Decimal("0.03"), 0, 0, 0]
    (note,) = mark(base, moved, data).notes
    assert "giải ngân cao nhất, tính riêng Hà Nội (được lùi 3 %)" in note.vi
    assert "(được lùi 1 %)" in note.vi
    month = mark(base, replace(base, as_of=6), data)
    assert "số liệu đến hết tháng 6/2024, thay cho cả năm 2024" in month.notes[0].vi


# --- Moves that are left off the list ------------------------------------------------------------

HISTORY = "year month place area source plan released disbursed status\n" + "\n".join(
    f"{year} {month} {place} TECH KCQG {plan} {plan} {done} {status}"
    for place, plan in (("01", 4000), ("02", 2000), ("04", 900), ("06", 700))
    for year, month, status, share in (
        (2023, 6, "settled", 0.3),
        (2023, 12, "settled", 0.9),
        (2024, 6, "reported", 0.25),
    )
    for done in (round(plan * share),)
)
YEAR = """
budget: [{source: KCQG, amount: 7600}]
rules:
  - {id: less, where: {place: "01"}, max: 3700, tier: directive}
  - {id: more, where: {place: "02"}, min: 2200, tier: directive}
  - {id: last, where: {place: "04"}, max: 850, tier: directive}
goals: [{minimise: change}]
round_to: 1
"""


def words(text):
    inside = re.sub("</?span[^>]*>", "", text.value)
    return html.unescape(re.sub("<[^>]+>", " ", inside))


def amounts(text):
    return [int(one.replace(".", "")) for one in re.findall(r"([\d.]+) (?:khoản|triệu đồng)", text)]


@pytest.fixture
def year(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(following, "_CALM", 0.01)
    shown = show_plan(dataset(history=HISTORY), replace(scenario(YEAR), as_of=6))
    assert shown.wait(60)
    return shown


def test_a_scenario_of_a_month_opens_at_it(year):
    assert year.plan.as_of == year.as_of == year.adjusting.month.value == 6
    assert year.undo.disabled
    year.adjusting.month.value = -1
    assert year.wait(60)
    assert year.plan.as_of is None
    assert year.now().as_of is None
    assert year.keep.description == "Lưu (có thay đổi)"
    year.undo.click()
    assert year.wait(60)
    assert year.plan.as_of == 6
    assert year.keep.description == "Lưu phương án"


@pytest.mark.parametrize("least", ["", "40", "60,5", "1 tỷ"])
def test_what_is_listed_and_what_is_not_add_up(year, least):
    year.adjusting.least.value = least
    found = moves(year.plan)
    limit = {"": 0, "40": 40, "60,5": 60.5, "1 tỷ": 1000}[least]
    large = found[found["amount"] >= limit]
    rows = [row for row in year.adjusting.listed.rows if row["ticked"] == ""]
    listed = [int(row["cells"][3].replace(".", "")) for row in rows]
    assert listed == sorted(large["amount"], reverse=True)
    groups = {group["name"]: group for group in year.adjusting.listed.groups}
    for name, group in groups.items():
        inside = found[found["who_decides"] == name]
        if group["over"]:
            own = [v for v, row in zip(listed, rows, strict=True) if row["group"] == name]
            assert amounts(group["told"]) == [len(own), sum(own)]
            continue
        small = inside[inside["amount"] < limit]
        told = [len(inside), int(inside["amount"].sum())]
        told += [len(small), int(small["amount"].sum())] if len(small) else []
        assert amounts(group["told"].replace("(căn cứ", "|").split("|")[0]) == told[:2]
        assert amounts(group["told"])[-2:] == told[-2:]
    hidden = words(year.adjusting.hidden)
    assert bool(hidden) == (len(large) < len(found))
    assert year.plan.status == "optimal"
    assert year.keep.description == "Lưu phương án"  # a view, no change


def test_money_added_where_it_will_hardly_be_spent_is_told_beside_the_moves(year):
    found = moves(year.plan)
    assert (found["chance"] < 0.5).all()
    told = words(year.adjusting.told).split("so với kế hoạch đang giao.")[1]
    assert "2 dòng được thêm 350 triệu đồng" in told  # the largest first, each once
    assert re.findall(r"([^;:]+) – [^;]+ thêm (\d+) triệu đồng", told.split(": ", 1)[1]) == [
        ("Hà Giang", "259"),
        (" Bắc Kạn", "91"),
    ]
    share = f"{100 * found.loc[found['to_place'] == '02', 'chance'].iloc[0]:.0f} %"
    assert f"giải ngân khoảng {share}" in told
    shown = f"Tiền thêm ở nơi nhận dự báo chỉ giải ngân được khoảng {share}."
    reasons = [row["cells"][-1] for row in year.adjusting.listed.rows]
    assert reasons[0].endswith(shown)
    assert reasons[0] != shown  # that of the rule that asks for it stands before


def test_a_move_that_the_unit_shows_as_nothing_is_told_as_less(year):
    few = year.now().rules[0]
    year.go(replace(year.now(), round_to=None, rules=(replace(few, max=Decimal("3999.98")),)))
    assert year.wait(60)
    assert {row["cells"][3] for row in year.adjusting.listed.rows} == {"dưới 0,1"}
    assert "3 khoản, tổng 0,02 triệu đồng" in words(year.adjusting.told)


def test_few_moves_are_a_goal_like_any_other(year):
    year.adjusting.few.value = True
    names = [goal.name for goal in year.now().goals]
    assert names == ["minimise moves"]
    assert year.wait(60)
    year.adjusting.few.value = False
    assert [goal.name for goal in year.now().goals] == ["minimise change"]
    assert year.wait(60)
    for is_few in (True, False):
        year.undo.click()
        assert year.wait(60)
        assert year.adjusting.few.value == is_few
    assert year.now().goals == (Goal("minimise", "change"),)


def test_a_plan_switched_to_mid_year_makes_few_moves_and_says_so(year):
    year.adjusting.month.value = -1
    assert year.wait(60)
    year.go(replace(year.now(), goals=(Goal("maximise", "disbursed"), Goal("minimise", "change"))))
    assert year.wait(60)
    year.adjusting.month.value = 6
    assert year.wait(60)
    assert year.now().goals == (
        Goal("maximise", "disbursed", give=Decimal("0.001")),
        Goal("minimise", "moves"),
        Goal("maximise", "disbursed", give=Decimal("0.00000001")),  # of plans with as few moves
    )
    assert year.adjusting.few.value
    assert "ít khoản điều chỉnh nhất" in words(year.saved)
    assert any("điều chỉnh ít dòng nhất" in note.vi for note in year.scenario_now().notes)
    year.adjusting.month.value = -1
    assert year.wait(60)
    assert [goal.name for goal in year.now().goals] == ["maximise disbursed", "minimise change"]
    assert "trở lại mục tiêu" in words(year.saved)


@pytest.mark.parametrize(
    ("kept", "rate", "first", "also"),
    [
        (40, 0.04005, "Do quy định: Quản lý.", "chỉ"),
        (80, 0.1, "Nơi nhận", "10 %"),  # the rule is kept, but this would move without it
    ],
)
def test_few_moves_take_what_the_rule_asks_for_and_name_it(kept, rate, first, also):
    cells = "place area source baseline\n01 ADMN KCDP 100\n01 TECH KCDP 399900"
    absorption = f"""
place area source upto rate
01 ADMN KCDP {kept} 0.9
01 ADMN KCDP 200 0.04
01 TECH KCDP 399900 0.9
01 TECH KCDP 500000 {rate}
"""
    asked = """
budget: [{source: KCDP, place: "01", amount: 400000}]
rules: [{id: few, where: {area: ADMN}, of: all, max: 0.0002, tier: directive, text: Quản lý}]
goals: [{maximise: disbursed}, {minimise: change}]
round_to: 1
"""
    data = dataset(cells=cells, absorption=absorption)
    few, _ = at_month(scenario(asked), data, 6, "vi")
    (move,) = moves(allocate(data, few)).to_dict("records")
    assert move["amount"] == 20.0  # and not 60 for two thousand đồng more
    assert move["reason"].startswith(first)
    assert also in move["reason"]


def test_a_refused_move_leaves_the_moves_of_other_places_as_they_were():
    cells, absorption, budgets = "place area source baseline", "place area source upto rate", ""
    for place in ("01", "02", "04"):
        cells += f"\n{place} TECH KCDP 2000\n{place} TRAIN KCDP 200"
        absorption += f"\n{place} TECH KCDP 1500 0.9\n{place} TECH KCDP 2000 0.01"
        absorption += f"\n{place} TRAIN KCDP 200 0.9\n{place} TRAIN KCDP 260 0.2"
        absorption += f"\n{place} TRAIN KCDP 320 0.015"  # little is gained by these 60
        budgets += f'{{source: KCDP, place: "{place}", amount: 2200}}, '
    asked = f"""
budget: [{budgets}]
goals: [{{maximise: disbursed}}, {{minimise: change}}]
round_to: 0.1
"""
    data = dataset(cells=cells, absorption=absorption)
    few, _ = at_month(scenario(asked), data, 6, "vi")
    plan = allocate(data, few)
    before = moves(plan)
    assert before["from_place"].tolist() == ["01", "02", "04"]
    for number in before.index:
        left = moves(allocate(data, refuse(plan, [number])))
        others = before.drop(number).reset_index(drop=True)
        pd.testing.assert_frame_equal(left.reset_index(drop=True), others)


def test_a_newer_state_waits_for_no_search_and_few_moves_for_no_price(year, monkeypatch):
    year.adjusting.few.value = True
    assert year.wait(60)
    planner = importlib.import_module("kc_model.allocate.planner")
    search, price = planner.choose, planner._price_before_moves
    begun, searched, priced = (threading.Event() for _ in range(3))

    def choose(live, tell):
        if not begun.is_set():  # HiGHS asks nobody for seconds
            begun.set()
            searched.wait(60)
        return search(live, tell)

    def price_when_let(*how):
        priced.wait(60)
        price(*how)

    def is_found():
        goals = [goal.what for goal in year.plan.scenario.goals]
        return goals == ["moves"] and year.plan.cells["amount"].sum() == 6200 * 10**6

    monkeypatch.setattr(planner, "choose", choose)
    monkeypatch.setattr(planner, "_price_before_moves", price_when_let)
    year.sliders["total"].value = Decimal(6100)
    until(begun.is_set)
    year.sliders["total"].value = Decimal(6200)
    until(is_found)
    with year.work.lock:
        assert not searched.is_set()
        assert "Đang tính" in words(year.status)
    searched.set()
    priced.set()
    assert year.wait(60)
    assert is_found()
    assert "Đang tính" not in words(year.status)


def test_least_change_is_shown_at_once_until_few_moves_are_found(year, monkeypatch):
    year.adjusting.few.value = True
    assert year.wait(60)
    planner = year.following.maker._planners[True]
    found, gate, stop = planner.plan, threading.Event(), year.following.pricing.stop
    year.following.pricing._patience = 0.0

    def slow(asked, *, progress, **others):
        while not gate.wait(0.01):
            progress("choose", 0.1)
        return found(asked, progress=progress, **others)

    def goals():
        return [goal.what for goal in year.plan.scenario.goals]

    def stands_on_one_plan():
        drawn = (year.outcome._drawn[0], year.heat._plan, year._drawn)
        assert all(one is year.plan for one in drawn)
        assert f"{year.plan.cells['amount'].sum() // 10**6:,}".replace(",", ".") in (
            year.shares.table.value
        )
        assert not any("kc-grey" in one._dom_classes for one in year.outcome._texts)
        assert not year.shares.chart.greyed
        assert not year.changes.chart.greyed

    def is_at_once():
        return goals() == ["change"] and "Đang gom" in words(year.status)

    monkeypatch.setattr(planner, "plan", slow)
    year.sliders["total"].value = Decimal(6100)
    until(lambda: is_at_once() and stop.layout.display == "")
    with year.work.lock:
        stands_on_one_plan()
        assert "tốt nhất theo các mục tiêu" not in words(year.status)
        assert year.adjusting.listed.greyed
        assert [goal.what for goal in year.scenario_now().goals] == ["moves"]
        assert year.trading._now().scenario.goals == year.now().goals
    gate.set()
    assert year.wait(60)
    assert goals() == ["moves"]
    stands_on_one_plan()
    assert year.adjusting._shown[0] is year.plan
    assert not year.adjusting.listed.greyed
    assert "gom" not in words(year.status)

    gate.clear()
    year.sliders["total"].value = Decimal(6200)
    until(lambda: is_at_once() and stop.layout.display == "")
    assert stop.description == "Dừng, giữ phần đã có"
    stop.click()
    assert year.wait(60)
    assert goals() == ["change"]
    assert "Chưa gom được" in words(year.status)
    assert "giữ phần đã có" in words(year.following.pricing.told)
    stands_on_one_plan()
    assert year.adjusting._shown[0] is year.plan
    assert not year.export.disabled
    gate.set()
    for steps, total in ((year.undo, 6100), (year.reset, 7600)):
        steps.click()
        assert year.wait(60)
        assert year.plan.cells["amount"].sum() == total * 10**6
        assert year.plan.scenario == year.scenario_now()
        stands_on_one_plan()


MANY = 30  # places; each loses another amount that a second area of it takes


def test_of_many_moves_the_largest_stand_first_and_all_are_summed_up(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(following, "_CALM", 0.01)
    places = [place for place in reference.places("34")["code"] if place not in ("TW", "VN")]
    places = [place for place in places if not place.startswith("R-")][:MANY]
    lines = [
        f"{place} {area} {('KCQG', 'KCDP')[n % 2]} 1000"
        for n, place in enumerate(places)
        for area in ("TECH", "TRAIN")
    ]
    cells = "\n".join(["place area source baseline", *lines])
    history = "year month place area source plan disbursed\n"
    history += "\n".join(f"2026 6 {line} 100" for line in lines)
    rules = "".join(
        f"  - {{id: r{n}, where: {{place: '{place}', area: TECH}}, max: {990 - n}}}\n"
        f"  - {{id: s{n}, where: {{place: '{place}'}}, min: 2000}}\n"
        for n, place in enumerate(places)
    )
    local = "".join(f", {{source: KCDP, place: '{p}', amount: 2000}}" for p in places[1::2])
    text = f"budget: [{{source: KCQG, amount: {2000 * len(places[::2])}}}{local}]\n"
    text += f"rules:\n{rules}goals: [{{minimise: change}}]\nround_to: 1\n"
    data = dataset(history=history, cells=cells, absorption=absorbing(cells))
    shown = show_plan(data, replace(scenario(text), as_of=6, year=2026))
    assert shown.wait(60)
    found = moves(shown.plan)
    assert len(found) == MANY
    largest = sorted(found["amount"], reverse=True)[:10]
    rows, groups = shown.adjusting.listed.rows, shown.adjusting.listed.groups
    lead = [row for row in rows if row["group"] == "lead"]
    assert [float(row["cells"][3]) for row in lead] == largest
    assert {row["cells"][5].split(" quyết định. ")[0] for row in lead} == {
        "Bộ trưởng Bộ Công Thương",
        "UBND tỉnh hoặc Sở Công Thương được ủy quyền",
    }
    assert len(rows) == MANY  # none twice
    assert groups[0]["name"] == "lead"
    assert [group["is_shut"] for group in groups] == [False] + [True] * (len(groups) - 1)
    national = found[found["source"] == "KCQG"]["amount"]
    minister = next(group["told"] for group in groups if group["name"] == "minister")
    assert amounts(minister.split("(căn cứ")[0]) == [len(national), national.sum()]
    above = [float(row["cells"][3]) for row in lead if row["cells"][2] == "KCQG"]
    assert amounts(minister.split("trong đó")[1]) == [len(above), sum(above)]
    told = words(shown.adjusting.told)
    local_sum = int(found["amount"].sum() - national.sum())
    assert f"KCQG: {len(national)} khoản, {int(national.sum())} triệu đồng; KCĐP: " in told
    assert f"{MANY - len(national)} khoản, {local_sum} triệu đồng. " in told
    assert f"Theo cấp quyết định: Bộ trưởng Bộ Công Thương: {len(national)} khoản, " in told
    assert any(f"{2 * MANY} dòng tăng hoặc giảm" in one for one in shown.plan.explain())
