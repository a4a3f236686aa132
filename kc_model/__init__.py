"""Planning and forecasting for Vietnam's industrial promotion programme (khuyến công).

>>> import kc_model as kc
>>> data = kc.read_dataset("data/sample")
>>> outlook = kc.forecast(data, year=2026, as_of=6)
>>> plan = kc.allocate(data, kc.read_scenario("data/sample/base.yaml"), outlook)
>>> plan.table(), plan.rules(), plan.explain(), plan.save("out/")
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kc_model.allocate import allocate
from kc_model.backtest import Backtest, backtest
from kc_model.errors import (
    Address,
    Fault,
    InfeasibleError,
    InputError,
    KcError,
    NotOptimalError,
    SaveError,
)
from kc_model.forecast import forecast
from kc_model.next_year import NextYear, next_year
from kc_model.progress import Progress, progress
from kc_model.reading import read_dataset
from kc_model.results import Allocation, Forecast
from kc_model.scenario import Budget, Goal, Rule, Scenario, read_scenario
from kc_model.tables import Dataset, Note
from kc_model.template import write_template, write_workbook
from kc_model.tradeoffs import (
    Preset,
    alternatives,
    compare,
    compare_presets,
    frontier,
    least_money,
    presets,
    sweep,
)
from kc_model.verify import Verification, verify

if TYPE_CHECKING:
    from kc_model.allocate import Planner

__version__ = "0.1.0"

__all__ = [
    "Address",
    "Allocation",
    "Backtest",
    "Budget",
    "Dataset",
    "Fault",
    "Forecast",
    "Goal",
    "InfeasibleError",
    "InputError",
    "KcError",
    "NextYear",
    "NotOptimalError",
    "Note",
    "Planner",
    "Preset",
    "Progress",
    "Rule",
    "SaveError",
    "Scenario",
    "Verification",
    "allocate",
    "alternatives",
    "backtest",
    "compare",
    "compare_presets",
    "forecast",
    "frontier",
    "least_money",
    "next_year",
    "presets",
    "progress",
    "read_dataset",
    "read_scenario",
    "sweep",
    "verify",
    "write_template",
    "write_workbook",
]


def __getattr__(name: str) -> Any:
    if name != "Planner":  # it loads the solvers, which most commands do without
        raise AttributeError(name)
    from kc_model.allocate.planner import Planner  # noqa: PLC0415

    return Planner
