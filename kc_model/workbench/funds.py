"""Where each fund stands and which lines are most at risk: what a planner wants to see first."""

from __future__ import annotations

from typing import Any

import pandas as pd

from kc_model.charts.words import Line, Tongue, even
from kc_model.money import to_unit, unit_name
from kc_model.progress import Progress
from kc_model.progress.lines import MONEY
from kc_model.wording import Language, say
from kc_model.workbench import screen

__all__ = ["funds_table", "risks_table"]

_HEADS = (
    "source",
    "plan",
    "disbursed",
    "done",
    "of_last_year",
    "expected",
    "range_80",
    "completion",
    "unspent",
)
_MONEY = [_HEADS.index(key) for key in ("plan", "disbursed", "expected", "range_80", "unspent")]

_RISK = ("plan", "expected", "unspent")
_FIRST = 8  # lines at risk shown at once


def funds_table(found: Progress, language: Language) -> str:
    """Return plan, done, against the same period and the year's end, by fund and in all.

    Returns
    -------
    str
        Markup; "" where nothing is known.
    """
    tongue = Tongue("completion", found.unit, found.vintage, language)
    table = tongue.scaled(found.table(), MONEY)
    funds = table[table["level"] == "source"]
    whole = table[table["level"] == "all"] if len(funds) != 1 else funds.iloc[:0]
    lines = [
        *(_line(tongue, row, tongue.name(row["source"], "source")) for _, row in funds.iterrows()),
        *(_line(tongue, row, tongue.any("total")) for _, row in whole.iterrows()),
    ]
    about, unit = tongue.as_of(found.as_of), unit_name(tongue.unit, language)
    title = say("screen.progress.funds", language, about=about, unit=unit)
    shown = even([tongue.head(*_HEADS), *lines], language, _MONEY)
    return screen.table(shown, title, title) if lines else ""


def risks_table(found: Progress, language: Language) -> str:
    """Return the lines by what they are expected not to disburse, the largest first.

    Returns
    -------
    str
        Markup, all but the first lines on a click; "" where nothing is at risk.
    """
    tongue = Tongue("completion", found.unit, found.vintage, language)
    rows = found.at_risk()
    keys = ["place", "area", *(["activity"] if (rows["activity"] != "").any() else []), "source"]
    lines = [
        (
            *(tongue.name(row[key], key) for key in keys),
            *(tongue.amount(to_unit(float(row[key]), tongue.unit)) for key in _RISK),
        )
        for _, row in rows.iterrows()
    ]
    title = say("screen.progress.risks", language, unit=unit_name(tongue.unit, language))
    money = range(len(keys), len(keys) + len(_RISK))
    head, *lines = even([tongue.head(*keys, *_RISK), *lines], language, money)
    if not lines:
        return ""
    rest = say("screen.progress.risks_more", language, count=len(lines) - _FIRST)
    return screen.table([head, *lines[:_FIRST]], title, title) + (
        screen.fold(rest, screen.table([head, *lines[_FIRST:]], title))
        if len(lines) > _FIRST
        else ""
    )


def _line(tongue: Tongue, row: pd.Series[Any], name: str) -> Line:
    expected, range_80, _ = tongue.guessed(row, is_cell=True)
    done, of_last_year, completion = (
        tongue.points(100 * row[key])
        for key in ("completion", "of_last_year", "completion_expected")
    )
    money = {key: tongue.amount(row[key]) for key in ("plan", "disbursed", "unspent")}
    return (
        name,
        money["plan"],
        money["disbursed"],
        done,
        of_last_year,
        expected,
        range_80,
        completion,
        money["unspent"],
    )
