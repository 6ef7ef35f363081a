"""The direct effect of an offer, in closed form: what the offered items themselves earn more than without.

Given what items are worth to the shopper under one draw of luck (`Appraisal`), the rule of mixed bundling
(`bundling`) says what an offer of any bundle of them does at any discount. Of one offer under one draw, with
p the price of an item at the shelf and m = p - cost:

    gain = sum of m over items that exposure alone brings
           + [taken] (sum of m over items that are missing - discount * sum of p over the bundle).

What is bought without an offer earns what it earned, less the discount on one unit if the bundle is taken.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

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
    most_added = (max_size - 1) * pair.max(2).clip(min=0).T
    least = np.where(anyway, 0, short_of(price[:, None], value + most_added, slope))
    extra = margin * (anyway & ~wanted).sum(1)
    return Worth(anyway, value, slope, pair, least, extra, price, margin)


def short_of(price: np.ndarray, value: np.ndarray, slope: np.ndarray) -> np.ndarray:
    """Money that items of a `value` are short of their shelf price; 0 from a value of 0 on."""
    return -price * np.expm1(value.clip(max=0) / slope)


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


@njit(inner=True)
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
