"""Shortlists and embeddings for environments."""

from __future__ import annotations

import numpy as np
import pytest

from bundlegym.errors import UserError
from bundlegym.recommenders import Interactions, item_vectors, make_recommender, shortlist
from bundlegym.recommenders.testing import COLD, small_log


@pytest.fixture(scope="module")
def log() -> Interactions:
    return small_log()


def test_shortlist_holds_the_best_items_in_code_order(log: Interactions) -> None:
    model = make_recommender("item-knn").fit(log)
    items, scores = shortlist(model, 12)
    assert items.shape == scores.shape == (log.n_shoppers, 12)
    assert (np.diff(items, axis=1) > 0).all()
    everything = model.score(np.arange(log.n_shoppers))
    worst_inside = np.take_along_axis(everything, items, axis=1).min(1)
    np.testing.assert_allclose(worst_inside, -np.partition(-everything, 11, axis=1)[:, 11])
    assert log.popularity.argmax() in items[COLD]


def test_shortlist_is_no_longer_than_the_catalogue(log: Interactions) -> None:
    items, _ = shortlist(make_recommender("popularity").fit(log), 10_000)
    np.testing.assert_array_equal(items[3], np.arange(log.n_items))


@pytest.mark.parametrize("name", ["als", "up-cf"])
def test_item_vectors_have_the_width_asked_for(log: Interactions, name: str) -> None:
    model = make_recommender(name).fit(log)
    vectors = item_vectors(model, 6)
    assert vectors.shape == (log.n_items, 6) and vectors.dtype == np.float32
    assert vectors.std() == pytest.approx(1, abs=1e-3)
    spread = vectors.var(axis=0)
    assert (np.diff(spread) <= 1e-6).all()
    np.testing.assert_array_equal(vectors, item_vectors(model, 6))


def test_components_keep_distances_when_none_is_dropped(log: Interactions) -> None:
    model = make_recommender("als", factors=8).fit(log)
    vectors, whole = item_vectors(model, 20), model.item_embeddings
    assert whole is not None and not vectors[:, 8:].any()
    ratio = np.linalg.norm(whole[3] - whole[5]) / np.linalg.norm(vectors[3] - vectors[5])
    assert np.linalg.norm(whole[7] - whole[1]) / np.linalg.norm(vectors[7] - vectors[1]) == pytest.approx(
        ratio, rel=1e-3
    )


def test_sizes_below_one_are_named(log: Interactions) -> None:
    model = make_recommender("popularity").fit(log)
    with pytest.raises(UserError, match="size of the shortlist is 0"):
        shortlist(model, 0)
    with pytest.raises(UserError, match="width of the embeddings is 0"):
        item_vectors(model, 0)
