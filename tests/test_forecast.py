"""The forecast: bounds, exact totals, no leakage, borrowing, late money, honest width."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kc_model import reference
from kc_model.errors import InputError
from kc_model.forecast import forecast, months_of
from kc_model.forecast.credibility import Grouping, shrink
from kc_model.forecast.prior import build_prior
from kc_model.tables import SCHEMAS, Dataset, empty_table
from kc_model.wording import LANGUAGES, say

KEYS = ["place", "area", "activity", "source"]
QUARTERS = (3, 6, 9, 12, 13)
MILLION = 1_000_000


def dataset(history: pd.DataFrame, vintage: str = "63", unit: str = "million_vnd") -> Dataset:
    """A dataset with nothing but a history; columns left out are missing."""
    table = empty_table("history")
    for name in table.columns:
        given_ = history[name] if name in history else pd.Series(dtype=object)
        blank = "" if str(table[name].dtype) == "str" else None
        column = given_.reindex(history.index).astype(object)
        table[name] = column.where(column.notna(), blank).astype(table[name].dtype)
    tables = {name: empty_table(name) for name in SCHEMAS}
    tables["history"] = table
    return Dataset("test", vintage, unit, True, (), tables)


def rows(*records: dict[str, Any]) -> Dataset:
    return dataset(pd.DataFrame(records))


def row(
    year: int, month: int, plan: int | None, disbursed: int | None, **keys: Any
) -> dict[str, Any]:
    base = {"place": "01", "area": "TECH", "source": "KCDP"}
    return {"year": year, "month": month, "plan": plan, "disbursed": disbursed, **base, **keys}


@cache
def simulated(seed: int, n_places: int = 10, first: int = 2018, last: int = 2024) -> pd.DataFrame:
    """Back-loaded years with effects of place, area and year, noisy paces and silent months."""
    random = np.random.default_rng(seed)
    places = [code for code in reference.place_order("63") if code.isdigit()][:n_places]
    areas, sources = ("TRAIN", "TECH", "PROD", "INFO"), ("KCQG", "KCDP")
    frame = pd.MultiIndex.from_product(
        [range(first, last + 1), places, areas, sources], names=["year", "place", "area", "source"]
    ).to_frame(index=False)
    n = len(frame)

    def effect(keys: list[str], spread: float) -> np.ndarray[Any, Any]:
        group = frame.groupby(keys).ngroup().to_numpy()
        return random.normal(0, spread, group.max() + 1)[group]

    rate = 0.88 + effect(["place"], 0.07) + effect(["area"], 0.05) + effect(["year", "source"], 0.1)
    rate = np.clip(rate + random.normal(0, 0.15, n), 0, 1)
    power = frame["area"].map({"TRAIN": 2.2, "TECH": 4.0, "PROD": 2.0, "INFO": 1.6}).to_numpy()
    pace = (np.arange(14) / 13) ** (power * np.exp(random.normal(0, 0.25, n)))[:, None]
    steps = np.diff(pace, axis=1) * np.exp(random.normal(0, 0.8, (n, 13)))
    steps[random.random((n, 13)) < 0.25] = 0.0
    steps /= np.maximum(steps.sum(1, keepdims=True), 1e-9)
    plan = np.rint(np.exp(random.normal(6.5, 0.8, n))) * 1_000_000
    spent = np.rint(np.cumsum(steps, 1) * (rate * plan)[:, None])
    long = frame.loc[frame.index.repeat(13)].reset_index(drop=True)
    return long.assign(
        month=np.tile(np.arange(1, 14), n),
        plan=np.repeat(plan, 13).astype(np.int64),
        disbursed=spent.ravel().astype(np.int64),
    )


def plans_of(frame: pd.DataFrame, year: int) -> pd.DataFrame:
    now = frame[(frame["year"] == year) & (frame["month"] == 1)]
    return now.assign(activity="")[[*KEYS, "plan"]].astype({"plan": "Int64"})


def outturn(frame: pd.DataFrame, year: int, cells: pd.DataFrame) -> np.ndarray[Any, Any]:
    last = frame[(frame["year"] == year) & (frame["month"] == 13)]
    keys = ["place", "area", "source"]
    return cells[keys].merge(last, on=keys)["disbursed"].to_numpy(float) / 1e6


def forecast_or_none(data: Dataset, year: int, as_of: int, draws: int) -> Any:
    """The forecast, or None where no plan is known and it says so."""
    planned = data.history.dropna(subset=["plan"])
    now = planned["year"].eq(year) & planned["month"].le(as_of)
    spent = data.history[data.history["disbursed"].gt(0) & data.history["year"].lt(year)]
    if (now | planned["year"].lt(year)).any() or len(spent):
        return forecast(data, year, as_of, draws=draws)
    with pytest.raises(InputError, match="nothing-to-forecast"):
        forecast(data, year, as_of, draws=draws)
    return None


def same(first: Any, second: Any) -> None:
    np.testing.assert_array_equal(first.draws, second.draws)
    np.testing.assert_array_equal(first.capacity, second.capacity)
    pd.testing.assert_frame_equal(first.slices, second.slices)
    assert first.table().to_csv() == second.table().to_csv()


# --- laws ---------------------------------------------------------------------------------------

amounts = st.one_of(st.none(), st.integers(0, 5_000)).map(
    lambda x: None if x is None else x * 10**6
)


@st.composite
def histories(draw: st.DrawFn) -> pd.DataFrame:
    """Small untidy histories: gaps, zero plans, overspending, corrections, estimates."""
    cells = draw(
        st.lists(
            st.tuples(
                st.sampled_from(["01", "04", "79", "TW"]),
                st.sampled_from(["TRAIN", "TECH", "ALL"]),
                st.sampled_from(["KCQG", "KCDP"]),
            ),
            min_size=1,
            max_size=4,
            unique=True,
        )
    )
    months = draw(st.sampled_from([tuple(range(1, 13)), (3, 6, 9, 12), QUARTERS, (6,)]))
    records = []
    for year in range(2020, 2020 + draw(st.integers(1, 3))):
        for place, area, source in cells:
            plan = draw(amounts)
            for month in months:
                records.append(
                    row(year, month, plan, draw(amounts), place=place, area=area, source=source)
                    | {"status": draw(st.sampled_from(["", "estimate", "reported"]))}
                    | {"released": draw(st.sampled_from([None, 0, plan]))}
                )
    return pd.DataFrame(records)


def growth_of(history: pd.DataFrame, year: int) -> float:
    """Return how many times its last plan any line's last plan of the year after was, 1 if none."""
    known = history[history["plan"].notna() & (history["year"] < year)].sort_values("month")
    last = known.groupby(["place", "area", "source", "year"])["plan"].last().astype(float)
    before = last.rename(lambda one: one + 1, level="year")
    grown = (last / before[before > 0]).dropna()
    return max(1.0, grown.max()) if len(grown) else 1.0


