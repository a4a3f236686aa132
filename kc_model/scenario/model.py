"""What a scenario says: budgets, rules and goals, frozen and hashed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from decimal import ROUND_HALF_EVEN, Decimal
from functools import cache
from typing import Any

from kc_model.errors import Address, Fault
from kc_model.money import largest_remainder
from kc_model.tables import SCHEMAS, Note

__all__ = ["GOALS", "TIERS", "Budget", "Goal", "Rule", "Scenario", "Where"]

TIERS = ("law", "directive", "preference")
"""Standing of a rule: bắt buộc, theo chỉ đạo, ưu tiên."""

GOALS: Mapping[str, tuple[str, ...]] = {
    "maximise": ("money", "disbursed", "evenness", "outputs"),
    "minimise": ("change", "moves", "risk"),
}
"""What a goal can be about, by its sense; what is maximised may also be a column."""

_RATIOS = {"previous_year"} | {c.name for c in SCHEMAS["cells"].columns if c.kind == "money"}

Where = Mapping[str, tuple[str, ...]]
"""A selection: key or attribute -> any of these values, as text."""


@dataclass(frozen=True)
class Budget:
    """A pot of money and the cells it may be spent on.

    Parameters
    ----------
    amount : Decimal, in the dataset's unit
    where : mapping
        Cells it covers, by any key or attribute.
    pooled : bool
        Says in words that the row may move money between provinces or funds.
    text, basis : str
        For reports.
    """

    amount: Decimal
    where: Where
    pooled: bool = False
    text: str = ""
    basis: str = ""
    at: Address = field(default=Address(), compare=False)


@dataclass(frozen=True)
class Rule:
    """``min · B ≤ L ≤ max · B`` for every group; see the contract, section 3.

    Parameters
    ----------
    id : str
    min, max : Decimal or None
        None: that side is open. In the dataset's unit, in outputs, or a share, as `count`, `of`
        and `per` make it.
    where : mapping
        Cells that L adds up.
    each : tuple of str
        Keys or attributes whose values make the groups; empty: one group.
    of : None, mapping
        Cells of the whole that a share refers to (an empty mapping: all); None: no share.
    per : str
        Column whose sum the bounds are multiplied by, or ``previous_year``; "" for none.
    count : str
        "" money, ``outputs``, ``projects`` or ``column:NAME``.
    tier : {"law", "directive", "preference"}
    weight : Decimal
        Weight of one unit of shortfall within its tier.
    text, basis : str
        The rule in words and its legal or office ground.
    """

    id: str
    min: Decimal | None = None
    max: Decimal | None = None
    where: Where = field(default_factory=dict)
    each: tuple[str, ...] = ()
    of: Where | None = None
    per: str = ""
    count: str = ""
    tier: str = "law"
    weight: Decimal = Decimal(1)
    text: str = ""
    basis: str = ""
    at: Address = field(default=Address(), compare=False)

    @property
    def kind(self) -> str:
        """What its numbers are: ``money``, a ``share`` of money, or another ``number``."""
        if self.of is not None or (not self.count and self.per in _RATIOS):
            return "share"
        return "number" if self.per or self.count else "money"

    @property
    def project(self) -> str:
        """The project whose money it bounds, "" for none: a law on an amount ``where: {id: X}``."""
        is_plain = not (self.count or self.per or self.each) and self.of is None
        names = self.where.get("id", ()) if is_plain and set(self.where) == {"id"} else ()
        return names[0] if len(names) == 1 and self.tier == "law" else ""


@dataclass(frozen=True)
class Goal:
    """One wish, in its place in the order of importance.

    Parameters
    ----------
    sense : {"maximise", "minimise"}
    what : str
        money, disbursed, evenness, outputs, ``column:NAME``; change, moves, risk.
    where : mapping
        Cells its sums are limited to.
    per : str
        Column of evenness; "" otherwise.
    level : Decimal
        Level of risk.
    give : Decimal
        Share of its best that later goals may cost.
    down_to : Decimal or None
        What later goals may worsen it to, in its own (the user's) unit, in place of `give`; a best
        that is worse than this is kept. Not written in files: comparisons of plans ask for it.
    toward : tuple of float
        Of ``direction`` (Σ toward_i x_i, not written in files either): one number for each cell.
    """

    sense: str
    what: str
    where: Where = field(default_factory=dict)
    per: str = ""
    level: Decimal = Decimal("0.9")
    give: Decimal = Decimal(0)
    at: Address = field(default=Address(), compare=False)
    down_to: Decimal | None = None
    toward: tuple[float, ...] = ()

    @property
    def name(self) -> str:
        """The goal in the contract's words, such as ``maximise disbursed``."""
        return f"{self.sense} {self.what}"

    @property
    def is_count(self) -> bool:
        """Whether it counts things, which no unit of money measures."""
        return self.what in ("outputs", "moves")


@dataclass(frozen=True)
class Scenario:
    """A complete scenario, after ``extends``.

    Parameters
    ----------
    name : str
    year : int
        Budget year; the first one of a plan over several years.
    budget, rules, goals : tuple
    spend : {"all", "at_most", ""}
        "" takes the default: all, or at_most where projects are chosen.
    round_to : Decimal or None
        Grid of the amounts in the dataset's unit; None: one đồng.
    as_of : int or None
        Last month known, 0 to 12, of an adjustment within the year, where nobody asks for another;
        None: the plan is for the whole year.
    projects : {"choose", "ignore", ""}
        Whether the dataset's projects are chosen; ignored, money goes to cells as without a list.
        "" takes the default: choose.
    notes : tuple of Note
    warnings : tuple of Fault
    missed_up_to : mapping of str to Decimal
        Shortfall, million VND, that later stages may worsen a tier to; a best that is worse is
        kept. Not written in files: comparisons of plans ask for it.
    """

    name: str
    year: int
    budget: tuple[Budget, ...]
    rules: tuple[Rule, ...] = ()
    goals: tuple[Goal, ...] = ()
    spend: str = ""
    round_to: Decimal | None = None
    as_of: int | None = None
    projects: str = ""
    notes: tuple[Note, ...] = ()
    warnings: tuple[Fault, ...] = field(default=(), compare=False)
    at: Address = field(default=Address(), compare=False)
    missed_up_to: Mapping[str, Decimal] = field(default_factory=dict)

    @property
    def hash(self) -> str:
        """SHA-256 of what it says; where it was written down does not matter."""
        return hashlib.sha256(json.dumps(self.plain, sort_keys=True).encode()).hexdigest()

    @property
    def plain(self) -> dict[str, Any]:
        """Everything it says as mappings, lists, texts (numbers too) and None; see `of_plain`."""
        return dict(_plain(self))

    @classmethod
    def of_plain(cls, plain: Mapping[str, Any]) -> Scenario:
        """Return the scenario that `plain` was made of.

        Raises
        ------
        KeyError, TypeError, ValueError, ArithmeticError
            If it was made of none.
        """
        parts = dict(plain)
        for key, kind in (("budget", Budget), ("rules", Rule), ("goals", Goal), ("notes", Note)):
            parts[key] = tuple(kind(**_typed(part)) for part in parts[key])
        return cls(**_typed(parts))

    @property
    def shape(self) -> tuple[Any, ...]:
        """What it says apart from its numbers and words; equal shapes give the same rows."""
        budget = [(row.where, row.pooled) for row in self.budget]
        rules = [
            (r.id, r.min is None, r.max is None, r.where, r.each, r.of, r.per, r.count, r.tier)
            for r in self.rules
        ]
        goals = [(goal.name, goal.where, goal.per, goal.level) for goal in self.goals]
        return self.year, self.as_of, self.spend, self.projects, budget, rules, goals

    def month(self, asked: int | None) -> int | None:
        """Return the last month known: the one asked for, or else its own."""
        return self.as_of if asked is None else asked

    def with_rule(self, rule_id: str, **changes: Any) -> Scenario:
        """Return a copy in which one rule is changed.

        Raises
        ------
        KeyError
            If there is no such rule.
        """
        if rule_id not in {rule.id for rule in self.rules}:
            raise KeyError(rule_id)
        return replace(
            self,
            rules=tuple(
                replace(rule, **changes) if rule.id == rule_id else rule for rule in self.rules
            ),
        )

    def scaled(self, factor: Decimal, grid: Decimal) -> Scenario:
        """Return a copy with every budget multiplied, together to the exact total on the grid.

        Parameters
        ----------
        factor : Decimal
        grid : Decimal
            Step of every amount, in the dataset's unit.
        """
        amounts = [row.amount for row in self.budget]
        steps = int((factor * sum(amounts) / grid).to_integral_value(ROUND_HALF_EVEN))
        parts = largest_remainder([float(amount) for amount in amounts], steps)
        rows = zip(self.budget, parts.tolist(), strict=True)
        return replace(self, budget=tuple(replace(row, amount=grid * part) for row, part in rows))


_NUMBERS = ("amount", "min", "max", "weight", "level", "give", "down_to", "round_to")


def _typed(part: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of one part as its class has them."""
    typed = dict(part)
    for key in _NUMBERS:
        if typed.get(key) is not None:
            typed[key] = Decimal(typed[key])
    for key in ("where", "of"):
        if typed.get(key) is not None:
            typed[key] = {name: tuple(values) for name, values in typed[key].items()}
    for key in ("each", "toward"):
        if key in typed:
            typed[key] = tuple(typed[key])
    if "missed_up_to" in typed:
        limits = typed["missed_up_to"].items()
        typed["missed_up_to"] = {tier: Decimal(most) for tier, most in limits}
    return typed


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, (str, int)):  # most of it
        return value
    if isinstance(value, Decimal):
        return format(value.normalize(), "f")
    if isinstance(value, (tuple, list)):
        return [_plain(part) for part in value]
    if isinstance(value, Mapping):
        return {key: _plain(part) for key, part in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        return {name: _plain(getattr(value, name)) for name in _compared(type(value))}
    return value


@cache
def _compared(kind: type[Any]) -> tuple[str, ...]:
    return tuple(part.name for part in fields(kind) if part.compare)
