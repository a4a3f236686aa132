"""What managing the programme may cost (TTLT 26/2014/TTLT-BTC-BCT Điều 6.2.s, and after it)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from fractions import Fraction
from functools import cache

import pandas as pd

from kc_model import reference
from kc_model.errors import Fault
from kc_model.money import format_number
from kc_model.scenario import Rule, Scenario
from kc_model.wording import LANGUAGES, Language, say

__all__ = ["management_rules", "management_share", "management_warnings"]

_AREA = "ADMN"


def management_rules(on: date, language: Language = "vi", activity: str = "") -> tuple[Rule, ...]:
    """Return the law on what the managing agencies may spend of the year's money.

    Parameters
    ----------
    on : date
        Day of the plan.
    language : {"vi", "en"}
        Of the rules' text and ground.
    activity : str
        Activity of ADMN that holds the agency's management; "" takes the whole of ADMN, which is
        stricter than the law where ADMN pays for more than management.

    Returns
    -------
    tuple of Rule
        ``management-KCQG``: at most 1.5 % of the national money; ``management-KCDP``: of each
        place's own, which national norms bound too. Empty where no norm is in force.

    Notes
    -----
    The 2.5 % of an implementing unit are of each project's own estimate, which no rule over cells
    can say: `kc_model.projects.build_offers` holds every project's ``management`` against them.
    """
    norm = _norm(on, "assigned money")
    if norm is None:
        return ()
    share = Decimal(str(norm["cap_share"]))
    percent = format_number(share * 100, None, language)
    certainty = reference.label("certainty", str(norm["certainty"]), language)
    narrow = {"activity": (activity,)} if activity else {}
    return tuple(
        Rule(
            f"management-{source}",
            max=share,
            where={"area": (_AREA,), "source": (source,), **narrow},
            each=tuple(apart),
            of={"source": (source,), **dict.fromkeys(apart, ("same",))},
            text=say(f"projects.management.{source}", language, percent=percent),
            basis=f"{norm['legal_basis']} ({certainty})",
        )
        for source, apart in (("KCQG", ()), ("KCDP", ("place",)))
    )


def management_share(on: date) -> tuple[float, str] | None:
    """Return the share of its estimate a unit may spend on managing a project, and its ground.

    None where no norm is in force that day.
    """
    norm = _norm(on, "project estimate")
    return None if norm is None else (float(norm["cap_share"]), str(norm["legal_basis"]))


def management_warnings(
    scenario: Scenario, cells: pd.DataFrame, amounts: pd.Series | None = None
) -> tuple[Fault, ...]:
    """Warn of funds in which no rule of the scenario holds management to the law's share.

    Parameters
    ----------
    cells : DataFrame
        year, place, area, source of the plan's cells.
    amounts : Series, index as `cells`, VND, or None
        None before there is a plan: every fund that could give management more.

    Returns
    -------
    tuple of Fault
        management-unlimited without amounts; management-above, one for each fund whose money goes
        to ADMN in a larger share, with the largest one.
    """
    return tuple(_warnings(scenario, cells, amounts))


def _warnings(
    scenario: Scenario, cells: pd.DataFrame, amounts: pd.Series | None
) -> Iterator[Fault]:
    for law in management_rules(date(scenario.year, 1, 1)):
        (source,) = law.where["source"]
        own = cells[cells["source"] == source]
        is_limited = any(_limits(rule, source) for rule in scenario.rules)
        if is_limited or law.max is None or not (own["area"] == _AREA).any():
            continue
        values = _told("most", Fraction(law.max)) | {"basis": law.basis, "source": source}
        if amounts is None:
            yield Fault("management-unlimited", values=values, level="warning")
            continue
        found = _largest(own, amounts)
        if found > Fraction(law.max):
            values |= _told("found", found)
            yield Fault("management-above", values=values, level="warning")


def _limits(rule: Rule, source: str) -> bool:
    """Tell whether a rule sets a ceiling to management of a fund."""
    is_its = rule.where.get("area") == (_AREA,) and not rule.count
    return rule.max is not None and is_its and source in rule.where.get("source", (source,))


def _largest(own: pd.DataFrame, amounts: pd.Series) -> Fraction:
    """Return the largest share of a year's purse that goes to management."""
    apart = ["year", *(["place"] if (own["source"] == "KCDP").all() else [])]
    money = own[apart].assign(all=amounts.loc[own.index])
    money["management"] = money["all"].where(own["area"] == _AREA, 0)
    sums = money.groupby(apart)[["management", "all"]].sum()
    shares = [Fraction(int(a), int(b)) for a, b in sums.to_numpy().tolist() if b]
    return max(shares, default=Fraction(0))


def _told(name: str, share: Fraction) -> dict[str, object]:
    percent = round(float(100 * share), 2)
    return {f"{name}_{one}": format_number(percent, None, one) for one in LANGUAGES}


@cache
def _norm(on: date, share_of: str) -> pd.Series | None:
    """Return the norm in force; the older text that says the same where that alone was read."""
    norms = reference.norms(None, "KCQG")
    norms = norms[norms["share_of"] == share_of]
    found = norms[norms["id"].isin(reference.norms(on, "KCQG")["id"])]
    if found.empty:
        return None
    same = norms[norms["cap_share"] == found["cap_share"].iloc[0]]
    read = same[same["certainty"].str.startswith("verified")]
    is_read = found["certainty"].iloc[0].startswith("verified")
    return found.iloc[0] if is_read or read.empty else read.iloc[-1]
