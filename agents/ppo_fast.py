"""MaskablePPO whose simulator, roll-out and learner are tensors on one device.

The agent `ppo` sees the simulator as Stable-Baselines3 does, through arrays in the memory of the CPU and a
dictionary for each shopper; on a GPU each observation then goes there and back. This one steps the core
itself. Network, loss, hyper-parameters and draws are those of `ppo`: on the CPU the same seed gives the same
roll-outs and, but for rounding, the same weights.

What leaves the device is little: once a step the counts that the core itself looks at and the figures of the
visits that ended, once an update the means for the logs and the observation that a checkpoint holds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch as th
from gymnasium import spaces
from sb3_contrib import MaskablePPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.vec_env import VecEnv
from torch.nn import functional as F

from bundlegym.agents.discounting import discount_after, generalized_advantages, n_candidates
from bundlegym.agents.ppo import PPOConfig, ScorerPolicy, ppo_arguments
from bundlegym.envs import BundleCore, BundleVecEnv
from bundlegym.envs.views import to_numpy
from bundlegym.errors import UserError


class Batch(NamedTuple):
    """B steps: observations (B, width) by name, masks (B, K + D) bool, and (B,) each."""

    observations: dict[str, th.Tensor]
    masks: th.Tensor
    actions: th.Tensor
    log_probs: th.Tensor
    advantages: th.Tensor
    returns: th.Tensor


class DeviceRollout:
    """T steps of N shoppers on a device: `see` each and write what came of it, `finish`, then read `batches`.

    Attributes:
        observations: (T, N, width) by name. masks: (T, N, K + D) bool. actions: (T, N) int64.
        rewards, values, log_probs, advantages, returns: (T, N).
        goes_on: (T, N), 1 where the step did not end the episode, else 0.
    """

    def __init__(
        self,
        buffer_size: int,
        observation_space: spaces.Dict,
        action_space: spaces.Discrete,
        device: th.device | str,
        gae_lambda: float,
        gamma: float,
        n_envs: int,
    ) -> None:
        self.gae_lambda, self.gamma, self.k = gae_lambda, gamma, n_candidates(observation_space)

        def zeros(*shape: int, dtype: th.dtype = th.float32) -> th.Tensor:
            return th.zeros(buffer_size, n_envs, *shape, dtype=dtype, device=device)

        self.observations = {name: zeros(box.shape[0]) for name, box in observation_space.items()}  # type: ignore[index]
        self.masks = zeros(int(action_space.n), dtype=th.bool)
        self.actions = zeros(dtype=th.int64)
        self.rewards, self.values, self.log_probs, self.goes_on = zeros(), zeros(), zeros(), zeros()
        self.advantages, self.returns = zeros(), zeros()

    def see(self, t: int, observation: Mapping[str, th.Tensor], masks: th.Tensor) -> None:
        """Keep what is seen before step t; the core goes on writing into its own."""
        for name, block in observation.items():
            self.observations[name][t] = block
        self.masks[t] = masks

    def finish(self, last_values: th.Tensor) -> None:
        """Advantages and returns, from the values (N,) of what follows the last step."""
        self.advantages = generalized_advantages(
            self.rewards, self.values, discount_after(self.actions, self.k, self.gamma) * self.goes_on,
            last_values, self.gae_lambda,
        )  # fmt: skip
        self.returns = self.advantages + self.values

    def batches(self, size: int, passes: int) -> Iterator[Batch]:
        """All steps in another random order in each pass, cut into mini-batches. The generator is numpy's
        and steps are numbered shopper by shopper, as in Stable-Baselines3."""
        steps = Batch(
            {name: _flat(block) for name, block in self.observations.items()}, _flat(self.masks),
            *map(_flat, (self.actions, self.log_probs, self.advantages, self.returns)),
        )  # fmt: skip
        for _ in range(passes):
            order = th.from_numpy(np.random.permutation(len(steps.actions))).to(self.actions.device)
            for rows in order.split(size):
                observations = {name: block[rows] for name, block in steps.observations.items()}
                yield Batch(observations, *(column[rows] for column in steps[1:]))


def _flat(steps: th.Tensor) -> th.Tensor:
    """(N T, ...) of (T, N, ...)."""
    return steps.transpose(0, 1).flatten(0, 1)


class FastPPO(MaskablePPO):
    """See the module's docstring. Needs an environment over a `BundleCore`."""

    policy: ScorerPolicy
    rollout_buffer: DeviceRollout  # type: ignore[assignment]
    batch_size: int

    @property
    def view(self) -> BundleVecEnv:
        """The environment, whose core is stepped past it."""
        assert self.env is not None
        view = self.env.unwrapped
        if not isinstance(view, BundleVecEnv):
            raise UserError(f"ppo-fast steps a BundleCore itself; {type(view).__name__} has none")
        return view

    def collect_rollouts(  # type: ignore[override]
        self,
        env: VecEnv,
        callback: BaseCallback,
        rollout_buffer: DeviceRollout,
        n_rollout_steps: int,
        use_masking: bool = True,
    ) -> bool:
        """Fill the roll-out; whether the callback lets it go on."""
        view, steps = self.view, rollout_buffer
        core = view.core
        self.policy.set_training_mode(False)
        callback.on_rollout_start()
        for t in range(n_rollout_steps):
            seen, masks = core.observe(), core.masks()
            steps.see(t, seen, masks)
            with th.no_grad():
                actions, values, log_probs = self.policy(seen, action_masks=masks)
            result = core.step(actions)
            done = result.terminated | result.truncated
            steps.actions[t], steps.values[t], steps.log_probs[t] = actions, values.flatten(), log_probs
            steps.rewards[t], steps.goes_on[t] = result.reward, ~done
            self.num_timesteps += core.n
            if result.record is not None:
                if view.on_visits is not None:
                    view.on_visits(result.record)
                steps.rewards[t] += self.gamma * self._cut_off(core, result.truncated)
                core.restart(done)
            if not callback.on_step():
                return False
        with th.no_grad():
            steps.finish(self.policy.predict_values(core.observe()).flatten())
        self._last_obs, self._last_episode_starts = to_numpy(core.observe()), done.cpu().numpy().copy()
        callback.on_rollout_end()
        return True

    def _cut_off(self, core: BundleCore, truncated: th.Tensor) -> th.Tensor:
        """(N,) the values of the last observations of episodes that are cut, not ended; 0 in other slots."""
        values = th.zeros(core.n, device=core.device)
        rows = truncated.nonzero()[:, 0]
        if len(rows):
            with th.no_grad():
                values[rows] = self.policy.predict_values(core.observe(rows)).flatten()
        return values

    def train(self) -> None:
        """The update of MaskablePPO; what it logs is read from the device once."""
        self.policy.set_training_mode(True)
        self._update_learning_rate(self.policy.optimizer)
        clip = self.clip_range(self._current_progress_remaining)  # type: ignore[operator]
        told = []
        for batch in self.rollout_buffer.batches(self.batch_size, self.n_epochs):
            loss, figures = self.loss(batch, clip)
            self.policy.optimizer.zero_grad()
            loss.backward()
            th.nn.utils.clip_grad_norm_(self.policy.parameters(), self.max_grad_norm)
            self.policy.optimizer.step()
            told.append(th.stack([*figures.values(), loss]).detach())
        self._n_updates += self.n_epochs
        means = th.stack(told).mean(0).tolist()
        for name, value in zip((*figures, "loss"), means, strict=True):
            self.logger.record(f"train/{name}", value)
        buffer = self.rollout_buffer
        unexplained = (buffer.returns - buffer.values).var(correction=0) / buffer.returns.var(correction=0)
        self.logger.record("train/explained_variance", 1 - unexplained.item())
        self.logger.record("train/n_updates", self._n_updates, exclude="tensorboard")
        self.logger.record("train/clip_range", clip)

    def loss(self, batch: Batch, clip: float) -> tuple[th.Tensor, dict[str, th.Tensor]]:
        """The clipped surrogate (Schulman et al. 2017), the error of values and the entropy, with their
        weights; and its parts by name, as Stable-Baselines3 logs them."""
        values, log_probs, entropy = self.policy.evaluate_actions(
            batch.observations, batch.actions, action_masks=batch.masks
        )
        assert entropy is not None
        advantages = (batch.advantages - batch.advantages.mean()) / (batch.advantages.std() + 1e-8)
        log_ratio = log_probs - batch.log_probs
        ratio = log_ratio.exp()
        surrogate = th.min(advantages * ratio, advantages * ratio.clamp(1 - clip, 1 + clip))
        parts = {
            "policy_gradient_loss": -surrogate.mean(),
            "value_loss": F.mse_loss(batch.returns, values.flatten()),
            "entropy_loss": -entropy.mean(),
        }
        weights = 1.0, self.vf_coef, self.ent_coef
        loss = th.stack([w * part for w, part in zip(weights, parts.values(), strict=True)]).sum()
        parts["approx_kl"] = (ratio - 1 - log_ratio).mean()
        parts["clip_fraction"] = ((ratio - 1).abs() > clip).float().mean()
        return loss, parts


@dataclass(frozen=True)
class PPOFastConfig(PPOConfig):
    """Proximal policy optimisation with simulator, roll-out and learner on one device."""

    agent = "ppo-fast"


def make_ppo_fast(
    env: VecEnv,
    config: PPOConfig = PPOFastConfig(),
    *,
    gamma: float = 0.99,
    seed: int | None = None,
    device: str | th.device = "cpu",
) -> FastPPO:
    """PPO with the scorer on the device of the environment's core.

    Raises:
        UserError: the environment is not one over a `BundleCore`, or its core is on another device.
    """
    model = FastPPO(
        **ppo_arguments(env, config), rollout_buffer_class=DeviceRollout,  # type: ignore[arg-type]
        gamma=gamma, seed=seed, device=device,
    )  # fmt: skip
    core = model.view.core
    if core.device.type != model.device.type:
        raise UserError(f"ppo-fast: the simulator is on {core.device}, the learner on {model.device}")
    return model
