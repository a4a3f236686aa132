"""Which cells a plan has, what is known of each, what a selection means, what a cell absorbs."""

from __future__ import annotations

import math
import re

import numpy as np
import pandas as pd
import pytest
from datasets import dataset, table

from kc_model.cells import MILLION, build_cells, build_curves, newest_plan_year, plan_in_force
from kc_model.errors import Address, Fault

NOWHERE = Address()

HISTORY = """
year month place area source plan disbursed
2021 12    01    TECH KCQG   900  800
2022 6     01    TECH KCQG   100  10
2022 12    01    TECH KCQG   120  90
2022 13    01    TECH KCQG   -    110
2022 12    02    PROD KCDP   50   -
2023 3     02    PROD KCDP   70   5
2023 6     02    PROD KCDP   80   20
2023 6     04    TECH KCQG   -    7
"""

CELLS = """
place area activity source baseline weight min max counterpart ward
24    PROD -        KCDP   -        -      -   -   5           x
02    TECH machine  KCDP   40       2      1   90  -           y
02    TECH demo     KCQG   10       -      -   -   -           -
TW    TECH demo     KCQG   10       -      -   -   -           -
02    TRAIN -       KCQG   10       -      -   -   -           -
01    PROD -        KCQG   7        -      -   -   -           -
"""


def cells_of(data, year=2024, as_of=None):
    faults: list[Fault] = []
    found = build_cells(data, year, as_of, faults)
    return found, [fault.code for fault in faults]


def million(cells, column):
    return [None if pd.isna(v) else v / MILLION for v in cells.frame[column]]


# --- Which cells there are -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("year", "as_of", "newest"),
    [(2024, None, 2023), (2023, None, 2023), (2023, 0, 2022), (2023, 3, 2023), (2022, 5, 2021)],
)
def test_the_newest_plan_known_by_then(year, as_of, newest):
    assert newest_plan_year(dataset(history=HISTORY), year, as_of) == newest


def test_no_plan_known_yet():
    assert newest_plan_year(dataset(history=HISTORY), 2020, None) is None
    cells, faults = cells_of(dataset(history=HISTORY), 2020)
    assert len(cells) == 0
    assert faults == ["no-cells"]


def test_the_plan_in_force_is_the_newest_reported():
    found = plan_in_force(dataset(history=HISTORY), 2022)
    assert found["place"].tolist() == ["01", "02"]
    # Month 13 repeats no plan: that of month 12 stays in force, its money is the newest.
    assert found["plan"].tolist() == [120 * MILLION, 50 * MILLION]
    assert found["disbursed"].tolist()[0] == 110 * MILLION
    assert pd.isna(found["disbursed"].tolist()[1])


def test_what_comes_after_the_date_is_not_known():
    found = plan_in_force(dataset(history=HISTORY), 2022, 6)
    assert found[["place", "plan"]].values.tolist() == [["01", 100 * MILLION]]


def test_without_a_table_last_years_plan_gives_cells_and_baseline():
    cells, faults = cells_of(dataset(history=HISTORY))
    assert faults == []
    assert cells.names() == ["02|PROD|KCDP"]  # 04 has money but no plan
    assert million(cells, "baseline") == [80]
    assert cells.frame["weight"].tolist() == [1.0]
    assert million(cells, "min") == [0]
    assert million(cells, "max") == [None]
    assert cells.frame["year"].tolist() == [2024]


def test_the_table_gives_cells_and_what_it_leaves_out_has_defaults():
    cells, faults = cells_of(dataset(cells=CELLS, history=HISTORY))
    assert faults == []
    # Official order: central units, places by code, areas as in the decree, activity, KCQG first.
    assert cells.names() == [
        "TW|TECH|demo|KCQG",
        "01|PROD||KCQG",
        "02|TRAIN||KCQG",
        "02|TECH|demo|KCQG",
        "02|TECH|machine|KCDP",
        "24|PROD||KCDP",
    ]
    assert million(cells, "baseline") == [10, 7, 10, 10, 40, 0]
    assert cells.frame["weight"].tolist() == [1, 1, 1, 1, 2, 1]
    assert million(cells, "min") == [0, 0, 0, 0, 1, 0]
    assert million(cells, "max") == [None] * 4 + [90, None]
    assert cells.frame["region"].tolist() == ["", "R-N", "R-N", "R-N", "R-N", "R-N"]


