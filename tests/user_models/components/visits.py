"""A log drawn from known days and sizes of trips."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from bundlegym.data import DataConfig, Dataset, Log, build_dataset
from tests.user_models.logs import START

SHOPPERS, WEEKS, ITEMS = 300, 30, 60
DAILY = np.array([1 / 7, 0.7])  # chance to come on a day: of most shoppers, and of one in ten
AFTER_BIG = 0.5


@dataclass(frozen=True)
class World:
    dataset: Dataset
    heavy: np.ndarray  # (SHOPPERS,) bool


def draw() -> World:
    """Days are independent of each other; after a trip of more than one and a half times the mean lines the
    next one is `AFTER_BIG` as large as it would be."""
    rng = np.random.default_rng(0)
    heavy = np.arange(SHOPPERS) % 10 == 0
    came = rng.random((SHOPPERS, 7 * WEEKS)) < DAILY[heavy.astype(int)][:, None]
    mean, last = np.where(heavy, 4.0, 8.0), np.zeros(SHOPPERS)
    rows = []
    for day in range(7 * WEEKS):
        shopper = np.flatnonzero(came[:, day])
        size = mean[shopper] * rng.choice([0.4, 1.0, 2.5], len(shopper))
        size *= np.where(last[shopper] > 1.5, AFTER_BIG, 1.0)
        lines = rng.poisson(size).clip(1, ITEMS)
        last[shopper] = lines / mean[shopper]
        rows.append(pd.DataFrame({"shopper": shopper, "day": day, "lines": lines}))
    return World(log_of(pd.concat(rows, ignore_index=True)), heavy)


def log_of(visits: pd.DataFrame) -> Dataset:
    """A log of visits of so many `lines`."""
    table = visits.loc[visits.index.repeat(visits["lines"]), ["shopper", "day"]]
    table["item"] = table.groupby(level=0).cumcount()
    table["basket"] = table["shopper"] * 7 * WEEKS + table["day"]
    table["time"] = START + pd.to_timedelta(table.pop("day"), unit="D")
    transactions = table.assign(quantity=1, price_paid=2.0, list_price=2.0)
    names = [f"c{i % 5}" for i in range(ITEMS)]
    items = {"item": np.arange(ITEMS), "department": "D", "category": names, "subcategory": names}
    log = Log("visits", transactions, items=pd.DataFrame(items | {"brand": "B"}))
    return build_dataset(log, DataConfig(log="visits", min_purchases=1))
