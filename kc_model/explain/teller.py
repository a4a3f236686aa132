"""What every part of a plan's story needs: the plan, its words, what its rules are called."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from functools import cached_property
from typing import Any, Protocol, TypeAlias

import pandas as pd

from kc_model.errors import Fault
from kc_model.explain.naming import budget_texts, rule_label, rule_texts
from kc_model.scenario import Scenario
from kc_model.tables import CELL_KEYS, Dataset, Note
from kc_model.wording import Language, say
from kc_model.words import Words

__all__ = ["SMALL", "Explained", "Teller"]

SMALL = 1e-6
"""Of a gap or a price: less is none."""

_MONEY = ("money", "share")


class _Explained(Protocol):
    """What `explain` reads of an allocation; see `kc_model.results.Allocation`."""

    # Properties, because the fields of a frozen dataclass may only be read.
    @property
    def status(self) -> str: ...
    @property
    def stopped(self) -> bool: ...
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
    def warnings(self) -> tuple[Fault, ...]: ...
    @property
    def data(self) -> Dataset: ...
    @property
    def scenario(self) -> Scenario: ...
    @property
    def notes(self) -> tuple[Note, ...]: ...
    @property
    def projects(self) -> pd.DataFrame: ...
    @property
    def whys(self) -> pd.DataFrame: ...
    @property
    def gap(self) -> float | None: ...
    @property
    def effects(self) -> pd.DataFrame: ...
    @property
    def rounding(self) -> Mapping[str, Any]: ...
    @property
    def defaults(self) -> tuple[Mapping[str, str], ...]: ...


Explained: TypeAlias = _Explained
"""What `explain` reads of an allocation."""


class Teller:
    """Speaks of one plan in one language.

    Parameters
    ----------
    plan : Allocation
    language : {"vi", "en"}

    Attributes
    ----------
    words : Words
    """

    def __init__(self, plan: Explained, language: Language) -> None:
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
        texts = dict(zip(rules["id"], rules["text"], strict=True))
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

    def quantity(self, measure: str, value: float) -> str:
        """Show an amount in a row's own unit."""
        return self.words.money(value) if measure in _MONEY else self.words.outputs(value)
