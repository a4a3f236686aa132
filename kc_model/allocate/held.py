"""Which rules hold the moves of a choice of projects: those that are broken if one is not made.

One rule less may turn a whole choice over, so who did what is not asked of plans without it, as it
is of money that cells share. That a rule would be broken is a fact of the plan itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from kc_model.cells import MILLION
from kc_model.moves import changed, pair_of, transfers
from kc_model.plan import Plan
from kc_model.problem import Problem
from kc_model.rules import Sums

__all__ = ["find_held"]

_NOISE = 1e-6  # million VND, or of a count

End = Mapping[Any, Any]
Pair = tuple[int, str, int, str]


def find_held(problem: Problem, plan: Plan) -> dict[Pair, tuple[str, ...]]:
    """Return for each move of a mid-year plan the rules that would be broken without it.

    Parameters
    ----------
    problem : Problem
        Projects not decided.
    plan : Plan
        Made of it.

    Returns
    -------
    dict
        See `kc_model.moves.pair_of`. None where no rule holds the move; a move that only a project
        which needs or excludes another holds is left out.

    Notes
    -----
    A project that is given only part of what it needs is no plan: the moves that share a project or
    a cell, directly or through others, are then undone together.
    """
    if plan.as_of is None or problem.offered is None:
        return {}
    undo, moves = _Undo(problem, plan), list(transfers(plan))
    kin = _kin((_node(giver), _node(taker)) for giver, taker, *_ in moves)
    found = {}
    for giver, taker, amount, _ in moves:
        parts = undo.alone(giver, taker, amount)
        if parts is None:
            parts = undo.whole(kin[_node(giver)] | kin[_node(taker)])
        if (broken := undo.broken(parts, (giver, taker))) or undo.is_linked(parts):
            found[pair_of(giver, taker)] = broken
    return found


def _node(end: End) -> str:
    """Return the project of an end, or its cell; "" for the outside."""
    return str(end["project"]) or (f"|{end['cell']}" if end["cell"] >= 0 else "")


def _kin(pairs: Iterable[tuple[str, str]]) -> dict[str, set[str]]:
    """Return with whom each node is joined by pairs, the outside with nobody."""
    kin: dict[str, set[str]] = {"": set()}
    for one, other in pairs:
        both = {name for end in (one, other) if end for name in (*kin.get(end, ()), end)}
        if one and other:
            kin.update(dict.fromkeys(both, both))
        else:
            kin.setdefault(one or other, both)
    return kin


class _Undo:
    """Holds a plan without some of its moves against the rules."""

    def __init__(self, problem: Problem, plan: Plan) -> None:
        if problem.offered is None:
            raise ValueError("the problem has no projects")
        self.problem, self.offered = problem, problem.offered
        self.number = {one: p for p, one in enumerate(self.offered.ids)}
        self.lines = changed(plan)
        self.lines["node"] = [_node(line) for line in self.lines.to_dict("records")]
        n = len(problem.cells)
        rows = [row.over_projects(n) for row in problem.rows]
        self.ids, self.sums = [row.id for row in rows], Sums.of(rows, n + len(self.offered))
        self.counted = sparse.csc_array(abs(self.sums.left) + abs(self.sums.base))
        money = plan.cells["amount"].to_numpy(dtype=np.float64) / MILLION
        self.plan = np.concatenate([money, plan.projects["chosen"].to_numpy(dtype=np.float64)])
        self.room = self.sums.shortfall(self.plan) + _NOISE

    def alone(self, giver: End, taker: End, amount: int) -> NDArray[np.float64] | None:
        """Return the plan without one move; None where a project cannot have what is left."""
        found = self.plan.copy()
        for end, vnd in ((giver, amount), (taker, -amount)):
            if end["cell"] < 0:
                continue
            found[end["cell"]] += vnd / MILLION
            if end["project"]:
                p, has = self.number[end["project"]], int(end["has"]) + vnd
                is_in = has > 0 or bool(self.offered.must[p])
                fits = self.offered.least[p] <= has <= self.offered.most[p]
                is_shared = (self.lines["project"] == end["project"]).sum() > 1
                if is_shared or (is_in and not fits):
                    return None
                found[len(self.problem.cells) + p] = is_in
        return found

    def whole(self, nodes: Iterable[str]) -> NDArray[np.float64]:
        """Return the plan in which some are as in the plan in force, as far as they can be."""
        found = self.plan.copy()
        for node, own in self.lines[self.lines["node"].isin(set(nodes))].groupby("node"):
            back = (own["change"] + own["idle"]).where(own["change"] < 0, own["change"])
            np.subtract.at(found, own["cell"], back.to_numpy(dtype=np.float64) / MILLION)
            if str(node) in self.number:
                p = self.number[str(node)]
                is_in = int(own["had"].iloc[0]) > int(own["idle"].sum())
                found[len(self.problem.cells) + p] = is_in or self.offered.must[p]
        return found

    def broken(self, plan: NDArray[np.float64], ends: Iterable[End]) -> tuple[str, ...]:
        """Return the rules of either end that such a plan misses by more than the plan itself."""
        n, named = len(self.problem.cells), [end["project"] for end in ends if end["project"]]
        columns = [end["cell"] for end in ends if end["cell"] >= 0]
        columns += [n + self.number[one] for one in named]
        own = self.counted[:, columns].sum(axis=1) > 0
        missed = own & (self.sums.shortfall(plan) > self.room)
        return tuple(dict.fromkeys(self.ids[r] for r in np.flatnonzero(missed).tolist()))

    def is_linked(self, plan: NDArray[np.float64]) -> bool:
        """Whether each project has what it needs in such a plan, and none that it excludes."""
        is_in = plan[len(self.problem.cells) :] > 0
        needs, apart = self.offered.requires, self.offered.excludes
        return not (
            np.any(is_in[needs[:, 0]] & ~is_in[needs[:, 1]])
            or np.any(is_in[apart[:, 0]] & is_in[apart[:, 1]])
        )
