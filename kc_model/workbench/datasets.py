"""Which datasets lie in and below a folder, and what each of them and its scenarios give."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from kc_model.errors import Address, Fault, InputError
from kc_model.reading import read_dataset
from kc_model.scenario import Scenario, read_scenario
from kc_model.tables import Dataset
from kc_model.workbench.folders import find_data
from kc_model.workbench.newest import Progress

__all__ = [
    "Loaded",
    "data_of",
    "find_datasets",
    "load",
    "scenario_home",
    "scenario_of",
    "shown_path",
    "state_of",
]

_SCENARIOS = "phuong-an"  # folder beside a workbook that holds the scenarios saved for it
_HEADER = "dataset.yaml"
_LEFT_OUT = {"out", _SCENARIOS, "node_modules"}
_BOOKS = {".xlsx", ".xlsm"}
_DEEP = 4


@dataclass(frozen=True)
class Loaded:
    """What one folder or workbook gave.

    Parameters
    ----------
    data : Dataset or None
        None where faults keep it from being used.
    scenarios : mapping of str to Scenario
        By the name of their file; those of the workbook itself by its name.
    faults : tuple of Fault
        Of the data and the scenarios, errors and warnings; that the list of projects is not
        complete for the first scenario.
    home : Path
        Where scenarios of it are saved.
    """

    path: Path
    data: Dataset | None = None
    scenarios: Mapping[str, Scenario] = field(default_factory=dict)
    faults: tuple[Fault, ...] = ()
    home: Path = Path()

    @property
    def errors(self) -> int:
        """How many faults have to be mended."""
        return sum(fault.level == "error" for fault in self.faults)


def data_of(given: Dataset | str | Path) -> Dataset:
    """Return a dataset, read where it is told by its place: sought as by `find_data`."""
    return given if isinstance(given, Dataset) else read_dataset(find_data(given))


def scenario_of(given: Scenario | str | Path) -> Scenario:
    """Return a scenario, read where it is told by its place: sought as by `find_data`."""
    return given if isinstance(given, Scenario) else read_scenario(find_data(given))


def find_datasets(folder: Path) -> tuple[Path, ...]:
    """Return the datasets in and below a folder: the nearest first, then by name.

    Parameters
    ----------
    folder : Path
        Itself one, or a folder of folders with ``dataset.yaml`` and of workbooks. Hidden folders,
        results and Excel's own copies are left out.
    """
    found = list(_datasets(folder, _DEEP))
    return tuple(sorted(found, key=lambda path: (len(path.parts), path.name.casefold())))


def _datasets(folder: Path, deep: int) -> Iterator[Path]:
    if (folder / _HEADER).is_file():
        yield folder
        return
    try:
        entries = list(folder.iterdir())
    except OSError:  # not ours to look into
        return
    for entry in entries:
        if entry.name.startswith((".", "~$")) or entry.name in _LEFT_OUT:
            continue
        if entry.is_dir() and deep:
            yield from _datasets(entry, deep - 1)
        elif entry.suffix.lower() in _BOOKS:
            yield entry


def load(path: Path, progress: Progress | None = None, home: Path | None = None) -> Loaded:
    """Read a dataset and every scenario saved for it, keeping the faults instead of raising them.

    Parameters
    ----------
    path : Path
        A folder or a workbook.
    progress : callable (step, share), optional
    home : Path or None
        Where its scenarios lie; None: see `scenario_home`.
    """
    home = scenario_home(path) if home is None else home
    data: Dataset | None = None
    faults: list[Fault] = []
    try:
        data = read_dataset(path, progress)
        faults.extend(data.warnings)
    except InputError as error:
        faults.extend(error.faults)
    scenarios: dict[str, Scenario] = {}
    for file in _scenario_files(path, home):
        try:
            scenarios[file.name] = scenario = read_scenario(file)
            faults.extend(scenario.warnings)
        except InputError as error:
            if not _is_none(error):
                faults.extend(fault for fault in error.faults if fault not in faults)
    if data is not None and scenarios and len(data.projects):
        # Imported here: without projects nothing of a plan is needed yet.
        from kc_model.problem import incomplete_list  # noqa: PLC0415

        found = incomplete_list(data, next(iter(scenarios.values())))
        faults.extend(fault if path.is_dir() else replace(fault, at=Address()) for fault in found)
    return Loaded(path, data, scenarios, tuple(faults), home)


def state_of(path: Path) -> tuple[tuple[str, int, int], ...]:
    """Return name, moment of change and size of all that a dataset and its scenarios are read from.

    Parameters
    ----------
    path : Path
        A folder or a workbook.
    """
    files = {
        *_scenario_files(path, scenario_home(path)),
        *(path.iterdir() if path.is_dir() else ()),
    }
    stats = ((str(file), file.stat()) for file in sorted(files))
    return tuple((name, stat.st_mtime_ns, stat.st_size) for name, stat in stats)


def scenario_home(path: Path) -> Path:
    """Return where scenarios saved for a dataset lie: in its folder, or beside its workbook.

    Every workbook has a folder of its own there, so that none is offered another's scenarios.

    Parameters
    ----------
    path : Path
        A folder or a workbook; it need not be there.
    """
    return path if path.is_dir() else path.parent / _SCENARIOS / path.stem


def shown_path(path: Path, folder: Path) -> str:
    """Return what a dataset is called among those of a folder: its path from there."""
    return path.name if path == folder else path.relative_to(folder).as_posix()


def _scenario_files(path: Path, home: Path) -> list[Path]:
    """Return where scenarios may be, the one called base first."""
    found = home.glob("*.yaml")
    files = [file for file in found if file.name not in {_HEADER, "evidence.yaml"}]
    if path.suffix.lower() in _BOOKS:
        files.append(path)
    return sorted(files, key=lambda file: (file != path, file.stem != "base", file.name))


def _is_none(error: InputError) -> bool:
    """Whether a file is no scenario at all: a base for others, or a workbook without one."""
    return {fault.code for fault in error.faults} <= {"no-scenario-sheets", "missing-key"}
