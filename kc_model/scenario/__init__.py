"""A scenario: what may be spent, what must hold, what is wanted; from YAML or from sheets.

Scalars are read as text and typed by their key, so that ``01`` stays ``01`` and ``yes`` stays
``yes``. Whatever needs the dataset to be judged (names of places, attributes, selections that are
empty) is judged in `kc_model.cells` and `kc_model.rules`.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from kc_model.errors import Fault, InputError, raise_faults
from kc_model.scenario.build import build_scenario
from kc_model.scenario.files import read_layers, scenario_yaml
from kc_model.scenario.model import GOALS, TIERS, Budget, Goal, Rule, Scenario, Where

__all__ = [
    "GOALS",
    "TIERS",
    "Budget",
    "Goal",
    "Rule",
    "Scenario",
    "Where",
    "draft_scenario",
    "read_scenario",
    "scenario_yaml",
]


def read_scenario(path: str | Path) -> Scenario:
    """Read a scenario with everything it extends.

    Parameters
    ----------
    path : path
        A YAML file, or a workbook with the sheets scenario, budget, rules and goals.

    Returns
    -------
    Scenario

    Raises
    ------
    InputError
        With every fault of the files at once.
    """
    scenario, faults = draft_scenario(path)
    raise_faults(faults)
    if scenario is None:
        raise InputError(faults)
    return scenario


def draft_scenario(path: str | Path) -> tuple[Scenario | None, tuple[Fault, ...]]:
    """Return what can be read of a scenario, and every fault of its files.

    Parameters
    ----------
    path : path
        As for `read_scenario`.

    Returns
    -------
    tuple
        The scenario, whose selections stand where its numbers are at fault (None where a file is
        missing or broken); the faults.
    """
    faults: list[Fault] = []
    try:
        layers = read_layers(Path(path), faults)
    except InputError as error:
        return None, (*faults, *error.faults)
    read = len(faults)
    scenario = build_scenario(layers, faults)
    told = dict.fromkeys(_place(fault) for fault in faults[:read])
    first = {place: fault for fault in reversed(faults[:read]) if (place := _place(fault)) in told}
    kept = [*first.values()][::-1]
    kept += [fault for fault in faults[read:] if _place(fault) not in told]
    return replace(scenario, warnings=tuple(kept)), tuple(kept)


def _place(fault: Fault) -> tuple[str, ...]:
    """Return where a fault is, in a sheet whatever the column is called."""
    at = fault.at
    return (at.file, at.sheet, at.cell, "" if at.sheet and at.cell else at.column)
