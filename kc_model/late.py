"""National money that comes late: which projects can still be finished, which wait.

A project that has not begun begins when its money comes; it takes the months between its start and
its end. It is in time if these end within the year and at least half of what it has still to be
paid is expected to be. What is not finished by then a province may pay from its own money instead,
as departments were asked to in 2021, or register again for the next year (which the Minister
decides). No money moves between the funds: a project changes who pays it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from kc_model.cells import build_cells, newest_plan_year
from kc_model.errors import Fault, raise_faults
from kc_model.forecast import forecast
from kc_model.money import MILLION, to_unit
from kc_model.moves import who_decides
from kc_model.projects import offers_at
from kc_model.results import Forecast
from kc_model.tables import KEYS, Dataset, as_rows
from kc_model.wording import Language, say
from kc_model.words import Words

__all__ = ["LateMoney", "late_money", "may_wait"]

_MOSTLY = 0.5  # of what it has still to be paid: a project with less expected is not in time
_RUNNING = ("contracted", "accepted")
_TOLD = {"finish": "expected", "prefund": "prefund", "next_year": "rest", "unknown": "support"}
_LATE = ("ends-late", "half")  # why a project is not in time


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
        One row per project of the fund that `may_wait` keeps, in the order of the law: id, place,
        area, support, expected, rest (Int64 VND: what would be disbursed by year-end, what would
        not), months (Int64: it takes, <NA> where its dates are not known), verdict (``finish``:
        mostly done by year-end once the money comes; ``prefund``: only if the province pays it from
        now on, and it has money that its own plan would leave; ``next_year``: the rest waits for
        it; ``unknown``: its dates do not tell), why (what the verdict rests on: ``in-time``;
        ``ends-late``: it would not end within the year; ``half``: it would, but less than half is
        expected; ``undated``), over (bool: not begun though its end has passed, so that its dates
        have to be moved), prefund (Int64 VND), who_decides ("" where nobody has to, or nothing was
        assigned yet).
    free : Series
        Local money by place that the forecast leaves unspent, Int64 VND.
    plan_year : int or None
        The year whose plan stands in for this one's; None: this year's is known, or none is.
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
    plan_year: int | None
    outlook: Forecast

    def table(self) -> pd.DataFrame:
        """Return `frame` with its amounts in the dataset's unit."""
        money = ("support", "expected", "rest", "prefund")
        return self.frame.assign(**{n: to_unit(self.frame[n], self.data.unit) for n in money})

    def sentences(self, language: Language = "vi") -> list[str]:
        """Return what can be finished, what a province could pay first, what waits."""
        return list(self._told(language))

    def _told(self, language: Language) -> Iterator[str]:
        words, frame = Words.of(self.data, language), self.frame
        total = words.vnd(int(frame["support"].sum()))
        yield say(
            "late.about", language, source=self.source, month=self.arrives, year=self.year,
            count=len(frame), amount=total,
        )  # fmt: skip
        if self.plan_year is not None:
            yield say("late.plan_before", language, year=self.year, before=self.plan_year)
        for verdict, column in _TOLD.items():
            part = frame[frame["verdict"] == verdict]
            amount = words.vnd(int(part[column].sum()))
            key = f"late.{verdict}" if len(part) else f"late.no_{verdict}"
            if len(part) or verdict != "unknown":
                support = words.vnd(int(part["support"].sum()))
                values = {"amount": amount, "support": support, "ids": _grouped(part, language)}
                yield say(key, language, count=len(part), **values)
        over = frame[frame["over"]]
        if len(over):
            yield say("late.over", language, count=len(over), ids=", ".join(over["id"]))


