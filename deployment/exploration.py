"""Offers that are drawn at random for a stated share of shoppers, with propensities that are computed.

With the probability `share` a shopper's offer is drawn: nothing with the probability 1/2, so that what offers
earn against no offer can be told, else uniformly one of a set. The set holds all bundles of the least size
among the first six candidates at every discount that the limits allow. Otherwise the offer is the policy's.
The propensity of an offer is therefore

    (1 - share) [it is the policy's] + share (1/2 [it is nothing] + 1/2 [it is in the set] / |set|),

whichever way it came about; where the set is empty nothing stands in its place. The draw of a shopper hangs
on their name, the day and the seed alone.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from bundlegym.deployment.limits import Limits

#: Candidates that bundles of the set are made of, the likeliest ones.
EXPLORED_ITEMS = 6
#: Share of the draws that are nothing.
NOTHING_SHARE = 0.5
POLICY, EXPLORE = "policy", "explore"


@dataclass(frozen=True)
class Offered:
    """An offer to one shopper.

    Attributes:
        items: codes, none for nothing. level: of the discount.
        propensity: the chance that this was offered.
        arm: `POLICY`, or `EXPLORE` where the offer was drawn.
        held_back: what the policy would have offered, where the offer was drawn.
    """

    items: tuple[int, ...]
    level: int
    propensity: float = 1.0
    arm: str = POLICY
    held_back: tuple[int, ...] = ()

    def same(self, other: Offered) -> bool:
        """Whether both are the same bundle at the same discount."""
        return (sorted(self.items), self.level) == (sorted(other.items), other.level)


NOTHING = Offered((), 0)


@dataclass(frozen=True)
class Exploration:
    """How offers are drawn on one day.

    Attributes:
        share: probability that a shopper's offer is drawn.
        seed: of the draws.
        discounts: (D,) levels.
        price, cost: (I,) at the shelf.
        size: least size of a bundle.
        limits: of each offer.
        enough: (I,) bool, items that no draw can run out of.
    """

    share: float
    seed: int
    discounts: np.ndarray
    price: np.ndarray
    cost: np.ndarray
    size: int
    limits: Limits
    enough: np.ndarray

    def choices(self, candidates: np.ndarray, most: float) -> list[Offered]:
        """The set of one shopper.

        Args:
            candidates: (K,) item codes, the likeliest first.
            most: discount in money that no offer of the set may exceed.
        """
        few = [int(i) for i in candidates[: max(EXPLORED_ITEMS, self.size)] if self.enough[i]]
        bundles = np.array(list(combinations(few, self.size)), dtype=np.int64).reshape(-1, self.size)
        legal = self.limits.legal(bundles, self.price, self.cost, self.discounts)
        legal &= self.discounts * self.price[bundles].sum(1)[:, None] <= most
        found = zip(*legal.nonzero(), strict=True)
        return [Offered(tuple(bundles[b].tolist()), int(level)) for b, level in found]

    def drawn(self, name: str, day: int, own: Offered, choices: list[Offered]) -> Offered:
        """What the shopper called `name` is offered, where the policy's offer is `own`."""
        digest = hashlib.sha256(f"explore {self.seed} {day} {name}".encode()).digest()
        luck = np.random.default_rng(int.from_bytes(digest[:8], "big"))
        explores, nothing = luck.random() < self.share, luck.random() < NOTHING_SHARE
        other = NOTHING if nothing or not choices else choices[int(luck.integers(len(choices)))]
        chosen = other if explores else own
        of_set = sum(chosen.same(one) for one in choices) / len(choices) if choices else chosen.same(NOTHING)
        at_random = NOTHING_SHARE * chosen.same(NOTHING) + (1 - NOTHING_SHARE) * of_set
        propensity = (1 - self.share) * own.same(chosen) + self.share * at_random
        arm, held_back = (EXPLORE, own.items) if explores else (POLICY, ())
        return Offered(chosen.items, chosen.level, propensity, arm, held_back)
