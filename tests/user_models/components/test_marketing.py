"""What the shop did, as a fit sees it."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch

from bundlegym.data import Dataset
from bundlegym.data.support import deepest_discount
from bundlegym.user_models.components.marketing import Marketing, subcategory_recency_bins


def test_a_price_cut_deeper_than_the_log_knows_does_no_more_than_the_deepest_known(dataset: Dataset) -> None:
    weeks = dataset.split.train_weeks
    deepest = deepest_discount(dataset, weeks)
    assert 0.1 < deepest < 0.6
    week = dataset.split.test_weeks[0]

    def asked(share_off: float) -> float:
        shelf = dataset.shelf_price.copy()
        shelf[0, week] = (1 - share_off) * dataset.list_price[0, week]
        return float(
            Marketing.of(dataclasses.replace(dataset, shelf_price=shelf), weeks).log_discount[week, 0]
        )

    assert asked(0.05) < asked(0.1) < asked(deepest)
    assert asked(0.9) == asked(deepest)
    assert np.isclose(asked(0.1) - asked(0.05), np.log(0.95 / 0.9), atol=1e-6)


def test_what_was_last_bought_of_a_subcategory_counts_for_all_of_it():
    day, interval = torch.tensor([30, 30]), torch.tensor([[20.0, 20.0, 5.0]] * 2)
    last = torch.tensor([[28, 2, -1], [-1, -1, 30]], dtype=torch.int16)
    bins = subcategory_recency_bins(day, last, interval, torch.tensor([[1, 1, 0]] * 2))
    # Two items that are bought every 20 days: a purchase every 10, of which 2 are over; bin 0 is for never.
    assert bins.tolist() == [[3, 3, 0], [0, 0, 1]]
