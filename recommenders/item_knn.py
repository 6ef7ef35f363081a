"""Items like those that the shopper buys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from implicit.nearest_neighbours import ItemItemRecommender, bm25_weight, normalize, tfidf_weight
from scipy import sparse

from bundlegym.errors import UserError
from bundlegym.recommenders.base import Recommender
from bundlegym.recommenders.interactions import Interactions

WEIGHTINGS = {"cosine": normalize, "tfidf": tfidf_weight, "bm25": bm25_weight}


@dataclass(eq=False)
class ItemKNN(Recommender):
    """Item-based collaborative filtering (Sarwar et al. 2001; Deshpande and Karypis 2004), by `implicit`.

    score(s, i) = sum_j x_sj sim(j, i), with x the visits that hold an item and sim kept for the k items most
    like j, j among them.

    Attributes:
        neighbours: k.
        weighting: how visits are weighted before items are compared: cosine, tfidf or bm25.

    Raises:
        UserError: the weighting is another.
    """

    name: ClassVar[str] = "item-knn"
    learned: ClassVar[tuple[str, ...]] = ("similarity",)
    neighbours: int = 100
    weighting: str = "cosine"

    def __post_init__(self) -> None:
        if self.weighting not in WEIGHTINGS:
            raise UserError(f"weighting {self.weighting!r} is none of {', '.join(WEIGHTINGS)}")

    def _learn(self, log: Interactions) -> None:
        weighted = sparse.csr_matrix(WEIGHTINGS[self.weighting](log.counts.T.tocoo()).T)
        model = ItemItemRecommender(K=self.neighbours, num_threads=1)
        model.fit(weighted, show_progress=False)
        self.similarity = sparse.csr_matrix(model.similarity, dtype=np.float32)

    def _score(self, shoppers: np.ndarray) -> np.ndarray:
        return (self.log.counts[shoppers] @ self.similarity).toarray()
