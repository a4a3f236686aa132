"""The planner's page: what it loads, who may see it, and what stands on it in a real browser."""

from __future__ import annotations

import base64
import html
import io
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import nbformat
import openpyxl
import pytest
from datasets import dataset
from lab import ROOT, running_app
from pages import HISTORY, SCENARIO, cell, chart_total, new_home, open_plan, press_total, tab

from kc_model import allocate, cli, forecast, read_dataset, read_scenario, template, write_workbook
from kc_model.money import UNITS, format_number
from kc_model.workbench import AppPage, loading, making, open_page, opening, show_app, show_data
from kc_model.workbench import page as page_room
from kc_model.workbench import progress as progress_room
from kc_model.workbench.datasets import find_datasets, load
from kc_model.workbench.here import Here
from kc_model.workbench.opening import begin
from kc_model.workbench.starting import starters

SAMPLE = ROOT / "data" / "sample"


@pytest.fixture
def home(tmp_path):
    return new_home(tmp_path)


def spoil(book, sheet="Lịch sử"):
    """Put an unknown place into a workbook; return the cell."""
    content = openpyxl.load_workbook(book)
    page = next(one for one in content.worksheets if one.max_row == 16)
    column = next(cell.column for cell in page[1] if cell.value == "Địa bàn")
    cell = page.cell(3, column)
    cell.value = "Hà Nộii"
    content.save(book)
    return f"{page.title}!{cell.coordinate}"


def words(*texts):
    inside = re.sub("</?span[^>]*>", "", " ".join(text.value for text in texts))
    return html.unescape(re.sub("<[^>]+>", " ", inside))


# --- Finding and loading -------------------------------------------------------------------------


def test_datasets_are_found_nearest_first(home):
    for name in ("b/x", "a", "out/old", ".hidden", "b/x/inside"):
        (home / name).mkdir(parents=True, exist_ok=True)
        (home / name / "dataset.yaml").write_text("title: x\n")
    (home / "~$số liệu.xlsx").write_bytes(b"")
    found = [path.relative_to(home).as_posix() for path in find_datasets(home)]
    assert found == ["a", "số liệu.xlsx", "b/x"]
    assert find_datasets(home / "a") == (home / "a",)
    assert find_datasets(home / "nowhere") == ()


def test_what_is_loaded_is_what_the_library_reads(home):
    book = home / "số liệu.xlsx"
    loaded = load(book)
    assert loaded.data.hash == read_dataset(book).hash
    assert loaded.scenarios["số liệu.xlsx"].hash == read_scenario(book).hash
    assert not [fault for fault in loaded.faults if fault.level == "error"]


def test_layers_of_a_folder_are_no_scenarios_and_the_base_stands_first():
    loaded = load(SAMPLE)
    assert list(loaded.scenarios) == ["base.yaml", "stress.yaml"]
    assert not [fault for fault in loaded.faults if fault.level == "error"]


def test_faults_of_data_and_scenarios_are_told_together(home):
    at = spoil(home / "số liệu.xlsx")
    own = home / "phuong-an" / "số liệu"
    own.mkdir(parents=True)
    (own / "hỏng.yaml").write_text(
        "name: x\nyear: 2024\nbudget: [{amount: mười}]\n", encoding="utf-8"
    )
    loaded = load(home / "số liệu.xlsx")
    assert loaded.data is None
    told = {(fault.code, str(fault.at)) for fault in loaded.faults}
    assert any(code == "unknown-place" and at in where for code, where in told)
    assert any(code == "scenario-number" and "hỏng.yaml" in where for code, where in told)


def test_a_list_of_projects_that_is_not_complete_is_told_with_the_data(tmp_path):
    projects = "id name place area source support kind\nA x 01 TECH KCQG 50 normal"
    book = tmp_path / "thiếu.xlsx"
    write_workbook(dataset(history=HISTORY, projects=projects), book, SCENARIO)
    (short,) = (fault for fault in load(book).faults if fault.code == "projects-partial")
    assert short.values["told_vi"] == "4.000 triệu đồng"
    desk = show_data(tmp_path)
    assert desk.wait(60)
    assert "Điều cần lưu ý: 1" in words(desk.status)
    assert "bỏ đánh dấu “Chọn theo danh mục đề án”" in words(desk.faults)
    assert "projects" not in words(desk.faults)


@pytest.mark.parametrize(
    ("language", "heads"),
    [
        ("vi", ["Loại", "Ở đâu", "Có gì ở đó", "Cần làm gì"]),
        ("en", ["Kind", "Where", "What was found", "What to do"]),
    ],
)
def test_the_table_of_faults_has_its_headings(home, language, heads):
    spoil(home / "số liệu.xlsx")
    desk = show_data(home, language)
    assert desk.wait(60)
    shown = re.findall('<th scope="col"[^>]*>(.*?)</th>', desk.faults.value)
    assert [html.unescape(head) for head in shown] == heads


def test_the_plan_in_force_is_a_scenario_to_start_from():
    data = dataset(history=HISTORY)
    begun = starters(data)[""]
    assert {tuple(row.where.values()): row.amount for row in begun.budget} == {
        (("KCQG",),): 6000,
        (("01",), ("KCDP",)): 1000,
    }
    plan = allocate(data, begun)
    assert plan.status == "optimal"
    assert plan.cells["amount"].sum() == 7000 * 10**6
    assert [note.standing for note in begun.notes] == ["assumed"]
    assert starters(dataset()) == {}


GROUND = "TTLT 26/2014/TTLT-BTC-BCT Điều 6.2.s (theo văn bản 2014, đã có sửa đổi)"


def test_the_ground_of_the_law_on_management_is_worded_alike_everywhere():
    grounds = {template._EXAMPLES["rules"]["basis"]}
    for name in ("sample", "sample-projects"):
        asked = read_scenario(ROOT / "data" / name / "base.yaml")
        grounds |= {rule.basis for rule in asked.rules if rule.where.get("area") == ("ADMN",)}
    assert grounds == {GROUND}


@pytest.mark.parametrize(
    ("spent", "tier"), [(15, "law"), (16, "directive")], ids=["kept", "broken by the plan in force"]
)
def test_a_start_holds_management_to_the_law(spent, tier):
    rows = f"2024 12 TW ADMN KCQG {spent} {spent}\n2024 12 01 TECH KCQG {1000 - spent} 900"
    begun = starters(dataset(history=f"year month place area source plan disbursed\n{rows}"))[""]
    (rule,) = (rule for rule in begun.rules if rule.where.get("area") == ("ADMN",))
    assert (rule.tier, rule.max) == (tier, Decimal("0.015"))
    assert "1,5 %" in rule.text
    passed = "; để ở mức theo chỉ đạo vì kế hoạch đang giao đã vượt tỷ lệ này"
    assert rule.basis == GROUND + (passed if tier == "directive" else "")
    plan = allocate(dataset(history=f"year month place area source plan disbursed\n{rows}"), begun)
    (law,) = (one for one in begun.rules if one.id == "gioi-han")
    is_cut = tier == "directive"
    assert ("ADMN" in law.where.get("area", ("ADMN",))) != is_cut  # what the law cuts is not kept
    codes = [fault.code for fault in plan.warnings]
    assert ("share-cut" in codes, "empty-groups" in codes) == (is_cut, False)


