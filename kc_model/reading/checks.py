"""What rows say together: keys that repeat, money counted twice, series that cannot be."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from kc_model import reference
from kc_model.errors import Fault
from kc_model.reading.columns import MERGER, Typed
from kc_model.reading.projects import check_projects
from kc_model.sheets import value_text
from kc_model.tables import CELL_KEYS, KEYS, SCHEMAS, Kind

__all__ = ["check_attributes", "check_table"]

_FAR = 10  # times its plan that no line pays: a digit too many, or another unit
_JUMP = 200  # a plan that grows this many times from a year to the next is in another unit
_INT64 = 2**63 - 1
_PERIOD = ("year", "month")


def check_table(typed: Typed, vintage: str, faults: list[Fault]) -> None:
    """Check the rows of a table against each other; rows with a fault of their own are left out.

    Parameters
    ----------
    vintage : str
        The dataset's; "" where it is at fault.
    faults : list of Fault
        duplicate-row, duplicate-key, duplicate-id, sum-too-large; old-and-new-place, vintage-split,
        vintage-region, total-and-parts; and those of each table's own checks.
    """
    frame = typed.good
    if frame.empty:
        return
    if vintage and set(KEYS) <= set(SCHEMAS[typed.name].key):
        now = _place_now(typed, frame, vintage, faults)
        twice = _check_old_and_new(typed, frame.assign(now=now), faults)
        _check_overlaps(typed, frame.assign(now=now)[now != ""], vintage, faults)
        frame = frame.drop(index=list(twice))
    _check_duplicates(typed, frame, faults)
    _check_sums(typed, frame, faults)
    for check in _CHECKS.get(typed.name, ()):
        check(typed, frame, faults)


def check_attributes(tables: Mapping[str, Typed], faults: list[Fault]) -> None:
    """Refuse attributes of places that stand in ``cells`` too, or have the name of its column.

    A vintage of single rows is refused where only the history has one.
    """
    for typed in tables.values():
        if "vintage" in typed.grid.columns and "vintage" not in SCHEMAS[typed.name].by_name:
            faults.append(Fault("vintage-not-here", typed.grid.heading_at("vintage")))
    if "places" not in tables:
        return
    cells = set(tables["cells"].grid.columns) if "cells" in tables else set()
    taken = cells | set(SCHEMAS["cells"].by_name)
    for name in tables["places"].grid.columns:
        if name != "place" and name in taken:
            at = tables["places"].grid.heading_at(name)
            faults.append(Fault("attribute-twice", at, {"name": name}))


# ---------------------------------------------------------------------------- keys


def _check_duplicates(typed: Typed, frame: pd.DataFrame, faults: list[Fault]) -> None:
    schema = SCHEMAS[typed.name]
    key = [*schema.key, *(["vintage"] if "vintage" in schema.by_name else [])]
    repeated = frame.duplicated(key)
    if not repeated.any():
        return
    group = frame.groupby(key, sort=False, dropna=False).ngroup()
    first = group[~repeated].reset_index(name="group").set_index("group")["index"]
    rows, others = frame.index[repeated], first.loc[group[repeated]]
    names = list(typed.grid.columns)
    here, there = frame.loc[rows, names], frame.loc[others, names].set_axis(rows)
    differs = ~((here == there).fillna(False) | (here.isna() & there.isna())).to_numpy(dtype=bool)
    for row, other, differ in zip(rows, others, differs, strict=True):
        is_named = schema.key == ("id",)  # by a code of its own, which another row took
        own = schema.key[0]
        name = names[int(differ.argmax())] if differ.any() and not is_named else own
        code = "duplicate-id" if is_named else "duplicate-key"
        code = code if differ.any() else "duplicate-row"
        values = {"other": typed.grid.at(int(other), name).cell, "id": frame.loc[row, own]}
        faults.append(Fault(code, typed.grid.at(int(row), name), values))


def _check_sums(typed: Typed, frame: pd.DataFrame, faults: list[Fault]) -> None:
    """Refuse a column whose sum no 64-bit integer holds."""
    for column in SCHEMAS[typed.name].columns:
        if column.kind is Kind.MONEY and column.name in typed.grid.columns:
            amounts = frame[column.name].dropna()
            if len(amounts) and float(amounts.abs().max()) * len(amounts) > _INT64 / 2:
                total = sum(map(abs, map(int, amounts)))
                if total > _INT64:
                    row = int(str(amounts.abs().idxmax()))
                    values = {"total": typed.terms.amount(total)}
                    at = typed.grid.at(row, column.name)
                    faults.append(Fault("sum-too-large", at, values))


# ---------------------------------------------------------------------------- places over time


def _place_now(
    typed: Typed, frame: pd.DataFrame, vintage: str, faults: list[Fault]
) -> pd.Series[str]:
    """Return each row's place in the dataset's vintage, "" where there is none."""
    own = frame["vintage"].replace("", vintage) if "vintage" in frame else None
    now = frame["place"].copy()
    if own is None:
        return now
    if typed.name == "history":
        _warn_of_old_codes(typed, frame, own, faults)
    other = own != vintage
    if vintage == "63":
        _report(typed, frame.index[other], "vintage-split", "vintage", faults)
        return now.mask(other, "")
    new = {code: _successor(code) for code in now[other].unique()}
    now = now.mask(other, now.map(new))
    for row, code in frame.loc[other & (now == ""), "place"].items():
        values = {"place": reference.place_name(str(code), "63")}
        faults.append(Fault("vintage-region", typed.grid.at(int(str(row)), "place"), values))
    return now


def _successor(code: str) -> str:
    """Return the place a former one is part of, "" for a region: the regions changed."""
    try:
        return reference.successor(code)
    except KeyError:
        return ""


def _warn_of_old_codes(
    typed: Typed, frame: pd.DataFrame, own: pd.Series[str], faults: list[Fault]
) -> None:
    """Warn of former provinces in months when they were no more."""
    year, month = MERGER
    late = (frame["year"] > year) | ((frame["year"] == year) & (frame["month"] >= month))
    rows = frame.index[late.fillna(False) & (own == "63")]
    if len(rows):
        at = typed.grid.at(int(rows[0]), "year")
        faults.append(Fault("old-vintage", at, {"count": len(rows)}, "warning"))


def _check_old_and_new(typed: Typed, frame: pd.DataFrame, faults: list[Fault]) -> set[int]:
    """Refuse a former province beside its successor in one period; return the rows refused."""
    former = frame.index.isin(list(typed.renamed)) | (frame["now"] != frame["place"])
    if "vintage" in frame:
        former |= (frame["vintage"] == "63").to_numpy() & (typed.terms.vintage == "34")
    if not former.any():
        return set()
    key = [*_other_keys(typed), "now", "area", "activity", "source"]
    new = frame[~former].reset_index(names="row").drop_duplicates(key)[[*key, "row"]]
    old = frame[former & (frame["now"] != "").to_numpy()].reset_index(names="old")
    both = old.merge(new, on=key)
    for row, other in zip(both["old"], both["row"], strict=True):
        values = {"other": typed.grid.at(int(other), "place").cell}
        faults.append(Fault("old-and-new-place", typed.grid.at(int(row), "place"), values))
    return set(map(int, both["old"]))


def _other_keys(typed: Typed) -> list[str]:
    return [name for name in SCHEMAS[typed.name].key if name not in KEYS]


# ---------------------------------------------------------------------------- totals and parts


def _check_overlaps(typed: Typed, frame: pd.DataFrame, vintage: str, faults: list[Fault]) -> None:
    """Refuse an aggregate (of places, areas or sources) beside what it contains.

    Two rows of one period count money twice if they meet in place, area and source. The widest
    row is named, with one that it meets; rows that would be right without it are not.
    """
    kinds = reference.places(vintage).set_index("code")["kind"]
    wide = (
        2 * (frame["now"] == "VN")
        + (frame["now"].map(kinds) == "region")
        + (frame["area"] == "ALL")
        + (frame["source"] == "ALL")
    )
    if not wide.any():
        return
    period = [name for name in _other_keys(typed) if name in _PERIOD]
    cells = frame.assign(wide=wide).drop_duplicates([*period, "now", *KEYS[1:]])
    meets = _meeting_places(vintage)
    groups = cells.groupby(period, dropna=False, sort=False) if period else [((), cells)]
    for _, group in groups:
        if group["wide"].any():
            _check_period(typed, group, meets, faults)


def _meeting_places(vintage: str) -> pd.DataFrame:
    """Return which places share ground, by code."""
    order = reference.place_order(vintage)
    region = np.array([reference.region_of(code, vintage) for code in order])
    codes = np.array(order)
    meet = codes[:, None] == codes
    meet |= codes[:, None] == region  # a region and its provinces
    meet |= meet.T
    nation = codes == "VN"
    return pd.DataFrame(meet | nation | nation[:, None], index=order, columns=order)


def _check_period(
    typed: Typed, group: pd.DataFrame, meets: pd.DataFrame, faults: list[Fault]
) -> None:
    place, area, activity, source = (group[name].to_numpy() for name in ("now", *KEYS[1:]))
    left: NDArray[np.bool_] = np.ones(len(group), dtype=bool)
    codes = meets.index.get_indexer(pd.Index(place))
    table = meets.to_numpy()
    for i in np.argsort(-group["wide"].to_numpy(dtype=int), kind="stable"):
        if not group["wide"].iloc[i]:
            return
        shared = left & table[codes[i], codes]
        for values, whole in ((area, "ALL"), (source, "ALL"), (activity, "")):
            shared &= (values == values[i]) | (values == whole) | (values[i] == whole)
        differing = (place != place[i]) | (area != area[i]) | (source != source[i])
        hits = np.flatnonzero(shared & differing)
        if len(hits):
            left[i] = False
            _report_overlap(typed, group, (int(i), int(hits[0])), faults)


def _report_overlap(
    typed: Typed, group: pd.DataFrame, rows: tuple[int, int], faults: list[Fault]
) -> None:
    whole, part = (group.iloc[row] for row in rows)
    is_wide = {"place": True, "area": whole["area"] == "ALL", "source": whole["source"] == "ALL"}
    name = next(n for n in ("place", "area", "source") if is_wide[n] and whole[n] != part[n])
    at, other = (typed.grid.at(int(group.index[row]), name) for row in rows)
    values = {"whole": whole[name], "part": part[name], "other": other.cell}
    faults.append(Fault("total-and-parts", at, values))


# ---------------------------------------------------------------------------- each table's own


def _report(
    typed: Typed, rows: Sequence[int] | pd.Index[int], code: str, name: str, faults: list[Fault]
) -> None:
    for row in rows:
        faults.append(Fault(code, typed.grid.at(int(row), name), {"name": name}))


def _check_disbursed(typed: Typed, frame: pd.DataFrame, faults: list[Fault]) -> None:
    """Compare disbursed money with the plan and with zero."""
    disbursed, settled = frame["disbursed"], frame["status"] == "settled"
    negative = (disbursed < 0).fillna(False)
    for row in frame.index[negative]:
        meant = bool(settled[row])
        code = "negative-settled" if meant else "negative-amount"
        held = value_text(typed.grid.value(int(row), "disbursed"))
        values = {"found": held, "vnd": typed.terms.amount(int(disbursed[row]))}
        at = typed.grid.at(int(row), "disbursed")
        faults.append(Fault(code, at, values, "warning" if meant else "error"))
    allowed = frame["plan"] + frame["carried"].fillna(0)
    over = (disbursed > allowed).fillna(False)
    _report(typed, frame.index[over & (allowed == 0)], "money-without-plan", "disbursed", faults)
    year = frame[over & (allowed > 0)]
    for row in year.drop_duplicates(["year", "vintage", *KEYS]).index:
        values = {
            "disbursed": typed.terms.amount(int(disbursed[row])),
            "plan": typed.terms.amount(int(allowed[row])),
        }
        at = typed.grid.at(int(row), "disbursed")
        many = int(disbursed[row]) // int(allowed[row])
        code = "over-plan" if many < _FAR else "far-over-plan"
        faults.append(Fault(code, at, {**values, "many": many}, "warning"))


def _check_cumulative(typed: Typed, frame: pd.DataFrame, faults: list[Fault]) -> None:
    """Refuse cumulative money that falls within a year, unless an estimate or a settlement."""
    cell = ["year", "vintage", *KEYS]
    wrong = (frame["disbursed"] < 0).fillna(False) & (frame["status"] != "settled")  # told already
    known = frame[frame["disbursed"].notna() & ~wrong].sort_values([*cell, "month"])
    groups = known.assign(row=known.index).groupby(cell, sort=False)
    before = groups[["disbursed", "status", "row"]].shift()
    fell = (known["disbursed"] < before["disbursed"]).fillna(False)
    meant = (known["status"] == "settled") | (before["status"] == "estimate")
    money, rows = known["disbursed"], before["row"]
    for row in known.index[fell]:
        other = int(rows[row])
        values = {
            "before": typed.terms.amount(int(money[other])),
            "after": typed.terms.amount(int(money[row])),
            "other": typed.grid.at(other, "disbursed").cell,
        }
        at = typed.grid.at(int(row), "disbursed")
        if meant[row]:
            faults.append(Fault("decrease-meant", at, values, "warning"))
        else:
            faults.append(Fault("decrease", at, values))


def _check_jumps(typed: Typed, frame: pd.DataFrame, faults: list[Fault]) -> None:
    """Warn where a cell's plan is over 200 times that of the year before, or under a 200th."""
    known = frame[(frame["plan"] > 0).fillna(False)]
    cell = ["vintage", *KEYS]
    yearly = known.loc[known.groupby([*cell, "year"], sort=False)["plan"].idxmax()]
    yearly = yearly.sort_values([*cell, "year"])
    before = yearly.groupby(cell, sort=False)[["plan", "year"]].shift()
    ratio = yearly["plan"].astype("float64") / before["plan"].astype("float64")
    follows = (yearly["year"] - before["year"]) == 1
    years = yearly["year"]
    far = follows.fillna(False) & ((ratio > _JUMP) | (ratio < 1 / _JUMP))
    for row in yearly.index[far]:
        values = {"year": years[row], "times": round(max(ratio[row], 1 / ratio[row]))}
        faults.append(Fault("unit-jump", typed.grid.at(int(row), "plan"), values, "warning"))


def _check_bounds(typed: Typed, frame: pd.DataFrame, faults: list[Fault]) -> None:
    wrong = (frame["min"] > frame["max"]).fillna(False)
    _report(typed, frame.index[wrong], "min-above-max", "min", faults)
    free = (frame["unit_cost"] == 0).fillna(False)
    _report(typed, frame.index[free], "zero-unit-cost", "unit_cost", faults)


def _check_slices(typed: Typed, frame: pd.DataFrame, faults: list[Fault]) -> None:
    """Slices end above zero, and a later one is never likelier than an earlier one."""
    _report(typed, frame.index[frame["upto"] <= 0], "upto-not-positive", "upto", faults)
    cell = list(CELL_KEYS)
    ordered = frame.sort_values([*cell, "upto"])
    before = ordered.groupby(cell, sort=False, dropna=False)["rate"].shift()
    _report(typed, ordered.index[ordered["rate"] > before], "rate-increases", "rate", faults)


_CHECKS: Mapping[str, Sequence[Callable[[Typed, pd.DataFrame, list[Fault]], None]]] = {
    "history": (_check_disbursed, _check_cumulative, _check_jumps),
    "cells": (_check_bounds,),
    "absorption": (_check_slices,),
    "projects": (check_projects,),
}
