"""Where each fund stands, in one small table: what a planner wants to see first."""

from __future__ import annotations

from typing import Any

import pandas as pd

from kc_model.charts.words import Line, Tongue
from kc_model.money import unit_name
from kc_model.progress import Progress
from kc_model.wording import Language, say
from kc_model.workbench import screen

__all__ = ["funds_table"]

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


def funds_table(found: Progress, language: Language) -> str:
    """Return plan, done, against the same period and the year's end, by fund and in all.

    Parameters
    ----------
    found : Progress
    language : {"vi", "en"}

    Returns
    -------
    str
        Markup; "" where nothing is known.
    """
    table = found.table()
    funds = table[table["level"] == "source"]
    whole = table[table["level"] == "all"] if len(funds) != 1 else funds.iloc[:0]
    tongue = Tongue("completion", found.unit, found.vintage, language)
    lines = [
        *(_line(tongue, row, tongue.name(row["source"], "source")) for _, row in funds.iterrows()),
        *(_line(tongue, row, tongue.any("total")) for _, row in whole.iterrows()),
    ]
    about, unit = tongue.as_of(found.as_of), unit_name(found.unit, language)
    title = say("screen.progress.funds", language, about=about, unit=unit)
    return screen.table([tongue.head(*_HEADS), *lines], title, title) if lines else ""


def _line(tongue: Tongue, row: pd.Series[Any], name: str) -> Line:
    expected, range_80, _ = tongue.guessed(row)
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
