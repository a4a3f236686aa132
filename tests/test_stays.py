"""Fewest lines changed: against every set of lines there is, solved one by one by scipy."""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from datasets import dataset, scenario
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

import kc_model as kc
from kc_model import reference
from kc_model.scenario import Goal

PLACES, AREAS = ("01", "19"), ("TECH", "PROD")
SLICES = ((60.0, 0.95), (150.0, 0.6), (1e4, 0.1))  # upto, rate: turned by the number of the cell
SEEDS = st.integers(0, 10**6)


@dataclass
class Instance:
    """A small dataset and scenario, as text and as plain values, in million VND."""

    before: list[float]
    least: list[float]
    budgets: list[tuple[tuple[int, ...], str, float]]
    spend: str
    rules: list[dict]
    goals: list[dict]
    step: float

    @property
    def keys(self) -> list[tuple[str, str, str]]:
        every = [(p, a, s) for p in PLACES for a in AREAS for s in ("KCQG", "KCDP")]
        return every[: len(self.before)]

    def data(self, order=None):
        keys = self.keys
        rows = [
            f"{' '.join(key)} {before:g} {least:g}"
            for key, before, least in zip(keys, self.before, self.least, strict=True)
        ]
        rows = [rows[k] for k in order] if order is not None else rows
        slices = [
            f"{' '.join(key)} {upto + 7 * k:g} {rate - k / 100:g}"
            for k, key in enumerate(keys)
            for upto, rate in SLICES
        ]
        return dataset(
            vintage="34",
            cells="\n".join(["place area source baseline min", *rows]),
            absorption="\n".join(["place area source upto rate", *slices]),
        )

    def scenario(self, goals=None):
        budget = [f"  - {{{where}, amount: {vnd:g}}}" for _, where, vnd in self.budgets]
        goals = [f"  - {json.dumps(goal)}" for goal in goals or self.goals]
        rules = [f"  - {json.dumps(rule)}" for rule in self.rules]
        parts = ["budget:", *budget, f"spend: {self.spend}", f"round_to: {self.step:g}"]
        parts += ["goals:", *goals, *(["rules:", *rules] if rules else [])]
        return scenario("\n".join(parts) + "\n")


