"""Why an offer is made, in one sentence: what the shopper bought before, what goes together, what is cut."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bundlegym.data import Dataset
from bundlegym.envs import Market
from bundlegym.recommenders.profile import is_deal
from bundlegym.recommenders.shopper_tables import Purchases

#: Log lift after taste from which two categories are said to go together: a fifth more often than by chance.
_TOGETHER = float(np.log(1.2))


def reasons_of(
    dataset: Dataset, market: Market, bought: Purchases, day: int
) -> Callable[[int, tuple[int, ...]], str]:
    """`why(shopper, items)` of offers on `day`, by codes; `bought` holds the purchases to count."""
    before = bought.where(bought.day < day)
    key = before.shopper * dataset.n_items + before.item
    keys, counts = np.unique(key, return_counts=True)
    times = dict(zip(keys.tolist(), counts.tolist(), strict=True))
    week = min(max(day // 7, 0), dataset.n_weeks - 1)
    cut = is_deal(dataset, np.arange(dataset.n_items), np.full(dataset.n_items, week))
    synergy, category = market.synergy.cpu().numpy(), market.category.cpu().numpy()

    def why(shopper: int, items: tuple[int, ...]) -> str:
        told = []
        for item in items:
            name, n = market.names[item], times.get(shopper * dataset.n_items + item, 0)
            lift = {
                other: synergy[category[item], category[other]]
                for other in items
                if category[other] != category[item]
            }
            partner = max(lift, key=lambda other: float(lift[other]), default=None)
            if n:
                told.append(f"{name} was bought {n} time{'s' if n > 1 else ''} before")
            elif partner is not None and lift[partner] > _TOGETHER:
                told.append(f"{name} goes with {market.names[partner]}")
            if cut[item]:
                told.append(f"{name} is on promotion")
        return "; ".join(told) or "likely for this shopper by what others buy"

    return why
