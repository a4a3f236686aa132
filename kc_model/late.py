"""National money that comes late: which projects can still be finished, which wait.

A project that has not begun begins when its money comes; it takes the months between its start and
its end. What its cell is forecast to spend until the year's end is paid out in turn: what is
nearest to its end comes first. It is in time if its months end within the year and at least half of
its support is paid by then, what was paid before included. What is not finished by then a province
may pay from its own money instead, as departments were asked to in 2021, or register again for the
next year (which the Minister decides). No money moves between the funds: a project changes who pays
it.
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

_MOSTLY = 0.5  # of its support: a project with less expected by the year's end is not in time
_RUNNING = ("contracted", "accepted")
_TOLD = {"finish": "expected", "prefund": "prefund", "next_year": "rest", "unknown": "support"}
_LATE = ("ends-late", "half", "behind")  # why a project is not in time

_Cell = tuple[Any, ...]
_Row = dict[str, Any]


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
        expected; ``behind``: so it is because others come before it; ``undated``), over (bool: not
        begun though its end has passed, so that its dates have to be moved), prefund (Int64 VND),
        who_decides ("" where nobody has to, or nothing was assigned yet).
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
    What a cell is forecast to disburse with the late arrival, less what it has already, is for its
    projects: in the part that their support is of what its plan has left, at most all of it. Out of
    it comes first what their stage makes sure and, as far as the plan has it, what the law lets be
    paid on their contract, signed once the money is there. The rest is used in turn: what was
    accepted; what runs, by the share it was paid; what is assigned; what is registered; of equals
    in the order of the law. None gets more than it has still to be paid, nor, not begun where the
    cell has spent, than money begun then would be; one that cannot be finished nothing of the rest,
    one that a province pays first only what is sure. What would be in time were the money there
    next month keeps its turn, so that no project gains by a later arrival. It is in time where its
    dates are and half of its support is paid by the year's end, what was paid before included: of
    two alike the one that was paid more is never further from it. Pre-funding takes the local money
    that the forecast leaves of the plan in force, place by place, in the order of the law; of a
    project that has begun only if it would be in time were the money there next month; never over
    several places. The plan is that of the contract's defaults (cells.csv, or the newest one known
    by then); of a cell without any what its projects ask for stands in.
    """
    if not as_of < arrives <= 12:
        raise ValueError(f"the money comes in month {arrives}: must be after {as_of}, up to 12")
    own = may_wait(data, year, as_of, source).sort_values("rank")
    if own.empty:
        raise ValueError(f"there is no project of {source} to be paid")
    planned = _planned(data, year, as_of)
    cells = _with_asked(planned, own)
    outlook = forecast(data, year, as_of, arrival={source: arrives}, cells=cells)
    now = outlook
    if arrives > as_of + 1:
        now = forecast(data, year, as_of, arrival={source: as_of + 1}, cells=cells)
    rows = [row | {"dated": _dated(row, year, as_of, arrives)} for row in as_rows(own)]
    parts = _parts(own)
    rooms = [_rooms(found, parts) for found in (now, outlook)]
    paid = [_in_turn(rows, found, rooms[0]) for found in rooms]
    free = _free(planned, outlook)
    left = {str(place): int(vnd) for place, vnd in free.items()}
    frame = pd.DataFrame(
        [_row(row, [found[row["id"]] for found in paid], left) for row in rows]
    ).astype(dict.fromkeys(("support", "expected", "rest", "months", "prefund"), "Int64"))
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
    asked = _parts(own)[[*KEYS, "support"]].groupby(KEYS, as_index=False).sum()
    cells = planned.merge(asked, how="left", on=KEYS)
    plan = cells["baseline"].where(cells["baseline"] > 0, cells["support"].fillna(0))
    return cells[KEYS].assign(baseline=plan.astype("Int64"))


