"""What the contract says, solved a second time without any line of the product.

Numbers are kept exact (`Fraction`, VND) while files are read and plans are checked, and are floats
in million VND inside the programs. Linear programs go to scipy's HiGHS; every stage is frozen by
moving to the optimal face (rows and bounds with a dual that is not zero become equalities), so no
tolerance piles up. The settlement is found by Wolfe's method from the vertices of what is left.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray
from scipy import sparse
from scipy.optimize import linprog

Array = NDArray[np.float64]
Row = dict[str, str]
Tables = dict[str, list[Row]]

KEYS = ("year", "place", "area", "activity", "source")
UNITS = {"vnd": 1, "thousand_vnd": 10**3, "million_vnd": 10**6, "billion_vnd": 10**9}
MONEY = {"baseline", "unit_cost", "min", "max", "counterpart"}
MILLION = 10**6

# A few provinces with the region and the crosswalk of each vintage, copied from the decree's lists.
REGIONS = {
    "34": dict.fromkeys(("01", "04", "08", "15", "19", "24"), "R-N")
    | dict.fromkeys(("38", "40", "46", "52", "66"), "R-C")
    | dict.fromkeys(("75", "79", "86", "96"), "R-S"),
    "63": dict.fromkeys(("01", "02", "08", "15", "24", "27", "38", "40"), "R-N")
    | dict.fromkeys(("45", "46", "52", "64", "66"), "R-C")
    | dict.fromkeys(("60", "75", "80", "83", "96"), "R-S"),
}
TO_34 = {"02": "08", "08": "08", "15": "15", "10": "15", "24": "24", "27": "24", "06": "19"}


# ---------------------------------------------------------------------------- reading


def read_folder(folder: Path, scenario: Path) -> tuple[dict[str, Any], Tables, dict[str, Any]]:
    """Return dataset.yaml, the tables as text, and the scenario with every scalar as text."""
    head = yaml.load((folder / "dataset.yaml").read_text("utf-8"), Loader=yaml.BaseLoader)
    tables: Tables = {}
    for path in folder.glob("*.csv"):
        with path.open(encoding="utf-8", newline="") as handle:
            tables[path.stem] = list(csv.DictReader(handle))
    return head, tables, yaml.load(scenario.read_text("utf-8"), Loader=yaml.BaseLoader)


@dataclass
class Cell:
    """One cell: keys and attributes as text, numbers exact."""

    key: tuple[str, str, str, str, str]
    attributes: dict[str, str]
    baseline: Fraction
    low: Fraction
    high: Fraction | None
    weight: Fraction
    unit_cost: Fraction | None

    def value(self, name: str) -> str:
        """Return a key or an attribute as text."""
        return self.key[KEYS.index(name)] if name in KEYS else self.attributes.get(name, "")


@dataclass
class Line:
    """One side of one group: ``part·x - share·x >= const`` (min), ``<=`` (max), in VND."""

    id: str
    group: str
    side: str
    tier: str
    weight: Fraction
    part: dict[int, Fraction]
    share: dict[int, Fraction]
    const: Fraction
    counted: str  # money, outputs, column
    relative: bool  # the bound is no plain amount of money

    def lhs(self, plan: Sequence[int]) -> Fraction:
        return sum((c * plan[i] for i, c in self.part.items()), Fraction(0))

    def bound(self, plan: Sequence[int]) -> Fraction:
        return self.const + sum((c * plan[i] for i, c in self.share.items()), Fraction(0))

    def missing(self, plan: Sequence[int]) -> Fraction:
        """How much of the bound the plan misses; negative: to spare."""
        gap = self.bound(plan) - self.lhs(plan)
        return gap if self.side == "min" else -gap


@dataclass
class Curve:
    """Slices of absorption and the cells that draw on them."""

    cells: list[int]
    widths: list[Fraction]
    rates: list[Fraction]


@dataclass
class Problem:
    """A scenario on a dataset, ready to be solved."""

    unit: int
    cells: list[Cell]
    budgets: list[tuple[list[int], Fraction]]
    exact: bool
    lines: list[Line]
    goals: list[dict[str, Any]]
    curves: list[Curve]
    places: dict[str, Row]
    grid: int
    pools: list[tuple[list[int], list[float]]] = field(default_factory=list)
    """Cells that share a capacity, and its draws in million VND."""

    @property
    def size(self) -> int:
        return len(self.cells)

    def column(self, name: str, i: int) -> Fraction:
        """Return a numeric column of a cell; money in VND, 0 where missing."""
        cell = self.cells[i]
        if name == "baseline":
            return cell.baseline
        text = cell.attributes.get(name, "")
        return Fraction(text) if text else Fraction(0)

    def column_sum(self, name: str, chosen: Iterable[int]) -> Fraction:
        """Return the sum over cells; a column of places.csv counts each place once."""
        chosen = list(chosen)
        if name in next(iter(self.places.values()), {}):
            seen = sorted({self.cells[i].value("place") for i in chosen})
            return sum(
                (Fraction(self.places[p][name] or 0) for p in seen if p in self.places), Fraction(0)
            )
        return sum((self.column(name, i) for i in chosen), Fraction(0))


def load(folder: Path, scenario: Path, as_of: int | None = None) -> Problem:
    """Read a dataset folder and a scenario file."""
    return build(*read_folder(folder, scenario), as_of=as_of)


def build(
    head: Mapping[str, Any], tables: Tables, scenario: Mapping[str, Any], as_of: int | None = None
) -> Problem:
    """Turn tables and scenario into a problem, from the contract's sections 1 to 3."""
    unit, year, vintage = UNITS[head["unit"]], int(scenario["year"]), str(head["vintage"])
    places = {row["place"]: row for row in tables.get("places", [])}
    plans, spent = _history(tables.get("history", []), unit, vintage, year, as_of)
    cells = [
        _cell(row, unit, year, vintage, places, plans, spent, as_of)
        for row in tables.get("cells", [])
        or [dict(zip(KEYS[1:], key, strict=True)) for key in plans]
    ]
    budgets = [
        (_select(cells, {**_wheres(row)}), Fraction(row["amount"]) * unit)
        for row in scenario["budget"]
    ]
    covered = sorted({i for chosen, _ in budgets for i in chosen})
    place_in = {old: new for new, old in enumerate(covered)}
    problem = Problem(
        unit=unit,
        cells=[cells[i] for i in covered],
        budgets=[([place_in[i] for i in chosen], amount) for chosen, amount in budgets],
        exact=scenario.get("spend", "all") == "all",
        lines=[],
        goals=list(scenario.get("goals") or []),
        curves=[],
        places=places,
        grid=int(Fraction(scenario["round_to"]) * unit) if "round_to" in scenario else 1,
    )
    problem.curves = _curves(problem, tables.get("absorption", []))
    problem.pools = _pools(problem, tables.get("draws", []))
    for rule in scenario.get("rules") or []:
        problem.lines += expand(problem, rule)
    return problem


