"""Peers' year-end forecasts, in an environment of their own: knows nothing of kc_model.

``python -m benchmarks.peers PATHS.csv POINTS.csv`` reads what was spent (set, unit, year, month,
spent: cumulative within the year) and which years are tested, and writes what every method said at
the end of months 3, 6 and 9 from the months before: set, year, month, unit, method, point, seconds.
Every method forecasts the monthly amounts still to come and adds them to what is spent, or the
year-end itself; none may fall below what is spent.
"""

from __future__ import annotations

import argparse
import logging
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import chainladder as cl
import numpy as np
import pandas as pd
from prophet import Prophet
from statsforecast import StatsForecast
from statsforecast.models import AutoTheta
from statsmodels.tsa.exponential_smoothing.ets import ETSModel
from statsmodels.tsa.forecasting.theta import ThetaModel

__all__ = ["main", "points"]

_MONTHS = (3, 6, 9)
_YEAR = 12


def main() -> None:
    """Read paths, write points."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=__doc__)
    parser.add_argument("paths", type=Path)
    parser.add_argument("points", type=Path)
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    rows = pd.read_csv(options.paths, dtype={"unit": str})
    points(rows).to_csv(options.points, index=False)


def points(rows: pd.DataFrame) -> pd.DataFrame:
    """Return every method's forecast at every origin.

    Parameters
    ----------
    rows : DataFrame
        set, unit, year, month, spent, tested (bool: whether the year is forecast).
    """
    found = []
    for name, one in rows.groupby("set", sort=False):
        units = sorted(one["unit"].unique())
        years = sorted(one["year"].unique())
        table = one.set_index(["unit", "year", "month"])["spent"]
        index = pd.MultiIndex.from_product([units, years, range(1, _YEAR + 1)])
        paths = table.reindex(index).to_numpy().reshape(len(units), len(years), _YEAR)
        for year in sorted(one.loc[one["tested"], "year"].unique()):
            for month in _MONTHS:
                known = paths[:, : years.index(year) + 1].copy()
                known[:, -1, month:] = np.nan
                for method, said, seconds in _all(known, month, years[0]):
                    point = np.fmax(said, known[:, -1, month - 1])
                    found.append(
                        pd.DataFrame(
                            {
                                "set": name,
                                "year": year,
                                "month": month,
                                "unit": units,
                                "method": method,
                                "point": point,
                                "seconds": seconds / len(units),
                            }
                        )
                    )
    return pd.concat(found, ignore_index=True)


def _all(known: np.ndarray, month: int, first: int) -> Iterator[tuple[str, np.ndarray, float]]:
    """Yield the name, the forecasts (n_units,) and the seconds of each method.

    Parameters
    ----------
    known : array (n_units, n_years, 12)
        NaN after the origin.
    month : int
    first : int
        The first year.
    """
    for name, method in _YEAR_END.items():
        start = time.perf_counter()
        yield name, method(known, month), time.perf_counter() - start
    with np.errstate(invalid="ignore"):
        start = time.perf_counter()
        for name, point in _run_off(known, month, first):
            yield name, point, time.perf_counter() - start
            start = time.perf_counter()
    steps = np.diff(known, axis=2, prepend=0.0).reshape(len(known), -1)
    steps = steps[:, : steps.shape[1] - _YEAR + month]
    for name, method in _SERIES.items():
        start = time.perf_counter()
        rest = method(steps, _YEAR - month, first).sum(axis=1)
        yield name, known[:, -1, month - 1] + rest, time.perf_counter() - start


# --- the year-end itself ------------------------------------------------------------------------


def _last_year(known: np.ndarray, _month: int) -> np.ndarray:
    return known[:, -2, -1]


def _pace(known: np.ndarray, month: int) -> np.ndarray:
    """Return what is spent over last year's share at the same month; last year's where it is 0."""
    share = known[:, -2, month - 1] / np.where(known[:, -2, -1] > 0, known[:, -2, -1], np.nan)
    pace = known[:, -1, month - 1] / np.where(share > 0, share, np.nan)
    return np.where(np.isfinite(pace), pace, known[:, -2, -1])


def _linear(known: np.ndarray, month: int) -> np.ndarray:
    return known[:, -1, month - 1] * _YEAR / month


_YEAR_END = {"last year's outturn": _last_year, "last year's pace": _pace, "linear": _linear}


def _run_off(known: np.ndarray, month: int, first: int) -> Iterator[tuple[str, np.ndarray]]:
    """Yield chainladder's methods, each unit its own triangle.

    The expectation is last year's outturn times the mean growth of the set's total over the last
    three years, as neither set has an opening plan. Cape Cod is left out: it needs every year's
    path carried on to today, which the package does not do by itself.
    """
    triangle = _triangle(known, first)
    developed = cl.Development(average="volume").fit_transform(triangle)
    spent = known[:, -1, month - 1]
    last = _last_of(cl.Chainladder().fit(developed).ultimate_, spent)
    yield "chain ladder", last
    final = known[:, :-1, -1]
    total = final.sum(axis=0)
    growth = (total[1:] / total[:-1])[-3:].mean()
    weight = _exposure(triangle, np.c_[final[:, :1], final[:, :-1], final[:, -1] * growth])
    for name, model in (
        ("Bornhuetter-Ferguson", cl.BornhuetterFerguson()),
        ("Benktander", cl.Benktander(n_iters=2)),
    ):
        yield name, _last_of(model.fit(developed, sample_weight=weight).ultimate_, spent)


def _triangle(known: np.ndarray, first: int) -> cl.Triangle:
    unit, year, month = np.nonzero(np.isfinite(known))
    rows = pd.DataFrame(
        {
            "unit": unit,
            "year": first + year,
            "at": pd.to_datetime({"year": first + year, "month": month + 1, "day": 28}),
            "spent": known[unit, year, month],
        }
    )
    return cl.Triangle(
        rows, origin="year", development="at", index="unit", columns="spent", cumulative=True
    )


def _exposure(triangle: cl.Triangle, expected: np.ndarray) -> cl.Triangle:
    weight = triangle.latest_diagonal.copy()
    values = np.zeros(weight.shape)
    values[:, 0, :, 0] = expected
    weight.values = values
    return weight


def _last_of(ultimate: cl.Triangle, spent: np.ndarray) -> np.ndarray:
    """Return the newest year's ultimate; what is spent where the package has none (zeros)."""
    last = ultimate.set_backend("numpy").values[:, 0, -1, 0]
    return np.where(np.isfinite(last), last, spent)


