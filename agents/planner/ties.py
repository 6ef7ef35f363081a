"""How the planner breaks ties: of offers with equal gain, the one that was tried first stands before.

Offers are tried in this order: single items, pairs, then what grows from the best pair of each level; each in
the order of the candidates, then of the discount levels, from the least discount up. So of equals the smaller
bundle wins, then the likelier candidate, then the lower discount. An offer whose gain is zero ties with no
offer, and no offer wins.

Where candidates are cut to the few best before all is tried (`search`), torch's `topk` chooses among equals.
"""

from __future__ import annotations

import numpy as np
from torch import Tensor

from bundlegym.compiling import njit


@njit(inner=True)
def insert_in_order(
    gain: float, items: np.ndarray, size: int, level: int, best: np.ndarray, best_level: np.ndarray,
    best_gain: np.ndarray,
) -> None:  # fmt: skip
    """Put an offer among the best, who are in order; of equals the first stays before.

    Args:
        gain: of the offer: the first `size` of `items` at discount `level`.
        items: (B,) int64, places among the candidates.
        best: (F, B) int64, -1 where a bundle is smaller; best_level: (F,) int64; best_gain: (F,) float64,
            descending. All three are written.
    """
    place = len(best_gain)
    while place > 0 and gain > best_gain[place - 1]:
        place -= 1
    if place == len(best_gain):
        return
    for f in range(len(best_gain) - 1, place, -1):
        best_gain[f], best_level[f] = best_gain[f - 1], best_level[f - 1]
        for b in range(best.shape[1]):
            best[f, b] = best[f - 1, b]
    best_gain[place], best_level[place] = gain, level
    for b in range(best.shape[1]):
        best[place, b] = items[b] if b < size else -1


def first_best(gain: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    """The greatest gains along a dimension and where they are; of equals the first, as torch promises."""
    values, indices = gain.max(dim)
    return values, indices
