"""What every desk is: a title, a language switch, messages, and callbacks that never break."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from logging.handlers import RotatingFileHandler
from typing import Any

import ipywidgets

from kc_model.errors import Fault, InputError, KcError
from kc_model.tables import Dataset, Note
from kc_model.wording import LANGUAGES, Language, say, texts
from kc_model.workbench import screen
from kc_model.workbench.folders import LOG
from kc_model.workbench.newest import Newest

__all__ = ["Desk", "FiguresDesk", "choices", "explain_error", "language_switch", "remedy_on_screen"]


def choices(group: str, keys: Sequence[Any], language: Language) -> list[tuple[str, Any]]:
    """Return the options of a control: the name of every key, with a capital, and the key."""
    names = [say(f"{group}.{key}", language) for key in keys]
    return [(name[:1].upper() + name[1:], key) for name, key in zip(names, keys, strict=True)]


@cache
def _logger() -> logging.Logger:
    logger = logging.getLogger(__name__)
    logger.propagate = False  # a notebook would show it
    try:
        handler: logging.Handler = RotatingFileHandler(
            LOG, maxBytes=1_000_000, backupCount=1, delay=True, encoding="utf-8"
        )
    except OSError:
        handler = logging.NullHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    logger.addHandler(handler)
    return logger


def language_switch(language: Language) -> ipywidgets.ToggleButtons:
    """Return the buttons that switch the language."""
    return ipywidgets.ToggleButtons(
        options=[(say("screen.language", one), one) for one in LANGUAGES],
        value=language,
        style={"button_width": "auto"},
    )


def explain_error(error: Exception, language: Language) -> list[str]:
    """Return an error in sentences; the traceback of an unforeseen one goes to `LOG`."""
    if isinstance(error, InputError):
        return [fault.told(language) for fault in error.faults]
    if isinstance(error, KcError):
        return [str(error)]
    _logger().error("unforeseen", exc_info=error)
    return [say("screen.unforeseen", language, log=LOG)]


def remedy_on_screen(fault: Fault, language: Language) -> str:
    """Return what to do about a fault where there are buttons, not files to write in."""
    own = f"screen.remedies.{fault.code}"
    return say(own, language) if own in texts() else fault.remedy(language)


class Desk(ipywidgets.VBox):  # type: ignore[misc]
    """Base of the desks.

    A desk fills `_words` with everything that depends on the language and starts its work with
    `self.work.start`; `wait` is for programs that need the result at once.
    """

    def __init__(self, language: Language) -> None:
        self.language = language
        self.work = Newest(self._failed)
        self._is_quiet = self._is_away = False
        self.title, self.status = screen.Text(), screen.Text()
        self.tongues = language_switch(language)
        self._when(self.tongues, self._switch)
        super().__init__()
        self.add_class("kc-desk")

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for running work; tell whether it ended in time (seconds)."""
        return self.work.wait(timeout)

    def close(self) -> None:
        """Put the desk away: what runs ends unseen, and what is still pressed does nothing."""
        self._is_away = True
        self.work.drop()
        super().close()

    def say(self, key: str, **values: object) -> str:
        """Return a text of the screen in the desk's language."""
        return say(f"screen.{key}", self.language, **values)

    def _words(self) -> None:
        """Show every text again, in the language as it is now."""
        raise NotImplementedError

    def _switch(self, language: Language) -> None:
        self.language = language
        self._words()

    def _lay_out(self, *children: ipywidgets.Widget) -> None:
        top = ipywidgets.HBox(
            [self.title, self.tongues], layout=ipywidgets.Layout(justify_content="space-between")
        )
        sheet = screen.Text(screen.style())
        sheet.layout.display = "none"
        self.children = (sheet, top, *children)

    def _when(
        self, control: ipywidgets.Widget, act: Callable[[Any], None], name: str = "value"
    ) -> None:
        """Let a control's new value do something; what goes wrong becomes a message."""

        def changed(change: Any) -> None:
            with self.work.lock:
                if not (self._is_quiet or self._is_away):
                    self._guarded(act, change["new"])

        control.observe(changed, name)

    def _on_click(self, button: ipywidgets.Button, act: Callable[[], None]) -> None:
        def clicked(_button: ipywidgets.Button) -> None:
            with self.work.lock:
                if not self._is_away:
                    self._guarded(lambda _none: act(), None)

        button.on_click(clicked)

    def _guarded(self, act: Callable[[Any], None], value: Any) -> None:
        try:
            act(value)
        except Exception as error:  # noqa: BLE001 - a planner never sees a traceback
            self._failed(error)

    def _failed(self, error: Exception) -> None:
        self.status.value = screen.message(explain_error(error, self.language), "stop")

    @contextmanager
    def _quiet(self) -> Iterator[None]:
        """Change controls without anything being done about it."""
        self._is_quiet = True
        try:
            yield
        finally:
            self._is_quiet = False


class FiguresDesk(Desk):
    """Base of the desks that show figures of a dataset, and under the title what those rest on."""

    def __init__(self, data: Dataset, language: Language) -> None:
        self.data = data
        self.notes = screen.Text()
        super().__init__(language)

    def _lay_out(self, *children: ipywidgets.Widget) -> None:
        super()._lay_out(self.notes, *children)

    def _standing(self, notes: Iterable[Note]) -> None:
        """Show what the figures rest on: what is assumed at once, the rest on a click."""
        told = list(dict.fromkeys(notes))
        main = [self._note(n) for n in told if n.standing == "assumed" and not n.table]
        rest = [self._note(n) for n in told if n.standing != "assumed" or n.table]
        warnings = [fault.told(self.language) for fault in self.data.warnings]
        synthetic = [self.say("synthetic")] if self.data.synthetic else []
        self.notes.value = (
            screen.message(synthetic + main, "warn")
            + screen.fold(self.say("rests"), screen.bullets("", [*rest, *self.data.sources]))
            + screen.fold(self.say("warnings", count=len(warnings)), screen.bullets("", warnings))
        )

    def _new(self, warnings: Iterable[Fault]) -> list[Fault]:
        """Return the warnings that are not the data's own; those stand with the notes."""
        return [fault for fault in warnings if fault not in self.data.warnings]

    def _note(self, note: Note) -> str:
        text = note.vi if self.language == "vi" else note.en
        return f"{say(f'export.standing.{note.standing}', self.language)}: {text}"
