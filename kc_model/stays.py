"""Which lines of a plan stay as they were, which move: what a goal of fewest moves counts.

A line is a cell, or, where projects give a cell its money, each of these projects. It stays as long
as it is less than one step of the grid away from what it had before (its baseline; for a project,
what the plan in force gives it): on the grid itself, or between the two steps next to it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pulp
from numpy.typing import NDArray

from kc_model.cells import MILLION
from kc_model.offered import Offered
from kc_model.problem import Problem
from kc_model.tables import CELL_KEYS

__all__ = [
    "ASLEEP",
    "MOVING",
    "Stays",
    "add_moves",
    "cell_bounds",
    "count_moves",
    "decided",
    "reach",
    "stays_of",
    "stays_within",
    "terms_of_moves",
]

ASLEEP = ("rise_", "fall_", "way_", "lean_", "need_", "shift_")
"""Rows that tie what moves to money, by how their names begin: none before moves are counted."""

MOVING = ("rises_", "falls_", "shifts_")
"""Columns that say what moves, in the same way."""

_HALF = 0.5 / MILLION  # half a đồng: amounts and the grid are whole đồng
_SAME = 1e-9
_BROKEN = 1e-6

Money = NDArray[np.float64]
Mask = NDArray[np.bool_]
Dong = NDArray[np.int64]
Terms = list[tuple[pulp.LpVariable, float]]


@dataclass(frozen=True)
class _Leaning:
    """A law that the lines as they were lean on, or break: Σ coef · x ≤ right.

    Some line that moves against it needs another that moves with it.
    `is_broken`: some line has to move with it in any case.
    """

    cells: NDArray[np.int64]
    coef: Money
    is_broken: bool


@dataclass(frozen=True)
class Stays:
    """The cells that goals of fewest moves count, and how far each can go.

    Parameters
    ----------
    counted : array of bool (n_cells,)
        Cells with money that no project gives, counted by any of the goals.
    low, high : arrays (n_cells,), million VND
        Between which a cell stays as it was.
    least, most : arrays (n_cells,), million VND
        Between which the laws leave it at any rate.
    """

    counted: Mask
    low: Money
    high: Money
    least: Money
    most: Money


def stays_within(vnd: Dong, grid: int) -> tuple[Dong, Dong]:
    """Return the multiples of the grid next to some amounts: the amount itself where it is one."""
    return vnd // grid * grid, -(-vnd // grid) * grid


def decided(problem: Problem, chosen: Mask, kept: Mask | None, same: Mask) -> Problem:
    """Return the problem once it is known what is chosen and what stays as it was.

    Parameters
    ----------
    problem : Problem
        Nothing decided yet.
    chosen, same : arrays of bool (n_projects,)
        Projects that are chosen; those of them that get what they had before.
    kept : array of bool (n_cells,) or None
        None where moves are not counted.
    """
    offered = problem.offered
    if offered is not None:
        low, high = _kept_sizes(offered, problem.grid)
        least, most = np.where(same, [low, high], [offered.least, offered.most])
        offered = replace(offered, least=least, most=most)
    return replace(problem, kept=kept, offered=offered).decided(chosen)


def count_moves(problem: Problem, k: int, x: Money) -> int:
    """Return how many lines that goal k counts a plan moves.

    A project moves by what was decided of it: one that may get another amount than before counts.

    Parameters
    ----------
    problem : Problem
        Projects decided.
    k : int
    x : array (n_cells,), million VND
    """
    low, high = _cells_within(problem)
    chosen = problem.selected[k]
    moved = chosen & _free(problem) & ((x < low - _HALF) | (x > high + _HALF))
    return int(moved.sum()) + _moved_projects(problem, chosen)


def _moved_projects(problem: Problem, cells: Mask) -> int:
    """Return how many projects of some cells move, by what was decided of them."""
    offered = problem.offered
    if offered is None or offered.chosen is None:
        return 0
    low, high = stays_within(offered.before, problem.grid)
    same = (offered.least >= low) & (offered.most <= high)
    moved = np.where(offered.chosen, ~same, offered.before > 0)
    return int((offered.paying(np.flatnonzero(cells)) & moved).sum()) + _lost(problem, cells)


def _lost(problem: Problem, cells: Mask) -> int:
    """Return how many projects the plan in force pays from some cells that cannot be chosen."""
    offered, names = problem.offered, list(CELL_KEYS[1:])
    if offered is None:
        return 0
    known = set(problem.cells.frame.loc[cells, names].itertuples(index=False, name=None))
    lost = offered.frame.loc[~offered.may & (offered.before > 0), names]
    return sum(
        any((place, *rest) in known for place in places.split(";"))
        for places, *rest in lost.itertuples(index=False, name=None)
    )


def stays_of(problem: Problem) -> Stays:
    """Return what a problem's goals of fewest moves count."""
    counted = np.zeros(len(problem.cells), dtype=bool)
    for k in problem.counting:
        counted |= problem.selected[k]
    least, most = reach(problem)
    return Stays(counted & _free(problem), *_cells_within(problem), least, most)


