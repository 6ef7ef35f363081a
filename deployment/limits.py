"""What an offer may not be: below cost, or of too little margin. It is seen to while a bundle is picked."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

#: A discount of so little of a cent's fraction is rounding.
_SLACK = 1e-6


@dataclass(frozen=True)
class Limits:
    """Of each offer; money in the log's currency.

    Attributes:
        below_cost: whether items may be sold below what they cost.
        least_margin: that an offer earns if it is taken whole.
    """

    below_cost: bool = False
    least_margin: float | None = None

    def legal(
        self, items: np.ndarray, price: np.ndarray, cost: np.ndarray, discounts: np.ndarray
    ) -> np.ndarray:
        """(N, D) bool, at which discounts (D,) bundles `items` (N, B), -1 where they are smaller, may be
        offered; an empty one, which offers nothing, may be. `price` and `cost` are (I,) at the shelf."""
        here = (items >= 0)[:, :, None]
        paid = price[items].astype(np.float64)[:, :, None] * (1 - discounts)
        earned = np.where(here, paid - cost[items].astype(np.float64)[:, :, None], 0.0)
        legal = np.ones((len(items), len(discounts)), dtype=bool)
        if not self.below_cost:
            legal &= (earned >= -_SLACK).all(1)
        if self.least_margin is not None:
            legal &= earned.sum(1) >= self.least_margin - _SLACK
        return legal | ~here.any(1)

    def never(self, price: np.ndarray, cost: np.ndarray) -> np.ndarray:
        """(I,) bool, items that are legal at no discount, since they sell below cost as it is."""
        return np.zeros(len(price), dtype=bool) if self.below_cost else price < cost
