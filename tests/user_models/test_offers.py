"""What an offer does: the rule of mixed bundling by brute force, and the properties of every family."""

from __future__ import annotations

import dataclasses
import itertools
import math

import numpy as np
import pytest
import torch

from bundlegym.user_models import ChoiceShopper, Draws, Offer
from bundlegym.user_models.base import CHERRY_PICK, IGNORE, TAKE, UserModel
from bundlegym.user_models.bundling import shortfall, takes_whole
from bundlegym.user_models.choice.reference.exposure import no_offers, remember, weeks_in_a_row
from bundlegym.user_models.offer_properties import offer_problems
from tests.user_models.choice.test_reference_and_compiled import with_every_part

# --- the rule ---------------------------------------------------------------------------------------------


def best_surplus(reservation: np.ndarray, price: np.ndarray, must: tuple[int, ...], saving: float) -> float:
    """The greatest surplus of a basket that holds `must`, over all subsets of the items (I,)."""
    others = [i for i in range(len(price)) if i not in must]
    subsets = itertools.chain.from_iterable(itertools.combinations(others, k) for k in range(len(others) + 1))
    baskets = [[*must, *more] for more in subsets]
    return max(sum(reservation[b] - price[b]) for b in baskets) + saving


@pytest.mark.parametrize("seed", range(40))
def test_a_bundle_is_taken_where_the_best_of_all_baskets_holds_it(seed):
    rng = np.random.default_rng(seed)
    value, price = rng.normal(0, 1, 6), np.exp(rng.normal(1, 1, 6))
    slope, discount = np.exp(rng.normal(0.3, 0.5, 6)), rng.choice([0.05, 0.1, 0.3, 0.6])
    bundle = tuple(rng.choice(6, rng.integers(1, 5), replace=False).tolist())
    reservation = price * np.exp(value / slope)
    alone = best_surplus(reservation, price, (), 0.0)
    whole = best_surplus(reservation, price, bundle, discount * price[list(bundle)].sum())
    value_, price_, slope_ = (torch.tensor(a[list(bundle)])[None] for a in (value, price, slope))
    here = torch.ones_like(value_, dtype=torch.bool)
    taken = takes_whole(value_, value_ > 0, price_, slope_, here, torch.tensor([discount]))
    assert bool(taken) == (whole >= alone)


@pytest.mark.parametrize("slope", [0.2, 1.0, 4.0])
def test_one_item_is_taken_where_it_would_be_bought_at_a_shelf_price_as_low(slope):
    value, discount = torch.linspace(-2, 0.5, 401)[:, None], torch.full((401,), 0.25)
    one = torch.ones_like(value)
    taken = takes_whole(value, value > 0, 3 * one, slope * one, one > 0, discount)
    assert torch.equal(taken, (value - slope * math.log(0.75) >= 0)[:, 0])


def test_a_shortfall_lies_between_nothing_and_the_price_whatever_the_slope():
    value = torch.tensor([-1e30, -50.0, -1.0, -1e-30, 0.0, 3.0])
    for slope in (1e-6, 0.39, 1e6):
        short = shortfall(value, torch.full_like(value, 2.0), torch.full_like(value, slope))
        assert torch.isfinite(short).all() and (short >= 0).all() and (short <= 2).all()


def test_at_full_price_a_bundle_is_taken_only_where_all_of_it_is_bought_anyway():
    value = torch.tensor([[0.0, 0.0], [0.0, -1e-9], [-1e-9, -1e-9]])
    one, here = torch.ones_like(value), torch.ones_like(value, dtype=torch.bool)
    assert takes_whole(value, value >= 0, one, one, here, torch.zeros(3)).tolist() == [True, False, False]


def test_a_cheap_favourite_does_not_pay_for_what_is_dear():
    """A tenth off an item of 1 is a tenth of 1 to spend, and no tenth of 20."""
    value, wanted = torch.tensor([[0.0, -0.15]]), torch.tensor([[True, False]])
    slope, here, discount = torch.ones(1, 2), torch.ones(1, 2, dtype=torch.bool), torch.tensor([0.1])
    # 20 x (1 - exp(-0.15)) = 2.79 is short of the discount on 21, 2.10, and no more than that on 28, 2.80.
    assert not takes_whole(value, wanted, torch.tensor([[1.0, 20.0]]), slope, here, discount)
    assert takes_whole(value, wanted, torch.tensor([[8.0, 20.0]]), slope, here, discount)


# --- every family -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def rich(user_model) -> ChoiceShopper:
    """With every part of the model at work, and a synergy of either sign between all categories."""
    return user_model.with_parameters(with_every_part(user_model.params))


class Reference(ChoiceShopper):
    """The torch implementation on the CPU."""

    def _compiled(self, state, offer, draws):
        return self._reference(state, offer, draws)

    def _appraise_compiled(self, state, items, draws):
        return self._appraise_reference(state, items, draws)


@pytest.mark.parametrize("kind", [ChoiceShopper, Reference])
def test_an_offer_is_only_its_discount(dataset, rich, kind):
    assert offer_problems(kind(rich.params), dataset, 300) == []


