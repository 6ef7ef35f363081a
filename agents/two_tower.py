"""The two-tower scorer: one network for any number of candidates.

A query (shopper, context, partial bundle) meets a key for each candidate; the dot product is the score of
adding that candidate. Offers are scored from the query and the pooled partial bundle. No parameter has K in
its shape, so one set of weights serves any shortlist, and permuting the candidates permutes their scores and
nothing else.

The block `forecasts` (`envs.forecasts`) has a row for each candidate, which joins that candidate's features,
and one for the bundle so far, which joins the state and adds a linear term to the scores of offers, as the
candidates' own rows do to those of picks.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch as th
from gymnasium import spaces
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.type_aliases import Schedule
from stable_baselines3.dqn.policies import DQNPolicy
from torch import nn

KEYS = ("shopper", "context", "candidates", "picked")
FORECASTS = "forecasts"
#: Parts that describe candidates; all others together are the state.
_OF_CANDIDATES = ("candidates", "picked", FORECASTS)
CLAMP = 10.0
#: The last layers of the scores of offers, which have a row a discount level.
_BY_LEVEL = ("offer_net.2.weight", "offer_net.2.bias", "offer_bias.weight", "offer_bias.bias")


def space_sizes(observation_space: spaces.Space, action_space: spaces.Space) -> dict[str, Any]:
    """The sizes that the spaces imply, as keyword arguments of `TwoTowerScorer`."""
    if not isinstance(observation_space, spaces.Dict) or not set(KEYS) <= set(observation_space.spaces):
        raise ValueError(f"the scorer needs a Dict observation with the keys {KEYS}, got {observation_space}")
    if not isinstance(action_space, spaces.Discrete):
        raise ValueError(f"the scorer needs a Discrete action space, got {action_space}")
    flat = {}
    for key in (*KEYS, *sorted(set(observation_space.spaces) - set(KEYS))):
        shape = observation_space.spaces[key].shape
        if shape is None or len(shape) != 1:
            raise ValueError(f"the observation {key!r} must be flat, got the shape {shape}")
        flat[key] = int(shape[0])
    k = flat["picked"]
    if k < 1 or flat["candidates"] % k or int(action_space.n) <= k:
        raise ValueError(
            f"{flat['candidates']} candidate numbers, {action_space.n} actions and K = {k} do not fit"
        )
    if flat.get(FORECASTS, 0) % (k + 1):
        raise ValueError(
            f"{flat[FORECASTS]} forecasts are no whole number for each of {k} candidates and all"
        )
    return {
        "n_state": {key: size for key, size in flat.items() if key not in _OF_CANDIDATES},
        "n_candidate": flat["candidates"] // k,
        "n_discounts": int(action_space.n) - k,
        "n_forecast": flat.get(FORECASTS, 0) // (k + 1),
    }


def _linear(n_in: int, n_out: int, gain: float) -> nn.Linear:
    """A linear layer with orthogonal weights of this gain and no initial bias."""
    layer = nn.Linear(n_in, n_out)
    nn.init.orthogonal_(layer.weight, gain)
    nn.init.zeros_(layer.bias)
    return layer


def _mlp(n_in: int, width: int, n_out: int, gain: float) -> nn.Sequential:
    """(..., n_in) -> (..., n_out) through one hidden layer."""
    return nn.Sequential(_linear(n_in, width, math.sqrt(2.0)), nn.ReLU(), _linear(width, n_out, gain))


class TwoTowerScorer(nn.Module):
    """Scores of the K + D actions and a value of the state, from the observation's parts.

    The value has a trunk of its own, so that large returns do not push the keys about.

    Args:
        n_state: sizes by name of the parts that make up the state: shopper, context, and any further ones.
        n_candidate: numbers a candidate.
        n_discounts: D.
        width: of the layers.
        n_forecast: numbers in a row of forecasts, 0 where there are none.
    """

    def __init__(
        self,
        n_state: Mapping[str, int],
        n_candidate: int,
        n_discounts: int,
        width: int = 32,
        n_forecast: int = 0,
    ) -> None:
        super().__init__()
        if min(n_candidate, n_discounts, width) < 1:
            raise ValueError("n_candidate, n_discounts and width must be at least 1")
        self.state_keys = tuple(n_state)
        self.n_candidate = n_candidate
        self.n_discounts = n_discounts
        self.n_forecast = n_forecast
        self.width = width
        state = sum(n_state.values()) + n_forecast
        n_candidate += n_forecast
        self.key_net = _mlp(n_candidate, width, width, 1.0)
        self.candidate_bias = _linear(n_candidate, 1, 0.01)
        self.query_net = _mlp(state + 2 * width, width, width, 0.1)
        self.offer_net = _mlp(3 * width, width, n_discounts, 0.01)
        self.offer_bias = _linear(n_forecast, n_discounts, 0.01) if n_forecast else None
        self.value_key = _linear(n_candidate, width, math.sqrt(2.0))
        self.value_net = nn.Sequential(
            _linear(state + 3 * width, width, math.sqrt(2.0)), nn.ReLU(), _mlp(width, width, 1, 1.0)
        )

    @classmethod
    def from_spaces(
        cls, observation_space: spaces.Space, action_space: spaces.Space, width: int = 32
    ) -> TwoTowerScorer:
        """The scorer that fits these spaces."""
        return cls(**space_sizes(observation_space, action_space), width=width)

    def _parts(self, obs: Mapping[str, th.Tensor]) -> tuple[th.Tensor, th.Tensor, th.Tensor]:
        """State (N, Fs + Fb + ...), candidates (N, K, Fc), picked (N, K), clamped and in float. With
        forecasts state and candidates end in their rows of them."""
        state = th.cat([obs[key] for key in self.state_keys], dim=-1).float()
        picked = obs["picked"].float()
        n, k = picked.shape
        candidates = obs["candidates"].float().reshape(n, k, self.n_candidate)
        if self.n_forecast:
            forecasts = obs[FORECASTS].float().reshape(n, k + 1, self.n_forecast)
            candidates = th.cat((candidates, forecasts[:, :k]), dim=-1)
            state = th.cat((state, forecasts[:, k]), dim=-1)
        return state.clamp(-CLAMP, CLAMP), candidates.clamp(-CLAMP, CLAMP), picked

    @staticmethod
    def _pool(keys: th.Tensor, picked: th.Tensor) -> tuple[th.Tensor, th.Tensor]:
        """Mean and sum (N, width) of the picked candidates' keys (N, K, width); zeros for an empty bundle."""
        total = th.bmm(picked.unsqueeze(1), keys).squeeze(1)
        return total / picked.sum(dim=1, keepdim=True).clamp(min=1.0), total

    def _scores(self, state: th.Tensor, candidates: th.Tensor, picked: th.Tensor) -> th.Tensor:
        """(N, K + D)"""
        keys = self.key_net(candidates)
        mean, total = self._pool(keys, picked)
        query = self.query_net(th.cat((state, mean, keys.mean(dim=1)), dim=-1))
        picks = th.bmm(keys, query.unsqueeze(-1)).squeeze(-1) / math.sqrt(self.width)
        picks = picks + self.candidate_bias(candidates).squeeze(-1)
        offers = self.offer_net(th.cat((query, mean, total), dim=-1))
        if self.offer_bias is not None:
            offers = offers + self.offer_bias(state[:, -self.n_forecast :])
        return th.cat((picks, offers), dim=-1)

    def _values(self, state: th.Tensor, candidates: th.Tensor, picked: th.Tensor) -> th.Tensor:
        """(N,)"""
        keys = th.relu(self.value_key(candidates))
        mean, total = self._pool(keys, picked)
        return self.value_net(th.cat((state, mean, total, keys.mean(dim=1)), dim=-1)).squeeze(-1)

    def scores(self, obs: Mapping[str, th.Tensor]) -> th.Tensor:
        """The action scores (N, K + D) alone."""
        return self._scores(*self._parts(obs))

    def values(self, obs: Mapping[str, th.Tensor]) -> th.Tensor:
        """The state values (N,) alone."""
        return self._values(*self._parts(obs))

    def forward(self, obs: Mapping[str, th.Tensor]) -> tuple[th.Tensor, th.Tensor]:
        """Action scores (N, K + D) and values (N,), from
        shopper (N, Fs), context (N, Fb), candidates (N, K * Fc), picked (N, K), and any further (N, F)."""
        parts = self._parts(obs)
        return self._scores(*parts), self._values(*parts)


