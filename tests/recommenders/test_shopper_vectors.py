"""Vectors of shoppers hang on their own purchases before a day, and on nothing else."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from bundlegym.errors import UserError
from bundlegym.recommenders import Interactions, ShopperVectors, make_recommender
from bundlegym.recommenders.shopper_tables import Purchases
from bundlegym.recommenders.testing import COLD, small_log

#: One of each kind: factors solved for and mapped to, graphs of shoppers and of items, a recurrent network.
SMALL = {
    "als": {"factors": 8},
    "bpr": {"factors": 8, "iterations": 5},
    "lightgcn": {"size": 8, "epochs": 3},
    "gae": {"size": 8, "epochs": 3},
    "gat": {"size": 8, "epochs": 3},
    "gru": {"size": 8, "length": 10, "epochs": 2},
}
WIDTH = 4


@pytest.fixture(scope="module")
def log() -> Interactions:
    return small_log()


@pytest.fixture(scope="module", params=SMALL)
def rule(request: pytest.FixtureRequest, log: Interactions) -> ShopperVectors:
    return ShopperVectors.of(make_recommender(request.param, **SMALL[request.param]).fit(log), WIDTH)


def bought(log: Interactions) -> Purchases:
    return Purchases(log.shopper, log.visit, log.item, log.day)


def of_all(rule: ShopperVectors, log: Interactions) -> np.ndarray:
    return rule.as_of(bought(log), log.n_shoppers, int(log.day.max()) + 1)


def test_they_tell_shoppers_apart_and_who_bought_nothing_is_the_mean(rule, log):
    vectors = of_all(rule, log)
    assert vectors.shape == (log.n_shoppers, WIDTH) and vectors.dtype == np.float32
    assert not vectors[COLD].any()
    known = ~log.held_out & (log.n_visits > 0)
    np.testing.assert_allclose(vectors[known].mean(0), 0, atol=1e-4)
    assert vectors[known].std() == pytest.approx(1, abs=1e-3)
    assert len(np.unique(vectors[known].round(4), axis=0)) == known.sum()


def test_nothing_is_learned_from_held_out_shoppers(rule, log):
    name = rule.model.name
    without = ShopperVectors.of(make_recommender(name, **SMALL[name]).fit(log.training()), WIDTH)
    np.testing.assert_allclose(of_all(without, log), of_all(rule, log), atol=2e-3)


def test_later_purchases_do_not_show(rule, log):
    day = int(np.quantile(log.day, 0.6))
    before = log.where(log.day < day)
    now = rule.as_of(bought(log), log.n_shoppers, day)
    np.testing.assert_allclose(now, rule.as_of(bought(before), log.n_shoppers, day), atol=1e-5)
    assert np.abs(now - of_all(rule, log)).max() > 0.01


def test_the_same_purchases_give_the_same_vector_whoever_made_them(rule, log):
    """A shopper that the model was fitted on, alone, and as a stranger behind a held-out one."""
    fitted, held_out = int(np.flatnonzero(~log.held_out)[0]), int(np.flatnonzero(log.held_out)[0])
    own, other = log.where(log.shopper == fitted), log.where(log.shopper == held_out)
    day = int(log.day.max()) + 1
    alone = rule.as_of(dataclasses.replace(bought(own), shopper=np.zeros_like(own.shopper)), 1, day)
    both = Purchases(
        np.r_[np.zeros_like(other.shopper), np.ones_like(own.shopper)],
        *(np.concatenate(pair) for pair in zip(
            (other.visit, other.item, other.day), (own.visit, own.item, own.day), strict=True
        )),
    )  # fmt: skip
    vectors = of_all(rule, log)
    np.testing.assert_allclose(alone[0], vectors[fitted], atol=1e-4)
    np.testing.assert_allclose(rule.as_of(both, 2, day), vectors[[held_out, fitted]], atol=1e-4)


def test_items_that_came_later_count_for_nothing(log):
    early = dataclasses.replace(log.where(log.item < 50), n_items=50, content=type(log.content)())
    rule = ShopperVectors.of(make_recommender("als", factors=8).fit(early), WIDTH)
    np.testing.assert_allclose(of_all(rule, log), of_all(rule, early), atol=1e-5)


def test_a_recommender_without_vectors_is_named_beside_those_that_have_them(log):
    with pytest.raises(UserError, match="'popularity' has no vectors of shoppers; als, bpr, .*lightgcn"):
        ShopperVectors.of(make_recommender("popularity").fit(log), WIDTH)
