"""To whom offers go where there is not enough for all: stock, a discount budget, a number of offers."""

from __future__ import annotations

import numpy as np


def within_stock(items: np.ndarray, gain: np.ndarray, units: np.ndarray) -> np.ndarray:
    """(N,) bool: offers that the stock covers, those of greatest gain first. An offer takes a unit of each
    item, as if it were taken whole; `units` (I,) is lessened by them.

    Args:
        items: (N, B) item codes, -1 for none; a row of -1 is no offer, and never granted.
        gain: (N,) expected.
    """
    granted = np.zeros(len(items), dtype=bool)
    for row in np.argsort(-gain, kind="stable"):
        mine = items[row][items[row] >= 0]
        if len(mine) and (units[mine] >= 1).all():
            units[mine] -= 1
            granted[row] = True
    return granted


def within_budget(cost: np.ndarray, gain: np.ndarray, budget: float) -> np.ndarray:
    """(N,) bool: offers whose discounts the budget covers if every one is taken whole. Those without a
    discount cost nothing; of the others those go first that are expected to earn most for a unit of discount,
    and none that is not expected to earn.

    Args:
        cost: (N,) discount in money. gain: (N,) expected.
    """
    granted, left = cost <= 0, budget
    worth = np.where(cost > 0, gain / np.maximum(cost, 1e-12), -np.inf)
    for row in np.argsort(-worth, kind="stable"):
        if worth[row] > 0 and cost[row] <= left:
            granted[row] = True
            left -= cost[row]
    return granted


def of_most_gain(made: np.ndarray, gain: np.ndarray, count: int) -> np.ndarray:
    """(N,) bool: the `count` offers of greatest gain among those `made` (N,) bool."""
    granted = np.zeros(len(made), dtype=bool)
    granted[np.argsort(-np.where(made, gain, -np.inf), kind="stable")[:count]] = True
    return granted & made
