"""What managing the programme may cost (TTLT 26/2014/TTLT-BTC-BCT Điều 6.2.s, and after it)."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pandas as pd

from kc_model import reference
from kc_model.scenario import Rule
from kc_model.wording import Language, say

__all__ = ["management_rules", "management_share"]


def management_rules(on: date, language: Language = "vi", activity: str = "") -> tuple[Rule, ...]:
    """Return the law on what the managing agency may spend of the year's national money.

    Parameters
    ----------
    on : date
        Day of the plan.
    language : {"vi", "en"}
        Of the rule's text and ground.
    activity : str
        Activity of ADMN that holds the agency's management; "" takes the whole of ADMN, which is
        stricter than the law where ADMN pays for more than management.

    Returns
    -------
    tuple of Rule
        ``management-agency``: at most 1.5 % of KCQG; empty where no norm is in force.

    Notes
    -----
    The 2.5 % of an implementing unit are of each project's own estimate, which no rule over cells
    can say: `kc_model.projects.build_offers` holds every project's ``management`` against them.
    """
    norm = _norm(on, "assigned money")
    if norm is None:
        return ()
    share = Decimal(str(norm["cap_share"]))
    percent = format((share * 100).normalize(), "f")
    where = {"area": ("ADMN",), "source": ("KCQG",)} | (
        {"activity": (activity,)} if activity else {}
    )
    certainty = reference.label("certainty", str(norm["certainty"]), language)
    shown = percent.replace(".", ",") if language == "vi" else percent
    return (
        Rule(
            "management-agency",
            max=share,
            where=where,
            of={"source": ("KCQG",)},
            text=say("projects.management_agency", language, percent=shown),
            basis=f"{norm['legal_basis']} ({certainty})",
        ),
    )


def management_share(on: date) -> tuple[float, str] | None:
    """Return the share of its estimate a unit may spend on managing a project, and its ground.

    None where no norm is in force that day.
    """
    norm = _norm(on, "project estimate")
    return None if norm is None else (float(norm["cap_share"]), str(norm["legal_basis"]))


def _norm(on: date, share_of: str) -> pd.Series | None:
    norms = reference.norms(on, "KCQG")
    found = norms[norms["share_of"] == share_of]
    return None if found.empty else found.iloc[0]
