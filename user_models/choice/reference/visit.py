"""A whole visit of N shoppers in torch: what is bought, with an offer and without, and what is remembered."""

from __future__ import annotations

import torch
from torch import Tensor

from bundlegym.user_models.base import CHERRY_PICK, IGNORE, TAKE, Offer, Response
from bundlegym.user_models.choice.assumptions import Assumptions
from bundlegym.user_models.choice.parameters import ChoiceParameters
from bundlegym.user_models.choice.reference.exposure import exposure_effect, remember, weeks_in_a_row
from bundlegym.user_models.choice.reference.long_tail import arrivals, bought_in_tail, tail_rates
from bundlegym.user_models.choice.reference.offers import Basket, answered, leaves_habit
from bundlegym.user_models.choice.reference.offers import appraise as appraise_in
from bundlegym.user_models.choice.reference.recent_trials import of_item, try_more
from bundlegym.user_models.choice.reference.substitution import still_bought
from bundlegym.user_models.choice.reference.utility import Door, door, pull_effect
from bundlegym.user_models.choice.state import ChoiceState
from bundlegym.user_models.components.incidence import next_visit
from bundlegym.user_models.components.quantity import draw_quantity
from bundlegym.user_models.rng import streams
from bundlegym.user_models.rng.counter import Draws

#: Row, item, quantity and price (P,) of everything bought.
Purchases = tuple[Tensor, Tensor, Tensor, Tensor]


def respond(
    p: ChoiceParameters, assumed: Assumptions, state: ChoiceState, offer: Offer, draws: Draws
) -> tuple[Response, ChoiceState]:
    """`ChoiceShopper.respond`."""
    shopper, at = state.shopper, door(p, state, offer, draws)
    n_short, offered = state.last_bought.shape[1], offer.items
    none = torch.zeros_like(at.items, dtype=torch.bool)
    value = (at.log_rate + at.noise).clone()
    value[:, n_short:] = -torch.inf
    alone = _basket(p, state, at, value, none, none, torch.full_like(offered, -1), draws)
    wanted, lacking = appraise_in(p, at, alone, offered)
    run, effect = _exposure(p, assumed, state, at, offered)
    price, slope = price_and_slope(p, shopper, at.week, offered)
    exposed, whole = answered(p, offer, price, slope, wanted, lacking, effect, assumed.bundle_pull)
    gained = (offered >= 0) & ~wanted & (exposed | whole[:, None])

    # Where the offer adds something, the rest of the basket is decided again.
    boost = effect - torch.where(whole, torch.log1p(-offer.discount), 0.0)[:, None] * slope
    slot = at.offered.clamp(min=0)
    own = torch.where(slot < n_short, value.gather(1, slot), lacking) + boost
    value = _put(value, at.offered, gained, own)
    certain = _put(none, at.offered, offered >= 0, gained | whole[:, None] | (wanted & (slot >= n_short)))
    added = _put(none, at.offered, offered >= 0, gained)
    moved = gained.any(1)
    again = _basket(p, state, at, value, added, certain, offered, draws)
    bought = torch.where(moved[:, None], again.bought, alone.bought)
    first, second = ~moved[alone.row], moved[again.row]
    row = torch.cat([alone.row[first], again.row[second]])
    item = torch.cat([alone.item[first], again.item[second]])
    order = (row * len(p.catalogue.subcategory) + item).argsort()
    row, item = row[order], item[order]

    purchases = _purchases(p, state, at, bought, row, item, offer, whole, gained & ~exposed, draws)
    held = _held(purchases[0], purchases[1], offered)
    choice = torch.where(whole, TAKE, torch.where(held, CHERRY_PICK, IGNORE))
    days, left = next_visit(p.incidence, shopper, state.day, at.trip, draws)
    new = gained & ~exposed & whole[:, None]
    last_bought, recent_trials = _remembered(p, state, at, bought, row, item, new, draws)
    shown = remember(state, offered, run, at.week)
    after = ChoiceState(shopper, state.day + days, days.clone(), at.trip, last_bought, recent_trials, *shown)
    return Response(choice, *purchases, days, left), after


