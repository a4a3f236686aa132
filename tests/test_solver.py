"""The door to HiGHS and Clarabel: no ending but a proven optimum carries numbers."""

from __future__ import annotations

import time
from types import SimpleNamespace

import highspy
import numpy as np
import pulp
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import sparse
from scipy.optimize import linprog
from test_program import CASES, problem_of

from kc_model.arrays import Model, compile_program
from kc_model.program import build_program
from kc_model.solver import GAP, Solver, Status, quadratic, settle

INF = float("inf")


def model_of(matrix, row_low, row_high, col_low=None, col_high=None, whole=False):
    """Return a program of a dense matrix; columns are not negative unless said."""
    matrix = np.atleast_2d(np.asarray(matrix, dtype=float))
    rows, n = matrix.shape
    low = np.zeros(n) if col_low is None else np.array(col_low, dtype=float)
    high = np.full(n, INF) if col_high is None else np.array(col_high, dtype=float)
    return Model(
        tuple(f"x_{i}" for i in range(n)),
        tuple(f"row_{r}" for r in range(rows)),
        sparse.csr_array(matrix),
        np.array(row_low, dtype=float),
        np.array(row_high, dtype=float),
        low,
        high,
        np.full(n, whole),
    )


# Money for two places: 100 in all, the first takes 60 at most; a million is worth 0.9 and 0.5.
PAIR = model_of([[1, 1], [1, 0]], [100, -INF], [100, 60])
WORTH = np.array([-0.9, -0.5])


def solver_of(model=PAIR, cost=WORTH, **options):
    solver = Solver(model, **options)
    solver.set_cost(np.asarray(cost, dtype=float))
    return solver


class Telling:
    """HiGHS, but some of its answers are others than its own."""

    def __init__(self, highs, **answers):
        self.__dict__.update(answers, highs=highs)

    def __getattr__(self, name):
        return getattr(self.highs, name)


def without_numbers(outcome):
    sizes = {len(part) for part in (outcome.values, outcome.column_duals, outcome.row_duals)}
    return sizes == {0} and np.isnan(outcome.objective) and np.isnan(outcome.gap)


# --- How a solve ends ----------------------------------------------------------------------------


def test_an_optimum_has_numbers_and_a_closed_gap():
    outcome = solver_of().run()
    assert outcome.status is Status.OPTIMAL
    np.testing.assert_allclose(outcome.values, [60, 40])
    assert outcome.objective == pytest.approx(-74)
    assert outcome.gap <= 1e-12


ENDINGS = highspy.HighsModelStatus.__members__
MEANINGS = {
    "kOptimal": Status.OPTIMAL,
    "kInfeasible": Status.INFEASIBLE,
    **dict.fromkeys(
        ["kTimeLimit", "kIterationLimit", "kInterrupt", "kSolutionLimit", "kObjectiveTarget"],
        Status.LIMIT,
    ),
}


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("whole", [False, True])
def test_every_ending_that_highs_knows(ending, whole):
    # The solution stands there in full: only what HiGHS says of it is another thing.
    model = model_of([[1, 1], [1, 0]], [100, -INF], [100, 60], whole=whole)
    solver = solver_of(model)
    solver._engine.highs = Telling(solver._engine.highs, getModelStatus=lambda: ENDINGS[ending])
    outcome = solver.run()
    assert outcome.status is MEANINGS.get(ending, Status.FAILED)
    # A choice that was cut short keeps the best one found; a linear program's point says nothing.
    told = outcome.status is Status.OPTIMAL or (whole and outcome.status is Status.LIMIT)
    assert told != without_numbers(outcome)


@pytest.mark.parametrize("doubt", ["kInfeasible", "kUnboundedOrInfeasible", "kUnknown"])
def test_a_doubt_is_asked_again(doubt):
    # After a hot start or presolve HiGHS has called feasible models infeasible (#2271).
    solver = solver_of()
    honest, asked = solver._engine.highs.getModelStatus, []

    def answer():
        asked.append(doubt)
        return ENDINGS[doubt] if len(asked) == 1 else honest()

    solver._engine.highs = Telling(solver._engine.highs, getModelStatus=answer)
    outcome = solver.run()
    assert outcome.status is Status.OPTIMAL
    np.testing.assert_allclose(outcome.values, [60, 40])


