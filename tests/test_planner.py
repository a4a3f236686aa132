"""A plan re-solved in place against the same plan made afresh."""

from __future__ import annotations

import importlib
import random
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from datasets import dataset, scenario
from hypothesis import example, given, settings
from hypothesis import strategies as st
from oracle import instances

from benchmarks.nation import nation
from kc_model import read_dataset, read_scenario
from kc_model.allocate import Planner, allocate
from kc_model.errors import InputError
from kc_model.money import UNITS
from kc_model.problem import build_problem
from kc_model.workbench.starting import starters

LIVE = importlib.import_module("kc_model.allocate.live")
QUADRATIC = importlib.import_module("kc_model.solver.quadratic")

CELLS = """
place area source baseline max
01    TECH KCQG   100      -
01    PROD KCQG   60       80
02    TECH KCQG   20       -
02    CONS KCQG   20       -
02    TECH KCDP   30       -
"""
SLICES = """
place area source upto rate
01    TECH KCQG   90   0.9
01    TECH KCQG   400  0.5
01    PROD KCQG   400  0.8
02    TECH KCQG   50   0.95
02    TECH KCQG   400  0.4
02    CONS KCQG   400  0.7
02    TECH KCDP   400  0.6
"""
TEXT = """
budget: [{source: KCQG, amount: 200}, {source: KCDP, place: "02", amount: 25}]
rules:
  - {id: tech, where: {area: TECH}, of: all, min: 0.5}
  - {id: floor, each: place, where: {source: KCQG}, min: 45, text: ít nhất 45}
  - {id: one, where: {place: "02", area: CONS}, of: {place: "02", area: TECH}, max: 0.4}
  - {id: steady, each: [place, area], where: {source: KCQG}, per: baseline, max: 2.5,
     tier: directive}
  - {id: wish, where: {area: CONS}, min: 60, tier: directive}
goals:
  - {maximise: disbursed, give: 0.05}
  - {minimise: change}
"""


@pytest.fixture
def data():
    return dataset(cells=CELLS, absorption=SLICES)


@pytest.fixture
def compiled(monkeypatch):
    """Count how often a program is compiled."""
    times, honest = [], LIVE.compile_program

    def counting(program):
        times.append(1)
        return honest(program)

    monkeypatch.setattr(LIVE, "compile_program", counting)
    return times


def with_budget(asked, *amounts):
    rows = zip(asked.budget, amounts, strict=True)
    return replace(asked, budget=tuple(replace(row, amount=Decimal(n)) for row, n in rows))


def same(hot, cold, grid=1):
    """Check that two results say the same, amounts to one step of the grid."""
    assert hot.status == cold.status
    assert hot.conflicts == cold.conflicts
    assert hot.provenance == cold.provenance
    assert (hot.warnings, hot.notes) == (cold.warnings, cold.notes)
    if cold.status != "optimal":
        assert hot.cells.empty
        return
    apart = hot.cells["amount"].to_numpy(np.int64) - cold.cells["amount"].to_numpy(np.int64)
    assert np.max(np.abs(apart)) <= grid
    assert hot.certificate["failed"] == []
    assert hot.certificate["rows_checked"] == cold.certificate["rows_checked"]
    columns = ["id", "group", "side", "tier", "factor", "text", "basis"]
    assert hot.rule_rows[columns].equals(cold.rule_rows[columns])
    for ours, theirs in zip((*hot.goals, *hot.tiers), (*cold.goals, *cold.tiers), strict=True):
        assert ours["name"] == theirs["name"]
        assert ours["best"] == pytest.approx(theirs["best"], rel=1e-6, abs=1e-6)


# --- The same plan -------------------------------------------------------------------------------

MOVES = {
    "a total": lambda s: with_budget(s, 230, 25),
    "two totals": lambda s: with_budget(s, 170, 40),
    "a share": lambda s: s.with_rule("tech", min=Decimal("0.62")),
    "no share at all": lambda s: s.with_rule("tech", min=Decimal(0)),
    "a share of one cell": lambda s: s.with_rule("one", max=Decimal("0.2")),
    "a floor and its words": lambda s: s.with_rule("floor", min=Decimal(60), text="ít nhất 60"),
    "a directive": lambda s: s.with_rule("steady", max=Decimal("1.2")),
    "a weight": lambda s: s.with_rule("wish", weight=Decimal(7), min=Decimal(70)),
    "what a goal may cost": lambda s: replace(
        s, goals=(replace(s.goals[0], give=Decimal(0)), *s.goals[1:])
    ),
    "the grid": lambda s: replace(s, round_to=Decimal(5)),
    "a contradiction": lambda s: s.with_rule("floor", min=Decimal(120)),
    "a name": lambda s: replace(s, name="khác"),
}


