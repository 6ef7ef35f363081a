"""Tables from which purchases of the long tail are drawn (`reference.long_tail`)."""

from __future__ import annotations

import numpy as np


def tail_tables(
    attraction: np.ndarray, subcategory: np.ndarray, product_line: np.ndarray
) -> dict[str, np.ndarray]:
    """The `tail_*` of `LongTail` but for weights, from the items' attraction (Q, I), exp of utility apart
    from the shopper's part in rows of `tail_row`, their subcategory (I,) and their product line (I,), of
    which a subcategory's follow each other."""
    order = np.argsort(product_line, kind="stable")
    total = np.concatenate([np.zeros((len(attraction), 1)), np.cumsum(attraction[:, order], 1)], 1)
    bounds = np.searchsorted(subcategory[order], np.arange(subcategory.max() + 2))
    start = total[:, bounds]
    row = np.arange(len(attraction))[:, None]
    return {
        "tail_item": order.astype(np.int64),
        "tail_cdf": row + total[:, 1:] / total[:, -1:],
        "tail_start": row + start / total[:, -1:],
        "tail_attraction": np.diff(start, axis=1, append=start[:, -1:] + 1).astype(np.float32),
    }


def memory_tables(rate: np.ndarray) -> dict[str, np.ndarray]:
    """From each shopper's rates of remembered items (S, I), 0 for others: `memory_rate` (S,) float32 their
    sum; `memory_item` (M,) int64 of all shoppers one after the other; `memory_cdf` (M,) float64, shopper +
    cumulative share; `memory_start` (S + 1,) int64 where each begins."""
    shopper, item = rate.nonzero()
    total = rate.sum(1, dtype=np.float64)
    start = np.searchsorted(shopper, np.arange(len(rate) + 1))
    running = np.cumsum(rate[shopper, item] / total[shopper])
    before = np.concatenate([[0.0], running])[start[shopper]]
    return {
        "memory_rate": total.astype(np.float32),
        "memory_item": np.append(item, 0).astype(np.int64),  # never empty
        "memory_cdf": np.append(shopper + running - before, len(rate)),
        "memory_start": start.astype(np.int64),
    }
