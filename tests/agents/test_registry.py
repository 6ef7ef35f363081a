"""What every agent of the registry keeps."""

from __future__ import annotations

import copy
import dataclasses
from pathlib import Path
from typing import Any, get_args, get_type_hints

import numpy as np
import pytest
import torch as th
from stable_baselines3.common.logger import Logger
from torch.nn import functional as F

from bundlegym.agents.a2c import A2CConfig, make_a2c
from bundlegym.agents.checkpoint import load_weights, save_checkpoint
from bundlegym.agents.registry import AGENTS, AgentConfigs, field_of
from bundlegym.envs import BundleVecEnv
from bundlegym.errors import UserError
from bundlegym.evaluation.training import learned
from bundlegym.user_models.config import docs_of
from tests.agents.conftest import TinyShop
from tests.agents.test_checkpoint import SMALL


def configured(agent: str, **more: Any) -> Any:
    return type(AgentConfigs().of(agent))(**SMALL.get(agent, {}), **more)


def weights(model: Any) -> dict[str, th.Tensor]:
    return {name: value.clone() for name, value in model.policy.state_dict().items()}


def same(one: dict[str, th.Tensor], other: dict[str, th.Tensor]) -> bool:
    return one.keys() == other.keys() and all(th.equal(value, other[name]) for name, value in one.items())


def test_each_agent_has_hyper_parameters_under_its_name():
    assert [field_of(name) for name in AGENTS] == [f.name for f in dataclasses.fields(AgentConfigs)]
    assert [AgentConfigs().of(name).agent for name in AGENTS] == list(AGENTS)


@pytest.mark.parametrize("agent", AGENTS)
def test_each_hyper_parameter_has_a_doc_and_a_range_that_is_told(agent):
    config = AgentConfigs().of(agent)
    docs = {name: doc for kind in type(config).__mro__[-2::-1] for name, doc in docs_of(kind).items()}
    for name, kind in get_type_hints(type(config), include_extras=True).items():
        assert docs[name]
        limits = get_args(kind)[1]
        wrong = next(value for value in (-1, 2) if not limits.holds(value))
        option = f"--{agent}.{name.replace('_', '-')}"
        with pytest.raises(UserError, match=f"{option}: must be .*{limits.said}, not {wrong}"):
            dataclasses.replace(config, **{name: wrong})


@pytest.mark.parametrize("agent", AGENTS)
def test_an_agent_learns_saves_loads_and_acts_legally(agent, make_core, tmp_path: Path):
    models = []
    for seed in (7, 7, 8):
        model = AGENTS[agent](BundleVecEnv(make_core(8, seed=5)), configured(agent), seed=seed)
        model.learn(480)
        models.append(model)
    assert same(weights(models[0]), weights(models[1]))
    assert not same(weights(models[0]), weights(models[2]))
    path = tmp_path / "checkpoint.safetensors"
    save_checkpoint(models[0], path, finished=True)
    again = AGENTS[agent](BundleVecEnv(make_core(8, seed=5)), configured(agent), seed=9)
    assert not same(weights(models[0]), weights(again))
    load_weights(again, path)
    assert same(weights(models[0]), weights(again)) and again.num_timesteps == models[0].num_timesteps
    first, second = make_core(32, seed=6), make_core(32, seed=6)
    for _ in range(20):
        actions = learned(models[0])(first)
        assert th.equal(actions, learned(again)(second))
        assert first.masks()[first.rows, actions].all()
        for core in (first, second):
            result = core.step(actions)
            core.restart(result.terminated | result.truncated)


@pytest.mark.parametrize("agent", ["a2c", "q-learning", "sarsa"])
def test_an_agent_finds_what_pays(agent):
    """A pick pays the candidate's first feature, by which a table ranks the candidates."""
    env = TinyShop(n=32, seed=1)
    more = {"a2c": {"learning_rate": 5e-3}}.get(agent, {})
    model = AGENTS[agent](env, configured(agent, **more), seed=1)
    model.learn(12_000)
    assert env.violations == 0
    random, last = np.mean(env.ended[:300]), np.mean(env.ended[-300:])
    assert last > random + 0.7  # the best two of six standard normal numbers are 1.9 together


def test_a_masked_update_of_a2c_is_one_step_of_its_loss():
    """The loss of Mnih et al. (2016), as in Stable-Baselines3's A2C, with masks."""
    model = make_a2c(TinyShop(), A2CConfig(width=8, ent_coef=0.01), seed=1)
    model.set_logger(Logger(None, []))
    model.learn(1)
    _, callback = model._setup_learn(1, None)
    model.collect_rollouts(model.env, callback, model.rollout_buffer, model.n_steps)  # type: ignore[arg-type]
    batch = next(copy.deepcopy(model.rollout_buffer).get())
    other = copy.deepcopy(model.policy)
    other.optimizer.load_state_dict(copy.deepcopy(model.policy.optimizer.state_dict()))
    model.train()
    values, log_prob, entropy = other.evaluate_actions(
        batch.observations, batch.actions.long().flatten(), batch.action_masks
    )
    loss = (
        -(batch.advantages * log_prob).mean()
        - model.ent_coef * entropy.mean()
        + model.vf_coef * F.mse_loss(batch.returns, values.flatten())
    )
    other.optimizer.zero_grad()
    loss.backward()
    th.nn.utils.clip_grad_norm_(other.parameters(), model.max_grad_norm)
    other.optimizer.step()
    for name, value in model.policy.state_dict().items():
        assert th.allclose(value, other.state_dict()[name], atol=1e-6), name
