"""The likeliest items found from the tops of lists are those of a look at all shares."""

from __future__ import annotations

import numpy as np
import pytest

from bundlegym.recommenders.dirichlet_shares import ShopAverages, counted, likeliest
from bundlegym.recommenders.likeliest import likeliest_items, values_at
from bundlegym.recommenders.shopper_tables import allowed

N, ITEMS = 60, 400


def a_shop(seed: int, levels: int) -> tuple[ShopAverages, np.ndarray, np.ndarray]:
    """Averages in which popularity has few different `levels`, and lines (P,) of shoppers and items."""
    rng = np.random.default_rng(seed)
    popularity = rng.integers(1, levels + 1, ITEMS) + 0.5
    category = np.unique(rng.integers(0, 12, ITEMS), return_inverse=True)[1]
    lines = rng.integers(0, 4 * N, 5_000) % N, (rng.random(5_000) ** 3 * ITEMS).astype(np.int64)
    rare = lines[0] > 3  # the first shoppers bought nothing
    return ShopAverages(popularity / popularity.sum(), category), lines[0][rare], lines[1][rare]


@pytest.mark.parametrize("levels", [1, 5, 10_000])  # one: equals without end; many: hardly any
@pytest.mark.parametrize("size", [1, 30, 399, ITEMS])
@pytest.mark.parametrize("barred", ["nothing", "for all", "for each"])
def test_they_are_those_of_all_shares(levels: int, size: int, barred: str) -> None:
    averages, shopper, item = a_shop(size, levels)
    counts, rng = counted(shopper, item, (N, ITEMS)), np.random.default_rng(levels)
    closed = {"nothing": None, "for all": rng.random(ITEMS) < 0.3, "for each": rng.random((N, ITEMS)) < 0.3}
    score, most = allowed(averages.shares(counts.toarray())[0], closed[barred], size)
    expected = likeliest(score, most)
    np.testing.assert_array_equal(likeliest_items(averages, counts, most, closed[barred]), expected)


def test_shares_of_pairs_are_those_of_the_table() -> None:
    averages, shopper, item = a_shop(0, 9)
    counts = counted(shopper, item, (N, ITEMS))
    row, column = np.divmod(np.arange(N * ITEMS), ITEMS)
    table, by_category = averages.shares(counts.toarray())[0], averages.lines_by_category(counts)
    values = values_at(counts, row, column)
    np.testing.assert_array_equal(values, counts.toarray().ravel())
    np.testing.assert_array_equal(averages.log_shares(values, row, column, by_category), table.ravel())


def test_what_is_nowhere_has_the_value_for_none() -> None:
    empty = counted(np.zeros(0, np.int64), np.zeros(0, np.int64), (2, 3))
    one = counted(np.array([1]), np.array([0]), (2, 3))
    pairs = np.arange(2)[:, None], np.array([[2, 0], [1, 0]])
    assert values_at(empty, *pairs, -1).tolist() == [[-1, -1], [-1, -1]]
    assert values_at(one, *pairs, -1).tolist() == [[-1, -1], [-1, 1]]
