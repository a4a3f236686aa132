"""Mid-year with projects: against every choice and every size there is, tried one by one."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from datetime import date
from decimal import Decimal
from functools import cache
from itertools import product
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pytest
from datasets import dataset, scenario, table
from hypothesis import example, given, settings
from hypothesis import strategies as st

import kc_model as kc
from kc_model.allocate import allocate
from kc_model.explain import why_left
from kc_model.moves import adjusted, changed, find_moves, moves, refuse
from kc_model.results import Forecast, Provenance
from kc_model.wording import LANGUAGES, say
from kc_model.workbench.deciding import HELD, decided

STEP = 10
HEAD = "id name place area source support min_support score kind requires excludes stage disbursed"
SLICES = ((60, 0.9), (140, 0.6), (1000, 0.2))  # upto, rate: of every cell
ANEW = 0.4  # the chance of money that is only begun now, of every cell
LOW = {"TRAIN": 0.7, "TECH": 0.0}  # what the law lets be paid on a contract, the least of its rows
CELLS = [(p, a, s) for p in ("01", "19") for a in ("TRAIN", "TECH") for s in ("KCQG", "KCDP")]


def drawn(seed: int) -> tuple[list[dict], list[tuple[str, str | None, int]], list[str]]:
    """Return projects, budgets (source, place, amount) and goals."""
    rng = np.random.default_rng(seed)
    projects = []
    for k in range(int(rng.integers(3, 7))):
        stage = str(rng.choice(["registered", "assigned", "contracted", "accepted", "stopped"]))
        support = int(rng.integers(2, 10)) * STEP * 2
        least = int(rng.integers(1, support // STEP + 1)) * STEP if rng.random() < 0.4 else None
        paid = 0
        if stage in ("contracted", "accepted", "stopped") and rng.random() < 0.6:
            paid = int(rng.integers(1, support // STEP // 2 + 1)) * STEP
        projects.append(
            {
                "id": f"P{k}",
                "name": "x",
                "place": "01;19" if rng.random() < 0.2 else str(rng.choice(["01", "19"])),
                "area": str(rng.choice(["TRAIN", "TECH"])),
                "source": str(rng.choice(["KCQG", "KCDP"])),
                "support": support,
                "min_support": least,
                "score": int(rng.integers(0, 3)),
                "kind": "normal",
                "requires": f"P{k - 1}" if k and rng.random() < 0.15 else None,
                "excludes": f"P{k - 1}" if k and rng.random() < 0.15 else None,
                "stage": stage,
                "disbursed": paid or None,
            }
        )
        if "01;19" in projects[-1]["place"]:  # so that sizes tried one by one meet every bend
            projects[-1]["min_support"] = least and (least // 20 * 20 or 20)
            projects[-1]["disbursed"] = paid // 20 * 20 or None
    budgets = [("KCQG", None, int(rng.integers(10, 60)) * STEP)]
    budgets += [("KCDP", place, int(rng.integers(5, 40)) * STEP) for place in ("01", "19")]
    goals = [["disbursed", "change"], ["disbursed", "money"], ["change", "disbursed"]]
    goals += [["disbursed", "moves"], ["moves", "disbursed"]]
    return projects, budgets, list(goals[int(rng.integers(0, 5))])


def built(projects, budgets, goals, *, given: bool):
    rows = [HEAD]
    for p in projects:
        rows.append(" ".join("-" if p[key] is None else str(p[key]) for key in HEAD.split()))
    absorption = ["place area source upto rate"]
    absorption += [f"{p} {a} {s} {u} {r}" for p, a, s in CELLS for u, r in SLICES]
    named = {(at, p["area"], p["source"]) for p in projects for at in p["place"].split(";")}
    cells = [f"{' '.join(cell)} {'-' if cell in named else 0}" for cell in CELLS]
    data = dataset(
        vintage="34",
        cells="\n".join(["place area source max", *cells]),
        projects="\n".join(rows),
        **({"absorption": "\n".join(absorption)} if given else {}),
    )
    lines = [
        f"  - {{source: {s}, {f'place: {chr(34)}{p}{chr(34)}, ' if p else ''}amount: {vnd}}}"
        for s, p, vnd in budgets
    ]
    sense = {
        "disbursed": "maximise",
        "money": "maximise",
        "change": "minimise",
        "moves": "minimise",
    }
    lines = ["budget:", *lines, "goals:", *(f"  - {{{sense[g]}: {g}}}" for g in goals)]
    outlook = None
    if not given:
        slices = table("absorption", "\n".join(absorption))
        cells = pd.DataFrame(CELLS, columns=["place", "area", "source"]).assign(
            activity="", region="R-N", plan=pd.NA, disbursed=pd.NA, basis="basis.curve", anew=ANEW
        )
        none = np.zeros((1, len(cells)))
        outlook = Forecast(
            *(2024, 9, 12, "million_vnd", cells, none, none, slices, pd.DataFrame(), (), ()),
            Provenance({}, ""),
        )
    return data, scenario("\n".join(lines) + "\n"), outlook


# ---------------------------------------------------------------------------- by hand


def sizes_of(p: dict) -> list[int]:
    """Return every amount a project may get, 0 for none."""
    paid = p["disbursed"] or 0
    if p["stage"] == "stopped":
        return [paid]
    most = p["support"]
    if p["stage"] == "accepted":
        return [most]
    least = max(p["min_support"] or most, paid)
    return [*([] if paid else [0]), *range(least, most + 1, STEP)]


def before_of(p: dict) -> int:
    in_force = p["stage"] in ("assigned", "contracted", "accepted")
    return max(p["support"] if in_force else 0, p["disbursed"] or 0)


def sure_of(p: dict) -> float:
    paid = p["disbursed"] or 0
    share = {"accepted": 1.0, "contracted": LOW[p["area"]]}.get(p["stage"], 0.0)
    least = max(p["min_support"] or p["support"], paid)
    return min(least, max(paid, share * p["support"])) if share < 1 else p["support"]


def spread(projects, amounts) -> dict:
    found = dict.fromkeys(CELLS, 0.0)
    for p, vnd in zip(projects, amounts, strict=True):
        places = p["place"].split(";")
        for place in places:
            found[place, p["area"], p["source"]] += vnd / len(places)
    return found


def integral(start: float, end: float, begun: float = np.inf) -> float:
    """Return what is disbursed of the money between two amounts; beyond a third it is new."""
    before, total = 0.0, 0.0
    for upto, rate in SLICES:
        for low, high, own in ((before, begun, rate), (begun, upto, min(rate, ANEW))):
            total += own * max(0.0, min(end, upto, high) - max(start, before, low))
        before = upto
    return total


def expected(projects, amounts, may, *, given: bool) -> float:
    x = spread(projects, amounts)
    if given:
        return sum(integral(0.0, vnd) for vnd in x.values())
    all_sure = spread(projects, [sure_of(p) * (p["id"] in may) for p in projects])
    own = spread(projects, [sure_of(p) if a else 0 for p, a in zip(projects, amounts, strict=True)])
    begun = spread(projects, [_begun(p) * (p["id"] in may) for p in projects])
    for cell, new in spread(projects, [p["stage"] == "registered" and p["id"] in may
                                       for p in projects]).items():  # fmt: skip
        begun[cell] = begun[cell] if new else np.inf
    return sum(own[c] + integral(all_sure[c], all_sure[c] + x[c] - own[c], begun[c]) for c in CELLS)


def _begun(p: dict) -> int:
    return 0 if p["stage"] == "registered" else max(sizes_of(p))


def enumerated(projects, budgets, goals, may, *, given: bool):
    """Return the best value of every goal and the choices that attain them; None: no plan.

    `may`: projects that can be chosen at all.
    """
    ids = [p["id"] for p in projects]
    base = spread(projects, [before_of(p) for p in projects])
    plans = []
    for amounts in product(*(sizes_of(p) for p in projects)):
        has = {one for one, vnd in zip(ids, amounts, strict=True) if vnd}
        kept = {p["id"] for p in projects if p["disbursed"] or p["stage"] == "accepted"}
        gone = {p["id"] for p in projects if p["stage"] == "stopped"}
        fits = all(
            (not p["requires"] or p["requires"] in has or (p["id"] in kept & has))
            and not (p["requires"] in gone and vnd and p["id"] not in kept)
            and not (
                p["excludes"] in has
                and {p["id"], p["excludes"]} - kept
                and {p["id"], p["excludes"]}.isdisjoint(gone)  # it asks for nothing any more
            )
            for p, vnd in zip(projects, amounts, strict=True)
            if vnd
        )
        x = spread(projects, amounts)
        for source, place, most in budgets:
            used = sum(v for c, v in x.items() if c[2] == source and place in (None, c[0]))
            fits = fits and used <= most + 1e-9
        if fits:
            values = {
                "disbursed": -expected(projects, amounts, may, given=given),
                "change": sum(abs(x[c] - base[c]) for c in CELLS),
                "money": -sum(amounts),
                "moves": sum(vnd != before_of(p) for p, vnd in zip(projects, amounts, strict=True)),
            }
            plans.append((tuple(round(values[g], 9) for g in goals), frozenset(has)))
    if not plans:
        return None
    best = min(values for values, _ in plans)
    return best, {has for values, has in plans if values == best}


@given(st.integers(0, 10**6), st.booleans())
@example(1548, False)
@example(7070, False)
@settings(max_examples=60, deadline=None)
def test_the_plan_is_the_best_of_all(seed, given):
    projects, budgets, goals = drawn(seed)
    for p in projects:  # a paid project's needs are facts; links of others are tried elsewhere
        if p["disbursed"] or p["stage"] in ("accepted", "stopped"):
            p["requires"] = None
    data, wanted, outlook = built(projects, budgets, goals, given=given)
    plan = allocate(data, wanted, outlook, as_of=9, detail=False)
    told = plan.projects.to_dict("records")  # none where there is no plan
    may = {p["id"] for p in told if p["chosen"] or p["reason"] == "left"}
    found = enumerated(projects, budgets, goals, may, given=given)
    if found is None:
        assert plan.status == "infeasible"
        return
    assert plan.status == "optimal"
    best, attaining = found
    sign = {"disbursed": -1, "money": -1, "change": 1, "moves": 1}
    told = tuple(sign[g] * goal["best"] for g, goal in zip(goals, plan.goals, strict=True))
    assert told == pytest.approx(best, rel=1e-6, abs=1e-5)
    assert set(plan.projects.loc[plan.projects["chosen"], "id"]) in attaining
    _conserves(plan, projects)
    if "moves" in goals:
        amount = plan.projects["amount"].to_numpy(dtype=int) // 10**6
        moved = sum(vnd != before_of(p) for vnd, p in zip(amount, projects, strict=True))
        assert plan.goals[goals.index("moves")]["achieved"] == moved


def _conserves(plan, projects) -> None:
    """Paid money stays, moves stay within purses, parts add up to the cells, to the đồng."""
    amount = dict(zip(plan.projects["id"], plan.projects["amount"], strict=True))
    for p in projects:
        assert amount[p["id"]] >= (p["disbursed"] or 0) * 10**6
    assert plan.parts["after"].sum() == plan.cells["amount"].sum()
    net: dict[tuple, int] = {}
    for move in find_moves(plan).to_dict("records"):
        assert move["amount"] > 0
        for end, sign in (("from", -1), ("to", 1)):
            key = (move[f"{end}_cell"], move.get(f"{end}_project", ""))
            net[key] = net.get(key, 0) + sign * int(move["amount"])
        cells = [
            plan.cells.loc[move[f"{e}_cell"]] for e in ("from", "to") if move[f"{e}_cell"] >= 0
        ]
        assert len({(c["source"], c["place"] if c["source"] == "KCDP" else "") for c in cells}) == 1
    told = changed(plan)
    told = dict(zip(zip(told["cell"], told["project"], strict=True), told["change"], strict=True))
    assert {key: vnd for key, vnd in net.items() if vnd and key[0] >= 0} == told


# ---------------------------------------------------------------------------- the sample


@cache
def september():
    folder = Path(__file__).parent.parent / "data" / "sample-projects" / "september"
    data = kc.read_dataset(folder)
    return kc.allocate(data, kc.read_scenario(folder / "adjust.yaml"), as_of=9)


def test_a_forecast_given_that_lacks_a_project_s_cell_makes_the_plan_of_the_command():
    plan = september()
    assert plan.scenario.as_of == 9  # the example says it itself
    outlook = kc.forecast(plan.data, 2026, 9)  # DA35's cell has no plan in force
    assert len(outlook.cells) < len(plan.outlook.cells)
    again = kc.allocate(plan.data, plan.scenario, outlook, as_of=9, detail=False)
    for name in ("amount", "expected_disbursed"):
        assert again.cells[name].tolist() == plan.cells[name].tolist()


def test_a_scenario_that_names_its_month_is_planned_as_if_it_was_asked_for():
    plan = september()
    own = replace(plan.scenario, as_of=9)
    again = kc.allocate(plan.data, own, plan.outlook, detail=False)
    assert again.as_of == 9
    assert again.cells["amount"].tolist() == plan.cells["amount"].tolist()
    whole = kc.allocate(plan.data, replace(own, as_of=6), plan.outlook, as_of=9, detail=False)
    assert whole.as_of == 9  # what is asked for comes first


def test_the_sample_moves_money_to_projects_that_are_in_time():
    plan = september()
    found = moves(plan)
    assert found["gain"].sum() > 0
    assert set(found["who_decides"]) == {"province"}  # its own money
    stopped = plan.projects.set_index("id").loc["DA24"]
    assert (stopped["chosen"], stopped["amount"]) == (True, 9_000_000)
    assert stopped["reason"] == "only_paid;project-stopped"


def test_a_project_not_begun_whose_dates_have_passed_is_left_out_and_told():
    plan = september()
    late = ["DA03", "DA22", "DA37"]  # assigned with nothing disbursed, registered
    assert plan.projects.set_index("id").loc[late, "chosen"].all()
    assert "project-unbegun" not in {fault.code for fault in plan.warnings}
    listed = plan.data.projects.copy()
    listed.loc[listed["id"].isin(late), "end"] = pd.Timestamp("2026-09-30")
    data = replace(plan.data, tables={**plan.data.tables, "projects": listed})
    again = kc.allocate(data, plan.scenario, as_of=9, detail=False)
    assert again.status == "optimal"
    found = again.projects.set_index("id").loc[late]
    assert not found["chosen"].any()
    assert set(found["reason"]) == {"project-unbegun"}
    told = [fault.values["id"] for fault in again.warnings if fault.code == "project-unbegun"]
    assert told == late


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_plan_for_the_whole_year_has_no_moves_and_says_what_to_do(language):
    plan = september()
    whole = kc.allocate(plan.data, replace(plan.scenario, as_of=None), detail=False)
    for call in (moves, lambda plan: refuse(plan, [0]), kc.adjustment, adjusted):
        with pytest.raises(kc.InputError) as caught:
            call(whole)
        (fault,) = caught.value.faults
        assert "2026" in fault.found(language)
        assert "as_of=6" in fault.remedy(language)


@pytest.mark.parametrize(
    ("count", "told"),
    [(1, "1 project chosen is registered only"), (3, "3 projects chosen are registered only")],
)
def test_projects_registered_only_are_counted_once(count, told):
    assert say("projects.begun", "en", count=count, ids="A").startswith(f"{told} (A)")


def bare(reason):
    return re.sub(r"[\d–]+ %", "%", reason).lower()


def test_the_form_of_the_adjustment_adds_up_and_has_the_moves():
    plan = september()
    book = openpyxl.load_workbook(io.BytesIO(kc.adjustment(plan, office="SỞ")), data_only=True)
    assert book.sheetnames == ["Điều chỉnh kế hoạch", "Điều chuyển kinh phí"]
    totals = next(row for row in book.worksheets[0].values if row[1] == "TỔNG CỘNG")
    change = (plan.cells["amount"] - plan.cells["baseline"]).sum() / 10**6
    assert totals[4] - (totals[5] or 0) == pytest.approx(change)
    assert totals[3] == pytest.approx(plan.cells["baseline"].sum() / 10**6)
    assert totals[6] == pytest.approx(plan.cells["amount"].sum() / 10**6)
    told, found = adjusted(plan), find_moves(plan)
    for one, reasons in zip(told["id"], told["reason"], strict=True):
        # Whole sentences with the names of the others; what differs in its shares alone is one.
        own = found[(found["from_project"] == one) | (found["to_project"] == one)]
        others = {*own["from_project"], *own["to_project"]} - {one, ""}
        told_as = re.compile("((?:Chuyển sang|Nhận từ) “.*”: )?(.*)")
        lines = [told_as.fullmatch(reason) for reason in reasons.split("\n")]
        named = " ".join(line[1] or "" for line in lines)
        assert others == set(re.findall(r"“(\w+)\.", named))
        assert {bare(line[2]) for line in lines} == {bare(reason) for reason in own["reason"]}
    assert told["reason"].str.contains("\n").any()
    assert (told["before"] + told["move"] == told["after"]).all()
    moved = next(row for row in book.worksheets[1].values if row[1] == "TỔNG CỘNG")
    assert moved[4] == pytest.approx(moves(plan)["amount"].sum())
    saved = openpyxl.load_workbook(io.BytesIO(plan.workbook()))
    assert "Điều chuyển kinh phí" in saved.sheetnames


LATE = "year month place area source plan disbursed\n" + "\n".join(
    f"{year} {month} 19 {area} KCDP 1000 {done}"
    for year in range(2019, 2027)
    for area in ("TRAIN", "TECH")
    for month, done in ((3, 0), (6, 20), (9, 50), (10, 60), (11, 100), (12, 900), (13, 980))
    if year < 2026 or (month <= 11 and area == "TECH")
)


def in_autumn(stage: str, month: int, area: str = "TECH"):
    """Return what is expected of one project of 1,000 in a cell whose money goes in December."""
    data = dataset(
        vintage="34",
        history=LATE,
        projects=f"id name place area source support stage\nA x 19 {area} KCDP 1000 {stage}",
    )
    text = "budget: [{source: KCDP, place: '19', amount: 2000}]\nspend: at_most\n"
    wanted = replace(scenario(text + "goals: [{maximise: disbursed}]\n"), year=2026)
    plan = allocate(data, wanted, as_of=month, detail=False)
    assert plan.projects["chosen"].all()
    told = [n.vi for n in plan.notes if n.standing == "assumed" and n.column == "begun"]
    assert bool(told) == (stage == "registered")
    return plan.cells.loc[plan.cells["area"] == area, "expected_disbursed"].sum() / 10**6


def test_what_is_registered_only_has_yet_to_begin_whatever_its_cell_spends_late():
    stages = ("registered", "assigned", "contracted", "accepted")
    for month in (6, 9, 11):
        found = [in_autumn(stage, month) for stage in stages]
        assert found == sorted(found)
        assert found[1] > 900
    by_month = [in_autumn("registered", month) for month in (3, 6, 9, 10, 11)]
    assert by_month == sorted(by_month, reverse=True)
    assert 0 < by_month[2] < 300  # four months, at up to three times the usual pace
    new = [in_autumn("registered", month, "TRAIN") for month in (6, 9)]
    assert new == pytest.approx(by_month[1:3], rel=0.02)  # where there is no plan at all


def test_what_counts_as_disbursed_only_by_a_contract_is_told():
    plan = september()
    (told,) = (text for text in plan.explain() if "tạm ứng khi ký hợp đồng" in text)
    offers = kc.build_offers(plan.data, date(2026, 10, 1), is_mid_year=True).frame
    mine = offers[offers["id"].isin(plan.projects.loc[plan.projects["chosen"], "id"])]
    mine = mine[mine["stage"] == "contracted"]
    more = (mine["sure"] - mine["disbursed"].fillna(0)).clip(lower=0)
    assert f"{more.sum() / 1e6:.1f}".replace(".", ",") in told
    assert f"của {(more > 0).sum()} đề án" in told


def test_mid_year_a_tie_is_told_with_the_stages():
    plan = september()
    ties = plan.whys.loc[plan.whys["kind"] == "tie", "id"]
    assert len(ties)
    told = why_left(plan)
    assert all("giữa năm đề án đã ký hợp đồng, rồi đã giao đi trước" in told[one] for one in ties)


def test_a_project_that_was_to_be_stopped_stays_once_that_is_refused():
    plan = september()
    found = moves(plan)
    number = int(found.index[found["from_project"] != ""][0])
    giver, taker = found.loc[number, ["from_project", "to_project"]]
    wanted = refuse(plan, [number])
    again = kc.allocate(plan.data, wanted, plan.outlook, as_of=9, detail=False)
    chosen = again.projects.set_index("id")["chosen"]
    assert chosen[giver]
    assert not chosen[taker]
    had = plan.parts[plan.parts["project"] == giver]["before"].sum()
    assert again.projects.set_index("id")["amount"][giver] == had
    assert decided(wanted) == {giver: HELD, taker: HELD}


def test_a_refused_change_of_size_holds_the_project_and_no_other():
    projects = [
        {"id": f"P{k}", "name": "x", "place": "01", "area": "TRAIN", "source": "KCQG"}
        | {"support": 100, "min_support": 40, "score": k, "kind": "normal"}
        | {"requires": None, "excludes": None, "stage": "assigned", "disbursed": None}
        for k in range(3)
    ]
    data, wanted, _ = built(projects, [("KCQG", None, 210)], ["money", "change"], given=True)
    plan = allocate(data, wanted, as_of=9)
    found = find_moves(plan)
    number = int(found.index[found["from_project"] == "P0"][0])
    asked = refuse(plan, [number])
    again = allocate(data, asked, as_of=9)
    assert again.status == "optimal"
    amount = again.projects.set_index("id")["amount"]
    assert amount["P0"] == 100 * 10**6
    assert amount.sum() == 210 * 10**6  # the others give what it keeps
    assert set(again.rules()["id"]) >= {rule.id for rule in asked.rules}
    lower = replace(asked.rules[0], min=None, max=Decimal(30))
    out = allocate(data, replace(wanted, rules=(lower,)), as_of=9)
    assert not out.projects.set_index("id")["chosen"]["P0"]  # it takes 40 or nothing
    more = replace(asked.rules[0], min=Decimal(120))
    none = allocate(data, replace(wanted, rules=(more,)), as_of=9)
    assert none.status == "infeasible"
    assert "refuse-min-P0" in none.conflicts[0]["rules"]


# ---------------------------------------------------------------------------- money of stopped ones

PROJECTS = "id name place area source support min_support score kind requires stage disbursed split"
ABSORBS = "\n".join(
    ["place area source upto rate"]
    + [f"{place} {area} KCQG 50 1\n{place} {area} KCQG 500 0.2" for place in ("01", "19")
       for area in ("TECH", "PROD")]
)  # fmt: skip


def september_of(
    projects: str, plans: str, budget: int, goals: str = "{maximise: disbursed}", rules: str = ""
):
    """Return a plan as of September; plans: ``place area plan`` of national money."""
    history = "\n".join(f"2024 9 {' '.join(line.split()[:2])} KCQG {line.split()[2]} 0"
                        for line in plans.strip().splitlines())  # fmt: skip
    data = dataset(
        vintage="34",
        projects=f"{PROJECTS}\n{projects.strip()}",
        history=f"year month place area source plan disbursed\n{history}",
        absorption=ABSORBS,
    )
    asked = f"goals: [{goals}]\nrules: [{rules}]\n"
    wanted = scenario(f"budget: [{{source: KCQG, amount: {budget}}}]\n{asked}")
    return allocate(data, wanted, as_of=9)


def test_a_rule_that_alone_forces_a_move_of_projects_is_named():
    rows = """
