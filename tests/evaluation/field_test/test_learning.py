"""What a simulated shop's offers teach is what was planted in it."""

from __future__ import annotations

import dataclasses
import json
import sys

import numpy as np
import pandas as pd
import pytest
import torch

from bundlegym.agents.heuristics import SCORES, fill_by, offer_nothing
from bundlegym.data.files import write_json
from bundlegym.errors import UserError
from bundlegym.evaluation.field_test import command
from bundlegym.evaluation.field_test.assumptions import estimate, moments
from bundlegym.evaluation.field_test.learn import as_text, learn
from bundlegym.evaluation.field_test.learned import learned_numbers
from bundlegym.evaluation.field_test.off_policy import nothing
from bundlegym.evaluation.field_test.offer_log import offer_log
from bundlegym.evaluation.field_test.outcomes import Visits
from bundlegym.evaluation.field_test.simulate import Randomised, simulate_offers
from bundlegym.user_models.base import Offer
from bundlegym.user_models.rng.counter import Draws

PLANTED = {"offer_exposure": 0.8, "bundle_pull": 0.5}
WEEKS = (19, 26)
POLICY = fill_by(SCORES["co_purchase"], 2)


@pytest.fixture(scope="module")
def shop(dataset, user_model, market):
    how = Randomised(control=0.2, held_back=0.4, explore=0.3)
    return simulate_offers(dataset, market, user_model.under(**PLANTED), POLICY, WEEKS, how=how)


@pytest.fixture(scope="module")
def log(shop):
    return offer_log(shop.offers, shop.dataset)


def test_a_simulated_shop_keeps_its_chances(shop):
    offers = shop.offers
    made, control = offers["items"] != "", offers["arm"] == "control"
    assert not made[control].any()
    arms = offers.groupby("shopper")["arm"].nunique()
    assert (arms == 1).all()
    # A propensity is a chance: of what was done, one over it has the mean of the number of things to do.
    assert ((~made) / offers["propensity"]).mean() == pytest.approx(1, abs=0.15)
    assert made[~control].mean() == pytest.approx(0.6, abs=0.05)
    assert set(offers["propensity"].round(4)) >= {0.52, round(0.48 * 0.7, 4), round(0.48 * 0.3 / 5, 4)}
    assert (shop.gain[~made] == 0).all() and shop.gain[made].any()
    held = offers["held_back"] != ""
    assert (held == ~made).all()


def test_the_same_seed_gives_the_same_shop(dataset, user_model, market, shop):
    how = Randomised(control=0.2, held_back=0.4, explore=0.3)
    few = np.arange(40)
    again = simulate_offers(
        dataset, market, user_model.under(**PLANTED), POLICY, WEEKS, how=how, shoppers=few
    )
    same = shop.offers[shop.offers["shopper"].isin(dataset.shoppers["shopper"][few])]
    columns = ["shopper", "time", "items", "discount", "propensity", "taken"]
    pd.testing.assert_frame_equal(
        again.offers[columns].reset_index(drop=True), same[columns].reset_index(drop=True)
    )


def test_purchases_and_log_agree(dataset, shop, log, user_model):
    made = shop.dataset
    late = made.visits["week"] >= WEEKS[0]
    assert late.sum() == len(shop.offers) and len(made.visits) - late.sum() == (
        (dataset.visits["week"] < WEEKS[0]).sum()
    )
    assert (made.visits["shopper"].diff().fillna(0) >= 0).all()
    lines = made.purchases.join(made.visits["week"], on="visit")
    assert (lines["week"] >= WEEKS[0]).sum() == len(shop.purchases)
    visits = Visits.of(made)
    assert log.margin.sum() == pytest.approx(visits.margin[visits.day >= WEEKS[0] * 7].sum())
    # Taken is what the visits say: all of the items are in the basket.
    found = moments(made, user_model, log, draws=2)
    assert (found.taken[found.made] == log.taken[log.made]).all()


def test_planted_numbers_are_learned(shop, log, user_model):
    found = estimate(moments(shop.dataset, user_model, log, draws=16))
    assert found["notes"] == []
    for name, planted in PLANTED.items():
        number = found[name]
        assert number["error"] < 0.4
        assert number["low"] <= planted <= number["high"], (name, number)
    for row in found["fit"]:
        assert row["taken"] == pytest.approx(row["taken_expected"], abs=0.15 + 1 / row["offers"])


def test_where_nothing_is_planted_nothing_is_learned(dataset, market, user_model):
    made = simulate_offers(dataset, market, user_model, POLICY, WEEKS, how=Randomised(held_back=0.4))
    found = estimate(moments(made.dataset, user_model, offer_log(made.offers, made.dataset), draws=16))
    for name in PLANTED:
        assert found[name]["low"] == 0 and found[name]["estimate"] < 0.3


