"""What an offer may not be: below cost, or of too little margin. It is seen to while a bundle is picked."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from bundlegym.envs import BundleCore

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

    @property
    def none(self) -> bool:
        return self.below_cost and self.least_margin is None

    def legal(self, price: Tensor, cost: Tensor, here: Tensor, discounts: Tensor) -> Tensor:
        """(..., D) bool, at which discounts (D,) bundles may be offered.

        Args:
            price, cost: (..., B) of the items, at the shelf; here: (..., B) bool, which there are.
        """
        earned = (1 - discounts) * price[..., None] - cost[..., None]
        earned = torch.where(here[..., None], earned, 0.0)
        legal = torch.ones(earned[..., 0, :].shape, dtype=torch.bool, device=price.device)
        if not self.below_cost:
            legal &= (earned >= -_SLACK).all(-2)
        if self.least_margin is not None:
            legal &= earned.sum(-2) >= self.least_margin - _SLACK
        return legal

    def legal_now(self, core: BundleCore) -> Tensor:
        """(N, D) bool of the bundles so far; an empty one, which offers nothing, is legal at all."""
        week = core.market.week(core.records.day)[:, None]
        items, here = core.picks.clamp(min=0), core.picks >= 0
        price, cost = core.market.shelf_price[week, items], core.market.unit_cost[week, items]
        return self.legal(price, cost, here, core.discounts) | (core.n_picks == 0)[:, None]