A x 01 TECH KCQG 100 20 9 normal - assigned   - -
B x 19 PROD KCQG 40  -  9 normal - contracted - -
"""
    half = "{id: half, text: Một nửa, where: {area: PROD}, of: all, min: 0.5}"
    plan = september_of(rows, "01 TECH 100\n19 PROD 40", 140, rules=half)
    (move,) = find_moves(plan).to_dict("records")
    assert (move["to_place"], move["amount"]) == ("", 60_000_000)
    assert move["reason"] == (
        "Đưa về dự phòng do quy định: Một nửa. "
        "Số tiền này, nếu để lại, giải ngân được khoảng 33 %."  # 10 + 0,2 x 50 of 60
    )
    rows = """
A x 01 TECH KCQG 40 20 9 normal - assigned   - -
B x 19 TECH KCQG 30 -  9 normal - registered - -
"""
    there = '{id: there, text: Có ở Hải Phòng, where: {place: "19"}, count: projects, min: 1}'
    found = find_moves(september_of(rows, "01 TECH 40", 50, rules=there))
    reason = found.set_index("from_project")["reason"]["A"]
    assert reason == "Do quy định: Có ở Hải Phòng."  # it takes 20, B needs 10 more
    rows += "C x 01 PROD KCQG 10 - 9 normal - assigned - -"
    out = "{id: out, text: Không chọn C, where: {id: C}, count: projects, max: 0}"
    found = find_moves(september_of(rows, "01 TECH 40\n01 PROD 10", 50, rules=f"{there}, {out}"))
    reasons = found.set_index("from_project")["reason"]
    assert reasons["A"] == "Do quy định: Có ở Hải Phòng."  # and not what speaks of C
    assert reasons["C"].startswith("Đề án “C. x” bị để ngoài theo yêu cầu: Không chọn C;")


def test_a_move_of_projects_that_no_rule_asks_for_is_one_of_the_goals():
    rows = """
