"""Tiers and goals in order: what a later one may cost an earlier one, and never more."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from scipy.optimize import linprog

from kc_model.allocate.stages import Ladder
from kc_model.arrays import Model
from kc_model.program import Stage
from kc_model.solver import GAP, Solver, Status

INF = float("inf")
SLIVER = 1e-6  # scipy needs a row "no worse than best", and calls a finer one infeasible
CLOSE = 1e-2  # what three slivers can add up to; the programs are of small whole numbers

small = st.integers(-5, 5)


def ladder_of(matrix, low, high, top, costs, gives):
    """Return a ladder whose stage k minimises costs[k] · x, held in a free column of its own."""
    rows, n = matrix.shape
    k = len(costs)
    goals = np.hstack([np.reshape(costs, (k, n)), -np.eye(k)])
    model = Model(
        (*(f"x_{i}" for i in range(n)), *(f"g_{s}" for s in range(k))),
        tuple(f"row_{r}" for r in range(rows + k)),
        sparse.csr_array(np.vstack([np.hstack([matrix, np.zeros((rows, k))]), goals])),
        np.concatenate([low, np.zeros(k)]),
        np.concatenate([high, np.zeros(k)]),
        np.concatenate([np.zeros(n), np.full(k, -INF)]),
        np.concatenate([top, np.full(k, INF)]),
        np.zeros(n + k, dtype=bool),
    )
    stages = [Stage(f"goal {s}", f"g_{s}", give=give, goal=s) for s, give in enumerate(gives)]
    return Ladder(Solver(model), stages)


def in_order(matrix, low, high, top, costs, gives):
    """Return the best of each stage by scipy alone, a row of "no worse than best" after each."""
    above, below = np.isfinite(high), np.isfinite(low)
    left = [*matrix[above], *-matrix[below]]
    right = [*high[above], *-low[below]]
    best = []
    for cost, give in zip(costs, gives, strict=True):
        found = linprog(cost, A_ub=left, b_ub=right, bounds=[(0, t) for t in top])
        assert found.status == 0
        best.append(found.fun)
        left.append(np.asarray(cost, dtype=float))
        right.append(found.fun + give * abs(found.fun) + SLIVER * max(1, abs(found.fun)))
    return best


@st.composite
def problems(draw):
    """Return a bounded, feasible program with three goals."""
    n, rows = draw(st.integers(2, 5)), draw(st.integers(1, 3))
    numbers = st.lists(small, min_size=n, max_size=n)
    matrix = np.array(draw(st.lists(numbers, min_size=rows, max_size=rows)), float)
    point = np.array(draw(st.lists(st.integers(0, 8), min_size=n, max_size=n)), float)
    top = point + np.array(draw(st.lists(st.integers(0, 8), min_size=n, max_size=n)), float)
    value = matrix @ point
    kinds = draw(st.lists(st.sampled_from("eul"), min_size=rows, max_size=rows))
    low = np.array([-INF if k == "u" else v for k, v in zip(kinds, value, strict=True)])
    high = np.array([INF if k == "l" else v for k, v in zip(kinds, value, strict=True)])
    costs = np.array(draw(st.lists(numbers, min_size=3, max_size=3)), float)
    gives = draw(st.lists(st.sampled_from([0.0, 0.0, 0.01, 0.2]), min_size=3, max_size=3))
    return matrix, low, high, top, costs, gives


@settings(max_examples=60)
@given(problems())
def test_each_stage_is_as_good_as_those_before_it_allow(problem):
    climb = ladder_of(*problem).climb()
    assert climb.status is Status.OPTIMAL
    np.testing.assert_allclose(climb.best, in_order(*problem), atol=CLOSE)
    assert climb.gap <= GAP


@settings(max_examples=60)
@given(problems())
def test_what_stands_at_the_end_costs_no_stage_more_than_it_gives(problem):
    *_, gives = problem
    ladder = ladder_of(*problem)
    best = ladder.climb().best
    solver = ladder.solver
    for column, value, give in zip(ladder.columns, best, gives, strict=True):
        cost = np.zeros(len(solver.cost))
        cost[column] = -1.0  # the worst of this goal among the plans that are left
        solver.set_cost(cost)
        worst = solver.run()
        assert worst.status is Status.OPTIMAL
        # 1e-9 is the contract's; the rest is HiGHS's own tolerance on rows of a few cells.
        assert -worst.objective <= value + give * abs(value) + 1e-7 * max(1, abs(value))


@settings(max_examples=30)
@given(problems())
def test_nothing_that_is_as_good_is_shut_out(problem):
    # Freezing keeps every best plan: each x_i can still go as far as a row "no worse" lets it.
    matrix, low, high, top, costs, _ = problem
    gives = [0.0, 0.0, 0.0]
    ladder = ladder_of(matrix, low, high, top, costs, gives)
    best = ladder.climb().best
    solver, n = ladder.solver, len(top)
    above, below = np.isfinite(high), np.isfinite(low)
    left = np.vstack([matrix[above], -matrix[below], costs])
    right = np.concatenate([high[above], -low[below], np.array(best) + SLIVER])
    for i in range(n):
        for sign in (1.0, -1.0):
            cost = np.zeros(len(solver.cost))
            cost[i] = sign
            solver.set_cost(cost)
            kept = solver.run()
            free = linprog(cost[:n], A_ub=left, b_ub=right, bounds=[(0, t) for t in top])
            assert kept.status is Status.OPTIMAL
            if free.status == 0:
                assert kept.objective == pytest.approx(free.fun, abs=CLOSE)


@settings(max_examples=30)
@given(problems())
def test_back_opens_everything_again(problem):
    ladder = ladder_of(*problem)
    first = ladder.climb()
    ladder.back()
    one = ladder.climb(1)
    assert len(one.best) == 1
    ladder.back()
    again = ladder.climb()
    assert one.best[0] == pytest.approx(first.best[0], abs=1e-8)
    np.testing.assert_allclose(again.best, first.best, atol=1e-8)


def test_a_face_of_best_plans_is_left_to_the_next_goal():
    # Money for three: the first goal cares for the sum of two only, the second for the first cell.
    matrix = np.array([[1.0, 1.0, 1.0]])
    hundred = np.array([100.0])
    costs = np.array([[-1.0, -1.0, 0.0], [1.0, 0.0, 0.0]])
    ladder = ladder_of(matrix, hundred, hundred, np.array([80.0, 50.0, 100.0]), costs, [0.0, 0.0])
    climb = ladder.climb()
    np.testing.assert_allclose(climb.best, [-100, 50])
    np.testing.assert_allclose(climb.outcomes[-1].values[:3], [50, 50, 0])


def test_what_a_goal_gives_the_next_one_takes():
    matrix = np.array([[1.0, 1.0]])
    costs = np.array([[-1.0, 0.0], [0.0, -1.0]])
    full, top = np.array([100.0]), np.array([100.0, 100.0])
    ladder = ladder_of(matrix, full, full, top, costs, [0.25, 0.0])
    np.testing.assert_allclose(ladder.climb().best, [-100, -25])


def test_without_a_stage_there_is_still_a_plan_to_find():
    matrix, full = np.array([[1.0, 1.0]]), np.array([100.0])
    climb = ladder_of(matrix, full, full, np.array([80.0, 80.0]), np.zeros((0, 2)), []).climb()
    assert (climb.status, climb.best, len(climb.outcomes)) == (Status.OPTIMAL, (), 1)
    none = ladder_of(matrix, full, full, np.array([30.0, 30.0]), np.zeros((0, 2)), []).climb()
    assert none.status is Status.INFEASIBLE


def test_laws_that_contradict_each_other_stop_the_climb():
    matrix, full = np.array([[1.0, 1.0]]), np.array([100.0])
    climb = ladder_of(matrix, full, full, np.array([30.0, 30.0]), np.eye(2), [0.0, 0.0]).climb()
    assert (climb.status, climb.best, climb.outcomes) == (Status.INFEASIBLE, (), ())
    assert climb.gap == 0.0
