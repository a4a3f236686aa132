"""How much money it takes to reach a wanted figure, as Excel's goal seek finds it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from kc_model.allocate import Planner
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
    """

    wanted: float
    base: Allocation
    best: Allocation
    plan: Allocation | None
    is_floor: bool = False
    complete: bool = True

    def sentences(self, language: Language = "vi") -> list[str]:
        """Return how much money it takes, or that no amount does."""
        shown = self.best if self.plan is None else self.plan
        words = Words.of(shown, language)
        now, money = (
            to_unit(int(one.cells["amount"].sum()), one.unit) for one in (self.base, shown)
        )
        told = words.say(
            f"tradeoffs.seek.{'none' if self.plan is None else 'found'}",
            wanted=words.money(self.wanted),
            reached=words.money(_disbursed(shown)),
            total=words.money(money),
            change=words.signed(money - now),
            times=words.number(_MOST),
        )
        more = {"floor": self.is_floor, "cut": not self.complete}
        return [told, *(say(f"tradeoffs.seek.{key}", language) for key in more if more[key])]


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
            factor = _next(turn, (less, below), (more, above), wanted)
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
    return Sought(
        wanted=wanted,
        base=base,
        best=best,
        plan=enough,
        is_floor=is_floor and walk.complete,
        complete=walk.complete,
    )


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


def _disbursed(plan: Allocation) -> float:
    return float(to_unit(float(plan.cells["expected_disbursed"].sum(skipna=False)), plan.unit))
