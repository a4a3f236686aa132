"""Year-end of every cell from the plan, the years before and the year so far.

Four legs. Benktander lets a cell's own progress speak, Cape Cod what all cells have spent per plan
used up this year; they share one expectation, plan x completion borrowed by credibility. Trend and
season carries the cell's own months on, and donors say how years that began alike ended. Where few
finished years tell how money develops, the first two are held back by a cautious reading of the
year so far, as published pairs of figures suggest.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kc_model.forecast.credibility import Effect, Grouping, Integers, shrink
from kc_model.forecast.known import Evidence
from kc_model.forecast.legs import after_donors, carried_on, combined, in_common, learned_weights
from kc_model.runoff import (
    PACES,
    Floats,
    at_time,
    benktander,
    bornhuetter_ferguson,
    catch_up,
    latest,
    pattern_between,
    ratio,
)

__all__ = [
    "LEGS",
    "SURPRISE",
    "Count",
    "Estimate",
    "estimate",
    "estimate_now",
    "hindcasts",
    "reach_now",
    "reach_of",
    "weigh",
]

LEGS = ("benktander", "cape-cod", "trend", "donors")
"""The single forecasts, in the order of `Estimate.legs`."""

SURPRISE = 3.0
"""Without a plan at most so many times the money expected is still spent."""

_PRIOR_WEIGHT = 3.0  # the published prior counts as so many cell-years
_FADING = 0.75  # weight of a year next to the one after it
_LEAST_DEVELOPED = 0.05  # below this the year so far says nothing of its end
_MOST = 1.5  # completions above are read as this: plans raised late
_ENOUGH_BEFORE = 2  # earlier years from which a past year is forecast as it was then
_WITHOUT_PLAN = np.array([1.0, 1.0, 6.0, 1.0])  # what `LEGS` start with where there is no plan
_ENOUGH = 20.0  # finished cell-years of a source that weigh as much as the published pairs


class Count(NamedTuple):
    """How much a leg counts.

    Parameters
    ----------
    why : str
        Of a leg that does not count: short (too little history), untried (by no past year), worse
        (than the others at this time of past years).
    """

    weight: float
    why: str


@dataclass(frozen=True)
class Estimate:
    """Point forecast of one year; arrays (n_cells,), money in million VND.

    Parameters
    ----------
    legs : array (n_legs, n_cells)
        Year-end money by each of `LEGS`, within [disbursed, most]; NaN where one says nothing.
    expected : array
        Year-end money of the legs together, once they are weighed; before that their mean.
    disbursed, exposure, most : array
        So far (NaN: none reported), exposure, and the most that can be spent.
    completion : array
        Expected completion before looking at the year itself, of the exposure.
    anew : array
        The same of money that is only begun after the months known.
    developed : array
        Share of the year's money usually disbursed by then.
    doubt : array
        Variance of completion that the borrowing leaves open.
    pattern : array (n_cells, n_periods + 1)
    """

    legs: Floats
    expected: Floats
    disbursed: Floats
    exposure: Floats
    most: Floats
    completion: Floats
    anew: Floats
    developed: Floats
    doubt: Floats
    pattern: Floats


def estimate(evidence: Evidence, target: int, value: Floats, known: NDArray[np.bool_]) -> Estimate:
    """Return the year-end of every cell in one year from what is known of others.

    Parameters
    ----------
    target : int
        Position of the year in `evidence.panel.years`.
    value : array (n_cells,), million VND
        Money disbursed by `evidence.time`; NaN = not reported.
    known : bool array (n_cells, n_years)
        Cells and years to learn from.
    """
    pattern = _pattern(evidence, known)
    reach = reach_of(evidence, pattern, with_parts=target == len(evidence.panel.years) - 1)
    developed = at_time(pattern, evidence.time)
    used = _used_up(evidence, pattern, known)
    before, doubt = _completion(evidence, used, reach)
    used[0][:, target] = np.where(known[:, target], used[0][:, target], value)
    used[1][:, target] = np.where(known[:, target], used[1][:, target], developed)
    within, _ = _completion(evidence, used, reach, target)
    spent = np.nan_to_num(value)
    exposure = np.nan_to_num(evidence.exposure[:, target])
    unknown = ~evidence.planned & (exposure <= 0)  # new, and without a plan: what it spends tells
    exposure = np.where(unknown, np.nan_to_num(ratio(value, developed)), exposure)
    most = np.where(evidence.planned, np.maximum(evidence.ceiling * exposure, spent), np.inf)
    before = np.where(evidence.planned, before, 1.0)
    within = np.where(evidence.planned, within, in_common(evidence, value, developed, exposure))
    in_reach = exposure * reach[:, target]
    room = evidence.ceiling * exposure
    trust = np.where(evidence.planned, _trust(evidence, known), 1.0)
    cautious = before * in_reach + evidence.prior.credibility(developed) * np.nan_to_num(
        value - developed * before * in_reach
    )
    run_off = np.stack(
        [
            benktander(value, developed, before * in_reach),
            bornhuetter_ferguson(value, developed, within * in_reach),
        ]
    )
    legs = np.vstack(
        [
            trust * run_off + (1.0 - trust) * cautious,
            carried_on(evidence, target, value, reach[:, target], known),
            spent + after_donors(evidence, target, spent, known) * np.maximum(room - spent, 0.0),
        ]
    )
    legs = np.clip(legs, spent, most)
    return Estimate(
        legs=legs,
        expected=np.clip(np.nanmean(legs, axis=0), spent, most),
        disbursed=value,
        exposure=exposure,
        most=most,
        completion=before * reach[:, target],
        anew=before * _begun(evidence, pattern, target),
        developed=np.where(np.isfinite(value), developed, 0.0),
        doubt=doubt,
        pattern=pattern,
    )


def estimate_now(evidence: Evidence) -> Estimate:
    """Return the year-end of every cell in the year to forecast, from all earlier years."""
    panel = evidence.panel
    value, _ = latest(panel.paths[:, -1])
    if panel.as_of == 0:
        value = np.zeros_like(value)  # before the year nothing has been spent
    known = np.ones(panel.plan.shape, dtype=bool)
    known[:, -1] = False
    return estimate(evidence, len(panel.years) - 1, value, known)


def hindcasts(
    evidence: Evidence, tell: Callable[[float], None] = lambda _share: None
) -> list[tuple[int, Estimate]]:
    """Return every earlier year with a known end as the method would have forecast it.

    Each is forecast at the point of the usual clock where this year stands, from the years before
    it, the first two from all other finished years; a single finished year cell by cell, each fifth
    of the cells from the others.

    Parameters
    ----------
    tell : callable (share)
        Told before each year how much is done, 0 to 1.
    """
    then = _then(evidence)
    told = np.isfinite(then + evidence.final + evidence.exposure)
    ended = [int(i) for i in np.flatnonzero(told.any(0))]
    known = np.ones(then.shape, dtype=bool)
    known[:, -1] = False
    if len(ended) == 1:
        return [(ended[0], _by_fifths(evidence, ended[0], then[:, ended[0]], known))]
    found = []
    for done, target in enumerate(ended):
        tell(done / len(ended))
        others = known.copy()
        others[:, target] = False
        if _is_fair(evidence, target, len(ended)):
            others[:, target:] = False
        found.append((target, estimate(evidence, target, then[:, target], others)))
    return found


def weigh(
    evidence: Evidence, now: Estimate, past: list[tuple[int, Estimate]]
) -> tuple[Estimate, list[tuple[int, Estimate]], dict[str, Count]]:
    """Return estimates with their legs made into one, and how much each leg counts.

    All legs start alike; without any plan, trend and season starts with six times the weight of
    another. Where there is a plan, a leg that no past year has tried does not count.

    Parameters
    ----------
    past : list of (position of the year, Estimate)
    """
    rows = evidence.panel.wanted
    there = np.isfinite(now.legs[:, rows]).any(1)
    fair = [(target, guess) for target, guess in past if _is_fair(evidence, target, len(past))]
    tried = [np.isfinite(guess.legs).any(1) for _, guess in fair]
    planned = bool(evidence.planned[rows].any())
    start = np.where(planned, 1.0, _WITHOUT_PLAN) * there
    if planned:
        start[2:] *= np.any(tried, axis=0)[2:] if tried else 0.0
    start /= start.sum()
    errors = [
        ratio(guess.legs - evidence.final[:, target], np.where(told, guess.exposure, 0.0))
        for target, guess in fair
        for told in (np.isfinite(guess.disbursed),)
    ]
    weights = learned_weights(errors, start)

    def one(guess: Estimate) -> Estimate:
        spent = np.nan_to_num(guess.disbursed)
        money = np.nan_to_num(combined(guess.legs, weights, start))
        money = np.clip(money, spent, guess.most)
        most = np.where(evidence.planned, guess.most, spent + SURPRISE * (money - spent))
        return replace(guess, expected=money, most=most)

    why = np.where(there, np.where(start > 0, "worse", "untried"), "short")
    counts = {
        leg: Count(weight, "" if weight > 0 else str(reason))
        for leg, weight, reason in zip(LEGS, weights.tolist(), why, strict=True)
    }
    return one(now), [(target, one(guess)) for target, guess in past], counts


def _is_fair(evidence: Evidence, target: int, n_past: int) -> bool:
    """Return whether a past year is forecast as it was then: from two years before, or alone."""
    before = np.isfinite(evidence.final[:, :target]).any(0).sum()
    return n_past == 1 or bool(before >= _ENOUGH_BEFORE)


def _then(evidence: Evidence) -> Floats:
    """Return the money of every earlier year at the point of the clock where this year stands."""
    then = np.full(evidence.final.shape, np.nan)
    for i in range(len(evidence.panel.years) - 1):
        then[:, i] = evidence.money_at(i, evidence.time)
    return then


def _by_fifths(
    evidence: Evidence, target: int, value: Floats, known: NDArray[np.bool_]
) -> Estimate:
    fifth = np.arange(len(value)) % 5
    merged: dict[str, Floats] = {}
    for k in range(5):
        others = known.copy()
        others[fifth == k, target] = False
        part = estimate(evidence, target, value, others)
        for field in fields(Estimate):
            values = getattr(part, field.name)
            into = merged.setdefault(field.name, values.copy())
            if field.name == "legs":
                into[:, fifth == k] = values[:, fifth == k]
            else:
                into[fifth == k] = values[fifth == k]
    return Estimate(**merged)


# --- development and completion -----------------------------------------------------------------


def reach_now(evidence: Evidence, pattern: Floats) -> Floats:
    """Return the share of a usual year-end within reach, by pace, of money that came in parts.

    Parts count as far as they are more than past years had.
    """
    released = evidence.panel.released[:, -1]
    reach = np.zeros((len(pattern), len(PACES)))
    for month in np.flatnonzero(released.any(0)):
        share = released[:, month]
        mine = share > 0
        start = np.full(int(mine.sum()), month + 1.0)
        reach[mine] += share[mine, None] * catch_up(pattern[mine], start)
    first = catch_up(pattern, evidence.panel.arrival[:, -1])
    unusual = evidence.unusual[:, None]
    return np.asarray(unusual * reach + (1.0 - unusual) * first, dtype=np.float64)


def reach_of(evidence: Evidence, pattern: Floats, *, with_parts: bool = True) -> Floats:
    """Return the share of a usual year-end within reach of every cell and year, over all paces.

    With parts this year's is that of `reach_now`.
    """
    reach = np.stack([catch_up(pattern, start).mean(1) for start in evidence.panel.arrival.T], 1)
    if with_parts:
        reach[:, -1] = reach_now(evidence, pattern).mean(1)
    return reach


def _begun(evidence: Evidence, pattern: Floats, target: int) -> Floats:
    """Return the share of a usual year within reach of money begun after the months known.

    It is late by as many months, or until the year's money has come; the mean over all paces.
    """
    start = np.maximum(evidence.panel.arrival[:, target], evidence.panel.as_of + 1.0)
    return np.asarray(catch_up(pattern, start).mean(1), dtype=np.float64)


def _pattern(evidence: Evidence, known: NDArray[np.bool_]) -> Floats:
    """Return every cell's development, borrowed over source, area and cell."""
    final, prior = evidence.final, evidence.prior.pattern
    cell, year = np.nonzero(np.isfinite(final) & (final > 0) & known)
    if not len(cell):
        return prior
    shares = evidence.observed[cell, year] / final[cell, year, None]
    observed: NDArray[np.bool_] = np.any(np.isfinite(shares), axis=0)
    volume = _faded(evidence, year) * final[cell, year]  # as the chain ladder weighs its factors
    weights = np.broadcast_to(volume[:, None], shares.shape)
    names = ("all", "source", "area", "cell")
    groupings = [_grouping(evidence, name, cell) for name in names]
    effects = shrink(shares - prior[cell, 1:], weights, groupings, _PRIOR_WEIGHT)
    fitted = prior[:, 1:] + _summed(evidence, names, effects)
    return pattern_between(fitted, observed)


