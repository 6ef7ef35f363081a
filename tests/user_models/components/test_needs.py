"""A log drawn with needs by category is found to be so, and one with needs by subcategory, too."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from bundlegym.data import DataConfig, Dataset, Log, build_dataset
from bundlegym.user_models import ChoiceShopper
from bundlegym.user_models.components.needs import by_needs
from tests.user_models.logs import weekly_lines
from tests.user_models.some import all_but

SHOPPERS, WEEKS, CATEGORIES, KINDS, ITEMS = 300, 20, 6, 3, 4  # subcategories of a category, items of each
KIND = np.arange(CATEGORIES * KINDS * ITEMS) // ITEMS
CATEGORY = KIND // KINDS


def drawn(need: np.ndarray) -> Dataset:
    """A visit a shopper and week, which holds at most one item of each `need` (I,) and seldom a second; who
    likes one item of a category likes the others."""
    rng = np.random.default_rng(0)
    liking = rng.normal(0, 0.5, (SHOPPERS, CATEGORIES))[:, CATEGORY]
    rate = 0.05 * np.exp(liking + rng.normal(0, 0.5, (SHOPPERS, len(need))))
    bought = []
    for _ in range(WEEKS):
        time = rng.exponential(size=rate.shape) / rate
        order = pd.DataFrame(time.T).groupby(need).rank().to_numpy().T
        second = rng.random(time.shape) < 0.1
        bought.append(np.nonzero((time < 1) & ((order == 1) | second)))
    items = pd.DataFrame(
        {
            "item": np.arange(len(need)),
            "category": np.char.mod("category %d", CATEGORY),
            "subcategory": np.char.mod("kind %02d", KIND),
            "brand": np.char.mod("brand %d", np.arange(len(need))),
        }
    )
    log = Log("drawn", weekly_lines(bought), items=items)
    return build_dataset(log, DataConfig(log="drawn", min_purchases=1))


def needs_found(dataset: Dataset) -> tuple[np.ndarray, str]:
    told: list[str] = []
    everyone = np.ones(dataset.n_shoppers, dtype=bool)
    return by_needs(dataset, (0, WEEKS), everyone, told.append).subcategory_code, told[0]


@pytest.mark.parametrize("by_category", [[], [0, 1, 2, 3, 4, 5], [1, 4]])
def test_each_category_is_as_it_was_drawn(by_category: list[int]) -> None:
    need = np.where(np.isin(CATEGORY, by_category), KINDS * CATEGORY, KIND)
    told: list[str] = []
    found = by_needs(drawn(need), (0, WEEKS), np.ones(SHOPPERS, dtype=bool), told.append)
    assert (found.subcategory_code == np.unique(need, return_inverse=True)[1]).all()
    assert told[0].startswith(
        f"user model: of {CATEGORIES} categories with several subcategories {len(by_category)} count"
    )


def test_a_fit_goes_by_needs_unless_told_not_to(few_steps) -> None:
    dataset = drawn(KINDS * CATEGORY)
    for mechanisms, subcategory in (("needs",), CATEGORY), ((), KIND):
        without = all_but(*mechanisms)
        params = ChoiceShopper.fit(dataset, epochs=1, without=without, progress=lambda _: None).params
        assert (params.catalogue.subcategory.numpy() == subcategory).all()
