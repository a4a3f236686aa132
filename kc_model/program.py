r"""A problem as one PuLP definition.

.. math::

    \text{min}\ & s_1, s_2\ \text{(shortfall of directives, of preferences)},\ g_1, g_2, \dots \\
    \text{where}\ & L_r - m_r B_r \ (\ge, \le, =)\ 0 && \text{law rows } r \\
    & L_r - m_r B_r + v_r \ge 0,\ L_r - m_r B_r - v_r \le 0,\ v_r \ge 0 && \text{other rows} \\
    & \textstyle\sum_j y_{ij} \le x_i,\ 0 \le y_{ij} \le width_{ij} && \text{absorption} \\
    & \textstyle s_t = \sum_{r \in t} weight_r\, v_r \\
    & \textstyle x_i = \sum_p share_{pi}\, a_p,\ least_p z_p \le a_p \le most_p z_p,\ z_p \in
      \{0, 1\} && \text{cells that projects name} \\
    & before_i - M^-_i z^-_i \le x_i \le before_i + M^+_i z^+_i,\ z^\pm_i \in \{0, 1\}
      && \text{lines of which the fewest are to move}

x is money in million VND. Everything is minimised: a goal that maximises stands with its sign
turned. The stages are solved one after the other in `kc_model.allocate`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pulp
from numpy.typing import NDArray

from kc_model.cells import MILLION
from kc_model.offered import Offered
from kc_model.problem import Problem
from kc_model.rules import Row
from kc_model.stays import add_moves, cell_bounds, terms_of_moves

__all__ = [
    "FROZEN",
    "PARTIAL",
    "Stage",
    "build_program",
    "link_projects",
    "row_terms",
    "shared_wholes",
]

Array = NDArray[np.float64]

_SOFT = ("directive", "preference")

FROZEN = 1e-9
"""How far, relatively, a stage may be from its value and still be kept at it (contract, §3)."""

PARTIAL = 1e-9
"""How far, relatively, a plan may be above what the rows of a partial stage tell of it."""


@dataclass(frozen=True)
class Stage:
    """One objective in the order of importance.

    Parameters
    ----------
    name : str
        A tier, or the name of a goal.
    column : str
        Name of the variable that is minimised.
    sign : float
        −1 where the goal maximises.
    scale : float
        The stage's value is sign · scale · column, in million VND (or the goal's own unit):
        columns are kept near 1 per million VND, so that one tolerance fits them all.
    give : float
        Share of its best that later goals may cost.
    goal : int or None
        Number of the goal; None for a tier.
    limit : float or None
        Value that later goals may worsen the stage to, in place of `give`.
    is_partial : bool
        Whether rows are added to it while it is solved, as a plan that is found asks for them:
        a risk has too many draws to be written down whole.
    is_moves : bool
        Whether it counts the lines that move.
    is_kept : bool
        Whether `limit` is what a choice made to a gap has made of it: amounts alone may do better.
    """

    name: str
    column: str
    sign: float = 1.0
    scale: float = 1.0
    give: float = 0.0
    goal: int | None = None
    limit: float | None = None
    is_partial: bool = False
    is_moves: bool = False
    is_kept: bool = False

    def worst(self, best: float) -> float:
        """Return the worst value of the column that later goals may leave, given its best one."""
        if self.limit is not None:
            return max(best, self.sign * self.limit / self.scale)
        return best + self.give * abs(best)

    def highest(self, best: float) -> float:
        """Return the largest value of the column that still counts as kept.

        A stage that nothing may worsen is kept exactly, by what its multipliers shut; one that is
        kept by a bound on its column has the contract's 1e-9 more.
        """
        worst = self.worst(best)
        return worst + FROZEN * max(1.0, abs(worst)) if self.is_open else best

    @property
    def is_open(self) -> bool:
        """Whether later goals may cost anything of this one."""
        return self.give > 0 or self.limit is not None

    def after_choice(self, best: float, *, is_near: bool) -> Stage:
        """Return the stage as amounts have to keep it after a choice.

        Parameters
        ----------
        best : float
            What the choice made of its column.
        is_near : bool
            Whether that was to a gap, and later stages were chosen with it there.
        """
        if not (self.is_open or is_near):
            return self
        limit = self.sign * self.scale * self.worst(best)
        return replace(self, limit=limit, is_kept=not self.is_open)

    def renumbered(self, problem: Problem) -> Stage:
        """Return the stage with the numbers that the scenario of a problem has now."""
        if self.goal is None:
            most = problem.scenario.missed_up_to.get(self.name)
            return replace(self, limit=None if most is None else float(most))
        goal = problem.goals[self.goal]
        unit = 1.0 if goal.is_count else problem.million
        limit = None if goal.down_to is None else float(goal.down_to) / unit
        return replace(self, give=float(goal.give), limit=limit)


def build_program(problem: Problem) -> tuple[pulp.LpProblem, tuple[Stage, ...]]:
    """Return the program and its stages in order.

    Columns: ``x_i`` money of cell i; ``b_r`` the whole B of row r and of the rows that share it;
    ``y_c_i_j`` money of cell i in slice j of curve c; ``v_r`` shortfall of row r; ``u_k_i``
    distance from the baseline; ``risk_k`` a risk; ``s_t`` tiers; ``g_k`` goals; ``z_p`` whether
    project p is chosen (none once that is decided), ``a_p`` its money where it may vary. Where
    moves are counted and nothing is decided yet: ``more_i``, ``less_i`` money that cell i has
    beyond what it may stay at, ``rises_i``, ``falls_i`` whether it does, ``shifts_p`` whether
    project p gets another amount, ``moved`` all that money.
    """
    program = pulp.LpProblem("kc_model", pulp.LpMinimize)
    x = [
        program.add_variable(f"x_{i}", lowBound=low, upBound=high)
        for i, (low, high) in enumerate(cell_bounds(problem))
    ]
    z = {} if problem.offered is None else _add_projects(program, problem, problem.offered, x)
    stages = _add_rows(program, problem, x, z)
    if problem.counting and problem.kept is None:
        add_moves(program, problem, x)
    for k, goal in enumerate(problem.goals):
        terms = _GOALS[goal.what.split(":")[0]](program, problem, k, x)
        sign = -1.0 if goal.sense == "maximise" else 1.0
        is_moves = goal.what == "moves"
        scale = max((abs(c) for _, c in terms), default=1.0) or 1.0
        scale = 1 / problem.size if is_moves else scale
        value = program.add_variable(f"g_{k}")
        parts = [*((v, sign * c / scale) for v, c in terms), (value, -1.0)]
        program.addConstraint(pulp.LpAffineExpression(parts) == 0, f"goal_{k}")
        is_partial = k in problem.risks
        stage = Stage(
            goal.name, value.name, sign, scale, goal=k, is_partial=is_partial, is_moves=is_moves
        )
        stages.append(stage.renumbered(problem))
    return program, tuple(stages)


_Terms = list[tuple[pulp.LpVariable, float]]


def row_terms(row: Row, r: int, whole: int | None) -> dict[str, float]:
    """Return the coefficients of row number r by column: what `build_program` writes of it.

    Parameters
    ----------
    row : Row
    r : int
    whole : int or None
        Number of the row whose ``b_r`` is this row's B; None: B stands in the row itself.
    """
    cells, coef = row.coefficients() if whole is None else (row.cells, row.coef)
    terms = {f"x_{i}": c for i, c in zip(cells.tolist(), coef.tolist(), strict=True)}
    for p in row.projects.tolist():
        terms[f"z_{p}"] = 1.0
    for p in row.base_projects.tolist():
        terms[f"z_{p}"] = terms.get(f"z_{p}", 0.0) - row.factor
    if whole is not None:
        terms[f"b_{whole}"] = -row.factor
    if not row.is_law:
        terms[f"v_{r}"] = 1.0 if row.side == "min" else -1.0
    return terms


def shared_wholes(rows: Sequence[Row]) -> list[int | None]:
    """For every row the first one with the same B; None where B is at most one cell's money."""
    first: dict[tuple[bytes, bytes], int] = {}
    return [
        first.setdefault((row.base.tobytes(), row.base_coef.tobytes()), r)
        if len(row.base) > 1
        else None
        for r, row in enumerate(rows)
    ]


