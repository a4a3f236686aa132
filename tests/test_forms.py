"""The forms of projects: columns as the circular has them, live formulas, nothing lost or live."""

from __future__ import annotations

import io
import re
from datetime import date
from functools import cache
from pathlib import Path

import openpyxl
import pandas as pd
import pytest
from datasets import dataset, scenario
from hypothesis import given, settings
from hypothesis import strategies as st
from printing import check_marks, check_signed, check_warned, pages_of

import kc_model as kc
from kc_model.export import Stamp, adjustment_workbook, assigned_workbook
from kc_model.money import SHOWN, UNITS
from kc_model.moves import who_decides
from kc_model.projects import assigned_plan, build_offers, registration
from kc_model.wording import LANGUAGES, say

DATA = Path(__file__).parent.parent / "data" / "sample-projects"
HEAD = "id name place area source support cost counterpart other"
ROWS = """A máy 01 TECH KCQG 300 900 500 100
B chợ 01;04 PROD KCDP 50 80 - -
C thử 01 TECH KCQG 100 - - -
D sấy 01 TECH KCDP 70 200 100 -"""
GOAL = "goals: [{maximise: disbursed}]\n"
MOVES = (
    "id",
    "place",
    "area",
    "activity",
    "source",
    "before",
    "move",
    "after",
    "reason",
    "decided_by",
)


def data(rows: str = ROWS, head: str = HEAD, **more):
    return dataset(projects=f"{head}\n{rows}", **more)


@cache
def sample():
    return kc.read_dataset(DATA)


def chosen(**amounts: int | None) -> pd.DataFrame:
    rows = [(one, amount, f"lý do {one}") for one, amount in amounts.items()]
    frame = pd.DataFrame(rows, columns=["id", "amount", "reason"])
    return frame.assign(amount=frame["amount"].astype("Int64"))


def stamp_of(about, as_of: int | None = None) -> Stamp:
    return Stamp(about.title, "", 2024, as_of, about.unit, about.vintage, True, "", "", {})


def adjusted(about, changes: pd.DataFrame, language: str = "vi", **more) -> bytes:
    return adjustment_workbook(stamp_of(about, 9), changes, about.projects, language, **more)


def assigned(about, given: pd.DataFrame, language: str = "vi") -> bytes:
    return assigned_workbook(stamp_of(about), about.projects, given, language)


def moves(*rows: tuple) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=list(MOVES))


def plan(language: str = "vi", **amounts: int | None) -> bytes:
    return assigned(data(), chosen(**amounts), language)


def load(content: bytes, *, values: bool = True) -> openpyxl.Workbook:
    return openpyxl.load_workbook(io.BytesIO(content), data_only=values)


def sheet_of(content: bytes, key: str, language: str = "vi"):
    return load(content)[say(f"export.sheets.{key}", language)]


def table_of(sheet) -> list[list[object]]:
    """Return the rows of the (first) table, from its row of column numbers to its total."""
    rows = [[cell.value for cell in row] for row in sheet.iter_rows()]
    first = next(i for i, row in enumerate(rows) if row[:2] == ["A", "B"])
    last = next(
        i for i, row in enumerate(rows) if i > first and row[1] in ("TỔNG CỘNG", "Cộng", "TOTAL")
    )
    return rows[first : last + 1]


def headings(sheet) -> list[str]:
    top = next(cell.row for cell in sheet["A"] if cell.value == "TT")
    found = []
    for column in range(1, sheet.max_column + 1):
        above, own = (sheet.cell(row, column).value for row in (top, top + 1))
        found.append(own or above)
    return found