def _history(
    rows: list[Row], unit: int, vintage: str, year: int, as_of: int | None
) -> tuple[dict[tuple[str, ...], Fraction], dict[tuple[str, ...], Fraction]]:
    """Return the plan in force in the newest year, and what the scenario's year has disbursed."""
    known = [
        row
        for row in rows
        if int(row["year"]) < year
        or (int(row["year"]) == year and (as_of is None or int(row["month"]) <= as_of))
    ]
    newest = max((int(row["year"]) for row in known if row.get("plan")), default=0)
    plans: dict[tuple[str, ...], dict[str, tuple[int, Fraction]]] = {}
    spent: dict[tuple[str, ...], dict[str, tuple[int, Fraction]]] = {}
    for row in known:
        old = vintage == "34" and row.get("vintage") == "63"
        place = TO_34.get(row["place"], row["place"]) if old else row["place"]
        key = (place, row["area"], row.get("activity", ""), row["source"])
        month = int(row["month"])
        for column, store, wanted in (("plan", plans, newest), ("disbursed", spent, year)):
            if row.get(column) and int(row["year"]) == wanted:
                last = store.setdefault(key, {}).get(row["place"], (0, Fraction(0)))
                if month >= last[0]:
                    store[key][row["place"]] = (month, Fraction(row[column]) * unit)
    summed = [
        {key: sum((v for _, v in parts.values()), Fraction(0)) for key, parts in store.items()}
        for store in (plans, spent)
    ]
    return summed[0], summed[1]


def _cell(
    row: Row,
    unit: int,
    year: int,
    vintage: str,
    places: Mapping[str, Row],
    plans: Mapping[tuple[str, ...], Fraction],
    spent: Mapping[tuple[str, ...], Fraction],
    as_of: int | None,
) -> Cell:
    short = (row["place"], row["area"], row.get("activity", "") or "", row["source"])
    attributes = {k: v for k, v in row.items() if k not in KEYS}
    for name in MONEY & set(attributes):
        if attributes[name]:
            attributes[name] = str(Fraction(attributes[name]) * unit)
    attributes |= {k: v for k, v in places.get(short[0], {}).items() if k != "place"}
    attributes.setdefault("region", REGIONS[vintage].get(short[0], ""))

    def money(name: str) -> Fraction | None:
        return Fraction(attributes[name]) if attributes.get(name) else None

    baseline, low = money("baseline"), money("min") or Fraction(0)
    if baseline is None or (as_of is not None and short in plans):
        baseline = plans.get(short, Fraction(0))
    if as_of is not None:
        low = max(low, spent.get(short, Fraction(0)))
    return Cell(
        key=(row.get("year") or str(year), *short),
        attributes=attributes,
        baseline=baseline,
        low=low,
        high=money("max"),
        weight=Fraction(attributes["weight"]) if attributes.get("weight") else Fraction(1),
        unit_cost=money("unit_cost"),
    )


