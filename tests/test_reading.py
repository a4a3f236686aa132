"""Reading a dataset: every fault at once, and what is right comes out exactly."""

from __future__ import annotations

import codecs
import tempfile
import unicodedata
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from datetime import date
from pathlib import Path

import pandas as pd
import pytest
from faults.build import CELLS, HEAD, RECORDS, ROWS, YAML, folder, history, spoiled, workbook
from faults.cases import CASES, Case, figures
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kc_model.errors import Fault, InputError
from kc_model.reading import read_dataset
from kc_model.reading.values import Terms, WrongError, parse_value
from kc_model.tables import SCHEMAS, column_dtype
from kc_model.wording import LANGUAGES


def told(faults: tuple[Fault, ...], level: str) -> set[tuple[str, str]]:
    chosen = [fault for fault in faults if fault.level == level]
    assert len({fault.text() for fault in chosen}) == len(chosen), "a fault was told twice"
    return {(fault.code, fault.at.cell.replace(" ", "")) for fault in chosen}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_fault_table(case: Case, tmp_path):
    path = case.recipe(tmp_path)
    try:
        faults = read_dataset(path).warnings
    except InputError as error:
        faults = error.faults
    assert told(faults, "error") == case.errors
    assert told(faults, "warning") == case.warnings
    for fault in faults:
        for language in LANGUAGES:
            assert fault.found(language)
            assert fault.remedy(language)


# ---------------------------------------------------------------------------- what is right


def rows(data, *columns):
    return [tuple(row) for row in data.history[list(columns)].itertuples(index=False)]


def test_folder_and_workbook_are_the_same(tmp_path):
    one, other = read_dataset(folder(tmp_path)), read_dataset(workbook(tmp_path))
    assert one.hash == other.hash
    for name in SCHEMAS:
        pd.testing.assert_frame_equal(one.tables[name], other.tables[name])
    assert (one.title, one.vintage, one.unit) == ("Bộ số liệu thử", "34", "million_vnd")
    assert (one.synthetic, one.sources) == (True, ("tài liệu thử",))
    assert vars(one)["warnings"] == other.warnings == ()


def test_the_tables_are_canonical(tmp_path):
    data = read_dataset(
        folder(tmp_path, cells=CELLS, places="place,population,vùng\n19,5,x\n01,NA,NA\n")
    )
    for name, schema in SCHEMAS.items():
        kinds = {column.name: column_dtype(column.kind) for column in schema.columns}
        assert data.tables[name].dtypes.astype(str).loc[list(kinds)].to_dict() == kinds
    assert rows(data, "month", "place", "source", "plan", "disbursed") == [
        (9, "01", "KCQG", 1_000_000_000, 400_000_000),
        (12, "01", "KCQG", 1_000_000_000, 900_500_000),
        (12, "01", "KCDP", 500_000_000, 450_000_000),
        (12, "19", "KCDP", 800_000_000, 700_000_000),
    ]
    assert data.places["population"].tolist() == ["NA", "5"]  # one text makes a column of texts
    assert data.places["vùng"].tolist() == ["NA", "x"]
    assert [str(data.origins["history", i]) for i in range(4)] == [
        f"history.csv!A{row}" for row in (2, 3, 4, 5)
    ]
    assert str(data.origins["places", 0]) == "places.csv!A3"
    assert len(data.origins) == len(list(data.origins)) == 8
    with pytest.raises(KeyError):
        data.origins["history", 4]


@pytest.mark.parametrize(
    "written",
    [
        *("Nghệ An", "Nghe An", "NGHỆ  AN", "Nghệ\u00a0An", "Tỉnh Nghệ An", "NA", "40"),
        unicodedata.normalize("NFD", "Nghệ An"),
    ],
)
def test_a_place_is_found_by_every_spelling(written, tmp_path):
    data = read_dataset(folder(tmp_path, history=spoiled(3, 2, written)))
    assert "40" in set(data.history["place"])


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16 marked", "semicolons", "tabs", "CRLF"]
)
def test_every_common_kind_of_csv_reads_the_same(encoding, tmp_path):
    text = history(*ROWS, "2025,12,Đắk Lắk,TECH,KCDP,1,1")
    data = {
        "utf-16 marked": codecs.BOM_UTF16_LE + text.encode("utf-16-le"),
        "semicolons": text.replace(",", ";").replace(".", ",").encode(),
        "tabs": text.replace(",", "\t").encode("utf-16"),
        "CRLF": text.replace("\n", "\r\n").encode(),
    }.get(encoding) or text.encode(encoding)
    read = read_dataset(folder(tmp_path, history=data))
    assert rows(read, "place", "disbursed")[-1] == ("66", 1_000_000)
    assert read.hash == read_dataset(folder(tmp_path / "plain", history=text)).hash


