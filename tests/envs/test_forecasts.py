"""The block of forecasts: what it says, whose it is, and that it does not know the luck of the visit."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from bundlegym import UserError
from bundlegym.envs import BundleCore, EnvConfig
from bundlegym.envs.base import BLOCKS, FEATURE_LIMIT
from bundlegym.envs.forecasts import can_forecast, forecast_columns, rates
from bundlegym.envs.open_visits import OpenVisits
from bundlegym.user_models.replay import ReplayShopper
from bundlegym.user_models.rng.counter import Draws
from tests.agents.toy import Toy, a_toy, toy_core

OBSERVATION = (*BLOCKS, "forecasts")
LEVELS = np.array(EnvConfig().discounts)


def a_shop(market, toy: Toy, reacts=None, n: int = 16, **options) -> BundleCore:
    return toy_core(market, toy, 0.6 * toy.price, n=n, reacts=reacts, observation=OBSERVATION, **options)


class Telling(Toy):
    """It tells shares in closed form, too."""

    def log_share(self, state):
        return torch.log_softmax(self.utility, 0).expand(len(state["day"]), -1)


def column(core: BundleCore, name: str) -> torch.Tensor:
    """(N, K + 1)"""
    return (
        core.observe()["forecasts"]
        .reshape(core.n, core.k + 1, -1)[..., forecast_columns(core.levels).index(name)]
        .clone()
    )


def by_item(core: BundleCore, name: str) -> torch.Tensor:
    """(I,) mean over visits, by item code."""
    values = column(core, name)[:, : core.k]
    return torch.zeros(core.k).index_add(0, core.candidates.flatten(), values.flatten()) / core.n


def test_chances_are_those_of_the_model(market):
    plain = a_toy(8, exposure=0.4, utility=torch.linspace(-4, 0.5, 8))
    toy = Telling(**vars(plain))
    core = a_shop(market, toy, n=512)
    rate = toy.utility.exp()
    anyway = 1 - (-rate).exp()
    np.testing.assert_allclose(by_item(core, "anyway"), anyway, rtol=0.15, atol=0.004)
    for level, discount in enumerate(LEVELS):
        cut = np.exp(0.4) * (1 - discount) ** -toy.slope
        bought = (-rate).exp() - (-rate * cut).exp()
        np.testing.assert_allclose(by_item(core, f"bought_{level}"), bought, rtol=0.15, atol=0.004)
    np.testing.assert_allclose(by_item(core, "slope"), toy.slope / 2, rtol=1e-5)


def test_gains_are_what_a_simulation_of_the_offer_finds(market):
    toy = a_toy(5, utility=torch.tensor([0.0, -1.0, -0.5, -1.5, -3.0]), exposure=0.3)
    core = a_shop(market, toy, n=2048, n_candidates=5, max_size=2, visits=1)
    first = (core.candidates == 0).float().argmax(1)
    core.step(first)
    second = (core.candidates == 2).float().argmax(1)
    before, added = column(core, "gain_3")[:, -1], column(core, "gain_3").gather(1, second[:, None])[:, 0]
    core.step(second)
    gain = column(core, "gain_3")[:, -1]
    torch.testing.assert_close(before + added, gain, atol=2e-4, rtol=1e-4)
    record = core.step(torch.full((core.n,), core.k + 3)).record
    unit = 0.05 * float((core.market.shelf_price - core.market.unit_cost).abs().mean())
    found = record.incremental_margin
    error = 3 * float(found.std()) / core.n**0.5
    assert float(gain.mean()) * unit == pytest.approx(float(found.mean()), abs=error)
    assert abs(float(found.mean())) > error


def test_picked_and_impossible_candidates_add_nothing(market):
    core = a_shop(market, a_toy(8, exposure=0.5), max_size=2)
    core.step(torch.zeros(core.n, dtype=torch.int64))
    assert (column(core, "gain_0")[:, 0] == 0).all() and (column(core, "gain_0")[:, 1:-1] != 0).any()
    core.step(torch.ones(core.n, dtype=torch.int64))
    assert (column(core, "gain_0")[:, :-1] == 0).all() and (column(core, "gain_0")[:, -1] != 0).all()
    core.step(torch.full((core.n,), core.k))
    assert (column(core, "gain_0")[:, -1] == 0).all()  # the next visit is open


def test_it_does_not_know_the_luck_of_the_visit(market):
    toy = a_toy(8, exposure=0.5)
    core = a_shop(market, toy)
    before = core.observe()["forecasts"].clone()
    assert core.seed not in toy.seeds and toy.seeds
    core.seed += 1  # another luck of the visit, of the same shoppers with the same candidates
    core._open(core.rows[:0])
    core._forecast(core.forecasts, core.rows)
    assert torch.equal(core.observe()["forecasts"], before)
    other = Draws(core.seed, core.episode, core.visit)
    visits = OpenVisits(toy, core.market, toy.reset(core.rows, core.rows), core.records.day, other)
    core.forecasts.open(core.rows, visits, core.candidates)
    assert not torch.equal(core.observe()["forecasts"], before)  # it would show if it knew


def test_the_forecaster_forecasts_whoever_reacts(market):
    toy, judge = a_toy(8), a_toy(8, seed=1)
    config = EnvConfig(n_candidates=8, max_size=3, observation=OBSERVATION)
    own = a_shop(market, toy)
    judged = BundleCore(own.market, judge, config, n=16, shoppers=np.arange(64), weeks=(0, 4))
    judged.forecast_by(toy)
    judged.reset()
    assert torch.equal(judged.observe()["forecasts"], own.observe()["forecasts"])
    judged.step(torch.zeros(16, dtype=torch.int64))
    seen = judged.observe()["forecasts"].clone()
    judged.forecast_by(judge)
    assert not torch.equal(judged.observe()["forecasts"], seen)
    judged.forecast_by(toy)  # in the midst of a visit
    assert torch.equal(judged.observe()["forecasts"], seen)


def test_slots_are_forecast_by_themselves_and_copies_go_on(market, make_core):
    core = make_core(n=12, observation=OBSERVATION)
    wide = core.observe()["forecasts"]
    assert wide.shape == (12, 33 * core.forecasts.columns) and wide.abs().max() <= FEATURE_LIMIT
    assert torch.equal(make_core(n=3, observation=OBSERVATION).observe()["forecasts"], wide[:3])
    twin, before = copy.deepcopy(core), wide.clone()
    twin.step(torch.zeros(12, dtype=torch.int64))
    assert twin.forecasts.user_model is core.forecasts.user_model
    assert torch.equal(core.observe()["forecasts"], before)
    core.step(torch.zeros(12, dtype=torch.int64))
    assert torch.equal(core.observe()["forecasts"], twin.observe()["forecasts"])


def test_a_restored_core_forecasts_as_before(make_core):
    core, other = (make_core(n=6, seed=seed, observation=OBSERVATION) for seed in (0, 1))
    core.step(torch.full((6,), core.k))
    core.step(torch.zeros(6, dtype=torch.int64))
    other.restore(core.snapshot())
    assert torch.equal(other.observe()["forecasts"], core.observe()["forecasts"])


def test_shares_in_closed_form_make_rates_more_precise():
    rng = np.random.default_rng(0)
    truth = np.exp(rng.normal(-3, 1, size=(200, 1, 32)))
    time = rng.exponential(size=(200, 12, 32)) / truth
    draws = time < 1, np.where(time < 1, 0.0, -np.log(time))
    share = np.log(truth[:, 0] / truth.sum(2))
    errors = [np.abs(np.log(rates(*draws, given) / truth[:, 0])).mean() for given in (None, share)]
    assert errors[0] < 0.6 and errors[1] < errors[0] / 2


def test_a_model_that_appraises_nothing_is_refused(market):
    with pytest.raises(UserError, match="forecasts.*Toy cannot tell"):
        a_shop(market, a_toy(8, knows=False)).observe()
    assert can_forecast(Toy) and not can_forecast(ReplayShopper)


@pytest.mark.parametrize(
    ("slope", "utility", "words"),
    [(0.0, 0.0, "Toy: the price slope .* above 0"), (2.0, float("nan"), "Toy: the value .* not finite")],
)
def test_an_appraisal_that_means_nothing_is_refused(market, slope, utility, words):
    toy = a_toy(8, slope=torch.full((8,), slope), utility=torch.full((8,), utility))
    with pytest.raises(UserError, match=words):
        a_shop(market, toy).observe()


def test_forecasts_that_the_observation_lacks_are_an_error(market):
    core = toy_core(market, a_toy(8), 0.6 * a_toy(8).price, n=2)
    with pytest.raises(UserError, match="forecasts are asked for"):
        core.forecast_by(core.user_model)
