"""Attribute tastes that purchases were drawn by are found."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.sparse import csr_matrix

from bundlegym.data import DataConfig, Dataset, Log, build_dataset
from bundlegym.user_models import ChoiceShopper
from bundlegym.user_models.choice.reference.utility import unbought
from bundlegym.user_models.components.attribute_tastes import attributes, shopper_tastes
from bundlegym.user_models.components.preferences import Preferences
from tests.user_models.logs import weekly_lines
from tests.user_models.some import all_but

SHOPPERS, GROUPS, SIZE, LINES = 400, 60, 8, 60
GROUP = np.repeat(np.arange(GROUPS), SIZE)
EVERYONE = np.ones(SHOPPERS, dtype=bool)


def drawn(spread: tuple[float, ...]) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Attributes, the shop's shares within subcategories, theta by its `spread`, and which items each shopper
    has bought in `LINES` lines."""
    rng = np.random.default_rng(0)
    attribute = rng.normal(size=(GROUPS * SIZE, len(spread))).astype(np.float32)
    within = rng.dirichlet(np.full(SIZE, 3.0), GROUPS).ravel()
    theta = rng.normal(size=(SHOPPERS, len(spread))) * spread
    share = within * np.exp(theta @ attribute.T)
    share /= np.add.reduceat(share, np.arange(0, len(GROUP), SIZE), axis=1)[:, GROUP] * GROUPS
    return attribute, within, theta, rng.poisson(LINES * share) > 0


def tastes(attribute: np.ndarray, within: np.ndarray, bought: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Tastes of all shoppers; the variances are fitted on those in the mask `known`."""
    return shopper_tastes(attribute, csr_matrix(bought), GROUP, within, known)


@pytest.mark.parametrize("spread", [(0.8, 0.3), (0.5, 0.0), (0.0, 0.0)])
def test_tastes_come_out(spread):
    attribute, within, theta, bought = drawn(spread)
    found = tastes(attribute, within, bought, EVERYONE)
    for k in range(len(spread)):
        if spread[k] == 0:
            assert found[:, k].std() < 0.05
        else:
            slope = np.polyfit(found[:, k], theta[:, k], 1)[0]
            assert slope == pytest.approx(1.0, abs=0.15)  # a mean given what was seen is right on average
            assert np.corrcoef(found[:, k], theta[:, k])[0, 1] > 0.75


def test_variances_come_from_the_shoppers_asked_for():
    attribute, within, _, bought = drawn((0.8, 0.3))
    half = np.arange(SHOPPERS) < SHOPPERS // 2
    bought[~half] = False
    found = tastes(attribute, within, bought, half)
    assert (found[half] == tastes(attribute, within, bought[half], half[half])).all()
    assert (found[~half] == 0).all()  # of whom nothing is known


@pytest.fixture(scope="module")
def unlike_tastes() -> Dataset:
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
    return build_dataset(Log("drawn", lines, items=items), DataConfig(log="drawn", min_purchases=1))


def test_attributes_are_apart_from_the_subcategory_and_of_brands_beside_the_greatest(unlike_tastes):
    preferences = Preferences.fit(unlike_tastes, (0, 20), EVERYONE)
    popularity = np.exp(preferences.log_within)
    found = attributes(unlike_tastes, (0, 20), preferences.subcategory, popularity)
    assert found.shape == (unlike_tastes.n_items, 3)
    mean = np.bincount(preferences.subcategory, popularity * found[:, 2])
    assert abs(mean).max() < 1e-4
    alder = (unlike_tastes.items["brand"] == "Alder").to_numpy()
    assert found[alder, 2].min() > 0 > found[~alder, 2].max()


def test_tastes_move_shares_in_subcategories_where_nothing_was_bought(unlike_tastes):
    preferences = Preferences.fit(unlike_tastes, (0, 20), EVERYONE)
    share = np.exp(preferences.of(np.arange(SHOPPERS)).table())
    assert share.sum(1) == pytest.approx(1.0, abs=0.02)  # trends add to one shopper's and take from another's
    price = np.log(unlike_tastes.list_price.mean(1))
    new = preferences.count.toarray() == 0
    dear = ((share * new) @ price) / (share * new).sum(1)
    past = (preferences.count @ price) / np.ravel(preferences.count.sum(1))
    assert np.corrcoef(dear, past)[0, 1] > 0.8


def test_tastes_leave_the_share_of_a_subcategory_as_it_is(unlike_tastes):
    options: dict[str, Any] = {
        "epochs": 1,
        "without": all_but("attribute_tastes"),
        "progress": lambda _: None,
    }
    p = ChoiceShopper.fit(unlike_tastes, weeks=(0, 20), **options).params
    shopper, n_items = torch.arange(20), len(p.catalogue.subcategory)
    rate = unbought(p, shopper, torch.arange(n_items).expand(20, -1)).exp()
    of_group = torch.zeros(n_items, int(p.catalogue.subcategory.max()) + 1)
    of_group[torch.arange(n_items), p.catalogue.subcategory] = 1.0
    total = p.long_tail.tail_weight[shopper, :-1] * (p.long_tail.log_within.exp() @ of_group)
    assert torch.allclose(rate @ of_group, total, rtol=1e-4)
