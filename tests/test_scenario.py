"""Scenarios: scalars as text, what extends what, every fault at once, YAML and sheets alike."""

from __future__ import annotations

import ast
import random
import tempfile
import unicodedata
from decimal import Decimal
from pathlib import Path

import openpyxl
import pytest
import xlsxwriter
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

import kc_model.scenario
from kc_model.errors import InputError
from kc_model.scenario import TIERS, Budget, Goal, Rule, Scenario, read_scenario, scenario_yaml
from kc_model.tables import Note

ROOT = Path(__file__).parent.parent
HEAD = "name: thử\nyear: 2024\n"
BUDGET = "budget: [{source: KCQG, amount: 100}]\n"


@pytest.fixture
def write(tmp_path):
    """Write a text as a scenario file; name and year stand in lines 1 and 2."""

    def write(text: str, name: str = "scenario.yaml", head: str = HEAD) -> Path:
        path = tmp_path / name
        path.write_text(head + text, encoding="utf-8")
        return path

    return write


def faults_of(path: Path) -> set[tuple[str, str]]:
    """Return code and line of everything that is wrong with a scenario."""
    with pytest.raises(InputError) as caught:
        read_scenario(path)
    for fault in caught.value.faults:
        assert fault.text("vi") != fault.text("en")
        assert fault.at.file == path.name
    return {(fault.code, fault.at.cell) for fault in caught.value.faults}


# --- The contract's own example ------------------------------------------------------------------

EXAMPLE = """
name: north-2024
year: 2024
budget:
  - {source: KCQG, amount: 17800}
  - {source: KCDP, place: "19", amount: 3200}
spend: all
rules:
  - id: tech-share
    text: Chuyển giao công nghệ chiếm ít nhất 57,4 %
    where: {area: TECH}
    of: all
    min: 0.574
    tier: directive
    basis: Kế hoạch 2024
  - {id: floor, each: place, min: 500}
  - {id: tech-everywhere, each: place, where: {area: TECH}, of: {place: same}, min: 0.3}
  - {id: no-giant, each: place, where: {source: KCQG}, of: {source: KCQG}, max: 0.1}
  - {id: steady, each: [place, area], per: baseline, min: 0.7, max: 1.3,
     tier: preference, weight: 2}
  - {id: models, where: {area: TECH}, count: outputs, min: 13}
goals:
  - {maximise: disbursed, give: 0.01}
  - {maximise: evenness, per: population}
  - {minimise: change}
round_to: 1
"""


def test_the_contracts_example_is_read_as_it_is_meant(write):
    scenario = read_scenario(write(EXAMPLE, head=""))
    assert (scenario.name, scenario.year, scenario.spend) == ("north-2024", 2024, "all")
    assert scenario.round_to == 1
    assert [(row.amount, dict(row.where)) for row in scenario.budget] == [
        (17800, {"source": ("KCQG",)}),
        (3200, {"place": ("19",), "source": ("KCDP",)}),
    ]
    share, floor, everywhere, giant, steady, models = scenario.rules
    assert (share.min, share.max, share.of, share.tier) == (Decimal("0.574"), None, {}, "directive")
    assert share.text == "Chuyển giao công nghệ chiếm ít nhất 57,4 %"
    assert share.basis == "Kế hoạch 2024"
    assert (floor.each, floor.of, floor.tier, floor.weight) == (("place",), None, "law", 1)
    assert everywhere.of == {"place": ("same",)}
    assert giant.of == giant.where == {"source": ("KCQG",)}
    assert (steady.each, steady.per, steady.weight) == (("place", "area"), "baseline", 2)
    assert models.count == "outputs"
    assert [(goal.name, goal.per, goal.give) for goal in scenario.goals] == [
        ("maximise disbursed", "", Decimal("0.01")),
        ("maximise evenness", "population", 0),
        ("minimise change", "", 0),
    ]


@pytest.mark.parametrize("word", ["01", "yes", "no", "NA", "null", "~", "1e5", "2024-01-01"])
def test_a_word_stays_the_text_it_is(write, word):
    rule = f"- {{id: {word}, where: {{ward: {word}}}, each: ward, min: 1, text: {word}}}"
    scenario = read_scenario(write(f"{BUDGET}rules:\n  {rule}\n"))
    (found,) = scenario.rules
    assert (found.id, found.text, found.where) == (word, word, {"ward": (word,)})


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("17800", Decimal(17800)),
        ("0.30", Decimal("0.3")),
        ("+5", Decimal(5)),
        ("'7'", Decimal(7)),
        ("98765432109876543.21", Decimal("98765432109876543.21")),
    ],
)
def test_a_number_is_exact(write, text, number):
    scenario = read_scenario(write(f"budget: [{{source: KCQG, amount: {text}}}]\n"))
    assert scenario.budget[0].amount == number


