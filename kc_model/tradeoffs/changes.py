"""In what two scenarios, and what their plans were made from, differ."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TypeVar

from kc_model.explain import budget_texts, rule_label, rule_texts
from kc_model.results import Allocation
from kc_model.scenario import Budget, Rule, Scenario
from kc_model.words import Words

__all__ = ["Change", "changes_between"]

_Row = TypeVar("_Row", Budget, Rule)


@dataclass(frozen=True)
class Change:
    """One difference between two scenarios.

    Parameters
    ----------
    id : str
        ``budget:N``, ``budget``, a rule's id, ``goals``, ``spend``, ``year``, ``round_to`` or
        ``data``.
    label : callable (Words) -> str
    make : callable (Scenario) -> Scenario
        Makes this change alone.
    """

    id: str
    label: Callable[[Words], str] = field(compare=False)
    make: Callable[[Scenario], Scenario] = field(compare=False)


def changes_between(before: Allocation, after: Allocation, most: int) -> tuple[Change, ...]:
    """Return the differences that can change a plan: budgets, rules, goals, the rest, the data.

    Parameters
    ----------
    most : int
        With more changes of the scenario than this, all budgets count as one.
    """
    a, b = before.scenario, after.scenario
    budgets = list(_budgets(a, b))
    others = [*_rules(a, b), *_settings(a, b)]
    if len(budgets) > 1 and len(budgets) + len(others) > most:
        budgets = [_all_budgets(a, b)]
    last = [_whole("data", lambda asked: asked)] if _grounds_differ(before, after) else []
    return (*budgets, *others, *last)


def _grounds_differ(before: Allocation, after: Allocation) -> bool:
    """Whether data, forecast or as-of month are not the same."""
    if before.data.hash != after.data.hash or before.as_of != after.as_of:
        return True
    one, other = before.outlook, after.outlook
    if one is None or other is None or one is other:
        return one is not other
    return not one.slices.equals(other.slices)


def _whole(name: str, make: Callable[[Scenario], Scenario]) -> Change:
    return Change(name, lambda words: words.say(f"tradeoffs.changes.{name}"), make)


def _settings(a: Scenario, b: Scenario) -> Iterator[Change]:
    if a.goals != b.goals:
        yield _whole("goals", lambda asked: replace(asked, goals=b.goals))
    if (a.spend or "all") != (b.spend or "all"):
        yield _whole("spend", lambda asked: replace(asked, spend=b.spend))
    if a.year != b.year:
        yield _whole("year", lambda asked: replace(asked, year=b.year))
    if a.round_to != b.round_to:
        yield _whole("round_to", lambda asked: replace(asked, round_to=b.round_to))


# ---------------------------------------------------------------------------- budgets


def _budgets(a: Scenario, b: Scenario) -> Iterator[Change]:
    """Yield every changed row; rows are the same where they cover the same cells."""
    ours, theirs = ({_cover(row): row for row in s.budget} for s in (a, b))
    if len(ours) < len(a.budget) or len(theirs) < len(b.budget):  # rows that cover the same
        if [row.amount for row in a.budget] != [row.amount for row in b.budget] or ours != theirs:
            yield _all_budgets(a, b)
        return
    for cover in dict.fromkeys([*theirs, *ours]):
        old, new = ours.get(cover), theirs.get(cover)
        if old is None or new is None or old.amount != new.amount:
            number = (list(theirs) if new is not None else list(ours)).index(cover) + 1
            label = partial(_budget_label, old, new)
            yield Change(f"budget:{number}", label, partial(_with_budget, cover, new))


def _cover(row: Budget) -> str:
    return str((sorted((key, sorted(values)) for key, values in row.where.items()), row.pooled))


def _with_budget(cover: str, new: Budget | None, asked: Scenario) -> Scenario:
    return replace(asked, budget=tuple(_exchanged(asked.budget, _cover, cover, new)))


def _all_budgets(a: Scenario, b: Scenario) -> Change:
    def label(words: Words) -> str:
        sums = [words.money(float(sum(row.amount for row in s.budget))) for s in (a, b)]
        return words.say("tradeoffs.changes.budgets", before=sums[0], after=sums[1])

    return Change("budget", label, lambda asked: replace(asked, budget=b.budget))


def _budget_label(old: Budget | None, new: Budget | None, words: Words) -> str:
    row = new or old
    name = "" if row is None else budget_texts([row], words)["budget:1"]
    if old is None or new is None:
        key = "added" if old is None else "dropped"
        return words.say(f"tradeoffs.changes.{key}", name=name)
    amounts = {"before": words.money(float(old.amount)), "after": words.money(float(new.amount))}
    return words.say("tradeoffs.changes.moved", name=name, **amounts)


# ---------------------------------------------------------------------------- rules


def _rules(a: Scenario, b: Scenario) -> Iterator[Change]:
    ours, theirs = ({rule.id: rule for rule in s.rules} for s in (a, b))
    for rule_id in dict.fromkeys([*theirs, *ours]):
        old, new = ours.get(rule_id), theirs.get(rule_id)
        if old is None or new is None or _worth(old) != _worth(new):
            label = partial(_rule_label, old, new)
            yield Change(rule_id, label, partial(_with_rule, rule_id, new))


def _worth(rule: Rule) -> Rule:
    """Return the rule without its words: they move nothing."""
    return replace(rule, text="", basis="")


def _with_rule(rule_id: str, new: Rule | None, asked: Scenario) -> Scenario:
    return replace(asked, rules=tuple(_exchanged(asked.rules, lambda rule: rule.id, rule_id, new)))


def _exchanged(
    rows: Iterable[_Row], name: Callable[[_Row], str], wanted: str, new: _Row | None
) -> Iterator[_Row]:
    """Yield the rows with the named one replaced, left out, or added behind them."""
    is_there = False
    for row in rows:
        if name(row) != wanted:
            yield row
        elif new is not None:
            is_there = True
            yield new
    if new is not None and not is_there:
        yield new


def _name(rule: Rule | None, words: Words) -> str:
    return "".join(
        rule_label(key, text, words.language)
        for key, text in rule_texts([rule] if rule else [], words).items()
    )


def _rule_label(old: Rule | None, new: Rule | None, words: Words) -> str:
    row = new or old
    name = _name(row, words)
    if old is None or new is None:
        key = "added" if old is None else "dropped"
        return words.say(f"tradeoffs.changes.{key}", name=name)
    sides = [side for side in ("min", "max") if getattr(old, side) != getattr(new, side)]
    numbers = [(getattr(old, side), getattr(new, side)) for side in sides]
    if len(numbers) != 1 or None in numbers[0]:
        return words.say("tradeoffs.changes.edited", name=name)
    before, after = (words.rule_number(new.kind, float(value)) for value in numbers[0])
    return words.say("tradeoffs.changes.moved", name=name, before=before, after=after)
