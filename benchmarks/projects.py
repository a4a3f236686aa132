"""Two thousand synthetic projects in many shapes: how long a choice takes and how near it is.

Run ``python -m benchmarks.projects [--count N] [--limit S] [SHAPE ...]``. Each shape is written as
a dataset and a scenario, and `kc allocate` makes the plan in a process of its own, as a planner's
would; times are of the processor, children included, beside the clock's.
"""

from __future__ import annotations

import argparse
import csv
import json
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from kc_model import reference

__all__ = ["SHAPES", "Shape", "write"]

_SLICES = 10
_AREAS = {"TRAIN": 2, "MGMT": 1, "TECH": 5, "PROD": 3, "CONS": 1, "INFO": 1, "CLUS": 1}
_KINDS = ("machine", "model", "line", "wide")

DISBURSED, MONEY = {"maximise": "disbursed"}, {"maximise": "money"}
CHANGE, EVEN = {"minimise": "change"}, {"maximise": "evenness", "per": "population"}
MERIT, OUTPUTS = {"maximise": {"column": "merit"}}, {"maximise": "outputs"}

_TECH = {"id": "tech", "where": {"area": "TECH"}, "of": "all", "min": 0.45}
_SHARES = (
    _TECH,
    {
        "id": "tech-everywhere",
        "each": "place",
        "where": {"area": "TECH", "source": "KCDP"},
        "of": {"place": "same", "source": "KCDP"},
        "min": 0.3,
        "tier": "directive",
    },
    {
        "id": "no-giant",
        "each": "place",
        "where": {"source": "KCQG"},
        "of": {"source": "KCQG"},
        "max": 0.06,
    },
)
_COUNTS = (
    {"id": "flagship", "where": {"kind": "flagship"}, "count": "projects", "min": 30},
    {"id": "group", "where": {"kind": "group"}, "count": "projects", "min": 25},
    {"id": "clusters", "where": {"area": "CLUS"}, "count": "projects", "max": 40},
    {"id": "each", "each": "place", "count": "projects", "min": 8, "tier": "directive"},
)
_FLOORS = (
    {"id": "floor", "each": "place", "min": 2500, "tier": "directive"},
    {
        "id": "steady",
        "each": ["place", "area"],
        "per": "baseline",
        "min": 0.6,
        "max": 1.5,
        "tier": "preference",
    },
)


@dataclass(frozen=True)
class Shape:
    """What a list of projects looks like.

    Parameters
    ----------
    goals, rules : tuple of dict
        As a scenario writes them.
    tight : float
        Money of every budget against what is asked of it.
    flexible : float
        Part of the projects whose support may vary.
    links, groups : float
        Part that requires or excludes another; part that is shared by several places.
    places : int
        How many provinces.
    is_split : bool
        Whether areas are split into activities.
    is_round : bool
        Whether supports are round numbers: many projects are alike then.
    has_norms : bool
        Whether norms cap them.
    """

    goals: tuple[dict[str, Any], ...]
    rules: tuple[dict[str, Any], ...] = ()
    tight: float = 0.4
    flexible: float = 0.5
    links: float = 0.1
    groups: float = 0.08
    places: int = 34
    is_split: bool = False
    is_round: bool = False
    has_norms: bool = False
    seed: int = 1


def _give(goal: dict[str, Any], share: float) -> dict[str, Any]:
    return {**goal, "give": share}


