"""Drops the lines of a log that no model can use, and counts them by reason."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from bundlegym.data.base import Log
from bundlegym.errors import UserError

#: Beyond this a quantity is no count of pieces (fuel, say, is logged in thousandths of a gallon).
MAX_QUANTITY = 1000


@dataclass(frozen=True)
class ItemRule:
    """Drop the items whose columns fully match all of `patterns` (column -> regular expression)."""

    reason: str
    patterns: dict[str, str]


#: What one particular log calls the lines that are no goods, by the log's name.
ITEM_RULES: dict[str, tuple[ItemRule, ...]] = {
    "The Complete Journey": (
        ItemRule("fuel", {"department": "FUEL"}),
        ItemRule("coupon line, not an item", {"department": "COUPON"}),
        ItemRule("coupon line, not an item", {"category": "COUPON|COUPON/MISC ITEMS|COUPONS/STORE & MFG"}),
        ItemRule("no category", {"department": "MISCELLANEOUS", "category": ""}),
    )
}


def clean(log: Log) -> tuple[Log, dict]:
    """Drop what cannot be used; give the rest and a report.

    Each line is counted under the first reason that fits it. Lines paid for by a coupon alone are kept: the
    shop still asked a price for them. A fractional quantity (a weight, say) becomes one piece at the price
    of the whole line, so that quantities count pieces.

    Returns:
        The cleaned log and `{"lines_before", "lines_after", "dropped": [{"reason", "lines"}, ...],
        "fractional_quantities"}`, JSON, `dropped` in the order in which the reasons are tried.

    Raises:
        UserError: no line is left.
    """
    transactions = log.transactions
    keep = np.ones(len(transactions), dtype=bool)
    dropped: dict[str, int] = {}
    for reason, bad in _reasons(log):
        dropped[reason] = dropped.get(reason, 0) + int((keep & bad).sum())
        keep &= ~bad
    if not keep.any():
        counts = ", ".join(f"{reason} {lines:,}" for reason, lines in dropped.items() if lines)
        raise UserError(f"{log.name}: no usable line is left after cleaning ({counts})")
    kept, fractional = _whole_pieces(transactions[keep].reset_index(drop=True))
    report = {
        "lines_before": len(transactions),
        "lines_after": len(kept),
        "dropped": [{"reason": reason, "lines": lines} for reason, lines in dropped.items()],
        "fractional_quantities": fractional,
    }
    return replace(log, transactions=kept), report


def _reasons(log: Log) -> Iterator[tuple[str, np.ndarray]]:
    """Yield each reason with (n_lines,) bool, True where it holds."""
    lines = log.transactions
    asked = lines["price_paid"] + lines.get("coupon_discount", 0.0)
    yield "unknown item", _unknown_items(log)
    for rule in ITEM_RULES.get(log.name, ()):
        yield rule.reason, _matches(log, rule)
    yield "return (negative quantity)", (lines["quantity"] < 0).to_numpy()
    yield "quantity of zero", (lines["quantity"] == 0).to_numpy()
    yield f"quantity above {MAX_QUANTITY:,}", (lines["quantity"] > MAX_QUANTITY).to_numpy()
    yield "no price (given away, or not recorded)", ((asked <= 0) | (lines["list_price"] <= 0)).to_numpy()


def _unknown_items(log: Log) -> np.ndarray:
    if log.items is None:
        return np.zeros(len(log.transactions), dtype=bool)
    return ~log.transactions["item"].isin(log.items["item"]).to_numpy()


def _matches(log: Log, rule: ItemRule) -> np.ndarray:
    if log.items is None:
        return np.zeros(len(log.transactions), dtype=bool)
    hit = pd.Series(True, index=log.items.index)
    for column, pattern in rule.patterns.items():
        hit &= log.items[column].str.fullmatch(pattern)
    return log.transactions["item"].isin(log.items.loc[hit, "item"]).to_numpy()


def _whole_pieces(lines: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """Lines with quantities as int64, and how many were fractional."""
    quantity = lines["quantity"]
    fractional = (quantity % 1 != 0).to_numpy()
    if fractional.any():
        scale = quantity.where(fractional, 1.0)
        prices = [c for c in ("price_paid", "list_price", "coupon_discount") if c in lines]
        lines = lines.assign(**{column: lines[column] * scale for column in prices})
        quantity = quantity.where(~fractional, 1)
    return lines.assign(quantity=quantity.astype("int64")), int(fractional.sum())
