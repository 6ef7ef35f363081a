"""The items that a shopper likes best by preferences, without a look at every item for every shopper.

Of a subcategory, no item that was never bought scores above the greatest of the shop's parts plus the most
that tastes can add there. So subcategories are gone through from the one with the greatest bound down, each
from its most popular item down, until no bound is above the last of the best found so far.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix

from bundlegym.compiling import njit

_SLACK = np.float32(1e-3)  # of log shares, far more than rounding


def best_items(
    bought: csr_matrix,
    base: np.ndarray,
    part: np.ndarray,
    theta: np.ndarray,
    attribute: np.ndarray,
    attribute_range: np.ndarray,
    group: np.ndarray,
    size: int,
) -> np.ndarray:
    """(n, size) int64, ascending: the items of the greatest scores; of equals, those found first.

    Args:
        bought: (n, I) the scores of what each shopper has bought, and nothing else.
        base, part, theta, attribute: (n, G), (I,), (n, K), (I, K) float32; the score of any other item of
            subcategory g is base + part + theta . attribute.
        attribute_range: (G, 2, K) least and greatest of each attribute in a subcategory.
        group: (I,) int64 subcategory.
        size: at most I.
    """
    order = np.lexsort((-part, group))
    first = np.searchsorted(group[order], np.arange(base.shape[1] + 1))
    found = np.empty((len(base), size), dtype=np.int64)
    reach = np.maximum(theta[:, None] * attribute_range[:, 0], theta[:, None] * attribute_range[:, 1]).sum(2)
    bound = base + part[order[first[:-1]]] + reach
    down = np.argsort(-bound, axis=1)
    _search(
        bought.indptr, bought.indices, bought.data, base, bound, down, reach, part, theta, attribute, order,
        first, found,
    )  # fmt: skip
    return np.sort(found, axis=1)


@njit(inner=True)
def _sink(score: np.ndarray, item: np.ndarray, n: int) -> None:
    """Let what is on top of a heap of `n`, the least score on top, sink to where it belongs."""
    place = 0
    while 2 * place + 1 < n:
        child = 2 * place + 1
        if child + 1 < n and score[child + 1] < score[child]:
            child += 1
        if score[place] <= score[child]:
            return
        score[place], score[child] = score[child], score[place]
        item[place], item[child] = item[child], item[place]
        place = child


@njit(inner=True)
def _enter(score: np.ndarray, item: np.ndarray, new: float, code: int) -> None:
    """Put an item in place of the least, if it scores more."""
    if new > score[0]:
        score[0], item[0] = new, code
        _sink(score, item, len(score))


@njit()
def _search(
    start: np.ndarray, bought: np.ndarray, told: np.ndarray, base: np.ndarray, bound: np.ndarray,
    down: np.ndarray, reach: np.ndarray, part: np.ndarray, theta: np.ndarray, attribute: np.ndarray,
    order: np.ndarray, first: np.ndarray, found: np.ndarray,
) -> None:  # fmt: skip
    """Fill `found` (n, size); `bound` (n, G) of each subcategory's scores, which are gone through in the
    order `down` (n, G), and its items, which begin at `first` (G + 1,), in that of `order` (I,)."""
    n, size = found.shape
    score, stamp = np.empty(size, dtype=np.float32), np.full(len(part), -1)
    for r in range(n):
        score[:] = -np.inf
        item = found[r]
        for line in range(start[r], start[r + 1]):
            stamp[bought[line]] = r
            _enter(score, item, told[line], bought[line])
        for g in down[r]:
            if bound[r, g] + _SLACK < score[0]:
                break
            for place in range(first[g], first[g + 1]):
                i = order[place]
                if base[r, g] + part[i] + reach[r, g] + _SLACK < score[0]:
                    break
                if stamp[i] != r:
                    new = base[r, g] + part[i]
                    for k in range(theta.shape[1]):
                        new += theta[r, k] * attribute[i, k]
                    _enter(score, item, new, i)
