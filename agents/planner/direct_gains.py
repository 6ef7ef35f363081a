"""The offers with the greatest direct effect, of all pairs of candidates and what grows from them.

One appraisal of K candidates on D draws gives the expected gain of all K (K - 1) / 2 pairs at all levels
(`user_models.direct_gains`); the same draws serve all of them. Larger bundles grow from the best pair of each
level by the item that adds most.
"""

from __future__ import annotations

import numpy as np

from bundlegym.agents.planner.ties import insert_in_order
from bundlegym.compiling import njit
from bundlegym.user_models.direct_gains import Worth, add_gains


@njit()
def best_direct(
    w: Worth, discounts: np.ndarray, min_size: int, max_size: int, count: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The F = `count` offers with the greatest expected direct gain above zero, best first: candidates (F, B)
    int64, -1 where there is none, discount levels (F,) int64, gains (F,) float64. `ties` says which of equals
    comes first; `discounts` is (L,) float64."""
    k, n_draws = w.value.shape
    levels = len(discounts)
    best = np.full((count, max_size), -1, np.int64)
    best_level, best_gain = np.zeros(count, np.int64), np.zeros(count)
    items, total = np.zeros(max_size, np.int64), np.zeros(levels)
    one, two = (
        np.int64(1),
        np.int64(2),
    )  # typed: for a literal, functions are compiled once more
    start, start_gain = np.zeros((levels, 2), np.int64), np.full(levels, -np.inf)
    if min_size == 1:
        for i in range(k):
            items[0] = i
            total[:] = 0
            add_gains(w, items, one, discounts, total)
            for level in range(levels):
                insert_in_order(total[level] / n_draws, items, one, level, best, best_level, best_gain)
    if max_size == 1:
        return best, best_level, best_gain
    for i in range(k):
        for j in range(i + 1, k):
            items[0], items[1] = i, j
            total[:] = 0
            add_gains(w, items, two, discounts, total)
            for level in range(levels):
                gain = total[level] / n_draws
                if gain > start_gain[level]:
                    start_gain[level] = gain
                    start[level, 0], start[level, 1] = i, j
                if min_size <= 2:
                    insert_in_order(gain, items, two, level, best, best_level, best_gain)
    for level in range(levels):
        items[0], items[1] = start[level, 0], start[level, 1]
        for size in range(3, max_size + 1):
            gain = _grow(w, items, size, discounts[level : level + 1])
            if size >= min_size:
                insert_in_order(gain / n_draws, items, size, level, best, best_level, best_gain)
    return best, best_level, best_gain


@njit(inner=True)
def _grow(w: Worth, items: np.ndarray, size: int, discount: np.ndarray) -> float:
    """Put the item that adds most at the end of `items` (B,), which then are `size`; their gain over all
    draws at `discount` (1,)."""
    add, most, gain = 0, -np.inf, np.zeros(1)
    for i in range(w.value.shape[0]):
        again = False
        for a in range(size - 1):
            again = again or items[a] == i
        if again:
            continue
        items[size - 1] = i
        gain[0] = 0
        add_gains(w, items, size, discount, gain)
        if gain[0] > most:
            add, most = i, gain[0]
    items[size - 1] = add
    return most


@njit()
def item_scores(w: Worth, discounts: np.ndarray, min_size: int, max_size: int) -> np.ndarray:
    """(K,) float64, the greatest expected direct gain of any pair with each candidate, or of it alone."""
    k, n_draws = w.value.shape
    scores = np.full(k, -np.inf)
    items, total = np.zeros(2, np.int64), np.zeros(len(discounts))
    for i in range(k):
        for j in range(i if min_size == 1 else i + 1, k if max_size > 1 else i + 1):
            items[0], items[1] = i, j
            total[:] = 0
            add_gains(w, items, 1 if i == j else 2, discounts, total)
            gain = total.max() / n_draws
            scores[i], scores[j] = max(scores[i], gain), max(scores[j], gain)
    return scores
