"""A plan in sentences: what it gives, what binds and what that costs, who loses, what is open."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Protocol

import pandas as pd

from kc_model import reference
from kc_model.money import UNITS, format_money, format_number
from kc_model.wording import Language, say

__all__ = ["explain", "rule_label"]

_SHOWN = 5
_SMALL = 1e-6
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
    def cells(self) -> pd.DataFrame: ...
    @property
    def rules(self) -> pd.DataFrame: ...
    @property
    def goals(self) -> tuple[Mapping[str, Any], ...]: ...
    @property
    def undecided(self) -> tuple[str, ...]: ...
    @property
    def reserve(self) -> tuple[Mapping[str, Any], ...]: ...
    @property
    def conflicts(self) -> tuple[Mapping[str, Any], ...]: ...


def explain(plan: _Explained, language: Language = "vi") -> list[str]:
    """Return the plan in sentences, what is lost before what is won.

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
        return [say("explain.limit", language)]
    if plan.status != "optimal":
        return list(teller.conflicts())
    return [
        *teller.totals(),
        *teller.missed(),
        *teller.changes(),
        *teller.prices(),
        *teller.open_cells(),
    ]


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
        vnd = Decimal(repr(round(amount, digits))) * UNITS[self.plan.unit]
        return format_money(vnd, self.plan.unit, self.language)

    def vnd(self, amount: float) -> str:
        return self.money(amount / UNITS[self.plan.unit])

    def number(self, value: float, digits: int = 1) -> str:
        return format_number(value, digits, self.language)

    def group(self, values: str) -> str:
        """Show a group's values as names."""
        return ", ".join(self.name(value) for value in values.split("|"))

    def name(self, value: str) -> str:
        if value in reference.place_order(self.plan.vintage):
            return reference.place_name(value, self.plan.vintage, self.language)
        if value in reference.area_order():
            return reference.area_name(value, self.language)
        if value in reference.source_order():
            return reference.source_name(value, self.language)
        return value

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
            yield self.say(
                "goal",
                number=number,
                goal=self.goal_name(goal["name"]),
                achieved=self.goal_value(goal["name"], goal["achieved"]),
                best=self.goal_value(goal["name"], goal["best"]),
            )

    def goal_name(self, name: str) -> str:
        what, _, column = name.split(" ", 1)[1].partition(":")
        return self.say(f"goals.{what}", column=column)

    def goal_value(self, name: str, value: float) -> str:
        if name.endswith((" money", " disbursed", " change")):
            return self.money(value)
        return self.number(value, 4 if abs(value) < 1 else 1)

    def missed(self) -> Iterator[str]:
        rules = self.plan.rules
        for rule_id, rows in rules[rules["status"] == "missed"].groupby("id", sort=False):
            first = rows.iloc[0]
            worst = rows.sort_values("shortfall", ascending=False, kind="stable")
            groups = [self.group(group) for group in worst["group"].head(_SHOWN) if group]
            more = len(rows) - len(groups)
            shown = ", ".join(groups) or "—"
            if groups and more:
                shown += self.say("and_more", count=more)
            yield self.say(
                "missed",
                rule=rule_label(str(rule_id), first["text"], self.language),
                tier=self.say(f"tiers.{first['tier']}"),
                amount=self.amount(first, float(rows["shortfall"].sum())),
                groups=shown,
            )

    def amount(self, row: pd.Series, value: float) -> str:
        """Show an amount in the row's own unit."""
        if row["measure"] == "money":
            return self.money(value)
        return self.say("outputs", amount=self.number(value))

    def changes(self) -> Iterator[str]:
        by_place = self.plan.cells.groupby("place", sort=False)[["amount", "baseline"]].sum()
        change = (by_place["amount"] - by_place["baseline"]).astype("int64")
        baseline = by_place["baseline"].astype("int64").to_dict()
        if not any(baseline.values()):
            return
        for key, places in (
            ("losers", change[change < 0].sort_values(kind="stable")),
            ("winners", change[change > 0].sort_values(ascending=False, kind="stable")),
        ):
            if len(places):
                shown = [
                    self.change(str(place), int(amount), int(baseline[place]))
                    for place, amount in places.head(_SHOWN).items()
                ]
                more = len(places) - len(shown)
                tail = self.say("and_more", count=more) if more else ""
                yield self.say(key, places=", ".join(shown) + tail)

    def change(self, place: str, amount: int, baseline: int) -> str:
        sign = "+" if amount > 0 else "−"
        values = {
            "place": reference.place_name(place, self.plan.vintage, self.language),
            "amount": sign + self.vnd(abs(amount)),
        }
        if not baseline:
            return self.say("change_new", **values)
        return self.say("change", **values, share=sign + self.number(100 * abs(amount) / baseline))

    def prices(self) -> Iterator[str]:
        rules = self.plan.rules
        if not self.plan.goals or not rules["price"].notna().any():
            return
        priced = rules[rules["price"] > _SMALL].sort_values("price", ascending=False, kind="stable")
        if priced.empty:
            yield self.say("free")
        for rule_id, rows in list(priced.groupby("id", sort=False))[:_SHOWN]:
            yield self.price(str(rule_id), rows)

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
        is_money = top["measure"] == "money"
        return self.say(
            "price.disbursed" if goal == "maximise disbursed" else "price.other",
            rule=rule_label(rule_id, top["text"], self.language),
            groups=groups,
            step=self.money(1.0) if is_money else self.say("one_output"),
            goal=self.goal_name(goal),
            price=self.priced(goal, float(top["price"])),
        )

    def priced(self, goal: str, price: float) -> str:
        if goal.endswith((" money", " disbursed", " change")):
            return self.money(price, 3)  # 0,83 million must not become 1 million
        return self.number(price, 4)

    def open_cells(self) -> Iterator[str]:
        if self.plan.undecided:
            yield self.say("undecided", count=len(self.plan.undecided))
        for row in self.plan.reserve:
            if row["amount"]:
                number = str(row["budget"]).removeprefix("budget:")
                yield self.say("reserve", budget=number, amount=self.vnd(row["amount"]))

    # ------------------------------------------------------------------ no plan

    def conflicts(self) -> Iterator[str]:
        for conflict in self.plan.conflicts:
            labels = self.labels(conflict["rules"], conflict["texts"])
            shown = "; ".join(f"“{label}”" for label in labels.values())
            if "grid" in conflict:
                yield self.say("grid", step=self.money(conflict["grid"]), rules=shown)
                continue
            yield self.say("conflict", rules=shown)
            for repair in conflict["repairs"]:
                group = f" ({self.group(repair['group'])})" if repair["group"] else ""
                is_money = repair["measure"] == "money"
                yield self.say(
                    "repair",
                    rule=labels[repair["rule"]],
                    group=group,
                    amount=self.money(repair["by"])
                    if is_money
                    else self.say("outputs", amount=self.number(repair["by"], 4)),
                )

    def labels(self, rules: Sequence[str], texts: Sequence[str]) -> dict[str, str]:
        filled = [*texts, *[""] * (len(rules) - len(texts))]
        return {
            rule: rule_label(rule, text, self.language)
            for rule, text in zip(rules, filled, strict=True)
        }
