"""Every way in which a dataset can be wrong: adding one costs three lines.

Each case names the faults (code, cell) it must give, all at once and no other; those of the
reliability catalogue carry its number. Warnings are given apart: with errors they may stand beside
them, alone they leave the dataset readable.
"""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import xlsxwriter
from openpyxl import Workbook
from openpyxl.styles import Font
from openpyxl.worksheet.filters import FilterColumn

from faults.build import (
    CELLS,
    HEAD,
    KEYS,
    RECORDS,
    ROWS,
    YAML,
    folder,
    history,
    repacked,
    spoiled,
    workbook,
)

__all__ = ["CASES", "Case"]

Faults = frozenset[tuple[str, str]]


@dataclass(frozen=True)
class Case:
    """One recipe and the faults it must give."""

    name: str
    recipe: Callable[[Path], Path]
    errors: Faults
    warnings: Faults = frozenset()


CASES: list[Case] = []


def case(name: str, recipe: Callable[[Path], Path], errors: str, warnings: str = "") -> None:
    """Add a case; faults are written ``code@cell``, apart by blanks."""
    found = [
        frozenset((code, cell) for code, _, cell in (word.partition("@") for word in text.split()))
        for text in (errors, warnings)
    ]
    CASES.append(Case(name, recipe, *found))


def of_history(name: str, text: str | bytes, errors: str, warnings: str = "") -> None:
    """Add a case whose history.csv is spoiled."""
    case(name, lambda at: folder(at, history=text), errors, warnings)


def of_value(
    name: str, place: tuple[int, int], value: str, errors: str, warnings: str = ""
) -> None:
    """Add a case in which one value of history.csv is spoiled."""
    of_history(name, spoiled(*place, value), errors, warnings)


def of_book(
    name: str, change: Callable[[Workbook], object], errors: str, warnings: str = ""
) -> None:
    """Add a case whose workbook is spoiled."""
    case(name, lambda at: workbook(at, change), errors, warnings)


def of_table(name: str, table: str, text: str, errors: str, warnings: str = "") -> None:
    """Add a case with a spoiled table beside the sound history."""
    case(name, lambda at: folder(at, **{table: text}), errors, warnings)


def figures(book: Workbook):
    """Return the sheet of the history."""
    return book["Tình hình thực hiện"]


def put(cell: str, value: object) -> Callable[[Workbook], object]:
    """Return the change that sets one cell of the history."""

    def change(book: Workbook) -> None:
        figures(book)[cell] = value

    return change


def raw(name: str, data: bytes) -> Callable[[Path], Path]:
    """Return the recipe of a file with exactly these bytes."""

    def recipe(at: Path) -> Path:
        (at / name).write_bytes(data)
        return at / name

    return recipe


# ---------------------------------------------------------------- the dataset as a whole

case("no such path", lambda at: at / "không có", "no-such-path@")
case("a name no file can have", lambda at: at / ("x" * 5000), "no-such-path@")
case("a CSV alone", raw("history.csv", history(*ROWS).encode()), "not-a-dataset@")
case("empty folder", lambda at: folder(at, yaml=None, history=""), "missing-file@")
case("no table", lambda at: folder(at, history=""), "no-tables@")
case("no dataset.yaml", lambda at: folder(at, yaml=None), "missing-file@")
case("no rows at all", lambda at: folder(at, history=HEAD + "\n"), "no-tables@")
case(
    "no sheet of the dataset",
    lambda at: workbook(at, lambda book: book.remove(book["Bộ dữ liệu"])),
    "missing-sheet@",
)
case(
    "every key of dataset.yaml wrong",
    lambda at: folder(
        at, yaml="titel: x\nvintage: 62\nunit: triệu tỷ\nsynthetic: maybe\nnotes: x\ndecimal: dot\n"
    ),
    "missing-key@ unknown-key@line1 not-one-of@line2 not-one-of@line3 not-one-of@line4"
    " not-a-list@line5 not-one-of@line6",
)
case(
    "notes without what they need",
    lambda at: folder(at, yaml=f"{YAML}notes:\n  - {{standing: real, tabel: x}}\n  - x\n"),
    "missing-key@line7 unknown-key@line7 not-a-mapping@line8",
)
case("yaml broken", lambda at: folder(at, yaml="title: [x\n"), "broken-yaml@line2")
case("yaml a list", lambda at: folder(at, yaml="- x\n"), "not-a-mapping@")
case(
    "56 yaml with a Python object",
    lambda at: folder(at, yaml=YAML + "decimal: !!python/object/apply:os.system [x]\n"),
    "yaml-tag@line6",
)
case("yaml key twice", lambda at: folder(at, yaml=YAML + "unit: vnd\n"), "repeated-key@line6")
case(
    "yaml not UTF-8",
    lambda at: folder(at, yaml=None, dataset__yaml=YAML.encode("utf-16")),
    "not-utf8@",
)
case(
    "key twice in the sheet",
    lambda at: workbook(at, lambda b: b["Bộ dữ liệu"].append(KEYS[2])),
    "repeated-key@B6",
)
case(
    "tables in another format",
    lambda at: folder(at, cells__xlsx=b"x", history__xlsx=b"x", histroy=HEAD, khac__csv="a,b"),
    "wrong-format@",
    "unknown-file@",
)
case(
    "sheets under other names",
    lambda at: workbook(at, lambda book: book.create_sheet("Sheet 9").append((1, 2))),
    "",
    "unknown-sheet@",
)
case(
    "one table under two names",
    lambda at: workbook(at, lambda book: book.create_sheet("history").append(("year",))),
    "sheet-twice@",
)

