"""How deep a discount a log knows."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from bundlegym.data import Dataset
from bundlegym.data.support import LEAST_ITEMS, deepest_discount
from bundlegym.envs import EnvConfig
from bundlegym.errors import UserError
from bundlegym.evaluation.config import TrainConfig
from bundlegym.evaluation.population import supported


def with_discount(dataset: Dataset, off: float, items: int, weeks: int) -> Dataset:
    """Its first items are `off` in the first weeks, and nothing else ever is."""
    shelf = dataset.list_price.copy()
    shelf[:items, :weeks] *= 1 - off
    return dataclasses.replace(dataset, shelf_price=shelf)


def test_the_depth_of_promotions_that_many_bought_at_is_known(dataset: Dataset) -> None:
    weeks = dataset.split.train_weeks
    assert deepest_discount(with_discount(dataset, 0.0, 0, 0), weeks) == 0
    known = deepest_discount(with_discount(dataset, 0.2, dataset.n_items, weeks[1]), weeks)
    assert known == pytest.approx(0.2, abs=0.006)
    few = with_discount(dataset, 0.2, LEAST_ITEMS - 1, weeks[1])
    assert deepest_discount(few, weeks) == 0


def test_deeper_discounts_are_offered_only_when_they_are_asked_for(dataset: Dataset) -> None:
    log = with_discount(dataset, 0.1, dataset.n_items, dataset.n_weeks)
    env = EnvConfig(discounts=(0.0, 0.1, 0.2, 0.3))
    offers, (sentence,) = supported(TrainConfig(env=env), log)
    assert offers.discounts == (0.0, 0.1)
    assert "no offers at 20%, 30% off" in sentence
    offers, (sentence,) = supported(TrainConfig(env=env, beyond_support=True), log)
    assert offers.discounts == env.discounts
    assert "extrapolation" in sentence
    with pytest.raises(UserError, match="--beyond-support"):
        supported(TrainConfig(env=EnvConfig(discounts=(0.2, 0.3))), log)


def test_levels_within_support_stay_and_nothing_is_said(dataset: Dataset) -> None:
    log = with_discount(dataset, 0.3, dataset.n_items, dataset.n_weeks)
    assert supported(TrainConfig(), log) == (TrainConfig().env, [])
    assert np.all(log.shelf_price <= log.list_price)
