"""The page for ears, for the keyboard and on paper: what a browser makes of it."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from lab import running_app
from pages import cell, chart_total, new_home, open_plan, tab

pytestmark = pytest.mark.browser

WORDS = {
    "vi": ("Tiến độ", "Số liệu", "Quy định", "4.500,5", "Lập phương án cho", "Sửa kinh phí"),
    "en": ("Progress", "Data", "Rules", "4,500.5", "Plan for", "Edit budgets"),
}


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    folder = new_home(tmp_path_factory.mktemp("trang"))
    with running_app(folder, folder.parent / "app.log") as (address, _):
        yield address


def grave(page):
    """Return what axe finds on the page that keeps somebody from using it."""
    found = Axe().run(page).response["violations"]
    return [
        (one["id"], one["nodes"][0]["html"])
        for one in found
        if one["impact"] in ("serious", "critical") or one["id"] == "region"
    ]


def announced(page):
    """Return what is read out of itself, as the browser hands it to a screen reader."""
    nodes = page.context.new_cdp_session(page).send("Accessibility.getFullAXTree")["nodes"]
    by_id = {one["nodeId"]: one for one in nodes}

    def text(node):
        inside = "".join(text(by_id[key]) for key in node.get("childIds", []) if key in by_id)
        return inside or node.get("name", {}).get("value", "")

    def is_live(node):
        told = {one["name"]: one["value"].get("value") for one in node.get("properties", [])}
        return node.get("role", {}).get("value") == "status" and told.get("live") == "polite"

    return [text(node) for node in nodes if is_live(node) and text(node)]


@pytest.mark.parametrize("language", ["vi", "en"])
def test_nothing_grave_is_found_on_any_tab(address, watched, language):
    page = watched.page
    open_plan(page, address)
    progress, data, rules, amount, period, edit = WORDS[language]
    if language == "en":
        page.get_by_role("button", name="English").locator("visible=true").click()
        page.locator(".kc-chart svg text", has_text="Total: 7,000").first.wait_for()
    page.locator(f"html[lang={language}]").wait_for()
    page.locator(".kc-grey:visible").first.wait_for(state="detached")
    assert grave(page) == []
    page.locator("button:visible", has_text=edit).first.click()
    page.get_by_role("grid").first.wait_for()
    for fold in page.locator(".jupyter-widget-Collapse-header:visible").all():
        fold.click()
    cell(page, rules, 0, 0).focus()
    page.keyboard.type(amount)
    page.keyboard.press("Enter")
    page.locator(".kc-way").first.wait_for()
    page.locator("[role=alert]:visible").first.wait_for()
    assert grave(page) == []
    page.keyboard.press("Control+z")
    page.locator(".kc-way").first.wait_for(state="detached")
    page.get_by_label(period).locator("visible=true").select_option(index=1)
    page.locator(".kc-grey:visible").first.wait_for(state="detached")
    assert grave(page) == []
    for name in (progress, data):
        tab(page, name)
        page.locator(".kc-frame:visible").first.wait_for()
        assert grave(page) == []


def test_what_is_new_is_read_out_once_and_charts_say_what_they_show(address, watched):
    page = watched.page
    open_plan(page, address)
    page.wait_for_timeout(3000)
    (before,) = announced(page)  # one voice for the whole page; sliders speak for themselves
    assert "Phương án tốt nhất" in before
    page.get_by_role("button", name="Sửa kinh phí").click()
    cell(page, "Kinh phí (triệu đồng)", 0, 0).focus()
    page.keyboard.type("5.500,5")
    page.keyboard.press("Enter")
    chart_total(page, "6.500,5")
    page.get_by_role("img", name="Tổng: 6.500,5 triệu đồng. Biểu đồ cột").wait_for()
    page.wait_for_timeout(3000)
    (now,) = announced(page)
    assert now.count("Số tiền: 5.500,5 triệu đồng") == 1
    assert "MÔ PHỎNG" not in now  # it stood there before


def test_the_whole_desk_is_printed_without_what_is_pressed(address, watched):
    page = watched.page
    open_plan(page, address)
    page.set_viewport_size({"width": 1280, "height": 400})
    page.emulate_media(media="print")
    desk = page.locator(".kc-page").bounding_box()
    assert desk["height"] > 400
    assert page.evaluate("document.documentElement.scrollHeight") >= desk["height"]
    assert page.locator("button:visible").count() == 0
    assert len(page.pdf(prefer_css_page_size=True)) > 10_000
    # The width is that of paper, whatever the window's is.
    page.evaluate("document.documentElement.style.setProperty('width', '1047px', 'important')")
    assert page.locator(".kc-page").bounding_box()["width"] <= 1047
    page.evaluate("document.documentElement.style.width = ''")
    page.emulate_media(media="screen")
    assert page.evaluate("document.documentElement.scrollHeight") == 400
