"""From the first plan to the outturn in three steps, for all series at once, as joint draws."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import chdtri
from statsmodels.regression.linear_model import OLS
from statsmodels.tsa.forecasting.theta import ThetaModel

from kc_model.money import MILLION
from kc_model.next_year.years import SERIES
from kc_model.results import Forecast
from kc_model.tables import positions

__all__ = ["MEASURES", "Chain", "Floats"]

MEASURES = ("plan_first", "plan", "outturn")
"""Plan as first assigned, plan in force at the year's end, money disbursed by then."""

Floats = NDArray[np.float64]

_FEWEST = 3  # years below which a series has no range
_OWN = 3.0  # degrees of freedom (six years) from which its own spread counts, else its source's
_FITTED = 2.0  # degrees of freedom a fit spends: smoothing and slope; mean and pace
_LEAST = 2.0  # degrees of freedom below which no spread is known
_POOLED = 1.0  # what the spread of the source then still weighs, in degrees of freedom
_FURTHEST = 5.0  # standard deviations: no draw lies further out, so that means are finite
_BEYOND = 10.0  # times its largest plan: where plans swing, no draw goes further
_SLOWEST = 0.9  # share of a deviation of completion that may last into the next year


@dataclass(frozen=True)
class _Step:
    """One quantity of one series: where it goes on from, and how far past years lay off.

    `residuals` lie one step ahead, NaN where the year has none; `n_years` it rests on; `n_fitted`
    degrees of freedom are spent; `centre` is the expectation for the year to come, (n_draws,) or a
    number; `weights` is how much each step's shock adds, the last step's first; `is_own` where the
    expectation comes from the series' own years, `is_fixed` where it has no range of its own.
    """

    residuals: Floats
    n_years: int
    n_fitted: float
    centre: Floats | float
    weights: Floats
    is_own: bool = True
    is_fixed: bool = False

    @property
    def squares(self) -> float:
        """Return the sum of squared residuals."""
        return float(np.nansum(self.residuals**2))

    @property
    def freedom(self) -> float:
        """Return the degrees of freedom of the residuals; a fit spends at most half of them."""
        count = float(np.isfinite(self.residuals).sum())
        return count - min(self.n_fitted, count / 2)


def _trend(values: Floats, n_ahead: int) -> tuple[float, Floats, float]:
    """Return the Theta forecast of a series, its one-step residuals, and the smoothing used.

    `values` are at least 3 logarithms; the first has no residual.
    """
    if np.ptp(values) < 1e-12:  # the line through equal points has no slope to smooth around
        return float(values[-1]), np.zeros(len(values) - 1), 1.0
    fitted = ThetaModel(values, period=1, deseasonalize=False).fit()
    slope, alpha = float(fitted.params["b0"]), max(float(fitted.params["alpha"]), 1e-4)
    level, residuals = values[0], np.empty(len(values) - 1)
    for t in range(1, len(values)):
        drift = 0.5 * slope * (1.0 - (1.0 - alpha) ** t) / alpha
        residuals[t - 1] = values[t] - level - drift
        level = alpha * values[t] + (1.0 - alpha) * level
    ahead = np.asarray(fitted.forecast(n_ahead), dtype=np.float64)
    return float(ahead[-1]), residuals, alpha