def test_moments_are_those_of_the_visit_itself(shop, log, user_model):
    """What the estimation expects of a visit is what the model does there, luck by luck. What an offer sells
    may keep another item of it out of the basket; that is left out, so none has to do with another here."""
    exposure, pull = PLANTED.values()
    alone = user_model.params.changed(synergy=torch.zeros_like(user_model.params.complementarity.synergy))
    user_model = user_model.with_parameters(alone)
    found = moments(shop.dataset, user_model, log, draws=1)
    use = np.flatnonzero(found.made)[:200]
    made = np.flatnonzero(log.made & (log.visit >= 0))[:200]
    model = user_model.under(**PLANTED)
    rows = log.visit[made]
    state = model.at_visits(shop.dataset, rows)
    items, week = found.offer.items[use], state["day"] // 7
    # Nobody was shown anything in the two weeks before, or else wear-out differs between the two.
    luck = Draws(4_611_686_018_427_387, torch.as_tensor(rows), torch.as_tensor(rows * 0)).other(1)
    response, _ = model.respond(state, Offer(items, found.offer.discount[use]), luck)
    taken, bought = (part[use] for part in found.expected(exposure, pull))
    hit = (items[response.row] == response.item[:, None]).any(1).numpy()
    count = np.bincount(response.row.numpy()[hit], minlength=len(use))
    fresh = np.ones(len(use), dtype=bool)
    for place, one in enumerate(made):
        before = log.made & (log.shopper == log.shopper[one]) & (log.day < log.day[one])
        fresh[place] = not (before & (log.day // 7 >= int(week[place]) - 1)).any()
    assert fresh.sum() > 20
    assert ((response.choice == 2).numpy()[fresh] == taken[fresh]).all()
    assert (count[fresh] == bought[fresh]).all()


def test_what_cannot_be_known_is_said(shop, user_model):
    def told(drop: list[str]) -> tuple[dict, str]:
        log = offer_log(shop.offers.drop(columns=drop), shop.dataset)
        content = learn(shop.dataset, log, {"none": nothing(log)}, lambda weeks: user_model, draws=2)
        assert json.loads(json.dumps(content)) == content
        return content, as_text(content)

    content, text = told([])
    gain = content["gain"]["doubly_robust"]
    assert gain["low"] < shop.gain.mean() < gain["high"]
    assert content["policies"][0]["gain"]["doubly_robust"]["mean"] == 0
    assert "Measured gain by arms" in text
    content, text = told(["propensity", "held_back"])
    assert content["gain"] is None and content["arms"] is not None
    assert "without a propensity" in text and "no offer that was held back is known" in text
    content, _ = told(["propensity", "arm"])
    assert content["gain"] is None and content["arms"] is None


def test_an_offer_log_without_offers_teaches_no_numbers(dataset, market, user_model):
    made = simulate_offers(dataset, market, user_model, offer_nothing, WEEKS, how=Randomised(explore=0.0))
    log = offer_log(made.offers, made.dataset)
    assert (log.propensity == 1).all()
    content = learn(made.dataset, log, {}, lambda weeks: user_model, draws=2)
    assert content["offer_exposure"] is None and "no offer of known items" in content["notes"][0]
    with pytest.raises(UserError, match="is not in 0..1"):
        Randomised(explore=2.0)


def test_the_command_writes_what_training_takes(dataset, shop, tmp_path, monkeypatch, capsys, user_model):
    monkeypatch.setattr(command, "prepare", lambda data: shop.dataset)
    monkeypatch.setattr(command.ChoiceShopper, "fit", lambda *a, **k: user_model)
    offers, policy, figures = tmp_path / "offers.csv", tmp_path / "policy.csv", tmp_path / "learned.json"
    shop.offers.to_csv(offers, index=False)
    shop.offers[["offer_id", "items", "discount"]].to_csv(policy, index=False)
    named = ["--offers", str(offers), "--policy", f"same={policy}", "--json", str(figures)]
    monkeypatch.setattr(sys, "argv", ["learn-offers", *named, "--draws", "4", "--log", "synthetic"])
    command.learn_offers()
    assert "Policy same" in capsys.readouterr().out
    exposure, pull = learned_numbers(figures)
    assert exposure == pytest.approx(0.8, abs=0.5) and pull == pytest.approx(0.5, abs=0.5)
    monkeypatch.setattr(sys, "argv", ["x", "--offers", str(offers), "--policy", "same"])
    with pytest.raises(UserError, match="NAME=FILE"):
        command.learn_offers()


def test_training_takes_learned_numbers(tmp_path):
    from bundlegym.evaluation.cli import _with_offers
    from bundlegym.evaluation.config import TrainConfig, from_json, to_json

    path = tmp_path / "learned.json"
    write_json(path, {"offer_exposure": {"estimate": 0.43219}, "bundle_pull": {"estimate": 0.25}})
    config = _with_offers(TrainConfig(offers=path, name="r"))
    assert config.exposures == (0.4322,) and config.bundle_pull == 0.25
    assert from_json(to_json(config), config.folder).offers == path
    with pytest.raises(UserError, match="leave these out"):
        _with_offers(dataclasses.replace(config, bundle_pull=0.5))
    write_json(path, {"offer_exposure": None, "bundle_pull": None})
    with pytest.raises(UserError, match="holds no estimates"):
        _with_offers(TrainConfig(offers=path, name="r"))
