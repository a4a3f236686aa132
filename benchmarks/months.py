"""How often what came lay within the ranges of the months between now and the year-end.

``python -m benchmarks.months --data DIR`` (without ``--data`` only on ``data/sample``). Beside the
way shipped (whole years drawn) stands what a mean rhythm for every draw would hold. Of the sample
only months 4 to 12 are scored, not the year-end, which other benchmarks measure.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

import kc_model as kc
from benchmarks.public import Panel, as_dataset, minas_gerais, paraiba
from kc_model.forecast import Months, months_of
from kc_model.reference import place_order

__all__ = ["main"]

_KEYS = ["place", "area", "activity", "source"]
_MILLION = 1e6
_SAMPLE = Path(__file__).parent.parent / "data" / "sample"
_LEVELS = ("all", "source", "area", "place")


def main() -> None:
    """Print the coverage of 80 and 95 % ranges by set, level and month of the forecast."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=None, help="folder of the public panels")
    folder = parser.parse_args().data
    rows = list(_sample())
    if folder is not None:
        for panel in (minas_gerais(folder), paraiba(folder)):
            rows += _public(panel)
    frame = pd.DataFrame(rows)
    keys = ["set", "rhythm", "level", "as_of", "when"]
    table = 100 * frame.groupby(keys)[["inside_80", "inside_95", "width_80"]].mean()
    table["n"] = frame.groupby(keys).size()
    print(table.round(1).to_string())


def _sample() -> Iterator[dict[str, object]]:
    """Yield the scores of the synthetic nation, as each past year was known then."""
    data = kc.read_dataset(_SAMPLE)
    for year in range(2021, 2026):
        ended = months_of(data, kc.forecast(data, year, 12, draws=1))
        came = pd.DataFrame(ended.reported, index=pd.MultiIndex.from_frame(_cells(ended)))
        for as_of in (3, 6, 9):
            rows = data.history
            rows = rows[(rows["year"] < year) | ((rows["year"] == year) & (rows["month"] <= as_of))]
            known = replace(data, tables={**data.tables, "history": rows})
            months = months_of(known, kc.forecast(known, year, as_of))
            index = pd.MultiIndex.from_frame(_cells(months))
            yield from _scored("sample", months, came.reindex(index).to_numpy(), _LEVELS)


def _public(panel: Panel) -> Iterator[dict[str, object]]:
    """Yield the scores of a public set; MG's units are measures of the same money, not parts."""
    provinces = [code for code in place_order("63") if code.isdigit()]
    for year in panel.tested:
        paths = panel.paths[:, panel.years.index(year)] / _MILLION
        for as_of in (3, 6, 9):
            data = as_dataset(panel, year, as_of)
            months = months_of(data, kc.forecast(data, year, as_of))
            unit = [provinces.index(place) for place in months.outlook.cells["place"]]
            came = np.column_stack([np.zeros(len(unit)), paths[unit]])
            yield from _scored(panel.name, months, came, ("place",))


def _scored(
    name: str, months: Months, came: np.ndarray, levels: tuple[str, ...]
) -> Iterator[dict[str, object]]:
    usual = np.repeat(months.rhythm.mean(1, keepdims=True), months.rhythm.shape[1], 1)
    cells, as_of = months.outlook.cells, months.outlook.as_of
    for rhythm, one in (("whole years", months), ("mean", replace(months, rhythm=usual))):
        for level in levels:
            codes = [""] if level == "all" else [code for code in cells[level].unique() if code]
            for code in codes:
                where = {} if level == "all" else {level: code}
                mine = np.ones(len(cells), bool) if level == "all" else cells[level].eq(code)
                paths, actual = one.draws(where), came[np.asarray(mine)].sum(0)
                for month in range(as_of + 1, came.shape[1]):
                    low, high, lowest, highest = np.quantile(
                        paths[:, month], (0.1, 0.9, 0.025, 0.975)
                    )
                    if not np.isfinite(actual[month]):
                        continue
                    yield {
                        "set": name,
                        "rhythm": rhythm,
                        "level": level,
                        "as_of": as_of,
                        "when": "year-end" if month == paths.shape[1] - 1 else "between",
                        "inside_80": low - 1e-9 <= actual[month] <= high + 1e-9,
                        "inside_95": lowest - 1e-9 <= actual[month] <= highest + 1e-9,
                        "width_80": (high - low) / paths[:, -1].mean(),
                    }


def _cells(months: Months) -> pd.DataFrame:
    return months.outlook.cells[_KEYS]


if __name__ == "__main__":
    main()
