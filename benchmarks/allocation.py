"""How fast a plan follows a changed number, against making it afresh. Only ratios count.

Run ``python -m benchmarks.allocation [CHANGES]``. Everything is measured in one run, the ways in
turn, so that a busy machine slows all of them alike; times are of the processor.

- hot: `Planner.plan` after a plan of the same scenario with other numbers; settlement, rounding,
  proof and tables included
- cold: `allocate`, the same from nothing
- stock: the same definition in PuLP, solved stage by stage by ``pulp.HiGHS`` as it comes, with a
  row "no worse than best" after each stage; no settlement, rounding, proof or tables
"""

from __future__ import annotations

import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pulp

from benchmarks.nation import nation
from kc_model.allocate import Planner, allocate
from kc_model.problem import Problem, build_problem
from kc_model.program import build_program
from kc_model.results import Allocation
from kc_model.scenario import Scenario
from kc_model.tables import Dataset

_SLIVER = 1e-6


def changes(scenario: Scenario, count: int, seed: int = 1) -> list[Scenario]:
    """Return scenarios with one number changed by up to 5 %: bounds, amounts and gives in turn."""
    dice = random.Random(seed)
    found = []
    for n in range(count):
        by = Decimal(str(round(dice.uniform(0.95, 1.05), 3)))
        if n % 4 == 0:
            k = dice.choice([0, dice.randrange(1, len(scenario.budget))])
            rows = list(scenario.budget)
            rows[k] = replace(rows[k], amount=(rows[k].amount * by).quantize(Decimal(1)))
            found.append(replace(scenario, budget=tuple(rows)))
        elif n % 4 == 1:
            goals = list(scenario.goals)
            k = dice.randrange(2)
            goals[k] = replace(goals[k], give=goals[k].give * by)
            found.append(replace(scenario, goals=tuple(goals)))
        else:
            rule = scenario.rules[n // 4 % len(scenario.rules)]
            side = "min" if rule.min is not None else "max"
            found.append(scenario.with_rule(rule.id, **{side: getattr(rule, side) * by}))
    return found


def by_stock_pulp(data: Dataset, scenario: Scenario) -> float:
    """Build and solve stage by stage with PuLP as it comes; return the last stage's value."""
    problem: Problem = build_problem(data, scenario)
    program, stages = build_program(problem)
    columns = {variable.name: variable for variable in program.variables()}
    value = 0.0
    for stage in stages:
        column = columns[stage.column]
        program.setObjective(pulp.LpAffineExpression([(column, 1.0)]))
        program.solve(pulp.HiGHS(msg=False, threads=1))
        if program.sol_status != pulp.LpSolutionOptimal:
            raise RuntimeError(stage.name)
        value = float(column.value())
        room = (stage.give + _SLIVER) * max(1.0, abs(value))
        program.addConstraint(column * 1.0 <= value + room, f"keep_{stage.column}")
    return value


def clocked(work: Callable[[], Any]) -> tuple[float, Any]:
    """Return milliseconds of processor time, and the result."""
    started = time.process_time()
    result = work()
    return 1e3 * (time.process_time() - started), result


def apart(one: Allocation, other: Allocation) -> float:
    """Return the largest difference of a cell between two plans, million VND."""
    amounts = (plan.cells["amount"].to_numpy(np.int64) for plan in (one, other))
    return float(np.max(np.abs(np.subtract(*amounts)))) / 1e6


def main(count: int) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        data, scenario = nation(Path(folder))
    planner = Planner(data)
    planner.plan(scenario, detail=False)
    times: dict[str, list[float]] = {"hot": [], "cold": [], "stock": []}
    worst = 0.0
    for n, asked in enumerate(changes(scenario, count)):
        took, hot = clocked(lambda asked=asked: planner.plan(asked, detail=False))
        times["hot"].append(took)
        took, cold = clocked(lambda asked=asked: allocate(data, asked, detail=False))
        times["cold"].append(took)
        if hot.status != cold.status or hot.status != "optimal":
            raise RuntimeError(f"{n}: {hot.status}, {cold.status}")
        worst = max(worst, apart(hot, cold))
        if n % 4 == 0:
            times["stock"].append(clocked(lambda asked=asked: by_stock_pulp(data, asked))[0])
    median = {way: statistics.median(taken) for way, taken in times.items()}
    for way, taken in times.items():
        print(
            f"{way:6} median {median[way]:7.1f} ms   fastest {min(taken):7.1f}"
            f"   slowest {max(taken):7.1f}   {median[way] / median['hot']:5.1f} x hot"
            f"   ({len(taken)} changes)"
        )
    print(f"largest difference between hot and cold: {worst:g} million VND (round_to 1)")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 24)