_BUDGET_WORDS = {"amount", "pooled", "text", "basis", "where"}


def _wheres(row: Mapping[str, Any]) -> dict[str, Any]:
    return {**row.get("where", {}), **{k: v for k, v in row.items() if k not in _BUDGET_WORDS}}


def _select(cells: Sequence[Cell], where: Mapping[str, Any]) -> list[int]:
    wanted = {k: set(v) if isinstance(v, list) else {v} for k, v in where.items()}
    return [i for i, cell in enumerate(cells) if all(cell.value(k) in v for k, v in wanted.items())]


def _curves(problem: Problem, rows: list[Row]) -> list[Curve]:
    """Give each cell its own slices; activities without own slices share those of their area."""
    tables: dict[tuple[str, ...], list[tuple[Fraction, Fraction]]] = {}
    for row in rows:
        key = (
            row.get("year") or "",
            row["place"],
            row["area"],
            row.get("activity") or "",
            row["source"],
        )
        tables.setdefault(key, []).append(
            (Fraction(row["upto"]) * problem.unit, Fraction(row["rate"]))
        )
    users: dict[tuple[str, ...], list[int]] = {}
    for i, cell in enumerate(problem.cells):
        year, place, area, activity, source = cell.key
        candidates: list[tuple[str, ...]] = [
            (y, place, area, a, source) for a in dict.fromkeys((activity, "")) for y in (year, "")
        ]
        found = next((key for key in candidates if key in tables), None)
        if found is not None:
            users.setdefault((*found, year), []).append(i)
    curves = []
    for used, chosen in users.items():
        slices = sorted(tables[used[:-1]])
        tops = [Fraction(0), *(upto for upto, _ in slices)]
        widths = [b - a for a, b in pairwise(tops)]
        curves.append(Curve(chosen, widths, [rate for _, rate in slices]))
    return curves


def _pools(problem: Problem, rows: list[Row]) -> list[tuple[list[int], list[float]]]:
    """Give each cell its own capacities; activities without own ones share those of their area."""
    draws: dict[tuple[str, ...], dict[str, float]] = {}
    for row in rows:
        key = (*(row.get(k) or "" for k in KEYS),)
        capacity = _million(Fraction(row["capacity"]) * problem.unit)
        draws.setdefault(key, {})[row["draw"]] = capacity
    users: dict[tuple[str, ...], list[int]] = {}
    for i, cell in enumerate(problem.cells):
        year, place, area, activity, source = cell.key
        for own in dict.fromkeys((activity, "")):
            for when in (year, ""):
                key = (when, place, area, own, source)
                if key in draws:
                    users.setdefault((*key, year), []).append(i)
                    break
            else:
                continue
            break
    return [
        (cells, [draws[key[:-1]][d] for d in sorted(draws[key[:-1]])])
        for key, cells in users.items()
    ]


def expand(problem: Problem, rule: Mapping[str, Any]) -> list[Line]:
    """Return the lines of a rule: one per group and side."""
    chosen = _select(problem.cells, rule.get("where") or {})
    each = rule.get("each") or []
    each = [each] if isinstance(each, str) else each
    groups: dict[tuple[str, ...], list[int]] = {}
    for i in chosen:
        values = tuple(problem.cells[i].value(k) for k in each)
        if all(v or k in KEYS for k, v in zip(each, values, strict=True)):
            groups.setdefault(values, []).append(i)  # without the attribute: in no group
    lines = []
    for values, members in groups.items():
        counted, part = _count(problem, rule.get("count"), members)
        share, fixed, plain = _base(problem, rule, dict(zip(each, values, strict=True)), members)
        scale = problem.unit if plain and counted != "outputs" else 1
        for side in ("min", "max"):
            if side in rule:
                bound = Fraction(rule[side])
                lines.append(
                    Line(
                        id=rule["id"],
                        group="|".join(values),
                        side=side,
                        tier=rule.get("tier", "law"),
                        weight=Fraction(rule.get("weight", 1)),
                        part=part,
                        share={i: bound * c for i, c in share.items()},
                        const=bound * fixed * scale,
                        counted=counted,
                        relative=bool(share) or counted != "money",
                    )
                )
    return lines


