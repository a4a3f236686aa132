"""What a plan gives in all, what it misses, what its goals achieve, which projects it chooses."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from kc_model.explain.teller import Teller
from kc_model.money import Amount, finer_steps, to_unit
from kc_model.wording import say
from kc_model.words import Words

__all__ = [
    "tell_ended",
    "tell_goals",
    "tell_missed",
    "tell_projects",
    "tell_totals",
    "tell_unproven",
]

_ENDS = 12  # the month with which a year's figures are whole


def tell_totals(teller: Teller) -> Iterator[str]:
    """Tell how much is allocated and how much of it is expected to be disbursed."""
    plan, words = teller.plan, teller.words
    total, disbursed = int(plan.cells["amount"].sum()), plan.cells["expected_disbursed"]
    expected = ""
    if total and disbursed.notna().all():
        amount, share = words.vnd(float(disbursed.sum())), float(disbursed.sum()) / total
        expected = teller.say("expected", amount=amount, share=words.percent(share))
    years = sorted({plan.year, int(plan.cells["year"].max())})
    yield teller.say(
        "total",
        name=words.retold(plan.scenario_name),
        year="–".join(map(str, years)),
        amount=words.vnd(total),
        cells=len(plan.cells),
        expected=expected,
    )
    if expected and (plan.cells["basis"] != "given").any():
        yield from _on_unfinished(teller)
    if expected:
        yield from _beside_plan_in_force(teller)


def _beside_plan_in_force(teller: Teller) -> Iterator[str]:
    """Tell what the plan in force would disburse on the same footing, and how far that is."""
    plan, words = teller.plan, teller.words
    is_in_force = plan.as_of is not None or plan.baseline_year == plan.year
    total, disbursed = int(plan.cells["baseline"].sum()), plan.cells["expected_baseline"]
    if not is_in_force or not total or disbursed.isna().any() or plan.cells["year"].nunique() > 1:
        return
    ends = [float(money.sum()) for money in (disbursed, plan.cells["expected_disbursed"])]
    (apart,) = words.steps([to_unit(end, plan.unit) for end in ends])
    key = "more" if apart > 0 else "less" if apart else "same"
    if apart < 0 and int(plan.cells["amount"].sum()) >= total:
        key = "price"
    yield teller.say(
        "footing.whole",
        base=teller.base(),
        total=words.vnd(total),
        amount=words.vnd(ends[0]),
        share=words.percent(ends[0] / total),
        apart=teller.say(f"footing.{key}", amount=words.money(abs(apart))),
    )


def _on_unfinished(teller: Teller) -> Iterator[str]:
    """Tell what of a year that has begun is not in a whole year's expected disbursement."""
    plan, history = teller.plan, teller.plan.data.history
    history = history[history["disbursed"].notna()]
    before = {plan.baseline_year} - {None, plan.year}
    for key, year in (("whole_year", plan.year), *(("unfinished", one) for one in before)):
        months = history["month"][(history["year"] == year).to_numpy(dtype=bool)]
        if plan.as_of is None and len(months) and (key == "whole_year" or months.max() < _ENDS):
            yield teller.say(key, month=int(months.max()), year=plan.year, base=year)


def tell_goals(teller: Teller) -> Iterator[str]:
    """Tell what each goal achieves, and where that is not its best, why."""
    words = teller.words
    for number, goal in enumerate(teller.plan.goals, 1):
        name, per = goal["name"], teller.per(number)
        asked = teller.plan.scenario.goals[number - 1]
        values = (goal["achieved"], goal["best"], teller.plan.bounds[number - 1])
        achieved, best, bound = (words.achieved(name, value, per) for value in values)
        is_best = teller.plan.is_exact or best == bound
        is_last = number == len(teller.plan.goals)  # what it gives is for the settlement alone
        enough = goal["best"] if is_last else teller.plan.enough.get(number, goal["achieved"])
        lost, needed = (
            words.gained(name, abs(goal["best"] - value)) for value in (goal["achieved"], enough)
        )
        key = "goal_best" if achieved == best else "goal_rounded"
        if achieved != best and (asked.give > 0 or asked.down_to is not None):
            is_none = needed == words.gained(name, 0.0)
            key = "goal_given" if needed == lost else "goal_free" if is_none else "goal_enough"
        yield teller.say(
            key,
            number=number,
            goal=words.goal(name, asked.where),
            achieved=achieved,
            best=best,
            called=teller.say("best.proven" if is_best else "best.found"),
            bound="" if is_best else teller.say("best.bound", bound=bound),
            lost=lost,
            needed=needed,
        )
        if asked.what == "risk":
            worst = 1 - float(asked.level)
            key = "risk.worst" if worst < 1 else "risk.all"
            yield teller.say(key, share=words.percent(worst), amount=achieved)


