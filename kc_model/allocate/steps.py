"""What cells and projects can be on the grid, as rows of their own.

Every amount is a whole number of steps: a cell's free money, and each part of a project, which is
its share in whole steps, up or down. What holds to the đồng is given.
"""

from __future__ import annotations

import numpy as np
import pulp

from kc_model.allocate.sizes import quota_room
from kc_model.cells import MILLION
from kc_model.offered import Offered
from kc_model.problem import Problem
from kc_model.program import link_projects

__all__ = ["build_steps"]


def build_steps(problem: Problem) -> pulp.LpProblem:
    """Return the program of all choices and amounts on the grid, without rules and goals.

    Columns: ``x_i`` money of cell i, million VND; ``z_p`` whether project p is chosen; ``q_k``
    steps of its part k; ``m_i`` steps of cell i, which no project names.

    Parameters
    ----------
    problem : Problem
        Projects not decided.
    """
    offered = problem.offered
    if offered is None:
        raise ValueError("the problem has no projects")
    step = problem.grid / MILLION
    program = pulp.LpProblem("steps", pulp.LpMinimize)
    x = [program.add_variable(f"x_{i}", lowBound=0) for i in range(len(problem.cells))]
    z = {
        p: program.add_variable(f"z_{p}", int(offered.must[p]), 1, pulp.LpInteger)
        for p in np.flatnonzero(offered.may).tolist()
    }
    link_projects(program, offered, z)
    terms: dict[int, list[tuple[pulp.LpVariable, float]]] = {i: [] for i in offered.named.tolist()}
    fixed = dict.fromkeys(terms, 0.0)
    whole = offered.whole_parts
    for p, is_chosen in z.items():
        parts = np.flatnonzero(offered.project == p).tolist()
        if offered.exact[p]:
            for k in parts:
                fixed[int(offered.cell[k])] += float(whole[k]) / MILLION
            continue
        steps = _add_parts(program, problem, offered, is_chosen, parts)
        for k, q in zip(parts, steps, strict=True):
            terms[int(offered.cell[k])].append((q, -step))
    for i in range(len(x)):
        if i not in terms:
            terms[i] = [(program.add_variable(f"m_{i}", 0, cat=pulp.LpInteger), -step)]
        left = pulp.LpAffineExpression([(x[i], 1.0), *terms[i]])
        program.addConstraint(left == fixed.get(i, 0.0), f"paid_{i}")
    return program


def _add_parts(
    program: pulp.LpProblem,
    problem: Problem,
    offered: Offered,
    z: pulp.LpVariable,
    parts: list[int],
) -> list[pulp.LpVariable]:
    """Add the steps of a project's parts, and what they may be."""
    p = int(offered.project[parts[0]])
    least, most = (int(part[p]) // problem.grid for part in (offered.least, offered.most))
    steps = [program.add_variable(f"q_{k}", 0, most, pulp.LpInteger) for k in parts]
    total = pulp.lpSum(steps)
    program.addConstraint(total - most * z <= 0, f"most_{p}")
    program.addConstraint(total - least * z >= 0, f"least_{p}")
    if len(parts) == 1:
        return steps
    for k, q in zip(parts, steps, strict=True):
        share, room = offered.share[k], quota_room(offered.share[k])
        program.addConstraint(q - float(share) * total <= room, f"above_{k}")
        program.addConstraint(q - float(share) * total >= -room, f"below_{k}")
        paid = float(share * offered.paid(p)) / problem.grid
        if offered.must[p] and paid:
            program.addConstraint(q >= paid, f"stays_{k}")
    return steps