@pytest.mark.parametrize(
    ("plan", "vnd"),
    [
        ("34,7 tỷ", 34_700_000_000),
        ("1.234.567 đồng", 1_234_567),
        ("2.500,5", 2_500_500_000),
        ("'1200", 1_200_000_000),
        ("1\u00a0200", 1_200_000_000),
        ("1.200", 1_200_000_000),  # the other row shows that the comma is the decimal mark
        ("1200", 1_200_000_000),
    ],
)
def test_an_amount_comes_out_to_the_dong(plan, vnd, tmp_path):
    text = history(f'2025,12,01,TECH,KCQG,"{plan}",', '2025,12,01,TECH,KCDP,"34,7",')
    data = read_dataset(folder(tmp_path, history=text))
    assert data.history["plan"].tolist() == [vnd, 34_700_000]
    assert data.history["disbursed"].isna().all()


def test_a_declared_mark_settles_what_no_number_shows(tmp_path):
    text = history("2025,12,01,TECH,KCQG,34.700,")
    for mark, vnd in (("comma", 34_700_000_000), ("point", 34_700_000)):
        read = read_dataset(folder(tmp_path / mark, yaml=f"{YAML}decimal: {mark}\n", history=text))
        assert read.history["plan"].tolist() == [vnd]


def test_labels_that_differ_in_punctuation_stay_apart(tmp_path):
    text = "year,month,place,area,activity,source,plan\n" + "".join(
        f"2025,12,01,TECH,{activity},KCQG,{plan}\n"
        for activity, plan in (("Máy A", 1), ("Máy-A", 2), ("Máy_A", 3))
    )
    data = read_dataset(folder(tmp_path, history=text))
    assert dict(zip(data.history["activity"], data.history["plan"], strict=True)) == {
        "Máy A": 1_000_000,
        "Máy-A": 2_000_000,
        "Máy_A": 3_000_000,
    }


def test_dates_are_read_day_first(tmp_path):
    days = ("05/03/2024", "5.3.2024", "2024-03-05", "45356")
    text = "id,name,place,area,source,support,start\n" + "".join(
        f"P{i},Máy,01,TECH,KCQG,1,{day}\n" for i, day in enumerate(days)
    )
    data = read_dataset(folder(tmp_path, projects=text))
    assert set(data.projects["start"]) == {pd.Timestamp("2024-03-05")}


def test_what_excel_makes_of_values_is_understood(tmp_path):
    def change(book):
        sheet = figures(book)
        sheet["C2"] = sheet["C3"] = sheet["C4"] = 1  # the code 01 as a number
        sheet["A2"], sheet["G4"], sheet["F5"] = "2025", "450", 0.8 * 1000
        projects = book.create_sheet("Đề án")
        projects.append(
            (
                "Mã đề án",
                "Tên đề án",
                "Địa bàn",
                "Nội dung",
                "Nguồn",
                "Kinh phí hỗ trợ",
                "Ngày bắt đầu",
            )
        )
        projects.append(
            (7, "Máy sấy", "Hà Nội; Thái Nguyên", "TECH", "KCQG", 300, date(2024, 3, 5))
        )

    data = read_dataset(workbook(tmp_path, change))
    assert data.history.equals(read_dataset(folder(tmp_path)).history)
    project = data.projects.iloc[0]
    assert (project["id"], project["place"]) == ("7", "01;19")
    assert project["start"] == pd.Timestamp("2024-03-05")


def test_two_level_header_titles_and_merged_keys(tmp_path):
    def change(book):
        book.remove(figures(book))
        sheet = book.create_sheet("Tình hình thực hiện")
        sheet.append(("TÌNH HÌNH GIẢI NGÂN",))
        sheet.append((None, None, None, None, None, "ĐVT: triệu đồng"))
        sheet.append(
            ("Năm", "Tháng", "Tỉnh/TP", "Nội dung", "Nguồn", "Kế hoạch", None, "Thực hiện")
        )
        sheet.append((None, None, None, None, None, "Khối lượng", "Kinh phí", "Kinh phí"))
        for record in RECORDS:
            sheet.append((*record[:5], None, *record[5:]))
        sheet["C6"] = sheet["C7"] = None
        for cells in ("A1:H1", "A3:A4", "B3:B4", "F3:G3", "C5:C7"):
            sheet.merge_cells(cells)

    assert read_dataset(workbook(tmp_path, change)).hash == read_dataset(folder(tmp_path)).hash