# ---------------------------------------------------------------- catalogue 1–10: text and places

of_book(
    "3 old font",
    lambda b: (put("D3", "C«ng nghÖ")(b), setattr(figures(b)["D3"], "font", Font(name=".VnTime"))),
    "legacy-font@D3",
)
of_history(
    "4 cp1258",
    history(*ROWS, "2025,12,Hà Nam,TECH,ALL,1,1").encode("cp1258", "replace"),
    "not-utf8@",
)
of_history("4 binary", b"\x00\x01\x02,\x03", "not-utf8@")
of_history("4 truncated UTF-8", history(*ROWS, "2025,12,Hà Nộ").encode()[:-2], "not-utf8@")
of_value("4 mojibake", (0, 2), "HÃ\u00a0 Ná»™i", "mojibake@C2")
of_value("4 replacement character", (0, 2), "H\ufffd Nội", "control-character@C2")
of_value("7 former province, new period", (3, 2), "Bắc Kạn", "", "former-place@C5")
of_history(
    "7 former province, old period",
    history("2024,12,Bắc Kạn,TECH,KCDP,800,700"),
    "vintage-needed@C2",
)
of_history(
    "7 old vintage after the merger",
    history("2025,12,06,TECH,KCDP,800,700,63", head=HEAD + ",vintage"),
    "",
    "old-vintage@A2",
)
of_history(
    "8 former province beside its successor",
    history(*ROWS, "2025,12,Bắc Kạn,TECH,KCDP,10,5"),
    "old-and-new-place@C6",
    "former-place@C6",
)
of_history(
    "8 both vintages in one period",
    history("2025,6,06,TECH,KCDP,10,5,63", "2025,6,19,TECH,KCDP,10,5,34", head=HEAD + ",vintage"),
    "old-and-new-place@C2",
)
of_value("9 unknown place", (0, 2), "Hà Nộ", "unknown-place@C2")
of_value("9 unknown area", (0, 3), "TEHC", "unknown-area@D2")
of_value("9 unknown source", (0, 4), "KCTW", "unknown-source@E2")
of_value("9 code of the other vintage", (3, 2), "60", "place-of-other-vintage@C5")
case(
    "9 vintage of the future",
    lambda at: folder(
        at,
        yaml=YAML.replace('"34"', '"63"'),
        history=history("2025,12,01,TECH,KCDP,10,5,34", head=HEAD + ",vintage"),
    ),
    "vintage-split@H2",
)
of_history(
    "9 region of the other vintage",
    history("2024,12,R-N,TECH,KCDP,10,5,63", head=HEAD + ",vintage"),
    "vintage-region@C2",
)

# ---------------------------------------------------------------- catalogue 11–24: numbers, dates

