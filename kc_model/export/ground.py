"""The last two sheets of a plan: the rules with what they cost, and what it all rests on."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import pandas as pd
from xlsxwriter.worksheet import Worksheet

from kc_model.explain import rule_label
from kc_model.export.book import Book, cut_text
from kc_model.export.frame import write_title
from kc_model.export.stamp import Stamp, cut_off, note_lines
from kc_model.export.table import Amount
from kc_model.money import unit_name
from kc_model.wording import retold, say, texts

__all__ = ["write_ground", "write_rules"]

_STATUSES = ("missed", "binding", "met")  # what a planner wants to see first
_COLUMNS = {  # key of the heading: width
    "number": 5.0,
    "rule": 34.0,
    "group": 24.0,
    "tier": 11.5,
    "side": 10.5,
    "bound": 0.0,  # as wide as money is
    "lhs": 0.0,
    "slack": 0.0,
    "status": 12.5,
    "price": 30.0,
    "basis": 24.0,
}
_BOUND = re.compile("bound:(.*):(min|max)", re.DOTALL)
_SHOWN = 12  # groups of one rule that are printed


def write_rules(book: Book, stamp: Stamp, rules: pd.DataFrame, amounts: Sequence[Amount]) -> None:
    """Write the rules: those missed first, then those that bind, the others, the defaults."""
    wide = {"bound": book.money.width, "lhs": book.money.width, "slack": book.money.width}
    sheet = book.sheet("rules", list({**_COLUMNS, **wide}.values()))
    last = len(_COLUMNS) - 1
    unit = book.say("rules.unit", unit=unit_name(stamp.unit, book.language))
    write_title(book, sheet, last, stamp, book.say("rules.title"), unit)
    for column, key in enumerate(_COLUMNS):
        book.text(sheet, 2, column, book.say(f"rules.columns.{key}"), "cell", "head")
    sheet.freeze_panes(3, 2)
    codes = _codes(book, amounts)
    rank = {status: i for i, status in enumerate(_STATUSES)}
    rows = sorted(_gathered(rules), key=lambda rule: rank.get(rule["status"], len(rank)))
    said: dict[tuple[str, str], int] = {}  # the first row that says what a step of its rule gives
    for number, rule in enumerate(rows, 1):
        row = 2 + number
        same = (rule["id"], rule["told"])
        if rule["told"] and same in said:
            rule["told"] = book.say("rules.as_row", number=said[same])
        style = (rule["status"],) if rule["status"] in ("missed", "binding") else ()
        for key, text in _rule_texts(book, rule, codes).items():
            column = list(_COLUMNS).index(key)
            side = ("center",) if key in ("tier", "side", "status") else ()
            book.text(sheet, row, column, text, "cell", "wrap", "top", *side, *style)
        book.text(sheet, row, 0, str(number), "cell", "center", "top", *style)
        missed = rule["shortfall"] if rule["shortfall"] > 0 else math.nan
        slack = rule["slack"] if math.isnan(missed) else -missed
        figures, look = _figures(rule, slack)
        for column, known in enumerate(figures, 5):
            book.number(sheet, row, column, known, "cell", look, "top", *style)
        said.setdefault(same, number)
    end = _write_defaults(book, sheet, 3 + len(rows), stamp.defaults) - 1
    sheet.autofilter(2, 0, end, last)
    book.print_rows(sheet, end, (2, 2))


def _write_defaults(book: Book, sheet: Worksheet, row: int, defaults: Sequence[str]) -> int:
    """List what holds because nobody said otherwise, as rules; return the row after them."""
    keys = list(_COLUMNS)
    for text in defaults:
        for column in range(len(keys)):
            book.text(sheet, row, column, "", "cell")
        book.text(sheet, row, 0, str(row - 2), "cell", "center", "top")
        shown = text[:1].upper() + text[1:]
        book.text(sheet, row, keys.index("rule"), shown, "cell", "wrap", "top")
        tier = book.say("rules.default")
        book.text(sheet, row, keys.index("tier"), tier, "cell", "wrap", "top", "center")
        row += 1
    return row


def _gathered(rules: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Yield the rows to print: of a rule that says the same of many groups, the tightest.

    The last row of such a rule tells how many more there are.
    """
    family = rules["id"].where(~rules["id"].str.startswith("bound:"), "bound:")
    for _, rows in rules.groupby([family, "side", "status"], sort=False):
        shown = _SHOWN if rows["status"].iloc[0] in ("missed", "binding") else 1
        tightest = rows.sort_values(["price", "slack"], ascending=[False, True], kind="stable")
        for place, rule in enumerate(tightest.head(shown).to_dict("records"), 1):
            last = place == shown and len(rows) > shown
            named: dict[str, Any] = {str(key): value for key, value in rule.items()}
            yield {**named, "more": len(rows) - shown if last else 0}


