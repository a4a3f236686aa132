"""Rules made concrete: one row for every rule, group and side over the cells of a plan.

A row says ``L ≥ m · B`` (side min), ``L ≤ m · B`` (max) or ``L = m · B`` (a budget that is used
up), with L = Σ coef · x and B = const + Σ base_coef · x, x in million VND. Budgets and the bounds
of cells are rows too, so that one table can tell of everything that holds.
"""

from __future__ import annotations

from collections.abc import Sequence

from kc_model.errors import Fault
from kc_model.rules.budgets import bound_rows, budget_rows, purses, with_budget
from kc_model.rules.groups import rule_rows, with_rule
from kc_model.rules.measures import column_of
from kc_model.rules.row import Row
from kc_model.rules.sums import Sums
from kc_model.scenario import Scenario

__all__ = [
    "Row",
    "Sums",
    "bound_rows",
    "budget_rows",
    "column_of",
    "purses",
    "renumber_rows",
    "rule_rows",
]


def renumber_rows(
    rows: Sequence[Row], before: Scenario, now: Scenario, unit: str, faults: list[Fault]
) -> tuple[Row, ...]:
    """Return the rows of a scenario that differs from an earlier one in numbers and words only.

    Parameters
    ----------
    rows : sequence of Row
        Those of the earlier scenario; the ones that nothing has changed are given back themselves.
    before, now : Scenario
        Of the same `Scenario.shape`.
    unit : str
        The dataset's unit.
    faults : list of Fault
        Amounts that are no whole đồng are added to it.
    """
    rules = {rule.id: rule for rule in now.rules}
    same = {rule.id for rule, old in zip(now.rules, before.rules, strict=True) if rule == old}
    budgets = [
        row if new == old else with_budget(row, new, unit, faults)
        for row, new, old in zip(rows, now.budget, before.budget, strict=False)
    ]
    others = [
        row if row.id in same or row.id not in rules else with_rule(row, rules[row.id])
        for row in rows[len(budgets) :]
    ]
    return (*budgets, *others)
