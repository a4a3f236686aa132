"""A JupyterLab of its own for a test, and a browser that reaches nothing but this machine."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Browser, Dialog, Page, Route, sync_playwright

from kc_model.workbench.lab import lab_command, lab_environment

ROOT = Path(__file__).parent.parent
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@contextmanager
def running_lab(folder: Path) -> Iterator[str]:
    """Start JupyterLab as `kc lab` does, on a copy of the project, with a home of its own."""
    home = folder / "nhà có dấu cách"  # a folder with blanks and Vietnamese letters
    project = home / "dự án"
    for name in ("notebooks", "data"):
        shutil.copytree(ROOT / name, project / name)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token = secrets.token_hex(16)
    extra = [
        "--no-browser",
        f"--ServerApp.port={port}",
        "--ServerApp.port_retries=0",
        f"--IdentityProvider.token={token}",
    ]
    environment = {**lab_environment(), "HOME": str(home), "USERPROFILE": str(home)}
    environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    with (folder / "lab.log").open("w") as log:
        server = subprocess.Popen(
            lab_command(project, extra), cwd=project, env=environment, stdout=log, stderr=log
        )
        try:
            _await(f"http://127.0.0.1:{port}/api?token={token}")
            yield f"http://127.0.0.1:{port}/lab/tree/notebooks/{{name}}?reset&token={token}"
        finally:
            server.terminate()
            with suppress(subprocess.TimeoutExpired):
                server.wait(20)
            server.kill()


def _await(address: str) -> None:
    for _ in range(240):
        with suppress(OSError):
            urllib.request.urlopen(address, timeout=5).close()
            return
        time.sleep(0.25)
    raise TimeoutError(address)


@dataclass
class Watched:
    """A page, what it asked of the outside (all of it refused), complained of, and asked us."""

    page: Page
    outside: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    stays: bool = False  # what it answers where closing it is asked about


@contextmanager
def running_browser(chromium: Path) -> Iterator[Browser]:
    """Start a browser without a window."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(chromium), args=list(QUIET))
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def watched_page(browser: Browser, width: int = 1280, height: int = 800) -> Iterator[Watched]:
    """Open a page as in a browser of its own; it reaches nothing but this machine."""
    page = browser.new_page(viewport={"width": width, "height": height}, accept_downloads=True)
    watched = Watched(page)

    def gate(route: Route) -> None:
        if re.match(
            r"(https?|wss?)://(127\.0\.0\.1|localhost)[:/]|(data|blob):", route.request.url
        ):
            route.continue_()
        else:
            watched.outside.append(route.request.url)
            route.abort()

    page.route("**/*", gate)

    def leave(dialog: Dialog) -> None:
        watched.asked.append(dialog.type)
        if watched.stays:
            dialog.dismiss()
        else:
            dialog.accept()  # also with something not saved

    page.on("dialog", leave)
    page.on("pageerror", lambda error: watched.errors.append(str(error)))
    page.on(
        "console",
        lambda told: watched.errors.append(told.text) if told.type == "error" else None,
    )
    try:
        yield watched
    finally:
        page.close()


def run_all(watched: Watched, address: str) -> None:
    """Open a notebook and run it from top to bottom."""
    page = watched.page
    page.goto(address)
    page.locator(".jp-Notebook").wait_for(timeout=60_000)
    page.get_by_text(re.compile(r"\| Idle$")).wait_for(timeout=60_000)
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()


@contextmanager
def running_app(folder: Path, log: Path, port: int = 0) -> Iterator[tuple[str, subprocess.Popen]]:
    """Run `kc app` on a folder; give the page's address and the process."""
    if not port:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
    command = [sys.executable, "-m", "kc_model", "app", str(folder), "--no-browser"]
    environment = {**os.environ, "HOME": str(log.parent), "USERPROFILE": str(log.parent)}
    environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    with log.open("w", encoding="utf-8") as out:
        server = subprocess.Popen(
            [*command, "--port", str(port)],
            cwd=log.parent,
            env=environment,
            stdout=out,
            stderr=out,
            encoding="utf-8",
        )
        try:
            for _ in range(240):
                if found := re.search(r"http://\S+token=\S+", log.read_text(encoding="utf-8")):
                    break
                assert server.poll() is None, log.read_text(encoding="utf-8")
                time.sleep(0.25)
            yield found[0], server
        finally:
            server.terminate()
            with suppress(subprocess.TimeoutExpired):
                server.wait(20)
            server.kill()
