"""The printed progress report: what the published reports print, live formulas, blanks."""

from __future__ import annotations

import csv
import io
import re
import shutil
import zipfile
from functools import cache
from pathlib import Path

import openpyxl
import pytest
from datasets import dataset
from printing import check_marks, check_signed, check_warned, pages_of

import kc_model as kc
from kc_model import cli, reference
from kc_model.progress import Progress, progress
from kc_model.wording import LANGUAGES, say

DATA = Path(__file__).parent.parent / "data"


@cache
def published(name: str, year: int) -> bytes:
    data = kc.read_dataset(DATA / "published" / name)
    return progress(data, kc.forecast(data, year, 6)).workbook()


@cache
def sample(language: str = "vi") -> bytes:
    data = kc.read_dataset(DATA / "sample-quarterly")
    return progress(data, kc.forecast(data, 2025, 8)).workbook(language)


def made(history: str, as_of: int = 6, **more: object) -> Progress:
    data = dataset(history=history, **more)
    return progress(data, kc.forecast(data, 2024, as_of, draws=100))


def load(data: bytes, *, values: bool = True) -> openpyxl.Workbook:
    return openpyxl.load_workbook(io.BytesIO(data), data_only=values)


def sheet_of(book: openpyxl.Workbook, key: str, language: str = "vi"):
    return book[say(f"export.sheets.{key}", language)]


def find_row(sheet, label: str) -> int:
    """Return the row of a form whose second column is a label."""
    (row,) = [cell.row for cell in sheet["B"] if cell.value == label]
    return row


def headed(sheet) -> dict[tuple[str, str], int]:
    """Return the columns of a form by what they share with others and their own heading."""
    top = next(cell.row for cell in sheet["A"] if cell.value == "TT")
    found, shared = {}, ""
    for column in range(1, sheet.max_column + 1):
        above, own = (sheet.cell(row, column).value for row in (top, top + 1))
        shared = above or shared
        if own:
            found[shared, own.replace("\n", " ")] = column
    return found


# --- What S0 and S1 print ------------------------------------------------------------------------

PLAN, DONE, OF_PLAN, OF_SAME = (
    say(f"export.report.groups.{key}") for key in ("plan", "done", "of_plan", "of_same")
)
TRAIN, MGMT, TECH = "Đào tạo nghề", "Nâng cao năng lực quản lý", "Mô hình, công nghệ, máy móc"
PROD, CONS, INFO = (
    "Phát triển sản phẩm CNNT tiêu biểu",
    "Tư vấn, trợ giúp",
    "Thông tin, tuyên truyền",
)
MODELS, MACHINES = "Mô hình trình diễn kỹ thuật", "Chuyển giao công nghệ, ứng dụng máy móc"
MONEY, VOLUME = "Kinh phí", "Khối lượng"
REAL, ESTIMATE = "Kinh phí (thực hiện)", "Kinh phí (ước)"
SOUTH, NORTH, NORTH_TECH = ("south-2016", 2016), ("north-2024", 2024), ("north-2024/tech", 2024)

