"""At which level of the hierarchy items meet the same need: by subcategory, or by category.

What meets a need that has been met is seldom bought: two items of one need meet in fewer baskets than items
that have nothing to do with each other. Where this is so of the items of a category, be they of one
subcategory or of two, the category is the need, and its subcategories are but kinds of it: large and extra
large eggs. Else each subcategory is a need of its own. Liking makes more pairs meet, so it may hide that a
category is a need, and never makes one of it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bundlegym.data import Dataset, lines_of, visit_rows
from bundlegym.user_models.config import Config, Positive, Share


@dataclass(frozen=True)
class NeedsConfig(Config):
    """Hyper-parameters of `by_needs`."""

    few: Share = 0.5
    """Pairs of two items of a category that is a need, over those by chance, at most. On three logs
    such categories are at 0.35 or less and all others at 0.98 or more."""

    pairs: Positive = 10.0
    """Pairs: weight of all categories' ratio in that of each, and of chance in that of all."""


def by_needs(
    dataset: Dataset,
    weeks: tuple[int, int],
    shoppers: np.ndarray,
    progress: Callable[[str], None],
    config: NeedsConfig = NeedsConfig(),
) -> Dataset:
    """`dataset` with one subcategory in each category that is a need, by the baskets of `shoppers` (mask) in
    `weeks`; `progress` is told which these are."""
    names, category = np.unique(dataset.items["category"].astype(str), return_inverse=True)
    several = pd.Series(dataset.subcategory_code).groupby(category).nunique().to_numpy() > 1
    ratios = _pairs_over_chance(dataset, weeks, shoppers, category, config.pairs)
    need = several & (ratios < config.few).all(0)
    if several.any():
        named = ": " * bool(need.any()) + ", ".join(names[need][:5]) + ", ..." * bool(need.sum() > 5)
        progress(
            f"user model: of {several.sum()} categories with several subcategories {need.sum()} count as one "
            f"need: their items meet in less than {config.few:g} times as many baskets as by chance" + named
        )
    subcategory = np.where(need[category], "", dataset.items["subcategory"].astype(str))
    return dataclasses.replace(dataset, items=dataset.items.assign(subcategory=subcategory))


def _pairs_over_chance(
    dataset: Dataset, weeks: tuple[int, int], shoppers: np.ndarray, category: np.ndarray, prior: float
) -> np.ndarray:
    """(2, C) pairs of two items in one basket over as many as by chance, by `category` (I,): of one
    subcategory, and of two. Chance is that of pairs of two categories."""
    lines, place = lines_of(dataset, visit_rows(dataset, weeks, shoppers))
    item, kind = dataset.purchases["item"].to_numpy()[lines], dataset.subcategory_code
    share = np.bincount(item, minlength=dataset.n_items) / max(len(item), 1)

    def pairs(code: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(C,) ordered pairs of lines of one `code` (I,), and the chance of one if lines were drawn."""
        n = int(code.max()) + 1
        basket_and_code, size = np.unique(place * n + code[item], return_counts=True)
        of_code = np.zeros(n, dtype=np.int64)
        of_code[code] = category
        found = np.bincount(of_code[basket_and_code % n], size * (size - 1), category.max() + 1)
        return found, np.bincount(of_code, np.bincount(code, share) ** 2, category.max() + 1)

    real, chance = np.stack([pairs(code) for code in (np.arange(dataset.n_items), kind, category)], axis=1)
    every = np.bincount(place).astype(float)
    others = ((every * (every - 1)).sum() - real[2].sum()) / max(1 - chance[2].sum(), 1e-9)
    real, free = np.diff(real, axis=0) / 2, others * np.diff(chance, axis=0) / 2
    overall = (real.sum(1, keepdims=True) + prior) / (free.sum(1, keepdims=True) + prior)
    return np.asarray((real + prior * overall) / (free + prior))
