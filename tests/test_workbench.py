"""The workbench, moved from Python: what the sliders ask for, and what then stands on screen."""

from __future__ import annotations

import base64
import html
import json
import os
import re
import threading
import time
from dataclasses import replace
from decimal import Decimal
from functools import partial
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace

import openpyxl
import pandas as pd
import pytest
from datasets import absorbing, dataset, floored, scenario
from hypothesis import given, settings
from hypothesis import strategies as st
from waiting import until

from kc_model.allocate import Planner, allocate
from kc_model.allocate import planner as planner_room
from kc_model.errors import InputError
from kc_model.forecast import forecast, months_of
from kc_model.money import format_number, parse_money
from kc_model.progress import progress as progress_of
from kc_model.scenario import Goal, read_scenario
from kc_model.tables import Note
from kc_model.tradeoffs import compare, frontier
from kc_model.verify import verify
from kc_model.wording import LANGUAGES
from kc_model.words import Words
from kc_model.workbench import desk as desk_room
from kc_model.workbench import (
    following,
    lab,
    making,
    outcome,
    progress,
    screen,
    show_cases,
    show_forecast,
    show_plan,
    trading,
)
from kc_model.workbench.editing import TABLES, edited, rows_of
from kc_model.workbench.errand import Aside
from kc_model.workbench.folders import find_data, new_folder
from kc_model.workbench.funds import risks_table
from kc_model.workbench.levers import TotalLever, levers_of, move
from kc_model.workbench.loading import _coverage, _worth
from kc_model.workbench.marking import mark
from kc_model.workbench.newest import Newest, Step

ROOT = Path(__file__).parent.parent
HOSTILE = '</script><img src=x onerror="alert(1)">'
CELLS = """
place area source baseline
01 TECH ALL 3000
01 TRAIN ALL 1000
02 TECH ALL 2000
02 TRAIN ALL 2000
"""
RULES = """
budget: [{source: ALL, amount: 8000, text: Tổng kế hoạch}]
rules:
  - id: tech
    text: Công nghệ ít nhất 57,4 % tổng kinh phí
    where: {area: TECH}
    of: all
    min: 0.574
    tier: directive
  - {id: floor, text: "Mỗi tỉnh ít nhất 1.500 triệu đồng", each: place, min: 1500}
  - {id: steady, each: [place, area], per: baseline, min: 0.5, max: 2}
goals: [{minimise: change}]
round_to: 1
"""
HISTORY = """
year month place area source plan released disbursed
2022 6 01 TECH KCQG 3000 3000 900
2022 13 01 TECH KCQG 3000 3000 2700
2022 6 01 TECH KCDP 1000 - 200
2022 13 01 TECH KCDP 1000 - 800
2023 3 01 TECH KCQG 3000 3000 300
2023 3 01 TECH KCDP 1000 - 100
2023 6 01 TECH KCQG 3000 3000 800
2023 6 01 TECH KCDP 1000 - 300
"""


@pytest.fixture
def data():
    note = Note("assumed", f"Số giả định {HOSTILE}", "Assumed")
    return dataset(cells=CELLS, absorption=absorbing(CELLS), notes=(note,), title=HOSTILE)


