"""What must hold of every shopper to whom an offer is only its discount, as properties of random offers.

A model claims it by `UserModel.offer_is_only_discount`. Shoppers live a few visits with random offers, and
then are made others, whose answers are held against those of their twins, who are offered nothing:

* at full price, an offer changes nothing: basket, state and next visit are the twin's, bit for bit;
* an offer of what the twin buys is taken, and costs the shop the discount on one unit of each item;
* whoever takes a bundle takes it at a greater discount, too;
* a bundle brings one unit of each item that the twin does not buy, and no more of the others;
* where the model appraises items: the bundle is taken where `bundling` says so, and what a shopper adds to
  the basket costs no more than what it is worth to them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from bundlegym.data import Dataset
from bundlegym.user_models.base import TAKE, Appraisal, Offer, Response, State, UserModel
from bundlegym.user_models.bundling import shortfall, takes_whole
from bundlegym.user_models.rng.counter import Draws

_SIZE = 4  # of a bundle at the most
_VISITS = 3  # lived before
_LEVELS = (0.05, 0.2, 0.5)


@dataclass(frozen=True)
class _Visit:
    """N shoppers at the door, their luck and what they do there without an offer; `shelf` (N, I) prices."""

    model: UserModel
    state: State
    draws: Draws
    alone: Response
    after: State
    shelf: Tensor

    def answer(self, items: Tensor, discount: float) -> tuple[Response, State]:
        level = torch.full((len(items),), discount, device=items.device)
        return self.model.respond(self.state, Offer(items, level), self.draws)


def offer_problems(model: UserModel, dataset: Dataset, n: int = 64, seed: int = 0) -> list[str]:
    """What of the properties does not hold over n random states and offers, in plain words."""
    generator = torch.Generator().manual_seed(seed)
    found: list[str] = []
    for visit in _visits(model, dataset, n, generator):
        items = _random_offers(visit, dataset, generator)
        for check in (_full_price, _bought_anyway, _more_discount, _one_unit, _appraised):
            if not any(problem.startswith(check.__name__) for problem in found):
                found += [f"{check.__name__}: {problem}" for problem in check(visit, items)]
        if found:
            break
    return [problem.split(": ", 1)[1] for problem in found]


def _visits(model: UserModel, dataset: Dataset, n: int, generator: torch.Generator) -> Iterator[_Visit]:
    device, (first, end) = model.device, (0, dataset.n_weeks)
    shopper = torch.randint(dataset.n_shoppers, (n,), generator=generator).to(device)
    day = torch.randint(7 * (first + end) // 2, 7 * end, (n,), generator=generator).to(device)
    state, episode = model.reset(shopper, day), torch.arange(n, device=device)
    price = torch.from_numpy(dataset.shelf_price.T.copy()).to(device)
    for number in range(_VISITS):
        draws = Draws(0, episode, torch.full((n,), number, device=device))
        alone, after = model.respond(state, Offer.nothing(n, _SIZE, device), draws)
        visit = _Visit(model, state, draws, alone, after, price[(day // 7).clamp(0, len(price) - 1)])
        yield visit
        offer = Offer(_random_offers(visit, dataset, generator), torch.full((n,), 0.3, device=device))
        response, state = model.respond(state, offer, draws)
        day = day + response.days


def _random_offers(visit: _Visit, dataset: Dataset, generator: torch.Generator) -> Tensor:
    """(N, _SIZE): up to two items that the twin buys, and others, favourites of the shop among them."""
    n, device = len(visit.alone.choice), visit.shelf.device
    count = torch.bincount(torch.from_numpy(dataset.purchases["item"].to_numpy().astype("int64")))
    chance = (count + 1.0).expand(n, -1)
    items = torch.multinomial(chance, _SIZE, replacement=False, generator=generator).to(device)
    own = _of_basket(visit.alone, n, 2)
    repeated = (own[:, :, None] == items[:, None]).any(2)
    items[:, :2] = torch.where((own >= 0) & ~repeated, own, items[:, :2])
    size = torch.randint(1, _SIZE + 1, (n,), generator=generator).to(device)
    return torch.where(torch.arange(_SIZE, device=device) < size[:, None], items, -1)


def _of_basket(response: Response, n: int, size: int) -> Tensor:
    """(N, size) the first items of each basket, -1 where it holds fewer."""
    items = torch.full((n, size), -1, dtype=torch.int64, device=response.row.device)
    order = response.row.argsort(stable=True)
    row = response.row[order]
    place = torch.arange(len(row), device=row.device) - torch.searchsorted(row, row)
    few = place < size
    items[row[few], place[few]] = response.item[order][few]
    return items


def _sorted(response: Response) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """(P,) row, item, units and price by row and item."""
    order = response.item.argsort(stable=True)
    order = order[response.row[order].argsort(stable=True)]
    return tuple(column[order] for column in (response.row, response.item, response.quantity, response.price))  # type: ignore[return-value]


def _same_but_price(one: Response, two: Response) -> bool:
    pairs = zip(_sorted(one)[:3], _sorted(two)[:3], strict=True)
    same = all(torch.equal(a, b) for a, b in pairs)
    return same and torch.equal(one.days, two.days) and torch.equal(one.left, two.left)


def _same_state(one: State, two: State) -> bool:
    return one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)


def _full_price(visit: _Visit, items: Tensor) -> Iterator[str]:
    response, after = visit.answer(items, 0.0)
    same = _same_but_price(response, visit.alone) and _same_state(after, visit.after)
    if not (same and torch.equal(_sorted(response)[3], _sorted(visit.alone)[3])):
        yield "an offer at full price changes what a shopper does; it offers nothing that the shelf does not"


def _bought_anyway(visit: _Visit, items: Tensor) -> Iterator[str]:
    items = _of_basket(visit.alone, len(items), _SIZE)
    response, after = visit.answer(items, 0.25)
    some = (items >= 0).any(1)
    if bool((response.choice[some] != TAKE).any()):
        yield "a shopper does not take a bundle of what they buy anyway, at a discount"
    elif not (_same_but_price(response, visit.alone) and _same_state(after, visit.after)):
        yield "an offer of what a shopper buys anyway changes something other than the price of one unit each"
    else:
        row, item, units, price = _sorted(response)
        offered = (items[row] == item[:, None]).any(1)
        right = _sorted(visit.alone)[3] * (1 - 0.25 * offered / units)
        if not torch.allclose(price, right, rtol=1e-5, atol=0):
            yield "an offer of what a shopper buys anyway does not cost the discount on one unit of each item"


def _more_discount(visit: _Visit, items: Tensor) -> Iterator[str]:
    takes = [visit.answer(items, level)[0].choice == TAKE for level in _LEVELS]
    if any(bool((less & ~more).any()) for less, more in zip(takes, takes[1:], strict=False)):
        yield "a shopper takes a bundle at a discount and not at a greater one"


def _one_unit(visit: _Visit, items: Tensor) -> Iterator[str]:
    response, _ = visit.answer(items, 0.3)
    units, before = (_units(r, items) for r in (response, visit.alone))
    took = (response.choice == TAKE)[:, None] & (items >= 0)
    right = torch.where(took & (before == 0), 1, before)
    if bool((units != right)[items >= 0].any()):
        yield "a bundle brings more, or fewer, than one unit of an item that a shopper would not have bought"


def _units(response: Response, items: Tensor) -> Tensor:
    """(N, B) units of items (N, B) that are bought."""
    hit = (items[response.row] == response.item[:, None]) * response.quantity[:, None]
    return torch.zeros_like(items).index_add(0, response.row, hit)


def _appraised(visit: _Visit, items: Tensor) -> Iterator[str]:
    found = visit.model.appraise(visit.state, items.clamp(min=0), visit.draws)
    if found is None:
        return
    here, price = items >= 0, visit.shelf.gather(1, items.clamp(min=0))
    response, _ = visit.answer(items, 0.3)
    took = response.choice == TAKE
    units = _units(visit.alone, items)
    if not torch.equal(found.wanted & here, units > 0):
        yield "appraise says of other items that they are bought anyway than are bought without an offer"
        return
    if not torch.equal(torch.where(here, found.quantity, 0), units):
        yield "appraise tells other units than are bought without an offer"
    value = _beside(found, here)
    level = torch.full_like(value[:, 0], 0.3)
    alone = (here & ~found.wanted).sum(1) <= 1  # what several new items do to each other is the model's own
    rule = takes_whole(value, found.wanted, price, found.slope, here, level)
    margin = _margin(value, found, price, here, level).abs() > 1e-4
    if bool(((rule != took) & alone & margin).any()):
        yield "a bundle is taken, or not, where the rule of mixed bundling and appraise say otherwise"
    dear = _margin(value, found, price, here, level) < -1e-4
    if bool((took & dear & alone).any()):
        yield "a shopper pays more for what a bundle adds to the basket than it is worth to them"


def _beside(found: Appraisal, here: Tensor) -> Tensor:
    missing = here & ~found.wanted
    more = (found.pair * missing[:, None]).sum(2)
    return torch.where(missing, (found.value + more).clamp(max=0.0), found.value)


def _margin(value: Tensor, found: Appraisal, price: Tensor, here: Tensor, level: Tensor) -> Tensor:
    """(N,) what a bundle saves less what its new items are short of, as a share of its price."""
    short = (shortfall(value, price, found.slope) * (here & ~found.wanted)).sum(1)
    full = (price * here).sum(1)
    return (level * full - short) / full.clamp(min=1e-9)
