"""How far draws fell from what came."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

__all__ = ["SCORES", "Floats", "crps", "score"]

Floats = NDArray[np.float64]

_LEVELS = {80: (0.1, 0.9), 95: (0.025, 0.975)}
_DONG = 1e-6
"""One đồng in million VND: a range reaches what lies no further outside."""

SCORES = [f"{what}_{level}" for what in ("inside", "width") for level in _LEVELS]
"""Columns that only a method with ranges has."""


def crps(draws: Floats, actual: Floats) -> Floats:
    r"""Return the continuous ranked probability score of draws, exactly, in their unit.

    .. math:: \frac1n \sum_i |x_i - y| - \frac{1}{2 n^2} \sum_{i,j} |x_i - x_j|

    Of a single value it is the absolute error.

    Parameters
    ----------
    draws : array (n_draws, ...)
    actual : array (...)

    References
    ----------
    Gneiting and Raftery, "Strictly proper scoring rules", JASA 102 (2007), eq. 21.
    """
    n_draws = len(draws)
    ranks = (2.0 * np.arange(1, n_draws + 1) - n_draws - 1) / n_draws**2
    spread = np.tensordot(ranks, np.sort(draws, axis=0), axes=1)
    return np.asarray(np.abs(draws - actual).mean(axis=0) - spread, dtype=np.float64)


def score(draws: Floats, actual: Floats, plan: Floats) -> pd.DataFrame:
    """Return how far draws of the year-end fell from what came, in shares of the plan.

    Parameters
    ----------
    draws : array (n_draws, n_units), million VND
    actual, plan : array (n_units,), million VND

    Returns
    -------
    DataFrame
        One row per unit: expected (million VND), error (expected less actual), crps, and for 80 and
        95 % whether the range held the outcome (``inside_80``: 1 or 0) and its ``width_80``;
        errors, scores and widths as shares of `plan`.
    """
    expected = draws.mean(axis=0)
    frame = {"expected": expected, "error": (expected - actual) / plan}
    frame["crps"] = crps(draws, actual) / plan
    for level, shares in _LEVELS.items():
        lower, upper = np.quantile(draws, shares, axis=0)
        slack = np.maximum(_DONG, 1e-9 * np.abs(actual))
        inside = (actual >= lower - slack) & (actual <= upper + slack)
        frame[f"inside_{level}"] = inside.astype(np.float64)
        frame[f"width_{level}"] = (upper - lower) / plan
    return pd.DataFrame(frame)