def _add_projects(
    program: pulp.LpProblem, problem: Problem, offered: Offered, x: list[pulp.LpVariable]
) -> dict[str, pulp.LpVariable]:
    """Money of the cells that projects name, and the links between projects."""
    least, most = offered.least / MILLION, offered.most / MILLION
    z: dict[int, pulp.LpVariable] = {}
    amount: dict[int, tuple[pulp.LpVariable | None, float]] = {}  # column and factor, or constant
    for p in np.flatnonzero(offered.may if offered.chosen is None else offered.chosen).tolist():
        is_whole = bool(offered.is_whole[p])
        if offered.chosen is None:
            must = int(offered.must[p])
            z[p] = program.add_variable(f"z_{p}", lowBound=must, upBound=1, cat=pulp.LpInteger)
        if is_whole:
            amount[p] = (z.get(p), float(most[p]))
            continue
        low = float(least[p]) if offered.chosen is not None else 0.0
        a = program.add_variable(f"a_{p}", lowBound=low, upBound=float(most[p]))
        amount[p] = (a, 1.0)
        if offered.chosen is None:
            program.addConstraint(a - float(most[p]) * z[p] <= 0, f"most_{p}")
            program.addConstraint(a - float(least[p]) * z[p] >= 0, f"least_{p}")
    _add_parts(program, offered, amount, x)
    if z:
        link_projects(program, offered, z)
    for before, after in _twins(problem, offered) if z else ():
        program.addConstraint(z[before] - z[after] >= 0, f"twins_{before}_{after}")
    return {variable.name: variable for variable in z.values()}


