"""A chart as it stands on a desk: the picture, its table, and a button that saves both."""

from __future__ import annotations

import threading
from collections.abc import Callable

import ipywidgets

from kc_model.charts import Picture, picture_files
from kc_model.export import Stamp, save_files
from kc_model.wording import Language, say
from kc_model.workbench import screen
from kc_model.workbench.desk import explain_error
from kc_model.workbench.folders import new_folder, plain_name
from kc_model.workbench.newest import Newest, Progress, Step

__all__ = ["Figure"]


class Figure(ipywidgets.VBox):  # type: ignore[misc]
    """A chart with its table and what saves both as PNG, SVG and a workbook.

    Parameters
    ----------
    kind : str
        What it is: a key of the texts ``screen.figure.names``.
    lock : RLock
        Of the desk.
    is_folded : bool
        Whether the table lies in a fold below the chart; otherwise the desk puts it elsewhere.

    Attributes
    ----------
    chart : ChartView
    nothing : Text
        What a picture without rows says in place of the chart.
    table : Text
    save : Button
    saved : Text
        Where the files are, and links to them.
    """

    def __init__(self, kind: str, lock: threading.RLock, *, is_folded: bool = True) -> None:
        self.kind, self._is_folded = kind, is_folded
        self.chart, self.table, self.saved = screen.ChartView(), screen.Text(), screen.Text()
        self.nothing = screen.Text()
        self.save = ipywidgets.Button(icon="download", layout=ipywidgets.Layout(width="260px"))
        self._shown: tuple[Picture, Callable[[Language], Stamp], Language] | None = None
        self._work, self._is_saving = Newest(self._failed, lock), False
        self.wait = self._work.wait
        self.save.on_click(lambda _button: self._save())
        below = [self.table] if is_folded else []
        super().__init__([self.chart, self.nothing, *below, self.save, self.saved])
        self.layout.display = "none"

    def show(
        self, picture: Picture, stamp: Callable[[Language], Stamp], language: Language
    ) -> None:
        """Show a picture and its table.

        Parameters
        ----------
        stamp : callable (language) -> Stamp
            Gives what the workbook says about itself; asked when it is saved.
        language : {"vi", "en"}
            The picture's.
        """
        self._shown = picture, stamp, language
        is_drawn = bool(picture.rows)
        if is_drawn:
            self.chart.show(picture, language)
        self.chart.layout.display = "" if is_drawn else "none"
        self.save.layout.display = "" if is_drawn else "none"
        self.nothing.value = "" if is_drawn else screen.message([picture.heading])
        table = screen.table(picture.table, picture.heading, picture.unit)
        self.table.value = (
            screen.fold(say("screen.table", language), table) if self._is_folded else table
        )
        self.save.description = say("screen.figure.save", language)
        self.saved.value = ""
        self.layout.display = ""

    def clear(self) -> None:
        """Show nothing."""
        self._shown = None
        self.table.value = self.nothing.value = ""
        self.layout.display = "none"

    def _save(self) -> None:
        if self._shown is None or self._is_saving:
            return
        picture, stamp, language = self._shown
        name = say(f"screen.figure.names.{self.kind}", language)
        self._is_saving = True  # the button stays: the keyboard would lose its place

        def make(progress: Progress) -> tuple[str, dict[str, bytes]]:
            files = picture_files(picture, stamp(language), plain_name(name), language)
            progress("figure", 1.0)
            folder = new_folder(name)
            save_files(folder, files)
            return str(folder), files

        self._work.start(Step(make, lambda made: self._link(*made)))

    def _link(self, folder: str, files: dict[str, bytes]) -> None:
        self._is_saving = False
        language = self._shown[2] if self._shown is not None else "vi"
        links = [
            screen.download(name, data, say("screen.figure.download", language, name=name))
            for name, data in files.items()
        ]
        told = say("screen.figure.saved", language, folder=folder)
        self.saved.value = screen.message([told]) + "".join(links)

    def _failed(self, error: Exception) -> None:
        self._is_saving = False
        language = self._shown[2] if self._shown is not None else "vi"
        self.saved.value = screen.message(explain_error(error, language), "stop")