def draw(seed: int) -> Instance:
    """Return a random instance; some have no plan."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(3, 7))
    step = float(rng.choice([0.5, 5.0]))
    before = [float(rng.integers(0, 25) * (7 if rng.random() < 0.3 else 10)) for _ in range(n)]
    if rng.random() < 0.3:
        before[1] = before[0]  # lines that are alike
    least = [b * 1.1 // 1 if rng.random() < 0.15 else b // 3 for b in before]
    keys = Instance(before, least, [], "", [], [], step).keys
    budgets = []
    for source, place in (("KCQG", None), ("KCDP", "01"), ("KCDP", "19")):
        inside = tuple(i for i, k in enumerate(keys) if k[2] == source and place in (None, k[0]))
        if inside:
            where = f"source: {source}" + ("" if place is None else f', place: "{place}"')
            same = sum(before[i] for i in inside) // step * step
            vnd = same if rng.random() < 0.6 else float(rng.integers(5, 60) * 10)
            budgets.append((inside, where, vnd))
    tiers = ("law", "directive")
    rules: list[dict] = []
    if rng.random() < 0.5:
        rules.append({"id": "tech", "where": {"area": "TECH"}, "of": "all", "min": 0.6})
    if rng.random() < 0.4:
        rules.append({"id": "floor", "each": "place", "min": int(rng.integers(5, 30)) * 10})
    for rule in rules:
        rule["tier"] = str(rng.choice(tiers))
    moves, spent = {"minimise": "moves"}, {"maximise": "disbursed"}
    if rng.random() < 0.2:
        moves["where"] = {"area": "TECH"}
    give = float(rng.choice([0.0, 0.01, 0.1]))
    orders = [[{**spent, "give": give}, moves], [moves, spent], [{**moves, "give": 0.6}, spent]]
    spend = "all" if rng.random() < 0.6 else "at_most"
    return Instance(before, least, budgets, spend, rules, orders[int(rng.integers(0, 3))], step)


# ---------------------------------------------------------------------------- every set of lines


class Program:
    """One set of lines that may move, as a linear program over cells, slices and shortfalls."""

    def __init__(self, instance: Instance, moved: frozenset[int], counted: frozenset[int]) -> None:
        one, n = instance, len(instance.before)
        self.n, self.high, self.rows = n, [], []
        for i, before in enumerate(one.before):
            low, top = (np.floor(before / one.step), np.ceil(before / one.step))
            free = i in moved or i not in counted
            self.high.append((one.least[i], None) if free else (low * one.step, top * one.step))
        self.feasible = all(h is None or low <= h for low, h in self.high)
        for i in range(n):  # a line that stays keeps its own floor too
            low, high = self.high[i]
            self.high[i] = (max(low, one.least[i]), high)
        self.feasible = self.feasible and all(h is None or low <= h for low, h in self.high)
        self.goal = {"spent": {}, "short": {}}
        for i in range(n):
            start, parts = 0.0, {}
            for upto, rate in SLICES:
                y = self.column(upto + 7 * i - start)
                start, parts[y] = upto + 7 * i, 1.0
                self.goal["spent"][y] = -(rate - i / 100)
            self.rows.append(({**parts, i: -1.0}, 0.0, False))
        for inside, _, vnd in one.budgets:
            self.rows.append((dict.fromkeys(inside, 1.0), vnd, one.spend == "all"))
        for rule in one.rules:
            self._rule(rule)

    def column(self, high: float | None) -> int:
        self.high.append((0.0, high))
        return len(self.high) - 1

    def _rule(self, rule: dict) -> None:
        keys = Instance([0.0] * self.n, [], [], "", [], [], 1.0).keys
        groups = [None] if "each" not in rule else PLACES
        for group in groups:
            inside = [
                i
                for i, key in enumerate(keys)
                if group in (None, key[0]) and rule.get("where", {}).get("area") in (None, key[1])
            ]
            if not inside:
                continue
            terms = dict.fromkeys(inside, -1.0)
            right = 0.0 if "of" in rule else -float(rule["min"])
            for i in range(self.n) if "of" in rule else ():
                terms[i] = terms.get(i, 0.0) + rule["min"]
            if rule["tier"] != "law":
                v = self.column(None)
                terms[v] = -1.0
                self.goal["short"][v] = 1.0
            self.rows.append((terms, right, False))

    def least(self, cost: dict[int, float], caps=()) -> float | None:
        if not self.feasible:
            return None
        width = len(self.high)

        def dense(rows):
            matrix = np.zeros((len(rows), width))
            for r, terms in enumerate(rows):
                for j, value in terms.items():
                    matrix[r, j] += value
            return matrix

        upper = [(terms, right) for terms, right, equal in self.rows if not equal] + list(caps)
        equal = [(terms, right) for terms, right, equal in self.rows if equal]
        found = linprog(
            dense([cost])[0],
            dense([terms for terms, _ in upper]),
            [right for _, right in upper],
            dense([terms for terms, _ in equal]) if equal else None,
            [right for _, right in equal] or None,
            bounds=self.high,
            method="highs",
        )
        return float(found.fun) if found.status == 0 else None


def enumerated(instance: Instance):
    """Return shortfall, the goals' best and the sets that attain them; None: no plan."""
    n, keys = len(instance.before), instance.keys
    goal = next(g for g in instance.goals if "minimise" in g)
    area = goal.get("where", {}).get("area")
    counted = frozenset(i for i in range(n) if area in (None, keys[i][1]))
    every = [frozenset(s) for k in range(len(counted) + 1) for s in combinations(counted, k)]
    left = {s: (Program(instance, s, counted), []) for s in every}
    left = {s: one for s, one in left.items() if one[0].least({}) is not None}
    if not left:
        return None

    def stage(name: str, give: float) -> float:
        nonlocal left
        found = {s: p.least(p.goal[name], caps) for s, (p, caps) in left.items()}
        found = {s: v for s, v in found.items() if v is not None}
        best = min(found.values())
        cap = best + give * abs(best) + 1e-7
        left = {s: left[s] for s, v in found.items() if v <= cap}
        for p, caps in left.values():
            caps.append((p.goal[name], cap))
        return best

    bests = [stage("short", 0.0)]
    for wanted in instance.goals:
        give = wanted.get("give", 0.0)
        if "maximise" in wanted:
            bests.append(-stage("spent", give))
        else:
            fewest = min(map(len, left))
            left = {s: one for s, one in left.items() if len(s) <= fewest * (1 + give) + 1e-9}
            bests.append(fewest)
    return bests, {s: program for s, (program, _) in left.items()}


