"""When solving ends: at a moment, or because somebody ends it."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

__all__ = ["Clock"]


@dataclass
class Clock:
    """When all that share it end (a moment of `time.monotonic`), and whether somebody did that."""

    deadline: float
    stopped: bool = False

    @property
    def is_running(self) -> bool:
        """Whether there is time left."""
        return time.monotonic() < self.deadline

    def stop(self) -> None:
        """End everything now."""
        self.deadline, self.stopped = time.monotonic(), True

    @contextmanager
    def stoppable(self) -> Iterator[None]:
        """Let Ctrl-C end the search as the deadline would; pressed again it ends everything."""
        self.stopped = False
        before = signal.getsignal(signal.SIGINT)
        if before is None or threading.current_thread() is not threading.main_thread():
            yield
            return

        def stop(*_: object) -> None:
            self.stop()
            signal.signal(signal.SIGINT, before)

        signal.signal(signal.SIGINT, stop)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)
