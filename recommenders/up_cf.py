"""Recency-aware, user-wise popularity carried over to like-minded shoppers (UP-CF@r)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy import sparse

from bundlegym.recommenders.base import Recommender
from bundlegym.recommenders.interactions import Interactions


@dataclass(eq=False)
class UPCF(Recommender):
    """Faggioli, Polato and Aiolli (2020), Recency Aware Collaborative Filtering for Next Basket
    Recommendation.

    score(s, i) = sum_u w(s, u)^q pi_r(u, i), over all shoppers u, s among them; pi_r(u, i) is the share of
    the last r visits of u that hold i, and w(s, u) = |S n U| / (|S|^a |U|^(1 - a)) the asymmetric cosine of
    the sets of items that both have bought.

    Attributes:
        recency: r, the visits that count.
        locality: q; the greater, the nearer shoppers must be to count.
        asymmetry: a, in 0..1.
    """

    name: ClassVar[str] = "up-cf"
    recency: int = 10
    locality: float = 5.0
    asymmetry: float = 0.25

    def _learn(self, log: Interactions) -> None:
        pass

    def _read(self, log: Interactions) -> None:
        self._seen = log.counts.sign()
        self._size = np.maximum(np.diff(self._seen.indptr), 1).astype(np.float32)
        recent = log.visits_ago < self.recency
        visits = np.minimum(log.n_visits, self.recency)[log.shopper]
        self._recent_share = log.matrix(recent / visits)
        self._teachers = np.flatnonzero(~log.held_out & (log.n_visits > 0))
        self._by_item = self._seen[self._teachers].T.tocsr()
        self._taught = self._recent_share[self._teachers]
        self._teacher_size = self._size[self._teachers] ** (1 - self.asymmetry)

    def _score(self, shoppers: np.ndarray) -> np.ndarray:
        weight = (self._seen[shoppers] @ self._by_item).tocoo()
        cosine = weight.data / (
            self._size[shoppers][weight.row] ** self.asymmetry * self._teacher_size[weight.col]
        )
        weight = sparse.csr_matrix((cosine**self.locality, (weight.row, weight.col)), weight.shape)
        scores = (weight @ self._taught).toarray()
        # A held-out shopper is no teacher, but knows his own tastes: w(s, s) = |S|^0 = 1.
        alone = np.flatnonzero(self.log.held_out[shoppers])
        scores[alone] += self._recent_share[shoppers[alone]].toarray()
        return scores
