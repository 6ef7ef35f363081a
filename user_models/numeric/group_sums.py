"""Sums over shoppers, or over the items of groups, without a table of shoppers by items."""

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
    feature, constant = (np.ascontiguousarray(x[order], dtype=np.float32) for x in (feature, constant))
    _over_items(_together(theta), feature, constant, first, total)
    return total


def sums_of_items(
    theta: np.ndarray, feature: np.ndarray, weight: np.ndarray, group: np.ndarray
) -> np.ndarray:
    """(I,) float64, sums over shoppers of weight exp(theta . feature), the `weight` (N, G) that of the item's
    group; the rest as in `exp_sums`."""
    total = np.zeros(len(group))
    feature = np.ascontiguousarray(feature, dtype=np.float32)
    _over_shoppers(_together(theta), feature, _together(weight), group, total)
    return total


def _together(table: np.ndarray) -> np.ndarray:
    """(blocks, K, _TOGETHER) float32, of a table (N, K), with rows of 0 at the end."""
    padded = np.pad(table.astype(np.float32), ((0, -len(table) % _TOGETHER), (0, 0)))
    return np.ascontiguousarray(padded.reshape(-1, _TOGETHER, table.shape[1]).transpose(0, 2, 1))


@njit()
def _over_items(
    theta: np.ndarray, feature: np.ndarray, constant: np.ndarray, first: np.ndarray, total: np.ndarray
) -> None:
    """Fill `total` (N, G); `theta` is as `_together` gives it, items are in the order of groups, which begin
    at `first` (G + 1,)."""
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


@njit()
def _over_shoppers(
    theta: np.ndarray, feature: np.ndarray, weight: np.ndarray, group: np.ndarray, total: np.ndarray
) -> None:
    """Fill `total` (I,); `theta` and `weight` are as `_together` gives them."""
    score = np.empty(_TOGETHER, dtype=np.float32)
    for block in range(len(theta)):
        for i in range(len(feature)):
            score[:] = 0
            for k in range(theta.shape[1]):
                for b in range(_TOGETHER):
                    score[b] += theta[block, k, b] * feature[i, k]
            own = weight[block, group[i]]
            for b in range(_TOGETHER):
                score[b] = own[b] * exp32(score[b])
            for b in range(_TOGETHER):
                total[i] += score[b]
