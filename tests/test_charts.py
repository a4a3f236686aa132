"""Charts: the figures and words in them, read from the finished picture."""

from __future__ import annotations

import io
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from decimal import Decimal

import numpy as np
import openpyxl
import pandas as pd
import pytest
import vl_convert
from datasets import absorbing, dataset, scenario
from hypothesis import given, settings
from hypothesis import strategies as st

from kc_model import reference, words
from kc_model.allocate import allocate
from kc_model.charts import (
    COLOURS,
    allocation_chart,
    change_chart,
    completion_chart,
    fan_chart,
    forecast_chart,
    frontier_chart,
    heat_map,
    picture_files,
    tile_map,
    waterfall_chart,
)
from kc_model.charts.words import even
from kc_model.forecast import forecast, months_of
from kc_model.money import UNITS, format_number, parse_money
from kc_model.wording import LANGUAGES, texts
from kc_model.words import Words

CELLS = """
place area source baseline
01 TECH KCQG 3000
01 TRAIN KCDP 1000.5
02 TECH KCDP 2000
02 ADMN KCDP 500
"""
HISTORY = """
year month place area source plan disbursed
2023 6 01 TECH KCQG 3000 900
2023 13 01 TECH KCQG 3000 2700
2023 6 02 TRAIN KCDP 1000 200
2023 13 02 TRAIN KCDP 1000 800
2024 6 01 TECH KCQG 4000 1000
2024 6 02 TRAIN KCDP 1000 -
"""
HOSTILE = '</script><img src=x onerror="alert(1)">&amp; {{7*7}} datum["x"] Đắk.Lắk'


def planned(unit="million_vnd"):
    data = replace(dataset(cells=CELLS, absorption=absorbing(CELLS)), unit=unit)
    national, local = (str(vnd / Decimal(UNITS[unit])) for vnd in (2500 * 10**6, 4000500000))
    asked = scenario(
        f"""
budget:
  - {{source: KCQG, amount: {national}}}
  - {{source: KCDP, amount: {local}, pooled: true}}
goals: [{{minimise: change}}]
"""
    )
    return allocate(data, asked, detail=False)


def foreseen(unit="million_vnd"):
    data = replace(dataset(history=HISTORY), unit=unit)
    return forecast(data, 2024, 6, draws=200), data


@pytest.fixture(scope="module")
def plan():
    return planned()


@pytest.fixture(scope="module")
def progress():
    return foreseen()


def pictures(plan, progress, language="vi"):
    """Return one picture of every kind and level."""
    outlook, data = progress
    keys = ("area", "place", "source", "region", "year")
    levels = ("area", "place", "source", "cell", "all")
    return {
        **{f"allocation {by}": allocation_chart(plan, by, language) for by in keys},
        **{f"change {by}": change_chart(plan, by, language) for by in keys},
        **{f"forecast {one}": forecast_chart(outlook, data, one, language) for one in levels},
        **{f"completion {one}": completion_chart(outlook, data, one, language) for one in levels},
    }


def svg_texts(picture):
    """Return the texts of the finished picture, in order."""
    svg = vl_convert.vegalite_to_svg(picture.spec())
    return [
        "".join(node.itertext())
        for node in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")
    ]


# --- Figures -------------------------------------------------------------------------------------


def test_an_allocation_by_hand(plan):
    picture = allocation_chart(plan, "place")
    assert picture.heading == "Tổng: 6.500,5 triệu đồng"
    parts = [(row["name"], row["part"], row["money"]) for row in picture.rows if "money" in row]
    assert parts == [
        ("Hà Nội", "Đào tạo nghề", pytest.approx(1500.5, abs=500)),
        ("Hà Nội", "Mô hình, công nghệ, máy móc", 2500.0),
        ("Hà Giang", "Mô hình, công nghệ, máy móc", pytest.approx(2000, abs=500)),
        ("Hà Giang", "Quản lý, tổ chức thực hiện", pytest.approx(500, abs=500)),
    ]
    ends = {row["name"]: row["total"] for row in picture.rows if "total" in row}
    assert sum(ends.values()) == pytest.approx(6500.5, abs=1e-9)
    for name, total in ends.items():
        assert total == pytest.approx(sum(money for at, _, money in parts if at == name))


@settings(max_examples=25)
@given(st.lists(st.integers(0, 10**15), min_size=4, max_size=4))
def test_the_total_in_the_heading_is_told_to_a_tenth_of_a_million(plan, amounts):
    cells = plan.cells.assign(amount=pd.array(amounts, dtype="Int64"))
    heading = allocation_chart(replace(plan, cells=cells)).heading
    told = parse_money(heading.removeprefix("Tổng: "), "vnd", "comma")
    assert told % 10**5 == 0
    assert abs(told - sum(amounts)) <= 10**5 // 2