GROWN = pd.DataFrame(
    [row(2020, 6, 10**6, None), row(2021, 6, 2 * 10**6, None), row(2022, 6, None, None)]
).assign(status="", released=None)


@settings(max_examples=20)
@given(histories(), st.integers(0, 12))
@example(GROWN, 0)  # the plan of 2021 stands in; what 2022 is given may be twice that again
def test_any_history_gives_bounded_draws_and_exact_totals(
    history: pd.DataFrame, as_of: int
) -> None:
    data, year = dataset(history), int(history["year"].max())
    outlook = forecast_or_none(data, year, as_of, 60)
    if outlook is None:
        return
    plan = outlook.cells["plan"].to_numpy(float, na_value=np.inf) / 1e6  # without one, no bound
    if any((note.standing, note.column) == ("assumed", "plan") for note in outlook.notes):
        plan *= growth_of(history, year)  # an earlier year's plan stands in, and plans change
    spent = outlook.cells["disbursed"].fillna(0).to_numpy(float) / 1e6
    slack = 1e-9 * np.maximum(1.0, outlook.draws.max(0))
    assert (outlook.draws >= spent - slack).all()
    assert (outlook.draws <= np.maximum(plan, spent) + slack).all()
    assert (outlook.capacity >= outlook.draws - slack).all()
    table = outlook.table()
    for level, part in table.groupby("level"):
        if level in ("region", "all"):
            continue
        for name in ("plan", "expected") if np.isfinite(plan).all() else ("expected",):
            exact = (part[name] * 10**6).round().sum()
            assert exact == round(table.loc[table["level"] == "all", name].item() * 10**6), level
    assert (table["lower_95"] <= table["lower_80"]).all()
    assert (table["upper_80"] <= table["upper_95"]).all()
    zero = ~(table["plan"] > 0)
    assert table.loc[zero, ["completion_expected", "probability_full"]].isna().all(axis=None)
    assert table.loc[~zero, "probability_full"].between(0, 1).all()


@settings(max_examples=7)
@given(histories(), st.integers(0, 12), st.randoms())
def test_order_of_rows_and_what_comes_later_change_nothing(
    history: pd.DataFrame, as_of: int, chance: Any
) -> None:
    year = int(history["year"].max())
    later = (history["year"] == year) & (history["month"] > as_of)
    shuffled = history.sample(frac=1, random_state=chance.randrange(2**31))
    told = history.copy()
    told.loc[later, ["plan", "disbursed", "released"]] = 10**12
    told = pd.concat([told, told.assign(year=year + 1)])
    first = forecast_or_none(dataset(history), year, as_of, 20)
    if first is None:
        return
    for other in (shuffled, told):
        again = forecast(dataset(other), year, as_of, draws=20)
        same(first, again)
        assert (first.notes, first.year_end) == (again.notes, again.year_end)


def test_equal_input_gives_equal_bytes_and_another_seed_other_draws() -> None:
    data = dataset(simulated(1))
    first, second = forecast(data, 2024, 6), forecast(data, 2024, 6)
    same(first, second)
    assert first.table().to_csv().encode() == second.table().to_csv().encode()
    assert (forecast(data, 2024, 6, seed=7).draws != first.draws).any()


# --- the table ----------------------------------------------------------------------------------


def test_table_has_the_levels_of_the_contract_in_official_order() -> None:
    frame = simulated(2, n_places=3)
    table = forecast(dataset(frame), 2024, 6, draws=50).table()
    columns = ["level", "place", "area", "source", "plan", "disbursed", "expected", "lower_80"]
    columns += ["upper_80", "lower_95", "upper_95", "completion_expected", "probability_full"]
    assert list(table.columns) == columns
    assert list(dict.fromkeys(table["level"])) == [
        *("cell", "place", "area", "source", "region", "all")
    ]
    areas = table.loc[table["level"] == "area", "area"]
    assert list(areas) == ["TRAIN", "TECH", "PROD", "INFO"]
    assert list(table.loc[table["level"] == "source", "source"]) == ["KCQG", "KCDP"]
    assert list(table.loc[table["level"] == "region", "place"]) == ["R-N"]
    last = table.iloc[-1]
    assert (last["place"], last["area"], last["source"]) == ("", "", "")
    assert last["completion_expected"] == pytest.approx(last["expected"] / last["plan"])