def _count(problem: Problem, count: Any, members: Iterable[int]) -> tuple[str, dict[int, Fraction]]:
    """Return what a rule counts and the coefficient of each VND."""
    if not count:
        return "money", {i: Fraction(1) for i in members}
    if count == "outputs":
        costs = {i: problem.cells[i].unit_cost for i in members}
        return "outputs", {i: 1 / cost for i, cost in costs.items() if cost}
    return "column", {i: problem.column(count["column"], i) for i in members}


def _base(
    problem: Problem, rule: Mapping[str, Any], group: Mapping[str, str], members: list[int]
) -> tuple[dict[int, Fraction], Fraction, bool]:
    """Return B as coefficients and a constant, and whether ``m`` is an amount in the unit."""
    if "of" in rule:
        where = {} if rule["of"] == "all" else rule["of"]
        where = {k: group[k] if v == "same" else v for k, v in where.items()}
        return (
            _count(problem, rule.get("count"), _select(problem.cells, where))[1],
            Fraction(0),
            False,
        )
    per = rule.get("per")
    if per == "previous_year":
        index = {cell.key: i for i, cell in enumerate(problem.cells)}
        share, fixed = {}, Fraction(0)
        for i in members:
            year, *rest = problem.cells[i].key
            before = (str(int(year) - 1), *rest)
            if before in index:
                share[index[before]] = Fraction(1)
            else:  # its first year, though others may have begun before
                fixed += problem.cells[i].baseline
        return share, fixed, False
    if per:
        return {}, problem.column_sum(per, members), per not in MONEY
    return {}, Fraction(1), True


# ---------------------------------------------------------------------------- programs


RUN: Any = linprog  # its stubs know no sparse arrays


class InfeasibleError(Exception):
    """No point keeps all rows."""


class Program:
    """A growing linear program: variables with bounds, rows ``low <= a·z <= high``."""

    def __init__(self) -> None:
        self.low: list[float] = []
        self.high: list[float] = []
        self.rows: list[tuple[list[int], list[float], float, float]] = []

    def copy(self) -> Program:
        other = Program()
        other.low, other.high, other.rows = list(self.low), list(self.high), list(self.rows)
        return other

    def var(self, low: float = 0.0, high: float = np.inf) -> int:
        self.low.append(low)
        self.high.append(high)
        return len(self.low) - 1

    def row(self, terms: Mapping[int, float], low: float = -np.inf, high: float = np.inf) -> int:
        self.rows.append((list(terms), list(terms.values()), low, high))
        return len(self.rows) - 1

    def matrix(self) -> sparse.csr_matrix:
        at = np.repeat(np.arange(len(self.rows)), [len(r[0]) for r in self.rows])
        columns = [c for r in self.rows for c in r[0]]
        values = [v for r in self.rows for v in r[1]]
        return sparse.csr_matrix((values, (at, columns)), shape=(len(self.rows), len(self.low)))

    def solve(self, cost: Mapping[int, float], tolerance: float = 1e-10) -> Optimum:
        """Minimise; raise `InfeasibleError` if there is no point.

        At the tightest tolerance rows that say the same twice may look contradictory: a verdict
        counts when a looser one comes to it too.
        """
        scale = max((abs(v) for v in cost.values()), default=0.0) or 1.0
        c = np.zeros(len(self.low))
        c[list(cost)] = [v / scale for v in cost.values()]
        a = self.matrix()
        low = np.array([r[2] for r in self.rows])
        high = np.array([r[3] for r in self.rows])
        same = low == high
        up, down = ~same & np.isfinite(high), ~same & np.isfinite(low)
        found = RUN(
            c,
            A_ub=sparse.vstack([a[up], -a[down]]),
            b_ub=np.concatenate([high[up], -low[down]]),
            A_eq=a[same],
            b_eq=low[same],
            bounds=np.column_stack([self.low, self.high]),
            method="highs-ds",
            options={
                "primal_feasibility_tolerance": tolerance,
                "dual_feasibility_tolerance": tolerance,
            },
        )
        if found.status != 0:
            if tolerance < 0.5e-7:
                return self.solve(cost, tolerance * 10)
            raise InfeasibleError if found.status == 2 else RuntimeError(found.message)
        duals = np.zeros(len(self.rows))
        duals[same] = found.eqlin.marginals
        split = int(up.sum())
        duals[up] += found.ineqlin.marginals[:split]
        duals[down] -= found.ineqlin.marginals[split:]
        reduced = found.lower.marginals, found.upper.marginals
        return Optimum(found.x, float(found.fun) * scale, duals, *reduced)

    def feasible(self) -> bool:
        try:
            self.solve({})
        except InfeasibleError:
            return False
        return True

    def left(self, cost: Array) -> Array:
        """A cost without what no longer moves."""
        return np.where(np.array(self.low) < np.array(self.high), cost, 0.0)

    def prices(self, found: Optimum) -> Array:
        """What the equalities take off the (scaled) costs: the same everywhere."""
        same = np.array([row[2] == row[3] for row in self.rows])
        return np.asarray(self.matrix().T @ np.where(same, found.duals, 0.0))

    def to_face(self, found: Optimum, least: float = 1e-8) -> None:
        """Keep only the optimal face: what has a dual is tight in every optimal solution."""
        for k, dual in enumerate(found.duals):
            idx, val, low, high = self.rows[k]
            if abs(dual) > least and low != high:
                bound = high if dual < 0 else low
                self.rows[k] = (idx, val, bound, bound)
        for j in range(len(self.low)):
            if found.lower[j] > least:
                self.high[j] = self.low[j]
            elif found.upper[j] < -least:
                self.low[j] = self.high[j]


