"""The program as a reader sees it: one LP file for each kind of constraint and goal.

A change of mathematics shows as a readable difference in ``tests/golden/*.lp``. The top of each
file says which cells and which scenario it is made of and what its rows and stages stand for. To
write the files anew after a change that is meant, and look at the difference before keeping it::

    KC_WRITE_GOLDEN=1 python -m pytest tests/test_program.py
"""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import numpy as np
import pulp
import pytest
from datasets import HEAD, dataset, scenario
from hypothesis import given, settings
from hypothesis import strategies as st

from kc_model.problem import build_problem
from kc_model.program import build_program
from kc_model.standing import goal_value

GOLDEN = Path(__file__).parent / "golden"

TWO_PLACES = """
place area source baseline unit_cost jobs
01    TECH KCQG   100      5         2
01    PROD KCQG   60       8         1
02    TECH KCQG   20       5         4
"""
TWO_FUNDS = """
place area source baseline
01    TECH KCQG   100
01    TECH KCDP   40
02    TECH KCQG   20
02    PROD KCDP   30
"""
TWO_YEARS = """
year place area source baseline
2024 01    TECH KCQG   100
2024 02    TECH KCQG   20
2025 01    TECH KCQG   -
2025 02    TECH KCQG   -
"""
ACTIVITIES = """
place area activity source baseline weight
01    TECH demo     KCQG   100      1
01    TECH machine  KCQG   50       2
01    PROD -        KCQG   60       1
"""
KCQG = "budget: [{source: KCQG, amount: 200}]\n"
SLICES = (
    "place area source upto rate\n01 TECH KCQG 60 0.9\n01 TECH KCQG 150 0.5\n01 TECH KCQG 200 0"
)

CASES: dict[str, tuple[str, str, dict[str, str]]] = {
    "budget_all": (
        TWO_FUNDS,
        "budget:\n"
        "  - {source: KCQG, amount: 200}\n"
        '  - {source: KCDP, place: "01", amount: 30}\n'
        '  - {source: KCDP, place: "02", amount: 45}\n'
        "  - {amount: 275, pooled: true}\n",
        {},
    ),
    "budget_at_most": (
        TWO_FUNDS,
        "spend: at_most\n"
        "budget:\n"
        "  - {source: KCQG, amount: 200}\n"
        "  - {source: KCDP, amount: 75, pooled: true}\n",
        {},
    ),
    "bounds_of_cells": (
        "place area source min max\n01 TECH KCQG 5 90\n01 PROD KCQG - 0\n02 TECH KCQG 7.5 -",
        KCQG,
        {},
    ),
    "amount": (TWO_PLACES, KCQG + "rules:\n  - {id: floor, each: place, min: 50, max: 150}\n", {}),
    "share_of_all": (
        TWO_PLACES,
        KCQG + "rules:\n  - {id: tech, where: {area: TECH}, of: all, min: 0.574}\n",
        {},
    ),
    "share_of_selection": (
        TWO_FUNDS,
        "budget: [{amount: 300, pooled: true}]\nrules:\n"
        "  - {id: no-giant, each: place, where: {source: KCQG}, of: {source: KCQG}, max: 0.75}\n",
        {},
    ),
    "share_of_same": (
        TWO_PLACES,
        KCQG + "rules:\n"
        "  - {id: tech, each: place, where: {area: TECH}, of: {place: same}, min: 0.3}\n",
        {},
    ),
    "per_column_of_cells": (
        TWO_PLACES,
        KCQG + "rules:\n  - {id: steady, each: place, per: baseline, min: 0.7, max: 1.3}\n",
        {},
    ),
    "per_column_of_places": (
        TWO_PLACES,
        KCQG + "rules:\n  - {id: per-head, per: population, min: 1.5}\n",
        {"places": "place population\n01 8\n02 2"},
    ),
    "per_previous_year": (
        TWO_YEARS,
        "budget:\n"
        "  - {source: KCQG, year: 2024, amount: 200}\n"
        "  - {source: KCQG, year: 2025, amount: 220}\n"
        "rules:\n  - {id: rise, each: [year, place], per: previous_year, max: 1.1}\n",
        {},
    ),
    "count_outputs": (
        TWO_PLACES,
        KCQG + "rules:\n  - {id: models, where: {area: TECH}, count: outputs, min: 13}\n",
        {},
    ),
    "count_column": (
        TWO_PLACES,
        KCQG + "rules:\n  - {id: jobs, count: {column: jobs}, min: 300}\n",
        {},
    ),
    "directive": (
        TWO_PLACES,
        KCQG + "rules:\n"
        "  - {id: tech, where: {area: TECH}, min: 190, max: 195, tier: directive, weight: 2.5}\n",
        {},
    ),
    "preference_after_directive": (
        TWO_PLACES,
        KCQG + "rules:\n"
        "  - {id: models, count: outputs, min: 50, tier: preference, weight: 3}\n"
        "  - {id: prod, where: {area: PROD}, of: all, min: 0.5, tier: directive}\n",
        {},
    ),
    "goal_money": (
        TWO_PLACES,
        "spend: at_most\n" + KCQG + "goals: [{maximise: money, where: {area: TECH}}]\n",
        {},
    ),
    "goal_disbursed": (
        TWO_PLACES.replace("jobs", "weight"),
        KCQG + "goals: [{maximise: disbursed, give: 0.01}]\n",
        {
            "absorption": SLICES + "\n01 PROD KCQG 80 0.6\n02 TECH KCQG 30 1\n02 TECH KCQG 50 0.25",
        },
    ),
    "goal_disbursed_shared_curve": (
        ACTIVITIES,
        KCQG + "goals: [{maximise: disbursed}]\n",
        {"absorption": SLICES + "\n01 PROD KCQG 80 0.6"},
    ),
    "goal_disbursed_where": (
        ACTIVITIES,
        KCQG + "goals: [{maximise: disbursed, where: {activity: machine}}]\n",
        {"absorption": SLICES + "\n01 PROD KCQG 80 0.6"},
    ),
    "goal_outputs": (TWO_PLACES, KCQG + "goals: [{maximise: outputs}]\n", {}),
    "goal_column": (TWO_PLACES, KCQG + "goals: [{maximise: {column: jobs}}]\n", {}),
    "goal_evenness": (
        TWO_PLACES,
        KCQG + "goals: [{maximise: evenness, per: population}]\n",
        {"places": "place population\n01 8\n02 2"},
    ),
    "goal_evenness_of_cells": (
        TWO_YEARS.replace("baseline", "need").replace("-", "10"),
        "budget: [{source: KCQG, amount: 420}]\ngoals: [{maximise: evenness, per: need}]\n",
        {},
    ),
    "goal_change": (TWO_PLACES, KCQG + "goals: [{minimise: change, where: {place: '01'}}]\n", {}),
}