_BASE = Shape((DISBURSED,))
_THREE = (_give(DISBURSED, 0.01), _give(EVEN, 0.05), CHANGE)
SHAPES: dict[str, Shape] = {
    "one-goal": _BASE,
    "disbursed-change": replace(_BASE, goals=(DISBURSED, CHANGE)),
    "give-change": replace(_BASE, goals=(_give(DISBURSED, 0.01), CHANGE)),
    "even-change": replace(_BASE, goals=(DISBURSED, EVEN, CHANGE)),
    "give-even-change": replace(_BASE, goals=_THREE),
    "merit": replace(_BASE, goals=(MERIT,)),
    "merit-change-money": replace(_BASE, goals=(_give(MERIT, 0.02), CHANGE, MONEY)),
    "money-disbursed": replace(_BASE, goals=(MONEY, DISBURSED)),
    "change-first": replace(_BASE, goals=(CHANGE, DISBURSED)),
    "even-first": replace(_BASE, goals=(EVEN, DISBURSED, CHANGE)),
    "shares": replace(_BASE, goals=(_give(DISBURSED, 0.01), CHANGE), rules=_SHARES),
    "counts": replace(_BASE, goals=(_give(DISBURSED, 0.01), CHANGE), rules=_COUNTS),
    "floors": replace(_BASE, goals=(DISBURSED, CHANGE), rules=_FLOORS),
    "all-rules": replace(_BASE, goals=_THREE, rules=(*_SHARES, *_COUNTS, *_FLOORS)),
    "all-or-nothing": replace(_BASE, goals=(DISBURSED, EVEN, CHANGE), flexible=0.0),
    "all-flexible": replace(_BASE, goals=(DISBURSED, EVEN, CHANGE), flexible=1.0),
    "tight": replace(_BASE, goals=_THREE, rules=_SHARES, tight=0.12),
    "loose": replace(_BASE, goals=_THREE, rules=_SHARES, tight=0.85),
    "activities": replace(_BASE, goals=_THREE, rules=_SHARES, is_split=True),
    "linked": replace(_BASE, goals=_THREE, links=0.5),
    "grouped": replace(_BASE, goals=_THREE, groups=0.4),
    "round": replace(_BASE, goals=(DISBURSED, EVEN, CHANGE), is_round=True, flexible=0.2),
    "norms": replace(_BASE, goals=_THREE, rules=_COUNTS, has_norms=True),
    "one-province": replace(_BASE, goals=(DISBURSED, CHANGE), places=1, groups=0.0, rules=(_TECH,)),
    "outputs": replace(_BASE, goals=(OUTPUTS, DISBURSED, CHANGE), rules=_SHARES),
}


def write(folder: Path, shape: Shape, count: int = 2000) -> None:
    """Write a dataset and ``scenario.yaml`` of so many projects into a folder.

    Parameters
    ----------
    folder : Path
    shape : Shape
    count : int
    """
    random = np.random.default_rng(shape.seed)
    codes = [place for place in reference.place_order("34") if place.isdigit()]
    places = codes[: shape.places]
    projects = _projects(shape, places, count, random)
    keys = sorted({key for project in projects for key in _cells(project)})
    asked = dict.fromkeys(keys, 0.0)
    for project in projects:
        for key in _cells(project):
            asked[key] += project["support"] / len(_cells(project))
    base = {
        key: np.rint(shape.tight * vnd * random.uniform(0.5, 1.5)) for key, vnd in asked.items()
    }
    head = ["place", "area", "activity", "source"]
    _table(
        folder / "cells.csv",
        [
            dict(zip(head, key, strict=True))
            | {
                "baseline": int(base[key]),
                "unit_cost": int(random.integers(20, 200)),
                "merit": round(float(random.uniform(0.2, 1.0)), 3),
            }
            for key in keys
        ],
    )
    slices = []
    for key in keys:
        rates = np.sort(random.beta(6, 2, _SLICES))[::-1]
        ends = np.rint(max(asked[key] * shape.tight, 50) * np.linspace(0.25, 2.5, _SLICES))
        slices += [
            dict(zip(head, key, strict=True)) | {"upto": int(end), "rate": round(float(rate), 6)}
            for end, rate in zip(ends, rates, strict=True)
        ]
    _table(folder / "absorption.csv", slices)
    _table(
        folder / "places.csv",
        [{"place": place, "population": int(random.lognormal(14, 0.5))} for place in places],
    )
    _table(folder / "projects.csv", projects)
    _dump(
        folder / "dataset.yaml",
        {
            "title": f"Synthetic, {count} projects",
            "vintage": "34",
            "unit": "million_vnd",
            "synthetic": True,
            "sources": ["a random generator"],
        },
    )
    purses: dict[tuple[str, str], float] = {}
    for (place, _, _, source), vnd in asked.items():
        own = ("KCQG", "") if source == "KCQG" else ("KCDP", place)
        purses[own] = purses.get(own, 0.0) + vnd
    budget = [
        {
            "source": source,
            **({"place": place} if place else {}),
            "amount": round(shape.tight * vnd),
        }
        for (source, place), vnd in sorted(purses.items(), reverse=True)
    ]
    scenario = {
        "name": "benchmark",
        "year": 2026,
        "budget": budget,
        "rules": list(shape.rules),
        "goals": list(shape.goals),
    }
    _dump(folder / "scenario.yaml", scenario)