@settings(max_examples=25)
@given(st.lists(st.integers(0, 10**12), min_size=4, max_size=4), st.sampled_from(["place", "area"]))
def test_losers_come_first_and_losses_meet_gains(plan, amounts, by):
    cells = plan.cells.assign(amount=pd.array(amounts, dtype="Int64"))
    picture = change_chart(replace(plan, cells=cells), by)
    changes = [row["money"] for row in picture.rows]
    assert changes == sorted(changes)
    total = (sum(amounts) - int(cells["baseline"].sum())) / 10**6
    assert sum(changes) == pytest.approx(total, abs=1e-3)
    assert len(picture.table) == len(picture.rows) + 1
    told = picture.heading.replace(".", "").replace(",", ".")
    lost, won, rest = (
        float(found[1]) if (found := re.search(rf"{word} ([+−]?[\d.]+)", told)) else 0.0
        for word in ("giảm", "tăng", "cộng lại")
    )
    assert won - lost + rest == pytest.approx(total, abs=0.051)


def test_changes_are_told_with_sign_and_share(plan):
    cells = plan.cells.assign(amount=pd.array([1500, 1000, 2500, 500], dtype="Int64") * 10**6)
    cells["baseline"] = pd.array([0, 2000, 2000, 500], dtype="Int64") * 10**6
    cells[["place", "area"]] = [["01", "TRAIN"], ["01", "TECH"], ["02", "PROD"], ["02", "ADMN"]]
    labels = {
        row["name"]: row["label"] for row in change_chart(replace(plan, cells=cells), "area").rows
    }
    assert labels == {
        "Mô hình, công nghệ, máy móc": "−1.000 (−50,0 %)",
        "Quản lý, tổ chức thực hiện": "0 (0,0 %)",
        "Phát triển sản phẩm CNNT tiêu biểu": "+500 (+25,0 %)",
        "Đào tạo nghề": "+1.500 (mới)",
    }


@pytest.mark.parametrize("language", LANGUAGES)
def test_rounding_does_not_look_like_a_change(plan, language):
    cells = plan.cells.assign(amount=plan.cells["baseline"] + pd.array([3, -3, 0, 0]) * 10**4)
    picture = change_chart(replace(plan, cells=cells), "area", language)
    words = {
        "vi": ("Không nội dung nào", "đáng kể"),
        "en": ("No area", "noticeably"),
    }
    assert all(part in picture.heading for part in words[language])
    assert not picture.rows
    assert {line[3].replace(",", ".") for line in picture.table[1:]} == {"0.0"}
    assert len(picture.table) > 2


def test_shares_below_each_other_have_digits_that_are_theirs():
    words = Words("million_vnd", "34", "vi")
    assert words.all_risen([-0.00855, 0.5, 0.0, None]) == ["−0,9", "+50,0", "0,0", "–"]
    assert words.all_risen([-0.00855, -0.000163]) == ["−0,86", "−0,02"]  # and not −0,90
    assert words.all_risen([0.00606, -0.0000007]) == ["+0,606", "−0,000"]


@pytest.mark.parametrize(("moved", "is_told"), [(0.04, False), (0.06, True)])  # 0.1 is shown
def test_one_threshold_says_what_a_change_is(plan, moved, is_told):
    cells = plan.cells.assign(amount=plan.cells["baseline"])
    is_line = cells["place"].eq("01") & cells["area"].eq("TECH")
    base = 2000 * 10**6  # of the line, beside 1000.5 of another of its place
    cells.loc[is_line, ["baseline", "amount"]] = [base, base - round(moved * 10**6)]
    changed = replace(plan, cells=cells)
    picture = change_chart(changed, "place")
    assert bool(picture.rows) == is_told
    assert picture.heading.startswith("1 địa bàn giảm" if is_told else "Không địa bàn nào tăng")
    signed = [line[3:] for line in picture.table[1:] if line[3].startswith("−")]
    assert signed == ([("−0,1", "−0,002")] if is_told else [])  # to its first figure
    if is_told:
        assert "−0,1 (−0,002 %)" in svg_texts(picture)
        marks = [one for one in svg_texts(picture) if re.fullmatch(r"[−-]?[\d.,]+", one)]
        assert len(marks) > 1
        assert all(one == "0" or one[0] in "−-" for one in marks)  # nothing else stretches the axis


def test_a_forecast_shows_its_table(progress):
    outlook, data = progress
    table = outlook.table()
    rows = table[table["level"] == "area"]
    picture = forecast_chart(outlook, data, "area")
    shown = pd.DataFrame(picture.rows)
    for column in ("plan", "expected", "lower_80", "upper_80", "lower_95", "upper_95"):
        assert shown[column].tolist() == pytest.approx(rows[column].tolist())
    assert shown["disbursed"].tolist()[0] is None or pd.isna(shown["disbursed"][0])
    whole = table[table["level"] == "all"].iloc[0]
    expected = parse_money(picture.heading.split(": ")[1].split(" (")[0], "vnd", "comma")
    assert expected == pytest.approx(whole["expected"] * 10**6, abs=0.5 * 10**6)