@dataclass
class Optimum:
    """A solved program: point, value, duals of rows and of bounds (for a cost scaled to 1)."""

    point: Array
    value: float
    duals: Array
    lower: Array
    upper: Array


def settle(program: Program, baseline: Array, width: Array) -> Array:
    """Minimise Σ (x - b)² / width over the program; x are its first variables.

    Cells without a baseline may pull a thousand times harder than others and drown them in a
    linear program's tolerance. So what pulls hardest is settled first: rows it leans on become
    equalities, their prices are taken off the costs, and the rest is settled again.
    """
    first = _wolfe(program, baseline, width, np.zeros(len(program.low)))
    cost = program.left(slope(first, baseline, width))
    pull = float(np.max(np.abs(cost)))
    if pull < 10:
        return first[: len(baseline)]
    face = program.copy()
    found = face.solve(dict(enumerate(cost)))
    face.to_face(found, 1e-4)
    return _wolfe(face, baseline, width, face.prices(found) * pull)[: len(baseline)]


def slope(point: Array, baseline: Array, width: Array) -> Array:
    """Half the gradient of the settlement, over all variables."""
    found = np.zeros(len(point))
    found[: len(baseline)] = (point[: len(baseline)] - baseline) / width
    return found


def _wolfe(program: Program, baseline: Array, width: Array, offset: Array) -> Array:
    """Find the point of least norm of a polytope from vertices (Wolfe 1976).

    `offset` is a cost that is the same everywhere in the polytope.
    """
    root, n = np.sqrt(width), len(baseline)

    def vertex(cost: Array) -> Array:
        return program.solve(dict(enumerate(cost))).point

    start = np.concatenate([np.ones(n), np.zeros(len(offset) - n)])
    corners, share, last = vertex(start)[None, :], np.ones(1), np.inf
    for _ in range(5000):
        at = share @ corners
        cost = program.left(slope(at, baseline, width) - offset)
        new = vertex(cost)
        gap = float(cost @ (at - new))
        square = float(np.sum((at[:n] - baseline) ** 2 / width))
        stuck = square >= last and gap <= 1e-9 * max(1.0, square)
        if gap <= 1e-13 * max(1.0, square) or square < 1e-14 or stuck:
            return np.asarray(at)
        last = square
        corners, share = np.vstack([corners, new]), np.append(share, 0.0)
        while True:
            wanted = _flat_minimum((corners[:, :n] - baseline) / root)
            if np.all(wanted > 1e-13):
                share = wanted
                break
            falling = wanted <= 1e-13
            ends = share[falling] / np.maximum(share[falling] - wanted[falling], 1e-300)
            step = float(np.min(ends))
            share = (1 - step) * share + step * wanted
            kept = share > 1e-13
            if kept.all():
                kept[int(np.argmin(share))] = False
            corners, share = corners[kept], share[kept] / share[kept].sum()
    raise RuntimeError("the settlement did not end")


def _flat_minimum(corners: Array) -> Array:
    """Weights, summing to 1, of the point of least norm in the plane through the corners."""
    first, edges = corners[0], corners[1:] - corners[0]
    if not len(edges):
        return np.ones(1)
    weights = np.linalg.lstsq(edges.T, -first, rcond=None)[0]
    return np.concatenate([[1 - weights.sum()], weights])


# ---------------------------------------------------------------------------- the allocation


@dataclass
class Solution:
    """What the contract asks for, before rounding; money in million VND."""

    status: str
    tiers: dict[str, float] = field(default_factory=dict)
    best: list[float] = field(default_factory=list)
    plan: Array = field(default_factory=lambda: np.zeros(0))
    open: Program | None = None  # what the goals leave, before the settlement
    staged: Program | None = None  # laws and frozen tiers, before the first goal
    left_out: list[str] = field(default_factory=list)


