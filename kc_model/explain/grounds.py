"""What a plan leaves open, what it rests on, what rounding cost it, which defaults it follows."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from kc_model.explain.left import tier_missed
from kc_model.explain.teller import Teller
from kc_model.money import Amount
from kc_model.scenario import Rule
from kc_model.tables import CELL_KEYS, Note
from kc_model.words import NOTICED

__all__ = ["RANGES_UP_TO", "tell_grounds", "tell_open"]

RANGES_UP_TO = 200
"""Cells up to which each one's lowest and highest amount is found unasked."""

_WIDEST = 3
_MANY = 40  # lines that change mid-year: more than an office writes reasons for
_UNSURE = ("assumed", "estimate", "synthetic", "derived")
_OF_PROJECTS = ("cap", "advanced", "begun")  # notes that are told as they stand


def tell_open(teller: Teller) -> Iterator[str]:
    """Tell what the goals leave open, and what is kept in reserve."""
    plan, words = teller.plan, teller.words
    if plan.undecided:
        is_open = plan.cells["is_open"]
        yield teller.say(
            "undecided" if plan.goals else "open",
            count=len(plan.undecided),
            amount=words.vnd(int(plan.cells["amount"][is_open].sum())),
            base=teller.base(),
            widest=_widest(teller, plan.cells[is_open]),
        )
    elif len(plan.projects) and plan.cells["lowest"].isna().all():
        yield teller.say("projects.no_ranges")
    is_counted = any(goal["name"] == "minimise moves" for goal in plan.goals)
    if is_counted:
        yield from _staying(teller)
    elif plan.as_of is not None and not len(plan.projects):
        changed = int((plan.cells["amount"] != plan.cells["baseline"]).sum())
        if changed > _MANY:
            yield teller.say("moves.many", count=changed, base=teller.base())
    is_long = len(plan.cells) > RANGES_UP_TO and not len(plan.projects) and not is_counted
    if is_long and plan.cells["lowest"].isna().all():
        yield teller.say("no_ranges", most=RANGES_UP_TO)
    for row in plan.reserve:
        if row["amount"]:
            name, amount = teller.rule(row["budget"]), words.vnd(row["amount"])
            yield teller.say("reserve", budget=name, amount=amount)


def _staying(teller: Teller) -> Iterator[str]:
    """Tell how many lines stay as they were, as a goal of fewest moves counts them."""
    plan = teller.plan
    step = max(plan.rounding.get("step", 0), 1)
    if not len(plan.projects):
        stays = (plan.cells["amount"] - plan.cells["baseline"]).abs() < step
        yield teller.say("moves.stays", count=int(stays.sum()), base=teller.base())
        yield teller.say("moves.no_ranges")
        return
    parts = plan.parts
    own = parts[parts["project"] != ""].groupby("project")[["before", "after"]].sum()
    alone = plan.cells[~plan.cells.index.isin(parts["cell"])]
    cells = alone.rename(columns={"baseline": "before", "amount": "after"})
    projects, rest = (
        int(((one["before"] > 0) & ((one["after"] - one["before"]).abs() < step)).sum())
        for one in (own, cells)
    )
    count = projects + rest
    yield teller.say("moves.stays_projects", count=count, projects=projects, base=teller.base())


def _widest(teller: Teller, cells: pd.DataFrame) -> str:
    """Name the cells that could lie furthest apart; nothing where ranges are not known."""
    if cells["lowest"].isna().any():
        return ""
    spread = (cells["highest"] - cells["lowest"]).sort_values(ascending=False, kind="stable")
    named = []
    for row in cells.loc[spread.index[:_WIDEST]].to_dict("records"):
        lowest, highest = (teller.words.vnd(row[end]) for end in ("lowest", "highest"))
        cell = teller.cell(row)
        named.append(teller.say("range", cell=cell, lowest=lowest, highest=highest))
    return teller.say("widest", names="; ".join(named))


