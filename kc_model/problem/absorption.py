"""Where the cells' absorption and the capacities of risks come from: tables, or a forecast."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from kc_model.cells import Cells, Curves, build_curves, newest_plan_year
from kc_model.errors import Address, Fault, InputError
from kc_model.forecast import forecast
from kc_model.results import Forecast
from kc_model.risk import Capacities, Risk, capacities_of, drawn, risk_of
from kc_model.scenario import Scenario
from kc_model.tables import Dataset

__all__ = ["absorption_of", "risks_on"]


def absorption_of(
    data: Dataset,
    scenario: Scenario,
    cells: Cells,
    outlook: Forecast | None,
    as_of: int | None,
    faults: list[Fault],
) -> tuple[Curves, Forecast | None]:
    """Curves of the cells: from ``absorption.csv``, for the rest from the forecast.

    A forecast that was given may not know every cell (a new one, say): one is made for the others.
    """
    tables = [data.absorption]
    curves, has = build_curves(cells, tables)
    wanted = any(goal.what == "disbursed" for goal in scenario.goals)
    if has.all():
        return curves, None
    if outlook is not None:
        tables.append(outlook.slices)
        curves, has = build_curves(cells, tables)
    if not has.all() and not data.history.empty:
        rest = cells.frame.loc[~has & (cells.frame["year"] == scenario.year).to_numpy()]
        rest = rest if len(rest) else cells.frame.loc[~has]
        own = _own_forecast(data, scenario, rest, as_of, faults if wanted else [])
        if own is None:
            return curves, outlook
        outlook = outlook or own
        curves, has = build_curves(cells, [*tables, own.slices])
    if not has.all() and wanted:
        missing = [name for name, known in zip(cells.names(), has, strict=True) if not known]
        values = {"count": len(missing), "cells": ", ".join(missing[:5])}
        faults.append(Fault("no-absorption", Address("absorption.csv"), values))
    return curves, outlook


def _own_forecast(
    data: Dataset, scenario: Scenario, cells: pd.DataFrame, as_of: int | None, faults: list[Fault]
) -> Forecast | None:
    exposures = cells[["place", "area", "activity", "source", "baseline"]].drop_duplicates()
    if newest_plan_year(data, scenario.year, as_of) == scenario.year:  # the plan, no stand-in
        exposures = exposures.rename(columns={"baseline": "plan"})
    try:
        return forecast(data, year=scenario.year, as_of=as_of or 0, cells=exposures)
    except InputError as error:
        faults.extend(error.faults)
        return None


def risks_on(
    data: Dataset,
    scenario: Scenario,
    cells: Cells,
    outlook: Forecast | None,
    as_of: int | None,
    faults: list[Fault],
) -> tuple[dict[int, Risk], Forecast | None]:
    """Risks of the goals that ask for one: from ``draws.csv``, or else all from one forecast.

    Draws of two forecasts are not joint: where the one given does not know every cell, one is made
    that does.
    """
    wanted = [k for k, goal in enumerate(scenario.goals) if goal.what == "risk"]
    missing = cells.names()
    for capacities, source in _capacities(data, scenario, cells, outlook, as_of) if wanted else ():
        found = {}
        for k in wanted:
            goal = scenario.goals[k]
            selected = cells.select(goal.where, goal.at, [])
            found[k] = risk_of(cells, selected, capacities, float(goal.level))
        missing = [name for _, names in found.values() for name in names]
        if not missing:
            return {k: risk for k, (risk, _) in found.items()}, source
    if wanted:
        values = {"count": len(missing), "cells": ", ".join(missing[:5])}
        faults.append(Fault("no-draws", Address("draws.csv"), values))
    return {}, outlook


def _capacities(
    data: Dataset, scenario: Scenario, cells: Cells, outlook: Forecast | None, as_of: int | None
) -> Iterator[tuple[Capacities, Forecast | None]]:
    """Yield where capacities may come from, the first that knows every cell counts."""
    if len(data.draws):
        yield drawn(data.draws), outlook
        return
    if outlook is not None:
        yield capacities_of(outlook.cells, outlook.capacity), outlook
    if not data.history.empty:
        whole = cells.frame[cells.frame["year"] == scenario.year]
        own = _own_forecast(data, scenario, whole if len(whole) else cells.frame, as_of, [])
        if own is not None:
            yield capacities_of(own.cells, own.capacity), own