class Sheet:
    """Works out our formulas from the numbers of a sheet, as a spreadsheet would."""

    def __init__(self, sheet):
        self.sheet = sheet

    def value(self, at: str) -> float:
        cell = self.sheet[at]
        return self.formula(cell.value) if cell.data_type == "f" else cell.value or 0

    def formula(self, text: str) -> float:
        if found := re.fullmatch(r"=SUM\(([^()]+)\)", text):
            cells = [at for part in found[1].split(",") for at in self.cells(part)]
            return sum(map(self.value, cells))
        if found := re.fullmatch(r"=SUMIF\(([^,]+),([^,]+),([^,]+)\)", text.replace("$", "")):
            named, money = self.cells(found[1]), self.cells(found[3])
            wanted = self.sheet[found[2]].value
            own = [m for n, m in zip(named, money, strict=True) if self.sheet[n].value == wanted]
            return sum(map(self.value, own))
        terms = re.findall(r"([-+=])([A-Z]+\d+)", text)
        assert "".join(f"{sign}{at}" for sign, at in terms) == text
        return sum((-1 if sign == "-" else 1) * self.value(at) for sign, at in terms)

    def cells(self, area: str) -> list[str]:
        found = self.sheet[area]
        rows = found if isinstance(found, tuple) else ((found,),)
        return [cell.coordinate for row in rows for cell in row]


def check_formulas(content: bytes) -> int:
    """Hold every stored value against its formula; return how many there are."""
    book, stored, count = load(content, values=False), load(content), 0
    for sheet in book:
        for row in sheet.iter_rows():
            for cell in row:
                if cell.data_type == "f":
                    value = stored[sheet.title][cell.coordinate].value
                    expected = Sheet(sheet).formula(cell.value)
                    assert value == pytest.approx(expected, rel=1e-9, abs=1e-9), cell
                    count += 1
    return count


# ---------------------------------------------------------------------------- registration


def test_form_1_has_the_columns_of_the_circular():
    sheet = sheet_of(registration(data(), 2024), "estimates")
    assert headings(sheet)[:7] == [
        "TT",
        "Nội dung chi",
        "Tổng kinh phí",
        "Kinh phí khuyến công quốc gia",
        "Kinh phí đóng góp của đơn vị thụ hưởng",
        "Nguồn khác",
        "Ghi chú",
    ]
    table = table_of(sheet)
    assert table[0] == ["A", "B", "1", "2", "3", "4", "5"]
    assert table[1][:6] == ["1", "máy", 900, 300, 500, 100]
    assert table[-1][1:6] == ["Cộng", 900, 300, 500, 100]
    texts = [str(cell.value) for row in sheet.iter_rows() for cell in row if cell.value]
    assert sum("Đơn vị tính: triệu đồng" in text for text in texts) == 4
    assert sum("không được hỗ trợ từ nguồn kinh phí nhà nước khác" in text for text in texts) == 4
    assert sum("bảo đảm phần kinh phí còn lại" in text for text in texts) == 4


def test_every_estimate_begins_a_page():
    content = registration(data(), 2024)
    sheet = load(content, values=False)[say("export.sheets.estimates")]
    starts = [
        row
        for row in range(1, sheet.max_row)
        if any("CỘNG HÒA XÃ HỘI" in str(cell.value) for cell in sheet[row])
    ]
    assert [one.id for one in sheet.row_breaks.brk] == [row - 1 for row in starts[1:]]
    assert len(starts) == 4


def test_an_estimate_adds_up_what_is_written_into_its_spare_lines():
    content = registration(data(), 2024)
    sheet = load(content, values=False)[say("export.sheets.estimates")]
    first = next(cell.row for cell in sheet["B"] if cell.value == "máy")
    for column in ("D", "E", "F"):
        sheet[f"{column}{first + 2}"] = 7
    work = Sheet(sheet)
    assert work.value(f"C{first + 2}") == 21
    assert work.value(f"C{first + 4}") == 921
    assert work.value(f"D{first + 4}") == 307


