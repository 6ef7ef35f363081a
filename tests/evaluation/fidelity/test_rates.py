"""Base rates and how sure they are."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from bundlegym.evaluation.fidelity.rates import RATES, base_rates, totals
from bundlegym.user_models.panel import logged_panel


def test_rates_are_those_of_the_panel(dataset):
    shoppers, weeks = np.arange(0, dataset.n_shoppers, 2), dataset.split.test_weeks
    panel = logged_panel(dataset, weeks, shoppers)
    real = totals(panel, dataset, weeks, shoppers)
    found = {name: part["real"] for name, part in base_rates(real, real).items()}
    assert list(found) == list(RATES)
    visits = panel["visit"].nunique()
    assert found["visits_per_shopper_week"] == pytest.approx(visits / len(shoppers) / (weeks[1] - weeks[0]))
    assert found["lines_per_visit"] == pytest.approx(len(panel) / visits)
    assert found["units_per_line"] == pytest.approx(panel["quantity"].mean())
    assert found["price_per_unit"] == pytest.approx(np.average(panel["price"], weights=panel["quantity"]))
    past = dataset.visits.iloc[dataset.purchases["visit"]].reset_index(drop=True)
    past = past.assign(item=dataset.purchases["item"].to_numpy())
    before = past.loc[past["week"] < weeks[0], ["shopper", "item"]].drop_duplicates()
    assert found["repeat_share"] == pytest.approx(len(panel.merge(before)) / len(panel))


def test_a_log_has_its_own_rates_without_doubt(dataset):
    shoppers, weeks = np.arange(dataset.n_shoppers), dataset.split.test_weeks
    real = totals(logged_panel(dataset, weeks, shoppers), dataset, weeks, shoppers)
    for part in base_rates(real, real).values():
        assert (part["ratio"], part["low"], part["high"]) == pytest.approx((1.0, 1.0, 1.0))


def test_a_model_that_is_right_is_found_right_nineteen_times_of_twenty():
    rng, names = np.random.default_rng(0), list(RATES)
    covered = pd.Series(0, index=names)
    for seed in range(100):
        liking = rng.gamma(0.5, 4.0, (80, 1)) * np.array([1.0, 5.0, 7.0, 20.0, 3.0, 2.0])
        real, simulated = (np.column_stack([np.full(80, 9), rng.poisson(liking)]) for _ in range(2))
        for name, part in base_rates(real, simulated, seed).items():
            covered[name] += part["low"] <= 1 <= part["high"]
            assert part["low"] < part["ratio"] < part["high"]
    assert covered.between(87, 100).all(), covered
