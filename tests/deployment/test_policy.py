"""Agents and the planner outside the simulator: for shoppers of the log, and for those it does not know."""

from __future__ import annotations

import shutil

import numpy as np
import pandas as pd
import pytest
import torch

import bundlegym
from bundlegym.agents.planner import Planner
from bundlegym.data import DataConfig
from bundlegym.deployment.at_door import states_at_door
from bundlegym.deployment.limits import Limits
from bundlegym.deployment.picking import pick
from bundlegym.deployment.policy import BundlePolicy
from bundlegym.envs import EnvConfig
from bundlegym.errors import UserError
from bundlegym.evaluation.config import TrainConfig
from bundlegym.evaluation.experiment import Experiment
from bundlegym.recommenders.shopper_tables import Purchases


def history_of(policy: BundlePolicy, shopper: int) -> pd.DataFrame:
    """What a shopper of the log bought, as a table of a shop's own."""
    dataset = policy.dataset
    visit = dataset.purchases["visit"].to_numpy()
    mine = dataset.visits["shopper"].to_numpy()[visit] == shopper
    day = pd.to_timedelta(dataset.visits["day"].to_numpy()[visit[mine]], "D")
    item = dataset.items["item"].to_numpy()[dataset.purchases["item"].to_numpy()[mine]]
    return pd.DataFrame({"item": item, "time": dataset.start + day, "basket": visit[mine]})


def name_of(policy: BundlePolicy, shopper: int) -> str:
    return str(policy.dataset.shoppers["shopper"].iloc[shopper])


def test_tables_as_of_the_training_weeks_are_the_markets_own(dataset, market):
    weeks = dataset.split.train_weeks
    tables, last = market.rule.as_of(Purchases.of(dataset), dataset.n_shoppers, 7 * weeks[1])
    for name, value in vars(tables).items():
        np.testing.assert_allclose(value, getattr(market, name).numpy(), rtol=1e-6, err_msg=name)
    everybody = torch.arange(dataset.n_shoppers)
    known = market.last_bought(everybody, torch.full_like(everybody, 7 * weeks[1]))
    np.testing.assert_array_equal(last, known.numpy())


def test_tables_hold_nothing_of_the_day_itself_or_later(dataset, market):
    every, n = Purchases.of(dataset), dataset.n_shoppers
    tables, last = market.rule.as_of(every, n, 60)
    before, last_before = market.rule.as_of(every.where(every.day < 60), n, 60)
    for name, value in vars(tables).items():
        np.testing.assert_array_equal(value, getattr(before, name))
    np.testing.assert_array_equal(last, last_before)


@pytest.mark.parametrize("name", ["ppo", "dqn", "a2c", "q-learning", "planner"])
def test_all_policies_of_a_run_make_offers(name, run, cache):
    policy = BundlePolicy.load(run, name, exposure=1.0, cache_dir=cache)
    answers = [policy.recommend(name_of(policy, shopper)) for shopper in range(12)]
    offers = [offer for answer in answers for offer in answer.offers]
    assert offers and all(2 <= len(offer.items) <= 4 for offer in offers)
    assert all(offer.discount in policy.config.discounts for offer in offers)
    assert answers == [policy.recommend(name_of(policy, shopper)) for shopper in range(12)]


def test_a_stranger_with_the_purchases_of_a_shopper_is_told_the_same(ppo):
    for shopper in range(6):
        name = name_of(ppo, shopper)
        assert (
            ppo.recommend(history_of(ppo, shopper), name=name, k=2).offers == ppo.recommend(name, k=2).offers
        )


def test_an_agent_that_sees_forecasts_answers_too(forecasting, cache):
    policy = BundlePolicy.load(forecasting, cache_dir=cache)
    some, stranger = policy.recommend(name_of(policy, 3)), policy.recommend(pd.DataFrame())
    assert some == policy.recommend(name_of(policy, 3)) and stranger.unknown_items == ()
    assert any(policy.recommend(name_of(policy, shopper)).offers for shopper in range(8))


@pytest.mark.parametrize("policy", ["ppo", "planner"])
def test_who_bought_nothing_yet_is_answered_and_what_is_unknown_is_named(policy, request):
    policy = request.getfixturevalue(policy)
    assert policy.recommend(pd.DataFrame()).unknown_items == ()
    some = pd.DataFrame({"item": ["no such thing", "1", "no such thing"], "time": ["2024-03-01"] * 3})
    assert policy.recommend(some).unknown_items == ("no such thing",)