def test_form_2_has_the_columns_of_the_circular_and_one_sheet_for_each_fund():
    content = registration(data(), 2024)
    sheet = sheet_of(content, "registration_KCQG")
    assert headings(sheet) == [
        "TT", "Tên đề án", "Đơn vị thực hiện", "Mục tiêu và nội dung chính",
        "Dự kiến kết quả đạt được", "Thời gian", "Tổng kinh phí thực hiện",
        "Kinh phí khuyến công quốc gia", "Kinh phí đóng góp của đơn vị thụ hưởng", "Nguồn khác",
        "Ghi chú (1)",
    ]  # fmt: skip
    table = table_of(sheet)
    assert [row[:2] for row in table[1:]] == [
        ["I", "Mô hình, công nghệ, máy móc"],
        ["1", "máy"],
        ["2", "thử"],
        [None, "TỔNG CỘNG"],
    ]
    assert table[1][6:10] == [1000, 400, 500, 100]
    local = sheet_of(content, "registration_KCDP")
    assert "Kinh phí khuyến công địa phương" in headings(local)
    assert "NĂM 2024" in local["A4"].value


def test_what_is_derived_missing_or_does_not_add_up_is_said():
    content = registration(data(), 2024)
    remarks = {
        row[1]: row[10] or ""
        for key in ("KCQG", "KCDP")
        for row in table_of(sheet_of(content, f"registration_{key}"))
    }
    assert remarks["máy"] == ""
    assert remarks["chợ"] == "Hà Nội, Cao Bằng; (2)"
    assert "Chưa có tổng kinh phí" in remarks["thử"]
    assert "200 triệu đồng" in remarks["sấy"]
    local = [str(cell.value) for cell in sheet_of(content, "registration_KCDP")["A"]]
    assert any(text.startswith("- (2) ") and "phần còn lại" in text for text in local)
    assert "Địa bàn: Hà Nội" not in local  # two places: each row says its own
    sheet = sheet_of(content, "registration_KCQG")
    texts = [cell.value for cell in sheet["A"]]
    assert "Địa bàn: Hà Nội" in texts
    assert not any(str(text).startswith("- (2) ") for text in texts)
    assert "Tổng kinh phí thực hiện" in headings(sheet)
    notes = [str(cell.value) for cell in sheet["A"] if cell.value]
    assert any(text.startswith("- (1) ") for text in notes)


def test_a_project_over_several_years_has_a_column_for_each():
    rows = """A máy 01 TECH KCQG 300 900 500 100 2024-02-01 2025-06-30
B chợ 01 PROD KCDP 50 80 30 - 2024-02-01 2024-06-30
C thử 01 TECH KCQG 100 - - - - -
D sấy 01 TECH KCDP 70 200 130 - 2025-01-01 2026-12-31"""
    content = registration(data(rows, f"{HEAD} start end"), 2024)
    once = table_of(sheet_of(content, "estimates"))
    assert len(once[0]) == 7
    sheet = sheet_of(content, "estimates_years")
    assert headings(sheet)[6:] == ["2024", "2025", "2026", "Ghi chú"]
    table = table_of(sheet)
    assert table[0] == ["A", "B", *map(str, range(1, 9))]
    assert table[1][1:6] == ["máy", 900, 300, 500, 100]
    assert table[1][6:9] == [None] * 3  # the data do not tell them: they are filled in
    assert [cell.value for cell in sheet["B"]].count("Cộng") == 2
    formulas = load(content, values=False)[sheet.title]
    total = next(cell.row for cell in formulas["B"] if cell.value == "Cộng")
    assert str(formulas.cell(total, 8).value).startswith("=SUM(")
    assert check_formulas(content) > 20


def test_allocation_xlsx_holds_the_assigned_plan_and_codes_are_told_in_words():
    rows = """A máy 01 TECH KCQG 300 900 500 100 N04 -
B chợ 01 PROD KCQG 50 80 - - - -
C thử 01 TECH KCQG 400 - - - - -
D sấy 01 TECH KCQG 70 200 100 - - 2023-01-01"""
    about = data(
        rows,
        f"{HEAD} norm end",
        absorption="place area source upto rate\n01 TECH KCQG 900 1\n01 PROD KCQG 900 1",
    )
    plan = kc.allocate(about, scenario("budget: [{source: KCQG, amount: 400}]\n" + GOAL))
    sheet = sheet_of(plan.workbook(), "assigned")
    assert [row[1] for row in table_of(sheet) if row[0] in ("1", "2")] == ["C. thử"]
    left = {row[1]: row[-1] for row in table_of(sheet_of(plan.workbook(), "left_out"))}
    bare = table_of(sheet_of(assigned_plan(plan), "left_out"))
    told = {row[1]: row[-1] for row in bare}
    for found in (left, told):
        assert "trước năm 2024" in found["D. sấy"]
        assert " " in found["A. máy"]
        assert not any("project-over" in str(text) or text == "left" for text in found.values())


