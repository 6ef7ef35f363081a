"""The compiled visit of a `ChoiceShopper` and the one in torch decide alike."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch

from bundlegym.user_models import ChoiceShopper, Draws, Offer
from bundlegym.user_models.base import Response
from bundlegym.user_models.choice.bounds import FIRST_GAP
from bundlegym.user_models.choice.compiled.visit import respond
from bundlegym.user_models.choice.parameters import ChoiceParameters
from bundlegym.user_models.choice.reference import offers as reference_offers
from bundlegym.user_models.numeric.fast_math import exp32, log32, normal32
from bundlegym.user_models.rng.counter import normal

N = 300  # shoppers, and as many twins


def lines(response: Response) -> dict[tuple[int, int], tuple[int, float]]:
    columns = (response.row, response.item, response.quantity, response.price)
    return {(r, i): (q, p) for r, i, q, p in zip(*(c.tolist() for c in columns), strict=True)}


def offers(model: ChoiceShopper, shopper: torch.Tensor, n: int = N) -> Offer:
    """Some of the shortlist, some of anything, some smaller than others; nothing to the n twins."""
    generator = torch.Generator().manual_seed(0)
    known = model.params.shortlists.shortlist[shopper[:n]]
    favourites = known.gather(1, torch.randint(known.shape[1], (n, 2), generator=generator))
    others = torch.randint(len(model.params.catalogue.category), (n, 2), generator=generator)
    items = torch.cat([favourites, others], 1)
    items[torch.rand(n, 4, generator=generator) < 0.25] = -1
    discount = torch.rand(n, generator=generator) * 0.6
    return Offer(torch.cat([items, torch.full_like(items, -1)]), torch.cat([discount, torch.zeros(n)]))


def with_two_product_lines(params: ChoiceParameters) -> ChoiceParameters:
    """As if the items of a subcategory were variants of two product lines, which are substitutes; variants
    are bought together, and of substitutes one is often all; a constant for each subcategory and size of
    trip."""
    subcategory = params.catalogue.subcategory[params.long_tail.tail_item]
    first = torch.searchsorted(subcategory, subcategory)
    size = torch.bincount(subcategory)[subcategory]
    ordered = 2 * subcategory + (2 * (torch.arange(len(subcategory)) - first) >= size)
    start = torch.searchsorted(ordered, torch.arange(2 * int(subcategory.max()) + 3))
    constants = params.size_constants.size_constants
    return params.changed(
        product_line=torch.empty_like(subcategory).scatter_(0, params.long_tail.tail_item, ordered),
        product_line_start=start,
        follow_prob=torch.full((len(start) - 1,), 0.6),
        substitution=torch.linspace(-2.0, 0.0, int(subcategory.max()) + 1),
        size_constants=torch.linspace(-1.0, 1.0, constants.numel()).reshape_as(constants),
        explore_level=torch.linspace(-1.0, 1.0, len(params.exploration.explore_level)),
        explore_spread=torch.ones(1),
    )


def with_coupons_and_habit(params: ChoiceParameters) -> ChoiceParameters:
    """Three campaigns, in every other week, each to half of the shoppers and for half of the items; half of
    the trials leave a habit."""
    generator = torch.Generator().manual_seed(0)
    member = torch.rand(len(params.shortlists.shortlist), 3, generator=generator) < 0.5
    utility = (torch.rand(3, len(params.catalogue.category), generator=generator) < 0.5).float()
    week = (torch.arange(len(params.prices.shelf_price)) % 2).float()[:, None] * torch.tensor([1.0, 0.4, 0.7])
    return params.changed(
        campaign_member=member, campaign_week=week, coupon_utility=utility, habit_prob=torch.tensor([0.5])
    )


def with_sensitivity(params: ChoiceParameters) -> ChoiceParameters:
    """To promotions, by familiarity."""
    sensitivity = torch.linspace(1.5, 0.3, len(params.coefficients.promotion_sensitivity))
    return params.changed(promotion_sensitivity=sensitivity)


def with_synergy(params: ChoiceParameters) -> ChoiceParameters:
    """Of either sign, between all categories; and exposure that wears out."""
    shape = params.complementarity.synergy.shape
    synergy = torch.randn(shape, generator=torch.Generator().manual_seed(1)) * 0.3
    return params.changed(synergy=(synergy + synergy.T) / 2, wear_out=torch.tensor([1.0, 0.6, 0.3]))


def with_every_part(params: ChoiceParameters) -> ChoiceParameters:
    """With every part of the model at work, and a synergy of either sign between all categories."""
    return with_synergy(with_sensitivity(with_coupons_and_habit(with_two_product_lines(params))))


@pytest.mark.parametrize("more", [False, True])
@pytest.mark.parametrize(
    "options", [{}, {"offer_exposure": 30.0}, {"offer_exposure": 1.0, "bundle_pull": 0.5}]
)
def test_both_paths_decide_alike(model_with_tail, options, more):
    params = with_every_part(model_with_tail.params) if more else model_with_tail.params
    model = ChoiceShopper(params, **options)
    shopper = (torch.arange(N) % len(model.params.shortlists.shortlist)).repeat(2)
    state = model.reset(shopper, (torch.arange(N) % 100 + 30).repeat(2))
    offer, episode = offers(model, shopper), torch.arange(N).repeat(2)
    differ, bought = 0, 0
    for visit in range(4):  # shoppers and twins part from the second on
        draws = Draws(1, episode, torch.full((2 * N,), visit))
        reference, wanted = model._reference(state, offer, draws)
        compiled, state = model._compiled(state, offer, draws)
        assert torch.equal(reference.choice, compiled.choice)
        assert torch.equal(reference.days, compiled.days) and torch.equal(reference.left, compiled.left)
        one, other = lines(reference), lines(compiled)
        assert all(one[k] == pytest.approx(other[k], rel=1e-5) for k in one.keys() & other.keys())
        differ, bought = differ + len(one.keys() ^ other.keys()), bought + len(one)
        assert set(wanted) == set(state)
        history = ("days_since_visit", "last_size_class", "shown", "shown_week", "shown_run")
        for name in ("shopper", "day", *history):
            assert torch.equal(wanted[name], state[name]), name
        assert (wanted["last_bought"] != state["last_bought"]).sum() <= 2
        assert (wanted["recent_trials"] != state["recent_trials"]).any(1).sum() <= differ
    # A running sum of float32 rates may put a draw that falls on a border on its other side.
    assert bought > 2 * N and differ <= max(2, bought // 1_000)


def test_both_paths_recall_the_same_history(model_with_tail):
    everyone = torch.arange(len(model_with_tail.params.shortlists.shortlist))
    for day in (-1, 0, 6, 7, 60, 100, 10_000):
        asked = everyone, torch.full_like(everyone, day)
        compiled, reference = (
            model_with_tail._before_week(*asked),
            model_with_tail._before_week_reference(*asked),
        )
        for one, other in zip(compiled, reference, strict=True):
            assert one.dtype == other.dtype and torch.equal(one, other), day
    since, _, last, _ = model_with_tail._before_week(everyone, torch.full_like(everyone, 100))
    trials = model_with_tail._before_week(everyone, torch.full_like(everyone, 10_000))[3]
    assert (since < FIRST_GAP).any() and (last >= 0).any() and (trials >= 0).any()


def test_a_pickled_model_answers_alike(model_with_tail):
    shopper = torch.arange(5)
    draws, nothing = Draws(0, shopper, torch.zeros_like(shopper)), Offer.nothing(5, 1, model_with_tail.device)
    found = []
    for model in (model_with_tail, pickle.loads(pickle.dumps(model_with_tail))):
        found.append(lines(model.respond(model.reset(shopper, torch.full((5,), 60)), nothing, draws)[0]))
    assert found[0] == found[1] != {}


def test_both_paths_appraise_alike(model_with_tail):
    params = with_every_part(model_with_tail.params)
    model = ChoiceShopper(params, offer_exposure=1.0)
    shopper = torch.arange(N) % len(params.shortlists.shortlist)
    state, draws = (
        model.reset(shopper, torch.arange(N) % 100 + 30),
        Draws(1, shopper, torch.zeros_like(shopper)),
    )
    items = torch.randint(len(params.catalogue.category), (N, 9), generator=torch.Generator().manual_seed(2))
    compiled = model._appraise_compiled(state, items, draws)
    reference = model._appraise_reference(state, items, draws)
    assert torch.equal(compiled[0], reference[0]) and torch.equal(compiled[1], reference[1])
    assert compiled[0].any() and (compiled[1] > 1).any()
    for one, other in zip(compiled[2:], reference[2:], strict=True):
        assert torch.allclose(one, other, atol=1e-5)
    pair = reference_offers.pairs(params, items, reference[2])
    assert torch.equal(model.appraise(state, items, draws).pair, pair)
    assert (pair > 0).any() and (pair < 0).any() and not torch.equal(pair, pair.transpose(1, 2))


def test_an_offer_that_is_part_of_a_wider_table_compiles_nothing_anew(model_with_tail):
    shopper = torch.arange(4)
    state = model_with_tail.reset(shopper, torch.full((4,), 60))
    draws = Draws(0, shopper, torch.zeros(4, dtype=torch.int64))
    wide = torch.arange(24).reshape(4, 6)
    discount = torch.full((4, 2), 0.2)
    whole = model_with_tail.respond(state, Offer(wide[:, :3].clone(), discount[:, 0].clone()), draws)[0]
    known = len(respond.signatures)
    part = model_with_tail.respond(state, Offer(wide[:, :3], discount[:, 0]), draws)[0]
    assert lines(part) == lines(whole) and len(respond.signatures) == known


def test_an_odd_batch_without_twins(model_with_tail):
    shopper = torch.arange(5)
    state = model_with_tail.reset(shopper, torch.full((5,), 60))
    draws = Draws(0, shopper, torch.zeros(5, dtype=torch.int64))
    nothing = Offer.nothing(5, 1, model_with_tail.device)
    reference, compiled = (
        run(state, nothing, draws)[0] for run in (model_with_tail._reference, model_with_tail._compiled)
    )
    assert lines(reference).keys() == lines(compiled).keys() and torch.equal(reference.days, compiled.days)


@pytest.mark.parametrize(
    ("compiled", "exact", "error"),
    [
        (normal32, normal, {"atol": 2e-6, "rtol": 0.0}),
        (log32, torch.log, {"atol": 0.0, "rtol": 3e-7}),
        (lambda p: exp32(np.log(p)), lambda p: p, {"atol": 0.0, "rtol": 3e-6}),
    ],
)
def test_compiled_functions_are_as_exact_as_float32(compiled, exact, error):
    luck = (torch.arange(0, 1 << 23, 997) + 0.5) / (1 << 23)
    assert torch.allclose(torch.tensor([compiled(p) for p in luck.numpy()]), exact(luck), **error)
