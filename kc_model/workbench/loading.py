"""The desk "Số liệu": which data there are, every fault in them, and what they cover."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import ipywidgets
import pandas as pd

from kc_model import reference
from kc_model.charts.words import even
from kc_model.errors import Address, Fault
from kc_model.money import SHOWN, format_number, to_unit, unit_name
from kc_model.projects import registration
from kc_model.tables import KEYS, Dataset
from kc_model.template import write_template
from kc_model.wording import Language, say
from kc_model.words import Words
from kc_model.workbench import screen
from kc_model.workbench.datasets import (
    Loaded,
    find_datasets,
    load,
    scenario_home,
    shown_path,
)
from kc_model.workbench.desk import Desk, remedy_on_screen
from kc_model.workbench.folders import UPLOADS, find_data
from kc_model.workbench.newest import Step

__all__ = ["DataDesk", "show_data"]

_STANDINGS = ("settled", "reported", "estimate", "")
_MOST = 200  # faults listed


class DataDesk(Desk):
    """Loads a workbook or a folder and tells its faults, what it covers and what it is worth.

    Parameters
    ----------
    folder : Path
        Where data are looked for.
    first : Loaded or None
        What was read of the first dataset there; None: it is still to be read.
    chosen : str
        Path of the dataset to open, if it is there; "": the first.

    Attributes
    ----------
    loaded : Loaded or None
        What was read last; None while something else is read.
    on_open, on_load : callable (Path), callable (Loaded)
        Told of what is about to be read; of everything that was read, without data where even
        that went wrong.
    pick : Dropdown
        The datasets found.
    upload : FileUpload
    again : Button
        Reads the same file once more; not there for an upload, which is a copy.
    lost : str
        What was to be opened and is not there any more; "": nothing.
    year, register : BoundedIntText, Button
        The year for which the projects of the data are registered; makes the forms of it.
    printed : Text
        Where these can be saved.
    faults, coverage, worth, template : Text
    """

    def __init__(
        self,
        folder: Path,
        language: Language = "vi",
        first: Loaded | None = None,
        chosen: str = "",
    ) -> None:
        super().__init__(language)
        self.folder = folder
        self.loaded: Loaded | None = None
        self._own = tempfile.TemporaryDirectory(prefix="kc-upload-")
        # What browsers sent: a page that is loaded again finds it where its server keeps it.
        self._sent = Path(os.environ.get(UPLOADS, self._own.name))
        self._sent.mkdir(mode=0o700, exist_ok=True)
        self.on_open: Callable[[Path], None] = lambda _path: None
        self.on_load: Callable[[Loaded], None] = lambda _loaded: None
        self.pick = ipywidgets.Dropdown(layout=ipywidgets.Layout(width="520px"))
        self.upload = ipywidgets.FileUpload(accept=".xlsx,.xlsm", multiple=False)
        self.upload.add_class("kc-upload")
        self.again = ipywidgets.Button()
        self.year = ipywidgets.BoundedIntText(min=1990, max=2100, layout={"width": "170px"})
        self.register, self.printed = ipywidgets.Button(icon="print"), screen.Text()
        self.register.layout.width = "260px"
        self._forms = screen.row(self.year, self.register)
        self.faults, self.coverage = screen.Text(), screen.Text()
        self.worth, self.template, self._named = screen.Text(), screen.Text(), screen.Text()
        self._named.layout.display = "none"
        self._when(self.pick, self._open)
        self._when(self.upload, self._take)
        self._on_click(self.again, self._reload)
        self._on_click(self.register, self._register)
        self._lay_out(
            screen.row(self.pick, self.again, self.upload),
            self._named,
            self.template,
            self._forms,
            self.printed,
            self.status,
            self.faults,
            self.coverage,
            self.worth,
        )
        self._words()
        offered = {str(path): path for _, path in self.pick.options}
        self.lost = Path(chosen).name if chosen not in ("", *offered) else ""
        with self._quiet():
            self.pick.value = offered.get(chosen, self.pick.value)
        if first is not None and first.path == self.pick.value:
            self._show(first)
        else:
            self._open(self.pick.value)

    # ------------------------------------------------------------------ loading

    def _look(self) -> None:
        """Offer what lies in the folder; keep the choice if it is still there."""
        found, chosen = find_datasets(self.folder), self.pick.value
        options = [(shown_path(path, self.folder), path) for path in found]
        for path in sorted(self._sent.iterdir()):
            options.append((self.say("data.sent", name=path.name), path))
        if chosen is not None and chosen not in dict(options).values():
            options.append((chosen.name, chosen))
        with self._quiet():
            if tuple(options) != self.pick.options:
                self.pick.options = options
            self.pick.value = chosen or next(iter(found), None)

    def is_sent(self, path: Path) -> bool:
        """Whether a dataset is a copy that the browser sent, not the planner's own file."""
        return path.parent == self._sent

    def again_of(self, path: Path) -> str:
        """Return how a dataset that was mended comes here: read again, or sent again."""
        return self.say(f"data.by.{'sending' if self.is_sent(path) else 'reading'}")

    def _open(self, path: Path | None) -> None:
        if path is None:
            return
        self.loaded = None  # nothing of it may stand beside the name of another
        self._words()
        self.status.value = screen.message([self.say("data.reading", name=path.name)])
        self.on_open(path)
        # Scenarios of an upload stay in the planner's folder, where the next upload finds them.
        home = scenario_home(self.folder / path.name) if self.is_sent(path) else None
        self.work.start(Step(lambda progress: load(path, progress, home), self._show))

    def _reload(self) -> None:
        self._look()
        self._open(self.pick.value)

    def _take(self, files: Sequence[Mapping[str, object]]) -> None:
        """Put an uploaded workbook under its own name where it can be read."""
        for file in files:
            path = self._sent / Path(str(file["name"]).replace("\\", "/")).name
            path.write_bytes(bytes(file["content"]))  # type: ignore[call-overload]
            self._look()
            with self._quiet():
                self.pick.value = path
                self.upload.value = ()  # or its button would go on counting it
            self._open(path)

    def _register(self) -> None:
        """Make Mẫu số 2 and Mẫu số 1 of the projects, in the background."""
        data = self.loaded.data if self.loaded else None
        if data is None:
            return
        year, language = self.year.value, self.language
        name = self.say("data.forms_file", year=year)
        self.printed.value = screen.message([self.say("data.forms_wait")])

        def show(content: bytes) -> None:
            label = say("screen.figure.download", language, name=name)
            self.printed.value = screen.download(name, content, label)

        self.work.start(Step(lambda _progress: registration(data, year, language), show))

    def _show(self, loaded: Loaded) -> None:
        self.loaded = loaded
        if loaded.data is not None and len(loaded.data.projects):
            self.year.value = _registered_year(loaded.data)
        self._words()
        self.on_load(loaded)

    def _failed(self, error: Exception) -> None:
        super()._failed(error)
        if self.loaded is None and self.pick.value is not None:
            self.on_load(Loaded(self.pick.value))

    # ------------------------------------------------------------------ showing

    def _words(self) -> None:
        language, loaded = self.language, self.loaded
        self._look()
        self.title.value = screen.heading(
            self.say("data.title"), loaded.data.called if loaded and loaded.data else ""
        )
        self.pick.description = self.say("data.pick")
        self.again.description = self.say("data.again")
        self.again.tooltip = self.say("data.again_hint")
        sent = self.is_sent(loaded.path) if loaded else False
        self.again.layout.display = "none" if sent else ""
        name = self.say("data.upload_again" if sent else "data.upload")
        self.upload.description, self._named.value = name, screen.named("kc-upload", name)
        self.upload.button_style = "primary" if sent and loaded and loaded.errors else ""
        self.template.value = _template(language)
        self.year.description, self.register.description, self.printed.value = (
            self.say("data.forms_year"),
            self.say("data.forms"),
            "",
        )
        has_projects = loaded is not None and loaded.data is not None and len(loaded.data.projects)
        self._forms.layout.display = "" if has_projects else "none"
        self.faults.value = self.coverage.value = self.worth.value = ""
        if loaded is None:
            empty = [] if self.pick.options else [self.say("data.none", folder=self.folder)]
            self.status.value = self.status.value or screen.message(empty)
            return
        self.status.value = screen.message(self.told(loaded), "stop" if loaded.errors else "")
        self.faults.value = _fault_table(loaded.faults, language)
        if loaded.data is not None:
            self.coverage.value = _coverage(loaded.data, language)
            self.worth.value = _worth(loaded.data, language)

    def told(self, loaded: Loaded) -> list[str]:
        """Say whether the data can be used, how they are mended, and what becomes of an upload."""
        key = "broken" if loaded.data is None else "partly" if loaded.errors else "fine"
        count = {"errors": loaded.errors, "warnings": len(loaded.faults) - loaded.errors}
        told = [self.say(f"data.{key}", name=loaded.path.name, **count)]
        if loaded.errors:
            told.append(self.say("data.mend", again=self.again_of(loaded.path)))
        if self.is_sent(loaded.path):
            told.append(self.say("data.copy", folder=self.folder, home=loaded.home))
        return told