def test_a_baseline_left_out_is_last_years_plan():
    text = "place area source baseline\n02 PROD KCDP -\n01 TECH KCQG 5\n04 TECH KCQG -"
    cells, _ = cells_of(dataset(cells=text, history=HISTORY))
    assert dict(zip(cells.names(), million(cells, "baseline"), strict=True)) == {
        "01|TECH|KCQG": 5,
        "02|PROD|KCDP": 80,
        "04|TECH|KCQG": 0,
    }


def test_years_of_a_plan():
    text = (
        "year place area source baseline\n2025 01 TECH KCQG 5\n2023 01 TECH KCQG 1\n"
        "2024 02 TECH KCQG 3\n- 01 TECH KCQG 4"
    )
    cells, _ = cells_of(dataset(cells=text))
    assert cells.names() == ["2024|01|TECH|KCQG", "2024|02|TECH|KCQG", "2025|01|TECH|KCQG"]
    assert million(cells, "baseline") == [4, 3, 5]


def test_names_are_as_long_as_they_must_be():
    one = dataset(cells="place area source\n01 TECH KCQG\n02 TECH KCQG")
    assert cells_of(one)[0].names() == ["01|TECH|KCQG", "02|TECH|KCQG"]


def test_mid_year_the_plan_in_force_is_the_baseline_and_spent_money_stays():
    history = """
year month place area source plan disbursed
2023 12    01    TECH KCQG   60   60
2024 3     01    TECH KCQG   100  10
2024 6     01    TECH KCQG   120  30
2024 9     01    TECH KCQG   150  70
2024 6     02    TECH KCQG   50   -4
2024 6     04    TECH KCQG   50   -
"""
    text = """
year place area source baseline min
2024 01    TECH KCQG   1        20
2024 02    TECH KCQG   1        2
2024 04    TECH KCQG   1        45
2024 06    TECH KCQG   1        -
2025 01    TECH KCQG   1        -
"""
    cells, _ = cells_of(dataset(cells=text, history=history), 2024, 6)
    assert million(cells, "baseline") == [120, 50, 50, 1, 1]
    assert million(cells, "min") == [30, 2, 45, 0, 0]
    same, _ = cells_of(dataset(history=history), 2024, 6)
    assert million(same, "baseline") == [120, 50, 50]
    assert million(same, "min") == [30, 0, 0]
    whole_year, _ = cells_of(dataset(cells=text, history=history), 2024)
    assert million(whole_year, "min") == [20, 2, 45, 0, 0]


def test_attributes_of_places():
    data = dataset(cells=CELLS, places="place population terrain\n02 5 hill\n24 7 -\n63 1 -")
    cells, _ = cells_of(data)
    assert cells.place_columns == {"population", "terrain"}
    assert dict(zip(cells.names(), cells.frame["population"], strict=True))["24|PROD||KCDP"] == 7
    assert cells.frame["population"].isna().sum() == 2  # TW and 01 are not in the table
    assert cells.keep(np.arange(6) < 2).names() == ["TW|TECH|demo|KCQG", "01|PROD||KCQG"]


# --- Selections ----------------------------------------------------------------------------------


def chosen(where):
    cells, _ = cells_of(
        dataset(cells=CELLS, places="place difficult grade\n02 yes 1\n24 no 2\n01 no 1")
    )
    faults: list[Fault] = []
    mask = cells.select(where, NOWHERE, faults)
    names = [name for name, hit in zip(cells.names(), mask, strict=True) if hit]
    return names, [(f.code, f.remedy()) for f in faults if f.level == "error"]


