"""Leanings that purchases were drawn by are found, and are what the tail draws by."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from bundlegym.data import DataConfig, Dataset, Log, build_dataset
from bundlegym.user_models import ChoiceShopper, Draws
from bundlegym.user_models.choice.reference.long_tail import tail_items, tail_tables
from bundlegym.user_models.choice.reference.recent_trials import NONE, TRIED
from bundlegym.user_models.choice.reference.utility import unbought
from bundlegym.user_models.components.attribute_tastes import fit_attribute_tastes, trait_range, traits
from bundlegym.user_models.components.preferences import Preferences
from tests.user_models.logs import weekly_lines

SHOPPERS, GROUPS, SIZE, LINES = 400, 60, 8, 60
GROUP = np.repeat(np.arange(GROUPS), SIZE)
EVERYONE = np.ones(SHOPPERS, dtype=bool)


def drawn(spread: tuple[float, ...]) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Traits, the shop's shares within subcategories, theta by its `spread`, and which items each shopper has
    bought in `LINES` lines."""
    rng = np.random.default_rng(0)
    trait = rng.normal(size=(GROUPS * SIZE, len(spread))).astype(np.float32)
    within = rng.dirichlet(np.full(SIZE, 3.0), GROUPS).ravel()
    theta = rng.normal(size=(SHOPPERS, len(spread))) * spread
    share = within * np.exp(theta @ trait.T)
    share /= np.add.reduceat(share, np.arange(0, len(GROUP), SIZE), axis=1)[:, GROUP] * GROUPS
    return trait, within, theta, rng.poisson(LINES * share) > 0


@pytest.mark.parametrize("spread", [(0.8, 0.3), (0.5, 0.0), (0.0, 0.0)])
def test_leanings_come_out(spread):
    trait, within, theta, bought = drawn(spread)
    found = fit_attribute_tastes(trait, bought, GROUP, within, EVERYONE)
    for k in range(len(spread)):
        if spread[k] == 0:
            assert found[:, k].std() < 0.05
        else:
            slope = np.polyfit(found[:, k], theta[:, k], 1)[0]
            assert slope == pytest.approx(1.0, abs=0.15)  # a mean given what was seen is right on average
            assert np.corrcoef(found[:, k], theta[:, k])[0, 1] > 0.75


def test_variances_come_from_the_shoppers_asked_for():
    trait, within, _, bought = drawn((0.8, 0.3))
    half = np.arange(SHOPPERS) < SHOPPERS // 2
    bought[~half] = False
    found = fit_attribute_tastes(trait, bought, GROUP, within, half)
    assert (found[half] == fit_attribute_tastes(trait, bought[half], GROUP, within, half[half])).all()
    assert (found[~half] == 0).all()  # of whom nothing is known


