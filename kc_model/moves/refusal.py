"""Moves refused: the scenario in which they are not made."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pandas as pd

from kc_model import reference
from kc_model.money import UNITS
from kc_model.moves.listing import (
    called,
    changed,
    code_of,
    find_moves,
    keys_of,
    refusal_id,
    step_of,
)
from kc_model.plan import Plan
from kc_model.scenario import Rule, Scenario, Where
from kc_model.wording import say

__all__ = ["refuse"]


def refuse(plan: Plan, numbers: Collection[int]) -> Scenario:
    """Return the plan's scenario in which some of its moves are not made.

    Parameters
    ----------
    plan : Allocation
    numbers : collection of int
        Rows of `kc_model.moves` (of the plan).

    Returns
    -------
    Scenario
        With a rule for each end: what a cell or a project was to give it keeps, what it was to take
        it does not get, to the step of the grid; nor does it move the other way. One that was to be
        added does not come in. What nobody can use any more is kept by nobody. Other moves stay
        open.
        `kc_model.allocate` solves the rest again.

    Raises
    ------
    KeyError
        If the plan has no such move.
    InputError
        See `moves`.
    """
    found = find_moves(plan)
    unknown = set(numbers) - set(found.index)
    if unknown:
        raise KeyError(f"no moves of the numbers {sorted(unknown)}: there are {len(found)}")
    lines = changed(plan)
    held: dict[tuple[str, str, int], int] = {}
    for move in found.loc[sorted(set(numbers))].to_dict("records"):
        for end, side in (("from", "min"), ("to", "max")):
            cell, project = move[f"{end}_cell"], move.get(f"{end}_project", "")
            own = lines[lines["project"] == project]
            part = own[own["cell"] == cell]
            if cell < 0 or (side == "min" and (part["change"] + part["idle"] >= 0).all()):
                continue
            vnd = int(move["amount"])
            if project and move["from_project"] != move["to_project"]:  # by its shares, of all
                vnd = round(vnd * abs(int(own["change"].sum()) / int(part["change"].sum())))
                cell = -1
            key = side, project, cell
            held[key] = held.get(key, 0) + vnd
    rules: dict[str, Rule] = {}
    for (side, project, cell), vnd in held.items():
        if cell < 0:
            rule = _rule_of_project(plan, lines[lines["project"] == project], side, vnd)
        else:
            rule = _rule_of_cell(plan, cell, side, vnd, is_alone=not project)
        rules[rule.id] = rule
    kept = tuple(rule for rule in plan.scenario.rules if rule.id not in rules)
    return replace(plan.scenario, rules=(*kept, *rules.values()))


def _rule_of_project(plan: Plan, own: pd.DataFrame, side: str, vnd: int) -> Rule:
    """Return the rule that lets a project move so much less than it would, and no other way."""
    project, had, has = (own.iloc[0][key] for key in ("project", "had", "has"))
    rule = _refusal(side, {"id": (project,)}, project, called(plan, project))
    if not had:
        return replace(rule, max=Decimal(0), count="projects")
    return _bounded(plan, rule, int(had), int(has), vnd, int(own["idle"].sum()))


def _rule_of_cell(plan: Plan, cell: int, side: str, vnd: int, *, is_alone: bool) -> Rule:
    """Return the rule that does so of a cell; of one that projects pay, that way alone."""
    own: dict[Any, Any] = plan.cells.loc[cell].to_dict()
    place = reference.place_name(own["place"], plan.data.vintage)
    names = [place, reference.area_name(own["area"]), own["activity"], own["source"]]
    where = {key: (str(own[key]),) for key in keys_of(plan)}
    name = " – ".join(name for name in names if name)
    rule = _refusal(side, where, code_of(plan, {"cell": cell, "project": ""}), name)
    found = _bounded(plan, rule, int(own["baseline"]), int(own["amount"]), vnd)
    return found if is_alone else replace(rule, **{side: getattr(found, side)})


def _bounded(plan: Plan, rule: Rule, had: int, has: int, vnd: int, idle: int = 0) -> Rule:
    """Return a rule that ends where what is left to move does, on the side of the plan in force.

    On the grid: a bound between two steps would push the line to the other one, and what it gave
    would come back to it.
    """
    step = step_of(plan) or 1
    low = min(has + vnd, had - idle) if has < had else had
    high = had if has < had else max(has - vnd, had)
    least, most = (
        Decimal(vnd) / UNITS[plan.unit] for vnd in (low // step * step, -(-high // step) * step)
    )
    return replace(rule, min=least or None, max=most)


def _refusal(side: str, where: Where, code: str, name: str) -> Rule:
    """Return a rule of what is selected, called by its code and its name."""
    return Rule(
        id=refusal_id(side, code),
        where=where,
        text=say(f"moves.refused.{side}", "vi", cell=name),
        basis=say("moves.refused.basis", "vi"),
    )
