"""On a log drawn from known days and sizes of trips the fit finds them again."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pytest
import torch

from bundlegym.data import DataConfig, Dataset, Log, build_dataset
from bundlegym.user_models.components.basket_size import (
    GRID,
    LAST_EDGES,
    LOG_GRID,
    fit_basket_size,
    gap_shares,
    size_factors,
    trip_class,
    trips_before,
)
from bundlegym.user_models.components.incidence import fit_incidence, hazards
from tests.user_models.logs import START

SHOPPERS, WEEKS, ITEMS = 300, 30, 60
DAILY = np.array([1 / 7, 0.7])  # chance to come on a day: of most shoppers, and of one in ten
AFTER_BIG = 0.5


@dataclass(frozen=True)
class World:
    dataset: Dataset
    heavy: np.ndarray  # (SHOPPERS,) bool


@pytest.fixture(scope="module")
def world() -> World:
    """Days are independent of each other; after a trip of more than one and a half times the mean lines the
    next one is `AFTER_BIG` as large as it would be."""
    rng = np.random.default_rng(0)
    heavy = np.arange(SHOPPERS) % 10 == 0
    came = rng.random((SHOPPERS, 7 * WEEKS)) < DAILY[heavy.astype(int)][:, None]
    mean, last = np.where(heavy, 4.0, 8.0), np.zeros(SHOPPERS)
    rows = []
    for day in range(7 * WEEKS):
        shopper = np.flatnonzero(came[:, day])
        size = mean[shopper] * rng.choice([0.4, 1.0, 2.5], len(shopper))
        size *= np.where(last[shopper] > 1.5, AFTER_BIG, 1.0)
        lines = rng.poisson(size).clip(1, ITEMS)
        last[shopper] = lines / mean[shopper]
        rows.append(pd.DataFrame({"shopper": shopper, "day": day, "lines": lines}))
    return World(_dataset(pd.concat(rows, ignore_index=True)), heavy)


def _dataset(visits: pd.DataFrame) -> Dataset:
    """A log of visits of so many `lines`."""
    table = visits.loc[visits.index.repeat(visits["lines"]), ["shopper", "day"]]
    table["item"] = table.groupby(level=0).cumcount()
    table["basket"] = table["shopper"] * 7 * WEEKS + table["day"]
    table["time"] = START + pd.to_timedelta(table.pop("day"), unit="D")
    transactions = table.assign(quantity=1, price_paid=2.0, list_price=2.0)
    names = [f"c{i % 5}" for i in range(ITEMS)]
    items = {"item": np.arange(ITEMS), "department": "D", "category": names, "subcategory": names}
    log = Log("visits", transactions, items=pd.DataFrame(items | {"brand": "B"}))
    return build_dataset(log, DataConfig(log="visits", min_purchases=1))


def test_a_trip_after_a_big_one_is_smaller(world: World):
    trips = fit_basket_size(world.dataset, (0, WEEKS), np.ones(SHOPPERS, bool))
    factor = trips["trip_gap"]
    assert factor[3:, 1] / factor[1:3, 1].mean() == pytest.approx(AFTER_BIG, rel=0.15)
    assert factor[1:3, 1] / factor[1:3, 3] == pytest.approx(1.0, rel=0.1)  # days alone do nothing


def test_each_visit_and_week_knows_the_trip_before(world: World):
    dataset, visits = world.dataset, world.dataset.visits
    trips = fit_basket_size(dataset, (0, WEEKS), np.ones(SHOPPERS, bool))
    lines = np.bincount(dataset.purchases["visit"], minlength=len(visits))
    shopper, week, visit = 7, 12, np.arange(len(visits))
    mine = visit[(visits["shopper"] == shopper) & (visits["week"] < week)]
    wanted = np.digitize(np.log(lines[mine]) - trips["usual_trip"][shopper], LAST_EDGES)
    assert trips_before(dataset, trips["usual_trip"])[mine].tolist() == [2, *wanted[:-1]]
    assert trips["last_trip"][week, shopper] == wanted[-1] and trips["last_trip"][0, shopper] == 2


def test_a_planned_trip_is_of_the_class_of_its_lines():
    t = {"usual_trip": torch.log(torch.tensor([4.0, 10.0]))}
    size = torch.from_numpy(LOG_GRID)
    for shopper, mean in enumerate((4.0, 10.0)):
        found = trip_class(t, torch.full((len(GRID),), shopper), size)
        assert found.tolist() == np.digitize(np.maximum(GRID, 1.0) / mean, np.exp(LAST_EDGES)).tolist()


def test_heavy_and_rare_visitors_come_as_often_as_they_do(world: World):
    rhythm = fit_incidence(world.dataset, (0, WEEKS), np.ones(SHOPPERS, bool))
    t = {name: torch.from_numpy(np.asarray(value)) for name, value in rhythm.items()}
    shopper = torch.arange(SHOPPERS)
    since, usual = torch.ones_like(shopper), torch.full_like(shopper, 2)
    chance = torch.stack(
        [
            hazards(t, shopper, shopper * 0 + day, since, usual, torch.zeros(SHOPPERS))[:, 0]
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
    dataset = _dataset(pd.DataFrame(rows, columns=["shopper", "day", "lines"]))
    rhythm = fit_incidence(dataset, (0, WEEKS), np.ones(SHOPPERS, bool))
    assert rhythm["irregular"][regular].max() < rhythm["irregular"][~regular].min()
    usual, big = rhythm["hazard_day"][1], rhythm["hazard_day"][4]
    assert (big[:6] < usual[:6]).all() and (big[7:] == usual[7:]).all()
    # Who keeps intervals comes sooner about the end of one, and later right after its beginning.
    assert rhythm["hazard_irregular"][0] > 0 > rhythm["hazard_irregular"][4]


def test_levels_know_the_trip_before(world: World):
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
    trips = fit_basket_size(away, dataset.split.train_weeks, np.ones(dataset.n_shoppers, dtype=bool))
    assert len(trips["trip_share"]) == dataset.n_shoppers
    assert trips["trip_share"].sum(1) == pytest.approx(np.ones(dataset.n_shoppers))