def test_a_completion_is_in_percent_of_the_plan(progress):
    outlook, data = progress
    rows = {row["name"]: row for row in completion_chart(outlook, data, "area").rows}
    tech = rows["Mô hình, công nghệ, máy móc"]
    assert tech["done"] == pytest.approx(25.0)
    assert rows["Đào tạo nghề"]["done"] is None
    table = outlook.table()
    share = table[(table["level"] == "area") & (table["area"] == "TECH")]["completion_expected"]
    assert tech["expected"] == pytest.approx(100 * share.iloc[0])


# --- Words ---------------------------------------------------------------------------------------


def bars_of(picture):
    """Return the lengths of the bars in the finished picture, in pixels."""
    svg = ET.fromstring(vl_convert.vegalite_to_svg(picture.spec()))
    paths = [node.get("d") for node in svg.iter() if node.get("aria-roledescription") == "bar"]
    return [float(re.match(r"M[^h]*h([^v]*)v", path)[1]) for path in paths]


@pytest.mark.parametrize("by", ["place", "area", "source", "region", "year"])
def test_bars_are_as_long_as_the_money(plan, by):
    picture = allocation_chart(plan, by)
    money = [row["money"] for row in picture.rows if "money" in row]
    bars = bars_of(picture)
    assert len(money) > 1
    assert [bar / sum(bars) for bar in bars] == pytest.approx(
        [amount / sum(money) for amount in money], abs=1e-3
    )


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_picture_can_be_drawn_with_its_words(plan, progress, language):
    for name, picture in pictures(plan, progress, language).items():
        texts = svg_texts(picture)
        assert picture.heading in texts, name
        for row in picture.rows:
            assert row["name"] in texts, name
            assert row.get("label", "") in {*texts, ""}, name
        assert picture.description.endswith(".")


def test_axes_have_vietnamese_numbers(plan):
    assert "1.000" in svg_texts(allocation_chart(plan, "area"))
    assert "1,000" in svg_texts(allocation_chart(plan, "area", "en"))


def test_languages_differ(plan, progress):
    vietnamese, english = (pictures(plan, progress, language) for language in LANGUAGES)
    for name, picture in vietnamese.items():
        assert picture.heading != english[name].heading
        assert picture.table[0] != english[name].table[0]


def test_a_synthetic_figure_is_called_so(plan, progress):
    for picture in pictures(plan, progress).values():  # the test dataset is synthetic
        assert any(text.startswith("SỐ LIỆU MÔ PHỎNG") for text in svg_texts(picture))
    real = allocation_chart(replace(plan, data=replace(plan.data, synthetic=False)))
    assert not any("MÔ PHỎNG" in text for text in svg_texts(real))


def test_text_survives_where_the_named_fonts_are_missing(plan):
    picture = allocation_chart(plan)
    assert picture.structure["config"]["font"].endswith(", sans-serif")
    pdf = vl_convert.vegalite_to_pdf(picture.spec())
    nameless = {**picture.spec(), "config": {"font": "No Such Font"}}
    assert b"/FontDescriptor" in pdf
    assert b"/FontDescriptor" not in vl_convert.vegalite_to_pdf(nameless)  # the test can fail


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_rounding_does_is_no_change_and_what_is_kept_stands_beside_the_total(language):
    cells = """
place area source baseline
01 TECH KCQG 20.4
01 TRAIN KCQG 30.4
02 TECH KCQG 40.4
02 PROD KCQG 10.4
"""
    asked = scenario(
        "budget: [{source: KCQG, amount: 101.6}]\ngoals: [{minimise: change}]\n"
        "round_to: 1\nspend: at_most"
    )
    plan = allocate(dataset(cells=cells), asked)
    assert plan.cells["amount"].sum() == 101_000_000
    picture = change_chart(plan, "area", language)
    assert picture.rows == ()  # every cell within a step of what it had: nobody gains or loses
    rest = {"vi": "chỉ đổi do làm tròn, cộng lại −0,6", "en": "rounding alone, −0.6 million VND"}
    assert rest[language] in picture.heading
    assert sum(rest[language] in one for one in plan.explain(language)) == 2
    nobody = [f"explain.no_change.{key}" for key in ("place", "area")]
    told = plan.explain(language)
    assert sum(any(_like(key, language, one) for key in nobody) for one in told) == 2
    heading = allocation_chart(plan, "area", language).heading
    assert (
        heading
        == {
            "vi": "Tổng: 101 triệu đồng; để lại dự phòng 0,6 triệu đồng",
            "en": "Total: 101 million VND; 0.6 million VND kept in reserve",
        }[language]
    )


def test_what_comes_to_more_than_a_step_is_not_told_as_rounding():
    frame = pd.DataFrame(
        {
            "place": ["01", "01", "02", "02"],
            "baseline": [0, 0, 40 * 10**6, 0],
            "amount": [90 * 10**6, 80 * 10**6, 0, 30 * 10**6],
        }
    )  # no cell changes by a step of 100 million; Hà Nội's cells together do
    sums = words.noticed(frame, "place", "million_vnd", 100 * 10**6)
    assert sums["told"].to_dict() == {"01": True, "02": False}


