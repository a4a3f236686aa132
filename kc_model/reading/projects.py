"""What the rows of ``projects`` say of each other: which need, exclude and share what."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction

import pandas as pd

from kc_model.errors import Fault
from kc_model.reading.columns import Typed
from kc_model.sheets import value_text
from kc_model.tables import as_rows

__all__ = ["check_projects", "linked_ids", "needed_by", "place_shares"]

_AGGREGATES = frozenset({"VN", "R-N", "R-C", "R-S"})

Links = Mapping[str, Sequence[str]]


def linked_ids(text: str) -> tuple[str, ...]:
    """Return the ids that ``requires`` or ``excludes`` of a project names, each once, in order."""
    return tuple(dict.fromkeys(part.strip() for part in text.split(";") if part.strip()))


def needed_by(requires: Links, one: str) -> tuple[str, ...]:
    """Return the projects that one needs, directly or through others, in the order met.

    Parameters
    ----------
    requires : mapping of str to sequence of str
        Id to the ids it needs; ids it does not know need nothing.
    one : str
        Is itself among them where projects need each other in a circle.
    """
    found: dict[str, None] = {}
    left = list(requires.get(one, ()))
    while left:
        now = left.pop(0)
        if now not in found:
            found[now] = None
            left += requires.get(now, ())
    return tuple(found)


def place_shares(split: str, places: Sequence[str]) -> tuple[Fraction, ...]:
    """Return the share of each place of a project; they sum to 1.

    Parameters
    ----------
    split : str
        As the table holds it: shares in the order of the places (``0.6;0.4``), or each with its
        place (``01:0.6;04:0.4``); "" for equal shares.

    Raises
    ------
    ValueError
        If the shares are not one for each place.
    """
    if not split:
        return (Fraction(1, len(places)),) * len(places)
    pairs = [part.rpartition(":") for part in split.split(";")]
    named = [place for place, mark, _ in pairs if mark]
    wrong = sorted(named) != sorted(places) if named else len(pairs) != len(places)
    if wrong:
        raise ValueError(split)
    shares = dict(zip(named or places, (Fraction(number) for *_, number in pairs), strict=True))
    return tuple(shares[place] for place in places)


def check_projects(typed: Typed, frame: pd.DataFrame, faults: list[Fault]) -> None:
    """Check what each project says, and what projects say of each other.

    Parameters
    ----------
    typed : Typed
        The whole table: a project with a fault of its own is still known by its id.
    frame : DataFrame
        Its rows without a fault.
    faults : list of Fault
        support-below-min, support-over-cost, paid-over-support, end-before-start, quantity-zero,
        split-places, split-aggregate, unknown-project, project-itself; warnings place-twice,
        places-without-group, id-alike, cost-not-sum, paid-unassigned.
    """
    for row, code, name, values in (*_alone(typed, frame), *_between(typed, frame)):
        faults.append(Fault(code, typed.grid.at(row, name), values))
    for row, code, name, values in (*_odd(typed, frame), *_alike(frame)):
        faults.append(Fault(code, typed.grid.at(row, name), values, "warning"))


_Found = tuple[int, str, str, dict[str, object]]


def _alone(typed: Typed, frame: pd.DataFrame) -> Iterator[_Found]:
    """Yield what is wrong with single projects: row, code, column, values."""
    wrong = {
        ("support-below-min", "min_support"): frame["min_support"] > frame["support"],
        ("support-over-cost", "support"): frame["support"] > frame["cost"],
        ("end-before-start", "end"): frame["end"] < frame["start"],
        ("paid-over-support", "disbursed"): frame["disbursed"] > frame["support"],
        ("quantity-zero", "quantity"): frame["quantity"] < 1,
    }
    for (code, name), is_wrong in wrong.items():
        for row in map(int, frame.index[is_wrong.fillna(False).astype(bool)].tolist()):
            yield row, code, name, _values(typed, frame, row, code)
    rows = map(int, frame.index.tolist())
    for row, codes, split in zip(rows, frame["place"], frame["split"], strict=True):
        places = str(codes).split(";")
        if len(places) > 1 and _AGGREGATES.intersection(places):
            yield row, "split-aggregate", "place", {"found": codes}
        try:
            place_shares(split, places)
        except ValueError:
            yield row, "split-places", "split", {"found": split, "places": codes}


def _odd(typed: Typed, frame: pd.DataFrame) -> Iterator[_Found]:
    """Yield what a project says that can be right but seldom is."""
    amount = typed.terms.amount
    plain = ("", "normal") if "kind" in typed.grid.columns else ()
    for row, project in zip(map(int, frame.index.tolist()), as_rows(frame), strict=True):
        places = str(project["place"]).split(";")
        written = [part for part in value_text(typed.grid.value(row, "place")).split(";") if part]
        if len(written) > len(places):
            yield row, "place-twice", "place", {"found": "; ".join(map(str.strip, written))}
        if len(places) > 1 and project["kind"] in plain:
            yield row, "places-without-group", "kind", {"count": len(places)}
        parts = [project[name] for name in ("support", "counterpart", "other")]
        if None not in (*parts, project["cost"]) and project["cost"] != sum(parts):
            yield row, "cost-not-sum", "cost", {"sum": amount(sum(parts))}
        if project["disbursed"] and project["stage"] == "registered":
            yield (
                row,
                "paid-unassigned",
                "stage",
                {"paid": amount(project["disbursed"])},
            )


def _alike(frame: pd.DataFrame) -> Iterator[_Found]:
    """Yield ids that a reader takes for one another: they differ in capitals or blanks only."""
    folded = frame["id"].map(lambda one: "".join(str(one).split()).casefold())
    for _, ids in frame["id"].groupby(folded, sort=False):
        for row, one in list(ids.items())[1:]:
            if one != ids.iloc[0]:
                yield int(str(row)), "id-alike", "id", {"id": one, "other": ids.iloc[0]}


def _values(typed: Typed, frame: pd.DataFrame, row: int, code: str) -> dict[str, object]:
    pairs = {
        "support-over-cost": ("support", "cost"),
        "paid-over-support": ("disbursed", "support"),
    }
    if code not in pairs:
        return {}
    found, most = (typed.terms.amount(int(str(frame.loc[row, name]))) for name in pairs[code])
    return {"found": found, "most": most}


def _between(typed: Typed, frame: pd.DataFrame) -> Iterator[_Found]:
    """Yield what is wrong between projects."""
    known = set(typed.frame["id"])
    links = {
        name: {
            one: linked_ids(text)
            for one, text in zip(frame["id"], frame[name], strict=True)
            if text
        }
        for name in ("requires", "excludes")
    }
    rows = dict(zip(frame["id"], map(int, frame.index.tolist()), strict=True))
    for name, of in links.items():
        for one, others in of.items():
            lost = [other for other in others if other not in known]
            if lost:
                yield rows[one], "unknown-project", name, {"found": "; ".join(lost)}
            if one in others:
                yield rows[one], "project-itself", name, {"id": one}
