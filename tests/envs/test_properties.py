"""What holds for every configuration, seed and sequence of actions; and both paths of the core agree."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bundlegym.envs import BundleCore, EnvConfig, build_market
from bundlegym.user_models import Draws, Offer
from bundlegym.user_models.base import TAKE


@st.composite
def configurations(draw) -> EnvConfig:
    candidates = draw(st.integers(2, 40))
    max_size = draw(st.integers(1, min(candidates, 6)))
    return EnvConfig(
        n_candidates=candidates,
        visits=draw(st.integers(1, 4)),
        min_size=draw(st.integers(1, max_size)),
        max_size=max_size,
        discounts=tuple(draw(st.lists(st.floats(0, 0.9), min_size=1, max_size=4))),
    )


def play(core: BundleCore, seed: int, steps: int, offers: bool = True):
    """Random legal actions, or only offers of nothing; yields (action, size before, observation, result)."""
    generator = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        weights = core.masks().float()
        if not offers:
            weights[:, : core.k] = 0
        action = torch.multinomial(weights, 1, generator=generator)[:, 0]
        size = core.n_picks.clone()
        result = core.step(action)
        yield action, size, core.observe(), result
        core.restart(result.terminated | result.truncated)


@pytest.fixture
def build(dataset, user_model, market):
    def make(config: EnvConfig, seed: int = 0, n: int = 5, **options) -> BundleCore:
        core = BundleCore(
            market, options.pop("user_model", user_model), config, n=n, seed=seed,
            shoppers=np.flatnonzero(~dataset.split.held_out), weeks=dataset.split.train_weeks, **options,
        )  # fmt: skip
        core.reset()
        return core

    return make


# The fixture makes cores of shared, unchanging parts.
everything = settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@everything
@given(config=configurations(), seed=st.integers(0, 2**40))
def test_masks_prices_and_rewards(build, config, seed):
    core = build(config, seed)
    for action, size, observation, result in play(core, seed % 2**31, 30):
        assert core.masks().any(1).all(), "there is always a legal action"
        assert (core.picked.sum(1) == core.n_picks).all() and (core.n_picks <= config.max_size).all()
        assert torch.isfinite(result.reward).all()
        for name, block in observation.items():
            assert torch.isfinite(block).all() and (block.abs() <= 20).all(), name
        if result.record is None:
            continue
        record, offered = result.record, size[action >= core.k]
        assert torch.equal(record.size, offered)
        assert ((offered == 0) | (offered >= config.min_size)).all()
        both = record.both
        assert torch.isfinite(both.price).all() and (both.price >= 0).all()
        assert (both.quantity >= 1).all() and (both.days >= 1).all()
        week = (record.day // 7).clamp(0, len(core.market.shelf_price) - 1).repeat(2)
        shelf = core.market.shelf_price[week[both.row], both.item]
        assert (both.price <= shelf * 1.0001).all()


@everything
@given(config=configurations(), seed=st.integers(0, 2**40))
def test_the_twin_is_the_shopper_when_nothing_is_ever_offered(build, config, seed):
    core = build(config, seed)
    for _, _, _, result in play(core, 0, 3 * config.visits, offers=False):
        assert (result.reward == 0).all()
        twin, own = result.record.twin, result.record.response
        for part in dataclasses.fields(own):
            assert torch.equal(getattr(own, part.name), getattr(twin, part.name)), part.name


@everything
@given(config=configurations(), seed=st.integers(0, 2**31))
def test_compiled_and_torch_paths_agree(build, config, seed):
    compiled, plain = build(config, seed, compiled=True), build(config, seed, compiled=False)
    for one, two in zip(play(compiled, seed, 25), play(plain, seed, 25), strict=True):
        assert torch.equal(one[0], two[0]) and torch.equal(compiled.candidates, plain.candidates)
        assert torch.equal(compiled.mask, plain.mask) and torch.equal(compiled.picks, plain.picks)
        assert torch.equal(compiled.records.last, plain.records.last)
        for name, block in one[2].items():
            torch.testing.assert_close(block, two[2][name], rtol=1e-5, atol=1e-5, msg=name)
        torch.testing.assert_close(one[3].reward, two[3].reward, rtol=1e-5, atol=1e-4)


@everything
@given(seed=st.integers(0, 2**31))
def test_seeds_one_a_slot_are_single_environments(build, seed):
    config = EnvConfig(visits=2, n_candidates=10)
    batch = build(config, n=3)
    singles = [build(config, seed=[seed + i], n=1) for i in range(3)]
    batch.reseed([seed + i for i in range(3)])
    batch.reset()
    for _ in range(12):
        for core in (batch, *singles):
            result = core.step(core.masks().float().argmax(1) if core.n_picks[0] < 2 else core.rows * 0 + 11)
            core.restart(result.terminated | result.truncated)
        for i, single in enumerate(singles):
            for name, block in single.observe().items():
                assert torch.equal(block[0], batch.observe()[name][i])


def observations(core: BundleCore, steps: int) -> list[torch.Tensor]:
    """Everything an agent sees while it picks and offers nothing at all."""
    return [block.clone() for *_, seen, _ in play(core, 3, steps) for block in seen.values()]


def test_no_observation_changes_with_the_hidden_state(build, user_model):
    """Within a visit nothing of preferences, synergy, or what the shopper carries along may be seen."""
    hidden = (
        "log_preference", "synergy", "purchase_interval", "price_slope", "log_size_rate", "price_sensitivity",
        "memory_rate",
    )  # fmt: skip
    leaves = dict(user_model.params.leaves())
    params = user_model.params.changed(**{name: leaves[name] * -3 + 1 for name in hidden})
    other = user_model.with_parameters(params)
    one, two = build(EnvConfig()), build(EnvConfig(), user_model=other)
    two.state = {name: torch.zeros_like(value) for name, value in two.state.items()}
    for slot in (None, 3, 0, 31, 7):
        for core in (one, two):
            if slot is not None:
                core.step(core.rows * 0 + slot)
        for name, block in one.observe().items():
            assert torch.equal(block, two.observe()[name]), name


def test_no_observation_changes_with_the_future_of_the_log(dataset, user_model, market, build):
    """Purchases after the training weeks, of all shoppers, may be anything."""
    rng = np.random.default_rng(0)
    week = dataset.visits["week"].to_numpy()[dataset.purchases["visit"].to_numpy()]
    future = week >= dataset.split.train_weeks[1]
    purchases = dataset.purchases.copy()
    purchases.loc[future, "item"] = rng.permutation(purchases.loc[future, "item"].to_numpy())
    purchases.loc[future, "quantity"] = 9
    altered = build_market(dataclasses.replace(dataset, purchases=purchases))
    config = EnvConfig(visits=2)
    one = build(config)
    two = BundleCore(
        altered, user_model, config, n=one.n,
        shoppers=np.flatnonzero(~dataset.split.held_out), weeks=dataset.split.train_weeks,
    )  # fmt: skip
    two.reset()
    pairs = zip(observations(one, 40), observations(two, 40), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


def test_six_identical_items_are_never_worth_more_than_complements(dataset, user_model):
    """Items liked alike, of one price: complements are taken at least as often as a bundle of one kind."""
    p = user_model.params
    n_shoppers, length = p.shortlists.shortlist.shape
    category = torch.arange(len(p.catalogue.category)) % len(p.complementarity.synergy)
    category[:6] = 0
    category[6:12] = torch.arange(1, 7)
    size = len(p.complementarity.synergy)
    synergy = torch.full((size, size), 0.2)
    synergy[0, 0] = -0.2  # two of a kind are substitutes, others complements
    flat = p.changed(
        shortlist=torch.arange(length).repeat(n_shoppers, 1),
        log_preference=torch.full_like(p.shortlists.log_preference, -3.0),
        category=category,
        synergy=synergy,
        shelf_price=torch.ones_like(p.prices.shelf_price),
        price_slope=torch.ones_like(p.marketing.price_slope),
        price_effect=torch.zeros_like(p.marketing.price_effect),
        promotion_effect=torch.zeros_like(p.marketing.promotion_effect),
        mission_loading=torch.zeros_like(p.missions.mission_loading),
        purchase_interval=torch.ones_like(p.shortlists.purchase_interval),
        last_bought=torch.full_like(p.shortlists.last_bought, -1),
    )
    model = user_model.with_parameters(flat)
    n = 4000
    state = model.reset(torch.arange(n) % n_shoppers, torch.full((n,), 70))
    draws = Draws(0, torch.arange(n), torch.zeros(n, dtype=torch.int64))
    taken = []
    for first in (0, 6):
        items = torch.arange(first, first + 6).repeat(n, 1)
        response, _ = model.respond(state, Offer(items, torch.full((n,), 0.3)), draws)
        taken.append((response.choice == TAKE).float().mean())
    assert taken[0] < taken[1]
