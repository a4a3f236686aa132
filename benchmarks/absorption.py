"""Allocation by the forecast's slices against the careful office's rule, in simulated years.

Simulated provinces plan as offices do, last year's plan a little changed, so that what a cell could
have absorbed is seen only where it fell short of its plan. Money comes in whole projects and the
national money of some years arrives in May to August. For the year after the history the same
budgets (one national pool, every province's own money), within the same change limits, are given
out by

* ``repeated``: last year's plan once more;
* ``careful``: in proportion to baseline x past completion;
* ``slices``: the most that the slices of `kc_model.forecast`, made before the year, promise (filled
  by rate: exact for concave curves with bounds and one budget each; ``--prove`` holds it against
  `kc_model.allocate`);
* ``true curves``: the same by the true distribution of capacity, the most any forecast could give;
* ``oracle``: by what each cell is going to absorb, which nobody knows.

Outcomes of the year to plan are usual, late (the money comes in May to August and nobody knew) or
told (it comes late and the plan knows the month). A gain is the part of the way from ``careful`` to
``oracle``, over all datasets of a world, with a 90 % bootstrap interval over datasets. Run

    python -m benchmarks.absorption [--sets 12] [--worlds usual,alike] [--prove]

Everything here is synthetic: no such figures are published of khuyến công.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from kc_model import allocate, forecast, read_scenario, reference
from kc_model.tables import SCHEMAS, Dataset, Kind, column_dtype, empty_table

__all__ = ["WORLDS", "Simulation", "World", "compare", "give_out", "simulate"]

Floats = NDArray[np.float64]
Integers = NDArray[np.intp]

AREAS = {  # a project's money in million VND, power of its development, how lateness bites
    "TRAIN": (90.0, 1.5, 0.6),
    "TECH": (250.0, 3.0, 1.1),
    "PROD": (130.0, 1.8, 0.8),
    "CONS": (60.0, 1.5, 0.7),
    "INFO": (60.0, 1.2, 0.4),
    "CLUS": (500.0, 2.5, 1.3),
}
KEYS = ["place", "area", "source"]
LAST = 2024  # the newest finished year
LIMITS = ((0.7, 1.3), (0.4, 1.8))
TRUTHS = 40  # outcomes of the year to plan, for every dataset


@dataclass(frozen=True)
class World:
    """What one simulated country is like; spreads are standard deviations of log capacity.

    Parameters
    ----------
    n_places, n_years : int
    months : tuple of int
        Months reported.
    slack : float
        Mean log of capacity over plan: censoring is rarer the lower it is.
    place, area, cell, year, own, drift : float
        Spread of what lasts of a place, area and cell, of what a source's cells share in a year, of
        a cell's luck in a year and of its yearly change.
    follow : float
        How far a plan moves towards what was disbursed the year before.
    lump : float
        Size of projects against `AREAS`; 0: money is divisible.
    whole : bool
        Whether the part of a budget that holds no whole project stays unspent.
    late : float
        Chance that a year's national money is late.
    """

    n_places: int = 30
    n_years: int = 5
    months: tuple[int, ...] = (3, 6, 9, 12)
    slack: float = 0.1
    place: float = 0.2
    area: float = 0.1
    cell: float = 0.25
    year: float = 0.12
    own: float = 0.3
    drift: float = 0.08
    follow: float = 0.05
    lump: float = 1.0
    whole: bool = False
    late: float = 0.25


WORLDS = {
    "usual": World(),
    "three years": World(n_years=3),
    "eight years": World(n_years=8),
    "monthly": World(months=tuple(range(1, 13))),
    "divisible money": World(lump=0.0),
    "large projects": World(lump=2.0),
    "only whole projects": World(whole=True),
    "hardly censored": World(slack=-0.25),
    "mostly censored": World(slack=0.4),
    "strong places": World(place=0.4, cell=0.15),
    "weak places": World(place=0.05, cell=0.3),
    "alike": World(place=0.05, area=0.03, cell=0.08),
    "quick change": World(drift=0.2),
    "plans follow": World(follow=0.4),
    "never late": World(late=0.0),
    "few cells": World(n_places=6),
}


@dataclass(frozen=True)
class Simulation:
    """One history and what the year after it could absorb.

    Parameters
    ----------
    cells : DataFrame
        place, area, source.
    plan, final : array (n_cells, n_years), million VND
    arrival : array (n_cells, n_years + 1)
        Month the money came; the last column as if the year to plan were late.
    paths : array (n_cells, n_years, 12), million VND
    truth : dict of array (TRUTHS, n_cells), million VND
        Capacity of the year to plan: ``usual``, ``late`` (May to August, another month in every
        outcome) and ``told`` (late in the month of `arrival`).
    curve : dict of array, the same
        As many other draws of the same distribution.
    project : array (n_cells,), million VND
        Money of one project; 0: divisible.
    whole : bool
    """

    cells: pd.DataFrame
    plan: Floats
    final: Floats
    arrival: Floats
    paths: Floats
    truth: dict[str, Floats]
    curve: dict[str, Floats]
    project: Floats
    whole: bool

    @property
    def pool(self) -> Integers:
        """Return the budget every cell belongs to: the national one, or its province's."""
        name = self.cells["place"].where(self.cells["source"] == "KCDP", "")
        return pd.factorize(name)[0].astype(np.intp)

    def disbursed(self, money: Floats, capacity: Floats) -> Floats:
        """Return what is disbursed of money given, million VND."""
        return _spent(money, capacity, self.project, self.whole)


