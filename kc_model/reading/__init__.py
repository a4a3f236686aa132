"""Getting files in: a folder or a workbook becomes a `Dataset`, or every fault at once."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from kc_model.errors import Address, Fault, InputError, errors_in, raise_faults
from kc_model.evidence import check_evidence
from kc_model.reading.canonical import canonical_tables
from kc_model.reading.checks import check_attributes, check_table
from kc_model.reading.columns import Typed, cell_order, type_table
from kc_model.reading.meta import Meta, build_meta, sheet_items
from kc_model.reading.projects import linked_ids, needed_by, place_shares
from kc_model.reading.rows import reconcile, set_aside
from kc_model.reading.values import Terms
from kc_model.sheets import (
    Grid,
    Item,
    Sheet,
    known_attributes,
    lay_out,
    open_sheets,
    read_delimited,
    read_yaml,
    shown_sheet,
)
from kc_model.tables import FORMS, SCHEMAS, Dataset, empty_table

__all__ = ["draft_dataset", "linked_ids", "needed_by", "place_shares", "read_dataset"]

_SHOWN = 20  # faults of one kind in one column that are listed one by one
_TABULAR = {".csv", ".tsv", ".txt", ".xlsx", ".xlsm", ".xlsb", ".xls", ".ods"}
_NO_WORKBOOK = {".csv", ".tsv", ".txt", ".yaml", ".yml", ".json", ".md"}
_OURS = {*SCHEMAS, *FORMS, "guide", "lists"}


def read_dataset(path: str | Path, progress: Callable[[str, float], None] | None = None) -> Dataset:
    """Read a dataset from a folder, or from one workbook with the same tables as sheets.

    Rows come out in official order, money in VND, history of the 63 provinces summed to the 34
    where the dataset is in the 34.

    Parameters
    ----------
    path : str or Path
        A folder with ``dataset.yaml`` and CSV files, or an .xlsx file.
    progress : callable (step, share), optional
        Called with "reading" and the share done, 0 to 1; a large workbook takes seconds.

    Returns
    -------
    Dataset
        Its warnings say what reading found that leaves the data right.

    Raises
    ------
    InputError
        With every fault of every table at once.
    """
    data, faults = draft_dataset(path, progress)
    raise_faults(faults)
    if data is None:
        raise InputError(faults)
    return data


def draft_dataset(
    path: str | Path, progress: Callable[[str, float], None] | None = None
) -> tuple[Dataset | None, tuple[Fault, ...]]:
    """Return what can be read of a dataset, and every fault.

    Parameters
    ----------
    path, progress
        As for `read_dataset`.

    Returns
    -------
    tuple
        The dataset: with an error among the faults its tables have columns but no rows, for
        selections to be held against; None where not even that is known. The faults, in the order
        of the files.
    """
    path = Path(path)
    tell = progress or (lambda _step, _share: None)
    tell("reading", 0.0)
    faults: list[Fault] = []
    try:
        read = _open_folder if _is_folder(path) else _open_workbook
        items, at, sheets = read(path, faults)
    except InputError as error:
        return None, (*faults, *error.faults)
    meta = build_meta(items, at, faults)
    grids = {name: _lay_out(sheets[name], faults) for name in SCHEMAS if name in sheets}
    terms = Terms(meta.unit, meta.vintage, meta.decimal)
    tables = {}
    for share, (name, (grid, totals)) in enumerate(grids.items(), start=1):
        tell("reading", 0.5 + 0.05 * share)
        tables[name] = _type(grid, totals, terms, faults)
    check_attributes(tables, faults)
    _check_evidence(tables, faults)
    if not any(typed.grid.rows for typed in tables.values()) and not errors_in(faults):
        faults.append(Fault("no-tables", Address(path.name)))
    told = tuple(_in_order(faults))
    if errors_in(told):
        return _columns_only(meta, tables, told), told
    try:
        frames, origins = canonical_tables(tables, meta.vintage)
    except InputError as error:
        return None, (*told, *error.faults)
    tell("reading", 1.0)
    about = (meta.title, meta.vintage, meta.unit, meta.synthetic, meta.sources)
    rest = (meta.notes, told, origins, path.absolute().name, _merged(tables, meta.vintage))
    return Dataset(*about, frames, *rest), told


def _merged(tables: Mapping[str, Typed], vintage: str) -> dict[int, int]:
    """Return by year how many provinces of the other vintage its history is of."""
    if "history" not in tables:
        return {}
    frame = tables["history"].frame
    old = frame[~frame["vintage"].isin(["", vintage])]
    return {int(str(year)): part["place"].nunique() for year, part in old.groupby("year")}


def _columns_only(
    meta: Meta, tables: Mapping[str, Typed], faults: Iterable[Fault]
) -> Dataset | None:
    """Return a dataset without rows; None where its vintage or its attributes are not known."""
    named = {name for name, typed in tables.items() if typed.grid.columns}
    lost = {Path(fault.at.file).stem.lower() for fault in faults if fault.level == "error"}
    if not meta.vintage or {"cells", "places"} & (lost | set(tables)) - named:
        return None
    frames = {name: empty_table(name) for name in SCHEMAS}
    frames |= {name: tables[name].frame.head(0) for name in named}
    twice = set(frames["places"].columns) & set(frames["cells"].columns) - {"place"}
    frames["places"] = frames["places"].drop(columns=list(twice))
    about = (meta.title, meta.vintage, meta.unit or "vnd", meta.synthetic, meta.sources)
    return Dataset(*about, frames, meta.notes, tuple(faults))


# ---------------------------------------------------------------------------- opening

_Opened = tuple[Mapping[str, Item] | None, Address, dict[str, Sheet]]


def _is_folder(path: Path) -> bool:
    try:
        if path.exists():
            return path.is_dir()
    except OSError:  # a name that no file can have
        pass
    raise InputError([Fault("no-such-path", Address(path.name), {"path": path.name})])


def _open_folder(path: Path, faults: list[Fault]) -> _Opened:
    """Return what ``dataset.yaml`` says and the CSV files by table.

    Other YAML files (scenarios), notes and hidden files are none of a dataset's business; tables
    under another name or in another format are warned of.
    """
    at = Address("dataset.yaml")
    items: Mapping[str, Item] | None = None
    sheets: dict[str, Sheet] = {}
    try:
        files = [file for file in sorted(path.iterdir()) if file.is_file()]
    except PermissionError:
        raise InputError([Fault("file-locked", Address(path.name))]) from None
    files = [file for file in files if not file.name.startswith((".", "~$"))]
    names = {file.name.lower() for file in files}
    if "dataset.yaml" not in names:
        faults.append(Fault("missing-file", Address(path.name), {"name": "dataset.yaml"}))
    for file in files:
        table, suffix = file.stem.lower(), file.suffix.lower()
        try:
            if file.name.lower() == "dataset.yaml":
                items = read_yaml(file, faults)
            elif suffix == ".csv" and table in sheets:
                faults.append(
                    Fault("sheet-twice", Address(file.name), {"other": sheets[table].file})
                )
            elif suffix == ".csv" and table in SCHEMAS:
                sheets[table] = read_delimited(file, table)
            elif suffix in _TABULAR:
                faults.append(_stray_file(file, names))
        except InputError as error:
            faults += error.faults
    return items, at, sheets


def _stray_file(file: Path, names: set[str]) -> Fault:
    """Return what to say of a table that is not read: refused where it seems to be meant."""
    table = file.stem.lower()
    if table in SCHEMAS and f"{table}.csv" not in names:
        return Fault("wrong-format", Address(file.name), {"name": f"{table}.csv"})
    near = difflib.get_close_matches(table, SCHEMAS, 1, 0.7)
    known = ", ".join(f"{name}.csv" for name in near or SCHEMAS)
    return Fault("unknown-file", Address(file.name), {"known": known}, "warning")


def _open_workbook(path: Path, faults: list[Fault]) -> _Opened:
    at = Address(path.name)
    if not path.is_file() or path.suffix.lower() in _NO_WORKBOOK:
        raise InputError([Fault("not-a-dataset", at)])
    sheets = open_sheets(path)
    if path.with_name(f"~${path.name}").exists():
        faults.append(Fault("open-in-excel", at, level="warning"))
    for name, sheet in sheets.items():
        if name not in _OURS and sheet.rows:
            near = difflib.get_close_matches(name, map(shown_sheet, _OURS), 1, 0.6)
            known = ", ".join(near or map(shown_sheet, SCHEMAS))
            faults.append(Fault("unknown-sheet", sheet.at, {"known": known}, "warning"))
    if "dataset" not in sheets:
        faults.append(Fault("missing-sheet", at, {"name": shown_sheet("dataset")}))
        return None, at, sheets
    return sheet_items(sheets, faults), sheets["dataset"].at, sheets


# ---------------------------------------------------------------------------- tables


def _lay_out(sheet: Sheet, faults: list[Fault]) -> tuple[Grid, tuple[int, ...]]:
    """Find the columns of a table and its rows of data; return its rows of totals beside them."""
    schema = SCHEMAS[sheet.name]
    faults += sheet.faults
    is_blank = not sheet.rows and bool(sheet.title)  # a sheet nobody has filled in
    columns = (*schema.by_name, *known_attributes(sheet.name))
    required = () if is_blank else _required(sheet.name)
    grid = lay_out(sheet, columns, required, faults, extra=schema.extra)
    return set_aside(grid, sheet.name, faults)


def _required(table: str) -> list[str]:
    return [column.name for column in SCHEMAS[table].columns if column.required]


def _type(grid: Grid, totals: Sequence[int], terms: Terms, faults: list[Fault]) -> Typed:
    """Type one table and check its rows against each other."""
    table = grid.sheet.name
    typed = type_table(grid, table, terms, faults)
    if all(name in grid.columns for name in _required(table)):
        reconcile(typed, totals, faults)
        check_table(typed, terms.vintage, faults)
    return typed


def _check_evidence(tables: Mapping[str, Typed], faults: list[Fault]) -> None:
    typed = tables.get("evidence")
    if typed is not None and not typed.bad and len(typed.frame):
        frame = typed.frame.reset_index(drop=True)
        rows = [int(str(row)) for row in typed.frame.index]
        origins = {("evidence", i): typed.grid.at(row, "value") for i, row in enumerate(rows)}
        faults += check_evidence(frame, origins)


# ---------------------------------------------------------------------------- faults


def _in_order(faults: Iterable[Fault]) -> list[Fault]:
    """Return the faults as a reader meets them; past the 20th of a kind in a column, a count."""
    faults = list(faults)
    places = list(dict.fromkeys((fault.at.file, fault.at.sheet) for fault in faults))
    ordered = sorted(
        faults, key=lambda f: (places.index((f.at.file, f.at.sheet)), cell_order(f.at.cell))
    )
    kinds = [(f.code, f.level, f.at.file, f.at.sheet, f.at.column) for f in ordered]
    seen: Counter[tuple[str, ...]] = Counter()
    shown = []
    for fault, kind in zip(ordered, kinds, strict=True):
        seen[kind] += 1
        if seen[kind] <= _SHOWN:
            shown.append(fault)
    for (code, level, file, sheet, column), count in seen.items():
        if count > _SHOWN:
            at = Address(file, sheet, column=column)
            values = {"count": count - _SHOWN, "code": code}
            more = Fault("more-faults", at, values, "error" if level == "error" else "warning")
            shown.append(more)
    return shown
