"""What coupons do is told from whom they are sent to, and reaches those who hold them."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from bundlegym.data import CampaignRecords, DataConfig, Dataset, Log, build_dataset
from bundlegym.evaluation.fidelity.coupons import coupon_lines
from bundlegym.evaluation.sensitivity import like_a_coupon
from bundlegym.user_models import ChoiceShopper
from bundlegym.user_models.choice.parameters import ChoiceParameters
from bundlegym.user_models.components.coupons import (
    CouponsConfig,
    coupon_effect,
    coupon_utility,
    coupons_of,
    take_up,
    usual_effect,
)
from bundlegym.user_models.numeric.shrink import shrink
from bundlegym.user_models.panel import logged_panel
from tests.user_models.logs import START, weekly_lines
from tests.user_models.some import all_but, some

SHOPPERS, ITEMS, WEEKS, CAMPAIGNS, ITEMS_A_CAMPAIGN = 500, 120, 40, 8, 6
WHOLE = (0, WEEKS)
EVERYONE = np.ones(SHOPPERS, dtype=bool)


@cache
def draw(effect: float, seed: int = 0) -> Dataset:
    """One visit a shopper and week. Campaign r is for items 6r to 6r + 5, for four weeks from week 4r + 3,
    and sent to the third of the shoppers who like them most; its items have a season of their own. Coupons of
    the last campaign are picked for the member and do nothing."""
    rng = np.random.default_rng(seed)
    log_rate = np.log(0.03) + rng.normal(0, 0.7, (SHOPPERS, ITEMS))
    season = 0.5 * np.sin(np.arange(WEEKS) / 4 + rng.uniform(0, 6, (ITEMS, 1)))
    held, members = np.zeros((WEEKS, SHOPPERS, ITEMS)), []
    for r in range(CAMPAIGNS):
        of_campaign = slice(r * ITEMS_A_CAMPAIGN, (r + 1) * ITEMS_A_CAMPAIGN)
        fans = np.argsort(-log_rate[:, of_campaign].sum(1))[: SHOPPERS // 3]
        members.append(pd.DataFrame({"campaign": r, "shopper": fans}))
        if r < CAMPAIGNS - 1:
            held[4 * r + 3 : 4 * r + 7, fans, of_campaign] = effect
    bought = [
        np.nonzero(rng.random((SHOPPERS, ITEMS)) < 1 - np.exp(-np.exp(log_rate + season[:, w] + held[w])))
        for w in range(WEEKS)
    ]
    lines = weekly_lines(bought)
    first = START + pd.to_timedelta(7 * (4 * np.arange(CAMPAIGNS) + 3), unit="D")
    campaigns = pd.DataFrame(
        {
            "campaign": np.arange(CAMPAIGNS),
            "kind": ["sent"] * (CAMPAIGNS - 1) + ["picked"],
            "first_day": first,
            "last_day": first + pd.Timedelta(days=27),
            "received": [2] * (CAMPAIGNS - 1) + [1],
        }
    )
    covered = np.arange(CAMPAIGNS * ITEMS_A_CAMPAIGN)
    coupons = pd.DataFrame({"campaign": covered // ITEMS_A_CAMPAIGN, "coupon": covered // 3, "item": covered})
    redemptions = pd.DataFrame({"campaign": [0] * 133 + [7] * 19, "shopper": 0, "coupon": 0})
    records = CampaignRecords(campaigns, pd.concat(members), coupons, redemptions)
    names = [f"c{i % 10}" for i in range(ITEMS)]
    items = pd.DataFrame({"item": np.arange(ITEMS), "category": names, "subcategory": names})
    log = Log("known", lines, items=items, campaigns=records)
    return build_dataset(log, DataConfig(log="known", min_purchases=1))


@pytest.mark.parametrize("effect", [0.0, 0.5])
def test_the_effect_comes_out_though_coupons_go_to_those_who_like_the_items(effect: float) -> None:
    logs = [draw(effect, seed) for seed in range(3)]
    found, errors = np.array([coupon_effect(log, WHOLE, EVERYONE) for log in logs]).T
    error = np.sqrt((errors**2).sum()) / 3
    assert 0 < error < 0.03
    assert found.mean() == pytest.approx(effect, abs=2 * error)
    assert naive(logs[0]) > effect + 0.3


def naive(dataset: Dataset) -> float:
    """Log of how many times as much members buy of a campaign's items while it runs as others do."""
    campaigns = dataset.campaigns
    assert campaigns is not None
    visit, item = dataset.purchases["visit"].to_numpy(), dataset.purchases["item"].to_numpy()
    shopper, week = (dataset.visits[name].to_numpy()[visit] for name in ("shopper", "week"))
    counts = np.zeros(2)
    for members, items, running in zip(
        campaigns.members, campaigns.items, campaigns.running(WEEKS), strict=True
    ):
        lines = items[item] & (running[week] > 0)
        counts += [
            (lines & members[shopper]).sum() / members.sum(),
            (lines & ~members[shopper]).sum() / (~members).sum(),
        ]
    return float(np.log(counts[0] / counts[1]))


