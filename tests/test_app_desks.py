"""What stands folded on the desks, in a real browser: goals, mid-year moves, late money."""

from __future__ import annotations

import io
import re
import shutil
import urllib.parse
import xml.etree.ElementTree as ET
from base64 import b64decode
from pathlib import Path

import openpyxl
import psutil
import pytest
from datasets import dataset
from lab import ROOT, running_app
from pages import (
    HISTORY,
    SCENARIO,
    cell,
    chart_total,
    new_home,
    open_plan,
    press_total,
    tab,
)
from printing import check_text

from kc_model import read_scenario, write_workbook

GOALS = "Mục tiêu, quan trọng nhất ở dòng đầu"
EDIT = "Sửa kinh phí, quy định và mục tiêu"


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """Serve a planner's folder with reported figures; give its address and the folder."""
    folder = new_home(tmp_path_factory.mktemp("bàn"))
    (folder / "số liệu.xlsx").unlink()
    told = HISTORY.replace("estimate", "reported")
    write_workbook(dataset(history=told), folder / "số liệu.xlsx", SCENARIO)
    with running_app(folder, folder.parent / "app.log") as (address, _):
        yield address, folder
    assert "Traceback" not in (folder.parent / "app.log").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def september(tmp_path_factory):
    """Serve a province's projects in September; give the address."""
    folder = tmp_path_factory.mktemp("đề án") / "tháng 9"
    shutil.copytree(ROOT / "data" / "sample-projects" / "september", folder)
    with running_app(folder, folder.parent / "app.log") as (address, _):
        yield address
    assert "Traceback" not in (folder.parent / "app.log").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def country(tmp_path_factory):
    """Serve figures of the whole country; give the address."""
    folder = tmp_path_factory.mktemp("số liệu") / "cả nước"
    shutil.copytree(ROOT / "data" / "sample", folder)
    with running_app(folder, folder.parent / "app.log") as (address, _):
        yield address
    assert "Traceback" not in (folder.parent / "app.log").read_text(encoding="utf-8")


def names(page):
    rows = page.get_by_role("grid", name=GOALS).locator("tbody tr th")
    return rows.all_inner_texts()


def typed(page, row, column, text):
    cell(page, GOALS, row, column).focus()
    page.keyboard.type(text)
    page.keyboard.press("Enter")


@pytest.mark.browser
def test_goals_are_added_ordered_limited_and_taken_back(served, watched, shots):
    page = watched.page
    open_plan(page, served[0])
    page.get_by_role("button", name=EDIT).click()
    page.get_by_label("Mục tiêu", exact=True).select_option(label="Giải ngân cao nhất")
    page.get_by_role("button", name="Thêm mục tiêu").click()
    page.get_by_text("Đã thêm: 2. giải ngân cao nhất.").first.wait_for()
    assert names(page) == ["1. ít thay đổi nhất", "2. giải ngân cao nhất"]

    cell(page, GOALS, 1, 4).focus()  # ▲
    page.keyboard.press("Enter")
    page.get_by_text("Đã chuyển lên: 2. giải ngân cao nhất.").wait_for()
    assert names(page) == ["1. giải ngân cao nhất", "2. ít thay đổi nhất"]
    page.wait_for_function("document.activeElement.dataset.row === '0'")  # the cursor follows

    typed(page, 0, 3, "1")
    page.get_by_text("Được lùi cho mục tiêu sau (%): 1 %").wait_for()
    for wrong, told in (("nhiều", "không đọc được là số"), ("100", "phải nhỏ hơn 100 %")):
        typed(page, 0, 3, wrong)
        page.locator("td[aria-invalid=true]", has_text=told).wait_for()
    typed(page, 0, 3, "1")
    typed(page, 0, 2, "90")
    page.locator("td[aria-invalid=true]", has_text="không dùng ô này").wait_for()
    typed(page, 0, 0, "Hà Nộii")
    page.locator("td[aria-invalid=true]", has_text="Tên gần giống: Hà Nội").wait_for()
    page.screenshot(path=shots / "desk-goals.png")
    typed(page, 0, 0, "hà nội; KCQG")
    page.get_by_text("Chỉ tính cho: Hà Nội; Khuyến công quốc gia").wait_for()
    page.get_by_text("Mục tiêu 1 (giải ngân cao nhất, tính riêng").first.wait_for()

    page.get_by_role("button", name=re.compile("Các mức khác")).click()
    page.get_by_role("slider", name=re.compile("^Mục tiêu 1 .* được lùi")).focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function(
        "name => [...document.querySelectorAll('[role=grid] td')].some(one => "
        "one.ariaLabel?.startsWith(name) && one.textContent === '1,5 %')",
        arg="Được lùi cho mục tiêu sau (%), 1. giải ngân",
    )
    cell(page, GOALS, 0, 6).click()
    page.get_by_text("Đã bỏ: 1. giải ngân cao nhất. Hoàn tác được.").wait_for()
    assert names(page) == ["1. ít thay đổi nhất"]
    undo = page.get_by_role("button", name="Hoàn tác")
    while undo.is_enabled():
        before = page.get_by_role("grid", name=GOALS).inner_text()
        undo.evaluate("one => one.click()")  # without a wait: it may just have been disabled
        page.wait_for_timeout(300)
    assert names(page) == ["1. ít thay đổi nhất"]
    assert "1,5 %" not in before
    chart_total(page, "7.000")


