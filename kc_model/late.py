"""National money that comes late: which projects can still be finished, which wait.

A project that has not begun begins when its money comes; it takes the months between its start and
its end. What is not finished by then a province may pay from its own money instead, as departments
were asked to in 2021, or register again for the next year (which the Minister decides). No money
moves between the funds: a project changes who pays it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from kc_model.forecast import forecast
from kc_model.money import MILLION, format_money, to_unit
from kc_model.moves import who_decides
from kc_model.projects import offers_at
from kc_model.results import Forecast
from kc_model.tables import KEYS, Dataset, as_rows
from kc_model.wording import Language, say

__all__ = ["LateMoney", "late_money"]

_RUNNING = ("contracted", "accepted")
_TOLD = {"finish": "expected", "prefund": "prefund", "next_year": "rest", "unknown": "support"}


@dataclass(frozen=True)
class LateMoney:
    """What a late arrival leaves of a fund's projects.

    Parameters
    ----------
    data : Dataset
    year, as_of, arrives : int
        Budget year; last month known; month in which the money comes.
    source : str
        The fund that is late.
    frame : DataFrame
        One row per project of the fund that may be chosen, in the order of the law: id, place,
        area, support, expected, rest (Int64 VND: what would be disbursed by year-end, what would
        not), months (Int64: it takes, <NA> where its dates are not known), verdict (``finish``:
        done by year-end once the money comes; ``prefund``: only if the province pays it from now
        on, and it has money that its own plan would leave; ``next_year``: the rest waits for it;
        ``unknown``: its dates do not tell), prefund (Int64 VND), who_decides ("" where nobody has
        to, or nothing was assigned yet).
    free : Series
        Local money by place that the forecast leaves unspent, Int64 VND.
    outlook : Forecast
        With the late arrival.
    """

    data: Dataset
    year: int
    as_of: int
    arrives: int
    source: str
    frame: pd.DataFrame
    free: pd.Series
    outlook: Forecast

    def table(self) -> pd.DataFrame:
        """Return `frame` with its amounts in the dataset's unit."""
        money = ("support", "expected", "rest", "prefund")
        return self.frame.assign(**{n: to_unit(self.frame[n], self.data.unit) for n in money})

    def sentences(self, language: Language = "vi") -> list[str]:
        """Return what can be finished, what a province could pay first, what waits."""
        return list(self._told(language))

    def _told(self, language: Language) -> Iterator[str]:
        unit, frame = self.data.unit, self.frame
        total = format_money(int(frame["support"].sum()), unit, language)
        yield say(
            "late.about", language, source=self.source, month=self.arrives, year=self.year,
            count=len(frame), amount=total,
        )  # fmt: skip
        for verdict, column in _TOLD.items():
            part = frame[frame["verdict"] == verdict]
            amount = format_money(round(int(part[column].sum()), -5), unit, language)
            key = f"late.{verdict}" if len(part) else f"late.no_{verdict}"
            if len(part) or verdict != "unknown":
                yield say(key, language, count=len(part), amount=amount, ids=", ".join(part["id"]))


def late_money(
    data: Dataset, year: int, as_of: int, arrives: int, *, source: str = "KCQG"
) -> LateMoney:
    """Return what becomes of the projects of a fund whose money comes late.

    Parameters
    ----------
    data : Dataset
        With projects.
    year, as_of : int
        Budget year; last month known.
    arrives : int
        Month in which the money comes, after `as_of`.
    source : {"KCQG", "KCDP"}

    Raises
    ------
    ValueError
        If there is no project of the fund, or the month is not one after `as_of`.
    InputError
        See `kc_model.forecast.forecast`.

    Notes
    -----
    Expected is the project's support times what its cell is forecast to complete of its plan with
    the late arrival; at least what its stage makes sure and what the law lets be paid on its
    contract, signed once the money is there; nothing beyond these where it cannot be finished, only
    what is sure where a province pays it first. Pre-funding takes the local money that the forecast
    leaves of the plan in force, place by place, in the order of the law; a project over several
    places is not pre-funded.
    """
    if not as_of < arrives <= 12:
        raise ValueError(f"the money comes in month {arrives}: must be after {as_of}, up to 12")
    offers = offers_at(data, year, as_of)
    own = offers.frame[offers.frame["eligible"] & (offers.frame["source"] == source)]
    if own.empty:
        raise ValueError(f"there is no project of {source} to be paid")
    keys = data.projects[KEYS].assign(place=data.projects["place"].str.split(";"))
    cells = keys.explode("place").drop_duplicates().assign(baseline=MILLION)
    outlook = forecast(
        data, year, as_of, arrival={source: arrives}, cells=_known(data, year, cells)
    )
    completion, free = _completion(outlook), _free(data, outlook)
    left = {str(place): int(vnd) for place, vnd in free.items()}
    rows = []
    for row in as_rows(own.sort_values("rank")):
        rows.append(_row(row, (year, as_of, arrives), completion, left))
    frame = pd.DataFrame(rows).astype(
        dict.fromkeys(("support", "expected", "rest", "months", "prefund"), "Int64")
    )
    return LateMoney(data, year, as_of, arrives, source, frame, free, outlook)