@pytest.mark.parametrize(
    ("unit", "plan", "step"),
    [
        ("million_vnd", "6000", "1"),
        ("million_vnd", "6000.25", "0.01"),
        ("billion_vnd", "6.5", "0.001"),
        ("thousand_vnd", "6000300", "100"),
        ("vnd", "6000000001", "1"),
    ],
)
def test_a_start_rounds_to_a_million_unless_the_plan_in_force_is_finer(unit, plan, step):
    rows = f"2024 6 01 TECH KCQG {plan} 1\n2024 6 02 TECH KCQG {plan} 0.5"
    if unit == "vnd":
        rows = rows.replace("0.5", "1")
    data = dataset(history=f"year month place area source plan disbursed\n{rows}", unit=unit)
    for begun in starters(data).values():
        assert begun.round_to == Decimal(step)
        made = allocate(data, begun, detail=False)
        assert made.status == "optimal"
        assert not (made.cells["amount"] % int(Decimal(step) * UNITS[unit])).any()


def test_a_start_that_chooses_projects_rounds_no_support_away():
    cells = "place area source baseline\n01 TECH KCDP 100"
    for support, step in (("100", "1"), ("60.5", "0.1")):
        projects = f"id place area source support\nP1 01 TECH KCDP {support}\nP2 01 TECH KCDP 40"
        data = dataset(cells=f"year {cells}".replace("\n01", "\n2024 01"), projects=projects)
        assert starters(data)[""].round_to == Decimal(step)


def test_the_registration_of_projects_is_made_on_the_page():
    desk = show_data(ROOT / "data" / "sample-projects")
    assert desk.wait(60)
    assert desk.year.value == 2026
    desk.register.click()
    assert desk.wait(60)
    assert 'download="bieu-dang-ky-2026.xlsx"' in desk.printed.value
    content = base64.b64decode(re.search('base64,([^"]+)"', desk.printed.value)[1])
    sheets = openpyxl.load_workbook(io.BytesIO(content)).sheetnames
    assert {"Mẫu số 2 - KCQG", "Mẫu số 1"} <= set(sheets)


def test_a_year_without_a_plan_is_told_of_only_where_it_has_none():
    data = dataset(history=HISTORY)
    told = [
        [note.en for note in allocate(data, begun).outlook.notes if "No plan of" in note.en]
        for begun in starters(data).values()
    ]
    assert [len(notes) for notes in told] == [0, 1]
    assert "No plan of 2025" in told[1][0]


def test_next_year_begins_with_the_money_of_this_one_and_guards_what_places_have():
    data = dataset(history=HISTORY)
    now, ahead = starters(data).values()
    assert (ahead.year, ahead.budget) == (now.year + 1, now.budget)
    plan = allocate(data, ahead, forecast(data, ahead.year, 0))
    assert plan.baseline_year == now.year
    cut = replace(ahead, budget=tuple(replace(b, amount=b.amount * 9 / 10) for b in ahead.budget))
    kept = allocate(data, cut, forecast(data, cut.year, 0)).table()
    by_place = kept.groupby("place")[["amount", "baseline"]].sum()
    assert (by_place["amount"] >= 0.9 * by_place["baseline"] - 1).all()


def test_the_plan_in_force_of_the_nation_is_found_in_time():
    """HiGHS's presolve never came back from it (the aggregator against forcing columns)."""
    code = (
        "import kc_model as kc; from kc_model.workbench.starting import starters;"
        f"data = kc.read_dataset({str(SAMPLE)!r}); begun = starters(data)[''];"
        "plain = kc.Scenario(begun.name, begun.year, begun.budget, goals=begun.goals);"
        "print(kc.allocate(data, plain, kc.forecast(data, plain.year, 0)).status)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True
    )
    assert done.stdout.split() == ["optimal"]


# --- The desk "Số liệu" and the page, from Python ------------------------------------------------


def test_the_desk_tells_faults_and_reads_again(home):
    book = home / "số liệu.xlsx"
    good = book.read_bytes()
    at = spoil(book)
    desk = show_data(home)
    assert desk.wait(30)
    assert at in words(desk.faults)
    assert "Hà Nộii" in words(desk.faults)
    assert "chưa dùng được, 1 lỗi" in words(desk.status)
    assert not desk.coverage.value
    book.write_bytes(good)
    desk.again.click()
    assert desk.wait(30)
    assert "dùng được" in words(desk.status)
    covered = re.findall("<td[^>]*>([^<]*)</td>", desk.coverage.value)
    assert covered[:7] == [
        *("6, quyết toán", "2", "2"),
        *("Khuyến công quốc gia, Khuyến công địa phương", "6.000", "5.400", "quyết toán"),
    ]
    counts = re.findall(r'<th scope="row">([^<]*)</th><td>(\d+)</td>', desk.worth.value)
    assert counts == [("Quyết toán", "6"), ("Thực hiện", "6"), ("Số ước", "3")]
    desk.tongues.value = "en"
    assert "What the data cover" in words(desk.coverage)


