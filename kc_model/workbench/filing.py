"""Saving what is on screen: as a scenario under a name, and as a proposal to print."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import ipywidgets

from kc_model.errors import KcError
from kc_model.export import fingerprint, save_file
from kc_model.projects import adjustment
from kc_model.results import Allocation
from kc_model.scenario import Scenario, scenario_yaml
from kc_model.wording import Language, say
from kc_model.workbench import screen
from kc_model.workbench.desk import explain_error
from kc_model.workbench.folders import new_folder, plain_name
from kc_model.workbench.making import Maker
from kc_model.workbench.newest import Newest, Progress, Step

__all__ = ["Filing"]

_BOOK = "allocation.xlsx"
_ADJUSTMENT = "dieu_chinh.xlsx"


class Filing(ipywidgets.HBox):  # type: ignore[misc]
    """A name, a button that saves the scenario under it, and one that exports the proposal.

    Parameters
    ----------
    scenario : callable () -> Scenario
        What is on screen, with the notes that say what was changed.
    maker : callable () -> Maker
        Makes its plan afresh.
    kept : callable (Path, Scenario) -> list of str
        Told what was saved; returns what else is to be said of it.
    lock : RLock
        Of the desk.

    Attributes
    ----------
    name, keep, export : Text, Button, Button
    saved : Text
        Where it went; the desk puts it elsewhere.
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
        lock: threading.RLock,
    ) -> None:
        self._scenario, self._maker, self._kept = scenario, maker, kept
        self._exports = Newest(self._failed, lock)
        self._language: Language = "vi"
        self._files: dict[Path, Mapping[str, str]] = {}
        self.folder: Path | None = None
        self.home = Path("phuong-an")
        self.name = ipywidgets.Text(layout={"width": "230px"}, style={"description_width": "40px"})
        self.keep = ipywidgets.Button()
        self.export = ipywidgets.Button(icon="download", button_style="primary", disabled=True)
        self.saved = screen.Text()
        super().__init__([self.name, self.keep, self.export])

    def words(self, placeholder: str, language: Language) -> None:
        """Show every text again, in this language."""
        self._language = language
        self.name.description, self.name.placeholder = (
            say("screen.keep.name", language),
            placeholder,
        )
        self.export.description = say("screen.plan.export", language)
        self.saved.value = ""

    def show(self, *, is_safe: bool) -> None:
        """Show whether what is on screen stands in a file."""
        key = "button" if is_safe else "unsaved"
        self.keep.description = say(f"screen.keep.{key}", self._language)
        self.keep.button_style = "" if is_safe else "warning"

    def opened(self, file: Path) -> None:
        """Let a file be saved again under its name: one that we wrote and nobody has changed."""
        if file.is_file() and file.read_bytes() == scenario_yaml(self._scenario()).encode():
            self._files[file] = fingerprint(file.parent, [file.name])

    def save(self) -> None:
        """Save the scenario under its name, never over somebody else's file; say where."""
        try:
            file, scenario = self._save()
        except (KcError, OSError) as error:
            self._failed(error)
            return
        told = self._kept(file, scenario)
        first = say("screen.keep.saved", self._language, file=file)
        self.saved.value = screen.message([first, *told])

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for an export; tell whether it came in time (seconds)."""
        return self._exports.wait(timeout)

    def _failed(self, error: Exception) -> None:
        self.export.disabled = False
        self.saved.value = screen.message(explain_error(error, self._language), "stop")

    def _save(self) -> tuple[Path, Scenario]:
        scenario = self._scenario()
        scenario = replace(scenario, name=self.name.value.strip() or scenario.name)
        file = self.home / f"{plain_name(scenario.name)}.yaml"
        expected = self._files.get(file, {file.name: ""})
        save_file(file, scenario_yaml(scenario).encode(), expected)
        self._files[file] = fingerprint(file.parent, [file.name])
        return file, scenario

    def start_export(self) -> None:
        """Solve afresh what is on screen (contract, section 6.1) and save the proposal."""
        scenario, maker, language = self._scenario(), self._maker(), self._language
        folder = self.folder or new_folder(scenario.name)
        self.export.disabled = True
        self.saved.value = screen.message([say("screen.plan.exporting", language)])

        def save(progress: Progress) -> tuple[Allocation, list[str]]:
            plan = maker.afresh(scenario, progress)
            names: list[str] = []
            if plan.status == "optimal":
                plan.save(folder, language)
                forms = dict(_forms(plan, language))
                for name, form in forms.items():
                    save_file(folder / name, form)
                names = [_BOOK, *forms]
            return plan, names

        def link(found: tuple[Allocation, list[str]]) -> None:
            plan, names = found
            self.export.disabled = False
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
            told = say("screen.plan.saved", language, folder=folder)
            self.saved.value = screen.message([told]) + "".join(links)

        self._exports.start(Step(save, link))


def _forms(plan: Allocation, language: Language) -> Iterator[tuple[str, bytes]]:
    """Yield the form of a mid-year adjustment; the assigned plan by project is in the workbook."""
    if plan.as_of is not None and (plan.cells["amount"] != plan.cells["baseline"]).any():
        yield _ADJUSTMENT, adjustment(plan, language)