@pytest.mark.parametrize("move", MOVES)
def test_a_changed_number_gives_the_plan_that_a_fresh_start_gives(data, compiled, move):
    base = scenario(TEXT)
    asked = MOVES[move](base)
    planner = Planner(data)
    first = planner.plan(base)
    hot = planner.plan(asked)
    back = planner.plan(base)
    assert len(compiled) == 1  # in place, there and back
    same(hot, allocate(data, asked), 5_000_000 if move == "the grid" else 1)
    same(back, first)
    assert (
        hot.rules()["price"].to_numpy()
        == pytest.approx(allocate(data, asked).rules()["price"].to_numpy(), abs=1e-6, nan_ok=True)
        if hot.status == "optimal"
        else hot.cells.empty
    )


@pytest.mark.parametrize(
    "move", ["two totals", "a share", "a share of one cell", "a directive", "a weight"]
)
def test_prices_gains_and_reasons_are_those_of_a_fresh_start(data, move):
    base = scenario(TEXT)
    asked = MOVES[move](base)
    planner = Planner(data)
    planner.plan(base)
    hot = [planner.plan(one) for one in (asked, base, asked)]  # each starts where the last ended
    for plan, one in zip(hot, (asked, base, asked), strict=True):
        cold = allocate(data, one)
        for column in ("price", "price_from", "price_to", "step", "gain"):
            ours, theirs = (frame[column].to_numpy() for frame in (plan.rules(), cold.rules()))
            assert ours == pytest.approx(theirs, rel=1e-6, abs=1e-6, nan_ok=True)
        assert list(plan.effects) == list(cold.effects)
        assert np.any(cold.effects.to_numpy())
        assert plan.effects.to_numpy() == pytest.approx(cold.effects.to_numpy(), abs=2.0)


def test_a_plan_with_prices_is_told_before_its_reasons(data):
    priced = []
    plan = Planner(data).plan(scenario(TEXT), partly=lambda *told: priced.append(told))
    ((before, pending),) = priced
    assert pending == "reasons"
    assert before.rule_rows.equals(plan.rule_rows)
    assert before.cells.equals(plan.cells)
    assert before.cells["lowest"].notna().all()
    assert before.effects.empty
    assert not plan.effects.empty


def test_one_who_breaks_off_at_the_prices_harms_no_later_plan(data, compiled):
    planner, asked = Planner(data), scenario(TEXT)

    def stop(_plan, _pending):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        planner.plan(asked, partly=stop)
    same(planner.plan(with_budget(asked, 210, 25)), allocate(data, with_budget(asked, 210, 25)))
    assert len(compiled) == 2  # the first model, still true, and the fresh one


