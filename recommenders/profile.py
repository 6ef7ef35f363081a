"""What a shop reads off its log about each shopper: rhythm, spend, tastes, liking for deals, demographics."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from bundlegym.data import Dataset, lines_of, visit_rows

#: Lines and visits that the shop's average is worth in a shopper's shares and means.
_PRIOR = 20.0


@dataclass(frozen=True)
class ShopperProfile:
    """A block of features a shopper, of mean 0 and deviation 1 over the shoppers who are not held out.

    Attributes:
        names: F names. Behaviour: `days_since_visit` and `visits_a_week` (logs), `spend_a_visit` (log),
            `lines_a_visit` (log), `price_level` (log list price over the category's mean), `deal_share` (of
            lines bought below list price), `promoted_share` (of lines on display or in the mailer),
            `repeat_share` (of lines bought before), `share/DEPARTMENT` of lines. Demographics, where the log
            has them: `COLUMN=VALUE`, 1 or 0 before they are scaled.
        values: (n_shoppers, F) float32.
    """

    names: tuple[str, ...]
    values: np.ndarray


def shopper_profile(dataset: Dataset, weeks: tuple[int, int]) -> ShopperProfile:
    """What the purchases in `weeks` [first, past_last) and the demographic columns say of each shopper.

    Shares and means of few lines are shrunk to the shop's average, which a shopper without purchases gets;
    averages come from shoppers who are not held out.
    """
    visits, purchases, n = dataset.visits, dataset.purchases, dataset.n_shoppers
    seen = visit_rows(dataset, weeks)
    line, place = lines_of(dataset, seen)
    visit, item = seen[place], purchases["item"].to_numpy()[line]
    shopper, week = visits["shopper"].to_numpy()[visit], visits["week"].to_numpy()[visit]
    known = ~dataset.split.held_out
    n_visits = np.bincount(visits["shopper"].to_numpy()[seen], minlength=n)
    n_lines = np.bincount(shopper, minlength=n)

    def mean(value: np.ndarray, count: np.ndarray) -> np.ndarray:
        total = np.bincount(shopper, weights=value, minlength=n)
        average = total[known].sum() / max(count[known].sum(), 1)
        return (total + _PRIOR * average) / (count + _PRIOR)

    spend = (purchases["price_paid"] * purchases["quantity"]).to_numpy()[line]
    last_day = np.full(n, 7 * weeks[0])
    np.maximum.at(last_day, visits["shopper"].to_numpy()[seen], visits["day"].to_numpy()[seen])
    _, category = np.unique(dataset.items["category"].astype(str), return_inverse=True)
    log_price = np.log(dataset.items["list_price"].to_numpy())
    level = log_price - (np.bincount(category, log_price) / np.bincount(category))[category]
    again = pd.Series(shopper * dataset.n_items + item).duplicated().to_numpy()
    promoted = (dataset.display[item, week] > 0) | (dataset.mailer[item, week] > 0)
    columns = {
        "days_since_visit": np.log1p(7 * weeks[1] - last_day),
        "visits_a_week": np.log1p(n_visits / (weeks[1] - weeks[0])),
        "spend_a_visit": np.log1p(mean(spend, n_visits)),
        "lines_a_visit": np.log1p(mean(np.ones(len(item)), n_visits)),
        "price_level": mean(level[item], n_lines),
        "deal_share": mean(is_deal(dataset, item, week), n_lines),
        "promoted_share": mean(promoted, n_lines),
        "repeat_share": mean(again, n_lines),
    }
    department = dataset.items["department"].astype(str).to_numpy()
    for name in np.unique(department):
        columns[f"share/{name}"] = mean(department[item] == name, n_lines)
    for column in dataset.shoppers.columns.drop("shopper"):
        value = dataset.shoppers[column].astype(str).to_numpy()
        columns |= {f"{column}={v}": (value == v).astype(float) for v in np.unique(value) if v}
    table = np.stack(list(columns.values()), axis=1)
    table -= table[known].mean(0)
    return ShopperProfile(tuple(columns), (table / np.maximum(table[known].std(0), 1e-6)).astype(np.float32))


def is_deal(dataset: Dataset, item: np.ndarray, week: np.ndarray) -> np.ndarray:
    """(P,) bool: the shelf asked less than the list price for the item in the week."""
    return dataset.shelf_price[item, week] < 0.99 * dataset.list_price[item, week]


def own_intervals(counts: np.ndarray, weeks: tuple[int, int]) -> np.ndarray:
    """(n_shoppers, n_items) float32 days between purchases of an item, from counts in `weeks`."""
    span = max(7.0 * (weeks[1] - weeks[0]), 28.0)
    return np.maximum(span / (counts + 1.0), 1.0).astype(np.float32)


@dataclass(frozen=True)
class DealAverages:
    """What a share of lines bought on deal is shrunk toward and standardised by.

    Attributes:
        base: share of all lines that were bought below list price.
        spread: standard deviation of the shrunk shares.
    """

    base: float
    spread: float

    def share(self, deals: np.ndarray, lines: np.ndarray) -> np.ndarray:
        """(n,) float32, standardised, of so many lines on deal (n,) among so many lines (n,)."""
        return ((_shrunk(deals, lines, self.base) - self.base) / self.spread).clip(-3, 3).astype(np.float32)


def _shrunk(deals: np.ndarray, lines: np.ndarray, base: float) -> np.ndarray:
    return (deals + 50 * base) / (lines + 50)


def deal_counts(dataset: Dataset, weeks: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """(n_shoppers,) each: lines bought below list price in `weeks`, and all lines."""
    lines, place = lines_of(dataset, rows := visit_rows(dataset, weeks))
    visits = dataset.visits.iloc[rows]
    shopper, week = (visits[name].to_numpy()[place] for name in ("shopper", "week"))
    deal = is_deal(dataset, dataset.purchases["item"].to_numpy()[lines], week)
    n = dataset.n_shoppers
    return np.bincount(shopper, weights=deal, minlength=n), np.bincount(shopper, minlength=n)


def deal_averages(deals: np.ndarray, lines: np.ndarray, known: np.ndarray) -> DealAverages:
    """Of the shoppers of a mask `known` (n,), from `deal_counts`."""
    base = deals[known].sum() / max(lines[known].sum(), 1)
    return DealAverages(float(base), max(float(_shrunk(deals, lines, base)[known].std()), 1e-6))


def deal_share(dataset: Dataset, weeks: tuple[int, int], shoppers: np.ndarray | None = None) -> np.ndarray:
    """(n_shoppers,) float32, share of lines bought below list price in `weeks`, shrunk, and standardised by
    the mean and spread of `shoppers` (mask; by default those who are not held out)."""
    known = ~dataset.split.held_out if shoppers is None else shoppers
    deals, lines = deal_counts(dataset, weeks)
    return deal_averages(deals, lines, known).share(deals, lines)
