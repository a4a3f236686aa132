"""The cells of a plan on one frame, and which of them a selection means."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from kc_model import reference
from kc_model.errors import Address, Fault
from kc_model.scenario import Where
from kc_model.tables import CELL_KEYS

__all__ = ["MILLION", "Cells"]

MILLION = 1_000_000
"""VND in the unit that the program works in."""

_SHOWN = 5
_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")


@dataclass(frozen=True)
class Cells:
    """The cells of a plan in official order.

    Parameters
    ----------
    frame : DataFrame
        Index 0..n-1; the keys, ``region``, baseline, min, max, unit_cost (Int64 VND), weight and
        every attribute of cells and places.
    place_columns : frozenset of str
        Attributes that belong to a place, counted once for each place.
    vintage : str
        Vintage of the place codes.
    """

    frame: pd.DataFrame
    place_columns: frozenset[str]
    vintage: str

    def __len__(self) -> int:
        return len(self.frame)

    def names(self) -> list[str]:
        """Return ``place|area|source`` of every cell, with year and activity where they vary."""
        if self.frame.empty:
            return []
        keys = [
            key
            for key in CELL_KEYS
            if (key != "year" or (self.frame["year"] != self.frame["year"].iloc[0]).any())
            and (key != "activity" or (self.frame["activity"] != "").any())
        ]
        return ["|".join(map(str, row)) for row in self.frame[keys].itertuples(index=False)]

    def keep(self, mask: NDArray[np.bool_]) -> Cells:
        """Return only the cells of a mask."""
        return replace(self, frame=self.frame[mask].reset_index(drop=True))

    def attribute(self, name: str) -> pd.Series | None:
        """Return a key or attribute of every cell, or None if there is none of that name."""
        return self.frame[name] if name in self.frame.columns else None

    def unknown(self, name: str, at: Address) -> Fault:
        """Return the fault that no such key or attribute exists, with the nearest name."""
        names = [str(column) for column in self.frame.columns]
        near = difflib.get_close_matches(name, names, 1, 0.5)
        return Fault(
            "unknown-attribute", at, {"name": name, "near": near[0] if near else ", ".join(names)}
        )

    def select(
        self,
        where: Where,
        at: Address,
        faults: list[Fault],
        same: Mapping[str, object] | None = None,
    ) -> NDArray[np.bool_]:
        """Return the mask of the cells that a selection means.

        Parameters
        ----------
        where : mapping
            Key or attribute -> any of these values; empty: every cell.
        at : Address
            Where the selection stands, for faults.
        faults : list of Fault
            Unknown attributes and names are added to it; a warning where cells have no value of
            an attribute, so that they cannot be told apart and are left out.
        same : mapping, optional
            The group's own values, for ``same``.
        """
        mask = np.ones(len(self), dtype=bool)
        untold: dict[str, NDArray[np.bool_]] = {}
        for key, values in where.items():
            column = self.attribute(key)
            if column is None:
                faults.append(self.unknown(key, at))
                continue
            hit = np.zeros(len(self), dtype=bool)
            for value in values:
                if value == "same" and same is not None:
                    hit |= (column == same[key]).to_numpy(dtype=bool, na_value=False)
                else:
                    hit |= self._matches(key, column, value, at, faults)
            untold[key] = self.missing(key)
            mask &= hit | untold[key]
        for key, missing in untold.items():
            faults.extend(self.left_out(key, missing & mask, at))
        for missing in untold.values():
            mask &= ~missing
        return mask

    def missing(self, name: str) -> NDArray[np.bool_]:
        """Return the mask of the cells that have no value of an attribute; keys always have one."""
        if name in (*CELL_KEYS, "region"):
            return np.zeros(len(self), dtype=bool)
        column = self.frame[name]
        return (column.isna() | (column == "").fillna(False)).to_numpy(dtype=bool)

    def left_out(self, name: str, mask: NDArray[np.bool_], at: Address) -> list[Fault]:
        """Return the warning that cells are left out for want of an attribute; [] for none."""
        if not mask.any():
            return []
        named = [cell for cell, out in zip(self.names(), mask, strict=True) if out]
        shown = ", ".join(named[:_SHOWN]) + ("…" if len(named) > _SHOWN else "")
        values = {"name": name, "count": len(named), "cells": shown}
        return [Fault("attribute-missing", at, values, level="warning")]

    def _matches(
        self, key: str, column: pd.Series, value: str, at: Address, faults: list[Fault]
    ) -> NDArray[np.bool_]:
        finders: dict[str, Callable[[str], str]] = {
            "place": lambda text: reference.find_place(text, self.vintage),
            "area": reference.find_area,
            "source": reference.find_source,
            "region": reference.find_region,
        }
        if key in finders:
            try:
                value = finders[key](value)
            except reference.UnknownNameError as error:
                values = {"key": key, "found": value, **error.near}
                faults.append(Fault("unknown-name", at, values))
                return np.zeros(len(self), dtype=bool)
        if pd.api.types.is_numeric_dtype(column):
            if not _NUMBER.fullmatch(value):
                values = {"key": key, "found": value, "example": "17800"}
                faults.append(Fault("scenario-number", at, values))
                return np.zeros(len(self), dtype=bool)
            return (column == float(value)).to_numpy(dtype=bool, na_value=False)
        return (column == value).to_numpy(dtype=bool, na_value=False)
