"""What an offer does at a visit of a `ChoiceShopper`.

A purchase of an item at a visit is the first arrival of a Poisson process, at time T = need / rate, that is
made where T < 1; the utility that an item lacks to be bought is log T. An item of the shortlist that is not
bought has its T > 1; of others it is known that none came before 1, so the next one comes at 1 + need / rate
(a Poisson process has no memory). Where a substitute was bought first, at t, an item would have had to come
before t + (1 - t) exp(g), see `substitution`.

So a shopper first decides as without an offer. Being offered by itself brings an item forward by its exposure
(`exposure`), so that it may be bought at the shelf price. The bundle is then taken whole, or not, by
`bundling`, and in it come its items that lack something, one unit each. What the offer has added pulls and
pushes the rest of the basket, which is decided again; where it has added nothing, nothing else changes.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from bundlegym.user_models.base import Offer
from bundlegym.user_models.bundling import takes_whole
from bundlegym.user_models.choice.parameters import ChoiceParameters
from bundlegym.user_models.choice.reference.utility import Door, pull_effect
from bundlegym.user_models.rng import streams
from bundlegym.user_models.rng.counter import Draws


@dataclass(frozen=True)
class Basket:
    """What N shoppers buy at a visit: `bought` (N, M) of the considered items, and `row`, `item` (P,) of all
    others; `value` (N, M) log of 1 / T, what is bought pulling and pushing, `pull` (N, C) by category."""

    bought: Tensor
    row: Tensor
    item: Tensor
    value: Tensor
    pull: Tensor


def wanted_in(basket: Basket, door: Door, offered: Tensor) -> Tensor:
    """(N, B) bool: which of the `offered` items (N, B), -1 for none, are in a basket."""
    slot = door.offered.clamp(min=0)
    short = basket.bought.gather(1, slot) & (slot < basket.bought.shape[1] - offered.shape[1])
    others = torch.zeros_like(short)
    hit = offered[basket.row] == basket.item[:, None]
    others.index_put_((basket.row,), hit, accumulate=True)
    return (offered >= 0) & (short | others)


def leaves_habit(p: ChoiceParameters, items: Tensor, draws: Draws) -> Tensor:
    """(N, M) bool: whether `items` (N, M) first tried in a bundle are remembered."""
    return draws.uniform(streams.HABIT, items) < p.state_dependence.habit_prob


def appraise(p: ChoiceParameters, door: Door, basket: Basket, offered: Tensor) -> tuple[Tensor, Tensor]:
    """(N, B) bool, which of the `offered` items (N, B) are bought without an offer; (N, B) the utility that
    each of the others lacks, at most 0."""
    slot = door.offered.clamp(min=0)
    n_short, wanted = basket.bought.shape[1] - offered.shape[1], wanted_in(basket, door, offered)
    item = offered.clamp(min=0)
    group, line = p.catalogue.subcategory[item], p.variants.product_line[item]
    time = torch.exp(-basket.value).clamp(max=1.0).masked_fill(~basket.bought, torch.inf)
    rival = p.catalogue.subcategory[door.items][:, None] == group[:, :, None]
    # As the rest of the basket is decided: beside what came first; off the shortlist, beside any variant.
    first = torch.where(rival, time[:, None], torch.inf).min(2)
    firsts = p.variants.product_line[door.items.gather(1, first.indices)]
    beside = torch.isfinite(first.values)
    variant = (p.variants.product_line[door.items][:, None] == line[:, :, None]) & basket.bought[:, None]
    g = p.substitution.substitution[group]
    limit = first.values + (1 - first.values) * torch.exp(g)
    limit = torch.where(beside & (firsts != line), limit, 1.0)
    short = basket.value.gather(1, slot) + torch.log(limit)
    pull = pull_effect(basket.pull.gather(1, p.catalogue.category[item]))
    rare = door.log_rate.gather(1, slot) + torch.where(door.remembered, 0.0, pull)
    rare = rare + torch.where(beside & ~variant.any(2), g, 0.0)
    need = torch.exp(-door.noise.gather(1, slot))
    rare = -torch.log1p(need * torch.exp(-rare))
    value = torch.where(slot < n_short, short, rare).clamp(max=0.0)
    return wanted, torch.where((offered >= 0) & ~wanted, value, 0.0)


def beside_each_other(p: ChoiceParameters, offered: Tensor, wanted: Tensor, value: Tensor) -> Tensor:
    """(N, B) the utility that each offered item lacks beside the others of the bundle that are new too: half
    of the synergy with each of them, and, where the best of its subcategory is a substitute, at t, only what
    comes after t by exp(-g) times as long. All (N, B)."""
    missing, item = (offered >= 0) & ~wanted, offered.clamp(min=0)
    both = missing[:, None] & missing[:, :, None]
    both = both & ~torch.eye(offered.shape[1], dtype=torch.bool, device=offered.device)
    category, group = p.catalogue.category[item], p.catalogue.subcategory[item]
    line = p.variants.product_line[item]
    pull = (p.complementarity.synergy[category[:, None], category[:, :, None]] * both).sum(2) / 2
    rival = (group[:, None] == group[:, :, None]) & (both | torch.eye(offered.shape[1], dtype=torch.bool))
    best = torch.where(rival, value[:, None], -torch.inf).max(2)
    first, mine = torch.exp(-best.values), torch.exp(-value)
    late = -torch.log(first + (mine - first) * torch.exp(-p.substitution.substitution[group]))
    substitute = line != line.gather(1, best.indices)
    found = torch.where(substitute, late, value) + pull
    return torch.where(missing, found.clamp(max=0.0), value)


def answered(
    p: ChoiceParameters,
    offer: Offer,
    price: Tensor,
    slope: Tensor,
    wanted: Tensor,
    lacking: Tensor,
    effect: Tensor,
    bundle_pull: float,
) -> tuple[Tensor, Tensor]:
    """What N shoppers do with an offer: (N, B) bool, which items being offered brings by itself, bought at
    the shelf price; (N,) bool, whether the bundle is taken whole.

    Args:
        price, slope: (N, B), as in `bundling.takes_whole`, as is `bundle_pull`.
        wanted, lacking: (N, B), as `appraise` gives them.
        effect: (N, B) utility that being offered adds by itself.
    """
    here = offer.items >= 0
    exposed = here & ~wanted & (effect > 0) & (lacking + effect >= 0)
    anyway = wanted | exposed
    beside = beside_each_other(p, offer.items, anyway, (lacking + effect).clamp(max=0.0))
    return exposed, takes_whole(beside, anyway, price, slope, here, offer.discount, bundle_pull)


def pairs(p: ChoiceParameters, items: Tensor, value: Tensor) -> Tensor:
    """(N, M, M) what having the second of `items` (N, M) adds to the `value` (N, M) that the first has by
    itself, as in `beside_each_other`: half of their synergy, and what a better substitute leaves."""
    category, group = p.catalogue.category[items], p.catalogue.subcategory[items]
    line = p.variants.product_line[items]
    substitute = (group[:, None] == group[:, :, None]) & (line[:, None] != line[:, :, None])
    less = substitute & (value[:, None] > value[:, :, None])
    pair = p.complementarity.synergy[category[:, None], category[:, :, None]] / 2
    pair = (pair + torch.where(less, p.substitution.substitution[group][:, :, None], 0.0)).clone()
    pair.diagonal(dim1=1, dim2=2).zero_()
    return pair
