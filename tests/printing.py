"""What a printed sheet comes to, worked out from the file alone."""

from __future__ import annotations

import re

import openpyxl

_ACROSS, _DOWN = 1026.0, 516.0  # pixels and points of A4 landscape inside our margins


def pages_of(sheet) -> list[range]:
    """Return the rows of each page; fail where one is wider or higher than paper."""
    assert sheet.page_setup.orientation == "landscape"
    assert sheet.page_setup.paperSize == 9
    assert not sheet.sheet_properties.pageSetUpPr.fitToPage, "Excel would ignore our breaks"
    assert (sheet.page_margins.left, sheet.page_margins.top) == (0.5, 0.55)
    assert "&P" in sheet.oddFooter.right.text
    assert "&N" in sheet.oddFooter.right.text
    first, top, last, bottom = openpyxl.utils.range_boundaries(sheet.print_area.split("!")[1])
    assert (first, top) == (1, 1)
    scale = (sheet.page_setup.scale or 100) / 100
    assert scale >= 0.55, "too small to be read"
    letters = [openpyxl.utils.get_column_letter(column) for column in range(first, last + 1)]
    # xlsxwriter stores a width with its edges, in digits of 7 pixels
    width = sum(7 * sheet.column_dimensions[letter].width for letter in letters)
    assert width * scale <= _ACROSS, sheet.title
    repeated = 0.0
    if sheet.print_title_rows:
        of = sheet.print_title_rows.split("!")[-1].replace("$", "").split(":")
        repeated = height_of(sheet, range(int(of[0]), int(of[1]) + 1))
    ends = sorted({entry.id for entry in sheet.row_breaks.brk} | {bottom})
    pages = [
        range(start, end + 1)
        for start, end in zip([1, *(end + 1 for end in ends)], ends, strict=False)
    ]
    for number, page in enumerate(pages):
        height = height_of(sheet, page) + (repeated if number else 0)
        assert height * scale <= _DOWN, (sheet.title, page)
    return pages


def height_of(sheet, rows) -> float:
    shown = (sheet.row_dimensions[row] for row in rows)
    return sum(0.0 if one.hidden else one.height or 15.0 for one in shown)


def check_warned(sheet) -> None:
    """Hold the red warning that figures are made up on every page, and once."""
    again = []
    if sheet.print_title_rows:
        first, last = sheet.print_title_rows.split("!")[-1].replace("$", "").split(":")
        again = list(range(int(first), int(last) + 1))
    for number, page in enumerate(pages_of(sheet)):
        printed = [*(again if number else []), *page]
        red = [
            cell.value
            for row in printed
            for cell in sheet[row]
            if cell.value and cell.font.color is not None and cell.font.color.rgb == "FFC00000"
        ]
        over = sheet.oddHeader.center.text
        assert len([*red, *([over] if over else [])]) == 1, (sheet.title, number)
        assert any(text in (over or red[0]) for text in ("MÔ PHỎNG", "SYNTHETIC"))


def check_marks(book, language: str = "vi") -> None:
    """Hold numbers in cells to the minus and the per cent sign that sentences have."""
    before = " %" if language == "vi" else "%"
    for cell in (cell for sheet in book for row in sheet.iter_rows() for cell in row):
        shown = re.sub(r"\[[^]]*\]|E[+-]|dd/mm/yyyy", "", cell.number_format)
        assert "-" not in shown, (cell.coordinate, shown)
        assert re.findall(r" ?%", shown) == [before] * shown.count("%"), (cell.coordinate, shown)
        if isinstance(cell.value, str):
            check_text(cell.value, language)


def check_text(text: str, language: str = "vi") -> None:
    """Hold what is printed to one minus and one way to write per cent."""
    for line in text.splitlines():
        if language == "vi" or not re.search("[À-ỹ]", line):  # what users wrote stays as it is
            assert not re.search(r"(?<![\w/.)-])-\d", line), line
            assert not re.search(r"\d%" if language == "vi" else r"\d\s%", line), line


def check_signed(sheet, total: str) -> None:
    """Hold the total, the row before it and the signatures together on the last page."""
    rows = {
        str(cell.value): cell.row
        for row in sheet.iter_rows(max_col=2)
        for cell in row
        if cell.value
    }
    last = pages_of(sheet)[-1]
    sign = next(row for text, row in rows.items() if text in ("NGƯỜI LẬP BIỂU", "PREPARED BY"))
    for row in (rows[total] - 1, rows[total], sign, sign + 4):
        assert row in last, (sheet.title, row, last)