def test_order_of_rows_and_columns_changes_nothing(tmp_path):
    names = HEAD.split(",")
    order = [6, 2, 0, 4, 1, 3, 5]
    lines = [row.split(",") for row in (HEAD, *reversed(ROWS))]
    shuffled = "\n".join(",".join(line[i] for i in order) for line in lines)
    assert len(names) == len(order)
    one = read_dataset(folder(tmp_path / "a", history=shuffled))
    other = read_dataset(folder(tmp_path / "b"))
    assert one.hash == other.hash
    pd.testing.assert_frame_equal(one.history, other.history)


def test_history_of_63_is_summed_and_a_missing_part_stays_missing(tmp_path):
    text = history(
        "2024,6,06,TECH,KCDP,100,40,63",
        "2024,6,19,TECH,KCDP,200,,63",
        "2024,12,06,TECH,KCDP,100,90,63",
        "2024,12,19,TECH,KCDP,200,150,63",
        "2025,12,19,TECH,KCDP,330,300,",
        head=HEAD + ",vintage",
    )
    data = read_dataset(folder(tmp_path, history=text))
    assert rows(data, "year", "month", "place", "plan")[:2] == [
        (2024, 6, "19", 300_000_000),
        (2024, 12, "19", 300_000_000),
    ]
    assert data.history["disbursed"].isna().tolist() == [True, False, False]
    assert data.history["disbursed"].iloc[1] == 240_000_000
    assert str(data.origins["history", 1]) == "history.csv!A4"
    assert set(data.history["vintage"]) == {"34"}


def test_a_gap_is_kept(tmp_path):
    data = read_dataset(folder(tmp_path, history=history(ROWS[0], ROWS[1].replace("12", "13", 1))))
    assert data.history["month"].tolist() == [9, 13]


def test_zero_stays_zero_and_missing_missing(tmp_path):
    text = history("2025,9,01,TECH,KCQG,0,0", "2025,9,01,TECH,KCDP,,0", "2025,9,19,TECH,KCDP,5,")
    data = read_dataset(folder(tmp_path, history=text))
    assert data.history["plan"].tolist() == [0, pd.NA, 5_000_000]
    assert data.history["disbursed"].tolist() == [0, 0, pd.NA]


def test_marks_alone_make_a_column_of_texts(tmp_path):
    data = read_dataset(
        folder(tmp_path, places="place,difficult,zone,dân số\n01,x,01,5\n19,,02,-\n")
    )
    assert data.places["difficult"].tolist() == ["x", ""]
    assert data.places["zone"].tolist() == ["01", "02"]
    assert data.places["population"].tolist()[0] == 5.0
    assert pd.isna(data.places["population"][1])


def test_examples_are_left_out(tmp_path):
    def change(book):
        figures(book).insert_rows(2)
        figures(book)["B2"], figures(book)["C2"] = "Ví dụ: 6", "Hà Nội"

    assert read_dataset(workbook(tmp_path, change)).hash == read_dataset(folder(tmp_path)).hash


def test_evidence_is_recomputed(tmp_path):
    text = "id,value,unit,standing,relation,terms\nE1,50,%,real,,\nE2,60,%,real,equal,E1\n"
    found = read_dataset(folder(tmp_path, evidence=text)).warnings
    assert [(fault.code, fault.at.cell) for fault in found] == [("evidence-inconsistent", "B3")]


def test_many_faults_of_a_kind_are_counted(tmp_path):
    text = history(*(f"2025,9,X{i},TECH,KCQG,1,1" for i in range(30)))
    with pytest.raises(InputError) as caught:
        read_dataset(folder(tmp_path, history=text))
    codes = Counter(fault.code for fault in caught.value.faults)
    assert codes == {"unknown-place": 20, "more-faults": 1}
    assert caught.value.faults[-1].values["count"] == 10


def test_a_large_dataset_says_how_far_it_is(tmp_path):
    told = []
    read_dataset(folder(tmp_path), progress=lambda step, share: told.append((step, share)))
    assert [step for step, _ in told] == ["reading"] * len(told)
    shares = [share for _, share in told]
    assert (shares[0], shares[-1]) == (0.0, 1.0)
    assert shares == sorted(shares)


