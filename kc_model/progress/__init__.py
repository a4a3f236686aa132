"""Where the year stands and where it will end: one long table, its findings, its printed form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from kc_model.errors import Address, Fault, raise_faults
from kc_model.export import Stamp, report_workbook, save_file
from kc_model.forecast import forecast
from kc_model.money import to_unit
from kc_model.progress.findings import Gone, tell_findings, tell_notes
from kc_model.progress.lines import MONEY, add_levels, find_lines
from kc_model.results import Forecast, Provenance
from kc_model.tables import KEYS, Dataset, Note, history_of, positions
from kc_model.wording import Language

__all__ = ["Progress", "progress"]


@dataclass(frozen=True)
class Progress:
    """The progress of a budget year at the end of a month.

    Parameters
    ----------
    title, unit, vintage : str
    synthetic : bool
        Of the dataset.
    year, as_of, year_end : int
        As of the forecast.
    rows : DataFrame
        Money in VND (Int64), <NA> or NaN where nobody reported. Keys: level (cell,
        source_activity, source_area, source_place, place, area, source, region, all), place (of a
        region its code), area, activity, source, region; "" where a level does not fix it.

        - n_cells: lines with money (a plan or a disbursement); n_planned, n_reported, n_compared,
          n_forecast: how many have a plan, a disbursement this year, one of the same month last
          year besides, a forecast; n_late: reported, but not for the last month.
        - month: of the newest disbursement, <NA> where lines differ; status: estimate, reported,
          settled, or mixed where a sum is of several; "" where nothing is reported.
        - plan_first, plan: the first plan known this year, and the one in force; plan_last_year:
          the last one of the year before.
        - registered, released, advanced, carried: newest figure of the year. `advanced` is not part
          of `disbursed`; `carried` is money of the year before.
        - disbursed, and of it disbursed_estimate, disbursed_reported (which takes in what does not
          say its standing), disbursed_settled; last_year: the same month a year before, summed to
          the places of today.
        - outputs_plan, outputs, outputs_last_year (float64): volume, NaN where a row would add up
          several areas or activities, whose units differ.
        - completion_first, completion, of_last_year, plan_of_last_year, outputs_completion,
          outputs_of_last_year, completion_expected (float64, 1 is 100 %).
        - expected, lower_80, upper_80, lower_95, upper_95: year-end; probability_80, _90, _100:
          that it reaches so many % of the plan in force.
        - pace: mean month so far; pace_needed: each month to the year's end for 100 % of the plan.
        - unspent, unspent_lower_80, unspent_upper_80: plan not disbursed by the year's end: what is
          at risk, and lapses or is carried over.
        - basis (cells only): key of the wording file ``forecast``.
    findings, notes : tuple of Note
        What a planner should see first; what the figures rest on.
    warnings : tuple of Fault
    sources : tuple of str
    provenance : Provenance

    Notes
    -----
    A sum is of the lines that report, and `n_…` say how many; it is missing where none does. A
    ratio or a pace compares only lines that have both its numbers, so a missing report is never
    taken for zero. Ranges are of sums of joint draws; all other money of a level is the exact sum
    of its cells.
    """

    title: str
    unit: str
    vintage: str
    synthetic: bool
    year: int
    as_of: int
    year_end: int
    rows: pd.DataFrame
    findings: tuple[Note, ...]
    notes: tuple[Note, ...]
    warnings: tuple[Fault, ...]
    sources: tuple[str, ...]
    provenance: Provenance

    def table(self) -> pd.DataFrame:
        """Return the rows with money in the dataset's unit (float64)."""
        return self.rows.assign(**{name: to_unit(self.rows[name], self.unit) for name in MONEY})

    def at_risk(self) -> pd.DataFrame:
        """Return the cells by the plan they are expected not to disburse, the largest first."""
        cells = self.rows[(self.rows["level"] == "cell") & self.rows["unspent"].gt(0)]
        return cells.sort_values("unspent", ascending=False, kind="stable", ignore_index=True)

    def sentences(self, language: Language = "vi", *, risks: bool = True) -> list[str]:
        """Return the findings in one language; without `risks` not which lines are at risk."""
        told = (note for note in self.findings if risks or note.column != "unspent")
        return [note.vi if language == "vi" else note.en for note in told]

    def workbook(self, language: Language = "vi", unit: str | None = None) -> bytes:
        """Return the printed form as an Excel workbook, in a unit; None: what screens show."""
        return report_workbook(self.stamp(language), self.rows, language, unit)

    def stamp(self, language: Language = "vi") -> Stamp:
        """Return what every print of it says about itself."""
        return Stamp(
            title=self.title,
            scenario="",
            year=self.year,
            as_of=self.as_of,
            unit=self.unit,
            vintage=self.vintage,
            synthetic=self.synthetic,
            dataset_hash=self.provenance.dataset,
            scenario_hash="",
            versions=self.provenance.versions,
            seed=self.provenance.seed,
            summary=tuple(self.sentences(language)),
            notes=self.notes,
            warnings=self.warnings,
            sources=self.sources,
        )

    def save(
        self,
        path: str | Path,
        language: Language = "vi",
        expected: Mapping[str, str] | None = None,
        unit: str | None = None,
    ) -> None:
        """Save the printed form, whole or not at all.

        Parameters
        ----------
        path : path
            Ends in ``.xlsx``.
        language : {"vi", "en"}
        expected : mapping or None
            Fingerprint of the file as it was when the command began.
        unit : str or None
            What money is printed in; None: what screens show.

        Raises
        ------
        InputError
            ``report-not-xlsx``.
        SaveError
            If it cannot be saved, or somebody else saved in between.
        """
        if Path(path).suffix.lower() != ".xlsx":
            raise_faults([Fault("report-not-xlsx", Address(Path(path).name))])
        save_file(path, self.workbook(language, unit), expected)


