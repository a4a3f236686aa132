"""A plan: its numbers and what they rest on, as whatever tells of it reads them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from kc_model.errors import Fault
from kc_model.scenario import Scenario
from kc_model.tables import Dataset, Note

__all__ = ["ONLY_PAID", "Plan"]

ONLY_PAID = "only_paid"
"""Reason of a project that keeps what it was paid and gets no more; codes of why follow it."""

_CLOSED = 1e-6


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The numbers of a plan, or why there are none; `kc_model.results.Allocation` is one.

    Parameters
    ----------
    status : {"optimal", "infeasible", "limit"}
        Only an optimal result has numbers.
    data : Dataset
    scenario : Scenario
    as_of : int or None
    cells : DataFrame
        In official order: year (int64), place, area, activity, source, region (text), amount,
        baseline (Int64 VND), expected_disbursed (float64 VND, NaN where unknown), lowest, highest
        (Int64 VND, <NA> where not computed); is_open (bool: left open by the goals, as `undecided`
        names them); and, "" and NaN where the plan was made without detail: budget (text: id of the
        budget row that holds the cell, of several the narrowest), basis (text: what its absorption
        rests on, see `kc_model.problem.Problem.basis`), chance_last, chance_next (float64: the
        chance that its last money, and a little more, is disbursed, see
        `kc_model.cells.Curves.chances`); expected_baseline (float64 VND: what the baseline would
        disburse on the same footing, mid-year without what nobody can use any more).
    rule_rows : DataFrame
        One row per rule, group and side: id, group, side, tier, lhs, bound, slack, status,
        shortfall, price, price_from, price_to (float64 in the user's unit, NaN: no meaning), step
        (by how much the rule's own number would readably be loosened), gain (what the first goal's
        best then gains, everything asked again: see `kc_model.allocate.gains`; NaN: not asked),
        measure (money, share, outputs or column:NAME), factor (the rule's own number), text,
        basis.
    goals, tiers : tuple of dict
        name, best, achieved; name, best, shortfall. `best` is of the plan before rounding, where
        later goals may have cost something (``give``); `achieved` and `shortfall` are of the
        rounded plan. That may be better than best: a share or a count may be off by one step of
        the grid. `rounding` tells what each was before and after it.
    bounds : tuple of float
        For each goal what no plan beats that is as good by those before it: its `best`, unless
        projects were chosen to a gap.
    enough : dict of int to float
        With detail, by the number of a goal that may give way (from 1): how good it could be if
        all others were to get what they do.
    undecided : tuple of str
        Cells that the goals left open and the settlement decided.
    reserve : tuple of dict
        budget, amount (VND) that is not spent.
    conflicts : tuple of dict
        Why there is no plan.
    gap : float or None
    certificate : mapping
    warnings : tuple of Fault
    notes : tuple of Note
    baseline_year : int or None
        Year whose plan is the baseline; None where ``cells.csv`` gives it.
    projects : DataFrame
        One row per project, by id: id, chosen (bool), amount (Int64 VND, 0 if it is not chosen),
        reason (codes joined by ``;``, see `project_table`). Empty without ``projects.csv``. Where
        time ran out while projects were chosen it is the best choice found till then, not proven
        and never saved; <NA> where its amount was not settled yet.
    parts : DataFrame
        What each project gives its cells: project (id), cell (row of `cells`), before (mid-year in
        the plan in force, else 0), after (Int64 VND), one of them above 0; idle (of `before`: what
        nobody can use any more). Empty without projects.
    whys : DataFrame
        Why projects that may be chosen are not, see `kc_model.allocate.whynot.find_whys`; empty
        where there are too many, or the plan was made without detail.
    held : dict
        Mid-year with projects, by who gives and who takes (`kc_model.moves.pair_of`): ids of the
        rules that would be broken if the move were not made; none: the goals alone made it.
    reached : tuple of dict
        Of a choice that time ran out for: the tiers and goals in order, each with its name, goal
        (its number; None: a tier) and proven (bool): the first that is not is the one left open;
        where all are, it is the amounts of what was chosen.
    stopped : bool
        Whether somebody ended the search, not time: it is "limit" then, or some reasons lack.
    """

    status: str
    data: Dataset = field(repr=False, compare=False)
    scenario: Scenario = field(repr=False, compare=False)
    as_of: int | None
    cells: pd.DataFrame
    rule_rows: pd.DataFrame
    goals: tuple[Mapping[str, Any], ...]
    tiers: tuple[Mapping[str, Any], ...]
    bounds: tuple[float, ...] = ()
    undecided: tuple[str, ...]
    reserve: tuple[Mapping[str, Any], ...]
    conflicts: tuple[Mapping[str, Any], ...]
    gap: float | None
    certificate: Mapping[str, Any]
    warnings: tuple[Fault, ...]
    notes: tuple[Note, ...]
    baseline_year: int | None = None
    projects: pd.DataFrame = field(default_factory=pd.DataFrame, repr=False)
    parts: pd.DataFrame = field(default_factory=pd.DataFrame, repr=False)
    whys: pd.DataFrame = field(default_factory=pd.DataFrame, repr=False)
    effects: pd.DataFrame = field(default_factory=pd.DataFrame, repr=False)
    rounding: Mapping[str, Any] = field(default_factory=dict)
    defaults: tuple[Mapping[str, str], ...] = ()
    enough: Mapping[int, float] = field(default_factory=dict)
    held: Mapping[tuple[int, str, int, str], tuple[str, ...]] = field(default_factory=dict)
    reached: tuple[Mapping[str, Any], ...] = ()
    stopped: bool = False

    @property
    def scenario_name(self) -> str:
        """Name of the scenario."""
        return self.scenario.name

    @property
    def ended(self) -> dict[str, int]:
        """Chosen projects that are not carried out: what they were paid and keep, VND, by id."""
        if self.projects.empty:
            return {}
        own = self.projects[self.projects["reason"].str.startswith(ONLY_PAID)]
        return dict(zip(own["id"], own["amount"].fillna(0).astype(int), strict=True))

    @property
    def is_exact(self) -> bool:
        """Whether the gap is closed, not only to what a choice of whole projects may leave."""
        return (self.gap or 0.0) <= _CLOSED

    @property
    def year(self) -> int:
        """Budget year; the first one of a plan over several years."""
        return self.scenario.year

    @property
    def unit(self) -> str:
        """The dataset's unit."""
        return self.data.unit

    @property
    def vintage(self) -> str:
        """Vintage of the places' codes."""
        return self.data.vintage

    @property
    def synthetic(self) -> bool:
        """Whether the dataset is."""
        return self.data.synthetic