@pytest.fixture
def plan_desk(data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(following, "_CALM", 0.01)
    shown = show_plan(data, scenario(RULES))
    shown.edit.value = True
    assert shown.wait(30)
    return shown


@pytest.fixture
def progress_desk():
    shown = show_forecast(dataset(history=HISTORY), 2023, 6)
    assert shown.wait(30)
    return shown


@pytest.fixture
def log(tmp_path, monkeypatch):
    file = tmp_path / "kc.log"
    monkeypatch.setattr(desk_room, "LOG", file)
    desk_room._logger.cache_clear()
    yield file
    logger = desk_room._logger()
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
        handler.close()
    desk_room._logger.cache_clear()


def words(text):
    """Return what a reader sees of some markup."""
    inside = re.sub("</?span[^>]*>", "", text.value)  # it keeps a share beside its sign
    return html.unescape(re.sub("<[^>]+>", " ", inside))


def ends(chart):
    """Return the total of every bar on screen."""
    return {row["name"]: row["total"] for row in chart.picture["rows"] if "total" in row}


# --- Levers --------------------------------------------------------------------------------------


def lever(key):
    return {one.key: one for one in levers_of(scenario(RULES), "million_vnd")}[key]


def test_every_bound_has_its_lever():
    keys = [one.key for one in levers_of(scenario(RULES), "million_vnd")]
    assert keys == ["total", "tech:min", "floor:min", "steady:min", "steady:max"]


@pytest.mark.parametrize(
    ("key", "shown"),
    [
        ("total", "8.000 triệu đồng"),
        ("tech:min", "57,4 %"),
        ("floor:min", "1.500 triệu đồng"),
        ("steady:min", "50 %"),
        ("steady:max", "200 %"),
    ],
)
def test_a_lever_offers_round_values_and_the_scenarios_own(key, shown):
    one = lever(key)
    choices = one.choices()
    assert list(choices) == sorted(set(choices))
    assert one.start in choices
    assert 50 <= len(choices) <= 401
    assert one.shown(one.start, "vi") == shown
    assert one.apply(scenario(RULES), one.start).hash == scenario(RULES).hash


@pytest.mark.parametrize(
    ("text", "value", "told"),
    [
        ("Công nghệ ít nhất 57,4 % tổng", "0.6", "Công nghệ ít nhất 60 % tổng"),
        ("Công nghệ ít nhất 57,4% tổng", "0.605", "Công nghệ ít nhất 60,5% tổng"),
        ("At least 57.4 % of all", "0.5", "At least 50 % of all"),
        ("Công nghệ theo kế hoạch", "0.6", "Công nghệ theo kế hoạch (đổi thành 60 %)"),
        (
            "57,4 % năm nay, 57,4 % năm sau",
            "0.6",
            "57,4 % năm nay, 57,4 % năm sau (đổi thành 60 %)",
        ),
        ("Công văn 57,4/CV", "0.6", "Công văn 57,4/CV (đổi thành 60 %)"),
        ("Ít nhất 157,4 %", "0.6", "Ít nhất 157,4 % (đổi thành 60 %)"),
        ("", "0.6", ""),
    ],
)
def test_a_rules_words_follow_its_bound(text, value, told):
    rules = scenario(RULES.replace("Công nghệ ít nhất 57,4 % tổng kinh phí", f'"{text}"'))
    one = {found.key: found for found in levers_of(rules, "million_vnd")}["tech:min"]
    (rule, *_) = one.apply(rules, Decimal(value)).rules
    assert (rule.min, rule.text) == (Decimal(value), told)


budgets = st.lists(st.integers(0, 10**9), min_size=1, max_size=40).filter(any)


@settings(max_examples=50)
@given(budgets, st.sampled_from([1, 5, 100]), st.integers(0, 200))
def test_scaled_budgets_add_up_to_the_total(amounts, grid, percent):
    rows = ", ".join(
        f"{{source: KCDP, place: P{i}, amount: {amount * grid}}}"
        for i, amount in enumerate(amounts)
    )
    base = scenario(f"budget: [{rows}]\nround_to: {grid}\n")
    one = TotalLever.of(base, "million_vnd")
    total = one.start * percent // 100 // grid * grid
    scaled = one.apply(base, total).budget
    assert sum(row.amount for row in scaled) == total
    assert all(row.amount % grid == 0 for row in scaled)
    for was, row in zip(base.budget, scaled, strict=True):
        assert abs(row.amount - was.amount * total / one.start) <= grid


@pytest.mark.parametrize(
    ("unit", "amounts", "step", "grid"),
    [
        ("million_vnd", ("2900.123456", "5800", "377"), "", "0.1"),
        ("million_vnd", ("2900.123456", "5800", "377"), "round_to: 0.000001", "0.1"),
        ("million_vnd", ("2900.123456", "5800", "377"), "round_to: 5", "5"),
        ("million_vnd", ("2900.123456", "5800", "377"), "round_to: 0.03", "0.12"),
        ("thousand_vnd", ("144860919.653", "7000", "12345.6"), "", "100"),
        ("vnd", ("290012345", "5800000000"), "", "100000"),
    ],
)
@pytest.mark.parametrize("overlap", [False, True])
def test_a_moved_total_is_shared_out_in_amounts_that_can_be_read(
    unit, amounts, step, grid, overlap
):
    places = [f"P{i}" for i in range(len(amounts))]
    keys = ["source: KCDP" if overlap and not i else f"place: {p}" for i, p in enumerate(places)]
    rows = ", ".join(f"{{{key}, amount: {one}}}" for key, one in zip(keys, amounts, strict=True))
    base = scenario(f"budget: [{rows}]\n{step}\n")
    one = TotalLever.of(base, unit)
    assert one.kind == ("share" if overlap else "money")
    for value in one.choices():
        moved = [row.amount for row in one.apply(base, value).budget]
        if value == one.start:
            assert moved == [Decimal(amount) for amount in amounts]
            continue
        assert all(amount % Decimal(grid) == 0 for amount in moved)
        if not overlap:
            assert sum(moved) == value


def test_overlapping_budgets_are_scaled_in_percent():
    base = scenario(
        "budget: [{source: KCQG, amount: 900}, {place: '01', amount: 300, pooled: true}]\n"
    )
    one = TotalLever.of(base, "million_vnd")
    assert one.shown(one.start, "vi") == "100 %"
    halved = one.apply(base, Decimal("0.5")).budget
    assert [row.amount for row in halved] == [450, 150]


def test_a_moved_scenario_says_so():
    base = scenario(RULES)
    levers = levers_of(base, "million_vnd")
    assert mark(base, move(base, levers, {one.key: one.start for one in levers}), dataset()) is base
    changed = move(base, levers, {"tech:min": Decimal("0.6"), "total": Decimal(9000)})
    moved = mark(base, changed, dataset())
    assert moved.name == "thử (đã sửa)"
    told = " ".join(note.vi for note in moved.notes)
    assert "60 %, thay cho 57,4 %" in told
    assert "9.000 triệu đồng, thay cho 8.000 triệu đồng" in told
    assert all(note.standing == "assumed" and note.en for note in moved.notes)


# --- Only the newest counts ----------------------------------------------------------------------


def test_a_stale_result_is_never_shown():
    shown, release = [], threading.Event()
    work = Newest(shown.append)
    work.start(Step(lambda _tell: release.wait(10) and "old", shown.append))
    work.start(Step(lambda _tell: "new", shown.append), Step(lambda _tell: "more", shown.append))
    until(lambda: shown == ["new", "more"])
    release.set()
    assert work.wait(10)
    assert shown == ["new", "more"]


def test_work_that_gives_way_begins_and_is_shown_later():
    shown, first, begun = [], threading.Event(), threading.Event()
    work = Newest(shown.append)
    work.start(Step(lambda _tell: begun.set() or "old", shown.append))
    assert work.wait(10)
    begun.clear()
    work.give_way = lambda: first.wait(10)
    work.start(Step(lambda _tell: begun.set() or "new", shown.append))
    assert not begun.wait(0.1)
    first.set()
    assert work.wait(10)
    assert shown == ["old", "new"]


def test_a_stale_failure_is_not_told_and_a_new_one_is():
    failed, release = [], threading.Event()

    def break_down(_tell):
        release.wait(10)
        raise ValueError("old")

    work = Newest(lambda error: failed.append(str(error)))
    work.start(Step(break_down, failed.append))
    work.start(Step(lambda _tell: 1 / 0, failed.append))
    until(lambda: failed)
    release.set()
    assert work.wait(10)
    assert failed == ["division by zero"]


def test_outdated_work_stops_at_its_next_sign_of_progress():
    shown, started, release = [], threading.Event(), threading.Event()

    def slow(tell):
        started.set()
        release.wait(10)
        tell("step", 0.5)
        shown.append("went on")

    work = Newest(shown.append)
    work.start(Step(slow, shown.append))
    started.wait(10)
    work.start(Step(lambda _tell: "new", shown.append))
    release.set()
    assert work.wait(10)
    assert shown == ["new"]


def test_what_waits_for_calm_does_not_begin_in_a_storm():
    shown = []
    work = Newest(shown.append)
    for number in range(5):
        work.start(
            Step(lambda _tell, number=number: number, shown.append),
            Step(lambda _tell: "prices", shown.append, pause=0.2),
        )
    assert work.wait(10)
    assert shown[-2:] == [4, "prices"]
    assert shown.count("prices") == 1


# --- The door to the screen ----------------------------------------------------------------------


def test_nothing_a_user_wrote_becomes_markup():
    for shown in (
        screen.heading(HOSTILE, HOSTILE),
        screen.bullets(HOSTILE, [HOSTILE]),
        screen.fold(HOSTILE, "<b>made here</b>"),
        screen.message([HOSTILE], "stop"),
        screen.table([(HOSTILE, HOSTILE), (HOSTILE, HOSTILE)], HOSTILE),
        screen.download(HOSTILE, b"", HOSTILE),
    ):
        assert "<img" not in shown
        assert "<script" not in shown
        assert html.escape(HOSTILE) in shown
        assert 'onerror="' not in shown


def test_a_download_holds_the_file():
    link = screen.download("a.xlsx", b"\x00PK\xff", "Tải")
    content = re.search('base64,([^"]*)', link)[1]
    assert base64.b64decode(content) == b"\x00PK\xff"
    assert 'download="a.xlsx"' in link


def test_the_code_of_charts_comes_along():
    engine = screen._engine()
    assert screen.ChartView().engine == engine.name
    code = engine.code
    assert len(code) > 500_000
    assert "vega" in code
    assert not re.search(r"""(import|from)\s*\(?["'](https?:)?//""", code)


def test_a_slider_stands_at_its_values():
    slider = screen.Slider((None, 1, 2), 1)
    assert (slider.index, slider.value) == (1, 1)
    slider.value = None
    assert slider.index == 0


# --- Folders -------------------------------------------------------------------------------------


def test_data_are_found_from_below(tmp_path):
    (tmp_path / "data" / "x").mkdir(parents=True)
    (tmp_path / "notebooks" / "deep").mkdir(parents=True)
    for start in (tmp_path, tmp_path / "notebooks", tmp_path / "notebooks" / "deep"):
        assert find_data("data/x", start) == tmp_path / "data" / "x"
    with pytest.raises(InputError) as caught:
        find_data("data/y", tmp_path)
    assert caught.value.faults[0].code == "data-not-found"


@pytest.mark.parametrize("name", ["../../etc", "a/b\\c", "  ", "Phương án 1", "x" * 300, "con:*?"])
def test_an_export_gets_a_new_folder_inside_out(tmp_path, name):
    (tmp_path / "data").mkdir()
    (tmp_path / "notebooks").mkdir()
    first = new_folder(name, tmp_path / "notebooks")
    first.mkdir(parents=True)
    second = new_folder(name, tmp_path / "notebooks")
    assert first.parent == second.parent == tmp_path / "out"
    assert first != second


# --- The desk "Phương án" ------------------------------------------------------------------------


def test_the_desk_shows_what_allocate_says(plan_desk, data):
    plan = allocate(data, scenario(RULES))
    assert plan_desk.shares.chart.picture["heading"] == "Tổng: 8.000 triệu đồng"
    sums = plan.cells.groupby("area", sort=False)["amount"].sum() / 10**6
    assert list(ends(plan_desk.shares.chart).values()) == [sums["TRAIN"], sums["TECH"]]
    for sentence in plan.explain():
        assert sentence in words(plan_desk.findings)
    assert plan_desk.plan.rules()["price"].notna().any()
    assert "Số giả định" in words(plan_desk.notes)
    assert "MÔ PHỎNG" in words(plan_desk.notes)


def test_a_slider_moves_the_plan(plan_desk, data):
    plan_desk.sliders["tech:min"].value = Decimal("0.75")
    plan_desk.sliders["total"].value = Decimal(9000)
    assert plan_desk.wait(30)
    asked = scenario(RULES.replace("8000", "9000").replace("0.574", "0.75"))
    plan = allocate(data, asked)
    assert plan_desk.plan.cells["amount"].tolist() == plan.cells["amount"].tolist()
    assert plan_desk.shares.chart.picture["heading"] == "Tổng: 9.000 triệu đồng"
    shown = ends(plan_desk.shares.chart)
    assert shown["Mô hình, công nghệ, máy móc"] == pytest.approx(6750, abs=1)
    labels = {
        row["name"]: row["label"]
        for row in plan_desk.shares.chart.picture["rows"]
        if "label" in row
    }
    assert labels["Mô hình, công nghệ, máy móc"] == "6.750 (75,0 %)"
    assert "75 % tổng kinh phí" in plan_desk.sliders["tech:min"].label
    assert "57,4" not in words(plan_desk.findings)


def test_losers_stand_first_in_the_table(plan_desk):
    plan_desk.sliders["tech:min"].value = Decimal("0.75")
    plan_desk.view.value = "area"
    assert plan_desk.wait(30)
    cells = re.findall("<td>([^<]*)</td>", plan_desk.changes.table.value)
    changes = [parse_money(text.replace("−", "-"), "vnd", "comma") for text in cells[2::4]]
    assert changes == sorted(changes)
    assert changes[0] < 0 < changes[-1]


def test_a_conflict_is_told_in_words_and_the_old_plan_turns_grey(plan_desk):
    before = plan_desk.shares.chart.picture["rows"]
    plan_desk.sliders["floor:min"].value = Decimal(3000)
    plan_desk.sliders["total"].value = Decimal(5000)
    assert plan_desk.wait(30)
    told = " ".join(map(words, plan_desk.mending.told))
    assert plan_desk.plan.status == "infeasible"
    assert "không còn đúng" in words(plan_desk.status)
    assert "mâu thuẫn" in told
    assert "Mỗi tỉnh ít nhất 3.000 triệu đồng" in told
    assert "Traceback" not in told
    assert plan_desk.shares.chart.greyed
    assert plan_desk.changes.chart.greyed
    assert plan_desk.shares.chart.picture["rows"] == before
    assert plan_desk.export.disabled
    assert not plan_desk.changes.table.value
    plan_desk.tongues.value = "en"
    assert "contradict" in words(plan_desk.mending.told[0])
    plan_desk.reset.click()
    assert plan_desk.wait(30)
    assert plan_desk.plan.status == "optimal"
    assert not plan_desk.shares.chart.greyed
    assert not plan_desk.export.disabled


def test_the_language_switch_changes_every_word(plan_desk):
    texts = [plan_desk.title, plan_desk.status, plan_desk.findings, plan_desk.changes.table]
    vietnamese = [text.value for text in texts]
    value = plan_desk.sliders["total"].value
    plan_desk.tongues.value = "en"
    assert all(text.value != before for text, before in zip(texts, vietnamese, strict=True))
    assert plan_desk.shares.chart.picture["heading"] == "Total: 8,000 million VND"
    assert plan_desk.sliders["total"].texts[plan_desk.sliders["total"].index] == (
        "8,000 million VND"
    )
    assert plan_desk.sliders["total"].value == value
    assert plan_desk.export.description == "Export proposal"
    plan_desk.tongues.value = "vi"
    assert [text.value for text in texts] == vietnamese


def test_an_export_is_saved_and_can_be_downloaded(plan_desk, tmp_path):
    plan_desk.sliders["total"].value = Decimal(7000)
    plan_desk.export.click()
    assert plan_desk.wait(60)
    (folder,) = (tmp_path / "out").iterdir()
    assert str(folder) in words(plan_desk.saved)
    summary = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    assert summary["certificate"]["total_vnd"] == 7000 * 10**6
    assert any("7.000 triệu đồng, thay cho 8.000" in note["vi"] for note in summary["notes"])
    name = re.search('download="([^"]*)"', plan_desk.saved.value)[1]
    assert re.fullmatch(r"de-xuat-[\w-]+\.xlsx", name)
    assert not (folder / "allocation.xlsx").exists()  # one name for one file
    assert verify(folder).proven
    content = re.search('base64,([^"]*)', plan_desk.saved.value)[1]
    assert base64.b64decode(content) == (folder / name).read_bytes()


def test_an_export_that_fails_is_told(plan_desk, tmp_path):
    blocked = tmp_path / "taken"
    blocked.write_text("a file, no folder")
    plan_desk.filing.folder = blocked
    plan_desk.export.click()
    assert plan_desk.wait(60)
    assert "kc-stop" in plan_desk.saved.value
    assert blocked.read_text() == "a file, no folder"
    assert not plan_desk.export.disabled


def test_what_nobody_foresaw_becomes_a_sentence(plan_desk, log, monkeypatch):
    def break_down(*_args, **_kwargs):
        raise RuntimeError(HOSTILE)

    monkeypatch.setattr(making.Planner, "plan", break_down)
    plan_desk.sliders["total"].value = Decimal(7000)
    assert plan_desk.wait(30)
    assert "ngoài dự kiến" in words(plan_desk.status)
    assert "RuntimeError" not in plan_desk.status.value
    assert "Traceback" in log.read_text(encoding="utf-8")
    assert plan_desk.shares.chart.greyed
    monkeypatch.setattr(outcome, "allocation_chart", break_down)  # in a callback, not in the work
    plan_desk.view.value = "place"
    plan_desk.tongues.value = "en"
    assert "unexpected" in words(plan_desk.status)


def test_faults_of_the_scenario_are_told_with_their_remedy(data, log):
    shown = show_plan(data, scenario(RULES.replace("per: baseline", "per: nowhere")))
    assert shown.wait(30)
    assert "“nowhere”" in words(shown.status)
    assert "unknown-attribute" not in words(shown.status)  # codes are for programs
    assert shown.plan is None
    assert not log.exists()


def test_an_older_move_never_overwrites_a_newer_one(plan_desk, monkeypatch):
    release, real = threading.Event(), making.Planner.plan

    def slow_at_first(self, asked, **kwargs):
        if asked.budget[0].amount == 7000:
            release.wait(20)
        return real(self, asked, **{**kwargs, "progress": None})

    monkeypatch.setattr(making.Planner, "plan", slow_at_first)
    plan_desk.sliders["total"].value = Decimal(7000)
    plan_desk.sliders["total"].value = Decimal(9000)
    until(lambda: plan_desk.shares.chart.picture["heading"] == "Tổng: 9.000 triệu đồng")
    release.set()
    assert plan_desk.wait(30)
    assert plan_desk.shares.chart.picture["heading"] == "Tổng: 9.000 triệu đồng"
    assert plan_desk.plan.cells["amount"].sum() == 9000 * 10**6


def test_prices_stand_before_reasons_and_reasons_of_an_older_plan_are_dropped(
    plan_desk, monkeypatch
):
    release, real = threading.Event(), planner_room._find_effects

    def slow(*args):
        release.wait(20)
        real(*args)

    monkeypatch.setattr(planner_room, "_find_effects", slow)
    plan_desk.sliders["total"].value = Decimal(9000)
    until(lambda: "Đang tính: vì sao" in words(plan_desk.status))
    assert "Đang tính: vì sao" in words(plan_desk.findings)
    assert plan_desk.plan.rule_rows["price"].notna().any()
    assert plan_desk.plan.effects.empty
    plan_desk.tongues.value = "en"
    assert "Working out why" in words(plan_desk.status)  # also in the other language
    plan_desk.tongues.value = "vi"
    plan_desk.sliders["total"].value = Decimal(9200)
    until(lambda: plan_desk.plan.cells["amount"].sum() == 9200 * 10**6)
    release.set()
    assert plan_desk.wait(30)
    assert plan_desk.plan.cells["amount"].sum() == 9200 * 10**6
    assert not plan_desk.plan.effects.empty
    assert "Đang tính" not in words(plan_desk.status) + words(plan_desk.findings)


def test_nothing_of_an_older_plan_stands_bright_beside_a_new_total(plan_desk, monkeypatch):
    monkeypatch.setattr(following, "_BREATH", 20.0)
    old = words(plan_desk.findings)
    plan_desk.sliders["total"].value = Decimal(9000)
    until(lambda: plan_desk.shares.chart.picture["heading"] == "Tổng: 9.000 triệu đồng")
    until(lambda: plan_desk.changes.chart.greyed)
    assert words(plan_desk.findings) == old
    texts = (plan_desk.losers, plan_desk.findings, plan_desk.changes.table)
    until(lambda: all("kc-grey" in text._dom_classes for text in texts))
    assert not plan_desk.shares.chart.greyed
    monkeypatch.setattr(following, "_BREATH", 0.01)
    plan_desk.sliders["total"].value = Decimal(9100)
    assert plan_desk.wait(30)
    assert not any("kc-grey" in text._dom_classes for text in texts)
    assert not plan_desk.changes.chart.greyed


def test_prices_that_take_long_say_so_and_can_be_stopped(plan_desk, monkeypatch):
    plan_desk.following.pricing._patience = 0.0
    shown, stop = plan_desk.following.pricing.told, plan_desk.following.pricing.stop

    def endless(_asked, *, progress, step="reasons", **_kwargs):
        progress(step, 0.9)
        while True:
            time.sleep(0.01)
            progress(step, 0.925)

    monkeypatch.setattr(plan_desk.following.maker._planners[True], "plan", endless)
    plan_desk.sliders["total"].value = Decimal(9000)
    until(lambda: "xong 25 %, còn khoảng" in words(shown))
    assert stop.layout.display == ""
    assert stop.description == "Dừng, giữ phần đã có"
    assert "Đang tính" in words(plan_desk.status)
    stop.click()
    assert plan_desk.wait(30)
    assert "Đã dừng" in words(shown)
    assert stop.layout.display == "none"
    assert "Đang tính" not in words(plan_desk.status)
    assert plan_desk.plan.cells["amount"].sum() == 9000 * 10**6
    search = partial(endless, step="choose")
    monkeypatch.setattr(plan_desk.following.maker._planners[False], "plan", search)
    plan_desk.sliders["total"].value = Decimal(9100)  # the plan itself takes long
    until(lambda: stop.layout.display == "")
    until(lambda: "nhiều nhất còn" in words(shown))  # its time is limited
    assert stop.description == "Dừng"  # nothing is there that could be kept
    stop.click()
    assert plan_desk.wait(30)
    assert "Đã dừng" in words(shown)
    assert plan_desk.shares.chart.greyed
    assert plan_desk.export.disabled
    assert not words(plan_desk.status).strip()


@pytest.mark.parametrize("step", ["choose", "conflicts"])
def test_no_time_left_is_told_that_is_not_known(step):
    aside = Aside(threading.RLock())
    aside.words("vi")
    told = []

    def work(progress):
        for share in (0.5, 0.99, 1.0):
            progress(step, share)
            told.append(words(aside.told))

    aside.run(work, lambda _step, _share: None)
    assert all("chưa biết còn bao lâu" in one and "%" not in one for one in told)


def test_what_ends_by_itself_tells_how_long_it_can_still_take():
    aside = Aside(threading.RLock())
    aside.words("vi")
    told = []

    def work(progress):
        for step in ("build", "choose"):
            progress(step, 0.5)
            told.append(words(aside.told))

    aside.run(work, lambda _step, _share: None, most=60.0)
    assert all("Đang tính, đã 0 giây; nhiều nhất còn 60 giây." in one for one in told)
    aside.run(work, lambda _step, _share: None, most=0.0)  # it is over time
    assert all("chưa biết còn bao lâu" in one for one in told[2:])


def test_sliders_asked_for_stand_in_front(data):
    shown = show_plan(data, scenario(RULES), sliders=["floor"])
    assert list(shown.steering.children[0].children) == [
        shown.sliders["total"],
        shown.sliders["floor:min"],
    ]
    assert shown.wait(30)


# --- The desk "Tiến độ" --------------------------------------------------------------------------


def test_the_forecast_on_screen_is_the_librarys(progress_desk):
    outlook = forecast(dataset(history=HISTORY), 2023, 6)
    rows = outlook.table()
    expected = rows[rows["level"] == "source"]["expected"]
    assert progress_desk.level.value == "source"
    shown = [row["expected"] for row in progress_desk.ranges.chart.picture["rows"]]
    assert shown == pytest.approx(expected.tolist())
    assert "1.100" in words(progress_desk.ranges.table) or "800" in words(
        progress_desk.ranges.table
    )
    assert outlook.notes[0].vi in words(progress_desk.notes)


@pytest.mark.parametrize("language", LANGUAGES)
def test_lines_at_risk_stand_in_the_tables_unit_the_largest_first(language):
    data = dataset(history=HISTORY)
    found = progress_of(data, forecast(data, 2023, 6))
    shown = re.findall("<td>([^<]*)</td>", risks_table(found, language))
    mark = "comma" if language == "vi" else "point"
    money = [parse_money(text, "million_vnd", mark) for text in shown if text[0].isdigit()]
    lost = money[2::3]
    assert lost == sorted(lost, reverse=True)
    assert lost == pytest.approx([int(one) for one in found.at_risk()["unspent"]], abs=50_000)
    whole = found.rows.loc[found.rows["level"] == "all", "unspent"].iloc[0]
    assert sum(lost) == pytest.approx(int(whole), abs=50_000 * len(lost))
    told = found.sentences(language, risks=False)
    assert len(told) == len(found.sentences(language)) - (len(lost) > 1)


def test_late_money_lowers_the_year_end_and_is_told(progress_desk):
    before = progress_desk.ranges.chart.picture["heading"]
    progress_desk.arrival.value = 11
    assert progress_desk.wait(30)
    outlook = forecast(dataset(history=HISTORY), 2023, 6, arrival={"KCQG": 11})
    rows = outlook.table()
    expected = float(rows[rows["level"] == "all"]["expected"].iloc[0])
    assert progress_desk.ranges.chart.picture["heading"] != before
    told = words(progress_desk.late)
    assert "tháng 11" in told
    assert f"{expected:,.0f}".replace(",", ".") in told
    assert "Vì sao: mô hình coi tiền chưa về chỉ bắt đầu được chi từ tháng 11" in told
    progress_desk.arrival.value = None
    assert progress_desk.wait(30)
    assert progress_desk.ranges.chart.picture["heading"] == before
    assert not progress_desk.late.value


def test_the_year_by_month_is_the_librarys_of_what_was_chosen(progress_desk):
    history = dataset(history=HISTORY)
    months = months_of(history, forecast(history, 2023, 6))
    assert months.note.vi in words(progress_desk.by_month)
    for where in (None, {"source": "KCDP"}):
        progress_desk.scope.value = next(iter(where.items())) if where else ("", "")
        table = months.table(where)
        shown = progress_desk.fan.chart.picture["rows"]
        assert [row["month"] for row in shown] == table["month"].tolist()
        assert shown[-1]["expected"] == pytest.approx(table["expected"].iloc[-1])
    assert "địa phương" in progress_desk.fan.chart.picture["structure"]["title"]["subtitle"]
    progress_desk.as_of.value = 3
    assert progress_desk.wait(30)
    table = months_of(history, forecast(history, 2023, 3)).table({"source": "KCDP"})
    assert len(progress_desk.fan.chart.picture["rows"]) == len(table)
    assert not progress_desk.fan.chart.greyed


def test_places_are_coloured_by_what_was_chosen():
    history = HISTORY.replace("2023 6 01 TECH KCDP", "2023 6 02 TECH KCDP")
    shown = show_forecast(dataset(history=history), 2023, 6)
    assert shown.wait(30)
    rows = progress_of(shown.data, shown.outlook).table()
    rows = rows[rows["level"] == "place"].set_index("place")
    assert "Dự kiến không giải ngân hết" in words(shown.tiles.table)
    shown.measure.value = "done"
    values = {row["name"]: row["value"] for row in shown.tiles.chart.picture["rows"]}
    assert values["Hà Nội"] == f"{100 * rows.loc['01', 'completion']:.1f}".replace(".", ",")
    shown.tongues.value = "en"
    assert shown.measure.value == "done"
    assert "Lowest" in shown.tiles.chart.picture["heading"]


def test_a_chart_and_its_table_are_saved_as_three_files(progress_desk, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    progress_desk.fan.save.click()
    assert progress_desk.wait(60)
    (folder,) = (tmp_path / "out").iterdir()
    assert str(folder) in words(progress_desk.fan.saved)
    files = {file.suffix: file.read_bytes() for file in folder.iterdir()}
    assert files[".png"].startswith(b"\x89PNG")
    assert "Đã giải ngân" in files[".svg"].decode()
    book = openpyxl.load_workbook(BytesIO(files[".xlsx"]))
    printed = {str(cell.value) for row in book.worksheets[0].iter_rows() for cell in row}
    assert "Tháng 6" in printed
    linked = re.findall('base64,([^"]*)', progress_desk.fan.saved.value)
    assert {base64.b64decode(one) for one in linked} == set(files.values())


def test_money_can_be_supposed_to_come_in_months_still_to_come(progress_desk):
    assert progress_desk.arrival.values == (None, *range(7, 13))
    progress_desk.arrival.value = 8
    progress_desk.as_of.value = 3
    assert progress_desk.wait(30)
    assert progress_desk.arrival.value == 8
    assert progress_desk.arrival.texts[1] == "tháng 4"
    asked = show_forecast(dataset(history=HISTORY), 2023, 6, arrival=2)  # as a notebook may
    assert asked.wait(30)
    assert asked.arrival.values == (None, 2, *range(7, 13))
    assert "Giả sử tiền quốc gia đã về từ tháng 2" in words(asked.late)
    asked.arrival.value = 7
    asked.as_of.value = 3
    assert asked.arrival.value == 7


def test_the_cut_off_moves_to_months_that_have_figures(progress_desk):
    assert progress_desk.as_of.values == (0, 3, 6)
    progress_desk.as_of.value = 3
    assert progress_desk.wait(30)
    assert "hết tháng 3" in progress_desk.ranges.chart.picture["structure"]["title"]["subtitle"]


def test_nothing_of_another_month_stands_bright_and_a_long_forecast_can_be_stopped(
    progress_desk, monkeypatch
):
    desk, shown = progress_desk, progress_desk.working
    shown._patience, made = 0.0, progress.forecast

    def endless(*_args, progress, **_kwargs):
        progress("learning", 0.0)
        while True:
            time.sleep(0.01)
            progress("learning", 0.25)

    monkeypatch.setattr(progress, "forecast", endless)
    desk.as_of.value = 3
    assert "kc-grey" in desk._results._dom_classes
    assert "số liệu đến" in words(desk.status).lower()
    assert "tháng 3" in words(desk.status)
    assert desk.export.disabled
    until(lambda: "xong 25 %, còn khoảng" in words(shown.told))
    assert shown.stop.layout.display == ""
    shown.stop.click()
    assert desk.wait(30)
    assert "Đã dừng" in words(shown.told)
    assert (desk.as_of.value, desk.outlook.as_of) == (6, 6)
    assert "kc-grey" not in desk._results._dom_classes
    assert not desk.export.disabled
    assert not words(desk.status).strip()
    monkeypatch.setattr(progress, "forecast", made)
    desk.as_of.value = 3
    assert desk.wait(30)
    assert desk.outlook.as_of == 3
    assert "kc-grey" not in desk._results._dom_classes


def test_a_forecast_that_cannot_be_is_told_and_nothing_stale_stays_bright(log, monkeypatch):
    shown = show_forecast(dataset(history=HISTORY), 2019, 6)
    assert shown.wait(30)
    assert "Không dự báo được năm 2019" in words(shown.status)
    assert shown.outlook is None
    shown.year.value = 2023
    assert shown.wait(30)
    assert not shown.status.value
    monkeypatch.setattr(progress, "forecast", lambda *_args, **_kwargs: 1 / 0)
    shown.as_of.value = 3
    assert shown.wait(30)
    assert "ngoài dự kiến" in words(shown.status)
    assert shown.ranges.chart.greyed


def test_the_forecast_desk_speaks_english(progress_desk):
    progress_desk.tongues.value = "en"
    assert progress_desk.ranges.chart.picture["heading"].startswith("Expected by the end of 2023")
    assert progress_desk.level.label == "Fund"
    assert progress_desk.arrival.texts[0] == "as the data say"


@pytest.mark.parametrize("language", LANGUAGES)
def test_numbers_of_money_have_as_many_digits_and_counts_their_marks(language):
    lines = "\n".join(
        f"{year} {month} 01 TECH KCDP {plan} {done}"
        for year, plan in ((2022, "1000"), (2023, "4872.5"))
        for month, done in ((6, "200.5"), (12, "900"))
    )
    data = dataset(history=f"year month place area source plan disbursed\n{lines}")
    shown = re.findall(r"<td>([^<]*)</td>", _coverage(data, language))
    expected = ["1.000,0", "900,0", "4.872,5", "900,0"]  # plan and disbursed beside each other
    if language == "en":
        expected = [one.translate(str.maketrans(".,", ",.")) for one in expected]
    assert [one for one in shown if re.search(r"[.,]\d$", one)] == expected
    rows = pd.concat([data.history] * 300)
    many = replace(data, tables={**data.tables, "history": rows})
    assert format_number(1200, 0, language) in _worth(many, language)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_data_desk_says_why_the_year_stands_at_another_sum(language):
    rows = ["2023 12 01 TECH KCDP 900 800", "2023 12 04 TECH KCDP 100 80"]
    rows += ["2024 5 01 TECH KCDP 1000 100", "2024 5 04 TECH KCDP 500 50"]
    rows += ["2024 6 01 TECH KCDP 1000 150", "2024 6 04 TECH KCDP 500 -"]
    data = dataset(history="\n".join(["year month place area source plan disbursed", *rows]))
    (told,) = re.findall(r"2024: [^<]*|Năm 2024: [^<]*", _coverage(data, language))
    found = progress_of(data, forecast(data, 2024, 6, draws=50)).rows
    whole = found[found["level"] == "all"].iloc[0]
    shown = Words.of(data, language)
    total = shown.vnd(int(whole["disbursed"]))
    assert total == shown.vnd(200 * 10**6)
    for part in (total, shown.vnd(50 * 10**6), shown.name("04", "place")):
        assert part in told
    assert shown.name("01", "place") not in told
    rows[-1] = rows[-1].replace("-", "60")
    data = dataset(history="\n".join(["year month place area source plan disbursed", *rows]))
    assert "2024:" not in _coverage(data, language)


# --- The start page ------------------------------------------------------------------------------


def test_the_overview_lists_every_dataset_and_its_faults(tmp_path):
    good = tmp_path / "a"
    good.mkdir()
    (good / "dataset.yaml").write_text(
        f"title: '{HOSTILE}'\nvintage: '63'\nunit: million_vnd\nsynthetic: false\nsources: [x]\n",
        encoding="utf-8",
    )
    (good / "history.csv").write_text(
        "year,month,place,area,source,plan,disbursed\n2020,6,01,TECH,KCQG,10,1\n",
        encoding="utf-8",
    )
    bad = tmp_path / "b"
    bad.mkdir()
    (bad / "dataset.yaml").write_text("title: x\n", encoding="utf-8")
    shown = show_cases(tmp_path)
    assert shown.wait(30)
    assert "<img" not in shown.text.value
    told = words(shown.text)
    assert "2020" in told
    assert "lỗi phải sửa" in told
    shown.tongues.value = "en"
    assert "faults to mend" in words(shown.text)


def test_the_overview_names_lists_of_projects_that_are_not_complete(tmp_path):
    files = {
        "dataset.yaml": "title: x\nvintage: '34'\nunit: million_vnd\nsynthetic: false\n"
        "sources: [x]\n",
        "history.csv": "year,month,place,area,source,plan,disbursed\n2025,6,01,TECH,KCQG,100,10\n",
        "projects.csv": "id,name,place,area,source,support\nA,x,01,TECH,KCQG,40\n",
        "base.yaml": "name: x\nyear: 2025\nbudget: [{source: KCQG, amount: 100}]\n",
        "bad.yaml": "name: y\nyear: 2025\nbudget: [{source: KCQG, amount: x}]\n",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    shown = show_cases(tmp_path)
    assert shown.wait(30)
    assert "Danh mục đề án chưa đủ: 1 ô có đề án" in words(shown.text)
    assert "phương án: 1 lỗi phải sửa" in words(shown.text)


# --- Opening JupyterLab --------------------------------------------------------------------------


def test_lab_is_for_this_machine_alone_and_fetches_nothing():
    command = lab.lab_command(Path("/dự án có dấu cách"), ["--no-browser"])
    assert "--ServerApp.ip=127.0.0.1" in command
    assert "--LabApp.news_url=None" in command
    assert "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate" in command
    assert command[-1] == "--no-browser"
    assert not any("token" in part for part in command)  # JupyterLab makes its own
    settings_folder = lab.lab_environment()["JUPYTER_CONFIG_PATH"].split(os.pathsep)[0]
    config = json.loads(
        Path(settings_folder, "labconfig", "page_config.json").read_text(encoding="utf-8")
    )
    assert config["disabledExtensions"]["@jupyterlab/apputils-extension:announcements"]


def test_lab_opens_the_projects_notebooks(monkeypatch, tmp_path):
    called = []
    monkeypatch.setattr(
        lab.subprocess, "call", lambda command, **options: called.append((command, options)) or 0
    )
    assert lab.open_lab(ROOT / "notebooks") == 0
    ((command, options),) = called
    assert f"--ServerApp.root_dir={ROOT}" in command
    assert options["cwd"] == ROOT
    with pytest.raises(InputError):
        lab.open_lab(tmp_path)


# --- Tables to be filled in ----------------------------------------------------------------------


def typed(text, table="rules", where=(1, 1), language="vi"):
    return edited(scenario(RULES), table, where, text, dataset(), language)


@pytest.mark.parametrize(
    ("table", "where", "text", "language", "value"),
    [
        ("rules", (1, 1), "2.500,5", "vi", "2500.5"),
        ("rules", (1, 1), "2,500.5", "en", "2500.5"),
        ("rules", (1, 1), "1.500", "vi", "1500"),
        ("rules", (1, 1), "1,5 tỷ", "vi", "1500"),
        ("rules", (1, 1), " 1 500 ", "vi", "1500"),
        ("rules", (1, 2), "2.000.000.000 đồng", "vi", "2000"),
        ("rules", (0, 1), "57,45", "vi", "0.5745"),
        ("rules", (0, 1), "57,45 %", "vi", "0.5745"),
        ("rules", (2, 2), "150", "vi", "1.5"),
        ("rules", (2, 2), "", "vi", None),
        ("rules", (0, 3), "Bắt buộc", "vi", "law"),
        ("rules", (0, 4), "Công nghệ  trước", "vi", "Công nghệ trước"),
        ("budget", (0, 1), "7.999,000001", "vi", "7999.000001"),
    ],
)
def test_what_is_typed_is_read_exactly(table, where, text, language, value):
    changed = typed(text, table, where, language)
    entry = (changed.budget if table == "budget" else changed.rules)[where[0]]
    now = getattr(entry, TABLES[table][where[1]])
    assert str(now) == value or now == (value and Decimal(value))


def test_a_number_typed_stands_in_the_rules_own_words_too():
    assert typed("60", where=(0, 1)).rules[0].text == "Công nghệ ít nhất 60 % tổng kinh phí"
    assert typed("Bắt buộc", where=(0, 3)).rules[0].text == scenario(RULES).rules[0].text


@pytest.mark.parametrize(
    ("table", "where", "text", "code"),
    [
        ("rules", (1, 1), "2500.5", "typed-number-comma"),
        ("rules", (1, 1), "nhiều", "typed-number-comma"),
        ("rules", (1, 1), "1e5", "typed-number-comma"),
        ("rules", (1, 1), "-3", "scenario-negative"),
        ("rules", (1, 1), "", "no-bound"),
        ("rules", (1, 1), "0,0000001", "fraction-of-dong"),
        ("rules", (2, 1), "300", "rule-min-above-max"),
        ("rules", (0, 3), "tùy", "not-one-of"),
        ("budget", (0, 1), "", "typed-nothing"),
        ("budget", (0, 1), "99999999999999999999", "amount-too-large"),
    ],
)
def test_what_cannot_be_read_is_refused(table, where, text, code):
    with pytest.raises(InputError) as caught:
        typed(text, table, where)
    (fault,) = caught.value.faults
    assert fault.code == code
    assert "None" not in fault.text("vi") + fault.text("en")


@settings(max_examples=100)
@given(st.decimals(0, 10**9, places=6), st.sampled_from(["vi", "en"]))
def test_what_a_cell_shows_can_be_typed_again(amount, language):
    changed = scenario(RULES.replace("8000", str(amount)))
    (row, *_) = rows_of(changed, "budget", dataset(), language)
    assert row[1].shown.startswith(row[1].text)
    again = edited(changed, "budget", (0, 1), row[1].text, dataset(), language)
    assert again == changed


def shown(grid, row, column):
    return grid.rows[row][column]["shown"]


def test_a_cell_filled_in_moves_plan_slider_and_notes(plan_desk, data):
    grid = plan_desk.grids["rules"]
    assert shown(grid, 1, 1) == "1.500 triệu đồng"
    grid._told({"edits": [[1, 1, "3.500,5"]]})
    assert plan_desk.wait(30)
    plan = allocate(data, scenario(RULES.replace("min: 1500", "min: 3500.5")))
    assert plan_desk.plan.cells["amount"].tolist() == plan.cells["amount"].tolist()
    assert shown(grid, 1, 1) == "3.500,5 triệu đồng"
    assert "3.500,5 triệu đồng" in grid.said
    assert plan_desk.sliders["floor:min"].value == Decimal("3500.5")
    told = " ".join(note.vi for note in plan_desk.plan.notes)
    assert "3.500,5 triệu đồng, thay cho 1.500 triệu đồng" in told
    plan_desk.sliders["floor:min"].value = Decimal(2000)
    assert plan_desk.wait(30)
    assert shown(grid, 1, 1) == "2.000 triệu đồng"


@pytest.mark.parametrize(
    ("language", "edits", "told"),
    [
        ("vi", [[0, 1, "60"], [1, 1, "2,900.5"], [2, 1, "40"]], "2,900.5"),
        ("en", [[1, 1, "2,900"], [1, 2, "5.800,5"]], "5.800,5"),
        ("vi", [[1, 1, "Hà Nội"], [1, 2, "3.000"]], "Hà Nội"),
        ("vi", [[1, 1, "7.000"], [1, 2, "6.000"]], "7.000"),
    ],
)
def test_a_block_of_which_a_cell_cannot_be_read_is_refused_whole(plan_desk, language, edits, told):
    grid = plan_desk.grids["rules"]
    plan_desk.tongues.value = language
    before = grid.rows
    grid._told({"edits": edits})
    assert grid.is_refusal
    assert grid.said.startswith({"vi": "Chưa dán gì", "en": "Nothing was pasted"}[language])
    assert told in grid.said
    assert grid.rows == before
    assert plan_desk.undo.disabled
    assert not plan_desk.filling.standing()
    assert plan_desk.scenario_now().hash == scenario(RULES).hash


def test_a_block_may_raise_both_bounds_of_a_rule(plan_desk):
    grid = plan_desk.grids["rules"]
    grid._told({"edits": [[1, 1, "1.600"], [1, 2, "1.700"]]})
    grid._told({"edits": [[1, 1, "2.000"], [1, 2, "3.000"]]})
    assert not grid.is_refusal
    assert [shown(grid, 1, column) for column in (1, 2)] == ["2.000 triệu đồng", "3.000 triệu đồng"]
    plan_desk.undo.click()
    assert shown(grid, 1, 1) == "1.600 triệu đồng"
    assert plan_desk.wait(30)


def test_a_cell_that_cannot_be_read_keeps_what_was_typed(plan_desk):
    grid = plan_desk.grids["rules"]
    grid._told({"edits": [[1, 1, "2500.5"]]})
    assert plan_desk.wait(30)
    assert shown(grid, 1, 1) == "2500.5"
    assert "2.500,5" in grid.rows[1][1]["error"]
    assert "Chưa nhận 1 ô" in grid.said
    assert plan_desk.scenario_now().rules[1].min == 1500
    plan_desk.tongues.value = "en"
    assert "cannot be read" in grid.rows[1][1]["error"]
    grid._told({"edits": [[1, 1, "2,500.5"]]})
    assert not grid.rows[1][1]["error"]
    assert shown(grid, 1, 1) == "2,500.5 million VND"
    assert plan_desk.wait(30)


def test_a_refused_cell_holds_back_files_until_it_is_taken_back(plan_desk, tmp_path):
    grid = plan_desk.grids["rules"]
    grid._told({"edits": [[1, 1, "2.500"]]})
    grid._told({"edits": [[1, 1, "nhiều"]]})
    assert "Đang dùng: 2.500 triệu đồng." in grid.rows[1][1]["error"]
    plan_desk.edit.value = False
    for button in (plan_desk.export, plan_desk.keep, plan_desk.filing.copy):
        plan_desk.saved.value = ""
        button.click()
        assert plan_desk.wait(30)
        told = words(plan_desk.saved)
        assert "bảng “Quy định”, dòng “Kinh phí mọi nguồn của từng địa bàn: ít nhất 2.5" in told
        assert "cột “Tối thiểu” đang có “nhiều”" in told
    assert plan_desk.edit.value  # where it stands is to be seen
    assert not list(tmp_path.iterdir())
    plan_desk.undo.click()
    assert not words(plan_desk.saved).strip()
    assert shown(grid, 1, 1) == "2.500 triệu đồng"
    plan_desk.undo.click()
    assert shown(grid, 1, 1) == "1.500 triệu đồng"
    assert plan_desk.wait(30)


def test_a_block_with_no_room_is_refused_whole(plan_desk):
    grid = plan_desk.grids["budget"]
    grid._told({"over": ["2.000", "3.000"], "lines": 3, "room": 1})
    assert grid.is_refusal
    assert "khối dán có 3 dòng" in grid.said
    assert "“2.000”; “3.000”" in grid.said
    assert plan_desk.undo.disabled
    grid._told({"edits": [[0, TABLES["budget"].index("drop"), ""]]})  # the only one
    assert "khoản kinh phí duy nhất" in grid.said
    assert not plan_desk.filling.standing()


def test_what_was_said_of_an_older_plan_goes(plan_desk):
    plan_desk.export.click()
    assert plan_desk.wait(60)
    assert "de-xuat-" in plan_desk.saved.value
    plan_desk.reset.click()
    assert not plan_desk.saved.value
    plan_desk.export.click()
    plan_desk.sliders["total"].value = Decimal(7000)  # while it is being made
    assert plan_desk.wait(60)
    assert "chưa có những thay đổi sau đó" in words(plan_desk.saved)


def test_twenty_changes_can_be_undone_and_all_by_reset(plan_desk):
    grid = plan_desk.grids["budget"]
    for amount in range(8001, 8026):
        grid._told({"edits": [[0, 1, str(amount)]]})
    assert plan_desk.wait(30)
    for _ in range(30):
        plan_desk.pressed._told({"step": -1})
    assert plan_desk.wait(30)
    assert shown(grid, 0, 1) == "8.005 triệu đồng"
    assert plan_desk.undo.disabled
    for amount in ("8.006", "8.007"):
        plan_desk.pressed._told({"step": 1})
        assert shown(grid, 0, 1) == f"{amount} triệu đồng"
    plan_desk.undo.click()
    plan_desk.undo.click()
    assert plan_desk.shares.chart.picture["heading"] == "Tổng: 8.005 triệu đồng"
    plan_desk.reset.click()
    assert plan_desk.wait(30)
    assert plan_desk.scenario_now().hash == scenario(RULES).hash
    plan_desk.undo.click()
    assert shown(grid, 0, 1) == "8.005 triệu đồng"
    assert plan_desk.wait(30)


def test_a_bound_that_comes_or_goes_has_its_slider(plan_desk):
    grid = plan_desk.grids["rules"]
    grid._told({"edits": [[1, 2, "6.000"], [0, 3, "bắt buộc"]]})
    assert plan_desk.wait(30)
    assert plan_desk.sliders["floor:max"].value == 6000
    told = " ".join(note.vi for note in plan_desk.plan.notes)
    assert "6.000 triệu đồng, thay cho để trống" in told
    assert "bắt buộc, thay cho theo chỉ đạo" in told
    plan_desk.undo.click()
    assert plan_desk.wait(30)
    assert "floor:max" not in plan_desk.sliders
    plan_desk.redo.click()
    assert plan_desk.sliders["floor:max"].value == 6000
    plan_desk.undo.click()
    grid._told({"edits": [[1, 1, "2.000"]]})  # another way: what was taken back is gone
    assert plan_desk.redo.disabled
    assert plan_desk.wait(30)


def test_what_is_on_screen_is_kept_as_a_scenario(plan_desk, tmp_path):
    plan_desk.filing.home, kept = tmp_path / "phuong-an", []
    plan_desk.on_keep = lambda file, saved: kept.append((file, saved))
    grid = plan_desk.grids["rules"]
    grid._told({"edits": [[1, 1, "2.500,5"]]})
    plan_desk.name._told({"text": "Sàn cao / 1"})  # as the page sends it, key by key
    assert plan_desk.keep.description == "Lưu (có thay đổi)"
    plan_desk.keep.click()
    assert plan_desk.keep.description == "Lưu phương án"
    ((file, saved),) = kept
    assert file == tmp_path / "phuong-an" / "Sàn-cao-1.yaml"
    assert read_scenario(file) == saved
    assert saved.name == "Sàn cao / 1"
    assert saved.rules[1].min == Decimal("2500.5")
    assert str(file) in words(plan_desk.saved)
    assert "Sàn cao / 1, năm" in words(plan_desk.title)
    assert plan_desk.wait(30)
    assert plan_desk.plan.scenario_name == "Sàn cao / 1"
    assert plan_desk.scenario_now() == saved
    plan_desk.keep.click()  # our own file
    assert len(kept) == 2
    plan_desk.filing.copy.click()
    assert plan_desk.scenario_now().name == "Sàn cao / 1 (bản sao 1)"
    plan_desk.undo.click()
    assert plan_desk.scenario_now().rules[1].min == 1500
    assert plan_desk.scenario_now().name == "Sàn cao / 1 (bản sao 1) (đã sửa)"
    plan_desk.reset.click()
    assert plan_desk.scenario_now() == kept[-1][1]
    plan_desk.name.value = "Sàn cao / 1"
    assert plan_desk.wait(30)
    file.write_text("của người khác", encoding="utf-8")
    plan_desk.keep.click()
    assert "kc-stop" in plan_desk.saved.value
    assert file.read_text(encoding="utf-8") == "của người khác"
    assert plan_desk.wait(30)


# --- Conflicts, scenarios side by side, trade-offs -----------------------------------------------


def test_every_way_out_gives_a_plan_and_can_be_taken_back(plan_desk):
    plan_desk.sliders["floor:min"].value = Decimal(3000)
    plan_desk.sliders["total"].value = Decimal(5000)
    assert plan_desk.wait(30)
    offered = [way.description for way in plan_desk.mending.ways]
    assert any("Hạ “Mỗi tỉnh ít nhất 3.000 triệu đồng”" in text for text in offered)
    assert any(text.startswith("Nâng “Tổng kế hoạch") for text in offered)
    for number in range(len(offered)):
        plan_desk.mending.ways[number].click()
        assert plan_desk.wait(30)
        assert plan_desk.plan.status == "optimal"
        assert not plan_desk.mending.children
        assert plan_desk.plan.notes
        plan_desk.undo.click()
        assert plan_desk.wait(30)
        assert [way.description for way in plan_desk.mending.ways] == offered


def test_a_rule_of_many_places_is_one_box_with_few_ways_out(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data, text = floored(1.0, national=True)
    shown = show_plan(data, scenario(f"{text}goals: [{{maximise: disbursed}}]\n"))
    shown.edit.value = True
    assert shown.wait(60)
    assert shown.plan.status == "optimal"
    shown.grids["rules"]._told({"edits": [[0, 1, "110"]]})
    assert shown.wait(60)
    (told,), (floor, budget, wish) = shown.mending.told, shown.mending.ways
    assert "giữ được ở mọi nơi là 100 %; so với 110 % thì thiếu" in words(told)
    assert "<details><summary>Mức cao nhất" in told.value
    assert "Điện Biên" in told.value.partition("</summary>")[2]
    assert floor.description == "Hạ “Mỗi nơi giữ đủ (đổi thành 110 %)” từ 110 % xuống 100 %"
    assert budget.description.startswith("Nâng “Khuyến công quốc gia” từ")
    assert wish.description.startswith("Để “Mỗi nơi giữ đủ (đổi thành 110 %)” ở mức theo chỉ đạo")
    for number, tier in enumerate(("law", "law", "directive")):
        shown.mending.ways[number].click()
        assert shown.wait(60)
        assert shown.plan.status == "optimal"
        assert shown.now().rules[0].tier == tier
        shown.undo.click()
        assert shown.wait(60)


def test_a_bound_in_the_data_is_mended_told_and_taken_back(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cells = """
    place area source baseline min
    01 TECH ALL 3000 5000
    02 TECH ALL 2000 4000
    """
    text = "budget: [{source: ALL, amount: 8000}]\ngoals: [{minimise: change}]\nround_to: 1"
    data = dataset(cells=cells, absorption=absorbing(CELLS))
    shown = show_plan(data, scenario(text))
    assert shown.wait(30)
    assert shown.plan.status == "infeasible"
    way = next(one for one in shown.mending.ways if one.description.startswith("Hạ"))
    way.click()
    assert shown.wait(30)
    assert shown.plan.status == "optimal"
    assert shown.data is not data
    assert any("giới hạn của ô" in note.vi for note in shown.plan.notes)
    shown.keep.click()
    assert "hãy sửa cả ở đó" in words(shown.saved)
    shown.undo.click()
    assert shown.wait(30)
    assert shown.data is data
    assert shown.plan.status == "infeasible"


def test_three_scenarios_are_kept_named_opened_and_removed(plan_desk):
    comparing = plan_desk.comparing
    for number, total in enumerate((9000, 7000, 6000)):
        plan_desk.sliders["total"].value = Decimal(total)
        assert plan_desk.wait(30)
        comparing.name.value = "Chín nghìn" if not number else ""
        comparing.add.click()
    assert comparing.add.disabled
    assert [one.name for one in comparing.kept] == ["Chín nghìn", "Phương án 1", "Phương án 2"]
    told = words(comparing.table)
    for total in ("8.000", "9.000", "7.000", "6.000"):
        assert f"{total} triệu đồng" in told
    name = comparing.rows.children[1].children[0]
    name.value = "Bảy nghìn"
    assert "Bảy nghìn" in words(comparing.table)
    comparing.words("en")
    assert comparing.rows.children[0].children[1].description == "Open again"
    comparing.words("vi")
    comparing.rows.children[0].children[1].click()
    assert plan_desk.wait(30)
    assert plan_desk.shares.chart.picture["heading"] == "Tổng: 9.000 triệu đồng"
    comparing.rows.children[2].children[2].click()
    assert [one.name for one in comparing.kept] == ["Chín nghìn", "Bảy nghìn"]
    assert not comparing.add.disabled


def test_a_scenario_that_is_saved_is_compared_under_its_name(plan_desk, tmp_path):
    desk, comparing = plan_desk, plan_desk.comparing
    desk.filing.home = tmp_path
    desk.sliders["total"].value = Decimal(9000)
    assert desk.wait(30)
    comparing.add.click()
    assert [one.name for one in comparing.kept] == ["Phương án 1"]  # that is said of nothing yet
    for total, name in ((9000, "Chín nghìn"), (6000, "Sáu nghìn")):
        desk.sliders["total"].value = Decimal(total)
        assert desk.wait(30)
        desk.name.value = name
        desk.keep.click()
    assert [one.name for one in comparing.kept] == ["Chín nghìn"]
    comparing.add.click()
    assert [one.name for one in comparing.kept] == ["Chín nghìn", "Sáu nghìn"]
    assert "Đang xem: Sáu nghìn" in words(comparing.table)
    comparing.errand.button.click()
    assert desk.wait(60)
    assert "sang “Sáu nghìn”" in words(comparing.told)
    assert "Phương án “Sáu nghìn”" in comparing.figure.chart.picture["rows"][-1].values()


def test_the_bridge_between_two_scenarios_is_the_librarys(plan_desk):
    base = plan_desk.plan
    plan_desk.sliders["total"].value = Decimal(7000)
    plan_desk.sliders["tech:min"].value = Decimal("0.7")
    assert plan_desk.wait(30)
    plan_desk.comparing.add.click()
    plan_desk.comparing.errand.button.click()
    assert plan_desk.wait(60)
    bridge = compare(base, plan_desk.plan).bridge()
    rows = plan_desk.comparing.figure.chart.picture["rows"]
    assert len(rows) == len(bridge.changes) + 2
    table = bridge.table()
    assert rows[0]["total"] == pytest.approx(table["running"].iloc[0])
    assert rows[-1]["total"] == pytest.approx(table["running"].iloc[-1])
    for sentence in bridge.sentences():
        assert sentence in words(plan_desk.comparing.told)
    plan_desk.comparing.after.value = 0
    plan_desk.comparing.errand.button.click()
    assert "hai phương án được chọn là một" in words(plan_desk.comparing.errand.told)


def test_chart_and_sentences_of_a_bridge_are_rounded_alike(plan_desk):
    base = plan_desk.plan
    plan_desk.sliders["total"].value = Decimal(7000)
    plan_desk.sliders["tech:min"].value = Decimal("0.7")
    assert plan_desk.wait(30)
    bridge = compare(base, plan_desk.plan).bridge()
    steps = bridge.steps.assign(
        disbursed=pd.array([-2_379_460_000, -1_178_970_000], dtype="Int64"),
        total=pd.array([40_000, 30_000], dtype="Int64"),
    )
    expected = [329_596_240_000.0, *[0.0] * (len(base.cells) - 1)]
    before = replace(base, cells=base.cells.assign(expected_disbursed=expected))
    bridge = replace(bridge, before=before, steps=steps)
    plan_desk.comparing._show_bridge(bridge)
    labels = [row["label"] for row in plan_desk.comparing.figure.chart.picture["rows"]]
    assert labels == ["329.596,2", "−2.379,4", "−1.179,0", "326.037,8"]
    told = bridge.sentences()
    assert "dự kiến giải ngân −2.379,4 triệu đồng, tổng kinh phí không đổi" in told[0]
    assert "dự kiến giải ngân −1.179 triệu đồng, tổng kinh phí +0,1 triệu đồng" in told[1]


def test_the_curve_is_the_librarys_and_keeps_what_it_has_when_stopped(monkeypatch):
    absorption = absorbing(CELLS, rate=0.5).splitlines()
    absorption[1] = absorption[1].replace("0.5", "0.9")
    data = dataset(cells=CELLS, absorption="\n".join(absorption))
    text = RULES.replace("goals: [", "goals: [{maximise: disbursed}, ")
    shown = show_plan(data, scenario(text))
    assert shown.wait(30)
    shown.trading.curve.button.click()
    assert shown.wait(60)
    found = frontier(Planner(data), scenario(text))
    for sentence in found.sentences():
        assert sentence in words(shown.trading.told)
    assert len(shown.trading.figure.chart.picture["rows"]) == len(found.points) == 11
    real = trading.frontier

    def stopped(planner, asked, progress):
        def tell(step, share):
            if share > 0.4:
                shown.trading.curve.stop.click()
            progress(step, share)

        return real(planner, asked, progress=tell)

    monkeypatch.setattr(trading, "frontier", stopped)
    shown.trading.curve.button.click()
    assert shown.wait(60)
    assert "Đã dừng" in words(shown.trading.told)
    assert not shown.trading.curve.button.disabled


def test_the_money_for_a_wanted_disbursement_is_found_taken_and_taken_back():
    absorption = absorbing(CELLS, rate=0.5).splitlines()
    absorption[1] = absorption[1].replace("0.5", "0.9")
    data = dataset(cells=CELLS, absorption="\n".join(absorption))
    shown = show_plan(data, scenario(RULES.replace("goals: [", "goals: [{maximise: disbursed}, ")))
    assert shown.wait(30)
    total = sum(row.amount for row in shown.now().budget)
    now = shown.plan.cells["expected_disbursed"].sum() / 1e6
    desk, more = shown.trading, now + 5
    assert desk.use.layout.display == "none"
    desk.wanted.value = "abc"
    desk.money.button.click()
    assert "abc" in words(desk.money.told)
    assert "amount" not in words(desk.money.told)  # no name of a column
    desk.wanted.value = format_number(more, 1, "vi")
    desk.money.button.click()
    assert shown.wait(60)
    assert "Để dự kiến giải ngân đạt" in words(desk.sought)
    desk.wanted.value = "abc"
    desk.money.button.click()
    assert (desk.use.layout.display, desk.sought.value) == ("none", "")  # it answered another one
    desk.wanted.value = format_number(more, 1, "vi")
    desk.money.button.click()
    assert shown.wait(60)
    desk.use.click()
    assert shown.wait(60)
    assert more <= shown.plan.cells["expected_disbursed"].sum() / 1e6 <= more + 1
    assert desk.use.layout.display == ""  # it is what was found
    shown.undo.click()
    assert shown.wait(60)
    assert sum(row.amount for row in shown.now().budget) == total
    shown.sliders["total"].index -= 1
    assert shown.wait(60)
    assert (desk.use.layout.display, desk.sought.value) == ("none", "")


@pytest.mark.parametrize(
    ("goal", "told", "scale"),
    [
        (Goal("maximise", "disbursed"), "giải ngân cao nhất (triệu đồng)", 1),
        (
            Goal("maximise", "evenness", per="population"),
            "đồng đều nhất giữa các địa phương (đồng mỗi người dân)",
            10**6,
        ),
        (
            Goal("maximise", "evenness", per="late"),
            "đồng đều nhất giữa các địa phương (đồng trên 1 cột “late”)",
            10**6,
        ),
        (Goal("maximise", "outputs"), "nhiều sản phẩm, kết quả nhất", 1),
    ],
)
def test_an_axis_of_the_curve_has_its_unit(goal, told, scale):
    plan = SimpleNamespace(unit="million_vnd", vintage="34")
    assert (trading._axis(goal, plan, "vi"), trading._scale(goal, plan)) == (told, scale)


def test_an_order_of_goals_is_taken_noted_and_taken_back(plan_desk):
    order = plan_desk.trading.order
    assert order.value == "scenario"
    order.value = "law"
    assert "priority_place" in words(plan_desk.trading.lack)
    order.value = "disbursed"
    assert plan_desk.wait(30)
    assert plan_desk.plan.goals[0]["name"] == "maximise disbursed"
    assert any("Các mục tiêu theo thứ tự" in note.vi for note in plan_desk.plan.notes)
    plan_desk.undo.click()
    assert plan_desk.wait(30)
    assert order.value == "scenario"
    plan_desk.trading.costs.button.click()
    assert plan_desk.wait(60)
    assert "“Giải ngân cao nhất”: dự kiến giải ngân" in words(plan_desk.trading.compared)
    plan_desk.tongues.value = "en"
    assert "Most disbursed" in words(plan_desk.trading.compared)
