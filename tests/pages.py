"""The planner's page in a browser: a folder to open it on, and what every test does there."""

from __future__ import annotations

from datasets import dataset

from kc_model import write_workbook

HISTORY = """
year month place area source plan released disbursed status
2022 6 01 TECH KCQG 3000 3000 900 reported
2022 13 01 TECH KCQG 3000 3000 2700 settled
2022 6 01 TRAIN KCDP 1000 - 400 reported
2022 13 01 TRAIN KCDP 1000 - 800 settled
2022 6 02 TECH KCQG 2000 2000 500 reported
2022 13 02 TECH KCQG 2000 2000 1900 settled
2023 6 01 TECH KCQG 3000 3000 800 reported
2023 13 01 TECH KCQG 3000 3000 2600 settled
2023 6 01 TRAIN KCDP 1000 - 300 reported
2023 13 01 TRAIN KCDP 1000 - 900 settled
2023 6 02 TECH KCQG 2000 2000 700 reported
2023 13 02 TECH KCQG 2000 2000 1800 settled
2024 6 01 TECH KCQG 4000 4000 900 estimate
2024 6 01 TRAIN KCDP 1000 - 350 estimate
2024 6 02 TECH KCQG 2000 2000 650 estimate
"""
SCENARIO = {
    "scenario": [
        {"key": "name", "value": "thử"},
        {"key": "year", "value": "2024"},
        {"key": "round_to", "value": 0.5},
    ],
    "budget": [
        {"source": "KCQG", "amount": 6000, "text": "Kinh phí quốc gia"},
        {"source": "KCDP", "place": "01", "amount": 1000, "text": "Kinh phí Hà Nội"},
    ],
    "rules": [
        {
            "id": "floor",
            "text": "Mỗi tỉnh ít nhất 1.500 triệu đồng",
            "each": "place",
            "min": 1500,
            "tier": "law",
            "basis": "Giả định",
        }
    ],
    "goals": [{"sense": "minimise", "what": "change"}],
}


def new_home(parent):
    """Make a planner's folder, with blanks and Vietnamese letters, that holds one workbook."""
    folder = parent / "Khuyến công Hà Nội"
    folder.mkdir()
    write_workbook(dataset(history=HISTORY), folder / "số liệu.xlsx", SCENARIO)
    return folder


def tab(page, name):
    page.get_by_role("tab", name=name, exact=True).click()


_CUT = """() => [...document.querySelectorAll(".kc-chart svg.marks")].flatMap(picture => {
    const { left, right } = picture.getBoundingClientRect();
    const is_cut = ({ left: from, right: to }) => from < left - 0.5 || to > right + 0.5;
    const texts = [...picture.querySelectorAll("text")];
    return texts.filter(one => is_cut(one.getBoundingClientRect())).map(one => one.textContent);
})"""


def chart_total(page, total):
    """Wait for the plan of a total; no label of any chart may be cut off by then."""
    page.locator(".kc-chart svg text", has_text=f"Tổng: {total} triệu đồng").first.wait_for()
    assert page.evaluate(_CUT) == []


def cell(page, table, row, column):
    return (
        page.get_by_role("grid", name=table).locator("tbody tr").nth(row).locator("td").nth(column)
    )


def press_total(page, key, times=1):
    """Move the slider of the total by keyboard."""
    page.get_by_role("slider", name="Tổng kinh phí", exact=True).focus()
    for _ in range(times):
        page.keyboard.press(key)


def open_plan(page, address, total="7.000"):
    """Open the page on the desk of plans, and wait for the first one."""
    page.goto(address)
    tab(page, "Phương án")
    chart_total(page, total)
