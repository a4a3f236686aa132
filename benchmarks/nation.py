"""A synthetic national plan at full size: 34 places, 9 areas, 2 funds, tiers and goals in order."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from kc_model import reference
from kc_model.reading import read_dataset
from kc_model.scenario import Scenario, read_scenario
from kc_model.tables import Dataset

__all__ = ["nation"]

_SLICES = 10
_RULES: list[dict[str, Any]] = [
    {
        "id": "admn-kcqg",
        "where": {"area": "ADMN", "source": "KCQG"},
        "of": {"source": "KCQG"},
        "max": 0.015,
    },
    {
        "id": "admn-kcdp",
        "each": "place",
        "where": {"area": "ADMN", "source": "KCDP"},
        "of": {"source": "KCDP", "place": "same"},
        "max": 0.015,
    },
    {"id": "floor", "each": "place", "min": 4000},
    {
        "id": "no-giant",
        "each": "place",
        "where": {"source": "KCQG"},
        "of": {"source": "KCQG"},
        "max": 0.08,
    },
    {"id": "tech-share", "where": {"area": "TECH"}, "of": "all", "min": 0.55, "tier": "directive"},
    {
        "id": "difficult",
        "each": "place",
        "where": {"difficult": 1},
        "per": "baseline",
        "min": 0.95,
        "tier": "directive",
    },
    {
        "id": "steady",
        "each": ["place", "area"],
        "per": "baseline",
        "min": 0.7,
        "max": 1.3,
        "tier": "preference",
    },
]
_GOALS = [
    {"maximise": "disbursed", "give": 0.01},
    {"maximise": "evenness", "per": "population", "give": 0.05},
    {"minimise": "change"},
]


def nation(folder: Path, seed: int = 1) -> tuple[Dataset, Scenario]:
    """Write the dataset and its scenario into a folder and read them back.

    Parameters
    ----------
    folder : Path
    seed : int
    """
    random = np.random.default_rng(seed)
    places = [place for place in reference.place_order("34") if place.isdigit()]
    areas, sources = reference.area_order(), reference.source_order()
    keys = [(p, a, s) for p in places for a in areas if a != "ALL" for s in sources if s != "ALL"]
    share = random.dirichlet(np.full(len(keys), 1.5))
    tech = np.array([3.0 if area == "TECH" else 1.0 for _, area, _ in keys])
    baseline = np.rint(330_000 * share * tech / (share * tech).sum())
    _write(
        folder / "cells.csv",
        ["place", "area", "source", "baseline"],
        zip(keys, baseline, strict=True),
    )
    _absorption(folder / "absorption.csv", keys, baseline, random)
    people = np.rint(random.lognormal(14, 0.5, len(places)))
    poor = (random.random(len(places)) < 0.3).astype(int)
    _write(
        folder / "places.csv",
        ["place", "population", "difficult"],
        (((place,), n, d) for place, n, d in zip(places, people, poor, strict=True)),
    )
    head = {
        "title": "Synthetic, 34 x 9 x 2",
        "vintage": "34",
        "unit": "million_vnd",
        "synthetic": True,
        "sources": ["a random generator"],
    }
    _dump(folder / "dataset.yaml", head)
    own = {
        place: int(sum(baseline[i] for i, key in enumerate(keys) if key[::2] == (place, "KCDP")))
        for place in places
    }
    budget = [
        {"source": "KCQG", "amount": int(330_000 - sum(own.values()))},
        *({"source": "KCDP", "place": p, "amount": amount} for p, amount in own.items()),
    ]
    scenario = {
        "name": "benchmark",
        "year": 2026,
        "budget": budget,
        "rules": _RULES,
        "goals": _GOALS,
        "round_to": 1,
    }
    _dump(folder / "scenario.yaml", scenario)
    return read_dataset(folder), read_scenario(folder / "scenario.yaml")


def _absorption(path: Path, keys: Any, baseline: Any, random: np.random.Generator) -> None:
    rows = []
    for key, base in zip(keys, baseline, strict=True):
        rates = np.sort(random.beta(6, 2, _SLICES))[::-1]
        ends = np.rint(max(base, 50) * np.linspace(0.25, 2.5, _SLICES))
        rows += [(key, end, round(float(rate), 6)) for end, rate in zip(ends, rates, strict=True)]
    _write(path, ["place", "area", "source", "upto", "rate"], rows)


def _write(path: Path, heading: list[str], rows: Any) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(heading)
        for key, *numbers in rows:
            writer.writerow(
                [*key, *(f"{number:g}" if number % 1 else int(number) for number in numbers)]
            )


def _dump(path: Path, content: Any) -> None:
    path.write_text(yaml.safe_dump(content, allow_unicode=True, sort_keys=False), encoding="utf-8")
