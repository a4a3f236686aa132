"""Printed numbers against what their parts give: reported, never repaired."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kc_model.errors import Address
from kc_model.evidence import RELATIONS, check_evidence
from kc_model.tables import SCHEMAS, empty_table

COLUMNS = [column.name for column in SCHEMAS["evidence"].columns]


def evidence(*rows: tuple[str, float | None, str, str, str, str]) -> pd.DataFrame:
    """Return a table of (id, value, unit, standing, relation, terms)."""
    frame = pd.DataFrame(
        [dict.fromkeys(COLUMNS, "") | dict(zip(KEYS, row, strict=True)) for row in rows],
        columns=COLUMNS,
    )
    return frame.assign(value=frame["value"].astype("float64"))


KEYS = ("id", "value", "unit", "standing", "relation", "terms")


def part(name: str, value: float | None, unit: str = "tỷ đồng", standing: str = "real"):
    return (name, value, unit, standing, "", "")


# S1: 170.8 against 186.5 is −8.42 %, printed 8.5: rounding of the parts reaches −8.47.
# S3: over 70 tỷ in 17 years is 4.12, printed 4.3: a count is exact, so nothing explains it.
# S4: 140 + 189 = 329, and 42.55 % of it: consistent.
CASES = {
    "the plan of the north fell by 8.42, not 8.5 %": (
        [part("a", 170.8), part("b", 186.5), ("c", -8.5, "%", "real", "change_pct", "a;b")],
        ["evidence-rounding"],
    ),
    "Nghệ An's average is not 70 over 17": (
        [
            part("a", 70),
            part("n", 17, "năm", "derived"),
            ("c", 4.3, "tỷ đồng", "real", "quotient", "a;n"),
        ],
        ["evidence-inconsistent"],
    ),
    "19 % of persons but 5 % of money": (
        [part("a", 5, "%"), ("b", 19, "%", "real", "equal", "a")],
        ["evidence-inconsistent"],
    ),
    "the national plan adds up": (
        [part("a", 140), part("b", 189), ("c", 329, "tỷ đồng", "real", "sum", "a;b")],
        [],
    ),
    "a share within half of its last decimal": (
        [part("a", 140), part("b", 329), ("c", 42.55, "%", "real", "ratio_pct", "a;b")],
        [],
    ),
    "a share one last decimal off": (
        [
            part("a", 140, standing="derived"),
            part("b", 329, standing="derived"),
            ("c", 42.57, "%", "real", "ratio_pct", "a;b"),
        ],
        ["evidence-inconsistent"],
    ),
    "units are brought together": (
        [
            part("a", 9.2),
            part("b", 30, "%"),
            ("c", 30667, "triệu đồng", "derived", "ratio_pct", "a;b"),
        ],
        [],
    ),
    "a derived number must be what its parts give": (
        [
            part("a", 9.2),
            part("b", 30, "%"),
            ("c", 30600, "triệu đồng", "derived", "ratio_pct", "a;b"),
        ],
        ["evidence-miscalculated"],
    ),
    "a difference takes every later term off the first": (
        [
            part("a", 2),
            part("b", 380, "triệu đồng"),
            part("c", 510, "triệu đồng"),
            ("d", 1110, "triệu đồng", "derived", "difference", "a; b; c"),
        ],
        [],
    ),
    "a product of money and a count": (
        [part("a", 4.3), part("n", 17, "năm"), ("c", 73.1, "tỷ đồng", "real", "product", "a;n")],
        [],
    ),
    "unknown relation": ([part("a", 1), ("b", 1, "tỷ đồng", "real", "equals", "a")], "relation"),
    "unknown term": ([("b", 1, "tỷ đồng", "real", "equal", "a")], "relation"),
    "term without a value": (
        [part("a", None), ("b", 1, "tỷ đồng", "real", "equal", "a")],
        "relation",
    ),
    "number without a value": (
        [part("a", 1), ("b", None, "tỷ đồng", "real", "equal", "a")],
        "relation",
    ),
    "no terms": ([("b", 1, "tỷ đồng", "real", "sum", "")], "relation"),
    "one term too many": (
        [part("a", 1), part("b", 2), part("c", 3), ("d", 50, "%", "real", "ratio_pct", "a;b;c")],
        "relation",
    ),
    "money plus persons": (
        [part("a", 1), part("b", 2, "người"), ("c", 3, "tỷ đồng", "real", "sum", "a;b")],
        "relation",
    ),
    "a share called money": (
        [part("a", 1), part("b", 2), ("c", 50, "tỷ đồng", "real", "ratio_pct", "a;b")],
        "relation",
    ),
    "division by zero": (
        [part("a", 1), part("b", 0), ("c", 50, "%", "real", "ratio_pct", "a;b")],
        "relation",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_found(case):
    rows, codes = CASES[case]
    faults = check_evidence(evidence(*rows))
    expected = ["evidence-relation"] if codes == "relation" else codes
    assert [fault.code for fault in faults] == expected
    for fault in faults:
        is_printed = fault.code in {"evidence-inconsistent", "evidence-rounding"}
        assert fault.level == ("warning" if is_printed else "error")
        assert fault.text("vi")
        assert fault.text("en")


def test_both_numbers_the_phrase_and_the_place_are_told():
    frame = evidence(*CASES["Nghệ An's average is not 70 over 17"][0])
    frame.loc[2, "quote"] = "bình quân mỗi năm 4,3 tỷ đồng"
    frame.loc[2, "note"] = "Cận dưới."
    (fault,) = check_evidence(frame)
    assert fault.at == Address("evidence.csv", "", "K4", "value")
    vi, en = fault.found("vi"), fault.found("en")
    for told in ("4,3 tỷ đồng", "4,12", "70 tỷ đồng ÷ 17 năm", "bình quân mỗi năm"):
        assert told in vi
    assert vi.endswith("Cận dưới.")
    assert "4.3 " in en
    assert "4.12" in en


def test_the_address_is_where_the_row_was_read():
    frame = evidence(*CASES["19 % of persons but 5 % of money"][0])
    at = Address("a.xlsx", "Số liệu công bố", "B7", "Giá trị")
    (fault,) = check_evidence(frame, {("evidence", 1): at})
    assert fault.at == at


def test_a_dataset_without_evidence_has_nothing_to_report():
    assert check_evidence(empty_table("evidence")) == []


@given(
    parts=st.lists(st.integers(1, 10**6), min_size=2, max_size=6),
    digits=st.integers(0, 3),
)
def test_a_correctly_rounded_sum_is_never_reported(parts, digits):
    values = [number / 10**digits for number in parts]
    rows = [part(f"t{i}", value) for i, value in enumerate(values)]
    total = round(sum(values), digits)
    terms = ";".join(f"t{i}" for i in range(len(values)))
    assert not check_evidence(evidence(*rows, ("s", total, "tỷ đồng", "real", "sum", terms)))


@given(
    top=st.floats(1, 1e5),
    bottom=st.floats(1, 1e5),
    digits=st.integers(0, 2),
    relation=st.sampled_from(["ratio_pct", "change_pct"]),
)
def test_rounded_print_of_true_figures_is_never_inconsistent(top, bottom, digits, relation):
    # Both amounts and the percentage are printed rounded: at most rounding may be reported.
    true = RELATIONS[relation].value([top, bottom])
    shown = [round(top, digits), round(bottom, digits)]
    rows = [part("a", shown[0]), part("b", shown[1]), ("c", round(true, digits), "%")]
    rows[2] = (*rows[2], "real", relation, "a;b")
    allowed = {"evidence-rounding"}
    # A trailing zero does not survive as a number: 10.0 then counts as printed without decimals.
    assert {fault.code for fault in check_evidence(evidence(*rows))} <= allowed
