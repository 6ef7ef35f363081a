"""Which items are in the catalogue, and what the shelf asked for them and showed of them week by week."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bundlegym.data.regular_price import ASKED, REACH, asked_price
from bundlegym.data.row_blocks import frames_by, parts_by
from bundlegym.errors import UserError

ITEM_TEXT_COLUMNS = ("name", "department", "category", "subcategory", "brand")


def select_items(lines: pd.DataFrame, min_purchases: int) -> np.ndarray:
    """Sorted ids of the items with at least `min_purchases` lines.

    Lines are counted over the whole log, all weeks and shoppers. That decides membership of the catalogue
    alone; whatever ranks or models items must count on the training weeks and shoppers itself.

    Raises:
        UserError: `min_purchases` is below 1, or no item has so many.
    """
    if min_purchases < 1:
        raise UserError(f"min_purchases must be at least 1, but is {min_purchases}")
    counts = lines["item"].value_counts()
    chosen = counts.index[counts >= min_purchases]
    if chosen.empty:
        raise UserError(
            f"min_purchases: no item has {min_purchases} purchases or more; the most bought one has "
            f"{counts.max()}"
        )
    return np.sort(chosen.to_numpy())


def describe_items(item_ids: np.ndarray, items: pd.DataFrame | None) -> pd.DataFrame:
    """A row an item in code order: `item`, `ITEM_TEXT_COLUMNS` ("" if unknown), `unit_cost` (NaN if so). In a
    log without categories, subcategories are taken for them."""
    table = pd.DataFrame({"item": item_ids})
    if items is not None:
        table = table.merge(items, on="item", how="left")
    for column in ITEM_TEXT_COLUMNS:
        table[column] = table[column].fillna("").astype("str") if column in table else ""
    if (table["category"] == "").all():
        table["category"] = table["subcategory"]
    table["unit_cost"] = table["unit_cost"].astype(np.float64) if "unit_cost" in table else np.nan
    return table[["item", *ITEM_TEXT_COLUMNS, "unit_cost"]]


def called(items: pd.DataFrame, item: int) -> str:
    """'Bananas, national, 40 lb (item 1082185)'; the id alone where the item has no name."""
    row = items.loc[item]
    return f"{row['name']} (item {row['item']})" if row["name"] else f"item {row['item']}"


def price_lines(items: pd.DataFrame) -> np.ndarray:
    """(n_items,) int64 code of the price line of each item: those of one subcategory, brand and list price,
    such as the flavours of a yogurt, which a shop prices and promotes together. An item of which the log says
    nothing but a price is a line of its own."""
    texts = items[["category", "subcategory", "brand"]].astype(str)
    keys = texts.assign(list_price=items["list_price"].astype(str))
    keys["alone"] = np.where((texts == "").all(axis=1), np.arange(len(items)), -1)
    return pd.MultiIndex.from_frame(keys).factorize()[0]


def price_tables(
    lines: pd.DataFrame, price_line: np.ndarray, n_weeks: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """List and shelf prices by item and week, and where they were seen.

    List price: the median over the item's lines in that week, and in weeks without a sale that of the last
    week before with one, or else of the first after. Shelf price: the median of the price asked for a piece,
    at most the list price. In weeks without a sale it is as much below the list price as the mean of the
    item's price line; where none of that was sold either, as in the weeks with a sale before and after,
    whichever was less below, if both are near enough for one promotion (`REACH` weeks). To take such weeks as
    not promoted would make promotions look as if only they sold.

    Args:
        lines: `item` and `week` (codes from 0), `list_price`, `price_paid`, optionally `coupon_discount`
            and `line_discount`. Every item has at least one line.
        price_line: (n_items,) codes as of `price_lines`.

    Returns:
        list_price, shelf_price: (n_items, n_weeks) float32. sold: (n_items, n_weeks) bool.
    """
    listed, shelf = (np.full((len(price_line), n_weeks), np.nan) for _ in range(2))
    for part in frames_by(lines, "item", "item", "week", "list_price", *ASKED):
        cells = part[["item", "week", "list_price"]].assign(shelf_price=asked_price(part))
        medians = cells.groupby(["item", "week"]).median()
        where = (medians.index.get_level_values("item"), medians.index.get_level_values("week"))
        listed[where] = medians["list_price"]
        shelf[where] = medians["shelf_price"]
    sold = ~np.isnan(listed)
    list_price, shelf_price = (np.empty(listed.shape, dtype=np.float32) for _ in range(2))
    for items in parts_by(price_line, n_weeks):
        filled = _without_gaps(listed[items], shelf[items], price_line[items] - price_line[items[0]])
        list_price[items], shelf_price[items] = filled
    return list_price, shelf_price, sold


def _without_gaps(
    listed: np.ndarray, shelf: np.ndarray, price_line: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """List and shelf prices (n, n_weeks) of the items of some price lines, weeks without a sale filled."""
    sold = ~np.isnan(listed)
    listed = pd.DataFrame(listed).ffill(axis=1).bfill(axis=1).to_numpy()
    ratio = np.where(sold, np.minimum(shelf / listed, 1.0), np.nan)
    ratio = np.where(sold, ratio, _line_ratio(ratio, price_line))
    known = pd.DataFrame(ratio)
    before, after = known.ffill(axis=1, limit=REACH), known.bfill(axis=1, limit=REACH)
    ratio = np.maximum(before.fillna(1.0).to_numpy(), after.fillna(1.0).to_numpy())
    return listed, np.where(sold, np.minimum(shelf, listed), np.minimum(listed * ratio, listed))


def _line_ratio(ratio: np.ndarray, price_line: np.ndarray) -> np.ndarray:
    """(n_items, n_weeks) mean over each price line's items of what is known of `ratio`, else NaN."""
    known = ~np.isnan(ratio)
    total, count = (np.zeros((price_line.max() + 1, ratio.shape[1])) for _ in range(2))
    np.add.at(total, price_line, np.where(known, ratio, 0.0))
    np.add.at(count, price_line, known)
    with np.errstate(invalid="ignore"):
        return (total / count)[price_line]


def promotion_tables(promotions: pd.DataFrame, n_items: int, n_weeks: int) -> tuple[np.ndarray, np.ndarray]:
    """Display and mailer shares, both (n_items, n_weeks) float32, 0 where none is logged.

    Args:
        promotions: `item` and `week` (codes from 0), `display`, `mailer`. Of several rows for a cell the
            greatest share counts.
    """
    cell = (promotions["item"].to_numpy(), promotions["week"].to_numpy())
    display, mailer = (np.zeros((n_items, n_weeks), dtype=np.float32) for _ in range(2))
    np.maximum.at(display, cell, promotions["display"].to_numpy(dtype=np.float32))
    np.maximum.at(mailer, cell, promotions["mailer"].to_numpy(dtype=np.float32))
    return display, mailer
