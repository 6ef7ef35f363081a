"""Recent trials of a log's shoppers (`reference.recent_trials`), at visits and at the beginning of weeks."""

from __future__ import annotations

import numpy as np

from bundlegym.data import Dataset
from bundlegym.recommenders.shortlist_slots import slots_of_purchases
from bundlegym.user_models.choice.reference.recent_trials import NONE, TRIALS


def trials_at_visits(dataset: Dataset, shortlist: np.ndarray, rows: np.ndarray, week: int) -> np.ndarray:
    """(len(rows), TRIALS) int32 items bought off `shortlist` (S, L) from `week` on at earlier visits of the
    shopper than each of `rows`, the latest visit's first; NONE behind them."""
    place, visit, item = _purchases(dataset, shortlist, week)
    return _latest(place, visit, item, dataset.visits["shopper"].to_numpy()[rows], rows)


def trials_by_week(dataset: Dataset, shortlist: np.ndarray, week: int) -> np.ndarray:
    """(1 + n_weeks - week, S, TRIALS) int32: none, and as in `trials_at_visits` at the beginning of `week`
    and of each later one."""
    place, visit, item = _purchases(dataset, shortlist, week)
    everyone, week_of = np.arange(len(shortlist)), dataset.visits["week"].to_numpy()
    tables = [np.full((len(shortlist), TRIALS), NONE, dtype=np.int32)]
    for later in range(week, dataset.n_weeks):
        before = week_of[visit] < later
        at = np.full(len(shortlist), len(week_of))
        tables.append(_latest(place[before], visit[before], item[before], everyone, at))
    return np.stack(tables)


def _purchases(
    dataset: Dataset, shortlist: np.ndarray, week: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(P,) shopper, visit and item of purchases off the shortlist from `week` on: by shopper, the latest
    visit first."""
    visits, purchases = dataset.visits, dataset.purchases
    visit = purchases["visit"].to_numpy()
    chosen = np.flatnonzero(
        (slots_of_purchases(dataset, shortlist) < 0) & (visits["week"].to_numpy()[visit] >= week)
    )
    visit, item = visit[chosen].astype(np.int64), purchases["item"].to_numpy()[chosen]
    shopper = visits["shopper"].to_numpy()[visit].astype(np.int64)
    order = np.lexsort((item, -visit, shopper))
    return shopper[order], visit[order], item[order]


def _latest(
    of: np.ndarray, visit: np.ndarray, item: np.ndarray, shopper: np.ndarray, before: np.ndarray
) -> np.ndarray:
    """(N, TRIALS) int32 first of the purchases (as from `_purchases`) of each `shopper` (N,) at visits with a
    smaller number than `before` (N,); a shopper's visits are numbered in the order of time."""
    most = int(max(visit.max(initial=0), before.max(initial=0))) + 1
    start = np.searchsorted(of * most - visit, shopper * most - before, side="right")
    place = start[:, None] + np.arange(TRIALS)
    known = place < np.searchsorted(of, shopper, side="right")[:, None]
    return np.where(known, np.append(item, NONE)[np.minimum(place, len(item))], NONE).astype(np.int32)
