from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch as th

from bundlegym.agents.dqn import DQNConfig, MaskedDQN, MaskedSamples, make_dqn, sample_valid
from tests.agents.conftest import TinyShop


def test_no_action_breaks_a_mask_and_the_shop_is_learned() -> None:
    env = TinyShop(n=32)
    model = make_dqn(
        env, DQNConfig(learning_starts=320, batch_size=128, target_update_interval=320), seed=1, gamma=0.9
    )
    model.learn(6_000)  # 188 steps of 32 shoppers
    assert env.violations == 0
    trained = np.mean(env.ended[-500:])
    assert trained > np.mean(env.ended[:200]) + 0.5
    for deterministic in (True, False):
        obs = env.reset()
        actions, _ = model.predict(obs, deterministic=deterministic, action_masks=env.action_masks())
        assert env.action_masks()[np.arange(32), actions].all()
    one = {key: value[0] for key, value in obs.items()}
    assert np.ndim(model.predict(one, action_masks=env.action_masks()[0])[0]) == 0


def test_valid_samples_are_valid_and_spread() -> None:
    np.random.seed(0)
    masks = np.tile(np.array([[True, False, True, False, True]]), (3000, 1))
    counts = np.bincount(sample_valid(masks), minlength=5)
    assert counts[[1, 3]].sum() == 0 and counts[[0, 2, 4]].min() > 900


def test_each_environment_flips_its_own_coin() -> None:
    env = TinyShop(n=400)
    model = make_dqn(env, seed=0)
    model.exploration_rate = 0.5
    obs = env.reset()
    masks = env.action_masks()
    greedy, _ = model.predict(obs, action_masks=masks)
    mixed, _ = model.predict(obs, deterministic=False, action_masks=masks)
    assert 0.3 < np.mean(greedy != mixed) < 0.55


def test_the_buffer_keeps_true_next_observations_and_masks() -> None:
    """Against a plain record of each transition, around the ring and with truncations."""
    env = TinyShop(n=3, truncates=True)
    model = make_dqn(env, DQNConfig(buffer_size=3 * 20, learning_starts=10**6), seed=0)
    truth: dict[bytes, tuple[np.ndarray, float, np.ndarray]] = {}
    buffer, add = model.replay_buffer, model.replay_buffer.add

    def spy(obs, next_obs, action, reward, done, infos, masks):
        for i in range(3):
            last = infos[i]["terminal_observation"] if done[i] else {k: v[i] for k, v in next_obs.items()}
            valid = np.arange(8) >= 6 if done[i] else env.action_masks()[i]
            key = obs["shopper"][i].tobytes() + obs["picked"][i].tobytes()
            truth[key] = (np.concatenate((last["shopper"], last["picked"])), float(reward[i]), valid)
        add(obs, next_obs, action, reward, done, infos, masks)

    buffer.add = spy  # type: ignore[method-assign]
    model.learn(3 * 33)
    model.learn(3 * 40)  # resets the shops, so the newest transitions must have been kept aside
    batch = buffer.sample(600)
    assert not batch.dones.any()
    for i in range(600):
        key = batch.observations["shopper"][i].numpy().tobytes()
        key += batch.observations["picked"][i].numpy().tobytes()
        last, reward, valid = truth[key]
        got = th.cat((batch.next_observations["shopper"][i], batch.next_observations["picked"][i])).numpy()
        np.testing.assert_array_equal(got, last)
        np.testing.assert_array_equal(batch.next_action_masks[i].numpy(), valid)
        assert float(batch.rewards[i]) == reward
    assert (buffer.slot >= 0).sum() + len(buffer.free) == len(buffer.pool["picked"])
    assert (batch.next_action_masks.any(1)).all()


def test_terminations_do_not_bootstrap() -> None:
    env = TinyShop(n=4)
    model = make_dqn(env, DQNConfig(learning_starts=10**6), seed=0)
    model.learn(4 * 30)
    batch = model.replay_buffer.sample(500)
    offers = batch.actions >= env.k
    assert th.equal(batch.dones.bool(), offers)
    th.testing.assert_close(model.targets(batch)[offers], batch.rewards[offers])


@pytest.mark.parametrize("action, discount", [(0, 1.0), (7, 0.5)])  # a pick, an offer
def test_targets_ignore_invalid_next_actions(action: int, discount: float) -> None:
    env = TinyShop(n=4)
    model = make_dqn(env, seed=0, gamma=0.5)
    obs = model.policy.obs_to_tensor(env.reset())[0]
    masks = th.zeros(4, 8, dtype=th.bool)
    masks[:, 1] = masks[:, 4] = True
    batch = MaskedSamples(obs, th.full((4, 1), action), obs, th.zeros(4, 1), th.ones(4, 1), masks)  # type: ignore[arg-type]
    online, other = model.q_net(obs), model.q_net_target(obs) + th.arange(8.0)
    model.q_net_target.forward = lambda _: other  # type: ignore[method-assign, assignment]
    choice = th.where(online[:, 1] >= online[:, 4], 1, 4)
    expected = 1.0 + discount * other.gather(1, choice.unsqueeze(1))
    th.testing.assert_close(model.targets(batch), expected.detach())


def test_dqn_survives_a_save_and_a_load(tmp_path: Path) -> None:
    env = TinyShop()
    model = make_dqn(env, DQNConfig(learning_starts=16, batch_size=16, width=16), seed=1)
    model.learn(160)
    model.save(tmp_path / "dqn")
    loaded = MaskedDQN.load(tmp_path / "dqn", device="cpu")
    assert type(loaded.policy).__module__ == "bundlegym.agents.two_tower"
    tensors = model.policy.obs_to_tensor(env.reset())[0]
    assert th.equal(model.q_net(tensors), loaded.q_net(tensors))
    assert th.equal(model.q_net_target(tensors), loaded.q_net_target(tensors))
    loaded.set_env(env)
    loaded.learn(80)
    assert env.violations == 0
