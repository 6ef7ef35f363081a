"""From a policy to offers: bundles are picked item by item, and nobody reacts."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from bundlegym.agents.base import Policy
from bundlegym.agents.planner import Planner
from bundlegym.agents.planner.policy import actions_of
from bundlegym.deployment.limits import Limits
from bundlegym.envs import BundleCore
from bundlegym.envs.base import LEAVE


@dataclass(frozen=True)
class Picked:
    """What a policy offers to N shoppers.

    Attributes:
        items: (N, B) int64 codes in the order in which they were picked, -1 where the bundle is smaller; all
            -1 for no offer.
        level: (N,) int64 of the discount.
    """

    items: Tensor
    level: Tensor

    @property
    def made(self) -> Tensor:
        """(N,) bool, whether anything is offered."""
        return self.items[:, 0] >= 0


def pick(core: BundleCore, policy: Policy, limits: Limits) -> Picked:
    """The offers of a policy at the visits that are open in the core, within limits.

    Discount levels that the limits forbid are masked. A policy that does not heed masks, such as the planner,
    has its discount cut to the deepest that is legal; where none is, nothing is offered.
    """
    if isinstance(policy, Planner):
        policy = _planned(core, policy)
    done = torch.zeros(core.n, dtype=torch.bool, device=core.device)
    level = torch.zeros_like(core.n_picks)
    nothing = done.clone()
    while not bool(done.all()):
        legal = torch.ones_like(core.mask[:, core.k :]) if limits.none else limits.legal_now(core)
        mask = core.masks()  # the core's own, until the next pick
        mask[:, core.k :] &= legal
        stuck = ~done & ~mask.any(1)
        action = policy(core)
        offers = ~done & ~stuck & (action >= core.k)
        allowed, deepest = _deepest(legal, (action - core.k).clamp(min=0), core.discounts)
        level = torch.where(offers & allowed, deepest, level)
        nothing |= stuck | (offers & ~allowed)
        done = done | stuck | offers
        core.step(torch.where(done, LEAVE, action))
    items = torch.where(nothing[:, None], -1, core.picks)
    return Picked(items, torch.where(items[:, 0] < 0, 0, level))


def _deepest(legal: Tensor, level: Tensor, discounts: Tensor) -> tuple[Tensor, Tensor]:
    """(N,) each: whether a discount up to that of `level` (N,) is legal, and the level of the deepest."""
    within = legal & (discounts <= discounts[level][:, None])
    return within.any(1), torch.where(within, discounts, -1.0).argmax(1)


def _planned(core: BundleCore, planner: Planner) -> Policy:
    """A policy that follows the plans for the visits now open."""
    actions = actions_of(planner.plan(core, core.rows), core.k)
    return lambda core: actions[core.rows, core.n_picks]