def _parts(own: pd.DataFrame) -> pd.DataFrame:
    """Return what projects ask, and were paid, of each cell: keys, support, paid (VND)."""
    parts = own.assign(place=own["places"], share=own["shares"], paid=own["disbursed"].fillna(0))
    parts = parts.explode(["place", "share"])
    money = {
        key: [round(s * m) for s, m in zip(parts["share"], parts[key], strict=True)]
        for key in ("support", "paid")
    }
    return parts[KEYS].assign(**money)


@dataclass(frozen=True)
class _Room:
    """What the projects of a cell can still be paid this year.

    Parameters
    ----------
    absorbs, planned : float, VND
        What they are forecast to spend; what the plan has left.
    anew : float
        The most that can be done of what is only begun once the money comes.
    """

    absorbs: float = 0.0
    planned: float = np.inf
    anew: float = 1.0


@dataclass
class _Paid:
    """What a project is paid from now to the year's end, VND.

    Parameters
    ----------
    floor, sum, alone : float
        Whatever its cells absorb; in its turn; were it the first.
    """

    floor: float = 0.0
    sum: float = 0.0
    alone: float = 0.0


def _rooms(outlook: Forecast, parts: pd.DataFrame) -> dict[_Cell, _Room]:
    """Return what is left for the projects of each cell.

    What a cell has spent by now says nothing of a project that is yet to begin.
    """
    cells, own = outlook.cells, parts.groupby(KEYS)[["support", "paid"]].sum()
    asked = own.reindex(pd.MultiIndex.from_frame(cells[KEYS]), fill_value=0)
    plan, done = (cells[key].to_numpy(dtype=float, na_value=0.0) for key in ("plan", "disbursed"))
    year_end = np.minimum(np.rint(outlook.draws.mean(0) * MILLION), plan)
    spent = np.maximum(done, asked["paid"].to_numpy(dtype=float))
    planned = np.maximum(plan - spent, 0.0)
    part = asked["support"].to_numpy(dtype=float) / np.where(planned > 0, planned, 1.0)
    absorbs = np.maximum(year_end - spent, 0.0) * np.minimum(part, 1.0)
    anew = np.where(done > 0, cells["anew"], 1.0)
    named = cells[KEYS].itertuples(index=False, name=None)
    found = zip(absorbs.tolist(), planned.tolist(), anew.tolist(), strict=True)
    return {key: _Room(*room) for key, room in zip(named, found, strict=True)}


def _in_turn(
    rows: list[_Row], rooms: dict[_Cell, _Room], soonest: dict[_Cell, _Room]
) -> dict[str, _Paid]:
    """Return what each project is paid; each keeps the turn it has with the money next month."""
    left = {key: np.array([room.absorbs, room.planned]) for key, room in rooms.items()}
    found, parts = {row["id"]: _Paid() for row in rows}, []
    for row in sorted(rows, key=_turn):
        paid = int(row["disbursed"] or 0)
        need, sure = max(0, row["support"] - paid), max(0, row["sure"] - paid)
        first = max(0.0, row["support"] * row["advance"] - paid)
        for place, part in zip(row["places"], row["shares"], strict=True):
            share, key = float(part), (place, row["area"], row["activity"], row["source"])
            has = left.setdefault(key, np.array([0.0, np.inf]))
            floor = max(share * sure, min(share * first, float(has[1])))
            left[key] = np.maximum(has - floor, 0.0)
            found[row["id"]].floor += floor
            parts.append((row, key, share * need, floor))
    for row, key, need, floor in parts:
        room, soon = rooms.get(key, _Room()), soonest.get(key, _Room())
        turn = 0.0 if row["dated"][0] is False else need
        most, kept = (
            max(0.0, turn * (1.0 if _has_begun(row) else anew) - floor)
            for anew in (room.anew, max(soon.anew, room.anew))
        )
        own, open_ = found[row["id"]], float(left[key].min())
        own.sum += floor + min(most, open_)
        own.alone += floor + min(most, max(0.0, min(room.absorbs, room.planned) - floor))
        left[key] = left[key] - min(kept, open_)
    return found


