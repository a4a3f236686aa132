"""The page while it opens: it stands there at once, and what takes long is fetched behind it."""

from __future__ import annotations

import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import ipywidgets

from kc_model.wording import Language, say
from kc_model.workbench import screen
from kc_model.workbench.here import Here

if TYPE_CHECKING:
    from kc_model.scenario import Scenario
    from kc_model.workbench.datasets import Loaded
    from kc_model.workbench.making import Maker

__all__ = ["Opening", "begin", "open_page"]

_PATIENCE = 600  # seconds for a browser to come


class _Ahead(threading.Thread):
    """Reads libraries and the first data of a folder, then makes its first plan, ahead of a page.

    Attributes
    ----------
    is_read, is_up : Event
        The data are there, or `error` says why not; a browser has come up, and asks for itself.
    first : Loaded or None
    maker : Maker or None
        Of the first data and scenario; while it makes the first plan whoever asks it waits.
    error : Exception or None
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(daemon=True)
        self._folder = folder
        self._state: object = None
        self._scenario: Scenario
        self.is_read, self.is_up = threading.Event(), threading.Event()
        self.first: Loaded | None = None
        self.maker: Maker | None = None
        self.error: Exception | None = None
        self.start()

    def run(self) -> None:
        try:
            self._read()
        except Exception as error:  # noqa: BLE001 - the page tells it
            self.error = error
        finally:
            self.is_read.set()
        if self.maker is not None and not self.is_up.is_set():
            with suppress(Exception):  # the desk asks again, and tells what is wrong
                self.maker.plan(self._scenario, lambda _step, _share: None, detail=False)

    def is_current(self) -> bool:
        """Whether what was read is what lies there now."""
        return self.error is None and self._state == _state(self._folder)

    def _read(self) -> None:
        # Imported here and in this order: the browser is busy meanwhile, and so is nobody else.
        from kc_model.workbench.datasets import load  # noqa: PLC0415

        self._state = found, _ = _state(self._folder)
        self.first = load(found) if found is not None else None
        from kc_model.workbench import page  # noqa: F401, PLC0415
        from kc_model.workbench.making import Maker  # noqa: PLC0415

        if self.first is not None and self.first.data is not None and self.first.scenarios:
            self._scenario = next(iter(self.first.scenarios.values()))
            self.maker = Maker(self.first.data, None, self._scenario.as_of)


def _state(folder: Path) -> tuple[Path | None, object]:
    """Return the first dataset of a folder, and what tells whether it has changed."""
    from kc_model.workbench.datasets import find_datasets, state_of  # noqa: PLC0415

    found = next(iter(find_datasets(folder)), None)
    return found, None if found is None else state_of(found)


_begun: dict[Path, _Ahead] = {}


def begin(folder: str | Path = ".") -> None:
    """Begin to read what the page of a folder needs, before anybody asks for the page."""
    home = Path(folder).resolve()
    _begun[home] = _Ahead(home)


class Opening(ipywidgets.VBox):  # type: ignore[misc]
    """Becomes the planner's page: libraries and data are read while the browser loads its own code.

    Parts are made only once the browser has come up with this: what changes between its question
    for what there is and the answer would be lost on the way.

    Parameters
    ----------
    folder : Path
        Where data are looked for.

    Attributes
    ----------
    here : Here
        Tells that the browser has come up.
    """

    def __init__(self, folder: Path, language: Language = "vi") -> None:
        self._folder, self._language = folder, language
        self._ahead = _begun.pop(folder) if folder in _begun else _Ahead(folder)
        self.here = Here(self._ahead.is_up.set)
        told = screen.message([say("screen.page.opening", language)])
        super().__init__([screen.Text(screen.style() + told), self.here])
        threading.Thread(target=self._open, daemon=True).start()

    def _open(self) -> None:
        ahead = self._ahead
        try:
            ahead.is_read.wait()
            if not ahead.is_up.wait(_PATIENCE):
                return
            if not ahead.is_current():  # it may have begun long ago
                ahead = _Ahead(self._folder)
                ahead.is_read.wait()
            if ahead.error is not None:
                raise ahead.error
            from kc_model.workbench.page import AppPage  # noqa: PLC0415

            begun = ahead.first, ahead.maker
            page = AppPage(self._folder, self._language, begun=begun, here=self.here)
            self.children = [page, self.here]
        except Exception as error:  # noqa: BLE001 - a planner never sees a traceback
            from kc_model.workbench.desk import explain_error  # noqa: PLC0415

            told = screen.message(explain_error(error, self._language), "stop")
            self.children = [screen.Text(screen.style() + told)]


def open_page(folder: str | Path = ".", language: Language = "vi") -> Opening:
    """Return the planner's page for a browser that is still opening; the rest is `Opening`'s."""
    return Opening(Path(folder).resolve(), language)
