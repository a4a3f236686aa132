"""A scenario: what may be spent, what must hold, what is wanted; from YAML or from sheets.

Scalars are read as text and typed by their key, so that ``01`` stays ``01`` and ``yes`` stays
``yes``. Whatever needs the dataset to be judged (names of places, attributes, selections that are
empty) is judged in `kc_model.cells` and `kc_model.rules`.
"""

from __future__ import annotations

from pathlib import Path

from kc_model.scenario.build import build_scenario
from kc_model.scenario.files import read_layers
from kc_model.scenario.model import TIERS, Budget, Goal, Rule, Scenario, Where
from kc_model.scenario.writing import scenario_yaml

__all__ = ["TIERS", "Budget", "Goal", "Rule", "Scenario", "Where", "read_scenario", "scenario_yaml"]


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
    return build_scenario(read_layers(Path(path)))
