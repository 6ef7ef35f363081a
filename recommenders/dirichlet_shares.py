"""Personal frequency, shrunk through the category to the shop's averages (hierarchical Dirichlet means).

p(i | s) = p(cat | s) p(i | s, cat), with p(cat | s) = (n_s,cat + a p(cat)) / (n_s + a) and
p(i | s, cat) = (n_s,i + b p(i | cat)) / (n_s,cat + b): counts of purchase lines n, weights a and b.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import sparse

from bundlegym.data import Dataset, lines_of, visit_rows

#: Half a purchase line for each item of the catalogue, so that no item is impossible.
FLOOR = 0.5


def line_counts(dataset: Dataset, weeks: tuple[int, int]) -> sparse.csr_matrix:
    """(n_shoppers, n_items) float32 purchase lines in weeks [first, past_last); rows are sorted."""
    rows = visit_rows(dataset, weeks)
    lines, place = lines_of(dataset, rows)
    shopper = dataset.visits["shopper"].to_numpy()[rows][place]
    return counted(
        shopper, dataset.purchases["item"].to_numpy()[lines], (dataset.n_shoppers, dataset.n_items)
    )


def counted(shopper: np.ndarray, item: np.ndarray, shape: tuple[int, int]) -> sparse.csr_matrix:
    """`shape` float32: how often each pair of `shopper` and `item` (P,) occurs; rows are sorted."""
    table = sparse.csr_matrix((np.ones(len(item), dtype=np.float32), (shopper, item)), shape)
    table.sum_duplicates()
    return table


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
    category_share = _category_share(category_counts, category_popularity, category_weight)
    within = (popularity / category_popularity[category]).astype(np.float32)
    of_category = category_counts[:, category], category_share[:, category]
    return _share(counts, within, *of_category, item_weight), category_share


def _category_share(counts: np.ndarray, popularity: np.ndarray, weight: float) -> np.ndarray:
    """p(cat | s) of the module's equation, of counts (n, n_categories)."""
    return (counts + weight * popularity) / (counts.sum(1, keepdims=True) + weight)


def _share(
    counts: np.ndarray, within: np.ndarray, category_counts: np.ndarray, category_share: np.ndarray,
    weight: float,
) -> np.ndarray:  # fmt: skip
    """p(i | s) of the module's equation, of any pairs of shopper and item, all of one shape."""
    share = (counts + weight * within) / (category_counts + weight)
    share *= category_share
    return share


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
        """Log p(i | s) (n, n_items) float32 and p(cat | s) (n, n_categories), of counts (n, n_items)."""
        of_category = np.empty((len(counts), self.n_categories), dtype=np.float32)
        for total, line in zip(of_category, counts, strict=True):
            total[:] = np.bincount(self.category, line, len(total))
        share, category_share = dirichlet_share(
            counts, of_category, self.popularity, self._category_popularity, self.category,
            self.category_weight, self.item_weight,
        )  # fmt: skip
        return np.log(share).astype(np.float32), category_share

    def lines_by_category(self, counts: sparse.csr_matrix) -> np.ndarray:
        """(n, n_categories) float32 lines, of counts (n, n_items)."""
        n, width = counts.shape[0], self.n_categories
        cell = np.repeat(np.arange(n), np.diff(counts.indptr)) * width + self.category[counts.indices]
        return np.bincount(cell, counts.data, n * width).astype(np.float32).reshape(n, width)

    def category_shares(self, by_category: np.ndarray) -> np.ndarray:
        """p(cat | s) (n, n_categories), of lines by category (n, n_categories)."""
        return _category_share(by_category, self._category_popularity, self.category_weight)

    def log_shares(
        self, counts: np.ndarray, row: np.ndarray, item: np.ndarray, by_category: np.ndarray
    ) -> np.ndarray:
        """Log p(i | s) float32 of pairs of a row of `by_category` (n, n_categories) and an item, with counts
        of lines float32, all of one shape: the same numbers as in `shares`."""
        category = self.category[item]
        of_category = by_category[row, category], self.category_shares(by_category)[row, category]
        share = _share(counts, self.within[item], *of_category, self.item_weight)
        return np.log(share).astype(np.float32)

    @cached_property
    def n_categories(self) -> int:
        return int(self.category.max()) + 1

    @cached_property
    def within(self) -> np.ndarray:
        """(n_items,) float32, each item's share of its category."""
        return (self.popularity / self._category_popularity[self.category]).astype(np.float32)

    @cached_property
    def _category_popularity(self) -> np.ndarray:
        """(n_categories,) float64."""
        one_hot = np.zeros((len(self.category), self.n_categories), dtype=np.float32)
        one_hot[np.arange(len(self.category)), self.category] = 1.0
        return self.popularity @ one_hot


@dataclass(frozen=True)
class PersonalFrequency:
    """Each shopper's share of purchase lines by category, and the averages that shares are shrunk toward.

    Attributes:
        averages: what the shares are shrunk toward; tells those of items, too.
        popularity: (n_items,) the shop's own shares, of the shoppers that averages come from.
        category: (n_items,) int64 category codes.
        category_share: (n_shoppers, n_categories) p(cat | s).
    """

    averages: ShopAverages
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
        known = np.repeat(shoppers, np.diff(counts.indptr))
        popularity = np.bincount(counts.indices[known], counts.data[known], dataset.n_items) + FLOOR
        popularity /= popularity.sum()
        if category is None:
            _, category = np.unique(dataset.items["category"].astype(str).to_numpy(), return_inverse=True)
        averages = ShopAverages(popularity, category.astype(np.int64), category_weight, item_weight)
        return PersonalFrequency(
            averages,
            popularity.astype(np.float32),
            averages.category,
            averages.category_shares(averages.lines_by_category(counts)).astype(np.float32),
        )


def likeliest(log_share: np.ndarray, size: int) -> np.ndarray:
    """(n, size) int64, the items of the greatest shares (n, n_items) in ascending code order; all of them
    where there are fewer."""
    size = min(size, log_share.shape[1])
    top = np.argpartition(-log_share, size - 1, axis=1)[:, :size]
    return np.sort(top, axis=1).astype(np.int64)
