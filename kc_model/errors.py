"""Every named error and the faults they carry.

A fault says where it is, what was found there and what to do, in both languages. Input faults are
collected and raised once, so that an officer mends a workbook in one pass.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from kc_model.wording import Language, say, texts

__all__ = [
    "Address",
    "Fault",
    "InfeasibleError",
    "InputError",
    "KcError",
    "NotOptimalError",
    "SaveError",
    "errors_in",
    "raise_faults",
]


@dataclass(frozen=True, order=True)
class Address:
    """Where a value stands.

    Parameters
    ----------
    file : str
        File name as the user knows it, without its folder; "" where no file is meant.
    sheet : str
        Sheet of a workbook; "" for other files.
    cell : str
        ``D12`` in a sheet or CSV file (CSV too, since planners open them in Excel),
        ``line 7`` in YAML, "" for the whole file.
    column : str
        Heading of the column or path of the YAML key, as written in the file; may be "".
    """

    file: str = ""
    sheet: str = ""
    cell: str = ""
    column: str = ""

    def __str__(self) -> str:
        place = "!".join(part for part in (self.file, self.sheet, self.cell) if part)
        return f"{place} ({self.column})" if self.column else place


@dataclass(frozen=True)
class Fault:
    """One thing wrong, or worth knowing, in what the user gave.

    Parameters
    ----------
    code : str
        Stable name such as ``unknown-place``; ``faults.<code>.found`` and ``faults.<code>.remedy``
        are its texts; with ``_in_sheet`` behind, of a sheet.
    at : Address
        Where it is.
    values : mapping
        Fills the fields of the texts.
    level : {"error", "warning"}
        A warning leaves the result right and is recorded with it.
    """

    code: str
    at: Address = Address()
    values: Mapping[str, object] = field(default_factory=dict)
    level: Literal["error", "warning"] = "error"

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", MappingProxyType(dict(self.values)))

    def found(self, language: Language = "vi") -> str:
        """Return what was found, one sentence."""
        return self._told("found", language)

    def remedy(self, language: Language = "vi") -> str:
        """Return what to do about it, one sentence."""
        return self._told("remedy", language)

    def _told(self, part: str, language: Language) -> str:
        """Return one of the texts; of a cell in a workbook its own, where there is one."""
        keys = f"faults.{self.code}.{part}_in_sheet", f"faults.{self.code}.{part}"
        is_own = bool(self.at.sheet) and keys[0] in texts()
        return say(keys[not is_own], language, **self.values)

    def text(self, language: Language = "vi") -> str:
        """Return address, code, finding and remedy on one line."""
        where = f"{self.at}: " if str(self.at) else ""
        return f"{where}[{self.code}] {self.found(language)} → {self.remedy(language)}"

    def told(self, language: Language = "vi") -> str:
        """Return the same without the code: what a screen says."""
        return self.text(language).replace(f"[{self.code}] ", "", 1)


class KcError(Exception):
    """Base of every error the package raises on purpose."""

    exit_code = 1


class InputError(KcError, ValueError):
    """What the user gave cannot be used; carries every fault at once (exit code 2).

    Parameters
    ----------
    faults : iterable of Fault
        At least one of level "error"; warnings may stand beside it.
    """

    exit_code = 2

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(fault.text("vi") for fault in self.faults))


class InfeasibleError(KcError, ValueError):
    """The laws contradict each other: no plan can satisfy them all (exit code 3)."""

    exit_code = 3


class NotOptimalError(KcError, RuntimeError):
    """No plan was proven best in the time allowed, or its certificate failed (exit code 4)."""

    exit_code = 4


class SaveError(KcError, OSError):
    """A file could not be saved; what stood there before is untouched (exit code 1).

    Parameters
    ----------
    faults : iterable of Fault
        Why, and what to do.
    """

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(fault.text("vi") for fault in self.faults))


def errors_in(faults: Iterable[Fault]) -> int:
    """Return how many of some faults are errors."""
    return sum(fault.level == "error" for fault in faults)


def raise_faults(faults: Iterable[Fault]) -> tuple[Fault, ...]:
    """Raise `InputError` if any fault is an error; return the warnings otherwise."""
    faults = tuple(faults)
    if errors_in(faults):
        raise InputError(faults)
    return faults
