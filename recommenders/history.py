"""When each shopper last bought each item of the shortlist: the state in which a visit begins."""

from __future__ import annotations

import numpy as np

from bundlegym.data import Dataset

#: Stands for "never bought" wherever a day is expected.
NEVER = -1


def shortlist_lines(
    dataset: Dataset, shortlist: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Purchases of shortlisted items in order of day: (P,) shopper, slot, day, and week each.

    `shortlist` is (n_shoppers, L) with item codes ascending in each row; a slot is a column of it.
    """
    visit = dataset.purchases["visit"].to_numpy()
    shopper = dataset.visits["shopper"].to_numpy()[visit].astype(np.int64)
    key = shopper * dataset.n_items + dataset.purchases["item"].to_numpy()
    table = (np.arange(len(shortlist))[:, None] * dataset.n_items + shortlist).ravel()
    place = np.minimum(np.searchsorted(table, key), len(table) - 1)
    known = table[place] == key
    day = dataset.visits["day"].to_numpy()[visit][known]
    order = np.argsort(day, kind="stable")
    week = dataset.visits["week"].to_numpy()[visit][known]
    slot = place[known] % shortlist.shape[1]
    return shopper[known][order], slot[order], day[order], week[order]


def last_bought_by_week(dataset: Dataset, shortlist: np.ndarray) -> np.ndarray:
    """(n_weeks, n_shoppers, L) int16: the day of the last purchase before each week began, or NEVER."""
    shopper, slot, day, week = shortlist_lines(dataset, shortlist)
    table = np.full((dataset.n_weeks, *shortlist.shape), NEVER, dtype=np.int16)
    for w in range(1, dataset.n_weeks):
        table[w] = table[w - 1]
        now = week == w - 1
        table[w][shopper[now], slot[now]] = day[now]
    return table


def last_bought_at_visits(dataset: Dataset, shortlist: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """(len(rows), L) int16: the day of the last purchase on an earlier day than each visit's, or NEVER."""
    shopper, slot, day, _ = shortlist_lines(dataset, shortlist)
    visit_shopper = dataset.visits["shopper"].to_numpy()[rows]
    visit_day = dataset.visits["day"].to_numpy()[rows]
    last = np.full(shortlist.shape, NEVER, dtype=np.int16)
    out = np.empty((len(rows), shortlist.shape[1]), dtype=np.int16)
    done = 0
    for d in np.unique(visit_day):
        past = np.searchsorted(day, d)
        last[shopper[done:past], slot[done:past]] = day[done:past]
        done = past
        today = np.flatnonzero(visit_day == d)
        out[today] = last[visit_shopper[today]]
    return out
