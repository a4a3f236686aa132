"""Which projects are chosen: against every choice there is, solved one by one by scipy."""

from __future__ import annotations

import importlib
import json
import signal
import time
from dataclasses import dataclass, field, replace
from itertools import product
from types import SimpleNamespace

import numpy as np
import pytest
from datasets import dataset, scenario
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from benchmarks.projects import CHANGE, SHAPES, write
from kc_model.allocate import allocate, apply_repair
from kc_model.allocate.bundles import Bundle
from kc_model.allocate.choice import gap_of, gap_told
from kc_model.allocate.hull import Mix
from kc_model.allocate.live import Live
from kc_model.allocate.points import CellStates, Cost, Extra, Part, Points
from kc_model.allocate.purses import Purse
from kc_model.allocate.stages import Climb
from kc_model.allocate.wholes import WholeLadder
from kc_model.arrays import Cut
from kc_model.errors import InputError
from kc_model.explain import troubles
from kc_model.problem import build_problem, incomplete_list
from kc_model.reading import read_dataset
from kc_model.scenario import read_scenario
from kc_model.solver import Clock, Outcome, Solver, Status
from kc_model.verify import verify
from kc_model.workbench.mending import mended

PLANNER = importlib.import_module("kc_model.allocate.planner")
PLACES = ("01", "19")  # in official order
SLICES = ((60.0, 0.95), (150.0, 0.6), (1e5, 0.1))  # upto, rate: of every cell
POPULATION = {"01": 3.0, "19": 2.0}
HEAD = "id name place area source support min_support score kind requires excludes"


@dataclass
class Instance:
    """A small dataset and scenario, as text and as plain values."""

    projects: list[dict]
    cells: dict[tuple[str, str, str], float]  # baseline
    budgets: list[tuple[dict, float]]
    spend: str
    rules: list[dict]
    goals: list[dict]

    def data(self):
        lines = [HEAD, *(" ".join(str(p[key]) for key in HEAD.split()) for p in self.projects)]
        cells = [f"{' '.join(key)} {base:g}" for key, base in self.cells.items()]
        slices = [f"{' '.join(key)} {u:g} {r:g}" for key in self.cells for u, r in SLICES]
        people = [f"{place} {POPULATION[place]:g}" for place in PLACES]
        return dataset(
            vintage="34",
            projects="\n".join(lines),
            cells="\n".join(["place area source baseline", *cells]),
            absorption="\n".join(["place area source upto rate", *slices]),
            places="\n".join(["place population", *people]),
        )

    def scenario(self):
        budget = [f"  - {{{_inline(where)}, amount: {amount:g}}}" for where, amount in self.budgets]
        goals = [f"  - {{{_inline(goal)}}}" for goal in self.goals]
        rules = [f"  - {{{_inline(rule)}}}" for rule in self.rules]
        parts = ["budget:", *budget, f"spend: {self.spend}", "goals:", *goals]
        return scenario("\n".join([*parts, *(["rules:", *rules] if rules else []), ""]))


def _inline(values: dict) -> str:
    shown = {k: f"{{{_inline(v)}}}" if isinstance(v, dict) else v for k, v in values.items()}
    return ", ".join(
        f'{k}: "{v}"' if k == "place" and v != "same" else f"{k}: {v}" for k, v in shown.items()
    )


def draw(seed: int, sizes=(2, 8)) -> Instance:  # noqa: C901 - every kind of rule in its turn
    """Return a random instance; about a third of them have no plan."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(*sizes))
    projects = []
    for k in range(n):
        support = int(rng.integers(2, 20)) * 10 + int(rng.integers(0, 2))
        flexible = rng.random() < 0.4
        kind = str(rng.choice(["normal", "normal", "flagship"]))
        place = str(rng.choice(["01", "19", "01;19"]))
        others = [f"P{j}" for j in range(n) if j != k]
        projects.append(
            {
                "id": f"P{k}",
                "name": "x",
                "place": place,
                "area": str(rng.choice(["TECH", "PROD"])),
                "source": str(rng.choice(["KCQG", "KCQG", "KCDP"])),
                "support": support,
                "min_support": int(support * rng.uniform(0.3, 0.9)) if flexible else "-",
                "score": int(rng.integers(1, 4)),
                "kind": "group" if ";" in place else kind,
                "requires": str(rng.choice(others)) if rng.random() < 0.2 else "-",
                "excludes": str(rng.choice(others)) if rng.random() < 0.2 else "-",
            }
        )
    keys = {(place, p["area"], p["source"]) for p in projects for place in p["place"].split(";")}
    if rng.random() < 0.5:
        keys.add((str(rng.choice(PLACES)), "CONS", "KCQG"))
    areas = ["TECH", "PROD", "CONS"]
    order = sorted(keys, key=lambda key: (PLACES.index(key[0]), areas.index(key[1]), key[2]))
    cells = {key: float(rng.integers(0, 12) * 10) for key in order}
    budgets = []
    for source, places in (("KCQG", [None]), ("KCDP", PLACES)):
        for place in places:
            inside = [k for k in cells if k[2] == source and place in (None, k[0])]
            if inside:
                where = {"source": source} | ({} if place is None else {"place": place})
                budgets.append((where, float(rng.integers(4, 40) * 10)))
    has = {key[1] for key in cells}
    rules: list[dict] = []
    tiers = ["law", "directive", "preference"]
    if rng.random() < 0.4 and "TECH" in has:
        rules.append({"id": "tech", "where": {"area": "TECH"}, "of": "all", "min": 0.4})
    if rng.random() < 0.4 and "PROD" in has:
        side = str(rng.choice(["min", "max"]))
        rules.append(
            {
                "id": "prod",
                "where": {"area": "PROD"},
                "count": "projects",
                side: int(rng.integers(1, 3)),
            }
        )
    kinds = {p["kind"] for p in projects}
    if rng.random() < 0.3 and "flagship" in kinds:
        rules.append({"id": "flag", "where": {"kind": "flagship"}, "count": "projects", "min": 1})
    if rng.random() < 0.3:
        rules.append(
            {
                "id": "each",
                "each": "place",
                "count": "projects",
                "min": 1,
                "max": int(rng.integers(2, 4)),
            }
        )
    if rng.random() < 0.3 and "group" in kinds:
        rules.append(
            {
                "id": "part",
                "where": {"kind": "group"},
                "of": {"kind": ["normal", "group"]},
                "count": "projects",
                "max": 0.5,
            }
        )
    if rng.random() < 0.3:
        rules.append({"id": "floor", "each": "place", "min": int(rng.integers(2, 9)) * 10})
    for rule in rules:
        rule["tier"] = str(rng.choice(tiers, p=[0.4, 0.4, 0.2]))
        rule["weight"] = int(rng.integers(1, 3))
    known = [
        {"maximise": "disbursed"},
        {"maximise": "money"},
        {"minimise": "change"},
        {"maximise": "evenness", "per": "population"},
    ]
    picked = rng.permutation(len(known))[: int(rng.integers(1, 3))]
    goals = [dict(known[k]) for k in picked]
    goals[0]["give"] = float(rng.choice([0.0, 0.05]))
    spend = "all" if rng.random() < 0.15 else "at_most"
    return Instance(projects, cells, budgets, spend, rules, goals)


# ---------------------------------------------------------------------------- every choice


@dataclass
class Program:
    """Linear rows over cells, sizes and whatever stages add; columns are made on demand."""

    high: list[float | None] = field(default_factory=list)
    upper: list[tuple[dict[int, float], float]] = field(default_factory=list)
    equal: list[tuple[dict[int, float], float]] = field(default_factory=list)

    def column(self, low: float = 0.0, high: float | None = None) -> int:
        self.high.append((low, high))
        return len(self.high) - 1

    def least(self, cost: dict[int, float]) -> float | None:
        n = len(self.high)

        def dense(rows):
            matrix = np.zeros((len(rows), n))
            for r, (terms, _) in enumerate(rows):
                for j, value in terms.items():
                    matrix[r, j] += value
            return matrix, [right for _, right in rows]

        c = np.zeros(n)
        for j, value in cost.items():
            c[j] += value
        (a, b), (e, d) = dense(self.upper), dense(self.equal)
        found = linprog(
            c,
            a if len(b) else None,
            b or None,
            e if len(d) else None,
            d or None,
            bounds=self.high,
            method="highs",
        )
        return float(found.fun) if found.status == 0 else None


def _means(where: dict, cell: tuple[str, str, str]) -> bool:
    keys = dict(zip(("place", "area", "source"), cell, strict=True))
    return all(cell_value == where[key] for key, cell_value in keys.items() if key in where)


def _counted(rule_where: dict, instance: Instance, chosen: set[str], place: str | None) -> int:
    kinds = rule_where.get("kind")
    kinds = None if kinds is None else kinds if isinstance(kinds, list) else [kinds]
    return sum(
        p["id"] in chosen
        and (kinds is None or p["kind"] in kinds)
        and any(
            _means(rule_where, (at, p["area"], p["source"])) and place in (None, at)
            for at in p["place"].split(";")
        )
        for p in instance.projects
    )


def program_of(instance: Instance, chosen: set[str]) -> tuple[Program, list, dict]:  # noqa: C901 - one
    """Return the program of one choice, its stages' costs (name, cost, sign) and the cells."""
    program = Program()
    x = {cell: program.column() for cell in instance.cells}
    paid: dict = {}
    for p in instance.projects:
        most = float(p["support"])
        least = most if p["min_support"] == "-" else float(p["min_support"])
        a = program.column(least, most) if p["id"] in chosen else program.column(0.0, 0.0)
        places = p["place"].split(";")
        for place in places:
            paid.setdefault((place, p["area"], p["source"]), {})[a] = -1.0 / len(places)
    for cell, parts in paid.items():
        program.equal.append(({x[cell]: 1.0, **parts}, 0.0))
    for where, amount in instance.budgets:
        terms = {x[cell]: 1.0 for cell in x if _means(where, cell)}
        (program.equal if instance.spend == "all" else program.upper).append((terms, amount))
    tiers: dict[str, dict[int, float]] = {}
    for rule in instance.rules:
        groups = PLACES if rule.get("each") == "place" else (None,)
        for place in groups:
            of_kind = rule.get("count") == "projects" and "kind" in rule.get("where", {})
            cells = paid if of_kind else x  # a place with cells and no project counts none
            inside = [c for c in cells if _means(rule.get("where", {}), c)]
            inside = [c for c in inside if place in (None, c[0])]
            if not inside:
                continue
            for side in ("min", "max"):
                if side not in rule:
                    continue
                sign = -1.0 if side == "min" else 1.0  # sign·(L − m·B) ≤ 0
                terms: dict[int, float] = {}
                if rule.get("count") == "projects":
                    given = _counted(rule.get("where", {}), instance, chosen, place)
                    base = _counted(rule["of"], instance, chosen, None) if "of" in rule else 1
                    right = -sign * (given - rule[side] * base)
                else:
                    for c in inside:
                        terms[x[c]] = sign
                    right = 0.0 if "of" in rule else sign * rule[side]
                    for c in x if "of" in rule else ():
                        terms[x[c]] = terms.get(x[c], 0.0) - sign * rule[side]
                if rule["tier"] != "law":
                    v = program.column()
                    terms[v] = -1.0
                    tiers.setdefault(rule["tier"], {})[v] = float(rule["weight"])
                program.upper.append((terms, right))
    stages = [(tier, tiers[tier], 1.0) for tier in ("directive", "preference") if tier in tiers]
    for goal in instance.goals:
        stages.append(_goal(goal, program, x, instance))
    return program, stages, x