def _spent(money: Floats, capacity: Floats, project: Floats, whole: bool) -> Floats:
    spent = np.minimum(money, capacity)
    if not whole:
        return spent
    size = np.where(project > 0, project, 1e-6)
    return np.floor(spent / size + 1e-9) * size


# --- the simulated country ----------------------------------------------------------------------


def simulate(world: World, seed: int) -> Simulation:
    """Return one country's history and the year after it."""
    random = np.random.default_rng(seed)
    cells = _cells(world, random)
    n, years = len(cells), world.n_years
    size = np.exp(random.normal(6.2, 0.7, n)) * cells["area"].map(_size).to_numpy()
    kind = np.array([AREAS[area] for area in cells["area"]]).T
    project = kind[0] * world.lump
    level = _level(world, cells, random)
    national = cells["source"].eq("KCQG").to_numpy()
    drift = np.cumsum(random.normal(0, world.drift, (n, years + 1)), 1)
    late = np.where(random.random(years + 1) < world.late, random.integers(5, 9, years + 1), 1)
    late[-1] = random.integers(5, 9)
    arrival = np.where(national[:, None], late, 1).astype(np.float64)
    bite = kind[2] * np.exp(random.normal(0, 0.2, n))

    def capacity(t: int, months: Floats) -> Floats:
        shared = random.normal(0, world.year, (len(months), 2))[:, national.astype(np.intp)]
        luck = random.normal(0, world.own, (len(months), n))
        left = np.power((13.0 - months) / 12.0, bite)
        money = size * np.exp(level + drift[:, t] + shared + luck) * left
        return _in_projects(money, project, random)

    plan, final = np.empty((n, years)), np.empty((n, years))
    now = size * np.exp(-world.slack + random.normal(0, 0.2, n))
    for t in range(years):
        plan[:, t] = np.rint(now)
        reached = capacity(t, arrival[None, :, t])[0]
        final[:, t] = np.rint(_spent(plan[:, t], reached, project, world.whole))
        change = random.normal(0.02, 0.08, n) + world.follow * (final[:, t] / plan[:, t] - 0.85)
        now = plan[:, t] * np.exp(change)

    def futures() -> dict[str, Floats]:
        month = random.integers(5, 9, (TRUTHS, 1)).astype(np.float64)
        some = {"usual": np.ones((TRUTHS, n)), "late": np.where(national, month, 1.0)}
        some["told"] = np.broadcast_to(arrival[:, -1], (TRUTHS, n))
        return {name: capacity(years, months) for name, months in some.items()}

    paths = _paths(world, final, arrival[:, :-1], kind[1], random)
    return Simulation(
        cells, plan, final, arrival, paths, futures(), futures(), project, world.whole
    )


def _size(area: str) -> float:
    """Return the money of an area's cells against the others."""
    return {"TECH": 3.0, "CLUS": 2.0}.get(area, 1.0)


