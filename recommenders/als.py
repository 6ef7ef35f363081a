"""Matrix factorisation of implicit feedback by alternating least squares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from implicit.cpu.als import AlternatingLeastSquares
from threadpoolctl import threadpool_limits

from bundlegym.recommenders.base import Recommender, with_rows
from bundlegym.recommenders.interactions import Interactions


@dataclass(eq=False)
class ALS(Recommender):
    """Hu, Koren and Volinsky (2008), Collaborative Filtering for Implicit Feedback Datasets, by `implicit`.

    Least squares of preference p (1 where bought, else 0) with confidence 1 + alpha visits:
    min sum_si (1 + alpha n_si) (p_si - u_s . v_i)^2 + l (|u|^2 + |v|^2); score(s, i) = u_s . v_i. The
    factors of a held-out shopper are the solution for him given the items' factors.

    Attributes:
        factors: length of u and v.
        regularization: l.
        alpha: confidence that a visit adds.
        iterations: of solving for u and v in turns.
        seed: of the first factors.
    """

    name: ClassVar[str] = "als"
    learned: ClassVar[tuple[str, ...]] = ("item_factors", "known_factors")
    factors: int = 64
    regularization: float = 1.0
    alpha: float = 1.0
    iterations: int = 15
    seed: int = 0

    def _solver(self) -> AlternatingLeastSquares:
        return AlternatingLeastSquares(
            factors=self.factors, regularization=self.regularization, alpha=self.alpha,
            iterations=self.iterations, random_state=self.seed, num_threads=1,
        )  # fmt: skip

    def _learn(self, log: Interactions) -> None:
        with threadpool_limits(1, "blas"):
            solver = self._solver()
            solver.fit(log.counts, show_progress=False)
        self.item_factors, self.known_factors = solver.item_factors, solver.user_factors

    def _read(self, log: Interactions) -> None:
        self._shopper_factors = with_rows(self.known_factors, log.n_shoppers)
        solver = self._solver()
        solver.item_factors = self.item_factors
        held_out = np.flatnonzero(log.held_out)
        if len(held_out):
            self._shopper_factors[held_out] = solver.recalculate_user(held_out, log.counts[held_out])
        self._shopper_factors[log.n_visits == 0] = 0.0

    def _score(self, shoppers: np.ndarray) -> np.ndarray:
        return self._shopper_factors[shoppers] @ self.item_factors.T

    @property
    def item_embeddings(self) -> np.ndarray:
        return self.item_factors

    @property
    def shopper_embeddings(self) -> np.ndarray:
        return self._shopper_factors