def moved_in(plan, step: float) -> set[int]:
    away = (plan.cells["amount"] - plan.cells["baseline"]).abs()
    return set(np.flatnonzero(away.to_numpy(dtype=np.int64) >= round(step * 10**6)).tolist())


@given(SEEDS)
@example(9)  # no amounts on the grid keep the laws
@settings(max_examples=30, deadline=None)
def test_no_fewer_lines_could_change(seed):
    instance = draw(seed)
    plan = kc.allocate(instance.data(), instance.scenario(), detail=False)
    wanted = enumerated(instance)
    if wanted is None:
        assert plan.status == "infeasible"
        return
    (short, *bests), attaining = wanted
    if plan.status == "infeasible":  # the grid is impossible
        assert {rule for one in plan.conflicts for rule in one["rules"]} >= {"round_to"}
        return
    assert plan.status == "optimal"
    told = [goal["best"] for goal in plan.goals]
    if told != pytest.approx(bests, rel=1e-6, abs=1e-4):  # the best cannot be rounded
        worse = [
            a - b if "minimise" in g else b - a
            for a, b, g in zip(told, bests, instance.goals, strict=True)
        ]
        assert next(gap for gap in worse if abs(gap) > 1e-4) > 0
        return
    assert sum(tier["best"] for tier in plan.tiers) == pytest.approx(short, abs=1e-4)
    assert told == pytest.approx(bests, rel=1e-6, abs=1e-4)
    area = next(g for g in instance.goals if "minimise" in g).get("where", {}).get("area")
    moved = {i for i in moved_in(plan, instance.step) if area in (None, instance.keys[i][1])}
    assert any(moved <= one for one in attaining)
    (count,) = (goal for goal in plan.goals if goal["name"] == "minimise moves")
    assert count["achieved"] == len(moved)


def _on_the_grid(instance: Instance) -> int:
    """Return the fewest lines that move in any plan on the grid that keeps the laws, all tried."""
    (wanted,) = (goal for goal in instance.goals if "minimise" in goal)
    assert "where" not in wanted
    step, n = instance.step, len(instance.before)
    plans = [()]
    for inside, _, vnd in instance.budgets:
        assert instance.spend == "all"
        plans = [(*p, *q) for p in plans for q in _shared(instance, inside, int(vnd / step))]
    order = np.argsort([i for inside, _, _ in instance.budgets for i in inside])
    amounts = step * np.array(plans, dtype=float)[:, order]
    for rule in instance.rules:
        assert (rule["id"], rule["tier"]) == ("tech", "law")
        tech = [i for i in range(n) if instance.keys[i][1] == "TECH"]
        kept = amounts[:, tech].sum(axis=1) >= rule["min"] * amounts.sum(axis=1) - step
        amounts = amounts[kept]
    return int((np.abs(amounts - np.array(instance.before)) >= step).sum(axis=1).min())


def _shared(instance: Instance, inside: tuple[int, ...], steps: int) -> list[tuple[int, ...]]:
    """Return every way to share so many steps among some cells."""
    (first, *rest) = inside
    least = int(np.ceil(instance.least[first] / instance.step))
    if not rest:
        return [(steps,)] if steps >= least else []
    return [
        (k, *others)
        for k in range(least, steps + 1)
        for others in _shared(instance, tuple(rest), steps - k)
    ]


def test_where_the_fewest_lines_cannot_be_rounded_the_fewest_that_can_are_found():
    instance = draw(6919)
    plan = kc.allocate(instance.data(), instance.scenario(), detail=False)
    (_, fewest, _), _ = enumerated(instance)
    assert fewest == 3
    assert plan.goals[0]["achieved"] == _on_the_grid(instance) == 4


@given(SEEDS)
@settings(max_examples=12, deadline=None)
def test_asked_last_it_changes_no_earlier_goal_and_no_order_of_rows_changes_it(seed):
    instance = draw(seed)
    spent = {"maximise": "disbursed", "give": 0.02}
    asked = instance.scenario([spent, {"minimise": "moves"}])
    plain = kc.allocate(instance.data(), instance.scenario([spent]), detail=False)
    plan = kc.allocate(instance.data(), asked, detail=False)
    assert (plan.status == "optimal") == (plain.status == "optimal")
    if plan.status != "optimal":
        return
    assert plan.goals[0]["best"] == pytest.approx(plain.goals[0]["best"], rel=1e-9)
    assert [tier["best"] for tier in plan.tiers] == pytest.approx(
        [tier["best"] for tier in plain.tiers], rel=1e-6, abs=1e-6
    )
    assert len(moved_in(plan, instance.step)) <= len(moved_in(plain, instance.step))
    order = np.random.default_rng(seed).permutation(len(instance.before))
    again = kc.allocate(instance.data(order), asked, detail=False)
    assert again.cells["amount"].tolist() == plan.cells["amount"].tolist()


