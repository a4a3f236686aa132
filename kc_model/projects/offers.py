"""One row per project: bounds of its support, eligibility, statutory order, stage."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from kc_model import reference
from kc_model.errors import Address, Fault, raise_faults
from kc_model.money import Amount, format_number
from kc_model.projects.caps import Cap, Norms, WrongNormError, payable
from kc_model.projects.force import IN_FORCE, given_before
from kc_model.projects.management import management_share
from kc_model.reading import linked_ids, needed_by, place_shares
from kc_model.sheets import choice_code
from kc_model.tables import Dataset, as_rows
from kc_model.wording import LANGUAGES

__all__ = ["Offers", "build_offers", "offers_at"]

Row = Mapping[str, Any]

FAULTY = {
    "norm-not-in-force": "norm",
    "norm-elsewhere": "norm",
    "cost-missing": "cost",
    "quantity-missing": "quantity",
    "uplift-local": "norm",
    "project-stopped": "stage",
    "project-over": "end",
    "project-unbegun": "end",
    "project-ahead": "start",
    "support-over-cap": "min_support",
    "place-not-difficult": "norm",
    "management-over": "management",
    "required-out": "requires",
    "project-outside": "place",
    "project-off-grid": "support",
    "project-exact": "support",
    "project-contradiction": "requires",
    "links-void": "requires",
}
"""The column of ``projects`` in which what keeps a project out, or cannot be checked, is mended."""

_WAITING = ("registered", "assigned")
_YEARS = 3  # of past completion that count as experience
_DERIVED = {
    "cap": "Int64",
    "uplifted": "bool",
    "basis": "str",
    "certainty": "str",
    "least": "Int64",
    "most": "Int64",
    "eligible": "bool",
    "completion": "float64",
    "law_rank": "int64",
    "rank": "int64",
    "left": "Int64",
    "payable_low": "float64",
    "payable_high": "float64",
    "payable_basis": "str",
    "advance": "float64",
    "before": "Int64",
    "stays": "bool",
    "sure": "Int64",
}


def offers_at(data: Dataset, year: int, as_of: int | None) -> Offers:
    """Return what every project may be given in a year's plan, or in its adjustment after a month.

    Parameters
    ----------
    as_of : int or None
        Last month known, 0 to 12; None: the plan is for the whole year.

    Raises
    ------
    InputError
        See `build_offers`.
    """
    day = date(year, min((as_of or 0) + 1, 12), 1)
    return build_offers(data, day, is_mid_year=as_of is not None)


@dataclass(frozen=True)
class Offers:
    """Every project of a dataset as it stands on the day of the plan.

    Parameters
    ----------
    frame : DataFrame, one row per project, in the order of the ids, index 0 to n-1
        Every column of ``projects``, ``place_class`` as it counts, a blank ``kind`` as normal, and

        - ``places`` (tuple of str), ``shares`` (tuple of Fraction, sum 1);
        - ``cap`` (VND, <NA> where nothing is capped), ``uplifted``, ``basis``, ``certainty``: what
          the norm lets it have, and what that rests on;
        - ``least``, ``most`` (VND): it gets nothing, or from one to the other; never less than
          what it was paid already;
        - ``eligible``, ``why`` (tuple of fault codes): whether it may be chosen, and why not;
        - ``completion``: past completion of its places' money of its fund, disbursed over plan of
          the last three whole years, NaN without any;
        - ``law_rank`` (1 first, equal for equals), ``rank`` (1 to n, all different);
        - ``left`` (VND): what it can still be paid in all;
        - ``payable_low``, ``payable_high`` (shares of the support), ``payable_basis``: what the law
          lets be paid at its stage, see `kc_model.projects.caps.payable`; ``advance`` (share):
          the low one once it is contracted;
        - ``before`` (VND): what the plan in force gives it; ``stays``: whether it has to be chosen,
          being paid or, mid-year, accepted already; ``sure`` (VND): what of its support counts as
          disbursed by year-end whatever the forecast of its cells says.
    findings : tuple of Fault
        Warnings: every reason why a project is out, and what could not be checked.
    on : date
        Day of the plan.

    Notes
    -----
    A missing ``min_support`` means that the project is paid all it may get, or nothing. One that is
    out but was paid keeps what it was paid, no more. Mid-year an accepted one gets its support,
    and sure are all of that, what the law lets be paid on a contract, and what was paid.
    """

    frame: pd.DataFrame
    findings: tuple[Fault, ...]
    on: date

    @cached_property
    def requires(self) -> NDArray[np.int64]:
        """Pairs (row, row it needs), shape (n, 2)."""
        return self._pairs("requires")

    @cached_property
    def excludes(self) -> NDArray[np.int64]:
        """Pairs of rows that exclude each other, the smaller first, each once, shape (n, 2)."""
        return np.unique(np.sort(self._pairs("excludes"), axis=1), axis=0)

    @cached_property
    def parts(self) -> pd.DataFrame:
        """The places of every project: row, place, area, activity, source, share (float64)."""
        columns = ["area", "activity", "source"]
        parts = self.frame[["places", "shares", *columns]].explode(["places", "shares"])
        parts = parts.rename(columns={"places": "place", "shares": "share"})
        parts = parts.rename_axis("row").reset_index().astype({"share": "float64", "place": "str"})
        return parts[["row", "place", *columns, "share"]]

    def _pairs(self, name: str) -> NDArray[np.int64]:
        number = {one: row for row, one in enumerate(self.frame["id"])}
        pairs = [
            (row, number[other])
            for row, text in enumerate(self.frame[name])
            for other in linked_ids(text)
        ]
        return np.array(pairs, dtype=np.int64).reshape(-1, 2)


def build_offers(data: Dataset, on: date, *, is_mid_year: bool = False) -> Offers:
    """Return what every project of a dataset may be given on the day of a plan.

    Parameters
    ----------
    data : Dataset
    on : date
        Norms and law are those in force that day; its year is the plan's. A project that the plan
        in force has keeps the norms of the year's first day. A norm that comes into force later in
        the year caps the projects that start from then on.
    is_mid_year : bool
        Whether the plan in force counts: stages say what is sure, ties go to its projects, and
        one not begun whose end has passed is out.

    Raises
    ------
    InputError
        Every error at once: project-unsplit, norm-not-in-force, norm-elsewhere, place-class.

    Notes
    -----
    The statutory order (TT 36/2013 Điều 7, TT 46/2012 Điều 6.3): flagship projects; then the class
    of the place, a to d; then that of the industry, b before a; then past completion, as the
    measure of experience and capacity. `rank` goes on with the higher score, then the id. A project
    over several places has a class only where all of them have one, and then the last of these.
    A place is a difficult area where its class is d or its ``difficult`` is 1.
    """
    rows = as_rows(data.projects)
    faults: list[Fault] = []
    places = _Places(data, faults)
    norms = Norms(on, data.vintage)
    frame = data.projects.copy()
    frame["kind"] = frame["kind"].replace("", "normal")
    frame["before"] = given_before(frame)
    frame["place_class"] = [row["place_class"] or places.class_of(row) for row in rows]
    frame["places"] = [tuple(row["place"].split(";")) for row in rows]
    shares = [place_shares(row["split"], row["place"].split(";")) for row in rows]
    frame["shares"] = pd.Series(shares, index=frame.index, dtype=object)
    rows = [
        {**row, "place_class": found, "difficult": found == "d" or places.is_difficult(row)}
        for row, found in zip(rows, frame["place_class"], strict=True)
    ]
    first = Norms(date(on.year, 1, 1), data.vintage)
    judge = _Judge(data, on, norms, first, is_mid_year=is_mid_year)
    caps = [judge.cap(number, row, faults) for number, row in enumerate(rows)]
    frame["cap"] = [cap.amount for cap in caps]
    frame["uplifted"] = [cap.uplifted for cap in caps]
    frame["basis"] = [cap.basis for cap in caps]
    frame["certainty"] = [cap.certainty for cap in caps]
    _bound(frame)
    out = judge.out(rows, caps, frame, faults)
    frame["why"] = [tuple(reasons) for reasons in out]
    frame["eligible"] = [not reasons for reasons in out]
    frame["completion"] = _completion(data, frame, on.year)
    _rank(frame, is_mid_year=is_mid_year)
    _hold(frame, is_mid_year=is_mid_year)
    _stage(frame, norms, on)
    _be_sure(frame, is_mid_year=is_mid_year)
    findings = raise_faults(faults)
    return Offers(frame.astype(_DERIVED), findings, on)


# ---------------------------------------------------------------------------- places


class _Places:
    """What ``places`` says of priority."""

    def __init__(self, data: Dataset, faults: list[Fault]) -> None:
        frame = data.places
        self._difficult: set[str] = set()
        if "difficult" in frame:
            self._difficult = set(frame.loc[frame["difficult"] == 1, "place"])
        self._classes: dict[str, str] = {}
        given = frame["place_class"] if "place_class" in frame else [""] * len(frame)
        for row, (place, text) in enumerate(zip(frame["place"], given, strict=True)):
            code = choice_code("place_class", str(text)) if isinstance(text, str) else ""
            if not code and (text if isinstance(text, str) else not pd.isna(text)):
                at = data.at("places", row, "place_class")
                faults.append(Fault("place-class", at, {"place": place, "found": text}))
            self._classes[place] = code

    def class_of(self, project: Row) -> str:
        """Return the class of all places of a project together, "" where one has none."""
        classes = [self._classes.get(place, "") for place in project["place"].split(";")]
        return max(classes) if all(classes) else ""

    def is_difficult(self, project: Row) -> bool:
        return self._difficult.issuperset(project["place"].split(";"))


# ---------------------------------------------------------------------------- what keeps one out


@dataclass(frozen=True)
class _Judge:
    data: Dataset
    on: date
    norms: Norms
    first: Norms  # of the plan in force
    is_mid_year: bool

    def at(self, number: int, code: str) -> Address:
        """Return the cell that a fault is mended in."""
        return self.data.at("projects", number, FAULTY[code])

    def cap(self, number: int, project: Row, faults: list[Fault]) -> Cap:
        """Return a project's cap; add what is wrong with its norm, or could not be checked."""
        one = {"id": project["id"]}
        for column in ("area", "source"):
            if project[column] == "ALL":
                at = self.data.at("projects", number, column)
                faults.append(Fault("project-unsplit", at, one))
                return Cap()
        is_priority = bool(project["place_class"] or project["industry_class"])
        try:
            cap = self._norms(project).cap(project, is_priority=is_priority)
        except WrongNormError as error:
            faults.append(Fault(error.code, self.at(number, error.code), error.values))
            return Cap()
        missing = {
            "cost-missing": cap.unchecked,
            "quantity-missing": bool(cap.norm)
            and project["kind"] == "group"
            and project["quantity"] is None,
        }
        lower = cap.amount is not None and (project["support"] or 0) > cap.amount
        missing["uplift-local"] = bool(cap.only_national) and lower
        for code in (code for code, is_so in missing.items() if is_so):
            values = {**one, "norm": cap.norm, "basis": cap.only_national}
            faults.append(Fault(code, self.at(number, code), values, "warning"))
        return cap

    def _norms(self, project: Row) -> Norms:
        """Return the norms that count for a project: on the plan's day, else on its first one."""
        norms = self.first if project["stage"] in IN_FORCE else self.norms
        start = project["start"] and project["start"].date()
        if norms.has(project["norm"]) or not start or start.year != self.on.year:
            return norms
        later = Norms(start, self.data.vintage)
        return later if later.has(project["norm"]) else norms

    def out(
        self, rows: list[dict[str, Any]], caps: list[Cap], frame: pd.DataFrame, faults: list[Fault]
    ) -> list[list[str]]:
        """Return the codes of what keeps each project out, adding a warning for each."""
        share = management_share(self.on)
        reasons: list[dict[str, dict[str, object]]] = []
        for row, cap, most in zip(rows, caps, frame["most"], strict=True):
            reasons.append(dict(self._reasons(row, cap, int(most), share)))
        self._add_impossible(rows, reasons)
        self._add_needed(rows, reasons)
        for number, found in enumerate(reasons):
            one = {"id": rows[number]["id"]}
            for code, values in found.items():
                faults.append(Fault(code, self.at(number, code), {**one, **values}, "warning"))
        return [list(found) for found in reasons]

    def _reasons(
        self, row: Row, cap: Cap, most: int, share: tuple[float, str] | None
    ) -> Iterator[tuple[str, dict[str, object]]]:
        """Yield what keeps one project out by itself: code, values."""
        first, last = date(self.on.year, 1, 1), date(self.on.year, 12, 31)
        if row["stage"] == "stopped":
            yield "project-stopped", {}
        if row["end"] is not None and row["end"].date() < first:
            yield "project-over", {"day": f"{row['end']:%d/%m/%Y}", "year": self.on.year}
        elif self._is_too_late(row):
            yield "project-unbegun", {"day": f"{row['end']:%d/%m/%Y}", "month": f"{self.on:%m/%Y}"}
        if row["start"] is not None and row["start"].date() > last:
            yield "project-ahead", {"day": f"{row['start']:%d/%m/%Y}", "year": self.on.year}
        if cap.amount is not None and (row["min_support"] or 0) > most:
            least, most_now = (
                Amount(vnd, self.data.unit) for vnd in (row["min_support"], cap.amount)
            )
            yield "support-over-cap", {"least": least, "cap": most_now, "norm": cap.norm}
        if cap.only_difficult and not row["difficult"]:
            yield "place-not-difficult", {"norm": cap.norm}
        if share is not None and (row["management"] or 0.0) > share[0]:
            parts = {"most": share[0], "found": row["management"]}
            told = {
                f"{name}_{language}": format_number(round(100 * part, 6), None, language)
                for name, part in parts.items()
                for language in LANGUAGES
            }
            yield "management-over", {**told, "basis": share[1]}

    def _add_needed(
        self, rows: list[dict[str, Any]], reasons: list[dict[str, dict[str, object]]]
    ) -> None:
        """Put out every project that needs one that is out by itself, unless it is accepted."""
        gone = {row["id"] for row, found in zip(rows, reasons, strict=True) if found}
        requires = {row["id"]: linked_ids(row["requires"]) for row in rows if row["requires"]}
        for row, found in zip(rows, reasons, strict=True):
            needed = needed_by(requires, row["id"])
            lost = [other for other in needed if other in gone and other != row["id"]]
            if lost and not self._is_done(row):
                found["required-out"] = {"others": "; ".join(lost)}

    def _add_impossible(
        self, rows: list[dict[str, Any]], reasons: list[dict[str, dict[str, object]]]
    ) -> None:
        """Put out every project that needs two, or itself and one, that exclude each other.

        What was paid stays, and what was stopped asks for nothing.
        """
        going = [row for row in rows if row["stage"] != "stopped"]
        stays = {row["id"] for row in going if row["disbursed"] or self._is_done(row)}
        names = [row["id"] for row in going]
        links = {
            key: {row["id"]: linked_ids(row[key]) for row in going if row[key]}
            for key in ("requires", "excludes")
        }
        apart = {frozenset((one, other)) for one, of in links["excludes"].items() for other in of}
        apart = {pair for pair in apart if pair.issubset(names) and not pair <= stays}
        for row, found in zip(rows, reasons, strict=True):
            one = row["id"]
            if one not in links["requires"] or one in stays:
                continue
            together = dict.fromkeys((one, *needed_by(links["requires"], one)))
            pairs = (pair for pair in combinations(together, 2) if frozenset(pair) in apart)
            if clash := next(pairs, None):
                found["project-contradiction"] = {"one": clash[0], "other": clash[1]}

    def _is_too_late(self, row: Row) -> bool:
        """Whether a project is known not to have begun by the day its dates have passed."""
        is_waiting = row["stage"] in _WAITING and not row["disbursed"]
        is_past = row["end"] is not None and row["end"].date() < self.on
        return self.is_mid_year and is_waiting and is_past

    def _is_done(self, row: Row) -> bool:
        return self.is_mid_year and row["stage"] == "accepted"


