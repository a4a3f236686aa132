"""From typed rows to the canonical tables: one vintage, official order, every value traceable."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pandas as pd

from kc_model import reference
from kc_model.errors import Address
from kc_model.reading.columns import Typed
from kc_model.sheets import Grid
from kc_model.tables import SCHEMAS, Kind, Origin, Schema, column_dtype, empty_table, in_order

__all__ = ["Origins", "canonical_tables"]

_SUMMED = {Kind.MONEY, Kind.NUMBER}


class Origins(Mapping[Origin, Address]):
    """Where each row of each canonical table stands: (table, row) -> address of its first cell.

    A row that was summed from several leads to the first of them. (table, row, column) is the cell
    of a column, the first one where the file has no such column.

    Parameters
    ----------
    rows : mapping
        Table -> its grid and, for each canonical row, the position in the grid.
    """

    def __init__(self, rows: Mapping[str, tuple[Grid, list[int]]]) -> None:
        self._rows = rows

    def __getitem__(self, key: Origin) -> Address:
        table, row, *column = key
        grid, positions = self._rows[str(table)]
        if not 0 <= int(row) < len(positions):
            raise KeyError(key)
        position = positions[int(row)]
        return grid.at(position, column[0]) if column else grid.sheet.cell_at(position, 0)

    def __iter__(self) -> Iterator[Origin]:
        return ((name, i) for name, (_, rows) in self._rows.items() for i in range(len(rows)))

    def __len__(self) -> int:
        return sum(len(rows) for _, rows in self._rows.values())


def canonical_tables(
    tables: Mapping[str, Typed], vintage: str
) -> tuple[dict[str, pd.DataFrame], Origins]:
    """Return every table of `SCHEMAS` and where its rows come from.

    Parameters
    ----------
    tables : mapping
        Table -> typed rows without a fault.
    vintage : {"63", "34"}
        The dataset's; history of the other is summed.

    Raises
    ------
    InputError
        vintage-total, if a sum is too large for its type.
    """
    frames: dict[str, pd.DataFrame] = {}
    rows: dict[str, tuple[Grid, list[int]]] = {}
    for name, schema in SCHEMAS.items():
        if name not in tables:
            frames[name] = empty_table(name)
            continue
        typed = tables[name]
        frame = typed.frame
        if "vintage" in schema.by_name and len(frame):
            frame = _in_vintage(typed, schema, vintage)
        # Evidence stays as it was written.
        order = frame.index if name == "evidence" else in_order(frame, schema.key, vintage).index
        rows[name] = (typed.grid, [int(row) for row in order])
        frames[name] = frame.loc[order].reset_index(drop=True)
    return frames, Origins(rows)


def _in_vintage(typed: Typed, schema: Schema, vintage: str) -> pd.DataFrame:
    """Return the table with its places in one vintage; index: the first row of each sum."""
    frame, keys = typed.frame, list(schema.key)
    sums = [column.name for column in schema.columns if column.kind in _SUMMED]
    at = typed.grid.sheet.at
    result = reference.to_vintage(frame, vintage, vintage, keys=keys, sums=sums, at=at)
    result = result[list(schema.by_name)].astype(
        {column.name: column_dtype(column.kind) for column in schema.columns}
    )
    if len(result) == len(frame) and (frame["vintage"].isin(["", vintage])).all():
        return result
    old = ~frame["vintage"].isin(["", vintage])
    places = {code: reference.successor(code) for code in frame.loc[old, "place"].unique()}
    first = frame.assign(place=frame["place"].mask(old, frame["place"].map(places)))
    first = first.reset_index(names="row").drop_duplicates(keys)[[*keys, "row"]]
    return result.merge(first, how="left", on=keys).set_index("row").rename_axis(None)