of_value("12 ambiguous, no other mark", (1, 6), "900.500", "ambiguous-number@G3")
of_value("13 a share of a đồng", (0, 6), "0.0000005", "fraction-of-dong@G2")
of_history(
    "14 a jump from year to year",
    history("2024,12,01,TECH,KCQG,5,4", "2025,12,01,TECH,KCQG,5000,4"),
    "",
    "unit-jump@F3",
)
of_history(
    "15 unit in the heading",
    history(*ROWS, head=HEAD.replace("plan", "Kế hoạch (tỷ đồng)")),
    "heading-unit@F1",
)
of_book(
    "15 unit above the table against a cell",
    lambda b: (
        figures(b).insert_rows(1),
        put("A1", "ĐVT: triệu đồng")(b),
        put("F3", "1 tỷ")(b),
        put("F4", "1000 triệu")(b),
    ),
    "unit-conflict@F3",
)
for text in ("1e5", "1_000", "nan", "inf", "１２", "12a"):
    of_value(f"17 {text}", (0, 5), text, "bad-number@F2")
of_history(
    "17 marks that contradict",
    history("2025,9,01,TECH,KCQG,1000.5,400", '2025,9,01,TECH,KCDP,"34,7",12.345'),
    "mixed-decimal@F3",
)
case(
    "17 marks against dataset.yaml",
    lambda at: folder(at, yaml=YAML + "decimal: comma\n"),
    "wrong-decimal@G3",
)
of_value("18 marks that mean missing", (0, 6), "…", "", "read-as-missing@G2")
of_value("18 missing where a value must be", (0, 3), "-", "empty-cell@D2", "read-as-missing@D2")
for text in ("#REF!", "#N/A", "#DIV/0!"):
    of_value(f"19 {text}", (0, 6), text, "error-value@G2")
of_book("19 an error in Excel", put("G3", "#REF!"), "error-value@G3")
of_book("20 formula never computed", put("G3", "=F3*0.9"), "uncached-formula@G3")


def uncomputed(at: Path) -> Path:
    path = at / "xlsxwriter.xlsx"
    with xlsxwriter.Workbook(path) as book:
        for name, rows in (("dataset", KEYS), ("history", (HEAD.split(","), *RECORDS))):
            sheet = book.add_worksheet(name)
            for i, row in enumerate(rows):
                sheet.write_row(i, 0, row)
        sheet.write_formula("G3", "=F3*0.9")
    return path


case("20 formula stored as zero by another program", uncomputed, "uncached-formula@G3")
for text in ("13/13/2024", "05/03/24", "31/02/2024", "05-03/2024", "1/1/1899", "tháng 3"):
    of_table(
        f"22 {text}",
        "projects",
        f"id,name,place,area,source,support,start\nA,Máy sấy,01,TECH,KCQG,300,{text}\n",
        "bad-date@G2",
    )
of_value("23 negative plan", (0, 5), "-1000", "negative-amount@F2")
of_value("23 negative disbursed", (0, 6), "-400", "negative-amount@G2")
of_history(
    "23 money recovered",
    history("2025,13,01,TECH,KCQG,1000,-4,settled", head=HEAD + ",status"),
    "",
    "negative-settled@G2",
)
of_value("24 beyond 64 bits", (0, 5), "9999999999999999", "amount-too-large@F2")
of_history(
    "24 a sum beyond 64 bits",
    history("2025,9,01,TECH,KCQG,9000000000000,1", "2025,9,01,TECH,KCDP,9000000000000,1"),
    "sum-too-large@F2",
)
of_book("a logical value for a number", put("G3", True), "bad-number@G3")
of_value("year outside", (0, 0), "1989", "year-outside@A2")
of_value("month outside", (0, 1), "14", "month-outside@B2")
of_value("month not whole", (0, 1), "6.5", "not-whole@B2")

# ---------------------------------------------------------------- catalogue 25–36: sheets and files


def merged_amount(book: Workbook) -> None:
    figures(book)["F4"] = None
    figures(book).merge_cells("F3:F4")


def hidden(book: Workbook) -> None:
    sheet = figures(book)
    sheet.row_dimensions[3].hidden = True
    sheet.row_dimensions[4].hidden = True
    sheet.column_dimensions["G"].hidden = True
    sheet.auto_filter.ref = "A1:G5"
    sheet.auto_filter.filterColumn.append(FilterColumn(colId=2))
    book["Bộ dữ liệu"].sheet_state = "hidden"


def totals(stated: float) -> Callable[[Workbook], None]:
    def change(book: Workbook) -> None:
        sheet = figures(book)
        sheet.insert_rows(4)
        sheet["A4"], sheet["F4"], sheet["G4"] = "Cộng", 2000, 1300.5
        sheet["C7"], sheet["F7"] = "TỔNG CỘNG", stated

    return change


