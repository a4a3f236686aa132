"""Why there is no plan, and what would mend it, in sentences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kc_model.explain.naming import budget_texts, rule_label, rule_texts
from kc_model.explain.teller import Explained, Teller
from kc_model.wording import Language

__all__ = ["Trouble", "tell_conflicts", "troubles"]

_SHOWN = 4

Step = Mapping[str, Any]


@dataclass(frozen=True)
class Trouble:
    """A conflict in words.

    Parameters
    ----------
    told : tuple of str
        What clashes, and the sum that does not fit.
    ways : tuple of (str, steps)
        What mends it in words, and the steps that `kc_model.allocate.apply_repair` takes.
    """

    told: tuple[str, ...]
    ways: tuple[tuple[str, tuple[Step, ...]], ...] = ()


def troubles(plan: Explained, language: Language = "vi") -> list[Trouble]:
    """Return why there is no plan, conflict by conflict, and what mends each.

    Parameters
    ----------
    plan : Allocation
        Of status "infeasible".
    language : {"vi", "en"}

    Returns
    -------
    list of Trouble
        At the end what mends them all together, and whether there may be others.
    """
    teller = Teller(plan, language)
    return [*_troubles(teller), *_together(teller)]


def tell_conflicts(teller: Teller) -> Iterator[str]:
    """Tell every conflict with its ways out, then what is to be said of all of them."""
    for trouble in _troubles(teller):
        yield from trouble.told
        for text, _ in trouble.ways:
            yield teller.say("repair.one", steps=text)
    for trouble in _together(teller):
        yield from trouble.told


def _troubles(teller: Teller) -> Iterator[Trouble]:
    """Yield every conflict with its ways out; those that differ in one amount only stand once."""
    alike: dict[frozenset[str], list[Step]] = {}
    for conflict in teller.plan.conflicts:
        amounts = _amounts(conflict)
        clashing = frozenset(conflict["rules"]) - set(amounts if len(amounts) == 1 else ())
        alike.setdefault(clashing, []).append(conflict)
    for conflict, *more in alike.values():
        labels = _labels(teller, conflict["rules"], conflict["texts"])
        if "grid" in conflict:
            kept = [f"“{label}”" for rule, label in labels.items() if rule != "round_to"]
            step = teller.words.exact(conflict["grid"])
            rules = "; ".join(kept) or teller.say("every_rule")
            told = [teller.say("grid", step=step, rules=rules)]
        else:
            shown = [f"“{label}”" for label in labels.values()]
            facts = list(_facts(teller, conflict.get("projects", ())))
            key = "conflict_projects" if facts else "conflict"
            told = [teller.say(key, rules="; ".join([*shown, *facts]))]
        if conflict.get("sums"):
            told.append(_sums(teller, conflict["sums"], labels))
        if more:
            others = _named(teller, [rule for one in more for rule in _amounts(one)]).values()
            names = teller.words.listed([f"“{label}”" for label in others], "purse")
            told.append(teller.say("alike", count=len(more), names=names))
        if not conflict["repairs"]:
            told.append(teller.say("repair.none"))
        ways = []
        for steps in _by_option(conflict["repairs"]):
            named = [f"“{label}”" for label in _named(teller, steps[0].get("also", ())).values()]
            also = "; ".join(named[:_SHOWN]) + teller.words.more(len(named), "rule", _SHOWN)
            tail = teller.say("repair.also", rules=also) if also else ""
            tail += "" if steps[0]["mends_all"] else teller.say("repair.own")
            ways.append((_repair(teller, steps) + tail, tuple(steps)))
        yield Trouble(tuple(told), tuple(ways))


def _facts(teller: Teller, facts: Sequence[Step]) -> Iterator[str]:
    """Yield what holds of projects whatever the rules say."""
    for fact in facts:
        is_over = fact["kind"] == "stays" and fact["stage"] == "accepted"
        values = {"one": fact["project"], "other": fact["other"]}
        amount = teller.words.money(fact["amount"])
        yield teller.say(f"link.{'accepted' if is_over else fact['kind']}", **values, amount=amount)


def _amounts(conflict: Step) -> list[str]:
    """Return the budgets and the cells' own bounds of a conflict: any money may set it off."""
    return [rule for rule in conflict["rules"] if rule.startswith(("budget:", "bound:"))]


