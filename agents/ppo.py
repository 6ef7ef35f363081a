"""MaskablePPO with the two-tower scorer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch as th
from gymnasium import spaces
from sb3_contrib import MaskablePPO
from sb3_contrib.common.maskable.distributions import MaskableDistribution
from sb3_contrib.common.maskable.policies import MaskableActorCriticPolicy
from stable_baselines3.common.type_aliases import Schedule
from stable_baselines3.common.utils import LinearSchedule
from stable_baselines3.common.vec_env import VecEnv

from bundlegym.agents.config import AgentConfig
from bundlegym.agents.discounting import VisitRolloutBuffer
from bundlegym.agents.two_tower import TwoTowerScorer
from bundlegym.user_models.config import Count, NotNegative, Positive, Several, Share, Whole

Masks = np.ndarray | th.Tensor | None


class ScorerPolicy(MaskableActorCriticPolicy):
    """An actor-critic whose logits (N, K + D) and values (N, 1) both come from a `TwoTowerScorer`."""

    def __init__(
        self,
        observation_space: spaces.Space,
        action_space: spaces.Space,
        lr_schedule: Schedule,
        width: int = 32,
        **kwargs: Any,
    ) -> None:
        self.width = width  # before the parent's __init__, which calls _build
        super().__init__(observation_space, action_space, lr_schedule, **kwargs)

    def _build(self, lr_schedule: Schedule) -> None:
        self.scorer = TwoTowerScorer.from_spaces(self.observation_space, self.action_space, self.width)
        self.optimizer = self.optimizer_class(  # type: ignore[call-arg]
            self.parameters(), lr=lr_schedule(1), **self.optimizer_kwargs
        )

    def _get_constructor_parameters(self) -> dict[str, Any]:
        return {**super()._get_constructor_parameters(), "width": self.width}

    def _distribution(self, scores: th.Tensor, action_masks: Masks) -> MaskableDistribution:
        """The masked distribution over the scores (N, K + D)."""
        distribution = self.action_dist.proba_distribution(action_logits=scores)
        if action_masks is not None:
            distribution.apply_masking(action_masks)
        return distribution

    def forward(  # type: ignore[override]
        self, obs: dict[str, th.Tensor], deterministic: bool = False, action_masks: Masks = None
    ) -> tuple[th.Tensor, th.Tensor, th.Tensor]:
        """Actions (N,), values (N, 1) and log probabilities (N,)."""
        scores, values = self.scorer(obs)
        distribution = self._distribution(scores, action_masks)
        actions = distribution.get_actions(deterministic=deterministic)
        return actions, values.unsqueeze(-1), distribution.log_prob(actions)

    def evaluate_actions(  # type: ignore[override]
        self, obs: dict[str, th.Tensor], actions: th.Tensor, action_masks: Masks = None
    ) -> tuple[th.Tensor, th.Tensor, th.Tensor | None]:
        """Values (N, 1), log probabilities (N,) of the actions and entropies (N,)."""
        scores, values = self.scorer(obs)
        distribution = self._distribution(scores, action_masks)
        return values.unsqueeze(-1), distribution.log_prob(actions), distribution.entropy()

    def get_distribution(  # type: ignore[override]
        self, obs: dict[str, th.Tensor], action_masks: Masks = None
    ) -> MaskableDistribution:
        """The distribution over the K + D actions."""
        return self._distribution(self.scorer.scores(obs), action_masks)

    def predict_values(self, obs: dict[str, th.Tensor]) -> th.Tensor:  # type: ignore[override]
        """Values (N, 1)."""
        return self.scorer.values(obs).unsqueeze(-1)


@dataclass(frozen=True)
class PPOConfig(AgentConfig):
    """Proximal policy optimisation with masks (Schulman et al. 2017; Huang and Ontanon 2022).

    The defaults are for about 256 shoppers at once.
    """

    agent = "ppo"

    steps: Whole = 250_000
    """Environment steps (picks and offers) to learn from."""

    imitate: Whole = 2048
    """Visits of training shoppers that the planner plans and the agent imitates before it learns from
    rewards; 0 starts at random. Then a learning rate of 1e-3 and an `ent_coef` of 0.005 are better."""

    width: Count = 32
    """Width of the network's layers."""

    learning_rate: Positive = 3e-4
    """Step size of the optimiser (Adam) at the beginning."""

    final_learning_rate: NotNegative = 3e-5
    """Step size at the end; it falls in a straight line."""

    n_steps: Count = 32
    """Steps of each shopper between two updates."""

    batch_size: Several = 2048
    """Steps in a gradient step, or all of an update where those are fewer."""

    n_epochs: Count = 2
    """Passes over the steps of an update."""

    clip_range: Positive = 0.2
    """How far an update may move an action's probability, as a share of it."""

    gae_lambda: Share = 0.95
    """Weight of later steps in the estimate of an action's advantage: 0 is one step, 1 all of the episode."""

    ent_coef: NotNegative = 0.0
    """Weight of the policy's entropy in the loss."""

    vf_coef: NotNegative = 0.5
    """Weight of the error of values in the loss."""

    max_grad_norm: Positive = 0.5
    """Longer gradients are cut to this."""


def make_ppo(
    env: VecEnv,
    config: PPOConfig = PPOConfig(),
    *,
    gamma: float = 0.99,
    seed: int | None = None,
    device: str | th.device = "cpu",
) -> MaskablePPO:
    """MaskablePPO with the scorer."""
    return MaskablePPO(
        **ppo_arguments(env, config), rollout_buffer_class=VisitRolloutBuffer,
        gamma=gamma, seed=seed, device=device,
    )  # fmt: skip


def ppo_arguments(env: VecEnv, config: PPOConfig) -> dict[str, Any]:
    """What the hyper-parameters are to the constructor of MaskablePPO."""
    return {
        "policy": ScorerPolicy,
        "env": env,
        "learning_rate": LinearSchedule(config.learning_rate, config.final_learning_rate, 1.0),
        "n_steps": config.n_steps,
        "batch_size": min(config.batch_size, config.n_steps * env.num_envs),
        "n_epochs": config.n_epochs,
        "clip_range": config.clip_range,
        "gae_lambda": config.gae_lambda,
        "ent_coef": config.ent_coef,
        "vf_coef": config.vf_coef,
        "max_grad_norm": config.max_grad_norm,
        "policy_kwargs": {"width": config.width},
    }
