"""Rows are sorted, merged and split as said."""

from __future__ import annotations

import numpy as np
import pytest

from bundlegym.data import Dataset
from bundlegym.errors import UserError
from bundlegym.recommenders import Interactions
from bundlegym.recommenders.base import top_k

BASKETS = [[[0, 1], [2], [1, 3]], [], [[3]]]


def test_baskets_become_rows_in_order() -> None:
    log = Interactions.from_baskets(BASKETS, n_items=4)
    np.testing.assert_array_equal(log.shopper, [0, 0, 0, 0, 0, 2])
    np.testing.assert_array_equal(log.visit, [0, 0, 1, 2, 2, 3])
    np.testing.assert_array_equal(log.item, [0, 1, 2, 1, 3, 3])
    np.testing.assert_array_equal(log.visits_ago, [2, 2, 1, 0, 0, 0])
    np.testing.assert_array_equal(log.n_visits, [3, 0, 1])
    np.testing.assert_array_equal(log.counts.toarray(), [[1, 2, 1, 1], [0, 0, 0, 0], [0, 0, 0, 1]])
    np.testing.assert_array_equal(log.first_row, [0, 5, 5, 6])
    np.testing.assert_array_equal(log.popularity, [1, 2, 1, 2])


def test_rows_of_one_visit_and_item_are_merged() -> None:
    log = Interactions.from_columns(
        np.array([1, 0, 1]), np.array([2, 0, 2]), np.array([5, 9, 5]), n_shoppers=2, n_items=3,
        quantity=np.array([1, 1, 3]),
    )  # fmt: skip
    np.testing.assert_array_equal(log.quantity, [1, 4])
    np.testing.assert_array_equal(log.shopper, [0, 1])


def test_last_visit_comes_off_unless_it_is_the_only_one() -> None:
    history, last = Interactions.from_baskets(BASKETS, n_items=4).split_last_visit()
    np.testing.assert_array_equal(last.toarray(), [[0, 1, 0, 1], [0, 0, 0, 0], [0, 0, 0, 0]])
    np.testing.assert_array_equal(history.item, [0, 1, 2, 3])
    np.testing.assert_array_equal(history.visit, [0, 0, 1, 2])


def test_joined_halves_are_the_whole() -> None:
    log = Interactions.from_baskets(BASKETS, n_items=4)
    joined = log.where(log.day < 1).join(log.where(log.day >= 1))
    for column in ("shopper", "visit", "item", "day", "quantity"):
        np.testing.assert_array_equal(getattr(joined, column), getattr(log, column))


def test_a_dataset_gives_its_weeks(dataset: Dataset) -> None:
    log = Interactions.from_dataset(dataset, (3, 5))
    in_weeks = dataset.visits["week"].isin([3, 4]).to_numpy()
    assert len(log.item) == in_weeks[dataset.purchases["visit"]].sum()
    assert len(log.visit_shopper) == in_weeks.sum()
    assert set(log.content.attributes) >= {"category", "brand"}
    assert not log.popularity[log.item[~log.held_out[log.shopper]]].min() == 0


def test_codes_out_of_range_are_named() -> None:
    with pytest.raises(UserError, match="item codes"):
        Interactions.from_baskets([[[4]]], n_items=4)


def test_ties_go_to_the_more_popular_item() -> None:
    scores = np.array([[0.0, 2.0, 0.0, 0.0, 1.0]], dtype=np.float32)
    popularity = np.array([1.0, 0.0, 5.0, 3.0, 9.0], dtype=np.float32)
    np.testing.assert_array_equal(top_k(scores, 4, popularity, np.array([4, 2, 3, 0, 1])), [[1, 4, 2, 3]])
