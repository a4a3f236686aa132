"""The notebooks in a real JupyterLab and a real browser that reaches nothing but this machine."""

from __future__ import annotations

import re
import time
from decimal import Decimal
from io import BytesIO
from pathlib import Path

import openpyxl
import pytest
from lab import ROOT, run_all, running_lab

from kc_model import allocate, read_dataset, read_scenario
from kc_model.workbench.levers import levers_of, move
from kc_model.workbench.marking import mark

pytestmark = pytest.mark.browser

CASE = ROOT / "data" / "published" / "north-2024-provinces"
TECH = "Mô hình, công nghệ, máy móc"


@pytest.fixture(scope="module")
def lab_address(tmp_path_factory):
    with running_lab(tmp_path_factory.mktemp("lab")) as address:
        yield address


# Tables that stand out of their desk, and switches of language of which one stands below the other.
BEYOND = """() => [...document.querySelectorAll(".kc-desk")].flatMap(desk => {
    const { right } = desk.getBoundingClientRect();
    const frames = [...desk.querySelectorAll(".kc-frame")];
    const tops = [...desk.querySelectorAll(".widget-toggle-buttons")].filter(
        one => new Set([...one.querySelectorAll("button")].map(b => b.offsetTop)).size > 1);
    return [...frames.filter(one => one.getBoundingClientRect().right > right + 3), ...tops];
}).map(one => one.textContent)"""


def expected(moves):
    """Return total and label of TECH of the plan worked out here, as the chart should say them."""
    data, base = read_dataset(CASE), read_scenario(CASE / "base.yaml")
    plan = allocate(data, mark(base, move(base, levers_of(base, data.unit), moves), data))
    amounts = plan.cells.groupby("area")["amount"].sum()
    total, tech = int(amounts.sum()), int(amounts["TECH"])

    def written(number):
        return f"{number:,}".replace(",", ".")

    share = f"{100 * tech / total:.1f}".replace(".", ",")
    heading = f"Tổng: {written(total // 10**6)} triệu đồng"
    return heading, f"{written(tech // 10**6)} ({share} %)"


def chart_says(page, *texts):
    """Wait until the first chart's own texts are these among others; return all of them."""
    page.wait_for_function(
        """texts => {
            const nodes = document.querySelectorAll(".kc-chart")[0]?.querySelectorAll("svg text");
            const found = [...(nodes ?? [])].map(node => node.textContent);
            return texts.every(text => found.includes(text));
        }""",
        arg=list(texts),
    )
    return page.locator(".kc-chart").first.locator("svg.marks text").all_text_contents()


def press(page, label, key, times=1):
    """Press a key on the slider with this label."""
    page.get_by_role("slider", name=label, exact=True).focus()
    for _ in range(times):
        page.keyboard.press(key)


def test_the_sliders_move_the_plan_by_keyboard(lab_address, watched, shots):
    page = watched.page
    run_all(watched, lab_address.format(name="02_phuong_an.ipynb"))
    texts = chart_says(page, *expected({}))
    assert "triệu đồng" in texts
    page.screenshot(path=shots / "02-start.png")

    press(page, re.compile("Công nghệ|công nghệ"), "ArrowRight", 5)
    slider = page.get_by_role("slider", name=re.compile("công nghệ"))
    assert slider.get_attribute("aria-valuetext") == "59,5 %"
    heading, label = expected({"tech-share:min": Decimal("0.595")})
    began = time.monotonic()
    chart_says(page, heading, label)
    assert time.monotonic() - began < 30

    press(page, "Tổng kinh phí", "ArrowRight", 3)
    heading, label = expected({"tech-share:min": Decimal("0.595"), "total": Decimal(173_000)})
    assert heading == "Tổng: 173.000 triệu đồng"
    chart_says(page, heading, label)
    page.get_by_text("Đang tính").first.wait_for(state="hidden")
    page.screenshot(path=shots / "02-moved.png")

    page.get_by_label("Xem theo").select_option(label="Địa bàn")
    chart_says(page, heading, "Hà Giang", "Hòa Bình", "Hợp tác quốc tế")

    page.get_by_role("button", name="English").click()
    chart_says(page, "Total: 173,000 million VND")
    assert "Tổng" not in page.locator(".kc-chart").first.inner_text()


