"""Regular prices for a log that has none, and quantity discounts, which are no promotions.

A promotion is a price cut that is taken back within weeks (the V-shaped sale of Nakamura and Steinsson 2008,
"Five facts about prices", Quarterly Journal of Economics 123). Two other things look like it in prices paid:
a cut that stays, which is a new regular price, and a lower price from a number of pieces on, which the shelf
asks every week. So prices of large quantities are put back to what one piece cost; then the regular price is
the level that closes over a dip. A level is a price that recurs (Kehoe and Midrigan 2015, "Prices are sticky
after all", Journal of Monetary Economics 75, ask for as large a share of the weeks around): prices that move
all the time, as of what is sold by weight, have no promotions that could be told.
"""

from __future__ import annotations

import functools
import operator

import numpy as np
import pandas as pd

from bundlegym.data.ids import sorted_codes
from bundlegym.data.row_blocks import parts_by
from bundlegym.data.weeks import first_monday, week_of

#: A promotion is over within so many weeks; and so far around is a price looked for that recurs.
REACH = 5
#: A price recurs if it was asked in two weeks or more, and in this share of the weeks around with a sale.
LEAST_SHARE = 1 / 3
#: Prices that differ by less, in proportion, are the same.
SAME = 0.005
#: An item has a quantity discount where this share of the lines from a quantity on, and no more than that
#: share of the others, paid at least `LEAST_DISCOUNT` less than what is usual for few pieces.
SHARE_ABOVE, SHARE_BELOW, LEAST_DISCOUNT = 0.5, 0.15, 0.01
#: Least number of lines on either side.
LEAST_LINES = 10
#: Shoppers of an item and week who show what is the shelf's price and what a shopper's own.
SEVERAL = 3
#: Weeks in which prices of few and of many pieces are compared.
BLOCK = 4
_ITEMS_AT_ONCE = 20_000
#: What is known of an item in a week, as of `_prices_of_few`.
_CELLS = {"item": np.int32, "week": np.int32, "shoppers": np.int32, "price": np.float64}


#: What makes up the price that the shelf asked.
ASKED = ("price_paid", "coupon_discount", "line_discount")


def asked_price(lines: pd.DataFrame) -> pd.Series:
    """What the shelf asked for one piece: the price paid, what a coupon took off it, and what the line had
    off that others had not."""
    given = [lines[name] for name in ASKED if name in lines]
    return functools.reduce(operator.add, given)


