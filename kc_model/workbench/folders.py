"""Where a notebook finds its data and leaves its files, wherever it was started from."""

from __future__ import annotations

import re
import tempfile
from datetime import datetime
from pathlib import Path

from kc_model.errors import Address, Fault, InputError

__all__ = ["LOG", "UPLOADS", "find_data", "new_folder", "plain_name"]

LOG = Path(tempfile.gettempdir()) / "kc_model.log"
"""Where the traceback of what nobody foresaw goes; a planner sees a sentence."""

UPLOADS = "KC_UPLOADS"
"""Variable with the folder of what browsers send, while the page's server runs."""

_RESERVED = {"con", "prn", "aux", "nul"}  # of Windows


def find_data(path: str | Path, start: Path | None = None) -> Path:
    """Return a file or folder of the project, sought from a folder upwards.

    So that ``data/published/national-2022`` means the same in the project's folder, in its
    ``notebooks`` and below.

    Parameters
    ----------
    path : path
        Relative to the project's folder; an absolute path must exist.
    start : path or None
        Where to begin; None: the current folder.

    Raises
    ------
    InputError
        ``data-not-found``.
    """
    start = (start or Path.cwd()).resolve()
    for folder in (start, *start.parents):
        if (folder / path).exists():
            return folder / path
    raise InputError([Fault("data-not-found", Address(str(path)), {"start": start})])


def plain_name(name: str) -> str:
    """Return a name that a file or folder can have everywhere, from any text."""
    plain = re.sub(r"[^\w-]+", "-", name).strip("-")[:60] or "plan"
    return f"{plain}-" if plain.split("-")[0].casefold() in _RESERVED else plain


def new_folder(name: str, start: Path | None = None) -> Path:
    """Return a folder for a new export that does not exist yet: ``out/<name>-<date>-<time>``.

    Parameters
    ----------
    name : str
        Any text; what a folder name cannot hold becomes a hyphen.
    start : path or None
        None: the current folder. ``out`` stands beside the nearest ``data`` at or above it, or in
        it where there is none.
    """
    start = (start or Path.cwd()).resolve()
    home = next((f for f in (start, *start.parents) if (f / "data").is_dir()), start)
    plain = plain_name(name)
    when = datetime.now().astimezone().strftime("%Y%m%d-%H%M%S")
    folder = home / "out" / f"{plain}-{when}"
    number = 1
    while folder.exists():
        number += 1
        folder = folder.with_name(f"{plain}-{when}-{number}")
    return folder