def _trust(evidence: Evidence, known: NDArray[np.bool_]) -> Floats:
    """Return how much the source's own finished paths count against published pairs of figures."""
    source, size = evidence.factors["source"]
    told = np.isfinite(evidence.final) & (np.isfinite(evidence.observed).sum(2) > 1)
    count: Floats = np.bincount(source, (told & known).sum(1), size).astype(np.float64)[source]
    return count / (count + _ENOUGH)


def _used_up(
    evidence: Evidence, pattern: Floats, known: NDArray[np.bool_]
) -> tuple[Floats, Floats]:
    """Return the newest money of every cell and year and the share usually disbursed by then."""
    value, period = latest(evidence.filled)
    developed = at_time(pattern, np.where(period >= 0, period + 1.0, 0.0))
    return np.where(known, value, np.nan), developed


def _completion(
    evidence: Evidence, used: tuple[Floats, Floats], reach: Floats, target: int | None = None
) -> tuple[Floats, Floats]:
    """Return every cell's expected completion of money that came in time, and its doubt.

    A year counts by the exposure used up: plan x share developed (Cape Cod). With `target` that
    year's own level is allowed for.
    """
    value, developed = used
    rate = ratio(value, np.nan_to_num(evidence.exposure * developed * reach))
    counts = np.isfinite(rate) & (developed >= _LEAST_DEVELOPED)
    cell, year = np.nonzero(counts)
    prior = evidence.prior.completion
    names = ("all", "source", "year", "area", "region", "place", "cell")
    groupings = [_grouping(evidence, name, cell, year) for name in names]
    weights = _weight(evidence, cell, year) * developed[cell, year]
    values = np.clip(rate[cell, year], 0.0, _MOST) - prior[cell]
    effects = shrink(values[:, None], weights[:, None], groupings, _PRIOR_WEIGHT)
    fitted = prior + _summed(evidence, names, effects, target)[:, 0]
    doubt = sum(
        effect.doubt[evidence.factors[name][0], 0]
        for name, effect in zip(names, effects, strict=True)
        if name != "year"
    )
    return np.clip(fitted, 0.02, evidence.ceiling), np.asarray(doubt, dtype=np.float64)


