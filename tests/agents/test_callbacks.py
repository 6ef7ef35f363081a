"""What is kept of an agent that learns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch as th
from stable_baselines3.common.logger import Logger, make_output_format
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tqdm import tqdm

from bundlegym.agents.callbacks import BundleMetrics
from bundlegym.agents.checkpoint import load_checkpoint
from bundlegym.agents.dqn import DQNConfig, make_dqn
from bundlegym.agents.ppo import PPOConfig, make_ppo
from bundlegym.envs import BundleVecEnv, Market, VisitRecord
from tests.agents.conftest import TinyShop
from tests.agents.toy import a_toy, toy_core

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
    path = tmp_path / "checkpoint.safetensors"
    evaluated: list[int] = []
    seen: list[Weights] = []

    def read() -> Any:
        model = fresh(agent)
        load_checkpoint(model, path)
        return model

    def evaluate(model: Any) -> dict[str, float]:
        if seen:  # it was kept once it had been evaluated
            assert same(seen[-1], weights(read()))
        evaluated.append(model.num_timesteps)
        seen.append(weights(model))
        return {}

    model = fresh(agent)
    model.set_logger(Logger(None, []))
    bar = lambda **options: tqdm(disable=True, **options)  # noqa: E731
    model.learn(192, callback=BundleMetrics({}, evaluate, eval_every, path, bar))
    assert evaluated[-1] == 192 and len(evaluated) == len(set(evaluated)) > 1
    assert same(weights(model), weights(read())) and same(weights(model), seen[-1])


def test_tensorboard_draws_sizes_and_discounts_and_the_gap_to_the_evaluation(
    market: Market, tmp_path: Path
) -> None:
    core = toy_core(market, a_toy(), th.full((8,), 0.5), n=256)
    seen: list[VisitRecord] = []
    evaluate = lambda _: {"incremental_margin_per_visit": 0.25}  # noqa: E731
    bar = lambda **options: tqdm(disable=True, **options)  # noqa: E731
    told = lambda _: "<b>Shopper 1</b>"  # noqa: E731
    metrics = BundleMetrics({}, evaluate, 10**6, tmp_path / "checkpoint", bar, examples=told)

    def on_visits(record: VisitRecord) -> None:
        seen.append(record)
        metrics.add(record)

    model = make_ppo(BundleVecEnv(core, on_visits), PPOConfig(n_steps=32, width=8), seed=1)
    model.set_logger(Logger(str(tmp_path), [make_output_format("tensorboard", str(tmp_path))]))
    model.learn(256 * 32, callback=metrics)
    (file,) = tmp_path.glob("events.*")
    found = EventAccumulator(str(file)).Reload()
    sizes = found.Histograms("bundle/sizes")[0].histogram_value
    offered = th.cat([record.size for record in seen])
    assert sizes.num == len(offered) and sizes.sum == int(offered.sum())
    discounts = found.Histograms("bundle/discounts")[0].histogram_value
    assert discounts.num == int((offered > 0).sum()) and 0 <= discounts.min < discounts.max
    gain = th.cat([record.incremental_margin for record in seen]).mean()
    (gap,) = found.Scalars("eval/training_less_evaluation")
    assert gap.value == pytest.approx(float(gain) - 0.25, abs=1e-5)
    assert b"<pre>&lt;b&gt;Shopper 1&lt;/b&gt;</pre>" in file.read_bytes()
