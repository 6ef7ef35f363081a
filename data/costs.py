"""What an item costs the shop: from the log where it says so, else from a named assumption."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from bundlegym.data.catalogue import called
from bundlegym.data.weeks import days_since
from bundlegym.errors import UserError

#: Gross margin as a share of sales, by a word in the department's name; the first that fits counts.
#: The last column says where it comes from, see `MARGIN_SOURCES`.
DEPARTMENT_MARGINS: tuple[tuple[str, float, str], ...] = (
    ("FROZEN", 0.30, "rule of thumb"),
    ("DAIRY", 0.30, "rule of thumb"),
    ("PRODUCE", 0.308, "NGA Foundation 2020"),
    ("MEAT", 0.29, "rule of thumb"),
    ("DELI", 0.40, "rule of thumb"),
    ("BAKERY", 0.55, "rule of thumb"),
    ("PASTRY", 0.55, "rule of thumb"),
    ("GROCERY", 0.25, "rule of thumb"),
)
DEFAULT_MARGIN = 0.28
MARGIN_SOURCES = {
    "rule of thumb": (
        "figures for US supermarkets that the trade press repeats without naming a survey (dry grocery 25 %, "
        "frozen 30 %, dairy 30 %, meat 28-30 %, deli 40 %, bakery 55 %), as quoted at "
        "https://www.expunct.com/business/there-sure-are-some-weird-beliefs-out-there/"
    ),
    "NGA Foundation 2020": (
        "National Grocers Association Foundation, retail pricing primer (a 2020 survey: produce 30.8 %), "
        "https://nationalgrocers.org/ngafta_news/ethel-recinos-and-chelsea-matzen-project-manager"
    ),
    "default": (
        "National Grocers Association and FMS Solutions, 2020 Independent Grocers Financial Survey (28 % "
        "across departments), Supermarket News, 13 August 2020, https://supermarketnews.com/foodservice-retail/"
        "strong-2019-positioned-independent-grocers-well-for-strange-2020"
    ),
}


#: Margin shares of the list price outside this range are taken for errors of the log.
LEAST_MARGIN, GREATEST_MARGIN = -0.5, 0.9
#: Where more than this share of the item-weeks is outside, the costs as a whole must be wrong.
MOST_ERRORS = 0.05


def unit_costs(
    items: pd.DataFrame,
    list_price: np.ndarray,
    gross_margin: float | None = None,
    logged: np.ndarray | None = None,
) -> tuple[np.ndarray, dict[str, str]]:
    """Unit cost by item and week, and the assumption made where the log has none.

    Args:
        items: `department`, and `unit_cost` (NaN where unknown).
        list_price: (n_items, n_weeks).
        gross_margin: share of list price in [0, 0.9], instead of the table by department.
        logged: (n_items, n_weeks) costs by week, NaN where unknown, which win over those of `items`.

    Returns:
        Cost in the log's currency, (n_items, n_weeks) float32; and `{}` or `{"unit_cost": sentence}`. A cost
        of `items` is the same in all weeks. An assumed one is list price of the week x (1 - margin):
        where the price of a piece moves because another weight lay on the scales, the cost moves along. The
        margins are shares of realised sales, promotions included, so that costs from list prices err upwards
        and margins earned come out on the low side.

    Raises:
        UserError: `gross_margin` is outside [0, 0.9].
    """
    if gross_margin is not None and not 0 <= gross_margin <= GREATEST_MARGIN:
        raise UserError(f"gross_margin must be a share from 0 to {GREATEST_MARGIN}, but is {gross_margin}")
    known = np.broadcast_to(items["unit_cost"].to_numpy(np.float64)[:, None], list_price.shape)
    if logged is not None:
        known = np.where(np.isnan(logged), known, logged)
    by_department = items["department"].map(lambda name: _margin_of(name)[1])
    margin = by_department if gross_margin is None else gross_margin
    share = np.broadcast_to(margin, len(items))[:, None]
    costs = np.where(np.isnan(known), list_price * (1 - share), known).astype(np.float32)
    unknown = items["department"][np.isnan(known).any(1)]
    return costs, {} if unknown.empty else {"unit_cost": _sentence(unknown, len(items), gross_margin)}


def weekly_costs(costs: pd.DataFrame, item_ids: np.ndarray, origin: pd.Timestamp, n_weeks: int) -> np.ndarray:
    """(n_items, n_weeks) mean over a week's days of the cost that counts on each; NaN without any.

    A cost counts from its day to the item's next one; the item's first also counts before.

    Args:
        costs: `item` (the log's ids), `first_day`, `unit_cost`; one row an item and day.
        origin: the first day of week 0.
    """
    rows = costs[costs["item"].isin(item_ids)].sort_values("first_day", kind="stable")
    daily = np.full((len(item_ids), 7 * n_weeks), np.nan)
    day = days_since(rows["first_day"], origin).to_numpy()
    inside = day < 7 * n_weeks
    place = pd.Index(item_ids).get_indexer(rows["item"])[inside]
    # Of several costs from before the log, the latest is assigned last.
    daily[place, day[inside].clip(0)] = rows["unit_cost"].to_numpy(np.float64)[inside]
    filled = pd.DataFrame(daily).ffill(axis=1).bfill(axis=1).to_numpy()
    return filled.reshape(len(item_ids), n_weeks, 7).mean(axis=2)


def margin_errors(items: pd.DataFrame, list_price: np.ndarray, unit_cost: np.ndarray) -> list[dict]:
    """For the data report, JSON: none, or one entry where margin shares cannot be.

    A margin share is (list price - unit cost) / list price of an item in a week, with a sale or without. The
    entry says how many item-weeks are outside of the range, of how many items, and of the items farthest off
    (at most five) the farthest week. Such a log is used all the same, as long as they are few.

    Args:
        items: `item` and `name`.
        list_price, unit_cost: (n_items, n_weeks).

    Raises:
        UserError: more than `MOST_ERRORS` of the item-weeks are outside.
    """
    share = 1 - unit_cost.astype(np.float64) / list_price
    # Rounding to float32 must not make an error of a margin that is just as great as it may be.
    excess = np.maximum(LEAST_MARGIN - share, share - GREATEST_MARGIN) - 1e-6
    outside = excess > 0
    if not outside.any():
        return []
    week, farthest = excess.argmax(1), excess.max(1)
    worst: list[dict[str, Any]] = [
        {
            "item": called(items, item),
            "week": int(week[item]),
            "list_price": round(float(list_price[item, week[item]]), 4),
            "unit_cost": round(float(unit_cost[item, week[item]]), 4),
            "margin_share": round(float(share[item, week[item]]), 4),
        }
        for item in np.argsort(-farthest, kind="stable")[:5]
        if farthest[item] > 0
    ]
    told = "; ".join(
        f"{w['item']}: {w['margin_share']:.0%} in week {w['week'] + 1} (list price {w['list_price']:.2f}, "
        f"unit cost {w['unit_cost']:.2f})"
        for w in worst
    )
    n_items = int(outside.any(1).sum())
    sentence = (
        f"{int(outside.sum()):,} of {outside.size:,} item-weeks, of {n_items:,} item(s), have a margin share "
        f"outside {LEAST_MARGIN:.0%} to {GREATEST_MARGIN:.0%} of the list price; the farthest off: {told}. "
        "Check their unit costs: they must be those of a piece, like prices, in the same currency. Leave the "
        "cost of an item empty where it is not known, or where the item is sold by weight; it is then taken "
        "as a share of the week's list price"
    )
    if outside.mean() > MOST_ERRORS:
        raise UserError(f"unit_cost: {sentence}")
    return [{"name": "margin_share", "cells": int(outside.sum()), "share": float(outside.mean()),
             "items": n_items, "worst": worst, "sentence": sentence}]  # fmt: skip


def _margin_of(department: str) -> tuple[str, float, str]:
    """The row of `DEPARTMENT_MARGINS` whose word is in the department's name, or that of all others."""
    name = department.upper()
    others = ("others", DEFAULT_MARGIN, "default")
    return next((row for row in DEPARTMENT_MARGINS if row[0] in name), others)


def _sentence(unknown: pd.Series, total: int, gross_margin: float | None) -> str:
    """What is assumed of items without a cost; `unknown` holds the department of each."""
    start = (
        f"the log gives no unit cost for {len(unknown):,} of {total:,} items; taken as the week's list price "
        "x (1 - margin)"
    )
    if gross_margin is not None:
        return f"{start}, with the chosen gross margin of {gross_margin:.1%}"
    rows = list(dict.fromkeys(map(_margin_of, unknown)))
    table = ", ".join(f"{word.lower()} {margin:.1%} [{source}]" for word, margin, source in rows)
    sources = "; ".join(f"[{key}] {MARGIN_SOURCES[key]}" for key in dict.fromkeys(row[2] for row in rows))
    return f"{start}, by department: {table}; --gross-margin overrules. {sources}"
