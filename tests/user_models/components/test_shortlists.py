"""What preferences say of some shoppers without a look at all items is what the whole table says."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from bundlegym.user_models.components.attribute_tastes import attribute_range
from bundlegym.user_models.components.preferences import Preferences
from bundlegym.user_models.components.shortlists import best_items


@pytest.fixture(scope="module")
def preferences(dataset) -> Preferences:
    return Preferences.fit(dataset, dataset.split.train_weeks, ~dataset.split.held_out)


@pytest.mark.parametrize("size", [1, 20, 200, 600])
@pytest.mark.parametrize("spread", [0.0, 0.5])
def test_the_best_items_are_those_of_a_look_at_all(size, spread):
    rng = np.random.default_rng(size)
    n, n_items, n_groups = 30, 600, 40
    group = np.append(np.arange(n_groups), rng.integers(0, n_groups, n_items - n_groups))
    part = rng.normal(size=n_items).astype(np.float32)
    base = (3 * rng.normal(size=(n, n_groups))).astype(np.float32)
    theta = (spread * rng.normal(size=(n, 2))).astype(np.float32)
    attribute = rng.normal(size=(n_items, 2)).astype(np.float32)
    table = base[:, group] + part + theta @ attribute.T
    bought = rng.random(table.shape) < 0.05
    table[bought] += 4 * rng.random(bought.sum())
    told = csr_matrix((table[bought], np.nonzero(bought)), table.shape)
    span = attribute_range(attribute, group)
    found = best_items(told, base, part, theta, attribute, span, group, size)
    np.testing.assert_array_equal(found, np.sort(np.argsort(-table, axis=1)[:, :size], axis=1))


def test_pairs_sums_and_expected_lines_are_those_of_the_table(preferences):
    everyone = np.arange(preferences.count.shape[0])
    some, lines = preferences.of(everyone), np.random.default_rng(0).random(len(everyone))
    table = some.table().astype(np.float64)
    pairs = some.log_share(everyone[:, None], np.arange(table.shape[1])[None])
    np.testing.assert_allclose(pairs, table, atol=1e-5)
    np.testing.assert_allclose(some.log_sum(), np.log(np.exp(table).sum(1)), atol=1e-5)
    np.testing.assert_allclose(some.expected_lines(lines), lines @ np.exp(table), rtol=1e-5)
    assert (some.habit.data > 0).any() and some.habit.nnz == preferences.count.nnz


def test_known_items_are_the_likeliest_and_all_else_that_was_bought(preferences):
    n, asked = preferences.count.shape[0], np.arange(preferences.count.shape[0]) % 3 == 0
    found = preferences.known_items(20, asked)
    codes = np.flatnonzero(asked)
    table = preferences.of(codes).table()
    best = np.sort(np.argsort(-table, axis=1)[:, :20], axis=1)
    np.testing.assert_array_equal(found.shortlist[codes], best)
    np.testing.assert_allclose(found.log_share[codes], np.take_along_axis(table, best, 1), atol=1e-5)
    bought = preferences.count.toarray() > 0
    np.put_along_axis(bought, found.shortlist, False, axis=1)
    bought[~asked] = False
    assert bought.any()
    row, item = found.remembered.nonzero()
    np.testing.assert_array_equal(np.stack([row, item]), np.nonzero(bought))
    np.testing.assert_allclose(found.remembered.data, table[np.searchsorted(codes, row), item], atol=1e-5)
    assert (found.shortlist[~asked] == np.arange(20)).all() and n > asked.sum()
