"""The least money that gives the same result."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from kc_model.allocate import Planner
from kc_model.errors import Fault, InputError
from kc_model.scenario import Goal, Scenario
from kc_model.tradeoffs.comparison import Comparison, compare
from kc_model.tradeoffs.walk import Progress, held
from kc_model.wording import say

__all__ = ["least_money"]

_TURNS = 4
_NOTHING = 1e-9


def least_money(
    planner: Planner,
    scenario: Scenario,
    *,
    progress: Progress | None = None,
    time_limit: float = 60.0,
) -> Comparison:
    """Return the plan of a scenario beside the one that reaches as much with the least money.

    Budgets become ``at_most``; no tier misses more than in the scenario's own plan, and of the
    first goal at least as much is achieved; then money is minimised, then the other goals follow.
    What rounding to the grid takes from the first goal is asked for again, as far as there is more
    to have; the tiers' shortfalls are those before rounding.

    Parameters
    ----------
    planner : Planner
    scenario : Scenario
        With at least one goal.
    progress : callable (name of the step, share done) or None
    time_limit : float, seconds
        For each plan.

    Returns
    -------
    Comparison
        Its ``after`` is the plan of least money, with its certificate; ``by`` and ``sentences``
        say where money is saved, ``after.reserve`` what each budget keeps.

    Raises
    ------
    InputError
        If there is no goal, or no plan.
    """
    if not scenario.goals:
        raise InputError([Fault("no-goal", scenario.at)])
    tell = progress or (lambda _step, _share: None)
    tell("least-money", 0.0)
    base = planner.plan(scenario, detail=False, time_limit=time_limit)
    if base.status != "optimal":
        raise InputError([Fault("no-plan-to-compare", scenario.at, {"name": scenario.name})])
    tell("least-money", 0.5)
    first, *others = scenario.goals
    asked = replace(
        scenario,
        name=say("tradeoffs.least_money", name=scenario.name),
        spend="at_most",
        missed_up_to={t["name"]: Decimal(repr(float(t["shortfall"]))) for t in base.tiers},
    )
    wanted = aim = float(base.goals[0]["achieved"])
    for turn in range(_TURNS):
        goals = (held(first, aim), Goal("minimise", "money"), *others)
        least = planner.plan(replace(asked, goals=goals), detail=False, time_limit=time_limit)
        missed = wanted - float(least.goals[0]["achieved"]) if least.goals else 0.0
        if missed * (1 if first.sense == "maximise" else -1) <= _NOTHING * abs(wanted):
            break
        aim += missed  # what rounding has taken
        tell("least-money", 0.5 + turn / (2 * _TURNS))
    tell("least-money", 1.0)
    return compare(base, least)