def _million(value: Fraction) -> float:
    return float(value / MILLION)


def terms(problem: Problem, line: Line) -> dict[int, float]:
    """Coefficients of a line (left minus right) for x in million VND.

    A line that counts outputs is in outputs, any other in million.
    """
    scale = MILLION if line.counted == "outputs" else 1
    found = {
        i: line.part.get(i, Fraction(0)) - line.share.get(i, Fraction(0))
        for i in {*line.part, *line.share}
    }
    return {i: float(c * scale) for i, c in sorted(found.items()) if c}


def constant(line: Line) -> float:
    """Right-hand side of a line in outputs or million."""
    return float(line.const) if line.counted == "outputs" else _million(line.const)


Name = tuple[str, ...]
Loosened = Mapping[Name, float]


def laws(
    problem: Problem, keep: Iterable[Name] | None = None, loosen: Loosened | None = None
) -> tuple[Program, dict[Name, int]]:
    """Build cells, bounds, budgets and the lines of every tier; non-laws get a shortfall variable.

    Parameters
    ----------
    keep
        Names of the laws that stay (None: all): ("budget", "1"), ("bound", cell, side) or
        (rule, group, side).
    loosen
        How much of the right-hand side is given away, by name, in million VND or outputs; a budget
        moves as a whole, ("budget", "1", "min") opens one side of it.

    Returns
    -------
    The program, and the shortfall variable of each directive and preference.
    """
    program = Program()
    shortfalls: dict[Name, int] = {}
    wanted = None if keep is None else set(keep)
    give = loosen or {}

    def stands(law: Name) -> bool:
        return wanted is None or law in wanted

    for cell in problem.cells:
        _bound(program, cell, stands, give)
    for k, (chosen, amount) in enumerate(problem.budgets, 1):
        purse = ("budget", str(k))
        if stands(purse):
            money = _million(amount) + give.get(purse, 0.0)
            program.row(
                dict.fromkeys(chosen, 1.0),
                low=money - give.get((*purse, "min"), 0.0) if problem.exact else -np.inf,
                high=money + give.get((*purse, "max"), 0.0),
            )
    for line in problem.lines:
        name = (line.id, line.group, line.side)
        if line.tier == "law" and not stands(name):
            continue
        if line.tier != "law" and wanted is not None:
            continue
        coefficients = terms(problem, line)
        if line.tier != "law":
            shortfalls[name] = program.var()
            coefficients[shortfalls[name]] = 1.0 if line.side == "min" else -1.0
        slack, right = give.get(name, 0.0), constant(line)
        if line.side == "min":
            program.row(coefficients, low=right - slack)
        else:
            program.row(coefficients, high=right + slack)
    return program, shortfalls


def _bound(program: Program, cell: Cell, stands: Callable[[Name], bool], give: Loosened) -> None:
    """Add the variable of a cell and what binds it."""
    x = program.var()
    low, high = (("bound", cell_name(cell), side) for side in ("min", "max"))
    if stands(low) and cell.low > 0:
        program.row({x: 1.0}, low=_million(cell.low) - give.get(low, 0.0))
    if stands(high) and cell.high is not None:
        program.row({x: 1.0}, high=_million(cell.high) + give.get(high, 0.0))


def cell_name(cell: Cell) -> str:
    """Name of a cell for bounds: its keys without the empty ones."""
    return "|".join(cell.key)


def tier_cost(
    problem: Problem, shortfalls: Mapping[tuple[str, ...], int], tier: str
) -> dict[int, float]:
    """Weights of a tier's shortfall variables."""
    weights = {
        (line.id, line.group, line.side): line for line in problem.lines if line.tier == tier
    }
    return {
        shortfalls[name]: float(line.weight) for name, line in weights.items() if name in shortfalls
    }


def goal_cost(
    problem: Problem, program: Program, goal: Mapping[str, Any]
) -> tuple[dict[int, float], list[str]]:
    """Add what a goal needs; return its cost (to be minimised) and who is left out."""
    chosen = _select(problem.cells, goal.get("where") or {})
    kind = goal.get("maximise") or goal.get("minimise")
    if kind == "money":
        return dict.fromkeys(chosen, -1.0), []
    if kind == "outputs":
        costs = {i: problem.cells[i].unit_cost for i in chosen}
        return {i: -float(MILLION / cost) for i, cost in costs.items() if cost}, []
    if isinstance(kind, dict):
        return {i: -float(problem.column(kind["column"], i)) for i in chosen}, []
    if kind == "disbursed":
        return _disbursed(problem, program, set(chosen)), []
    if kind == "change":
        return _change(problem, program, chosen), []
    if kind == "evenness":
        return _evenness(problem, program, chosen, goal["per"])
    if kind == "risk":
        return _risk(problem, program, set(chosen), float(goal.get("level", "0.9"))), []
    raise NotImplementedError(kind)


