"""Variants: whoever takes one variant of something seldom bought takes others too.

Items of one subcategory, brand and list price are variants of a *product line*. Of the pairs of its items
that meet in one basket and are on neither's shortlist, chance explains few. So a purchase of the long tail is
followed, with a chance of the product line's own, by one of another variant, that by one more, and so on: a
cluster process (Neyman and Scott 1958), whose clusters are as large on average as the log's pairs ask for.
As many purchases fewer come by themselves, so that a product line sells no more for it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix
from torch import Tensor

from bundlegym.data import Dataset, lines_of, visit_rows
from bundlegym.recommenders.shortlist_slots import slots_of_purchases
from bundlegym.user_models.choice.parameters import Variants
from bundlegym.user_models.components.fit_weeks import part_end
from bundlegym.user_models.components.preferences import KnownItems, Preferences, PreferencesConfig
from bundlegym.user_models.config import Config, Part, Positive
from bundlegym.user_models.numeric.group_sums import exp_sums
from bundlegym.user_models.numeric.one_hot import one_hot_csr
from bundlegym.user_models.numeric.row_blocks import row_blocks
from bundlegym.user_models.parameters import Parameters, as_tensor, parameter


@dataclass(frozen=True)
class VariantsConfig(Config):
    """Hyper-parameters of `fit_variants`."""

    preference_part: Part = 0.5
    """Part of the weeks by which is said what is on a shortlist in the others."""

    lines: Positive = 50.0
    """Lines: weight of the subcategory's pairs in a product line's, and of the shop's in a subcategory's."""

    most: Part = 0.9
    """Chance of a further variant at most."""


def product_lines(dataset: Dataset) -> np.ndarray:
    """(I,) int64 code of each item's product line; those of a subcategory follow each other, in its order.
    List prices are the same where they differ by about half a percent, in whatever unit of money."""
    keys = pd.DataFrame(
        {
            "group": dataset.subcategory_code,
            "brand": dataset.items["brand"].astype(str),
            "price": np.rint(200 * np.log(dataset.items["list_price"])),
        }
    )
    return np.array(keys.groupby(list(keys), dropna=False).ngroup(), dtype=np.int64)


@dataclass(frozen=True)
class FittedVariants(Parameters):
    """Variants, and what they leave of purchases that come by themselves."""

    variants: Variants
    followers: Tensor = parameter("P", "share of a product line's purchases in the tail that follow another")


def fit_variants(
    dataset: Dataset,
    weeks: tuple[int, int],
    shoppers: np.ndarray,
    shortlist_size: int,
    without: Collection[str] = (),
    *,
    config: VariantsConfig = VariantsConfig(),
    preferences: PreferencesConfig = PreferencesConfig(),
) -> FittedVariants:
    """From the baskets of `shoppers` (mask) in `weeks`. `follow_prob` is the chance that a further variant is
    drawn, which may be one that is in the basket already."""
    cut, line = part_end(weeks, config.preference_part), product_lines(dataset)
    liking = Preferences.fit(dataset, (weeks[0], cut), shoppers, without, config=preferences)
    group = np.zeros(line.max() + 1, dtype=np.int64)
    group[line] = liking.subcategory
    pairs, lines = _pairs(dataset, (cut, weeks[1]), shoppers, liking, shortlist_size, line)
    ratio = pairs.sum() / max(lines.sum(), 1.0)
    for code in (group, np.arange(len(group))):  # shrunk to the subcategory's, that to the shop's
        more, of = (np.bincount(code, w) for w in (pairs, lines))
        ratio = ((more + config.lines * ratio) / (of + config.lines))[code]
    # A geometric cluster of continuation r has 2 r / (1 - r) ordered pairs a line.
    another = another_variant(line, np.exp(liking.log_within))
    followers = np.where(another > 1e-6, ratio / (2 + ratio), 0.0).clip(min=0)
    follow = (followers / np.maximum(another, 1e-6)).clip(max=config.most)
    return FittedVariants(
        Variants(
            product_line=as_tensor(line),
            product_line_start=as_tensor(np.searchsorted(np.sort(line), np.arange(line.max() + 2))),
            follow_prob=as_tensor(follow.astype(np.float32)),
        ),
        followers=as_tensor(followers.astype(np.float32)),
    )


def another_variant(line: np.ndarray, share: np.ndarray) -> np.ndarray:
    """(P,) chance that two purchases of a product line, of items (I,) with the code `line` and with a `share`
    each, are of two items."""
    return np.asarray(1 - np.bincount(line, share**2) / np.bincount(line, share) ** 2)


def _pairs(
    dataset: Dataset,
    weeks: tuple[int, int],
    shoppers: np.ndarray,
    preferences: Preferences,
    shortlist_size: int,
    product_line: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """(P,) ordered pairs of lines of a product line off the shortlist in one basket, beyond those of
    preferences and common categories, and (P,) such lines, by `shoppers` in `weeks`."""
    rows = visit_rows(dataset, weeks, shoppers)
    line, place = lines_of(dataset, rows)
    item, shopper = dataset.purchases["item"].to_numpy()[line], dataset.visits["shopper"].to_numpy()[rows]
    size = np.bincount(place, minlength=len(rows)).astype(float)
    drawn = np.bincount(shopper, size * (size - 1), minlength=dataset.n_shoppers)
    known = preferences.known_items(shortlist_size, shoppers)
    tail = slots_of_purchases(dataset, known.shortlist)[line] < 0
    item, place = item[tail], place[tail]
    category = pd.factorize(dataset.items["category"])[0]
    of_line = np.zeros(product_line.max() + 1, dtype=np.int64)
    of_line[product_line] = category
    chance, by_preference = np.zeros(len(of_line)), np.zeros(int(category.max()) + 1)
    for some in row_blocks(np.flatnonzero(shoppers), len(of_line)):
        share, squares = _shares_by_line(preferences, some, known, product_line)
        one_hot = one_hot_csr(of_line)
        chance += drawn[some] @ (share**2 - squares)
        by_preference += drawn[some] @ ((share @ one_hot) ** 2 - squares @ one_hot)

    def met(code: np.ndarray) -> np.ndarray:
        """Pairs by code."""
        n = int(code.max()) + 1
        held = csr_matrix((np.ones(len(item)), (place, code[item])), (len(rows), n))
        return np.asarray(held.multiply(held).sum(0)).ravel() - np.bincount(code[item], minlength=n)

    seen, alike = met(product_line), met(category)
    # Of other products of a category more pairs meet than by preferences, which is the category's doing.
    lift = max((alike.sum() - seen.sum()) / max(by_preference.sum() - chance.sum(), 1.0), 1.0)
    return seen - lift * chance, np.bincount(product_line[item], minlength=len(seen)).astype(float)


def _shares_by_line(
    preferences: Preferences, shoppers: np.ndarray, known: KnownItems, product_line: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(n, P) float32 sums, by product line, of the shares of items off the shortlist of `shoppers` (n,)
    codes, and of their squares."""
    some, shop = preferences.of(shoppers), preferences
    group = np.zeros(product_line.max() + 1, dtype=np.int64)
    group[product_line] = shop.subcategory
    total = some.log_sum()
    own = (some.log_unbought - some.log_total - total[:, None]).astype(np.float32)[:, group]
    part = shop.log_within + shop.trend
    row, item = known.remembered[shoppers].nonzero()
    place, listed = np.arange(len(shoppers))[:, None], known.shortlist[shoppers]
    told = np.exp(some.log_share(row, item) - total[row])
    new, of_listed = (np.exp(some.as_if_new(r, i) - total[r]) for r, i in ((row, item), (place, listed)))
    tables = []
    for power in (1, 2):
        table = exp_sums(power * some.taste, shop.attribute, power * part, product_line) * np.exp(power * own)
        # Of what is remembered the share is greater, and what is on the shortlist is left out.
        np.add.at(table, (row, product_line[item]), told**power - new**power)
        np.subtract.at(table, (place, product_line[listed]), of_listed**power)
        tables.append(table.clip(min=0))
    return tables[0], tables[1]
