"""What `recommend` means, for whatever policy answers: several offers to one shopper that share no item."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np

from bundlegym.deployment.answers import Answer, MadeOffer
from bundlegym.deployment.histories import History
from bundlegym.deployment.ledger import Asked, Ledger
from bundlegym.deployment.limits import Limits
from bundlegym.deployment.picking import Visits, pick
from bundlegym.errors import UserError


class Recommending(ABC):
    """A policy outside the simulator.

    Attributes:
        ledger: the shop's books.
    """

    ledger: Ledger

    @abstractmethod
    def open(self, asked: Asked, day: int, excluded: np.ndarray) -> Visits:
        """The shoppers who are asked for, at the door on `day`, with their candidates before them.

        Args:
            excluded: (N, I) or (I,) bool, what no candidate may be.

        Raises:
            UserError: too few items are left.
        """

    def recommend(
        self,
        history: History | str | int,
        *,
        k: int = 1,
        day: str | None = None,
        name: str = "",
        exclude_items: Sequence[object] = (),
        limits: Limits = Limits(),  # noqa: B008 (frozen)
        excluded: np.ndarray | None = None,
    ) -> Answer:
        """Up to `k` offers that share no item; each is made as if the items of those before were not there.

        Args:
            history: the id of a shopper of the log; or a table of what a shopper bought with the columns
                item and time, and any of basket, quantity and price_paid, a row an item; without rows of
                somebody who bought nothing yet.
            day: date of the offer; by default the day after the log's last.
            name: of a shopper given by a table; it decides on their luck alone.
            exclude_items: ids of items that shall not be offered.
            limits: what an offer may not be.
            excluded: (I,) bool, further items that are not offered.

        Raises:
            UserError: the log knows no such shopper or item, or the table lacks a column.
        """
        if k < 1:
            raise UserError(f"k {k}: must be at least 1")
        ledger = self.ledger
        when = ledger.day(day)
        unknown: tuple[str, ...] = ()
        if isinstance(history, (str, int)):
            asked = ledger.ask([str(history)])
        else:
            asked, unknown = ledger.ask_new(history, name)
        barred = ledger.excluded(exclude_items) | limits.never(*ledger.prices(when))
        if excluded is not None:
            barred |= excluded
        offers: list[MadeOffer] = []
        while len(offers) < k:
            visits = self.open(asked, when, barred)
            picked = pick(visits, limits)
            items = picked.items[0][picked.items[0] >= 0].tolist()
            if not items:
                break
            offers.append(ledger.told(items, visits.discounts[picked.level[0]], when))
            barred[items] = True
        return Answer(tuple(offers), unknown)
