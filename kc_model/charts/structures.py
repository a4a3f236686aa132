"""What a chart looks like: marks, axes, colours and number format, without any data.

Structures are cached and shared: treat them as read-only. Each draws the data set ``rows`` and
shows the parameter ``heading``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Literal

import altair as alt

from kc_model.wording import Language, say

__all__ = [
    "COLOURS",
    "FIGURES",
    "bridge",
    "completion",
    "diverging",
    "fan",
    "heat",
    "intervals",
    "stacked",
    "tiles",
    "trade",
]

COLOURS = {
    "TRAIN": "#56B4E9",
    "MGMT": "#F0E442",
    "TECH": "#0072B2",
    "PROD": "#E69F00",
    "CONS": "#CC79A7",
    "INFO": "#009E73",
    "CLUS": "#D55E00",
    "INTL": "#000000",
    "ADMN": "#999999",
    "ALL": "#0072B2",
    "KCQG": "#0072B2",
    "KCDP": "#E69F00",
    "loss": "#D55E00",
    "gain": "#0072B2",
    "plan": "#D55E00",
    "done": "#0072B2",
    "expected": "#000000",
    "range_80": "#56B4E9",
    "range_95": "#C4E3F5",
    "before": "#767676",
}
"""Okabe and Ito's palette, told apart with every kind of colour blindness, with grey and a lighter
blue for the outer range."""

FIGURES = ("plan", "disbursed", "expected", "lower_80", "upper_80", "lower_95", "upper_95")
"""Columns of a forecast's table that are money."""

_FONT = "Segoe UI, Noto Sans, DejaVu Sans, Arial, sans-serif"  # no generic end: text may vanish
_NUMBER = ",.3~f"


_ROWS = (460, alt.Step(24))  # pixels of a chart of one row a line: wide, high a row
_SHADES = ("#F3F8FC", "#0072B2")
_SIDES = ("#D55E00", "#F7F7F7", "#0072B2")
_BLANK = "#FFFFFF"


def _structure(
    *layers: alt.Chart | alt.LayerChart | alt.FacetChart,
    language: Language,
    legend: tuple[str, ...] = (),
    size: tuple[Any, Any] = _ROWS,
) -> dict[str, Any]:
    """Lay layers over each other, with the shared data, heading and number format.

    `legend` names the colours of fixed marks in the order in which the layers use them.
    """
    decimal, thousands = (",", ".") if language == "vi" else (".", ",")
    number = {"decimal": decimal, "thousands": thousands, "grouping": [3], "currency": ["", ""]}
    apart: Literal["independent", "shared"] = "shared" if legend else "independent"
    chart = (
        alt.layer(*layers, data=alt.NamedData("rows"))
        .properties(
            title=alt.TitleParams(text=alt.ExprRef("heading"), anchor="start", offset=14),
            width=size[0],
            height=size[1],
            # new figures may have longer labels: the picture grows with them
            autosize=alt.AutoSizeParams(type="pad", resize=True),
        )
        .resolve_scale(color=apart, strokeDash=apart)
        .configure(font=_FONT, locale={"number": number})
        .configure_title(fontSize=16, subtitleFontSize=12, subtitlePadding=5)
        .configure_axis(labelFontSize=12, titleFontSize=12, titleFontWeight="normal")
        .configure_legend(
            title=None,
            labelFontSize=12,
            labelLimit=260,
            orient="bottom",
            columns=3,
            symbolType="square",
        )
        .configure_range(category=[COLOURS[key] for key in legend])
        .configure_view(strokeWidth=0)
    )
    structure: dict[str, Any] = chart.to_dict()
    return structure


def _axis(title: str) -> alt.Axis:
    return alt.Axis(title=title, format=_NUMBER, tickCount=6, labelFlush=False, gridColor="#e6e6e6")


