"""What a user model of somebody's own answers is looked at before compiled code looks it up."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from bundlegym import UserError
from bundlegym.envs import make_core
from bundlegym.user_models import ChoiceShopper
from bundlegym.user_models.base import Response

LAST = 2**62


def at_last(response: Response, **values) -> Response:
    """The answer with other last values."""
    changed = {}
    for name, value in values.items():
        changed[name] = getattr(response, name).clone()
        changed[name][-1] = value
    return dataclasses.replace(response, **changed)


def spoilt(user_model: ChoiceShopper, change) -> ChoiceShopper:
    class Own(ChoiceShopper):
        def respond(self, state, offer, draws):
            response, after = super().respond(state, offer, draws)
            return change(response), after

    return Own(user_model.params)


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize(
    "change, words",
    [
        (lambda r: at_last(r, item=99_999), "item 99999 is out of range; must be an item's code, 0..119"),
        (lambda r: at_last(r, item=-1), "item -1 is out of range"),
        (lambda r: at_last(r, item=LAST), f"item {LAST} is out of range"),
        (lambda r: at_last(r, row=8), "row 8 is out of range; must be the shopper's row, 0..7"),
        (lambda r: at_last(r, row=-LAST), f"row -{LAST} is out of range"),
        (lambda r: at_last(r, quantity=0), "quantity 0 is out of range"),
        (lambda r: at_last(r, quantity=10**15), f"quantity {10**15} is out of range; must be 1..1000000"),
        (lambda r: at_last(r, days=LAST), f"days {LAST} is out of range; must be 0..100000"),
        (lambda r: at_last(r, price=1e30), "price .* is out of range"),
        (
            lambda r: dataclasses.replace(r, price=r.price.clone().requires_grad_()),
            "price requires gradients",
        ),
        (lambda r: at_last(r, price=float("nan")), "price nan is out of range"),
        (lambda r: at_last(r, price=float("inf")), "price inf is out of range"),
        (lambda r: at_last(r, price=-1.0, days=-2), "price -1.0 .*; respond: days -2 is out of range"),
        (lambda r: at_last(r, choice=3), "choice 3 is out of range"),
        (lambda r: dataclasses.replace(r, days=r.days[:3]), r"days has shape \(3,\); must be \(8,\)"),
        (lambda r: dataclasses.replace(r, item=r.item[:-1]), "item has shape"),
        (lambda r: dataclasses.replace(r, row=r.row[0]), r"row has shape \(\)"),
        (lambda r: dataclasses.replace(r, price=r.price.double()), "price must be a tensor of float32"),
        (lambda r: dataclasses.replace(r, left=r.left.tolist()), "left must be a tensor of bool"),
    ],
)
def test_an_answer_out_of_range_is_an_error_in_words(compiled, change, words, dataset, user_model, make_core):
    core = make_core(4)
    core._views(compiled)
    core.user_model, core._shaped = spoilt(user_model, change), False
    with pytest.raises(UserError, match=f"user model Own: .*{words}"):
        core.step(torch.full((4,), core.k))


def test_a_class_of_ones_own_is_known_for_one(dataset, user_model):
    own = spoilt(user_model, lambda response: dataclasses.replace(response, days=response.days[:1]))
    core = make_core(4, dataset=dataset, user_model=own)
    core.reset()
    with pytest.raises(UserError, match="days has shape"):
        core.step(torch.full((4,), core.k))


def test_a_reward_that_is_not_finite_is_an_error_in_words(dataset, user_model):
    core = make_core(4, dataset=dataset, user_model=user_model, reward=lambda c: c["margin"] / 0)
    core.reset()
    with pytest.raises(UserError, match="reward: it is not finite"):
        core.step(torch.full((4,), core.k))
