"""Tables from which purchases of the long tail are drawn (`reference.long_tail`)."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from scipy.sparse import csr_matrix


def tail_tables(
    attractions: Iterable[np.ndarray], n_rows: int, subcategory: np.ndarray, product_line: np.ndarray
) -> dict[str, np.ndarray]:
    """The `tail_*` of `LongTail` but for weights, from the items' attraction (I,), exp of utility apart from
    the shopper's part, in each of the `n_rows` of `tail_row`, their subcategory (I,) and their product line
    (I,), of which a subcategory's follow each other."""
    order = np.argsort(product_line, kind="stable")
    bounds = np.searchsorted(subcategory[order], np.arange(subcategory.max() + 2))
    cdf, start = np.empty((n_rows, len(order))), np.empty((n_rows, len(bounds)))
    total = np.empty(start.shape, dtype=np.float32)
    for row, attraction in enumerate(attractions):
        running = np.concatenate([[0.0], np.cumsum(attraction[order])])
        cdf[row], start[row] = row + running[1:] / running[-1], row + running[bounds] / running[-1]
        total[row] = np.append(np.diff(running[bounds]), 1.0)
    return {
        "tail_item": order.astype(np.int64),
        "tail_cdf": cdf,
        "tail_start": start,
        "tail_attraction": total,
    }


def memory_tables(rate: csr_matrix) -> dict[str, np.ndarray]:
    """From each shopper's rates of remembered items (S, I), which holds nothing else: `memory_rate` (S,)
    float32 their sum; `memory_item` (M,) int64 of all shoppers one after the other; `memory_cdf` (M,)
    float64, shopper + cumulative share; `memory_start` (S + 1,) int64 where each begins."""
    n, start = rate.shape[0], rate.indptr.astype(np.int64)
    shopper = np.repeat(np.arange(n), np.diff(start))
    total = np.bincount(shopper, rate.data, n)
    running = np.cumsum(rate.data / total[shopper])
    before = np.concatenate([[0.0], running])[start[shopper]]
    return {
        "memory_rate": total.astype(np.float32),
        "memory_item": np.append(rate.indices, 0).astype(np.int64),  # never empty
        "memory_cdf": np.append(shopper + running - before, n),
        "memory_start": start,
    }
