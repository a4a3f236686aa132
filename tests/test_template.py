"""The workbook a planner fills in: empty it says what it lacks, filled it reads back exactly."""

from __future__ import annotations

import pandas as pd
import pytest
from faults.build import CELLS, folder
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openpyxl import load_workbook

from kc_model import reference
from kc_model.errors import InputError, SaveError
from kc_model.money import UNITS
from kc_model.reading import read_dataset
from kc_model.scenario import read_scenario
from kc_model.sheets import open_sheets
from kc_model.tables import FORMS, SCHEMAS, Dataset, Kind, Note, empty_table
from kc_model.template import write_template, write_workbook
from kc_model.wording import LANGUAGES, say

INT64 = 2**63 - 1


def same(one: Dataset, other: Dataset) -> None:
    for name in SCHEMAS:
        pd.testing.assert_frame_equal(one.tables[name], other.tables[name])
    for name in ("title", "vintage", "unit", "synthetic", "sources", "notes", "hash"):
        assert getattr(one, name) == getattr(other, name)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_empty_workbook_lacks_only_what_a_planner_must_say(language, tmp_path):
    path = tmp_path / "mẫu.xlsx"
    write_template(path, language)
    sheets = open_sheets(path)
    assert set(sheets) == {*SCHEMAS, *FORMS, "guide", "lists"}
    assert not any(sheet.faults for sheet in sheets.values())
    with pytest.raises(InputError) as caught:
        read_dataset(path)
    missing = {fault.values["key"].split()[0] for fault in caught.value.faults}
    assert {fault.code for fault in caught.value.faults} == {"missing-key"}
    assert missing == {"title", "vintage", "unit", "synthetic"}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_table_has_an_example_and_every_heading_a_remark(language, tmp_path):
    write_template(tmp_path / "a.xlsx", language)
    book = load_workbook(tmp_path / "a.xlsx")
    for name in (*SCHEMAS, *FORMS):
        sheet = book[say(f"headings.sheets.{name}", language)]
        if name not in ("dataset", "scenario"):
            assert all(cell.comment for cell in sheet[1]), name
            assert {cell.comment.text.split("\n")[0] for cell in sheet[1]} >= set(
                FORMS.get(name) or SCHEMAS[name].by_name
            )
        if name not in ("dataset", "scenario", "evidence"):
            first = next(cell.value for cell in sheet[2] if cell.value is not None)
            assert str(first).startswith(("Ví dụ:", "Example:"))
        assert sheet.freeze_panes == "A2"


def test_no_text_of_ours_is_cut(tmp_path):
    write_template(tmp_path / "a.xlsx")
    book = load_workbook(tmp_path / "a.xlsx")
    for sheet in book.worksheets[1:]:
        runs = sheet.column_dimensions.values()  # columns side by side of one width are one run
        widths = {at: run.width for run in runs for at in range(run.min, run.max + 1)}
        for cell in sheet[1]:
            assert widths[cell.column] > len(cell.value), cell
    for row in book["Danh mục"].iter_rows(min_row=2):  # the last one
        for cell in row:
            if cell.value and len(cell.value) > 1.3 * widths[cell.column]:
                assert sheet.row_dimensions[cell.row].height >= 30, cell.value


def test_drop_downs_hold_words_that_read_back(tmp_path):
    write_template(tmp_path / "a.xlsx")
    book = load_workbook(tmp_path / "a.xlsx")
    lists = book["Danh mục"]
    for sheet in book.worksheets:
        for rule in sheet.data_validations.dataValidation:
            _, _, cells = rule.formula1.replace("$", "").partition("!")
            words = [cell.value for (cell,) in lists[cells]]
            assert all(words)
            assert len(set(words)) == len(words)
    for row in lists.iter_rows(min_row=2, max_col=1, values_only=True):
        places = [
            vintage
            for vintage in reference.VINTAGES
            for code in reference.place_order(vintage)
            if row[0] == reference.place_name(code, vintage)
        ]
        assert row[0] is None or places or lists.cell(1, 1).value != "Địa bàn"


