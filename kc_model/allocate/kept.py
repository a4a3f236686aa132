"""What projects are, beside the laws: rows of their own, and which of them contradict a law.

Links between projects, and what was paid or accepted, give way to no rule. Where laws hold together
without them, they are part of what contradicts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from kc_model.allocate.steps import build_steps
from kc_model.arrays import Model, compile_program
from kc_model.problem import Problem
from kc_model.program import build_program

__all__ = ["Fact", "Options", "needed_facts"]


@dataclass(frozen=True, order=True)
class Fact:
    """What holds of projects whatever the rules say.

    Parameters
    ----------
    kind : {"stays", "requires", "excludes"}
        It was paid or accepted; it needs another; it cannot be beside another.
    project, other : int
        Rows of the projects; `other` is -1 for what stays.
    """

    kind: Literal["stays", "requires", "excludes"]
    project: int
    other: int = -1


@dataclass(frozen=True)
class Options:
    """What projects are, as columns behind the cells and rows behind the laws.

    Parameters
    ----------
    model : Model
    at : array of int (n_columns,)
        Where its columns stand among all.
    width : int
        Of what stands behind the cells.
    facts : mapping of Fact to int
        The row of the model that says it, or for what stays its column.
    """

    model: Model
    at: NDArray[np.int64]
    width: int
    facts: dict[Fact, int]

    @classmethod
    def of(cls, problem: Problem, *, on_grid: bool) -> Options | None:
        """Return those of a problem's projects, not decided; None: it has none."""
        offered = problem.offered
        if offered is None:
            return None
        program = build_steps(problem) if on_grid else build_program(problem.bare())[0]
        model = compile_program(program)
        n, m = len(problem.cells), len(offered)
        # Projects stand right behind the cells, where rows count them.
        starts = {"x": 0, "z": n, "a": n + m, "m": n + 2 * m, "q": 2 * (n + m)}
        names = [name.split("_") for name in model.columns]
        at = np.array([starts[kind] + int(k) for kind, k in names])
        column = {int(k): j for j, (kind, k) in enumerate(names) if kind == "z"}
        row = {name: r for r, name in enumerate(model.rows)}
        stay = np.flatnonzero(offered.must).tolist()
        facts = {Fact("stays", p): column[p] for p in stay if p in column}
        for k, (one, other) in enumerate(offered.requires.tolist()):
            facts[Fact("requires", one, other)] = row[f"requires_{k}"]
        for k, (one, other) in enumerate(offered.excludes.tolist()):
            facts[Fact("excludes", one, other)] = row[f"excludes_{k}"]
        return cls(model, at, n + 2 * m + len(offered.cell), facts)

    def entries(self, first: int) -> list[tuple[int, int, float]]:
        """Return the coefficients, the rows numbered from `first`."""
        matrix = self.model.matrix.tocoo()
        rows, columns = first + matrix.row, self.at[matrix.col]
        return list(zip(rows.tolist(), columns.tolist(), matrix.data.tolist(), strict=True))


def needed_facts(
    facts: Sequence[Fact], clash: Callable[[Sequence[Fact]], bool], tell: Callable[[], None]
) -> list[Fact]:
    """Return a smallest set of facts with which something contradicts itself.

    Parameters
    ----------
    facts : sequence of Fact
        All of them together do.
    clash : callable (facts) -> bool
        Whether it does with these only.
    tell : callable
        Called before each try.

    Returns
    -------
    list of Fact
        Empty where it does without any. Leaving out any one of them lets the rest hold together, as
        far as `clash` knows.

    Notes
    -----
    Halves are looked into by turns (QuickXplain, Junker 2004): k of n facts take some 2 k log2(n/k)
    tries.
    """

    def among(held: list[Fact], some: list[Fact], *, is_new: bool) -> list[Fact]:
        if is_new:
            tell()
            if clash(held):
                return []
        if len(some) <= 1:
            return some
        half = len(some) // 2
        second = among([*held, *some[:half]], some[half:], is_new=True)
        first = among([*held, *second], some[:half], is_new=bool(second))
        return [*first, *second]

    return among([], list(facts), is_new=True)
