"""Q-learning and SARSA on a table: classical baselines that know a few segments and a few groups of items.

What they see of a visit is the shopper's segment and how many items are in the bundle; what they choose is
a group of candidates or a discount level.

- Segments: thirds by lines a visit, times thirds by the share bought at a discount, both of the block
  `shopper`; the edges are those of the shoppers at the first step.
- Groups: candidates by rank in what this shopper buys most, eighths of the shortlist. The best-ranked of
  a group is picked that is not yet in the bundle.

    Q(s, a) += step (reward + gamma Q(s', a') - Q(s, a))

gamma is 1 within a visit (`agents.discounting`). a' is the best legal action of s' (Q-learning, Watkins
1989), or the one that is taken next (SARSA, Rummery and Niranjan 1994). The step is 1 / visits of (s, a), a
plain mean, until that falls to `learning_rate`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch as th
from gymnasium import spaces
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.type_aliases import MaybeCallback
from stable_baselines3.common.utils import LinearSchedule
from stable_baselines3.common.vec_env import VecEnv

from bundlegym.agents.config import AgentConfig
from bundlegym.agents.discounting import discount_after, n_candidates
from bundlegym.agents.dqn import sample_valid
from bundlegym.envs.base import CANDIDATE_FEATURES
from bundlegym.envs.market import SHOPPER_FEATURES
from bundlegym.user_models.config import Part, Share, Whole

Obs = Mapping[str, np.ndarray]

_LOG_SHARE = CANDIDATE_FEATURES.index("log_share")
_LINES, _DEALS = SHOPPER_FEATURES.index("lines_per_visit"), SHOPPER_FEATURES.index("deal_share")
_THIRDS = (1 / 3, 2 / 3)
_GROUPS = 8
_EXPLORATION = 0.5  # share of all steps over which actions at random become fewer


@dataclass(frozen=True)
class QLearningConfig(AgentConfig):
    """Q-learning on a table of segments and groups."""

    agent = "q-learning"

    steps: Whole = 200_000
    """Environment steps (picks and offers) to learn from."""

    learning_rate: Part = 0.002
    """Least step size; before, each value is the mean of what was seen."""

    final_exploration: Share = 0.05
    """Share of actions at random in the second half of learning; it falls from 1 in the first half."""


@dataclass(frozen=True)
class SarsaConfig(QLearningConfig):
    """SARSA on a table of segments and groups."""

    agent = "sarsa"


class Table(BasePolicy):
    """Values (9 segments, K + 1 numbers of picks, G groups + D levels), how often each was updated, and the
    edges of segments (2, 2): numpy arrays, which the buffers of a checkpoint share."""

    def __init__(self, observation_space: spaces.Dict, action_space: spaces.Discrete) -> None:
        super().__init__(observation_space, action_space)
        k = n_candidates(observation_space)
        self.k, self.groups = k, min(_GROUPS, k)
        shape = 9, k + 1, self.groups + int(action_space.n) - k
        self.values, self.visits = np.zeros(shape), np.zeros(shape, dtype=np.int64)
        self.edges = np.zeros((2, 2))
        for name in ("values", "visits", "edges"):
            self.register_buffer(f"{name}_", th.from_numpy(getattr(self, name)))

    def learn_edges(self, obs: Obs) -> None:
        """Set the edges of segments to the thirds of these shoppers (N, F)."""
        self.edges[:] = np.quantile(obs["shopper"][:, [_LINES, _DEALS]], _THIRDS, axis=0).T

    def states(self, obs: Obs) -> tuple[np.ndarray, np.ndarray]:
        """(N,) segment and (N,) number of picks."""
        thirds = [
            (obs["shopper"][:, column, None] > edges).sum(1)
            for column, edges in zip((_LINES, _DEALS), self.edges, strict=True)
        ]
        return 3 * thirds[0] + thirds[1], (obs["picked"] > 0).sum(1)

    def choices(self, obs: Obs, masks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The environment's action behind each choice (N, G + D), and which are legal (N, G + D) bool."""
        n, k, groups = len(masks), self.k, self.groups
        share = obs["candidates"].reshape(n, k, -1)[:, :, _LOG_SHARE]
        ranked = np.argsort(-share, axis=1, kind="stable")  # (N, K) candidates, most bought first
        legal = np.take_along_axis(masks[:, :k], ranked, 1)
        actions = np.empty((n, self.values.shape[2]), dtype=np.int64)
        actions[:, groups:] = np.arange(k, masks.shape[1])
        found = np.concatenate((np.zeros((n, groups), dtype=bool), masks[:, k:]), axis=1)
        for group, ranks in enumerate(np.array_split(np.arange(k), groups)):
            first = ranks[legal[:, ranks].argmax(1)]
            actions[:, group] = ranked[np.arange(n), first]
            found[:, group] = legal[:, ranks].any(1)
        return actions, found

    def _predict(self, observation: Any, deterministic: bool = True) -> th.Tensor:
        raise NotImplementedError("a table acts by `Tabular.predict`, which knows masks")


