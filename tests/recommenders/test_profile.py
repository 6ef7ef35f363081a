"""The block of shopper features."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from bundlegym.data import Dataset
from bundlegym.recommenders import shopper_profile
from bundlegym.recommenders.profile import ShopperProfile


@pytest.fixture(scope="module")
def profile(dataset: Dataset) -> ShopperProfile:
    return shopper_profile(dataset, dataset.split.train_weeks)


def column(profile: ShopperProfile, name: str) -> np.ndarray:
    return profile.values[:, profile.names.index(name)]


def test_features_are_named_and_scaled_over_known_shoppers(profile: ShopperProfile, dataset: Dataset) -> None:
    assert profile.values.shape == (dataset.n_shoppers, len(profile.names))
    assert {"household_size=2", "share/DAIRY"} <= set(profile.names)
    known = profile.values[~dataset.split.held_out]
    np.testing.assert_allclose(known.mean(0), 0, atol=1e-4)
    np.testing.assert_allclose(known.std(0)[known.std(0) > 0], 1, atol=1e-3)


def test_frequency_orders_shoppers_as_their_visits_do(profile: ShopperProfile, dataset: Dataset) -> None:
    visits = dataset.visits[dataset.visits["week"] < dataset.split.train_weeks[1]]
    count = np.bincount(visits["shopper"], minlength=dataset.n_shoppers)
    more = count[:, None] > count[None, :]
    frequency = column(profile, "visits_a_week")
    assert (frequency[:, None] > frequency[None, :])[more].all()


def test_later_weeks_and_held_out_shoppers_do_not_show(profile: ShopperProfile, dataset: Dataset) -> None:
    past = dataset.visits["week"] < dataset.split.train_weeks[1]
    known = ~dataset.split.held_out[dataset.visits["shopper"]]
    leave = (past & known).to_numpy()[dataset.purchases["visit"]]
    dearer = dataset.purchases["price_paid"] * np.where(leave, 1, 3)
    changed = dataclasses.replace(dataset, purchases=dataset.purchases.assign(price_paid=dearer))
    again = shopper_profile(changed, dataset.split.train_weeks)
    known_shopper = ~dataset.split.held_out
    np.testing.assert_allclose(again.values[known_shopper], profile.values[known_shopper], atol=1e-5)
    assert np.abs(column(again, "spend_a_visit") - column(profile, "spend_a_visit")).max() > 0.1