class Chain:
    """Steps from the first plan to the outturn, for all series at once.

    Parameters
    ----------
    history : DataFrame
        As `yearly` returns it; every year before the one to forecast.
    outlook : Forecast or None
        Of the year before, where it is not finished.
    year : int
        The year to forecast.
    """

    def __init__(
        self, history: pd.DataFrame, outlook: Forecast | None, year: int, n_draws: int, seed: int
    ) -> None:
        self.year = year
        self.years = np.arange(int(history["year"].min()), year)
        self.series = history[SERIES].drop_duplicates(ignore_index=True)
        self.sources = self.series["source"].to_numpy()
        self.history = history
        self.outlook = outlook
        random = np.random.default_rng(seed)
        n_years = len(self.years)
        self.mixing = random.standard_normal((n_years, n_draws, n_years))  # step, draw, past year
        self.tail = random.permutation((np.arange(n_draws) + 0.5) / n_draws)
        self.pause = {source: random.random(n_draws) for source in dict.fromkeys(self.sources)}
        self.plan, self.adjustment, self.completion = (
            self._grid(column) for column in ("plan_first", "adjustment", "completion")
        )
        self.steps = {
            "plan_first": [self._level(plan / MILLION) for plan in self.plan],
            "plan": self._ratios(self.adjustment, None),
            "outturn": self._ratios(self.completion, self._now()),
        }
        self.spread = {
            name: [self._spread(steps, i) for i in range(len(steps))]
            for name, steps in self.steps.items()
        }

    def _grid(self, column: str) -> Floats:
        """Return a column of the history as an array (n_series, n_years), NaN where missing."""
        row = positions(self.history, self.series, SERIES)
        grid = np.full((len(self.series), len(self.years)), np.nan)
        year = self.history["year"].to_numpy(dtype=np.int64) - self.years[0]
        grid[row, year] = self.history[column].to_numpy(dtype=np.float64, na_value=np.nan)
        return grid

    def _level(self, plan: Floats) -> _Step:
        """Return the logarithm of one series' first plan (n_years,), million VND."""
        years = np.flatnonzero(plan > 0)
        residuals = np.full(len(plan), np.nan)
        if not len(years):
            return _Step(residuals, 0, 0.0, -np.inf if (plan == 0).any() else np.nan, np.zeros(1))
        n_ahead = len(plan) - int(years[-1])
        values = np.log(plan[years])
        if len(years) < _FEWEST:
            return _Step(residuals, len(years), 0.0, float(values[-1]), np.zeros(n_ahead))
        centre, residuals[years[1:]], alpha = _trend(values, n_ahead)
        # the line through the years is uncertain too, about as a mean of them is
        weights = np.r_[1.0, np.full(n_ahead - 1, alpha)] * np.sqrt(1.0 + 1.0 / len(years))
        return _Step(residuals, len(years), _FITTED, centre, weights)

    def _ratios(self, values: Floats, now: Floats | None) -> list[_Step]:
        """Return adjustment or completion of every series, source by source."""
        never = np.full(len(self.years), np.nan)
        if now is None and not np.isfinite(values).any():
            return [_Step(never, 0, 0.0, 1.0, np.zeros(1), is_fixed=True)] * len(values)
        now = np.full((1, len(values)), np.nan) if now is None else now
        steps: dict[int, _Step] = {}
        for source in dict.fromkeys(self.sources):
            mine = np.flatnonzero(self.sources == source)
            pool = values[mine] if np.isfinite(values[mine]).any() else values
            pace = _pace(pool)
            steps |= {int(i): _reverting(values[i], pool, now[:, i], pace) for i in mine}
        return [steps[i] for i in range(len(values))]

    def _now(self) -> Floats:
        """Return draws of this year's completion (n_draws, n_series); NaN where it is known."""
        found = np.full((len(self.tail), len(self.series)), np.nan)
        if self.outlook is None:
            return found
        known = np.isfinite(self.completion[:, -1])
        cells = self.outlook.cells
        of_cell = cells.assign(region=cells["region"].mask(cells["region"] == "", cells["place"]))
        group = positions(of_cell, self.series, SERIES)
        plan = cells["plan"].to_numpy(dtype=np.float64, na_value=0.0) / MILLION
        for i in np.flatnonzero(~known):
            total = plan[group == i].sum()
            if total > 0:
                found[:, i] = self.outlook.draws[:, group == i].sum(axis=1) / total
        return found

    def amounts(self) -> dict[str, Floats]:
        """Return joint draws of every measure (n_draws, n_series), million VND."""
        largest = np.nan_to_num(np.fmax.reduce(self.plan, axis=1)) / MILLION
        first = np.minimum(np.exp(self._drawn("plan_first")), _BEYOND * largest) * self._goes_on()
        adjustment = np.maximum(self._drawn("plan"), 0.0)
        most = np.nan_to_num(np.fmax.reduce(self.completion, axis=1), nan=1.0)
        completion = np.clip(self._drawn("outturn"), 0.0, np.maximum(most, 1.0))
        plan = np.where(first > 0, first * adjustment, first)
        outturn = np.where(plan > 0, plan * completion, plan)
        found = {"plan_first": first, "plan": plan, "outturn": outturn}
        for name, values in found.items():
            without = ~self.has_range(name)
            values[:, without] = values[:, without].mean(axis=0)
        return found

    def has_range(self, measure: str) -> NDArray[np.bool_]:
        """Return for every series whether its past gives a range (n_series,)."""
        upto = MEASURES[: MEASURES.index(measure) + 1]
        known = np.ones(len(self.series), dtype=bool)
        for name in upto:
            pairs = zip(self.steps[name], self.spread[name], strict=True)
            known &= [
                step.is_fixed or (step.n_years >= _FEWEST and freedom > 0)
                for step, (_, freedom) in pairs
            ]
        return known

    def n_years(self, measure: str) -> NDArray[np.int64]:
        """Return how many past years the measure's own step rests on (n_series,)."""
        return np.asarray([step.n_years for step in self.steps[measure]], dtype=np.int64)

    def grounds(self, measure: str, i: int) -> tuple[str, str]:
        """Return method and basis of one series: keys of the wording file."""
        step = self.steps[measure][i]
        method = "mean"
        if step.is_fixed:
            method = "as_planned"
        elif measure == "plan_first":
            method = "theta" if step.n_years >= _FEWEST else "last" if step.n_years else "none"
        if not self.has_range(measure)[i]:
            return method, "few"
        if not step.is_own:
            return method, "borrowed"
        return method, "own" if step.is_fixed or step.freedom >= _OWN else "pooled"

    def _spread(self, steps: list[_Step], i: int) -> tuple[float, float]:
        """Return variance and degrees of freedom; the latter 0 where too little is known."""
        step = steps[i]
        alike = [steps[k] for k in np.flatnonzero(self.sources == self.sources[i])]
        freedom = sum(other.freedom for other in alike)
        if freedom < _LEAST:
            alike = steps
            freedom = sum(other.freedom for other in alike)
        if freedom < _LEAST:
            return 0.0, 0.0
        pooled = sum(other.squares for other in alike) / freedom
        if step.freedom < _OWN:
            return pooled, freedom
        own = step.freedom + _POOLED
        return (step.squares + _POOLED * pooled) / own, own

    def _drawn(self, measure: str) -> Floats:
        """Return draws of one quantity (n_draws, n_series)."""
        return np.stack([self._paths(measure, i) for i in range(len(self.series))], axis=1)

    def _paths(self, measure: str, i: int) -> Floats:
        """Return draws of one quantity of one series (n_draws,): its centre and mixed shocks."""
        step = self.steps[measure][i]
        variance, freedom = self.spread[measure][i]
        shocks = np.zeros_like(self.tail)
        if freedom > 0 and step.n_years:
            size = np.sqrt(step.squares)
            past = np.nan_to_num(step.residuals) / size if size > 0 else np.ones(len(self.years))
            past = past / np.linalg.norm(past)
            for k, weight in enumerate(step.weights):
                shocks += weight * (self.mixing[k] @ past)
            # Student: normal over the root of chi-square / freedom; chdtri inverts its upper tail
            wide = np.sqrt(variance * freedom / chdtri(freedom, self.tail))
            furthest = _FURTHEST * np.sqrt(variance)
            shocks = np.clip(shocks * wide, -furthest, furthest)
        return step.centre + shocks

    def pauses(self) -> Floats:
        """Return the chance that a series has no money in the year to come (n_series,)."""
        return np.asarray([_chance_of_none(plan) for plan in self.plan])

    def _goes_on(self) -> Floats:
        """Return 0 in draws in which a series pauses, else 1; series of a source pause together."""
        chance = self.pauses()
        columns = [self.pause[s] >= p for s, p in zip(self.sources, chance, strict=True)]
        return np.stack(columns, axis=1).astype(np.float64)