class Faulty(ChoiceShopper):
    """Does something that no shopper to whom an offer is only its discount does."""

    fault = ""

    def respond(self, state, offer, draws):
        if self.fault == "full price":
            offer = dataclasses.replace(offer, discount=offer.discount + 0.01)
        if self.fault == "sated":
            offer = dataclasses.replace(offer, discount=offer.discount * (offer.discount < 0.4))
        response, after = super().respond(state, offer, draws)
        offered = (offer.items[response.row] == response.item[:, None]).any(1)
        took = offered & (response.choice[response.row] == TAKE)
        if self.fault == "more units":
            response = dataclasses.replace(response, quantity=response.quantity + took)
        if self.fault == "dear":
            response = dataclasses.replace(response, price=response.price * (1 + 0.1 * took))
        return response, after


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        ("full price", "at full price changes"),
        ("sated", "and not at a greater one"),
        ("more units", "one unit"),
        ("dear", "does not cost the discount"),
    ],
)
def test_what_is_wrong_with_an_offer_is_found(dataset, user_model, fault, sentence):
    model = Faulty(user_model.params)
    model.fault = fault
    assert any(sentence in problem for problem in offer_problems(model, dataset, 300))


def test_an_offer_of_one_item_does_what_a_shelf_price_as_low_does(dataset, user_model):
    """For what shoppers know (their shortlist), shopper by shopper."""
    week, discount, shopper = 12, 0.3, torch.arange(dataset.n_shoppers).repeat(20)
    draws = Draws(0, torch.arange(len(shopper)), torch.zeros_like(shopper))
    p, day = user_model.params, torch.full_like(shopper, 7 * week)
    offered = cut = before = 0
    for item in range(0, dataset.n_items, 6):
        effect = p.marketing.price_effect.clone()
        effect[week, item] -= p.marketing.price_slope[item] * math.log(1 - discount)
        cheaper = user_model.with_parameters(p.changed(price_effect=effect))
        one = Offer(torch.full((len(shopper), 1), item), torch.full((len(shopper),), discount))
        nothing = Offer.nothing(len(shopper), 1, user_model.device)
        buys = [
            torch.isin(torch.arange(len(shopper)), answer.row[answer.item == item])
            for answer in (
                user_model.respond(user_model.reset(shopper, day), one, draws)[0],
                cheaper.respond(cheaper.reset(shopper, day), nothing, draws)[0],
                user_model.respond(user_model.reset(shopper, day), nothing, draws)[0],
            )
        ]
        offered, cut, before = (n + int(b.sum()) for n, b in zip((offered, cut, before), buys, strict=True))
    assert before > 500 and offered > 1.1 * before
    assert offered == pytest.approx(cut, abs=3 * math.sqrt(cut - before))


# --- exposure ---------------------------------------------------------------------------------------------


def test_weeks_in_a_row_are_counted_and_a_pause_ends_them():
    device, items = torch.device("cpu"), torch.tensor([[3, 5, -1]])
    state, seen = no_offers(1, True, device), []
    for week in (10, 10, 11, 12, 13, 15):
        run = weeks_in_a_row(state, items, torch.tensor([week]))  # type: ignore[arg-type]
        seen.append(run[0, 0].item())
        state = remember(state, items, run, torch.tensor([week]))  # type: ignore[arg-type]
    assert seen == [1, 1, 2, 3, 3, 1]
    assert (state.shown[0] >= 0).sum() == 2
    assert weeks_in_a_row(state, torch.tensor([[7, -1, 5]]), torch.tensor([16]))[0].tolist() == [1, 1, 2]  # type: ignore[arg-type]


def chance(model: UserModel, offer: Offer, weeks: list[int], n: int) -> list[float]:
    """In each of some weeks in a row, the share of shoppers who buy what they are offered."""
    shopper = torch.arange(n) % len(model.params.shortlists.shortlist)
    state, shares = model.reset(shopper, torch.full((n,), 7 * weeks[0])), []
    for number, week in enumerate(weeks):
        state = state | {"day": torch.full((n,), 7 * week)}
        response, state = model.respond(state, offer, Draws(0, torch.arange(n), torch.full((n,), number)))
        shares.append(float(torch.isin(response.choice, torch.tensor([CHERRY_PICK, TAKE])).float().mean()))
    return shares


def test_exposure_wears_out_from_week_to_week(user_model):
    wear_out = torch.tensor([1.0, 0.3, 0.0])
    params = user_model.params.changed(mailer=torch.tensor([1.5]), wear_out=wear_out)
    n = 4_000
    items = params.shortlists.shortlist[torch.arange(n) % len(params.shortlists.shortlist), 3:4]
    offer, weeks = Offer(items, torch.zeros(n)), [10, 11, 12, 14]
    moved = chance(ChoiceShopper(params, offer_exposure=1.0), offer, weeks, n)
    still = chance(ChoiceShopper(params), offer, weeks, n)
    gain = np.array(moved) - np.array(still)
    assert gain[0] > 0.05 and gain[3] > 0.05
    assert 0.1 * gain[0] < gain[1] < 0.6 * gain[0] and abs(gain[2]) < 0.3 * gain[0]


def test_an_offer_that_only_exposes_is_bought_at_the_shelf_price(user_model):
    params, n = user_model.params.changed(mailer=torch.tensor([3.0])), 500
    model = ChoiceShopper(params, offer_exposure=1.0)
    shopper = torch.arange(n) % len(params.shortlists.shortlist)
    items = params.shortlists.shortlist[shopper, :2]
    state, draws = (
        model.reset(shopper, torch.full((n,), 70)),
        Draws(0, torch.arange(n), torch.zeros(n).long()),
    )
    response, _ = model.respond(state, Offer(items, torch.zeros(n)), draws)
    assert torch.equal(response.price, params.prices.shelf_price[10, response.item])
    assert (response.choice == IGNORE).any() and (response.choice == CHERRY_PICK).any()
