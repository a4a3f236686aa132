"""A scenario as YAML that reads back equal."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import yaml

from kc_model.scenario.model import Budget, Goal, Rule, Scenario, Where

__all__ = ["scenario_yaml"]


class _Number(str):
    """Machine text of a number, written without quotes."""

    __slots__ = ()


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, _data: Any) -> bool:
        return True


_Dumper.add_representer(
    _Number, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:float", text)
)


def scenario_yaml(scenario: Scenario) -> str:
    """Return a scenario as YAML; `read_scenario` of it gives an equal scenario.

    Parameters
    ----------
    scenario : Scenario
        Complete: what it extended is written out.
    """
    said = {
        "name": scenario.name,
        "year": _Number(scenario.year),
        "budget": [_budget(row) for row in scenario.budget],
        "spend": scenario.spend,
        "rules": [_rule(rule) for rule in scenario.rules],
        "goals": [_goal(goal) for goal in scenario.goals],
        "round_to": _number(scenario.round_to),
        "as_of": None if scenario.as_of is None else _Number(scenario.as_of),
        "projects": scenario.projects,
        "notes": [_filled(vars(note)) for note in scenario.notes],
    }
    text: str = yaml.dump(
        _filled(said), Dumper=_Dumper, allow_unicode=True, sort_keys=False, width=100
    )
    return text


def _filled(said: dict[str, Any]) -> dict[str, Any]:
    """Leave out what says nothing."""
    return {key: value for key, value in said.items() if value not in (None, "", [], {})}


def _number(value: Decimal | None) -> _Number | None:
    return None if value is None else _Number(format(value, "f"))


def _where(where: Where) -> dict[str, list[str]]:
    return {key: list(values) for key, values in where.items()}


def _what(text: str) -> str | dict[str, str]:
    kind, _, column = text.partition(":")
    return {"column": column} if kind == "column" else text


def _budget(row: Budget) -> dict[str, Any]:
    said = {"where": _where(row.where), "amount": _number(row.amount)}
    return _filled(
        {**said, "pooled": "true" if row.pooled else "", "text": row.text, "basis": row.basis}
    )


def _rule(rule: Rule) -> dict[str, Any]:
    of: str | dict[str, list[str]] | None = None
    if rule.of is not None:
        of = _where(rule.of) or "all"
    said = {
        "id": rule.id,
        "text": rule.text,
        "each": list(rule.each),
        "where": _where(rule.where),
        "of": of,
        "per": rule.per,
        "count": _what(rule.count),
        "min": _number(rule.min),
        "max": _number(rule.max),
        "tier": rule.tier,
        "weight": _number(rule.weight),
        "basis": rule.basis,
    }
    return _filled(said)


def _goal(goal: Goal) -> dict[str, Any]:
    said = {
        goal.sense: _what(goal.what),
        "per": goal.per,
        "where": _where(goal.where),
        "level": _number(goal.level),
        "give": _number(goal.give),
    }
    return _filled(said)
