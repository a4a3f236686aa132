"""The desk "Kiểm chứng": how good the forecast would have been in past years."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from functools import partial

import numpy as np
import pandas as pd

from kc_model import reference
from kc_model.backtest import Backtest, backtest
from kc_model.money import format_number
from kc_model.tables import Dataset
from kc_model.wording import Language, say
from kc_model.workbench import screen
from kc_model.workbench.datasets import data_of
from kc_model.workbench.desk import FiguresDesk
from kc_model.workbench.errand import Errand
from kc_model.workbench.newest import Progress

__all__ = ["BacktestDesk", "show_backtest"]

_SHARES = ("mae", "crps", "inside_80", "inside_95", "width_80")
_RATIOS = ("ratio_linear", "ratio_pace", "ratio_completion", "ratio_best")


class BacktestDesk(FiguresDesk):
    """Runs a backtest, with a button that stops it and keeps what is done, and shows it.

    Parameters
    ----------
    years, months : collection of int or None
        As for `kc_model.backtest.backtest`.

    Attributes
    ----------
    result : Backtest or None
        What is on screen.
    errand : Errand
        Runs it; stopped, it keeps the years that are done.
    findings, figures : Text
    """

    def __init__(
        self,
        data: Dataset,
        years: Collection[int] | None = None,
        months: Collection[int] | None = None,
        language: Language = "vi",
    ) -> None:
        super().__init__(data, language)
        self.result: Backtest | None = None
        self._run = partial(backtest, data, years=years, months=months)
        self.errand = Errand(self._begin, self._show, self.work.lock)
        self.findings, self.figures = screen.Text(), screen.Text()
        self._lay_out(self.errand, self.findings, self.figures)
        self._words()
        self.errand.button.click()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the backtest; tell whether it came in time (seconds)."""
        return self.errand.wait(timeout)

    def _begin(self) -> Callable[[Progress], Backtest]:
        return lambda progress: self._run(progress=progress)

    def _show(self, result: Backtest) -> None:
        self.result = result
        self._words()

    def _words(self) -> None:
        language = self.language
        title = say("backtest.screen.title", language)
        self.title.value = screen.heading(title, self.data.title)
        self.errand.words(say("backtest.screen.run", language), language)
        self._standing(self.data.notes)
        if self.result is None:
            return
        self.findings.value = screen.bullets("", self.result.explain(language))
        note = say("backtest.screen.note", language)
        lines = list(_lines(self.result.summary(), language))
        self.figures.value = screen.table(lines, title, note)


def show_backtest(
    data: Dataset | str,
    *,
    years: Collection[int] | None = None,
    months: Collection[int] | None = None,
    language: Language = "vi",
) -> BacktestDesk:
    """Return the desk "Kiểm chứng" of data, or of their files; parameters as for `BacktestDesk`."""
    return BacktestDesk(data_of(data), years, months, language)


def _lines(table: pd.DataFrame, language: Language) -> Iterator[tuple[str, ...]]:
    heads = ("group", "n", *_SHARES, *_RATIOS)
    yield tuple(say(f"backtest.columns.{head}", language) for head in heads)
    for row in table.to_dict("records"):
        shares = [_number(100 * row[name], 1, language) for name in _SHARES]
        ratios = [_number(row[name], 2, language) for name in _RATIOS]
        name = _name(str(row["by"]), str(row["group"]), language)
        yield (name, format_number(row["n"], 0, language), *shares, *ratios)


def _name(by: str, group: str, language: Language) -> str:
    if by.endswith("source"):
        group = reference.source_name(group, language)
    elif by == "size":
        group = say(f"backtest.kinds.{group}", language)
    return say(f"backtest.by.{by}", language, group=group)


def _number(value: float, digits: int, language: Language) -> str:
    return format_number(round(value, digits), digits, language) if np.isfinite(value) else ""