def test_without_coupons_nothing_can_be_told() -> None:
    assert coupon_effect(draw(0.5), (0, 3), EVERYONE) == (0.0, float("inf"))


def test_take_up_by_kind() -> None:
    campaigns = draw(0.5).campaigns
    assert campaigns is not None
    members = SHOPPERS // 3
    assert take_up(campaigns) == pytest.approx({"sent": 133 / (7 * 2 * members), "picked": 19 / members})


def test_a_coupon_reaches_its_members_in_its_weeks() -> None:
    dataset = draw(0.5)
    campaigns = dataset.campaigns
    assert campaigns is not None
    estimate = torch.tensor([0.5, 0.1])
    coupons = coupons_of(dataset, estimate, 0.5)
    shopper = torch.arange(SHOPPERS)
    items = torch.tensor([[0, 7, 59]]).expand(SHOPPERS, -1)
    utility = coupon_utility(coupons, shopper, torch.full((SHOPPERS,), 3), items).numpy()
    assert utility[:, 0].tolist() == (0.5 * campaigns.members[0]).tolist() and not utility[:, 1:].any()
    assert not coupon_utility(coupons, shopper, torch.full((SHOPPERS,), 2), items).any()
    # A preference counted while coupons ran holds their effect already, in proportion.
    usual = usual_effect(coupons, items.numpy(), WHOLE)
    assert (usual[:, 0] > 0).tolist() == campaigns.members[0].tolist()
    assert 0 < usual[:, 0].max() < 0.5 * 4 / WEEKS < usual[:, 1].max() + 0.5 * 4 / WEEKS
    for name, leaf in coupons_of(dataset, estimate, 0.0).leaves():
        assert name == "coupon_effect" or leaf.numel() == 0, name


def test_a_fit_takes_the_effect_as_shrunk_by_its_error() -> None:
    for effect in (0.0, 0.5):
        options: dict[str, Any] = {
            "weeks": WHOLE,
            "shortlist_size": 30,
            "epochs": 1,
            "without": all_but("coupons"),
        }
        fitted = ChoiceShopper.fit(draw(effect), shoppers=EVERYONE, progress=lambda _: None, **options)
        estimate, error = fitted.params.coupons.coupon_effect.tolist()
        utility = fitted.params.coupons.coupon_utility
        assert float(utility[utility != 0].mean()) == pytest.approx(
            float(shrink(estimate, error, CouponsConfig().spread))
        )
        assert error > 0 and abs(float(utility[utility != 0].mean())) < abs(estimate)


def test_lines_of_couponed_items_are_counted_by_who_holds_a_coupon() -> None:
    panels = {effect: logged_panel(draw(effect), WHOLE, np.arange(SHOPPERS)) for effect in (0.0, 0.5)}
    found = {effect: coupon_lines(panel, draw(effect)) for effect, panel in panels.items()}
    assert found[0.0]["holders"] > 1.3 * found[0.0]["others"]  # they like the items
    more = np.log(found[0.5]["holders"] / found[0.0]["holders"])
    assert more == pytest.approx(0.5, abs=0.1)
    assert found[0.5]["others"] == pytest.approx(found[0.0]["others"], rel=0.1)


def test_the_most_that_a_coupon_may_do_is_told_in_mailers() -> None:
    params = some(
        ChoiceParameters,
        coupon_effect=torch.tensor([0.02, 0.04]),
        mailer=torch.tensor([0.2]),
        promotion_sensitivity=torch.tensor([1.5, 0.8, 0.5]),
    )
    assert like_a_coupon(params) == pytest.approx(1.0)  # of a favourite, half as sensitive
    assert like_a_coupon(params.changed(coupon_effect=torch.tensor([0.0, float("inf")]))) is None
    assert like_a_coupon(params.changed(mailer=torch.tensor([0.0]))) is None
