"""Models against scores worked out by hand, and what they are for."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from bundlegym.errors import UserError
from bundlegym.recommenders import (
    Content,
    Interactions,
    PersonalFrequency,
    check_installed,
    make_recommender,
)
from bundlegym.recommenders.blend import tune_weights
from bundlegym.recommenders.content import standardised
from bundlegym.recommenders.dirichlet_shares import line_counts
from bundlegym.recommenders.neural.histories import histories_before, histories_of, one_visit_each
from bundlegym.recommenders.pair_features import PAIR_FEATURES, PairFeatures
from bundlegym.recommenders.testing import small_log

#: Shopper 0 bought {0, 1}, {0}, {2}; shopper 1 {0, 2}; shopper 2 {1}, {3}.
BASKETS = [[[0, 1], [0], [2]], [[0, 2]], [[1], [3]]]


@pytest.fixture
def log() -> Interactions:
    return Interactions.from_baskets(BASKETS, n_items=4)


def scores_of(name: str, log: Interactions, shopper: int, **parameters) -> np.ndarray:
    return make_recommender(name, **parameters).fit(log).score(np.array([shopper]))[0]


def test_up_cf_by_hand(log: Interactions) -> None:
    # Neighbours of shopper 1, |S| = 2: itself 1; shopper 0 2 / (2 x 3)^0.5, shares 2/3, 1/3, 1/3.
    near = (2 / 6**0.5) ** 2
    expected = [1 + near * 2 / 3, near / 3, 1 + near / 3, 0]
    found = scores_of("up-cf", log, 1, recency=10, locality=2, asymmetry=0.5)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_up_cf_forgets_visits_before_the_last(log: Interactions) -> None:
    alone = dataclasses.replace(log, held_out=np.array([False, True, True]))
    np.testing.assert_allclose(scores_of("up-cf", alone, 0, recency=1), [0, 0, 1, 0], atol=1e-6)


def test_tifu_knn_by_hand(log: Interactions) -> None:
    # Two groups of shopper 0's three visits: [1st], [2nd, 3rd] with decays 0.5 in and 0.25 between.
    found = scores_of(
        "tifu-knn", log, 0, neighbours=1, within_decay=0.5, group_decay=0.25, own_weight=1.0, groups=2
    )
    np.testing.assert_allclose(found, [(0.25 + 0.5 / 2) / 2, 0.25 / 2, (1 / 2) / 2, 0], rtol=1e-5)


def test_tifu_knn_adds_the_nearest_shopper(log: Interactions) -> None:
    found = scores_of("tifu-knn", log, 2, neighbours=1, own_weight=0.0, groups=1, within_decay=1.0)
    np.testing.assert_allclose(found, np.array([2, 1, 1, 0]) / 3, rtol=1e-5)


def test_user_knn_by_hand(log: Interactions) -> None:
    taste = np.log1p(log.counts.toarray())
    cosine = taste[1] @ taste[0] / np.linalg.norm(taste[0]) / np.linalg.norm(taste[1])
    np.testing.assert_allclose(scores_of("user-knn", log, 1, neighbours=1), cosine * taste[0], rtol=1e-5)


def test_item_knn_by_hand(log: Interactions) -> None:
    counts = log.counts.toarray()
    norm = np.linalg.norm(counts, axis=0)
    expected = counts[1] @ (counts.T @ counts / norm / norm[:, None])
    np.testing.assert_allclose(scores_of("item-knn", log, 1, neighbours=4), expected, rtol=1e-5)


def test_ease_by_hand(log: Interactions) -> None:
    bought = np.sign(log.counts.toarray()).astype(float)
    inverse = np.linalg.inv(bought.T @ bought + 2 * np.eye(4))
    weights = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0)
    np.testing.assert_allclose(scores_of("ease", log, 0, regularization=2), bought[0] @ weights, rtol=1e-4)


def test_ease_leaves_rare_items_at_zero(log: Interactions) -> None:
    found = scores_of("ease", log, 0, regularization=2, max_items=3)
    assert found[3] == 0 and found[0] != 0


def test_rules_by_hand(log: Interactions) -> None:
    # Visits with both: {0, 1} once, {0, 2} once; item 0 is in three visits, 2 in two.
    found = scores_of("rules", log, 1, min_support=1, shrinkage=1)
    np.testing.assert_allclose(found, [1 / 3, 1 / 4, 1 / 4, 0], rtol=1e-5)


def test_markov_by_hand(log: Interactions) -> None:
    # 0 -> 0 and 1 -> 0 once, 0 -> 2 once, 1 -> 3 once; 0 starts twice, 1 twice, 2 never.
    found = scores_of("markov", log, 1, shrinkage=0.5, recency=1)
    np.testing.assert_allclose(found, [1 / 2.5, 0, 1 / 2.5, 0], rtol=1e-5)


def test_frequency_is_that_of_the_user_models(dataset) -> None:
    weeks = dataset.split.train_weeks
    log_share, _ = PersonalFrequency.fit(dataset, weeks).averages.shares(
        line_counts(dataset, weeks).toarray()
    )
    found = make_recommender("frequency").fit(Interactions.from_dataset(dataset, weeks))
    warm = np.flatnonzero(found.log.n_visits)
    np.testing.assert_allclose(found.score(warm), np.exp(log_share[warm]), rtol=1e-4)


def test_frequency_without_weights_counts(log: Interactions) -> None:
    found = scores_of("frequency", log, 0, category_weight=0, item_weight=0)
    np.testing.assert_array_equal(found, [2, 1, 1, 0])


def test_frequency_names_weights_that_divide_by_nothing() -> None:
    with pytest.raises(UserError, match="item_weight must be above 0"):
        make_recommender("frequency", item_weight=0.0)


def test_als_tells_two_groups_of_shoppers_apart() -> None:
    baskets = [[[0, 1], [1, 2]]] * 5 + [[[3, 4], [4, 5]]] * 5 + [[[0, 2]]]
    found = scores_of("als", Interactions.from_baskets(baskets, 6), 10, factors=4)
    assert found[:3].min() > found[3:].max()


def test_bpr_does_not_lose_popularity_where_tastes_are_alike() -> None:
    rng = np.random.default_rng(0)
    chance = np.linspace(0.02, 0.3, 30)
    baskets = [[list(np.flatnonzero(rng.random(30) < chance))] for _ in range(300)]
    log = Interactions.from_baskets(baskets, 30)  # type: ignore[arg-type]
    scores = make_recommender("bpr", factors=4).fit(log).score(np.arange(300))
    assert np.corrcoef(scores.mean(0), np.log(log.popularity + 1))[0, 1] > 0.9


def test_content_fuses_sources() -> None:
    image = np.array([[1, 0], [1, 0.1], [0, 1], [0, 1]], dtype=np.float32)
    content = Content({"category": np.array([0, 1, 1, 0])}, None, {"image": image})
    log = Interactions.from_baskets([[[0]]], 4, content)
    by_kind = scores_of("content", log, 0, sources=("attributes",))
    by_image = scores_of("content", log, 0, sources=("image",))
    both = scores_of(
        "content", log, 0, sources=("attributes", "image"), weights=(1.0, 3.0), popularity_weight=0.0
    )
    assert by_kind[3] > by_kind[1] and by_image[1] > by_image[3] and both[1] > both[3]
    assert both[0] == pytest.approx(1)


def test_content_reads_all_that_it_is_given_and_vectors_count_double() -> None:
    image = np.array([[1, 0], [1, 0.1], [0, 1], [0, 1]], dtype=np.float32)
    content = Content({"category": np.array([0, 1, 1, 0])}, None, {"image": image})
    log = Interactions.from_baskets([[[0]]], 4, content)
    stated = scores_of("content", log, 0, sources=("attributes", "image"), weights=(1.0, 2.0))
    np.testing.assert_array_equal(scores_of("content", log, 0), stated)


def test_what_all_items_share_makes_none_alike() -> None:
    own = np.random.default_rng(0).normal(size=(30, 8)).astype(np.float32)
    np.testing.assert_allclose(standardised(own + 50), standardised(own), atol=1e-4)
    assert not standardised(np.full((5, 8), 0.3, np.float32)).any()
    gap = np.where(np.arange(30)[:, None] == 4, 0, own)
    assert not standardised(gap)[4].any()
    np.testing.assert_allclose(np.linalg.norm(np.delete(standardised(gap), 4, 0), axis=1), 1, rtol=1e-5)


def test_an_item_without_a_vector_is_told_by_its_attributes() -> None:
    image = np.array([[1, 0], [0, 0], [0, 0], [0, 1]], dtype=np.float32)
    content = Content({"category": np.array([0, 0, 1, 1])}, None, {"image": image})
    scores = scores_of("content", Interactions.from_baskets([[[0]]], 4, content), 0, popularity_weight=0.0)
    assert scores[0] > scores[1] > 0 > scores[2]


def test_given_vectors_called_text_stand_for_sentences() -> None:
    text = np.array([[1, 0], [1, 0.1], [0, 1]], dtype=np.float32)
    log = Interactions.from_baskets([[[0]]], 3, Content({}, np.array(["a", "b", "c"]), {"text": text}))
    scores = scores_of("content-text", log, 0, popularity_weight=0.0)
    assert scores[1] > 0 > scores[2]
    check_installed("content-text", {"text"})


def test_content_refuses_vectors_of_other_items() -> None:
    log = Interactions.from_baskets([[[0]]], 4, Content(vectors={"image": np.ones((3, 2))}))
    with pytest.raises(UserError, match=r"image \(3, 2\); must be \(4, E\)"):
        make_recommender("content", sources=("image",)).fit(log)


def test_content_names_the_source_that_is_missing(log: Interactions) -> None:
    with pytest.raises(UserError, match="no 'attributes'; they have none"):
        make_recommender("content").fit(log)


def test_blend_gives_the_good_member_the_weight() -> None:
    rng = np.random.default_rng(0)
    good = rng.normal(size=(50, 30)).astype(np.float32)
    bad = rng.normal(size=(50, 30)).astype(np.float32)
    wanted = (good > 1.2).astype(float)
    found = tune_weights(np.stack([bad, good]), wanted, wanted.sum(1).astype(int))
    np.testing.assert_array_equal(found, [0, 1])


def test_weights_rank_no_padding_and_judge_by_the_whole_truth() -> None:
    wanted = np.array([[1.0, 0.0, 0.0]])
    parts = np.array([[[1.0, 2.0, -np.inf]], [[2.0, 1.0, -np.inf]]])
    np.testing.assert_array_equal(tune_weights(parts, wanted, np.array([5])), [0, 1])


def test_ranker_learns_to_follow_habits() -> None:
    # Everyone alternates between two items of his own; what is overdue comes next.
    baskets = [[[s % 10], [10 + s % 7]] * 3 for s in range(60)]
    log = Interactions.from_baskets(baskets, 20)
    model = make_recommender("ranker", candidates=5, hidden=16, epochs=30).fit(log)
    ids, _ = model.recommend(np.arange(60), 1)
    assert (ids[:, 0] == np.arange(60) % 10).mean() > 0.9


@pytest.mark.parametrize("name", ["ranker", "blend"])
def test_ensembles_need_a_visit_to_hide(name: str) -> None:
    with pytest.raises(UserError, match="no shopper has two visits"):
        make_recommender(name).fit(Interactions.from_baskets([[[0]], [[1]]], 3))


def test_pair_features_by_hand(log: Interactions) -> None:
    found = dict(zip(PAIR_FEATURES, PairFeatures(log)(np.array([0]), np.array([0]))[0], strict=True))
    expected = {
        "visits": np.log(3), "share": 2 / 3, "in_last_visit": 0, "visits_since_last": np.log(3),
        "visits_since_first": np.log(4), "overdue": np.log1p(2 / 1.5), "popularity": np.log(4),
        "recent_popularity": np.log(3), "repeat_rate": 1.5 / 8, "shopper_visits": np.log(4),
        "basket_size": np.log1p(4 / 3), "new_share": 3 / 4, "decayed_share": (0.8 + 0.64) / (1 + 0.8 + 0.64),
    }  # fmt: skip
    assert found == pytest.approx(expected, rel=1e-5)


def test_histories_end_before_the_visit(log: Interactions) -> None:
    found = histories_before(log, np.array([2, 0, 5]), length=2)
    np.testing.assert_array_equal(found.items, [[1, 0], [4, 4], [4, 1]])
    np.testing.assert_array_equal(found.ago, [[2, 1], [0, 0], [0, 1]])
    whole = histories_of(log, np.array([0, 1]), length=3)
    np.testing.assert_array_equal(whole.items, [[1, 0, 2], [4, 0, 2]])
    np.testing.assert_array_equal(whole.ago, [[3, 2, 1], [0, 1, 1]])


def test_one_visit_of_each_shopper_is_drawn() -> None:
    log = small_log()
    drawn = one_visit_each(np.arange(len(log.visit_shopper)), log.visit_shopper, np.random.default_rng(0))
    assert sorted(log.visit_shopper[drawn]) == sorted(set(log.visit_shopper))


@pytest.mark.parametrize("name", ["gru", "sasrec", "bert4rec", "caser", "lstm"])
def test_networks_learn_what_follows_what(name: str) -> None:
    # Item i is followed by i + 1, round and round from a start of each shopper's own.
    baskets = [[[(s + v) % 8] for v in range(6)] for s in range(64)]
    log = Interactions.from_baskets(baskets, 8)
    model = make_recommender(name, size=16, length=4, epochs=40, learning_rate=1e-2, dropout=0.0).fit(log)
    ids, _ = model.recommend(np.arange(8), 1)
    np.testing.assert_array_equal(ids[:, 0], (np.arange(8) + 6) % 8)


@pytest.mark.parametrize("name", ["dmf", "lightgcn", "gat", "gae"])
def test_networks_tell_two_groups_of_shoppers_apart(name: str) -> None:
    rng = np.random.default_rng(0)
    baskets = [[list(4 * (s % 2) + rng.permutation(4)[:2]) for _ in range(3)] for s in range(40)]
    log = Interactions.from_baskets(baskets, 8)
    model = make_recommender(name, size=16, epochs=40, batch=16, learning_rate=1e-2).fit(log)
    own = model.score(np.arange(40)).reshape(40, 2, 4).mean(2)
    assert (own.argmax(1) == np.arange(40) % 2).all()
