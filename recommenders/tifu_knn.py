"""Temporal item frequencies with user neighbourhoods (TIFU-KNN)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from bundlegym.recommenders.base import Recommender
from bundlegym.recommenders.interactions import Interactions


@dataclass(eq=False)
class TIFUKNN(Recommender):
    """Hu, He, Gao and Zhang (2020), Modeling Personalized Item Frequency Information for Next-Basket
    Recommendation.

    A shopper's visits fall into m groups of equal length. The vector of a group is the mean of its visits'
    0-1 vectors, each times r_b to the power of the visits that follow in the group; the shopper's vector v is
    the mean of the groups', each times r_g to the power of the groups that follow. Then
    score(s) = alpha v_s + (1 - alpha) mean of v over the k shoppers nearest to s (Euclidean).

    Attributes:
        neighbours: k.
        within_decay, group_decay: r_b and r_g, in 0..1.
        own_weight: alpha, in 0..1.
        groups: m.
    """

    name: ClassVar[str] = "tifu-knn"
    neighbours: int = 300
    within_decay: float = 0.9
    group_decay: float = 0.7
    own_weight: float = 0.7
    groups: int = 7

    def _learn(self, log: Interactions) -> None:
        pass

    def _read(self, log: Interactions) -> None:
        n = log.n_visits[log.shopper]
        n_groups = np.minimum(self.groups, n)
        groups_follow = log.visits_ago * n_groups // n
        first, end = (-(-g * n // n_groups) for g in (groups_follow, groups_follow + 1))
        visits_follow = log.visits_ago - first
        decay = self.within_decay**visits_follow * self.group_decay**groups_follow
        self._vectors = log.matrix(decay / (end - first) / n_groups)
        self._teachers = np.flatnonzero(~log.held_out & (log.n_visits > 0))
        self._taught = self._vectors[self._teachers]
        self._by_item = self._taught.T.tocsr()
        self._norm = np.asarray(self._taught.multiply(self._taught).sum(1)).ravel()

    def _score(self, shoppers: np.ndarray) -> np.ndarray:
        own = self._vectors[shoppers]
        # The asker's own norm is the same for all teachers and does not change who is near.
        distance = self._norm - 2 * (own @ self._by_item).toarray()
        distance[shoppers[:, None] == self._teachers] = np.inf
        k = min(self.neighbours, len(self._teachers) - 1)
        near = np.argpartition(distance, k - 1, axis=1)[:, :k]
        scores = self.own_weight * own.toarray()
        for row, teachers in zip(scores, near, strict=True):
            row += (1 - self.own_weight) * np.asarray(self._taught[teachers].mean(0), np.float32).ravel()
        return scores