def _turn(row: _Row) -> tuple[int, float, int]:
    """Return the order in which projects are paid: those nearest to their end first."""
    stage = {"accepted": 0, "assigned": 2}.get(row["stage"], 3)
    return (
        min(stage, 1) if _has_begun(row) else stage,
        -int(row["disbursed"] or 0) / max(1, int(row["support"])),
        int(row["rank"]),
    )


def _free(planned: pd.DataFrame, outlook: Forecast) -> pd.Series:
    """Return the local money by place that the forecast leaves of the plan in force."""
    cells = outlook.cells.assign(expected=np.rint(outlook.draws.mean(0) * MILLION))
    cells = cells.merge(planned.loc[planned["baseline"] > 0, KEYS], on=KEYS)
    sums = cells[cells["source"] == "KCDP"].groupby("place")[["plan", "expected"]].sum()
    return (sums["plan"] - sums["expected"].astype("Int64")).clip(lower=0).rename("free")


def _row(row: _Row, paid: list[_Paid], left: dict[str, int]) -> _Row:
    """Return what becomes of one project; take what it is pre-funded with from what is left.

    `paid` is what it is with the money next month, and with the money when it arrives.
    """
    support, place, before = int(row["support"]), row["place"], int(row["disbursed"] or 0)
    need, dated, late = support - before, row["dated"], paid[1]
    enough = _MOSTLY * support - before
    finishes = dated[1] and late.sum >= enough
    short = "behind" if late.alone >= enough else "half"
    why = {None: "undated", False: "ends-late"}.get(dated[1], "in-time" if finishes else short)
    is_over = "project-unbegun" in row["why"]
    can = finishes is False and dated[0] and (paid[0].sum >= enough or not _has_begun(row))
    can = can and row["source"] == "KCQG" and row["stage"] != "accepted"
    prefund = need if can and 0 < need <= left.get(place, 0) else 0
    if prefund:
        left[place] -= prefund
    expected = before + round(late.floor if dated[1] is False else late.sum)
    if prefund:
        expected = int(row["sure"])
    verdict = {True: "finish", None: "unknown"}.get(finishes, "prefund" if prefund else "next_year")
    changes = {"prefund": "stopped", "next_year": "next-year"}.get(verdict, "month" * is_over)
    is_given = row["stage"] not in ("", "registered")  # nobody decides of what was not assigned
    who = who_decides(row["source"], [changes]).who if changes and is_given else ""
    return {
        **{key: row[key] for key in ("id", "place", "area")},
        "support": support,
        "expected": expected,
        "rest": support - expected,
        "months": _months(row),
        "verdict": verdict,
        "why": why,
        "over": is_over,
        "prefund": prefund,
        "who_decides": who,
    }


def _has_begun(row: _Row) -> bool:
    """Whether a project runs already, or was paid."""
    return row["stage"] in _RUNNING or (row["disbursed"] or 0) > 0


def _dated(row: _Row, year: int, as_of: int, arrives: int) -> tuple[bool | None, bool | None]:
    """Return whether a project ends within the year: money next month, and when it arrives."""
    start = max(as_of + 1, row["start"].month if row["start"] and row["start"].year == year else 1)
    first, late = (_in_time(row, max(at, start), year) for at in (as_of + 1, arrives))
    return first, late


def _in_time(row: _Row, start: int, year: int) -> bool | None:
    """Return whether a project ends within the year if it can begin in a month; None: unknown."""
    if row["stage"] == "accepted":
        return True
    if row["end"] is not None and (_has_begun(row) or row["end"].year > year):
        return bool(row["end"].year <= year)
    months = _months(row)
    return None if months is None or _has_begun(row) else start + months - 1 <= 12


def _months(row: _Row) -> int | None:
    """Return how many months a project takes by its dates, the first and the last among them."""
    start, end = row["start"], row["end"]
    if start is None or end is None:
        return None
    return int((end.year - start.year) * 12 + end.month - start.month + 1)