@pytest.mark.parametrize(
    "text",
    [
        "'34,7'",
        "'1.234,5'",
        "'1 000'",
        "1_000",
        "nan",
        ".inf",
        "-.inf",
        "'１２'",
        "34,7 tỷ",
        "0x10",
    ],
)
def test_what_is_no_plain_number_is_refused(write, text):
    path = write(f"budget:\n  - source: KCQG\n    amount: {text}\n")
    assert faults_of(path) == {("scenario-number", "line 5")}


# --- Faults --------------------------------------------------------------------------------------

FAULTS = {
    "no name": ("", "year: 2024\n" + BUDGET, {("missing-key", "")}),
    "name left blank": ("", "name:\nyear: 2024\n" + BUDGET, {("missing-key", "line 1")}),
    "year left blank": ("", "name: a\nyear:\n" + BUDGET, {("missing-key", "line 2")}),
    "no budget": (HEAD, "", {("missing-key", "")}),
    "empty budget": (HEAD, "budget: []\n", {("missing-key", "line 3")}),
    "budget without amount": (HEAD, "budget: [{source: KCQG}]", {("missing-key", "line 3")}),
    "amount left blank": (
        HEAD,
        "budget:\n  - {source: KCQG, amount: 5}\n  - {source: KCDP, amount: }\n",
        {("missing-key", "line 5")},
    ),
    "budget is no list": (HEAD, "budget: {source: KCQG}", {("not-a-list", "line 3")}),
    "budget row is no mapping": (
        HEAD,
        "budget: [5]",
        {("not-a-mapping", "line 3"), ("missing-key", "line 3")},
    ),
    "negative budget": (
        HEAD,
        "budget: [{source: KCQG, amount: -5}]",
        {("scenario-negative", "line 3")},
    ),
    "year in words": (
        "",
        "name: a\nyear: năm nay\n" + BUDGET,
        {("scenario-number", "line 2")},
    ),
    "half a year": ("", "name: a\nyear: 2024.5\n" + BUDGET, {("bad-scenario-year", "line 2")}),
    "year of two digits": ("", "name: a\nyear: 24\n" + BUDGET, {("bad-scenario-year", "line 2")}),
    "unknown key": (HEAD, BUDGET + "spent: all", {("unknown-key", "line 4")}),
    "YAML's merge key": (HEAD, BUDGET + "<<: {spend: all}", {("unknown-key", "line 4")}),
    "repeated key": (HEAD, BUDGET + "spend: all\nspend: all", {("repeated-key", "line 5")}),
    "spend": (HEAD, BUDGET + "spend: some", {("not-one-of", "line 4")}),
    "grid of nothing": (HEAD, BUDGET + "round_to: 0", {("not-positive", "line 4")}),
    "a month there is not": (HEAD, BUDGET + "as_of: 13", {("bad-as-of", "line 4")}),
    "a list for a word": (HEAD, BUDGET + "spend: [all]", {("not-a-text", "line 4")}),
    "unknown rule key": (
        HEAD,
        BUDGET + "rules: [{id: a, min: 1, tire: law}]",
        {("unknown-key", "line 4")},
    ),
    "a text cut off at its comma": (
        HEAD,
        BUDGET + "rules: [{id: a, min: 1, text: ít nhất 55,5 triệu}]",
        {("unquoted-comma", "line 4")},
    ),
    "rule without id": (HEAD, BUDGET + "rules: [{min: 1}]", {("bad-rule-id", "line 4")}),
    "rule that takes a budget's name": (
        HEAD,
        BUDGET + 'rules: [{id: "budget:1", min: 1}]',
        {("bad-rule-id", "line 4")},
    ),
    "rule twice": (
        HEAD,
        BUDGET + "rules:\n  - {id: a, min: 1}\n  - {id: a, min: 2}",
        {("repeated-rule", "line 6")},
    ),
    "rule without bound": (HEAD, BUDGET + "rules: [{id: a}]", {("no-bound", "line 4")}),
    "rule with blank bound": (
        HEAD,
        BUDGET + "rules: [{id: a, min: }]",
        {("no-bound", "line 4")},
    ),
    "negative bound": (
        HEAD,
        BUDGET + "rules: [{id: a, min: -1}]",
        {("scenario-negative", "line 4")},
    ),
    "bounds crossed": (
        HEAD,
        BUDGET + "rules: [{id: a, min: 2, max: 1}]",
        {("rule-min-above-max", "line 4")},
    ),
    "weight of nothing": (
        HEAD,
        BUDGET + "rules: [{id: a, min: 1, weight: 0}]",
        {("not-positive", "line 4")},
    ),
    "unknown tier": (
        HEAD,
        BUDGET + "rules: [{id: a, min: 1, tier: decree}]",
        {("not-one-of", "line 4")},
    ),
    "unknown count": (
        HEAD,
        BUDGET + "rules: [{id: a, min: 1, count: jobs}]",
        {("not-one-of", "line 4")},
    ),
    "of is a word": (
        HEAD,
        BUDGET + "rules: [{id: a, min: 1, of: most}]",
        {("not-one-of", "line 4")},
    ),
    "of and per": (
        HEAD,
        BUDGET + "rules: [{id: a, min: 1, of: all, per: baseline}]",
        {("of-and-per", "line 4")},
    ),
    "same without each": (
        HEAD,
        BUDGET + "rules: [{id: a, min: 1, of: {place: same}}]",
        {("same-without-each", "line 4")},
    ),
    "list of nothing": (
        HEAD,
        BUDGET + "rules: [{id: a, min: 1, where: {area: []}}]",
        {("empty-list", "line 4")},
    ),
    "where is a word": (
        HEAD,
        BUDGET + "rules: [{id: a, min: 1, where: TECH}]",
        {("not-a-mapping", "line 4")},
    ),
    "drop in other words": (
        HEAD,
        BUDGET + "rules: [{id: a, drop: maybe, min: 1}]",
        {("not-one-of", "line 4")},
    ),
    "goal both ways": (
        HEAD,
        BUDGET + "goals: [{maximise: money, minimise: change}]",
        {("goal-sense", "line 4")},
    ),
    "goal without sense": (HEAD, BUDGET + "goals: [{give: 0.1}]", {("goal-sense", "line 4")}),
    "unknown goal": (HEAD, BUDGET + "goals: [{maximise: votes}]", {("not-one-of", "line 4")}),
    "goal of the other sense": (
        HEAD,
        BUDGET + "goals: [{maximise: change}]",
        {("not-one-of", "line 4")},
    ),
    "a column is not minimised": (
        HEAD,
        BUDGET + "goals: [{minimise: {column: a}}]",
        {("not-one-of", "line 4")},
    ),
    "goal's column misspelt": (
        HEAD,
        BUDGET + "goals: [{maximise: {colum: a}}]",
        {("unknown-key", "line 4")},
    ),
    "evenness of nothing": (
        HEAD,
        BUDGET + "goals: [{maximise: evenness}]",
        {("evenness-per", "line 4")},
    ),
    "per without evenness": (
        HEAD,
        BUDGET + "goals: [{maximise: money, per: population}]",
        {("evenness-per", "line 4")},
    ),
    "level": (HEAD, BUDGET + "goals: [{minimise: risk, level: 1}]", {("outside-0-1", "line 4")}),
    "give": (HEAD, BUDGET + "goals: [{minimise: change, give: -1}]", {("outside-0-1", "line 4")}),
    "unknown note key": (HEAD, BUDGET + "notes: [{texte: a}]", {("unknown-key", "line 4")}),
    "python object": (
        HEAD,
        BUDGET + 'spend: !!python/object/apply:os.system ["true"]',
        {("yaml-tag", "line 4")},
    ),
    "own tag": (HEAD, BUDGET + "spend: !all x", {("yaml-tag", "line 4")}),
    "broken YAML": (HEAD, BUDGET + "spend: all: yes", {("broken-yaml", "line 4")}),
    "tab for indentation": (HEAD, "budget:\n\t- {amount: 1}", {("broken-yaml", "line 4")}),
    "two documents": (HEAD, BUDGET + "---\nname: b", {("broken-yaml", "line 4")}),
    "not a mapping": ("", "- a\n- b\n", {("not-a-mapping", "")}),
}