def _disbursed(problem: Problem, program: Program, chosen: set[int]) -> dict[int, float]:
    cost: dict[int, float] = {}
    for curve in problem.curves:
        users = [i for i in curve.cells if i in chosen]
        draws: dict[int, dict[int, float]] = {i: {} for i in curve.cells}
        for width, rate in zip(curve.widths, curve.rates, strict=True):
            drawn = {i: program.var(high=_million(width)) for i in curve.cells}
            if len(drawn) > 1:
                program.row(dict.fromkeys(drawn.values(), 1.0), high=_million(width))
            for i, y in drawn.items():
                draws[i][y] = -1.0
                if i in users:
                    cost[y] = -float(rate * problem.cells[i].weight)
        for i in curve.cells:
            program.row({i: 1.0, **draws[i]}, low=0.0)
    return cost


def _change(problem: Problem, program: Program, chosen: Iterable[int]) -> dict[int, float]:
    most = 10 * sum(_million(a) for _, a in problem.budgets) + 10 * sum(
        _million(c.baseline) for c in problem.cells
    )
    cost = {}
    for i in chosen:
        moved = program.var(high=most)
        b = _million(problem.cells[i].baseline)
        program.row({moved: 1.0, i: -1.0}, low=-b)
        program.row({moved: 1.0, i: 1.0}, low=b)
        cost[moved] = 1.0
    return cost


def _evenness(
    problem: Problem, program: Program, chosen: Iterable[int], per: str
) -> tuple[dict[int, float], list[str]]:
    groups: dict[tuple[str, str], list[int]] = {}
    for i in chosen:
        groups.setdefault(problem.cells[i].key[:2], []).append(i)
    sums = {key: problem.column_sum(per, members) for key, members in groups.items()}
    left_out = sorted({key[1] for key, total in sums.items() if not total})
    kept = {key: float(total) for key, total in sums.items() if total}
    mean = sum(kept.values()) / len(kept)
    level = program.var()  # million VND per mean of the column
    for key, total in kept.items():
        program.row({**dict.fromkeys(groups[key], 1.0), level: -total / mean}, low=0.0)
    return {level: -1.0 / mean}, left_out


def _risk(problem: Problem, program: Program, chosen: set[int], level: float) -> dict[int, float]:
    """Mean of what the worst share of the draws leaves beyond capacity (Rockafellar, Uryasev)."""
    used = [(inside, p) for p in problem.pools if (inside := [i for i in p[0] if i in chosen])]
    n_draws = len(problem.pools[0][1])
    counted = max(1.0, (1 - level) * n_draws)
    least = program.var()
    cost = {least: 1.0}
    for d in range(n_draws):
        beyond = program.var()  # how far a draw is beyond the least of the worst ones
        parts = {}
        for inside, (_, capacity) in used:
            excess = program.var()
            program.row({excess: 1.0, **dict.fromkeys(inside, -1.0)}, low=-capacity[d])
            parts[excess] = -1.0
        program.row({least: 1.0, beyond: 1.0, **parts}, low=0.0)
        cost[beyond] = 1 / counted
    return cost


def solve(problem: Problem, goals: bool = True) -> Solution:
    """Laws, directives, preferences, goals in order, settlement."""
    program, shortfalls = laws(problem)
    try:
        program.solve({})
    except InfeasibleError:
        return Solution("infeasible")
    solution = Solution("optimal")
    staged = program.copy()
    for tier in ("directive", "preference"):
        cost = tier_cost(problem, shortfalls, tier)
        if cost:
            found = program.solve(cost)
            solution.tiers[tier] = max(0.0, found.value)
            staged.row(cost, high=found.value + 1e-9 * max(1.0, abs(found.value)))
            program.to_face(found)
    solution.staged = staged
    for goal in problem.goals if goals else ():
        cost, left_out = goal_cost(problem, program, goal)
        solution.left_out += left_out
        found = program.solve(cost)
        best = abs(found.value) if "maximise" in goal else found.value
        solution.best.append(best)
        give = float(Fraction(goal.get("give", 0)))
        if give:
            scale = max(abs(c) for c in cost.values())
            allowed = found.value + give * abs(found.value)
            program.row({j: c / scale for j, c in cost.items()}, high=allowed / scale)
        else:
            program.to_face(found)
    solution.open = program
    solution.plan = settle(program, *settlement_weights(problem))
    return solution