def _like(key: str, language: str, told: str) -> bool:
    """Return whether a sentence is the text of a key, whatever fills it."""
    return re.fullmatch(re.sub(r"\\{\w+\\}", ".+", re.escape(texts()[key][language])), told)


@pytest.fixture
def hostile_places(monkeypatch):
    """Give every place a name that is no text to a browser; names known before are forgotten."""
    monkeypatch.setattr(reference, "place_name", lambda code, *_: f"{HOSTILE} {code}")
    for known in (words._names, words._known):
        known.cache_clear()
    yield
    for known in (words._names, words._known):
        known.cache_clear()


@pytest.mark.usefixtures("hostile_places")
def test_names_stay_text(plan, progress):
    hostile = replace(plan, scenario=replace(plan.scenario, name=HOSTILE))
    outlook, data = progress
    for picture in (
        allocation_chart(hostile, "place"),
        change_chart(hostile, "place"),
        forecast_chart(outlook, data, "place"),
        completion_chart(outlook, data, "place"),
    ):
        svg = vl_convert.vegalite_to_svg(picture.spec())
        assert "<img" not in svg
        assert "<script" not in svg
        assert any(HOSTILE[:20] in text for text in svg_texts(picture))
    texts = svg_texts(allocation_chart(hostile, "area"))
    assert any(f"“{HOSTILE}”" in text for text in texts)


def test_names_of_fields_are_plain(plan, progress):
    for picture in pictures(plan, progress).values():
        assert all(re.fullmatch("[a-z0-9_]+", field) for row in picture.rows for field in row)


# --- What stays ----------------------------------------------------------------------------------


def test_a_new_result_only_changes_data_and_heading(plan):
    cells = plan.cells.assign(amount=plan.cells["amount"] * 2 + 7)
    for chart in (allocation_chart, change_chart):
        before, after = chart(plan), chart(replace(plan, cells=cells))
        assert before.structure == after.structure
        assert before.rows != after.rows
        assert before.heading != after.heading
        assert chart(plan, language="en").structure != before.structure


def test_altair_takes_the_picture(plan, progress):
    shown = pictures(plan, progress)
    for name in ("allocation place", "change place", "forecast area", "completion area"):
        picture, chart = shown[name], shown[name].chart()
        assert chart.to_dict()["datasets"]["rows"] == list(picture.rows)


def test_colours_can_be_told_apart():
    okabe_ito = {
        *("#000000", "#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00"),
        *("#CC79A7", "#999999"),
    }
    areas = [COLOURS[code] for code in reference.area_order() if code != "ALL"]
    assert set(areas) == okabe_ito
    assert len(areas) == len(okabe_ito)
    assert COLOURS["KCQG"] != COLOURS["KCDP"]
    assert COLOURS["loss"] != COLOURS["gain"]


# --- Charts of plain tables -----------------------------------------------------------------------

PLACES = pd.DataFrame(
    {"place": ["VN", "TW", "01", "02", "48"], "done": [0.5, 0.25, 0.734, np.nan, 0.1]}
)
MOVES = pd.DataFrame(
    {
        "place": ["01", "01", "02", "48"],
        "area": ["TECH", "TRAIN", "TECH", "TRAIN"],
        "change": [250.5, -1000.0, 1200.0, -2000.0],
    }
)
STEPS = pd.DataFrame(
    {
        "step": ["Phương án gốc", "Sàn 30 %", "Thêm KCQG", "Phương án A"],
        "change": [np.nan, -812.5, 1500.0, np.nan],
        "total": [10000.0, 9187.5, 10687.5, 10687.5],
    }
)
CURVE = pd.DataFrame(
    {
        "give": [0.0, 0.005, 0.02],
        "first": [5000.0, 4975.0, 4900.0],
        "second": [0.25, 0.5, 0.6],
        "price": [np.nan, 100.0, 750.0],
    }
)
GOALS = ("Giải ngân (triệu đồng)", "Mức đều")


@pytest.fixture(scope="module")
def stamp(plan):
    return plan.stamp()


def plain_pictures(progress, stamp, language="vi"):
    """Return one picture of every chart of plain tables."""
    outlook, data = progress
    months = months_of(data, outlook)
    return {
        "tiles": tile_map(PLACES, "done", stamp, language),
        "heat": heat_map(MOVES, "change", stamp, language),
        "fan": fan_chart(months, data, {"area": "TECH"}, language),
        "bridge": waterfall_chart(STEPS, stamp, language),
        "trade": frontier_chart(CURVE, GOALS, stamp, language),
    }


