"""Next year: sums, units, order, seeds, leakage, gaps and pauses, honest width, known cases."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from datasets import dataset
from hypothesis import example, given, settings
from hypothesis import strategies as st

import kc_model as kc
from kc_model.errors import InputError
from kc_model.forecast import forecast
from kc_model.next_year import MEASURES, NextYear, next_year
from kc_model.tables import SCHEMAS, Dataset, empty_table

MONEY = ["expected", "lower_80", "upper_80", "lower_95", "upper_95"]
PLACES = ("01", "48", "79")  # one of each region
SOURCES = ("KCQG", "KCDP")


def built(records: list[dict[str, Any]], unit: str = "million_vnd", vintage: str = "63") -> Dataset:
    """A dataset with a history of these rows; money in million VND, None for missing."""
    table = empty_table("history").reindex(range(len(records)))
    raw = pd.DataFrame(records)
    for name in table.columns:
        dtype = empty_table("history")[name].dtype
        if name in ("plan", "disbursed") and name in raw:
            vnd = [None if pd.isna(v) else round(v * 10**6) for v in raw[name]]
            table[name] = pd.Series(vnd, dtype="Int64")
        elif name in raw:
            table[name] = raw[name].astype(dtype)
        elif str(dtype) == "str":
            table[name] = pd.Series([""] * len(records), dtype=dtype)
        else:
            table[name] = table[name].astype(dtype)
    tables = {name: empty_table(name) for name in SCHEMAS} | {"history": table}
    return Dataset("thử", vintage, unit, True, (), tables)


def years(
    plans: dict[int, float | None], rate: float = 0.9, place: str = "01", source: str = "KCDP"
) -> list[dict[str, Any]]:
    """Rows of one cell: the plan in January, a little less of it in month 13, and the year-end."""
    keys = {"place": place, "area": "TECH", "source": source}
    found = []
    for i, (year, plan) in enumerate(plans.items()):
        if plan is None:
            continue
        end = plan * (0.97 + 0.01 * (i % 3))
        found.append({"year": year, "month": 1, "plan": plan, "disbursed": 0.0, **keys})
        found.append(
            {"year": year, "month": 13, "plan": end, "disbursed": end * (rate - i % 4 / 50), **keys}
        )
    return found


def rising(n_years: int = 8, start: float = 1000.0, first: int = 2017) -> dict[int, float | None]:
    noise = np.random.default_rng(int(start)).normal(0, 0.08, n_years)
    return {first + i: round(start * 1.03**i * np.exp(noise[i]), 3) for i in range(n_years)}


def national(n_years: int = 8) -> list[dict[str, Any]]:
    records: list[dict[str, Any]] = []
    for i, (place, source) in enumerate((p, s) for p in PLACES for s in SOURCES):
        records += years(rising(n_years, 1000.0 + 300 * i), 0.95 - i / 50, place, source)
    return records


def row(result: NextYear, measure: str = "plan", level: str = "all", **keys: str) -> pd.Series:
    rows = result.rows
    chosen = rows[(rows["level"] == level) & (rows["measure"] == measure)]
    for name, value in keys.items():
        chosen = chosen[chosen[name] == value]
    assert len(chosen) == 1
    return chosen.iloc[0]


def codes(error: pytest.ExceptionInfo[InputError]) -> set[str]:
    return {fault.code for fault in error.value.faults}


# --- laws ---------------------------------------------------------------------------------------

amounts = st.one_of(st.none(), st.just(0.0), st.integers(1, 5_000).map(float))
histories = st.dictionaries(
    st.tuples(st.sampled_from(["01", "48", "79", "TW"]), st.sampled_from(SOURCES)),
    st.lists(amounts, min_size=5, max_size=5),
    min_size=1,
    max_size=5,
)


def of(drawn: dict[tuple[str, str], list[float | None]], unit: str = "million_vnd") -> Dataset:
    records = years(dict.fromkeys(range(2020, 2025), 500.0), 0.8, "92", "KCDP")
    for (place, source), plans in drawn.items():
        records += years(dict(zip(range(2020, 2025), plans, strict=True)), 1.0, place, source)
    return built(records, unit)


SWINGS = [1.0, 5000.0, 1.0, 5000.0, 1.0]


@given(histories)
@example({("01", "KCQG"): SWINGS, ("48", "KCDP"): SWINGS})  # draws of more than 9e18 đồng
@example({("01", "KCDP"): [x and x * 10**5 for x in SWINGS]})  # more than a float tells apart
@settings(max_examples=8, deadline=None)
def test_sums_bounds_and_order_of_rows(drawn):
    data = of(drawn)
    result = next_year(data, draws=60)
    rows = result.rows
    for measure in MEASURES:
        mine = rows[rows["measure"] == measure]
        total = mine.loc[mine["level"] == "all", "expected"]
        for level in ("source_region", "source", "region"):
            parts = mine.loc[mine["level"] == level, "expected"]
            assert parts.sum(skipna=False) == total.iloc[0]
        assert np.isfinite(result.draws[measure]).all()
        assert (result.draws[measure] >= 0).all()
        known = mine[mine["lower_80"].notna()]
        assert (known["lower_95"] <= known["lower_80"]).all()
        assert (known["lower_80"] <= known["upper_80"]).all()
        assert (known["upper_80"] <= known["upper_95"]).all()
    assert (result.draws["outturn"] <= result.draws["plan"] * (1 + 1e-12)).all()
    first = result.history["plan_first"].max() / 10**6
    assert (result.draws["plan_first"] <= 10 * first * (1 + 1e-12)).all()
    shuffled = data.history.sample(frac=1, random_state=1).reset_index(drop=True)
    again = next_year(
        Dataset("", "63", "million_vnd", True, (), {**data.tables, "history": shuffled}), draws=60
    )
    assert again.table().to_csv() == result.table().to_csv()
    assert len(result.explain("vi")) == len(result.explain("en")) > 3


def test_ranges_are_of_sums_of_draws():
    result = next_year(built(national()), draws=400)
    series = result.rows[(result.rows["level"] == "source_region")]
    series = series[series["measure"] == "outturn"].reset_index(drop=True)
    for key, level in (("region", "region"), ("source", "source")):
        for code, part in series.groupby(key):
            total = result.draws["outturn"][:, part.index].sum(1) * 1e6
            found = row(result, "outturn", level, **{key: str(code)})
            assert found["lower_80"] == round(np.quantile(total, 0.1))
            assert found["upper_95"] == round(np.quantile(total, 0.975))


def test_unit_scales_the_table_and_money_scales_the_result():
    records = national()
    base = next_year(built(records), draws=100)
    billion = next_year(built(records, "billion_vnd"), draws=100)
    np.testing.assert_allclose(base.table()[MONEY], billion.table()[MONEY] * 1000, rtol=1e-12)
    tenfold = [{**r, "plan": r["plan"] * 10, "disbursed": r["disbursed"] * 10} for r in records]
    larger = next_year(built(tenfold), draws=100)
    np.testing.assert_allclose(larger.table()[MONEY], base.table()[MONEY] * 10, rtol=1e-4)


def test_same_seed_same_bytes_another_seed_not():
    data = built(national())
    first, again, other = (next_year(data, draws=100, seed=s) for s in (1, 1, 2))
    assert first.table().to_csv() == again.table().to_csv()
    assert first.table().to_csv() != other.table().to_csv()


def test_nothing_later_is_looked_at():
    records = national()
    later = years({2025: 9e6}, 0.1) + years({2025: 9e6}, 0.1, "48", "KCQG")
    alone = next_year(built(records), 2025, draws=50)
    with_later = next_year(built(records + later), 2025, draws=50)
    assert alone.table().to_csv() == with_later.table().to_csv()
    early = next_year(built(records), 2025, as_of=6, draws=50)
    assert early.history.query("year == 2024")["completion"].isna().all()


# --- the unfinished year ------------------------------------------------------------------------


def unfinished(share: float) -> Dataset:
    records = []
    for place in PLACES:
        plans = rising(8, 900.0 + int(place))
        for record in years(plans, 0.85, place):
            records.append(record)
            if record["month"] == 1:
                half = {**record, "month": 6, "disbursed": record["plan"] * 0.35}
                records.append(half)
        now = {"year": 2025, "place": place, "area": "TECH", "source": "KCDP", "plan": 1200.0}
        records.append({**now, "month": 1, "disbursed": 0.0})
        records.append({**now, "month": 6, "disbursed": 1200.0 * share})
    return built(records)


def test_this_years_forecast_enters_with_its_uncertainty():
    data = unfinished(0.35)
    result = next_year(data, draws=300)
    assert (result.year, result.as_of) == (2026, 6)
    outlook = forecast(data, 2025, 6, draws=300)
    assert result.history.query("year == 2025")["outturn"].isna().all()
    rate = outlook.draws.sum(1).mean() / 3600
    found = row(result, "outturn")["expected"] / row(result, "plan")["expected"]
    past = result.history["completion"].mean()
    assert min(rate, past) - 0.03 <= found <= max(rate, past) + 0.03
    assert any("2025" in note.vi for note in result.notes)


# --- gaps, pauses, few years --------------------------------------------------------------------


def test_fewer_than_three_years_give_no_range():
    records = years(rising()) + years({2023: 700.0, 2024: 800.0}, place="48")
    result = next_year(built(records), draws=100)
    short = row(result, "plan_first", "source_region", region="R-C")
    assert short["expected"] == 800 * 10**6
    assert short[MONEY[1:]].isna().all()
    assert short["basis"] == "few"
    whole = row(result)
    assert whole[MONEY[1:]].isna().all(), "a sum with a part without range has none"
    assert whole["basis"] == "part_missing"
    assert row(result, "plan", "region", region="R-N")["lower_80"] is not pd.NA
    assert any("chưa đủ số liệu các năm trước" in text for text in result.explain("vi"))


def test_three_to_five_years_borrow_the_spread_of_their_source():
    calm = {2022: 1000.0, 2023: 1000.0, 2024: 1000.0}
    records = years(calm) + years(rising(8, 2000.0), place="48")
    short = row(next_year(built(records), draws=500), "plan", "source_region", region="R-N")
    assert short["basis"] == "pooled"
    assert short["upper_80"] - short["lower_80"] > 0.05 * short["expected"]


def test_three_years_of_several_series_give_a_range_of_one_they_do_not():
    several = next_year(built(national(3)), draws=100)
    assert row(several, "plan_first")["lower_80"] < row(several, "plan_first")["upper_80"]
    assert row(next_year(built(years(rising(3))), draws=20), "plan_first")[MONEY[1:]].isna().all()


def test_a_year_that_is_missing_is_not_zero():
    plans = rising()
    full = next_year(built(years(plans)), draws=200)
    gap = next_year(built(years({**plans, 2020: None})), draws=200)
    assert row(gap, "plan_first")["n_years"] == 7
    ratio = row(gap)["expected"] / row(full)["expected"]
    assert 0.85 < ratio < 1.15
    assert any("2020" in note.vi and "thiếu" in note.vi for note in gap.notes)


def test_a_fund_that_stopped_may_pause_again():
    records = years({**rising(), 2022: 0.0}, place="48", source="KCQG") + years(rising())
    result = next_year(built(records), draws=1000)
    draws = result.draws["plan"][:, 0]
    assert 0.1 < (draws == 0).mean() < 0.3, "one pause in six changes"
    assert any("2022" in note.vi and "tạm dừng" in note.vi for note in result.notes)


def test_a_region_without_any_money_stays_at_zero():
    nothing = dict.fromkeys(range(2017, 2025), 0.0)
    records = years(nothing, place="48", source="KCQG") + years(rising())
    result = next_year(built(records), draws=50)
    assert row(result, "outturn", "source_region", region="R-C")["expected"] == 0
    assert row(result)["expected"] == row(result, level="region", region="R-N")["expected"]


@pytest.mark.parametrize(("kept", "counts"), [(0.95, True), (0.5, False)])
def test_a_year_counts_when_nine_tenths_of_its_plan_report_the_end(kept, counts):
    records = years(rising())
    for area, share in (("PROD", kept), ("INFO", 1 - kept)):
        part = [{**r, "area": area} for r in years({2020: 5000.0 * share})]
        records += part if area == "PROD" else [{**r, "disbursed": None} for r in part]
    result = next_year(built(records), draws=50)
    year = result.history.set_index("year").loc[2020]
    assert year["outturn"] is pd.NA, "a sum with a missing part is missing"
    assert np.isfinite(year["completion"]) == counts
    assert row(result, "outturn")["n_years"] == 7 + counts
    assert any("2020" in note.vi for note in result.notes)


def test_outturn_may_pass_the_plan_only_where_it_did():
    over = next_year(built(years(rising(), rate=1.2)), draws=400)
    assert (over.draws["outturn"] > over.draws["plan"]).any()
    within = next_year(built(years(rising(), rate=1.0)), draws=400)
    assert (within.draws["outturn"] <= within.draws["plan"]).all()


def test_figures_without_adjustments_say_so():
    records = [r for r in years(rising()) if r["month"] == 13]
    result = next_year(built(records), draws=50)
    assert row(result, "plan")["expected"] == row(result, "plan_first")["expected"]
    assert any("điều chỉnh" in note.vi and "không cho biết" in note.vi for note in result.notes)


def test_merged_provinces_make_one_series():
    old = [{**r, "vintage": "63"} for r in years(rising(4), place="02")]  # Hà Giang, merged into 08
    old += [{**r, "vintage": "63"} for r in years(rising(4), place="08")]
    new = [{**r, "vintage": "34"} for r in years(rising(4, 2000.0, 2021), place="08")]
    result = next_year(built(old + new, vintage="34"), draws=50)
    assert len(result.history) == 8
    assert result.history["plan"].min() > 1_500 * 10**6
    assert row(result, "plan_first")["n_years"] == 8


# --- honest width -------------------------------------------------------------------------------


def paths(kind: str, n_years: int, random: np.random.Generator) -> np.ndarray[Any, Any]:
    """Logarithms of the plans of six series over the years, part of the shocks common to all."""
    shape = (6, n_years)
    shock = random.normal(0, 0.08, shape) + random.normal(0, 0.06, n_years)
    if kind == "drift":
        return 7.0 + np.cumsum(shock + 0.03, axis=1)
    if kind == "shifts":
        jumps = np.where(random.random(shape) < 0.1, random.normal(0, 0.3, shape), 0.0)
        return 7.0 + np.cumsum(jumps, axis=1) + shock
    level = np.zeros(shape)
    level[:, 0] = shock[:, 0] / np.sqrt(1 - 0.6**2)
    for t in range(1, n_years):
        level[:, t] = 0.6 * level[:, t - 1] + shock[:, t]
    return 7.0 + level


def simulated(kind: str, n_years: int, seed: int) -> tuple[Dataset, pd.DataFrame]:
    """A history of n_years and what came in the year after it (million VND)."""
    random = np.random.default_rng(seed)
    plan = np.exp(paths(kind, n_years + 1, random))
    end = plan * (0.98 + random.normal(0, 0.02, plan.shape))
    off = random.normal(0, 0.04, plan.shape) + random.normal(0, 0.03, n_years + 1)
    done = end * np.clip(0.88 + off, 0, 1)
    records, truth = [], []
    for i, (place, source) in enumerate((p, s) for p in PLACES for s in SOURCES):
        keys = {"place": place, "area": "TECH", "source": source}
        for t in range(n_years):
            year = {"year": 1984 + t, **keys}
            records.append({**year, "month": 1, "plan": plan[i, t], "disbursed": 0.0})
            records.append({**year, "month": 13, "plan": end[i, t], "disbursed": done[i, t]})
        truth.append(
            {**keys, "plan_first": plan[i, -1], "plan": end[i, -1], "outturn": done[i, -1]}
        )
    return built(records), pd.DataFrame(truth).assign(
        region=["R-N"] * 2 + ["R-C"] * 2 + ["R-S"] * 2
    )


def covered(kind: str, n_years: int, seeds: range, draws: int = 300) -> list[dict[str, float]]:
    """Whether the 80 and 95 % ranges held what came: series and the total, by measure."""
    found = []
    for seed in seeds:
        data, truth = simulated(kind, n_years, seed)
        rows = next_year(data, draws=draws).rows
        for measure in MEASURES:
            mine = rows[rows["measure"] == measure]
            series = mine[mine["level"] == "source_region"].merge(truth, on=["source", "region"])
            total = mine[mine["level"] == "all"].assign(**{measure: truth[measure].sum()})
            for level, part in (("series", series), ("all", total)):
                came = part[measure] * 1e6
                for share in (80, 95):
                    held = came.between(part[f"lower_{share}"], part[f"upper_{share}"])
                    found += [
                        {"level": level, "measure": measure, "share": share, "held": float(h)}
                        for h in held
                    ]
    return found


@pytest.mark.parametrize("kind", ["drift", "shifts", "returns"])
def test_ranges_hold_about_as_often_as_they_say(kind):
    seeds = {8: range(4), 15: range(10, 12), 40: range(20, 21)}
    found = [hit for n, some in seeds.items() for hit in covered(kind, n, some, 200)]
    frame = pd.DataFrame(found).query("level == 'series'")
    rate = frame.groupby("share")["held"].mean()
    assert 0.70 <= rate[80] <= 0.94  # 126 outcomes that hang together
    assert rate[95] >= 0.87


# --- faults, cases ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (
            {"year": 2030, "as_of": 14, "draws": 0},
            {"next-year-year", "next-year-month", "forecast-draws"},
        ),
        ({"year": 2017}, {"next-year-year"}),
        ({"as_of": -1}, {"next-year-month"}),
    ],
)
def test_faults_come_all_at_once(arguments, expected):
    with pytest.raises(InputError) as error:
        next_year(built(national()), **arguments)
    assert codes(error) == expected
    assert all(str(f.at) for f in error.value.faults if f.code == "next-year-year")


@pytest.mark.parametrize("history", ["year month place area source plan disbursed\n"])
def test_no_history_and_no_plan_are_faults(history):
    with pytest.raises(InputError) as error:
        next_year(dataset(history=history))
    assert codes(error) == {"nothing-to-forecast"}
    unplanned = history + "2023 12 01 TECH KCDP - 5"
    with pytest.raises(InputError) as error:
        next_year(dataset(history=unplanned), draws=10)
    assert codes(error) == {"nothing-to-forecast"}


def test_published_south_2018_and_2023_give_numbers_without_a_range():
    """South, printed (tỷ đồng): 2018 96.4 planned and 87.3 done; 2023 99.35 and 81.725."""
    history = """
        year month place area source plan disbursed
        2018 12 R-S ALL ALL 96.4 87.3
        2023 12 R-S ALL ALL 99.35 81.725
    """
    result = next_year(dataset("billion_vnd", history=history), draws=50)
    table = result.table().query("level == 'all'").set_index("measure")
    assert table.loc["plan", "expected"] == pytest.approx(99.35)
    rate = (87.3 / 96.4 + 81.725 / 99.35) / 2
    assert table.loc["outturn", "expected"] == pytest.approx(99.35 * rate, rel=0.02)
    assert table[MONEY[1:]].isna().all(axis=None)
    # came in 2024: about 67.4 planned, 53.81 done; two years cannot tell, and none is claimed


def test_sample_makes_sense():
    result = next_year(kc.read_dataset("data/sample"), draws=300)
    table = result.table().set_index(["level", "source", "region", "measure"])["expected"]
    assert table["all", "", "", "outturn"] < table["all", "", "", "plan"]
    newest = result.history[result.history["year"] == 2026]["plan_first"].sum() / 1e6
    assert 0.9 < table["all", "", "", "plan_first"] / newest < 1.15
    assert (result.rows["lower_80"] < result.rows["upper_80"]).all()
    assert set(result.history["region"]) == {"TW", "R-N", "R-C", "R-S"}
