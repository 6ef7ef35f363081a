import numpy as np
import pandas as pd

from bundlegym.data import Dataset, check_log, complement_pairs, synthetic_dataset, synthetic_log


def incidence(data: Dataset) -> np.ndarray:
    """(n_visits, n_items) bool."""
    table = np.zeros((len(data.visits), data.n_items), dtype=bool)
    table[data.purchases["visit"], data.purchases["item"]] = True
    return table


def test_the_seed_decides() -> None:
    first, again, other = (synthetic_log(seed, 20, 20, 6).transactions for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(first, again)
    assert not first.equals(other)


def test_it_is_a_sound_log_of_the_size_asked_for() -> None:
    log = synthetic_log(seed=0)
    check_log(log, "synthetic")
    data = synthetic_dataset(seed=0)
    assert (data.n_shoppers, data.n_items, data.n_weeks) == (200, 120, 26)
    assert 5 < len(data.purchases) / len(data.visits) < 15


def test_promoted_items_sell_more() -> None:
    data = synthetic_dataset(seed=0)
    week = data.visits["week"].to_numpy()[data.purchases["visit"]]
    sold = np.zeros_like(data.list_price)
    np.add.at(sold, (data.purchases["item"], week), 1)
    promoted = data.shelf_price < 0.99 * data.list_price
    relative = sold / sold.mean(axis=1, keepdims=True)
    assert relative[promoted].mean() > 1.3 * relative[~promoted].mean()


def test_complements_are_bought_together_more_than_by_chance() -> None:
    data = synthetic_dataset(seed=0)
    bought = incidence(data)
    first, second = complement_pairs(120).T
    rate = bought.mean(axis=0)
    lift = (bought[:, first] & bought[:, second]).mean(axis=0) / (rate[first] * rate[second])
    other = (bought[:, first] & bought[:, np.roll(second, 1)]).mean(axis=0)
    other_lift = other / (rate[first] * rate[np.roll(second, 1)])
    assert np.median(lift) > 1.5 * np.median(other_lift)
