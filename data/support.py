"""How deep a discount a log knows: beyond it, what shoppers would do is an extrapolation."""

from __future__ import annotations

import numpy as np

from bundlegym.data.base import Dataset
from bundlegym.data.select import lines_of, visit_rows

#: A discount is known where as many lines, of as many items, were bought at one as deep.
LEAST_LINES, LEAST_ITEMS = 200, 20
_ROUNDING = 0.005  # 0.99 for 1.42 is 30 % off


def deepest_discount(dataset: Dataset, weeks: tuple[int, int]) -> float:
    """Share off the list price of the deepest promotion in `weeks` that the log knows well; 0 without any."""
    rows = visit_rows(dataset, weeks)
    lines, place = lines_of(dataset, rows)
    item = dataset.purchases["item"].to_numpy()[lines]
    week = dataset.visits["week"].to_numpy()[rows][place]
    off = 1 - dataset.shelf_price[item, week].astype(np.float64) / dataset.list_price[item, week]
    item, off = item[off > _ROUNDING], off[off > _ROUNDING]
    order = np.argsort(-off, kind="stable")
    first = np.zeros(len(order), dtype=bool)
    first[np.unique(item[order], return_index=True)[1]] = True
    enough = (np.arange(1, len(order) + 1) >= LEAST_LINES) & (np.cumsum(first) >= LEAST_ITEMS)
    deepest = off[order][enough.argmax()] if enough.any() else 0.0
    return float(deepest) + _ROUNDING if deepest else 0.0
