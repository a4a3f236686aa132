"""A sound small dataset, as a folder and as a workbook, for recipes to spoil."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

from openpyxl import Workbook

YAML = """\
title: Bộ số liệu thử
vintage: "34"
unit: million_vnd
synthetic: true
sources: [tài liệu thử]
"""
HEAD = "year,month,place,area,source,plan,disbursed"
ROWS = (
    "2025,9,01,TECH,KCQG,1000,400",
    "2025,12,01,TECH,KCQG,1000,900.5",
    "2025,12,01,TECH,KCDP,500,450",
    "2025,12,19,TECH,KCDP,800,700",
)
CELLS = "place,area,source,baseline,min,max\n01,TECH,KCQG,1000,0,2000\n19,TECH,KCDP,800,100,900\n"

HEADINGS = ("Năm", "Tháng", "Địa bàn", "Nội dung", "Nguồn kinh phí", "Kế hoạch", "Giải ngân")
RECORDS = (
    (2025, 9, "Hà Nội", "TECH", "KCQG", 1000, 400),
    (2025, 12, "Hà Nội", "TECH", "KCQG", 1000, 900.5),
    (2025, 12, "Hà Nội", "TECH", "KCDP", 500, 450),
    (2025, 12, "Thái Nguyên", "TECH", "KCDP", 800, 700),
)
KEYS = (
    ("Tên bộ dữ liệu", "Bộ số liệu thử"),
    ("Phiên bản địa giới", 34),
    ("Đơn vị tính", "triệu đồng"),
    ("Số liệu giả lập", "Có"),
    ("Nguồn số liệu", "tài liệu thử"),
)


def history(*rows: str, head: str = HEAD) -> str:
    """Return a history.csv of the given rows."""
    return "\n".join((head, *rows)) + "\n"


def spoiled(row: int, column: int, value: str) -> str:
    """Return the sound history.csv with one value changed; row and column from 0."""
    rows = [line.split(",") for line in ROWS]
    rows[row][column] = value
    return history(*(",".join(line) for line in rows))


def folder(
    at: Path, yaml: str | None = YAML, history: str | bytes = history(*ROWS), **tables: str | bytes
) -> Path:
    """Write a dataset folder; a text is UTF-8, bytes are written as they are."""
    path = at / "thư mục số liệu"  # a name with spaces and marks
    path.mkdir(parents=True)
    contents = {"history": history, **tables}
    if yaml is not None:
        (path / "dataset.yaml").write_text(yaml, encoding="utf-8")
    for name, content in contents.items():
        data = content.encode() if isinstance(content, str) else content
        file = name.replace("__", ".") if "__" in name else f"{name}.csv"
        if data:
            (path / file).write_bytes(data)
    return path


def workbook(
    at: Path, change: Callable[[Workbook], object] | None = None, name: str = "số liệu.xlsx"
) -> Path:
    """Write the same dataset as a workbook, changed before it is saved."""
    book = Workbook()
    keys = book.active
    keys.title = "Bộ dữ liệu"
    for row in KEYS:
        keys.append(row)
    sheet = book.create_sheet("Tình hình thực hiện")
    for row in (HEADINGS, *RECORDS):
        sheet.append(row)
    if change is not None:
        change(book)
    book.save(at / name)
    return at / name


def repacked(path: Path, change: Callable[[str, bytes], bytes]) -> Path:
    """Change the parts of a workbook, by name and content, as no program would."""
    with zipfile.ZipFile(path) as archive:
        parts = {info.filename: archive.read(info) for info in archive.infolist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(name, change(name, data))
    return path