def problem_of(case):
    cells, text, tables = CASES[case]
    return build_problem(dataset(cells=cells, **tables), scenario(text))


def lp_of(case, path: Path) -> str:
    """Return the LP file of a case, with what it stands for above it."""
    cells, text, tables = CASES[case]
    problem = problem_of(case)
    program, stages = build_program(problem)
    program.writeLP(path)
    shown = {"cells": cells, "scenario": HEAD + text, **tables}
    lines = []
    for title, content in shown.items():
        lines += [title, *(f"  {line}" for line in content.strip().splitlines())]
    lines += ["columns, million VND"]
    lines += [f"  x_{i} {name}" for i, name in enumerate(problem.cells.names())]
    lines += ["rows"]
    lines += [f"  row_{r} {row.id} {row.group} {row.side}" for r, row in enumerate(problem.rows)]
    lines += ["minimised one after the other"]
    lines += [f"  {s.column} = {s.name} × {s.sign / s.scale:g}, give {s.give:g}" for s in stages]
    head = "".join(f"\\ {line}".rstrip() + "\n" for line in lines)
    return head + path.read_text(encoding="utf-8")


@pytest.mark.parametrize("case", CASES)
def test_program_is_the_one_on_file(case, tmp_path):
    found = lp_of(case, tmp_path / "found.lp")
    path = GOLDEN / f"{case}.lp"
    if os.environ.get("KC_WRITE_GOLDEN"):
        path.write_text(found, encoding="utf-8", newline="\n")
    assert found == path.read_text(encoding="utf-8")


def test_every_file_is_of_a_case():
    assert {path.stem for path in GOLDEN.glob("*.lp")} == set(CASES)


@pytest.mark.parametrize("case", CASES)
def test_pulp_is_asked_nothing_it_will_drop(case):
    # PuLP 4 drops LpVariable(...), dict-style constraints and more; 3.3 warns of each.
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        build_program(problem_of(case))


# --- A goal's value recomputed from the data is what the program makes of it ---------------------

GOALS = [case for case in CASES if case.startswith("goal_")]


@pytest.mark.parametrize("case", GOALS)
@settings(max_examples=5)
@given(data=st.data())
def test_goal_of_a_plan_is_what_the_program_makes_of_it(case, data):
    # The plan is held; the program may choose slices and distances only.
    problem = problem_of(case)
    plan = np.array(
        data.draw(
            st.lists(st.integers(0, 120), min_size=len(problem.cells), max_size=len(problem.cells))
        ),
        float,
    )
    program, (stage,) = build_program(problem)
    held = pulp.LpProblem("held", pulp.LpMinimize)
    variables = {v.name: v for v in program.variables()}
    held.setObjective(variables[stage.column] * 1)
    for row in program.constraints():
        if not row.name.startswith("row_"):
            held.addConstraint(row.copy(), row.name)
    for i, amount in enumerate(plan):
        held.addConstraint(variables[f"x_{i}"] == amount, f"held_{i}")
    held.solve(pulp.HiGHS(msg=False))
    assert held.sol_status == pulp.LpSolutionOptimal
    value = stage.sign * stage.scale * variables[stage.column].value()
    assert goal_value(problem, 0, plan) == pytest.approx(value, abs=1e-6)