def test_the_example_rows_are_sound_once_they_are_no_examples(tmp_path):
    """Strip the mark of every example and fill in the keys: the workbook reads without a fault."""
    path = tmp_path / "a.xlsx"
    write_template(path)
    book = load_workbook(path)
    for sheet in book.worksheets[1:-1]:
        for cell in sheet[2]:
            if isinstance(cell.value, str) and cell.value.startswith("Ví dụ: "):
                text = cell.value.removeprefix("Ví dụ: ")
                cell.value = int(text) if text.isdecimal() else text
    for key, values in {
        "Bộ dữ liệu": ("t", 34, "triệu đồng", "Có", "x"),
        "Phương án": ("p", 2026),
    }.items():
        for row, value in enumerate(values, start=2):
            book[key].cell(row, 2).value = value
    book.save(path)
    data = read_dataset(path)
    assert data.warnings == ()
    assert data.history["plan"].tolist() == [2_500_000_000]
    assert data.projects["place"].tolist() == ["19"]
    assert len(data.notes) == 1
    scenario = read_scenario(path)
    assert (scenario.name, scenario.year) == ("p", 2026)
    assert [(rule.tier, str(rule.max)) for rule in scenario.rules] == [("law", "0.015")]
    assert [goal.name for goal in scenario.goals] == ["maximise disbursed"]
    assert [int(row.amount) for row in scenario.budget] == [3200]


def test_a_dataset_and_its_scenario_fit_one_workbook(tmp_path):
    data = read_dataset(folder(tmp_path, cells=CELLS, places="place,population\n01,5\n19,7\n"))
    path = tmp_path / "b.xlsx"
    rows = {
        "scenario": [{"key": "name", "value": "=1+1"}, {"key": "year", "value": 2026}],
        "budget": [{"source": "KCQG", "amount": 17_800.5, "pooled": "true"}],
        "rules": [{"id": "r", "each": "place", "min": 500, "tier": "preference"}],
        "goals": [{"sense": "minimise", "what": "change"}],
    }
    write_workbook(data, path, rows)
    same(data, read_dataset(path))
    scenario = read_scenario(path)
    assert scenario.name == "=1+1"
    assert (scenario.budget[0].pooled, str(scenario.budget[0].amount)) == (True, "17800.5")
    assert (scenario.rules[0].tier, scenario.goals[0].name) == ("preference", "minimise change")


def test_texts_are_never_formulas(tmp_path):
    names = ("=1+1", "{=A1}", "@SUM(A1)", "+1", "-2", "http://x.vn", "_x0041_", "a\nb", "<b>&\"'")
    projects = empty_table("projects").reindex(range(len(names)))
    projects = projects.assign(
        id=[f"P{i}" for i in range(len(names))], name=list(names), place="01;04", area="TECH",
        source="KCQG", support=pd.array([1] * len(names), dtype="Int64"),
    )  # fmt: skip
    texts = [c.name for c in SCHEMAS["projects"].columns if str(projects[c.name].dtype) == "str"]
    projects[texts] = projects[texts].fillna("")
    tables = {name: empty_table(name) for name in SCHEMAS} | {"projects": projects}
    data = Dataset("=2", "34", "vnd", False, ("=3",), tables)
    write_workbook(data, tmp_path / "a.xlsx")
    same(data, read_dataset(tmp_path / "a.xlsx"))


def test_nothing_is_overwritten(tmp_path):
    path = tmp_path / "a.xlsx"
    path.write_bytes(b"x")
    for write in (write_template, lambda p: write_workbook(read_dataset(folder(tmp_path)), p)):
        with pytest.raises(SaveError):
            write(path)
        assert path.read_bytes() == b"x"


def test_a_text_too_long_for_excel_is_refused(tmp_path):
    data = read_dataset(folder(tmp_path, places=f"place,chú\n01,{'x' * 32_768}\n"))
    with pytest.raises(SaveError, match="32767"):
        write_workbook(data, tmp_path / "a.xlsx")
    assert not (tmp_path / "a.xlsx").exists()


def test_the_same_dataset_gives_the_same_bytes(tmp_path):
    data = read_dataset(folder(tmp_path))
    for name in ("a.xlsx", "b.xlsx"):
        write_workbook(data, tmp_path / name)
    assert (tmp_path / "a.xlsx").read_bytes() == (tmp_path / "b.xlsx").read_bytes()


# ---------------------------------------------------------------------------- any dataset

WORDS = st.text("aăâđêôơưạậệộợựYÝ0189 =+-@'\"<&;,.|#%\n", max_size=9).map(str.strip)
PLAIN = WORDS.filter(lambda word: word and not word.startswith("#"))


def ordinary(low: float, high: float = 1e15) -> st.SearchStrategy[float]:
    """Numbers of any number of digits, none of them smaller than 1e-30."""
    return st.floats(low, high).map(lambda x: x if abs(x) > 1e-30 else 0.0)


