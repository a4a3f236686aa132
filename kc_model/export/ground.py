"""The last two sheets of a plan: the rules with what they cost, and what it all rests on."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd
from xlsxwriter.worksheet import Worksheet

from kc_model.errors import Fault
from kc_model.explain import rule_label
from kc_model.export.book import Book, cut_text
from kc_model.export.frame import write_title
from kc_model.export.stamp import Stamp, newest, note_lines
from kc_model.export.table import Amount
from kc_model.money import UNITS, format_number, unit_name
from kc_model.wording import Language, retold, say, texts

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
_SHOWN = 200  # groups of one rule that can be unfolded
_NAMED = 5  # of those of one status, on paper
_RANGED = 3  # digits after the mark of a share

Rule = dict[Hashable, Any]


def write_rules(book: Book, stamp: Stamp, rules: pd.DataFrame, amounts: Sequence[Amount]) -> None:
    """Write the rules: those missed first, then those that bind, the others, the defaults.

    A rule that holds in several groups is one row, with how many of them and from what to what;
    each of them lies folded under it, and is not printed.
    """
    wide = {"bound": book.money.width, "lhs": book.money.width, "slack": book.money.width}
    sheet = book.sheet("rules", list({**_COLUMNS, **wide}.values()))
    scale = UNITS[book.money.unit] / UNITS[stamp.unit]
    last = len(_COLUMNS) - 1
    unit = book.say("rules.unit", unit=unit_name(book.money.unit, book.language))
    gathered = list(_gathered(rules))
    unit += book.say("rules.unfold") if any(len(rows) > 1 for rows in gathered) else ""
    write_title(book, sheet, last, stamp, book.say("rules.title"), unit)
    for column, key in enumerate(_COLUMNS):
        book.text(sheet, 2, column, book.say(f"rules.columns.{key}"), "cell", "head")
    sheet.freeze_panes(3, 2)
    teller, row = _Rules(book, sheet, amounts, scale), 3
    for number, rows in enumerate(gathered, 1):
        row = teller.write(row, number, rows)
    end = _write_defaults(book, sheet, row, stamp.defaults, len(gathered)) - 1
    book.print_rows(sheet, end, (2, 2))


def _write_defaults(
    book: Book, sheet: Worksheet, row: int, defaults: Sequence[str], before: int
) -> int:
    """List what holds because nobody said otherwise, as rules; return the row after them."""
    keys = list(_COLUMNS)
    for number, text in enumerate(defaults, before + 1):
        for column in range(len(keys)):
            book.text(sheet, row, column, "", "cell")
        book.text(sheet, row, 0, str(number), "cell", "center", "top")
        shown = text[:1].upper() + text[1:]
        book.text(sheet, row, keys.index("rule"), shown, "cell", "wrap", "top")
        tier = book.say("rules.default")
        book.text(sheet, row, keys.index("tier"), tier, "cell", "wrap", "top", "center")
        row += 1
    return row


def _gathered(rules: pd.DataFrame) -> list[list[Rule]]:
    """Return the rows of every rule and side, the worst first, and of each its worst groups."""
    ranks = {status: rank for rank, status in enumerate(_STATUSES)}
    ranked = rules.assign(
        family=np.select(
            [rules["id"].str.startswith("bound:"), rules["id"].str.startswith("budget:")],
            ["bound:", "budget:" + rules["text"]],
            rules["id"],
        ),
        rank=rules["status"].map(ranks).fillna(len(ranks)),
    )
    order, ascending = ["rank", "price", "slack"], [True, False, True]
    found = [
        rows.sort_values(order, ascending=ascending, kind="stable").to_dict("records")
        for _, rows in ranked.groupby(["family", "side"], sort=False)
    ]
    return sorted(found, key=lambda rows: rows[0]["rank"])


def _figures(rule: Rule, scale: float) -> tuple[list[float | None], str]:
    """Return a rule's bound, what the plan gives and the room, and the style they are shown in.

    What is held against a share of money is told as shares of it; `scale` is the unit shown, in
    that of the rules.
    """
    is_money = rule["measure"] in ("money", "share")
    whole, look = (scale, "money") if is_money else (1.0, "decimal")
    if rule["measure"] == "share" and rule["factor"] and rule["bound"]:
        whole, look = rule["bound"] / rule["factor"], "exact_share"
    slack = -rule["shortfall"] if rule["shortfall"] > 0 else rule["slack"]
    values = (rule["bound"], rule["lhs"], slack)
    shown: list[float | None] = [
        None if pd.isna(value) else round(value / whole, 9) + 0.0 for value in values
    ]
    are_whole = all(value is None or round(value, 3).is_integer() for value in shown)
    return shown, "whole" if look == "decimal" and are_whole else look


class _Rules:
    """The rules being written on their sheet."""

    def __init__(
        self, book: Book, sheet: Worksheet, amounts: Sequence[Amount], scale: float
    ) -> None:
        self.book, self.sheet, self.scale = book, sheet, scale
        self.codes = _codes(book, amounts)
        self.places = {cell.place for cell in amounts}

    def write(self, row: int, number: int, rows: Sequence[Rule]) -> int:
        """Write the rows of a rule and side; return the next row."""
        first, figures = rows[0], [_figures(one, self.scale) for one in rows]
        told = {**self.texts(first), "number": str(number)}
        if len(rows) > 1:
            count = sum(one["status"] == first["status"] for one in rows)
            told["group"] = self.groups(rows)
            told["status"] += f" ({count}/{len(rows)})"
            tolds = [one["told"] for one in rows if one["told"]]
            if len(tolds) == 1 or len(set(tolds)) > 1:  # not of all of them together
                told["price"] = f"{self.name(first)}: {first['told']}"
        self.line(row, told, self.spans(figures), figures[0][1], first["status"])
        if len(rows) == 1:
            return row + 1
        shown = rows[:_SHOWN]
        for at, one in enumerate(shown, 1):
            own = {"group": self.name(one), "status": self.texts(one)["status"]}
            own["price"] = one["told"] if one["told"] != first["told"] else ""
            if at == _SHOWN < len(rows):
                own["group"] = self.more([own["group"]], len(rows) - _SHOWN)
            self.line(row + at, own, *figures[at - 1], one["status"])
        self.book.fold(self.sheet, row + 1, row + len(shown))
        return row + len(shown) + 1

    def line(
        self,
        row: int,
        told: Mapping[str, str],
        figures: Sequence[float | str | None],
        look: str,
        status: str,
    ) -> None:
        """Write one row; where the rule is missed or binds, its status is set off."""
        known = dict(zip(("bound", "lhs", "slack"), figures, strict=True))
        for column, key in enumerate(_COLUMNS):
            value = known.get(key, told.get(key, ""))
            if isinstance(value, str):
                side = ("center",) if key in ("number", "tier", "side", "status") else ()
                side = ("right",) if key in known else side
                is_told = key == "status" and status in ("missed", "binding")
                style = (status,) if is_told else ("bold",) if status == "missed" else ()
                self.book.text(self.sheet, row, column, value, "cell", "wrap", "top", *side, *style)
            else:
                self.book.number(self.sheet, row, column, value, "cell", look, "top")

    def texts(self, rule: Rule) -> dict[str, str]:
        """Return what is said of a rule in one of its groups."""
        book, bound = self.book, _BOUND.fullmatch(rule["id"])
        is_own = bound is not None and not rule["text"]
        label = say(f"explain.bounds.{bound[2]}", book.language) if bound and is_own else ""
        return {
            "rule": label or rule_label(rule["id"], rule["text"], book.language),
            "group": self.name(rule),
            "tier": _known(book, "explain.tiers", rule["tier"]),
            "side": _known(book, "export.sides", rule["side"]),
            "status": _known(book, "export.statuses", rule["status"]),
            "price": rule["told"],
            "basis": retold(rule["basis"], book.language),
        }

    def name(self, rule: Rule) -> str:
        """Return what a group is called."""
        group = self.group(rule)
        return " – ".join(self.codes.get(value, value) for value in group.split("|") if group)

    def group(self, rule: Rule) -> str:
        bound = _BOUND.fullmatch(rule["id"])
        return bound[1] if bound else str(rule["group"])

    def groups(self, rows: Sequence[Rule]) -> str:
        """Say in how many groups a rule holds, and name those of the first statuses."""
        key = "places" if {self.group(one) for one in rows} <= self.places else "groups"
        told = [self.book.say(f"rules.{key}", count=len(rows))]
        for status in _STATUSES[:-1]:
            names = [self.name(one) for one in rows if one["status"] == status]
            if names:
                shown = self.more(names[:_NAMED], len(names) - _NAMED)
                known = _known(self.book, "export.statuses", status)
                told.append(f"{known}: {shown}")
        return "; ".join(told)

    def more(self, names: Sequence[str], count: int) -> str:
        joined = ", ".join(names)
        return self.book.say("rules.more", group=joined, count=count) if count > 0 else joined

    def spans(self, figures: Sequence[tuple[list[float | None], str]]) -> list[float | str | None]:
        """Return from what to what the figures of a rule's groups go."""
        look, found = figures[0][1], []
        for values in zip(*(shown for shown, kind in figures if kind == look), strict=True):
            known = [value for value in values if value is not None]
            ends = [self.number(one, look) for one in (min(known), max(known))] if known else ["-"]
            is_one = len(set(ends)) == 1
            found.append((known or [None])[0] if is_one else " – ".join(ends))
        return found

    def number(self, value: float, look: str) -> str:
        """Show a figure as its cell would."""
        language = self.book.language
        if look == "exact_share":
            percent = format_number(round(100 * value, _RANGED), None, language)
            return say("screen.share", language, number=percent)
        digits = self.book.money.digits if look == "money" else 0 if look == "whole" else None
        return format_number(round(value, _RANGED), digits, language)


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


