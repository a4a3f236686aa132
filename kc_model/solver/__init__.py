"""The only door to HiGHS and Clarabel."""

from __future__ import annotations

from kc_model.solver.clock import Clock
from kc_model.solver.engine import Reach, Status
from kc_model.solver.linear import GAP, GAP_WHOLE, Outcome, Solver
from kc_model.solver.quadratic import Settled, resettle, settle

__all__ = [
    "GAP",
    "GAP_WHOLE",
    "Clock",
    "Outcome",
    "Reach",
    "Settled",
    "Solver",
    "Status",
    "resettle",
    "settle",
]
