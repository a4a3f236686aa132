"""The console script ``kc``: it hears Ctrl-C from its first moment; then `kc_model.commands` runs.

What the commands are made of takes tenths of a second to load; Ctrl-C in the middle of that would
end in a traceback that no code of ours could catch.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code, see `kc_model.commands.run`.

    Parameters
    ----------
    arguments : sequence of str or None
        None: those of the command line.
    """
    heard: list[int] = []
    is_main = threading.current_thread() is threading.main_thread()
    before = is_main and signal.signal(signal.SIGINT, lambda number, _frame: heard.append(number))
    from kc_model.commands import run  # noqa: PLC0415 - what takes the time

    if is_main:
        signal.signal(signal.SIGINT, before or signal.SIG_DFL)
    return run(arguments, is_stopped=bool(heard))


if __name__ == "__main__":
    sys.exit(main())
