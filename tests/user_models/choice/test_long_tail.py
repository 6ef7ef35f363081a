"""What the long tail draws: by shares of items, attribute tastes, price sensitivity and variants."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from bundlegym.user_models import Draws
from bundlegym.user_models.choice.estimation.tail_tables import tail_tables
from bundlegym.user_models.choice.parameters import ChoiceParameters
from bundlegym.user_models.choice.reference.long_tail import tail_items
from bundlegym.user_models.choice.reference.recent_trials import TRIALS
from bundlegym.user_models.components.attribute_tastes import attribute_range
from tests.user_models.some import some, somebody


def a_tail(attraction: np.ndarray, product_line: np.ndarray, n: int, **leaves: Any) -> ChoiceParameters:
    """A tail for N shoppers of items of one subcategory, of `attraction` (classes, I); nobody remembers or
    has tried anything, and no price or promotion moves."""
    items = len(product_line)
    neutral = {
        "attribute_taste": torch.zeros(n, 1),
        "attribute": torch.zeros(items, 1),
        "attribute_range": torch.zeros(1, 2, 1),
        "sensitivity_class": torch.zeros(n, dtype=torch.int64),
        "price_sensitivity": torch.ones(n),
        "category_of_subcategory": torch.tensor([0, 1]),
        "product_line": product_line,
        "product_line_start": np.searchsorted(product_line, np.arange(product_line.max() + 2)),
        "follow_prob": torch.zeros(int(product_line.max()) + 1),
        "memory_item": torch.zeros(1, dtype=torch.int64),
        "memory_cdf": torch.ones(1, dtype=torch.float64),
        "tail_weight": torch.ones(n, 2),
        "trial_weight": torch.ones(items),
        "trial_fading": torch.ones(TRIALS),
        "promotion_sensitivity": torch.ones(2),
        "price_effect": torch.zeros(1, items),
        "promotion_effect": torch.zeros(1, items),
    }
    tables = tail_tables(attraction, len(attraction), np.zeros(items, np.int64), product_line)
    return some(ChoiceParameters, **tables | neutral | leaves)


def first_of_tail(
    attraction: np.ndarray, attribute: np.ndarray, taste: float, sensitivity_class: np.ndarray
) -> np.ndarray:
    """(N,) the item that each of N shoppers draws, all of one subcategory; `attraction` (classes, I)."""
    n, one = len(sensitivity_class), np.zeros(len(attribute), np.int64)
    params = a_tail(
        attraction,
        one,
        n,
        attribute_taste=torch.full((n, 1), taste),
        attribute=attribute,
        attribute_range=attribute_range(attribute, one),
        sensitivity_class=sensitivity_class,
    )
    everyone, zero = torch.arange(n), torch.zeros(n, dtype=torch.int64)
    total, bought = torch.ones(n, 2), torch.ones(n, 1, dtype=torch.bool)
    drawn = tail_items(params, somebody(everyone), zero, total, bought, Draws(0, everyone, zero))
    return drawn[:, 0].numpy()


def test_the_tail_draws_by_attribute_tastes():
    n, items = 40_000, 6
    attraction = np.arange(1.0, items + 1)
    attribute = np.linspace(-1.5, 1.5, items, dtype=np.float32)[:, None]
    found = first_of_tail(attraction[None], attribute, -1.0, np.zeros(n, np.int64))
    wanted = attraction * np.exp(-attribute[:, 0])
    assert np.bincount(found) / n == pytest.approx(wanted / wanted.sum(), abs=0.01)


def test_the_tail_draws_for_each_class_of_price_sensitivity():
    attraction = np.array([[1.0, 1.0, 2.0], [1.0, 3.0, 2.0]])
    sensitivity_class = np.arange(40_000) % 2
    found = first_of_tail(attraction, np.zeros((3, 1), np.float32), 0.0, sensitivity_class)
    for one in (0, 1):
        share = np.bincount(found[sensitivity_class == one]) / (sensitivity_class == one).sum()
        assert share == pytest.approx(attraction[one] / attraction[one].sum(), abs=0.015)


def test_who_is_more_price_sensitive_is_in_a_higher_class_that_prices_move_more(user_model):
    p = user_model.params
    factor, row = p.marketing.price_sensitivity, p.marketing.sensitivity_class
    assert factor[row == 0].max() <= factor[row == 1].min()
    assert torch.bincount(row).min() >= len(row) // 2
    effect = p.marketing.price_effect
    by_class = p.long_tail.tail_attraction.reshape(2, len(effect), -1)[:, :, :-1]
    none = torch.zeros(len(effect), by_class.shape[2])
    cut = none.index_add(1, p.catalogue.subcategory, (effect > 0).float()) > 0
    more = torch.log(by_class[1] / by_class[0])
    assert more[cut].mean() > 0.005 and more[~cut].max() < 1e-4 and more[~cut].mean() < 0


def test_the_tail_draws_clusters_of_variants_of_the_size_that_their_chance_says():
    n, product_line = 20_000, np.arange(40) // 10
    params = a_tail(np.ones((1, 40)), product_line, n, follow_prob=torch.full((4,), 0.3))
    zero = torch.zeros(n, dtype=torch.int64)
    bought = torch.zeros(n, 64, dtype=torch.bool)
    bought[:, 0] = True
    total = torch.tensor([[1.0, 1.0]]).expand(n, 2).contiguous()
    drawn = tail_items(params, somebody(zero), zero, total, bought, Draws(0, torch.arange(n), zero))
    assert float((drawn >= 0).sum(1).float().mean()) == pytest.approx(1 / (1 - 0.3), rel=0.02)
    assert ((drawn < 0) | (drawn // 10 == drawn[:, :1] // 10)).all()
    others = drawn[:, 1][drawn[:, 1] >= 0] % 10
    assert np.bincount(others.numpy(), minlength=10).min() > 0.08 * len(others)