# ---------------------------------------------------------------------------- columns


def _bound(frame: pd.DataFrame) -> None:
    """Add what a project may get: the lowest of what it asks and its cap, or what it was paid."""
    paid = frame["disbursed"].fillna(0)
    support, cap = frame["support"], frame["cap"].astype("Int64")
    most = support.where(cap.isna() | (support <= cap), cap)
    most = most.where(most >= paid, paid)
    least = frame["min_support"].fillna(most)
    frame["most"] = most
    frame["least"] = least.where(least >= paid, paid)


def _completion(data: Dataset, frame: pd.DataFrame, year: int) -> list[float]:
    """Return the past completion of each project's places in its fund."""
    history = data.history
    whole = history[(history["month"] >= 12) & (history["year"] < year)]
    keys = ["year", "place", "area", "activity", "source"]
    last = whole.sort_values("month", kind="stable").drop_duplicates(keys, keep="last")
    last = last[last["plan"].notna() & last["disbursed"].notna()]
    sums = last.groupby(["source", "year", "place"])[["plan", "disbursed"]].sum()
    found: dict[tuple[str, tuple[str, ...]], float] = {}
    keys_of = list(zip(frame["source"], frame["places"], strict=True))
    for source, places in set(keys_of):
        own = sums[sums.index.get_level_values("source") == source]
        own = own[own.index.get_level_values("place").isin(places)]
        years = sorted(set(own.index.get_level_values("year")))[-_YEARS:]
        own = own[own.index.get_level_values("year").isin(years)]
        plan = int(own["plan"].sum())
        found[source, places] = int(own["disbursed"].sum()) / plan if plan else np.nan
    return [found[key] for key in keys_of]


