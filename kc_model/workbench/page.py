"""The planner's page: the three desks as tabs over one loaded dataset."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import ipywidgets

from kc_model.scenario import Scenario
from kc_model.tables import Dataset
from kc_model.wording import LANGUAGES, Language, retold, say
from kc_model.workbench import screen
from kc_model.workbench.datasets import Loaded
from kc_model.workbench.desk import Desk, language_switch
from kc_model.workbench.here import Here
from kc_model.workbench.loading import DataDesk
from kc_model.workbench.making import Maker
from kc_model.workbench.planning import PlanDesk
from kc_model.workbench.progress import ProgressDesk
from kc_model.workbench.starting import STARTERS, starters

__all__ = ["AppPage", "show_app"]

_TABS = ("progress", "plan", "data")
_GONE = ("server", "kernel", "unsaved")
_YIELDS, _SOON = 5.0, 0.05  # seconds
_AnyDesk = TypeVar("_AnyDesk", bound=Desk)


class AppPage(ipywidgets.VBox):  # type: ignore[misc]
    """The tabs "Tiến độ", "Phương án" and "Số liệu" over what the last of them has loaded.

    Parameters
    ----------
    folder : Path
        Where data are looked for.
    begun : (Loaded or None, Maker or None)
        The first dataset there, already read, and what makes its plans; None: it is waited for.
    here : Here or None
        Through which the browser asks before it closes; None: a new one.

    Attributes
    ----------
    data : DataDesk
    progress : ProgressDesk or None
        None: no data, or none with monthly progress.
    plans : dict of str to PlanDesk
        Those opened so far, by scenario.
    pick : Dropdown
        The scenarios to choose from.
    tabs : Tab
    alarm : Button
        On the other tabs, where there are faults: goes to those that "Số liệu" lists.
    tongues : ToggleButtons
    """

    def __init__(
        self,
        folder: Path,
        language: Language = "vi",
        *,
        begun: tuple[Loaded | None, Maker | None] = (None, None),
        here: Here | None = None,
    ) -> None:
        self._here = Here() if here is None else here
        before = self._here.before
        self.tongues = language_switch(before.get("language", language))
        self.progress: ProgressDesk | None = None
        self.plans: dict[str, PlanDesk] = {}
        self._loaded: Loaded | None = None
        self._opening = ""  # what is being read
        # By dataset and scenario: what was changed and not saved before it was read again.
        self._left: dict[Path, dict[str, tuple[Scenario, dict[str, Scenario]]]] = {}
        self._wants_plan = threading.Event()
        self._scenarios: dict[str, Scenario] = {}
        self._chosen: str | None = before.get("scenario")
        self._title, self._waits = screen.Text(), {key: screen.Text() for key in _TABS[:2]}
        self.pick = ipywidgets.Dropdown(layout=ipywidgets.Layout(width="520px"))
        self._rooms = {key: ipywidgets.VBox([self._waits[key]]) for key in _TABS[:2]}
        self.tabs = ipywidgets.Tab()
        self.alarm = ipywidgets.Button(icon="arrow-right", layout={"width": "auto"})
        self.alarm.on_click(lambda _button: self._show_faults())
        self._alarmed = screen.Text()
        alarm = screen.row(self._alarmed, self.alarm)
        top = ipywidgets.HBox(
            [self._title, self.tongues], layout=ipywidgets.Layout(justify_content="space-between")
        )
        super().__init__([top, alarm, self.tabs, *([self._here] if here is None else [])])
        self.add_class("kc-desk")
        self.add_class("kc-page")
        first, self._maker = begun
        self.data = self._placed(DataDesk(folder, self._language, first, before.get("data", "")))
        self.tabs.children = [*self._rooms.values(), self.data]
        self.tabs.selected_index = before.get("tab", 0)
        self.tongues.observe(self._switch, "value")
        self.pick.observe(self._choose, "value")
        self.tabs.observe(lambda _change: self._look(), "selected_index")
        self._words()
        self.data.wait()
        self.data.on_open, self.data.on_load = self._clear, self._take
        if self.data.loaded is not None:
            self._take(self.data.loaded)
        self._look()  # it may come back to the plan

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until every desk is at rest; tell whether that came true in time (seconds)."""
        return self.data.wait(timeout) and all(desk.wait(timeout) for desk in self._desks())

    def _desks(self) -> list[Desk]:
        progress = [] if self.progress is None else [self.progress]
        return [*progress, *self.plans.values()]

    # ------------------------------------------------------------------ one dataset for all

    def _clear(self, path: Path) -> None:
        """Put the desks away and say what is being opened: nothing of another may stand there."""
        old = self._desks()
        self.data.lost = ""
        self._leave()
        self._loaded, self._scenarios, self.progress, self.plans = None, {}, None, {}
        self._opening = path.name
        self._here.shown = {**self._here.shown, "data": str(path)}  # also while it is read
        self._words()
        for key, room in self._rooms.items():
            room.children = [self._waits[key]]
        for desk in old:
            desk.close()

    def _take(self, loaded: Loaded) -> None:
        """Put a dataset on the desks that were cleared for it."""
        data = loaded.data
        self._loaded, self._opening = loaded, ""
        if data is not None:
            self._scenarios = {**loaded.scenarios, **starters(data)}
            self._scenarios.update(self._orphans(self._left.get(loaded.path, {})))
        if data is not None and not data.history.empty:
            year, month = _newest(data)
            self.progress = self._placed(ProgressDesk(data, year, month, language=self._language))
            self.progress.work.give_way = self._turn_of_progress
            self._rooms["progress"].children = [self.progress]
        self._words()
        self._offer(self._chosen)

    def _leave(self) -> None:
        """Remember what is in no file before the desks are put away."""
        if self._loaded is None:
            return
        self._chosen = self.pick.value
        left = self._left.setdefault(self._loaded.path, {})
        for key, desk in self.plans.items():
            if unsaved := desk.unsaved():
                left[key] = desk.scenario, unsaved

    def _orphans(
        self, left: dict[str, tuple[Scenario, dict[str, Scenario]]]
    ) -> dict[str, Scenario]:
        """Return as scenarios of their own what no desk can go on with, kept ones among it."""
        found = {}
        for key, (base, unsaved) in left.items():
            for name, scenario in unsaved.items():
                if name or self._scenarios.get(key) != base:
                    title = name or scenario.name
                    found[f"{key}/{title}"] = replace(scenario, name=title)
        return found

    def _placed(self, desk: _AnyDesk) -> _AnyDesk:
        desk.tongues.layout.display = "none"
        return desk

    def _offer(self, chosen: str | None = None) -> None:
        """Offer the scenarios and open one, or the first of them; none while another is opened."""
        options = [(self._named(key), key) for key in self._scenarios]
        self.pick.unobserve(self._choose, "value")
        self.pick.options = options
        first = next(iter(self._scenarios), None)
        self.pick.value = chosen if chosen in self._scenarios else first
        self.pick.observe(self._choose, "value")
        self._open(self.pick.value)

    def _kept(self, file: Path, scenario: Scenario) -> None:
        """Offer a scenario that was just saved, and go on from it with the desk on screen."""
        self._scenarios[file.name] = scenario
        if self.pick.value in self.plans:
            self.plans[file.name] = self.plans.pop(self.pick.value)
        self._offer(file.name)

    def _named(self, key: str) -> str:
        name = retold(self._scenarios[key].name, self._language)
        if key in STARTERS:
            which = "next" if key else "starter"
            return say(f"screen.page.{which}", self._language)
        if "/" in key:  # not a file's name
            return say("screen.page.unsaved", self._language, name=name)
        return f"{name} ({key})"

    def _choose(self, change: Any) -> None:
        self._open(change["new"])

    def _open(self, key: str | None) -> None:
        if key is None or self._loaded is None or self._loaded.data is None:
            self._rooms["plan"].children = [self._waits["plan"]]
            return
        if key not in self.plans:
            scenario = self._scenarios[key]
            data, maker, self._maker = self._loaded.data, self._maker, None
            known = maker is not None and maker.data is data and maker.as_of == scenario.as_of
            desk = PlanDesk(
                data,
                scenario,
                language=self._language,
                after=self._turn_of_plan,
                maker=maker if known else None,
            )
            path = self._loaded.path
            desk.filing.home = self._loaded.home
            desk.filing.opened(desk.filing.home / key)
            desk.on_keep = self._kept
            desk.on_change = self._changed
            self.plans[key] = self._placed(desk)
            base, unsaved = self._left.get(path, {}).pop(key, (None, {}))
            if base == scenario and "" in unsaved:
                desk.resume(unsaved[""])
        for other in self.plans.values():
            if other is not self.plans[key] and other.comparing.kept:
                self.plans[key].comparing.take_over(other.comparing)
        self._rooms["plan"].children = [self.pick, self.plans[key]]
        self._remember()

    def _turn_of_plan(self) -> None:
        """Wait until what stands in front of the plan is done, or the plan does."""
        front = self.progress
        while not (front is None or self._wants_plan.wait(0.1) or front.wait(0)):
            pass

    def _turn_of_progress(self) -> None:
        """Let the first plan go before, where it is what is looked at; not one that takes long."""
        until = time.monotonic() + _YIELDS
        while self._wants_plan.is_set() and time.monotonic() < until:
            desk = self.plans.get(self.pick.value)
            if desk is None or desk.plan is not None or desk.wait(0):
                break
            time.sleep(_SOON)

    def _look(self) -> None:
        if self.tabs.selected_index == _TABS.index("plan"):
            self._wants_plan.set()
        self._warn()
        self._remember()

    def _remember(self) -> None:
        """Let the browser know what to come back to where the page is loaded again."""
        if self._loaded is None:  # still being read
            return
        self._here.shown = {
            "data": str(self._loaded.path),
            "tab": self.tabs.selected_index,
            "scenario": self.pick.value,
            "language": self._language,
        }

    def _show_faults(self) -> None:
        self.tabs.selected_index = _TABS.index("data")

    def _warn(self) -> None:
        """Say on the other tabs that there are faults, and offer the way to them."""
        loaded = self._loaded
        is_needed = (
            loaded is not None
            and loaded.errors > 0
            and self.tabs.selected_index != _TABS.index("data")
        )
        told = self.data.told(loaded)[:1] if loaded is not None and is_needed else []
        if loaded is not None and (lost := self.data.lost):
            opened = say("screen.page.lost", self._language, name=lost, now=loaded.path.name)
            told.insert(0, opened)
        self._alarmed.value = screen.message(told, "stop")
        self.alarm.layout.display = "" if is_needed else "none"

    def _changed(self) -> None:
        """Let the browser ask before it closes over something that is not saved."""
        self._here.unsaved = any(desk.unsaved() for desk in self.plans.values())

    # ------------------------------------------------------------------ words

    @property
    def _language(self) -> Language:
        return LANGUAGES[LANGUAGES.index(self.tongues.value)]

    def _switch(self, _change: Any) -> None:
        for desk in (self.data, *self._desks()):
            desk.tongues.value = self._language
        if self.pick.options:
            self._offer(self.pick.value)
        self._words()
        self._remember()

    def _words(self) -> None:
        language = self._language
        title = say("screen.page.title", language)
        self._title.value = f"{screen.style()}<h1>{title}</h1>"
        self._here.language = language
        self._here.gone = {key: say(f"screen.page.gone.{key}", language) for key in _GONE}
        self.tabs.titles = [say(f"screen.page.tabs.{key}", language) for key in _TABS]
        self.pick.description = say("screen.page.scenario", language)
        loaded = self._loaded
        for key, text in self._waits.items():
            if self._opening:
                told = say("screen.page.opening_data", language, name=self._opening)
            elif loaded is None or loaded.data is None:
                told = say("screen.page.no_data", language)
            else:
                sheet, again = (
                    say("headings.sheets.history", language),
                    self.data.again_of(loaded.path),
                )
                which = "no_history" if key == "progress" else "no_scenario"
                told = say(f"screen.page.{which}", language, sheet=sheet, again=again)
            text.value = screen.message([told])
        self.alarm.description = say("screen.page.faults", language)
        self._warn()


def show_app(folder: str | Path = ".", language: Language = "vi") -> AppPage:
    """Return the planner's page; parameters as for `AppPage`."""
    return AppPage(Path(folder).resolve(), language)


def _newest(data: Dataset) -> tuple[int, int]:
    """Return the newest year with figures and its last month; 12 for the settlement too."""
    year = int(data.history["year"].max())
    months = data.history.loc[data.history["year"] == year, "month"]
    return year, min(12, int(months.max()))