def show_data(folder: str | Path = ".", language: Language = "vi") -> DataDesk:
    """Return the desk "Số liệu"; a folder is sought as by `find_data`, the rest is `DataDesk`'s."""
    return DataDesk(find_data(folder).resolve(), language)


def _registered_year(data: Dataset) -> int:
    """Return the year that most projects begin in; of equals, and without days, the newest."""
    years = data.projects["start"].dropna().dt.year
    if years.empty:
        years = data.history["year"].dropna().tail(1) + 1
    return int(years.mode().max()) if len(years) else datetime.now(UTC).year


@cache
def _template(language: Language) -> str:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, say("screen.data.template_file", language))
        write_template(file, language)
        return screen.download(file.name, file.read_bytes(), say("screen.data.template", language))


def _fault_table(faults: Iterable[Fault], language: Language) -> str:
    """Return faults as a table: where, what was found, what to do; errors first."""
    ordered = sorted(faults, key=lambda fault: fault.level != "error")
    if not ordered:
        return ""
    keys = ("level", "at", "found", "remedy")
    lines = [tuple(say(f"screen.data.heads.{key}", language) for key in keys)]
    for fault in ordered[:_MOST]:
        level = say(f"screen.data.levels.{fault.level}", language)
        lines.append(
            (
                level,
                _place(fault.at, language),
                fault.found(language),
                remedy_on_screen(fault, language),
            )
        )
    more = len(ordered) - _MOST
    note = say("screen.data.more", language, count=more) if more > 0 else ""
    return screen.table(lines, say("screen.data.faults", language), note, kind="words")


