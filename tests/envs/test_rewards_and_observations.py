"""Rewards, observation blocks and candidates of one's own."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest
import torch

from bundlegym import UserError
from bundlegym.envs import BundleCore, BundleVecEnv, EnvConfig, build_market, make_core
from bundlegym.envs.base import BLOCKS, COMPONENTS
from bundlegym.recommenders import shopper_profile


@pytest.fixture
def given(dataset, user_model) -> dict:
    return {"dataset": dataset, "user_model": user_model}


def a_visit(env) -> tuple[float, dict]:
    env.reset(seed=4)
    for action in (0, 1, 2, 32 + 4):
        _, reward, *_, info = env.step(action)
    return reward, info


@pytest.mark.parametrize("name", COMPONENTS)
def test_every_component_is_a_reward(name, given):
    reward, info = a_visit(gym.make("bundlegym/Bundle-v0", reward=name, **given))
    expected = {
        "incremental_margin": info["incremental_margin_per_visit"],
        "margin": info["margin_per_visit"],
        "twin_margin": info["margin_per_visit"] - info["incremental_margin_per_visit"],
        "revenue": info["revenue_per_visit"],
        "taken": info["acceptance_rate"],
        "cherry_picked": info["cherry_pick_rate"],
        "size": 3,
        "discount": 0.3,
    }
    assert reward == pytest.approx(expected[name], abs=1e-5)


def cautious(components):
    return components["incremental_margin"] - 10 * components["discount"] * components["taken"].clamp(min=0.5)


def visits_so_far(core):
    return core.visit[:, None] * torch.tensor([1.0, 100.0])


def test_a_reward_of_ones_own_by_object_and_by_name(given):
    plain, info = a_visit(gym.make("bundlegym/Bundle-v0", **given))
    expected = plain - 10 * 0.3 * max(info["acceptance_rate"], 0.5)
    for reward in (cautious, f"{__name__}:cautious"):
        assert a_visit(gym.make("bundlegym/Bundle-v0", reward=reward, **given))[0] == pytest.approx(expected)


def test_observation_blocks_by_name_and_of_ones_own(given):
    names = ["context", f"{__name__}:visits_so_far"]
    by_name = gym.make("bundlegym/Bundle-v0", observation=names, **given)
    by_object = gym.make("bundlegym/Bundle-v0", blocks={"mine": visits_so_far}, **given)
    assert set(by_name.observation_space) == {"context", "visits_so_far"}  # type: ignore[call-overload]
    assert set(by_object.observation_space) == {"shopper", "context", "candidates", "picked", "mine"}  # type: ignore[call-overload]
    for env, name in ((by_name, "visits_so_far"), (by_object, "mine")):
        env.reset(seed=0)
        observation = env.step(32)[0]
        assert observation[name].tolist() == [1.0, 20.0]  # bounded, as every block
        assert observation in env.observation_space


def test_the_profile_is_that_of_the_shopper_at_the_door(given, dataset):
    env = gym.make("bundlegym/Bundle-v0", observation=("context", "profile"), **given)
    seen, core = env.reset(seed=4)[0]["profile"], env.unwrapped.core
    profile = shopper_profile(dataset, dataset.split.train_weeks)
    assert core.market.profile_names == profile.names
    own = profile.values[int(core.records.shopper[0])].clip(-20, 20)
    np.testing.assert_allclose(seen, own, atol=1e-5)
    assert env.observation_space["profile"].shape == seen.shape


@pytest.mark.parametrize("compiled", [True, False])
def test_the_embedding_is_that_of_the_shopper_at_the_door(compiled, dataset, user_model):
    vectors = np.random.default_rng(0).normal(size=(dataset.n_shoppers, 5)).astype(np.float32)
    vectors[0] = 99.0
    core = BundleCore(
        build_market(dataset, shopper_embeddings=vectors), user_model,
        EnvConfig(observation=(*BLOCKS, "shopper_embedding"), visits=2), n=32, shoppers=np.arange(3),
        weeks=dataset.split.train_weeks, compiled=compiled,
    )  # fmt: skip
    core.reset()
    for action in (0, 1, core.k, core.k, core.k):  # a bundle of two, then the next visits
        seen = core.observe()["shopper_embedding"]
        np.testing.assert_array_equal(seen, vectors[core.records.shopper].clip(-20, 20))
        done = core.step(torch.full_like(core.rows, action))
        core.restart(done.terminated | done.truncated)


def test_an_embedding_that_nobody_gave_is_asked_for(given, dataset):
    with pytest.raises(UserError, match="--shopper-embeddings to bundlegym train, or shopper_embeddings"):
        gym.make("bundlegym/Bundle-v0", observation=("context", "shopper_embedding"), **given)
    with pytest.raises(UserError, match=r"shopper_embeddings \(3, 5\): must be a row for each of 200"):
        build_market(dataset, shopper_embeddings=np.zeros((3, 5), np.float32))
    with pytest.raises(UserError, match="shopper_embeddings: must be finite"):
        build_market(dataset, shopper_embeddings=np.full((dataset.n_shoppers, 2), np.nan))


def test_candidates_of_ones_own(given, dataset):
    def cheapest(data):
        price = np.tile(data.items["list_price"].to_numpy(), (data.n_shoppers, 1))
        items = np.argsort(price, axis=1)[:, ::-1][:, -40:]
        return items, -np.take_along_axis(price, items, 1)

    core = make_core(64, candidates=cheapest, **given)
    core.reset()
    limit = np.sort(dataset.items["list_price"])[39]
    prices = dataset.items["list_price"].to_numpy()[core.candidates.numpy()]
    assert (prices <= limit).all()
    often = np.bincount(core.candidates.numpy().ravel(), minlength=dataset.n_items)
    order = np.argsort(dataset.items["list_price"].to_numpy())
    assert often[order[:20]].sum() > often[order[20:40]].sum()  # better scores come out more often


@pytest.mark.parametrize(
    "source, words",
    [
        (lambda data: (np.zeros((3, 5), int), np.zeros((3, 5))), r"must both be \(200 shoppers, L\)"),
        (lambda data: (np.zeros((200, 40), int), np.zeros((200, 40))), "must not repeat"),
        (lambda data: (np.tile(np.arange(40) + 99_999, (200, 1)), np.zeros((200, 40))), "integer codes"),
        (lambda data: (np.tile(np.arange(40), (200, 1)), np.full((200, 40), np.inf)), "must be finite"),
    ],
)
def test_wrong_candidates_are_refused(source, words, dataset):
    with pytest.raises(UserError, match=words):
        build_market(dataset, candidates=source)


def test_the_batch_takes_them_too(given):
    core = make_core(8, reward=cautious, blocks={"mine": visits_so_far}, **given)
    env = BundleVecEnv(core)
    assert env.reset()["mine"].shape == (8, 2)
