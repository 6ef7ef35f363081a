"""What each household brought a shop in a stretch of days: the outcome of a field experiment."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from bundlegym.data import Dataset
from bundlegym.errors import UserError


@dataclass(frozen=True)
class Visits:
    """All V visits of a log and what each earned.

    Attributes:
        shopper, day: (V,) int64 codes of the shoppers, days since the Monday of week 0.
        margin: (V,) price paid less unit cost of all that was bought, in the log's currency.
        n_shoppers: S, of the log.
        first, end: the first day with a visit, and the day after the last.
    """

    shopper: np.ndarray
    day: np.ndarray
    margin: np.ndarray
    n_shoppers: int
    first: int
    end: int

    @staticmethod
    def of(dataset: Dataset) -> Visits:
        """Those of a log. An item's cost is that of the week."""
        visits, lines = dataset.visits, dataset.purchases
        visit = lines["visit"].to_numpy()
        cost = dataset.unit_cost[lines["item"].to_numpy(), visits["week"].to_numpy()[visit]]
        earned = lines["quantity"].to_numpy() * (lines["price_paid"].to_numpy() - cost)
        day = visits["day"].to_numpy().astype(np.int64)
        return Visits(
            visits["shopper"].to_numpy().astype(np.int64),
            day,
            np.bincount(visit, earned, len(visits)),
            dataset.n_shoppers,
            int(day.min()),
            int(day.max()) + 1,
        )

    def margins(self, first: int, end: int) -> np.ndarray:
        """(S,) margin of each shopper on the days first, ..., end - 1; 0 for those who did not come."""
        return self._sum(self.margin, first, end)

    def counts(self, first: int, end: int) -> np.ndarray:
        """(S,) visits of each shopper on the days first, ..., end - 1."""
        return self._sum(np.ones_like(self.margin), first, end)

    def _sum(self, values: np.ndarray, first: int, end: int) -> np.ndarray:
        here = (self.day >= first) & (self.day < end)
        return np.bincount(self.shopper[here], values[here], self.n_shoppers)


def day_of(dataset: Dataset, text: str, option: str) -> int:
    """Days from the Monday of the log's week 0 to the date `text`, as 2024-05-13.

    Raises:
        UserError: it is no date, or lies outside the log.
    """
    try:
        day = (pd.Timestamp(text) - dataset.start).days
    except (ValueError, TypeError) as error:
        raise UserError(f"{option}: {text!r} is no date such as 2024-05-13") from error
    last = dataset.n_weeks * 7
    if not 0 <= day < last:
        raise UserError(
            f"{option}: {text} lies outside {dataset.name}, which runs from {date_of(dataset, 0)} to "
            f"{date_of(dataset, last - 1)}"
        )
    return day


def date_of(dataset: Dataset, day: int) -> str:
    """The date of a day of the log, as 2024-05-13."""
    return str((dataset.start + pd.Timedelta(days=day)).date())