SAVE = "Tải hình và bảng"
FOCUSED = "one => document.activeElement === one"  # the keyboard has not lost its place


@pytest.mark.browser
def test_every_chart_of_the_page_can_be_downloaded(served, watched):
    page = watched.page
    open_plan(page, served[0])
    page.get_by_text("Bảng màu địa bàn × nội dung").click()
    found = []
    for name, count in (("Phương án", 2), ("Tiến độ", 4)):
        tab(page, name)
        page.get_by_role("button", name=SAVE).nth(count - 1).wait_for()
        for number in range(count):
            button = page.get_by_role("button", name=SAVE).nth(number)
            figure = button.locator("xpath=ancestor::div[contains(@class,'widget-vbox')][1]")
            button.press("Enter")
            links = figure.locator("a[download]:not(.vega-actions a)")
            links.nth(2).wait_for()
            assert button.evaluate(FOCUSED)
            menu = figure.locator(".kc-chart summary")
            menu.press("Enter")
            figure.locator(".vega-actions a").first.press("Escape")
            assert menu.evaluate(FOCUSED)
            assert not menu.evaluate("one => one.parentElement.open")
            files = {}
            for link in links.all():
                with page.expect_download() as download:
                    link.click()
                files[download.value.suggested_filename] = Path(download.value.path()).read_bytes()
            (picture, drawn, book) = files.values()
            found += [name.rpartition(".")[0] for name in files if name.endswith(".png")]
            assert picture.startswith(b"\x89PNG")
            told = "".join(ET.fromstring(drawn).itertext())
            (sheet,) = openpyxl.load_workbook(io.BytesIO(book)).worksheets
            assert sheet["A1"].value in told  # its heading, in Vietnamese
            cells = [cell for row in sheet.iter_rows() for cell in row]
            assert "n" in {cell.data_type for cell in cells if cell.value is not None}
            assert "f" not in {cell.data_type for cell in cells}
    assert len(set(found)) == 6
    report = page.get_by_role("button", name="Báo cáo tiến độ")
    report.press("Enter")
    page.get_by_role("link", name="Tải bao_cao_tien_do.xlsx").wait_for()
    assert report.evaluate(FOCUSED)


@pytest.mark.browser
def test_a_saved_scenario_opens_at_its_month_again(served, watched):
    address, folder = served
    page = watched.page
    open_plan(page, address)
    page.get_by_label("Lập phương án cho").select_option(index=1)
    page.locator(".kc-chart text", has_text="Phân bổ năm 2024 (số liệu đến hết tháng 6)").wait_for()
    page.get_by_text("Điều chỉnh giữa năm: số liệu đến hết tháng 6/2024. ").wait_for()
    page.get_by_label("Tên", exact=True).fill("Giữa năm")
    page.get_by_role("button", name="Lưu (có thay đổi)").click()
    page.get_by_text("Đã lưu phương án: ").wait_for()
    saved = read_scenario(folder / "phuong-an" / "số liệu" / "Giữa-năm.yaml")
    assert saved.as_of == 6
    assert any("Lập phương án cho" in note.vi and "tháng 6/2024" in note.vi for note in saved.notes)
    page.goto("about:blank")
    page.goto(address)
    tab(page, "Phương án")
    page.get_by_label("Phương án", exact=True).select_option(label="Giữa năm (Giữa-năm.yaml)")
    page.get_by_text("Số đã giải ngân đến hết tháng 6 giữ nguyên").wait_for()
    chosen = page.get_by_label("Lập phương án cho").locator("visible=true")
    assert "tháng" in chosen.locator("option:checked").inner_text()
    page.get_by_role("button", name="Lưu phương án").locator("visible=true").wait_for()
    (folder / "phuong-an" / "số liệu" / "Giữa-năm.yaml").unlink()