def derive_list_price(lines: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """`list_price` and `line_discount` of each line, and what is assumed.

    What the shelf asks in a week is the upper median of prices of few pieces (`_shelf_prices`). A line that
    paid less had a `line_discount`, money off one piece: for its quantity, or because of who bought. A list
    price is the item's regular price that week, or what the line paid if that is more.
    """
    quantity = lines["quantity"].to_numpy()
    sale = ((asked_price(lines) > 0) & (lines["quantity"] > 0)).to_numpy()
    if not sale.any():  # returns and gifts alone, which cleaning leaves out
        none = pd.DataFrame({"list_price": asked_price(lines), "line_discount": 0.0}, index=lines.index)
        return none, "the log has no list prices, and no sale to tell any from"
    monday = first_monday(lines["time"])
    shopper, item = sorted_codes(lines["shopper"]), sorted_codes(lines["item"])
    number = _numbers(item)
    parts = list(parts_by(number[item]))
    given = {name: lines[name] for name in ("time", *ASKED) if name in lines}

    def of(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Item, week and price asked of some lines."""
        part = pd.DataFrame({name: values.iloc[rows] for name, values in given.items()}, copy=False)
        week = week_of(part["time"], monday).to_numpy(np.int32)
        return number[item[rows]], week, asked_price(part).to_numpy(np.float64)

    discounted = known = cheaper = count = 0
    # One array a column, filled bit by bit: what is kept between the parts would scatter their memory.
    cells = {name: np.empty(len(lines), dtype=kind) for name, kind in _CELLS.items()}
    for rows in (sold for rows in parts if len(sold := rows[sale[rows]])):
        items, weeks, asked = of(rows)
        off, found = quantity_discounts(items, weeks, quantity[rows].astype(np.float64), asked)
        discounted += found
        few = {"item": items, "week": weeks, "shopper": shopper[rows], "price": asked + off}
        found_cells = _prices_of_few(pd.DataFrame(few))
        shoppers, price = _at(found_cells, items, weeks, "shoppers", "price")
        low, several = asked + off < (1 - LEAST_DISCOUNT) * price, shoppers >= SEVERAL
        known, cheaper = known + int(several.sum()), cheaper + int((low & several).sum())
        for name, values in cells.items():
            values[count : count + len(found_cells)] = found_cells[name]
        count += len(found_cells)
    prices = pd.DataFrame({name: cells.pop(name)[:count] for name in _CELLS}, copy=False)
    prices = _shelf_prices(prices, cheaper / known if known else None)
    list_price, line_discount = np.empty(len(lines)), np.empty(len(lines))
    for rows in parts:
        items, weeks, asked = of(rows)
        shelf, regular = _at(prices, items, weeks, "shelf", "regular")
        off = np.where(sale[rows], np.maximum(shelf - asked, 0.0), 0.0)
        line_discount[rows] = off
        list_price[rows] = np.fmax(regular, asked + off)
    columns = {"list_price": list_price, "line_discount": line_discount}
    derived = pd.DataFrame(columns, index=lines.index, copy=False)
    told = f"; {discounted:,} items cost less a piece from a quantity on, which is no promotion"
    return derived, (
        "the log has no list prices; taken as what an item cost before and after, where it was cheaper for "
        f"{REACH} weeks or less, and as what was paid elsewhere" + (told if discounted else "")
    )


def _numbers(code: np.ndarray) -> np.ndarray:
    """(greatest + 1,) int32, a number for each of `code` (n,), as they appear."""
    found = pd.unique(code)
    number = np.zeros(int(found.max()) + 1, dtype=np.int32)
    number[found] = np.arange(len(found))
    return number


def _prices_of_few(lines: pd.DataFrame) -> pd.DataFrame:
    """A row an `item` and `week` of the lines: how many `shoppers` there were, and the `price` of few
    pieces."""
    groups = lines.groupby(["item", "week"])
    cells = groups.agg(shoppers=("shopper", "nunique"))
    cells["price"] = groups["price"].quantile(0.5, interpolation="higher")
    return cells.reset_index()


def _at(prices: pd.DataFrame, item: np.ndarray, week: np.ndarray, *names: str) -> list[np.ndarray]:
    """The columns `names` of `prices`, which are in order of items and weeks, for each line (n,); NaN where
    there is no row. `item` is ascending."""
    first, end = np.searchsorted(prices["item"], [item[0], item[-1] + 1])
    part = prices.iloc[first:end]
    there = _cell(part["item"].to_numpy(), part["week"].to_numpy())
    wanted = _cell(item, week)
    place = np.searchsorted(there, wanted)
    place[np.append(there, -1)[place] != wanted] = -1
    return [np.append(part[name].to_numpy(np.float64), np.nan)[place] for name in names]


def _cell(item: np.ndarray, week: np.ndarray) -> np.ndarray:
    """One number for both, in their order."""
    return (item.astype(np.int64) << 32) + week


def _shelf_prices(prices: pd.DataFrame, own: float | None) -> pd.DataFrame:
    """`prices` as of `_prices_of_few` with the `shelf`'s price and the `regular` one.

    Where prices of a shopper's own are more frequent than promotions, a low price that only few shoppers paid
    is no promotion: r^n is the chance that n shoppers have one each. How frequent promotions are is seen
    where several shoppers bought an item in a week.

    Args:
        own: r, also seen there: the share of the lines that paid less than the shelf's price; None where it
            is not known.
    """
    item, week, paid = (prices[name].to_numpy() for name in ("item", "week", "price"))
    regular, weeks = np.empty(len(prices)), int(week.max()) + 1
    for first in range(0, int(item[-1]) + 1, _ITEMS_AT_ONCE):
        rows = slice(*np.searchsorted(item, [first, first + _ITEMS_AT_ONCE]))
        price = np.full((min(_ITEMS_AT_ONCE, int(item[-1]) + 1 - first), weeks), np.nan)
        price[item[rows] - first, week[rows]] = paid[rows]
        regular[rows] = regular_prices(price)[item[rows] - first, week[rows]]
    prices = prices.assign(regular=regular)
    promoted = prices["price"] < (1 - LEAST_DISCOUNT) * prices["regular"]
    if own is not None:
        promoted &= own ** prices["shoppers"] < promoted[prices["shoppers"] >= SEVERAL].mean()
    shelf = prices["price"].where(promoted, np.fmax(prices["price"], prices["regular"]))
    return prices[["item", "week", "regular"]].assign(shelf=shelf)


def regular_prices(price: np.ndarray) -> np.ndarray:
    """(I, W) regular price of each item and week; NaN where the item was not sold in that week.

    A price that recurs around is a level. Levels close over dips of up to `REACH` weeks (a morphological
    closing in time, which leaves steps where they are). Whether a cut in the last weeks will be taken back
    is not known yet: it is a promotion if most cuts were that looked so `REACH` weeks before.

    Args:
        price: (I, W) the shelf's, NaN where nothing was sold.
    """
    level = _levels(price)
    end = max(level.shape[1] - REACH, 0)
    window = slice(max(end - REACH, 0), end)  # the weeks in which cuts looked so, and are known by now
    asked = (1 + SAME) * price[:, window]
    looked = _closing(level[:, :end], open_end=True)[:, window] > asked
    taken_back = (_closing(level, open_end=False)[:, window] > asked) & looked
    closed = _closing(level, open_end=bool(2 * taken_back.sum() >= looked.sum()))
    return np.where(np.isnan(price), np.nan, np.fmax(closed, price))


def _levels(price: np.ndarray) -> np.ndarray:
    """(I, W) `price` where it recurs around, NaN elsewhere."""
    n_weeks = price.shape[1]
    alike, around = np.zeros(price.shape), np.zeros(price.shape)
    for shift in range(-min(REACH, n_weeks - 1), min(REACH, n_weeks - 1) + 1):
        here = slice(max(0, -shift), n_weeks - max(0, shift))
        there = slice(max(0, shift), n_weeks - max(0, -shift))
        alike[:, here] += np.abs(price[:, there] / price[:, here] - 1) < SAME
        around[:, here] += ~np.isnan(price[:, there])
    return np.where((alike >= 2) & (alike >= LEAST_SHARE * around), price, np.nan)


def _closing(level: np.ndarray, open_end: bool) -> np.ndarray:
    """(I, W) least of the maxima of all spans of `REACH` + 1 weeks that hold a week, NaN without any. With
    `open_end` spans lie within the log, so that a dip at its end is closed; else they may reach beyond."""
    beyond = 0 if open_end else REACH
    level = np.pad(level, ((0, 0), (0, beyond)), constant_values=np.nan)
    n_weeks = level.shape[1]
    size = min(REACH + 1, n_weeks)
    spans = n_weeks - size + 1
    highest = np.full((len(level), spans), np.nan)
    for shift in range(size):
        highest = np.fmax(highest, level[:, shift : shift + spans])
    closed = np.full(level.shape, np.nan)
    for shift in range(size):
        closed[:, shift : shift + spans] = np.fmin(closed[:, shift : shift + spans], highest)
    return closed[:, : n_weeks - beyond]


def quantity_discounts(
    item: np.ndarray, week: np.ndarray, quantity: np.ndarray, price: np.ndarray
) -> tuple[np.ndarray, int]:
    """Money off one piece for the quantity of each line (n,), and how many items have such a discount.

    Of each item, the quantity that parts its lines best by price (least squares) is taken for where the
    discount begins, if lines from there on are cheaper and the others are not, by the rule above. Prices are
    compared with the usual one of few pieces (up to the item's median quantity) in the same weeks.
    """
    lines = pd.DataFrame({"item": item, "block": week // BLOCK, "quantity": quantity, "price": price})
    few = lines["quantity"] <= lines.groupby("item")["quantity"].transform("median")
    prices = lines[few].groupby(["item", "block"])["price"].median().rename("usual").reset_index()
    usual = lines[["item", "block"]].merge(prices, how="left")["usual"].fillna(lines["price"]).to_numpy()
    lines = lines.assign(usual=usual, ratio=np.log(price / usual).clip(-1.0, 0.25))
    lines["cheaper"] = lines["ratio"] < np.log1p(-LEAST_DISCOUNT)
    by_quantity = lines.groupby(["item", "quantity"])[["ratio", "cheaper"]].agg(["size", "sum"])
    steps = pd.DataFrame(
        {
            "count": by_quantity["ratio", "size"],
            "ratio": by_quantity["ratio", "sum"],
            "cheaper": by_quantity["cheaper", "sum"].astype(float),
        }
    )
    below = steps.groupby(level="item").cumsum() - steps
    above = steps.groupby(level="item").transform("sum") - below
    means = [side["ratio"] / side["count"] for side in (below, above)]
    explained = above["count"] * below["count"] * (means[0] - means[1]) ** 2
    explained = explained.where(means[0] > means[1]).fillna(-1.0)
    best = explained.groupby(level="item").idxmax()
    below, above = below.loc[best], above.loc[best]
    found = (
        (np.minimum(below["count"], above["count"]) >= LEAST_LINES)
        & (above["cheaper"] >= SHARE_ABOVE * above["count"])
        & (below["cheaper"] <= SHARE_BELOW * below["count"])
    )
    breaks = pd.Series(dict(above.index[np.asarray(found)]), dtype=np.float64)
    many = quantity >= breaks.reindex(item).fillna(np.inf).to_numpy()
    return np.where(many, (usual - price).clip(min=0.0), 0.0), len(breaks)
