"""A saved plan proven from its files: every kind verifies, every forgery is named."""

from __future__ import annotations

import csv
import itertools
import json
import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from datasets import dataset, scenario
from hypothesis import given
from hypothesis import strategies as st
from oracle import instances
from scipy import sparse

from kc_model import allocate, cli, read_dataset, read_scenario
from kc_model.allocate.draft import Draft
from kc_model.allocate.live import Live
from kc_model.allocate.rounding import round_plan
from kc_model.arrays import Model
from kc_model.cells import MILLION
from kc_model.errors import InputError
from kc_model.problem import build_problem
from kc_model.scenario import Scenario
from kc_model.verify import Verification, proof_of, verify
from kc_model.verify.bounds import Bounds
from kc_model.verify.proof import read_proof

ROOT = Path(__file__).parent.parent

CELLS = """\
place area  source baseline weight unit_cost min max leverage
01    TECH  KCQG   100      1      40        -   -   1.5
01    PROD  KCQG   60       1      20        10  80  0.5
01    INFO  KCDP   30       1.2    -         -   -   2
04    TECH  KCQG   20       0.8    30        5   -   1
04    INFO  KCQG   45       1      15        -   90  0.7
04    PROD  KCDP   25       1      25        -   -   1
"""
ABSORPTION = """\
place area  source upto rate
01    TECH  KCQG   60   0.95
01    TECH  KCQG   160  0.7
01    PROD  KCQG   70   0.9
01    INFO  KCDP   80   0.85
04    TECH  KCQG   40   0.9
04    TECH  KCQG   90   0.4
04    INFO  KCQG   50   0.8
04    INFO  KCQG   99   0.6
04    PROD  KCDP   60   0.75
"""
PLACES = "place population zone\n01 900 A\n04 300 B\n"
BUDGET = """\
budget:
  - {source: KCQG, amount: 230}
  - {source: KCDP, place: "01", amount: 35}
  - {source: KCDP, place: "04", amount: 30}
"""
RICH = f"""{BUDGET}
rules:
  - {{id: tech, where: {{area: TECH}}, of: all, min: 0.3}}
  - {{id: floor, each: place, min: 90}}
  - {{id: models, where: {{area: PROD}}, count: outputs, max: 6, tier: directive}}
  - {{id: info, where: {{area: INFO}}, min: 140, tier: directive, weight: 2}}
  - {{id: steady, each: [place, area], per: baseline, min: 0.8, max: 1.2, tier: preference}}
goals:
  - {{maximise: disbursed, give: 0.02}}
  - {{maximise: evenness, per: population, give: 0.1}}
  - {{minimise: change}}
"""
YEARS = """\
year place area activity source baseline
2024 01    TECH demo     KCQG   50
2024 01    TECH machine  KCQG   30
2024 04    PROD -        KCQG   40
2025 01    TECH demo     KCQG   50
2025 01    TECH machine  KCQG   30
2025 04    PROD -        KCQG   40
"""
SHARED = """\
place area activity source upto rate
01    TECH -        KCQG   60   0.9
01    TECH -        KCQG   150  0.5
04    PROD -        KCQG   150  0.7
"""
GOALS = (
    "[{maximise: money}]",
    "[{maximise: outputs, where: {zone: A}, give: 0.05}, {minimise: change}]",
    "[{maximise: {column: leverage}}, {maximise: disbursed, where: {source: KCQG}}]",
    "[{maximise: evenness, per: population}, {maximise: disbursed}]",
    "[{minimise: change, give: 0.2}, {maximise: disbursed}]",
)
KINDS = {
    "everything": RICH,
    "no goals": BUDGET,
    "a reserve": BUDGET + "spend: at_most\ngoals: [{minimise: change}]",
    "a coarse grid": RICH + "round_to: 5\n",
    "every place apart": BUDGET
    + "rules: [{id: a, each: place, where: {area: TECH}, of: {place: same}, min: 0.2}]\n"
    + "goals: [{maximise: disbursed}]",
    **{goals: f"{BUDGET}goals: {goals}" for goals in GOALS},
}


