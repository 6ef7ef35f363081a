"""SessionBundles learns which items belong together, and finds bundles in sessions it has not seen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from bundlegym.recommenders.bundles.sessions import Session, SessionBundles


@pytest.fixture(scope="module")
def world() -> tuple[np.ndarray, list[Session]]:
    """60 items in ten groups. Likeness lies in 8 dimensions of 24; the others are louder and say nothing."""
    rng = np.random.default_rng(0)
    group = np.repeat(np.arange(10), 6)
    vectors = np.concatenate([rng.normal(size=(10, 8))[group], 1.5 * rng.normal(size=(60, 16))], axis=1)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    sessions = []
    for _ in range(150):
        chosen = rng.choice(10, size=2, replace=False)
        bundles = tuple(frozenset(rng.choice(np.flatnonzero(group == g), 3, replace=False)) for g in chosen)
        items = tuple(int(i) for i in rng.permutation([*bundles[0], *bundles[1]]))
        sessions.append(Session(items, bundles))
    return vectors, sessions


def cosines(vectors: np.ndarray, items: tuple[int, ...]) -> np.ndarray:
    first, second = np.triu_indices(len(items), 1)
    return (vectors[list(items)] @ vectors[list(items)].T)[first, second]


def test_pairs_that_share_a_bundle() -> None:
    session = Session((4, 7, 9), (frozenset({4, 9}), frozenset({9, 4, 1})))
    assert session.together().tolist() == [False, True, False]


def test_learns_the_dimensions_that_matter(world) -> None:
    vectors, sessions = world
    model = SessionBundles(components=20, strength=1.0).fit(vectors, sessions[:100])
    together = np.concatenate([s.together() for s in sessions[100:]])
    learned = np.concatenate([model.score(s.items) for s in sessions[100:]])
    plain = np.concatenate([cosines(vectors, s.items) for s in sessions[100:]])
    assert roc_auc_score(together, learned) > roc_auc_score(together, plain) + 0.03


def test_threshold_is_the_least_probability_of_a_merge(world) -> None:
    vectors, sessions = world
    model = SessionBundles(components=20).fit(vectors, sessions[:100])
    items = sessions[120].items
    model.threshold = 0.0
    assert model.recommend(items) == [frozenset(items)]
    model.threshold = 1.0
    assert model.recommend(items) == []


def test_two_items_merge_by_their_own_probability(world) -> None:
    vectors, sessions = world
    model = SessionBundles(components=20).fit(vectors, sessions[:100])
    items = sessions[120].items[:2]
    model.threshold = float(model.score(items)[0]) - 1e-6
    assert model.recommend(items) == [frozenset(items)]
    model.threshold += 2e-6
    assert model.recommend(items) == []


def test_one_item_makes_no_bundle(world) -> None:
    vectors, sessions = world
    model = SessionBundles(components=20).fit(vectors, sessions[:20])
    assert model.recommend([3]) == [] and model.recommend([]) == []


def test_saves_and_loads(world, tmp_path: Path) -> None:
    vectors, sessions = world
    model = SessionBundles(components=20, threshold=0.5).fit(vectors, sessions[:20])
    model.save(tmp_path / "model.npz")
    again = SessionBundles.load(tmp_path / "model.npz")
    assert (again.components, again.threshold) == (20, 0.5)
    assert [again.recommend(s.items) for s in sessions] == [model.recommend(s.items) for s in sessions]
