"""A PuLP problem as arrays: what solvers are handed and what `kc_model.verify` proves against."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter

import numpy as np
import pulp
from numpy.typing import NDArray
from scipy import sparse

__all__ = ["Cut", "Model", "compile_program"]

_INF = float("inf")
_NOWHERE = np.zeros(0, dtype=np.int64)

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Cut:
    """A row that is added to a model: low ≤ Σ coefficient · column.

    Parameters
    ----------
    columns : array of int
    coefficients : array
    """

    columns: NDArray[np.int64]
    coefficients: Array
    low: float


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

    def grown(
        self,
        rows: Sequence[str],
        cuts: Sequence[Cut],
        columns: Sequence[str] = (),
        links: tuple[NDArray[np.int64], float] = (_NOWHERE, 0.0),
    ) -> Model:
        """Return the model with columns from 0 up behind its own, then rows that may use them.

        Parameters
        ----------
        rows, columns : sequence of str
            Their names.
        cuts : sequence of Cut
            The rows.
        links : array of int (n_columns,) and float
            The row of the model that each column enters, and with what coefficient; of no length:
            none does.
        """
        none, ones = np.zeros(len(columns)), np.full(len(columns), _INF)
        return Model(
            (*self.columns, *columns),
            (*self.rows, *rows),
            _below(_beside(self.matrix, *links), _rows_of(cuts, len(self.columns) + len(columns))),
            np.append(self.row_low, [cut.low for cut in cuts]),
            np.append(self.row_high, np.full(len(cuts), _INF)),
            np.append(self.col_low, none),
            np.append(self.col_high, ones),
            np.append(self.whole, np.zeros(len(columns), dtype=bool)),
        )


def _rows_of(cuts: Sequence[Cut], width: int) -> sparse.csr_array:
    """Return cuts as rows of a matrix of some width."""
    starts = np.cumsum([0, *(len(cut.columns) for cut in cuts)])
    columns = np.concatenate([np.zeros(0, np.int64), *(cut.columns for cut in cuts)])
    data = np.concatenate([np.zeros(0), *(cut.coefficients for cut in cuts)])
    return sparse.csr_array((data, columns, starts), shape=(len(cuts), width))


def _beside(
    matrix: sparse.csr_array, rows: NDArray[np.int64], coefficient: float
) -> sparse.csr_array:
    """Return a matrix with columns behind its own, each with one coefficient in one row."""
    n_rows, width = matrix.shape
    at = matrix.indptr[rows + 1]  # behind what the row has: the order of the rest stays
    return sparse.csr_array(
        (
            np.insert(matrix.data, at, coefficient),
            np.insert(matrix.indices, at, width + np.arange(len(rows))),
            matrix.indptr + np.cumsum(np.bincount(rows + 1, minlength=n_rows + 1)),
        ),
        shape=(n_rows, width + len(rows)),
    )


def _below(matrix: sparse.csr_array, rows: sparse.csr_array) -> sparse.csr_array:
    """Return a matrix with rows, which may be wider, under it."""
    wider = sparse.csr_array(
        (matrix.data, matrix.indices, matrix.indptr), shape=(matrix.shape[0], rows.shape[1])
    )
    return sparse.csr_array(sparse.vstack([wider, rows]))


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
