"""Why no plan exists: a smallest set of laws that contradict each other, and what would mend it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from kc_model.rules import Row
from kc_model.solver import Model, Solver, Status

__all__ = ["find_conflict"]

_NOTHING = 1e-6


def find_conflict(rows: Sequence[Row], n_cells: int, deadline: float) -> list[dict[str, Any]]:
    """Return one smallest conflict among the laws with its repairs.

    A conflict names rules, budgets and bounds by id; leaving out any one of them lets the others
    hold together. A repair is the least total loosening of one of them, alone, after which *all*
    laws hold; one that alone cannot mend everything is not offered.

    Parameters
    ----------
    rows : sequence of Row
    n_cells : int
    deadline : float
        As in `Solver`; a search it cuts short says ``complete: false``.

    Returns
    -------
    list of dict
        Empty if no conflict was found in time, else one entry: rules (ids), texts, repairs (rule,
        group, side, by in the user's unit, measure), complete (always false: others may exist).
    """
    laws = [row for row in rows if row.is_law]
    elastic = _Elastic(laws, n_cells, deadline)
    suspects = elastic.suspects()
    if suspects is None:
        return []
    minimal = _shrink(elastic, suspects)
    texts = {row.id: row.text for row in laws}
    return [
        {
            "rules": minimal,
            "texts": [texts[rule] for rule in minimal],
            "repairs": [repair for rule in minimal for repair in elastic.repair(rule)],
            "complete": False,
        }
    ]


def _shrink(elastic: _Elastic, suspects: list[str]) -> list[str]:
    """Leave out one after the other what the contradiction does not need."""
    needed = list(suspects)
    for rule in suspects:
        rest = [other for other in needed if other != rule]
        if elastic.contradict(rest):
            needed = rest
    return needed


class _Elastic:
    """The laws, each with room to be loosened at a cost."""

    def __init__(self, laws: Sequence[Row], n_cells: int, deadline: float) -> None:
        self.laws = laws
        self.n = n_cells
        low = np.array([-math.inf if row.side == "max" else _right(row) for row in laws])
        high = np.array([math.inf if row.side == "min" else _right(row) for row in laws])
        parts = [row.coefficients() for row in laws]
        starts = np.cumsum([0, *(len(cells) for cells, _ in parts)])
        plain = sparse.csr_array(
            (
                np.concatenate([net for _, net in parts]),
                np.concatenate([cells for cells, _ in parts]),
                starts,
            ),
            shape=(len(laws), n_cells),
        )
        eye = sparse.eye_array(len(laws), format="csr")
        width = n_cells + 2 * len(laws)
        self.solver = Solver(
            Model(
                tuple(f"c_{i}" for i in range(width)),
                tuple(f"row_{r}" for r in range(len(laws))),
                sparse.csr_array(sparse.hstack([plain, eye, -eye])),
                low,
                high,
                np.zeros(width),
                np.full(width, math.inf),
                np.zeros(width, dtype=bool),
            ),
            deadline,
        )
        # Rows of outputs and of money weigh alike if each is measured by its own coefficients.
        size = np.array([max(1e-9, float(np.max(np.abs(net), initial=0.0))) for _, net in parts])
        self.solver.set_cost(np.concatenate([np.zeros(n_cells), 1 / size, 1 / size]))

    def _only(self, held: NDArray[np.bool_], open_rows: NDArray[np.bool_]) -> None:
        """Held rows are hard, open rows may be loosened at their cost, the others do not count."""
        free = ~held
        top = np.where(free, math.inf, 0.0)
        columns = self.n + np.arange(2 * len(self.laws))
        self.solver.set_columns(columns, np.zeros(len(columns)), np.concatenate([top, top]))
        low, high = self.solver.model.row_low, self.solver.model.row_high
        ignored = free & ~open_rows
        every = np.arange(len(self.laws))
        self.solver.set_rows(
            every, np.where(ignored, -math.inf, low), np.where(ignored, math.inf, high)
        )

    def suspects(self) -> list[str] | None:
        """Ids of the laws that one proof of the contradiction uses; None if there is none."""
        every = np.ones(len(self.laws), dtype=bool)
        self._only(~every, every)
        outcome = self.solver.run()
        if outcome.status is not Status.OPTIMAL or outcome.objective <= _NOTHING:
            return None
        used = np.abs(outcome.row_duals) > _NOTHING
        return list(dict.fromkeys(row.id for row, hit in zip(self.laws, used, strict=True) if hit))

    def contradict(self, rules: Sequence[str]) -> bool:
        """Whether these laws alone cannot hold together."""
        chosen = np.array([row.id in rules for row in self.laws])
        self._only(np.zeros(len(self.laws), dtype=bool), chosen)
        outcome = self.solver.run()
        return outcome.status is Status.OPTIMAL and outcome.objective > _NOTHING

    def repair(self, rule: str) -> list[dict[str, Any]]:
        """Least loosening of one law after which all laws hold; empty if there is none."""
        mine = np.array([row.id == rule for row in self.laws])
        self._only(~mine, mine)
        outcome = self.solver.run()
        if outcome.status is not Status.OPTIMAL:
            return []
        by = outcome.values[self.n :].reshape(2, -1)
        return [
            {
                "rule": row.id,
                "group": row.group,
                "side": side,
                "by": round(float(amount) * row.scale, 9),
                "measure": row.measure,
            }
            for r, row in enumerate(self.laws)
            for side, amount in (("min", by[0, r]), ("max", by[1, r]))
            if amount > _NOTHING
        ]


def _right(row: Row) -> float:
    return row.factor * row.const
