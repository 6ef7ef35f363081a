"""Missions tell large subcategories of a category apart and leave small ones together; and small trips
are often for one department: simulations hold as many pairs of its lines as the log."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from bundlegym.user_models import ChoiceShopper, Draws
from bundlegym.user_models.components.basket_size import GRID
from bundlegym.user_models.components.simulated_moments import match
from bundlegym.user_models.components.trip_effects import (
    DepartmentMoment,
    DepartmentTrips,
    department_effect,
    department_pairs,
    shares_by_category,
)
from bundlegym.user_models.panel import simulated_panel


def test_a_large_subcategory_is_a_category_of_its_own(dataset):
    items = dataset.items.copy()
    everyone, weeks = np.ones(dataset.n_shoppers, dtype=bool), dataset.split.train_weeks
    bought = dataset.purchases["item"].value_counts().reindex(range(dataset.n_items), fill_value=0)
    first = items["category"] == items["category"].iloc[0]
    most, few = bought[first].idxmax(), bought[first].nsmallest(2).index
    items["subcategory"] = items["category"]  # all of its category is none of its own
    items.loc[most, "subcategory"] = "most of all"
    items.loc[few, "subcategory"] = ["hardly any", "hardly any either"]
    category = shares_by_category(_rarely(replace(dataset, items=items), few), weeks, everyone).category
    rest = category[first & ~items.index.isin([most, *few])]
    assert len(np.unique(rest)) == 1 and category[most] != rest[0]
    assert category[few[0]] == category[few[1]] and category[few[0]] not in (category[most], rest[0])
    assert len(np.unique(category)) == items["category"].nunique() + 2


def _rarely(dataset, items):
    """A log in which some items are bought once."""
    purchases = dataset.purchases
    again = purchases["item"].isin(items) & purchases["item"].duplicated()
    return replace(dataset, purchases=purchases[~again].reset_index(drop=True))


def test_pairs_are_counted_by_size_of_basket_beside_shares() -> None:
    # 100 baskets of two lines of department 0, 100 of two of department 1, 100 of one line of each.
    visit = np.repeat(np.arange(300), 2)
    item = np.r_[np.tile([0, 1], 100), np.tile([2, 3], 100), np.tile([0, 2], 100)]
    pairs = department_pairs(pd.DataFrame({"visit": visit, "item": item}), np.array([0, 0, 1, 1]), 2)
    assert pairs[0, 1].tolist() == [200, 200]  # ordered pairs in baskets of two or three lines
    assert pairs[1, 1] == pytest.approx([600 / 4, 600 / 4])
    assert not pairs[:, [0, 2, 3, 4, 5]].any()


@pytest.fixture(scope="module")
def without_trips(dataset) -> ChoiceShopper:
    """Nobody comes for one department."""
    found = ChoiceShopper.fit(dataset, epochs=1, progress=lambda _: None)
    none = torch.zeros_like(found.params.department_trips.department_spread)
    return found.with_parameters(found.params.changed(department_spread=none))


@pytest.mark.parametrize("spread", [0.0, 1.0])
def test_the_spread_of_a_simulated_log_comes_out(dataset, without_trips, spread: float) -> None:
    last = dataset.split.train_weeks[1]
    weeks, everyone = (last - 6, last), np.arange(dataset.n_shoppers)
    params = without_trips.params
    wanted = torch.full_like(params.department_trips.department_spread, spread)
    world = without_trips.with_parameters(params.changed(department_spread=wanted))
    panels = [simulated_panel(world, weeks, everyone, 90 + i) for i in range(4)]
    panel = pd.concat([panel.assign(visit=panel["visit"] + 1_000_000 * i) for i, panel in enumerate(panels)])
    department = params.catalogue.department_of_category[params.catalogue.category].numpy()
    moment = DepartmentMoment(panel, department, wanted.shape[1])
    matched = match(without_trips, moment, weeks, everyone, seed=0)
    found = matched.params.department_trips.department_spread
    assert found.shape == (len(GRID), wanted.shape[1])
    middle = found.numpy()[(GRID > 2) & (GRID < 20)].mean()  # of others this log holds few baskets
    assert middle == pytest.approx(spread, abs=0.25)


def test_what_departments_add_leaves_rates_as_they_are_on_average(without_trips) -> None:
    n, p = 20_000, without_trips.params
    trips = DepartmentTrips(torch.full_like(p.department_trips.department_spread, 0.8))
    draws = Draws(0, torch.arange(n), torch.zeros(n, dtype=torch.int64))
    department = p.catalogue.department_of_category
    shift = department_effect(trips, department, draws, torch.zeros(n, dtype=torch.int64))
    assert shift.exp().mean(0).numpy() == pytest.approx(1.0, abs=0.03)
    one, other = (department == d for d in (0, 1))
    assert (shift[:, one] == shift[:, one][:, :1]).all()
    assert abs(np.corrcoef(shift[:, one][:, 0], shift[:, other][:, 0])[0, 1]) < 0.03
