"""From what is disbursed to the drawn year-end, month by month.

How much is still to come is the forecast's; when in the year it comes is taken from whole past
years. A draw takes one past year at random, and every line spends what the draw gives it in the
rhythm that year had from this moment on, its own or that of a line of its area and fund: what came
late together then comes late together now, so that sums over lines keep their spread in the middle
of the year. Rhythms are read on the clock that starts when the money arrives.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit, logit

from kc_model.forecast.credibility import Integers
from kc_model.forecast.expectation import estimate_now
from kc_model.forecast.known import Evidence, build_evidence
from kc_model.forecast.panel import build_panel
from kc_model.money import MILLION, to_unit
from kc_model.results import Forecast
from kc_model.runoff import Floats, at_time, latest, ratio, usual_time
from kc_model.tables import KEYS, Dataset, Note
from kc_model.wording import both

__all__ = ["Months", "months_of"]

_RHYTHMS = 120  # whole years drawn, which the draws of the year-end take in turn
_PRIOR_YEARS = 2.0  # the published rhythm counts as so many past years
_OTHERS = 3.0  # lines of the same area and fund count as so many years of a line's own
_LEAST_LEFT = 0.01  # of a past year's money, below which what was left has no rhythm
_EDGE = 1e-6  # shares closer to 0 or 1 are read as this
_RANGES = {"lower_80": 0.1, "upper_80": 0.9, "lower_95": 0.025, "upper_95": 0.975}


@dataclass(frozen=True)
class Months:
    """A year by month, of every line and every draw; column t of an array is the end of month t.

    Parameters
    ----------
    newest : integer array (n_cells,)
        Month of each line's newest figure; 0 where there is none this year.
    rhythm : array (n_cells, n_rhythms, n_periods + 1)
        Share of what is still to come that has come by then: 0 to the month of the newest figure,
        1 at year-end, never falling. Draw d of the forecast goes in rhythm d modulo n_rhythms.
    reported, plan : array (n_cells, n_periods + 1), million VND
        This year's money as reported for the month, and the plan in force; NaN = not known.
    before : array (n_all_cells, n_periods + 1), million VND
        Money reported the year before, of every line it had.
    all_cells : DataFrame
        place, area, activity, source, region of the rows of `before`.
    note : Note
        How the months between were made, to be shown wherever they are.
    """

    outlook: Forecast
    newest: Integers
    rhythm: Floats
    reported: Floats
    plan: Floats
    before: Floats
    all_cells: pd.DataFrame
    note: Note

    def draws(self, where: Mapping[str, str] | None = None) -> Floats:
        """Return the money of the lines selected, together, by month and draw.

        Parameters
        ----------
        where : mapping or None
            Values of place, area, activity, source, region; None: all lines.

        Returns
        -------
        array (n_draws, n_periods + 1), million VND
            Never falling; at year-end the forecast's own draws. Before a line's newest figure its
            newest figure.
        """
        chosen = _chosen(self.outlook.cells, where)
        spent = self.outlook.cells["disbursed"].to_numpy(dtype=float, na_value=0.0)[chosen]
        year_end, rhythm = self.outlook.draws[:, chosen], self.rhythm[chosen]
        spent = spent / MILLION
        paths = np.empty((len(year_end), rhythm.shape[2]))
        for k in range(min(rhythm.shape[1], len(paths))):
            left = np.maximum(year_end[k :: rhythm.shape[1]] - spent, 0.0)
            paths[k :: rhythm.shape[1]] = spent.sum() + left @ rhythm[:, k]
        paths[:, -1] = year_end.sum(1)
        return paths

    def table(self, where: Mapping[str, str] | None = None) -> pd.DataFrame:
        """Return the year of the lines selected, together, month by month, in the dataset's unit.

        Parameters
        ----------
        where : mapping or None
            Values of place, area, activity, source, region; None: all lines.

        Returns
        -------
        DataFrame
            month (1 to year-end); reported: the sum of every line's newest figure by then, in
            months in which any reports; lines: how many report in the month; expected, lower_80,
            upper_80, lower_95, upper_95: from the newest month reported on; plan: in force; before:
            the same month of the year before, likewise. NaN: not known, or not to be forecast.
            At year-end the figures are those of `Forecast.table`.

        Raises
        ------
        ValueError
            If no line is selected.
        """
        chosen = _chosen(self.outlook.cells, where)
        reported = self.reported[chosen]
        paths = self.draws(where)
        start = int(self.newest[chosen].max())
        figures = {
            "reported": _together(reported),
            "expected": paths.mean(0),
            **{name: np.quantile(paths, level, axis=0) for name, level in _RANGES.items()},
            "plan": np.nansum(self.plan[chosen], 0),
            "before": _together(self.before[_chosen(self.all_cells, where)]),
        }
        if np.isnan(self.plan[chosen]).all():
            figures["plan"] = np.full(paths.shape[1], np.nan)
        for name in ("expected", *_RANGES):
            figures[name][:start] = np.nan
        frame = pd.DataFrame(
            {"month": np.arange(paths.shape[1]), **_in_unit(figures, self.outlook)}
        )
        frame.insert(2, "lines", np.isfinite(reported).sum(0))
        return frame[1:].reset_index(drop=True) if start else frame


def months_of(data: Dataset, outlook: Forecast) -> Months:
    """Return a forecast by month: how the money goes from what is disbursed to the drawn year-end.

    Parameters
    ----------
    data : Dataset
        What the forecast was made from.

    Notes
    -----
    The middle months are not forecast for their own sake: each draw of the year-end is joined to
    the newest figure by the rhythm of a whole past year. Past years come as often as each other,
    the published rhythm with its published spread as two more; within the year drawn, a line with
    n finished years goes in its own rhythm with chance n / (n + 3), else in that of another line of
    its area and fund. Size and rhythm are drawn apart from each other.

    Measured on past years (``benchmarks/months.py``), 80 % ranges of the months between held 89 to
    96 % of what came on public Brazilian money, and on the synthetic sample 70 % (places, from
    month 3) to 96 %; with the mean rhythm for every draw it would have been 27 to 81 %.
    """
    arrival = dict(outlook.details.get("arrival", {}))
    evidence = _evidence(data, outlook, arrival)
    panel, rows = evidence.panel, evidence.panel.wanted
    rhythm = _rhythms(evidence, np.random.default_rng(outlook.provenance.seed))
    other = ~outlook.cells["source"].isin(arrival).to_numpy()
    if arrival and other.any():  # a supposed arrival leaves the other sources as they are
        plain = _evidence(data, outlook, {})
        plainly = _rhythms(plain, np.random.default_rng(outlook.provenance.seed))
        rhythm[other] = plainly[other]
    last_year = panel.years[:-1] == outlook.year - 1
    before = panel.paths[:, :-1][:, last_year]
    plan = np.where(np.isfinite(panel.by_month), panel.by_month, panel.plan[:, -1:])
    plan[:, max(panel.as_of - 1, 0) :] = panel.plan[:, -1:]
    return Months(
        outlook=outlook,
        newest=latest(panel.paths[rows, -1])[1] + 1,
        rhythm=rhythm,
        reported=_from_start(panel.paths[rows, -1]),
        plan=np.c_[plan[rows, :1], plan[rows]],
        before=_from_start(before[:, 0] if before.size else np.full(plan.shape, np.nan)),
        all_cells=panel.cells,
        note=_note(_drawn_years(_past(evidence)[1])),
    )


def _evidence(data: Dataset, outlook: Forecast, arrival: dict[str, int]) -> Evidence:
    cells = outlook.cells[[*KEYS, "plan"]]
    panel = build_panel(data, outlook.year, outlook.as_of, arrival=arrival, cells=cells)
    return build_evidence(panel)


def _note(drawn: Integers) -> Note:
    years = np.unique(drawn[drawn >= 0]).size
    key = "months" if years else "months-published"
    texts = both(f"forecast.notes.{key}", years=years)
    return Note("estimate" if years else "assumed", **texts, table="forecast", column="months")


def _from_start(paths: Floats) -> Floats:
    return np.column_stack([np.full(len(paths), np.nan), paths])


def _chosen(cells: pd.DataFrame, where: Mapping[str, str] | None) -> Integers:
    mask = np.ones(len(cells), dtype=bool)
    for key, value in (where or {}).items():
        mask &= cells[key].eq(value).to_numpy()
    return np.flatnonzero(mask)


def _together(paths: Floats) -> Floats:
    """Return the sum of every line's newest figure by each month, NaN where none reports."""
    known = np.isfinite(paths)
    at = np.maximum.accumulate(np.where(known, np.arange(paths.shape[1]), 0), 1)
    newest = np.nan_to_num(np.take_along_axis(paths, at, 1))
    return np.where(known.any(0), newest.sum(0), np.nan)


