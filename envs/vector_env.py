"""The Gymnasium view on the core for N environments, under all three autoreset modes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from bundlegym.envs.base import LEAVE, METRICS
from bundlegym.envs.core import BundleCore
from bundlegym.envs.make import make_core
from bundlegym.envs.views import core_spaces, figures_of, legal_actions, to_numpy, whole_actions

Observation = dict[str, np.ndarray]


class BundleVectorEnv(VectorEnv[Observation, np.ndarray, np.ndarray]):
    """`gymnasium.make_vec("bundlegym/Bundle-v0", num_envs=N)`: environment i is `BundleEnv` of seed s + i.

    Infos are those of Gymnasium's own vector environments: `action_mask` (N, K + D) at every step, the
    figures of `METRICS` (N,) beside `_name` (N,) where a visit ended, and under SAME_STEP `final_obs` and
    `final_info` where an episode did. A masked action is replaced as in `BundleEnv`.

    Args:
        num_envs: N.
        autoreset_mode: SAME_STEP (default), NEXT_STEP or DISABLED.
        core: a simulator of N shoppers, in place of one made of `options`.
        options: see `make_core`.
    """

    metadata = {"render_modes": [], "autoreset_mode": AutoresetMode.SAME_STEP}

    def __init__(
        self,
        num_envs: int = 1,
        *,
        autoreset_mode: AutoresetMode | str = AutoresetMode.SAME_STEP,
        core: BundleCore | None = None,
        **options: Any,
    ) -> None:
        self.core = make_core(num_envs, **options) if core is None else core
        self.core.reset()
        self.num_envs, self.mode = self.core.n, AutoresetMode(autoreset_mode)
        self.metadata = {**type(self).metadata, "autoreset_mode": self.mode}
        self.single_observation_space, self.single_action_space = core_spaces(self.core)
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)
        self._last = np.full(self.num_envs, self.core.k + self.core.levels - 1)
        self._ended = np.zeros(self.num_envs, dtype=bool)
        self._started = False

    def reset(
        self, *, seed: int | Sequence[int] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Episodes of seeds s, s + 1, ... or of the seeds given; without a seed, the next ones.

        `options["reset_mask"]` (N,) bool starts new episodes in some of the environments only.
        """
        again = np.asarray((options or {}).get("reset_mask", np.ones(self.num_envs)), dtype=bool)
        if seed is not None or not self._started:
            super().reset(seed=seed if isinstance(seed, int) else None)
            if seed is None:
                seed = int(self.np_random.integers(2**31))
            self.core.reseed([seed + i for i in range(self.num_envs)] if isinstance(seed, int) else seed)
            self.core.reset()
            self._started, again = True, np.ones(self.num_envs, dtype=bool)
        else:
            self.core.restart(torch.from_numpy(again).to(self.core.device))
        self._ended &= ~again
        return to_numpy(self.core.observe()), self._mask_info()

    def step(
        self, actions: np.ndarray
    ) -> tuple[Observation, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        core, masks = self.core, self.core.masks().cpu().numpy()
        action = legal_actions(whole_actions(actions, self._last), masks, core.k)
        if self._ended.any():
            if self.mode is AutoresetMode.DISABLED:
                raise ValueError(f"environment {self._ended.argmax()}: its episode has ended; reset it")
            action = np.where(self._ended, LEAVE, action)
        result = core.step(torch.from_numpy(action).to(core.device))
        if self._ended.any():
            core.restart(torch.from_numpy(self._ended).to(core.device))
        done = (result.terminated | result.truncated).cpu().numpy()
        infos: dict[str, Any] = {}
        figures, known = figures_of(result.record, self.num_envs)
        if done.any() and self.mode is AutoresetMode.SAME_STEP:
            infos |= self._final(done, figures)
            known &= ~done
            core.restart(torch.from_numpy(done).to(core.device))
        else:
            self._ended = done
        if known.any():
            infos |= _by_name(figures, known)
        return (
            to_numpy(core.observe()),
            np.array(result.reward.cpu().numpy(), dtype=np.float64),
            np.array(result.terminated.cpu().numpy()),
            np.array(result.truncated.cpu().numpy()),
            infos | self._mask_info(),
        )

    def action_masks(self) -> np.ndarray:
        """(N, K + D) bool, the legal actions."""
        return np.array(self.core.masks().cpu().numpy())

    def _mask_info(self) -> dict[str, np.ndarray]:
        return {"action_mask": self.action_masks(), "_action_mask": np.ones(self.num_envs, dtype=bool)}

    def _final(self, done: np.ndarray, figures: np.ndarray) -> dict[str, Any]:
        """Last observations and infos of the episodes that ended: views on one block a name."""
        slots = np.flatnonzero(done)
        masks = self.core.masks().numpy(force=True) & done[:, None]
        last = {name: block.numpy(force=True)[slots] for name, block in self.core.observe().items()}
        observations = np.full(self.num_envs, None, dtype=object)
        for slot, blocks in zip(slots, zip(*last.values(), strict=True), strict=True):
            observations[slot] = dict(zip(last, blocks, strict=True))
        info: dict[str, Any] = {"action_mask": masks, "_action_mask": done}
        info |= _by_name(figures, done)
        return {"final_obs": observations, "_final_obs": done, "final_info": info, "_final_info": done}


def _by_name(figures: np.ndarray, known: np.ndarray) -> dict[str, np.ndarray]:
    """Figures (M, N) where they are `known` (N,), as Gymnasium's vector environments lay them out."""
    rows = zip(METRICS, np.where(known, figures, 0.0), strict=True)
    return {key: value for name, row in rows for key, value in ((name, row), (f"_{name}", known))}
