"""Purchases outside the shortlist: a Poisson process over the whole catalogue.

The share of an item never bought is a product of the shopper's part for its subcategory and the item's own, so a
draw is of a subcategory first, then of an item within it by the week's prices and promotions.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from bundlegym.user_models.draws import Draws

#: At most so many purchases a visit; reached once in thousands of visits.
SLOTS = 64


def tail_tables(attraction: np.ndarray, group: np.ndarray) -> dict[str, np.ndarray]:
    """From the items' attraction (n_weeks, I), exp of utility apart from the shopper's part, and their group (I,):

    `tail_item` (I,) int64 items sorted by group; `tail_cdf` (n_weeks, I) float64, w + the cumulative share of
    attraction in week w in that order; `tail_start` (n_weeks, G + 1) float64, where each group begins in it;
    `tail_attraction` (n_weeks, G) float32, total of each group.
    """
    order = np.argsort(group, kind="stable")
    total = np.concatenate([np.zeros((len(attraction), 1)), np.cumsum(attraction[:, order], 1)], 1)
    bounds = np.searchsorted(group[order], np.arange(group.max() + 2))
    start = total[:, bounds]
    week = np.arange(len(attraction))[:, None]
    return {
        "tail_item": order.astype(np.int64),
        "tail_cdf": week + total[:, 1:] / total[:, -1:],
        "tail_start": week + start / total[:, -1:],
        "tail_attraction": np.diff(start, axis=1).astype(np.float32),
    }


def arrivals(rate: Tensor, draws: Draws, stream: int) -> Tensor:
    """(N, SLOTS) times, ascending, of a Poisson process of the rates (N,); those below 1 are purchases."""
    slot = torch.arange(SLOTS, device=rate.device)
    return -torch.log(draws.uniform(stream, slot)).cumsum(1) / rate[:, None].clamp(min=1e-9)


def tail_items(
    t: dict[str, Tensor], week: Tensor, total: Tensor, bought: Tensor, draws: Draws, group: int, within: int
) -> Tensor:
    """(N, M) items of the purchases (N, M) that `bought` marks, -1 elsewhere, in the weeks (N,). `total` (N, G) is
    the running sum of rates by group; `group` and `within` are the streams to draw from."""
    slots = int(bought.sum(1).max()) if len(bought) else 0
    slot = torch.arange(slots, device=total.device)
    groups = torch.searchsorted(total, draws.uniform(group, slot) * total[:, -1:], right=True)
    row, place = bought[:, :slots].nonzero(as_tuple=True)
    chosen, w = groups[row, place].clamp(max=total.shape[1] - 1), week[row]
    start, end = t["tail_start"][w, chosen], t["tail_start"][w, chosen + 1]
    luck = draws.uniform(within, slot)[row, place]
    items = t["tail_cdf"].shape[1]
    spot = torch.searchsorted(t["tail_cdf"].ravel(), start + luck * (end - start), right=True)
    out = torch.full(bought.shape, -1, device=total.device)
    out[row, place] = t["tail_item"][(spot - w * items).clamp(0, items - 1)]
    return out
