"""A backtest in sentences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from kc_model import reference
from kc_model.backtest.rivals import RIVALS, SIZES
from kc_model.money import SHOWN, format_money, format_number
from kc_model.wording import Language, say

__all__ = ["Averages", "on_accuracy", "on_extent", "on_kinds"]

Averages = Mapping[tuple[str, str], Mapping[str, Any]]
"""Rows of `Backtest.summary` by their two keys."""

_TELLING = 30  # scores below which an average says little
_HONEST = (0.75, 0.86)  # coverage of an 80 % range that may stand


def on_extent(
    done: Sequence[tuple[int, int]],
    left: Sequence[tuple[int, int]],
    n_scores: int,
    language: Language,
) -> Iterator[str]:
    """Say what was tried, and what an interruption left."""
    months = sorted({month for _, month in done})
    yield _tell(
        language,
        "tried",
        count=len(done),
        years=", ".join(map(str, sorted({year for year, _ in done}))),
        months=", ".join(str(m) if m else say("backtest.zero", language) for m in months),
        scores=n_scores,
    )
    if left:
        rest = ", ".join(f"{month}/{year}" for year, month in left)
        yield _tell(language, "left", done=len(done), rest=rest)
    if n_scores < _TELLING:
        yield _tell(language, "few", count=n_scores)


def on_accuracy(table: Averages, language: Language) -> Iterator[str]:
    """Say how far off the forecast was month by month, whether its ranges held, who does better."""
    for (by, month), row in table.items():
        if by == "month":
            values = {"cells": row["mae"], "total": table["total-month", month]["mae"]}
            yield _tell(language, "before" if month == "0" else "month", month=month, **values)
    whole = table["all", ""]
    kind = "narrow" if whole["inside_80"] < _HONEST[0] else "honest"
    kind = "wide" if whole["inside_80"] > _HONEST[1] else kind
    values = {name: whole[name] for name in ("inside_80", "inside_95", "width_80")}
    yield _tell(language, f"ranges.{kind}", **values)
    for rival in (*RIVALS, "best"):
        if np.isfinite(ratio := whole[f"ratio_{rival}"]):
            times = format_number(round(ratio, 2), 2, language)
            side = "better" if ratio < 1 else "worse"
            yield _tell(language, f"{side}.{rival}", times=times, name=whole["best"])


def on_kinds(
    table: Averages, sizes: Sequence[float], unit: str, language: Language
) -> Iterator[str]:
    """Say what differs by fund, and by size of plan (`sizes`: limits in VND)."""
    for (by, group), row in table.items():
        if by == "source":
            name = reference.source_name(group, language)
            yield _tell(language, "source", name=name, mae=row["mae"])
    found = {size: table["size", size]["mae"] for size in SIZES if ("size", size) in table}
    if len(found) == len(SIZES):
        first, second = (format_money(limit, SHOWN[unit], language) for limit in sizes)
        yield _tell(language, "sizes", first=first, second=second, **found)


def _tell(language: Language, key: str, /, **values: object) -> str:
    """Return a sentence; every share (a float) as points with one decimal."""
    shown = {
        name: format_number(round(100 * value, 1), 1, language)
        if isinstance(value, float)
        else value
        for name, value in values.items()
    }
    return say(f"backtest.{key}", language, **shown)
