"""On a log drawn from known sizes of trips the fit finds them again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from bundlegym.user_models.components.basket_size import (
    GRID,
    LAST_EDGES,
    LOG_GRID,
    BasketSize,
    classes_before,
    fit_basket_size,
    gap_shares,
    on_grid,
    size_factors,
    trip_class,
)
from tests.user_models.components.visits import AFTER_BIG, SHOPPERS, WEEKS, World, draw
from tests.user_models.some import some


@pytest.fixture(scope="module")
def world() -> World:
    return draw()


def test_a_trip_after_a_big_one_is_smaller(world: World):
    found = fit_basket_size(world.dataset, (0, WEEKS), np.ones(SHOPPERS, bool))
    factor = found.log_gap_factor.exp().numpy()
    assert factor[3:, 1] / factor[1:3, 1].mean() == pytest.approx(AFTER_BIG, rel=0.15)
    assert factor[1:3, 1] / factor[1:3, 3] == pytest.approx(1.0, rel=0.1)  # days alone do nothing


def test_each_visit_and_week_knows_the_trip_before(world: World):
    dataset, visits = world.dataset, world.dataset.visits
    found = fit_basket_size(dataset, (0, WEEKS), np.ones(SHOPPERS, bool))
    lines = np.bincount(dataset.purchases["visit"], minlength=len(visits))
    shopper, week, visit = 7, 12, np.arange(len(visits))
    mine = visit[(visits["shopper"] == shopper) & (visits["week"] < week)]
    usual = found.usual_log_size.numpy()
    wanted = np.digitize(np.log(lines[mine]) - usual[shopper], LAST_EDGES)
    assert classes_before(dataset, usual)[mine].tolist() == [2, *wanted[:-1]]
    last = found.last_size_class
    assert last[week, shopper] == wanted[-1] and last[0, shopper] == 2


def test_a_planned_trip_is_of_the_class_of_its_lines():
    fitted = some(BasketSize, usual_log_size=torch.log(torch.tensor([4.0, 10.0])))
    size = torch.from_numpy(LOG_GRID)
    for shopper, mean in enumerate((4.0, 10.0)):
        found = trip_class(fitted, torch.full((len(GRID),), shopper), size)
        assert found.tolist() == np.digitize(np.maximum(GRID, 1.0) / mean, np.exp(LAST_EDGES)).tolist()


def test_factors_know_the_trip_before(world: World):
    visits = world.dataset.visits
    lines = np.bincount(world.dataset.purchases["visit"], minlength=len(visits))
    usual = np.log(pd.Series(lines).groupby(visits["shopper"]).transform("mean").to_numpy())
    _, by_class = size_factors(lines, usual, visits.groupby("shopper")["day"].diff())
    assert by_class[3:, 0] / by_class[1, 0] == pytest.approx(AFTER_BIG, rel=0.15)
    assert (by_class[:, 3:] == 1).all()


def test_days_since_the_last_visit_are_those_of_the_shopper(world):
    share = gap_shares(world.dataset, (0, WEEKS), np.ones(SHOPPERS, bool))
    assert share.sum(1) == pytest.approx(np.ones(SHOPPERS))
    next_day = share[:, 1]  # one day, as two on a day there are none
    assert next_day[world.heavy].mean() == pytest.approx(0.7, abs=0.05)
    assert next_day[~world.heavy].mean() < 0.25


def test_the_last_shoppers_may_have_no_visit_in_the_weeks_of_a_fit(dataset):
    last = dataset.visits["shopper"] == dataset.n_shoppers - 1
    later = dataset.visits["week"].where(~last, dataset.n_weeks - 1)
    away = replace(dataset, visits=dataset.visits.assign(week=later))
    found = fit_basket_size(away, dataset.split.train_weeks, np.ones(dataset.n_shoppers, dtype=bool))
    assert len(found.size_cdf) == dataset.n_shoppers
    assert found.size_cdf[:, -1].numpy() == pytest.approx(np.ones(dataset.n_shoppers))


def test_between_classes_of_baskets_trips_lie_in_between():
    by_class = np.array([0.0, 1.0, 2.0, 3.0, 4.0, 5.0])
    grid = on_grid(by_class)
    assert grid.shape == GRID.shape
    assert (np.diff(grid) >= 0).all() and grid[0] == 0.0 and grid[-1] == 5.0
    assert on_grid(np.stack([by_class, 2 * by_class], 1))[:, 1] == pytest.approx(2 * grid)
