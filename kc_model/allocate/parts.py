"""What each project gives its cells, and gave them in the plan in force."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from kc_model.money import largest_remainder
from kc_model.offered import Offered
from kc_model.projects import as_planned, given_parts

__all__ = ["part_table"]

_KEYS = ["place", "area", "activity", "source"]


def part_table(offered: Offered, cells: pd.DataFrame, parts: NDArray[np.int64]) -> pd.DataFrame:
    """Return what projects give their cells, now and in the plan in force.

    Parameters
    ----------
    offered : Offered
    cells : DataFrame
        The plan's cells of the year that projects are paid in: keys and baseline, by number.
    parts : array (n_parts,), VND
        What each part of `offered` gives now.

    Returns
    -------
    DataFrame
        project (id; "" for what no project accounts for of the plan of a cell that projects are
        paid from), cell, before, after (one of them not 0), idle (of `before`: what nobody can use
        any more, its project being stopped or out, or capped below it); Int64 VND.
    """
    now = pd.DataFrame(
        {"project": np.array(offered.ids)[offered.project], "cell": offered.cell, "after": parts}
    )
    own = cells.rename_axis("cell").reset_index()
    given = given_parts(offered.frame.rename(columns={"id": "project"}))
    given = given.merge(own[[*_KEYS, "cell"]], on=_KEYS)
    given["before"] = as_planned(given, cells["baseline"])
    both = given[["project", "cell", "before"]].merge(now, how="outer", on=["project", "cell"])
    both = pd.concat([both, _rest(offered, cells, both)], ignore_index=True)
    both = both[(both[["before", "after"]].fillna(0) != 0).any(axis=1)].reset_index(drop=True)
    money = {name: both[name].astype("Int64").fillna(0) for name in ("before", "after")}
    both = both.assign(**money)
    return both.assign(idle=_idle(offered, both))


def _rest(offered: Offered, cells: pd.DataFrame, parts: pd.DataFrame) -> pd.DataFrame:
    """Return what the plan in force of the cells of projects has beside these."""
    plan = cells["baseline"].reindex(offered.named).dropna()
    rest = plan.sub(parts.groupby("cell")["before"].sum(), fill_value=0).reindex(plan.index)
    return pd.DataFrame({"project": "", "cell": rest.index, "before": rest.to_numpy()})


def _idle(offered: Offered, parts: pd.DataFrame) -> pd.Series:
    """Return what of the plan in force nobody can use any more, by parts."""
    frame = offered.frame.set_index("id")
    able = frame["most"].where(frame["eligible"] | frame["stays"], 0)
    idle = pd.Series(0, parts.index, dtype="Int64")
    for one, own in parts.groupby("project")["before"]:
        if one == "":
            idle[own.index] = own.clip(lower=0)
        elif (gone := int(own.sum()) - int(able[one])) > 0:
            idle[own.index] = largest_remainder(own.to_numpy(dtype=float), gone)
    return idle
