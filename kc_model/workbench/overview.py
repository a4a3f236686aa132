"""The start page: which datasets there are, what they cover and what their figures are worth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import ipywidgets

from kc_model.money import format_number
from kc_model.tables import SCHEMAS
from kc_model.wording import Language, say
from kc_model.workbench import screen
from kc_model.workbench.datasets import Loaded, find_datasets, load, shown_path
from kc_model.workbench.desk import explain_error, language_switch
from kc_model.workbench.folders import find_data
from kc_model.workbench.newest import Newest, Progress, Step

__all__ = ["Overview", "show_cases"]


class Overview(ipywidgets.VBox):  # type: ignore[misc]
    """What is found in every dataset and workbook below some folders and in its scenarios.

    Attributes
    ----------
    text : Text
    tongues : ToggleButtons
    """

    def __init__(self, folders: Sequence[Path], language: Language = "vi") -> None:
        found = {path: folder for folder in folders for path in find_datasets(folder)}
        self._paths = {path: shown_path(path, folder) for path, folder in sorted(found.items())}
        self._known: list[tuple[str, Loaded]] = []
        self._trouble: list[str] = []
        self.text = screen.Text()
        self.tongues = language_switch(language)
        self.tongues.observe(self._switch, "value")
        self._work = Newest(self._failed)
        super().__init__([self.tongues, self.text])
        self.add_class("kc-desk")
        self._show()
        self._work.start(*(Step(self._reader(path), self._add) for path in self._paths))

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until every dataset is read; tell whether that came true in time (seconds)."""
        return self._work.wait(timeout)

    def _switch(self, _change: Any) -> None:
        with self._work.lock:
            self._show()

    def _reader(self, path: Path) -> Callable[[Progress], tuple[str, Loaded]]:
        return lambda progress: (self._paths[path], load(path, progress))

    def _add(self, found: tuple[str, Loaded]) -> None:
        self._known.append(found)
        self._show()

    def _failed(self, error: Exception) -> None:
        self._trouble = explain_error(error, self.tongues.value)
        self._show()

    def _show(self) -> None:
        language = self.tongues.value
        heads = ("name", "title", "years", "places", "areas", "standing", "faults")
        head = tuple(say(f"screen.overview.{key}", language) for key in heads)
        lines = [_line(name, one, language) for name, one in self._known]
        left = len(self._paths) - len(self._known)
        reading = [say("screen.overview.reading", language, count=left)] if left else []
        self.text.value = "".join(
            [
                screen.style(),
                screen.table([head, *lines], head[0], kind="words") if lines else "",
                screen.message(self._trouble, "stop") or screen.message(reading),
                *(_details(name, one, language) for name, one in self._known),
            ]
        )


def show_cases(*folders: str | Path, language: Language = "vi") -> Overview:
    """Return an overview of every dataset below some folders, each with all its faults.

    Parameters
    ----------
    *folders : path
        As for `find_data`.
    """
    return Overview([find_data(folder) for folder in folders], language)


def _line(name: str, loaded: Loaded, language: Language) -> tuple[str, ...]:
    data, mend = loaded.data, say("screen.overview.errors", language, count=loaded.errors)
    if data is None:
        return (name, "", "", "", "", "", mend)
    keyed = [data.tables[name] for name in ("history", "cells") if len(data.tables[name])]
    years = sorted({int(year) for frame in keyed for year in frame["year"].dropna()})
    span = "–".join(dict.fromkeys(map(str, (years[0], years[-1])))) if years else ""
    counts = [
        str(len({value for frame in keyed for value in frame[key]})) for key in ("place", "area")
    ]
    standings = dict.fromkeys(note.standing for note in data.notes)
    if data.synthetic:
        standings = {"synthetic": None}
    shown = ", ".join(say(f"export.standing.{standing}", language) for standing in standings)
    known = say("screen.overview.warnings", language, count=len(loaded.faults) - loaded.errors)
    scenarios = say("screen.overview.scenarios", language, errors=mend) if loaded.errors else ""
    return (name, data.title, span, *counts, shown, known + scenarios)


def _details(name: str, loaded: Loaded, language: Language) -> str:
    data, faults = loaded.data, [fault.text(language) for fault in loaded.faults]
    if data is None:
        return screen.fold(name, screen.bullets("", faults))
    notes = [note.vi if language == "vi" else note.en for note in data.notes]
    rows = [
        say(
            "screen.overview.rows",
            language,
            table=say(f"headings.sheets.{table}", language),
            count=format_number(len(data.tables[table]), 0, language),
        )
        for table in SCHEMAS
        if len(data.tables[table])
    ]
    inside = (
        screen.bullets(say("screen.overview.tables", language), rows)
        + screen.bullets(say("screen.overview.sources", language), data.sources)
        + screen.bullets(say("screen.overview.notes", language), notes)
        + screen.bullets(
            say("screen.warnings", language, count=len(faults)),
            faults,
        )
    )
    return screen.fold(f"{name}: {data.title}", inside)