def appraise(
    p: ChoiceParameters, assumed: Assumptions, state: ChoiceState, items: Tensor, draws: Draws
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """`wanted`, `quantity`, `value` and `exposure` of an `Appraisal` of `items` (N, M)."""
    at = door(p, state, Offer(items, torch.zeros(len(items), device=items.device)), draws)
    none = torch.zeros_like(at.items, dtype=torch.bool)
    value = (at.log_rate + at.noise).clone()
    value[:, state.last_bought.shape[1] :] = -torch.inf
    basket = _basket(p, state, at, value, none, none, torch.full_like(items, -1), draws)
    wanted, lacking = appraise_in(p, at, basket, items)
    row, slot = wanted.nonzero(as_tuple=True)
    quantity = torch.zeros_like(items)
    quantity[row, slot] = _units(p, at, state.shopper, row, items[row, slot], draws.of(row))
    return wanted, quantity, lacking, _exposure(p, assumed, state, at, items)[1]


def price_and_slope(
    p: ChoiceParameters, shopper: Tensor, week: Tensor, items: Tensor
) -> tuple[Tensor, Tensor]:
    """(N, B) shelf price, and utility in minus log price, of items (N, B)."""
    item = items.clamp(min=0)
    slope = p.marketing.price_slope[item] * p.marketing.price_sensitivity[shopper, None]
    return p.prices.shelf_price[week[:, None], item], slope


def _basket(
    p: ChoiceParameters,
    state: ChoiceState,
    at: Door,
    value: Tensor,
    added: Tensor,
    certain: Tensor,
    decided: Tensor,
    draws: Draws,
) -> Basket:
    """What is bought where the considered items have the `value` (N, L + B), those that the offer has `added`
    pull the others, and those that are `certain` stay; `decided` (N, B), -1 for none, come from nowhere
    else."""
    synergy = p.complementarity.synergy
    # What is bought on its own merits, and what the offer adds, pull or push all the others.
    category = p.catalogue.category[at.items]
    first = added | (value > 0)
    held = torch.zeros_like(at.effect).scatter_add_(1, category, first.float())
    pull = held @ synergy
    own = synergy.diagonal()[category] * first
    value = value + pull_effect(pull.gather(1, category) - own)
    bought = still_bought(p, at.items, value, certain, certain | (value > 0))
    total = tail_rates(p, state, at, pull)
    times = arrivals(total[:, -1] * torch.exp(at.size), draws, streams.TAIL)
    tail = times < 1

    # Whoever came buys something: of all that is not worth its price, what comes nearest.
    nothing = ~bought.any(1) & ~tail[:, 0]
    best = value.max(1)
    rather = times[:, 0] < torch.exp(-best.values)
    tail[:, 0] |= nothing & rather
    bought[(nothing & ~rather).nonzero()[:, 0], best.indices[nothing & ~rather]] = True
    row, item = bought_in_tail(p, state, at, bought, decided, tail, total, draws)
    return Basket(bought, row, item, value, pull)


def _exposure(
    p: ChoiceParameters, assumed: Assumptions, state: ChoiceState, at: Door, offered: Tensor
) -> tuple[Tensor, Tensor]:
    """(N, B) weeks in a row that each item is offered, and what being offered adds to its utility."""
    run = weeks_in_a_row(state, offered, at.week)
    sensitivity = at.sensitivity.gather(1, at.offered.clamp(min=0))
    return run, exposure_effect(p, assumed.offer_exposure, offered, run, sensitivity)


def _units(p: ChoiceParameters, at: Door, shopper: Tensor, row: Tensor, item: Tensor, luck: Draws) -> Tensor:
    """(P,) int64 units of lines of items (P,) of the `row`s (P,) of shoppers (N,)."""
    size, discount = at.grid[row], p.prices.log_discount[at.week[row], item]
    return draw_quantity(p.quantity, p.shortlists.shortlist, shopper[row], item, size, discount, luck)


def _purchases(
    p: ChoiceParameters,
    state: ChoiceState,
    at: Door,
    bought: Tensor,
    tail_row: Tensor,
    tail_item: Tensor,
    offer: Offer,
    whole: Tensor,
    new: Tensor,
    draws: Draws,
) -> Purchases:
    """Everything bought; `new` (N, B), what the bundle brings."""
    row, slot = bought.nonzero(as_tuple=True)
    rows, items = torch.cat([row, tail_row]), torch.cat([at.items[row, slot], tail_item])
    week = at.week[rows]
    offered = offer.items[rows] == items[:, None]
    # One unit of what is new; one unit of each item at the discount, further ones at the shelf price.
    units = _units(p, at, state.shopper, rows, items, draws.of(rows))
    units = torch.where((offered & new[rows]).any(1), 1, units)
    off = offer.discount[rows] * (whole[rows] & offered.any(1))
    return rows, items, units, p.prices.shelf_price[week, items] * (1 - off / units)


def _remembered(
    p: ChoiceParameters,
    state: ChoiceState,
    at: Door,
    bought: Tensor,
    tail_row: Tensor,
    tail_item: Tensor,
    new: Tensor,
    draws: Draws,
) -> tuple[Tensor, Tensor]:
    """`last_bought` and `recent_trials` after a visit; of what the bundle brings (`new` (N, B)) if it was
    known, or by the habit that a trial leaves."""
    n_short = state.last_bought.shape[1]
    extra = at.items[:, n_short:]
    again = of_item(p.trials, state.recent_trials, extra)
    unknown = torch.cat([state.last_bought < 0, again == 0], 1)
    habit = leaves_habit(p, at.items, draws)
    tried = _put(torch.zeros_like(bought), at.offered, new, new)
    remembered = bought & (~(tried & unknown) | habit)
    row, slot = remembered[:, n_short:].nonzero(as_tuple=True)
    history = torch.cat([row, tail_row]), torch.cat([extra[row, slot], tail_item])
    now = state.day[:, None].to(state.last_bought.dtype)
    last_bought = torch.where(remembered[:, :n_short], now, state.last_bought)
    return last_bought, try_more(state.recent_trials, *history)


def _put(table: Tensor, place: Tensor, where: Tensor, value: Tensor) -> Tensor:
    """`table` (N, M) with `value` (N, B) at the places (N, B), `where` (N, B) says so."""
    row, slot = where.nonzero(as_tuple=True)
    changed = table.clone()
    changed[row, place[row, slot]] = value[row, slot]
    return changed


def _held(row: Tensor, item: Tensor, offered: Tensor) -> Tensor:
    """(N,) bool: whether a basket of lines of `row` and `item` (P,) holds one of the `offered` (N, B)."""
    found = torch.zeros(len(offered), device=offered.device)
    return found.index_add(0, row, (offered[row] == item[:, None]).any(1).float()) > 0