# ---------------------------------------------------------------------------- assigned plan


@pytest.mark.parametrize(
    ("split", "told"), [("-", "50; Thái Nguyên 50"), ("0.7;0.3", "70; Thái Nguyên 30")]
)
def test_the_assigned_plan_says_what_each_place_of_a_group_project_gets(split, told):
    rows = f"A máy 01;19 TECH KCQG 100 900 500 100 group {split}\nB sấy 01 TECH KCQG 60 90 9 - - -"
    able = "\n".join(f"{place} TECH KCQG 900 1" for place in ("01", "19"))
    about = data(
        rows, f"{HEAD} kind split", vintage="34", absorption=f"place area source upto rate\n{able}"
    )
    plan = kc.allocate(about, scenario("budget: [{source: KCQG, amount: 400}]\n" + GOAL))
    cells = plan.cells.set_index("place")["amount"]
    rows = {row[1]: row for row in table_of(sheet_of(plan.workbook(), "assigned"))}
    assert f"chia: Hà Nội {told}" in rows["A. máy"][-1]
    assert "chia:" not in str(rows["B. sấy"][-1])
    assert cells["19"] == int(told.split()[-1]) * 10**6
    assert cells.sum() == 160 * 10**6


def test_the_assigned_plan_lists_what_was_chosen_by_area_and_fund():
    content = plan(A=250_000_000, B=50_000_000, C=0)
    table = table_of(sheet_of(content, "assigned"))
    assert [row[:2] for row in table[1:]] == [
        ["I", "Mô hình, công nghệ, máy móc"],
        ["1", "A. máy"],
        ["II", "Phát triển sản phẩm CNNT tiêu biểu"],
        ["1", "B. chợ"],
        [None, "TỔNG CỘNG"],
    ]
    assert table[2][5:] == [900, 300, 250, None, 250, "lý do A"]
    assert table[-1][5:10] == [980, 350, 250, 50, 300]
    left = table_of(sheet_of(content, "left_out"))
    assert [(row[1], row[-1]) for row in left if row[0] in ("1", "2")] == [
        ("C. thử", "lý do C"),
        ("D. sấy", None),
    ]


def test_with_one_fund_there_is_one_column_and_all_chosen_leaves_no_second_sheet():
    about = data("A máy 01 TECH KCQG 300 900 500 100")
    content = assigned(about, chosen(A=300_000_000))
    assert load(content).sheetnames == [say("export.sheets.assigned")]
    assert headings(load(content).worksheets[0])[6:] == ["KCQG", "Ghi chú"]


@cache
def sample_plan():
    return kc.allocate(sample(), kc.read_scenario(DATA / "base.yaml"), detail=False)


def test_caps_on_texts_that_were_not_read_are_named_under_the_plan():
    offers = build_offers(sample(), date(2026, 1, 1)).frame.set_index("id")
    content = assigned_plan(sample_plan(), office="SỞ")
    texts = [
        str(c.value) for row in load(content).worksheets[0].iter_rows() for c in row if c.value
    ]
    assert "SỞ" in texts
    given_ = sample_plan().projects
    every = offers.loc[given_.loc[given_["chosen"], "id"]]
    unproven = every[~every["certainty"].isin(["", "verified"])]
    assert len(unproven) > 5
    for row in unproven.itertuples():
        (line,) = (t for t in texts if row.basis in t and re.search(rf"[ ,(]{row.Index}[,)]", t))
        assert "theo trí nhớ" in line