def _known(data: Dataset, year: int, cells: pd.DataFrame) -> pd.DataFrame:
    """Return the cells of projects, and those that the year's plan has besides."""
    told = data.history[(data.history["year"] == year) & data.history["plan"].notna()]
    every = pd.concat([cells, told[KEYS].drop_duplicates().assign(baseline=0)])
    return every.drop_duplicates(KEYS, ignore_index=True).astype({"baseline": "Int64"})


def _completion(outlook: Forecast) -> dict[tuple[Any, ...], float]:
    """Return what each cell is forecast to complete of its plan."""
    plan = outlook.cells["plan"].to_numpy(dtype=float, na_value=np.nan) / MILLION
    share = np.clip(outlook.draws.mean(0) / np.where(plan > 0, plan, np.nan), 0.0, 1.0)
    named = outlook.cells[KEYS].itertuples(index=False, name=None)
    return dict(zip(named, np.nan_to_num(share).tolist(), strict=True))


def _free(data: Dataset, outlook: Forecast) -> pd.Series:
    """Return the local money by place that the forecast leaves of the plan in force."""
    told = data.history[(data.history["year"] == outlook.year) & data.history["plan"].notna()]
    cells = outlook.cells.assign(expected=np.rint(outlook.draws.mean(0) * MILLION))
    cells = cells.merge(told[KEYS].drop_duplicates(), on=KEYS)
    sums = cells[cells["source"] == "KCDP"].groupby("place")[["plan", "expected"]].sum()
    return (sums["plan"] - sums["expected"].astype("Int64")).clip(lower=0).rename("free")


def _row(
    row: dict[str, Any],
    when: tuple[int, int, int],
    completion: dict[tuple[Any, ...], float],
    left: dict[str, int],
) -> dict[str, Any]:
    """Return what becomes of one project; take what it is pre-funded with from what is left."""
    year, as_of, arrives = when
    months = _months(row)
    start = max(as_of + 1, row["start"].month if row["start"] and row["start"].year == year else 1)
    is_running = row["stage"] in _RUNNING
    fits = {at: _in_time(row, max(at, start), months, year) for at in (as_of + 1, arrives)}
    finishes = fits[arrives]
    support, place = int(row["support"]), row["place"]
    rates = [completion.get((p, row["area"], row["activity"], row["source"]), 0.0)
             for p in row["places"]]  # fmt: skip
    forecast_share = float(sum(float(s) * r for s, r in zip(row["shares"], rates, strict=True)))
    need = support - int(row["disbursed"] or 0)
    can = finishes is False and not is_running and fits[as_of + 1] and row["source"] == "KCQG"
    prefund = need if can and 0 < need <= left.get(place, 0) else 0
    if prefund:
        left[place] -= prefund
    share = 0.0 if prefund else row["advance"]  # it begins once the money comes
    if finishes is not False:
        share = max(share, forecast_share)
    late = "prefund" if prefund else "next_year"
    expected = max(int(row["sure"]), int(support * share))
    verdict = {True: "finish", None: "unknown", False: late}[finishes]
    changes = {"prefund": "stopped", "next_year": "next-year"}.get(verdict)
    is_given = row["stage"] not in ("", "registered")  # nobody decides of what was not assigned
    who = who_decides(row["source"], [changes]).who if changes and is_given else ""
    return {
        **{key: row[key] for key in ("id", "place", "area")},
        "support": support,
        "expected": expected,
        "rest": support - expected,
        "months": months,
        "verdict": verdict,
        "prefund": prefund,
        "who_decides": who,
    }


def _in_time(row: dict[str, Any], start: int, months: int | None, year: int) -> bool | None:
    """Return whether a project ends within the year if it can begin in a month; None: unknown."""
    if row["stage"] == "accepted":
        return True
    if row["end"] is not None and (row["stage"] in _RUNNING or row["end"].year > year):
        return bool(row["end"].year <= year)
    return None if months is None or row["stage"] in _RUNNING else start + months - 1 <= 12


def _months(row: dict[str, Any]) -> int | None:
    """Return how many months a project takes by its dates, the first and the last among them."""
    start, end = row["start"], row["end"]
    if start is None or end is None:
        return None
    return int((end.year - start.year) * 12 + end.month - start.month + 1)
