"""MaskablePPO with the two-tower scorer."""

from __future__ import annotations

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

from bundlegym.agents.two_tower import TwoTowerScorer

#: Arguments of `make_ppo` for an agent that has imitated the planner: small steps, and no pay for chance.
AFTER_IMITATION: dict[str, Any] = {"learning_rate": 3e-4, "final_learning_rate": 1e-5, "ent_coef": 0.0}

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


def make_ppo(
    env: VecEnv,
    *,
    seed: int | None = None,
    device: str | th.device = "cpu",
    tensorboard_log: str | None = None,
    width: int = 32,
    gamma: float = 0.99,
    learning_rate: float = 1e-3,
    final_learning_rate: float = 1e-4,
    n_steps: int = 32,
    batch_size: int = 2048,
    **hyper: Any,
) -> MaskablePPO:
    """MaskablePPO with the scorer and defaults for about 256 shoppers at once.

    The learning rate falls linearly from `learning_rate` to `final_learning_rate` over `learn`; `batch_size`
    is cut to a roll-out's n_steps * N where that is less. Anything in `hyper` goes to `MaskablePPO` as it is.
    """
    defaults: dict[str, Any] = {
        "n_epochs": 2,
        "ent_coef": 0.005,
        "gae_lambda": 0.95,
        "normalize_advantage": True,
        "policy_kwargs": {"width": width},
    }
    return MaskablePPO(
        ScorerPolicy,
        env,
        learning_rate=LinearSchedule(learning_rate, final_learning_rate, 1.0),
        n_steps=n_steps,
        batch_size=min(batch_size, n_steps * env.num_envs),
        gamma=gamma,
        seed=seed,
        device=device,
        tensorboard_log=tensorboard_log,
        **{**defaults, **hyper},
    )
