"""The only door to HiGHS and Clarabel."""

from __future__ import annotations

from kc_model.solver.linear import (
    GAP,
    GAP_WHOLE,
    Outcome,
    Solver,
    Status,
)
from kc_model.solver.quadratic import Settled, settle

__all__ = [
    "GAP",
    "GAP_WHOLE",
    "Outcome",
    "Settled",
    "Solver",
    "Status",
    "settle",
]