PRINTED = [  # case, row, column, printed, its unit, the phrase
    (SOUTH, TRAIN, (DONE, VOLUME), 331, 1, "đào tạo nghề và nâng cao tay nghề cho 331 lao động"),
    (SOUTH, TRAIN, (OF_PLAN, VOLUME), 19, 0.01, "cho 331 lao động, đạt 19% kế hoạch"),
    (SOUTH, TRAIN, (DONE, REAL), 74, 1, "giải ngân 74 triệu đồng"),
    (SOUTH, TRAIN, (OF_PLAN, MONEY), 5, 0.01, "giải ngân 74 triệu đồng, đạt 5% kế hoạch"),
    (SOUTH, MGMT, (DONE, VOLUME), 369, 1,
     "đào tạo nâng cao năng lực quản lý và khởi sự cho 369 người"),
    (SOUTH, MGMT, (DONE, REAL), 412, 1, "giải ngân 412 triệu đồng"),
    (SOUTH, MGMT, (OF_PLAN, MONEY), 20, 0.01, "giải ngân 412 triệu đồng, đạt 20% kế hoạch"),
    (SOUTH, TECH, (DONE, REAL), 9.2, 1000, "giải ngân được 9,2 tỷ đồng"),
    (SOUTH, TECH, (OF_PLAN, MONEY), 30, 0.01, "giải ngân được 9,2 tỷ đồng, đạt 30% kế hoạch"),
    (SOUTH, MODELS, (DONE, VOLUME), 5, 1, "tổ chức trình diễn được 5 mô hình trình diễn kỹ thuật"),
    (SOUTH, MACHINES, (DONE, VOLUME), 59, 1,
     "hoàn thành hỗ trợ 59 cơ sở CNNT chuyển giao công nghệ và ứng dụng máy móc"),
    (SOUTH, PROD, (DONE, VOLUME), 130, 1, "hỗ trợ gần 130 lượt cơ sở CNNT tham gia hội chợ"),
    (SOUTH, PROD, (DONE, REAL), 632, 1, "giải ngân được 632 triệu đồng"),
    (SOUTH, PROD, (OF_PLAN, MONEY), 10, 0.01, "632 triệu đồng, đạt 10% kế hoạch"),
    (SOUTH, CONS, (DONE, REAL), 164, 1, "được hỗ trợ 164 triệu đồng để hỗ trợ tư vấn"),
    (SOUTH, INFO, (DONE, REAL), 1.05, 1000, "đã giải ngân được 1,05 tỷ đồng"),
    (SOUTH, INFO, (OF_PLAN, MONEY), 32, 0.01, "1,05 tỷ đồng, đạt 32% kế hoạch"),
    (NORTH, "TỔNG CỘNG", (PLAN, MONEY), 170.8, 1000,
     "tổng kế hoạch kinh phí khuyến công năm 2024 ... là 170,8 tỷ đồng"),
    (NORTH, "TỔNG CỘNG", (DONE, ESTIMATE), 34.7, 1000,
     "kinh phí toàn vùng ước thực hiện ước đạt 34,7 tỷ đồng"),
    (NORTH, "TỔNG CỘNG", (OF_PLAN, MONEY), 20.3, 0.01, "đạt 20,3% kế hoạch năm"),
    (NORTH, "TỔNG CỘNG", (OF_SAME, MONEY), 10.25, 0.01, "cao hơn 10,25% so với cùng kỳ"),
    (NORTH_TECH, "TỔNG CỘNG", (PLAN, MONEY), 98.1, 1000, "Tổng kinh phí hỗ trợ là 98,1 tỷ đồng"),
    (NORTH_TECH, "KCĐP", (DONE, ESTIMATE), 14.1, 1000, "Kinh phí thực hiện 14,1 tỷ đồng"),
    (NORTH_TECH, "KCĐP", (OF_PLAN, MONEY), 26.3, 0.01, "đạt 26,3% kế hoạch năm"),
    (NORTH_TECH, "KCQG", (DONE, ESTIMATE), 0, 1,
     "chưa được phân bổ kinh phí để triển khai thực hiện"),
    (NORTH_TECH, MACHINES, (DONE, VOLUME), 57, 1, "khuyến công địa phương hỗ trợ được 57 cơ sở"),
    (NORTH_TECH, "Đánh giá sản xuất sạch hơn", (DONE, VOLUME), 11, 1,
     "11 cơ sở được hỗ trợ đánh giá sản xuất sạch hơn"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("case", "label", "column", "printed", "unit", "phrase"),
    PRINTED,
    ids=[f"{case[0]} {phrase}" for case, _, _, _, _, phrase in PRINTED],
)
def test_a_printed_figure_stands_in_its_cell(case, label, column, printed, unit, phrase):
    with (DATA / "published" / "figures.csv").open(encoding="utf-8") as file:
        phrases = {row["quote"] for row in csv.DictReader(file)}
    assert phrase in phrases, "the phrase is the source's"
    sheet = sheet_of(load(published(*case)), "areas")
    value = sheet.cell(find_row(sheet, label), headed(sheet)[column]).value
    rise = 1 if column[0] == OF_SAME else 0  # printed as the rise, shown as the ratio
    digits = len(str(printed).partition(".")[2])
    assert round((value - rise) / unit, digits) == printed


@pytest.mark.parametrize(
    ("case", "computed", "warning"),
    [
        (
            SOUTH,
            "khối lượng 19,0 %, kinh phí 5,0 %",
            "19 % tính theo số người, 5 % tính theo kinh phí",
        ),
        (NORTH, "91,6 % kế hoạch năm trước (−8,42 %)", "có thể do các số thành phần đã làm tròn"),
    ],
)
def test_where_print_contradicts_itself_the_computed_figure_and_the_warning_stand(
    case, computed, warning
):
    texts = [cell.value for cell in sheet_of(load(published(*case)), "findings")["B"] if cell.value]
    assert any(computed in text for text in texts)
    assert any(warning in text for text in texts)
    assert not any("[evidence-" in text for text in texts)  # codes are not for paper


def test_every_figure_of_a_progress_table_that_a_dataset_holds_is_tried():
    # Whatever the evidence ties to plan, disbursed or outputs as printed is in the table above.
    for case in (SOUTH, NORTH, NORTH_TECH):
        data = kc.read_dataset(DATA / "published" / case[0])
        rows = data.evidence[data.evidence["standing"].isin(["real", "estimate"])]
        rows = rows[
            rows["year"].eq(case[1]) & rows["column"].isin(["plan", "disbursed", "outputs"])
        ]
        tried = {entry[-1] for entry in PRINTED if entry[0] == case}
        assert set(rows["quote"]) <= tried


# --- Formulas ------------------------------------------------------------------------------------


class Sheets:
    """Works out our formulas from the numbers of the sheets, as a spreadsheet would."""

    def __init__(self, book):
        self.book = book
        self.known: dict[tuple[str, str], list] = {}

    def values(self, sheet, area: str) -> list:
        name, _, where = area.replace("$", "").rpartition("!")
        sheet = self.book[name.strip("'")] if name else sheet
        if (sheet.title, where) not in self.known:
            found = sheet[where]
            rows = found if isinstance(found, tuple) else ((found,),)
            cells = [cell for row in rows for cell in row]
            self.known[sheet.title, where] = [
                self.formula(sheet, cell.value) if cell.data_type == "f" else cell.value
                for cell in cells
            ]
        return self.known[sheet.title, where]

    def formula(self, sheet, text: str) -> float:
        values = [self.term(sheet, part) for part in text.removeprefix("=").split("/")]
        return values[0] / values[1] if len(values) == 2 else values[0]

    def term(self, sheet, text: str) -> float:
        call = re.fullmatch(r"(SUMIFS|SUM)\(([^()]+)\)", text)
        areas = call[2].split(",") if call else [text]
        if call is None or call[1] == "SUM":
            values = [value for area in areas for value in self.values(sheet, area)]
            return sum(value for value in values if value is not None)
        kept = list(self.values(sheet, areas[0]))
        for area, wanted in zip(areas[1::2], areas[2::2], strict=True):
            code = None if wanted == '"<>"' else self.values(sheet, wanted)[0]
            for i, value in enumerate(self.values(sheet, area)):
                if value is None or (wanted != '"<>"' and value != code):
                    kept[i] = None
        return sum(value for value in kept if value is not None)


def check_formulas(data: bytes) -> int:
    book, stored = load(data, values=False), load(data)
    sheets, count = Sheets(book), 0
    for sheet in book:
        for row in sheet.iter_rows():
            for cell in row:
                if cell.data_type == "f":
                    value = stored[sheet.title][cell.coordinate].value
                    expected = sheets.formula(sheet, cell.value)
                    assert value == pytest.approx(expected, rel=1e-9, abs=1e-9), cell
                    count += 1
    return count


GAPS = """
year month place area activity source plan disbursed released advanced carried outputs_plan outputs status
2023 6  01 TECH -     KCDP 100 40 - - - 10 4 settled
2023 6  79 TECH -     KCDP 200 -  - - - 20 5 settled
2024 3  01 TECH -     KCDP 120 10 - - - 12 1 reported
2024 6  01 TECH -     KCDP 150 60 - 7 - 12 6 reported
2024 6  79 TECH -     KCDP 200 25 - - 20 20 10 estimate
2024 6  01 INFO -     KCDP 50  20 - - - - - settled
2024 6  79 INFO -     KCDP 40  -  - - - - - -
2024 6  79 CONS >=1   KCQG 40  4  - - - 4 1 reported
2024 6  79 CONS *     KCQG 30  3  - - - 3 2.5 reported
2024 6  79 CONS -     KCQG -   8  - - - - - reported
"""  # noqa: E501


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_formula_has_the_value_it_comes_to(language):
    assert check_formulas(made(GAPS).workbook(language)) > 80


def test_every_formula_of_a_national_report_has_the_value_it_comes_to():
    book = load(sample(), values=False)
    counts = {
        sheet.title: sum(cell.data_type == "f" for row in sheet.iter_rows() for cell in row)
        for sheet in book
    }
    assert all(counts[say(f"export.sheets.{key}")] > 100 for key in ("areas", "places", "risk"))
    assert check_formulas(sample()) == sum(counts.values())
    for case in (SOUTH, NORTH, NORTH_TECH):
        assert check_formulas(published(*case))


def test_totals_are_the_same_on_every_sheet():
    book = load(sample())
    for heading in ((PLAN, MONEY), (DONE, REAL)):
        totals = set()
        for key in ("areas", "places"):
            sheet = sheet_of(book, key)
            found = headed(sheet)
            named = next(column for pair, column in found.items() if pair == heading)
            totals.add(round(sheet.cell(find_row(sheet, "TỔNG CỘNG"), named).value * 10**6))
        lines = sheet_of(book, "lines")
        column = headed(lines)[heading]
        rows = [lines.cell(row, column).value for row in range(6, lines.max_row + 1)]
        totals.add(sum(round(value * 10**6) for value in rows if value is not None))
        assert len(totals) == 1


def test_no_text_of_the_users_is_live():
    evil = "=1+1"
    found = made(GAPS.replace(">=1", evil), title='=HYPERLINK("x")')
    data = found.workbook()
    ours = re.compile(r"=(SUM|SUMIFS)\([^()]*\)(/SUMIFS\([^()]*\))?|=[A-Z]+\d+/[A-Z]+\d+")
    book = load(data, values=False)
    for sheet in book:
        for row in sheet.iter_rows():
            for cell in row:
                assert cell.hyperlink is None
                if cell.data_type == "f":
                    assert ours.fullmatch(cell.value), cell.value
    assert evil in {cell.value for cell in sheet_of(book, "areas")["B"]}
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert not any("externalLink" in name or "vba" in name for name in archive.namelist())


# --- Blanks and standings ------------------------------------------------------------------------


def test_what_was_not_reported_is_blank_and_said():
    silent = made(
        "year month place area source plan disbursed status\n"
        "2024 6 01 TECH KCDP 100 20 reported\n2024 6 79 TECH KCDP 100 - -"
    )
    sheet = sheet_of(load(silent.workbook()), "places")
    columns = headed(sheet)
    row = find_row(sheet, "Hồ Chí Minh")
    for pair in ((DONE, REAL), (OF_PLAN, MONEY), (OF_SAME, MONEY)):
        assert sheet.cell(row, columns[pair]).value is None, pair
    assert "chưa báo cáo" in [cell.value for cell in sheet[row]]
    total = [cell.value for cell in sheet[find_row(sheet, "TỔNG CỘNG")]]
    assert "1/2 dòng có báo cáo" in total
    assert 0.2 in total, "20 of the 100 of the line that reports"


def test_estimates_reports_and_settled_figures_have_their_own_columns():
    sheet = sheet_of(load(made(GAPS).workbook()), "areas")
    columns = headed(sheet)
    row = find_row(sheet, "TỔNG CỘNG")
    shown = {
        key: sheet.cell(row, columns[DONE, f"Kinh phí ({key})"]).value
        for key in ("ước", "thực hiện", "quyết toán", "cộng")
    }
    assert shown == {"ước": 25, "thực hiện": 75, "quyết toán": 20, "cộng": 120}
    only = sheet_of(load(published(*NORTH)), "areas")
    assert {own for shared, own in headed(only) if shared == DONE} == {ESTIMATE}


def test_a_year_nobody_reported_yet_is_blank_under_a_plain_heading():
    data = kc.read_dataset(DATA / "published" / "national-2022")
    sheet = sheet_of(load(progress(data, kc.forecast(data, 2022, 7)).workbook()), "areas")
    row = find_row(sheet, "TỔNG CỘNG")
    assert sheet.cell(row, headed(sheet)[DONE, MONEY]).value is None
    assert sheet.cell(row, headed(sheet)[PLAN, MONEY]).value == 329_000


def test_nothing_at_risk_leaves_an_empty_list_and_no_sentence():
    found = made(
        "year month place area source plan disbursed status\n2024 6 01 TECH KCDP 100 100 reported"
    )
    sheet = sheet_of(load(found.workbook()), "risk")
    top = next(cell.row for cell in sheet["A"] if cell.value == "TT")
    assert find_row(sheet, "TỔNG CỘNG") == top + 2
    assert not any("không giải ngân hết" in text for text in found.sentences())


def test_what_is_at_risk_is_ranked_and_cut_with_the_rest_told():
    sheet = sheet_of(load(sample()), "risk")
    column = headed(sheet)[say("export.report.groups.unspent"), MONEY]
    first = next(cell.row for cell in sheet["A"] if cell.value == "1")
    money = [sheet.cell(row, column).value for row in range(first, first + 25)]
    assert money == sorted(money, reverse=True)
    assert sheet.cell(first + 25, 2).value == "TỔNG CỘNG"
    assert sheet.cell(first + 25, column).value > sum(money)
    notes = [str(cell.value) for cell in sheet["A"]]
    assert any("dòng khác có nguy cơ nhỏ hơn" in note for note in notes)
    assert any("Điều 14.4" in note for note in notes)


# --- The page ------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_sheet_is_a_page_wide_and_repeats_its_heading(language):
    book = load(sample(language), values=False)
    keys = ["areas", "places", "risk", "findings", "lines"]
    assert book.sheetnames == [say(f"export.sheets.{key}", language) for key in keys]
    check_marks(book, language)
    for sheet in book:
        check_warned(sheet)
    for key in ("areas", "places", "risk", "lines"):
        assert sheet_of(book, key, language).print_title_rows
        if key != "lines":
            check_signed(sheet_of(book, key, language), say("export.total", language))
    head = {cell.value for row in book.worksheets[0]["A1:Z12"] for cell in row}
    for text in ("head.country", "head.motto", "synthetic"):
        assert say(f"export.{text}", language) in head
    assert any(say("units.million_vnd.name", language) in str(value) for value in head)
    signs = {cell.value for row in book.worksheets[0].iter_rows() for cell in row}
    assert {
        say("export.sign.maker_title", language),
        say("export.sign.head_title", language),
    } <= signs


def test_the_same_input_gives_the_same_bytes():
    assert made(GAPS).workbook() == made(GAPS).workbook()


# --- The command ---------------------------------------------------------------------------------


@pytest.fixture
def run(capsys):
    def run(*arguments):
        code = cli.main(["report", *(str(argument) for argument in arguments)])
        said = capsys.readouterr()
        assert "Traceback" not in said.out + said.err
        return code, said.out + said.err

    return run


def test_the_command_writes_the_report_and_tells_the_findings(run, tmp_path):
    out = tmp_path / "sâu" / "báo cáo.xlsx"
    case = DATA / "published" / "north-2024" / "tech"
    code, said = run(case, "--year", 2024, "--as-of", 6, "--out", out, "--arrival", "KCQG=8")
    assert code == 0
    assert [file.name for file in out.parent.iterdir()] == [out.name]
    assert check_formulas(out.read_bytes())
    for text in ("về tháng 8", "arrives in month 8", str(out)):
        assert text in said
    code, _ = run(case, "--year", 2024, "--as-of", 6, "--out", out)
    assert code == 0, "a report may be made again"


def test_the_command_writes_the_unit_of_the_file_and_the_page_that_of_screens(run, tmp_path):
    case = tmp_path / "case"
    shutil.copytree(DATA / "published" / "north-2024" / "tech", case)
    told = case / "dataset.yaml"
    text = told.read_text("utf-8")
    assert "unit: million_vnd" in text
    told.write_text(text.replace("unit: million_vnd", "unit: thousand_vnd"), "utf-8")
    out = tmp_path / "report.xlsx"
    assert run(case, "--year", 2024, "--as-of", 6, "--out", out)[0] == 0
    data = kc.read_dataset(case)
    printed = progress(data, kc.forecast(data, 2024, 6)).workbook()
    for book, unit in ((out.read_bytes(), "thousand_vnd"), (printed, "million_vnd")):
        cells = [cell.value for row in load(book).worksheets[0]["A1:Z12"] for cell in row]
        told = [text for text in map(str, cells) if say("units.vnd.name", "vi") in text]
        assert any(say(f"units.{unit}.name", "vi") in text for text in told), told


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--year", 2024, "--as-of", 13], "forecast-month"),
        (["--year", 1999, "--as-of", 6], "forecast-year"),
        (["--year", 2024, "--as-of", 6, "--arrival", "XYZ=5"], "forecast-arrival"),
        (["--year", 2024, "--as-of", 6, "--arrival", "KCQG=14"], "forecast-arrival"),
    ],
)
def test_bad_input_writes_nothing(run, tmp_path, arguments, code):
    out = tmp_path / "report.xlsx"
    out.write_bytes(b"mine")
    found, said = run(DATA / "published" / "north-2024", *arguments, "--out", out)
    assert found == 2
    assert f"[{code}]" in said
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == {out.name: b"mine"}


