"""Sums that make no table of shoppers by items are those of the table."""

from __future__ import annotations

import numpy as np
import pytest

from bundlegym.user_models.numeric.group_sums import exp_sums, sums_of_items
from bundlegym.user_models.numeric.row_blocks import row_blocks

ITEMS, GROUPS = 90, 7


@pytest.mark.parametrize("n", [0, 1, 64, 150])
def test_sums_are_those_of_the_whole_table(n):
    rng = np.random.default_rng(n)
    theta, feature = (rng.normal(size=(rows, 3)).astype(np.float32) for rows in (n, ITEMS))
    constant, group = rng.normal(size=ITEMS), rng.permutation(np.arange(ITEMS) % GROUPS)
    weight = rng.random((n, GROUPS))
    table = np.exp(theta @ feature.T)
    by_group = (table * np.exp(constant)) @ np.eye(GROUPS)[group]
    np.testing.assert_allclose(exp_sums(theta, feature, constant, group), by_group, rtol=3e-6)
    by_item = (weight[:, group] * table).sum(0)
    np.testing.assert_allclose(sums_of_items(theta, feature, weight, group), by_item, rtol=3e-6)


def test_blocks_hold_every_row_once_and_are_small():
    rows = np.arange(3, 40)
    parts = list(row_blocks(rows, 2**23))
    assert max(map(len, parts)) == 4
    np.testing.assert_array_equal(np.concatenate(parts), rows)
    assert [len(part) for part in row_blocks(rows, 2**40)] == [1] * len(rows)
