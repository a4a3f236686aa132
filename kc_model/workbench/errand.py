"""Long work behind a button: how far it is, how long it still takes, and a stop."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import ipywidgets

from kc_model.money import format_number
from kc_model.wording import Language, say
from kc_model.workbench import screen
from kc_model.workbench.desk import explain_error
from kc_model.workbench.newest import Newest, Progress, Step

__all__ = ["Aside", "Errand"]

# Steps that go on to the end of their work at one pace; the share of others says nothing of time.
_COUNTED = {"backtest", "bridge", "frontier", "learning", "presets", "reasons", "why"}
_CERTAIN = 2.0  # seconds of a step after which its pace is known


class Aside(ipywidgets.VBox):  # type: ignore[misc]
    """Tells of work that goes on how far it is and how long it still takes; a button stops it.

    Parameters
    ----------
    lock : RLock
        Of the desk.
    patience : float, seconds
        What is done sooner is not spoken of.

    Attributes
    ----------
    stop : Button
    told : Text
        How far it is; that it was stopped.
    """

    def __init__(self, lock: threading.RLock, patience: float = 0.0) -> None:
        self._lock, self._patience = lock, patience
        self._language: Language = "vi"
        self._is_stopped, self._since = False, 0.0
        self._step = ("", 0.0, 0.0)  # name, when it began, and at what share
        self._end: float | None = None  # when it ends by itself
        self.stop = ipywidgets.Button(
            icon="stop",
            layout=ipywidgets.Layout(width="auto", display="none", align_self="flex-start"),
        )
        self.told = screen.Text()
        self.stop.on_click(lambda _button: self._stop())
        super().__init__([self.stop, self.told])

    def words(self, language: Language) -> None:
        """Show what the button is called."""
        self._language = language
        self.stop.description = say("screen.errand.stop", language)

    def run(
        self,
        work: Callable[[Progress], Any],
        progress: Progress,
        *,
        keeps: bool | None = None,
        most: float | None = None,
    ) -> Any:
        """Do the work and return its result; None if it was stopped before there was one.

        Parameters
        ----------
        keeps : bool or None
            Whether something is there that stays if it is stopped, as the button then says; None:
            that depends on how far it is.
        most : float or None
            Seconds after which it ends by itself, once it has begun to tell; None: not known.
        """
        self._since, self._step, self._end = time.monotonic(), ("", 0.0, 0.0), None
        label = "screen.errand.stop_all" if keeps is False else "screen.errand.stop"
        ended = "screen.errand.kept" if keeps else "screen.errand.stopped"

        def tell(step: str, share: float) -> None:
            progress(step, share)
            if self._is_stopped:
                raise KeyboardInterrupt
            if self._end is None and most is not None:
                self._end = time.monotonic() + most
            if step != self._step[0]:
                self._step = step, time.monotonic(), share
            if time.monotonic() - self._since >= self._patience:
                with self._lock:
                    self.stop.layout.display, self.stop.disabled = "", False
                    self.stop.description = say(label, self._language)
                    self.told.value = screen.message([self._how_far(step, share)])

        try:
            return work(tell)
        except KeyboardInterrupt:
            return None
        finally:
            with self._lock:
                is_spoken, self._is_stopped = self._is_stopped, False
                self.rest([say(ended, self._language)] if is_spoken else [])

    def rest(self, told: Sequence[str] = (), kind: str = "") -> None:
        """Take the button away, and say how it ended if that is to be said."""
        self.stop.layout.display = "none"
        self.told.value = screen.message(told, kind)

    def _how_far(self, step: str, share: float) -> str:
        """Say how much is done and left where a step counts it, else how long it has taken.

        And how long at most it still can take, if that is known.
        """
        now, language = time.monotonic(), self._language
        if step not in _COUNTED or share >= 1:
            seconds = format_number(round(now - self._since), 0, language)
            if self._end is None or self._end <= now:
                return say("screen.errand.busy", language, seconds=seconds)
            rest = format_number(math.ceil(self._end - now), 0, language)
            return say("screen.errand.within", language, seconds=seconds, most=rest)
        _, began, first = self._step
        part, spent = (share - first) / (1 - first), now - began
        done = format_number(round(100 * part), 0, language)
        if part <= 0 or spent < _CERTAIN:
            return say("screen.errand.done", language, share=done)
        left = spent * (1 - part) / part
        seconds = format_number(max(1, round(left)), 0, language)
        return say("screen.errand.left", language, share=done, seconds=seconds)

    def _stop(self) -> None:
        self._is_stopped = self.stop.disabled = True


class Errand(ipywidgets.VBox):  # type: ignore[misc]
    """Runs long work, tells how far it is and lets it be stopped.

    Parameters
    ----------
    begin : callable () -> work or None
        Asked on a click: work (progress) -> result, or None where there is nothing to do. Stopped,
        progress raises KeyboardInterrupt; work that lets it through has no result.
    show : callable (result) -> None
    lock : RLock
        Of the desk.
    most : float or None
        See `Aside.run`.

    Attributes
    ----------
    button, stop : Button
    told : Text
        How far it is; why it failed.
    """

    def __init__(
        self,
        begin: Callable[[], Callable[[Progress], Any] | None],
        show: Callable[[Any], None],
        lock: threading.RLock,
        most: float | None = None,
    ) -> None:
        self._most = most
        self._begin, self._show, self._lock = begin, show, lock
        self._language: Language = "vi"
        self._work = Newest(self._failed, lock)
        self.wait = self._work.wait
        self._aside = Aside(lock)
        self.stop, self.told = self._aside.stop, self._aside.told
        self.button = ipywidgets.Button(layout=ipywidgets.Layout(width="auto"))
        self.button.on_click(lambda _button: self._start())
        super().__init__([screen.row(self.button, self.stop), self.told])

    def words(self, label: str, language: Language) -> None:
        """Show what the button is called."""
        self._language, self.button.description = language, label
        self._aside.words(language)

    def _start(self) -> None:
        with self._lock:
            try:
                work = self._begin()
            except Exception as error:  # noqa: BLE001 - a planner never sees a traceback
                self._failed(error)
                return
            if work is None:
                return
            self.button.disabled = True
            self.told.value = screen.message([say("screen.working", self._language)])
            run = partial(self._aside.run, work, most=self._most)
            self._work.start(Step(run, self._done))

    def _done(self, result: Any) -> None:
        self.button.disabled = False
        if result is not None:
            self._aside.rest()
            self._show(result)

    def _failed(self, error: Exception) -> None:
        self.button.disabled = False
        self._aside.rest(explain_error(error, self._language), "stop")