def test_a_conflict_and_an_export_on_screen(lab_address, watched, shots):
    page = watched.page
    run_all(watched, lab_address.format(name="02_phuong_an.ipynb"))
    chart_says(page, *expected({}))
    press(page, "Tổng kinh phí", "Home")
    page.get_by_role("alert").get_by_text("mâu thuẫn").wait_for()
    assert page.locator(".kc-chart.kc-grey").count() == 2
    assert "Traceback" not in page.locator(".kc-desk").inner_text()
    page.screenshot(path=shots / "02-conflict.png")

    page.get_by_role("button", name="Đặt lại").click()
    page.locator(".kc-chart.kc-grey").first.wait_for(state="hidden")
    chart_says(page, *expected({}))
    page.get_by_role("button", name="Xuất đề xuất").click()
    with page.expect_download() as download:
        page.get_by_role("link", name="Tải de-xuat-").click()
    assert Path(download.value.path()).read_bytes().startswith(b"PK")
    told = page.locator(".kc-desk").get_by_text("Đã lưu đề xuất").inner_text()
    folder = Path(told.split(": ", 1)[1])
    saved = folder / download.value.suggested_filename
    assert saved.read_bytes() == Path(download.value.path()).read_bytes()
    page.screenshot(path=shots / "02-export.png")


def test_late_money_on_screen(lab_address, watched, shots):
    page = watched.page
    run_all(watched, lab_address.format(name="01_tien_do.ipynb"))
    page.wait_for_function(  # three desks with three charts each: the number they end at
        "() => document.querySelectorAll('.kc-chart svg.marks').length === 9",
    )
    headings = page.locator(".kc-chart svg.marks").all_text_contents()
    assert "Ước cả năm 2016" in headings[0]
    assert page.evaluate(BEYOND) == []  # what is wider than a notebook is scrolled in its frame
    page.get_by_role("slider", name="Khuyến công quốc gia: tiền về").first.focus()
    page.keyboard.press("End")
    page.get_by_text("Tiền quốc gia về tháng 12").first.wait_for()
    page.wait_for_function(
        "before => before.join('|') !== Array.from("
        "document.querySelectorAll('.kc-chart svg.marks'), one => one.textContent).join('|')",
        arg=headings,
    )
    page.screenshot(path=shots / "01-late.png")

    desk = page.locator(".kc-desk").first
    assert "Khối lượng đi trước kinh phí" in desk.inner_text()  # 19 % of persons, 5 % of money
    desk.get_by_role("button", name="Báo cáo tiến độ").click()
    with page.expect_download() as download:
        desk.get_by_role("link", name="Tải bao_cao_tien_do.xlsx").click()
    saved = Path(download.value.path()).read_bytes()
    book = openpyxl.load_workbook(BytesIO(saved), data_only=True)
    printed = {cell.value for row in book.worksheets[0].iter_rows() for cell in row}
    assert any("2016" in str(value) for value in printed)
    assert {"TỔNG CỘNG", 11532} <= printed
    page.screenshot(path=shots / "01-report.png")


def test_the_start_page_lists_the_cases(lab_address, watched, shots):
    page = watched.page
    run_all(watched, lab_address.format(name="00_bat_dau.ipynb"))
    page.locator(".kc-desk th", has_text="sample").wait_for()
    assert "national-2022" in page.get_by_role("table", name="Bộ số liệu").inner_text()
    page.screenshot(path=shots / "00-start.png")
    page.get_by_role("button", name="English").first.click()
    page.locator(".kc-desk th", has_text="Dataset").wait_for()
