"""`bundlegym/Bundle-v0`: one shopper, as a Gymnasium environment."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import torch

from bundlegym.envs.base import METRICS
from bundlegym.envs.core import BundleCore
from bundlegym.envs.make import make_core
from bundlegym.envs.rendering.picture import picture_of
from bundlegym.envs.rendering.scene import Outcome, outcome_of, scene_of
from bundlegym.envs.rendering.words import in_words
from bundlegym.envs.stepped import Stepped
from bundlegym.envs.views import Window, core_spaces, legal_actions, whole_action
from bundlegym.terminal import say


class BundleEnv(gym.Env[dict[str, np.ndarray], np.int64]):
    """Offer bundles to a simulated shopper, item by item.

    ## Description
    A shopper fitted to a transaction log comes for T visits. At each the agent sees what the shop knows of
    the shopper and K candidate items, picks a bundle item by item, and offers it at a discount. The shopper
    takes it whole, cherry-picks at shelf price or ignores it, and shops on.

    ## Action Space
    `Discrete(K + D)`: 0..K-1 add a candidate; K + d makes the offer at discount level d and ends the visit.
    `action_masks()` (K + D,), also `info["action_mask"]`, says what is legal: no repeats, no offer below the
    least size, no pick above the greatest; offering nothing, action K before any pick, always is. A masked
    action makes the first legal offer instead, or where none is legal the first legal pick.

    ## Observation Space
    `Dict` of flat float32 boxes: `candidates` (K features by `base.CANDIDATE_FEATURES`, row by row),
    `picked` (K,) 1 where in the bundle, `shopper` (history features, season), `context`
    (`base.CONTEXT_FEATURES`, among them the share of the visits that is left). Only what a shop would know.

    ## Rewards
    The visit's incremental margin, in the log's currency: the shopper's margin less that of a twin who
    lives the same visits with the same luck and is offered nothing. Zero on picks. Other rewards: `reward`.

    ## Starting State
    A shopper and a first day are drawn; the history until then is the log's own.

    ## Episode End
    Truncated after T visits; terminated when the shopper leaves for good.

    ## Information
    `action_mask`, and at the end of a visit the figures of `base.METRICS`.

    ## Arguments
    `render_mode`: None, 'ansi', 'rgb_array' or 'human'; `core`: a simulator of one shopper. Without `core`,
    all others are those of `make.make_core`: a preset ('synthetic' by default), `dataset`, `user_model`,
    `reward`, `shoppers`, `weeks`, and any field of `EnvConfig` (`n_candidates`, `visits`, ...) and
    `DataConfig` (`log`, ...).

    ```python
    env = gymnasium.make("bundlegym/Bundle-v0", preset="complete-journey", visits=4, reward="margin")
    ```

    ## Version History
    v0: first version.
    """

    metadata = {"render_modes": ["ansi", "rgb_array", "human"], "render_fps": 2}

    def __init__(
        self, render_mode: str | None = None, core: BundleCore | None = None, **options: Any
    ) -> None:
        self.core = make_core(1, **options) if core is None else core
        self.core.reset()
        self._window = Window(self.core)
        self.observation_space, self.action_space = core_spaces(self.core)  # type: ignore[assignment]
        self._last_action = self.core.k + self.core.levels - 1
        self.render_mode = render_mode
        self._started = self._ended = False
        self._past: list[Outcome] = []

    def __getstate__(self) -> dict[str, Any]:
        """A copy, or what was pickled, goes on in the midst of the episode."""
        return {name: value for name, value in vars(self).items() if name != "_window"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._window = Window(self.core)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        super().reset(seed=seed)
        if seed is not None or not self._started:
            self.core.reseed([seed if seed is not None else int(self.np_random.integers(2**31))])
            self.core.reset()
            self._started = True
        else:
            self.core.restart(torch.ones(1, dtype=torch.bool))
        self._past.clear()
        self._ended = False
        self._show()
        return self._window.observation(), {"action_mask": self.action_masks()}

    def step(self, action: Any) -> tuple[dict[str, np.ndarray], float, bool, bool, dict[str, Any]]:
        """Raises:
        ValueError: the episode has ended, or the action is none of the action space.
        """
        self._check_open()
        given = whole_action(action, self._last_action)
        return self._observe(self._window.step(self._decode(given)))

    def render(self) -> Any:
        """A visit in words ('ansi'), as a picture (544, 960, 3) uint8 ('rgb_array'), or None ('human')."""
        if self.render_mode is None:
            gym.logger.warn("render() without a render_mode; give gymnasium.make one, such as 'ansi'")
            return None
        scene = scene_of(self.core, 0, self._past)
        if self.render_mode == "ansi":
            return in_words(scene)
        return picture_of(scene) if self.render_mode == "rgb_array" else None

    def _show(self) -> None:
        """In mode 'human', print the scene at each step."""
        if self.render_mode == "human":
            say(in_words(scene_of(self.core, 0, self._past)))

    def action_masks(self) -> np.ndarray:
        """(K + D,) bool, the legal actions; the name is the one that sb3-contrib looks for."""
        return self._window.mask().copy()

    def _check_open(self) -> None:
        if self._ended:
            raise ValueError("the episode has ended; call reset")

    def _decode(self, action: int) -> int:
        mask = self._window.mask()
        return action if mask[action] else int(legal_actions(np.array([action]), mask[None], self.core.k)[0])

    def _observe(self, result: Stepped) -> tuple[dict[str, np.ndarray], float, bool, bool, dict[str, Any]]:
        info: dict[str, Any] = {"action_mask": self.action_masks()}
        observation = self._window.observation()
        if result.record is None:
            self._show()
            return observation, 0.0, False, False, info
        info |= zip(METRICS, result.record.figures[:, 0].tolist(), strict=False)
        if self.render_mode is not None:
            self._past.append(outcome_of(self.core, self.core.record_of(result.record), 0))
        self._show()
        terminated, truncated = bool(result.terminated[0]), bool(result.truncated[0])
        self._ended = terminated or truncated
        return observation, float(result.reward[0]), terminated, truncated, info
