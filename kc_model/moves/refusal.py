"""Moves refused: the scenario in which they are not made."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from decimal import Decimal
from typing import Any

from kc_model import reference
from kc_model.money import UNITS
from kc_model.moves.listing import called, changed, code_of, find_moves, keys_of, refusal_id
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
        Rows of `kc_model.moves.moves` (of the plan).

    Returns
    -------
    Scenario
        With a rule for each end: what a cell or a project was to give it keeps, what it was to take
        it does not get; a project that was to be stopped stays, one that was to be added does not
        come in. What nobody can use any more is kept by nobody. Other moves stay open.
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
    usable = changed(plan).set_index(["cell", "project"])[["change", "idle"]].sum(axis=1)
    held: dict[tuple[str, int], int] = {}
    sized: dict[tuple[str, str], int] = {}
    rules: dict[str, Rule] = {}
    for move in found.loc[sorted(set(numbers))].to_dict("records"):
        for end, side, sign in (("from", "min", 1), ("to", "max", -1)):
            cell, project = move[f"{end}_cell"], move.get(f"{end}_project", "")
            if side == "min" and cell >= 0 and usable[cell, project] >= 0:
                continue
            rule = _whole(plan, project, side) if project else None
            if rule is not None:
                rules[rule.id] = rule
            elif project and move["from_project"] != move["to_project"]:
                whole = _share_of(plan, project, cell) * int(move["amount"])
                sized[side, project] = sized.get((side, project), 0) + sign * round(whole)
            elif cell >= 0:
                held[side, cell] = held.get((side, cell), 0) + sign * int(move["amount"])
    for (side, cell), vnd in held.items():
        rule = _rule(plan, side, cell, vnd)
        rules[rule.id] = rule
    for (side, project), vnd in sized.items():
        rule = _size(plan, project, side, vnd)
        rules[rule.id] = rule
    kept = tuple(rule for rule in plan.scenario.rules if rule.id not in rules)
    return replace(plan.scenario, rules=(*kept, *rules.values()))


def _whole(plan: Plan, project: str, side: str) -> Rule | None:
    """Return the rule that keeps a project in that is stopped, or out that is added; else None."""
    own = plan.parts[plan.parts["project"] == project]
    if own["after" if side == "min" else "before"].sum():
        return None
    number = Decimal(1 if side == "min" else 0)
    rule = _refusal(side, number, {"id": (project,)}, project, called(plan, project))
    return replace(rule, count="projects")


def _share_of(plan: Plan, project: str, cell: int) -> float:
    """Return how many times what a project changes in one cell it changes in all."""
    own = plan.parts[plan.parts["project"] == project]
    change = own["after"] - own["before"]
    return float(change.sum()) / float(change[own["cell"] == cell].sum())


def _size(plan: Plan, project: str, side: str, vnd: int) -> Rule:
    """Return the rule that gives a project so much more at least, or so much less at most."""
    now = int(plan.parts.loc[plan.parts["project"] == project, "after"].sum())
    bound = Decimal(now + vnd) / UNITS[plan.unit]
    return _refusal(side, bound, {"id": (project,)}, project, called(plan, project))


def _rule(plan: Plan, side: str, cell: int, vnd: int) -> Rule:
    """Return the rule that gives a cell so much more at least, or so much less at most."""
    own: dict[Any, Any] = plan.cells.loc[cell].to_dict()
    keys = keys_of(plan)
    bound = Decimal(int(own["amount"]) + vnd) / UNITS[plan.unit]
    place = reference.place_name(own["place"], plan.data.vintage)
    names = [place, reference.area_name(own["area"]), own["activity"], own["source"]]
    where = {key: (str(own[key]),) for key in keys}
    name = " – ".join(name for name in names if name)
    return _refusal(side, bound, where, code_of(plan, {"cell": cell, "project": ""}), name)


def _refusal(side: str, bound: Decimal, where: Where, code: str, name: str) -> Rule:
    """Return the rule that bounds what is selected, called by its code and its name."""
    return Rule(
        id=refusal_id(side, code),
        min=bound if side == "min" else None,
        max=bound if side == "max" else None,
        where=where,
        text=say(f"moves.refused.{side}", "vi", cell=name),
        basis=say("moves.refused.basis", "vi"),
    )
