"""The items of each shopper's greatest shares, without looking at every item for every shopper.

Among items that a shopper has not bought, shares within a category stand in the order of popularity, whoever
the shopper is. So the categories' lists are merged from their tops, beside what the shopper bought: the work
grows with purchases and with what is looked for, not with shoppers times items. The answer is that of a look
at all shares; where the last place is shared by equals, all shares of that shopper are looked at, so that
which of the equals comes in stays the same.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse

from bundlegym.compiling import njit
from bundlegym.recommenders.dirichlet_shares import ShopAverages, likeliest

#: Shares that are nearer to the last one that comes in, as a share of it, are compared as they are told.
_NEAR = 1e-5
#: Room for those, beside what is bought, in multiples of what is looked for; more means equals without end.
_ROOM = 3
#: Shoppers whose room is held at once.
_AT_ONCE = 4096


def likeliest_items(
    averages: ShopAverages, counts: sparse.csr_matrix, size: int, barred: np.ndarray | None = None
) -> np.ndarray:
    """(n, size) int64, ascending: the items of the greatest shares by counts of lines (n, n_items).

    Args:
        size: at most so many as are not barred for any shopper.
        barred: (n, n_items) or (n_items,) bool, what does not come in.
    """
    n, n_items = counts.shape
    size = min(size, n_items)
    closed = np.zeros((1, n_items), dtype=bool) if barred is None else np.atleast_2d(barred)
    found = np.empty((n, size), dtype=np.int64)
    order = np.lexsort((-averages.within, averages.category))
    first = np.searchsorted(averages.category[order], np.arange(averages.n_categories + 1))
    for start in range(0, n, _AT_ONCE):
        some = slice(start, min(start + _AT_ONCE, n))
        mine, block = counts[some], closed[some] if len(closed) > 1 else closed
        by_category = averages.lines_by_category(mine)
        row = np.repeat(np.arange(mine.shape[0]), np.diff(mine.indptr))
        told = averages.log_shares(mine.data, row, mine.indices, by_category)
        weight = averages.category_shares(by_category) * averages.item_weight
        weight /= by_category + averages.item_weight
        near = np.empty((mine.shape[0], _ROOM * size + int(np.diff(mine.indptr).max(initial=0))), np.int64)
        held = _near_the_top(
            mine.indptr, mine.indices, np.exp(told.astype(np.float64)), averages.within.astype(np.float64),
            weight, order, first, block, size, near,
        )  # fmt: skip
        _choose(averages, mine, by_category, near, held, block, found[some])
    return found


def _choose(
    averages: ShopAverages, counts: sparse.csr_matrix, by_category: np.ndarray, near: np.ndarray,
    held: np.ndarray, closed: np.ndarray, found: np.ndarray,
) -> None:  # fmt: skip
    """Fill `found` (n, size) from the items `near` (n, room) the top, of which the first `held` (n,) count;
    -1 where there was no room for all."""
    n, size = found.shape
    row = np.repeat(np.arange(n), held.clip(min=0))
    item = near[np.arange(near.shape[1]) < held[:, None]]
    score = np.full(near.shape, -np.inf, dtype=np.float32)
    score[np.arange(near.shape[1]) < held[:, None]] = averages.log_shares(
        values_at(counts, row, item), row, item, by_category
    )
    top = np.argsort(-score, axis=1, kind="stable")
    ranked = np.take_along_axis(score, top[:, : size + 1], 1)
    clear = (held == size) | ((held > size) & (ranked[:, size - 1] > ranked[:, size]))
    found[clear] = np.sort(np.take_along_axis(near[clear], top[clear, :size], 1), axis=1)
    for shopper in np.flatnonzero(~clear):
        share = averages.shares(counts[[shopper]].toarray())[0]
        share[0, closed[shopper if len(closed) > 1 else 0]] = -np.inf
        found[shopper] = likeliest(share, size)[0]


def values_at(table: sparse.csr_matrix, row: np.ndarray, item: np.ndarray, none: float = 0) -> np.ndarray:
    """What a table with sorted rows holds at pairs of row and item, of any shapes that go together, and
    `none` where it holds nothing."""
    if not len(table.data):
        return np.full(np.broadcast_shapes(row.shape, item.shape), none, dtype=table.dtype)
    n_items = np.int64(table.shape[1])
    held = np.repeat(np.arange(table.shape[0]), np.diff(table.indptr)) * n_items + table.indices
    wanted = row * n_items + item
    place = np.searchsorted(held, wanted).clip(max=len(held) - 1)
    return np.where(held[place] == wanted, table.data[place], table.dtype.type(none))


@njit(inner=True)
def _sink(heap: np.ndarray, value: np.ndarray, place: int, n: int) -> None:
    """Let a category at a place of a heap (C,) of n of them, the greatest `value` (C,) on top, sink to where
    it belongs."""
    while 2 * place + 1 < n:
        child = 2 * place + 1
        if child + 1 < n and value[heap[child + 1]] > value[heap[child]]:
            child += 1
        if value[heap[place]] >= value[heap[child]]:
            return
        heap[place], heap[child] = heap[child], heap[place]
        place = child


@njit()
def _near_the_top(
    first_line: np.ndarray, bought: np.ndarray, share: np.ndarray, within: np.ndarray, weight: np.ndarray,
    order: np.ndarray, first: np.ndarray, closed: np.ndarray, size: int, near: np.ndarray,
) -> np.ndarray:  # fmt: skip
    """Fill each row of `near` (n, room) with all items whose share is near the `size`-th greatest or above;
    how many they are (n,), -1 where there is no room.

    Args:
        first_line: (n + 1,) where each shopper's part of `bought`, item codes, and their `share`s begins.
        within: (I,) share of the item in its category, where it was not bought.
        weight: (n, C) what that is multiplied by.
        order, first: (I,) items by category, the most popular first; (C + 1,) where each category begins.
        closed: (n, I) or (1, I) bool, what does not come in.
    """
    n, n_categories = weight.shape
    held, stamp = np.empty(n, dtype=np.int64), np.full(len(within), -1)
    heap, at = np.empty(n_categories, dtype=np.int64), np.empty(n_categories, dtype=np.int64)
    value, shares = np.empty(n_categories), np.empty(near.shape[1])
    zero = np.int64(0)  # typed: for a literal, functions are compiled once more
    for r in range(n):
        barred = closed[r if len(closed) > 1 else 0]
        own, waiting = 0, zero
        for line in range(first_line[r], first_line[r + 1]):
            stamp[bought[line]] = r
            if not barred[bought[line]]:
                near[r, own], shares[own] = bought[line], share[line]
                own += 1
        for c in range(n_categories):
            at[c] = first[c]
            while at[c] < first[c + 1] and (barred[order[at[c]]] or stamp[order[at[c]]] == r):
                at[c] += 1
            if at[c] < first[c + 1]:
                value[c] = weight[r, c] * within[order[at[c]]]
                heap[waiting] = c
                waiting += 1
        for place in range(waiting // 2 - 1, -1, -1):
            _sink(heap, value, place, waiting)
        used, bound = own, 0.0
        while waiting > 0:
            c = heap[0]
            if used - own == size:  # so many are enough to know the bound
                bound = np.sort(shares[:used])[used - size] * (1 - _NEAR)
            if value[c] < bound or used == near.shape[1]:
                break
            near[r, used], shares[used] = order[at[c]], value[c]
            used += 1
            at[c] += 1
            while at[c] < first[c + 1] and (barred[order[at[c]]] or stamp[order[at[c]]] == r):
                at[c] += 1
            if at[c] < first[c + 1]:
                value[c] = weight[r, c] * within[order[at[c]]]
            else:
                waiting -= 1
                heap[0] = heap[waiting]
            _sink(heap, value, zero, waiting)
        held[r] = used
        if waiting > 0 and used == near.shape[1] and value[heap[0]] >= bound:
            held[r] = -1
    return held
