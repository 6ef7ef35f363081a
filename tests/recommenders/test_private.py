"""Recommenders with differential privacy: how much noise there is, what hangs on whom, what is refused."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse, stats

from bundlegym.errors import UserError
from bundlegym.recommenders import Interactions, load_recommender, make_recommender
from bundlegym.recommenders.gaussian_mechanism import clip_rows, gram_noise, mu_of, noisy_gram, noisy_sum
from bundlegym.recommenders.testing import COLD, small_log

PRIVATE = ("popularity", "ease", "item-knn")
NORM = 2.0


@pytest.fixture(scope="module")
def log() -> Interactions:
    return small_log()


@pytest.mark.parametrize(("epsilon", "delta"), [(0.1, 1e-6), (1.0, 1e-5), (8.0, 1e-6), (1.0, 0.3)])
def test_noise_is_as_much_as_the_guarantee_needs_and_no_more(epsilon: float, delta: float) -> None:
    """Of two normals, mu deviations apart: the most that a test wins beyond e^epsilon, summed on a grid."""
    x = np.linspace(-20, 20, 400_001)
    ahead = stats.norm.pdf(x, mu_of(epsilon, delta)) - np.exp(epsilon) * stats.norm.pdf(x)
    assert np.trapezoid(np.maximum(ahead, 0), x) == pytest.approx(delta, rel=1e-3)


def test_the_noise_of_balle_and_wang() -> None:
    assert 1 / mu_of(1, 1e-5) == pytest.approx(3.7306, abs=1e-4)


@pytest.mark.parametrize("binary", [True, False])
def test_no_shopper_moves_a_sum_by_more_than_is_hidden(log: Interactions, binary: bool) -> None:
    table = log.counts.sign() if binary else log.counts
    rows = clip_rows(table, NORM)
    total, gram = np.asarray(rows.sum(0)).ravel(), (rows.T @ rows).toarray()
    moved, gram_moved = [], []
    for shopper in range(log.n_shoppers):
        others = clip_rows(table[np.arange(log.n_shoppers) != shopper], NORM)
        moved.append(np.linalg.norm(total - np.asarray(others.sum(0)).ravel()))
        gram_moved.append(np.linalg.norm(gram - (others.T @ others).toarray()))
    assert max(moved) == pytest.approx(NORM) and max(gram_moved) == pytest.approx(NORM**2)
    assert moved[COLD] == 0 == gram_moved[COLD]


def test_noise_has_the_spread_that_is_said() -> None:
    mu, empty, rng = 0.5, sparse.csr_matrix((3, 300)), np.random.default_rng(0)
    assert noisy_sum(empty, NORM, mu, rng).std() == pytest.approx(NORM / mu, rel=0.15)
    gram = noisy_gram(empty, NORM, mu, rng)
    np.testing.assert_array_equal(gram, gram.T)
    off = gram[np.triu_indices(300, 1)]
    assert off.std() == pytest.approx(gram_noise(NORM, mu), rel=0.02)
    assert np.diag(gram).std() == pytest.approx(NORM**2 / mu, rel=0.15)
    # Along any direction of a shopper's x x', whose length is NORM squared, the spread is NORM squared / mu.
    x = np.ones(300) * NORM / np.sqrt(300)
    along = [x @ noisy_gram(empty, NORM, mu, rng) @ x / NORM**2 for _ in range(100)]
    assert np.std(along) == pytest.approx(NORM**2 / mu, rel=0.25)


@pytest.mark.parametrize("name", PRIVATE)
def test_scores_hang_on_the_log_less_the_smaller_epsilon_is(name: str, log: Interactions) -> None:
    everyone, plain = np.arange(log.n_shoppers), make_recommender(name).fit(log)
    exact = plain.score(everyone)
    near, far = (
        make_recommender(name, epsilon=epsilon, noise_seed=1, row_norm=1e3).fit(log).score(everyone)
        for epsilon in (1e10, 0.1)
    )

    def likeness(scores: np.ndarray) -> float:
        return float(np.corrcoef(scores.ravel(), exact.ravel())[0, 1])

    assert likeness(near) > 0.95 > likeness(far)


@pytest.mark.parametrize("name", PRIVATE)
def test_noise_is_new_in_every_fit_unless_a_seed_is_given(name: str, log: Interactions) -> None:
    def popularity(seed: int | None) -> np.ndarray:
        return make_recommender(name, epsilon=1.0, noise_seed=seed).fit(log).popularity

    assert np.abs(popularity(None) - popularity(None)).max() > 0
    np.testing.assert_array_equal(popularity(3), popularity(3))


@pytest.mark.parametrize("name", PRIVATE)
def test_what_is_handed_on_holds_no_purchases(name: str, log: Interactions, tmp_path: Path) -> None:
    model = make_recommender(name, epsilon=2.0).fit(log)
    model.without_shoppers().save(tmp_path)
    again = load_recommender(tmp_path)
    assert len(again.log.shopper) == again.log.n_shoppers == 0
    everyone = np.arange(log.n_shoppers)
    np.testing.assert_array_equal(again.over(log).score(everyone), model.score(everyone))
    assert json.loads((tmp_path / "recommender.json").read_text())["parameters"]["epsilon"] == 2.0


@pytest.mark.parametrize("name", PRIVATE)
def test_cold_shoppers_and_ties_see_the_noisy_popularity_alone(name: str, log: Interactions) -> None:
    model = make_recommender(name, epsilon=0.1).fit(log)
    ids, scores = model.recommend(np.array([COLD]), 5)
    np.testing.assert_array_equal(ids[0], np.argsort(-model.popularity, kind="stable")[:5])
    np.testing.assert_array_equal(scores[0], model.popularity[ids[0]])
    other = dataclasses.replace(log, item=(log.item + 1) % log.n_items)
    shuffled = Interactions.from_columns(
        other.shopper, other.item, other.day, n_shoppers=log.n_shoppers, n_items=log.n_items
    )
    over = model.over(shuffled)
    np.testing.assert_array_equal(over.recommend(np.array([COLD]), 5)[0], ids)


@pytest.mark.parametrize("name", PRIVATE)
@pytest.mark.parametrize(
    "wrong",
    [{"epsilon": 0}, {"epsilon": -1.0}, {"epsilon": float("nan")}, {"epsilon": float("inf")},
     {"epsilon": "1"}, {"epsilon": 1, "delta": 0}, {"epsilon": 1, "delta": 1}, {"epsilon": 1, "delta": -1e-6},
     {"epsilon": 1, "row_norm": 0}],
)  # fmt: skip
def test_nonsense_is_refused(name: str, wrong: dict) -> None:
    with pytest.raises(UserError, match="epsilon is|delta is|row_norm is"):
        make_recommender(name, **wrong)


def test_a_delta_above_one_over_the_shoppers_is_refused(log: Interactions) -> None:
    with pytest.raises(UserError, match="below 1 over the number of shoppers"):
        make_recommender("ease", epsilon=1.0, delta=0.1).fit(log)


def test_epsilon_is_refused_where_it_holds_for_nothing(log: Interactions) -> None:
    with pytest.raises(UserError, match="'als' has no 'epsilon'"):
        make_recommender("als", epsilon=1.0)
    with pytest.raises(UserError, match="must be 'cosine'"):
        make_recommender("item-knn", epsilon=1.0, weighting="bm25")
    with pytest.raises(UserError, match="learned without epsilon"):
        make_recommender("ease").fit(log).without_shoppers()
    with pytest.raises(UserError, match="learns once"):
        make_recommender("ease", epsilon=1.0).fit(log).partial_fit(log)