def test_an_ending_that_nobody_knows_yet_is_no_optimum():
    solver = solver_of()
    solver._engine.highs = Telling(solver._engine.highs, getModelStatus=lambda: "kSplendid")
    assert solver.run().status is Status.FAILED


@pytest.mark.parametrize("cost", [[0, 0], WORTH, [1, 2]])
def test_infeasible(cost):
    model = model_of([[1, 1], [1, 0], [0, 1]], [100, -INF, -INF], [100, 60, 30])
    outcome = solver_of(model, cost).run()
    assert outcome.status is Status.INFEASIBLE
    assert without_numbers(outcome)


def test_unbounded_is_no_plan():
    outcome = solver_of(model_of([[1, -1]], [0], [0]), [-1, 0]).run()
    assert outcome.status is Status.FAILED
    assert without_numbers(outcome)


def test_unbounded_or_infeasible_is_told_apart():
    # Presolve alone cannot say which; an empty plan must still be called contradictory.
    model = model_of([[1, 1, 0], [0, 0, 1]], [5, -INF], [4, INF])
    assert solver_of(model, [0, 0, -1]).run().status is not Status.OPTIMAL
    assert solver_of(model, [0, 0, 0]).run().status is Status.INFEASIBLE


def test_crossed_bounds_are_infeasible():
    crossed = model_of([[1, 1]], [5], [5], col_low=[3, 0], col_high=[2, 9])
    assert solver_of(crossed).run().status is Status.INFEASIBLE
    solver = solver_of()
    solver.set_columns(np.array([0]), np.array([7.0]), np.array([1.0]))
    assert solver.run().status is Status.INFEASIBLE


@pytest.mark.parametrize("deadline", [0.0, -INF])
def test_no_time_no_numbers(deadline):
    outcome = solver_of(deadline=deadline).run()
    assert outcome.status is Status.LIMIT
    assert without_numbers(outcome)


def market_split(count, n=60):
    """Return a program that takes longer than anybody waits, of some rows of them."""
    dice = np.random.default_rng(5)
    rows = dice.integers(1, 90, (25, n)).astype(float)[:count]
    half = rows.sum(axis=1) // 2
    return model_of(rows, half, half, col_high=np.ones(n), whole=True)


def test_time_that_runs_out_is_a_limit_not_an_optimum():
    solver = solver_of(market_split(25), np.ones(60), deadline=time.monotonic() + 0.3)
    outcome = solver.run()
    assert outcome.status is Status.LIMIT
    assert without_numbers(outcome)


def test_a_search_that_was_ended_does_not_end_the_next():
    solver = solver_of(market_split(25), np.ones(60))
    solver.listen(lambda _gap: None)
    solver.deadline = time.monotonic() + 0.3
    assert solver.run().status is Status.LIMIT
    rows = np.arange(1, 25)
    solver.set_rows(rows, np.full(24, -INF), np.full(24, INF))
    solver.deadline = INF
    assert solver.run().status is Status.OPTIMAL


def test_a_model_that_highs_does_not_take_is_no_plan():
    broken = model_of([[1, float("nan")]], [1], [1])
    assert solver_of(broken).run().status is not Status.OPTIMAL


# --- A solver that says optimal and is not -------------------------------------------------------


def lying(values=None, row_duals=None, column_duals=None):
    """Return a solver whose HiGHS says optimal, but of other numbers."""
    solver = solver_of()
    honest = solver_of()
    honest.run()
    true = honest._engine.highs.getSolution()
    answer = SimpleNamespace(
        col_value=true.col_value if values is None else values,
        row_dual=true.row_dual if row_duals is None else row_duals,
        col_dual=true.col_dual if column_duals is None else column_duals,
    )
    solver._engine.highs = Telling(solver._engine.highs, getSolution=lambda: answer)
    return solver


@pytest.mark.parametrize(
    "lie",
    [
        {"values": [50.0, 50.0]},  # feasible, not best: what a time limit leaves
        {"values": [0.0, 0.0]},  # the empty plan
        {"values": [100.0, 100.0]},  # more than there is
        {"row_duals": [0.0, 0.0]},
        {"row_duals": [-0.9, 0.0], "column_duals": [0.0, 0.4]},
        {"row_duals": [float("nan"), 0.0]},
        {"values": [float("nan"), 40.0]},
    ],
)
def test_the_gap_is_recomputed_from_the_data(lie):
    outcome = lying(**lie).run()
    assert outcome.status is Status.FAILED
    assert without_numbers(outcome)


