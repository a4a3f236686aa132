"""A dataset and a scenario read together: every fault of both, and of one against the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

from kc_model.errors import Address, Fault, InputError, errors_in
from kc_model.money import UNITS, Amount
from kc_model.problem import build_problem
from kc_model.projects import build_offers, given_parts, management_warnings
from kc_model.reading import draft_dataset
from kc_model.scenario import Budget, Scenario, draft_scenario
from kc_model.tables import Dataset

__all__ = ["check_together", "read_together"]

_WORKBOOKS = {".xlsx", ".xlsm"}
_OF_NAMES = {"unknown-attribute", "unknown-name"}
"""What is wrong with a selection whatever the rows and numbers are."""


def read_together(
    dataset: Path, scenario: Path, progress: Callable[[str, float], None] | None = None
) -> tuple[Dataset, Scenario]:
    """Read a dataset and a scenario.

    Parameters
    ----------
    progress : callable or None
        As for `kc_model.reading.read_dataset`.

    Raises
    ------
    InputError
        With every fault of both, and of the scenario's selections against the data.
    """
    data, asked, faults = _drafts(dataset, scenario, progress)
    if data is None or asked is None or errors_in(faults):
        raise InputError(faults)
    return data, asked


def check_together(
    dataset: Path,
    scenario: Path | None = None,
    progress: Callable[[str, float], None] | None = None,
) -> tuple[Fault, ...]:
    """Return every fault and warning there is before anything is planned.

    Parameters
    ----------
    scenario : Path or None
        None: the scenario in the dataset's own workbook, if it holds one.
    progress : callable or None
    """
    source = scenario
    if source is None and dataset.suffix.lower() in _WORKBOOKS:
        source = dataset
    data, asked, faults = _drafts(dataset, source, progress, is_asked=scenario is not None)
    is_read = data is not None and not errors_in(data.warnings)
    if data is None or not is_read:
        return tuple(faults)
    if asked is not None and not errors_in(faults):
        found = _against(data, asked)
    else:
        found = _of_projects(data, asked)
    return (*faults, *_new(faults, found), *_paid_apart(data, _year(data, asked)))


def _drafts(
    dataset: Path,
    scenario: Path | None,
    progress: Callable[[str, float], None] | None,
    *,
    is_asked: bool = True,
) -> tuple[Dataset | None, Scenario | None, list[Fault]]:
    """Return what can be read of both; their faults, and those of names where there are errors."""
    data, told = draft_dataset(dataset, progress)
    faults = list(told)
    if scenario is None:
        return data, None, faults
    asked, told = draft_scenario(scenario)
    told = tuple(fault for fault in told if is_asked or fault.code != "no-scenario-sheets")
    faults += _new(faults, told)
    if data is not None and asked is not None and errors_in(faults):
        found = _against(*_names_only(data, asked))
        faults += _new(faults, (fault for fault in found if fault.code in _OF_NAMES))
    return data, asked, faults


def _names_only(data: Dataset, asked: Scenario) -> tuple[Dataset, Scenario]:
    """Return tables without rows, and of the scenario what can be held against their columns."""
    tables = {name: frame.head(0) for name, frame in data.tables.items()}
    rules = tuple(rule for rule in asked.rules if rule.count != "projects" and not rule.project)
    goals = tuple(goal for goal in asked.goals if goal.what != "evenness" or goal.per)
    budget = asked.budget or (Budget(Decimal(0), {}),)
    plain = replace(asked, rules=rules, goals=goals, budget=budget)
    return replace(data, tables=tables), plain


def _against(data: Dataset, asked: Scenario) -> tuple[Fault, ...]:
    try:
        problem = build_problem(data, asked)
        return (*problem.warnings, *management_warnings(asked, problem.cells.frame))
    except InputError as error:
        return error.faults


def _of_projects(data: Dataset, asked: Scenario | None) -> tuple[Fault, ...]:
    """Return what keeps projects out of a plan of the scenario's year, or of the newest known."""
    if not len(data.projects):
        return ()
    try:
        return build_offers(data, date(_year(data, asked), 1, 1)).findings
    except InputError as error:
        return tuple(replace(fault, level="warning") for fault in error.faults)


def _year(data: Dataset, asked: Scenario | None) -> int:
    """Return the scenario's year, or the newest known."""
    if asked is not None and asked.year:
        return asked.year
    known = [table["year"].max() for table in (data.history, data.cells) if table["year"].count()]
    return int(max(known)) if known else datetime.now(UTC).year


def _paid_apart(data: Dataset, year: int) -> Iterator[Fault]:
    """Yield warnings of cells whose history and projects tell different money disbursed.

    Only where the list of projects tells any, and for cells that it names and the year's history
    has. Activities are taken together: the two tables need not split alike.
    """
    projects = data.projects.assign(project=data.projects["id"], stage="")
    paid = given_parts(projects)  # in no stage a project has what it was paid
    rows = data.history[(data.history["year"] == year) & data.history["disbursed"].notna()]
    if paid.empty or rows.empty:
        return
    keys = ["place", "area", "source"]
    newest = rows.sort_values("month", kind="stable").drop_duplicates(
        [*keys, "activity"], keep="last"
    )
    told = newest.groupby(keys)["disbursed"].sum()
    named = projects.assign(place=projects["place"].str.split(";")).explode("place")
    given = paid.groupby(keys)["before"].sum()
    for cell in dict.fromkeys(named[keys].itertuples(index=False, name=None)):
        if cell in told.index and abs(told[cell] - given.get(cell, 0)) >= UNITS[data.unit]:
            own, other = int(told[cell]), int(given.get(cell, 0))
            code = "paid-beside-projects" if own > other else "paid-not-in-history"
            vnd = {"history": own, "projects": other, "apart": abs(own - other)}
            amounts = {key: Amount(amount, data.unit) for key, amount in vnd.items()}
            values = {"cell": " – ".join(cell), **amounts}
            yield Fault(code, Address("projects.csv"), values, level="warning")


def _new(known: Iterable[Fault], found: Iterable[Fault]) -> list[Fault]:
    """Return the faults that are not known yet, each once."""
    seen, new = list(known), []
    for fault in found:
        if fault not in seen:
            seen.append(fault)
            new.append(fault)
    return new