def link_projects(
    program: pulp.LpProblem, offered: Offered, z: Mapping[int, pulp.LpVariable]
) -> None:
    """Add what projects need and exclude, given who is chosen by number."""
    for n, (one, other) in enumerate(offered.requires.tolist()):
        program.addConstraint(z[one] - z[other] <= 0, f"requires_{n}")
    for n, (one, other) in enumerate(offered.excludes.tolist()):
        program.addConstraint(z[one] + z[other] <= 1, f"excludes_{n}")


def _add_parts(
    program: pulp.LpProblem,
    offered: Offered,
    amount: dict[int, tuple[pulp.LpVariable | None, float]],
    x: list[pulp.LpVariable],
) -> None:
    """Money of a cell = Σ share · amount of the projects that pay into it."""
    terms: dict[int, _Terms] = {i: [] for i in offered.named.tolist()}
    fixed = dict.fromkeys(terms, 0.0)
    for p, i, share in zip(
        offered.project.tolist(), offered.cell.tolist(), offered.share, strict=True
    ):
        column, factor = amount.get(p, (None, 0.0))
        if column is None:
            fixed[i] += float(share) * factor
        else:
            terms[i].append((column, -float(share) * factor))
    for i, parts in terms.items():
        left = pulp.LpAffineExpression([(x[i], 1.0), *parts])
        program.addConstraint(left == fixed[i], f"paid_{i}")


def _twins(problem: Problem, offered: Offered) -> Iterator[tuple[int, int]]:
    """Yield pairs of projects that no row or goal tells apart, the one that goes first first.

    The order between them decides, and the solver need not try both.
    """
    told: dict[int, list[int]] = {}
    for r, row in enumerate(problem.rows):
        for p in (*row.projects.tolist(), *(-1 - row.base_projects).tolist()):
            told.setdefault(p if p >= 0 else -1 - p, []).append(r if p >= 0 else -1 - r)
    linked = {*offered.requires.ravel().tolist(), *offered.excludes.ravel().tolist()}
    parts: dict[int, list[tuple[int, object]]] = {}
    sure = offered.sure if len(offered.sure) else np.zeros(len(offered.cell))
    for p, i, share, own in zip(
        *(offered.project.tolist(), offered.cell.tolist(), offered.share, sure), strict=True
    ):
        parts.setdefault(p, []).append((i, (share, float(own))))
    alike: dict[object, int] = {}
    for p in np.argsort(offered.rank, kind="stable").tolist():
        if not offered.may[p] or offered.must[p] or p in linked:
            continue
        key = (tuple(parts[p]), offered.least[p], offered.most[p], tuple(told.get(p, ())))
        if key in alike:
            yield alike[key], p
        alike[key] = p