def test_offers_of_one_answer_share_no_item_and_keep_what_is_excluded_out(ppo):
    name = next(n for n in (name_of(ppo, s) for s in range(20)) if len(ppo.recommend(n, k=3).offers) > 1)
    first = [item.item for offer in ppo.recommend(name, k=3).offers for item in offer.items]
    assert len(first) == len(set(first))
    then = [i.item for o in ppo.recommend(name, k=3, exclude_items=first[:3]).offers for i in o.items]
    assert then and not set(then) & set(first[:3])


def test_answers_hang_on_no_neighbour(ppo):
    asked, nothing = ppo.ledger.ask(), ppo.ledger.excluded()
    every, some = ppo.open(asked, 80, nothing), np.array([17, 3])
    alone = ppo.open(asked.of(some), 80, nothing)
    np.testing.assert_array_equal(every.candidates[some], alone.candidates)
    both = [pick(visits, Limits()).items for visits in (every, alone)]
    np.testing.assert_array_equal(both[0][some], both[1])


def test_a_state_at_the_door_is_that_of_a_real_visit_there(ppo):
    visits = ppo.dataset.visits
    day = int(visits["day"].max()) - 10
    rows = np.flatnonzero((visits["day"] == day) & ~visits.duplicated(["shopper", "day"]))
    real = ppo.user_model.at_visits(ppo.dataset, rows)
    made = states_at_door(ppo.user_model, ppo.dataset, visits["shopper"].to_numpy()[rows], day)
    assert len(rows) > 3
    for name, value in real.items():
        torch.testing.assert_close(made[name], value, msg=name)


def test_no_item_is_sold_below_cost_and_no_offer_earns_too_little(ppo):
    price, cost = ppo.ledger.prices(90)

    def earned(limits: Limits) -> np.ndarray:
        """(N, K) by item of the offers that are made."""
        picked = pick(ppo.open(ppo.ledger.ask(), 90, limits.never(price, cost)), limits)
        items = picked.items[picked.made]
        off = 1 - np.array(ppo.config.discounts)[picked.level[picked.made]][:, None]
        return (off * price[items] - cost[items]) * (items >= 0)

    least = float(np.median(earned(Limits()).sum(1)))
    found = earned(Limits(least_margin=least))
    assert len(found) and (found > -1e-5).all() and (found.sum(1) > least - 1e-4).all()


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"history": "nobody"}, "shopper nobody"),
        ({"history": pd.DataFrame({"item": ["1"]})}, "no column time"),
        ({"history": pd.DataFrame({"item": ["1"], "time": ["soon"]})}, "a time cannot be read"),
        ({"history": pd.DataFrame({"item": ["1"], "time": [17]})}, "time holds numbers"),
        ({"history": pd.DataFrame(), "exclude_items": ["x"]}, "item x"),
        ({"history": pd.DataFrame(), "day": "1999-01-01"}, "before the log"),
        ({"history": pd.DataFrame(), "k": 0}, "k 0"),
    ],
)
def test_mistakes_are_named(ppo, asked, words):
    with pytest.raises(UserError, match=words):
        ppo.recommend(**asked)


@pytest.mark.parametrize("options", [{"policy": "sarsa"}, {"exposure": 0.3}, {"agent_seed": 9}])
def test_a_run_says_what_it_has(options, run, cache):
    with pytest.raises(UserError, match=str(next(iter(options.values())))):
        BundlePolicy.load(run, cache_dir=cache, **options)


def test_the_few_names_are_loaded_when_asked_for():
    assert bundlegym.BundlePolicy is BundlePolicy
    assert all(getattr(bundlegym, name) for name in bundlegym.__all__)
    with pytest.raises(AttributeError):
        bundlegym.no_such_name  # noqa: B018


def test_candidates_of_a_recommender_come_from_the_purchases_before_the_day(run, cache):
    runs = run.parent
    (runs / "recommended").mkdir()
    for file in run.glob("choice.*"):
        shutil.copy(file, runs / "recommended")
    config = TrainConfig(
        agents=("ppo",), candidates="item-knn", judges=(), offer_exposure=(1.0,), device="cpu",
        name="recommended", runs=runs, env=EnvConfig(),
        data=DataConfig(log="synthetic", min_purchases=10, cache_dir=cache),
    )  # fmt: skip
    experiment = Experiment(config)
    policy = BundlePolicy(experiment, "planner", Planner(experiment.user_models[1.0]), 1.0)
    weeks = experiment.dataset.split.train_weeks
    asked, nothing = policy.ledger.ask(["3", "8", "40"]), policy.ledger.excluded()
    visits = policy.open(asked, 7 * weeks[1], nothing)
    for code, candidates in zip(asked.code, visits.candidates, strict=True):
        assert set(candidates) <= set(experiment.market.shortlist[code].tolist())
    assert policy.recommend(history_of(policy, 8), name="8") == policy.recommend("8")
