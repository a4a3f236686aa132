"""What forecasts of past years, made the same way, got wrong: lasting, shared and single errors.

Everything is in the share of what can still be spent (the plan left, where plans are kept) that is
spent by year-end, which lies between 0 and 1 whatever the plan.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, logit

from kc_model.forecast.credibility import Grouping, Integers, shrink
from kc_model.forecast.expectation import Estimate
from kc_model.forecast.known import Evidence
from kc_model.runoff import Floats, ratio

__all__ = ["Lessons", "learn", "spread_at"]

_LEAST_ODDS = 0.02  # shares closer to 0 or 1 are read as this
_RIDGE = np.array([20.0, 200.0, 200.0])  # level and slopes as they stand: worth so many past errors
_SHARED = 5.0  # nothing shared counts as so many past errors
_LIKE_OTHERS = 3.0  # a cell's errors are as large as any: worth so many of its own
_LEAST_SPREAD = 0.2  # of the root of r(1 - r), for shares close to 0 or 1
_AS_IT_IS = np.array([0.0, 1.0, 0.0])  # level, odds of the method, odds of plan x completion alone
_EDGE = 0.005  # no expectation is closer to nothing, or all, of the plan left


@dataclass(frozen=True)
class Lessons:
    """Errors of past years and the forecast corrected for those that last.

    Parameters
    ----------
    share : array (n_cells,)
        Expected share of the plan left, corrected, strictly between 0 and 1.
    shared : array (n_cells, n_past)
        Error a cell shared with its source and area in each past year, in units of `spread_at`.
    own : array (n_cells, n_past)
        The rest, same units; NaN where nothing was left or known.
    after, came : array (n_cells, n_past)
        Share of what could still be spent that past years expected, corrected, and what came of it.
    calm : array (n_cells,)
        Size of a cell's own errors over the usual one, shrunk to 1; `own` is in this unit.
    """

    share: Floats
    shared: Floats
    own: Floats
    after: Floats
    came: Floats
    calm: Floats


def spread_at(share: Floats) -> Floats:
    """Return the unit of errors: the root of r(1 - r), never near 0."""
    return np.maximum(np.sqrt(share * (1.0 - share)), _LEAST_SPREAD)


def learn(evidence: Evidence, now: Estimate, past: list[tuple[int, Estimate]]) -> Lessons:
    """Return the forecast corrected by past errors, and what is left of these.

    What came is regressed, as a share of the plan left and on the log-odds scale, on the share the
    method expected and on the share plan x completion alone would need; a ridge pulls to the method
    as it stands. Past cells count by the root of the plan left.

    Parameters
    ----------
    past : list of (position of the year, Estimate)
    """
    n_cells, n_past = len(now.expected), len(past)
    shared, own = np.zeros((n_cells, n_past)), np.full((n_cells, n_past), np.nan)
    if not past:
        return Lessons(_inside(_share(now, now.expected)), shared, own, own, own, np.ones(n_cells))
    came = np.stack([_share(guess, evidence.final[:, target]) for target, guess in past], 1)
    left = np.stack([_left(guess) for _, guess in past], 1)
    knew = np.stack([_features(guess) for _, guess in past], 1)
    at = np.nonzero(np.isfinite(came))
    if not len(at[0]):
        return Lessons(_inside(_share(now, now.expected)), shared, own, own, own, np.ones(n_cells))
    weights = np.sqrt(left[at])
    planned = evidence.planned[at[0]]
    slope = np.tile(_AS_IT_IS, (n_cells, 1))
    if planned.any():
        slope[evidence.planned] = _fit(knew[at][planned], came[at][planned], weights[planned])
    after = expit((knew * slope[:, None]).sum(2))
    errors = ((came - after) / spread_at(after))[at]
    if n_past > 1:  # one year alone does not show what changes from year to year
        shared = _shared_part(evidence, (errors, weights), (at[0], at[1]), n_past)
    own[at] = errors - shared[at]
    calm = _calmness(own)
    own /= calm[:, None]
    return Lessons(_inside(expit((_features(now) * slope).sum(1))), shared, own, after, came, calm)


def _calmness(own: Floats) -> Floats:
    """Return the size of each cell's own errors over the mean one, shrunk towards 1."""
    size = np.abs(own)
    count = np.isfinite(own).sum(1)
    usual = float(np.nanmean(size)) if count.any() else 0.0
    if usual <= 0:
        return np.ones(len(own))
    return np.asarray((np.nansum(size, 1) / usual + _LIKE_OTHERS) / (count + _LIKE_OTHERS))


def _left(guess: Estimate) -> Floats:
    """Return the money that can still be spent, NaN where that is next to nothing."""
    left = guess.most - np.nan_to_num(guess.disbursed)
    return np.where(left > 0.01 * guess.exposure, left, np.nan)


def _share(guess: Estimate, money: Floats) -> Floats:
    """Return what part of the plan left brings year-end money to `money`."""
    share = ratio(money - np.nan_to_num(guess.disbursed), np.nan_to_num(_left(guess)))
    return np.clip(share, 0.0, 1.0)


def _log_odds(guess: Estimate, money: Floats) -> Floats:
    """Return the log-odds of the share of the plan left that brings year-end money to `money`."""
    share = np.nan_to_num(_share(guess, money), nan=1.0)
    odds: Floats = logit(np.clip(share, _LEAST_ODDS, 1.0 - _LEAST_ODDS))
    return odds


def _features(guess: Estimate) -> Floats:
    """Return a level, the odds of the method's share, and of that of plan x completion alone."""
    method = _log_odds(guess, guess.expected)
    by_plan = _log_odds(guess, guess.exposure * guess.completion)
    return np.stack([np.ones_like(method), method, by_plan], -1)


def _fit(features: Floats, came: Floats, weights: Floats) -> Floats:
    """Return the coefficients of a regression of shares on the log-odds scale.

    A ridge pulls them to the method as it stands: level 0, own odds 1, other odds 0.
    """
    weights = weights / weights.mean()

    def loss(slope: Floats) -> tuple[float, Floats]:
        odds = features @ slope
        share = expit(odds)
        pull = slope - _AS_IT_IS
        value = weights @ (np.logaddexp(0.0, odds) - came * odds) + (_RIDGE * pull) @ pull / 2
        return float(value), features.T @ (weights * (share - came)) + _RIDGE * pull

    return np.asarray(minimize(loss, _AS_IT_IS, jac=True, method="BFGS").x, dtype=np.float64)


def _inside(share: Floats) -> Floats:
    return np.clip(np.nan_to_num(share, nan=1.0), _EDGE, 1.0 - _EDGE)


def _shared_part(
    evidence: Evidence, errors: tuple[Floats, Floats], at: tuple[Integers, Integers], n_past: int
) -> Floats:
    """Return what each cell's source and area missed together in each year.

    `errors` holds errors and their weights, `at` cell and year of each.
    """
    cell, year = at
    factors = [evidence.factors[name] for name in ("source", "area")]
    everybody = Grouping(np.zeros(len(cell), dtype=np.intp), 1)
    yearly = [Grouping(group[cell] * n_past + year, size * n_past) for group, size in factors]
    values, weights = errors[0][:, None], errors[1][:, None]
    effects = shrink(values, weights, [everybody, *yearly], _SHARED)[1:]
    shared = np.zeros((len(evidence.panel.cells), n_past))
    for (group, size), effect in zip(factors, effects, strict=True):
        shared += effect.mean[:, 0].reshape(size, n_past)[group]
    return shared
