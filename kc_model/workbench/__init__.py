"""The workbench: desks for the screen. They show and ask; every number is computed elsewhere.

`show_cases`, `show_forecast`, `show_backtest` and `show_plan` make one for a notebook to end on.
Each is loaded when it is first asked for: starting a server needs no charts.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kc_model.workbench.checking import BacktestDesk, show_backtest
    from kc_model.workbench.folders import find_data
    from kc_model.workbench.overview import Overview, show_cases
    from kc_model.workbench.planning import PlanDesk, show_plan
    from kc_model.workbench.progress import ProgressDesk, show_forecast

__all__ = [
    "BacktestDesk",
    "Overview",
    "PlanDesk",
    "ProgressDesk",
    "find_data",
    "show_backtest",
    "show_cases",
    "show_forecast",
    "show_plan",
]

_HOME = {
    "BacktestDesk": "checking",
    "Overview": "overview",
    "PlanDesk": "planning",
    "ProgressDesk": "progress",
    "find_data": "folders",
    "show_backtest": "checking",
    "show_cases": "overview",
    "show_forecast": "progress",
    "show_plan": "planning",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value