def made(folder: Path, text: str = RICH, **tables: str) -> Path:
    """Make and save a plan; return its folder."""
    tables = tables or {"cells": CELLS, "absorption": ABSORPTION, "places": PLACES}
    plan = allocate(dataset(**tables), scenario(text), detail=False)
    assert plan.status == "optimal"
    plan.save(folder / "out")
    return folder / "out"


def failed(found: Verification) -> set[str]:
    return {check.name for check in found.checks if not check.passed}


# --- What is true is proven ----------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_scenario_verifies(kind, tmp_path):
    found = verify(made(tmp_path, KINDS[kind]))
    assert not failed(found), found.sentences("en")
    assert found.proven


def test_years_activities_and_shared_curves_verify(tmp_path):
    text = """\
budget:
  - {source: KCQG, where: {year: 2024}, amount: 130}
  - {source: KCQG, where: {year: 2025}, amount: 140}
rules: [{id: steady, each: [year, place], per: previous_year, max: 1.1, tier: directive}]
goals: [{maximise: disbursed, give: 0.01}, {minimise: change}]
"""
    found = verify(made(tmp_path, text, cells=YEARS, absorption=SHARED))
    assert not failed(found), found.sentences("en")


@pytest.mark.parametrize("unit", ["vnd", "thousand_vnd", "billion_vnd"])
def test_every_unit_verifies(unit, tmp_path):
    plan = allocate(
        dataset(unit=unit, cells=CELLS, absorption=ABSORPTION, places=PLACES),
        scenario(RICH if unit != "vnd" else RICH + "round_to: 1\n"),
        detail=False,
    )
    plan.save(tmp_path)
    assert not failed(verify(tmp_path)), verify(tmp_path).sentences("en")


@pytest.mark.parametrize("seed", range(300, 312))
def test_drawn_instances_verify(seed, tmp_path):
    instance = instances.draw(seed)
    data, text = instance.write(tmp_path / "data")
    plan = allocate(read_dataset(data), read_scenario(text), as_of=instance.as_of, detail=False)
    plan.save(tmp_path / "out")
    found = verify(tmp_path / "out")
    assert failed(found) == (set() if plan.status == "optimal" else {"plan"}), found.sentences("en")


@pytest.mark.parametrize(
    "goals", ["[{maximise: disbursed}]", "[{maximise: disbursed, give: 0.005}, {minimise: change}]"]
)
def test_goals_of_more_digits_than_are_told_verify(goals, tmp_path):
    """Where a đồng does almost as well elsewhere, the best has to be kept to its last digit."""
    tables = {
        "cells": """\
place area source baseline
01    TECH KCQG   98765.4
04    TECH KCQG   1234.5
01    PROD KCQG   33333.3
""",
        "absorption": """\
place area source upto      rate
01    TECH KCQG   99000.7   0.7412345
04    TECH KCQG   99000.7   0.7412346
01    PROD KCQG   33333.3   0.3333333
""",
    }
    text = """\
budget: [{source: KCQG, amount: 133333.3}]
rules: [{id: tech, where: {area: TECH}, max: 99000.1}]
"""
    found = verify(made(tmp_path, f"{text}goals: {goals}", **tables))
    assert not failed(found), found.sentences("en")


def test_a_plan_of_a_moved_number_verifies(tmp_path):
    """Its multipliers come of a hot start."""
    from kc_model import Planner

    base = scenario(RICH)
    planner = Planner(dataset(cells=CELLS, absorption=ABSORPTION, places=PLACES))
    planner.plan(base, detail=False)
    planner.plan(base.with_rule("floor", min=base.rules[1].min + 5), detail=False).save(tmp_path)
    assert verify(tmp_path).proven


def test_sentences_tell_everything_in_both_languages(tmp_path):
    found = verify(made(tmp_path))
    said = {language: "\n".join(found.sentences(language)) for language in ("vi", "en")}
    assert "giải ngân cao nhất" in said["vi"]
    assert "most disbursed" in said["en"]
    assert "295" in said["vi"]
    assert len(found.sentences("vi")) == len(found.checks) + 2
    names = [check.name for check in found.checks]
    assert names.count("best") == 5


