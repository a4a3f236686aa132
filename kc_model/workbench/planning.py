"""The desk "Phương án": sliders in front of an allocation that follows them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import ipywidgets

from kc_model.allocate import Planner, allocate
from kc_model.charts import allocation_chart, change_chart
from kc_model.results import Allocation, Forecast
from kc_model.scenario import Scenario
from kc_model.tables import Dataset
from kc_model.wording import Language
from kc_model.workbench import screen
from kc_model.workbench.desk import FiguresDesk, choices, explain_error
from kc_model.workbench.folders import new_folder
from kc_model.workbench.levers import Lever, adjust, levers_of
from kc_model.workbench.newest import Newest, Progress, Step

__all__ = ["PlanDesk", "show_plan"]

_CALM = 0.4  # seconds without a move before prices are worked out
_VIEWS = ("area", "place", "source", "region", "year")


class PlanDesk(FiguresDesk):
    """Shows the plan of a scenario and, as its sliders move, the plan of what they say.

    Amounts follow every move; prices, and what the goals leave open, follow when it is calm. A
    result that a newer move has overtaken is dropped. Where the laws contradict each other, the
    last plan turns grey and the conflict stands above it.

    Parameters
    ----------
    data : Dataset
    scenario : Scenario
    outlook, as_of
        As for `kc_model.allocate.allocate`.
    sliders : sequence of str or None
        Rules (by id) whose bounds get a slider beside the total's; those of the other rules lie in
        a fold. None: the directives.
    language : {"vi", "en"}

    Attributes
    ----------
    plan : Allocation or None
        The newest result, whatever its status.
    sliders : dict of str to Slider
        By `Lever.key` (``total``, ``tech-share:min``); their values are the scenario's own numbers.
    view : Dropdown
        What the charts are by.
    chart, changes : ChartView
    folder : Path or None
        Where the next export goes; None: a new folder below ``out``.
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
    ) -> None:
        super().__init__(data, language)
        self.scenario, self.outlook, self.as_of = scenario, outlook, as_of
        self._planner = Planner(data, outlook, as_of=as_of)
        self.plan: Allocation | None = None
        self._drawn: Allocation | None = None  # the last one that is a plan
        self.folder: Path | None = None
        self._exports = Newest(self._export_failed, self.work.lock)
        self._levers = levers_of(scenario, data.unit)
        self.sliders = {lever.key: self._slider(lever) for lever in self._levers}
        self.view = ipywidgets.Dropdown(options=[("", "area")])
        self.reset = ipywidgets.Button(icon="undo")
        self.export = ipywidgets.Button(icon="download", button_style="primary", disabled=True)
        self.chart, self.changes = screen.ChartView(language), screen.ChartView(language)
        self.shares, self.losers = screen.Text(), screen.Text()
        self.findings, self.saved = screen.Text(), screen.Text()
        self._when(self.view, lambda _view: self._draw())
        self._on_click(self.reset, self._reset)
        self._on_click(self.export, self._export)
        self._arrange(sliders)
        self._words()
        self._solve()

    # ------------------------------------------------------------------ controls

    def _slider(self, lever: Lever) -> screen.Slider:
        slider = screen.Slider(lever.choices(), lever.start)
        self._when(slider, lambda _index: self._solve(), "index")
        return slider

    def _arrange(self, wanted: Sequence[str] | None) -> None:
        """Lay out: the sliders asked for, the others in a fold, then what comes of them."""
        if wanted is None:
            wanted = [rule.id for rule in self.scenario.rules if rule.tier == "directive"]
        first = [key for key in self.sliders if key.rpartition(":")[0] in {"", *wanted}]
        rest = [slider for key, slider in self.sliders.items() if key not in first]
        self._fold = ipywidgets.Accordion([screen.row(*rest)], selected_index=None)
        self._lay_out(
            screen.row(*(self.sliders[key] for key in first)),
            *([self._fold] if rest else []),
            screen.row(self.view, self.reset, self.export),
            self.saved,
            self.status,
            screen.row(self.chart, self.findings),
            self.shares,
            screen.row(self.changes, self.losers),
        )

    def _reset(self) -> None:
        with self._quiet():
            for lever in self._levers:
                self.sliders[lever.key].value = lever.start
        self._solve()

    def _words(self) -> None:
        self.title.value = screen.heading(
            self.say("plan.title", name=self.scenario.name, year=self.scenario.year),
            self.data.title,
        )
        self._fold.set_title(0, self.say("plan.more_sliders"))
        self.reset.description, self.export.description = self.say("reset"), self.say("plan.export")
        self.view.description = self.say("view")
        for lever in self._levers:
            slider = self.sliders[lever.key]
            slider.texts = [lever.shown(value, self.language) for value in slider.values]
        self.saved.value = ""
        self._label()
        self._show_status()
        self._draw()

    def _label(self) -> None:
        """Say over every slider what it stands for now."""
        for lever in self._levers:
            slider = self.sliders[lever.key]
            slider.label = lever.title(slider.value, self.language)

    # ------------------------------------------------------------------ solving

    def _scenario(self) -> Scenario:
        values = {key: slider.value for key, slider in self.sliders.items()}
        return adjust(self.scenario, self._levers, values)

    def _plan(self, scenario: Scenario, progress: Progress, *, detail: bool) -> Allocation:
        return self._planner.plan(scenario, detail=detail, progress=progress)

    def _solve(self) -> None:
        self._label()
        scenario = self._scenario()
        self.status.value = screen.message([self.say("working")])

        def soon(progress: Progress) -> Allocation:
            return self._plan(scenario, progress, detail=False)

        def in_full(progress: Progress) -> Allocation | None:
            is_plan = self.plan is not None and self.plan.status == "optimal"
            return self._plan(scenario, progress, detail=True) if is_plan else None

        self.work.start(Step(soon, self._show), Step(in_full, self._complete, pause=_CALM))

    def _failed(self, error: Exception) -> None:
        super()._failed(error)
        self.chart.greyed = self.changes.greyed = self.export.disabled = True

    def _show(self, plan: Allocation) -> None:
        self.plan = plan
        if plan.status == "optimal":
            self._drawn = plan
        self._draw(is_pricing=True)
        self._show_status(is_pricing=plan.status == "optimal")

    def _complete(self, plan: Allocation | None) -> None:
        """Take the same plan with its prices."""
        if plan is not None:
            self.plan = self._drawn = plan
            self._show_status()
            self._tell(plan, is_pricing=False)

    # ------------------------------------------------------------------ showing

    def _show_status(self, *, is_pricing: bool = False) -> None:
        plan = self.plan
        if plan is None:
            return
        self.export.disabled = plan.status != "optimal"
        if plan.status != "optimal":
            old = [self.say("plan.grey")] if self._drawn is not None else []
            self.status.value = screen.message([*plan.explain(self.language), *old], "stop")
            return
        proven = self.say("plan.proven", count=plan.certificate["rows_checked"])
        pending = [self.say("plan.pricing")] if is_pricing else []
        self.status.value = screen.message([" ".join([proven, *pending])])

    def _draw(self, *, is_pricing: bool = False) -> None:
        """Show the last plan that there is, grey if the sliders are no longer at it."""
        plan, is_plan = self._drawn, self.plan is not None and self.plan.status == "optimal"
        if plan is None or not is_plan:
            self._standing((*self.data.notes, *self.scenario.notes))
            self.chart.greyed = self.changes.greyed = True
            self.shares.value = self.losers.value = self.findings.value = ""
            return
        self._views(plan)
        self._standing(plan.notes)
        by = self.view.value
        shares = allocation_chart(plan, by, self.language)
        changes = change_chart(plan, by, self.language)
        self.chart.show(shares, self.language)
        self.changes.show(changes, self.language)
        self.shares.value = screen.fold(
            self.say("table"), screen.table(shares.table, shares.heading, shares.unit)
        )
        self.losers.value = screen.table(changes.table, changes.heading, changes.unit)
        self._tell(plan, is_pricing=is_pricing)

    def _tell(self, plan: Allocation, *, is_pricing: bool) -> None:
        pending = [self.say("plan.pricing")] if is_pricing else []
        warnings = [fault.text(self.language) for fault in self._new(plan.warnings)]
        self.findings.value = screen.bullets(
            self.say("plan.findings"), [*plan.explain(self.language), *pending]
        ) + screen.fold(self.say("warnings", count=len(warnings)), screen.bullets("", warnings))

    def _views(self, plan: Allocation) -> None:
        """Offer every key of which the plan has more than one value."""
        keys = [key for key in _VIEWS if len(set(plan.cells[key])) > 1] or ["area"]
        options = choices("charts.by", keys, self.language)
        if tuple(options) != tuple(self.view.options):
            chosen = self.view.value if self.view.value in keys else keys[0]
            with self._quiet():
                self.view.options, self.view.value = options, chosen

    # ------------------------------------------------------------------ export

    def _export(self) -> None:
        scenario, language = self._scenario(), self.language
        folder = self.folder or new_folder(scenario.name)
        self.export.disabled = True
        self.saved.value = screen.message([self.say("plan.exporting")])

        def save(progress: Progress) -> Allocation:
            # What is saved is solved afresh (contract, section 6.1).
            plan = allocate(self.data, scenario, self.outlook, as_of=self.as_of, progress=progress)
            if plan.status == "optimal":
                plan.save(folder, language)
            return plan

        def link(plan: Allocation) -> None:
            self.export.disabled = False
            if plan.status != "optimal":
                self.saved.value = screen.message(plan.explain(language), "stop")
                return
            book = (folder / "allocation.xlsx").read_bytes()
            self.saved.value = screen.message(
                [self.say("plan.saved", folder=folder)]
            ) + screen.download("allocation.xlsx", book, self.say("plan.download"))

        self._exports.start(Step(save, link))

    def _export_failed(self, error: Exception) -> None:
        self.export.disabled = False
        self.saved.value = screen.message(explain_error(error, self.language), "stop")

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the plan, its prices and an export; tell whether they came in time."""
        return super().wait(timeout) and self._exports.wait(timeout)


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
