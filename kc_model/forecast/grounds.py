"""What a forecast rests on: the basis of every cell, the notes and the warnings."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np
import pandas as pd

from kc_model import reference
from kc_model.errors import Address, Fault
from kc_model.forecast.draws import Draws
from kc_model.forecast.expectation import Count
from kc_model.forecast.known import Evidence
from kc_model.forecast.panel import Panel
from kc_model.runoff import latest
from kc_model.tables import Note
from kc_model.wording import LANGUAGES, Language, both, say

__all__ = ["basis", "notes", "warnings"]

_FEW_YEARS = 3  # with fewer past years the published spread carries most of the interval


def basis(evidence: Evidence) -> list[str]:
    """Return for every cell wanted the nearest past that knows its completion.

    Returns
    -------
    list of str
        Keys of the wording file ``forecast``: basis.cell, basis.area, basis.place, basis.source,
        basis.all or basis.published.
    """
    panel = evidence.panel
    ended = np.isfinite(evidence.final[:, :-1]) & (np.nan_to_num(evidence.exposure[:, :-1]) > 0)
    has_past = ended.any(1)
    nearest = np.full(len(panel.cells), "published", dtype=object)
    for name in ("all", "source", "place", "area", "cell"):
        group, size = evidence.factors[name]
        known = np.bincount(group[has_past], minlength=size) > 0
        nearest[known[group]] = name
    return [f"basis.{name}" for name in nearest[panel.wanted]]


def notes(
    evidence: Evidence,
    cells: pd.DataFrame,
    drawn: Draws,
    given: Mapping[str, int],
    counts: Mapping[str, Count],
) -> tuple[Note, ...]:
    """Return what is estimated, borrowed or assumed, to be printed wherever the figures are.

    Parameters
    ----------
    cells : DataFrame
        As in `Forecast.cells`.
    given : mapping
        Arrival by source that the caller set.
    counts : mapping
        How much each single forecast counts, and if it does not, why.
    """
    panel = evidence.panel
    n_cells = len(cells)
    if panel.as_of == 0:
        found = [_note("before", "estimate")]
    else:
        learned = drawn.n_errors > 0
        found = [_note("method" if learned else "method-published", "estimate")]
        found += _counted(counts, "weights" if learned else "weights-equal")
    without = int((~evidence.planned[panel.wanted]).sum())
    if without:
        found.append(_note("no-plan", "assumed", "plan", count=without, total=n_cells))
    over = float(evidence.ceiling[panel.wanted][evidence.planned[panel.wanted]].max(initial=1.0))
    if over > 1.0:
        found.append(_note("overrun", "estimate", "expected", percent=round(100 * over)))
    borrowed = cells["basis"].ne("basis.cell") & cells["basis"].ne("basis.published")
    for name, mask in (("published", cells["basis"].eq("basis.published")), ("borrowed", borrowed)):
        if mask.any():
            found.append(_note(name, "assumed", count=int(mask.sum()), total=n_cells))
    if panel.baseline:
        found.append(_note("baseline", "assumed", "plan", year=int(panel.years[-1])))
    found += _reports(panel)
    found += _arrivals(panel, given)
    if drawn.n_years < _FEW_YEARS:
        found.append(_note("few-years", "assumed", "lower_80", years=drawn.n_years))
    if any(drawn.ended):
        values = dict(zip(("reached", "short", "failed"), drawn.ended, strict=True))
        found.append(_note("capacity", "estimate", "capacity", **values))
    else:
        found.append(_note("capacity-published", "assumed", "capacity"))
    return tuple(found)


def _counted(counts: Mapping[str, Count], key: str) -> list[Note]:
    """Return notes on how much each single forecast counts, and on why the others do not."""

    def counted(leg: str, count: Count, language: Language) -> str:
        name = say(f"forecast.leg.{leg}", language)
        if not count.weight:
            return name
        return f"{name} {say('screen.share', language, number=round(100 * count.weight))}"

    def names(why: str, language: Language) -> str:
        found = (counted(leg, one, language) for leg, one in counts.items() if one.why == why)
        return ", ".join(found)

    found = []
    for why in ("", "short", "untried", "worse"):
        if any(count.why == why for count in counts.values()):
            name = f"unused-{why}" if why else key
            found.append(_note(name, "estimate", "expected", parts=partial(names, why)))
    return found


def _reports(panel: Panel) -> list[Note]:
    """Return notes on figures that are estimates, old or missing."""
    if panel.as_of == 0:
        return []
    found = []
    total = len(panel.wanted)
    estimated = int(panel.estimated[panel.wanted].sum())
    _, newest = latest(panel.paths[panel.wanted, -1])
    missing, old = int((newest < 0).sum()), int(((newest >= 0) & (newest + 1 < panel.as_of)).sum())
    if estimated:
        found.append(_note("estimated", "estimate", "disbursed", count=estimated, total=total))
    if old:
        values = {"count": old, "total": total, "month": panel.as_of}
        found.append(_note("old", "estimate", "disbursed", **values))
    if missing:
        found.append(_note("missing", "assumed", "disbursed", count=missing, total=total))
    if new := int(panel.unnamed.sum()):
        values = {"count": new, "total": total, "month": int(newest.max()) + 1}
        found.append(_note("unnamed", "assumed", "disbursed", **values))
    return found


def _arrivals(panel: Panel, given: Mapping[str, int]) -> list[Note]:
    """Return a note for every source whose money came, or is taken to come, late."""
    cells = panel.cells.iloc[panel.wanted]
    month = panel.arrival[panel.wanted, -1].astype(np.int64)
    awaited = panel.awaited[panel.wanted]
    found = []
    for source in cells["source"].unique():
        mine = cells["source"].eq(source).to_numpy()
        kinds = (
            {"given": mine}
            if source in given
            else {"reported": mine & ~awaited & (month > 1), "awaited": mine & awaited}
        )
        for kind, late in kinds.items():
            if late.any():
                values: dict[str, object] = {
                    f"source_{language}": reference.source_name(source, language)
                    for language in LANGUAGES
                }
                values["months"] = ", ".join(map(str, np.unique(month[late])))
                values |= {"count": int(late.sum()), "total": len(cells)}
                found.append(_note(f"arrival-{kind}", "assumed", "released", **values))
    return found


def _note(key: str, standing: str, column: str = "", **values: object) -> Note:
    texts = both(f"forecast.notes.{key}", **values)
    return Note(standing, **texts, table="forecast", column=column)


def warnings(panel: Panel, given: Mapping[str, int]) -> tuple[Fault, ...]:
    """Return what leaves the forecast right but should be looked at."""
    found = []
    year = int(panel.years[-1])
    if panel.unplanned:
        values = {"count": panel.unplanned, "year": year}
        found.append(Fault("disbursed-without-plan", Address("history.csv"), values, "warning"))
    _, newest = latest(panel.paths[panel.wanted, -1])
    last = int(newest.max(initial=-1)) + 1
    if 0 < last < panel.as_of:
        values = {"month": last, "as_of": panel.as_of, "year": year}
        found.append(Fault("forecast-stale", Address("history.csv"), values, "warning"))
    sources = panel.cells["source"].iloc[panel.wanted]
    for source in given:
        if not sources.eq(source).any():
            unused = {"source": source, "year": year}
            found.append(Fault("forecast-arrival-unused", values=unused, level="warning"))
    return tuple(found)
