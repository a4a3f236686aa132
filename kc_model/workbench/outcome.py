"""What a plan gives: who loses first, the charts with their tables, and what it means."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import ipywidgets

from kc_model.charts import Picture, allocation_chart, change_chart, heat_map
from kc_model.errors import Fault
from kc_model.explain import holding
from kc_model.money import to_unit
from kc_model.results import Allocation
from kc_model.wording import Language, say
from kc_model.words import Words
from kc_model.workbench import screen
from kc_model.workbench.desk import choices, remedy_on_screen
from kc_model.workbench.figure import Figure

__all__ = ["HeatMap", "Outcome", "warned"]

_SHOWN = 10  # sentences told at first sight
_LOSERS = 6  # lines of the table of losers
_NAMED = 3  # of them in the sentence
_VIEWS = ("area", "place", "source", "region", "year")
_MEASURES = ("amount", "change")
_CUT = "share-cut"  # told of all rules in one line
_WARNED = ("projects-partial", "paid-beyond")
_RULES = 2  # named in that line


def warned(plan: Allocation, language: Language) -> tuple[list[str], list[str]]:
    """Say what has to be known if a plan is to be understood: at once, and on a click."""
    cuts = [one for one in plan.warnings if one.code == _CUT]
    known = [one for one in plan.warnings if one.code in _WARNED]
    remedies = dict.fromkeys(remedy_on_screen(one, language) for one in (*cuts, *known))
    first = [one.found(language) for one in known]
    if cuts:
        beside = [str(one.values[f"beside_{language}"]) for one in cuts[:_RULES]]
        named = [
            say(
                "faults.share-cut.short", language,
                # what several say of one area stands behind the last of them
                **{**one.values, f"beside_{language}": "" if told in beside[n:] else told},
            )
            for n, (one, told) in enumerate(zip(cuts, beside, strict=False), 1)
        ]  # fmt: skip
        more = Words.of(plan, language).more(len(cuts), "rule", _RULES)
        names = ", ".join(named)
        first.append(say("faults.share-cut.all", language, names=names, more=more))
    return first, [*(one.found(language) for one in cuts), *remedies]


class Outcome(ipywidgets.VBox):  # type: ignore[misc]
    """Shows a plan by area, place, fund, region or year; those who lose stand first.

    Parameters
    ----------
    view : Dropdown
        What the charts are by; it offers what the plan has more than one of.
    lock : RLock
        Of the desk.

    Attributes
    ----------
    losers : Text
        Who loses most, in a sentence; the desk puts it on top.
    findings : Text
        The same as a table, and what the plan means.
    held : Text
        What holds the plan, across the page: its table is wide.
    shares, changes : Figure
    """

    def __init__(self, view: ipywidgets.Dropdown, lock: threading.RLock) -> None:
        self.view = view
        self.shares = Figure("allocation", lock)
        self.changes = Figure("change", lock, is_folded=False)
        self.losers, self.findings, self.held = screen.Text(), screen.Text(), screen.Text()
        self._texts = (self.losers, self.findings, self.held, self.changes.table)
        self._drawn: tuple[Allocation, tuple[str, Language]] | None = None
        self.findings.layout.min_width = "0"  # it stays beside the charts, its table scrolls
        charts = ipywidgets.VBox([self.shares, self.changes])
        super().__init__([screen.row(charts, self.findings), self.held, self.changes.table])

    def offer(self, plan: Allocation, language: Language) -> None:
        """Offer every key of which the plan has more than one value."""
        keys = [key for key in _VIEWS if plan.cells[key].nunique() > 1] or ["area"]
        options = choices("charts.by", keys, language)
        if tuple(options) != tuple(self.view.options):
            chosen = self.view.value if self.view.value in keys else keys[0]
            self.view.options, self.view.value = options, chosen

    def show_total(self, plan: Allocation, language: Language) -> None:
        """Show the chart whose heading is the total: it is looked at first.

        Parameters
        ----------
        plan : Allocation
            Of status "optimal".
        """
        known, how = self._drawn, (str(self.view.value), language)
        if known is None or known[0] is not plan or known[1] != how:
            self._drawn = plan, how
            self.shares.show(allocation_chart(plan, *how), plan.stamp, language)

    def show(
        self, plan: Allocation, warnings: Sequence[Fault], language: Language, pending: str = ""
    ) -> None:
        """Show the whole plan.

        Parameters
        ----------
        plan : Allocation
            Of status "optimal".
        warnings : sequence of Fault
            Of the plan alone.
        pending : str
            What is still being worked out.
        """
        self.show_total(plan, language)
        by = self.view.value
        picture = change_chart(plan, by, language)
        self.changes.show(picture, plan.stamp, language)
        key = "place" if plan.cells["place"].nunique() > 1 else "area"
        first = picture if by == key else change_chart(plan, key, language)
        lost = self._show_losers(first, language)
        self.findings.value = lost + _told(plan, warnings, language, pending)
        self.held.value = "" if pending else _held(plan, language)
        for text in self._texts:
            text.remove_class("kc-grey")

    def _show_losers(self, picture: Picture, language: Language) -> str:
        """Say who loses most; return the same as a table."""
        fallen = [line for line in picture.table[1:] if line[3].startswith("−")]
        names = "; ".join(
            f"{line[0]} {line[3]} ({say('screen.share', language, number=line[4])})"
            for line in fallen[:_NAMED]
        )
        title = say("screen.plan.losers", language)
        in_all = picture.heading[:1].lower() + picture.heading[1:]
        told = say("screen.plan.lost", language, title=title, told=in_all, names=names)
        self.losers.value = screen.message(
            [told] if fallen else [picture.heading], "warn" if fallen else ""
        )
        lines = [(line[0], *line[2:]) for line in (picture.table[0], *fallen[:_LOSERS])]
        head = screen.bullets(title, [picture.heading])
        return head + screen.table(lines, title, picture.unit) if fallen else ""

    def outdate(self) -> None:
        """Let everything but the total be no longer true."""
        self.changes.chart.greyed = True
        for text in self._texts:
            text.add_class("kc-grey")

    def grey(self, *, is_blank: bool) -> None:
        """Let what is shown be no longer true; where it is blank, only the charts stay."""
        self._drawn = None
        self.shares.chart.greyed = True
        self.outdate()
        if is_blank:
            self.shares.table.value = self.changes.table.value = ""
            self.findings.value = self.held.value = self.losers.value = ""

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for files being saved; tell whether they came in time (seconds)."""
        return self.shares.wait(timeout) and self.changes.wait(timeout)


