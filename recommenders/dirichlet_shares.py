"""Personal frequency, shrunk through the category to the shop's averages (hierarchical Dirichlet means).

p(i | s) = p(cat | s) p(i | s, cat), with p(cat | s) = (n_s,cat + a p(cat)) / (n_s + a) and
p(i | s, cat) = (n_s,i + b p(i | cat)) / (n_s,cat + b): counts of purchase lines n, weights a and b.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bundlegym.data import Dataset

#: Half a purchase line for each item of the catalogue, so that no item is impossible.
FLOOR = 0.5


def line_counts(dataset: Dataset, weeks: tuple[int, int]) -> np.ndarray:
    """(n_shoppers, n_items) float32 purchase lines in weeks [first, past_last)."""
    visits = dataset.visits
    keep = visits["week"].between(weeks[0], weeks[1] - 1).to_numpy()
    line_visit = dataset.purchases["visit"].to_numpy()
    line = keep[line_visit]
    shopper = visits["shopper"].to_numpy()[line_visit[line]]
    flat = shopper.astype(np.int64) * dataset.n_items + dataset.purchases["item"].to_numpy()[line]
    counts = np.bincount(flat, minlength=dataset.n_shoppers * dataset.n_items)
    return counts.astype(np.float32).reshape(dataset.n_shoppers, dataset.n_items)


def dirichlet_share(
    counts: np.ndarray,
    category_counts: np.ndarray,
    popularity: np.ndarray,
    category_popularity: np.ndarray,
    category: np.ndarray,
    category_weight: float,
    item_weight: float,
) -> tuple[np.ndarray, np.ndarray]:
    """p(i | s) (n, n_items) and p(cat | s) (n, n_categories) of the module's equation.

    `counts` is (n, n_items) and `category_counts` (n, n_categories); `popularity` (n_items,) and
    `category_popularity` (n_categories,) are the shop's own shares, `category` (n_items,) its codes.
    """
    lines = counts.sum(1, keepdims=True)
    category_share = (category_counts + category_weight * category_popularity) / (lines + category_weight)
    within = (popularity / category_popularity[category]).astype(np.float32)
    share = (counts + item_weight * within) / (category_counts[:, category] + item_weight)
    share *= category_share[:, category]
    return share, category_share


@dataclass(frozen=True)
class ShopAverages:
    """What shares are shrunk toward, so that they can be told of any counts of lines.

    Attributes:
        popularity: (n_items,) float64, the shop's own shares.
        category: (n_items,) int64 category codes.
        category_weight, item_weight: how many lines the averages are worth.
    """

    popularity: np.ndarray
    category: np.ndarray
    category_weight: float = 60.0
    item_weight: float = 15.0

    def shares(self, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """log p(i | s) (n, n_items) float32 and p(cat | s) (n, n_categories), of counts (n, n_items)."""
        of_category = np.empty((len(counts), len(self._category_popularity)), dtype=np.float32)
        for total, line in zip(of_category, counts, strict=True):
            total[:] = np.bincount(self.category, line, len(total))
        share, category_share = dirichlet_share(
            counts, of_category, self.popularity, self._category_popularity, self.category,
            self.category_weight, self.item_weight,
        )  # fmt: skip
        return np.log(share).astype(np.float32), category_share

    @cached_property
    def _category_popularity(self) -> np.ndarray:
        """(n_categories,) float64."""
        one_hot = np.zeros((len(self.category), self.category.max() + 1), dtype=np.float32)
        one_hot[np.arange(len(self.category)), self.category] = 1.0
        return self.popularity @ one_hot


@dataclass(frozen=True)
class PersonalFrequency:
    """Each shopper's share of purchase lines by item.

    Attributes:
        averages: what the shares are shrunk toward.
        counts: (n_shoppers, n_items) purchase lines in the weeks it was fitted on.
        log_share: (n_shoppers, n_items) float32, log p(i | s).
        popularity: (n_items,) the shop's own shares, of the shoppers that averages come from.
        category: (n_items,) int64 category codes.
        category_share: (n_shoppers, n_categories) p(cat | s).
    """

    averages: ShopAverages
    counts: np.ndarray
    log_share: np.ndarray
    popularity: np.ndarray
    category: np.ndarray
    category_share: np.ndarray

    @staticmethod
    def fit(
        dataset: Dataset,
        weeks: tuple[int, int],
        category_weight: float = 60.0,
        item_weight: float = 15.0,
        shoppers: np.ndarray | None = None,
        category: np.ndarray | None = None,
    ) -> PersonalFrequency:
        """Count in `weeks`. Averages come from `shoppers` (mask (n_shoppers,), by default those who are not
        held out); any other shopper's shares add that shopper's own lines only. `category` (n_items,) holds
        codes, by default of the catalogue's categories."""
        counts = line_counts(dataset, weeks)
        shoppers = ~dataset.split.held_out if shoppers is None else shoppers
        popularity = counts[shoppers].sum(0, dtype=np.float64) + FLOOR
        popularity /= popularity.sum()
        if category is None:
            _, category = np.unique(dataset.items["category"].astype(str).to_numpy(), return_inverse=True)
        averages = ShopAverages(popularity, category.astype(np.int64), category_weight, item_weight)
        log_share, category_share = averages.shares(counts)
        return PersonalFrequency(
            averages,
            counts,
            log_share,
            popularity.astype(np.float32),
            averages.category,
            category_share.astype(np.float32),
        )

    def shortlist(self, size: int) -> np.ndarray:
        """(n_shoppers, size) int64, each shopper's most likely items in ascending code order."""
        return likeliest(self.log_share, size)


def likeliest(log_share: np.ndarray, size: int) -> np.ndarray:
    """(n, size) int64, the items of the greatest shares (n, n_items) in ascending code order; all of them
    where there are fewer."""
    size = min(size, log_share.shape[1])
    top = np.argpartition(-log_share, size - 1, axis=1)[:, :size]
    return np.sort(top, axis=1).astype(np.int64)