@pytest.mark.browser
def test_losers_stand_before_lists_and_small_moves_can_be_left_off(september, watched, shots):
    page = watched.page
    page.goto(september)
    tab(page, "Phương án")
    page.get_by_text(re.compile("^Chọn .* đề án.*, tổng hỗ trợ")).first.wait_for()
    september_known = "Điều chỉnh giữa năm: số liệu đến hết tháng 9/2026"
    page.get_by_label("Lập phương án cho").select_option(label=september_known)
    page.get_by_text(
        re.compile("Phương án điều chuyển 3 khoản, tổng 79 triệu đồng .* dự phòng 2 triệu đồng")
    ).wait_for()
    losers = page.get_by_role("region", name="Ai giảm trước hết")
    moved = page.get_by_role("table", name="Điều chuyển (triệu đồng)")
    projects = page.get_by_role("table", name="Đề án (triệu đồng)")
    tops = [one.bounding_box()["y"] for one in (losers, moved, projects)]
    assert tops == sorted(tops)

    least = page.get_by_label("Không liệt kê khoản dưới (triệu đồng)")
    least.fill("ba mươi")
    least.press("Enter")
    page.get_by_role("alert").get_by_text("không đọc được là số").wait_for()
    least.fill("30")
    least.press("Enter")
    page.get_by_text(
        "Không liệt kê 3 khoản dưới 30 triệu đồng, tổng 46 triệu đồng; phương án vẫn có các khoản "
        "này. Đang liệt kê 1 khoản, tổng 35 triệu đồng."
    ).wait_for()
    head = moved.get_by_role("button", name=re.compile("quyết định: 3 khoản, 79 triệu đồng"))
    assert head.inner_text().endswith("không liệt kê 2 khoản, 44 triệu đồng")
    moved.get_by_role("button", name=re.compile("Thái Nguyên: 1 khoản, 35 triệu đồng")).wait_for()
    amounts = moved.locator("tbody tr:not(.kc-group) td:nth-child(5)").all_inner_texts()
    assert amounts == ["35"]
    page.screenshot(path=shots / "desk-moves.png")
    head.click()
    assert moved.locator("tbody tr").count() == 1
    head.click()
    moved.get_by_role("checkbox", name=re.compile("^Từ chối: DA08")).first.check()
    moved.get_by_text("Không điều chuyển").first.wait_for()  # the rest is solved again
    check_text(page.locator("body").inner_text())
    page.goto("about:blank")


@pytest.mark.browser
def test_late_money_is_told_project_by_project(september, watched, shots):
    page = watched.page
    page.goto(september)
    page.get_by_text(re.compile("^Ước cả năm 2026: ")).first.wait_for()
    fold = page.get_by_text("Từng đề án khi tiền quốc gia về muộn")
    fold.click()
    page.get_by_text("Kéo thanh “tiền về” sang một tháng").wait_for()
    page.get_by_role("slider", name="Khuyến công quốc gia: tiền về").focus()
    for _ in range(2):  # "as the data say", October, November
        page.keyboard.press("ArrowRight")
    page.get_by_text("Kinh phí KCQG về tháng 11/2026: 6 đề án").wait_for()
    table = page.get_by_role("table", name="Đề án theo hướng xử lý (triệu đồng)")
    groups = [one.split(" (")[0] for one in table.locator(".kc-group").all_inner_texts()]
    assert groups[0] == "▾ Còn kịp trong năm"
    assert groups[1].startswith("▾ Nên đăng ký lại cho năm sau: 4 đề án")
    # One of two that run gets what their cell can still spend, the other waits for it.
    row = table.locator("tbody tr", has_text="DA16. ").locator("td").all_inner_texts()
    assert row[:4] == ["Thái Nguyên", "592", "346,9", "8"]
    row = table.locator("tbody tr", has_text="DA18. ").locator("td").all_inner_texts()
    assert row[:2] == ["Thái Nguyên", "321"]
    why = "Kết thúc trong năm nhưng số còn giải ngân được ở nơi và nội dung này dành cho đề án "
    why += "đi trước"
    assert row[3:] == ["9", "–", why, "Bộ trưởng Bộ Công Thương"]
    page.screenshot(path=shots / "desk-late.png")
    link = page.get_by_role("link", name="Tải de_an_tien_ve_muon.xlsx").get_attribute("href")
    book = openpyxl.load_workbook(io.BytesIO(b64decode(urllib.parse.unquote(link).split(",")[1])))
    cells = [[one.value for one in line] for line in book.worksheets[0].iter_rows()]
    (told,) = (line for line in cells if str(line[0]).startswith("DA18. "))
    assert told[1:3] == ["Thái Nguyên", 321]
    assert (told[6], told[8]) == (why, "Đăng ký lại năm sau")
    page.get_by_role("button", name="English").locator("visible=true").click()
    page.get_by_text("To be registered again for the next year: 4 projects").wait_for()


