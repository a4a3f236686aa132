"""Charts of plain tables: places as tiles or by areas, a year by month, steps, trade-offs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import wrap
from typing import Any

import numpy as np
import pandas as pd

from kc_model import reference
from kc_model.charts import structures
from kc_model.charts.structures import FIGURES
from kc_model.charts.words import Picture, Record, Tongue, even, known
from kc_model.export import Stamp
from kc_model.forecast import Months
from kc_model.money import format_number, unit_name
from kc_model.tables import Dataset
from kc_model.wording import Language
from kc_model.words import LEAST_RISE

__all__ = ["MEASURES", "fan_chart", "frontier_chart", "heat_map", "tile_map", "waterfall_chart"]

MEASURES: Mapping[str, str] = {
    "plan": "money",
    "amount": "money",
    "disbursed": "money",
    "expected": "money",
    "change": "money",
    "unspent": "money",
    "done": "share",
    "completion": "share",
    "change_share": "share",
}
"""What a place or cell can be coloured by, and what that is counted in: money of the dataset's
unit, or a share (0 to 1, shown in per cent)."""

_SIDES = ("change", "change_share")  # below zero and above it
_LEAST_FIRST = (*_SIDES, "done", "completion")  # the others come in official order
_MOST_FIRST = ("unspent",)
_DARK = 0.85  # shade of blue from which light writing is the clearer
_WIDE = 12  # letters of an area's name in one line
_STEP = 44  # and of a step's


# ---------------------------------------------------------------------------- places


def tile_map(frame: pd.DataFrame, measure: str, stamp: Stamp, language: Language = "vi") -> Picture:
    """Return the country as a scheme of tiles, one a place, each with its figure.

    Parameters
    ----------
    frame : DataFrame
        place (each once), and a column named as the measure: money in the stamp's unit, shares 0
        to 1, NaN where nothing is known. Places without a row are drawn blank; places that have no
        tile (regions, the country) stand in the table alone.
    measure : str
        A key of `MEASURES`.
    stamp : Stamp
        Of what the figures are: unit, vintage, year, month, whether made up.

    Returns
    -------
    Picture
        Its table lists the lowest first, where low is what a planner asks about.

    Raises
    ------
    ValueError
        If a place has two rows.

    Notes
    -----
    The archipelagos Hoàng Sa and Trường Sa have tiles of their own, in the colour of their
    province and without a figure: nothing is counted for them apart.
    """
    if frame["place"].duplicated().any():
        raise ValueError("a place has two rows")
    tongue = Tongue("tiles", stamp.unit, stamp.vintage, language)
    found = _figures(frame.set_index("place"), measure, tongue)
    shade = _shades(found, measure)
    order = _in_order(found, measure, stamp.vintage)
    lines = [(tongue.name(one, "place"), _shown(tongue, measure, found[one])) for one in order]
    table = even([tongue.head("place", measure), *lines], language)
    shown = dict(zip(order, (line[1] for line in table[1:]), strict=True))
    grid = reference.tiles(stamp.vintage)
    rows: list[Record] = []
    for code, island, column, row in grid[["code", f"name_{language}", "column", "row"]].itertuples(
        index=False
    ):
        if code == "TW" and code not in found:
            continue
        place = tongue.name(code, "place")
        value = f"({place})" if island else shown.get(code, "–")
        rows.append(
            {
                "column": int(column),
                "row": int(row),
                "name": island or (tongue.any("central") if code == "TW" else place),
                "value": value,
                "tip": f"{island} ({place})" if island else place,
                **_shading(shade.get(code, np.nan)),
            }
        )
    unit = _unit(tongue, measure)
    structure = structures.tiles(
        int(grid["column"].max()) + 1, int(grid["row"].max()) + 1, unit, measure in _SIDES, language
    )
    words = _ends(tongue, found[found.index.isin(grid["code"])], measure)
    return tongue.stamped(structure, rows, table, stamp, measure=_named(tongue, measure), **words)


def heat_map(frame: pd.DataFrame, measure: str, stamp: Stamp, language: Language = "vi") -> Picture:
    """Return places by areas, as deep in colour as their figure.

    Parameters
    ----------
    frame : DataFrame
        place, area (each pair once), and a column named as the measure, as for `tile_map`.
    measure, stamp, language
        As for `tile_map`.

    Returns
    -------
    Picture
        Of changes the place that loses most comes first.

    Raises
    ------
    ValueError
        If a place and area have two rows.
    """
    tongue = Tongue("heat", stamp.unit, stamp.vintage, language)
    figures = _figures(frame.set_index(["place", "area"]), measure, tongue)
    if figures.index.has_duplicates:
        raise ValueError("a place and area have two rows")
    groups = figures.groupby(level="place", sort=False)
    of_place = groups.sum(min_count=1) if MEASURES[measure] == "money" else groups.mean()
    shade = _shades(figures, measure)
    areas = {one: tongue.name(one, "area") for one in tongue.in_order("area", frame["area"])}
    parts = {one: wrap(area, _WIDE, break_long_words=False) for one, area in areas.items()}
    rows: list[Record] = []
    table = [(*tongue.head("place"), *areas.values())]
    order = _in_order(of_place, measure, stamp.vintage)
    for place in order:
        told = (_shown(tongue, measure, figures.get((place, one), np.nan)) for one in areas)
        table.append((tongue.name(place, "place"), *told))
    table = even(table, language, range(1, len(areas) + 1))
    for place, (name, *shown) in zip(order, table[1:], strict=True):
        for value, (one, area) in zip(shown, areas.items(), strict=True):
            about = {"name": name, "part": "|".join(parts[one]), "value": value}
            tint = _shading(shade.get((place, one), np.nan))
            rows.append({**about, **tint, "tip": f"{name} · {area}"})
    lines = max(map(len, parts.values()))
    structure = structures.heat(_unit(tongue, measure), measure in _SIDES, lines, language)
    words = _ends(tongue, figures, measure)
    return tongue.stamped(structure, rows, table, stamp, measure=_named(tongue, measure), **words)


def _figures(frame: pd.DataFrame, measure: str, tongue: Tongue) -> pd.Series[float]:
    """Return a measure as it is drawn: shares as they are, money in the unit of charts."""
    money = [measure] if MEASURES[measure] == "money" else []
    return tongue.scaled(frame, money)[measure].astype("float64")


def _shades(values: pd.Series[float], measure: str) -> pd.Series[float]:
    """Return shades: shares as they are, money over the largest amount."""
    if MEASURES[measure] == "share" and measure not in _SIDES:
        return values.clip(0.0, 1.0)
    largest = values.abs().max()
    return values / largest if largest > 0 else values


def _shading(shade: float) -> Record:
    return {"shade": known(shade), "dark": bool(shade >= _DARK)}


def _shown(tongue: Tongue, measure: str, value: float) -> str:
    """Return a figure as text, a change with its sign."""
    if pd.isna(value):
        return "–"
    if MEASURES[measure] == "share":
        is_seen = abs(value) >= LEAST_RISE  # squares that lie side by side have one digit
        return tongue.risen(value * is_seen) if measure in _SIDES else tongue.points(100 * value)
    return (
        tongue.sign(value) + tongue.amount(abs(value))
        if measure in _SIDES
        else tongue.amount(value)
    )


def _unit(tongue: Tongue, measure: str) -> str:
    return "%" if MEASURES[measure] == "share" else unit_name(tongue.unit, tongue.language)


def _named(tongue: Tongue, measure: str) -> str:
    """Return what a measure is called, with its unit."""
    name = tongue.any(f"columns.{measure}")
    return name if MEASURES[measure] == "share" else f"{name} ({_unit(tongue, measure)})"


def _in_order(values: pd.Series[float], measure: str, vintage: str) -> list[Any]:
    """Return the places, first those that a planner asks about."""
    official = [code for code in reference.place_order(vintage) if code in values.index]
    values = values.loc[official]
    if measure in (*_LEAST_FIRST, *_MOST_FIRST):
        rising = measure in _LEAST_FIRST
        values = values.sort_values(ascending=rising, kind="stable", na_position="last")
    return list(values.index)


def _ends(tongue: Tongue, values: pd.Series[float], measure: str) -> dict[str, str]:
    """Return the lowest and highest figure and whose they are."""
    values = values.dropna()
    words = {"low": "–", "low_name": "–", "high": "–", "high_name": "–"}
    if len(values):
        for end, at in (("low", int(values.argmin())), ("high", int(values.argmax()))):
            key = values.index[at]
            named = zip(("place", "area"), key if isinstance(key, tuple) else (key,), strict=False)
            words[f"{end}_name"] = " · ".join(tongue.name(code, kind) for kind, code in named)
            figure = _shown(tongue, measure, float(values.iloc[at]))
            is_share = MEASURES[measure] == "share"
            words[end] = tongue.any("percent", share=figure) if is_share else figure
    return words


# ---------------------------------------------------------------------------- in time, in steps


def fan_chart(
    months: Months, data: Dataset, where: Mapping[str, str] | None = None, language: Language = "vi"
) -> Picture:
    """Return a year by month: what is reported, and the fan from there to the year-end forecast.

    Parameters
    ----------
    data : Dataset
        What the forecast was made from.
    where : mapping or None
        Values of place, area, activity, source, region; None: all lines together.
    """
    outlook = months.outlook
    tongue = Tongue("fan", outlook.unit, data.vintage, language)
    frame = tongue.scaled(months.table(where), ("reported", "before", *FIGURES))
    unit = unit_name(tongue.unit, language)
    heads = ("lines", "reported", "expected", "range_80", "range_95", "plan", "before")
    rows, table = [], [tongue.head("month", *heads)]
    for _, line in frame.iterrows():
        month = int(line["month"])
        name = tongue.say("start" if month == 0 else "end" if month == 13 else "month", month=month)
        guessed = tongue.guessed(line, is_cell=True)
        money = {str(key): known(value) for key, value in line.items() if key != "lines"}
        rows.append({**money, "month": month, "name": name, "likely": guessed[1]})
        reported, plan, before = (
            tongue.amount(line[key]) for key in ("reported", "plan", "before")
        )
        table.append((name, str(int(line["lines"])), reported, *guessed, plan, before))
    expected, likely, _ = tongue.guessed(frame.iloc[-1])
    named = " · ".join(tongue.name(code, key) for key, code in (where or {}).items())
    return tongue.picture(
        structures.fan(unit, outlook.year_end, language),
        rows,
        even(table, language, range(2, 8)),
        synthetic=data.synthetic,
        year=outlook.year,
        what=named or tongue.any("total"),
        as_of=tongue.as_of(outlook.as_of),
        unit=unit,
        expected=expected,
        range=likely,
    )


def waterfall_chart(frame: pd.DataFrame, stamp: Stamp, language: Language = "vi") -> Picture:
    """Return the bridge from one total to another, step by step.

    Parameters
    ----------
    frame : DataFrame
        step (text, each once, in the user's language), change and total (money in the stamp's
        unit): in order, total what stands after the step. A row without change is a total of its
        own: the start, the end, or one between.
    stamp, language
        As for `tile_map`.

    Raises
    ------
    ValueError
        If two steps are called alike.

    Notes
    -----
    Totals are marks, not bars, so that the axis need not start at zero: a step of one per cent of
    the total stays to be seen.
    """
    if frame["step"].duplicated().any():
        raise ValueError("two steps are called alike")
    tongue = Tongue("bridge", stamp.unit, stamp.vintage, language)
    frame, unit = tongue.scaled(frame, ("change", "total")), unit_name(tongue.unit, language)
    steps = ["\n".join(wrap(str(step), _STEP)) for step in frame["step"]]
    rows: list[Record] = []
    table = [tongue.head("step", "change", "total")]
    change = pd.Series([np.nan, *tongue.steps(frame["total"].tolist())])
    change = change.where(frame["change"].notna().to_numpy())
    for name, following, apart, (step, by, total) in zip(
        steps,
        [*steps[1:], None],
        change,
        frame[["step", "change", "total"]].itertuples(index=False),
        strict=True,
    ):
        moved, stands = known(by), float(total)
        # As far apart as the totals that are shown: read row by row, the figures add up.
        changed = "–" if moved is None else _shown(tongue, "change", float(apart))
        start = stands - (moved or 0.0)
        ends = {"low": min(start, stands), "high": max(start, stands), "end": max(start, stands)}
        about = {"name": name, "next": following, "money": moved, "total": stands}
        rows.append({**about, **ends})
        table.append((str(step), changed, tongue.amount(stands)))
    table = even(table, language, (1, 2))
    rows = [
        {**row, "label": line[1 if row["money"] is not None else 2]}
        for row, line in zip(rows, table[1:], strict=True)
    ]
    return tongue.stamped(
        structures.bridge(unit, max(one.count("\n") + 1 for one in steps), language),
        rows,
        table,
        stamp,
        unit=unit,
        start=tongue.amount(float(frame["total"].iloc[0])),
        end=tongue.amount(float(frame["total"].iloc[-1])),
        lost=tongue.amount(-float(change[change < 0].sum())),
        won=tongue.amount(float(change[change > 0].sum())),
    )


def frontier_chart(
    frame: pd.DataFrame, goals: Sequence[str], stamp: Stamp, language: Language = "vi"
) -> Picture:
    """Return what a second goal gains as the first gives way.

    Parameters
    ----------
    frame : DataFrame
        give (share of the first goal's best that may be given up, 0 to 1, rising), first and
        second (what the goals reach, each in its own unit), price (what one more of the second
        costs of the first there; NaN: no meaning).
    goals : sequence of two str
        What the goals are called, each with its unit, in the user's language.
    stamp, language
        As for `tile_map`.
    """
    tongue = Tongue("trade", stamp.unit, stamp.vintage, language)
    frame = frame[["give", "first", "second", "price"]].astype("float64")
    rows: list[Record] = []
    table = [(*tongue.head("give"), *goals, *tongue.head("price"))]
    gives = frame["give"].drop_duplicates() * 100
    digits = next((n for n in range(1, 5) if not gives.round(n).duplicated().any()), 5)
    for give, first, second, price in frame.itertuples(index=False):
        share = format_number(100 * give, digits, language)
        label = tongue.any("percent", share=share)
        rows.append({"give": give, "first": first, "second": second, "label": label})
        figures = (_in_short(value, language) for value in (first, second, price))
        table.append((share, *figures))
    return tongue.stamped(
        structures.trade((goals[0], goals[1]), language),
        rows,
        table,
        stamp,
        give=table[-1][0],
        lost_goal=goals[0],
        won_goal=goals[1],
        lost_from=table[1][1],
        lost_to=table[-1][1],
        won_from=table[1][2],
        won_to=table[-1][2],
    )


def _in_short(value: float, language: Language) -> str:
    """Return a figure of any unit with the digits its size asks for."""
    if pd.isna(value):
        return "–"
    size = abs(value)
    return format_number(
        round(value, 0 if size >= 1000 else 1 if size >= 100 else 2 if size >= 1 else 4),
        None,
        language,
    )
