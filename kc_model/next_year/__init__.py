"""Next year's plan and outturn per source and region, as joint draws from the years before."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from kc_model import reference
from kc_model.errors import Address, Fault, raise_faults
from kc_model.forecast import forecast
from kc_model.money import MILLION, SHOWN, UNITS, format_money, format_number, to_unit
from kc_model.next_year.steps import MEASURES, Chain, Floats
from kc_model.next_year.years import SERIES, known_rows, yearly
from kc_model.results import Forecast, Provenance, versions_of
from kc_model.tables import Dataset, Note, grouped
from kc_model.wording import LANGUAGES, Language, both, say

__all__ = ["MEASURES", "NextYear", "next_year"]

_LEVELS = {"source_region": SERIES, "source": ["source"], "region": ["region"], "all": []}
_RANGES = {"lower_80": 0.1, "upper_80": 0.9, "lower_95": 0.025, "upper_95": 0.975}
_MONEY = ["expected", *_RANGES]
_DIGITS = {"million_vnd": 0, "billion_vnd": 1}
_HISTORY = Address("history.csv")


@dataclass(frozen=True)
class NextYear:
    """Plan and outturn of the year to come.

    Parameters
    ----------
    unit, vintage : str
        Of the dataset; regions are those of the vintage.
    year, as_of, year_end : int
        The year forecast; the last month known of the year before it; 13 or 12.
    rows : DataFrame
        level (source_region, source, region, all), source, region ("" where the level does not fix
        it; TW and VN stand as regions of their own), year, measure (`MEASURES`), expected,
        lower_80, upper_80, lower_95, upper_95 (Int64 VND, <NA> where unknown), n_years (Int64: past
        years the measure's latest step rests on, of a sum the fewest), method and basis (keys of
        the wording file ``nextyear``).
    history : DataFrame
        The years before, per source, region and year: plan_first, plan, outturn (Int64 VND; outturn
        <NA> unless all cells with a plan report the year-end), completion and adjustment (float64,
        NaN where the year does not count), n_cells, n_reported.
    draws : dict of measure to array (n_draws, n_series), float64, million VND
        Joint draws in the order of the ``source_region`` rows; a constant where there is no range,
        NaN where nothing is known.
    notes : tuple of Note
    warnings : tuple of Fault
    provenance : Provenance

    Notes
    -----
    Every range is of sums of draws, every expected amount of a level the sum of its series to the
    đồng. A sum with a part without range has no range.
    """

    unit: str
    vintage: str
    year: int
    as_of: int
    year_end: int
    rows: pd.DataFrame
    history: pd.DataFrame
    draws: dict[str, Floats]
    notes: tuple[Note, ...]
    warnings: tuple[Fault, ...]
    provenance: Provenance
    seconds: float = field(default=0.0, compare=False)

    def table(self) -> pd.DataFrame:
        """Return the rows with money in the dataset's unit (float64, NaN where unknown)."""
        return self.rows.assign(**{name: to_unit(self.rows[name], self.unit) for name in _MONEY})

    def explain(self, language: Language = "vi") -> list[str]:
        """Return totals, then sources, then every series in sentences, then what they rest on."""
        order = ("all", "source", "source_region")
        sentences = [text for level in order for text in self._told(level, language)]
        return [*sentences, *(getattr(note, language) for note in self.notes)]

    def _told(self, level: str, language: Language) -> Iterator[str]:
        rows = self.rows[self.rows["level"] == level]
        for (source, region), part in rows.groupby(SERIES, sort=False):
            amounts = {
                str(row["measure"]): self._amount(row, language)
                for row in part.astype(object).to_dict("records")
            }
            where = _name(str(source), str(region), self.vintage, language)
            text = say("nextyear.sentence", language, where=where, year=self.year, **amounts)
            if level == "source_region":
                plan, outturn = part.iloc[0], part.iloc[-1]
                text += " " + say(
                    f"nextyear.method.{plan['method']}", language, years=plan["n_years"]
                )
                text += " " + say(
                    f"nextyear.basis.{outturn['basis']}", language, years=outturn["n_years"]
                )
            yield text

    def _amount(self, row: dict[Any, Any], language: Language) -> str:
        if pd.isna(row["expected"]):
            return say("nextyear.unknown", language)
        unit = SHOWN[self.unit]
        digits = _DIGITS[unit]
        values = {"expected": format_money(row["expected"], unit, language, digits)}
        if pd.isna(row["lower_80"]):
            return say("nextyear.no_range", language, **values)
        for name in ("lower_80", "upper_80"):
            values[name] = format_number(row[name] / UNITS[unit], digits, language)
        return say("nextyear.range", language, **values)


