"""What a plan changes as the form of an adjustment takes it: one row per project or cell."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

from kc_model.moves.decisions import RANKS
from kc_model.moves.listing import called, changed, find_moves, step_of
from kc_model.plan import Plan
from kc_model.tables import as_rows
from kc_model.wording import Language, say
from kc_model.words import Words

__all__ = ["adjusted", "unmoved"]

_NAMED = 3  # other ends that a reason names
_SHARE = re.compile(r"(\d+(?:[.,]\d+)?)( ?%)")
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
        reason (of its moves, the largest first: a line of where the money goes, or comes from, and
        why, moves for one reason together), decided_by (the highest authority that one of its moves
        needs).
    """
    parts, found, teller = changed(plan), find_moves(plan, language), _Teller(plan, language)
    found = found.assign(**{
        key: found.get(key, "")
        for key in (f"{end}_{part}" for end in ("from", "to") for part in ("project", "activity"))
    })  # fmt: skip
    ends = {"from": "to", "to": "from"}
    moved = pd.concat(
        found.assign(cell=found[f"{end}_cell"], project=found[f"{end}_project"], end=end)
        for end in ends
    )
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
                "reason": "\n".join(teller.lines(as_rows(_largest(touching)))),
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


class _Teller:
    """Says in whole sentences why a project or cell gives or gets money, and with whom."""

    def __init__(self, plan: Plan, language: Language) -> None:
        self.plan, self.language, self.step = plan, language, step_of(plan)
        self.words = Words.of(plan, language)

    def lines(self, moves: Sequence[dict[str, Any]]) -> Iterator[str]:
        """Yield a sentence for each reason, whatever shares it tells; these as what they span."""
        alike: dict[tuple[str, str], list[dict[str, Any]]] = {}
        for move in moves:
            key = move["end"], _SHARE.sub("%", move["reason"])
            alike.setdefault(key, []).append(move)
        for (end, _), own in alike.items():
            reason = _spanned([move["reason"] for move in own])
            told = [self.other(move) for move in own if move["amount"] >= self.step]
            names = list(dict.fromkeys(name for name in told if name))
            if names:
                shown, more = ", ".join(names[:_NAMED]), len(names) - _NAMED
                if more > 0:
                    shown = say("moves.adjusted.more", self.language, names=shown, count=more)
                reason = f"{reason[:1].lower()}{reason[1:]}"
                way = "to" if end == "from" else "from"
                reason = say(f"moves.adjusted.{way}", self.language, names=shown, reason=reason)
            yield reason

    def other(self, move: dict[str, Any]) -> str:
        """Name the other end of a move by what is not the same; "" for money from or to nobody."""
        one, two = move["end"], "to" if move["end"] == "from" else "from"
        if not move[f"{two}_place"]:
            return ""
        if project := move[f"{two}_project"]:
            return called(self.plan, str(project))
        parts = [
            self.words.name(move[f"{two}_{key}"], key)
            for key in ("place", "area")
            if move[f"{two}_{key}"] != move[f"{one}_{key}"] or move[f"{one}_project"]
        ]
        activity = move[f"{two}_activity"]
        own = activity if activity != move[f"{one}_activity"] or not parts else ""
        return " – ".join(part for part in (*parts, own) if part)


def _spanned(reasons: Sequence[str]) -> str:
    """Return reasons that differ by their shares alone as one: 10–18 %."""
    shares = [_SHARE.findall(reason) for reason in reasons]

    def value(share: tuple[str, str]) -> float:
        return float(share[0].replace(",", "."))

    spans = iter(zip(*shares, strict=True))

    def told(_: re.Match[str]) -> str:
        span = next(spans)
        least, most = min(span, key=value), max(span, key=value)
        return "".join(most) if least == most else f"{least[0]}–{''.join(most)}"

    return _SHARE.sub(told, reasons[0])


def unmoved(plan: Plan) -> dict[str, int]:
    """Return by fund what stays as it is in the plan in force, VND."""
    before = plan.cells.groupby("source", sort=False)["baseline"].sum()
    moved = changed(plan).groupby("source")["before"].sum()
    rest = before.sub(moved.reindex(before.index, fill_value=0))
    return {str(source): int(vnd) for source, vnd in rest.items()}