def _cells(world: World, random: np.random.Generator) -> pd.DataFrame:
    places = [code for code in reference.place_order("63") if code.isdigit()][: world.n_places]
    keys = [places, list(AREAS), ["KCQG", "KCDP"]]
    cells = pd.MultiIndex.from_product(keys, names=KEYS).to_frame(index=False)
    there = random.random(len(cells)) < np.where(cells["source"] == "KCQG", 0.7, 0.9)
    return cells[there].reset_index(drop=True)


def _level(world: World, cells: pd.DataFrame, random: np.random.Generator) -> Floats:
    """Return what lasts of every cell's log capacity, against its size."""
    level = random.normal(0, world.cell, len(cells))
    spreads = (("place", 0.8 * world.place), ("area", world.area), ("source", 0.05))
    for key, spread in (*spreads, (["place", "source"], 0.6 * world.place)):
        group = cells.groupby(key).ngroup().to_numpy()
        level += random.normal(0, spread, group.max() + 1)[group]
    return np.asarray(level, dtype=np.float64)


def _in_projects(money: Floats, project: Floats, random: np.random.Generator) -> Floats:
    """Return money rounded, up or down by chance, to whole projects, keeping its mean."""
    size = np.where(project > 0, project, 1.0)
    whole = np.floor(money / size + random.random(money.shape)) * size
    return np.where(project > 0, whole, money)


def _paths(
    world: World, final: Floats, arrival: Floats, power: Floats, random: np.random.Generator
) -> Floats:
    """Return cumulative money by month; NaN in months that are not reported."""
    month = np.arange(1.0, 13.0)
    left = np.clip((month - arrival[..., None] + 1.0) / (13.0 - arrival[..., None]), 0.0, 1.0)
    bent = power[:, None, None] * np.exp(random.normal(0, 0.25, (*final.shape, 1)))
    paths = np.rint(final[..., None] * np.power(left, bent))
    paths[..., -1] = final
    reported: NDArray[np.bool_] = np.isin(month, world.months)
    paths[..., ~reported] = np.nan
    return paths


def as_dataset(simulation: Simulation) -> Dataset:
    """Return a simulated history as the package reads one."""
    years = simulation.paths.shape[1]
    cell, year, month = np.nonzero(np.isfinite(simulation.paths))
    frame = simulation.cells.iloc[cell].reset_index(drop=True)
    plan = simulation.plan[cell, year]
    here = month + 1 >= simulation.arrival[cell, year]
    known = {
        "year": LAST - years + 1 + year,
        "month": month + 1,
        "plan": plan * 1e6,
        "disbursed": simulation.paths[cell, year, month] * 1e6,
        "released": np.where(frame["source"] == "KCQG", plan * here * 1e6, np.nan),
        "status": "reported",
    }
    frame = frame.assign(**known, activity="", vintage="")
    columns = SCHEMAS["history"].columns
    frame = frame.reindex(columns=[column.name for column in columns])
    money = [column.name for column in columns if column.kind is Kind.MONEY]
    frame[money] = frame[money].astype("Float64").round()
    frame = frame.astype({column.name: column_dtype(column.kind) for column in columns})
    tables = {name: empty_table(name) for name in SCHEMAS} | {"history": frame}
    return Dataset("simulated", "63", "million_vnd", True, ("simulated",), tables)


# --- giving money out ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Limits:
    """What every way of giving out must keep to.

    Parameters
    ----------
    baseline, least, most : array (n_cells,), million VND
    pool : integer array (n_cells,)
        Budget of every cell; a budget is the sum of its baselines.
    """

    baseline: Floats
    least: Floats
    most: Floats
    pool: Integers

    def summed(self, money: Floats) -> Floats:
        """Return money by budget."""
        return np.bincount(self.pool, money, self.pool.max() + 1).astype(np.float64)


