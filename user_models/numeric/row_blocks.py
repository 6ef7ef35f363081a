"""Tables that are too large to be made at once, gone through by blocks of rows."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

#: Entries of a block at most: 128 MB of float32.
_ENTRIES = 2**25


def row_blocks(rows: np.ndarray, width: int, entries: int = _ENTRIES) -> Iterator[np.ndarray]:
    """`rows` (n,) in parts, one after the other, of which a table with `width` columns has `entries` at
    most."""
    step = max(entries // max(width, 1), 1)
    for start in range(0, len(rows), step):
        yield rows[start : start + step]
