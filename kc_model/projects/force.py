"""What the plan in force gives each project, and its cells."""

from __future__ import annotations

import pandas as pd

from kc_model.money import largest_remainder
from kc_model.reading import place_shares

__all__ = ["IN_FORCE", "given_before", "given_parts", "in_force"]

IN_FORCE = ("assigned", "contracted", "accepted")
"""Stages of a project that the plan in force has."""


def given_before(projects: pd.DataFrame) -> pd.Series:
    """Return what the plan in force gives every project, Int64 VND.

    Its support once it is assigned and until it is accepted, never less than what it was paid;
    before that, and where it was stopped, what it was paid.
    """
    paid = projects["disbursed"].fillna(0)
    support = projects["support"].where(projects["stage"].isin(IN_FORCE), 0)
    return support.where(support >= paid, paid)


def in_force(projects: pd.DataFrame) -> pd.DataFrame:
    """Return the plan in force of the cells that projects are paid from, as the projects tell it.

    Parameters
    ----------
    projects : DataFrame
        As ``projects`` of a dataset.

    Returns
    -------
    DataFrame
        place, area, activity, source, in_force (Int64 VND): cells of projects that it gives money.
    """
    parts = given_parts(projects.assign(project=projects["id"]))
    parts = parts.assign(in_force=parts["before"])
    keys = ["place", "area", "activity", "source"]
    return pd.DataFrame(parts.groupby(keys, as_index=False)[["in_force"]].sum())


def given_parts(projects: pd.DataFrame) -> pd.DataFrame:
    """Return what the plan in force gives each project by place, by its shares, to the đồng.

    Parameters
    ----------
    projects : DataFrame
        As ``projects`` of a dataset, its id as ``project``.

    Returns
    -------
    DataFrame
        project, place, area, activity, source, before (Int64 VND, above 0).
    """
    keys = ["project", "place", "area", "activity", "source"]
    rows = []
    for row, vnd in zip(projects.to_dict("records"), given_before(projects), strict=True):
        places = row["place"].split(";")
        shares = [float(share) for share in place_shares(row["split"], places)]
        for place, part in zip(places, largest_remainder(shares, int(vnd)), strict=True):
            if part:
                rows.append((row["project"], place, *(row[key] for key in keys[2:]), int(part)))
    return pd.DataFrame(rows, columns=[*keys, "before"]).astype({"before": "Int64"})