def settlement_weights(problem: Problem) -> tuple[Array, Array]:
    """Return b and max(b, m) in million VND."""
    b = np.array([_million(cell.baseline) for cell in problem.cells])
    m = b.mean() / 1000 if b.any() else 1.0
    return b, np.maximum(b, m)


def settlement_value(problem: Problem, plan: Array) -> float:
    b, width = settlement_weights(problem)
    return float(np.sum((plan - b) ** 2 / width))


def first_order_gap(problem: Problem, solution: Solution, plan: Array) -> float:
    """How far the linearised settlement could fall from `plan`; f(plan) - f* is no more."""
    b, width = settlement_weights(problem)
    cost = 2 * (plan - b) / width
    assert solution.open is not None
    found = solution.open.solve(dict(enumerate(cost)))
    return float(cost @ plan - found.value)


# ---------------------------------------------------------------------------- recomputation


def disbursed(problem: Problem, plan: Sequence[int]) -> list[tuple[list[int], Fraction]]:
    """Expected disbursement of each curve at a plan in VND, unweighted, with its cells."""
    found = []
    for curve in problem.curves:
        left, total = Fraction(sum(plan[i] for i in curve.cells)), Fraction(0)
        for width, rate in zip(curve.widths, curve.rates, strict=True):
            used = min(left, width)
            total += used * rate
            left -= used
        found.append((curve.cells, total))
    return found


def achieved(problem: Problem, goal: Mapping[str, Any], plan: Sequence[int]) -> float:
    """Value of a goal at a plan in VND; money in million VND, evenness in million per unit."""
    program = Program()
    for amount in plan:
        program.var(amount / MILLION, amount / MILLION)
    cost, _ = goal_cost(problem, program, goal)
    value = program.solve(cost).value
    return abs(value) if "maximise" in goal else value


def price(
    problem: Problem,
    solution: Solution,
    name: tuple[str, ...],
    delta: float,
    again: bool = False,
) -> float | None:
    """Gain of the first goal per unit of right-hand side, by solving once more.

    The tiers are kept at their values; with `again` they are minimised afresh.
    """
    goal = problem.goals[0]

    def value(loosen: Loosened) -> float:
        program, shortfalls = laws(problem, loosen=loosen)
        for tier in ("directive", "preference"):
            cost = tier_cost(problem, shortfalls, tier)
            if cost:
                kept = program.solve(cost).value if again else solution.tiers[tier]
                program.row(cost, high=kept + 1e-9 * max(1.0, kept))
        cost, _ = goal_cost(problem, program, goal)
        return program.solve(cost).value

    before = value({})
    slopes = []
    for step in (20 * delta, delta):
        try:
            slopes.append((before - value({name: step})) / step)
        except InfeasibleError:
            return None
    if abs(slopes[0] - slopes[1]) > 1e-6 + 1e-4 * abs(slopes[0]):
        return None
    return slopes[0]


def cell_range(
    problem: Problem, solution: Solution, plan: Sequence[int], i: int, room: float
) -> tuple[float, float]:
    """Least and most of a cell among plans no worse in any tier or achieved goal, million VND.

    "No worse" is than the rounded plan, by `room` (million VND in the cell that counts most).
    """
    program, shortfalls = laws(problem)
    for tier in solution.tiers:
        cost = tier_cost(problem, shortfalls, tier)
        reached = max(solution.tiers[tier], float(tier_shortfall(problem, tier, plan)))
        program.row(cost, high=reached + room * max(cost.values()))
    for goal in problem.goals:
        cost, _ = goal_cost(problem, program, goal)
        reached = achieved(problem, goal, plan)
        scale = max(abs(c) for c in cost.values())
        worst = (-reached if "maximise" in goal else reached) / scale + room
        program.row({j: c / scale for j, c in cost.items()}, high=worst)
    return program.solve({i: 1.0}).point[i], program.solve({i: -1.0}).point[i]


def tier_shortfall(problem: Problem, tier: str, plan: Sequence[int]) -> Fraction:
    """Weighted shortfall of a tier at a plan in VND; million VND and outputs."""
    found = Fraction(0)
    for line in problem.lines:
        if line.tier == tier:
            missing = max(Fraction(0), line.missing(plan))
            found += line.weight * (missing if line.counted == "outputs" else missing / MILLION)
    return found


def open_cells(problem: Problem, solution: Solution) -> list[tuple[float, float]]:
    """Range of every cell among what the goals left (give included), million VND."""
    assert solution.open is not None
    return [
        (solution.open.solve({i: 1.0}).point[i], solution.open.solve({i: -1.0}).point[i])
        for i in range(problem.size)
    ]
