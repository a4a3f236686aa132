"""The page while it opens: it stands there at once, and what takes long is fetched behind it."""

from __future__ import annotations

import threading
from pathlib import Path

import ipywidgets

from kc_model.wording import Language, say
from kc_model.workbench import screen

__all__ = ["Opening", "open_page"]

_PATIENCE = 600  # seconds for a browser to come


class Opening(ipywidgets.VBox):  # type: ignore[misc]
    """Becomes the planner's page: libraries and data are read while the browser loads its own code.

    Parts are made only once the browser has come up with this: what changes between its question
    for what there is and the answer would be lost on the way.

    Parameters
    ----------
    folder : Path
        Where data are looked for.
    language : {"vi", "en"}

    Attributes
    ----------
    here : Here
        Tells that the browser has come up.
    """

    def __init__(self, folder: Path, language: Language = "vi") -> None:
        self._folder, self._language = folder, language
        self._is_up = threading.Event()
        self.here = screen.Here(self._is_up.set)
        told = screen.message([say("screen.page.opening", language)])
        super().__init__([screen.Text(screen.style() + told), self.here])
        threading.Thread(target=self._open, daemon=True).start()

    def _open(self) -> None:
        # Imported here and in this order: the browser is busy meanwhile, and so is nobody else.
        try:
            from kc_model.workbench.datasets import find_datasets, load  # noqa: PLC0415

            found = next(iter(find_datasets(self._folder)), None)
            first = load(found) if found is not None else None
            from kc_model.workbench.page import AppPage  # noqa: PLC0415

            if self._is_up.wait(_PATIENCE):
                page = AppPage(self._folder, self._language, first=first, here=self.here)
                self.children = [page, self.here]
        except Exception as error:  # noqa: BLE001 - a planner never sees a traceback
            from kc_model.workbench.desk import explain_error  # noqa: PLC0415

            told = screen.message(explain_error(error, self._language), "stop")
            self.children = [screen.Text(screen.style() + told)]


def open_page(folder: str | Path = ".", language: Language = "vi") -> Opening:
    """Return the planner's page for a browser that is still opening; the rest is `Opening`'s."""
    return Opening(Path(folder).resolve(), language)
