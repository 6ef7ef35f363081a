"""What a shop reads off its log about each shopper: rhythm and liking for deals."""

from __future__ import annotations

import numpy as np

from bundlegym.data import Dataset, lines_of, visit_rows


def own_intervals(counts: np.ndarray, weeks: tuple[int, int]) -> np.ndarray:
    """(n_shoppers, n_items) float32 days between purchases of an item, from counts in `weeks`."""
    span = max(7.0 * (weeks[1] - weeks[0]), 28.0)
    return np.maximum(span / (counts + 1.0), 1.0).astype(np.float32)


def deal_share(
    dataset: Dataset, weeks: tuple[int, int], shoppers: np.ndarray | None = None
) -> np.ndarray:
    """(n_shoppers,) float32, share of lines bought below list price in `weeks`, shrunk, and standardised by the
    mean and spread of `shoppers` (mask; by default those who are not held out)."""
    known = ~dataset.split.held_out if shoppers is None else shoppers
    lines, place = lines_of(dataset, rows := visit_rows(dataset, weeks))
    visits = dataset.visits.iloc[rows]
    shopper, week = (visits[name].to_numpy()[place] for name in ("shopper", "week"))
    item = dataset.purchases["item"].to_numpy()[lines]
    deal = dataset.shelf_price[item, week] < 0.99 * dataset.list_price[item, week]
    count = np.bincount(shopper, minlength=dataset.n_shoppers)
    deals = np.bincount(shopper, weights=deal, minlength=dataset.n_shoppers)
    base = deals[known].sum() / max(count[known].sum(), 1)
    share = (deals + 50 * base) / (count + 50)
    return ((share - base) / max(share[known].std(), 1e-6)).clip(-3, 3).astype(np.float32)
