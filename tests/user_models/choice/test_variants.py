"""Variants that follow: the chance is found in a log drawn with it."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from bundlegym.data import DataConfig, Dataset, Log, build_dataset
from bundlegym.user_models.choice.estimation.variants import fit_variants, product_lines

SHOPPERS, WEEKS, LINES, VARIANTS = 300, 40, 60, 8  # product lines, variants of each
#: Chance of a further variant: of even product lines, of odd ones.
FURTHER = (0.4, 0.0)


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    """A visit a shopper and week holds purchases of any product line, each followed by others of its
    variants."""
    rng = np.random.default_rng(0)
    rows = []
    for basket in range(SHOPPERS * WEEKS):
        for line in rng.integers(LINES, size=1 + rng.poisson(2)):
            n = min(rng.geometric(1 - FURTHER[line % 2]), VARIANTS)
            rows += [(basket, line * VARIANTS + v) for v in rng.permutation(VARIANTS)[:n]]
    basket, item = np.array(rows).T
    n_items = LINES * VARIANTS
    line = np.arange(n_items) // VARIANTS
    transactions = pd.DataFrame(
        {
            "shopper": basket // WEEKS,
            "basket": basket,
            "item": item,
            "time": pd.Timestamp("2024-01-01") + pd.to_timedelta(basket % WEEKS * 7 + 2, unit="D"),
            "quantity": 1,
            "price_paid": 1.0 + item // VARIANTS,
            "list_price": 1.0 + item // VARIANTS,
            "week": basket % WEEKS + 1,
        }
    ).drop_duplicates(["basket", "item"])
    items = pd.DataFrame(
        {
            "item": np.arange(n_items),
            "name": [f"item {i}" for i in range(n_items)],
            "department": "ALL",
            "category": np.char.mod("category %d", line % 10 // 2),
            "subcategory": np.char.mod("subcategory %d", line % 10),
            "brand": "Alder",
            "unit_cost": 0.5 + line,
        }
    )
    log = Log(name="drawn", transactions=transactions, items=items, shoppers=None, promotions=None, notes=())
    return build_dataset(log, DataConfig(log="drawn", min_purchases=1))


def test_variants_of_a_product_line_share_subcategory_brand_and_price(dataset):
    code = product_lines(dataset)
    drawn = dataset.items["item"].to_numpy() // VARIANTS
    assert len(np.unique(code)) == LINES
    assert len(pd.DataFrame({"code": code, "drawn": drawn}).drop_duplicates()) == LINES


def test_the_unit_of_money_changes_no_product_line(dataset):
    prices = dataset.items["list_price"]
    scaled = dataclasses.replace(dataset, items=dataset.items.assign(list_price=prices * 1e-5))
    assert (product_lines(scaled) == product_lines(dataset)).all()


def test_the_chance_of_a_further_variant_is_found(dataset):
    everyone = np.ones(dataset.n_shoppers, dtype=bool)
    found = fit_variants(dataset, (0, WEEKS), everyone, shortlist_size=20)
    drawn = np.zeros(LINES, dtype=np.int64)
    drawn[found.variants.product_line.numpy()] = dataset.items["item"].to_numpy() // VARIANTS
    even = drawn % 2 == 0
    followers = found.followers.numpy()
    assert followers[even].mean() == pytest.approx(FURTHER[0], abs=0.04)
    assert followers[~even].mean() == pytest.approx(FURTHER[1], abs=0.04)
    # A further variant that is the same again is no further one, so more are drawn.
    assert (found.variants.follow_prob >= found.followers).all()
