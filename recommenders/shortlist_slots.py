"""Where on a shopper's shortlist an item stands."""

from __future__ import annotations

import numpy as np

from bundlegym.data import Dataset


def slots_of(shortlist: np.ndarray, shopper: np.ndarray, item: np.ndarray, n_items: int) -> np.ndarray:
    """The column of each pair of a shopper and an item on the shopper's shortlist.

    Args:
        shortlist: (S, L) int64 codes of items, ascending in each row.
        shopper, item: (P,) int64 codes.
        n_items: in the catalogue.

    Returns:
        (P,) int64, -1 where the item is not on it.
    """
    listed = (np.arange(len(shortlist))[:, None] * n_items + shortlist).ravel()
    key = shopper * n_items + item
    place = np.searchsorted(listed, key).clip(max=len(listed) - 1)
    return np.where(listed[place] == key, place % shortlist.shape[1], -1)


def slots_of_purchases(dataset: Dataset, shortlist: np.ndarray) -> np.ndarray:
    """(P,) int64, `slots_of` of each purchase of a log."""
    shopper = dataset.visits["shopper"].to_numpy()[dataset.purchases["visit"].to_numpy()]
    item = dataset.purchases["item"].to_numpy()
    return slots_of(shortlist, shopper.astype(np.int64), item, dataset.n_items)
