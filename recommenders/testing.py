"""The contract of recommenders as a test: inherit `RecommenderContract` and say how to make yours.

class TestMine(RecommenderContract):
    def make(self):
        return Mine()
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from bundlegym.data import synthetic_dataset
from bundlegym.errors import UserError
from bundlegym.recommenders.base import Recommender
from bundlegym.recommenders.interactions import Content, Interactions

COLD = 7


def small_log() -> Interactions:
    """40 shoppers and 60 items over ten weeks; shopper `COLD` has bought nothing, some are held out."""
    dataset = synthetic_dataset(n_shoppers=40, n_items=60, n_weeks=10, min_purchases=1)
    log = Interactions.from_dataset(dataset, (0, dataset.n_weeks))
    held_out = log.held_out.copy()
    held_out[COLD] = False
    return dataclasses.replace(log.where(log.shopper != COLD), held_out=held_out)


class RecommenderContract:
    """What every recommender must do. `exact` says that new days give what a fresh fit would; `grows`, that
    new items and shoppers may come with them."""

    exact = True
    grows = True

    def make(self) -> Recommender:
        raise NotImplementedError("return an unfitted recommender, small enough for a test")

    @pytest.fixture(scope="class")
    def log(self) -> Interactions:
        return small_log()

    @pytest.fixture(scope="class")
    def model(self, log: Interactions) -> Recommender:
        return self.make().fit(log)

    @pytest.fixture(scope="class")
    def everyone(self, log: Interactions) -> np.ndarray:
        return np.arange(log.n_shoppers)

    def test_scores_are_finite_and_tell_items_apart(
        self, model: Recommender, log: Interactions, everyone: np.ndarray
    ) -> None:
        scores = model.score(everyone)
        assert scores.shape == (log.n_shoppers, log.n_items) and scores.dtype == np.float32
        assert np.isfinite(scores).all()
        assert (scores.std(axis=1) > 0).all()

    def test_scores_do_not_depend_on_who_else_is_asked_for(
        self, model: Recommender, everyone: np.ndarray
    ) -> None:
        some = everyone[[5, 2, COLD, 5]]
        np.testing.assert_allclose(model.score(some), model.score(everyone)[some], rtol=1e-4, atol=1e-5)

    def test_same_fit_gives_same_scores(
        self, model: Recommender, log: Interactions, everyone: np.ndarray
    ) -> None:
        np.testing.assert_allclose(
            self.make().fit(log).score(everyone), model.score(everyone), rtol=1e-4, atol=1e-5
        )

    def test_cold_shopper_gets_popularity(self, model: Recommender, log: Interactions) -> None:
        ids, _ = model.recommend(np.array([COLD]), 5)
        np.testing.assert_array_equal(ids[0], model.by_popularity[:5])

    def test_recommends_the_best_first(self, model: Recommender, everyone: np.ndarray) -> None:
        ids, best = model.recommend(everyone, 10)
        scores = model.score(everyone)
        assert (np.diff(best, axis=1) <= 0).all()
        np.testing.assert_allclose(best[:, -1], -np.partition(-scores, 9, axis=1)[:, 9], rtol=1e-4, atol=1e-5)
        assert all(len(set(row)) == 10 for row in ids)

    def test_can_leave_out_what_was_bought(
        self, model: Recommender, log: Interactions, everyone: np.ndarray
    ) -> None:
        ids, best = model.recommend(everyone, log.n_items, exclude_seen=True)
        seen = log.counts.toarray() > 0
        for shopper in everyone:
            n_unseen = int((~seen[shopper]).sum())
            assert set(ids[shopper, :n_unseen]) == set(np.flatnonzero(~seen[shopper]))
            assert (ids[shopper, n_unseen:] == -1).all() and np.isneginf(best[shopper, n_unseen:]).all()

    def test_learns_nothing_from_held_out_shoppers(
        self, model: Recommender, log: Interactions, everyone: np.ndarray
    ) -> None:
        without = self.make().fit(log.training())
        known = everyone[~log.held_out]
        np.testing.assert_allclose(without.score(known), model.score(known), rtol=1e-4, atol=1e-5)

    def test_held_out_shoppers_are_scored_by_their_own_rows(
        self, model: Recommender, log: Interactions
    ) -> None:
        held_out = np.flatnonzero(log.held_out)
        scores = model.score(held_out)
        if type(model).name != "popularity":
            assert np.ptp(scores, axis=0).max() > 0

    def test_strangers_are_known_by_what_they_bought(self, model: Recommender, log: Interactions) -> None:
        if not self.grows:
            pytest.skip("made for the items and shoppers that there are")
        held_out, theirs = np.flatnonzero(log.held_out), log.where(log.held_out[log.shopper])
        copies = Interactions.from_columns(
            theirs.shopper + log.n_shoppers, theirs.item, theirs.day, n_shoppers=2 * log.n_shoppers,
            n_items=log.n_items, visit=theirs.visit, quantity=theirs.quantity, content=log.content,
            held_out=np.r_[log.held_out, np.ones(log.n_shoppers, bool)],
        )  # fmt: skip
        more = model.over(log.join(copies))
        score = model.score(held_out)
        np.testing.assert_allclose(more.score(held_out), score, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(more.score(held_out + log.n_shoppers), score, rtol=1e-4, atol=1e-5)

    def test_saves_and_loads(self, model: Recommender, everyone: np.ndarray, tmp_path: Path) -> None:
        model.save(tmp_path)
        again = type(model).load(tmp_path)
        assert again.parameters == model.parameters
        np.testing.assert_allclose(again.score(everyone), model.score(everyone), rtol=1e-4, atol=1e-5)
        np.testing.assert_array_equal(again.log.counts.toarray(), model.log.counts.toarray())

    def test_takes_in_new_days(self, log: Interactions, everyone: np.ndarray) -> None:
        day = int(np.quantile(log.day, 0.8))
        early, late = log.where(log.day < day), log.where(log.day >= day)
        model = self.make().fit(early)
        before = model.score(everyone)
        after = model.partial_fit(late).score(everyone)
        assert np.abs(after - before).max() > 0
        if self.exact:
            np.testing.assert_allclose(after, self.make().fit(log).score(everyone), rtol=1e-4, atol=1e-5)

    def test_takes_in_new_items_and_shoppers(self, log: Interactions) -> None:
        if not self.grows:
            pytest.skip("made for the items and shoppers that there are")
        n_shoppers, n_items = log.n_shoppers - 4, log.n_items - 5
        known = log.where((log.shopper < n_shoppers) & (log.item < n_items))
        content = log.content
        attributes = {name: codes[:n_items] for name, codes in content.attributes.items()}
        text = None if content.text is None else content.text[:n_items]
        early = dataclasses.replace(
            known, n_shoppers=n_shoppers, n_items=n_items, held_out=log.held_out[:n_shoppers],
            content=Content(attributes, text),
        )  # fmt: skip
        late = log.where((log.shopper >= n_shoppers) | (log.item >= n_items))
        scores = self.make().fit(early).partial_fit(late).score(np.arange(log.n_shoppers))
        assert scores.shape == (log.n_shoppers, log.n_items) and np.isfinite(scores).all()

    def test_embeddings_have_a_row_each(self, model: Recommender, log: Interactions) -> None:
        items, shoppers = model.item_embeddings, model.shopper_embeddings
        for rows, embeddings in ((log.n_items, items), (log.n_shoppers, shoppers)):
            if embeddings is not None:
                assert embeddings.ndim == 2 and len(embeddings) == rows and embeddings.dtype == np.float32
                assert np.isfinite(embeddings).all() and embeddings.std() > 0
        if shoppers is not None:
            assert not shoppers[COLD].any()

    def test_wrong_codes_are_named(self, model: Recommender, log: Interactions) -> None:
        with pytest.raises(UserError, match="shopper codes"):
            model.score(np.array([log.n_shoppers]))
        with pytest.raises(UserError, match="k is 0"):
            model.recommend(np.array([0]), 0)
