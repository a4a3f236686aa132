"""The desk "Phương án": sliders and tables in front of an allocation that follows them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import ipywidgets
import pandas as pd

from kc_model.allocate.choice import gap_told
from kc_model.money import format_number
from kc_model.results import Allocation, Forecast
from kc_model.scenario import Goal, Rule, Scenario
from kc_model.tables import Dataset
from kc_model.wording import Language, say
from kc_model.workbench import screen
from kc_model.workbench.adjusting import Adjusting
from kc_model.workbench.choosing import Choosing
from kc_model.workbench.comparing import Comparing, Kept
from kc_model.workbench.deciding import decide
from kc_model.workbench.desk import FiguresDesk, explain_error
from kc_model.workbench.errand import Aside, Errand
from kc_model.workbench.filing import Filing
from kc_model.workbench.filling import Filling
from kc_model.workbench.levers import mark
from kc_model.workbench.making import Maker
from kc_model.workbench.mending import Mending, Steps, mended
from kc_model.workbench.newest import Newest, Progress, Step
from kc_model.workbench.outcome import HeatMap, Outcome
from kc_model.workbench.steering import Steering
from kc_model.workbench.trading import Trading

__all__ = ["PlanDesk", "show_plan"]

_UNDO = 20
_PATIENCE = 2.0  # seconds after which it is said how long prices still take
_BREATH = 0.005  # seconds in which a total goes out before the rest is worked out
_CALM = 0.3  # seconds without a move before prices are worked out


class _Stand(NamedTuple):
    """What the screen stands at: a change of any of it can be undone."""

    scenario: Scenario
    data: Dataset
    as_of: int | None


class PlanDesk(FiguresDesk):
    """Shows the plan of a scenario and, as sliders move and cells are filled in, of what they say.

    Sliders, tables and boxes to tick are views of one scenario; the last 20 changes of any can be
    undone. Amounts follow every move; prices, and what the goals leave open, follow when it is
    calm. Choosing projects takes longer: it shows how far it is and can be stopped. A result that a
    newer move has overtaken is dropped. Where the laws contradict each other, the last plan turns
    grey and the conflict stands above it.

    Parameters
    ----------
    data : Dataset
    scenario : Scenario
    outlook, as_of
        As for `kc_model.allocate.allocate`; an outlook serves only the month it was given with.
    sliders : sequence of str or None
        Rules (by id) whose bounds get a slider beside the total's; those of the other rules lie in
        a fold. None: the directives.
    language : {"vi", "en"}
    after : callable () or None
        Waited for before this desk begins.
    maker : Maker or None
        Makes the plans, of these data and month; None: a new one.

    Attributes
    ----------
    plan : Allocation or None
        The newest result, whatever its status.
    steering : Steering
        The sliders.
    sliders : dict of str to Slider
        By `Lever.key` (``total``, ``tech-share:min``); their values are the scenario's own numbers.
    edit : ToggleButton
        Opens the tables.
    filling : Filling
        Budgets and rules, to be filled in, added and removed.
    undo, reset : Button
    view : Dropdown
        What the charts are by.
    outcome : Outcome
        Who loses first, charts, what it means.
    heat : HeatMap
    choosing : Choosing
        The projects.
    pricing : Aside
        How far prices are, where they take their time.
    solving : Errand
        Chooses projects.
    adjusting : Adjusting
        The month, and what moves.
    mending : Mending
        Where the laws contradict each other: why, and what mends it.
    comparing : Comparing
        Scenarios kept beside the base.
    trading : Trading
        What goals cost each other.
    filing : Filing
        Saves the scenario, exports the proposal.
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
        as_of: int | None = None,
        sliders: Sequence[str] | None = None,
        language: Language = "vi",
        after: Callable[[], None] | None = None,
        maker: Maker | None = None,
    ) -> None:
        super().__init__(data, language)
        self.scenario, self.outlook, self.as_of = scenario, outlook, as_of
        self._loaded = _Stand(scenario, data, as_of)
        self._maker = maker or Maker(data, outlook, as_of)
        self.plan: Allocation | None = None
        self._drawn: Allocation | None = None  # the last one that is a plan
        self._after = after
        self._exports = Newest(self._export_failed, self.work.lock)
        self._stands = self._safe = scenario  # what is on screen, what is safe in a file
        self._past: deque[_Stand] = deque(maxlen=_UNDO)
        self.on_keep: Callable[[Path, Scenario], None] = lambda _path, _scenario: None
        self.on_change: Callable[[], None] = lambda: None
        self.steering = Steering(scenario, data.unit, sliders, self._watch)
        self._build()
        self._arrange()
        self._words()
        self._solve()

    # ------------------------------------------------------------------ controls

    def _build(self) -> None:
        """Make what stands on the desk."""
        lock = self.work.lock
        narrow = ipywidgets.Layout(width="auto")
        self.view = ipywidgets.Dropdown(options=[("", "area")])
        self.reset = ipywidgets.Button(layout=narrow)
        self.undo = ipywidgets.Button(icon="undo", layout=narrow)
        self.edit = ipywidgets.ToggleButton(layout=narrow)
        self.filling = Filling(self)
        self.outcome, self.heat = Outcome(self.view, lock), HeatMap(lock)
        undo = self._guarding(self.undo_last)
        self.choosing = Choosing(self._decide, undo)
        self.pricing = Aside(lock, _PATIENCE)
        self.solving = Errand(self._begin_choice, self._show, lock)
        self.adjusting = Adjusting(self._switch_month, self._take_rules, undo)
        self.mending = Mending(self._mend)
        self.comparing = Comparing(self._kept_now, self._take, lock)
        self.trading = Trading(lambda: self.plan, self.scenario, self._take_goals, lock)
        self.filing = Filing(self._scenario, lambda: self._maker, self._exports)
        parts = [self.comparing, self.trading, self.heat]
        self._more = ipywidgets.Accordion(parts, selected_index=None)
        self._when(self._more, lambda at: self.heat.look(is_open=at == 2), "selected_index")
        self._when(self.view, lambda _view: self._draw())
        self._when(self.edit, self._open_tables)
        self._on_click(self.reset, lambda: self._go(self._loaded))
        self._on_click(self.undo, self.undo_last)
        self._on_click(self.filing.keep, self._keep)
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
        choice = [screen.row(self.solving, self.choosing.told)] if projects else []
        self._lay_out(
            self.steering,
            screen.row(self.edit, self.undo, self.reset, self.filing),
            screen.row(self.adjusting.month, self.view),
            self.filling,
            self.filing.saved,
            self.status,
            self.mending,
            self.pricing,
            self.outcome.losers,
            *choice,
            *projects,
            self.adjusting,
            self.outcome,
            self._more,
        )

    def _open_tables(self, is_open: bool) -> None:
        self.filling.layout.display = "" if is_open else "none"
        if is_open:
            self._fill()

    # ------------------------------------------------------------------ changes

    def now(self) -> Scenario:
        """Return what sliders and tables say."""
        return self.steering.now()

    def go(self, scenario: Scenario) -> None:
        """Go to a scenario, as one change that can be undone."""
        self._go(_Stand(scenario, self.data, self.as_of))

    def guarded(self, act: Callable[[], None]) -> None:
        """Do something for the planner, alone on the screen; what goes wrong becomes a message."""
        with self.work.lock:
            self._guarded(lambda _none: act(), None)

    def undo_last(self) -> None:
        """Take the last change back."""
        self.filling.refused = {}
        if self._past:
            self._stand_at(self._past.pop())
        self._solve()
        self.filling.announce(self.say("edit.undone"))

    def _guarding(self, act: Callable[[], None]) -> Callable[[], None]:
        return lambda: self.guarded(act)

    def _here(self) -> _Stand:
        return _Stand(self._stands, self.data, self.as_of)

    def _go(self, stand: _Stand) -> None:
        here = self._here()
        if (stand.scenario, id(stand.data), stand.as_of) != (here[0], id(here[1]), here[2]):
            self._past.append(here)
        self._stand_at(stand)
        self._solve()

    def _mend(self, steps: Steps) -> None:
        """Take a way out of a contradiction."""
        self.guarded(lambda: self._go(_Stand(*mended(self.now(), self.data, steps), self.as_of)))

    def _take(self, kept: Kept) -> None:
        """Put a scenario that was kept on the screen again."""
        self.guarded(lambda: self._go(_Stand(kept.scenario, kept.data, kept.plan.as_of)))

    def _take_goals(self, goals: tuple[Goal, ...]) -> None:
        self.guarded(lambda: self.go(replace(self.now(), goals=goals)))

    def _take_rules(self, rules: tuple[Rule, ...]) -> None:
        self.guarded(lambda: self.go(replace(self.now(), rules=rules)))

    def _decide(self, project: str, choice: str) -> None:
        """Force a project in or out."""
        name = self.choosing.name_of(project)
        self.guarded(lambda: self.go(decide(self.now(), project, name, choice)))

    def _switch_month(self, month: int | None) -> None:
        self.guarded(lambda: self._go(_Stand(self.now(), self.data, month)))

    def _kept_now(self) -> Kept | None:
        """Return what is on screen, to be kept beside the base; None: no plan."""
        plan = self.plan
        if plan is None or plan.status != "optimal" or plan.scenario != self._scenario():
            return None
        return Kept(plan.scenario_name, self._stands, self.data, plan)

    def _stand_at(self, stand: _Stand) -> None:
        """Let sliders, tables and planner start from a scenario, data and month."""
        if stand.data is not self.data or stand.as_of != self.as_of:
            self.data, self.as_of = stand.data, stand.as_of
            outlook = self.outlook if self.as_of == self._loaded.as_of else None
            self._maker = Maker(self.data, outlook, self.as_of)
        self._stands = stand.scenario
        self.filling.refused = {}
        with self._quiet():
            self.steering.stand_at(stand.scenario, self.data.unit, self.language)

    @property
    def is_unsaved(self) -> bool:
        """Whether what is on screen stands in no file."""
        return self._stands != self._safe

    def unsaved(self) -> dict[str, Scenario]:
        """Return by name what is on screen and kept beside it, as far as it is in no file."""
        kept = {one.name: one.plan.scenario for one in self.comparing.kept}
        return {**kept, **({"": self._stands} if self.is_unsaved else {})}

    def resume(self, scenario: Scenario) -> None:
        """Go on with changes made before the data were read again; they can be undone."""
        with self.work.lock:
            self.go(scenario)

    # ------------------------------------------------------------------ words

    def _fill(self, *, tables: bool = True) -> None:
        """Show in tables and buttons what the screen stands at."""
        if tables:
            cells = pd.DataFrame() if self._drawn is None else self._drawn.cells
            self.filling.show(self._stands, cells)
            self.adjusting.stand_at(self.data, self._stands.year, self.as_of, self.language)
        self.undo.disabled = not (self._past or self.filling.refused)
        self.filing.show(is_safe=not self.is_unsaved)
        self.on_change()

    def _words(self) -> None:
        self.title.value = screen.heading(
            self.say("plan.title", name=self.scenario.name, year=self.scenario.year),
            self.data.title,
        )
        self.steering.words(self.language)
        self.edit.description = self.edit.tooltip = self.say("edit.title")
        self.undo.description = self.say("edit.undo")
        self.reset.description, self.view.description = self.say("reset"), self.say("view")
        self.filing.words(self.scenario.name, self.language)
        self.pricing.words(self.language)
        self.solving.words(self.say("plan.solve"), self.language)
        for number, name in enumerate(("comparing", "trading", "heat")):
            self._more.set_title(number, self.say(f"{name}.title"))
            getattr(self, name).words(self.language)
        self._fill()
        self._show_status()
        self._draw()

    # ------------------------------------------------------------------ solving

    def _scenario(self) -> Scenario:
        return mark(self.scenario, self.now(), self.data.unit)

    def _solve(self) -> None:
        """Follow what sliders, tables and boxes say now."""
        moved = self.now()
        is_slid = moved != self._stands
        if is_slid:
            self._past.append(self._here())
            self._stands = moved
        self.steering.label(self.language)
        if len(self.data.projects):
            self.solving.button.click()
        else:
            self._follow()
        self._fill(tables=self.edit.value or not is_slid)  # tables that lie open, or were changed

    def _follow(self) -> None:
        scenario, maker = self._scenario(), self._maker
        self.status.value = screen.message([self.say("working")])

        def soon(progress: Progress) -> Allocation:
            self._wait_for_others()
            return maker.plan(scenario, progress, detail=False)

        def in_full(progress: Progress) -> Allocation | None:
            is_plan = self.plan is not None and self.plan.status == "optimal"
            if not is_plan:
                return None

            def work(told: Progress) -> Allocation:
                return maker.plan(scenario, told, detail=True)

            return self.pricing.run(work, progress) or self.plan

        self.work.start(
            Step(soon, self._show_total),
            Step(lambda _progress: None, lambda _none: self._show_rest(), pause=_BREATH),
            Step(in_full, self._complete, pause=_CALM),
        )

    def _begin_choice(self) -> Callable[[Progress], Allocation]:
        """Choose projects: seconds, or a minute where there are thousands."""
        scenario, maker = self._scenario(), self._maker
        self.status.value = ""
        self.filing.export.disabled = True
        self.outcome.grey(is_blank=False)

        def work(progress: Progress) -> Allocation:
            def tell(step: str, share: float) -> None:
                progress(step, share)
                gap = gap_told(share) if step == "choose" else None
                if gap is not None:
                    with self.work.lock:
                        self._tell_gap(gap)

            self._wait_for_others()
            return maker.plan(scenario, tell, detail=True)

        return work

    def _tell_gap(self, gap: float) -> None:
        shown = format_number(round(100 * gap, 2), None, self.language)
        self.status.value = screen.message([self.say("plan.gap", gap=shown)])

    def _wait_for_others(self) -> None:
        """Let what stands in front begin; two at once would only keep each other waiting."""
        if self._after is not None:
            self._after()
            self._after = None

    def _failed(self, error: Exception) -> None:
        super()._failed(error)
        self.outcome.grey(is_blank=False)
        self.filing.export.disabled = True

    def _show(self, plan: Allocation) -> None:
        self._show_total(plan)
        self._show_rest()

    def _show_total(self, plan: Allocation) -> None:
        """Take a result, and show at once what is looked at first."""
        self.plan = plan
        if plan.status != "optimal":
            return
        self._drawn = plan
        self._keep_base(plan)
        with self._quiet():
            self.outcome.offer(plan, self.language)
        self.outcome.show_total(plan, self.language)

    def _show_rest(self) -> None:
        plan = self.plan
        is_pricing = plan is not None and plan.status == "optimal" and not len(plan.projects)
        self._fill()
        self._draw(is_pricing=is_pricing)
        self._show_status(is_pricing=is_pricing)

    def _keep_base(self, plan: Allocation) -> None:
        """Let the first plan of the scenario as it was loaded be what others stand beside."""
        loaded = self._loaded
        known = (plan.scenario, plan.as_of) == (loaded.scenario, loaded.as_of)
        if known and plan.data is loaded.data:
            name = say("screen.comparing.base", self.language, name=self.scenario.name)
            self.comparing.start_from(Kept(name, self.scenario, loaded.data, plan))

    def _complete(self, plan: Allocation | None) -> None:
        """Take the same plan with its prices."""
        if plan is not None:
            self.plan = self._drawn = plan
            self._draw()
            self._show_status()

    # ------------------------------------------------------------------ showing

    def _show_status(self, *, is_pricing: bool = False) -> None:
        plan = self.plan
        if plan is None:
            return
        self.filing.export.disabled = plan.status != "optimal"
        self.mending.show(plan if plan.conflicts else None, self.language)
        self.comparing.refresh()
        self.trading.stand_at(plan)
        if len(plan.data.projects):
            self.choosing.show(plan, self._stands, self.language)
        if plan.status != "optimal":
            old = [self.say("plan.grey")] if self._drawn is not None else []
            told = [] if plan.conflicts else plan.explain(self.language)
            self.status.value = screen.message([*told, *old], "stop")
            return
        proven = self.say("plan.proven", count=plan.certificate["rows_checked"])
        pending = [self.say("plan.pricing")] if is_pricing else []
        self.status.value = screen.message([" ".join([proven, *pending])])

    def _draw(self, *, is_pricing: bool = False) -> None:
        """Show the last plan that there is, grey if the sliders are no longer at it."""
        plan, is_plan = self._drawn, self.plan is not None and self.plan.status == "optimal"
        if plan is None or not is_plan:
            self._standing((*self.data.notes, *self.scenario.notes))
            self.outcome.grey(is_blank=True)
            return
        with self._quiet():
            self.outcome.offer(plan, self.language)
        pending = self.say("plan.pricing") if is_pricing else ""
        self.outcome.show(plan, self._new(plan.warnings), self.language, pending)
        self.heat.show(plan)
        if plan.as_of is not None and plan.as_of == self.as_of:
            self.adjusting.show(plan, self._stands, self.language)
        self._standing(plan.notes)

    # ------------------------------------------------------------------ files

    def _keep(self) -> None:
        """Save what is on screen as a scenario of its own."""
        try:
            file, scenario = self.filing.save()
        except Exception as error:  # noqa: BLE001 - a planner never sees a traceback
            self._export_failed(error)
            return
        self._safe = self._stands
        self._fill()
        told = [self.say("keep.saved", file=file)]
        moved = [note for note in self.data.notes if note not in self._loaded.data.notes]
        told += [self.say("mending.in_data", what=self._note(note)) for note in moved]
        self.filing.saved.value = screen.message(told)
        self.on_keep(file, scenario)

    def _export_failed(self, error: Exception) -> None:
        self.filing.export.disabled = False
        self.filing.saved.value = screen.message(explain_error(error, self.language), "stop")

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for all that runs; tell whether it came in time."""
        parts = (self._exports, self.solving, self.outcome, self.heat, self.comparing, self.trading)
        return super().wait(timeout) and all(part.wait(timeout) for part in parts)


def show_plan(
    data: Dataset,
    scenario: Scenario,
    outlook: Forecast | None = None,
    *,
    as_of: int | None = None,
    sliders: Sequence[str] | None = None,
    language: Language = "vi",
) -> PlanDesk:
    """Return the desk "Phương án"; parameters as for `PlanDesk`."""
    return PlanDesk(data, scenario, outlook, as_of=as_of, sliders=sliders, language=language)
