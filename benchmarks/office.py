"""A synthetic office at full size: 34 places, 9 areas, 2 funds, three years, in one workbook."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from kc_model import reference
from kc_model.reading import read_dataset
from kc_model.template import write_workbook

__all__ = ["office"]

_YEARS = (2024, 2025, 2026)
_MONTHS = {  # share of the year's outturn that is spent by then; the settlement is month 13
    "KCQG": {3: 0.03, 6: 0.18, 9: 0.48, 12: 0.9, 13: 1.0},
    "KCDP": {3: 0.1, 6: 0.32, 9: 0.6, 12: 0.93, 13: 1.0},
}
_LAST = 6  # month of the last year
_TECH = 8.0  # how many times the money of another area TECH has
_HEAD = {
    "title": "Synthetic office, 34 x 9 x 2",
    "vintage": "34",
    "unit": "million_vnd",
    "synthetic": True,
    "sources": ["a random generator"],
}


def office(folder: Path, seed: int = 1) -> Path:
    """Write a workbook without a scenario, as an office keeps it, into a folder; return its path.

    Parameters
    ----------
    folder : Path
        Must not have a folder "work" yet.
    seed : int
    """
    random = np.random.default_rng(seed)
    places = [place for place in reference.place_order("34") if place.isdigit()]
    areas = [area for area in reference.area_order() if area != "ALL"]
    able = dict(zip(places, random.uniform(0.7, 1.0, len(places)), strict=True))
    size = dict(zip(places, random.uniform(2500, 11000, len(places)), strict=True))
    rows = []
    for year in _YEARS:
        for place in places:
            for area in areas:
                for source, paid in _MONTHS.items():
                    share = (_TECH if area == "TECH" else 1.0) / (_TECH + len(areas) - 1)
                    plan = round(size[place] * share / 2 * random.uniform(0.6, 1.4), 1)
                    end = min(1.0, able[place] * random.uniform(0.85, 1.12))
                    pace, spent = random.uniform(0.7, 1.3), 0.0
                    for month, part in paid.items():
                        if (year, month) > (_YEARS[-1], _LAST):
                            break
                        now = min(1.0, part * (pace if month < 12 else 1.0))
                        spent = max(spent, round(plan * end * now, 1))
                        status = "settled" if month == 13 else "reported"
                        rows.append((year, month, place, area, source, plan, spent, status))
    columns = ["year", "month", "place", "area", "source", "plan", "disbursed", "status"]
    work = folder / "work"
    work.mkdir(parents=True)
    pd.DataFrame(rows, columns=columns).to_csv(work / "history.csv", index=False)
    (work / "dataset.yaml").write_text(yaml.safe_dump(_HEAD), encoding="utf-8")
    home = folder / "office"
    home.mkdir()
    write_workbook(read_dataset(work), home / "office.xlsx")
    return home / "office.xlsx"
