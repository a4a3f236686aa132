"""Joint draws of year-end money, bounded, with what all cells share in a year kept together.

A draw lives in the share of the remaining plan: 0 is nothing more spent, 1 all of it. Bounded draws
cannot leave [disbursed, max(plan, disbursed)], and their mean is the point forecast; before the
year they are what past years show could be absorbed of the plan.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from kc_model.forecast.capacity import History, beyond_plan, draw_capacity, fit_capacity
from kc_model.forecast.credibility import Grouping, Integers
from kc_model.forecast.expectation import SURPRISE, Estimate, reach_now, reach_of
from kc_model.forecast.known import Evidence
from kc_model.forecast.lessons import Lessons, learn, spread_at
from kc_model.money import MILLION
from kc_model.runoff import Floats, halved, ratio
from kc_model.tables import KEYS

__all__ = ["Draws", "absorption", "draw"]

_PRIOR_YEARS = 2.0  # the published spread between years counts as so many years
_PRIOR_ERRORS = 10.0  # and that between cells as so many errors
_SMALL_POOL = 30  # errors of an area below which its source's are drawn from
_SIZES = 3  # groups of cells by size, each with errors of its own
_FEWEST = 10  # errors below which nothing can be said of a range
_TRIED = 200  # past errors, and draws of each, that calibrate a range
_POINTS = (0.4, 0.55, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3, 1.5, 1.8)  # of the plan: ends of slices
_HALVINGS = 24  # of the interval a level lies in
_STRETCHES = np.array([0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.25, 1.4, 1.6, 1.8, 2.0])


@dataclass(frozen=True)
class Draws:
    """Joint draws; arrays (n_draws, n_wanted), million VND.

    Parameters
    ----------
    year_end : array
        Year-end money under the plan in force.
    capacity : array
        What the cell could disburse by year-end if it were given the money.
    ended : (int, int, int)
        Finished cell-years that reached their plan, fell short of it, or failed: what capacity
        rests on.
    n_years, n_errors : int
        Past years and single forecast errors the spread rests on besides the published one.
    """

    year_end: Floats
    capacity: Floats
    ended: tuple[int, int, int]
    n_years: int
    n_errors: int


def draw(
    evidence: Evidence, now: Estimate, past: list[tuple[int, Estimate]], *, n_draws: int, seed: int
) -> Draws:
    """Return joint draws of the cells wanted.

    A draw takes one past year at random and the errors made in it by source and area, all together,
    then an error of its own for every cell from those of its area (or source). The published spread
    joins as two more years and ten more cell errors, so that without history it stands alone.

    Parameters
    ----------
    now : Estimate
        Of the year to forecast.
    past : list of (position of the year, Estimate)
        As `hindcasts` returns it.

    Notes
    -----
    Before the year (month 0) the draws are those of capacity (`kc_model.forecast.capacity`), cut
    off at the plan: what past years fell short of is all there is to go by, and closer than
    plan x completion.
    """
    rows = evidence.panel.wanted
    spent = np.nan_to_num(now.disbursed[rows])
    left = now.most[rows] - spent
    errors = learn(evidence, now, past)
    share = np.where(left > 0, errors.share[rows], now.completion[rows] * _of_room(evidence))
    random = np.random.default_rng(seed)
    shared = _shared(evidence, errors, n_draws, random)
    own = _own(evidence, errors, n_draws, random)
    own *= _calibration(evidence, now, errors, shared, own) * errors.calm[rows]
    shocks = shared + own
    shocks += _doubt(evidence, now, errors, n_draws, random)
    shocks *= spread_at(share)
    shocks += _late(evidence, now, n_draws, random)
    level = _centre(shocks, share) + shocks
    year_end = np.where(level >= 1.0, spent + left, spent + np.clip(level, 0.0, 1.0) * left)
    model = fit_capacity(_history(evidence, now), evidence.prior.completion)
    over = np.isfinite(evidence.panel.paths[rows, -1, -1])  # the year-end is reported
    year_end[:, over] = spent[over]
    if evidence.panel.as_of > 0:
        about = (now.most[rows], now.developed[rows])
        capacity = beyond_plan(model, rows, year_end, about, random)
    else:  # what will be disbursed is the smaller of capacity and plan
        drawn = draw_capacity(model, rows, n_draws, random)
        kept = evidence.planned[rows] & (evidence.ceiling[rows] <= 1.0)
        plan = now.most[rows] * _plan_to_come(evidence, n_draws, random)
        capacity = np.where(kept, drawn, np.maximum(year_end, drawn))
        year_end = np.where(kept, np.minimum(drawn, plan), year_end)
    return Draws(
        year_end=year_end,
        capacity=capacity,
        ended=(model.n_reached, model.n_short, model.n_failed),
        n_years=errors.shared.shape[1],
        n_errors=int(np.isfinite(errors.own).sum()),
    )


def _plan_to_come(evidence: Evidence, n_draws: int, random: np.random.Generator) -> Floats:
    """Return by what the plan of the year may differ from the one that stands in for it.

    1 where this year's plan is known. Else a draw takes one past year and, for every cell, what
    some cell of its fund had as its last plan then over its last plan of the year before.
    """
    panel, rows = evidence.panel, evidence.panel.wanted
    factor = np.ones((n_draws, len(rows)))
    last = panel.last_plan
    change = ratio(last[:, 1:-1], np.nan_to_num(last[:, :-2]))
    if not panel.baseline or not np.isfinite(change).any():
        return factor
    source = evidence.factors["source"][0]
    year = random.integers(change.shape[1], size=n_draws)
    for group in np.unique(source[rows]):
        mine = np.flatnonzero(source[rows] == group)
        for t in range(change.shape[1]):
            seen = change[source == group, t]
            seen = seen[np.isfinite(seen)]
            drawn = np.flatnonzero(year == t)
            if seen.size and drawn.size:
                pick = random.integers(seen.size, size=(drawn.size, mine.size))
                factor[np.ix_(drawn, mine)] = seen[pick]
    return factor


def _centre(shocks: Floats, target: Floats) -> Floats:
    """Return the level of each cell at which its bounded draws have the mean wanted.

    Finds m with mean over draws of min(max(m + shock, 0), 1) = target, so that bounding the draws
    does not move the forecast.
    `target` lies strictly between 0 and 1.
    """
    ends = -shocks.max(0), 1.0 - shocks.min(0)
    return halved(ends, lambda m: np.clip(m + shocks, 0.0, 1.0).mean(0) < target, _HALVINGS)


def _shared(
    evidence: Evidence, errors: Lessons, n_draws: int, random: np.random.Generator
) -> Floats:
    """Return what a draw's cells share: one past year's errors, or the published spread."""
    rows = evidence.panel.wanted
    group, size = evidence.factors["source"]
    common = random.standard_normal((n_draws, 1)) + random.standard_normal((n_draws, size))
    published: Floats = common[:, group[rows]] * (evidence.prior.year_spread / np.sqrt(2.0))
    published *= _of_room(evidence)
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
    published = evidence.prior.cell_spread * random.standard_normal(shape) * _of_room(evidence)
    pool, pools = _pools(evidence, errors)
    size = np.array([len(members) for members in pools])
    start = np.r_[0, np.cumsum(size)[:-1]]
    pick = start[pool] + (random.random(shape) * size[pool]).astype(np.intp)
    take = random.random(shape) < size[pool] / (size[pool] + _PRIOR_ERRORS)
    everything = np.append(np.concatenate(pools), 0.0)
    return np.where(take, everything[np.minimum(pick, len(everything) - 1)], published)


def _calibration(
    evidence: Evidence, now: Estimate, errors: Lessons, shared: Floats, own: Floats
) -> Floats:
    """Return by how much to stretch what cells have of their own, so that 80 % ranges hold 80 %.

    Past shares are foretold again with the shocks of this year's cells of about the same size, each
    with its bounds; the stretch is the one with which as many of them lie within their ranges as
    conformal prediction asks for, the smallest whole number not below 0.8 (n + 1). Below 10 past
    errors nothing is stretched.

    References
    ----------
    V. Vovk, A. Gammerman and G. Shafer, "Algorithmic Learning in a Random World", Springer (2005),
    chapter 2; the (n + 1) rule as in A. Angelopoulos and S. Bates, "Conformal prediction: a gentle
    introduction", Foundations and Trends in Machine Learning 16 (2023), section 1.1.
    """
    rows = evidence.panel.wanted
    stretch = np.ones(len(rows))
    past = np.nonzero(np.isfinite(errors.own))
    size = now.exposure[past[0]]
    groups = _SIZES if len(size) >= _SIZES * _SMALL_POOL else 1
    edges = np.quantile(size, np.linspace(0.0, 1.0, groups + 1)[1:-1]) if len(size) else size
    theirs, mine = np.searchsorted(edges, size), np.searchsorted(edges, now.exposure[rows])
    for g in range(groups):
        at = np.flatnonzero(theirs == g)
        cells = np.flatnonzero(mine == g)
        if len(at) < _FEWEST or not len(cells):
            continue
        at = at[:: max(1, len(at) // _TRIED)]
        after, came = (part[past[0][at], past[1][at]] for part in (errors.after, errors.came))
        few = slice(None, None, max(1, len(shared) // _TRIED))
        column = cells[np.arange(len(at)) % len(cells)]
        calm = errors.calm[past[0][at]]
        goal = min(np.ceil(0.8 * (len(at) + 1)) / len(at), 1.0)
        low, high = 0, len(_STRETCHES) - 1
        while low < high:  # a wider range holds no less
            middle = (low + high) // 2
            shocks = shared[few, column], _STRETCHES[middle] * calm * own[few, column]
            low, high = (low, middle) if _held(after, came, *shocks) >= goal else (middle + 1, high)
        stretch[cells] = _STRETCHES[low]
    return stretch


def _held(after: Floats, came: Floats, shared: Floats, own: Floats) -> float:
    """Return the share of past cells whose 80 % range, drawn with these shocks, held what came."""
    shocks = (shared + own) * spread_at(after)
    drawn = np.clip(_centre(shocks, np.clip(after, 0.005, 0.995)) + shocks, 0.0, 1.0)
    low, high = np.quantile(drawn, [0.1, 0.9], axis=0)
    return float(((came >= low - 1e-9) & (came <= high + 1e-9)).mean())


def _of_room(evidence: Evidence) -> Floats:
    """Return what share of all that could be spent by year-end the exposure is, of cells wanted."""
    share = np.where(evidence.planned, 1.0 / evidence.ceiling, 1.0 / SURPRISE)
    return share[evidence.panel.wanted]


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
    evidence: Evidence, now: Estimate, errors: Lessons, n_draws: int, random: np.random.Generator
) -> Floats:
    """Return the extra spread of cells that borrow more than those the past errors come from."""
    tried = np.isfinite(errors.own).any(1)
    usual = float(now.doubt[tried].mean()) if tried.any() else 0.0
    rows = evidence.panel.wanted
    extra: Floats = np.sqrt(np.maximum(now.doubt[rows] - usual, 0.0)) * _of_room(evidence)
    extra = extra / spread_at(now.completion[rows] * _of_room(evidence))
    return extra * random.standard_normal((n_draws, len(rows)))


def _late(evidence: Evidence, now: Estimate, n_draws: int, random: np.random.Generator) -> Floats:
    """Return what each draw's pace of catching up adds for cells whose money came late."""
    rows = evidence.panel.wanted
    reach = reach_now(evidence, now.pattern)[rows]
    about = reach - reach.mean(1, keepdims=True)
    pace = random.integers(reach.shape[1], size=n_draws)
    share = now.completion[rows] * _of_room(evidence)
    return np.asarray(share * about.T[pace], dtype=np.float64)