def _figures(rule: Any, slack: float) -> tuple[list[float | None], str]:
    """Return a rule's bound, what the plan gives and the room, and the style they are shown in.

    What is held against a share of money is told as shares of it.
    """
    whole, look = 1.0, "money" if rule["measure"] in ("money", "share") else "decimal"
    if rule["measure"] == "share" and rule["factor"] and rule["bound"]:
        whole, look = rule["bound"] / rule["factor"], "exact_share"
    values = (rule["bound"], rule["lhs"], slack)
    shown = [None if pd.isna(value) else round(value / whole, 9) + 0.0 for value in values]
    are_whole = all(value is None or round(value, 3).is_integer() for value in shown)
    return shown, "whole" if look == "decimal" and are_whole else look


def _rule_texts(book: Book, rule: Any, codes: dict[str, str]) -> dict[str, str]:
    bound = _BOUND.fullmatch(rule["id"])
    group = bound[1] if bound else rule["group"]
    label = say(f"explain.bounds.{bound[2]}", book.language) if bound and not rule["text"] else ""
    names = "; ".join(codes.get(value, value) for value in group.split("|")) if group else ""
    if rule["more"]:
        names = book.say("rules.more", group=names, count=rule["more"])
    return {
        "rule": label or rule_label(rule["id"], rule["text"], book.language),
        "group": names,
        "tier": _known(book, "explain.tiers", rule["tier"]),
        "side": _known(book, "export.sides", rule["side"]),
        "status": _known(book, "export.statuses", rule["status"]),
        "price": rule["told"],
        "basis": retold(rule["basis"], book.language),
    }


def _known(book: Book, kind: str, word: str) -> str:
    """Return a word of ours in the user's language; any other word as it is."""
    return say(f"{kind}.{word}", book.language) if f"{kind}.{word}" in texts() else word


def _codes(book: Book, amounts: Sequence[Amount]) -> dict[str, str]:
    """Return the names of the codes of this plan; no other value of a group is one."""
    return {
        getattr(cell, key): book.name(key, getattr(cell, key))
        for key in ("region", "place", "area", "source")
        for cell in amounts
        if getattr(cell, key)
    }


# ---------------------------------------------------------------------------- what it rests on


def write_ground(book: Book, stamp: Stamp, name: Literal["ground", "findings"] = "ground") -> None:
    """Write the summary, notes, warnings, sources and provenance, under a name of the sheet."""
    sheet = book.sheet(name, (5.0, 26.0, 104.0))
    book.merge(sheet, (0, 0, 0, 2), book.say(f"{name}.title"), "title")
    row = 2
    for key, lines in _sections(book, stamp):
        book.merge(sheet, (row, 0, row, 2), book.say(f"ground.{key}"), "cell", "bold", "band")
        book.tie(sheet, row, row + 1)
        row += 1
        middle = 1 if key == "provenance" else 0  # last column of the label
        for label, text in lines:
            for piece in cut_text(text):
                side = () if middle else ("center",)
                book.merge(sheet, (row, 0, row, middle), label, "cell", "wrap", "top", *side)
                book.merge(sheet, (row, middle + 1, row, 2), piece, "cell", "wrap", "top")
                row += 1
        row += 1
    book.print_rows(sheet, row - 2)


def _sections(book: Book, stamp: Stamp) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Give the sections that have something to say: heading key, rows of label and text."""
    notes = [book.say("synthetic")] if stamp.synthetic else []
    numbered = {
        "summary": list(stamp.summary),
        "notes": [*notes, *note_lines(book, stamp)],
        "warnings": [fault.text(book.language) for fault in stamp.warnings],
        "sources": list(stamp.sources),
    }
    for key, lines in numbered.items():
        if lines:
            yield key, [(str(number), line) for number, line in enumerate(lines, 1)]
    known = {
        "dataset": stamp.title,
        "scenario": stamp.scenario,
        "year": str(stamp.year),
        "as_of": cut_off(book, stamp),
        "unit": unit_name(stamp.unit, book.language),
        "vintage": book.say(f"vintages.{stamp.vintage}"),
        "dataset_hash": stamp.dataset_hash,
        "scenario_hash": stamp.scenario_hash,
        "seed": str(stamp.seed),
        "versions": "; ".join(f"{name} {version}" for name, version in stamp.versions.items()),
    }
    yield "provenance", [(book.say(f"known.{key}"), text) for key, text in known.items() if text]
