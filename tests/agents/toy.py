"""A planted shop of random items, with what tests want to see of it: which luck it was asked under."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from bundlegym.envs import BundleCore, EnvConfig, Market
from bundlegym.user_models import UserModel
from bundlegym.user_models.base import Appraisal, State
from bundlegym.user_models.planted import PlantedShopper
from bundlegym.user_models.rng.counter import Draws


@dataclasses.dataclass
class Toy(PlantedShopper):
    """All shoppers are of one type. `knows` is whether it appraises; `seeds` are those it was asked under."""

    units: int = 2
    knows: bool = True
    seeds: list[int] = dataclasses.field(default_factory=list)

    def _value(self, state: State, draws: Draws) -> Tensor:
        self.seeds.append(draws.seed)
        return super()._value(state, draws)

    def appraise(self, state: State, items: Tensor, draws: Draws) -> Appraisal | None:
        return super().appraise(state, items, draws) if self.knows else None


def a_toy(n_items: int = 8, seed: int = 0, **options) -> Toy:
    """Items of mixed appeal, price and slope."""
    g = torch.Generator().manual_seed(seed)
    given = {
        "utility": torch.randn(n_items, generator=g) - 2.5,
        "slope": 1.5 + torch.rand(n_items, generator=g),
        "price": 1 + 3 * torch.rand(n_items, generator=g),
        "synergy": torch.zeros(n_items, n_items),
    }
    return Toy(**{**given, **options})


def toy_market(market: Market, toy: Toy, cost: Tensor, shoppers: int = 64) -> Market:
    """A market in which all of the toy's items, and no others, are candidates."""
    n, weeks = len(toy.price), len(market.shelf_price)
    own = market.week_features.shape[2], market.item_features.shape[1]
    return dataclasses.replace(
        market,
        shortlist=torch.arange(n).repeat(shoppers, 1),
        retrieval_penalty=torch.ones(shoppers, n),
        log_share=torch.zeros(shoppers, n),
        interval=torch.ones(shoppers, n),
        bought_start=torch.zeros(shoppers + 1, dtype=torch.int64),
        bought_slot=torch.zeros(0, dtype=torch.int32),
        bought_day=torch.zeros(0, dtype=torch.int16),
        shelf_price=toy.price.repeat(weeks, 1),
        unit_cost=cost.expand(weeks, n).contiguous() if market.unit_cost.dim() == 2 else cost,
        week_features=torch.zeros(weeks, n, own[0]),
        item_features=torch.zeros(n, own[1]),
        category=torch.zeros(n, dtype=torch.int64),
        shopper_features=torch.zeros(shoppers, market.shopper_features.shape[1]),
        profile=torch.zeros(shoppers, market.profile.shape[1]),
        names=tuple(f"item {i}" for i in range(n)),
    )


def toy_core(
    market: Market,
    toy: Toy,
    cost: Tensor,
    n: int = 16,
    seed: int = 0,
    reacts: UserModel | None = None,
    **options,
) -> BundleCore:
    """A simulator of a toy's shoppers; `reacts` reacts in its place."""
    options = {"n_candidates": len(toy.price), "max_size": 3, **options}
    core = BundleCore(
        toy_market(market, toy, cost), reacts or toy, EnvConfig(**options),
        n=n, shoppers=torch.arange(64).numpy(), weeks=(0, 4), seed=seed,
    )  # fmt: skip
    core.reset()
    return core