def _weight(evidence: Evidence, cell: Integers, year: Integers) -> Floats:
    """Return the weight of observations: fading with age, growing with the root of the plan."""
    size: Floats = np.sqrt(np.nan_to_num(evidence.exposure[cell, year]))
    return _faded(evidence, year) * np.where(size > 0, size, 1.0)


def _faded(evidence: Evidence, year: Integers) -> Floats:
    age = evidence.panel.years[-1] - evidence.panel.years[year]
    return np.asarray(_FADING ** age.astype(np.float64), dtype=np.float64)


def _grouping(
    evidence: Evidence, name: str, cell: Integers, year: Integers | None = None
) -> Grouping:
    if name == "year" and year is not None:
        source, size = evidence.factors["source"]
        n_years = len(evidence.panel.years)
        return Grouping(source[cell] * n_years + year, size * n_years)
    group, size = evidence.factors[name]
    return Grouping(group[cell], size)


def _summed(
    evidence: Evidence, names: tuple[str, ...], effects: list[Effect], target: int | None = None
) -> Floats:
    """Return what all factors together add to every cell."""
    total = np.zeros((len(evidence.panel.cells), effects[0].mean.shape[1]))
    for name, effect in zip(names, effects, strict=True):
        if name != "year":
            total += effect.mean[evidence.factors[name][0]]
        elif target is not None:
            source = evidence.factors["source"][0]
            total += effect.mean[source * len(evidence.panel.years) + target]
    return total
