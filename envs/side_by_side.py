"""Several shops in one training: their simulators side by side, as one Stable-Baselines3 environment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from stable_baselines3.common.vec_env import VecEnv

from bundlegym.envs.sb3_vec_env import BundleVecEnv
from bundlegym.errors import UserError


class SideBySide(VecEnv):
    """The environments of each shop in turn, those of the first shop first. An agent acts in all of them at
    once, and every roll-out holds visits of every shop.

    Args:
        shops: one view a shop; what an agent sees and may do must have the same shape in all of them.

    Raises:
        UserError: a block of the observation has another width in one shop, or there are more candidates or
            discounts.
    """

    def __init__(self, shops: Sequence[BundleVecEnv]) -> None:
        first = shops[0]
        for shop in shops[1:]:
            _check_same(_shapes(first), _shapes(shop))
        self.shops = tuple(shops)
        self.render_mode = None
        #: Where each shop's environments end, but for the last one's.
        self._ends = np.cumsum([shop.num_envs for shop in shops])[:-1]
        super().__init__(sum(shop.num_envs for shop in shops), first.observation_space, first.action_space)

    def reset(self) -> dict[str, np.ndarray]:
        for shop, seeds in zip(
            self.shops, np.split(np.array(self._seeds, dtype=object), self._ends), strict=True
        ):
            shop.seed(seeds[0])
        self._reset_seeds()
        return _joined([shop.reset() for shop in self.shops])

    def step_async(self, actions: np.ndarray) -> None:
        for shop, some in zip(self.shops, np.split(np.asarray(actions), self._ends), strict=True):
            shop.step_async(some)

    def step_wait(self) -> Any:
        seen, rewards, done, infos = zip(*(shop.step_wait() for shop in self.shops), strict=True)
        return (
            _joined(seen),
            np.concatenate(rewards),
            np.concatenate(done),
            [i for some in infos for i in some],
        )

    def env_method(self, method_name: str, *args: Any, indices: Any = None, **kwargs: Any) -> Any:
        """As `BundleVecEnv.env_method`."""
        block = np.concatenate([shop.env_method(method_name) for shop in self.shops])
        return block if indices is None else block[list(self._get_indices(indices))]

    def has_attr(self, attr_name: str) -> bool:
        return self.shops[0].has_attr(attr_name)

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        values = [value for shop in self.shops for value in shop.get_attr(attr_name)]
        return [values[i] for i in self._get_indices(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        for shop in self.shops:
            shop.set_attr(attr_name, value)

    def env_is_wrapped(self, wrapper_class: type, indices: Any = None) -> list[bool]:
        return [False for _ in self._get_indices(indices)]

    def seed(self, seed: int | None = None) -> Sequence[int | None]:
        self._seeds = [seed] * self.num_envs
        return self._seeds

    def snapshot(self) -> dict[str, torch.Tensor]:
        """What each shop's steps change, as NUMBER.NAME; see `BundleCore.snapshot`."""
        return {f"{i}.{k}": v for i, shop in enumerate(self.shops) for k, v in shop.snapshot().items()}

    def restore(self, held: Mapping[str, torch.Tensor]) -> None:
        """Go on from what `snapshot` gave, without a reset."""
        for i, shop in enumerate(self.shops):
            mine = f"{i}."
            shop.restore({k.removeprefix(mine): v for k, v in held.items() if k.startswith(mine)})

    def close(self) -> None:
        pass


def _joined(seen: Sequence[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Observations of all shops, (N, width) by block, from those of each."""
    return {name: np.concatenate([blocks[name] for blocks in seen]) for name in seen[0]}


def _shapes(shop: BundleVecEnv) -> dict[str, Any]:
    """The space of each block, and of actions."""
    seen: Any = shop.observation_space
    return {**seen.spaces, "actions": shop.action_space}


def _check_same(first: dict[str, Any], other: dict[str, Any]) -> None:
    for name in first | other:
        if (one := first.get(name)) != (another := other.get(name)):
            raise UserError(
                f"several shops in one training: {name} is {one} in the first shop, {another} in another"
            )
