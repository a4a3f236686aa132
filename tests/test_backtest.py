"""The backtest: scores that keep their laws, and nothing known that was not known then."""

from __future__ import annotations

import re
from dataclasses import replace
from html import escape
from importlib import import_module

import numpy as np
import pandas as pd
import pytest
from datasets import dataset
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from kc_model.backtest import Backtest, backtest, crps, known, score
from kc_model.errors import InputError
from kc_model.forecast import forecast
from kc_model.wording import LANGUAGES
from kc_model.workbench.checking import BacktestDesk

KEYS = ["place", "area", "activity", "source"]
MILLION = 1_000_000
MONEY = st.floats(0, 1e6, allow_subnormal=False)


def history(years=range(2019, 2024), months=(3, 6, 9, 12, 13), places=("01", "02", "04"), seed=0):
    """Return lines of a history table: four cells a place, paths that rise to 60-100 % of plan."""
    random = np.random.default_rng(seed)
    lines = ["year month place area source plan disbursed status"]
    for year in years:
        for place in places:
            for area, source in (("TECH", "KCQG"), ("TECH", "KCDP"), ("TRAIN", "KCDP")):
                plan = int(random.integers(100, 2000))
                final = plan * random.uniform(0.6, 1.0)
                for month in months:
                    done = round(final * (month / 13) ** random.uniform(1.5, 2.5))
                    done = round(final) if month == 13 else done
                    lines.append(f"{year} {month} {place} {area} {source} {plan} {done} reported")
    return "\n".join(lines)


DATA = dataset(history=history())


@pytest.fixture(scope="module")
def result() -> Backtest:
    return backtest(DATA, years=[2022, 2023], months=[0, 6, 12], draws=60)


# --- scores --------------------------------------------------------------------------------------


@given(arrays(float, 4, elements=MONEY), arrays(float, 4, elements=MONEY))
def test_crps_of_a_single_value_is_the_absolute_error(said, actual):
    assert crps(np.tile(said, (7, 1)), actual) == pytest.approx(np.abs(said - actual), abs=1e-6)


@given(arrays(float, (9, 3), elements=MONEY), arrays(float, 3, elements=MONEY))
def test_crps_is_the_mean_distance_less_half_the_draws_own(draws, actual):
    own = np.abs(draws[:, None] - draws[None]).mean(axis=(0, 1)) / 2
    expected = np.abs(draws - actual).mean(axis=0) - own
    assert crps(draws, actual) == pytest.approx(expected, abs=1e-6)


@given(arrays(float, 5, elements=st.floats(1, 1e6)))
def test_perfect_forecast_scores_nothing_and_is_inside(actual):
    row = score(np.tile(actual, (20, 1)), actual, actual)
    perfect = {"error": 0, "crps": 0, "width_80": 0, "width_95": 0, "inside_80": 1, "inside_95": 1}
    for name, value in perfect.items():
        assert row[name].to_numpy() == pytest.approx(np.full(5, value), abs=1e-9), name


def test_coverage_counts_the_outcomes_inside():
    draws = np.tile(np.linspace(0, 100, 1001)[:, None], (1, 101))
    row = score(draws, np.arange(101.0), np.full(101, 100.0))
    assert row["inside_80"].sum() == 81  # 10 to 90
    assert row["inside_95"].sum() == 95  # 3 to 97
    assert row["width_80"].to_numpy() == pytest.approx(np.full(101, 0.8))


@given(st.floats(0.01, 100))
def test_scores_are_shares_of_the_plan(factor):
    draws = np.random.default_rng(1).uniform(0, 90, (50, 4))
    actual, plan = np.array([10.0, 20, 30, 80]), np.full(4, 100.0)
    once, more = score(draws, actual, plan), score(draws * factor, actual * factor, plan * factor)
    shares = ["error", "crps", "inside_80", "inside_95", "width_80", "width_95"]
    pd.testing.assert_frame_equal(once[shares], more[shares], check_exact=False)


# --- what was known ------------------------------------------------------------------------------


