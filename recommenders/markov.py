"""What tends to come at the visit after one with this item."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy import sparse

from bundlegym.recommenders.base import Recommender
from bundlegym.recommenders.interactions import Interactions


@dataclass(eq=False)
class Markov(Recommender):
    """First-order Markov chain over visits (the chain of Rendle et al. 2010, FPMC, without factors).

    p(j | i) = n(i then j) / (n(i then anything) + shrinkage), counting pairs of consecutive visits of a
    shopper. score(s, j) = sum over the items i of the shopper's last visits of decay^(visits ago) p(j | i).

    Attributes:
        recency: last visits whose items count.
        decay: what an item counts for less with each visit that follows it.
        shrinkage: visits added to the number with i, so that rare items count for less.
    """

    name: ClassVar[str] = "markov"
    learned: ClassVar[tuple[str, ...]] = ("transition",)
    recency: int = 5
    decay: float = 0.8
    shrinkage: float = 10.0

    def _learn(self, log: Interactions) -> None:
        same_shopper = log.visit_shopper[1:] == log.visit_shopper[:-1]
        before, after = log.baskets[:-1][same_shopper], log.baskets[1:][same_shopper]
        starts = np.asarray(before.sum(0)).ravel()
        self.transition = (sparse.diags(1 / (starts + self.shrinkage)) @ (before.T @ after)).tocsr()
        self.transition = self.transition.astype(np.float32)

    def _read(self, log: Interactions) -> None:
        recent = log.visits_ago < self.recency
        self._recent = log.matrix(recent * self.decay**log.visits_ago)

    def _score(self, shoppers: np.ndarray) -> np.ndarray:
        return (self._recent[shoppers] @ self.transition).toarray()
