"""How long what works behind the page lives, and what a page loaded again comes back to."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from contextlib import suppress

import psutil
import pytest
from lab import ROOT, running_app, watched_page
from pages import new_home, open_plan

# The page's server with less patience: seconds for minutes.
IMPATIENT = """
import sys
from kc_model.workbench import app
app._IDLE, app._EVERY = 3, 1
app.open_app(sys.argv[1], lambda _key, values: print(values, flush=True), browser=False)
"""


def kernels(server):
    """Return the processes that work behind the pages of a server."""
    found = set()
    for one in psutil.Process(server.pid).children():
        with suppress(psutil.NoSuchProcess):
            if any("ipykernel" in word for word in one.cmdline()):
                found.add(one.pid)
    return found


def wait_for(found, seconds=60):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if found():
            return True
        time.sleep(0.1)
    return False


def test_a_kernel_that_no_page_asks_for_is_stopped(tmp_path):
    home, log = new_home(tmp_path), tmp_path / "app.log"
    environment = {**os.environ, "HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
    with log.open("w", encoding="utf-8") as out:
        command = [sys.executable, "-c", IMPATIENT, str(home)]
        server = subprocess.Popen(command, env=environment, stdout=out, stderr=out, cwd=tmp_path)
        try:
            assert wait_for(lambda: kernels(server)), log.read_text(encoding="utf-8")
            assert wait_for(lambda: not kernels(server))
            assert server.poll() is None
        finally:
            server.terminate()
            server.wait(20)


@pytest.mark.browser
def test_a_page_that_is_closed_stops_its_kernel_and_one_loaded_again_comes_back(tmp_path, browser):
    """It shows the scenario, the tab and the language it showed; a new visit begins anew."""
    home = new_home(tmp_path)
    with (
        running_app(home, tmp_path / "app.log") as (address, server),
        watched_page(browser) as watched,
    ):
        page = watched.page
        open_plan(page, address)
        first = kernels(server)
        assert len(first) == 1
        page.get_by_label("Phương án", exact=True).select_option(index=2)
        page.get_by_role("button", name="English", exact=True).first.click()
        again = page.get_by_role("tab", name="Plan", exact=True)
        again.wait_for()
        page.reload()
        assert watched.asked == []  # nothing was changed
        again.wait_for()
        assert again.get_attribute("aria-selected") == "true"
        chosen = page.get_by_label("Scenario", exact=True)
        assert chosen.evaluate("one => one.selectedIndex") == 2
        page.get_by_role("heading", name=re.compile("2025")).first.wait_for()
        assert wait_for(lambda: not first & kernels(server))
        page.get_by_role("tab", name="Data", exact=True).click()
        shutil.copy(home / "số liệu.xlsx", tmp_path / "gửi lên.xlsx")
        with page.expect_file_chooser() as chooser:
            page.locator(".kc-upload").click()
        chooser.value.set_files(tmp_path / "gửi lên.xlsx")
        page.get_by_text("gửi lên.xlsx: usable").first.wait_for()
        page.reload()
        page.get_by_text("gửi lên.xlsx: usable").first.wait_for()
        named = page.get_by_label("Dataset").evaluate("one => one.selectedOptions[0].text")
        assert named.replace("\xa0", " ") == "gửi lên.xlsx (uploaded)"
        page.goto(address)
        page.get_by_role("tab", name="Tiến độ", exact=True).wait_for()
        open_plan(page, address)  # whole: one still loading is left to the culling
        page.goto("about:blank")  # a browser that is killed says nothing any more
        assert wait_for(lambda: not kernels(server))