def test_the_scenario_reads_back_equal(tmp_path):
    for text in KINDS.values():
        one = scenario(text)
        said = json.loads(json.dumps(one.plain))
        assert Scenario.of_plain(said) == one
        assert Scenario.of_plain(said).hash == one.hash
    proof = read_proof((made(tmp_path) / "proof.json").read_bytes())
    assert proof.problem.scenario == scenario(RICH)


def test_neither_solver_is_needed(tmp_path):
    folder = made(tmp_path)
    code = (
        "import sys; sys.modules['highspy'] = sys.modules['clarabel'] = None\n"
        "from kc_model import cli\n"
        f"code = cli.main(['verify', {str(folder)!r}])\n"
        "doors = ('kc_model.solver', 'kc_model.allocate.')\n"
        "raise SystemExit(code or ' '.join(m for m in sys.modules if m.startswith(doors)) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


# --- What is false is named ----------------------------------------------------------------------

Change = Callable[[Any], None]


def in_json(name: str, change: Change) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        said = json.loads((folder / name).read_text("utf-8"))
        change(said)
        (folder / name).write_text(json.dumps(said), "utf-8")

    return apply


def in_csv(name: str, change: Change) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        with (folder / name).open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        change(rows)
        with (folder / name).open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)

    return apply


def put(*path: Any) -> Change:
    """Return what puts the last of a path at the place that the others lead to."""
    *where, key, value = path

    def change(said: Any) -> None:
        for part in where:
            said = said[part]
        said[key] = value(said[key]) if callable(value) else value

    return change


def swap(rows: Any) -> None:
    rows[0]["amount"], rows[3]["amount"] = rows[3]["amount"], rows[0]["amount"]


def turned(multipliers: dict[str, float]) -> dict[str, float]:
    return {name: -value for name, value in multipliers.items()}


def huge(multipliers: dict[str, float]) -> dict[str, float]:
    return dict.fromkeys(multipliers, 1e308)


def one_more(text: str) -> str:
    return f"{float(text) + 1e-6:.6f}"


