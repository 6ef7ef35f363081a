"""`bundlegym/Bundle-v0`: one shopper, as a Gymnasium environment."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import torch

from bundlegym.data import Dataset, synthetic_dataset
from bundlegym.envs.base import EnvConfig
from bundlegym.envs.core import BundleCore
from bundlegym.envs.market import build_market
from bundlegym.envs.vector import core_spaces, to_numpy
from bundlegym.user_models import ChoiceShopper, UserModel


class BundleEnv(gym.Env[dict[str, np.ndarray], np.int64]):
    """Offer bundles to a simulated shopper.

    ## Description
    A shopper fitted to a transaction log comes for T visits. At each the agent sees what the shop knows of
    the shopper and K candidate items, picks a bundle item by item, and offers it at a discount. The shopper
    takes it whole, cherry-picks at shelf price or ignores it, and shops on.

    ## Action Space
    `Discrete(K + D)`: 0..K-1 add a candidate; K + d makes the offer at discount level d and ends the visit.
    `action_masks()` (K + D,) says what is legal; offering nothing, action K before any pick, always is.

    ## Observation Space
    `Dict` of flat float32 boxes: `candidates` (K features by `base.CANDIDATE_FEATURES`, row by row),
    `picked` (K,) 1 where in the bundle, `shopper` (history features, season), `context`
    (`base.CONTEXT_FEATURES`). Only what a shop would know.

    ## Rewards
    The visit's incremental margin, in the log's currency: the shopper's margin less that of a twin who
    lives the same visits with the same luck and is offered nothing. Zero on picks.

    ## Starting State
    A shopper and a first day are drawn; the history until then is the log's own.

    ## Episode End
    Truncated after T visits; terminated when the shopper leaves for good.

    ## Arguments
    `dataset`: a prepared log (by default a small synthetic one); `user_model`: who reacts (by default a
    `ChoiceShopper` fitted on it); `config`: an `EnvConfig`; `shoppers`: codes to draw from (by default those
    not held out); `weeks`: half-open range (by default the training weeks).

    ## Version History
    v0: first version.
    """

    metadata = {"render_modes": []}

    def __init__(
        self,
        dataset: Dataset | None = None,
        user_model: UserModel | None = None,
        config: EnvConfig | None = None,
        shoppers: np.ndarray | None = None,
        weeks: tuple[int, int] | None = None,
    ) -> None:
        dataset = synthetic_dataset() if dataset is None else dataset
        user_model = user_model or ChoiceShopper.fit(dataset, epochs=1, progress=lambda _: None)
        if shoppers is None:
            shoppers = np.flatnonzero(~dataset.split.held_out)
        self.core = BundleCore(
            build_market(dataset, device=user_model.device),
            user_model,
            config or EnvConfig(),
            n=1,
            shoppers=shoppers,
            weeks=weeks or dataset.split.train_weeks,
        )
        self.core.reset()
        self.observation_space, self.action_space = core_spaces(self.core)  # type: ignore[assignment]
        self._started = False

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        super().reset(seed=seed)
        if seed is not None or not self._started:
            self.core.reseed(seed if seed is not None else int(self.np_random.integers(2**31)))
            self.core.reset()
            self._started = True
        else:
            self.core.restart(torch.ones(1, dtype=torch.bool))
        return self._observation(), {"action_mask": self.action_masks()}

    def step(self, action: Any) -> tuple[dict[str, np.ndarray], float, bool, bool, dict[str, Any]]:
        """One pick or offer. A masked action offers what stands, or nothing where that is not allowed."""
        result = self.core.step(torch.tensor([self._legal(int(action))]))
        info: dict[str, Any] = {"action_mask": self.action_masks()}
        if result.record is not None:
            info |= {name: float(value[0]) for name, value in result.record.metrics().items()}
        return (
            self._observation(),
            float(result.reward[0]),
            bool(result.terminated[0]),
            bool(result.truncated[0]),
            info,
        )

    def action_masks(self) -> np.ndarray:
        """(K + D,) bool, the legal actions; the name is the one that sb3-contrib looks for."""
        return self.core.masks()[0].cpu().numpy()

    def _legal(self, action: int) -> int:
        """The action itself, or where it is masked the first legal offer, or the first legal pick.

        Clients without masks (SB3's own PPO and DQN) would else stop at their first random action.
        """
        mask = self.action_masks()
        if mask[action]:
            return action
        legal = np.flatnonzero(mask)
        offers = legal[legal >= self.core.k]
        return int(offers[0] if len(offers) else legal[0])

    def _observation(self) -> dict[str, np.ndarray]:
        return {name: block[0] for name, block in to_numpy(self.core.observe()).items()}
