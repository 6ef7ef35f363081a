"""The few offers of each visit that are worth a full simulation: by the direct effect, or by trying."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from bundlegym.agents.planner.direct_gains import best_direct, item_scores
from bundlegym.agents.planner.simulated_gains import simulated_gains
from bundlegym.agents.planner.ties import first_best
from bundlegym.envs import EnvConfig
from bundlegym.envs.open_visits import OpenVisits, worths

#: Elements of one appraisal's pairs at most, so that memory does not grow with visits.
_PAIRS = 1 << 23
#: By simulation alone: draws a try, and candidates that a bundle may grow by.
_FEW_DRAWS, _FEW_ITEMS = 8, 8


@dataclass(frozen=True)
class Effort:
    """How much is searched.

    Attributes:
        first: draws on which all candidates are searched.
        second: the many draws on which the few that are kept are searched.
        kept: so many candidates, those with which the first search found most.
        count: finalists a visit.
    """

    first: range
    second: range
    kept: int
    count: int


@dataclass(frozen=True)
class Finalists:
    """F offers a visit, best first.

    Attributes:
        picks: (M, F, B) places among the candidates, -1 where a bundle is smaller, and everywhere where there
            is no offer.
        level: (M, F) of the discount.
    """

    picks: Tensor
    level: Tensor


def find_finalists(visits: OpenVisits, candidates: Tensor, config: EnvConfig, effort: Effort) -> Finalists:
    """The offers with the greatest expected direct gain, made of `candidates` (M, K) item codes.

    Where the model appraises nothing: by plain simulation, with fewer tries and draws.
    """
    k = candidates.shape[1]
    step = max(1, _PAIRS // max(k * k * len(effort.first), effort.kept * effort.kept * len(effort.second)))
    parts = []
    for rows in torch.arange(len(candidates), device=candidates.device).split(step):
        some = visits.some(rows), candidates[rows], config, effort
        parts.append(_by_direct_effect(*some) or _by_trying(*some))
    return Finalists(torch.cat([p.picks for p in parts]), torch.cat([p.level for p in parts]))


def _by_direct_effect(
    visits: OpenVisits, candidates: Tensor, config: EnvConfig, effort: Effort
) -> Finalists | None:
    """In closed form, or None where the model appraises nothing."""
    m, k = candidates.shape
    how = np.array(config.discounts), config.min_size, config.max_size
    items = candidates
    places = torch.arange(k, device=items.device).expand(m, k)
    if effort.kept < k:
        found = worths(visits, items, effort.first, config.max_size)
        if found is None:
            return None
        scores = torch.from_numpy(np.stack([item_scores(worth, *how) for worth in found]))
        places = scores.topk(effort.kept, 1).indices.sort(1).values.to(items.device)
        items = items.gather(1, places)
    found = worths(visits, items, effort.second, config.max_size)
    if found is None:
        return None
    picks, level, _ = (
        torch.from_numpy(np.stack(part)).to(items.device)
        for part in zip(*(best_direct(worth, *how, effort.count) for worth in found), strict=True)
    )
    among = places[:, None].expand(-1, effort.count, -1).gather(2, picks.clamp(min=0))
    return Finalists(torch.where(picks < 0, -1, among), level)


def _by_trying(visits: OpenVisits, candidates: Tensor, config: EnvConfig, effort: Effort) -> Finalists:
    """At each level a bundle grows from the best item by the one that adds most, of those that are best by
    themselves."""
    m, k = candidates.shape
    levels, size, device = len(config.discounts), config.max_size, candidates.device
    discounts = torch.tensor(config.discounts, device=device)
    few = min(k, max(_FEW_ITEMS, size))

    def tried(picks: Tensor) -> Tensor:
        """(M, L, T) mean gain of bundles (M, L, T, B) at their level."""
        tries = picks.shape[2]
        items = candidates[:, None, None].expand(-1, levels, tries, -1).gather(3, picks.clamp(min=0))
        items = torch.where(picks < 0, -1, items).flatten(1, 2)
        discount = discounts[:, None].expand(m, -1, tries).flatten(1)
        gains = simulated_gains(visits, items, discount, effort.first[:_FEW_DRAWS])
        return gains.mean(2).reshape(m, levels, tries)

    bundle = torch.full((m, levels, size), -1, dtype=torch.int64, device=device)
    pool, pool_gain = [], []
    choice = torch.arange(k, device=device).expand(m, levels, k)
    for place in range(size):
        tries = bundle[:, :, None].repeat(1, 1, choice.shape[2], 1)
        tries[..., place] = choice
        again = (bundle[:, :, None, :place] == choice[..., None]).any(3)
        gain = tried(tries).masked_fill(again, -torch.inf)
        best_gain, best = first_best(gain, 2)
        bundle[:, :, place] = choice.gather(2, best[..., None])[..., 0]
        if place == 0:
            choice = gain.topk(few, 2).indices
        if place + 1 >= config.min_size:
            pool.append(bundle.clone())
            pool_gain.append(best_gain)
    gains, offers = torch.cat(pool_gain, 1), torch.cat(pool, 1)
    top = gains.topk(min(effort.count, gains.shape[1]), 1)
    picks = offers.gather(1, top.indices[..., None].expand(-1, -1, size))
    picks = torch.where((top.values > 0)[..., None], picks, -1)
    return Finalists(picks, top.indices % levels)