def tell_missed(teller: Teller) -> Iterator[str]:
    """Tell which wishes are missed, by how much and where."""
    rules = teller.plan.rule_rows
    for rule_id, rows in rules[rules["status"] == "missed"].groupby("id", sort=False):
        first = rows.iloc[0]
        worst = rows.sort_values("shortfall", ascending=False, kind="stable")
        groups = [teller.words.group(group) for group in worst["group"] if group]
        yield teller.say(
            "missed_at" if groups else "missed",
            rule=teller.rule(str(rule_id)),
            tier=teller.say(f"tiers.{first['tier']}"),
            amount=teller.quantity(first["measure"], float(rows["shortfall"].sum())),
            groups=teller.words.listed(groups),
        )


def tell_projects(teller: Teller) -> Iterator[str]:
    """Tell how many projects are chosen, how surely, and which are not."""
    projects, words = teller.plan.projects, teller.words
    if projects.empty:
        return
    chosen = projects[projects["chosen"]]
    ended = teller.plan.ended.values()
    yield teller.say(
        "projects.chosen",
        count=len(chosen) - len(ended),
        total=len(projects),
        ended=tell_ended(ended, words),
        amount=words.vnd(int(chosen["amount"].sum())),
    )
    if teller.plan.is_exact:
        yield teller.say("projects.exact")
    else:
        yield teller.say("projects.proven", gap=words.percent(teller.plan.gap or 0.0, 3))
    rest = projects[~projects["chosen"]]
    for key, part in (
        ("left", rest[rest["reason"] == "left"]),
        ("out", rest[rest["reason"] != "left"]),
    ):
        if len(part):
            names = words.listed(part["id"].tolist(), "project")
            yield teller.say(f"projects.{key}", count=len(part), names=names)
    yield from _off_grid(teller)
    whys = teller.plan.whys
    if len(whys) and not whys["proven"].all():
        proven = int(whys["proven"].sum())
        yield teller.say("projects.seen", proven=proven, count=len(whys))


def tell_ended(paid: Collection[int], words: Words) -> str:
    """Tell of projects that are not carried out how many, and what they were paid; "" for none."""
    if not paid:
        return ""
    amount = words.vnd(sum(paid))
    return say("explain.projects.ended", words.language, count=len(paid), amount=amount)


def _off_grid(teller: Teller) -> Iterator[str]:
    """Tell which projects no step of the grid fits, the largest first, and what mends that."""
    found = [fault for fault in teller.plan.warnings if fault.code == "project-off-grid"]
    if not found:
        return
    grid: Any = found[0].values["grid"]  # an Amount
    ids = [str(fault.values["id"]) for fault in found]
    offered = teller.plan.data.projects
    own = offered[offered["id"].isin(ids)].sort_values("support", ascending=False, kind="stable")
    least, most = own["min_support"].fillna(own["support"]), own["support"]
    fits = (one for one in finer_steps(grid.vnd) if (most // one * one >= least).all())
    names = [f"{one}. {name}" for one, name in own[["id", "name"]].to_numpy()]
    yield teller.say(
        "projects.off_grid",
        count=len(own),
        names=teller.words.listed(names, "project"),
        step=grid(teller.language),
        finer=Amount(next(fits, 1), grid.unit)(teller.language),
    )


def tell_unproven(teller: Teller) -> Iterator[str]:
    """Tell what choice of projects was found before time ran out."""
    plan = teller.plan
    if len(plan.projects):
        gap = "" if plan.gap is None else teller.words.percent(plan.gap, 3)
        tail = gap and teller.say("projects.gap", gap=gap)
        count = int(plan.projects["chosen"].sum()) - len(plan.ended)
        yield teller.say("projects.unproven", count=count, gap=tail)
    stages = {bool(one["proven"]): one for one in reversed(plan.reached)}
    if not stages:
        return
    proven = [_stage(teller, one) for one in plan.reached if one["proven"]]
    if False not in stages:
        yield teller.say("reached.all", proven="; ".join(proven))
        return
    key = "some" if proven else "none"
    open_ = _stage(teller, stages[False])
    yield teller.say(f"reached.{key}", open=open_, proven="; ".join(proven))


def _stage(teller: Teller, stage: Mapping[str, Any]) -> str:
    """Name a goal by its number and what it asks for, or a tier of rules."""
    if stage["goal"] is None:
        return teller.say("reached.tier", tier=teller.say(f"tiers.{stage['name']}"))
    asked = teller.plan.scenario.goals[stage["goal"] - 1]
    name = teller.words.goal(stage["name"], asked.where)
    return teller.say("reached.goal", number=stage["goal"], goal=name)
