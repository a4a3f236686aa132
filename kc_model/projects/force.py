"""What the plan in force gives each project, and its cells."""

from __future__ import annotations

import pandas as pd

from kc_model.money import largest_remainder
from kc_model.reading import place_shares
from kc_model.tables import KEYS

__all__ = ["IN_FORCE", "given_before", "given_parts", "in_force", "planned_parts"]

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
    parts = parts[parts["before"] > 0].assign(in_force=parts["before"])
    return pd.DataFrame(parts.groupby(KEYS, as_index=False)[["in_force"]].sum())


def given_parts(projects: pd.DataFrame) -> pd.DataFrame:
    """Return what the plan in force gives each project by place, by its shares, to the đồng.

    Parameters
    ----------
    projects : DataFrame
        As ``projects`` of a dataset, its id as ``project``.

    Returns
    -------
    DataFrame
        project, place, area, activity, source, before, lost (Int64 VND, one of them above 0):
        `lost` is what a stopped project was to get beyond what it was paid.
    """
    keys = ["project", *KEYS]
    before = given_before(projects)
    lost = (projects["support"] - before).where(projects["stage"] == "stopped", 0)
    rows = []
    for row, *both in zip(projects.to_dict("records"), before, lost.fillna(0), strict=True):
        places = row["place"].split(";")
        shares = [float(share) for share in place_shares(row["split"], places)]
        parts = [largest_remainder(shares, max(0, int(vnd))) for vnd in both]
        for place, given, gone in zip(places, *parts, strict=True):
            if given or gone:
                rows.append((row["project"], place, *(row[key] for key in keys[2:]), given, gone))
    columns = [*keys, "before", "lost"]
    return pd.DataFrame(rows, columns=columns).astype({"before": "Int64", "lost": "Int64"})


def planned_parts(projects: pd.DataFrame, cells: pd.DataFrame) -> pd.DataFrame:
    """Return what the plan in force gives each project by cell, once these' own plan is heard.

    Parameters
    ----------
    projects : DataFrame
        As ``projects`` of a dataset.
    cells : DataFrame
        The plan's cells of the year that projects are paid in: keys and baseline, by number.

    Returns
    -------
    DataFrame
        project (id), cell, before (Int64 VND), see `given_parts`.
    """
    own = cells.rename_axis("cell").reset_index()
    given = given_parts(projects.assign(project=projects["id"]))
    given = given.merge(own[[*KEYS, "cell"]], on=KEYS)
    return given.assign(before=_as_planned(given, cells["baseline"]))[["project", "cell", "before"]]


def _as_planned(parts: pd.DataFrame, plan: pd.Series) -> pd.Series:
    """Return what the plan in force gives each project of its cells.

    Where the places of one project make up for each other, it was split so. What a cell's plan has
    beyond its projects was of those that were stopped: of all if there is room for all, of one if
    there is no other.

    Parameters
    ----------
    parts : DataFrame
        project, cell, before, lost, as `given_parts` tells them.
    plan : Series by cell, Int64 VND
        The plan in force.

    Returns
    -------
    Series
        As ``parts["before"]``, Int64 VND.
    """
    before = parts["before"].copy()
    at = parts["cell"].to_numpy()
    room = plan.sub(before.groupby(at).sum(), fill_value=0)
    own = parts[before > 0].groupby("project")["cell"]
    spread = {one: cells for one, cells in own if len(cells) > 1}
    sharing = pd.Series([cell for cells in spread.values() for cell in cells]).value_counts()
    for cells in spread.values():
        told = before[cells.index] + room[cells.to_numpy()].to_numpy()
        is_alone = (sharing[cells] == 1).all()
        if is_alone and (told >= 0).all() and told.sum() == before[cells.index].sum():
            before[cells.index] = told
            room[cells.to_numpy()] = 0
    lost = parts["lost"]
    total = lost.groupby(at).transform("sum")
    is_only = (lost > 0).groupby(at).transform("sum") == 1
    left = pd.Series(room.clip(lower=0)[at].to_numpy(), parts.index)
    return before + lost.where(total <= left, left.where(is_only & (lost > 0), 0))
