"""An `Allocation` filled step by step: the plan, its ranges, its prices."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from kc_model.allocate.prices import Price
from kc_model.allocate.stages import Climb
from kc_model.cells import MILLION
from kc_model.program import Problem, Stage
from kc_model.results import Allocation, Provenance
from kc_model.standing import goal_unit, rule_table, stage_value
from kc_model.tables import Dataset

__all__ = ["Draft", "versions"]

_OPEN = 1e-6
_PACKAGES = ("kc_model", "PuLP", "highspy", "clarabel", "numpy", "pandas", "scipy")

Money = NDArray[np.float64]


class Draft:
    """An allocation in the making.

    Parameters
    ----------
    data : Dataset
    problem : Problem
    as_of : int or None
    """

    def __init__(self, data: Dataset, problem: Problem, as_of: int | None) -> None:
        self.problem = problem
        scenario, outlook = problem.scenario, problem.outlook
        self.result = Allocation(
            status="limit",
            data=data,
            scenario=scenario,
            outlook=outlook,
            as_of=as_of,
            cells=pd.DataFrame(),
            rule_rows=pd.DataFrame(),
            goals=(),
            tiers=(),
            undecided=(),
            reserve=(),
            conflicts=(),
            gap=None,
            certificate={},
            warnings=problem.warnings,
            notes=problem.notes,
            provenance=Provenance(
                versions(),
                data.hash,
                scenario.hash,
                outlook.provenance.seed if outlook is not None else 0,
            ),
            baseline_year=problem.baseline_year,
        )

    def without_plan(
        self,
        status: str,
        conflicts: Sequence[Mapping[str, Any]] = (),
        certificate: Mapping[str, Any] | None = None,
    ) -> Allocation:
        """Return the result that says why there is no plan."""
        return replace(
            self.result, status=status, conflicts=tuple(conflicts), certificate=certificate or {}
        )

    def fill(
        self,
        amounts: NDArray[np.int64],
        settled: Money,
        stages: Sequence[Stage],
        climb: Climb,
        certificate: Mapping[str, Any],
        proof: Callable[[], Mapping[str, Any]],
    ) -> None:
        """Put in a proven plan, in VND, and what it was before rounding, in million VND."""
        x = amounts / MILLION
        goals = [s for s, stage in enumerate(stages) if stage.goal is not None]
        tiers = [s for s, stage in enumerate(stages) if stage.goal is None]
        self.result = replace(
            self.result,
            status="optimal",
            cells=self._cells(x, amounts),
            rule_rows=self._rules(amounts, settled),
            goals=tuple(self._goal(stages[s], climb.best[s], x) for s in goals),
            tiers=tuple(self._tier(stages[s], climb.best[s], x) for s in tiers),
            reserve=tuple(
                {"budget": row.id, "amount": int(row.exact or 0) - int(amounts[row.cells].sum())}
                for row in self.problem.rows
                if row.id.startswith("budget:") and row.side == "max"
            ),
            gap=climb.gap,
            certificate=certificate,
            proof=proof,
        )

    def fill_undecided(self, low: Money, high: Money) -> None:
        """Put in which cells the goals left open: those seen at different amounts."""
        is_open = high - low > _OPEN * np.maximum(1.0, high)
        names = zip(self.problem.cells.names(), is_open, strict=True)
        self.result = replace(self.result, undecided=tuple(name for name, free in names if free))

    def fill_ranges(self, low: Money, high: Money) -> None:
        """Put in the lowest and highest amount of every cell."""
        cells = self.result.cells
        amounts = cells["amount"].to_numpy(dtype=np.int64)
        least = np.minimum(np.rint(low * MILLION).astype(np.int64), amounts)
        most = np.maximum(np.rint(high * MILLION).astype(np.int64), amounts)
        lowest, highest = pd.array(least, dtype="Int64"), pd.array(most, dtype="Int64")
        self.result = replace(self.result, cells=cells.assign(lowest=lowest, highest=highest))

    def tight(self) -> list[int]:
        """Return the numbers of the rows that bind or are missed."""
        return list(np.flatnonzero(self.result.rule_rows["status"].isin(["binding", "missed"])))

    def fill_prices(self, prices: Mapping[int, Price]) -> None:
        """Put in the prices of tight rows; a row with room to spare costs nothing."""
        rules = self.result.rule_rows
        price = np.where((rules["status"] == "met") & bool(prices), 0.0, np.nan)
        low, high = np.full((2, len(rules)), np.nan)
        for r, found in prices.items():
            price[r], low[r], high[r] = found.value, -found.down, found.up
        low, high = (
            np.where(np.isfinite(end), rules["bound"] + end, np.nan) for end in (low, high)
        )
        self.result = replace(
            self.result, rule_rows=rules.assign(price=price, price_from=low, price_to=high)
        )

    def _cells(self, x: Money, amounts: NDArray[np.int64]) -> pd.DataFrame:
        keys = ["year", "place", "area", "activity", "source", "region"]
        blank = pd.array([pd.NA] * len(x), dtype="Int64")
        return self.problem.cells.frame[keys].assign(
            amount=pd.array(amounts, dtype="Int64"),
            baseline=self.problem.cells.frame["baseline"],
            expected_disbursed=self.problem.curves.expected(x) * MILLION,
            lowest=blank,
            highest=blank,
        )

    def _rules(self, amounts: NDArray[np.int64], settled: Money) -> pd.DataFrame:
        rules = rule_table(self.problem, amounts, settled)
        at = list(rules.columns).index("measure")
        for name in ("price_to", "price_from", "price"):
            rules.insert(at, name, np.nan)
        return rules

    def _tier(self, stage: Stage, best: float, x: Money) -> dict[str, Any]:
        return {"name": stage.name, "best": best, "shortfall": stage_value(self.problem, stage, x)}

    def _goal(self, stage: Stage, best: float, x: Money) -> dict[str, Any]:
        problem = self.problem
        size = goal_unit(problem, stage)
        return {
            "name": stage.name,
            "best": stage.sign * stage.scale * best * size + 0.0,  # never −0
            "achieved": stage_value(problem, stage, x) * size,
        }


@cache
def versions() -> Mapping[str, str]:
    """Return the version of every package that the numbers depend on."""
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "?"
    return found