def _grouped(part: pd.DataFrame, language: Language) -> str:
    """List the projects of one verdict, those that are not in time by why."""
    told = []
    for why, own in part.groupby("why", sort=False):
        ids = ", ".join(own["id"])
        reason = say(f"late.why.{why}", language)
        told.append(f"{ids} ({reason[:1].lower()}{reason[1:]})" if why in _LATE else ids)
    return "; ".join(told)


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
    the late arrival, no more than what is only begun then where the cell has spent and the project
    has not begun; at least what its stage makes sure and what the law lets be paid on its
    contract, signed once the money is there; nothing beyond these where it cannot be finished, only
    what is sure where a province pays it first. It is in time where its dates are and half of what
    it has still to be paid is expected. Pre-funding takes the local money that the forecast leaves
    of the plan in force, place by place, in the order of the law; of a project that has begun only
    if it would be in time were the money there next month; never over several places. The plan is
    that of the contract's defaults (cells.csv, or the newest one known by then); of a cell without
    any what its projects ask for stands in.
    """
    if not as_of < arrives <= 12:
        raise ValueError(f"the money comes in month {arrives}: must be after {as_of}, up to 12")
    own = may_wait(data, year, as_of, source)
    if own.empty:
        raise ValueError(f"there is no project of {source} to be paid")
    planned = _planned(data, year, as_of)
    cells = _with_asked(planned, own)
    outlook = forecast(data, year, as_of, arrival={source: arrives}, cells=cells)
    now = outlook
    if arrives > as_of + 1:
        now = forecast(data, year, as_of, arrival={source: as_of + 1}, cells=cells)
    completion = (_completion(now), _completion(outlook))
    free = _free(planned, outlook)
    left = {str(place): int(vnd) for place, vnd in free.items()}
    rows = []
    for row in as_rows(own.sort_values("rank")):
        rows.append(_row(row, (year, as_of, arrives), completion, left))
    frame = pd.DataFrame(rows).astype(
        dict.fromkeys(("support", "expected", "rest", "months", "prefund"), "Int64")
    )
    newest = newest_plan_year(data, year, as_of)
    before = newest if newest != year and data.cells.empty else None
    return LateMoney(data, year, as_of, arrives, source, frame, free, before, outlook)


def may_wait(data: Dataset, year: int, as_of: int, source: str) -> pd.DataFrame:
    """Return the offers of a fund that may be chosen; dates that have passed move with the money.

    Parameters
    ----------
    year, as_of : int
        Budget year; last month known.
    source : {"KCQG", "KCDP"}
    """
    frame = offers_at(data, year, as_of).frame
    is_open = frame["why"].map({"project-unbegun"}.issuperset)
    return frame[is_open & (frame["source"] == source)]


def _planned(data: Dataset, year: int, as_of: int) -> pd.DataFrame:
    """Return the year's cells and their baseline, from what was known at the end of a month."""
    rows, faults = data.history, list[Fault]()
    known = rows[(rows["year"] < year) | ((rows["year"] == year) & (rows["month"] <= as_of))]
    then = replace(data, tables={**data.tables, "history": known})
    cells = build_cells(then, year, None, faults).frame
    raise_faults(faults)
    return cells.loc[cells["year"] == year, [*KEYS, "baseline"]]


def _with_asked(planned: pd.DataFrame, own: pd.DataFrame) -> pd.DataFrame:
    """Return the cells' plans; of cells without one what projects ask for."""
    parts = own.assign(place=own["places"], share=own["shares"]).explode(["place", "share"])
    parts["asked"] = [round(s * m) for s, m in zip(parts["share"], parts["support"], strict=True)]
    asked = parts.groupby(KEYS, as_index=False)[["asked"]].sum()
    cells = planned.merge(asked, how="left", on=KEYS)
    plan = cells["baseline"].where(cells["baseline"] > 0, cells["asked"].fillna(0))
    return cells[KEYS].assign(baseline=plan.astype("Int64"))


def _completion(outlook: Forecast) -> dict[tuple[Any, ...], tuple[float, float]]:
    """Return what each cell is forecast to complete of its plan, and what of it is begun later.

    What a cell has spent by now says nothing of a project that is yet to begin.
    """
    plan = outlook.cells["plan"].to_numpy(dtype=float, na_value=np.nan) / MILLION
    share = np.clip(outlook.draws.mean(0) / np.where(plan > 0, plan, np.nan), 0.0, 1.0)
    share = np.nan_to_num(share)
    has_spent = outlook.cells["disbursed"].fillna(0).gt(0)
    later = np.minimum(share, outlook.cells["anew"].where(has_spent, 1.0))
    named = outlook.cells[KEYS].itertuples(index=False, name=None)
    return dict(zip(named, zip(share.tolist(), later.tolist(), strict=True), strict=True))


