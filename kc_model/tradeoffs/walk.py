"""One plan after the other through one planner, so that an interruption loses nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Self

from kc_model.allocate import Planner
from kc_model.results import Allocation
from kc_model.scenario import Goal, Scenario

__all__ = ["Progress", "Walk", "held", "same_goal"]

Progress = Callable[[str, float], None]


@dataclass
class Walk:
    """Makes plans, says how far it is, and remembers whether it was broken off.

    Used as ``with``: a KeyboardInterrupt (from the keyboard, or raised by `progress`) ends the
    block and is taken for "enough"; what the block has found until then stays.

    Parameters
    ----------
    name : str
        Of the step, for `progress`.
    expected : int
        How many plans it will take; more are no harm.
    progress : callable (name of the step, share done) or None
    time_limit : float, seconds
        For each plan.
    """

    planner: Planner
    name: str
    expected: int
    progress: Progress | None = None
    time_limit: float = 60.0
    complete: bool = field(default=True, init=False)
    _made: int = field(default=0, init=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> bool:
        if kind is not None and issubclass(kind, KeyboardInterrupt):
            self.complete = False
            return True
        return False

    def plan(self, scenario: Scenario) -> Allocation:
        """Return the plan of a scenario, without prices and ranges."""
        if self.progress is not None:
            self.progress(self.name, min(1.0, self._made / max(1, self.expected)))
        self._made += 1
        return self.planner.plan(scenario, detail=False, time_limit=self.time_limit)


def same_goal(one: Goal, other: Goal) -> bool:
    """Whether two goals want the same, whatever later goals may cost of it."""
    return replace(one, give=other.give, down_to=other.down_to) == other


def held(goal: Goal, value: float) -> Goal:
    """Return a goal that later ones may worsen to a value in the user's unit, not further."""
    return replace(goal, give=Goal.give, down_to=Decimal(repr(float(value))))
