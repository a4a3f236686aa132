"""The workbench: desks for the screen. They show and ask; every number is computed elsewhere.

`show_cases`, `show_forecast`, `show_backtest` and `show_plan` make one for a notebook to end on.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from kc_model.results import Forecast
from kc_model.scenario import Scenario
from kc_model.tables import Dataset
from kc_model.wording import Language
from kc_model.workbench.checking import BacktestDesk, show_backtest
from kc_model.workbench.folders import find_data
from kc_model.workbench.overview import Overview
from kc_model.workbench.planning import PlanDesk
from kc_model.workbench.progress import ProgressDesk

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


def show_cases(*folders: str | Path, language: Language = "vi") -> Overview:
    """Return an overview of every dataset below some folders, each checked as `kc check` does.

    Parameters
    ----------
    *folders : path
        As for `find_data`.
    language : {"vi", "en"}
    """
    return Overview([find_data(folder) for folder in folders], language)


def show_forecast(
    data: Dataset,
    year: int,
    as_of: int,
    *,
    arrival: int | None = None,
    level: str | None = None,
    language: Language = "vi",
) -> ProgressDesk:
    """Return the desk "Tiến độ"; parameters as for `ProgressDesk`."""
    return ProgressDesk(data, year, as_of, arrival=arrival, level=level, language=language)


def show_plan(
    data: Dataset,
    scenario: Scenario,
    outlook: Forecast | None = None,
    *,
    as_of: int | None = None,
    sliders: Sequence[str] | None = None,
    language: Language = "vi",
) -> PlanDesk:
    """Return the desk "Phương án"; parameters as for `PlanDesk`."""
    return PlanDesk(data, scenario, outlook, as_of=as_of, sliders=sliders, language=language)