@pytest.mark.parametrize("case", FAULTS)
def test_fault_is_named_at_its_line(write, case):
    head, text, expected = FAULTS[case]
    assert faults_of(write(text, head=head)) == expected


def test_every_fault_of_a_scenarios_files_is_tried():
    folder = Path(kc_model.scenario.__file__).parent
    raised = {
        node.args[0].value
        for file in folder.glob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "Fault"
    }
    tried = {code for _, _, expected in FAULTS.values() for code, _ in expected}
    tried |= {code for _, expected in BAD_SHEETS.values() for code, _, _ in expected}
    elsewhere = {
        *("scenario-missing", "scenario-not-utf8", "scenario-too-large", "no-scenario-sheets"),
        *("extends-circle", "extends-outside"),
        *("nothing-to-drop", "share-above-one", "read-with-point"),
    }
    assert raised <= tried | elsewhere


def test_all_faults_are_told_at_once(write):
    text = """\
spent: all
budget:
  - {source: KCQG, amount: "17.800,0"}
  - {source: KCDP}
rules:
  - {id: a, mim: 3}
  - {id: a, min: 2, max: 1, tier: decree}
goals: [{maximise: votes}, {per: population}]
round_to: -1
"""
    assert faults_of(write(text)) == {
        ("unknown-key", "line 3"),
        ("scenario-number", "line 5"),
        ("missing-key", "line 6"),
        ("unknown-key", "line 8"),
        ("repeated-rule", "line 9"),
        ("rule-min-above-max", "line 9"),
        ("not-one-of", "line 9"),
        ("not-one-of", "line 10"),
        ("goal-sense", "line 10"),
        ("not-positive", "line 11"),
    }


