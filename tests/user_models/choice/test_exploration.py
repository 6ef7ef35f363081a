"""How much of a basket is new: simulated baskets of each size are brought to the log's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.sparse import csr_matrix

from bundlegym.data import Dataset, synthetic_dataset
from bundlegym.recommenders.dirichlet_shares import line_counts
from bundlegym.user_models import ChoiceShopper
from bundlegym.user_models.choice.estimation.exploration import ExplorationMoment, _alike, _new_odds
from bundlegym.user_models.choice.parameters import ChoiceParameters
from bundlegym.user_models.components.basket_size import on_grid
from bundlegym.user_models.components.simulated_moments import match
from bundlegym.user_models.panel import simulated_panel
from tests.user_models.some import all_but


def fitted_with_a_tail(dataset: Dataset, weeks: tuple[int, int]) -> ChoiceParameters:
    """Of a short shortlist, so that most items are off it."""
    options: dict[str, Any] = {"epochs": 1, "shortlist_size": 20, "without": all_but()}
    return ChoiceShopper.fit(dataset, weeks=weeks, progress=lambda _: None, **options).params


def test_a_simulation_with_a_level_gives_it_back(dataset):
    last = dataset.split.train_weeks[1]
    weeks, everyone = (last - 5, last), np.arange(dataset.n_shoppers)
    span = weeks[0] - 12, weeks[0]
    params = fitted_with_a_tail(dataset, span)
    wanted = torch.from_numpy(on_grid(np.array([-3.0, -1.5, 0.0, 0.0, 1.0, 1.0]))).float()
    bought = line_counts(dataset, span)

    def lived(model: ChoiceShopper, seed: int) -> pd.DataFrame:
        """Several simulations on one panel: a single one holds few lines that are new."""
        panels = [simulated_panel(model, weeks, everyone, seed + i) for i in range(6)]
        return pd.concat(
            [panel.assign(visit=panel["visit"] + 1_000_000 * i) for i, panel in enumerate(panels)]
        )

    panel = lived(ChoiceShopper(params.changed(explore_level=wanted)), 90)
    model = ChoiceShopper(params.changed(explore_level=torch.zeros_like(wanted)))
    before = _new_odds(lived(model, 50), bought)
    found = match(model, ExplorationMoment(panel, bought), weeks, everyone, seed=0)
    after = _new_odds(lived(found, 50), bought)
    real = _new_odds(panel, bought)
    # In so small a log odds answer little to a level, and luck is a large part of them.
    assert np.abs(after - real).mean() < 0.8 * np.abs(before - real).mean()


def test_odds_are_of_each_size_beside_all():
    # 1,000 baskets of one line that is known, 1,000 of two that are new.
    visit = np.r_[np.arange(1_000), np.repeat(np.arange(1_000, 2_000), 2)]
    item = np.r_[np.zeros(1_000, np.int64), np.tile([1, 2], 1_000)]
    panel = pd.DataFrame({"visit": visit, "shopper": 0, "item": item})
    odds = _new_odds(panel, csr_matrix([[1.0, 0.0, 0.0]]))
    assert odds[0] < -2 and odds[1] > 2
    assert odds[2:] == pytest.approx(0.0, abs=1e-6)  # of sizes that are not there, nothing is known


def test_alike_are_pairs_of_lines_both_new_or_both_known():
    panel = pd.DataFrame({"visit": [0, 0, 1, 1, 1, 2], "shopper": 0, "item": [0, 1, 0, 0, 1, 0]})
    bought = csr_matrix([[1.0, 0.0]])
    assert _alike(panel, bought) == pytest.approx((0 + 1 / 3) / 2)


def test_a_spread_makes_baskets_of_the_usual_and_baskets_of_something_new():
    dataset = synthetic_dataset(n_shoppers=500)
    last = dataset.split.train_weeks[1]
    weeks, everyone = (last - 5, last), np.arange(dataset.n_shoppers)
    span = weeks[0] - 12, weeks[0]
    params = fitted_with_a_tail(dataset, span)
    bought = line_counts(dataset, span)
    worlds = [ChoiceShopper(params.changed(explore_spread=torch.tensor([spread]))) for spread in (0.0, 1.0)]
    none, wide = (simulated_panel(world, weeks, everyone, seed=9) for world in worlds)
    assert _alike(wide, bought) > _alike(none, bought) + 0.02
    found = match(worlds[0], ExplorationMoment(wide, bought), weeks, everyone, seed=0)
    assert found.params.exploration.explore_spread > 0.4