def next_year(
    data: Dataset,
    year: int | None = None,
    *,
    as_of: int | None = None,
    draws: int = 1000,
    seed: int = 20260101,
) -> NextYear:
    r"""Forecast the plan and the outturn of a year from the years before it.

    Parameters
    ----------
    data : Dataset
    year : int or None
        At most the year after the newest in the history, which is what None stands for. Nothing of
        this year itself is looked at.
    as_of : int or None
        Last month known of the year before, 0 to 13. None: its newest month in the history.
    draws : int
        Number of joint draws, at least 1.
    seed : int
        Equal seeds give equal draws.

    Returns
    -------
    NextYear

    Raises
    ------
    InputError
        ``next-year-year`` (no year before it in the history), ``next-year-month``,
        ``forecast-draws``, ``nothing-to-forecast`` (no plan is known).

    Notes
    -----
    Three steps, each with shocks of its own, hang together:

    .. math::
        \text{plan\_first} = e^{y}, \quad \text{plan} = \text{plan\_first} \cdot a, \quad
        \text{outturn} = \text{plan} \cdot c

    *y*, the logarithm of the first plan, follows the Theta method (exponential smoothing with half
    the slope of the years, which dampens a trend); no draw is above ten times the largest plan that
    the series had. Adjustment *a* and completion *c* return to their mean at a pace common to a
    source; *c* starts from `forecast` of the unfinished year, draw by draw, and stays within 1
    where the past did.

    Shocks are the residuals of all past years mixed by one set of random weights, common to all
    series and steps, so that what came together in the past comes together in the draws. They are
    widened by Student's factor for the degrees of freedom of the few years. With 3 to 5 years of
    plans (3 or 4 of completion) the spread is that of all series of the source; with fewer than 3
    a series has no range. In simulated histories of 8, 15 and 40 years, whose plans drift, shift
    or return to their level, the 80 % ranges of series held 71 to 89 % of what came, by kind
    and length; 80 % on the whole.

    Theta stands alone for all lengths: on such histories of 4 to 40 years a damped ETS(A,Ad,N) was
    further off from 8 years on, a plain exponential smoothing lagged behind steady growth.

    A year that is missing is passed over, not taken for zero. A year in which a plan of zero was
    reported is a pause: it comes again as often as it did.

    References
    ----------
    Assimakopoulos and Nikolopoulos, "The theta model", Int. J. of Forecasting 16 (2000);
    Hyndman and Billah, "Unmasking the Theta method", same journal 19 (2003), eq. 8.
    """
    start = time.perf_counter()
    known = data.history["year"]
    if year is None and len(known):
        year = int(known.max()) + 1
    raise_faults(_faults(data, year, as_of, draws))
    year = int(year or 0)
    rows = known_rows(data, year, as_of)
    if as_of is None:
        as_of = int(rows.loc[rows["year"] == year - 1, "month"].max())
    year_end = 13 if bool((rows["month"].eq(13) & rows["disbursed"].notna()).any()) else 12
    history = yearly(rows, data.vintage, year_end, year - 1)
    if history.empty:
        values = {"year": year - 1, "month": as_of}
        raise_faults([Fault("nothing-to-forecast", _HISTORY, values)])
    outlook = _outlook(data, history, year - 1, as_of, draws, seed)
    chain = Chain(history, outlook, year, draws, seed)
    amounts = chain.amounts()
    warned = outlook.warnings if outlook is not None else ()
    versions = versions_of("numpy", "pandas", "statsmodels")
    return NextYear(
        unit=data.unit,
        vintage=data.vintage,
        year=year,
        as_of=as_of,
        year_end=year_end,
        rows=_rows(chain, amounts, data.vintage),
        history=history,
        draws=amounts,
        notes=_notes(data, chain, as_of),
        warnings=(*data.warnings, *(fault for fault in warned if fault not in data.warnings)),
        provenance=Provenance(versions, data.hash, seed=seed),
        seconds=time.perf_counter() - start,
    )


def _faults(data: Dataset, year: int | None, as_of: int | None, draws: int) -> list[Fault]:
    faults = []
    if draws < 1:
        faults.append(Fault("forecast-draws", values={"draws": draws}))
    if as_of is not None and as_of not in range(14):
        faults.append(Fault("next-year-month", values={"month": as_of}))
    years = data.history["year"]
    if years.empty:
        return [*faults, Fault("nothing-to-forecast", _HISTORY, {"year": "–", "month": "–"})]
    first, last = int(years.min()) + 1, int(years.max()) + 1
    if year is None or not first <= year <= last or not years.eq(year - 1).any():
        faults.append(
            Fault("next-year-year", _HISTORY, {"year": year, "first": first, "last": last})
        )
    return faults


def _outlook(
    data: Dataset, history: pd.DataFrame, year: int, as_of: int, draws: int, seed: int
) -> Forecast | None:
    """Return the forecast of the year before where it is planned and not finished."""
    before = history[history["year"] == year]
    if before.empty or bool((before["completion"].notna() | before["plan"].eq(0)).all()):
        return None
    return forecast(data, year, min(as_of, 12), draws=draws, seed=seed)