of_book("26 an amount merged over rows", merged_amount, "merged-amount@F3")
of_book("27 totals that differ", totals(3301), "total-differs@F7", "total-rows@A4")
of_book("27 totals that agree", totals(3300), "", "total-rows@A4")


def doubled_row(stated: float, again: float | None = None) -> Callable[[Workbook], None]:
    """Write a total below rows of which one stands twice, perhaps with another amount."""

    def change(book: Workbook) -> None:
        sheet = figures(book)
        row = [cell.value for cell in sheet[5]]
        for column, value in enumerate(row, 1):
            sheet.cell(6, column).value = value
        sheet["F6"] = row[5] if again is None else again
        sheet["C7"], sheet["F7"] = "Cộng", stated

    return change


def negative_month(book: Workbook) -> None:
    """Write an amount below zero into the second month of a cell, and a total below."""
    sheet = figures(book)
    for row, month in ((6, 10), (7, 11)):
        for column, cell in enumerate(sheet[5], 1):
            sheet.cell(row, column).value = cell.value
        sheet.cell(row, 2).value = month
    sheet["G6"] = -5
    sheet["C8"], sheet["G8"] = "Cộng", 12345


of_book("27 a row doubled", doubled_row(3300), "duplicate-row@A6", "total-rows@C7")
of_book("27 a total of what is doubled", doubled_row(4100), "duplicate-row@A6", "total-rows@C7")
of_book(
    "27 a total that differs beside a row doubled",
    doubled_row(3299),
    "duplicate-row@A6 total-differs-month@F7",
    "total-rows@C7",
)
of_book("27 a key doubled", doubled_row(3310, 1010), "duplicate-key@F6", "total-rows@C7")
of_book("23 one amount below zero", negative_month, "negative-amount@G6", "total-rows@C8")


def newest_total(stated: float, month: object = 9) -> Callable[[Workbook], None]:
    """Write a total below cumulative months, beside a fault of an earlier month's amount."""

    def change(book: Workbook) -> None:
        sheet = figures(book)
        sheet["B2"], sheet["F2"] = month, "nhiều"
        sheet["C6"], sheet["F6"] = "Cộng", stated

    return change


of_book("27 newest month agrees", newest_total(2300), "bad-number@F2", "total-rows@C6")
of_book(
    "27 newest month differs",
    newest_total(2299),
    "bad-number@F2 total-differs-month@F6",
    "total-rows@C6",
)
of_book("27 perhaps of that month", newest_total(3301, 12), "bad-number@F2", "total-rows@C6")
of_book(
    "27 a month that cannot be read",
    newest_total(2299, 14),
    "month-outside@B2 bad-number@F2 total-differs-month@F6",
    "total-rows@C6",
)
of_book(
    "27 of which",
    lambda b: figures(b).append((None, None, "Trong đó:", None, None, 5)),
    "of-which-row@C6",
)
of_book(
    "28 unlabelled sum",
    lambda b: figures(b).append((None, None, None, None, None, 3300)),
    "empty-cell@A6 empty-cell@B6 empty-cell@C6 empty-cell@D6 empty-cell@E6",
)
of_book(
    "29 hidden things",
    hidden,
    "",
    "hidden-rows@ hidden-columns@ active-filter@ hidden-sheet@",
)
of_book(
    "30 remarks and signatures",
    lambda b: (
        put("A7", "Ghi chú: số liệu thử")(b),
        put("B9", "NGƯỜI LẬP BIỂU")(b),
        put("G9", "THỦ TRƯỞNG ĐƠN VỊ")(b),
    ),
    "",
    "ignored-rows@A7",
)
of_history("31 row repeated", history(*ROWS, ROWS[1]), "duplicate-row@A6")
of_history("31 key repeated", history(*ROWS, ROWS[1].replace("900.5", "901.5")), "duplicate-key@G6")
of_history(
    "32 column missing",
    history(*ROWS, head=HEAD.replace("source", "x")),
    "missing-column@ unknown-column@E1",
)
of_history(
    "32 column twice",
    history(*ROWS, head=HEAD.replace("disbursed", "Kế hoạch")),
    "duplicate-column@G1",
)
of_history(
    "32 no heading over values",
    history(*ROWS, head=HEAD.replace("disbursed", "")),
    "column-without-heading@G2",
)
of_history("32 no header", history(*ROWS, head="a,b,c,d,e,f,g"), "no-header@")
of_history(
    "32 unquoted decimal comma", history(*ROWS, "2025,9,19,TECH,KCDP,34,7,12,5"), "row-too-long@I6"
)
of_history("32 row cut off", history(*ROWS, "2025,9,19,TECH,KCDP,800"), "", "row-too-short@A6")
of_history(
    "32 separators mixed",
    history(*ROWS, head="year;month;place,area,source"),
    "ambiguous-separator@",
)
of_history("32 quotation mark open", history(*ROWS, '2025,9,"19,TECH,KCDP,800,1'), "broken-csv@A6")
of_history("32 no CSV but a workbook", b"PK\x03\x04....", "is-a-workbook@")
of_book("33 a cell at the last row", put("A1048576", 1), "far-cell@A1048576")
of_book("33 a cell at the last column", put("XFD2", 1), "far-cell@XFD2")


