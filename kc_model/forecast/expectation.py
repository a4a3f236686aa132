"""Year-end of every cell from the plan, the years before and the year so far.

Two run-off legs share one expectation, plan x completion borrowed by credibility: Benktander lets a
cell's own progress speak, Cape Cod what all cells have spent per plan used up this year; they count
equally. Where few finished years tell how money develops, a cautious leg joins that reads a lead or
a lag as a matter of timing as far as published pairs of figures do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from kc_model.forecast.credibility import Effect, Grouping, Integers, shrink
from kc_model.forecast.panel import Panel
from kc_model.forecast.prior import Prior, build_prior
from kc_model.runoff import (
    Floats,
    at_time,
    benktander,
    bornhuetter_ferguson,
    catch_up,
    fill_gaps,
    latest,
    pattern_between,
    ratio,
    to_usual_clock,
    usual_time,
)

__all__ = ["Estimate", "Evidence", "build_evidence", "estimate", "estimate_now", "hindcasts"]

_PRIOR_WEIGHT = 3.0  # the published prior counts as so many cell-years
_FADING = 0.9  # weight of a year next to the one after it
_LEAST_DEVELOPED = 0.05  # below this the year so far says nothing of its end
_MOST = 1.5  # completions above are read as this: plans raised late
_FACTORS: Mapping[str, list[str]] = {
    "all": [],
    "source": ["source"],
    "area": ["source", "area"],
    "region": ["source", "region"],
    "place": ["source", "place"],
    "cell": ["place", "area", "activity", "source"],
}
_ENOUGH = 20.0  # finished cell-years of a source that weigh as much as the published pairs


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
    time: Floats
    factors: dict[str, tuple[Integers, int]]


@dataclass(frozen=True)
class Estimate:
    """Point forecast of one year; arrays (n_cells,), money in million VND.

    Parameters
    ----------
    expected : array
        Year-end money, within [disbursed, max(plan, disbursed)].
    disbursed, plan : array
        NaN: none reported; no plan.
    completion : array
        Expected completion before looking at the year itself.
    developed : array
        Share of the year's money usually disbursed by then.
    doubt : array
        Variance of completion that the borrowing leaves open.
    pattern : array (n_cells, n_periods + 1)
    """

    expected: Floats
    disbursed: Floats
    plan: Floats
    completion: Floats
    developed: Floats
    doubt: Floats
    pattern: Floats


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
    return Evidence(
        panel=panel,
        prior=build_prior(panel.cells, int(panel.years[-1]), panel.n_periods),
        observed=np.where(late[..., None], usual, panel.paths),
        filled=usual,
        final=panel.paths[..., -1],
        time=usual_time(months, arrival[:, -1], panel.n_periods),
        factors={name: panel.codes(keys) for name, keys in _FACTORS.items()},
    )


def estimate(evidence: Evidence, target: int, value: Floats, known: NDArray[np.bool_]) -> Estimate:
    """Return the year-end of every cell in one year from what is known of others.

    Parameters
    ----------
    evidence : Evidence
    target : int
        Position of the year in `evidence.panel.years`.
    value : array (n_cells,), million VND
        Money disbursed by `evidence.time`; NaN = not reported.
    known : bool array (n_cells, n_years)
        Cells and years to learn from.
    """
    panel = evidence.panel
    pattern = _pattern(evidence, known)
    reach = np.stack([catch_up(pattern, start).mean(1) for start in panel.arrival.T], 1)
    developed = at_time(pattern, evidence.time)
    used = _used_up(evidence, pattern, known)
    before, doubt = _completion(evidence, used, reach)
    used[0][:, target] = np.where(known[:, target], used[0][:, target], value)
    used[1][:, target] = np.where(known[:, target], used[1][:, target], developed)
    within, _ = _completion(evidence, used, reach, target)
    plan, within_reach = panel.plan[:, target], reach[:, target]
    exposure = np.nan_to_num(plan) * within_reach
    run_off = (
        benktander(value, developed, before * exposure)
        + bornhuetter_ferguson(value, developed, within * exposure)
    ) / 2.0
    lead = np.nan_to_num(value - developed * before * exposure)
    cautious = before * exposure + evidence.prior.credibility(developed) * lead
    trust = _trust(evidence, known)
    spent = np.nan_to_num(value)
    most = np.maximum(np.nan_to_num(plan), spent)
    return Estimate(
        expected=np.clip(trust * run_off + (1.0 - trust) * cautious, spent, most),
        disbursed=value,
        plan=plan,
        completion=before * within_reach,
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


def hindcasts(evidence: Evidence) -> list[tuple[int, Estimate]]:
    """Return every earlier year with a known end as the method would have forecast it.

    Each is forecast at the point of the usual clock where this year stands, from all other finished
    years; a single finished year cell by cell, each fifth of the cells from the others.
    """
    then = np.full(evidence.final.shape, np.nan)
    for i in range(len(evidence.panel.years) - 1):
        path = evidence.filled[:, i]
        then[:, i] = at_time(np.c_[np.zeros(len(path)), path], evidence.time)
    ended = [int(i) for i in np.flatnonzero((np.isfinite(then + evidence.final)).any(0))]
    known = np.ones(then.shape, dtype=bool)
    known[:, -1] = False
    if len(ended) == 1:
        return [(ended[0], _by_fifths(evidence, ended[0], then[:, ended[0]], known))]
    found = []
    for target in ended:
        others = known.copy()
        others[:, target] = False
        found.append((target, estimate(evidence, target, then[:, target], others)))
    return found


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
            merged.setdefault(field.name, values.copy())[fifth == k] = values[fifth == k]
    return Estimate(**merged)


def _pattern(evidence: Evidence, known: NDArray[np.bool_]) -> Floats:
    """Return every cell's development, borrowed over source, area and cell."""
    final, prior = evidence.final, evidence.prior.pattern
    cell, year = np.nonzero(np.isfinite(final) & (final > 0) & known)
    if not len(cell):
        return prior
    shares = evidence.observed[cell, year] / final[cell, year, None]
    observed: NDArray[np.bool_] = np.any(np.isfinite(shares), axis=0)
    weights = np.broadcast_to(_weight(evidence, cell, year)[:, None], shares.shape)
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
    evidence: Evidence,
    used: tuple[Floats, Floats],
    reach: Floats,
    target: int | None = None,
) -> tuple[Floats, Floats]:
    """Return every cell's expected completion of money that came in time, and its doubt.

    A year counts by the exposure used up: plan x share developed (Cape Cod). With `target` that
    year's own level is allowed for.
    """
    value, developed = used
    plan = evidence.panel.plan
    rate = ratio(value, np.nan_to_num(plan * developed * reach))
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
    return np.clip(fitted, 0.02, 1.0), np.asarray(doubt, dtype=np.float64)


def _weight(evidence: Evidence, cell: Integers, year: Integers) -> Floats:
    """Return the weight of observations: fading with age, growing with the root of the plan."""
    age = evidence.panel.years[-1] - evidence.panel.years[year]
    size: Floats = np.sqrt(np.nan_to_num(evidence.panel.plan[cell, year]))
    fading: Floats = np.power(_FADING, age.astype(np.float64))
    return fading * np.where(size > 0, size, 1.0)


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
