"""What each item is worth to a `ChoiceShopper` at a visit: log rates of purchase.

log rate = trip size + taste + time since last bought + price, display, mailer and coupons + the item's drift
+ the trip's purposes + what trips of a size are for.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from bundlegym.user_models.base import Offer, State
from bundlegym.user_models.choice.estimation.item_shocks import NEAR, REST
from bundlegym.user_models.choice.reference.long_tail import THINNING
from bundlegym.user_models.choice.reference.recent_trials import by_item, of_items
from bundlegym.user_models.components.basket_size import LOG_GRID, gap_factor, gap_of, trip_class
from bundlegym.user_models.components.coupons import coupon_push
from bundlegym.user_models.components.marketing import NEW, ONCE, gap_bins
from bundlegym.user_models.numeric.ragged import rows_of
from bundlegym.user_models.numeric.row_stable import product
from bundlegym.user_models.rng import streams
from bundlegym.user_models.rng.counter import Draws, normal

#: What a `ChoiceShopper` looks up; see `whole.fit_whole`.
Tensors = dict[str, Tensor]
MOST_PULL = 2.0  # of a basket on an item's log rate: few baskets tell how far it adds up


@dataclass(frozen=True)
class Visit:
    """Where N shoppers stand at one visit; the items considered are the shortlist's L and the offer's B.

    items, log_rate: (N, L + B), log rates of -inf where an offered item is on the shortlist already; noise
    (N, L + B) Gumbel; answer (N, L + B) to promotions, by how familiar the item is; offered (N, B) the place
    of each offered item among the considered, -1 for none; remembered (N, B) bool, bought before though not
    on the shortlist; week (N,); cell (N, L + B) the place of item and week in a table by both,
    laid flat; shift (N, C) missions and purposes by category; new_level (N, G) of what is new of each
    subcategory on trips of the size; size (N,) log of the trip's rate; trip (N,) its class, as planned.
    """

    items: Tensor
    log_rate: Tensor
    noise: Tensor
    answer: Tensor
    offered: Tensor
    remembered: Tensor
    week: Tensor
    cell: Tensor
    shift: Tensor
    new_level: Tensor
    size: Tensor
    trip: Tensor


def week_of(t: Tensors, day: Tensor) -> Tensor:
    """(N,) week of days (N,), the log's last one for later days."""
    return (day // 7).clamp(0, len(t["shelf_price"]) - 1)


def open_visit(t: Tensors, state: State, offer: Offer, draws: Draws) -> Visit:
    """Where N shoppers stand at the door, with an offer and luck, before anything is decided."""
    shopper = state["shopper"]
    week, short = week_of(t, state["day"]), t["shortlist"][shopper]
    # Offered items that are not on the shortlist join it for this visit.
    extra = offer.items.clamp(min=0)
    place = torch.searchsorted(short, extra).clamp(max=short.shape[1] - 1)
    unknown = (offer.items >= 0) & (short.gather(1, place) != extra)
    items = torch.cat([short, extra], 1)
    offered = torch.where(
        unknown, short.shape[1] + torch.arange(extra.shape[1], device=shopper.device), place
    )
    offered = torch.where(offer.items >= 0, offered, -1)
    cell = week[:, None] * len(t["category"]) + items
    size = torch.searchsorted(t["trip_cdf"][shopper], draws.uniform(streams.TRIP)[:, None])[:, 0]
    shock = normal(draws.uniform(streams.NOVELTY))[:, None] * t["new_spread"] - t["new_spread"].square() / 2
    new = t["new_level"][size.clamp(max=len(t["new_level"]) - 1), None] + shock
    new = new + t["coefficient_new_gap"][gap_of(state["since"]), None]
    near, rest = (t["drift"][kind].ravel()[cell] for kind in (NEAR, REST))
    new_extra = new + (rest - near)[:, short.shape[1] :]
    rare, bought = _off_shortlist(t, state, extra, new_extra)
    familiar = torch.cat([t["familiarity"][shopper].long(), torch.where(bought, ONCE, NEW)], 1)
    answer = t["coefficient_promotion_answer"][familiar]
    utility = torch.cat([_known(t, state, short), rare], 1)
    utility = utility + _push(t, shopper, cell, answer) + near + coupon_push(t, shopper, week, items)

    log_size = t["trip_rate"][shopper, size.clamp(max=t["trip_rate"].shape[1] - 1)]
    factor = gap_factor(t, state["last_trip"], state["since"])
    log_size = log_size + factor
    size = size.clamp(max=len(t["mission_scale"]) - 1)
    trip = trip_class(t, shopper, torch.from_numpy(LOG_GRID).to(shopper.device)[size] + factor)
    shift = mission_shift(t, draws, size) + department_shift(t, draws, size)
    level = t["group_level"][size]
    of_trip = shift.gather(1, t["category"][items]) + level.gather(1, t["group"][items])
    # What is remembered is drawn whatever the trip is for, see `tail`.
    of_trip[:, short.shape[1] :].masked_fill_(bought, 0.0)
    log_rate = utility + log_size[:, None] + of_trip
    log_rate[:, short.shape[1] :].masked_fill_(~unknown, -torch.inf)
    noise = draws.gumbel(streams.NOISE, items)
    return Visit(
        items, log_rate, noise, answer, offered, bought, week, cell, shift, level + new, log_size, trip
    )


def _known(t: Tensors, state: State, items: Tensor) -> Tensor:
    """(N, L) taste and time since last bought of the shortlist."""
    shopper = state["shopper"]
    bins = gap_bins(state["day"], state["last"], t["interval"][shopper])
    return t["taste"][shopper] + t["coefficient_gap"][t["familiarity"][shopper].long(), bins]


def unbought(t: Tensors, shopper: Tensor, items: Tensor) -> Tensor:
    """(N, M) taste for items never bought."""
    group = t["group"][items]
    leaning = (t["leaning"][shopper, None] * t["trait"][items]).sum(2)
    leaning = leaning - t["leaning_total"][shopper[:, None], group]
    return torch.log(t["tail_weight"][shopper[:, None], group]) + t["log_within"][items] + leaning


def _unbought_of_all(t: Tensors, shopper: Tensor) -> Tensor:
    """(N, n_items) as `unbought` of all items."""
    of_group = torch.log(t["tail_weight"][shopper, :-1]) - t["leaning_total"][shopper]
    return of_group.index_select(1, t["group"]) + t["log_within"] + t["leaning"][shopper] @ t["trait"].T


def _off_shortlist(t: Tensors, state: State, items: Tensor, new: Tensor) -> tuple[Tensor, Tensor]:
    """(N, M) taste for items that are not on the shortlist, bought before, or not, to whose log rates `new`
    (N, M) is added; and which of them were bought before."""
    shopper, n_items = state["shopper"], len(t["group"])
    rate = (unbought(t, shopper, items) + new).exp()
    row, item, remembered = _memory(t, shopper)
    key = row * n_items + item
    asked = torch.arange(len(items), device=items.device)[:, None] * n_items + items
    place = torch.searchsorted(key, asked).clamp(max=max(len(key) - 1, 0))
    again = of_items(state["tried"], items, t["tried_weight"], t["tried_left"])
    bought = again > 0
    if len(key):
        rate = torch.where(key[place] == asked, remembered[place], rate)
        bought |= key[place] == asked
    return torch.log(rate + again / THINNING), bought


def _memory(t: Tensors, shopper: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(M,) row in `shopper` (N,), item and rate of what the shoppers remember off the shortlist."""
    start = t["memory_start"][shopper]
    row, spot = rows_of(start, t["memory_start"][shopper + 1] - start)
    cumulative = t["memory_cdf"]
    share = torch.diff(cumulative, prepend=torch.zeros_like(cumulative[:1]))[spot]
    first = spot == start[row]
    share = torch.where(first, t["memory_cdf"][spot] - shopper[row], share)
    return row, t["memory_item"][spot], share.float() * t["memory_rate"][shopper[row]]


def _push(t: Tensors, shopper: Tensor, cell: Tensor, answer: Tensor) -> Tensor:
    """(N, M) what price, display and mailer add to the utility of the `cell`s (N, M) of a flat table, of
    items with an `answer` (N, M) to promotions."""
    price = t["deal_factor"][shopper, None] * t["price_push"].ravel()[cell]
    return price + answer * t["promotion_push"].ravel()[cell]


def mission_shift(t: Tensors, draws: Draws, size: Tensor) -> Tensor:
    """(N, C) what the mission of a trip of `size` (N,) in the grid adds to log rates by category, and the
    category's level on such trips."""
    categories, missions = (torch.arange(n, device=size.device) for n in t["mission_loading"].shape)
    shift = product(normal(draws.uniform(streams.MISSION, missions)), t["mission_loading"])
    shift = shift + normal(draws.uniform(streams.CATEGORY, categories)) * t["mission_spread"]
    return t["mission_scale"][size, None] * shift + t["category_level"][size]


def department_shift(t: Tensors, draws: Draws, size: Tensor) -> Tensor:
    """(N, C) what being for one department adds to log rates by category on a trip of `size` (N,) in the
    grid."""
    spread = t["department_spread"][size]
    departments = torch.arange(spread.shape[1], device=size.device)
    shift = normal(draws.uniform(streams.DEPARTMENT, departments)) * spread - spread.square() / 2
    return shift.index_select(1, t["category_department"])


def log_share(t: Tensors, state: State) -> Tensor:
    """(N, n_items) log of each item's share of the lines of a visit without an offer, but for missions,
    purposes, levels, `novelty`, drift, `enough`, and what the last visit does to the size of this one."""
    shopper, week = state["shopper"], week_of(t, state["day"])
    # Whole rows of tables: to look up each item by itself would take longer.
    price = t["deal_factor"][shopper, None] * t["price_push"].index_select(0, week)
    promotion, answer = t["promotion_push"].index_select(0, week), t["coefficient_promotion_answer"]
    new = t["coefficient_new_gap"][gap_of(state["since"]), None]
    rare = (_unbought_of_all(t, shopper) + new + price + answer[NEW] * promotion).exp()

    def once(row: Tensor, item: Tensor) -> Tensor:
        return torch.exp(price[row, item] + answer[ONCE] * promotion[row, item])

    row, item, rate = _memory(t, shopper)
    rare[row, item] = rate * once(row, item)
    row, item, rate = by_item(state["tried"], t["tried_weight"], t["tried_left"])
    rare[row, item] += rate / THINNING * once(row, item)
    items = t["shortlist"][shopper]
    push = price.gather(1, items) + answer[t["familiarity"][shopper].long()] * promotion.gather(1, items)
    known = (_known(t, state, items) + push + coupon_push(t, shopper, week, items)).exp()
    # An item is on a visit once at most, which costs favourites of their share in big trips.
    chance = torch.diff(
        t["trip_cdf"][shopper], dim=1, prepend=torch.zeros(len(shopper), 1, device=shopper.device)
    )
    size = t["trip_rate"][shopper].exp()
    known = (chance[:, None] * (1 - torch.exp(-known[:, :, None] * size[:, None]))).sum(2)
    lines = (rare * (chance * size).sum(1, keepdim=True)).scatter(1, items, known)
    return torch.log(lines / lines.sum(1, keepdim=True))
