"""What a slider may move: a scenario's total, a bound of a rule, what a goal may lose."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import lru_cache
from itertools import combinations
from typing import Any

from kc_model.explain import renumbered, rule_label, rule_texts
from kc_model.money import MILLION, SHOWN, UNITS, format_number, unit_name
from kc_model.scenario import Rule, Scenario
from kc_model.tables import SCHEMAS
from kc_model.wording import Language, say
from kc_model.words import Words
from kc_model.workbench.deciding import is_decision

__all__ = [
    "GoalLever",
    "Lever",
    "RuleLever",
    "TotalLever",
    "grid_of",
    "levers_of",
    "move",
    "roundings",
]

_SHARES = {column.name for column in SCHEMAS["cells"].columns if column.kind == "money"}
_SHARES |= {"previous_year"}
_HALF_PERCENT, _TENTH = Decimal("0.005"), Decimal("0.1")
_READABLE = _TENTH * MILLION  # VND: shares of a moved total have one digit at the most
_DIGITS = 4  # behind the mark of a step that is offered


@dataclass(frozen=True)
class Lever:
    """One number of a scenario that a slider moves.

    Parameters
    ----------
    start : Decimal
        What the scenario says: in the dataset's unit, or a share or number.
    kind : {"money", "share", "number"}
    unit : str
        The dataset's unit.
    """

    start: Decimal
    kind: str
    unit: str

    @property
    def key(self) -> str:
        """``total``; ``rule-id:min``, ``rule-id:max``; ``goal:1``."""
        return "total"

    def choices(self) -> tuple[Decimal, ...]:
        """Return what the slider offers, in order, the scenario's own value among it."""
        raise NotImplementedError

    def title(self, value: Decimal, language: Language) -> str:
        """Return what the slider stands for, once it is at a value."""
        raise NotImplementedError

    def apply(self, scenario: Scenario, value: Decimal) -> Scenario:
        """Return the scenario with this number changed."""
        raise NotImplementedError

    def number(self, value: Decimal, language: Language) -> str:
        """Return a value without its unit: 57,4 for a share of 0.574; money as it is shown."""
        return format_number(self._in_shown(value), None, language)

    def shown(self, value: Decimal, language: Language, digits: int = 0) -> str:
        """Return a value as the slider shows it: 57,4 % or 170.800 triệu đồng.

        Parameters
        ----------
        digits : int
            After the decimal mark, at the least, of money.
        """
        if self.kind != "money":
            return say(f"screen.{self.kind}", language, number=self.number(value, language))
        digits = max(digits, self.digits(value))
        number = format_number(self._in_shown(value), digits, language)
        return f"{number} {unit_name(SHOWN[self.unit], language)}"

    def digits(self, value: Decimal) -> int:
        """Return the digits after the mark that show a value in full."""
        return max(0, -int(self._in_shown(value).normalize().as_tuple().exponent))

    def _in_shown(self, value: Decimal) -> Decimal:
        """Return a value as it is shown and typed: percent; money in the unit people are told."""
        if self.kind == "money":
            return value * UNITS[self.unit] / UNITS[SHOWN[self.unit]]
        return 100 * value if self.kind == "share" else value


@dataclass(frozen=True)
class TotalLever(Lever):
    """All budgets together, scaled alike; in percent where budgets overlap and have no sum.

    Parameters
    ----------
    grid : Decimal
        Step of every amount, in the dataset's unit: whole steps of the scenario's, a tenth of a
        million VND at the least.
    """

    grid: Decimal

    @classmethod
    def of(cls, scenario: Scenario, unit: str) -> TotalLever:
        """Return the lever of a scenario's total."""
        amounts = tuple(row.amount for row in scenario.budget)
        grid = grid_of(scenario, unit)
        grid *= math.ceil(_READABLE / UNITS[unit] / grid)
        has_sum = _are_apart(tuple(frozenset(row.where.items()) for row in scenario.budget))
        start, kind = (sum(amounts, Decimal(0)), "money") if has_sum else (Decimal(1), "share")
        return cls(start, kind, unit, grid)

    def choices(self) -> tuple[Decimal, ...]:
        """Return about a hundred round steps from half the total to one and a half times it."""
        step = _HALF_PERCENT
        if self.kind == "money" and self.start:
            step = _round_step(self.start / 100)
            step = self.grid * math.ceil(step / self.grid)
        return _steps(self.start, self.start / 2, self.start * 3 / 2, step)

    def title(self, value: Decimal, language: Language) -> str:  # noqa: ARG002
        """Return what it is called; the value stands beside it."""
        return say("screen.total", language)

    def apply(self, scenario: Scenario, value: Decimal) -> Scenario:
        """Return the scenario with every budget scaled; together they keep the exact total."""
        if value == self.start:
            return scenario
        return scenario.scaled(value / self.start, self.grid)