@pytest.mark.parametrize("unit", ["vnd", "thousand_vnd"])
def test_charts_of_a_file_in_dong_are_drawn_in_millions(plan, progress, stamp, unit):
    many = 10**6 / UNITS[unit]
    steps = STEPS.copy()
    moves = MOVES.assign(change=MOVES["change"] * many)
    steps[["change", "total"]] *= many
    theirs = replace(stamp, unit=unit)
    own = foreseen(unit)
    months = months_of(own[1], own[0])
    small = pictures(planned(unit), own) | {
        "tiles": tile_map(PLACES, "done", theirs),
        "heat": heat_map(moves, "change", theirs),
        "fan": fan_chart(months, own[1], {"area": "TECH"}),
        "bridge": waterfall_chart(steps, theirs),
    }
    large = pictures(plan, progress) | plain_pictures(progress, stamp)
    for name, picture in small.items():
        assert picture.heading == large[name].heading, name
        assert picture.table == large[name].table, name
        is_share = name.startswith(("completion", "tiles"))
        assert picture.unit == f"Đơn vị tính: {'%' if is_share else 'triệu đồng'}", name
        assert picture.structure == large[name].structure, name
    assert "triệu đồng" in svg_texts(small["allocation area"])


@pytest.mark.parametrize("language", LANGUAGES)
def test_plain_charts_show_heading_figures_and_words(progress, stamp, language):
    for name, picture in plain_pictures(progress, stamp, language).items():
        texts = svg_texts(picture)
        assert picture.heading in texts, name
        for row in picture.rows:
            assert row.get("label", "") in {*texts, ""}, name
            if name.startswith(("tiles", "heat")):
                assert row["name"] in texts, name
                assert row["value"] in texts, name
        assert len({len(line) for line in picture.table}) == 1, name
        assert all(re.fullmatch("[a-z0-9_]+", field) for row in picture.rows for field in row)
        assert any("MÔ PHỎNG" in text or "SYNTHETIC" in text for text in texts), name
        assert picture.structure["config"]["font"].endswith(", sans-serif")


def test_plain_charts_differ_in_language(progress, stamp):
    vietnamese, english = (plain_pictures(progress, stamp, one) for one in LANGUAGES)
    for name, picture in vietnamese.items():
        assert picture.heading != english[name].heading, name
        assert picture.table[0] != english[name].table[0], name
        assert picture.structure != english[name].structure, name
        assert picture.description != english[name].description, name


def test_tiles_carry_figures_and_the_islands_only_their_province(stamp):
    picture = tile_map(PLACES, "done", stamp)
    tiles = {row["name"]: row for row in picture.rows}
    assert len(picture.rows) == 63 + 2 + 1
    assert tiles["Hà Nội"]["value"] == "73,4"
    assert tiles["Hà Nội"]["shade"] == pytest.approx(0.734)
    assert (tiles["Hà Giang"]["value"], tiles["Hà Giang"]["shade"]) == ("–", None)
    assert tiles["Hoàng Sa"]["value"] == "(Đà Nẵng)"
    assert tiles["Hoàng Sa"]["shade"] == tiles["Đà Nẵng"]["shade"] == 0.1
    assert (tiles["Trường Sa"]["value"], tiles["Trường Sa"]["shade"]) == ("(Khánh Hòa)", None)
    assert tiles["Trung ương"]["value"] == "25,0"
    assert "Trung ương" not in [
        row["name"] for row in tile_map(PLACES.iloc[2:], "done", stamp).rows
    ]
    assert picture.heading == "Thấp nhất: Đà Nẵng 10,0 %; cao nhất: Hà Nội 73,4 %"
    names = [line[0] for line in picture.table]
    assert names == [
        *("Địa bàn", "Đà Nẵng", "Các đơn vị trung ương", "Cả nước", "Hà Nội", "Hà Giang"),
    ]


def test_tiles_of_both_vintages_stand_where_the_scheme_has_them(stamp):
    for vintage in reference.VINTAGES:
        picture = tile_map(PLACES.iloc[2:3], "done", replace(stamp, vintage=vintage))
        svg = ET.fromstring(vl_convert.vegalite_to_svg(picture.spec()))
        drawn = [
            [float(part) for part in re.findall(r"-?[\d.]+", node.get("d"))][:2]
            for node in svg.iter()
            if node.get("aria-roledescription") == "rect mark"
        ]
        assert len(drawn) == len(picture.rows) == len({tuple(at) for at in drawn})
        grid = [(row["column"], row["row"]) for row in picture.rows]
        for axis in (0, 1):
            steps = {
                (at[axis], round(place[axis], 3)) for at, place in zip(grid, drawn, strict=True)
            }
            assert len(steps) == len({at[axis] for at in grid})
            assert [x for _, x in sorted(steps)] == sorted(x for _, x in steps)


