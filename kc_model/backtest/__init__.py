"""How good the forecast would have been in past years, from what was known month by month."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from kc_model.backtest.past import in_one_vintage, known, year_ends
from kc_model.backtest.rivals import OURS, SIZES, averages, legs, rivals
from kc_model.backtest.scores import SCORES, Floats, crps, score
from kc_model.backtest.words import on_accuracy, on_extent, on_kinds
from kc_model.errors import Address, Fault, InputError, raise_faults
from kc_model.forecast import forecast
from kc_model.money import MILLION
from kc_model.results import Provenance
from kc_model.tables import KEYS, Dataset, positions
from kc_model.wording import Language, say

__all__ = ["Backtest", "backtest", "crps", "known", "score"]

_HISTORY = Address("history.csv")


@dataclass(frozen=True)
class Backtest:
    """Forecasts of past years beside what came.

    Parameters
    ----------
    title, unit : str
        Of the dataset.
    rows : DataFrame
        One row per origin, unit and method. year, month: the origin; level (cell, source, all);
        place, area, activity, source ("" where the level does not fix it); size (of cells: small,
        medium, large, thirds by plan of all that were scored; else ""); method: ``forecast``; the
        plain rivals ``linear`` (so much a month as so far), ``pace`` (last year's share at the same
        month) and ``completion`` (last year's completion of the plan), each held between what is
        spent and the plan; ``leg:NAME``, the forecast's single methods. plan (the last in force
        that year), actual, expected: million VND; error, crps, width_80, width_95: shares of
        `plan`; inside_80, inside_95: 1 or 0. A method without a range has its absolute error as
        crps, and NaN for range and coverage. planned: whether the year had a plan at the origin.
    sizes : tuple of float
        Plans, million VND, up to which a cell is small, and medium.
    done, left : tuple of (year, month)
        Origins that were tried; those that an interruption left.
    skipped : tuple of Fault
        Origins that cannot be forecast, and why.
    n_unscored : int
        Cells and origins without a plan or a known year-end, left out of every figure.
    provenance : Provenance
    """

    title: str
    unit: str
    rows: pd.DataFrame
    sizes: tuple[float, ...]
    done: tuple[tuple[int, int], ...]
    left: tuple[tuple[int, int], ...]
    skipped: tuple[Fault, ...]
    n_unscored: int
    provenance: Provenance

    def summary(self) -> pd.DataFrame:
        """Return averages by month, size and source, and for the totals.

        Returns
        -------
        DataFrame
            by (all, month, size, source: of cells; total, total-month, total-source: of sums; where
            months are not apart, without origins before the year had a plan),
            group (text; "" for all), n, mae, crps, inside_80, inside_95, width_80, width_95 (shares
            of the plan), and what the error is of a rival's on the same rows, below 1 where the
            forecast is better: ratio_linear, ratio_pace, ratio_completion, and ratio_best of the
            best single method, best (its name). NaN and "" where there is nothing to compare.
        """
        return averages(self.rows)

    def explain(self, language: Language = "vi") -> list[str]:
        """Return in sentences what a planner may expect of the forecast, bad news included."""
        table = {
            (str(row["by"]), str(row["group"])): {str(key): value for key, value in row.items()}
            for row in self.summary().to_dict("records")
        }
        n_scores = sum(row["n"] for (by, _), row in table.items() if by == "month")
        sizes = [round(limit * MILLION) for limit in self.sizes]
        left_out = {"skipped": len(self.skipped), "unscored": self.n_unscored}
        return [
            *on_extent(self.done, self.left, n_scores, language),
            *(say(f"backtest.{key}", language, count=n) for key, n in left_out.items() if n),
            *on_accuracy(table, language),
            *on_kinds(table, sizes, self.unit, language),
        ]


def backtest(
    data: Dataset,
    *,
    years: Collection[int] | None = None,
    months: Collection[int] | None = None,
    draws: int = 500,
    progress: Callable[[str, float], None] | None = None,
    seed: int = 20260101,
) -> Backtest:
    """Forecast every past year again, month by month, from what was known then.

    Parameters
    ----------
    data : Dataset
    years : collection of int or None
        None: every year whose year-end is known (an estimate does not count) and that has an
        earlier year to learn from.
    months : collection of int or None
        0 (before the year) to 12. None: 0 and the months some year reported.
    draws : int
        Joint draws of each forecast.
    progress : callable ("backtest", share done) or None
    seed : int

    Returns
    -------
    Backtest
        Interrupted (Ctrl-C) after at least one origin: what is done, with the rest in `left`.

    Raises
    ------
    InputError
        ``backtest-year`` (a year whose end is not known), ``forecast-month``, ``forecast-draws``,
        ``nothing-to-test``.

    Notes
    -----
    Rolling origin: `known` takes away everything later before `forecast` is asked. Points are of
    the last plan in force of the year, so a plan that changes after the origin counts as error;
    the outcome is that of the year-end the forecast speaks of.
    """
    data = in_one_vintage(data)
    ends = year_ends(data.history)
    origins = _origins(data.history, ends, years, months, draws)
    tried: list[_Tried] = []
    tell = progress or (lambda _step, _share: None)
    try:
        for count, origin in enumerate(origins):
            tell("backtest", count / len(origins))
            tried.append(_try(data, ends, origin, draws=draws, seed=seed))
        tell("backtest", 1.0)
    except KeyboardInterrupt:
        if not any(len(one.rows) for one in tried):
            raise
    if not any(len(one.rows) for one in tried):
        raise_faults([Fault("nothing-to-test", _HISTORY)])
    done = tuple(one.origin for one in tried)
    rows, sizes = _with_sizes(pd.concat([one.rows for one in tried], ignore_index=True))
    return Backtest(
        title=data.title,
        unit=data.unit,
        rows=rows,
        sizes=sizes,
        done=done,
        left=tuple(origin for origin in origins if origin not in done),
        skipped=tuple(one.fault for one in tried if one.fault),
        n_unscored=sum(one.n_unscored for one in tried),
        provenance=next(one.provenance for one in tried if one.provenance),
    )


@dataclass(frozen=True)
class _Tried:
    """What one origin gave."""

    origin: tuple[int, int]
    rows: pd.DataFrame = field(default_factory=pd.DataFrame)
    n_unscored: int = 0
    provenance: Provenance | None = None
    fault: Fault | None = None


def _origins(
    history: pd.DataFrame,
    ends: pd.DataFrame,
    years: Collection[int] | None,
    months: Collection[int] | None,
    draws: int,
) -> list[tuple[int, int]]:
    """Return the origins in order, or refuse what cannot be."""
    year_end = 13 if bool(ends[13].notna().any()) else 12
    ended = ends.index[ends[year_end].notna()].get_level_values("year")
    possible = sorted({int(year) for year in ended})
    first = int(history["year"].min()) if len(history) else 0
    asked = [year for year in possible if year > first] if years is None else sorted(set(years))
    reported = history.loc[history["disbursed"].notna(), "month"].unique()
    each = {0, *(int(month) for month in reported)} if months is None else set(months)
    faults = [Fault("backtest-year", _HISTORY, {"year": y}) for y in asked if y not in possible]
    if months is not None:
        wrong = sorted(each - set(range(13)))
        faults += [Fault("forecast-month", values={"month": month}) for month in wrong]
    if draws < 1:
        faults.append(Fault("forecast-draws", values={"draws": draws}))
    found = [(year, month) for year in asked for month in sorted(each) if month < year_end]
    if not found and not faults:
        faults.append(Fault("nothing-to-test", _HISTORY))
    raise_faults(faults)
    return found


def _try(
    data: Dataset, ends: pd.DataFrame, origin: tuple[int, int], *, draws: int, seed: int
) -> _Tried:
    past = known(data, *origin)
    try:
        outlook = forecast(past, *origin, draws=draws, seed=seed)
    except InputError as error:
        return _Tried(origin, fault=error.faults[0])
    cells = pd.MultiIndex.from_frame(outlook.cells[KEYS])
    truth = ends.xs(origin[0], level="year").reindex(cells)
    actual, plan = truth[outlook.year_end].to_numpy(), truth["plan"].to_numpy()
    scored = np.isfinite(actual) & (plan > 0)
    provenance = replace(outlook.provenance, dataset=data.hash)
    tried = _Tried(origin, n_unscored=int((~scored).sum()), provenance=provenance)
    if not scored.any():
        return tried
    said = {**rivals(past.history, outlook), **legs(outlook)}
    parts = []
    for units in _levels(outlook.cells[scored]):
        sums = (units.sum(actual[scored]), units.sum(plan[scored]))
        parts.append(_rows(units, OURS, *sums, score(units.sum(outlook.draws[:, scored]), *sums)))
        for method, money in said.items():
            parts.append(_rows(units, method, *sums, _of_point(units.sum(money[scored]), *sums)))
    now = past.history["year"].eq(origin[0]) & past.history["plan"].notna()
    rows = pd.concat(parts, ignore_index=True)
    rows = rows.assign(year=origin[0], month=origin[1], planned=bool(now.any()))
    return replace(tried, rows=rows)


@dataclass(frozen=True)
class _Units:
    """The units of a level.

    `keys` holds level, place, area, activity and source, `number` the unit every cell is in.
    """

    keys: pd.DataFrame
    number: NDArray[np.intp]

    def sum(self, money: Floats) -> Floats:
        """Return sums over the last axis by unit; missing where a part is."""
        inside = self.number == np.arange(len(self.keys))[:, None]
        return np.stack([money[..., one].sum(axis=-1) for one in inside], axis=-1)


def _levels(cells: pd.DataFrame) -> list[_Units]:
    found = []
    for level, by in (("cell", KEYS), ("source", ["source"]), ("all", [])):
        keys = cells[KEYS].assign(**{key: "" for key in KEYS if key not in by})
        units = keys.drop_duplicates(ignore_index=True)
        found.append(_Units(units.assign(level=level), positions(keys, units, KEYS)))
    return found


def _of_point(said: Floats, actual: Floats, plan: Floats) -> pd.DataFrame:
    error = (said - actual) / plan
    return pd.DataFrame({"expected": said, "error": error, "crps": np.abs(error)})


def _rows(
    units: _Units, method: str, actual: Floats, plan: Floats, scores: pd.DataFrame
) -> pd.DataFrame:
    frame = units.keys.assign(method=method, plan=plan, actual=actual)
    return frame.join(scores.reindex(columns=["expected", "error", "crps", *SCORES])).dropna(
        subset="error"
    )


def _with_sizes(rows: pd.DataFrame) -> tuple[pd.DataFrame, tuple[float, ...]]:
    of_cells = rows["level"].eq("cell")
    ours = rows[of_cells & rows["method"].eq(OURS)]
    limits = np.quantile(ours["plan"], (1 / 3, 2 / 3), method="inverted_cdf")
    size = np.asarray(SIZES)[np.searchsorted(limits, rows["plan"], side="left")]
    rows = rows.assign(size=np.where(of_cells, size, ""))
    money = ["plan", "actual", "expected", "error", "crps", *SCORES]
    columns = ["year", "month", "planned", "level", *KEYS, "size", "method", *money]
    return rows[columns], tuple(float(limit) for limit in limits)
