"""Substitution: the effect is found where it is, and a bundle of substitutes is worth less."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from bundlegym.data import DataConfig, Dataset, Log, build_dataset
from bundlegym.user_models import ChoiceShopper, Draws, Offer
from bundlegym.user_models.base import TAKE
from bundlegym.user_models.choice.estimation.substitution import SubstitutionMoment
from bundlegym.user_models.components.simulated_moments import match
from bundlegym.user_models.panel import simulated_panel
from tests.user_models.logs import weekly_lines
from tests.user_models.some import all_but

SHOPPERS, WEEKS, GROUPS, ITEMS = 600, 40, 12, 6  # items of each group
SUBSTITUTION = -1.2  # of odd groups, none of even ones


@pytest.fixture(scope="module")
def drawn() -> Dataset:
    """A visit a shopper and week; who likes one item of a group likes the others."""
    rng = np.random.default_rng(0)
    group = np.arange(GROUPS * ITEMS) // ITEMS
    liking = rng.normal(0, 0.5, (SHOPPERS, GROUPS)) * (np.arange(GROUPS) % 2 == 0)
    rate = 0.1 * np.exp(liking)
    rate = rate[:, group] * np.exp(rng.normal(0, 0.5, (SHOPPERS, len(group))))
    bought = []
    for _ in range(WEEKS):
        time = rng.exponential(size=rate.shape) / rate
        first = time.reshape(SHOPPERS, GROUPS, ITEMS).min(2)[:, group]
        late = first + (time - first) * np.exp(-SUBSTITUTION * (group % 2))
        bought.append(np.nonzero(late < 1))
    items = pd.DataFrame(
        {
            "item": np.arange(len(group)),
            "name": np.char.mod("item %d", np.arange(len(group))),
            "department": "ALL",
            "category": np.char.mod("category %d", group // 2),
            "subcategory": np.char.mod("subcategory %02d", group),
            "brand": np.char.mod("brand %d", np.arange(len(group))),
            "unit_cost": 1.0,
        }
    )
    log = Log("drawn", weekly_lines(bought), items=items)
    return build_dataset(log, DataConfig(log="drawn", min_purchases=1))


def test_it_is_told_from_preferences_in_a_drawn_log(drawn):
    options: dict[str, Any] = {"epochs": 1, "without": all_but("substitution"), "progress": lambda _: None}
    model = ChoiceShopper.fit(drawn, weeks=(0, WEEKS), **options)
    odd = drawn.items["subcategory"].str[-2:].astype(int).groupby(drawn.subcategory_code).first() % 2 == 1
    found = model.params.substitution.substitution.numpy()
    assert np.abs(found[~odd]).max() < 0.1
    assert found[odd].mean() == pytest.approx(SUBSTITUTION, rel=0.1)


def test_a_simulation_with_it_gives_it_back(dataset, user_model):
    """On average over six simulations: each has some 1,500 pairs, of shoppers with much luck in common."""
    known = torch.tensor([0.0, SUBSTITUTION]).repeat(len(user_model.params.substitution.substitution) // 2)
    shoppers, weeks = np.arange(dataset.n_shoppers), (6, 22)
    model, found = with_substitution(user_model, torch.zeros_like(known)), []
    for seed in range(100, 700, 100):
        panel = simulated_panel(with_substitution(user_model, known), weeks, shoppers, seed=seed)
        matched = match(model, SubstitutionMoment(model.params, panel), weeks, shoppers, seed=0)
        found.append(matched.params.substitution.substitution.numpy())
    mean = np.mean(found, axis=0)
    assert mean[0::2].min() > -0.2
    assert mean[1::2].mean() == pytest.approx(SUBSTITUTION, rel=0.1)


def with_substitution(model: ChoiceShopper, substitution: torch.Tensor) -> ChoiceShopper:
    return model.with_parameters(model.params.changed(substitution=substitution))


def pairs_offered(
    dataset: Dataset, model: ChoiceShopper, n: int = 2_000
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Shoppers (n,), items (n, 2) of one subcategory each, discounts (n,)."""
    generator = torch.Generator().manual_seed(0)
    one = torch.randint(dataset.n_items, (n,), generator=generator)
    alike = model.params.catalogue.subcategory == model.params.catalogue.subcategory[one, None]
    alike[torch.arange(n), one] = False
    other = alike.float().multinomial(1, generator=generator)[:, 0]
    shopper = torch.randint(dataset.n_shoppers, (n,), generator=generator)
    return shopper, torch.stack([one, other], 1), 0.5 * torch.rand(n, generator=generator)


def answer(model: ChoiceShopper, shopper: torch.Tensor, items: torch.Tensor, discount: torch.Tensor):
    draws = Draws(0, torch.arange(len(shopper)), torch.zeros(len(shopper), dtype=torch.int64))
    return model.respond(model.reset(shopper, torch.full_like(shopper, 70)), Offer(items, discount), draws)[0]


def test_a_bundle_of_substitutes_is_worth_no_more_than_if_they_were_variants(dataset, user_model):
    shopper, items, discount = pairs_offered(dataset, user_model)
    less = torch.full_like(user_model.params.substitution.substitution, -1.0)
    one_line = torch.zeros_like(user_model.params.variants.product_line)
    variants = user_model.with_parameters(user_model.params.changed(product_line=one_line))
    takers = [
        answer(with_substitution(model, less), shopper, items, discount).choice == TAKE
        for model in (user_model, variants)
    ]
    assert (takers[0] <= takers[1]).all() and takers[0].sum() < 0.9 * takers[1].sum()


def test_of_substitutes_bought_the_first_is_kept_and_of_those_taken_all(dataset, user_model):
    shopper, items, _ = pairs_offered(dataset, user_model)
    strict = with_substitution(
        user_model, torch.full_like(user_model.params.substitution.substitution, -30.0)
    )
    response = answer(strict, shopper, items, torch.full((len(items),), 0.6))
    bundle = ((response.item[:, None] == items[response.row]).any(1)) & (
        response.choice[response.row] == TAKE
    )
    key = (
        response.row * len(user_model.params.substitution.substitution)
        + user_model.params.catalogue.subcategory[response.item]
    )
    assert (torch.bincount(key[~bundle]) <= 1).all()
    assert not torch.isin(key[~bundle], key[bundle]).any()
    whole = response.choice == TAKE
    assert whole.any()
    assert (torch.bincount(response.row[bundle], minlength=len(items))[whole] == 2).all()
    # Nobody goes home without anything because of substitutes, or of an offer. (Without either, a visit may
    # be empty where its one purchase is drawn off the shortlist and the whole catalogue is on it.)
    nothing = torch.full_like(items, -1)
    free = with_substitution(user_model, torch.zeros_like(user_model.params.substitution.substitution))
    before = answer(free, shopper, nothing, torch.zeros(len(items))).row.unique()
    assert len(before) > 0.99 * len(items)
    assert torch.isin(before, answer(strict, shopper, nothing, torch.zeros(len(items))).row).all()
    assert torch.isin(before, response.row).all()


def test_too_few_weeks_to_tell_have_no_effect(dataset):
    options: dict[str, Any] = {"epochs": 1, "without": all_but("substitution"), "progress": lambda _: None}
    model = ChoiceShopper.fit(dataset, weeks=(0, 3), **options)
    assert not model.params.substitution.substitution.any()
