"""What like-minded shoppers buy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from implicit.nearest_neighbours import normalize
from scipy import sparse

from bundlegym.recommenders.base import Recommender
from bundlegym.recommenders.interactions import Interactions


@dataclass(eq=False)
class UserKNN(Recommender):
    """User-based collaborative filtering (Resnick et al. 1994; Herlocker et al. 1999).

    score(s, i) = sum over the k shoppers u of greatest cosine(s, u), s not among them, of cosine(s, u) x_ui,
    with x the log(1 + visits) that hold an item. Neighbours are found when asked for, so that held-out and
    new shoppers have them too.

    Attributes:
        neighbours: k.
    """

    name: ClassVar[str] = "user-knn"
    neighbours: int = 300

    def _learn(self, log: Interactions) -> None:
        pass

    def _read(self, log: Interactions) -> None:
        self._taste = sparse.csr_matrix(normalize(log.counts.log1p()))
        self._teachers = np.flatnonzero(~log.held_out & (log.n_visits > 0))
        self._by_item = self._taste[self._teachers].T.tocsr()
        self._bought = log.counts.log1p().tocsr()[self._teachers]

    def _score(self, shoppers: np.ndarray) -> np.ndarray:
        cosine = (self._taste[shoppers] @ self._by_item).toarray()
        cosine[shoppers[:, None] == self._teachers] = 0.0
        k = min(self.neighbours, len(self._teachers))
        least = -np.partition(-cosine, k - 1, axis=1)[:, k - 1 : k]
        return (sparse.csr_matrix(np.where(cosine >= least, cosine, 0.0)) @ self._bought).toarray()