def of_levels(weights: Mapping[str, th.Tensor], levels: Sequence[int]) -> dict[str, th.Tensor]:
    """The weights of a policy that offers some of its discount levels alone, in this order. Those of a policy
    without a scorer stay as they are."""
    return {
        name: value[list(levels)] if name.endswith(_BY_LEVEL) else value for name, value in weights.items()
    }


class ScorerQNetwork(BasePolicy):
    """Q values (N, K + D) as the scorer's value plus its action scores."""

    def __init__(self, observation_space: spaces.Space, action_space: spaces.Space, width: int) -> None:
        super().__init__(observation_space, action_space)
        self.scorer = TwoTowerScorer.from_spaces(observation_space, action_space, width)

    def forward(self, obs: dict[str, th.Tensor]) -> th.Tensor:
        """(N, K + D)"""
        scores, values = self.scorer(obs)
        return scores + values.unsqueeze(-1)

    def _predict(self, observation: Any, deterministic: bool = True) -> th.Tensor:
        return self(observation).argmax(dim=1)


class ScorerQPolicy(DQNPolicy):
    """DQN's pair of networks, each a `ScorerQNetwork`."""

    def __init__(
        self,
        observation_space: spaces.Space,
        action_space: spaces.Discrete,
        lr_schedule: Schedule,
        width: int = 32,
        **kwargs: Any,
    ) -> None:
        self.width = width  # before the parent's __init__, which calls make_q_net
        super().__init__(observation_space, action_space, lr_schedule, **kwargs)

    def make_q_net(self) -> ScorerQNetwork:  # type: ignore[override]
        return ScorerQNetwork(self.observation_space, self.action_space, self.width).to(self.device)

    def _get_constructor_parameters(self) -> dict[str, Any]:
        return {**super()._get_constructor_parameters(), "width": self.width}