def tell_grounds(teller: Teller) -> Iterator[str]:
    """Tell what the plan rests on, what rounding cost, and every default in force."""
    plan, total = teller.plan, int(teller.plan.cells["amount"].sum())
    if plan.data.synthetic:
        yield teller.say("synthetic")
    if total:
        yield from _on_forecast(teller, total)
        yield from _on_notes(teller, total)
        caps = [n for n in plan.notes if n.table == "projects" and n.column in _OF_PROJECTS]
        yield from (f"{n.vi if teller.language == 'vi' else n.en}." for n in caps)
        bare = [_quoted(teller, rule) for rule in plan.scenario.rules if not rule.basis]
        if bare:
            yield teller.say("bare", count=len(bare), names=teller.words.listed(bare, "rule"))
    yield from _on_rounding(teller)
    if plan.defaults:
        told = [default[teller.language] for default in plan.defaults]
        yield teller.say("in_force", count=len(told), names="; ".join(told))


def _quoted(teller: Teller, rule: Rule) -> str:
    return f"“{teller.rule(rule.id)}”"


def _on_forecast(teller: Teller, total: int) -> Iterator[str]:
    cells, words = teller.plan.cells, teller.words
    forecast = ~cells["basis"].isin(["given", ""])
    if cells["expected_disbursed"].notna().all() and forecast.any():
        borrowed = forecast & ~cells["basis"].isin(["cell", "forecast"])
        amount, lent = (int(cells["amount"][part].sum()) for part in (forecast, borrowed))
        yield teller.say(
            "forecast_borrowed" if borrowed.any() else "forecast",
            amount=words.vnd(amount),
            share=words.percent(amount / total),
            count=int(borrowed.sum()),
            borrowed=words.vnd(lent),
        )


def _on_notes(teller: Teller, total: int) -> Iterator[str]:
    words = teller.words
    named: dict[tuple[str, str], int] = {}
    for note in (*teller.plan.data.notes, *teller.plan.scenario.notes):
        if note.standing in _UNSURE and note.table:
            touched = _touched(teller, note)
            if touched:
                named[words.column(note.column or note.table), note.standing] = touched
    if named:
        shown = [
            teller.say(
                "rests_on",
                name=name,
                standing=teller.say(f"standing.{standing}"),
                amount=words.vnd(amount),
                share=words.percent(amount / total),
            )
            for (name, standing), amount in named.items()
        ]
        yield teller.say("rests", names="; ".join(shown))


def _touched(teller: Teller, note: Note) -> int:
    """Return how much of the plan's money stands in cells that a note speaks of, VND."""
    cells, table = teller.plan.cells, note.table
    if table == "absorption":
        return int(cells["amount"][cells["basis"] == "given"].sum())
    if table not in ("cells", "places"):
        return int(cells["amount"].sum())
    frame = getattr(teller.plan.data, table)
    if note.column not in frame:
        return 0
    value = frame[note.column]
    held = frame[value.notna() & (value != "") & (value != 0)]
    keys = [key for key in CELL_KEYS[1:] if key in frame]
    inside = pd.MultiIndex.from_frame(cells[keys]).isin(pd.MultiIndex.from_frame(held[keys]))
    return int(cells["amount"][inside].sum())


def _on_rounding(teller: Teller) -> Iterator[str]:
    """Tell what rounding cost each tier and goal."""
    plan, words = teller.plan, teller.words
    told = plan.rounding
    if not told:
        return
    costs = []
    numbers = iter(range(1, len(plan.goals) + 1))
    for stage in told["stages"]:
        name, before, after = stage["name"], stage["settled"], stage["rounded"]
        number = next(numbers) if " " in name else 0
        lost = before - after if name.startswith("maximise") else after - before
        if lost > NOTICED * max(abs(before), 0.0 if number else 1.0):
            key, named = (
                ("rounding.cost", teller.goal(number))
                if number
                else ("rounding.tier", teller.say(f"tiers.{name}"))
            )
            per = teller.per(number) if number else ""
            shown = [
                words.achieved(name, value, per)
                if number
                else tier_missed(plan, name, value, teller.language)
                for value in (before, after)
            ]
            costs.append(
                teller.say(key, name=named, **dict(zip(("before", "after"), shown, strict=True)))
            )
    step = Amount(told["step"], plan.unit)(teller.language)
    if costs:
        moved = words.vnd(told["moved"])
        yield teller.say("rounding.costs", step=step, moved=moved, costs="; ".join(costs))
    else:
        yield teller.say("rounding.free" if plan.goals else "rounding.kept", step=step)
