"""Dataset, scenario and forecast brought together, with every fault at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from kc_model.cells import MILLION, Cells, Curves, build_cells, build_curves, newest_plan_year
from kc_model.errors import Address, Fault, InputError, errors_in, raise_faults
from kc_model.forecast import forecast
from kc_model.offered import Offered, offered_of
from kc_model.problem.model import Problem, directions_of, grid_of, sure_on
from kc_model.projects import offers_at
from kc_model.results import Forecast
from kc_model.risk import Capacities, Risk, capacities_of, drawn, risk_of
from kc_model.rules import Row, Sums, bound_rows, budget_rows, column_of, rule_rows
from kc_model.scenario import Goal, Rule, Scenario
from kc_model.tables import KEYS, Dataset
from kc_model.wording import LANGUAGES, both
from kc_model.words import Words

__all__ = ["PARTIAL", "absorption_of", "build_problem", "incomplete_list", "problem_of", "risks_on"]

Dong = NDArray[np.int64]
Indices = NDArray[np.int64]
Money = NDArray[np.float64]

PARTIAL = 0.25
"""Of the plan in the cells that projects name: where more is missing the list is not complete."""


def build_problem(
    data: Dataset, scenario: Scenario, outlook: Forecast | None = None, as_of: int | None = None
) -> Problem:
    """Bring dataset, scenario and forecast together.

    Parameters
    ----------
    outlook : Forecast or None
        Source of the absorption of cells that no ``absorption.csv`` knows; None: a forecast for
        the scenario's year is made when one is needed.
    as_of : int or None
        Last month known of a mid-year plan; None: the scenario's own, or a plan for the whole year.

    Raises
    ------
    InputError
        With every fault of the scenario against the data at once.
    """
    faults: list[Fault] = []
    as_of = scenario.month(as_of)
    if scenario.projects == "ignore" and len(data.projects):
        faults.append(_ignored(data, scenario))
        data = data.by_cells
    if as_of is not None and not 0 <= as_of <= 12:
        faults.append(Fault("bad-as-of", Address(), {"found": as_of}))
    faults.extend(_other_month(scenario, outlook, as_of))
    everything = build_cells(data, scenario.year, as_of, faults)
    spend = "at_most" if len(data.projects) else "all"
    budgets, covered = budget_rows(everything, scenario, data.unit, faults, spend)
    outside = [name for name, inside in zip(everything.names(), covered, strict=True) if not inside]
    if outside and covered.any() and not errors_in(faults):
        faults.append(_outside(outside, data))
    if not covered.any():  # what rules and goals say is judged all the same
        offered = _offered(data, scenario, everything, as_of, faults)
        _stated(data, scenario, everything, budgets, (Curves((), (), ()), {}, offered), faults)
    cells = everything.keep(covered)
    place = np.cumsum(covered) - 1
    budgets = tuple(replace(row, cells=place[row.cells]) for row in budgets)
    curves, outlook, anew = absorption_of(data, scenario, cells, outlook, as_of, faults)
    risks, outlook = risks_on(data, scenario, cells, outlook, as_of, faults)
    offered = _offered(data, scenario, cells, as_of, faults)
    if as_of is not None:
        curves = curves.no_better(*_begun(data, scenario, cells, curves, offered, anew))
    if offered is not None and as_of is not None:
        curves, offered = _with_stages(data, cells, curves, offered)
    problem = _stated(data, scenario, cells, budgets, (curves, risks, offered), faults)
    year = newest_plan_year(data, scenario.year, as_of) if data.cells.empty else None
    return replace(problem, outlook=outlook, baseline_year=year)


def incomplete_list(data: Dataset, scenario: Scenario) -> tuple[Fault, ...]:
    """Return the warnings of `build_problem` that a list of projects is not complete.

    Parameters
    ----------
    scenario : Scenario
        Its budgets say which cells count; what is wrong with it is not told here.
    """
    if scenario.projects == "ignore" or not len(data.projects):
        return ()
    cells = build_cells(data, scenario.year, scenario.as_of, [])
    _, covered = budget_rows(cells, scenario, data.unit, [], "at_most")
    found: list[Fault] = []
    _offered(data, scenario, cells.keep(covered), scenario.as_of, found)
    return tuple(fault for fault in found if fault.code in ("projects-partial", "paid-beyond"))


def problem_of(
    data: Dataset,
    scenario: Scenario,
    cells: Cells,
    curves: Curves,
    risks: dict[int, Risk],
    offered: Offered | None = None,
) -> Problem:
    """Return the problem of cells and curves that are known already.

    Parameters
    ----------
    data : Dataset
        Its tables are not read.
    cells : Cells
        Every one of them inside the plan.
    risks : mapping of int to Risk
        For goal number k that is a risk.
    offered : Offered or None
        Projects, decided.

    Raises
    ------
    InputError
        With every fault of the scenario against the cells.
    """
    faults: list[Fault] = []
    spend = "all" if offered is None else "at_most"
    budgets, _ = budget_rows(cells, scenario, data.unit, faults, spend)
    return _stated(data, scenario, cells, budgets, (curves, risks, offered), faults)


def _other_month(scenario: Scenario, outlook: Forecast | None, as_of: int | None) -> list[Fault]:
    """Refuse a forecast of another month than the plan's; warn where the plan is of no month."""
    if outlook is None or outlook.year != scenario.year or outlook.as_of == (as_of or 0):
        return []
    if as_of is None:
        return [Fault("whole-year", Address(), {"found": outlook.as_of}, "warning")]
    return [Fault("other-as-of", Address(), {"found": outlook.as_of, "as_of": as_of})]