PROOF, RESULT = "proof.json", "result.json"
STAGES = ("multipliers", "stages")
FORGED = {
    "one đồng more": (in_csv("allocation.csv", put(0, "amount", one_more)), "laws"),
    "half a đồng": (in_csv("allocation.csv", put(0, "amount", "1.0000005")), "cells"),
    "no number": (in_csv("allocation.csv", put(0, "amount", "nhiều")), "cells"),
    "a cell left out": (in_csv("allocation.csv", lambda rows: rows.pop()), "cells"),
    "another place": (in_csv("allocation.csv", put(0, "place", "04")), "cells"),
    "two cells swapped": (in_csv("allocation.csv", swap), "rounding"),
    "another baseline": (in_csv("allocation.csv", put(1, "baseline", "61")), "cells"),
    "more expected": (in_csv("allocation.csv", put(1, "expected_disbursed", "70")), "cells"),
    "outside its range": (in_csv("allocation.csv", put(1, "lowest", "79.9999")), "cells"),
    "a rule said to be met": (in_csv("rules.csv", put(-1, "status", "satisfied")), "rules"),
    "another left side": (in_csv("rules.csv", put(0, "lhs", "229.9")), "rules"),
    "no shortfall": (in_csv("rules.csv", put(0, "shortfall", "3")), "rules"),
    **{
        f"another {column}": (in_csv("rules.csv", put(0, column, value)), "rules")
        for column, value in (
            ("id", "ngân sách"),
            ("group", "01"),
            ("side", "min"),
            ("tier", "preference"),
            ("bound", "231"),
            ("slack", "1"),
            ("measure", "outputs"),
            ("factor", "2"),
            ("text", "khác"),
            ("basis", "khác"),
        )
    },
    "more than the highest": (in_csv("allocation.csv", put(1, "highest", "0")), "cells"),
    "another source": (in_csv("allocation.csv", put(1, "source", "KCDP")), "cells"),
    "another area": (in_csv("allocation.csv", put(1, "area", "CLUS")), "cells"),
    "a rule left out": (in_csv("rules.csv", lambda rows: rows.pop()), "rules"),
    "a best too good": (in_json(RESULT, put("goals", 0, "best", lambda b: b * 1.05)), "settled"),
    "a best too bad": (in_json(RESULT, put("goals", 2, "best", lambda b: b * 1.01)), "best"),
    "a tier too good": (in_json(RESULT, put("tiers", 0, "best", lambda b: b - 1)), "settled"),
    "a best that is none": (in_json(RESULT, put("goals", 0, "best", "nan")), "best"),
    "more achieved": (in_json(RESULT, put("goals", 0, "achieved", lambda b: b + 1e-3)), "goals"),
    "a goal unsaid": (in_json(RESULT, put("goals", [])), "goals"),
    "another total": (in_json(RESULT, put("certificate", "total_vnd", 1)), "totals"),
    "a reserve": (in_json(RESULT, put("reserve", [{"budget": "budget:1", "amount": 1}])), "totals"),
    "another scenario's": (in_json(RESULT, put("provenance", "scenario", "0" * 64)), "belongs"),
    "another dataset's": (in_json(RESULT, put("provenance", "dataset", "0" * 64)), "belongs"),
    "another year": (in_json(RESULT, put("year", 2025)), "belongs"),
    "a rule dropped": (in_json(PROOF, lambda said: said["scenario"]["rules"].pop(1)), "belongs"),
    "a law made a wish": (
        in_json(PROOF, put("scenario", "rules", 0, "tier", "directive")),
        "rules",
    ),
    "another slice": (in_json(PROOF, put("slices", 0, "upto", 0, 50_000_000)), "cells"),
    "another rate": (in_json(PROOF, put("slices", 0, "rate", 0, 0.9)), "cells"),
    "another weight": (in_json(PROOF, put("cells", "numbers", "weight", 2, 1.3)), "goals"),
    "another cost": (in_json(PROOF, put("cells", "money", "unit_cost", 1, 10**6)), "rules"),
    "another limit": (in_json(PROOF, put("cells", "money", "max", 1, 90_000_000)), "rules"),
    "another plan": (in_json(PROOF, put("settled", 0, lambda x: x + 1)), "settled"),
    "a part of a tier": (in_json(PROOF, put(*STAGES, 0, {})), "best"),
    "no multipliers": (in_json(PROOF, put(*STAGES, [])), "best"),
    "multipliers turned": (in_json(PROOF, put(*STAGES, 2, turned)), "best"),
    "huge multipliers": (in_json(PROOF, put(*STAGES, 2, huge)), "best"),
    "endless multipliers": (in_json(PROOF, put(*STAGES, 2, {"row_0": 1e999})), "best"),
    "settlement unproven": (in_json(PROOF, put("multipliers", "settlement", {})), "settlement"),
}


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """Return the files of one good plan."""
    folder = made(tmp_path_factory.mktemp("good"))
    return {file.name: file.read_bytes() for file in folder.iterdir()}


@pytest.fixture
def folder(saved, tmp_path):
    for name, data in saved.items():
        (tmp_path / name).write_bytes(data)
    return tmp_path


@pytest.mark.parametrize("forgery", FORGED)
def test_forgery_is_named(forgery, folder):
    change, named = FORGED[forgery]
    change(folder)
    if "1e308" in (folder / PROOF).read_text("utf-8") or forgery == "endless multipliers":
        text = (folder / PROOF).read_text("utf-8").replace("Infinity", "1e999")
        (folder / PROOF).write_text(text, "utf-8")
    found = verify(folder)
    assert not found.proven
    assert named in failed(found), found.sentences("en")
    assert all(check.texts["vi"] for check in found.checks)


def test_multipliers_of_rows_that_are_none_change_nothing(folder):
    more = {"row_9999": 5.0, "": 1.0, "x_0": 2.0}
    in_json(PROOF, put(*STAGES, 2, lambda known: {**known, **more}))(folder)
    assert verify(folder).proven


