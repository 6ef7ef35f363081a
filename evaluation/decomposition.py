"""One offer taken apart: what it sells, what it gives away, what it pulls and pushes, what comes later.

Shopper and twin live the same visit, and a few more without any offer, under the same draws; each figure is a
mean over draws of the difference, with its standard error.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from bundlegym.agents.margins import margin_of, purchase_margin
from bundlegym.agents.planner import OpenVisits
from bundlegym.envs import Market
from bundlegym.user_models.base import CHERRY_PICK, TAKE, Offer, Response, State
from bundlegym.user_models.rng.counter import Draws


@dataclass(frozen=True)
class _Basket:
    """(D, B) margin of the offered items and whether each was bought; (D,) margin of all."""

    margin: Tensor
    bought: Tensor
    total: Tensor


def decompose_offer(
    visit: OpenVisits, items: Tensor, discount: float, numbers: range, later: int = 3
) -> dict[str, Any]:
    """In JSON's own types, means and standard errors over the draws `visit.draws.other(number)`.

    Args:
        visit: of one shopper at the door.
        items: (B,) item codes of the bundle.
        later: visits after this one that are looked at.

    Returns:
        `taken`, `cherry_picked`: chances. `sold_new`: margin of offered items that were not bought without
        the offer. `given_away`: what offered items that were bought anyway earn less. `pulled`, `pushed`:
        margin that the rest of the basket gains and loses, `rest` both. `gain` of the visit, all in all.
        `later`: margin of the `later` next visits. `without`, `with`: chance to buy each item.
    """
    d, market = len(numbers), visit.market
    many = visit.some(torch.zeros(d, dtype=torch.int64, device=visit.day.device))
    visits = replace(many, draws=visit.draws.others(numbers))
    day, react = visits.day, visits.user_model.respond
    offer = Offer(items.expand(d, -1), torch.full((d,), discount, device=day.device))
    nothing = Offer.nothing(d, len(items), day.device)
    mine, after = react(visits.state, offer, visits.draws)
    twin, twin_after = react(visits.state, nothing, visits.draws)
    with_offer, without = (_basket(market, response, day, items) for response in (mine, twin))
    new = with_offer.bought & ~without.bought
    difference = with_offer.margin - without.margin
    pulled, pushed = _moved(market, mine, twin, day, items)
    figures = {
        "taken": (mine.choice == TAKE).float(),
        "cherry_picked": (mine.choice == CHERRY_PICK).float(),
        "sold_new": (difference * new).sum(1),
        "given_away": (difference * ~new).sum(1),
        "pulled": pulled,
        "pushed": pushed,
        "rest": pulled + pushed,
        "gain": with_offer.total - without.total,
        "later": _later(visits, (mine, after), (twin, twin_after), nothing, later),
    }
    return {name: _mean(value) for name, value in figures.items()} | {
        "without": [_mean(column) for column in without.bought.float().T],
        "with": [_mean(column) for column in with_offer.bought.float().T],
    }


def _basket(market: Market, response: Response, day: Tensor, items: Tensor) -> _Basket:
    earned = purchase_margin(market, response, day)
    hit = response.item[:, None] == items
    zero = torch.zeros(len(day), len(items), device=day.device)
    margin = zero.index_add(0, response.row, earned[:, None] * hit)
    bought = zero.index_add(0, response.row, hit.float()) > 0
    return _Basket(margin, bought, margin_of(market, response, day))


def _moved(
    market: Market, mine: Response, twin: Response, day: Tensor, items: Tensor
) -> tuple[Tensor, Tensor]:
    """(D,) margin of what is not in the offer: gained on the twin by items of which more is bought, and lost
    by others."""
    n_items = market.shelf_price.shape[1]
    keys, values = [], []
    for sign, response in ((1, mine), (-1, twin)):
        other = ~(response.item[:, None] == items).any(1)
        keys.append((response.row * n_items + response.item)[other])
        values.append(sign * purchase_margin(market, response, day)[other])
    key, place = torch.unique(torch.cat(keys), return_inverse=True)
    change = torch.zeros(len(key), device=day.device).index_add(0, place, torch.cat(values).float())
    zero, row = torch.zeros(len(day), device=day.device), key // n_items
    return zero.index_add(0, row, change.clamp(min=0)), zero.index_add(0, row, change.clamp(max=0))


def _later(
    visits: OpenVisits,
    mine: tuple[Response, State],
    twin: tuple[Response, State],
    nothing: Offer,
    later: int,
) -> Tensor:
    """(D,) margin of the `later` visits after `visits` without offers, less the twin's; shoppers who left buy
    nothing."""
    day, luck = visits.day, visits.draws
    total = torch.zeros(len(day), device=day.device)
    for sign, (response, state) in ((1, mine), (-1, twin)):
        here, now = ~response.left, day
        for visit in range(1, later + 1):
            now = now + response.days
            then = Draws(luck.seed, luck.episode, luck.visit + visit)
            response, state = visits.user_model.respond(state, nothing, then)
            total += sign * here * margin_of(visits.market, response, now)
            here = here & ~response.left
    return total


def _mean(values: Tensor) -> dict[str, float]:
    numbers = values.double()
    return {"mean": float(numbers.mean()), "error": float(numbers.std() / len(numbers) ** 0.5)}
