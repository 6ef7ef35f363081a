"""Every family by name: the contract, saving, disjoint halves; and what each promises."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from bundlegym.user_models import Draws, Offer
from bundlegym.user_models.base import TAKE
from bundlegym.user_models.panel import logged_panel, simulated_panel
from bundlegym.user_models.registry import FAMILIES
from bundlegym.user_models.testing import problems
from tests.user_models.some import all_but


@pytest.fixture(scope="module", params=sorted(FAMILIES))
def family(request):
    return FAMILIES[request.param]


def test_the_contract_is_kept_and_saving_changes_nothing(family, dataset, few_steps, tmp_path):
    model = family.fit(dataset, progress=lambda _: None)
    assert problems(model, dataset) == []
    model.save(tmp_path)
    assert not list(tmp_path.glob("*.part"))
    shoppers = np.arange(0, dataset.n_shoppers, 5)
    weeks = dataset.split.test_weeks
    again = simulated_panel(family.load(tmp_path), weeks, shoppers)
    assert simulated_panel(model, weeks, shoppers).equals(again)


def test_halves_of_the_shoppers_give_different_models(dataset, few_steps):
    rng = np.random.default_rng(0)
    half = rng.random(dataset.n_shoppers) < 0.5
    for name in ("choice", "sequence", "lookalike"):
        options = {"epochs": 1} | ({"without": all_but()} if name == "choice" else {})
        one, two = (
            FAMILIES[name].fit(dataset, shoppers=shoppers, progress=lambda _: None, **options)
            for shoppers in (half, ~half)
        )
        slopes = [dict(model.params.leaves())["price_slope"] for model in (one, two)]
        assert not torch.equal(*slopes)
    donors = one.params.donor[:, 1:].numpy()
    assert half[donors].all()  # nobody is like a shopper of the other half


def test_replay_is_the_log(dataset):
    model = FAMILIES["replay"].fit(dataset)
    shoppers, weeks = np.arange(dataset.n_shoppers), dataset.split.test_weeks
    columns = ["shopper", "day", "item", "quantity", "price"]
    real, replayed = logged_panel(dataset, weeks, shoppers), simulated_panel(model, weeks, shoppers)
    for panel in (real, replayed):
        panel.sort_values(columns[:4], inplace=True, ignore_index=True)
    assert real[columns].astype(float).round(4).equals(replayed[columns].astype(float).round(4))


def test_a_bundle_that_the_logged_basket_holds_is_taken(dataset):
    model = FAMILIES["replay"].fit(dataset)
    state = model.reset(torch.tensor([0]), torch.tensor([0]))
    draws = Draws(0, torch.tensor([0]), torch.tensor([0]))
    plain, _ = model.respond(state, Offer.nothing(1, 2, model.device), draws)
    held = Offer(plain.item[:1].repeat(1, 1), torch.tensor([0.2]))
    answer, _ = model.respond(state, held, draws)
    assert answer.choice.item() == TAKE
    units = int(plain.quantity[0])
    assert float(answer.price[0]) == pytest.approx(float(plain.price[0]) * (1 - 0.2 / units))
