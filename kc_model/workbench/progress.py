"""The desk "Tiến độ": where the year will end, and what a late arrival of money would change."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

import ipywidgets

from kc_model import reference
from kc_model.charts import ESTIMATED, completion_chart, fan_chart, forecast_chart, tile_map
from kc_model.forecast import Months, forecast, months_of
from kc_model.money import SHOWN, UNITS, format_money
from kc_model.progress import Progress as Standing
from kc_model.progress import progress as standing_of
from kc_model.results import Forecast
from kc_model.tables import Dataset
from kc_model.wording import Language
from kc_model.workbench import screen
from kc_model.workbench.datasets import data_of
from kc_model.workbench.desk import FiguresDesk, choices, explain_error
from kc_model.workbench.errand import Aside
from kc_model.workbench.figure import Figure
from kc_model.workbench.folders import new_folder
from kc_model.workbench.funds import funds_table, risks_table
from kc_model.workbench.lateness import Lateness
from kc_model.workbench.newest import Newest, Progress, Step

__all__ = ["ProgressDesk", "show_forecast"]

_LEVELS = ("area", "place", "source", "region", "cell", "all")
_REPORT = "bao_cao_tien_do.xlsx"
_LINES = 20  # single lines drawn at first sight
_SHOWN = 12  # findings told at first sight
_MEASURES = ("unspent", "completion", "done")  # what places are coloured by
_SCOPES = ("source", "area", "place")  # what the year by month is of, beside all together
_GAP = "0 16px"  # between what stands side by side
_PATIENCE = 1.0  # seconds of a forecast that nobody has to be told of
_FUND = "KCQG"  # the fund whose money arrives late


class ProgressDesk(FiguresDesk):
    """Shows the year-end forecast from a cut-off month, with and without a late arrival of money.

    Parameters
    ----------
    as_of : int
        Last month known, 0 to 12.
    arrival : int or None
        Month in which the national money arrives; None: as the data say. The slider offers the
        months still to come, and this one if it is past: money that came then in place of when the
        data say.
    level : str or None
        What the charts are by: area, place, source, region, cell or all; None: the first of them
        of which there is more than one.

    Attributes
    ----------
    outlook : Forecast or None
        What is on screen.
    folder : path or None
        Where the next report goes; None: a new folder below ``out``.
    year, level : Dropdown
    as_of, arrival : Slider
    scope : Dropdown
        Whose year the chart by month shows: a key and its value, ("", "") for all together.
    measure : Dropdown
        What the places are coloured by.
    ranges, completion, fan, tiles : Figure
    lateness : Lateness
        Project by project, where the data have any.
    working : Aside
        How far a forecast is that takes long; stops it, and goes back to the one on screen.
    """

    def __init__(
        self,
        data: Dataset,
        year: int,
        as_of: int,
        *,
        arrival: int | None = None,
        level: str | None = None,
        language: Language = "vi",
    ) -> None:
        super().__init__(data, language)
        self.outlook: Forecast | None = None
        self._unmoved: Forecast | None = None  # the same with the money arriving as the data say
        self._known: dict[tuple[int, int, int | None], Forecast] = {}
        self._chosen = level
        years = sorted({year, *(int(one) for one in data.history["year"])})
        self.year = ipywidgets.Dropdown(options=years, value=year)
        self.as_of, self._began = screen.Slider(range(13), as_of), {as_of}
        self._asked = arrival
        self.arrival = screen.Slider((None, *range(1, 13)), arrival)
        self.level = ipywidgets.Dropdown(options=[("", "all")])
        for control, name in ((self.year, "value"), (self.as_of, "index"), (self.arrival, "index")):
            self._when(control, lambda _new: self._forecast(), name)
        self._when(self.level, self._look)
        self.folder: Path | None = None
        self._found: Standing | None = None  # where the year stands, with the outlook on screen
        self._exports, self._is_exporting = Newest(self._export_failed, self.work.lock), False
        self.working = Aside(self.work.lock, _PATIENCE)
        self._results = ipywidgets.VBox()  # all that is of the forecast on screen
        self.export = ipywidgets.Button(icon="download", button_style="primary", disabled=True)
        self._on_click(self.export, self._export)
        self._months: Months | None = None  # of the outlook on screen
        lock = self.work.lock
        self.ranges = Figure("forecast", lock, is_folded=False)
        self.completion = Figure("completion", lock)
        self.fan = Figure("fan", lock)
        self.tiles = Figure("tiles", lock, is_folded=False)
        wide = {"description_width": "initial"}
        self.scope = ipywidgets.Dropdown(options=[("", ("", ""))], style=wide)
        self.measure = ipywidgets.Dropdown(options=[("", one) for one in _MEASURES], style=wide)
        self._when(self.scope, lambda _new: self._draw_months())
        self._when(self.measure, lambda _new: self._draw_places())
        self.findings, self.saved, self.funds = screen.Text(), screen.Text(), screen.Text()
        self.funds.add_class("kc-funds")
        self.risks = screen.Text()
        self.every = ipywidgets.ToggleButton(layout={"width": "260px", "display": "none"})
        self._when(self.every, lambda _new: self._draw_lines())
        self.lateness = Lateness(_FUND, lock)
        self.late, self.ground, self.by_month = screen.Text(), screen.Text(), screen.Text()
        self._arrange()
        self._words()
        self._forecast()

    # ------------------------------------------------------------------ controls

    def _arrange(self) -> None:
        has_fund = _FUND in set(self.data.history["source"])
        late = [self.arrival] if has_fund else []
        projects = [self.lateness] if late and len(self.data.projects) else []
        self._map = _beside({ipywidgets.VBox([self.measure, self.tiles]): 0, self.tiles.table: 210})
        months = [self.funds, self.scope, self.fan, self.by_month, self.findings]
        first = {ipywidgets.VBox(months): 905, ipywidgets.VBox([self.risks, self._map]): 925}
        sliders = screen.row(self.as_of, *late)
        sliders.layout.flex = "1 1 760px"
        self._results.children = [
            self.late,
            *projects,
            _beside(first),
            screen.row(self.level, self.every),
            _beside({self.ranges: 0, self.completion: 0, self.ranges.table: 900}),
            self.ground,
        ]
        top = screen.row(screen.row(self.year, self.export), sliders)
        top.layout.grid_gap = _GAP
        self._lay_out(top, self.saved, self.status, self.working, self._results)

    def _words(self) -> None:
        self.year.description, self.level.description = self.say("progress.year"), self.say("view")
        self.export.description, self.saved.value = self.say("progress.export"), ""
        self._offer_months()
        self.scope.description = self.say("progress.scope")
        self.measure.description = self.say("progress.measure")
        with self._quiet():
            chosen = self.measure.value
            self.measure.options = choices("charts.columns", _MEASURES, self.language)
            self.measure.value = chosen
        fund = reference.source_name(_FUND, self.language)
        self.as_of.label = self.say("progress.as_of")
        self.arrival.label = self.say("progress.arrival", fund=fund)
        self.working.words(self.language)
        self._draw()

    # ------------------------------------------------------------------ forecasting

    def _offer_months(self) -> None:
        """Offer the months of the year that have figures; for arrival those after."""
        rows = self.data.history
        told = rows.loc[rows["year"] == int(self.year.value), "month"]
        known = {min(12, int(month)) for month in told}
        asked = {one for one in self._began if one <= max(known, default=0)}
        offered = sorted({0, *known, *asked})
        names = [self.say("progress.month", month=month) for month in offered[1:]]
        with self._quiet():
            at = max(month for month in offered if month <= int(self.as_of.value))
            self.as_of.offer(offered, at, [self.say("progress.before"), *names])
            to_come = range(at + 1, 13)
            past = [] if self._asked is None or self._asked in to_come else [self._asked]
            months = (*past, *to_come)
            texts = [self.say("progress.arrives", month=month) for month in months]
            arrives = self.arrival.value if self.arrival.value in months else None
            values = (None, *months)
            self.arrival.offer(values, arrives, [self.say("progress.as_data"), *texts])
        self.arrival.layout.display = "" if months else "none"

    def _forecast(self) -> None:
        self._offer_months()
        key = (int(self.year.value), int(self.as_of.value), self.arrival.value)
        moved = (self.as_of, *([self.arrival] if self.arrival.value else []))
        asked = (f"{one.label[:1].lower()}{one.label[1:]} {one.texts[one.index]}" for one in moved)
        told = self.say("progress.working", asked="; ".join((str(key[0]), *asked)))
        self.status.value = screen.message([told])
        self.saved.value, self.export.disabled = "", True
        self._results.add_class("kc-grey")  # it is of what was asked before
        self.work.start(
            Step(
                lambda progress: self.working.run(lambda told: self._outlooks(key, told), progress),
                self._show,
            ),
            Step(lambda _progress: self._by_month(key), self._show_months),
        )

    def _outlooks(
        self, key: tuple[int, int, int | None], progress: Progress
    ) -> tuple[Forecast, Forecast, Standing]:
        """Return the forecast asked for, the one as the data say, and where the year stands."""
        for year, as_of, arrival in dict.fromkeys((key, (*key[:2], None))):
            if (year, as_of, arrival) not in self._known:
                late = None if arrival is None else {_FUND: arrival}
                made = forecast(self.data, year, as_of, arrival=late, progress=progress)
                self._known[year, as_of, arrival] = made
            progress("forecast", 1.0)
        outlook = self._known[key]
        return outlook, self._known[(*key[:2], None)], standing_of(self.data, outlook)

    def _by_month(self, key: tuple[int, int, int | None]) -> Months | None:
        """Return the year by month; None of a forecast that was stopped."""
        return months_of(self.data, self._known[key]) if key in self._known else None

    def _go_back(self, shown: Forecast) -> None:
        """Let the sliders say again what is on screen."""
        for control, value in (
            (self.year, shown.year),
            (self.as_of, shown.as_of),
            (self.arrival, shown.details["arrival"].get(_FUND)),
        ):
            with self._quiet():
                control.value = value
            self._offer_months()

    def _show(self, found: tuple[Forecast, Forecast, Standing] | None) -> None:
        """Show a forecast; stopped, the one before stands."""
        self.status.value = ""
        if found is not None:
            self.outlook, self._unmoved, self._found = found
            self._months = None
        elif self.outlook is not None:
            self._go_back(self.outlook)
        if self.outlook is not None:
            self._results.remove_class("kc-grey")
            self.export.disabled = False
            self._draw()

    def _show_months(self, months: Months | None) -> None:
        if months is not None:
            self._months = months
            self._draw_months()

    # ------------------------------------------------------------------ showing

    def _draw(self) -> None:
        outlook = self.outlook
        self.title.value = screen.heading(
            self.say("progress.title", year=self.year.value), self.data.called
        )
        if outlook is None:
            self._standing(self.data.notes)
            return
        self._levels(outlook)
        self._standing((*self.data.notes, *outlook.notes))
        self.late.value = self._lateness(outlook)
        if self._found is not None:
            stamp = self._found.stamp
            self.lateness.show(self._late_asked(), stamp, self.language)
            self._draw_lines()
            self.funds.value = funds_table(self._found, self.language)
            self.risks.value = risks_table(self._found, self.language)
            self._scopes(outlook)
            self._draw_months()
            self._draw_places()
            told = self._found.sentences(self.language, risks=False)
            shown, rest = told[:_SHOWN], told[_SHOWN:]
            self.findings.value = screen.bullets(self.say("progress.findings"), shown) + (
                screen.fold(self.say("more", count=len(rest)), screen.bullets("", rest))
            )
        warnings = [fault.told(self.language) for fault in self._new(outlook.warnings)]
        self.ground.value = screen.fold(
            self.say("warnings", count=len(warnings)), screen.bullets("", warnings)
        )

    def _draw_lines(self) -> None:
        """Show what the charts are by; of many single lines those most at risk, all on a click."""
        if self.outlook is None or self._found is None:
            return
        count = len(self.outlook.cells) if self.level.value == "cell" else 0
        self.every.layout.display = "" if count > _LINES else "none"
        self.every.description = self.say("progress.every", count=count)
        most = _LINES if count > _LINES and not self.every.value else None
        how = self.outlook, self.data, self.level.value, self.language
        stamp = self._found.stamp
        self.ranges.show(forecast_chart(*how, most=most), stamp, self.language)
        self.completion.show(completion_chart(*how, most=most), stamp, self.language)

    def _scopes(self, outlook: Forecast) -> None:
        """Offer the year by month of all lines, and of every fund, area and place."""
        names = {
            "source": lambda code: reference.source_name(code, self.language),
            "area": lambda code: reference.area_name(code, self.language),
            "place": lambda code: reference.place_name(code, self.data.vintage, self.language),
        }
        all_together = self.say("progress.all")
        options = [(all_together.capitalize(), ("", ""))]
        for key in _SCOPES:
            codes = dict.fromkeys(outlook.table().query("level == @key")[key])
            options += [(names[key](code), (key, code)) for code in codes if len(codes) > 1]
        if tuple(options) != tuple(self.scope.options):
            chosen = self.scope.value
            with self._quiet():
                self.scope.options = options
                self.scope.value = chosen if chosen in {key for _, key in options} else ("", "")

    def _draw_months(self) -> None:
        """Show the year by month; grey until it is that of the forecast on screen."""
        if self._months is None or self._found is None:
            self.fan.chart.greyed = True
            return
        key, code = self.scope.value
        where = {key: code} if key else None
        picture = fan_chart(self._months, self.data, where, self.language)
        self.fan.show(picture, self._found.stamp, self.language)
        self.by_month.value = screen.message([self._note(self._months.note)])

    def _draw_places(self) -> None:
        """Show the country place by place."""
        if self._found is None:
            return
        table = self._found.table()
        table = table[table["level"] == "place"].rename(
            columns={"completion": "done", "completion_expected": "completion"}
        )
        measure = self.measure.value
        if len(table) < 2 or table[measure].isna().all():
            self.tiles.clear()
            self._map.layout.display = "none"
            return
        self._map.layout.display = ""
        stamp = self._found.stamp
        picture = tile_map(table, measure, stamp(self.language), self.language)
        self.tiles.show(picture, stamp, self.language)

    def _failed(self, error: Exception) -> None:
        super()._failed(error)
        for figure in self._figures():
            figure.chart.greyed = True

    def _figures(self) -> tuple[Figure, ...]:
        return self.ranges, self.completion, self.fan, self.tiles

    # ------------------------------------------------------------------ the report

    def _export(self) -> None:
        standing, language = self._found, self.language
        if standing is None or self._is_exporting:
            return
        name = f"{self.say('progress.export')} {standing.as_of:02d}-{standing.year}"
        folder = self.folder or new_folder(name)
        self._is_exporting = True  # the button stays: the keyboard would lose its place

        def save(progress: Progress) -> bytes:
            standing.save(folder / _REPORT, language)
            progress("report", 1.0)
            return (folder / _REPORT).read_bytes()

        def link(book: bytes) -> None:
            self._is_exporting = False
            saved = screen.message([self.say("progress.saved", folder=folder)])
            self.saved.value = saved + screen.download(_REPORT, book, self.say("progress.download"))

        self._exports.start(Step(save, link))

    def _export_failed(self, error: Exception) -> None:
        self._is_exporting = False
        self.saved.value = screen.message(explain_error(error, self.language), "stop")

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the forecast, a report and files; tell whether they came in time."""
        return (
            super().wait(timeout)
            and self._exports.wait(timeout)
            and self.lateness.wait(timeout)
            and all(figure.wait(timeout) for figure in self._figures())
        )

    def _levels(self, outlook: Forecast) -> None:
        """Offer every level of which there is more than one row, and the total."""
        counts = outlook.table()["level"].value_counts()
        keys = [key for key in _LEVELS if counts.get(key, 0) > 1 or key == "all"]
        options = choices("charts.by", keys, self.language)
        if tuple(options) != tuple(self.level.options):
            chosen = self._chosen if self._chosen in keys else keys[0]
            with self._quiet():
                self.level.options, self.level.value = options, chosen

    def _look(self, level: str) -> None:
        self._chosen = level
        self._draw()

    def _lateness(self, outlook: Forecast) -> str:
        """Say what the arrival set on screen changes, for the fund and in all."""
        if self.arrival.value is None or self._unmoved is None:
            return ""
        after, before = self._totals(outlook), self._totals(self._unmoved)
        told = {
            f"{key}_{when}": self._money(figures[code])
            for when, figures in (("after", after), ("before", before))
            for key, code in (("fund", _FUND), ("all", ""))
        }
        change = after[_FUND] - before[_FUND]
        kind = "less" if change < 0 else "more" if change > 0 else "same"
        told["change"] = self.say(f"progress.{kind}", amount=self._money(abs(change)))
        name = reference.source_name(_FUND, self.language)
        month = self.arrival.value
        key = "late" if month > self.as_of.value else "sooner"
        line = self.say(f"progress.{key}", month=month, name=name, **told)
        why = [self.say("progress.why_late", month=month)] if key == "late" else []
        return screen.message([" ".join([line, *why])], "warn")

    def _late_asked(self) -> tuple[Dataset, int, int, int] | None:
        """Return what is asked of projects; None where the money is not late."""
        year, as_of, arrives = self.year.value, self.as_of.value, self.arrival.value
        is_late = arrives is not None and arrives > as_of
        return (self.data, int(year), int(as_of), int(arrives)) if is_late else None

    def _totals(self, outlook: Forecast) -> dict[str, Decimal]:
        """Return what is expected of the late fund and in all (""), to the digit that is shown."""
        table, unit = outlook.table(), SHOWN[self.data.unit]
        step, scale = Decimal(1).scaleb(-ESTIMATED[unit]), UNITS[self.data.unit] / UNITS[unit]
        return {
            key: Decimal(str(table.loc[rows, "expected"].sum() * scale)).quantize(step)
            for key, rows in (
                (_FUND, (table["level"] == "source") & (table["source"] == _FUND)),
                ("", table["level"] == "all"),
            )
        }

    def _money(self, amount: Decimal) -> str:
        unit = SHOWN[self.data.unit]
        return format_money(amount * UNITS[unit], unit, self.language, ESTIMATED[unit])


def show_forecast(
    data: Dataset | str,
    year: int,
    as_of: int,
    *,
    arrival: int | None = None,
    level: str | None = None,
    language: Language = "vi",
) -> ProgressDesk:
    """Return the desk "Tiến độ" of data, or of their files; parameters as for `ProgressDesk`."""
    return ProgressDesk(data_of(data), year, as_of, arrival=arrival, level=level, language=language)


def _beside(parts: Mapping[ipywidgets.Widget, int]) -> ipywidgets.HBox:
    """Return parts side by side where so many pixels are left for them, else below each other.

    0: as wide as what is in it.
    """
    for part, least in parts.items():
        part.layout.flex = f"1 1 {least}px" if least else "0 0 auto"
    layout = ipywidgets.Layout(flex_flow="row wrap", grid_gap=_GAP)
    return ipywidgets.HBox(list(parts), layout=layout)
