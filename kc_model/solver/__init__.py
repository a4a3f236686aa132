"""The only door to HiGHS and Clarabel."""

from __future__ import annotations

from kc_model.solver.linear import (
    GAP,
    GAP_WHOLE,
    Cut,
    Model,
    Outcome,
    Solver,
    Status,
    compile_program,
)
from kc_model.solver.quadratic import Settled, settle

__all__ = [
    "GAP",
    "GAP_WHOLE",
    "Cut",
    "Model",
    "Outcome",
    "Settled",
    "Solver",
    "Status",
    "compile_program",
    "settle",
]
