"""What an allocation must respect and wants, resolved over the cells of a plan."""

from __future__ import annotations

from kc_model.problem.build import PARTIAL, build_problem, incomplete_list, problem_of
from kc_model.problem.model import Problem

__all__ = ["PARTIAL", "Problem", "build_problem", "incomplete_list", "problem_of"]