A x 01 TECH KCQG 40 - 9 normal - assigned   - -
B x 19 TECH KCQG 60 - 9 normal - registered - -
"""
    found = find_moves(september_of(rows, "01 TECH 40", 60, "{maximise: money}"))
    reason = found.set_index("from_project")["reason"]["A"]
    assert reason == "Theo mục tiêu: sử dụng nhiều kinh phí nhất."


def test_a_project_that_was_to_be_stopped_comes_back_as_large_as_it_was():
    rows = """
A x 01    TECH KCQG 100 20 9 normal - assigned   - -
B x 01;19 PROD KCQG 100 -  9 group  - registered - -
C x 19    TECH KCQG 80  -  9 normal - registered - -
"""
    plan = september_of(rows, "01 TECH 100", 100)
    stops = [int(k) for k, move in find_moves(plan).iterrows() if move["from_project"] == "A"]
    assert not plan.projects.set_index("id")["chosen"]["A"]
    again = allocate(plan.data, refuse(plan, stops), as_of=9)
    assert again.projects.set_index("id")["amount"]["A"] == 100_000_000  # not 20, the rest for C


def test_lines_that_stay_are_counted_like_lines_that_move():
    rows = """
A x 01 TECH KCQG 40  -  9 normal - assigned   - -
B x 01 PROD KCQG 30  -  9 normal - registered - -
C x 01 TECH KCQG 50  -  9 normal - stopped    - -
D x 19 TECH KCQG 20  -  9 normal - contracted - -
"""
    asked = "{maximise: disbursed}, {minimise: moves}"
    plan = september_of(rows, "01 TECH 90\n19 TECH 20", 110, asked)
    assert plan.goals[1]["achieved"] == 2  # B comes, what C had goes; of three cells two change
    assert set(changed(plan)["project"]) == {"B", "C"}
    assert any(text.startswith("2 dòng giữ nguyên như kế hoạch đang thực hiện, trong đó 2 đề án")
               for text in plan.explain())  # fmt: skip


def test_what_rounding_moves_between_the_places_of_a_project_cannot_be_refused():
    row = "D x 01;19 PROD KCQG 110 - 4 group - contracted - 0.6;0.4"
    plan = september_of(row, "01 PROD 66\n19 PROD 44", 110)
    plan = allocate(plan.data, replace(plan.scenario, round_to=Decimal(10)), as_of=9)
    (move,) = find_moves(plan).to_dict("records")
    assert (move["amount"], move["reason"]) == (4_000_000, "Do làm tròn đến 10 triệu đồng.")
    assert not move["refusable"]
    again = allocate(plan.data, refuse(plan, [0]), as_of=9)
    assert again.cells["amount"].tolist() == plan.cells["amount"].tolist()  # no mirrored one


@pytest.mark.parametrize(
    "goals",
    ["{maximise: disbursed}, {minimise: change}", "{minimise: change}", "{maximise: money}"],
)
@pytest.mark.parametrize(("runs", "new"), [("A", "B"), ("B", "A")])
def test_of_equal_plans_the_one_that_cuts_no_running_project_is_made(goals, runs, new):
    rows = f"""
{runs} x 01 TECH KCQG 100 50 1 normal - contracted 20 -
{new} x 01 TECH KCQG 100 50 9 normal - registered - -
"""
    plan = september_of(rows, "01 TECH 150", 150, goals)
    amounts = plan.projects.set_index("id")["amount"].to_dict()
    assert amounts == {runs: 100_000_000, new: 50_000_000}


ENDED = """
A x 01 TECH KCQG 60 - 9 flagship - stopped    30 -
B x 01 TECH KCQG 40 - 1 flagship - registered -  -
C x 01 PROD KCQG 40 - 9 normal   A assigned   10 -
D x 19 PROD KCQG 40 - 9 normal   - assigned   -  -
"""


def ended(rule: str):
    return september_of(ENDED, "01 TECH 60\n01 PROD 40\n19 PROD 40", 80, rules=f"{{id: R, {rule}}}")


def test_what_is_not_carried_out_counts_as_no_project(tmp_path):
    """A was stopped, C cannot go on without it; both keep what they were paid."""
    flagships = "count: projects, where: {kind: flagship}"
    plan = ended(f"{flagships}, min: 1")
    assert plan.projects.set_index("id")["amount"].to_dict() == {
        "A": 30_000_000, "B": 40_000_000, "C": 10_000_000, "D": 0,
    }  # fmt: skip
    row = plan.rules().set_index("id").loc["R"]
    assert (row["lhs"], row["status"]) == (1, "binding")
    plan.save(tmp_path)
    assert kc.verify(tmp_path).proven
    told = " ".join(plan.explain())
    assert "Chọn 1 trên 4 đề án (2 dừng, chỉ giữ 40 triệu đồng đã chi), tổng hỗ trợ 80 tri" in told
    told = " ".join(plan.explain("en"))
    assert "1 of 4 projects are chosen (2 stopped, keeping the 40 million" in told
    assert ended(f"{flagships}, min: 2").status == "infeasible"
    # Nor towards a most or the whole of a share; a bound on the money of one is on what it has.
    for rule in (
        "count: projects, where: {kind: flagship}, of: all, min: 1",
        "count: projects, where: {kind: normal}, max: 0",
        "where: {id: A}, min: 30",
    ):
        assert ended(rule).status == "optimal"


STOPPED = """
A x 01 TECH KCQG 40 - 9 normal - stopped - -
B x 01 PROD KCQG 40 - 9 normal - registered - -
C x 01 TECH KCQG 40 - 9 normal - contracted - -
"""


def test_what_a_stopped_project_leaves_is_its_own_and_gains_nothing_in_the_reserve():
    plan = september_of(STOPPED, "01 TECH 80\n01 PROD 0", 80)
    (move,) = find_moves(plan).to_dict("records")
    assert move["refusable"]
    assert (move["from_project"], move["to_project"], move["amount"]) == ("A", "B", 40_000_000)
    assert move["gain"] == pytest.approx(40e6)  # nobody could have spent it where it was
    assert (move["who_decides"], "11.3" in move["basis"]) == ("minister", True)
    assert move["reason"].startswith("Nơi giao không còn đề án nào dùng được")
    assert set(adjusted(plan)["id"]) == {"A", "B"}

    again = allocate(plan.data, refuse(plan, [0]), as_of=9)
    assert again.status == "optimal"
    assert again.projects.set_index("id")["chosen"].to_dict() == {"A": False, "B": False, "C": True}
    assert again.reserve[0]["amount"] == 40_000_000
    (move,) = find_moves(again).to_dict("records")
    assert (move["from_project"], move["to_place"], move["gain"]) == ("A", "", 0.0)
    assert not move["refusable"]
    assert "có từ chối thì tiền vẫn về dự phòng" in move["reason"]
    assert refuse(again, [0]) == again.scenario  # which says so: no rule keeps it anywhere else


@pytest.mark.parametrize(
    ("plan", "named"),
    [
        (80, {"A": 40, "B": 40}),  # room for both
        (60, {"": 60}),  # whose it was is not known
    ],
)
def test_the_plan_in_force_tells_whose_the_money_was(plan, named):
    rows = "\n".join(f"{one} x 01 TECH KCQG 40 - 9 normal - stopped - -" for one in "AB")
    found = september_of(rows, f"01 TECH {plan}", 80)
    told = found.parts.set_index("project")["before"] / 10**6
    assert told.to_dict() == named
    assert (found.parts["idle"] == found.parts["before"]).all()


P100 = "P x 01 TECH KCQG 100 20 9 normal - contracted - -"


@pytest.mark.parametrize(
    ("projects", "plans", "budget", "who"),
    [
        # A cell without projects: another project's total goes up, whatever its area.
        (P100, "01 TECH 100\n01 PROD 10", 110, {("P", ""): "minister"}),
        (P100, "01 TECH 100\n19 TECH 10", 110, {("P", ""): "minister"}),
        (P100, "01 TECH 100", 60, {("P", ""): "agency"}),  # less, and nobody else more
        (
            f"{P100}\nQ x 19 TECH KCQG 100 20 1 normal - contracted 20 -",
            "01 TECH 100\n19 TECH 100",
            150,
            {("P", ""): "agency", ("Q", ""): "agency"},
        ),
        # Split 80 to 20 in the plan in force, half and half now: Điều 11.4.
        (
            "P x 01;19 TECH KCQG 60 - 9 group - contracted - -",
            "01 TECH 50\n19 TECH 10",
            60,
            {("P", "P"): "department"},
        ),
        (
            "P x 01;19 TECH KCQG 60 - 9 - - contracted - -",
            "01 TECH 50\n19 TECH 10",
            60,
            {("P", "P"): "agency"},
        ),
    ],
)
def test_both_ends_of_a_move_say_who_decides(projects, plans, budget, who):
    plan = september_of(projects, plans, budget, "{maximise: disbursed}, {minimise: change}")
    found = find_moves(plan)
    ends = zip(found["from_project"], found["to_project"], strict=True)
    assert dict(zip(ends, found["who_decides"], strict=True)) == who


@pytest.mark.parametrize(
    ("projects", "who"),
    [
        # Whatever it was paid, a stopped project is one (Điều 11.2.a, 11.3).
        ("S x 01 TECH KCQG 100 - 9 normal - stopped - -", {"S": "minister"}),
        ("S x 01 TECH KCQG 100 - 9 normal - stopped 30 -", {"S": "minister"}),
        # So is one that keeps what it was paid, because what it needs was stopped.
        (
            "S x 19 TECH KCQG 10 - 9 normal - stopped - -\n"
            "A x 01 TECH KCQG 100 20 9 normal S contracted 30 -",
            {"A": "minister"},
        ),
        # One that goes on with less is not.
        ("A x 01 TECH KCQG 100 20 9 normal - contracted 30 -", {"A": "agency"}),
    ],
)
def test_the_minister_decides_of_a_stopped_project_whatever_it_was_paid(projects, who):
    found = find_moves(september_of(projects, "01 TECH 100", 60))
    assert dict(zip(found["from_project"], found["who_decides"], strict=True)) == who


def test_a_move_that_a_link_asks_for_names_it():
    rows = """