def test_losers_come_first_in_tables_of_changes(stamp):
    picture = heat_map(MOVES, "change", stamp)
    assert [line[0] for line in picture.table[1:]] == ["Đà Nẵng", "Hà Nội", "Hà Giang"]
    assert picture.table[0] == ("Địa bàn", "Đào tạo nghề", "Mô hình, công nghệ, máy móc")
    assert picture.table[1:3] == (("Đà Nẵng", "−2.000,0", "–"), ("Hà Nội", "−1.000,0", "+250,5"))
    shades = {(row["name"], row["part"].replace("|", " ")): row["shade"] for row in picture.rows}
    assert shades["Đà Nẵng", "Đào tạo nghề"] == -1.0
    assert shades["Hà Giang", "Mô hình, công nghệ, máy móc"] == pytest.approx(0.6)
    assert shades["Đà Nẵng", "Mô hình, công nghệ, máy móc"] is None
    texts = svg_texts(picture)
    assert {"−1.000,0", "+250,5", "Mô hình,công nghệ,máy móc"} <= set(texts)  # in three lines
    abroad = heat_map(MOVES.assign(area="INTL").drop_duplicates("place"), "change", stamp, "en")
    assert "International" in svg_texts(abroad)  # longer than a line, and yet one word


def test_a_place_twice_is_refused(stamp):
    with pytest.raises(ValueError, match="two rows"):
        tile_map(pd.concat([PLACES, PLACES]), "done", stamp)
    with pytest.raises(ValueError, match="two rows"):
        heat_map(pd.concat([MOVES, MOVES]), "change", stamp)
    with pytest.raises(ValueError, match="alike"):
        waterfall_chart(pd.concat([STEPS, STEPS]), stamp)


def test_a_fan_starts_at_what_is_disbursed_and_ends_at_the_forecast(progress):
    outlook, data = progress
    picture = fan_chart(months_of(data, outlook), data, {"area": "TECH"})
    by_month = {row["month"]: row for row in picture.rows}
    table = outlook.table()
    line = table[(table["level"] == "area") & (table["area"] == "TECH")].iloc[0]
    assert (by_month[6]["reported"], by_month[6]["lower_95"], by_month[6]["upper_95"]) == (
        1000,
    ) * 3
    assert by_month[5]["lower_95"] is None
    for figure in ("expected", "lower_80", "upper_80", "lower_95", "upper_95"):
        assert by_month[13][figure] == pytest.approx(line[figure])
    assert by_month[6]["before"] == 900
    assert by_month[13]["plan"] == 4000
    texts = svg_texts(picture)
    assert {"T1", "T12", "QT", "triệu đồng", "4.000", "Cùng kỳ năm trước"} <= set(texts)
    assert any("Mô hình, công nghệ, máy móc" in text for text in texts)
    assert picture.table[6][:3] == ("Tháng 6", "1", "1.000,0")
    assert picture.table[-1][0] == "Sau chỉnh lý quyết toán"


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_legend_of_a_fan_shows_lines_as_lines_and_bands_as_bands(progress, language):
    outlook, data = progress
    spec = fan_chart(months_of(data, outlook), data, None, language).spec()
    drawn = vl_convert.vegalite_to_vega(spec)
    scales = {scale["name"]: scale for scale in drawn["scales"]}
    bands, lines = drawn["legends"]
    assert (bands["symbolType"], lines["symbolType"]) == ("square", "stroke")
    told = [
        texts()[f"charts.fan.{key}"][language] for key in ("done", "expected", "plan", "before")
    ]
    assert scales[lines["stroke"]]["domain"] == scales[lines["strokeDash"]]["domain"] == told
    assert scales[lines["strokeDash"]]["range"] == [[1, 0], [6, 3], [1, 0], [2, 2]]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_change_that_rounds_to_none_has_no_sign(plan, stamp, language):
    none = format_number(0, 1, language)
    cells = plan.cells.assign(baseline=pd.array([10**13] * 4, dtype="Int64"))
    cells["amount"] = cells["baseline"] + pd.array([-(10**6), 10**6, -(10**6), 10**12])
    table = change_chart(replace(plan, cells=cells), "place", language).table[1:]
    assert [line[4] for line in table] == [none, f"+{format_number(5, 1, language)}"]
    shares = pd.DataFrame({"place": ["01", "02"], "change_share": [-4e-4, 4e-4]})
    shares["change"] = [-0.04, 0.04]
    for measure, zero in (("change_share", none), ("change", "0")):
        picture = tile_map(shares, measure, stamp, language)
        assert {line[1] for line in picture.table[1:]} == {zero}


def test_a_bridge_tells_every_step_and_its_bars_are_as_long_as_the_money(stamp):
    picture = waterfall_chart(STEPS, stamp)
    assert picture.heading == "10.000 → 10.687,5 triệu đồng: giảm 812,5, tăng 1.500"
    assert picture.table[2] == ("Sàn 30 %", "−812,5", "9.187,5")
    bars = bars_of(picture)
    assert bars[0] / bars[1] == pytest.approx(812.5 / 1500, rel=1e-3)
    assert {"10.000,0", "−812,5", "+1.500,0", "10.687,5", "Sàn 30 %"} <= set(svg_texts(picture))


def test_the_steps_of_a_bridge_add_up_as_they_are_shown(stamp):
    steps = pd.DataFrame(
        {
            "step": ["a", "b", "c", "d"],
            "change": [np.nan, -2379.46, -1178.97, np.nan],
            "total": [329596.24, 327216.78, 326037.81, 326037.81],
        }
    )
    picture = waterfall_chart(steps, stamp)
    assert [line[1:] for line in picture.table[1:]] == [
        ("–", "329.596,2"), ("−2.379,4", "327.216,8"), ("−1.179,0", "326.037,8"), ("–", "326.037,8")
    ]  # fmt: skip
    assert "giảm 3.558,4" in picture.heading