def progress(data: Dataset, outlook: Forecast) -> Progress:
    """Set what was planned and done beside the same period and the forecast of the year's end.

    Parameters
    ----------
    data : Dataset
    outlook : Forecast
        Of this dataset; its year and month are the report's. If it was made with an arrival of
        money that is not the data's, the forecast without it is made too, and a finding tells what
        the arrival changes.

    Returns
    -------
    Progress
    """
    lines = find_lines(data, outlook)
    column = positions(lines, outlook.cells, KEYS)
    draws = np.where(column >= 0, outlook.draws[:, column], np.nan)
    rows = add_levels(lines, draws, outlook.as_of, data.vintage)
    late = _without(data, outlook, outlook.details.get("arrival", {}))
    gone = _gone(data, outlook, lines)
    return Progress(
        title=data.called,
        unit=data.unit,
        vintage=data.vintage,
        synthetic=data.synthetic,
        year=outlook.year,
        as_of=outlook.as_of,
        year_end=outlook.year_end,
        rows=rows,
        findings=tell_findings(outlook, rows, data.vintage, gone, late),
        notes=(*data.notes, *outlook.notes, *tell_notes(outlook, lines)),
        warnings=(*data.warnings, *(f for f in outlook.warnings if f not in data.warnings)),
        sources=data.sources,
        provenance=outlook.provenance,
    )


def _without(
    data: Dataset, outlook: Forecast, arrival: Mapping[str, int]
) -> dict[str, tuple[int, Forecast]]:
    """Return for every source whose arrival was set its month and the forecast without it."""
    if not arrival:
        return {}
    plain = forecast(
        data,
        outlook.year,
        outlook.as_of,
        cells=outlook.cells[[*KEYS, "plan"]],
        draws=len(outlook.draws),
        seed=outlook.provenance.seed,
    )
    present = set(outlook.cells["source"])
    return {source: (month, plain) for source, month in arrival.items() if source in present}


def _gone(data: Dataset, outlook: Forecast, lines: pd.DataFrame) -> Gone:
    """Return what disbursed by this month a year before and has no line this year."""
    before = history_of(data, data.history["year"].eq(outlook.year - 1), ["disbursed"])
    spent = before[before["month"].eq(outlook.as_of) & before["disbursed"].gt(0)]
    both = spent.merge(lines[KEYS], how="left", on=KEYS, indicator=True)
    only = both[both["_merge"] == "left_only"]
    return Gone(len(only), int(only["disbursed"].sum()))
