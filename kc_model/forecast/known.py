"""What is known of cells and years, on the clock of a usual year, ready to be borrowed from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kc_model.forecast.credibility import Integers
from kc_model.forecast.panel import Panel
from kc_model.forecast.prior import Prior, build_prior
from kc_model.runoff import Floats, at_time, fill_gaps, latest, ratio, to_usual_clock, usual_time
from kc_model.tables import KEYS

__all__ = ["Evidence", "build_evidence", "build_exposure"]

_FACTORS: Mapping[str, list[str]] = {
    "all": [],
    "source": ["source"],
    "area": ["source", "area"],
    "region": ["source", "region"],
    "place": ["source", "place"],
    "cell": KEYS,
    "kind": ["area"],
    "at": ["place"],
}


@dataclass(frozen=True)
class Evidence:
    """A panel on the clock of a usual year, ready to be borrowed from.

    Parameters
    ----------
    observed : array (n_cells, n_years, n_periods), million VND
        Known money on the usual clock; NaN where not reported.
    filled : array, same shape
        The same with gaps filled.
    final : array (n_cells, n_years), million VND
        Year-end money; NaN where not yet known.
    exposure : array (n_cells, n_years), million VND
        What a year's money is measured by: the plan in force, without one what the years before
        lead to expect.
    planned : bool array (n_cells,)
        Whether the exposure is a plan.
    ceiling : array (n_cells,)
        Most that can be spent over the exposure: 1 where the past kept to its plans.
    time : array (n_cells,)
        Where this year's newest figure stands on the usual clock, months; 0 for a cell wanted
        without one.
    unusual : array (n_cells,)
        How much of what releases in parts set this year back is more than in past years, 0 to 1.
    factors : dict
        Group number of every cell and number of groups, by factor.
    """

    panel: Panel
    prior: Prior
    observed: Floats
    filled: Floats
    final: Floats
    exposure: Floats
    planned: NDArray[np.bool_]
    ceiling: Floats
    time: Floats
    unusual: Floats
    factors: dict[str, tuple[Integers, int]]

    def money_at(self, year: int, time: Floats) -> Floats:
        """Return every cell's money of one year at a time of the usual clock, (n_cells,)."""
        path = self.filled[:, year]
        return at_time(np.c_[np.zeros(len(path)), path], time)


def build_evidence(panel: Panel) -> Evidence:
    """Return a panel with its paths on the clock of a usual year."""
    arrival = np.clip(panel.arrival, 1.0, panel.n_periods)
    late = arrival > 1
    filled = fill_gaps(panel.paths)
    usual = to_usual_clock(filled, arrival)
    _, newest = latest(panel.paths[:, -1])
    months: Floats = newest.astype(np.float64) + 1.0
    others = np.ones(len(months), dtype=bool)
    others[panel.wanted] = False
    months[others & (newest < 0)] = panel.as_of  # not of this year: only lends its past
    factors = {name: panel.codes(keys) for name, keys in _FACTORS.items()}
    final = panel.paths[..., -1]
    exposure, planned, ceiling = build_exposure(panel.plan, final, factors["source"][0])
    source, n_sources = factors["source"]
    first = usual_time(months, arrival[:, -1], panel.n_periods)
    behind = _unusual(first[:, None] - _clocks(panel.tranches, months), source, n_sources)
    in_parts = first[:, None] - _clocks(panel.released, months)
    unusual = np.nan_to_num(ratio(_unusual(in_parts, source, n_sources), in_parts[:, -1]))
    return Evidence(
        panel=panel,
        prior=build_prior(panel.cells, int(panel.years[-1]), panel.n_periods, planned),
        observed=np.where(late[..., None], usual, panel.paths),
        filled=usual,
        final=final,
        exposure=exposure,
        planned=planned,
        ceiling=ceiling,
        time=first - behind,
        unusual=np.clip(unusual, 0.0, 1.0),
        factors=factors,
    )


def _clocks(tranches: Floats, months: Floats) -> Floats:
    """Return where each year stood on the usual clock after so many months, (n_cells, n_years)."""
    n_periods = tranches.shape[-1] - 1
    start = np.arange(1.0, n_periods + 1.0)
    clocks = usual_time(months[:, None], start, n_periods)
    return np.asarray((tranches[..., :-1] * clocks[:, None]).sum(-1), dtype=np.float64)


def _unusual(behind: Floats, source: Integers, n_sources: int) -> Floats:
    """Return how far this year is behind for want of later parts, beyond its fund's past years.

    `behind` (n_cells, n_years) counts months behind the clock of the first part, this year last.
    """
    past = np.maximum(behind[:, :-1], 0.0)
    count = np.bincount(source, minlength=n_sources).astype(float) * past.shape[1]
    total = np.bincount(source, past.sum(1), n_sources).astype(float)
    usual = np.nan_to_num(ratio(total, count))
    return np.maximum(behind[:, -1] - usual[source], 0.0)


# --- what money is measured by --------------------------------------------------------------------


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
