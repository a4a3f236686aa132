"""What every part of a plan's story needs: the plan, its words, what its rules are called."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from functools import cached_property
from typing import Any

from kc_model.explain.naming import budget_texts, rule_label, rule_texts
from kc_model.plan import Plan
from kc_model.tables import CELL_KEYS
from kc_model.wording import Language, say
from kc_model.words import Words

__all__ = ["SMALL", "Teller"]

SMALL = 1e-6
"""Of a gap or a price: less is none."""

_MONEY = ("money", "share")


class Teller:
    """Speaks of one plan in one language.

    Attributes
    ----------
    words : Words
    """

    def __init__(self, plan: Plan, language: Language) -> None:
        self.plan, self.language = plan, language
        self.words = Words.of(plan, language)

    def say(self, key: str, **values: object) -> str:
        """Return a text of this room."""
        return say(f"explain.{key}", self.language, **values)

    def base(self) -> str:
        """Say what the plan is compared with."""
        if self.plan.as_of is not None:
            return self.say("base.in_force")
        if self.plan.baseline_year is not None:
            return self.say("base.year", year=self.plan.baseline_year)
        return self.say("base.given")

    def cell(self, cell: Mapping[Hashable, Any]) -> str:
        """Return a cell by the names of its keys, those of which the plan has more than one."""
        keys = [key for key in CELL_KEYS if len(set(self.plan.cells[key])) > 1]
        named = [self.words.name(str(cell[key]), key) for key in keys if cell[key]]
        return " – ".join(named) or self.words.name(str(cell["area"]), "area")

    def rule(self, rule_id: str) -> str:
        """Return a rule or budget as a planner knows it, or the cells' own bounds together."""
        if rule_id.startswith("bound|"):
            return self.say(f"bounds.{rule_id.removeprefix('bound|')}")
        if rule_id.startswith("bound:"):
            cell, _, side = rule_id.removeprefix("bound:").rpartition(":")
            return self.say(f"bound.{side}", cell=self.words.group(cell))
        return rule_label(rule_id, self._texts.get(rule_id, ""), self.language)

    @cached_property
    def _texts(self) -> dict[str, str]:
        rules = self.plan.rule_rows
        # Without a plan there are no rows.
        texts = dict(zip(rules["id"], rules["text"], strict=True)) if len(rules) else {}
        scenario = self.plan.scenario
        named = rule_texts(scenario.rules, self.words) | budget_texts(scenario.budget, self.words)
        return texts | named

    def goal(self, number: int) -> str:
        """Return goal number 1, 2, ... by its number and name."""
        name = self.words.goal(self.plan.goals[number - 1]["name"])
        return self.say("numbered", number=number, goal=name)

    def per(self, number: int) -> str:
        """Return the column of a goal of evenness."""
        return self.plan.scenario.goals[number - 1].per

    def quantity(self, measure: str, value: float, digits: int | None = None) -> str:
        """Show an amount in a row's own unit."""
        if measure == "projects":
            return self.say("counted", count=self.words.number(value, digits))
        show = self.words.money if measure in _MONEY else self.words.outputs
        return show(value, digits)
