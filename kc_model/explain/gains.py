"""What loosening a rule by a readable step would give."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator
from typing import Any

import pandas as pd

from kc_model.explain.teller import SMALL, Teller
from kc_model.plan import Plan
from kc_model.tables import CELL_KEYS
from kc_model.wording import Language, say
from kc_model.words import DIGITS

__all__ = ["holding", "loosening", "tell_gains"]

_TOLD = 5
_NONE = "–"
_SIDES = ("min", "max")
_WORTH = 1e-5  # of the first goal's best: a smaller gain is not worth a sentence
_ALIKE = 5e-3  # of a gain: told to three figures, less makes no difference
_FINEST = 6  # digits after the mark
_DISBURSED = "maximise disbursed"
_MUCH, _NEAR = 0.8, 0.03  # of an added đồng: less is asked about; rates that hardly differ
_LOW = 2  # budgets of many that are asked about

Row = dict[Hashable, Any]


def tell_gains(teller: Teller) -> Iterator[str]:
    """Tell what binds and what a step of it gives, what gives most first."""
    plan = teller.plan
    if not plan.goals:
        return
    if len(plan.projects):
        yield teller.say("projects.no_prices")
        return
    rules = plan.rule_rows
    if not rules["price"].notna().any():
        return
    best = abs(plan.goals[0]["best"])
    sides = list(_sides(rules))
    worth = [rows for rows in sides if _is_worth(teller, rows[0])]
    if not worth:
        yield teller.say("free", goal=teller.goal(1))
        return
    goal = teller.words.achieved(plan.goals[0]["name"], plan.goals[0]["best"], teller.per(1))
    if abs(plan.goals[0]["achieved"] - plan.goals[0]["best"]) > _WORTH * best:
        yield teller.say("gains_of", goal=teller.goal(1), best=goal)
    worth.sort(key=lambda rows: -_gain(teller, rows[0]))
    purses = [rows[0] for rows in worth if _is_purse(rows[0])]
    others = [rows for rows in worth if not _is_purse(rows[0])]
    others += [[purse] for purse in purses] if len(purses) == 1 else []
    for rows in others[:_TOLD]:
        clause, name = _clause(teller, rows[0]), _name(teller, rows[0], sides)
        yield teller.say("gain", rule=name, state=_state(teller, rows), clause=clause)
    if len(others) > _TOLD:
        yield teller.say("more_gains", count=len(others) - _TOLD)
    if len(purses) > 1:
        yield _of_purses(teller, purses)
    yield from _why_low(teller, purses[: _LOW if len(purses) > 1 else 1])


def loosening(plan: Plan, language: Language = "vi") -> list[str]:
    """Return for every rule row what loosening its rule by a readable step would give.

    Returns
    -------
    list of str
        The sentences of `explain`, "" for a row that holds neither the plan nor the first goal's
        best, or where nothing is known of it. What a step gives in several groups at once says so.
    """
    teller, told = Teller(plan, language), []
    rules = plan.rule_rows
    counts = rules.groupby(["id", "side"])["group"].transform("size")
    for row, count in zip(rules.to_dict("records"), counts, strict=True):
        is_known = not (math.isnan(row["price"]) and math.isnan(row["gain"]))
        clause = _clause(teller, row) if is_known and _holds(row) else ""
        if clause and count > 1 and not math.isnan(row["gain"]):
            clause = teller.say("at_once", count=count, clause=clause)
        told.append(f"{clause[:1].upper()}{clause[1:]}." if clause else "")
    return told


def holding(plan: Plan, language: Language = "vi") -> list[tuple[str, ...]]:
    """Return everything that holds the plan, or the first goal's best, as a table.

    Returns
    -------
    list of tuple of str
        The head; then for each rule and side its name, its state and where, what a readable step
        gives, and how far that holds as it is loosened ("–" where a step gives nothing, or goes
        first to what is missed). Missed ones first, then what gives most. A column without
        anything to say is left out: without prices the last two.
    """
    teller, rules = Teller(plan, language), plan.rule_rows
    is_priced = bool(rules["price"].notna().any())
    sides = list(_sides(rules))
    sides.sort(key=lambda rows: (rows[0]["status"] != "missed", -_gain(teller, rows[0])))
    lines: list[tuple[str, ...]] = []
    steps: set[str] = set()
    for rows in sides:
        named = [_name(teller, rows[0], sides), _state(teller, rows)]
        if is_priced:
            clause = _clause(teller, rows[0])
            if _is_purse(rows[0]) and _is_worth(teller, rows[0]):
                gain = _shown(teller, rows[0])
                step = clause.partition(gain)[0]  # what every budget is told with: once
                clause = f"+{gain}" if step in steps else clause
                steps.add(step)
            named += [clause, _until(teller, rows)]
        lines.append(tuple(f"{text[:1].upper()}{text[1:]}" for text in named))
    head = ["rule", "state", "step", "until"][: 4 if is_priced else 2]
    if is_priced and all(line[-1] == _NONE for line in lines):
        head, lines = head[:-1], [line[:-1] for line in lines]
    return [tuple(teller.say(f"holding.{name}") for name in head), *lines]


def _name(teller: Teller, row: Row, sides: list[list[Row]]) -> str:
    """Return what a rule is called; its side too where both of them are told."""
    name = teller.rule(str(row["id"]))
    if sum(rows[0]["id"] == row["id"] for rows in sides) < len(_SIDES):
        return name
    return say(f"screen.side.{row['side']}", teller.language, rule=name)


def _until(teller: Teller, rows: list[Row]) -> str:
    """Say how far what a step gives holds: beyond the step, to its end, or for its first part."""
    row, gain = rows[0], _gain(teller, rows[0])
    promise = math.fsum(one["price"] * _size(teller, one) for one in rows)
    if math.isnan(promise) or row["status"] == "missed" or not _is_worth(teller, row):
        return _NONE
    through = gain >= (1 - _ALIKE) * promise
    end = row["price_from"] if row["side"] == "min" else row["price_to"]
    if len(rows) > 1 or (math.isnan(end) and not through):
        return teller.say("holding.through" if through else "holding.less")
    if math.isnan(end):
        return teller.say("holding.endless")
    limit = _limit(teller, row, end)
    if abs(end - row["bound"]) >= (1 - SMALL) * _size(teller, row):
        return teller.say("holding.beyond", limit=limit)
    if through:
        return teller.say("holding.through")
    first = teller.words.gained(teller.plan.goals[0]["name"], row["price"] * _one(teller, row))
    key = "holding.part" if limit else "holding.at_once"
    return teller.say(key, limit=limit, gain=first, step=_unit(teller, row))


def _limit(teller: Teller, row: Row, end: float) -> str:
    """Show a limit with the digits that tell it from the one that stands; "" where none do."""
    is_share = _is_share(row) and row["bound"]
    for digits in range(2 if is_share else DIGITS[teller.words.unit], _FINEST + 1):
        now, to = (
            teller.words.percent(at / row["bound"] * row["factor"], digits)
            if is_share
            else teller.quantity(row["measure"], at, digits)
            for at in (row["bound"], end)
        )
        if now != to:
            return to
    return ""


def _sides(rules: pd.DataFrame) -> Iterator[list[Row]]:
    """Yield the rows that hold something by rule and side: missed first, then the dearest."""
    first = rules["status"].map({"missed": 0, "binding": 1, "met": 2})
    ranked = rules.assign(first=first).sort_values(
        ["first", "price"], ascending=[True, False], kind="stable"
    )
    sides: dict[tuple[str, str], list[Row]] = {}
    held = (ranked["status"] != "met") | (ranked["price"] > 0)
    for row in ranked[held].to_dict("records"):
        sides.setdefault((str(row["id"]), str(row["side"])), []).append(row)
    yield from sides.values()


def _holds(row: Row) -> bool:
    """Whether a row holds the plan, or the first goal's best from which the plan gave way."""
    return bool(row["status"] != "met" or row["price"] > 0)


