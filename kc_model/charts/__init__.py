"""Results as charts, each with its table: which figures are shown; no arithmetic of its own.

A `Picture` keeps apart what stays (marks, axes, colours, one language) from what a new result
brings (rows, heading), so that a screen draws once and then only exchanges data. Names and titles
are set as text, never read as markup or as an expression.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from kc_model.charts import structures
from kc_model.charts.files import picture_files
from kc_model.charts.pictures import (
    MEASURES,
    fan_chart,
    frontier_chart,
    heat_map,
    tile_map,
    waterfall_chart,
)
from kc_model.charts.structures import COLOURS, FIGURES
from kc_model.charts.words import DIGITS, ESTIMATED, Picture, Tongue, even, known
from kc_model.money import UNITS, to_unit, unit_name
from kc_model.results import Allocation, Forecast
from kc_model.tables import Dataset
from kc_model.wording import Language
from kc_model.words import noticed

__all__ = [
    "COLOURS",
    "DIGITS",
    "ESTIMATED",
    "MEASURES",
    "Picture",
    "allocation_chart",
    "change_chart",
    "completion_chart",
    "fan_chart",
    "forecast_chart",
    "frontier_chart",
    "heat_map",
    "picture_files",
    "tile_map",
    "waterfall_chart",
]

_PARTS = {"area": "source"}  # bars are stacked by area, those of areas by fund


# ---------------------------------------------------------------------------- allocation


def allocation_chart(plan: Allocation, by: str = "area", language: Language = "vi") -> Picture:
    """Return an allocation as stacked bars, its exact total in the heading.

    Parameters
    ----------
    plan : Allocation
        Of status "optimal".
    by : {"area", "place", "source", "region", "year"}
        What the bars stand for; they are stacked by area, those of areas by fund.
    """
    tongue = Tongue("allocation", plan.unit, plan.vintage, language)
    part = _PARTS.get(by, "area")
    grouped = plan.cells.groupby([by, part], sort=False)["amount"].sum()
    sums = grouped.unstack(fill_value=0)  # noqa: PD010 - a pivot table takes thrice as long
    sums = sums.loc[tongue.in_order(by, sums.index), tongue.in_order(part, sums.columns)]
    total = int(sums.to_numpy().sum())
    names = [tongue.name(code, part) for code in sums.columns]
    rows: list[dict[str, Any]] = []
    table = [(*tongue.head(by), *names, *tongue.head("amount", "share"))]
    for key, *amounts in sums.itertuples(name=None):
        name, money = tongue.name(key, by), [to_unit(amount, tongue.unit) for amount in amounts]
        bar = to_unit(sum(amounts), tongue.unit)
        share = tongue.points(100 * sum(amounts) / total if total else None)
        table.append((name, *map(tongue.amount, [*money, bar]), share))
        rows += [
            {"name": name, "part": names[order], "order": order, "money": amount}
            for order, amount in enumerate(money)
            if amount
        ]
        rows.append({"name": name, "part": names[0], "order": 0, "total": bar})
    table = even(table, language, range(1, len(names) + 2))
    labels = {line[0]: tongue.say("label", amount=line[-2], share=line[-1]) for line in table[1:]}
    rows = [{**row, "label": labels[row["name"]]} if "total" in row else row for row in rows]
    structure = structures.stacked(
        unit_name(tongue.unit, language),
        tuple((name, COLOURS[code]) for name, code in zip(names, sums.columns, strict=True)),
        (tongue.any(f"by.{by}"), tongue.any(f"by.{part}")),
        language,
    )
    return tongue.picture(
        structure,
        rows,
        table,
        synthetic=plan.synthetic,
        year=tongue.year(plan.year, plan.as_of),
        by=tongue.any(f"by.{by}"),
        total=tongue.vnd(total) + _left(plan, total, tongue),
        name=tongue.retold(plan.scenario_name),
    )


def _left(plan: Allocation, total: int, tongue: Tongue) -> str:
    """Tell what budgets that share no cell keep beside the total; "" where there is none."""
    left = sum(int(row["amount"]) for row in plan.reserve)
    whole = sum(row.amount for row in plan.scenario.budget) * UNITS[plan.unit]
    return tongue.say("left", amount=tongue.vnd(left)) if left and whole == total + left else ""


def change_chart(plan: Allocation, by: str = "place", language: Language = "vi") -> Picture:
    """Return what every line gains or loses against the baseline, the largest loss first.

    Parameters
    ----------
    plan, by, language
        As for `allocation_chart`.

    Returns
    -------
    Picture
        Lines that change by rounding alone (`kc_model.words.noticed`) are told together, so that
        gains less losses are what the total changes by; where no other line changes there are no
        rows, and the heading says so.
    """
    tongue = Tongue("change", plan.unit, plan.vintage, language)
    sums = noticed(plan.cells, by, tongue.unit, plan.rounding.get("step", 0))
    sums = sums.sort_values("change", kind="stable")
    rows: list[dict[str, Any]] = []
    table = [tongue.head(by, "baseline", "amount", "change")]
    rises = list[float | None]()
    for key, base, amount, vnd, _ in sums.itertuples(name=None):
        money = to_unit(vnd, tongue.unit)
        shown = tongue.sign(money) + tongue.amount(abs(money))
        rises.append((vnd / base if tongue.sign(money) else 0.0) if base else None)
        name = tongue.name(key, by)
        rows.append({"name": name, "money": money})
        was, is_now = (tongue.amount(to_unit(value, tongue.unit)) for value in (base, amount))
        table.append((name, was, is_now, shown))
    lines = even(table, language, range(1, 4))
    shares = [*tongue.head("change_share"), *tongue.all_risen(rises)]
    table = [(*line, share) for line, share in zip(lines, shares, strict=True)]
    for row, (*_, shown, share) in zip(rows, table[1:], strict=True):
        row["label"] = tongue.say("new" if share == "–" else "label", amount=shown, share=share)
    by_name = tongue.any(f"by.{by}")
    parts, sides = {}, tongue.sides(sums)
    for part, (count, money) in sides.items():
        counted = tongue.any(f"counted.{by}", count=count)
        amount = tongue.signed(money) if part == "rest" else tongue.money(abs(money))
        values = {"by": by_name, "counted": counted, "amount": amount}
        parts[part] = tongue.say(part if count else f"none_{part}", **values)
    if not sums["told"].any():
        parts, rows = {**parts, "lost": tongue.say("nobody", by=by_name)}, []
        del parts["won"]
    axis = tongue.say("axis", unit=unit_name(tongue.unit, language))
    return tongue.picture(
        structures.diverging(axis, language),
        rows,
        table,
        synthetic=plan.synthetic,
        year=tongue.year(plan.year, plan.as_of),
        by=by_name,
        told="; ".join(parts.values()),
    )


# ---------------------------------------------------------------------------- forecast


def forecast_chart(
    outlook: Forecast,
    data: Dataset,
    level: str = "area",
    language: Language = "vi",
    *,
    most: int | None = None,
) -> Picture:
    """Return the year-end forecast: expected, 80 % and 95 % ranges, plan and money disbursed.

    Parameters
    ----------
    data : Dataset
        What the forecast was made from: its vintage names the places.
    level : {"area", "place", "source", "region", "cell", "all"}
        Cells come by what they are expected to leave of their plan, the largest first.
    most : int or None
        Lines shown; None: all.
    """
    tongue = Tongue("forecast", outlook.unit, data.vintage, language)
    frame, unit = tongue.scaled(outlook.table(), FIGURES), unit_name(tongue.unit, language)
    heads = ("plan", "disbursed", "expected", "range_80", "range_95", "completion", "full")
    rows, table = [], [tongue.head(level, *heads)]
    for name, line in _named(frame, level, tongue, most):
        guessed = tongue.guessed(line, is_cell=True)
        rows.append(
            {"name": name, "likely": guessed[1]} | {key: known(line[key]) for key in FIGURES}
        )
        money = (tongue.amount(line[key]) for key in ("plan", "disbursed"))
        shares = (100 * line[key] for key in ("completion_expected", "probability_full"))
        table.append((name, *money, *guessed, *map(tongue.points, shares)))
    whole = frame[frame["level"] == "all"].iloc[0]
    expected, likely, _ = tongue.guessed(whole)
    return tongue.picture(
        structures.intervals(unit, language),
        rows,
        even(table, language, range(1, 6)),
        synthetic=data.synthetic,
        year=outlook.year,
        by=tongue.any(f"by.{level}"),
        as_of=tongue.as_of(outlook.as_of),
        unit=unit,
        expected=expected,
        range=likely,
    )


def completion_chart(
    outlook: Forecast,
    data: Dataset,
    level: str = "area",
    language: Language = "vi",
    *,
    most: int | None = None,
) -> Picture:
    """Return the share of the plan disbursed so far, and expected at year-end.

    Parameters
    ----------
    outlook, data, level, language, most
        As for `forecast_chart`.
    """
    tongue = Tongue("completion", outlook.unit, data.vintage, language)
    frame = outlook.table()
    frame["done"] = 100 * frame["disbursed"] / frame["plan"]
    frame["share"] = 100 * frame["completion_expected"]
    rows, table = [], [tongue.head(level, "done", "completion")]
    for name, line in _named(frame, level, tongue, most):
        done, share = tongue.points(line["done"]), tongue.points(line["share"])
        label = tongue.say("label", share=share)
        likely = known(line["share"])
        shares = {"done": known(line["done"]), "expected": likely, "end": max(100.0, likely or 0)}
        rows.append({"name": name, **shares, "label": label})
        table.append((name, done, share))
    whole = frame[frame["level"] == "all"].iloc[0]
    return tongue.picture(
        structures.completion(language),
        rows,
        table,
        synthetic=data.synthetic,
        year=outlook.year,
        by=tongue.any(f"by.{level}"),
        as_of=tongue.as_of(outlook.as_of),
        share=tongue.points(whole["share"]),
    )


def _named(
    frame: pd.DataFrame, level: str, tongue: Tongue, most: int | None
) -> Iterator[tuple[str, pd.Series[Any]]]:
    """Yield the rows of one level with their names, in the table's order, cells by their risk."""
    rows = frame[frame["level"] == level]
    if level == "cell":
        left = rows["plan"] - rows["expected"]
        rows = rows.loc[left.sort_values(ascending=False, kind="stable").index]
    keys = [key for key in ("place", "area", "activity", "source") if key in rows]
    told = [key for key in keys if len(set(rows[key])) > 1] or keys[:1]
    for _, line in rows.head(len(rows) if most is None else most).iterrows():
        if level == "all":
            yield tongue.any("total"), line
        elif level == "cell":
            yield " · ".join(tongue.name(line[key], key) for key in told), line
        else:
            yield tongue.name(line["place" if level == "region" else level], level), line
