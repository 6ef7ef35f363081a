"""Double DQN that knows masks, with the two-tower scorer.

Stable-Baselines3's DQN explores with invalid actions, flips one coin for all environments, bootstraps from
actions that the next state forbids, and aims between the mean and the median. `MaskedDQN` mends the four.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch as th
from gymnasium import spaces
from stable_baselines3 import DQN
from stable_baselines3.common.buffers import DictReplayBuffer, ReplayBuffer
from stable_baselines3.common.vec_env import VecEnv, VecNormalize
from torch.nn import functional as F

from bundlegym.agents.config import AgentConfig
from bundlegym.agents.discounting import discount_after, n_candidates
from bundlegym.agents.two_tower import ScorerQPolicy
from bundlegym.user_models.config import Count, Positive, Share, Whole

Obs = dict[str, np.ndarray]


def sample_valid(action_masks: np.ndarray) -> np.ndarray:
    """One action (N,) for each row, uniform over the row's valid actions (N, K + D)."""
    return np.where(action_masks, np.random.random_sample(action_masks.shape), -1.0).argmax(axis=1)


class MaskedSamples(NamedTuple):
    """A batch of B transitions; actions, dones and rewards are (B, 1), the masks (B, K + D)."""

    observations: dict[str, th.Tensor]
    actions: th.Tensor
    next_observations: dict[str, th.Tensor]
    dones: th.Tensor
    rewards: th.Tensor
    next_action_masks: th.Tensor


