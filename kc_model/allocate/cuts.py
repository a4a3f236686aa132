"""Shares that the plan in force breaks: the rule cuts them at once, which nobody may overlook."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from kc_model.cells import MILLION
from kc_model.errors import Fault
from kc_model.money import format_number
from kc_model.problem import Problem
from kc_model.rules import Row
from kc_model.wording import LANGUAGES, retold, say
from kc_model.words import Words

__all__ = ["cuts_of"]

_LEAST = 1e-4  # of the whole: less is shown as the same share


def cuts_of(problem: Problem) -> Iterator[Fault]:
    """Yield what laws and directives take at once from the plan in force.

    Parameters
    ----------
    problem : Problem

    Yields
    ------
    Fault
        share-cut, a warning, for every rule that is an upper share of money which the baseline has
        more of: the share it has where that is largest, the share it may have, and the money over
        it in all groups.
    """
    sums, plan = problem.sums, problem.baseline
    found: dict[str, list[tuple[float, float, Row]]] = {}
    over = np.maximum(0.0, sums.lhs(plan) - sums.bound(plan))
    for row, left, more in zip(problem.rows, sums.lhs(plan), over, strict=True):
        if row.measure == "share" and row.side == "max" and row.tier in ("law", "directive"):
            whole = (left - more) / row.factor if row.factor else 0.0
            if whole and more > _LEAST * whole:
                found.setdefault(row.id, []).append((left / whole, more, row))
    for parts in found.values():
        yield _told(problem, parts)


def _told(problem: Problem, parts: list[tuple[float, float, Row]]) -> Fault:
    share, _, row = max(parts, key=lambda part: part[0])
    values: dict[str, object] = {"rule": row.id}
    for one in LANGUAGES:
        words = Words(problem.unit, problem.cells.vintage, one)
        key = "one" if len(parts) == 1 else "many"
        where = say(f"faults.share-cut.{key}", one, group=words.group(row.group), count=len(parts))
        values |= {
            f"rule_{one}": retold(row.text, one) or row.id,
            f"basis_{one}": row.basis and say("faults.share-cut.basis", one, basis=row.basis),
            f"where_{one}": where if row.group else "",
            f"found_{one}": format_number(round(100 * share, 2), None, one),
            f"most_{one}": format_number(round(100 * row.factor, 2), None, one),
            f"over_{one}": words.vnd(sum(more for _, more, _ in parts) * MILLION),
        }
    return Fault("share-cut", row.at, values, level="warning")
