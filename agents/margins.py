"""What a visit earns: price less unit cost of everything bought."""

from __future__ import annotations

import torch
from torch import Tensor

from bundlegym.envs import Market
from bundlegym.user_models.base import Response


def purchase_margin(market: Market, response: Response, day: Tensor) -> Tensor:
    """(P,) margin of each row an item bought, by shoppers who came on the days (N,)."""
    cost = market.unit_cost[market.week(day)[response.row], response.item]
    return response.quantity * (response.price - cost)


def margin_of(market: Market, response: Response, day: Tensor) -> Tensor:
    """(N,) margin of each visit, of shoppers who came on the days (N,)."""
    earned = purchase_margin(market, response, day)
    return torch.zeros(len(day), device=day.device).index_add(0, response.row, earned)
