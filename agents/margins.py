"""What a visit earns: price less unit cost of everything bought."""

from __future__ import annotations

import torch
from torch import Tensor

from bundlegym.envs import Market
from bundlegym.user_models.base import Response


def week_of(market: Market, day: Tensor) -> Tensor:
    """The week of the log that a day is in, of the shape of `day`; days after its end are in the last one."""
    return (day // 7).clamp(0, len(market.shelf_price) - 1)


def unit_cost(market: Market, week: Tensor, item: Tensor) -> Tensor:
    """What a unit of each item costs the shop in a week; `week` and `item` of one shape."""
    cost = market.unit_cost
    return cost[week, item] if cost.dim() == 2 else cost[item]


def purchase_margin(market: Market, response: Response, day: Tensor) -> Tensor:
    """(P,) margin of each row an item bought, by shoppers who came on the days (N,)."""
    cost = unit_cost(market, week_of(market, day)[response.row], response.item)
    return response.quantity * (response.price - cost)


def margin_of(market: Market, response: Response, day: Tensor) -> Tensor:
    """(N,) margin of each visit, of shoppers who came on the days (N,)."""
    earned = purchase_margin(market, response, day)
    return torch.zeros(len(day), device=day.device).index_add(0, response.row, earned)