def test_projects_and_former_provinces_are_told_with_what_the_data_cover(tmp_path):
    about = "title: x\nvintage: 34\nunit: million_vnd\nsynthetic: true\nsources: [x]\n"
    rows = "year,month,place,area,source,plan,disbursed,vintage\n" + "".join(
        f"2024,12,{place},TECH,KCQG,100,90,63\n" for place in ("44", "45", "46")
    )
    projects = "id,name,place,area,source,cost,support\nA,Máy,44,TECH,KCQG,90,30.5\n"
    files = {
        "dataset.yaml": about,
        "history.csv": rows + "2025,12,44,TECH,KCQG,300,200,34\n",
        "projects.csv": projects + "B,Lò,44,TECH,KCQG,90,40\n",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    desk = show_data(tmp_path)
    assert desk.wait(60)
    covered = re.findall("<td[^>]*>([^<]*)</td>", desk.coverage.value)
    assert covered[1] == "2, cộng từ 3 tỉnh cũ"
    assert covered[8] == "1"
    assert "Danh mục có 2 đề án, đề nghị hỗ trợ 70,5 triệu đồng." in words(desk.coverage)


def test_an_empty_folder_says_what_to_do_and_gives_the_template(tmp_path):
    page = show_app(tmp_path)
    assert page.wait(30)
    assert "Tải mẫu" in words(page.data.status)
    assert 'download="mau-nhap-lieu.xlsx"' in page.data.template.value
    for key in ("progress", "plan"):
        assert "Chưa có số liệu" in words(page._rooms[key].children[0])
    page.tongues.value = "en"
    assert page.tabs.titles == ("Progress", "Plan", "Data")
    assert "no usable data" in words(page._rooms["plan"].children[0])


def test_a_saved_scenario_is_offered_for_its_own_dataset_alone(home, tmp_path):
    shutil.copy(home / "số liệu.xlsx", home / "khác.xlsx")
    mine = home / "phuong-an" / "số liệu"
    mine.mkdir(parents=True)
    own = "name: Của tôi\nyear: 2024\nbudget: [{source: KCQG, amount: 1}]\n"
    (mine / "x.yaml").write_text(own, encoding="utf-8")
    assert set(load(home / "số liệu.xlsx").scenarios) == {"số liệu.xlsx", "x.yaml"}
    assert set(load(home / "khác.xlsx").scenarios) == {"khác.xlsx"}
    desk = show_data(home)
    content = (home / "số liệu.xlsx").read_bytes()
    sent = {"name": "số liệu.xlsx", "content": content, "type": "", "size": 1}
    desk.upload.value = [{**sent, "last_modified": datetime.now(UTC)}]
    assert desk.wait(30)
    assert "x.yaml" in desk.loaded.scenarios  # sent again, it has what was saved for it
    assert "bản sao" in words(desk.status)
    assert str(mine) in words(desk.status)
    desk.tongues.value = "en"
    assert desk.pick.label == "số liệu.xlsx (uploaded)"


def test_a_page_comes_back_to_its_dataset_or_says_that_it_is_gone(home):
    other = home / "xa" / "khác.xlsx"
    other.parent.mkdir()
    shutil.copy(home / "số liệu.xlsx", other)
    here = Here()
    here.before = {"data": str(other)}
    page = AppPage(home, here=here)
    assert page.wait(60)
    assert page.data.loaded.path == other
    assert page._alarmed.value == ""
    assert here.shown["data"] == str(other)
    other.unlink()
    page = AppPage(home, here=here)
    assert page.wait(60)
    assert page.data.loaded.path == home / "số liệu.xlsx"
    assert "Không còn thấy khác.xlsx" in words(page._alarmed)
    assert "đang mở số liệu.xlsx" in words(page._alarmed)


def test_one_dataset_serves_every_desk(home):
    page = show_app(home)
    assert page.wait(60)
    assert page.tabs.titles == ("Tiến độ", "Phương án", "Số liệu")
    assert page.tabs.selected_index == 0
    assert page.progress.data is page.data.loaded.data
    desk = page.plans["số liệu.xlsx"]
    assert desk.data is page.data.loaded.data
    assert desk.shares.chart.picture["heading"] == "Tổng: 7.000 triệu đồng"
    assert page.progress.outlook.as_of == 6
    page.pick.value = ""
    assert page.wait(60)
    assert page.plans[""].plan.cells["amount"].sum() == 7000 * 10**6
    page.tongues.value = "en"
    assert page.pick.value == ""
    assert page.plans[""].language == page.progress.language == page.data.language == "en"
    spoil(home / "số liệu.xlsx")
    page.data.again.click()
    assert page.wait(60)
    assert page.progress is None
    assert "no usable data" in words(page._rooms["progress"].children[0])
    assert page.plans == {}


def test_what_is_kept_stands_beside_every_scenario_of_the_data(home):
    page = show_app(home)
    assert page.wait(60)
    first = page.plans["số liệu.xlsx"]
    first.comparing.add.click()
    name = first.scenario.name  # nothing was changed: it is kept as what it is called
    assert [one.name for one in first.comparing.kept] == [name]
    page.pick.value = ""
    assert page.wait(60)
    desk = page.plans[""]
    assert [one.name for one in desk.comparing.kept] == [name]
    assert first.comparing.kept == []
    assert name in words(desk.comparing.table)
    desk.comparing.errand.button.click()
    assert desk.comparing.wait(60)
    assert desk.comparing.after.options[-1][0] == name
    bars = {row["label"] for row in desk.comparing.figure.chart.picture["rows"]}
    spent = [one.plan.cells["expected_disbursed"].sum() for one in desk.comparing._all()]
    assert {format_number(Decimal(round(vnd / 1e5)) / 10, 1) for vnd in spent} <= bars
    page.pick.value = "số liệu.xlsx"
    assert page.wait(60)
    assert [one.name for one in first.comparing.kept] == [name]


def test_nothing_of_another_workbook_stands_while_one_is_opened(home, monkeypatch, tmp_path):
    shutil.copy(home / "số liệu.xlsx", home / "tuần trước.xlsx")
    page = show_app(home)
    assert page.wait(60)
    old, plan = page.progress, page.plans["số liệu.xlsx"]
    assert "(số liệu.xlsx)" in words(old.title)
    assert "(số liệu.xlsx)" in words(plan.title)
    old.folder, read = tmp_path, threading.Event()
    monkeypatch.setattr(loading, "load", lambda *how: (read.wait(60), load(*how))[1])
    page.data.pick.value = home / "tuần trước.xlsx"
    for key in ("progress", "plan"):
        assert [words(one).strip() for one in page._rooms[key].children] == [
            "Đang mở tuần trước.xlsx…"
        ]
    assert not page.data.coverage.value
    assert "số liệu.xlsx" not in words(page.data.title, page.data.status)
    old.export.click()  # under way when the other was chosen
    assert old.wait(30)
    assert not list(tmp_path.glob("*.xlsx"))
    for language in ("en", "vi"):  # only words change while nothing stands
        page.tongues.value = language
        assert page.pick.options == ()
    read.set()
    assert page.wait(60)
    assert page.plans
    assert "(tuần trước.xlsx)" in words(page.progress.title)
    page.progress.folder = tmp_path
    page.progress.export.click()
    assert page.progress.wait(30)
    (report,) = tmp_path.glob("*.xlsx")
    sheets = openpyxl.load_workbook(report).worksheets
    told = [cell.value for sheet in sheets for row in sheet.iter_rows() for cell in row]
    assert any("(tuần trước.xlsx)" in str(one) for one in told)


def test_a_plan_that_is_looked_at_goes_before_progress(home, monkeypatch):
    looked, planned = threading.Event(), threading.Event()
    forecast, plan = progress_room.forecast, making.Planner.plan

    def slow_forecast(*args, **kwargs):
        looked.wait(20)
        return forecast(*args, **kwargs)

    def slow_plan(*args, **kwargs):
        planned.wait(20)
        return plan(*args, **kwargs)

    monkeypatch.setattr(progress_room, "forecast", slow_forecast)
    monkeypatch.setattr(making.Planner, "plan", slow_plan)
    monkeypatch.setattr(page_room, "_YIELDS", 20.0)
    page = show_app(home)
    page.tabs.selected_index = 1
    looked.set()
    assert not page.progress.wait(1.0)
    assert page.progress.outlook is None
    planned.set()
    assert page.wait(60)
    assert page.plans["số liệu.xlsx"].plan.status == "optimal"
    assert page.progress.outlook.as_of == 6


def test_reading_again_keeps_what_was_not_saved(home):
    page = show_app(home)
    assert page.wait(60)
    desk = page.plans["số liệu.xlsx"]
    desk.sliders["total"].value = Decimal(6500)
    assert page.wait(60)
    assert page._here.unsaved
    desk.comparing.name.value = "Giữ lại"
    desk.comparing.add.click()
    good = (home / "số liệu.xlsx").read_bytes()
    spoil(home / "số liệu.xlsx")
    page.data.again.click()
    assert page.wait(60)
    assert page.plans == {}
    (home / "số liệu.xlsx").write_bytes(good)
    page.data.again.click()
    assert page.wait(60)
    again = page.plans["số liệu.xlsx"]
    assert again is not desk
    assert again.shares.chart.picture["heading"] == "Tổng: 6.500 triệu đồng"
    assert again.sliders["total"].value == 6500
    names = [name for name, _ in page.pick.options]
    assert "Giữ lại (chưa lưu)" in names
    again.undo.click()
    assert page.wait(60)
    assert again.shares.chart.picture["heading"] == "Tổng: 7.000 triệu đồng"
    assert not page._here.unsaved


def test_a_scenario_saved_before_is_saved_again_under_its_name(home):
    page = show_app(home)
    assert page.wait(60)
    desk = page.plans["số liệu.xlsx"]
    desk.sliders["total"].value = Decimal(6500)
    assert page.wait(60)
    desk.name.value = "Của tôi"
    desk.keep.click()
    assert "Đã lưu" in words(desk.saved)
    again = show_app(home)
    assert again.wait(60)
    again.pick.value = "Của-tôi.yaml"
    assert again.wait(60)
    mine = again.plans["Của-tôi.yaml"]
    mine.sliders["total"].value = Decimal(6000)
    assert again.wait(60)
    mine.name.value = "Của tôi"
    mine.keep.click()
    assert "Đã lưu" in words(mine.saved)
    assert again.plans["Của-tôi.yaml"] is mine
    assert not again._here.unsaved
    saved = read_scenario(home / "phuong-an" / "số liệu" / "Của-tôi.yaml")
    assert sum(row.amount for row in saved.budget) == 6000
    desk.sliders["total"].value = Decimal(5500)  # on the page that is still open elsewhere
    assert page.wait(60)
    desk.keep.click()
    assert "kc-stop" in desk.saved.value
    file = home / "phuong-an" / "số liệu" / "Của-tôi.yaml"
    assert read_scenario(file) == saved
    told = words(desk.saved)
    assert "trong tệp Của-tôi.yaml đang là một bản khác" in told
    assert "chạy lại" not in told  # words of the command line
    ways = desk.filing.told.children[-1]
    assert ways.children == tuple(desk.filing.ways.values())
    desk.filing.ways["theirs"].click()
    assert page.wait(60)
    assert ways.children == ()
    assert "Hoàn tác" in words(desk.saved)
    assert desk.sliders["total"].value == 6000
    assert not page._here.unsaved
    desk.undo.click()
    assert page.wait(60)
    assert desk.sliders["total"].value == 5500
    mine.sliders["total"].value = Decimal(5900)
    assert again.wait(60)
    mine.keep.click()
    desk.name.value = ""
    desk.keep.click()
    desk.filing.ways["elsewhere"].click()
    assert page.wait(60)
    copy = read_scenario(file.with_name("Của-tôi-bản-sao-1.yaml"))
    assert sum(row.amount for row in copy.budget) == 5500
    assert sum(row.amount for row in read_scenario(file).budget) == 5900
    desk.name.value = "Của tôi"
    desk.keep.click()
    desk.filing.ways["over"].click()
    assert "Đã lưu" in words(desk.saved)
    assert sum(row.amount for row in read_scenario(file).budget) == 5500


# --- The server ----------------------------------------------------------------------------------


def status(address):
    class Stay(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *_args):
            return None

    try:
        with urllib.request.build_opener(Stay).open(address, timeout=60) as answer:
            return answer.status
    except urllib.error.HTTPError as refusal:
        return refusal.code


def test_only_the_token_opens_the_door(home, tmp_path):
    with running_app(home, tmp_path / "app.log") as (address, server):
        bare, _, token = address.partition("?")
        assert bare.startswith("http://127.0.0.1:")
        assert len(token) > 30
        for path in ("", "?token=wrong", "api/kernels", "voila/tree", "voila/render/x.ipynb"):
            assert status(bare + path) in {302, 403, 404}, path
        assert status(bare + "voila/files/khuyen_cong.ipynb?" + token) == 403
        assert status(address) == 200
        port = int(re.search(r":(\d+)/", bare)[1])
        outer = socket.gethostbyname(socket.gethostname())
        if not outer.startswith("127."):
            with socket.socket() as other:
                assert other.connect_ex((outer, port)) != 0
        server.send_signal(signal.SIGINT)
        assert server.wait(30) == 0
    said = (tmp_path / "app.log").read_text(encoding="utf-8")
    assert "Traceback" not in said
    assert "Ctrl+C" in said


def test_a_taken_port_is_told_and_the_next_one_used(home, tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with running_app(home, tmp_path / "app.log", port) as (address, _):
            assert f":{port}/" not in address
    said = (tmp_path / "app.log").read_text(encoding="utf-8")
    assert f"Cổng {port} đang có chương trình khác dùng" in said


def test_a_folder_that_is_not_there(capsys, tmp_path):
    assert cli.main(["app", str(tmp_path / "không có")]) == 2
    assert "[folder-not-found]" in capsys.readouterr().out


@pytest.mark.parametrize("is_changed", [False, True])
def test_what_was_read_ahead_is_shown_as_it_is_now(home, is_changed):
    begin(home)
    ahead = opening._begun[home]
    ahead.join(60)
    assert ahead.maker is not None
    if is_changed:
        spoil(home / "số liệu.xlsx")
    page = open_page(home)
    page.here._told({"here": True})
    until = time.monotonic() + 60
    while not isinstance(page.children[0], AppPage) and time.monotonic() < until:
        time.sleep(0.05)
    (desk_page, _) = page.children
    assert desk_page.wait(60)
    if is_changed:
        assert "Chưa có số liệu" in words(desk_page._rooms["plan"].children[0])
    else:
        assert desk_page.data.loaded is ahead.first
        desk = desk_page.plans["số liệu.xlsx"]
        assert desk.following.maker is ahead.maker
        assert desk.shares.chart.picture["heading"] == "Tổng: 7.000 triệu đồng"


def test_the_page_is_one_call():
    page = nbformat.read(ROOT / "kc_model/workbench/jupyter/khuyen_cong.ipynb", as_version=4)
    (cell,) = page.cells
    assert cell.source.splitlines()[-1] == "open_page()"
    assert not cell.outputs


# --- In a browser --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """Run one server for all tests of the page; give its address and the planner's folder."""
    folder = new_home(tmp_path_factory.mktemp("trang"))
    log = folder.parent / "app.log"
    with running_app(folder, log) as (address, _):
        yield address, folder
    assert "Traceback" not in log.read_text(encoding="utf-8")


@pytest.fixture
def app(served):
    """Return the address of a page of which the planner's file is as it was in the beginning."""
    address, folder = served
    before = (folder / "số liệu.xlsx").read_bytes()
    yield address
    (folder / "số liệu.xlsx").write_bytes(before)


@pytest.mark.browser
def test_every_tab_shows_the_same_data(app, watched, shots):
    page = watched.page
    page.goto(app)
    page.get_by_text(re.compile("^Ước cả năm 2024: ")).first.wait_for()
    assert page.locator("html").get_attribute("lang") == "vi"
    assert page.title() == "Khuyến công"
    page.screenshot(path=shots / "app-progress.png")
    tab(page, "Phương án")
    page.locator(".kc-chart svg text", has_text="Tổng: 7.000 triệu đồng").first.wait_for()
    page.screenshot(path=shots / "app-plan.png")
    tab(page, "Số liệu")
    page.get_by_text("số liệu.xlsx: dùng được").wait_for()
    assert page.locator(".kc-frame td", has_text="5.400").count() == 1
    page.screenshot(path=shots / "app-data.png")
    page.get_by_role("button", name="English").locator("visible=true").click()
    page.get_by_role("tab", name="Progress", exact=True).click()
    page.get_by_text(re.compile("^Expected by the end of 2024: ")).first.wait_for()
    assert "Traceback" not in page.locator("body").inner_text()


@pytest.mark.browser
def test_a_fault_is_listed_at_its_cell_and_mended(app, served, tmp_path, watched, shots):
    page, home = watched.page, served[1]
    good = (home / "số liệu.xlsx").read_bytes()
    page.goto(app)
    page.get_by_text(re.compile("^Ước cả năm 2024: ")).first.wait_for()
    sent = tmp_path / "gửi lên.xlsx"
    shutil.copy(home / "số liệu.xlsx", sent)
    at = spoil(sent)
    tab(page, "Số liệu")
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Tải tệp lên").click()
    chooser.value.set_files(sent)
    page.get_by_text("gửi lên.xlsx: chưa dùng được, 1 lỗi phải sửa").wait_for()
    row = page.locator(".kc-words tr", has_text="Hà Nộii")
    assert at in row.inner_text()
    page.get_by_text("Sửa trong tệp của bạn, lưu, rồi bấm “Tải lên lại”").wait_for()
    assert not page.get_by_role("button", name="Đọc lại").is_visible()  # it would read the copy
    page.screenshot(path=shots / "app-fault.png")
    tab(page, "Tiến độ")
    page.get_by_text("Chưa có số liệu dùng được").locator("visible=true").wait_for()
    page.get_by_text("gửi lên.xlsx: chưa dùng được, 1 lỗi").locator("visible=true").wait_for()
    page.screenshot(path=shots / "app-fault-first.png")
    page.get_by_role("button", name="Xem lỗi").click()
    sent.write_bytes(good)
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Tải lên lại").click()
    chooser.value.set_files(sent)
    page.get_by_text("gửi lên.xlsx: dùng được").wait_for()
    names = page.get_by_label("Bộ số liệu").locator("option").all_inner_texts()
    labels = [name.replace("\xa0", " ") for name in names]
    assert labels == ["số liệu.xlsx", "gửi lên.xlsx (tải lên)"]
    tab(page, "Phương án")
    page.locator(".kc-chart svg text", has_text="Tổng: 7.000 triệu đồng").first.wait_for()
    assert not page.get_by_role("button", name="Xem lỗi").is_visible()
    # The planner's own file: spoiled, read again, mended, read again.
    tab(page, "Số liệu")
    spoil(home / "số liệu.xlsx")
    page.get_by_label("Bộ số liệu").select_option(label="số liệu.xlsx")
    page.get_by_text("số liệu.xlsx: chưa dùng được").wait_for()
    (home / "số liệu.xlsx").write_bytes(good)
    page.get_by_role("button", name="Đọc lại").click()
    page.get_by_text("số liệu.xlsx: dùng được").wait_for()
    tab(page, "Phương án")
    page.locator(".kc-chart svg text", has_text="Tổng: 7.000 triệu đồng").first.wait_for()


NO_PATIENCE = """
const patience = AbortSignal.timeout.bind(AbortSignal);
AbortSignal.timeout = (time) => {
  if (time !== 2000) return patience(time);
  const soon = new AbortController();
  queueMicrotask(() => soon.abort());
  return soon.signal;
};
"""


@pytest.mark.browser
def test_a_machine_too_slow_for_the_widgets_loses_nothing(app, watched):
    """Nothing comes up in the time that anywidget gives it: all goes on as if it had."""
    page = watched.page
    page.add_init_script(NO_PATIENCE)
    page.goto(app)
    page.get_by_text(re.compile("^Ước cả năm 2024: ")).first.wait_for()
    tab(page, "Phương án")
    chart_total(page, "7.000")
    press_total(page, "ArrowLeft", 2)
    chart_total(page, "6.900")
    page.get_by_role("button", name="Sửa kinh phí, quy định và mục tiêu").click()
    amount = cell(page, "Kinh phí (triệu đồng)", 0, 0)
    amount.focus()
    page.keyboard.type("2.500")
    page.keyboard.press("Enter")
    page.locator("td", has_text="2.500,0 triệu đồng").first.wait_for()
    given_up = [error for error in watched.errors if "Failed to initialize model" in error]
    assert len(given_up) > 10  # sliders, tables and charts alike
    watched.errors[:] = [error for error in watched.errors if error not in given_up]


HERE = """() => {
    const here = document.activeElement;
    const style = getComputedStyle(here);
    return [here.getAttribute("role"), here.textContent, style.outlineStyle, style.outlineWidth];
}"""

PASTE = """text => {
    const data = new DataTransfer();
    data.setData("text/plain", text);
    const paste = new ClipboardEvent("paste", {clipboardData: data, bubbles: true});
    document.activeElement.dispatchEvent(paste);
}"""

MORE = "Các mức khác: giới hạn của quy định, mức lùi của mục tiêu"


def tab_to(page, role, text):
    """Press Tab until something of this role and text is reached, and seen to be."""
    for _ in range(40):
        page.keyboard.press("Tab")
        at, told, *outline = page.evaluate(HERE)
        if (at, told) == (role, text):
            assert outline == ["solid", "2px"]
            return
    raise AssertionError(text)


@pytest.mark.browser
def test_all_goes_by_keyboard_and_closing_asks_where_something_is_not_saved(app, watched):
    page = watched.page
    page.goto(app)
    page.get_by_text(re.compile("^Ước cả năm 2024: ")).first.wait_for()
    months = page.locator(".kc-chart", has_text="T12")  # the year by month stands high up
    months.wait_for()
    size, box = page.viewport_size, months.bounding_box()
    assert box["y"] + box["height"] < 1.3 * size["height"]
    tab_to(page, "tab", "Tiến độ")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    page.get_by_role("slider", name="Tổng kinh phí").wait_for()
    tab_to(page, "button", MORE)
    fold = page.get_by_role("button", name=MORE)
    assert fold.get_attribute("aria-expanded") == "false"
    page.keyboard.press("Enter")
    page.get_by_role("slider", name=re.compile("^Mỗi tỉnh ít nhất")).wait_for()
    assert fold.get_attribute("aria-expanded") == "true"
    page.keyboard.press("Tab")
    chart_total(page, "7.000")
    page.goto("about:blank")
    assert watched.asked == []
    open_plan(page, app)
    press_total(page, "ArrowLeft")
    page.get_by_role("button", name="Lưu (có thay đổi)").wait_for()
    watched.stays = True
    page.evaluate("() => void setTimeout(() => location.reload())")
    page.wait_for_timeout(1000)
    assert watched.asked == ["beforeunload"]
    press_total(page, "ArrowLeft")  # who stays goes on
    chart_total(page, "6.900")
    watched.stays = False
    page.reload()
    assert watched.asked == ["beforeunload"] * 2
    page.get_by_role("tab", name="Phương án", exact=True).wait_for()  # and nothing is refused


# What lies on top where headings stand, with the table scrolled down and to the side.
COVERED = """(table) => {
  const frame = table.parentElement, seen = {};
  const at = (cell) => {
    const box = cell.getBoundingClientRect();
    return document.elementFromPoint(box.x + 12, box.y + box.height / 2)?.textContent;
  };
  const [first, second] = table.tHead.rows[0].cells;
  frame.style.maxHeight = "50px";
  frame.scrollIntoView({ block: "center" });
  frame.scrollTop = 15;
  seen.top = [at(first), at(second)];
  frame.style.width = "300px";
  table.style.width = "900px";
  frame.scrollLeft = 60;
  seen.left = [at(first)];
  frame.style = table.style = "";
  return seen;
}"""


@pytest.mark.browser
def test_a_table_is_filled_in_pasted_and_undone_by_keyboard(app, watched, shots):
    page = watched.page
    open_plan(page, app)
    page.get_by_role("button", name="Sửa kinh phí, quy định và mục tiêu").click()
    amount = cell(page, "Kinh phí (triệu đồng)", 0, 0)
    amount.click()
    page.keyboard.type("2.500,5")
    page.keyboard.press("Enter")
    chart_total(page, "3.500,5")  # the planner's own marks, read in Python
    page.get_by_text("Số tiền: 2.500,5 triệu đồng").wait_for()
    assert amount.inner_text() == "2.500,5 triệu đồng"
    assert page.evaluate("document.activeElement.dataset.row") == "1"  # Enter goes down
    headings = page.get_by_role("grid", name="Kinh phí (triệu đồng)").evaluate(COVERED)
    assert headings == {"top": ["Khoản kinh phí", "Số tiền"], "left": ["Khoản kinh phí"]}

    page.keyboard.type("abc")
    page.keyboard.press("Tab")
    wrong = cell(page, "Kinh phí (triệu đồng)", 1, 0)
    page.locator("td[aria-invalid=true]").wait_for()
    assert "không đọc được là số" in wrong.inner_text()
    page.screenshot(path=shots / "app-table.png")

    amount.click()
    page.evaluate(PASTE, "2,900.5\n5,800")  # the marks of another country: nothing is taken
    page.get_by_text("Chưa dán gì: khối dán có 1 ô không nhận được.").wait_for()
    assert amount.inner_text() == "2.500,5 triệu đồng"
    assert "abc" in wrong.inner_text()
    page.screenshot(path=shots / "app-unread.png")
    block = "5.000\tTừ Excel\n1.234,5\tDòng hai\n"
    page.evaluate(PASTE, block)
    chart_total(page, "6.234,5")
    assert wrong.inner_text() == "1.234,5 triệu đồng"
    assert cell(page, "Kinh phí (triệu đồng)", 1, 1).inner_text() == "Dòng hai"
    amount.focus()
    page.keyboard.press("Control+z")
    chart_total(page, "3.500,5")
    page.keyboard.press("Control+z")
    chart_total(page, "7.000")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.dataset.column") == "2"

    tier = cell(page, "Quy định", 0, 2)
    tier.focus()
    page.evaluate(COMPOSING)
    page.keyboard.insert_text("ưu tiên")
    page.evaluate(COMPOSED)  # as an input method ends a word: by its own Enter
    assert page.evaluate("document.activeElement.value") == "ưu tiên"
    page.wait_for_timeout(100)
    page.keyboard.press("Enter")
    page.locator("td[aria-invalid]", has_text=re.compile("^ưu tiên")).wait_for()
    assert page.locator(".kc-grid select").count() == 0
    for word, shown in (
        ("uu tien", "ưu tiên"),
        ("quan trọng", "quan trọng"),
        ("bắt buộc", "bắt buộc"),
    ):
        tier.focus()
        page.keyboard.type(word)
        page.keyboard.press("Enter")
        page.locator("td[aria-invalid]", has_text=re.compile(f"^{shown}")).wait_for()
        if word == "quan trọng":
            page.locator(
                "td", has_text="Chọn một trong: bắt buộc, theo chỉ đạo, ưu tiên"
            ).wait_for()
    cell(page, "Quy định", 0, 0).focus()
    page.keyboard.press("F2")
    page.keyboard.press("Control+a")
    page.keyboard.type("9.999")
    page.keyboard.press("Enter")
    page.get_by_role("alert").get_by_text("mâu thuẫn").wait_for()


COMPOSING = """() => document.activeElement.dispatchEvent(
    new KeyboardEvent("keydown", { key: "Process", keyCode: 229, bubbles: true })
)"""
COMPOSED = """() => {
    const at = document.activeElement;
    const pressed = (isComposing) => at.dispatchEvent(
        new KeyboardEvent("keydown", { key: "Enter", bubbles: true, isComposing })
    );
    pressed(true);
    at.dispatchEvent(new CompositionEvent("compositionend", { bubbles: true }));
    pressed(false);
}"""


def tab_into(page, text):
    """Press Tab until the cursor stands on a button, or in a cell, that is called so."""
    called = "(document.activeElement.ariaLabel || document.activeElement.textContent)"
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate(called).startswith(text):
            return
    raise AssertionError(text)


@pytest.mark.browser
def test_tables_are_reached_filled_and_cut_by_tab_alone(app, watched, shots):
    page = watched.page
    open_plan(page, app)
    tab_into(page, "Sửa kinh phí, quy định và mục tiêu")
    page.keyboard.press("Enter")
    cell(page, "Kinh phí (triệu đồng)", 0, 0).wait_for()
    tab_into(page, "Số tiền, Khuyến công quốc gia")
    page.keyboard.type("2.500,5")
    page.keyboard.press("Enter")
    chart_total(page, "3.500,5")
    page.evaluate(PASTE, "1.000\n2.000\n3.000\n")  # two lines more than there are
    page.get_by_text("nên không có ô nhận “2.000”; “3.000”").wait_for()
    assert cell(page, "Kinh phí (triệu đồng)", 1, 0).inner_text() == "1.000,0 triệu đồng"
    page.screenshot(path=shots / "app-over.png")
    page.keyboard.press("Delete")
    page.locator("td[aria-invalid=true]", has_text="Đang dùng: 1.000,0 triệu đồng").wait_for()
    tab_into(page, "Bỏ, Kinh phí mọi nguồn")
    page.keyboard.press("Tab")
    page.keyboard.press("Shift+Tab")  # into the table again: at what is filled in
    assert not page.evaluate("document.activeElement.ariaLabel").startswith("Bỏ,")
    tab_into(page, "Bỏ, Kinh phí mọi nguồn")
    page.keyboard.press("Enter")
    page.get_by_text(re.compile("Đã bỏ: Kinh phí mọi nguồn .*Hoàn tác được")).wait_for()
    assert page.evaluate("document.activeElement.role") == "grid"
    page.get_by_label("Xem theo").locator("visible=true").focus()
    page.keyboard.press("Control+z")  # what was refused goes first
    page.locator("td[aria-invalid=true]").wait_for(state="detached")
    page.keyboard.press("Control+z")
    cell(page, "Quy định", 0, 0).wait_for()
    page.keyboard.press("Control+z")
    chart_total(page, "7.000")
    page.keyboard.press("Control+y")
    chart_total(page, "3.500,5")
    name = page.get_by_label("Tên", exact=True)
    name.fill("x")
    name.press("Control+z")  # of the text alone
    page.get_by_role("slider", name="Tổng kinh phí", exact=True).focus()
    page.keyboard.press("Control+z")
    chart_total(page, "7.000")
    page.keyboard.press("Control+Shift+Z")
    chart_total(page, "3.500,5")


@pytest.mark.browser
def test_what_is_saved_copied_and_exported_is_what_is_on_screen(app, served, watched, shots):
    page = watched.page
    open_plan(page, app)
    press_total(page, "ArrowLeft")
    page.get_by_label("Tên", exact=True).focus()
    page.keyboard.type("Của vùng")  # while the plan is being made
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Của vùng, năm 2024").wait_for()
    page.locator(".kc-chart text", has_text="“Của vùng”").first.wait_for()
    picked = page.get_by_label("Phương án", exact=True).locator("option:checked")
    picked.filter(has_text="Của vùng (Của-vùng.yaml)").wait_for(state="attached")
    page.get_by_role("button", name="Nhân bản").click()
    page.get_by_role("heading", name="Của vùng (bản sao 1), năm 2024").wait_for()
    page.screenshot(path=shots / "app-copied.png")
    export = page.get_by_role("button", name="Xuất đề xuất")
    export.focus()
    page.keyboard.press("Enter")
    link = page.get_by_role("link", name="Tải de-xuat-Của-vùng-bản-sao-1.xlsx")
    link.wait_for()
    assert page.evaluate("document.activeElement.textContent") == "Xuất đề xuất"
    press_total(page, "ArrowLeft")
    link.wait_for(state="detached")
    page.get_by_role("button", name="Sửa kinh phí, quy định và mục tiêu").click()
    cell(page, "Kinh phí (triệu đồng)", 1, 0).focus()
    page.keyboard.type("abc")
    page.keyboard.press("Enter")
    page.locator("td[aria-invalid=true]").wait_for()
    export.click()
    page.get_by_role("alert").get_by_text("cột “Số tiền” đang có “abc” chưa nhận được").wait_for()
    page.get_by_role("button", name="Hoàn tác").click()
    page.locator("td[aria-invalid=true]").wait_for(state="detached")
    chart_total(page, "6.900")
    for name in ("Của-vùng", "Của-vùng-bản-sao-1"):
        (served[1] / "phuong-an" / "số liệu" / f"{name}.yaml").unlink()


@pytest.mark.browser
def test_a_conflict_is_mended_by_a_button_and_taken_back(app, watched, shots):
    page = watched.page
    open_plan(page, app)
    page.get_by_role("button", name="Sửa kinh phí, quy định và mục tiêu").click()
    cell(page, "Quy định", 0, 0).focus()
    page.keyboard.type("4.500,5")
    page.keyboard.press("Enter")
    conflict = page.get_by_role("alert").filter(has_text="mâu thuẫn")
    conflict.wait_for()
    assert "“Kinh phí quốc gia”" in conflict.inner_text()
    page.screenshot(path=shots / "app-conflict.png")
    page.locator(".kc-way", has_text="Hạ").first.focus()
    page.keyboard.press("Enter")
    conflict.wait_for(state="detached")
    page.wait_for_function("document.activeElement.classList.contains('kc-undo')")
    chart_total(page, "7.000")
    lowered = cell(page, "Quy định", 0, 0).inner_text()
    assert lowered.endswith("triệu đồng")
    assert Decimal(lowered.split()[0].replace(".", "").replace(",", ".")) <= 3500
    page.get_by_role("button", name="Hoàn tác").click()
    conflict.wait_for()
    assert cell(page, "Quy định", 0, 0).inner_text() == "4.500,5 triệu đồng"


@pytest.mark.browser
def test_scenarios_are_kept_compared_and_bridged(app, watched, shots):
    page = watched.page
    open_plan(page, app)
    page.get_by_text("So sánh phương án").click()
    press_total(page, "Home")
    chart_total(page, "3.500")
    page.get_by_label("Đặt tên").fill("Một nửa")
    page.get_by_role("button", name="Giữ lại để so sánh").click()
    table = page.get_by_role("table", name="So sánh phương án")
    table.get_by_text("Một nửa").wait_for()
    heads = table.locator("thead th").all_inner_texts()
    assert heads == ["Chỉ tiêu", "Gốc: thử", "Một nửa", "Đang xem: thử (đã sửa)"]
    periods = table.locator("tbody tr").first.locator("td").all_inner_texts()
    assert periods == ["cả năm 2024"] * 3
    totals = table.locator("tbody tr").nth(1).locator("td").all_inner_texts()
    assert totals == ["7.000 triệu đồng", "3.500 triệu đồng", "3.500 triệu đồng"]
    page.get_by_role("button", name="Thay đổi nào làm chênh lệch bao nhiêu").click()
    page.locator(".kc-chart svg text", has_text="Phương án “Một nửa”").wait_for()
    page.get_by_text("Từ “Gốc: thử” sang “Một nửa”").wait_for()
    page.screenshot(path=shots / "app-compare.png", full_page=True)
    page.get_by_role("button", name="Đặt lại").click()
    chart_total(page, "7.000")
    page.get_by_role("button", name="Mở lại").click()
    chart_total(page, "3.500")
    page.get_by_role("button", name=re.compile("Bỏ$")).click()
    table.get_by_text("Một nửa").wait_for(state="detached")


@pytest.mark.browser
def test_the_curve_between_two_goals_and_the_orders(app, served, watched, shots):
    history = HISTORY.replace("estimate", "reported")
    goals = [{"sense": "maximise", "what": "disbursed"}, *SCENARIO["goals"]]
    wanted = {**SCENARIO, "goals": goals}
    book = served[1] / "số liệu.xlsx"
    book.unlink()
    write_workbook(dataset(history=history), book, wanted)
    page = watched.page
    open_plan(page, app)
    page.get_by_text("Đánh đổi giữa các mục tiêu").click()
    page.get_by_role("button", name="Mỗi thứ tự được gì, mất gì").click()
    page.get_by_text("“Giải ngân cao nhất”: dự kiến giải ngân").wait_for()
    page.get_by_role("button", name="Vẽ đường đánh đổi").click()
    page.get_by_text(re.compile("phải lùi từ|không cản trở nhau")).wait_for()
    order = page.get_by_label("Thứ tự mục tiêu")
    order.select_option(label="Thứ tự ưu tiên theo luật")
    page.get_by_text("priority_place").locator("visible=true").last.wait_for()
    order.select_option(label="Ít thay đổi nhất")
    page.get_by_text("Mục tiêu 1 (ít thay đổi nhất): ").wait_for()
    page.screenshot(path=shots / "app-trade.png", full_page=True)


@pytest.mark.browser
def test_losers_stay_first_in_the_chart_when_it_moves(app, watched):
    page = watched.page
    open_plan(page, app)
    page.get_by_label("Xem theo").locator("visible=true").select_option(label="Địa bàn")
    page.get_by_role("button", name="Sửa kinh phí, quy định và mục tiêu").click()
    for national, local, first in (("2.500", "1.000", "Hà Nội"), ("3.500", "3.000", "Hà Giang")):
        cell(page, "Kinh phí (triệu đồng)", 0, 0).focus()
        page.keyboard.type(national)
        page.keyboard.press("Enter")
        page.keyboard.type(local)
        page.keyboard.press("Enter")
        page.wait_for_function(FIRST_LOSER, arg=first)


FIRST_LOSER = """name => {
    const texts = [...document.querySelectorAll(".kc-chart")]
        .filter(one => one.offsetParent)[1]?.querySelectorAll(".mark-text.role-axis-label text");
    const lines = [...(texts ?? [])].filter(one => /^Hà (Nội|Giang)$/.test(one.textContent));
    const at = one => one.getBoundingClientRect().top;
    return lines.sort((a, b) => at(a) - at(b))[0]?.textContent === name;
}"""


@pytest.mark.browser
def test_projects_are_ticked_in_and_out_and_the_totals_follow(tmp_path, watched, shots):
    home = tmp_path / "Đề án 2026"
    shutil.copytree(ROOT / "data" / "sample-projects", home)
    page = watched.page
    with running_app(home, tmp_path / "app.log") as (address, _):
        page.goto(address)
        tab(page, "Phương án")
        page.get_by_text("Chọn 36/42 đề án, tổng hỗ trợ 4.798 triệu đồng").wait_for()
        table = page.get_by_role("table", name="Đề án (triệu đồng)")
        group = table.get_by_role("button", name=re.compile("^▾ III. Mô hình, công nghệ, máy móc"))
        assert group.inner_text().endswith("chọn 16/20 đề án, 3.556 triệu đồng")
        heads = table.locator("thead th").all_inner_texts()
        assert heads[:3] == ["Phải chọn", "Không chọn", "Đề án"]
        row = table.locator("tbody tr", has_text="DA05. ")
        assert row.locator("td").all_inner_texts()[-4:-1] == ["72", "72", "–"]
        row.get_by_role("checkbox", name=re.compile("^Phải chọn: DA05")).check()
        page.get_by_text("tổng hỗ trợ 4.683 triệu đồng. Bạn yêu cầu phải chọn 1,").wait_for()
        chart_total(page, "4.683")
        assert row.locator("td").all_inner_texts()[-2:] == ["72", "Bạn yêu cầu phải chọn."]
        page.get_by_role("checkbox", name=re.compile("^Không chọn: DA01")).check()
        page.get_by_text("Chọn 35/42 đề án, tổng hỗ trợ 4.490 triệu đồng").wait_for()
        told = table.locator("tbody tr", has_text="DA01. ").locator("td").last.inner_text()
        assert told.startswith("Người lập kế hoạch yêu cầu không chọn đề án này. Nếu không có")
        assert "Khi đó DA01 nhận " in told
        page.get_by_label("Đề án (triệu đồng)").and_(page.locator("select")).select_option("ticked")
        assert table.locator("tbody tr:not(.kc-group)").count() == 2
        page.screenshot(path=shots / "app-projects.png")
        page.get_by_placeholder("Tìm theo tên").fill("sấy chè")
        assert table.locator("tbody tr:not(.kc-group)").count() == 1
        table.get_by_role("checkbox", name=re.compile("^Không chọn: DA01")).focus()
        page.keyboard.press("Control+z")
        chart_total(page, "4.683")
        page.get_by_role("button", name="Hoàn tác").click()
        chart_total(page, "4.798")
        page.get_by_role("button", name="Xuất đề xuất").click()
        page.get_by_text("Tải de-xuat-").wait_for()
        page.goto("about:blank")


@pytest.mark.browser
def test_rules_and_budgets_come_and_go(app, watched, shots):
    page = watched.page
    open_plan(page, app)
    page.get_by_role("button", name="Sửa kinh phí, quy định và mục tiêu").click()
    page.get_by_label("Địa bàn", exact=True).select_option(label="Hà Nội")
    page.get_by_label("Yêu cầu", exact=True).select_option(label="Nhiều nhất (tiền)")
    page.get_by_label("Con số").fill("3 tỷ rưỡi")
    page.get_by_role("button", name="Thêm quy định").click()
    page.get_by_role("alert").get_by_text("không đọc được là số").wait_for()
    page.get_by_label("Con số").fill("3,5 tỷ")
    page.get_by_role("button", name="Thêm quy định").click()
    page.get_by_text("Ai giảm trước hết: Hà Nội −1.500 (−30,0 %)").wait_for()
    rules = page.get_by_role("grid", name="Quy định").locator("tbody tr")
    assert rules.count() == 2
    assert cell(page, "Quy định", 1, 1).inner_text() == "3.500 triệu đồng"
    page.screenshot(path=shots / "app-added.png")
    cell(page, "Quy định", 1, 5).click()
    page.get_by_text(re.compile("Không địa bàn nào")).first.wait_for()
    assert rules.count() == 1
    page.get_by_role("button", name="Hoàn tác").click()
    page.get_by_text("Ai giảm trước hết: Hà Nội −1.500 (−30,0 %)").wait_for()
    cell(page, "Quy định", 1, 5).focus()
    page.keyboard.press("Enter")
    page.get_by_text(re.compile("Không địa bàn nào")).first.wait_for()


_SEEN = """() => [...document.querySelectorAll(".kc-grid .kc-frame")]
    .filter(frame => frame.clientWidth).map(frame => {
        const rows = [...frame.querySelectorAll("tbody tr")], end = frame.getBoundingClientRect();
        return {
            over: frame.scrollWidth - frame.clientWidth,
            highest: Math.max(...rows.map(row => row.offsetHeight)),
            below: rows.at(-1).getBoundingClientRect().bottom - end.bottom,
        };
    })"""


@pytest.mark.browser
def test_rules_are_seen_with_all_they_say_and_so_is_one_just_added(app, watched, shots):
    page = watched.page
    open_plan(page, app)
    page.get_by_label("Phương án", exact=True).and_(page.locator("select")).select_option(
        label="Khởi đầu từ kế hoạch hiện hành"
    )
    page.get_by_role("heading", name="Kế hoạch hiện hành 2024").wait_for()
    page.get_by_role("button", name="Sửa kinh phí, quy định và mục tiêu").locator(
        "visible=true"
    ).click()
    page.get_by_role("grid", name="Quy định").locator("visible=true").wait_for()
    for number in range(6):
        page.get_by_label("Con số").locator("visible=true").fill(f"{number}00")
        page.get_by_role("button", name="Thêm quy định").locator("visible=true").click()
        page.get_by_text(re.compile(f"Đã thêm: .*{number}00 triệu đồng")).wait_for()
    for width in (1280, 1920):
        page.set_viewport_size({"width": width, "height": 800})
        for language, button in (("vi", "Tiếng Việt"), ("en", "English")):
            page.get_by_role("button", name=button).locator("visible=true").click()
            page.get_by_text({"vi": "Thêm mục tiêu", "en": "Add a goal"}[language]).first.wait_for()
            seen = page.evaluate(_SEEN)
            page.screenshot(path=shots / f"app-rules-{language}-{width}.png", full_page=True)
            assert len(seen) == 3
            assert max(one["over"] for one in seen) <= 0
            assert max(one["highest"] for one in seen) <= 80
            assert seen[1]["below"] <= 0.5


@pytest.mark.browser
def test_mid_year_moves_are_listed_and_one_is_refused(home, tmp_path, watched, shots):
    wish = {**SCENARIO["rules"][0], "id": "most", "text": "Hà Nội bớt", "tier": "directive"}
    wish = {**{key: value for key, value in wish.items() if key not in ("min", "each")}}
    wanted = {**SCENARIO, "rules": [{**wish, "where": "place=01; source=KCQG", "max": 3000}]}
    (home / "số liệu.xlsx").unlink()
    write_workbook(dataset(history=HISTORY), home / "số liệu.xlsx", wanted)
    page = watched.page
    with running_app(home, tmp_path / "app.log") as (address, _):
        open_plan(page, address)
        month = page.get_by_label("Lập phương án cho")
        offered = [one.replace("\xa0", " ") for one in month.locator("option").all_inner_texts()]
        assert offered == ["Cả năm 2024", "Điều chỉnh giữa năm: số liệu đến hết tháng 6/2024"]
        month.select_option(index=1)
        page.get_by_text("Phương án điều chuyển 1 khoản, tổng 1.000 triệu đồng").wait_for()
        table = page.get_by_role("table", name="Điều chuyển (triệu đồng)")
        table.get_by_text("Cục phụ trách khuyến công quyết định: 1 khoản").wait_for()
        table.get_by_role("button", name=re.compile("Hà Nội: 1 khoản, 1.000 triệu")).wait_for()
        row = table.locator("tbody tr:not(.kc-group)").first
        cells = row.locator("th, td").all_inner_texts()
        assert cells[1].startswith("Hà Nội – ")
        assert cells[2].startswith("Hà Giang – ")
        assert cells[3:5] == ["KCQG", "1.000"]
        page.screenshot(path=shots / "app-moves.png")
        table.get_by_role("checkbox", name=re.compile("^Từ chối")).check()
        page.get_by_text("Phương án không điều chuyển khoản nào").wait_for()
        assert table.get_by_role("checkbox", checked=True).count() == 2
        page.get_by_role("button", name="Hoàn tác").click()
        page.get_by_text("Phương án điều chuyển 1 khoản").wait_for()
        month.select_option(index=0)
        table.wait_for(state="hidden")
        page.goto("about:blank")
