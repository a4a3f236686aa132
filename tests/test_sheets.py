"""Raw tables: names of sheets and columns, addresses, forms, and what a workbook hides."""

from __future__ import annotations

import os
import re
from datetime import date, datetime

import pytest
from faults.build import RECORDS, workbook
from faults.cases import figures
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import Workbook

from kc_model.errors import Fault, InputError
from kc_model.sheets import (
    BROKEN,
    Cell,
    Sheet,
    choice_code,
    choices,
    clean_text,
    known_attributes,
    lay_out,
    office,
    open_sheets,
    pairs,
    read_delimited,
    read_yaml,
    records,
    screen_text,
    sheet_name,
    shown_name,
    shown_sheet,
    spellings,
    value_text,
)
from kc_model.tables import FORMS, SCHEMAS
from kc_model.wording import LANGUAGES, say, texts

TABLES = {name: (*schema.by_name, *known_attributes(name)) for name, schema in SCHEMAS.items()}


@pytest.mark.parametrize(("table", "columns"), (TABLES | FORMS).items())
def test_no_heading_means_two_columns(table, columns):
    """Every spelling of every column, in both languages, finds that column and no other."""
    found = spellings(table, tuple(columns))
    for column in columns:
        alone = spellings(table, (column,))
        assert alone, column
        assert {found[spelling] for spelling in alone} == {column}
        assert shown_name(table, column).startswith(column)
        assert "(" in shown_name(table, column), f"{table}.{column} has no heading"


def test_no_title_means_two_sheets():
    for name in (*SCHEMAS, *FORMS, "guide", "lists"):
        for language in LANGUAGES:
            title = say(f"headings.sheets.{name}", language)
            assert sheet_name(title) == sheet_name(title.upper()) == name
            assert len(title) <= 31
            assert not set(title) & set("[]:*?/\\")
        assert shown_sheet(name).startswith(name)
    assert sheet_name("Trang tính 1") == ""
    assert shown_sheet("Trang tính 1") == "Trang tính 1"


def test_every_choice_is_found_by_its_words():
    columns = {key.split(".")[2] for key in texts() if key.startswith("headings.choices.")}
    for column in columns:
        for code, words in choices(column).items():
            assert {choice_code(column, word) for word in (code, *words.values())} == {code}
    for schema in SCHEMAS.values():
        for column in schema.columns:
            if column.choices:
                assert tuple(choices(column.name)) == column.choices
    assert choice_code("tier", "không có") == ""


@given(st.text())
def test_cleaning_twice_changes_nothing(text):
    assert clean_text(clean_text(text)) == clean_text(text)


@given(
    st.text("aăâbcdđeêghiklmnoôơpqrstuưvxyàáảãạầấẩẫậềếểễệồốổỗộừứửữựỳýỷỹỵ ABC0123456789.,-–“”()%/")
)
def test_vietnamese_text_is_sound_and_its_broken_form_is_not(text):
    assert screen_text(text) == ""
    broken = text.encode("utf-8").decode("latin-1")
    assert screen_text(broken) in ({""} if text.isascii() else {"mojibake", "control-character"})


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (BROKEN, ""),
        (True, "TRUE"),
        (7, "7"),
        (7.0, "7"),
        (0.1, "0.1"),
        (1e21, "1000000000000000000000"),
        (1e-7, "0.0000001"),
        (datetime(2024, 3, 5), "2024-03-05"),  # noqa: DTZ001 - as openpyxl gives it
        (date(2024, 3, 5), "2024-03-05"),
        ("x", "x"),
    ],
)
def test_a_value_as_text(value, text):
    assert value_text(value) == text


def opened(tmp_path, change):
    return open_sheets(workbook(tmp_path, change))


