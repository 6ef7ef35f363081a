"""What recommenders learn from all shoppers, with differential privacy where `epsilon` is given.

Such a recommender learns two tables by noisy sums over shoppers (`gaussian_mechanism`): how popular items
are, and what its class makes of a Gram matrix. All else that it has is each shopper's own purchases, which
move no other shopper's scores: what a shopper is recommended hangs on the others through the noisy tables
alone (joint differential privacy; Kearns et al. 2014). docs/privacy.md says what is covered.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy import sparse

from bundlegym.errors import UserError
from bundlegym.recommenders.base import Recommender, State
from bundlegym.recommenders.gaussian_mechanism import gram_noise, mu_of, noisy_gram, noisy_sum
from bundlegym.recommenders.interactions import Interactions

#: Share of the privacy, as mu squared, that popularity takes where a Gram matrix is learned, too.
POPULARITY_SHARE = 0.2


@dataclass(frozen=True)
class ReleasedGram:
    """Attributes (M items):

    items: (M,) int64 item codes, ascending: the most popular by the released popularity.
    gram: (M, M) float64, symmetric, with noise.
    noise: standard deviation of the noise of an entry off the diagonal.
    """

    items: np.ndarray
    gram: np.ndarray
    noise: float


@dataclass(eq=False, kw_only=True)
class PrivateRecommender(Recommender):
    """Learns from sums over shoppers, with differential privacy where asked.

    The defaults were chosen in the validation weeks of The Complete Journey.

    Attributes:
        epsilon: the privacy of a shopper with all of their purchases, or None for none.
        delta: what may go wrong beyond epsilon; below 1 over the number of shoppers.
        row_norm: the length that a shopper's row is scaled down to, where it is longer, before rows are
            added up.
        noise_seed: None draws the noise anew from the system. Whoever knows a seed that was given can take
            the noise off: it is for measurements only.

    Raises:
        UserError: one of them is out of its range.
    """

    epsilon: float | None = None
    delta: float = 1e-6
    row_norm: float = 3.0
    noise_seed: int | None = None

    def __post_init__(self) -> None:
        if self.epsilon is None:
            return
        for name in ("epsilon", "delta", "row_norm"):
            value = getattr(self, name)
            if not (isinstance(value, int | float) and math.isfinite(value) and value > 0):
                raise UserError(f"{name} is {value!r}; must be a finite number above 0")
        if self.delta >= 1:
            raise UserError(f"delta is {self.delta}; must be below 1 over the number of shoppers")

    @property
    def popularity(self) -> np.ndarray:
        """(n_items,) float32, with noise where `epsilon` is given."""
        return super().popularity if self.epsilon is None else self._released_popularity

    @property
    def by_popularity(self) -> np.ndarray:
        """(n_items,) int64 item codes, the most popular first, ties by code."""
        return super().by_popularity if self.epsilon is None else np.argsort(-self.popularity, kind="stable")

    def partial_fit(self, log: Interactions) -> Self:
        """As of every recommender.

        Raises:
            UserError: `epsilon` is given: each look at the same shoppers spends more of it.
        """
        if self.epsilon is not None:
            raise UserError(
                f"{self.name} with an epsilon learns once, since each look at the same shoppers spends more; "
                "fit another one, and add its epsilon up with this one's"
            )
        return super().partial_fit(log)

    def without_shoppers(self) -> Self:
        """The model with nobody's own purchases, to save and hand on: all of it is covered by `epsilon`.

        Raises:
            UserError: `epsilon` is None.
        """
        if self.epsilon is None:
            raise UserError(f"{self.name} was learned without epsilon, so it tells of single shoppers")
        none = np.empty(0, dtype=np.int64)
        log = Interactions.from_columns(
            none, none, none, n_shoppers=0, n_items=self.log.n_items, content=self.log.content
        )
        return self.over(log)

    def _release_popularity(self, log: Interactions) -> None:
        """Learn popularity, which takes all of the privacy."""
        self._learn_popularity(log, self._mu(log), np.random.default_rng(self.noise_seed))

    def _release_gram(self, log: Interactions, table: sparse.csr_matrix, n_items: int) -> ReleasedGram:
        """Learn popularity, and the Gram matrix of a table (n_shoppers, n_items) over the `n_items` most
        popular items, which take all of the privacy together."""
        mu, rng = self._mu(log), np.random.default_rng(self.noise_seed)
        self._learn_popularity(log, mu * math.sqrt(POPULARITY_SHARE), rng)
        items = np.sort(self.by_popularity[:n_items])
        mu *= math.sqrt(1 - POPULARITY_SHARE)
        gram = noisy_gram(table[:, items], self.row_norm, mu, rng)
        return ReleasedGram(items, gram, gram_noise(self.row_norm, mu))

    def _learn_popularity(self, log: Interactions, mu: float, rng: np.random.Generator) -> None:
        self._released_popularity = noisy_sum(log.counts, self.row_norm, mu, rng).astype(np.float32)

    def _mu(self, log: Interactions) -> float:
        assert self.epsilon is not None
        shoppers = int((log.n_visits > 0).sum())
        if self.delta * shoppers >= 1:
            raise UserError(f"delta is {self.delta}; must be below 1 over the number of shoppers, {shoppers}")
        return mu_of(self.epsilon, self.delta)

    def _state(self) -> State:
        released = {} if self.epsilon is None else {"_released_popularity": self._released_popularity}
        return super()._state() | released