def scrambled(data, year, month):
    """Return the dataset with all that came after a month made up afresh."""
    rows = data.history.copy()
    later = rows["year"].gt(year) | (rows["year"].eq(year) & rows["month"].gt(month))
    later |= rows["year"].eq(year - 1) & rows["month"].eq(13) & (month == 0)
    random = np.random.default_rng(5)
    for column in ("plan", "disbursed"):
        new = random.integers(1, 10**10, int(later.sum()))
        rows.loc[later, column] = pd.array(new, dtype="Int64")
    return replace(data, tables={**data.tables, "history": rows})


@pytest.mark.parametrize(("year", "month"), [(2021, 0), (2021, 6), (2022, 12)])
def test_what_came_later_changes_no_forecast(year, month):
    plain, other = (
        backtest(data, years=[year], months=[month], draws=40).rows
        for data in (DATA, scrambled(DATA, year, month))
    )
    ours, theirs = (rows[rows["level"] == "cell"] for rows in (plain, other))
    assert not plain["actual"].equals(other["actual"]), "the outcomes were scrambled"
    both = ours.merge(theirs, on=["year", "month", *KEYS, "method"], suffixes=("", "_other"))
    assert len(both) > 0
    assert both["expected"].to_numpy() == pytest.approx(both["expected_other"].to_numpy())


def test_the_last_settlement_is_not_known_before_the_end_of_january():
    months = [known(DATA, 2022, m).history.query("year == 2021")["month"].max() for m in (0, 1)]
    assert months == [12, 13]


def test_tables_without_a_date_are_not_known():
    data = dataset(
        history=history(years=[2022]),
        cells="place area source baseline\n01 TECH KCQG 5",
        absorption="place area source upto rate\n01 TECH KCQG 5 0.5",
        places="place people\n01 9",
    )
    past = known(data, 2022, 6)
    assert past.cells.empty
    assert past.absorption.empty
    assert len(past.places) == 1


def test_forecast_is_the_one_a_planner_would_have_had(result):
    outlook = forecast(known(DATA, 2023, 6), 2023, 6, draws=60)
    rows = result.rows.query("year == 2023 and month == 6 and level == 'cell'")
    ours = rows[rows["method"] == "forecast"]
    assert ours[KEYS].to_numpy().tolist() == outlook.cells[KEYS].to_numpy().tolist()
    assert ours["expected"].to_numpy() == pytest.approx(outlook.draws.mean(axis=0))


# --- the table -----------------------------------------------------------------------------------


def test_outcome_and_plan_are_those_of_the_dataset(result):
    rows = result.rows.query("level == 'cell' and method == 'forecast' and month == 6")
    ends = DATA.history.query("month == 13").merge(rows, on=["year", *KEYS], suffixes=("_vnd", ""))
    assert len(ends) == len(rows) == 2 * 9
    assert (ends["actual"] * MILLION).to_numpy() == pytest.approx(
        ends["disbursed"].to_numpy(dtype=float)
    )
    assert (ends["plan"] * MILLION).to_numpy() == pytest.approx(
        ends["plan_vnd"].to_numpy(dtype=float)
    )


@pytest.mark.parametrize("column", ["plan", "actual", "expected"])
def test_sources_and_totals_are_sums_of_cells(result, column):
    ours = result.rows[result.rows["method"] == "forecast"]
    cells = ours[ours["level"] == "cell"].groupby(["year", "month", "source"])[column].sum()
    source = ours[ours["level"] == "source"].set_index(["year", "month", "source"])[column]
    whole = ours[ours["level"] == "all"].set_index(["year", "month"])[column]
    pd.testing.assert_series_equal(cells, source.sort_index(), check_names=False)
    pd.testing.assert_series_equal(
        cells.groupby(level=[0, 1]).sum(), whole.sort_index(), check_names=False
    )


