"""The contract of `data`: the raw `Log` that loaders give, and the encoded `Dataset` that models read.

Loading goes one way: a loader gives a `Log`; `clean` drops what cannot be used and counts it; `prepare`
selects the catalogue, splits weeks and shoppers and gives a `Dataset`, in which shoppers, items and visits
are integers from 0 and prices are dense item-by-week tables.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd

from bundlegym.data.campaigns import CampaignRecords, Campaigns
from bundlegym.data.item_vectors import ItemVectors

#: Columns of `Log.transactions`; one row an item bought. Times are datetimes; prices are per unit.
TRANSACTION_COLUMNS = ("shopper", "basket", "item", "time", "quantity", "price_paid", "list_price")
#: The columns without which a log cannot be used; `basket` is derived from shopper and day where missing.
REQUIRED_COLUMNS = ("shopper", "item", "time", "price_paid")


@dataclass(frozen=True)
class Log:
    """A shop's own records under canonical column names, before cleaning.

    Attributes:
        name: what to call this log in reports.
        transactions: columns `TRANSACTION_COLUMNS`, optionally `week` (int, from 1), `coupon_discount` and
            `line_discount` (per unit, contained in list price less price paid) and `store`.
        items: `item`, and where known `name`, `department`, `category`, `subcategory`, `brand`, `unit_cost`,
            and the columns that `--text` names.
        shoppers: `shopper` and any demographic columns, or None.
        promotions: `item`, `week`, `display`, `mailer` (share of stores in 0..1 that week), or None.
        campaigns: coupons that were sent out, or None.
        costs: `item`, `first_day` (datetime), `unit_cost`: what a piece costs from that day to the item's
            next row, or None. It wins over a cost in `items`.
        vectors: name -> vectors of the items, such as embeddings of their pictures.
        notes: sentences to print wherever results on this log are shown (licence, provenance, caveats).
        assumptions: name -> sentence, what the loader inferred, or assumed in place of a fact that the log
            does not state.
        dropped: reason -> rows of the file that the loader left out, since no line could be made of them.
    """

    name: str
    transactions: pd.DataFrame
    items: pd.DataFrame | None = None
    shoppers: pd.DataFrame | None = None
    promotions: pd.DataFrame | None = None
    campaigns: CampaignRecords | None = None
    costs: pd.DataFrame | None = None
    vectors: Mapping[str, ItemVectors] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    assumptions: dict[str, str] = field(default_factory=dict)
    dropped: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Split:
    """Which weeks and shoppers are for what. Weeks are 0-based indices into the tables of a `Dataset`.

    Attributes:
        train_weeks, validation_weeks, test_weeks: half-open ranges `(first, past_last)`.
        held_out: (n_shoppers,) bool; True for shoppers whom no fit may see.
    """

    train_weeks: tuple[int, int]
    validation_weeks: tuple[int, int]
    test_weeks: tuple[int, int]
    held_out: np.ndarray


@dataclass(frozen=True)
class Dataset:
    """A cleaned log, encoded. Shoppers, items and visits are integers from 0.

    Attributes:
        name: what to call the log in reports.
        items: a row an item in code order: `item` (the log's id), `name`, `department`, `category`,
            `subcategory`, `brand` (strings, "" where unknown), `list_price` (median), `weighed` (bool, sold
            by weight as far as the lines tell). What an item costs is in the table `unit_cost` alone.
        shoppers: a row a shopper in code order: `shopper` (the log's id) and demographic columns.
        visits: a row a visit, sorted by shopper then time: `shopper`, `day` (int, days since the first day
            of week 0), `week`, `basket` (the log's id). A visit whose items all fell out of the catalogue
            is dropped.
        purchases: a row a visit and item, sorted by visit: `visit`, `item`, `quantity` (int >= 1),
            `price_paid`, `list_price` (per unit).
        list_price: (n_items, n_weeks) float32, regular shelf price.
        shelf_price: (n_items, n_weeks) float32, what the shelf asked that week before coupons; at most
            `list_price`.
        unit_cost: (n_items, n_weeks) float32, what a piece costs the shop: the log's own number, of the week
            where it says so, or where it has none a share of that week's list price.
        display, mailer: (n_items, n_weeks) float32 in 0..1, the share of stores that showed the item so.
        split: weeks and shoppers for fitting and for judging.
        report: what cleaning dropped and why, which assumptions stand in for missing facts, what is sold by
            weight, and errors in the log that did not stop it; JSON.
        notes: those of the `Log`, then what of the report must be said beside every result.
        campaigns: coupons that were sent out, or None where the log has none.
        start: the first day of week 0, a Monday.
        vectors: name -> (n_items, E) float32, vectors of the items; an item that has none has only zeros.
    """

    name: str
    items: pd.DataFrame
    shoppers: pd.DataFrame
    visits: pd.DataFrame
    purchases: pd.DataFrame
    list_price: np.ndarray
    shelf_price: np.ndarray
    unit_cost: np.ndarray
    display: np.ndarray
    mailer: np.ndarray
    split: Split
    report: dict = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    campaigns: Campaigns | None = None
    start: pd.Timestamp = pd.Timestamp(0)
    vectors: Mapping[str, np.ndarray] = field(default_factory=dict)

    @cached_property
    def department_code(self) -> np.ndarray:
        """(n_items,) int64 code of each item's department, in the order of their names."""
        return _codes(self.items["department"].astype(str))

    @cached_property
    def subcategory_code(self) -> np.ndarray:
        """(n_items,) int64 code of each item's subcategory within its category, in the order of their
        names."""
        return _codes(self.items["category"].astype(str) + "|" + self.items["subcategory"].astype(str))

    def date(self, day: int) -> str:
        """A day of `visits` as 2024-07-01."""
        return f"{self.start + pd.Timedelta(days=day):%Y-%m-%d}"

    @property
    def n_items(self) -> int:
        return len(self.items)

    @property
    def n_shoppers(self) -> int:
        return len(self.shoppers)

    @property
    def n_weeks(self) -> int:
        return self.list_price.shape[1]


def _codes(names: pd.Series) -> np.ndarray:
    return pd.factorize(names, sort=True)[0].astype(np.int64)