def _told(plan: Allocation, warnings: Sequence[Fault], language: Language, pending: str) -> str:
    """Return what a plan means: the first sentences; the rest on a click."""
    told = plan.explain(language)
    first = [*told[:_SHOWN], *([pending] if pending else [])]
    more = say("screen.more", language, count=len(told) - _SHOWN)
    texts = [f"{fault.found(language)} {remedy_on_screen(fault, language)}" for fault in warnings]
    known = say("screen.warnings", language, count=len(texts))
    return "".join(
        [
            screen.bullets(say("screen.plan.findings", language), first),
            screen.fold(more, screen.bullets("", told[_SHOWN:])),
            screen.fold(known, screen.bullets("", texts)),
        ]
    )


def _held(plan: Allocation, language: Language) -> str:
    """Return what holds a plan as a table on a click, and why it has no figures if it has none."""
    lines, head, why = holding(plan, language), say("screen.plan.holding", language), ""
    if not plan.goals:
        why = say("screen.plan.no_goal", language)
    elif len(plan.projects):
        why = say("explain.projects.no_prices", language)
    if len(lines) == 1:
        return screen.fold(head, screen.message([say("screen.plan.nothing_holds", language)]))
    told = screen.message([why] if why else [])
    return screen.fold(head, told + screen.table(lines, head, kind="words"))


class HeatMap(ipywidgets.VBox):  # type: ignore[misc]
    """Places by areas, as deep in colour as their money or their change; drawn when looked at.

    Parameters
    ----------
    lock : RLock
        Of the desk.

    Attributes
    ----------
    measure : Dropdown
        ``amount`` or ``change``.
    figure : Figure
    """

    def __init__(self, lock: threading.RLock) -> None:
        self._plan: Allocation | None = None
        self._language: Language = "vi"
        self._is_open, self._lock = False, lock
        wide = {"description_width": "initial"}
        self.measure = ipywidgets.Dropdown(options=[("", one) for one in _MEASURES], style=wide)
        self.measure.observe(lambda _change: self._draw(), "value")
        self.figure = Figure("heat", lock, is_folded=False)
        super().__init__([self.measure, self.figure, self.figure.table])

    def words(self, language: Language) -> None:
        """Show every text again, in this language."""
        self._language = language
        chosen = self.measure.value
        self.measure.options = choices("charts.columns", _MEASURES, language)
        self.measure.value = chosen
        self.measure.description = say("screen.heat.measure", language)
        self._draw()

    def show(self, plan: Allocation) -> None:
        """Show a plan."""
        self._plan = plan
        self._draw()

    def look(self, *, is_open: bool) -> None:
        """Draw from now on, or no longer: hundreds of squares nobody sees cost time."""
        self._is_open = is_open
        self._draw()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for files being saved; tell whether they came in time (seconds)."""
        return self.figure.wait(timeout)

    def _draw(self) -> None:
        plan = self._plan
        if plan is None or not self._is_open:
            return
        sums = plan.cells.groupby(["place", "area"], sort=False)[["amount", "baseline"]].sum()
        vnd = {"amount": sums["amount"], "change": sums["amount"] - sums["baseline"]}
        measure = str(self.measure.value)
        frame = to_unit(vnd[measure], plan.unit).rename(measure).reset_index()
        with self._lock:
            stamp = plan.stamp
            picture = heat_map(frame, measure, stamp(self._language), self._language)
            self.figure.show(picture, stamp, self._language)
