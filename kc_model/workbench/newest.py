"""Work in the background of which only the newest counts."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

__all__ = ["Newest", "Progress", "Step"]

Progress = Callable[[str, float], None]


@dataclass(frozen=True)
class Step:
    """One piece of work and what is done with its result.

    Parameters
    ----------
    work : callable (progress) -> result
        Calls progress now and then; that is where work nobody waits for any more stops.
    show : callable (result) -> None
    pause : float, seconds
        Calm to wait for before beginning.
    """

    work: Callable[[Progress], Any]
    show: Callable[[Any], None]
    pause: float = 0.0


class _Outdated(Exception):  # noqa: N818
    """Something newer was asked for."""


class Newest:
    """Runs chains of steps in the background; a newer chain makes every older one void.

    A result is shown only while its chain is the newest: nothing stale ever overwrites.

    Parameters
    ----------
    failed : callable (Exception) -> None
        Told what went wrong in the newest chain.
    lock : RLock or None
        Held while a result or failure is shown, so that whoever holds it is alone on the screen;
        None: an own one.

    Attributes
    ----------
    give_way : callable ()
        Waited for before a step begins and before its result is shown.
    """

    def __init__(
        self, failed: Callable[[Exception], None], lock: threading.RLock | None = None
    ) -> None:
        self._failed = failed
        self.give_way: Callable[[], None] = lambda: None
        self.lock = lock or threading.RLock()
        self._changed = threading.Condition(self.lock)
        self._ticket = 0
        self._running = 0

    def start(self, *steps: Step) -> None:
        """Begin a chain and return at once."""
        with self._changed:
            self._ticket += 1
            self._running += 1
            self._changed.notify_all()
            thread = threading.Thread(target=self._run, args=(self._ticket, steps), daemon=True)
        thread.start()

    def drop(self) -> None:
        """Let nothing that runs be shown any more."""
        with self._changed:
            self._ticket += 1
            self._changed.notify_all()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until nothing runs; tell whether that came true in time (seconds)."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._running, timeout)

    def _run(self, ticket: int, steps: tuple[Step, ...]) -> None:
        try:
            for step in steps:
                self._take(ticket, step)
        except _Outdated:
            pass
        except Exception as error:  # noqa: BLE001 - whatever it is, the desk tells the planner
            with self._changed:
                if ticket == self._ticket:
                    self._failed(error)
        finally:
            with self._changed:
                self._running -= 1
                self._changed.notify_all()

    def _take(self, ticket: int, step: Step) -> None:
        def is_newer() -> bool:
            return ticket != self._ticket

        def progress(_name: str, _share: float) -> None:
            if is_newer():
                raise _Outdated

        self.give_way()
        if step.pause:
            with self._changed:
                self._changed.wait_for(is_newer, step.pause)
        if is_newer():
            raise _Outdated
        result = step.work(progress)
        self.give_way()
        with self._changed:
            if is_newer():
                raise _Outdated
            step.show(result)
