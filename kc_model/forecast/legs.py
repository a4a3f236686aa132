"""What a year-end would be by other means than run-off, and how all means are combined."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from kc_model.forecast.credibility import Integers
from kc_model.forecast.known import Evidence
from kc_model.runoff import Floats, ratio

__all__ = [
    "LEAST_DONORS",
    "LEAST_MONTHS",
    "Starts",
    "after_donors",
    "carried_on",
    "combined",
    "filled_in",
    "from_donors",
    "in_common",
    "learned_weights",
    "trend_and_season",
]

# --- trend and season -----------------------------------------------------------------------------


LEAST_MONTHS = 24
"""Known months below which a unit has no trend and no season."""

_LEAST_AROUND = 15  # the same where later years are known too
_DISCOUNT = 0.98  # weight of a month next to the one after it
_STEADY = 1.0  # the trend counts as seen to be nil in so many months
_EVEN = 0.1  # and each month of the year as seen to be like the others


def trend_and_season(increments: Floats, target: int) -> Floats:
    r"""Return what the months of one year would bring by the unit's own trend and season.

    .. math:: y_t = a + b \, t / n + s_{t \bmod n} + e_t, \qquad
              \min \sum_t \delta^{|T-t|} e_t^2 + \lambda_b b^2 + \lambda_s \sum s^2

    discounted least squares in units of the unit's mean month, one linear system a unit. On public
    budget execution of two Brazilian states it was closer, alone, than Theta and ETS of
    statsmodels, in a thousandth of their time (``benchmarks``).

    Parameters
    ----------
    increments : array (n_units, n_years, n_periods)
        Money of each month; NaN = not known, as are those of the year to foretell that are still to
        come. Years after it may be given: a past year is then foretold from both sides.
    target : int
        Position of the year to foretell.

    Returns
    -------
    array (n_units, n_periods)
        NaN for units with fewer than `LEAST_MONTHS` known months in earlier years; where later
        years are given, with fewer than 15 in all.

    References
    ----------
    R. G. Brown, "Smoothing, Forecasting and Prediction of Discrete Time Series", Prentice-Hall
    (1963), chapter 11 (general exponential smoothing).
    """
    n_units, n_years, n_periods = increments.shape
    series = increments.reshape(n_units, -1)
    known: NDArray[np.bool_] = np.isfinite(series)
    money = np.where(known, series, 0.0)
    size = np.abs(money).sum(1) / np.maximum(known.sum(1), 1)
    money = money / np.where(size > 0, size, 1.0)[:, None]
    end = (target + 1) * n_periods
    month = np.arange(series.shape[1])
    design = np.c_[
        np.ones(len(month)), (month - end) / n_periods, np.tile(np.eye(n_periods), (n_years, 1))
    ]
    weight = _DISCOUNT ** np.abs(end - 1 - month) * known
    k = design.shape[1]
    products = (design[:, :, None] * design[:, None, :]).reshape(len(design), k * k)
    normal = (weight @ products).reshape(n_units, k, k)
    normal += np.diag(np.r_[1e-9, _STEADY, np.full(n_periods, _EVEN)])
    slope = np.linalg.solve(normal, ((weight * money) @ design)[..., None])[..., 0]
    foretold = slope @ design[end - n_periods : end].T * size[:, None]
    ahead = n_years == target + 1
    seen = known[:, : end - n_periods if ahead else None].sum(1)
    enough = seen >= (LEAST_MONTHS if ahead else _LEAST_AROUND)
    return np.where(enough[:, None], foretold, np.nan)


# --- nearest paths --------------------------------------------------------------------------------


LEAST_DONORS = 200
"""Finished years of units below which no path has near neighbours."""

_MOST_DONORS = 1000  # the newest; more take time and add nothing
_NEAREST = 25
_UNLIKE = 0.02  # squared distance between units of different area, place or fund
_TENFOLD = 0.05  # distance between units of which one's plan is ten times the other's


class Starts(NamedTuple):
    """How years of units began.

    Parameters
    ----------
    path : array (n, k)
        Share of the exposure spent by each of k moments, the last being now.
    size : array (n,)
        Exposure, in any one money unit, above 0.
    labels : integer array (n, 3)
        Area, place and fund, as numbers.
    """

    path: Floats
    size: Floats
    labels: Integers

    def chosen(self, rows: slice | NDArray[np.bool_]) -> Starts:
        """Return some of them."""
        return Starts(self.path[rows], self.size[rows], self.labels[rows])


def from_donors(unit: Starts, donor: Starts, came: Floats) -> Floats:
    """Return the share of what was left that units spend if they go on like their nearest donors.

    The 25 donors at the smallest distance count, the nearer the more (triangular weights, as in
    nearest-neighbour regression). Squared distance is the sum of squared differences of the paths,
    plus something for another area, place, fund or size.

    Parameters
    ----------
    unit, donor : Starts
        Donors in order of age, the newest last.
    came : array (n_donors,)
        Share of what each donor had left at that moment that it spent by year-end.

    Returns
    -------
    array (n_units,)
        NaN throughout if there are fewer than `LEAST_DONORS` donors.

    References
    ----------
    T. Cover and P. Hart, "Nearest neighbor pattern classification", IEEE Transactions on
    Information Theory 13 (1967), p. 21-27.
    """
    if len(came) < LEAST_DONORS:
        return np.full(len(unit.size), np.nan)
    donor, came = donor.chosen(slice(-_MOST_DONORS, None)), came[-_MOST_DONORS:]
    kinds = np.vstack([unit.labels, donor.labels]).max(0) + 1
    mine, theirs = _position(unit, kinds), _position(donor, kinds)
    # The squared distance less the unit's own square, which moves none of its donors.
    distance = (theirs**2).sum(1) - 2.0 * (mine @ theirs.T)
    near = np.argpartition(distance, _NEAREST, axis=1)[:, : _NEAREST + 1]
    far = np.take_along_axis(distance, near, 1) + (mine**2).sum(1)[:, None]
    far = np.maximum(far, 0.0).astype(np.float64)
    weight = np.maximum(1.0 - np.nan_to_num(ratio(far, far.max(1, keepdims=True))), 1e-6)
    return np.asarray((weight * came[near]).sum(1) / weight.sum(1), dtype=np.float64)


def _position(starts: Starts, kinds: Integers) -> NDArray[np.float32]:
    """Return points between which squared distance is as told; single precision is plenty."""
    size = _TENFOLD * np.log10(starts.size)
    marks = [
        np.sqrt(_UNLIKE / 2.0) * np.eye(int(n))[label]
        for n, label in zip(kinds, starts.labels.T, strict=True)
    ]
    return np.column_stack([np.clip(starts.path, -0.2, 1.2), size, *marks]).astype(np.float32)


# --- of the evidence ------------------------------------------------------------------------------


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


# --- several made into one ------------------------------------------------------------------------


_RIDGE = 120.0  # equal weights count as so many past errors
_PER_YEAR = 600.0  # errors of one year count as at most so many: they share its luck
_WILD = 5.0  # errors beyond so many times the mean one are read as this


def filled_in(legs: Floats, start: Floats) -> Floats:
    """Return legs with those a unit lacks replaced by the mean of those it has.

    Parameters
    ----------
    legs : array (n_legs, n_units)
        NaN where a leg says nothing of a unit.
    start : array (n_legs,)
        Weights of the mean.
    """
    known = np.isfinite(legs)
    weight = np.where(known, start[:, None], 0.0)
    total = weight.sum(0)
    mean = (weight * np.where(known, legs, 0.0)).sum(0) / np.where(total > 0, total, 1.0)
    return np.where(known, legs, np.where(total > 0, mean, np.nan))


def combined(legs: Floats, weights: Floats, start: Floats) -> Floats:
    """Return the weighted mean of the legs, of those there are; NaN where there is none.

    Parameters
    ----------
    legs : array (n_legs, n_units)
    weights, start : array (n_legs,)
        Weights of the legs; weights that stand in for legs a unit lacks.
    """
    return np.asarray(weights @ filled_in(legs, start), dtype=np.float64)


def learned_weights(errors: list[Floats], start: Floats) -> Floats:
    r"""Return how much each leg counts, from what it got wrong in past years.

    .. math:: \min_{w \ge 0, \sum w = 1} \sum_i \omega_i (w \cdot e_i)^2 / s^2
              + \lambda \sum_k (w_k - w^0_k)^2

    with errors :math:`e_i` of the same moment of the year, every year counting as at most
    600 errors, :math:`s` the mean absolute error of the best leg; the ridge shrinks to the weights
    the legs start with.

    Parameters
    ----------
    errors : list of array (n_legs, n_errors)
        One entry a past year; shares of the exposure; NaN where a leg says nothing.
    start : array (n_legs,)
        Weights without any error to learn from; 0 shuts a leg out.

    References
    ----------
    J. Bates and C. Granger, "The combination of forecasts", Operational Research Quarterly 20
    (1969), p. 451-468; F. Diebold and P. Pauly, "The use of prior information in forecast
    combination", International Journal of Forecasting 6 (1990), p. 503-508.
    """
    open_ = start > 0
    parts, counts = [], []
    for year in errors:
        full = filled_in(year[open_], start[open_])
        full = full[:, np.isfinite(full).all(0)]
        parts.append(full)
        counts.append(np.full(full.shape[1], min(1.0, _PER_YEAR / max(full.shape[1], 1))))
    if not sum(part.shape[1] for part in parts):
        return start
    error, count = np.concatenate(parts, 1), np.concatenate(counts)
    scale = float((np.abs(error) @ count).min() / count.sum())
    if scale <= 0:
        return start
    told = np.clip(error / scale, -_WILD, _WILD) * np.sqrt(count)
    rows = [told.T, np.sqrt(_RIDGE) * np.eye(len(error))]
    one = 1e4 * np.ones((1, len(error)))  # the weights sum to one
    goal = np.r_[np.zeros(error.shape[1]), np.sqrt(_RIDGE) * start[open_] / start.sum(), 1e4]
    found, _ = nnls(np.vstack([*rows, one]), goal)
    weights = np.zeros(len(start))
    weights[open_] = found / found.sum()
    return weights