SHAPES = {
    "a rule more": lambda s: replace(s, rules=(*s.rules, replace(s.rules[1], id="other"))),
    "a rule less": lambda s: replace(s, rules=s.rules[1:]),
    "another tier": lambda s: s.with_rule("tech", tier="preference"),
    "a side opened": lambda s: s.with_rule("floor", max=Decimal(150)),
    "other cells": lambda s: s.with_rule("tech", where={"area": ("CONS",)}),
    "goals turned round": lambda s: replace(s, goals=s.goals[::-1]),
    "a reserve": lambda s: replace(s, spend="at_most"),
    "money by the thousandfold": lambda s: with_budget(s, 200_000, 25_000),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_anything_else_is_built_anew(data, compiled, shape):
    base = scenario(TEXT)
    asked = SHAPES[shape](base)
    planner = Planner(data)
    planner.plan(base, detail=False)
    same(planner.plan(asked, detail=False), allocate(data, asked, detail=False))
    assert len(compiled) == 3


def moved(asked, unit, dice):
    """Return a scenario with some of its numbers changed."""
    grid = int((asked.round_to or Decimal(0)) * UNITS[unit]) or 1
    budget = []
    for row in asked.budget:
        vnd = int(float(row.amount) * UNITS[unit] * dice.choice([1, 1, 0.97, 1.04])) // grid * grid
        budget.append(replace(row, amount=Decimal(vnd) / UNITS[unit]))
    rules = []
    for rule in asked.rules:
        by = Decimal(dice.choice(["1", "1", "0", "0.9", "1.06"]))
        low = None if rule.min is None else rule.min * by
        high = None if rule.max is None else rule.max * max(by, Decimal("0.9"))
        rules.append(replace(rule, min=low, max=high, weight=Decimal(dice.choice([1, 2, 5]))))
    gives = [Decimal(dice.choice(["0", "0.01", "0.1"])) for _ in asked.goals]
    goals = [replace(goal, give=give) for goal, give in zip(asked.goals, gives, strict=True)]
    return replace(asked, budget=tuple(budget), rules=tuple(rules), goals=tuple(goals)), grid


@settings(max_examples=8)
@given(st.integers(0, 10**6))
@example(418)  # a row all of whose coefficients are zero
@example(65536)  # HiGHS 1.15.1 rounds without end, past any time, if it may presolve
def test_hot_equals_cold_on_drawn_instances(seed):
    dice = random.Random(seed)
    instance = instances.draw(seed)
    with tempfile.TemporaryDirectory() as folder:
        data, asked = instance.write(Path(folder))
        data, asked = read_dataset(data), read_scenario(asked)
    planner = Planner(data, as_of=instance.as_of)
    planner.plan(asked, detail=False)
    for _ in range(2):
        asked, grid = moved(asked, data.unit, dice)
        hot = planner.plan(asked, detail=False)
        same(hot, allocate(data, asked, as_of=instance.as_of, detail=False), grid)


def test_a_plan_of_national_size_is_proven_where_next_to_nothing_is_left_open(tmp_path):
    # Clarabel calls these settlements impossible: the goals have left a single plan.
    data, base = nation(tmp_path)
    planner = Planner(data)
    for share in ("0.56", "0.57"):
        asked = base.with_rule("tech-share", min=Decimal(share))
        cold = allocate(data, asked, detail=False)
        assert cold.status == "optimal"
        same(planner.plan(asked, detail=False), cold, 10**6)


def test_the_problem_with_other_numbers_is_the_problem_built_afresh(data):
    base = scenario(TEXT)
    for move in MOVES.values():
        asked = move(base)
        there, fresh = build_problem(data, base).renumbered(asked), build_problem(data, asked)
        plan = np.array([50.0, 40, 60, 50, 25])
        for name in ("factor", "const", "exact", "weight", "text", "right"):
            assert [getattr(r, name) for r in there.rows] == [getattr(r, name) for r in fresh.rows]
        assert there.sums.bound(plan).tolist() == fresh.sums.bound(plan).tolist()
        assert there.sums.shortfall(plan).tolist() == fresh.sums.shortfall(plan).tolist()
        assert (there.grid, there.goals) == (fresh.grid, fresh.goals)


# --- What goes wrong in between ------------------------------------------------------------------


class StopError(Exception):
    pass


@pytest.mark.parametrize("step", ["build", "solve", "round", "ranges", "price", "done"])
def test_a_plan_that_is_stopped_leaves_nothing_behind(data, compiled, step):
    def stop(name, _share):
        if name == step:
            raise StopError

    base = scenario(TEXT)
    asked = with_budget(base, 230, 25)
    planner = Planner(data)
    planner.plan(base)
    with pytest.raises(StopError):
        planner.plan(asked.with_rule("tech", min=Decimal("0.7")), progress=stop)
    same(planner.plan(asked), allocate(data, asked))
    assert len(compiled) == 2  # one of them is `allocate`'s


@pytest.mark.parametrize("runs", [1, 2, 3])
def test_an_interrupt_in_the_middle_means_a_fresh_start(data, compiled, monkeypatch, runs):
    base = scenario(TEXT)
    planner = Planner(data)
    planner.plan(base, detail=False)
    honest, left = LIVE.Solver.run, [runs]

    def interrupted(self):
        left[0] -= 1
        if left[0] == 0:
            raise KeyboardInterrupt
        return honest(self)

    monkeypatch.setattr(LIVE.Solver, "run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        planner.plan(with_budget(base, 230, 25), detail=False)
    monkeypatch.setattr(LIVE.Solver, "run", honest)
    same(planner.plan(base, detail=False), allocate(data, base, detail=False))
    assert len(compiled) == 3


def test_a_live_model_that_lies_is_found_out(data, monkeypatch):
    base = scenario(TEXT)
    planner = Planner(data)
    assert planner.plan(base, detail=False).status == "optimal"
    honest = LIVE.Solver.run

    def lying(self):
        outcome = honest(self)
        too_good = outcome.objective - 0.2 * abs(outcome.objective)
        return replace(outcome, objective=too_good)

    monkeypatch.setattr(LIVE.Solver, "run", lying)
    plan = planner.plan(with_budget(base, 230, 25), detail=False)
    assert plan.status == "limit"
    assert plan.cells.empty


def test_a_number_that_did_not_reach_the_model_is_found_out(data, monkeypatch):
    base = scenario(TEXT)
    planner = Planner(data)
    planner.plan(base, detail=False)
    monkeypatch.setattr(LIVE.Live, "swap", lambda *_arguments: None)
    plan = planner.plan(with_budget(base, 230, 25), detail=False)
    assert plan.status in {"limit", "infeasible"}
    assert plan.cells.empty


def test_no_time_is_no_plan_and_harms_no_later_one(data):
    base = scenario(TEXT)
    planner = Planner(data)
    planner.plan(base, detail=False)
    asked = with_budget(base, 230, 25)
    assert planner.plan(asked, detail=False, time_limit=0).status == "limit"
    same(planner.plan(asked, detail=False), allocate(data, asked, detail=False))


def test_a_number_that_cannot_be_is_told_and_harms_no_later_plan(data):
    base = scenario(TEXT)
    planner = Planner(data)
    planner.plan(base, detail=False)
    with pytest.raises(InputError) as caught:
        planner.plan(with_budget(base, "200.0000001", 25), detail=False)
    assert [fault.code for fault in caught.value.faults] == ["part-of-dong"]
    asked = with_budget(base, 230, 25)
    same(planner.plan(asked, detail=False), allocate(data, asked, detail=False))


def test_threads_take_turns(data):
    base = scenario(TEXT)
    asked = [with_budget(base, 180 + 5 * n, 25) for n in range(8)]
    planner = Planner(data)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda one: planner.plan(one, detail=False), asked))
    for hot, one in zip(found, asked, strict=True):
        same(hot, allocate(data, one, detail=False))


