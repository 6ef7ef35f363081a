"""What a shopper bought off the shortlist since tastes were counted: each such purchase makes another one of
the item likelier.

Tastes know nothing of these items, or little; a constant on top of an item's own rate, the same for each of
the latest purchases, says how often they come back. It is fitted with the other coefficients (`fit`). In a
simulation they are drawn as what is remembered is (`tail`).
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from bundlegym.data import Dataset
from bundlegym.recommenders.history import shortlisted

#: So many purchases of a shopper are known at most: the latest ones.
TRIED = 64
#: Stands for "no purchase".
NONE = -1


def tried_at_visits(dataset: Dataset, shortlist: np.ndarray, rows: np.ndarray, week: int) -> np.ndarray:
    """(len(rows), TRIED) int32 items bought off `shortlist` (S, L) from `week` on at earlier visits of the
    shopper than each of `rows`, the latest visit's first; NONE behind them."""
    place, visit, item = _purchases(dataset, shortlist, week)
    return _latest(place, visit, item, dataset.visits["shopper"].to_numpy()[rows], rows)


def tried_by_week(dataset: Dataset, shortlist: np.ndarray, week: int) -> np.ndarray:
    """(1 + n_weeks - week, S, TRIED) int32: none, and as in `tried_at_visits` at the beginning of `week` and
    of each later one."""
    place, visit, item = _purchases(dataset, shortlist, week)
    everyone, week_of = np.arange(len(shortlist)), dataset.visits["week"].to_numpy()
    tables = [np.full((len(shortlist), TRIED), NONE, dtype=np.int32)]
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
    chosen = np.flatnonzero(~shortlisted(dataset, shortlist) & (visits["week"].to_numpy()[visit] >= week))
    visit, item = visit[chosen].astype(np.int64), purchases["item"].to_numpy()[chosen]
    shopper = visits["shopper"].to_numpy()[visit].astype(np.int64)
    order = np.lexsort((item, -visit, shopper))
    return shopper[order], visit[order], item[order]


def _latest(
    of: np.ndarray, visit: np.ndarray, item: np.ndarray, shopper: np.ndarray, before: np.ndarray
) -> np.ndarray:
    """(N, TRIED) int32 first of the purchases (as from `_purchases`) of each `shopper` (N,) at visits with a
    smaller number than `before` (N,); a shopper's visits are numbered in the order of time."""
    most = int(max(visit.max(initial=0), before.max(initial=0))) + 1
    start = np.searchsorted(of * most - visit, shopper * most - before, side="right")
    place = start[:, None] + np.arange(TRIED)
    known = place < np.searchsorted(of, shopper, side="right")[:, None]
    return np.where(known, np.append(item, NONE)[np.minimum(place, len(item))], NONE).astype(np.int32)


def times_tried(tried: Tensor, n_items: int) -> tuple[Tensor, Tensor, Tensor]:
    """(M,) row in `tried` (N, TRIED), item and how often it is there."""
    row, slot = (tried >= 0).nonzero(as_tuple=True)
    key, times = torch.unique(row * n_items + tried[row, slot], return_counts=True)
    return key // n_items, key % n_items, times


def times_of(tried: Tensor, items: Tensor) -> Tensor:
    """(N, B) how often each of `items` (N, B) is in `tried` (N, TRIED)."""
    return (tried[:, None] == items[:, :, None]).sum(2)


def try_more(tried: Tensor, row: Tensor, item: Tensor) -> Tensor:
    """(N, TRIED) `tried` with what is bought now before what is there: `row` (P,) in it and `item` (P,), of
    each row in their order."""
    order = row.argsort(stable=True)
    row, item = row[order], item[order]
    count = torch.bincount(row, minlength=len(tried))
    now = torch.full((len(tried), int(count.max()) if len(tried) else 0), NONE, dtype=tried.dtype)
    now = now.to(tried.device)
    place = torch.arange(len(row), device=row.device) - (count.cumsum(0) - count)[row]
    now[row, place] = item.to(tried.dtype)
    both = torch.cat([now, tried], 1)
    return both.gather(1, (both < 0).to(torch.int8).argsort(dim=1, stable=True))[:, :TRIED].contiguous()
