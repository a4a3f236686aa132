"""The desk "Phương án": sliders and tables in front of an allocation that follows them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import ipywidgets
import pandas as pd

from kc_model.results import Allocation, Forecast
from kc_model.scenario import Scenario
from kc_model.tables import Dataset
from kc_model.wording import Language, retold, say
from kc_model.words import Words
from kc_model.workbench import screen
from kc_model.workbench.adjusting import Adjusting, at_month
from kc_model.workbench.choosing import Choosing
from kc_model.workbench.comparing import Comparing, Kept
from kc_model.workbench.datasets import data_of, scenario_of
from kc_model.workbench.deciding import decide
from kc_model.workbench.desk import FiguresDesk
from kc_model.workbench.filing import Filing
from kc_model.workbench.filling import Filling
from kc_model.workbench.following import Following, Pending
from kc_model.workbench.making import Maker
from kc_model.workbench.marking import mark, month_label
from kc_model.workbench.mending import Mending, Steps, mended
from kc_model.workbench.outcome import HeatMap, Outcome, warned
from kc_model.workbench.past import Past, Stand
from kc_model.workbench.steering import Steering
from kc_model.workbench.trading import Trading

__all__ = ["PlanDesk", "show_plan"]


class PlanDesk(FiguresDesk):
    """Shows the plan of a scenario and, as sliders move and cells are filled in, of what they say.

    Sliders, tables and boxes to tick are views of one scenario; the last 20 changes of any can be
    undone (`kc_model.workbench.past`). Plans follow every move (`kc_model.workbench.following`).
    Where the laws contradict each other, the last plan turns grey and the conflict stands above it.

    Parameters
    ----------
    scenario : Scenario
        Its month says whether it adjusts a year; planners can switch that.
    outlook
        As for `kc_model.allocate.allocate`; it serves only the scenario's own month.
    sliders : sequence of str or None
        Rules (by id) whose bounds get a slider beside the total's; those of the other rules lie in
        a fold. None: the directives.
    after : callable () or None
        Waited for before this desk begins.
    maker : Maker or None
        Makes the plans, of these data and the scenario's month; None: a new one.

    Attributes
    ----------
    plan : Allocation or None
        The newest result, whatever its status.
    sliders : dict of str to Slider
        By `Lever.key` (``total``, ``tech-share:min``); their values are the scenario's own numbers.
    edit : ToggleButton
        Opens the tables.
    undo, redo, reset : Button
    pressed : Keys
        Undo and redo by keyboard, wherever the cursor stands.
    view : Dropdown
        What the charts are by.
    steering, filling, choosing, following, adjusting, mending, outcome, heat, comparing
        What it is put together from, each told of at its class; trading and filing too.
    grids, shares, changes, losers, findings, name, keep, export, saved
        Parts of these.
    on_keep : callable (Path, Scenario)
        Told of every scenario saved.
    on_change : callable ()
        Told of every change, made or saved.
    """

    def __init__(
        self,
        data: Dataset,
        scenario: Scenario,
        outlook: Forecast | None = None,
        *,
        sliders: Sequence[str] | None = None,
        language: Language = "vi",
        after: Callable[[], None] | None = None,
        maker: Maker | None = None,
    ) -> None:
        super().__init__(data, language)
        self.scenario, self.outlook = scenario, outlook
        self._base = Stand(scenario, data)  # what kept scenarios stand beside
        self._past = Past(self._base)
        self.following = Following(self, maker or Maker(data, outlook, scenario.as_of), after)
        self.plan: Allocation | None = None
        self._drawn: Allocation | None = None  # the last one that is a plan
        self._pending: Pending = ""  # of the plan
        self.on_keep: Callable[[Path, Scenario], None] = lambda _path, _scenario: None
        self.on_change: Callable[[], None] = lambda: None
        self.steering = Steering(scenario, data, sliders, self._watch, self._change)
        self._build()
        self._arrange()
        self._words()
        self._solve()

    # ------------------------------------------------------------------ controls

    def _build(self) -> None:
        lock = self.work.lock
        narrow = ipywidgets.Layout(width="auto")
        self.view = ipywidgets.Dropdown(options=[("", "area")])
        self.reset = ipywidgets.Button(layout=narrow)
        self.view.layout.display = "none"  # until there is a plan to look at
        self.undo = ipywidgets.Button(icon="undo", layout=narrow)
        self.redo = ipywidgets.Button(icon="repeat", layout=narrow)
        self.undo.add_class("kc-undo")
        self.pressed = screen.Keys(self._guarding(self.undo_last), self._guarding(self.redo_last))
        self.edit = ipywidgets.ToggleButton(layout=narrow)
        self.filling = Filling(self)
        self.outcome, self.heat = Outcome(self.view, lock), HeatMap(lock)
        self.choosing = Choosing(self._decide, self._switch_list)
        self.adjusting = Adjusting(self._switch_month, self._take_adjusted)
        self.mending = Mending(self._mend)
        self.comparing = Comparing(self._kept_now, self._take, lock)
        self.trading = Trading(self._traded, self.scenario, self._change, lock)
        files = self.scenario_now, self._maker, self._kept, self._refused, self.go
        self.filing = Filing(*files, lock)
        parts = [self.comparing, self.trading, self.heat]
        self._more = ipywidgets.Accordion(parts, selected_index=None)
        self._when(self._more, lambda at: self.heat.look(is_open=at == 2), "selected_index")
        self._when(self.view, lambda _view: self._draw())
        self._when(self.edit, self._open_tables)
        self._on_click(self.reset, lambda: self._go(self._past.loaded))
        self._on_click(self.undo, self.undo_last)
        self._on_click(self.redo, self.redo_last)
        self._on_click(self.filing.keep, self.filing.save)
        self._on_click(self.filing.copy, self.filing.duplicate)
        acts = self.filing.duplicate, self.filing.take_theirs, self.filing.save_over
        for button, act in zip(self.filing.ways.values(), acts, strict=True):
            self._on_click(button, act)
        self._on_click(self.filing.export, self.filing.start_export)
        self._open_tables(is_open=False)
        # What programs and tests reach for, wherever it stands.
        self.grids, self.saved = self.filling.grids, self.filing.saved
        self.name, self.keep, self.export = self.filing.name, self.filing.keep, self.filing.export
        self.shares, self.changes = self.outcome.shares, self.outcome.changes
        self.losers, self.findings = self.outcome.losers, self.outcome.findings

    @property
    def sliders(self) -> Mapping[str, screen.Slider]:
        """By `Lever.key`: those there are now."""
        return self.steering.sliders

    def _watch(self, slider: screen.Slider) -> None:
        self._when(slider, lambda _index: self._solve(), "index")

    def _arrange(self) -> None:
        """Lay out: what says the scenario, then what comes of it."""
        projects = [self.choosing] if len(self.data.projects) else []
        choice = [screen.row(self.following.solving, self.choosing.told)] if projects else []
        views = [self.view, *([self.choosing.by_list] if projects else [])]
        steps = [self.edit, self.undo, self.redo, self.reset, self.pressed]
        self._lay_out(
            self.steering,
            screen.row(*steps, self.adjusting.month, self.steering.rounding),
            screen.row(self.filing, *views),
            self.filing.told,
            self.filling,
            self.mending,
            self.status,
            self.following.pricing,
            self.outcome.losers,
            self.adjusting.told,
            *choice,
            self.outcome,
            self.adjusting,
            *projects,
            self._more,
        )

    def _open_tables(self, is_open: bool) -> None:
        self.filling.unfold(is_open=is_open)

    # ------------------------------------------------------------------ changes

    def now(self) -> Scenario:
        """Return what sliders and tables say."""
        return self.steering.now()

    def go(self, scenario: Scenario) -> None:
        """Go to a scenario, as one change that can be undone."""
        self._go(Stand(scenario, self.data))

    def guarded(self, act: Callable[[], None]) -> None:
        """Do something for the planner, alone on the screen; what goes wrong becomes a message."""
        with self.work.lock:
            self._guarded(lambda _none: act(), None)

    def undo_last(self) -> None:
        """Take the last change back; what was refused is the last, as it changed nothing yet."""
        if self.filling.refused:
            self.filling.refused = {}
            self.filing.outdate()
            self._fill()
        else:
            self._stand_at(self._past.back())
            self._solve()
        self.filling.announce(self.say("edit.undone"))

    def redo_last(self) -> None:
        """Make the change again that was taken back last."""
        if self._past.can_redo:
            self._stand_at(self._past.forth())
            self._solve()
            self.filling.announce(self.say("edit.redone"))

    def _guarding(self, act: Callable[[], None]) -> Callable[[], None]:
        return lambda: self.guarded(act)

    def _go(self, stand: Stand) -> None:
        self._past.go(stand)
        self._stand_at(stand)
        self._solve()

    def _mend(self, steps: Steps) -> None:
        """Take a way out of a contradiction."""
        self.guarded(lambda: self._go(Stand(*mended(self.now(), self.data, steps))))

    def _take(self, kept: Kept) -> None:
        """Put a scenario that was kept on the screen again."""
        self.guarded(lambda: self._go(Stand(kept.scenario, kept.data)))

    def _change(self, **parts: Any) -> None:
        """Go to what is on screen with other parts, as one change that can be undone."""
        self.guarded(lambda: self.go(replace(self.now(), **parts)))

    def _take_adjusted(self, wanted: Scenario) -> None:
        self._change(rules=wanted.rules, goals=wanted.goals)

    def _decide(self, project: str, choice: str) -> None:
        """Force a project in or out."""
        name = self.choosing.name_of(project)
        self.guarded(lambda: self.go(decide(self.now(), project, name, choice)))

    def _switch_list(self, is_on: bool) -> None:
        if is_on != (self._past.here.scenario.projects != "ignore"):
            projects = "" if is_on else "ignore"
            self._change(projects=projects)

    def _switch_month(self, month: int | None) -> None:
        self.guarded(lambda: self._go_to_month(month))

    def _go_to_month(self, month: int | None) -> None:
        """Go to a month of the year, or to all of it; say what changes beside."""
        wanted, told = at_month(self.now(), self.data, month, self.language)
        self.go(wanted)
        if told:
            self.filing.saved.value = screen.message(told)

    def _traded(self) -> Allocation | None:
        return None if self.plan is None else self._asked(self.plan)

    def _asked(self, plan: Allocation) -> Allocation:
        """Return a plan under the goals on screen: one that is there at once has others."""
        goals = self._past.here.scenario.goals
        return replace(plan, scenario=replace(plan.scenario, goals=goals))

    def _kept_now(self) -> Kept | None:
        """Return what is on screen, to be kept beside the base; None: no plan."""
        plan = self.plan
        if plan is None or plan.status != "optimal" or plan.scenario != self.scenario_now():
            return None
        return Kept(plan.scenario_name, self._past.here.scenario, self.data, plan)

    def _stand_at(self, stand: Stand) -> None:
        """Let sliders, tables and planner start from a scenario and data."""
        month = stand.scenario.as_of
        if stand.data is not self.data or month != self.following.maker.as_of:
            self.data = stand.data
            outlook = self.outlook if month == self._base.scenario.as_of else None
            self.following.maker = Maker(stand.data, outlook, month)
        self.filling.refused = {}
        with self._quiet():
            self.steering.stand_at(stand.scenario, self.data, self.language)

    @property
    def as_of(self) -> int | None:
        """Last month known of what is on screen; None: a plan for the whole year."""
        return self._past.here.scenario.as_of

    def unsaved(self) -> dict[str, Scenario]:
        """Return by name what is on screen and kept beside it, as far as it is in no file."""
        kept = {one.name: one.plan.scenario for one in self.comparing.kept}
        return {**kept, **({"": self._past.here.scenario} if self._past.is_unsaved else {})}

    def resume(self, scenario: Scenario) -> None:
        """Go on with changes made before the data were read again; they can be undone."""
        with self.work.lock:
            self.go(scenario)

    # ------------------------------------------------------------------ words

    def _fill(self) -> None:
        """Show in tables and buttons what the screen stands at."""
        cells = pd.DataFrame() if self._drawn is None else self._drawn.cells
        self.filling.show(self._past.here.scenario, cells)
        self.adjusting.stand_at(self.data, self._past.here.scenario, self.language)
        self.choosing.stand_at(self._past.here.scenario, self.language)
        self.undo.disabled = not (self._past or self.filling.refused)
        self.redo.disabled = not self._past.can_redo
        month = month_label(self._past.here.scenario, self.language)
        name, year = retold(self.scenario.name, self.language), self.scenario.year
        self.title.value = screen.heading(
            name if str(year) in name else self.say("plan.title", name=name, year=year),
            f"{month[:1].upper()}{month[1:]}. {self.data.called}",
        )
        self.filing.show(self.scenario.name, is_safe=not self._past.is_unsaved)
        self.on_change()

    def _words(self) -> None:
        self.steering.words(self.language)
        self.edit.description = self.edit.tooltip = self.say("edit.title")
        self.undo.description, self.redo.description = self.say("edit.undo"), self.say("edit.redo")
        self.reset.description, self.view.description = self.say("reset"), self.say("view")
        self.filing.words(self.language)
        self.following.words(self.language)
        for number, name in enumerate(("comparing", "trading", "heat")):
            self._more.set_title(number, self.say(f"{name}.title"))
            getattr(self, name).words(self.language)
        self._fill()
        self._show_status()
        self._draw()

    # ------------------------------------------------------------------ solving

    def scenario_now(self) -> Scenario:
        """Return what is on screen, with the notes that say what was changed."""
        return mark(self.scenario, self.now(), self.data)

    def _solve(self) -> None:
        """Follow what sliders, tables and boxes say now."""
        self._past.go(Stand(self.now(), self.data))
        self.filing.outdate()
        self.filling.announce()
        self.steering.label(self.language)
        self.following.start()
        self._fill()
        if self.as_of is not None:
            self.adjusting.wait_for(self.language)

    def grey(self, *, is_stopped: bool = False) -> None:
        """Let what is shown be no longer true: the next plan takes its time, or was stopped."""
        self.status.value = ""
        if is_stopped:
            self.adjusting.hide()
        self.filing.allow(is_plan=False)
        self.outcome.grey(is_blank=False)

    def _failed(self, error: Exception) -> None:
        super()._failed(error)
        self.adjusting.hide()
        self.outcome.grey(is_blank=False)
        self.filing.allow(is_plan=False)

    def show_total(self, plan: Allocation) -> None:
        """Take a plan that was made, and show at once what is looked at first; the rest is old."""
        self._begin(plan)
        if plan.status == "optimal":
            self.outcome.outdate()

    def _begin(self, plan: Allocation) -> None:
        """Take a plan that was made, and show what is looked at first."""
        plan = self.plan = self._called_now(plan)
        if plan.status != "optimal":
            return
        is_first, self._drawn = self._drawn is None, plan
        self._keep_base(plan)
        with self._quiet():
            self.outcome.offer(plan, self.language)
        self.view.layout.display = ""
        self.outcome.show_total(plan, self.language)
        if is_first:
            self._fill()

    def show(self, plan: Allocation, pending: Pending = "") -> None:
        """Show a plan that was made; what is pending of it follows."""
        self._begin(plan)
        self._pending = pending if plan.status == "optimal" else ""
        self._draw()
        self._show_status()

    def _called_now(self, plan: Allocation) -> Allocation:
        """Return a plan under the name that it was saved by since it was begun."""
        now = self.scenario_now()
        is_same = replace(plan.scenario, name=now.name, notes=now.notes) == now
        return replace(plan, scenario=now) if is_same and plan.scenario != now else plan

    def _keep_base(self, plan: Allocation) -> None:
        """Let the plan of the scenario as it was opened be what others stand beside."""
        base = self._base
        if plan.scenario == base.scenario and self.data is base.data:
            name = say("screen.comparing.base", self.language, name=base.scenario.name)
            self.comparing.start_from(Kept(name, base.scenario, base.data, plan))

    # ------------------------------------------------------------------ showing

    def _show_status(self) -> None:
        plan = self.plan
        if plan is None:
            return
        unable = self.filing.allow(is_plan=plan.status == "optimal")
        self.mending.show(plan if plan.conflicts else None, self.language)
        self.comparing.refresh()
        self.trading.stand_at(self._asked(plan))
        if len(plan.data.projects):
            self.choosing.show(plan, self._past.here.scenario, self.language)
        if plan.status != "optimal":
            old = [self.say("plan.grey")] if self._drawn is not None else []
            first, more = warned(plan, self.language)
            told = [] if plan.conflicts else [*plan.explain(self.language), *first, *more]
            self.status.value = screen.message([*told, unable, *old], "stop")
            return
        first, more = warned(plan, self.language)
        told = [self._pending_told()] if self._pending else []
        if self._pending not in ("moves", "apart"):  # else it is the best by other goals
            key = ("proven" if plan.is_exact else "found") if plan.goals else "nearest"
            gap = Words.of(plan, self.language).percent(plan.gap or 0.0, 3)
            told = [self.say(f"plan.{key}", count=plan.certificate["rows_checked"], gap=gap), *told]
        beside = screen.message(first, "warn", more)
        self.status.value = screen.message([" ".join(told)]) + beside

    def _pending_told(self) -> str:
        return self.say(f"plan.pending.{self._pending}") if self._pending else ""

    def _draw(self) -> None:
        """Show the last plan that there is, grey if the sliders are no longer at it."""
        plan, is_plan = self._drawn, self.plan is not None and self.plan.status == "optimal"
        if plan is None or not is_plan:
            if self.plan is not None:
                self.adjusting.hide()
            self._standing((*self.data.notes, *self.scenario.notes))
            self.outcome.grey(is_blank=True)
            return
        with self._quiet():
            self.outcome.offer(plan, self.language)
        warnings = self._new(plan.warnings)
        self.outcome.show(plan, warnings, self.language, self._pending_told())
        self.heat.show(plan)
        if plan.as_of is not None and plan.as_of == self.as_of:
            if self._pending not in ("", "apart"):
                self.adjusting.wait_for(self.language)
            else:
                self.adjusting.show(plan, self._past.here.scenario, self.language)
        self._standing(plan.notes)

    # ------------------------------------------------------------------ files

    def _maker(self) -> Maker:
        return self.following.maker

    def _refused(self) -> list[str]:
        """Say what was refused and still stands in a table, and open the tables where it does."""
        self.edit.value |= bool(told := self.filling.standing())
        return told

    def _kept(self, file: Path, scenario: Scenario) -> list[str]:
        """Stand on the scenario that was saved; return what its file does not hold."""
        self.scenario = scenario
        self._past.rest(scenario)
        with self._quiet():
            self.steering.stand_at(scenario, self.data, self.language)
        if self.plan is not None and self._called_now(self.plan) is not self.plan:
            self.show(self.plan, self._pending)
        self._fill()
        self.comparing.saved(scenario)
        moved = [note for note in self.data.notes if note not in self._past.loaded.data.notes]
        self.on_keep(file, scenario)
        return [self.say("mending.in_data", what=self._note(note)) for note in moved]

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for all that runs; tell whether it came in time."""
        parts = (self.following, self.filing, self.outcome, self.heat, self.comparing, self.trading)
        return super().wait(timeout) and all(part.wait(timeout) for part in parts)


def show_plan(
    data: Dataset | str,
    scenario: Scenario | str,
    outlook: Forecast | None = None,
    *,
    sliders: Sequence[str] | None = None,
    language: Language = "vi",
) -> PlanDesk:
    """Return the desk "Phương án" of data and a scenario, or of their files; as `PlanDesk`."""
    data, scenario = data_of(data), scenario_of(scenario)
    return PlanDesk(data, scenario, outlook, sliders=sliders, language=language)
