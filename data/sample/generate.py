"""Make the synthetic datasets `data/sample` and `data/sample-quarterly`.

No number in them was observed. Amounts are drawn project by project: money arrives, a contract is
signed, part is paid on the way and the rest after acceptance, as TT 36/2013/TT-BCT Điều 13-16
orders payments; some projects are stopped, added late or carried into the next year. Only codes,
names and populations of places are real.

Run ``python data/sample/generate.py [FOLDER]`` to write both below FOLDER (default: ``data``). The
draws are uniform numbers of a fixed seed and only the four operations are applied to them, so the
files are the same to the byte on every machine.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from kc_model import reference

SEED = 20180101
YEARS = range(2018, 2027)
LAST_MONTH = 6  # of the last year
MERGER = (2025, 7)  # year and month from which the 34 units report
NATIONAL = dict(zip(YEARS, (118, 121, 116, 104, 128, 132, 127, 134, 136), strict=True))  # tỷ đồng
LOCAL = dict(zip(YEARS, (176, 180, 178, 170, 183, 189, 192, 196, 197), strict=True))
RELEASE = dict(zip(YEARS, (3, 2, 4, 3, 5, 4, 6, 3, 4), strict=True))  # month KCQG arrives
HARD_YEARS = {2020: 0.25, 2021: 0.4}  # taken from every place's ability to finish
HIGHLANDS = ("04", "08", "11", "12", "14", "15", "20", "51", "52", "66")  # our choice, 34 units
SLIP = {"KCDP": 2.0, "KCQG": 0.0}  # months by which all approvals of a year may slip
KEYS = ["year", "place", "area", "source"]
NEVER = 99


@dataclass(frozen=True)
class Kind:
    """How projects of one area run; supports in million VND, durations in months."""

    support: int
    first_share: float  # of the support, paid before acceptance
    first_at: float  # share of the duration that must pass before it is paid
    shortest: int
    longest: int


KINDS = {
    "TRAIN": Kind(90, 0.7, 0.0, 2, 4),
    "MGMT": Kind(60, 0.7, 0.0, 1, 4),
    "TECH": Kind(180, 0.7, 0.7, 2, 7),
    "PROD": Kind(130, 0.7, 0.0, 2, 6),
    "CONS": Kind(40, 0.7, 0.0, 2, 5),
    "INFO": Kind(60, 0.7, 0.0, 3, 8),
    "CLUS": Kind(700, 0.3, 0.5, 5, 9),
    "INTL": Kind(250, 0.7, 0.0, 2, 5),
    "ADMN": Kind(12, 0.0, 0.0, 1, 8),
}
SHARES = {  # of a place's plan; TW is the central units
    "KCDP": {"TECH": 50, "PROD": 16, "MGMT": 8, "TRAIN": 6, "INFO": 7, "CONS": 6, "CLUS": 6},
    "KCQG": {"TECH": 60, "PROD": 15, "TRAIN": 9, "CLUS": 8, "CONS": 4, "MGMT": 4},
    "TW": {"TECH": 20, "PROD": 26, "INFO": 20, "MGMT": 14, "CONS": 6, "INTL": 6, "ADMN": 8},
}
OFTEN = {"TECH": 1.0, "PROD": 0.9, "MGMT": 0.8, "INFO": 0.8, "TRAIN": 0.6, "CONS": 0.5, "CLUS": 0.2}
ADMN_SHARE = 0.013  # of a place's local plan
TW_SHARE = 0.15  # of the national pool


def make_places(rng: np.random.Generator) -> pd.DataFrame:
    """Return the 63 provinces with what steers them, which nobody sees but through the history."""
    new = reference.places("34").set_index("code")["population_2025"]
    old = reference.places("63").query("kind == 'province'")[["code"]]
    old = old.rename(columns={"code": "place"}).reset_index(drop=True)
    old["successor"] = [reference.successor(code) for code in old["place"]]
    people = old["successor"].map(new).astype(float) / old.groupby("successor")["place"].transform(
        "size"
    )
    highland = old["successor"].isin(HIGHLANDS)
    able = pd.Series(rng.random(len(new)), index=new.index)  # of the 34, members share it
    old["able"] = (able[old["successor"]].to_numpy() + 0.5 * rng.random(len(old))) / 1.5
    old["local"] = people * (0.4 + 1.2 * rng.random(len(old))) * (1 - 0.3 * highland)
    old["national"] = (0.4 + rng.random(len(old))) * (rng.random(len(old)) < 0.85)
    return old


def make_plans(rng: np.random.Generator, places: pd.DataFrame) -> pd.DataFrame:
    """Return the opening plan of every (year, place, area, source), in million VND."""
    rows = []
    for year in YEARS:
        local = places["local"] * (0.85 + 0.3 * rng.random(len(places)))
        national = places["national"] * (rng.random(len(places)) < 0.85)
        national *= 0.5 + rng.random(len(places))
        pools = (
            ("KCDP", places["place"], local / local.sum() * LOCAL[year]),
            ("KCQG", places["place"], national / national.sum() * NATIONAL[year] * (1 - TW_SHARE)),
            ("TW", ["TW"], [NATIONAL[year] * TW_SHARE]),
        )
        for pool, codes, budgets in pools:
            for place, budget in zip(codes, budgets, strict=True):
                areas = {
                    area: share * (0.6 + 0.8 * rng.random())
                    for area, share in SHARES[pool].items()
                    if rng.random() < (OFTEN[area] if pool != "TW" else 1)
                }
                if pool == "KCDP":
                    areas["ADMN"] = ADMN_SHARE * sum(areas.values()) * (0.8 + 0.5 * rng.random())
                for area, share in areas.items() if budget > 0 else ():
                    plan = int(1000 * budget * share / sum(areas.values()))
                    rows.append((year, place, area, "KCDP" if pool == "KCDP" else "KCQG", plan))
    return pd.DataFrame(rows, columns=[*KEYS, "plan"])


def make_projects(
    rng: np.random.Generator, plans: pd.DataFrame, places: pd.DataFrame
) -> pd.DataFrame:
    """Return every project with its payments and their months; those above 13 never come."""
    pots = _make_pots(rng, plans, places)
    rows = []
    for year, place, area, source, plan in plans.itertuples(index=False, name=None):
        ready, able = pots[year, place, source]
        supports = _split(rng, plan, KINDS[area].support)
        runs = [(1, *_run(rng, KINDS[area], support, ready, able)) for support in supports]
        if area != "ADMN" and rng.random() < 0.05:  # a project added in autumn
            support, month = 1 + int(plan * 0.3 * rng.random()), 8 + int(3 * rng.random())
            runs.append((month, *_run(rng, KINDS[area], support, month, able)))
        rows += [(year, place, area, source, *run) for run in runs]
    columns = ["added", "support", "ready", "first", "first_paid", "last", "last_paid", "stop"]
    projects = pd.DataFrame(rows, columns=[*KEYS, *columns]).assign(carried=0)
    return pd.concat([projects, _carry(rng, projects)], ignore_index=True)


def _make_pots(
    rng: np.random.Generator, plans: pd.DataFrame, places: pd.DataFrame
) -> dict[tuple[int, str, str], tuple[int, float]]:
    """Return for every (year, place, source) the month money is there and the ability to finish."""
    able_of = dict(zip(places["place"], places["able"], strict=True)) | {"TW": 0.8}
    luck = {(year, source): rng.random() for year in YEARS for source in SLIP}
    pots = {}
    keys = plans[["year", "place", "source"]].drop_duplicates()
    for year, place, source in keys.itertuples(index=False, name=None):
        trouble = rng.random()
        able = 0.2 + 0.8 * able_of[place] + 0.5 * (luck[year, source] - 0.5)
        able -= 0.7 * trouble * trouble * trouble + HARD_YEARS.get(year, 0)
        delay = 2 * rng.random() + 1.2 * (1 - able_of[place]) - (place == "TW")
        arrival = RELEASE[year] if source == "KCQG" else 1
        delay += SLIP[source] * (1 - luck[year, source])
        pots[year, place, source] = (arrival + max(0, int(delay)), min(max(able, 0.0), 1.0))
    return pots


def _split(rng: np.random.Generator, plan: int, size: int) -> list[int]:
    """Split a plan into projects of about one size; the sum is the plan."""
    weights = 0.6 + 0.8 * rng.random(max(1, round(plan / size)))
    ends = [int(plan * part / weights.sum()) for part in np.cumsum(weights)]
    ends[-1] = plan
    supports = np.diff([0, *ends])
    return [int(support) for support in supports if support > 0]


def _run(
    rng: np.random.Generator, kind: Kind, support: int, ready: int, able: float
) -> tuple[int, ...]:
    """Return support, ready, first, first_paid, last, last_paid and stop of one project."""
    contract = ready + int(3 * rng.random())
    length = kind.shortest + int((kind.longest - kind.shortest + 1) * rng.random())
    last = contract + length + int(3 * rng.random() * (1 - able))
    if last > 13 and rng.random() < 0.9 * able:  # in a hurry before the books are closed
        last = 12 + int(2 * rng.random())
    if rng.random() < 0.25 * (1 - able):  # not finished this year
        last = max(last, 14 + int(4 * rng.random()))
    first = min(contract + 1 + int(kind.first_at * length), last)
    spent = support if rng.random() < 0.5 else int(support * (0.8 + 0.2 * rng.random()))
    first_paid = int(spent * kind.first_share)
    stop = 7 + int(4 * rng.random()) if rng.random() < 0.02 + 0.06 * (1 - able) else NEVER
    return support, ready, first, first_paid, last, spent - first_paid, stop


def _carry(rng: np.random.Generator, projects: pd.DataFrame) -> pd.DataFrame:
    """Return national projects that were not finished and are paid under next year's plan."""
    open_ = (projects["source"] == "KCQG") & (projects["last"] > 13) & (projects["stop"] == NEVER)
    open_ &= (rng.random(len(projects)) < 0.6) & (projects["year"] < YEARS[-1])
    left = projects[open_].copy()
    left["support"] -= left["first_paid"].where(left["first"] <= 13, 0)
    left["last_paid"] = left["support"]
    left["last"] = np.maximum(1, left["last"] - 12)
    left["year"] += 1
    return left.assign(carried=left["support"], added=1, ready=1, first=NEVER, first_paid=0)


