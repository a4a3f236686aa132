"""Allocation: from a scenario to a plan with its proof.

The solvers are loaded when a first plan is made, not before: commands that make none do without.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kc_model.results import Allocation, Forecast
from kc_model.scenario import Scenario
from kc_model.tables import Dataset

if TYPE_CHECKING:
    from kc_model.allocate.planner import Planner, why_not
    from kc_model.allocate.repairs import apply_repair, repair_cells

__all__ = ["Planner", "allocate", "apply_repair", "repair_cells", "why_not"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(name)
    from kc_model.allocate import planner, repairs  # noqa: PLC0415 - see above

    return getattr(planner if hasattr(planner, name) else repairs, name)


def allocate(
    data: Dataset,
    scenario: Scenario,
    outlook: Forecast | None = None,
    *,
    as_of: int | None = None,
    ranges: bool | None = None,
    detail: bool = True,
    time_limit: float = 60.0,
    progress: Callable[[str, float], None] | None = None,
) -> Allocation:
    """Return the plan that the scenario's tiers and goals make best, and its proof.

    Parameters
    ----------
    data : Dataset
    scenario : Scenario
    outlook : Forecast or None
        Where the absorption of cells without ``absorption.csv`` comes from; None: a forecast for
        the scenario's year is made if one is needed.
    as_of : int or None
        Last month known: what is disbursed by then stays. None: the scenario's own, else a plan for
        the whole year. It is never taken from the forecast: one of another month is refused, and
        beside a plan for the whole year one that knows months of it is warned of.
    ranges : bool or None
        Whether to find each cell's lowest and highest; None: up to 200 cells. False, for the
        screen: where over 12 groups of a rule hold, each one's price is the most it can be, too.
    detail : bool
        False leaves out prices, ranges, reasons, grounds and the list of undecided cells: what a
        moving slider cannot wait for.
    time_limit : float, seconds
        After it no plan counts as proven.
    progress : callable (name of the step, share done) or None

    Returns
    -------
    Allocation
        With status "infeasible" and its conflicts where the laws contradict each other, "limit"
        where nothing was proven; both without numbers.

    Raises
    ------
    InputError
        With every fault of the scenario against the data.
    """
    from kc_model.allocate.planner import Planner  # noqa: PLC0415 - see above

    return Planner(data, outlook, as_of=as_of).plan(
        scenario, ranges=ranges, detail=detail, time_limit=time_limit, progress=progress
    )
