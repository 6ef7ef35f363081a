"""Agents discount by visits: what an offer of many items earns later counts as much as after one of few."""

from __future__ import annotations

import numpy as np
import torch as th

from bundlegym.agents.discounting import VisitRolloutBuffer, discount_after
from bundlegym.agents.ppo import make_ppo
from tests.agents.conftest import TinyShop


def test_only_an_offer_is_discounted() -> None:
    for actions in (np.array([0, 5, 6, 7]), th.tensor([0, 5, 6, 7])):
        np.testing.assert_allclose(discount_after(actions, 6, 0.9), [1.0, 1.0, 0.9, 0.9], rtol=1e-6)  # type: ignore[type-var]


def a_roll_out(actions: list[list[int]], rewards: list[list[float]], gae_lambda: float) -> VisitRolloutBuffer:
    """Of two shoppers whose values are 0, with 10 after the last step; episodes do not end."""
    shop = TinyShop(n=2)
    buffer = VisitRolloutBuffer(
        len(actions),
        shop.observation_space,  # type: ignore[arg-type]
        shop.action_space,
        "cpu",
        gae_lambda=gae_lambda,
        gamma=0.5,
        n_envs=2,
    )
    starts, nothing = np.zeros(2), th.zeros(2)
    for action, reward in zip(actions, rewards, strict=True):
        buffer.add(shop.reset(), np.array(action), np.array(reward), starts, nothing, nothing)
    buffer.compute_returns_and_advantage(th.full((2, 1), 10.0), np.array([False, True]))
    return buffer


def test_returns_of_a_visit_do_not_depend_on_how_many_items_were_picked() -> None:
    # The first shopper makes two offers, of two items and of one; the second three of one, and the last ends
    # the episode.
    actions = [[0, 7], [1, 0], [7, 7], [2, 3], [6, 7]]
    rewards: list[list[float]] = [[0, 1], [0, 0], [1, 1], [0, 0], [1, 1]]
    returns = a_roll_out(actions, rewards, 1.0).returns
    np.testing.assert_allclose(returns[:, 0], [4, 4, 4, 6, 6])  # 1 + 0.5 (1 + 0.5 * 10)
    np.testing.assert_allclose(returns[:, 1], [1.75, 1.5, 1.5, 1, 1])


def test_without_later_steps_an_advantage_is_one_step() -> None:
    actions, rewards = [[0, 7], [7, 0]], [[0.0, 1.0], [1.0, 0.0]]
    advantages = a_roll_out(actions, rewards, 0.0).advantages
    np.testing.assert_allclose(advantages[:, 0], [0, 6])
    np.testing.assert_allclose(advantages[:, 1], [1, 0])


def test_ppo_discounts_so() -> None:
    assert isinstance(make_ppo(TinyShop(), seed=0).rollout_buffer, VisitRolloutBuffer)