def test_amounts_are_in_the_unit_of_the_dataset_and_activities_keep_their_key() -> None:
    frame = simulated(3, n_places=1).assign(activity="mô hình")
    in_million = forecast(dataset(frame), 2024, 6, draws=20).table()
    in_dong = forecast(dataset(frame, unit="vnd"), 2024, 6, draws=20).table()
    assert list(in_million.columns[:5]) == ["level", "place", "area", "activity", "source"]
    assert set(in_million.loc[in_million["level"] == "cell", "activity"]) == {"mô hình"}
    np.testing.assert_allclose(in_dong["expected"], in_million["expected"] * 1e6)


def test_a_total_is_blank_where_a_cell_did_not_report() -> None:
    outlook = forecast(
        rows(row(2024, 6, 10**9, 10**8), row(2024, 6, 10**9, None, place="04")), 2024, 6
    )
    assert outlook.cells["disbursed"].isna().tolist() == [False, True]
    table = outlook.table().set_index(["level", "place"])
    assert table.loc[("place", "01"), "disbursed"].item() == 100.0
    assert np.isnan(table.loc[("all", ""), "disbursed"].item())
    assert table.loc[("all", ""), "plan"].item() == 2000.0


# --- what is known ------------------------------------------------------------------------------


def test_zero_is_a_figure_and_missing_is_none() -> None:
    frame = simulated(4)
    late = (frame["year"] == 2024) & (frame["month"] == 9) & (frame["place"] == "01")
    before = (frame["year"] == 2024) & (frame["place"] == "01")
    zero = frame.assign(disbursed=frame["disbursed"].where(~before, 0))
    missing = frame.astype({"disbursed": "Int64"})
    missing.loc[before, "disbursed"] = pd.NA
    of = {
        name: forecast(dataset(data), 2024, 9)
        for name, data in (("as it is", frame), ("zero", zero), ("missing", missing))
    }
    cell = (of["zero"].cells["place"] == "01").to_numpy()
    assert late.any()
    assert (of["zero"].cells.loc[cell, "disbursed"] == 0).all()
    assert of["missing"].cells.loc[cell, "disbursed"].isna().all()
    total = {name: outlook.draws[:, cell].mean(0).sum() for name, outlook in of.items()}
    assert total["zero"] < 0.95 * total["missing"]  # nothing by September is a bad sign
    keys = {note.en.split(" ", 1)[1] for note in of["missing"].notes}
    assert any("report no disbursement this year" in key for key in keys)


def test_an_older_figure_stands_in_and_is_noted() -> None:
    frame = simulated(5, n_places=2)
    gap = (frame["year"] == 2024) & (frame["place"] == "01") & (frame["month"] > 4)
    outlook = forecast(dataset(frame[~gap]), 2024, 6)
    april = frame[(frame["year"] == 2024) & (frame["place"] == "01") & (frame["month"] == 4)]
    shown = outlook.cells[outlook.cells["place"] == "01"].merge(
        april, on=["place", "area", "source"]
    )
    assert (shown["disbursed_x"] == shown["disbursed_y"]).all()
    assert any("no figure for month 6" in note.en for note in outlook.notes)


def test_estimates_count_and_are_noted() -> None:
    frame = simulated(5, n_places=2)
    now = (frame["year"] == 2024) & (frame["month"] == 6)
    marked = frame.assign(status=np.where(now, "estimate", "reported"))
    outlook = forecast(dataset(marked), 2024, 6)
    np.testing.assert_array_equal(outlook.draws, forecast(dataset(frame), 2024, 6).draws)
    assert [n for n in outlook.notes if n.standing == "estimate" and "16 of 16" in n.en]


def test_the_plan_in_force_counts_not_the_first_nor_a_later_one() -> None:
    history = [
        row(2024, m, 10**9 if m < 4 else 6 * 10**8 if m < 8 else 3 * 10**8, 0) for m in range(1, 13)
    ]
    outlook = forecast(rows(*history), 2024, 6)
    assert outlook.cells["plan"].tolist() == [6 * 10**8]


def test_year_end_is_month_13_only_where_the_known_past_has_one() -> None:
    frame = simulated(6, n_places=2)
    assert forecast(dataset(frame), 2024, 6).year_end == 13
    assert forecast(dataset(frame[frame["month"] <= 12]), 2024, 6).year_end == 12
    only_now = frame[(frame["year"] == 2024) | (frame["month"] <= 12)]
    assert forecast(dataset(only_now), 2024, 6).year_end == 12  # month 13 of 2024 is not known yet


def test_at_the_end_of_the_year_nothing_is_open() -> None:
    frame = simulated(6, n_places=2)
    frame = frame[frame["month"] <= 12]
    outlook = forecast(dataset(frame), 2024, 12)
    spent = outlook.cells["disbursed"].to_numpy(float) / 1e6
    assert np.abs(outlook.draws.mean(0) - spent).max() < 0.03 * spent.max()


