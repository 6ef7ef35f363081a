"""ChoiceShopper: recovery of known effects, the response's economics, saving, draws."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import load_file, save_file

from bundlegym.errors import UserError
from bundlegym.user_models import ChoiceShopper, Draws, Offer
from bundlegym.user_models.base import TAKE
from tests.sealing import edit_sealed


@pytest.fixture
def visit(user_model):
    n = 256
    shopper = torch.arange(n) % user_model.params.shortlists.shortlist.shape[0]
    state = user_model.reset(shopper, torch.full((n,), 70))
    return state, Draws(0, torch.arange(n), torch.zeros(n, dtype=torch.int64))


def offer(user_model, state, discount: float) -> Offer:
    items = user_model.params.shortlists.shortlist[state["shopper"]][:, :3]
    return Offer(items, torch.full((len(items),), discount))


def test_uniform_draws_are_uniform_and_streams_apart():
    draws = Draws(3, torch.arange(20_000), torch.zeros(20_000, dtype=torch.int64))
    a, b = draws.uniform(0), draws.uniform(1)
    assert abs(a.mean() - 0.5) < 0.01 and abs(a.std() - 12**-0.5) < 0.01
    assert abs(torch.corrcoef(torch.stack([a, b]))[0, 1]) < 0.03
    assert 0 < a.min() and a.max() < 1


def test_bigger_discount_is_taken_by_all_who_took_a_smaller(user_model, visit):
    state, draws = visit
    takers = [
        user_model.respond(state, offer(user_model, state, d), draws)[0].choice == TAKE
        for d in (0.05, 0.3, 0.6)
    ]
    assert (takers[0] <= takers[1]).all() and (takers[1] <= takers[2]).all()
    assert takers[2].sum() > takers[0].sum()


def test_takers_hold_the_whole_bundle_at_the_discount(user_model, visit):
    state, draws = visit
    made = offer(user_model, state, 0.6)
    response, _ = user_model.respond(state, made, draws)
    shelf = user_model.params.prices.shelf_price[10]
    for row in (response.choice == TAKE).nonzero()[:10, 0].tolist():
        mine = response.row == row
        basket = dict(
            zip(
                response.item[mine].tolist(),
                zip(response.price[mine], response.quantity[mine], strict=True),
                strict=True,
            )
        )
        for item in made.items[row].tolist():
            price, units = basket[item]
            assert torch.isclose(price, shelf[item] * (1 - 0.6 / units))


def test_respond_does_not_change_the_state_it_is_given(user_model, visit):
    state, draws = visit
    before = {name: value.clone() for name, value in state.items()}
    user_model.respond(state, offer(user_model, state, 0.3), draws)
    assert all(torch.equal(before[name], state[name]) for name in before)


def test_fit_finds_the_price_response_of_the_synthetic_log(user_model):
    # The synthetic log is drawn with a price response; a promotion must raise the odds of a purchase.
    assert (user_model.params.coefficients.price > 0.5).all()


def test_models_under_other_assumptions_share_what_is_compiled_of_their_parameters(user_model, visit):
    state, draws = visit
    other = user_model.under(offer_exposure=1.0, bundle_pull=0.5)
    user_model.respond(state, offer(user_model, state, 0.1), draws)
    assert other._structs.tables is user_model._structs.tables
    assert (other.assumed.offer_exposure, user_model.assumed.offer_exposure) == (1.0, 0.0)
    alone = user_model.with_parameters(user_model.params)
    assert alone._structs is not user_model._structs


def test_save_and_load_give_the_same_answers(user_model, visit, tmp_path):
    state, draws = visit
    user_model.save(tmp_path)
    again = ChoiceShopper.load(tmp_path)
    one, _ = user_model.respond(state, offer(user_model, state, 0.3), draws)
    two, _ = again.respond(state, offer(user_model, state, 0.3), draws)
    assert torch.equal(one.item, two.item) and torch.equal(one.choice, two.choice)


def test_loading_what_an_earlier_version_wrote_is_a_clear_error(user_model, tmp_path):
    user_model.save(tmp_path)
    leaves = load_file(tmp_path / "choice.safetensors")
    del leaves["habit_prob"]
    save_file(leaves, tmp_path / "choice.safetensors")
    edit_sealed(tmp_path / "choice.json")
    with pytest.raises(UserError, match="earlier version"):
        ChoiceShopper.load(tmp_path)


def test_loading_from_an_empty_folder_is_a_clear_error(tmp_path):
    with pytest.raises(UserError, match="no readable user model 'choice'"):
        ChoiceShopper.load(tmp_path)