# --- what could be absorbed ---------------------------------------------------------------------


def _history(evidence: Evidence, now: Estimate) -> History:
    """Return what the years show of capacity; cells without plans show nothing."""
    panel = evidence.panel
    final = evidence.final.copy()
    final[:, -1] = np.nan
    factors = {name: Grouping(*evidence.factors[name]) for name in ("source", "kind", "at")}
    return History(
        final=final,
        plan=np.where(evidence.planned[:, None], panel.plan, np.nan),
        ceiling=evidence.ceiling,
        reach=reach_of(evidence, now.pattern),
        years=panel.years,
        factors=factors,
        shared=factors["source"],
    )


def absorption(cells: pd.DataFrame, capacity: Floats) -> pd.DataFrame:
    r"""Return each cell's slices of money and the chance that each is disbursed by year-end.

    The rate of the slice (a, b] is :math:`(E[\min(C,b)] - E[\min(C,a)]) / (b-a)` over the draws of
    capacity C, so that the slices up to any b add up to :math:`E[\min(C,b)]` and rates never rise.
    They end at the least, middle and most capacity drawn, at the plan, and at shares of the plan
    (of the middle where there is none) that lie between: change limits are stated in such shares.

    Parameters
    ----------
    cells : DataFrame
        place, area, activity, source and plan (Int64 VND) of each cell.
    capacity : array (n_draws, n_cells), million VND

    Returns
    -------
    DataFrame
        place, area, activity, source, upto (Int64 VND), rate.
    """
    plan = cells["plan"].fillna(0).to_numpy(dtype=np.float64) / MILLION
    least, middle, most = np.quantile(capacity, (0.0, 0.5, 1.0), axis=0)
    shares = np.array(_POINTS)[:, None] * np.where(plan > 0, plan, middle)
    points = np.vstack([np.clip(shares, least, most), plan, least, middle, most])
    points = np.sort(np.rint(points * MILLION), axis=0)
    reached = np.stack([np.minimum(capacity, at / MILLION).mean(0) * MILLION for at in points])
    width = np.diff(points, axis=0, prepend=0.0)
    rate = np.clip(np.nan_to_num(ratio(np.diff(reached, axis=0, prepend=0.0), width)), 0.0, 1.0)
    real = width > 0
    rate = np.minimum.accumulate(np.where(real, rate, 1.0), 0)
    cell, slice_ = np.nonzero(real.T)
    frame = cells[KEYS].iloc[cell].reset_index(drop=True)
    frame["upto"] = pd.array(points.T[cell, slice_].astype(np.int64), dtype="Int64")
    return frame.assign(rate=rate.T[cell, slice_])
