"""Checks a `Log` as it comes in, so that a bad column is named here and not met later as a strange number."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bundlegym.data.base import REQUIRED_COLUMNS, Log
from bundlegym.errors import UserError

NUMERIC_COLUMNS = ("price_paid", "list_price", "quantity", "coupon_discount", "week")
NON_NEGATIVE_COLUMNS = ("price_paid", "list_price", "coupon_discount")
#: What each side table must hold to be of any use.
TABLE_COLUMNS = {
    "items": ("item",),
    "shoppers": ("shopper",),
    "promotions": ("item", "week", "display", "mailer"),
    "coupons": ("shopper", "item", "first_day", "last_day"),
}


def check_log(log: Log, source: str) -> None:
    """Raise `UserError` naming `source`, the column and an example row where `log` breaks its contract.

    Checks of `log.transactions`: rows and required columns present, no nulls in required columns, times that
    are datetimes, prices and quantities that are finite numbers, and no negative price. Of the side tables:
    their columns, one row an item or shopper, and shares between 0 and 1. Negative and zero quantities pass:
    they are returns and the like, which `clean` drops and counts.
    """
    transactions = log.transactions
    if transactions.empty:
        raise UserError(f"{source}: it has no rows; a log needs one row an item bought")
    require_columns(transactions, REQUIRED_COLUMNS, source)
    for column in REQUIRED_COLUMNS:
        _refuse(transactions, transactions[column].isna(), column, source, "be filled in")
    if not pd.api.types.is_datetime64_dtype(transactions["time"]):
        dtype = transactions["time"].dtype
        raise UserError(f"{source}: column 'time' must hold dates without a time zone, but is {dtype}")
    for column in NUMERIC_COLUMNS:
        if column in transactions:
            _check_numeric(transactions, column, source)
    for column in NON_NEGATIVE_COLUMNS:
        if column in transactions:
            _refuse(transactions, transactions[column] < 0, column, source, "not be negative")
    for name in TABLE_COLUMNS:
        _check_table(getattr(log, name), name, source)


def require_columns(frame: pd.DataFrame, columns: tuple[str, ...], source: str) -> None:
    """Raise `UserError` unless `frame` has all `columns`; the message lists those it has."""
    missing = [column for column in columns if column not in frame]
    if missing:
        found = ", ".join(map(str, frame.columns))
        raise UserError(f"{source}: no column {_quoted(missing)}; it has: {found}")


def _check_numeric(frame: pd.DataFrame, column: str, source: str) -> None:
    values = frame[column]
    if not pd.api.types.is_numeric_dtype(values) or pd.api.types.is_bool_dtype(values):
        raise UserError(f"{source}: column '{column}' must hold numbers, but is {values.dtype}")
    _refuse(frame, ~np.isfinite(values.to_numpy(dtype=float)), column, source, "be a finite number")


def _check_table(frame: pd.DataFrame | None, name: str, source: str) -> None:
    if frame is None:
        return
    label = f"{source} ({name})"
    require_columns(frame, TABLE_COLUMNS[name], label)
    if name in ("items", "shoppers"):
        key = name.removesuffix("s")
        _refuse(frame, frame[key].isna(), key, label, "be filled in")
        _refuse(frame, frame[key].duplicated(), key, label, "not repeat (one row each)")
    if name == "items" and "unit_cost" in frame:
        costs = frame["unit_cost"]
        if not pd.api.types.is_numeric_dtype(costs):
            raise UserError(f"{label}: column 'unit_cost' must hold numbers, but is {costs.dtype}")
        _refuse(frame, (costs < 0) | np.isinf(costs), "unit_cost", label, "be 0 or more")
    if name == "promotions":
        for column in ("display", "mailer"):
            _refuse(frame, ~frame[column].between(0, 1), column, label, "be a share in 0..1")


def _refuse(frame: pd.DataFrame, bad: pd.Series | np.ndarray, column: str, source: str, rule: str) -> None:
    """Raise `UserError` where any row is `bad`, with their count and the first of them."""
    flags = np.asarray(bad, dtype=bool)
    if flags.any():
        first = int(flags.argmax())
        example = ", ".join(f"{key}={value}" for key, value in frame.iloc[first].items())
        raise UserError(
            f"{source}: column '{column}' must {rule}, but {flags.sum():,} of {len(frame):,} rows break "
            f"that; the first is data row {first + 1}: {example}"
        )


def _quoted(names: list[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)
