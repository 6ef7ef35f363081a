"""A block of observations for shoppers who tire of offers: how many they had lately."""

from __future__ import annotations

from torch import Tensor

from bundlegym.envs.core import BundleCore


def offers_lately(core: BundleCore) -> Tensor:
    """(N, 1) offers that planted shoppers had at their last visits, as `user_models.planted` counts them:
    the shop's own doing, which it knows."""
    return core.state["offers"][: core.n, None]