def _projects(
    shape: Shape, places: list[str], count: int, random: np.random.Generator
) -> list[dict[str, Any]]:
    areas = list(_AREAS)
    weight = np.array(list(_AREAS.values())) / sum(_AREAS.values())
    found = []
    for k in range(count):
        support = int(np.clip(random.lognormal(5.0, 0.7), 20, 900))
        support = max(50, round(support / 50) * 50) if shape.is_round else support
        is_flexible = random.random() < shape.flexible
        least = max(10, int(support * random.uniform(0.4, 0.9))) if is_flexible else ""
        several = int(random.integers(2, 5)) if random.random() < shape.groups else 1
        own = sorted(random.choice(places, min(several, len(places)), replace=False).tolist())
        kind = "group" if len(own) > 1 else "flagship" if random.random() < 0.06 else "normal"
        parts = random.multinomial(100 - len(own), np.full(len(own), 1 / len(own))) + 1
        area = str(random.choice(areas, p=weight))
        before = [f"P{j:04}" for j in random.integers(0, max(k, 1), 2)]
        is_linked = random.random() < shape.links and k
        needs = is_linked and random.random() < 0.6
        found.append(
            {
                "id": f"P{k:04}",
                "name": f"Project {k}",
                "place": ";".join(own),
                "area": area,
                "activity": str(random.choice(_KINDS)) if shape.is_split else "",
                "source": "KCQG" if len(own) > 1 or random.random() < 0.4 else "KCDP",
                "cost": int(support * random.uniform(1.2, 4.0)),
                "support": support,
                "min_support": least,
                "score": int(random.integers(40, 100)),
                "kind": kind,
                "requires": before[0] if needs else "",
                "excludes": before[1] if is_linked and not needs else "",
                "split": ";".join(map(str, parts)) if len(own) > 1 and k % 2 else "",
                "norm": "N04" if shape.has_norms and area == "TECH" and kind == "normal" else "",
                "quantity": 1 if shape.has_norms else "",
            }
        )
    return found


def _cells(project: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    own = (project["area"], project["activity"], project["source"])
    return [(place, *own) for place in project["place"].split(";")]


def _table(path: Path, rows: list[dict[str, Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def _dump(path: Path, content: Any) -> None:
    path.write_text(yaml.safe_dump(content, allow_unicode=True, sort_keys=False), encoding="utf-8")


def _measured(name: str, count: int, limit: float) -> str:
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), SHAPES[name], count)
        command = [sys.executable, "-m", "kc_model", "allocate", folder, f"{folder}/scenario.yaml"]
        command += ["--out", f"{folder}/out", "--time-limit", f"{limit:g}"]
        before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        done = subprocess.run(command, capture_output=True, check=False)  # noqa: S603 - our own
        clock, after = time.monotonic() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
        spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        result = json.loads(Path(folder, "out", "result.json").read_text(encoding="utf-8"))
    gap = result["gap"]
    shown = "-" if gap is None else f"{gap:.2e}"
    return (
        f"{name:20} exit {done.returncode}  {result['status']:10} gap {shown:8}"
        f"  {spent:6.1f} s processor  {clock:6.1f} s clock"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shapes", nargs="*")
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--limit", type=float, default=60.0)
    asked = parser.parse_args()
    for name in asked.shapes or SHAPES:
        print(_measured(name, asked.count, asked.limit), flush=True)


if __name__ == "__main__":
    main()
