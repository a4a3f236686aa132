"""Joint draws of year-end money, bounded, with what all cells share in a year kept together.

A draw lives in the share of the remaining plan: 0 is nothing more spent, 1 all of it. Bounded draws
cannot leave [disbursed, max(plan, disbursed)], and their mean is the point forecast.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from kc_model.forecast.credibility import Integers
from kc_model.forecast.expectation import Estimate, Evidence
from kc_model.forecast.lessons import Lessons, learn, spread_at
from kc_model.forecast.panel import KEYS, MILLION
from kc_model.runoff import Floats, catch_up, ratio

__all__ = ["Draws", "absorption", "draw"]

_PRIOR_YEARS = 2.0  # the published spread between years counts as so many years
_PRIOR_ERRORS = 10.0  # and that between cells as so many errors
_SMALL_POOL = 30  # errors of an area below which its source's are drawn from
_QUANTILES = (0.0, 0.1, 0.25, 0.4, 0.55, 0.7, 0.85, 0.95, 1.0)


@dataclass(frozen=True)
class Draws:
    """Joint draws; arrays (n_draws, n_wanted), million VND.

    Parameters
    ----------
    year_end : array
        Year-end money under the plan in force.
    capacity : array
        What the cell could disburse by year-end if it were given the money.
    n_years, n_errors : int
        Past years and single forecast errors the spread rests on besides the published one.
    """

    year_end: Floats
    capacity: Floats
    n_years: int
    n_errors: int


def draw(
    evidence: Evidence,
    now: Estimate,
    past: list[tuple[int, Estimate]],
    *,
    n_draws: int,
    seed: int,
) -> Draws:
    """Return joint draws of the cells wanted.

    A draw takes one past year at random and the errors made in it by source and area, all together,
    then an error of its own for every cell from those of its area (or source). The published spread
    joins as two more years and ten more cell errors, so that without history it stands alone.

    Parameters
    ----------
    evidence : Evidence
    now : Estimate
        Of the year to forecast.
    past : list of (position of the year, Estimate)
        As `hindcasts` returns it.
    n_draws : int
    seed : int
    """
    rows = evidence.panel.wanted
    spent = np.nan_to_num(now.disbursed[rows])
    plan = np.nan_to_num(now.plan[rows])
    left = np.maximum(plan - spent, 0.0)
    errors = learn(evidence, now, past)
    share = np.where(plan > 0, errors.share[rows], now.completion[rows])
    random = np.random.default_rng(seed)
    shocks = _shared(evidence, errors, n_draws, random)
    shocks += _own(evidence, errors, n_draws, random)
    shocks += _doubt(evidence, now, errors, n_draws, random)
    shocks *= spread_at(share)
    shocks += _late(evidence, now, n_draws, random)
    level = _centre(shocks, share) + shocks
    year_end = np.where(level >= 1.0, spent + left, spent + np.clip(level, 0.0, 1.0) * left)
    level[:, (plan > 0) & (left <= 0)] = 1.0
    return Draws(
        year_end=year_end,
        capacity=_capacity(evidence, now, year_end, level, random),
        n_years=errors.shared.shape[1],
        n_errors=int(np.isfinite(errors.own).sum()),
    )


def _centre(shocks: Floats, target: Floats) -> Floats:
    """Return the level of each cell at which its bounded draws have the mean wanted.

    Finds m with mean over draws of min(max(m + shock, 0), 1) = target, so that bounding the draws
    does not move the forecast.

    Parameters
    ----------
    shocks : array (n_draws, n_cells)
    target : array (n_cells,)
        Strictly between 0 and 1.
    """
    low, high = -shocks.max(0), 1.0 - shocks.min(0)
    for _ in range(32):
        middle = (low + high) / 2
        below = np.clip(middle + shocks, 0.0, 1.0).mean(0) < target
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return np.asarray((low + high) / 2, dtype=np.float64)


def _shared(
    evidence: Evidence, errors: Lessons, n_draws: int, random: np.random.Generator
) -> Floats:
    """Return what a draw's cells share: one past year's errors, or the published spread."""
    rows = evidence.panel.wanted
    group, size = evidence.factors["source"]
    common = random.standard_normal((n_draws, 1)) + random.standard_normal((n_draws, size))
    published: Floats = common[:, group[rows]] * (evidence.prior.year_spread / np.sqrt(2.0))
    n_past = errors.shared.shape[1]
    if n_past < 2:  # one year alone does not show what changes from year to year
        return published
    year = random.integers(n_past, size=n_draws)
    shared = errors.shared[rows] - errors.shared[rows].mean(1, keepdims=True)
    # n years show too little of the spread; 5/n of their variance on top of it widens the 80 %
    # range about as much as Student's t with n - 1 degrees of freedom and an unknown mean do.
    blur = shared.std(1) * np.sqrt(5.0 / n_past)
    resampled = shared[:, year].T + blur * random.standard_normal((n_draws, 1))
    take = random.random((n_draws, 1)) < n_past / (n_past + _PRIOR_YEARS)
    return np.where(take, resampled, published)


def _own(evidence: Evidence, errors: Lessons, n_draws: int, random: np.random.Generator) -> Floats:
    """Return what each cell has of its own: a past error of its area or source, or published."""
    shape = (n_draws, len(evidence.panel.wanted))
    published = evidence.prior.cell_spread * random.standard_normal(shape)
    pool, pools = _pools(evidence, errors)
    size = np.array([len(members) for members in pools])
    start = np.r_[0, np.cumsum(size)[:-1]]
    pick = start[pool] + (random.random(shape) * size[pool]).astype(np.intp)
    take = random.random(shape) < size[pool] / (size[pool] + _PRIOR_ERRORS)
    everything = np.append(np.concatenate(pools), 0.0)
    return np.where(take, everything[np.minimum(pick, len(everything) - 1)], published)


def _pools(evidence: Evidence, errors: Lessons) -> tuple[Integers, list[Floats]]:
    """Return a pool number for every cell wanted and the past errors in each pool.

    A cell repeats errors of its area, if they are many, else of its source, else of all.
    """
    rows = evidence.panel.wanted
    pool, pools = np.zeros(len(rows), dtype=np.intp), [errors.own[np.isfinite(errors.own)]]
    for name in ("source", "area"):
        group = evidence.factors[name][0]
        for g in np.unique(group[rows]):
            members = errors.own[group == g]
            members = members[np.isfinite(members)]
            if len(members) >= _SMALL_POOL:
                pool[group[rows] == g] = len(pools)
                pools.append(members)
    return pool, pools


def _doubt(
    evidence: Evidence,
    now: Estimate,
    errors: Lessons,
    n_draws: int,
    random: np.random.Generator,
) -> Floats:
    """Return the extra spread of cells that borrow more than those the past errors come from."""
    tried = np.isfinite(errors.own).any(1)
    usual = float(now.doubt[tried].mean()) if tried.any() else 0.0
    rows = evidence.panel.wanted
    extra: Floats = np.sqrt(np.maximum(now.doubt[rows] - usual, 0.0))
    extra = extra / spread_at(now.completion[rows])
    return extra * random.standard_normal((n_draws, len(rows)))


def _late(evidence: Evidence, now: Estimate, n_draws: int, random: np.random.Generator) -> Floats:
    """Return what each draw's pace of catching up adds for cells whose money came late."""
    rows = evidence.panel.wanted
    reach = catch_up(now.pattern[rows], evidence.panel.arrival[rows, -1])
    about = reach - reach.mean(1, keepdims=True)
    pace = random.integers(reach.shape[1], size=n_draws)
    return np.asarray(now.completion[rows] * about.T[pace], dtype=np.float64)