def _add_rows(
    program: pulp.LpProblem,
    problem: Problem,
    x: list[pulp.LpVariable],
    z: dict[str, pulp.LpVariable],
) -> list[Stage]:
    """Law rows as they are; the others with a shortfall that its tier adds up."""
    missed: dict[str, _Terms] = {}
    columns = {**{variable.name: variable for variable in x}, **z}
    for r, (row, whole) in enumerate(zip(problem.rows, shared_wholes(problem.rows), strict=True)):
        if whole == r:
            b = columns[f"b_{r}"] = program.add_variable(f"b_{r}")
            parts = [(x[i], c) for i, c in zip(row.base, row.base_coef.tolist(), strict=True)]
            program.addConstraint(pulp.LpAffineExpression([*parts, (b, -1.0)]) == 0, f"whole_{r}")
        if not row.is_law:
            v = columns[f"v_{r}"] = program.add_variable(f"v_{r}", lowBound=0)
            missed.setdefault(row.tier, []).append((v, row.weight))
        terms = row_terms(row, r, whole).items()
        left = pulp.LpAffineExpression([(columns[name], c) for name, c in terms])
        right = row.right
        sense = {"min": left >= right, "max": left <= right, "equal": left == right}[row.side]
        program.addConstraint(sense, f"row_{r}")
    stages = []
    for tier in _SOFT:
        if tier in missed:
            total = program.add_variable(f"s_{tier}", lowBound=0)
            program.addConstraint(
                pulp.LpAffineExpression([*missed[tier], (total, -1.0)]) == 0, f"tier_{tier}"
            )
            stages.append(Stage(tier, total.name).renumbered(problem))
    return stages


def _money(_: pulp.LpProblem, problem: Problem, k: int, x: list[pulp.LpVariable]) -> _Terms:
    return [(x[i], 1.0) for i in np.flatnonzero(problem.selected[k])]


def _column(_: pulp.LpProblem, problem: Problem, k: int, x: list[pulp.LpVariable]) -> _Terms:
    chosen, column = problem.selected[k], problem.columns[k]
    return [(x[i], float(column[i])) for i in np.flatnonzero(chosen & (column != 0))]


def _direction(_: pulp.LpProblem, problem: Problem, k: int, x: list[pulp.LpVariable]) -> _Terms:
    return list(zip(x, problem.columns[k].tolist(), strict=True))  # zeros too: they may move


def _disbursed(
    program: pulp.LpProblem, problem: Problem, k: int, x: list[pulp.LpVariable]
) -> _Terms:
    """Σ weight_i Σ_j rate_ij y_ij; a curve that several cells share is filled by them together."""
    chosen = problem.selected[k]
    weight = problem.weight
    terms: _Terms = []
    curves = problem.curves
    stages = _stages(program, problem)
    is_choice = problem.offered is not None and problem.offered.chosen is None
    for c, (cells, widths, rates) in enumerate(
        zip(curves.members, curves.widths, curves.rates, strict=True)
    ):
        used = [j for j in range(len(widths)) if widths[j] > 0 and rates[j] > 0]
        counted = [int(i) for i in cells if chosen[i]]
        if is_choice and len(cells) == 1 and c not in stages:
            terms += [
                (_under(program, f"w{k}_{i}", x[i], widths[used], rates[used]), float(weight[i]))
                for i in counted
            ]
            continue
        filled: dict[int, _Terms] = {j: [] for j in used}
        sure: _Terms = []
        for i in counted:
            parts: _Terms = []
            if c in stages:
                y = program.add_variable(f"y{k}_{c}_{i}_sure", lowBound=0)
                parts.append((y, 1.0))
                sure.append((y, 1.0))
                terms.append((y, float(weight[i])))
            for j in used:
                y = program.add_variable(f"y{k}_{c}_{i}_{j}", lowBound=0, upBound=float(widths[j]))
                parts.append((y, 1.0))
                filled[j].append((y, 1.0))
                terms.append((y, float(weight[i] * rates[j])))
            if parts:
                program.addConstraint(
                    pulp.LpAffineExpression([*parts, (x[i], -1.0)]) <= 0, f"spent{k}_{i}"
                )
        if sure:
            left = pulp.LpAffineExpression([*sure, *((z, -own) for z, own in stages[c])])
            program.addConstraint(left <= 0, f"sure{k}_{c}")
        if len(counted) > 1:
            for j in used:
                program.addConstraint(
                    pulp.LpAffineExpression(filled[j]) <= float(widths[j]), f"shared{k}_{c}_{j}"
                )
    return terms


