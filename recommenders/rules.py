"""Association rules: who buys this buys that, in the same visit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy import sparse

from bundlegym.recommenders.base import Recommender
from bundlegym.recommenders.interactions import Interactions


@dataclass(eq=False)
class AssociationRules(Recommender):
    """Agrawal, Imielinski and Swami (1993), with one item on each side of a rule.

    A rule i -> j holds where at least `min_support` visits have both. score(s, j) is the sum of its
    confidence n_ij / (n_i + shrinkage) over the items i of the shopper's last visits.

    Attributes:
        min_support: visits that must hold both items.
        shrinkage: visits added to n_i, so that rules of rare items count for less.
        recency: last visits of the shopper whose items start rules.
    """

    name: ClassVar[str] = "rules"
    learned: ClassVar[tuple[str, ...]] = ("confidence",)
    min_support: int = 2
    shrinkage: float = 10.0
    recency: int = 5

    def _learn(self, log: Interactions) -> None:
        together = (log.baskets.T @ log.baskets).tocsr()
        together.setdiag(0)
        together.data[together.data < self.min_support] = 0
        together.eliminate_zeros()
        self.confidence = (sparse.diags(1 / (log.popularity + self.shrinkage)) @ together).tocsr()
        self.confidence = self.confidence.astype(np.float32)

    def _read(self, log: Interactions) -> None:
        self._recent = log.matrix(log.visits_ago < self.recency).sign()

    def _score(self, shoppers: np.ndarray) -> np.ndarray:
        return (self._recent[shoppers] @ self.confidence).toarray()
