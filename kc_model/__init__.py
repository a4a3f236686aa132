"""Planning and forecasting for Vietnam's industrial promotion programme (khuyến công).

>>> import kc_model as kc
>>> data = kc.read_dataset("data/sample")
>>> outlook = kc.forecast(data, year=2026, as_of=6)
>>> plan = kc.allocate(data, kc.read_scenario("data/sample/base.yaml"), outlook, as_of=6)
>>> plan.table(), plan.rules(), plan.explain(), plan.save("out/")

A room is loaded when one of its names is first asked for, so that a command waits for no more than
it uses (PEP 562).
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kc_model.allocate import Planner, allocate, apply_repair, repair_cells, why_not
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
    from kc_model.late import LateMoney, late_money
    from kc_model.moves import moves, refuse, who_decides
    from kc_model.next_year import NextYear, next_year
    from kc_model.progress import Progress, progress
    from kc_model.projects import adjustment, assigned_plan, build_offers, registration
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
        seek,
        sweep,
    )
    from kc_model.verify import Verification, verify

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
    "LateMoney",
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
    "adjustment",
    "allocate",
    "alternatives",
    "apply_repair",
    "assigned_plan",
    "backtest",
    "build_offers",
    "compare",
    "compare_presets",
    "forecast",
    "frontier",
    "late_money",
    "least_money",
    "moves",
    "next_year",
    "presets",
    "progress",
    "read_dataset",
    "read_scenario",
    "refuse",
    "registration",
    "repair_cells",
    "seek",
    "sweep",
    "verify",
    "who_decides",
    "why_not",
    "write_template",
    "write_workbook",
]

_ROOMS = {
    "allocate": ("Planner", "allocate", "apply_repair", "repair_cells", "why_not"),
    "backtest": ("Backtest", "backtest"),
    "errors": (
        *("Address", "Fault", "InfeasibleError", "InputError", "KcError", "NotOptimalError"),
        "SaveError",
    ),
    "forecast": ("forecast",),
    "late": ("LateMoney", "late_money"),
    "moves": ("moves", "refuse", "who_decides"),
    "next_year": ("NextYear", "next_year"),
    "progress": ("Progress", "progress"),
    "projects": ("adjustment", "assigned_plan", "build_offers", "registration"),
    "reading": ("read_dataset",),
    "results": ("Allocation", "Forecast"),
    "scenario": ("Budget", "Goal", "Rule", "Scenario", "read_scenario"),
    "tables": ("Dataset", "Note"),
    "template": ("write_template", "write_workbook"),
    "tradeoffs": (
        *("Preset", "alternatives", "compare", "compare_presets", "frontier", "least_money"),
        *("presets", "seek", "sweep"),
    ),
    "verify": ("Verification", "verify"),
}
_HOME = {name: room for room, names in _ROOMS.items() for name in names}


class _Front(ModuleType):
    """The package's front: ``kc.forecast`` is the function, not the room of the same name."""

    def __setattr__(self, name: str, value: object) -> None:
        # The import system puts every room it has loaded here, under the room's own name.
        if isinstance(value, ModuleType) and name in _HOME:
            value = getattr(value, name)
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Front


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
