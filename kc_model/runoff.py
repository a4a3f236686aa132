"""Development of cumulative money within a year: the array core, all units at once.

A *path* is the money disbursed so far at the end of each month of one unit and year; a unit's paths
stacked by year are a run-off triangle. NaN means "not known" and 0 means "nothing spent": the two
are never confused, and months without spending are ordinary. Arrays hold floats in one money unit
(million VND in the package); the last axes are always (n_years, n_periods).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator

__all__ = [
    "PACES",
    "Floats",
    "Mack",
    "SigmaRule",
    "at_time",
    "benktander",
    "bornhuetter_ferguson",
    "cape_cod",
    "catch_up",
    "chain_ladder",
    "fill_gaps",
    "halved",
    "latest",
    "link_factors",
    "mack",
    "pattern_between",
    "ratio",
    "to_usual_clock",
    "usual_time",
]

Floats = NDArray[np.float64]
Integers = NDArray[np.intp]
SigmaRule = Literal["mack", "log-linear"]

PACES: Floats = np.linspace(1.0, 3.0, 41)
"""How many times faster than usual late work may be done, all as likely (assumed)."""

_QUARTER = 3  # months between two quarterly reports

# --- triangles ----------------------------------------------------------------------------------


def latest(cumulative: Floats) -> tuple[Floats, Integers]:
    """Return the last known value of every path and its period.

    Parameters
    ----------
    cumulative : array (..., n_periods)
        NaN where not known; gaps inside a path are allowed.

    Returns
    -------
    value : array (...)
        NaN where nothing is known.
    period : integer array (...)
        0-based; -1 where nothing is known.
    """
    known = np.isfinite(cumulative)
    n_periods = cumulative.shape[-1]
    period = np.where(known.any(-1), n_periods - 1 - known[..., ::-1].argmax(-1), -1)
    value = np.take_along_axis(cumulative, np.maximum(period, 0)[..., None], -1)[..., 0]
    return np.where(period >= 0, value, np.nan), period


def link_factors(cumulative: Floats) -> Floats:
    r"""Return volume-weighted development factors from each period to the next.

    .. math:: f_k = \sum_i C_{i,k+1} / \sum_i C_{i,k}

    over the years in which both periods are known.

    Parameters
    ----------
    cumulative : array (..., n_years, n_periods)

    Returns
    -------
    array (..., n_periods - 1)
        NaN where no year tells (both periods never known together, or nothing spent before).
    """
    start, end = cumulative[..., :-1], cumulative[..., 1:]
    both = np.isfinite(start) & np.isfinite(end)
    return ratio(np.where(both, end, 0.0).sum(-2), np.where(both, start, 0.0).sum(-2))


def chain_ladder(cumulative: Floats) -> Floats:
    """Return every year's ultimate by the chain ladder: latest value times the factors still due.

    Periods that nobody ever observed (the months between quarterly reports) are left out.

    Parameters
    ----------
    cumulative : array (..., n_years, n_periods)

    Returns
    -------
    array (..., n_years)
        NaN where nothing is known of a year or a factor it needs is not known.
    """
    observed = np.isfinite(cumulative).any(tuple(range(cumulative.ndim - 1)))
    paths = cumulative[..., observed]
    value, period = latest(paths)
    due = np.ones((*paths.shape[:-2], paths.shape[-1]))
    due[..., :-1] = np.cumprod(link_factors(paths)[..., ::-1], -1)[..., ::-1]
    return np.asarray(value * np.take_along_axis(due, np.maximum(period, 0), -1))


@dataclass(frozen=True)
class Mack:
    """What `mack` returns; leading axes as in the triangle.

    Parameters
    ----------
    factors, sigma : array (..., n_periods - 1)
        Development factors and Mack's sigma (not squared).
    ultimate, reserve, standard_error : array (..., n_years)
        Ultimate of every year, what is still to come and the root mean square error of prediction.
    total_reserve, total_standard_error : array (...)
        For the sum of all years; the error allows for the factors the years share.
    """

    factors: Floats
    sigma: Floats
    ultimate: Floats
    reserve: Floats
    standard_error: Floats
    total_reserve: Floats
    total_standard_error: Floats


def mack(triangle: Floats, sigma_rule: SigmaRule = "mack") -> Mack:
    r"""Return the ultimates of a run-off triangle with Mack's standard errors.

    Parameters
    ----------
    triangle : array (..., n_years, n_periods)
        Cumulative money, rows = years of origin, columns = periods of development; NaN = not known.
        Any number of leading axes; rows need not be sorted, n_years and n_periods may differ.
    sigma_rule : {"mack", "log-linear"}
        How sigma is found where fewer than two years tell it (always the last period):
        ``"mack"`` takes :math:`\sigma_k^2 = \min(\sigma_{k-1}^4/\sigma_{k-2}^2,
        \sigma_{k-1}^2, \sigma_{k-2}^2)`; ``"log-linear"`` extends the straight line through
        :math:`\log \sigma_k` (the default of chainladder-python and of R's ChainLadder).

    Returns
    -------
    Mack

    Raises
    ------
    ValueError
        If there are fewer than two periods or the rule is unknown.

    Notes
    -----
    With :math:`F_{ik} = C_{i,k+1}/C_{ik}` and :math:`n_k` years,
    :math:`\sigma_k^2 = \sum_i C_{ik} (F_{ik} - f_k)^2 / (n_k - 1)`. The error follows Mack's
    recursion: process and factor variance move on with :math:`f_k^2` and grow by
    :math:`\sigma_k^2 C_{ik}` and :math:`C_{ik}^2 \sigma_k^2 / \sum_j C_{jk}`. A year with
    :math:`C_{ik} = 0` has no factor and tells nothing of sigma.

    References
    ----------
    T. Mack, "Distribution-free calculation of the standard error of chain ladder reserve
    estimates", ASTIN Bulletin 23 (1993), p. 213-225; "The standard error of chain ladder reserve
    estimates: recursive calculation and inclusion of a tail factor", ASTIN Bulletin 29 (1999),
    p. 361-366.

    Examples
    --------
    >>> import numpy as np
    >>> result = mack(np.array([[100.0, 150.0], [110.0, 160.0], [120.0, np.nan]]))
    >>> float(result.ultimate[2].round(3))
    177.143
    """
    triangle = np.asarray(triangle, dtype=np.float64)
    if triangle.ndim < 2 or triangle.shape[-1] < 2:
        raise ValueError("a triangle needs years x periods with at least two periods")
    factors = link_factors(triangle)
    sigma = _extend_sigma(_sigma(triangle, factors), sigma_rule)
    start, end = triangle[..., :-1], triangle[..., 1:]
    volume = np.where(np.isfinite(start) & np.isfinite(end), start, 0.0).sum(-2)
    value, period = latest(triangle)
    ultimate, variance, total = _recursion(value, period, factors, (sigma**2, volume))
    reserve = ultimate - value
    return Mack(
        factors, sigma, ultimate, reserve, np.sqrt(variance), np.nansum(reserve, -1), np.sqrt(total)
    )


def _recursion(
    value: Floats, period: Integers, factors: Floats, spread: tuple[Floats, Floats]
) -> tuple[Floats, Floats, Floats]:
    """Return ultimates, their variance and the variance of their sum, period by period."""
    sigma2, volume = spread
    projected, process, shared = value.copy(), np.zeros_like(value), np.zeros_like(value)
    total = np.zeros(value.shape[:-1])
    for k in range(factors.shape[-1]):
        f, s2 = factors[..., k, None], sigma2[..., k, None]
        of_factor = ratio(s2, volume[..., k, None])
        due = (period <= k) & (period >= 0)
        summed = np.where(due, projected, 0.0).sum(-1)
        total = np.where(due.any(-1), total * f[..., 0] ** 2 + summed**2 * of_factor[..., 0], total)
        shared = np.where(due, shared * f**2 + projected**2 * of_factor, shared)
        process = np.where(due, process * f**2 + s2 * projected, process)
        projected = np.where(due, projected * f, projected)
    return projected, process + shared, total + np.nansum(process, -1)


def _sigma(triangle: Floats, factors: Floats) -> Floats:
    start, end = triangle[..., :-1], triangle[..., 1:]
    told = np.isfinite(start) & np.isfinite(end) & (start > 0)
    link = ratio(end, np.where(told, start, 0.0))
    squares = np.where(told, start * (link - factors[..., None, :]) ** 2, 0.0).sum(-2)
    return np.sqrt(ratio(squares, np.maximum(told.sum(-2) - 1.0, 0.0)))


def _extend_sigma(sigma: Floats, rule: SigmaRule) -> Floats:
    if rule not in ("mack", "log-linear"):
        raise ValueError(f"sigma_rule is 'mack' or 'log-linear', not {rule!r}")
    extended = sigma.copy()
    for unit in np.ndindex(sigma.shape[:-1]):
        (_by_mack if rule == "mack" else _by_line)(extended[unit])
    return extended


def _by_mack(sigma: Floats) -> None:
    for k in np.flatnonzero(np.isnan(sigma)):
        if k >= 2 and sigma[k - 2] > 0:
            sigma[k] = min(sigma[k - 1] ** 2 / sigma[k - 2], sigma[k - 1], sigma[k - 2])
        elif k >= 1:
            sigma[k] = sigma[max(k - 2, 0) : k].min()


def _by_line(sigma: Floats) -> None:
    told = np.flatnonzero(sigma > 0)
    if told.size < 2:
        _by_mack(sigma)
        return
    slope, level = np.polyfit(told, np.log(sigma[told]), 1)
    unknown = np.isnan(sigma)
    sigma[unknown] = np.exp(level + slope * np.flatnonzero(unknown))


# --- methods with an expectation ----------------------------------------------------------------


def bornhuetter_ferguson(value: Floats, developed: Floats, expected: Floats) -> Floats:
    """Return ultimates by Bornhuetter-Ferguson: what is known plus the expected undeveloped part.

    Parameters
    ----------
    value : array
        Money disbursed so far; NaN (not reported) counts as nothing known.
    developed : array
        Share of the year's money usually disbursed by then, 0 to 1.
    expected : array
        Year-end expectation set before looking at `value`, same money unit.

    References
    ----------
    R. Bornhuetter and R. Ferguson, "The actuary and IBNR", Proc. Casualty Actuarial Society 59
    (1972), p. 181-195.
    """
    known = np.isfinite(value)
    return np.where(known, value, 0.0) + np.where(known, 1.0 - developed, 1.0) * expected


def benktander(
    value: Floats, developed: Floats, expected: Floats, *, iterations: int = 2
) -> Floats:
    """Return ultimates by Benktander: Bornhuetter-Ferguson fed with its own answer.

    One iteration is Bornhuetter-Ferguson, very many are the chain ladder; the default of two gives
    the year's own progress the weight `developed`.

    References
    ----------
    G. Benktander, "An approach to credibility in calculating IBNR for casualty excess
    reinsurance", Actuarial Review (April 1976), p. 7; T. Mack, "Credible claims reserves: the
    Benktander method", ASTIN Bulletin 30 (2000), p. 333-347.
    """
    for _ in range(iterations):
        expected = bornhuetter_ferguson(value, developed, expected)
    return expected


def cape_cod(value: Floats, developed: Floats, exposure: Floats, *, decay: float = 1.0) -> Floats:
    r"""Return ultimates by Cape Cod: the expectation is the money spent per exposure used up.

    .. math:: q_i = \sum_j d^{|i-j|} C_j / \sum_j d^{|i-j|} G_j P_j, \quad
              U_i = C_i + (1 - G_i) q_i P_i

    Parameters
    ----------
    value, developed, exposure : array (..., n_years)
        Latest cumulative money (NaN = not known), share usually developed by then, and plan.
    decay : float
        Weight :math:`d` of a year next to its neighbour; 1 (default) weighs all years alike,
        0 uses each year alone.

    Returns
    -------
    array (..., n_years)
        NaN where no exposure has been used up.

    References
    ----------
    J. Stanard, "A simulation test of prediction errors of loss reserve estimation techniques",
    Proc. Casualty Actuarial Society 72 (1985), p. 124-148; S. Gluck, "Balancing development and
    trend in loss reserve analysis", same series 84 (1997), p. 482-532.
    """
    known = np.isfinite(value) & np.isfinite(developed) & np.isfinite(exposure)
    year = np.arange(value.shape[-1])
    weight = np.power(float(decay), np.abs(year[:, None] - year))
    spent = np.where(known, value, 0.0) @ weight
    used_up = np.where(known, developed * exposure, 0.0) @ weight
    return bornhuetter_ferguson(value, developed, ratio(spent, used_up) * exposure)


# --- patterns and the clock ---------------------------------------------------------------------


def fill_gaps(cumulative: Floats) -> Floats:
    """Return paths with the months between two known ones read off a straight line.

    The start of the year counts as known: nothing is disbursed before it. What lies after the last
    known month stays NaN, and so do gaps longer than those between two quarterly reports.

    Parameters
    ----------
    cumulative : array (..., n_periods)
    """
    filled = cumulative.copy()
    paths = filled.reshape(-1, cumulative.shape[-1])
    months = np.arange(1, cumulative.shape[-1] + 1)
    all_known = np.isfinite(paths)
    for i in np.flatnonzero(all_known.any(1) & ~all_known.all(1)):
        known = all_known[i]
        at, money = np.r_[0, months[known]], np.r_[0.0, paths[i, known]]
        after = np.minimum(np.searchsorted(at, months), len(at) - 1)
        short = at[after] - at[after - 1] <= _QUARTER
        inside = ~known & (months < at[-1]) & short
        paths[i, inside] = np.interp(months[inside], at, money)
    return filled


def pattern_between(shares: Floats, observed: NDArray[np.bool_]) -> Floats:
    """Return a development pattern for every month from the months where it is known.

    Shares are made rising by the mean of their running maximum and (backwards) running minimum and
    joined by a monotone cubic through (0, 0); the last month is 1.

    Parameters
    ----------
    shares : array (n_units, n_periods)
        Share of the year's money disbursed by each month; read only where `observed`.
    observed : bool array (n_periods,)
        The last period always counts as observed.

    Returns
    -------
    array (n_units, n_periods + 1)
        Column t is the share at the end of month t; column 0 is 0.
    """
    n_periods = shares.shape[-1]
    knots = np.flatnonzero(np.r_[observed[:-1], True])
    known = np.clip(shares[:, knots], 0.0, 1.0)
    known[:, -1] = 1.0
    rising = np.maximum.accumulate(known, 1)
    falling = np.minimum.accumulate(known[:, ::-1], 1)[:, ::-1]
    money = np.c_[np.zeros(len(known)), (rising + falling) / 2]
    curve = PchipInterpolator(np.r_[0, knots + 1], money, axis=1)
    pattern = np.clip(curve(np.arange(n_periods + 1.0)), 0.0, 1.0)
    pattern[:, -1] = 1.0
    return pattern


def at_time(pattern: Floats, time: Floats) -> Floats:
    """Return the share developed at a time in months, on a straight line between months.

    Parameters
    ----------
    pattern : array (n_units, n_periods + 1)
        As `pattern_between` returns it.
    time : array (n_units,) or (n_units, k)
        0 to n_periods; times outside count as the nearest end.
    """
    last = pattern.shape[1] - 1
    columns = time if time.ndim == 2 else time[:, None]
    clipped = np.clip(columns, 0.0, last)
    month = np.minimum(clipped.astype(np.intp), last - 1)
    low = np.take_along_axis(pattern, month, 1)
    high = np.take_along_axis(pattern, month + 1, 1)
    part = clipped - month
    between = np.where(part > 0, low + part * (high - low), low)
    return np.where(part < 1, between, high).reshape(time.shape)


def usual_time(month: Floats, arrival: Floats, n_periods: int) -> Floats:
    """Return where a year whose money came late stands on the clock of a usual year.

    The usual year is squeezed into what is left of it from the first day of the month of arrival:
    ``n_periods * (month - arrival + 1) / (n_periods - arrival + 1)``, 0 before arrival. Arrival in
    month 1 changes nothing.

    Parameters
    ----------
    month : array
        Months elapsed.
    arrival : array
        Month in which the money arrived, 1 to n_periods.
    """
    elapsed = np.maximum(month - arrival + 1.0, 0.0)
    return n_periods * elapsed / (n_periods - arrival + 1.0)


def to_usual_clock(filled: Floats, arrival: Floats) -> Floats:
    """Return paths of late years as they would look on the clock of a usual year.

    Parameters
    ----------
    filled : array (..., n_periods)
        Paths without gaps (`fill_gaps`).
    arrival : array (...)
        Month of arrival of each path.
    """
    n_periods = filled.shape[-1]
    flat, start = filled.reshape(-1, n_periods).copy(), np.ravel(arrival)
    late = np.flatnonzero(start > 1)
    if late.size:
        first = start[late, None] - 1.0
        months = first + np.arange(1, n_periods + 1) * (n_periods - first) / n_periods
        flat[late] = at_time(np.c_[np.zeros(late.size), flat[late]], months)
    return flat.reshape(filled.shape)


def catch_up(pattern: Floats, arrival: Floats) -> Floats:
    """Return the share of a usual year-end still within reach when money arrives late.

    Late work is done at a multiple of its usual speed, so that arrival near the end of the year
    leaves little. How fast is not known; `PACES` run from 1 to 3, since money that came after May
    was mostly still spent (North 2024: 84.4 % of KCQG against 90.4 % of KCDP), which no pace near 1
    allows.

    Parameters
    ----------
    pattern : array (n_units, n_periods + 1)
    arrival : array (n_units,)
        1 means in time and gives 1.

    Returns
    -------
    array (n_units, n_paces)
    """
    late = arrival > 1
    left = pattern.shape[1] - arrival[late]
    reached = np.ones((len(arrival), len(PACES)))
    reached[late] = at_time(pattern[late], left[:, None] * PACES)
    return reached


def halved(
    ends: tuple[Floats, Floats], is_below: Callable[[Floats], NDArray[np.bool_]], times: int
) -> Floats:
    """Return the point of each interval, halved so often, where a rising function crosses zero."""
    low, high = ends
    for _ in range(times):
        middle = (low + high) / 2.0
        below = is_below(middle)
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return np.asarray((low + high) / 2.0, dtype=np.float64)


def ratio(top: Floats, bottom: Floats) -> Floats:
    """Return top / bottom, NaN where the bottom is not above 0 (undefined, never 0 or infinite)."""
    top, bottom = np.broadcast_arrays(
        np.asarray(top, dtype=np.float64), np.asarray(bottom, dtype=np.float64)
    )
    share: Floats = np.full(top.shape, np.nan)
    with np.errstate(invalid="ignore"):
        np.divide(top, bottom, out=share, where=bottom > 0)
    return share
