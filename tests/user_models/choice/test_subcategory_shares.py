"""Shares of subcategories are sums of those of items, with memory, trials and promotions in play."""

from __future__ import annotations

import numpy as np
import pytest
import torch


@pytest.mark.parametrize("week", [5, -1])
def test_shares_of_subcategories_are_sums_over_items(dataset, model_with_tail, week):
    p, shopper = model_with_tail.params, torch.arange(dataset.n_shoppers)
    day = torch.full_like(shopper, 7 * (week % dataset.n_weeks))
    visits = model_with_tail.reset(shopper, day)
    if week < 0:
        assert (visits["recent_trials"] >= 0).any() and len(p.long_tail.memory_item) > 1
    group = p.catalogue.subcategory.numpy()
    of_items = model_with_tail.log_share(visits).double().exp().numpy()
    found = model_with_tail.subcategory_shares(visits).numpy()
    np.testing.assert_allclose(found, of_items @ np.eye(group.max() + 1)[group], rtol=2e-5, atol=1e-8)
