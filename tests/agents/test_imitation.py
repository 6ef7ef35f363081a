"""The warm start: demonstrations, their replay, and an agent that does what it was shown."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from bundlegym.agents.imitation import Demonstrations, actions_of_visit, demonstrate, imitate, replay
from bundlegym.agents.planner import Planner
from bundlegym.agents.ppo import make_ppo
from bundlegym.envs import BundleCore, BundleVecEnv
from bundlegym.envs.base import BLOCKS, LEAVE
from tests.agents.toy import Toy, a_toy, toy_core


class Bar:
    """A progress bar that counts."""

    def __init__(self, total: int) -> None:
        self.total, self.n = total, 0

    def update(self, n: int) -> None:
        self.n += n

    def close(self) -> None:
        assert self.n == self.total


def a_shop(market, n: int = 48, **options) -> tuple[Toy, BundleCore]:
    """A shop in which offers pay: much margin, and shoppers who heed them."""
    toy = a_toy(8, exposure=0.6, utility=torch.linspace(-3, 0, 8))
    core = toy_core(
        market, toy, 0.3 * toy.price, n=n, visits=2, observation=(*BLOCKS, "forecasts"), **options
    )
    return toy, core


def test_the_actions_of_a_visit_are_the_picks_and_the_offer():
    picks = np.array([[4, -1, 2], [-1, -1, -1], [0, 1, 5], [3, 2, -1]])
    level = np.array([1, 0, 2, -1])
    steps = [action.tolist() for action in actions_of_visit(picks, level, 8)]
    assert steps == [[4, 8, 0, LEAVE], [2, LEAVE, 1, LEAVE], [9, LEAVE, 5, LEAVE], [LEAVE, LEAVE, 10, LEAVE]]


def test_demonstrations_are_what_the_planner_does(market, tmp_path: Path):
    toy, core = a_shop(market)
    shown = demonstrate(core, Planner(toy, draws=16), Bar)
    shown.save(tmp_path / "shown.npz")
    kept = Demonstrations.load(tmp_path / "shown.npz")
    assert np.array_equal(kept.picks, shown.picks) and np.array_equal(kept.level, shown.level)
    assert (shown.level >= 0).all() and (shown.picks >= 0).any()
    planner, again = Planner(toy, draws=16), a_shop(market)[1]
    for picks, level in zip(shown.picks, shown.level, strict=True):
        plan = planner.plan(again, again.rows)
        assert np.array_equal(plan.picks.numpy(), picks) and np.array_equal(plan.level.numpy(), level)
        for action in actions_of_visit(picks, level, again.k):
            again.step(torch.from_numpy(action))


def test_a_replay_has_every_missing_item_as_a_right_one_and_what_was_earned(market):
    toy, core = a_shop(market, n=4)
    picks = np.full((2, 4, 3), -1)
    picks[0, :, :2], picks[1, :2, :2] = [2, 5], [1, 3]
    level = np.array([[1, 1, 0, 0], [0, 2, 0, -1]])
    found = replay(core, Demonstrations(picks, level), 0.5, 0)
    assert len(found.right) == 4 * 3 + 2 * 3 + 1
    right = found.right.long()
    assert not (found.right & ~found.masks).any()
    assert (right[:4, [2, 5]] == 1).all() and (right[:4].sum(1) == 2).all()
    assert (right[4:8, [2, 5]].sum(1) == 1).all() and (right[4:8].sum(1) == 1).all()
    assert (right[8:12].sum(1) == 1).all() and (
        right[8:12].argmax(1) == core.k + torch.tensor([1, 1, 0, 0])
    ).all()
    assert found.observations["forecasts"].shape == (19, 9 * core.forecasts.columns)
    # A visit later is worth half as much, a pick later as much.
    at_once = replay(a_shop(market, n=4)[1], Demonstrations(picks, level), 0.0, 0)
    assert torch.equal(found.returns[:4], found.returns[8:12]) and at_once.returns[12:].any()
    assert torch.allclose(found.returns[8:10], at_once.returns[8:10] + found.returns[12:14] / 2)
    assert found.returns.abs().max() > 0


def test_an_agent_does_what_it_was_shown(market):
    toy, core = a_shop(market, n=256)
    shown = demonstrate(core, Planner(toy, draws=16), Bar)
    decisions = replay(a_shop(market, n=256)[1], shown, 0.9, 0)
    model = make_ppo(BundleVecEnv(a_shop(market)[1]), seed=0)
    before = [parameter.detach().clone() for parameter in model.policy.optimizer.param_groups[0]["params"]]
    start = imitate(model, decisions, epochs=1, learning_rate=0.0)
    assert all(map(torch.equal, before, model.policy.optimizer.param_groups[0]["params"]))
    missed = imitate(model, decisions, epochs=20)
    assert missed < 0.7 * start and not model.policy.optimizer.state_dict()["state"]
    scores = model.policy.scorer.scores(decisions.observations).masked_fill(~decisions.masks, -torch.inf)
    hit = decisions.right.gather(1, scores.argmax(1, keepdim=True))
    assert hit.float().mean() > 0.75
