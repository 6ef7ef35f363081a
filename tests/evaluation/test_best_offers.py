"""The best offers taken apart: parts add up to the whole, and say what a toy shop's rules say."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from bundlegym.agents.planner import OpenVisits, Planner
from bundlegym.evaluation.best_offers import as_text, best_offers
from bundlegym.evaluation.decomposition import decompose_offer
from bundlegym.evaluation.planner_gains import plan_first_visits, summary_of
from bundlegym.user_models.rng.counter import Draws
from tests.agents.toy import a_toy, toy_core


def apart(toy, core, items: list[int], discount: float, draws: int = 2000) -> dict:
    door = torch.zeros(1, dtype=torch.int64)
    visit = OpenVisits(toy, core.market, toy.reset(door, door), door, Draws(3, door, door))
    return decompose_offer(visit, torch.tensor(items), discount, range(1, draws + 1))


@pytest.fixture
def toy():
    return a_toy(8, utility=torch.tensor([4.0, -9, -1.2, 4, -9, -1.0, 4, -9]), slope=torch.full((8,), 4.0))


def test_parts_add_up(market, toy):
    toy.synergy[7, 2], toy.synergy[6, 2] = 12.0, -3.0
    found = apart(toy, toy_core(market, toy, 0.4 * toy.price), [2, 5], 0.3)
    total = sum(found[name]["mean"] for name in ("sold_new", "given_away", "rest"))
    assert found["gain"]["mean"] == pytest.approx(total, abs=1e-4)
    assert found["rest"]["mean"] == pytest.approx(found["pulled"]["mean"] + found["pushed"]["mean"])
    assert found["sold_new"]["mean"] > 0 > found["given_away"]["mean"] and found["pulled"]["mean"] > 0
    assert found["later"]["mean"] == pytest.approx(0, abs=1e-5)  # the toy's shoppers have no habits
    for a, b in zip(found["without"], found["with"], strict=True):
        assert 0 < a["mean"] < b["mean"] < 1


def test_what_is_bought_anyway_costs_the_discount_on_one_unit(market, toy):
    toy.utility = torch.full((8,), 20.0)
    found = apart(toy, toy_core(market, toy, 0.4 * toy.price), [0, 3], 0.2, draws=16)
    assert found["taken"]["mean"] == 1 and found["sold_new"]["mean"] == 0 == found["rest"]["mean"]
    assert found["given_away"]["mean"] == pytest.approx(-0.2 * float(toy.price[[0, 3]].sum()), abs=1e-5)


def test_chances_without_an_offer_are_those_of_the_utility(market, toy):
    found = apart(toy, toy_core(market, toy, 0.4 * toy.price), [2, 5], 0.1)
    for figure, utility in zip(found["without"], (-1.2, -1.0), strict=True):
        chance = 1 - np.exp(-np.exp(utility))  # P(utility + Gumbel > 0)
        assert figure["mean"] == pytest.approx(chance, abs=4 * figure["error"])


def test_the_summary_is_of_all_visits(market, toy):
    core = toy_core(market, toy, 0.4 * toy.price, n=24, max_size=2)
    planned = plan_first_visits(core, Planner(toy, draws=32))
    summary = summary_of(planned)
    gain = summary["gain"]
    assert gain["low"] < gain["mean"] < gain["high"] and gain["low"] > 0
    parts = summary["gain_at_full_price"]["mean"] + summary["gain_at_a_discount"]["mean"]
    assert gain["mean"] == pytest.approx(parts)
    assert sum(summary["discounts"].values()) == pytest.approx(summary["offered"])
    assert sum(summary["sizes"].values()) == pytest.approx(summary["offered"])
    assert gain["mean"] == pytest.approx(float(planned.plan.gain.mean()), rel=0.2)


def test_the_best_come_first_and_are_told_in_words(market, toy, dataset):
    core = toy_core(market, toy, 0.4 * toy.price, n=12, max_size=2)
    content = best_offers(core, Planner(toy, draws=16), dataset, 3, str.upper, lambda _: None)
    assert json.loads(json.dumps(content)) == content
    gains = [offer["gain"]["mean"] for offer in content["offers"]]
    assert len(gains) == 3 and gains == sorted(gains, reverse=True)
    text = as_text(content)
    assert "3. Shopper" in text and "item 2 (" in text and "sold new" in text


def test_where_nothing_pays_there_is_no_list(market, toy, dataset):
    toy.slope = torch.full((8,), 0.05)
    core = toy_core(market, toy, 0.9 * toy.price, n=6)
    content = best_offers(core, Planner(toy), dataset, 3, str.upper, lambda _: None)
    assert content["offers"] == [] and content["summary"]["offered"] == 0
    assert "offers nothing" in as_text(content)