def test_plain_rivals_say_what_a_planner_works_out(result):
    rows = result.rows.query("year == 2023 and month == 6 and level == 'cell' and place == '01'")
    said = rows[rows["area"].eq("TECH") & rows["source"].eq("KCQG")].set_index("method")["expected"]
    mine = DATA.history.query("place == '01' and area == 'TECH' and source == 'KCQG'")
    paid = mine.set_index(["year", "month"])["disbursed"].astype(float) / MILLION
    plan = mine.groupby("year")["plan"].last().astype(float) / MILLION
    bounds = (paid[2023, 6], plan[2023])
    share, completion = paid[2022, 6] / paid[2022, 13], paid[2022, 13] / plan[2022]
    assert said["linear"] == pytest.approx(np.clip(paid[2023, 6] * 2, *bounds))
    assert said["pace"] == pytest.approx(np.clip(paid[2023, 6] / share, *bounds))
    assert said["completion"] == pytest.approx(np.clip(plan[2023] * completion, *bounds))


def test_before_the_year_nothing_has_a_pace(result):
    methods = set(result.rows.query("month == 0")["method"])
    assert not methods & {"linear", "pace"}
    assert {"forecast", "completion"} <= methods


def test_summary_averages_the_rows(result):
    table = result.summary().set_index(["by", "group"])
    ours = result.rows.query("level == 'cell' and method == 'forecast'")
    june = ours[ours["month"] == 6]
    assert table.loc[("month", "6"), "mae"] == pytest.approx(june["error"].abs().mean())
    assert table.loc[("month", "6"), "inside_80"] == pytest.approx(june["inside_80"].mean())
    planned = ours[ours["planned"]]
    assert set(planned["month"]) == {6, 12}, "before the year no plan is known"
    assert table.loc[("all", ""), "n"] == len(planned) == table.loc["size"]["n"].sum()
    rival = result.rows.query("level == 'cell' and method == 'linear' and month == 6")
    ratio = june["error"].abs().mean() / rival["error"].abs().mean()
    assert table.loc[("month", "6"), "ratio_linear"] == pytest.approx(ratio)
    assert set(table.loc["total-source"].index) == {"KCQG", "KCDP"}


def test_best_single_method_is_the_one_with_the_least_error(monkeypatch):
    def legs(outlook):
        plan = outlook.cells["plan"].to_numpy(dtype=float) / MILLION
        return {"leg:all": plan, "leg:half": plan / 2}

    monkeypatch.setattr(import_module("kc_model.backtest"), "legs", legs)
    result = backtest(DATA, years=[2023], months=[6], draws=20)
    row = result.summary().set_index("by").loc["all"]
    mae = result.rows[result.rows["level"] == "cell"].assign(error=lambda rows: rows["error"].abs())
    mae = mae.groupby("method")["error"].mean()
    assert mae["leg:all"] < mae["leg:half"], "every path ends above 60 % of its plan"
    assert row["best"] == "all"
    assert row["ratio_best"] == pytest.approx(mae["forecast"] / mae["leg:all"])
    assert "best single method (all)" in "".join(result.explain("en"))


def test_single_methods_are_those_the_forecast_tells(result):
    outlook = forecast(known(DATA, 2023, 6), 2023, 6, draws=60)
    told = outlook.legs.dropna(subset=["expected"])["leg"].unique()
    methods = set(result.rows["method"])
    assert {name for name in methods if name.startswith("leg:")} == {f"leg:{name}" for name in told}


def test_sizes_are_thirds_by_plan(result):
    ours = result.rows.query("level == 'cell' and method == 'forecast'")
    small, medium = result.sizes
    right = np.select([ours["plan"] <= small, ours["plan"] <= medium], ["small", "medium"], "large")
    assert ours["size"].tolist() == right.tolist()
    assert (result.rows.query("level != 'cell'")["size"] == "").all()


def test_equal_seeds_give_equal_tables(result):
    again = backtest(DATA, years=[2023], months=[6], draws=60).rows.drop(columns="size")
    once = result.rows.query("year == 2023 and month == 6").drop(columns="size")
    pd.testing.assert_frame_equal(once.reset_index(drop=True), again)


# --- what is tried -------------------------------------------------------------------------------


def test_without_choice_every_finished_year_and_reported_month_is_tried():
    data = dataset(history=history(years=range(2019, 2022), months=(6, 12), places=("01",)))
    assert backtest(data, draws=20).done == ((2020, 0), (2020, 6), (2021, 0), (2021, 6))


