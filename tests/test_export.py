"""The printed workbook of a plan."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import zipfile

import numpy as np
import openpyxl
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from printing import check_signed, check_warned, pages_of

from kc_model import reference
from kc_model.errors import Address, Fault
from kc_model.export import Stamp, allocation_workbook
from kc_model.export.book import Book, display_of
from kc_model.money import SHOWN, UNITS, unit_name
from kc_model.tables import Note
from kc_model.wording import LANGUAGES, say

AREAS = [code for code in reference.area_order() if code != "ALL"]
PROVINCES = [
    code for code in reference.place_order("34") if not code.startswith("R-") and code != "VN"
]
EVIL = (
    "=1+1",
    "+1",
    "-2",
    "@SUM(A1)",
    "{=1}",
    "https://x.vn/?a=1&b=2",
    "mailto:a@b.vn",
    "=cmd|'x'",
)


def make_stamp(**changes):
    values = {
        "title": "Số liệu mẫu",
        "scenario": "co-so",
        "year": 2026,
        "as_of": None,
        "unit": "million_vnd",
        "vintage": "34",
        "synthetic": False,
        "dataset_hash": "ab" * 32,
        "scenario_hash": "cd" * 32,
        "versions": {"kc_model": "0.1.0", "highspy": "1.15.1"},
        "notes": (Note("assumed", "Mức chia là giả định.", "The split is assumed."),),
    }
    return Stamp(**{**values, **changes})


def make_cells(places=("TW", "01", "48"), areas=("TRAIN", "TECH"), sources=("KCQG", "KCDP"),
               years=(2026,), activities=("",), vintage="34", seed=0):  # fmt: skip
    rng = np.random.default_rng(seed)
    rows = [
        (year, place, area, activity, source, reference.region_of(place, vintage))
        for year in years
        for place in places
        for area in areas
        for activity in (activities if area == "TECH" else ("",))
        for source in sources
    ]
    frame = pd.DataFrame(rows, columns=["year", "place", "area", "activity", "source", "region"])
    frame["amount"] = pd.array(rng.integers(0, 10**10, len(frame)), dtype="Int64")
    frame["baseline"] = pd.array(rng.integers(0, 10**10, len(frame)), dtype="Int64")
    frame["expected_disbursed"] = frame["amount"].astype("float64") * 0.8
    frame["lowest"] = frame["highest"] = pd.array([None] * len(frame), dtype="Int64")
    return frame


RULE = {
    "id": "r", "group": "", "side": "min", "tier": "law", "lhs": 1.0, "bound": 1.0, "slack": 0.0,
    "status": "binding", "shortfall": 0.0, "price": np.nan, "measure": "money", "text": "",
    "basis": "", "told": "", "factor": 1.0,
}  # fmt: skip


def make_rules(*changes):
    return pd.DataFrame([{**RULE, **change} for change in changes], columns=list(RULE))


def load(data, **options):
    return openpyxl.load_workbook(io.BytesIO(data), **options)


def rows_of(sheet, column=2):
    """Values of a column by row number."""
    return {row: sheet.cell(row, column).value for row in range(1, sheet.max_row + 1)}


def row_of(sheet, text, column=2):
    return next(row for row, value in rows_of(sheet, column).items() if value == text)


def heading(sheet, text):
    """Column of a heading, wherever it stands."""
    return next(cell.column for row in sheet.iter_rows() for cell in row if cell.value == text)


class Sheets:
    """Works out our formulas from the cells that are not formulas, as Excel would."""

    def __init__(self, book):
        self.book = book

    def value(self, sheet, at):
        value = sheet[at].value
        if isinstance(value, str) and sheet[at].data_type == "f":
            return self.formula(sheet, value)
        return value or 0

    def formula(self, sheet, text):
        if found := re.fullmatch(r"=SUM\(([^()]+)\)", text):
            return sum(
                self.value(sheet, at) for part in found[1].split(",") for at in cells_of(part)
            )
        if found := re.fullmatch(r"=SUMIFS\((.+)\)", text):
            ranges = [part.rsplit("!", 1) for part in found[1].split(",")]
            other = self.book[ranges[0][0].strip("'")]
            keep = [True] * len(cells_of(ranges[0][1]))
            for (_, keys), (at,) in zip(ranges[1::2], ranges[2::2], strict=True):
                wanted = sheet[at].value
                keep = [
                    k and other[c].value == wanted
                    for k, c in zip(keep, cells_of(keys), strict=True)
                ]
            return sum(
                self.value(other, at)
                for at, k in zip(cells_of(ranges[0][1]), keep, strict=True)
                if k and isinstance(self.value(other, at), int | float)
            )
        found = re.fullmatch(r"=([A-Z]+\d+)([-/])([A-Z]+\d+)(-1)?", text)
        assert found, text
        left, right = self.value(sheet, found[1]), self.value(sheet, found[3])
        return (left - right if found[2] == "-" else left / right) - (1 if found[4] else 0)


def cells_of(area):
    area = area.replace("$", "")
    rows = openpyxl.utils.cell.rows_from_range(area) if ":" in area else ((area,),)
    return [at for row in rows for at in row]


def check_formulas(data):
    """Hold every stored value against the formula; return how many formulas there are."""
    book, stored = load(data), load(data, data_only=True)
    sheets, count = Sheets(book), 0
    for sheet in book:
        for row in sheet.iter_rows():
            for cell in row:
                if cell.data_type == "f":
                    count += 1
                    expected = sheets.formula(sheet, cell.value)
                    found = stored[sheet.title][cell.coordinate].value
                    assert found == pytest.approx(expected, rel=1e-9, abs=1e-9), cell
    return count


SHAPES = {
    "places, areas, funds": {},
    "one fund": {"sources": ("ALL",)},
    "one place": {"places": ("01",)},
    "one area": {"areas": ("ALL",)},
    "one cell": {"places": ("VN",), "areas": ("ALL",), "sources": ("KCQG",)},
    "years": {"years": (2026, 2027)},
    "activities": {"activities": ("Máy móc", "", "Mô hình")},
    "years and activities": {"years": (2026, 2027), "activities": ("=1", "B"), "places": ("01",)},
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("language", LANGUAGES)
def test_formulas_have_the_values_they_come_to(shape, language):
    cells = make_cells(**SHAPES[shape])
    data = allocation_workbook(make_stamp(), cells, make_rules({}), language)
    assert check_formulas(data) > 5
    stored = load(data, data_only=True)
    total = {"vi": "TỔNG CỘNG", "en": "TOTAL"}[language]
    by_place = {"vi": "Tổng hợp theo địa bàn", "en": "By place"}[language] in stored.sheetnames
    assert by_place == (len(set(cells["place"])) > 1)
    for sheet in stored.worksheets[: 1 + by_place]:  # to the đồng
        row = row_of(sheet, total)
        funds = cells.groupby("source")["amount"].sum()
        n_funds = len(funds)
        shown = [sheet.cell(row, 3 + i).value for i in range(n_funds)]
        assert sorted(round(value * 10**6) for value in shown) == sorted(int(v) for v in funds)
        main = sheet.cell(row, 3 + (n_funds if n_funds > 1 else 0)).value
        assert round(main * 10**6) == int(cells["amount"].sum())


@given(
    st.lists(st.integers(0, 10**13), min_size=12, max_size=12),
    st.sampled_from(list(UNITS)),
    st.booleans(),
)
@settings(max_examples=12, deadline=None)
def test_no_dong_is_lost_in_any_unit(amounts, unit, is_printed):
    cells = make_cells()
    cells["amount"] = pd.array(amounts, dtype="Int64")
    shown = None if is_printed else unit
    data = allocation_workbook(make_stamp(unit=unit), cells, make_rules({}), unit=shown)
    shown = SHOWN[unit] if is_printed else unit  # on paper the one that screens show
    scale = UNITS[shown]
    book = load(data, data_only=True)
    for sheet in book.worksheets[:3]:
        assert unit_name(shown) in " ".join(
            str(cell.value) for row in sheet["A1:Z9"] for cell in row
        )
    sheet = book.worksheets[0]
    codes = {name: heading(sheet, name) for name in ("Mã ĐB", "Mã ND")}
    kept = {}
    for row in range(1, sheet.max_row + 1):
        place, area = (sheet.cell(row, codes[name]).value for name in codes)
        if area in AREAS:
            for column, source in ((3, "KCQG"), (4, "KCDP")):
                kept[place, area, source] = round(sheet.cell(row, column).value * scale)
    keys = zip(cells["place"], cells["area"], cells["source"], strict=True)
    assert kept == dict(zip(keys, amounts, strict=True))
    total = sheet.cell(row_of(sheet, "TỔNG CỘNG"), 5).value
    assert round(total * scale) == sum(amounts)


def test_areas_stand_in_the_decrees_order_with_roman_numbers():
    cells = make_cells(places=("01", "04"), areas=AREAS, sources=("ALL",))
    cells = cells.drop(index=0).reset_index(drop=True)  # the first place has no TRAIN
    sheet = load(allocation_workbook(make_stamp(), cells, make_rules({}))).worksheets[0]
    numbers = [(sheet.cell(r, 1).value, sheet.cell(r, 2).value) for r in range(1, sheet.max_row)]
    romans = ("I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX")
    assert [name for number, name in numbers if number in romans] == [
        reference.area_name(code) for code in AREAS
    ]
    assert ("1", "Cao Bằng") in numbers
    assert ("2", "Cao Bằng") in numbers


def test_the_form_is_official():
    stamp = make_stamp(unit_name="Sở Công Thương", as_of=6, synthetic=True)
    data = allocation_workbook(stamp, make_cells(), make_rules({}))
    book = load(data)
    assert book.sheetnames == [
        "Phương án phân bổ", "Tổng hợp theo địa bàn", "Tăng, giảm", "Quy định", "Ghi chú",
    ]  # fmt: skip
    shown = {str(cell.value) for row in book.worksheets[0].iter_rows() for cell in row}
    for text in (
        "CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM",
        "Độc lập - Tự do - Hạnh phúc",
        "SỞ CÔNG THƯƠNG",
        "PHƯƠNG ÁN PHÂN BỔ KINH PHÍ KHUYẾN CÔNG NĂM 2026",
        "Đơn vị tính: triệu đồng",
        "Kế hoạch đang thực hiện",
        "Dự kiến giải ngân",
        "NGƯỜI LẬP BIỂU",
        "THỦ TRƯỞNG ĐƠN VỊ",
        "(ký, ghi rõ họ tên, đóng dấu)",
        "- Giả định: Mức chia là giả định.",
        "SỐ LIỆU MÔ PHỎNG - KHÔNG DÙNG ĐỂ BÁO CÁO",
    ):
        assert text in shown, text
    for sheet in book:
        check_warned(sheet)
        assert make_stamp().title in sheet.oddFooter.left.text.replace("&&", "&")
        assert "cdcdcdcdcdcd" not in sheet.oddFooter.left.text
        assert "kc_model 0.1.0" in sheet.oddFooter.left.text
        assert "tháng 6/2026 · Số mô phỏng, giả định" in sheet.oddFooter.left.text
    for sheet in book.worksheets[:4]:
        assert sheet.print_title_rows
        assert sheet.freeze_panes
    cells = [cell for sheet in book for row in sheet.iter_rows() for cell in row]
    fonts = {cell.font.name for cell in cells if cell.value is not None}
    assert fonts == {"Times New Roman"}


@pytest.mark.parametrize(
    ("stamp", "text"),
    [
        ({"baseline_year": 2025}, "Kế hoạch năm 2025"),
        ({"as_of": 3, "baseline_year": 2025}, "Kế hoạch đang thực hiện"),
        ({}, "Mốc so sánh"),
    ],
)
def test_what_the_plan_is_compared_with_is_named(stamp, text):
    sheet = load(allocation_workbook(make_stamp(**stamp), make_cells(), make_rules({}))).worksheets[
        0
    ]
    assert heading(sheet, text)


def test_columns_without_anything_to_show_are_left_out():
    cells = make_cells(sources=("KCQG",))
    cells["baseline"] = pd.array([0] * len(cells), dtype="Int64")
    cells["expected_disbursed"] = np.nan
    book = load(allocation_workbook(make_stamp(), cells, make_rules({})))
    row = row_of(book.worksheets[0], "TỔNG CỘNG")
    assert book.worksheets[0].cell(row, 3).value is not None
    assert book.worksheets[0].cell(row, 4).value is None
    assert "Tăng, giảm" not in book.sheetnames


def test_a_sum_with_an_unknown_part_says_so():
    cells = make_cells(places=("01", "04"), areas=("TRAIN", "TECH"), sources=("ALL",))
    cells.loc[0, "expected_disbursed"] = np.nan
    book = load(allocation_workbook(make_stamp(), cells, make_rules({})), data_only=True)
    for sheet, parts in (
        (book.worksheets[0], ("Đào tạo nghề", "TỔNG CỘNG")),
        (book.worksheets[1], ("Hà Nội", "TỔNG CỘNG")),
    ):
        column = heading(sheet, "Dự kiến giải ngân")
        for name in parts:
            assert sheet.cell(row_of(sheet, name), column).value == "chưa rõ"
    sheet = book.worksheets[1]
    known = sheet.cell(row_of(sheet, "Cao Bằng"), heading(sheet, "Dự kiến giải ngân")).value
    part = cells[cells["place"] == "04"]["expected_disbursed"].sum()
    assert known == pytest.approx(part / 10**6)


def test_no_text_of_the_users_is_live():
    cells = make_cells(activities=EVIL)
    rules = make_rules(*({"id": t, "group": t, "text": t, "basis": t} for t in EVIL))
    notes = tuple(Note("assumed", text, text) for text in EVIL)
    warnings = (Fault("save-failed", Address("=x"), {"path": "=1", "reason": "@y"}, "warning"),)
    ours = re.compile(r"=(SUM|SUMIFS)\(.*\)|=[A-Z]+\d+[-/][A-Z]+\d+(-1)?")
    for text in EVIL:
        stamp = make_stamp(
            title=text, scenario=text, unit_name=text, notes=notes, warnings=warnings,
            summary=EVIL, sources=EVIL, versions={"kc_model": text},
        )  # fmt: skip
        data = allocation_workbook(stamp, cells, rules)
        book = load(data)
        for sheet in book:
            assert not sheet._hyperlinks
            for row in sheet.iter_rows():
                for cell in row:
                    if cell.data_type == "f":
                        assert isinstance(cell.value, str), "no array formulas"
                        assert ours.fullmatch(cell.value), cell.value
                    assert cell.hyperlink is None
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            assert not any("externalLink" in name or "vba" in name for name in archive.namelist())
    plan = set(rows_of(book.worksheets[0]).values())
    ground = set(rows_of(book["Ghi chú"]).values())
    table = {cell.value for row in book["Quy định"].iter_rows() for cell in row}
    for text in EVIL:  # shown as it was written
        assert {text} <= plan
        assert {text} <= ground
        assert {text} <= table
    assert check_formulas(data)


def test_long_and_odd_texts_are_not_lost():
    long = " ".join(f"từ{i}" for i in range(8000))  # beyond what one cell holds
    odd = "dòng 1\ndòng 2\x00\x0b<>&\"'\u202e\U0001f600"
    stamp = make_stamp(notes=(Note("assumed", long, long), Note("real", odd, odd)), sources=(odd,))
    book = load(allocation_workbook(stamp, make_cells(), make_rules({"text": long, "basis": odd})))
    for sheet, column in ((book["Ghi chú"], 2), (book.worksheets[0], 1)):
        joined = "".join(str(v) for v in rows_of(sheet, column).values() if v)
        assert long in joined
    table = {str(cell.value) for row in book["Quy định"].iter_rows() for cell in row}
    assert any(len(text) > 30_000 and text.endswith("…") for text in table)
    assert any("dòng 1\ndòng 2" in str(v) for v in rows_of(book["Ghi chú"], 2).values())


def test_who_loses_stands_first():
    cells = make_cells(places=("01", "04", "08", "48"), areas=("TRAIN", "TECH"), sources=("ALL",))
    cells["baseline"] = pd.array([100 * 10**6] * 8, dtype="Int64")
    cells["amount"] = pd.array(
        [v * 10**6 for v in (90, 90, 150, 20, 200, 100, 100, 100)], dtype="Int64"
    )
    sheet = load(allocation_workbook(make_stamp(), cells, make_rules({})), data_only=True)[
        "Tăng, giảm"
    ]
    names = [name for row, name in rows_of(sheet).items() if row > 3 and name]
    others = "1 mục khác, không đổi hoặc chỉ đổi do làm tròn"  # Đà Nẵng
    assert names == ["Cao Bằng", "Hà Nội", "Tuyên Quang", others, "TỔNG CỘNG"]
    sums = [sheet.cell(row_of(sheet, "TỔNG CỘNG"), column).value for column in (3, 4, 5)]
    assert sums == [800, 850, 50]  # of the whole plan
    row = row_of(sheet, "Cao Bằng")
    assert sheet.cell(row, 5).value == -30
    assert sheet.cell(row, 6).value == pytest.approx(-0.15)
    assert sheet.cell(row, 7).value == f"{reference.area_name('TECH')}: −80"
    assert sheet.cell(row_of(sheet, "Tuyên Quang"), 7).value is None


def test_rules_read_aloud():
    rules = make_rules(
        {"id": "floor", "group": "01|TECH", "status": "met", "lhs": 12.5, "slack": 2.5,
         "bound": 10.0, "text": "Mức sàn", "basis": "Kế hoạch 2024"},
        {"id": "budget:1", "side": "equal", "price": 0.8312345, "bound": 17800.0,
         "lhs": 17800.0, "told": "Thêm 100 triệu đồng thì dự kiến giải ngân thêm 80 triệu đồng."},
        {"id": "models", "side": "min", "tier": "directive", "status": "missed", "bound": 13.0,
         "lhs": 11.5, "slack": -1.5, "shortfall": 1.5, "measure": "outputs", "price": 0.25},
        {"id": "bound:01|TECH|KCQG:max", "side": "max", "price": 0.0},
        {"id": "pref", "tier": "preference", "group": "ward-7", "bound": np.nan, "lhs": np.nan,
         "slack": np.nan, "shortfall": np.nan, "status": "met"},
    )  # fmt: skip
    sheet = load(allocation_workbook(make_stamp(), make_cells(), rules))["Quy định"]
    rows = [[cell.value for cell in row] for row in sheet.iter_rows(min_row=4)]
    area = reference.area_name("TECH")
    assert [row[8] for row in rows] == ["chưa đạt", "chạm giới hạn", "chạm giới hạn", "đạt", "đạt"]
    missed, budget, bound, floor, preference = rows
    assert missed[3:8] == ["theo chỉ đạo", "ít nhất", 13, 11.5, -1.5]
    assert budget[9] == "Thêm 100 triệu đồng thì dự kiến giải ngân thêm 80 triệu đồng."
    assert [row[9] for row in (missed, bound, floor)] == [None] * 3
    assert budget[4] == "dùng hết"
    assert bound[2] == f"Hà Nội – {area} – KCQG"
    assert floor[1:4] == ["Mức sàn", f"Hà Nội – {area}", "bắt buộc"]
    assert floor[5:8] == [10, 12.5, 2.5]
    assert floor[10] == "Kế hoạch 2024"
    assert preference[2:4] == ["ward-7", "ưu tiên"]
    assert preference[5:8] == [None, None, None]


@pytest.mark.parametrize(
    ("language", "group", "status", "room"),
    [
        ("vi", "3 địa phương; chưa đạt: Hà Nội; chạm giới hạn: Tuyên Quang", "chưa đạt (1/3)",
         "−50,0 – 1.200,0"),
        ("en", "3 places; missed: Ha Noi; binding: Tuyen Quang", "missed (1/3)", "−50.0 – 1,200.0"),
    ],
)  # fmt: skip
def test_a_rule_of_several_places_is_one_row_and_each_place_is_folded(
    language, group, status, room
):
    floor = {"id": "floor", "side": "min", "text": "Mức sàn", "bound": 100.0}
    rules = make_rules(
        {**floor, "group": "04", "lhs": 1300.0, "slack": 1200.0, "status": "met"},
        {**floor, "group": "08", "lhs": 100.0, "slack": 0.0, "status": "binding"},
        {
            **floor,
            "group": "01",
            "lhs": 50.0,
            "slack": -50.0,
            "shortfall": 50.0,
            "status": "missed",
        },
        {"id": "other", "text": "Khác", "status": "met"},
    )
    cells = make_cells(places=("01", "04", "08"))
    sheet = load(allocation_workbook(make_stamp(), cells, rules, language)).worksheets[3]
    rows = {row: [cell.value for cell in sheet[row]] for row in range(4, 9)}
    assert rows[4][:3] == ["1", "Mức sàn", group]
    assert rows[4][5:9] == [100, rows[4][6], room, status]
    assert [rows[row][0] for row in range(5, 9)] == [None] * 3 + ["2"]
    assert [rows[row][6] for row in (5, 6, 7)] == [50, 100, 1300]
    folded = [sheet.row_dimensions[row] for row in range(4, 9)]
    assert [bool(one.hidden) for one in folded] == [False, True, True, True, False]
    assert [one.outlineLevel for one in folded] == [0, 1, 1, 1, 0]


def test_budgets_that_differ_in_their_place_alone_are_one_rule_and_colour_is_only_a_status():
    rules = make_rules(
        *({"id": f"budget:{number}", "text": "Kinh phí địa phương", "group": place, "side": "max",
           "bound": 2500.0, "told": f"Thêm {place}."}
          for number, place in enumerate(PROVINCES, 1)),
        {"id": "floor", "status": "missed", "shortfall": 1.0, "text": "Mức sàn"},
    )  # fmt: skip
    cells = make_cells(places=PROVINCES)
    book = load(allocation_workbook(make_stamp(unit="thousand_vnd"), cells, rules))
    sheet = book["Quy định"]
    shown = [row for row in sheet.iter_rows(min_row=4) if row[0].value]
    assert [row[1].value for row in shown] == ["Mức sàn", "Kinh phí địa phương"]
    count, first = len(PROVINCES), reference.place_name(PROVINCES[0], "34")
    assert shown[1][2].value.startswith(f"{count} địa phương; chạm giới hạn: {first}, ")
    assert shown[1][5].value == 2.5  # triệu, as on screen
    assert shown[1][9].value == f"{first}: Thêm {PROVINCES[0]}."
    assert [[cell.value for cell in row if cell.fill.fgColor.rgb not in ("00000000", "FFFFFFFF")]
            for row in shown] == [["chưa đạt"], [f"chạm giới hạn ({count}/{count})"]]  # fmt: skip
    assert [row[1].font.bold for row in shown] == [True, False]
    assert len(pages_of(sheet)) == 1


def test_a_fund_that_a_place_has_none_of_is_a_dash_and_an_unknown_baseline_says_so():
    cells = make_cells(places=("TW", "01", "48"))
    cells = cells[(cells["place"] != "01") | (cells["source"] != "KCQG")].reset_index(drop=True)
    cells.loc[cells["place"] == "48", "baseline"] = pd.NA
    for sheet in load(allocation_workbook(make_stamp(), cells, make_rules({}))).worksheets[:2]:
        rows = {row[1].value: [cell.value for cell in row] for row in sheet.iter_rows(max_col=9)}
        assert rows["Hà Nội"][2] == "–"
        assert rows["Đà Nẵng"][5:8] == ["chưa rõ", "chưa rõ", "–"]
        assert None not in rows["TỔNG CỘNG"][2:]


def test_a_change_that_rounds_to_none_has_no_sign():
    cells = make_cells(places=("01", "04"), areas=("TECH",), sources=("ALL",))
    cells["baseline"] = pd.array([10**12, 10**12], dtype="Int64")
    cells["amount"] = cells["baseline"] + pd.array([-1, 4 * 10**8], dtype="Int64")
    sheet = load(allocation_workbook(make_stamp(), cells, make_rules({})))["Tăng, giảm"]
    formats = [sheet.cell(4, column).number_format for column in (5, 6)]
    assert formats == [
        '[>=0.05][$-42A]+#,##0.0_);[<=-0.05][$-42A]"−"#,##0.0_);"0,0"_)',
        '[>=0.0005][$-42A]+0.0 %_);[<=-0.0005][$-42A]"−"0.0 %_);"0,0 %"_)',
    ]


def test_pages_are_broken_between_groups_where_that_takes_no_more_of_them():
    book = Book("vi", "34", display_of([], "million_vnd", 13.5))
    ends = []
    for groups in ([22, 24], [10, 40]):  # 33 rows of 15 points fill a page
        sheet = book.sheet(("plan", "places")[len(ends)], (32.0, 60.0))
        for row in (0, groups[0]):
            book.group(sheet, row, 0)
        book.footer(sheet, "")
        book.print_rows(sheet, sum(groups) - 1)
        ends.append(sheet)
    written = load(book.close())
    assert [list(pages_of(sheet)[0])[-1] for sheet in written] == [22, 33]


def test_no_rules_at_all():
    assert load(allocation_workbook(make_stamp(), make_cells(), make_rules()))["Quy định"]


def test_reserve_is_shown_beside_the_total():
    stamp = make_stamp(reserve=(("Vốn tỉnh", 5 * 10**8), ("Vốn huyện", 0)))
    cells = make_cells()
    sheet = load(allocation_workbook(stamp, cells, make_rules({})), data_only=True).worksheets[0]
    row = row_of(sheet, "TỔNG CỘNG")
    assert round(sheet.cell(row, 5).value * 10**6) == int(cells["amount"].sum())
    assert sheet.cell(row + 1, 5).value == 500
    assert sheet.cell(row + 1, 2).value == "Dự phòng chưa phân bổ: Vốn tỉnh"
    assert sheet.cell(row + 2, 5).value is None


def test_ground_tells_where_it_comes_from():
    warning = Fault("save-failed", Address("x.csv"), {"path": "x.csv", "reason": "r"}, "warning")
    stamp = make_stamp(
        summary=("Câu một.",), warnings=(warning,), sources=("S1",), synthetic=True, seed=7, as_of=0
    )
    sheet = load(allocation_workbook(stamp, make_cells(), make_rules({})))["Ghi chú"]
    rows = [[cell.value for cell in row if cell.value] for row in sheet.iter_rows(max_col=3)]
    shown = [tuple(row) for row in rows]
    for pair in (
        ("1", "Câu một."),
        ("2", "Giả định: Mức chia là giả định."),
        ("1", f"{warning.found()} {warning.remedy()}"),  # no code, no address: it is on paper
        ("1", "S1"),
        ("Mã đối chiếu bộ số liệu (SHA-256)", "ab" * 32),
        ("Phiên bản phần mềm", "kc_model 0.1.0; highspy 1.15.1"),
        ("Số khởi tạo ngẫu nhiên (để dự báo lặp lại đúng)", "7"),
        ("Thời điểm số liệu", "Số liệu trước khi bước vào năm 2026"),
    ):
        assert pair in shown


@pytest.mark.parametrize(
    ("amount", "unit", "shown"),
    [
        (5 * 10**6, "million_vnd", "[$-42A]#,##0_)"),
        (5 * 10**5, "million_vnd", "[$-42A]#,##0.0_)"),
        (1, "million_vnd", "[$-42A]#,##0.0_)"),
        (1, "vnd", "[$-42A]#,##0.000_)"),
        (10**7 + 10**3, "thousand_vnd", "[$-42A]#,##0.000_)"),  # as exact as the file
        (10**7, "billion_vnd", "[$-42A]#,##0.00_)"),
    ],
)
def test_money_is_shown_with_the_digits_it_has(amount, unit, shown):
    cells = make_cells(places=("01",), areas=("TECH",), sources=("ALL",))
    cells["amount"] = cells["baseline"] = pd.array([amount], dtype="Int64")
    sheet = load(allocation_workbook(make_stamp(unit=unit), cells, make_rules({}))).worksheets[0]
    row = row_of(sheet, "TỔNG CỘNG")
    positive, negative = sheet.cell(row, 3).number_format.split(";")
    assert (positive, negative) == (shown, shown.replace("]", ']"−"'))
    notes = " ".join(str(v) for v in rows_of(sheet, 1).values())
    assert ("làm tròn" in notes) == (amount == 1)


def test_bold_text_has_the_lines_that_its_width_takes():
    book = Book("vi", "34", display_of([], "million_vnd", 13.5))
    sheet = book.sheet("plan", (32.0, 60.0))
    for row, style in enumerate(("cell", "bold")):
        book.text(sheet, row, 0, "Phát triển sản phẩm CNNT tiêu biểu", style, "wrap")
    written = load(book.close()).worksheets[0]
    assert [written.row_dimensions[row].height for row in (1, 2)] == [None, 30.0]


@pytest.mark.parametrize("n_places", [1, 3, 9, 13, 16, 20, 24, 28, 34])
@pytest.mark.parametrize("n_notes", [1, 12])
def test_signatures_stay_with_the_last_rows(n_places, n_notes):
    cells = make_cells(places=PROVINCES[:n_places], areas=("TECH", "INFO"))
    note = Note("assumed", "Mức chia là giả định. " * 12, "The split is assumed. " * 12)
    stamp = make_stamp(notes=(note,) * n_notes)
    book = load(allocation_workbook(stamp, cells, make_rules(*[{}] * 40)))
    for sheet in book:
        pages = pages_of(sheet)
        for page in pages[:-1]:  # no area, no heading of a section is left at the end of a page
            first = sheet.cell(page[-1], 1).value
            assert first not in ("I", "II")
            assert sheet.cell(page[-1], 2).value or first not in ("Tóm tắt", "Truy vết")
    sheet = book.worksheets[0]
    check_signed(sheet, "TỔNG CỘNG")
    assert n_places > 3 or n_notes > 1 or len(pages_of(sheet)) == 1


def test_a_form_of_one_column_shows_the_whole_national_heading():
    cells = make_cells(places=("01",), areas=("TECH",), sources=("ALL",))
    cells["baseline"], cells["expected_disbursed"] = pd.array([None], dtype="Int64"), np.nan
    sheet = load(allocation_workbook(make_stamp(), cells, make_rules({}))).worksheets[0]
    for text in ("CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM", "THỦ TRƯỞNG ĐƠN VỊ"):
        column = heading(sheet, text)
        row = row_of(sheet, text, column)
        areas = [area for area in sheet.merged_cells.ranges if (row, column) in area.top]
        last = areas[0].max_col if areas else column
        letters = [openpyxl.utils.get_column_letter(i) for i in range(column, last + 1)]
        pixels = sum(7 * sheet.column_dimensions[letter].width for letter in letters)
        assert pixels > len(text) * 10  # a bold capital of 11 points takes some 10


def test_changes_of_rounding_alone_are_listed_together():
    cells = make_cells(places=("01", "04"), areas=("TECH",), sources=("ALL",))
    cells["baseline"] = pd.array([10**10, 10**10], dtype="Int64")
    cells["amount"] = pd.array([10**10 + 10**6, 10**10 - 10**9], dtype="Int64")
    sheet = load(allocation_workbook(make_stamp(), cells, make_rules({})))["Tăng, giảm"]
    assert [cell.value for cell in sheet["B"][3:]] == ["Cao Bằng", "Hà Nội", "TỔNG CỘNG"]
    cells["baseline"] = pd.array([10**10, 10**6], dtype="Int64")
    cells["amount"] = cells["baseline"] + pd.array([0, 9 * 10**5], dtype="Int64")
    for step, named in ((10**6, []), (10**5, ["Cao Bằng"])):  # as on screen: less than a step
        file = allocation_workbook(make_stamp(step=step), cells, make_rules({}))
        sheet = load(file, data_only=True)["Tăng, giảm"]
        *names, others, total = [cell.value for cell in sheet["B"][3:]]
        assert (names, others.split()[0], total) == (named, str(2 - len(named)), "TỔNG CỘNG")
        assert sheet.cell(sheet.max_row, 5).value == pytest.approx(0.9)


@pytest.mark.skipif(shutil.which("soffice") is None, reason="LibreOffice is not installed")
def test_an_office_program_prints_the_pages_we_laid_out(tmp_path):
    cells = make_cells(places=PROVINCES, areas=AREAS)
    data = allocation_workbook(make_stamp(synthetic=True), cells, make_rules(*[{}] * 60))
    (tmp_path / "plan.xlsx").write_bytes(data)
    subprocess.run(
        ["soffice", f"-env:UserInstallation={(tmp_path / 'profile').as_uri()}", "--headless",
         "--convert-to", "pdf", "--outdir", str(tmp_path), str(tmp_path / "plan.xlsx")],
        check=True, capture_output=True, timeout=120,
    )  # fmt: skip
    printed = len(re.findall(rb"/Type\s*/Page\b", (tmp_path / "plan.pdf").read_bytes()))
    assert printed == sum(len(pages_of(sheet)) for sheet in load(data))


def test_the_same_input_gives_the_same_bytes():
    stamp, cells, rules = make_stamp(), make_cells(), make_rules({})
    data = allocation_workbook(stamp, cells, rules)
    assert data == allocation_workbook(stamp, cells.copy(), rules.copy())
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    assert load(data).properties.created.isoformat() == "2000-01-01T00:00:00"


def test_a_national_plan_is_written():
    cells = make_cells(places=PROVINCES, areas=AREAS)
    data = allocation_workbook(make_stamp(), cells, make_rules(*[{}] * 600))
    assert len(cells) == 35 * 9 * 2
    assert load(data).sheetnames


def test_a_plan_without_cells_is_refused():
    with pytest.raises(ValueError, match="cells"):
        allocation_workbook(make_stamp(), make_cells(places=()), make_rules({}))


def make_moves(amounts, who, reasons):
    count = len(amounts)
    ends = {f"{end}_{key}": [code] * count for end, pairs in
            (("from", ("01", "TECH")), ("to", ("48", "TRAIN")))
            for key, code in zip(("place", "area"), pairs, strict=True)}  # fmt: skip
    money = pd.array(amounts, dtype="Int64")
    frame = pd.DataFrame({**ends, "source": ["KCQG"] * count, "reason": reasons})
    return frame.assign(amount=money, gain=[float(one) / 2 for one in amounts], who_decides=who)


def test_a_rule_of_several_places_is_told_once_and_shares_are_shown_as_shares():
    told = "Tính chung cả 2 nơi: thêm 152 triệu đồng."
    share = {"measure": "share", "factor": 0.015, "bound": 139.181, "lhs": 69.5905, "told": told}
    rules = make_rules({**share, "group": "01"}, {**share, "group": "48"}, {"id": "s", "lhs": 1.25})
    book = load(allocation_workbook(make_stamp(), make_cells(), rules))
    sheet = book["Quy định"]
    assert [sheet.cell(row, 10).value for row in (4, 5, 6)] == [told, None, None]
    assert (sheet.cell(4, 6).value, sheet.cell(4, 7).value) == pytest.approx((0.015, 0.0075))
    assert sheet.cell(4, 6).number_format.endswith("%_)")
    assert sheet.cell(7, 7).number_format == book["Tổng hợp theo địa bàn"].cell(6, 3).number_format
    texts = [str(cell.value) for one in book.worksheets for row in one.iter_rows() for cell in row]
    assert not [text for text in texts if ".csv" in text or "kc allocate" in text]


def test_a_whole_years_plan_is_headed_by_its_year_alone():
    stamp = make_stamp(as_of=None, latest=(2026, 6))  # known, but not what the plan counts
    book = load(allocation_workbook(stamp, make_cells(), make_rules()))
    *others, notes = book.worksheets
    for sheet in others:
        texts = [str(cell.value) for row in sheet.iter_rows() for cell in row]
        assert "hết tháng" not in " ".join(texts), sheet.title
    assert "NĂM 2026" in " ".join(str(row[0].value) for row in others[0].iter_rows(max_row=8))
    told = [[cell.value for cell in row if cell.value] for row in notes.iter_rows(max_col=3)]
    assert ["Thời điểm số liệu", "Số liệu đến hết tháng 6/2026"] in told
    for sheet in book.worksheets:
        assert sheet.oddFooter.left.text.startswith("Năm 2026 · ")
        assert "hết tháng" not in sheet.oddFooter.left.text
        assert stamp.dataset_hash[:6] not in sheet.oddFooter.left.text  # told under Truy vết


def test_a_long_title_leaves_room_for_what_a_footer_ends_with():
    notes = tuple(Note(one, "x", "x") for one in ("assumed", "derived", "estimate", "real"))
    stamp = make_stamp(title="Số liệu " * 30, notes=notes)
    book = load(allocation_workbook(stamp, make_cells(), make_rules()))
    assert all("Số… · kc_model 0.1.0" in one.oddFooter.left.text for one in book.worksheets)


@settings(max_examples=20, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(1, 5 * 10**6),
            st.sampled_from(["minister", "agency", "department", "province"]),
            st.sampled_from(["Do quy định A.", "Chỉ khoảng 12 %.", "Chỉ khoảng 62,5 %."]),
        ),
        min_size=1,
        max_size=12,
    )
)
def test_moves_stand_by_who_decides_the_largest_first_and_none_is_lost(moves):
    amounts, who, reasons = map(list, zip(*moves, strict=True))
    data = allocation_workbook(
        make_stamp(as_of=7), make_cells(), make_rules(), moves=make_moves(amounts, who, reasons)
    )
    sheet = load(data, data_only=True)[say("export.sheets.moves", "vi")]
    lines = [[cell.value for cell in row] for row in sheet.iter_rows()]
    named = {row[1]: row for row in lines if row[1]}
    assert named["TỔNG CỘNG"][4] == pytest.approx(sum(amounts) / 10**6)
    listed = [row for row in lines if str(row[0]).isdigit() and isinstance(row[4], float | int)]
    assert sum(row[4] for row in listed) == pytest.approx(sum(amounts) / 10**6)
    small = [(w, amount) for amount, w in zip(amounts, who, strict=True) if amount < 10**6]
    joined = sum(1 for w in set(who) if sum(one == w for one, _ in small) > 1)
    assert sum("do làm tròn" in row[1] for row in listed) == joined
    for one in set(who):
        own = [amount for amount, w in zip(amounts, who, strict=True) if w == one]
        group = named[say(f"moves.who.{one}", "vi")]
        assert group[4] == pytest.approx(sum(own) / 10**6)
    head = " ".join(str(cell) for row in lines[:8] for cell in row if cell)
    assert {row[6] for row in listed if row[6]} <= set(reasons)
    assert "tháng 7" in head


def test_every_sheet_of_a_mid_year_plan_says_up_to_when():
    data = allocation_workbook(make_stamp(as_of=7), make_cells(), make_rules())
    for sheet in load(data).worksheets[:-1]:
        above = [str(cell.value) for row in sheet.iter_rows(max_row=8) for cell in row]
        assert any("hết tháng 7/" in text for text in above), sheet.title
