"""Why projects that may be chosen are not: what they lack, what speaks against them, for whom."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

from kc_model.explain.teller import Explained, Teller
from kc_model.wording import Language

__all__ = ["why_left"]

_TIERS = ("directive", "preference")


def why_left(plan: Explained, language: Language = "vi") -> dict[str, str]:
    """Return why projects that may be chosen are not, a sentence or two for each.

    Parameters
    ----------
    plan : Allocation
    language : {"vi", "en"}

    Returns
    -------
    dict
        Id to text, of the projects that the plan's `whys` tell of.
    """
    teller = Teller(plan, language)
    return {str(row["id"]): _told(teller, row) for row in plan.whys.to_dict("records")}


def _told(teller: Teller, row: Mapping[Hashable, Any]) -> str:
    against = _law(teller, row) if row["kind"] == "law" else _swap(teller, row)
    if not row["short"]:
        return against
    amount = teller.words.vnd(row["short"])
    return f"{teller.say('left.short', budget=teller.rule(row['budget']), amount=amount)} {against}"


def _law(teller: Teller, row: Mapping[Hashable, Any]) -> str:
    links = [_link(teller, link) for link in row["links"].split(";") if link]
    if row["out"] and links:
        return teller.say("left.linked", links="; ".join(links))
    if row["out"]:
        return teller.say("left.kept", out=teller.words.listed(row["out"].split(";"), "project"))
    rules = [f"“{teller.rule(rule)}”" for rule in row["rules"].split(";") if rule]
    if not rules:
        return teller.say("left.laws")
    return teller.say("left.law", rules="; ".join([teller.words.listed(rules, "rule"), *links]))


def _link(teller: Teller, link: str) -> str:
    """Say what a column of links tells."""
    for sign, key in ((">", "requires"), ("!", "excludes")):
        one, found, other = link.partition(sign)
        if found:
            return teller.say(f"link.{key}", one=one, other=other)
    return teller.say("link.kept", one=link)


def _swap(teller: Teller, row: Mapping[Hashable, Any]) -> str:
    """Say what would be worse, and which projects would go or come in."""
    if row["kind"] == "open":
        return teller.say("left.open")
    words, stage = teller.words, row["stage"]
    goal = loss = ""
    if stage in _TIERS:
        goal, loss = teller.say(f"tiers.{stage}"), words.number(row["loss"], 3)
    elif stage:
        goal, loss = words.goal(stage), words.gained(stage, row["loss"])
    if row["at_most"]:
        loss = teller.say("left.at_most", loss=loss)
    moved = {
        key: teller.say(f"left.{key}", names=words.listed(row[key].split(";"), "project"))
        if row[key]
        else ""
        for key in ("out", "joins")
    }
    key = "tier" if stage in _TIERS else row["kind"]
    return teller.say(f"left.{key}", goal=goal, loss=loss, **moved)
