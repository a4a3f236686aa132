"""Why a place or an area has more or less than before: found in the plan's own numbers.

Nothing is guessed. What a rule or a goal did is known from the plan made without it
(`kc_model.results.Allocation.effects`), what a purse did from its rise or fall, and the chances of
disbursement are those of the slices where the money ends.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from kc_model.plan import Plan

__all__ = ["Reason", "find_reasons"]

_PART = 0.25  # of a change: what a driver must have done of it to be named
_MAIN = 0.9  # of what the purses did: one that did as much is named alone
_APART = 0.005  # of chances that are shown as different


@dataclass(frozen=True)
class Reason:
    """The strongest single reason for a change.

    Parameters
    ----------
    kind : {"budget", "budgets", "limit", "rule", "chance", "goal", "open", "joint"}
        The purse rose or fell; several did; a rule whose limit the place itself has reached; any
        other rule; a goal by which money goes where it is disbursed; any other goal; nothing but
        the settlement; none alone.
    driver : str
        Column of the plan's effects; "" for several or none.
    amount : float, VND
        What the driver gives; below 0 where it takes.
    here, there : float
        Kind ``budget``: change of the purse as a share. Kind ``chance``: the chance that a million
        more (of a loser), or the last million (of a winner), is disbursed, and the same where the
        money went or came from.
    keeper : str
        Driver without which a loser would lose `kept` (VND) more, at least as much again; "" for
        none.
    """

    kind: str
    driver: str = ""
    amount: float = 0.0
    here: float = float("nan")
    there: float = float("nan")
    keeper: str = ""
    kept: float = 0.0


def find_reasons(plan: Plan, key: str, wanted: Iterable[str]) -> dict[str, Reason]:
    """Return the reason of places or areas that changed.

    Parameters
    ----------
    key : {"place", "area"}
    wanted : iterable of str
        Their codes; those that did not change are left out.

    Returns
    -------
    dict
        Code -> reason. Empty where the plan was not worked out without its rules.
    """
    if plan.effects.empty:
        return {}
    seek, found = _Search(plan, plan.cells[key]), {}
    for code in wanted:
        inside = (seek.codes == code).to_numpy()
        total = float(seek.change[inside].sum())
        if total:
            found[code] = seek.reason(code, total, seek.effects[inside].sum(axis=0))
    return found


class _Search:
    def __init__(self, plan: Plan, codes: pd.Series) -> None:
        self.plan, self.codes = plan, codes
        self.change = (plan.cells["amount"] - plan.cells["baseline"]).astype("float64")
        self.effects = plan.effects.to_numpy(dtype=np.float64)
        names = plan.effects.columns
        is_purse = names.str.startswith("budget:")
        self.purses, self.others = np.flatnonzero(is_purse), np.flatnonzero(~is_purse)
        self.names = names.tolist()

    def reason(self, code: str, change: float, effects: NDArray[np.float64]) -> Reason:
        rest = effects[self.others]
        keeper, kept = "", 0.0
        if change < 0 and len(rest) and rest.max() >= -change:
            keeper, kept = self.names[self.others[rest.argmax()]], float(rest.max())
        toward = np.append(effects[self.purses].sum(), rest) * np.sign(change)
        main = int(toward.argmax())
        amount = float(toward[main] * np.sign(change))
        if toward[main] < _PART * abs(change):
            return Reason(self._without_driver(code, change), keeper=keeper, kept=kept)
        if not main:
            return self._of_purses(effects[self.purses], amount, keeper, kept)
        driver = self.names[self.others[main - 1]]
        kind, here, there = self._kind(code, driver, change)
        return Reason(kind, driver, amount, here, there, keeper, kept)

    def _without_driver(self, code: str, change: float) -> str:
        moved = (self.codes == code) & (self.change * np.sign(change) > 0)
        return "open" if self.plan.cells["is_open"][moved].all() else "joint"

    def _of_purses(
        self, parts: NDArray[np.float64], amount: float, keeper: str, kept: float
    ) -> Reason:
        at = int((parts * np.sign(amount)).argmax())
        if parts[at] / amount < _MAIN:
            return Reason("budgets", "", amount, keeper=keeper, kept=kept)
        main = self.names[self.purses[at]]
        inside = self.plan.cells["budget"] == main
        before = float(self.plan.cells["baseline"][inside].sum())
        rise = float(self.change[inside].sum()) / before
        return Reason("budget", main, amount, rise, keeper=keeper, kept=kept)

    def _kind(self, code: str, driver: str, change: float) -> tuple[str, float, float]:
        if driver.startswith("goal|"):
            return self._chances(code, change)
        rules = self.plan.rule_rows
        side = "max" if change < 0 else "min"
        at_limit = rules[
            (rules["id"] == driver) & (rules["side"] == side) & (rules["status"] == "binding")
        ]
        own = any(code in group.split("|") for group in at_limit["group"])
        return "limit" if own else "rule", np.nan, np.nan

    def _chances(self, code: str, change: float) -> tuple[str, float, float]:
        """Hold the chances here against those where the money went or came from."""
        cells, moved = self.plan.cells, self.change * np.sign(change)
        inside = (self.codes == code) & (moved > 0)
        others = (self.codes != code) & (moved < 0) & cells["budget"].isin(cells["budget"][inside])
        own, other = ("chance_next", "chance_last")[:: 1 if change < 0 else -1]
        here = _mean(cells[own][inside], moved[inside])
        there = _mean(cells[other][others], moved[others])
        told = (there - here) * -np.sign(change) >= _APART
        return "chance" if told else "goal", here, there


def _mean(values: pd.Series, weights: pd.Series) -> float:
    total = float(weights.sum())
    return float((values * weights).sum(skipna=False)) / total if total else float("nan")
