"""Rankers of bundles keep the contract of recommenders on a log whose items are bundles."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from scipy import sparse

from bundlegym.errors import UserError
from bundlegym.recommenders import Interactions
from bundlegym.recommenders.bundles.blend import BundleBlend
from bundlegym.recommenders.bundles.content import BundleContent
from bundlegym.recommenders.bundles.ease import BundleEASE
from bundlegym.recommenders.bundles.log import BundleLog
from bundlegym.recommenders.bundles.multi_view_graph import BundleViews, make_graphs
from bundlegym.recommenders.testing import RecommenderContract, small_log


def with_random_parts(log: Interactions, n_parts: int = 30) -> BundleLog:
    rng = np.random.default_rng(0)
    tables = (
        sparse.csr_matrix((rng.random((rows, n_parts)) < 0.15).astype(np.float32))
        for rows in (log.n_shoppers, log.n_items)
    )
    return BundleLog.of(log, *tables)


class BundleContract(RecommenderContract):
    grows = False  # bundles are of the items and shoppers that there are

    @pytest.fixture(scope="class")
    def log(self) -> BundleLog:
        return with_random_parts(small_log())


SMALL: dict[str, Any] = {"size": 8, "epochs": 3, "batch": 16}


class TestBundleViews(BundleContract):
    def make(self) -> BundleViews:
        return BundleViews(**SMALL)


class TestBundleEASE(BundleContract):
    def make(self) -> BundleEASE:
        return BundleEASE(regularization=10.0, part_weight=5.0)


class TestBundleContent(BundleContract):
    def make(self) -> BundleContent:
        return BundleContent()


class TestBundleBlend(BundleContract):
    def make(self) -> BundleBlend:
        members = (("bundle-ease", {"regularization": 10.0}), ("bundle-views", SMALL))
        return BundleBlend(members=members, weights=(0.5, 1.0))


@pytest.fixture(scope="module")
def two_tastes() -> BundleLog:
    """Bundles 0-9 consist of parts 0-19, bundles 10-19 of parts 20-39; shoppers buy from one half only.

    Nobody bought bundles 9 and 19.
    """
    rng = np.random.default_rng(1)
    pairs, singles = [], []
    for shopper in range(40):
        half = shopper % 2
        pairs += [(shopper, 10 * half + b) for b in rng.permutation(9)[:4]]
        singles += [(shopper, 20 * half + p) for p in rng.permutation(20)[:6]]
    parts = [(b, 20 * (b // 10) + p) for b in range(20) for p in rng.permutation(20)[:8]]
    return BundleLog.from_tables(
        np.array(pairs), np.array(singles), np.array(parts), n_shoppers=40, n_bundles=20, n_parts=40
    )


def test_bundles_that_nobody_bought_are_ranked_by_their_parts(two_tastes: BundleLog) -> None:
    model = BundleViews(size=16, epochs=20, batch=20).fit(two_tastes)
    vectors = model.shopper_embeddings @ model.item_embeddings.T
    of_half = np.arange(40) % 2 == 0
    own, other = np.where(of_half, vectors[:, [9, 19]].T, vectors[:, [19, 9]].T)
    assert (own - other).mean() > 0.1


def test_gradients_pass_through_the_graphs(two_tastes: BundleLog) -> None:
    """The way back through a sparse product is that of the dense one."""
    graphs = make_graphs(two_tastes)
    model = BundleViews(size=4)
    torch.manual_seed(0)
    tables = [torch.randn(n, 4) * 0.1 for n in (40, 20, 40)]
    for table in tables:
        table.requires_grad_()
    u, v = model._vectors(graphs, tables)
    (u[:5] @ v.T).square().sum().backward()
    step = 1e-3
    for table in tables:
        where = (3, 1)
        ends = []
        for sign in (1, -1):
            moved = [t.detach().clone() for t in tables]
            moved[[t is table for t in tables].index(True)][where] += sign * step
            u, v = model._vectors(graphs, moved)
            ends.append((u[:5] @ v.T).square().sum().item())
        assert table.grad[where].item() == pytest.approx((ends[0] - ends[1]) / (2 * step), rel=0.05, abs=2e-3)


def test_a_log_without_parts_is_refused(two_tastes: BundleLog) -> None:
    with pytest.raises(UserError, match="BundleLog"):
        BundleViews(epochs=1).fit(small_log())


def test_codes_outside_the_tables_are_named() -> None:
    pair = np.array([[0, 0]])
    with pytest.raises(UserError, match="part codes run from 3 to 3; must be 0..1"):
        BundleLog.from_tables(pair, np.array([[0, 3]]), pair, n_shoppers=1, n_bundles=1, n_parts=2)


def test_held_out_shoppers_give_nothing() -> None:
    log = with_random_parts(small_log())
    training = log.training()
    assert not training.singles[log.held_out].nnz and training.singles[~log.held_out].nnz
    assert not make_graphs(log).singles.give.to_dense()[:, torch.from_numpy(log.held_out)].any()
    assert make_graphs(log).singles.take.to_dense()[torch.from_numpy(log.held_out)].any()


def test_blends_of_different_seeds_share_no_fit() -> None:
    seeds = [[member.parameters.get("seed") for member in BundleBlend(seed=seed)._make()] for seed in (0, 1)]
    assert seeds == [[None, None, 2, 3, 4], [None, None, 7, 8, 9]]


def test_content_is_the_cosine_of_single_parts_and_a_bundles() -> None:
    parts = np.array([(0, 0), (0, 1), (1, 1), (1, 2), (1, 3), (1, 4), (2, 5)])
    log = BundleLog.from_tables(
        np.array([(0, 2)]), np.array([(0, 0), (0, 1)]), parts, n_shoppers=1, n_bundles=3, n_parts=6
    )
    scores = BundleContent().fit(log).score(np.array([0]))[0]
    np.testing.assert_allclose(scores, [2 / np.sqrt(2 * 2), 1 / np.sqrt(2 * 4), 0.0], rtol=1e-6)


def test_linear_weights_solve_the_ridge_problem(two_tastes: BundleLog) -> None:
    """Each column minimises |X b - x_j|^2 + w |Y'b - y_j|^2 + l |b|^2 with b_j = 0, solved here by itself."""
    model = BundleEASE(regularization=7.0, part_weight=3.0, power=0.0).fit(two_tastes)
    x = two_tastes.counts.sign().toarray()
    parts = two_tastes.parts.toarray()
    y = parts / np.sqrt(np.outer(np.maximum(parts.sum(1), 1), np.maximum(parts.sum(0), 1)))
    stacked = np.concatenate([x, np.sqrt(3.0) * y.T])
    others = np.arange(20) != 4
    a, target = stacked[:, others], stacked[:, 4]
    solved = np.linalg.solve(a.T @ a + 7.0 * np.eye(19), a.T @ target)
    np.testing.assert_allclose(model.weights[others, 4], solved, atol=1e-4)
    assert model.weights[4, 4] == 0.0


def test_links_say_which_bundles_go_together() -> None:
    """Everybody buys bundles 2 c and 2 c + 1 together; vectors of size 1 cannot say so of 12 pairs."""
    rng = np.random.default_rng(2)
    chosen = [(s, c) for s in range(80) for c in rng.permutation(12)[:3]]
    pairs = np.array([(s, 2 * c + side) for s, c in chosen for side in (0, 1)])
    none = np.zeros((0, 2), dtype=np.int64)
    log = BundleLog.from_tables(pairs, none, none, n_shoppers=80, n_bundles=24, n_parts=1)
    links = BundleViews(size=1, epochs=10, batch=40, link_rate=0.03).fit(log).links
    even = np.arange(0, 24, 2)
    partners = links[even, even + 1].mean()
    others = (links[even].sum() - links[even, even + 1].sum()) / (12 * 22)
    assert partners > others + 0.1
    assert not np.diag(links).any()
    assert not BundleViews(size=1, epochs=2, link_rate=0.0).fit(log).links.any()
