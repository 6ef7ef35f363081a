"""On a log drawn from known days of visits the fit finds them again."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from bundlegym.data import Dataset
from bundlegym.user_models.components.incidence import Incidence, fit_hazard, fit_incidence, hazards
from tests.user_models.components.visits import DAILY, SHOPPERS, WEEKS, World, draw, log_of


@pytest.fixture(scope="module")
def world() -> World:
    return draw()


def fitted(dataset: Dataset) -> Incidence:
    weeks, everybody = (0, WEEKS), np.ones(SHOPPERS, bool)
    return fit_incidence(dataset, weeks, everybody, fit_hazard(dataset, weeks, everybody))


def test_heavy_and_rare_visitors_come_as_often_as_they_do(world: World):
    found = fitted(world.dataset)
    shopper = torch.arange(SHOPPERS)
    since, usual = torch.ones_like(shopper), torch.full_like(shopper, 2)
    chance = torch.stack(
        [
            hazards(found, shopper, shopper * 0 + day, since, usual, torch.zeros(SHOPPERS))[:, 0]
            for day in range(7)
        ]
    ).mean(0)
    for heavy, wanted in enumerate(DAILY):
        assert float(chance[world.heavy == bool(heavy)].mean()) == pytest.approx(wanted, rel=0.1)


def test_a_big_trip_puts_the_next_one_off_and_regular_shoppers_keep_their_intervals():
    """Every sixth day of some, after a big trip every tenth; others come whenever they like, as often."""
    rng = np.random.default_rng(0)
    regular, days = np.arange(SHOPPERS) % 2 == 0, 7 * WEEKS
    rows = []
    for shopper in range(SHOPPERS):
        day = int(rng.integers(6))
        while day < days:
            big = rng.random() < 0.25
            rows.append((shopper, day, 20 if big else 4))
            wait = 10 if big else 6
            day += wait if regular[shopper] else int(rng.geometric(1 / wait))
    dataset = log_of(pd.DataFrame(rows, columns=["shopper", "day", "lines"]))
    found = fitted(dataset)
    irregularity = found.irregularity.numpy()
    assert irregularity[regular].max() < irregularity[~regular].min()
    usual, big = found.hazard_day[1], found.hazard_day[4]  # type: ignore[assignment]
    assert (big[:6] < usual[:6]).all() and (big[7:] == usual[7:]).all()
    # Who keeps intervals comes sooner about the end of one, and later right after its beginning.
    assert found.hazard_irregular[0] > 0 > found.hazard_irregular[4]