def _goal(goal: dict, program: Program, x: dict, instance: Instance):
    what = goal.get("maximise") or goal["minimise"]
    if what == "money":
        return what, dict.fromkeys(x.values(), -1.0), -1.0
    if what == "change":
        cost = {}
        for cell, base in instance.cells.items():
            u = program.column()
            program.upper += [({x[cell]: 1.0, u: -1.0}, base), ({x[cell]: -1.0, u: -1.0}, -base)]
            cost[u] = 1.0
        return what, cost, 1.0
    if what == "evenness":
        least = program.column()
        for place in {cell[0] for cell in x}:
            terms = {j: -1.0 / POPULATION[place] for cell, j in x.items() if cell[0] == place}
            program.upper.append(({**terms, least: 1.0}, 0.0))
        return what, {least: -1.0}, -1.0
    cost = {}
    for j in x.values():
        before, parts = 0.0, {}
        for upto, rate in SLICES:
            y = program.column(0.0, upto - before)
            before, parts[y], cost[y] = upto, 1.0, -rate
        program.upper.append(({**parts, j: -1.0}, 0.0))
    return what, cost, -1.0


def linked_choices(instance: Instance) -> dict:
    """Return the program, its stages and its cells of every choice that keeps links and laws."""
    ids = [p["id"] for p in instance.projects]
    left = {}
    for bits in product((0, 1), repeat=len(ids)):
        chosen = {one for one, bit in zip(ids, bits, strict=True) if bit}
        linked = all(
            (p["requires"] == "-" or p["requires"] in chosen) and p["excludes"] not in chosen
            for p in instance.projects
            if p["id"] in chosen
        )
        if linked:
            program, stages, x = program_of(instance, chosen)
            if program.least({}) is not None:
                left[frozenset(chosen)] = (program, stages, x)
    return left


def enumerate_best(instance: Instance):
    """Return the best value of every stage and the choices that attain them all; None: no plan."""
    left = {chosen: own[:2] for chosen, own in linked_choices(instance).items()}
    if not left:
        return None
    names = [(name, sign) for name, _, sign in next(iter(left.values()))[1]]
    best = []
    for s, (name, sign) in enumerate(names):
        found = {c: program.least(stages[s][1]) for c, (program, stages) in left.items()}
        found = {c: value for c, value in found.items() if value is not None}
        value = min(found.values())
        best.append((name, sign * value))
        goal = s - sum(name in ("directive", "preference") for name, _ in names)
        give = instance.goals[goal].get("give", 0.0) if goal >= 0 else 0.0
        cap = value + give * abs(value) + 1e-6
        left = {c: left[c] for c, own in found.items() if own <= cap}
        for program, stages in left.values():
            program.upper.append((stages[s][1], cap))
    return best, set(left)


def rank(instance: Instance) -> list[str]:
    """Return the ids in the order that decides ties."""
    order = sorted(instance.projects, key=lambda p: (p["kind"] != "flagship", -p["score"], p["id"]))
    return [p["id"] for p in order]


@given(st.integers(0, 10**6))
@example(148039)  # a place with cells and no project
@settings(max_examples=60, deadline=None)
def test_choice_is_the_best_of_all_and_first_by_rank(seed):
    instance = draw(seed)
    plan = allocate(instance.data(), instance.scenario(), detail=False)
    wanted = enumerate_best(instance)
    if wanted is None:
        assert plan.status == "infeasible"
        assert plan.conflicts
        return
    assert plan.status == "optimal"
    best, attaining = wanted
    told = [*(t["best"] for t in plan.tiers), *(g["best"] for g in plan.goals)]
    assert told == pytest.approx([value for _, value in best], rel=1e-6, abs=1e-5)
    chosen = set(plan.projects.loc[plan.projects["chosen"], "id"])
    assert chosen in attaining
    order = rank(instance)
    first = max(attaining, key=lambda c: [one in c for one in order])
    assert chosen == first
    _keeps_whole(plan, instance)


def _keeps_whole(plan, instance: Instance) -> None:
    """Amounts are whole, within bounds, add up to the cells, equally over places to a đồng."""
    amount = dict(zip(plan.projects["id"], plan.projects["amount"], strict=True))
    cells = dict.fromkeys(instance.cells, 0.0)
    parts = dict.fromkeys(instance.cells, 0)
    for p in instance.projects:
        given, most = int(amount[p["id"]]), int(p["support"]) * 10**6
        least = most if p["min_support"] == "-" else int(p["min_support"]) * 10**6
        assert given == 0 or least <= given <= most
        places = p["place"].split(";")
        for place in places:
            cells[place, p["area"], p["source"]] += given / len(places)
            parts[place, p["area"], p["source"]] += len(places) > 1
    named = {
        (at, p["area"], p["source"]) for p in instance.projects for at in p["place"].split(";")
    }
    found = plan.cells.set_index(["place", "area", "source"])["amount"]
    for cell in named:
        assert abs(int(found[cell]) - cells[cell]) <= parts[cell]
    assert sum(int(found[cell]) for cell in named) == sum(map(int, amount.values()))