def test_a_project_that_may_not_be_chosen_says_why():
    names = {row.id: f"{row.id}. {row.name}" for row in sample().projects.itertuples(index=False)}
    for language, told in (("vi", "trước năm 2026"), ("en", "before 2026")):
        sheet = sheet_of(assigned_plan(sample_plan(), language), "left_out", language)
        assert told in {row[1]: row[-1] for row in table_of(sheet)}[names["DA36"]]


@pytest.mark.parametrize(
    "amounts", [{}, {"A": 0}, {"A": None}, {"A": 1, "Z": 1}], ids=["none", "zero", "na", "unknown"]
)
def test_a_plan_of_nothing_or_of_unknown_projects_is_refused(amounts):
    with pytest.raises(ValueError, match="chosen"):
        plan(**amounts)


def test_a_project_chosen_twice_is_refused():
    about = data()
    twice = pd.concat([chosen(A=1), chosen(A=1)])
    with pytest.raises(ValueError, match="twice"):
        assigned(about, twice)


# ---------------------------------------------------------------------------- adjustment


def test_the_adjustment_shows_before_moves_after_and_who_decides():
    department = who_decides("KCQG", ["place"], "group").who
    content = adjusted(
        data(),
        moves(
            ("A", None, None, None, None, 300_000_000, -40_000_000, 260_000_000, "chậm", "agency"),
            ("C", None, None, None, None, 0, 40_000_000, 40_000_000, "bổ sung", "minister"),
            ("B", None, None, None, None, 50_000_000, 0, 50_000_000, "đổi địa điểm", department),
            ("", "04", "CONS", "thiết kế", "KCDP", 9_000_000, -9_000_000, 0, "thôi", "province"),
        ),
    )
    table = table_of(sheet_of(content, "adjustment"))
    rows = {row[1]: row[2:] for row in table}
    agency = "Cục phụ trách khuyến công"
    assert rows["A. máy"] == ["Hà Nội", "KCQG", 300, None, 40, 260, "chậm", agency]
    assert rows["C. thử"][2:6] == [0, 40, None, 40]
    assert rows["C. thử"][7] == "Bộ trưởng Bộ Công Thương"
    assert rows["B. chợ"][2:6] == [50, None, None, 50]
    assert rows["B. chợ"][7] == "Sở Công Thương"
    assert rows["thiết kế"][:6] == ["Cao Bằng", "KCĐP", 9, None, 9, 0]
    assert rows["TỔNG CỘNG"][2:6] == [359, 40, 49, 350]
    assert [row[0] for row in table[1:]] == ["I", "1", "2", "II", "1", "III", "1", None]


def test_the_adjustment_closes_with_the_plan_and_by_fund():
    reasons = "Nơi nhận được 98 %.\nDo quy định A.\nNơi nhận được 52 %."
    content = adjusted(
        data(),
        moves(
            ("A", None, None, None, None, 300_000_000, -40_000_000, 260_000_000, reasons, "agency"),
            ("C", None, None, None, None, 0, 40_000_000, 40_000_000, "Do quy định A.", "minister"),
            ("", "04", "CONS", "thiết kế", "KCDP", 9_000_000, -9_000_000, 0, "thôi", "province"),
        ),
        unmoved={"KCDP": 91_000_000, "KCQG": 700_000_000},
    )
    assert check_formulas(content) > 25
    sheet = sheet_of(content, "adjustment")
    rows = [[cell.value for cell in row] for row in sheet.iter_rows()]
    total = next(n for n, row in enumerate(rows) if row[1] == "TỔNG CỘNG")
    assert rows[total][4:8] == [1100, 40, 49, 1091]
    below = [row[1:8] for row in rows[total + 1 : total + 3]]
    assert below == [
        ["Trong đó", None, "KCQG", 1000, 40, 40, 1000],
        ["Trong đó", None, "KCĐP", 100, 0, 9, 91],
    ]
    for row in sheet.iter_rows(min_row=total + 2, max_row=total + 3):
        assert all(cell.border.bottom.style == "thin" for cell in row)
    stays = next(n for n, row in enumerate(rows) if row[1] == "Phần giữ nguyên của kế hoạch")
    assert [row[3:5] for row in rows[stays + 1 : stays + 3]] == [["KCQG", 700], ["KCĐP", 91]]
    told = next(row[8] for row in rows if row[1] == "A. máy")
    assert told == reasons  # in words, every move's own
    named = next(row for row in sheet.iter_rows() if row[1].value == "A. máy")
    assert all(named[column].alignment.indent == 1 for column in (2, 3, 8, 9))
    pages = pages_of(sheet)
    assert {total, total + 1, total + 2} <= set(pages[-1])


