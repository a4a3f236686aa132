"""Raw tables with addresses: CSV files, Excel sheets and YAML, before anything is typed.

`open_sheets` reads a workbook, `read_delimited` a CSV file, `read_yaml` a YAML file; `lay_out`
finds the headings of a table, `records` and `pairs` those of the sheets that stand for YAML.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from kc_model.errors import Fault
from kc_model.sheets.delimited import read_delimited
from kc_model.sheets.layout import (
    Grid,
    choice_code,
    choices,
    clean_text,
    heading,
    known_attributes,
    lay_out,
    named_choices,
    pairs,
    records,
    sheet_name,
    shown_name,
    shown_sheet,
    spellings,
)
from kc_model.sheets.office import read_workbook
from kc_model.sheets.raw import BROKEN, Cell, Sheet, Value, screen_text, value_text
from kc_model.sheets.tree import Item, list_of, mapping_of, read_yaml, tell_unknown, text_of

__all__ = [
    "BROKEN",
    "Cell",
    "Grid",
    "Item",
    "Sheet",
    "Value",
    "choice_code",
    "choices",
    "clean_text",
    "heading",
    "known_attributes",
    "lay_out",
    "list_of",
    "mapping_of",
    "named_choices",
    "open_sheets",
    "pairs",
    "read_delimited",
    "read_yaml",
    "records",
    "screen_text",
    "sheet_name",
    "shown_name",
    "shown_sheet",
    "spellings",
    "tell_unknown",
    "text_of",
    "value_text",
]


def open_sheets(path: str | Path) -> dict[str, Sheet]:
    """Return the sheets of a workbook by canonical name ("history"), else by title.

    Raises
    ------
    InputError
        If the file cannot be read as a workbook at all. Faults of single cells are kept with
        their sheet, in `Sheet.faults`; so is ``sheet-twice`` (two titles mean one table).
    """
    found: dict[str, Sheet] = {}
    for sheet in read_workbook(Path(path)):
        name = sheet_name(sheet.title) or sheet.title
        named = replace(sheet, name=name)
        if name in found:
            first = found[name]
            fault = Fault("sheet-twice", named.at, {"other": first.title})
            found[name] = replace(first, faults=(*first.faults, fault))
        else:
            found[name] = named
    return found
