"""What is known before any figure of the user's own: published completions and the law's payments.

Few completions were ever published and fewer pairs of mid-year and year-end, so that this prior is
wide on purpose. It is all that a cell without history rests on.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from kc_model import reference
from kc_model.runoff import Floats, pattern_between, ratio

__all__ = ["Prior", "build_prior"]

_SUREST = 0.9  # no completion is held to be surer than this
_CELL_SPREAD = 2.0  # one cell scatters about twice as much as a region (assumed)


@dataclass(frozen=True)
class Prior:
    """The prior of every cell.

    Parameters
    ----------
    completion : array (n_cells,)
        Expected year-end disbursement over the plan in force.
    pattern : array (n_cells, n_periods + 1)
        Share of the year's money disbursed by the end of each month; column 0 is 0.
    year_spread, cell_spread : float
        Standard deviation of completion over the root of q(1 - q), of what all cells share in a
        year and of one cell.
    timing_spread : float
        The same of the share disbursed by a month in the year, of one cell.
    """

    completion: Floats
    pattern: Floats
    year_spread: float
    cell_spread: float
    timing_spread: float

    def credibility(self, developed: Floats) -> Floats:
        r"""Return how much of a lead over the usual pace is left at year-end.

        .. math:: b = \frac{G \, V_q}{q^2 V_G + G^2 V_q}

        the regression of year-end money on money so far when completion q and development G both
        scatter: 1 would be Bornhuetter-Ferguson, 0 says that a lead is only a matter of timing.

        Parameters
        ----------
        developed : array (n_cells,)
            Share G usually disbursed by now.
        """
        q = np.minimum(self.completion, _SUREST)
        of_completion = (self.year_spread**2 + self.cell_spread**2) * q * (1.0 - q)
        of_timing = self.timing_spread**2 * developed * (1.0 - developed)
        bottom = q**2 * of_timing + developed**2 * of_completion
        return np.nan_to_num(ratio(developed * of_completion, bottom))


def build_prior(
    cells: pd.DataFrame, year: int, n_periods: int, planned: NDArray[np.bool_] | None = None
) -> Prior:
    """Return the prior of cells for a year.

    Only figures of whole regions or the country count, each (scope, year) once, against the plan of
    the year; figures of `year` itself are left out, so that no forecast is told its own outcome.

    Parameters
    ----------
    cells : DataFrame
        area and source of each cell.
    n_periods : int
        12 or 13.
    planned : bool array (n_cells,) or None
        Whether a cell has plans to be measured by (None: all have); without, its exposure is what
        its earlier outturns lead to expect, and the prior is that it comes true.

    Notes
    -----
    Published shares give one development curve for all areas; an area's curve is that one to the
    power (1 + p) / (1 + p of TECH), where p is how much of the work is done when the law lets the
    average đồng go (`law_advance`: 70 % on contract, or after 70 % of the investment). TECH is the
    measure because most of the published money is TECH's.
    """
    published = _published(year, n_periods)
    power = np.array([published.power.get(area, 1.0) for area in cells["area"]])
    level = [published.level[source] for source in cells["source"]]
    return Prior(
        completion=np.where(True if planned is None else planned, np.array(level, np.float64), 1.0),
        pattern=np.power(published.curve, power[:, None]),
        year_spread=published.spread,
        cell_spread=_CELL_SPREAD * published.spread,
        timing_spread=_CELL_SPREAD * published.scatter,
    )


class _Published(NamedTuple):
    """What the published figures of other years and the law say.

    `level` is mean year-end completion by source; `spread` and `scatter` those of completion and of
    the share disbursed within the year, between regions and years; `curve` (1, n_periods + 1);
    `power` of the curve by area.
    """

    level: dict[str, float]
    spread: float
    curve: Floats
    scatter: float
    power: dict[str, float]


@cache
def _published(year: int, n_periods: int) -> _Published:
    rows = reference.published_completion()
    rows = rows[
        rows["scope"].str.fullmatch("VN|R-.")
        & (rows["year"] != year)
        & (rows["plan_definition"] != "plan in mid-year")
    ]
    level, spread = _year_end(rows[(rows["month"] >= 12) & (rows["area"] == "ALL")])
    curve, scatter = _curve(rows[rows["month"] < 12], level["ALL"], n_periods)
    return _Published(level, spread, curve, scatter, _powers())


def _year_end(ends: pd.DataFrame) -> tuple[dict[str, float], float]:
    """Return mean year-end completion by source, and the spread about it over root q(1 - q)."""
    means = ends.groupby(["source", "scope", "year"])["completion"].mean()
    level = {str(source): float(rate) for source, rate in means.groupby("source").mean().items()}
    about = means - means.groupby("source").transform("mean")
    overall = float(means.mean())
    freedom = len(means) - len(level)
    return level, float(np.sqrt((about**2).sum() / freedom / (overall * (1.0 - overall))))


def _curve(part: pd.DataFrame, year_end: float, n_periods: int) -> tuple[Floats, float]:
    """Return the share disbursed by each month, and the spread about it over root g(1 - g)."""
    shares = part.groupby(["month", "scope", "year"])["completion"].mean() / year_end
    by_month = shares.groupby("month").mean()
    usual = shares.groupby("month").transform("mean").to_numpy(dtype=np.float64)
    about = (shares.to_numpy(dtype=np.float64) - usual) ** 2 / (usual * (1.0 - usual))
    scatter = float(np.sqrt(about.sum() / (len(shares) - len(by_month))))
    known, observed = np.zeros((1, n_periods)), np.zeros(n_periods, dtype=bool)
    months = by_month.index.to_numpy(dtype=np.intp)
    known[0, months - 1], observed[months - 1] = by_month.to_numpy(dtype=np.float64), True
    return pattern_between(known, observed), scatter


def _powers() -> dict[str, float]:
    """Return the power of the curve for each area that the law's payments speak of."""
    law = reference.law("advance")
    share = law["first_advance_share"].to_numpy(dtype=np.float64)
    condition = [_work_done(text) for text in law["condition_en"]]
    done = pd.Series(share * condition + (1.0 - share), index=law["area"].str.split(";"))
    by_area = done.reset_index(name="done").explode("area").groupby("area")["done"].mean()
    powers = (1.0 + by_area.drop("ALL", errors="ignore")) / (1.0 + by_area["TECH"])
    return {str(area): float(power) for area, power in powers.items()}


def _work_done(condition: str) -> float:
    """Return the share of the work done when an advance is paid."""
    percent = re.search(r"(\d+) %", condition)
    if percent:
        return float(percent[1]) / 100.0
    return 1.0 if "acceptance" in condition else 0.0