def _offered(
    data: Dataset, scenario: Scenario, cells: Cells, as_of: int | None, faults: list[Fault]
) -> Offered | None:
    if not len(data.projects):
        return None
    try:
        offers = offers_at(data, scenario.year, as_of)
    except InputError as error:
        faults.extend(error.faults)
        return None
    grid = grid_of(scenario, data.unit, [])
    offered, warnings = offered_of(data, offers, cells, scenario, grid)
    faults.extend([*offers.findings, *warnings, *_partial(data, cells, offered)])
    return offered


def _is_of_projects(rule: Rule) -> bool:
    return rule.count == "projects" or bool(rule.project)


def _ignored(data: Dataset, scenario: Scenario) -> Fault:
    """Say that projects are left aside, with the rules that speak of them."""
    named = [rule.text or rule.id for rule in scenario.rules if _is_of_projects(rule)]
    told = both("faults.projects-ignored.rules", rules="; ".join(named)) if named else {}
    rules = {f"rules_{language}": told.get(language, "") for language in LANGUAGES}
    values = {"count": len(data.projects), **rules}
    return Fault("projects-ignored", scenario.at, values, level="warning")


def _partial(data: Dataset, cells: Cells, offered: Offered) -> Iterator[Fault]:
    """Yield what a list of projects cannot take that the plan, or money already paid, has there."""
    most = np.zeros(len(cells), dtype=np.int64)
    paying = offered.may[offered.project]
    np.add.at(most, offered.cell[paying], offered.whole_parts[paying])
    planned, paid = (cells.frame[key].to_numpy(dtype=np.int64) for key in ("baseline", "min"))
    at = Address("projects.csv")
    short = {key: offered.named[has[offered.named] > most[offered.named]]
             for key, has in (("plan", planned), ("paid", paid))}  # fmt: skip
    missing = np.maximum(planned - most, 0)[offered.named].sum()
    if missing > PARTIAL * planned[offered.named].sum():
        values = _short(data, cells, short["plan"], planned, most)
        yield Fault("projects-partial", at, values, level="warning")
    if len(short["paid"]):
        values = _short(data, cells, short["paid"], paid, most)
        yield Fault("paid-beyond", at, values, level="warning")


def _short(data: Dataset, cells: Cells, short: Indices, has: Dong, most: Dong) -> dict[str, object]:
    """Return the cells that have more than their projects can take, in words."""
    names, first = cells.names(), short[np.argsort(most[short] - has[short], kind="stable")[:2]]
    values: dict[str, object] = {"count": len(short)}
    for language in LANGUAGES:
        words = Words(data.unit, data.vintage, language)
        told = [*(words.group(names[i]) for i in first), *(["…"] if len(short) > 2 else [])]
        values[f"cells_{language}"] = "; ".join(told)
        values[f"told_{language}"] = words.vnd(int(has[short].sum()))
        values[f"most_{language}"] = words.vnd(int(most[short].sum()))
    return values


