"""Why projects that may be chosen are not: what they lack, what speaks against them, for whom."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from kc_model.explain.teller import SMALL, Teller
from kc_model.money import MILLION
from kc_model.plan import Plan
from kc_model.wording import Language

__all__ = ["tier_missed", "why_left"]

_RATES = ("here", "there")
_TIERS = ("directive", "preference")
_ITEMS = 6  # who gets more, or less, by name; the others together


def why_left(plan: Plan, language: Language = "vi") -> dict[str, str]:
    """Return why projects that may be chosen are not, a sentence or two for each.

    Returns
    -------
    dict
        Id to text, of the projects that the plan's `whys` tell of.
    """
    teller = Teller(plan, language)
    return {str(row["id"]): _told(teller, row) for row in plan.whys.to_dict("records")}


def _told(teller: Teller, row: Mapping[Hashable, Any]) -> str:
    is_law = row["kind"] == "law"
    tellers = {"law": _law, "open": _seen}
    against = tellers.get(str(row["kind"]), _swap)(teller, row)
    full = [f"“{teller.rule(rule)}”" for rule in row["full"].split(";") if rule]
    full = [one for one in full if one not in against]
    over = teller.say("left.full", rules=teller.words.listed(full, "rule")) if full else ""
    told = [over, *([] if is_law else _near(teller, row)), against, _money(teller, row)]
    told += _based(teller, row)
    for key in ("short", "tight"):
        if row[key] and not (key == "tight" and is_law):
            amount = teller.words.vnd(row[key])
            told.insert(
                0, teller.say(f"left.{key}", budget=teller.rule(row["budget"]), amount=amount)
            )
    rest = " ".join(one for one in told if one)
    return _barred(teller, row, rest) if row["barred"] else rest


def _barred(teller: Teller, row: Mapping[Hashable, Any], rest: str) -> str:
    """Say that a planner's tick, or a rule, keeps it out, and what would be without it."""
    rules = {rule.id: rule for rule in teller.plan.scenario.rules}
    barring = row["barred"].split(";")
    is_own = all(set(rules[one].where) == {"id"} for one in barring)
    names = teller.words.listed([f"“{teller.rule(one)}”" for one in barring], "rule")
    told = teller.say("left.ticked" if is_own else "left.barred", rules=names)
    key = {"loss": "anyway", "law": "anyway", "open": "beside_that"}.get(str(row["kind"]), "else")
    return f"{told} {teller.say(f'left.{key}', rest=rest[:1].lower() + rest[1:])}"


def _based(teller: Teller, row: Mapping[Hashable, Any]) -> Iterator[str]:
    """Say which goals that give way would give way from less."""
    for one in row["based"].split(";") if row["based"] else ():
        number, best = one.split("=")
        goal = teller.plan.goals[int(number) - 1]
        shown = (teller.words.gained(goal["name"], value) for value in (float(best), goal["best"]))
        least, now = shown
        yield teller.say("left.based", goal=teller.words.goal(goal["name"]), best=least, now=now)


def _near(teller: Teller, row: Mapping[Hashable, Any]) -> Iterator[str]:
    """Say whom it needs that is not chosen and excludes that is; then the same of these."""
    own: dict[str, list[str]] = {">": [], "!": []}
    rest = []
    for link in filter(None, row["links"].split(";")):
        one, sign, other = re.split("([>!])", link)
        if one == row["id"]:
            own[sign].append(other)
        else:
            rest.append(_link(teller, link))
    for sign, key in (("!", "beside"), (">", "needs")):
        if own[sign]:
            yield teller.say(f"left.{key}", names=teller.words.listed(own[sign], "project"))
    if rest:
        told = "; ".join(rest)
        yield f"{told[:1].upper()}{told[1:]}."


def _seen(teller: Teller, row: Mapping[Hashable, Any]) -> str:
    """Say what is seen of a project of which nothing was proven."""
    told = []
    rates = {key: teller.words.percent(row[key]) for key in _RATES if not np.isnan(row[key])}
    if row["last"]:
        key = "less" if row["here"] < row["there"] - SMALL else "worth"
        told.append(teller.say(f"left.{key}", last=row["last"], **rates))
    elif rates:
        told.append(teller.say("left.here", **rates))
    is_told = told or any(row[key] for key in ("short", "tight", "full", "links", "barred"))
    return " ".join(told) if is_told else teller.say("left.open")


