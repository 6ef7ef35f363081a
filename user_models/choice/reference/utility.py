"""What each item is worth to a `ChoiceShopper` at a visit: log rates of purchase.

log rate = trip size + preference + time since last bought + price, display, mailer and coupons + trip effects
+ size constants.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from bundlegym.user_models.base import Offer
from bundlegym.user_models.choice.bounds import MOST_PULL, THINNING
from bundlegym.user_models.choice.parameters import ChoiceParameters
from bundlegym.user_models.choice.reference.recent_trials import by_item_of, of_item
from bundlegym.user_models.choice.state import ChoiceState
from bundlegym.user_models.components.basket_size import LOG_GRID, gap_factor, gap_of, trip_class
from bundlegym.user_models.components.coupons import coupon_utility
from bundlegym.user_models.components.marketing import (
    NEW,
    ONCE,
    recency_bins,
    subcategory_recency_bins,
)
from bundlegym.user_models.components.trip_effects import mission_effect
from bundlegym.user_models.numeric.group_sums import exp_sums
from bundlegym.user_models.numeric.ragged import expand_ranges
from bundlegym.user_models.rng import streams
from bundlegym.user_models.rng.counter import Draws, normal


@dataclass(frozen=True)
class Door:
    """Where N shoppers stand at one visit; the items considered are the shortlist's L and the offer's B.

    items, log_rate: (N, L + B), log rates of -inf where an offered item is on the shortlist already; noise
    (N, L + B) Gumbel; sensitivity (N, L + B) to promotions, by how familiar the item is; offered (N, B) the
    place of each offered item among the considered, -1 for none; remembered (N, B) bool, bought before though
    not on the shortlist; week (N,); cell (N, L + B) the place of item and week in a table by both, laid flat;
    effect (N, C) of the trip by category; of_new (N, G) on what is new of each subcategory; size (N,) log of
    the trip's rate; grid (N,) its place in `GRID`; trip (N,) its class, as planned.
    """

    items: Tensor
    log_rate: Tensor
    noise: Tensor
    sensitivity: Tensor
    offered: Tensor
    remembered: Tensor
    week: Tensor
    cell: Tensor
    effect: Tensor
    of_new: Tensor
    size: Tensor
    grid: Tensor
    trip: Tensor


def week_of(p: ChoiceParameters, day: Tensor) -> Tensor:
    """(N,) week of days (N,), the log's last one for later days."""
    return (day // 7).clamp(0, len(p.prices.shelf_price) - 1)


def tail_row(p: ChoiceParameters, shopper: Tensor, week: Tensor) -> Tensor:
    """(N,) the row of tables of the tail for shoppers in a week: one for each class of answers to a price."""
    return p.marketing.sensitivity_class[shopper] * len(p.marketing.price_effect) + week


def door(p: ChoiceParameters, state: ChoiceState, offer: Offer, draws: Draws) -> Door:
    """Where N shoppers stand at the door, with an offer and luck, before anything is decided."""
    shopper = state.shopper
    week, short = week_of(p, state.day), p.shortlists.shortlist[shopper]
    # Offered items that are not on the shortlist join it for this visit.
    extra = offer.items.clamp(min=0)
    place = torch.searchsorted(short, extra).clamp(max=short.shape[1] - 1)
    unknown = (offer.items >= 0) & (short.gather(1, place) != extra)
    items = torch.cat([short, extra], 1)
    offered = torch.where(
        unknown, short.shape[1] + torch.arange(extra.shape[1], device=shopper.device), place
    )
    offered = torch.where(offer.items >= 0, offered, -1)
    cell = _cell(p, week, items)
    size = torch.searchsorted(p.basket_size.size_cdf[shopper], draws.uniform(streams.SIZE)[:, None])[:, 0]
    new = explore_effect(p, state, size, draws)
    rare, bought = _off_shortlist(p, state, extra, new)
    familiar = torch.cat([p.shortlists.familiarity[shopper].long(), torch.where(bought, ONCE, NEW)], 1)
    sensitivity = p.coefficients.promotion_sensitivity[familiar]
    utility = torch.cat([_known(p, state), rare], 1)
    utility = utility + marketing_effect(p, shopper, cell, sensitivity)
    utility = utility + coupon_utility(p.coupons, shopper, week, items)

    rates = p.basket_size.log_size_rate
    log_size = rates[shopper, size.clamp(max=rates.shape[1] - 1)]
    factor = gap_factor(p.basket_size, state.last_size_class, state.days_since_visit)
    log_size = log_size + factor
    size = size.clamp(max=len(p.missions.mission_scale) - 1)
    planned = torch.from_numpy(LOG_GRID).to(shopper.device)[size] + factor
    trip = trip_class(p.basket_size, shopper, planned)
    effect = mission_effect(p.missions, draws, size)
    constant = p.size_constants.size_constants[size]
    of_trip = effect.gather(1, p.catalogue.category[items])
    of_trip = of_trip + constant.gather(1, p.catalogue.subcategory[items])
    # What is remembered is drawn whatever the trip is for, see `long_tail`.
    of_trip[:, short.shape[1] :].masked_fill_(bought, 0.0)
    log_rate = utility + log_size[:, None] + of_trip
    log_rate[:, short.shape[1] :].masked_fill_(~unknown, -torch.inf)
    noise = draws.gumbel(streams.NOISE, items)
    return Door(
        items, log_rate, noise, sensitivity, offered, bought, week, cell, effect, constant + new, log_size,
        size, trip,
    )  # fmt: skip


def _known(p: ChoiceParameters, state: ChoiceState) -> Tensor:
    """(N, L) preference and time since last bought of the shortlist."""
    return p.shortlists.log_preference[state.shopper] + recency_effect(
        p, state.shopper, state.day, state.last_bought
    )


def recency_effect(p: ChoiceParameters, shopper: Tensor, day: Tensor, last_bought: Tensor) -> Tensor:
    """(N, L) what the time since it, and its subcategory, was last bought adds to the log rate of each
    shortlisted item; shopper, day (N,), last_bought (N, L)."""
    own, c = p.shortlists, p.coefficients
    since = day, last_bought, own.purchase_interval[shopper]
    group = p.catalogue.subcategory[own.shortlist[shopper]]
    of_item = c.recency[own.familiarity[shopper].long(), recency_bins(*since)]
    return of_item + c.recency_of_subcategory[subcategory_recency_bins(*since, group)]


def explore_effect(p: ChoiceParameters, state: ChoiceState, size: Tensor, draws: Draws) -> Tensor:
    """(N, 1) what a trip of a `size` (N,), some days after the last, adds to log rates of what is new."""
    spread, level = p.exploration.explore_spread, p.exploration.explore_level
    shock = normal(draws.uniform(streams.EXPLORATION))[:, None] * spread - spread.square() / 2
    new = level[size.clamp(max=len(level) - 1), None] + shock
    return new + p.coefficients.recency_of_new[gap_of(state.days_since_visit), None]


def pull_effect(pull: Tensor) -> Tensor:
    """What a pull adds to log rates: no more than few baskets can tell."""
    return pull.clamp(-MOST_PULL, MOST_PULL)


def unbought(p: ChoiceParameters, shopper: Tensor, items: Tensor) -> Tensor:
    """(N, M) preference for items never bought."""
    group, own = p.catalogue.subcategory[items], p.attribute_tastes
    taste = (own.attribute_taste[shopper, None] * own.attribute[items]).sum(2)
    taste = taste - own.attribute_log_total[shopper[:, None], group]
    return torch.log(p.long_tail.tail_weight[shopper[:, None], group]) + p.long_tail.log_within[items] + taste


def _unbought_of_all(p: ChoiceParameters, shopper: Tensor) -> Tensor:
    """(N, n_items) as `unbought` of all items."""
    of_group = (
        torch.log(p.long_tail.tail_weight[shopper, :-1]) - p.attribute_tastes.attribute_log_total[shopper]
    )
    return (
        of_group.index_select(1, p.catalogue.subcategory)
        + p.long_tail.log_within
        + p.attribute_tastes.attribute_taste[shopper] @ p.attribute_tastes.attribute.T
    )


def _off_shortlist(
    p: ChoiceParameters, state: ChoiceState, items: Tensor, new: Tensor
) -> tuple[Tensor, Tensor]:
    """(N, M) preference for items that are not on the shortlist, bought before, or not, to whose log rates
    `new` (N, 1) is added; and which of them were bought before."""
    shopper, n_items = state.shopper, len(p.catalogue.subcategory)
    rate = (unbought(p, shopper, items) + new).exp()
    row, item, remembered = _memory(p, shopper)
    key = row * n_items + item
    asked = torch.arange(len(items), device=items.device)[:, None] * n_items + items
    place = torch.searchsorted(key, asked).clamp(max=max(len(key) - 1, 0))
    again = of_item(p.trials, state.recent_trials, items)
    bought = again > 0
    if len(key):
        rate = torch.where(key[place] == asked, remembered[place], rate)
        bought |= key[place] == asked
    return torch.log(rate + again / THINNING), bought


def _memory(p: ChoiceParameters, shopper: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(M,) row in `shopper` (N,), item and rate of what the shoppers remember off the shortlist."""
    start = p.long_tail.memory_start[shopper]
    row, spot = expand_ranges(start, p.long_tail.memory_start[shopper + 1] - start)
    cumulative = p.long_tail.memory_cdf
    share = torch.diff(cumulative, prepend=torch.zeros_like(cumulative[:1]))[spot]
    first = spot == start[row]
    share = torch.where(first, p.long_tail.memory_cdf[spot] - shopper[row], share)
    return row, p.long_tail.memory_item[spot], share.float() * p.long_tail.memory_rate[shopper[row]]


def marketing_effect(p: ChoiceParameters, shopper: Tensor, cell: Tensor, sensitivity: Tensor) -> Tensor:
    """(N, M) what price, display and mailer of a week add to the utility of the `cell`s (N, M) of a
    flat table, of items with a `sensitivity` (N, M) to promotions."""
    price = p.marketing.price_sensitivity[shopper, None] * p.marketing.price_effect.ravel()[cell]
    promotion = sensitivity * p.marketing.promotion_effect.ravel()[cell]
    return price + promotion


def log_share(p: ChoiceParameters, state: ChoiceState) -> Tensor:
    """(N, n_items) log of each item's share of the lines of a visit without an offer, but for trip effects,
    size constants, exploration levels, substitution, and what the last visit does to the size of
    this one."""
    shopper, week = state.shopper, week_of(p, state.day)
    # Whole rows of tables: to look up each item by itself would take longer.
    price = p.marketing.price_sensitivity[shopper, None] * p.marketing.price_effect.index_select(0, week)
    promotion = p.marketing.promotion_effect.index_select(0, week)
    new = p.coefficients.recency_of_new[gap_of(state.days_since_visit), None]
    effect = price + p.coefficients.promotion_sensitivity[NEW] * promotion
    rare = (_unbought_of_all(p, shopper) + new + effect).exp()
    row, item, rate = _remembered(p, state)
    rare[row, item] = rate
    row, item, rate = _tried(p, state)
    rare[row, item] += rate
    known, lines_a_rate = _lines_of_shortlist(p, state)
    lines = (rare * lines_a_rate).scatter(1, p.shortlists.shortlist[shopper], known)
    return torch.log(lines / lines.sum(1, keepdim=True))


def subcategory_shares(p: ChoiceParameters, state: ChoiceState) -> Tensor:
    """(N, G) shares of subcategories, sums of those of `log_share`, at visits of one week; no table of
    shoppers by items is made."""
    shopper, week, group = state.shopper, week_of(p, state.day), p.catalogue.subcategory
    tastes, marketing, sensitivity = p.attribute_tastes, p.marketing, p.coefficients.promotion_sensitivity
    one_week = int(week[0])
    of_items = exp_sums(
        torch.cat([tastes.attribute_taste[shopper], marketing.price_sensitivity[shopper, None]], 1).numpy(),
        torch.cat([tastes.attribute, marketing.price_effect[one_week, :, None]], 1).numpy(),
        (p.long_tail.log_within + sensitivity[NEW] * marketing.promotion_effect[one_week]).numpy(),
        group.numpy(),
    )
    new = p.coefficients.recency_of_new[gap_of(state.days_since_visit), None]
    of_group = p.long_tail.tail_weight[shopper, :-1] * torch.exp(new - tastes.attribute_log_total[shopper])
    rates = torch.from_numpy(of_items) * of_group

    def rare(who: Tensor, items: Tensor) -> Tensor:
        """(M, B) rates of items (M, B) as if they had never been bought."""
        effect = marketing_effect(p, shopper[who], _cell(p, week[who], items), sensitivity[NEW])
        return (unbought(p, shopper[who], items) + new[who] + effect).exp()

    row, item, rate = _remembered(p, state)
    rates.index_put_((row, group[item]), rate - rare(row, item[:, None])[:, 0], accumulate=True)
    row, item, rate = _tried(p, state)
    rates.index_put_((row, group[item]), rate, accumulate=True)
    known, lines_a_rate = _lines_of_shortlist(p, state)
    short, everyone = p.shortlists.shortlist[shopper], torch.arange(len(shopper))
    lines = rates * lines_a_rate
    lines.scatter_add_(1, group[short], known - rare(everyone, short) * lines_a_rate)
    lines = lines.clamp(min=0)  # where what was taken out is all there is
    return lines / lines.sum(1, keepdim=True)


def _cell(p: ChoiceParameters, week: Tensor, items: Tensor) -> Tensor:
    """(N, M) place of a week (N,) and items (N, M) in a table by both, laid flat."""
    return week[:, None] * len(p.catalogue.category) + items


def _remembered(p: ChoiceParameters, state: ChoiceState) -> tuple[Tensor, Tensor, Tensor]:
    """(M,) row, item and rate, in the week of the visit, of what shoppers remember off the shortlist."""
    row, item, rate = _memory(p, state.shopper)
    return row, item, rate * _once(p, state, row, item)


def _tried(p: ChoiceParameters, state: ChoiceState) -> tuple[Tensor, Tensor, Tensor]:
    """(M,) row, item and what recent trials add to its rate in the week of the visit."""
    row, item, rate = by_item_of(p.trials, state.recent_trials)
    return row, item, rate / THINNING * _once(p, state, row, item)


def _once(p: ChoiceParameters, state: ChoiceState, row: Tensor, item: Tensor) -> Tensor:
    """(M,) factor of marketing on the rates of items that shoppers in a `row` have bought before."""
    cell = _cell(p, week_of(p, state.day)[row], item[:, None])
    effect = marketing_effect(p, state.shopper[row], cell, p.coefficients.promotion_sensitivity[ONCE])
    return torch.exp(effect[:, 0])


def _lines_of_shortlist(p: ChoiceParameters, state: ChoiceState) -> tuple[Tensor, Tensor]:
    """(N, L) lines of a visit that are of each shortlisted item, on average over sizes of the trip, and (N,
    1) lines of any other item by its rate."""
    shopper, week = state.shopper, week_of(p, state.day)
    items = p.shortlists.shortlist[shopper]
    sensitivity = p.coefficients.promotion_sensitivity[p.shortlists.familiarity[shopper].long()]
    push = marketing_effect(p, shopper, _cell(p, week, items), sensitivity)
    known = (_known(p, state) + push + coupon_utility(p.coupons, shopper, week, items)).exp()
    # An item is on a visit once at most, which costs favourites of their share in big trips.
    chance = torch.diff(
        p.basket_size.size_cdf[shopper], dim=1, prepend=torch.zeros(len(shopper), 1, device=shopper.device)
    )
    size = p.basket_size.log_size_rate[shopper].exp()
    known = (chance[:, None] * (1 - torch.exp(-known[:, :, None] * size[:, None]))).sum(2)
    return known, (chance * size).sum(1, keepdim=True)