def test_the_truth_passes_the_same_door():
    assert lying().run().status is Status.OPTIMAL


# --- One live model, changed in place ------------------------------------------------------------


def test_infeasible_then_feasible_leaves_nothing_behind():
    solver = solver_of()
    first = solver.run()
    one = np.array([1])
    solver.set_rows(one, np.array([120.0]), np.array([INF]))  # the first alone needs 120 of 100
    assert solver.run().status is Status.INFEASIBLE
    solver.set_rows(one, np.array([-INF]), np.array([60.0]))
    again = solver.run()
    assert again.status is Status.OPTIMAL
    np.testing.assert_allclose(again.values, first.values)
    np.testing.assert_allclose(again.row_duals, first.row_duals)


small = st.integers(-4, 4)


@st.composite
def programs(draw, n=4, rows=3):
    """Return a bounded, feasible program with whole coefficients: (matrix, low, high, top)."""
    matrix = np.array(
        draw(st.lists(st.lists(small, min_size=n, max_size=n), min_size=rows, max_size=rows)), float
    )
    point = np.array(draw(st.lists(st.integers(0, 9), min_size=n, max_size=n)), float)
    top = point + np.array(draw(st.lists(st.integers(0, 9), min_size=n, max_size=n)), float)
    value = matrix @ point
    kinds = draw(st.lists(st.sampled_from("eul"), min_size=rows, max_size=rows))
    slack = np.array(draw(st.lists(st.integers(0, 5), min_size=rows, max_size=rows)), float)
    low = np.array(
        [
            v if k == "e" else v - s if k == "l" else -INF
            for k, v, s in zip(kinds, value, slack, strict=True)
        ]
    )
    high = np.array(
        [
            v if k == "e" else v + s if k == "u" else INF
            for k, v, s in zip(kinds, value, slack, strict=True)
        ]
    )
    return matrix, low, high, top


def best_by_scipy(matrix, low, high, top, cost):
    """Return the least cost, or None where there is no plan."""
    equal = low == high
    above, below = np.isfinite(high) & ~equal, np.isfinite(low) & ~equal
    found = linprog(
        cost,
        A_ub=np.vstack([matrix[above], -matrix[below]]),
        b_ub=np.concatenate([high[above], -low[below]]),
        A_eq=matrix[equal],
        b_eq=low[equal],
        bounds=[(0, t) for t in top],
        method="highs-ds",
    )
    return found.fun if found.status == 0 else None


@settings(max_examples=40)
@given(programs(), st.lists(st.lists(small, min_size=4, max_size=4), min_size=2, max_size=4))
def test_solving_in_place_is_solving_afresh(program, costs):
    matrix, low, high, top = program
    live = Solver(model_of(matrix, low, high, col_high=top))
    for k, cost in enumerate(costs):
        # A row is shut and opened again between two solves.
        live.set_rows(np.array([k % 3]), np.array([99.0]), np.array([99.0]))
        live.set_cost(np.array(cost, float))
        live.run()
        live.set_rows(np.array([k % 3]), low[[k % 3]], high[[k % 3]])
        outcome = live.run()
        assert outcome.status is Status.OPTIMAL
        assert outcome.gap <= GAP
        assert outcome.objective == pytest.approx(
            best_by_scipy(matrix, low, high, top, cost), abs=1e-7
        )
        held = matrix @ outcome.values
        assert np.all((held >= low - 1e-7) & (held <= high + 1e-7))


@settings(max_examples=40)
@given(programs(), st.lists(small, min_size=4, max_size=4))
def test_a_dual_is_what_one_more_unit_adds(program, cost):
    matrix, low, high, top = program
    cost = np.array(cost) + np.array([0.13, 0.29, 0.41, 0.57])  # one best plan, not a face
    outcome = solver_of(model_of(matrix, low, high, col_high=top), cost).run()
    assert outcome.status is Status.OPTIMAL
    step = 1e-4
    for r in range(len(low)):
        sides = []
        for sign in (1, -1):
            moved_low, moved_high = low.copy(), high.copy()
            moved_low[r] += sign * step
            moved_high[r] += sign * step
            best = best_by_scipy(matrix, moved_low, moved_high, top, cost)
            if best is not None:
                sides.append(sign * (best - outcome.objective) / step)
        assume(sides)
        # At a corner the two sides differ and a dual lies between them.
        assert min(sides) - 1e-5 <= outcome.row_duals[r] <= max(sides) + 1e-5 or len(sides) == 1


