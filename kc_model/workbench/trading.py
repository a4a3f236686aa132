"""What goals cost each other, and how much money a wanted figure takes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import ipywidgets

from kc_model.allocate import Planner
from kc_model.charts import frontier_chart
from kc_model.errors import Address, Fault, InputError
from kc_model.money import SHOWN, UNITS, unit_name
from kc_model.results import Allocation
from kc_model.scenario import Budget, Goal, Scenario
from kc_model.tradeoffs import (
    Frontier,
    PresetComparison,
    Sought,
    compare_presets,
    frontier,
    presets,
    seek,
)
from kc_model.wording import Language, say
from kc_model.words import Words
from kc_model.workbench import screen
from kc_model.workbench.editing import read_number
from kc_model.workbench.errand import Errand
from kc_model.workbench.figure import Figure
from kc_model.workbench.newest import Progress

__all__ = ["Trading"]

_OWN = "scenario"
_MONEY = (" money", " disbursed", " change")
_EVEN = "evenness"


class Trading(ipywidgets.VBox):  # type: ignore[misc]
    """Draws the curve between two goals, offers ready orders of goals, and seeks money.

    Parameters
    ----------
    now : callable () -> Allocation or None
        The newest result, whatever its status.
    base : Scenario
        Whose goals are the scenario's own.
    take : callable (goals or budget) -> None
        Told which goals, or which budgets, were chosen.
    lock : RLock
        Of the desk.

    Attributes
    ----------
    order : Dropdown
        ``scenario``, or the id of a preset.
    costs, curve : Errand
    lack, compared, told : Text
        What the data lack for the order chosen; what every order gives and costs; the curve in
        sentences.
    figure : Figure
    wanted : Field
        What is to be disbursed.
    money : Errand
        Seeks the money that it takes.
    sought : Text
    use : Button
        Puts the budgets found on the screen.
    """

    def __init__(
        self,
        now: Callable[[], Allocation | None],
        base: Scenario,
        take: Callable[..., None],
        lock: threading.RLock,
    ) -> None:
        self._now, self._base, self._take, self._lock = now, base, take, lock
        self._language: Language = "vi"
        self._is_quiet = False
        self._goals = {_OWN: base.goals}
        self._faults: dict[str, tuple[Fault, ...]] = {}
        self._curve: Frontier | None = None
        self._costs: PresetComparison | None = None
        self._sought: Sought | None = None
        self.order = ipywidgets.Dropdown(
            layout=ipywidgets.Layout(width="480px"), style={"description_width": "initial"}
        )
        self.lack, self.compared, self.told = screen.Text(), screen.Text(), screen.Text()
        self.costs = Errand(self._begin_costs, self._show_costs, lock)
        self.curve = Errand(self._begin_curve, self._show_curve, lock)
        self.figure = Figure("trade", lock)
        self.wanted, self.sought = screen.Field(layout={"width": "480px"}), screen.Text()
        self.money = Errand(self._begin_money, self._show_money, lock)
        self.use = ipywidgets.Button(icon="check", layout={"width": "auto", "display": "none"})
        self.use.on_click(lambda _button: self._use())
        self.order.observe(lambda change: self._choose(change["new"]), "value")
        orders = [self.order, self.lack, self.costs, self.compared]
        sought = [self.wanted, self.money, self.sought, self.use]
        super().__init__([*orders, self.curve, screen.row(self.figure, self.told), *sought])

    def words(self, language: Language) -> None:
        """Show every text again, in this language."""
        self._language = language
        self.order.description = say("screen.trading.order", language)
        self.costs.words(say("screen.trading.costs", language), language)
        self.curve.words(say("screen.trading.curve", language), language)
        self.wanted.placeholder = say("screen.trading.wanted_example", language)
        self.money.words(say("screen.trading.money", language), language)
        self.use.description = say("screen.trading.use", language)
        if self._sought is not None:
            self._show_money(self._sought)
        if self._costs is not None:
            self._show_costs(self._costs)
        if self._curve is not None:
            self._show_curve(self._curve)

    def stand_at(self, plan: Allocation) -> None:
        """Offer the orders that the data carry; show which one a plan follows.

        What was drawn for another scenario turns grey.
        """
        ready = presets(plan.data)
        self._faults = {one.id: one.faults for one in ready if one.faults}
        self._goals = {_OWN: self._base.goals, **{one.id: one.goals for one in ready}}
        own = say("tradeoffs.presets.scenario", self._language)
        options = [(own, _OWN), *((one.label(self._language), one.id) for one in ready)]
        goals = plan.scenario.goals
        offered = (key for key in self._goals if key not in self._faults)
        chosen = next((key for key in offered if self._goals[key] == goals), None)
        self._is_quiet = True
        if self.order.options != tuple(options):
            self.order.options = options
        self.order.value = chosen
        self._is_quiet = False
        self.lack.value = ""
        unit = unit_name(SHOWN[plan.unit], self._language)
        self.wanted.description = say("screen.trading.wanted", self._language, unit=unit)
        if self._sought is not None and not self._is_sought(plan):
            self._forget()
        if self._curve is not None and self._curve.plans:
            drawn = self._curve.plans[0]
            same = drawn.data is plan.data and drawn.scenario.budget == plan.scenario.budget
            self.figure.chart.greyed = not same or drawn.scenario.rules != plan.scenario.rules

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for what runs; tell whether it came in time (seconds)."""
        return all(one.wait(timeout) for one in (self.costs, self.curve, self.figure, self.money))

    # ------------------------------------------------------------------ orders of goals

    def _choose(self, order: str | None) -> None:
        if self._is_quiet or order is None:
            return
        with self._lock:
            faults = self._faults.get(order, ())
            self.lack.value = screen.message([one.told(self._language) for one in faults], "warn")
            if not faults:
                self._take(goals=self._goals[order])

    def _begin_costs(self) -> Callable[[Progress], PresetComparison] | None:
        plan = self._now()
        if plan is None:
            return None
        planner = Planner(plan.data, plan.outlook, as_of=plan.as_of)
        own = self._own(plan)
        return lambda progress: compare_presets(planner, own, progress=progress)

    def _own(self, plan: Allocation) -> Scenario:
        """Return what is on screen with the scenario's own goals."""
        return replace(plan.scenario, goals=self._base.goals)

    def _show_costs(self, found: PresetComparison) -> None:
        self._costs = found
        title = say("screen.trading.compared", self._language)
        self.compared.value = screen.bullets(title, found.sentences(self._language))

    # ------------------------------------------------------------------ the curve

    def _begin_curve(self) -> Callable[[Progress], Frontier] | None:
        plan = self._now()
        if plan is None:
            return None
        planner = Planner(plan.data, plan.outlook, as_of=plan.as_of)
        return lambda progress: frontier(planner, plan.scenario, progress=progress)

    def _show_curve(self, found: Frontier) -> None:
        self._curve, language = found, self._language
        self.told.value = screen.bullets("", found.sentences(language))
        points = found.table()
        points = points[points["status"] == "optimal"]
        if len(points) < 2 or points["give"].isna().any():
            self.figure.clear()
            return
        plan = found.plans[0]
        names = [_axis(goal, plan, language) for goal in (found.first, found.second)]
        first, second = (_scale(goal, plan) for goal in (found.first, found.second))
        scales = {"first": first, "second": second, "price": first / second}
        points = points.assign(**{key: points[key] * scale for key, scale in scales.items()})
        picture = frontier_chart(points, names, plan.stamp(language), language)
        self.figure.show(picture, plan.stamp, language)

    # ------------------------------------------------------------------ money for a wanted figure

    def _begin_money(self) -> Callable[[Progress], Sought | None] | None:
        self._forget()
        plan = self._now()
        if plan is None:
            return None
        text, entry = self.wanted.value.strip(), Budget(Decimal(0), {})
        try:
            typed = read_number(text, "amount", entry, plan.unit, self._language)
        except InputError as error:  # it has a box of its own, and no column
            raise InputError(
                Fault(one.code, Address(), one.values, one.level) for one in error.faults
            ) from None
        if typed is None:
            return None
        planner = Planner(plan.data, plan.outlook, as_of=plan.as_of)
        return lambda progress: seek(planner, plan.scenario, float(typed), progress=progress)

    def _show_money(self, found: Sought) -> None:
        self._sought = found
        first, *more = found.sentences(self._language)
        self.sought.value = screen.message([first, *more], "" if found.plan else "warn")
        self.use.layout.display = "" if found.plan else "none"

    def _forget(self) -> None:
        self._sought, self.sought.value, self.use.layout.display = None, "", "none"

    def _is_sought(self, plan: Allocation) -> bool:
        """Whether a plan is the one that money was sought from, or found."""
        found = self._sought
        known = [] if found is None else [found.base, *([found.plan] if found.plan else [])]
        mine = plan.scenario
        return any(
            one.data is plan.data
            and (one.scenario.budget, one.scenario.rules) == (mine.budget, mine.rules)
            for one in known
        )

    def _use(self) -> None:
        found = None if self._sought is None else self._sought.plan
        if found is not None:
            self._take(budget=found.scenario.budget)


def _axis(goal: Goal, plan: Allocation, language: Language) -> str:
    """Return what a goal is called, with its unit where it counts money, in all or for each."""
    words = Words.of(plan, language)
    name, is_money = words.goal(goal.name), goal.name.endswith(_MONEY)
    if goal.what == _EVEN:
        key = "head" if goal.per == "population" else "each"
        return f"{name} ({say(f'screen.trading.{key}', language, per=words.column(goal.per))})"
    return f"{name} ({unit_name(SHOWN[plan.unit], language)})" if is_money else name


def _scale(goal: Goal, plan: Allocation) -> float:
    """Return what a goal in the user's unit is multiplied by to be drawn: even shares in đồng."""
    if goal.what == _EVEN:
        return float(UNITS[plan.unit])
    is_money = goal.name.endswith(_MONEY)
    return UNITS[plan.unit] / UNITS[SHOWN[plan.unit]] if is_money else 1.0
