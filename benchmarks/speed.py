"""How many series a second, on one core."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pandas as pd

import kc_model as kc
from benchmarks.public import dataset_of
from kc_model import reference
from kc_model.runoff import benktander, chain_ladder, mack

__all__ = ["speed"]

_YEARS = range(2018, 2027)


def speed() -> pd.DataFrame:
    """Return series a second of the array core and of whole forecasts (one process, CPU time).

    The whole forecast is of 612 cells (34 places, 9 areas, 2 sources) with 8 years of monthly
    history behind them, from the tables to the draws; made-up money, fixed seed.
    """
    random = np.random.default_rng(20260101)
    paths = random.random((20_000, 8, 12)).cumsum(axis=-1)
    paths[:, -1, 6:] = np.nan
    spent, developed = paths[:, -1, 5], np.full(len(paths), 0.5)
    data = _synthetic(random)
    kc.forecast(data, 2026, 6, draws=10)  # warm up: imports, the dataset's hash
    return (
        pd.DataFrame(
            [
                (
                    "core: Benktander",
                    *_rate(lambda: benktander(spent, developed, spent), len(paths)),
                ),
                ("core: chain ladder", *_rate(lambda: chain_ladder(paths), len(paths))),
                ("core: Mack, with standard errors", *_rate(lambda: mack(paths), len(paths))),
                ("forecast(): points", *_rate(lambda: kc.forecast(data, 2026, 6, draws=1), 612)),
                ("forecast(): 1,000 draws", *_rate(lambda: kc.forecast(data, 2026, 6), 612)),
            ],
            columns=["what", "series a second", "seconds"],
        )
        .round({"series a second": 0, "seconds": 4})
        .set_index("what")
    )


def _rate(call: Callable[[], object], n_series: int) -> tuple[float, float]:
    times = []
    for _ in range(3):
        start = time.process_time()
        call()
        times.append(time.process_time() - start)
    return n_series / min(times), min(times)


def _synthetic(random: np.random.Generator) -> kc.Dataset:
    places = [code for code in reference.place_order("34") if code.isdigit()]
    keys = (_YEARS, places, reference.area_order()[:9], ("KCQG", "KCDP"), range(1, 14))
    names = ["year", "place", "area", "source", "month"]
    rows = pd.MultiIndex.from_product(keys, names=names).to_frame(index=False)
    shape = (len(rows) // 13, 13)
    plan = np.exp(random.normal(20.3, 0.8, shape[0]))
    steps = np.exp(random.normal(0, 0.8, shape)) * np.diff((np.arange(14) / 13) ** 3)
    rate = np.clip(random.normal(0.88, 0.15, shape[0]), 0, 1)
    path = (steps / steps.sum(axis=1, keepdims=True)).cumsum(axis=1) * (rate * plan)[:, None]
    rows = rows.assign(plan=np.repeat(np.rint(plan), 13), disbursed=np.rint(path.ravel()))
    now = rows["year"].lt(2026) | rows["month"].le(6)
    return dataset_of(rows[now], "synthetic", vintage="34")