def _under(
    program: pulp.LpProblem, name: str, x: pulp.LpVariable, widths: Array, rates: Array
) -> pulp.LpVariable:
    """Return what is at most disbursed of a cell's money: under the line of each of its slices.

    While whole numbers are looked for a column for each slice would fill the goal's row, and the
    solver is slow at long rows.
    """
    w = program.add_variable(name, lowBound=0, upBound=float(rates @ widths))
    before = np.cumsum(widths * rates) - widths * rates - rates * (np.cumsum(widths) - widths)
    for j, (rate, start) in enumerate(zip(rates.tolist(), before.tolist(), strict=True)):
        program.addConstraint(w - rate * x <= start, f"under_{name}_{j}")
    return w


def _stages(program: pulp.LpProblem, problem: Problem) -> dict[int, _Terms]:
    """Return for every curve the projects, not decided yet, whose stage makes money sure on it."""
    offered, found = problem.offered, dict[int, _Terms]()
    if offered is None or not offered.sure.any():
        return found
    columns = program.variablesDict()
    for p, i, own in zip(
        *(offered.project.tolist(), offered.cell.tolist(), offered.sure.tolist()), strict=True
    ):
        if own:
            found.setdefault(problem.curves.curve_of[i], []).append((columns[f"z_{p}"], own))
    return found


def _change(program: pulp.LpProblem, problem: Problem, k: int, x: list[pulp.LpVariable]) -> _Terms:
    """Σ |x_i − baseline_i|."""
    terms: _Terms = []
    for i in np.flatnonzero(problem.selected[k]):
        base = float(problem.baseline[i])
        u = program.add_variable(f"u{k}_{i}", lowBound=0)
        program.addConstraint(
            pulp.LpAffineExpression([(u, 1.0), (x[i], -1.0)]) >= -base, f"up{k}_{i}"
        )
        program.addConstraint(
            pulp.LpAffineExpression([(u, 1.0), (x[i], 1.0)]) >= base, f"down{k}_{i}"
        )
        terms.append((u, 1.0))
    return terms


def _evenness(
    program: pulp.LpProblem, problem: Problem, k: int, x: list[pulp.LpVariable]
) -> _Terms:
    """Take the smallest Σ x / Σ column over year and place."""
    group, totals = problem.groups[k]
    size = float(totals.mean()) if len(totals) else 1.0
    least = program.add_variable(f"z{k}", lowBound=0)  # money of a place of mean size
    for n, total in enumerate(totals.tolist()):
        terms = [(x[i], 1.0) for i in np.flatnonzero(group == n)]
        program.addConstraint(
            pulp.LpAffineExpression([*terms, (least, -total / size)]) >= 0, f"even{k}_{n}"
        )
    return [(least, 1 / size)]


def _risk(program: pulp.LpProblem, _: Problem, k: int, __: list[pulp.LpVariable]) -> _Terms:
    """Take a risk that the rows to come push up: see `kc_model.risk.Risk.row`."""
    return [(program.add_variable(f"risk{k}", lowBound=0), 1.0)]


_GOALS = {
    "money": _money,
    "disbursed": _disbursed,
    "evenness": _evenness,
    "outputs": _column,
    "column": _column,
    "direction": _direction,
    "change": _change,
    "moves": lambda program, problem, k, _: terms_of_moves(program, problem, k),
    "risk": _risk,
}