def test_only_a_workbook_is_written(run, tmp_path):
    case = DATA / "published" / "north-2024"
    found, said = run(case, "--year", 2024, "--as-of", 6, "--out", tmp_path / "report.csv")
    assert found == 2
    assert "[report-not-xlsx]" in said
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("arrival", ["KCQG", "=5", "KCQG=", "KCQG=năm"])
def test_an_arrival_that_is_none_is_refused(arrival, capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main(["report", "x", "--year", "1", "--as-of", "1", "--out", "y", "--arrival", arrival])
    assert stopped.value.code == 2
    assert "KCQG=5" in capsys.readouterr().err


def test_remarks_do_not_push_the_last_rows_off_the_page():
    areas = [area for area in reference.area_order() if area != "ALL"]
    rows = [
        f"{year} {month} 01 {area} {source} 1000 {month}0"
        for year, months in ((2023, (5, 13)), (2024, (5,)))
        for month in months
        for area in areas
        for source in ("KCQG", "KCDP")
    ]
    history = "\n".join(["year month place area source plan disbursed", *rows])
    sheet = sheet_of(load(made(history).workbook()), "areas")
    first, last = (find_row(sheet, name) for name in ("KCQG", "TỔNG CỘNG"))
    assert last == first + 20
    assert "9 dòng dùng số tháng trước" in {cell.value for cell in sheet[first]}
    assert {sheet.row_dimensions[row].height for row in range(first, last)} == {None}
    assert len(pages_of(sheet)) == 1
