"""A plan in sentences: what it gives, what binds and what that costs, who loses, what is open."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import pandas as pd

from kc_model import reference
from kc_model.money import UNITS, format_money, format_number
from kc_model.reasons import Reason, find_reasons
from kc_model.scenario import Scenario
from kc_model.tables import CELL_KEYS, Dataset, Note
from kc_model.wording import Language, say, texts

__all__ = ["Trouble", "explain", "rule_label", "troubles"]

_SHOWN = 5
_WIDEST = 3
_MONEY = ("money", "share")
_SMALL = 1e-6
_NOTICED = 5e-4  # of the baseline: less is rounding
_KINDS = ("places", "cells", "history", "absorption", "any", "sheets")
_UNSURE = ("assumed", "estimate", "synthetic", "derived")
_EXACT = {"vnd": 0, "thousand_vnd": 3, "million_vnd": 6, "billion_vnd": 9}  # to the đồng
_DIGITS = {"vnd": 0, "thousand_vnd": 0, "million_vnd": 1, "billion_vnd": 3}


class _Explained(Protocol):
    """What `explain` reads of an allocation; see `kc_model.results.Allocation`."""

    # Properties, because the fields of a frozen dataclass may only be read.
    @property
    def status(self) -> str: ...
    @property
    def scenario_name(self) -> str: ...
    @property
    def unit(self) -> str: ...
    @property
    def vintage(self) -> str: ...
    @property
    def year(self) -> int: ...
    @property
    def as_of(self) -> int | None: ...
    @property
    def baseline_year(self) -> int | None: ...
    @property
    def cells(self) -> pd.DataFrame: ...
    @property
    def rule_rows(self) -> pd.DataFrame: ...
    @property
    def goals(self) -> tuple[Mapping[str, Any], ...]: ...
    @property
    def undecided(self) -> tuple[str, ...]: ...
    @property
    def reserve(self) -> tuple[Mapping[str, Any], ...]: ...
    @property
    def conflicts(self) -> tuple[Mapping[str, Any], ...]: ...
    @property
    def data(self) -> Dataset: ...
    @property
    def scenario(self) -> Scenario: ...
    @property
    def projects(self) -> pd.DataFrame: ...
    @property
    def gap(self) -> float | None: ...
    @property
    def effects(self) -> pd.DataFrame: ...
    @property
    def rounding(self) -> Mapping[str, Any]: ...
    @property
    def defaults(self) -> tuple[Mapping[str, str], ...]: ...


def explain(plan: _Explained, language: Language = "vi") -> list[str]:
    """Return the plan in sentences, what is lost before what is won.

    In this order: what it gives, what it misses, who loses, who wins and why, what binds and what
    that costs, what is arbitrary, what rests on assumption, what rounding cost, the defaults.

    Parameters
    ----------
    plan : Allocation
    language : {"vi", "en"}

    Returns
    -------
    list of str
        For a result without a plan: why there is none and what would mend it.
    """
    teller = _Teller(plan, language)
    if plan.status == "limit":
        return [say("explain.limit", language), *teller.unproven()]
    if plan.status != "optimal":
        return list(teller.conflicts())
    return [
        *teller.totals(),
        *teller.projects(),
        *teller.missed(),
        *teller.changes(),
        *teller.prices(),
        *teller.open_cells(),
        *teller.assumptions(),
        *teller.rounding(),
        *teller.defaults(),
    ]


@dataclass(frozen=True)
class Trouble:
    """A conflict in words.

    Parameters
    ----------
    told : tuple of str
        What clashes, and the sum that does not fit.
    ways : tuple of (str, steps)
        What mends it in words, and the steps that `kc_model.allocate.apply_repair` takes.
    """

    told: tuple[str, ...]
    ways: tuple[tuple[str, tuple[Mapping[str, Any], ...]], ...] = ()


def troubles(plan: _Explained, language: Language = "vi") -> list[Trouble]:
    """Return why there is no plan, conflict by conflict, and what mends each.

    Parameters
    ----------
    plan : Allocation
        Of status "infeasible".
    language : {"vi", "en"}

    Returns
    -------
    list of Trouble
        At the end what mends them all together, and whether there may be others.
    """
    teller = _Teller(plan, language)
    return [*teller.troubles(), *teller.all_troubles()]


def rule_label(rule_id: str, text: str, language: Language = "vi") -> str:
    """Return a rule, budget or bound as a planner knows it.

    Parameters
    ----------
    rule_id : str
        As in ``rules.csv``.
    text : str
        The rule's own words; "" where it has none.
    language : {"vi", "en"}
    """
    if text:
        return text
    if rule_id == "round_to":
        return say("explain.round_to", language)
    kind, _, rest = rule_id.partition(":")
    if kind == "budget" and rest:
        return say("explain.budget", language, number=rest)
    if kind == "bound" and rest:
        cell, _, side = rest.rpartition(":")
        return say(f"explain.bound.{side}", language, cell=cell.replace("|", ", "))
    return rule_id


class _Teller:
    def __init__(self, plan: _Explained, language: Language) -> None:
        self.plan = plan
        self.language = language

    def say(self, key: str, **values: object) -> str:
        return say(f"explain.{key}", self.language, **values)

    def money(self, amount: float, digits: int | None = None) -> str:
        """Show an amount in the dataset's unit, to as many digits as a sentence needs."""
        digits = _DIGITS[self.plan.unit] if digits is None else digits
        vnd = _rounded(amount, digits) * UNITS[self.plan.unit]
        return format_money(vnd, self.plan.unit, self.language)

    def vnd(self, amount: float) -> str:
        return self.money(amount / UNITS[self.plan.unit])

    def number(self, value: float, digits: int = 1) -> str:
        """Show a number to so many digits, without zeros at its end."""
        return format_number(_rounded(value, digits), None, self.language)

    def group(self, values: str) -> str:
        """Show a group's values as names."""
        return " – ".join(self.name(value) for value in values.split("|"))

    def name(self, value: str) -> str:
        return self._names.get(value, value)

    @cached_property
    def _names(self) -> dict[str, str]:
        """Names of all codes; a place's wins over an area's, an area's over a fund's."""
        vintage, language = self.plan.vintage, self.language
        return {
            **{code: reference.source_name(code, language) for code in reference.source_order()},
            **{code: reference.area_name(code, language) for code in reference.area_order()},
            **{
                code: reference.place_name(code, vintage, language)
                for code in reference.place_order(vintage)
            },
        }

    def column(self, name: str) -> str:
        """Return what a column or table is called in words, itself where nobody named it."""
        known = (f"headings.{kind}.{name}" for kind in _KINDS)
        word = next((say(key, self.language) for key in known if key in texts()), name)
        return f"“{word}”"

    def cell(self, cell: Mapping[Hashable, Any]) -> str:
        """Return a cell by the names of its keys, those of which the plan has more than one."""
        keys = [key for key in CELL_KEYS if len(set(self.plan.cells[key])) > 1]
        return " – ".join(self.name(str(cell[key])) for key in keys if cell[key]) or self.name(
            str(cell["area"])
        )

    def rule(self, rule_id: str) -> str:
        """Return a rule or budget as a planner knows it, or the cells' own bounds together."""
        if rule_id.startswith("bound|"):
            return self.say(f"bounds.{rule_id.removeprefix('bound|')}")
        if rule_id.startswith("bound:"):
            cell, _, side = rule_id.removeprefix("bound:").rpartition(":")
            return self.say(f"bound.{side}", cell=self.group(cell))
        rules = self.plan.rule_rows
        texts_of = rules["text"][rules["id"] == rule_id]
        return rule_label(rule_id, str(texts_of.iloc[0]), self.language)

    # ------------------------------------------------------------------ a plan

    def totals(self) -> Iterator[str]:
        plan, total = self.plan, int(self.plan.cells["amount"].sum())
        yield self.say(
            "total",
            name=plan.scenario_name,
            year=plan.year,
            amount=self.vnd(total),
            cells=len(plan.cells),
        )
        expected = plan.cells["expected_disbursed"]
        if total and expected.notna().all():
            share = self.number(100 * float(expected.sum()) / total)
            yield self.say("expected", amount=self.vnd(float(expected.sum())), share=share)
        for number, goal in enumerate(plan.goals, 1):
            achieved, best = (
                self.goal_value(goal["name"], goal[key]) for key in ("achieved", "best")
            )
            yield self.say(
                "goal_best" if achieved == best else "goal",
                number=number,
                goal=self.goal_name(goal["name"]),
                achieved=achieved,
                best=best,
            )
            if goal["name"].endswith(" risk"):
                worst = 100 * (1 - float(self.plan.scenario.goals[number - 1].level))
                key = "risk.worst" if worst < 100 else "risk.all"
                yield self.say(key, share=self.number(worst), amount=achieved)

    def projects(self) -> Iterator[str]:
        """Say how many projects are chosen, how surely, and which are not."""
        projects = self.plan.projects
        if projects.empty:
            return
        chosen = projects[projects["chosen"]]
        amount = self.vnd(int(chosen["amount"].sum()))
        yield self.say("projects.chosen", count=len(chosen), total=len(projects), amount=amount)
        gap = self.plan.gap or 0.0
        is_exact = gap <= _SMALL
        yield (
            self.say("projects.exact")
            if is_exact
            else self.say("projects.proven", gap=self.number(100 * gap, 3))
        )
        rest = projects[~projects["chosen"]]
        for key, part in (
            ("left", rest[rest["reason"] == "left"]),
            ("out", rest[rest["reason"] != "left"]),
        ):
            if len(part):
                names = self.listed(part["id"].tolist(), "project")
                yield self.say(f"projects.{key}", count=len(part), names=names)

    def unproven(self) -> Iterator[str]:
        """Say what was found before time ran out."""
        if len(self.plan.projects):
            gap = self.plan.gap
            tail = "" if gap is None else self.say("projects.gap", gap=self.number(100 * gap, 3))
            count = int(self.plan.projects["chosen"].sum())
            yield self.say("projects.unproven", count=count, gap=tail)

    def goal_name(self, name: str) -> str:
        what, _, column = name.split(" ", 1)[1].partition(":")
        what = "least_money" if name == "minimise money" else what
        return self.say(f"goals.{what}", column=self.column(column))

    def goal_value(self, name: str, value: float) -> str:
        if name.endswith((" money", " disbursed", " change", " risk")):
            return self.money(value)
        if name.endswith(" evenness"):
            per = {goal.name: goal.per for goal in self.plan.scenario.goals}.get(name, "")
            return self.say("even", amount=self.per_head(value), per=self.column(per))
        return self.number(value, _significant(value))

    def per_head(self, value: float) -> str:
        """Show a small amount in the unit in which it is a readable number."""
        vnd = value * UNITS[self.plan.unit]
        unit = next((unit for unit in ("million_vnd",) if abs(vnd) >= UNITS[unit]), "vnd")
        shown = vnd / UNITS[unit]
        return format_money(_rounded(shown, _significant(shown)) * UNITS[unit], unit, self.language)

    def missed(self) -> Iterator[str]:
        rules = self.plan.rule_rows
        for rule_id, rows in rules[rules["status"] == "missed"].groupby("id", sort=False):
            first = rows.iloc[0]
            worst = rows.sort_values("shortfall", ascending=False, kind="stable")
            groups = [self.group(group) for group in worst["group"] if group]
            yield self.say(
                "missed_at" if groups else "missed",
                rule=rule_label(str(rule_id), first["text"], self.language),
                tier=self.say(f"tiers.{first['tier']}"),
                amount=self.amount(first, float(rows["shortfall"].sum())),
                groups=self.listed(groups),
            )

    def amount(self, row: pd.Series, value: float) -> str:
        """Show an amount in the row's own unit."""
        return self.money(value) if row["measure"] in _MONEY else self.outputs(value)

    def outputs(self, value: float) -> str:
        return self.say("outputs", amount=self.number(value, _significant(value)))

    def listed(self, names: Sequence[str], kind: str = "place") -> str:
        """Show the first few of a list and how many more there are."""
        return ", ".join(names[:_SHOWN]) + self.more(len(names), kind)

    def more(self, count: int, kind: str) -> str:
        return self.say(f"and_more.{kind}", count=count - _SHOWN) if count > _SHOWN else ""

    def changes(self) -> Iterator[str]:
        """Tell who loses, then who wins, by place and by area."""
        if not int(self.plan.cells["baseline"].sum()):
            return
        for key in ("place", "area"):
            sums = self.plan.cells.groupby(key, sort=False)[["amount", "baseline"]].sum()
            if len(sums) == 1:
                continue
            change = (sums["amount"] - sums["baseline"]).astype("int64")
            change = change[change.abs() > _NOTICED * sums["baseline"]]
            if change.empty:
                yield self.say(f"no_change.{key}", base=self.base())
            for side, chosen in (
                ("losers", change[change < 0].sort_values(kind="stable")),
                ("winners", change[change > 0].sort_values(ascending=False, kind="stable")),
            ):
                reasons = find_reasons(self.plan, key, map(str, chosen.index[:_SHOWN]))
                if len(chosen):
                    more = self.more(len(chosen), key)
                    names = self.changed(chosen, sums["baseline"], reasons) + (
                        ";" if reasons and more else ""
                    )
                    names += more
                    yield self.say(f"{side}.{key}", base=self.base(), names=names)

    def changed(self, chosen: pd.Series, baseline: pd.Series, reasons: Mapping[str, Reason]) -> str:
        """Name the first few that changed, those of one reason together."""
        groups: dict[tuple[str, ...], list[str]] = {}
        for code in map(str, chosen.index[:_SHOWN]):
            reason = reasons.get(code)
            kind = (reason.kind, reason.driver, reason.keeper) if reason is not None else ("",)
            groups.setdefault(kind, []).append(code)
        return "; ".join(
            ", ".join(self.change(code, int(chosen[code]), int(baseline[code])) for code in codes)
            + (self.why([reasons[code] for code in codes], chosen[codes]) if reasons else "")
            for codes in groups.values()
        )

    def why(self, reasons: Sequence[Reason], change: pd.Series) -> str:
        """Say why some places or areas that share a reason have less, or more."""
        first, sides = reasons[0], "won" if int(change.iloc[0]) > 0 else "lost"
        weights = change.abs().to_numpy(dtype=float)
        here, there = (
            float(np.average([getattr(reason, name) for reason in reasons], weights=weights))
            for name in ("here", "there")
        )
        rise = self.number(100 * abs(here)) if first.kind == "budget" else ""
        is_goal = first.driver.startswith("goal|")
        goal = self.plan.goals[int(first.driver[5:]) - 1]["name"] if is_goal else ""
        is_rule = bool(first.driver) and not is_goal
        told = self.say(
            f"why.{sides}.{first.kind}",
            rule=self.rule(first.driver) if is_rule else "",
            goal=self.goal_name(goal) if goal else "",
            amount=self.vnd(abs(sum(reason.amount for reason in reasons))),
            rise=rise,
            here=self.number(100 * here) if first.kind == "chance" else "",
            there=self.number(100 * there) if first.kind == "chance" else "",
            base=self.base(),
        )
        if not first.keeper:
            return told
        kept = self.vnd(sum(reason.kept for reason in reasons))
        if first.keeper.startswith("goal|"):
            keeper = self.goal_name(self.plan.goals[int(first.keeper[5:]) - 1]["name"])
        else:
            keeper = self.rule(first.keeper)
        return told + self.say("why.kept", rule=keeper, amount=kept)

    def base(self) -> str:
        """Say what the plan is compared with."""
        if self.plan.as_of is not None:
            return self.say("base.in_force")
        if self.plan.baseline_year is not None:
            return self.say("base.year", year=self.plan.baseline_year)
        return self.say("base.given")

    def change(self, code: str, amount: int, baseline: int) -> str:
        sign = "+" if amount > 0 else "−"
        values = {"name": self.name(code), "amount": sign + self.vnd(abs(amount))}
        if not baseline:
            return self.say("change_new", **values)
        return self.say("change", **values, share=sign + self.number(100 * abs(amount) / baseline))

    def prices(self) -> Iterator[str]:
        rules = self.plan.rule_rows
        if not self.plan.goals or not rules["price"].notna().any():
            return
        # What a missed wish would give holds the tier's whole shortfall: no advice to a planner.
        chosen = rules[(rules["price"] > _SMALL) & (rules["status"] != "missed")]
        priced = chosen.sort_values("price", ascending=False, kind="stable")
        if priced.empty:
            yield self.say("free")
        is_purse = priced["id"].str.startswith("budget:")
        by_rule = [rows for _, rows in priced[~is_purse].groupby("id", sort=False)]
        for rows in sorted(by_rule, key=lambda rows: -self.step(rows.iloc[0])[1])[:_SHOWN]:
            yield self.price(str(rows["id"].iloc[0]), rows)
        purses = priced[is_purse]
        if len(purses) == 1:
            yield self.price(str(purses["id"].iloc[0]), purses)
        elif len(purses):
            yield self.purses(purses)

    def purses(self, rows: pd.DataFrame) -> str:
        """Say in one sentence what more money would bring in each of several purses."""
        goal = self.plan.goals[0]["name"]
        named = [
            self.say(
                "purse",
                name=rule_label(str(row["id"]), row["text"], self.language),
                price=self.priced(goal, float(row["price"])),
            )
            for _, row in rows.iterrows()
        ]
        return self.say(
            "purses.disbursed" if goal == "maximise disbursed" else "purses.other",
            step=self.money(1.0),
            goal=self.goal_name(goal),
            names=self.listed(named, "purse"),
            least=named[-1],
        )

    def price(self, rule_id: str, rows: pd.DataFrame) -> str:
        top = rows.iloc[0]
        goal = self.plan.goals[0]["name"]
        groups = ""
        if top["group"]:
            name = self.group(top["group"])
            groups = (
                self.say("groups", count=len(rows), group=name)
                if len(rows) > 1
                else self.say("one_group", group=name)
            )
        label = self.rule(rule_id)
        step, price = self.step(top)
        # The first goal gains less and less: a whole step never gives more than its start promises.
        is_most, shown = self.room(top) < self.whole_step(top), self.priced(goal, price)
        return self.say(
            "price.disbursed" if goal == "maximise disbursed" else "price.other",
            rule=label,
            groups=groups,
            state=self.say(f"states.{top['status']}"),
            step=step,
            goal=self.goal_name(goal),
            price=self.say("at_most", price=shown) if is_most else shown,
            reach=self.reach(top),
        )

    def reach(self, row: pd.Series) -> str:
        """Say between which bounds a price holds; "" where no end of it is known."""
        ends = {"start": float(row["price_from"]), "end": float(row["price_to"])}
        if self.room(row) < self.whole_step(row):
            return ""  # it is said as the most that there is in it
        share = 100 * float(row["factor"]) / float(row["bound"]) if row["bound"] else 0.0
        told = {
            side: self.say("percent", share=self.number(value * share, 2))
            if row["measure"] == "share"
            else self.amount(row, value)
            for side, value in ends.items()
            if not math.isnan(value)
        }
        if not told:
            return ""
        return self.say(f"reach.{'both' if len(told) > 1 else next(iter(told))}", **told)

    def step(self, row: pd.Series) -> tuple[str, float]:
        """Say by what a rule is loosened, a unit or a point of a share, and what that gives."""
        price, one = float(row["price"]), self.whole_step(row)
        if row["measure"] == "share" and row["factor"]:
            limit = self.number(100 * float(row["factor"]), 2)
            return self.say("one_point", limit=limit), price * one
        if row["measure"] == "money":
            return self.money(1.0), price
        return self.say("one_output"), price

    def whole_step(self, row: pd.Series) -> float:
        """Return what a rule is loosened by where its price holds so far, in its user's unit."""
        if row["measure"] == "share" and row["factor"]:
            return float(row["bound"]) / float(row["factor"]) / 100
        return 1.0

    def room(self, row: pd.Series) -> float:
        """Return how far a price holds while the rule is loosened, in its user's unit."""
        end = float(row["price_from" if row["side"] == "min" else "price_to"])
        room = abs(end - float(row["bound"]))
        return room if room > _SMALL else math.inf  # NaN: without end, or not asked for

    def priced(self, goal: str, price: float) -> str:
        if goal.endswith((" money", " disbursed", " change")):
            return self.money(price, 3)  # 0,83 million must not become 1 million
        return self.number(price, _significant(price))

    def open_cells(self) -> Iterator[str]:
        cells = self.plan.cells
        if self.plan.undecided:
            is_open = cells["is_open"]
            yield self.say(
                "undecided",
                count=len(self.plan.undecided),
                amount=self.vnd(int(cells["amount"][is_open].sum())),
                base=self.base(),
                widest=self.widest(cells[is_open]),
            )
        for row in self.plan.reserve:
            if row["amount"]:
                name = self.rule(row["budget"])
                yield self.say("reserve", budget=name, amount=self.vnd(row["amount"]))

    def widest(self, cells: pd.DataFrame) -> str:
        """Name the cells that could lie furthest apart; nothing where ranges are not known."""
        if cells["lowest"].isna().any():
            return ""
        spread = (cells["highest"] - cells["lowest"]).sort_values(ascending=False, kind="stable")
        named = [
            self.say(
                "range",
                cell=self.cell(row),
                lowest=self.vnd(row["lowest"]),
                highest=self.vnd(row["highest"]),
            )
            for row in cells.loc[spread.index[:_WIDEST]].to_dict("records")
        ]
        return self.say("widest", names="; ".join(named))

    # ------------------------------------------------------------------ what it rests on

    def assumptions(self) -> Iterator[str]:
        cells, total = self.plan.cells, int(self.plan.cells["amount"].sum())
        if self.plan.data.synthetic:
            yield self.say("synthetic")
        if not total:
            return
        forecast = ~cells["basis"].isin(["given", ""])
        if cells["expected_disbursed"].notna().all() and forecast.any():
            borrowed = forecast & ~cells["basis"].isin(["cell", "forecast"])
            amount, lent = (int(cells["amount"][part].sum()) for part in (forecast, borrowed))
            yield self.say(
                "forecast_borrowed" if borrowed.any() else "forecast",
                amount=self.vnd(amount),
                share=self.number(100 * amount / total),
                count=int(borrowed.sum()),
                borrowed=self.vnd(lent),
            )
        named: dict[tuple[str, str], int] = {}
        for note in (*self.plan.data.notes, *self.plan.scenario.notes):
            if note.standing in _UNSURE and note.table:
                name = self.column(note.column or note.table)
                touched = self.touched(note)
                if touched:
                    named[name, note.standing] = touched
        if named:
            shown = [
                self.say(
                    "rests_on",
                    name=name,
                    standing=self.say(f"standing.{standing}"),
                    amount=self.vnd(amount),
                    share=self.number(100 * amount / total),
                )
                for (name, standing), amount in named.items()
            ]
            yield self.say("rests", names="; ".join(shown))
        bare = [rule for rule in self.plan.scenario.rules if not rule.basis]
        if bare:
            labels = [f"“{rule_label(rule.id, rule.text, self.language)}”" for rule in bare]
            yield self.say("bare", count=len(bare), names=self.listed(labels, "rule"))

    def touched(self, note: Note) -> int:
        """Return how much of the plan's money stands in cells that a note speaks of, VND."""
        cells, table = self.plan.cells, note.table
        if table == "absorption":
            return int(cells["amount"][cells["basis"] == "given"].sum())
        if table not in ("cells", "places"):
            return int(cells["amount"].sum())
        frame = getattr(self.plan.data, table)
        if note.column not in frame:
            return 0
        value = frame[note.column]
        held = frame[value.notna() & (value != "") & (value != 0)]
        keys = [key for key in CELL_KEYS[1:] if key in frame]
        inside = pd.MultiIndex.from_frame(cells[keys]).isin(pd.MultiIndex.from_frame(held[keys]))
        return int(cells["amount"][inside].sum())

    # ------------------------------------------------------------------ rounding, defaults

    def rounding(self) -> Iterator[str]:
        """Tell what rounding cost each tier and goal."""
        told = self.plan.rounding
        if not told:
            return
        costs = []
        for stage in told["stages"]:
            name, before, after = stage["name"], stage["settled"], stage["rounded"]
            lost = before - after if name.startswith("maximise") else after - before
            if lost > _NOTICED * max(abs(before), 1.0 if " " not in name else 0.0):
                is_goal = " " in name
                costs.append(
                    self.say(
                        "rounding.cost" if is_goal else "rounding.tier",
                        name=self.goal_name(name) if is_goal else self.say(f"tiers.{name}"),
                        before=self.goal_value(name, before),
                        after=self.goal_value(name, after),
                    )
                )
        whole = told["step"] % UNITS[self.plan.unit] == 0
        step = format_money(told["step"], self.plan.unit if whole else "vnd", self.language)
        if costs:
            moved = self.vnd(told["moved"])
            yield self.say("rounding.costs", step=step, moved=moved, costs="; ".join(costs))
        else:
            yield self.say("rounding.free", step=step)

    def defaults(self) -> Iterator[str]:
        """Name every default in force."""
        if self.plan.defaults:
            told = [default[self.language] for default in self.plan.defaults]
            yield self.say("in_force", count=len(told), names="; ".join(told))

    # ------------------------------------------------------------------ no plan

    def conflicts(self) -> Iterator[str]:
        for trouble in self.troubles():
            yield from trouble.told
            for text, _ in trouble.ways:
                yield self.say("repair.one", steps=text)
        for trouble in self.all_troubles():
            yield from trouble.told

    def troubles(self) -> Iterator[Trouble]:
        """Yield every conflict with its ways out."""
        for conflict in self.plan.conflicts:
            labels = self.labels(conflict["rules"], conflict["texts"])
            if "grid" in conflict:
                named = [f"“{label}”" for rule, label in labels.items() if rule != "round_to"]
                step = self.money(conflict["grid"], _DIGITS["billion_vnd"])
                rules = "; ".join(named) or self.say("every_rule")
                told = [self.say("grid", step=step, rules=rules)]
            else:
                shown = "; ".join(f"“{label}”" for label in labels.values())
                told = [self.say("conflict", rules=shown)]
            if conflict.get("sums"):
                told.append(self.sums(conflict["sums"], labels))
            if not conflict["repairs"]:
                told.append(self.say("repair.none"))
            ways = []
            for steps in _by_option(conflict["repairs"]):
                tail = "" if steps[0]["mends_all"] else self.say("repair.own")
                ways.append((self.repair(steps) + tail, tuple(steps)))
            yield Trouble(tuple(told), tuple(ways))

    def all_troubles(self) -> Iterator[Trouble]:
        """Yield what is to be said of the conflicts together: what mends all, if others remain."""
        together = [step for one in self.plan.conflicts for step in one.get("combination", ())]
        if together:
            steps = self.repair(together)
            told = self.say("repair.together", steps=steps)
            yield Trouble((told,), ((steps, tuple(together)),))
        if any("grid" not in one and not one["complete"] for one in self.plan.conflicts):
            yield Trouble((self.say("maybe_more"),))

    def sums(self, sums: Mapping[str, Any], labels: Mapping[str, str]) -> str:
        """Say what some rules ask for and what the others leave for it."""
        asks = "; ".join(f"“{labels[rule]}”" for rule in sums["needs"])
        rest = [f"“{label}”" for rule, label in labels.items() if rule not in sums["needs"]]
        year = "" if sums["year"] is None else self.say("in_year", year=sums["year"])
        needed, total, gap = (
            self.money(value) if sums["measure"] in _MONEY else self.outputs(value)
            for value in (sums["needed"], sums["total"], sums["needed"] - sums["total"])
        )
        values = {"needed": needed, "total": total, "gap": gap, "asks": asks, "year": year}
        text = self.say("sums", rest="; ".join(rest) or asks, **values)
        return text[0].upper() + text[1:]

    def repair(self, steps: Sequence[Mapping[str, Any]]) -> str:
        """Say the new number of every rule that gives way, and what that takes, all in all."""
        by_rule: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
        for step in steps:
            by_rule.setdefault((step["rule"], step["side"]), []).append(step)
        texts = {
            rule: text
            for conflict in self.plan.conflicts
            for rule, text in zip(conflict["rules"], conflict["texts"], strict=True)
        }
        return "; ".join(
            self.say(
                "repair.lower" if parts[0]["to"] < parts[0]["now"] else "repair.raise",
                rule=self.labels([rule], [texts.get(rule, "")])[rule],
                now=self.rule_number(parts[0], parts[0]["now"]),
                to=self.rule_number(parts[0], parts[0]["to"]),
                needs=self.needs(parts),
            )
            for (rule, _), parts in by_rule.items()
        )

    def rule_number(self, step: Mapping[str, Any], number: float) -> str:
        """Show a rule's own number: an amount, a share or another number."""
        if step["kind"] == "money":
            return self.money(number, _EXACT[self.plan.unit])
        if step["kind"] == "share":
            return self.say("percent", share=self.number(100 * number, 8))
        return self.number(number, 8)

    def needs(self, steps: Sequence[Mapping[str, Any]]) -> str:
        """Say which groups need a new number and what they give up in all; "" for a budget."""
        groups = [self.group(step["group"]) for step in steps if step["group"]]
        if not groups and steps[0]["kind"] == "money":
            return ""
        total = sum(step["by"] for step in steps)
        amount = self.money(total) if steps[0]["measure"] in _MONEY else self.outputs(total)
        if not groups:
            return self.say("repair.by", amount=amount)
        return self.say("repair.at", amount=amount, groups=self.listed(groups))

    def labels(self, rules: Sequence[str], texts: Sequence[str]) -> dict[str, str]:
        filled = [*texts, *[""] * (len(rules) - len(texts))]
        return {
            rule: rule_label(rule, text, self.language)
            for rule, text in zip(rules, filled, strict=True)
        }


def _by_option(steps: Sequence[Mapping[str, Any]]) -> list[list[Mapping[str, Any]]]:
    """Return the steps of every option, in order."""
    options = dict.fromkeys(step["option"] for step in steps)
    return [[step for step in steps if step["option"] == option] for option in options]


def _rounded(value: float, digits: int) -> Decimal:
    """Round half up after dropping the noise of arithmetic: equal numbers are shown equal."""
    exact = Decimal(repr(round(value, 8) + 0.0))
    return exact.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP).normalize()


def _significant(value: float) -> int:
    """Digits after the mark that show four figures of a number."""
    return 1 if abs(value) >= 1000 or not value else max(1, 3 - math.floor(math.log10(abs(value))))