K x 01 TECH KCQG 20 - 9 normal Q  contracted 20 -
Q x 01 PROD KCQG 30 - 9 normal R  registered - -
R x 19 TECH KCQG 10 - 9 normal -  registered - -
F x 19 PROD KCQG 10 - 9 normal -  registered - -
"""
    plan = september_of(rows, "01 TECH 20", 80)
    found = find_moves(plan).set_index("to_project")
    for one, others in (("Q", "“Q. x”"), ("R", "“Q. x”, “R. x”")):
        text = f"Đề án “K. x” đã được chi nên phải giữ, và phải có {others} đi cùng"
        assert found["reason"][one].startswith(f"{text} nên không từ chối được;")
    assert "phải có" not in found["reason"]["F"]
    assert found["refusable"].to_dict() == {"Q": False, "R": False, "F": True}


def test_what_was_accepted_needs_nothing_more():
    rows = """
K x 01 TECH KCQG 20 - 9 normal Q  accepted 20 -
Q x 01 PROD KCQG 30 - 9 normal -  registered - -
"""
    plan = september_of(rows, "01 TECH 20", 80)
    (number,) = find_moves(plan).index
    again = allocate(plan.data, refuse(plan, [number]), as_of=9)
    assert again.status == "optimal"
    assert again.projects.set_index("id")["chosen"].to_dict() == {"K": True, "Q": False}
    least = september_of(rows, "01 TECH 20", 80, "{minimise: change}, {maximise: disbursed}")
    assert find_moves(least).empty


def test_a_stop_that_the_laws_ask_for_cannot_be_refused_and_says_so():
    rows = """
