"""Planted shoppers keep the contract, remember what they should, and are those of their log."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest
import torch

from bundlegym.data import DataConfig, Dataset, build_dataset
from bundlegym.data.built_in import built_in_log
from bundlegym.data.planted import COST, ITEMS, PLANTED, PRICE
from bundlegym.errors import UserError
from bundlegym.user_models import Draws, Offer
from bundlegym.user_models.planted import PlantedShopper
from bundlegym.user_models.testing import problems


def dataset_of(name: str) -> Dataset:
    return build_dataset(built_in_log(name), DataConfig(log=name, min_purchases=1))


@pytest.fixture(scope="module")
def planning() -> Dataset:
    return dataset_of("planning")


@pytest.mark.parametrize("name", PLANTED)
def test_they_keep_the_contract(name):
    dataset = dataset_of(name)
    shopper = PlantedShopper.fit(dataset)
    assert problems(shopper, dataset) == []
    assert shopper.offer_is_only_discount == (name == "known-optimum")
    assert dataset.items["name"].tolist() == [item for item, _, _ in ITEMS]
    assert np.allclose(dataset.shelf_price, np.array(PRICE)[:, None])
    assert np.allclose(dataset.unit_cost, np.array(COST)[:, None])


def test_they_buy_without_offers_what_the_log_says(planning):
    shopper = PlantedShopper.fit(planning)
    n = 40 * planning.n_shoppers
    who = torch.arange(n) % planning.n_shoppers
    state = shopper.reset(who, torch.full((n,), 7 * 20))
    bought = np.zeros(planning.n_items)
    for visit in range(4):
        draws = Draws(0, torch.arange(n), torch.full((n,), visit))
        response, state = shopper.respond(state, Offer.nothing(n, 2, shopper.device), draws)
        bought = np.bincount(response.item.numpy(), minlength=planning.n_items) / n
    logged = np.bincount(planning.purchases["item"], minlength=planning.n_items)
    assert bought == pytest.approx(logged / (planning.n_shoppers * planning.n_weeks), abs=0.02)


def test_offers_tire_and_a_visit_without_one_rests(planning):
    shopper = PlantedShopper.fit(planning)
    state = shopper.reset(torch.zeros(1, dtype=torch.int64), torch.zeros(1, dtype=torch.int64))
    counts = []
    for visit, offered in enumerate((1, 1, 1, 0, 1, 0, 0, 0)):
        offer = Offer(torch.tensor([[0, 1]]) if offered else torch.tensor([[-1, -1]]), torch.zeros(1))
        draws = Draws(0, torch.zeros(1, dtype=torch.int64), torch.tensor([visit]))
        state = shopper.respond(state, offer, draws)[1]
        counts.append(int(state["offers"]))
    assert counts == [1, 2, 2, 1, 2, 1, 0, 0]


def test_a_substitute_is_pushed_out_and_a_complement_pulled_in():
    shopper = PlantedShopper.fit(dataset_of("known-optimum"))
    names = [item for item, _, _ in ITEMS]
    n = 20_000
    state = shopper.reset(torch.zeros(n, dtype=torch.int64), torch.zeros(n, dtype=torch.int64))
    draws = Draws(0, torch.arange(n), torch.zeros(n, dtype=torch.int64))

    def bought(offered: str, discount: float) -> np.ndarray:
        offer = Offer(torch.full((n, 1), names.index(offered)), torch.full((n,), discount))
        return np.bincount(shopper.respond(state, offer, draws)[0].item.numpy(), minlength=len(names))

    for offered, other, sign in (("Pasta", "Pasta sauce", 1), ("Butter, Alder", "Butter, Birch", -1)):
        change = bought(offered, 0.3) - bought(offered, 0.0)
        assert change[names.index(offered)] > 0 and sign * change[names.index(other)] > 0
        assert np.count_nonzero(change) == 2


def test_another_log_is_refused(dataset):
    with pytest.raises(UserError, match="known-optimum, planning"):
        PlantedShopper.fit(dataset)


@pytest.mark.parametrize("name", ["KnownOptimum", "Planning"])
def test_they_are_registered(name):
    env = gym.make(f"bundlegym/{name}-v0")
    observation, _ = env.reset(seed=1)
    assert ("offers_lately" in observation) == (name == "Planning")
    several = gym.make_vec(f"bundlegym/{name}-v0", num_envs=2)
    assert several.observation_space["candidates"].shape[0] == 2


def test_other_shoppers_count_no_offers():
    with pytest.raises(UserError, match="offers_lately: ReplayShopper counts no offers"):
        gym.make("bundlegym/Planning-v0", user_model="replay").reset(seed=1)