def test_a_move_that_the_unit_shows_as_nothing_is_printed_as_less():
    content = adjusted(
        data(),
        moves(
            ("A", None, None, None, None, 300_000_000, -200, 299_999_800, "chậm", "agency"),
            ("C", None, None, None, None, 0, 200, 200, "bổ sung", "minister"),
        ),
    )
    rows = {row[1].value: row for row in sheet_of(content, "adjustment").iter_rows()}
    moved = rows["A. máy"][5], rows["C. thử"][4]
    assert [cell.value for cell in moved] == [0.0002, 0.0002]  # all of it: sums add up
    assert all(cell.number_format.endswith('"< 0,1"_)') for cell in moved)
    assert "<" not in rows["A. máy"][3].number_format.replace("[<", "")


@pytest.mark.parametrize(
    ("rows", "match"),
    [
        ([], "needs moves"),
        ([("A", None, None, None, None, 3, 1, 5, "", "")], "before"),
        ([("Z", None, None, None, None, 3, 1, 4, "", "")], "no project"),
    ],
)
def test_an_adjustment_that_does_not_add_up_is_refused(rows, match):
    with pytest.raises(ValueError, match=match):
        adjusted(data(), moves(*rows))


# ---------------------------------------------------------------------------- all forms


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_formula_has_the_value_it_comes_to(language):
    about = sample()
    frame = about.projects
    given_ = pd.DataFrame({"id": frame["id"], "amount": frame["support"] // 3, "reason": "x"})
    moved = frame[["id"]].assign(
        before=frame["support"], move=-(frame["support"] // 7), reason="", decided_by=""
    )
    moved["after"] = moved["before"] + moved["move"]
    assert check_formulas(registration(about, 2026, language)) > 400
    assert check_formulas(assigned(about, given_, language)) > 50
    assert check_formulas(adjusted(about, moved, language)) > 50


@settings(max_examples=10, deadline=None)
@given(
    st.lists(st.integers(1, 10**12), min_size=4, max_size=4),
    st.sampled_from(["vnd", "thousand_vnd", "million_vnd", "billion_vnd"]),
)
def test_no_dong_is_lost_in_any_unit(amounts, unit):
    about = data(unit=unit)
    content = assigned(about, chosen(**dict(zip("ABCD", amounts, strict=True))))
    scale = UNITS[SHOWN[unit]]
    total = table_of(sheet_of(content, "assigned"))[-1]
    assert [round(value * scale) for value in total[7:10]] == [
        amounts[0] + amounts[2],
        amounts[1] + amounts[3],
        sum(amounts),
    ]


def test_no_text_of_the_users_is_live():
    head = f"{HEAD} unit objective result"
    bad = "=1+1 01 TECH KCQG 300 900 500 100 =cmd|1 http://x @SUM"
    content = registration(data(f"A {bad}", head), 2024)
    cells = [c for sheet in load(content, values=False) for row in sheet.iter_rows() for c in row]
    assert not any(cell.hyperlink for cell in cells)
    live = [cell.value for cell in cells if cell.data_type == "f"]
    assert all(
        re.fullmatch(r"=(SUM\([A-Z\d:,]+\)|[A-Z]+\d+([-+][A-Z]+\d+)*)", text) for text in live
    )
    assert any(cell.value == "=1+1" and cell.data_type == "s" for cell in cells)


def test_forms_print_on_a4_with_their_headings_and_the_warning_on_every_page():
    estimates = 0
    for content in (registration(sample(), 2026), plan(A=1)):
        book = load(content, values=False)
        check_marks(book)
        for sheet in book:
            pages = pages_of(sheet)
            check_warned(sheet)
            if sheet.title.startswith(say("export.sheets.estimates")):
                estimates += len(pages)
            else:
                assert sheet.print_title_rows
                check_signed(sheet, "TỔNG CỘNG")
            texts = {cell.value for row in sheet.iter_rows() for cell in row}
            assert {"NGƯỜI LẬP BIỂU", "THỦ TRƯỞNG ĐƠN VỊ"} <= texts
    assert estimates == len(sample().projects) - 1  # DA36 was over the year before


def test_the_same_input_gives_the_same_bytes():
    assert registration(sample(), 2026) == registration(sample(), 2026)
    assert plan(A=1) == plan(A=1)


def test_a_registration_of_nothing_is_refused():
    with pytest.raises(ValueError, match="without projects"):
        registration(dataset(cells="place area source baseline\n01 TECH KCQG 1"), 2024)


def test_what_is_over_is_not_registered_again():
    rows = "\n".join(
        f"{one} tên-{one} 01 TECH KCQG 300 900 500 100 {stage} {start} {end}"
        for one, stage, start, end in (
            ("A", "registered", "2026-01-01", "-"),
            ("B", "accepted", "2025-01-01", "2026-12-01"),
            ("C", "stopped", "2026-01-01", "2027-12-01"),
            ("D", "contracted", "2025-01-01", "2026-06-30"),
            ("E", "contracted", "2025-01-01", "2025-06-30"),
            ("F", "assigned", "-", "-"),
            ("G", "-", "-", "-"),
        )
    )
    listed = data(rows, f"{HEAD} stage start end")
    sheet = sheet_of(registration(listed, 2026), "registration_KCQG")
    told = str(table_of(sheet))
    assert [one for one in "ABCDEFG" if f"tên-{one}" in told] == ["A", "D", "G"]
    (said,) = [str(cell.value) for cell in sheet["A"] if "tên-B" in str(cell.value)]
    assert said.startswith("- Không đăng ký cho năm 2026")
    assert said.endswith(": tên-B; tên-C; tên-E; tên-F")
    assert "có nguồn" not in sheet.oddFooter.left.text  # a remark gives made-up figures no source


@pytest.mark.parametrize(("others", "fund"), [("AB", "KCDP"), ("A", "KCQG")])
def test_what_is_over_is_named_under_the_form_of_its_fund_if_it_has_one(others, fund):
    listed = {
        "A": "A máy 01 TECH KCQG 300 900 registered",
        "B": "B sấy 01 TECH KCDP 300 900 registered",
        "C": "C chợ-cũ 01 TECH KCDP 300 900 accepted",
    }
    rows = "\n".join(listed[one] for one in (*others, "C"))
    book = load(registration(data(rows, "id name place area source support cost stage"), 2026))
    named = [
        sheet.title
        for sheet in book
        if any("chợ-cũ" in str(cell.value) for row in sheet.iter_rows() for cell in row)
    ]
    assert named == [say(f"export.sheets.registration_{fund}")]


def test_the_name_of_a_sum_takes_the_columns_of_texts_too():
    sheet = sheet_of(registration(sample(), 2026), "registration_KCDP")
    sums = [cell.row for cell in sheet["A"] if cell.value in ("I", "II", "VIII")]
    sums += [cell.row for cell in sheet["B"] if cell.value == "TỔNG CỘNG"]
    assert len(sums) == 4
    assert {f"B{row}:F{row}" for row in sums} <= {str(area) for area in sheet.merged_cells.ranges}


def test_a_registration_remarks_what_is_asked_over_the_cap():
    rows = "A x 01 TECH KCQG 520 900 380 - N04\nB y 01 TECH KCQG 300 900 600 - N04"
    book = openpyxl.load_workbook(io.BytesIO(registration(data(rows, f"{HEAD} norm"), 2024)))
    for sheet in book.worksheets:
        told = [str(v) for row in sheet.values for v in row if "vượt mức hỗ trợ" in str(v)]
        assert len(told) == 1
        assert "300 triệu đồng" in told[0]
