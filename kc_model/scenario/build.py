"""From raw items to a scenario: every key typed, every fault found at once."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import fields
from decimal import Decimal, InvalidOperation

from kc_model.errors import Address, Fault
from kc_model.scenario.model import GOALS, TIERS, Budget, Goal, Rule, Scenario, Where
from kc_model.sheets import Item, list_of, mapping_of, named_choices, tell_unknown, text_of
from kc_model.tables import Note

__all__ = ["build_scenario"]

_SPEND = ("all", "at_most")
_PROJECTS = ("choose", "ignore")
_MACHINE_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")


def build_scenario(layers: Sequence[Mapping[str, Item]], faults: list[Fault]) -> Scenario:
    """Return the scenario that raw layers make, the base first.

    Whole keys replace; rules replace by id in their place; ``drop: true`` removes one.

    Parameters
    ----------
    layers : sequence of mappings
        What `read_layers` gave.
    faults : list of Fault
        Every fault of every layer is added to it; what it stands at is left out of the scenario,
        or is nothing there.
    """
    merged: dict[str, Item] = {}
    meant: set[str] = set()
    rules: dict[str, Rule] = {}
    for layer in layers:
        meant |= _known_keys(layer, _SCENARIO_KEYS, faults)
        merged.update(layer)
        _merge_rules(layer.get("rules"), rules, faults)
    at = next((item.at for item in merged.values()), Address())
    at = Address(at.file, at.sheet)
    for key in ("name", "year", "budget"):
        if _blank(merged.get(key)) and key not in meant:
            faults.append(
                Fault("missing-key", merged[key].at if key in merged else at, {"key": key})
            )
    year = _number(merged.get("year"), faults)
    round_to = _number(merged.get("round_to"), faults)
    if round_to is not None and round_to <= 0:
        faults.append(Fault("not-positive", merged["round_to"].at, {"key": "round_to"}))
    budget = tuple(_budget(item, faults) for item in list_of(merged.get("budget"), faults))
    goals = tuple(
        goal for item in list_of(merged.get("goals"), faults) if (goal := _goal(item, faults))
    )
    return Scenario(
        name=text_of(merged.get("name"), faults),
        year=_whole_year(year, merged, faults),
        budget=budget,
        rules=tuple(rules.values()),
        goals=goals,
        spend=_choice(merged.get("spend"), "spend", _SPEND, "", faults),
        round_to=round_to,
        as_of=_as_of(merged.get("as_of"), faults),
        projects=_choice(merged.get("projects"), "projects", _PROJECTS, "", faults),
        notes=_notes(merged.get("notes"), faults),
        at=at,
    )


_SCENARIO_KEYS = (
    "name",
    "year",
    "extends",
    "budget",
    "spend",
    "rules",
    "goals",
    "round_to",
    "as_of",
    "projects",
    "notes",
)
_RULE_KEYS = (*(part.name for part in fields(Rule) if part.name != "at"), "drop")
_GOAL_KEYS = ("maximise", "minimise", "where", "per", "level", "give")
_BUDGET_WORDS = ("amount", "pooled", "text", "basis", "where")


def _known_keys(found: Mapping[str, Item], known: Sequence[str], faults: list[Fault]) -> set[str]:
    """Return the known keys that unknown ones seem to mean: they are not missing as well."""
    meant: set[str] = set()
    for key, item in found.items():
        if key not in known and item.value == "" and " " in key:
            faults.append(Fault("unquoted-comma", item.at, {"key": key}))
        elif key not in known:
            meant.update(tell_unknown(key, item, known, faults))
    return meant


def _blank(item: Item | None) -> bool:
    return item is None or item.value in ("", [], {})


def _number(item: Item | None, faults: list[Fault]) -> Decimal | None:
    text = text_of(item, faults)
    if item is None or text in {"", "null", "~"}:
        return None
    if _MACHINE_NUMBER.fullmatch(text):
        try:
            number = Decimal(text)
            if abs(number.adjusted()) < 30:
                return number
        except InvalidOperation:
            pass
    values = {"found": text, "key": item.at.column, "example": "17800.5"}
    faults.append(Fault("scenario-number", item.at, values))
    return None


def _choice(
    item: Item | None, name: str, choices: Sequence[str], default: str, faults: list[Fault]
) -> str:
    text = text_of(item, faults)
    if item is None or text in choices or text == "":
        return text or default
    values = {"found": text, "choices": named_choices(name, choices)}
    faults.append(Fault("not-one-of", item.at, values))
    return default


def _flag(item: Item | None, faults: list[Fault]) -> bool:
    words = {"true": True, "yes": True, "false": False, "no": False, "": False}
    text = text_of(item, faults).lower()
    if item is not None and text not in words:
        faults.append(Fault("not-one-of", item.at, {"found": text, "choices": "true, false"}))
    return words.get(text, False)


def _where(item: Item | None, faults: list[Fault]) -> Where:
    found: dict[str, tuple[str, ...]] = {}
    for key, value in mapping_of(item, faults).items():
        parts = value.value if isinstance(value.value, list) else [value]
        found[key] = tuple(text_of(part, faults) for part in parts)
        if not found[key]:
            faults.append(Fault("empty-list", value.at, {"key": key}))
    return dict(sorted(found.items()))


def _count(item: Item | None, faults: list[Fault]) -> str:
    if item is not None and isinstance(item.value, dict):
        _known_keys(item.value, ("column",), faults)
        return f"column:{text_of(item.value.get('column'), faults)}"
    return _choice(item, "count", ("outputs", "projects"), "", faults)


def _budget(item: Item, faults: list[Fault]) -> Budget:
    row = mapping_of(item, faults)
    amount = _number(row.get("amount"), faults)
    if _blank(row.get("amount")):
        at = row["amount"].at if "amount" in row else item.at
        faults.append(Fault("missing-key", at, {"key": "amount"}))
    if amount is not None and amount < 0:
        faults.append(
            Fault("scenario-negative", row["amount"].at, {"key": "amount", "found": amount})
        )
    keys = {key: value for key, value in row.items() if key not in _BUDGET_WORDS}
    where = {**_where(row.get("where"), faults), **_where(Item(keys, item.at), faults)}
    return Budget(
        Decimal(0) if amount is None else amount,
        dict(sorted(where.items())),
        _flag(row.get("pooled"), faults),
        text_of(row.get("text"), faults),
        text_of(row.get("basis"), faults),
        item.at,
    )


def _merge_rules(item: Item | None, rules: dict[str, Rule], faults: list[Fault]) -> None:
    here: set[str] = set()
    for entry in list_of(item, faults):
        row = mapping_of(entry, faults)
        rule_id = text_of(row.get("id"), faults)
        if not rule_id or "|" in rule_id or rule_id.startswith(("budget:", "bound:")):
            faults.append(Fault("bad-rule-id", entry.at, {"found": rule_id}))
            continue
        if rule_id in here:
            faults.append(Fault("repeated-rule", entry.at, {"id": rule_id}))
        here.add(rule_id)
        if _flag(row.get("drop"), faults):
            if rules.pop(rule_id, None) is None:
                faults.append(Fault("nothing-to-drop", entry.at, {"id": rule_id}, level="warning"))
            continue
        rules[rule_id] = _rule(rule_id, row, entry.at, faults)


def _rule(rule_id: str, row: dict[str, Item], at: Address, faults: list[Fault]) -> Rule:
    meant = _known_keys(row, _RULE_KEYS, faults)
    low, high = _number(row.get("min"), faults), _number(row.get("max"), faults)
    if _blank(row.get("min")) and _blank(row.get("max")) and not meant & {"min", "max"}:
        faults.append(Fault("no-bound", at, {"id": rule_id}))
    for key, bound in (("min", low), ("max", high)):
        if bound is not None and bound < 0:
            faults.append(Fault("scenario-negative", row[key].at, {"key": key, "found": bound}))
        if not _blank(row.get("of")):
            faults.extend(_percent(key, bound, row.get(key)))
    if low is not None and high is not None and low > high:
        faults.append(Fault("rule-min-above-max", at, {"id": rule_id, "min": low, "max": high}))
    weight = _number(row.get("weight"), faults)
    if weight is not None and weight <= 0:
        faults.append(Fault("not-positive", row["weight"].at, {"key": "weight"}))
    each = row.get("each")
    parts = each.value if each is not None and isinstance(each.value, list) else [each]
    rule = Rule(
        id=rule_id,
        min=low,
        max=high,
        where=_where(row.get("where"), faults),
        each=tuple(text_of(part, faults) for part in parts if part is not None and part.value),
        of=_of(row.get("of"), faults),
        per=text_of(row.get("per"), faults),
        count=_count(row.get("count"), faults),
        tier=_choice(row.get("tier"), "tier", TIERS, "law", faults),
        weight=Decimal(1) if weight is None else weight,
        text=text_of(row.get("text"), faults),
        basis=text_of(row.get("basis"), faults),
        at=at,
    )
    if rule.of is not None and rule.per:
        faults.append(Fault("of-and-per", at, {"id": rule_id}))
    for key, values in (rule.of or {}).items():
        if "same" in values and key not in rule.each:
            faults.append(Fault("same-without-each", at, {"id": rule_id, "key": key}))
    return rule


def _percent(key: str, share: Decimal | None, item: Item | None) -> list[Fault]:
    """Warn of a share that is more than all: percents are typed as parts of one."""
    if share is None or item is None or share <= 1:
        return []
    values = {"key": key, "found": share, "percent": 100 * share, "part": share / 100}
    return [Fault("share-above-one", item.at, values, level="warning")]


def _of(item: Item | None, faults: list[Fault]) -> Where | None:
    if item is None or item.value == "":
        return None
    if item.value == "all":
        return {}
    if isinstance(item.value, str):
        faults.append(Fault("not-one-of", item.at, {"found": item.value, "choices": "all, {...}"}))
        return None
    return _where(item, faults)


def _goal(item: Item, faults: list[Fault]) -> Goal | None:
    row = mapping_of(item, faults)
    _known_keys(row, _GOAL_KEYS, faults)
    senses = [sense for sense in ("maximise", "minimise") if sense in row]
    if len(senses) != 1:
        faults.append(Fault("goal-sense", item.at))
        return None
    sense = senses[0]
    named = row[sense]
    if isinstance(named.value, dict):
        _known_keys(named.value, ("column",), faults)
        what = f"column:{text_of(named.value.get('column'), faults)}"
        if sense == "minimise":
            faults.append(
                Fault("not-one-of", named.at, {"found": what, "choices": ", ".join(GOALS[sense])})
            )
    else:
        what = _choice(named, "what", GOALS[sense], "", faults)
    per = text_of(row.get("per"), faults)
    if (what == "evenness") != bool(per):
        faults.append(Fault("evenness-per", item.at))
    level, give = _number(row.get("level"), faults), _number(row.get("give"), faults)
    for key, value, top in (("level", level, 1), ("give", give, None)):
        if value is not None and (value < 0 or (top is not None and value >= top)):
            faults.append(Fault("outside-0-1", row[key].at, {"key": key, "found": value}))
    faults.extend(_percent("give", give, row.get("give")))
    return Goal(
        sense,
        what,
        _where(row.get("where"), faults),
        per,
        Decimal("0.9") if level is None else level,
        Decimal(0) if give is None else give,
        item.at,
    )


def _notes(item: Item | None, faults: list[Fault]) -> tuple[Note, ...]:
    known = ("standing", "vi", "en", "table", "column")
    notes = []
    for entry in list_of(item, faults):
        row = mapping_of(entry, faults)
        _known_keys(row, known, faults)
        notes.append(Note(**{key: text_of(row.get(key), faults) for key in known}))
    return tuple(notes)


def _as_of(item: Item | None, faults: list[Fault]) -> int | None:
    month = _number(item, faults)
    if item is None or month is None:
        return None
    if month != int(month) or not 0 <= month <= 12:
        faults.append(Fault("bad-as-of", item.at, {"found": month}))
        return None
    return int(month)


def _whole_year(year: Decimal | None, merged: Mapping[str, Item], faults: list[Fault]) -> int:
    if year is None:
        return 0
    if year != int(year) or not 1990 <= year <= 2100:
        faults.append(Fault("bad-scenario-year", merged["year"].at, {"found": year}))
        return 0
    return int(year)
