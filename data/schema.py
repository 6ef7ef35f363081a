"""Checks a `Log` as it comes in, so that a bad column is named here and not met later as a strange number."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bundlegym.data.base import REQUIRED_COLUMNS, Log
from bundlegym.data.campaigns import CampaignRecords
from bundlegym.errors import UserError

NUMERIC_COLUMNS = ("price_paid", "list_price", "quantity", "coupon_discount", "line_discount", "week")
NON_NEGATIVE_COLUMNS = ("price_paid", "list_price", "coupon_discount", "line_discount")
#: What each side table must hold to be of any use.
TABLE_COLUMNS = {
    "items": ("item",),
    "shoppers": ("shopper",),
    "promotions": ("item", "week", "display", "mailer"),
}
CAMPAIGN_COLUMNS = {
    "campaigns": ("campaign", "first_day", "last_day"),
    "members": ("campaign", "shopper"),
    "coupons": ("campaign", "coupon", "item"),
    "redemptions": ("campaign", "shopper", "coupon"),
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
    if log.campaigns is not None:
        _check_campaigns(log.campaigns, source)


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


def _check_campaigns(records: CampaignRecords, source: str) -> None:
    campaigns = records.campaigns
    for name, columns in CAMPAIGN_COLUMNS.items():
        frame, label = getattr(records, name), f"{source} ({name})"
        if frame is None:
            continue
        require_columns(frame, columns, label)
        unknown = ~frame["campaign"].isin(campaigns["campaign"])
        _refuse(frame, unknown, "campaign", label, "name one of the campaigns")
    label = f"{source} (campaigns)"
    _refuse(campaigns, campaigns["campaign"].duplicated(), "campaign", label, "not repeat (one row each)")
    for column in ("first_day", "last_day"):
        if not pd.api.types.is_datetime64_dtype(campaigns[column]):
            dtype = campaigns[column].dtype
            raise UserError(f"{label}: column '{column}' must hold dates without a time zone, but is {dtype}")
        _refuse(campaigns, campaigns[column].isna(), column, label, "be filled in")
    early = campaigns["last_day"] < campaigns["first_day"]
    _refuse(campaigns, early, "last_day", label, "not be before the first day")
    if "received" in campaigns:
        _check_numeric(campaigns, "received", label)


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
