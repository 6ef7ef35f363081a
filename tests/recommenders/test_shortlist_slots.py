from __future__ import annotations

import numpy as np

from bundlegym.recommenders.shortlist_slots import slots_of, slots_of_purchases


def test_slots_by_hand():
    shortlist = np.array([[1, 4, 6], [0, 2, 4]])
    shopper, item = np.array([0, 0, 0, 1, 1, 1, 1]), np.array([1, 6, 0, 0, 4, 6, 2])
    np.testing.assert_array_equal(slots_of(shortlist, shopper, item, 7), [0, 2, -1, 0, 2, -1, 1])


def test_slots_of_a_log_are_those_of_each_purchase(dataset):
    rng = np.random.default_rng(0)
    shortlist = np.sort(
        [rng.choice(dataset.n_items, 5, replace=False) for _ in range(dataset.n_shoppers)], axis=1
    )
    slot = slots_of_purchases(dataset, shortlist)
    shopper = dataset.visits["shopper"].to_numpy()[dataset.purchases["visit"]]
    item = dataset.purchases["item"].to_numpy()
    assert (slot >= 0).any()
    np.testing.assert_array_equal(slot >= 0, (shortlist[shopper] == item[:, None]).any(1))
    np.testing.assert_array_equal(shortlist[shopper, slot][slot >= 0], item[slot >= 0])