def _leaning(problem: Problem, stays: Stays) -> Iterator[_Leaning]:
    """Yield the laws over counted cells that need one to move before another may.

    Every one of them is a row that sharpens the count without cutting off a plan.
    """
    for cells, coef, right in _below(problem):
        if len(cells) < 2 or not np.all(stays.counted[cells]):
            continue
        at_least = float(coef @ np.where(coef > 0, stays.low[cells], stays.high[cells]))
        size = max(1.0, abs(right))
        if at_least >= right - _SAME * size:
            yield _Leaning(cells, coef, at_least > right + _BROKEN * size)


def _free(problem: Problem) -> Mask:
    """Return the cells whose money no project gives."""
    free = np.ones(len(problem.cells), dtype=bool)
    if problem.offered is not None:
        free[problem.offered.named] = False
    return free


def _cells_within(problem: Problem) -> tuple[Money, Money]:
    before = problem.cells.frame["baseline"].to_numpy(dtype=np.int64)
    low, high = stays_within(before, problem.grid)
    return low / MILLION, high / MILLION


def _below(problem: Problem) -> Iterator[tuple[NDArray[np.int64], Money, float]]:
    """Yield every law that counts no projects as Σ coef · x ≤ right, an equation both ways."""
    for row in problem.rows:
        if not row.is_law or len(row.projects) or len(row.base_projects):
            continue
        cells, coef = row.coefficients()
        cells, coef = cells[coef != 0], coef[coef != 0]
        for sign in {"max": (1.0,), "min": (-1.0,), "equal": (1.0, -1.0)}[row.side]:
            yield cells, sign * coef, sign * row.right


def reach(problem: Problem) -> tuple[Money, Money]:
    """Return between which amounts the laws leave each cell, each law by itself.

    Returns
    -------
    arrays (n_cells,), million VND
    """
    least = np.zeros(len(problem.cells))
    most = np.full(len(problem.cells), np.inf)
    rows = list(_below(problem))
    for cells, coef, right in rows:
        if len(cells) == 1 and coef[0] < 0:
            least[cells] = np.maximum(least[cells], right / coef[0])
    for cells, coef, right in rows:
        if np.all(coef > 0):
            rest = right - float(coef @ least[cells])
            most[cells] = np.minimum(most[cells], least[cells] + rest / coef)
    return least, most


# ---------------------------------------------------------------------------- the program


def cell_bounds(problem: Problem) -> list[tuple[float, float | None]]:
    """Return the bounds of the cells' money, million VND; those of what stays are what they say."""
    if problem.kept is None:
        return [(0.0, None)] * len(problem.cells)
    low, high = _cells_within(problem)
    return [
        (least, most) if stays else (0.0, None)
        for stays, least, most in zip(problem.kept, low.tolist(), high.tolist(), strict=True)
    ]


def add_moves(program: pulp.LpProblem, problem: Problem, x: list[pulp.LpVariable]) -> None:
    """Add whether each cell that is counted rises or falls, and what needs one to do so.

    Columns: ``rises_i``, ``falls_i`` whether cell i has more, or less, than it may stay at,
    ``away_i`` how much more or less, ``moved`` all that money; ``shifts_p`` whether project p,
    whose money may vary, gets another amount than before.

    Parameters
    ----------
    program : pulp.LpProblem
        With the columns of projects.
    problem : Problem
        Nothing decided yet.
    x : list of pulp.LpVariable
        Money of the cells.
    """
    stays = stays_of(problem)
    money: Terms = []
    ways: dict[str, dict[int, pulp.LpVariable]] = {"rise": {}, "fall": {}}
    for i in np.flatnonzero(stays.counted).tolist():
        away = program.add_variable(f"away_{i}", lowBound=0)
        money.append((away, 1.0))
        for way, sign, stay, end in (
            ("rise", 1.0, stays.high, stays.most),
            ("fall", -1.0, stays.low, stays.least),
        ):
            far = sign * (end[i] - stay[i])
            if far <= 0:
                continue
            other = stays.least if way == "rise" else stays.most
            must = int(sign * (other[i] - stay[i]) > _SAME * max(1.0, far))
            moves = program.add_variable(f"{way}s_{i}", must, 1, pulp.LpInteger)
            program.addConstraint(sign * x[i] - away <= sign * stay[i], f"away_{way}_{i}")
            program.addConstraint(sign * x[i] - far * moves <= sign * stay[i], f"{way}_{i}")
            ways[way][i] = moves
        both = [ways[way][i] for way in ways if i in ways[way]]
        if len(both) > 1:
            program.addConstraint(both[0] + both[1] <= 1, f"way_{i}")
    total = program.add_variable("moved", lowBound=0)
    program.addConstraint(pulp.LpAffineExpression([*money, (total, -1.0)]) == 0, "all_moved")
    _add_needs(program, problem, stays, ways)
    _add_shifts(program, problem)


