"""Advantage actor-critic with masks and the two-tower scorer.

A2C is PPO that makes one gradient step on all of a roll-out (Huang et al. 2022, "A2C is a special case of
PPO"): before that step the new policy is the old one, the ratio of both is 1 and nothing is clipped, so that
both losses have the same gradient. With A2C's other choices (RMSprop, returns to the end, advantages as they
are) MaskablePPO is therefore A2C that knows masks, which Stable-Baselines3's own does not.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch as th
from sb3_contrib import MaskablePPO
from stable_baselines3.common.vec_env import VecEnv

from bundlegym.agents.config import AgentConfig
from bundlegym.agents.discounting import VisitRolloutBuffer
from bundlegym.agents.ppo import ScorerPolicy
from bundlegym.user_models.config import Count, NotNegative, Positive, Share, Whole


@dataclass(frozen=True)
class A2CConfig(AgentConfig):
    """Advantage actor-critic with masks (Mnih et al. 2016); the defaults are those of Stable-Baselines3."""

    agent = "a2c"

    steps: Whole = 500_000
    """Environment steps (picks and offers) to learn from."""

    width: Count = 32
    """Width of the network's layers."""

    learning_rate: Positive = 7e-4
    """Step size of the optimiser (RMSprop)."""

    n_steps: Count = 5
    """Steps of each shopper between two gradient steps."""

    gae_lambda: Share = 1.0
    """Weight of later steps in the estimate of an action's advantage: 0 is one step, 1 all of them."""

    ent_coef: NotNegative = 0.0
    """Weight of the policy's entropy in the loss."""

    vf_coef: NotNegative = 0.5
    """Weight of the error of values in the loss."""

    max_grad_norm: Positive = 0.5
    """Longer gradients are cut to this."""


def make_a2c(
    env: VecEnv,
    config: A2CConfig = A2CConfig(),
    *,
    gamma: float = 0.99,
    seed: int | None = None,
    device: str | th.device = "cpu",
) -> MaskablePPO:
    """A2C with the scorer; see the module's docstring."""
    return MaskablePPO(
        ScorerPolicy,
        env,
        learning_rate=config.learning_rate,
        n_steps=config.n_steps,
        batch_size=config.n_steps * env.num_envs,
        n_epochs=1,
        normalize_advantage=False,
        gae_lambda=config.gae_lambda,
        ent_coef=config.ent_coef,
        vf_coef=config.vf_coef,
        max_grad_norm=config.max_grad_norm,
        rollout_buffer_class=VisitRolloutBuffer,
        policy_kwargs={
            "width": config.width,
            "optimizer_class": th.optim.RMSprop,
            "optimizer_kwargs": {"alpha": 0.99, "eps": 1e-5, "weight_decay": 0},
        },
        gamma=gamma,
        seed=seed,
        device=device,
    )
