"""Opening the planner's page: Voilà on this machine alone, behind a token, one page only."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import signal
import tempfile
import webbrowser
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from html import escape
from importlib import resources
from pathlib import Path
from types import FrameType
from typing import TextIO

from traitlets.config import Config
from voila.app import Voila

from kc_model.errors import Address, Fault, InputError
from kc_model.workbench.folders import LOG, UPLOADS

__all__ = ["PORT", "open_app"]

PORT = 8866
"""Where the page is looked for first; the next ports follow where it is taken."""

_PORTS = 20
_IDLE = 900  # seconds without a page after which its kernel is stopped
_EVERY = 60  # seconds between two looks for such kernels
_UPLOAD = 100 * 2**20  # bytes: a large workbook
_PAGE = "khuyen_cong.ipynb"
_BEGIN = "--IPKernelApp.exec_lines=from kc_model.workbench.opening import begin; begin()"

Tell = Callable[[str, dict[str, object]], None]


def open_app(
    folder: str | Path | None, tell: Tell, *, port: int = PORT, browser: bool = True
) -> int:
    """Serve the planner's page until Ctrl-C, and open it in the browser.

    Parameters
    ----------
    folder : path or None
        Where the planner's data lie and results go; None: the current folder.
    tell : callable (key, values)
        Told ``busy`` (port, next) for a port that is taken and ``running`` (address) once the page
        can be opened.
    port : int
        The first one to try.
    browser : bool
        Whether the page is opened.

    Returns
    -------
    int
        0 once it was closed.

    Raises
    ------
    InputError
        ``folder-not-found``, ``no-free-port``.
    """
    home = Path(folder or ".").resolve()
    if not home.is_dir():
        raise InputError([Fault("folder-not-found", Address(str(home)))])
    with tempfile.TemporaryDirectory(prefix="kc-") as private, _around(private), _log() as out:
        server = _Server(config=_settings(home, Path(private), port), log=logging.root)
        server.tell, server.out = tell, out
        server.door = Path(private, "open.html") if browser else None
        server.initialize([])
        server.start()
    return 0


def _settings(home: Path, private: Path, port: int) -> Config:
    """Return Voilà's settings: loopback, a token of its own, no files, no code, no traceback."""
    page = resources.files("kc_model.workbench").joinpath("jupyter", _PAGE)
    return Config(
        {
            "Voila": {
                "ip": "127.0.0.1",
                "port": port,
                "port_retries": _PORTS - 1,
                "token": secrets.token_urlsafe(24),
                "notebook_path": str(page),
                "config_file_paths": [],  # nobody's own settings open the door
                "connection_dir_root": str(private),
                "tornado_settings": {"websocket_max_message_size": _UPLOAD},
            },
            "VoilaConfiguration": {
                "template": "kc",
                "allow_template_override": "NO",
                "allow_theme_override": "NO",
                "file_allowlist": [],
                "show_tracebacks": False,
                "http_keep_alive_timeout": 60,
            },
            # A page that is left does not stop its kernel (voila #1458): it is culled.
            "MappingKernelManager": {
                "root_dir": str(home),
                "cull_idle_timeout": _IDLE,
                "cull_interval": _EVERY,
            },
            "HTMLExporter": {"language_code": "vi"},
        }
    )


class _Server(Voila):  # type: ignore[misc]
    """Voilà, which says in our words where it listens."""

    tell: Tell
    out: TextIO
    door: Path | None = None
    _start: Callable[..., Awaitable[str]]
    _first: asyncio.Future[str] | None = None
    _handle_signal_stop: Callable[[int, FrameType | None], None]

    def init_settings(self) -> dict[str, object]:
        """Prepare Voilà; what its kernels print goes to our log, not into the terminal."""
        settings: dict[str, object] = super().init_settings()
        manager = self.kernel_manager
        self._start = partial(
            manager.start_kernel, stdout=self.out, stderr=self.out, extra_arguments=[_BEGIN]
        )
        manager.start_kernel = self._kernel
        return settings

    async def _kernel(self, **how: object) -> str:
        """Return a kernel: the first page finds one that has long begun, if it still lives."""
        first, self._first = self._first, None
        kernel = await first if first is not None else ""
        return kernel if kernel in self.kernel_manager else await self._start(**how)

    def _begin(self) -> None:
        """Start the first kernel; from now on Ctrl-C stops the loop, as ending the process does.

        Raised in the midst of what the loop runs it could be lost.
        """
        signal.signal(signal.SIGINT, self._handle_signal_stop)
        how = {"kernel_name": "python3", "path": str(Path(self.notebook_path).parent)}
        self._first = asyncio.ensure_future(self._start(**how))

    def random_ports(self, port: int, n: int) -> Iterator[int]:
        """Yield the ports to try, one after the other."""
        yield port
        for taken in range(port, port + n - 1):
            self.tell("busy", {"port": taken, "next": taken + 1})
            yield taken + 1
        raise InputError([Fault("no-free-port", Address(), {"first": port, "last": port + n - 1})])

    def launch_browser(self) -> None:
        """Say where the page is, now that it can be reached, and open it."""
        asyncio.get_event_loop().call_soon(self._begin)
        address = f"{self.connection_url}?token={self.token}"
        self.tell("running", {"address": address})
        if self.door is not None:
            _show(address, self.door)


def _show(address: str, door: Path) -> None:
    """Open the browser by a file of our own: everybody can read command lines, not this file."""
    door.write_text(
        f'<!doctype html><meta http-equiv="refresh" content="0;url={escape(address, quote=True)}">',
        encoding="utf-8",
    )
    webbrowser.open(door.as_uri())


@contextmanager
def _around(private: str) -> Iterator[None]:
    """Tell kernels what is theirs while the server runs: our page first, one place for uploads."""
    before = os.environ.get("JUPYTER_PATH", "")
    own = str(resources.files("kc_model.workbench").joinpath("jupyter"))
    os.environ["JUPYTER_PATH"] = os.pathsep.join(filter(None, [own, before]))
    os.environ[UPLOADS] = str(Path(private, "uploads"))
    try:
        yield
    finally:
        os.environ["JUPYTER_PATH"] = before
        del os.environ[UPLOADS]


@contextmanager
def _log() -> Iterator[TextIO]:
    """Keep what the server and its kernels say in a file, out of the planner's terminal."""
    with LOG.open("a", encoding="utf-8") as out:
        handler = logging.StreamHandler(out)
        handler.setFormatter(logging.Formatter("%(asctime)s %(name)s %(message)s"))
        logging.basicConfig(handlers=[handler], level=logging.ERROR, force=True)
        yield out
