"""Purchases outside the shortlist: a Poisson process over the whole catalogue.

The share of an item never bought is a product of the shopper's part for its subcategory, the item's own and
the shopper's tastes for its attributes, so a draw is of a subcategory first, then of an item within it by the
week's prices and promotions, which is kept by these tastes. Items bought before that found no place on the
shortlist, the shopper's *memory*, count as one more subcategory of the shopper's own; there a draw is kept
with a chance that follows the week's price and promotions. Those bought off it since (`recent_trials`) are
drawn with them. Other variants may follow (`estimation.variants`).
"""

from __future__ import annotations

import torch
from torch import Tensor

from bundlegym.user_models.choice.bounds import FOLLOWERS, SLOTS, THINNING, TRIES
from bundlegym.user_models.choice.parameters import ChoiceParameters
from bundlegym.user_models.choice.reference.recent_trials import trial_weight
from bundlegym.user_models.choice.reference.substitution import still_wanted
from bundlegym.user_models.choice.reference.utility import Door, marketing_effect, pull_effect, tail_row
from bundlegym.user_models.choice.state import ChoiceState
from bundlegym.user_models.components.marketing import ONCE
from bundlegym.user_models.rng import streams
from bundlegym.user_models.rng.counter import Draws


def arrivals(rate: Tensor, draws: Draws, stream: int) -> Tensor:
    """(N, SLOTS) times, ascending, of a Poisson process of the rates (N,); those below 1 are purchases."""
    slot = torch.arange(SLOTS, device=rate.device)
    return -torch.log(draws.uniform(stream, slot)).cumsum(1) / rate[:, None].clamp(min=1e-9)


def by_category(p: ChoiceParameters) -> Tensor:
    """(G + 1,) subcategories in the order of their categories, so that sums over categories find them; what
    is remembered comes last."""
    return p.catalogue.category_of_subcategory.argsort(stable=True)


def tail_rates(p: ChoiceParameters, state: ChoiceState, door: Door, pull: Tensor) -> Tensor:
    """(N, G + 1) running sum of the tail's rates in the order of `by_category`, where what is in the basket
    has the `pull` (N, C)."""
    shopper = state.shopper
    weight = p.long_tail.tail_weight.index_select(0, shopper)
    weight.mul_(p.long_tail.tail_attraction.index_select(0, tail_row(p, shopper, door.week)))
    weight[:, :-1] *= torch.exp(door.of_new)
    lift = torch.exp(door.effect + pull_effect(pull))
    memory = torch.ones(len(lift), 1, device=lift.device)  # what is remembered is of all categories
    lift = torch.cat([lift, memory], 1)
    weight[:, -1] += trial_weight(p.trials, state.recent_trials).sum(1)
    of_subcategory = lift.index_select(1, p.catalogue.category_of_subcategory)
    return weight.mul_(of_subcategory)[:, by_category(p)].cumsum(1)


def bought_in_tail(
    p: ChoiceParameters,
    state: ChoiceState,
    door: Door,
    bought: Tensor,
    decided: Tensor,
    tail: Tensor,
    total: Tensor,
    draws: Draws,
) -> tuple[Tensor, Tensor]:
    """(P,) row and item of the purchases that `tail` (N, SLOTS) marks and of those that follow them, once
    each, but for what is on the shortlist or among the `decided` items (N, B), -1 for none, and what is not
    wanted beside what is `bought` (N, L + B) of the considered items; `total` as in `tail_items`."""
    item = tail_items(p, state, door.week, total, tail, draws)
    n_short, (row, slot) = state.last_bought.shape[1], bought.nonzero(as_tuple=True)
    short = door.items[:, :n_short].contiguous()
    place = torch.searchsorted(short, item).clamp(max=n_short - 1)
    new = (item >= 0) & (short.gather(1, place) != item)
    new &= (decided[:, None] != item[:, :, None]).all(2)
    new &= still_wanted(p, row, door.items[row, slot], item, draws)
    key = torch.unique(new.nonzero()[:, 0] * len(p.catalogue.subcategory) + item[new])
    return key // len(p.catalogue.subcategory), key % len(p.catalogue.subcategory)


