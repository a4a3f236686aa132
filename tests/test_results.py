"""What a result is saved as: the contract's files, the same bytes, nothing old, nothing live."""

from __future__ import annotations

import csv
import io
import json
import tomllib
from pathlib import Path

import openpyxl
import pandas as pd
import pytest
from datasets import dataset, scenario

import kc_model as kc
from kc_model.allocate import allocate
from kc_model.errors import SaveError
from kc_model.explain import budget_groups
from kc_model.export import fingerprint, unescape_formula
from kc_model.money import UNITS, find_unit
from kc_model.results import ALLOCATION_FILES
from kc_model.tables import Note
from kc_model.words import Words

CELLS = """
place area source baseline max unit_cost
01    TECH KCQG   100      -   5
01    PROD KCQG   60       80  4
02    TECH KCQG   20       -   5
02    TECH KCDP   30       -   5
"""
SLICES = """
place area source upto rate
01    TECH KCQG   400  0.9
01    PROD KCQG   400  0.8
02    TECH KCQG   400  0.95
02    TECH KCDP   400  0.6
"""
TEXT = """
budget:
  - {source: KCQG, amount: 200.5}
  - {source: KCDP, place: "02", amount: 25, text: "=cmd|' /C calc'!A0", basis: "@SUM(1)"}
rules:
  - {id: tech, where: {area: TECH}, of: all, min: 0.6, text: "+1+1", basis: "-2;=3"}
  - {id: wish, where: {place: "02"}, min: 120, tier: preference, text: "a\\nb,\\"c\\""}
goals: [{maximise: disbursed, give: 0.05}, {minimise: change}]
"""
FILES = {*ALLOCATION_FILES, "result.json", "run.json"} - {"projects.csv"}  # no projects


def data_of(**more):
    return dataset(cells=CELLS, absorption=SLICES, **more)


def plan_of(text=TEXT, **options):
    return allocate(data_of(), scenario(text), **options)


def rows_of(path):
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))


@pytest.fixture(scope="module")
def plan():
    found = plan_of()
    assert found.status == "optimal"
    return found


@pytest.fixture
def saved(plan, tmp_path):
    plan.save(tmp_path)
    return tmp_path


# --- The contract's files ------------------------------------------------------------------------


def test_the_contracts_five_lines(tmp_path):
    # §5, on a dataset of our own.
    data = data_of()
    plan = kc.allocate(data, scenario(TEXT), None)
    assert list(plan.table().columns[:4]) == ["place", "area", "source", "amount"]
    assert list(plan.rules().columns[:2]) == ["id", "group"]
    assert all(isinstance(line, str) for line in plan.explain())
    plan.save(str(tmp_path / "out"))
    assert {path.name for path in (tmp_path / "out").iterdir()} == FILES


def test_allocation_csv(plan, saved):
    raw = (saved / "allocation.csv").read_bytes()
    assert raw.startswith(b"place,area,source,amount,baseline,expected_disbursed,lowest,highest\n")
    assert b"\r" not in raw
    rows = rows_of(saved / "allocation.csv")
    assert [row["place"] for row in rows] == ["01", "01", "02", "02"]  # codes keep their zeros
    amounts = [float(row["amount"]) for row in rows]
    assert amounts == plan.table()["amount"].tolist()
    assert sum(round(amount * 1e6) for amount in amounts) == 225_500_000


def test_year_and_activity_stand_only_where_there_are_any():
    cells = "year place area activity source\n2024 01 TECH demo KCQG\n2025 01 TECH demo KCQG"
    budget = (
        "budget: [{source: KCQG, year: 2024, amount: 5}, {source: KCQG, year: 2025, amount: 6}]"
    )
    plan = allocate(dataset(cells=cells), scenario(budget))
    assert plan.table().columns[:5].tolist() == ["year", "place", "area", "activity", "source"]
    later = allocate(
        dataset(cells=cells), scenario(budget.replace("2024, amount: 5", "2025, amount: 6"))
    )
    assert later.table()["year"].tolist() == [2025]  # not the scenario's year: it must be said