# ---------------------------------------------------------------------------- by hand

CELLS = """
place area source baseline min
01 TECH KCQG 100 0
01 PROD KCQG 100 0
19 TECH KCQG 100 0
19 PROD KCQG 50.5 0
"""
BUDGET = "budget: [{source: KCQG, amount: 350.5}]\n"


def planned(rest: str, cells: str = CELLS, **options):
    rates = "\n".join(
        f"{place} {area} KCQG {upto} {rate}"
        for place, area, steps in (
            ("01", "TECH", ((100, 0.9), (200, 0.5))),
            ("01", "PROD", ((100, 0.6), (200, 0.1))),
            ("19", "TECH", ((100, 0.9), (200, 0.7))),
            ("19", "PROD", ((100, 0.8), (200, 0.2))),
        )
        for upto, rate in steps
    )
    data = dataset(vintage="34", cells=cells, absorption="place area source upto rate\n" + rates)
    return kc.allocate(data, scenario(BUDGET + rest), **options)


GOALS = "goals: [{maximise: disbursed, give: 0.02}, {minimise: moves}]\n"


def test_money_moves_once_from_where_it_is_spent_least_to_where_it_is_spent_most():
    # Best: 190 of 01 PROD's spent at 0.6 ... 49.5 to 19 PROD at 0.8, the rest to 19 TECH at 0.7:
    # 100·.9 + 100·.9 + 50.5·.6 + 100·.8 ... = 279.5 + ..., two per cent less is one move's worth.
    plan = planned(GOALS)
    moved = moved_in(plan, 1e-6)
    assert plan.goals[1] == {"name": "minimise moves", "best": 2, "achieved": 2}
    assert moved == {1, 3}
    assert len(kc.moves(planned(GOALS, as_of=6))) == 1
    assert plan.cells["amount"].sum() == 350_500_000
    assert plan.goals[0]["achieved"] >= 0.98 * plan.goals[0]["best"] - 1e-6


def test_of_plans_with_as_few_moves_the_one_most_disbursed_is_chosen():
    # Every province's lines are full; 10 million have to leave one of each, to any of the others.
    places = [code for code in reference.places("34")["code"] if code.isdecimal()]
    areas = ("TRAIN", "MGMT", "TECH", "PROD")
    cells, rates = ["place area source baseline max"], ["place area source upto rate"]
    chances, most = list[float](), list[float]()
    for n, place in enumerate(places):
        for k, area in enumerate(areas):
            cells.append(f"{place} {area} KCDP {1000 + n} {990 + n if not k else '-'}")
            chance = 0.3 + (7 * n + 3 * k) % 17 / 50  # of what is more than it has
            rates.append(f"{place} {area} KCDP {1000 + n} 0.9")
            rates.append(f"{place} {area} KCDP 5000 {chance}")
            chances.append(chance)
        most.append(0.9 * (4 * (1000 + n) - 10) + 10 * max(chances[-3:]))
    budgets = ", ".join(
        f"{{source: KCDP, place: '{place}', amount: {4 * (1000 + n)}}}"
        for n, place in enumerate(places)
    )
    goals = "goals: [{maximise: disbursed, give: 0.01}, {minimise: moves}, {maximise: disbursed}]"
    data = dataset(vintage="34", cells="\n".join(cells), absorption="\n".join(rates))
    plan = kc.allocate(data, scenario(f"budget: [{budgets}]\n{goals}\n"), detail=False)
    assert plan.goals[1]["achieved"] == 2 * len(places)
    assert plan.goals[2]["achieved"] == pytest.approx(sum(most), abs=1e-6)


def test_a_baseline_between_two_steps_stays_at_one_of_them():
    plan = planned("goals: [{minimise: moves}]\nround_to: 1\nspend: at_most\n")
    assert plan.goals[0]["achieved"] == 0
    amounts = plan.cells["amount"].tolist()
    assert amounts[:3] == [100_000_000] * 3
    assert amounts[3] in (50_000_000, 51_000_000)


