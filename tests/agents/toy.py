"""A shop of a few items whose shoppers decide on each by itself, so that brute force knows every answer.

Item i is bought at the shelf price when utility + Gumbel noise > 0. Offers go by `bundling`; what an offer
brings into the basket pulls the other items by `synergy`. Each visit is a week after the one before.
"""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from bundlegym.envs import BundleCore, EnvConfig, Market
from bundlegym.user_models import UserModel
from bundlegym.user_models.base import CHERRY_PICK, IGNORE, TAKE, Appraisal, Offer, Response, State
from bundlegym.user_models.bundling import takes_whole
from bundlegym.user_models.rng.counter import Draws

_NOISE = 0


@dataclasses.dataclass
class Toy(UserModel):
    """utility, slope, price: (I,). synergy: (I, I). `knows` is whether it appraises."""

    utility: Tensor
    slope: Tensor
    price: Tensor
    synergy: Tensor
    exposure: float = 0.0
    units: int = 2
    knows: bool = True
    device: torch.device = dataclasses.field(default_factory=lambda: torch.device("cpu"))
    seeds: list[int] = dataclasses.field(default_factory=list)

    def reset(self, shopper: Tensor, day: Tensor) -> State:
        return {"shopper": shopper, "day": day}

    def _value(self, draws: Draws) -> Tensor:
        """(N, I) utility above the shelf price."""
        self.seeds.append(draws.seed)
        return self.utility + draws.gumbel(_NOISE, torch.arange(len(self.utility)))

    def appraise(self, state: State, items: Tensor, draws: Draws) -> Appraisal | None:
        if not self.knows:
            return None
        value = self._value(draws).gather(1, items)
        wanted = value > 0
        pair = self.synergy[items[:, :, None], items[:, None, :]]
        return Appraisal(
            wanted=wanted,
            quantity=wanted * self.units,
            value=value.clamp(max=0.0),
            slope=self.slope[items],
            exposure=torch.full_like(value, self.exposure),
            pair=pair,
        )

    def respond(self, state: State, offer: Offer, draws: Draws) -> tuple[Response, State]:
        value = self._value(draws)
        wanted, n = value > 0, len(value)
        here, slot = offer.items >= 0, offer.items.clamp(min=0)
        offered = torch.zeros_like(value).scatter_add_(1, slot, here.float()) > 0
        shown = offered & (self.exposure > 0) & (value + self.exposure >= 0)
        anyway = (wanted | shown).gather(1, slot)
        pull = self.synergy[slot[:, :, None], slot[:, None, :]] * (here & ~anyway)[:, None, :]
        within = value.gather(1, slot) + self.exposure + pull.sum(2)
        whole = takes_whole(
            within, anyway, self.price[slot], self.slope[slot].expand_as(within), here, offer.discount
        )
        taken = offered & whole[:, None]
        new = (shown | taken) & ~wanted
        pulled = value + new.float() @ self.synergy.T > 0
        bought = wanted | shown | taken | pulled
        row, item = bought.nonzero(as_tuple=True)
        units = torch.where(wanted[row, item], self.units, 1)
        price = self.price[item] * (1 - offer.discount[row] * taken[row, item] / units)
        picked = (bought & offered).any(1)
        choice = torch.where(whole, TAKE, torch.where(picked, CHERRY_PICK, IGNORE))
        days = torch.full((n,), 7)
        response = Response(choice, row, item, units, price, days, torch.zeros(n, dtype=torch.bool))
        return response, {"shopper": state["shopper"], "day": state["day"] + 7}


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
        last=torch.full((weeks, shoppers, n), -1, dtype=torch.int16),
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
