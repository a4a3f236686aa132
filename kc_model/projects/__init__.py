"""Projects (đề án): what each may be given, why some may not, in what order the law puts them.

`build_offers` turns ``projects.csv`` into one row per project for the day of the plan: what the
norms in force let it have, whether it can be chosen and why not, its place in the statutory order,
what the law lets be paid at its stage. Which projects are chosen is not decided here.
"""

from __future__ import annotations

from kc_model.projects.caps import (
    Cap,
    advances_counted,
    begun_later,
    borrowed_caps,
    unproven_caps,
)
from kc_model.projects.force import IN_FORCE, given_parts, in_force, planned_parts
from kc_model.projects.forms import adjustment, assigned_plan, registration
from kc_model.projects.management import management_rules, management_warnings
from kc_model.projects.offers import FAULTY, Offers, build_offers, offers_at

__all__ = [
    "FAULTY",
    "IN_FORCE",
    "Cap",
    "Offers",
    "adjustment",
    "advances_counted",
    "assigned_plan",
    "begun_later",
    "borrowed_caps",
    "build_offers",
    "given_parts",
    "in_force",
    "management_rules",
    "management_warnings",
    "offers_at",
    "planned_parts",
    "registration",
    "unproven_caps",
]
