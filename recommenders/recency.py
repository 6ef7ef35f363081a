"""When each shopper last bought each item of the shortlist: the state in which a visit begins."""

from __future__ import annotations

import numpy as np

from bundlegym.data import Dataset
from bundlegym.recommenders.shortlist_slots import slots_of_purchases

#: Stands for "never bought" wherever a day is expected.
NEVER = -1


def _shortlisted(dataset: Dataset, shortlist: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Visit, shopper and slot of the purchases of shortlisted items; `shortlist` as in `slots_of`."""
    slot = slots_of_purchases(dataset, shortlist)
    known = slot >= 0
    visit = dataset.purchases["visit"].to_numpy()[known]
    return visit, dataset.visits["shopper"].to_numpy()[visit].astype(np.int64), slot[known]


def shortlisted_purchases(
    dataset: Dataset, shortlist: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The purchases of shortlisted items, by shopper, then in order of time: (n_shoppers + 1,) int64 where
    each shopper's begin; (P,) int32 slot and int16 day of each."""
    visit, shopper, slot = _shortlisted(dataset, shortlist)
    day = dataset.visits["day"].to_numpy()[visit]
    start = np.searchsorted(shopper, np.arange(len(shortlist) + 1))
    return start, slot.astype(np.int32), day.astype(np.int16)


def last_bought_by_week(dataset: Dataset, shortlist: np.ndarray) -> np.ndarray:
    """(n_weeks, n_shoppers, L) int16: the day of the last purchase before each week began, or NEVER."""
    visit, shopper, slot = _shortlisted(dataset, shortlist)
    visits = dataset.visits.iloc[visit]
    day, week = visits["day"].to_numpy(), visits["week"].to_numpy()
    table = np.full((dataset.n_weeks, *shortlist.shape), NEVER, dtype=np.int16)
    for w in range(1, dataset.n_weeks):
        table[w] = table[w - 1]
        now = week == w - 1
        table[w][shopper[now], slot[now]] = day[now]
    return table


def last_bought_at_visits(dataset: Dataset, shortlist: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """(len(rows), L) int16: the day of the last purchase at an earlier visit than each of `rows`, or
    NEVER."""
    visit, shopper, slot = _shortlisted(dataset, shortlist)
    visits = dataset.visits
    # The k-th visits of all shoppers are looked at together: no shopper occurs twice among them.
    number = visits.groupby("shopper").cumcount().to_numpy()
    order = np.argsort(number[visit], kind="stable")
    shopper, slot, visit = shopper[order], slot[order], visit[order]
    day = visits["day"].to_numpy()
    bounds = np.searchsorted(number[visit], np.arange(number.max() + 2))
    rows_order = np.argsort(number[rows], kind="stable")
    row_bounds = np.searchsorted(number[rows][rows_order], np.arange(number.max() + 2))
    visit_shopper = visits["shopper"].to_numpy()
    last = np.full(shortlist.shape, NEVER, dtype=np.int16)
    out = np.empty((len(rows), shortlist.shape[1]), dtype=np.int16)
    for k in range(number.max() + 1):
        asked = rows_order[row_bounds[k] : row_bounds[k + 1]]
        out[asked] = last[visit_shopper[rows[asked]]]
        now = slice(bounds[k], bounds[k + 1])
        last[shopper[now], slot[now]] = day[visit[now]]
    return out
