from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from bundlegym.data import DataConfig, Log, build_dataset
from bundlegym.errors import UserError


def test_codes_are_dense_and_rows_sorted(log: Log, config: DataConfig) -> None:
    data = build_dataset(log, config)
    assert data.items["item"].is_monotonic_increasing and data.shoppers["shopper"].is_monotonic_increasing
    order = data.visits[["shopper", "day"]]
    assert order.equals(order.sort_values(["shopper", "day"], kind="stable"))
    assert (data.visits["day"] // 7 == data.visits["week"]).all()
    assert sorted(data.purchases["visit"].unique()) == list(range(len(data.visits)))
    assert not data.purchases.duplicated(["visit", "item"]).any()
    assert data.purchases["item"].between(0, data.n_items - 1).all()
    assert data.list_price.shape == (data.n_items, data.n_weeks) == data.display.shape
    assert (data.shelf_price <= data.list_price).all()


def test_purchases_agree_with_the_log(log: Log, config: DataConfig) -> None:
    data = build_dataset(log, replace(config, min_purchases=1))
    joined = data.purchases.merge(data.visits, left_on="visit", right_index=True)
    paid = (joined["quantity"] * joined["price_paid"]).groupby(joined["basket"]).sum()
    lines = log.transactions
    expected = (lines["quantity"] * lines["price_paid"]).groupby(lines["basket"]).sum()
    pd.testing.assert_series_equal(paid, expected, check_names=False)


def test_repeated_lines_of_a_visit_are_summed(log: Log, config: DataConfig) -> None:
    doubled = replace(log, transactions=pd.concat([log.transactions] * 2, ignore_index=True))
    once, twice = build_dataset(log, config), build_dataset(doubled, replace(config, min_purchases=10))
    assert (twice.purchases["quantity"] == 2 * once.purchases["quantity"]).all()
    np.testing.assert_allclose(twice.purchases["price_paid"], once.purchases["price_paid"])


def test_the_order_of_the_file_does_not_matter(log: Log, config: DataConfig) -> None:
    shuffled = log.transactions.sample(frac=1, random_state=0).reset_index(drop=True)
    first, second = build_dataset(log, config), build_dataset(replace(log, transactions=shuffled), config)
    for table in ("items", "shoppers", "visits", "purchases"):
        pd.testing.assert_frame_equal(getattr(first, table), getattr(second, table))


def test_own_week_numbers_of_promotions_are_translated(log: Log, config: DataConfig) -> None:
    assert log.promotions is not None
    shifted = replace(
        log,
        transactions=log.transactions.assign(week=log.transactions["week"] + 200),
        promotions=log.promotions.assign(week=log.promotions["week"] + 200),
    )
    first, second = build_dataset(log, config), build_dataset(shifted, config)
    assert first.display.any()
    np.testing.assert_array_equal(first.display, second.display)


def test_assumptions_are_reported(log: Log, config: DataConfig) -> None:
    assert log.items is not None
    assert "unit_cost" not in build_dataset(log, config).report["assumptions"]
    bare = replace(log, items=None, promotions=None, shoppers=None)
    data = build_dataset(bare, config)
    assert {"unit_cost", "promotions", "shelf_price"} <= set(data.report["assumptions"])
    assert (data.items["name"] == "").all() and not data.mailer.any()
    flat = build_dataset(bare, replace(config, gross_margin=0.4))
    np.testing.assert_allclose(flat.unit_cost, 0.6 * flat.list_price, rtol=1e-6)
    assert "unit_cost" not in flat.items and flat.unit_cost.dtype == np.float32


def test_too_small_a_log_is_refused(log: Log, config: DataConfig) -> None:
    few = replace(log, transactions=log.transactions[log.transactions["week"] <= 3])
    with pytest.raises(UserError, match=r"synthetic: too small to split: 3 weeks"):
        build_dataset(few, replace(config, min_purchases=1))
    with pytest.raises(UserError, match=r"too small to split: .* items .* lower min_purchases"):
        counts = log.transactions["item"].value_counts()
        build_dataset(log, replace(config, min_purchases=int(counts.iloc[3])))