def test_the_figures_of_a_heat_map_have_as_many_digits(stamp):
    frame = pd.DataFrame({"place": ["01", "02"], "area": ["TECH"] * 2, "amount": [1837.0, 2452.3]})
    picture = heat_map(frame, "amount", stamp)
    assert {row["value"] for row in picture.rows} == {"1.837,0", "2.452,3"}


def test_what_is_given_up_has_digits_to_be_told_apart(stamp):
    picture = frontier_chart(CURVE.assign(give=[0.0, 0.0001, 0.0002]), GOALS, stamp)
    assert [line[0] for line in picture.table[1:]] == ["0,00", "0,01", "0,02"]


def test_labels_of_shares_stand_behind_the_line_of_the_whole_plan(progress):
    rows = completion_chart(*progress).rows
    assert {row["expected"] < 100 for row in rows} == {True}
    assert {row["end"] for row in rows} == {100.0}


def test_a_bridge_of_long_steps_fits_a_narrow_screen(stamp):
    long = "Thêm “Kinh phí mọi nguồn cho Mô hình, công nghệ, máy móc chiếm ít nhất 38 % của tất cả”"
    picture = waterfall_chart(STEPS.assign(step=[f"{i}. {long}" for i in range(4)]), stamp)
    svg = ET.fromstring(vl_convert.vegalite_to_svg(picture.spec()))
    assert int(svg.get("width")) < 1000
    assert picture.table[1][0] == f"0. {long}"
    lines = {
        " ".join("".join(node.itertext()).split())
        for node in svg.iter()
        if node.tag.endswith("text")
    }
    assert any(line.startswith("1. Thêm “Kinh phí mọi nguồn") for line in lines)


def test_a_frontier_tells_what_is_given_up_and_at_what_price(stamp):
    picture = frontier_chart(CURVE, GOALS, stamp)
    assert picture.table[0] == ("Nhường (%)", *GOALS, "Giá của một đơn vị thêm")
    assert picture.table[1] == ("0,0", "5.000", "0,25", "–")
    assert picture.table[3] == ("2,0", "4.900", "0,60", "750")
    assert {"0,5 %", "2,0 %", *GOALS} <= set(svg_texts(picture))


def test_a_new_table_only_changes_data_and_heading(progress, stamp):
    pairs = (
        (tile_map(PLACES, "done", stamp), tile_map(PLACES.assign(done=0.5), "done", stamp)),
        (
            heat_map(MOVES, "change", stamp),
            heat_map(MOVES.assign(change=-MOVES["change"]), "change", stamp),
        ),
        (waterfall_chart(STEPS, stamp), waterfall_chart(STEPS.assign(total=1.0), stamp)),
        (
            frontier_chart(CURVE, GOALS, stamp),
            frontier_chart(CURVE.assign(first=1.0), GOALS, stamp),
        ),
    )
    for before, after in pairs:
        assert before.structure == after.structure
        assert before.rows != after.rows


@pytest.mark.parametrize("language", LANGUAGES)
def test_writing_stays_inside_its_tile(stamp, language):
    """Names at the width of a wide font; the tile is 88 pixels."""
    for vintage in reference.VINTAGES:
        rows = tile_map(PLACES.iloc[2:3], "done", replace(stamp, vintage=vintage), language).rows
        longest = max(rows, key=lambda row: len(row["name"]))
        assert len(longest["name"]) <= 17, longest


@pytest.mark.usefixtures("hostile_places")
def test_names_in_plain_charts_stay_text(stamp):
    steps = STEPS.assign(step=[f"{HOSTILE} {i}" for i in range(4)])
    for picture in (
        tile_map(PLACES, "done", stamp),
        heat_map(MOVES, "change", stamp),
        waterfall_chart(steps, stamp),
        frontier_chart(CURVE, (HOSTILE, HOSTILE), stamp),
    ):
        svg = vl_convert.vegalite_to_svg(picture.spec())
        assert "<img" not in svg
        assert "<script" not in svg
        assert any(HOSTILE[:20] in text for text in svg_texts(picture))


