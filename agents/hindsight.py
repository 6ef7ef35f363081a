"""Hindsight: what one could earn at a visit if its luck were known. A curiosity, and no rival.

It asks the user model itself, with the very luck that the visit will have, what each bundle would bring, and
lets the best one grow item by item. Nobody can know that much: `planner` is what can be known. It looks at
one visit only; habits and stocks are nothing to it.
"""

from __future__ import annotations

import torch
from torch import Tensor

from bundlegym.agents.margins import margin_of
from bundlegym.envs.core import BundleCore
from bundlegym.user_models.base import Offer


class Hindsight:
    """A policy `hindsight(core) -> actions (N,)`; it plans a whole bundle when a visit opens."""

    def __init__(self) -> None:
        self.plan = torch.zeros(0, 0, dtype=torch.int64)

    def __call__(self, core: BundleCore) -> Tensor:
        if len(self.plan) != core.n:
            self.plan = torch.zeros(core.n, core.config.max_size + 1, dtype=torch.int64, device=core.device)
        rows = core.rows[core.n_picks == 0]
        if len(rows):
            self.plan[rows] = best_offers(core, rows)
        return self.plan[core.rows, core.n_picks]


def best_offers(core: BundleCore, rows: Tensor) -> Tensor:
    """(M, max_size + 1) actions from an empty bundle to the offer, for the slots in `rows` (M,).

    Greedy over candidates at each discount level; no offer at all where none brings more.
    """
    m, size, k = len(rows), core.config.max_size, core.k
    nothing = torch.full((m, size), -1, dtype=torch.int64, device=core.device)
    base = margins(core, rows, nothing[:, None], 0.0)[:, 0]
    best_gain = torch.zeros(m, device=core.device)
    best = torch.full((m, size + 1), k, dtype=torch.int64, device=core.device)
    for level, discount in enumerate(core.config.discounts):
        items, actions = nothing.clone(), best.new_full((m, size + 1), k + level)
        for place in range(size):
            tries = items[:, None].repeat(1, k, 1)
            tries[:, :, place] = core.candidates[rows]
            margin = margins(core, rows, tries, discount)
            again = (actions[:, :place, None] == torch.arange(k, device=core.device)).any(1)
            gain, pick = (margin - base[:, None]).masked_fill(again, -torch.inf).max(1)
            items[:, place] = core.candidates[rows].gather(1, pick[:, None])[:, 0]
            actions[:, place] = pick
            better = (gain > best_gain) & (place + 1 >= core.config.min_size)
            best_gain = torch.where(better, gain, best_gain)
            best = torch.where(better[:, None], actions, best)
    return best


def margins(core: BundleCore, rows: Tensor, items: Tensor, discount: float) -> Tensor:
    """(M, T) margin of the visit now open in each of `rows` if items (M, T, B) are offered at `discount`."""
    m, tries, size = items.shape
    row = rows.repeat_interleave(tries)
    state = {name: value[row] for name, value in core.state.items()}
    offer = Offer(items.reshape(-1, size), torch.full((m * tries,), discount, device=core.device))
    response, _ = core.user_model.respond(state, offer, core.draws(row))
    return margin_of(core.market, response, core.records.day[row]).reshape(m, tries)
