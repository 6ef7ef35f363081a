"""Sums over the items of groups that differ by shopper, without a table of shoppers by items."""

from __future__ import annotations

import numpy as np

from bundlegym.compiling import njit
from bundlegym.user_models.numeric.fast_math import exp32

_TOGETHER = 64  # shoppers, so that loops over them become vector code


def exp_sums(theta: np.ndarray, feature: np.ndarray, constant: np.ndarray, group: np.ndarray) -> np.ndarray:
    """(N, G) float32, sums over a group's items of exp(constant + theta . feature); `theta` (N, K),
    `feature` (I, K), `constant` (I,), and `group` (I,), codes up to G - 1."""
    order = np.argsort(group, kind="stable")
    first = np.searchsorted(group[order], np.arange(int(group.max()) + 2))
    total = np.empty((len(theta), len(first) - 1), dtype=np.float32)
    padded = np.pad(theta.astype(np.float32), ((0, -len(theta) % _TOGETHER), (0, 0)))
    together = padded.reshape(-1, _TOGETHER, theta.shape[1]).transpose(0, 2, 1)
    sorted_ = (np.ascontiguousarray(x[order], dtype=np.float32) for x in (feature, constant))
    _fill(np.ascontiguousarray(together), *sorted_, first, total)
    return total


@njit()
def _fill(
    theta: np.ndarray, feature: np.ndarray, constant: np.ndarray, first: np.ndarray, total: np.ndarray
) -> None:
    """Fill `total` (N, G); `theta` is (blocks of shoppers, K, shoppers of a block), items are in the order of
    groups, which begin at `first` (G + 1,)."""
    score, running = np.empty(_TOGETHER, dtype=np.float32), np.empty(_TOGETHER, dtype=np.float32)
    for block in range(len(theta)):
        start = block * _TOGETHER
        for g in range(total.shape[1]):
            running[:] = 0
            for i in range(first[g], first[g + 1]):
                score[:] = constant[i]
                for k in range(theta.shape[1]):
                    for b in range(_TOGETHER):
                        score[b] += theta[block, k, b] * feature[i, k]
                for b in range(_TOGETHER):
                    running[b] += exp32(score[b])
            for b in range(min(_TOGETHER, len(total) - start)):
                total[start + b, g] = running[b]
