"""``allocation.xlsx``: a plan as an office prints, signs and files it."""

from __future__ import annotations

import pandas as pd

from kc_model.export.book import Book, display_of
from kc_model.export.frame import finish
from kc_model.export.ground import write_ground, write_rules
from kc_model.export.moved import write_moves
from kc_model.export.places import write_changes, write_places
from kc_model.export.plan import write_plan
from kc_model.export.stamp import Stamp
from kc_model.export.table import amounts_of
from kc_model.wording import Language

__all__ = ["allocation_workbook"]

_NARROWEST = 13.5  # characters of a money column


def allocation_workbook(
    stamp: Stamp,
    cells: pd.DataFrame,
    rules: pd.DataFrame,
    language: Language = "vi",
    moves: pd.DataFrame | None = None,
) -> bytes:
    """Return a plan as an Excel workbook, ready to print on A4.

    Its sheets: the plan by area and place, with subtotals and totals as formulas that carry their
    values; the same by place, linked to it, where there are several; who loses and who gains, where
    there is a baseline; mid-year the moves; the rules with what they cost; what it all rests on.

    Parameters
    ----------
    stamp : Stamp
    cells : DataFrame, one row per cell in official order
        year (int), place, area, activity, source, region (text), amount, baseline (Int64, VND),
        expected_disbursed (float64, VND; NaN where unknown). Other columns are not printed.
    rules : DataFrame, one row per rule, group and side
        id, group, side, tier, status, text, basis (text), lhs, bound, slack, shortfall, price
        (float64, NaN blank; money in the stamp's unit), told (what loosening it would give, in
        the workbook's language; see `kc_model.explain.loosening`).
    language : {"vi", "en"}
    moves : DataFrame, optional
        Of a mid-year plan, as `kc_model.export.moved.write_moves` takes them.

    Returns
    -------
    bytes
        The same for the same input. No text of the user's is a formula, a link or a number.

    Raises
    ------
    ValueError
        If there is no cell.
    """
    amounts = amounts_of(cells)
    if not amounts:
        raise ValueError("a plan without cells cannot be printed")
    money = [vnd for cell in amounts for vnd in (cell.amount, cell.baseline) if vnd is not None]
    book = Book(language, stamp.vintage, display_of(money, stamp.unit, _NARROWEST))
    table = write_plan(book, stamp, amounts)
    if len({cell.place for cell in amounts}) > 1:
        write_places(book, stamp, amounts, table)
    if "change" in table.columns:
        write_changes(book, stamp, amounts)
    if moves is not None and len(moves):
        write_moves(book, stamp, moves)
    write_rules(book, stamp, rules, amounts)
    write_ground(book, stamp)
    return finish(book, stamp)