def test_signs_of_duals_in_plain_words():
    # Cost is minimised: a floor that binds has a positive dual, a ceiling a negative one.
    outcome = solver_of().run()
    np.testing.assert_allclose(outcome.row_duals, [-0.5, -0.4])
    floor = solver_of(model_of([[1, 1], [0, 1]], [100, 70], [100, INF])).run()
    np.testing.assert_allclose(floor.row_duals, [-0.9, 0.4])


def moved(model, row, by, cost):
    """Return the outcome once a row's bounds have moved."""
    solver = solver_of(model, cost)
    low, high = solver.row_low[[row]] + by, solver.row_high[[row]] + by
    solver.set_rows(np.array([row]), low, high)
    return solver.run()


@settings(max_examples=40)
@given(programs(), st.lists(small, min_size=4, max_size=4))
def test_a_basis_reaches_as_far_as_it_says(program, cost):
    matrix, low, high, top = program
    assume(matrix.any())  # HiGHS has no basis of nothing
    model = model_of(matrix, low, high, col_high=top)
    cost = np.array(cost) + np.array([0.13, 0.29, 0.41, 0.57])
    solver = solver_of(model, cost)
    outcome = solver.run()
    assert outcome.status is Status.OPTIMAL
    for row, reach in enumerate(solver.reach(np.arange(len(low)))):
        dual = outcome.row_duals[row]
        for way, far, bend in ((-1, reach.down, reach.bend_down), (1, reach.up, reach.bend_up)):
            if not np.isfinite(far):
                continue
            inside = moved(model, row, way * 0.5 * far, cost)
            assert inside.objective == pytest.approx(outcome.objective + way * 0.5 * far * dual)
            beyond = moved(model, row, way * (far + 1e-3), cost)
            if bend == np.inf:
                assert beyond.status is Status.INFEASIBLE
            elif beyond.status is Status.OPTIMAL:
                least = outcome.objective + way * (far + 1e-3) * dual
                assert beyond.objective >= least + 1e-3 * bend - 1e-7  # the value is convex


def test_a_question_asked_again_is_solved_again_only_if_a_number_has_changed():
    def asked(question, cost):
        solver.turn(question)
        solver.set_cost(cost)
        return solver.run()

    solver = solver_of()
    for _ in range(2):  # the second time it gets a HiGHS of its own
        worth, cost = asked("worth", WORTH), asked("cost", -WORTH)
    assert asked("worth", WORTH) is worth
    assert asked("cost", -WORTH) is cost
    np.testing.assert_allclose([worth.values, cost.values], [[60, 40], [0, 100]], atol=1e-9)
    ends = solver.ends()
    solver.set_rows(np.array([1]), np.array([30.0]), np.array([50.0]))
    np.testing.assert_allclose(asked("worth", WORTH).values, [50, 50])
    np.testing.assert_allclose(asked("cost", -WORTH).values, [30, 70])
    solver.back_to(ends)
    np.testing.assert_allclose(asked("worth", WORTH).values, [50, 50])
    solver.deadline = -INF
    assert asked("worth", WORTH).status is Status.LIMIT


def test_multipliers_prove_a_plan_that_nothing_else_can_be():
    solver = solver_of()
    outcome = solver.run()
    solver.set_cost(np.array([1.0, -1.0]))
    assert solver.proof(outcome.values) is None  # less for the first is better by this cost
    solver.set_rows(np.array([1]), np.array([60.0]), np.array([60.0]))
    proof = solver.proof(outcome.values)
    assert solver.least(proof) == pytest.approx(solver.cost @ outcome.values)


# --- From PuLP -----------------------------------------------------------------------------------


