"""A plan in sentences: what it gives, what binds and what that costs, who loses, what is open."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Protocol

import pandas as pd

from kc_model import reference
from kc_model.money import UNITS, format_money, format_number
from kc_model.wording import Language, say

__all__ = ["explain", "rule_label"]

_SHOWN = 5
_MONEY = ("money", "share")
_SMALL = 1e-6
_NOTICED = 5e-4  # of the baseline: less is rounding
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
        return self.number(value, _significant(value))

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

    def listed(self, names: Sequence[str]) -> str:
        """Show the first few of a list and how many more there are."""
        more = len(names) - _SHOWN
        tail = self.say("and_more", count=more) if more > 0 else ""
        return ", ".join(names[:_SHOWN]) + tail

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
                if len(chosen):
                    shown = [self.change(str(c), int(chosen[c]), sums.loc[c]) for c in chosen.index]
                    yield self.say(f"{side}.{key}", base=self.base(), names=self.listed(shown))

    def base(self) -> str:
        """Say what the plan is compared with."""
        if self.plan.as_of is not None:
            return self.say("base.in_force")
        if self.plan.baseline_year is not None:
            return self.say("base.year", year=self.plan.baseline_year)
        return self.say("base.given")

    def change(self, code: str, amount: int, sums: pd.Series) -> str:
        sign = "+" if amount > 0 else "−"
        values = {"name": self.name(code), "amount": sign + self.vnd(abs(amount))}
        baseline = int(sums["baseline"])
        if not baseline:
            return self.say("change_new", **values)
        return self.say("change", **values, share=sign + self.number(100 * abs(amount) / baseline))

    def prices(self) -> Iterator[str]:
        rules = self.plan.rule_rows
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
        label = rule_label(rule_id, top["text"], self.language)
        step, price = self.step(top)
        return self.say(
            "price.disbursed" if goal == "maximise disbursed" else "price.other",
            rule=label,
            groups=groups,
            step=step,
            goal=self.goal_name(goal),
            price=self.priced(goal, price),
        )

    def step(self, row: pd.Series) -> tuple[str, float]:
        """Say by what a rule is loosened, a unit or a point of a share, and what that gives."""
        price = float(row["price"])
        if row["measure"] == "share" and row["factor"]:
            limit = self.number(100 * float(row["factor"]), 2)
            whole = float(row["bound"]) / float(row["factor"])
            return self.say("one_point", limit=limit), price * whole / 100
        if row["measure"] == "money":
            return self.money(1.0), price
        return self.say("one_output"), price

    def priced(self, goal: str, price: float) -> str:
        if goal.endswith((" money", " disbursed", " change")):
            return self.money(price, 3)  # 0,83 million must not become 1 million
        return self.number(price, _significant(price))

    def open_cells(self) -> Iterator[str]:
        if self.plan.undecided:
            count = len(self.plan.undecided)
            yield self.say("undecided", count=count, base=self.base())
        for row in self.plan.reserve:
            if row["amount"]:
                number = str(row["budget"]).removeprefix("budget:")
                yield self.say("reserve", budget=number, amount=self.vnd(row["amount"]))

    # ------------------------------------------------------------------ no plan

    def conflicts(self) -> Iterator[str]:
        for conflict in self.plan.conflicts:
            labels = self.labels(conflict["rules"], conflict["texts"])
            if "grid" in conflict:
                named = [f"“{label}”" for rule, label in labels.items() if rule != "round_to"]
                step = self.money(conflict["grid"], _DIGITS["billion_vnd"])
                rules = "; ".join(named) or self.say("every_rule")
                yield self.say("grid", step=step, rules=rules)
            else:
                shown = "; ".join(f"“{label}”" for label in labels.values())
                yield self.say("conflict", rules=shown)
            if conflict.get("sums"):
                yield self.sums(conflict["sums"], labels)
            for steps in _by_option(conflict["repairs"]):
                tail = "" if steps[0]["mends_all"] else self.say("repair.own")
                yield self.say("repair.one", steps=self.repair(steps), tail=tail)
            if not conflict["repairs"]:
                yield self.say("repair.none")
        together = [step for one in self.plan.conflicts for step in one.get("combination", ())]
        if together:
            yield self.say("repair.together", steps=self.repair(together))
        if any("grid" not in one and not one["complete"] for one in self.plan.conflicts):
            yield self.say("maybe_more")

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
