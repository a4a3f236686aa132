"""What a plan changes as the form of an adjustment takes it: one row per project or cell."""

from __future__ import annotations

import pandas as pd

from kc_model.moves.decisions import RANKS
from kc_model.moves.listing import changed, find_moves
from kc_model.plan import Plan
from kc_model.wording import Language

__all__ = ["adjusted", "unmoved"]

_TOLD = ("amount", "reason", "who_decides")
_SUMS = {"before": "before", "move": "change", "after": "after"}


def adjusted(plan: Plan, language: Language = "vi") -> pd.DataFrame:
    """Return what changes as the form of an adjustment takes it.

    Parameters
    ----------
    language : {"vi", "en"}
        Of the reasons.

    Returns
    -------
    DataFrame
        One row per project that changes, or cell beside projects: id (a project; "" for a cell),
        place (``;`` between several), area, activity, source, before, move, after (Int64 VND),
        reason (of each of its moves, the largest first, each once on a line), decided_by (the
        highest authority that one of its moves needs).
    """
    parts, found = changed(plan), find_moves(plan, language)
    ends = [
        found.rename(columns={f"{end}_cell": "cell", f"{end}_project": "project"})
        for end in ("from", "to")
    ]
    moved = pd.concat(ends).reindex(columns=["cell", "project", *_TOLD]).fillna({"project": ""})
    rows = []
    for _, own in parts.groupby(parts["project"].where(parts["project"] != "", parts["cell"])):
        first = own.iloc[0]
        touching = moved[moved["cell"].isin(own["cell"]) & (moved["project"] == first["project"])]
        rows.append(
            {
                "id": first["project"],
                "place": ";".join(own["place"]),
                **{key: first[key] for key in ("area", "activity", "source")},
                **{key: int(own[name].sum()) for key, name in _SUMS.items()},
                "reason": "\n".join(dict.fromkeys(_largest(touching)["reason"])),
                "decided_by": min(touching["who_decides"], key=RANKS.index),
                "order": int(first["cell"]),
            }
        )
    columns = ["id", "place", "area", "activity", "source", *_SUMS, "reason", "decided_by", "order"]
    frame = pd.DataFrame(rows, columns=columns).astype(dict.fromkeys(_SUMS, "Int64"))
    frame = frame.sort_values(["order", "id"], kind="stable", ignore_index=True)
    return frame.drop(columns="order")


def _largest(moves: pd.DataFrame) -> pd.DataFrame:
    return moves.sort_values("amount", ascending=False, kind="stable")


def unmoved(plan: Plan) -> dict[str, int]:
    """Return by fund what stays as it is in the plan in force, VND."""
    before = plan.cells.groupby("source", sort=False)["baseline"].sum()
    moved = changed(plan).groupby("source")["before"].sum()
    rest = before.sub(moved.reindex(before.index, fill_value=0))
    return {str(source): int(vnd) for source, vnd in rest.items()}
