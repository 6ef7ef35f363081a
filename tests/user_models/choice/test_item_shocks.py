"""Item shocks: factors by which items sell more or less after a fit than was expected."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from bundlegym.user_models import ChoiceShopper, Draws, Offer
from bundlegym.user_models.choice.estimation.item_shocks import (
    draw_item_shocks,
    fit_item_shocks,
    no_shocks,
)
from bundlegym.user_models.choice.estimation.tail_tables import with_shocks
from bundlegym.user_models.choice.parameters import NEAR, REST, ChoiceParameters
from tests.user_models.some import all_but, some

ITEMS = 6_000


@pytest.fixture(scope="module")
def expected() -> np.ndarray:
    """(2, I) lines as unequal as a shop's."""
    return np.exp(np.random.default_rng(1).normal(2.5, 1.0, (2, ITEMS)))


@pytest.fixture(scope="module")
def user_model(dataset) -> ChoiceShopper:
    options = {"epochs": 1, "shortlist_size": 40, "without": all_but("item_shocks")}
    return ChoiceShopper.fit(dataset, weeks=(0, 20), progress=lambda _: None, **options)


def test_planted_factors_are_recovered(expected):
    generator, variance = np.random.default_rng(0), np.array([[0.1], [0.4]])
    relative = expected.sum(0) / expected.sum(0).mean()
    mean = np.where(relative > 1.0, 1.2, 0.8)
    lines = generator.poisson(expected * mean * generator.gamma(1 / variance, variance, expected.shape))
    simulated = generator.poisson(expected, (4, *expected.shape))
    found_mean, found_variance = fit_item_shocks(expected, simulated, lines)
    size = np.bincount(np.searchsorted(2.0 ** np.arange(-2, 4), relative))
    for kind in (NEAR, REST):
        of_class = found_mean[kind]
        assert of_class[3:5].mean() / of_class[1:3].mean() == pytest.approx(1.2 / 0.8, rel=0.06)
        np.testing.assert_allclose(found_variance[kind, size > 300], variance[kind, 0], rtol=0.35)


def test_what_simulations_do_by_themselves_is_no_shock(expected):
    generator = np.random.default_rng(0)
    own = expected * generator.gamma(1 / 0.2, 0.2, (5, *expected.shape))
    lines = generator.poisson(own[0] * generator.gamma(1 / 0.3, 0.3, expected.shape))
    _, variance = fit_item_shocks(expected, generator.poisson(own[1:]), lines)
    assert variance.mean() == pytest.approx(0.3, rel=0.2)


def test_there_is_none_where_lines_are_as_expected(expected):
    lines, *simulated = np.random.default_rng(0).poisson(expected, (5, *expected.shape))
    mean, variance = fit_item_shocks(expected, np.stack(simulated), lines)
    np.testing.assert_allclose(mean, 1.0, atol=0.05)
    assert variance.max() < 0.02


def test_a_draw_moves_lines_and_makes_no_more_of_them(expected):
    none = dict(no_shocks(n_weeks=8, n_items=ITEMS).leaves())
    params = some(ChoiceParameters, **none, first_trial_week=torch.tensor([5]))
    assert not draw_item_shocks(params, expected, seed=0).any()
    params = params.changed(shock_variance=torch.full_like(params.item_shocks.shock_mean, 0.2))
    shocks = draw_item_shocks(params, expected, seed=0)
    assert not shocks[:, :5].any() and torch.equal(shocks[:, 5], shocks[:, 7])
    factor = shocks[:, 5].double().exp().numpy()
    assert (expected * factor).sum(1) == pytest.approx(expected.sum(1), rel=1e-5)
    assert factor.var() == pytest.approx(0.2, abs=0.02)
    assert torch.equal(shocks, draw_item_shocks(params, expected, seed=0))
    assert draw_item_shocks(params, expected * [[1], [0]], seed=0).isfinite().all()  # all items are near
    assert not torch.equal(shocks, draw_item_shocks(params, expected, seed=1))


def test_it_befalls_weeks_after_the_fit_and_forecasts_know_nothing_of_it(user_model, dataset):
    params, shocks = user_model.params, user_model.params.item_shocks.item_shocks
    assert not shocks[:, :20].any() and shocks[:, 20:].abs().min(dim=1).values.max() > 0
    without = with_shocks(params, -shocks[REST]).changed(item_shocks=torch.zeros_like(shocks))
    none = user_model.with_parameters(without)
    visits = dataset.visits["week"].to_numpy()
    for week, alike in ((19, True), (22, False)):
        state = user_model.at_visits(dataset, np.flatnonzero(visits == week)[:64])
        assert torch.equal(user_model.log_share(state), none.log_share(state))
        bought = [_lines(model, state) for model in (user_model, none)]
        assert (bought[0] == bought[1]) is alike


def _lines(model: ChoiceShopper, state: dict[str, torch.Tensor]) -> list[tuple[int, int]]:
    n = len(state["shopper"])
    draws = Draws(0, torch.arange(n), torch.zeros(n, dtype=torch.int64))
    response, _ = model.respond(state, Offer.nothing(n, 1, model.device), draws)
    return list(zip(response.row.tolist(), response.item.tolist(), strict=True))