def test_the_nearest_key_is_offered(write):
    with pytest.raises(InputError) as caught:
        read_scenario(write(BUDGET + "rules: [{id: a, min: 1, teir: law}]"))
    (fault,) = caught.value.faults
    assert (fault.values["key"], fault.values["near"]) == ("teir", "tier")
    assert "tier" in fault.remedy("vi")


@pytest.mark.parametrize(
    "text",
    ["budget: &a [*a]", "budget: " + "[" * 3000, "a: &a [x]\nb: &b [*a, *a]\nc: &c [*b, *b]\n"],
    ids=["holds itself", "too deep", "unknown keys by reference"],
)
def test_a_file_cannot_trap_its_reader(write, text):
    with pytest.raises(InputError):
        read_scenario(write(text))


def test_references_cannot_blow_a_file_up(write):
    levels = [f"k{i}: &k{i} [{', '.join([f'*k{i - 1}'] * 9)}]" for i in range(1, 9)]
    found = faults_of(write("\n".join(["k0: &k0 [a]", *levels])))
    assert {code for code, _ in found} in ({"scenario-too-large"}, {"broken-yaml"})


def test_a_file_that_is_not_there(tmp_path):
    assert faults_of(tmp_path / "none.yaml") in (
        {("scenario-missing", "")},
        {("missing-file", "")},
    )


def test_a_folder_is_no_scenario(tmp_path):
    with pytest.raises(InputError):
        read_scenario(tmp_path)


def test_another_encoding_is_refused(tmp_path):
    path = tmp_path / "scenario.yaml"
    path.write_bytes((HEAD + BUDGET).encode("utf-16"))
    assert {code for code, _ in faults_of(path)} in ({"scenario-not-utf8"}, {"not-utf8"})


def test_the_mark_that_windows_puts_in_front_is_no_part_of_the_text(tmp_path):
    path = tmp_path / "scenario.yaml"
    path.write_text(HEAD + BUDGET, encoding="utf-8-sig")
    assert read_scenario(path).name == "thử"


# --- extends -------------------------------------------------------------------------------------

BASE = """\
budget: [{source: KCQG, amount: 100}, {source: KCDP, place: "01", amount: 7}]
spend: at_most
round_to: 5
rules:
  - {id: a, min: 1, where: {area: TECH}, basis: Luật}
  - {id: b, min: 2}
  - {id: c, min: 3}
goals: [{maximise: money}, {minimise: change}]
"""


def test_keys_replace_whole_and_rules_by_id(write):
    write(BASE, "base.yaml", head="name: gốc\nyear: 2023\n")
    child = write(
        "extends: base.yaml\n"
        "budget: [{source: KCQG, amount: 50}]\n"
        "rules: [{id: d, min: 4}, {id: b, max: 9}, {id: a, drop: true}]\n"
        "goals: [{minimise: change}]\n"
    )
    scenario = read_scenario(child)
    assert (scenario.name, scenario.year) == ("thử", 2024)
    assert (scenario.spend, scenario.round_to) == ("at_most", 5)
    assert [row.amount for row in scenario.budget] == [50]
    assert [goal.name for goal in scenario.goals] == ["minimise change"]
    # `b` is replaced where it stood, whole: nothing of the old rule is left.
    assert [(rule.id, rule.min, rule.max) for rule in scenario.rules] == [
        ("b", None, 9),
        ("c", 3, None),
        ("d", 4, None),
    ]


def test_a_chain_is_read_from_its_end(write):
    write(BASE, "one.yaml", head="name: một\nyear: 2022\n")
    write("extends: one.yaml\nround_to: 10\nrules: [{id: c, drop: true}]", "two.yaml", head="")
    scenario = read_scenario(write("extends: two.yaml\n"))
    assert (scenario.name, scenario.year, scenario.round_to) == ("thử", 2024, 10)
    assert [rule.id for rule in scenario.rules] == ["a", "b"]


def test_a_rule_may_come_back(write):
    write(BASE, "one.yaml", head="name: một\nyear: 2022\n")
    write("extends: one.yaml\nrules: [{id: a, drop: true}]", "two.yaml", head="")
    scenario = read_scenario(write("extends: two.yaml\nrules: [{id: a, max: 1}]\n"))
    assert [(rule.id, rule.max) for rule in scenario.rules][-1] == ("a", 1)


