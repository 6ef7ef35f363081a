"""Whoever goes on from a checkpoint ends as if nothing had come between; what is damaged is told."""

from __future__ import annotations

import itertools
import multiprocessing as mp
import os
import random
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch as th
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.vec_env import VecMonitor

from bundlegym.agents.checkpoint import load_checkpoint, load_weights, save_checkpoint
from bundlegym.agents.registry import AGENTS, AgentConfigs
from bundlegym.envs import BundleVecEnv
from bundlegym.envs.base import BLOCKS
from bundlegym.errors import UserError
from tests.agents.conftest import TinyShop

STEPS = 320
SMALL = {
    "ppo": {"n_steps": 4, "batch_size": 32, "width": 8},
    "dqn": {"learning_starts": 64, "batch_size": 16, "width": 8, "buffer_size": 160,
            "target_update_interval": 48},
    "a2c": {"width": 8},
    "ppo-fast": {"n_steps": 4, "batch_size": 32, "width": 8},
}  # fmt: skip
#: Worlds of each agent: one by hand, which has no `BundleCore`, and one of simulated shoppers.
WORLDS = [(agent, world) for agent, world in itertools.product(AGENTS, ["tiny", "shoppers"])
          if (agent, world) != ("ppo-fast", "tiny")]  # fmt: skip


def fresh(agent: str, env: Any) -> Any:
    config = type(AgentConfigs().of(agent))(**SMALL.get(agent, {}))
    model = AGENTS[agent](VecMonitor(env), config, seed=3)
    model.set_logger(Logger(None, []))
    return model


class Killed(Exception):
    pass


def dies() -> None:
    raise Killed


class SavesAndDies(BaseCallback):
    """Saves before each roll-out, and dies in the step after `last`, in the midst of a roll-out."""

    def __init__(self, path: Path, last: int = 10**9, die: Callable[[], None] = dies) -> None:
        super().__init__()
        self.path, self.last, self.die = path, last, die

    def _on_rollout_start(self) -> None:
        save_checkpoint(self.model, self.path)

    def _on_step(self) -> bool:
        if self.num_timesteps > self.last:
            self.die()
        return True

    def _on_training_end(self) -> None:
        save_checkpoint(self.model, self.path, finished=True)


def worlds(make_core: Any, world: str) -> Any:
    if world == "tiny":
        return TinyShop(truncates=True)
    more = {"observation": (*BLOCKS, "forecasts")} if world == "forecasts" else {}
    return BundleVecEnv(make_core(8, seed=5, **more))


@pytest.mark.parametrize(
    ("agent", "world"),
    [*WORLDS, ("ppo", "forecasts"), ("dqn", "forecasts"), ("ppo-fast", "forecasts")],
)
def test_killed_twice_and_resumed_the_last_checkpoint_is_the_same_byte_for_byte(
    agent: str, world: str, make_core: Any, tmp_path: Path
) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    fresh(agent, worlds(make_core, world)).learn(STEPS, SavesAndDies(whole), reset_num_timesteps=False)
    for last in (100, 215, STEPS):
        random.seed(last), np.random.seed(last), th.manual_seed(last)  # another process has other luck
        model = fresh(agent, worlds(make_core, world))
        if parts.exists():
            load_checkpoint(model, parts)
        left = STEPS - model.num_timesteps
        if last < STEPS:
            with pytest.raises(Killed):
                model.learn(left, SavesAndDies(parts, last), reset_num_timesteps=False)
        else:
            model.learn(left, SavesAndDies(parts), reset_num_timesteps=False)
    assert whole.read_bytes() == parts.read_bytes()


def are_killed(folder: Path) -> None:
    """In a process of its own, where nothing is tidied up: DQN learns while PPO is in the midst of a step."""
    th.set_num_threads(1)
    kill = partial(os.kill, os.getpid(), signal.SIGKILL)

    def learn(agent: str, die: Callable[[], None]) -> None:
        saves = SavesAndDies(folder / agent, 165, die)
        fresh(agent, TinyShop()).learn(STEPS, saves, reset_num_timesteps=False)

    learn("ppo", die=partial(learn, "dqn", die=kill))


def test_the_same_after_sigkill(tmp_path: Path) -> None:
    process = mp.get_context("spawn").Process(target=are_killed, args=(tmp_path,))
    process.start()
    for agent in ("ppo", "dqn"):
        whole = tmp_path / f"whole-{agent}"
        fresh(agent, TinyShop()).learn(STEPS, SavesAndDies(whole), reset_num_timesteps=False)
    process.join()
    assert process.exitcode == -signal.SIGKILL
    for agent in ("ppo", "dqn"):
        parts, model = tmp_path / agent, fresh(agent, TinyShop())
        load_checkpoint(model, parts)
        assert 0 < model.num_timesteps <= 165
        model.learn(STEPS - model.num_timesteps, SavesAndDies(parts), reset_num_timesteps=False)
        assert (tmp_path / f"whole-{agent}").read_bytes() == parts.read_bytes()


def test_each_byte_is_vouched_for(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.safetensors"
    model = fresh("ppo", TinyShop())
    model.learn(32, SavesAndDies(path))
    content = path.read_bytes()
    places = np.unique(np.linspace(0, len(content) - 1, 60).astype(int))
    for place in (*range(9), *places, content.index(b"sha256") + 12):
        damaged = bytearray(content)
        damaged[place] ^= 1
        path.write_bytes(damaged)
        for load in (load_checkpoint, load_weights):
            with pytest.raises(UserError, match=r"checkpoint\.safetensors: damaged.*remove it to train"):
                load(fresh("ppo", TinyShop()), path)
    path.write_bytes(content[:-1])
    with pytest.raises(UserError, match="damaged"):
        load_weights(fresh("ppo", TinyShop()), path)
    path.write_bytes(content)
    load_weights(fresh("ppo", TinyShop()), path)


def test_another_agents_checkpoint_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.safetensors"
    fresh("dqn", TinyShop()).learn(16, SavesAndDies(path))
    with pytest.raises(UserError, match="not a checkpoint of this agent"):
        load_weights(fresh("ppo", TinyShop()), path)
    with pytest.raises(UserError, match="cannot be read"):
        load_weights(fresh("ppo", TinyShop()), tmp_path / "none")


def test_what_was_there_stays_until_the_new_one_is_whole(tmp_path: Path, monkeypatch: Any) -> None:
    path = tmp_path / "checkpoint.safetensors"
    model = fresh("ppo", TinyShop())
    model.learn(32, SavesAndDies(path))
    before = path.read_bytes()

    def killed(*_: Any) -> None:
        raise Killed

    monkeypatch.setattr("bundlegym.data.files.os.replace", killed)
    with pytest.raises(Killed):
        save_checkpoint(model, path)
    assert path.read_bytes() == before