def _begun(
    data: Dataset,
    scenario: Scenario,
    cells: Cells,
    curves: Curves,
    offered: Offered | None,
    anew: Mapping[tuple[Any, ...], float],
) -> tuple[Money, Money]:
    """Return after how much of each curve money has yet to begin, million VND, and its chance.

    A project that is registered only has to be appraised, approved and contracted first, whatever
    its cell has spent by now; it takes what the projects beside it leave. Nor has anything begun in
    a cell that the plan in force leaves without money. What ``absorption.csv`` says stays.
    """
    begun = np.where(cells.frame["baseline"].to_numpy(dtype=float) > 0, np.inf, 0.0)
    if offered is not None:
        is_new = (offered.frame["stage"] == "registered").to_numpy()[offered.project]
        begun[offered.named] = np.inf
        begun[offered.cell[is_new]] = 0.0
        part = np.where(is_new, 0.0, offered.whole_parts / MILLION)
        np.add.at(begun, offered.cell, part)
    _, given = build_curves(cells, [data.absorption])
    begun[given | (cells.frame["year"] != scenario.year).to_numpy()] = np.inf
    keys = list(cells.frame[KEYS].itertuples(index=False, name=None))
    beyond = np.array([begun[members].sum() for members in curves.members])
    chance = [
        min(anew.get(key, anew.get((*key[:2], "", key[3]), 1.0)) for key in (keys[i] for i in own))
        for own in curves.members
    ]
    return beyond, np.array(chance)


def _with_stages(
    data: Dataset, cells: Cells, curves: Curves, offered: Offered
) -> tuple[Curves, Offered]:
    """Return the curves of the forecast without what stages of projects make sure, and that.

    The sure money of the plan in force lies first on the curve of its cell and leaves it: what a
    choice keeps of it comes back in front, see `Problem.decided`. Slices of ``absorption.csv``
    stay as they were given.
    """
    _, given = build_curves(cells, [data.absorption])
    known = np.array([i in curves.curve_of and not given[i] for i in offered.cell.tolist()], bool)
    offered = replace(offered, sure=np.where(known, offered.sure, 0.0))
    return curves.without_first(sure_on(curves, offered, offered.may)), offered


def _stated(
    data: Dataset,
    scenario: Scenario,
    cells: Cells,
    budgets: Sequence[Row],
    known: tuple[Curves, dict[int, Risk], Offered | None],
    faults: list[Fault],
) -> Problem:
    curves, risks, offered = known
    rows = [*budgets, *bound_rows(cells, data.unit)]
    for rule in scenario.rules:
        if scenario.projects != "ignore" or not _is_of_projects(rule):
            rows.extend(rule_rows(cells, rule, data.unit, faults, offered))
    goals = scenario.goals
    selected = {k: cells.select(goal.where, goal.at, faults) for k, goal in enumerate(goals)}
    columns = _goal_columns(cells, goals, selected, data.unit, faults)
    grid = grid_of(scenario, data.unit, faults)
    warnings = raise_faults(faults)
    if offered is not None and offered.chosen is not None:
        rows = [row.decided(offered.chosen) for row in rows]
    sums = Sums.of(rows, len(cells))
    return Problem(
        *(data, scenario, None, cells, tuple(rows), sums, curves, columns, selected, risks, grid),
        findings=warnings,
        baseline_year=None,
        offered=offered,
    )


def _outside(names: list[str], data: Dataset) -> Fault:
    shown = ", ".join(names[:5]) + ("…" if len(names) > 5 else "")
    at = Address("cells.csv" if len(data.cells) else "history.csv")
    return Fault("outside-plan", at, {"count": len(names), "cells": shown}, level="warning")


def _goal_columns(
    cells: Cells,
    goals: Iterable[Goal],
    selected: dict[int, NDArray[np.bool_]],
    unit: str,
    faults: list[Fault],
) -> dict[int, NDArray[np.float64]]:
    columns = directions_of(goals)
    for k, goal in enumerate(goals):
        if not selected[k].any():
            faults.append(Fault("empty-goal", goal.at, {"goal": goal.name}))
        if goal.what == "outputs":
            cost = cells.frame["unit_cost"].astype("float64").to_numpy(na_value=np.nan)
            columns[k] = np.nan_to_num(np.where(cost > 0, MILLION / cost, 0.0))
        elif goal.what.startswith("column:"):
            name = goal.what.removeprefix("column:")
            columns[k] = np.nan_to_num(column_of(cells, name, selected[k], unit, goal.at, faults))
        elif goal.what == "evenness":
            none = np.zeros(len(cells), dtype=bool)
            columns[k] = np.nan_to_num(column_of(cells, goal.per, none, unit, goal.at, faults))
            faults.extend(_left_out(cells, goal, selected[k], columns[k]))
    return columns