def _is_purse(row: Row) -> bool:
    return str(row["id"]).startswith("budget:")


def _gain(teller: Teller, row: Row) -> float:
    """Return what a step gives: asked again, or at the most what the price promises."""
    if not math.isnan(row["gain"]):
        return float(row["gain"])
    promised = row["price"] * _one(teller, row) if row["status"] != "missed" else 0.0
    return 0.0 if math.isnan(promised) else float(promised)


def _is_worth(teller: Teller, row: Row) -> bool:
    return _gain(teller, row) > _WORTH * abs(float(teller.plan.goals[0]["best"]))


def _is_share(row: Row) -> bool:
    return bool(row["measure"] == "share" and row["factor"])


def _size(teller: Teller, row: Row) -> float:
    """Return by how much a step moves a row's right-hand side, in the row's own unit."""
    if math.isnan(row["step"]):
        return _one(teller, row)
    is_fixed = str(row["id"]).startswith(("budget:", "bound:")) or not row["factor"]
    return float(row["step"] * (1.0 if is_fixed else abs(row["bound"] / row["factor"])))


def _one(teller: Teller, row: Row) -> float:
    """Return a point of a share, or 1 of what is shown, in the row's own unit."""
    if _is_share(row):
        return float(row["bound"] / row["factor"] / 100)
    return teller.words.one if row["measure"] in ("money", "share") else 1.0


def _clause(teller: Teller, row: Row) -> str:
    """Say what loosening gives, without saying of what rule."""
    name = teller.plan.goals[0]["name"]
    is_asked = not math.isnan(row["gain"])
    step = _step(teller, row) if is_asked else teller.say("step.by", step=_unit(teller, row))
    if not _is_worth(teller, row):
        return teller.say("nothing", step=step, goal=teller.goal(1))
    key = "disbursed" if name == _DISBURSED else "other"
    return teller.say(f"gives.{key}", step=step, gain=_shown(teller, row), goal=teller.goal(1))


