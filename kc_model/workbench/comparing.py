"""Scenarios kept beside the base: side by side, and the bridge between two of them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import ipywidgets
import pandas as pd

from kc_model.charts import waterfall_chart
from kc_model.errors import Fault, InputError
from kc_model.money import to_unit
from kc_model.results import Allocation
from kc_model.scenario import Scenario
from kc_model.tables import Dataset
from kc_model.tradeoffs import Bridge, compare
from kc_model.wording import Language, retold, say
from kc_model.words import Words, noticed
from kc_model.workbench import screen
from kc_model.workbench.errand import Errand
from kc_model.workbench.figure import Figure
from kc_model.workbench.marking import month_label
from kc_model.workbench.newest import Progress

__all__ = ["MOST", "Comparing", "Kept"]

MOST = 3
"""Scenarios that can be kept beside the base."""

_LOSERS = 3  # places named of each scenario
_WIDE = ipywidgets.Layout(width="420px")


@dataclass(frozen=True)
class Kept:
    """One scenario that was kept.

    Parameters
    ----------
    scenario : Scenario
        As sliders and tables said it.
    data : Dataset
        With the bounds of cells as they were then.
    """

    name: str
    scenario: Scenario
    data: Dataset
    plan: Allocation

    def named(self) -> Allocation:
        """Return the plan under the name it was kept by."""
        return replace(self.plan, scenario=replace(self.plan.scenario, name=self.name))


class Comparing(ipywidgets.VBox):  # type: ignore[misc]
    """Keeps up to three scenarios beside the base, shows them side by side, and bridges two.

    Parameters
    ----------
    now : callable () -> Kept or None
        What is on screen; None: no plan.
    take : callable (Kept) -> None
        Puts a kept scenario on the screen again.
    lock : RLock
        Of the desk.

    Attributes
    ----------
    name : Field
        What the scenario on screen is kept as.
    add : Button
    kept : list of Kept
    rows : VBox
        For each of those kept its name (to be changed), a button that opens and one that removes.
    table, told : Text
        Side by side; the bridge in sentences.
    before, after : Dropdown
        The two that are bridged: places in the table from 0, the base.
    errand : Errand
    figure : Figure
    """

    def __init__(
        self, now: Callable[[], Kept | None], take: Callable[[Kept], None], lock: threading.RLock
    ) -> None:
        self._now, self._take, self._lock = now, take, lock
        self.kept: list[Kept] = []
        self._base: Kept | None = None
        self._bridge: Bridge | None = None
        self._language: Language = "vi"
        self.name = screen.Field(layout=_WIDE)
        self.add = ipywidgets.Button(icon="plus", layout=ipywidgets.Layout(width="auto"))
        self.rows, self.table, self.told = ipywidgets.VBox(), screen.Text(), screen.Text()
        wide = {"description_width": "initial"}
        self.before, self.after = (ipywidgets.Dropdown(layout=_WIDE, style=wide) for _ in range(2))
        self.figure = Figure("bridge", lock)
        self.errand = Errand(self._begin, self._show_bridge, lock)
        self._pair = screen.row(self.before, self.after)
        self.add.on_click(lambda _button: self._keep())
        below = [self._pair, self.errand, screen.row(self.figure, self.told)]
        super().__init__([screen.row(self.name, self.add), self.rows, self.table, *below])

    def start_from(self, base: Kept) -> None:
        """Set what the others stand beside."""
        self._base = base

    def take_over(self, other: Comparing) -> None:
        """Go on with what was kept beside another scenario of the same data."""
        with self._lock:
            self.kept, other.kept = [*self.kept, *other.kept][:MOST], []
            other._list()
            self._list()

    def saved(self, scenario: Scenario) -> None:
        """Call by its name what was saved after it was kept, unless the planner has named it."""
        numbers = self._numbered()
        for one in list(self.kept):
            same = replace(scenario, name=one.scenario.name, notes=one.scenario.notes)
            if one.name in numbers and one.scenario == same:
                self._rename(one.name, scenario.name)

    def words(self, language: Language) -> None:
        """Show every text again, in this language."""
        self._language = language
        self.name.description = self._say("name")
        self.before.description, self.after.description = self._say("before"), self._say("after")
        self.errand.words(self._say("bridge"), language)
        self._list()
        if self._bridge is not None:
            self._show_bridge(self._bridge)

    def refresh(self) -> None:
        """Show the table again, with what is now on the screen."""
        now, language = self._now(), self._language
        is_full = len(self.kept) >= MOST
        self.add.description = self._say("full" if is_full else "add", most=MOST)
        self.add.disabled = is_full or now is None
        self.name.placeholder = self._free_name(now)
        shown = self._all()
        called = [retold(one.name, language) for one in shown]
        now_called = "" if now is None else retold(now.name, language)
        names = [*called, self._say("now", name=now_called)]
        plans = [*(one.plan for one in shown), *([now.plan] if now is not None else [])]
        lines = _side_by_side(plans, names, language) if plans else []
        unit = say("screen.comparing.note", language)
        self.table.value = (
            screen.table(lines, self._say("title"), unit, kind="words") if lines else ""
        )
        options = [(name, number) for number, name in enumerate(called)]
        self._pair.layout.display = self.errand.layout.display = "" if self.kept else "none"
        if self.before.options != tuple(options):
            self.before.options = self.after.options = options
            if len(options) > 1:
                self.before.value, self.after.value = 0, len(options) - 1

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for a bridge and files; tell whether they came in time (seconds)."""
        return self.errand.wait(timeout) and self.figure.wait(timeout)

    def _say(self, key: str, **values: object) -> str:
        return say(f"screen.comparing.{key}", self._language, **values)

    def _all(self) -> list[Kept]:
        return [*([self._base] if self._base is not None else []), *self.kept]

    # ------------------------------------------------------------------ keeping

    def _free_name(self, now: Kept | None) -> str:
        """Return what a scenario is kept as: its own name if that is said of it, or a number."""
        taken = {one.name for one in self._all()}
        own = [now.name] if now is not None and now.plan.scenario == now.scenario else []
        return next(name for name in (*own, *self._numbered()) if name and name not in taken)

    def _numbered(self) -> list[str]:
        return [self._say("default", number=number) for number in range(1, MOST + 2)]

    def _keep(self) -> None:
        with self._lock:
            now = self._now()
            if now is None or len(self.kept) >= MOST:
                return
            name = self.name.value.strip() or self._free_name(now)
            if name in {one.name for one in self._all()}:
                name = self._free_name(now)
            self.kept.append(replace(now, name=name))
            self.name.value = ""
            self._list()

    def _list(self) -> None:
        """Show the rows of what is kept."""
        self.rows.children = [self._row(one) for one in self.kept]
        self.refresh()

    def _row(self, kept: Kept) -> ipywidgets.HBox:
        auto = ipywidgets.Layout(width="auto")
        name = ipywidgets.Text(kept.name, layout=_WIDE, continuous_update=False)
        name.tooltip = self._say("rename")
        take = ipywidgets.Button(description=self._say("take"), icon="folder-open", layout=auto)
        drop = ipywidgets.Button(description=self._say("drop"), icon="trash", layout=auto)
        name.observe(lambda change: self._rename(kept.name, change["new"]), "value")
        take.on_click(lambda _button: self._take(kept))
        drop.on_click(lambda _button: self._drop(kept.name))
        return screen.row(name, take, drop)

    def _rename(self, old: str, new: str) -> None:
        with self._lock:
            taken = {one.name for one in self._all()}
            if new.strip() and new.strip() not in taken:
                self.kept = [
                    replace(one, name=new.strip()) if one.name == old else one for one in self.kept
                ]
            self._list()

    def _drop(self, name: str) -> None:
        with self._lock:
            self.kept = [one for one in self.kept if one.name != name]
            self._list()

    # ------------------------------------------------------------------ the bridge

    def _begin(self) -> Callable[[Progress], Bridge] | None:
        shown = self._all()
        pair = [shown[int(choice.value)] for choice in (self.before, self.after)]
        if pair[0] is pair[1]:
            raise InputError([Fault("same-scenario-twice", pair[0].scenario.at)])
        comparison = compare(*(one.named() for one in pair))
        return lambda progress: comparison.bridge(progress=progress)

    def _show_bridge(self, bridge: Bridge) -> None:
        self._bridge = bridge
        language = self._language
        between = compare(bridge.before, bridge.after).sentences(language)
        self.told.value = screen.bullets(self._say("told"), [*between, *bridge.sentences(language)])
        picture = waterfall_chart(_steps(bridge, language), bridge.after.stamp(language), language)
        self.figure.show(picture, bridge.after.stamp, language)


