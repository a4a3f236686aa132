"""The start page: which datasets there are, what they cover and what their figures are worth."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import ipywidgets

from kc_model.errors import Fault, InputError
from kc_model.reading import read_dataset
from kc_model.tables import SCHEMAS, Dataset
from kc_model.wording import LANGUAGES, Language, say
from kc_model.workbench import screen

__all__ = ["Overview"]


class Overview(ipywidgets.VBox):  # type: ignore[misc]
    """What `kc check` says of every dataset below some folders.

    Parameters
    ----------
    folders : sequence of Path
    language : {"vi", "en"}
    """

    def __init__(self, folders: Sequence[Path], language: Language = "vi") -> None:
        found = [path.parent for folder in folders for path in folder.rglob("dataset.yaml")]
        self._read = [(path.name, _read(path)) for path in sorted(found)]
        self.text = screen.Text()
        tongues = ipywidgets.ToggleButtons(
            options=[(say("screen.language", one), one) for one in LANGUAGES],
            value=language,
            style={"button_width": "auto"},
        )
        tongues.observe(lambda change: self._show(change["new"]), "value")
        super().__init__([tongues, self.text])
        self.add_class("kc-desk")
        self._show(language)

    def _show(self, language: Language) -> None:
        heads = ("name", "title", "years", "places", "areas", "standing", "faults")
        head = tuple(say(f"screen.overview.{key}", language) for key in heads)
        lines = [_line(name, data, language) for name, data in self._read]
        caption = say("screen.overview.name", language)
        parts = [screen.style(), screen.table([head, *lines], caption, kind="words")]
        parts += [_details(name, data, language) for name, data in self._read]
        self.text.value = "".join(parts)


def _read(path: Path) -> Dataset | tuple[Fault, ...]:
    try:
        return read_dataset(path)
    except InputError as error:
        return error.faults


def _line(name: str, data: Dataset | tuple[Fault, ...], language: Language) -> tuple[str, ...]:
    if not isinstance(data, Dataset):
        count = say("screen.overview.errors", language, count=len(data))
        return (name, "", "", "", "", "", count)
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
    warnings = say("screen.overview.warnings", language, count=len(data.warnings))
    return (name, data.title, span, *counts, shown, warnings)


def _details(name: str, data: Dataset | tuple[Fault, ...], language: Language) -> str:
    if not isinstance(data, Dataset):
        faults = screen.bullets("", [fault.text(language) for fault in data])
        return screen.fold(name, faults)
    notes = [note.vi if language == "vi" else note.en for note in data.notes]
    rows = [
        say(
            "screen.overview.rows",
            language,
            table=say(f"headings.sheets.{table}", language),
            count=len(data.tables[table]),
        )
        for table in SCHEMAS
        if len(data.tables[table])
    ]
    inside = (
        screen.bullets(say("screen.overview.tables", language), rows)
        + screen.bullets(say("screen.overview.sources", language), data.sources)
        + screen.bullets(say("screen.overview.notes", language), notes)
        + screen.bullets(
            say("screen.warnings", language, count=len(data.warnings)),
            [fault.text(language) for fault in data.warnings],
        )
    )
    return screen.fold(f"{name}: {data.title}", inside)
