"""A tiny hand-made VecEnv that keeps the contract of `bundlegym.envs`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch as th
from gymnasium import spaces
from stable_baselines3.common.vec_env import VecEnv

FS, FB, FC, D = 3, 2, 4, 2


def box(n: int) -> spaces.Box:
    return spaces.Box(-np.inf, np.inf, (n,), np.float32)


class TinyShop(VecEnv):
    """N shoppers; one visit an episode. A pick pays the candidate's first feature, an offer ends the visit.

    The least bundle is 1 and the greatest `most`. With `truncates`, an end is a truncation.
    """

    def __init__(self, n: int = 8, k: int = 6, most: int = 2, seed: int = 0, truncates: bool = False) -> None:
        self.k, self.most, self.truncates = k, most, truncates
        self.rng = np.random.default_rng(seed)
        self.violations = 0
        self.ended: list[float] = []
        obs: dict[str, spaces.Space] = {
            "shopper": box(FS),
            "context": box(FB),
            "candidates": box(k * FC),
            "picked": box(k),
        }
        super().__init__(n, spaces.Dict(obs), spaces.Discrete(k + D))

    def _fresh(self, who: np.ndarray) -> None:
        m = len(who)
        self.shopper[who] = self.rng.normal(size=(m, FS))
        self.candidates[who] = self.rng.normal(size=(m, self.k, FC))
        self.picked[who] = 0.0
        self.total[who] = 0.0

    def _obs(self) -> dict[str, np.ndarray]:
        count = self.picked.sum(1, keepdims=True)
        obs = {
            "shopper": self.shopper,
            "context": np.concatenate((count, self.most - count), 1),
            "candidates": self.candidates.reshape(self.num_envs, -1),
            "picked": self.picked,
        }
        return {key: np.array(value, dtype=np.float32) for key, value in obs.items()}

    def reset(self) -> dict[str, np.ndarray]:
        n = self.num_envs
        self.shopper, self.candidates = np.zeros((n, FS)), np.zeros((n, self.k, FC))
        self.picked, self.total = np.zeros((n, self.k)), np.zeros(n)
        self._fresh(np.arange(n))
        return self._obs()

    def action_masks(self) -> np.ndarray:
        count = self.picked.sum(1, keepdims=True)
        picks = (self.picked == 0) & (count < self.most)
        return np.concatenate((picks, np.repeat(count >= 1, D, axis=1)), axis=1)

    def step_async(self, actions: np.ndarray) -> None:
        self.actions = np.asarray(actions)

    def step_wait(self) -> Any:
        rows = np.arange(self.num_envs)
        self.violations += int((~self.action_masks()[rows, self.actions]).sum())
        done = self.actions >= self.k
        picks = np.where(done, 0, self.actions)
        reward = np.where(done, 0.0, self.candidates[rows, picks, 0])
        self.picked[rows[~done], picks[~done]] = 1.0
        self.total += reward
        infos: list[dict[str, Any]] = [{} for _ in rows]
        before = self._obs()
        for i in np.flatnonzero(done):
            self.ended.append(float(self.total[i]))
            infos[i]["terminal_observation"] = {key: value[i] for key, value in before.items()}
            infos[i]["TimeLimit.truncated"] = self.truncates
        self._fresh(np.flatnonzero(done))
        return self._obs(), reward.astype(np.float32), done, infos

    def env_method(self, name: str, *args: Any, indices: Any = None, **kwargs: Any) -> Any:  # type: ignore[override]
        return getattr(self, name)(*args, **kwargs)

    def has_attr(self, name: str) -> bool:
        return hasattr(self, name)

    def get_attr(self, name: str, indices: Any = None) -> list[Any]:
        return [getattr(self, name, None)] * self.num_envs

    def set_attr(self, name: str, value: Any, indices: Any = None) -> None:
        setattr(self, name, value)

    def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:
        return [False] * self.num_envs

    def snapshot(self) -> dict[str, th.Tensor]:
        names = ("shopper", "candidates", "picked", "total")
        luck = json.dumps(self.rng.bit_generator.state).encode()
        held = {name: th.from_numpy(getattr(self, name).copy()) for name in names}
        return held | {"luck": th.from_numpy(np.frombuffer(luck, np.uint8).copy())}

    def restore(self, held: dict[str, th.Tensor]) -> None:
        for name in ("shopper", "candidates", "picked", "total"):
            setattr(self, name, held[name].numpy().copy())
        self.rng.bit_generator.state = json.loads(bytes(held["luck"].numpy()))

    def close(self) -> None:
        pass


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = th.get_num_threads()
    th.set_num_threads(1)
    yield
    th.set_num_threads(before)
