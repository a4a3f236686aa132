"""Amounts, numbers and names as sentences show them."""

from __future__ import annotations

import pytest

from kc_model.reference import area_name, place_name, source_name
from kc_model.wording import say
from kc_model.words import Words

VI, EN = Words("million_vnd", "63", "vi"), Words("million_vnd", "63", "en")
TY = Words("billion_vnd", "34", "vi")


@pytest.mark.parametrize(
    ("shown", "text"),
    [
        (VI.money(1234.56), "1.234,6 triệu đồng"),
        (VI.money(0.05), "0,1 triệu đồng"),  # half up
        (VI.money(2.675 - 1e-12), "2,7 triệu đồng"),
        (EN.money(-1234.5), "−1,234.5 million VND"),
        (VI.vnd(2_500_000), "2,5 triệu đồng"),
        (VI.signed(-3), "−3 triệu đồng"),
        (VI.signed(3), "+3 triệu đồng"),
        (VI.signed(0.04), "không đổi"),
        (EN.signed(-0.0), "unchanged"),
        (VI.amount(float("nan")), "–"),
        (VI.exact(0.000001), "0,000001 triệu đồng"),
        (VI.gain(382.074), "382,1 triệu đồng"),
        (VI.gain(2134.2), "2.134,2 triệu đồng"),
        (VI.gain(11.0631), "11,1 triệu đồng"),
        (VI.gain(0.0766), "0,0766 triệu đồng"),
        (VI.gain(0.0000001), "0 triệu đồng"),  # less than a đồng
        (TY.gain(0.26232), "0,262 tỷ đồng"),
        (VI.each(0.0008597), "860 đồng"),
        (VI.each(0.0000123), "12,3 đồng"),
        (VI.each(1.2345), "1,23 triệu đồng"),
        (VI.percent(0.8461), "84,6 %"),
        (VI.amount(-0.04), "0"),
        (VI.retold(say("screen.page.gioi-han")), say("screen.page.gioi-han")),
        (VI.retold("Kế hoạch hiện hành 70"), "Kế hoạch hiện hành 70"),  # no province's code
        (VI.number(12.34567), "12,35"),
        (VI.number(12345.67), "12.345,7"),
        (VI.rise(0.03), "3,0 %"),  # as in the tables beside
        (VI.rise(0.0004), "0,04 %"),
        (VI.rule_number("money", 3000), "3.000 triệu đồng"),
        (VI.rule_number("share", 0.574), "57,4 %"),
        (VI.rule_number("number", 0.574), "0,574"),
        (VI.name("01"), place_name("01", "63")),
        (VI.name("TECH"), area_name("TECH")),
        (VI.name("ALL"), "tất cả"),
        (VI.name("ALL", "source"), source_name("ALL")),
        (VI.name("ALL", "area"), area_name("ALL")),
        (VI.name("TECH", "activity"), "TECH"),
        (VI.name("ward-7"), "ward-7"),
        (EN.group("01|TECH"), f"{place_name('01', '63', 'en')} – {area_name('TECH', 'en')}"),
        (VI.column("population"), "“Dân số”"),
        (VI.column("late"), "cột “late”"),
        (VI.listed(list("abcde")), "a, b, c, d, e"),
        (VI.listed(list("abcdefg"), "area"), "a, b, c, d, e và 2 nội dung khác"),
        (VI.goal("minimise money"), "tốn ít kinh phí nhất"),
        (VI.goal("maximise column:late"), "cao nhất theo cột “late”"),
        (VI.achieved("maximise disbursed", 5, ""), "5 triệu đồng"),
        (
            VI.achieved("maximise evenness", 0.0005, "late"),
            "500 đồng trên 1 đơn vị cột “late” ở nơi thấp nhất",
        ),
        (VI.gained("maximise outputs", 12.345), "12,3"),
    ],
)
def test_what_is_shown(shown, text):
    assert shown == text
