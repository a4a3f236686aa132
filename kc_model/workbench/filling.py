"""Budgets, rules and goals on screen as tables: filled in, added to, put in order, removed from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import ipywidgets
import pandas as pd

from kc_model.errors import InputError
from kc_model.money import SHOWN, unit_name
from kc_model.scenario import Scenario
from kc_model.tables import Dataset
from kc_model.wording import Language, say
from kc_model.workbench import screen
from kc_model.workbench.adding import NEW, Adding, Asked
from kc_model.workbench.editing import ACTIONS, TABLES, columns_of, edited, read_twice, rows_of

__all__ = ["Filling"]

Edits = Sequence[tuple[int, int, str]]
_Unread = dict[tuple[str, int, int], tuple[str, InputError]]

_EMPTY = "–"  # what was emptied
_NAMED = 6  # values of a block that are named


class _Owner(Protocol):
    """What stands on screen: read before a change, told after it."""

    data: Dataset
    language: Language

    def now(self) -> Scenario: ...
    def go(self, scenario: Scenario) -> None: ...
    def guarded(self, act: Callable[[], None]) -> None: ...


class Filling(ipywidgets.VBox):  # type: ignore[misc]
    """Three tables, and the fields of a new row under them.

    Parameters
    ----------
    owner : PlanDesk
        Whose scenario the tables show and change.

    Attributes
    ----------
    grids : dict of str to Grid
        ``budget``, ``rules`` and ``goals``.
    adding : Adding
    refused : mapping of (table, row, column) to (text, InputError)
        What was typed and could not be read; it stays at its cell with the reason.
    """

    def __init__(self, owner: _Owner) -> None:
        self._owner = owner
        self.refused: Mapping[tuple[str, int, int], tuple[str, InputError]] = {}
        self.grids = {table: self._grid(table) for table in TABLES}
        self.adding = Adding(lambda table, asked: owner.guarded(lambda: self._add(table, asked)))
        self._shown: tuple[Scenario, pd.DataFrame] | None = None
        super().__init__([*self.grids.values(), self.adding])

    def _grid(self, table: str) -> screen.Grid:
        guarded = self._owner.guarded
        return screen.Grid(
            lambda edits: guarded(lambda: self._edit(table, edits)),
            lambda *block: guarded(lambda: self._refuse_block(table, *block)),
        )

    def show(self, scenario: Scenario, cells: pd.DataFrame) -> None:
        """Show a scenario; tables that are folded away are filled when they are opened.

        Parameters
        ----------
        cells : DataFrame
            Of the newest plan: what a new row can be about.
        """
        if not len(cells) and self._shown is not None:
            cells = self._shown[1]
        self._shown = scenario, cells
        if self.layout.display == "none":
            return
        data, language = self._owner.data, self._owner.language
        for table, grid in self.grids.items():
            rows = rows_of(scenario, table, data, language)
            for (name, r, c), (text, error) in self.refused.items():
                if name == table:
                    fault, now = error.faults[0], self._in_force(rows[r][c])
                    why = f"{fault.found(language)} {fault.remedy(language)} {now}"
                    rows[r][c] = screen.GridCell(text, text or _EMPTY, why)
            with grid.hold_sync():
                unit = unit_name(SHOWN[data.unit], language)
                label = say(f"screen.edit.tables.{table}", language, unit=unit)
                grid.label = label if rows else self._say("empty", table=label)
                grid.show(columns_of(table, data, language), rows)
        if len(cells):
            self.adding.offer(cells, data, language)

    def unfold(self, *, is_open: bool) -> None:
        """Show the tables, or fold them away."""
        self.layout.display = "" if is_open else "none"
        if is_open and self._shown is not None:
            self.show(*self._shown)

    def announce(self, text: str = "") -> None:
        """Say something under the first table; take back what was said before."""
        self.adding.said.value = ""
        for grid, told in zip(self.grids.values(), (text, "", ""), strict=True):
            grid.say(told)

    def standing(self) -> list[str]:
        """Return what was refused and still stands in a cell, with what to do about it."""
        owner, told = self._owner, []
        for (table, r, c), (text, _error) in self.refused.items():
            rows = rows_of(owner.now(), table, owner.data, owner.language)
            values = {
                "table": self.grids[table].label,
                "row": rows[r][0].shown,
                "column": columns_of(table, owner.data, owner.language)[c].label,
                "text": text or _EMPTY,
            }
            told.append(self._say("standing", **values, in_force=self._in_force(rows[r][c])))
        return told

    def _in_force(self, cell: screen.GridCell) -> str:
        shown = cell.shown or say("screen.open", self._owner.language)
        return self._say("in_force", shown=shown)

    def _refuse_block(self, table: str, values: Sequence[str], lines: int, room: int) -> None:
        """Say why nothing of a block was taken: it has no cell for everything."""
        quoted = "; ".join(f"“{one}”" for one in values[:_NAMED]) + "…" * (len(values) > _NAMED)
        told = self._say("over", lines=lines, room=room, values=quoted)
        self.grids[table].say(told, is_refusal=True)

    def _refuse_unread(self, table: str, unread: _Unread) -> None:
        """Say why nothing of a block was taken: some of it cannot be read."""
        language, grid = self._owner.language, self.grids[table]
        _, row, column = at = min(unread)
        fault = unread[at][1].faults[0]
        values = {
            "count": len(unread),
            "row": grid.rows[row][0]["shown"],
            "column": grid.columns[column]["label"],
            "why": f"{fault.found(language)} {fault.remedy(language)}",
        }
        grid.say(self._say("unread", **values), is_refusal=True)

    def _read(self, table: str, edits: Edits) -> tuple[Scenario, _Unread]:
        """Return the scenario with what can be read, and what cannot.

        What does not fit is read again after the rest: a block may raise both bounds of a rule.
        """
        owner, left, unread = self._owner, list(edits), _Unread()
        scenario = owner.now()
        while left:
            unread = _Unread()
            for row, column, text in left:
                try:
                    at = (row, column)
                    scenario = edited(scenario, table, at, text, owner.data, owner.language)
                except InputError as error:
                    unread[table, row, column] = (text, error)
            if len(unread) == len(left):
                break
            left = [(row, column, text) for (_, row, column), (text, _) in unread.items()]
        return scenario, unread

    def _edit(self, table: str, edits: Edits) -> None:
        """Take what was typed, or a block whole or not at all.

        What was typed and cannot be read stays at its cell with the reason.
        """
        owner, grid = self._owner, self.grids[table]
        cells = {(table, row, column) for row, column, _ in edits}
        refused = {at: one for at, one in self.refused.items() if at not in cells}
        acted = next((key for _, c, _ in edits if (key := TABLES[table][c]) in ACTIONS), "")
        scenario, unread = self._read(table, edits)
        if unread and acted:  # the row stays as it was
            (_, error), *_ = unread.values()
            grid.say(error.faults[0].told(owner.language), is_refusal=True)
            return
        if unread and len(edits) > 1:
            self._refuse_unread(table, unread)
            return
        refused |= unread
        taken = [] if unread else [(row, column) for row, column, _ in edits]
        named = grid.rows[edits[0][0]][0]["shown"]
        if acted:  # its rows are others now
            refused = {at: one for at, one in refused.items() if at[0] != table}
        owner.go(scenario)
        self.refused = refused
        self.show(owner.now(), pd.DataFrame())
        if acted:
            for row, column in taken:  # of a row that is gone: to fill in the next one
                grid.go(row + ACTIONS[acted], 1 if acted == "drop" else column)
            grid.say(self._say(f"acted.{acted}", what=named))
            return
        told = [
            self._say("said", column=grid.columns[c]["label"], shown=grid.rows[r][c]["shown"])
            for r, c in taken[-1:]
        ]
        if taken and table == "rules":
            told.append(self._twice(*edits[-1]))
        missed = [self._say("refused", count=len(refused))] if refused else []
        grid.say(" ".join(filter(None, [*told, *missed])), is_refusal=bool(missed))

    def _twice(self, row: int, column: int, text: str) -> str:
        """Say how a rule's share below 1 was read, if it is one."""
        shown = str(self.grids["rules"].rows[row][column]["shown"])
        return read_twice(text, self._owner.language) if shown.endswith("%") else ""

    def _add(self, table: str, asked: Asked) -> None:
        owner = self._owner
        try:
            scenario = NEW[table](owner.now(), asked, owner.data, owner.language)
        except InputError as error:
            fault = error.faults[0]
            why = [fault.found(owner.language), fault.remedy(owner.language)]
            self.adding.said.value = screen.message([" ".join(why)], "stop")
            return
        if table != "goals":
            self.adding.number.value = ""
        owner.go(scenario)
        grid = self.grids[table]
        text = grid.rows[-1][TABLES[table].index("what")]["shown"]
        grid.show_last()
        self.adding.said.value = screen.message([self._say("added", what=text)])

    def _say(self, key: str, **values: object) -> str:
        return say(f"screen.edit.{key}", self._owner.language, **values)
