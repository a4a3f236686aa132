"""What a project may be given: by the spending norms, and at its stage."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from functools import partial
from typing import Any

import pandas as pd

from kc_model import reference
from kc_model.money import SHOWN, format_money
from kc_model.tables import Note, as_rows
from kc_model.wording import LANGUAGES, both
from kc_model.words import grounds

__all__ = [
    "Cap",
    "Norms",
    "WrongNormError",
    "advances_counted",
    "begun_later",
    "borrowed_caps",
    "payable",
    "unproven_caps",
]

Row = Mapping[str, Any]


class WrongNormError(ValueError):
    """A norm that cannot cap the project; `code` and `values` are those of the fault."""

    def __init__(self, code: str, **values: object) -> None:
        self.code, self.values = code, values
        super().__init__(code)


@dataclass(frozen=True)
class Cap:
    """The most a norm lets a project have.

    Parameters
    ----------
    norm : str
        Its id, "" where the project names none.
    amount : int or None
        VND; None where nothing is capped.
    uplifted : bool
        Whether the priority of place or industry raises it.
    basis : str
        Legal ground, of the uplift too; "" without a norm.
    certainty : str
        Word of `kc_model.reference.label`, of the least certain text it rests on; "" without one.
    only_difficult : bool
        Whether it holds in difficult areas only.
    unchecked : bool
        Whether its share of the cost could not be applied, the cost being unknown.
    only_national : str
        Legal ground of the uplift that local money does not have of itself; "" where there is none.
    """

    norm: str = ""
    amount: int | None = None
    uplifted: bool = False
    basis: str = ""
    certainty: str = ""
    only_difficult: bool = False
    unchecked: bool = False
    only_national: str = ""


_SHOWN = 20  # projects named in a note
_CERTAIN = ("verified", "verified-2014", "inferred", "draft", "unverified")  # the surest first


class Norms:
    """The norms in force on a day.

    Parameters
    ----------
    on : date
    vintage : {"63", "34"}
        Of the projects' places.

    Notes
    -----
    The cap of n units is the least of n times the norm's amount and its share of the cost. Where
    the share is of a part of the cost (booth rent, interest), the whole cost stands for it: the cap
    is then never too low. A share of the year's money caps no single project: rules do. For a place
    or an industry of priority the amount is raised to 1.5 times (TTLT 26/2014 Điều 6.2.t: at most
    that), the share of the cost is not, as with the technology line of TT 28/2018, raised to 1.5
    times but still 50 % of the cost. National norms bound local money too: councils set theirs at
    or below them. Local money is not raised, by whatever norm: its council may grant that, and no
    text read says that it has.
    """

    def __init__(self, on: date, vintage: str) -> None:
        self._vintage = vintage
        self._known: dict[str, Row] = {row["id"]: row for row in as_rows(reference.norms())}
        self._valid = set(reference.norms(on)["id"])
        self._on = on
        uplifts = (n for n in self._known.values() if n["share_of"] == "cap")
        self._uplift = next((n for n in uplifts if n["id"] in self._valid), None)

    def cap(self, project: Row, *, is_priority: bool) -> Cap:
        """Return what the norm a project names lets it have.

        Parameters
        ----------
        project : mapping
            A row of ``projects``; missing is None.
        is_priority : bool
            Whether its place or its industry is one of priority.

        Raises
        ------
        WrongNormError
            norm-not-in-force; norm-elsewhere: of another area, fund, place or programme.
        """
        if not project["norm"]:
            return Cap()
        norm = self._known[project["norm"]]
        self._check(norm, project)
        uplift = self._uplift if is_priority and norm["level"] == "KCQG" else None
        amount = _amount(norm, project, Fraction(1))
        raised = _amount(norm, project, _exact(uplift["cap_share"])) if uplift else amount
        higher = uplift if raised != amount else None
        is_local = project["source"] == "KCDP"
        texts = [norm, *([higher] if higher and not is_local else [])]
        return Cap(
            norm["id"],
            amount if is_local else raised,
            len(texts) > 1,
            grounds(text["legal_basis"] for text in texts),
            max((text["certainty"] for text in texts), key=_CERTAIN.index),
            norm["only"] == "difficult",
            _is_of_cost(norm) and project["cost"] is None,
            higher["legal_basis"] if higher and is_local else "",
        )

    def has(self, norm: str) -> bool:
        """Whether a norm is in force; none, ``""``, always is."""
        return not norm or norm in self._valid

    def advance(self, norm: str) -> str:
        """Return the row of ``law("advance")`` that a norm's activity falls under, or ""."""
        return str(self._known[norm]["advance"]) if norm else ""

    def _check(self, norm: Row, project: Row) -> None:
        values = {"id": project["id"], "norm": norm["id"]}
        if norm["id"] not in self._valid:
            days = " – ".join(norm[key] or "…" for key in ("valid_from", "valid_to"))
            raise WrongNormError("norm-not-in-force", **values, days=days, day=self._on.isoformat())
        is_its_place = (norm["vintage"], norm["place"]) == (self._vintage, project["place"])
        is_local = project["source"] == "KCDP" and is_its_place
        if (
            not {"KCQG": True, "KCDP": is_local, "OTHER": False}[norm["level"]]
            or norm["area"] != project["area"]
        ):
            of = [norm["legal_basis"], norm["area"]]
            raise WrongNormError("norm-elsewhere", **values, of=", ".join(of))


