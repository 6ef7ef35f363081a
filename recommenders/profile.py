"""What a shop reads off its log about each shopper: rhythm and liking for deals."""

from __future__ import annotations

import numpy as np

from bundlegym.data import Dataset


def own_intervals(counts: np.ndarray, weeks: tuple[int, int]) -> np.ndarray:
    """(n_shoppers, n_items) float32 days between purchases of an item, from counts in `weeks`."""
    span = max(7.0 * (weeks[1] - weeks[0]), 28.0)
    return np.maximum(span / (counts + 1.0), 1.0).astype(np.float32)


def deal_share(dataset: Dataset, weeks: tuple[int, int]) -> np.ndarray:
    """(n_shoppers,) float32, standardised share of lines bought below list price in `weeks`, shrunk."""
    visit = dataset.purchases["visit"].to_numpy()
    week = dataset.visits["week"].to_numpy()[visit]
    shopper = dataset.visits["shopper"].to_numpy()[visit]
    item = dataset.purchases["item"].to_numpy()
    keep = (week >= weeks[0]) & (week < weeks[1])
    deal = dataset.shelf_price[item, week] < 0.99 * dataset.list_price[item, week]
    lines = np.bincount(shopper[keep], minlength=dataset.n_shoppers)
    deals = np.bincount(shopper[keep], weights=deal[keep], minlength=dataset.n_shoppers)
    base = deal[keep].mean()
    share = (deals + 50 * base) / (lines + 50)
    return ((share - base) / max(share.std(), 1e-6)).clip(-3, 3).astype(np.float32)
