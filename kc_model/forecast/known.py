"""What is known of cells and years, on the clock of a usual year, ready to be borrowed from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kc_model.forecast.credibility import Integers
from kc_model.forecast.exposure import build_exposure
from kc_model.forecast.panel import Panel
from kc_model.forecast.prior import Prior, build_prior
from kc_model.runoff import Floats, at_time, fill_gaps, latest, ratio, to_usual_clock, usual_time

__all__ = ["Evidence", "build_evidence"]

_FACTORS: Mapping[str, list[str]] = {
    "all": [],
    "source": ["source"],
    "area": ["source", "area"],
    "region": ["source", "region"],
    "place": ["source", "place"],
    "cell": ["place", "area", "activity", "source"],
    "kind": ["area"],
    "at": ["place"],
}


@dataclass(frozen=True)
class Evidence:
    """A panel on the clock of a usual year, ready to be borrowed from.

    Parameters
    ----------
    panel : Panel
    prior : Prior
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
