"""What a shop has in its books, and how a shopper is asked for by it: nothing here needs torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from bundlegym.data import Dataset
from bundlegym.deployment.answers import MadeOffer, OfferedItem
from bundlegym.deployment.histories import History, codes_of, day_of, read_history
from bundlegym.deployment.restricted import restricted_items
from bundlegym.errors import UserError
from bundlegym.recommenders.shopper_tables import Purchases, ShopperRule, ShopperTables

#: By which items are left out.
LEVELS = ("department", "category", "subcategory")


@dataclass(frozen=True)
class Asked:
    """N shoppers whom offers are made to, none twice.

    Attributes:
        names: of each, as the log or the caller calls them; they seed what is drawn for each.
        code: (N,) int64, the log's code, or from the log's number of shoppers on for those it does not know.
        more: the purchases of those whom the log does not know, under their codes.
    """

    names: tuple[str, ...]
    code: np.ndarray
    more: Purchases

    def of(self, rows: np.ndarray) -> Asked:
        """Some of them, by their numbers."""
        return Asked(tuple(self.names[i] for i in rows), self.code[rows], self.more)


@dataclass(frozen=True)
class Standing:
    """N shoppers before a visit on a day.

    Attributes:
        tables: what the shop reads off their purchases.
        last: (N, L) int16, the day on which each shortlisted item was last bought, -1 for never.
    """

    tables: ShopperTables
    last: np.ndarray


@dataclass(frozen=True)
class Ledger:
    """Catalogue, prices and purchases of a log (S shoppers, I items, W weeks).

    Attributes:
        log: its name.
        start: the first day of week 0.
        shopper_ids: (S,) item_ids, item_names: (I,) text.
        groups: (3, I) text, `LEVELS` of each item.
        shelf_price, unit_cost: (W, I) money a piece.
        rule: how tables of shoppers are made.
        bought: what the shoppers of the log bought, shopper by shopper.
    """

    log: str
    start: pd.Timestamp
    shopper_ids: np.ndarray
    item_ids: np.ndarray
    item_names: np.ndarray
    groups: np.ndarray
    shelf_price: np.ndarray
    unit_cost: np.ndarray
    rule: ShopperRule
    bought: Purchases

    @staticmethod
    def of(dataset: Dataset, rule: ShopperRule, item_names: Sequence[str]) -> Ledger:
        """The books of a prepared log."""
        items = dataset.items
        return Ledger(
            log=dataset.name,
            start=dataset.start,
            shopper_ids=dataset.shoppers["shopper"].astype(str).to_numpy(dtype=str),
            item_ids=items["item"].astype(str).to_numpy(dtype=str),
            item_names=np.array(item_names, dtype=str),
            groups=np.stack([items[level].astype(str).to_numpy(dtype=str) for level in LEVELS]),
            shelf_price=np.ascontiguousarray(dataset.shelf_price.T),
            unit_cost=np.ascontiguousarray(dataset.unit_cost.T),
            rule=rule,
            bought=Purchases.of(dataset),
        )

    @property
    def n_shoppers(self) -> int:
        return len(self.shopper_ids)

    @property
    def n_items(self) -> int:
        return len(self.item_ids)

    @cached_property
    def items(self) -> dict[str, int]:
        """Codes of items by id."""
        return {item: code for code, item in enumerate(self.item_ids.tolist())}

    @cached_property
    def shoppers(self) -> dict[str, int]:
        """Codes of shoppers by id."""
        return {shopper: code for code, shopper in enumerate(self.shopper_ids.tolist())}

    @cached_property
    def _first_line(self) -> np.ndarray:
        """(S + 1,) int64, where in `bought` each shopper's lines begin."""
        return np.searchsorted(self.bought.shopper, np.arange(self.n_shoppers + 1))

    @cached_property
    def _next_day(self) -> int:
        return int(self.bought.day.max()) + 1

    def day(self, date: str | None) -> int:
        """Days from `start` to a date, by default the first after the log's last visit.

        Raises:
            UserError: it is no date, or lies before the log.
        """
        day = self._next_day if date is None else day_of(date, self.start)
        if day < 0:
            raise UserError(f"--day {date}: lies before the log, which begins on {self.start.date()}")
        if day > np.iinfo(np.int16).max:
            raise UserError(f"--day {date}: lies too long after the log, which begins on {self.start.date()}")
        return day

    def date(self, day: int) -> str:
        """A day as 2017-12-04."""
        return (self.start + pd.Timedelta(days=day)).date().isoformat()

    def week(self, day: int) -> int:
        """Of the tables by week; the log's last one for later days."""
        return min(max(day // 7, 0), len(self.shelf_price) - 1)

    def prices(self, day: int) -> tuple[np.ndarray, np.ndarray]:
        """(I,) each: shelf price and unit cost on a day."""
        return self.shelf_price[self.week(day)], self.unit_cost[self.week(day)]

    # --- who is asked for ---------------------------------------------------------------------------------

    def ask(self, shoppers: Sequence[object] | None = None) -> Asked:
        """Shoppers of the log by their ids; by default all.

        Raises:
            UserError: the log does not know one.
        """
        code = np.arange(self.n_shoppers) if shoppers is None else codes_of(shoppers, self.shoppers)
        if (code < 0).any():
            strange = np.flatnonzero(code < 0)
            if len(code) == 1:
                raise UserError(
                    f"shopper {list(shoppers or ())[0]}: {self.log} knows none of that id; give a history of "
                    "what they bought"
                )
            raise UserError(
                f"{self.log} does not know {len(strange)} of {len(code)} ids of shoppers, the first of them "
                f"number {strange[0] + 1}; leave them out, or give a history of what they bought"
            )
        none = np.zeros(0, dtype=np.int64)
        return Asked(tuple(self.shopper_ids[code].tolist()), code, Purchases(none, none, none, none))

    def ask_new(self, history: History, name: str = "") -> tuple[Asked, tuple[str, ...]]:
        """A shopper of one's own history, and the items of it that are none of the catalogue's."""
        bought, unknown = read_history(history, self.items, self.start)
        code = np.array([self.n_shoppers], dtype=np.int64)
        more = Purchases(bought.shopper + code, bought.visit, bought.item, bought.day)
        return Asked((name,), code, more), unknown

    def standing(
        self, asked: Asked, day: int, excluded: np.ndarray, score: np.ndarray | None = None
    ) -> Standing:
        """How those who are asked for stand on `day`.

        Args:
            excluded: (N, I) or (I,) bool, what stands on no shortlist.
            score: (N, I) of a recommender in place of shares of purchase lines.
        """
        here = self.bought_by(asked)
        return Standing(*self.rule.as_of(here, len(asked.code), day, score=score, excluded=excluded))

    def bought_by(self, asked: Asked) -> Purchases:
        """All purchases of the N shoppers who are asked for, who are numbered from 0."""
        known = asked.code[asked.code < self.n_shoppers]
        first = self._first_line
        lines = [np.arange(first[code], first[code + 1]) for code in known]
        mine = self.bought.where(np.concatenate(lines) if lines else np.zeros(0, dtype=np.int64))
        joined = mine.joined(asked.more)
        order = np.argsort(asked.code)
        row = order[np.searchsorted(asked.code[order], joined.shopper)]
        return Purchases(row, joined.visit, joined.item, joined.day)

    # --- what is offered ----------------------------------------------------------------------------------

    def excluded(self, items: Sequence[object] = (), groups: Sequence[str] = ()) -> np.ndarray:
        """(I,) bool of items by id, and of all in departments, categories or subcategories by name.

        Raises:
            UserError: the catalogue has no such item or category.
        """
        mask = np.zeros(self.n_items, dtype=bool)
        if len(items):
            codes = codes_of(items, self.items)
            if (codes < 0).any():
                strange = list(items)[int(np.flatnonzero(codes < 0)[0])]
                raise UserError(f"item {strange}: not in the catalogue")
            mask[codes] = True
        for group in groups:
            within = (self._folded_groups == group.casefold()).any(0)
            if not within.any():
                raise UserError(f"category {group}: no department, category or subcategory of that name")
            mask |= within
        return mask

    def restricted(self, preset: str) -> np.ndarray:
        """(I,) bool, what a preset of `restricted` leaves out by names and groups."""
        said = zip(*self.groups.tolist(), self.item_names.tolist(), strict=True)
        return restricted_items(map(" ".join, said), preset)

    def all_excluded(
        self, items: Sequence[object], groups: Sequence[str], presets: Sequence[str]
    ) -> np.ndarray:
        """(I,) bool, by ids, by groups and by presets."""
        return np.any([self.excluded(items, groups), *map(self.restricted, presets)], axis=0)

    @cached_property
    def _folded_groups(self) -> np.ndarray:
        return np.array([[name.casefold() for name in row] for row in self.groups.tolist()], dtype=str)

    def check_left(self, excluded: np.ndarray, needed: int) -> None:
        """Raise a `UserError` where fewer than `needed` items can be candidates."""
        left = self.n_items - int(excluded.sum(-1).max())
        if left < needed:
            raise UserError(f"{left} items are left to be offered; the policy needs {needed} candidates")

    def told(self, items: Sequence[int], discount: float, day: int) -> MadeOffer:
        """An offer of item codes in the log's own ids and names."""
        price, _ = self.prices(day)
        told = (
            OfferedItem(str(self.item_ids[i]), str(self.item_names[i]), round(float(price[i]), 4))
            for i in items
        )
        return MadeOffer(tuple(told), round(float(discount), 6))