@dataclass(frozen=True)
class RuleLever(Lever):
    """The lower or upper bound of one rule, whose words follow the value.

    Parameters
    ----------
    rule : Rule
        As the scenario has it.
    side : {"min", "max"}
    vintage : {"63", "34"}
        Of the places it names.
    """

    rule: Rule
    side: str
    vintage: str = "34"

    @classmethod
    def of(cls, rule: Rule, side: str, unit: str, vintage: str = "34") -> RuleLever | None:
        """Return the lever of one side of a rule; None where that side is open."""
        start: Decimal | None = getattr(rule, side)
        if start is None:
            return None
        is_share = rule.of is not None or rule.per in _SHARES
        kind = "share" if is_share else "number" if rule.per or rule.count else "money"
        return cls(start, kind, unit, rule, side, vintage)

    @property
    def key(self) -> str:
        """Rule and side."""
        return f"{self.rule.id}:{self.side}"

    def choices(self) -> tuple[Decimal, ...]:
        """Return half percentage points from 0 to 100 %, or round steps to the double."""
        top = Decimal(1) if self.kind == "share" and self.start <= 1 else 2 * self.start
        top = top or Decimal(100)
        step = _round_step(top / 100)
        if self.kind == "share":
            step = max(_HALF_PERCENT, _round_step(top / 400))
        return _steps(self.start, Decimal(0), top, step)

    def title(self, value: Decimal, language: Language) -> str:
        """Return the rule as a planner knows it, the value filled in; the side where unclear."""
        changes: dict[str, Any] = {self.side: value, "text": self._told(self.rule, value)}
        told = replace(self.rule, **changes)
        names = rule_texts([told], Words(self.unit, self.vintage, language))
        label = rule_label(self.rule.id, names[self.rule.id], language)
        if self.rule.text and None in (self.rule.min, self.rule.max):
            return label
        return say(f"screen.side.{self.side}", language, rule=label)

    def apply(self, scenario: Scenario, value: Decimal) -> Scenario:
        """Return the scenario with the bound moved, its text too."""
        (rule,) = (rule for rule in scenario.rules if rule.id == self.rule.id)
        changes = {self.side: value, "text": self._told(rule, value)}
        return scenario.with_rule(rule.id, **changes)

    def _told(self, rule: Rule, value: Decimal) -> str:
        return renumbered(rule.text, self.start, value, rule.kind, self.unit)


@dataclass(frozen=True)
class GoalLever(Lever):
    """The share of its best that a goal may lose for those after it.

    Parameters
    ----------
    name : str
        Of the goal.
    place : int
        Its place in the order, from 1.
    """

    name: str
    place: int

    @property
    def key(self) -> str:
        """The goal's place."""
        return f"goal:{self.place}"

    def choices(self) -> tuple[Decimal, ...]:
        """Return half percentage points up to ten percent, or to twice what it is."""
        return _steps(self.start, Decimal(0), max(_TENTH, 2 * self.start), _HALF_PERCENT)

    def title(self, value: Decimal, language: Language) -> str:  # noqa: ARG002
        """Return which goal gives way."""
        goal = Words(self.unit, "34", language).goal(self.name)  # names no place
        return say("screen.gives", language, number=self.place, goal=goal)

    def apply(self, scenario: Scenario, value: Decimal) -> Scenario:
        """Return the scenario in which the goal gives so much."""
        at = self.place - 1
        changed = replace(scenario.goals[at], give=value)
        return replace(scenario, goals=(*scenario.goals[:at], changed, *scenario.goals[at + 1 :]))


def grid_of(scenario: Scenario, unit: str) -> Decimal:
    """Return the step of every amount in a scenario, in the dataset's unit."""
    return scenario.round_to or Decimal(1) / UNITS[unit]


def roundings(scenario: Scenario, unit: str, language: Language) -> list[tuple[str, Decimal]]:
    """Return the steps amounts can be rounded to, with words, the scenario's own among them.

    From a đồng to a hundred million, as far as they can be told in the unit of the screen.
    """
    dong = Lever(Decimal(1) / UNITS[unit], "money", unit)
    steps = {dong.start * 10**power: power for power in (3, 4, 5, 6, 7, 8)}
    offered = [step for step in steps if dong.digits(step) <= _DIGITS]
    named = {step: dong.shown(step, language) for step in (*offered, grid_of(scenario, unit))}
    named[dong.start] = f"1 {unit_name('vnd', language)}"
    return [(named[step], step) for step in sorted(named)]


def levers_of(scenario: Scenario, unit: str, vintage: str = "34") -> tuple[Lever, ...]:
    """Return every lever of a scenario: its total, the rules' bounds in their order, its goals.

    Rules about one project or one cell have none: those are ticked; nor has the last goal, which
    nothing comes after.
    """
    rules = [rule for rule in scenario.rules if not is_decision(rule)]
    sides = [(rule, side) for rule in rules for side in ("min", "max")]
    found = [RuleLever.of(rule, side, unit, vintage) for rule, side in sides]
    goals = [
        GoalLever(goal.give, "share", unit, goal.name, place)
        for place, goal in enumerate(scenario.goals[:-1], 1)
    ]
    return (TotalLever.of(scenario, unit), *(one for one in found if one is not None), *goals)


def move(scenario: Scenario, levers: Sequence[Lever], values: Mapping[str, Decimal]) -> Scenario:
    """Return the scenario with levers moved.

    Parameters
    ----------
    levers : sequence of Lever
        Made from this scenario.
    values : mapping of key to Decimal
        Levers that are not named stay.
    """
    for lever in levers:
        if values.get(lever.key, lever.start) != lever.start:
            scenario = lever.apply(scenario, values[lever.key])
    return scenario


@lru_cache(maxsize=16)
def _are_apart(cells: tuple[frozenset[tuple[str, tuple[str, ...]]], ...]) -> bool:
    """Whether some key keeps every two of some budgets from sharing a cell."""
    pairs = combinations([dict(one) for one in cells], 2)
    return all(
        any(set(one[key]).isdisjoint(other[key]) for key in one.keys() & other.keys())
        for one, other in pairs
    )


def _steps(start: Decimal, low: Decimal, high: Decimal, step: Decimal) -> tuple[Decimal, ...]:
    numbers = range(math.ceil(low / step), math.floor(high / step) + 1)
    return tuple(sorted({step * number for number in numbers} | {start}))


def _round_step(value: Decimal) -> Decimal:
    """Return the largest of 1, 2 and 5 times a power of ten that is at most a value."""
    power = Decimal(1).scaleb(value.adjusted())
    return max(digit * power for digit in (1, 2, 5) if digit * power <= value)
