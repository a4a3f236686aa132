"""What every test file may rely on."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# Machines are shared: no deadlines. In CI the same examples every time, elsewhere new ones.
settings.register_profile("house", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("house")

BROWSER_NAMES = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "microsoft-edge",
    "microsoft-edge-stable",
    "chrome",
    "msedge",
)
BROWSER_FILES = (
    "Google/Chrome/Application/chrome.exe",
    "Microsoft/Edge/Application/msedge.exe",
    "Chromium/Application/chrome.exe",
    "Google Chrome.app/Contents/MacOS/Google Chrome",
    "Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
    "Chromium.app/Contents/MacOS/Chromium",
)


def browsers() -> Iterator[Path]:
    """Yield where a Chromium, Chrome or Edge may be: the search path, the usual places, and
    Playwright's own."""
    for name in BROWSER_NAMES:
        if found := shutil.which(name):
            yield Path(found)
    folders = [
        os.environ.get(name) for name in ("PROGRAMFILES", "PROGRAMFILES(X86)", "LOCALAPPDATA")
    ]
    for folder in (*filter(None, folders), "/Applications", Path.home() / "Applications"):
        yield from (Path(folder, file) for file in BROWSER_FILES)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        yield Path(playwright.chromium.executable_path)


@pytest.fixture(scope="session")
def chromium_path() -> Path:
    """Return a Chromium, Chrome or Edge; without one the test is skipped, in CI it fails."""
    found = next((file for file in browsers() if file.is_file()), None)
    if found is not None:
        return found
    message = (
        "no Chromium, Chrome or Edge found: browser test not run "
        "(install one, or run `playwright install chromium`)"
    )
    if os.environ.get("KC_REQUIRE_BROWSER"):
        pytest.fail(message)
    pytest.skip(message)


PATIENCE = 90_000  # milliseconds: shared machines are slow


@pytest.fixture(scope="session")
def browser(chromium_path):
    """Return a browser for all tests."""
    from lab import running_browser

    with running_browser(chromium_path) as running:
        yield running


@pytest.fixture
def watched(browser):
    """Return a page that asked nothing of the outside, and of which nothing of ours complained."""
    from lab import watched_page

    with watched_page(browser) as page:
        page.page.set_default_timeout(PATIENCE)
        yield page
        page.page.goto("about:blank")  # as a planner leaves it
        assert page.outside == []
        assert page.errors == []


@pytest.fixture
def shots(tmp_path):
    """Return where pictures of the screen go; KC_SCREENSHOTS keeps them."""
    folder = Path(os.environ.get("KC_SCREENSHOTS", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)
    return folder
