"""What is kept of an agent that learns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch as th
from stable_baselines3.common.logger import Logger
from tqdm import tqdm

from bundlegym.agents.callbacks import BundleMetrics
from bundlegym.agents.checkpoint import load_checkpoint
from bundlegym.agents.dqn import DQNConfig, make_dqn
from bundlegym.agents.ppo import PPOConfig, make_ppo
from tests.agents.conftest import TinyShop

Weights = dict[str, th.Tensor]


def weights(model: Any) -> Weights:
    return {name: value.clone() for name, value in model.policy.state_dict().items()}


def same(one: Weights, other: Weights) -> bool:
    return all(th.equal(value, other[name]) for name, value in one.items())


def fresh(agent: str) -> Any:
    if agent == "ppo":
        return make_ppo(TinyShop(), PPOConfig(n_steps=8, width=8), seed=1)
    return make_dqn(TinyShop(), DQNConfig(width=8, learning_starts=16, batch_size=16), seed=1)


@pytest.mark.parametrize("agent", ["ppo", "dqn"])
@pytest.mark.parametrize("eval_every", [64, 100])  # an evaluation falls on the last roll-out, or does not
def test_the_agent_that_is_kept_is_the_one_that_has_learned_and_was_evaluated(
    agent: str, eval_every: int, tmp_path: Path
) -> None:
    path, evaluated = tmp_path / "checkpoint.safetensors", []

    def read() -> Any:
        model = fresh(agent)
        load_checkpoint(model, path)
        return model

    def evaluate(model: Any) -> dict[str, float]:
        evaluated.append(model.num_timesteps)
        assert same(weights(model), weights(read()))
        return {}

    model = fresh(agent)
    model.set_logger(Logger(None, []))
    bar = lambda **options: tqdm(disable=True, **options)  # noqa: E731
    model.learn(192, callback=BundleMetrics({}, evaluate, eval_every, path, bar))
    assert evaluated[-1] == 192 and len(evaluated) == len(set(evaluated)) > 1
    assert same(weights(model), weights(read()))