def test_faults_of_every_layer_are_told_at_once(write):
    write(BUDGET + "rules: [{id: a}]", "base.yaml")
    with pytest.raises(InputError) as caught:
        read_scenario(write("extends: base.yaml\nspent: all\n"))
    assert {(f.code, f.at.file) for f in caught.value.faults} == {
        ("no-bound", "base.yaml"),
        ("unknown-key", "scenario.yaml"),
    }


def test_a_circle_is_refused(write):
    write("extends: scenario.yaml\n", "base.yaml")
    with pytest.raises(InputError) as caught:
        read_scenario(write("extends: base.yaml\n"))
    assert [fault.code for fault in caught.value.faults] == ["extends-circle"]


@pytest.mark.parametrize("base", ["../base.yaml", "sub/base.yaml", "..", "{tmp}/base.yaml"])
def test_only_the_scenarios_own_folder_is_read(write, tmp_path, base):
    write(BASE, "base.yaml")
    path = write(f"extends: {base.format(tmp=tmp_path)}\n{BUDGET}")
    assert {code for code, _ in faults_of(path)} == {"extends-outside"}


def test_dropping_what_is_not_there_is_told_but_harmless(write):
    # The scenario holds no warnings: a rule that is not there to drop must not pass unheard.
    scenario = read_scenario(write(BUDGET + "rules: [{id: gone, drop: true}]"))
    assert scenario.rules == ()
    assert [w.code for w in getattr(scenario, "warnings", ())] == ["nothing-to-drop"]


def test_a_percent_typed_as_a_number_is_warned_of(write):
    scenario = read_scenario(
        write(
            BUDGET + "rules: [{id: a, where: {area: TECH}, of: all, min: 60},"
            " {id: b, per: baseline, max: 1.3}]\n"
            "goals: [{maximise: disbursed, give: 5}, {minimise: change, give: 1}]\n"
        )
    )
    told = [(w.code, w.values["key"], w.values["part"]) for w in scenario.warnings]
    assert told == [
        ("share-above-one", "min", Decimal("0.6")),
        ("share-above-one", "give", Decimal("0.05")),
    ]
    assert "0.6" in scenario.warnings[0].remedy("en")


# --- The hash ------------------------------------------------------------------------------------


def shuffled(value: object, dice: random.Random) -> object:
    """Return the same content with the keys of every mapping in another order."""
    if isinstance(value, dict):
        keys = list(value)
        dice.shuffle(keys)
        return {key: shuffled(value[key], dice) for key in keys}
    return [shuffled(part, dice) for part in value] if isinstance(value, list) else value


@settings(max_examples=10)
@given(st.randoms(use_true_random=False))
def test_the_hash_is_of_what_is_said_not_of_how(tmp_path_factory, dice):
    folder = tmp_path_factory.mktemp("hash")
    tree = yaml.load(EXAMPLE, Loader=yaml.BaseLoader)
    texts = [EXAMPLE, yaml.safe_dump(shuffled(tree, dice), allow_unicode=True, sort_keys=False)]
    found = []
    for number, text in enumerate(texts):
        path = folder / f"{number}.yaml"
        path.write_text(text, encoding="utf-8")
        found.append(read_scenario(path))
    assert found[0] == found[1]
    assert found[0].hash == found[1].hash


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("amount: 17800", "amount: 17800.01"),
        ("year: 2024", "year: 2025"),
        ("min: 0.574", "min: 0.575"),
        ("tier: directive", "tier: law"),
        ("basis: Kế hoạch 2024", "basis: Kế hoạch 2025"),
        ("{area: TECH}\n    of", "{area: PROD}\n    of"),
        ("give: 0.01", "give: 0.02"),
        ("per: population", "per: poor"),
        ("round_to: 1", "round_to: 2"),
        ("round_to: 1", "round_to: 1\nas_of: 6"),
        ("spend: all", "spend: at_most"),
        ("of: {place: same}", "of: all"),
    ],
)
def test_whatever_changes_the_plan_changes_the_hash(write, old, new):
    assert old in EXAMPLE
    before = read_scenario(write(EXAMPLE, head=""))
    assert read_scenario(write(EXAMPLE.replace(old, new), head="")).hash != before.hash


def test_how_a_number_is_written_does_not_matter(write):
    one = read_scenario(write("budget: [{source: KCQG, amount: 100}]\nround_to: 0.50"))
    two = read_scenario(write("round_to: '0.5'\nbudget:\n- amount: 100.000\n  source: KCQG\n"))
    assert one.hash == two.hash


def test_one_rule_changed_on_a_slider(write):
    scenario = read_scenario(write(EXAMPLE, head=""))
    moved = scenario.with_rule("tech-share", min=Decimal("0.6"))
    assert {rule.id: rule.min for rule in moved.rules}["tech-share"] == Decimal("0.6")
    assert [rule.id for rule in moved.rules] == [rule.id for rule in scenario.rules]
    assert scenario.rules[0].min == Decimal("0.574")
    with pytest.raises(KeyError):
        scenario.with_rule("tech", min=1)


