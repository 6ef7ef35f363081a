"""`bundlegym/Slate-v0`: the whole bundle and its discount in one action."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces

from bundlegym.envs.bundle_env import BundleEnv
from bundlegym.envs.views import whole_actions


class SlateEnv(BundleEnv):
    """Offer bundles to a simulated shopper, one action a visit.

    ## Description
    As `BundleEnv`, for agents that choose a whole slate: each step is a visit.

    ## Action Space
    `MultiDiscrete([K + 1] * B + [D])`: B places, each one of the K candidates or K for none, then the
    discount level. An item named twice counts once; fewer items than the least size are no offer at all.

    ## Observation Space
    As `BundleEnv`, at the door of a visit; `picked` is always zero there.

    ## Rewards
    As `BundleEnv`, at every step.

    ## Starting State
    As `BundleEnv`.

    ## Episode End
    As `BundleEnv`.

    ## Information
    `METRICS` at every step; `action_mask` is that of `BundleEnv` and masks nothing here.

    ## Arguments
    As `BundleEnv`.

    ## Version History
    v0: first version.
    """

    def __init__(self, render_mode: str | None = None, **options: Any) -> None:
        super().__init__(render_mode, **options)
        core = self.core
        self._last = np.array([core.k] * core.config.max_size + [core.levels - 1])
        self.action_space = spaces.MultiDiscrete(  # type: ignore[assignment]
            [core.k + 1] * core.config.max_size + [core.levels]
        )

    def step(self, action: Any) -> tuple[dict[str, np.ndarray], float, bool, bool, dict[str, Any]]:
        """Raises:
        ValueError: the episode has ended, or the action is none of the action space.
        """
        self._check_open()
        *places, level = whole_actions(action, self._last).tolist()
        bundle = list(dict.fromkeys(place for place in places if place < self.core.k))
        if len(bundle) < self.core.config.min_size:
            bundle, level = [], 0
        for single in (*bundle, self.core.k + level):
            result = self._window.step(single)
        return self._observe(result)