def tail_items(
    p: ChoiceParameters,
    state: ChoiceState,
    week: Tensor,
    total: Tensor,
    bought: Tensor,
    draws: Draws,
) -> Tensor:
    """(N, M (1 + FOLLOWERS)) items of the purchases that `bought` (N, SLOTS) marks, for the greatest number M
    of a shopper, and of those that follow; -1 where there is none. `total` (N, G + 1) is the running sum of
    rates by group, in the order of `by_category`."""
    shopper = state.shopper
    slot = torch.arange(int(bought.sum(1).max()) if len(bought) else 0, device=total.device)
    groups = torch.searchsorted(
        total, draws.uniform(streams.TAIL_SUBCATEGORY, slot) * total[:, -1:], right=True
    )
    row, place = bought[:, : len(slot)].nonzero(as_tuple=True)
    memory = total.shape[1] - 1
    chosen, who, w = by_category(p)[groups[row, place].clamp(max=memory)], shopper[row], week[row]
    of_tail = tail_row(p, shopper, week)
    new = _by_attribute_tastes(p, who, of_tail[row], chosen.clamp(max=memory - 1), place, draws.of(row))

    luck = draws.uniform(streams.TAIL_ITEM, slot * TRIES)[row, place].double()
    known = _known_items(p, who, state.recent_trials[row], luck)
    cell, sensitivity = w * len(p.catalogue.category) + known, p.coefficients.promotion_sensitivity[ONCE]
    push = marketing_effect(p, who, cell[:, None], sensitivity)[:, 0]
    kept = draws.uniform(streams.TAIL_KEPT, slot * TRIES)[row, place] * THINNING < torch.exp(push)
    out = torch.full((len(total), len(slot)), -1, device=total.device)
    out[row, place] = torch.where(chosen < memory, new, torch.where(kept, known, -1))
    return torch.cat([out, *_followers(p, of_tail, out, draws)], 1)


def _known_items(p: ChoiceParameters, shopper: Tensor, tried: Tensor, luck: Tensor) -> Tensor:
    """(P,) items remembered, or of `recent_trials` (P, TRIALS); `luck` (P,) is float64."""
    running = trial_weight(p.trials, tried).double().cumsum(1)
    own = p.long_tail.tail_weight[shopper, -1].double()
    target = luck * (own + running[:, -1])
    of_tried = torch.searchsorted(running, (target - own)[:, None], right=True)[:, 0]
    of_tried = torch.minimum(of_tried, ((tried >= 0).sum(1) - 1).clamp(min=0))
    spot = torch.searchsorted(p.long_tail.memory_cdf, shopper + target / own.clamp(min=1e-30), right=True)
    spot = spot.clamp(max=len(p.long_tail.memory_item) - 1)
    return torch.where(
        target < own, p.long_tail.memory_item[spot], tried.gather(1, of_tried[:, None])[:, 0].long()
    )


def _by_attribute_tastes(
    p: ChoiceParameters, shopper: Tensor, row: Tensor, group: Tensor, slot: Tensor, draws: Draws
) -> Tensor:
    """(P,) items of the subcategories `group`, one for each purchase: an item drawn by its attraction in the
    `row` is kept with a chance of exp(theta . x) over the most that this can be in its subcategory (rejection
    sampling), else another one is drawn."""
    items, theta = p.long_tail.tail_cdf.shape[1], p.attribute_tastes.attribute_taste[shopper]
    most = (theta[:, None] * p.attribute_tastes.attribute_range[group]).amax(1).sum(1)
    start, end = p.long_tail.tail_start[row, group], p.long_tail.tail_start[row, group + 1]
    chosen, left = torch.zeros_like(group), torch.arange(len(group), device=group.device)
    for attempt in range(TRIES):
        number, luck = (slot[left] * TRIES + attempt)[:, None], draws.of(left)
        low, high = start[left], end[left]
        target = low + luck.uniform(streams.TAIL_ITEM, number)[:, 0].double() * (high - low)
        spot = torch.searchsorted(p.long_tail.tail_cdf.ravel(), target, right=True)
        item = p.long_tail.tail_item[(spot - row[left] * items).clamp(0, items - 1)]
        chosen[left] = item
        kept = torch.exp((theta[left] * p.attribute_tastes.attribute[item]).sum(1) - most[left])
        left = left[luck.uniform(streams.TAIL_KEPT, number)[:, 0] >= kept]
    return chosen


def _followers(p: ChoiceParameters, row: Tensor, item: Tensor, draws: Draws) -> list[Tensor]:
    """(N, M) items that follow `item` (N, M) first, second and so on; -1 where there is none."""
    slot = torch.arange(item.shape[1], device=item.device)
    product = p.variants.product_line[item.clamp(min=0)]
    start, end = p.variants.product_line_start[product], p.variants.product_line_start[product + 1]
    row = row[:, None]
    low = torch.where(start > 0, p.long_tail.tail_cdf[row, (start - 1).clamp(min=0)], row.double())
    high, chance, found = p.long_tail.tail_cdf[row, end - 1], p.variants.follow_prob[product], []
    for step in range(FOLLOWERS):
        luck = draws.uniform(streams.VARIANT, slot * FOLLOWERS + step)
        target = low + (luck / chance).double() * (high - low)
        spot = (
            torch.searchsorted(p.long_tail.tail_cdf.ravel(), target, right=True)
            - row * p.long_tail.tail_cdf.shape[1]
        )
        other = p.long_tail.tail_item[torch.minimum(torch.maximum(spot, start), end - 1)]
        item = torch.where((item >= 0) & (luck < chance), other, -1)
        found.append(item)
    return found