def _steps(bridge: Bridge, language: Language) -> pd.DataFrame:
    """Return the bridge as the waterfall wants it: what is expected to be disbursed, or money."""
    table = bridge.table(language)
    column = "disbursed" if table["disbursed"].notna().all() else "total"
    change = table[column].astype("float64")
    change.iloc[0] = float("nan")
    steps = pd.DataFrame({"step": table["label"], "change": change, "total": table["running"]})
    name = retold(bridge.after.scenario_name, language)
    end = say("tradeoffs.bridge.start", language, name=name)
    last = {"step": end, "change": float("nan"), "total": float(steps["total"].iloc[-1])}
    return pd.concat([steps, pd.DataFrame([last])], ignore_index=True)


def _side_by_side(
    plans: list[Allocation], names: list[str], language: Language
) -> list[tuple[str, ...]]:
    """Return what every plan gives, a line for each thing and a column for each plan."""
    facts = [dict(_facts(plan, Words.of(plan, language))) for plan in plans]
    heads = dict.fromkeys(head for column in facts for head in column)
    lines = [(head, *(column.get(head, "–") for column in facts)) for head in heads]
    return [(say("screen.comparing.what", language), *names[: len(plans)]), *lines]


def _facts(plan: Allocation, words: Words) -> Iterator[tuple[str, str]]:
    language, cells = words.language, plan.cells
    yield say("screen.comparing.period", language), month_label(plan.scenario, language)
    yield say("screen.total", language), words.money(to_unit(int(cells["amount"].sum()), plan.unit))
    disbursed = float(cells["expected_disbursed"].sum(skipna=False))
    told = "–" if pd.isna(disbursed) else words.money(to_unit(disbursed, plan.unit))
    yield say("screen.comparing.disbursed", language), told
    for number, (goal, asked) in enumerate(zip(plan.goals, plan.scenario.goals, strict=True), 1):
        head = say("screen.comparing.goal", language, number=number, goal=words.goal(goal["name"]))
        yield head, words.achieved(goal["name"], goal["achieved"], asked.per)
    sums = noticed(cells, "place", words.unit, plan.rounding.get("step", 0))
    change = sums["change"][sums["told"]].sort_values(kind="stable")
    losers = [
        f"{words.name(str(place))} {words.signed(to_unit(int(vnd), plan.unit))}"
        for place, vnd in change[change < 0].head(_LOSERS).items()
    ]
    nobody = say("screen.comparing.nobody", language)
    yield say("screen.comparing.losers", language), "; ".join(losers) or nobody
