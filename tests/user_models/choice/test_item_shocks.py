"""Drift: factors by which items sell more or less after a fit than was expected."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from bundlegym.user_models import ChoiceShopper, Draws, Offer
from bundlegym.user_models.choice.estimation.item_shocks import NEAR, REST, draw_drift, fit_drift, no_effect
from bundlegym.user_models.choice.reference.long_tail import tail_tables, tail_with

ITEMS = 6_000


@pytest.fixture(scope="module")
def expected() -> np.ndarray:
    """(2, I) lines as unequal as a shop's."""
    return np.exp(np.random.default_rng(1).normal(2.5, 1.0, (2, ITEMS)))


@pytest.fixture(scope="module")
def user_model(dataset) -> ChoiceShopper:
    return ChoiceShopper.fit(dataset, weeks=(0, 20), epochs=1, shortlist_size=40, progress=lambda _: None)


def test_planted_factors_are_recovered(expected):
    generator, variance = np.random.default_rng(0), np.array([[0.1], [0.4]])
    relative = expected.sum(0) / expected.sum(0).mean()
    mean = np.where(relative > 1.0, 1.2, 0.8)
    lines = generator.poisson(expected * mean * generator.gamma(1 / variance, variance, expected.shape))
    found = fit_drift(expected, generator.poisson(expected, (4, *expected.shape)), lines)
    size = np.bincount(np.searchsorted(2.0 ** np.arange(-2, 4), relative))
    for kind in (NEAR, REST):
        of_class = found["drift_mean"][kind]
        assert of_class[3:5].mean() / of_class[1:3].mean() == pytest.approx(1.2 / 0.8, rel=0.06)
        np.testing.assert_allclose(found["drift_variance"][kind, size > 300], variance[kind, 0], rtol=0.35)


def test_what_simulations_do_by_themselves_is_no_drift(expected):
    generator = np.random.default_rng(0)
    own = expected * generator.gamma(1 / 0.2, 0.2, (5, *expected.shape))
    lines = generator.poisson(own[0] * generator.gamma(1 / 0.3, 0.3, expected.shape))
    found = fit_drift(expected, generator.poisson(own[1:]), lines)
    assert found["drift_variance"].mean() == pytest.approx(0.3, rel=0.2)


def test_there_is_none_where_lines_are_as_expected(expected):
    lines, *simulated = np.random.default_rng(0).poisson(expected, (5, *expected.shape))
    found = fit_drift(expected, np.stack(simulated), lines)
    np.testing.assert_allclose(found["drift_mean"], 1.0, atol=0.05)
    assert found["drift_variance"].max() < 0.02


def test_a_draw_moves_lines_and_makes_no_more_of_them(expected):
    t = {name: torch.from_numpy(value) for name, value in no_effect().items()}
    t |= {"drift": torch.zeros(2, 8, ITEMS), "tried_from": torch.tensor([5])}
    assert not draw_drift(t, expected, seed=0).any()
    t |= {"drift_variance": torch.full_like(p.item_shocks.shock_mean, 0.2)}
    drift = draw_drift(t, expected, seed=0)
    assert not drift[:, :5].any() and torch.equal(drift[:, 5], drift[:, 7])
    factor = drift[:, 5].double().exp().numpy()
    assert (expected * factor).sum(1) == pytest.approx(expected.sum(1), rel=1e-5)
    assert factor.var() == pytest.approx(0.2, abs=0.02)
    assert torch.equal(drift, draw_drift(t, expected, seed=0))
    assert draw_drift(t, expected * [[1], [0]], seed=0).isfinite().all()  # all items are near
    assert not torch.equal(drift, draw_drift(t, expected, seed=1))


def test_the_tail_follows_a_push():
    generator = np.random.default_rng(0)
    product = generator.integers(0, 9, 40)
    attraction, group = generator.random((6, 40)), product // 3
    push = generator.normal(size=(3, 40))
    tables = {
        name: torch.from_numpy(table) for name, table in tail_tables(attraction, group, product).items()
    }
    tables |= {"group": torch.from_numpy(group), "product": torch.from_numpy(product)}
    wanted = tail_tables(attraction * np.exp(np.tile(push, (2, 1))), group, product)
    for name, table in tail_with(tables, torch.from_numpy(push)).items():
        np.testing.assert_allclose(table.numpy(), wanted[name], rtol=1e-5, err_msg=name)


def test_it_befalls_weeks_after_the_fit_and_forecasts_know_nothing_of_it(user_model, dataset):
    t = user_model.tensors
    assert (
        not p.item_shocks.item_shocks[:, :20].any()
        and p.item_shocks.item_shocks[:, 20:].abs().min(dim=1).values.max() > 0
    )
    none = ChoiceShopper(
        t
        | {"drift": torch.zeros_like(p.item_shocks.item_shocks)}
        | tail_with(t, -p.item_shocks.item_shocks[REST])
    )
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
