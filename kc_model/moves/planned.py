"""What moves are read from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import pandas as pd

from kc_model.errors import Fault
from kc_model.scenario import Scenario
from kc_model.tables import Dataset

__all__ = ["ONLY_PAID", "Planned"]

ONLY_PAID = "only_paid"
"""Reason of a project that keeps what it was paid and gets no more; codes of why follow it."""


class Planned(Protocol):
    """A plan; see `kc_model.results.Allocation`, whose fields these are."""

    # Properties, because the fields of a frozen dataclass may only be read.
    @property
    def unit(self) -> str:
        """The dataset's unit."""

    @property
    def year(self) -> int:
        """Budget year."""

    @property
    def as_of(self) -> int | None:
        """Last month known."""

    @property
    def data(self) -> Dataset:
        """The dataset."""

    @property
    def scenario(self) -> Scenario:
        """The scenario."""

    @property
    def cells(self) -> pd.DataFrame:
        """The plan's cells."""

    @property
    def projects(self) -> pd.DataFrame:
        """Which projects are chosen."""

    @property
    def whys(self) -> pd.DataFrame:
        """Why the others are not."""

    @property
    def warnings(self) -> tuple[Fault, ...]:
        """What is to be known of it."""

    @property
    def parts(self) -> pd.DataFrame:
        """What projects give them."""

    @property
    def rule_rows(self) -> pd.DataFrame:
        """Its rules."""

    @property
    def effects(self) -> pd.DataFrame:
        """What each rule and goal did."""

    @property
    def reserve(self) -> tuple[Mapping[str, Any], ...]:
        """What its budgets leave."""

    @property
    def goals(self) -> tuple[Mapping[str, Any], ...]:
        """Its goals."""
