"""The direct effect of offers, in closed form: what the offered items themselves earn more than without.

Given what each candidate is worth to the shopper under one draw of luck (`Appraisal`), the rule of mixed
bundling (`user_models.bundling`) says what an offer of any bundle at any discount does. So one appraisal of K
candidates on D draws gives the expected gain of all K (K - 1) / 2 pairs at all levels; the same draws serve
all of them. Larger bundles grow from the best pair of each level by the item that adds most.

Of one offer under one draw, with p the price of an item at the shelf and m = p - cost:

    gain = sum of m over items that exposure alone brings
           + [taken] (sum of m over items that are missing - discount * sum of p over the bundle).

What is bought without an offer earns what it earned, less the discount on one unit if the bundle is taken.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from bundlegym.agents.planner.ties import insert_in_order
from bundlegym.compiling import njit
from bundlegym.user_models.base import Appraisal


class Worth(NamedTuple):
    """K candidates to one shopper at one visit under D draws of luck.

    Attributes:
        anyway: (K, D) bool, bought at the shelf price if offered: without an offer, too, or by exposure.
        value: (K, D) float, utility that an item which is offered lacks to be bought at the shelf price.
        slope: (K, D) float, utility in minus log price.
        pair: (D, K, K) float, what the second item adds to the value of the first.
        least: (K, D) float, money that an item is short of its price beside those that add most to it.
        extra: (K,) float, margin that exposure alone brings, over all draws.
        price, margin: (K,) float, at the shelf.
    """

    anyway: np.ndarray
    value: np.ndarray
    slope: np.ndarray
    pair: np.ndarray
    least: np.ndarray
    extra: np.ndarray
    price: np.ndarray
    margin: np.ndarray


def worth_of(
    appraisal: Appraisal, first: int, end: int, price: np.ndarray, margin: np.ndarray, max_size: int
) -> Worth:
    """The rows first, ..., end - 1 of an appraisal, which are one visit under so many draws; for bundles of
    up to `max_size` items."""

    def turned(name: str) -> np.ndarray:
        return np.ascontiguousarray(getattr(appraisal, name)[first:end].cpu().numpy().T)

    wanted, exposure, slope = turned("wanted"), turned("exposure"), turned("slope")
    value = turned("value") + exposure
    anyway = wanted | ((exposure > 0) & (value >= 0))
    pair = np.ascontiguousarray(appraisal.pair[first:end].cpu().numpy())
    most = value + (max_size - 1) * pair.max(2).clip(min=0).T
    least = np.where(anyway, 0, -price[:, None] * np.expm1(most.clip(max=0) / slope))
    extra = margin * (anyway & ~wanted).sum(1)
    return Worth(anyway, value, slope, pair, least, extra, price, margin)


@njit()
def add_gains(w: Worth, items: np.ndarray, size: int, discounts: np.ndarray, total: np.ndarray) -> None:
    """Add to `total` (L,) float64 what the bundle of the first `size` of `items` (B,) int64 earns at each of
    `discounts` (L,) float64, over all draws."""
    price = extra = 0.0
    for a in range(size):
        price += w.price[items[a]]
        extra += w.extra[items[a]]
    most = price * discounts.max()
    complete = 0  # how often all of it would be bought anyway
    for d in range(w.value.shape[1]):
        least = 0.0
        for a in range(size):
            least += w.least[items[a], d]
        if least > most:  # it is taken at no level, as is most often so
            continue
        new, missing = 0.0, 0
        for a in range(size):
            if not w.anyway[items[a], d]:
                new += w.margin[items[a]]
                missing += 1
        if missing == 0:
            complete += 1
            continue
        short = _short(w, items, size, d)
        for level in range(len(discounts)):
            saving = discounts[level] * price
            if saving > 0 and saving >= short:
                total[level] += new - saving
    for level in range(len(discounts)):
        total[level] += extra - complete * discounts[level] * price


@njit()
def _short(w: Worth, items: np.ndarray, size: int, d: int) -> float:
    """Money that the missing items of a bundle, the first `size` of `items` (B,), are short of under draw
    `d`, each beside the others that are missing."""
    short = 0.0
    for a in range(size):
        i = items[a]
        if w.anyway[i, d]:
            continue
        value = w.value[i, d]
        for b in range(size):
            if b != a and not w.anyway[items[b], d]:
                value += w.pair[d, i, items[b]]
        if value < 0:
            short -= w.price[i] * np.expm1(value / w.slope[i, d])
    return short


@njit()
def best_direct(
    w: Worth, discounts: np.ndarray, min_size: int, max_size: int, count: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The F = `count` offers with the greatest expected direct gain above zero, best first: candidates (F, B)
    int64, -1 where there is none, discount levels (F,) int64, gains (F,) float64. `ties` says which of equals
    comes first; `discounts` is (L,) float64."""
    k, n_draws = w.value.shape
    levels = len(discounts)
    best = np.full((count, max_size), -1, np.int64)
    best_level, best_gain = np.zeros(count, np.int64), np.zeros(count)
    items, total = np.zeros(max_size, np.int64), np.zeros(levels)
    start, start_gain = np.zeros((levels, 2), np.int64), np.full(levels, -np.inf)
    if min_size == 1:
        for i in range(k):
            items[0] = i
            total[:] = 0
            add_gains(w, items, 1, discounts, total)
            for level in range(levels):
                insert_in_order(total[level] / n_draws, items, 1, level, best, best_level, best_gain)
    if max_size == 1:
        return best, best_level, best_gain
    for i in range(k):
        for j in range(i + 1, k):
            items[0], items[1] = i, j
            total[:] = 0
            add_gains(w, items, 2, discounts, total)
            for level in range(levels):
                gain = total[level] / n_draws
                if gain > start_gain[level]:
                    start_gain[level] = gain
                    start[level, 0], start[level, 1] = i, j
                if min_size <= 2:
                    insert_in_order(gain, items, 2, level, best, best_level, best_gain)
    for level in range(levels):
        items[:2] = start[level]
        for size in range(3, max_size + 1):
            gain = _grow(w, items, size, discounts[level : level + 1])
            if size >= min_size:
                insert_in_order(gain / n_draws, items, size, level, best, best_level, best_gain)
    return best, best_level, best_gain


@njit()
def _grow(w: Worth, items: np.ndarray, size: int, discount: np.ndarray) -> float:
    """Put the item that adds most at the end of `items` (B,), which then are `size`; their gain over all
    draws at `discount` (1,)."""
    add, most, gain = 0, -np.inf, np.zeros(1)
    for i in range(w.value.shape[0]):
        again = False
        for a in range(size - 1):
            again = again or items[a] == i
        if again:
            continue
        items[size - 1] = i
        gain[0] = 0
        add_gains(w, items, size, discount, gain)
        if gain[0] > most:
            add, most = i, gain[0]
    items[size - 1] = add
    return most


@njit()
def item_scores(w: Worth, discounts: np.ndarray, min_size: int, max_size: int) -> np.ndarray:
    """(K,) float64, the greatest expected direct gain of any pair with each candidate, or of it alone."""
    k, n_draws = w.value.shape
    scores = np.full(k, -np.inf)
    items, total = np.zeros(2, np.int64), np.zeros(len(discounts))
    for i in range(k):
        for j in range(i if min_size == 1 else i + 1, k if max_size > 1 else i + 1):
            items[0], items[1] = i, j
            total[:] = 0
            add_gains(w, items, 1 if i == j else 2, discounts, total)
            gain = total.max() / n_draws
            scores[i], scores[j] = max(scores[i], gain), max(scores[j], gain)
    return scores
