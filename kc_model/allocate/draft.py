"""An `Allocation` filled step by step: the plan, its ranges, its prices."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from kc_model.allocate.choice import Choice
from kc_model.allocate.cuts import cuts_of
from kc_model.allocate.defaults import defaults_of
from kc_model.allocate.gains import Gain
from kc_model.allocate.prices import Price
from kc_model.allocate.stages import Climb
from kc_model.cells import MILLION, Curves
from kc_model.errors import Address, Fault
from kc_model.money import largest_remainder, told
from kc_model.offered import Offered
from kc_model.plan import ONLY_PAID
from kc_model.problem import Problem
from kc_model.program import Stage
from kc_model.projects import (
    advances_counted,
    begun_later,
    borrowed_caps,
    management_warnings,
    planned_parts,
    unproven_caps,
)
from kc_model.results import Allocation, Provenance, versions_of
from kc_model.standing import as_told, goal_unit, rule_table, stage_value
from kc_model.tables import Dataset

__all__ = ["Draft", "part_table"]

_OPEN = 1e-6
_PARTS = ("before", "after", "idle")
_LITTLE = 1e-3  # of a stage's own size: a value below has fewer digits
_PACKAGES = ("PuLP", "highspy", "clarabel", "numpy", "pandas", "scipy")

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
        self._in_force = _curves_in_force(problem)
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
                versions_of(*_PACKAGES),
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
        choice: Choice | None = None,
        *,
        stages: Sequence[Stage] = (),
        stopped: bool = False,
    ) -> Allocation:
        """Return the result that says why there is no plan, with the best choice not yet proven.

        And which of the stages, if any were gone through, are proven.
        """
        reached = tuple(
            {
                "name": stage.name,
                "goal": None if stage.goal is None else stage.goal + 1,
                "proven": choice is not None and number < len(choice.best),
            }
            for number, stage in enumerate(stages)
        )
        if choice is not None and choice.chosen is not None and self.problem.offered is not None:
            offered = self.problem.offered
            self.problem = self.problem.decided(choice.chosen)
            self.fill_projects(np.where(choice.chosen & offered.is_whole, offered.most, 0))
            projects = self.result.projects
            unsure = projects["chosen"] & ~offered.is_whole
            amount = projects["amount"].mask(unsure)
            gap = choice.gap if np.isfinite(choice.gap) else None
            self.result = replace(self.result, projects=projects.assign(amount=amount), gap=gap)
        return replace(
            self.result,
            status=status,
            reached=reached if choice is not None and choice.is_found else (),
            stopped=stopped,
            conflicts=tuple(conflicts),
            certificate=certificate or {},
        )

    def warn(self, code: str, **values: object) -> None:
        """Put in a warning of what the result does not tell."""
        fault = Fault(code, Address(), values, level="warning")
        self.result = replace(self.result, warnings=(*self.result.warnings, fault))

    def fill_projects(self, amounts: NDArray[np.int64]) -> None:
        """Put in which projects are chosen, of how much (VND), and why the others are not."""
        offered = self.problem.offered
        if offered is None or offered.chosen is None:
            return
        out = [";".join(why) for why in offered.frame["why"]]
        stays = np.where(offered.frame["disbursed"].fillna(0) > 0, "paid", "accepted")
        kept = [f"{ONLY_PAID};{why}" if why else code for why, code in zip(out, stays, strict=True)]
        open_ = np.where(offered.may, "left", "ruled_out")
        left = [why or code for why, code in zip(out, open_, strict=True)]
        reason = np.where(offered.chosen, np.where(offered.must, kept, ""), left)
        projects = pd.DataFrame(
            {
                "id": offered.ids,
                "chosen": offered.chosen,
                "amount": pd.array(amounts, dtype="Int64"),
                "reason": reason.astype(str),
            }
        )
        chosen = projects.loc[projects["chosen"], "id"]
        caps = (*borrowed_caps(offered.frame, chosen), *unproven_caps(offered.frame, chosen))
        known = np.array([basis not in ("given", "") for basis in self.problem.basis], dtype=bool)
        inside = np.isin(np.arange(len(offered)), offered.project[known[offered.cell]])
        paid = projects.loc[projects["chosen"] & inside, "id"]
        more = advances_counted(offered.frame, paid, self.problem.unit)
        new = begun_later(offered.frame, paid) if self.result.as_of is not None else ()
        notes = (*self.problem.notes, *caps, *more, *new)
        self.result = replace(self.result, projects=projects, notes=notes)

    def fill_whys(self, whys: pd.DataFrame) -> None:
        """Put in why projects that may be chosen are not."""
        self.result = replace(self.result, whys=whys)

    def fill_held(self, held: Mapping[tuple[int, str, int, str], tuple[str, ...]]) -> None:
        """Put in which rules would be broken without each move."""
        self.result = replace(self.result, held=held)

    def fill_parts(self, parts: NDArray[np.int64]) -> None:
        """Put in what projects give their cells, now and mid-year in the plan in force, VND."""
        offered, cells = self.problem.offered, self.problem.cells.frame
        if offered is None:
            return
        if self.result.as_of is None:
            named = np.array(offered.ids)[offered.project]
            now = pd.DataFrame({"project": named, "cell": offered.cell, "after": parts})
            now = now.assign(before=0, idle=0).astype(dict.fromkeys(_PARTS, "Int64"))
            given = now.loc[now["after"] > 0, ["project", "cell", *_PARTS]]
            self.result = replace(self.result, parts=given.reset_index(drop=True))
            return
        told = part_table(offered, cells[cells["year"] == self.result.year], parts)
        idle = told.groupby("cell")["idle"].sum().reindex(cells.index, fill_value=0)
        usable = self.problem.baseline - idle.to_numpy(dtype=np.float64) / MILLION
        expected = self._in_force.expected(usable) * MILLION
        found = self.result.cells.assign(expected_baseline=expected)
        self.result = replace(self.result, cells=found, parts=told)

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
            bounds=tuple(self._bound(stages[s], climb.floors[s]) for s in goals),
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
        cells = self.problem.cells.frame
        above = management_warnings(self.problem.scenario, cells, pd.Series(amounts, cells.index))
        cuts = cuts_of(self.problem, x)
        self.result = replace(self.result, warnings=(*self.result.warnings, *cuts, *above))

    def fill_grounds(self, settled: Money, stages: Sequence[Stage]) -> None:
        """Put in what the plan rests on: purses, absorption, defaults; and what rounding cost."""
        last, more = self.problem.curves.chances(settled)
        cells = self.result.cells.assign(
            budget=self._budgets(), basis=self.problem.basis, chance_last=last, chance_next=more
        )
        self.result = replace(
            self.result,
            cells=cells,
            rounding=self._rounding(settled, stages),
            defaults=defaults_of(self.problem, self.result.as_of),
        )

    def fill_enough(self, stages: Sequence[Stage], found: Mapping[int, float]) -> None:
        """Put in how good each goal that gives way could be with the others as they are."""
        enough = {
            1 + (stages[s].goal or 0): self._told(
                stages[s], stages[s].sign * stages[s].scale * best
            )
            for s, best in found.items()
        }
        self.result = replace(self.result, enough=enough)

    def fill_undecided(self, low: Money, high: Money) -> None:
        """Put in which cells the goals left open: those seen at different amounts."""
        is_open = high - low > _OPEN * np.maximum(1.0, high)
        names = zip(self.problem.cells.names(), is_open, strict=True)
        self.result = replace(
            self.result,
            undecided=tuple(name for name, free in names if free),
            cells=self.result.cells.assign(is_open=is_open),
        )

    def fill_ranges(self, low: Money, high: Money) -> None:
        """Put in the lowest and highest amount of every cell; NaN is what is not proven."""
        cells, found = self.result.cells, {}
        amounts = cells["amount"].to_numpy(dtype=np.int64)
        for name, ends, beyond in (("lowest", low, np.minimum), ("highest", high, np.maximum)):
            vnd = np.rint(np.nan_to_num(ends) * MILLION).astype(np.int64)
            found[name] = pd.array(beyond(vnd, amounts), dtype="Int64")
            found[name][np.isnan(ends)] = pd.NA
        self.result = replace(self.result, cells=cells.assign(**found))
        count = int(self.result.cells[[*found]].isna().any(axis=1).sum())
        if count:
            self.warn("ranges-unfinished", count=count, of=len(cells))

    def tight(self) -> list[int]:
        """Return the numbers of the rows that bind or are missed."""
        return list(np.flatnonzero(self.result.rule_rows["status"].isin(["binding", "missed"])))

    def fill_prices(self, prices: Mapping[int, Price]) -> None:
        """Put in the prices; a row that holds neither plan nor first goal costs nothing."""
        rules = self.result.rule_rows
        price = np.where((rules["status"] == "met") & bool(prices), 0.0, np.nan)
        low, high = np.full((2, len(rules)), np.nan)
        for r, found in prices.items():
            size = min(1.0, 1e4 * abs(found.value))  # of money a head in tỷ, six digits count
            price[r], low[r], high[r] = told(found.value, size), -found.down, found.up
        bound = rules["bound"].to_numpy()
        scale = np.array([row.scale for row in self.problem.rows])
        low, high = (
            as_told(self.problem, np.where(np.isfinite(end), bound + end, np.nan) / scale, bound)
            for end in (low, high)
        )
        self.result = replace(
            self.result, rule_rows=rules.assign(price=price, price_from=low, price_to=high)
        )

    def fill_gains(self, gains: Mapping[tuple[str, str], Gain]) -> None:
        """Put in what a readable step of a rule's number gives; see `find_gains`."""
        rules = self.result.rule_rows
        sides = zip(rules["id"], rules["side"], strict=True)
        size = self.result.goals[0]["best"] if gains else 0.0  # a gain is a difference of two
        told_gains = {key: (told(one.step), told(one.value, size)) for key, one in gains.items()}
        found = [told_gains.get(side, Gain(np.nan, np.nan)) for side in sides]
        step, gain = np.array(found, dtype=np.float64).reshape(-1, 2).T
        self.result = replace(self.result, rule_rows=rules.assign(step=step, gain=gain))

    def drivers(self, settled: Money) -> dict[str, list[int]]:
        """Return the rows of every rule, and of the cells' own bounds, that hold the plan.

        A rule with room to spare everywhere leaves the plan as it is when it is dropped.
        """
        sums = self.problem.sums
        size = np.maximum(1.0, np.abs(sums.bound(settled)))
        holds = sums.slack(settled) <= _OPEN * size
        found: dict[str, list[int]] = {}
        for r, row in enumerate(self.problem.rows):
            if not row.id.startswith("budget:"):
                name = f"bound|{row.side}" if row.id.startswith("bound:") else row.id
                found.setdefault(name, []).append(r)
        return {name: rows for name, rows in found.items() if holds[rows].any()}

    def fill_effects(self, settled: Money, without: Mapping[str, Money]) -> None:
        """Put in what each driver gives or takes, given the settled plans without it."""
        noise = np.maximum(self.problem.grid / 2, _OPEN * MILLION * np.maximum(1.0, settled))
        taken = {name: (settled - plan) * MILLION for name, plan in without.items()}
        effects = {
            **self._budget_effects(),
            **{name: np.where(np.abs(part) > noise, part, 0.0) for name, part in taken.items()},
        }
        self.result = replace(self.result, effects=pd.DataFrame(effects))

    def _budget_effects(self) -> dict[str, Money]:
        """Return what each purse's rise or fall, shared out as before, does to its cells."""
        cells, baseline = self.result.cells, self.problem.baseline * MILLION
        amount = cells["amount"].to_numpy(dtype=np.float64)
        rules = self.result.rule_rows
        tight = set(rules["id"][rules["status"].isin(["binding", "missed"])])
        codes, names = pd.factorize(cells["budget"])
        before, now = (np.bincount(codes, money, len(names)) for money in (baseline, amount))
        effects = {}
        for number, name in enumerate(names.tolist()):
            rise = now[number] / before[number] - 1 if before[number] and name in tight else 0.0
            effects[name] = np.where(codes == number, baseline * rise, 0.0)
        return effects

    def _budgets(self) -> list[str]:
        """Return for every cell the budget row that holds it; of several, the narrowest."""
        held = [""] * len(self.problem.cells)
        rows = [row for row in self.problem.rows if row.id.startswith("budget:")]
        for row in sorted(rows, key=lambda row: -len(row.cells)):
            for i in row.cells:
                held[i] = row.id
        return held

    def _rounding(self, settled: Money, stages: Sequence[Stage]) -> dict[str, Any]:
        """Return what rounding moved, and each tier and goal before and after it."""
        problem = self.problem
        x = self.result.cells["amount"].to_numpy(dtype=np.float64) / MILLION
        return {
            "step": problem.grid,
            "moved": round(float(np.abs(x - settled).sum()) * MILLION),
            "stages": [
                {
                    "name": stage.name,
                    "settled": self._told(stage, stage_value(problem, stage, settled)),
                    "rounded": self._told(stage, stage_value(problem, stage, x)),
                }
                for stage in stages
            ],
        }

    def _cells(self, x: Money, amounts: NDArray[np.int64]) -> pd.DataFrame:
        cells = self.problem.blank_cells.copy(deep=False)
        cells["amount"] = pd.array(amounts, dtype="Int64")
        cells["expected_disbursed"] = self.problem.curves.expected(x) * MILLION
        cells["expected_baseline"] = self._in_force.expected(self.problem.baseline) * MILLION
        return cells

    def _rules(self, amounts: NDArray[np.int64], settled: Money) -> pd.DataFrame:
        rules = rule_table(self.problem, amounts, settled)
        at = list(rules.columns).index("measure")
        for name in ("gain", "step", "price_to", "price_from", "price"):
            rules.insert(at, name, np.nan)
        return rules

    def _tier(self, stage: Stage, best: float, x: Money) -> dict[str, Any]:
        shortfall = self._told(stage, stage_value(self.problem, stage, x))
        return {"name": stage.name, "best": self._told(stage, best), "shortfall": shortfall}

    def _goal(self, stage: Stage, best: float, x: Money) -> dict[str, Any]:
        return {
            "name": stage.name,
            "best": self._told(stage, stage.sign * stage.scale * best),
            "achieved": self._told(stage, stage_value(self.problem, stage, x)),
        }

    def _bound(self, stage: Stage, floor: float) -> float:
        value = stage.sign * stage.scale * floor
        return self._told(stage, math.ceil(value - _OPEN) if stage.is_moves else value)

    def _told(self, stage: Stage, value: float) -> float:
        """Return a stage's value as files tell it; a tier adds money up in million VND."""
        unit = goal_unit(self.problem, stage) if stage.goal is not None else 1.0
        return told(value * unit, _LITTLE * stage.scale * unit)


