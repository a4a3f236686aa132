"""How long a planner waits for the page: its first minute, and from a key press to the new total.

Run ``python -m benchmarks.page [PRESSES] [sample|office] [--stay]`` from the repository:
`kc app` serves the sample (34 provinces, nine areas, two funds: 365 lines, monthly, a folder) and a
made-up office (`benchmarks.office`: 612 lines, quarterly, one workbook, the scenario that the page
begins with) to a headless Chromium. Times are of the clock, so a busy machine
lengthens them; what the kernel's processor did is told beside them, and the load.

- first minute: from the command to the address, to the page with its tabs, to the first chart, and
  to an allocation in its chart where "Phương án" is clicked as soon as it is there
- key press: a key on the slider of the total until that total stands in the chart's own text; of
  that the way to the kernel, what the kernel did until it sent the chart, the way back, drawing;
  then until prices with their ranges stand beside it, and until all does
"""

from __future__ import annotations

import os
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from playwright.sync_api import Page

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from conftest import browsers
from lab import ROOT, running_app, running_browser, watched_page

from benchmarks.office import office

SAMPLE = ROOT / "data" / "sample"
_TOTAL = "Tổng: "
_PATIENCE = 120_000

# Notes when messages about a chart or slider pass, and when the heading in the chart changes.
_CLOCK = """
window.kcTimes = [];
const note = (what, more) => {
  window.kcTimes.push({what, at: performance.timeOrigin + performance.now(), ...more});
};
const text = (data) => {
  if (typeof data === "string") return data;
  return new TextDecoder().decode(data.buffer ?? data);
};
const heads = (data) => {
  // The kernel's websocket protocol v1: offsets, then channel, header, parent, metadata, content.
  if (typeof data === "string") return [JSON.parse(data)];
  const view = new DataView(data);
  const count = Number(view.getBigUint64(0, true));
  const at = Array.from({length: count}, (_, i) => Number(view.getBigUint64(8 * (i + 1), true)));
  const part = (i) => new TextDecoder().decode(data.slice(at[i], at[i + 1]));
  return [{header: JSON.parse(part(1)), parent: JSON.parse(part(2)), content: part(4)}];
};
const send = WebSocket.prototype.send;
WebSocket.prototype.send = function (data) {
  if (text(data).includes('"index"')) note("sent");
  return send.call(this, data);
};
const native = Object.getOwnPropertyDescriptor(WebSocket.prototype, "onmessage");
Object.defineProperty(WebSocket.prototype, "onmessage", {
  ...native,
  set(listener) {
    native.set.call(this, (event) => {
      try {
        const size = event.data.byteLength ?? event.data.length;
        const [{header, content}] = heads(event.data);
        const body = typeof content === "string" ? content : JSON.stringify(content);
        window.kcBytes = (window.kcBytes ?? 0) + size;
        if (header.msg_type === "comm_msg" && body.includes('"heading"')) {
          note("picture", {date: header.date, size});
        } else if (header.msg_type === "status" && body.includes("busy")) {
          note("busy", {date: header.date});
        }
      } catch (error) { note("unread", {error: String(error)}); }
      return listener.call(this, event);
    });
  },
});
let shown = "";
new MutationObserver(() => {
  for (const one of document.querySelectorAll(".kc-chart svg text")) {
    if (one.textContent.startsWith("Tổng: ") && one.textContent !== shown) {
      shown = one.textContent;
      note("shown", {shown});
    }
  }
}).observe(document, {subtree: true, childList: true, characterData: true});
window.addEventListener("keydown", () => note("key"), true);
"""


# When none of some words stands on the page any more.
_AT = """words => {
  const shown = document.body.innerText;
  return !words.some(one => shown.includes(one)) && performance.timeOrigin + performance.now();
}"""
_WORKING = "Đang tính"
_PENDING = ([_WORKING + "…", _WORKING + ": nới"], [_WORKING])