def give_out(limits: Limits, cell: Integers, upto: Floats, rate: Floats) -> Floats:
    """Return the money of every cell that disburses most by slices, dearest first in every pool.

    Parameters
    ----------
    limits : Limits
    cell, upto, rate : array (n_slices,)
        Sorted by cell and `upto` (million VND), rates not rising within a cell; beyond a cell's
        last slice nothing is disbursed.
    """
    n_cells = len(limits.baseline)
    cell = np.r_[cell, np.arange(n_cells)]
    upto, rate = np.r_[upto, np.full(n_cells, np.inf)], np.r_[rate, np.zeros(n_cells)]
    order = np.lexsort((upto, cell))
    cell, upto, rate = cell[order], upto[order], rate[order]
    upto = np.clip(upto, limits.least[cell], limits.most[cell])
    first = np.r_[True, cell[1:] != cell[:-1]]
    width = upto - np.where(first, limits.least[cell], np.r_[0.0, upto[:-1]])
    by_rate = np.lexsort((-rate, limits.pool[cell]))  # stable: slices of a cell stay in order
    pool, width = limits.pool[cell][by_rate], width[by_rate]
    left = limits.summed(limits.baseline - limits.least)
    before = np.cumsum(width) - width
    start = np.r_[0, np.flatnonzero(np.diff(pool)) + 1]
    taken = np.clip(left[pool] - (before - before[start][pool]), 0.0, width)
    return limits.least + np.bincount(cell[by_rate], taken, n_cells)


def in_proportion(limits: Limits, completion: Floats) -> Floats:
    """Return money in proportion to baseline x completion within the limits, budgets used up."""
    low, high = np.zeros(len(limits.summed(limits.baseline))), np.full(1, 100.0)
    budget = limits.summed(limits.baseline)
    share = limits.baseline * np.maximum(completion, 1e-3)
    money: Floats = limits.baseline
    for _ in range(60):
        middle = (low + high) / 2
        money = np.clip(middle[limits.pool] * share, limits.least, limits.most)
        short = limits.summed(money) < budget
        low, high = np.where(short, middle, low), np.where(short, high, middle)
    return money


def slices_of(draws: Floats) -> tuple[Integers, Floats, Floats]:
    """Return every step of draws of capacity as a slice: cell, upto, rate."""
    n_draws, n_cells = draws.shape
    cell = np.repeat(np.arange(n_cells), n_draws)
    rate = np.tile(1.0 - np.arange(n_draws) / n_draws, n_cells)
    return cell, np.sort(draws, axis=0).T.ravel(), rate


def slices_of_forecast(
    simulation: Simulation, arrival: dict[str, int]
) -> tuple[Integers, Floats, Floats]:
    """Return the slices of the package's own forecast, made before the year to plan."""
    outlook = forecast(as_dataset(simulation), LAST + 1, 0, arrival=arrival)
    number, slices = _numbers(simulation), outlook.slices
    cell = np.array([number[key] for key in slices[KEYS].itertuples(index=False, name=None)])
    order = np.lexsort((slices["upto"], cell))
    upto = slices["upto"].to_numpy(dtype=np.float64) / 1e6
    return cell[order], upto[order], slices["rate"].to_numpy()[order]


def _numbers(simulation: Simulation) -> dict[tuple[str, ...], int]:
    keys = simulation.cells[KEYS].itertuples(index=False, name=None)
    return {key: i for i, key in enumerate(keys)}


def compare(simulation: Simulation) -> pd.DataFrame:
    """Return what every way of giving out disburses, in the mean of the outcomes, million VND.

    Returns
    -------
    DataFrame
        Index: outcome (``usual``, ``late``, ``told``) and change limits; columns: the ways.
    """
    baseline = simulation.plan[:, -1]
    completion = simulation.final.sum(1) / simulation.plan.sum(1)
    told = {"KCQG": int(simulation.arrival[:, -1].max())}
    unknown = slices_of_forecast(simulation, {})
    slices = dict.fromkeys(("usual", "late"), unknown)
    slices["told"] = slices_of_forecast(simulation, told)
    rows = {}
    for least, most in LIMITS:
        limits = Limits(baseline, least * baseline, most * baseline, simulation.pool)
        careful = in_proportion(limits, completion)
        for outcome, truth in simulation.truth.items():
            money = {
                "repeated": baseline,
                "careful": careful,
                "slices": give_out(limits, *slices[outcome]),
                "true curves": give_out(limits, *slices_of(simulation.curve[outcome])),
                "oracle": np.stack([give_out(limits, *slices_of(one[None])) for one in truth]),
            }
            rows[outcome, f"{least:g}-{most:g}"] = {
                way: float(simulation.disbursed(given, truth).sum(1).mean())
                for way, given in money.items()
            }
    table = pd.DataFrame(rows).T
    return table.rename_axis(["outcome", "limits"])


# --- the report ---------------------------------------------------------------------------------