def _curves_in_force(problem: Problem) -> Curves:
    """Return the absorption that goes with the plan in force."""
    offered = problem.offered
    if offered is None or not offered.sure.any():
        return problem.curves
    in_force = offered.frame["before"].gt(0).to_numpy(dtype=bool)
    return problem.decided(in_force & offered.may).curves


# --- what projects give ---------------------------------------------------------------------------


def part_table(offered: Offered, cells: pd.DataFrame, parts: NDArray[np.int64]) -> pd.DataFrame:
    """Return what projects give their cells, now and in the plan in force.

    Parameters
    ----------
    offered : Offered
    cells : DataFrame
        The plan's cells of the year that projects are paid in: keys and baseline, by number.
    parts : array (n_parts,), VND
        What each part of `offered` gives now.

    Returns
    -------
    DataFrame
        project (id; "" for what no project accounts for of the plan of a cell that projects are
        paid from), cell, before, after (one of them not 0), idle (of `before`: what nobody can use
        any more, its project being stopped or out, or capped below it); Int64 VND.
    """
    now = pd.DataFrame(
        {"project": np.array(offered.ids)[offered.project], "cell": offered.cell, "after": parts}
    )
    given = planned_parts(offered.frame, cells)
    both = given.merge(now, how="outer", on=["project", "cell"])
    both = pd.concat([both, _rest(offered, cells, both)], ignore_index=True)
    both = both[(both[["before", "after"]].fillna(0) != 0).any(axis=1)].reset_index(drop=True)
    money = {name: both[name].astype("Int64").fillna(0) for name in ("before", "after")}
    both = both.assign(**money)
    return both.assign(idle=_idle(offered, both))


def _rest(offered: Offered, cells: pd.DataFrame, parts: pd.DataFrame) -> pd.DataFrame:
    """Return what the plan in force of the cells of projects has beside these."""
    plan = cells["baseline"].reindex(offered.named).dropna()
    rest = plan.sub(parts.groupby("cell")["before"].sum(), fill_value=0).reindex(plan.index)
    return pd.DataFrame({"project": "", "cell": rest.index, "before": rest.to_numpy()})


def _idle(offered: Offered, parts: pd.DataFrame) -> pd.Series:
    """Return what of the plan in force nobody can use any more, by parts."""
    frame = offered.frame.set_index("id")
    able = frame["most"].where(frame["eligible"] | frame["stays"], 0)
    idle = pd.Series(0, parts.index, dtype="Int64")
    for one, own in parts.groupby("project")["before"]:
        if one == "":
            idle[own.index] = own.clip(lower=0)
        elif (gone := int(own.sum()) - int(able[one])) > 0:
            idle[own.index] = largest_remainder(own.to_numpy(dtype=float), gone)
    return idle