@pytest.mark.parametrize(
    ("goals", "forge", "named"),
    [
        ("[{maximise: disbursed}]", False, "settled"),
        ("[{maximise: disbursed}]", True, "best"),
        ("[{maximise: money}]", False, "settlement"),
    ],
)
def test_a_worse_plan_that_keeps_every_rule_is_named(goals, forge, named, tmp_path):
    """Ten million go from one cell to another, and every file says so."""
    data = dataset(cells=CELLS, absorption=ABSORPTION, places=PLACES)
    problem = build_problem(data, scenario(f"{BUDGET}goals: {goals}"))
    live = Live(problem, math.inf)
    climb = live.climb()
    assert live.settle(climb) is not None
    certificate = {"total_vnd": 295 * MILLION}

    def save(plan: np.ndarray, out: Path) -> set[str]:
        draft = Draft(data, problem, None)
        duals = live.multipliers(climb)
        amounts = np.rint(plan * MILLION).astype(np.int64)
        proof = lambda: proof_of(problem, plan, live.rows, duals, {})  # noqa: E731
        draft.fill(amounts, plan, live.stages, climb, certificate, proof)
        draft.result.save(out)
        if forge and out.name == "worse":
            goal = draft.result.goals[0]
            in_json(RESULT, put("goals", 0, "best", goal["achieved"]))(out)
        return failed(verify(out))

    amounts = allocate(data, problem.scenario, detail=False).cells["amount"]
    good = amounts.to_numpy(np.int64) / MILLION
    assert save(good, tmp_path / "good") == set()
    shift = np.zeros(len(good))
    shift[[0, 3]] = -10, 10
    assert named in save(good + shift, tmp_path / "worse")


@pytest.mark.parametrize("steps", [1, 7])
def test_another_rounding_that_keeps_every_rule_is_named(steps, tmp_path):
    """All files agree, budgets and rules hold; only it is not the rounding of the settled plan."""
    data = dataset(cells=CELLS, absorption=ABSORPTION, places=PLACES)
    text = "budget: [{source: KCQG, amount: 230}, {source: KCDP, pooled: true, amount: 65}]\n"
    problem = build_problem(data, scenario(f"{text}goals: [{{minimise: change}}]\n"))
    live = Live(problem, math.inf)
    climb = live.climb()
    settled = live.settle(climb)
    rounded = round_plan(problem.rows, settled, problem.grid, math.inf)

    def save(amounts: np.ndarray, out: Path) -> set[str]:
        draft = Draft(data, problem, None)
        duals = live.multipliers(climb)
        proof = lambda: proof_of(problem, settled, live.rows, duals, {})  # noqa: E731
        certificate = {"total_vnd": int(amounts.sum())}
        draft.fill(amounts, settled, live.stages, climb, certificate, proof)
        draft.result.save(out)
        return failed(verify(out))

    assert save(rounded, tmp_path / "good") == set()
    source = problem.cells.frame["source"]
    named = []
    for i, j in itertools.permutations(range(len(rounded)), 2):
        other = rounded.copy()
        other[[i, j]] += np.array([problem.grid, -problem.grid]) * steps
        if source[i] == source[j] and not problem.sums.missed(other).any():
            named.append(save(other, tmp_path / f"{i}{j}"))
    assert len(named) > 2
    assert all(one == {"rounding"} for one in named)


# --- A risk among the goals ----------------------------------------------------------------------

DRAWS = """\
draw place area  source capacity
1    01    TECH  KCQG   60
1    01    PROD  KCQG   40
1    01    INFO  KCDP   20
1    04    TECH  KCQG   50
1    04    INFO  KCQG   10
1    04    PROD  KCDP   40
2    01    TECH  KCQG   90
2    01    PROD  KCQG   20
2    01    INFO  KCDP   50
2    04    TECH  KCQG   10
2    04    INFO  KCQG   60
2    04    PROD  KCDP   10
3    01    TECH  KCQG   70
3    01    PROD  KCQG   70
3    01    INFO  KCDP   30
3    04    TECH  KCQG   20
3    04    INFO  KCQG   30
3    04    PROD  KCDP   20
"""
RISKS = (
    "[{minimise: risk, level: 0.5}]",
    "[{minimise: risk, give: 0.05}, {maximise: {column: leverage}}, {minimise: change}]",
    "[{maximise: disbursed, give: 0.02}, {minimise: risk, level: 0.5}, {minimise: change}]",
    "[{maximise: money}, {minimise: risk, level: 0, where: {source: KCQG}}, {minimise: risk}]",
)