def test_quarterly_reports_forecast_like_monthly_ones_at_the_quarter() -> None:
    frame = simulated(7)
    quarterly = frame[frame["month"].isin(QUARTERS)]
    for month in (3, 6, 9, 12):
        monthly = forecast(dataset(frame), 2024, month)
        by_quarter = forecast(dataset(quarterly), 2024, month)
        quarters, months = by_quarter.draws.mean(0), monthly.draws.mean(0)
        np.testing.assert_allclose(quarters, months, rtol=0.1)
        assert quarters.sum() == pytest.approx(months.sum(), rel=0.02)
    # Between two reports the last one stands in.
    outlook = forecast(dataset(quarterly), 2024, 8)
    assert any("no figure for month 8" in note.en for note in outlook.notes)


def test_history_of_the_old_provinces_serves_the_new_ones() -> None:
    frame = simulated(8, n_places=5).assign(vintage="63")
    parts = reference.members(reference.successor("02"))
    places = dict(zip(sorted(frame["place"].unique()), [*parts, "01", "04", "06"], strict=False))
    frame["place"] = frame["place"].map(places)
    past = frame[frame["year"] < 2024]
    new = frame[frame["year"] == 2024].assign(
        vintage="34", place=lambda f: f["place"].map(reference.successor)
    )
    keys = ["year", "month", "place", "area", "source", "vintage"]
    new = new.groupby(keys, as_index=False)[["plan", "disbursed"]].sum()
    outlook = forecast(dataset(pd.concat([past, new]), vintage="34"), 2024, 6)
    assert set(outlook.cells["basis"]) == {"basis.cell"}
    summed = past.assign(place=past["place"].map(reference.successor), vintage="34")
    summed = summed.groupby(keys, as_index=False)[["plan", "disbursed"]].sum()
    again = forecast(dataset(pd.concat([summed, new]), vintage="34"), 2024, 6)
    np.testing.assert_array_equal(outlook.draws, again.draws)


# --- which cells --------------------------------------------------------------------------------


def test_before_the_year_the_newest_plan_stands_in() -> None:
    frame = simulated(9, n_places=2)
    outlook = forecast(dataset(frame), 2025, 0)
    now = plans_of(frame, 2024)
    assert outlook.cells["plan"].sum() == now["plan"].sum()
    assert (outlook.cells["disbursed"] == 0).all()
    assert any("No plan of 2025" in note.en for note in outlook.notes)


def test_cells_given_by_the_allocation_are_forecast_as_given() -> None:
    frame = simulated(9, n_places=2)
    asked = pd.DataFrame(
        {
            "place": ["02", "02", "04"],
            "area": ["TECH", "CONS", "TECH"],
            "source": ["KCDP", "KCDP", "KCQG"],
            "baseline": pd.array([5 * 10**8, 0, None], dtype="Int64"),
        }
    )
    outlook = forecast(dataset(frame), 2026, 0, cells=asked.iloc[::-1])
    assert outlook.cells["plan"].tolist() == [5 * 10**8, 0, 0]
    assert outlook.cells["basis"].tolist() == ["basis.cell", "basis.place", "basis.area"]
    assert (outlook.draws[:, 1:] == 0).all()  # no plan, nothing to disburse
    found = outlook.slices.groupby(["place", "area"]).size()
    assert (found > 3).all()  # but what it could absorb is known from its likes
    assert len(found) == 3


@pytest.mark.parametrize("as_of", [6, 12])
@pytest.mark.parametrize("has_past", [True, False])
def test_a_line_no_report_names_stands_where_a_line_of_zeros_does(
    as_of: int, has_past: bool
) -> None:
    frame = simulated(11, n_places=2)
    mine = frame[["place", "area", "source"]].eq(["02", "TECH", "KCDP"]).all(axis=1)
    now = (frame["year"] == 2024) & frame["month"].isin([3, 6, 9, 12])
    told = frame[(frame["year"] < 2024) & (has_past | ~mine) | now & ~mine]
    zeros = frame[now & mine].assign(plan=0, disbursed=0)
    asked = plans_of(frame, 2024)
    asked.loc[asked[["place", "area", "source"]].eq(["02", "TECH", "KCDP"]).all(axis=1), "plan"] = 0
    without = forecast(dataset(told), 2024, as_of, cells=asked, draws=100)
    with_zeros = forecast(dataset(pd.concat([told, zeros])), 2024, as_of, cells=asked, draws=100)
    np.testing.assert_allclose(without.draws, with_zeros.draws, rtol=1e-12)
    np.testing.assert_allclose(without.capacity, with_zeros.capacity, rtol=1e-12)
    assert any("named by no report" in note.en for note in without.notes)
    at = without.cells[["place", "area", "source"]].eq(["02", "TECH", "KCDP"]).all(axis=1)
    before = forecast(dataset(told), 2024, 0, cells=asked, draws=100)
    left = without.capacity[:, at].mean() / before.capacity[:, at].mean()
    assert left < {6: 0.95, 12: 0.35}[as_of]  # only the months to come are left


def test_a_line_with_a_plan_but_no_figure_has_not_reported() -> None:
    frame = simulated(11, n_places=2)
    mine = frame[["place", "area", "source"]].eq(["02", "TECH", "KCDP"]).all(axis=1)
    frame["disbursed"] = frame["disbursed"].astype("Int64").mask(mine & (frame["year"] == 2024))
    outlook = forecast(dataset(frame), 2024, 9, draws=100)
    at = outlook.cells[["place", "area", "source"]].eq(["02", "TECH", "KCDP"]).all(axis=1)
    assert outlook.cells.loc[at, "disbursed"].isna().all()
    assert any("report no disbursement" in note.en for note in outlook.notes)
    assert not any("named by no report" in note.en for note in outlook.notes)