def unproven_caps(offers: pd.DataFrame, ids: Iterable[str]) -> tuple[Note, ...]:
    """Return which caps of some projects rest on a text that is old or was not read.

    Parameters
    ----------
    offers : DataFrame
        id, basis, certainty of every project; see `kc_model.projects.Offers`.
    """
    frame = offers[offers["id"].isin(list(ids)) & ~offers["certainty"].isin(["", "verified"])]
    notes = []
    for (basis, certainty), part in frame.groupby(["basis", "certainty"], sort=True):
        certain = partial(reference.label, "certainty", str(certainty))
        shown = _some(part["id"])
        values = {"basis": basis, "certainty": certain, "count": len(part), "ids": shown}
        told = both("projects.unproven", **values)
        notes.append(Note("assumed", **told, table="projects", column="cap"))
    return tuple(notes)


def borrowed_caps(offers: pd.DataFrame, ids: Iterable[str]) -> tuple[Note, ...]:
    """Return which projects of local money have a cap by a national norm, for want of a local one.

    Parameters
    ----------
    offers : DataFrame
        id, source, norm of every project; see `kc_model.projects.Offers`.
    ids : iterable of str
    """
    norms = reference.norms()
    national = offers["norm"].isin(norms.loc[norms["level"] == "KCQG", "id"])
    is_own = (offers["source"] == "KCDP") & offers["id"].isin(list(ids))
    mine = offers.loc[national & is_own, "id"]
    if mine.empty:
        return ()
    ground = reference.sources().set_index("code").loc["KCDP"]
    certain = partial(reference.label, "certainty", str(ground["certainty"]))
    values = {"basis": ground["source"], "certainty": certain}
    texts = both("projects.borrowed", count=len(mine), ids=_some(mine), **values)
    return (Note("assumed", **texts, table="projects", column="cap"),)


def advances_counted(offers: pd.DataFrame, ids: Iterable[str], unit: str) -> tuple[Note, ...]:
    """Return what of some projects counts as disbursed that the law only lets be paid in advance.

    Parameters
    ----------
    offers : DataFrame
        id, stage, sure, disbursed of every project; see `kc_model.projects.Offers`.
    ids : iterable of str
    unit : str
        The dataset's.
    """
    frame = offers[offers["id"].isin(list(ids)) & (offers["stage"] == "contracted")]
    more = frame["sure"] - frame["disbursed"].fillna(0)
    if not (more > 0).any():
        return ()
    paid, shown = round(int(more[more > 0].sum()), -5), SHOWN[unit]
    told = {f"amount_{language}": format_money(paid, shown, language) for language in LANGUAGES}
    texts = both("projects.advance", count=int((more > 0).sum()), **told)
    return (Note("estimate", **texts, table="projects", column="advanced"),)


