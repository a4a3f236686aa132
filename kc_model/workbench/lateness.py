"""What becomes of each project when national money comes late: made when it is looked at."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import ipywidgets
import pandas as pd

from kc_model.export import Stamp, shown_workbook
from kc_model.late import LateMoney, late_money, may_wait
from kc_model.money import SHOWN, UNITS, unit_name
from kc_model.tables import Dataset, as_rows
from kc_model.wording import Language, say
from kc_model.words import Words
from kc_model.workbench import screen
from kc_model.workbench.desk import explain_error
from kc_model.workbench.newest import Newest, Progress, Step
from kc_model.workbench.picking import Group, Picked, Picks

__all__ = ["Lateness"]

_HEADS = {
    "name": "text",
    "place": "fixed",
    "support": "number",
    "expected": "number",
    "months": "number",
    "prefund": "number",
    "why": "text",
    "who": "text",
}
_MONEY = {"finish": "expected", "prefund": "prefund", "next_year": "rest"}  # that matters of each
_VIEWS = {"": "all", **{verdict: verdict for verdict in _MONEY}}
_BOOK = "de_an_tien_ve_muon.xlsx"

Asked = tuple[Dataset, int, int, int]  # data, year, last month known, month the money comes in


class Lateness(ipywidgets.Accordion):  # type: ignore[misc]
    """Lists what can still be finished, what a province could pay first, what waits for a year.

    Parameters
    ----------
    source : {"KCQG", "KCDP"}
        The fund whose money is late.
    lock : RLock
        Of the desk.

    Attributes
    ----------
    told : Text
        The same in sentences, or what to do to see it.
    listed : Picks
    saved : Text
        The list as a workbook.
    """

    def __init__(self, source: str, lock: threading.RLock) -> None:
        self._source = source
        self._language: Language = "vi"
        self._asked: Asked | None = None
        self._found: tuple[Asked, LateMoney] | None = None
        self._stamp: Callable[[Language], Stamp] | None = None
        self._work = Newest(self._failed, lock)
        self.wait = self._work.wait
        self.told, self.saved = screen.Text(), screen.Text()
        self.listed = Picks(lambda _key, _code: None)
        inside = ipywidgets.VBox([self.told, self.listed, self.saved])
        super().__init__([inside], selected_index=None)
        self.observe(lambda _change: self._look(), "selected_index")

    def show(
        self, asked: Asked | None, stamp: Callable[[Language], Stamp], language: Language
    ) -> None:
        """Show what becomes of the projects, as soon as somebody looks.

        Parameters
        ----------
        asked : tuple of (Dataset, year, last month known, month the money comes in) or None
            None: the money is not late.
        stamp : callable (language) -> Stamp
            Of the workbook.
        """
        self._asked, self._stamp, self._language = asked, stamp, language
        self.set_title(0, self._say("fold"))
        self._look()

    def _say(self, key: str, **values: object) -> str:
        return say(f"screen.lateness.{key}", self._language, **values)

    def _look(self) -> None:
        if self.selected_index is None:
            return
        asked = self._asked
        if asked is None:
            self._tell([self._say("ask")])
        elif self._found is not None and self._found[0] == asked:
            self._list(self._found[1])
        elif not _has_any(asked, self._source):
            self._tell([self._say("nobody", source=self._source)])
        else:
            self._tell([say("screen.working", self._language)])
            work = Step(lambda progress: (asked, self._made(asked, progress)), self._take)
            self._work.start(work)

    def _made(self, asked: Asked, progress: Progress) -> LateMoney:
        found = late_money(*asked, source=self._source)
        progress("late", 1.0)
        return found

    def _take(self, found: tuple[Asked, LateMoney]) -> None:
        self._found = found
        if found[0] == self._asked:
            self._list(found[1])

    def _tell(self, sentences: list[str], kind: str = "") -> None:
        """Say something in place of the list."""
        self.told.value, self.saved.value = screen.message(sentences, kind), ""
        self.listed.layout.display = "none"

    def _list(self, found: LateMoney) -> None:
        language = self._language
        unit = unit_name(SHOWN[found.data.unit], language)
        teller = _Teller(found, language)
        self.listed.name("lateness", unit, _HEADS, (), _VIEWS, language)
        shown = self._say("shown", count=len(found.frame))
        self.listed.show(list(teller.groups()), list(teller.lines()), shown)
        self.listed.layout.display = ""
        self.told.value = screen.bullets("", found.sentences(language))
        if self._stamp is not None:
            book = shown_workbook(
                self._stamp(language), self._say("fold"), unit, teller.table(), language
            )
            label = say("screen.figure.download", language, name=_BOOK)
            self.saved.value = screen.download(_BOOK, book, label)

    def _failed(self, error: Exception) -> None:
        self._tell(explain_error(error, self._language), "stop")


def _has_any(asked: Asked, source: str) -> bool:
    """Whether there is a project of the fund that may be chosen."""
    data, year, as_of, _ = asked
    return not may_wait(data, year, as_of, source).empty


class _Teller:
    """Says what becomes of each project."""

    def __init__(self, found: LateMoney, language: Language) -> None:
        self.language = language
        self.words = Words(found.data.unit, found.data.vintage, language)
        projects = found.data.projects
        names = dict(zip(projects["id"], projects["name"], strict=True))
        self.frame = found.frame.assign(name=[f"{one}. {names[one]}" for one in found.frame["id"]])

    def groups(self) -> Iterator[Group]:
        for verdict, column in _MONEY.items():
            part = self.frame[self.frame["verdict"] == verdict]
            amount = self.words.vnd(float(part[column].sum()))
            told = say(
                f"screen.lateness.groups.{verdict}", self.language, count=len(part), amount=amount
            )
            yield Group(verdict, told)

    def lines(self) -> Iterator[Picked]:
        for row in as_rows(self.frame):
            yield Picked(row["id"], row["verdict"], self.cells(row), row["verdict"])

    def table(self) -> list[tuple[str, ...]]:
        """Return the list as texts, with what becomes of each in a column."""
        heads = [say(f"screen.lateness.heads.{key}", self.language) for key in (*_HEADS, "verdict")]
        rows = [
            (*self.cells(row), say(f"screen.lateness.views.{row['verdict']}", self.language))
            for row in as_rows(self.frame)
        ]
        return [tuple(heads), *rows]

    def cells(self, row: dict[str, Any]) -> tuple[str, ...]:
        places = "; ".join(self.words.name(one, "place") for one in row["place"].split(";"))
        months = "–" if pd.isna(row["months"]) else str(row["months"])
        who = say(f"moves.who.{row['who_decides']}", self.language) if row["who_decides"] else "–"
        prefund = self.money(row["prefund"]) if row["prefund"] else "–"
        support, expected = self.money(row["support"]), self.money(row["expected"])
        why = say(f"late.why.{row['why']}", self.language)
        if row["over"]:
            why = say("late.why.over", self.language, why=f"{why[:1].lower()}{why[1:]}")
        return (row["name"], places, support, expected, months, prefund, why, who)

    def money(self, vnd: int) -> str:
        return self.words.amount(vnd / UNITS[self.words.given])
