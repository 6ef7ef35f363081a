"""Flavours that follow: the chance is found in a log drawn with it, and is what the tail draws by."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from bundlegym.data import DataConfig, Dataset, Log, build_dataset
from bundlegym.user_models import Draws
from bundlegym.user_models.choice.estimation.variants import fit_flavours, products
from bundlegym.user_models.choice.reference.long_tail import tail_items, tail_tables
from bundlegym.user_models.choice.reference.recent_trials import NONE, TRIED

SHOPPERS, WEEKS, PRODUCTS, FLAVOURS = 300, 40, 60, 8
#: Chance of a further flavour: of even products, of odd ones.
FURTHER = (0.4, 0.0)


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    """A visit a shopper and week holds purchases of any product, each followed by others of its flavours."""
    rng = np.random.default_rng(0)
    rows = []
    for basket in range(SHOPPERS * WEEKS):
        for product in rng.integers(PRODUCTS, size=1 + rng.poisson(2)):
            n = min(rng.geometric(1 - FURTHER[product % 2]), FLAVOURS)
            rows += [(basket, product * FLAVOURS + f) for f in rng.permutation(FLAVOURS)[:n]]
    basket, item = np.array(rows).T
    n_items = PRODUCTS * FLAVOURS
    product = np.arange(n_items) // FLAVOURS
    transactions = pd.DataFrame(
        {
            "shopper": basket // WEEKS,
            "basket": basket,
            "item": item,
            "time": pd.Timestamp("2024-01-01") + pd.to_timedelta(basket % WEEKS * 7 + 2, unit="D"),
            "quantity": 1,
            "price_paid": 1.0 + item // FLAVOURS,
            "list_price": 1.0 + item // FLAVOURS,
            "week": basket % WEEKS + 1,
        }
    ).drop_duplicates(["basket", "item"])
    items = pd.DataFrame(
        {
            "item": np.arange(n_items),
            "name": [f"item {i}" for i in range(n_items)],
            "department": "ALL",
            "category": np.char.mod("category %d", product % 10 // 2),
            "subcategory": np.char.mod("subcategory %d", product % 10),
            "brand": "Alder",
            "unit_cost": 0.5 + product,
        }
    )
    log = Log(name="drawn", transactions=transactions, items=items, shoppers=None, promotions=None, notes=())
    return build_dataset(log, DataConfig(log="drawn", min_purchases=1))


def test_flavours_of_a_product_share_subcategory_brand_and_price(dataset):
    code = products(dataset)
    drawn = dataset.items["item"].to_numpy() // FLAVOURS
    assert len(np.unique(code)) == PRODUCTS
    assert len(pd.DataFrame({"code": code, "drawn": drawn}).drop_duplicates()) == PRODUCTS


def test_the_chance_of_a_further_flavour_is_found(dataset):
    everyone = np.ones(dataset.n_shoppers, dtype=bool)
    found = fit_flavours(dataset, (0, WEEKS), everyone, shortlist_size=20)
    drawn = np.zeros(PRODUCTS, dtype=np.int64)
    drawn[found["product"]] = dataset.items["item"].to_numpy() // FLAVOURS
    even = drawn % 2 == 0
    assert found["followers"][even].mean() == pytest.approx(FURTHER[0], abs=0.04)
    assert found["followers"][~even].mean() == pytest.approx(FURTHER[1], abs=0.04)
    # A further flavour that is the same again is no further one, so more are drawn.
    assert (found["follow"] >= found["followers"]).all()


def test_the_tail_draws_clusters_of_that_size():
    n, items = 20_000, 40
    product = np.arange(items) // 10
    t = {
        name: torch.from_numpy(table)
        for name, table in tail_tables(np.ones((1, items)), np.zeros(items, np.int64), product).items()
    }
    zero = torch.zeros(n, dtype=torch.int64)
    t |= {
        "leaning": torch.zeros(n, 1),
        "trait": torch.zeros(items, 1),
        "trait_range": torch.zeros(1, 2, 1),
        "deal_class": zero,
        "deal_factor": torch.ones(n),
        "group_category": torch.tensor([0, 1]),
        "product": torch.from_numpy(product),
        "follow": torch.full((4,), 0.3),
        "memory_item": zero[:1],
        "tail_weight": torch.ones(1, 2),
        "tried_weight": torch.ones(items),
        "tried_left": torch.ones(TRIED),
        "coefficient_promotion_answer": torch.ones(2),
        "memory_cdf": torch.ones(1, dtype=torch.float64),
        "price_push": torch.zeros(1, items),
        "promotion_push": torch.zeros(1, items),
        "drift": torch.zeros(2, 1, items),
    }
    state = {"shopper": zero, "tried": torch.full((n, TRIED), NONE)}
    bought = torch.zeros(n, 64, dtype=torch.bool)
    bought[:, 0] = True
    total = torch.tensor([[1.0, 1.0]]).expand(n, 2).contiguous()
    drawn = tail_items(t, state, zero, total, bought, Draws(0, torch.arange(n), zero))
    assert float((drawn >= 0).sum(1).float().mean()) == pytest.approx(1 / (1 - 0.3), rel=0.02)
    assert ((drawn < 0) | (drawn // 10 == drawn[:, :1] // 10)).all()
    others = drawn[:, 1][drawn[:, 1] >= 0] % 10
    assert np.bincount(others.numpy(), minlength=10).min() > 0.08 * len(others)