# --- Sheets of a workbook ------------------------------------------------------------------------

IN_WORDS: dict[str, list[list[object]]] = {
    "Phương án": [
        ["Tên phương án", "north-2024"],
        ["Năm", 2024],
        ["Cách dùng ngân sách", "Dùng hết"],
        ["Làm tròn đến", 1],
    ],
    "Ngân sách": [
        ["Nguồn kinh phí", "Địa bàn", "Số tiền"],
        ["KCQG", None, 17800],
        ["KCDP", "19", 3200],
    ],
    "Ràng buộc": [
        [
            *("Mã ràng buộc", "Diễn giải", "Áp dụng cho", "Với mỗi", "Tính trên", "Nhân với cột"),
            *("Đại lượng đếm", "Tối thiểu", "Tối đa", "Mức độ bắt buộc", "Trọng số", "Căn cứ"),
        ],
        [
            *("tech-share", "Chuyển giao công nghệ chiếm ít nhất 57,4 %", "area=TECH", None, "all"),
            *(None, None, 0.574, None, "Theo chỉ đạo", None, "Kế hoạch 2024"),
        ],
        ["floor", None, None, "place", None, None, None, 500],
        ["tech-everywhere", None, "area=TECH", "place", "place=same", None, None, 0.3],
        ["no-giant", None, "source=KCQG", "place", "source=KCQG", None, None, None, 0.1],
        ["steady", None, None, "place; area", None, "baseline", None, 0.7, 1.3, "Ưu tiên", 2],
        ["models", None, "area=TECH", None, None, None, "Khối lượng", 13],
    ],
    "Mục tiêu": [
        ["Hướng", "Đại lượng", "Tính theo cột", "Được phép giảm"],
        ["Càng nhiều càng tốt", "Giải ngân dự kiến", None, 0.01],
        ["Càng nhiều càng tốt", "Đồng đều giữa các địa bàn", "population"],
        ["Càng ít càng tốt", "Thay đổi so với mức cơ sở"],
    ],
}

IN_ASCII: dict[str, list[list[object]]] = {
    "scenario": [["name", "north-2024"], ["year", "2024"], ["spend", "all"], ["round_to", "1"]],
    "budget": [
        ["amount", "source", "place"],
        ["17800", "KCQG"],
        ["3.200", "KCDP", "19"],
    ],
    "rules": [
        [
            *("id", "text", "where", "each", "of", "per"),
            *("count", "min", "max", "tier", "weight", "basis"),
        ],
        [
            *("tech-share", "Chuyển giao công nghệ chiếm ít nhất 57,4 %", "area=TECH", None, "all"),
            *(None, None, "0,574", None, "directive", None, "Kế hoạch 2024"),
        ],
        ["floor", None, None, "place", None, None, None, 500],
        ["tech-everywhere", None, "area=TECH", "place", "place=same", None, None, 0.3],
        ["no-giant", None, "source=KCQG", "place", "source=KCQG", None, None, None, 0.1],
        ["steady", None, None, "place, area", None, "baseline", None, 0.7, 1.3, "preference", 2],
        ["models", None, "area=TECH", None, None, None, "outputs", 13],
    ],
    "goals": [
        ["sense", "what", "per", "give"],
        ["maximise", "disbursed", None, 0.01],
        ["maximise", "evenness", "population"],
        ["minimise", "change"],
    ],
}


def by_openpyxl(path: Path, sheets: dict[str, list[list[object]]]) -> Path:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for title, rows in sheets.items():
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(row)
    book.save(path)
    return path


def by_xlsxwriter(path: Path, sheets: dict[str, list[list[object]]]) -> Path:
    with xlsxwriter.Workbook(path) as book:
        for title, rows in sheets.items():
            sheet = book.add_worksheet(title)
            for number, row in enumerate(rows):
                sheet.write_row(number, 0, row)
    return path


@pytest.mark.parametrize("writer", [by_openpyxl, by_xlsxwriter])
@pytest.mark.parametrize("sheets", [IN_WORDS, IN_ASCII], ids=["Vietnamese", "ASCII"])
def test_sheets_and_yaml_say_the_same(write, tmp_path, writer, sheets):
    if sheets is IN_ASCII:
        sheets = {**sheets, "budget": [*sheets["budget"][:2], ["3200", "KCDP", "19"]]}
    written = read_scenario(writer(tmp_path / "book.xlsx", sheets))
    typed = read_scenario(write(EXAMPLE, head=""))
    assert written == typed
    assert written.hash == typed.hash


