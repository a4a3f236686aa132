"""What a planner decides line by line, said as rules of the scenario: a project in or out.

So a decision is saved with the scenario, proven with the plan, named where it contradicts a law,
and undone like any other change.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

from kc_model.scenario import Rule, Scenario
from kc_model.wording import say

__all__ = ["HELD", "IN", "OUT", "decide", "decided", "is_decision", "is_refusal"]

IN, OUT = "in", "out"
HELD = "refused"
_REFUSED = "refuse-"  # a move that is not made, see `kc_model.refuse`


def decided(scenario: Scenario) -> Mapping[str, str]:
    """Return the projects that a scenario forces: id -> ``in``, ``out`` or ``refused``.

    Parameters
    ----------
    scenario : Scenario
        Whoever wrote its rules: any rule of a single project that leaves it no choice counts; one
        that a refused move left is told as such.
    """
    found = {}
    for rule in scenario.rules:
        if one := _project(rule):
            found[one] = HELD if is_refusal(rule) else IN if rule.min == 1 else OUT
    return found


def decide(scenario: Scenario, project: str, name: str, choice: str) -> Scenario:
    """Return the scenario in which a project has to be chosen, must not be, or is left open.

    Parameters
    ----------
    project, name : str
        Its id, and what it is called in the rule's text.
    choice : {"in", "out", ""}
    """
    rules = tuple(rule for rule in scenario.rules if _project(rule) != project)
    if choice:
        made = Rule(
            id=f"{choice}-{project}",
            where={"id": (project,)},
            count="projects",
            text=say(f"screen.projects.rules.{choice}", "vi", id=project, name=name),
            basis=say("screen.projects.rules.basis", "vi"),
            min=Decimal(1) if choice == IN else None,
            max=Decimal(0) if choice == OUT else None,
        )
        rules = (*(rule for rule in rules if rule.id != made.id), made)
    return replace(scenario, rules=rules)


def is_decision(rule: Rule) -> bool:
    """Whether a rule is about one line that a planner ticked: no slider moves it."""
    return bool(_project(rule)) or is_refusal(rule)


def is_refusal(rule: Rule) -> bool:
    """Whether a rule holds what a refused move would have moved."""
    return rule.id.startswith(_REFUSED)


def _project(rule: Rule) -> str:
    """Return the project that a rule forces in or out, or holds; "" for any other rule."""
    if is_refusal(rule) and rule.project:
        return rule.project
    is_one = rule.count == "projects" and set(rule.where) == {"id"} and len(rule.where["id"]) == 1
    is_bound = (rule.min, rule.max) in ((Decimal(1), None), (None, Decimal(0)))
    is_plain = not rule.each and rule.of is None and not rule.per and rule.tier == "law"
    return rule.where["id"][0] if is_one and is_bound and is_plain else ""
