"""A problem's program, compiled once and kept: a changed number moves only what it moves."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from kc_model.allocate.guess import Guess
from kc_model.allocate.reach import NEAR, Reach, chords
from kc_model.allocate.stages import Climb, Ladder
from kc_model.allocate.tail import Tail
from kc_model.allocate.wholes import WholeLadder
from kc_model.arrays import compile_program
from kc_model.money import MILLION
from kc_model.problem import Problem
from kc_model.program import Stage, build_program, row_terms, shared_wholes
from kc_model.risk import Face
from kc_model.rules import Row
from kc_model.solver import Clock, Settled, Solver, Status, resettle, settle
from kc_model.standing import settling_weight, stage_value
from kc_model.stays import ASLEEP, MOVING

__all__ = ["Live"]

_SETTLED = 1e-6
_OPEN = 1e-6
_FIRM = 1e-3  # the same, where a plan is only known to stand by the tolerance of goals
_NEARBY = 1e-4  # how far cells are moved to see that they can
_SHIFT = 1e-2  # of the settlement's weights: another baseline
_SAME = 1e-9
_FAR = 10.0
_AHEAD = 4.0  # times its even part of the time that a cell's lowest or highest may take
_HAIR = 1e-8

Progress = Callable[[str, float], None]
Money = NDArray[np.float64]


class Live:
    """The live model of a problem, its stages and its settlement.

    Parameters
    ----------
    problem : Problem
    deadline : float or Clock
        As in `Solver`.
    kept : sequence of Stage
        As an earlier choice lets them be; none: as the scenario does.

    Attributes
    ----------
    problem : Problem
        Whose numbers the model has now.
    stages : tuple of Stage
    ladder : Ladder
    rows : tuple of str
        Names of the program's rows, behind which stand those of risks.
    holding : array (n_rows,)
        Multipliers of the rows that prove the last settlement; empty before.
    """

    def __init__(
        self, problem: Problem, deadline: float | Clock, kept: Sequence[Stage] = ()
    ) -> None:
        self.problem = problem
        program, self.stages = build_program(problem)
        if kept:
            self.stages = tuple(
                replace(stage, limit=before.limit, is_kept=before.is_kept)
                for stage, before in zip(self.stages, kept, strict=True)
            )
        model = compile_program(program)
        self.rows = model.rows
        self.solver = Solver(model, deadline, problem.size)
        is_whole = bool(model.whole.any())
        self.ladder = (WholeLadder if is_whole else Ladder)(self.solver, self.stages)
        if isinstance(self.ladder, WholeLadder):
            self.ladder.rest(_starting(model.rows, ASLEEP), _starting(model.columns, MOVING))
        self._columns = {name: j for j, name in enumerate(model.columns)}
        self._rows = {name: r for r, name in enumerate(model.rows)}
        self._wholes = shared_wholes(problem.rows)
        cells = [self._columns[f"x_{i}"] for i in range(len(problem.cells))]
        self._x = np.array(cells, dtype=np.int64)
        self._before: Settled | None = None
        self._is_moved = False  # what is made in place may miss a fresh plan by a step of the grid
        # By what was left out of the numbers before: how that settled, and where its stages ended
        # if they were better without it; otherwise they end where the plan's own do.
        self._left_out: dict[object, tuple[Settled | None, Mapping[Hashable, object] | None]] = {}
        self._best: tuple[float, ...] = ()
        self._open = {
            stage.goal or 0: Tail(
                self.solver, problem.risks[stage.goal or 0], self.ladder.columns[s], self._x
            )
            for s, stage in enumerate(self.stages)
            if stage.is_partial
        }
        if self._open:
            self.solver.complete = self._complete
        self.holding: NDArray[np.float64] = np.zeros(0)
        self._reach: dict[int, Reach] = {}  # what projects can make of cells
        if isinstance(self.ladder, WholeLadder) and problem.offered is not None:
            offered = problem.offered
            cuts, self._reach = chords(problem, self._columns, offered.may, offered.must)
            self.solver.add(cuts)
            self.ladder.stand()
            self.ladder.guess = Guess(problem, self._columns)

    # ------------------------------------------------------------------ numbers

    def move(self, problem: Problem, deadline: float) -> bool:
        """Take the numbers of a problem that `Problem.renumbered` gave; False: too far away.

        Parameters
        ----------
        problem : Problem
        deadline : float
        """
        if not 1 / _FAR <= problem.size / self.solver.scale <= _FAR:
            return False
        self.solver.deadline, self._is_moved = deadline, True
        self.ladder.back()
        self.exchange(problem)
        self.stages = self.ladder.stages = tuple(stage.renumbered(problem) for stage in self.stages)
        self.ladder.stand()
        return True

    def exchange(self, problem: Problem) -> None:
        """Move the rows that differ, and nothing else: what is shut or capped stays so."""
        pairs = zip(problem.rows, self.problem.rows, strict=True)
        moved = [r for r, (now, before) in enumerate(pairs) if now is not before]
        now, before = ({r: one.rows[r] for r in moved} for one in (problem, self.problem))
        self.swap(now, before)
        self._move_directions(problem)
        self.problem = problem

    def swap(self, now: Mapping[int, Row], before: Mapping[int, Row]) -> None:
        """Let rows of the model, by number, have other numbers; the problem does not know."""
        rows = list(now.values())
        right = np.array([row.right for row in rows])
        sides = np.array([row.side for row in rows], dtype=str)
        low = np.where(sides == "max", -np.inf, right)
        self.solver.set_rows(self.numbers(now), low, np.where(sides == "min", np.inf, right))
        for r, row in now.items():
            self._move_row(r, row, before[r])

    def _move_row(self, r: int, row: Row, before: Row) -> None:
        columns = self._columns
        if len(row.base) and row.factor != before.factor:
            terms = row_terms(row, r, self._wholes[r])
            coefficients = {columns[name]: value for name, value in terms.items()}
            self.solver.set_coefficients(self._rows[f"row_{r}"], coefficients)
        if not row.is_law and row.weight != before.weight:
            tier = self._rows[f"tier_{row.tier}"]
            self.solver.set_coefficients(tier, {columns[f"v_{r}"]: row.weight})

    def _move_directions(self, problem: Problem) -> None:
        for stage in self.stages:
            if stage.goal is not None and problem.goals[stage.goal].what == "direction":
                toward = stage.sign / stage.scale * problem.columns[stage.goal]
                coefficients = dict(zip(self._x.tolist(), toward.tolist(), strict=True))
                self.solver.set_coefficients(self._rows[f"goal_{stage.goal}"], coefficients)

    # ------------------------------------------------------------------ solving

    def _complete(self, values: NDArray[np.float64]) -> bool:
        """Add what the risks of a plan ask for, beyond what the model knows of them."""
        added = [tail.add(values) for tail in self._open.values()]
        return any(added)

    def climb(self) -> Climb:
        """Solve tiers and goals in order and leave their best plans standing."""
        climb = self.ladder.climb()
        self._best = climb.best
        return climb

    def settle(self, climb: Climb) -> Money | None:
        """Return the plan of least Σ (x − b)² / max(b, m) among the best ones, million VND.

        None where it is not proven.
        """
        solver, x = self.solver, self._x
        corner = climb.outcomes[-1].values
        baseline, weight = self._norm()
        self._set_slope(np.maximum(corner[x], 0.0))
        found_here = solver.proof(corner)
        if found_here is not None:
            self.holding = found_here
            return np.maximum(corner[x], 0.0)  # often nothing was left open
        hot = self._resettle(climb, corner)
        if hot is not None:
            return hot
        self._set_slope(np.maximum(corner[x], 0.0))
        solver.turn("settle")
        proof = solver.run()
        if proof.status is not Status.OPTIMAL:
            return None
        if np.max(np.abs(proof.values[x] - corner[x])) <= _SAME * solver.scale:
            self.holding = proof.row_duals
            return np.maximum(corner[x], 0.0)
        start = None if self._open else corner  # it knows nothing of columns added since
        enough = self._is_near if self._is_moved and not self._open else None
        found = settle(solver, x, baseline, weight, start, enough)
        while found is not None and self._open and self._complete(found.values):
            found = settle(solver, x, baseline, weight)
        if found is None:
            self._before = None
            return None
        # Rows of risks nearly repeat each other: a vertex's multipliers are smaller, prove more.
        if not self._open:
            settled = self._held(found)
            if settled is not None:
                return settled
        settled = np.maximum(found.values[x], 0.0)
        value, room = self._set_slope(settled), self._room(settled)
        proof = solver.run()
        self.holding = proof.row_duals
        is_proven = proof.status is Status.OPTIMAL and value - proof.objective <= room
        return settled if is_proven else None

    def _resettle(self, climb: Climb, corner: Money) -> Money | None:
        """Return the plan that the rows of the settlement before hold; None if that proves none."""
        if self._before is None or self._open:
            return None
        found = resettle(self.solver, self._x, *self._norm(), corner, self._before)
        stands = found is not None and self._stands(climb, found.values)
        return self._held(found) if found is not None and stands else None

    def _held(self, found: Settled) -> Money | None:
        """Return a settled plan, and keep what holds it, if its own multipliers prove it."""
        self._before = found
        settled = np.maximum(found.values[self._x], 0.0)
        value = self._set_slope(settled)
        if value - self.solver.least(found.row_duals) > self._room(settled):
            return None
        self.holding = found.row_duals
        return settled

    def _is_near(self, found: Settled) -> bool:
        """Whether a settled plan, made in place, is within half a step of the grid by its proof.

        What the proof leaves open is at least the sum of squares that is minimised, of the
        distance to the plan.
        """
        settled = np.maximum(found.values[self._x], 0.0)
        lost = abs(self._set_slope(settled) - self.solver.least(found.row_duals))
        away = np.sqrt(lost * self._norm()[1].max())
        return bool(away <= self.problem.grid / MILLION / 2)

    def _room(self, settled: Money) -> float:
        """Return by how much a proof may miss a settled plan's value."""
        baseline, weight = self._norm()
        worth = float(np.sum((settled - baseline) ** 2 / weight)) + float(weight.mean())
        return _SETTLED * worth

    def numbers(self, rows: Iterable[int]) -> NDArray[np.int64]:
        """Return where rows of the problem stand in the model."""
        return np.array([self._rows[f"row_{r}"] for r in rows], dtype=np.int64)

    def columns(self, name: str, numbers: Iterable[int]) -> NDArray[np.int64]:
        """Return the columns of one kind (``z``, ``a``), by number; -1 for what has none."""
        return self.named(f"{name}_{n}" for n in numbers)

    def named(self, names: Iterable[str]) -> NDArray[np.int64]:
        """Return the columns of some names; -1 for what has none."""
        return np.array([self._columns.get(name, -1) for name in names], dtype=np.int64)

    def sizes(self, settled: Money, worth: NDArray[np.float64]) -> Money | None:
        """Return the money of the projects that may vary, those of the most worth filled first.

        Parameters
        ----------
        settled : array (n_cells,), million VND
            What their cells get together.
        worth : array (n_projects,)

        Returns
        -------
        array (n_projects,), million VND, or None
            0 for projects that do not vary; None where it is not proven.
        """
        solver, x = self.solver, self._x
        at = self.columns("a", range(len(worth)))
        found = np.zeros(len(worth))
        varies = at >= 0
        if not varies.any():
            return found
        cost = np.zeros(len(solver.cost))
        cost[at[varies]] = -worth[varies]
        solver.set_cost(cost)
        low, high = solver.col_low[x], solver.col_high[x]
        hair = _HAIR * np.maximum(solver.scale, settled)
        solver.turn("sizes")
        solver.set_columns(x, settled - hair, settled + hair)
        outcome = solver.run()
        solver.set_columns(x, low, high)
        if outcome.status is not Status.OPTIMAL:
            return None
        found[varies] = outcome.values[at[varies]]
        return found

    def multipliers(self, climb: Climb) -> list[Money]:
        """Return the rows' multipliers that prove every stage and, last, the settlement."""
        stages = climb.outcomes if self.stages else ()
        found: list[Money] = []
        for duals in (*(outcome.row_duals for outcome in stages), self.holding):
            lifted = np.append(duals, np.zeros(len(self.solver.row_low) - len(duals)))
            kept = zip(found, self.stages, strict=False)
            shutting = [y for y, stage in kept if not stage.is_open]
            for earlier in reversed(shutting) if self._open else ():
                down, up = np.maximum(-self._pushes(lifted), 0.0), self._pushes(earlier)
                held = (down > _SAME) & (up > _SAME)
                lifted += np.max(down[held] / up[held], initial=0.0) * earlier
            found.append(lifted)
        return found

    def _pushes(self, duals: Money) -> Money:
        """Return how multipliers push the rows and columns of risks up: down they have no end.

        What a stage has shut may be pushed down as far as its own multipliers hold it up: those
        are added to the later ones.
        """
        parts = self.solver.matrix[:, len(self._columns) :]
        return np.concatenate([duals[len(self.rows) :], -(parts.T @ duals)])

    def faces(self, multipliers: Sequence[Money]) -> dict[int, list[tuple[float, Face]]]:
        """Return for goal number k that is a risk what each set of multipliers makes of its rows.

        Parameters
        ----------
        multipliers : sequence of arrays
            As `multipliers` gives them.
        """
        return {k: [risk.face(y) for y in multipliers] for k, risk in self._open.items()}

    def _stands(self, climb: Climb, values: NDArray[np.float64]) -> bool:
        """Whether laws, tiers and goals hold a plan as the stages left them, by the data alone."""
        plan, problem = values[self._x], self.problem
        law = problem.sums.law
        size = np.maximum(self.solver.scale, np.abs(problem.sums.bound(plan)))
        if np.min(plan, initial=0.0) < -_SAME * self.solver.scale or np.any(
            law & (problem.sums.shortfall(plan) > _SAME * size)
        ):
            return False
        return all(
            stage.sign * stage_value(problem, stage, plan) / stage.scale
            <= stage.worst(best) + _SAME * max(1.0, abs(best))
            for stage, best in zip(self.stages, climb.best, strict=True)
            if np.isfinite(best)
        )

    def without(self, rows: Sequence[int], stage: int | None = None) -> Money | None:
        """Return the settled plan there would be without some rows, or without one stage.

        What stands in the model is taken back to the bottom. None where it is not proven.
        """
        problem, before, ends = self.problem, self._before, self.solver.ends()
        at, what = self.numbers(rows), (*rows, stage)
        self._before, nearer = self._left_out.get(what, (before, None))
        self.solver.back_to(ends if nearer is None else nearer)
        self.problem = problem.without(rows)
        self.ladder.back()
        self.solver.set_rows(at, np.full(len(at), -np.inf), np.full(len(at), np.inf))
        try:
            climb = self.ladder.climb(without=stage)
            is_better = not self._is_best(climb.best)
            nearer = self.solver.ends() if is_better else None
            settled = self.settle(climb) if climb.status is Status.OPTIMAL else None
            self._left_out[what] = self._before, nearer
            return settled
        finally:
            self.problem, self._before = problem, before
            self.solver.back_to(ends)
            self.ladder.back()

    def _is_best(self, best: Sequence[float]) -> bool:
        """Whether stages came out as for the plan itself; one left out has no best to compare."""
        pairs = [(a, b) for a, b in zip(best, self._best, strict=False) if np.isfinite(a)]
        return all(abs(a - b) <= _OPEN * max(1.0, abs(b)) for a, b in pairs)

    def _norm(self) -> tuple[Money, Money]:
        """Return b and max(b, m) of every cell, million VND."""
        return self.problem.baseline, settling_weight(self.problem)

    def _set_slope(self, plan: Money) -> float:
        """Make the settlement's slope at a plan the objective; return the plan's value by it.

        A plan is settled if it is best along its own slope (first-order condition of a convex
        program), which multipliers of the rows or a linear program can prove.
        """
        baseline, weight = self._norm()
        slope = np.zeros(len(self.solver.cost))
        slope[self._x] = 2 * (plan - baseline) / weight
        self.solver.set_cost(slope)
        return float(slope[self._x] @ plan)

    def ranges(self, plan: Money, tell: Progress) -> tuple[Money, Money]:
        """Lowest and highest of every cell among the plans that still stand, million VND.

        NaN where it is not proven in time. Where whole numbers are looked for every cell has a
        part of the time, so that a hard one leaves some to those after it.
        """
        solver, seen, deadline = self.solver, _Seen(plan), self.solver.deadline
        is_whole = bool(solver.model.whole.any())
        is_known = np.zeros((2, len(plan)), dtype=bool)
        solver.turn("ranges")
        for i, one in enumerate(np.eye(len(plan))):
            if i % (1 if is_whole else 20) == 0:
                tell("ranges", 0.3 + 0.5 * i / len(plan))
            for end, sign in enumerate((1.0, -1.0)):
                if is_whole and not solver.clock.stopped:
                    now = time.monotonic()
                    part = _AHEAD / max(_AHEAD, 2 * (len(plan) - i) - end)
                    solver.deadline = now + part * (deadline - now)
                is_known[end, i] = self._is_at_end(i, end, seen) or self._look(sign * one, seen)
        solver.deadline = min(deadline, solver.deadline) if solver.clock.stopped else deadline
        ends = [np.maximum(seen.low, 0.0), seen.high]
        low, high = np.where(is_known, ends, np.nan)
        return low, high

    def _is_at_end(self, i: int, end: int, seen: _Seen) -> bool:
        """Whether a cell was seen at the least, or most, that projects can make of it at all."""
        if i not in self._reach:
            return False
        starts, ends = self._reach[i].stretches(1)
        gone = seen.low[i] - starts[0] if end == 0 else ends[-1] - seen.high[i]
        return bool(gone <= NEAR)

    def opened(self, settled: Money, climb: Climb) -> tuple[Money, Money]:
        """Two amounts of every cell that plans left standing by a climb have; apart if any are."""
        seen = _Seen(settled)
        self.solver.turn("ranges")
        self._open_up(settled, climb, seen)
        return np.maximum(seen.low, 0.0), seen.high

    def _open_up(self, settled: Money, climb: Climb, seen: _Seen) -> None:
        """Note plans until every cell that can differ does.

        The settlement about another baseline moves most of them. For the others: where a sum of
        cells with weights of no pattern is the same in all plans, so is each of them. None moves
        far, so that what only a few can have does not go to one.
        """
        solver, x = self.solver, self._x
        weights = np.cos(np.arange(1.0, len(x) + 1))
        baseline, weight = self._norm()
        if self._before is not None and not self._open:
            corner, other = climb.outcomes[-1].values, baseline + _SHIFT * weights * weight
            moved = resettle(solver, x, other, weight, corner, self._before)
            if moved is not None and self._stands(climb, moved.values):
                plan = moved.values[x]
                seen.note(np.where(np.abs(plan - settled) > _FIRM * _size(plan), plan, settled))
        low, high = solver.col_low[x], solver.col_high[x]
        shut = np.zeros(len(x), dtype=bool)
        while np.any(shut != seen.shut()):
            shut = seen.shut()
            room = np.where(shut, _NEARBY * _size(settled), np.inf)
            solver.set_columns(x, np.maximum(low, settled - room), np.minimum(high, settled + room))
            for sign in (1.0, -1.0):
                self._look(sign * np.where(shut, weights / room, 0.0), seen)
        solver.set_columns(x, low, high)

    def _look(self, weights: Money, seen: _Seen) -> bool:
        """Note the plan that costs least; return whether it is proven to."""
        cost = np.zeros(len(self.solver.cost))  # a solve may have added columns
        cost[self._x] = weights
        self.solver.set_cost(cost)
        outcome = self.solver.run()
        if len(outcome.values):
            seen.note(outcome.values[self._x])
        return outcome.status is Status.OPTIMAL


def _starting(names: Sequence[str], starts: tuple[str, ...]) -> NDArray[np.int64]:
    found = [n for n, name in enumerate(names) if name.startswith(starts)]
    return np.array(found, dtype=np.int64)


class _Seen:
    """Lowest and highest amounts that cells were seen at."""

    def __init__(self, plan: Money) -> None:
        self.low, self.high = plan.copy(), plan.copy()

    def note(self, plan: Money) -> None:
        self.low, self.high = np.minimum(self.low, plan), np.maximum(self.high, plan)

    def shut(self) -> NDArray[np.bool_]:
        """Return the cells that have been at one amount only."""
        return np.asarray(self.high - self.low <= _OPEN * _size(self.high))


def _size(plan: Money) -> Money:
    """Return what a difference of amounts, in million VND, is held against."""
    return np.maximum(1.0, plan)