@given(st.integers(0, 10**6))
@settings(max_examples=25, deadline=None)
def test_ranges_are_those_of_any_choice(seed):
    check_ranges(draw(seed))


@given(st.integers(0, 10**6))
@settings(max_examples=3, deadline=None)
def test_ranges_of_longer_lists_are_given_where_they_are_asked_for(seed):
    instance = draw(seed, (9, 13))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PLANNER, "WHYS_UP_TO", 8)
        check_ranges(instance, ranges=True)
        unasked = allocate(instance.data(), instance.scenario())
    assert unasked.status != "optimal" or unasked.cells["lowest"].isna().all()


def check_ranges(instance: Instance, *, ranges: bool | None = None) -> None:
    """Hold each cell's lowest and highest against those of every choice."""
    plan = allocate(instance.data(), instance.scenario(), ranges=ranges)
    if plan.status != "optimal":
        return
    told = [(t["best"], t["shortfall"]) for t in plan.tiers]
    told += [(g["best"], g["achieved"]) for g in plan.goals]
    low, high = {}, {}
    for program, stages, x in linked_choices(instance).values():
        for (_, cost, sign), values in zip(stages, told, strict=True):
            program.upper.append((cost, max(sign * value for value in values) + 1e-5))
        for cell, column in x.items():
            least, most = program.least({column: 1.0}), program.least({column: -1.0})
            if least is not None and most is not None:
                low[cell] = min(low.get(cell, least), least)
                high[cell] = max(high.get(cell, -most), -most)
    found = plan.cells.set_index(["place", "area", "source"])[["lowest", "highest"]] / 1e6
    for cell, least in low.items():
        assert tuple(found.loc[cell]) == pytest.approx((least, high[cell]), abs=1e-2)


def test_an_end_that_is_not_proven_in_time_is_blank_and_said(monkeypatch):
    instance = next(one for one in map(draw, range(99)) if len(one.cells) > 2 and one.goals)
    whole = allocate(instance.data(), instance.scenario())
    looks, ends = [], []

    def look(live, weights, seen, known=Live._look):
        looks.append((int(np.argmax(np.abs(weights))), float(weights.sum())))
        ends.append(live.solver.deadline)
        return len(looks) > 1 and known(live, weights, seen)

    monkeypatch.setattr(Live, "_look", look)
    plan = allocate(instance.data(), instance.scenario())
    assert ends[0] < ends[-1] - 10  # a hard cell leaves time to those after it
    cell, sign = looks[0]
    column = "lowest" if sign > 0 else "highest"
    assert plan.cells[column].isna().tolist() == [i == cell for i in range(len(plan.cells))]
    known = plan.cells["lowest"].notna() & plan.cells["highest"].notna()
    for end in ("lowest", "highest"):
        assert plan.cells.loc[known, end].equals(whole.cells.loc[known, end])
    (fault,) = (one for one in plan.warnings if one.code == "ranges-unfinished")
    assert fault.values == {"count": 1, "of": len(plan.cells)}
    assert "1/" in fault.found("vi")


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """Return a list whose second goal takes minutes."""
    folder = tmp_path_factory.mktemp("many")
    write(folder, SHAPES["grouped"], 800)
    return folder


def test_a_search_that_is_stopped_keeps_the_best_found_unproven(many, tmp_path):
    gaps = []

    def stop(step, share):
        gap = gap_told(share) if step == "choose" else None
        if gap is not None:
            gaps.append(gap)
            raise KeyboardInterrupt

    data, wanted = read_dataset(many), read_scenario(many / "scenario.yaml")
    found = allocate(data, wanted, progress=stop)
    assert found.status == "limit"
    assert gaps
    assert found.gap == pytest.approx(gaps[0], rel=1e-6)
    assert found.projects["chosen"].any()
    assert found.cells.empty
    assert found.explain()[0].startswith("Đã dừng theo yêu cầu")
    assert "CHƯA CHỨNG MINH" in " ".join(found.explain())
    found.save(tmp_path)
    assert [file.name for file in tmp_path.glob("*.[cx]*")] == []