ALL = cells_of(dataset(cells=CELLS))[0].names()


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ({}, ALL),
        ({"area": ("TECH",)}, [ALL[0], ALL[3], ALL[4]]),
        ({"area": ("TECH",), "source": ("KCDP",)}, [ALL[4]]),
        ({"place": ("01", "24")}, [ALL[1], ALL[5]]),
        ({"place": ("Bắc Giang",)}, [ALL[5]]),  # 24 of vintage 63
        ({"area": ("Chuyển giao công nghệ", "TRAIN")}, [ALL[0], *ALL[2:5]]),
        ({"source": ("khuyến công quốc gia",)}, ALL[:4]),
        ({"region": ("R-N",)}, ALL[1:]),
        ({"activity": ("demo",)}, [ALL[0], ALL[3]]),
        ({"activity": ("",)}, [ALL[1], ALL[2], ALL[5]]),
        ({"ward": ("x", "y")}, ALL[4:]),
        ({"difficult": ("yes",)}, ALL[2:5]),
        ({"grade": ("1",)}, ALL[1:5]),
        ({"grade": ("1.0", "2")}, ALL[1:]),
        ({"year": ("2024",)}, ALL),
        ({"year": ("2025",)}, []),
        ({"region": ("R-S",)}, []),
    ],
    ids=str,
)
def test_a_selection_means_the_cells_that_match_every_key(where, expected):
    assert chosen(where) == (expected, [])


@pytest.mark.parametrize(
    ("where", "code", "near"),
    [
        ({"provence": ("01",)}, "unknown-attribute", "place"),
        ({"dificult": ("yes",)}, "unknown-attribute", "difficult"),
        ({"place": ("Bắc Giangg",)}, "unknown-name", "Bắc Giang"),
        ({"place": ("99",)}, "unknown-name", None),
        ({"area": ("TECHNO",)}, "unknown-name", None),
        ({"source": ("KCXX",)}, "unknown-name", None),
        ({"region": ("miền đất hứa",)}, "unknown-name", None),
        ({"grade": ("high",)}, "scenario-number", None),
        ({"grade": ("nan",)}, "scenario-number", None),
    ],
)
def test_what_a_selection_cannot_mean_is_a_fault_with_the_nearest_name(where, code, near):
    names, faults = chosen(where)
    assert [found for found, _ in faults] == [code]
    if code != "unknown-attribute":
        assert names == []
    if near:
        assert near in faults[0][1]
    elif code == "unknown-name":
        assert re.fullmatch(r"Ghi đúng mã hoặc tên(; tên gần giống: \w.*)?\.", faults[0][1])


# --- Absorption ----------------------------------------------------------------------------------

TWO = "place area activity source\n01 TECH demo KCQG\n01 TECH machine KCQG\n01 PROD - KCQG"


def curves_of(cells_text, *tables, year=2024):
    cells, _ = cells_of(dataset(cells=cells_text), year)
    curves, has = build_curves(cells, [table("absorption", text) for text in tables])
    return cells.names(), curves, has


def test_slices_are_widths_and_rates():
    text = "place area source upto rate\n01 PROD KCQG 100 0.5\n01 PROD KCQG 30 0.9"
    _, curves, has = curves_of(TWO, text)
    assert has.tolist() == [False, False, True]
    (members,) = curves.members
    assert members.tolist() == [2]
    np.testing.assert_allclose(curves.widths[0], [30, 70])
    np.testing.assert_allclose(curves.rates[0], [0.9, 0.5])


def test_activities_of_an_area_share_its_curve_unless_given_their_own():
    shared = "place area source upto rate\n01 TECH KCQG 100 0.5\n01 PROD KCQG 9 0.1"
    _, curves, has = curves_of(TWO, shared)
    assert has.all()
    assert [members.tolist() for members in curves.members] == [[0, 1], [2]]
    own = "place area activity source upto rate\n01 TECH - KCQG 100 0.5\n01 TECH machine KCQG 9 0.1"
    _, curves, has = curves_of(TWO, own)
    assert has.tolist() == [True, True, False]
    assert [members.tolist() for members in curves.members] == [[0], [1]]


