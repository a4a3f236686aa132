"""Saving what is on screen: as a scenario under a name, and as a proposal to print."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import chain, count
from pathlib import Path

import ipywidgets

from kc_model import reference
from kc_model.errors import KcError, SaveError
from kc_model.export import fingerprint, save_file
from kc_model.projects import adjustment
from kc_model.results import Allocation
from kc_model.scenario import Scenario, read_scenario, scenario_yaml
from kc_model.wording import Language, retold, say
from kc_model.workbench import screen
from kc_model.workbench.desk import explain_error
from kc_model.workbench.folders import new_folder, plain_name
from kc_model.workbench.making import Maker
from kc_model.workbench.marking import edited
from kc_model.workbench.newest import Newest, Progress, Step

__all__ = ["Filing"]

_MEANWHILE = "save-changed-meanwhile"
_WAYS = ("elsewhere", "theirs", "over")  # out of a file that somebody else has saved meanwhile


class Filing(ipywidgets.HBox):  # type: ignore[misc]
    """A name, buttons that save the scenario under it or a copy, and one that exports the proposal.

    Parameters
    ----------
    scenario : callable () -> Scenario
        What is on screen, with the notes that say what was changed.
    maker : callable () -> Maker
        Makes its plan afresh.
    kept : callable (Path, Scenario) -> list of str
        Told what was saved; returns what else is to be said of it.
    standing : callable () -> list of str
        Says what on screen was refused; while there is any, nothing is saved or exported.
    go : callable (Scenario) -> None
        Puts a scenario on the screen.
    lock : RLock
        Of the desk.

    Attributes
    ----------
    name, keep, copy, export : Field, Button, Button, Button
    saved : Text
        Where it went.
    ways : dict of str to Button
        Out of a file that somebody else has saved meanwhile: under another name, by what they
        saved, over it.
    told : VBox
        These two; the desk puts them elsewhere.
    folder : Path or None
        Where the next export goes; None: a new folder below ``out``.
    home : Path
        The folder that scenarios are saved in.
    """

    def __init__(
        self,
        scenario: Callable[[], Scenario],
        maker: Callable[[], Maker],
        kept: Callable[[Path, Scenario], list[str]],
        standing: Callable[[], list[str]],
        go: Callable[[Scenario], None],
        lock: threading.RLock,
    ) -> None:
        self._scenario, self._maker, self._kept = scenario, maker, kept
        self._standing, self._go, self._is_exporting = standing, go, False
        self._exports = Newest(self._failed, lock)
        self.wait = self._exports.wait
        self._language: Language = "vi"
        self._called = ""
        self._files: dict[Path, Mapping[str, str]] = {}
        self._clash: Path | None = None  # what somebody else has saved meanwhile
        self.folder: Path | None = None
        self.home = Path("phuong-an")
        self.name = screen.Field(layout={"width": "400px", "max_width": "100%"})
        self.keep = ipywidgets.Button()
        self.copy = ipywidgets.Button(icon="copy", layout={"width": "auto"})
        self.export = ipywidgets.Button(icon="download", button_style="primary", disabled=True)
        self.saved = screen.Text()
        self.saved.observe(lambda _told: self._offer(None), "value")
        wide = {"width": "auto"}
        self.ways = {way: ipywidgets.Button(icon="wrench", layout=wide) for way in _WAYS}
        for button in self.ways.values():
            button.add_class("kc-way")
        self._ways = ipywidgets.VBox()
        self.told = ipywidgets.VBox([self.saved, self._ways])
        super().__init__([self.name, self.keep, self.copy, self.export])

    def words(self, language: Language) -> None:
        """Show every text again, in this language."""
        self._language = language
        self.name.description = say("screen.keep.name", language)
        self.copy.description = say("screen.keep.copy", language)
        self.export.description = say("screen.plan.export", language)
        for way, button in self.ways.items():
            button.description = say(f"screen.keep.{way}", language)
        self.saved.value = ""
        self._offer(None)

    def show(self, called: str, *, is_safe: bool) -> None:
        """Show whether what is on screen stands in a file.

        Parameters
        ----------
        called : str
            The scenario that it began with.
        """
        self._called = called
        is_kept = is_safe or self._file(called) in self._files
        self.name.placeholder = retold(called if is_kept else edited(called), self._language)
        key = "button" if is_safe else "unsaved"
        self.keep.description = say(f"screen.keep.{key}", self._language)
        self.keep.button_style = "" if is_safe else "warning"

    def allow(self, *, is_plan: bool) -> str:
        """Let a plan be exported, or nothing where there is none; say why not."""
        why = "" if is_plan else say("screen.plan.no_export", self._language)
        self.export.disabled, self.export.tooltip = not is_plan, why or self.export.description
        return why

    def opened(self, file: Path) -> None:
        """Let a file be saved again under its name: one that we wrote and nobody has changed."""
        if file.is_file() and file.read_bytes() == scenario_yaml(self._scenario()).encode():
            self._files[file] = fingerprint(file.parent, [file.name])

    def save(self) -> None:
        """Save the scenario under its name, never over somebody else's file; say where."""
        if self._is_refused():
            return
        try:
            file, scenario = self._save()
        except (KcError, OSError) as error:
            self._failed(error)
            if isinstance(error, SaveError) and _MEANWHILE in {one.code for one in error.faults}:
                other = self._file(self._wanted())
                clash = say("screen.keep.meanwhile", self._language, file=other.name)
                self.saved.value = screen.message([clash], "stop")
                self._offer(other)
            return
        told = self._kept(file, scenario)
        first = say("screen.keep.saved", self._language, file=file)
        self.saved.value = screen.message([first, *told])

    def duplicate(self) -> None:
        """Save the scenario under a name that is free: the typed one, or one that says "copy"."""
        typed = self.name.value.strip()
        copies = (
            say("screen.keep.copied", self._language, name=typed or self._called, number=number)
            for number in count(1)
        )
        names = chain([typed] if typed else [], copies)
        self.name.value = next(name for name in names if not self._file(name).exists())
        self.save()

    def take_theirs(self) -> None:
        """Put on the screen what somebody else has saved in the file; it can be undone."""
        if self._clash is not None:
            file = self._clash
            known = fingerprint(file.parent, [file.name])
            theirs = read_scenario(file)
            self._go(theirs)
            self._files[file] = known
            told = self._kept(file, theirs)
            first = say("screen.keep.taken", self._language, file=file.name)
            self.saved.value = screen.message([first, *told])

    def save_over(self) -> None:
        """Save over what somebody else has saved in the file."""
        if self._clash is not None:
            file = self._clash
            self._files[file] = fingerprint(file.parent, [file.name])
            self.save()

    def _offer(self, file: Path | None) -> None:
        """Offer the ways out of a file that somebody else has saved, or none."""
        self._clash = file
        self._ways.children = [] if file is None else list(self.ways.values())

    def outdate(self) -> None:
        """Take back what was said of a scenario that is no longer on screen."""
        if not self._is_exporting:
            self.saved.value = ""

    def _is_refused(self) -> bool:
        told = self._standing()
        if told:
            self.saved.value = screen.message(told, "stop")
        return bool(told)

    def _file(self, name: str) -> Path:
        return self.home / f"{plain_name(name)}.yaml"

    def _failed(self, error: Exception) -> None:
        self._is_exporting = False
        self.saved.value = screen.message(explain_error(error, self._language), "stop")

    def _wanted(self) -> str:
        """Return the name to save under."""
        is_known = self._file(self._called) in self._files
        return self.name.value.strip() or (self._called if is_known else self._scenario().name)

    def _save(self) -> tuple[Path, Scenario]:
        scenario = replace(self._scenario(), name=self._wanted())
        file = self._file(scenario.name)
        expected = self._files.get(file, {file.name: ""})
        save_file(file, scenario_yaml(scenario).encode(), expected)
        self._files[file] = fingerprint(file.parent, [file.name])
        return file, scenario

    def start_export(self) -> None:
        """Solve afresh what is on screen (contract, section 6.1) and save the proposal."""
        if self._is_exporting or self._is_refused():
            return
        scenario, maker, language = self._scenario(), self._maker(), self._language
        folder = self.folder or new_folder(scenario.name)
        book, form = (
            _file_name(key, scenario.name, language) for key in ("file", "adjustment_file")
        )
        self._is_exporting = True  # the button stays: the keyboard would lose its place
        self.saved.value = screen.message([say("screen.plan.exporting", language)])

        def save(progress: Progress) -> tuple[Allocation, list[str]]:
            plan = maker.afresh(scenario, progress)
            names: list[str] = []
            if plan.status == "optimal":
                plan.save(folder, language, book=book)
                names = [book]
                if _is_adjusted(plan):
                    save_file(folder / form, adjustment(plan, language))
                    names.append(form)
            return plan, names

        def link(found: tuple[Allocation, list[str]]) -> None:
            plan, names = found
            self._is_exporting = False
            if not names:
                self.saved.value = screen.message(plan.explain(language), "stop")
                return
            links = [
                screen.download(
                    name,
                    (folder / name).read_bytes(),
                    say("screen.figure.download", language, name=name),
                )
                for name in names
            ]
            told = [say("screen.plan.saved", language, folder=folder)]
            now = replace(self._scenario(), name=scenario.name, notes=scenario.notes)
            if now != scenario:
                told.append(say("screen.plan.saved_before", language))
            kind = "" if now == scenario else "warn"
            self.saved.value = screen.message(told, kind) + "".join(links)

        self._exports.start(Step(save, link))


def _file_name(key: str, name: str, language: Language) -> str:
    """Return what a file of a scenario is called; what the name begins with is not said twice."""
    plain = plain_name(name)
    start, end = say(f"screen.plan.{key}", language, name="/").split("/")
    is_said = reference.plain(f"{plain}-").casefold().startswith(start)
    return f"{plain}{end}" if is_said else f"{start}{plain}{end}"


def _is_adjusted(plan: Allocation) -> bool:
    """Whether a plan has the form of an adjustment beside the workbook."""
    return plan.as_of is not None and bool((plan.cells["amount"] != plan.cells["baseline"]).any())