def _add_needs(
    program: pulp.LpProblem,
    problem: Problem,
    stays: Stays,
    ways: Mapping[str, Mapping[int, pulp.LpVariable]],
) -> None:
    """Of each law that the lines lean on: none moves against it unless another moves with it."""
    for n, law in enumerate(_leaning(problem, stays)):
        sides: dict[bool, list[pulp.LpVariable]] = {True: [], False: []}
        for i, coef in zip(law.cells.tolist(), law.coef.tolist(), strict=True):
            for way, moves in ways.items():
                if i in moves:
                    sides[(coef > 0) == (way == "rise")].append(moves[i])
        helping = program.add_variable(f"helping_{n}", lowBound=int(law.is_broken))
        parts = [*((moves, 1.0) for moves in sides[False]), (helping, -1.0)]
        program.addConstraint(pulp.LpAffineExpression(parts) == 0, f"lean_{n}")
        for m, moves in enumerate(sides[True]):
            program.addConstraint(moves - helping <= 0, f"need_{n}_{m}")


def _add_shifts(program: pulp.LpProblem, problem: Problem) -> None:
    """Whether a project that the plan in force has, and whose money may vary, keeps its amount."""
    offered = problem.offered
    if offered is None:
        return
    columns = program.variablesDict()
    low, high = _kept_sizes(offered, problem.grid)
    for p in np.flatnonzero((offered.before > 0) & ~offered.is_whole & (low <= high)).tolist():
        if f"a_{p}" in columns:
            a, most = columns[f"a_{p}"], float(offered.most[p]) / MILLION
            shifts = program.add_variable(f"shifts_{p}", 0, 1, pulp.LpInteger)
            least, up = float(low[p]) / MILLION, float(high[p]) / MILLION
            program.addConstraint(a + least * shifts >= least, f"shift_{p}_down")
            program.addConstraint(a - (most - up) * shifts <= up, f"shift_{p}_up")


def _kept_sizes(offered: Offered, grid: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return between which amounts, VND, each project that is chosen stays as it was."""
    low, high = stays_within(offered.before, grid)
    return np.maximum(low, offered.least), np.minimum(high, offered.most)


def terms_of_moves(program: pulp.LpProblem, problem: Problem, k: int) -> Terms:
    """Return what goal k counts: cells that rise or fall, projects that come in, go or shift."""
    chosen, columns = problem.selected[k], program.variablesDict()
    terms: Terms = []
    if problem.kept is not None:
        known = int((stays_of(problem).counted & chosen & ~problem.kept).sum())
        known += _moved_projects(problem, chosen)
    else:
        names = [f"{way}_{i}" for i in np.flatnonzero(chosen) for way in ("rises", "falls")]
        terms = [(columns[name], 1.0) for name in names if name in columns]
        known = _projects_moved(problem, chosen, columns, terms)
    if known:
        terms.append((program.add_variable(f"known{k}", known, known), 1.0))
    return terms


def _projects_moved(
    problem: Problem, chosen: NDArray[np.bool_], columns: dict[str, pulp.LpVariable], terms: Terms
) -> int:
    """Add the projects of some cells that move; return how many do whatever these come to."""
    offered, known = problem.offered, _lost(problem, chosen)
    if offered is None:
        return known
    low, high = _kept_sizes(offered, problem.grid)
    for p in np.unique(offered.project[chosen[offered.cell]]).tolist():
        z = columns[f"z_{p}"]
        if not offered.before[p]:
            terms.append((z, 1.0))
            continue
        known += f"shifts_{p}" not in columns
        if f"shifts_{p}" in columns:
            terms.append((columns[f"shifts_{p}"], 1.0))
        elif offered.is_whole[p] and low[p] <= high[p]:
            terms.append((z, -1.0))
    return known
