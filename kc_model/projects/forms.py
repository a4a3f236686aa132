"""The printed forms of a dataset's projects, each with its stamp."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pandas as pd

from kc_model.errors import Address, Fault, InputError
from kc_model.export import Stamp, adjustment_workbook, assigned_workbook, registration_workbook
from kc_model.moves import adjusted, find_moves, unmoved
from kc_model.projects.offers import build_offers
from kc_model.results import Allocation, versions_of
from kc_model.tables import Dataset
from kc_model.wording import Language

__all__ = ["adjustment", "assigned_plan", "registration"]


def registration(data: Dataset, year: int, language: Language = "vi", office: str = "") -> bytes:
    """Return Mẫu số 2 and Mẫu số 1 of every project to be registered for a year, as a workbook.

    Left out, and named in the notes, is what was accepted, stopped or is over before the year, and
    what was assigned earlier unless its days say that it goes on into the year.

    What asks for more than its cap on the year's first day is remarked.

    The columns of Mẫu số 2 after the national money, and its footnote (1), were not seen in the
    circular's print: they follow Mẫu số 1 (see `kc_model.export.registration`).

    Parameters
    ----------
    data : Dataset
    year : int
        Of the plan that the projects are registered for.
    language : {"vi", "en"}
    office : str
        The office that registers; "" leaves a dotted line.

    Raises
    ------
    ValueError
        If there is no project.
    InputError
        If there are some, but none for the year.
    """
    projects = data.projects
    over = _over(projects, year)
    if len(projects) and over.all():
        raise InputError([Fault("nothing-to-register", Address("projects.csv"), {"year": year})])
    asked = projects[~over].assign(cap=_caps(data, year))
    return registration_workbook(_stamp(data, year, office), asked, language, projects[over])


def _caps(data: Dataset, year: int) -> pd.Series:
    """Return the most every project may get in a year, VND; <NA> where that cannot be told."""
    unknown = pd.Series(pd.NA, data.projects.index, dtype="Int64")
    try:
        return unknown if unknown.empty else build_offers(data, date(year, 1, 1)).frame["cap"]
    except InputError:  # `kc check` tells what is wrong with the list
        return unknown


def _over(projects: pd.DataFrame, year: int) -> pd.Series[bool]:
    """Tell which projects no plan of a year is asked for."""
    last = projects["end"].dt.year
    is_done = projects["stage"].isin(["accepted", "stopped"])
    is_running = projects["stage"].isin(["assigned", "contracted"])
    over: pd.Series[bool] = is_done | (last < year) | (is_running & ~(last >= year))
    return over


def assigned_plan(plan: Allocation, language: Language = "vi", office: str = "") -> bytes:
    """Return the assigned plan by area and project, as an Excel workbook.

    Parameters
    ----------
    plan : Allocation
        With projects.
    language : {"vi", "en"}
    office : str
        The office that assigns; "" leaves a dotted line.

    Raises
    ------
    ValueError
        See `kc_model.export.assigned_workbook`.
    """
    stamp = replace(plan.stamp(language), unit_name=office)
    return assigned_workbook(stamp, plan.data.projects, plan.assigned_table(language), language)


def adjustment(plan: Allocation, language: Language = "vi", office: str = "") -> bytes:
    """Return the form of a mid-year adjustment, as an Excel workbook: what changes, and the moves.

    Parameters
    ----------
    plan : Allocation
    language : {"vi", "en"}
    office : str
        The office that asks for it; "" leaves a dotted line.

    Raises
    ------
    ValueError
        If nothing changes.
    InputError
        Of a plan for the whole year, which changes no plan in force.
    """
    # How the forecast works stands in allocation.xlsx; a form that is signed says what is assumed.
    notes = (*plan.data.notes, *plan.scenario.notes)
    stamp = replace(plan.stamp(language), unit_name=office, notes=notes)
    changes, moves = adjusted(plan, language), find_moves(plan, language)
    kept = unmoved(plan)
    return adjustment_workbook(stamp, changes, plan.data.projects, language, moves, kept)


def _stamp(data: Dataset, year: int, office: str) -> Stamp:
    return Stamp(
        title=data.called,
        scenario="",
        year=year,
        as_of=None,
        unit=data.unit,
        vintage=data.vintage,
        synthetic=data.synthetic,
        dataset_hash=data.hash,
        scenario_hash="",
        versions=versions_of(),
        unit_name=office,
        notes=tuple(note for note in data.notes if note.table in ("", "projects")),
        warnings=data.warnings,
        sources=data.sources,
    )