@pytest.mark.parametrize("case", CASES)
def test_compiled_is_what_pulp_itself_hands_to_highs(case):
    program, _ = build_program(problem_of(case))
    model = compile_program(program)
    program.setObjective(pulp.LpAffineExpression())
    by_pulp = pulp.HiGHS(msg=False)
    by_pulp.createAndConfigureSolver(program)
    by_pulp.buildSolverModel(program)
    lp = program.solverModel.getLp()
    is_rowwise = lp.a_matrix_.format_ == highspy.MatrixFormat.kRowwise
    theirs = (sparse.csr_array if is_rowwise else sparse.csc_array)(
        (lp.a_matrix_.value_, lp.a_matrix_.index_, lp.a_matrix_.start_),
        shape=(lp.num_row_, lp.num_col_),
    )
    column = {v.name: v.index for v in program.variables()}
    row = {c.name: c.index for c in program.constraints()}
    columns = [column[name] for name in model.columns]
    rows = [row[name] for name in model.rows]
    np.testing.assert_array_equal(model.matrix.toarray(), theirs.toarray()[rows][:, columns])
    np.testing.assert_array_equal(model.row_low, np.array(lp.row_lower_)[rows])
    np.testing.assert_array_equal(model.row_high, np.array(lp.row_upper_)[rows])
    np.testing.assert_array_equal(model.col_low, np.array(lp.col_lower_)[columns])
    np.testing.assert_array_equal(model.col_high, np.array(lp.col_upper_)[columns])
    assert not model.whole.any()


def test_whole_numbers_stay_whole():
    program = pulp.LpProblem("whole", pulp.LpMinimize)
    x = program.add_variable("x", 0, 9, cat=pulp.LpInteger)
    y = program.add_variable("y", -2.5)
    program.addConstraint(2 * x + y + 1 <= 4.5, "row")
    model = compile_program(program)
    assert dict(zip(model.columns, model.whole.tolist(), strict=True)) == {"x": True, "y": False}
    assert (model.row_low.tolist(), model.row_high.tolist()) == ([-INF], [3.5])
    cost = [{"x": -1.0, "y": 0.0}[name] for name in model.columns]
    outcome = solver_of(model, cost).run()
    assert outcome.objective == -3
    assert len(outcome.row_duals) == 0


# --- Settlement ----------------------------------------------------------------------------------


def settled(matrix, low, high, target, weight=None, col_low=None, col_high=None, scale=1.0):
    solver = Solver(model_of(matrix, low, high, col_low, col_high), scale=scale)
    target = np.array(target, float)
    weight = np.maximum(target, target.mean() / 1000 or 1.0) if weight is None else np.array(weight)
    found = settle(solver, np.arange(len(target)), target, weight)
    return None if found is None else found.values


def test_one_budget_is_shared_in_proportion():
    found = settled([[1, 1, 1]], [120], [120], [10, 20, 30])
    np.testing.assert_allclose(found, [20, 40, 60], rtol=1e-9)


def test_a_cell_that_had_nothing_gets_next_to_nothing():
    found = settled([[1, 1]], [120], [120], [60, 0])
    assert 0 < found[1] < 1
    np.testing.assert_allclose(settled([[1, 1]], [120], [120], [0, 0]), [60, 60], rtol=1e-9)


def test_equal_cells_get_equal_money():
    found = settled([[1, 1, 1, 1]], [100], [100], [7, 7, 30, 7], col_high=[INF, INF, 20, INF])
    assert found[0] == pytest.approx(found[1], rel=1e-10)
    assert found[0] == pytest.approx(found[3], rel=1e-10)
    np.testing.assert_allclose(found, [80 / 3, 80 / 3, 20, 80 / 3], rtol=1e-9)


def test_what_is_decided_stays():
    solver = Solver(model_of([[1, 1, 1]], [100], [100]))
    solver.set_columns(np.array([1]), np.array([33.0]), np.array([33.0]))
    target = np.array([10.0, 10.0, 30.0])
    found = settle(solver, np.arange(3), target, target).values
    np.testing.assert_allclose(found, [67 / 4, 33, 67 * 3 / 4], rtol=1e-9)
    solver.set_columns(np.array([0, 2]), np.array([7.0, 60.0]), np.array([7.0, 60.0]))
    held = settle(solver, np.arange(3), target, target).values
    np.testing.assert_allclose(held, [7, 33, 60], rtol=1e-9)


def test_a_contradiction_is_not_settled():
    assert settled([[1, 1], [1, 1]], [100, -INF], [100, 90], [50, 50]) is None


