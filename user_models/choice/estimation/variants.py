"""Whoever takes one flavour of something seldom bought takes others too.

A *product* is what items of one subcategory, brand and list price are flavours of. Of the pairs of its items
that meet in one basket and are on neither's shortlist, chance explains few. So a purchase of the tail is
followed, with a chance of the product's own, by one of another flavour, that by one more, and so on: a
cluster process (Neyman and Scott 1958), whose clusters are as large on average as the log's pairs ask for.
As many purchases fewer come by themselves, so that a product sells no more for it.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix

from bundlegym.data import Dataset, lines_of, visit_rows
from bundlegym.user_models.components.preferences import Taste, subcategories
from bundlegym.user_models.numeric.one_hot import indicator

_TASTE_PART = 0.5  # of the weeks, by which is said what is on a shortlist in the others
_LINES = 50.0  # weight of the subcategory's average, and of the shop's
_MOST = 0.9  # chance of a further flavour


def products(dataset: Dataset) -> np.ndarray:
    """(I,) int64 code of each item's product; those of a subcategory follow each other, in its order."""
    keys = pd.DataFrame(
        {
            "group": subcategories(dataset),
            "brand": dataset.items["brand"].astype(str),
            "price": dataset.items["list_price"].round(2),
        }
    )
    return np.array(keys.groupby(list(keys), dropna=False).ngroup(), dtype=np.int64)


def fit_flavours(
    dataset: Dataset, weeks: tuple[int, int], shoppers: np.ndarray, shortlist_size: int
) -> dict[str, np.ndarray]:
    """`product` (I,) int64; `followers` (P,) float32, the share of a product's purchases in the tail that
    follow another; `follow` (P,) float32, the chance that a further flavour is drawn, which may be one that
    is in the basket already."""
    first, end = weeks
    cut = first + max(1, round(_TASTE_PART * (end - first)))
    taste, product = Taste.fit(dataset, (first, cut), shoppers), products(dataset)
    group = np.zeros(product.max() + 1, dtype=np.int64)
    group[product] = taste.group
    pairs, lines = _pairs(dataset, (cut, end), shoppers, taste, shortlist_size, product)
    ratio = pairs.sum() / max(lines.sum(), 1.0)
    for code in (group, np.arange(len(group))):  # shrunk to the subcategory's, that to the shop's
        more, of = (np.bincount(code, w) for w in (pairs, lines))
        ratio = ((more + _LINES * ratio) / (of + _LINES))[code]
    # A geometric cluster of continuation r has 2 r / (1 - r) ordered pairs a line.
    share = np.exp(taste.log_within)
    total = np.bincount(product, share)
    another = 1 - np.bincount(product, share**2) / total**2
    followers = np.where(another > 1e-6, ratio / (2 + ratio), 0.0).clip(min=0)
    follow = (followers / np.maximum(another, 1e-6)).clip(max=_MOST)
    return {
        "product": product,
        "followers": followers.astype(np.float32),
        "follow": follow.astype(np.float32),
    }


def _pairs(
    dataset: Dataset,
    weeks: tuple[int, int],
    shoppers: np.ndarray,
    taste: Taste,
    shortlist_size: int,
    product: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """(P,) ordered pairs of lines of a product off the shortlist in one basket, beyond those of tastes and
    common categories, and (P,) such lines, by `shoppers` in `weeks`."""
    rows = visit_rows(dataset, weeks, shoppers)
    line, place = lines_of(dataset, rows)
    item, shopper = dataset.purchases["item"].to_numpy()[line], dataset.visits["shopper"].to_numpy()[rows]
    size = np.bincount(place, minlength=len(rows)).astype(float)
    drawn = np.bincount(shopper, size * (size - 1), minlength=dataset.n_shoppers)
    share = np.exp(taste.log_share)
    share /= share.sum(1, keepdims=True)
    np.put_along_axis(share, taste.shortlist(shortlist_size), 0.0, axis=1)
    tail = share[shopper[place], item] > 0
    item, place = item[tail], place[tail]

    def met(code: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Pairs by code: seen, and by tastes alone."""
        n = int(code.max()) + 1
        held = csr_matrix((np.ones(len(item)), (place, code[item])), (len(rows), n))
        seen = np.asarray(held.multiply(held).sum(0)).ravel() - np.bincount(code[item], minlength=n)
        one_hot = indicator(code)
        chance = drawn @ ((share @ one_hot) ** 2) - drawn @ (share**2 @ one_hot)
        return seen, chance

    seen, chance = met(product)
    alike, by_taste = met(pd.factorize(dataset.items["category"])[0])
    # Of other products of a category more pairs meet than by taste, which is the category's doing.
    lift = max((alike.sum() - seen.sum()) / max(by_taste.sum() - chance.sum(), 1.0), 1.0)
    return seen - lift * chance, np.bincount(product[item], minlength=len(seen)).astype(float)
