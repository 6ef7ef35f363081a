"""Tables of rows and columns: given their margins, or without their effects."""

from __future__ import annotations

import numpy as np

_TINY = 1e-12


def rake(mean: np.ndarray, observed: np.ndarray, passes: int, pseudo: float = 0.0) -> np.ndarray:
    """`mean` (N, M) times factors of rows and of columns that give it the totals of `observed` (N, M), by
    iterative proportional fitting (Deming and Stephan 1940).

    Args:
        passes: over rows and columns.
        pseudo: added to each total, so that a margin without any has a factor.
    """
    for _ in range(passes):
        for axis in (0, 1):
            total, mine = (table.sum(axis, keepdims=True) + pseudo for table in (observed, mean))
            mean = mean * (total / np.maximum(mine, _TINY))
    return mean


def demean(table: np.ndarray, weight: np.ndarray, passes: int) -> np.ndarray:
    """`table` (N, M) less effects of rows and of columns, by weighted least squares."""
    for _ in range(passes):
        for axis in (0, 1):
            total = weight.sum(axis, keepdims=True)
            table = table - (weight * table).sum(axis, keepdims=True) / np.maximum(total, _TINY)
    return table
