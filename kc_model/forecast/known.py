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
from kc_model.runoff import Floats, at_time, fill_gaps, latest, to_usual_clock, usual_time

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
    start = np.arange(1.0, panel.n_periods + 1.0)
    clocks = usual_time(months[:, None], start, panel.n_periods)
    return Evidence(
        panel=panel,
        prior=build_prior(panel.cells, int(panel.years[-1]), panel.n_periods, planned),
        observed=np.where(late[..., None], usual, panel.paths),
        filled=usual,
        final=final,
        exposure=exposure,
        planned=planned,
        ceiling=ceiling,
        time=(panel.tranches[:, :-1] * clocks).sum(1),
        factors=factors,
    )