def _chance_of_none(plan: Floats) -> float:
    """Return how often no money followed a year like the newest; 0 where there always was some."""
    is_none = plan[np.isfinite(plan)] == 0
    if not is_none.any():
        return 0.0
    after = is_none[1:][is_none[:-1] == is_none[-1]]
    return float((after.sum() + 0.5) / (len(after) + 1.0))


def _pace(values: Floats) -> float:
    """Return which share of a deviation from the mean lasts into the next year."""
    off = values - _mean(values)
    before, after = off[:, :-1].ravel(), off[:, 1:].ravel()
    both = np.isfinite(before) & np.isfinite(after)
    if both.sum() < _FEWEST or not before[both].any():
        return 0.0
    return float(np.clip(OLS(after[both], before[both]).fit().params[0], 0.0, _SLOWEST))


def _mean(values: Floats) -> Floats:
    """Return the mean over years of every series that has any, as a column."""
    count = np.isfinite(values).sum(axis=1, keepdims=True)
    total = np.where(count, np.nansum(values, axis=1, keepdims=True), np.nan)
    mean: Floats = total / np.maximum(count, 1)
    return mean


def _reverting(own: Floats, pool: Floats, now: Floats, pace: float) -> _Step:
    """Return a ratio that returns to its mean; its own with 3 years, else that of its source.

    `pool` is (n_series, n_years); `now` draws of the newest year where it is not finished, NaN
    else.
    """
    years = np.flatnonzero(np.isfinite(own))
    is_own = len(years) >= _FEWEST
    told = own[years] if is_own else pool[np.isfinite(pool)]
    if not len(told):  # nothing finished anywhere: this year's outlook, or no adjustment
        mean = float(now.mean()) if np.isfinite(now).all() else np.nan
        return _Step(np.full(len(own), np.nan), 0, 0.0, mean, np.zeros(1))
    mean = float(told.mean())
    n_years = len(years) if is_own else int(np.isfinite(pool).any(axis=0).sum())
    weights = np.full(1, np.sqrt(1.0 + 1.0 / len(told)))  # the mean itself is uncertain
    off = own - mean
    if np.isfinite(now).all():
        centre = mean + pace * (now - mean)
        return _Step(_errors(off, pace), n_years, _FITTED, centre, weights, is_own=is_own)
    if not len(years):
        return _Step(off, n_years, 0.0, mean, weights, is_own=False)
    n_ahead = len(own) - int(years[-1])
    weights = weights * pace ** np.arange(n_ahead)
    expected = mean + pace**n_ahead * float(off[years[-1]])
    return _Step(_errors(off, pace), n_years, _FITTED, expected, weights, is_own=is_own)


def _errors(off: Floats, pace: float) -> Floats:
    """Return what each year's deviation was off its expectation from the year before."""
    errors: Floats = off - pace * np.nan_to_num(np.r_[np.nan, off[:-1]])
    return errors