K x 01 TECH KCQG 60 - 9 normal -  contracted 60 -
Q x 01 PROD KCQG 30 - 9 normal -  assigned - -
R x 19 TECH KCQG 20 - 9 normal -  assigned - -
"""
    plan = september_of(rows, "01 TECH 60\n01 PROD 30\n19 TECH 20", 80)
    found = find_moves(plan).set_index("from_project")
    assert not found["refusable"]["Q"]
    assert "không từ chối được" in found["reason"]["Q"]


def test_a_project_that_gets_no_more_says_why():
    rows = """
P x 01 TECH KCQG 60 - 9 normal S contracted 28 -
S x 01 TECH KCQG 10 - 9 normal - stopped - -
E x 01 TECH KCQG 20 - 9 normal - accepted - -
O x 01 TECH KCDP 20 - 9 normal - registered - -
"""
    plan = september_of(rows, "01 TECH 100", 100)
    reasons = plan.project_table("vi").set_index("id")["reason"]
    assert plan.projects.set_index("id")["amount"]["P"] == 28_000_000
    for one, text in (
        ("P", "Chỉ giữ số đã giải ngân, không được thêm. Đề án P cần các đề án không được xét: S."),
        ("E", "Đã nghiệm thu nên được thanh toán đủ mức hỗ trợ."),
        ("O", "Đề án O có ô không thuộc dòng ngân sách nào nên không được chọn."),
    ):
        assert reasons[one] == text
