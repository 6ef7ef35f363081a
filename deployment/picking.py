"""From a policy to offers: bundles are picked item by item, and nobody reacts.

The loop is the same for policies in the simulator's own tensors and for those that are exported; each brings
its visits under one contract. Here is nothing that needs torch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from bundlegym.deployment.limits import Limits
from bundlegym.envs.features import LEAVE


class Visits(Protocol):
    """N open visits with K candidates and D discount levels, and a policy that decides.

    Attributes:
        k: K.
        discounts: (D,) of the levels.
        price, cost: (I,) at the shelf.
        mask: (N, K + D) bool, the legal actions; what is written into it holds until the visit's next pick.
        picks: (N, B) int64 item codes so far, -1 where there is none yet.
    """

    k: int
    discounts: np.ndarray
    price: np.ndarray
    cost: np.ndarray

    @property
    def mask(self) -> np.ndarray: ...

    @property
    def picks(self) -> np.ndarray: ...

    def act(self) -> np.ndarray:
        """(N,) int64, what the policy does."""

    def step(self, action: np.ndarray) -> None:
        """Add the candidates that `action` (N,) names; `LEAVE` lets a visit be."""


@dataclass(frozen=True)
class Picked:
    """What a policy offers to N shoppers.

    Attributes:
        items: (N, B) int64 codes in the order in which they were picked, -1 where the bundle is smaller; all
            -1 for no offer.
        level: (N,) int64 of the discount.
    """

    items: np.ndarray
    level: np.ndarray

    @property
    def made(self) -> np.ndarray:
        """(N,) bool, whether anything is offered."""
        return self.items[:, 0] >= 0


def pick(visits: Visits, limits: Limits) -> Picked:
    """The offers of a policy, within limits.

    Discount levels that the limits forbid are masked. A policy that does not heed masks, such as the planner,
    has its discount cut to the deepest that is legal; where none is, nothing is offered.
    """
    done = np.zeros(len(visits.mask), dtype=bool)
    nothing, level = done.copy(), np.zeros(len(done), dtype=np.int64)
    while not done.all():
        legal = limits.legal(visits.picks, visits.price, visits.cost, visits.discounts)
        visits.mask[:, visits.k :] &= legal
        stuck = ~done & ~visits.mask.any(1)
        action = visits.act()
        offers = ~done & ~stuck & (action >= visits.k)
        allowed, deepest = _deepest(legal, (action - visits.k).clip(min=0), visits.discounts)
        level = np.where(offers & allowed, deepest, level)
        nothing |= stuck | (offers & ~allowed)
        done = done | stuck | offers
        visits.step(np.where(done, LEAVE, action))
    items = np.where(nothing[:, None], -1, visits.picks)
    return Picked(items, np.where(items[:, 0] < 0, 0, level))


def _deepest(legal: np.ndarray, level: np.ndarray, discounts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(N,) each: whether a discount up to that of `level` (N,) is legal, and the level of the deepest."""
    within = legal & (discounts <= discounts[level][:, None])
    return within.any(1), np.where(within, discounts, -1.0).argmax(1)
