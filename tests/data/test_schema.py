from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from bundlegym.data import Log, check_log
from bundlegym.errors import UserError

from .conftest import with_lines


def test_a_sound_log_passes(log: Log) -> None:
    check_log(log, "sales.csv")


def test_missing_column_is_named_and_the_present_ones_listed(log: Log) -> None:
    broken = replace(log, transactions=log.transactions.drop(columns="price_paid"))
    with pytest.raises(UserError, match=r"sales\.csv: no column 'price_paid'; it has: shopper, basket"):
        check_log(broken, "sales.csv")


@pytest.mark.parametrize("column", ["price_paid", "list_price"])
def test_negative_prices_are_counted_with_an_example(log: Log, column: str) -> None:
    values = log.transactions[column].copy()
    values.iloc[[4, 7]] = -1.5
    with pytest.raises(UserError, match=rf"'{column}' must not be negative, but 2 of .*data row 5: .*=-1.5"):
        check_log(with_lines(log, **{column: values}), "sales.csv")


def test_nulls_in_required_columns_are_refused(log: Log) -> None:
    shopper = log.transactions["shopper"].astype(float).where(log.transactions.index > 0)
    with pytest.raises(UserError, match=r"column 'shopper' must be filled in, but 1 of"):
        check_log(with_lines(log, shopper=shopper), "sales.csv")


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("time", "yesterday", "'time' must hold dates"),
        ("time", pd.Timestamp("2024-01-01", tz="UTC"), "'time' must hold dates without a time zone"),
        ("price_paid", "cheap", "'price_paid' must hold numbers"),
        ("quantity", np.nan, "'quantity' must be a finite number"),
        ("list_price", np.inf, "'list_price' must be a finite number"),
    ],
)
def test_wrong_types_are_refused(log: Log, column: str, value: object, message: str) -> None:
    with pytest.raises(UserError, match=message):
        check_log(with_lines(log, **{column: value}), "sales.csv")


def test_an_empty_log_is_refused(log: Log) -> None:
    with pytest.raises(UserError, match=r"sales\.csv: it has no rows"):
        check_log(replace(log, transactions=log.transactions.iloc[:0]), "sales.csv")


def test_side_tables_are_checked(log: Log) -> None:
    assert log.items is not None and log.promotions is not None
    with pytest.raises(UserError, match=r"sales\.csv \(items\): column 'item' must not repeat"):
        check_log(replace(log, items=pd.concat([log.items, log.items.head(1)])), "sales.csv")
    with pytest.raises(UserError, match=r"\(promotions\): column 'display' must be a share in 0\.\.1"):
        check_log(replace(log, promotions=log.promotions.assign(display=3.0)), "sales.csv")
    with pytest.raises(UserError, match=r"\(promotions\): no column 'mailer'"):
        check_log(replace(log, promotions=log.promotions.drop(columns="mailer")), "sales.csv")
    with pytest.raises(UserError, match=r"\(items\): column 'unit_cost' must be 0 or more"):
        check_log(replace(log, items=log.items.assign(unit_cost=-1.0)), "sales.csv")