dongs = st.just(0.0) | st.integers(500, 20_000).map(lambda thousand: thousand / 1000)


@settings(max_examples=40)
@given(programs(), st.lists(dongs, min_size=4, max_size=4), st.permutations(range(4)))
def test_no_plan_that_stands_is_nearer(program, target, order):
    matrix, low, high, top = program
    target = np.array(target)
    weight = np.maximum(target, target.mean() / 1000 or 1.0)
    about = {"scale": 0.1}  # of a cell's money, as the program's own size is
    found = settled(matrix, low, high, target, weight, col_high=top, **about)
    assert found is not None
    assert np.all((matrix @ found >= low - 1e-6) & (matrix @ found <= high + 1e-6))
    # First-order condition: along the gradient no feasible plan lies lower.
    slope = 2 * (found - target) / weight
    least = best_by_scipy(matrix, low, high, top, slope)
    noise = 1e-7 * float(np.abs(slope).sum())  # a tenth of a đồng in every cell
    assert float(slope @ found) - least <= noise + 1e-9
    # Names and order change nothing.
    order = np.array(order)
    moved = (target[order], weight[order])
    again = settled(matrix[:, order], low, high, *moved, col_high=top[order], **about)
    np.testing.assert_allclose(again, found[order], atol=1e-6)


def test_a_settlement_that_cannot_be_made_exact_is_proven_all_the_same(monkeypatch):
    # The cost is a million times what the plan is away by: relative to it nothing would be closed.
    monkeypatch.setattr(
        quadratic, "_correct", lambda _, values, active, multipliers: (values, multipliers)
    )
    dice = np.random.default_rng(7)
    target = dice.uniform(1e3, 1e5, 400)
    owner = dice.integers(0, 40, 400)
    matrix = (owner == np.arange(40)[:, None]).astype(float)
    total = matrix @ target * dice.choice([1.0, 1.0001], 40)
    solver = Solver(model_of(matrix, total, total, np.zeros(400), target * 1.0002))
    found = settle(solver, np.arange(400), target, target)
    assert found is not None
    away = found.values - target
    solver.set_cost(2 * away / target)
    gap = float(solver.cost @ found.values) - solver.least(found.row_duals)
    assert abs(gap) <= 1e-7 * float(np.sum(away**2 / target))


def test_a_second_pass_of_the_settlement_that_goes_astray_is_not_taken(monkeypatch):
    passes = quadratic._interior

    def astray(system, around):
        near = passes(system, around)
        return near if near is None or not around.any() else (near[0] + 50.0, *near[1:])

    monkeypatch.setattr(quadratic, "_interior", astray)
    monkeypatch.setattr(
        quadratic, "_correct", lambda _, values, active, multipliers: (values, multipliers)
    )
    found = settled([[1, 1, 1]], [120], [120], [10, 20, 30], col_high=[200, 200, 200])
    np.testing.assert_allclose(found, [20, 40, 60], rtol=1e-6)


@pytest.mark.parametrize("size", [1e-6, 1e-4, 1e-2, 1e2, 1e4, 1e6])
def test_settlement_knows_no_scale(size):
    # From cells of a few đồng to cells of whole national budgets: the same plan, in proportion.
    dice = np.random.default_rng(20240101)
    for _ in range(25):
        n, rows = dice.integers(3, 9), dice.integers(1, 4)
        matrix = dice.integers(0, 2, (rows, n)) - dice.choice([0, 0.3], (rows, 1))
        point = dice.integers(0, 50, n).astype(float)
        value, kind = matrix @ point, dice.integers(0, 3, rows)
        low = np.where(kind == 2, -INF, value)
        high = np.where(kind == 1, INF, value)
        top = point + dice.integers(0, 20, n)
        target = dice.integers(0, 50, n) * dice.choice([0.0, 1.0], n, p=[0.2, 0.8])
        weight = np.maximum(target, target.mean() / 1000 or 1.0)
        one = settled(matrix, low, high, target, weight, col_high=top, scale=0.1)
        bounds = (low * size, high * size, target * size, weight * size)
        other = settled(matrix, *bounds, col_high=top * size, scale=0.1 * size)
        assert other is not None
        np.testing.assert_allclose(other / size, one, rtol=1e-6, atol=1e-6)
