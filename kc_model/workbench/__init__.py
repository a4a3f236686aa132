"""The workbench: desks for the screen. They show and ask; every number is computed elsewhere.

`show_cases`, `show_data`, `show_forecast`, `show_backtest` and `show_plan` make one for a notebook
to end on; `show_app` makes the planner's page of three, `open_page` the same for a browser that is
still opening. Each is loaded when it is first asked for: a server needs no charts.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kc_model.workbench.checking import BacktestDesk, show_backtest
    from kc_model.workbench.folders import find_data
    from kc_model.workbench.loading import DataDesk, show_data
    from kc_model.workbench.opening import Opening, open_page
    from kc_model.workbench.overview import Overview, show_cases
    from kc_model.workbench.page import AppPage, show_app
    from kc_model.workbench.planning import PlanDesk, show_plan
    from kc_model.workbench.progress import ProgressDesk, show_forecast

__all__ = [
    "AppPage",
    "BacktestDesk",
    "DataDesk",
    "Opening",
    "Overview",
    "PlanDesk",
    "ProgressDesk",
    "find_data",
    "open_page",
    "show_app",
    "show_backtest",
    "show_cases",
    "show_data",
    "show_forecast",
    "show_plan",
]

_HOME = {
    "AppPage": "page",
    "BacktestDesk": "checking",
    "DataDesk": "loading",
    "Opening": "opening",
    "Overview": "overview",
    "PlanDesk": "planning",
    "ProgressDesk": "progress",
    "find_data": "folders",
    "open_page": "opening",
    "show_app": "page",
    "show_backtest": "checking",
    "show_cases": "overview",
    "show_data": "loading",
    "show_forecast": "progress",
    "show_plan": "planning",
}

# jsonschema would build, for two seconds, the grammar of addresses with foreign letters: nothing
# here has any to check. Without the module it leaves that check out.
if "jsonschema" not in sys.modules:
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value
