"""Linear weights between bundles, from shoppers and parts together, in closed form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy import linalg, sparse

from bundlegym.recommenders.bundles.base import BundleRanker, with_parts
from bundlegym.recommenders.interactions import Interactions


@dataclass(eq=False)
class BundleEASE(BundleRanker):
    """Jeunen et al. (2020), Closed-Form Models for Collaborative Filtering with Side-Information (collective
    EASE): parts count as further shoppers, who bought the bundles that hold them.

    score(s) = x_s B with x_s the 0-1 vector of the bundles that s has bought. With X those of all shoppers,
    Y the bundle-part table over the roots of the degrees on both sides, n_b the shoppers of a bundle and
    P = (X'X + w Y Y' + diag(l_b))^-1, where l_b = l ((n_b + 1) / mean(n + 1))^q: B_ij = -P_ij / P_jj off the
    diagonal and 0 on it.

    Attributes:
        regularization: l.
        part_weight: w, of the parts against the shoppers.
        power: q; above 0, weights that lead to popular bundles are shrunk more.
    """

    name: ClassVar[str] = "bundle-ease"
    learned: ClassVar[tuple[str, ...]] = ("weights",)
    regularization: float = 300.0
    part_weight: float = 300.0
    power: float = 0.5

    def _learn(self, log: Interactions) -> None:
        bought, parts = log.counts.sign(), with_parts(log).parts
        degrees = (np.maximum(np.asarray(parts.sum(axis)).ravel(), 1) ** -0.5 for axis in (1, 0))
        of_bundle, of_part = (sparse.diags(degree) for degree in degrees)
        sides = of_bundle @ parts @ of_part
        gram = (bought.T @ bought + self.part_weight * (sides @ sides.T)).toarray().astype(np.float64)
        buyers = np.asarray(bought.sum(0)).ravel() + 1
        gram[np.diag_indices_from(gram)] += self.regularization * (buyers / buyers.mean()) ** self.power
        inverse = linalg.inv(gram, overwrite_a=True)
        self.weights = (inverse / -np.diag(inverse)).astype(np.float32)
        np.fill_diagonal(self.weights, 0.0)

    def _read(self, log: Interactions) -> None:
        self._bought = log.counts.sign()

    def _score(self, shoppers: np.ndarray) -> np.ndarray:
        return self._bought[shoppers] @ self.weights
