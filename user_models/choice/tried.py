"""What a shopper bought off the shortlist since tastes were counted: each such purchase makes another one of
the item likelier.

Tastes know nothing of these items, or little. Each purchase adds to the item's own rate: more where the item
is popular, by a power of how popular it is, and less the more has been tried since, exp(-fade) a purchase.
The three numbers of this are fitted with the other coefficients (`fit`). In a simulation these items are
drawn as what is remembered is (`tail`).
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from bundlegym.data import Dataset
from bundlegym.recommenders.recency import shortlisted

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


def fading(fade: Tensor | float) -> Tensor:
    """(TRIED,) what is left of a purchase, the latest first."""
    return torch.exp(-fade * torch.arange(TRIED))


def weights(tried: Tensor, weight: Tensor, left: Tensor) -> Tensor:
    """(N, TRIED) what each purchase in `tried` (N, TRIED) adds to its item's rate: `weight` (I,) of the item
    times what is `left` (TRIED,); 0 for none."""
    return torch.where(tried >= 0, weight[tried.clamp(min=0)] * left, 0.0)


def by_item(tried: Tensor, weight: Tensor, left: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(M,) row in `tried` (N, TRIED), item and what its purchases add to its rate; see `weights`."""
    row, slot = (tried >= 0).nonzero(as_tuple=True)
    key, place = torch.unique(row * len(weight) + tried[row, slot], return_inverse=True)
    each = weights(tried, weight, left)[row, slot]
    total = torch.zeros(len(key), device=each.device).index_add(0, place, each)
    return key // len(weight), key % len(weight), total


def of_items(tried: Tensor, items: Tensor, weight: Tensor, left: Tensor) -> Tensor:
    """(N, B) what the purchases in `tried` (N, TRIED) add to the rates of `items` (N, B); see `weights`."""
    return weight[items] * ((tried[:, None] == items[:, :, None]) * left).sum(2)


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