def bomb(at: Path) -> Path:
    def change(name: str, data: bytes) -> bytes:
        return data + b" " * 60_000_000 if name.endswith("sheet2.xml") else data

    return repacked(workbook(at), change)


def many_parts(at: Path) -> Path:
    path = workbook(at)
    with zipfile.ZipFile(path, "a") as archive:
        for i in range(2_500):
            archive.writestr(f"xl/media/{i}.txt", "")
    return path


def forged_size(at: Path) -> Path:
    """A part that says it is a hundred bytes long, in both headers, and is not."""
    path = workbook(at)
    with zipfile.ZipFile(path) as archive:
        size = archive.getinfo("xl/worksheets/sheet2.xml").file_size
    path.write_bytes(path.read_bytes().replace(struct.pack("<L", size), struct.pack("<L", 100)))
    return path


def merged_everywhere(at: Path) -> Path:
    def change(name: str, data: bytes) -> bytes:
        merge = b'<mergeCells count="1"><mergeCell ref="A1:XFD1048576"/></mergeCells>'
        return data.replace(b"</sheetData>", b"</sheetData>" + merge)

    return repacked(workbook(at), change)


def with_entity(name_part: str, text: bytes) -> Callable[[Path], Path]:
    def change(name: str, data: bytes) -> bytes:
        return text + data if name.endswith(name_part) else data

    return lambda at: repacked(workbook(at), change)


def with_part(part: str) -> Callable[[Path], Path]:
    def recipe(at: Path) -> Path:
        path = workbook(at)
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr(part, b"x")
        return path

    return recipe