# --- what could be absorbed ---------------------------------------------------------------------


def _capacity(
    evidence: Evidence,
    now: Estimate,
    year_end: Floats,
    level: Floats,
    random: np.random.Generator,
) -> Floats:
    """Return draws of capacity: below the plan as drawn, above it by a mirrored shortfall.

    A cell that spends its whole plan only shows that it could absorb at least that much. How much
    more is taken to be, on average, what its source's cells fall short of their plans: half-normal,
    in proportion to the plan and to the part of the year's work still to come.
    """
    rows = evidence.panel.wanted
    plan, spent = np.nan_to_num(now.plan[rows]), np.nan_to_num(now.disbursed[rows])
    exposure = _exposure(evidence, now)
    source, size = evidence.factors["source"]
    short = np.maximum(plan - year_end.mean(0), 0.0)
    by_source = [np.bincount(source[rows], money, size).astype(float) for money in (short, plan)]
    typical = ratio(by_source[0], by_source[1])
    typical = np.where(np.isfinite(typical), typical, 1.0 - evidence.prior.completion.mean())
    excess = np.abs(random.standard_normal(level.shape)) * np.sqrt(np.pi / 2.0)
    beyond = excess * (typical[source[rows]] * exposure * (1.0 - now.developed[rows]))
    whole = np.where(plan <= 0, np.clip(level, 0.0, 1.0) * exposure, year_end)
    return np.maximum(np.where(level >= 1.0, whole + beyond, whole), spent)


def _exposure(evidence: Evidence, now: Estimate) -> Floats:
    """Return the plan of every cell wanted; for one without, the median of its area or source."""
    rows = evidence.panel.wanted
    plan = np.nan_to_num(now.plan[rows])
    exposure = plan.copy()
    for name in ("area", "source", "all"):
        group = evidence.factors[name][0][rows]
        for g in np.unique(group[exposure <= 0]):
            alike = plan[(group == g) & (plan > 0)]
            if alike.size:
                exposure[(group == g) & (exposure <= 0)] = np.median(alike)
    return exposure


def absorption(cells: pd.DataFrame, capacity: Floats) -> pd.DataFrame:
    r"""Return each cell's slices of money and the chance that each is disbursed by year-end.

    The rate of the slice (a, b] is :math:`(E[\min(C,b)] - E[\min(C,a)]) / (b-a)` over the draws of
    capacity C, so that the slices up to any b add up to :math:`E[\min(C,b)]` and rates never rise.

    Parameters
    ----------
    cells : DataFrame
        place, area, activity, source and plan (Int64 VND) of each cell; the plan is one of the
        points where slices end.
    capacity : array (n_draws, n_cells), million VND

    Returns
    -------
    DataFrame
        place, area, activity, source, upto (Int64 VND), rate.
    """
    points = np.rint(np.quantile(capacity, _QUANTILES, axis=0) * MILLION)
    points = np.vstack([points, np.rint(cells["plan"].fillna(0).to_numpy(dtype=np.float64))])
    points = np.sort(np.maximum(points, 0.0), axis=0)
    reached = np.stack([np.minimum(capacity, at / MILLION).mean(0) * MILLION for at in points])
    width = np.diff(points, axis=0, prepend=0.0)
    rate = np.clip(np.nan_to_num(ratio(np.diff(reached, axis=0, prepend=0.0), width)), 0.0, 1.0)
    real = width > 0
    rate = np.minimum.accumulate(np.where(real, rate, 1.0), 0)
    cell, slice_ = np.nonzero(real.T)
    frame = cells[KEYS].iloc[cell].reset_index(drop=True)
    frame["upto"] = pd.array(points.T[cell, slice_].astype(np.int64), dtype="Int64")
    return frame.assign(rate=rate.T[cell, slice_])