def _rank(frame: pd.DataFrame, *, is_mid_year: bool) -> None:
    """Add the statutory order, and the order that leaves no two projects equal.

    Mid-year what is contracted goes before what is assigned only, and that before the others.
    """
    law = reference.law("priority")
    order = law.set_index(["kind", "class"])["order"].dropna().to_dict()
    last = len(order) + 1
    keys = pd.DataFrame(
        {
            "flagship": frame["kind"] != "flagship",
            "place": [order.get(("place", code), last) for code in frame["place_class"]],
            "industry": [order.get(("industry", code), last) for code in frame["industry_class"]],
            "completion": -frame["completion"].astype("float64"),
        }
    )
    keys = keys.assign(score=-frame["score"], id=frame["id"])
    if is_mid_year:
        order = {"accepted": 0, "contracted": 0, "assigned": 1}
        keys.insert(0, "new", frame["stage"].map(order).fillna(2))
    ordered = keys.sort_values(keys.columns.to_list(), kind="stable", na_position="last")
    shown = ordered[["flagship", "place", "industry", "completion"]].fillna(np.inf)
    new = (shown != shown.shift()).any(axis=1)
    frame["law_rank"] = new.cumsum().reindex(frame.index)
    frame["rank"] = pd.Series(range(1, len(frame) + 1), index=ordered.index).reindex(frame.index)


