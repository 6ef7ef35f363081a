"""PPO on one device is PPO: the same draws, the same roll-outs, and but for rounding the same weights."""

from __future__ import annotations

import numpy as np
import pytest
import torch as th
from sb3_contrib import MaskablePPO
from stable_baselines3.common.logger import Logger

from bundlegym.agents.ppo import make_ppo
from bundlegym.agents.ppo_fast import FastPPO, PPOFastConfig, make_ppo_fast
from bundlegym.envs import BundleCore, BundleVecEnv, EnvConfig, make_core
from bundlegym.errors import UserError
from tests.agents.conftest import TinyShop

#: Shoppers of stated parameters, whom nothing is fitted for.
SHOPPERS = "bundlegym.user_models.planted:PlantedShopper"
N, T = 32, 24
SMALL = PPOFastConfig(n_steps=T, batch_size=128, width=16, learning_rate=1e-3, ent_coef=0.01)


def shop(n: int = N) -> BundleVecEnv:
    return BundleVecEnv(make_core(n, preset="known-optimum", user_model=SHOPPERS, visits=3))


def both(roll_outs: int) -> tuple[MaskablePPO, FastPPO]:
    """PPO, then PPO on one device, that have learned; each seeds the generators when it is made."""
    ppo = make_ppo(shop(), SMALL, gamma=0.85, seed=4)
    ppo.set_logger(Logger(None, []))
    ppo.learn(roll_outs * T * N)
    fast = make_ppo_fast(shop(), SMALL, gamma=0.85, seed=4)
    fast.set_logger(Logger(None, []))
    fast.learn(roll_outs * T * N)
    return ppo, fast


def test_the_first_roll_out_is_the_same() -> None:
    ppo, fast = both(1)
    theirs, mine = ppo.rollout_buffer, fast.rollout_buffer

    def in_order(column: np.ndarray) -> np.ndarray:
        """(T, N) again: an update leaves Stable-Baselines3's columns (N T, ...)."""
        return column.reshape(N, T).T if column.shape != (T, N) else column

    np.testing.assert_array_equal(in_order(theirs.actions[:, 0]), mine.actions)
    for name in ("values", "log_probs", "advantages", "returns"):
        np.testing.assert_allclose(in_order(getattr(theirs, name).squeeze()), getattr(mine, name), atol=1e-5)
    np.testing.assert_allclose(theirs.rewards, mine.rewards, atol=1e-4)
    assert (mine.goes_on == 0).any()  # ends of episodes are among them


def test_after_some_updates_the_weights_are_the_same() -> None:
    fresh = make_ppo_fast(shop(), SMALL, seed=4).policy.scorer
    ppo, fast = both(4)
    assert fast.num_timesteps == ppo.num_timesteps and fast._n_updates == ppo._n_updates
    for (name, own), other in zip(
        fast.policy.state_dict().items(), ppo.policy.state_dict().values(), strict=True
    ):
        th.testing.assert_close(own, other, atol=1e-5, rtol=0, msg=name)
    assert (fast.policy.scorer.query_net[0].weight - fresh.query_net[0].weight).abs().max() > 0.01
    told = fast.logger.name_to_value, ppo.logger.name_to_value
    assert {n for n in told[0] if n.startswith("train/")} == {n for n in told[1] if n.startswith("train/")}
    for name in ("train/value_loss", "train/entropy_loss", "train/explained_variance"):
        assert told[0][name] == pytest.approx(told[1][name], abs=1e-4)


def test_it_learns_on_the_reference_simulator_too(dataset, user_model, market) -> None:
    """As on a GPU, where nothing is compiled."""
    core = BundleCore(
        market, user_model, EnvConfig(visits=2), n=8, shoppers=np.flatnonzero(~dataset.split.held_out),
        weeks=dataset.split.train_weeks, seed=3, compiled=False,
    )  # fmt: skip
    visits: list[int] = []
    view = BundleVecEnv(core, lambda record: visits.append(len(record.slot)))
    model = make_ppo_fast(view, PPOFastConfig(n_steps=12, batch_size=48), seed=1)
    before = [weight.clone() for weight in model.policy.parameters()]
    model.learn(96)
    assert sum(visits) > 8
    assert any((a != b).any() for a, b in zip(before, model.policy.parameters(), strict=True))


def test_an_environment_without_a_core_is_refused() -> None:
    with pytest.raises(UserError, match="ppo-fast steps a BundleCore itself; TinyShop has none"):
        make_ppo_fast(TinyShop())
