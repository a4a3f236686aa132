"""Opening the notebooks: JupyterLab on this machine alone, with a token, asking nobody for news."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from kc_model.workbench.folders import find_data

__all__ = ["lab_command", "lab_environment", "open_lab"]

_START = "notebooks/00_bat_dau.ipynb"


def open_lab(folder: str | Path | None = None, extra: Sequence[str] = ()) -> int:
    """Open the start page in JupyterLab and wait until it is closed.

    Parameters
    ----------
    folder : path or None
        The project's folder, or one inside it; None: the current folder.
    extra : sequence of str
        Further arguments for JupyterLab, such as ``--no-browser``.

    Returns
    -------
    int
        JupyterLab's exit code.

    Raises
    ------
    InputError
        ``data-not-found``: there are no notebooks there.
    """
    start = None if folder is None else Path(folder)
    home = find_data(_START, start).parents[1]
    try:
        return subprocess.call(lab_command(home, extra), cwd=home, env=lab_environment())  # noqa: S603
    except KeyboardInterrupt:  # how a terminal closes it
        return 0


def lab_command(home: Path, extra: Sequence[str] = ()) -> list[str]:
    """Return the command: loopback only, JupyterLab's own token, nothing fetched from outside."""
    return [
        sys.executable,
        "-m",
        "jupyterlab",
        f"--ServerApp.root_dir={home}",
        f"--LabApp.default_url=/lab/tree/{_START}",
        "--ServerApp.ip=127.0.0.1",
        "--ServerApp.allow_remote_access=False",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        "--LabApp.news_url=None",
        "--LabApp.extension_manager=readonly",
        *(["--ServerApp.allow_root=True"] if _is_root() else []),
        *extra,
    ]


def _is_root() -> bool:
    """Whether this is a container's administrator: Jupyter wants to be told that it is meant."""
    return hasattr(os, "geteuid") and os.geteuid() == 0


def lab_environment() -> dict[str, str]:
    """Return the environment: this package's Lab settings before the user's own."""
    settings = str(resources.files("kc_model.workbench").joinpath("jupyter"))
    paths = [settings, os.environ.get("JUPYTER_CONFIG_PATH", "")]
    return {**os.environ, "JUPYTER_CONFIG_PATH": os.pathsep.join(filter(None, paths))}
