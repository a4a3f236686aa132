"""Who decides a change of the plan (TT 36/2013/TT-BCT Điều 11, ``law_adjustment.csv``)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from typing import Literal

from kc_model import reference
from kc_model.wording import Language, say
from kc_model.words import grounds

__all__ = ["CHANGES", "RANKS", "Decision", "who_decides"]

CHANGES = (
    *("more", "less", "same", "area", "next-year", "added", "stopped"),
    *("place", "beneficiary", "partner", "month"),
)
"""What may change of a project: its support goes up, down or stays while what it pays for changes;
its area; it goes on into the next year; it is added or stopped; its place, beneficiary, partner or
month within the year."""

Who = Literal["minister", "agency", "department", "province"]
RANKS: tuple[Who, ...] = ("minister", "agency", "department", "province")
"""Who may decide, the highest first; a province beside the others, on its own money."""


@dataclass(frozen=True)
class Decision:
    """Who decides, and on what ground.

    Parameters
    ----------
    who : {"minister", "agency", "department", "province"}
    basis : str
        Articles.
    certainty : str
        Word of `kc_model.reference.label`.
    """

    who: Who
    basis: str
    certainty: str

    def name(self, language: Language = "vi") -> str:
        """Return what the authority is called."""
        return say(f"moves.who.{self.who}", language)


def who_decides(
    source: str, changes: Collection[str], kind: str = "normal", on: date | None = None
) -> Decision:
    """Return who decides the changes of one project, taken together.

    Parameters
    ----------
    source : {"KCQG", "KCDP"}
        National money follows TT 36/2013 Điều 11; local money is decided where its plan is
        approved, by the People's Committee of the province or its delegated department.
    changes : collection of str
        Of `CHANGES`; the highest authority that one of them needs decides all.
    kind : {"normal", "flagship", "group"}
        Place, partner and beneficiary of a group project are left to the department that appraised
        it (Điều 11.4); where several rules fit, the one that names the kind of project holds.
    on : date or None
        Day the law is taken of; None: whatever is known.

    Raises
    ------
    ValueError
        If nothing changes, or a change or a source is none of the above.
    """
    unknown = set(changes) - set(CHANGES)
    if unknown or not changes or source not in ("KCQG", "KCDP"):
        raise ValueError(f"changes {sorted(changes)!r} of {source!r}: must be of {CHANGES}")
    if source == "KCDP":
        fund = reference.sources().set_index("code").loc["KCDP"]
        return Decision("province", str(fund["source"]), str(fund["certainty"]))
    law = reference.law("adjustment", on)
    needed = []
    for change in sorted(changes, key=CHANGES.index):
        rows = law[[change in codes.split(";") for codes in law["changes"]]]
        own = rows[rows["kind"] == kind]
        needed.append((own if len(own) else rows[rows["kind"] == ""]).iloc[0])
    who = min((row["who"] for row in needed), key=RANKS.index)
    found = [row for row in needed if row["who"] == who]
    basis = grounds(str(row["source"]) for row in found)
    return Decision(who, basis, str(found[0]["certainty"]))