def test_a_year_of_its_own_goes_before_every_year():
    cells = "year place area source\n2024 01 TECH KCQG\n2025 01 TECH KCQG\n2026 01 TECH KCQG"
    text = "year place area source upto rate\n- 01 TECH KCQG 100 0.5\n2025 01 TECH KCQG 100 0.9"
    _, curves, has = curves_of(cells, text)
    assert has.all()
    # The curve of every year is each year's own, not one that the years share.
    assert [members.tolist() for members in curves.members] == [[0], [1], [2]]
    assert [float(rates[0]) for rates in curves.rates] == [0.5, 0.9, 0.5]


def test_the_first_table_that_knows_a_cell_counts():
    _, curves, has = curves_of(
        TWO,
        "place area source upto rate\n01 PROD KCQG 100 0.5",
        "place area source upto rate\n01 PROD KCQG 7 0.1\n01 TECH KCQG 8 0.2",
    )
    assert has.all()
    found = {
        tuple(m.tolist()): float(w[0]) for m, w in zip(curves.members, curves.widths, strict=True)
    }
    assert found == {(2,): 100, (0, 1): 8}


def test_expected_money_fills_the_best_slices_first():
    text = (
        "place area source upto rate\n01 PROD KCQG 30 0.9\n01 PROD KCQG 100 0.5\n"
        "01 TECH KCQG 40 1\n01 TECH KCQG 80 0.25"
    )
    _, curves, _ = curves_of(TWO, text)
    # PROD: 30 · 0.9 + 20 · 0.5 = 37; TECH: 40 + 20 · 0.25 = 45 of 60, in proportion.
    np.testing.assert_allclose(curves.expected(np.array([20.0, 40.0, 50.0])), [15, 30, 37])
    # Beyond the last slice nothing is disbursed.
    np.testing.assert_allclose(curves.expected(np.array([0.0, 0.0, 900.0])), [0, 0, 62])


def test_beyond_what_has_begun_no_chance_is_above_that_of_a_new_start():
    text = "place area source upto rate\n01 PROD KCQG 30 0.9\n01 PROD KCQG 100 0.5"
    text += "\n01 TECH KCQG 80 0.25"
    _, curves, _ = curves_of(TWO, text)
    at = [curves.curve_of[2], curves.curve_of[0]]  # PROD, TECH
    beyond, rate = np.array([np.inf, np.inf]), np.array([0.4, 0.4])
    beyond[at[0]] = 10.0
    capped = curves.no_better(beyond, rate)
    # PROD: 10 · 0.9 + 20 · 0.4 + 20 · 0.4; TECH as it was.
    np.testing.assert_allclose(capped.expected(np.array([20.0, 40.0, 50.0]))[2], 9 + 16)
    np.testing.assert_array_equal(capped.widths[at[1]], curves.widths[at[1]])
    assert sum(capped.widths[at[0]]) == sum(curves.widths[at[0]]) == 100


def test_without_a_curve_expected_money_is_unknown():
    _, curves, _ = curves_of(TWO, "place area source upto rate\n01 PROD KCQG 30 0.9")
    assert np.isnan(curves.expected(np.array([1.0, 1.0, 1.0]))).tolist() == [True, True, False]


# --- Chances -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("money", "last", "more"),
    [
        (0, math.nan, 0.9),
        (10, 0.9, 0.9),
        (60, 0.9, 0.5),
        (60 + 1e-9, 0.9, 0.5),
        (80, 0.5, 0.5),
        (100, 0.5, 0.0),
        (130, 0.0, 0.0),
    ],
)
def test_chances_are_those_of_the_slices_around_the_end_of_the_money(money, last, more):
    data = dataset(
        cells="place area source\n01 TECH KCQG\n02 TECH KCQG",
        absorption="place area source upto rate\n01 TECH KCQG 60 0.9\n01 TECH KCQG 100 0.5",
    )
    cells, _ = cells_of(data)
    curves, _ = build_curves(cells, [data.absorption])
    found = curves.chances(np.array([money, 5.0]))
    assert found[0][0] == pytest.approx(last, nan_ok=True)
    assert found[1][0] == pytest.approx(more)
    assert np.isnan([part[1] for part in found]).all()  # a cell without a curve
