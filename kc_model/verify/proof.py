"""``proof.json``: what a plan was made from, the plan before rounding, and the multipliers.

Everything stands in the plan's own terms, so that the rows, sums and curves can be built again
without the dataset: the cells with what rules and goals ask of them, the slices of absorption, the
scenario. Multipliers are sparse, by the row names of `kc_model.program.build_program`. Numbers are
the shortest decimals that read back exactly.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from kc_model import money
from kc_model.cells import MILLION, Cells, Curves
from kc_model.errors import Address, Fault, InputError
from kc_model.offered import Offered
from kc_model.problem import Problem, problem_of
from kc_model.risk import Face, Risk
from kc_model.scenario import Scenario
from kc_model.tables import CELL_KEYS, SCHEMAS, Dataset, empty_table

__all__ = ["FILE", "Multipliers", "Proof", "face_name", "proof_of", "read_proof"]

FILE = "proof.json"

_FLAGS = ("may", "must", "exact", "ends")
_OFFERED = ("least", "most", "before", "rank", "named", "project", "cell", "requires", "excludes")
_KNOWN = ("region", "baseline", "weight", "unit_cost", "min", "max")
_MONEY = {column.name for column in SCHEMAS["cells"].columns if column.kind == "money"}
_BROKEN = (KeyError, TypeError, ValueError, IndexError, AttributeError, ArithmeticError)

Array = NDArray[np.float64]
Multipliers = Mapping[str, float]
"""Row name -> multiplier; rows that are not in it have none."""


@dataclass(frozen=True)
class Proof:
    """What a ``proof.json`` says.

    Parameters
    ----------
    problem : Problem
        Built again from the cells, slices and scenario in it.
    settled : array (n_cells,), million VND
        The plan before rounding.
    stages : tuple of Multipliers
        For every stage in order.
    provenance : mapping
        As in ``result.json``.
    faces : mapping of int to tuple of Face
        For goal number k that is a risk: what its multipliers are of.
    """

    problem: Problem
    as_of: int | None
    settled: Array
    stages: tuple[Multipliers, ...]
    settlement: Multipliers
    provenance: Mapping[str, Any]
    faces: Mapping[int, tuple[Face, ...]]


def proof_of(
    problem: Problem,
    settled: Array,
    rows: Sequence[str],
    multipliers: Sequence[Array],
    faces: Mapping[int, Sequence[tuple[float, Face]]],
) -> dict[str, Any]:
    """Return what ``proof.json`` holds of a plan, apart from its provenance and month.

    Parameters
    ----------
    settled : array (n_cells,), million VND
    rows : sequence of str
        Names of the program's rows.
    multipliers : sequence of arrays
        Of these rows and of others behind them: for every stage and, last, for the settlement.
    faces : mapping of int to sequence
        For goal number k that is a risk, what each of them makes of the rows behind, and how often.
    """
    *stages, settlement = (_named(rows, y, n, faces) for n, y in enumerate(multipliers))
    return {
        "unit": problem.unit,
        "vintage": problem.cells.vintage,
        "grid": problem.grid,
        "scenario": problem.scenario.plain,
        "cells": _plain_cells(problem),
        "slices": _plain_curves(problem.curves),
        "risks": [
            {"goal": k, **_plain_risk(risk, [face for _, face in faces.get(k, ())])}
            for k, risk in problem.risks.items()
        ],
        "projects": None if problem.offered is None else _plain_projects(problem.offered),
        "kept": None if problem.kept is None else np.flatnonzero(problem.kept),
        "settled": settled,
        "multipliers": {"stages": stages, "settlement": settlement},
    }


def _named(
    rows: Sequence[str], y: Array, n: int, faces: Mapping[int, Sequence[tuple[float, Face]]]
) -> Multipliers:
    inside = np.flatnonzero(y[: len(rows)]).tolist()
    of_faces = {face_name(k, n): found[n][0] for k, found in faces.items()}
    return {**{rows[r]: y[r] for r in inside}, **of_faces}


def face_name(goal: int, n: int) -> str:
    """Return the name of the row that face n of a risk gives."""
    return f"face{goal}_{n}"


def _plain_cells(problem: Problem) -> dict[str, Any]:
    frame, scenario = problem.cells.frame, problem.scenario
    named = {key for budget in scenario.budget for key in budget.where}
    for rule in scenario.rules:
        named |= {*rule.where, *rule.each, *(rule.of or {}), rule.per, _column(rule.count)}
    for goal in scenario.goals:
        named |= {*goal.where, goal.per, _column(goal.what)}
    named |= {*CELL_KEYS, *_KNOWN}
    parts: dict[str, Any] = {"money": {}, "numbers": {}, "texts": {}}
    for name in frame.columns:
        if name in named:
            parts[_kind(name, frame[name])][name] = frame[name].tolist()
    return {**parts, "of_places": sorted(problem.cells.place_columns & named)}


def _plain_projects(offered: Offered) -> dict[str, Any]:
    """Return every project: what selections may ask for, bounds, parts, links, who is chosen."""
    frame = offered.frame
    texts = [name for name in frame.columns if frame[name].dtype == "str"]
    return {
        "texts": {name: frame[name].tolist() for name in texts},
        **{name: getattr(offered, name) for name in (*_OFFERED, *_FLAGS, "chosen")},
        "share": [str(share) for share in offered.share],
    }


def _column(text: str) -> str:
    return text.removeprefix("column:")


def _kind(name: str, column: pd.Series) -> str:
    if name in _MONEY:
        return "money"
    return "numbers" if pd.api.types.is_numeric_dtype(column) else "texts"


def _plain_curves(curves: Curves) -> list[dict[str, Any]]:
    return [
        {"cells": cells, "upto": np.rint(np.cumsum(widths) * MILLION).astype(np.int64), "rate": r}
        for cells, widths, r in zip(curves.members, curves.widths, curves.rates, strict=True)
    ]


def _plain_risk(risk: Risk, faces: Sequence[Face]) -> dict[str, Any]:
    capacity = np.rint(risk.capacity * MILLION).astype(np.int64)
    plain = [{"weights": _sparse(face.weights), "slopes": _sparse(face.slopes)} for face in faces]
    return {"cells": risk.cells, "pool": risk.pool, "capacity": capacity, "faces": plain}


def _sparse(numbers: Array) -> dict[str, float]:
    return {str(n): numbers[n] for n in np.flatnonzero(numbers).tolist()}


# ---------------------------------------------------------------------------- reading


def read_proof(data: bytes) -> Proof:
    """Return what a ``proof.json`` says, everything in it held to be possibly wrong.

    Parameters
    ----------
    data : bytes

    Raises
    ------
    InputError
        If it is no proof: not JSON, parts missing or of another kind or length, slices that are
        none, a scenario that does not fit its cells.
    """
    try:
        said = json.loads(data, parse_constant=_refuse)
        problem = _problem(said)
        settled = _numbers(said["settled"])
        if len(settled) != len(problem.cells) or said["grid"] != problem.grid:
            raise ValueError("settled, grid")
        stages = tuple(_multipliers(part) for part in said["multipliers"]["stages"])
        settlement = _multipliers(said["multipliers"]["settlement"])
        faces = {part["goal"]: _faces(part) for part in said["risks"]}
        about = dict(said["provenance"])
        return Proof(problem, said["as_of"], settled, stages, settlement, about, faces)
    except InputError as error:
        raise InputError(
            Fault(fault.code, Address(FILE), fault.values, fault.level) for fault in error.faults
        ) from None
    except (*_BROKEN, RecursionError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise InputError([Fault("broken-proof", Address(FILE), {"reason": reason})]) from None


def _refuse(constant: str) -> float:
    raise ValueError(constant)


def _numbers(values: Sequence[float]) -> Array:
    numbers = np.array(values, dtype=np.float64)
    if numbers.ndim != 1 or not np.all(np.isfinite(numbers)):
        raise ValueError("numbers")
    return numbers


def _multipliers(part: Mapping[str, float]) -> Multipliers:
    return {str(name): float(value) for name, value in part.items()}


def _problem(said: Mapping[str, Any]) -> Problem:
    unit, vintage = said["unit"], said["vintage"]
    if unit not in money.UNITS or vintage not in {"34", "63"}:
        raise ValueError("unit, vintage")
    tables = {name: empty_table(name) for name in SCHEMAS}
    data = Dataset("", vintage, unit, False, (), tables)
    scenario = Scenario.of_plain(said["scenario"])
    cells = _cells(said["cells"], vintage)
    curves = _curves(said["slices"], len(cells))
    risks = {int(part["goal"]): _risk(part, scenario, len(cells)) for part in said["risks"]}
    wanted = [k for k, goal in enumerate(scenario.goals) if goal.what == "risk"]
    if sorted(risks) != wanted:
        raise ValueError("risks")
    offered = None if said["projects"] is None else _offered(said["projects"], len(cells))
    problem = problem_of(data, scenario, cells, curves, risks, offered)
    return replace(problem, kept=_kept(said["kept"], problem))


def _kept(said: Sequence[int] | None, problem: Problem) -> NDArray[np.bool_] | None:
    if (said is None) != (not problem.counting):
        raise ValueError("kept")
    if said is None:
        return None
    kept = np.zeros(len(problem.cells), dtype=bool)
    at = np.array(said, dtype=np.int64)
    if np.any(at < 0):
        raise ValueError("kept")
    kept[at] = True
    return kept


def _offered(said: Mapping[str, Any], n_cells: int) -> Offered:
    frame = pd.DataFrame({name: pd.Series(v, dtype="str") for name, v in said["texts"].items()})
    numbers: dict[str, Any] = {name: np.array(said[name], dtype=np.int64) for name in _OFFERED}
    flags: dict[str, Any] = {name: np.array(said[name], dtype=bool) for name in (*_FLAGS, "chosen")}
    for name in ("requires", "excludes"):
        numbers[name] = numbers[name].reshape(-1, 2)
    share = tuple(Fraction(text) for text in said["share"])
    offered = Offered(frame=frame, share=share, **numbers, **flags)
    count, at = len(frame), ("project", "requires", "excludes")
    each = (offered.least, offered.most, offered.before, offered.rank, *flags.values())
    if "id" not in frame or any(len(part) != count for part in each):
        raise ValueError("projects")
    if any(np.any((numbers[name] < 0) | (numbers[name] >= count)) for name in at):
        raise ValueError("projects")
    named = (numbers["cell"], numbers["named"])
    if any(np.any((part < 0) | (part >= n_cells)) for part in named):
        raise ValueError("projects")
    total = np.bincount(offered.project, [float(one) for one in share], count)
    paying = np.bincount(offered.project, minlength=count) > 0
    if len(share) != len(offered.cell) or np.any(np.abs(total[paying] - 1) > 1e-9):
        raise ValueError("projects")
    if np.any(offered.may & ~paying) or np.any(np.array(share) < 0):
        raise ValueError("projects")
    return offered


def _risk(said: Mapping[str, Any], scenario: Scenario, n_cells: int) -> Risk:
    cells, pool = (np.array(said[name], dtype=np.int64) for name in ("cells", "pool"))
    capacity = np.array(said["capacity"], dtype=np.float64) / MILLION
    if capacity.ndim != 2 or not np.all(np.isfinite(capacity)) or len(cells) != len(pool):
        raise ValueError("risks")
    if len(np.unique(cells)) != len(cells) or np.any((cells < 0) | (cells >= n_cells)):
        raise ValueError("risks")
    if np.any((pool < 0) | (pool >= capacity.shape[1])):
        raise ValueError("risks")
    return Risk(cells, pool, capacity, 1.0 - float(scenario.goals[said["goal"]].level))


def _faces(said: Mapping[str, Any]) -> tuple[Face, ...]:
    n_draws, n_pools = np.shape(said["capacity"])
    return tuple(
        Face(_dense(part["weights"], n_draws), _dense(part["slopes"], n_pools))
        for part in said["faces"]
    )


def _dense(said: Mapping[str, float], size: int) -> Array:
    numbers = np.zeros(size)
    at = np.array([int(n) for n in said], dtype=np.int64)
    if np.any(at < 0):
        raise ValueError("faces")
    numbers[at] = _numbers(list(said.values()))
    return numbers


def _cells(said: Mapping[str, Any], vintage: str) -> Cells:
    dtypes = {"money": "Int64", "numbers": "float64", "texts": "str"}
    columns = {
        name: pd.Series(values, dtype=dtype)
        for kind, dtype in dtypes.items()
        for name, values in said[kind].items()
    }
    lengths = {len(column) for column in columns.values()}
    if (
        len(lengths) != 1
        or not {*CELL_KEYS, *_KNOWN} <= columns.keys()
        or not _MONEY.isdisjoint({*said["numbers"], *said["texts"]})
    ):
        raise ValueError("cells")
    frame = pd.DataFrame({name: columns[name] for name in columns})
    frame["year"] = frame["year"].astype("int64")
    if frame.duplicated(list(CELL_KEYS)).any() or (frame[["baseline", "min"]] < 0).any(axis=None):
        raise ValueError("cells")
    return Cells(frame, frozenset(said["of_places"]), vintage)


def _curves(said: Sequence[Mapping[str, Any]], n_cells: int) -> Curves:
    members, widths, rates = [], [], []
    for part in said:
        cells = np.array(part["cells"], dtype=np.int64)
        width = np.diff(_numbers(part["upto"]) / MILLION, prepend=0.0)
        rate = _numbers(part["rate"])
        falling = np.all(np.diff(rate) <= 0) and np.all((rate >= 0) & (rate <= 1))
        if len(width) != len(rate) or np.any(width < 0) or not falling:
            raise ValueError("slices")
        members.append(cells)
        widths.append(width)
        rates.append(rate)
    used = np.concatenate([np.zeros(0, dtype=np.int64), *members])
    if len(np.unique(used)) != len(used) or np.any((used < 0) | (used >= n_cells)):
        raise ValueError("slices")
    return Curves(tuple(members), tuple(widths), tuple(rates))