def test_selections_of_sheets(write, tmp_path):
    sheets = {
        **IN_ASCII,
        "budget": [
            ["source", "region", "year", "pooled", "where", "amount"],
            ["KCQG|KCDP", "R-N", 2024, "Có", "difficult=yes; area=TECH|PROD", 5],
        ],
        "rules": [
            ["id", "count", "where", "drop", "max"],
            ["leverage", "column: counterpart", "activity=", None, 3],
            ["gone", None, None, "Có", None],
        ],
        "goals": [["sense", "what", "where"], ["maximise", "column:jobs", "place=01|02"]],
    }
    text = """\
budget:
  - source: [KCQG, KCDP]
    region: R-N
    year: 2024
    pooled: yes
    where: {difficult: yes, area: [TECH, PROD]}
    amount: 5
spend: all
round_to: 1
rules:
  - {id: leverage, count: {column: counterpart}, where: {activity: ""}, max: 3}
goals:
  - {maximise: {column: jobs}, where: {place: ["01", "02"]}}
"""
    written = read_scenario(by_openpyxl(tmp_path / "book.xlsx", sheets))
    assert written == read_scenario(write(text, head="name: north-2024\nyear: 2024\n"))


def test_a_workbook_may_extend_a_file(write, tmp_path):
    write(BASE, "base.yaml")
    sheets = {
        "scenario": [["name", "con"], ["extends", "base.yaml"]],
        "budget": [["source", "amount"], ["KCQG", 60]],
    }
    scenario = read_scenario(by_openpyxl(tmp_path / "book.xlsx", sheets))
    assert (scenario.name, scenario.year, scenario.spend) == ("con", 2024, "at_most")
    assert [rule.id for rule in scenario.rules] == ["a", "b", "c"]


def test_a_number_with_a_decimal_point_in_a_cell_of_text_is_told(tmp_path):
    sheets = {
        "scenario": [["name", "a"], ["year", 2024]],
        "budget": [["source", "amount"], ["KCQG", "1,234.5"], ["KCDP", "2.500,5"], ["ALL", 7.5]],
    }
    read = read_scenario(by_openpyxl(tmp_path / "book.xlsx", sheets))
    assert [row.amount for row in read.budget] == [
        Decimal("1234.5"),
        Decimal("2500.5"),
        Decimal("7.5"),
    ]
    (fault,) = read.warnings
    assert (fault.code, fault.at.cell) == ("read-with-point", "B2")
    assert "“1,234.5” được đọc là 1.234,5" in fault.found("vi")


BAD_SHEETS = {
    "a number that may be two": (
        {"budget": [["source", "amount"], ["KCQG", "34.700"]]},
        {("scenario-number", "budget", "B2")},
    ),
    "no number": (
        {"budget": [["source", "amount"], ["KCQG", "nhiều"]]},
        {("scenario-number", "budget", "B2")},
    ),
    "a heading that nobody knows": (
        {"budget": [["source", "amount", "amont"], ["KCQG", 5, 6]]},
        {("unknown-column", "budget", "C1")},
    ),
    "a tier that nobody knows": (
        {"rules": [["id", "min", "tier"], ["a", 1, "nghị định"]]},
        {("not-one-of", "rules", "C2")},
    ),
    "a rule twice": (
        {"rules": [["id", "min"], ["a", 1], ["a", 2]]},
        {("repeated-rule", "rules", "A3")},
    ),
    "a goal without sense": (
        {"goals": [["sense", "what"], [None, "change"]]},
        {("goal-sense", "goals", "B2")},
    ),
    "an unknown entry": (
        {"scenario": [["name", "a"], ["year", 2024], ["spent", "all"]]},
        {("unknown-key", "scenario", "B3")},
    ),
    "an entry twice": (
        {"scenario": [["name", "a"], ["year", 2024], ["name", "b"]]},
        {("repeated-key", "scenario", "B3")},
    ),
    "a selection without a value": (
        {"rules": [["id", "min", "where"], ["a", 1, "area TECH"]]},
        {("bad-selection", "rules", "C2")},
    ),
    "a key twice in a selection": (
        {"rules": [["id", "min", "where"], ["a", 1, "area=TECH; area=PROD"]]},
        {("repeated-key", "rules", "C2")},
    ),
}


@pytest.mark.parametrize("case", BAD_SHEETS)
def test_fault_of_a_sheet_is_named_at_its_cell(tmp_path, case):
    sheets, expected = BAD_SHEETS[case]
    least = {
        "scenario": [["name", "a"], ["year", 2024]],
        "budget": [["source", "amount"], ["KCQG", 5]],
    }
    path = by_openpyxl(tmp_path / "book.xlsx", {**least, **sheets})
    with pytest.raises(InputError) as caught:
        read_scenario(path)
    assert {(f.code, f.at.sheet, f.at.cell) for f in caught.value.faults} == expected


