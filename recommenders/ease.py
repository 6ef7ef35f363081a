"""Linear item-to-item weights in closed form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy import linalg

from bundlegym.recommenders.interactions import Interactions
from bundlegym.recommenders.private import PrivateRecommender


@dataclass(eq=False)
class EASE(PrivateRecommender):
    """Steck (2019), Embarrassingly Shallow Autoencoders for Sparse Data.

    score(s) = x_s B with x_s the 0-1 vector of the items that s has bought; with P = (X'X + l I)^-1,
    B_ij = -P_ij / P_jj off the diagonal and 0 on it.

    Where `epsilon` is given, X'X has noise. Its negative eigenvalues, which are noise alone, become 0, and l
    is greater by the greatest eigenvalue that such noise has (Wigner 1958).

    Attributes:
        regularization: l.
        max_items: the most popular items that get weights, since cost grows with their number cubed;
            others score 0.
        private_items: as many instead where `epsilon` is given, since noise grows with their number.
    """

    name: ClassVar[str] = "ease"
    learned: ClassVar[tuple[str, ...]] = ("items", "weights")
    regularization: float = 300.0
    max_items: int = 8000
    private_items: int = 300

    def _learn(self, log: Interactions) -> None:
        gram = self._gram(log) if self.epsilon is None else self._private_gram(log)
        inverse = linalg.inv(gram, overwrite_a=True)
        # Row by row in memory, or each product with a sparse row would copy the whole matrix first.
        self.weights = np.ascontiguousarray(inverse / -np.diag(inverse))
        np.fill_diagonal(self.weights, 0.0)

    def _gram(self, log: Interactions) -> np.ndarray:
        """X'X + l I of `items`, which are found here."""
        self.items = np.sort(log.by_popularity[: self.max_items])
        bought = log.counts.sign()[:, self.items]
        gram = (bought.T @ bought).toarray()
        gram[np.diag_indices_from(gram)] += self.regularization
        return gram

    def _private_gram(self, log: Interactions) -> np.ndarray:
        """As `_gram`, with noise."""
        released = self._release_gram(log, log.counts.sign(), self.private_items)
        self.items = released.items
        values, vectors = linalg.eigh(released.gram)
        least = self.regularization + 2 * released.noise * np.sqrt(len(released.items))
        return (vectors * (np.maximum(values, 0) + least)) @ vectors.T

    def _read(self, log: Interactions) -> None:
        self._bought = log.counts.sign()[:, self.items]

    def _score(self, shoppers: np.ndarray) -> np.ndarray:
        scores = np.zeros((len(shoppers), self.log.n_items), dtype=np.float32)
        scores[:, self.items] = self._bought[shoppers] @ self.weights
        return scores
