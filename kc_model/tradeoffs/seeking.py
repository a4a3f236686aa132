"""How much money it takes to reach a wanted figure, as Excel's goal seek finds it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal

from kc_model.allocate import Planner
from kc_model.explain import rule_label, rule_texts
from kc_model.money import UNITS, to_unit
from kc_model.results import Allocation
from kc_model.scenario import Scenario
from kc_model.tradeoffs.walk import Progress, Walk
from kc_model.wording import Language, say
from kc_model.words import Words

__all__ = ["Sought", "seek"]

_MOST = 4.0  # times the money there is now
_NEAR = 0.0001  # of the money there is now: nearer need not be known
_TRIES = 20
_POOR = 0.5  # of what is added: where less is disbursed, what is in the way is told
_LEFT_OUT = 12  # rules that are left out in turn
_NAMED = 3
_WORTH = 0.002  # of what is disbursed: a rule that costs less is not in the way


@dataclass(frozen=True, kw_only=True)
class Sought:
    """What was sought and found; see `seek`.

    Parameters
    ----------
    wanted : float
        What is to be disbursed, in the user's unit.
    base, best : Allocation
        The scenario's own plan, and of those tried the one that disburses most.
    plan : Allocation or None
        The plan of least money tried that reaches it; None: none does.
    is_floor : bool
        Whether rules cannot be kept with less money than that plan has.
    complete : bool
        False where it was interrupted: there may be one of less money.
    without : tuple of (str, float)
        Where rules more than money are in the way: rule id and what would be disbursed of as much
        money without it, the most first; last "" and the same without any rule.
    """

    wanted: float
    base: Allocation
    best: Allocation
    plan: Allocation | None
    is_floor: bool = False
    complete: bool = True
    without: tuple[tuple[str, float], ...] = ()

    def sentences(self, language: Language = "vi") -> list[str]:
        """Return how much money it takes, or that no amount does."""
        shown = self.best if self.plan is None else self.plan
        words = Words.of(shown, language)
        now, money = _money(self.base), _money(shown)
        told = words.say(
            f"tradeoffs.seek.{'none' if self.plan is None else 'found'}",
            wanted=words.money(self.wanted),
            reached=words.money(_disbursed(shown)),
            total=words.money(money),
            change=words.signed(money - now),
            times=words.number(_MOST),
        )
        more = {"floor": self.is_floor, "cut": not self.complete}
        others = (say(f"tradeoffs.seek.{key}", language) for key in more if more[key])
        return [told, *others, *self._in_the_way(shown, words)]

    def _in_the_way(self, shown: Allocation, words: Words) -> Iterator[str]:
        """Say which rules keep money from being disbursed, and whether they alone do."""
        if not self.without:
            return
        *alone, (_, most) = self.without
        worth = (1 + _WORTH) * _disbursed(shown)
        dear = [pair for pair in alone if pair[1] > worth]
        texts = rule_texts(shown.scenario.rules, words)
        named = [
            words.say(
                f"tradeoffs.seek.{'left_out' if dear else 'held'}",
                rule=rule_label(rule, texts.get(rule, ""), words.language),
                reached=words.money(reached),
            )
            for rule, reached in (dear or alone)[:_NAMED]
        ]
        if named and most > worth:
            key, between = ("rules", "; ") if dear else ("together", ", ")
            told = {"rules": between.join(named), "most": words.money(most)}
            yield words.say(f"tradeoffs.seek.{key}", **told)
        if most < self.wanted:
            yield words.say("tradeoffs.seek.forecast", most=words.money(most))


def seek(
    planner: Planner,
    scenario: Scenario,
    wanted: float,
    *,
    progress: Progress | None = None,
    time_limit: float = 60.0,
) -> Sought | None:
    """Return the least money, every budget scaled alike, of which so much is disbursed.

    Rules and goals stay as they are; up to four times the money is tried, to a ten-thousandth of
    what there is now.

    Parameters
    ----------
    planner : Planner
    scenario : Scenario
    wanted : float
        What is expected to be disbursed by year-end, in the user's unit.
    progress : callable (name of the step, share done) or None
    time_limit : float, seconds
        For each plan.

    Returns
    -------
    Sought or None
        None where the scenario itself has no plan.
    """
    grid = scenario.round_to or Decimal(1) / UNITS[planner.data.unit]
    base, is_floor = None, False
    plans: list[tuple[float, Allocation]] = []
    with Walk(planner, "seek", _TRIES, progress, time_limit) as walk:
        base = walk.plan(scenario)
        if base.status != "optimal":
            return None
        plans.append((1.0, base))
        is_more = _disbursed(base) < wanted
        # How many times the money is too little or enough, and what is disbursed of it.
        less, below = (1.0, _disbursed(base)) if is_more else (0.0, 0.0)
        more, above = (_MOST, 0.0) if is_more else (1.0, _disbursed(base))
        for turn in range(_TRIES):
            if more - less <= _NEAR:
                break
            # The most money first: what no money reaches has one answer, whatever is wanted.
            is_top = is_more and not turn
            factor = _MOST if is_top else _next(turn, (less, below), (more, above), wanted)
            plan = walk.plan(scenario.scaled(Decimal(str(round(factor, 6))), grid))
            reached = 0.0
            if plan.status == "optimal":
                plans.append((factor, plan))
                reached = _disbursed(plan)
            # No plan: more money than its rules let be spent, or less than they ask for.
            if reached < wanted if plan.status == "optimal" else not is_more:
                less, below, is_floor = factor, reached, plan.status != "optimal"
            else:
                more, above = factor, reached
    if base is None:
        return None
    plans.sort(key=lambda one: one[0])
    enough = next((plan for _, plan in plans if _disbursed(plan) >= wanted), None)
    best = max((plan for _, plan in plans), key=_disbursed)
    found = Sought(
        wanted=wanted,
        base=base,
        best=best,
        plan=enough,
        is_floor=is_floor and walk.complete,
        complete=walk.complete,
    )
    shown = best if enough is None else enough
    added, of_it = (has(shown) - has(base) for has in (_money, _disbursed))
    if found.complete and (enough is None or of_it < _POOR * added):
        with walk:
            found = replace(found, without=_without(walk, shown))
    return found


def _without(walk: Walk, plan: Allocation) -> tuple[tuple[str, float], ...]:
    """Return what is disbursed of as much money without each rule that holds it, and all."""
    rows, rules = plan.rule_rows, plan.scenario.rules
    held = set(rows.loc[rows["status"] != "met", "id"])
    ids = [rule.id for rule in rules if rule.id in held][:_LEFT_OUT]
    found = []
    for one in (*ids, ""):
        kept = tuple(rule for rule in rules if one and rule.id != one)
        other = walk.plan(replace(plan.scenario, rules=kept))
        reached = _disbursed(other) if other.status == "optimal" else 0.0
        found.append((one, reached))
    *alone, bare = found
    return (*sorted(alone, key=lambda pair: -pair[1]), bare)


def _next(turn: int, less: tuple[float, float], more: tuple[float, float], wanted: float) -> float:
    """Return how many times the money is tried next: on the line between, just below, halfway."""
    (low, below), (high, above) = less, more
    factor = middle = (low + high) / 2
    if below and above and turn % 3 < 2:
        line = low + (wanted - below) / (above - below) * (high - low)
        factor = high - _NEAR if turn % 3 else line
    elif not turn:  # as if the money were disbursed alike
        factor = low * wanted / below if below else high * wanted / above
    return factor if low < factor < high else middle


def _money(plan: Allocation) -> float:
    return float(to_unit(int(plan.cells["amount"].sum()), plan.unit))


def _disbursed(plan: Allocation) -> float:
    return float(to_unit(float(plan.cells["expected_disbursed"].sum(skipna=False)), plan.unit))
