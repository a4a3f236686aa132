"""The time-series leg: every unit's months as a trend and a season, all units at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kc_model.runoff import Floats

__all__ = ["LEAST_MONTHS", "trend_and_season"]

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
