"""What a year's money is measured by, and the most of it that can be spent."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kc_model.forecast.credibility import Integers
from kc_model.runoff import Floats, ratio

__all__ = ["build_exposure"]

_OLDER = 0.3  # weight of a year's outturn next to the one after it, where there is no plan
_GROWTH_YEARS = 5  # growth is that of all units together over so many years
_OVERRUN = 1.005  # a year-end this much above its plan ran over it
_OFTEN = 0.1  # share of years of units that ran over from which the plan is no ceiling
_SEEN = 20  # finished years of units below which plans are taken to be kept
_RARELY = 0.98  # quantile of completion taken as the ceiling then
_MOST = 5.0


def build_exposure(
    plan: Floats, final: Floats, source: Integers
) -> tuple[Floats, NDArray[np.bool_], Floats]:
    r"""Return the exposure of every cell and year, whether it is a plan, and its ceiling.

    A cell without any plan above 0 is measured by its earlier outturns, the last most, raised by
    the growth of all such cells:

    .. math:: P_t = \frac{\sum_{j \ge 1} 0.3^{j} g_t^{j} U_{t-j}}{\sum_{j \ge 1} 0.3^{j}}

    The ceiling is 1, no more than the plan can be spent, unless a tenth of a source's finished
    years, of 20 at least, ran over the plan that was in force at this time of the year; then the
    completion that only one in fifty exceeded.

    Parameters
    ----------
    plan, final : array (n_cells, n_years), million VND
        Plan in force and year-end money; NaN = none, not yet known.
    source : integer array (n_cells,)

    Returns
    -------
    exposure : array (n_cells, n_years), million VND
        NaN where neither a plan nor an earlier year tells.
    planned : bool array (n_cells,)
    ceiling : array (n_cells,)
    """
    never = ~(plan > 0).any(axis=1) & (final > 0).any(axis=1)
    planned: NDArray[np.bool_] = np.asarray(~never)
    exposure = np.where(planned[:, None], plan, _by_outturn(np.where(planned[:, None], 0, final)))
    rate = ratio(final[:, :-1], np.nan_to_num(exposure[:, :-1]))
    ceiling = np.ones(len(plan))
    for group in np.unique(source):
        for with_plan in (True, False):
            mine = (source == group) & (planned == with_plan)
            seen = rate[mine][np.isfinite(rate[mine])]
            if seen.size >= _SEEN and (seen > _OVERRUN).mean() >= _OFTEN:
                ceiling[mine] = np.clip(np.quantile(seen, _RARELY), 1.0, _MOST)
    return exposure, planned, ceiling


def _by_outturn(final: Floats) -> Floats:
    """Return what earlier outturns lead to expect of each year; NaN where there is none."""
    n_years = final.shape[1]
    level = np.full(final.shape, np.nan)
    for t in range(1, n_years):
        growth = _growth(final[:, :t])
        age = np.arange(t, 0, -1)
        known = np.isfinite(final[:, :t])
        weight = np.where(known, _OLDER**age, 0.0)
        today = np.where(known, final[:, :t], 0.0) * growth**age
        level[:, t] = ratio((weight * today).sum(1), weight.sum(1))
    return level


def _growth(final: Floats) -> float:
    """Return the yearly growth of all units together, between a half and double."""
    last = final.shape[1] - 1
    for back in range(min(_GROWTH_YEARS, last), 0, -1):
        both = np.isfinite(final[:, last]) & np.isfinite(final[:, last - back])
        start = float(final[both, last - back].sum())
        if start > 0:
            return float(np.clip((final[both, last].sum() / start) ** (1.0 / back), 0.5, 2.0))
    return 1.0
