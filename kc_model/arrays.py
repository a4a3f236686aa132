"""A PuLP problem as arrays: what solvers are handed and what `kc_model.verify` proves against."""

from __future__ import annotations

from dataclasses import dataclass
from operator import attrgetter

import numpy as np
import pulp
from numpy.typing import NDArray
from scipy import sparse

__all__ = ["Model", "compile_program"]

_INF = float("inf")

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Model:
    """A program as arrays: minimise cost · z, row_low ≤ A z ≤ row_high, col_low ≤ z ≤ col_high.

    Parameters
    ----------
    columns, rows : tuple of str
        Names, in the order of the arrays.
    matrix : sparse CSR (n_rows, n_columns)
    row_low, row_high, col_low, col_high : arrays
        Infinite where open.
    whole : array of bool (n_columns,)
        Columns that take whole numbers only.
    """

    columns: tuple[str, ...]
    rows: tuple[str, ...]
    matrix: sparse.csr_array
    row_low: Array
    row_high: Array
    col_low: Array
    col_high: Array
    whole: NDArray[np.bool_]


def compile_program(problem: pulp.LpProblem) -> Model:
    """Return a PuLP problem as arrays.

    Parameters
    ----------
    problem : pulp.LpProblem
        Its objective is not read: costs are set on the live model.
    """
    variables = problem.variables()
    place = {id(variable): i for i, variable in enumerate(variables)}
    constraints = problem.constraints()
    starts = np.cumsum([0, *(len(row) for row in constraints)])
    indices = np.fromiter((place[id(v)] for row in constraints for v in row), np.int32, starts[-1])
    data = np.fromiter((c for row in constraints for c in row.values()), np.float64, starts[-1])
    right = -np.fromiter(map(attrgetter("constant"), constraints), np.float64, len(constraints))
    sense = np.fromiter(map(attrgetter("sense"), constraints), np.int8, len(constraints))
    low = [-_INF if v.lowBound is None else v.lowBound for v in variables]
    high = [_INF if v.upBound is None else v.upBound for v in variables]
    return Model(
        tuple(variable.name for variable in variables),
        tuple(row.name for row in constraints),
        sparse.csr_array((data, indices, starts), shape=(len(constraints), len(variables))),
        np.where(sense == pulp.LpConstraintLE, -_INF, right),
        np.where(sense == pulp.LpConstraintGE, _INF, right),
        np.array(low, dtype=np.float64),
        np.array(high, dtype=np.float64),
        np.array([variable.cat == pulp.LpInteger for variable in variables], dtype=bool),
    )
