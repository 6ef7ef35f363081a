"""A block of observations for shoppers who tire of offers: how many they had lately."""

from __future__ import annotations

from torch import Tensor

from bundlegym.envs.core import BundleCore
from bundlegym.errors import UserError


def offers_lately(core: BundleCore) -> Tensor:
    """(N, 1) offers that planted shoppers had at their last visits, as `user_models.planted` counts them:
    the shop's own doing, which it knows.

    Raises:
        UserError: the user model that reacts does not count offers.
    """
    if "offers" not in core.state:
        name = type(core.user_model).__name__
        raise UserError(f"observation offers_lately: {name} does not count offers; leave the block out")
    return core.state["offers"][: core.n, None]
