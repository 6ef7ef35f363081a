"""The Stable-Baselines3 view on the core: N environments in one step, masks as one block."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3.common.vec_env import VecEnv

from bundlegym.envs.base import CONTEXT_FEATURES, FEATURE_LIMIT, VisitRecord
from bundlegym.envs.core import BundleCore


def core_spaces(core: BundleCore) -> tuple[spaces.Dict, spaces.Discrete]:
    """Observation and action space of one environment of the core."""

    def box(width: int, low: float = -FEATURE_LIMIT, high: float = FEATURE_LIMIT) -> spaces.Box:
        return spaces.Box(low, high, (width,), dtype=np.float32)

    observation = spaces.Dict(
        {
            "candidates": box(core.k * core.features.shape[2]),
            "context": box(len(CONTEXT_FEATURES)),
            "picked": box(core.k, 0.0, 1.0),
            "shopper": box(core.shopper_block.shape[1]),
        }
    )
    return observation, spaces.Discrete(core.k + core.levels)


def to_numpy(observation: dict[str, torch.Tensor]) -> dict[str, np.ndarray]:
    """Copies of the blocks: the core goes on writing into its own."""
    return {name: np.array(block.cpu().numpy()) for name, block in observation.items()}


class BundleVecEnv(VecEnv):
    """See the module's docstring.

    Args:
        core: the simulator; this view resets it.
        on_visits: called with each `VisitRecord`, for instance to log metrics.
    """

    def __init__(self, core: BundleCore, on_visits: Callable[[VisitRecord], None] | None = None) -> None:
        core.reset()
        self.core, self.on_visits = core, on_visits
        self.render_mode = None
        super().__init__(core.n, *core_spaces(core))

    def reset(self) -> dict[str, np.ndarray]:
        if self._seeds[0] is not None:
            self.core.reseed(int(self._seeds[0]))
            self._reset_seeds()
        self.core.reset()
        return to_numpy(self.core.observe())

    def step_async(self, actions: np.ndarray) -> None:
        self._actions = torch.as_tensor(actions, dtype=torch.int64, device=self.core.device).reshape(-1)

    def step_wait(self) -> Any:
        result = self.core.step(self._actions)
        if result.record is not None and self.on_visits is not None:
            self.on_visits(result.record)
        observation = to_numpy(self.core.observe())
        done = result.terminated | result.truncated
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        if bool(done.any()):
            truncated = result.truncated.cpu().numpy()
            masks = self.core.masks().cpu().numpy()
            for slot in np.flatnonzero(done.cpu().numpy()):
                infos[slot] = {
                    "terminal_observation": {name: block[slot] for name, block in observation.items()},
                    "terminal_action_mask": masks[slot],
                    "TimeLimit.truncated": bool(truncated[slot]),
                }
            self.core.restart(done)
            observation = to_numpy(self.core.observe())
        return observation, result.reward.cpu().numpy(), done.cpu().numpy(), infos

    def env_method(self, method_name: str, *args: Any, indices: Any = None, **kwargs: Any) -> Any:
        """`action_masks` gives the (N, K + D) bool block; there are no other methods."""
        if method_name != "action_masks":
            raise AttributeError(f"BundleVecEnv has no method {method_name!r}; it has 'action_masks'")
        block = self.core.masks().cpu().numpy()
        return block if indices is None else block[list(self._get_indices(indices))]

    def has_attr(self, attr_name: str) -> bool:
        return attr_name == "action_masks" or hasattr(self, attr_name)

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        if attr_name == "action_masks":  # how sb3-contrib asks whether masks are supported
            value: Any = self.core.masks
        else:
            value = getattr(self, attr_name)
        return [value for _ in self._get_indices(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        setattr(self, attr_name, value)

    def env_is_wrapped(self, wrapper_class: type, indices: Any = None) -> list[bool]:
        return [False for _ in self._get_indices(indices)]

    def seed(self, seed: int | None = None) -> Sequence[int | None]:
        self._seeds = [seed] * self.num_envs
        return self._seeds

    def close(self) -> None:
        pass
