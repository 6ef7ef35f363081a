"""The Stable-Baselines3 view on the core: N environments in one step, masks as one block."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from stable_baselines3.common.vec_env import VecEnv

from bundlegym.envs.base import VisitRecord
from bundlegym.envs.core import BundleCore
from bundlegym.envs.views import core_spaces, to_numpy, whole_actions


class BundleVecEnv(VecEnv):
    """See the module's docstring. A masked action is an error here: `env_method("action_masks")` tells.

    Args:
        core: the simulator; this view resets it.
        on_visits: called with each `VisitRecord`, for instance to log metrics.
    """

    def __init__(self, core: BundleCore, on_visits: Callable[[VisitRecord], None] | None = None) -> None:
        core.reset()
        self.core, self.on_visits = core, on_visits
        self.render_mode = None
        self._last = np.full(core.n, core.k + core.levels - 1)
        super().__init__(core.n, *core_spaces(core))

    def reset(self) -> dict[str, np.ndarray]:
        if self._seeds[0] is not None:
            self.core.reseed(int(self._seeds[0]))
            self._reset_seeds()
        self.core.reset()
        return to_numpy(self.core.observe())

    def step_async(self, actions: np.ndarray) -> None:
        """Raises:
        ValueError: not N whole numbers of the action space.
        """
        self._actions = torch.from_numpy(whole_actions(actions, self._last)).to(self.core.device)

    def step_wait(self) -> Any:
        result = self.core.step(self._actions)
        if result.record is not None and self.on_visits is not None:
            self.on_visits(result.record)
        done = result.terminated | result.truncated
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        slots = np.flatnonzero(done.cpu().numpy())
        if len(slots):
            last = to_numpy(self.core.observe(torch.from_numpy(slots).to(done.device)))
            masks, truncated = self._masks()[slots], result.truncated.cpu().numpy()
            for i, slot in enumerate(slots):
                infos[slot] = {
                    "terminal_observation": {name: block[i] for name, block in last.items()},
                    "terminal_action_mask": masks[i],
                    "TimeLimit.truncated": bool(truncated[slot]),
                }
            self.core.restart(done)
        reward = np.array(result.reward.cpu().numpy())
        return to_numpy(self.core.observe()), reward, np.array(done.cpu().numpy()), infos

    def _masks(self) -> np.ndarray:
        return np.array(self.core.masks().cpu().numpy())

    def env_method(self, method_name: str, *args: Any, indices: Any = None, **kwargs: Any) -> Any:
        """`action_masks` gives the (N, K + D) bool block; there are no other methods."""
        if method_name != "action_masks":
            raise AttributeError(f"BundleVecEnv has no method {method_name!r}; it has 'action_masks'")
        block = self._masks()
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

    def snapshot(self) -> dict[str, torch.Tensor]:
        """What the core's steps change; see `BundleCore.snapshot`."""
        return self.core.snapshot()

    def restore(self, held: Mapping[str, torch.Tensor]) -> None:
        """Go on from what `snapshot` gave, without a reset."""
        self.core.restore(held)

    def close(self) -> None:
        pass
