"""Year-end disbursement of every cell, as joint draws, from what was known at a date."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from kc_model import reference
from kc_model.errors import Address, Fault, raise_faults
from kc_model.forecast.draws import absorption, draw
from kc_model.forecast.expectation import Count, Estimate, estimate_now, hindcasts, weigh
from kc_model.forecast.grounds import basis, notes, warnings
from kc_model.forecast.known import Evidence, build_evidence
from kc_model.forecast.months import Months, months_of
from kc_model.forecast.panel import build_panel
from kc_model.money import MILLION
from kc_model.results import Forecast, Provenance, versions_of
from kc_model.runoff import Floats
from kc_model.tables import KEYS, Dataset, positions

__all__ = ["Months", "forecast", "months_of"]

_HISTORY = Address("history.csv")


def forecast(
    data: Dataset,
    year: int,
    as_of: int,
    *,
    arrival: Mapping[str, int] | None = None,
    cells: pd.DataFrame | None = None,
    draws: int = 1000,
    seed: int = 20260101,
    progress: Callable[[str, float], None] | None = None,
) -> Forecast:
    """Forecast year-end disbursement from what was known at the end of a month.

    Parameters
    ----------
    data : Dataset
    year : int
        Budget year.
    as_of : int
        Last month known, 0 (before the year) to 12. Nothing later is looked at, whatever the
        dataset holds; of earlier years everything is.
    arrival : mapping of source to month, or None
        Month in which the money of a source arrives, against what the tables say; 1 takes a late
        arrival away. It is a supposition, not evidence: the other sources' figures stay as they are
        without it, draw by draw. A month after `as_of` is when the money still to come arrives: the
        later, the less; where some has come already, never more than without the supposition. A
        month up to `as_of` asks how to read the year so far: what is disbursed by now took fewer
        months, so a later one may promise more. None: as `released` says, or in time.
    cells : DataFrame or None
        Cells to forecast instead of those with a plan in force: place, area, source, maybe
        activity, and ``plan`` or ``baseline`` (Int64 VND), which counts where the year has no plan
        for the cell yet. None: the cells with a plan in force at that month, or, before the year
        has any, those of the newest earlier year with the plan they had; where no plan was ever
        reported, those that spent in the newest earlier year or this one.
    draws : int
        Number of joint draws, at least 1.
    seed : int
        Equal seeds give equal draws.
    progress : callable (step, share), optional
        Told what is being done and how much of it is, 0 to 1; raising in it stops the forecast.

    Returns
    -------
    Forecast

    Raises
    ------
    InputError
        ``forecast-month`` (as_of outside 0 to 12), ``forecast-year`` (a year the dataset does not
        reach), ``forecast-arrival`` (a source or month that does not exist), ``forecast-draws``,
        ``nothing-to-forecast`` (no plan is known).

    Notes
    -----
    The expectation is plan x completion borrowed by credibility over source, area, region, place
    and cell, from a published prior. The year so far enters by Benktander and Cape Cod, by the
    cell's own trend and season, and by the years that began alike, each on a clock that starts when
    the money arrives; they count as far as each was right at this time of past years. Errors of
    those years, forecast the same way, give the joint draws. Completion of past years is against
    the plan that was in force at this month of theirs. Where no plan was ever reported, what
    earlier outturns lead to expect stands in for it.
    """
    start = time.perf_counter()
    arrival = dict(arrival or {})
    raise_faults(_faults(data, year, as_of, arrival, cells, draws))
    cells = cells.assign(activity="") if cells is not None and "activity" not in cells else cells
    panel = build_panel(data, year, as_of, arrival=arrival, cells=cells)
    if not len(panel.wanted):
        raise_faults([Fault("nothing-to-forecast", _HISTORY, {"year": year, "month": as_of})])
    evidence = build_evidence(panel)
    tell = progress or (lambda _step, _share: None)
    past = hindcasts(evidence, lambda share: tell("learning", share))
    tell("drawing", 0.0)
    now, past, counts = weigh(evidence, estimate_now(evidence), past)
    drawn = draw(evidence, now, past, n_draws=draws, seed=seed)
    frame = _cells(evidence, now)
    made = Forecast(
        year=year,
        as_of=as_of,
        year_end=panel.n_periods,
        unit=data.unit,
        cells=frame,
        draws=drawn.year_end,
        capacity=drawn.capacity,
        slices=absorption(frame, drawn.capacity),
        legs=_legs(frame, now.legs[:, panel.wanted], counts),
        notes=notes(evidence, frame, drawn, arrival, counts),
        warnings=warnings(panel, arrival),
        provenance=Provenance(versions_of("numpy", "pandas", "scipy"), data.hash, seed=seed),
        details={
            "past_years": [int(panel.years[target]) for target, _ in past],
            "past_errors": drawn.n_errors,
            "weights": {leg: round(count.weight, 6) for leg, count in counts.items()},
            "arrival": arrival,
        },
        seconds=time.perf_counter() - start,
    )
    to_come = _to_come(data, year, as_of, arrival)
    if not arrival or (frame["source"].isin(arrival).all() and not to_come):
        return made
    plain = forecast(data, year, as_of, cells=cells, draws=draws, seed=seed)
    return _supposed(_no_better(made, plain, to_come), plain, arrival)


def _to_come(data: Dataset, year: int, as_of: int, arrival: Mapping[str, int]) -> set[str]:
    """Return the sources of which money has come, or was spent, but the rest is to come later."""
    rows = data.history[data.history["year"].eq(year) & data.history["month"].le(as_of)]
    begun = set(rows.loc[rows["disbursed"].gt(0) | rows["released"].notna(), "source"])
    return {source for source, month in arrival.items() if month > as_of and source in begun}


def _no_better(made: Forecast, plain: Forecast, sources: set[str]) -> Forecast:
    """Return a forecast in which no cell of the sources expects more than without the supposition.

    What is spent by now needed no later money; counted beside a whole year's work still to come, it
    would promise more. What is left of the draws shrinks alike.
    """
    mine = made.cells["source"].isin(sources).to_numpy()
    if not mine.any():
        return made
    spent = np.nan_to_num(made.cells["disbursed"].to_numpy(dtype=float, na_value=0.0)) / MILLION
    rest, most = made.draws.mean(0) - spent, plain.draws.mean(0) - spent
    shrunk = mine & (rest > most)
    share = np.where(shrunk, most / np.where(shrunk, rest, 1.0), 1.0)
    drawn = np.where(shrunk, spent + share * (made.draws - spent), made.draws)
    capacity = np.where(shrunk, drawn, made.capacity)  # below the plan they are the same
    each = np.tile(np.arange(len(share)), len(made.legs) // len(share))
    legs = spent[each] + share[each] * (made.legs["expected"] - spent[each])
    return replace(
        made,
        draws=drawn,
        capacity=capacity,
        slices=absorption(made.cells, capacity),
        legs=made.legs.assign(expected=legs),
    )


def _supposed(made: Forecast, plain: Forecast, sources: Mapping[str, int]) -> Forecast:
    """Return one forecast for the sources named and the other for the rest."""
    other = ~made.cells["source"].isin(sources).to_numpy()
    slices = pd.concat(
        [
            made.slices[made.slices["source"].isin(sources)],
            plain.slices[~plain.slices["source"].isin(sources)],
        ]
    )
    at = positions(slices, made.cells, KEYS)
    return replace(
        made,
        draws=np.where(other, plain.draws, made.draws),
        capacity=np.where(other, plain.capacity, made.capacity),
        slices=slices.iloc[np.argsort(at, kind="stable")].reset_index(drop=True),
        legs=made.legs.where(made.legs["source"].isin(sources), plain.legs),
        seconds=made.seconds + plain.seconds,
    )


def _faults(
    data: Dataset,
    year: int,
    as_of: int,
    arrival: Mapping[str, int],
    cells: pd.DataFrame | None,
    draws: int,
) -> list[Fault]:
    faults = []
    if as_of not in range(13):
        faults.append(Fault("forecast-month", values={"month": as_of}))
    if draws < 1:
        faults.append(Fault("forecast-draws", values={"draws": draws}))
    sources = reference.source_order()
    for source, month in arrival.items():
        if source not in sources or month not in range(1, 14):
            values = {"source": source, "month": month, "sources": ", ".join(sources)}
            faults.append(Fault("forecast-arrival", values=values))
    known = data.history["year"]
    if known.empty:
        if cells is None:
            faults.append(Fault("nothing-to-forecast", _HISTORY, {"year": year, "month": as_of}))
        return faults
    first, last = int(known.min()), int(known.max())
    beyond = cells is None and year > last + (as_of == 0)
    if year < first or beyond:
        values = {"year": year, "first": first, "last": last}
        faults.append(Fault("forecast-year", _HISTORY, values))
    return faults


def _cells(evidence: Evidence, now: Estimate) -> pd.DataFrame:
    rows = evidence.panel.wanted
    frame = evidence.panel.cells.iloc[rows].reset_index(drop=True)
    for column, money in (("plan", evidence.panel.plan[:, -1]), ("disbursed", now.disbursed)):
        vnd = pd.Series(np.rint(money[rows] * MILLION), dtype="Float64")
        frame[column] = vnd.mask(np.isnan(money[rows])).astype("Int64")
    return frame.assign(basis=basis(evidence), anew=np.clip(now.anew[rows], 0.0, 1.0))


def _legs(cells: pd.DataFrame, legs: Floats, counts: Mapping[str, Count]) -> pd.DataFrame:
    parts = [
        cells[KEYS].assign(leg=leg, expected=money, weight=count.weight)
        for (leg, count), money in zip(counts.items(), legs, strict=True)
    ]
    return pd.concat(parts, ignore_index=True)
