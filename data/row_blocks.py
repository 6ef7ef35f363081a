"""Rows in parts, so that what is reckoned by item or by visit never needs room for all lines at once."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

#: A part holds about so many rows, more only where one code has more.
ROWS_AT_ONCE = 1_000_000


def parts_by(code: np.ndarray) -> Iterator[np.ndarray]:
    """Numbers of the rows in parts, those of one code all in one part: by code, then in their own order.

    Args:
        code: (n,) whole numbers, not negative and not much above the count of different ones.
    """
    order = np.argsort(code, kind="stable").astype(np.int32 if len(code) < 2**31 else np.int64)
    ends = np.cumsum(np.bincount(code))
    start = 0
    while start < len(order):
        fits = int(np.searchsorted(ends, start + ROWS_AT_ONCE, side="right")) - 1
        own = int(np.searchsorted(ends, start, side="right"))
        end = int(ends[max(fits, own)])
        yield order[start:end]
        start = end