class Tabular(BaseAlgorithm):
    """See the module's docstring.

    Args:
        on_policy: SARSA, else Q-learning.
    """

    policy: Table
    _chosen: np.ndarray | None = None  # (N,) choices for `_last_obs`

    def __init__(
        self,
        env: VecEnv,
        *,
        on_policy: bool,
        learning_rate: float,
        final_exploration: float,
        gamma: float,
        seed: int | None = None,
        device: str | th.device = "cpu",
    ) -> None:
        super().__init__(
            Table, env, learning_rate, seed=seed, device=device, support_multi_env=True,
            supported_action_spaces=(spaces.Discrete,),
        )  # fmt: skip
        self.on_policy, self.gamma = on_policy, gamma
        self.exploration = LinearSchedule(1.0, final_exploration, _EXPLORATION)
        self._setup_model()

    def _setup_model(self) -> None:
        self.set_random_seed(self.seed)
        self.policy = Table(self.observation_space, self.action_space)  # type: ignore[arg-type]

    def learn(
        self,
        total_timesteps: int,
        callback: MaybeCallback = None,
        log_interval: int = 100,
        tb_log_name: str = "table",
        reset_num_timesteps: bool = True,
        progress_bar: bool = False,
    ) -> Tabular:
        """One update after each step of all shoppers."""
        began = self._last_obs is not None
        total, callback = self._setup_learn(
            total_timesteps, callback, reset_num_timesteps, tb_log_name, progress_bar
        )
        assert self.env is not None
        if not began:
            self.policy.learn_edges(self._last_obs)  # type: ignore[arg-type]
        if self._chosen is None or reset_num_timesteps:
            self._chosen = self._explore(*self._legal(self._last_obs, self._masks()))
        callback.on_training_start(locals(), globals())
        while self.num_timesteps < total:
            callback.on_rollout_start()
            goes_on = self._step(callback)
            if not goes_on:
                break
            callback.on_rollout_end()
            self._update_current_progress_remaining(self.num_timesteps, total)
            if self._n_updates % log_interval == 0:
                self.logger.dump(self.num_timesteps)
        callback.on_training_end()
        return self

    def _step(self, callback: Any) -> bool:
        """Act, choose what comes next and update; whether the callback lets it go on."""
        assert self.env is not None and self._chosen is not None
        obs, masks = self._last_obs, self._masks()
        actions, _ = self.policy.choices(obs, masks)  # type: ignore[arg-type]
        rows = np.arange(self.n_envs)
        new_obs, rewards, dones, infos = self.env.step(actions[rows, self._chosen])
        self.num_timesteps += self.n_envs
        callback.update_locals(locals())
        if not callback.on_step():
            return False
        self._update_info_buffer(infos, dones)
        places, legal = self._legal(new_obs, self._masks())
        chosen = self._explore(places, legal)
        following = self._value(places, legal, chosen)
        following[dones] = 0.0
        for i in np.flatnonzero(dones):  # the episode was cut, not ended: what follows still has a value
            if infos[i].get("TimeLimit.truncated", False):
                following[i] = self._value_at_the_end(infos[i])
        discount = discount_after(self._chosen, self.policy.groups, self.gamma)
        self._update(obs, self._chosen, rewards + discount * following)
        self._last_obs, self._chosen = new_obs, chosen  # type: ignore[assignment]
        return True

    def _update(self, obs: Any, chosen: np.ndarray, targets: np.ndarray) -> None:
        """Move each value toward the mean of its targets (N,); several shoppers may share a cell."""
        table = self.policy
        cells = np.ravel_multi_index((*table.states(obs), chosen), table.values.shape)
        cell, inverse, count = np.unique(cells, return_inverse=True, return_counts=True)
        values, visits = table.values.reshape(-1), table.visits.reshape(-1)
        visits[cell] += count
        target = np.bincount(inverse, targets) / count
        least = 1 - (1 - float(self.learning_rate)) ** count  # type: ignore[arg-type]
        step = np.maximum(count / visits[cell], least)
        values[cell] += step * (target - values[cell])
        self._n_updates += 1

    def _masks(self) -> np.ndarray:
        """The environments' present masks (N, K + D)."""
        assert self.env is not None
        return np.array(self.env.env_method("action_masks"), dtype=bool)

    def _legal(self, obs: Any, masks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Values (N, G + D) of the choices, and which are legal."""
        return self.policy.values[self.policy.states(obs)], self.policy.choices(obs, masks)[1]

    def _explore(self, values: np.ndarray, legal: np.ndarray) -> np.ndarray:
        """(N,) choices: the best, or at the present rate one at random."""
        coin = np.random.random_sample(len(values)) < self.exploration(self._current_progress_remaining)
        return np.where(coin, sample_valid(legal), _best(values, legal))

    def _value(self, values: np.ndarray, legal: np.ndarray, chosen: np.ndarray) -> np.ndarray:
        """(N,) value of what follows."""
        which = chosen if self.on_policy else _best(values, legal)
        return values[np.arange(len(values)), which]

    def _value_at_the_end(self, info: dict[str, Any]) -> float:
        """Value of the last observation of an episode that was cut."""
        obs = {name: block[None] for name, block in info["terminal_observation"].items()}
        given = info.get("terminal_action_mask")
        masks = np.arange(int(self.action_space.n)) >= self.policy.k if given is None else given  # type: ignore[attr-defined]
        values, legal = self._legal(obs, np.asarray(masks)[None])
        return float(self._value(values, legal, self._explore(values, legal))[0])

    def predict(  # type: ignore[override]
        self,
        observation: Obs,
        state: tuple[np.ndarray, ...] | None = None,
        episode_start: np.ndarray | None = None,
        deterministic: bool = True,
        action_masks: np.ndarray | None = None,
    ) -> tuple[np.ndarray, tuple[np.ndarray, ...] | None]:
        """Actions (N,), or one for a single observation, among the valid of `action_masks` (N, K + D).

        Without masks every action counts as valid. With `deterministic=False` some are at random.
        """
        single = observation["picked"].ndim == 1
        obs = {name: block[None] for name, block in observation.items()} if single else observation
        n = len(obs["picked"])
        masks = np.asarray(True if action_masks is None else action_masks, dtype=bool)
        masks = np.broadcast_to(masks, (n, int(self.action_space.n)))  # type: ignore[attr-defined]
        actions, legal = self.policy.choices(obs, masks)
        values = self.policy.values[self.policy.states(obs)]
        chosen = _best(values, legal) if deterministic else self._explore(values, legal)
        found = actions[np.arange(n), chosen]
        return (found[0] if single else found), state


def _best(values: np.ndarray, legal: np.ndarray) -> np.ndarray:
    """(N,) the legal choice with the greatest value, the first among equals."""
    return np.where(legal, values, -np.inf).argmax(1)


def make_q_learning(
    env: VecEnv,
    config: QLearningConfig = QLearningConfig(),
    *,
    gamma: float = 0.99,
    seed: int | None = None,
    device: str | th.device = "cpu",
) -> Tabular:
    """Q-learning on a table; a table lies in the memory of the CPU, whatever the `device`."""
    return _make(env, config, on_policy=False, gamma=gamma, seed=seed)


def make_sarsa(
    env: VecEnv,
    config: SarsaConfig = SarsaConfig(),
    *,
    gamma: float = 0.99,
    seed: int | None = None,
    device: str | th.device = "cpu",
) -> Tabular:
    """SARSA on a table; a table lies in the memory of the CPU, whatever the `device`."""
    return _make(env, config, on_policy=True, gamma=gamma, seed=seed)


def _make(
    env: VecEnv, config: QLearningConfig, *, on_policy: bool, gamma: float, seed: int | None
) -> Tabular:
    return Tabular(
        env, on_policy=on_policy, learning_rate=config.learning_rate,
        final_exploration=config.final_exploration, gamma=gamma, seed=seed,
    )  # fmt: skip