def gains(tables: list[pd.DataFrame]) -> pd.DataFrame:
    """Return the gains of one world over the careful office, with intervals over datasets.

    Returns
    -------
    DataFrame
        Index as of `compare`; ``repeated``, ``slices`` and ``true curves`` as parts of the way to
        the oracle; ``low`` and ``high`` of ``slices``; ``won``, the share of datasets in which the
        slices disburse more; ``money``, what they disburse more, in % of what is disbursed.
    """
    random = np.random.default_rng(0)
    pick = random.integers(len(tables), size=(1000, len(tables)))
    rows = {}
    for row in tables[0].index:
        ways = pd.DataFrame([table.loc[row] for table in tables])
        more = ways.sub(ways["careful"], axis=0)
        totals = more.sum()
        part, way = more["slices"].to_numpy(), more["oracle"].to_numpy()
        low, high = np.quantile(part[pick].sum(1) / way[pick].sum(1), (0.05, 0.95))
        rows[row] = {
            **(totals[["repeated", "slices", "true curves"]] / totals["oracle"]),
            "low": low,
            "high": high,
            "won": (part > 0).mean(),
            "money": 100.0 * totals["slices"] / ways["careful"].sum(),
        }
    return pd.DataFrame(rows).T.rename_axis(["outcome", "limits"])


def prove(simulation: Simulation) -> tuple[float, float]:
    """Return what the forecast's slices promise of money given by rate, and by the package's plan.

    Both within the first change limits, by the same budgets; million VND.
    """
    baseline, pool = simulation.plan[:, -1], simulation.pool
    limits = Limits(baseline, LIMITS[0][0] * baseline, LIMITS[0][1] * baseline, pool)
    slices = slices_of_forecast(simulation, {})
    lines = ["name: prove", f"year: {LAST + 1}", "budget:"]
    for number, amount in enumerate(limits.summed(baseline)):
        first = simulation.cells.iloc[int(np.flatnonzero(pool == number)[0])]
        place = f', place: "{first.place}"' if first.source == "KCDP" else ""
        lines.append(f"  - {{source: {first.source}{place}, amount: {amount:.0f}}}")
    steady = f"per: baseline, min: {LIMITS[0][0]}, max: {LIMITS[0][1]}"
    lines += ["rules:", f"  - {{id: steady, each: [place, area, source], {steady}}}"]
    lines += ["goals:", "  - {maximise: disbursed}"]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "scenario.yaml")
        path.write_text("\n".join(lines), encoding="utf-8")
        plan = allocate(as_dataset(simulation), read_scenario(path))
    number_of = _numbers(simulation)
    given = np.zeros(len(baseline))
    at = [number_of[key] for key in plan.cells[KEYS].itertuples(index=False, name=None)]
    given[at] = plan.cells["amount"].to_numpy(dtype=np.float64) / 1e6
    return _promised(give_out(limits, *slices), slices), _promised(given, slices)


def _promised(money: Floats, slices: tuple[Integers, Floats, Floats]) -> float:
    cell, upto, rate = slices
    start = np.where(np.r_[True, cell[1:] != cell[:-1]], 0.0, np.r_[0.0, upto[:-1]])
    return float(rate @ (np.clip(money[cell], start, upto) - start))


def main() -> None:
    """Print the gains of every world asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sets", type=int, default=12, help="datasets of each world")
    parser.add_argument("--worlds", default=",".join(WORLDS), help="comma between names")
    parser.add_argument("--prove", action="store_true", help="hold against kc_model.allocate")
    asked = parser.parse_args()
    if asked.prove:
        for seed in range(3):
            by_rate, by_program = prove(simulate(WORLDS["few cells"], seed))
            print(f"promised: by rate {by_rate:.3f}, by program {by_program:.3f} million VND")
    for name in asked.worlds.split(","):
        tables, seen = [], []
        for seed in range(asked.sets):
            simulation = simulate(WORLDS[name], seed)
            tables.append(compare(simulation))
            full = float((simulation.final >= simulation.plan - 1e-6).mean())
            seen.append((full, simulation.final.sum() / simulation.plan.sum()))
        full, completion = np.mean(seen, axis=0)
        print(f"\n{name}: {completion:.0%} of plans disbursed, {full:.0%} of them in full")
        print(gains(tables).round(3).to_string(), flush=True)


if __name__ == "__main__":
    main()
