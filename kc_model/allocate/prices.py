"""What one more unit on a rule's right-hand side, in the loosening direction, would add.

With t the right-hand side of a row and V(t) the best value of the first goal, the tiers kept, the
price is V's one-sided slope in the loosening direction. V is convex (everything is minimised), so
it keeps that slope between two ends: those at which the line still touches V.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kc_model.allocate.stages import Ladder
from kc_model.problem import Problem
from kc_model.solver import Outcome, Reach, Solver, Status
from kc_model.standing import goal_unit

__all__ = ["Price", "find_prices"]

_STEP = 1e-3  # of what the solver sees as 1: kinks lie far apart against it
_NEAR = 1e-6  # the same: ends of ranges are no finer
_SAME = 1e-6  # slopes closer than this are one
_AGREE = 1e-4
_PIECES = 50
_FURTHEST = 1e4  # of what the solver sees as 1: as far as a partial program is asked
_NOISE = 1e-9

Told = Callable[[float], None]
Array = NDArray[np.float64]
Indices = NDArray[np.int64]


class Price(NamedTuple):
    """A price and how far it holds.

    Parameters
    ----------
    value : float
        The first goal's units, as the user has them, for one unit of the row.
    down, up : float
        How far the row's right-hand side may go down and up, in the row's own unit, before the
        price changes; infinite where it never does, NaN where the value is the most it can be.
    """

    value: float
    down: float
    up: float


def find_prices(
    problem: Problem,
    ladder: Ladder,
    tight: Sequence[int],
    *,
    most: float = np.inf,
    told: Told,
) -> dict[int, Price]:
    """Return the price of every row that is tight, in the plan or at the first goal's best.

    The plan may stand away from that best, where the goal gives way to later ones: what holds the
    best there has its price all the same.

    Where the optimum's basis lets a row be loosened, the row's dual is its price. At a corner many
    duals are true at once: there the row is loosened by a little and the first goal solved again.

    Parameters
    ----------
    problem : Problem
    ladder : Ladder
        It is taken back to the bottom.
    tight : sequence of int
        Numbers of the rows that bind or are missed.
    most : float
        Held rows of one rule's side up to which each is asked for itself. Those of longer sides
        have the most that their price can be, the dual, and no word of how far it holds.
    told : callable (share done)

    Returns
    -------
    dict
        Row number -> price, positive where loosening helps; a row that holds neither, or whose
        loosening leaves no plan, is left out, and every row where there is no goal.
    """
    first = next((s for s, stage in enumerate(ladder.stages) if stage.goal is not None), None)
    if first is None:
        return {}
    ladder.back()
    tiers = ladder.climb(first) if first else None
    if tiers is not None and tiers.status is not Status.OPTIMAL:
        return {}
    ladder.back()
    ladder.cap(tiers.best if tiers is not None else ())
    now = ladder.solve(first)
    if now.status is not Status.OPTIMAL:
        return {}
    goal = ladder.stages[first].scale * goal_unit(problem, ladder.stages[first])
    is_partial = ladder.stages[first].is_partial
    place = {name: i for i, name in enumerate(ladder.solver.model.rows)}
    at = np.array([place[f"row_{r}"] for r in range(len(problem.rows))], dtype=np.int64)
    held = {*tight, *np.flatnonzero(np.abs(now.row_duals[at]) > _SAME).tolist()}
    places = {r: int(at[r]) for r in sorted(held) if np.any(problem.rows[r].coef)}
    sides = Counter((problem.rows[r].id, problem.rows[r].side) for r in places)
    asked = {r for r in places if sides[problem.rows[r].id, problem.rows[r].side] <= most}
    curves = _curves(problem, ladder.solver, now, places, asked, is_partial=is_partial)
    prices = {}
    for n, (r, curve) in enumerate(curves.items()):
        row = problem.rows[r]
        scale, is_asked = row.scale, r in asked
        slope = curve.slope() if is_asked else curve.promise
        if slope is not None:
            down, up = curve.ends(slope) if is_asked else (np.nan, np.nan)
            prices[r] = Price(slope * goal / scale, down * scale, up * scale)
        told(n / len(curves))
    ladder.back()
    return prices


def _curves(
    problem: Problem,
    solver: Solver,
    now: Outcome,
    places: Mapping[int, int],
    asked: Collection[int],
    *,
    is_partial: bool,
) -> dict[int, _Curve]:
    """Return V around the optimum by row number, for rows that stand at `places` in the model.

    How far the basis lets a row move is found out of those asked for. The basis of a partial
    program says how far its rows so far let it, not how far V does.
    """
    told = [r for r in places if r in asked and not is_partial]
    at = np.array([places[r] for r in told], dtype=np.int64)
    reaches = dict(zip(told, solver.reach(at), strict=True))
    curves = {}
    for r, i in places.items():
        row = problem.rows[r]
        step = _STEP * solver.scale * float(np.max(np.abs(row.coef)))
        here = (now.objective, float(now.row_duals[i]), reaches.get(r, Reach(0.0, 0.0)))
        bounds = (float(solver.row_low[i]), float(solver.row_high[i]))
        curves[r] = _Curve(solver, np.array([i]), row.side, step, *here, bounds, is_partial)
    return curves


def _side(reach: Reach, way: int) -> tuple[float, float]:
    """Return how far it is to the end of a piece, and how much the slope changes there."""
    return (reach.up, reach.bend_up) if way > 0 else (reach.down, reach.bend_down)


@dataclass(frozen=True)
class _Curve:
    """V as a function of one row's right-hand side t, seen from the optimum.

    `step` is a little of t, `dual` one slope of many where the optimum is a corner, `reach` how
    far t may go with it for certain, `bounds` the row's own. With `is_partial` solving adds rows:
    V is known only where it was solved.
    """

    solver: Solver
    at: Indices
    side: str
    step: float
    best: float
    dual: float
    reach: Reach
    bounds: tuple[float, float]
    is_partial: bool

    @property
    def _loosening(self) -> int:
        return -1 if self.side == "min" else 1

    @property
    def promise(self) -> float:
        """The most that a unit of loosening can give: V is convex."""
        return -self._loosening * self.dual

    def slope(self) -> float | None:
        """Return the gain for each unit of loosening; None where loosening leaves no plan."""
        way, slope = self._loosening, self.promise
        if _side(self.reach, way)[0] < self.step:
            status, value, duals = self._moved(way * self.step)
            if status is not Status.OPTIMAL:
                return None
            gain, slope = (self.best - value) / self.step, -way * float(duals[self.at[0]])
            if abs(gain - slope) > _AGREE * max(1.0, abs(slope)):
                slope = gain
        return slope if abs(slope) > _SAME else 0.0

    def ends(self, slope: float) -> tuple[float, float]:
        """Return how far t may go down and up while V keeps its slope."""
        dual = slope if self.side == "min" else -slope
        return self._end(-1, dual), self._end(1, dual)

    def _end(self, way: int, dual: float) -> float:
        """Follow V from piece to piece until one has another slope or there is no plan."""
        is_dual = abs(self.dual - dual) <= _SAME
        away, bend = _side(self.reach, way) if is_dual else (0.0, 0.0)
        for _ in range(_PIECES):
            if not np.isfinite(away) or bend > _SAME:
                break
            status, _, duals = self._moved(way * (away + self.step), back=False)
            if status is not Status.OPTIMAL or abs(float(duals[self.at[0]]) - dual) > _SAME:
                break
            further, bend = _side(self.solver.reach(self.at)[0], way)
            away += self.step + further
            if self.is_partial:
                away = self._on_line(way, dual, min(away, _FURTHEST * self.solver.scale))
                break
        self._move(0.0)
        near = _NEAR * self.solver.scale
        return round(away / near) * near if np.isfinite(away) else away

    def _on_line(self, way: int, dual: float, away: float) -> float:
        """Return how far V is a line, at most `away`: back to where V's tangent there meets it."""
        for _ in range(_PIECES):
            status, value, duals = self._moved(way * away)
            over = value - (self.best + dual * way * away)
            if status is not Status.OPTIMAL:
                away /= 2
            elif over <= _SAME * away + _NOISE * max(self.solver.scale, abs(value)):
                return away
            else:
                away -= over / max(way * (float(duals[self.at[0]]) - dual), over / away)
        return 0.0

    def _moved(self, shift: float, *, back: bool = True) -> tuple[Status, float, Array]:
        self._move(shift)
        found = self.solver.peek()
        if back:
            self._move(0.0)
        return found

    def _move(self, shift: float) -> None:
        low, high = self.bounds
        low = low if self.side == "max" else low + shift
        high = high if self.side == "min" else high + shift
        self.solver.set_rows(self.at, np.array([low]), np.array([high]))
