from __future__ import annotations

from pathlib import Path

import numpy as np
from sb3_contrib import MaskablePPO

from bundlegym.agents.ppo import PPOConfig, ScorerPolicy, make_ppo
from tests.agents.conftest import TinyShop


def mean_return(model: MaskablePPO | None, seed: int) -> float:
    """The mean return of 20 steps by the model, or by random valid actions."""
    env = TinyShop(n=64, seed=seed)
    rng = np.random.default_rng(seed)
    obs = env.reset()
    for _ in range(20):
        masks = env.action_masks()
        if model is None:
            actions = np.where(masks, rng.random(masks.shape), -1.0).argmax(1)
        else:
            actions, _ = model.predict(obs, deterministic=True, action_masks=masks)
        obs, *_ = env.step(actions)  # type: ignore[assignment]
    assert env.violations == 0
    return float(np.mean(env.ended))


def test_ppo_learns_a_trivial_task_within_the_masks() -> None:
    env = TinyShop(n=32)
    model = make_ppo(env, PPOConfig(n_steps=16, batch_size=256, n_epochs=4, learning_rate=5e-3), seed=1)
    model.learn(16_000)  # 500 steps of 32 shoppers
    assert env.violations == 0
    assert mean_return(model, 7) > mean_return(None, 7) + 0.8


def test_ppo_survives_a_save_and_a_load(tmp_path: Path) -> None:
    env = TinyShop()
    model = make_ppo(env, PPOConfig(n_steps=4, width=16), seed=1)
    model.learn(32)
    model.save(tmp_path / "ppo")
    loaded = MaskablePPO.load(tmp_path / "ppo", device="cpu")
    assert isinstance(loaded.policy, ScorerPolicy)
    assert type(loaded.policy).__module__ == "bundlegym.agents.ppo"
    obs = env.reset()
    for a, b in zip(
        model.policy.forward(model.policy.obs_to_tensor(obs)[0], True, env.action_masks()),  # type: ignore[arg-type]
        loaded.policy.forward(loaded.policy.obs_to_tensor(obs)[0], True, env.action_masks()),  # type: ignore[arg-type]
        strict=True,
    ):
        np.testing.assert_array_equal(a.detach().numpy(), b.detach().numpy())


def test_the_same_seed_learns_the_same() -> None:
    runs = []
    for _ in range(2):
        model = make_ppo(TinyShop(), PPOConfig(n_steps=8), seed=5)
        model.learn(128)
        runs.append(model.policy.scorer.query_net[0].weight.detach().numpy())
    np.testing.assert_array_equal(*runs)