def _together(teller: Teller) -> Iterator[Trouble]:
    """Yield what is to be said of the conflicts together: what mends all, if others remain."""
    conflicts = teller.plan.conflicts
    together = [step for one in conflicts for step in one.get("combination", ())]
    if together:
        steps = _repair(teller, together)
        told = teller.say("repair.together", steps=steps)
        yield Trouble((told,), ((steps, tuple(together)),))
    if any("grid" not in one and not one["complete"] for one in conflicts):
        yield Trouble((teller.say("maybe_more"),))


def _sums(teller: Teller, sums: Step, labels: Mapping[str, str]) -> str:
    """Say what some rules ask for and what the others leave for it."""
    asks = "; ".join(f"“{labels[rule]}”" for rule in sums["needs"])
    rest = [f"“{label}”" for rule, label in labels.items() if rule not in sums["needs"]]
    year = "" if sums["year"] is None else teller.say("in_year", year=sums["year"])
    needed, total, gap = (
        teller.quantity(sums["measure"], value)
        for value in (sums["needed"], sums["total"], sums["needed"] - sums["total"])
    )
    values = {"needed": needed, "total": total, "gap": gap, "asks": asks, "year": year}
    text = teller.say("sums", rest="; ".join(rest) or asks, **values)
    return text[0].upper() + text[1:]


def _repair(teller: Teller, steps: Sequence[Step]) -> str:
    """Say the new number of every rule that gives way, and what that takes, all in all."""
    by_rule: dict[tuple[str, str], list[Step]] = {}
    for step in steps:
        by_rule.setdefault((step["rule"], step["side"]), []).append(step)
    return "; ".join(
        teller.say(
            "repair.lower" if parts[0]["to"] < parts[0]["now"] else "repair.raise",
            rule=_named(teller, [rule])[rule],
            now=teller.words.rule_number(parts[0]["kind"], parts[0]["now"]),
            to=teller.words.rule_number(parts[0]["kind"], parts[0]["to"]),
            needs=_needs(teller, parts),
        )
        for (rule, _), parts in by_rule.items()
    )


def _needs(teller: Teller, steps: Sequence[Step]) -> str:
    """Say which groups need a new number and what they give up in all; "" for a budget."""
    groups = [teller.words.group(step["group"]) for step in steps if step["group"]]
    if not groups and steps[0]["kind"] == "money":
        return ""
    amount = teller.quantity(steps[0]["measure"], sum(step["by"] for step in steps))
    if not groups:
        return teller.say("repair.by", amount=amount)
    return teller.say("repair.at", amount=amount, groups=teller.words.listed(groups))


def _named(teller: Teller, rules: Sequence[str]) -> dict[str, str]:
    """Return the scenario's words for some of its rules and budgets."""
    scenario = teller.plan.scenario
    texts = rule_texts(scenario.rules, teller.words)
    return _labels(teller, rules, [texts.get(rule, "") for rule in rules])


def _labels(teller: Teller, rules: Sequence[str], texts: Sequence[str]) -> dict[str, str]:
    filled = [*texts, *[""] * (len(rules) - len(texts))]
    scenario = teller.plan.scenario
    named = budget_texts(scenario.budget, teller.words) | rule_texts(scenario.rules, teller.words)
    return {
        rule: teller.rule(rule)
        if rule.startswith("bound:")
        else rule_label(rule, named.get(rule) or text, teller.language)
        for rule, text in zip(rules, filled, strict=True)
    }


def _by_option(steps: Sequence[Step]) -> list[list[Step]]:
    """Return the steps of every option, in order."""
    options = dict.fromkeys(step["option"] for step in steps)
    return [[step for step in steps if step["option"] == option] for option in options]
