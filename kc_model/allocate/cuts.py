"""Shares that the plan in force breaks: the rule cuts them at once, which nobody may overlook."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from kc_model.cells import MILLION
from kc_model.errors import Fault
from kc_model.money import UNITS, format_number
from kc_model.problem import Problem
from kc_model.rules import Row
from kc_model.stays import reach
from kc_model.wording import LANGUAGES, retold, say
from kc_model.words import Words

__all__ = ["cuts_of"]

_LEAST = 1e-4  # of the whole: less is shown as the same share
_HAIR = 1e-6  # of a step


def cuts_of(problem: Problem, plan: NDArray[np.float64]) -> Iterator[Fault]:
    """Yield what laws and directives take at once from the plan in force.

    Parameters
    ----------
    problem : Problem
    plan : array (n_cells,)
        Whose money the shares are of, million VND.

    Yields
    ------
    Fault
        share-cut, a warning, for every rule that is an upper share of money which the baseline has
        more of: the share it has where that is largest, the share it may have, and the money it
        loses in all groups. What a smaller budget takes from everybody is no part of that, and
        where more money leaves what there was, nothing is lost. Told beside it where it is not the
        same: how the one area it speaks of changes in all places and funds, as charts show it.
    """
    step = max(problem.grid, 1) / MILLION
    sums, found = problem.sums, dict[str, list[tuple[float, float, Row]]]()
    had, could, may = sums.lhs(problem.baseline), sums.bound(problem.baseline), sums.bound(plan)
    still = sums.lhs(reach(problem)[0])  # mid-year what is spent stays
    for row, left, before, now, stays in zip(problem.rows, had, could, may, still, strict=True):
        if row.measure == "share" and row.side == "max" and row.tier in ("law", "directive"):
            wholes = (before / row.factor, now / row.factor) if row.factor else (0.0, 0.0)
            share = left / wholes[0] if wholes[0] else 0.0
            lost = min(left, share * wholes[1]) - now
            if lost > _LEAST * wholes[1]:
                steps = np.ceil(lost / step - _HAIR) * step  # as the plan has to take it
                found.setdefault(row.id, []).append(
                    (share, min(steps, max(0.0, left - stays)), row)
                )
    for parts in sorted(found.values(), key=lambda parts: -sum(lost for _, lost, _ in parts)):
        yield _told(problem, plan, parts)


def _told(
    problem: Problem, plan: NDArray[np.float64], parts: list[tuple[float, float, Row]]
) -> Fault:
    share, _, row = max(parts, key=lambda part: part[0])
    lost, unit = sum(more for _, more, _ in parts), MILLION / UNITS[problem.unit]
    area = problem.cells.frame["area"].to_numpy()
    areas = np.unique(area[row.cells[row.cells < len(area)]])  # behind them are projects
    change = float((plan - problem.baseline)[np.isin(area, areas)].sum())
    values: dict[str, object] = {"rule": row.id}
    for one in LANGUAGES:
        words = Words(problem.unit, problem.cells.vintage, one)
        key = "one" if len(parts) == 1 else "many"
        where = say(f"faults.share-cut.{key}", one, group=words.group(row.group), count=len(parts))
        told = {"area": words.name(str(areas[0]), "area"), "change": words.signed(change * unit)}
        is_same = words.signed(change * unit) == words.signed(-lost * unit)
        is_told = len(areas) > 1 or is_same  # of several no chart has a line
        beside = "" if is_told else say("faults.share-cut.beside", one, **told)
        values |= {
            f"rule_{one}": retold(row.text, one) or row.id,
            f"basis_{one}": row.basis and say("faults.share-cut.basis", one, basis=row.basis),
            f"where_{one}": where if row.group else "",
            f"found_{one}": format_number(round(100 * share, 2), None, one),
            f"most_{one}": format_number(round(100 * row.factor, 2), None, one),
            f"over_{one}": words.vnd(lost * MILLION),
            f"beside_{one}": beside,
            f"at_{one}": say("faults.share-cut.at", one, count=len(parts)) if row.group else "",
        }
    return Fault("share-cut", row.at, values, level="warning")