def make_history(projects: pd.DataFrame) -> pd.DataFrame:
    """Return the cumulative history that the projects add up to, in million VND."""
    months = []
    for month in range(1, 14):
        alive = projects[(projects["added"] <= month)].copy()
        known = np.minimum(month, alive["stop"] - 1)
        paid = alive["first_paid"].where(alive["first"] <= known, 0)
        paid += alive["last_paid"].where(alive["last"] <= known, 0)
        stopped = alive["stop"] <= month
        kept = alive["support"].where(alive["stop"] == NEVER, paid)
        units = (alive["support"] // 3).where(
            alive["area"] == "TRAIN", 1
        )  # trainees; else projects
        done = alive["last"] <= known
        alive = alive.assign(
            plan=alive["support"].where(~stopped, paid),
            released=kept.where((alive["ready"] <= month) | (paid > 0), 0),
            disbursed=paid,
            outputs_plan=units.where(~stopped | done, 0),
            outputs=units.where(done, 0),
        )
        columns = ["plan", "released", "carried", "disbursed", "outputs_plan", "outputs"]
        months.append(alive.groupby(KEYS, as_index=False)[columns].sum().assign(month=month))
    history = pd.concat(months, ignore_index=True)
    history = history[(history["year"] < YEARS[-1]) | (history["month"] <= LAST_MONTH)]
    return _merge_places(history)


