"""Cross-price elasticity has an interval, and real and simulated ones are compared by it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from bundlegym.data import Dataset
from bundlegym.evaluation.fidelity.response import Told, differences, promotion_response
from bundlegym.user_models.panel import logged_panel
from tests.user_models.choice.test_known_answers import SHOPPERS, WEEKS, draw

SPAN = (WEEKS // 2, WEEKS)
TRUE = 1.0  # a cut of a neighbour's price by 1 % takes 1 % of an item's sales


@pytest.fixture(scope="module")
def shop() -> Dataset:
    return draw({}, seed=2, competitor_discount=-TRUE).dataset


@pytest.fixture(scope="module")
def real(shop: Dataset) -> Told:
    return promotion_response(logged_panel(shop, SPAN, np.arange(SHOPPERS)), shop, SPAN)


def test_it_comes_out_within_its_interval(real: Told):
    found = real.figures
    assert abs(found["cross_elasticity"] - TRUE) < 2 * found["cross_elasticity_error"] < 0.6


def test_shoppers_who_know_no_neighbours_are_beyond_noise_and_the_same_ones_are_within(shop, real):
    other = draw({}, seed=2, competitor_discount=0.0).dataset
    assert (other.shelf_price == shop.shelf_price).mean() > 0.99  # but for weeks in which nobody buys an item
    panel = logged_panel(other, SPAN, np.arange(SHOPPERS))
    apart = differences(real, promotion_response(panel, shop, SPAN))["cross_elasticity"]
    assert apart["difference"] == pytest.approx(-TRUE, abs=0.3) and apart["high"] < 0
    assert apart["beyond_noise"] is True
    same = differences(real, real)["cross_elasticity"]
    assert same["difference"] == 0 and same["beyond_noise"] is False


def test_the_error_is_what_shocks_that_a_subcategory_shares_make_it(shop: Dataset):
    """Sales drawn anew, with a shock of each subcategory in each week: the spread of what is found is the
    error that is told, most of which clusters of single items would miss."""
    rng, group = np.random.default_rng(0), shop.subcategory_code
    found, told = [], []
    for _ in range(60):
        shock = rng.normal(0, 0.5, (group.max() + 1, shop.n_weeks))[group]
        units = rng.poisson(np.exp(3 + shock))[:, slice(*SPAN)]
        item, week = units.nonzero()
        panel = pd.DataFrame({"item": item, "week": week + SPAN[0], "quantity": units[item, week]})
        figures = promotion_response(panel, shop, SPAN).figures
        found.append(figures["cross_elasticity"])
        told.append(figures["cross_elasticity_error"])
    assert np.mean(told) == pytest.approx(np.std(found), rel=0.25)
    assert abs(np.mean(found)) < 3 * np.std(found) / np.sqrt(len(found))


def test_where_nothing_is_sold_steadily_nothing_is_known():
    nothing = Told({"elasticity": np.nan, "cross_elasticity": np.nan}, np.empty(0), np.empty((0, 5)))
    assert differences(nothing, nothing)["cross_elasticity"]["beyond_noise"] is None
