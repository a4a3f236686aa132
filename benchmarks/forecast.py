"""Our forecast beside peers, on public data, in one run.

``python -m benchmarks.forecast --data DIR --cache DIR --peers PYTHON``
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.compare import across, averages, calibrated, cells, points_scored
from benchmarks.ours import ours, vietnamese
from benchmarks.public import MONTHS, Panel, minas_gerais, paraiba
from benchmarks.speed import speed
from kc_model.runoff import chain_ladder

__all__ = ["main"]

_MILLION = 1e6
_PEERS = Path(__file__).with_name("peers.py")


def main() -> None:
    """Run what is asked for and print the tables."""
    options = _parser().parse_args()
    pd.set_option("display.width", 200, "display.max_columns", 40, "display.max_rows", 200)
    scored = ours(options.data, draws=options.draws)
    compared = scored[scored["set"].isin(["MG", "PB"])]
    others = scored[~scored["set"].isin(["MG", "PB"])]
    others = others[(others["set"] != "PB late") | (others["month"] > 3)]
    columns = ["mae", "crps", "inside_80", "inside_95", "width_80"]
    _show("Ours: points of the denominator, coverage in per cent", _ours(compared, columns))
    _show("Cold start and late arrival", _ours(others, columns))
    if options.cache is not None:
        _beside_peers(compared, options)
    _show("Viet Nam, public investment: per cent of plan", vietnamese(options.data).round(1))
    if not options.no_speed:
        _show("Speed, one core", speed())


def _ours(scored: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    return averages(scored, columns).drop(columns="method").set_index(["set", "month"]).sort_index()


def _beside_peers(scored: pd.DataFrame, options: argparse.Namespace) -> None:
    panels = (minas_gerais(options.data), paraiba(options.data))
    truth = pd.concat([_truth(panel) for panel in panels], ignore_index=True)
    points = _points(_paths(panels), options)
    points["point"] /= _MILLION
    peers = points_scored(points, truth)
    both = pd.concat([scored, peers], ignore_index=True)
    _show("Mean absolute error, points", across(averages(both, ["mae"]), "mae"))
    table = cells(both)
    _show("Ours over the best single peer", table.round(3).set_index(["set", "month"]))
    means_of = ", ".join(f"{table[name].mean():.3f} ({name})" for name in ("ratio", "published"))
    _tell(f"mean ratio to the best single peer: here and as published {means_of}")
    for both_ways in (False, True):
        ranged = calibrated(peers, both_ways=both_ways)
        years = ranged[["set", "year"]].drop_duplicates()
        fair = pd.concat([scored.merge(years), ranged], ignore_index=True)
        title = "Ranges on the same years, peers' from their own earlier errors"
        lean = "sign kept" if not both_ways else "both signs"
        _show(f"{title} ({lean})", _ranges(fair))
    _show("Seconds per 1,000 forecasts", _seconds(points))
    _check_chain_ladder(panels, points)


def _ranges(fair: pd.DataFrame) -> pd.DataFrame:
    columns = ["crps", "inside_80", "inside_95", "width_80"]
    table = averages(fair, columns).query("month == 'all'").set_index(["set", "method"])
    others = table.drop(index="kc_model", level="method")["crps"].groupby("set").min()
    ours = table.index.get_level_values("method") == "kc_model"
    best = table.index.get_level_values("set").map(others)
    return table[columns].assign(to_best=(table["crps"] / best).where(ours).round(3))


def _truth(panel: Panel) -> pd.DataFrame:
    parts = []
    for year in panel.tested:
        at = panel.years.index(year)
        for month in MONTHS:
            amounts = {
                "actual": panel.paths[:, at, -1],
                "plan": panel.denominator[:, at],
                "before": panel.paths[:, at - 1, -1],
                "spent": panel.paths[:, at, month - 1],
            }
            frame = pd.DataFrame(amounts) / _MILLION
            parts.append(frame.assign(set=panel.name, year=year, month=month, unit=panel.units))
    return pd.concat(parts)


def _paths(panels: tuple[Panel, ...]) -> pd.DataFrame:
    parts = []
    for panel in panels:
        unit, at, period = (grid.ravel() for grid in np.indices(panel.paths.shape))
        year = np.asarray(panel.years)[at]
        rows = {"unit": np.asarray(panel.units)[unit], "year": year, "month": period + 1}
        rows["spent"] = panel.paths.ravel()
        rows["tested"] = np.isin(year, panel.tested)
        parts.append(pd.DataFrame(rows).assign(set=panel.name))
    return pd.concat(parts, ignore_index=True)


def _points(paths: pd.DataFrame, options: argparse.Namespace) -> pd.DataFrame:
    """Return the peers' points, from the cache if neither the paths nor the peers changed."""
    text = paths.to_csv(index=False)
    mark = hashlib.sha256(text.encode() + _PEERS.read_bytes()).hexdigest()[:16]
    options.cache.mkdir(parents=True, exist_ok=True)
    given, found = (options.cache / f"{kind}-{mark}.csv" for kind in ("paths", "points"))
    if not found.exists():
        if options.peers is None:
            raise SystemExit("--peers: name the Python that has the packages of requirements.txt")
        given.write_text(text, encoding="utf-8")
        part = found.with_suffix(".part")
        command = [options.peers, "-m", "benchmarks.peers", str(given), str(part)]
        subprocess.run(command, check=True, cwd=_PEERS.parent.parent)  # noqa: S603 - as asked
        part.replace(found)
    return pd.read_csv(found, dtype={"unit": "str"})


def _seconds(points: pd.DataFrame) -> pd.DataFrame:
    table = points.pivot_table(index="method", columns="set", values="seconds")
    return (1000 * table).round(1)


def _check_chain_ladder(panels: tuple[Panel, ...], points: pd.DataFrame) -> None:
    """Say how far our chain ladder is from chainladder's on the state totals."""
    panel = panels[0]
    theirs = points[(points["method"] == "chain ladder") & (points["set"] == panel.name)]
    theirs = theirs.set_index(["year", "month", "unit"])["point"] * _MILLION
    apart = 0.0
    for year in panel.tested:
        for month in MONTHS:
            known = panel.paths[:, : panel.years.index(year) + 1].copy()
            known[:, -1, month:] = np.nan
            said = theirs.loc[year, month].reindex(list(panel.units)).to_numpy()
            apart = max(apart, float(np.abs(chain_ladder(known)[:, -1] / said - 1).max()))
    _tell(f"our chain ladder and chainladder's differ by at most {apart:.1e} of the amount")


def _show(title: str, table: pd.DataFrame) -> None:
    _tell(f"\n{title}\n{'-' * len(title)}\n{table.to_string(na_rep='')}")


def _tell(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.forecast", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with the public files")
    parser.add_argument("--cache", type=Path, help="folder for the peers' points; none: no peers")
    parser.add_argument("--peers", help="Python of the peers' environment")
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--no-speed", action="store_true")
    return parser


if __name__ == "__main__":
    main()