def _left_out(
    cells: Cells, goal: Goal, selected: NDArray[np.bool_], column: NDArray[np.float64]
) -> list[Fault]:
    by_place = pd.Series(column[selected]).groupby(cells.frame["place"][selected].to_numpy()).sum()
    names = sorted(by_place.index[by_place <= 0])
    if not names:
        return []
    values = {"per": goal.per, "places": ", ".join(names)}
    return [Fault("left-out-of-evenness", goal.at, values, level="warning")]


# --- absorption -----------------------------------------------------------------------------------


def absorption_of(
    data: Dataset,
    scenario: Scenario,
    cells: Cells,
    outlook: Forecast | None,
    as_of: int | None,
    faults: list[Fault],
) -> tuple[Curves, Forecast | None, dict[tuple[Any, ...], float]]:
    """Curves of the cells: from ``absorption.csv``, for the rest from the forecast.

    A forecast that was given may not know every cell (a new one, say): the data's own is made again
    of all of them, as it would be had none been given; beside another one is made for the others.
    Third: the chance of money that is only begun now, by cell (`Forecast.cells`).
    """
    tables, anew = [data.absorption], dict[tuple[Any, ...], float]()
    curves, has = build_curves(cells, tables)
    wanted = any(goal.what == "disbursed" for goal in scenario.goals)
    if has.all():
        return curves, None, anew
    given, in_table = outlook, has
    if outlook is not None:
        curves, has = build_curves(cells, [*tables, outlook.slices])
        if not has.all() and _is_of(outlook, data, scenario, as_of):
            outlook, has = None, in_table
        else:
            anew |= _anew(outlook)
            tables.append(outlook.slices)
    if not has.all() and not data.history.empty:
        rest = cells.frame.loc[~has & (cells.frame["year"] == scenario.year).to_numpy()]
        rest = rest if len(rest) else cells.frame.loc[~has]
        own = _own_forecast(data, scenario, rest, as_of, faults if wanted else [], given)
        if own is None:
            return curves, outlook, anew
        anew |= _anew(own)
        outlook = outlook or own
        curves, has = build_curves(cells, [*tables, own.slices])
    if not has.all() and wanted:
        missing = [name for name, known in zip(cells.names(), has, strict=True) if not known]
        values = {"count": len(missing), "cells": ", ".join(missing[:5])}
        faults.append(Fault("no-absorption", Address("absorption.csv"), values))
    return curves, outlook, anew


def _anew(outlook: Forecast) -> dict[tuple[Any, ...], float]:
    keys = outlook.cells[KEYS].itertuples(index=False, name=None)
    return dict(zip(keys, outlook.cells["anew"].tolist(), strict=True))


def _is_of(outlook: Forecast, data: Dataset, scenario: Scenario, as_of: int | None) -> bool:
    """Whether a forecast is what the data themselves lead to, at the plan's month."""
    month = outlook.year, outlook.as_of
    return outlook.provenance.dataset == data.hash and month == (scenario.year, as_of or 0)


def _own_forecast(
    data: Dataset,
    scenario: Scenario,
    cells: pd.DataFrame,
    as_of: int | None,
    faults: list[Fault],
    given: Forecast | None = None,
) -> Forecast | None:
    how: dict[str, Any] = {}
    if given is not None and _is_of(given, data, scenario, as_of):
        arrival, seed = given.details.get("arrival", {}), given.provenance.seed
        how = {"arrival": arrival, "seed": seed, "draws": len(given.draws)}
    exposures = cells[["place", "area", "activity", "source", "baseline"]].drop_duplicates()
    if newest_plan_year(data, scenario.year, as_of) == scenario.year:  # the plan, no stand-in
        exposures = exposures.rename(columns={"baseline": "plan"})
    try:
        return forecast(data, year=scenario.year, as_of=as_of or 0, cells=exposures, **how)
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