def test_an_estimate_is_no_year_end():
    text = history(years=range(2019, 2022), months=(6, 12), places=("01",))
    lines = [
        line.replace("reported", "estimate") if line.startswith("2021 12") else line
        for line in text.splitlines()
    ]
    done = backtest(dataset(history="\n".join(lines)), draws=20).done
    assert {year for year, _ in done} == {2020}


@pytest.mark.parametrize(
    ("arguments", "codes"),
    [
        ({"years": [2030]}, {"backtest-year"}),
        ({"months": [13, -1]}, {"forecast-month"}),
        ({"draws": 0}, {"forecast-draws"}),
        ({"years": [2030], "months": [14]}, {"backtest-year", "forecast-month"}),
        ({"years": []}, {"nothing-to-test"}),
    ],
)
def test_what_cannot_be_tried_is_refused_at_once(arguments, codes):
    with pytest.raises(InputError) as caught:
        backtest(DATA, **arguments)
    assert {fault.code for fault in caught.value.faults} == codes


def test_one_year_is_nothing_to_test():
    with pytest.raises(InputError, match="hai năm"):
        backtest(dataset(history=history(years=[2022])))


# --- interrupted, and in words -------------------------------------------------------------------


def stopping(after):
    told = []

    def tell(step, share):
        told.append((step, share))
        if len(told) > after:
            raise KeyboardInterrupt

    return tell


def test_an_interruption_keeps_what_is_done_and_says_so(result):
    part = backtest(
        DATA, years=[2022, 2023], months=[0, 6, 12], draws=60, progress=stopping(after=2)
    )
    assert part.done == ((2022, 0), (2022, 6))
    assert part.left == ((2022, 12), (2023, 0), (2023, 6), (2023, 12))
    first = result.rows.query("year == 2022 and month in (0, 6)").drop(columns="size")
    pd.testing.assert_frame_equal(part.rows.drop(columns="size"), first)
    assert "12/2022, 0/2023, 6/2023, 12/2023" in "".join(part.explain("en"))


def test_an_interruption_before_anything_is_done_is_one():
    with pytest.raises(KeyboardInterrupt):
        backtest(DATA, years=[2022], months=[6], progress=stopping(after=0))


def test_progress_rises_to_one():
    told = []
    backtest(DATA, years=[2022], months=[6, 9], draws=5, progress=lambda *one: told.append(one))
    assert told == [("backtest", 0.0), ("backtest", 0.5), ("backtest", 1.0)]


@pytest.mark.parametrize("language", LANGUAGES)
def test_sentences_name_the_figures(result, language):
    text = "\n".join(result.explain(language))
    table = result.summary().set_index(["by", "group"])
    mark = "," if language == "vi" else "."
    for share in (table.loc[("month", "6"), "mae"], table.loc[("all", ""), "inside_80"]):
        assert f"{100 * share:.1f}".replace(".", mark) in text
    assert "2022, 2023" in text
    assert "{" not in text
    assert "nan" not in text


@pytest.mark.parametrize("held", [0.5, 0.74, 0.8, 0.87, 1.0])
def test_ranges_that_do_not_hold_are_called_so(result, held):
    faked = replace(result, rows=result.rows.assign(inside_80=held))
    text = "\n".join(faked.explain("en"))
    assert ("too narrow" in text) == (held < 0.75)
    assert ("wider than" in text) == (held > 0.86)


# --- on screen -----------------------------------------------------------------------------------


def test_desk_shows_sentences_and_figures_in_both_languages():
    desk = BacktestDesk(DATA, [2023], [6, 9])
    assert desk.wait(60)
    for language in LANGUAGES:
        desk.tongues.value = language
        for sentence in desk.result.explain(language):
            assert escape(sentence) in re.sub("</?span[^>]*>", "", desk.findings.value)
    assert "Local" in desk.figures.value
    assert desk.errand.told.value == ""


def test_desk_that_is_stopped_keeps_what_is_done():
    desk = BacktestDesk(DATA)
    desk.errand.stop.click()
    assert desk.wait(60)
    assert desk.result is None or desk.result.left


def test_desk_tells_what_cannot_be_tried():
    desk = BacktestDesk(DATA, [2030])
    assert desk.wait(60)
    assert "2030" in desk.errand.told.value
