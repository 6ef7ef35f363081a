"""Every choice in the preparation of a log; the command line is generated from it."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path


def default_cache_dir() -> Path:
    """`$BUNDLEGYM_CACHE`, else `bundlegym` under `$XDG_CACHE_HOME` or `~/.cache`."""
    if chosen := os.environ.get("BUNDLEGYM_CACHE"):
        return Path(chosen).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "bundlegym"


@dataclass(frozen=True)
class DataConfig:
    """Which log to read, and how to clean, select and split it."""

    log: str = "complete-journey"
    """'complete-journey', 'synthetic', 'synthetic-year', or the path of a CSV, TSV or Parquet file."""

    columns: Path | None = None
    """TOML file of lines like `shopper = "customer_no"`: our column name, then yours."""

    map: tuple[str, ...] = ()
    """Pairs like `shopper=customer_no`; they win over those in `columns`."""

    items_file: Path | None = None
    """CSV, TSV or Parquet file with a row an item: item, and any of name, department, brand, unit_cost."""

    min_purchases: int = 50
    """Least number of purchase lines for an item to enter the catalogue."""

    held_out_share: float = 0.2
    """Share of the shoppers whom no fit may see."""

    test_share: float = 0.17
    """Share of the weeks, the last ones, that are kept for tests."""

    validation_share: float = 0.1
    """Share of the weeks, those before the test weeks, that are for validation."""

    gross_margin: float | None = None
    """Gross margin, a share of list price, for items of unknown cost; by default a table by department."""

    split_seed: int = 0
    """Seed of the choice of held-out shoppers."""

    cache_dir: Path = field(default_factory=default_cache_dir)
    """Where prepared logs are kept; the environment variable BUNDLEGYM_CACHE changes the default."""