def value_of(kind: Kind, choices: tuple[str, ...], *, signed: bool) -> st.SearchStrategy[object]:
    low = -INT64 if signed else 0
    return {
        Kind.YEAR: st.integers(1990, 2100),
        Kind.MONEY: st.integers(low, INT64),
        Kind.WHOLE: st.integers(0, 10**9),
        Kind.NUMBER: ordinary(0),
        Kind.RATE: ordinary(0, 1),
        Kind.DATE: st.dates(pd.Timestamp("1990-01-01").date(), pd.Timestamp("2100-12-31").date()),
        Kind.CHOICE: st.sampled_from(choices or ("",)),
        Kind.TEXT: WORDS,
    }[kind]


@st.composite
def datasets(draw: st.DrawFn) -> Dataset:
    """Draw a sound dataset: projects have a column of nearly every kind, places any attribute."""
    vintage = draw(st.sampled_from(reference.VINTAGES))
    provinces = reference.place_order(vintage)[5:]
    count = draw(st.integers(0, 4))
    projects: dict[str, list[object]] = {"id": [f"P{i}" for i in range(count)]}
    for column in SCHEMAS["projects"].columns[1:]:
        one = {
            "name": PLAIN,
            "place": st.lists(st.sampled_from(provinces), min_size=1, max_size=3, unique=True).map(
                ";".join
            ),
            "area": st.sampled_from(reference.area_order()),
            "source": st.sampled_from(reference.source_order()),
            "cost": st.none() | st.just(INT64 // 10),
            "support": st.integers(10, INT64 // 10),
            "min_support": st.none(),
            "disbursed": st.none() | st.integers(0, 10),
            "quantity": st.none() | st.integers(1, 10**9),
            "norm": st.sampled_from(["", *reference.norms()["id"]]),
            "split": st.just(""),
            "requires": st.just(""),
            "excludes": st.just(""),
            "start": st.just(pd.Timestamp("2000-01-01")),
        }.get(column.name)
        if one is None:
            one = value_of(column.kind, column.choices, signed=column.signed)
            if column.kind is Kind.MONEY:
                one = st.none() | one.map(lambda vnd: vnd // 10)
            elif column.kind not in (Kind.TEXT, Kind.CHOICE, Kind.DATE):
                one = st.none() | one
        if column.kind is Kind.DATE and column.name == "end":
            one = st.none() | one.filter(lambda day: day.year > 2000)
        projects[column.name] = [draw(one) for _ in range(count)]
    known = empty_table("projects").dtypes
    chosen = sorted(draw(st.sets(st.sampled_from(provinces), max_size=4)), key=provinces.index)
    numbers = [draw(ordinary(-1e15)) for _ in chosen]
    marks = [draw(PLAIN.map(lambda word: f"ă{word}")) for _ in chosen]
    places = pd.DataFrame({"place": pd.Series(chosen, dtype="str")})
    places["số"] = pd.Series(numbers, dtype="float64")
    if chosen:
        places["chữ"] = pd.Series(marks, dtype="str")
    frames = {
        "projects": pd.DataFrame({n: pd.Series(v, dtype=known[n]) for n, v in projects.items()}),
        "places": places,
    }
    return Dataset(
        draw(PLAIN),
        vintage,
        draw(st.sampled_from(sorted(UNITS))),
        draw(st.booleans()),
        tuple(draw(st.lists(PLAIN, max_size=3))),
        {name: frames.get(name, empty_table(name)) for name in SCHEMAS},
        tuple(draw(st.lists(st.builds(Note, st.just("assumed"), PLAIN, PLAIN), max_size=2))),
    )


@settings(max_examples=25, suppress_health_check=list(HealthCheck))
@given(datasets(), st.sampled_from(LANGUAGES))
def test_any_dataset_reads_back_exactly(tmp_path_factory, data, language):
    path = tmp_path_factory.mktemp("book") / "a.xlsx"
    write_workbook(data, path, language=language)
    if data.projects.empty and data.places.empty:
        with pytest.raises(InputError, match="no-tables"):
            read_dataset(path)
    else:
        same(data, read_dataset(path))


def test_scenario_sheets_left_empty_count_as_none(tmp_path):
    write_template(tmp_path / "mau.xlsx")
    with pytest.raises(InputError) as refused:
        read_scenario(tmp_path / "mau.xlsx")
    assert [fault.code for fault in refused.value.faults] == ["no-scenario-sheets"]
