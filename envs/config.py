"""The options of an environment, a line of doc each: sizes of a bundle, discounts, visits, reward."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bundlegym.data.checked import Config, Count, Discount
from bundlegym.envs.base import BLOCKS, COMPONENTS
from bundlegym.envs.observations import NAMED_BLOCKS
from bundlegym.envs.rewards import check_name
from bundlegym.errors import UserError


@dataclass(frozen=True)
class EnvConfig(Config):
    """The offers an agent may make, and to whom."""

    n_candidates: Count = 32
    """Items put before the agent at a visit."""

    visits: Count = 8
    """Visits in an episode; the end is a truncation."""

    min_size: Count = 2
    """Least number of items in an offer; offering nothing is always allowed."""

    max_size: Count = 4
    """Greatest number of items in an offer."""

    discounts: tuple[Discount, ...] = (0.0, 0.05, 0.1, 0.2, 0.3)
    """Discount levels off the shelf price of the whole bundle; the first should be 0."""

    reward: str = "incremental_margin"
    """Reward of a visit: a component by name, or module:name of a function over all components."""

    reward_draws: Count = 1
    """Draws of luck over which a visit's reward is averaged: the first is what happens, the others only
    lessen the noise that an agent learns from, and each costs one more answer of the user model."""

    observation: tuple[str, ...] = BLOCKS
    """Blocks of the observation: shopper, context, candidates, picked, profile, shopper_embedding, forecasts,
    offers_lately, or module:name of functions of the core. Our agents need the first four."""

    def __post_init__(self) -> None:
        for name in ("discounts", "observation"):  # lists where a configuration comes from JSON
            if isinstance(value := getattr(self, name), list | np.ndarray):
                object.__setattr__(self, name, tuple(value))
        super().__post_init__()
        if not 1 <= self.min_size <= self.max_size <= self.n_candidates:
            raise UserError(
                f"min_size {self.min_size}, max_size {self.max_size}, n_candidates {self.n_candidates}: "
                "must hold 1 <= min_size <= max_size <= n_candidates"
            )

    @classmethod
    def label(cls, field: str) -> str:
        """A keyword of `gymnasium.make`, and an option of bundlegym train."""
        return field


def check_names(config: EnvConfig) -> None:
    """That each reward and block is one of ours or of the form `module:name`; nothing is imported.

    Raises:
        UserError: one is neither.
    """
    check_name("reward", config.reward, COMPONENTS)
    for name in config.observation:
        check_name("observation", name, NAMED_BLOCKS)
