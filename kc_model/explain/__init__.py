"""A plan in sentences: what it gives, who loses, what binds and what that costs, what is open."""

from __future__ import annotations

from kc_model.explain.changes import tell_changes
from kc_model.explain.conflicts import (
    BY_CELLS,
    Trouble,
    kind_of,
    tell_conflicts,
    troubles,
)
from kc_model.explain.gains import holding, loosening, tell_gains
from kc_model.explain.grounds import RANGES_UP_TO, tell_grounds, tell_open
from kc_model.explain.left import tier_missed, why_left
from kc_model.explain.naming import (
    budget_groups,
    budget_texts,
    is_bound,
    is_purse,
    renumbered,
    rule_label,
    rule_texts,
)
from kc_model.explain.outcome import (
    tell_ended,
    tell_goals,
    tell_missed,
    tell_projects,
    tell_totals,
    tell_unproven,
)
from kc_model.explain.teller import Teller
from kc_model.plan import Plan
from kc_model.wording import Language

__all__ = [
    "BY_CELLS",
    "RANGES_UP_TO",
    "Trouble",
    "budget_groups",
    "budget_texts",
    "explain",
    "holding",
    "is_bound",
    "is_purse",
    "kind_of",
    "loosening",
    "renumbered",
    "rule_label",
    "rule_texts",
    "tell_ended",
    "tier_missed",
    "troubles",
    "why_left",
]


def explain(plan: Plan, language: Language = "vi") -> list[str]:
    """Return the plan in sentences, what is lost before what is won.

    In this order: what it gives, who loses and why, what it misses, who wins and why, the goals,
    what loosening a rule gives, what is open, what rests on assumption, what rounding cost, the
    defaults.

    Returns
    -------
    list of str
        For a result without a plan: why there is none and what would mend it.
    """
    teller = Teller(plan, language)
    if plan.status == "limit":
        return [teller.say("stopped" if plan.stopped else "limit"), *tell_unproven(teller)]
    if plan.status != "optimal":
        return list(tell_conflicts(teller))
    return [
        *tell_totals(teller),
        *tell_projects(teller),
        *tell_changes(teller, "losers"),
        *tell_missed(teller),
        *tell_changes(teller, "winners"),
        *tell_goals(teller),
        *tell_gains(teller),
        *tell_open(teller),
        *tell_grounds(teller),
    ]