def _in_unit(figures: Mapping[str, Floats], outlook: Forecast) -> dict[str, pd.Series]:
    vnd = {name: pd.Series(np.rint(money * MILLION)) for name, money in figures.items()}
    return {name: to_unit(money, outlook.unit) for name, money in vnd.items()}


# --- rhythms ------------------------------------------------------------------------------------


def _rhythms(evidence: Evidence, random: np.random.Generator) -> Floats:
    """Return the rhythms of `Months.rhythm`."""
    rows = evidence.panel.wanted
    clock = _clock(evidence)
    paths, useful = _past(evidence)
    usual = _onwards(estimate_now(evidence).pattern[rows], clock)
    usual = np.where(np.isfinite(usual), usual, np.arange(usual.shape[1]) == usual.shape[1] - 1.0)
    rhythm = np.repeat(usual[:, None], _RHYTHMS, 1)
    year = _drawn_years(useful)
    for target in np.unique(year[year >= 0]):
        at = np.flatnonzero(year == target)
        lender = _lenders(evidence, useful, target, at.size, random)
        cell, slot = np.nonzero(lender >= 0)
        theirs = _onwards(paths[lender[cell, slot], target], clock[cell])
        told = np.isfinite(theirs).all(1)
        rhythm[cell[told], at[slot[told]]] = theirs[told]
    published = np.flatnonzero(year < 0)
    rhythm[:, published] = _scattered(evidence, rhythm[:, published], random)
    return rhythm