def _shown(teller: Teller, row: Row) -> str:
    """Show what a step gives; what was not asked again is the most that it can be."""
    goal = teller.plan.goals[0]["name"]
    shown = teller.words.gained(goal, _gain(teller, row))
    return teller.say("at_most", gain=shown) if math.isnan(row["gain"]) else shown


def _step(teller: Teller, row: Row) -> str:
    """Say what number a rule would have, or how much money would be added."""
    rule = next((one for one in teller.plan.scenario.rules if one.id == row["id"]), None)
    if rule is None:
        now, kind = float(row["bound"]), "money"
    else:
        now, kind = float(row["factor"]), rule.kind
    if _is_purse(row):
        return teller.say("step.add", step=teller.words.exact(row["step"]))
    to = now - row["step"] if row["side"] == "min" else now + row["step"]
    key = "step.lower" if row["side"] == "min" else "step.raise"
    shown = (teller.words.rule_number(kind, value) for value in (now, to))
    return teller.say(key, **dict(zip(("now", "to"), shown, strict=True)))


def _unit(teller: Teller, row: Row) -> str:
    """Say what `_one` is."""
    if _is_share(row):
        return teller.say("step.point")
    return teller.quantity(row["measure"], _one(teller, row))


def _state(teller: Teller, rows: list[Row]) -> str:
    """Say whether a rule is at its limit or missed, and where."""
    first = rows[0]
    groups = [row["group"] for row in rows if row["status"] == first["status"] and row["group"]]
    told = teller.say(f"states.{first['status']}")
    if not groups:
        return told
    group = teller.words.group(groups[0])
    key = "one_group" if len(groups) == 1 else "groups"
    return told + teller.say(key, count=len(groups), group=group)


def _why_low(teller: Teller, purses: list[Row]) -> Iterator[str]:
    """Say of budgets that would not disburse much more where their next đồng could go, and why."""
    plan, words = teller.plan, teller.words
    for row in purses:
        inside = plan.cells[plan.cells["budget"] == row["id"]]
        chances = inside["chance_next"].dropna()
        rate = _gain(teller, row) / row["step"]  # NaN of what was not asked again
        if plan.goals[0]["name"] != _DISBURSED or chances.empty or not rate < _MUCH:
            continue
        cell = inside.loc[chances.idxmax()].to_dict()
        top = float(cell["chance_next"])
        mean = cell["expected_disbursed"] / cell["amount"] if cell["amount"] else math.nan
        holders = [f"“{name}”" for name in _holders(teller, cell)]
        goal = plan.goals[0]
        is_best = abs(goal["achieved"] - goal["best"]) <= _WORTH * abs(goal["best"])
        key = "held" if holders else "shared" if is_best else "taken"
        yield teller.say(
            f"low.{'best' if top < rate + _NEAR else key}",
            name=teller.rule(str(row["id"])),
            rate=words.percent(rate),
            cell=teller.cell(cell),
            top=words.percent(top),
            mean=_NONE if math.isnan(mean) else words.percent(mean),
            rules="; ".join(holders),
        )


def _holders(teller: Teller, cell: Row) -> list[str]:
    """Return the rules that keep a cell from more money: at most their limit where it is."""
    rules, codes = teller.plan.rule_rows, {str(cell[key]) for key in CELL_KEYS}
    wheres = {rule.id: rule.where for rule in teller.plan.scenario.rules}
    bound = f"bound:{'|'.join(str(cell[key]) for key in CELL_KEYS[1:])}"
    found = []
    for row in rules[(rules["side"] == "max") & (rules["status"] != "met")].to_dict("records"):
        where, group = wheres.get(row["id"]), set(filter(None, str(row["group"]).split("|")))
        is_its = str(row["id"]).startswith(bound) if where is None else group <= codes
        known = {key: values for key, values in (where or {}).items() if key in CELL_KEYS}
        if is_its and all(str(cell[key]) in values for key, values in known.items()):
            found.append(teller.rule(str(row["id"])))
    return list(dict.fromkeys(found))[:2]


def _of_purses(teller: Teller, purses: list[Row]) -> str:
    """Say in one sentence what the same step brings in each of several purses."""
    name, words = teller.plan.goals[0]["name"], teller.words
    asked = [row for row in purses if not math.isnan(row["gain"])]
    named = [
        teller.say("purse", name=teller.rule(row["id"]), gain=_shown(teller, row))
        for row in asked or purses
    ]
    step = asked[0]["step"] if asked else words.one
    least = teller.say("least", name=named[-1]) if words.more(len(named), "purse") else ""
    key = "disbursed" if name == _DISBURSED else "other"
    return teller.say(
        f"purses.{key}",
        step=words.exact(step),
        goal=teller.goal(1),
        names=words.listed(named, "purse") + least,
    )
