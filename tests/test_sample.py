"""The synthetic dataset: reproducible to the byte, true to its own rules, and usable end to end."""

from __future__ import annotations

import runpy
from functools import cache
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pytest
from printing import check_marks, check_text

import kc_model as kc
from kc_model import reference
from kc_model.charts import allocation_chart, change_chart
from kc_model.wording import LANGUAGES

DATA = Path(__file__).parent.parent / "data"
SAMPLES = ("sample", "sample-quarterly")
SERIES = ["vintage", "place", "area", "source", "year"]


@cache
def read(name: str) -> kc.Dataset:
    return kc.read_dataset(DATA / name)


@cache
def raw(name: str) -> pd.DataFrame:
    """Return the history as the file has it: million VND, places of both vintages."""
    codes = {"place": str, "vintage": str}
    return pd.read_csv(DATA / name / "history.csv", dtype=codes)


@cache
def outlook(name: str) -> kc.Forecast:
    return kc.forecast(read(name), 2026, 6)


@cache
def allocate(scenario: str) -> kc.Allocation:
    plan = kc.read_scenario(DATA / "sample" / f"{scenario}.yaml")
    return kc.allocate(read("sample"), plan, outlook("sample"), ranges=False)


def test_the_generator_makes_the_committed_files_to_the_byte(tmp_path):
    generate = runpy.run_path(str(DATA / "sample" / "generate.py"))["generate"]
    generate(tmp_path)
    files = (path for path in tmp_path.rglob("*") if path.is_file())
    made = sorted(path.relative_to(tmp_path).as_posix() for path in files)
    assert made == [
        "sample-quarterly/history.csv",
        "sample-quarterly/places.csv",
        "sample/budgets.yaml",
        "sample/history.csv",
        "sample/places.csv",
    ]
    for path in made:
        assert (tmp_path / path).read_bytes() == (DATA / path).read_bytes(), path


@pytest.mark.parametrize("name", SAMPLES)
def test_it_is_marked_as_synthetic_and_reads_without_a_warning(name):
    data = read(name)
    assert data.synthetic
    assert {note.standing for note in data.notes} == {"synthetic", "real", "assumed"}
    assert data.warnings == ()


@pytest.mark.parametrize("name", SAMPLES)
def test_cumulative_money_never_falls_and_stays_within_plan_and_release(name):
    history = raw(name).sort_values([*SERIES, "month"])
    for column in ("disbursed", "released", "outputs"):
        steps = history.groupby(SERIES)[column].diff().dropna()
        assert (steps >= 0).all(), column
    assert (history["disbursed"] <= history["plan"]).all()
    national = history[history["source"] == "KCQG"]
    assert (national["disbursed"] <= national["released"]).all()
    assert (national["released"] <= national["plan"]).all()
    assert (national["carried"] <= national["plan"]).all()