def cpu(root: int) -> float:
    """Return the seconds of processor time that a process and all below it have taken (Linux)."""
    parents, ticks = {}, {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents[int(stat.parent.name)] = int(fields[1])
        ticks[int(stat.parent.name)] = int(fields[11]) + int(fields[12])
    below = {root}
    while more := {pid for pid, parent in parents.items() if parent in below} - below:
        below |= more
    return sum(ticks.get(pid, 0) for pid in below) / os.sysconf("SC_CLK_TCK")


def seconds(date: str) -> float:
    """Return a message's date in milliseconds."""
    return 1e3 * datetime.fromisoformat(date).timestamp()


def first_minute(page: Page, address: str, began: float, server: int) -> None:
    """Open the page; tell after how many seconds, and of whose processor, its parts stand there."""

    def mark(what: str) -> None:
        ours = cpu(server)
        rest = cpu(os.getpid()) - ours
        after = time.monotonic() - began
        print(f"{what:12} {after:6.1f} s   kernel {ours:5.1f} s   browser {rest:5.1f} s")

    mark("address")
    page.goto(address, wait_until="commit")
    plan = page.get_by_role("tab", name="Phương án", exact=True)
    page.get_by_text("Đang mở bàn làm việc và đọc").or_(plan).first.wait_for()
    mark("page")
    plan.wait_for()
    mark("tabs")
    if "--stay" in sys.argv:
        page.locator(".kc-chart svg.marks").first.wait_for()
        mark("first chart")
    plan.click()
    page.locator(".kc-chart svg text", has_text=_TOTAL).first.wait_for()
    mark("allocation")


def press(page: Page, pid: int, key: str) -> dict[str, float]:
    """Press a key on the slider of the total and return where the milliseconds went."""
    page.evaluate("window.kcTimes.length = 0")
    used = cpu(pid)
    page.keyboard.press(key)
    page.wait_for_function("kcTimes.some(one => one.what === 'shown')")
    until_shown = cpu(pid) - used
    times = page.evaluate("kcTimes")
    first = {}
    for one in times:
        first.setdefault(one["what"], one)
    key_at, shown = first["key"]["at"], first["shown"]["at"]
    picture = next(one for one in times if one["what"] == "picture")
    busy = seconds(first["busy"]["date"]) if "busy" in first else first["sent"]["at"]
    at = (page.wait_for_function(_AT, arg=words, polling=50) for words in _PENDING)
    priced, whole = (found.json_value() for found in at)
    page.wait_for_timeout(300)
    return {
        "total": shown - key_at,
        "to kernel": busy - key_at,
        "in kernel": seconds(picture["date"]) - busy,
        "back": picture["at"] - seconds(picture["date"]),
        "drawing": shown - picture["at"],
        "prices": priced - key_at,
        "whole": whole - key_at,
        "its processor": 1e3 * until_shown,
        "processor": 1e3 * (cpu(pid) - used),
        "bytes": picture["size"],
    }


def told(rows: Iterable[dict[str, float]]) -> None:
    """Print the least, the median and the worst of every part."""
    rows = list(rows)
    for part in rows[0]:
        values = sorted(row[part] for row in rows)
        low, middle, high = values[0], statistics.median(values), values[-1]
        print(f"{part:13} least {low:8.0f}   median {middle:8.0f}   worst {high:8.0f}")


def measure(folder: Path, presses: int) -> None:
    """Measure the page of one folder and print."""
    chromium = next(file for file in browsers() if file.is_file())
    with (
        tempfile.TemporaryDirectory() as private,
        running_browser(chromium) as browser,
        watched_page(browser) as watched,
    ):
        page = watched.page
        page.set_default_timeout(_PATIENCE)
        page.add_init_script(_CLOCK)
        began = time.monotonic()
        with running_app(folder, Path(private, "app.log")) as (address, server):
            first_minute(page, address, began, server.pid)
            size = page.evaluate("window.kcBytes") / 1e6
            print(f"load {os.getloadavg()[0]:.1f}, {size:.1f} MB to the page")
            if not presses:
                return
            page.get_by_text(re.compile("Đang tính")).first.wait_for(state="hidden")
            page.wait_for_timeout(3000)
            page.get_by_role("slider", name="Tổng kinh phí", exact=True).focus()
            press(page, server.pid, "ArrowLeft")
            told(
                press(page, server.pid, ("ArrowLeft", "ArrowRight")[n % 7 > 2])
                for n in range(presses)
            )
            print(f"load {os.getloadavg()[0]:.1f}")
        print(watched.errors)


def main(presses: int, only: str = "") -> None:
    """Measure and print what was asked for."""
    if only != "office":
        print("sample")
        measure(SAMPLE, presses)
    if only != "sample":
        with tempfile.TemporaryDirectory() as folder:
            print("office")
            measure(office(Path(folder)).parent, presses)


if __name__ == "__main__":
    numbers = [one for one in sys.argv[1:] if one.isdigit()]
    asked = {"sample", "office"} & set(sys.argv[1:])
    main(int(numbers[0]) if numbers else 20, next(iter(asked), ""))
