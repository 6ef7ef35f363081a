"""Gymnasium's and Stable-Baselines3's own checks, warnings as errors."""

from __future__ import annotations

import warnings

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from stable_baselines3.common.env_checker import check_env as sb3_check_env

import bundlegym  # noqa: F401  (registers)
from bundlegym.envs import BundleVecEnv


@pytest.fixture
def env(dataset, user_model):
    return gym.make("bundlegym/Bundle-v0", dataset=dataset, user_model=user_model)


def test_gymnasium_check_env(env):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(env.unwrapped, skip_render_check=True)


def test_stable_baselines3_check_env(env):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sb3_check_env(env.unwrapped)


def test_same_seed_same_episode(env):
    def play(seed: int) -> list[float]:
        observation, info = env.reset(seed=seed)
        rng, out, over = np.random.default_rng(0), [], False
        while not over:
            observation, reward, terminated, truncated, info = env.step(
                rng.choice(np.flatnonzero(info["action_mask"]))
            )
            out += [reward, float(observation["candidates"].sum())]
            over = terminated or truncated
        return out

    assert play(3) == play(3) != play(4)


def test_vec_env_reports_terminal_observation_and_time_limit(make_core):
    env = BundleVecEnv(make_core(n=4, visits=1))
    env.reset()
    observation, reward, done, infos = env.step(np.full(4, env.core.k))
    assert done.all()
    for slot, info in enumerate(infos):
        assert info["TimeLimit.truncated"] is True  # nobody leaves for good in the synthetic log
        assert info["terminal_observation"]["context"][0] == 0.0
        assert observation["context"][slot, 0] == 1.0
    assert env.env_method("action_masks").shape == (4, env.action_space.n)
