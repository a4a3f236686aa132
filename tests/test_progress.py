"""Where the year stands: sums to the đồng, missing stays missing, like compared with like."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from datasets import dataset
from hypothesis import given, settings
from hypothesis import strategies as st

import kc_model as kc
from kc_model import reference
from kc_model.progress import Progress, progress
from kc_model.progress.lines import MONEY, add_levels, find_lines
from kc_model.tables import KEYS

DATA = Path(__file__).parent.parent / "data"
MILLION = 1_000_000
PARTS = {  # level: what its rows are the parts of
    "cell": ["source_activity", "source_place", "place", "area", "source", "region", "all"],
    "source_activity": ["source_area"],
    "source_area": ["source", "area", "all"],
    "source_place": ["source", "place"],
    "place": ["region", "all"],
    "region": ["all"],
    "source": ["all"],
    "area": ["all"],
}
LABELS = {
    "source_activity": ["source", "area", "activity"],
    "source_area": ["source", "area"],
    "source_place": ["source", "place"],
    "place": ["place"],
    "area": ["area"],
    "source": ["source"],
    "region": ["region"],
    "all": [],
}
EXACT = [name for name in MONEY if "lower" not in name and "upper" not in name]


@cache
def read(name: str) -> kc.Dataset:
    return kc.read_dataset(DATA / name)


@cache
def report(name: str, year: int, as_of: int) -> tuple[Progress, kc.Forecast]:
    outlook = kc.forecast(read(name), year, as_of)
    return progress(read(name), outlook), outlook


def made(history: str, as_of: int = 6, year: int = 2024, **more: object) -> Progress:
    """Return the progress of a small dataset written as a table."""
    data = dataset(history=history, **more)
    return progress(data, kc.forecast(data, year, as_of, draws=200))


def row(found: Progress, level: str, **keys: str) -> pd.Series:
    """Return one row with money in million VND."""
    table = found.table()
    table = table[table["level"] == level]
    for key, value in keys.items():
        table = table[table[key] == value]
    assert len(table) == 1
    return table.iloc[0]


def said(found: Progress, part: str) -> str:
    """Return the one finding that holds a phrase."""
    (sentence,) = [text for text in found.sentences() if part in text]
    return sentence


def check_conserved(rows: pd.DataFrame) -> None:
    """Hold every sum of money against the sum of its parts, to the đồng."""
    summed = [*EXACT, *(name for name in rows if name.startswith("n_"))]
    for level, wholes in PARTS.items():
        parts = rows[rows["level"] == level]
        for whole in wholes:
            keys = ["", *LABELS[whole]]
            above, below = (frame.assign(**{"": "all"}) for frame in (rows, parts))
            found = above[rows["level"] == whole].set_index(keys)[summed]
            sums = below.groupby(keys)[summed].sum(min_count=1).reindex(found.index)
            assert found.index.is_unique
            assert len(found) == below[keys].drop_duplicates().shape[0]
            pd.testing.assert_frame_equal(found, sums, check_dtype=False)


# --- Laws ----------------------------------------------------------------------------------------

CASES = [("sample-quarterly", 2025, 8), ("published/south-2016", 2016, 6)]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_totals_are_conserved_to_the_dong_at_every_level(case):
    found, _ = report(*case)
    check_conserved(found.rows)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_year_end_is_the_forecasts_at_every_level_it_has(case):
    found, outlook = report(*case)
    keys = ["level", "place", "area", "source"]
    theirs = outlook.table()
    table = found.table().query("level != 'cell' or activity == ''")  # the others have no plan
    both = theirs.merge(table, on=keys, suffixes=("", "_here"))
    assert len(both) == len(theirs), "every row of forecast.csv has one here"
    names = ["expected", "lower_80", "upper_80", "lower_95", "upper_95", "completion_expected"]
    for name in (*names, "plan"):
        np.testing.assert_allclose(both[name], both[f"{name}_here"], rtol=1e-12, err_msg=name)
    np.testing.assert_allclose(both["probability_full"], both["probability_100"])
    cells = both[both["level"] == "cell"]
    np.testing.assert_allclose(cells["disbursed"], cells["disbursed_here"])


@pytest.mark.parametrize("case", CASES, ids=str)
def test_ranges_hold_their_middle_and_chances_fall(case):
    rows = report(*case)[0].rows
    known = rows[rows["expected"].notna()]
    assert (known["lower_95"] <= known["lower_80"]).all()
    assert (known["upper_80"] <= known["upper_95"]).all()
    assert (known["unspent_lower_80"] <= known["unspent_upper_80"]).all()
    chances = known[["probability_80", "probability_90", "probability_100"]].dropna()
    assert (chances.diff(axis=1).iloc[:, 1:] <= 0).all(axis=None)
    cells = known[known["level"] == "cell"]
    assert (cells["unspent"] == (cells["plan"] - cells["expected"]).clip(lower=0)).all()


amounts = st.one_of(st.none(), st.integers(0, 10**12))


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["01", "79"]),
            st.sampled_from(["TECH", "TRAIN"]),
            st.sampled_from(["", "máy móc"]),
            st.sampled_from(["KCQG", "KCDP"]),
            amounts,
            amounts,
            amounts,
            st.sampled_from(["", "estimate", "reported", "settled"]),
        ),
        min_size=1,
        max_size=8,
        unique_by=lambda line: line[:4],
    )
)
@settings(max_examples=8)
def test_sums_ratios_and_standings_of_any_lines(drawn):
    lines = pd.DataFrame(drawn, columns=[*KEYS, "plan", "disbursed", "last_year", "status"])
    money = [name for name in EXACT if "disbursed_" not in name]
    lines = lines.assign(**{name: pd.array([None] * len(lines), dtype="Int64") for name in money})
    for i, name in enumerate(("plan", "disbursed", "last_year"), 4):
        lines[name] = pd.array([line[i] for line in drawn], dtype="Int64")
    lines = lines.assign(
        region=lines["place"].map({"01": "R-N", "79": "R-S"}),
        month=pd.array([6] * len(lines), dtype="Int64"),
        basis="",
        **dict.fromkeys(("outputs_plan", "outputs", "outputs_last_year"), np.nan),
    )
    rows = add_levels(lines, np.full((3, len(lines)), np.nan), 6, "63")
    check_conserved(rows)
    total = rows[rows["level"] == "all"].iloc[0]
    pairs = [(line[5], line[4]) for line in drawn if line[4] is not None and line[5] is not None]
    if sum(plan for _, plan in pairs) > 0:
        ratio = sum(done for done, _ in pairs) / sum(plan for _, plan in pairs)
        assert total["completion"] == pytest.approx(ratio)
    else:
        assert np.isnan(total["completion"])
    standings = {line[7] or "reported" for line in drawn if line[5] is not None}
    assert total["status"] == (
        "mixed" if len(standings) > 1 else standings.pop() if standings else ""
    )
    parts = [total[f"disbursed_{status}"] for status in ("estimate", "reported", "settled")]
    if pd.notna(total["disbursed"]):
        assert sum(part for part in parts if pd.notna(part)) == total["disbursed"]


# --- By hand -------------------------------------------------------------------------------------

HISTORY = """
year month place area source plan disbursed released advanced carried outputs_plan outputs status
2023 6  01 TECH KCDP 100 40 - - - 10 4 settled
2023 12 01 TECH KCDP 100 90 - - - 10 9 settled
2023 6  79 TECH KCDP 200 50 - - - 20 5 settled
2023 12 79 TECH KCDP 200 150 - - - 20 15 settled
2023 3  01 INFO KCDP 50 10 - - - - - settled
2023 12 01 INFO KCDP 50 45 - - - - - settled
2023 6  79 PROD KCDP 80 30 - - - - - settled
2023 12 79 PROD KCDP 80 60 - - - - - settled
2024 3  01 TECH KCDP 120 10 - - - 12 1 reported
2024 6  01 TECH KCDP 150 60 - 7 - 12 6 reported
2024 6  79 TECH KCDP 200 25 - - 20 20 10 estimate
2024 6  01 INFO KCDP 50 20 - - - - - reported
2024 6  79 INFO KCDP 40 - - - - - - -
"""


@cache
def small() -> Progress:
    return made(HISTORY)


def test_a_line_by_hand():
    cell = row(small(), "cell", place="01", area="TECH")
    assert cell[["plan_first", "plan", "plan_last_year"]].tolist() == [120, 150, 100]
    assert cell[["disbursed", "last_year", "advanced"]].tolist() == [60, 40, 7]
    assert cell["completion_first"] == pytest.approx(60 / 120)
    assert cell["completion"] == pytest.approx(60 / 150)
    assert cell["of_last_year"] == pytest.approx(60 / 40)
    assert cell["outputs_completion"] == pytest.approx(6 / 12)
    assert cell["outputs_of_last_year"] == pytest.approx(6 / 4)
    assert cell["pace"] == 10
    assert cell["pace_needed"] == pytest.approx((150 - 60) / 6)  # no month 13 in this history
    assert cell["month"] == 6
    assert cell["status"] == "reported"


def test_missing_stays_missing_and_is_counted():
    silent = row(small(), "cell", place="79", area="INFO")
    for name in ("disbursed", "completion", "of_last_year", "pace", "pace_needed", "outputs"):
        assert pd.isna(silent[name]), name
    total = row(small(), "all")
    assert total[["n_cells", "n_planned", "n_reported", "n_compared"]].tolist() == [4, 4, 3, 2]
    assert total["plan"] == 440
    assert total["disbursed"] == 105
    assert total["completion"] == pytest.approx(105 / 400), "not of the line that is silent"
    assert total["pace_needed"] == pytest.approx((90 + 175 + 30) / 6, abs=1e-5)
    assert "1/4 dòng chưa báo cáo" in said(small(), "chưa báo cáo giải ngân")


def test_the_same_month_or_none():
    info = row(small(), "cell", place="01", area="INFO")
    assert pd.isna(info["last_year"]), "March of last year does not stand in for June"
    total = row(small(), "all")
    assert total["last_year"] == 90
    assert total["of_last_year"] == pytest.approx((60 + 25) / 90)
    assert "1/3 dòng không có số liệu đúng tháng này" in said(small(), "không thay bằng")
    assert "1 dòng có giải ngân cùng kỳ năm trước (30 triệu đồng)" in said(small(), "so sánh cùng")


def test_standings_are_kept_apart():
    total = row(small(), "all")
    assert total["status"] == "mixed"
    assert total[["disbursed_estimate", "disbursed_reported"]].tolist() == [25, 80]
    assert pd.isna(total["disbursed_settled"])
    assert "ước 25 triệu đồng (1 dòng); thực hiện 80 triệu đồng (2 dòng)" in said(
        small(), "tính chất khác nhau"
    )
    assert row(small(), "source_area", area="INFO")["status"] == "reported"


def test_a_standing_that_is_not_told_is_said():
    found = made("year month place area source plan disbursed\n2024 6 01 TECH KCDP 100 20")
    assert row(found, "all")["disbursed_reported"] == 20
    assert any("không ghi tính chất" in note.vi for note in found.notes)
    assert not any("không ghi tính chất" in note.vi for note in small().notes)


def test_advanced_and_carried_are_kept_apart_from_the_disbursement():
    total = row(small(), "all")
    assert total[["advanced", "carried", "disbursed"]].tolist() == [7, 20, 105]
    assert "7 triệu đồng đã tạm ứng" in said(small(), "tạm ứng, chưa thanh toán")
    assert "20 triệu đồng là kinh phí năm trước" in said(small(), "chuyển sang (1")


def test_volume_is_added_within_an_area_only():
    assert row(small(), "source_area", area="TECH")["outputs"] == 16
    for level in ("all", "source"):
        assert np.isnan(row(small(), level)["outputs"])


def test_a_changed_plan_is_told():
    sentence = said(small(), "kế hoạch giao đầu năm (410")
    assert "440 triệu đồng, tăng 30 triệu đồng" in sentence


def test_what_is_at_risk_is_ranked_by_money():
    ranked = small().at_risk()
    assert ranked["unspent"].is_monotonic_decreasing
    assert set(ranked["level"]) == {"cell"}
    assert "Điều 14.4" in said(small(), "không giải ngân hết trong năm")
    first = ranked.iloc[0]
    name = {"01": "Hà Nội", "79": "Thành phố Hồ Chí Minh"}[first["place"]]
    listed = said(small(), "dự kiến không giải ngân hết lớn nhất").split(": ", 1)[1]
    assert listed.startswith(name.split("Thành phố ")[-1])


def test_both_languages_say_the_same_findings():
    vi, en = small().sentences("vi"), small().sentences("en")
    assert len(vi) == len(en) == len(small().findings)
    assert "105" in en[0]
    assert not set(vi) & set(en)


# --- Findings ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("disbursed", "outputs", "phrase"),
    [(5, 19, "Khối lượng đi trước"), (60, 10, "Kinh phí đi trước"), (30, 35, ""), (2, 8, "")],
)
def test_volume_far_from_money_is_a_finding(disbursed, outputs, phrase):
    found = made(
        "year month place area source plan disbursed outputs_plan outputs status\n"
        f"2024 6 01 TRAIN KCDP 100 {disbursed} 100 {outputs} reported"
    )
    told = [text for text in found.sentences() if "đi trước" in text]
    assert [phrase in text for text in told] == ([True] if phrase else [])
    assert not any(fault.level == "error" for fault in found.warnings)


LATE = """
year month place area source plan disbursed released status
2024 6 01 TECH KCQG 100 0 0 reported
2024 6 01 TECH KCDP 100 30 - reported
"""


def test_an_arrival_is_held_against_the_forecast_without_it():
    data = dataset(history=LATE)
    arrival = {"KCQG": 11}
    late = kc.forecast(data, 2024, 6, arrival=arrival, draws=200)
    plain = kc.forecast(data, 2024, 6, draws=200)
    found = progress(data, late)
    sentence = said(found, "về tháng 11")

    def expected(outlook: kc.Forecast) -> float:
        table = outlook.table()
        mine = table[(table["level"] == "source") & (table["source"] == "KCQG")]
        return float(mine["expected"].iloc[0])

    for outlook in (late, plain):
        assert f"{expected(outlook):.1f}".replace(".", ",").removesuffix(",0") in sentence
    assert row(found, "source", source="KCQG")["expected"] == pytest.approx(expected(late))
    assert not any("Nếu kinh phí" in text for text in progress(data, plain).sentences())
    assert "chưa được cấp kinh phí" in said(found, "chưa thể triển khai")


def test_money_without_a_plan_is_in_the_sum_and_not_in_the_ratio():
    found = made(
        "year month place area source plan disbursed status\n"
        "2024 6 01 TECH KCDP 100 20 reported\n2024 6 01 CONS KCDP - 30 reported"
    )
    total = row(found, "all")
    assert total[["plan", "disbursed", "completion"]].tolist() == [100, 50, 0.2]
    assert "1/2 dòng có giải ngân nhưng chưa có kế hoạch (30 triệu đồng)" in said(found, "1/2 dòng")
    assert pd.isna(row(found, "cell", area="CONS")["expected"])


# --- The calendar --------------------------------------------------------------------------------


def test_before_the_year_nothing_is_done_and_the_plan_is_an_assumption():
    found = made(HISTORY, as_of=0)
    total = row(found, "all")
    for name in ("plan_first", "disbursed", "last_year", "completion", "pace"):
        assert pd.isna(total[name]), name
    assert total["plan"] == 430, "last year's plan, as the forecast takes it"
    assert total["pace_needed"] == pytest.approx(430 / 12, abs=1e-5)
    assert not any("Đến hết tháng" in text for text in found.sentences())


@pytest.mark.parametrize(("month", "left"), [(12, None), (13, 1)])
def test_at_the_end_of_december_the_settlement_is_left_if_there_is_one(month, left):
    found = made(
        "year month place area source plan disbursed status\n"
        f"2023 {month} 01 TECH KCDP 100 90 settled\n2024 12 01 TECH KCDP 100 70 reported",
        as_of=12,
    )
    total = row(found, "all")
    assert found.year_end == month
    if left is None:
        assert pd.isna(total["pace_needed"])
    else:
        assert total["pace_needed"] == 30 / left
        assert "chỉnh lý quyết toán" in said(found, "Để đạt 100 %")


def test_quarterly_reports_stand_until_the_next():
    found, _ = report("sample-quarterly", 2025, 8)
    total = row(found, "all")
    assert total["month"] == 6
    assert total["n_late"] == total["n_reported"]
    assert total["n_compared"] > 0
    before = read("sample-quarterly").history
    june = before[(before["year"] == 2024) & (before["month"] == 6)]
    lines = found.rows[(found.rows["level"] == "cell") & found.rows["last_year"].notna()]
    both = lines.merge(june, on=KEYS, suffixes=("", "_june"))
    assert (both["last_year"] == both["disbursed_june"]).all()
    assert len(both) == len(lines)
    assert "số lũy kế mới nhất" in said(found, "chưa có số liệu tháng 8")


def test_nothing_of_later_months_is_looked_at():
    data = dataset(history=HISTORY)
    outlook = kc.forecast(data, 2024, 3, draws=50)
    total = row(progress(data, outlook), "all")
    assert total[["plan", "disbursed"]].tolist() == [120, 10]


# --- The merger ----------------------------------------------------------------------------------

MERGED = """
year month vintage place area source plan disbursed outputs status
2024 6  63 {first} TECH KCDP 100 30 3 reported
2024 6  63 {second} TECH KCDP 60 {there} 2 reported
2024 12 63 {first} TECH KCDP 100 90 9 settled
2024 12 63 {second} TECH KCDP 60 50 5 settled
2025 6  34 {new} TECH KCDP 170 60 6 reported
"""


@pytest.mark.parametrize(("there", "last_year"), [("10", 40), ("-", None)])
def test_the_year_before_is_summed_to_todays_places(there, last_year):
    new = "24"  # Bắc Ninh, from Bắc Giang and Bắc Ninh
    first, second = reference.members(new)
    history = MERGED.format(first=first, second=second, new=new, there=there)
    found = made(history, year=2025, vintage="34")
    cell = row(found, "cell", place=new)
    assert cell["plan_last_year"] == 160
    if last_year is None:
        assert pd.isna(cell["last_year"]), "one part is missing, so the sum is"
        assert pd.isna(cell["of_last_year"])
    else:
        assert cell["last_year"] == last_year
        assert cell["of_last_year"] == pytest.approx(60 / last_year)
        assert cell["outputs_of_last_year"] == pytest.approx(6 / 5)


def test_lines_come_in_official_order():
    data = dataset(history=HISTORY)
    lines = find_lines(data, kc.forecast(data, 2024, 6, draws=20))
    assert lines[["place", "area"]].to_numpy().tolist() == [
        ["01", "TECH"], ["01", "INFO"], ["79", "TECH"], ["79", "INFO"],
    ]  # fmt: skip


def test_a_progress_is_frozen():
    with pytest.raises(AttributeError):
        small().year = 2000
    assert replace(small(), year=2000).year == 2000
