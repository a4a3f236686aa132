"""What the browser tells of itself: that it has come up, what it showed, that Python is gone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import traitlets

from kc_model.workbench import screen

__all__ = ["Here"]


class Here(screen.Part):
    """Tells that a browser has come up with the page, and lets it ask before it closes.

    Parameters
    ----------
    is_up : callable () -> None

    Attributes
    ----------
    unsaved : bool
        Whether closing the page would lose something: the browser then asks first.
    language : {"vi", "en"}
        In which the page is read aloud.
    gone : dict
        What the page says once Python has ended: server, kernel; unsaved behind.
    shown : dict
        What the page comes back to where it is loaded again.
    before : dict
        The same of the page before, where this one is that loaded again; empty otherwise.
    """

    _file = "here.js"
    unsaved = traitlets.Bool(False).tag(sync=True)
    language = traitlets.Unicode("vi").tag(sync=True)
    gone = traitlets.Dict().tag(sync=True)
    shown = traitlets.Dict().tag(sync=True)

    def __init__(self, is_up: Callable[[], None] = lambda: None) -> None:
        super().__init__()
        self._up = is_up
        self.before: dict[str, Any] = {}

    def _told(self, content: Any) -> None:
        if "shown" in content:  # else it asks whether Python is still there
            self.before = dict(content["shown"])
        self._up()
        self.send({"here": True})