# --- what comes out -----------------------------------------------------------------------------


def _rows(chain: Chain, amounts: dict[str, Floats], vintage: str) -> pd.DataFrame:
    """Return every level and measure; see `NextYear.rows`."""
    parts = []
    for level, by in _LEVELS.items():
        measures = [_level(chain, amounts[name], by, name, vintage) for name in MEASURES]
        together = pd.concat(measures).sort_index(kind="stable")  # measures side by side
        parts.append(together.assign(level=level))
    names = ["level", *SERIES, "year", "measure", *_MONEY, "n_years", "method", "basis"]
    return pd.concat(parts, ignore_index=True)[names]


def _level(
    chain: Chain, amounts: Floats, by: list[str], measure: str, vintage: str
) -> pd.DataFrame:
    """Return one measure at one level, regions in their order."""
    series = chain.series
    labels, group = grouped(series, by, vintage)
    has_range, n_years = chain.has_range(measure), chain.n_years(measure)
    records = []
    vnd = pd.Series(np.rint(amounts.mean(axis=0) * MILLION)).astype("Int64")  # sums to the đồng
    for g in range(len(labels)):
        mine = group == g
        total = amounts[:, mine].sum(axis=1) * MILLION
        ends = np.quantile(total, list(_RANGES.values())) if has_range[mine].all() else [np.nan] * 4
        grounds = [chain.grounds(measure, int(i)) for i in np.flatnonzero(mine)]
        is_one = len(grounds) == 1
        record = dict(zip(_MONEY, [vnd[mine].sum(skipna=False), *np.rint(ends)], strict=True))
        record |= {"n_years": n_years[mine].min(), "method": grounds[0][0] if is_one else "sum"}
        basis = grounds[0][1] if is_one else "parts" if has_range[mine].all() else "part_missing"
        records.append({**record, "basis": basis})
    frame = pd.DataFrame(records).astype(dict.fromkeys([*_MONEY, "n_years"], "Int64"))
    frame = frame.assign(year=chain.year, measure=measure, source="", region="")
    return frame.assign(**{name: labels[name].to_numpy() for name in by})


def _name(source: str, region: str, vintage: str, language: Language) -> str:
    """Return how a planner calls a series, a source, or everything."""
    names = [reference.source_name(source, language)] if source else []
    names += [reference.place_name(region, vintage, language)] if region else []
    return ", ".join(names) or say("nextyear.everything", language)


def _notes(data: Dataset, chain: Chain, as_of: int) -> tuple[Note, ...]:
    """Return what the figures rest on, and which years could not count."""
    found = [_note("method", "estimate"), _note("plan", "estimate")]
    if chain.outlook is not None:
        found.append(_note("unfinished", "estimate", year=chain.year - 1, month=as_of))
    history = chain.history
    past = history[history["year"].lt(chain.year - 1) | (chain.outlook is None)]
    kinds = {
        "uncounted": past[past["plan"].gt(0) & past["completion"].isna()],
        "partial": past[past["completion"].notna() & past["outturn"].isna()],
        "paused": history[history["plan_first"].eq(0)],
        "missing": _gaps(chain),
    }
    for kind, years in kinds.items():
        if len(years):
            lists = {f"list_{lang}": _listed(years, data.vintage, lang) for lang in LANGUAGES}
            found.append(_note(kind, "assumed", **lists))
    if chain.steps["plan"] and all(step.is_fixed for step in chain.steps["plan"]):
        found.append(_note("unadjusted", "assumed"))
    few = chain.series[~chain.has_range("outturn")]
    if len(few):
        lists = {f"list_{lang}": _listed(few, data.vintage, lang) for lang in LANGUAGES}
        found.append(_note("few", "assumed", **lists))
    return (*(note for note in data.notes if note.table in ("", "history")), *found)


def _gaps(chain: Chain) -> pd.DataFrame:
    """Return the years without any plan since the first of each series."""
    plan = chain.plan
    first = np.isfinite(plan).argmax(axis=1)
    row, year = np.nonzero(~np.isfinite(plan) & (np.arange(plan.shape[1]) > first[:, None]))
    return chain.series.iloc[row].assign(year=chain.years[year])


def _listed(series: pd.DataFrame, vintage: str, language: Language) -> str:
    """Return series by name, each with its years where there are any."""
    found = []
    for (source, region), rows in series.groupby(SERIES, sort=False):
        years = ", ".join(map(str, rows["year"])) if "year" in rows else ""
        name = _name(str(source), str(region), vintage, language)
        found.append(f"{name} ({years})" if years else name)
    return "; ".join(found)


def _note(key: str, standing: str, **values: object) -> Note:
    return Note(standing, **both(f"nextyear.notes.{key}", **values), table="next_year")