# --- Files ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
def test_files_hold_the_picture_and_its_table(stamp, language):
    hostile = STEPS.assign(step=["=1+1", "+cmd", *STEPS["step"][2:]])
    picture = waterfall_chart(hostile, stamp, language)
    files = picture_files(picture, stamp, "bac-thang", language)
    assert sorted(files) == ["bac-thang.png", "bac-thang.svg", "bac-thang.xlsx"]
    assert files["bac-thang.png"].startswith(b"\x89PNG")
    assert picture.heading in files["bac-thang.svg"].decode("utf-8")
    assert files == picture_files(picture, stamp, "bac-thang", language)
    book = openpyxl.load_workbook(io.BytesIO(files["bac-thang.xlsx"]))
    (sheet,) = book.worksheets
    cells = [[cell.value for cell in row if cell.value is not None] for row in sheet.iter_rows()]
    assert cells[0] == [picture.heading]
    assert "Số liệu" in cells[1][0] or "Data" in cells[1][0]
    assert cells[3] == list(picture.table[0])
    assert cells[4:8] == [
        ["=1+1", "–", 10000],
        ["+cmd", -812.5, 9187.5],
        ["Thêm KCQG", 1500, 10687.5],
        ["Phương án A", "–", 10687.5],
    ]
    assert not any(cell.data_type == "f" for row in sheet.iter_rows() for cell in row)
    assert stamp.title in sheet.oddFooter.left.text
    assert stamp.dataset_hash[:6] not in sheet.oddFooter.left.text
    assert sheet.oddHeader.center.text  # the figures are made up, and every page says so


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_chart_leaves_as_a_picture_with_its_words_and_a_table_of_numbers(
    plan, progress, stamp, language
):
    outlook, data = progress
    pictures = (
        allocation_chart(plan, "area", language),
        change_chart(plan, "place", language),
        forecast_chart(outlook, data, "area", language),
        completion_chart(outlook, data, "area", language),
        *plain_pictures(progress, stamp, language).values(),
    )
    mark = "," if language == "vi" else "."
    for picture in pictures:
        files = picture_files(picture, stamp, "hình", language)
        assert files["hình.png"].startswith(b"\x89PNG")
        drawn = ET.fromstring(files["hình.svg"])
        words = [one.text for one in drawn.iter("{http://www.w3.org/2000/svg}text") if one.text]
        assert " ".join(picture.heading.split()) in " ".join(" ".join(words).split())
        (sheet,) = openpyxl.load_workbook(io.BytesIO(files["hình.xlsx"])).worksheets
        rows = [[cell.value for cell in row] for row in sheet.iter_rows(min_row=4)]
        table = rows[: len(picture.table)]
        assert [row[0] for row in table] == [line[0] for line in picture.table]
        written = [value for row in table[1:] for value in row[1:]]
        assert any(isinstance(value, int | float) for value in written)
        for value in written:  # a figure is never a text
            assert not isinstance(value, str) or not re.search(rf"\d([{mark}]\d+)?$", value), value
        assert not any(cell.data_type == "f" for row in sheet.iter_rows() for cell in row)
        is_share = all("%" in name for name in picture.table[0][1:])
        assert picture.unit.endswith("%") == is_share


def test_single_lines_come_by_what_they_leave_and_the_rest_can_wait(progress):
    outlook, data = progress
    table = outlook.table().query("level == 'cell'")
    left = (table["plan"] - table["expected"]).tolist()
    assert len(left) > 1
    whole = forecast_chart(outlook, data, "cell")
    shown = [row["plan"] - row["expected"] for row in whole.rows]
    assert shown == pytest.approx(sorted(left, reverse=True))
    for picture in (forecast_chart, completion_chart):
        first = picture(outlook, data, "cell", most=1)
        assert [row["name"] for row in first.rows] == [whole.rows[0]["name"]]
        assert len(first.table) == 2


def test_columns_beside_each_other_have_as_many_digits():
    table = [
        ("A", "n", "plan", "year-end", "range", "share"),
        ("x", "2", "1.000", "−12,5", "10–1.250,25", "3,5"),
        ("y", "3", "–", "−7", "–", "–"),
    ]
    assert even(table, "vi", range(2, 5))[1:] == [
        ("x", "2", "1.000,00", "−12,50", "10,00–1.250,25", "3,5"),
        ("y", "3", "–", "−7,00", "–", "–"),
    ]


def test_the_year_end_is_told_as_exactly_as_the_plan_beside_it(progress):
    outlook, data = progress
    for line in forecast_chart(outlook, data, "area").table[1:]:
        cells = [part for cell in line[1:6] for part in cell.split("–") if part]
        assert {len(part.partition(",")[2]) for part in cells} == {1}, line


@given(
    st.lists(st.one_of(st.none(), st.integers(-(10**7), 10**7)), min_size=1, max_size=8),
    st.sampled_from(LANGUAGES),
)
def test_a_column_has_as_many_digits_all_the_way_down(tenths, language):
    cells = ["–" if n is None else format_number(n / 10, None, language) for n in tenths]
    head, *lines = even([("A", "B"), *(("x 1", cell) for cell in cells)], language)
    assert head == ("A", "B")
    mark = "," if language == "vi" else "."
    assert {line[0] for line in lines} == {"x 1"}
    known = [line[1] for line in lines if line[1] != "–" and not line[1].startswith("−")]
    assert len({len(text.partition(mark)[2]) for text in known}) <= 1
    for cell, (_, text) in zip(cells, lines, strict=True):
        assert text.startswith(cell)
        assert set(text.removeprefix(cell)) <= {mark, "0"}