# --- borrowing and cold start -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("drop", "expected"),
    [
        ((), "basis.cell"),
        (("cell",), "basis.area"),
        (("cell", "area"), "basis.place"),
        (("cell", "area", "place"), "basis.source"),
        (("cell", "area", "place", "source"), "basis.all"),
        (("everything",), "basis.published"),
    ],
)
def test_every_cell_says_from_whom_it_borrows(drop: Sequence[str], expected: str) -> None:
    frame = simulated(10, n_places=3)
    past = frame["year"] < 2024
    place, area, source = (
        frame[key] == code
        for key, code in zip(("place", "area", "source"), ("01", "TECH", "KCDP"), strict=True)
    )
    gone = {
        "cell": place & area & source,
        "area": area & source,
        "place": place & source,
        "source": source,
        "everything": past,
    }
    for name in drop:
        frame = frame[~(gone[name] & past).reindex(frame.index)]
    cells = forecast(dataset(frame), 2024, 6).cells
    mine = (cells["place"] == "01") & (cells["area"] == "TECH") & (cells["source"] == "KCDP")
    assert cells.loc[mine, "basis"].item() == expected
    assert all(say(f"forecast.{expected}", language) for language in LANGUAGES)


def test_cold_start_is_honestly_wide_and_says_so() -> None:
    south = {"TRAIN": (1480, 74), "MGMT": (2060, 412), "TECH": (30667, 9200)}
    records = [
        row(2016, 6, plan * 10**6, spent * 10**6, place="R-S", area=area)
        for area, (plan, spent) in south.items()
    ]
    outlook = forecast(rows(*records), 2016, 6)
    table = outlook.table()
    cells = table[table["level"] == "cell"]
    width = (cells["upper_80"] - cells["lower_80"]) / cells["plan"]
    assert (width >= 0.20).all()
    assert cells["completion_expected"].between(0.70, 0.95).all()  # verified year-ends: 75 to 100 %
    assert set(outlook.cells["basis"]) == {"basis.published"}
    for language in LANGUAGES:
        assert say("forecast.basis.published", language)
    assert any("3 of 3 lines have no earlier year" in note.en for note in outlook.notes)
    assert any("Chưa đủ số liệu các năm trước" in note.vi for note in outlook.notes)


def test_a_forecast_is_never_told_the_published_outcome_of_its_own_year() -> None:
    cells = pd.DataFrame({"area": ["ALL"], "source": ["KCDP"]})
    published = reference.published_completion()
    usable = published[published["scope"].str.fullmatch("VN|R-.")]
    ends = usable[(usable["month"] == 13) & (usable["source"] == "KCDP")]
    for year in (2024, 2030):
        means = ends[ends["year"] != year].groupby(["scope", "year"])["completion"].mean()
        prior = build_prior(cells, year, 13)
        assert prior.completion[0] == pytest.approx(means.mean())


def test_the_law_pays_training_before_machinery() -> None:
    areas = ["TRAIN", "TECH", "MGMT", "ALL"]
    cells = pd.DataFrame({"area": areas, "source": "KCDP"})
    at_nine = dict(zip(areas, build_prior(cells, 2030, 13).pattern[:, 9], strict=True))
    assert at_nine["TRAIN"] > at_nine["TECH"] == at_nine["ALL"] > at_nine["MGMT"]


def test_credibility_moves_a_group_towards_its_own_figures_as_they_grow() -> None:
    random = np.random.default_rng(0)

    def effect_of_last(n: int) -> float:
        group = np.r_[np.repeat(np.arange(20), 10), np.full(n, 20)]
        values = random.normal(0, 0.1, len(group)) + 0.2 * np.sin(group)
        values[group == 20] = 0.5
        groupings = [
            Grouping(np.zeros(len(group), dtype=np.intp), 1),
            Grouping(group.astype(np.intp), 22),
        ]
        everybody, own = shrink(values[:, None], np.ones((len(group), 1)), groupings, 3.0)
        assert own.mean[21, 0] == 0.0  # never seen
        assert own.doubt[21, 0] == own.doubt.max()
        return float(everybody.mean[0, 0] + own.mean[20, 0])

    few, many = effect_of_last(1), effect_of_last(50)
    assert 0.05 < few < many < 0.5
    assert many > 0.45


# --- when the money comes -----------------------------------------------------------------------