def test_ctrl_c_ends_the_search_not_the_program(many):
    data, wanted = read_dataset(many), read_scenario(many / "scenario.yaml")
    asked = []

    def tell(step, share):
        if step == "choose" and gap_told(share) is not None and not asked:
            asked.append(share)
            signal.raise_signal(signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    found = allocate(data, wanted, progress=tell)
    assert asked
    assert found.status == "limit"
    assert found.stopped
    assert found.projects["chosen"].any()
    assert signal.getsignal(signal.SIGINT) is before


def test_ctrl_c_while_amounts_are_made_keeps_the_choice_unproven(monkeypatch):
    rows = "\n".join(f"P{n} x 01 TECH KCQG {20 + n} 10 1 normal - -" for n in range(9))
    data = dataset(projects=f"{HEAD}\n{rows}", vintage="34")
    wanted = scenario("budget: [{source: KCQG, amount: 90}]\ngoals: [{maximise: money}]\n")
    sized = PLANNER.size_plan

    def pressed(live, tell):
        signal.raise_signal(signal.SIGINT)
        return sized(live, tell)

    monkeypatch.setattr(PLANNER, "size_plan", pressed)
    found = allocate(data, wanted)
    assert (found.status, found.stopped, found.cells.empty) == ("limit", True, True)
    assert found.projects["chosen"].any()
    told = " ".join(found.explain())
    assert "CHƯA CHỨNG MINH" in told
    assert "Còn dở: số tiền của những gì đã chọn." in told  # every goal is proven


def test_what_stops_a_search_stops_all_that_is_solved_for_it(many, monkeypatch):
    # The programs without whole numbers, of purses and of bundles have the search's own clock.
    data, wanted = read_dataset(many), read_scenario(many / "scenario.yaml")
    pressed, after = [], []
    bundles = importlib.import_module("kc_model.allocate.bundles")
    run = Solver.run

    def watched(self, **how):
        if pressed and not self.clock.stopped:
            after.append(self)
        return run(self, **how)

    def press(self, priced, known=bundles.Bundle.least):
        if not pressed:
            pressed.append(time.monotonic())
            signal.raise_signal(signal.SIGINT)
        return known(self, priced)

    monkeypatch.setattr(Solver, "run", watched)
    monkeypatch.setattr(bundles.Bundle, "least", press)
    found = allocate(data, wanted, time_limit=600.0)
    assert pressed
    assert (found.status, found.stopped) == ("limit", True)
    assert not after


def test_a_goal_cut_off_before_any_plan_keeps_that_of_the_goal_before(monkeypatch, tmp_path):
    rows = "\n".join(f"P{n} x 01 TECH KCQG {20 + n} - 1 normal - -" for n in range(9))
    least, asked = WholeLadder.least, []

    def cut_off(self, cost, **how):
        asked.append(cost)
        if len(asked) > 1:
            nothing = np.zeros(0)
            return Outcome(Status.LIMIT, nothing, nothing, nothing, np.nan, np.nan)
        return least(self, cost, **how)

    monkeypatch.setattr(WholeLadder, "least", cut_off)
    cells = "place area source baseline\n01 TECH KCQG 50"
    data = dataset(projects=f"{HEAD}\n{rows}", cells=cells, vintage="34")
    goals = "goals: [{maximise: money}, {minimise: change}]\n"
    plan = allocate(data, scenario(f"budget: [{{source: KCQG, amount: 90}}]\n{goals}"))
    assert len(asked) > 1
    assert (plan.status, plan.cells.empty) == ("limit", True)
    assert plan.projects["chosen"].any()
    told = " ".join(plan.explain())
    assert "CHƯA CHỨNG MINH" in told
    assert "Còn dở: mục tiêu 2 (ít thay đổi nhất)" in told
    assert "Đã chứng minh: mục tiêu 1 (sử dụng nhiều kinh phí nhất)." in told
    plan.save(tmp_path)
    result = json.loads((tmp_path / "result.json").read_text(encoding="utf-8"))
    assert result["gap"] is None
    assert result["reached"] == [
        {"name": "maximise money", "goal": 1, "proven": True},
        {"name": "minimise change", "goal": 2, "proven": False},
    ]


def test_time_that_runs_out_is_not_called_a_stop(many):
    data, wanted = read_dataset(many), read_scenario(many / "scenario.yaml")
    found = allocate(data, wanted, time_limit=0.5)
    assert (found.status, found.stopped) == ("limit", False)
    assert "trong thời gian cho phép" in found.explain()[0]


# ---------------------------------------------------------------------------- the grid and links


def test_projects_that_no_step_fits_are_counted_and_named_with_what_mends_it():
    rows = "\n".join(
        f"P{n} việc{n} 01 TECH KCQG {20.5 + n if n % 2 else 20 + n} - 1 normal - -"
        for n in range(7)
    )
    data = dataset(projects=f"{HEAD}\n{rows}", vintage="34")
    goals = "goals: [{maximise: money}]\n"
    text = f"budget: [{{source: KCQG, amount: 300}}]\n{goals}round_to: "
    plan = allocate(data, scenario(f"{text}1\n"))
    (told,) = (one for one in plan.explain() if one.startswith("Bước làm tròn"))
    assert "Bước làm tròn 1 triệu đồng loại 3 đề án" in told
    assert "P5. việc5, P3. việc3, P1. việc1" in told  # the largest first
    assert "(round_to) 0,5 triệu đồng" in told
    assert "min_support" in told
    reasons = plan.project_table().set_index("id")["reason"]
    assert all("không thể được chọn" in reasons[one] for one in ("P1", "P3", "P5"))
    with pytest.raises(ValueError, match="project_table"):
        PLANNER.why_not(plan, ["P1"])
    finer = allocate(data, scenario(f"{text}0.5\n"))
    assert finer.projects["chosen"].all()
    assert not any(one.startswith("Bước làm tròn") for one in finer.explain())


TOLD = f"{HEAD} stage disbursed"
MID = "year month place area source plan disbursed\n"


def planned(rows: str, more: str = "", amount: int = 300, history: str = "", as_of=None):
    """Return the plan of some projects of national money."""
    cells = [(place, area, "KCQG") for place in ("01", "04") for area in ("TECH", "PROD")]
    data = dataset(
        vintage="34",
        projects=f"{TOLD}\n{rows}",
        absorption="\n".join(
            ["place area source upto rate", *(f"{' '.join(cell)} 1000 1" for cell in cells)]
        ),
        **({"history": MID + history} if history else {}),
    )
    text = f"budget: [{{source: KCQG, amount: {amount}}}]\ngoals: [{{maximise: disbursed}}]\n{more}"
    return allocate(data, scenario(text), as_of=as_of, detail=False)


def given_to(plan) -> dict[str, float]:
    chosen = plan.projects[plan.projects["chosen"]]
    return dict(zip(chosen["id"], chosen["amount"] / 1e6, strict=True))


def told(plan) -> set[tuple[str, str, str]]:
    """Return the warnings of the plan itself: code, project, others."""
    some = {"links-void", "project-contradiction", "project-exact", "project-off-grid"}
    return {
        (one.code, str(one.values["id"]), str(one.values.get("others", "")))
        for one in plan.warnings
        if one.code in some
    }


TEN = "round_to: 10"
HISTORY = "2024 6 01 TECH KCQG 100 35.5\n2024 6 04 TECH KCQG 100 35.5"


@pytest.mark.parametrize(
    ("rows", "more", "wanted"),
    [
        ("A x 01 TECH KCQG 86 - 1 normal - - accepted 86", TEN, {"A": 86}),
        ("A x 01 TECH KCQG 86 - 1 normal - - contracted 40", TEN, {"A": 86}),
        ("A x 01 TECH KCQG 86 20 1 normal - - contracted 43", TEN, {"A": 80}),  # a step between
        ("A x 01 TECH KCQG 86 82 1 normal - - contracted 40", TEN, {"A": 82}),  # none between
        ("A x 01 TECH KCQG 86 - 1 normal - - registered -", TEN, {}),
        (
            "A x 01 TECH KCQG 86 - 1 normal - - stopped 4\nB x 01 TECH KCQG 86 1 1 normal - - - -",
            "round_to: 5",
            {"A": 4, "B": 85},
        ),
    ],
)
def test_what_is_paid_holds_to_the_dong_on_the_grid_or_off_it(rows, more, wanted, tmp_path):
    plan = planned(rows, more)
    assert given_to(plan) == pytest.approx(wanted)
    off = {one for code, one, _ in told(plan) if code == "project-exact"}
    step = int(more.split()[-1])
    assert off == {one for one, amount in wanted.items() if amount % step}
    assert plan.cells["amount"].sum() == sum(wanted.values()) * 10**6
    plan.save(tmp_path)
    assert verify(tmp_path).proven


@pytest.mark.parametrize(
    ("row", "more", "amount"),
    [
        # 30 % of 115 is 34.5: the cap is kept a step below it, whatever the stage.
        ("contracted - - 115", "round_to: 1", 34),
        ("registered - - 115", "round_to: 1", 34),
        ("contracted - 20 115", "round_to: 1", 34),
        ("contracted - - 115", "round_to: 10", 30),
        ("contracted - - 115", "round_to: 0.5", 34.5),
        ("contracted 32 - 115", "round_to: 5", None),  # 32 at the least, 34.5 at most
        # What was paid, or is owed for what was accepted, holds to the đồng.
        ("contracted - 34.2 115", "round_to: 1", 34.5),
        ("accepted - - 115", "round_to: 1", 34.5),
        # Its own size is no ceiling.
        ("contracted - - 400", "round_to: 10", None),
    ],
)
def test_a_cap_off_the_grid_is_kept_by_the_step_below(row, more, amount):
    stage, least, paid, cost = row.split()
    head = "id name place area source cost support min_support kind stage disbursed norm quantity"
    data = dataset(
        vintage="34",
        projects=f"{head}\nA x 01 TECH KCQG {cost} 68 {least} normal {stage} {paid} N01 1",
        history="year month place area source plan disbursed\n2026 9 01 TECH KCQG 68 0",
        absorption="place area source upto rate\n01 TECH KCQG 1000 1",
    )
    text = f"budget: [{{source: KCQG, amount: 100}}]\ngoals: [{{maximise: disbursed}}]\n{more}\n"
    plan = allocate(data, scenario(text, head="name: x\nyear: 2026\n"), as_of=9)
    assert plan.status == "optimal"
    assert given_to(plan) == ({} if amount is None else {"A": amount})


def test_paid_parts_hold_in_each_place_and_free_ones_never_fall_below(tmp_path):
    rows = "S x 01;04 TECH KCQG 150 - 1 group - - stopped 71"
    plan = planned(rows, "round_to: 1", history=HISTORY, as_of=6)
    cells = plan.cells[plan.cells["area"] == "TECH"].set_index("place")["amount"]
    assert (cells.to_dict(), given_to(plan)) == ({"01": 35500000, "04": 35500000}, {"S": 71})
    plan.save(tmp_path)
    assert verify(tmp_path).proven
    # 72 of 150 are paid, 36 in each place: on a grid of 5 each has 40 at the least.
    rows = "S x 01;04 TECH KCQG 150 10 1 group - - contracted 71"
    plan = planned(rows, TEN, amount=81, history=HISTORY, as_of=6)
    assert given_to(plan) == {"S": 80}
    assert (plan.cells.loc[plan.cells["area"] == "TECH", "amount"] == 40_000_000).all()


@pytest.mark.parametrize(
    ("rows", "more", "amount", "rules", "to"),
    [
        ("A x 01 TECH KCQG 80 18 1 normal - - - -", f"spend: all\n{TEN}", 66, ["budget:1"], 2),
        ("A x 01 TECH KCQG 66 - 1 normal - - - -", f"spend: all\n{TEN}", 66, ["budget:1"], 2),
        ("A x 01 TECH KCQG 86 - 1 normal - - - -", "{A}", 300, ["r"], 2),
        ("A x 01 TECH KCQG 8.6 - 1 normal - - - -", "{A}", 300, ["r"], 0.2),
    ],
)
def test_a_grid_that_no_choice_fits_is_named(rows, more, amount, rules, to):
    rule = f"rules: [{{id: r, count: projects, where: {{id: A}}, min: 1}}]\n{TEN}"
    plan = planned(rows, rule if more == "{A}" else more, amount)
    assert plan.status == "infeasible"
    (conflict,) = plan.conflicts
    assert conflict["rules"] == ["round_to", *rules]
    (step,) = conflict["repairs"]
    assert (step["rule"], step["to"]) == ("round_to", pytest.approx(to))
    mended = planned(rows, rule if more == "{A}" else more, amount).scenario
    mended = allocate(plan.data, apply_repair(mended, step), detail=False)
    assert mended.status == "optimal"


def test_the_grid_is_not_named_where_laws_contradict_without_it():
    more = f"spend: all\n{TEN}"
    plan = planned("A x 01 TECH KCQG 60 - 1 normal - - - -", more, 66)
    assert [one["rules"] for one in plan.conflicts if "grid" in one] == []
    assert plan.status == "infeasible"


@given(st.integers(0, 10**6))
@example(76684)
@example(377442)
@settings(max_examples=15, deadline=None)
def test_on_a_grid_there_is_a_plan_or_a_conflict_that_is_none_without_the_grid(seed):
    rng = np.random.default_rng(seed)
    support = rng.integers(2, 12, size=4) * int(rng.choice([5, 7, 10]))
    paid = [int(rng.integers(1, one + 1)) if rng.random() < 0.3 else 0 for one in support]
    least = [int(rng.integers(1, one + 1)) if rng.random() < 0.5 else "-" for one in support]
    place = ["01", "04", "01;04", "01"]
    rows = "\n".join(
        f"P{k} x {place[k]} TECH KCQG {support[k]} {least[k]} 1 normal - - "
        + (f"contracted {paid[k]}" if paid[k] else "- -")
        for k in range(4)
    )
    spend = str(rng.choice(["all", "at_most"]))
    amount = int(rng.integers(sum(paid), support.sum() + 1))
    more = f"spend: {spend}\nrules: [{{id: r, each: place, min: {int(rng.integers(0, 30))}}}]\n"
    plan = planned(rows, f"{more}round_to: 10", amount)
    free = planned(rows, more, amount)
    assert {plan.status, free.status} <= {"optimal", "infeasible"}
    if plan.status == "infeasible":
        assert plan.conflicts
        of_grid = ["grid" in one for one in plan.conflicts]
        assert all(of_grid) if free.status == "optimal" else not any(of_grid)
    else:
        assert free.status == "optimal"
        for one, vnd in given_to(plan).items():
            k = int(one[1])
            low = max(paid[k], support[k] if least[k] == "-" else least[k])
            assert low - 1e-9 <= vnd <= support[k]
        assert plan.cells["amount"].sum() <= amount * 10**6


@pytest.mark.parametrize(
    ("rows", "least", "amount", "to", "named"),
    [
        (
            "P0 x 01 TECH KCQG 49 - 1 normal - - - -\nP1 x 04 TECH KCQG 21 - 1 normal - - - -\n"
            "P2 x 01;04 TECH KCQG 14 8 1 normal - - - -\nP3 x 01 TECH KCQG 21 5 1 normal - - - -",
            *(10, 70, 1, "đề án P0 (tối đa 49 triệu đồng), đề án P1 (tối đa 21 triệu đồng)"),
        ),
        (
            "P0 x 01 TECH KCQG 40 35 1 normal - - contracted 18\n"
            "P1 x 04 TECH KCQG 15 - 1 normal - - - -\n"
            "P2 x 01;04 TECH KCQG 50 14 1 normal - - contracted 20\n"
            "P3 x 01 TECH KCQG 25 - 1 normal - - - -",
            *(28, 125, 5, "đề án P1 (tối đa 15 triệu đồng), phần từng nơi của đề án P2"),
        ),
    ],
)
def test_a_grid_that_every_choice_fails_names_what_it_keeps_out_and_the_largest_step_that_does(
    rows, least, amount, to, named
):
    rule = f"rules: [{{id: r, each: place, min: {least}}}]\n"
    plan = planned(rows, f"{rule}{TEN}", amount)
    (conflict,) = plan.conflicts
    assert conflict["rules"] == ["round_to", "r"]  # without it a plan stands on the grid
    (step,) = conflict["repairs"]
    assert (step["now"], step["to"]) == (10, to)
    assert allocate(plan.data, apply_repair(plan.scenario, step), detail=False).status == "optimal"
    assert f"Không khớp bước làm tròn này: {named}" in " ".join(plan.explain())
    larger = [one for one in (5, 2) if one > to]  # no readable step between would do
    assert all(planned(rows, f"{rule}round_to: {n}", amount).status != "optimal" for n in larger)


LINKS = [
    # a required project that is out does not take from what is accepted
    (
        "P x 01 TECH KCQG 19 - 1 normal Q - accepted 9\n"
        "Q x 01 TECH KCQG 10 - 1 normal - - stopped 6",
        {"P": 19, "Q": 6},
        {("links-void", "P", "Q")},
    ),
    # what is stopped asks for nothing, and shuts nothing out
    (
        "S x 01 TECH KCQG 240 - 1 normal C - stopped 120\nC x 01 TECH KCQG 400 - 1 normal - - - -\n"
        "D x 01 TECH KCQG 180 - 9 normal - S - -",
        {"S": 120, "D": 180},
        set(),
    ),
    # two that stay exclude each other
    (
        "P x 01 TECH KCQG 19 - 1 normal - Q contracted 9\n"
        "Q x 01 TECH KCQG 10 - 1 normal - - contracted 6",
        {"P": 19, "Q": 10},
        {("links-void", "P", "Q")},
    ),
    # what is paid and goes no further (it needs a project that was stopped) still excludes
    (
        "A x 01 TECH KCQG 40 - 1 normal S B contracted 40\n"
        "S x 01 TECH KCQG 10 - 1 normal - - stopped -\nB x 01 TECH KCQG 20 - 9 normal - - - -",
        {"A": 40},
        set(),
    ),
    # unless the other was paid too
    (
        "A x 01 TECH KCQG 40 - 1 normal S B contracted 40\n"
        "S x 01 TECH KCQG 10 - 1 normal - - stopped -\n"
        "B x 01 TECH KCQG 20 - 9 normal - - contracted 5",
        {"A": 40, "B": 20},
        {("links-void", "A", "B")},
    ),
    # or is needed by one that goes on
    (
        "A x 01 TECH KCQG 40 - 1 normal S B contracted 40\n"
        "S x 01 TECH KCQG 10 - 1 normal - - stopped -\nB x 01 TECH KCQG 20 - 9 normal - - - -\n"
        "P x 01 TECH KCQG 19 - 1 normal B - contracted 9",
        {"A": 40, "P": 19},
        {("links-void", "P", "A; B")},
    ),
    # one that stays needs what another shuts out
    (
        "P x 01 TECH KCQG 10 - 1 normal R - contracted 5\n"
        "Q x 01 TECH KCQG 10 - 1 normal - R contracted 5\n"
        "R x 01 TECH KCQG 10 - 1 normal - - - -",
        {"P": 10, "Q": 10},
        {("links-void", "P", "Q; R")},
    ),
    # one that stays holds what it needs in, where nothing is against it
    (
        "P x 01 TECH KCQG 10 - 1 normal R - contracted 5\nQ x 01 TECH KCQG 280 - 9 normal - - - -\n"
        "R x 01 TECH KCQG 30 - 1 normal - - - -",
        {"P": 10, "R": 30},
        set(),
    ),
    # together or not at all
    (
        "A x 01 TECH KCQG 200 - 1 normal B - - -\nB x 01 TECH KCQG 50 - 1 normal A - - -\n"
        "C x 01 TECH KCQG 240 - 1 normal - - - -",
        {"A": 200, "B": 50},
        set(),
    ),
    (
        "A x 01 TECH KCQG 200 - 1 normal B - - -\nB x 01 TECH KCQG 150 - 1 normal A - - -\n"
        "C x 01 TECH KCQG 100 - 1 normal - - - -",
        {"C": 100},
        set(),
    ),
    # it can never be; unless it is paid already
    (
        "A x 01 TECH KCQG 200 - 1 normal B B - -\nB x 01 TECH KCQG 50 - 1 normal - - - -",
        {"B": 50},
        {("project-contradiction", "A", "")},
    ),
    (
        "A x 01 TECH KCQG 200 - 1 normal B B contracted 9\nB x 01 TECH KCQG 50 - 1 normal - - - -",
        {"A": 200},
        {("links-void", "A", "B")},
    ),
]


@pytest.mark.parametrize(("rows", "wanted", "said"), LINKS)
def test_links_of_what_stays_never_block(rows, wanted, said):
    plan = planned(rows, as_of=6, history="2024 6 01 TECH KCQG 300 0")
    assert plan.status == "optimal"
    assert given_to(plan) == pytest.approx(wanted)
    assert told(plan) == said


def test_what_is_chosen_gets_more_than_nothing():
    rows = "A x 01 TECH KCQG 50 0 1 flagship - - - -\nB x 04 TECH KCQG 50 0 1 flagship - - - -"
    rules = 'rules: [{id: r, count: projects, min: 1}, {id: z, where: {place: "01"}, max: 0}]'
    assert given_to(planned(rows, rules)) == {"B": 50}
    shut = rules[:-1] + ', {id: y, where: {place: "04"}, max: 0}]'
    plan = planned(rows, shut)
    assert (plan.status, {"r", "y", "z"}) == ("infeasible", set(plan.conflicts[0]["rules"]))


@pytest.mark.parametrize(
    ("rule", "codes"),
    [
        ("{id: r, count: projects, where: {kind: flagship}, min: 1}", ["empty-rule"]),
        ("{id: r, count: projects, where: {id: ZZ}, max: 0}", ["empty-rule"]),
        ("{id: r, count: projects, where: {kind: flagshp}, min: 0}", ["empty-rule"]),
        ("{id: r, count: projects, of: {kind: flagship}, max: 0.5}", ["empty-whole"]),
    ],
)
def test_a_rule_that_selects_no_project_is_refused(rule, codes):
    with pytest.raises(InputError) as raised:
        planned("A x 01 TECH KCQG 50 - 1 normal - - - -", f"rules: [{rule}]")
    assert [one.code for one in raised.value.faults if one.level == "error"] == codes


@pytest.mark.parametrize("tier", ["law", "directive", "preference"])
def test_a_place_with_cells_and_no_project_counts_none(tier):
    rows = "A x 01 TECH KCQG 50 - 1 normal - -"
    cells = "place area source\n01 TECH KCQG\n04 TECH KCQG"
    data = dataset(projects=f"{HEAD}\n{rows}", cells=cells, vintage="34")
    rule = f"rules: [{{id: r, each: place, count: projects, min: 1, tier: {tier}}}]\n"
    plan = allocate(
        data,
        scenario(f"budget: [{{source: KCQG, amount: 90}}]\n{rule}goals: [{{maximise: money}}]\n"),
    )
    if tier == "law":
        assert plan.status == "infeasible"
        (conflict,) = plan.conflicts
        assert conflict["rules"] == ["r"]
        assert {(one["group"], one["by"]) for one in conflict["repairs"]} == {("04", 1.0)}
        return
    found = plan.rule_rows[plan.rule_rows["id"] == "r"].set_index("group")
    assert found["lhs"].to_dict() == {"01": 1.0, "04": 0.0}
    assert found["shortfall"].to_dict() == {"01": 0.0, "04": 1.0}
    for language, missed in (
        ("vi", "còn thiếu tổng cộng 1 đề án ở"),
        ("en", "short by 1 project "),
    ):
        assert missed in "\n".join(plan.explain(language))


def test_a_group_without_such_a_project_makes_no_row():
    rows = "A x 01 TECH KCQG 50 - 1 group - - - -\nB x 04 TECH KCQG 50 - 1 normal - - stopped -"
    rule = "rules: [{id: r, each: place, count: projects, %smin: 1, tier: directive}]"
    plan = planned(rows, rule % "where: {kind: group}, ")
    assert plan.rule_rows.loc[plan.rule_rows["id"] == "r", "group"].tolist() == ["01"]
    assert ("empty-groups", "04") in {(w.code, w.values.get("groups")) for w in plan.warnings}
    plan = planned(rows, rule % "")  # one that is listed and cannot be chosen is missed
    rows_of = plan.rule_rows[plan.rule_rows["id"] == "r"].set_index("group")["shortfall"]
    assert rows_of.to_dict() == {"01": 0, "04": 1}


def test_a_gap_is_told_of_the_stage_that_was_not_come_to_an_end():
    found = Climb(Status.LIMIT, (1.0,), (SimpleNamespace(gap=0.0),))
    assert gap_of(found) == float("inf")
    assert gap_of(Climb(Status.LIMIT, (1.0,), (*found.outcomes, SimpleNamespace(gap=0.2)))) == 0.2
    assert gap_of(Climb(Status.OPTIMAL, (1.0,), found.outcomes)) == 0.0


# --- Lists that are not complete, and lists set aside ---------------------------------------------

PARTLY = "A x 01 TECH KCQG 50 - 1 normal - - - -\nB x 04 TECH KCQG 80 - 1 normal - - - -"


def test_a_list_that_cannot_take_what_is_planned_or_paid_is_told():
    plan = planned(PARTLY, history=HISTORY.replace("35.5", "60"), as_of=6)
    assert plan.status == "infeasible"  # 60 million are paid where one project of 50 stands
    found = {one.code: one.values for one in plan.warnings}
    assert found["projects-partial"]["told_vi"] == "200 triệu đồng"
    assert found["projects-partial"]["most_en"] == "130 million VND"
    assert found["paid-beyond"]["count"] == 1
    assert "Hà Nội" in str(found["paid-beyond"]["cells_vi"])
    (trouble,) = troubles(plan)
    assert trouble.told[0].endswith("giữ cả hai thì không có phương án.")
    ((_, steps),) = trouble.ways
    by_cells, data = mended(plan.scenario, plan.data, steps)
    assert by_cells.projects == "ignore"
    assert allocate(data, by_cells, as_of=6, detail=False).status == "optimal"
    assert not any("projects:" in text for one in troubles(plan) for text in one.told)
    whole = planned(PARTLY, history=HISTORY)
    told = [one for one in whole.warnings if one.code == "projects-partial"]
    assert incomplete_list(whole.data, whole.scenario) == tuple(told) != ()
    assert incomplete_list(whole.data, replace(whole.scenario, projects="ignore")) == ()
    codes = {one.code for one in planned(PARTLY, history=HISTORY.replace("100", "70")).warnings}
    assert not codes & {"projects-partial", "paid-beyond"}


def test_a_list_set_aside_leaves_the_plan_of_its_cells():
    rules = "rules: [{id: two, count: projects, min: 2}, {id: one, where: {id: A}, max: 0}]\n"
    history = HISTORY.replace("35.5", "60")
    plan = planned(PARTLY, f"{rules}projects: ignore\n", 150, history, as_of=6)
    assert plan.status == "optimal"
    assert not len(plan.projects)
    amounts = plan.cells.set_index("place")["amount"] / 1e6
    assert amounts.min() >= 60
    assert plan.provenance.dataset == planned(PARTLY, history=history).provenance.dataset
    assert amounts.sum() == 150
    (told,) = (one for one in plan.warnings if one.code == "projects-ignored")
    assert told.found("vi").endswith("tiền chia theo ô; bỏ qua các quy định về đề án: two; one.")
    plan = planned(PARTLY, "projects: ignore\n", 150, history, as_of=6)
    (told,) = (one for one in plan.warnings if one.code == "projects-ignored")
    assert told.found("vi").endswith("2 đề án: tiền chia theo ô.")
    assert told.found("en").endswith("money goes to cells.")


def test_a_list_whose_cells_are_all_in_one_purse_is_chosen_too(tmp_path):
    shape = replace(SHAPES["disbursed-change"], flexible=0.2, links=0.4, groups=0.0)
    write(tmp_path, replace(shape, places=1, seed=501), 61)
    plan = allocate(read_dataset(tmp_path), read_scenario(tmp_path / "scenario.yaml"), detail=False)
    assert plan.status == "optimal"


@pytest.mark.parametrize("goals", ["disbursed-change", "even-change"])
def test_goals_without_a_give_are_kept_at_what_the_choice_made_of_them(
    tmp_path, goals, monkeypatch
):
    # Chosen to a gap, the first goal could be a little better by sizes alone: at the cost of the
    # second, to which the projects were chosen with the first as it was.
    floors, close = [], Mix.close

    def watched(mix, *args):
        close(mix, *args)
        floors.append(mix.floor)

    monkeypatch.setattr(Mix, "close", watched)
    write(tmp_path, replace(SHAPES[goals], places=6), 150)
    plan = allocate(read_dataset(tmp_path), read_scenario(tmp_path / "scenario.yaml"), detail=False)
    assert plan.status == "optimal"
    assert 1e-6 < plan.gap <= 1e-3
    for goal, bound in zip(plan.goals, plan.bounds, strict=True):
        assert goal["achieved"] == pytest.approx(goal["best"], rel=1e-6)
        assert abs(bound - goal["best"]) <= 1e-3 * max(1.0, abs(goal["best"]))
    # So the plan that stands may miss its rows by a hair: cells are still mixed around it.
    assert len(floors) >= len(SHAPES[goals].goals)
    assert np.isfinite(floors).all()
    plan.save(tmp_path / "out")
    assert verify(tmp_path / "out").proven
    # As far as the result says that better may be, and no further.
    forge(tmp_path / "out", lambda said: said.update(bounds=[g["best"] for g in said["goals"]]))
    failed = {check.name for check in verify(tmp_path / "out").checks if not check.passed}
    assert failed == {"best_sizes"}


def forge(folder, change) -> None:
    """Change what a saved result says."""
    said = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    change(said)
    (folder / "result.json").write_text(json.dumps(said), encoding="utf-8")


def test_a_goal_that_may_give_way_is_held_to_its_best_whatever_gap_is_told(tmp_path):
    rows = "\n".join(f"P{n} x 01 TECH KCQG {20 + n} 10 1 normal - -" for n in range(9))
    data = dataset(projects=f"{HEAD}\n{rows}", vintage="34")
    goals = "goals: [{maximise: money, give: 0.01}, {minimise: change}]\n"
    plan = allocate(data, scenario(f"budget: [{{source: KCQG, amount: 90}}]\n{goals}"))
    assert plan.goals[0]["best"] == 90
    plan.save(tmp_path)
    assert verify(tmp_path).proven

    def worse(said):
        said["gap"] = 9e-4
        said["goals"][0]["best"] = said["bounds"][0] = 89.96

    forge(tmp_path, worse)
    assert not next(one for one in verify(tmp_path).checks if one.name == "best_sizes").passed


# ---------------------------------------------------------------------------- what none can beat


def _bounds(seed: int) -> tuple[float, float, float] | None:
    """Return the first stage's best, and what chords and points of cells say none can beat."""
    instance = draw(seed)
    try:
        problem = build_problem(instance.data(), instance.scenario())
    except InputError:
        return None
    return _bounds_of(problem)


def _bounds_of(problem) -> tuple[float, float, float] | None:
    ladder = Live(problem, time.monotonic() + 60).ladder
    if not isinstance(ladder, WholeLadder):
        return None  # no project is left to decide
    ladder.back()
    best = ladder.solve(0)
    if best.status is not Status.OPTIMAL:
        return None
    chords, relaxed = ladder._without()
    far = best.objective + 2 * abs(best.objective) + 1  # so that nothing ends the search early
    mix = ladder.guess.mix(relaxed, chords.values, best.values, far, lambda: True)
    while mix is not None and mix.join(best.values, far, lambda: True):
        pass  # some rounds at a time
    found = chords.objective if mix is None else mix.floor
    return best.objective, chords.objective, found


@given(st.integers(0, 10**6))
@settings(max_examples=40, deadline=None)
def test_no_plan_beats_what_the_points_of_cells_say(seed):
    found = _bounds(seed)
    if found is not None:
        best, _, bound = found
        assert bound <= best + 1e-6 * max(1.0, abs(best))


@pytest.mark.parametrize("seed", range(3))
def test_projects_that_cannot_all_be_decided_at_once_are_decided_in_part(seed, tmp_path):
    shape = replace(SHAPES["one-goal"], places=12, groups=0.0, links=0.6, seed=seed)
    write(tmp_path, shape, 300)
    problem = build_problem(read_dataset(tmp_path), read_scenario(tmp_path / "scenario.yaml"))
    ladder = Live(problem, time.monotonic() + 60).ladder
    ladder.solver.set_cost(np.eye(len(ladder.solver.cost))[ladder.columns[0]])
    bound, relaxed = ladder._without()
    columns, at = ladder.guess.of(relaxed, bound.values, is_thorough=True)
    assert np.all(at == np.rint(at))
    assert ladder._with(columns, at, 1.0).status in (Status.OPTIMAL, Status.LIMIT)


_COUNTED = (
    {"id": "each", "each": "place", "count": "projects", "min": 4},
    {"id": "clusters", "where": {"area": "CLUS"}, "count": "projects", "max": 6},
)


def _mixed(tmp_path):
    """Return a ladder, its best plan, a mix of counted projects, and what is far from the best."""
    shape = replace(SHAPES["one-goal"], goals=(CHANGE,), places=5, rules=_COUNTED, groups=0.2)
    write(tmp_path, shape, 150)
    problem = build_problem(read_dataset(tmp_path), read_scenario(tmp_path / "scenario.yaml"))
    ladder = Live(problem, time.monotonic() + 600).ladder
    ladder.back()
    best = ladder.solve(0)
    assert best.status is Status.OPTIMAL
    bound, relaxed = ladder._without()
    far = 3 * best.objective + 1
    mix = ladder.guess.mix(relaxed, bound.values, best.values, far, lambda: True)
    return ladder, best, mix, far


def test_a_count_with_room_tells_no_projects_apart_until_a_choice_misses_it(tmp_path):
    ladder, best, _, far = _mixed(tmp_path)
    guess, solver = ladder.guess, ladder.solver
    counts = solver.row_low[guess._silent]
    assert np.sum(counts == 4) == 5  # one row for each place
    columns = guess._z[guess._z >= 0]
    assert not guess.hears(solver, columns, np.rint(best.values[columns]))
    assert guess.hears(solver, columns, np.zeros(len(columns)))  # nothing is chosen
    bound, relaxed = ladder._without()
    guess.mix(relaxed, bound.values, best.values, far, lambda: True)
    assert not np.any(solver.row_low[guess._silent] == 4)


def test_cells_that_share_projects_have_states_to_choose_from_once_they_stand_together(tmp_path):
    _, best, mix, far = _mixed(tmp_path)
    while mix.join(best.values, far, lambda: True):
        pass
    told = [block.cells[0] for block in mix._blocks if block.cells[0].profile is not None]
    assert told
    assert all(np.isfinite(cell.offered(mix._duals)[1]).any() for cell in told)


def test_points_of_cells_say_more_than_chords(tmp_path):
    write(tmp_path, replace(SHAPES["one-goal"], places=8), 240)
    problem = build_problem(read_dataset(tmp_path), read_scenario(tmp_path / "scenario.yaml"))
    best, chords, hull = _bounds_of(problem)
    assert best - hull < (best - chords) / 2


def test_whole_purses_leave_next_to_nothing_between_a_plan_and_what_none_can_beat(tmp_path):
    shape = replace(SHAPES["one-goal"], goals=(CHANGE,), places=8, groups=0.0, links=0.0)
    write(tmp_path, shape, 160)
    problem = build_problem(read_dataset(tmp_path), read_scenario(tmp_path / "scenario.yaml"))
    best, chords, purses = _bounds_of(problem)
    assert chords < 0.99 * best
    assert 0.999 * best <= purses <= best * (1 + 1e-6)


@pytest.mark.parametrize(("flexible", "near"), [(0.0, 0.996), (1.0, 0.999)])
def test_projects_that_places_share_leave_next_to_nothing_either(tmp_path, flexible, near):
    base = replace(SHAPES["one-goal"], goals=(CHANGE,), places=6, links=0.0)
    write(tmp_path, replace(base, flexible=flexible, groups=0.3), 120)
    problem = build_problem(read_dataset(tmp_path), read_scenario(tmp_path / "scenario.yaml"))
    best, chords, floor = _bounds_of(problem)
    assert chords < 0.95 * best
    assert near * best <= floor <= best * (1 + 1e-6)


@st.composite
def _divided(draw):
    """Draw cells by their stretches of money, a cost of each point, and a purse."""
    stretch = st.tuples(st.integers(0, 6), st.integers(0, 3))
    cells = draw(st.lists(st.lists(stretch, min_size=1, max_size=3), min_size=2, max_size=3))
    cost = st.integers(-9, 9)
    costs = [draw(st.lists(cost, min_size=2 * len(one), max_size=2 * len(one))) for one in cells]
    low = draw(st.integers(0, 8))
    return cells, costs, low, low + draw(st.integers(0, 8)), draw(st.integers(-3, 3))


@given(_divided())
def test_a_purse_is_divided_so_that_it_costs_least(case):
    cells, costs, low, high, price = case
    states, ways = [], []
    for one, own in zip(cells, costs, strict=True):
        ends = [(k, a + (b if end else 0)) for k, (a, b) in enumerate(one) for end in (0, 1)]
        money, state = np.array([m for _, m in ends], float), np.array([k for k, _ in ends])
        top = np.array([float(a + b) for a, b in one])
        plain, none = Points(state, money, np.zeros((len(money), 0)), np.zeros((len(money), 0))), ()
        between = lambda state, money: Part(state, (float(money),))  # noqa: E731
        states.append(SimpleNamespace(plain=plain, top=top, extras=none, between=between))
        ways.append({})
        for k, (a, b) in enumerate(one):
            for money in range(a, a + b + 1):
                share = (money - a) / b if b else 0.0
                of = own[2 * k] if not share else own[2 * k] * (1 - share) + own[2 * k + 1] * share
                of = min(of, own[2 * k + 1]) if not b else of
                ways[-1][money] = min(of, ways[-1].get(money, np.inf))
    # An open side has no price: what rounding makes of one may not pass for infinitely much.
    purse = Purse(0, list(range(len(cells))), states, (low or -np.inf, high), 1.0)
    every = [np.array(own, dtype=float) for own in costs]
    purse.least([own[::-1] for own in every], np.array([float(-price)]))  # what it knows is no aid
    least, plan = purse.least(every, np.array([float(price)]))
    price = 0 if price > 0 and not low else price
    bound = price * (high if price < 0 else low)
    every = [
        sum(way[m] for way, m in zip(ways, money, strict=True)) + price * sum(money) - bound
        for money in product(*ways)
        if low <= sum(money) <= high
    ]
    assert bool(plan) == bool(every)
    if plan:
        assert least == pytest.approx(min(every))
        told = sum(part.money for part in plan)
        assert low <= told <= high


_CALM = {"scale": 1.0, "clock": Clock(np.inf), "goes_on": lambda _gap: True}


@st.composite
def _shared_projects(draw):
    """Draw cells, the projects that some of them share, and a cost of each way to have them."""
    count = draw(st.integers(1, 3))
    cells = [
        sorted(draw(st.sets(st.integers(0, count - 1), max_size=count)))
        for _ in range(draw(st.integers(2, 3)))
    ]
    cost = st.integers(-9, 9)
    ways = [list(product((0, 1), repeat=len(own))) for own in cells]
    costs = [draw(st.lists(cost, min_size=2 * len(w), max_size=2 * len(w))) for w in ways]
    return count, cells, ways, costs


@given(_shared_projects())
def test_cells_that_share_projects_agree_at_least_cost(case):
    count, cells, ways, costs = case
    states, priced = [], []
    for own, way, cost in zip(cells, ways, costs, strict=True):
        profiles = np.array(way, dtype=float).reshape(len(way), len(own))
        ties = [Cut(np.array([p]), np.ones(1), 0.0) for p in own]
        group = np.repeat(np.arange(len(way)), 2)  # two states of each way
        part = lambda points, n: Part(int(points.state[n]), (float(n),))  # noqa: E731
        states.append(SimpleNamespace(profiles=profiles, ties=ties, group=group, part=part))
        none = np.zeros((len(cost), 0))
        points = Points(np.arange(len(cost)), np.zeros(len(cost)), none, none)
        priced.append((points, np.array(cost, dtype=float)))
    bundle = Bundle([*range(len(cells))], states, {*range(count)}, SimpleNamespace(**_CALM))
    least, plan = bundle.least(priced)
    every = []
    for chosen in product((0, 1), repeat=count):
        told = [
            way.index(tuple(chosen[p] for p in own)) for own, way in zip(cells, ways, strict=True)
        ]
        every.append(sum(min(cost[2 * k : 2 * k + 2]) for k, cost in zip(told, costs, strict=True)))
    assert least == pytest.approx(min(every), abs=1e-5)
    made = [cost[part.state] for cost, part in zip(costs, plan, strict=True)]
    assert sum(made) == min(every)
    parts = zip(cells, ways, states, plan, strict=True)
    given = [
        dict(zip(own, way[one.group[part.state]], strict=True)) for own, way, one, part in parts
    ]
    assert all(len({told[p] for told in given if p in told}) <= 1 for p in range(count))


@given(
    stretch=st.tuples(st.integers(0, 6), st.integers(0, 4)),
    wide=st.lists(st.tuples(st.integers(1, 4), st.integers(-5, 5)), max_size=3),
    bend=st.integers(0, 12),
    prices=st.tuples(st.integers(-5, 5), st.integers(-5, 5)),
    bounds=st.tuples(st.integers(0, 5), st.integers(6, 20)),
)
def test_the_cheapest_point_is_told_where_projects_of_others_give_more_or_less(
    stretch, wide, bend, prices, bounds
):
    low, high = stretch[0], stretch[0] + stretch[1]
    every = {
        price * money
        + slope * abs(money - bend)
        + sum(more * worth for more, (_, worth) in zip(given_, wide, strict=True))
        for own in range(low, high + 1)
        for given_ in product(*(range(most + 1) for most, _ in wide))
        if bounds[0] <= (money := own + sum(given_)) <= bounds[1]
        for price, slope in [prices]
    }
    one = CellStates(
        money=0,
        costs=[Cost(1, 1.0, float(bend), np.array([bend, np.inf]), np.array([-1.0, 1.0]))],
        ties=[Cut(np.array([2]), np.ones(1), 0.0)],
        amounts=(more := [Extra(3 + n, 2, 0.0, float(m), 1.0, 0) for n, (m, _) in enumerate(wide)]),
        extras=more,
        low=np.array([float(low)]),
        high=np.array([float(high)]),
        group=np.array([0]),
        profiles=np.ones((1, 1)),
        sets=None,
        others=None,
        bounds=bounds,
        loose=frozenset(),
        inner=np.zeros(0, dtype=int),
    )
    if not every:
        return
    own = np.array([*prices, 0.0, *(worth for _, worth in wide), 0.0], dtype=float)
    points, costs = one.priced(own)
    assert costs.min() == pytest.approx(min(every))
    for n in range(len(costs)):
        part = one.part(points, n)
        assert own[:-1] @ part.values == pytest.approx(costs[n])
        assert low - 1e-9 <= part.money - points.extras[n].sum() <= high + 1e-9