def _clock(evidence: Evidence) -> Floats:
    """Return where every line wanted stands on the usual clock at the end of each month.

    Before its newest figure it stands where it stood then; after it what is left of the usual clock
    goes by as that of its arrival does.
    """
    panel, rows = evidence.panel, evidence.panel.wanted
    n_periods = panel.n_periods
    newest: Floats = latest(panel.paths[rows, -1])[1].astype(np.float64) + 1.0
    arrival = np.clip(panel.arrival[rows, -1], 1.0, n_periods)
    left = n_periods - usual_time(newest, arrival, n_periods)
    month = np.maximum(np.arange(n_periods + 1.0), newest[:, None])
    to_come = n_periods - usual_time(month, arrival[:, None], n_periods)
    slower = np.nan_to_num(ratio(n_periods - evidence.time[rows], left))
    return np.asarray(n_periods - to_come * slower[:, None], dtype=np.float64)


def _past(evidence: Evidence) -> tuple[Floats, NDArray[np.bool_]]:
    """Return the share of its year-end every line had by month in past years, and which tell.

    A year tells where its whole path is known and some of it came after the moment the line stands
    at now. Money taken back later counts as not yet come.
    """
    final = evidence.final[:, :-1, None]
    path = np.minimum(np.maximum.accumulate(evidence.filled[:, :-1], 2), final)
    share = ratio(np.concatenate([np.zeros_like(final), path], 2), final)
    flat = share.reshape(-1, share.shape[2])
    now = at_time(np.nan_to_num(flat), np.repeat(evidence.time, share.shape[1]))
    useful = np.isfinite(flat).all(1) & (now < 1.0 - _LEAST_LEFT)
    return share, useful.reshape(share.shape[:2])


def _drawn_years(useful: NDArray[np.bool_]) -> Integers:
    """Return the past year of every rhythm, -1 for the published one."""
    years = np.flatnonzero(useful.any(0))
    n_of_years = round(_RHYTHMS * len(years) / (len(years) + _PRIOR_YEARS))
    drawn = np.full(_RHYTHMS, -1, dtype=np.intp)
    order = np.random.default_rng(0).permutation(_RHYTHMS)[:n_of_years]
    drawn[order] = years[np.arange(n_of_years) % max(len(years), 1)]
    return drawn


def _lenders(
    evidence: Evidence,
    useful: NDArray[np.bool_],
    year: int,
    n_times: int,
    random: np.random.Generator,
) -> Integers:
    """Return in whose rhythm each line goes, so many times, as it went in a past year.

    Rows of the panel's cells (n_wanted, n_times); -1 where no line of its fund tells.
    """
    rows = evidence.panel.wanted
    lender = np.full((len(rows), n_times), -1, dtype=np.intp)
    for name in ("source", "area"):
        group = evidence.factors[name][0]
        for g in np.unique(group[rows]):
            others = np.flatnonzero(useful[:, year] & (group == g))
            mine = np.flatnonzero(group[rows] == g)
            if others.size:
                lender[mine] = random.choice(others, (mine.size, n_times))
    n_own = useful[rows].sum(1)
    keeps = random.random(lender.shape) < (n_own / (n_own + _OTHERS))[:, None]
    return np.where(keeps & useful[rows, year][:, None], rows[:, None], lender)


def _onwards(path: Floats, clock: Floats) -> Floats:
    """Return the share of what came after the first moment of a clock that came by each moment.

    `path` (n, n_periods + 1) is by month, `clock` (n, k). NaN where nothing came after it.
    """
    share = at_time(path, clock)
    start = share[:, :1]
    left = np.where(1.0 - start > _LEAST_LEFT, 1.0 - start, 0.0)
    return np.clip(ratio(share - start, left), 0.0, 1.0)


def _scattered(evidence: Evidence, rhythm: Floats, random: np.random.Generator) -> Floats:
    """Return rhythms set forward and back by the published spread.

    It is the spread between regions and years: half of its variance is taken to be the year's, the
    same for all lines. On the log-odds scale it is the same at all shares, and right about a half.
    """
    n_cells, n_times, _ = rhythm.shape
    spread = evidence.prior.timing_spread
    shared = random.standard_normal((1, n_times)) * np.sqrt(1 / 8)
    own = random.standard_normal((n_cells, n_times)) * np.sqrt(7 / 8)
    odds = logit(np.clip(rhythm, _EDGE, 1.0 - _EDGE))
    moved = expit(odds + 2.0 * spread * (shared + own)[..., None])
    return np.where((rhythm > _EDGE) & (rhythm < 1.0 - _EDGE), moved, np.rint(rhythm))