def test_rules_csv(plan, saved):
    rows = rows_of(saved / "rules.csv")
    assert list(rows[0])[:12] == [
        *("id", "group", "side", "tier", "lhs", "bound", "slack", "status", "shortfall"),
        *("price", "price_from", "price_to"),
    ]
    assert [row["id"] for row in rows] == [
        *("budget:1", "budget:2", "bound:01|PROD|KCQG:max", "tech", "wish"),
    ]
    assert {row["side"] for row in rows} <= {"min", "max"}
    assert {row["tier"] for row in rows} == {"law", "preference"}
    assert {row["status"] for row in rows} <= {"met", "binding", "missed"}
    by_id = {row["id"]: row for row in rows}
    assert float(by_id["budget:1"]["lhs"]) == float(by_id["budget:1"]["bound"]) == 200.5
    tech = by_id["tech"]
    assert float(tech["bound"]) == pytest.approx(0.6 * 225.5)
    assert float(tech["slack"]) == pytest.approx(float(tech["lhs"]) - float(tech["bound"]))


def test_result_json(plan, saved):
    result = json.loads((saved / "result.json").read_text(encoding="utf-8"))
    assert result["status"] == "optimal"
    assert [goal["name"] for goal in result["goals"]] == ["maximise disbursed", "minimise change"]
    assert all(set(goal) == {"name", "best", "achieved"} for goal in result["goals"])
    assert [tier["name"] for tier in result["tiers"]] == ["preference"]
    assert {"shortfall"} <= set(result["tiers"][0])
    text = (Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8")
    version = tomllib.loads(text)["project"]["version"]  # also where it runs from its sources
    assert result["provenance"]["versions"]["kc_model"] == kc.__version__ == version
    assert result["gap"] <= 1e-6
    assert result["certificate"]["failed"] == []
    for key in ("undecided", "reserve", "conflicts", "warnings"):
        assert isinstance(result[key], list)
    assert {"versions", "dataset", "scenario", "seed"} <= set(result["provenance"])
    # A later goal has cost the first one no more than it gives.
    best, achieved = result["goals"][0]["best"], result["goals"][0]["achieved"]
    assert 0.95 * best - 1e-6 <= achieved <= best
    assert result["sentences"] == {language: plan.explain(language) for language in ("vi", "en")}


def test_result_json_is_of_plain_values(saved):
    def refused(word):
        raise AssertionError(word)

    raw = (saved / "result.json").read_text(encoding="utf-8")
    json.loads(raw, parse_constant=refused)  # no NaN, no Infinity
    assert "Mục tiêu" in raw  # letters as they are, not \\u escapes


def test_what_may_differ_stands_apart(saved):
    run = json.loads((saved / "run.json").read_text(encoding="utf-8"))
    assert {"time", "seconds", "machine"} <= set(run)
    result = (saved / "result.json").read_text(encoding="utf-8")
    assert run["time"] not in result
    assert run["machine"] not in result


def test_what_it_rests_on_is_in_every_file(tmp_path):
    note = Note("assumed", "Phân theo tỉnh là giả định", "The split by province is assumed")
    plan = allocate(data_of(notes=[note]), scenario(TEXT))
    plan.save(tmp_path)
    assert note.vi in (tmp_path / "result.json").read_text(encoding="utf-8")
    book = openpyxl.load_workbook(tmp_path / "allocation.xlsx")
    shown = {cell.value for sheet in book for row in sheet for cell in row if cell.value}
    assert any(note.vi in str(value) for value in shown)
    assert any(plan.provenance.dataset[:12] in str(value) for value in shown)


# --- The same bytes ------------------------------------------------------------------------------


def test_the_same_input_gives_the_same_bytes(saved, tmp_path_factory):
    other = tmp_path_factory.mktemp("again")
    plan_of().save(other)
    for name in FILES - {"run.json", "allocation.xlsx"}:
        assert (saved / name).read_bytes() == (other / name).read_bytes(), name
    books = [openpyxl.load_workbook(folder / "allocation.xlsx") for folder in (saved, other)]
    values = [[[cell.value for cell in row] for sheet in book for row in sheet] for book in books]
    assert values[0] == values[1]


def test_the_workbook_holds_the_same_amounts(plan, saved):
    book = openpyxl.load_workbook(saved / "allocation.xlsx", data_only=True)
    numbers = {
        round(cell.value, 6)
        for sheet in book
        for row in sheet
        for cell in row
        if isinstance(cell.value, int | float)
    }
    assert {round(amount, 6) for amount in plan.table()["amount"]} <= numbers
    assert 225.5 in numbers


# --- Nothing old, nothing half -------------------------------------------------------------------

IMPOSSIBLE = """
budget: [{source: KCQG, amount: 100}, {source: KCDP, place: "02", amount: 25}]
rules: [{id: floor, each: place, where: {source: KCQG}, min: 60, text: "=1+1"}]
"""


@pytest.mark.parametrize(
    ("text", "options", "status"),
    [(IMPOSSIBLE, {}, "infeasible"), (TEXT, {"time_limit": 0}, "limit")],
)
def test_without_a_plan_the_older_one_goes(saved, text, options, status):
    (saved / "mine.txt").write_text("giữ lại", encoding="utf-8")
    plan = plan_of(text, **options)
    assert plan.status == status
    plan.save(saved)
    assert {path.name for path in saved.iterdir()} == {"result.json", "mine.txt"}
    result = json.loads((saved / "result.json").read_text(encoding="utf-8"))
    assert result["status"] == status
    assert result["gap"] is None
    assert result["goals"] == result["tiers"] == result["undecided"] == []
    assert bool(result["conflicts"]) == (status == "infeasible")
    assert result["sentences"]["vi"]
    assert plan.table().empty
    assert plan.rules().empty


def test_conflicts_in_result_json(tmp_path):
    plan_of(IMPOSSIBLE).save(tmp_path)
    (conflict,) = json.loads((tmp_path / "result.json").read_text(encoding="utf-8"))["conflicts"]
    assert conflict["rules"] == ["budget:1", "floor"]
    assert isinstance(conflict["complete"], bool)
    for repair in conflict["repairs"]:
        assert {"rule", "group", "side", "by"} <= set(repair)
        assert repair["by"] > 0


def test_what_somebody_else_saved_is_not_overwritten(plan, saved):
    seen = fingerprint(saved, FILES)
    (saved / "allocation.csv").write_text("của người khác", encoding="utf-8")
    before = {path.name: path.read_bytes() for path in saved.iterdir()}
    with pytest.raises(SaveError):
        plan.save(saved, expected=seen)
    assert {path.name: path.read_bytes() for path in saved.iterdir()} == before


def test_a_file_in_the_way_is_no_folder(plan, tmp_path):
    path = tmp_path / "out"
    path.write_text("tệp", encoding="utf-8")
    with pytest.raises(SaveError):
        plan.save(path)
    assert path.read_text(encoding="utf-8") == "tệp"


# --- Text is never live --------------------------------------------------------------------------

LIVE = ("=", "+", "-", "@", "\t", "\r")


def test_a_text_is_no_formula_in_csv(saved):
    for name in ("allocation.csv", "rules.csv"):
        for row in rows_of(saved / name):
            for key, value in row.items():
                if key in ("text", "basis", "id", "group"):
                    assert not value.startswith(LIVE), (name, key, value)
    rows = {row["id"]: row for row in rows_of(saved / "rules.csv")}
    assert unescape_formula(rows["budget:2"]["text"]) == "=cmd|' /C calc'!A0"
    assert unescape_formula(rows["tech"]["text"]) == "+1+1"
    assert rows["wish"]["text"] == 'a\nb,"c"'
    # Numbers below zero stay numbers.
    assert all(float(row["slack"]) is not None for row in rows.values())


def test_a_text_is_no_formula_in_the_workbook(saved):
    book = openpyxl.load_workbook(saved / "allocation.xlsx")
    injected = ("cmd", "SUM(1)", "+1+1", "-2;=3")
    seen = set()
    for sheet in book:
        for row in sheet:
            for cell in row:
                text = str(cell.value)
                for part in injected:
                    if part in text:
                        assert cell.data_type == "s", (sheet.title, cell.coordinate)
                        seen.add(part)
    assert {"cmd", "+1+1"} <= seen


def test_names_are_no_formulas(tmp_path):
    data = data_of(title='=HYPERLINK("http://x")')
    plan = allocate(data, scenario(TEXT, head='name: "=1+1"\nyear: 2024\n'))
    plan.save(tmp_path)
    for sheet in openpyxl.load_workbook(tmp_path / "allocation.xlsx"):
        assert not sheet._hyperlinks
        for row in sheet:
            for cell in row:
                if cell.data_type == "f":
                    assert "1+1" not in str(cell.value)
                    assert "HYPERLINK" not in str(cell.value)


# --- The result itself ---------------------------------------------------------------------------


def test_a_result_is_frozen(plan):
    with pytest.raises(AttributeError):
        plan.status = "optimal"


@pytest.mark.parametrize("unit", ["vnd", "thousand_vnd", "million_vnd", "billion_vnd"])
def test_outputs_are_in_the_datasets_unit(unit, tmp_path):
    text = TEXT.replace("200.5", "200") + "round_to: 1\n"
    cells = CELLS.replace(" unit_cost", "").replace("   5\n", "\n").replace("  4\n", "\n")
    plan = allocate(dataset(cells=cells, absorption=SLICES, unit=unit), scenario(text))
    assert plan.status == "optimal"
    assert plan.table()["amount"].sum() == 225
    assert plan.table()["baseline"].tolist() == [100, 60, 20, 30]
    assert plan.rules().set_index("id").loc["budget:1", "bound"] == 200
    assert plan.summary()["unit"] == unit


def test_the_table_keeps_what_is_missing_missing():
    without_goals = TEXT.replace(
        "goals: [{maximise: disbursed, give: 0.05}, {minimise: change}]", ""
    )
    plan = allocate(dataset(cells=CELLS), scenario(without_goals), ranges=False)
    table = plan.table()
    assert table[["expected_disbursed", "lowest", "highest"]].isna().all().all()
    assert isinstance(table, pd.DataFrame)


def test_the_contracts_workbook_is_in_the_files_unit_and_a_print_in_that_of_screens(tmp_path):
    data = dataset(cells=CELLS, absorption=SLICES, unit="thousand_vnd")
    plan = allocate(data, scenario(TEXT))
    for book, unit in (("allocation.xlsx", "nghìn đồng"), ("de-xuat.xlsx", "triệu đồng")):
        plan.save(tmp_path, book=book)
        sheet = openpyxl.load_workbook(tmp_path / book, data_only=True).worksheets[0]
        rows = {row[1]: row for row in sheet.iter_rows(values_only=True)}
        texts = [str(value) for row in sheet.iter_rows(values_only=True) for value in row if value]
        assert f"Đơn vị tính: {unit}" in texts
        scale = UNITS["thousand_vnd"] / UNITS[find_unit(unit)]
        written = sum(float(row["amount"]) for row in rows_of(tmp_path / "allocation.csv"))
        assert rows["TỔNG CỘNG"][4] == pytest.approx(written * scale, rel=1e-12)
        assert written == 225.5  # tables stay in the file's unit


@pytest.mark.parametrize("language", ["vi", "en"])
def test_budgets_named_after_their_places_are_told_as_one(language):
    text = """
budget:
  - {source: KCQG, amount: 200}
  - {source: KCDP, place: "01", amount: 20, text: Kinh phí địa phương Hà Nội}
  - {source: KCDP, place: "02", amount: 10, text: Kinh phí địa phương Hà Giang}
  - {source: KCDP, place: ["04", "06"], pooled: true, amount: 5}
  - {source: KCDP, place: "08", amount: 5}
  - {source: KCDP, place: "10", amount: 5, text: Địa phương – Lào Cai (của tỉnh)}
"""
    words = Words("million_vnd", "63", language)
    own = "Khuyến công địa phương" if language == "vi" else words.name("KCDP", "source")
    assert budget_groups(scenario(text).budget, words) == {
        "budget:2": ("Kinh phí địa phương", "01"),
        "budget:3": ("Kinh phí địa phương", "02"),
        "budget:5": (own, "08"),
        "budget:6": ("Địa phương (của tỉnh)", "10"),
    }
