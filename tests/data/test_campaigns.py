"""Campaigns of coupons: from a shop's records to codes, and on to the disk."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bundlegym.data import (
    CampaignRecords,
    Campaigns,
    DataConfig,
    Dataset,
    Log,
    build_dataset,
    check_log,
    load_dataset,
    save_dataset,
)
from bundlegym.errors import UserError

MONDAY = pd.Timestamp("2024-01-01")


def records(**changed: pd.DataFrame) -> CampaignRecords:
    """Campaign 7 runs on Wednesday to Sunday of the second week; 3 starts before the log does."""
    campaigns = pd.DataFrame(
        {
            "campaign": [7, 3],
            "first_day": MONDAY + pd.to_timedelta([9, -4], unit="D"),
            "last_day": MONDAY + pd.to_timedelta([13, 1], unit="D"),
            "received": [2, 1],
        }
    )
    members = pd.DataFrame({"campaign": [7, 7, 3, 3], "shopper": [0, 5, 5, 10_000]})
    coupons = pd.DataFrame({"campaign": [7, 7, 7, 3], "coupon": [1, 1, 2, 3], "item": [2, 4, 10_000, 4]})
    redemptions = pd.DataFrame({"campaign": [7, 3], "shopper": [5, 10_000], "coupon": [1, 3]})
    return replace(CampaignRecords(campaigns, members, coupons, redemptions), **changed)


@pytest.fixture(scope="module")
def dataset(log: Log) -> Dataset:
    return build_dataset(replace(log, campaigns=records()), DataConfig(log="synthetic", min_purchases=1))


def campaigns_of(dataset: Dataset) -> Campaigns:
    assert dataset.campaigns is not None
    return dataset.campaigns


def test_members_and_items_are_those_of_the_dataset(dataset: Dataset) -> None:
    campaigns = campaigns_of(dataset)
    shoppers, items = dataset.shoppers["shopper"].to_numpy(), dataset.items["item"].to_numpy()
    assert [list(shoppers[row]) for row in campaigns.members] == [[5], [0, 5]]
    assert [list(items[row]) for row in campaigns.items] == [[4], [2, 4]]
    assert campaigns.table["coupons"].tolist() == [1, 2]
    assert campaigns.table["redeemed"].tolist() == [0, 1]  # by those of the dataset
    assert campaigns.reached_all().all()


def test_weeks_count_by_the_share_of_their_days(dataset: Dataset) -> None:
    running = campaigns_of(dataset).running(dataset.n_weeks)
    wanted = np.zeros_like(running)
    wanted[0, 0], wanted[1, 1] = 2 / 7, 5 / 7
    np.testing.assert_allclose(running, wanted)


def test_campaigns_survive_the_disk(dataset: Dataset, tmp_path: Path) -> None:
    save_dataset(dataset, tmp_path / "kept")
    kept, made = campaigns_of(load_dataset(tmp_path / "kept")), campaigns_of(dataset)
    pd.testing.assert_frame_equal(kept.table, made.table)
    np.testing.assert_array_equal(kept.members, made.members)
    np.testing.assert_array_equal(kept.items, made.items)


def test_unsound_campaigns_are_refused(log: Log) -> None:
    check_log(replace(log, campaigns=records()), "shop")
    campaigns, members = records().campaigns, records().members
    for changed, message in (
        ({"members": members.drop(columns="shopper")}, r"shop \(members\): no column 'shopper'"),
        ({"members": members.assign(campaign=9)}, r"\(members\): column 'campaign' must name one of"),
        ({"campaigns": campaigns.assign(last_day=MONDAY)}, r"'last_day' must not be before the first day"),
        ({"campaigns": campaigns.assign(first_day=3)}, r"'first_day' must hold dates"),
        ({"campaigns": pd.concat([campaigns, campaigns])}, r"'campaign' must not repeat"),
        ({"campaigns": campaigns.assign(received="all")}, r"'received' must hold numbers"),
    ):
        with pytest.raises(UserError, match=message):
            check_log(replace(log, campaigns=records(**changed)), "shop")
