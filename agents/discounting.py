"""Agents discount by visits, not by steps: no time passes while a bundle is put together.

Were each pick discounted, an offer of four items would put off all that later visits earn by five steps, and
offering nothing by one. An agent would then learn to offer little: it sees the later visits sooner. So the
discount factor counts once a visit, with the offer that ends it (a semi-Markov decision process; Sutton,
Precup and Singh 1999, "Between MDPs and semi-MDPs").
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from gymnasium import spaces
from sb3_contrib.common.maskable.buffers import MaskableDictRolloutBuffer
from torch import Tensor

Numbers = TypeVar("Numbers", np.ndarray, Tensor)


def discount_after(actions: Numbers, k: int, gamma: float) -> Numbers:
    """What counts of all that follows each action: `gamma` after an offer, all of it after one of k picks."""
    return 1.0 - (1.0 - gamma) * (actions >= k)


def n_candidates(observation_space: spaces.Space) -> int:
    """K of an observation space."""
    return observation_space["picked"].shape[0]  # type: ignore[index]


def generalized_advantages(
    rewards: Numbers, values: Numbers, counts: Numbers, last_values: Numbers, gae_lambda: float
) -> Numbers:
    """(T, N) advantages of T steps of N shoppers (Schulman et al. 2016), `gae_lambda` counting by steps.

    Args:
        rewards, values: (T, N).
        counts: (T, N), of what follows each step: its discount, 0 where the step ended the episode.
        last_values: (N,) of what follows the last step.
    """
    advantages, following = rewards * 0.0, last_values
    advantage = rewards[0] * 0.0
    for step in reversed(range(len(rewards))):
        missed = rewards[step] + counts[step] * following - values[step]
        advantage = missed + counts[step] * gae_lambda * advantage
        advantages[step], following = advantage, values[step]
    return advantages


class VisitRolloutBuffer(MaskableDictRolloutBuffer):
    """A roll-out whose returns and advantages are discounted by visits; `gae_lambda` counts by steps."""

    def compute_returns_and_advantage(self, last_values: Tensor, dones: np.ndarray) -> None:
        """From values (N, 1) of the observations after the last step and whether that ended episodes (N,)."""
        k = n_candidates(self.observation_space)
        discount = discount_after(self.actions.reshape(self.buffer_size, self.n_envs), k, self.gamma)
        goes_on = 1.0 - np.concatenate([self.episode_starts[1:], dones[None].astype(np.float32)])
        self.advantages = generalized_advantages(
            self.rewards,
            self.values,
            discount * goes_on,
            last_values.cpu().numpy().flatten(),
            self.gae_lambda,
        )
        self.returns = self.advantages + self.values