def test_what_a_workbook_lacks_is_told_by_its_own_words_at_its_cell(tmp_path):
    sheets = {
        "Ngân sách": [["Nguồn kinh phí", "Số tiền"], ["KCQG", 10]],
        "Phương án": [["Tên phương án", None], ["Năm", None], ["Làm tròn đến", None]],
    }
    with pytest.raises(InputError) as caught:
        read_scenario(by_openpyxl(tmp_path / "book.xlsx", sheets))
    assert [(f.at.sheet, f.at.cell, f.found("vi")) for f in caught.value.faults] == [
        ("Phương án", "B1", "Thiếu “Tên phương án”."),
        ("Phương án", "B2", "Thiếu “Năm”."),
    ]


def test_a_workbook_without_a_scenario(tmp_path):
    path = by_openpyxl(tmp_path / "book.xlsx", {"cells": [["place", "area", "source"]]})
    assert faults_of(path) == {("no-scenario-sheets", "")}


def test_a_scenario_is_frozen(write):
    scenario = read_scenario(write(EXAMPLE, head=""))
    assert isinstance(scenario, Scenario)
    with pytest.raises(AttributeError):
        scenario.year = 2025


# --- Written out again ---------------------------------------------------------------------------

written = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Co", "Cn", "Zl", "Zp"]),
    max_size=30,
).map(lambda text: unicodedata.normalize("NFC", " ".join(text.split())))
codes = st.text("abcdefgxyzABC01", min_size=1, max_size=6)
amounts = st.decimals(0, 10**9, places=6)
wheres = st.dictionaries(
    st.sampled_from(["source", "place", "area", "region", "upland"]),
    st.lists(codes, min_size=1, max_size=3).map(tuple),
    max_size=3,
).map(lambda where: dict(sorted(where.items())))


@st.composite
def any_rule(draw, rule_id):
    each = draw(st.lists(codes, max_size=2, unique=True).map(tuple))
    low, high = sorted([draw(amounts), draw(amounts)])
    sides = draw(st.sampled_from([(low, high), (low, None), (None, high)]))
    of = draw(st.one_of(st.none(), wheres))
    per = draw(st.sampled_from(["", "baseline", "previous_year"])) if of is None else ""
    return Rule(
        id=rule_id,
        min=sides[0],
        max=sides[1],
        where=draw(wheres),
        each=each,
        of=of,
        per=per,
        count=draw(st.sampled_from(["", "outputs", "projects", "column:jobs"])),
        tier=draw(st.sampled_from(TIERS)),
        weight=draw(st.decimals("0.01", 100, places=2)),
        text=draw(written),
        basis=draw(written),
    )


@st.composite
def any_scenario(draw):
    ids = draw(st.lists(codes, max_size=3, unique=True))
    budget = st.builds(Budget, amounts, wheres, st.booleans(), written, written)
    goal = st.one_of(
        st.builds(
            Goal,
            st.just("maximise"),
            st.sampled_from(["money", "disbursed", "outputs", "column:jobs"]),
            wheres,
            st.just(""),
            st.decimals(0, "0.99", places=2),
            st.decimals(0, 1, places=3),
        ),
        st.builds(Goal, st.just("maximise"), st.just("evenness"), wheres, st.just("population")),
        st.builds(Goal, st.just("minimise"), st.just("change"), wheres),
    )
    note = st.builds(Note, st.just("assumed"), written, written)
    return Scenario(
        name=draw(written.filter(bool)),
        year=draw(st.integers(1990, 2100)),
        budget=tuple(draw(st.lists(budget, min_size=1, max_size=3))),
        rules=tuple(draw(any_rule(one)) for one in ids),
        goals=tuple(draw(st.lists(goal, max_size=3))),
        spend=draw(st.sampled_from(["", "all", "at_most"])),
        round_to=draw(st.one_of(st.none(), st.decimals("0.001", 1000, places=3))),
        as_of=draw(st.one_of(st.none(), st.integers(0, 12))),
        projects=draw(st.sampled_from(["", "choose", "ignore"])),
        notes=tuple(draw(st.lists(note, max_size=2))),
    )


@settings(max_examples=150)
@given(any_scenario())
def test_a_scenario_written_out_reads_back_equal(original):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "phương án.yaml")
        path.write_text(scenario_yaml(original), encoding="utf-8")
        assert ": !!" not in path.read_text(encoding="utf-8")
        again = read_scenario(path)
    assert again == original
    assert again.hash == original.hash


@pytest.mark.parametrize(
    "file", sorted(ROOT.glob("data/**/base.yaml")), ids=lambda f: f.parent.name
)
def test_the_shipped_scenarios_written_out_read_back_equal(file, tmp_path):
    original = read_scenario(file)
    (tmp_path / "x.yaml").write_text(scenario_yaml(original), encoding="utf-8")
    assert read_scenario(tmp_path / "x.yaml") == original