_LAID_OUT = """() => {
    const seen = part => [...document.querySelectorAll(part)].filter(one =>
        one.checkVisibility() && one.getBoundingClientRect().width);
    const box = one => one.getBoundingClientRect();
    const frames = seen(".kc-frame");
    const between = (one, other) => {
        const [a, b] = [box(one), box(other)];
        const beside = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 1;
        return beside ? Math.max(a.left, b.left) - Math.min(a.right, b.right) : Infinity;
    };
    const pairs = list => list.flatMap((one, i) => list.slice(i + 1).map(two => between(one, two)));
    const fields = seen(".kc-slider label, .kc-slider output, .kc-desk button, .kc-desk select");
    const outside = one => box(one).right > document.documentElement.clientWidth;
    const cut = frames.some(one => one.scrollWidth > one.clientWidth || outside(one));
    return !cut && Math.min(...pairs(frames)) >= 8 && Math.min(...pairs(fields)) >= 2;
}"""


@pytest.mark.browser
def test_a_slider_mid_year_is_followed_before_the_moves_are_few(country, watched):
    page = watched.page
    page.goto(country)
    tab(page, "Phương án")
    page.get_by_text(re.compile("đã kiểm lại")).first.wait_for()
    page.get_by_label("Lập phương án cho").select_option(index=6)
    joining = page.get_by_text("Đang gom thành ít khoản điều chỉnh nhất").first
    joining.wait_for()
    page.get_by_role("slider").first.press("ArrowRight")
    chart_total(page, "336.000")
    joining.wait_for()
    page.get_by_role("button", name="Dừng, giữ phần đã có").click()
    page.get_by_text("Chưa gom được thành ít khoản điều chỉnh nhất").first.wait_for()
    chart_total(page, "336.000")
    page.get_by_text(re.compile(r"Phương án điều chuyển \d+ khoản")).first.wait_for()
    page.get_by_role("button", name="Hoàn tác").click()
    joining.wait_for()
    told = re.compile("Phương án tốt nhất (tìm được )?theo các mục tiêu")
    page.get_by_text(told).first.wait_for()
    page.goto("about:blank")


@pytest.mark.browser
def test_nothing_on_the_desk_of_progress_is_cut_or_touches(country, watched, shots):
    page = watched.page
    page.goto(country)
    for language, button, name in (("vi", "Tiếng Việt", "Tiến độ"), ("en", "English", "Progress")):
        page.get_by_role("button", name=button).click()
        tab(page, name)
        page.locator("th", has_text={"vi": "Tổng cộng", "en": "Total"}[language]).first.wait_for()
        page.locator(".kc-frame >> visible=true").nth(3).wait_for()  # of the last table
        for width in (1280, 1920):
            page.set_viewport_size({"width": width, "height": 1080})
            page.wait_for_function(f"({_LAID_OUT})()")  # once it has settled
            page.screenshot(path=shots / f"desk-progress-{language}-{width}.png")
        check_text(page.locator("body").inner_text(), language)


@pytest.mark.browser
def test_a_page_says_that_what_computes_for_it_has_ended(tmp_path, watched, shots):
    page = watched.page
    with running_app(new_home(tmp_path), tmp_path / "app.log") as (address, server):
        open_plan(page, address)
        press_total(page, "ArrowLeft")
        page.wait_for_timeout(5000)
        banner = page.locator(".kc-gone")
        assert banner.count() == 0
        for process in psutil.Process(server.pid).children(recursive=True):
            if "ipykernel" in " ".join(process.cmdline()):
                process.kill()
        banner.filter(has_text="Hãy tải lại trang (F5)").wait_for(timeout=15_000)
        page.screenshot(path=shots / "app-gone.png")
        server.terminate()
        banner.filter(has_text="Máy chủ đã dừng").wait_for(timeout=15_000)
        assert "Thay đổi chưa lưu" in banner.inner_text()
    watched.errors.clear()  # the browser's own words for a server that is gone