def _free(planned: pd.DataFrame, outlook: Forecast) -> pd.Series:
    """Return the local money by place that the forecast leaves of the plan in force."""
    cells = outlook.cells.assign(expected=np.rint(outlook.draws.mean(0) * MILLION))
    cells = cells.merge(planned.loc[planned["baseline"] > 0, KEYS], on=KEYS)
    sums = cells[cells["source"] == "KCDP"].groupby("place")[["plan", "expected"]].sum()
    return (sums["plan"] - sums["expected"].astype("Int64")).clip(lower=0).rename("free")


def _row(
    row: dict[str, Any],
    when: tuple[int, int, int],
    completion: tuple[dict[tuple[Any, ...], tuple[float, float]], ...],
    left: dict[str, int],
) -> dict[str, Any]:
    """Return what becomes of one project; take what it is pre-funded with from what is left.

    `completion` is that with the money next month, and with the money when it arrives.
    """
    year, as_of, arrives = when
    months = _months(row)
    start = max(as_of + 1, row["start"].month if row["start"] and row["start"].year == year else 1)
    support, place, paid = int(row["support"]), row["place"], int(row["disbursed"] or 0)
    need = support - paid
    dated = [_in_time(row, max(at, start), months, year) for at in (as_of + 1, arrives)]
    shares = [_share(row, of) for of in completion]
    money = [max(int(row["sure"]), int(support * max(s, row["advance"]))) for s in shares]
    mostly = [expected - paid >= _MOSTLY * need for expected in money]
    finishes = dated[1] and mostly[1]
    why = {None: "undated", False: "ends-late"}.get(dated[1], "in-time" if finishes else "half")
    is_over = "project-unbegun" in row["why"]
    can = finishes is False and dated[0] and (mostly[0] or not _has_begun(row))
    can = can and row["source"] == "KCQG" and row["stage"] != "accepted"
    prefund = need if can and 0 < need <= left.get(place, 0) else 0
    if prefund:
        left[place] -= prefund
    share = 0.0 if prefund else row["advance"]  # it begins once the money comes
    if dated[1] is not False and not prefund:
        share = max(share, shares[1])
    late = "prefund" if prefund else "next_year"
    expected = max(int(row["sure"]), int(support * share))
    verdict = {True: "finish", None: "unknown", False: late}[finishes]
    changes = {"prefund": "stopped", "next_year": "next-year"}.get(verdict, "month" * is_over)
    is_given = row["stage"] not in ("", "registered")  # nobody decides of what was not assigned
    who = who_decides(row["source"], [changes]).who if changes and is_given else ""
    return {
        **{key: row[key] for key in ("id", "place", "area")},
        "support": support,
        "expected": expected,
        "rest": support - expected,
        "months": months,
        "verdict": verdict,
        "why": why,
        "over": is_over,
        "prefund": prefund,
        "who_decides": who,
    }


def _share(row: dict[str, Any], completion: dict[tuple[Any, ...], tuple[float, float]]) -> float:
    """Return what a project's cells are forecast to complete of it, by its shares."""
    keys = [(place, row["area"], row["activity"], row["source"]) for place in row["places"]]
    rates = [completion.get(key, (0.0, 0.0))[not _has_begun(row)] for key in keys]
    return float(sum(float(s) * r for s, r in zip(row["shares"], rates, strict=True)))


def _has_begun(row: dict[str, Any]) -> bool:
    """Whether a project runs already, or was paid."""
    return row["stage"] in _RUNNING or (row["disbursed"] or 0) > 0


def _in_time(row: dict[str, Any], start: int, months: int | None, year: int) -> bool | None:
    """Return whether a project ends within the year if it can begin in a month; None: unknown."""
    if row["stage"] == "accepted":
        return True
    if row["end"] is not None and (_has_begun(row) or row["end"].year > year):
        return bool(row["end"].year <= year)
    return None if months is None or _has_begun(row) else start + months - 1 <= 12


def _months(row: dict[str, Any]) -> int | None:
    """Return how many months a project takes by its dates, the first and the last among them."""
    start, end = row["start"], row["end"]
    if start is None or end is None:
        return None
    return int((end.year - start.year) * 12 + end.month - start.month + 1)