def risky(folder: Path, goals: str) -> Path:
    tables = {"cells": CELLS, "absorption": ABSORPTION, "places": PLACES, "draws": DRAWS}
    return made(folder, f"{BUDGET}goals: {goals}", **tables)


@pytest.mark.parametrize("goals", RISKS)
def test_plans_of_least_risk_verify(goals, tmp_path):
    found = verify(risky(tmp_path, goals))
    assert not failed(found), found.sentences("en")


FACE = ("risks", 0, "faces", 0)
FORGED_RISKS = {
    "a capacity": (put("risks", 0, "capacity", 0, 0, 10**9), {"goals", "best", "settled"}),
    "no faces": (put("risks", 0, "faces", []), {"best"}),
    "no weights": (put(*FACE, "weights", {}), {"best"}),
    "heavy weights": (put(*FACE, "weights", {"0": 1e300}), {"best"}),
    "steep slopes": (put(*FACE, "slopes", {str(p): 1e300 for p in range(6)}), {"best"}),
    "other draws": (put(*FACE, "weights", lambda w: {str(2 - int(d)): w[d] for d in w}), {"best"}),
    "a thousand times": (put(*STAGES, 0, "face0_0", 1000.0), {"best"}),
}


@pytest.mark.parametrize("forgery", FORGED_RISKS)
def test_a_forged_risk_proves_nothing(forgery, tmp_path):
    change, named = FORGED_RISKS[forgery]
    folder = risky(tmp_path, RISKS[0])
    in_json(PROOF, change)(folder)
    assert named & failed(verify(folder))


@pytest.mark.parametrize("share", [0.5, 0.99])
def test_a_risk_said_to_be_less_is_not_proven(share, tmp_path):
    folder = risky(tmp_path, RISKS[0])
    in_json(RESULT, put("goals", 0, "best", lambda best: best / share))(folder)
    assert "best" in failed(verify(folder))


@pytest.mark.parametrize(
    "change",
    [
        put(*FACE, "weights", {"3": 1.0}),
        put(*FACE, "slopes", {"-1": 1.0}),
        put(*FACE, "slopes", {"0": "many"}),
        put("risks", 0, "faces", 0),
        put("risks", 0, "capacity", [1, 2]),
        put("risks", []),
    ],
)
def test_a_risk_that_is_none_is_refused(change, tmp_path):
    folder = risky(tmp_path, RISKS[0])
    in_json(PROOF, change)(folder)
    with pytest.raises(InputError) as caught:
        verify(folder)
    assert {fault.at.file for fault in caught.value.faults} == {PROOF}


def test_ends_of_a_range_are_read_to_the_dong(tmp_path):
    """532747.494 thousand times a thousand is less than a whole number, as a float."""
    cells = "place area source baseline\n01 TECH KCQG 9"
    data = dataset(unit="thousand_vnd", cells=cells)
    text = "budget: [{source: KCQG, amount: 532747.494}]\ngoals: [{maximise: money}]"
    allocate(data, scenario(text), detail=True).save(tmp_path)
    assert not failed(verify(tmp_path)), verify(tmp_path).sentences("en")


# --- Any multipliers whatever --------------------------------------------------------------------

NUMBERS = st.one_of(
    st.floats(-5, 5), st.sampled_from([0.0, 1e-12, -1e-9, 1e6, -1e12, 1e300, math.inf, math.nan])
)


