"""Several forecasts of one year-end made into one, trusted as far as each has earned it."""

from __future__ import annotations

import numpy as np
from scipy.optimize import nnls

from kc_model.runoff import Floats

__all__ = ["combined", "filled_in", "learned_weights"]

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