def renamed_word(at: Path) -> Path:
    with zipfile.ZipFile(at / "a.xlsx", "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("word/document.xml", "<w/>")
    return at / "a.xlsx"


def opened(at: Path) -> Path:
    path = workbook(at)
    path.with_name(f"~${path.name}").write_bytes(b"x")
    return path


case("34 zip bomb by ratio", bomb, "workbook-too-large@")
case("34 zip bomb by parts", many_parts, "workbook-too-large@")
case("34 forged size", forged_size, "damaged-workbook@")
case("34 merged everywhere", merged_everywhere, "workbook-too-large@")
case(
    "35 entity",
    with_entity("sheet2.xml", b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>'),
    "xml-entities@",
)
case(
    "35 entity in UTF-16",
    with_entity("styles.xml", '\ufeff<!DOCTYPE x [<!ENTITY e "x">]>'.encode("utf-16-le")),
    "xml-entities@",
)
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600
case("36 old .xls", raw("a.xlsx", OLE), "legacy-xls@")
case(
    "36 password",
    raw("a.xlsx", OLE + "EncryptedPackage".encode("utf-16-le")),
    "encrypted-workbook@",
)
case("36 macro", with_part("xl/vbaProject.bin"), "macro-workbook@")
case("36 binary workbook", with_part("xl/workbook.bin"), "legacy-xls@")
case(
    "36 truncated",
    lambda at: raw("a.xlsx", workbook(at).read_bytes()[:3000])(at),
    "damaged-workbook@",
)
case("36 renamed CSV", raw("a.xlsx", history(*ROWS).encode()), "not-a-workbook@")
case("36 empty", raw("a.xlsx", b""), "empty-file@")
case("36 lock file", raw("~$a.xlsx", b"x"), "lock-file@")
case("36 a Word file", renamed_word, "not-a-workbook@")
case("36 open in Excel", opened, "", "open-in-excel@")


# ---------------------------------------------------------------- catalogue 37–39: series

STATUS = HEAD + ",status"
of_value("37 falls within the year", (0, 6), "950", "decrease@G3")
of_history(
    "37 an estimate came down",
    history("2025,9,01,TECH,KCQG,1000,950,estimate", "2025,12,01,TECH,KCQG,1000,900,", head=STATUS),
    "",
    "decrease-meant@G3",
)
of_history(
    "37 settled below",
    history("2025,12,01,TECH,KCQG,1000,950,", "2025,13,01,TECH,KCQG,1000,900,settled", head=STATUS),
    "",
    "decrease-meant@G3",
)
of_value("38 above the plan", (1, 6), "1200", "", "over-plan@G3")
of_value("38 far above the plan", (1, 6), "12000", "", "far-over-plan@G3")
of_history(
    "a text that is no number shows no mark",
    history('2025,12,01,TECH,KCQG,1000,"12,5x"', '2025,12,04,TECH,KCQG,"1,234.5",10'),
    "bad-number@G2",
)
of_history(
    "38 above the plan, under money carried over",
    history("2025,12,01,TECH,KCQG,1000,1200,300", head=HEAD + ",carried"),
    "",
)
of_value("39 money without a plan", (3, 5), "0", "money-without-plan@G5")
of_history("status unknown", history(ROWS[0] + ",xong", head=STATUS), "not-a-choice@H2")

# ---------------------------------------------------------------- aggregates and their parts

of_history(
    "nation and province", history(*ROWS, "2025,12,VN,TECH,KCDP,9000,1"), "total-and-parts@C6"
)
of_history(
    "region and province", history(*ROWS, "2025,12,R-N,TECH,KCDP,9000,1"), "total-and-parts@C6"
)
of_history(
    "nation and region",
    history("2025,12,VN,TECH,KCDP,9,1", "2025,12,R-S,TECH,KCDP,8,1"),
    "total-and-parts@C2",
)
of_history("another region", history(*ROWS, "2025,12,R-S,TECH,KCDP,9000,1"), "")
of_history("another period", history(*ROWS, "2025,3,VN,TECH,KCDP,9000,1"), "")
of_history("all areas and one", history(*ROWS, "2025,12,01,ALL,KCDP,9000,1"), "total-and-parts@D6")
of_history(
    "all sources and one", history(*ROWS, "2025,12,01,TECH,ALL,9000,1"), "total-and-parts@E6"
)
of_history(
    "two totals that cross",
    history("2025,12,VN,TECH,KCDP,9,1", "2025,12,R-S,ALL,KCDP,8,1"),
    "total-and-parts@C2",
)
of_table(
    "former province in a plan of before",
    "cells",
    "year,place,area,source\n2024,Bắc Kạn,TECH,KCDP\n",
    "",
    "former-place@B2",
)
of_table("in cells too", "cells", CELLS + "VN,TECH,KCDP,1,,\n", "total-and-parts@A4")

# ---------------------------------------------------------------- the other tables

of_table(
    "min above max", "cells", "place,area,source,min,max\n01,TECH,KCQG,5,4\n", "min-above-max@D2"
)
of_table(
    "free outputs", "cells", "place,area,source,unit_cost\n01,TECH,KCQG,0\n", "zero-unit-cost@D2"
)
of_table(
    "negative weight", "cells", "place,area,source,weight\n01,TECH,KCQG,-1\n", "negative-number@D2"
)
of_table(
    "numbers and words",
    "cells",
    "place,area,source,điểm\n01,TECH,KCQG,5\n19,TECH,KCQG,cao\n",
    "",
    "mixed-attribute@D3",
)
SLICES = "place,area,source,upto,rate\n"
of_table("rate outside", "absorption", SLICES + "01,TECH,KCQG,5,1.5\n", "rate-outside@E2")
of_table(
    "rate rises",
    "absorption",
    SLICES + "01,TECH,KCQG,9,0.9\n01,TECH,KCQG,5,0.5\n",
    "rate-increases@E2",
)
of_table("slice of nothing", "absorption", SLICES + "01,TECH,KCQG,0,0.5\n", "upto-not-positive@D2")
of_table("slice without a rate", "absorption", SLICES + "01,TECH,KCQG,5,\n", "empty-cell@E2")
PROJECTS = "id,name,place,area,source,support,min_support,requires,start,end\n"
of_table(
    "projects",
    "projects",
    PROJECTS
    + "A,Máy,01;99,TECH,KCQG,300,,,,\n"
    + "B,Máy,01;19,TECH,KCQG,300,400,C;D,05/03/2025,04/03/2025\n"
    + ",Máy,01,TECH,KCQG,300,,,,\n",
    "unknown-place@C2 support-below-min@G3 unknown-project@H3 end-before-start@J3 empty-cell@A4",
)
LINKED = "id,name,place,area,source,support,cost,disbursed,quantity,requires,excludes,split,norm\n"
of_table(
    "projects that do not go together",
    "projects",
    LINKED
    + "A,Máy,01,TECH,KCQG,300,200,,0,A,,,N99\n"
    + "B,Máy,01,TECH,KCQG,300,,400,,C,,,\n"
    + "C,Máy,01,TECH,KCQG,300,,,,D;E,,,\n"
    + "D,Máy,01,TECH,KCQG,300,,,,,E,,\n"
    + "E,Máy,01,TECH,KCQG,300,,,,F,,,\n"
    + "F,Máy,01,TECH,KCQG,300,,,,G,F,,\n"
    + "G,Máy,01,TECH,KCQG,300,,,,F,,,\n",
    "unknown-norm@M2 paid-over-support@H3 project-itself@K7",
)
of_table(
    "single projects that cannot be",
    "projects",
    LINKED + "A,Máy,01,TECH,KCQG,300,200,,0,A,,,\n",
    "support-over-cost@F2 quantity-zero@I2 project-itself@J2",
)
SEEN = (
    "id,name,place,area,source,support,cost,counterpart,other,kind,stage,disbursed,"
    "requires,excludes\n"
)
of_table(
    "projects that are odd",
    "projects",
    SEEN
    + "A,Máy,01;01,TECH,KCQG,300,900,500,100,group,,,,\n"
    + "B,Máy,01;19,TECH,KCQG,300,900,500,50,normal,registered,20,,\n"
    + "a ,Máy,19,TECH,KCQG,300,900,500,,flagship,assigned,20,,\n",
    "",
    "place-twice@C2 cost-not-sum@G3 places-without-group@J3 paid-unassigned@K3 id-alike@A4",
)
of_table(
    "project ids taken",
    "projects",
    SEEN
    + "A,Máy,01,TECH,KCQG,300,,,,,,,,\n"
    + "A,Máy khác,01,TECH,KCQG,200,,,,,,,,\n"
    + "B,Máy,01,TECH,KCQG,300,,,,,,,,\n"
    + "B,Máy,01,TECH,KCQG,300,,,,,,,,\n"
    + "C,Máy,01,TECH,KCQG,300,,,,,,,D,\n"
    + "D,Máy,01,TECH,KCQG,300,,,,,,,,C\n",
    "duplicate-id@A3 duplicate-row@A5",
)
for text in ("60,40", "0.6;1", "60;40;0", "một nửa", "01: 60; 40", "60 %; 40", "600;400"):
    of_table(
        f"split {text}",
        "projects",
        f'id,name,place,area,source,support,split\nA,Máy,01;04,TECH,KCQG,300,"{text}"\n',
        ("split-sum" if text[0].isdecimal() and set(text) <= set("0.64;1,") else "split-unclear")
        + "@G2",
    )
of_table(
    "split of other places",
    "projects",
    LINKED
    + "A,Máy,01;04,TECH,KCQG,300,,,,,,50;30;20,\n"
    + "B,Máy,01;04,TECH,KCQG,300,,,,,,01:50;08:50,\n"
    + "C,Máy,R-N;01,TECH,KCQG,300,,,,,,,\n",
    "split-places@L2 split-places@L3 split-aggregate@C4",
)
case(
    "one column in cells and places",
    lambda at: folder(at, cells=CELLS, places="place,min,population\n01,5,9\n"),
    "attribute-twice@B1",
)
of_table(
    "vintage in cells",
    "cells",
    "place,area,source,vintage\n01,TECH,KCQG,63\n",
    "vintage-not-here@D1",
)
of_table("place twice", "places", "place,population\n01,5\nHà Nội,6\n", "duplicate-key@B3")
case(
    "everything at once, in every table",
    lambda at: folder(
        at,
        yaml=YAML.replace("million_vnd", "million"),
        history=spoiled(1, 2, "Hà Nộ"),
        cells="place,area,source,min\n01,TECH,KCQG,x1\n",
        absorption=SLICES + "01,TECH,KCQG,5,2\n",
    ),
    "not-one-of@line3 unknown-place@C3 bad-number@D2 rate-outside@E2",
)
