"""A policy of the simulator, as `picking` takes it."""

from __future__ import annotations

import numpy as np
import torch

from bundlegym.agents.base import Policy
from bundlegym.agents.planner import Planner
from bundlegym.agents.planner.policy import actions_of
from bundlegym.envs import BundleCore


class CoreVisits:
    """The visits that are open in a core, under the contract of `picking.Visits`.

    Args:
        price, cost: (I,) at the shelf on the day.
    """

    def __init__(self, core: BundleCore, policy: Policy, price: np.ndarray, cost: np.ndarray) -> None:
        self._core, self._policy = core, _planned(core, policy) if isinstance(policy, Planner) else policy
        self.k, self.discounts, self.price, self.cost = core.k, core.discounts.cpu().numpy(), price, cost
        #: (N, K) int64 item codes, the likeliest first.
        self.candidates = core.candidates.cpu().numpy().copy()
        self._read()

    def observe(self) -> dict[str, torch.Tensor]:
        """The observation, (N, width) by name."""
        return self._core.observe()

    def act(self) -> np.ndarray:
        self._core.mask.copy_(torch.from_numpy(self.mask))
        return self._policy(self._core).cpu().numpy()

    def step(self, action: np.ndarray) -> None:
        self._core.step(torch.from_numpy(action).to(self._core.device))
        self._read()

    def _read(self) -> None:
        self.mask, self.picks = self._core.mask.cpu().numpy().copy(), self._core.picks.cpu().numpy().copy()


def _planned(core: BundleCore, planner: Planner) -> Policy:
    """A policy that follows the plans for the visits now open."""
    actions = actions_of(planner.plan(core, core.rows), core.k)
    return lambda core: actions[core.rows, core.n_picks]