def _hold(frame: pd.DataFrame, *, is_mid_year: bool) -> None:
    """Hold what cannot be undone: money paid, and mid-year what was accepted."""
    paid = frame["disbursed"].fillna(0)
    only_paid = (paid > 0) & ~frame["eligible"]
    accepted = is_mid_year & frame["eligible"] & (frame["stage"] == "accepted")
    frame["most"] = frame["most"].where(~only_paid, paid)
    frame["least"] = frame["least"].where(~(only_paid | accepted), frame["most"])
    frame["stays"] = (paid > 0) | accepted


def _be_sure(frame: pd.DataFrame, *, is_mid_year: bool) -> None:
    """Add what of a project counts as disbursed whatever the forecast of its cells says.

    Never more than the least it may get: beyond that its size is open.
    """
    law = np.floor(frame["payable_low"] * frame["most"].astype("float64")).astype("Int64")
    paid = frame["disbursed"].fillna(0)
    sure = paid.where(paid >= law, law) if is_mid_year else 0 * paid
    frame["sure"] = sure.where(sure <= frame["least"], frame["least"])


def _stage(frame: pd.DataFrame, norms: Norms, on: date) -> None:
    """Add what can still be paid, and what the law lets be paid at the stage."""
    paid = frame["disbursed"].fillna(0)
    left = frame["most"] - paid
    frame["left"] = left.where(frame["stage"] != "stopped", 0)
    tell = payable(on)
    shares = [
        tell(norms.advance(norm), area, stage)
        for norm, area, stage in zip(frame["norm"], frame["area"], frame["stage"], strict=True)
    ]
    for k, name in enumerate(("payable_low", "payable_high", "payable_basis")):
        frame[name] = [found[k] for found in shares]
    frame["advance"] = [
        tell(norms.advance(norm), area, "contracted")[0]
        for norm, area in zip(frame["norm"], frame["area"], strict=True)
    ]
