"""Drops the lines of a log that no model can use, and counts them by reason."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from bundlegym.data.base import Log
from bundlegym.data.config import ReadOptions
from bundlegym.data.regular_price import asked_price
from bundlegym.data.returns import match_returns
from bundlegym.data.row_blocks import move_rows
from bundlegym.data.schema import NON_NEGATIVE_COLUMNS
from bundlegym.errors import UserError

#: Names of items that are no goods: postage, fees, corrections.
NO_GOODS = (
    r"(?:[\w&]+[ -]){0,3}(?:postage|shipping|delivery|freight|carriage|fees?|bank charges?|commission|"
    r"adjust\w*|voucher|discount|manual|deposit|samples?|rounding|surcharge|tip|gift ?card|bad debt|"
    r"correction|test (?:item|product))"
    r"(?:[ -](?:costs?|charges?|fees?|bad debt|cards?|[£$€]?\d+(?:[.,]\d\d)?|amount|correction)){0,2}"
    r"(?: by \w+(?: on .*)?)?\.?"
)


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


def clean(log: Log, options: ReadOptions | None = None) -> tuple[Log, dict]:
    """Drop what cannot be used; give the rest and a report.

    Each line is counted under the first reason that fits it. Lines paid for by a coupon alone are kept: the
    shop still asked a price for them. A fractional quantity (a weight, say) becomes one piece at the price
    of the whole line, so that quantities count pieces. What was returned goes together with its return;
    items that look like no goods (postage, fees) are told, and dropped where `options.drop_items` says so.

    Returns:
        The cleaned log and `{"lines_before", "lines_after", "dropped": [{"reason", "lines"}, ...],
        "fractional_quantities"}`, JSON, `dropped` in the order in which the reasons are tried, those of the
        loader first. What was found is added to the log's `assumptions`.

    Raises:
        UserError: no line is left.
    """
    keep, report, notes = usable(log, options or ReadOptions())
    lines = whole_pieces(move_rows(log.transactions.copy(deep=False), keep))
    return replace(log, transactions=lines, assumptions=notes), report


def usable(log: Log, options: ReadOptions) -> tuple[np.ndarray, dict, dict[str, str]]:
    """(n,) bool, the lines that `clean` keeps; its report; and the log's assumptions with what was found.

    Raises:
        UserError: no line is left.
    """
    lines = log.transactions
    keep = np.ones(len(lines), dtype=bool)
    dropped: dict[str, int] = dict(log.dropped)
    notes = dict(log.assumptions)
    for reason, bad in _reasons(log, options, notes):
        dropped[reason] = dropped.get(reason, 0) + int((keep & bad).sum())
        keep &= ~bad
    if not keep.any():
        counts = ", ".join(f"{reason} {lines:,}" for reason, lines in dropped.items() if lines)
        raise UserError(f"{log.name}: no usable line is left after cleaning ({counts})")
    report = {
        "lines_before": len(lines) + sum(log.dropped.values()),
        "lines_after": int(keep.sum()),
        "dropped": [{"reason": reason, "lines": lines} for reason, lines in dropped.items()],
        "fractional_quantities": int((lines["quantity"] % 1 != 0).to_numpy()[keep].sum()),
    }
    return keep, report, notes


def _reasons(log: Log, options: ReadOptions, notes: dict[str, str]) -> Iterator[tuple[str, np.ndarray]]:
    """Yield each reason with (n_lines,) bool, True where it holds; add to `notes` what is only told."""
    lines = log.transactions
    yield "unknown item", _unknown_items(log)
    for rule in ITEM_RULES.get(log.name, ()):
        yield rule.reason, _matches(log, rule)
    if log.name not in ITEM_RULES:
        yield "item that is no goods", _no_goods(log, options, notes)
    back = (lines["quantity"] < 0).to_numpy()
    if back.any() and options.cancel_returns:
        matched = match_returns(lines)
        notes["returns"] = _returns(lines, back, matched)
        yield "sale that was returned", matched & ~back
        yield "return of a sale", matched & back
        yield "return (negative quantity) without its sale", back & ~matched
    elif back.any():
        yield "return (negative quantity)", back
    yield "quantity of zero", (lines["quantity"] == 0).to_numpy()
    yield f"quantity above {options.max_quantity:,}", (lines["quantity"] > options.max_quantity).to_numpy()
    asked = asked_price(lines)
    yield "no price (given away, or not recorded)", ((asked <= 0) | (lines["list_price"] <= 0)).to_numpy()


def _returns(lines: pd.DataFrame, back: np.ndarray, matched: np.ndarray) -> str:
    """What sales come to before and after returns."""
    worth = (lines["quantity"] * lines["price_paid"]).to_numpy()
    gross, returned, rest = (
        worth[~back].sum(),
        worth[matched & ~back].sum(),
        abs(worth[back & ~matched].sum()),
    )
    return (
        f"sales come to {gross:,.2f}; {returned:,.2f} of it was returned and is left out with its "
        f"returns; returns of {rest:,.2f} without a sale are left out alone; --no-cancel-returns keeps what "
        "was returned"
    )


def _no_goods(log: Log, options: ReadOptions, notes: dict[str, str]) -> np.ndarray:
    """Lines of the items that `options.drop_items` names; likely ones are told."""
    items = log.transactions["item"]
    stated = [item for item in options.drop_items if item != "no-goods"]
    bad = items.isin(stated).to_numpy()
    if log.items is not None and "name" in log.items:
        names = log.items["name"].astype("str")
        likely = names.str.strip().str.fullmatch(NO_GOODS, case=False) & ~log.items["item"].isin(stated)
        if likely.any():
            hit = items.isin(log.items.loc[likely, "item"]).to_numpy()
            shown = [f"{row.item} ({row.name})" for row in log.items[likely].head(8).itertuples(index=False)]
            drop = "no-goods" in options.drop_items
            notes["no goods"] = (
                f"{hit.sum():,} lines of {likely.sum()} items look like no goods: {', '.join(shown)}"
                + ("; they are left out" if drop else "; --drop-items no-goods leaves them out")
            )
            bad = bad | (hit & drop)
    return bad


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


def whole_pieces(lines: pd.DataFrame) -> pd.DataFrame:
    """Usable lines with quantities as int32: a fractional one becomes one piece at the price of the line."""
    quantity = lines["quantity"]
    fractional = (quantity % 1 != 0).to_numpy()
    if fractional.any():
        scale = quantity.where(fractional, 1.0)
        prices = [c for c in NON_NEGATIVE_COLUMNS if c in lines]
        lines = lines.assign(**{column: lines[column] * scale for column in prices})
        quantity = quantity.where(~fractional, 1)
    return lines.assign(quantity=quantity.astype(np.int32))