class MaskedReplayBuffer(DictReplayBuffer):
    """A replay buffer of R rows for N environments that also keeps the next observation's mask (N, K + D).

    Each observation is stored once: the next observation is the following row. Only a truncated episode's
    last observation, which the following row does not hold, is kept aside, in a pool that grows as needed.
    """

    #: The arrays of R rows beside the observations.
    _COLUMNS = ("next_action_masks", "actions", "rewards", "dones", "slot")

    def __init__(
        self,
        buffer_size: int,
        observation_space: spaces.Dict,
        action_space: spaces.Discrete,
        device: th.device | str = "auto",
        n_envs: int = 1,
        optimize_memory_usage: bool = False,
        handle_timeout_termination: bool = True,
    ) -> None:
        # Past DictReplayBuffer's own __init__, which would allocate every observation twice.
        super(ReplayBuffer, self).__init__(buffer_size, observation_space, action_space, device, n_envs)
        self.buffer_size = max(buffer_size // n_envs, 1) + 1  # one row is always the newest next observation
        rows = (self.buffer_size, n_envs)
        del optimize_memory_usage  # always
        self.handle_timeout_termination = handle_timeout_termination
        self.observations = self._blank(rows)
        self.next_action_masks = np.zeros((*rows, int(action_space.n)), dtype=bool)
        self.actions = np.zeros((*rows, 1), dtype=np.int64)
        self.rewards = np.zeros(rows, dtype=np.float32)
        self.dones = np.zeros(rows, dtype=np.float32)  # terminations only
        self.slot = np.full(rows, -1, dtype=np.int32)  # where the pool has the next observation; -1: nowhere
        self.pool = self._blank((0,))
        self.free: list[int] = []

    def _blank(self, lead: tuple[int, ...]) -> Obs:
        """Zeros of the shape (*lead, *shape) for each part of the observation."""
        boxes = self.observation_space.spaces
        return {key: np.zeros((*lead, *self.obs_shape[key]), dtype=boxes[key].dtype) for key in boxes}

    def _set_aside(self, row: int, env: int, obs: Mapping[str, np.ndarray]) -> None:
        """Keep `obs` as the next observation of this row and environment."""
        if not self.free:
            size = len(self.pool["picked"])
            more = max(size, 64)
            self.pool = {key: np.concatenate((self.pool[key], o)) for key, o in self._blank((more,)).items()}
            self.free = list(range(size, size + more))
        slot = self.free.pop()
        for key, pooled in self.pool.items():
            pooled[slot] = obs[key]
        self.slot[row, env] = slot

    def add(  # type: ignore[override]
        self,
        obs: Obs,
        next_obs: Obs,
        action: np.ndarray,
        reward: np.ndarray,
        done: np.ndarray,
        infos: list[dict[str, Any]],
        next_action_masks: np.ndarray,
    ) -> None:
        """Store N transitions. `next_obs` is what the VecEnv returned, hence after the reset of those done;
        `next_action_masks` (N, K + D) belongs to the observation that each transition truly ends in."""
        row, following = self.pos, (self.pos + 1) % self.buffer_size
        self.free.extend(int(s) for s in self.slot[row] if s >= 0)
        self.slot[row] = -1
        for key, stored in self.observations.items():
            stored[row] = obs[key]
            stored[following] = next_obs[key]
        self.next_action_masks[row] = next_action_masks
        self.actions[row] = np.asarray(action).reshape(self.n_envs, 1)
        self.rewards[row] = reward
        self.dones[row] = done
        if self.handle_timeout_termination:
            for i in np.flatnonzero(done):
                if infos[i].get("TimeLimit.truncated", False):
                    self.dones[row, i] = 0.0
                    self._set_aside(row, int(i), infos[i]["terminal_observation"])
        self.pos = following
        self.full = self.full or following == 0

    def snapshot(self) -> dict[str, np.ndarray]:
        """What it holds, by name, without the rows that were never written; see `restore`."""
        rows = self.buffer_size if self.full else self.pos + 1
        held = {name: getattr(self, name)[:rows] for name in self._COLUMNS}
        held |= {f"observations.{key}": stored[:rows] for key, stored in self.observations.items()}
        held |= {f"pool.{key}": pooled for key, pooled in self.pool.items()}
        place = np.array([self.pos, self.full], dtype=np.int64)
        return held | {"free": np.array(self.free, dtype=np.int64), "place": place}

    def restore(self, held: Mapping[str, np.ndarray]) -> None:
        """Go on from what `snapshot` gave, in a buffer of the same size."""
        rows = len(held["actions"])
        for name in self._COLUMNS:
            getattr(self, name)[:rows] = held[name]
        for key, stored in self.observations.items():
            stored[:rows] = held[f"observations.{key}"]
        self.pool = {key: np.array(held[f"pool.{key}"]) for key in self.pool}
        self.free = held["free"].tolist()
        self.pos, self.full = int(held["place"][0]), bool(held["place"][1])

    def cut(self) -> None:
        """Keep the newest next observations aside: the environments are about to be reset from outside."""
        last = (self.pos - 1) % self.buffer_size
        if not self.full and self.pos == 0:
            return
        for i in np.flatnonzero((self.slot[last] < 0) & (self.dones[last] == 0.0)):
            self._set_aside(last, int(i), {key: o[self.pos, i] for key, o in self.observations.items()})

    def sample(self, batch_size: int, env: VecNormalize | None = None) -> MaskedSamples:  # type: ignore[override]
        """`batch_size` transitions, drawn with replacement, never the row that is no transition."""
        if self.full:
            rows = (np.random.randint(1, self.buffer_size, size=batch_size) + self.pos) % self.buffer_size
        else:
            rows = np.random.randint(0, self.pos, size=batch_size)
        envs = np.random.randint(0, self.n_envs, size=batch_size)
        following = (rows + 1) % self.buffer_size
        slots = self.slot[rows, envs]
        aside = np.flatnonzero(slots >= 0)
        observations, next_observations = {}, {}
        for key, stored in self.observations.items():
            observations[key] = self.to_torch(stored[rows, envs], copy=False)
            after = stored[following, envs]
            after[aside] = self.pool[key][slots[aside]]
            next_observations[key] = self.to_torch(after, copy=False)
        return MaskedSamples(
            observations=observations,
            actions=self.to_torch(self.actions[rows, envs], copy=False),
            next_observations=next_observations,
            dones=self.to_torch(self.dones[rows, envs, None], copy=False),
            rewards=self.to_torch(self.rewards[rows, envs, None], copy=False),
            next_action_masks=self.to_torch(self.next_action_masks[rows, envs], copy=False),
        )


class MaskedDQN(DQN):
    """Double DQN whose acting, exploring and targets use valid actions only. Needs `MaskedReplayBuffer`."""

    replay_buffer: MaskedReplayBuffer
    _masks: np.ndarray | None = None  # (N, K + D), of `_last_obs`

    def _env_masks(self) -> np.ndarray:
        """A copy of the environments' present masks (N, K + D)."""
        assert self.env is not None
        return np.array(self.env.env_method("action_masks"), dtype=bool)

    def _setup_learn(self, *args: Any, **kwargs: Any) -> Any:
        if self._vec_normalize_env is not None:
            raise ValueError("MaskedDQN does not take VecNormalize: observations arrive standardised")
        if self.replay_buffer is not None:
            self.replay_buffer.cut()
        self._masks = None
        return super()._setup_learn(*args, **kwargs)

    def learn(  # type: ignore[override]
        self, total_timesteps: int, callback: Any = None, log_interval: int = 1000, **kwargs: Any
    ) -> MaskedDQN:
        """SB3's `learn`; logs each 1,000 episodes, since N episodes may end in one step."""
        return super().learn(total_timesteps, callback, log_interval, **kwargs)

    def _sample_action(
        self, learning_starts: int, action_noise: Any = None, n_envs: int = 1
    ) -> tuple[np.ndarray, np.ndarray]:
        """Actions (N,) for the environments, and the same for the buffer."""
        masks = self._env_masks() if self._masks is None else self._masks
        if self.num_timesteps < learning_starts:
            actions = sample_valid(masks)
        else:
            actions, _ = self.predict(self._last_obs, deterministic=False, action_masks=masks)  # type: ignore[arg-type]
        return actions, actions

    def _store_transition(  # type: ignore[override]
        self,
        replay_buffer: MaskedReplayBuffer,
        buffer_action: np.ndarray,
        new_obs: Obs,
        reward: np.ndarray,
        dones: np.ndarray,
        infos: list[dict[str, Any]],
    ) -> None:
        self._masks = self._env_masks()
        ends = self._masks.copy()
        k = n_candidates(self.observation_space)
        for i in np.flatnonzero(dones):  # a last observation's mask is not the new episode's
            given = infos[i].get("terminal_action_mask")
            ends[i] = (np.arange(ends.shape[1]) >= k) if given is None else given
        replay_buffer.add(self._last_obs, new_obs, buffer_action, reward, dones, infos, ends)  # type: ignore[arg-type]
        self._last_obs = new_obs

    def targets(self, batch: MaskedSamples) -> th.Tensor:
        """Targets (B, 1): the online network chooses among the valid next actions, the other values it."""
        with th.no_grad():
            online = self.q_net(batch.next_observations).masked_fill(~batch.next_action_masks, -th.inf)
            choice = online.argmax(dim=1, keepdim=True)
            after = self.q_net_target(batch.next_observations).gather(1, choice)
            discount = discount_after(batch.actions, n_candidates(self.observation_space), self.gamma)
            return batch.rewards + (1.0 - batch.dones) * discount * after

    def loss(self, batch: MaskedSamples) -> th.Tensor:
        """Mean squared difference of the online network's value of each action from its target.

        Squares, not Huber's loss: gains are rare and large, and an estimate near their median is zero.
        """
        target = self.targets(batch)
        return F.mse_loss(self.q_net(batch.observations).gather(1, batch.actions), target)

    def train(self, gradient_steps: int, batch_size: int = 100) -> None:
        self.policy.set_training_mode(True)
        self._update_learning_rate(self.policy.optimizer)
        losses = []
        for _ in range(gradient_steps):
            loss = self.loss(self.replay_buffer.sample(batch_size))
            self.policy.optimizer.zero_grad()
            loss.backward()
            th.nn.utils.clip_grad_norm_(self.q_net.parameters(), self.max_grad_norm)
            self.policy.optimizer.step()
            losses.append(loss.detach())
        self._n_updates += gradient_steps
        self.logger.record("train/n_updates", self._n_updates, exclude="tensorboard")
        self.logger.record("train/loss", th.stack(losses).mean().item())

    def predict(  # type: ignore[override]
        self,
        observation: Obs,
        state: tuple[np.ndarray, ...] | None = None,
        episode_start: np.ndarray | None = None,
        deterministic: bool = True,
        action_masks: np.ndarray | None = None,
    ) -> tuple[np.ndarray, tuple[np.ndarray, ...] | None]:
        """Actions (N,), or one for a single observation, among the valid of `action_masks` (N, K + D).

        Without masks every action counts as valid. With `deterministic=False` each row flips its own coin at
        the present exploration rate.
        """
        self.policy.set_training_mode(False)
        tensors, vectorised = self.policy.obs_to_tensor(observation)
        with th.no_grad():
            q = self.q_net(tensors).cpu().numpy()
        masks = np.asarray(True if action_masks is None else action_masks, dtype=bool)
        masks = np.broadcast_to(masks, q.shape)
        actions = np.where(masks, q, -np.inf).argmax(axis=1)
        if not deterministic:
            coin = np.random.random_sample(len(actions)) < self.exploration_rate
            actions = np.where(coin, sample_valid(masks), actions)
        return (actions if vectorised else actions[0]), state

    def _excluded_save_params(self) -> list[str]:
        return [*super()._excluded_save_params(), "_masks"]


@dataclass(frozen=True)
class DQNConfig(AgentConfig):
    """Double deep Q-learning with masks (Mnih et al. 2015; van Hasselt, Guez and Silver 2016).

    The defaults are for about 256 shoppers at once.
    """

    agent = "dqn"

    steps: Whole = 100_000
    """Environment steps (picks and offers) to learn from."""

    width: Count = 32
    """Width of the network's layers."""

    learning_rate: Positive = 1e-3
    """Step size of the optimiser (Adam)."""

    buffer_size: Count = 100_000
    """Steps that are remembered to learn from."""

    batch_size: Count = 1024
    """Steps in a gradient step."""

    gradient_steps: Count = 4
    """Gradient steps after each step of all shoppers."""

    learning_starts: Whole = 5_000
    """Steps, with actions at random, before the first gradient step."""

    target_update_interval: Count = 6_400
    """Steps between two copies of the network to the one that values what follows."""

    exploration_fraction: Positive = 0.3
    """Share of all steps over which actions at random become fewer."""

    final_exploration: Share = 0.05
    """Share of actions at random after that."""

    max_grad_norm: Positive = 10.0
    """Longer gradients are cut to this."""


def make_dqn(
    env: VecEnv,
    config: DQNConfig = DQNConfig(),
    *,
    gamma: float = 0.99,
    seed: int | None = None,
    device: str | th.device = "cpu",
) -> MaskedDQN:
    """`MaskedDQN` with the scorer."""
    return MaskedDQN(
        ScorerQPolicy,
        env,
        learning_rate=config.learning_rate,
        buffer_size=config.buffer_size,
        batch_size=config.batch_size,
        train_freq=1,
        gradient_steps=config.gradient_steps,
        learning_starts=config.learning_starts,
        target_update_interval=config.target_update_interval,
        exploration_fraction=config.exploration_fraction,
        exploration_final_eps=config.final_exploration,
        max_grad_norm=config.max_grad_norm,
        replay_buffer_class=MaskedReplayBuffer,
        policy_kwargs={"width": config.width},
        gamma=gamma,
        seed=seed,
        device=device,
    )
