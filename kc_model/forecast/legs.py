"""What a year-end would be by other means than run-off: trend, donors, the common year."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kc_model.forecast.donors import Starts, from_donors
from kc_model.forecast.known import Evidence
from kc_model.forecast.trend import trend_and_season
from kc_model.runoff import Floats, ratio

__all__ = ["after_donors", "carried_on", "in_common"]

_LEAST_DEVELOPED = 0.05  # below this the year so far says nothing of its end
_MOST = 1.5  # a common year is not read as more than this, nor as less than its inverse


def carried_on(
    evidence: Evidence, target: int, value: Floats, reach: Floats, known: NDArray[np.bool_]
) -> Floats:
    """Return year-end money if the months still to come follow the cell's trend and season.

    Months are those of the usual clock; of what they would bring, money that came late gets as much
    as is within its reach.
    """
    later = bool(known[:, target:].any())
    paths = evidence.filled[:, : None if later else target + 1].copy()
    month = np.arange(1, paths.shape[-1] + 1)
    to_come = np.clip(month - evidence.time[:, None], 0.0, 1.0)
    paths[:, target][to_come > 1e-9] = np.nan
    increments = np.diff(paths, prepend=0.0, axis=-1)
    coming = np.where(to_come > 0, to_come * trend_and_season(increments, target), 0.0)
    return np.asarray(value + reach * coming.sum(1), dtype=np.float64)


def after_donors(
    evidence: Evidence, target: int, spent: Floats, known: NDArray[np.bool_]
) -> Floats:
    """Return what share of the room left is spent by year-end after the most alike beginnings.

    Beginnings are held against each other month by month on the usual clock; a cell between two
    months counts as at the nearer.
    """
    share = np.full(len(spent), np.nan)
    labels = np.stack([evidence.factors[name][0] for name in ("kind", "at", "source")], 1)
    size: Floats = np.nan_to_num(evidence.exposure)
    finished = known & np.isfinite(evidence.final) & (size > 0)
    moments = np.rint(evidence.time).astype(np.intp)
    for moment in np.unique(moments[(moments > 0) & (size[:, target] > 0)]).tolist():
        mine = np.flatnonzero((moments == moment) & (size[:, target] > 0))
        path = ratio(evidence.filled[..., :moment], size[..., None])
        cell, year = np.nonzero(finished & np.isfinite(path).all(2))
        order = np.argsort(year, kind="stable")  # the newest last
        cell, year = cell[order], year[order]
        begun = path[cell, year]
        left = evidence.ceiling[cell] - begun[:, -1]
        came = ratio(evidence.final[cell, year] / size[cell, year] - begun[:, -1], left)
        so_far = (spent[mine] / size[mine, target])[:, None]
        now = path[mine, target]
        now = np.where(np.isfinite(now), now, so_far * np.linspace(0.0, 1.0, moment + 1)[1:])
        now[:, -1:] = so_far
        donor = Starts(begun, size[cell, year], labels[cell])
        unit = Starts(now, size[mine, target], labels[mine])
        some = np.isfinite(came)  # who had nothing left tells nothing
        donor = donor.chosen(some)
        share[mine] = from_donors(unit, donor, np.clip(came[some], 0.0, 1.0))
    return share


def in_common(evidence: Evidence, value: Floats, developed: Floats, exposure: Floats) -> Floats:
    """Return what all cells of a fund without plans have spent per exposure used up (Cape Cod)."""
    group, size = evidence.factors["source"]
    told = ~evidence.planned & np.isfinite(value) & (developed >= _LEAST_DEVELOPED)
    spent = np.bincount(group, np.where(told, np.nan_to_num(value), 0.0), size).astype(float)
    used_up = np.bincount(group, np.where(told, developed * exposure, 0.0), size).astype(float)
    rate = ratio(spent, used_up)[group]
    return np.where(np.isfinite(rate), np.clip(rate, 1.0 / _MOST, _MOST), 1.0)