@given(st.data())
def test_no_multipliers_prove_more_than_is_true(data):
    """Some plan stands by construction: no bound may lie above what it costs."""
    n, m = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 4))

    def some(values: Any, count: int) -> np.ndarray:
        return np.array(data.draw(st.lists(values, min_size=count, max_size=count)), dtype=float)

    small = st.integers(-3, 3)
    matrix, plan = some(small, m * n).reshape(m, n), some(st.integers(0, 9), n)
    room, cost = some(st.sampled_from([0, 1, math.inf]), m), some(small, n + 1)
    full = np.zeros((m + 2, n + 1))  # a budget over all money, the column that a stage minimises
    full[:m, :n], full[m, :n] = matrix, 1.0
    full[m + 1, :n], full[m + 1, n] = cost[:n], -1.0
    value = float(cost[:n] @ plan)
    low = np.concatenate([matrix @ plan - room, [-math.inf, 0.0]])
    over = data.draw(st.sampled_from([0.0, 2.0]))
    high = np.concatenate([matrix @ plan + over, [plan.sum() + 1, 0.0]])
    model = Model(
        (*(f"x_{i}" for i in range(n)), "g_0"),
        tuple(f"row_{r}" for r in range(m + 2)),
        sparse.csr_array(full),
        low,
        high,
        np.array([*[0.0] * n, -math.inf]),
        np.full(n + 1, math.inf),
        np.zeros(n + 1, dtype=bool),
    )
    bounds = Bounds(model)
    assert np.all(np.isfinite(bounds.low) & np.isfinite(bounds.high))
    point = np.append(plan, value)
    for objective in (np.eye(n + 1)[n], cost):
        named = dict(zip(model.rows, some(NUMBERS, m + 2).tolist(), strict=True))
        least = bounds.prove(objective, named)
        assert least <= objective @ point + 1e-9 * max(1.0, abs(objective @ point))
        bounds.keep("g_0", value, least)


# --- Folders that are no plans -------------------------------------------------------------------


def test_a_folder_without_a_plan_says_so(tmp_path):
    text = RICH.replace("min: 90", "min: 900")
    plan = allocate(dataset(cells=CELLS, absorption=ABSORPTION, places=PLACES), scenario(text))
    assert plan.status == "infeasible"
    plan.save(tmp_path)
    assert not (tmp_path / PROOF).exists()
    found = verify(tmp_path)
    assert failed(found) == {"plan"}
    assert "infeasible" in found.sentences("en")[0]


@pytest.mark.parametrize("name", [RESULT, PROOF, "allocation.csv", "rules.csv"])
@pytest.mark.parametrize("content", [None, b"", b"\xff\xfe", b"{", b"[" * 100_000, b'{"a": NaN}'])
def test_a_file_that_is_missing_or_broken_is_named(name, content, folder):
    (folder / name).unlink()
    if content is not None:
        (folder / name).write_bytes(content)
    if name.endswith(".csv") and content in (b"{", b"[" * 100_000, b'{"a": NaN}'):
        assert not verify(folder).proven  # a heading and no rows
        return
    with pytest.raises(InputError) as caught:
        verify(folder)
    assert [fault.at.file for fault in caught.value.faults] == [name]
    assert all(fault.text(language) for fault in caught.value.faults for language in ("vi", "en"))


BROKEN = {
    "settled too short": put("settled", []),
    "settled no numbers": put("settled", 0, "nhiều"),
    "another grid": put("grid", 7),
    "another unit": put("unit", "xu"),
    "slices that rise": put("slices", 0, "rate", [0.1, 0.2]),
    "slices backwards": put("slices", 0, "upto", [5, 1]),
    "a cell in two curves": put("slices", 0, "cells", [0, 1]),
    "a cell that is none": put("slices", 0, "cells", [99]),
    "a cell twice": put("cells", "texts", "place", 3, "01"),
    "no baselines": put("cells", "money", {}),
    "a rule of nothing": put("scenario", "rules", 0, "where", {"area": ["ADMN"]}),
    "a scenario that is none": put("scenario", {}),
    "multipliers that are none": put(*STAGES, 0, "row_0", "many"),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_proof_that_hangs_together_with_nothing_is_refused(fault, folder):
    in_json(PROOF, BROKEN[fault])(folder)
    if fault == "a cell twice":
        in_json(PROOF, put("cells", "texts", "area", 3, "TECH"))(folder)
    with pytest.raises(InputError) as caught:
        verify(folder)
    assert {fault.at.file for fault in caught.value.faults} == {PROOF}


def test_the_command_and_its_exit_codes(folder, capsys):
    assert cli.main(["verify", str(folder)]) == 0
    said = capsys.readouterr().out
    assert "Mọi điểm trên đều được chứng minh." in said
    assert "All of this is proven." in said
    FORGED["one đồng more"][0](folder)
    assert cli.main(["verify", str(folder)]) == 1
    assert "✗" in capsys.readouterr().out
    (folder / RESULT).unlink()
    assert cli.main(["verify", str(folder)]) == 2
    assert "result.json" in capsys.readouterr().out
