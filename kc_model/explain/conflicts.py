"""Why there is no plan, and what would mend it, in sentences."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kc_model.explain.naming import budget_texts, is_bound, is_purse, rule_label, rule_texts
from kc_model.explain.teller import Teller
from kc_model.plan import Plan
from kc_model.wording import Language

__all__ = ["BY_CELLS", "Trouble", "kind_of", "tell_conflicts", "troubles"]

_SHOWN = 4
_CELLS = 3
_PARTIAL, _PAID = "projects-partial", "paid-beyond"  # warnings

Step = Mapping[str, Any]

BY_CELLS: Step = {"rule": "projects", "to": "ignore"}
"""The way out that leaves a list of projects aside: money goes to cells."""


@dataclass(frozen=True)
class Trouble:
    """A conflict in words.

    Parameters
    ----------
    told : tuple of str
        What clashes, and the sum that does not fit.
    ways : tuple of (str, steps)
        What mends it in words, and the steps that `kc_model.allocate.apply_repair` takes.
    more : tuple of str
        In full what the last sentence told names a few of.
    """

    told: tuple[str, ...]
    ways: tuple[tuple[str, tuple[Step, ...]], ...] = ()
    more: tuple[str, ...] = ()


def troubles(plan: Plan, language: Language = "vi") -> list[Trouble]:
    """Return why there is no plan, conflict by conflict, and what mends each.

    Parameters
    ----------
    plan : Allocation
        Of status "infeasible".

    Returns
    -------
    list of Trouble
        Conflicts of one kind, which differ in amounts only, are one. At the end what mends
        all together, whether there may be others, and a list of projects that is not complete.
    """
    teller = Teller(plan, language)
    return [*_troubles(teller), *_together(teller), *_listing(teller)]


def tell_conflicts(teller: Teller) -> Iterator[str]:
    """Tell every conflict with its ways out, then what is to be said of all of them."""
    for trouble in _troubles(teller):
        yield from trouble.told
        for text, _ in trouble.ways:
            yield teller.say("repair.one", steps=text)
    for trouble in _together(teller):
        steps = "".join(text for text, _ in trouble.ways)
        yield from [teller.say("repair.together", steps=steps)] if steps else trouble.told


def _troubles(teller: Teller) -> Iterator[Trouble]:
    """Yield every conflict with its ways out.

    Those that differ in budgets and bounds of cells only stand once.
    """
    alike: dict[tuple[bool, frozenset[str]], list[Step]] = {}
    known: set[frozenset[tuple[str, str, float]]] = set()
    kinds = {kind_of(conflict["rules"]) for conflict in teller.plan.conflicts}
    for conflict in teller.plan.conflicts:
        alike.setdefault(_key(conflict, kinds), []).append(conflict)
    count = len(alike)
    for number, (conflict, *more) in enumerate(alike.values(), 1):
        key = "head.one" if count == 1 else "head.many"
        head, wide = teller.say(key, number=number, count=count), _widest(conflict, more)
        rest: list[str] = []
        if wide:
            told, rest = _spread(teller, head, wide, [conflict, *more])
        else:
            told, rest = _told(teller, head, conflict, more), _in_full(teller, conflict)
        ways = list(_ways(teller, conflict, wide, is_only=count == 1))
        new = [way for way in ways if _numbers(way[1]) not in known]
        known |= {_numbers(steps) for _, steps in ways}
        if _is_of_list(teller, conflict):
            told, new = _short(teller, _PAID), [_by_cells(teller)]
        elif len(new) < len(ways):
            told.append(teller.say("repair.same"))
        elif not ways:
            told.append(teller.say("repair.none"))
        yield Trouble(tuple(told), tuple(new), tuple(rest))


def _key(conflict: Step, kinds: Collection[frozenset[str]]) -> tuple[bool, frozenset[str]]:
    """Return what conflicts that are told as one have in common."""
    rules, amounts, own = (
        frozenset(conflict["rules"]),
        _amounts(conflict),
        kind_of(conflict["rules"]),
    )
    if own and own < rules:
        least = [kind for kind in kinds if kind and kind <= own]
        return True, min(least, key=lambda kind: (len(kind), sorted(kind)))
    return False, rules - set(amounts if len(amounts) == 1 else ())


def _told(teller: Teller, head: str, conflict: Step, more: Sequence[Step]) -> list[str]:
    labels = _labels(teller, conflict["rules"], conflict["texts"])
    if "grid" in conflict:
        kept = [f"“{label}”" for rule, label in labels.items() if rule != "round_to"]
        step = teller.words.exact(conflict["grid"])
        rules = "; ".join(kept[:_SHOWN]) + teller.words.more(len(kept), "rule", _SHOWN)
        told = [teller.say("grid", step=step, rules=rules or teller.say("every_rule"))]
        if facts := list(_facts(teller, conflict["projects"])):
            told.append(teller.say("grid_projects", names=teller.words.listed(facts, "project")))
        return told
    facts, spends = list(_facts(teller, conflict["projects"])), conflict["spends"]
    if spends:
        labels = {rule: label for rule, label in labels.items() if rule in spends["rules"]}
        more = []
    if conflict["bounds"] and (not all(map(is_bound, labels)) or any(map(_is_high, labels))):
        return [_pressed(teller, head, conflict, facts)]
    shown = [f"“{label}”" for label in labels.values()]
    key = "conflict_projects" if facts else "conflict"
    told = [teller.say(key, head=head, rules="; ".join([*shown, *facts]))]
    if conflict["sums"] and not spends:
        told.append(_sums(teller, conflict["sums"], labels))
    if spends:
        most, total = (teller.words.money(spends[key]) for key in ("most", "total"))
        gap = teller.words.money(spends["total"] - spends["most"])
        kind = "none" if most == teller.words.money(0) else "most"
        told.append(teller.say(f"spends.{kind}", most=most, total=total, gap=gap))
    others = dict.fromkeys(rule for one in more for rule in _amounts(one) if rule not in labels)
    if others:
        names = teller.words.listed([f"“{teller.rule(rule)}”" for rule in others], "purse")
        told.append(teller.say("alike", count=len(others), names=names))
    return told


def _in_full(teller: Teller, conflict: Step) -> list[str]:
    """Tell of every way that brings many budgets onto the grid all of them."""
    ways = _by_option(conflict["repairs"]) if "grid" in conflict else []
    many = [way for way in ways if is_purse(way[0]["rule"]) and len(way) > _CELLS]
    told = [_on_step(teller, conflict["grid"], way, None) for way in many]
    return [f"{one[:1].upper()}{one[1:]}." for one in told]


def _widest(conflict: Step, more: Sequence[Step]) -> list[Step]:
    """Return what lets the rule of most groups stand everywhere; none where few laws clash."""
    if conflict["bounds"] or not (more or len(conflict["rules"]) > _SHOWN):
        return []
    kind = kind_of(conflict["rules"])
    options = [
        steps
        for steps in _by_option(conflict["repairs"])
        if steps[0]["rule"] in kind and steps[0]["mends_alike"] and len(steps) > 1
    ]
    return max(options, key=len, default=[])


def _spread(
    teller: Teller, head: str, wide: Sequence[Step], conflicts: Sequence[Step]
) -> tuple[list[str], list[str]]:
    """Say of a rule how far it can stand everywhere, and where that is less than it asks."""
    words, first = teller.words, wide[0]
    laws = dict.fromkeys(rule for one in conflicts for rule in one["rules"])
    labels = {rule: f"“{teller.rule(rule)}”" for rule in laws}
    amounts = {rule for one in conflicts for rule in _amounts(one)}
    others = [labels[rule] for rule in laws if rule not in amounts and rule != first["rule"]]
    beside = teller.say("spread.beside", rules="; ".join(others)) if others else ""
    told = [teller.say("spread.rule", head=head, rule=labels[first["rule"]], beside=beside)]
    ranked = sorted(wide, key=lambda step: -step["by"])
    places = [
        f"{words.group(step['group'])} {teller.quantity(step['measure'], step['by'])}"
        for step in ranked
    ]
    values = {
        "now": words.rule_number(first["kind"], first["now"]),
        "to": words.rule_number(first["kind"], first["to"]),
        "amount": teller.quantity(first["measure"], sum(step["by"] for step in wide)),
        "count": len(places),
        "groups": ", ".join(places[:_CELLS]) + words.more(len(places), "place", _CELLS),
    }
    told.append(teller.say(f"spread.{first['side']}", **values))
    named = "; ".join(labels[rule] for rule in laws if rule in amounts)
    rest = [teller.say("spread.all", groups="; ".join(places))]
    return told, [*rest, teller.say("spread.purses", names=named)] if named else rest


def _pressed(teller: Teller, head: str, conflict: Step, facts: Sequence[str]) -> str:
    """Say what rules ask for or leave, and the lowest or highest amounts that clash with them."""
    bounds, sums = conflict["bounds"], conflict["sums"]
    lows, highs = (
        [one for one in bounds if _is_high(one["rule"]) is is_high] for is_high in (False, True)
    )
    labels = _labels(teller, conflict["rules"], conflict["texts"])
    others = {rule: f"“{label}”" for rule, label in labels.items() if not is_bound(rule)}
    if not others:
        return _against_itself(teller, head, lows[0], highs[0])
    is_plain = sums and sums["measure"] == "money" and not facts
    kind = _sums_kind(teller, conflict, lows) if is_plain else ""
    held = ", ".join(_held(teller, part, is_sum=bool(kind)) for part in (lows, highs) if part)
    if not kind:
        rules = [*others.values(), *facts]
        key = "pressed.rules" if len(rules) > 1 else "pressed.rule"
        return teller.say(key, head=head, rules="; ".join(rules), held=held)
    needed, total = sums["needed"], sums["total"]
    if lows:  # all that ask, more than clash already
        needed = sum(one["amount"] for one in lows)
    rule = "; ".join(others[one] for one in (others if lows else sums["needs"]))
    shown, gap = (teller.words.money(x) for x in (total if lows else needed, needed - total))
    return teller.say(f"pressed.{kind}", head=head, rule=rule, total=shown, held=held, gap=gap)


def _sums_kind(teller: Teller, conflict: Step, lows: Sequence[Step]) -> str:
    """Return how sums show what rules clash with; "" where they are not of all these cells."""
    bounds, sums = conflict["bounds"], conflict["sums"]
    others = [rule for rule in conflict["rules"] if not is_bound(rule)]
    asks = any(rule in sums["needs"] for rule in others)
    if lows:
        several = {rule.id for rule in teller.plan.scenario.rules if rule.each}
        is_one = len(others) == 1 and not several.intersection(others)
        return "purse" if is_one and not asks and len(lows) == len(bounds) else ""
    if not math.isclose(sum(one["amount"] for one in bounds), sums["total"]):
        return ""
    return "unspent" if all(rule.startswith("budget:") for rule in others) else "unmet"


def _against_itself(teller: Teller, head: str, low: Step, high: Step) -> str:
    """Say that a cell is to get, or was paid, more than it may get."""
    words, plan = teller.words, teller.plan
    values = {
        "cell": words.group(_cell(low)),
        "when": teller.say("pressed.when", month=plan.as_of, year=plan.year) if plan.as_of else "",
        "low": words.money(low["amount"]),
        "high": words.money(high["amount"]),
    }
    key = "paid" if low["spent"] >= low["amount"] else "cell"
    return teller.say(f"pressed.{key}", head=head, **values)


def _is_high(rule: str) -> bool:
    return is_bound(rule) and rule.endswith(":max")


def _cell(bound: Step) -> str:
    return str(bound["rule"]).removeprefix("bound:").rpartition(":")[0]


def _held(teller: Teller, bounds: Sequence[Step], *, is_sum: bool) -> str:
    """Say what is disbursed in cells, or the least or most they are to get; the largest first."""
    words, plan = teller.words, teller.plan
    amount, spent = (sum(one[key] for one in bounds) for key in ("amount", "spent"))
    kind = "spent" if words.money(amount) == words.money(spent) else "both" if spent else "least"
    names = [_cell(one).split("|") for one in bounds]
    if _is_high(bounds[0]["rule"]):
        if len(bounds) == 1:
            cell = words.group(_cell(bounds[0]))
            return teller.say("pressed.one", cell=cell, amount=words.money(amount))
        kind = "most" if is_sum else "highs"
    varies = [len(set(values)) > 1 for values in zip(*names, strict=True)]
    ranked = sorted(zip(bounds, names, strict=True), key=lambda one: -one[0]["amount"])
    shown = []
    for bound, name in ranked[:_CELLS]:
        own = [value for value, is_own in zip(name, varies, strict=True) if is_own] or name
        shown.append(f"{words.group('|'.join(own))} {words.money(bound['amount'])}")
    cells = ", ".join(shown) + words.more(len(ranked), "cell", _CELLS)
    when = (
        "" if plan.as_of is None else teller.say("pressed.when", month=plan.as_of, year=plan.year)
    )
    values = {"amount": words.money(amount), "spent": words.money(spent), "when": when}
    return teller.say(f"pressed.{kind}", count=len(bounds), cells=cells, **values)


def _numbers(steps: Sequence[Step]) -> frozenset[tuple[str, str, float]]:
    """Return what a way out types, by which two of them are the same."""
    return frozenset((step["rule"], step["side"], step["to"]) for step in steps)


def _ways(
    teller: Teller, conflict: Step, wide: Sequence[Step], *, is_only: bool
) -> Iterator[tuple[str, tuple[Step, ...]]]:
    """Yield what mends a conflict; all of its kind if anything does.

    Of a rule that is told as a whole first its own number, then budgets, then other rules.
    """
    options = _by_option([*conflict["repairs"], *conflict.get("purses", ())])
    options = [steps for steps in options if steps[0]["mends_alike"]] or options
    if any(step["mends_all"] for one in teller.plan.conflicts for step in one["repairs"]):
        options = [steps for steps in options if steps[0]["mends_all"]]
    if wide:
        own = wide[0]["rule"]
        rules = {steps[0]["rule"] for steps in options}
        rank = {rule: 0 if rule == own else 1 + (not is_purse(rule)) for rule in rules}
        options.sort(key=lambda steps: rank[steps[0]["rule"]])
    # Any of many cells may be raised: as many as are named.
    highs = [steps for steps in options if _is_high(steps[0]["rule"])]
    options = [steps for steps in options if steps not in highs[_CELLS:]]
    known = {one["rule"] for one in conflict["bounds"]}
    for steps in options:
        also = [
            rule
            for rule in steps[0].get("also", ())
            if rule not in known and not (wide and is_purse(rule))
        ]
        named = [f"“{teller.rule(rule)}”" for rule in also]
        told = "; ".join(named[:_SHOWN]) + teller.words.more(len(named), "rule", _SHOWN)
        tail = teller.say("repair.also", rules=told) if told else ""
        tail += teller.say("repair.rounded") if _is_rounded(teller, conflict, steps[0]) else ""
        is_known = conflict["all_kinds"] and steps[0]["mends_alike"]
        if not (steps[0]["mends_all"] or (is_known and is_only)):
            tail += teller.say("repair.only" if is_known else "repair.own")
        is_own = bool(wide) and steps[0]["rule"] == wide[0]["rule"]
        if "grid" in conflict and is_purse(steps[0]["rule"]) and len(steps) > 1:
            told = _on_step(teller, conflict["grid"], steps, _CELLS)
        else:
            told = _repair(teller, steps, is_told=is_own)
        yield told + tail, tuple(steps)


def _is_rounded(teller: Teller, conflict: Step, step: Step) -> bool:
    """Whether a purse is raised above what its cells need only as each of them is rounded up."""
    grid = float(teller.plan.scenario.round_to or 0)
    needs = [one["amount"] for one in conflict["bounds"]]
    own = [rule for rule in conflict["rules"] if not is_bound(rule)]
    if not grid or own != [step["rule"]] or not step["rule"].startswith("budget:"):
        return False
    most = sum(math.ceil(need / grid) * grid for need in needs) + grid
    return bool(sum(needs) + grid < step["to"] < most)


# ---------------------------------------------------------------------------- lists of projects


def _is_of_list(teller: Teller, conflict: Step) -> bool:
    """Whether a conflict is that more is disbursed in cells than their projects can take."""
    return bool(_short(teller, _PAID)) and all(map(is_bound, conflict["rules"]))


def _short(teller: Teller, *codes: str) -> list[str]:
    """Say what a list of projects cannot take."""
    return [one.found(teller.language) for one in teller.plan.warnings if one.code in codes]


def _by_cells(teller: Teller) -> tuple[str, tuple[Step, ...]]:
    return teller.say("repair.by_cells"), (BY_CELLS,)


def _listing(teller: Teller) -> Iterator[Trouble]:
    """Yield that the list of projects is not complete, where no conflict says so itself."""
    told = _short(teller, _PARTIAL, _PAID)
    if told and not any(_is_of_list(teller, one) for one in teller.plan.conflicts):
        yield Trouble(tuple(told), (_by_cells(teller),))


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


def kind_of(rules: Collection[str]) -> frozenset[str]:
    """Return what conflicts of one kind have in common: their rules, else their budgets."""
    named = frozenset(rule for rule in rules if not is_bound(rule))
    return frozenset(rule for rule in named if not is_purse(rule)) or named


def _together(teller: Teller) -> Iterator[Trouble]:
    """Yield what is to be said of the conflicts together: what mends all, if others remain."""
    conflicts = teller.plan.conflicts
    together = [step for one in conflicts for step in one.get("combination", ())]
    if together:
        steps = _repair(teller, together)
        yield Trouble((teller.say("repair.at_once"),), ((steps, tuple(together)),))
    if any("grid" not in one and not one["all_kinds"] for one in conflicts):
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


def _repair(teller: Teller, steps: Sequence[Step], *, is_told: bool = False) -> str:
    """Say the new number of every rule that gives way, and what that takes unless it is told."""
    by_rule: dict[tuple[str, str], list[Step]] = {}
    for step in steps:
        by_rule.setdefault((step["rule"], step["side"]), []).append(step)
    told, raised = [], [s for s in steps if is_purse(s["rule"]) and s["to"] > s["now"]]
    if len(raised) > _SHOWN:
        told = [_raised(teller, raised)]
        by_rule = {key: parts for key, parts in by_rule.items() if parts[0] not in raised}
    told += [
        teller.say(
            _way(teller, parts[0]),
            rule=teller.rule(rule),
            now=teller.words.rule_number(parts[0]["kind"], parts[0]["now"]),
            to=teller.words.rule_number(parts[0]["kind"], parts[0]["to"]),
            needs="" if is_told else _needs(teller, parts),
        )
        for (rule, _), parts in by_rule.items()
    ]
    return "; ".join(told)


def _way(teller: Teller, step: Step) -> str:
    """Return which words tell a new number: that of nothing leaves nothing of a least amount."""
    if step["to"] > step["now"]:
        return "repair.raise"
    if step["to"] or step["side"] != "min" or is_purse(step["rule"]):
        return "repair.lower"
    both = {rule.id for rule in teller.plan.scenario.rules if rule.max is not None}
    is_part = is_bound(step["rule"]) or step["rule"] in both
    return "repair.drop_part" if is_part else "repair.drop"


def _raised(teller: Teller, steps: Sequence[Step]) -> str:
    """Say by how much many budgets are raised in all, and the most of them."""
    by = {step["rule"]: step["to"] - step["now"] for step in steps}
    ranked = sorted(by, key=lambda rule: -by[rule])
    named = [f"{teller.rule(rule)} {teller.words.money(by[rule])}" for rule in ranked[:_CELLS]]
    return teller.say(
        "repair.purses",
        count=len(by),
        amount=teller.words.money(sum(by.values())),
        names=", ".join(named) + teller.words.more(len(by), "purse", _CELLS),
    )


def _on_step(teller: Teller, grid: float, steps: Sequence[Step], most: int | None) -> str:
    """Say which budgets go to a step of the grid, old and new; of more than `most` a few."""
    words, by = teller.words, [step["to"] - step["now"] for step in steps]
    named = [
        f"{teller.rule(step['rule'])} {words.exact(step['now'])} → {words.exact(step['to'])}"
        for step in steps
    ]
    kind = "near" if min(by) < 0 < max(by) else "down" if min(by) < 0 else "up"
    rest = "" if most is None else words.more(len(named), "purse", most)
    values = {"step": words.exact(grid), "change": words.signed(sum(by)), "count": len(named)}
    return teller.say(f"repair.step.{kind}", names="; ".join(named[:most]) + rest, **values)


def _needs(teller: Teller, steps: Sequence[Step]) -> str:
    """Say which groups need a new number and what they give up in all; "" for a budget."""
    groups = [teller.words.group(step["group"]) for step in steps if step["group"]]
    if not groups and steps[0]["kind"] == "money":
        return ""
    amount = teller.quantity(steps[0]["measure"], sum(step["by"] for step in steps))
    if not groups:
        return teller.say("repair.by", amount=amount)
    return teller.say("repair.at", amount=amount, groups=teller.words.listed(groups))


def _labels(teller: Teller, rules: Sequence[str], texts: Sequence[str]) -> dict[str, str]:
    """Return the scenario's words for its rules and budgets, and these for the others."""
    scenario, words = teller.plan.scenario, teller.words
    named = budget_texts(scenario.budget, words) | rule_texts(scenario.rules, words)
    given = dict(zip(rules, texts, strict=False))
    return {
        rule: teller.rule(rule)
        if is_bound(rule)
        else rule_label(rule, named.get(rule) or given.get(rule, ""), teller.language)
        for rule in rules
    }


def _by_option(steps: Sequence[Step]) -> list[list[Step]]:
    options = dict.fromkeys(step["option"] for step in steps)
    return [[step for step in steps if step["option"] == option] for option in options]
