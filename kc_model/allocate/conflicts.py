"""Why no plan exists: smallest sets of laws that contradict each other, and what mends them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from kc_model.arrays import Model
from kc_model.program import Problem
from kc_model.rules import Row
from kc_model.solver import Outcome, Solver, Status

__all__ = ["find_conflicts"]

_NOTHING = 1e-6
_MOST = 10
_VISITS = 400


def find_conflicts(problem: Problem, deadline: float) -> list[dict[str, Any]]:
    """Return smallest conflicts among the laws, each with its repairs.

    A conflict names rules, budgets and bounds by id; leaving out any one of them lets the others
    hold together. All of them are found by leaving out one rule of each known conflict in every
    way (hitting-set tree, Reiter 1987), up to ten conflicts.

    Parameters
    ----------
    problem : Problem
    deadline : float
        As in `Solver`.

    Returns
    -------
    list of dict
        rules (ids), texts, repairs (option, rule, group, side, by in the user's unit, measure;
        repairs of one option go together, options are alternatives: the least total loosening of
        one rule), mends_all (whether each option mends every conflict, or its own only), complete
        (whether there is certainly no conflict beside the listed ones). Empty if none was found
        in time.
    """
    laws = [row for row in problem.rows if row.is_law]
    texts = {row.id: row.text for row in laws}
    elastic = _Elastic(laws, problem, deadline)
    found, complete = _search(elastic, list(texts))
    conflicts = []
    for rules in found:
        repairs = list(_repairs(elastic, rules, set()))
        mends_all = bool(repairs)
        if not repairs:
            repairs = list(_repairs(elastic, rules, set(texts) - set(rules)))
        conflicts.append(
            {
                "rules": rules,
                "texts": [texts[rule] for rule in rules],
                "repairs": repairs,
                "mends_all": mends_all,
                "complete": complete,
            }
        )
    return conflicts


def _search(elastic: _Elastic, rules: list[str]) -> tuple[list[list[str]], bool]:
    """Find conflicts breadth first; also whether the search came to its end."""
    found: list[list[str]] = []
    queue: list[frozenset[str]] = [frozenset()]
    seen = set(queue)
    visited = 0
    while queue:
        left_out = queue.pop(0)
        visited += 1
        conflict = next((known for known in found if not left_out & set(known)), None)
        if conflict is None:
            rest = [rule for rule in rules if rule not in left_out]
            if elastic.agree(rest):
                continue
            suspects = elastic.suspects(rest)
            if suspects is None or len(found) == _MOST or visited > _VISITS:
                return found, False
            conflict = _shrink(elastic, suspects)
            found.append(conflict)
        for rule in conflict:
            further = left_out | {rule}
            if further not in seen:
                seen.add(further)
                queue.append(further)
    return found, True


def _repairs(elastic: _Elastic, rules: Sequence[str], aside: set[str]) -> Iterator[dict[str, Any]]:
    for option, rule in enumerate(rules, 1):
        for step in elastic.repair(rule, aside):
            yield {"option": option, **step}


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

    def __init__(self, laws: Sequence[Row], problem: Problem, deadline: float) -> None:
        self.laws = laws
        self.n = n_cells = len(problem.cells)
        self.nothing = _NOTHING * problem.size
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
            problem.size,
        )
        # Rows of outputs and of money weigh alike if each is measured by its own coefficients.
        self.unit = np.array([max(1e-9, np.max(np.abs(net), initial=0.0)) for _, net in parts])
        cost = 1 / self.unit
        self.solver.set_cost(np.concatenate([np.zeros(n_cells), cost, cost]))

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

    def suspects(self, rules: Sequence[str]) -> list[str] | None:
        """Ids of those laws that one proof of their contradiction uses; None if there is none."""
        outcome = self._loosest(rules)
        if outcome.status is not Status.OPTIMAL or outcome.objective <= self.nothing:
            return None
        used = np.abs(outcome.row_duals) > _NOTHING
        return list(dict.fromkeys(row.id for row, hit in zip(self.laws, used, strict=True) if hit))

    def contradict(self, rules: Sequence[str]) -> bool:
        """Whether these laws alone are proven not to hold together."""
        outcome = self._loosest(rules)
        return outcome.status is Status.OPTIMAL and outcome.objective > self.nothing

    def agree(self, rules: Sequence[str]) -> bool:
        """Whether these laws alone are proven to hold together."""
        outcome = self._loosest(rules)
        return outcome.status is Status.OPTIMAL and outcome.objective <= self.nothing

    def _loosest(self, rules: Sequence[str]) -> Outcome:
        chosen = np.array([row.id in rules for row in self.laws])
        self._only(np.zeros(len(self.laws), dtype=bool), chosen)
        return self.solver.run()

    def repair(self, rule: str, aside: set[str]) -> list[dict[str, Any]]:
        """Least loosening of one law after which all laws not aside hold; empty if none does."""
        mine = np.array([row.id == rule for row in self.laws])
        held = np.array([row.id != rule and row.id not in aside for row in self.laws])
        self._only(held, mine)
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
            if amount > self.nothing * self.unit[r]
        ]


def _right(row: Row) -> float:
    return row.factor * row.const
