"""What a result was made from."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib import metadata
from typing import Any

from kc_model.errors import Fault

__all__ = ["VERSION", "Provenance", "run_of", "told", "versions_of"]

VERSION = "0.1.0"
"""Of kc_model, as in pyproject.toml: also where it runs from its sources."""


@dataclass(frozen=True)
class Provenance:
    """What a result was made from: printed on every output.

    Parameters
    ----------
    versions : mapping
        Package name to version: kc_model and what its numbers depend on.
    dataset, scenario : str
        SHA-256 of the dataset and of the scenario ("" for a forecast).
    seed : int
        Seed of the draws.
    """

    versions: Mapping[str, str]
    dataset: str
    scenario: str = ""
    seed: int = 0


def versions_of(*packages: str) -> dict[str, str]:
    """Return the version of kc_model and of the packages named; "?" if one is not installed."""
    found = {"kc_model": VERSION}
    for name in packages:
        try:
            found[name] = _installed(name)
        except metadata.PackageNotFoundError:
            found[name] = "?"
    return found


@cache
def _installed(package: str) -> str:
    return metadata.version(package)


def run_of(seconds: float) -> dict[str, Any]:
    """Return what may differ between two runs of the same input."""
    return {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(seconds, 3),
        "machine": platform.platform(),
        "python": platform.python_version(),
    }


def told(faults: Sequence[Fault]) -> list[dict[str, str]]:
    """Return faults as a file tells them, in both languages."""
    return [
        {"code": fault.code, "at": str(fault.at), "vi": fault.text("vi"), "en": fault.text("en")}
        for fault in faults
    ]
