"""Rivals that need more than a feature: a greedy bundle over a recommender, hindsight."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch

from bundlegym.agents.heuristics import fill_by, offer_nothing, recommended_score
from bundlegym.agents.hindsight import Hindsight, margins
from bundlegym.envs import BundleCore, EnvConfig, build_market, recommended
from bundlegym.recommenders import Interactions, item_vectors, make_recommender


def first_visit_gain(core: BundleCore, policy) -> torch.Tensor:
    """(N,) incremental margin of each slot's first visit."""
    gain = torch.zeros(core.n)
    waiting = torch.ones(core.n, dtype=torch.bool)
    while bool(waiting.any()):
        result = core.step(torch.where(waiting, policy(core), -1))
        if result.record is not None:
            gain[result.record.slot] = result.record.incremental_margin
            waiting[result.record.slot] = False
    return gain


def test_a_greedy_bundle_holds_the_recommenders_best_candidates(make_core, dataset):
    log = Interactions.from_dataset(dataset, dataset.split.train_weeks)
    model = make_recommender("item-knn").fit(log)
    core = make_core(n=8)
    policy, score = fill_by(recommended_score(model), 1), model.score(core.records.shopper.numpy())
    known = np.take_along_axis(score, core.candidates.numpy(), 1)
    best = np.sort(known, 1)[:, ::-1][:, :4]
    for _ in range(4):
        core.step(policy(core))
    picked = np.take_along_axis(score, core.picks.numpy(), 1)
    assert np.allclose(picked, best)
    assert core.step(policy(core)).record.offer.discount.unique().tolist() == [core.discounts[1]]


def test_hindsight_knows_what_an_offer_will_bring(make_core):
    core = make_core(n=48)
    expected = margins(core, core.rows, torch.full((48, 1, 4), -1), 0.0)[:, 0]
    gain = first_visit_gain(core, Hindsight())
    assert (gain > -1e-4).all() and (gain > 0).any()  # it never loses at the visit that it looks at
    assert torch.isfinite(expected).all()
    other = first_visit_gain(make_core(n=48), fill_by(lambda core: core.features[:, :, 0], 2))
    assert gain.sum() > other.sum()


def test_hindsight_counts_the_costs_of_the_week(dataset, user_model, market):
    """With costs by week what it foretells of an offer is what the visit earns."""
    rising = market.unit_cost * torch.linspace(0.2, 3, len(market.unit_cost))[:, None]
    core = BundleCore(
        dataclasses.replace(market, unit_cost=rising), user_model, EnvConfig(min_size=1), n=48,
        shoppers=np.arange(dataset.n_shoppers), weeks=(0, dataset.n_weeks),
    )  # fmt: skip
    core.reset()
    items = torch.full((48, 1, 4), -1)
    items[:, 0, 0] = core.candidates[:, 0]
    expected = margins(core, core.rows, items, core.config.discounts[2])[:, 0]
    core.step(core.rows * 0)
    record = core.step(core.rows * 0 + core.k + 2).record
    torch.testing.assert_close(record.margin, expected)
    assert len((record.day // 7).unique()) > 3


def test_what_hindsight_asks_changes_nothing(make_core):
    core, untouched = make_core(n=8), make_core(n=8)
    Hindsight()(core)
    for one in (core, untouched):
        one.step(offer_nothing(one))
    assert all(torch.equal(core.state[name], value) for name, value in untouched.state.items())


def test_candidates_and_embeddings_come_from_a_recommender(dataset, user_model):
    log = Interactions.from_dataset(dataset, dataset.split.train_weeks)
    model = make_recommender("als").fit(log)
    vectors = item_vectors(model, 8)
    market = build_market(dataset, candidates=recommended(model, 40), embeddings=vectors)
    core = BundleCore(
        market, user_model, EnvConfig(n_candidates=16), n=6, shoppers=np.arange(dataset.n_shoppers),
        weeks=dataset.split.train_weeks,
    )  # fmt: skip
    core.reset()
    best, _ = model.recommend(core.records.shopper.numpy(), 40)
    for mine, candidates in zip(best, core.candidates.numpy(), strict=True):
        assert set(candidates) <= set(mine) and mine[0] in candidates
    assert np.allclose(core.features[:, :, -8:].numpy(), vectors[core.candidates.numpy()], atol=1e-5)
