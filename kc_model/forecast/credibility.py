"""Borrowing: what each group adds to a common level, trusted as far as its own figures deserve."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kc_model.runoff import Floats, ratio

__all__ = ["Effect", "Grouping", "Integers", "shrink"]

Integers = NDArray[np.intp]


class Grouping(NamedTuple):
    """Which group each observation belongs to.

    Parameters
    ----------
    group : integer array (n_observations,)
        0 to size - 1.
    size : int
        Number of groups there are, those without an observation included.
    """

    group: Integers
    size: int


class Effect(NamedTuple):
    """What the groups of one grouping add.

    Parameters
    ----------
    mean : array (size, k)
        0 for a group without observations.
    doubt : array (size, k)
        Variance the mean leaves open: all that lies between groups for one never observed.
    """

    mean: Floats
    doubt: Floats


def shrink(
    values: Floats, weights: Floats, groupings: Sequence[Grouping], prior_weight: float
) -> list[Effect]:
    r"""Return what each group adds, grouping after grouping, by empirical Bayes.

    Groupings are worked through in order, coarse to fine, each on what the ones before left over;
    they need not be nested. A group's mean residual counts with Bühlmann and Straub's credibility
    :math:`Z_g = W_g / (W_g + s^2/a)`: :math:`W_g` is its weight (an average observation weighs 1),
    :math:`s^2` the variance within groups and :math:`a` between them, both by moments.

    Parameters
    ----------
    values : array (n_observations, k)
        Observations less their prior, k quantities at once; NaN = not known.
    weights : array (n_observations, k)
        At least 0.
    groupings : sequence of Grouping
        The first holds everything in one group, against a prior worth `prior_weight` average
        observations.

    Returns
    -------
    list of Effect
        One for each grouping.

    References
    ----------
    H. Bühlmann and E. Straub, "Glaubwürdigkeit für Schadensätze", Mitteilungen der Vereinigung
    Schweizerischer Versicherungsmathematiker 70 (1970), p. 111-133.
    """
    weights = np.where(np.isfinite(values), weights, 0.0)
    average = ratio(weights.sum(0), (weights > 0).sum(0))
    weights = weights / np.where(np.isfinite(average), average, 1.0)
    rest = np.where(weights > 0, values, 0.0)
    effects: list[Effect] = []
    for grouping in groupings:
        effect = _shrink_one(rest, weights, grouping, None if effects else prior_weight)
        rest = rest - effect.mean[grouping.group]
        effects.append(effect)
    return effects


def _shrink_one(
    rest: Floats, weights: Floats, grouping: Grouping, prior_weight: float | None
) -> Effect:
    weight = _sums(weights, grouping)
    mean = np.nan_to_num(ratio(_sums(weights * rest, grouping), weight))
    squares = (weights * (rest - mean[grouping.group]) ** 2).sum(0)
    seen = (weight > 0).sum(0).astype(np.float64)
    within = ratio(squares, (weights > 0).sum(0) - seen)
    if prior_weight is None:
        between, within = _split(mean, weight, within, seen)
        trust = np.nan_to_num(ratio(weight * between, weight * between + within))
    else:
        between = np.nan_to_num(within) / prior_weight
        trust = weight / (weight + prior_weight)
    return Effect(trust * mean, (1.0 - trust) * between)


def _split(mean: Floats, weight: Floats, within: Floats, seen: Floats) -> tuple[Floats, Floats]:
    """Return the variance between groups and the variance within them.

    Where every group was seen once nothing tells the two apart: they get half each, since last
    year's own figure is worth about as much as everybody's average.
    """
    total = weight.sum(0)
    squares = (weight * (mean - np.nan_to_num(ratio((weight * mean).sum(0), total))) ** 2).sum(0)
    half = np.nan_to_num(ratio(squares, seen - 1.0)) / 2
    once = np.isnan(within) & (seen > 1)
    room = total - np.nan_to_num(ratio((weight**2).sum(0), total))
    moments = np.nan_to_num(ratio(squares - (seen - 1.0) * np.nan_to_num(within), room))
    between = np.where(once, half, np.where(seen > 1, np.maximum(moments, 0.0), 0.0))
    return between, np.where(once, half, np.nan_to_num(within))


def _sums(values: Floats, grouping: Grouping) -> Floats:
    k = values.shape[1]
    at = (grouping.group[:, None] * k + np.arange(k)).ravel()
    sums: Floats = np.bincount(at, values.ravel(), grouping.size * k).astype(np.float64)
    return sums.reshape(grouping.size, k)
