"""Plans of what is on screen: at once without prices, in full when calm, afresh to be saved."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Literal

from kc_model.allocate import Planner, allocate
from kc_model.explain import RANGES_UP_TO
from kc_model.results import Allocation, Forecast
from kc_model.scenario import Goal, Scenario
from kc_model.tables import Dataset
from kc_model.workbench.newest import Progress

__all__ = ["TIME_LIMIT", "Maker"]

TIME_LIMIT = 60.0
"""Seconds after which a plan that is not proven is no plan."""


class Maker:
    """Makes the plans of one dataset, as known at the end of a month.

    Parameters
    ----------
    outlook : Forecast or None
        None: a forecast is made once, where one is needed.
    as_of : int or None
        Last month known; None: plans are for the whole year.
    """

    def __init__(self, data: Dataset, outlook: Forecast | None, as_of: int | None) -> None:
        self.data, self.as_of = data, as_of
        self._given = self._made = outlook
        self._cells = 0  # of the newest plan
        # What follows the sliders, and what finds prices: neither waits for the other.
        self._planners = [Planner(data, outlook, as_of=as_of) for _ in range(2)]

    def plan(
        self,
        scenario: Scenario,
        progress: Progress,
        *,
        detail: bool,
        partly: Callable[[Allocation, Literal["prices", "reasons"]], None] | None = None,
    ) -> Allocation:
        """Return a plan for the screen, made in place.

        Without detail it is there at once: where the scenario asks for few moves, which may take
        many seconds, it is one of least change, and says so by the goals of its own scenario.

        Parameters
        ----------
        progress : callable (step, share)
        detail : bool
            Whether with its prices and reasons.
        partly : callable (Allocation, str) or None
            See `Planner.plan`.
        """
        scenario = scenario if detail else _at_once(scenario)
        if self._planners[detail].is_busy and _at_once(scenario) != scenario:
            # With a search that a move has overtaken: it may be seconds from where it halts.
            self._planners[detail] = Planner(self.data, self._made, as_of=self.as_of)
        planner = self._planners[detail]
        planner.outlook = planner.outlook or self._made
        # What is too slow for the screen: the range over which every price holds.
        ranges = False if self._cells > RANGES_UP_TO else None
        made = planner.plan(
            scenario,
            ranges=ranges,
            detail=detail,
            time_limit=TIME_LIMIT,
            progress=progress,
            partly=partly,
        )
        self._made, self._cells = made.outlook or self._made, len(made.cells)
        return made

    def afresh(self, scenario: Scenario, progress: Progress) -> Allocation:
        """Return the plan that is saved (contract, section 6.1)."""
        given, as_of = self._given, self.as_of
        return allocate(
            self.data, scenario, given, as_of=as_of, time_limit=TIME_LIMIT, progress=progress
        )


def _at_once(scenario: Scenario) -> Scenario:
    """Return the scenario with least change in place of few moves, the one that needs a search."""
    goals: list[Goal] = []
    for goal in scenario.goals:
        one = replace(goal, what="change") if goal.what == "moves" else goal
        goals += [one] if one not in goals else []
    return replace(scenario, goals=tuple(goals))