def _place(at: Address, language: Language) -> str:
    """Return an address; of a line of a YAML file in words."""
    line = at.cell.removeprefix("line ")
    if line == at.cell:
        return str(at) or "–"
    plain = say("screen.data.line", language, file=at.file, number=line)
    return f"{plain} ({at.column})" if at.column else plain


def _coverage(data: Dataset, language: Language) -> str:
    """Say for every year which months, places, areas and funds are there, and how much money."""
    history, unit = data.history, SHOWN[data.unit]
    if history.empty:
        return screen.message([say("screen.data.no_history", language)], "warn")
    keys = ("year", "months", "places", "areas", "sources", "plan", "disbursed", "latest")
    lines = [tuple(say(f"screen.data.covers.{key}", language) for key in keys)]
    told: list[str] = []
    for year, rows in history.groupby("year", sort=True):
        told += _earlier(rows, data, language)
        latest = int(rows["month"].max())
        last = rows[rows["month"] == latest]
        funds = [str(one) for one in reference.source_order() if one in set(rows["source"])]
        lines.append(
            (
                str(year),
                _months(rows["month"], language),
                _places(rows, data.merged.get(int(str(year)), 0), language),
                str(rows["area"].nunique()),
                ", ".join(reference.source_name(one, language) for one in funds),
                _sum(last["plan"], unit, language),
                _sum(last["disbursed"], unit, language),
                _month(latest, language),
            )
        )
    title = say("screen.data.covers_title", language)
    note = say("screen.data.covers_note", language, unit=unit_name(unit, language))
    table = screen.table(even(lines, language, (5, 6)), title, note)
    return f"<h3>{title}</h3>{table}{screen.message(told)}{_projects(data, language)}"