def _names(**more: Any) -> alt.Y:
    axis = alt.Axis(title=None, labelLimit=0, ticks=False, domain=False, labelPadding=6, **more)
    return alt.Y("name:N", sort=None, axis=axis)


def _labels(x: alt.X, only: str, y: alt.Y | None = None) -> alt.Chart:
    """Return texts to the right of a place on the axis, where a condition holds."""
    mark: alt.Chart = alt.Chart().mark_text(align="left", dx=6, fontSize=12)
    y = _names() if y is None else y
    labels: alt.Chart = mark.encode(x=x, y=y, text="label:N").transform_filter(only)
    return labels


def _keyed(group: str, language: Language) -> Callable[[str], alt.ColorDatum]:
    """Return the colour that stands for a fixed mark in the legend; see `COLOURS` for which."""
    return lambda key: alt.ColorDatum(say(f"charts.{group}.{key}", language), type="nominal")


def _text(key: str, language: Language) -> str:
    """Return a text of ours as an expression."""
    return json.dumps(say(key, language), ensure_ascii=False)


def _told(
    group: str, dashes: Mapping[str, list[int]], symbol: str, language: Language
) -> dict[str, Any]:
    """Return colours and dashes of marks of one kind, with a legend that looks as they are drawn.

    Their rows tell what they are in the field ``key``.
    """
    names = [say(f"charts.{group}.{key}", language) for key in dashes]
    # In two rows, so that legends side by side are no wider than the chart.
    legend = alt.Legend(symbolType=symbol, symbolSize=180, columns=-(-len(names) // 2))
    colours, drawn = [COLOURS[key] for key in dashes], list(dashes.values())
    told: dict[str, Any] = {
        "color": alt.Color("key:N", legend=legend, scale=alt.Scale(domain=names, range=colours))
    }
    if symbol == "stroke":
        dashed = alt.Scale(domain=names, range=drawn)
        told["strokeDash"] = alt.StrokeDash("key:N", legend=legend, scale=dashed)
    return told


def _tips(keys: Sequence[str], language: Language) -> list[alt.Tooltip]:
    """Return what is told of a line of a forecast: some of its figures, and its range."""
    told = {key: say(f"charts.columns.{key}", language) for key in (*keys, "range_80")}
    figures = (alt.Tooltip(f"{key}:Q", title=told[key], format=_NUMBER) for key in keys)
    likely = alt.Tooltip("likely:N", title=told["range_80"])
    return [alt.Tooltip("name:N", title=" "), *figures, likely]


@lru_cache(maxsize=64)
def stacked(
    unit: str, parts: tuple[tuple[str, str], ...], by: tuple[str, str], language: Language
) -> dict[str, Any]:
    """Return bars stacked by part: name, part, order, money; total and label of each bar.

    `parts` are names with colours in stacking order, `by` what bars and parts are called.
    """
    bars = alt.Chart().mark_bar(stroke="white", strokeWidth=0.5)
    bars = bars.transform_filter("isValid(datum.money)")  # a row without would break the stack
    bars = bars.encode(
        x=alt.X("money:Q", axis=_axis(unit)),
        y=_names(),
        color=alt.Color(
            "part:N",
            scale=alt.Scale(
                domain=[name for name, _ in parts], range=[colour for _, colour in parts]
            ),
            legend=alt.Legend() if len(parts) > 1 else None,
        ),
        order="order:Q",
        tooltip=[
            alt.Tooltip("name:N", title=by[0]),
            alt.Tooltip("part:N", title=by[1]),
            alt.Tooltip("money:Q", title=unit, format=_NUMBER),
        ],
    )
    return _structure(bars, _labels(alt.X("total:Q"), "isValid(datum.total)"), language=language)


@lru_cache(maxsize=16)
def diverging(axis: str, language: Language) -> dict[str, Any]:
    """Return bars to both sides of zero: name, money, label."""
    loss, gain = alt.value(COLOURS["loss"]), alt.value(COLOURS["gain"])
    bars = alt.Chart().mark_bar()
    bars = bars.encode(
        x=alt.X("money:Q", axis=_axis(axis)),
        y=_names(),
        color=alt.condition("datum.money < 0", loss, gain),
        tooltip=[alt.Tooltip("name:N", title=" "), alt.Tooltip("label:N", title=axis)],
    )
    zero = alt.Chart().mark_rule(color="#666666").encode(x=alt.datum(0))
    below = _labels(alt.X(datum=0), "datum.money < 0")  # beside the name there is no room
    above = _labels(alt.X("money:Q"), "datum.money >= 0")
    return _structure(bars, zero, below, above, language=language)


@lru_cache(maxsize=16)
def intervals(unit: str, language: Language) -> dict[str, Any]:
    """Return ranges with expectation, plan and money disbursed: name, `FIGURES` and likely."""
    colour = _keyed("forecast", language)
    order = ("range_95", "range_80", "done", "expected", "plan")
    tips = _tips(("plan", "disbursed", "expected"), language)

    def layer(mark: alt.Chart, figure: str, key: str, **more: Any) -> alt.Chart:
        x = alt.X(f"{figure}:Q", axis=_axis(unit))
        done: alt.Chart = mark.encode(x=x, y=_names(), color=colour(key), tooltip=tips, **more)
        return done

    wide: alt.Chart = alt.Chart().mark_bar(height=16)
    narrow: alt.Chart = alt.Chart().mark_bar(height=6)

    return _structure(
        layer(wide, "lower_95", "range_95", x2="upper_95"),
        layer(wide, "lower_80", "range_80", x2="upper_80"),
        layer(narrow, "disbursed", "done"),
        layer(alt.Chart().mark_tick(thickness=3, size=18, opacity=1), "expected", "expected"),
        layer(
            alt.Chart().mark_point(shape="diamond", size=70, strokeWidth=2, opacity=1),
            "plan",
            "plan",
        ),
        language=language,
        legend=order,
    )


@lru_cache(maxsize=4)
def completion(language: Language) -> dict[str, Any]:
    """Return shares of the plan so far and expected, in percent: name, done, expected, label.

    end: where its label stands, behind the mark and the line of the whole plan.
    """
    colour = _keyed("completion", language)
    axis = _axis(say("charts.completion.axis", language))
    tips = [alt.Tooltip("name:N", title=" "), alt.Tooltip("label:N", title=axis.title)]
    bars = alt.Chart().mark_bar(height=14)
    ticks = alt.Chart().mark_tick(thickness=3, size=20, opacity=1)
    whole = alt.Chart().mark_rule(color="#666666", strokeDash=[4, 3]).encode(x=alt.datum(100))
    return _structure(
        bars.encode(x=alt.X("done:Q", axis=axis), y=_names(), color=colour("done"), tooltip=tips),
        whole,
        ticks.encode(x="expected:Q", y=_names(), color=colour("expected"), tooltip=tips),
        _labels(alt.X("end:Q"), "isValid(datum.expected)"),
        language=language,
        legend=("done", "expected"),
    )


# ---------------------------------------------------------------------------- places


def _shaded(x: alt.X, y: alt.Y, tip: str, sides: bool) -> alt.Chart:
    """Return squares as deep in colour as their shade: 0 to 1, or -1 to 1 with `sides`."""
    colours = alt.Scale(
        domain=[-1, 0, 1] if sides else [0, 1], range=list(_SIDES if sides else _SHADES), clamp=True
    )
    shade = alt.Color("shade:Q", scale=colours, legend=None)
    tips = [alt.Tooltip("tip:N", title=" "), alt.Tooltip("value:N", title=tip)]
    squares: alt.Chart = (
        alt.Chart()
        .mark_rect(stroke="#8A8A8A", strokeWidth=0.6, invalid="show")
        .encode(
            x=x,
            y=y,
            color=alt.condition("isValid(datum.shade)", shade, alt.value(_BLANK)),
            tooltip=tips,
        )
    )
    return squares


def _written(x: alt.X, y: alt.Y, text: str, **how: Any) -> alt.Chart:
    """Return texts in squares, light on dark ones."""
    ink = alt.condition("datum.dark", alt.value("#FFFFFF"), alt.value("#1A1A1A"))
    mark: alt.Chart = alt.Chart().mark_text(**how)
    written: alt.Chart = mark.encode(x=x, y=y, text=f"{text}:N", color=ink)
    return written


@lru_cache(maxsize=16)
def tiles(columns: int, rows: int, tip: str, sides: bool, language: Language) -> dict[str, Any]:
    """Return a square a place: column, row, name, value, shade, dark, tip; see `_shaded`."""
    x = alt.X("column:O", axis=None, scale=alt.Scale(domain=list(range(columns)), padding=0.04))
    y = alt.Y("row:O", axis=None, scale=alt.Scale(domain=list(range(rows)), padding=0.06))
    return _structure(
        _shaded(x, y, tip, sides),
        _written(x, y, "name", dy=-8, fontSize=10),
        _written(x, y, "value", dy=8, fontSize=12, fontWeight="bold"),
        language=language,
        size=(alt.Step(92), alt.Step(34)),
    )


@lru_cache(maxsize=16)
def heat(tip: str, sides: bool, lines: int, language: Language) -> dict[str, Any]:
    """Return a square a place and area: name, part, value, shade, dark, tip.

    Parts are in up to so many lines, parted by "|".
    """
    axis = alt.Axis(
        title=None,
        orient="top",
        labelAngle=0,
        labelLimit=0,
        labelBaseline="top",
        labelPadding=14 * lines + 4,
        labelFontSize=11,
        labelExpr="split(datum.label, '|')",
        labelOverlap=False,
        ticks=False,
        domain=False,
    )
    x, y = alt.X("part:N", sort=None, axis=axis), _names()
    return _structure(
        _shaded(x, y, tip, sides),
        _written(x, y, "value", fontSize=11),
        language=language,
        size=(alt.Step(86), alt.Step(21)),
    )


# ---------------------------------------------------------------------------- in time, in steps


@lru_cache(maxsize=16)
def fan(unit: str, year_end: int, language: Language) -> dict[str, Any]:
    """Return a year by month: month, reported, before and `FIGURES` but disbursed."""
    bands: dict[str, list[int]] = {"range_95": [], "range_80": []}
    lines = {"done": [1, 0], "expected": [6, 3], "plan": [1, 0], "before": [2, 2]}
    letter, last = (say(f"charts.fan.{key}", language) for key in ("letter", "settled"))
    months = alt.Axis(
        title=say(f"charts.fan.{'months_settled' if year_end > 12 else 'months'}", language),
        values=list(range(1, year_end + 1)),
        labelExpr=f"datum.value == 13 ? '{last}' : '{letter}' + datum.value",
        grid=False,
        labelFlush=False,
    )
    x = alt.X("month:Q", axis=months, scale=alt.Scale(domain=[0, year_end], nice=False))
    tips = _tips(("reported", "plan", "before", "expected"), language)

    def line(key: str, figure: str, **how: Any) -> alt.Chart:
        mark: alt.Chart = alt.Chart().mark_line(**how)
        drawn: alt.Chart = mark.encode(
            x=x,
            y=alt.Y(f"{figure}:Q", axis=_axis(unit)),
            tooltip=tips,
            **_told("fan", lines, "stroke", language),
        )
        drawn = drawn.transform_calculate(key=_text(f"charts.fan.{key}", language))
        return drawn.transform_filter(f"isValid(datum.{figure})")

    def band(key: str) -> alt.Chart:
        ends = key.replace("range", "lower"), key.replace("range", "upper")
        mark: alt.Chart = alt.Chart().mark_area(line=False, opacity=1)
        drawn: alt.Chart = mark.encode(
            x=x,
            y=alt.Y(f"{ends[0]}:Q", axis=_axis(unit)),
            y2=ends[1],
            tooltip=tips,
            **_told("fan", bands, "square", language),
        )
        drawn = drawn.transform_calculate(key=_text(f"charts.fan.{key}", language))
        return drawn.transform_filter(f"isValid(datum.{ends[0]})")

    return _structure(
        alt.layer(band("range_95"), band("range_80")),
        alt.layer(
            line("before", "before", strokeWidth=1.5),
            line("plan", "plan", strokeWidth=2, interpolate="step-after"),
            line("expected", "expected", strokeWidth=2),
            line("done", "reported", strokeWidth=3, point=alt.OverlayMarkDef(size=45, filled=True)),
        ),
        language=language,
        size=(720, 310),
    )


@lru_cache(maxsize=16)
def bridge(unit: str, lines: int, language: Language) -> dict[str, Any]:
    """Return steps from one total to another: name, next, low, high, money, total, end, label.

    Names are in up to so many lines.
    """
    counted = "length(split(datum.label, '\\n'))"
    middle = [{"test": f"{counted} == {n}", "value": -7 * (n - 1)} for n in range(2, lines + 1)]
    offset = {"labelOffset": {"condition": middle, "value": 0}} if middle else {}
    named = _names(labelExpr="split(datum.label, '\\n')", **offset)
    loss, gain = alt.value(COLOURS["loss"]), alt.value(COLOURS["gain"])
    tips = [alt.Tooltip("name:N", title=" "), alt.Tooltip("label:N", title=unit)]
    axis = alt.X("low:Q", axis=_axis(unit), scale=alt.Scale(zero=False, nice=True, padding=30))
    bars = alt.Chart().mark_bar(height=15).transform_filter("isValid(datum.money)")
    bars = bars.encode(
        x=axis,
        x2="high",
        y=named,
        color=alt.condition("datum.money < 0", loss, gain),
        tooltip=tips,
    )
    ends = alt.Chart().mark_point(shape="diamond", size=110, filled=True, opacity=1)
    ends = ends.encode(x="total:Q", y=named, color=alt.value("#000000"), tooltip=tips)
    links = alt.Chart().mark_rule(color="#767676", strokeDash=[2, 2])
    links = links.encode(x="total:Q", y=named, y2="next:N")
    return _structure(
        links.transform_filter("isValid(datum.next)"),
        bars,
        ends.transform_filter("!isValid(datum.money)"),
        _labels(alt.X("end:Q"), "true", named),
        language=language,
        size=(460, alt.Step(max(30, 14 * lines + 8))),
    )


@lru_cache(maxsize=16)
def trade(goals: tuple[str, str], language: Language) -> dict[str, Any]:
    """Return what one goal gives for another: first, second, label, tip."""
    scale = alt.Scale(zero=False, nice=True, padding=24)
    x = alt.X("second:Q", axis=_axis(goals[1]), scale=scale)
    y = alt.Y("first:Q", axis=_axis(goals[0]), scale=scale)
    tips = [
        alt.Tooltip("label:N", title=say("charts.columns.give", language)),
        alt.Tooltip("first:Q", title=goals[0], format=_NUMBER),
        alt.Tooltip("second:Q", title=goals[1], format=_NUMBER),
    ]
    line = alt.Chart().mark_line(color=COLOURS["gain"], strokeWidth=2)
    points = alt.Chart().mark_point(color=COLOURS["gain"], size=70, filled=True, opacity=1)
    texts = alt.Chart().mark_text(align="left", dx=8, dy=-8, fontSize=12)
    return _structure(
        line.encode(x=x, y=y, order="give:Q"),
        points.encode(x=x, y=y, tooltip=tips),
        texts.encode(x=x, y=y, text="label:N"),
        language=language,
        size=(480, 320),
    )
