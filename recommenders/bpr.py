"""Matrix factorisation that ranks what was bought above what was not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from implicit.cpu.bpr import BayesianPersonalizedRanking
from scipy import sparse

from bundlegym.recommenders.base import Recommender, with_rows
from bundlegym.recommenders.interactions import Interactions


@dataclass(eq=False)
class BPR(Recommender):
    """Rendle et al. (2009), BPR: Bayesian Personalized Ranking from Implicit Feedback, by `implicit`.

    Maximises sum log sigmoid(x_si - x_sj) - l |parameters|^2 over bought i and others j, with
    x_si = u_s . v_i + b_i. implicit draws j by popularity, so that x tends to the log of how much likelier i
    is for s than for anyone; score(s, i) = x_si + log(n_i + 1/2) with n_i the visits of anyone with i. The
    factors of a held-out shopper are a linear map of the mean of v over his items, fitted by ridge regression
    to the shoppers who were learned from.

    Attributes:
        factors: length of u and v.
        learning_rate, regularization, iterations: of the descent.
        seed: of the first factors and of the draws of j.
    """

    name: ClassVar[str] = "bpr"
    learned: ClassVar[tuple[str, ...]] = ("item_factors", "known_factors", "fold_in")
    factors: int = 64
    learning_rate: float = 0.05
    regularization: float = 0.01
    iterations: int = 100
    seed: int = 0

    def _learn(self, log: Interactions) -> None:
        model = BayesianPersonalizedRanking(
            factors=self.factors, learning_rate=self.learning_rate, regularization=self.regularization,
            iterations=self.iterations, random_state=self.seed, num_threads=1,
        )  # fmt: skip
        model.fit(log.counts, show_progress=False)
        # implicit keeps the bias as a last factor, which is 1 for every shopper.
        self.item_factors, self.known_factors = model.item_factors, model.user_factors
        self.known_factors[log.n_visits == 0] = 0.0
        mean = self._mean_item(log)
        gram = mean.T @ mean + 1e-3 * np.eye(mean.shape[1], dtype=np.float32)
        self.fold_in = np.linalg.solve(gram, mean.T @ self.known_factors)

    def _mean_item(self, log: Interactions) -> np.ndarray:
        bought = log.counts.sign()
        size = np.maximum(np.diff(bought.indptr), 1).astype(np.float32)
        return sparse.diags(1 / size).astype(np.float32) @ bought @ self.item_factors

    def _read(self, log: Interactions) -> None:
        self._shopper_factors = with_rows(self.known_factors, log.n_shoppers)
        self._shopper_factors[log.held_out] = self._mean_item(log)[log.held_out] @ self.fold_in
        self._shopper_factors[log.held_out & (log.n_visits > 0), -1] = 1.0
        self._log_popularity = np.log(log.popularity + 0.5)

    def _score(self, shoppers: np.ndarray) -> np.ndarray:
        return self._shopper_factors[shoppers] @ self.item_factors.T + self._log_popularity

    @property
    def item_embeddings(self) -> np.ndarray:
        return self.item_factors

    @property
    def shopper_embeddings(self) -> np.ndarray:
        return self._shopper_factors
