"""What the law lets be paid at a project's stage (TT 36/2013 Điều 13-16, ``law_advance.csv``)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pandas as pd

from kc_model import reference

__all__ = ["payable"]

_AFTER_WORK = ("contracted", "work")


def payable(on: date) -> Callable[[str, str, str], tuple[float, float, str]]:
    """Return the function that tells what a stage lets be paid.

    Parameters
    ----------
    on : date
        Day the law is taken of.

    Returns
    -------
    callable (advance, area, stage) to (low, high, basis)
        Shares of the support that may have been paid at that stage, all earlier payments included:
        `low` as it stands, `high` once the work that an advance waits for is done; the articles.
        `advance` is the row of the law the activity falls under; "" takes every row that names the
        area, and the ceiling of all advances where none does. Before the contract nothing is paid,
        after acceptance everything; a stopped project's shares are 0: what it was paid, it keeps.
    """
    law = reference.law("advance", on)
    found: dict[tuple[str, str, str], tuple[float, float, str]] = {}

    def shares(advance: str, area: str, stage: str) -> tuple[float, float, str]:
        key = (advance, area, stage)
        if key not in found:
            found[key] = _shares(_rows(law, advance, area), stage)
        return found[key]

    return shares


def _rows(law: pd.DataFrame, advance: str, area: str) -> pd.DataFrame:
    own = law[law["id"] == advance]
    if own.empty:
        own = law[[area in areas.split(";") for areas in law["area"]]]
    return law[law["area"] == "ALL"] if own.empty else own


def _shares(rows: pd.DataFrame, stage: str) -> tuple[float, float, str]:
    if stage == "accepted":
        return 1.0, 1.0, "; ".join(rows["source"])
    if stage != "contracted" or rows.empty:
        return 0.0, 0.0, "; ".join(rows["source"])
    share, after = rows["first_advance_share"], rows["after"]
    low = share.where(after == "contracted", 0.0).min()
    high = share.where(after.isin(_AFTER_WORK), 0.0).max()
    return float(low), float(high), "; ".join(rows["source"])