def _earlier(rows: pd.DataFrame, data: Dataset, language: Language) -> Iterator[str]:
    """Tell which lines' newest figures of a year are of an earlier month than the year's newest.

    Sums here are of that month; where a year stands counts every line's newest figure.
    """
    words, latest = Words(data.unit, data.vintage, language), int(rows["month"].max())
    for column in ("plan", "disbursed") if latest <= 12 else ():
        known = rows[rows[column].notna()].sort_values("month", kind="stable")
        newest = known.drop_duplicates(KEYS, keep="last")
        late = newest[newest["month"] < latest]
        more = int(late[column].sum())
        if more:
            places = [words.name(code, "place") for code in late["place"].unique()]
            values = {"amount": words.vnd(more), "total": words.vnd(int(newest[column].sum()))}
            yield say(
                f"screen.data.earlier.{column}",
                language,
                year=int(rows["year"].iloc[0]),
                count=len(late),
                places=words.listed(places),
                month=latest,
                **values,
            )


def _places(rows: pd.DataFrame, merged: int, language: Language) -> str:
    """Return how many places a year has, and how many former ones some were summed from."""
    now = rows["place"].nunique()
    return say("screen.data.merged", language, now=now, old=merged) if merged else str(now)


def _projects(data: Dataset, language: Language) -> str:
    """Say how many projects there are, and what they ask for."""
    if data.projects.empty:
        return ""
    asked = Words(data.unit, data.vintage, language).vnd(int(data.projects["support"].sum()))
    told = say("screen.data.projects", language, count=len(data.projects), amount=asked)
    return screen.message([told])


def _month(month: int, language: Language) -> str:
    if month > 12:
        return say("screen.data.settled", language)
    return say("screen.progress.month", language, month=month)


def _months(months: pd.Series, language: Language) -> str:
    """Return 1–12, or 3, 6, 9, 12; the settlement by its name."""
    there = sorted({int(month) for month in months})
    plain = [month for month in there if month <= 12]
    is_row = len(plain) > 2 and plain == list(range(plain[0], plain[-1] + 1))
    shown = f"{plain[0]}–{plain[-1]}" if is_row else ", ".join(map(str, plain))
    settled = [say("screen.data.settled", language)] if 13 in there else []
    return ", ".join(filter(None, [shown, *settled]))


def _sum(money: pd.Series, unit: str, language: Language) -> str:
    known = money.dropna()
    return format_number(to_unit(int(known.sum()), unit), None, language) if len(known) else "–"


def _worth(data: Dataset, language: Language) -> str:
    """Say how many reported figures are settled, reported or estimated, and what is assumed."""
    counts = data.history["status"].value_counts()
    rows = [
        (
            say(f"screen.data.status.{key or 'unsaid'}", language),
            format_number(int(counts[key]), 0, language),
        )
        for key in _STANDINGS
        if key in counts
    ]
    title = say("screen.data.worth", language)
    head = (title, say("screen.data.rows", language))
    notes = [
        f"{say(f'export.standing.{note.standing}', language)}: "
        f"{note.vi if language == 'vi' else note.en}"
        for note in data.notes
    ]
    synthetic = [say("screen.synthetic", language)] if data.synthetic else []
    return (
        screen.message(synthetic, "warn")
        + (screen.table([head, *rows], title) if rows else "")
        + screen.bullets(say("screen.rests", language), notes)
        + screen.bullets(say("screen.overview.sources", language), data.sources)
    )
