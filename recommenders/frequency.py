"""What this shopper buys most, as a recommender."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy import sparse

from bundlegym.errors import UserError
from bundlegym.recommenders.base import Recommender
from bundlegym.recommenders.dirichlet_shares import FLOOR, dirichlet_share
from bundlegym.recommenders.interactions import Interactions


@dataclass(eq=False)
class Frequency(Recommender):
    """Share of a shopper's purchase lines, shrunk through the category to the shop's averages.

    score(s, i) = p(i | s) of `recommenders.dirichlet_shares`. Weights of 0 leave each shopper's own counts,
    ties by popularity: "personal, then global frequency" of Li et al. (2023), A Next Basket Recommendation
    Reality Check.

    Attributes:
        category_weight, item_weight: how many lines the averages are worth.

    Raises:
        UserError: a weight is negative, or only item_weight is 0.
    """

    name: ClassVar[str] = "frequency"
    category_weight: float = 60.0
    item_weight: float = 15.0

    def __post_init__(self) -> None:
        if min(self.category_weight, self.item_weight) < 0 or (self.category_weight and not self.item_weight):
            raise UserError(
                f"frequency: category_weight {self.category_weight} and item_weight {self.item_weight}; must "
                "not be negative, and item_weight must be above 0 where category_weight is"
            )

    def _learn(self, log: Interactions) -> None:
        pass

    def _read(self, log: Interactions) -> None:
        share = log.popularity.astype(np.float64) + FLOOR
        self._popularity = share / share.sum()
        self._category = log.content.attributes.get("category", np.zeros(log.n_items, dtype=np.int64))
        shape = (log.n_items, int(self._category.max()) + 1)
        one_hot = sparse.csr_matrix((np.ones(shape[0]), (np.arange(shape[0]), self._category)), shape)
        self._category_counts = (log.counts @ one_hot).tocsr()
        self._category_popularity = self._popularity @ one_hot

    def _score(self, shoppers: np.ndarray) -> np.ndarray:
        counts = self.log.counts[shoppers].toarray()
        if not self.category_weight and not self.item_weight:
            return counts
        share, _ = dirichlet_share(
            counts, self._category_counts[shoppers].toarray(), self._popularity, self._category_popularity,
            self._category, self.category_weight, self.item_weight,
        )  # fmt: skip
        return share.astype(np.float32)