def _merge_places(history: pd.DataFrame) -> pd.DataFrame:
    """Report in 63 codes before the merger and in 34 codes, summed, from it on."""
    new = (history["year"] * 100 + history["month"]) >= MERGER[0] * 100 + MERGER[1]
    place = history["place"].where(~new, _successors(history["place"]))
    history = history.assign(place=place, vintage=np.where(new, "34", "63"))
    return history.groupby(["year", "month", "vintage", *KEYS[1:]], as_index=False).sum()


def _successors(places: pd.Series) -> pd.Series:
    """Return the unit of the 34 that each of the 63 became part of; TW stays."""
    new = {code: reference.successor(code) for code in places.unique() if code != "TW"}
    return places.map(new | {"TW": "TW"})


def drop_reports(rng: np.random.Generator, history: pd.DataFrame) -> pd.DataFrame:
    """Leave out the reports that some places did not send; June, November to January are there."""
    sent = history[["year", "month", "vintage", "place"]].drop_duplicates()
    can_miss = sent["month"].isin([1, 2, 4, 5, 7, 8, 10]) & (sent["year"] != MERGER[0])
    missed = sent[can_miss & (rng.random(len(sent)) < 0.015)]
    mark = history.merge(missed, how="left", indicator=True)["_merge"]
    return history[(mark == "left_only").to_numpy()]


