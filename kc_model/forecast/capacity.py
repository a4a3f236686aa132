r"""What a cell could disburse by year-end if it were given the money.

A cell that spent its whole plan shows only that it could have spent at least that. The log of
capacity of cell :math:`i` in year :math:`t` is therefore a regression with two limits (Tobin;
Rosett and Nelson), estimated over all cells at once:

.. math::

    \log C_{it} = \log P_i + \gamma \log(P_{it} / P_i) + \beta \log R_{it}
                  + m_i + u + \sum_f u_{f(i)} + v_i + y_{s(i)t} + e_{it}

:math:`P_{it}` is the plan, :math:`P_i` its usual size (plans follow capacity, but only in part, so
:math:`\gamma` is estimated), :math:`R_{it}` the share of a usual year within reach of money that
came late, :math:`m_i` the published level, :math:`u` what all cells add to it, :math:`u_f` what
source, area, place, ... add, :math:`v_i` the cell, :math:`y_{st}` the year's luck that a source's
cells share and :math:`e` the rest. A year that reached its plan says :math:`C \ge` what was
disbursed, one below `_FAILED` of it says only that it failed (whole projects fall out: a log-normal
stretched to such years would be too wide everywhere), any other says what :math:`C` was.

Groups add what their own figures deserve (the credibility of Bühlmann and Straub, here the mode
under a normal prior whose variance is estimated); older years count less. With no finished year the
published level and the assumed spreads stand alone.

References
----------
J. Tobin, "Estimation of relationships for limited dependent variables", Econometrica 26 (1958),
p. 24-36; R. Rosett and F. Nelson, "Estimation of the two-limit probit regression model",
Econometrica 43 (1975), p. 141-146; A. Dempster, N. Laird and D. Rubin, "Maximum likelihood from
incomplete data via the EM algorithm", Journal of the Royal Statistical Society B 39 (1977),
p. 1-38; H. Bühlmann and E. Straub, "Glaubwürdigkeit für Schadensätze", Mitteilungen der
Vereinigung Schweizerischer Versicherungsmathematiker 70 (1970), p. 111-133.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import log_ndtr, ndtr, ndtri

from kc_model.forecast.credibility import Grouping, Integers
from kc_model.runoff import Floats, halved, ratio

__all__ = ["Capacity", "History", "beyond_plan", "draw_capacity", "fit_capacity"]

_REACHED = 0.99  # share of the plan from which it counts as spent
_FAILED = 0.4  # share of the plan below which a year says only that it failed
_MOST = 1.5  # completions above are read as this: plans lowered late
_FADING = 0.9  # weight of a year next to the one after it
_PRIOR_WEIGHT = 3.0  # the published level, and each spread below, count as so many observations
_OWN, _CELL, _YEAR, _FACTOR = 0.35, 0.3, 0.12, 0.12  # spreads of log capacity (assumed)
_FOLLOWS = (0.3, 0.3)  # how far capacity moves with the plan: assumed mean and its spread
_LATENESS = (1.0, 0.3)  # the same for the share of the year within reach of late money
_STEPS, _CLOSE = 80, 1e-5


@dataclass(frozen=True)
class History:
    """What the years show; the last is the year to forecast.

    Parameters
    ----------
    final : array (n_cells, n_years), million VND
        Disbursed by year-end; NaN where the year has not ended or is not known.
    plan : array (n_cells, n_years), million VND
        Plan in force; NaN or 0: none.
    ceiling : array (n_cells,)
        Most that can be disbursed over the plan: 1 where plans are limits.
    reach : array (n_cells, n_years)
        Share of a usual year's work that the arrival of the money left within reach; 1: in time.
    years : integer array (n_years,)
    factors : mapping of str to Grouping
        Groups of cells that may have something in common: source, area, place, ...
    shared : Grouping
        Cells that share a year's luck: the source.
    """

    final: Floats
    plan: Floats
    ceiling: Floats
    reach: Floats
    years: NDArray[np.int64]
    factors: Mapping[str, Grouping]
    shared: Grouping


@dataclass(frozen=True)
class Capacity:
    """Log-normal capacity of every cell in the year to forecast.

    Parameters
    ----------
    level : array (n_cells,)
        Mean log of capacity, million VND.
    own : array (n_cells,)
        Standard deviation of what a cell has for itself, doubt about its level included.
    year : float
        Standard deviation of what the cells of one shared group have in common in a year.
    n_reached, n_short, n_failed : int
        Finished cell-years that reached their plan, fell short of it, or failed.
    """

    level: Floats
    own: Floats
    year: float
    shared: Grouping
    n_reached: int
    n_short: int
    n_failed: int

    @property
    def spread(self) -> Floats:
        """Return the standard deviation of log capacity, array (n_cells,)."""
        return np.sqrt(self.own**2 + self.year**2)

    def expected(self, money: Floats) -> Floats:
        """Return what is disbursed of money given, in the mean: E[min(C, money)], million VND.

        Parameters
        ----------
        money : array (n_cells,), million VND
        """
        given = np.where(money > 0, money, 1.0)
        share = _limited(self.level - np.log(given), self.spread)
        return np.where(money > 0, given * share, 0.0)


# --- estimation ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Seen:
    """Finished cell-years as observations of log capacity against the cell's usual plan.

    `value` is exact where neither `above` (capacity is at least that) nor `below` (at most);
    `slopes` (2, n) holds the logs of plan over usual plan and of reach.
    """

    cell: Integers
    year: Integers
    value: Floats
    above: NDArray[np.bool_]
    below: NDArray[np.bool_]
    weight: Floats
    slopes: Floats


@dataclass
class _Fit:
    """State of the estimation.

    By factor: group of each observation, number of observations of each group, effects and the
    variance they leave open, variance between groups as assumed and as estimated. `rest` is the
    variance of what is left.
    """

    prior: Floats
    groups: dict[str, Grouping]
    counts: dict[str, Floats]
    effects: dict[str, Floats]
    doubts: dict[str, Floats]
    assumed: dict[str, float]
    between: dict[str, float]
    slopes: Floats
    rest: float


def fit_capacity(history: History, completion: Floats) -> Capacity:
    """Return the capacity of every cell, from finished years with their limits allowed for.

    Parameters
    ----------
    completion : array (n_cells,)
        Published year-end completion, the prior of a cell: without any finished year
        E[min(C, plan)] is that share of the plan.
    """
    usual = _usual_plan(history)
    seen = _observe(history, usual)
    fit = _start(history, seen, completion)
    for _ in range(_STEPS):
        before = fit.effects["cell"].copy()
        _step(fit, seen)
        if np.abs(fit.effects["cell"] - before).max(initial=0.0) < _CLOSE:
            break
    n_cells = len(usual)
    level = usual + fit.prior + fit.effects["all"][0]
    doubt = np.full(n_cells, fit.doubts["all"][0])
    for name, (group, _) in _lasting(history).items():
        level = level + fit.effects[name][group]
        doubt = doubt + fit.doubts[name][group]
    now = np.log(_positive(history.plan[:, -1], np.exp(usual))) - usual
    slopes = np.stack([now, _log_reach(history.reach[:, -1])])
    return Capacity(
        level=level + fit.slopes @ slopes,
        own=np.sqrt(fit.rest + doubt),
        year=float(np.sqrt(fit.between["year"])),
        shared=history.shared,
        n_reached=int(seen.above.sum()),
        n_short=int((~seen.above & ~seen.below).sum()),
        n_failed=int(seen.below.sum()),
    )


def _lasting(history: History) -> dict[str, Grouping]:
    """Return the groups of cells whose effects last, the cell itself included."""
    n_cells = len(history.plan)
    return {**history.factors, "cell": Grouping(np.arange(n_cells), n_cells)}


def _usual_plan(history: History) -> Floats:
    """Return the log of every cell's usual plan: over the years, or this year's, or of its like."""
    plan = np.nan_to_num(history.plan)
    ended = np.isfinite(history.final) & (plan > 0)
    weight = np.where(ended, _fading(history.years), 0.0)
    log = np.log(_positive(plan, 1.0))
    usual = np.where(plan[:, -1] > 0, log[:, -1], np.nan)
    usual = np.where(ended.any(1), ratio((weight * log).sum(1), weight.sum(1)), usual)
    everybody = Grouping(np.zeros(len(usual), dtype=np.intp), 1)
    for group, _ in (*list(history.factors.values())[::-1], everybody):
        like = pd.Series(usual).groupby(group).transform("median").to_numpy(dtype=np.float64)
        usual = np.where(np.isnan(usual), like, usual)
    return np.nan_to_num(usual)


def _observe(history: History, usual: Floats) -> _Seen:
    plan, final = np.nan_to_num(history.plan), history.final
    cell, year = np.nonzero(np.isfinite(final) & (plan > 0))
    most = history.ceiling[cell]
    share = np.clip(final[cell, year] / plan[cell, year], _FAILED, _MOST * most)
    log_plan = np.log(plan[cell, year]) - usual[cell]
    weight = _fading(history.years)[year]
    return _Seen(
        cell=cell,
        year=year,
        value=np.log(share) + log_plan,
        above=share >= _REACHED * most,
        below=share <= _FAILED,
        weight=weight / weight.mean() if len(weight) else weight,
        slopes=np.stack([log_plan, _log_reach(history.reach[cell, year])]),
    )


def _start(history: History, seen: _Seen, completion: Floats) -> _Fit:
    """Return the state before anything is learned."""
    n_years = history.plan.shape[1]
    group, size = history.shared
    groups = {
        "all": Grouping(np.zeros(len(seen.cell), dtype=np.intp), 1),
        **{name: Grouping(of[seen.cell], k) for name, (of, k) in _lasting(history).items()},
        "year": Grouping(group[seen.cell] * n_years + seen.year, size * n_years),
    }
    known = {"all": _OWN / np.sqrt(_PRIOR_WEIGHT), "cell": _CELL, "year": _YEAR}
    assumed = {name: known.get(name, _FACTOR) ** 2 for name in groups}
    spread = float(np.sqrt(_OWN**2 + sum(assumed.values())))
    return _Fit(
        prior=_level_at(completion, spread),
        groups=groups,
        counts={
            name: np.bincount(of, minlength=k).astype(np.float64)
            for name, (of, k) in groups.items()
        },
        effects={name: np.zeros(size) for name, (_, size) in groups.items()},
        doubts={name: np.full(size, assumed[name]) for name, (_, size) in groups.items()},
        assumed=assumed,
        between=assumed.copy(),
        slopes=np.array([_FOLLOWS[0], _LATENESS[0]]),
        rest=_OWN**2,
    )


def _step(fit: _Fit, seen: _Seen) -> None:
    """Fill in what the limits hide and move slopes and effects, one by one, to their modes (EM)."""
    fitted = fit.prior[seen.cell] + fit.slopes @ seen.slopes
    for name, (group, _) in fit.groups.items():
        fitted = fitted + fit.effects[name][group]
    left, told = _filled(seen, fitted, float(np.sqrt(fit.rest)))
    hidden = fit.rest * (1.0 - told)
    left = _move_slopes(fit, seen, left)
    doubt = np.zeros_like(left)
    for name, (group, _) in fit.groups.items():
        left = left - _move_effects(fit, name, (seen.weight, left, told))[group]
        doubt = doubt + fit.doubts[name][group]
    squares = seen.weight @ (left**2 + told * doubt + hidden)
    fit.rest = float(_PRIOR_WEIGHT * _OWN**2 + squares) / (_PRIOR_WEIGHT + seen.weight.sum())


def _move_slopes(fit: _Fit, seen: _Seen, left: Floats) -> Floats:
    """Move the slopes, pulled to what is assumed of them; return what is left."""
    for k, (centre, spread) in enumerate((_FOLLOWS, _LATENESS)):
        trust, of = fit.rest / spread**2, seen.slopes[k]
        pull = trust * (centre - fit.slopes[k])
        move = float(((seen.weight * left) @ of + pull) / ((seen.weight * of) @ of + trust))
        fit.slopes[k] += move
        left = left - move * of
    return left


def _move_effects(fit: _Fit, name: str, seen: tuple[Floats, Floats, Floats]) -> Floats:
    """Move the effects of one factor and the variance between them; return by how much.

    `seen` holds weight, what is left, and how much is told, of every observation.
    """
    weight, left, told = seen
    group, size = fit.groups[name]
    parts = (weight, weight * left, weight * told)
    sums = [np.bincount(group, part, size).astype(np.float64) for part in parts]
    pull = fit.rest / fit.between[name]
    move: Floats = (sums[1] - pull * fit.effects[name]) / (sums[0] + pull)
    fit.effects[name] = effects = fit.effects[name] + move
    fit.doubts[name] = doubts = fit.rest / (sums[2] + pull)
    if name != "all":  # one group tells nothing of what lies between groups
        # nor does one year: what is a group's own and what is left over look the same in it, so a
        # group of n observations counts 1 - 1/n, and the rest is taken as assumed
        seen_once = ratio(np.ones(size), fit.counts[name])
        here, usual = np.isfinite(seen_once), fit.assumed[name] * fit.rest / _OWN**2
        squares = seen_once * usual + (1.0 - seen_once) * (effects**2 + doubts)
        total = float(squares[here].sum()) + _PRIOR_WEIGHT * usual
        fit.between[name] = total / (_PRIOR_WEIGHT + float(here.sum()))
    return move


def _filled(seen: _Seen, fitted: Floats, spread: float) -> tuple[Floats, Floats]:
    """Return how far each observation lies from the fit in the mean, and how much it tells.

    An exact one tells 1; a limit tells the share of a full observation's information that is in it.
    """
    at = (seen.value - fitted) / spread
    over, under = _hazard(at), _hazard(-at)
    left = np.where(seen.above, spread * over, np.where(seen.below, -spread * under, spread * at))
    told = np.where(seen.above, over * (over - at), np.where(seen.below, under * (under + at), 1.0))
    return left, told


def _hazard(at: Floats) -> Floats:
    """Return the normal density over the probability of more, at any distance."""
    hazard: Floats = np.exp(-0.5 * at**2 - 0.5 * np.log(2.0 * np.pi) - log_ndtr(-at))
    return hazard


def _fading(years: NDArray[np.int64]) -> Floats:
    weight: Floats = np.power(_FADING, (years[-1] - years).astype(np.float64))
    return weight


def _log_reach(reach: Floats) -> Floats:
    log: Floats = np.log(np.clip(reach, 0.01, 1.0))
    return log


def _positive(money: Floats, otherwise: Floats | float) -> Floats:
    return np.where(np.nan_to_num(money) > 0, money, otherwise)


def _limited(level: Floats, spread: Floats | float) -> Floats:
    """Return E[min(C, 1)] of a log-normal C."""
    below = np.exp(level + np.square(spread) / 2.0 + log_ndtr(-level / spread - spread))
    return np.asarray(below + ndtr(level / spread), dtype=np.float64)


def _level_at(share: Floats, spread: float) -> Floats:
    """Return the level at which E[min(C, 1)] of a log-normal C is the share given."""
    share = np.clip(share, 0.02, 0.98)
    ends = np.full(len(share), -8.0), np.full(len(share), 8.0)
    return halved(ends, lambda level: _limited(level, spread) < share, 50)


# --- joint draws --------------------------------------------------------------------------------


def draw_capacity(
    capacity: Capacity, rows: Integers, n_draws: int, random: np.random.Generator
) -> Floats:
    """Return joint draws of capacity before anything of the year is known.

    What is disbursed by year-end is then the smaller of capacity and plan.

    Parameters
    ----------
    rows : integer array (n_wanted,)
        Cells wanted.

    Returns
    -------
    array (n_draws, n_wanted), million VND
    """
    group, size = capacity.shared
    common = random.standard_normal((n_draws, 1)) + random.standard_normal((n_draws, size))
    luck = common[:, group[rows]] * (capacity.year / np.sqrt(2.0))
    own = random.standard_normal((n_draws, len(rows))) * capacity.own[rows]
    return np.asarray(np.exp(capacity.level[rows] + luck + own), dtype=np.float64)


def beyond_plan(
    capacity: Capacity,
    rows: Integers,
    year_end: Floats,
    now: tuple[Floats, Floats],
    random: np.random.Generator,
) -> Floats:
    r"""Return joint draws of capacity that agree with draws of year-end money.

    A draw that ends below the plan shows capacity; one that reaches it gets the excess of a
    log-normal draw known to be at least the plan, times the share of the year's work still to come.
    Draws in which much is disbursed of a source as a whole get the larger excesses, with the
    correlation that the shared luck of a year gives.

    Parameters
    ----------
    rows : integer array (n_wanted,)
        Cells wanted.
    year_end : array (n_draws, n_wanted), million VND
    now : (array, array), each (n_wanted,)
        Most that the draws of year-end money can show (the plan, or what is disbursed if that is
        more; 0: nothing planned), and the share of the year's work usually done by now.

    Returns
    -------
    array (n_draws, n_wanted), million VND
        ``min(capacity, most) == year_end``.
    """
    most, developed = now
    level, spread = capacity.level[rows], capacity.spread[rows]
    reached = year_end >= most
    limit = np.clip((np.log(_positive(most, 1e-9)) - level) / spread, -30.0, 30.0)
    beyond = (1.0 - _ranks(capacity, rows, year_end, reached, random)) * ndtr(-limit)
    excess = np.maximum(np.exp(level - spread * ndtri(beyond)) - most, 0.0)
    return year_end + np.where(reached, excess * (1.0 - developed), 0.0)


def _ranks(
    capacity: Capacity,
    rows: Integers,
    year_end: Floats,
    reached: NDArray[np.bool_],
    random: np.random.Generator,
) -> Floats:
    """Return evenly spread numbers in (0, 1) for the draws of a cell that reach its plan."""
    group = capacity.shared.group[rows]
    score = random.standard_normal(year_end.shape)
    trust = (capacity.year / capacity.spread[rows]) ** 2
    for g in np.unique(group):
        total = year_end[:, group == g].sum(1)
        spread = total.std()
        common = (total - total.mean()) / (spread if spread > 0 else 1.0)
        score[:, group == g] *= np.sqrt(1.0 - trust[group == g])
        score[:, group == g] += np.sqrt(trust[group == g]) * common[:, None]
    score[~reached] = -np.inf
    order = np.argsort(score, axis=0)
    rank = np.empty_like(order)
    np.put_along_axis(rank, order, np.arange(len(order))[:, None], axis=0)
    missed = (~reached).sum(0)
    place: Floats = (np.maximum(rank - missed, 0) + 0.5) / np.maximum(len(order) - missed, 1)
    return place
