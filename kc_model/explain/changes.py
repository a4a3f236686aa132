"""Who loses and who gains against the baseline, by how much, and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from kc_model.explain.reasons import Reason, find_reasons
from kc_model.explain.teller import Teller
from kc_model.money import to_unit
from kc_model.words import noticed

__all__ = ["tell_changes"]

_NAMED = 5


def tell_changes(teller: Teller, side: str) -> Iterator[str]:
    """Tell who loses or who gains, by place and by area; with the gains what rounding alone does.

    Parameters
    ----------
    side : {"losers", "winners"}
        Where nobody changes that is told with the losers.
    """
    plan = teller.plan
    if not int(plan.cells["baseline"].sum()):
        return
    told = [line for key in ("place", "area") for line in _on_key(teller, key, side)]
    yield from told
    if len(plan.projects) and told and side == "winners":
        yield teller.say("projects.no_reasons")


def _on_key(teller: Teller, key: str, side: str) -> Iterator[str]:
    words, step = teller.words, teller.plan.rounding.get("step", 0)
    sums = noticed(teller.plan.cells, key, words.unit, step)
    if len(sums) == 1:
        return
    change, sides = sums["change"][sums["told"]], words.sides(sums)
    rises = side == "winners"
    if rises and "rest" in sides:
        count, money = sides["rest"]
        yield teller.say(f"rest.{key}", count=count, amount=words.signed(money), base=teller.base())
    chosen = change[(change > 0) if rises else (change < 0)]
    if not len(chosen):
        if not rises:
            kind = "nobody" if len(change) else "no_change"
            yield teller.say(f"{kind}.{key}", base=teller.base())
        return
    chosen = chosen.sort_values(ascending=not rises, kind="stable")
    reasons = find_reasons(teller.plan, key, map(str, chosen.index[:_NAMED]))
    more = words.more(len(chosen), key, _NAMED)
    total = words.money(abs(sides["won" if rises else "lost"][1]))
    many = teller.say(f"in_all.{key}", count=len(chosen), total=total) if len(chosen) > 1 else ""
    yield teller.say(
        f"{side}.{key}",
        base=teller.base(),
        many=many,
        names=_named(teller, key, chosen, sums["baseline"], reasons)
        + (";" if reasons and more else "")
        + more,
    )


def _named(
    teller: Teller, key: str, chosen: pd.Series, baseline: pd.Series, reasons: Mapping[str, Reason]
) -> str:
    """Name the first few that changed, those of one reason together."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for code in map(str, chosen.index[:_NAMED]):
        reason = reasons.get(code)
        kind = (reason.kind, reason.driver, reason.keeper) if reason is not None else ("",)
        groups.setdefault(kind, []).append(code)
    return "; ".join(
        ", ".join(
            _change(teller, teller.words.name(code, key), int(chosen[code]), int(baseline[code]))
            for code in codes
        )
        + (_why(teller, [reasons[code] for code in codes], chosen[codes], key) if reasons else "")
        for codes in groups.values()
    )


def _change(teller: Teller, name: str, amount: int, baseline: int) -> str:
    sign, words = "+" if amount > 0 else "−", teller.words
    shown = sign + words.vnd(abs(amount))
    if not baseline:
        return teller.say("change_new", name=name, amount=shown)
    share = sign + words.rise(abs(amount) / baseline)
    return teller.say("change", name=name, amount=shown, share=share)


def _why(teller: Teller, reasons: Sequence[Reason], change: pd.Series, key: str) -> str:
    """Say why some places or areas that share a reason have less, or more.

    What rounding alone puts between a change and what a rule or goal does of it is not told: the
    change is shown for both.
    """
    first, words = reasons[0], teller.words
    sides = "won" if int(change.iloc[0]) > 0 else "lost"
    if not teller.plan.goals and first.kind in ("open", "joint"):
        sides = "without_goals"
    weights = change.abs().to_numpy(dtype=float)
    here, there = (
        float(np.average([getattr(reason, name) for reason in reasons], weights=weights))
        for name in ("here", "there")
    )
    is_known = first.kind == "chance"
    amount, whole = abs(sum(one.amount for one in reasons)), float(change.abs().sum())
    cells = teller.plan.cells[teller.plan.cells[key].isin(change.index)]
    steps = teller.plan.rounding.get("step", 0) * int((cells["amount"] != cells["baseline"]).sum())
    told = teller.say(
        f"why.{sides}.{first.kind}",
        driver=_driver(teller, first.driver),
        amount=words.gain(to_unit(whole if abs(amount - whole) <= steps else amount, words.given)),
        rise=words.rise(abs(here)) if first.kind == "budget" else "",
        here=words.percent(here) if is_known else "",
        there=words.percent(there) if is_known else "",
        base=teller.base(),
    )
    if not first.keeper:
        return told
    kept = words.gain(to_unit(sum(reason.kept for reason in reasons), words.given))
    return told + teller.say("why.kept", driver=_driver(teller, first.keeper), amount=kept)


def _driver(teller: Teller, driver: str) -> str:
    """Return what a column of the plan's effects is called; "" for none."""
    if driver.startswith("goal|"):
        return teller.goal(int(driver.removeprefix("goal|")))
    return driver and f"“{teller.rule(driver)}”"
