"""The files of a saved plan, as they stand in a folder."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kc_model.errors import Address, Fault, InputError
from kc_model.export import recover_folder, unescape_formula
from kc_model.verify.proof import FILE, Proof, read_proof

__all__ = ["Exported", "Table", "read_amounts", "read_exported", "read_number", "read_parts"]

_RESULT = "result.json"
_PROJECTS = "projects.csv"
_LARGEST = 10**17  # VND
_PARTS = {
    "status": str,
    "scenario": str,
    "year": int,
    "unit": str,
    "vintage": str,
    "goals": list,
    "tiers": list,
    "reserve": list,
    "certificate": dict,
    "provenance": dict,
}


@dataclass(frozen=True)
class Table:
    """A CSV file that kc wrote.

    Parameters
    ----------
    rows : tuple of mappings
        Column -> text.
    """

    rows: tuple[Mapping[str, str], ...]


@dataclass(frozen=True)
class Exported:
    """What a plan's folder holds; only the result where there is no plan.

    Parameters
    ----------
    result : mapping
        ``result.json``.
    cells, rules : Table or None
        ``allocation.csv``, ``rules.csv``.
    projects : Table or None
        ``projects.csv``; None of a plan without projects.
    """

    result: Mapping[str, Any]
    cells: Table | None = None
    rules: Table | None = None
    proof: Proof | None = None
    projects: Table | None = None


def read_exported(folder: Path) -> Exported:
    """Read the files of a plan.

    Raises
    ------
    InputError
        With every file that is missing or unreadable.
    """
    if folder.is_dir():
        recover_folder(folder)
    result = _result(_read(folder / _RESULT))
    if result["status"] != "optimal":
        return Exported(result)
    found: dict[str, Any] = {}
    faults: list[Fault] = []
    files = [("allocation.csv", _table), ("rules.csv", _table), (FILE, _proof)]
    if (folder / _PROJECTS).exists():
        files.append((_PROJECTS, _table))
    for name, take in files:
        try:
            found[name] = take(name, _read(folder / name))
        except InputError as error:
            faults.extend(error.faults)
    if faults:
        raise InputError(faults)
    return Exported(result, *found.values())


def _proof(_: str, data: bytes) -> Proof:
    return read_proof(data)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        values = {"path": path, "reason": error.strerror or str(error)}
        raise InputError([Fault("plan-file-missing", Address(path.name), values)]) from None


def _broken(name: str, reason: object) -> InputError:
    return InputError([Fault("plan-file-broken", Address(name), {"reason": reason})])


def _result(data: bytes) -> Mapping[str, Any]:
    try:
        said = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise _broken(_RESULT, error) from None
    for key, kind in _PARTS.items():
        if not isinstance(said, dict) or not isinstance(said.get(key), kind):
            raise _broken(_RESULT, key)
    return dict(said)


def _table(name: str, data: bytes) -> Table:
    try:
        lines = csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""), strict=True)
        heading, *rows = ([unescape_formula(text) for text in line] for line in lines)
        cells = tuple(dict(zip(heading, row, strict=True)) for row in rows)
    except (ValueError, csv.Error) as error:  # UnicodeDecodeError is one
        raise _broken(name, error) from None
    return Table(cells)


def read_amounts(cells: Table, scale: int, count: int) -> NDArray[np.int64]:
    """Return the amounts in VND; none at all unless each of them is whole đồng."""
    found = []
    for row in cells.rows:
        try:
            vnd = Decimal(row["amount"]) * scale
        except (KeyError, InvalidOperation):
            break
        if not vnd.is_finite() or vnd != vnd.to_integral_value() or abs(vnd) > _LARGEST:
            break
        found.append(int(vnd))
    return np.array(found if len(found) == len(cells.rows) == count else [], dtype=np.int64)


def read_parts(
    projects: Table, scale: int, given: NDArray[np.int64], parts: Sequence[tuple[int, str]]
) -> NDArray[np.int64]:
    """Return what each part gets in VND: of a project in one place all, else as it was split.

    Parameters
    ----------
    parts : sequence of (row of the project, place)
    given : array (n_projects,), VND
    """
    counts = Counter(p for p, _ in parts)
    return np.array(
        [
            given[p] if counts[p] == 1 else _split(projects.rows[p].get("split", ""), place, scale)
            for p, place in parts
        ],
        dtype=np.int64,
    )


def _split(text: str, place: str, scale: int) -> int:
    """Return what a split gives a place, VND; -1 if that cannot be read."""
    pairs = dict(part.strip().partition(":")[::2] for part in text.split(";"))
    try:
        vnd = Decimal(pairs.get(place, "0").strip()) * scale
        return int(vnd) if vnd == vnd.to_integral_value() and abs(vnd) <= _LARGEST else -1
    except (InvalidOperation, ValueError):
        return -1


def read_number(value: object) -> float:
    """Return a number as it stands in a file; NaN where there is none."""
    try:
        return float(value) if isinstance(value, str | int | float) else float("nan")
    except (ValueError, OverflowError):
        return float("nan")
