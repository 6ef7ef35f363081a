"""Items like those that the shopper buys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from implicit.nearest_neighbours import ItemItemRecommender, bm25_weight, normalize, tfidf_weight
from scipy import sparse

from bundlegym.errors import UserError
from bundlegym.recommenders.interactions import Interactions
from bundlegym.recommenders.private import PrivateRecommender

WEIGHTINGS = {"cosine": normalize, "tfidf": tfidf_weight, "bm25": bm25_weight}


@dataclass(eq=False)
class ItemKNN(PrivateRecommender):
    """Item-based collaborative filtering (Sarwar et al. 2001; Deshpande and Karypis 2004), by `implicit`.

    score(s, i) = sum_j x_sj sim(j, i), with x the visits that hold an item and sim kept for the k items most
    like j, j among them.

    Where `epsilon` is given, sim is the cosine from a Gram matrix with noise. Pairs that such noise alone
    makes are left out: those below its standard deviation times the root of 2 log M^2 for M items (Donoho and
    Johnstone 1994). Each item is like itself, whatever the log.

    Attributes:
        neighbours: k.
        weighting: how visits are weighted before items are compared: cosine, tfidf or bm25.
        private_items: the most popular items that are compared where `epsilon` is given.

    Raises:
        UserError: the weighting is another, or not cosine where `epsilon` is given.
    """

    name: ClassVar[str] = "item-knn"
    learned: ClassVar[tuple[str, ...]] = ("similarity",)
    neighbours: int = 100
    weighting: str = "cosine"
    private_items: int = 300

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.weighting not in WEIGHTINGS:
            raise UserError(f"weighting {self.weighting!r} is none of {', '.join(WEIGHTINGS)}")
        if self.epsilon is not None and self.weighting != "cosine":
            raise UserError(f"weighting is {self.weighting!r}; must be 'cosine' where epsilon is given")

    def _learn(self, log: Interactions) -> None:
        if self.epsilon is not None:
            self.similarity = self._private_similarity(log)
            return
        weighted = sparse.csr_matrix(WEIGHTINGS[self.weighting](log.counts.T.tocoo()).T)
        model = ItemItemRecommender(K=self.neighbours, num_threads=1)
        model.fit(weighted, show_progress=False)
        self.similarity = sparse.csr_matrix(model.similarity, dtype=np.float32)

    def _private_similarity(self, log: Interactions) -> sparse.csr_matrix:
        """(n_items, n_items) float32 from what is released."""
        released = self._release_gram(log, log.counts, self.private_items)
        items, gram = released.items, released.gram.copy()
        gram[gram < released.noise * np.sqrt(4 * np.log(max(len(items), 2)))] = 0.0
        square = np.maximum(np.diag(gram), released.noise)
        cosine = np.minimum(gram / np.sqrt(square[:, None] * square), 1.0)
        np.fill_diagonal(cosine, 1.0)
        last = np.sort(cosine, axis=1)[:, -min(self.neighbours, len(items))]
        cosine[cosine < last[:, None]] = 0.0
        similarity = sparse.eye_array(log.n_items, format="lil", dtype=np.float32)
        similarity[np.ix_(items, items)] = cosine
        return sparse.csr_matrix(similarity)

    def _score(self, shoppers: np.ndarray) -> np.ndarray:
        return (self.log.counts[shoppers] @ self.similarity).toarray()