def _warning(fault: Fault, language: Language) -> str:
    """Return a warning for people who have the paper alone; codes are for ``result.json``."""
    return f"{fault.found(language)} {fault.remedy(language)}"


def _sections(book: Book, stamp: Stamp) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Give the sections that have something to say: heading key, rows of label and text."""
    notes = [book.say("synthetic")] if stamp.synthetic else []
    numbered = {
        "summary": list(stamp.summary),
        "notes": [*notes, *note_lines(book, stamp)],
        "warnings": [_warning(fault, book.language) for fault in stamp.warnings],
        "sources": list(stamp.sources),
    }
    for key, lines in numbered.items():
        if lines:
            yield key, [(str(number), line) for number, line in enumerate(lines, 1)]
    known = {
        "purpose": book.say("provenance"),
        "dataset": stamp.title,
        "scenario": stamp.scenario,
        "year": str(stamp.year),
        "as_of": newest(book, stamp),
        "unit": unit_name(book.money.unit, book.language),
        "vintage": book.say(f"vintages.{stamp.vintage}"),
        "dataset_hash": stamp.dataset_hash,
        "scenario_hash": stamp.scenario_hash,
        "seed": str(stamp.seed),
        "versions": "; ".join(f"{name} {version}" for name, version in stamp.versions.items()),
    }
    yield "provenance", [(book.say(f"known.{key}"), text) for key, text in known.items() if text]