# --- What the screen does not wait for ------------------------------------------------------------


def test_a_rule_of_many_groups_shows_the_most_that_each_price_can_be():
    codes = "01, 02, 04, 06, 08, 10, 11, 12, 14, 15, 17, 19, 20, 22, 24"
    places = codes.split(", ")
    cells = "place area source baseline max\n" + "".join(
        f"{place} TECH KCQG {100 + n} -\n" for n, place in enumerate(places)
    )
    slices = "place area source upto rate\n" + "".join(
        f"{place} TECH KCQG 100 0.{95 - n}\n{place} TECH KCQG 900 0.{60 - n}\n"
        for n, place in enumerate(places)
    )
    asked = """
budget: [{source: KCQG, amount: 1785}]
rules:
  - {id: most, each: place, where: {source: KCQG}, max: 120}
  - {id: floor, where: {place: "24"}, min: 110}
goals: [{maximise: disbursed}]
"""
    planner = Planner(dataset(cells=cells, absorption=slices))
    exact, quick = (
        planner.plan(scenario(asked), ranges=ranges).rules() for ranges in (None, False)
    )
    many = exact["id"] == "most"
    assert (exact["price"][many] > 0.01).sum() > 5
    assert (quick["price"][many] >= exact["price"][many] - 1e-9).all()
    assert quick.loc[many, ["price_from", "price_to"]].isna().all(axis=None)
    told = ["price", "price_from", "price_to", "step", "gain"]
    assert quick[~many][told].equals(exact[~many][told])
    assert quick["gain"].equals(exact["gain"])  # of the rule's number, in all groups at once


@pytest.mark.parametrize(("round_to", "is_near"), [("1", True), ("0.000001", False)])
def test_in_place_a_settlement_ends_within_half_a_step_of_the_grid(monkeypatch, round_to, is_near):
    """Where many rows hold it; on a grid of one đồng it is made exact, as in a plan made afresh."""
    data = read_dataset("data/sample")
    start = replace(starters(data)[""], round_to=Decimal(round_to))
    fewer = start.scaled(Decimal("0.98"), Decimal(1))
    corrected, correct = [], QUADRATIC._correct

    def count(*what, **how):
        corrected.append(what)
        return correct(*what, **how)

    monkeypatch.setattr(QUADRATIC, "_correct", count)
    planner = Planner(data)
    planner.plan(start, detail=False)
    corrected.clear()
    found = planner.plan(fewer, detail=False)
    assert (not corrected) == is_near
    corrected.clear()
    fresh = allocate(data, fewer, found.outlook, ranges=False)
    assert corrected  # otherwise another scenario is to be tried here
    away = (found.cells["amount"] - fresh.cells["amount"]).abs()
    assert away.max() <= start.round_to * UNITS[data.unit]
