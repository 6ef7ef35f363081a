"""Which items are sold by weight: their price a piece is the price of what lay on the scales.

Such an item's list price moves from line to line though the shop changed nothing, and so does its weekly
median. A cost that stays the same while that price moves makes margins out of nothing.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from bundlegym.data.catalogue import called
from bundlegym.data.regular_price import ASKED, asked_price
from bundlegym.data.row_blocks import frames_by

#: An item is sold by weight where quantity is 1 on this share of its lines or more (meat is often bought as
#: two packs), and the price asked moves by more than `MOVE` from one line to the next on `MOVING_SHARE`.
SINGLE_SHARE, MOVE, MOVING_SHARE = 0.75, 0.1, 0.6
#: Items with fewer lines are not told apart from others.
MIN_LINES = 20


def weighed_items(lines: pd.DataFrame) -> np.ndarray:
    """(n_items,) bool, in the order of the item codes: what is sold by weight, by the rule above.

    An item code for goods of many prices (single stems, cakes to order) looks the same and counts, too. The
    price asked is the price paid plus coupon discount, so that a log without list prices tells it as well.
    Prices of a shelf move from line to line only where stores or weeks differ, which is less often.

    Args:
        lines: `item` (codes from 0, each with a line), `time`, `quantity`, `price_paid`, optionally
            `coupon_discount` and `line_discount`; of one item in order of time.
    """
    parts = frames_by(lines, "item", "item", "time", "quantity", *ASKED)
    return np.concatenate([_weighed(part) for part in parts])


def _weighed(lines: pd.DataFrame) -> np.ndarray:
    """Of the items of these lines, which are in order of the items, in the order of their codes."""
    item, time = lines["item"].to_numpy(), lines["time"].to_numpy()
    asked = np.log(asked_price(lines).clip(lower=np.finfo(float).tiny)).to_numpy()
    single = (lines["quantity"] == 1).to_numpy()
    if (time[1:] < time[:-1])[item[1:] == item[:-1]].any():
        order = np.lexsort((time, item))
        item, asked, single = item[order], asked[order], single[order]
    begins = np.flatnonzero(np.r_[True, item[1:] != item[:-1]])
    moves = np.r_[False, (np.abs(np.diff(asked)) > np.log1p(MOVE)) & (item[1:] == item[:-1])]
    count = np.diff(begins, append=len(item))
    moving, alone = (np.add.reduceat(flags, begins, dtype=np.int64) for flags in (moves, single))
    enough = (count >= MIN_LINES) & (alone / count >= SINGLE_SHARE)
    return enough & (moving >= MOVING_SHARE * (count - 1))


def weighed_report(items: pd.DataFrame, lines: pd.DataFrame) -> dict:
    """For the data report, JSON: how many items are `weighed`, their share of the lines, and the names of
    those with most lines."""
    count = lines["item"].value_counts()
    weighed = items.index[items["weighed"]]
    most = count.reindex(weighed).sort_values(ascending=False, kind="stable").index[:10]
    return {
        "items": len(weighed),
        "share_of_lines": float(count.reindex(weighed).sum() / len(lines)),
        "most_bought": [called(items, item) for item in most],
    }