def begun_later(offers: pd.DataFrame, ids: Iterable[str]) -> tuple[Note, ...]:
    """Return what is assumed of projects that are registered only and have yet to begin.

    Parameters
    ----------
    offers : DataFrame
        id, stage of every project; see `kc_model.projects.Offers`.
    ids : iterable of str
    """
    mine = offers.loc[offers["id"].isin(list(ids)) & (offers["stage"] == "registered"), "id"]
    if mine.empty:
        return ()
    texts = both("projects.begun", count=len(mine), ids=_some(mine))
    return (Note("assumed", **texts, table="projects", column="begun"),)


def _some(ids: pd.Series) -> str:
    return ", ".join(ids.iloc[:_SHOWN]) + ("…" if len(ids) > _SHOWN else "")


def _amount(norm: Row, project: Row, times: Fraction) -> int | None:
    """Return the lowest of a norm's limits, its amount raised so many times; None without one."""
    amounts = []
    if norm["cap_vnd"] is not None:
        amounts.append(int(norm["cap_vnd"] * times * (project["quantity"] or 1)))
    if _is_of_cost(norm) and project["cost"] is not None:
        amounts.append(int(_exact(norm["cap_share"]) * project["cost"]))
    return min(amounts, default=None)


def _is_of_cost(norm: Row) -> bool:
    return norm["cap_share"] is not None and norm["share_of"] != "assigned money"


def _exact(share: float) -> Fraction:
    """Return the decimal number that a float was written as."""
    return Fraction(str(share))


# --- payments -------------------------------------------------------------------------------------


_AFTER_WORK = ("contracted", "work")


def payable(on: date) -> Callable[[str, str, str], tuple[float, float, str]]:
    """Return what tells what a stage lets be paid (TT 36/2013 Điều 13-16, ``law_advance.csv``).

    Parameters
    ----------
    on : date
        Day the law is taken of.

    Returns
    -------
    callable (advance, area, stage) to (low, high, basis)
        Shares of the support that may have been paid at that stage, all earlier payments included:
        `low` as it stands, `high` once the work that an advance waits for is done; the articles.
        `advance` is the row of the law the activity falls under; "" takes every row that names the
        area, and the ceiling of all advances where none does. Before the contract nothing is paid,
        after acceptance everything; a stopped project's shares are 0: what it was paid, it keeps.
    """
    law = reference.law("advance", on)
    found: dict[tuple[str, str, str], tuple[float, float, str]] = {}

    def shares(advance: str, area: str, stage: str) -> tuple[float, float, str]:
        key = (advance, area, stage)
        if key not in found:
            found[key] = _shares(_rows(law, advance, area), stage)
        return found[key]

    return shares


def _rows(law: pd.DataFrame, advance: str, area: str) -> pd.DataFrame:
    own = law[law["id"] == advance]
    if own.empty:
        own = law[[area in areas.split(";") for areas in law["area"]]]
    return law[law["area"] == "ALL"] if own.empty else own


def _shares(rows: pd.DataFrame, stage: str) -> tuple[float, float, str]:
    if stage == "accepted":
        return 1.0, 1.0, grounds(rows["source"])
    if stage != "contracted" or rows.empty:
        return 0.0, 0.0, grounds(rows["source"])
    share, after = rows["first_advance_share"], rows["after"]
    low = share.where(after == "contracted", 0.0).min()
    high = share.where(after.isin(_AFTER_WORK), 0.0).max()
    return float(low), float(high), grounds(rows["source"])
