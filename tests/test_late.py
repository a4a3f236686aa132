"""Money that comes late: what is in time, what a province could pay first, what waits."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from datasets import dataset
from hypothesis import example, given, settings
from hypothesis import strategies as st

import kc_model as kc
from kc_model.results import Forecast, Provenance

HEAD = "id name place area source support score stage start end disbursed"
HISTORY = "year month place area source plan disbursed\n" + "\n".join(
    f"{year} {month} 01 {area} {source} 1000 {done}"
    for year in (2021, 2022, 2023)
    for area, source in (("TECH", "KCQG"), ("TECH", "KCDP"))
    for month, done in ((3, 50), (6, 200), (9, 500), (12, 900))
)
NOW = "\n2024 6 01 TECH KCQG 900 0\n2024 6 01 TECH KCDP 1000 100"


def late(rows: str, arrives: int, as_of: int = 6, history: str = HISTORY + NOW):
    data = dataset(projects=f"{HEAD}\n{rows}", history=history, vintage="34")
    return kc.late_money(data, 2024, as_of, arrives)


def verdicts(found) -> dict[str, str]:
    return dict(zip(found.frame["id"], found.frame["verdict"], strict=True))


@pytest.mark.parametrize(
    ("stage", "start", "end", "arrives", "verdict"),
    [
        ("assigned", "2024-03-01", "2024-06-30", 8, "finish"),  # four months: August, November
        ("assigned", "2024-03-01", "2024-06-30", 9, "prefund"),  # in time, but less than half done
        ("assigned", "2024-03-01", "2024-06-30", 10, "prefund"),
        ("assigned", "2024-03-01", "2024-08-31", 10, "prefund"),  # six from July: just in time
        ("assigned", "2024-03-01", "2024-09-30", 10, "next_year"),
        ("contracted", "2024-03-01", "2024-11-30", 8, "finish"),  # it runs already
        (
            "contracted",
            "2024-03-01",
            "2024-11-30",
            12,
            "prefund",
        ),  # but a tenth is all that is done
        ("contracted", "2024-03-01", "2025-02-28", 8, "next_year"),
        ("registered", "2024-10-01", "2024-12-31", 8, "finish"),  # not before its own start
    ],
)
def test_a_project_takes_its_months_from_when_its_money_comes(stage, start, end, arrives, verdict):
    found = late(f"A x 01 TECH KCQG 100 1 {stage} {start} {end} -", arrives)
    assert verdicts(found) == {"A": verdict}
    row = found.frame.iloc[0]
    assert row["prefund"] == (100_000_000 if verdict == "prefund" else 0)
    is_over = stage == "assigned" and end < "2024-07-01"
    moved = "agency" if is_over else ""  # its dates have to be moved within the year
    assert row["who_decides"] == (moved if verdict == "finish" else "minister")
    assert row["over"] == is_over
    assert ("hết hạn" in " ".join(found.sentences())) == is_over
    assert (row["expected"] >= 50_000_000) == (verdict == "finish")


def test_what_a_cell_has_spent_says_nothing_of_a_project_that_is_yet_to_begin():
    now = NOW.replace("900 0", "1000 850").replace("1000 100", "1000 1000")
    history = HISTORY + now.replace("2024 6", "2024 9")
    expected = {}
    for stage in ("registered", "contracted"):
        row = f"A x 01 TECH KCQG 100 1 {stage} 2024-09-01 2024-10-31 -"
        found = late(row, 11, as_of=9, history=history)
        expected[stage] = int(found.frame["expected"].iloc[0]) / 10**6
    (anew,) = found.outlook.cells.query("source == 'KCQG'")["anew"]
    assert expected["registered"] == pytest.approx(100 * anew, rel=1e-6)
    # Of what its cell is to spend yet, 100 of the 150 million that its plan has left.
    year_end = found.outlook.draws.mean(0)[(found.outlook.cells["source"] == "KCQG").to_numpy()][0]
    assert expected["contracted"] == pytest.approx((year_end - 850) * 100 / 150, rel=1e-6)
    assert expected["registered"] < expected["contracted"]


@pytest.mark.parametrize(
    ("stage", "start", "end", "verdict"),
    [
        ("registered", "-", "-", "unknown"),
        ("registered", "2024-09-01", "-", "unknown"),
        ("registered", "-", "2025-03-31", "next_year"),
        ("contracted", "-", "-", "unknown"),
        ("accepted", "-", "-", "finish"),
    ],
)
def test_a_project_without_its_dates_is_not_said_to_be_in_time(stage, start, end, verdict):
    found = late(f"A x 01 TECH KCQG 100 1 {stage} {start} {end} -", 12)
    assert verdicts(found) == {"A": verdict}
    assert ("chưa biết có kịp" in " ".join(found.sentences())) == (verdict == "unknown")


@pytest.mark.parametrize(("area", "advance"), [("TRAIN", 70), ("TECH", 0)])
def test_what_leaves_on_contract_counts_also_where_the_end_is_next_year(area, advance):
    rows = f"A x 01 {area} KCQG 100 1 registered 2024-11-01 2024-12-31 -"
    found = late(rows, 12, history=(HISTORY + NOW).replace("TECH", area))
    assert verdicts(found) == {"A": "prefund"}  # the province pays it, no advance of the fund
    assert found.frame["expected"].tolist() == [0]
    found = late(rows.replace("11-01", "07-01"), 10, history=(HISTORY + NOW).replace("TECH", area))
    assert found.frame["months"].tolist() == [6]
    found = late(rows.replace("2024-12-31", "2025-01-31"), 8)
    assert verdicts(found) == {"A": "next_year"}
    assert found.frame["expected"].tolist() == [advance * 10**6]
    assert f"{100 - advance} triệu đồng: A" in " ".join(
        found.sentences()
    )  # what is left to register
    assert found.frame["who_decides"].tolist() == [""]  # nothing was assigned yet
    # It may be paid more than half and still end too late: sentence and table say the same of it.
    assert found.frame["why"].tolist() == ["ends-late"]
    assert "A (không kịp kết thúc trong năm)" in " ".join(found.sentences())
    assert "A (would not end within the year)" in " ".join(found.sentences("en"))


def test_local_money_pays_first_in_the_order_of_the_law_as_far_as_it_is_left():
    rows = "\n".join(
        f"{one} x 01 TECH KCQG {support} {score} assigned 2024-03-01 2024-06-30 -"
        for one, support, score in (("A", 90, 1), ("B", 90, 3), ("C", 90, 2), ("D", 5000, 9))
    )
    found = late(rows, 11)
    free = int(found.free["01"])
    assert 0 < free < 1_000_000_000
    taken, left = [], free
    for one in ("D", "B", "C", "A"):
        need = (5000 if one == "D" else 90) * 10**6
        if need <= left:
            taken.append(one)
            left -= need
    assert [one for one, v in verdicts(found).items() if v == "prefund"] == taken
    assert found.frame["prefund"].sum() == free - left
    assert "D" not in taken


def test_later_money_leaves_less():
    rows = "A x 01 TECH KCQG 100 1 assigned - - -"
    expected = [int(late(rows, month).frame["expected"].iloc[0]) for month in (7, 9, 12)]
    assert expected[0] > expected[1] > expected[2] >= 0


def test_it_is_told_in_both_languages_and_wrong_months_are_refused():
    rows = "A x 01 TECH KCQG 100 1 assigned 2024-03-01 2024-09-30 -"
    found = late(rows, 10)
    assert "đăng ký lại cho năm sau" in " ".join(found.sentences("vi"))
    assert "registered again" in " ".join(found.sentences("en"))
    assert found.table()["support"].tolist() == [100.0]
    for month in (6, 13):
        with pytest.raises(ValueError, match="month"):
            late(rows, month)
    with pytest.raises(ValueError, match="no project"):
        late(rows.replace("KCQG", "KCDP"), 10)


def test_before_the_first_report_the_plan_of_the_year_before_stands_in():
    rows = "A x 01 TECH KCQG 100 1 contracted 2024-03-01 2024-11-30 -"
    for as_of in (0, 2):
        found = late(rows, 5, as_of)
        assert found.plan_year == 2023
        assert 50e6 < found.frame["expected"].iloc[0] < 95e6  # nine tenths were done each year
        assert 20e6 < found.free["01"] < 300e6  # and a tenth of 1,000 million left
        assert "kế hoạch năm 2023 được dùng thay" in " ".join(found.sentences())
        plan = found.outlook.cells.set_index("source")["plan"]
        assert plan.to_dict() == {"KCQG": 10**9, "KCDP": 10**9}
    found = late(rows, 8, 6)
    assert found.plan_year is None
    assert found.outlook.cells.set_index("source")["plan"].to_dict() == {
        "KCQG": 900_000_000,
        "KCDP": 10**9,
    }


def test_a_project_without_any_plan_asks_for_its_own_support():
    rows = "A x 01 CONS KCQG 100 1 registered 2024-08-01 2024-12-31 -"
    found = late(rows, 8)
    plan = found.outlook.cells.set_index(["area", "source"])["plan"]
    assert plan["CONS", "KCQG"] == 100_000_000
    assert 0 < found.frame["expected"].iloc[0] < 100e6


def test_a_project_that_was_paid_has_begun():
    rows = "A x 01 TECH KCQG 100 1 assigned 2024-03-01 2024-12-20 {}"
    assert verdicts(late(rows.format("-"), 8)) == {"A": "next_year"}  # ten months from August
    assert verdicts(late(rows.format("10"), 8)) == {"A": "finish"}


def test_what_is_not_mostly_done_is_to_be_registered_again():
    rows = "A x 01 TECH KCQG 5000 1 contracted 2024-03-01 2024-11-30 -"  # too much for the province
    found = late(rows, 12)
    assert verdicts(found) == {"A": "next_year"}
    expected = found.frame["expected"].iloc[0]
    assert 0 < expected < 2500e6
    assert found.frame["rest"].iloc[0] == 5000e6 - expected
    assert "ít nhất một nửa" in found.sentences()[1]


# ---------------------------------------------------------------------------- laws

CELLS = [(place, area) for place in ("01", "19") for area in ("TECH", "TRAIN")]
LAW = {"TECH": 0.0, "TRAIN": 0.7}  # what it lets be paid on a contract
DATES = ("2024-03-01 2024-11-30", "2024-09-01 2024-10-31", "2024-07-01 2024-10-31",
         "2024-03-01 2025-02-28", "- -")  # fmt: skip


def one_of(k: int, cell: tuple[str, str], support: int, stage: str, dates: str, paid: int) -> dict:
    row = {"id": f"P{k}", "cell": cell, "support": support, "stage": stage}
    return row | {"dates": dates, "paid": paid, "score": k}


@st.composite
def listed(draw) -> tuple[list[dict], dict[tuple[str, str], tuple[int, int]], list[float]]:
    """Return projects, plan and disbursed of each cell, what of the rest it spends if later."""
    cells = draw(st.lists(st.sampled_from(CELLS), min_size=1, max_size=2, unique=True))
    rows = []
    for k in range(draw(st.integers(1, 5))):
        support = 10 * draw(st.integers(2, 20))
        stage = draw(st.sampled_from(["registered", "assigned", "contracted", "accepted"]))
        paid = 0 if stage == "registered" else 10 * draw(st.integers(0, support // 10))
        cell, dates = draw(st.sampled_from(cells)), draw(st.sampled_from(DATES))
        rows.append(one_of(k, cell, support, stage, dates, paid))
    plans = {}
    for cell in cells:
        plan = 10 * draw(st.integers(1, 60))
        plans[cell] = plan, 10 * draw(st.integers(0, plan // 10))
    return rows, plans, sorted((draw(st.floats(0, 1)) for _ in range(6)), reverse=True)


def stubbed(rows: list[dict], plans: dict, reach: list[float], arrives: int):
    """Return late money with a forecast that leaves each cell a part of its plan, as of June."""
    text = "\n".join(
        f"{r['id']} x {' '.join(r['cell'])} KCQG {r['support']} {r['score']} {r['stage']} "
        f"{r['dates']} {r['paid'] or '-'}" for r in rows
    )  # fmt: skip
    report = "".join(f"\n2024 6 {' '.join(at)} KCQG {p} {done}" for at, (p, done) in plans.items())
    data = dataset(
        projects=f"{HEAD}\n{text}", history=HISTORY.split("\n")[0] + report, vintage="34"
    )

    def outlook(_data, year, as_of, *, arrival, cells):
        part = reach[arrival["KCQG"] - as_of - 1]
        known = [plans[at][1] for at in zip(cells["place"], cells["area"], strict=True)]
        done = pd.Series(known, cells.index) * 10**6
        frame = cells.assign(plan=cells["baseline"], disbursed=done.astype("Int64"), anew=part)
        ends = (done + part * (frame["plan"] - done)).to_numpy(dtype=float) / 10**6
        none = np.zeros((1, len(frame)))
        return Forecast(year, as_of, 12, data.unit, frame, ends[None, :], none, pd.DataFrame(),
                        pd.DataFrame(), (), (), Provenance({}, ""))  # fmt: skip

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kc_model.late.forecast", outlook)
        return kc.late_money(data, 2024, 6, arrives)


def finishing(found) -> set[str]:
    return {one for one, verdict in verdicts(found).items() if verdict == "finish"}


AT = CELLS[0]
LEAVES_ITS_TURN = (
    [one_of(0, AT, 100, "assigned", DATES[1], 0), one_of(1, AT, 100, "assigned", DATES[2], 0)],
    {AT: (200, 0)},
    [0.5] * 6,
)


@given(listed())
@example(LEAVES_ITS_TURN)  # the second is in time up to September only
@settings(max_examples=20, deadline=None)
def test_what_a_cell_still_spends_is_told_once_and_a_later_month_finishes_no_more(drawn):
    rows, plans, reach = drawn
    before, known = None, {r["id"]: r for r in rows}
    for arrives in range(7, 13):
        found = stubbed(rows, plans, reach, arrives)
        frame = found.frame.set_index("id")
        for cell, (plan, done) in plans.items():
            own = [r for r in rows if r["cell"] == cell and r["id"] in frame.index]
            spent = max(done, sum(r["paid"] for r in own))
            spends = max(0.0, done + reach[arrives - 7] * (plan - done) - spent)
            sure = {r["id"]: r["support"] * LAW[cell[1]] for r in own}
            sure |= {r["id"]: r["support"] for r in own if r["stage"] == "accepted"}
            must = sum(max(0, sure[r["id"]] - r["paid"]) for r in own)
            more = sum(frame["expected"][r["id"]] / 10**6 - r["paid"] for r in own)
            assert more <= max(spends, must) + 1e-3
        for one, expected in frame["expected"].items():
            assert known[one]["paid"] <= expected / 10**6 <= known[one]["support"]
        if before is not None:
            assert finishing(found) <= finishing(before)
        before = found


@given(listed(), st.integers(7, 12), st.integers(0, 4), st.floats(0, 1))
@example(([one_of(0, CELLS[1], 100, "contracted", DATES[0], 70)], {CELLS[1]: (400, 70)}, [0.0] * 6),
         12, 0, 0.0)  # fmt: skip
@settings(max_examples=40, deadline=None)
def test_what_was_paid_more_is_never_told_worse(drawn, arrives, which, part):
    rows, plans, reach = drawn
    one = rows[which % len(rows)]
    if one["stage"] == "registered":
        one["stage"] = "assigned"
    less = int(part * one["paid"] / 10) * 10
    # Beside a twin that was paid less, and had it been paid less itself.
    both = stubbed([*rows, one | {"id": "TWIN", "paid": less}], plans, reach, arrives)
    if "TWIN" in finishing(both):
        assert one["id"] in finishing(both)
    poorer = stubbed([r | {"paid": less} if r is one else r for r in rows], plans, reach, arrives)
    if one["id"] in finishing(poorer):
        assert one["id"] in finishing(stubbed(rows, plans, reach, arrives))
