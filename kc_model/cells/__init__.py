"""The cells of a plan: dataset and scenario brought together on one frame.

A cell is one (year, place, area, activity, source). This room says which cells there are, what is
known of each, which of them a selection means, and how much of its money a cell can absorb.
"""

from __future__ import annotations

from kc_model.cells.curves import Curves, build_curves, pools
from kc_model.cells.frame import Cells, build_cells, newest_plan_year, plan_in_force
from kc_model.money import MILLION

__all__ = [
    "MILLION",
    "Cells",
    "Curves",
    "build_cells",
    "build_curves",
    "newest_plan_year",
    "plan_in_force",
    "pools",
]
