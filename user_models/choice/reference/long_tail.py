"""Purchases outside the shortlist: a Poisson process over the whole catalogue.

The share of an item never bought is a product of the shopper's part for its subcategory, the item's own and
the shopper's leaning to it, so a draw is of a subcategory first, then of an item within it by the week's
prices and promotions, which is kept as the shopper leans. Items bought before that found no place on the
shortlist, the shopper's *memory*, count as one more subcategory of the shopper's own; there a draw is kept
with a chance that follows the week's price and promotions. Those bought off it since (`tried`) are drawn with
them. Other flavours may follow (`flavours`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from bundlegym.user_models.base import State
from bundlegym.user_models.choice.estimation.item_shocks import NEAR
from bundlegym.user_models.choice.reference.recent_trials import weights
from bundlegym.user_models.choice.reference.substitution import still_wanted
from bundlegym.user_models.components.marketing import ONCE
from bundlegym.user_models.rng import streams
from bundlegym.user_models.rng.counter import Draws

if TYPE_CHECKING:
    from bundlegym.user_models.choice.reference.utility import Visit

#: At most so many purchases a visit; reached once in thousands of visits.
SLOTS = 64
#: At most so many flavours follow one purchase.
FOLLOWERS = 6
#: So many draws for a purchase may find no item as the shopper leans; the last one is taken as it is.
TRIES = 16
#: Draws from memory are so many times too frequent, and as many too few are kept; a stronger promotion is cut
# to it.
THINNING = 4.0


def tail_tables(attraction: np.ndarray, group: np.ndarray, product: np.ndarray) -> dict[str, np.ndarray]:
    """From the items' attraction (R, I), exp of utility apart from the shopper's part in rows of `tail_row`,
    their group (I,) and their product (I,), of which a group's follow each other:

    `tail_item` (I,) int64 items sorted by product; `product_start` (P + 1,) int64, where each product begins
    among them; `tail_cdf` (R, I) float64, r + the cumulative share of attraction in row r in that order;
    `tail_start` (R, G + 1) float64, where each group begins in it; `tail_attraction` (R, G + 1) float32,
    total of each group, and 1 for memory.
    """
    order = np.argsort(product, kind="stable")
    total = np.concatenate([np.zeros((len(attraction), 1)), np.cumsum(attraction[:, order], 1)], 1)
    bounds = np.searchsorted(group[order], np.arange(group.max() + 2))
    start = total[:, bounds]
    row = np.arange(len(attraction))[:, None]
    return {
        "tail_item": order.astype(np.int64),
        "product_start": np.searchsorted(product[order], np.arange(product.max() + 2)),
        "tail_cdf": row + total[:, 1:] / total[:, -1:],
        "tail_start": row + start / total[:, -1:],
        "tail_attraction": np.diff(start, axis=1, append=start[:, -1:] + 1).astype(np.float32),
    }


def tail_with(t: dict[str, Tensor], push: Tensor) -> dict[str, Tensor]:
    """The tables of `tail_tables` with `push` (W, I) added to the log of attraction."""
    cdf, total = t["tail_cdf"].numpy(), t["tail_attraction"][:, :-1].numpy().sum(1, keepdims=True)
    attraction = np.empty_like(cdf)
    share = np.diff(cdf, axis=1, prepend=np.arange(len(cdf))[:, None])
    attraction[:, t["tail_item"].numpy()] = share * total
    attraction *= np.exp(np.tile(push.numpy(), (len(cdf) // len(push), 1)))
    tables = tail_tables(attraction, t["group"].numpy(), t["product"].numpy())
    return {name: torch.from_numpy(table) for name, table in tables.items()}


def tail_row(t: dict[str, Tensor], shopper: Tensor, week: Tensor) -> Tensor:
    """(N,) the row of tables of the tail for shoppers in a week: one for each class of answers to a price."""
    return t["deal_class"][shopper] * len(t["price_push"]) + week


def memory_tables(rate: np.ndarray) -> dict[str, np.ndarray]:
    """From each shopper's rates of remembered items (S, I), 0 for others: `memory_rate` (S,) float32 their
    sum; `memory_item` (M,) int64 of all shoppers one after the other; `memory_cdf` (M,) float64, shopper +
    cumulative share; `memory_start` (S + 1,) int64 where each begins."""
    shopper, item = rate.nonzero()
    total = rate.sum(1, dtype=np.float64)
    start = np.searchsorted(shopper, np.arange(len(rate) + 1))
    running = np.cumsum(rate[shopper, item] / total[shopper])
    before = np.concatenate([[0.0], running])[start[shopper]]
    return {
        "memory_rate": total.astype(np.float32),
        "memory_item": np.append(item, 0).astype(np.int64),  # never empty
        "memory_cdf": np.append(shopper + running - before, len(rate)),
        "memory_start": start.astype(np.int64),
    }


def arrivals(rate: Tensor, draws: Draws, stream: int) -> Tensor:
    """(N, SLOTS) times, ascending, of a Poisson process of the rates (N,); those below 1 are purchases."""
    slot = torch.arange(SLOTS, device=rate.device)
    return -torch.log(draws.uniform(stream, slot)).cumsum(1) / rate[:, None].clamp(min=1e-9)


def by_category(t: dict[str, Tensor]) -> Tensor:
    """(G + 1,) subcategories in the order of their categories, so that sums over categories find them; what
    is remembered comes last."""
    return t["group_category"].argsort(stable=True)


def bought_in_tail(
    t: dict[str, Tensor],
    state: State,
    visit: Visit,
    bought: Tensor,
    decided: Tensor,
    tail: Tensor,
    total: Tensor,
    draws: Draws,
) -> tuple[Tensor, Tensor]:
    """(P,) row and item of the purchases that `tail` (N, SLOTS) marks and of those that follow them, once
    each, but for what is on the shortlist or among the `decided` items (N, B), -1 for none, and what is not
    wanted beside what is `bought` (N, L + B) of the considered items; `total` as in `tail_items`."""
    item = tail_items(t, state, visit.week, total, tail, draws)
    n_short, (row, slot) = state["last"].shape[1], bought.nonzero(as_tuple=True)
    short = visit.items[:, :n_short].contiguous()
    place = torch.searchsorted(short, item).clamp(max=n_short - 1)
    new = (item >= 0) & (short.gather(1, place) != item)
    new &= (decided[:, None] != item[:, :, None]).all(2)
    new &= still_wanted(t, row, visit.items[row, slot], item, draws)
    key = torch.unique(new.nonzero()[:, 0] * len(t["group"]) + item[new])
    return key // len(t["group"]), key % len(t["group"])


def tail_items(
    t: dict[str, Tensor],
    state: State,
    week: Tensor,
    total: Tensor,
    bought: Tensor,
    draws: Draws,
) -> Tensor:
    """(N, M (1 + FOLLOWERS)) items of the purchases that `bought` (N, SLOTS) marks, for the greatest number M
    of a shopper, and of those that follow; -1 where there is none. `total` (N, G + 1) is the running sum of
    rates by group, in the order of `by_category`."""
    shopper = state["shopper"]
    slot = torch.arange(int(bought.sum(1).max()) if len(bought) else 0, device=total.device)
    groups = torch.searchsorted(total, draws.uniform(streams.TAIL_GROUP, slot) * total[:, -1:], right=True)
    row, place = bought[:, : len(slot)].nonzero(as_tuple=True)
    memory = total.shape[1] - 1
    chosen, who, w = by_category(t)[groups[row, place].clamp(max=memory)], shopper[row], week[row]
    of_tail = tail_row(t, shopper, week)
    new = _as_they_lean(t, who, of_tail[row], chosen.clamp(max=memory - 1), place, draws.of(row))

    luck = draws.uniform(streams.TAIL_ITEM, slot * TRIES)[row, place].double()
    known = _known_items(t, who, state["tried"][row], luck)
    push = t["deal_factor"][who] * t["price_push"][w, known] + t["drift"][NEAR, w, known]
    push = push + t["coefficient_promotion_answer"][ONCE] * t["promotion_push"][w, known]
    kept = draws.uniform(streams.TAIL_KEPT, slot * TRIES)[row, place] * THINNING < torch.exp(push)
    out = torch.full((len(total), len(slot)), -1, device=total.device)
    out[row, place] = torch.where(chosen < memory, new, torch.where(kept, known, -1))
    return torch.cat([out, *_followers(t, of_tail, out, draws)], 1)


def _known_items(t: dict[str, Tensor], shopper: Tensor, tried: Tensor, luck: Tensor) -> Tensor:
    """(P,) items remembered, or of `tried` (P, TRIED); `luck` (P,) is float64."""
    running = weights(tried, t["tried_weight"], t["tried_left"]).double().cumsum(1)
    own = t["tail_weight"][shopper, -1].double()
    target = luck * (own + running[:, -1])
    of_tried = torch.searchsorted(running, (target - own)[:, None], right=True)[:, 0]
    of_tried = torch.minimum(of_tried, ((tried >= 0).sum(1) - 1).clamp(min=0))
    spot = torch.searchsorted(t["memory_cdf"], shopper + target / own.clamp(min=1e-30), right=True)
    spot = spot.clamp(max=len(t["memory_item"]) - 1)
    return torch.where(target < own, t["memory_item"][spot], tried.gather(1, of_tried[:, None])[:, 0].long())


def _as_they_lean(
    t: dict[str, Tensor], shopper: Tensor, row: Tensor, group: Tensor, slot: Tensor, draws: Draws
) -> Tensor:
    """(P,) items of the subcategories `group`, one for each purchase: an item drawn by its attraction in the
    `row` is kept with a chance of exp(theta . x) over the most that this can be in its subcategory (rejection
    sampling), else another one is drawn."""
    items, theta = t["tail_cdf"].shape[1], t["leaning"][shopper]
    most = (theta[:, None] * t["trait_range"][group]).amax(1).sum(1)
    start, end = t["tail_start"][row, group], t["tail_start"][row, group + 1]
    chosen, left = torch.zeros_like(group), torch.arange(len(group), device=group.device)
    for attempt in range(TRIES):
        number, luck = (slot[left] * TRIES + attempt)[:, None], draws.of(left)
        low, high = start[left], end[left]
        target = low + luck.uniform(streams.TAIL_ITEM, number)[:, 0].double() * (high - low)
        spot = torch.searchsorted(t["tail_cdf"].ravel(), target, right=True)
        item = t["tail_item"][(spot - row[left] * items).clamp(0, items - 1)]
        chosen[left] = item
        kept = torch.exp((theta[left] * t["trait"][item]).sum(1) - most[left])
        left = left[luck.uniform(streams.TAIL_KEPT, number)[:, 0] >= kept]
    return chosen


def _followers(t: dict[str, Tensor], row: Tensor, item: Tensor, draws: Draws) -> list[Tensor]:
    """(N, M) items that follow `item` (N, M) first, second and so on; -1 where there is none."""
    slot = torch.arange(item.shape[1], device=item.device)
    product = t["product"][item.clamp(min=0)]
    start, end = t["product_start"][product], t["product_start"][product + 1]
    row = row[:, None]
    low = torch.where(start > 0, t["tail_cdf"][row, (start - 1).clamp(min=0)], row.double())
    high, chance, found = t["tail_cdf"][row, end - 1], t["follow"][product], []
    for step in range(FOLLOWERS):
        luck = draws.uniform(streams.FLAVOUR, slot * FOLLOWERS + step)
        target = low + (luck / chance).double() * (high - low)
        spot = torch.searchsorted(t["tail_cdf"].ravel(), target, right=True) - row * t["tail_cdf"].shape[1]
        other = t["tail_item"][torch.minimum(torch.maximum(spot, start), end - 1)]
        item = torch.where((item >= 0) & (luck < chance), other, -1)
        found.append(item)
    return found
