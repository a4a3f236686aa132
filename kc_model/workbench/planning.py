"""The desk "Phương án": sliders and tables in front of an allocation that follows them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import ipywidgets

from kc_model.allocate import RANGES_UP_TO, Planner, allocate
from kc_model.charts import allocation_chart, change_chart
from kc_model.errors import InputError, SaveError
from kc_model.export import fingerprint, save_file
from kc_model.money import unit_name
from kc_model.results import Allocation, Forecast
from kc_model.scenario import Goal, Scenario, scenario_yaml
from kc_model.tables import Dataset
from kc_model.wording import Language, say
from kc_model.workbench import screen
from kc_model.workbench.comparing import Comparing, Kept
from kc_model.workbench.desk import FiguresDesk, choices, explain_error
from kc_model.workbench.editing import TABLES, columns_of, edited, rows_of
from kc_model.workbench.figure import Figure
from kc_model.workbench.folders import new_folder, plain_name
from kc_model.workbench.levers import Lever, levers_of, mark, move
from kc_model.workbench.mending import Mending, Steps, mended
from kc_model.workbench.newest import Newest, Progress, Step
from kc_model.workbench.trading import Trading

__all__ = ["PlanDesk", "show_plan"]

_UNDO = 20
_CALM = 0.4  # seconds without a move before prices are worked out
_SHOWN = 10  # sentences told at first sight
_VIEWS = ("area", "place", "source", "region", "year")


class PlanDesk(FiguresDesk):
    """Shows the plan of a scenario and, as sliders move and cells are filled in, of what they say.

    Sliders and tables are two views of one scenario; the last 20 changes of either can be undone.
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
    after : callable () or None
        Waited for before this desk begins.

    Attributes
    ----------
    plan : Allocation or None
        The newest result, whatever its status.
    sliders : dict of str to Slider
        By `Lever.key` (``total``, ``tech-share:min``); their values are the scenario's own numbers.
    grids : dict of str to Grid
        ``budget`` and ``rules``, to be filled in.
    edit : ToggleButton
        Opens them.
    undo : Button
    view : Dropdown
        What the charts are by.
    shares, changes : Figure
    mending : Mending
        Where the laws contradict each other: why, and what mends it.
    comparing : Comparing
        Scenarios kept beside the base.
    trading : Trading
        What goals cost each other.
    folder : Path or None
        Where the next export goes; None: a new folder below ``out``.
    name, keep : Text, Button
        Save the scenario on screen under a name.
    home : Path
        The folder it is saved in.
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
    ) -> None:
        super().__init__(data, language)
        self.scenario, self.outlook, self.as_of = scenario, outlook, as_of
        self._planners = self._new_planners()
        self.plan: Allocation | None = None
        self._drawn: Allocation | None = None  # the last one that is a plan
        self.folder: Path | None = None
        self._exports = Newest(self._export_failed, self.work.lock)
        # What the sliders start from, what is on screen, what is safe in a file.
        self._base = self._stands = self._safe = scenario
        self._past: deque[tuple[Scenario, Dataset]] = deque(maxlen=_UNDO)
        self._loaded = data
        self._refused: dict[tuple[str, int, int], tuple[str, InputError]] = {}
        self._levers = levers_of(scenario, data.unit)
        self.sliders = {lever.key: self._slider(lever) for lever in self._levers}
        self.grids = {
            table: screen.Grid(partial(self._guarded_edit, table), self._guarded_undo)
            for table in TABLES
        }
        self.view = ipywidgets.Dropdown(options=[("", "area")])
        self.reset, self.undo = ipywidgets.Button(), ipywidgets.Button(icon="undo")
        self.export = ipywidgets.Button(icon="download", button_style="primary", disabled=True)
        self.home = Path("phuong-an")
        self.on_keep: Callable[[Path, Scenario], None] = lambda _path, _scenario: None
        self.on_change: Callable[[], None] = lambda: None
        self._files: dict[Path, Mapping[str, str]] = {}
        self.name, self.keep = ipywidgets.Text(), ipywidgets.Button()
        lock = self.work.lock
        self.shares = Figure("allocation", lock)
        self.changes = Figure("change", lock, is_folded=False)
        self.mending = Mending(self._mend)
        self.comparing = Comparing(self._kept_now, self._take, lock)
        self.trading = Trading(lambda: self.plan, scenario, self._take_goals, lock)
        self._more = ipywidgets.Accordion([self.comparing, self.trading], selected_index=None)
        self.findings, self.saved = screen.Text(), screen.Text()
        self._when(self.view, lambda _view: self._draw())
        self._on_click(self.reset, self._reset)
        self._on_click(self.undo, self._undo)
        self._on_click(self.keep, self._keep)
        self._on_click(self.export, self._export)
        self._wanted = sliders
        self._tables = ipywidgets.VBox(list(self.grids.values()))
        self.edit = ipywidgets.ToggleButton(layout=ipywidgets.Layout(width="260px"))
        self._when(self.edit, self._open_tables)
        self._open_tables(is_open=False)
        self._arrange()
        self._words()
        self._solve(after)

    # ------------------------------------------------------------------ controls

    def _slider(self, lever: Lever) -> screen.Slider:
        slider = screen.Slider(lever.choices(), lever.start)
        self._when(slider, lambda _index: self._solve(), "index")
        return slider

    def _arrange(self) -> None:
        """Lay out: the sliders asked for, the others in a fold, tables, then what comes of them."""
        wanted = self._wanted
        if wanted is None:
            wanted = [rule.id for rule in self.scenario.rules if rule.tier == "directive"]
        first = [key for key in self.sliders if key.rpartition(":")[0] in {"", *wanted}]
        rest = [slider for key, slider in self.sliders.items() if key not in first]
        self._fold = ipywidgets.Accordion([screen.row(*rest)], selected_index=None)
        self._lay_out(
            screen.row(*(self.sliders[key] for key in first)),
            *([self._fold] if rest else []),
            self.edit,
            self._tables,
            screen.row(self.view, self.undo, self.reset, self.name, self.keep, self.export),
            self.saved,
            self.status,
            self.mending,
            screen.row(ipywidgets.VBox([self.shares, self.changes]), self.findings),
            self.changes.table,
            self._more,
        )

    def _reset(self) -> None:
        self._go(self.scenario, self._loaded)

    def _undo(self) -> None:
        """Take the last change back."""
        self._refused.clear()
        if self._past:
            self._stand_at(*self._past.pop())
            self._solve()
        for grid in self.grids.values():
            grid.said = self.say("edit.undone")

    def _go(self, scenario: Scenario, data: Dataset | None = None) -> None:
        """Go to a scenario, and data, as one change that can be undone."""
        data = self.data if data is None else data
        if (scenario, id(data)) != (self._stands, id(self.data)):
            self._past.append((self._stands, self.data))
        self._stand_at(scenario, data)
        self._solve()

    def _mend(self, steps: Steps) -> None:
        """Take a way out of a contradiction."""
        with self.work.lock:
            self._guarded(lambda given: self._go(*mended(self._moved(), self.data, given)), steps)

    def _take(self, kept: Kept) -> None:
        """Put a scenario that was kept on the screen again."""
        with self.work.lock:
            self._guarded(lambda one: self._go(one.scenario, one.data), kept)

    def _take_goals(self, goals: tuple[Goal, ...]) -> None:
        with self.work.lock:
            self._guarded(lambda given: self._go(replace(self._moved(), goals=given)), goals)

    def _kept_now(self) -> Kept | None:
        """Return what is on screen, to be kept beside the base; None: no plan."""
        plan = self.plan
        if plan is None or plan.status != "optimal" or plan.scenario != self._scenario():
            return None
        return Kept(plan.scenario_name, self._stands, self.data, plan)

    def _stand_at(self, scenario: Scenario, data: Dataset) -> None:
        """Let sliders, tables and planner start from a scenario and data."""
        if data is not self.data:
            self.data = data
            self._planners = self._new_planners()
        self._base = self._stands = scenario
        self._levers = levers_of(scenario, self.data.unit)
        self._refused.clear()
        is_new = {lever.key for lever in self._levers} != set(self.sliders)
        with self._quiet():
            for lever in self._levers:
                texts = [lever.shown(value, self.language) for value in lever.choices()]
                if lever.key in self.sliders:
                    self.sliders[lever.key].offer(lever.choices(), lever.start, texts)
        if is_new:
            known = self.sliders
            self.sliders = {
                one.key: known.get(one.key) or self._slider(one) for one in self._levers
            }
            self._arrange()
            self._words()

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
            self._go(scenario)

    # ------------------------------------------------------------------ tables

    def _open_tables(self, is_open: bool) -> None:
        self._tables.layout.display = "" if is_open else "none"

    def _guarded_edit(self, table: str, edits: list[tuple[int, int, str]]) -> None:
        with self.work.lock:
            self._guarded(lambda given: self._edit(table, given), edits)

    def _guarded_undo(self) -> None:
        with self.work.lock:
            self._guarded(lambda _none: self._undo(), None)

    def _edit(self, table: str, edits: Sequence[tuple[int, int, str]]) -> None:
        """Take what was typed or pasted; what cannot be read stays at its cell with the reason."""
        scenario, refused = self._moved(), dict(self._refused)
        taken: list[tuple[int, int]] = []
        for row, column, text in edits:
            refused.pop((table, row, column), None)
            try:
                scenario = edited(
                    scenario, table, (row, column), text, self.data.unit, self.language
                )
                taken.append((row, column))
            except InputError as error:
                refused[table, row, column] = (text, error)
        before = self._stands
        if scenario != before:
            self._past.append((before, self.data))
            self._stand_at(scenario, self.data)
        self._refused = refused
        self._solve()
        grid = self.grids[table]
        told = [
            self.say("edit.said", column=grid.columns[c]["label"], shown=grid.rows[r][c]["shown"])
            for r, c in taken[-1:]
        ]
        missed = [self.say("edit.refused", count=len(refused))] if refused else []
        grid.said = " ".join([*told, *missed])

    def _fill(self) -> None:
        """Show in the tables what the screen stands at."""
        unit, language = self.data.unit, self.language
        for table, grid in self.grids.items():
            rows = rows_of(self._stands, table, unit, self.data.vintage, language)
            for (name, r, c), (text, error) in self._refused.items():
                if name == table:
                    fault = error.faults[0]
                    why = f"{fault.found(language)} {fault.remedy(language)}"
                    rows[r][c] = screen.GridCell(text, text, why)
            with grid.hold_sync():
                grid.label = self.say(f"edit.tables.{table}", unit=unit_name(unit, language))
                grid.show(columns_of(table, language), rows)
        self.undo.disabled = not (self._past or self._refused)
        is_safe = not self.is_unsaved
        self.keep.description = self.say("keep.button" if is_safe else "keep.unsaved")
        self.keep.button_style = "" if is_safe else "warning"
        self.on_change()

    def _words(self) -> None:
        self.title.value = screen.heading(
            self.say("plan.title", name=self.scenario.name, year=self.scenario.year),
            self.data.title,
        )
        self._fold.set_title(0, self.say("plan.more_sliders"))
        self.edit.description = self.say("edit.title")
        self.undo.description = self.say("edit.undo")
        self.name.description = self.say("keep.name")
        self.name.placeholder = self.scenario.name
        self.reset.description, self.export.description = self.say("reset"), self.say("plan.export")
        self.view.description = self.say("view")
        for lever in self._levers:
            slider = self.sliders[lever.key]
            slider.texts = [lever.shown(value, self.language) for value in slider.values]
        self._more.set_title(0, self.say("comparing.title"))
        self._more.set_title(1, self.say("trading.title"))
        self.comparing.words(self.language)
        self.trading.words(self.language)
        self.saved.value = ""
        self._label()
        self._fill()
        self._show_status()
        self._draw()

    def _label(self) -> None:
        """Say over every slider what it stands for now."""
        for lever in self._levers:
            slider = self.sliders[lever.key]
            slider.label = lever.title(slider.value, self.language)

    # ------------------------------------------------------------------ solving

    def _moved(self) -> Scenario:
        """Return what sliders and tables say."""
        values = {key: slider.value for key, slider in self.sliders.items()}
        return move(self._base, self._levers, values)

    def _scenario(self) -> Scenario:
        return mark(self.scenario, self._moved(), self.data.unit)

    def _plan(self, scenario: Scenario, progress: Progress, *, detail: bool) -> Allocation:
        # What is too slow for the screen: the range over which every price holds.
        rows = 0 if self.plan is None else len(self.plan.cells)
        ranges = False if rows > RANGES_UP_TO else None
        planner = self._planners[detail]
        return planner.plan(scenario, ranges=ranges, detail=detail, progress=progress)

    def _new_planners(self) -> tuple[Planner, Planner]:
        """Return what follows the sliders, and what finds prices: neither waits for the other."""
        one, other = (Planner(self.data, self.outlook, as_of=self.as_of) for _ in range(2))
        return one, other

    def _solve(self, after: Callable[[], None] | None = None) -> None:
        moved = self._moved()
        if moved != self._stands:
            self._past.append((self._stands, self.data))
            self._stands = moved
        self._label()
        scenario = self._scenario()
        self.status.value = screen.message([self.say("working")])

        def soon(progress: Progress) -> Allocation:
            return self._plan(scenario, progress, detail=False)

        def in_full(progress: Progress) -> Allocation | None:
            is_plan = self.plan is not None and self.plan.status == "optimal"
            return self._plan(scenario, progress, detail=True) if is_plan else None

        steps = [Step(soon, self._show), Step(in_full, self._complete, pause=_CALM)]
        if after is not None:
            steps.insert(0, Step(lambda _progress: after(), lambda _done: None))
        self.work.start(*steps)
        self._fill()

    def _failed(self, error: Exception) -> None:
        super()._failed(error)
        self.shares.chart.greyed = self.changes.chart.greyed = self.export.disabled = True

    def _show(self, plan: Allocation) -> None:
        self.plan = plan
        if plan.status == "optimal":
            self._drawn = plan
            self._keep_base(plan)
        self._draw(is_pricing=True)
        self._show_status(is_pricing=plan.status == "optimal")

    def _keep_base(self, plan: Allocation) -> None:
        """Let the first plan of the scenario as it was loaded be what others stand beside."""
        if plan.scenario == self.scenario and plan.data is self._loaded:
            name = say("screen.comparing.base", self.language, name=self.scenario.name)
            self.comparing.start_from(Kept(name, self.scenario, self._loaded, plan))

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
        self.export.disabled = plan.status != "optimal"
        self.mending.show(plan if plan.conflicts else None, self.language)
        self.comparing.refresh()
        self.trading.stand_at(plan)
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
            self.shares.chart.greyed = self.changes.chart.greyed = True
            self.shares.table.value = self.changes.table.value = self.findings.value = ""
            return
        self._views(plan)
        by = self.view.value
        self.shares.show(allocation_chart(plan, by, self.language), plan.stamp, self.language)
        self.changes.show(change_chart(plan, by, self.language), plan.stamp, self.language)
        self._standing(plan.notes)
        self._tell(plan, is_pricing=is_pricing)

    def _tell(self, plan: Allocation, *, is_pricing: bool) -> None:
        pending = [self.say("plan.pricing")] if is_pricing else []
        warnings = [fault.text(self.language) for fault in self._new(plan.warnings)]
        told = plan.explain(self.language)
        rest = screen.bullets("", told[_SHOWN:])
        self.findings.value = "".join(
            [
                screen.bullets(self.say("plan.findings"), [*told[:_SHOWN], *pending]),
                screen.fold(self.say("more", count=len(told) - _SHOWN), rest),
                screen.fold(
                    self.say("warnings", count=len(warnings)), screen.bullets("", warnings)
                ),
            ]
        )

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

    def _keep(self) -> None:
        """Save what is on screen as a scenario of its own; never over somebody else's file."""
        scenario = self._scenario()
        scenario = replace(scenario, name=self.name.value.strip() or scenario.name)
        file = self.home / f"{plain_name(scenario.name)}.yaml"
        expected = self._files.get(file, {file.name: ""})
        try:
            save_file(file, scenario_yaml(scenario).encode(), expected)
        except SaveError as error:
            self._export_failed(error)
            return
        self._files[file] = fingerprint(file.parent, [file.name])
        self._safe = self._stands
        self._fill()
        told = [self.say("keep.saved", file=file)]
        moved = [note for note in self.data.notes if note not in self._loaded.notes]
        told += [self.say("mending.in_data", what=self._note(note)) for note in moved]
        self.saved.value = screen.message(told)
        self.on_keep(file, scenario)

    def _export_failed(self, error: Exception) -> None:
        self.export.disabled = False
        self.saved.value = screen.message(explain_error(error, self.language), "stop")

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for all that runs; tell whether it came in time."""
        parts = (self._exports, self.shares, self.changes, self.comparing, self.trading)
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