# --- monthly series -----------------------------------------------------------------------------


def _dates(n: int, first: int) -> pd.DatetimeIndex:
    return pd.date_range(f"{first}-01-01", periods=n, freq="ME")


def _auto_theta(steps: np.ndarray, horizon: int, first: int) -> np.ndarray:
    n_units, n_months = steps.shape
    frame = pd.DataFrame(
        {
            "unique_id": np.repeat(np.arange(n_units), n_months),
            "ds": np.tile(_dates(n_months, first), n_units),
            "y": steps.ravel(),
        }
    )
    model = StatsForecast(models=[AutoTheta(season_length=_YEAR)], freq="ME")
    said = model.forecast(df=frame, h=horizon)
    return said.sort_values(["unique_id", "ds"])["AutoTheta"].to_numpy().reshape(n_units, horizon)


def _prophet(steps: np.ndarray, horizon: int, first: int) -> np.ndarray:
    dates = _dates(steps.shape[1] + horizon, first)
    said = []
    for row in steps:
        model = Prophet(weekly_seasonality=False, daily_seasonality=False, uncertainty_samples=0)
        model.fit(pd.DataFrame({"ds": dates[: len(row)], "y": row}))
        said.append(model.predict(pd.DataFrame({"ds": dates[len(row) :]}))["yhat"].to_numpy())
    return np.stack(said)


def _each(fit: Callable[[np.ndarray, int], np.ndarray]) -> Callable[..., np.ndarray]:
    """Return a method that fits one series at a time; last year's months where it cannot."""

    def method(steps: np.ndarray, horizon: int, _first: int) -> np.ndarray:
        said = []
        for row in steps:
            scale = max(np.abs(row).max(), 1e-9)
            try:
                rest = fit(row / scale, horizon) * scale
            except (ValueError, np.linalg.LinAlgError):
                rest = np.full(horizon, np.nan)
            ahead = row[len(row) - _YEAR :][:horizon]
            said.append(np.where(np.isfinite(rest), rest, ahead))
        return np.stack(said)

    return method


def _ets(row: np.ndarray, horizon: int) -> np.ndarray:
    model = ETSModel(
        row, error="add", trend="add", damped_trend=True, seasonal="add", seasonal_periods=_YEAR
    )
    return model.fit(disp=False).forecast(horizon)


def _theta(row: np.ndarray, horizon: int) -> np.ndarray:
    model = ThetaModel(row, period=_YEAR, use_test=False, method="additive")
    return np.asarray(model.fit().forecast(horizon))


_SERIES = {
    "statsforecast AutoTheta": _auto_theta,
    "Prophet": _prophet,
    "statsmodels ETS(A,Ad,A)": _each(_ets),
    "statsmodels Theta": _each(_theta),
}


if __name__ == "__main__":
    main()