def test_a_line_whose_baseline_breaks_a_bound_has_to_move_and_another_pays_for_it():
    cells = CELLS.replace("19 PROD KCQG 50.5 0", "19 PROD KCQG 50.5 80")
    plan = planned("goals: [{minimise: moves}]\n", cells)
    assert plan.goals[0]["achieved"] == 2
    assert 3 in moved_in(plan, 1e-6)


def test_of_sets_as_good_the_least_money_moves_then_the_first_line():
    # 10 million have to leave the last line: to any other, all the same by the count; the first.
    cells = CELLS.replace("50.5 0", "50.5 0").replace("min", "min max")
    rows = cells.strip().splitlines()
    cells = "\n".join([rows[0], *(f"{row} -" for row in rows[1:4]), f"{rows[4]} 40.5"])
    plan = planned("goals: [{minimise: moves}]\n", cells)
    assert moved_in(plan, 1e-6) == {0, 3}
    assert plan.cells["amount"].tolist()[0] == 110_000_000


def test_it_is_proven_but_for_the_set_and_a_line_that_was_to_stay_is_missed(tmp_path):
    plan = planned(GOALS)
    plan.save(tmp_path)
    found = kc.verify(tmp_path)
    assert found.proven
    assert {"kept", "choice_lines", "best_lines"} <= {check.name for check in found.checks}
    assert "fewer lines" in found.sentences("en")[-2]
    proof = json.loads((tmp_path / "proof.json").read_text(encoding="utf-8"))
    proof["kept"] = [0, 1, 2]
    (tmp_path / "proof.json").write_text(json.dumps(proof), encoding="utf-8")
    failed = {check.name for check in kc.verify(tmp_path).checks if not check.passed}
    assert "kept" in failed


def test_a_rule_is_the_reason_of_the_few_moves_it_makes():
    rules = "rules: [{id: up, where: {place: '19', area: TECH}, min: 130, text: Ít nhất 130}]\n"
    plan = planned("goals: [{minimise: moves}]\n" + rules, as_of=6)
    found = kc.moves(plan)
    assert found["reason"].tolist() == ["Do quy định: Ít nhất 130."]
    with_it = plan.effects["up"].to_numpy() / 10**6
    change = (plan.cells["amount"] - plan.cells["baseline"]).to_numpy(dtype=float) / 10**6
    np.testing.assert_allclose(with_it, change, atol=1e-6)  # without it nothing moves


def test_what_rules_cost_is_told_of_the_goal_before_and_nothing_of_other_sets():
    plan = planned(GOALS)
    plain = planned(GOALS.replace(", {minimise: moves}", ""))
    price = [
        rows.loc[rows["id"] == "budget:1", "price"].iloc[0]
        for rows in (plan.rule_rows, plain.rule_rows)
    ]
    assert price[0] == pytest.approx(price[1])
    assert price[0] > 0
    assert plan.cells["lowest"].isna().all()
    told = "\n".join(plan.explain("en"))
    assert "fewest lines changed): 2 lines" in told
    assert "2 lines stay as in the baseline" in told
    first = planned("goals: [{minimise: moves}]\n")
    assert first.rule_rows["price"].isna().all()


def test_nothing_is_given_that_is_not_proven_in_time():
    plan = planned(GOALS, time_limit=0.0)
    assert plan.status == "limit"
    assert plan.cells.empty


def test_a_maximum_of_moves_is_refused():
    with pytest.raises(kc.InputError):
        planned("goals: [{maximise: moves}]\n")


# ---------------------------------------------------------------------------- the sample


def test_the_country_at_mid_year_changes_a_dozen_lines_in_place_of_hundreds():
    folder = Path(__file__).parent.parent / "data" / "sample"
    data = kc.read_dataset(folder)
    asked = kc.read_scenario(folder / "base.yaml")
    goals = (Goal("maximise", "disbursed", give=Decimal("0.01")), Goal("minimise", "moves"))
    asked = kc.Scenario(**{**vars(asked), "goals": goals})
    outlook = kc.forecast(data, year=2026, as_of=6)
    plan = kc.allocate(data, asked, outlook, as_of=6, detail=False)
    assert plan.status == "optimal"
    assert plan.gap == 0
    assert len(moved_in(plan, 1.0)) == plan.goals[1]["achieved"] == 12
    assert plan.goals[0]["achieved"] >= 0.99 * plan.goals[0]["best"]