def test_a_workbook_is_read_once_for_its_data_and_its_scenario(tmp_path, monkeypatch):
    """And again once its content is another, whatever its date and size say."""
    book, read, loads = workbook(tmp_path, lambda _book: None), office.load_workbook, []

    def load(*what, **how):
        loads.append(what)
        return read(*what, **how)

    monkeypatch.setattr(office, "load_workbook", load)
    first, again = open_sheets(book), open_sheets(book)
    assert len(loads) == 1
    assert again == first
    stat = book.stat()
    other = workbook(tmp_path, lambda book: figures(book).append([2030]))
    os.utime(other, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert other == book
    assert open_sheets(book)["history"].rows != first["history"].rows


def test_sheets_come_by_their_own_name_with_addresses(tmp_path):
    def change(book: Workbook) -> None:
        book.create_sheet("Riêng").append((None, "x"))
        figures(book)["Z40"] = "xa"

    sheets = opened(tmp_path, change)
    assert list(sheets) == ["dataset", "history", "Riêng"]
    history = sheets["history"]
    assert history.numbers == [1, 2, 3, 4, 5, 40]
    assert tuple(history.rows[1]) == RECORDS[0]
    assert str(history.cell_at(5, 25, "cột")) == "số liệu.xlsx!Tình hình thực hiện!Z40 (cột)"
    assert (history.value(5, 25), history.value(1, 99)) == ("xa", None)
    assert history.faults == ()


def test_a_stored_result_is_read_and_an_empty_one_is_blank(tmp_path):
    """What Excel stores beside a formula; openpyxl cannot write it, so the file is patched."""
    from faults.build import repacked

    def results(name: str, data: bytes) -> bytes:
        data = data.replace(b"<f>F2*1</f><v />", b"<f>F2*1</f><v>1000</v>")
        data = data.replace(b'<c r="H3"><f>""</f><v />', b'<c r="H3" t="str"><f>""</f><v></v>')
        data = data.replace(b"<f>F2-F2</f><v />", b"<f>F2-F2</f><v>0</v>")
        return re.sub(b"<calcPr[^>]*>", b"", data)

    def change(book: Workbook) -> None:
        figures(book)["H2"], figures(book)["H3"], figures(book)["H4"] = "=F2*1", '=""', "=F2-F2"

    history = open_sheets(repacked(workbook(tmp_path, change), results))["history"]
    assert [history.value(row, 7) for row in (1, 2, 3)] == [1000, None, 0]
    assert history.faults == ()


def test_hidden_rows_are_told_in_spans(tmp_path):
    def change(book: Workbook) -> None:
        for row in (2, 3, 5, 77):  # nothing stands in row 77
            figures(book).row_dimensions[row].hidden = True

    (fault,) = opened(tmp_path, change)["history"].faults
    assert (fault.code, fault.level, fault.values["found"]) == ("hidden-rows", "warning", "2–3, 5")


def form(name: str, *rows: tuple[object, ...]) -> Sheet:
    return Sheet(name, "a.xlsx", "Trang", list(range(1, len(rows) + 1)), rows)


def test_records_of_a_form():
    sheet = form(
        "rules",
        ("Mã ràng buộc", "Áp dụng cho", "Mức độ bắt buộc", "Tối thiểu", "Bỏ ràng buộc"),
        ("Ví dụ: a", "area=TECH", "Bắt buộc", 1, None),
        (" b ", "area=TECH", "theo CHỈ đạo", 0.5, None),
        (None, None, None, None, "Có"),
        (None, "  ", None, None, None),
    )
    faults: list[Fault] = []
    first, second = records(sheet, faults)
    assert {key: cell.value for key, cell in first.items()} == {
        "id": "b",
        "where": "area=TECH",
        "tier": "directive",
        "min": 0.5,
    }
    assert (first["tier"].at.cell, first["tier"].at.column) == ("C3", "Mức độ bắt buộc")
    assert second == {"drop": Cell("true", sheet.cell_at(3, 4, "Bỏ ràng buộc"))}
    assert faults == []


def test_an_unknown_column_of_a_form_is_a_fault_with_the_nearest_name():
    faults: list[Fault] = []
    records(form("budget", ("Nguồn", "Số tin", "Màu")), faults)
    assert [(fault.code, fault.at.cell, fault.values["near"]) for fault in faults] == [
        ("unknown-column", "B1", "amount (Số tiền)"),
        ("unknown-column", "C1", "–"),
    ]


@pytest.mark.parametrize("header", [[("Mục", "Giá trị", "Giải thích")], []])
def test_pairs_with_and_without_a_header(header):
    sheet = form(
        "scenario", *header, ("Năm", 2026), ("name", "Phương án 1"), ("Năm", None), ("la", 1)
    )
    found = pairs(sheet, ("name", "year"), [])
    assert [(key, cell.value) for key, cell in found] == [
        ("year", 2026),
        ("name", "Phương án 1"),
        ("la", 1),
    ]
    assert len(pairs(sheet, ("name", "year"), [], blanks=True)) == 4


def test_a_broken_value_is_not_told_twice():
    faults: list[Fault] = []
    (row,) = records(form("budget", ("Nguồn", "Số tiền"), ("KCQG", BROKEN)), faults)
    assert row["amount"].value == "?"  # given, so that it is not called missing too
    assert [key for key, _ in pairs(form("dataset", ("unit", BROKEN)), ("unit",), faults)] == []
    assert faults == []


def test_the_header_may_stand_below_titles_and_its_unit_above_it():
    sheet = form(
        "history",
        ("BÁO CÁO",),
        ("Đơn vị tính: Triệu đồng",),
        ("Năm", "Kế hoạch (tỷ đồng)", "Giải ngân*"),
        (2024, 1, 2),
    )
    faults: list[Fault] = []
    grid = lay_out(sheet, tuple(SCHEMAS["history"].by_name), ("year",), faults)
    assert grid.columns == {"year": 0, "plan": 1, "disbursed": 2}
    assert {name: unit for name, (unit, _) in grid.units.items()} == {
        "": "million_vnd",
        "plan": "billion_vnd",
    }
    assert (grid.rows, grid.value(3, "plan"), grid.value(3, "status")) == ((3,), 1, None)
    assert grid.heading_at("plan").cell == "B3"
    assert faults == []


def test_a_csv_keeps_row_numbers_and_quoted_breaks(tmp_path):
    path = tmp_path / "places.csv"
    path.write_text('place,note\n\n01,"a\nb"\n ,\n04,c\n', encoding="utf-8")
    sheet = read_delimited(path, "places")
    assert sheet.numbers == [1, 3, 5]
    assert sheet.rows == [["place", "note"], ["01", "a\nb"], ["04", "c"]]


def test_a_csv_may_begin_with_a_title(tmp_path):
    path = tmp_path / "places.csv"
    path.write_text("Danh sách\nplace;note\n01;1,5\n", encoding="utf-8")
    assert read_delimited(path, "places").rows == [["Danh sách"], ["place", "note"], ["01", "1,5"]]


def test_yaml_scalars_stay_texts(tmp_path):
    path = tmp_path / "dataset.yaml"
    path.write_text("a: 01\nb: yes\nc: [1.50, {d: null}]\ne: 2024-01-01\n", encoding="utf-8")
    found = read_yaml(path, [])
    assert {key: found[key].value for key in "abe"} == {"a": "01", "b": "yes", "e": "2024-01-01"}
    number, mapping = found["c"].value
    assert (number.value, mapping.value["d"].value) == ("1.50", "null")
    assert (mapping.value["d"].at.cell, mapping.value["d"].at.column) == ("line 3", "c[2].d")


def test_yaml_of_references_cannot_explode(tmp_path):
    lines = ["a: &a [x, x, x, x, x, x, x, x, x, x]"]
    for old, new in zip("abcdefg", "bcdefgh", strict=True):
        lines.append(f"{new}: &{new} [{', '.join([f'*{old}'] * 10)}]")
    path = tmp_path / "dataset.yaml"
    path.write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(InputError, match="broken-yaml"):
        read_yaml(path, [])


def test_yaml_that_nests_without_end_is_refused(tmp_path):
    path = tmp_path / "dataset.yaml"
    path.write_text("a: " + "[" * 5000, encoding="utf-8")
    with pytest.raises(InputError, match="broken-yaml"):
        read_yaml(path, [])