def test_faults_stand_in_the_order_of_the_file(tmp_path):
    text = history("1989,14,01,TECH,KCQG,1,1", "2025,9,XX,YY,ZZ,1,1")
    with pytest.raises(InputError) as caught:
        read_dataset(folder(tmp_path, history=text))
    assert [fault.at.cell for fault in caught.value.faults] == ["A2", "B2", "C3", "D3", "E3"]


def test_what_may_be_chosen_is_named_as_the_workbook_lists_it(tmp_path):
    def change(book):
        sheet = book["Tình hình thực hiện"]
        sheet.cell(1, 8, "Tình trạng số liệu")
        sheet.cell(2, 8, "xong")
        book["Bộ dữ liệu"].cell(4, 2, "có lẽ")

    with pytest.raises(InputError) as caught:
        read_dataset(workbook(tmp_path, change))
    told = {fault.code: fault.remedy("vi") for fault in caught.value.faults}
    assert told["not-a-choice"].endswith("Đã báo cáo; Đã quyết toán.")
    assert told["not-one-of"] == "Chọn một trong: Có; Không."


def test_a_mark_is_mended_where_the_file_at_hand_says_it(tmp_path):
    def change(book):
        book["Tình hình thực hiện"].cell(2, 6, "34.700")

    with pytest.raises(InputError) as caught:
        read_dataset(workbook(tmp_path, change))
    (fault,) = (one for one in caught.value.faults if one.code == "ambiguous-number")
    for language in LANGUAGES:
        assert "dataset.yaml" not in fault.text(language)
    assert "“Dấu thập phân” của trang “Bộ dữ liệu”" in fault.remedy("vi")
    plain = replace(fault, at=replace(fault.at, sheet=""))
    assert "dataset.yaml" in plain.remedy("vi")


def test_amounts_in_faults_bear_the_marks_of_the_language(tmp_path):
    text = "id,name,place,area,source,support,cost\nA,Máy,01,TECH,KCQG,191300,200\n"
    with pytest.raises(InputError) as caught:
        read_dataset(folder(tmp_path, projects=text))
    (fault,) = caught.value.faults
    assert "191.300 triệu đồng" in fault.found("vi")
    assert "191,300 million VND" in fault.found("en")
    assert "đồng" not in fault.found("en")


def test_a_fault_names_its_column_as_the_file_heads_it(tmp_path):
    def change(book):
        book["Tình hình thực hiện"].cell(3, 6, "nhiều")

    (tmp_path / "folder").mkdir()
    sources = (
        workbook(tmp_path, change),
        folder(tmp_path / "folder", history=spoiled(1, 5, "nhiều")),
    )
    for source, head in zip(sources, ("Kế hoạch", "plan"), strict=True):
        with pytest.raises(InputError) as caught:
            read_dataset(source)
        (fault,) = caught.value.faults
        assert (fault.at.cell, fault.at.column) == ("F3", head)
        assert fault.text().split(": ")[0].endswith(f"F3 ({head})")


def test_another_table_does_not_tell_what_a_mark_means(tmp_path):
    rates = "place,area,source,upto,rate\n01,TECH,KCQG,5000,0.5\n"
    text = history("2025,12,01,TECH,KCQG,34.700,")
    with pytest.raises(InputError) as caught:
        read_dataset(folder(tmp_path, history=text, absorption=rates))
    (fault,) = caught.value.faults
    assert (fault.code, fault.at.cell) == ("ambiguous-number", "F2")


@pytest.mark.parametrize(
    ("second", "code"), [("300", "mark-of-others"), ("300.5", "")], ids=["a score", "an amount"]
)
def test_an_amount_read_by_the_mark_of_a_score_is_warned_of(second, code, tmp_path):
    text = (
        "id,name,place,area,source,cost,support,score\n"
        f"A,Máy,01,TECH,KCQG,5000,1.200,68.5\nB,Máy,01,TECH,KCQG,5000,{second},70\n"
    )
    read = read_dataset(folder(tmp_path, projects=text))
    assert read.projects["support"].iloc[0] == 1_200_000
    found = [fault for fault in read.warnings if fault.code == "mark-of-others"]
    assert [fault.code for fault in found] == ([code] if code else [])
    for fault in found:
        assert (fault.at.cell, fault.values["other"]) == ("G2", "H2")
        assert "1.200" in fault.found("vi")


