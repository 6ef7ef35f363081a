import numpy as np
import pandas as pd

from bundlegym.data import Dataset, check_log, complement_pairs, synthetic_dataset, synthetic_log, truth


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
    assert 3 < len(data.purchases) / len(data.visits) < 15


def test_promoted_items_sell_more(dataset: Dataset) -> None:
    data = dataset
    week = data.visits["week"].to_numpy()[data.purchases["visit"]]
    sold = np.zeros_like(data.list_price)
    np.add.at(sold, (data.purchases["item"], week), 1)
    promoted = data.shelf_price < 0.99 * data.list_price
    relative = sold / sold.mean(axis=1, keepdims=True)
    assert relative[promoted].mean() > 1.3 * relative[~promoted].mean()


def test_mailers_come_in_runs_with_and_without_price_cuts(dataset: Dataset) -> None:
    data = dataset
    mailer, cut = data.mailer > 0, data.shelf_price < 0.99 * data.list_price
    assert 0.3 < (mailer[:, 1:] & mailer[:, :-1]).sum() / mailer.sum() < 0.8
    assert 0.02 < cut[mailer].mean() < 0.5


def test_complements_are_bought_together_more_than_by_chance(dataset: Dataset) -> None:
    data = dataset
    bought = incidence(data)
    category = data.items["category"].to_numpy()
    pairs = complement_pairs(120)
    assert {(category[a], category[b]) for a, b in pairs} == set(truth().complements)
    first, second = pairs.T
    rate = bought.mean(axis=0)
    lift = (bought[:, first] & bought[:, second]).mean(axis=0) / (rate[first] * rate[second])
    far = np.roll(second, len(pairs) // 2)  # of other pairs
    other_lift = (bought[:, first] & bought[:, far]).mean(axis=0) / (rate[first] * rate[far])
    assert lift.mean() > 1.5 * other_lift.mean()
