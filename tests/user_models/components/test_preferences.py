"""What shoppers like is counted from their lines, and follows an item's trend."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bundlegym.data import DataConfig, Log, build_dataset
from bundlegym.user_models.components.preferences import Preferences
from tests.user_models.logs import weekly_lines


def test_an_item_on_its_way_out_is_liked_less_by_all_who_bought_it():
    rng, bought = np.random.default_rng(1), []
    for week in range(40):
        rate = np.full((400, 20), 0.2)
        rate[:, 0] = 0.2 if week < 24 else 0.02
        bought.append(np.nonzero(rng.random(rate.shape) < rate))
    items = pd.DataFrame({"item": np.arange(20), "category": "c", "subcategory": "s"})
    log = Log("drawn", weekly_lines(bought), items=items)
    dataset = build_dataset(log, DataConfig(log="drawn", min_purchases=1))
    preferences = Preferences.fit(dataset, (0, 40), np.ones(400, dtype=bool))
    everyone = np.arange(400)
    often = preferences.lines(everyone, np.zeros(400, dtype=int)) > 2
    log_share = preferences.of(everyone).table()
    share, before = (np.exp(table)[often, 0] for table in (log_share, log_share - preferences.trend))
    assert preferences.trend[0] < -0.4 and np.abs(preferences.trend[1:]).max() < 0.2
    assert share.mean() < 0.7 * before.mean()