@pytest.mark.parametrize(
    ("typed", "vnd", "told"),
    [
        ("1,234.5", 1_234_500_000, ("1.234,5", "1,234.5")),
        ("0.5 tỷ", 500_000_000, ("0,5", "0.5")),
        ("1.234,5", 1_234_500_000, None),
        (1234.5, 1_234_500_000, None),
    ],
)
def test_a_number_typed_with_a_decimal_point_in_a_workbook_is_told(typed, vnd, told, tmp_path):
    def change(book):
        book["Tình hình thực hiện"].cell(2, 6, typed)

    data = read_dataset(workbook(tmp_path, change))
    assert data.history["plan"].iloc[0] == vnd
    found = [fault for fault in data.warnings if fault.code == "read-with-point"]
    assert [fault.at.cell for fault in found] == (["F2"] if told else [])
    for fault in found:
        for language, read in zip(LANGUAGES, told, strict=True):
            assert f"“{typed}”" in fault.found(language)
            assert f" {read}" in fault.found(language)


def test_the_keys_of_the_dataset_may_stand_in_a_row(tmp_path):
    def change(book):
        sheet = book["Bộ dữ liệu"]
        sheet.delete_rows(1, 5)
        sheet.append(("title", "vintage", "unit", "synthetic", "sources"))
        sheet.append(("Bộ số liệu thử", 34, "million_vnd", True, "tài liệu thử"))
        sheet.append((None, None, None, None, "tài liệu hai"))

    data = read_dataset(workbook(tmp_path, change))
    assert data.hash == read_dataset(folder(tmp_path)).hash
    assert data.sources == ("tài liệu thử", "tài liệu hai")
    assert data.synthetic


# ---------------------------------------------------------------------------- anything at all

CELL_TEXTS = st.sampled_from(
    [
        *(
            "",
            "-",
            "x",
            "2025",
            "13",
            "6",
            "01",
            "19",
            "VN",
            "R-N",
            "Hà Nội",
            "Bắc Kạn",
            "63",
            "34",
        ),
        *("TECH", "ALL", "KCQG", "KCDP", "settled", "estimate", "Cộng", "Trong đó", "Ví dụ: 1"),
        *("1.000", "34.7", "-5", "0", "#REF!", "1e5"),
    ]
)
REQUIRED = [column.name for column in SCHEMAS["history"].columns if column.required]
MORE = st.sampled_from([*SCHEMAS["history"].by_name, "Kế hoạch (tỷ đồng)", "lạ"])


@st.composite
def csv_texts(draw):
    """Draw a table with every key, mostly likely values in them, and nonsense here and there."""
    head = [*REQUIRED, *draw(st.lists(MORE, max_size=5))]
    likely = {
        "year": ("2025", "2024"),
        "month": ("6", "12"),
        "place": ("01", "19", "VN", "Bắc Kạn"),
        "area": ("TECH", "ALL"),
        "source": ("KCQG", "KCDP"),
        "vintage": ("63", "34", ""),
    }
    cells = [
        st.sampled_from(likely[name]) | CELL_TEXTS if name in likely else CELL_TEXTS
        for name in head
    ]
    rows = draw(st.lists(st.tuples(*cells) | st.lists(CELL_TEXTS, max_size=9), max_size=6))
    return "\n".join(",".join(row) for row in (head, *rows))


@settings(max_examples=150)
@given(
    csv_texts() | st.text() | st.binary(max_size=200),
    st.sampled_from(["history", "cells", "places"]),
)
@example("year,month,place,area,source,plan\n2025,,01,TECH,KCQG,\n,,,,Cộng,2025", "history")
def test_any_csv_is_read_or_refused_by_name(content, table):
    with tempfile.TemporaryDirectory() as at, suppress(InputError):
        data = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
        read_dataset(folder(Path(at), **{table: data}))


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=4),
    st.floats(0, 1),
)
def test_any_damage_to_a_workbook_is_refused_by_name(changes, length):
    """Bytes changed and the end cut off; what a changed text still says is read."""
    with tempfile.TemporaryDirectory() as at:
        path = workbook(Path(at))
        data = bytearray(path.read_bytes())
        for place, byte in changes:
            data[int(place * len(data))] = byte
        path.write_bytes(data[: int(length * len(data)) if length < 0.9 else len(data)])
        with suppress(InputError):
            read_dataset(path)


@pytest.mark.parametrize(
    ("found", "said"),
    [("2,5", "ghi 0,025 hoặc 2,5 %."), ("250", "ghi 0,85 hoặc 85 %.")],
)
def test_a_rate_outside_is_told_how_its_own_number_is_written(found, said):
    column, terms = SCHEMAS["absorption"].by_name["rate"], Terms("million_vnd", "34", "comma")
    with pytest.raises(WrongError) as caught:
        parse_value(found, column, terms)
    assert Fault(caught.value.code, values=caught.value.values).remedy().endswith(said)