def _law(teller: Teller, row: Mapping[Hashable, Any]) -> str:
    links = [_link(teller, link) for link in row["links"].split(";") if link]
    rules = [f"“{teller.rule(rule)}”" for rule in row["rules"].split(";") if rule]
    if rules:
        told = teller.say("left.law", rules="; ".join([teller.words.listed(rules, "rule"), *links]))
        if not (row["stage"] or row["out"] or row["loss"] == 0):
            return told
        kind = "loss" if row["stage"] else "paid_free"
        rest = _swap(teller, {**row, "kind": kind})
        return f"{told} {teller.say('left.paid', rest=rest[:1].lower() + rest[1:])}"
    if row["out"] and any(not re.search("[>!]", link) for link in row["links"].split(";")):
        return teller.say("left.linked", links="; ".join(links))
    if row["out"]:
        return teller.say("left.kept", out=teller.words.listed(row["out"].split(";"), "project"))
    return teller.say("left.laws")


def _link(teller: Teller, link: str) -> str:
    """Say what a column of links tells."""
    for sign, key in ((">", "requires"), ("!", "excludes")):
        one, found, other = link.partition(sign)
        if found:
            return teller.say(f"link.{key}", one=one, other=other)
    return teller.say("link.kept", one=link)


def _swap(teller: Teller, row: Mapping[Hashable, Any]) -> str:
    """Say what would be worse, and which projects would go or come in."""
    words, stage = teller.words, row["stage"]
    goal = loss = ""
    if stage in _TIERS:
        goal, loss = (
            teller.say(f"tiers.{stage}"),
            tier_missed(teller.plan, str(stage), row["loss"], teller.language),
        )
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
    key = str(row["kind"])
    key = {"loss": "tier", "gain": "tier_gain"}.get(key, key) if stage in _TIERS else key
    if key == "tie" and teller.plan.as_of is not None:
        key = "tie_mid"
    return teller.say(f"left.{key}", goal=goal, loss=loss, **moved)


def _money(teller: Teller, row: Mapping[Hashable, Any]) -> str:
    """Say what the project gets, and who gets more and less for it: both sides add up."""
    pairs = [pair.rpartition("=") for pair in row["changes"].split(";") if pair]
    changes = {name: int(vnd) for name, _, vnd in pairs}
    own = changes.pop(row["id"], 0)
    if not own:
        return ""
    left = {name: changes.pop(name) for name in [*changes] if name.startswith("budget:")}
    if not left:  # budgets overlap: what was free, or where it is less is now, of all together
        left = {"": -own - sum(changes.values())}
    sides: dict[bool, list[tuple[str, str, int]]] = {True: [], False: []}
    for name, vnd in sorted(changes.items(), key=lambda pair: -abs(pair[1])):
        is_in = name in row["joins"].split(";")
        is_out = name in row["out"].split(";")
        kind = ("joined" if is_in else "more") if vnd > 0 else "gone" if is_out else "less"
        shown = teller.words.group(name) if "|" in name else name
        sides[vnd > 0].append((kind, shown, abs(vnd)))
    for budget, vnd in left.items():
        is_named = budget and len(teller.plan.scenario.budget) > 1
        of = teller.say("left.items.of", budget=teller.rule(budget)) if is_named else ""
        if vnd:
            sides[vnd > 0].insert(_ITEMS // 2, ("spare" if vnd > 0 else "free", of, abs(vnd)))
    gets = [("joined", str(row["id"]), own), *sides[True]]
    return teller.say("left.money", gets=_items(teller, gets), gives=_items(teller, sides[False]))


def _items(teller: Teller, items: Sequence[tuple[str, str, int]]) -> str:
    """List who gets more or less, the last of many together."""
    told = [
        teller.say(f"left.items.{kind}", name=name, amount=teller.words.vnd(vnd))
        for kind, name, vnd in items[:_ITEMS]
    ]
    if rest := items[_ITEMS:]:
        amount = teller.words.vnd(sum(vnd for _, _, vnd in rest))
        told.append(teller.say("left.items.rest", count=len(rest), amount=amount))
    return ", ".join(told)


def tier_missed(plan: Plan, tier: str, missed: float, language: Language) -> str:
    """Say what the rules of a tier miss: in money where all of them are money.

    Parameters
    ----------
    missed : float
        By weight, money in million VND.
    """
    teller = Teller(plan, language)
    rows = plan.rule_rows
    ids = set(rows.loc[rows["tier"] == tier, "id"])
    is_plain = all(rule.weight == 1 for rule in plan.scenario.rules if rule.id in ids)
    measures = set(rows.loc[rows["tier"] == tier, "measure"])
    if is_plain and measures <= {"money", "share"}:
        return teller.words.vnd(missed * MILLION)
    number = teller.words.number(missed, 3)
    if is_plain and measures == {"projects"}:
        return teller.say("left.projects", number=number)
    return teller.say("left.weighted", number=number)
