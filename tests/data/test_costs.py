"""What items cost week by week, margins that cannot be, and items sold by weight."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from bundlegym.data import DataConfig, Log, build_dataset
from bundlegym.data.costs import DEFAULT_MARGIN, margin_errors, unit_costs
from bundlegym.data.sold_by_weight import MIN_LINES, weighed_items, weighed_report
from bundlegym.errors import UserError

PRICE = np.array([[10.0, 10.0, 20.0], [10.0, 5.0, 10.0]], dtype=np.float32)


def items_table(**columns: list) -> pd.DataFrame:
    return pd.DataFrame(
        {"item": ["7", "8"], "name": ["Plums", ""], "department": ["PRODUCE", "Toys"], **columns}
    )


def test_known_costs_are_the_same_in_all_weeks_and_nothing_is_assumed() -> None:
    costs, assumption = unit_costs(items_table(unit_cost=[4.0, 6.0]), PRICE)
    assert costs.tolist() == [[4.0] * 3, [6.0] * 3] and costs.dtype == np.float32 and assumption == {}


def test_unknown_costs_are_the_departments_share_of_the_weeks_price_and_say_so() -> None:
    costs, assumption = unit_costs(items_table(unit_cost=[np.nan, np.nan]), PRICE)
    np.testing.assert_allclose(costs[0], PRICE[0] * (1 - 0.308), rtol=1e-6)
    np.testing.assert_allclose(costs[1], PRICE[1] * (1 - DEFAULT_MARGIN), rtol=1e-6)
    assert "2 of 2 items" in assumption["unit_cost"] and "https://" in assumption["unit_cost"]


def test_a_chosen_margin_overrides_the_table_but_not_the_log() -> None:
    costs, assumption = unit_costs(items_table(unit_cost=[np.nan, 6.0]), PRICE, gross_margin=0.5)
    assert costs.tolist() == [[5.0, 5.0, 10.0], [6.0] * 3]
    assert "1 of 2 items" in assumption["unit_cost"] and "50.0%" in assumption["unit_cost"]
    for wrong in (30, 0.95, -0.1):
        with pytest.raises(UserError, match="gross_margin must be a share"):
            unit_costs(items_table(unit_cost=[np.nan, 6.0]), PRICE, gross_margin=wrong)


def test_margins_within_their_range_are_no_errors() -> None:
    costs = np.stack([PRICE[0] * 1.5, PRICE[1] * 0.1]).astype(np.float32)
    assert margin_errors(items_table(), PRICE, costs) == []


def test_margins_outside_their_range_are_told_by_name() -> None:
    table = items_table().loc[np.repeat([0, 1], 30)].reset_index(drop=True)
    price, costs = np.full((60, 3), 10.0), np.full((60, 3), 7.0)
    price[0, 1], costs[59] = 2.0, 0.5
    (error,) = margin_errors(table, price, costs)
    assert (error["name"], error["cells"], error["items"]) == ("margin_share", 4, 2)
    assert error["share"] == pytest.approx(4 / 180)
    assert [w["margin_share"] for w in error["worst"]] == [-2.5, 0.95]
    assert (
        "Plums (item 7): -250% in week 2 (list price 2.00, unit cost 7.00); item 8: 95%" in error["sentence"]
    )
    with pytest.raises(
        UserError, match="unit_cost: 60 of 60 item-weeks, .* farthest off: Plums .item 7.: 100%"
    ):
        margin_errors(table[:20], price[:20] * 1000, costs[:20])


def test_a_cost_far_off_in_a_log_is_in_report_and_notes(log: Log, config: DataConfig) -> None:
    assert log.items is not None
    sound = build_dataset(log, config)
    assert sound.report["errors"] == [] and sound.notes == log.notes
    far = log.items["item"] == sound.items["item"][3]
    data = build_dataset(
        replace(log, items=log.items.assign(unit_cost=log.items["unit_cost"].where(~far, 99.0))), config
    )
    (error,) = data.report["errors"]
    assert error["items"] == 1 and error["cells"] == data.n_weeks
    assert error["worst"][0]["item"].startswith(sound.items["name"][3])
    assert error["sentence"] in data.notes[-1]
    np.testing.assert_array_equal(data.unit_cost[3], 99.0)


def test_costs_in_cents_stop_the_run(log: Log, config: DataConfig) -> None:
    assert log.items is not None
    cents = replace(log, items=log.items.assign(unit_cost=100 * log.items["unit_cost"]))
    with pytest.raises(UserError, match="unit_cost: .* margin share outside -50% to 90%"):
        build_dataset(cents, config)


def lines_of_one(price: np.ndarray, quantity: np.ndarray | int = 1, item: int = 0) -> pd.DataFrame:
    time = pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(len(price)), unit="D")
    return pd.DataFrame({"item": item, "time": time, "quantity": quantity, "price_paid": price})


def test_items_sold_by_weight_are_told_from_others() -> None:
    rng, n = np.random.default_rng(0), 100
    weight = rng.uniform(0.5, 2.5, n)
    shelf = np.full(n, 3.0)
    promoted = np.where(np.arange(n) % 10 < 4, 2.0, 3.0)
    lines = pd.concat(
        [
            lines_of_one(2 * weight, item=0),
            lines_of_one(2 * weight, np.where(np.arange(n) % 5, 1, 2), item=1),  # sometimes two packs
            lines_of_one(2 * weight, np.where(np.arange(n) % 2, 1, 2), item=2),  # pieces, whatever they cost
            lines_of_one(shelf, item=3),
            lines_of_one(promoted, item=4),
            lines_of_one(shelf, item=5).assign(
                price_paid=2.0 + np.arange(n) % 2, coupon_discount=1.0 - np.arange(n) % 2
            ),
            lines_of_one(2 * weight[: MIN_LINES - 1], item=6),
        ]
    ).sample(frac=1, random_state=0)
    lines["coupon_discount"] = lines["coupon_discount"].fillna(0.0)
    weighed = weighed_items(lines)
    assert weighed.tolist() == [True, True, False, False, False, False, False]
    items = pd.DataFrame({"item": list("abcdefg"), "name": "Stems", "weighed": weighed})
    report = weighed_report(items, lines)
    assert report["items"] == 2 and report["share_of_lines"] == pytest.approx(200 / len(lines))
    assert sorted(report["most_bought"]) == ["Stems (item a)", "Stems (item b)"]


def test_what_is_sold_by_weight_keeps_its_margin_however_much_lay_on_the_scales(
    log: Log, config: DataConfig
) -> None:
    assert log.items is not None
    lines = log.transactions
    item = lines["item"].value_counts().index[0]
    factor = np.where(lines["item"] == item, np.random.default_rng(0).uniform(0.2, 5, len(lines)), 1.0)
    heavy = lines.assign(
        quantity=lines["quantity"].where(lines["item"] != item, 1),
        list_price=lines["list_price"] * factor,
        price_paid=lines["price_paid"] * factor,
    )
    drawn = replace(log, transactions=heavy, items=log.items.drop(columns="unit_cost"))
    data = build_dataset(drawn, config)
    assert data.items["item"][data.items["weighed"]].tolist() == [item]
    assert f"(item {item})" in data.notes[-1] and data.report["weighed_items"]["items"] == 1
    assert np.ptp(data.list_price[data.items["weighed"]]) > 1
    assert np.ptp(1 - data.unit_cost / data.list_price, axis=1).max() < 1e-6
    assert data.report["errors"] == []