def write_history(history: pd.DataFrame, folder: Path) -> None:
    """Write ``history.csv`` in official order; local release is not reported."""
    order = {
        "place": {code: i for v in ("63", "34") for i, code in enumerate(reference.place_order(v))},
        "area": {code: i for i, code in enumerate(reference.area_order())},
        "source": {code: i for i, code in enumerate(reference.source_order())},
    }
    ranks = history.assign(**{key: history[key].map(order[key]) for key in order})
    by = ranks.sort_values(["year", "month", "place", "area", "source"], kind="stable").index
    local = history["source"] == "KCDP"
    table = history.astype({"released": "Int64", "carried": "Int64"}).assign(
        status=np.where(history["month"] == 13, "settled", "reported")
    )
    table.loc[local, ["released", "carried"]] = pd.NA
    columns = ["year", "month", "vintage", "place", "area", "source", "plan", "released", "carried"]
    columns += ["disbursed", "outputs_plan", "outputs", "status"]
    table.loc[by, columns].to_csv(folder / "history.csv", index=False, lineterminator="\n")


def write_places(history: pd.DataFrame, folder: Path) -> None:
    """Write ``places.csv``: people (real), highlands (our choice), lateness in this history."""
    table = reference.places("34").query("kind in ['province', 'central']")
    table = table[["code", "population_2025"]].set_axis(["place", "population"], axis=1)
    table["difficult"] = table["place"].isin(HIGHLANDS).astype(int)
    past = history[history["year"].between(2022, 2024) & (history["month"] == 13)]
    sums = past.groupby(_successors(past["place"]))[["plan", "disbursed"]].sum()
    completion = sums["disbursed"] / sums["plan"]
    table["late"] = table["place"].isin(completion.sort_values().index[:8]).astype(int)
    table.to_csv(folder / "places.csv", index=False, lineterminator="\n")


def write_budgets(history: pd.DataFrame, folder: Path) -> None:
    """Write ``budgets.yaml``: the plan in force as one national pool and each place's own money."""
    now = history[(history["year"] == YEARS[-1]) & (history["month"] == LAST_MONTH)]
    pool = now.loc[now["source"] == "KCQG", "plan"].sum()
    own = now[now["source"] == "KCDP"].groupby("place")["plan"].sum()
    lines = [
        "# Sinh tự động bởi generate.py: kế hoạch 6/2026 của bộ số liệu tổng hợp (triệu đồng).",
        "budget:",
        f"  - {{source: KCQG, amount: {pool}, text: Kinh phí khuyến công quốc gia}}",
    ]
    for place, amount in own.items():
        name = reference.place_name(str(place), "34")
        row = f'source: KCDP, place: "{place}", amount: {amount}, text: Kinh phí địa phương {name}'
        lines.append(f"  - {{{row}}}")
    target = folder / "budgets.yaml"
    target.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")


def generate(folder: Path) -> None:
    """Write the generated files of ``sample`` and ``sample-quarterly`` below a folder."""
    rng = np.random.default_rng(SEED)
    places = make_places(rng)
    projects = make_projects(rng, make_plans(rng, places), places)
    history = make_history(projects)
    quarterly = history[(history["year"] >= 2022) & history["month"].isin([3, 6, 9, 12])]
    for name, table in (("sample", drop_reports(rng, history)), ("sample-quarterly", quarterly)):
        target = folder / name
        target.mkdir(parents=True, exist_ok=True)
        write_history(table, target)
        write_places(history, target)
    write_budgets(history, folder / "sample")


if __name__ == "__main__":
    generate(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent.parent)
