"""The batched core by behaviour: masks, money, twin, determinism, leaks."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from bundlegym.agents.heuristics import SCORES, fill_by, offer_nothing
from bundlegym.envs import BundleCore, EnvConfig
from bundlegym.errors import UserError
from bundlegym.user_models.rng.counter import Draws


def random_actions(core: BundleCore, generator: torch.Generator) -> torch.Tensor:
    return torch.multinomial(core.masks().float(), 1, generator=generator)[:, 0]


def rewards(core: BundleCore, policy, steps: int) -> torch.Tensor:
    out = []
    for _ in range(steps):
        result = core.step(policy(core))
        out.append(result.reward)
        core.restart(result.terminated | result.truncated)
    return torch.stack(out)


def test_twin_is_the_shopper_when_nothing_is_offered(make_core):
    assert (rewards(make_core(n=64), offer_nothing, 12) == 0).all()


def test_offers_change_the_margin(make_core):
    reward = rewards(make_core(n=64), fill_by(SCORES["most_bought"], 2), 25)
    assert (reward != 0).any() and torch.isfinite(reward).all()


@pytest.fixture
def dear_and_cheap_weeks(market):
    """The market with costs and list prices that differ by week and item."""
    rng = torch.Generator().manual_seed(0)
    spread = 0.2 + 2 * torch.rand(market.unit_cost.shape, generator=rng)
    return dataclasses.replace(market, unit_cost=spread, list_price=spread + 3)


@pytest.mark.parametrize("compiled", [True, False])
def test_margins_are_at_the_cost_of_the_visits_week(dataset, user_model, dear_and_cheap_weeks, compiled):
    market, weeks = dear_and_cheap_weeks, set()
    core = BundleCore(
        market, user_model, EnvConfig(), n=32, shoppers=np.arange(dataset.n_shoppers),
        weeks=(0, dataset.n_weeks), compiled=compiled,
    )  # fmt: skip
    core.reset()
    policy = fill_by(SCORES["most_bought"], 3)
    for _ in range(25):
        result = core.step(policy(core))
        if (record := result.record) is None:
            continue
        m, both = len(record.slot), record.both
        week = (record.day // 7).clamp(max=dataset.n_weeks - 1).repeat(2)[both.row]
        weeks |= set(week.tolist())
        at_cost = both.quantity * (both.price - market.unit_cost[week, both.item])
        margin = torch.zeros(2 * m).index_add(0, both.row, at_cost)
        listed = torch.zeros(2 * m).index_add(0, both.row, both.quantity * market.list_price[week, both.item])
        torch.testing.assert_close(record.margin, margin[:m])
        torch.testing.assert_close(record.twin_margin, margin[m:])
        torch.testing.assert_close(
            record.incremental_list_value, listed[:m] - listed[m:], atol=1e-4, rtol=1e-5
        )
        core.restart(result.terminated | result.truncated)
    assert len(weeks) > 5


def test_the_shop_sees_the_margin_of_the_week(dataset):
    from bundlegym.envs import build_market
    from bundlegym.envs.market import WEEK_FEATURES

    cost = dataset.list_price * np.linspace(0.5, 1.2, dataset.n_weeks, dtype=np.float32)
    market = build_market(dataclasses.replace(dataset, unit_cost=cost))
    margin, share = (
        market.week_features[:, :, WEEK_FEATURES.index(f)] for f in ("unit_margin", "margin_share")
    )
    price = torch.from_numpy(dataset.shelf_price.T.copy())
    torch.testing.assert_close(margin, price - market.unit_cost)
    torch.testing.assert_close(share, 2 * (price - market.unit_cost) / price)
    assert market.unit_cost.shape == (dataset.n_weeks, dataset.n_items) == market.list_price.shape
    days = torch.tensor([-5, 0, 13, 14, 10_000])
    assert market.week(days).tolist() == [0, 0, 1, 2, dataset.n_weeks - 1]


def test_masks_hold_sizes_and_repeats(make_core):
    core, generator = make_core(n=32), torch.Generator().manual_seed(0)
    for _ in range(60):
        action = random_actions(core, generator)
        offering = action >= core.k
        size = core.n_picks.clone()
        result = core.step(action)
        if result.record is not None:
            assert torch.equal(result.record.size, size[offering])
            assert all(s == 0 or 2 <= s <= 4 for s in result.record.size.tolist())
            for row in result.record.offer.items.tolist():
                real = [item for item in row if item >= 0]
                assert len(real) == len(set(real))
        core.restart(result.terminated | result.truncated)


def test_a_masked_action_is_refused(make_core):
    core = make_core(n=2)
    with pytest.raises(ValueError, match="environment 0: action 33 is masked"):
        core.step(torch.tensor([33, 32]))


def test_trajectory_does_not_depend_on_neighbours(make_core):
    policy = fill_by(SCORES["random"], 3)
    few, many = make_core(n=3), make_core(n=40)
    few_rewards: list[torch.Tensor] = []
    many_rewards: list[torch.Tensor] = []
    for _ in range(5 * 20):  # over the ends of episodes
        for core, seen in ((few, few_rewards), (many, many_rewards)):
            result = core.step(policy(core))
            seen.append(result.reward[:3])
            core.restart(result.terminated | result.truncated)
    assert torch.equal(torch.stack(few_rewards), torch.stack(many_rewards))
    assert any((r != 0).any() for r in few_rewards)


def test_same_seed_same_trajectory_and_global_generators_untouched(make_core):
    policy = fill_by(SCORES["random"], 3)
    torch.manual_seed(1)
    np.random.seed(1)
    first = rewards(make_core(seed=5), policy, 30)
    after = torch.rand(1), np.random.rand()
    torch.manual_seed(1)
    np.random.seed(1)
    assert torch.rand(1) == after[0] and np.random.rand() == after[1]
    assert torch.equal(first, rewards(make_core(seed=5), policy, 30))
    assert not torch.equal(first, rewards(make_core(seed=6), policy, 30))


def test_observation_holds_nothing_of_the_hidden_shopper(make_core, user_model):
    plain, altered = make_core(), make_core()
    params = user_model.params
    altered.user_model = user_model.with_parameters(
        params.changed(
            log_preference=params.shortlists.log_preference - 3, synergy=-params.complementarity.synergy
        )
    )
    altered.reset()
    for name, block in plain.observe().items():
        assert torch.equal(block, altered.observe()[name]), name


def test_market_does_not_read_test_weeks_purchases(dataset, market):
    from bundlegym.envs import build_market

    week = dataset.visits["week"].to_numpy()[dataset.purchases["visit"].to_numpy()]
    train = dataset.purchases[week < dataset.split.train_weeks[1]].reset_index(drop=True)
    blind = build_market(dataclasses.replace(dataset, purchases=train))
    for field in ("shortlist", "log_share", "interval", "synergy", "item_features", "shopper_features"):
        assert torch.equal(getattr(market, field), getattr(blind, field)), field


def test_time_limit_is_truncation(make_core):
    core = make_core(n=8, visits=3)
    for _ in range(2):
        assert not core.step(offer_nothing(core)).truncated.any()
    result = core.step(offer_nothing(core))
    assert (result.truncated | result.terminated).all() and result.truncated.any()


@pytest.mark.parametrize(
    "options, message",
    [
        ({"min_size": 5, "max_size": 4}, "min_size 5"),
        ({"discounts": (1.5,)}, "discounts"),
        ({"visits": 0}, "visits: must be a whole number, 1 or more, not 0"),
    ],
)
def test_bad_configuration_is_named(options, message):
    with pytest.raises(UserError, match=message):
        EnvConfig(**options)


@pytest.mark.parametrize("wrong", [{"weeks": (5, 99)}, {"weeks": (3, 3)}, {"shoppers": np.array([-1])}])
def test_weeks_and_shoppers_that_the_log_lacks_are_refused(dataset, user_model, market, wrong):
    given = {"shoppers": np.arange(3), "weeks": dataset.split.train_weeks} | wrong
    with pytest.raises(UserError, match="must"):
        BundleCore(market, user_model, EnvConfig(), n=2, **given)


def test_a_reward_of_the_wrong_shape_is_named(dataset, user_model, market):
    core = BundleCore(
        market, user_model, EnvConfig(min_size=1), n=2, shoppers=np.arange(3),
        weeks=dataset.split.train_weeks, reward=lambda told: told["margin"][:, None],
    )  # fmt: skip
    core.reset()
    core.step(torch.zeros(2, dtype=torch.int64))
    with pytest.raises(UserError, match="reward: its shape is"):
        core.step(torch.full((2,), core.k))


def test_other_luck_lessens_the_noise_of_a_reward_and_changes_nothing_else(make_core):
    def live(draws: int) -> tuple[torch.Tensor, torch.Tensor]:
        core = make_core(n=256, reward_draws=draws)
        policy, days, out = fill_by(SCORES["most_bought"], 2), [], []
        for _ in range(5):
            out.append(core.step(policy(core)).reward)
            days.append(core.records.day.clone())
        return torch.stack(days), out[-1]

    (days, once), (same_days, often) = live(1), live(12)
    assert torch.equal(days, same_days)
    assert often.std() < 0.7 * once.std()
    assert (often - once).mean().abs() < 3 * (often - once).std() / 256**0.5


def test_other_luck_is_independent_and_number_0_is_the_same():
    rows = torch.arange(2000)
    draws = Draws(7, rows, torch.zeros_like(rows))
    assert torch.equal(draws.other(0).uniform(3), draws.uniform(3))
    assert abs(np.corrcoef(draws.other(1).uniform(3), draws.uniform(3))[0, 1]) < 0.1


def test_a_reward_is_averaged_not_what_it_is_made_of(dataset, user_model, market):
    def rare(components):
        return components["taken"] * components["margin"]

    def core(draws: int, reward) -> BundleCore:
        shoppers, weeks = np.flatnonzero(~dataset.split.held_out), dataset.split.train_weeks
        env = EnvConfig(reward_draws=draws)
        made = BundleCore(market, user_model, env, n=64, shoppers=shoppers, weeks=weeks, reward=reward)
        made.reset()
        return made

    policy = fill_by(SCORES["most_bought"], 4)
    taken, mixed = (rewards(core(8, reward), policy, 5)[-1] for reward in (lambda c: c["taken"], rare))
    assert torch.equal(taken > 0, mixed != 0)
    assert ((taken > 0) & (taken < 1)).any()