def test_the_merger_keeps_every_dong():
    history = raw("sample")
    year = history[history["year"] == 2025].copy()
    assert set(year.loc[year["month"] <= 6, "vintage"]) == {"63"}
    assert set(year.loc[year["month"] >= 7, "vintage"]) == {"34"}
    old = year[(year["month"] == 6) & (year["place"] != "TW")]
    old = old.assign(place=[reference.successor(code) for code in old["place"]])
    june = old.groupby("place")["disbursed"].sum()
    july = year[(year["month"] == 7) & (year["place"] != "TW")].groupby("place")["disbursed"].sum()
    assert list(june.index) == list(july.index)
    assert (july >= june).all()
    assert july.sum() < 2 * june.sum(), "nothing is counted twice"
    # Read for 34 units, the months before the merger add up to the same money.
    merged = read("sample").history
    merged = merged[(merged["year"] == 2025) & (merged["month"] == 6) & (merged["place"] != "TW")]
    assert (merged.groupby("place")["disbursed"].sum() // 10**6).to_dict() == june.to_dict()


def totals(month: int) -> pd.DataFrame:
    """Return plan, disbursed and completion of each year and fund at one month."""
    history = raw("sample")
    sums = history[history["month"] == month].groupby(["year", "source"])[["plan", "disbursed"]]
    table = sums.sum()
    return table.assign(rate=table["disbursed"] / table["plan"])


def test_it_behaves_like_the_programme():
    june, end = totals(6), totals(13)
    assert end["rate"].between(0.75, 1.0).all()
    both = june[["plan", "disbursed"]].groupby("year").sum()
    assert (both["disbursed"] / both["plan"]).between(0.1, 0.6).all()
    assert both["plan"].between(270_000, 360_000).all()
    # National money is later than local money, and late years show.
    rate = june.pivot_table(index="year", columns="source", values="rate")
    assert (rate["KCQG"] < rate["KCDP"]).all()
    assert rate["KCQG"][2024] < rate["KCQG"][2019] / 4
    history = raw("sample")
    last = history[history["month"] == 13]
    technology = last[last["area"] == "TECH"].groupby("year")["plan"].sum()
    assert (technology / last.groupby("year")["plan"].sum()).between(0.5, 0.7).all()


def test_it_holds_the_cases_a_reader_must_cope_with():
    history = raw("sample")
    monthly = history[history["vintage"] == "63"]
    reports = monthly[["year", "month", "place"]].drop_duplicates()
    assert len(reports) < reports["year"].nunique() * 13 * 64, "some reports are missing"
    assert 0.3 < (history.groupby(SERIES)["disbursed"].diff() == 0).mean() < 0.8
    released = monthly[(monthly["source"] == "KCQG") & (monthly["released"] > 0)]
    first = released[released["carried"] == 0].groupby("year")["month"].min()
    assert first.nunique() >= 4, "money arrives in different months"
    assert (history["carried"] > 0).any()
    plans = history.groupby(SERIES)["plan"]
    changed = (plans.transform("max") - plans.transform("min")) > 0
    assert changed.any()
    national = monthly.loc[monthly["source"] == "KCQG", "place"].unique()
    assert len(national) < 60, "some provinces have no national projects"
    quarters = raw("sample-quarterly")["month"]
    assert set(quarters) == {3, 6, 9, 12}


def test_a_quarterly_history_forecasts_like_a_monthly_one():
    monthly, quarterly = (outlook(name) for name in SAMPLES)
    assert (monthly.year_end, quarterly.year_end) == (13, 12)
    for level, source in (("all", ""), ("source", "KCQG"), ("source", "KCDP")):
        rows = []
        for result in (monthly, quarterly):
            table = result.table()
            row = table[table["level"] == level]
            rows.append(row[row["source"] == source].iloc[0] if source else row.iloc[0])
        assert rows[0]["plan"] == rows[1]["plan"]
        assert rows[0]["disbursed"] == rows[1]["disbursed"]
        for row in rows:
            assert row["disbursed"] < row["lower_95"] <= row["lower_80"] < row["expected"]
            assert row["expected"] < row["upper_80"] <= row["upper_95"] <= row["plan"]
        # Without the settlement period the year ends a little lower.
        assert 0.85 < rows[1]["expected"] / rows[0]["expected"] < 1.02


def amounts(plan: kc.Allocation) -> pd.DataFrame:
    return plan.table().merge(read("sample").places, on="place")


def test_the_base_scenario_keeps_every_law_and_every_purse():
    plan = allocate("base")
    assert plan.status == "optimal"
    assert plan.synthetic
    table = amounts(plan)
    national = table[table["source"] == "KCQG"]
    own = table[table["source"] == "KCDP"].groupby("place")["amount"].sum()
    budgets = kc.read_scenario(DATA / "sample" / "base.yaml").budget
    assert national["amount"].sum() == int(budgets[0].amount)
    assert own.to_dict() == {row.where["place"][0]: int(row.amount) for row in budgets[1:]}
    admn = table[table["area"] == "ADMN"]
    assert admn.loc[admn["source"] == "KCQG", "amount"].sum() <= 0.015 * national["amount"].sum()
    local = admn[admn["source"] == "KCDP"].groupby("place")["amount"].sum()
    assert (local <= 0.015 * own[local.index] + 1).all()
    provinces = table[table["place"] != "TW"].groupby("place")["amount"].sum()
    assert provinces.min() >= 800
    giants = national[national["place"] != "TW"].groupby("place")["amount"].sum()
    assert giants.max() <= 0.08 * national["amount"].sum() + 1
    assert table.loc[table["area"] == "TECH", "amount"].sum() >= 0.6 * table["amount"].sum() - 1


@pytest.mark.parametrize("language", LANGUAGES)
def test_sentences_charts_and_exports_write_numbers_one_way(language, tmp_path):
    plan = allocate("base")
    plan.save(tmp_path, language)
    book = openpyxl.load_workbook(tmp_path / "allocation.xlsx")
    check_marks(book, language)
    assert any("%" in cell.number_format for row in book.worksheets[2].iter_rows() for cell in row)
    for chart in (allocation_chart, change_chart):
        picture = chart(plan, "place", language)
        for text in (picture.heading, *map(str, picture.table)):
            check_text(text, language)
    for text in plan.explain(language):
        check_text(text, language)


def test_the_base_scenario_protects_poor_and_late_places():
    table = amounts(allocate("base"))
    sums = table.groupby(["place", "difficult", "late"])[["amount", "baseline"]].sum()
    kept = (sums["amount"] / sums["baseline"]).reset_index(["difficult", "late"], name="share")
    assert (kept.loc[kept["difficult"] == 1, "share"] >= 0.95 - 1e-3).all()
    assert (kept.loc[kept["late"] == 1, "share"] >= 0.9 - 1e-3).all()
    # The wish for 3 tỷ fails only where a place has no national money at all.
    wishes = allocate("base").rules().query("id == 'floor-wish' and status == 'missed'")
    national = set(table.loc[table["source"] == "KCQG", "place"])
    assert set(wishes["group"])
    assert not set(wishes["group"]) & national


def test_the_stress_scenario_has_no_plan_and_says_which_rules_clash():
    result = allocate("stress")
    assert result.status == "infeasible"
    assert result.cells.empty
    rules = {rule for conflict in result.conflicts for rule in conflict["rules"]}
    assert rules == {"budget:1", "national-floor"}
    table = amounts(allocate("base"))
    places = table[(table["source"] == "KCQG") & (table["place"] != "TW")]["place"].nunique()
    pool = float(kc.read_scenario(DATA / "sample" / "stress.yaml").budget[0].amount)
    assert places * 6_000 > pool
    raised = [
        repair["by"]
        for conflict in result.conflicts
        for repair in conflict["repairs"]
        if repair["rule"] == "budget:1"
    ]
    np.testing.assert_allclose(raised, places * 6_000 - pool, atol=1e-3)


def test_cells_that_a_given_forecast_does_not_know_get_one_of_their_own():
    # Made before the year began, it knows last year's cells only.
    early = kc.forecast(read("sample"), 2026, 0)
    scenario = kc.read_scenario(DATA / "sample" / "base.yaml")
    plan = kc.allocate(read("sample"), scenario, early, detail=False)
    known = {tuple(row) for row in early.cells[["place", "area", "source"]].to_numpy()}
    cells = {tuple(row) for row in plan.cells[["place", "area", "source"]].to_numpy()}
    assert cells - known
    assert plan.status == "optimal"
    assert plan.cells["expected_disbursed"].notna().all()