@pytest.fixture(scope="module")
def leaning_log() -> Dataset:
    """Subcategories of 8 items by two brands at four prices; some shoppers like the dear, some the cheap."""
    rng = np.random.default_rng(0)
    place = np.arange(GROUPS * SIZE) % SIZE
    liking = np.exp(rng.normal(0, 0.8, SHOPPERS)[:, None] * (place % 4 - 1.5))
    baskets = [np.nonzero(rng.random(liking.shape) < 0.01 * liking) for _ in range(20)]
    lines = weekly_lines(baskets)
    lines["list_price"] = lines["price_paid"] = 1.0 + place[lines["item"]] % 4
    items = pd.DataFrame(
        {
            "item": np.arange(GROUPS * SIZE),
            "category": np.char.mod("c%d", GROUP // 4),
            "subcategory": np.char.mod("s%d", GROUP),
            "brand": np.where(place < 3, "Alder", "Birch"),
        }
    )
    return build_dataset(Log("leaning", lines, items=items), DataConfig(log="leaning", min_purchases=1))


def test_traits_are_apart_from_the_subcategory_and_of_brands_beside_the_greatest(leaning_log):
    taste = Preferences.fit(leaning_log, (0, 20), EVERYONE)
    popularity = np.exp(taste.log_within)
    found = traits(leaning_log, (0, 20), taste.subcategory, popularity)
    assert found.shape == (leaning_log.n_items, 3)
    mean = np.bincount(taste.subcategory, popularity * found[:, 2])
    assert abs(mean).max() < 1e-4
    alder = (leaning_log.items["brand"] == "Alder").to_numpy()
    assert found[alder, 2].min() > 0 > found[~alder, 2].max()


def test_shares_lean_in_subcategories_where_nothing_was_bought(leaning_log):
    taste = Preferences.fit(leaning_log, (0, 20), EVERYONE)
    share = np.exp(taste.log_share)
    assert share.sum(1) == pytest.approx(1.0, abs=0.02)  # trends add to one shopper's and take from another's
    price = np.log(leaning_log.list_price.mean(1))
    new = taste.count == 0
    dear = ((share * new) @ price) / (share * new).sum(1)
    past = (taste.count @ price) / taste.count.sum(1)
    assert np.corrcoef(dear, past)[0, 1] > 0.8


def test_leanings_leave_the_share_of_a_subcategory_as_it_is(leaning_log):
    t = ChoiceShopper.fit(leaning_log, weeks=(0, 20), epochs=1, progress=lambda _: None).tensors
    shopper, n_items = torch.arange(20), len(p.catalogue.subcategory)
    rate = unbought(t, shopper, torch.arange(n_items).expand(20, -1)).exp()
    of_group = torch.zeros(n_items, int(p.catalogue.subcategory.max()) + 1)
    of_group[torch.arange(n_items), p.catalogue.subcategory] = 1.0
    total = p.long_tail.tail_weight[shopper, :-1] * (p.long_tail.log_within.exp() @ of_group)
    assert torch.allclose(rate @ of_group, total, rtol=1e-4)


def first_of_tail(
    attraction: np.ndarray, trait: np.ndarray, leaning: float, deal_class: np.ndarray
) -> np.ndarray:
    """(N,) the item that each of N shoppers draws, all of one subcategory; `attraction` (classes, I)."""
    n, items = len(deal_class), len(trait)
    group = np.zeros(items, np.int64)
    tables = tail_tables(attraction, group, group) | {"trait_range": trait_range(trait, group)}
    zero = torch.zeros(n, dtype=torch.int64)
    t = {name: torch.from_numpy(table) for name, table in tables.items()} | {
        "leaning": torch.full((n, 1), leaning),
        "trait": torch.from_numpy(trait),
        "deal_class": torch.from_numpy(deal_class),
        "deal_factor": torch.ones(n),
        "group_category": torch.tensor([0, 1]),
        "product": zero[:items],
        "follow": torch.zeros(1),
        "memory_item": zero[:1],
        "tail_weight": torch.ones(n, 2),
        "tried_weight": torch.ones(items),
        "tried_left": torch.ones(TRIED),
        "coefficient_promotion_answer": torch.ones(2),
        "memory_cdf": torch.ones(1, dtype=torch.float64),
        "price_push": torch.zeros(1, items),
        "promotion_push": torch.zeros(1, items),
        "drift": torch.zeros(2, 1, items),
    }
    total, bought = torch.ones(n, 2), torch.ones(n, 1, dtype=torch.bool)
    everyone = torch.arange(n)
    state = {"shopper": everyone, "tried": torch.full((n, TRIED), NONE)}
    return tail_items(t, state, zero, total, bought, Draws(0, everyone, zero))[:, 0].numpy()


def test_the_tail_draws_as_they_lean():
    n, items = 40_000, 6
    attraction = np.arange(1.0, items + 1)
    trait = np.linspace(-1.5, 1.5, items, dtype=np.float32)[:, None]
    found = first_of_tail(attraction[None], trait, -1.0, np.zeros(n, np.int64))
    wanted = attraction * np.exp(-trait[:, 0])
    assert np.bincount(found) / n == pytest.approx(wanted / wanted.sum(), abs=0.01)


def test_the_tail_draws_for_each_class_of_answers_to_a_price():
    attraction = np.array([[1.0, 1.0, 2.0], [1.0, 3.0, 2.0]])
    deal_class = np.arange(40_000) % 2
    found = first_of_tail(attraction, np.zeros((3, 1), np.float32), 0.0, deal_class)
    for one in (0, 1):
        share = np.bincount(found[deal_class == one]) / (deal_class == one).sum()
        assert share == pytest.approx(attraction[one] / attraction[one].sum(), abs=0.015)


def test_who_answers_more_to_a_price_is_in_a_higher_class_that_answers_more(user_model):
    t = user_model.tensors
    factor, row = p.marketing.price_sensitivity, p.marketing.sensitivity_class
    assert factor[row == 0].max() <= factor[row == 1].min()
    assert torch.bincount(row).min() >= len(row) // 2
    weeks = len(p.marketing.price_effect)
    by_class = p.long_tail.tail_attraction.reshape(2, weeks, -1)[:, :, :-1]
    cut = (
        torch.zeros(weeks, by_class.shape[2]).index_add(
            1, p.catalogue.subcategory, (p.marketing.price_effect > 0).float()
        )
        > 0
    )
    more = torch.log(by_class[1] / by_class[0])
    assert more[cut].mean() > 0.005 and more[~cut].max() < 1e-4 and more[~cut].mean() < 0


def test_an_item_on_its_way_out_is_liked_less_by_all_who_bought_it():
    rng, bought = np.random.default_rng(1), []
    for week in range(40):
        rate = np.full((400, 20), 0.2)
        rate[:, 0] = 0.2 if week < 24 else 0.02
        bought.append(np.nonzero(rng.random(rate.shape) < rate))
    items = pd.DataFrame({"item": np.arange(20), "category": "c", "subcategory": "s"})
    log = Log("drawn", weekly_lines(bought), items=items)
    dataset = build_dataset(log, DataConfig(log="drawn", min_purchases=1))
    taste = Preferences.fit(dataset, (0, 40), np.ones(400, dtype=bool))
    often = taste.count[:, 0] > 2
    share, before = np.exp(taste.log_share)[often, 0], np.exp(taste.log_share - taste.trend)[often, 0]
    assert taste.trend[0] < -0.4 and np.abs(taste.trend[1:]).max() < 0.2
    assert share.mean() < 0.7 * before.mean()