def delayed(frame: pd.DataFrame, month: int) -> pd.DataFrame:
    """2024 with nothing spent before `month`, then everything caught up by the year-end."""
    now = frame["year"] == 2024
    late = frame[now].sort_values(["place", "area", "source", "month"])
    paths = np.c_[np.zeros(len(late) // 13), late["disbursed"].to_numpy().reshape(-1, 13)]
    time = np.clip((np.arange(1, 14) - month + 1) / (14 - month) * 13, 0, 13)
    squeezed = np.stack([np.interp(time, np.arange(14), path) for path in paths])
    late = late.assign(
        disbursed=np.rint(squeezed).astype(np.int64).ravel(),
        released=late["plan"].where(late["month"] >= month, 0),
    )
    return pd.concat([frame[~now], late])


def test_the_clock_starts_when_the_money_arrives() -> None:
    """Semi-synthetic, as a delay to the end of April: told arrival beats a clock left running."""
    errors: dict[str, list[float]] = {"told": [], "given": [], "not told": []}
    for seed in (11, 12, 13):
        frame = delayed(simulated(seed), 5)
        data = dataset(frame)
        on_time = {"KCQG": 1, "KCDP": 1}
        for name, arrival in (
            ("told", None),
            ("given", {"KCQG": 5, "KCDP": 5}),
            ("not told", on_time),
        ):
            outlook = forecast(data, 2024, 6, arrival=arrival)
            plan = outlook.cells["plan"].to_numpy(float) / 1e6
            missed = outlook.draws.mean(0) - outturn(frame, 2024, outlook.cells)
            errors[name].append(float((np.abs(missed) / plan).mean()))
    assert np.mean(errors["told"]) < 0.95 * np.mean(errors["not told"])
    np.testing.assert_allclose(errors["told"], errors["given"])


def test_a_late_arrival_lowers_and_widens_the_year_end_and_can_be_switched_off() -> None:
    """The case of 2022: 140 tỷ of KCQG arriving in May, 189 of KCDP; nothing disbursed known."""
    national = {"place": "VN", "area": "ALL"}
    data = rows(
        row(2022, 5, 140 * 10**9, None, source="KCQG", released=140 * 10**9, **national),
        row(2022, 5, 189 * 10**9, None, source="KCDP", **national),
    )
    late, in_time = forecast(data, 2022, 7), forecast(data, 2022, 7, arrival={"KCQG": 1})
    worse = forecast(data, 2022, 7, arrival={"KCQG": 9})
    kcqg = [outlook.draws[:, 0] for outlook in (in_time, late, worse)]
    assert kcqg[0].mean() > kcqg[1].mean() > kcqg[2].mean()
    assert np.ptp(np.quantile(kcqg[0], [0.1, 0.9])) < np.ptp(np.quantile(kcqg[1], [0.1, 0.9]))
    np.testing.assert_allclose(late.draws[:, 1].mean(), in_time.draws[:, 1].mean(), rtol=1e-6)
    assert any("arrived in month 5" in note.en for note in late.notes)
    assert any(
        "set by the user" in note.en and note.standing == "assumed" for note in in_time.notes
    )


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 99), as_of=st.integers(1, 11), arrives=st.integers(1, 12))
def test_a_supposed_arrival_of_one_source_leaves_the_others_as_they_are(
    seed: int, as_of: int, arrives: int
) -> None:
    data = dataset(simulated(seed))
    plain = forecast(data, 2024, as_of, draws=60)
    late = forecast(data, 2024, as_of, draws=60, arrival={"KCQG": arrives})
    other = plain.cells["source"].eq("KCDP").to_numpy()
    assert set(other) == {False, True}
    for part in ("draws", "capacity"):
        before, after = getattr(plain, part), getattr(late, part)
        np.testing.assert_array_equal(before[:, other], after[:, other])
    for part in ("slices", "legs"):
        before, after = (getattr(one, part).query("source == 'KCDP'") for one in (plain, late))
        pd.testing.assert_frame_equal(before.reset_index(drop=True), after.reset_index(drop=True))
    assert len(late.legs) == len(plain.legs)
    moved = (late.draws - plain.draws).sum(1)
    np.testing.assert_allclose(moved, (late.draws - plain.draws)[:, ~other].sum(1), atol=1e-9)
    if arrives > as_of:
        assert moved.mean() < 0
    by_month = (months_of(data, one).table({"source": "KCDP"}) for one in (plain, late))
    pd.testing.assert_frame_equal(*by_month)


@settings(max_examples=4, deadline=None)
@given(seed=st.integers(0, 99), as_of=st.integers(1, 9))
def test_money_still_to_come_is_worth_less_the_later_it_comes(seed: int, as_of: int) -> None:
    """In every cell; and where some was spent already, never more than as the data say."""
    data = dataset(simulated(seed))
    months = sorted({as_of + 1, min(as_of + 3, 12), 12})
    made = [
        forecast(data, 2024, as_of, draws=60, arrival={"KCQG": month} if month else None)
        for month in (0, *months)
    ]
    expected = [outlook.draws.mean(0) for outlook in made]
    for sooner, later in itertools.pairwise(expected):
        assert (later <= sooner + 1e-6).all()
    for outlook in made:
        spent = outlook.cells["disbursed"].to_numpy(float) / 1e6
        assert (outlook.draws >= spent - 1e-6).all()
        assert (outlook.capacity >= outlook.draws - 1e-6).all()


def test_money_not_yet_arrived_is_expected_next_month_and_noted() -> None:
    data = rows(row(2022, 6, 10**9, 0, source="KCQG", released=0))
    outlook = forecast(data, 2022, 6)
    assert any("arrival in month 7 is assumed" in note.en for note in outlook.notes)
    assert any("giả định về tháng 7" in note.vi for note in outlook.notes)
    in_time = forecast(data, 2022, 6, arrival={"KCQG": 1})
    assert outlook.draws.mean() < in_time.draws.mean()


def test_years_that_are_always_late_are_not_late_twice() -> None:
    """Money that came in May every year is usual, whether `released` says so or not."""
    frame = simulated(14)
    months = frame["month"].to_numpy()
    usual = frame.assign(disbursed=frame["disbursed"].where(months >= 5, 0))
    told = usual.assign(released=usual["plan"].where(months >= 5, 0))
    silent, spoken = (forecast(dataset(data), 2024, 8) for data in (usual, told))
    ratio = spoken.draws.mean(0).sum() / silent.draws.mean(0).sum()
    assert ratio == pytest.approx(1.0, abs=0.03)


