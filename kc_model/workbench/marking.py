"""What was changed on screen, told by the scenario's name and notes on every output."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from functools import partial
from typing import TypeAlias

from kc_model.explain import budget_texts, rule_label, rule_texts
from kc_model.scenario import Budget, Goal, Rule, Scenario
from kc_model.tables import Dataset, Note
from kc_model.wording import LANGUAGES, Language, say
from kc_model.words import Words
from kc_model.workbench.levers import Lever, RuleLever, TotalLever, grid_of

__all__ = ["edited", "mark", "month_label"]

_Telling: TypeAlias = Callable[[Language], str]


def mark(scenario: Scenario, changed: Scenario, data: Dataset) -> Scenario:
    """Return a changed scenario whose name and notes say on every output what was changed.

    Parameters
    ----------
    scenario : Scenario
        As it was.
    changed : Scenario
        With other numbers, tiers, words, goals or month; with budgets and rules added or removed.
    """
    if changed == scenario:
        return scenario
    notes = [*_budget_notes(scenario, changed, data), *_rule_notes(scenario, changed, data)]
    if scenario.goals != changed.goals:
        notes.append(_goal_note(scenario, changed, data))
    if scenario.as_of != changed.as_of:
        notes.append(_month_note(scenario, changed))
    grid, now = (grid_of(one, data.unit) for one in (scenario, changed))
    if grid != now:
        title = partial(say, "screen.plan.rounding")
        notes.append(_note(title, Lever(grid, "money", data.unit), now))
    return replace(changed, name=edited(scenario.name), notes=(*scenario.notes, *notes))


def edited(name: str) -> str:
    """Return what a scenario is called once it was changed on screen."""
    is_said = name.endswith(say("screen.edited", "vi", name=""))
    return name if is_said else say("screen.edited", "vi", name=name)


def _budget_notes(scenario: Scenario, changed: Scenario, data: Dataset) -> Iterator[Note]:
    unit = data.unit
    before, after = (_by_cells(one.budget) for one in (scenario, changed))
    kept = [key for key in before if key in after]
    moved = [key for key in kept if before[key][1].amount != after[key][1].amount]
    total, now = TotalLever.of(scenario, unit), TotalLever.of(changed, unit)
    if total.kind == now.kind == "money" and total.start != now.start:
        yield _note(partial(total.title, total.start), total, now.start)
    if total.kind != "money" or len(moved) < len(before):
        for key in moved:
            place, old = before[key]
            lever = Lever(old.amount, "money", unit)
            yield _note(_budget_name(scenario, place, data), lever, after[key][1].amount)
    for which, one, rows, others in (
        ("added", changed, after, before),
        ("removed", scenario, before, after),
    ):
        for key, (place, row) in rows.items():
            if key not in others:
                name = _budget_name(one, place, data)
                yield _row_note(which, name, Lever(row.amount, "money", unit))


def _by_cells(rows: Sequence[Budget]) -> dict[object, tuple[int, Budget]]:
    """Return budgets with their places, from 1, by what they may be spent on."""
    found: dict[object, tuple[int, Budget]] = {}
    count: Counter[object] = Counter()
    for place, row in enumerate(rows, 1):
        cells = tuple(sorted(row.where.items())), row.pooled
        count[cells] += 1
        found[cells, count[cells]] = place, row
    return found


def _budget_name(scenario: Scenario, place: int, data: Dataset) -> _Telling:
    """Return what tells a budget's name, by its place from 1."""

    def name(one: Language) -> str:
        words = Words(data.unit, data.vintage, one)
        return budget_texts(scenario.budget, words)[f"budget:{place}"]

    return name


def _rule_name(rule: Rule, data: Dataset) -> _Telling:
    """Return what tells a rule's name."""

    def name(one: Language) -> str:
        named = rule_texts([rule], Words(data.unit, data.vintage, one))
        return rule_label(rule.id, named[rule.id], one)

    return name


def _rule_notes(scenario: Scenario, changed: Scenario, data: Dataset) -> Iterator[Note]:
    before, after = ({rule.id: rule for rule in one.rules} for one in (scenario, changed))
    for old in scenario.rules:
        new = after.get(old.id)
        if new is None:
            yield _rule_note("removed", _rule_name(old, data))
            continue
        for side in ("min", "max"):
            was, now = getattr(old, side), getattr(new, side)
            if was != now:
                had = old if was is not None else new
                lever = RuleLever.of(had, side, data.unit, data.vintage)
                if lever is not None:
                    title = partial(lever.title, lever.start)
                    yield _note(title, lever, now, is_new=was is None)
        if old.tier != new.tier:
            yield _tier_note(_rule_name(old, data), old, new)
    for rule in changed.rules:
        if rule.id not in before:
            yield _rule_note("added", _rule_name(rule, data))


def _row_note(which: str, name: _Telling, lever: Lever) -> Note:
    """Say that a budget came or went."""

    def text(one: Language) -> str:
        what = f"{name(one)}: {lever.shown(lever.start, one)}"
        return say(f"screen.{which}", one, what=what)

    return _assumed(text)


def _rule_note(which: str, name: _Telling) -> Note:
    """Say that a rule came or went."""
    return _assumed(lambda one: say(f"screen.{which}", one, what=name(one)))


def _tier_note(name: _Telling, old: Rule, new: Rule) -> Note:
    return _told(
        name,
        lambda one: say(f"explain.tiers.{old.tier}", one),
        lambda one: say(f"explain.tiers.{new.tier}", one),
    )


def _goal_note(old: Scenario, new: Scenario, data: Dataset) -> Note:
    def named(scenario: Scenario, one: Language) -> str:
        words = Words(data.unit, data.vintage, one)
        return "; ".join(_goal_label(goal, words) for goal in scenario.goals) or "–"

    return _told(
        lambda one: say("screen.trading.goals", one),
        lambda one: named(old, one),
        lambda one: named(new, one),
    )


def _goal_label(goal: Goal, words: Words) -> str:
    label = words.goal(goal.name, goal.where)
    if not goal.give:
        return label
    return say("screen.giving", words.language, goal=label, share=words.percent(float(goal.give)))


def _month_note(old: Scenario, new: Scenario) -> Note:
    return _told(
        lambda one: say("screen.moves.switch", one),
        lambda one: month_label(old, one),
        lambda one: month_label(new, one),
    )


def month_label(scenario: Scenario, language: Language) -> str:
    """Return what a scenario plans: the whole year, or an adjustment after a month of it."""
    key = "whole" if scenario.as_of is None else "month"
    values = {"year": scenario.year, "month": scenario.as_of}
    return say(f"screen.moves.{key}", language, **values)


def _note(title: _Telling, lever: Lever, value: Decimal | None, *, is_new: bool = False) -> Note:
    """Say what a number is now and was before; a bound may have come or gone."""

    def shown(number: Decimal | None, one: Language) -> str:
        return say("screen.open", one) if number is None else lever.shown(number, one)

    return _told(
        title,
        lambda one: shown(None if is_new else lever.start, one),
        lambda one: shown(value, one),
    )


def _told(what: _Telling, old: _Telling, new: _Telling) -> Note:
    return _assumed(
        lambda one: say("screen.moved", one, what=what(one), old=old(one), new=new(one))
    )


def _assumed(text: _Telling) -> Note:
    texts = {one: text(one) for one in LANGUAGES}
    return Note("assumed", texts["vi"], texts["en"], table="scenario")
