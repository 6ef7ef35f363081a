"""The optimum of planted shoppers against brute force and against what is known of the two environments."""

from __future__ import annotations

import pytest
import torch

from bundlegym.agents.heuristics import offer_nothing
from bundlegym.agents.optimum import Optimum
from bundlegym.agents.planner import items_of
from bundlegym.agents.planner.simulated_gains import simulated_gains
from bundlegym.envs import BundleCore, make_core
from bundlegym.envs.open_visits import OpenVisits
from bundlegym.evaluation.rollout import play
from bundlegym.user_models.planted import PlantedShopper
from bundlegym.user_models.rng.counter import Draws

PLANTED = "bundlegym.user_models.planted:PlantedShopper"


def optimum_of(core: BundleCore, draws: int = 256, seed: int = 0) -> Optimum:
    assert isinstance(core.user_model, PlantedShopper)
    return Optimum(core.user_model, core.market, core.config, draws=draws, seed=seed)


def gain(core: BundleCore, policy) -> float:
    played = play(core, policy, 3)["incremental_margin_per_visit"]
    return float(played[:, 0].sum() / played[:, 1].sum())


@pytest.fixture(scope="module")
def planning() -> BundleCore:
    return make_core(256, preset="planning", user_model=PLANTED)


def test_without_memory_the_best_offer_of_a_visit_is_best_and_is_found():
    core = make_core(32, preset="known-optimum", user_model=PLANTED)
    core.reset()
    optimum = optimum_of(core, draws=2048)
    plan = optimum.plan(core)
    myopic = optimum.looking(1).plan(core)
    assert torch.equal(plan.picks, myopic.picks) and torch.equal(plan.level, myopic.level)
    # Brute force by another way: the planner's simulation, at the door of the simulated visit, on other luck.
    for kind in range(3):
        row = int((core.records.shopper % 3 == kind).nonzero()[0, 0])
        state = {name: value[row : row + 1] for name, value in core.state.items()}
        visit = OpenVisits(core.user_model, core.market, state, core.records.day[row : row + 1], some_luck())
        discount = core.discounts[optimum.level[1:]][None]
        gains = simulated_gains(visit, optimum.items[None, 1:], discount, range(1, 1025))[0].mean(1)
        mine = items_of(core.candidates[row : row + 1], plan.picks[row : row + 1])[0]
        same = (optimum.items[1:] == mine).all(1) & (optimum.level[1:] == plan.level[row])
        assert float(gains[same]) > 0 and float(gains[same]) > 0.9 * float(gains.max())


def some_luck() -> Draws:
    return Draws(17, torch.zeros(1, dtype=torch.int64), torch.zeros(1, dtype=torch.int64))


def test_states_are_numbered_as_they_are_coded(planning):
    optimum = optimum_of(planning)
    states = optimum.states()
    assert torch.equal(optimum.code(states), torch.arange(2 * 3 * 2**4))
    assert set(states["offers"].tolist()) == {0, 1, 2}


def test_planning_ahead_beats_holding_back_beats_the_myopic_optimum(planning):
    optimum = optimum_of(planning)
    myopic = optimum.looking(1)

    def every_other_visit(core: BundleCore) -> torch.Tensor:
        return torch.where(core.visit % 2 == 0, myopic(core), offer_nothing(core))

    at_once, held_back, ahead = (gain(planning, policy) for policy in (myopic, every_other_visit, optimum))
    assert at_once > 0 and held_back > 1.2 * at_once and ahead > held_back


def test_what_is_expected_is_what_is_earned_and_no_more_than_the_bound(planning):
    optimum, other = optimum_of(planning), optimum_of(planning, seed=1)
    planning.reseed(3)
    planning.reset()
    visits = planning.config.visits
    below = float(other.gain(planning, optimum.best).mean()) / visits
    above = float(other.gain(planning).mean()) / visits
    assert below < above < 1.05 * below
    assert gain(planning, optimum) == pytest.approx(below, rel=0.1)