# --- honest ranges ------------------------------------------------------------------------------


def test_eighty_per_cent_ranges_hold_eighty_per_cent() -> None:
    held = {3: [], 6: [], 9: []}  # type: dict[int, list[float]]
    of_total = []
    for seed in range(20, 26):
        frame = simulated(seed)
        data = dataset(frame)
        for month, found in held.items():
            outlook = forecast(data, 2024, month, draws=500)
            low, high = np.quantile(outlook.draws, [0.1, 0.9], axis=0)
            came = outturn(frame, 2024, outlook.cells)
            found.append(float(((low - 1e-6 <= came) & (came <= high + 1e-6)).mean()))
            low, high = np.quantile(outlook.draws.sum(1), [0.1, 0.9])
            of_total.append(low <= came.sum() <= high)
    for month, found in held.items():
        assert 0.70 <= np.mean(found) <= 0.92, (month, np.mean(found))
    assert np.mean(of_total) >= 0.6


def test_progress_is_better_than_a_straight_line_and_than_last_year() -> None:
    missed: dict[str, list[float]] = {"forecast": [], "straight line": [], "last year": []}
    for seed in (20, 21, 22):
        frame = simulated(seed)
        outlook = forecast(dataset(frame), 2024, 6, draws=200)
        plan = outlook.cells["plan"].to_numpy(float) / 1e6
        came = outturn(frame, 2024, outlook.cells)
        spent = outlook.cells["disbursed"].to_numpy(float) / 1e6
        before = outlook.cells.merge(plans_of(frame, 2023), on=KEYS, suffixes=("", "_before"))
        rate = outturn(frame, 2023, outlook.cells) / (before["plan_before"].to_numpy(float) / 1e6)
        for name, guess in (
            ("forecast", outlook.draws.mean(0)),
            ("straight line", np.minimum(spent * 13 / 6, plan)),
            ("last year", np.maximum(rate * plan, spent)),
        ):
            missed[name].append(float((np.abs(guess - came) / plan).mean()))
    assert np.mean(missed["forecast"]) < 0.9 * np.mean(missed["last year"])
    assert np.mean(missed["forecast"]) < 0.6 * np.mean(missed["straight line"])


def test_a_common_year_effect_keeps_totals_from_being_too_sure() -> None:
    outlook = forecast(dataset(simulated(23)), 2024, 3)
    of_total = outlook.draws.sum(1).std()
    as_if_independent = np.sqrt((outlook.draws.std(0) ** 2).sum())
    assert of_total > 1.5 * as_if_independent


# --- absorption ---------------------------------------------------------------------------------


def test_slices_add_up_to_what_is_expected_of_any_amount() -> None:
    frame = simulated(24, n_places=3)
    outlook = forecast(dataset(frame), 2024, 6)
    for position, cell in outlook.cells.iterrows():
        mine = outlook.slices
        for key in KEYS:
            mine = mine[mine[key] == cell[key]]
        upto, rate = mine["upto"].to_numpy(float) / 1e6, mine["rate"].to_numpy()
        width = np.diff(upto, prepend=0.0)
        assert 4 <= len(mine) <= 15
        assert (width > 0).all()
        assert (np.diff(rate) <= 0).all()
        assert 0 <= rate.min() <= rate.max() <= 1
        reached = np.minimum(outlook.capacity[:, [position]], upto).mean(0)
        np.testing.assert_allclose(np.cumsum(rate * width), reached, rtol=1e-6, atol=1e-6)
        assert cell["plan"] in set(mine["upto"])
        assert upto[-1] > cell["plan"] / 1e6  # a full year could have held more
        assert rate[upto <= cell["disbursed"] / 1e6] == pytest.approx(1.0)


def test_below_the_plan_capacity_is_what_is_drawn() -> None:
    outlook = forecast(dataset(simulated(24, n_places=3)), 2024, 6)
    plan = outlook.cells["plan"].to_numpy(float) / 1e6
    np.testing.assert_allclose(np.minimum(outlook.capacity, plan), outlook.draws, rtol=1e-12)


# --- faults -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "codes"),
    [
        ({"as_of": 13}, ["forecast-month"]),
        ({"as_of": -1, "draws": 0}, ["forecast-month", "forecast-draws"]),
        ({"year": 2035, "as_of": 6}, ["forecast-year"]),
        ({"year": 2025, "as_of": 3}, ["forecast-year"]),
        ({"year": 2026, "as_of": 0}, ["forecast-year"]),
        ({"year": 1999}, ["forecast-year"]),
        ({"arrival": {"KCTW": 5}}, ["forecast-arrival"]),
        ({"arrival": {"KCQG": 0}}, ["forecast-arrival"]),
        ({"year": 2020, "as_of": 0}, ["nothing-to-forecast"]),
    ],
)
def test_faults_name_what_was_found_and_what_to_do(
    options: dict[str, Any], codes: list[str]
) -> None:
    data = dataset(simulated(25, n_places=1, first=2020))
    with pytest.raises(InputError) as caught:
        forecast(data, **{"year": 2024, "as_of": 6, **options})
    assert [fault.code for fault in caught.value.faults] == codes
    for fault in caught.value.faults:
        for language in LANGUAGES:
            assert fault.found(language)
            assert fault.remedy(language)


def test_no_plan_at_all_is_a_fault_and_an_empty_history_too() -> None:
    with pytest.raises(InputError) as caught:
        forecast(rows(row(2024, 6, None, 10**8)), 2024, 6)
    assert [fault.code for fault in caught.value.faults] == ["nothing-to-forecast"]
    with pytest.raises(InputError):
        forecast(dataset(empty_table("history")), 2024, 6)


def test_what_is_odd_but_harmless_is_a_warning() -> None:
    data = rows(row(2024, 6, 10**9, 10**8), row(2024, 6, None, 10**8, place="04"))
    outlook = forecast(data, 2024, 6, arrival={"KCQG": 5})
    codes = [fault.code for fault in outlook.warnings]
    assert codes == ["disbursed-without-plan", "forecast-arrival-unused"]
    assert all(fault.level == "warning" and fault.text("en") for fault in outlook.warnings)


# --- By month -------------------------------------------------------------------------------------


@settings(max_examples=20)
@given(histories(), st.integers(0, 12))
def test_by_month_money_never_falls_and_ends_at_the_forecast(
    history: pd.DataFrame, as_of: int
) -> None:
    data = dataset(history)
    outlook = forecast_or_none(data, int(data.history["year"].max()), as_of, 60)
    if outlook is None:
        return
    months = months_of(data, outlook)
    table = outlook.table()
    spent = outlook.cells["disbursed"].fillna(0).to_numpy(dtype=float) / 1e6
    for level in ("all", "source", "place"):
        for _, line in table[table["level"] == level].iterrows():
            where = {} if level == "all" else {level: line[level]}
            paths, frame = months.draws(where), months.table(where)
            chosen = np.flatnonzero(outlook.cells[list(where)].eq(pd.Series(where)).all(axis=1))
            np.testing.assert_allclose(paths[:, 0], spent[chosen].sum())
            assert (np.diff(paths, axis=1) >= -1e-6).all()
            np.testing.assert_array_equal(paths[:, -1], outlook.draws[:, chosen].sum(1))
            end = frame.iloc[-1]
            assert end["month"] == outlook.year_end
            for name in ("expected", "lower_80", "upper_80", "lower_95", "upper_95"):
                assert end[name] == pytest.approx(line[name], abs=1e-5)
            if (months.newest[chosen] == as_of).all() and as_of:
                now = frame[frame["month"] == as_of].iloc[0]
                for name in ("reported", "expected", "lower_95", "upper_95"):
                    assert now[name] == pytest.approx(line["disbursed"], abs=1e-5)
                assert frame.loc[frame["month"] < as_of, "expected"].isna().all()


def test_by_month_a_line_repeats_the_rhythm_of_its_years() -> None:
    early, late = (10, 40, 70, 90, 95, 97, 98, 99, 100, 100, 100, 100), (1,) * 11 + (100,)
    history = [
        row(year, month, 100 * MILLION, share * MILLION, area=area)
        for year in range(2016, 2024)
        for area, path in (("TRAIN", early), ("TECH", late))
        for month, share in enumerate(path, 1)
    ]
    begun = (("TRAIN", 10), ("TECH", 1))
    now = [row(2024, 1, 100 * MILLION, spent * MILLION, area=area) for area, spent in begun]
    data = rows(*history, *now)
    months = months_of(data, forecast(data, 2024, 1, draws=200))
    middle = {area: np.median(months.draws({"area": area})[:, 6]) for area in ("TRAIN", "TECH")}
    assert middle["TRAIN"] > 85
    assert middle["TECH"] < 5
    table = months.table({"area": "TRAIN"})
    assert table["before"].tolist() == list(early)
    assert table["plan"].tolist() == [100.0] * 12
    assert "8 năm" in months.note.vi


def test_by_month_nothing_comes_before_the_money_arrives() -> None:
    data = dataset(simulated(3, 4))
    outlook = forecast(data, 2024, 3, arrival={"KCQG": 8}, draws=100)
    months = months_of(data, outlook)
    late, free = (months.draws({"source": source}) for source in ("KCQG", "KCDP"))
    np.testing.assert_allclose(late[:, 7], late[:, 3])
    assert late[:, 8].mean() > late[:, 7].mean()
    assert free[:, 7].mean() > free[:, 3].mean()


def test_by_month_ranges_hold_in_the_middle_of_the_year_too() -> None:
    held: dict[str, list[bool]] = {"whole years": [], "mean rhythm": []}
    for seed in (1, 2, 3):
        data = dataset(frame := simulated(seed, 6))
        for year in (2022, 2023, 2024):
            months = months_of(data, forecast(data, year, 6, draws=200))
            usual = np.repeat(months.rhythm.mean(1, keepdims=True), months.rhythm.shape[1], 1)
            for area in ("TRAIN", "TECH", "PROD", "INFO"):
                came = frame[(frame["year"] == year) & (frame["area"] == area)]
                came = came.groupby("month")["disbursed"].sum() / 1e6
                for name, one in (
                    ("whole years", months),
                    ("mean rhythm", replace(months, rhythm=usual)),
                ):
                    paths = one.draws({"area": area})
                    for month in (8, 9, 10):
                        low, high = np.quantile(paths[:, month], (0.1, 0.9))
                        held[name].append(low <= came[month] <= high)
    assert 0.68 <= np.mean(held["whole years"]) <= 0.97
    assert np.mean(held["mean rhythm"]) < np.mean(held["whole years"]) - 0.1
